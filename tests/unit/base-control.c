/* A control socket that a peer can hang, or that outlives its process, makes "list" hang
 * or lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/clock.h"
#include "base/control.h"

enum { SOMEBODY = 54321, CALL_MS = 10000 };

static char scratch[64];

static int
handle(void *ctx, const char *verb, struct buf *json)
{
	if (strcmp(verb, "big") == 0) {
		buf_printf(json, "{\"x\":\"");
		for (int i = 0; i < 100000; i++)
			buf_add(json, "0123456789", 10);
		buf_printf(json, "\"}");
		return 0;
	}
	if (strcmp(verb, "nothing") == 0)
		return 0;
	if (strcmp(verb, "half") == 0) {
		buf_printf(json, "{\"unfinished");
		return -EACCES;
	}
	if (strcmp(verb, "info") != 0)
		return -EOPNOTSUPP;
	buf_printf(json, "{\"drive\":");
	buf_json_string(json, ctx);
	buf_printf(json, "}");
	return 0;
}

static const struct control_ops ops = {handle};

static int
start(void **state)
{
	char drive[] = "Z:";
	static char name[sizeof(drive)];

	memcpy(name, drive, sizeof(drive));
	strcpy(scratch, "/tmp/userdrive-unit-XXXXXX");
	if (!mkdtemp(scratch) || setenv("USERDRIVE_RUNTIME_DIR", scratch, 1) < 0)
		return -1;
	return control_server_start(&ops, name, (struct control_server **)state);
}

static int
stop(void **state)
{
	char path[PATH_MAX + 16];

	control_server_stop(*state);
	snprintf(path, sizeof(path), "%s/control", scratch);
	/* Fails when the server left its socket. */
	return rmdir(path) < 0 || rmdir(scratch) < 0 ? -1 : 0;
}

static void
assert_answer(const char *path, const char *verb, const char *expected)
{
	struct buf reply = BUF_INIT;

	assert_int_equal(control_call(path, verb, CALL_MS, &reply), 0);
	assert_string_equal(buf_str(&reply), expected);
	buf_fini(&reply);
}

