/* Going into the background, and the version of the interface. */
#include "api/fuse/lowlevel.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The parent leaves once the child has let go of the terminal, or has died before. */
static void
wait_for_child(int fd)
{
	char done;

	_exit(read(fd, &done, 1) == 1 ? EXIT_SUCCESS : EXIT_FAILURE);
}

static int
leave_terminal(int report_fd)
{
	char done = 1;

	if (setsid() < 0 || chdir("/") < 0)
		return -1;
	int fd = open("/dev/null", O_RDWR);
	for (int i = 0; fd >= 0 && i <= 2; i++)
		dup2(fd, i);
	if (fd > 2)
		close(fd);
	return write(report_fd, &done, 1) == 1 ? 0 : -1;
}

int
fuse_daemonize(int foreground)
{
	int fds[2];

	if (foreground)
		return chdir("/") < 0 ? -1 : 0;
	if (pipe2(fds, O_CLOEXEC) < 0) {
		perror("fuse_daemonize: pipe");
		return -1;
	}
	pid_t pid = fork();
	if (pid > 0) {
		close(fds[1]);
		wait_for_child(fds[0]);
	}
	int err = pid < 0 ? -1 : leave_terminal(fds[1]);
	if (err < 0)
		perror("fuse_daemonize");
	close(fds[0]);
	close(fds[1]);
	return err;
}

void
fuse_lowlevel_version(void)
{
	printf("using FUSE kernel interface version %i.%i\n", FUSE_KERNEL_VERSION,
	       FUSE_KERNEL_MINOR_VERSION);
}
