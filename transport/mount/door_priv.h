/*
 * The mount door: a volume of fs/ behind fuse/.
 *
 * A request comes in on a session thread (door.c: dispatch), its node ids and handle numbers
 * become nodes, handles and a path, and one or a few calls of the engine answer it. Operations
 * return the size of the reply they built in req->out, or -errno; dispatch sends it.
 *
 * Locks, outermost first
 *  - door.renaming: one rename at a time.
 *  - door.tree (rwlock): names that the door knows against names that the volume has. Held shared
 *    from the building of a path until the engine has used it, and while a handle ends; exclusively
 *    by rename, whose engine call and table change must be one step. So whoever has the tree for
 *    itself seldom waits for the engine's own rename lock, and a rename that has to wait does so
 *    here, patiently: it lets others pass (rwlock_lock_patiently).
 *  - door_handle.dir_lock: one listing of an open directory; held while the engine enumerates.
 *  - door_nodes.lock, door_handles.lock, door_notify.lock: short, never nested, never held while
 *    the engine or the kernel is called.
 *  - The engine's locks follow.
 * No lock is held while a reply or a notification is sent.
 *
 * Who checks permissions (ruling 2)
 *  - Opens, creations, deletions and renames are made in the caller's name: the engine checks.
 *  - What POSIX demands beyond that is checked here (door_check_parent, setattr.c, xattr.c).
 *  - Only then, and for what POSIX grants to every caller (stat, readlink), the engine is called
 *    with FS_OPEN_KERNEL_MODE.
 *
 * NFS export: node ids do not outlive the mount, and "." and ".." cannot be looked up by id.
 * EXPORT_SUPPORT is not negotiated; NO_EXPORT_SUPPORT is, where known, so that an attempt to export
 * fails at once instead of going stale later.
 */
#ifndef USERDRIVE_TRANSPORT_MOUNT_DOOR_PRIV_H
#define USERDRIVE_TRANSPORT_MOUNT_DOOR_PRIV_H

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "fs/door.h"
#include "fuse/session.h"
#include "nt/file.h"
#include "transport/mount/attr.h"
#include "transport/mount/handles.h"
#include "transport/mount/nodes.h"
#include "transport/mount/options.h"
#include "transport/mount/special.h"

struct door_change; /* notify.c */
struct door_notify {
	struct mutex lock;
	struct cond changed;
	struct door_change *first, **last; /* queue */
	size_t n;
	bool overflowed, stopping, running;
	pthread_t thread;
};

struct door_timeouts {
	uint64_t attr_ns, entry_ns, negative_ns;
};

struct door {
	struct fs_volume *volume;
	struct fs_volume_params params;
	struct door_options options;
	struct door_attr_rules rules;
	struct door_timeouts timeouts;
	char *where;
	bool has_acls, has_eas, has_reparse, checks_names; /* see door_check_parent */
	bool keep_cache, keep_dirs;
	struct fusek_session *session;
	bool mounted, started;
	atomic_bool stopping; /* leave was called: ended() is normal */
	bool stopped;
	int record_id; /* of the mount record, -1: none */
	uint64_t want;        /* INIT flags */
	/* Written by INIT before any other request is served. */
	bool writeback, passthrough, kills_set_id;
	struct mutex renaming;
	struct rwlock tree;
	struct door_nodes nodes;
	struct door_handles handles;
	struct door_notify notify;
	struct fs_watcher watcher;
	void (*ended)(void *ctx, bool normally);
	void *ended_ctx;
};

/* ---------------------------------------------------------------- operations */

typedef int door_op(struct door *d, struct fusek_req *req);
door_op door_lookup, door_getattr, door_statx, door_setattr, door_readlink, door_symlink,
	door_mknod, door_mkdir, door_unlink, door_rmdir, door_rename, door_rename2, door_link,
	door_open, door_read, door_write, door_statfs, door_release, door_fsync, door_setxattr,
	door_getxattr, door_listxattr, door_removexattr, door_opendir, door_readdir,
	door_readdirplus, door_fsyncdir, door_access, door_create, door_fallocate, door_lseek,
	door_copy_range, door_copy_range_64, door_syncfs, door_tmpfile, door_ioctl;

