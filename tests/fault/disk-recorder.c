#include "tests/fault/disk-recorder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FD = 1000, XATTR_MAX = 4096 };

struct entry {
	enum { CHANGE, SIZE, SYNC } kind;
	uint64_t offset;
	size_t n;
	uint8_t *bytes; /* CHANGE; NULL: zeroes */
};

static struct {
	uint8_t *bytes;
	size_t size, limit;
	struct entry *entries;
	size_t n_entries, cap;
	enum recorder_call bad_call;
	unsigned bad_nth, n_bad;
	int bad_err;
	unsigned counts[RECORDER_FTRUNCATE + 1];
	bool lies;
	unsigned align;
	char xattr[XATTR_MAX];
	size_t n_xattr;
} r;

void
recorder_fini(void)
{
	for (size_t i = 0; i < r.n_entries; i++)
		free(r.entries[i].bytes);
	free(r.entries);
	free(r.bytes);
	memset(&r, 0, sizeof(r));
}

void
recorder_reset(size_t limit)
{
	recorder_fini();
	r.bytes = calloc(1, limit);
	r.limit = limit;
}

void
recorder_fail(enum recorder_call call, unsigned nth, unsigned n_times, int err)
{
	r.bad_call = call;
	r.bad_nth = r.counts[call] + nth;
	r.n_bad = n_times;
	r.bad_err = err;
}

void
recorder_lie(void)
{
	r.lies = true;
}

void
recorder_demand_alignment(unsigned bytes)
{
	r.align = bytes;
}

static bool
is_misaligned(const void *buffer, size_t n, uint64_t offset)
{
	return r.align && ((uintptr_t)buffer | n | offset) % r.align;
}

void
recorder_cut(size_t size)
{
	if (size < r.size)
		memset(r.bytes + size, 0, r.size - size);
	r.size = size;
}

unsigned
recorder_count(enum recorder_call call)
{
	return r.counts[call];
}

const uint8_t *
recorder_bytes(size_t *ret_size)
{
	*ret_size = r.size;
	return r.bytes;
}

size_t
recorder_n_entries(void)
{
	return r.n_entries;
}

/* True: this call is to answer *ret_err. */
static bool
is_bad(enum recorder_call call, int *ret_err)
{
	unsigned n = ++r.counts[call];

	if (call != r.bad_call || n < r.bad_nth || n - r.bad_nth >= r.n_bad)
		return false;
	*ret_err = r.bad_err;
	return true;
}

static void
note(int kind, uint64_t offset, size_t n, const void *bytes)
{
	if (r.n_entries == r.cap) {
		r.cap = r.cap ? 2 * r.cap : 64;
		r.entries = realloc(r.entries, r.cap * sizeof(*r.entries));
	}
	struct entry *e = &r.entries[r.n_entries++];
	*e = (struct entry){.kind = kind, .offset = offset, .n = n};
	if (bytes) {
		e->bytes = malloc(n);
		memcpy(e->bytes, bytes, n);
	}
}

/* ---------------------------------------------------------------- the calls */

static int
rec_open(const char *path, int flags, unsigned mode)
{
	(void)path, (void)flags, (void)mode;
	return FD;
}

static void
rec_close(int fd)
{
	(void)fd;
}

static int
rec_status(int fd, struct storage_status *ret)
{
	(void)fd;
	*ret = (struct storage_status){.size = r.size, .is_file = true, .direct_align = 512,
				       .direct_memory_align = 512};
	return 0;
}

static ssize_t
rec_pread(int fd, void *buffer, size_t n, uint64_t offset)
{
	int err = 0;
	bool bad = is_bad(RECORDER_PREAD, &err);

	(void)fd;
	if (bad && err < 0)
		return err;
	if (is_misaligned(buffer, n, offset))
		return -EINVAL;
	if (offset >= r.size)
		return 0;
	n = MIN(n, r.size - offset);
	if (bad)
		n = MIN(n, (size_t)err);
	memcpy(buffer, r.bytes + offset, n);
	return (ssize_t)n;
}

