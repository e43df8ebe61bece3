#include "base/os/posix/daemonize.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/log.h"

static void
report_death(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return;
	if (WIFSIGNALED(status))
		log_error("daemonize",
			  "the background process died before it was ready signal=%s",
			  strsignal(WTERMSIG(status)));
	else
		log_error("daemonize",
			  "the background process ended before it was ready exit_code=%d",
			  WEXITSTATUS(status));
}

/* _exit, because what exit would run and flush belongs to the child now. */
static _Noreturn void
await_verdict(int fd, pid_t child)
{
	unsigned char exit_code;
	ssize_t n;

	do
		n = recv(fd, &exit_code, 1, 0);
	while (n < 0 && errno == EINTR);
	if (n != 1) {
		report_death(child);
		exit_code = 1;
	}
	_exit(exit_code);
}

int
daemonize_begin(struct daemonize *d)
{
	int fds[2];
	pid_t child;

	/* A socket, not a pipe: a verdict nobody reads must not raise SIGPIPE. */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	fflush(NULL);
	child = fork();
	if (child < 0) {
		int err = -errno;
		close(fds[0]);
		close(fds[1]);
		return err;
	}
	if (child > 0) {
		close(fds[1]);
		await_verdict(fds[0], child);
	}
	close(fds[0]);
	setsid();
	d->verdict_fd = fds[1];
	return 0;
}

static int
send_verdict(struct daemonize *d, int exit_code)
{
	unsigned char byte = (unsigned char)exit_code;
	int err = 0;

	while (send(d->verdict_fd, &byte, 1, MSG_NOSIGNAL) < 0) {
		if (errno == EINTR)
			continue;
		err = -errno;
		break;
	}
	close(d->verdict_fd);
	d->verdict_fd = -1;
	return err;
}

static int
leave_terminal(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	fflush(NULL);
	for (int stream = 0; stream <= 2; stream++)
		dup2(fd, stream);
	if (fd > 2)
		close(fd);
	return chdir("/") < 0 ? -errno : 0;
}

int
daemonize_ready(struct daemonize *d)
{
	int err;

	if (d->verdict_fd < 0)
		return 0;
	err = leave_terminal();
	if (err) {
		daemonize_failed(d, 1);
		return err;
	}
	return send_verdict(d, 0);
}

void
daemonize_failed(struct daemonize *d, int exit_code)
{
	if (d->verdict_fd < 0)
		return;
	fflush(NULL);
	/* When nobody waits any more, the verdict is lost, and that is all right. */
	(void)send_verdict(d, exit_code > 0 && exit_code <= 255 ? exit_code : 1);
}
