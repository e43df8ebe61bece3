/* Disk programs: the command line, what is printed, the control socket, the exit codes. */
#include "tests/api/spd-util.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/control.h"

static char given[256];

static int
set_option(SPDX_PROGRAM *program, const char *name, const char *value, char *error, SIZE_T cap)
{
	size_t n = strlen(given);

	if (value && strcmp(value, "bad") == 0) {
		snprintf(error, cap, "%s: that is bad", name);
		return -1;
	}
	snprintf(given + n, sizeof(given) - n, "%s%s%s%s", n ? " " : "", name, value ? "=" : "",
		 value ? value : "");
	return 0;
}

static DWORD
create(SPDX_PROGRAM *program, PWSTR door, SPD_STORAGE_UNIT **ret, char *error, SIZE_T cap)
{
	SPD_STORAGE_UNIT_PARAMS params = spd_test_params();

	if (strstr(given, "broken")) {
		snprintf(error, cap, "the image is broken");
		return ERROR_FILE_CORRUPT;
	}
	return SpdStorageUnitCreate(door, &params, &spd_test_interface, ret);
}

static VOID
delete_unit(SPDX_PROGRAM *program, SPD_STORAGE_UNIT *unit)
{
	SpdStorageUnitDelete(unit);
}

static const SPDX_OPTION options[] = {{'f', "file", "FILE", "the image"},
				      {'W', "writable", "0|1", "may be written"},
				      {0, NULL, NULL, NULL}};
static SPDX_PROGRAM program = {.Size = sizeof(program), .Name = "testdisk", .Version = "1",
			       .Summary = "a test", .SourceName = "IMAGE", .SourceOption = "file",
			       .Options = options, .ThreadCount = 2, .SetOption = set_option,
			       .Create = create, .Delete = delete_unit};

/* In a process of its own; its standard output is at out. */
static pid_t
start(const char *const *words, int *ret_out)
{
	int fds[2];
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		char *argv[16] = {(char *)"testdisk"};
		int argc = 1;

		for (; *words; words++)
			argv[argc++] = (char *)(uintptr_t)*words;
		given[0] = 0;
		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		close(fds[1]);
		alarm(60);
		exit(SpdxProgramMain(&program, argc, argv));
	}
	close(fds[1]);
	*ret_out = fds[0];
	return pid;
}

