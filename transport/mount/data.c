/* Data of open files: read, write, sync, space, holes, copies. */
#include "transport/mount/door_priv.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <unistd.h>

/* The request's handle, counted, or NULL. */
static struct door_handle *
file_handle(struct door *d, uint64_t fh)
{
	struct door_handle *h = door_handle_get(&d->handles, fh);

	if (h && (h->flags & DOOR_HANDLE_DIRECTORY)) {
		door_handle_put(&d->handles, h);
		h = NULL;
	}
	return h;
}

int
door_read(struct door *d, struct fusek_req *req)
{
	const struct fuse_read_in *in = req->arg;
	struct door_handle *h = file_handle(d, in->fh);
	uint32_t done = 0;
	NTSTATUS st;

	if (!h)
		return -EBADF;
	st = fs_read(h->fs, req->out, in->offset, MIN(in->size, req->out_cap), &done);
	door_handle_put(&d->handles, h);
	if (st == STATUS_END_OF_FILE)
		return 0;
	return NT_SUCCESS(st) ? (int)done : -door_errno(st);
}

/* Delayed writes of the page cache name any handle that can write; ours may have lost the right. */
static struct door_handle *
write_handle(struct door *d, struct fusek_req *req, uint64_t fh)
{
	struct door_handle *h = file_handle(d, fh);
	struct door_node *node;

	if (h && (h->access & FILE_WRITE_DATA))
		return h;
	door_handle_put(&d->handles, h);
	node = door_node_get(&d->nodes, req->nodeid);
	h = node ? door_handle_any(&d->handles, node, FILE_WRITE_DATA) : NULL;
	door_node_put(&d->nodes, node);
	return h;
}

int
door_write(struct door *d, struct fusek_req *req)
{
	const struct fuse_write_in *in = req->arg;
	bool cached = in->write_flags & FUSE_WRITE_CACHE;
	struct door_handle *h = cached ? write_handle(d, req, in->fh) : file_handle(d, in->fh);
	struct fuse_write_out out = {0};
	uint64_t offset = in->offset;
	struct fs_file_info info;
	NTSTATUS st;

	if (!h)
		return -EBADF;
	if (in->write_flags & FUSE_WRITE_KILL_SUIDGID)
		door_kill_suidgid_unlocked(d, h->node, h);
	/* The end of the file is the engine's to know: others may append too. With the writeback
	 * cache the kernel is the only one who knows (ruling 9). */
	if ((in->flags & O_APPEND) && !cached && !d->writeback)
		offset = FS_OFFSET_APPEND;
	st = fs_write(h->fs, req->data, offset, MIN(in->size, req->data_size),
		      cached && !d->writeback, &out.size, &info);
	/* Pages beyond an end of file that moved: nothing to write, and no failure. */
	if (NT_SUCCESS(st) && cached)
		out.size = in->size;
	door_handle_put(&d->handles, h);
	return NT_SUCCESS(st) ? door_reply_put(req, &out, sizeof(out)) : -door_errno(st);
}

/* A program without the operation has nothing to write back. */
static int
flush_errno(NTSTATUS st)
{
	if (NT_SUCCESS(st) || st == STATUS_INVALID_DEVICE_REQUEST || st == STATUS_NOT_SUPPORTED)
		return 0;
	return -door_errno(st);
}

int
door_fsync(struct door *d, struct fusek_req *req)
{
	const struct fuse_fsync_in *in = req->arg;
	struct door_handle *h = file_handle(d, in->fh);
	int err = h ? flush_errno(fs_flush(d->volume, h->fs)) : -EBADF;

	door_handle_put(&d->handles, h);
	return err;
}

/* Names have no flush of their own in the contract: the volume is flushed. */
int
door_fsyncdir(struct door *d, struct fusek_req *req)
{
	return flush_errno(fs_flush(d->volume, NULL));
}

int
door_syncfs(struct door *d, struct fusek_req *req)
{
	return flush_errno(fs_flush(d->volume, NULL));
}

