/*
 * What the files of the volume engine share: volume, names, nodes, handles.
 *
 * Objects
 *  - fs_entry: one per distinct open name (under the volume's case rule), in the table by name.
 *    It exists before the program is asked, so that opens and deletions of one name meet on it.
 *    Deletion is an entry's state: of a file with two names, one can be pending deletion.
 *  - fs_node: one per file: share counts, UserContext, caches, operation lock. Where names are
 *    identity an entry and its node are born together; on volumes with hard links
 *    (FS_KIND_LINK) entries of one IndexNumber share their node. Streams have nodes of their own,
 *    which point to the main file's.
 *  - fs_handle: one per open; belongs to an entry, and so to a node, for all its life.
 *
 * Locks, in order; an earlier one is never taken while a later one is held
 *  1. fs_volume.rename      fs_rename_lock: shared: create, query by name, cleanup, disposition,
 *                           reparse, link without replace, notification bracket; exclusive:
 *                           rename, link with replace. Held while the program works. It may be
 *                           released by another thread than took it (notification). Its own
 *                           fs_rename_lock.lock is a leaf.
 *  2. fs_node.op_lock       exclusive: write, set, overwrite, cleanup, flush, link; shared: read,
 *                           query, enumerate. Held while the program works. One thread holds those
 *                           of two nodes only for a copy between them: in address order. No other
 *                           node's is waited for under it.
 *  3. fs_volume.table_lock  entries, nodes and their links, share and handle counts, entry names,
 *                           delete states. Never held while the program or a watcher works.
 *                           cond `settled` waits on it: opens for a deletion of their name and
 *                           for an overwriting of their file, deletions for opens of their name
 *                           (all with 1 held shared), destruction for the last handle to go.
 *  4. fs_node.cache_lock, fs_handle.scan_lock, fs_volume.cache_lock, fs_volume.notify_lock,
 *     fs_volume.watch_lock: leaves; nothing is taken under them.
 * Watchers are called with none of these held.
 */
#ifndef USERDRIVE_FS_VOLUME_PRIV_H
#define USERDRIVE_FS_VOLUME_PRIV_H

#include <stdatomic.h>
#include "base/list.h"
#include "base/mutex.h"
#include "base/text/names.h"
#include "fs/message_priv.h"
#include "fs/volume.h"
#include "nt/file.h"

enum {
	FS_SECURITY_CACHE_MAX = 4096,
	FS_EA_CACHE_MAX = 16384,
	FS_STREAM_CACHE_MAX = 16384,
	FS_DIRECTORY_SLICE = 65536, /* also the limit of a cached directory list */
	FS_WATCHERS_MAX = 32
};

/* Immutable bytes with a count: a list that a cache and several scans look at. */
struct fs_blob {
	_Atomic unsigned refs; /* release on drop pairs with acquire before free */
	uint32_t size;
	bool complete; /* directory slices: nothing follows */
	bool filtered; /* directory slices: by a pattern that went to the program */
	_Alignas(8) uint8_t bytes[];
};
struct fs_blob *fs_blob_create(const void *bytes, uint32_t size);
struct fs_blob *fs_blob_ref(struct fs_blob *blob); /* NULL is allowed */
void fs_blob_unref(struct fs_blob *blob);          /* NULL is allowed */
/* The bytes on the heap, for a caller; NULL when there are none. */
NODISCARD NTSTATUS fs_blob_copy(const struct fs_blob *blob, void **ret_bytes, uint32_t *ret_size);

/* One cached answer; ruled by the cache_lock of its owner. */
struct fs_cached {
	struct fs_blob *blob;
	uint64_t until_ns;
	uint32_t changes; /* counts drops: an answer asked for before a drop is not stored after */
};

/* Opens that take part in sharing, and what they share (winfsp-fsctl §7.6). */
struct fs_share {
	unsigned opens, readers, writers, deleters;
	unsigned shared_read, shared_write, shared_delete;
};

struct fs_entry {
	struct fs_entry *next; /* bucket */
	uint32_t hash;
	unsigned refs;      /* handles not closed, opens under way */
	unsigned n_opening; /* opens that the program works on */
	unsigned n_handles; /* not cleaned up */
	bool in_table;
	bool delete_pending;
	bool posix_deleted;
	bool deleting; /* the program is carrying the deletion out */
	struct fs_node *node; /* NULL until an open has succeeded */
	struct list node_link;
	size_t n_units;
	uint16_t *name; /* owned */
};

