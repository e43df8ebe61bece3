/*
 * Passthrough: the kernel reads and writes a backing file itself (FOPEN_PASSTHROUGH).
 *
 * All opens of an inode must agree on how it is done: the kernel answers EIO to one that does not.
 * The first of overlapping opens decides; later ones follow while it lasts, with the same backing
 * id. Backing ids are made once per inode, because making one costs as much as an open.
 */
#include "transport/mount/door_priv.h"

#include "base/log.h"

static int
register_backing(struct door *d, struct door_handle *h)
{
	uint32_t access = h->access & FILE_WRITE_DATA ? FS_BACKING_READ | FS_BACKING_WRITE :
							FS_BACKING_READ;
	NTSTATUS st;
	int fd, id;

	st = fs_backing(h->fs, access, &fd);
	if (!NT_SUCCESS(st))
		return -1;
	id = fusek_backing_open(d->session, fd);
	if (id <= 0) {
		log_debug("mount", "passthrough refused err=%d", -id);
		return -1;
	}
	return id;
}

/* Joins the mode that is in force; false: this open is the first. */
static bool
join(struct door *d, struct door_node *node, int *ret_id)
{
	bool joined;

	mutex_lock(&d->handles.lock);
	joined = node->n_io > 0;
	if (joined) {
		node->n_io++;
		*ret_id = node->io_mode == DOOR_IO_PASSTHROUGH ? node->backing_id : -1;
	}
	mutex_unlock(&d->handles.lock);
	return joined;
}

/* Puts id in force, unless another open was faster; returns the id in force, -1: none. */
static int
decide(struct door *d, struct door_node *node, int id)
{
	int unused = -1;

	mutex_lock(&d->handles.lock);
	if (node->n_io++ == 0) {
		node->io_mode = id > 0 ? DOOR_IO_PASSTHROUGH : DOOR_IO_CACHED;
		node->backing_id = id;
	} else {
		unused = id;
		id = node->io_mode == DOOR_IO_PASSTHROUGH ? node->backing_id : -1;
	}
	mutex_unlock(&d->handles.lock);
	if (unused > 0)
		fusek_backing_close(d->session, unused);
	return id;
}

uint32_t
door_io_begin(struct door *d, struct door_handle *h, uint32_t open_flags, int32_t *ret_backing_id)
{
	int id = -1;

	if (!d->passthrough)
		return open_flags;
	/* Uncached I/O goes with both modes and decides nothing. */
	if (open_flags & FOPEN_DIRECT_IO)
		return open_flags;
	h->flags |= DOOR_HANDLE_IO;
	if (!join(d, h->node, &id))
		id = decide(d, h->node, register_backing(d, h));
	if (id <= 0)
		return open_flags;
	*ret_backing_id = id;
	return (open_flags & ~(uint32_t)FOPEN_KEEP_CACHE) | FOPEN_PASSTHROUGH;
}

void
door_io_end(struct door *d, struct door_handle *h)
{
	struct door_node *node = h->node;
	int id = -1;

	if (!(h->flags & DOOR_HANDLE_IO))
		return;
	mutex_lock(&d->handles.lock);
	if (--node->n_io == 0) {
		if (node->io_mode == DOOR_IO_PASSTHROUGH)
			id = node->backing_id;
		node->io_mode = DOOR_IO_UNDECIDED;
	}
	mutex_unlock(&d->handles.lock);
	if (id > 0)
		fusek_backing_close(d->session, id);
}
