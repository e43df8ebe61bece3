/* From names of the drive to descriptors below the source. */
#include "examples/passthrough/passthrough.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/status/errno.h"
#include "base/text/names.h"

enum { OPEN_FLAGS = O_PATH | O_NOFOLLOW | O_CLOEXEC };

/* ---------------------------------------------------------------- names */

static bool
is_dots(const char *s, size_t n)
{
	return (n == 1 && s[0] == '.') || (n == 2 && s[0] == '.' && s[1] == '.');
}

/* Components that mean a place rather than a name have no business in a path of the
 * drive. */
static bool
components_are_names(const char *bytes, size_t n)
{
	for (const char *s = bytes, *end = bytes + n; s < end;) {
		const char *slash = memchr(s, '/', (size_t)(end - s));
		size_t length = (size_t)((slash ? slash : end) - s);

		if (length == 0 || is_dots(s, length))
			return false;
		s += length + 1;
	}
	return true;
}

static NTSTATUS
check_bytes(struct pt_path *path, const uint16_t *units, size_t n_units)
{
	const char *slash;

	for (size_t i = 0; i < n_units; i++)
		if (units[i] == '/')
			return STATUS_OBJECT_NAME_INVALID;
	if (memchr(path->bytes, 0, path->n) || path->bytes[path->n - 1] == '/' ||
	    !components_are_names(path->bytes, path->n))
		return STATUS_OBJECT_NAME_INVALID;
	path->bytes[path->n] = '\0';
	slash = strrchr(path->bytes, '/');
	path->n_parent = slash ? (size_t)(slash - path->bytes) : 0;
	return STATUS_SUCCESS;
}

NTSTATUS
pt_path_init(struct pt_path *path, PCWSTR name)
{
	const uint16_t *units = (const uint16_t *)name;
	size_t n_units = utf16_len(units);

	path->bytes = path->room;
	path->n = path->n_parent = 0;
	if (n_units == 0 || units[0] != '\\')
		return STATUS_OBJECT_NAME_INVALID;
	units++, n_units--;
	if (n_units == 0) {
		memcpy(path->room, ".", 2);
		path->n = 1;
		return STATUS_SUCCESS;
	}
	/* a unit is at most three bytes */
	if (n_units * 3 >= sizeof(path->room) && !(path->bytes = malloc(n_units * 3 + 1)))
		return STATUS_INSUFFICIENT_RESOURCES;
	int n = name_to_posix(units, n_units, TEXT_PATH, path->bytes, n_units * 3);
	path->n = n > 0 ? (size_t)n : 0;
	NTSTATUS st =
		n > 0 ? check_bytes(path, units, n_units) : STATUS_OBJECT_NAME_INVALID;
	if (!NT_SUCCESS(st))
		pt_path_fini(path);
	return st;
}

void
pt_path_fini(struct pt_path *path)
{
	if (path->bytes != path->room)
		free(path->bytes);
	path->bytes = path->room;
}

void
pt_proc_path(int fd, char dst[PT_PROC_PATH_SIZE])
{
	snprintf(dst, PT_PROC_PATH_SIZE, "/proc/self/fd/%d", fd);
}

/* ---------------------------------------------------------------- resolution */

/* One component at a time: for kernels without openat2, and for paths beyond PATH_MAX. */
static int
open_component(int dir, const char *name, bool is_last)
{
	struct stat st;
	int fd = openat(dir, name, OPEN_FLAGS | (is_last ? 0 : O_DIRECTORY));

	if (fd >= 0)
		return fd;
	int err = errno;
	if (err == ENOTDIR && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISLNK(st.st_mode))
		err = ELOOP;
	return -err;
}

static int
walk(const struct pt *pt, const char *path)
{
	char component[NAME_MAX_UTF8_BYTES + 1];
	int dir = pt->root, fd;

	for (;;) {
		size_t n = strcspn(path, "/");

		if (n >= sizeof(component))
			fd = -ENAMETOOLONG;
		else {
			memcpy(component, path, n);
			component[n] = '\0';
			fd = open_component(dir, component, path[n] == '\0');
		}
		if (dir != pt->root)
			close(dir);
		if (fd < 0 || path[n] == '\0')
			return fd;
		path += n + 1;
		dir = fd;
	}
}

