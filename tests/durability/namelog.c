#include "tests/durability/namelog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	NAME_MAX_LENGTH = 64,
	FILES_MAX = 64,
	NAMES_MAX = 16,
	EVENTS_MAX = 4096,
	SECTOR = 512
};
enum { FOLDER = -1, ELSEWHERE = -2 };

struct event {
	enum { NAME, GONE, MOVE, BYTES, SIZE, ATTRIBUTE, SYNC, DATA_SYNC } kind;
	int file; /* FOLDER: its names */
	char from[NAME_MAX_LENGTH], to[NAME_MAX_LENGTH];
	uint64_t offset;
	size_t n;
	uint8_t *bytes;
};

static struct {
	char folder[128];
	bool is_on, has_xattrs;
	enum namelog_drop drop;
	struct event events[EVENTS_MAX];
	size_t n_events;
	/* Kept open, so that their numbers stay theirs. */
	struct stat files[FILES_MAX];
	int keep[FILES_MAX], n_files;
	/* Attributes of files in any folder, by number. */
	struct {
		ino_t ino;
		dev_t dev;
		size_t n;
		char value[4096];
	} xattrs[FILES_MAX * 4];
	int n_xattrs;
} g;

/* The calls as they are without --wrap. */
int __real_open64(const char *path, int flags, ...);
ssize_t __real_write(int fd, const void *bytes, size_t n);
ssize_t __real_pwrite64(int fd, const void *bytes, size_t n, off_t offset);
int __real_fsync(int fd);
int __real_fdatasync(int fd);
int __real_ftruncate64(int fd, off_t size);
int __real_rename(const char *from, const char *to);
int __real_unlink(const char *path);
int __wrap_open64(const char *path, int flags, ...);
ssize_t __wrap_write(int fd, const void *bytes, size_t n);
ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t n, off_t offset);
int __wrap_fsync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_ftruncate64(int fd, off_t size);
int __wrap_rename(const char *from, const char *to);
int __wrap_unlink(const char *path);
ssize_t __wrap_fgetxattr(int fd, const char *name, void *value, size_t cap);
int __wrap_fsetxattr(int fd, const char *name, const void *value, size_t n, int flags);

void
namelog_watch(const char *folder)
{
	g.is_on = folder != NULL;
	if (folder)
		snprintf(g.folder, sizeof(g.folder), "%s", folder);
}

void
namelog_reset(void)
{
	for (size_t i = 0; i < g.n_events; i++)
		free(g.events[i].bytes);
	for (int i = 0; i < g.n_files; i++)
		close(g.keep[i]);
	memset(&g, 0, sizeof(g));
}

size_t
namelog_now(void)
{
	return g.n_events;
}

void
namelog_drop(enum namelog_drop drop)
{
	g.drop = drop;
}

void
namelog_set_xattrs(bool are_there)
{
	g.has_xattrs = are_there;
}

static struct event *
note(int kind, int file)
{
	if (g.n_events == EVENTS_MAX)
		abort();
	struct event *e = &g.events[g.n_events++];
	*e = (struct event){.kind = kind, .file = file};
	return e;
}

/* The name within the watched folder; NULL: it is elsewhere. */
static const char *
name_of(const char *path)
{
	size_t n = strlen(g.folder);

	if (!g.is_on || strncmp(path, g.folder, n) != 0 || path[n] != '/' ||
	    strchr(path + n + 1, '/') || strlen(path + n + 1) >= NAME_MAX_LENGTH)
		return NULL;
	return path + n + 1;
}

static int
find_file(const struct stat *st)
{
	for (int i = 0; i < g.n_files; i++)
		if (g.files[i].st_ino == st->st_ino && g.files[i].st_dev == st->st_dev)
			return i;
	return ELSEWHERE;
}

static int
file_of(int fd)
{
	struct stat st, folder;

	if (!g.is_on || fstat(fd, &st) < 0)
		return ELSEWHERE;
	if (stat(g.folder, &folder) == 0 && folder.st_ino == st.st_ino &&
	    folder.st_dev == st.st_dev)
		return FOLDER;
	return find_file(&st);
}

/* ---------------------------------------------------------------- the calls */

static void
note_new(int fd, const char *name)
{
	if (g.n_files == FILES_MAX)
		abort();
	fstat(fd, &g.files[g.n_files]);
	g.keep[g.n_files] = fcntl(fd, F_DUPFD_CLOEXEC, 100);
	struct event *e = note(NAME, FOLDER);
	e->n = (size_t)g.n_files++;
	snprintf(e->to, sizeof(e->to), "%s", name);
}

