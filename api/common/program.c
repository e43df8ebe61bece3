#include "api/common/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include "api/common/trace.h"
#include "base/log.h"

void
program_ensure_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int
program_debug_log(const char *file)
{
	int fd = STDERR_FILENO;

	if (file && strcmp(file, "-") != 0)
		fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0) {
		log_error("program", "%s: %s", file, strerror(errno));
		return -1;
	}
	trace_set_fd(fd);
	return 0;
}

int
program_events_init(struct program_events *e)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	e->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
	e->stop_fd = eventfd(0, EFD_CLOEXEC);
	return e->signal_fd < 0 || e->stop_fd < 0 ? -errno : 0;
}

void
program_events_fini(struct program_events *e)
{
	close_fd(&e->signal_fd);
	close_fd(&e->stop_fd);
}

int
program_events_stop(struct program_events *e)
{
	uint64_t one = 1;

	return write(e->stop_fd, &one, sizeof(one)) == (ssize_t)sizeof(one) ? 0 : -EIO;
}

void
program_events_wait(struct program_events *e)
{
	struct pollfd p[] = {{.fd = e->signal_fd, .events = POLLIN},
			     {.fd = e->stop_fd, .events = POLLIN}};
	struct signalfd_siginfo taken;
	uint64_t count;

	while (poll(p, ARRAY_SIZE(p), -1) < 0 && errno == EINTR)
		;
	/* What is taken here is not delivered again when signals are unblocked. */
	while ((p[0].revents & POLLIN) && read(e->signal_fd, &taken, sizeof(taken)) < 0 &&
	       errno == EINTR)
		;
	while ((p[1].revents & POLLIN) && read(e->stop_fd, &count, sizeof(count)) < 0 &&
	       errno == EINTR)
		;
}

void
program_signals_unblock(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}
