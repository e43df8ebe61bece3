/* Mounting and unmounting; see mount.h. */
#include "fuse/mount_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/text/escape.h"

enum { FUSE_DEVICE_MAJOR = 10, FUSE_DEVICE_MINOR = 229 };

int
fusek_mount_fail(struct fusek_mount_error *error, int err, const char *fmt, ...)
{
	va_list ap;

	error->err = err;
	va_start(ap, fmt);
	vsnprintf(error->text, sizeof(error->text), fmt, ap);
	va_end(ap);
	return -err;
}

static bool
may_mount(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};

	return syscall(SYS_capget, &header, data) == 0 &&
	       data[0].effective & (1u << CAP_SYS_ADMIN);
}

/* "/dev/fd/N": a descriptor that somebody else has mounted. */
static int
adopt_descriptor(const char *mountpoint, struct fusek_mount_error *error)
{
	struct stat st;
	char *end;
	unsigned long n = strtoul(mountpoint + strlen("/dev/fd/"), &end, 10);

	if (*end || end == mountpoint + strlen("/dev/fd/") || n > INT_MAX)
		return fusek_mount_fail(error, EINVAL, "%s: not a descriptor number", mountpoint);
	if (fstat((int)n, &st) < 0)
		return fusek_mount_fail(error, EBADF, "%s: the descriptor is not open", mountpoint);
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(FUSE_DEVICE_MAJOR, FUSE_DEVICE_MINOR))
		return fusek_mount_fail(error, EINVAL, "%s: the descriptor is not /dev/fuse",
					mountpoint);
	if (fcntl((int)n, F_SETFD, FD_CLOEXEC) < 0)
		return fusek_mount_fail(error, errno, "%s: %s", mountpoint, strerror(errno));
	return (int)n;
}

static int
explain_stat(const char *mountpoint, int err, struct fusek_mount_error *error)
{
	switch (err) {
	case ENOENT:
		return fusek_mount_fail(error, err, "%s does not exist; create it first",
					mountpoint);
	case ENOTCONN:
	case ECONNABORTED:
		return fusek_mount_fail(
			error, err,
			"a dead mount is in the way at %s; remove it with: umount -l %s",
			mountpoint, mountpoint);
	case EACCES:
		return fusek_mount_fail(error, err, "%s cannot be reached: permission denied",
					mountpoint);
	}
	return fusek_mount_fail(error, err, "%s: %s", mountpoint, strerror(err));
}

static int
check_mountpoint(const char *mountpoint, bool root_is_file, mode_t *ret_mode,
		 struct fusek_mount_error *error)
{
	struct stat st;

	if (mountpoint[0] != '/')
		return fusek_mount_fail(error, EINVAL, "%s: give an absolute path", mountpoint);
	if (stat(mountpoint, &st) < 0)
		return explain_stat(mountpoint, errno, error);
	if (root_is_file ? S_ISDIR(st.st_mode) : !S_ISDIR(st.st_mode))
		return fusek_mount_fail(error, root_is_file ? EISDIR : ENOTDIR,
					root_is_file ? "%s is a directory; this drive is one file"
						     : "%s is not a directory",
					mountpoint);
	*ret_mode = st.st_mode & S_IFMT;
	return 0;
}

static bool
is_something_else(void)
{
	struct stat st;

	return stat("/dev/fuse", &st) == 0 &&
	       (!S_ISCHR(st.st_mode) ||
		st.st_rdev != makedev(FUSE_DEVICE_MAJOR, FUSE_DEVICE_MINOR));
}

static int
open_device(struct fusek_mount_error *error)
{
	/* Before it is opened: a pipe would wait. */
	if (is_something_else())
		return fusek_mount_fail(
			error, ENODEV,
			"/dev/fuse is there, but is not the FUSE device (character device "
			"10:229); make it anew: mknod /dev/fuse c 10 229");
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	switch (errno) {
	case ENOENT:
		return fusek_mount_fail(
			error, ENOENT,
			"/dev/fuse does not exist; load the module with: modprobe fuse "
			"(in a container: pass the device in)");
	case ENODEV:
	case ENXIO:
		return fusek_mount_fail(error, errno,
					"the fuse module is not loaded; modprobe fuse");
	case EACCES:
	case EPERM:
		return fusek_mount_fail(error, errno,
					"/dev/fuse may not be opened; in a container: allow the "
					"device (--device /dev/fuse)");
	}
	return fusek_mount_fail(error, errno, "/dev/fuse: %s", strerror(errno));
}

static const struct {
	size_t member;
	unsigned long flag;
	bool when;
} mount_flags[] = {
	{offsetof(struct fusek_mount_options, read_only), MS_RDONLY, true},
	{offsetof(struct fusek_mount_options, dev), MS_NODEV, false},
	{offsetof(struct fusek_mount_options, suid), MS_NOSUID, false},
	{offsetof(struct fusek_mount_options, exec_off), MS_NOEXEC, true},
	{offsetof(struct fusek_mount_options, sync), MS_SYNCHRONOUS, true},
	{offsetof(struct fusek_mount_options, dirsync), MS_DIRSYNC, true},
	{offsetof(struct fusek_mount_options, noatime), MS_NOATIME, true},
	{offsetof(struct fusek_mount_options, nodiratime), MS_NODIRATIME, true},
	{offsetof(struct fusek_mount_options, relatime_off), MS_STRICTATIME, true},
};

static unsigned long
flags_of(const struct fusek_mount_options *options)
{
	unsigned long flags = 0;

	for (size_t i = 0; i < ARRAY_SIZE(mount_flags); i++)
		if (*(const bool *)((const char *)options + mount_flags[i].member) ==
		    mount_flags[i].when)
			flags |= mount_flags[i].flag;
	return flags;
}