/* ---------------------------------------------------------------- engine calls (engine.c) */

enum {
	/* A caller that handles a signal waits no longer for a callback that does not return. */
	DOOR_INTERRUPT_MS = 1000,
	DOOR_SHARE_ALL = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
	DOOR_READ_STATE = FILE_READ_ATTRIBUTES | FILE_READ_EA | READ_CONTROL
};

/* The one place where a status becomes an errno: positive. */
int door_errno(NTSTATUS st);

/* CLEANUP helpers for handles, results and locks. */
void door_close_handle(struct fs_handle **handle); /* cleanup and close; NULL is allowed */
void door_result_fini(struct fs_open_result *result);
void door_token_fini(struct token **token);
void door_tree_leave(struct rwlock **tree);
void door_tree_leave_exclusive(struct door **d);
struct rwlock *door_tree_enter(struct door *d);
struct door *door_tree_enter_exclusive(struct door *d);
#define DOOR_TREE_SHARED(d)                                                              \
	CLEANUP(door_tree_leave) __attribute__((unused)) struct rwlock *tree_ = door_tree_enter(d)
#define DOOR_TREE_EXCLUSIVE(d)                                                           \
	CLEANUP(door_tree_leave_exclusive)                                               \
	__attribute__((unused)) struct door *tree_ = door_tree_enter_exclusive(d)

NODISCARD int door_token(struct fusek_req *req, struct token **ret_token);
/* params with what every open of this door has in common. token NULL: kernel mode. */
struct fs_open_params door_open_params(struct door *d, const struct door_path *path,
				       uint32_t access, struct token *token);
/* fs_create whose STATUS_REPARSE (something on the way became a link) is an error like others.
 * 0 or -errno. */
NODISCARD int door_engine_open(struct door *d, const struct fs_open_params *params,
			       struct fs_open_result *ret_result, struct fs_handle **ret_handle);
/* Opens what is there, in kernel mode, the link itself rather than its target. */
NODISCARD int door_open_kernel(struct door *d, const struct door_path *path, uint32_t access,
			       struct fs_handle **ret_handle);

/* A name of a request in NT form. */
struct door_component {
	size_t n;
	uint16_t units[NAME_MAX];
};
NODISCARD int door_component_parse(struct door *d, const char *name,
				   struct door_component *ret_component);

/* A handle for an operation on a node: the node's own (its keeper, or an open one with these
 * rights) or one opened by name in kernel mode. */
struct door_access {
	struct door *d;
	struct fs_handle *fs;
	struct fs_handle *opened;    /* ours to close */
	struct door_keeper *keeper;  /* counted, and so is the next */
	struct door_handle *borrowed;
};
/* hint: the request's handle, or NULL. Tree lock held shared. */
NODISCARD int door_access_begin(struct door *d, struct door_node *node, struct door_handle *hint,
				uint32_t access, struct door_access *ret_access);
void door_access_end(struct door_access *access); /* for CLEANUP too */

/* ---------------------------------------------------------------- state of a file (state.c) */

struct door_state {
	struct fs_file_info info;
	void *sd; /* heap, or NULL */
	uint32_t sd_size;
	struct door_extras extras;
};
void door_state_fini(struct door_state *state);
/* By name; node: where extras are remembered, or NULL. */
NODISCARD int door_state_by_path(struct door *d, const struct door_path *path,
				 struct door_node *node, struct door_state *ret_state);
NODISCARD int door_state_by_handle(struct door *d, struct fs_handle *fs, struct door_node *node,
				   struct door_state *ret_state);
/* By name or, without one, by any handle. Tree lock held. */
NODISCARD int door_state_of(struct door *d, struct door_node *node, struct door_handle *hint,
			    struct door_state *ret_state);
/* Completes what an open told (takes its data). */
NODISCARD int door_state_from_open(struct door *d, struct fs_open_result *result,
				   const struct door_path *path, struct door_state *ret_state);
void door_state_attr(struct door *d, const struct door_state *state, struct door_node *node,
		     struct fuse_attr *ret_attr);
/* Enters (parent, name) and fills the reply; the lookup is counted. ret_node (may be NULL) is
 * counted for the caller. */
