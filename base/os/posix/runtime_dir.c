#include "base/os/posix/runtime_dir.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* What root's directories show to others: mount points in them may be for everyone. */
static mode_t
public_mode(void)
{
	return geteuid() == 0 ? 0755 : 0700;
}

static int
ensure_dir(const char *path, mode_t mode)
{
	struct stat st;

	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return -errno;
	if (lstat(path, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	if (st.st_uid != geteuid() || (st.st_mode & 0777 & ~mode) != 0)
		return -EPERM;
	return 0;
}

static int
format_dir(char *dst, size_t cap, mode_t mode, const char *parent, const char *name)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/%s", parent, name), err;

	if (n < 0 || (size_t)n >= sizeof(path) || (size_t)n >= cap)
		return -ENAMETOOLONG;
	err = ensure_dir(path, mode);
	if (err == 0)
		snprintf(dst, cap, "%s", path);
	return err;
}

/* $XDG_RUNTIME_DIR when it is the user's, else NULL (after su it is another's). */
static const char *
xdg_runtime_dir(void)
{
	const char *path = getenv("XDG_RUNTIME_DIR");
	struct stat st;

	if (!path || path[0] != '/' || stat(path, &st) < 0 || !S_ISDIR(st.st_mode) ||
	    st.st_uid != geteuid())
		return NULL;
	return path;
}

static const char *
overriding_dir(void)
{
	const char *path = getenv("USERDRIVE_RUNTIME_DIR");

	return path && path[0] == '/' ? path : NULL;
}

int
runtime_dir(char *dst, size_t cap)
{
	const char *override = overriding_dir(), *xdg;
	char name[32];
	int n;

	if (override) {
		n = snprintf(dst, cap, "%s", override);
		return n < 0 || (size_t)n >= cap ? -ENAMETOOLONG
						 : ensure_dir(dst, public_mode());
	}
	if (geteuid() == 0)
		return format_dir(dst, cap, public_mode(), "/run", "userdrive");
	xdg = xdg_runtime_dir();
	if (xdg)
		return format_dir(dst, cap, public_mode(), xdg, "userdrive");
	snprintf(name, sizeof(name), "userdrive-%u", (unsigned)geteuid());
	return format_dir(dst, cap, public_mode(), "/tmp", name);
}

int
drives_dir(char *dst, size_t cap)
{
	char parent[PATH_MAX];
	const char *xdg = xdg_runtime_dir();
	int err;

	if (!overriding_dir()) {
		if (geteuid() == 0)
			return format_dir(dst, cap, public_mode(), "/run", "drives");
		if (xdg)
			return format_dir(dst, cap, public_mode(), xdg, "drives");
	}
	err = runtime_dir(parent, sizeof(parent));
	return err ? err : format_dir(dst, cap, public_mode(), parent, "drives");
}

int
runtime_subdir(const char *name, char *dst, size_t cap)
{
	char parent[PATH_MAX];
	int err = runtime_dir(parent, sizeof(parent));

	return err ? err : format_dir(dst, cap, 0700, parent, name);
}