struct fs_node {
	struct fs_volume *volume;
	/* table lock */
	unsigned refs; /* entries; stream nodes of a main file */
	struct fs_node *next_by_index;
	uint64_t index;
	bool indexed;
	struct fs_node *main; /* of a stream; counted */
	struct list streams;  /* stream nodes of a main file */
	struct list stream_link;
	struct list entries;
	unsigned n_handles; /* not cleaned up */
	unsigned n_open;    /* handles not closed: user_context is good while there is one */
	unsigned n_overwriting;
	struct fs_share share;
	unsigned main_deny_delete;   /* opens of this main file granted DELETE */
	unsigned stream_deny_delete; /* streams' opens with data access that do not share DELETE */
	/* constant */
	uint64_t user_context;
	bool is_directory;
	/* op_lock */
	_Atomic bool truncate_on_close; /* read by cleanup of other handles */
	_Atomic bool has_backing; /* the kernel may change sizes and times unseen */

	struct rwlock op_lock;
	struct mutex cache_lock;
	/* cache_lock */
	struct fs_file_info info;
	uint64_t info_until_ns; /* 0: none */
	uint32_t info_changes;
	struct fs_cached security, ea, stream_list, directory;
};

struct fs_scan {
	struct fs_blob *slice;
	uint32_t at; /* offset of the entry after the last one taken */
	/* fs_query_directory */
	bool busy; /* a call works on a copy */
	bool started, all, ended;
	bool found_any;
	uint16_t *pattern, *folded; /* one allocation */
	size_t n_pattern;
	uint16_t marker[NAME_MAX_UNITS];
	size_t n_marker;
	uint64_t marker_offset;
};

struct fs_handle {
	struct fs_volume *volume;
	struct fs_entry *entry;
	struct fs_node *node;   /* entry->node */
	struct fs_handle *main; /* hidden handle of a stream's main file */
	struct token *token;    /* counted; may be NULL */
	const void *door_tag;
	uint64_t user_context2;
	uint32_t granted_access, share_access, options;
	bool posix, kernel_mode;
	bool is_stream;
	bool delete_on_close;
	/* written under the node's op_lock, exclusive */
	bool posix_delete;
	NTSTATUS disposition_status; /* of the last refused plain delete */
	bool modified, set_metadata, set_security;
	atomic_bool was_read; /* by any thread, for cleanup */
	bool set_attributes, set_last_access, set_last_write, set_change;
	struct mutex scan_lock;
	struct fs_scan scan; /* scan_lock */
};

/* A read-write lock that any thread may release; writers are preferred. */
struct fs_rename_lock {
	_Atomic uint32_t state; /* holders, RENAME_WANTED, RENAME_HELD; pairs with itself */
	struct mutex lock;
	struct cond changed;
	unsigned n_waiting; /* writers */
	unsigned n_notify;  /* brackets of fs_notify_begin among the holders */
	bool stopped;
};
void fs_rename_lock_init(struct fs_rename_lock *l);
void fs_rename_lock_fini(struct fs_rename_lock *l);
void fs_rename_lock_shared(struct fs_rename_lock *l);
void fs_rename_unlock_shared(struct fs_rename_lock *l);
/* False: the volume is going and somebody still holds a bracket. */
NODISCARD bool fs_rename_lock_exclusive(struct fs_rename_lock *l);
void fs_rename_unlock_exclusive(struct fs_rename_lock *l);
NODISCARD bool fs_rename_lock_bracket(struct fs_rename_lock *l, uint32_t timeout_ms);
void fs_rename_unlock_bracket(struct fs_rename_lock *l);
void fs_rename_lock_stop(struct fs_rename_lock *l);

struct fs_notify_batch;

struct fs_volume {
	struct fs_volume_params params;
	struct fs_volume_ops ops;
	void *program;
	bool fold_case;
	bool by_index;
	uint32_t max_component;
	uint32_t allocation_unit;
	_Atomic uint64_t hint;
	_Atomic bool stopped;

	struct fs_rename_lock rename;

	struct mutex table_lock;
	struct cond settled;
	struct fs_entry **entries;
	struct fs_node **by_index_table;
	size_t n_buckets, n_entries; /* both tables have n_buckets */
	size_t n_handles;            /* not closed */

