/* Operations on open files: descriptors, data, sizes, holes, mappings. */
#include "tests/model/model.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MAX_LENGTH = 1 << 17 };

static unsigned char io_buf[MAX_LENGTH];

static size_t
length_of(int64_t arg)
{
	return (size_t)MIN(MAX(arg, 0), MAX_LENGTH);
}

static void
slot_fill(struct side *s, int64_t slot, int fd)
{
	if (fd < 0)
		return;
	side_close_slot(s, (int)slot);
	s->fds[slot] = fd;
}

/* Devices are created and renamed here, never opened: they belong to the machine. */
static bool
is_device(const struct path *p)
{
	struct stat st;

	return fstatat(p->base, p->rel, &st, 0) == 0 &&
	       (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode));
}

/* how: flags, or 0 where they are an argument. */
static void
run_open(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	int flags = how ? how : (int)a[2];
	mode_t mode = (mode_t)a[how ? 2 : 3];
	struct path p;
	int fd;

	path_decode(s, a[1], &p);
	if (is_device(&p)) {
		buf_printf(&o->facts, " device, not opened");
		return;
	}
	errno = 0;
	/* O_NONBLOCK: opening a FIFO must not wait for the other end. */
	fd = openat(p.base, p.rel, flags | O_NONBLOCK | O_CLOEXEC, mode);
	slot_fill(s, a[0], fd);
	outcome_set(o, fd < 0 ? -1 : 0);
}

static void
run_close(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	outcome_set(o, close(s->fds[a[0]]));
	s->fds[a[0]] = -1;
}

static void
run_dup(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	int fd = fcntl(s->fds[a[0]], F_DUPFD_CLOEXEC, 3);

	slot_fill(s, a[1], fd);
	outcome_set(o, fd < 0 ? -1 : 0);
}

static void
outcome_data(struct outcome *o, int64_t n_bytes)
{
	outcome_set(o, n_bytes);
	/* What read(2) says of a directory: tmpfs EINVAL, all others EISDIR. */
	o->err = o->err == EISDIR ? EINVAL : o->err;
	if (n_bytes > 0)
		buf_printf(&o->facts, " data=%016llx",
			   (unsigned long long)hash_bytes(io_buf, (size_t)n_bytes, 0));
}

static void
run_read(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	outcome_data(o, read(s->fds[a[0]], io_buf, length_of(a[1])));
}

static void
run_pread(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	outcome_data(o, pread(s->fds[a[0]], io_buf, length_of(a[2]), a[1]));
}

static void
run_write(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	data_fill(io_buf, length_of(a[1]), (uint64_t)a[2], 0);
	outcome_set(o, write(s->fds[a[0]], io_buf, length_of(a[1])));
}

static void
run_pwrite(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	data_fill(io_buf, length_of(a[2]), (uint64_t)a[3], 0);
	outcome_set(o, pwrite(s->fds[a[0]], io_buf, length_of(a[2]), a[1]));
}

static bool
is_regular(int fd, struct stat *ret_st)
{
	return fstat(fd, ret_st) == 0 && S_ISREG(ret_st->st_mode);
}

/* Positions in directories are cookies of each file system's own. */
static void
run_lseek(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	struct stat st;

	if (fstat(s->fds[a[0]], &st) == 0 && S_ISDIR(st.st_mode)) {
		buf_printf(&o->facts, " directory, not moved");
		return;
	}
	errno = 0;
	outcome_set(o, lseek(s->fds[a[0]], a[2], (int)a[1] % 3));
}

/* true: [from, to) reads as zeros, or cannot be read through this descriptor. */
static bool
range_is_zero(int fd, int64_t from, int64_t to)
{
	while (from < to) {
		ssize_t n = pread(fd, io_buf, length_of(to - from), from);

		if (n <= 0)
			return n < 0;
		if (zero_check(io_buf, (size_t)n) >= 0)
			return false;
		from += n;
	}
	return true;
}

/*
 * Where holes are is the file system's affair, so only rules are checked: ENXIO at and
 * after the end, results in range, and zeros in what SEEK_DATA skips.
 */
