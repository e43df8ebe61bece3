/*
 * Sessions against the kernel, on the transport named by the first argument ("dev", "uring").
 * What breaks here: requests, interrupts, parking, blocked handlers, stopping, FORGET counts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"
#include "fuse-nullfs.h"

enum { WAIT_MS = 10000, N_BLOCKED = 10 };

static struct fusek_config config = {.name = "nulltest"};

static bool
eventually(bool (*condition)(struct nullfs *fs), struct nullfs *fs)
{
	for (int ms = 0; ms < WAIT_MS; ms++) {
		if (condition(fs))
			return true;
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	return false;
}

static void
info_names_the_transport_and_why(void **state)
{
	struct nullfs fs;
	struct fusek_info info;

	nullfs_start(&fs, &config);
	fusek_session_info(fs.session, &info);
	assert_int_equal(info.transport, config.transport);
	assert_non_null(strstr(info.why, config.transport == FUSEK_TRANSPORT_URING ? "queues"
										   : "asked for"));
	assert_int_equal(info.major, 7);
	assert_in_range(info.minor, 31, 45);
	nullfs_stop(&fs);
}

static void
reads_and_writes_carry_their_bytes(void **state)
{
	const size_t size = 1 << 20;
	unsigned char *bytes = malloc(size);
	uint64_t sum = 0;
	struct nullfs fs;

	nullfs_start(&fs, &config);
	int fd = open(nullfs_path(&fs, "plain"), O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, bytes, size, 4096), size);
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] != nullfs_pattern(4096 + i))
			fail_msg("byte %zu", i);
		sum += bytes[i];
	}
	assert_int_equal(pwrite(fd, bytes, size, 0), size);
	assert_int_equal(fs.write_sum, sum);
	/* The one before the last byte of the file, and nothing after it. */
	assert_int_equal(pread(fd, bytes, 100, NULLFS_FILE_SIZE - 1), 1);
	assert_int_equal(pread(fd, bytes, 100, NULLFS_FILE_SIZE), 0);
	close(fd);
	free(bytes);
	nullfs_stop(&fs);
}

static void
errors_and_missing_handlers_reach_the_caller(void **state)
{
	struct stat st;
	struct nullfs fs;
	char byte;

	nullfs_start(&fs, &config);
	assert_int_equal(stat(nullfs_path(&fs, "absent"), &st), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(getxattr(nullfs_path(&fs, "plain"), "user.x", &byte, 1), -1);
	assert_int_equal(errno, EOPNOTSUPP);
	int fd = open(nullfs_path(&fs, "silent"), O_RDONLY);
	assert_int_equal(pread(fd, &byte, 1, 0), -1);
	assert_int_equal(errno, EIO);
	close(fd);
	nullfs_stop(&fs);
}

static bool
all_forgotten(struct nullfs *fs)
{
	return fs->lookups[NODE_PLAIN] == 0 && fs->lookups[NODE_BLOCK] == 0;
}

static void
forget_returns_every_lookup(void **state)
{
	struct stat st;
	struct nullfs fs;

	nullfs_start(&fs, &config);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(stat(nullfs_path(&fs, "plain"), &st), 0);
		assert_int_equal(stat(nullfs_path(&fs, "block"), &st), 0);
	}
	assert_true(fs.lookups[NODE_PLAIN] > 0);
	assert_int_equal(fusek_notify_inval_entry(fs.session, FUSE_ROOT_ID, "plain", 5, false), 0);
	assert_int_equal(fusek_notify_inval_entry(fs.session, FUSE_ROOT_ID, "block", 5, false), 0);
	assert_true(eventually(all_forgotten, &fs));
	nullfs_stop(&fs);
}

