/* The image: found or made, locked, measured. */
#include "examples/rawdisk/rawdisk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"
#include "base/text/size.h"

enum { BLOCK_LENGTH_DEFAULT = 512, BLOCK_LENGTH_MIN = 16, BLOCK_LENGTH_MAX = 1 << 20 };
enum { N_BLOCKS_DEFAULT = 1048576 }; /* WinSpd's */

struct opening {
	struct rd *rd;
	const struct rd_params *p;
	struct storage_status status;
	bool has_identity;
	char *error;
	size_t cap;
};

static int fail(const struct opening *o, int err, const char *fmt, ...) PRINTF_LIKE(3, 4);

static int
fail(const struct opening *o, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(o->error, o->cap, fmt, ap);
	va_end(ap);
	return -err;
}

static bool
makes_image(const struct rd_params *p)
{
	return p->size || p->n_blocks || p->default_size;
}

/* Absolute and without links: the program goes to / later, and the files beside the image are to
 * be beside the image itself. */
static int
resolve(struct opening *o)
{
	char *whole = realpath(o->p->image, NULL);

	if (!whole && errno == ENOENT && makes_image(o->p)) {
		int fd = o->p->write_protected
				 ? -EROFS
				 : o->p->ops->open(o->p->image, O_RDWR | O_CREAT | O_EXCL, 0600);
		if (fd < 0)
			return fail(o, -fd, "%s: cannot be made: %s", o->p->image, strerror(-fd));
		o->p->ops->close(fd);
		o->rd->was_created = true;
		whole = realpath(o->p->image, NULL);
	}
	if (!whole && errno == ENOENT)
		return fail(o, ENOENT, "%s: there is no such image; --size=SIZE makes one",
			    o->p->image);
	if (!whole)
		return fail(o, errno, "%s: %s", o->p->image, strerror(errno));
	int n = snprintf(o->rd->path, sizeof(o->rd->path), "%s", whole);
	free(whole);
	return (size_t)n < sizeof(o->rd->path) ? 0
					       : fail(o, ENAMETOOLONG, "%s: the path is too long",
						      o->p->image);
}

static bool
is_forbidden(int err)
{
	return err == -EACCES || err == -EROFS || err == -EPERM;
}

static int
open_image(struct opening *o)
{
	/* O_EXCL on a block device: refused while it is mounted or otherwise in use. */
	int flags = (o->p->direct ? O_DIRECT : 0) | O_NONBLOCK;
	int err = -EACCES;

	if (!o->p->write_protected)
		err = storage_open(&o->rd->image, o->p->ops, o->rd->path, O_RDWR | flags);
	o->rd->write_protected = err != 0;
	if (is_forbidden(err)) {
		err = storage_open(&o->rd->image, o->p->ops, o->rd->path, O_RDONLY | flags);
		if (err == 0 && !o->p->write_protected)
			log_warn("rawdisk", "%s: may not be written, so the disk is "
					    "write-protected", o->rd->path);
	}
	if (err == -EINVAL && o->p->direct)
		return fail(o, EINVAL, "%s: its file system has no direct I/O; leave --direct out",
			    o->rd->path);
	return err ? fail(o, -err, "%s: cannot be opened: %s", o->rd->path, strerror(-err)) : 0;
}

/* A device that is mounted has no lock that we could see; the kernel knows. */
static int
claim_device(struct opening *o)
{
	struct storage claim;
	int flags = (o->rd->write_protected ? O_RDONLY : O_RDWR) | O_EXCL | O_NONBLOCK |
		    (o->p->direct ? O_DIRECT : 0);
	int err = storage_open(&claim, o->p->ops, o->rd->path, flags);

	if (err == -EBUSY)
		return fail(o, EBUSY, "%s: the device is in use (mounted, or part of another)",
			    o->rd->path);
	if (err)
		return fail(o, -err, "%s: %s", o->rd->path, strerror(-err));
	/* The descriptor that claims it is the one to keep. */
	storage_close(&o->rd->image);
	o->rd->image = claim;
	return 0;
}

static int
lock_image(struct opening *o)
{
	struct rd *rd = o->rd;
	pid_t holder = 0;
	int err = rd->image.ops->lock(rd->image.fd, !rd->write_protected, &holder);

	/* Whoever was quicker has it now, even if we made it. */
	if (err)
		rd->was_created = false;
	if (err == -EAGAIN && holder > 0)
		return fail(o, EBUSY, "%s: the image is in use by process %ld; 'userdrive list' "
				      "shows disks", rd->path, (long)holder);
	if (err == -EAGAIN)
		return fail(o, EBUSY, "%s: the image is in use by another program", rd->path);
	/* A file system without locks cannot keep two servers apart, and says so. */
	if (err)
		log_warn("rawdisk", "%s: cannot be locked: %s", rd->path, strerror(-err));
	return 0;
}