static void
run_seek_sparse(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	int fd = s->fds[a[0]];
	struct stat st;
	int64_t at, end;

	if (!is_regular(fd, &st)) {
		buf_printf(&o->facts, " not a regular file");
		return;
	}
	at = lseek(fd, a[1], how);
	if (a[1] < 0 || a[1] >= st.st_size) {
		outcome_set(o, at);
	} else if (how == SEEK_HOLE) {
		buf_printf(&o->facts, " %s",
			   at >= a[1] && at <= st.st_size ? "valid" : "invalid");
	} else {
		end = at < 0 && errno == ENXIO ? st.st_size : at;
		buf_printf(&o->facts, " %s",
			   end >= a[1] && end <= st.st_size &&
					   range_is_zero(fd, a[1], end)
				   ? "valid"
				   : "invalid");
	}
	lseek(fd, 0, SEEK_SET);
}

static void
run_ftruncate(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	outcome_set(o, ftruncate(s->fds[a[0]], a[1]));
	if (o->ret == 0)
		touch_fd(s->fds[a[0]]);
}

static void
run_truncate(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	struct path p;
	int fd;

	path_decode(s, a[0], &p);
	outcome_set(o, truncate(p.full, a[1]));
	/* The same size sets mtime on some file systems only. */
	fd = o->ret == 0 ? open(p.full, O_WRONLY | O_NONBLOCK | O_CLOEXEC) : -1;
	if (fd >= 0) {
		touch_fd(fd);
		close(fd);
	}
}

static void
run_fallocate(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	outcome_set(o, fallocate(s->fds[a[0]], how, a[1], a[2]));
	if (o->ret == 0)
		touch_fd(s->fds[a[0]]);
}

static void
run_fsync(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	outcome_set(o, how ? fdatasync(s->fds[a[0]]) : fsync(s->fds[a[0]]));
}

/* A short count is allowed by the call's contract: what counts is the sum. */
static void
run_copy(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	loff_t in = a[1], out = a[3];
	size_t left = length_of(a[4]);
	int64_t sum = 0;
	ssize_t n;

	do {
		n = copy_file_range(s->fds[a[0]], &in, s->fds[a[2]], &out, left, 0);
		sum += n > 0 ? n : 0;
		left -= n > 0 ? (size_t)n : 0;
	} while (n > 0 && left > 0);
	outcome_set(o, n < 0 && sum == 0 ? -1 : sum);
	if (n >= 0)
		touch_fd(s->fds[a[2]]);
}

void
map_drop(struct map *m)
{
	if (m->base != NULL)
		munmap(m->base, m->len);
	if (m->dirty)
		fsync(m->fd);
	if (m->fd >= 0)
		close(m->fd);
	*m = (struct map){.fd = -1};
}

/* Room beyond the end, so that the mapping outlives later growth. */
static void
run_mmap(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	struct map *m = &s->maps[a[1]];
	int fd = s->fds[a[0]];
	struct stat st;
	void *base;

	map_drop(m);
	m->len = (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? (size_t)st.st_size : 0) +
		 MAX_LENGTH;
	m->writable = a[2] & 1;
	base = mmap(NULL, m->len, PROT_READ | (m->writable ? PROT_WRITE : 0), MAP_SHARED,
		    fd, 0);
	outcome_set(o, base == MAP_FAILED ? -1 : 0);
	if (base != MAP_FAILED) {
		m->base = base;
		m->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	}
}

static sigjmp_buf bus_jump;

static void
bus_caught(int sig)
{
	siglongjmp(bus_jump, sig);
}

/* Copies to or from a mapping; EFAULT when the page could not be had. */
static int
map_copy(void *dst, const void *src, size_t n_bytes)
{
	struct sigaction act = {.sa_handler = bus_caught}, old;
	int err = 0;

	sigaction(SIGBUS, &act, &old);
	if (sigsetjmp(bus_jump, 1) == 0)
		memcpy(dst, src, n_bytes);
	else
		err = EFAULT;
	sigaction(SIGBUS, &old, NULL);
	return err;
}

/* The part of the range that the file has now: touching more would be SIGBUS by contract.
 */
