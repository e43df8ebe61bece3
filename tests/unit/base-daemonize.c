/* A mount command that says "done" too early, or hangs, breaks every script around it. */
#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/os/posix/daemonize.h"

/* Runs a program that becomes a daemon and then body; its exit code and its stderr. */
static int
run(void (*body)(struct daemonize *d, int report_fd), int report_fd, char *messages,
    size_t cap)
{
	int status, fds[2];
	size_t n = 0;
	ssize_t got;

	assert_int_equal(pipe(fds), 0);
	pid_t command = fork();
	if (command == 0) {
		struct daemonize d;
		dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		close(fds[1]);
		if (daemonize_begin(&d) != 0)
			_exit(99);
		body(&d, report_fd);
		_exit(0);
	}
	close(fds[1]);
	assert_int_equal(waitpid(command, &status, 0), command);
	/* Ends when command and daemon have left their stderr. */
	while (n < cap - 1 && (got = read(fds[0], messages + n, cap - 1 - n)) > 0)
		n += (size_t)got;
	messages[n] = 0;
	close(fds[0]);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

struct report {
	pid_t session, pid;
	char cwd[64];
	bool stderr_is_null;
};

static void
become_ready(struct daemonize *d, int report_fd)
{
	struct report r = {0};
	struct stat err_stat, null_stat;

	fprintf(stderr, "still heard\n");
	if (daemonize_ready(d) != 0)
		_exit(1);
	r.session = getsid(0);
	r.pid = getpid();
	if (!getcwd(r.cwd, sizeof(r.cwd)))
		_exit(1);
	r.stderr_is_null = fstat(2, &err_stat) == 0 &&
			   stat("/dev/null", &null_stat) == 0 &&
			   err_stat.st_rdev == null_stat.st_rdev;
	if (write(report_fd, &r, sizeof(r)) != sizeof(r))
		_exit(1);
}

static void
a_ready_daemon_has_left_the_terminal(void **state)
{
	char messages[256];
	struct report r;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(run(become_ready, fds[1], messages, sizeof(messages)), 0);
	assert_string_equal(messages, "still heard\n");
	assert_int_equal(read(fds[0], &r, sizeof(r)), sizeof(r));
	assert_int_equal(r.session, r.pid);
	assert_string_equal(r.cwd, "/");
	assert_true(r.stderr_is_null);
	close(fds[0]);
	close(fds[1]);
}

static void
fail_with_three(struct daemonize *d, int report_fd)
{
	daemonize_failed(d, 3);
}

static void
fail_with_zero(struct daemonize *d, int report_fd)
{
	daemonize_failed(d, 0);
}

static void
die(struct daemonize *d, int report_fd)
{
	signal(SIGTERM, SIG_DFL);
	raise(SIGTERM);
}

static void
leave(struct daemonize *d, int report_fd)
{
	_exit(7);
}

static void
a_failure_is_the_commands_exit_code(void **state)
{
	char messages[256];

	assert_int_equal(run(fail_with_three, -1, messages, sizeof(messages)), 3);
	assert_int_equal(run(fail_with_zero, -1, messages, sizeof(messages)), 1);
	assert_string_equal(messages, "");
}

static void
a_death_is_reported(void **state)
{
	char messages[256];

	assert_int_equal(run(die, -1, messages, sizeof(messages)), 1);
	assert_non_null(strstr(messages, "signal=Terminated"));
	assert_int_equal(run(leave, -1, messages, sizeof(messages)), 1);
	assert_non_null(strstr(messages, "exit_code=7"));
}

static void
the_foreground_needs_no_verdict(void **state)
{
	struct daemonize d = DAEMONIZE_NONE;

	assert_int_equal(daemonize_ready(&d), 0);
	daemonize_failed(&d, 2);
}

/* Someone pressed Ctrl-C: the daemon learns that nobody waits, and is not killed by it.
 */
static void
a_parent_that_went_away_is_told(void **state)
{
	int fds[2], status;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	close(fds[0]);
	pid_t child = fork();
	if (child == 0) {
		struct daemonize d = {fds[1]};
		_exit(daemonize_ready(&d) == -EPIPE ? 0 : 1);
	}
	close(fds[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ready_daemon_has_left_the_terminal),
		cmocka_unit_test(a_failure_is_the_commands_exit_code),
		cmocka_unit_test(a_death_is_reported),
		cmocka_unit_test(the_foreground_needs_no_verdict),
		cmocka_unit_test(a_parent_that_went_away_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
