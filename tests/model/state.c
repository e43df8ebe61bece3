/* One side as text: every file reachable from its directory, then every open slot. */
#include "tests/model/model.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

/* The end of the hole at offset, 0 when there is none; holes must read as zeros. */
static int64_t
hole_end(int fd, int64_t offset, int64_t size)
{
	int64_t data = lseek(fd, offset, SEEK_DATA);

	if (data < 0)
		return errno == ENXIO ? size : 0;
	return data > offset ? MIN(data, size) : 0;
}

/* First offset that is said to be a hole but holds something, or -1. */
static int64_t
holes_check(int fd, int64_t size)
{
	unsigned char buf[65536];

	for (int64_t at = 0, end; at >= 0 && at < size;
	     at = lseek(fd, end ? end : at, SEEK_HOLE)) {
		end = hole_end(fd, at, size);
		while (at < end) {
			ssize_t n = pread(
				fd, buf, (size_t)MIN(end - at, (int64_t)sizeof(buf)), at);

			if (n <= 0 || zero_check(buf, (size_t)n) >= 0)
				return at;
			at += n;
		}
		if (end >= size)
			break;
	}
	return -1;
}

void
facts_content(struct buf *t, int fd, uint64_t size)
{
	static unsigned char buf[1 << 17];
	uint64_t hash = 0, at = 0;
	int64_t bad;
	ssize_t n;

	while ((n = pread(fd, buf, sizeof(buf), (off_t)at)) > 0) {
		hash = hash_bytes(buf, (size_t)n, hash);
		at += (uint64_t)n;
	}
	if (n < 0) {
		buf_printf(t, " read-errno=%d", errno);
		return;
	}
	buf_printf(t, " data=%016llx%s", (unsigned long long)hash,
		   at == size ? "" : " length-is-not-size");
	bad = config.no_holes ? -1 : holes_check(fd, (int64_t)size);
	if (bad >= 0)
		buf_printf(t, " hole-not-zero-at=%lld", (long long)bad);
}

static int
string_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
facts_xattr_value(struct buf *t, const char *path, const char *name)
{
	unsigned char value[65536];
	ssize_t n = getxattr(path, name, value, sizeof(value));

	if (n < 0)
		buf_printf(t, " %s:errno=%d", escape_name(name), errno);
	else
		buf_printf(t, " %s:%zd:%016llx", escape_name(name), n,
			   (unsigned long long)hash_bytes(value, (size_t)n, 0));
}

/* Through /proc, so that it works for O_PATH descriptors too. */
void
facts_xattrs(struct buf *t, int fd)
{
	char names[65536], path[64], *sorted[256];
	ssize_t len;
	size_t n = 0;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	len = listxattr(path, names, sizeof(names));
	if (len < 0) {
		buf_printf(t, " listxattr-errno=%d", errno);
		return;
	}
	for (char *p = names; p < names + len && n < ARRAY_SIZE(sorted);
	     p += strlen(p) + 1)
		if (strncmp(p, "user.", 5) == 0)
			sorted[n++] = p;
	if (n > 0)
		qsort(sorted, n, sizeof(*sorted), string_compare);
	for (size_t i = 0; i < n; i++)
		facts_xattr_value(t, path, sorted[i]);
}

/* DT_UNKNOWN is a legal answer; a wrong type is not. */
static const char *
type_remark(int dir_fd, const char *name, unsigned char type)
{
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return "(no such file)";
	return type == DT_UNKNOWN || type == IFTODT(st.st_mode) ? "" : "(wrong d_type)";
}

int
facts_listing(struct buf *t, int dir_fd)
{
	struct listing l;
	int err = listing_read(dir_fd, &l);

	if (err < 0)
		return err;
	buf_printf(t, " n=%zu", l.n);
	for (size_t i = 0; i < l.n; i++)
		buf_printf(t, " %s%s", escape_name(l.names[i]),
			   type_remark(dir_fd, l.names[i], l.types[i]));
	listing_free(&l);
	return 0;
}

/* Which files are one file: the first path met stands for the inode. */
struct seen {
	ino_t ino;
	char *path;
};
struct walk {
	struct buf *out;
	struct seen *seen;
	size_t n_seen;
};