	struct mutex cache_lock;
	struct fs_volume_info volume_info;
	uint64_t volume_info_until_ns;
	uint32_t volume_info_changes;

	struct mutex watch_lock;
	struct cond watch_idle;
	struct fs_watcher *watchers;
	_Atomic unsigned n_watchers; /* a hint that spares the lock */
	unsigned watch_epoch, watch_calls[2];

	struct mutex notify_lock;
	struct cond notify_work;
	struct fs_notify_batch *notify_first, **notify_last;
	pthread_t notify_thread;
	bool notify_running, notify_stop;
};

/* ------------------------------------------------------------------ name.c */

struct fs_name_parts {
	size_t n_units;        /* normalised length */
	size_t stream_at;      /* index of the ':', 0: none */
	bool data_type;        /* "::$DATA" or ":s:$DATA" was given */
	bool trailing_backslash;
};
/* Checks and normalises an absolute name in place (winfsp-fsctl §6.1, 8-11). */
NODISCARD NTSTATUS fs_name_normalise(const struct fs_volume *volume, uint16_t *name,
				     size_t n_units, struct fs_name_parts *ret_parts);
/* One component without stream part, as rename and link take it. */
bool fs_name_component_valid(const struct fs_volume *volume, const uint16_t *name,
			     size_t n_units);
/* Units of the parent's name: "\a\b" gives 2, "\a" gives 1 (the root). */
size_t fs_name_parent(const uint16_t *name, size_t n_units);
/* 0 equal, 1 name lies below prefix, 2 name is a stream of prefix, -1 neither. */
int fs_name_relation(const struct fs_volume *volume, const uint16_t *name, size_t n_units,
		     const uint16_t *prefix, size_t n_prefix);
enum { FS_HIDDEN_UNITS = 26 };
bool fs_name_is_hidden(const uint16_t *name, size_t n_units);
/* A name that listings leave out, most probably a new one. */
void fs_name_make_hidden(uint16_t dst[FS_HIDDEN_UNITS], struct fs_volume *volume);

/* ------------------------------------------------------------------ table.c */

NODISCARD NTSTATUS fs_table_init(struct fs_volume *volume);
void fs_table_fini(struct fs_volume *volume);
uint32_t fs_table_hash(const struct fs_volume *volume, const uint16_t *name, size_t n_units);
struct fs_entry *fs_entry_find(struct fs_volume *volume, const uint16_t *name, size_t n_units,
			       uint32_t hash) REQUIRES(&volume->table_lock);
/* Finds or makes the entry and counts an open under way; waits for a deletion of that name. */
struct fs_entry *fs_entry_open(struct fs_volume *volume, const uint16_t *name, size_t n_units,
			       uint32_t hash);
/* The open has failed. */
void fs_entry_abandon(struct fs_volume *volume, struct fs_entry *entry);
struct fs_entry *fs_entry_create(struct fs_volume *volume, const uint16_t *name, size_t n_units,
				 uint32_t hash) REQUIRES(&volume->table_lock);
void fs_entry_detach(struct fs_volume *volume, struct fs_entry *entry)
	REQUIRES(&volume->table_lock);
void fs_entry_insert(struct fs_volume *volume, struct fs_entry *entry)
	REQUIRES(&volume->table_lock);
void fs_entry_unref(struct fs_volume *volume, struct fs_entry *entry)
	REQUIRES(&volume->table_lock);
struct fs_node *fs_node_by_index(struct fs_volume *volume, uint64_t index)
	REQUIRES(&volume->table_lock);
struct fs_node *fs_node_create(struct fs_volume *volume, struct fs_node *main, uint64_t index)
	REQUIRES(&volume->table_lock);
/* Gives an entry its node. */
void fs_entry_set_node(struct fs_entry *entry, struct fs_node *node);
/* A node without handles: its names let it go. The program may forget user_context with the Close
 * that the caller sends next, and opens under way bring their own. */
void fs_node_retire(struct fs_volume *volume, struct fs_node *node)
	REQUIRES(&volume->table_lock);
/* A handle goes, and its node when it was the last one. */
void fs_node_release(struct fs_volume *volume, struct fs_handle *handle)
	REQUIRES(&volume->table_lock);
