/*
 * The name space: inodes, their names and streams. UTF-16 paths of the native API.
 *
 * Locks, in this order: tree->lock (rwlock) rules names, directories, streams and reference
 * counts of the tree; inode->lock (rwlock) rules one inode's metadata and data, and its streams'
 * data. Functions here say which they need.
 */
#ifndef MEMFS_TREE_H
#define MEMFS_TREE_H

#include <pthread.h>
#include "winfsp/ext.h"
#include "examples/memfs/data.h"

/* Cookies of "." and ".." come before those of entries. */
enum { COOKIE_DOT = 1, COOKIE_DOTDOT = 2, FIRST_COOKIE = 16 };

struct inode;

/* A directory's entry: one name of an inode. Cookies grow and are never reused, so that a listing
 * can resume after any of them. */
struct entry {
	struct entry *next; /* hash chain of the tree */
	struct inode *dir, *inode;
	uint64_t cookie;
	uint32_t hash;
	uint16_t n_units;
	WCHAR name[];
};

/* What a FileContext points to: an inode's unnamed data, or a named stream of it. */
struct stream {
	struct inode *inode;
	struct stream *next; /* named streams of the inode */
	struct data data;
	uint64_t reserved; /* allocation asked for, bytes */
	_Atomic uint32_t opens; /* contexts handed out; the last close frees what is unlinked */
	bool unlinked;
	uint16_t n_units;
	WCHAR name[]; /* "" for the unnamed stream */
};

struct inode {
	pthread_rwlock_t lock;
	uint64_t index;
	uint32_t nlink;      /* names; for a directory 2 + subdirectories, 0 once removed */
	_Atomic uint32_t refs; /* names + opens + streams open */
	uint32_t attributes, reparse_tag;
	uint64_t creation_time, last_access_time, last_write_time, change_time;
	void *sd;
	size_t sd_size;
	void *reparse;
	size_t reparse_size;
	void *ea; /* a packed FILE_FULL_EA_INFORMATION list */
	uint32_t ea_size, ea_packed;
	struct stream *unnamed;
	struct stream *streams;
	struct entry *self;     /* directories: their name; NULL for the root and once removed */
	struct entry **entries; /* directories: by cookie, NULL where one was removed */
	size_t n_entries, n_live, cap_entries;
};

struct tree {
	pthread_rwlock_t lock;
	bool fold_case;
	struct data_budget budget;
	uint64_t max_inodes, n_inodes;
	uint64_t next_index, next_cookie;
	struct entry **buckets;
	size_t n_buckets, n_names;
	struct inode *root;
};

/* 0 or -1 (no memory). sd is copied. */
int tree_init(struct tree *t, bool fold_case, uint64_t max_inodes, uint64_t max_bytes,
	      const void *root_sd, size_t root_sd_size);
void tree_fini(struct tree *t);

/* A path taken apart. last: final component; stream: without the colon, NULL if there is none. */
struct walk {
	struct inode *dir;   /* directory that holds (or would hold) the last component */
	struct entry *entry; /* of the last component, NULL: missing, or the root itself */
	struct inode *inode; /* what the entry names; the root for "\" */
	const WCHAR *last;
	size_t n_last;
	const WCHAR *stream;
	size_t n_stream;
};
/*
 * tree->lock held. STATUS_SUCCESS also when the last component is missing (entry and inode NULL);
 * STATUS_OBJECT_PATH_NOT_FOUND when one before it is; STATUS_REPARSE when one before it is a
 * reparse point, *ret_index (may be NULL) then being the offset of what follows it.
 */
NTSTATUS tree_walk(struct tree *t, PWSTR path, struct walk *ret_walk, UINT32 *ret_index);
struct entry *tree_find(const struct tree *t, const struct inode *dir, const WCHAR *name,
			size_t n_units);
struct stream *inode_find_stream(struct tree *t, struct inode *inode, const WCHAR *name,
				 size_t n_units);

/* The path as it was created ("\\Dir\\File:stream"); units, 0 when cap is too small. */
size_t walk_true_name(const struct tree *t, const struct walk *w, const struct stream *stream,
		      WCHAR *dst, size_t cap);
/* Is dir the same as ancestor, or below it? */
bool dir_is_inside(const struct tree *t, const struct inode *dir, const struct inode *ancestor);

/* The following need tree->lock exclusively. */
/* Without a reference: the first name or context takes one. */
NTSTATUS inode_create(struct tree *t, bool directory, struct inode **ret_inode);
void inode_release(struct tree *t, struct inode *inode);
NTSTATUS stream_create(struct tree *t, struct inode *inode, const WCHAR *name, size_t n_units,
		       struct stream **ret_stream);
/* Takes a reference; keeps nlink and the directory's times. */
NTSTATUS tree_link(struct tree *t, struct inode *dir, const WCHAR *name, size_t n_units,
		   struct inode *inode);
void tree_unlink(struct tree *t, struct entry *entry);
/* Moves a name, replacing target (may be NULL). */
NTSTATUS tree_move(struct tree *t, struct entry *entry, struct inode *to_dir, const WCHAR *name,
		   size_t n_units, struct entry *target);
NTSTATUS tree_exchange(struct tree *t, struct entry *a, struct entry *b);
void stream_unlink(struct stream *stream);

/* References that FileContexts hold. Any thread; close needs no lock held and takes them. */
void stream_open(struct stream *stream);
void stream_close(struct tree *t, struct stream *stream);

/* First live entry of dir with a cookie above after. tree->lock held (shared suffices). */
struct entry *dir_next(const struct inode *dir, uint64_t after);

uint64_t time_now(void);
size_t wide_len(const WCHAR *s);

#endif
