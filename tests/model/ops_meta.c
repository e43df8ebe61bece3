/* Operations on attributes: stat, modes, owners, times, extended attributes. */
#include "tests/model/model.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

static void
outcome_stat(struct outcome *o, int ret, const struct stat *st)
{
	outcome_set(o, ret);
	if (ret == 0)
		facts_stat(&o->facts, st);
	if (ret == 0 && S_ISREG(st->st_mode))
		facts_mtime(&o->facts, st);
}

static void
run_stat(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	struct path p;
	struct stat st;

	path_decode(s, a[0], &p);
	outcome_stat(o, fstatat(p.base, p.rel, &st, how), &st);
}

static void
run_fstat(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	struct stat st;

	outcome_stat(o, fstat(s->fds[a[0]], &st), &st);
}

static void
run_statx(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	struct path p;
	struct statx x;
	struct stat st;

	path_decode(s, a[0], &p);
	outcome_set(o, statx(p.base, p.rel,
			     a[1] & 1 ? AT_STATX_FORCE_SYNC : AT_STATX_DONT_SYNC,
			     STATX_BASIC_STATS, &x));
	if (o->ret < 0)
		return;
	st = (struct stat){.st_mode = x.stx_mode,
			   .st_uid = x.stx_uid,
			   .st_gid = x.stx_gid,
			   .st_nlink = x.stx_nlink,
			   .st_size = (off_t)x.stx_size,
			   .st_rdev = makedev(x.stx_rdev_major, x.stx_rdev_minor)};
	buf_printf(&o->facts, " mask=%x", x.stx_mask & STATX_BASIC_STATS);
	facts_stat(&o->facts, &st);
}

static void
run_access(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	struct path p;

	path_decode(s, a[0], &p);
	outcome_set(o, faccessat(p.base, p.rel, (int)a[1] & 7, 0));
}

static void
run_chmod(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	struct path p;

	path_decode(s, a[0], &p);
	outcome_set(o, fchmodat(p.base, p.rel, (mode_t)a[1], 0));
}

static void
run_fchmod(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	outcome_set(o, fchmod(s->fds[a[0]], (mode_t)a[1]));
}

static void
run_chown(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	struct path p;

	path_decode(s, a[0], &p);
	outcome_set(o, fchownat(p.base, p.rel, (uid_t)a[1], (gid_t)a[2],
				a[3] & 1 ? AT_SYMLINK_NOFOLLOW : 0));
}

static void
run_fchown(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	outcome_set(o, fchown(s->fds[a[0]], (uid_t)a[1], (gid_t)a[2]));
}

/* Time argument: 1 is "now", 2 is "leave", all else nanoseconds since 1970. */
static struct timespec
time_decode(int64_t arg)
{
	struct timespec ts = {.tv_sec = arg / 1000000000, .tv_nsec = arg % 1000000000};

	if (arg == 1 || arg == 2) {
		ts = (struct timespec){.tv_nsec = arg == 1 ? UTIME_NOW : UTIME_OMIT};
	} else if (ts.tv_nsec < 0) {
		ts.tv_sec--;
		ts.tv_nsec += 1000000000;
	}
	return ts;
}

/* Only what was just set: other times of directories differ from system to system. */
static void
outcome_times(struct outcome *o, const struct stat *st, const int64_t *args)
{
	if (args[0] != 2)
		facts_atime(&o->facts, st);
	if (args[1] != 2)
		facts_mtime(&o->facts, st);
}

static void
run_utimens(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	const struct timespec times[2] = {time_decode(a[1]), time_decode(a[2])};
	int flags = a[3] & 1 ? AT_SYMLINK_NOFOLLOW : 0;
	struct path p;
	struct stat st;

	side_settle(s);
	path_decode(s, a[0], &p);
	outcome_set(o, utimensat(p.base, p.rel, times, flags));
	if (o->ret == 0 && fstatat(p.base, p.rel, &st, flags) == 0)
		outcome_times(o, &st, a + 1);
}

static void
run_futimens(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	const struct timespec times[2] = {time_decode(a[1]), time_decode(a[2])};
	struct stat st;

	side_settle(s);
	outcome_set(o, futimens(s->fds[a[0]], times));
	if (o->ret == 0 && fstat(s->fds[a[0]], &st) == 0)
		outcome_times(o, &st, a + 1);
}

/* One umask rules both sides, so the old value tells nothing. */
static void
run_umask(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	umask((mode_t)a[0] & 077);
}

static int
xattr_flags(int64_t arg)
{
	static const int flags[] = {0, XATTR_CREATE, XATTR_REPLACE};

	return flags[(uint64_t)arg % ARRAY_SIZE(flags)];
}