int
__wrap_open64(const char *path, int flags, ...)
{
	const char *name = name_of(path);
	struct stat st;
	unsigned mode = 0;
	va_list ap;

	va_start(ap, flags);
	if (flags & O_CREAT)
		mode = va_arg(ap, unsigned);
	va_end(ap);
	bool was_there = name && lstat(path, &st) == 0;
	int fd = __real_open64(path, flags, mode);
	if (fd < 0 || !name)
		return fd;
	if (!was_there)
		note_new(fd, name);
	else if ((flags & O_TRUNC) && file_of(fd) >= 0)
		note(SIZE, file_of(fd));
	return fd;
}

static void
note_bytes(int fd, const void *bytes, ssize_t n, uint64_t offset)
{
	int file = n > 0 ? file_of(fd) : ELSEWHERE;

	if (file < 0)
		return;
	struct event *e = note(BYTES, file);
	e->offset = offset;
	e->n = (size_t)n;
	e->bytes = malloc((size_t)n);
	if (!e->bytes)
		abort();
	memcpy(e->bytes, bytes, (size_t)n);
}

ssize_t
__wrap_write(int fd, const void *bytes, size_t n)
{
	off_t at = g.is_on ? lseek(fd, 0, SEEK_CUR) : 0;
	ssize_t done = __real_write(fd, bytes, n);

	if (at >= 0)
		note_bytes(fd, bytes, done, (uint64_t)at);
	return done;
}

ssize_t
__wrap_pwrite64(int fd, const void *bytes, size_t n, off_t offset)
{
	ssize_t done = __real_pwrite64(fd, bytes, n, offset);

	note_bytes(fd, bytes, done, (uint64_t)offset);
	return done;
}

static bool
is_dropped(int file)
{
	return (g.drop == NAMELOG_DROP_FILE_SYNC && file >= 0) ||
	       (g.drop == NAMELOG_DROP_FOLDER_SYNC && file == FOLDER);
}

int
__wrap_fsync(int fd)
{
	int file = file_of(fd), err = __real_fsync(fd);

	if (err == 0 && file != ELSEWHERE && !is_dropped(file))
		note(SYNC, file);
	return err;
}

int
__wrap_fdatasync(int fd)
{
	int file = file_of(fd), err = __real_fdatasync(fd);

	if (err == 0 && file != ELSEWHERE && !is_dropped(file))
		note(DATA_SYNC, file);
	return err;
}

int
__wrap_ftruncate64(int fd, off_t size)
{
	int err = __real_ftruncate64(fd, size), file = err ? ELSEWHERE : file_of(fd);

	if (file >= 0)
		note(SIZE, file)->offset = (uint64_t)size;
	return err;
}

int
__wrap_rename(const char *from, const char *to)
{
	const char *a = name_of(from), *b = name_of(to);
	struct stat st;
	int file = a && b && lstat(from, &st) == 0 ? find_file(&st) : ELSEWHERE;
	int err = __real_rename(from, to);

	if (err == 0 && file >= 0) {
		struct event *e = note(MOVE, FOLDER);

		e->n = (size_t)file;
		snprintf(e->from, sizeof(e->from), "%s", a);
		snprintf(e->to, sizeof(e->to), "%s", b);
	}
	return err;
}

int
__wrap_unlink(const char *path)
{
	const char *name = name_of(path);
	int err = __real_unlink(path);

	if (err == 0 && name) {
		struct event *e = note(GONE, FOLDER);

		snprintf(e->from, sizeof(e->from), "%s", name);
	}
	return err;
}

/* ---------------------------------------------------------------- attributes */

static int
xattr_of(int fd, bool make)
{
	struct stat st;
	int i = 0;

	if (fstat(fd, &st) < 0)
		return -1;
	while (i < g.n_xattrs &&
	       (g.xattrs[i].ino != st.st_ino || g.xattrs[i].dev != st.st_dev))
		i++;
	if (i < g.n_xattrs || !make)
		return i < g.n_xattrs ? i : -1;
	/* Folders of crashes come and go. */
	if (g.n_xattrs == (int)ARRAY_SIZE(g.xattrs))
		abort();
	g.xattrs[i].ino = st.st_ino;
	g.xattrs[i].dev = st.st_dev;
	return g.n_xattrs++;
}

static void
xattr_set(int fd, const void *value, size_t n)
{
	int i = xattr_of(fd, true);

	if (i < 0 || n > sizeof(g.xattrs[i].value))
		abort();
	if (n)
		memcpy(g.xattrs[i].value, value, n);
	g.xattrs[i].n = n;
}

