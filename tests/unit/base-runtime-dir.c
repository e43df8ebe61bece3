/* A runtime directory that a stranger prepared gives him our sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/os/posix/runtime_dir.h"

enum { SOMEBODY = 54321 };

static char scratch[64];

/* The path below scratch. */
static const char *
at(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", scratch, name);
	return path;
}

static int
make_scratch(void **state)
{
	strcpy(scratch, "/tmp/userdrive-unit-XXXXXX");
	if (!mkdtemp(scratch) || setenv("USERDRIVE_RUNTIME_DIR", at("run"), 1) < 0)
		return -1;
	unsetenv("XDG_RUNTIME_DIR");
	return 0;
}

static int
remove_scratch(void **state)
{
	static const char *const names[] = {"run/control", "run/drives", "xdg/userdrive",
					    "xdg/drives",  "run",	 "xdg",
					    "target"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (rmdir(at(names[i])) < 0 && errno == ENOTDIR)
			unlink(at(names[i]));
	return rmdir(scratch);
}

static void
directories_are_made(void **state)
{
	char path[PATH_MAX];
	struct stat st;

	assert_int_equal(runtime_dir(path, sizeof(path)), 0);
	assert_string_equal(path, at("run"));
	assert_int_equal(drives_dir(path, sizeof(path)), 0);
	assert_string_equal(path, at("run/drives"));
	assert_int_equal(runtime_subdir("control", path, sizeof(path)), 0);
	assert_string_equal(path, at("run/control"));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0700);
	/* And again, now that they are there. */
	assert_int_equal(runtime_subdir("control", path, sizeof(path)), 0);
}

static void
a_symbolic_link_is_refused(void **state)
{
	char path[PATH_MAX], target[PATH_MAX];

	snprintf(target, sizeof(target), "%s", at("target"));
	assert_int_equal(mkdir(target, 0700), 0);
	assert_int_equal(symlink(target, at("run")), 0);
	assert_int_equal(runtime_dir(path, sizeof(path)), -ENOTDIR);
}

static void
a_directory_others_may_write_is_refused(void **state)
{
	char path[PATH_MAX];

	assert_int_equal(mkdir(at("run"), 0700), 0);
	assert_int_equal(chmod(at("run"), 0777), 0);
	assert_int_equal(runtime_dir(path, sizeof(path)), -EPERM);
}

static void
another_users_directory_is_refused(void **state)
{
	char path[PATH_MAX];

	if (geteuid() != 0)
		skip();
	assert_int_equal(mkdir(at("run"), 0700), 0);
	assert_int_equal(chown(at("run"), SOMEBODY, SOMEBODY), 0);
	assert_int_equal(runtime_dir(path, sizeof(path)), -EPERM);
}

static void
a_short_buffer_is_told(void **state)
{
	char path[8];

	assert_int_equal(runtime_dir(path, sizeof(path)), -ENAMETOOLONG);
	assert_int_equal(drives_dir(path, sizeof(path)), -ENAMETOOLONG);
}

/* Runs check as an ordinary user; true when it answers true. */
static bool
as_somebody(bool (*check)(void))
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		if (geteuid() == 0 && (setgid(SOMEBODY) < 0 || setuid(SOMEBODY) < 0))
			_exit(2);
		unsetenv("USERDRIVE_RUNTIME_DIR");
		_exit(check() ? 0 : 1);
	}
	return waitpid(child, &status, 0) == child && WIFEXITED(status) &&
	       WEXITSTATUS(status) == 0;
}

static bool
uses_xdg(void)
{
	char path[PATH_MAX];

	setenv("XDG_RUNTIME_DIR", at("xdg"), 1);
	return runtime_dir(path, sizeof(path)) == 0 &&
	       strcmp(path, at("xdg/userdrive")) == 0 &&
	       drives_dir(path, sizeof(path)) == 0 && strcmp(path, at("xdg/drives")) == 0;
}

static bool
uses_tmp(void)
{
	char path[PATH_MAX], drives[PATH_MAX], expected[64];
	bool ok;

	setenv("XDG_RUNTIME_DIR", "/", 1); /* another user's */
	snprintf(expected, sizeof(expected), "/tmp/userdrive-%u", (unsigned)geteuid());
	ok = drives_dir(drives, sizeof(drives)) == 0 &&
	     runtime_dir(path, sizeof(path)) == 0 && strcmp(path, expected) == 0 &&
	     strncmp(drives, expected, strlen(expected)) == 0 &&
	     strcmp(drives + strlen(expected), "/drives") == 0;
	rmdir(drives);
	rmdir(path);
	return ok;
}

static void
users_have_theirs_below_xdg_runtime_dir(void **state)
{
	assert_int_equal(chmod(scratch, 0755), 0);
	assert_int_equal(mkdir(at("xdg"), 0700), 0);
	if (geteuid() == 0)
		assert_int_equal(chown(at("xdg"), SOMEBODY, SOMEBODY), 0);
	assert_true(as_somebody(uses_xdg));
}

static void
users_without_a_session_have_theirs_in_tmp(void **state)
{
	/* Only as a user that this machine does not have: a real one's directory is in
	 * use. */
	if (geteuid() != 0)
		skip();
	assert_true(as_somebody(uses_tmp));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scratch, remove_scratch)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(directories_are_made),
		TEST(a_symbolic_link_is_refused),
		TEST(a_directory_others_may_write_is_refused),
		TEST(another_users_directory_is_refused),
		TEST(a_short_buffer_is_told),
		TEST(users_have_theirs_below_xdg_runtime_dir),
		TEST(users_without_a_session_have_theirs_in_tmp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