static size_t
xattr_value(unsigned char *buf, size_t cap, int64_t length, int64_t key)
{
	size_t n = (size_t)MIN(MAX(length, 0), (int64_t)cap);

	data_fill(buf, n, (uint64_t)key, 0);
	return n;
}

static void
run_setxattr(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	unsigned char value[65536];
	size_t n = xattr_value(value, sizeof(value), a[2], a[3]);
	struct path p;

	path_decode(s, a[0], &p);
	outcome_set(o, setxattr(p.full, xattr_pool_name((unsigned)a[1]), value, n,
				xattr_flags(a[4])));
}

static void
run_fsetxattr(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	unsigned char value[65536];
	size_t n = xattr_value(value, sizeof(value), a[2], a[3]);

	outcome_set(o, fsetxattr(s->fds[a[0]], xattr_pool_name((unsigned)a[1]), value, n,
				 xattr_flags(a[4])));
}

static void
outcome_value(struct outcome *o, const unsigned char *value, ssize_t n_bytes, size_t cap)
{
	outcome_set(o, n_bytes);
	if (n_bytes > 0 && cap > 0)
		buf_printf(&o->facts, " value=%016llx",
			   (unsigned long long)hash_bytes(value, (size_t)n_bytes, 0));
}

/* A capacity of 0 asks for the length; a small one must give ERANGE when it does not
 * suffice. */
static void
run_getxattr(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	unsigned char value[65536];
	size_t cap = (size_t)MIN((uint64_t)a[2], sizeof(value));
	struct path p;

	path_decode(s, a[0], &p);
	outcome_value(o, value,
		      getxattr(p.full, xattr_pool_name((unsigned)a[1]), value, cap), cap);
}

static void
run_fgetxattr(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	unsigned char value[65536];
	size_t cap = (size_t)MIN((uint64_t)a[2], sizeof(value));

	outcome_value(
		o, value,
		fgetxattr(s->fds[a[0]], xattr_pool_name((unsigned)a[1]), value, cap),
		cap);
}

static void
run_flistxattr(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	facts_xattrs(&o->facts, s->fds[a[0]]);
}

static void
run_listxattr(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	struct path p;
	int fd;

	path_decode(s, a[0], &p);
	fd = open(p.full, O_PATH | O_CLOEXEC);
	if (fd >= 0) {
		facts_xattrs(&o->facts, fd);
		close(fd);
	} else {
		outcome_set(o, -1);
	}
}

static void
run_removexattr(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	struct path p;

	path_decode(s, a[0], &p);
	outcome_set(o, removexattr(p.full, xattr_pool_name((unsigned)a[1])));
}

static void
run_fremovexattr(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	outcome_set(o, fremovexattr(s->fds[a[0]], xattr_pool_name((unsigned)a[1])));
}

/* Compares everything; the generator puts it in regularly, so that logs replay it in
 * place. */
static void
run_state(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	state_collect(s, &o->facts);
}

const struct call_def meta_calls[] = {
	{"stat", "P", {8, 20, 14}, 0, run_stat},
	{"lstat", "P", {4, 20, 10}, 0, run_stat, AT_SYMLINK_NOFOLLOW},
	{"fstat", "H", {8, 10, 10}, 0, run_fstat},
	{"statx", "Pb", {4, 8, 6}, 0, run_statx},
	{"access", "Pa", {1, 8, 4}, 0, run_access},
	{"chmod", "PM", {4, 15, 10}, 0, run_chmod},
	{"fchmod", "HM", {4, 6, 6}, 0, run_fchmod},
	{"chown", "PUUb", {3, 12, 8}, 'r', run_chown},
	{"fchown", "HUU", {3, 5, 5}, 'r', run_fchown},
	{"utimens", "PTTb", {6, 12, 10}, 0, run_utimens},
	{"futimens", "HTT", {6, 4, 6}, 0, run_futimens},
	{"umask", "M", {1, 2, 2}, 0, run_umask},
	{"setxattr", "PXVDf", {4, 12, 12}, 'x', run_setxattr},
	{"fsetxattr", "HXVDf", {4, 4, 8}, 'x', run_fsetxattr},
	{"getxattr", "PXV", {3, 8, 8}, 'x', run_getxattr},
	{"fgetxattr", "HXV", {3, 3, 5}, 'x', run_fgetxattr},
	{"listxattr", "P", {2, 6, 5}, 'x', run_listxattr},
	{"flistxattr", "H", {2, 2, 3}, 'x', run_flistxattr},
	{"removexattr", "PX", {2, 5, 5}, 'x', run_removexattr},
	{"fremovexattr", "HX", {2, 2, 3}, 'x', run_fremovexattr},
	{"state", "", {0, 0, 0}, 0, run_state},
};
const size_t n_meta_calls = ARRAY_SIZE(meta_calls);