static ssize_t
rec_pwrite(int fd, const void *buffer, size_t n, uint64_t offset)
{
	int err = 0;
	bool bad = is_bad(RECORDER_PWRITE, &err);

	(void)fd;
	if (bad && err < 0)
		return err;
	if (is_misaligned(buffer, n, offset))
		return -EINVAL;
	if (bad)
		n = MIN(n, (size_t)err);
	if (offset >= r.limit)
		return -ENOSPC;
	n = MIN(n, r.limit - offset);
	memcpy(r.bytes + offset, buffer, n);
	r.size = MAX(r.size, offset + n);
	note(CHANGE, offset, n, buffer);
	return (ssize_t)n;
}

static int
rec_fdatasync(int fd)
{
	int err = 0;

	(void)fd;
	if (is_bad(RECORDER_FDATASYNC, &err))
		return err;
	if (!r.lies)
		note(SYNC, 0, 0, NULL);
	return 0;
}

/* Holes and zeroed ranges alike. */
static int
rec_fallocate(int fd, int mode, uint64_t offset, uint64_t n)
{
	int err = 0;

	(void)fd, (void)mode;
	if (is_bad(RECORDER_FALLOCATE, &err))
		return err;
	if (offset >= r.size)
		return 0;
	n = MIN(n, r.size - offset);
	memset(r.bytes + offset, 0, n);
	note(CHANGE, offset, n, NULL);
	return 0;
}

static int
rec_ftruncate(int fd, uint64_t size)
{
	int err = 0;

	(void)fd;
	if (is_bad(RECORDER_FTRUNCATE, &err))
		return err;
	if (size > r.limit)
		return -ENOSPC;
	recorder_cut(size);
	note(SIZE, 0, size, NULL);
	return 0;
}

static int64_t
rec_lseek(int fd, uint64_t offset, int whence)
{
	(void)fd, (void)offset;
	return whence == SEEK_END ? (int64_t)r.size : -EINVAL;
}

static int
rec_lock(int fd, bool writable, pid_t *ret_holder)
{
	(void)fd, (void)writable, (void)ret_holder;
	return 0;
}

static ssize_t
rec_getxattr(int fd, const char *name, void *value, size_t cap)
{
	(void)fd, (void)name;
	if (!r.n_xattr)
		return -ENODATA;
	if (cap < r.n_xattr)
		return -ERANGE;
	memcpy(value, r.xattr, r.n_xattr);
	return (ssize_t)r.n_xattr;
}

static int
rec_setxattr(int fd, const char *name, const void *value, size_t n)
{
	(void)fd, (void)name;
	if (n > sizeof(r.xattr))
		return -ENOSPC;
	memcpy(r.xattr, value, n);
	r.n_xattr = n;
	return 0;
}

const struct storage_ops recorder_ops = {
	.open = rec_open,
	.close = rec_close,
	.status = rec_status,
	.pread = rec_pread,
	.pwrite = rec_pwrite,
	.fdatasync = rec_fdatasync,
	.fallocate = rec_fallocate,
	.ftruncate = rec_ftruncate,
	.lseek = rec_lseek,
	.lock = rec_lock,
	.getxattr = rec_getxattr,
	.setxattr = rec_setxattr,
};

/* ---------------------------------------------------------------- crashes */

static void
apply(const struct entry *e, uint64_t from, size_t n, uint8_t *image, size_t size)
{
	if (e->kind != CHANGE || from >= size)
		return;
	n = MIN(n, size - from);
	if (e->bytes)
		memcpy(image + from, e->bytes + (from - e->offset), n);
	else
		memset(image + from, 0, n);
}

void
recorder_crash(size_t n_entries, size_t sector, bool (*keep)(void *ctx), void *ctx,
	       uint8_t *image, size_t size)
{
	size_t safe = n_entries;

	while (safe > 0 && r.entries[safe - 1].kind != SYNC)
		safe--;
	memset(image, 0, size);
	for (size_t i = 0; i < safe; i++)
		apply(&r.entries[i], r.entries[i].offset, r.entries[i].n, image, size);
	for (size_t i = safe; i < n_entries; i++) {
		const struct entry *e = &r.entries[i];

		for (size_t at = 0; e->kind == CHANGE && at < e->n; at += sector)
			if (keep(ctx))
				apply(e, e->offset + at, MIN(sector, e->n - at), image, size);
	}
}