static const char *
walk_same_as(struct walk *w, ino_t ino, const char *path)
{
	for (size_t i = 0; i < w->n_seen; i++)
		if (w->seen[i].ino == ino)
			return w->seen[i].path;
	w->seen = must_grow(w->seen, (w->n_seen + 1) * sizeof(*w->seen));
	w->seen[w->n_seen].ino = ino;
	w->seen[w->n_seen].path = must_alloc(strlen(path) + 1);
	strcpy(w->seen[w->n_seen++].path, path);
	return NULL;
}

static void
walk_link_target(struct walk *w, int dir_fd, const char *name)
{
	char target[4096];
	ssize_t n = readlinkat(dir_fd, name, target, sizeof(target));

	if (n < 0)
		buf_printf(w->out, " readlink-errno=%d", errno);
	else
		buf_printf(w->out, " target=%s", escape(target, (size_t)n));
}

static void walk_dir(struct walk *w, int dir_fd, const char *prefix);

/* What only an open descriptor shows; directories are entered. */
static void
walk_inside(struct walk *w, int dir_fd, const char *name, const char *path,
	    const struct stat *st)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0) {
		buf_printf(w->out, " open-errno=%d\n", errno);
		return;
	}
	if (S_ISREG(st->st_mode))
		facts_content(w->out, fd, (uint64_t)st->st_size);
	if (!config.no_xattr)
		facts_xattrs(w->out, fd);
	buf_printf(w->out, "\n");
	if (S_ISDIR(st->st_mode))
		walk_dir(w, fd, path);
	close(fd);
}

static void
walk_entry(struct walk *w, int dir_fd, const char *name, unsigned char type,
	   const char *path)
{
	const char *same;
	struct stat st;

	buf_printf(w->out, "%s%s", path, type_remark(dir_fd, name, type));
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		buf_printf(w->out, " lstat-errno=%d\n", errno);
		return;
	}
	facts_stat(w->out, &st);
	if (S_ISREG(st.st_mode) || (S_ISDIR(st.st_mode) && config.dir_mtime))
		facts_mtime(w->out, &st);
	same = config.no_ino ? NULL : walk_same_as(w, st.st_ino, path);
	if (same != NULL)
		buf_printf(w->out, " same-as=%s", same);
	if (S_ISLNK(st.st_mode))
		walk_link_target(w, dir_fd, name);
	if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
		walk_inside(w, dir_fd, name, path, &st);
	else
		buf_printf(w->out, "\n");
}

static void
walk_dir(struct walk *w, int dir_fd, const char *prefix)
{
	struct buf path = {0};
	struct listing l;
	int err = listing_read(dir_fd, &l);

	if (err < 0) {
		buf_printf(w->out, "%s readdir-errno=%d\n", prefix, -err);
		return;
	}
	for (size_t i = 0; i < l.n; i++) {
		buf_clear(&path);
		buf_printf(&path, "%s/%s", prefix, escape_name(l.names[i]));
		if (i > 0 && strcmp(l.names[i - 1], l.names[i]) == 0)
			buf_printf(w->out, "%s is listed twice\n", path.s);
		walk_entry(w, dir_fd, l.names[i], l.types[i], path.s);
	}
	buf_fini(&path);
	listing_free(&l);
}

/* Open slots: unlinked files live only here. Positions of directories are cookies. */
static void
state_slot(struct buf *t, int slot, int fd)
{
	int flags = fcntl(fd, F_GETFL);
	struct stat st;

	buf_printf(t, "slot %d", slot);
	if (fstat(fd, &st) < 0) {
		buf_printf(t, " fstat-errno=%d\n", errno);
		return;
	}
	facts_stat(t, &st);
	buf_printf(t, " flags=%o", (unsigned)flags & (O_ACCMODE | O_APPEND));
	if (S_ISREG(st.st_mode))
		buf_printf(t, " position=%lld", (long long)lseek(fd, 0, SEEK_CUR));
	if (S_ISREG(st.st_mode) && (flags & O_ACCMODE) != O_WRONLY) {
		off_t position = lseek(fd, 0, SEEK_CUR);

		facts_content(t, fd, (uint64_t)st.st_size);
		lseek(fd, position, SEEK_SET);
	}
	buf_printf(t, "\n");
}

void
state_collect(struct side *s, struct buf *t)
{
	struct walk w = {.out = t};

	buf_printf(t, "\n");
	walk_dir(&w, s->dir.fd, "");
	for (int i = 0; i < N_SLOTS; i++)
		if (s->fds[i] >= 0)
			state_slot(t, i, s->fds[i]);
	for (size_t i = 0; i < w.n_seen; i++)
		free(w.seen[i].path);
	free(w.seen);
}
