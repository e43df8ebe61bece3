/* Operations on names: directories, links, renames, special files, listings. */
#include "tests/model/model.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static void
run_mkdir(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	struct path p;

	path_decode(s, a[0], &p);
	outcome_set(o, mkdirat(p.base, p.rel, (mode_t)a[1]));
}

static void
run_rmdir(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	struct path p;

	path_decode(s, a[0], &p);
	/* Never the root of a side itself. */
	if (strcmp(p.rel, ".") == 0)
		return;
	outcome_set(o, unlinkat(p.base, p.rel, AT_REMOVEDIR));
}

static void
run_unlink(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	struct path p;

	path_decode(s, a[0], &p);
	outcome_set(o, unlinkat(p.base, p.rel, 0));
}

static void
run_rename(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	struct path from, to;

	path_decode(s, a[0], &from);
	path_decode(s, a[1], &to);
	outcome_set(o, renameat2(from.base, from.rel, to.base, to.rel, (unsigned)how));
}

static void
run_link(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	struct path from, to;

	path_decode(s, a[0], &from);
	path_decode(s, a[1], &to);
	outcome_set(o, linkat(from.base, from.rel, to.base, to.rel,
			      a[2] & 1 ? AT_SYMLINK_FOLLOW : 0));
}

/* Gives an open file a (further) name: also the way in for O_TMPFILE files. */
static void
run_link_fd(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	struct path to;
	char from[64];

	path_decode(s, a[1], &to);
	snprintf(from, sizeof(from), "/proc/self/fd/%d", s->fds[a[0]]);
	outcome_set(o, linkat(AT_FDCWD, from, to.base, to.rel, AT_SYMLINK_FOLLOW));
}

/* Targets only lead downward, so that no chain of links leaves the side's directory. */
static void
run_symlink(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	struct path target, p;
	char padded[4096];
	size_t pad = (size_t)MIN(MAX(a[2], 0), 3000) / 2;

	path_decode(s, a[0] & 0x1ffffff, &target);
	path_decode(s, a[1], &p);
	for (size_t i = 0; i < pad; i++)
		memcpy(padded + 2 * i, "./", 2);
	snprintf(padded + 2 * pad, sizeof(padded) - 2 * pad, "%s", target.rel);
	outcome_set(o, symlinkat(padded, p.base, p.rel));
}

static void
run_readlink(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	struct path p;
	char target[4096];
	ssize_t n;

	path_decode(s, a[0], &p);
	n = readlinkat(p.base, p.rel, target, a[1] & 1 ? 5 : sizeof(target));
	outcome_set(o, n);
	if (n > 0)
		buf_printf(&o->facts, " target=%s", escape(target, (size_t)n));
}

static void
run_mkfifo(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	struct path p;

	path_decode(s, a[0], &p);
	outcome_set(o, mkfifoat(p.base, p.rel, (mode_t)a[1]));
}

static void
run_mknod(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	static const mode_t types[] = {S_IFREG, S_IFIFO, S_IFSOCK, 0, S_IFCHR, S_IFBLK};
	mode_t type = types[(uint64_t)a[1] % ARRAY_SIZE(types)];
	struct path p;

	path_decode(s, a[0], &p);
	outcome_set(o, mknodat(p.base, p.rel, type | (mode_t)a[2],
			       makedev((unsigned)(a[3] >> 20) & 0xfff, a[3] & 0xfffff)));
}

static void
outcome_listing(struct outcome *o, int dir_fd)
{
	int err = facts_listing(&o->facts, dir_fd);

	errno = -err;
	outcome_set(o, err < 0 ? -1 : 0);
}

static void
run_readdir(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	struct path p;
	int fd;

	path_decode(s, a[0], &p);
	fd = openat(p.base, p.rel, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		outcome_set(o, -1);
		return;
	}
	outcome_listing(o, fd);
	close(fd);
}

static void
run_freaddir(struct side *s, const int64_t *a, int how, struct outcome *o)
{
	struct stat st;

	if (fstat(s->fds[a[0]], &st) == 0 && S_ISDIR(st.st_mode))
		outcome_listing(o, s->fds[a[0]]);
	else
		buf_printf(&o->facts, " not a directory");
}

const struct call_def name_calls[] = {
	{"mkdir", "eM", {10, 50, 30}, 0, run_mkdir},
	{"rmdir", "d", {4, 25, 14}, 0, run_rmdir},
	{"unlink", "P", {20, 40, 30}, 0, run_unlink},
	{"rename", "PN", {10, 50, 30}, 0, run_rename},
	{"rename-dir", "de", {2, 25, 14}, 0, run_rename},
	{"rename-noreplace", "PN", {2, 12, 6}, 0, run_rename, RENAME_NOREPLACE},
	{"rename-exchange", "PP", {2, 12, 6}, 0, run_rename, RENAME_EXCHANGE},
	{"link", "oNb", {4, 30, 16}, 0, run_link},
	{"link-fd", "HN", {2, 6, 4}, 0, run_link_fd},
	{"symlink", "tNL", {2, 20, 10}, 0, run_symlink},
	{"readlink", "lb", {1, 15, 6}, 0, run_readlink},
	{"mkfifo", "NM", {1, 5, 3}, 0, run_mkfifo},
	{"mknod", "NnMr", {1, 6, 3}, 0, run_mknod},
	{"readdir", "d", {3, 20, 12}, 0, run_readdir},
	{"freaddir", "E", {1, 10, 5}, 0, run_freaddir},
};
const size_t n_name_calls = ARRAY_SIZE(name_calls);