static int
measure(struct opening *o)
{
	int err = o->rd->image.ops->status(o->rd->image.fd, &o->status);

	if (err)
		return fail(o, -err, "%s: %s", o->rd->path, strerror(-err));
	if (!o->status.is_file && !o->status.is_device)
		return fail(o, EINVAL, "%s: neither a file nor a block device", o->rd->path);
	o->rd->is_device = o->status.is_device;
	return 0;
}

static int
check_direct(struct opening *o)
{
	const struct storage_status *s = &o->status;

	o->rd->memory_align = 1;
	if (!o->p->direct)
		return 0;
	if (!s->direct_align)
		return fail(o, EINVAL, "%s: there is no direct I/O here; leave --direct out",
			    o->rd->path);
	if (o->rd->block_length % s->direct_align)
		return fail(o, EINVAL, "%s: direct I/O needs blocks of %u bytes here: use "
				       "--block-length=%u, or leave --direct out",
			    o->rd->path, s->direct_align, s->direct_align);
	o->rd->memory_align = MAX(s->direct_memory_align, 1u);
	return 0;
}

static int
choose_block_length(struct opening *o)
{
	struct rd *rd = o->rd;
	int err = rd_identity_load(rd, &rd->identity);

	if (err == -EINVAL)
		return fail(o, EINVAL, "%s: what it keeps as its identity is damaged; remove its "
				       "attribute user.userdrive.disk or the file %s.userdrive",
			    rd->path, rd->path);
	/* To go on would be to make a new one, and the disk another. */
	if (err && err != -ENOENT)
		return fail(o, -err, "%s: its identity cannot be read: %s", rd->path,
			    strerror(-err));
	o->has_identity = err == 0;
	rd->block_length = o->p->block_length	   ? o->p->block_length
			   : rd->identity.block_length ? rd->identity.block_length
						   : BLOCK_LENGTH_DEFAULT;
	if (rd->block_length < BLOCK_LENGTH_MIN || rd->block_length > BLOCK_LENGTH_MAX)
		return fail(o, EINVAL, "a block has %d to %d bytes, not %u", BLOCK_LENGTH_MIN,
			    BLOCK_LENGTH_MAX, rd->block_length);
	return check_direct(o);
}

/* What the command line asks for, in bytes; 0: nothing. */
static int
wanted_size(struct opening *o, uint64_t *ret)
{
	uint64_t size = o->p->size, by_count = 0;

	if (mul_overflows(o->p->n_blocks, (uint64_t)o->rd->block_length, &by_count) ||
	    by_count > INT64_MAX)
		return fail(o, EFBIG, "%llu blocks of %u bytes are more than a file can have",
			    (unsigned long long)o->p->n_blocks, o->rd->block_length);
	if (size && by_count && size != by_count)
		return fail(o, EINVAL, "--size and the number of blocks contradict each other");
	size = size ? size : by_count;
	if (size % o->rd->block_length)
		return fail(o, EINVAL, "%llu bytes are not a multiple of the block length, %u",
			    (unsigned long long)size, o->rd->block_length);
	*ret = size;
	return 0;
}

/* The identity that the disk is to have; saved when it is new. */
static int
settle_identity(struct opening *o)
{
	struct rd *rd = o->rd;
	uint32_t kept_length = o->has_identity ? rd->identity.block_length : 0;
	bool is_new = !o->has_identity;

	if (o->p->guid && strcmp(o->p->guid, "new") == 0) {
		rd_guid_make(rd->identity.guid);
		is_new = true;
	} else if (o->p->guid) {
		if (rd_guid_parse(o->p->guid, rd->identity.guid) < 0)
			return fail(o, EINVAL, "'%s' is no GUID", o->p->guid);
		is_new = true;
	} else if (is_new && (rd->write_protected || rd->is_device)) {
		rd_identity_derive(o->p->image, &o->status, &rd->identity);
	} else if (is_new) {
		rd_guid_make(rd->identity.guid);
	}
	if (rd->write_protected || rd->is_device || (!is_new && kept_length == rd->block_length))
		return 0;
	int err = rd_identity_save(rd);
	if (err) {
		log_warn("rawdisk", "%s: its identity cannot be kept with it: %s", rd->path,
			 strerror(-err));
		if (!o->p->guid && !o->has_identity)
			rd_identity_derive(o->p->image, &o->status, &rd->identity);
	}
	return 0;
}

