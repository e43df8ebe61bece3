/*
 * Mounting: by the system call, by fusermount3 without privilege, on a passed descriptor; what
 * people are told when it does not work; falling back from io_uring with a reason.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "fuse-nullfs.h"

enum { NOBODY = 65534 };

static const struct fusek_mount_options plain = {.subtype = "nulltest", .fsname = "nulltest"};

static void
make_directory(char path[64])
{
	strcpy(path, "/tmp/userdrive-mount.XXXXXX");
	assert_non_null(mkdtemp(path));
}

static void
mistakes_are_explained(void **state)
{
	const struct {
		const char *path;
		bool is_file;
		int err;
		const char *word;
	} cases[] = {
		{"relative", false, EINVAL, "absolute"},
		{"/tmp/no-such-directory/of-userdrive", false, ENOENT, "create it"},
		{"/proc/version", false, ENOTDIR, "not a directory"},
		{"/tmp", true, EISDIR, "one file"},
		{"/dev/fd/9999", false, EBADF, "not open"},
		{"/dev/fd/0x", false, EINVAL, "number"},
		{"/dev/fd/2", false, EINVAL, "not /dev/fuse"},
	};
	struct fusek_mount_error error;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int err = fusek_mount(cases[i].path, &plain, cases[i].is_file, &error);
		assert_int_equal(err, -cases[i].err);
		assert_int_equal(error.err, cases[i].err);
		assert_non_null(strstr(error.text, cases[i].word));
	}
}

static void
unmounting_tells_what_is_wrong(void **state)
{
	struct fusek_mount_error error;
	struct fusek_config config = {.name = "nulltest", .transport = FUSEK_TRANSPORT_DEV};
	struct nullfs fs;
	char path[64];

	make_directory(path);
	assert_int_equal(fusek_unmount(path, false, &error), -EINVAL);
	assert_int_equal(rmdir(path), 0);
	nullfs_start(&fs, &config);
	int fd = open(nullfs_path(&fs, "plain"), O_RDONLY);
	assert_int_equal(fusek_unmount(fs.mountpoint, false, &error), -EBUSY);
	assert_non_null(strstr(error.text, "fuser"));
	close(fd);
	nullfs_stop(&fs);
}

static void
the_connection_number_is_found_without_touching_the_mount(void **state)
{
	struct fusek_config config = {.name = "nulltest", .transport = FUSEK_TRANSPORT_DEV};
	struct nullfs fs;
	struct stat st;
	char slashed[80];

	nullfs_start(&fs, &config);
	assert_int_equal(stat(fs.mountpoint, &st), 0);
	int id = fusek_mount_id(fs.mountpoint);
	assert_int_equal(id, st.st_dev & 0xff);
	snprintf(slashed, sizeof(slashed), "%s//", fs.mountpoint);
	assert_int_equal(fusek_mount_id(slashed), id);
	assert_int_equal(fusek_mount_id("/tmp"), -ENOENT);
	nullfs_stop(&fs);
}

static void
a_passed_descriptor_is_taken(void **state)
{
	struct fusek_mount_error error;
	char path[64], name[32];

	make_directory(path);
	int fd = fusek_mount(path, &plain, false, &error);
	assert_true(fd >= 0);
	int passed = fcntl(fd, F_DUPFD, 50);
	close(fd);
	snprintf(name, sizeof(name), "/dev/fd/%d", passed);
	assert_int_equal(fusek_mount(name, &plain, false, &error), passed);
	assert_int_equal(fcntl(passed, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fusek_unmount(path, true, &error), 0);
	close(passed);
	assert_int_equal(rmdir(path), 0);
}

/*
 * Distributions give /dev/fuse mode 0666. Where it is not so, the child gets a device of its
 * own, in a mount namespace of its own.
 */
static bool
open_device_to_users(void)
{
	char dir[] = "/tmp/userdrive-device.XXXXXX", node[64];
	struct stat st;

	if (stat("/dev/fuse", &st) == 0 && (st.st_mode & 06) == 06)
		return true;
	if (!mkdtemp(dir))
		return false;
	snprintf(node, sizeof(node), "%s/fuse", dir);
	bool ok = unshare(CLONE_NEWNS) == 0 &&
		  mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		  mknod(node, S_IFCHR | 0666, st.st_rdev) == 0 && chmod(node, 0666) == 0 &&
		  mount(node, "/dev/fuse", NULL, MS_BIND, NULL) == 0;
	unlink(node);
	rmdir(dir);
	return ok;
}