static size_t
map_range(const struct map *m, int64_t from, int64_t len)
{
	struct stat st;
	int64_t end;

	if (m->base == NULL || fstat(m->fd, &st) < 0 || from < 0)
		return 0;
	end = MIN(st.st_size, (int64_t)m->len);
	return from >= end ? 0 : MIN(length_of(len), (size_t)(end - from));
}

static void
run_mapread(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	struct map *m = &s->maps[a[0]];
	size_t n = map_range(m, a[1], a[2]);

	errno = n > 0 ? map_copy(io_buf, m->base + a[1], n) : 0;
	outcome_data(o, errno ? -1 : (int64_t)n);
}

static void
run_mapwrite(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	struct map *m = &s->maps[a[0]];
	size_t n = m->writable ? map_range(m, a[1], a[2]) : 0;

	data_fill(io_buf, n, (uint64_t)a[3], 0);
	errno = n > 0 ? map_copy(m->base + a[1], io_buf, n) : 0;
	outcome_set(o, errno ? -1 : (int64_t)n);
	if (n > 0) {
		m->dirty = true;
		touch_fd(m->fd);
	}
}

static void
run_msync(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	struct map *m = &s->maps[a[0]];

	if (m->base != NULL)
		outcome_set(o, msync(m->base, m->len, a[1] & 1 ? MS_ASYNC : MS_SYNC));
}

/* The descriptor stays, so that dirty pages can still be settled. */
static void
run_munmap(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	struct map *m = &s->maps[a[0]];

	if (m->base != NULL)
		outcome_set(o, munmap(m->base, m->len));
	m->base = NULL;
}

const struct call_def data_calls[] = {
	{"open", "soFM", {60, 50, 60}, 0, run_open},
	{"opendir", "sd", {2, 10, 6}, 0, run_open, O_RDONLY | O_DIRECTORY},
	{"tmpfile", "sdM", {3, 3, 3}, 0, run_open, O_RDWR | O_TMPFILE},
	{"close", "H", {15, 20, 16}, 0, run_close},
	{"dup", "Hs", {5, 3, 5}, 0, run_dup},
	{"read", "SL", {50, 6, 30}, 0, run_read},
	{"pread", "SOL", {50, 6, 30}, 0, run_pread},
	{"write", "SLD", {60, 12, 30}, 0, run_write},
	{"pwrite", "SOLD", {60, 6, 30}, 0, run_pwrite},
	{"lseek", "SwO", {25, 3, 10}, 0, run_lseek},
	{"seek-hole", "SO", {8, 1, 5}, 'h', run_seek_sparse, SEEK_HOLE},
	{"seek-data", "SO", {8, 1, 5}, 'h', run_seek_sparse, SEEK_DATA},
	{"ftruncate", "SO", {25, 3, 12}, 0, run_ftruncate},
	{"truncate", "oO", {15, 3, 10}, 0, run_truncate},
	{"fallocate", "SOL", {10, 1, 5}, 0, run_fallocate, 0},
	{"fallocate-keep", "SOL", {6, 1, 3}, 0, run_fallocate, FALLOC_FL_KEEP_SIZE},
	{"punch",
	 "SOL",
	 {12, 1, 5},
	 'h',
	 run_fallocate,
	 FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE},
	{"zero-range", "SOL", {8, 1, 3}, 'h', run_fallocate, FALLOC_FL_ZERO_RANGE},
	{"zero-range-keep",
	 "SOL",
	 {6, 1, 3},
	 'h',
	 run_fallocate,
	 FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE},
	{"fsync", "H", {3, 1, 2}, 0, run_fsync},
	{"fdatasync", "S", {3, 1, 2}, 0, run_fsync, 1},
	{"copy", "SOSOL", {15, 1, 6}, 0, run_copy},
	{"mmap", "Smb", {15, 2, 6}, 0, run_mmap},
	{"mapread", "mOL", {20, 2, 8}, 0, run_mapread},
	{"mapwrite", "mOLD", {20, 2, 8}, 0, run_mapwrite},
	{"msync", "mb", {6, 1, 3}, 0, run_msync},
	{"munmap", "m", {5, 1, 3}, 0, run_munmap},
};
const size_t n_data_calls = ARRAY_SIZE(data_calls);