/* Drops the names of a deleted file's streams from the table. */
void fs_node_detach_streams(struct fs_volume *volume, struct fs_node *node)
	REQUIRES(&volume->table_lock);

/* ------------------------------------------------------------------ cache.c */

uint64_t fs_cache_until(uint32_t timeout_ms);
bool fs_cache_get_info(struct fs_node *node, struct fs_file_info *ret_info,
		       uint32_t *ret_changes);
/* Stores an answer; changes: from fs_cache_get_info, so that a newer one is not overwritten. */
void fs_cache_fill_info(struct fs_node *node, const struct fs_file_info *info, uint32_t changes);
/* The result of a change: always replaces. */
void fs_cache_replace_info(struct fs_node *node, const struct fs_file_info *info);
void fs_cache_drop_info(struct fs_node *node);
struct fs_blob *fs_cache_get(struct fs_node *node, struct fs_cached *cached,
			     uint32_t *ret_changes);
/* Does not take blob; sizes above limit are not kept. */
void fs_cache_fill(struct fs_node *node, struct fs_cached *cached, struct fs_blob *blob,
		   uint32_t timeout_ms, uint32_t limit, uint32_t changes);
void fs_cache_drop(struct fs_node *node, struct fs_cached *cached);
void fs_cache_fini(struct fs_node *node);
/* A name came or went: its parent's list and the volume's sizes are no longer true. */
void fs_cache_parent_changed(struct fs_volume *volume, const uint16_t *name, size_t n_units);
void fs_cache_volume_changed(struct fs_volume *volume);

/* ------------------------------------------------------------------ share.c */

struct fs_share_request {
	uint32_t access, share;
	uint32_t disposition;
	struct fs_node *main; /* streams: the main file's */
	bool main_pending;    /* streams: the main file is pending deletion */
};
NODISCARD NTSTATUS fs_share_check(const struct fs_entry *entry,
				  const struct fs_share_request *request);
void fs_share_add(struct fs_handle *handle);
void fs_share_remove(struct fs_handle *handle);

/* ------------------------------------------------------------------ create.c, close.c, … */

struct fs_context fs_handle_context(const struct fs_handle *handle);
uint64_t fs_round_allocation(const struct fs_volume *volume, uint64_t size);
/* The request's value for a token: a handle, open until fs_token_value_close. */
uint64_t fs_token_value(struct token *token);
void fs_token_value_close(uint64_t value);
/* fs_create by a caller that holds the rename lock. */
NODISCARD NTSTATUS fs_create_locked(struct fs_volume *volume,
				    const struct fs_open_params *params,
				    struct fs_open_result *ret_result,
				    struct fs_handle **ret_handle);
void fs_send_close(struct fs_volume *volume, struct fs_context ctx);
void fs_send_cleanup(struct fs_volume *volume, struct fs_context ctx, uint32_t flags,
		     const uint16_t *name, size_t n_units);
/* rename_held: the caller holds the rename lock. */
void fs_cleanup_held(struct fs_handle *handle, bool rename_held);
NODISCARD NTSTATUS fs_overwrite(struct fs_handle *handle, const struct fs_open_params *params,
				bool supersede, struct fs_file_info *info);
NODISCARD NTSTATUS fs_require(const struct fs_handle *handle, uint32_t any_of);
/* The handle whose contexts speak for the file itself: a stream's main file's. */
struct fs_handle *fs_handle_main(struct fs_handle *handle);
NODISCARD NTSTATUS fs_set_disposition_held(struct fs_handle *handle, uint32_t flags, bool ex,
					   bool rename_held);
NODISCARD NTSTATUS fs_query_by_name_held(struct fs_volume *volume,
					 const struct fs_open_params *params,
					 struct fs_open_result *ret_result);
void fs_scan_fini(struct fs_scan *scan);

/* ------------------------------------------------------------------ notify.c */

/* Tells watchers; no lock may be held. */
void fs_report(struct fs_volume *volume, uint32_t action, uint32_t filter, const uint16_t *name,
	       size_t n_units, const void *origin);
/* The same for a change of an open file, under its current name, mapped for streams. */
void fs_report_handle(struct fs_handle *handle, uint32_t action, uint32_t filter);
bool fs_is_watched(struct fs_volume *volume);
void fs_notify_shutdown(struct fs_volume *volume);

#endif