static void
notifications_reach_the_kernel(void **state)
{
	struct stat st;
	struct nullfs fs;

	nullfs_start(&fs, &config);
	assert_int_equal(stat(nullfs_path(&fs, "plain"), &st), 0);
	assert_int_equal(fusek_notify_inval_inode(fs.session, NODE_PLAIN, 0, 0), 0);
	assert_int_equal(fusek_notify_inval_inode(fs.session, 4711, 0, 0), -ENOENT);
	assert_int_equal(fusek_notify_store(fs.session, NODE_PLAIN, 0, "abc", 3), 0);
	nullfs_stop(&fs);
}

static void
on_signal(int sig)
{
}

/* A child that reads from a file whose handler waits. Its exit code is the errno of read(). */
static pid_t
start_reader(struct nullfs *fs, const char *name)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	struct sigaction sa = {.sa_handler = on_signal};
	char buffer[512];

	close_range(3, ~0u, 0); /* the device too, or the connection could outlive the test */
	int fd = open(nullfs_path(fs, name), O_RDONLY);

	sigaction(SIGUSR1, &sa, NULL);
	ssize_t n = read(fd, buffer, sizeof(buffer));
	_exit(n < 0 ? errno : 0);
}

static bool
one_blocked(struct nullfs *fs)
{
	return fs->n_blocked == 1;
}

static void
an_interrupt_ends_the_wait(void **state)
{
	const int signals[] = {SIGUSR1, SIGKILL};
	struct nullfs fs;
	int status;

	nullfs_start(&fs, &config);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		pid_t pid = start_reader(&fs, "wait");
		assert_true(eventually(one_blocked, &fs));
		kill(pid, signals[i]);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(fs.n_interrupts, i + 1);
		if (signals[i] == SIGUSR1)
			assert_int_equal(WEXITSTATUS(status), EINTR);
		else
			assert_int_equal(WTERMSIG(status), SIGKILL);
	}
	nullfs_stop(&fs);
}

static bool
many_blocked(struct nullfs *fs)
{
	return fs->n_blocked == N_BLOCKED;
}

static void
release_and_reap(struct nullfs *fs, const pid_t *pids, int n)
{
	int status;

	for (int i = 0; i < n; i++)
		sem_post(&fs->release);
	for (int i = 0; i < n; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(WEXITSTATUS(status), 0);
	}
}

static void
blocked_handlers_do_not_hold_up_others(void **state)
{
	pid_t pids[N_BLOCKED];
	struct nullfs fs;
	struct stat st;

	nullfs_start(&fs, &config);
	for (int i = 0; i < N_BLOCKED; i++)
		pids[i] = start_reader(&fs, "block");
	assert_true(eventually(many_blocked, &fs));
	uint64_t before = clock_monotonic_ns();
	assert_int_equal(stat(nullfs_path(&fs, "plain"), &st), 0);
	assert_true(clock_monotonic_ns() - before < 5000000000ull);
	release_and_reap(&fs, pids, N_BLOCKED);
	assert_int_equal(fs.n_damaged, 0);
	nullfs_stop(&fs);
}

/* A limit on threads is a limit on handlers at work. Which do not come cannot be waited for:
 * without the limit they are there within milliseconds. */
static void
a_limit_on_threads_holds(void **state)
{
	enum { LIMIT = 2 };
	pid_t pids[N_BLOCKED];
	struct nullfs fs;

	if (config.transport == FUSEK_TRANSPORT_URING)
		return; /* four per processor, at the least */
	nullfs_mount(&fs, &config);
	fusek_session_limit_threads(fs.session, LIMIT);
	assert_int_equal(fusek_session_start(fs.session), 0);
	assert_int_equal(fusek_session_wait_ready(fs.session, 10000), 0);
	for (int i = 0; i < N_BLOCKED; i++)
		pids[i] = start_reader(&fs, "block");
	for (int i = 0; i < 300; i++) {
		assert_true(fs.n_blocked <= LIMIT);
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	release_and_reap(&fs, pids, N_BLOCKED);
	nullfs_stop(&fs);
}

static bool
all_parked(struct nullfs *fs)
{
	return fs->n_parks == N_BLOCKED;
}

/* After a crowd, workers go one by one while requests come singly: never the last one. */
static void
retirement_leaves_somebody(void **state)
{
	struct nullfs fs;
	pid_t pids[N_BLOCKED];
	struct stat st;

	nullfs_start(&fs, &config);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < N_BLOCKED; i++)
			pids[i] = start_reader(&fs, "block");
		assert_true(eventually(many_blocked, &fs));
		for (int i = 0; i < N_BLOCKED; i++)
			sem_post(&fs.release);
		for (int i = 0; i < N_BLOCKED; i++)
			assert_int_equal(waitpid(pids[i], NULL, 0), pids[i]);
		alarm(20); /* a request that nobody takes waits for ever */
		for (int i = 0; i < 300; i++) {
			assert_int_equal(stat(nullfs_path(&fs, "plain"), &st), 0);
			usleep(5000);
		}
		alarm(0);
	}
	nullfs_stop(&fs);
}

