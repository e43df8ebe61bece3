/*
 * Open handles: what OPEN hands out and RELEASE takes back. A handle is counted, because a request
 * whose deadline passed may still be at work in the engine when the kernel releases its handle.
 *
 * Lock: the table's, taken inside; also rules the open state of nodes (see nodes.h).
 */
#ifndef USERDRIVE_TRANSPORT_MOUNT_HANDLES_H
#define USERDRIVE_TRANSPORT_MOUNT_HANDLES_H

#include "transport/mount/dirlist.h"
#include "transport/mount/nodes.h"

enum {
	DOOR_HANDLE_DIRECTORY = 1 << 0,
	DOOR_HANDLE_IO = 1 << 1 /* counts in the node's n_io */
};

/*
 * An engine handle of the door's own, for a node without a name (see door_keep_node). Counted: by
 * the node, by handles that were opened through it, by requests at work.
 */
struct door_keeper {
	struct fs_handle *fs;
	uint32_t n_refs;
};

struct door_handle {
	uint64_t fh;
	uint32_t n_refs;
	uint32_t flags;
	uint32_t access;      /* rights granted */
	/* Owned, unless it is the keeper's; NULL: a directory that was removed before. */
	struct fs_handle *fs;
	struct door_keeper *keeper; /* counted, or NULL; set by who adds the handle */
	struct door_node *node; /* counted */
	struct list of_node;
	/* Directories: the listing, one reader at a time. The only lock of the door that is held
	 * while the engine works; it waits for the same program that the engine waits for. */
	struct mutex dir_lock;
	struct door_dirlist dir;
};

struct door_handles {
	struct mutex lock;
	struct door_slots slots;
	/* The handle's last reference is gone: ends h->fs and drops h->node. No lock held. */
	void (*end)(void *ctx, struct door_handle *h);
	/* Nobody needs a keeper's handle any more. No lock held. */
	void (*end_keeper)(void *ctx, struct fs_handle *fs);
	/* The last handle of a node that has a keeper has ended. May be NULL. No lock held. */
	void (*closed)(void *ctx, struct door_node *node, struct fs_handle *keeper);
	void *ctx;
};

void door_handles_init(struct door_handles *t, void (*end)(void *ctx, struct door_handle *h),
		       void (*end_keeper)(void *ctx, struct fs_handle *fs), void *ctx);
/* Ends every handle that is left. */
void door_handles_fini(struct door_handles *t);

/* Takes fs, and node's count, when it succeeds. The result is counted for the caller and for
 * the table. */
NODISCARD int door_handle_add(struct door_handles *t, struct door_node *node,
			      struct fs_handle *fs, uint32_t access, uint32_t flags,
			      struct door_handle **ret_handle);
/* Counted; NULL: stale or invented. */
struct door_handle *door_handle_get(struct door_handles *t, uint64_t fh);
/* Some handle of node that has all these rights, counted, or NULL. */
struct door_handle *door_handle_any(struct door_handles *t, struct door_node *node,
				    uint32_t access);
void door_handle_put(struct door_handles *t, struct door_handle *h); /* NULL is allowed */
/* The kernel's RELEASE. */
void door_handle_remove(struct door_handles *t, uint64_t fh);
bool door_node_is_open(struct door_handles *t, struct door_node *node);
/* Makes fs the node's keeper; false: it has one, or, unless handles are not needed, no handle, or
 * there is no memory (the caller keeps fs). One that needs no handles stays as long as the node. */
bool door_node_set_keeper(struct door_handles *t, struct door_node *node, struct fs_handle *fs,
			  bool needs_handles);
/* It was not needed after all: the keeper ends with the node's handles, or now. */
void door_node_release_keeper(struct door_handles *t, struct door_node *node);
/* The node's keeper, counted, or NULL. */
struct door_keeper *door_node_keeper(struct door_handles *t, struct door_node *node);
void door_keeper_put(struct door_handles *t, struct door_keeper *keeper); /* NULL is allowed */
size_t door_handles_count(struct door_handles *t);

#endif
