/*
 * A handler that hangs: its request is answered ETIMEDOUT in time, others are served with their
 * own bytes meanwhile, and its late answer and its old buffers harm nobody.
 * First argument: "dev" or "uring".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "fuse-nullfs.h"

enum { N_HUNG = 3, WAIT_MS = 10000, CHUNK = 256 << 10 };

static struct fusek_config config = {.name = "nulltest", .deadline_ms = 150};

static void *
read_once(void *arg)
{
	char buffer[4096];
	int fd = open(arg, O_RDONLY);
	ssize_t n = read(fd, buffer, sizeof(buffer));
	int err = n < 0 ? errno : 0;

	close(fd);
	return (void *)(intptr_t)err;
}

static void
check_transfers(struct nullfs *fs, int rounds)
{
	unsigned char *bytes = malloc(CHUNK);
	int fd = open(nullfs_path(fs, "plain"), O_RDWR);
	uint64_t sum = 0;

	assert_true(fd >= 0);
	uint64_t before = fs->write_sum;
	for (int i = 0; i < rounds; i++) {
		uint64_t offset = (uint64_t)i * 4096;
		assert_int_equal(pread(fd, bytes, CHUNK, (off_t)offset), CHUNK);
		for (uint64_t k = 0; k < CHUNK; k++) {
			if (bytes[k] != nullfs_pattern(offset + k))
				fail_msg("round %d byte %d is not ours", i, (int)k);
			sum += bytes[k];
		}
		assert_int_equal(pwrite(fd, bytes, CHUNK, 0), CHUNK);
	}
	assert_int_equal(fs->write_sum - before, sum);
	close(fd);
	free(bytes);
}

static bool
wait_count(_Atomic int *counter, int value)
{
	for (int ms = 0; ms < WAIT_MS && *counter != value; ms++)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	return *counter == value;
}

static void
late_requests_time_out(const char *name, struct nullfs *fs, bool blocks)
{
	pthread_t threads[N_HUNG];
	struct fusek_info info;
	char path[128];
	void *err;

	strcpy(path, nullfs_path(fs, name));
	for (int i = 0; i < N_HUNG; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_once, path), 0);
	for (int i = 0; i < N_HUNG; i++) {
		pthread_join(threads[i], &err);
		assert_int_equal((intptr_t)err, ETIMEDOUT);
	}
	fusek_session_info(fs->session, &info);
	assert_int_equal(info.n_deadline_misses, N_HUNG);
	if (blocks)
		assert_int_equal(fs->n_blocked, N_HUNG);
	check_transfers(fs, 20);
	for (int i = 0; i < N_HUNG; i++)
		sem_post(&fs->release);
	assert_true(wait_count(&fs->n_late, N_HUNG));
	assert_int_equal(fs->n_damaged, 0);
	check_transfers(fs, 20);
}

static void
hung_handlers_time_out(void **state)
{
	struct nullfs fs;

	nullfs_start(&fs, &config);
	late_requests_time_out("block", &fs, true);
	nullfs_stop(&fs);
}

static void
parked_requests_time_out(void **state)
{
	struct nullfs fs;

	nullfs_start(&fs, &config);
	late_requests_time_out("park", &fs, false);
	nullfs_stop(&fs);
}

static void
unmounting_with_a_hung_handler_waits_for_it(void **state)
{
	struct fusek_mount_error error;
	pthread_t thread;
	struct nullfs fs;
	char path[128];
	void *err;

	nullfs_start(&fs, &config);
	strcpy(path, nullfs_path(&fs, "block"));
	assert_int_equal(pthread_create(&thread, NULL, read_once, path), 0);
	pthread_join(thread, &err);
	assert_int_equal((intptr_t)err, ETIMEDOUT);
	assert_int_equal(fusek_unmount(fs.mountpoint, false, &error), 0);
	nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
	assert_int_equal(fs.n_ended, 0);
	sem_post(&fs.release);
	fusek_session_join(fs.session);
	fusek_session_destroy(fs.session);
	assert_int_equal(fs.n_ended, 1);
	assert_int_equal(fs.n_damaged, 0);
	assert_int_equal(rmdir(fs.mountpoint), 0);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hung_handlers_time_out),
		cmocka_unit_test(parked_requests_time_out),
		cmocka_unit_test(unmounting_with_a_hung_handler_waits_for_it),
	};

	nullfs_require_transport(argc > 1 ? argv[1] : "dev", &config);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