static void
parked_requests_are_answered_by_other_threads(void **state)
{
	pid_t pids[N_BLOCKED];
	struct nullfs fs;
	struct stat st;

	nullfs_start(&fs, &config);
	for (int i = 0; i < N_BLOCKED; i++)
		pids[i] = start_reader(&fs, "park");
	assert_true(eventually(all_parked, &fs));
	assert_int_equal(stat(nullfs_path(&fs, "plain"), &st), 0);
	release_and_reap(&fs, pids, N_BLOCKED);
	/* And the queues still move afterwards. */
	for (int i = 0; i < 100; i++)
		assert_int_equal(stat(nullfs_path(&fs, "plain"), &st), 0);
	nullfs_stop(&fs);
}

static bool
nothing_blocked(struct nullfs *fs)
{
	return fs->n_blocked == 0;
}

static void
stop_waits_for_handlers_then_ends_the_connection(void **state)
{
	struct nullfs fs;
	struct stat st;
	int status;

	nullfs_start(&fs, &config);
	pid_t pid = start_reader(&fs, "block");
	assert_true(eventually(one_blocked, &fs));
	sem_post(&fs.release);
	fusek_session_stop(fs.session, WAIT_MS);
	fusek_session_join(fs.session);
	assert_true(eventually(nothing_blocked, &fs));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	/* The ring's last reference goes away behind our back: errors until then, never a hang. */
	assert_int_equal(stat(nullfs_path(&fs, "plain"), &st), -1);
	assert_true(errno == ENOTCONN || errno == ECONNABORTED);
	nullfs_stop(&fs);
}

static void
stop_gives_up_on_a_hung_handler_after_the_drain_time(void **state)
{
	struct nullfs fs;
	int status;

	nullfs_start(&fs, &config);
	pid_t pid = start_reader(&fs, "block");
	assert_true(eventually(one_blocked, &fs));
	fusek_session_stop(fs.session, 50);
	assert_int_equal(fs.n_ended, 0); /* a handler still runs */
	sem_post(&fs.release);
	fusek_session_join(fs.session);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_not_equal(WEXITSTATUS(status), 0);
	nullfs_stop(&fs);
}

static void
stop_ends_the_connection_though_a_child_holds_the_device(void **state)
{
	struct nullfs fs;
	struct stat st;

	nullfs_start(&fs, &config);
	pid_t pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	fusek_session_stop(fs.session, 0);
	fusek_session_join(fs.session);
	assert_int_equal(stat(nullfs_path(&fs, "plain"), &st), -1);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	nullfs_stop(&fs);
}

