/*
 * Passthrough: the kernel reads and writes a backing file itself (FOPEN_PASSTHROUGH).
 *
 * All opens of an inode must agree on how it is done: the kernel answers EIO to one that does not.
 * The first of overlapping opens decides; later ones follow while it lasts, with the same backing
 * id. It lasts until we have seen the last RELEASE, which may be later than the kernel's last
 * close. Backing ids are made once per inode, because making one costs as much as an open.
 *
 * FOPEN_DIRECT_IO goes with both modes: alone where the inode has no backing file, and where it has
 * one together with FOPEN_PASSTHROUGH and the backing id, which it overrides for this open. So
 * requests of a single open come here although others go to the backing file.
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

/* Joins the mode that is in force; false: this open is the first, or only_backing and there is no
 * backing file. */
static bool
join(struct door *d, struct door_node *node, bool only_backing, int *ret_id)
{
	bool joined;

	mutex_lock(&d->handles.lock);
	joined = node->n_io > 0 &&
		 (!only_backing || node->io_mode == DOOR_IO_PASSTHROUGH);
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

/*
 * Set-id bits that came while the file was open elsewhere: a write must take them away, which the
 * backing file's own file system does not do to us. The program gives no backing file where the
 * bits are there first.
 */
static bool
must_see_writes(struct door *d, struct door_handle *h)
{
	return (h->access & FILE_WRITE_DATA) &&
	       (door_node_shown(&d->nodes, h->node).mode & (S_ISUID | S_ISGID)) != 0;
}

uint32_t
door_io_begin(struct door *d, struct door_handle *h, uint32_t open_flags, int32_t *ret_backing_id)
{
	bool uncached = open_flags & FOPEN_DIRECT_IO;
	int id = -1;

	if (!d->passthrough)
		return open_flags;
	if (!join(d, h->node, uncached, &id)) {
		if (uncached)
			return open_flags; /* decides nothing */
		id = decide(d, h->node, register_backing(d, h));
	}
	h->flags |= DOOR_HANDLE_IO;
	if (id <= 0)
		return open_flags;
	*ret_backing_id = id;
	open_flags &= ~(uint32_t)FOPEN_KEEP_CACHE;
	if (must_see_writes(d, h))
		open_flags |= FOPEN_DIRECT_IO;
	return open_flags | FOPEN_PASSTHROUGH;
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