NODISCARD int door_entry_enter(struct door *d, struct door_node *parent,
			       const struct door_component *name, struct door_state *state,
			       struct fuse_entry_out *ret_entry, struct door_node **ret_node);
void door_entry_fill(struct door *d, struct door_node *node, const struct fuse_attr *attr,
		     struct fuse_entry_out *ret_entry);
/* The same after a look-up that another request may have overtaken (-EAGAIN: it has); known: the
 * name's node before the engine was asked, or NULL. */
NODISCARD int door_entry_enter_known(struct door *d, struct door_node *parent,
				     const struct door_component *name, struct door_node *known,
				     struct door_state *state, struct fuse_entry_out *ret_entry,
				     struct door_node **ret_node);
/* Copies a fixed reply into req->out. */
int door_reply_put(struct fusek_req *req, const void *reply, size_t size);

/* ---------------------------------------------------------------- permissions */

/*
 * POSIX asks for write and search permission on the directory of a name that is created, removed or
 * moved; NT would sometimes be content with less (DELETE on the file itself). Without
 * default_permissions nobody else asks. 0 or -EACCES. Tree lock held.
 */
NODISCARD int door_check_parent(struct door *d, struct fusek_req *req, struct door_node *parent,
				uint32_t access);
/* access_check for a caller, root's rights applied as POSIX has them. 0 or -EACCES. */
NODISCARD int door_check_state(struct door *d, struct fusek_req *req,
			       const struct door_state *state, uint32_t access);
bool door_in_group(struct fusek_req *req, uint32_t gid);

/* ---------------------------------------------------------------- shared between files */

/* remove.c: makes sure that a node that loses its last name stays usable through its handles. */
void door_keep_node(struct door *d, struct door_node *node, const struct door_path *path,
		    bool replaced);
/* setattr.c: clears set-id bits as a write or truncation by a non-owner must. Tree lock held. */
void door_kill_suidgid(struct door *d, struct door_node *node, struct door_handle *hint);
/* The same without the tree lock: it is taken only if there are any. */
void door_kill_suidgid_unlocked(struct door *d, struct door_node *node, struct door_handle *hint);
/* setattr.c: $LXMOD through an open handle. */
NODISCARD int door_set_lxmod(struct door *d, struct door_node *node, struct fs_handle *fs,
			     uint32_t mode);
/* create.c: a name for something unlinked but open; listings leave it out. */
NODISCARD int door_hidden_name(struct door_component *ret_name);
/* create.c, of files made by O_TMPFILE: node's last handle has ended; it has been given a name (its
 * path before that: hidden); their names in directory go, which stand in the way of its removal
 * (false: there were none). Tree lock held by the last two. */
void door_temporary_closed(struct door *d, struct door_node *node, struct fs_handle *keeper);
void door_temporary_linked(struct door *d, struct door_node *node, const struct door_path *hidden);
bool door_temporaries_clear(struct door *d, struct door_node *directory);

/* open.c: makes fs the handle of node; fills the reply. Takes fs also on failure. */
NODISCARD int door_open_finish(struct door *d, struct door_node *node, struct fs_handle *fs,
			       uint32_t access, bool uncached, struct fuse_open_out *ret_open);
/* The kernel has no use for the handle any more. */
void door_end_handle(struct door *d, uint64_t fh);
/* Rights for open(2) flags. */
uint32_t door_open_access(uint32_t flags);
/* door_engine_open with what the page cache needs on top (ruling 9). */
NODISCARD int door_open_cached(struct door *d, struct fs_open_params *params, bool *ret_uncached,
			       struct fs_open_result *ret_result, struct fs_handle **ret_fs);
/* O_TRUNC is a set-size, not an NT overwrite, which would drop EAs and streams (ruling 6). */
NODISCARD int door_truncate(struct fs_handle *fs, uint64_t size);

/* passthrough.c: decides how the kernel does I/O on this handle; FOPEN_* bits. */
uint32_t door_io_begin(struct door *d, struct door_handle *h, uint32_t open_flags,
		       int32_t *ret_backing_id);
void door_io_end(struct door *d, struct door_handle *h);

/* notify.c */
NODISCARD int door_notify_start(struct door *d);
void door_notify_stop(struct door *d);

#endif