static void
a_backing_descriptor_serves_reads_without_us(void **state)
{
	struct fusek_config with_passthrough = config;
	struct fusek_info info;
	struct nullfs fs;
	char text[6] = "", path[] = "/tmp/userdrive-backing.XXXXXX";

	int backing = mkstemp(path);
	assert_true(backing >= 0);
	assert_int_equal(write(backing, "below", 5), 5);
	with_passthrough.max_stack_depth = 1;
	nullfs_start(&fs, &with_passthrough);
	fusek_session_info(fs.session, &info);
	if (info.flags & FUSE_PASSTHROUGH) {
		fs.backing_fd = backing;
		int fd = open(nullfs_path(&fs, "pass"), O_RDONLY);
		assert_true(fd >= 0);
		assert_int_equal(read(fd, text, 5), 5);
		assert_string_equal(text, "below");
		assert_int_equal(fs.n_reads, 0);
		close(fd);
		fusek_backing_close(fs.session, fs.backing_id);
	} else {
		print_message("passthrough is not offered by this kernel\n");
	}
	/* A connection without the flag refuses at once. */
	nullfs_stop(&fs);
	nullfs_start(&fs, &config);
	assert_int_equal(fusek_backing_open(fs.session, backing), -EOPNOTSUPP);
	nullfs_stop(&fs);
	close(backing);
	unlink(path);
}

/* Asked for by name, io_uring is not silently something else. */
static void
a_ring_that_cannot_be_had_ends_the_session(void **state)
{
	struct fusek_config older = config;
	struct nullfs fs;
	struct fusek_info info;

	if (config.transport != FUSEK_TRANSPORT_URING)
		return;
	older.max_minor = 41;
	nullfs_mount(&fs, &older);
	assert_int_equal(fusek_session_start(fs.session), 0);
	assert_int_equal(fusek_session_wait_ready(fs.session, 10000), -EOPNOTSUPP);
	fusek_session_info(fs.session, &info);
	assert_non_null(strstr(info.why, "7.42"));
	nullfs_stop(&fs);
}

static void
every_minor_from_31_to_45_works(void **state)
{
	char buffer[4096];
	struct nullfs fs;
	struct fusek_info info;

	for (uint32_t minor = 31; minor <= 45; minor++) {
		struct fusek_config older = config;
		older.max_minor = minor;
		if (minor < 42 && older.transport == FUSEK_TRANSPORT_URING)
			older.transport = FUSEK_TRANSPORT_AUTO; /* by name: that or nothing */
		nullfs_start(&fs, &older);
		fusek_session_info(fs.session, &info);
		assert_true(info.minor <= minor);
		if (minor < 42)
			assert_int_equal(info.transport, FUSEK_TRANSPORT_DEV);
		int fd = open(nullfs_path(&fs, "plain"), O_RDWR);
		assert_int_equal(pread(fd, buffer, sizeof(buffer), 0), sizeof(buffer));
		assert_int_equal(buffer[1], (char)nullfs_pattern(1));
		assert_int_equal(write(fd, buffer, 10), 10);
		assert_int_equal(setxattr(nullfs_path(&fs, "plain"), "user.x", "y", 1, 0), -1);
		assert_int_equal(errno, EOPNOTSUPP);
		close(fd);
		nullfs_stop(&fs);
	}
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(info_names_the_transport_and_why),
		cmocka_unit_test(reads_and_writes_carry_their_bytes),
		cmocka_unit_test(errors_and_missing_handlers_reach_the_caller),
		cmocka_unit_test(forget_returns_every_lookup),
		cmocka_unit_test(notifications_reach_the_kernel),
		cmocka_unit_test(an_interrupt_ends_the_wait),
		cmocka_unit_test(a_limit_on_threads_holds),
		cmocka_unit_test(blocked_handlers_do_not_hold_up_others),
		cmocka_unit_test(retirement_leaves_somebody),
		cmocka_unit_test(parked_requests_are_answered_by_other_threads),
		cmocka_unit_test(stop_waits_for_handlers_then_ends_the_connection),
		cmocka_unit_test(stop_gives_up_on_a_hung_handler_after_the_drain_time),
		cmocka_unit_test(stop_ends_the_connection_though_a_child_holds_the_device),
		cmocka_unit_test(a_backing_descriptor_serves_reads_without_us),
		cmocka_unit_test(a_ring_that_cannot_be_had_ends_the_session),
		cmocka_unit_test(every_minor_from_31_to_45_works),
	};

	nullfs_require_transport(argc > 1 ? argv[1] : "dev", &config);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