static int
finish(pid_t pid, int out)
{
	char rest[512];
	int status;

	while (read(out, rest, sizeof(rest)) > 0)
		; /* to the end: nobody is to die of a pipe that is closed */
	close(out);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int
run(const char *const *words)
{
	int out;
	pid_t pid = start(words, &out);

	return finish(pid, out);
}
#define WORDS(...) (const char *const[]){__VA_ARGS__, NULL}

static void
test_exit_codes(void **state)
{
	assert_int_equal(run(WORDS("--help")), SpdxExitSuccess);
	assert_int_equal(run(WORDS("-V")), SpdxExitSuccess);
	assert_int_equal(run(WORDS("-x")), SpdxExitUsage);
	assert_int_equal(run(WORDS("-f")), SpdxExitUsage);
	assert_int_equal(run(WORDS("-f", "bad")), SpdxExitUsage);
	assert_int_equal(run(WORDS("-o", "nosuch=1")), SpdxExitUsage);
	assert_int_equal(run(WORDS("a", "b")), SpdxExitUsage);
	assert_int_equal(run(WORDS("-f", "broken", "-p", "\\\\.\\pipe\\disk")), SpdxExitUnit);
	assert_int_equal(run(WORDS("-p", "ublk:")), SpdxExitNoDoor);
	assert_int_equal(run(WORDS("-p", "nonsense")), SpdxExitDoor);
	assert_int_equal(run(WORDS("-p", "\\\\.\\pipe\\disk", "-p", "\\\\.\\pipe\\disk")),
			 SpdxExitDoor);
}

static void
read_line(int fd, char *dst, size_t cap)
{
	size_t n = 0;

	while (n + 1 < cap && read(fd, dst + n, 1) == 1 && dst[n] != '\n')
		n++;
	dst[n] = 0;
}

static int
keep_pid(void *ctx, pid_t pid, const char *path)
{
	*(pid_t *)ctx = pid;
	return 0;
}

static int
ask_one(void *ctx, pid_t pid, const char *path)
{
	struct { const char *verb; struct buf *reply; } *question = ctx;

	return control_call(path, question->verb, 5000, question->reply) == 0;
}

/* Of the one program that runs in this test's directory. */
static void
ask(const char *verb, struct buf *reply)
{
	struct { const char *verb; struct buf *reply; } question = {verb, reply};

	assert_int_equal(control_list(ask_one, &question), 1);
}

static void
test_foreground(void **state)
{
	CLEANUP(buf_fini) struct buf reply = BUF_INIT;
	char line[256];
	int out, fd;
	pid_t pid = start(WORDS("-f", "image", "-p", "\\\\.\\pipe\\disk", "--door",
				"\\\\.\\pipe\\other", "-W", "1"), &out);

	read_line(out, line, sizeof(line));
	assert_string_equal(line, "\\\\.\\pipe\\disk\\0");
	read_line(out, line, sizeof(line));
	assert_string_equal(line, "\\\\.\\pipe\\other\\0");
	ask("info", &reply);
	assert_non_null(strstr(buf_str(&reply), "\"kind\":\"disk\""));
	assert_non_null(strstr(buf_str(&reply), "\"size\":1048576"));
	assert_non_null(
		strstr(buf_str(&reply), "\"guid\":\"01020304-0506-0708-0102-030405060708\""));
	assert_non_null(strstr(buf_str(&reply), "\"counters\":{"));
	fd = spd_test_open(0);
	ask("leave", &reply);
	assert_non_null(strstr(buf_str(&reply), "EBUSY"));
	ask("resize 5", &reply);
	assert_non_null(strstr(buf_str(&reply), "EOPNOTSUPP"));
	ask("resize x", &reply);
	assert_non_null(strstr(buf_str(&reply), "EINVAL"));
	close(fd);
	kill(pid, SIGTERM);
	assert_int_equal(finish(pid, out), SpdxExitSuccess);
	assert_int_equal(spd_test_connect(0, ""), -1);
}

static void
test_leave(void **state)
{
	CLEANUP(buf_fini) struct buf reply = BUF_INIT;
	char line[256];
	int out;
	pid_t pid = start(WORDS("-p", "\\\\.\\pipe\\disk"), &out);

	read_line(out, line, sizeof(line));
	ask("leave", &reply);
	assert_string_equal(buf_str(&reply), "{\"left\":true}");
	assert_int_equal(finish(pid, out), SpdxExitSuccess);
}

static void
test_background(void **state)
{
	CLEANUP(buf_fini) struct buf reply = BUF_INIT;
	char line[256];
	int out;
	pid_t server = 0, pid = start(WORDS("image", "--door", "\\\\.\\pipe\\disk"), &out);

	read_line(out, line, sizeof(line));
	assert_string_equal(line, "\\\\.\\pipe\\disk\\0");
	assert_int_equal(finish(pid, out), SpdxExitSuccess); /* returns; the disk stays */
	close(spd_test_open(0));
	assert_int_equal(control_list(keep_pid, &server), 0);
	assert_true(server > 0 && server != pid);
	ask("stop", &reply);
	assert_string_equal(buf_str(&reply), "{\"stopping\":true}");
	SPD_TEST_WAIT(kill(server, 0) < 0);
	/* A failure is the command's own. */
	assert_int_equal(run(WORDS("broken", "--door", "\\\\.\\pipe\\disk")), SpdxExitUnit);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, spd_test_setup, spd_test_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_exit_codes), TEST(test_foreground), TEST(test_leave),
		TEST(test_background),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
