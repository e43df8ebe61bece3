/*
 * The node table of the high-level API: which path stands behind a node id. A node is a name in a
 * parent; two hard links are two nodes, for the table sees names only. Ids come from a counter and
 * are never pointers, so that another process could hold them.
 *
 * Life: a node lives while the kernel knows it (n_lookups), while it has children, or while an
 * operation pins it (both n_refs); with `remember`, also for a while after the kernel forgot it.
 * A removed or hidden name stays a node until the kernel forgets it; a removed one has no name.
 *
 * Threads: everything here is ruled by nodes.lock; a function whose name ends in _locked wants the
 * caller to hold it, the others take it. No callback runs under it.
 */
#ifndef USERDRIVE_API_FUSE_NODES_H
#define USERDRIVE_API_FUSE_NODES_H

#include <sys/stat.h>
#include <time.h>

#include "base/hash.h"
#include "base/list.h"
#include "base/mutex.h"

#define NODE_ROOT_ID 1
/* What listings show for an unknown inode number; no node has this id. */
#define NODE_UNKNOWN_ID 0xffffffffu

struct hl_lock;

struct node {
	struct hash_node by_id, by_name;
	uint64_t id, generation;
	struct node *parent; /* holds a reference; NULL with the root and removed names */
	char *name;          /* NULL with the root and removed names */
	uint64_t n_lookups;  /* what the kernel will forget */
	uint32_t n_refs;     /* children and pins */
	/* tree locks, see paths.h */
	uint32_t n_readers, n_waiting_writers;
	bool written;
	bool hidden; /* renamed away by an unlink; goes with the last release */
	uint32_t n_opens;
	/* auto_cache: what was last seen of the file, and whether the kernel may keep its pages */
	bool cache_valid;
	struct timespec mtime;
	off_t size;
	uint64_t seen_ns;
	struct hl_lock *locks; /* POSIX locks that were granted, see hl_lock.h */
	struct list idle;      /* in nodes.idle while the kernel has forgotten it */
	uint64_t idle_since_ns;
};

struct nodes {
	struct mutex lock;
	struct hash_table by_id, by_name;
	uint64_t last_id, generation;
	int remember_s;     /* 0: nodes go when forgotten, -1: never, else seconds */
	struct list idle;   /* forgotten nodes, oldest first; only with remember_s > 0 */
	struct list queue;  /* struct path_lock: operations that wait for names, oldest first */
	struct cond moved;  /* a tree lock was released */
};

/* 0 or -ENOMEM. remember_s is set before the first use. */
NODISCARD int nodes_init(struct nodes *t);
/* Frees all nodes. No operation may be under way. */
void nodes_fini(struct nodes *t);

/* NULL when there is no such node. */
struct node *nodes_get_locked(struct nodes *t, uint64_t id) REQUIRES(&t->lock);
struct node *nodes_child_locked(struct nodes *t, uint64_t parent, const char *name)
	REQUIRES(&t->lock);

/*
 * Counts a lookup of name in parent, making the node if needed. Without a name: of parent itself.
 * -ENOMEM, or -ESTALE without that parent.
 */
NODISCARD int nodes_lookup_locked(struct nodes *t, uint64_t parent, const char *name,
				  struct node **ret_node) REQUIRES(&t->lock);
void nodes_forget(struct nodes *t, uint64_t id, uint64_t n_lookups) EXCLUDES(&t->lock);

void node_pin_locked(struct node *n);
/* May free the node, and parents with it. */
void node_unpin_locked(struct nodes *t, struct node *n) REQUIRES(&t->lock);

/* The name is gone from the file system; nothing happens when no node has it. */
void nodes_remove(struct nodes *t, uint64_t parent, const char *name) EXCLUDES(&t->lock);
/* The name moved, over another one if there was one. -ENOMEM: the old name is then removed. */
NODISCARD int nodes_rename(struct nodes *t, uint64_t from, const char *from_name, uint64_t to,
			   const char *to_name) EXCLUDES(&t->lock);
NODISCARD int nodes_exchange(struct nodes *t, uint64_t from, const char *from_name, uint64_t to,
			     const char *to_name) EXCLUDES(&t->lock);

/* Inode number to show for a name in a listing: its id, or NODE_UNKNOWN_ID. */
uint64_t nodes_shown_ino(struct nodes *t, uint64_t parent, const char *name)
	EXCLUDES(&t->lock);
/* The id of a path of names known here; 0 when one is not. */
uint64_t nodes_resolve(struct nodes *t, const char *path) EXCLUDES(&t->lock);

/* Frees what was forgotten longer than remember_s ago; returns seconds until the next call. */
int nodes_clean(struct nodes *t) EXCLUDES(&t->lock);

/* Remembers size and mtime of the file; the pages are stale when they changed. */
void node_seen_locked(struct node *n, const struct stat *st);

#endif
