/* Options of a session, and its mount. */
#include "api/fuse/lowlevel.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int
take_transport(struct fuse_session *se, const char *value)
{
	if (strcmp(value, "dev") == 0)
		se->transport = FUSEK_TRANSPORT_DEV;
	else if (strcmp(value, "uring") == 0)
		se->transport = FUSEK_TRANSPORT_URING;
	else if (strcmp(value, "auto") != 0) {
		fuse_log(FUSE_LOG_ERR, "fuse: transport=%s: give auto, uring or dev\n", value);
		return -1;
	}
	return 0;
}

int
ll_option_take(struct fuse_session *se, const char *arg)
{
	struct fusek_mount_error error;

	if (strcmp(arg, "debug") == 0 || strcmp(arg, "-d") == 0 || strcmp(arg, "--debug") == 0) {
		se->debug = true;
		return 0;
	}
	if (strcmp(arg, "allow_root") == 0) {
		/* The kernel lets everybody in, and the library all but root out again. */
		se->deny_others = true;
		se->mount.allow_other = true;
		return 0;
	}
	if (strcmp(arg, "io_uring") == 0 || strncmp(arg, "io_uring_q_depth=", 17) == 0)
		return 0;
	if (strncmp(arg, "transport=", 10) == 0)
		return take_transport(se, arg + 10);
	int taken = fusek_mount_option_parse(&se->mount, strcmp(arg, "-r") == 0 ? "ro" : arg, &error);
	if (taken < 0)
		fuse_log(FUSE_LOG_ERR, "fuse: %s\n", error.text);
	if (taken > 0 && se->mount.max_read)
		se->conn.max_read = se->mount.max_read;
	return taken < 0 ? -1 : !taken;
}

/* The device must not become standard input, output or error. */
static int
fill_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= 2);
	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

static char *
absolute_path(const char *path)
{
	char cwd[PATH_MAX];
	char *result = realpath(path, NULL);

	if (result || path[0] == '/' || !getcwd(cwd, sizeof(cwd)))
		return result ? result : strdup(path);
	return asprintf(&result, "%s/%s", cwd, path) < 0 ? NULL : result;
}

int
fuse_session_mount(struct fuse_session *se, const char *mountpoint)
{
	struct fusek_mount_error error;
	bool passed_in = mountpoint && strncmp(mountpoint, "/dev/fd/", 8) == 0;
	struct stat st;

	if (!mountpoint) {
		fuse_log(FUSE_LOG_ERR, "fuse: no mount point was given\n");
		return -1;
	}
	if (fill_standard_descriptors() < 0)
		return -1;
	CLEANUP(free_ptr) char *path = passed_in ? strdup(mountpoint) : absolute_path(mountpoint);
	if (!path)
		return -1;
	bool is_file = !passed_in && stat(path, &st) == 0 && !S_ISDIR(st.st_mode);
	int fd = fusek_mount(path, &se->mount, is_file, &error);
	if (fd < 0) {
		fuse_log(FUSE_LOG_ERR, "fuse: %s\n", error.text);
		return -1;
	}
	se->fd = fd;
	if (!passed_in)
		se->mountpoint = take(&path);
	return 0;
}