/* Runs fn in a child without privilege, in a directory of its own; the child's exit code. */
static int
as_nobody(int (*fn)(const char *path))
{
	char path[64];
	int status;

	make_directory(path);
	assert_int_equal(chown(path, NOBODY, NOBODY), 0);
	pid_t pid = fork();
	if (pid == 0) {
		if (!open_device_to_users())
			_exit(97);
		if (setgroups(0, NULL) < 0 || setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
			_exit(99);
		_exit(fn(path));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(rmdir(path), 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

static int
mount_and_unmount(const char *path)
{
	struct fusek_mount_error error;
	int fd = fusek_mount(path, &plain, false, &error);

	if (fd < 0) {
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	if (fusek_mount_id(path) < 0)
		return 2;
	if (fusek_unmount(path, false, &error) < 0) {
		fprintf(stderr, "%s\n", error.text);
		return 3;
	}
	close(fd);
	return fusek_mount_id(path) == -ENOENT ? 0 : 4;
}

/* Without privilege nobody can abort the connection, so readers poll. Stop and unmount end it. */
static int
serve_and_stop(const char *path)
{
	static const enum fusek_transport transports[] = {FUSEK_TRANSPORT_DEV,
							  FUSEK_TRANSPORT_AUTO};
	struct nullfs fs;
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(transports); i++) {
		struct fusek_config config = {.name = "nulltest", .transport = transports[i]};

		nullfs_start_on(&fs, &config, path);
		if (stat(nullfs_path(&fs, "plain"), &st) < 0)
			return 1;
		fusek_session_stop(fs.session, 1000);
		fusek_session_join(fs.session);
		if (stat(nullfs_path(&fs, "plain"), &st) == 0)
			return 2;
		nullfs_end(&fs);
		nullfs_start_on(&fs, &config, path);
		if (stat(nullfs_path(&fs, "plain"), &st) < 0)
			return 3;
		nullfs_end(&fs);
	}
	return 0;
}

static int
mount_for_others(const char *path)
{
	struct fusek_mount_options options = plain;
	struct fusek_mount_error error = {0};

	options.allow_other = true;
	int fd = fusek_mount(path, &options, false, &error);
	if (fd >= 0)
		return 77; /* this machine allows it */
	return strstr(error.text, "/etc/fuse.conf") ? 0 : 1;
}

static int
unmount_nothing(const char *path)
{
	struct fusek_mount_error error = {0};

	return fusek_unmount(path, false, &error) == -EINVAL ? 0 : 1;
}

static int
mount_without_helper(const char *path)
{
	struct fusek_mount_error error = {0};

	setenv("PATH", "/nowhere", 1);
	int err = fusek_mount(path, &plain, false, &error);
	return err == -ENOENT && strstr(error.text, "fuse3") ? 0 : 1;
}

static void
without_privilege_fusermount3_mounts(void **state)
{
	if (access("/usr/bin/fusermount3", X_OK) < 0)
		skip();
	assert_int_equal(as_nobody(mount_and_unmount), 0);
	assert_int_equal(as_nobody(serve_and_stop), 0);
	assert_int_equal(as_nobody(unmount_nothing), 0);
	int allowed = as_nobody(mount_for_others);
	assert_true(allowed == 0 || allowed == 77);
}

static void
a_missing_helper_is_named(void **state)
{
	assert_int_equal(as_nobody(mount_without_helper), 0);
}

static void
auto_unmount_survives_the_death_of_the_server(void **state)
{
	struct fusek_mount_options options = plain;
	struct fusek_mount_error error;
	char path[64];
	int status;

	if (access("/usr/bin/fusermount3", X_OK) < 0)
		skip();
	make_directory(path);
	options.auto_unmount = true;
	pid_t pid = fork();
	if (pid == 0)
		_exit(fusek_mount(path, &options, false, &error) >= 0 ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 0);
	for (int ms = 0; ms < 5000 && fusek_mount_id(path) >= 0; ms++)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	assert_int_equal(fusek_mount_id(path), -ENOENT);
	assert_int_equal(rmdir(path), 0);
}

static void
auto_unmount_ends_with_unmount(void **state)
{
	struct fusek_mount_options options = plain;
	struct fusek_mount_error error;
	char path[64];

	if (access("/usr/bin/fusermount3", X_OK) < 0)
		skip();
	make_directory(path);
	options.auto_unmount = true;
	int fds = count_fds();
	int fd = fusek_mount(path, &options, false, &error);
	assert_true(fd >= 0);
	assert_int_equal(fusek_unmount(path, true, &error), 0);
	close(fd);
	assert_int_equal(count_fds(), fds);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no zombie */
	assert_int_equal(rmdir(path), 0);
}

/* From here on io_uring_setup fails with EPERM, as in many containers. */
static bool
forbid_io_uring(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {ARRAY_SIZE(code), code};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static int
serve_without_io_uring(void)
{
	struct fusek_config config = {.name = "nulltest"};
	struct fusek_info info;
	struct nullfs fs;
	struct stat st;

	if (!forbid_io_uring())
		return 77;
	nullfs_start(&fs, &config);
	fusek_session_info(fs.session, &info);
	int bad = info.transport != FUSEK_TRANSPORT_DEV || stat(nullfs_path(&fs, "plain"), &st) < 0;
	printf("why: %s\n", info.why);
	bad |= !strstr(info.why, "io_uring_setup") && !strstr(info.why, "enable_uring") &&
	       !strstr(info.why, "liburing") && !strstr(info.why, "not offered");
	nullfs_stop(&fs);
	return bad;
}

static void
forbidden_io_uring_falls_back_with_a_reason(void **state)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int code = serve_without_io_uring();
		fflush(NULL);
		_exit(code);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes_are_explained),
		cmocka_unit_test(unmounting_tells_what_is_wrong),
		cmocka_unit_test(the_connection_number_is_found_without_touching_the_mount),
		cmocka_unit_test(a_passed_descriptor_is_taken),
		cmocka_unit_test(without_privilege_fusermount3_mounts),
		cmocka_unit_test(a_missing_helper_is_named),
		cmocka_unit_test(auto_unmount_survives_the_death_of_the_server),
		cmocka_unit_test(auto_unmount_ends_with_unmount),
		cmocka_unit_test(forbidden_io_uring_falls_back_with_a_reason),
	};

	nullfs_require_mount();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