ssize_t
__wrap_fgetxattr(int fd, const char *name, void *value, size_t cap)
{
	int i = xattr_of(fd, false);

	(void)name;
	if (!g.has_xattrs || i < 0 || g.xattrs[i].n == 0 || g.xattrs[i].n > cap) {
		errno = !g.has_xattrs ? EOPNOTSUPP : ENODATA;
		return -1;
	}
	memcpy(value, g.xattrs[i].value, g.xattrs[i].n);
	return (ssize_t)g.xattrs[i].n;
}

int
__wrap_fsetxattr(int fd, const char *name, const void *value, size_t n, int flags)
{
	int file = file_of(fd);

	(void)name, (void)flags;
	if (!g.has_xattrs) {
		errno = EOPNOTSUPP;
		return -1;
	}
	xattr_set(fd, value, n);
	if (file >= 0) {
		struct event *e = note(ATTRIBUTE, file);

		e->n = n;
		e->bytes = malloc(MAX(n, (size_t)1));
		if (!e->bytes)
			abort();
		memcpy(e->bytes, value, n);
	}
	return 0;
}

/* ---------------------------------------------------------------- crashes */

struct left {
	struct {
		char name[NAME_MAX_LENGTH];
		int file;
	} names[NAMES_MAX];
	int n_names;
};

static void
name_set(struct left *l, const char *name, int file)
{
	int i = 0;

	while (i < l->n_names && strcmp(l->names[i].name, name) != 0)
		i++;
	if (i == NAMES_MAX)
		abort();
	snprintf(l->names[i].name, sizeof(l->names[i].name), "%s", name);
	l->names[i].file = file;
	if (i == l->n_names)
		l->n_names++;
}

static bool
is_lucky(unsigned luck, uint64_t *random)
{
	*random ^= *random << 13;
	*random ^= *random >> 7;
	*random ^= *random << 17;
	return (*random >> 20) % 100 < luck;
}

/* Is what event i did safe at moment? Names by a sync of the folder, the rest by one of
 * the file. */
static bool
is_safe(size_t i, size_t moment)
{
	const struct event *e = &g.events[i];

	for (size_t k = i + 1; k < moment; k++) {
		const struct event *s = &g.events[k];

		if (s->file == e->file &&
		    (s->kind == SYNC || (s->kind == DATA_SYNC && e->kind != ATTRIBUTE)))
			return true;
	}
	return false;
}

static void
apply_name(struct left *l, const struct event *e)
{
	if (e->kind == GONE || e->kind == MOVE)
		name_set(l, e->from, -1);
	if (e->kind == NAME || e->kind == MOVE)
		name_set(l, e->to, (int)e->n);
}

static void
apply_bytes(int fd, const struct event *e, bool safe, unsigned luck, uint64_t *random)
{
	for (size_t at = 0; at < e->n; at += SECTOR)
		if (safe || is_lucky(luck, random))
			(void)!__real_pwrite64(fd, e->bytes + at,
					       MIN(e->n - at, (size_t)SECTOR),
					       (off_t)(e->offset + at));
}

static void
restore_file(const char *path, int file, size_t moment, unsigned luck, uint64_t *random)
{
	int fd = __real_open64(path, O_CREAT | O_RDWR | O_TRUNC | O_CLOEXEC, 0600u);

	if (fd < 0)
		abort();
	xattr_set(fd, NULL, 0);
	for (size_t i = 0; i < moment; i++) {
		const struct event *e = &g.events[i];
		bool safe;

		if (e->file != file || e->kind == SYNC || e->kind == DATA_SYNC)
			continue;
		safe = is_safe(i, moment);
		if (e->kind == BYTES)
			apply_bytes(fd, e, safe, luck, random);
		else if (safe || is_lucky(luck, random)) {
			if (e->kind == SIZE)
				(void)!__real_ftruncate64(fd, (off_t)e->offset);
			else
				xattr_set(fd, e->bytes, e->n);
		}
	}
	close(fd);
}

void
namelog_crash(size_t moment, unsigned luck, uint64_t *random, const char *folder)
{
	struct left l = {.n_names = 0};
	char path[256];

	for (size_t i = 0; i < moment; i++) {
		const struct event *e = &g.events[i];
		bool is_name = e->kind == NAME || e->kind == GONE || e->kind == MOVE;

		if (is_name && (is_safe(i, moment) || is_lucky(luck, random)))
			apply_name(&l, e);
	}
	for (int i = 0; i < l.n_names; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, l.names[i].name);
		if (l.names[i].file >= 0)
			restore_file(path, l.names[i].file, moment, luck, random);
	}
}