static int
explain_mount(const char *mountpoint, int err, struct fusek_mount_error *error)
{
	switch (err) {
	case ENODEV:
		return fusek_mount_fail(error, err,
					"the kernel has no fuse file system; modprobe fuse");
	case EPERM:
		return fusek_mount_fail(error, err,
					"mounting on %s is not permitted here (no CAP_SYS_ADMIN in "
					"this container or user namespace)",
					mountpoint);
	case EINVAL:
		return fusek_mount_fail(error, err, "the kernel refused the mount options for %s",
					mountpoint);
	}
	return fusek_mount_fail(error, err, "mounting on %s failed: %s", mountpoint, strerror(err));
}

static int
mount_by_system_call(const char *mountpoint, const struct fusek_mount_options *options, mode_t mode,
		     struct fusek_mount_error *error)
{
	CLEANUP(close_fd) int fd = open_device(error);
	char data[256], type[sizeof(options->subtype) + 8];
	const char *subtype = options->subtype[0] ? options->subtype : "userdrive";
	const char *source = options->fsname[0] ? options->fsname : subtype;

	if (fd < 0)
		return fd;
	int n = snprintf(data, sizeof(data), "fd=%d,rootmode=%o,user_id=%u,group_id=%u%s%s", fd,
			 mode, getuid(), getgid(), options->allow_other ? ",allow_other" : "",
			 options->default_permissions ? ",default_permissions" : "");
	if (options->max_read)
		snprintf(data + n, sizeof(data) - (size_t)n, ",max_read=%u", options->max_read);
	snprintf(type, sizeof(type), "fuse.%s", subtype);
	if (mount(source, mountpoint, type, flags_of(options), data) < 0)
		return explain_mount(mountpoint, errno, error);
	int ret = fd;
	fd = -1; /* NOLINT(clang-analyzer-deadcode.DeadStores): CLEANUP() reads it */
	return ret;
}

int
fusek_mount(const char *mountpoint, const struct fusek_mount_options *options, bool root_is_file,
	    struct fusek_mount_error *error)
{
	mode_t mode = 0;

	if (strncmp(mountpoint, "/dev/fd/", strlen("/dev/fd/")) == 0)
		return adopt_descriptor(mountpoint, error);
	int err = check_mountpoint(mountpoint, root_is_file, &mode, error);
	if (err < 0)
		return err;
	/* auto_unmount needs a process that outlives ours: the helper is one. */
	if (may_mount() && !options->auto_unmount)
		return mount_by_system_call(mountpoint, options, mode, error);
	return fusek_fusermount(mountpoint, options, error);
}

int
fusek_unmount(const char *mountpoint, bool lazy, struct fusek_mount_error *error)
{
	if (!may_mount())
		return fusek_fusermount_unmount(mountpoint, lazy, error);
	if (umount2(mountpoint, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) == 0) {
		fusek_mount_guard_end(mountpoint);
		return 0;
	}
	switch (errno) {
	case EBUSY:
		return fusek_mount_fail(error, EBUSY,
					"%s is in use; find out by whom with: fuser -vm %s",
					mountpoint, mountpoint);
	case EINVAL:
		return fusek_mount_fail(error, EINVAL, "%s is not mounted", mountpoint);
	}
	return fusek_mount_fail(error, errno, "unmounting %s failed: %s", mountpoint,
				strerror(errno));
}

/* The path as mountinfo shows it, found without touching what is mounted there. */
static bool
canonical_path(const char *path, char ret_path[PATH_MAX])
{
	char parent[PATH_MAX];
	size_t n = strlen(path);

	while (n > 1 && path[n - 1] == '/')
		n--;
	if (n == 0 || n >= sizeof(parent))
		return false;
	memcpy(parent, path, n);
	parent[n] = 0;
	char *slash = strrchr(parent, '/');
	if (!slash)
		return false;
	if (n == 1)
		return strcpy(ret_path, "/") != NULL;
	*slash = 0;
	char *real = realpath(slash == parent ? "/" : parent, NULL);
	if (!real)
		return false;
	int len = snprintf(ret_path, PATH_MAX, "%s/%s", strcmp(real, "/") ? real : "", slash + 1);
	free(real);
	return len < PATH_MAX;
}

/* "36 25 0:44 / /mnt/x rw - fuse.memfs …": the device's minor when it is path, else -1. */
static int
match_line(char *line, const char *path)
{
	unsigned int major, minor;
	int point_at = 0, point_end = 0;
	char *rest = strstr(line, " - ");

	if (!rest || sscanf(line, "%*d %*d %u:%u %*s %n%*s%n", &major, &minor, &point_at,
			    &point_end) < 2)
		return -1;
	if (strncmp(rest + 3, "fuse", 4) != 0 || point_end <= point_at)
		return -1;
	line[point_end] = 0;
	unescape_octal(line + point_at);
	return strcmp(line + point_at, path) == 0 ? (int)minor : -1;
}

int
fusek_mount_id(const char *mountpoint)
{
	char path[PATH_MAX];
	char *line = NULL;
	size_t cap = 0;
	int id = -ENOENT;

	if (!canonical_path(mountpoint, path))
		return -ENOENT;
	FILE *f = fopen("/proc/self/mountinfo", "re");
	if (!f)
		return -ENOENT;
	/* The last one covers the others. */
	while (getline(&line, &cap, f) > 0) {
		int minor = match_line(line, path);
		if (minor >= 0)
			id = minor;
	}
	free(line);
	fclose(f);
	return id;
}