/* fallocate(2) modes -> the contract's. */
static int
allocate_mode(uint32_t mode, enum fs_allocate_mode *ret_mode)
{
	switch (mode) {
	case 0:
		*ret_mode = FS_ALLOCATE_RESERVE;
		return 0;
	case FALLOC_FL_KEEP_SIZE:
		*ret_mode = FS_ALLOCATE_KEEP_SIZE;
		return 0;
	case FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE:
		*ret_mode = FS_ALLOCATE_PUNCH;
		return 0;
	case FALLOC_FL_ZERO_RANGE:
		*ret_mode = FS_ALLOCATE_ZERO;
		return 0;
	case FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE:
		*ret_mode = FS_ALLOCATE_ZERO_KEEP;
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

/*
 * posix_fallocate without the optional operation: setting the allocation size reserves, which is
 * the same thing for a range that reaches beyond the end. Holes before it cannot be filled so.
 */
static NTSTATUS
reserve_plainly(struct fs_handle *fs, uint64_t end)
{
	struct fs_file_info info;
	NTSTATUS st = fs_query_info(fs, &info);

	if (!NT_SUCCESS(st))
		return st;
	if (info.allocation_size < info.file_size)
		return STATUS_NOT_SUPPORTED;
	if (info.allocation_size < end)
		st = fs_set_allocation(fs, end, &info);
	if (NT_SUCCESS(st) && info.file_size < end)
		st = fs_set_end_of_file(fs, end, &info);
	return st;
}

int
door_fallocate(struct door *d, struct fusek_req *req)
{
	const struct fuse_fallocate_in *in = req->arg;
	struct door_handle *h = file_handle(d, in->fh);
	enum fs_allocate_mode mode;
	struct fs_file_info info;
	NTSTATUS st;
	int err = h ? allocate_mode(in->mode, &mode) : -EBADF;

	if (err) {
		door_handle_put(&d->handles, h);
		return err;
	}
	if (fs_volume_has_kind(&d->params, FS_KIND_ALLOCATE))
		st = fs_allocate(h->fs, mode, in->offset, in->length, &info);
	else if (mode == FS_ALLOCATE_RESERVE)
		st = reserve_plainly(h->fs, in->offset + in->length);
	else
		st = STATUS_NOT_SUPPORTED;
	if (NT_SUCCESS(st) && req->uid != 0)
		door_kill_suidgid_unlocked(d, h->node, h);
	door_handle_put(&d->handles, h);
	return NT_SUCCESS(st) ? 0 : -door_errno(st);
}

enum { LSEEK_RANGES = 64 };

/* The start of data at or after offset, or the end of the data that offset lies in. */
static int
seek_ranges(struct fs_handle *fs, uint64_t offset, uint64_t size, bool hole, uint64_t *ret_offset)
{
	struct fs_range ranges[LSEEK_RANGES];
	uint64_t at = offset;
	unsigned n = 0;

	do {
		NTSTATUS st = fs_query_ranges(fs, at, size - at, ranges, LSEEK_RANGES, &n);

		if (!NT_SUCCESS(st))
			return -door_errno(st);
		if (!hole) {
			if (n == 0)
				return -ENXIO;
			*ret_offset = MAX(offset, ranges[0].offset);
			return 0;
		}
		for (unsigned i = 0; i < n; i++) {
			if (ranges[i].offset > at)
				goto found;
			at = MAX(at, ranges[i].offset + ranges[i].length);
		}
	} while (n == LSEEK_RANGES && at < size);
found:
	*ret_offset = MIN(at, size);
	return 0;
}

/*
 * The kernel does not write its cache back before it asks for holes, so that data written through
 * a mapping would seem to be one. While somebody may write, the answer is the one that is always
 * right: one run of data.
 */
static bool
may_have_unsent_data(struct door *d, struct door_node *node)
{
	struct door_handle *writer;

	if (d->options.direct_io)
		return false;
	writer = door_handle_any(&d->handles, node, FILE_WRITE_DATA);
	door_handle_put(&d->handles, writer);
	return writer != NULL;
}

int
door_lseek(struct door *d, struct fusek_req *req)
{
	const struct fuse_lseek_in *in = req->arg;
	struct door_handle *h;
	struct fs_file_info info;
	struct fuse_lseek_out out;
	NTSTATUS st;
	int err = 0;

	/* The kernel then takes a file for one run of data, and does not ask again. With the
	 * writeback cache it must: not even the size is ours to know. */
	if (d->writeback || !fs_volume_has_kind(&d->params, FS_KIND_QUERY_RANGES))
		return -ENOSYS;
	if (in->whence != SEEK_DATA && in->whence != SEEK_HOLE)
		return -EINVAL;
	h = file_handle(d, in->fh);
	if (!h)
		return -EBADF;
	st = fs_query_info(h->fs, &info);
	if (!NT_SUCCESS(st))
		err = -door_errno(st);
	else if (in->offset >= info.file_size)
		err = -ENXIO;
	else if (may_have_unsent_data(d, h->node))
		out.offset = in->whence == SEEK_HOLE ? info.file_size : in->offset;
	else
		err = seek_ranges(h->fs, in->offset, info.file_size, in->whence == SEEK_HOLE,
				  &out.offset);
	door_handle_put(&d->handles, h);
	return err ? err : door_reply_put(req, &out, sizeof(out));
}

static int
copy_range(struct door *d, struct fusek_req *req, uint64_t *ret_done)
{
	const struct fuse_copy_file_range_in *in = req->arg;
	struct door_handle *from, *to;
	NTSTATUS st;

	/* ENOSYS: the kernel copies by itself from now on. */
	if (!fs_volume_has_kind(&d->params, FS_KIND_COPY_RANGE))
		return -ENOSYS;
	if (in->flags != 0)
		return -EINVAL;
	from = file_handle(d, in->fh_in);
	to = file_handle(d, in->fh_out);
	*ret_done = 0;
	st = from && to ? fs_copy_range(from->fs, in->off_in, to->fs, in->off_out, in->len,
					ret_done) :
			  STATUS_INVALID_HANDLE;
	if (NT_SUCCESS(st) && req->uid != 0)
		door_kill_suidgid_unlocked(d, to->node, to);
	door_handle_put(&d->handles, from);
	door_handle_put(&d->handles, to);
	if (st == STATUS_END_OF_FILE)
		return 0;
	return NT_SUCCESS(st) ? 0 : -door_errno(st);
}

int
door_copy_range(struct door *d, struct fusek_req *req)
{
	struct fuse_write_out out = {0};
	uint64_t done;
	int err = copy_range(d, req, &done);

	out.size = err ? 0 : (uint32_t)MIN(done, UINT32_MAX);
	return err ? err : door_reply_put(req, &out, sizeof(out));
}

int
door_copy_range_64(struct door *d, struct fusek_req *req)
{
	struct fuse_copy_file_range_out out = {0};
	int err = copy_range(d, req, &out.bytes_copied);

	return err ? err : door_reply_put(req, &out, sizeof(out));
}