static int
raw_connect(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void
a_verb_is_answered(void **state)
{
	const char *path = control_server_path(*state);

	assert_answer(path, "info", "{\"drive\":\"Z:\"}");
	assert_answer(path, "info", "{\"drive\":\"Z:\"}");
}

static void
an_error_is_one_object_too(void **state)
{
	const char *path = control_server_path(*state);

	assert_answer(path, "dance", "{\"error\":\"EOPNOTSUPP\"}\n");
	assert_answer(path, "half", "{\"error\":\"EACCES\"}\n");
}

static void
a_long_answer_arrives_whole(void **state)
{
	struct buf reply = BUF_INIT;

	assert_int_equal(
		control_call(control_server_path(*state), "big", CALL_MS, &reply), 0);
	assert_int_equal(reply.n, 1000008);
	buf_fini(&reply);
}

static void
an_impossible_verb_is_refused_before_it_is_sent(void **state)
{
	struct buf reply = BUF_INIT;
	char verb[CONTROL_VERB_MAX + 2];

	memset(verb, 'v', sizeof(verb));
	verb[sizeof(verb) - 1] = 0;
	assert_int_equal(
		control_call(control_server_path(*state), "a\nb", CALL_MS, &reply),
		-EINVAL);
	assert_int_equal(control_call(control_server_path(*state), "", CALL_MS, &reply),
			 -EINVAL);
	assert_int_equal(control_call(control_server_path(*state), verb, CALL_MS, &reply),
			 -EINVAL);
	verb[CONTROL_VERB_MAX] = 0;
	assert_answer(control_server_path(*state), verb, "{\"error\":\"EOPNOTSUPP\"}\n");
	buf_fini(&reply);
}

static void
an_endless_verb_is_cut_off(void **state)
{
	int fd = raw_connect(control_server_path(*state));
	char line[4096], answer[64] = "";
	ssize_t n;

	memset(line, 'v', sizeof(line));
	assert_int_equal(send(fd, line, sizeof(line), MSG_NOSIGNAL), sizeof(line));
	n = recv(fd, answer, sizeof(answer) - 1, 0);
	assert_true(n > 0);
	assert_string_equal(answer, "{\"error\":\"EMSGSIZE\"}\n");
	close(fd);
}

static void
no_answer_is_a_protocol_error(void **state)
{
	struct buf reply = BUF_INIT;

	assert_int_equal(
		control_call(control_server_path(*state), "nothing", CALL_MS, &reply),
		-EPROTO);
	buf_fini(&reply);
}

static void
a_silent_peer_delays_the_next_only_so_long(void **state)
{
	int fd = raw_connect(control_server_path(*state));

	assert_true(fd >= 0);
	assert_answer(control_server_path(*state), "info", "{\"drive\":\"Z:\"}");
	close(fd);
}

static void
a_silent_peer_does_not_delay_the_stop(void **state)
{
	int fd = raw_connect(control_server_path(*state));
	uint64_t before;

	assert_true(fd >= 0);
	before = clock_monotonic_ns();
	control_server_stop(*state);
	assert_true(clock_monotonic_ns() - before < CONTROL_PEER_MS * 1000000ull / 2);
	close(fd);
	*state = NULL;
}

static void
a_peer_that_does_not_read_does_not_hang_the_server(void **state)
{
	int fd = raw_connect(control_server_path(*state));

	assert_int_equal(send(fd, "big\n", 4, MSG_NOSIGNAL), 4);
	assert_answer(control_server_path(*state), "info", "{\"drive\":\"Z:\"}");
	close(fd);
}

static void
a_stranger_is_refused(void **state)
{
	const char *path = control_server_path(*state);
	char dir[PATH_MAX + 16];
	int status;

	if (geteuid() != 0)
		skip();
	/* Even if the permissions let him in. */
	snprintf(dir, sizeof(dir), "%s/control", scratch);
	assert_int_equal(chmod(scratch, 0755) | chmod(dir, 0755) | chmod(path, 0666), 0);
	pid_t child = fork();
	if (child == 0) {
		struct buf reply = BUF_INIT;
		if (setgid(SOMEBODY) < 0 || setuid(SOMEBODY) < 0)
			_exit(2);
		int err = control_call(path, "info", CALL_MS, &reply);
		_exit(err < 0 && err != -EACCES && reply.n == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void
the_socket_is_its_owners(void **state)
{
	struct stat st;

	assert_int_equal(stat(control_server_path(*state), &st), 0);
	assert_int_equal(st.st_mode, S_IFSOCK | 0600);
}

static void
a_server_that_does_not_answer_times_out(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct buf reply = BUF_INIT;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/mute", scratch);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(control_call(address.sun_path, "info", 50, &reply), -ETIMEDOUT);
	close(fd);
	assert_int_equal(control_call(address.sun_path, "info", 50, &reply),
			 -ECONNREFUSED);
	unlink(address.sun_path);
	assert_int_equal(control_call(address.sun_path, "info", 50, &reply), -ENOENT);
	buf_fini(&reply);
}

struct seen {
	int n;
	pid_t pid;
	char path[PATH_MAX];
};

static int
remember(void *ctx, pid_t pid, const char *path)
{
	struct seen *seen = ctx;

	seen->n++;
	seen->pid = pid;
	snprintf(seen->path, sizeof(seen->path), "%s", path);
	return 0;
}

static int
end_walk(void *ctx, pid_t pid, const char *path)
{
	return 42;
}

static void
living_sockets_are_listed(void **state)
{
	struct seen seen = {0};

	assert_int_equal(control_list(remember, &seen), 0);
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.pid, getpid());
	assert_string_equal(seen.path, control_server_path(*state));
	assert_int_equal(control_list(end_walk, NULL), 42);
}

static void
sockets_of_the_dead_are_removed(void **state)
{
	char dead[PATH_MAX + 64], other[PATH_MAX + 64];
	struct seen seen = {0};
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	snprintf(dead, sizeof(dead), "%s/control/%d-0.sock", scratch, (int)child);
	snprintf(other, sizeof(other), "%s/control/%d-0.sock.bak", scratch, (int)child);
	assert_int_equal(mknod(dead, S_IFREG | 0600, 0) | mknod(other, S_IFREG | 0600, 0),
			 0);
	assert_int_equal(control_list(remember, &seen), 0);
	assert_int_equal(seen.n, 1);
	assert_int_equal(access(dead, F_OK), -1);
	/* A name that is not ours is left alone. */
	assert_int_equal(unlink(other), 0);
}

static void
one_process_may_serve_twice(void **state)
{
	struct control_server *second;
	struct seen seen = {0};
	char name[] = "Y:";

	assert_int_equal(control_server_start(&ops, name, &second), 0);
	assert_int_equal(control_list(remember, &seen), 0);
	assert_int_equal(seen.n, 2);
	assert_answer(control_server_path(second), "info", "{\"drive\":\"Y:\"}");
	control_server_stop(second);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_verb_is_answered),
		TEST(an_error_is_one_object_too),
		TEST(a_long_answer_arrives_whole),
		TEST(an_impossible_verb_is_refused_before_it_is_sent),
		TEST(an_endless_verb_is_cut_off),
		TEST(no_answer_is_a_protocol_error),
		TEST(a_silent_peer_delays_the_next_only_so_long),
		TEST(a_silent_peer_does_not_delay_the_stop),
		TEST(a_peer_that_does_not_read_does_not_hang_the_server),
		TEST(a_stranger_is_refused),
		TEST(the_socket_is_its_owners),
		TEST(a_server_that_does_not_answer_times_out),
		TEST(living_sockets_are_listed),
		TEST(sockets_of_the_dead_are_removed),
		TEST(one_process_may_serve_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