static int
resolve(const struct pt *pt, const char *path, size_t n)
{
	struct open_how how = {.flags = OPEN_FLAGS,
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
					  RESOLVE_NO_MAGICLINKS};

	if (!pt->has_openat2 || n >= PATH_MAX)
		return walk(pt, path);
	int fd = (int)syscall(SYS_openat2, pt->root, path, &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}

static int
resolve_parent(const struct pt *pt, struct pt_path *path)
{
	int fd;

	if (path->n_parent == 0)
		return resolve(pt, ".", 1);
	path->bytes[path->n_parent] = '\0';
	fd = resolve(pt, path->bytes, path->n_parent);
	path->bytes[path->n_parent] = '/';
	return fd;
}

/* The way to a name ends before it. */
static NTSTATUS
parent_status(int err)
{
	switch (err) {
	case ENOENT:
	case ENOTDIR:
		return STATUS_OBJECT_PATH_NOT_FOUND;
	case ELOOP:
		return STATUS_REPARSE;
	default:
		return nt_from_errno(err);
	}
}

/* NT tells a missing file from a missing directory on the way; Linux does not. */
static NTSTATUS
missing_status(const struct pt *pt, struct pt_path *path)
{
	int fd = resolve_parent(pt, path);
	struct stat st;
	NTSTATUS result = STATUS_OBJECT_NAME_NOT_FOUND;

	if (fd < 0)
		return parent_status(-fd);
	if (fstat(fd, &st) == 0 && S_ISLNK(st.st_mode))
		result = STATUS_REPARSE;
	else if (!S_ISDIR(st.st_mode))
		result = STATUS_OBJECT_PATH_NOT_FOUND;
	close(fd);
	return result;
}

NTSTATUS
pt_open_path(struct pt *pt, PCWSTR name, int *ret_fd)
{
	CLEANUP(pt_path_fini) struct pt_path path;
	NTSTATUS st = pt_path_init(&path, name);

	if (!NT_SUCCESS(st))
		return st;
	int fd = resolve(pt, path.bytes, path.n);
	if (fd == -ENOENT || fd == -ENOTDIR)
		return missing_status(pt, &path);
	if (fd == -ELOOP)
		return STATUS_REPARSE;
	if (fd < 0)
		return nt_from_errno(-fd);
	*ret_fd = fd;
	return STATUS_SUCCESS;
}

NTSTATUS
pt_place_init(struct pt *pt, PCWSTR name, struct pt_place *place)
{
	struct stat st;
	NTSTATUS result;

	place->dir = -1;
	result = pt_path_init(&place->path, name);
	if (!NT_SUCCESS(result))
		return result;
	if (name[1] == 0)
		return STATUS_ACCESS_DENIED;
	place->dir = resolve_parent(pt, &place->path);
	if (place->dir < 0)
		result = parent_status(-place->dir);
	else if (fstat(place->dir, &st) < 0)
		result = pt_last_error();
	else if (!S_ISDIR(st.st_mode))
		result = S_ISLNK(st.st_mode) ? STATUS_REPARSE
					     : STATUS_OBJECT_PATH_NOT_FOUND;
	place->last =
		place->path.bytes + (place->path.n_parent ? place->path.n_parent + 1 : 0);
	/* It counts as success, but nothing was found: the caller resolves links first.
	 */
	return result == STATUS_REPARSE ? STATUS_OBJECT_PATH_NOT_FOUND : result;
}

void
pt_place_fini(struct pt_place *place)
{
	if (place->dir >= 0)
		close(place->dir);
	pt_path_fini(&place->path);
}

bool
pt_place_holds(const struct pt_place *place, const struct pt_file *file)
{
	struct stat st;

	return fstatat(place->dir, place->last, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       st.st_dev == file->device && st.st_ino == file->inode;
}