static int
fill_new_image(struct opening *o, uint64_t size)
{
	struct rd *rd = o->rd;
	char text[32];

	if (rd->write_protected)
		return fail(o, EROFS, "%s: is empty, and cannot be filled without writing",
			    rd->path);
	if (!size && !o->p->default_size)
		return fail(o, EINVAL, "%s: is empty; --size=SIZE says how large the disk is to be",
			    rd->path);
	if (!size)
		size = (uint64_t)N_BLOCKS_DEFAULT * rd->block_length;
	atomic_store(&rd->n_blocks, size / rd->block_length);
	int err = rd->image.ops->ftruncate(rd->image.fd, size);
	if (err)
		return fail(o, -err, "%s: cannot have %s: %s", rd->path,
			    size_format(size, text, sizeof(text)), strerror(-err));
	err = rd_partition_write(rd, o->p->partition);
	if (err == 0)
		err = rd->image.ops->fdatasync(rd->image.fd);
	/* Else a crash could take the image away, with all that was flushed to it. */
	if (err == 0)
		err = storage_sync_folder(rd->path);
	if (err == -ERANGE)
		return fail(o, ERANGE, "%s: that partition table does not fit a disk of %s in "
				       "blocks of %u bytes", rd->path,
			    size_format(size, text, sizeof(text)), rd->block_length);
	return err ? fail(o, -err, "%s: its partition table cannot be written: %s", rd->path,
			  strerror(-err))
		   : 0;
}

static int
settle_size(struct opening *o)
{
	struct rd *rd = o->rd;
	uint64_t wanted = 0, has = o->status.size;
	int err = wanted_size(o, &wanted);

	if (err)
		return err;
	if (has == 0 && o->status.is_file)
		return fill_new_image(o, wanted);
	/* A device may be larger than what is asked for, an image is exactly as large. */
	if (wanted && (rd->is_device ? wanted > has : wanted != has))
		return fail(o, EINVAL, "%s: has %llu bytes, not %llu; 'userdrive resize' changes "
				       "that", rd->path, (unsigned long long)has,
			    (unsigned long long)wanted);
	if (rd->is_device && !wanted)
		wanted = has - has % rd->block_length;
	if (!wanted)
		wanted = has;
	if (wanted % rd->block_length || !wanted)
		return fail(o, EINVAL, "%s: its %llu bytes are not a multiple of the block length, "
				       "%u", rd->path, (unsigned long long)has, rd->block_length);
	atomic_store(&rd->n_blocks, wanted / rd->block_length);
	return 0;
}

int
rd_image_open(struct rd *rd, const struct rd_params *p, char *error, size_t cap)
{
	struct opening o = {.rd = rd, .p = p, .error = error, .cap = cap};
	static int (*const steps[])(struct opening *o) = {
		resolve, open_image, measure, lock_image, choose_block_length, settle_size,
		settle_identity};
	int err = 0;

	rd->image = (struct storage)STORAGE_CLOSED;
	for (size_t i = 0; i < ARRAY_SIZE(steps) && err == 0; i++) {
		err = steps[i](&o);
		if (err == 0 && steps[i] == measure && o.status.is_device)
			err = claim_device(&o);
	}
	if (err)
		rd_image_close(rd, true);
	return err;
}

void
rd_image_close(struct rd *rd, bool failed)
{
	if (failed && rd->was_created) {
		char path[sizeof(rd->path) + 16];

		rd_sidecar_path(rd, ".userdrive", path, sizeof(path));
		unlink(path);
		unlink(rd->path);
	}
	storage_close(&rd->image);
}

int
rd_image_resize(struct rd *rd, uint64_t n_blocks)
{
	uint64_t size;
	struct storage_status status;
	int err;

	if (rd->write_protected)
		return -EROFS;
	if (!n_blocks || mul_overflows(n_blocks, (uint64_t)rd->block_length, &size) ||
	    size > INT64_MAX)
		return -EFBIG;
	if (rd->is_device) {
		/* What is below it changes its size; we can only use more or less of it. */
		err = rd->image.ops->status(rd->image.fd, &status);
		if (err == 0 && size > status.size)
			err = -ENOSPC;
	} else {
		err = rd->image.ops->ftruncate(rd->image.fd, size);
	}
	if (err == 0)
		err = rd->image.ops->fdatasync(rd->image.fd);
	if (err == 0)
		atomic_store(&rd->n_blocks, n_blocks);
	return err;
}
