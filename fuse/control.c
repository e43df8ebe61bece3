/*
 * Ending a connection from the server's side, by the kernel's control file for it. This is also
 * what makes readers return that are blocked in read().
 */
#include "fuse/session_priv.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

#define FUSE_CTL_SUPER_MAGIC 0x65735543

/* "fuse_connection:\t39" in fdinfo (Linux 6.16), or -1. */
static int
connection_id(int dev_fd)
{
	char path[64], line[128];
	int id = -1;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", dev_fd);
	FILE *f = fopen(path, "re");
	while (f && id < 0 && fgets(line, sizeof(line), f))
		if (sscanf(line, "fuse_connection: %d", &id) != 1)
			id = -1;
	if (f)
		fclose(f);
	return id;
}

/* The control file system where it is mounted, else (with privilege) one that nobody sees. */
static int
open_control(void)
{
	int fd = open("/sys/fs/fuse/connections", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct statfs st;

	if (fd >= 0 && fstatfs(fd, &st) == 0 && st.f_type == FUSE_CTL_SUPER_MAGIC)
		return fd;
	close_fd(&fd);
	CLEANUP(close_fd) int context = fsopen("fusectl", FSOPEN_CLOEXEC);
	if (context < 0 || fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -1;
	return fsmount(context, FSMOUNT_CLOEXEC, 0);
}

int
fusek_control_open(int dev_fd)
{
	int id = connection_id(dev_fd);
	CLEANUP(close_fd) int control = id >= 0 ? open_control() : -1;
	char path[32];

	if (control < 0)
		return -1;
	snprintf(path, sizeof(path), "%d/abort", id);
	return openat(control, path, O_WRONLY | O_CLOEXEC);
}
