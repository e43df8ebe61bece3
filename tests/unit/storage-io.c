/* A short transfer that counts as a whole one, or a second server on one image, loses data. */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/os/posix/storage_io.h"

static char folder[] = "/tmp/userdrive-storage.XXXXXX";
static char image[64];

static int
set_up(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(image, sizeof(image), "%s/image", folder);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	unlink(image);
	return rmdir(folder);
}

/* ---------------------------------------------------------------- a system that is unwilling */

static struct {
	uint8_t bytes[1024];
	size_t at_once;  /* how much a call transfers */
	uint64_t end;    /* of the file */
	uint64_t bad;    /* the byte that cannot be transferred */
	int err;         /* what that says: -errno, or 0 for nothing transferred */
	int refuse_modes; /* bits of fallocate that are not there */
	int n_fallocates;
} fake;

static ssize_t
fake_limit(size_t n, uint64_t offset)
{
	n = MIN(n, fake.at_once);
	if (offset == fake.bad)
		return fake.err;
	if (offset < fake.bad && n > fake.bad - offset)
		n = fake.bad - offset;
	if (offset >= fake.end)
		return 0;
	return (ssize_t)MIN(n, fake.end - offset);
}

static ssize_t
fake_pread(int fd, void *buffer, size_t n, uint64_t offset)
{
	ssize_t done = fake_limit(n, offset);

	(void)fd;
	if (done > 0)
		memcpy(buffer, fake.bytes + offset, (size_t)done);
	return done;
}

static ssize_t
fake_pwrite(int fd, const void *buffer, size_t n, uint64_t offset)
{
	ssize_t done = fake_limit(n, offset);

	(void)fd;
	if (done > 0)
		memcpy(fake.bytes + offset, buffer, (size_t)done);
	return done;
}

static int
fake_fallocate(int fd, int mode, uint64_t offset, uint64_t n)
{
	(void)fd;
	fake.n_fallocates++;
	if (mode & fake.refuse_modes)
		return -EOPNOTSUPP;
	memset(fake.bytes + offset, 0, n);
	return 0;
}

static const struct storage_ops fake_ops = {
	.pread = fake_pread, .pwrite = fake_pwrite, .fallocate = fake_fallocate};
static const struct storage fake_storage = {&fake_ops, 7};

static int
fake_reset(void **state)
{
	(void)state;
	memset(&fake, 0, sizeof(fake));
	for (size_t i = 0; i < sizeof(fake.bytes); i++)
		fake.bytes[i] = (uint8_t)(i * 7 + 1);
	fake.at_once = sizeof(fake.bytes);
	fake.end = sizeof(fake.bytes);
	fake.bad = UINT64_MAX;
	return 0;
}

static void
short_transfers_are_made_whole(void **state)
{
	uint8_t data[300];
	size_t done = 0;

	fake.at_once = 7;
	assert_int_equal(storage_read(&fake_storage, data, sizeof(data), 100, &done), 0);
	assert_int_equal(done, sizeof(data));
	assert_memory_equal(data, fake.bytes + 100, sizeof(data));
	memset(data, 0xAA, sizeof(data));
	assert_int_equal(storage_write(&fake_storage, data, sizeof(data), 500, &done), 0);
	assert_int_equal(done, sizeof(data));
	assert_memory_equal(data, fake.bytes + 500, sizeof(data));
	assert_int_equal(fake.bytes[499], (uint8_t)(499 * 7 + 1));
	assert_int_equal(fake.bytes[800], (uint8_t)(800 * 7 + 1));
}

static void
errors_tell_how_far_it_came(void **state)
{
	uint8_t data[300];
	size_t done = 0;

	fake.bad = 250;
	fake.err = -EIO;
	assert_int_equal(storage_read(&fake_storage, data, 300, 100, &done), -EIO);
	assert_int_equal(done, 150);
	fake.err = -ENOSPC;
	assert_int_equal(storage_write(&fake_storage, data, 300, 100, &done), -ENOSPC);
	assert_int_equal(done, 150);
	fake.err = 0;
	assert_int_equal(storage_write(&fake_storage, data, 300, 100, &done), -EIO);
	assert_int_equal(done, 150);
}

static void
beyond_the_end_there_is_no_data(void **state)
{
	uint8_t data[300];
	size_t done = 0;

	fake.end = 200;
	assert_int_equal(storage_read(&fake_storage, data, 300, 100, &done), -ENODATA);
	assert_int_equal(done, 100);
	assert_int_equal(storage_read(&fake_storage, data, 1, 200, &done), -ENODATA);
	assert_int_equal(done, 0);
	assert_int_equal(storage_read(&fake_storage, data, 0, 200, &done), 0);
}

static void
check_zeroes(size_t from, size_t n)
{
	assert_int_not_equal(fake.bytes[from - 1], 0);
	assert_int_not_equal(fake.bytes[from + n], 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(fake.bytes[from + i], 0);
}

static void
zeroes_by_what_there_is(void **state)
{
	size_t done;

	assert_int_equal(storage_zero(&fake_storage, 100, 300, true, &done), 0);
	check_zeroes(100, 300);
	assert_int_equal(fake.n_fallocates, 1);
	fake_reset(state);
	fake.refuse_modes = FALLOC_FL_PUNCH_HOLE;
	assert_int_equal(storage_zero(&fake_storage, 100, 300, true, &done), 0);
	check_zeroes(100, 300);
	assert_int_equal(fake.n_fallocates, 2);
	fake_reset(state);
	fake.refuse_modes = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE;
	fake.at_once = 11;
	assert_int_equal(storage_zero(&fake_storage, 100, 300, false, &done), 0);
	check_zeroes(100, 300);
	assert_int_equal(done, 300);
	assert_int_equal(storage_zero(&fake_storage, 100, 0, false, &done), 0);
}

static void
zeroes_that_fail(void **state)
{
	size_t done;

	fake.refuse_modes = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE;
	fake.bad = 200;
	fake.err = -ENOSPC;
	assert_int_equal(storage_zero(&fake_storage, 100, 300, true, &done), -ENOSPC);
	assert_int_equal(done, 100);
}

/* ---------------------------------------------------------------- the real one */

static void
extents_of_a_sparse_file(void **state)
{
	struct storage s;
	struct storage_status status;
	uint64_t n;
	bool is_data;
	size_t done;

	assert_int_equal(storage_open(&s, &storage_system, image, O_RDWR | O_CREAT), 0);
	assert_int_equal(s.ops->ftruncate(s.fd, 4 << 20), 0);
	assert_int_equal(storage_write(&s, "data", 4, 1 << 20, &done), 0);
	assert_int_equal(s.ops->status(s.fd, &status), 0);
	assert_int_equal(status.size, 4 << 20);
	assert_true(status.is_file);
	assert_false(status.is_device);
	storage_extent(&s, 0, 4 << 20, &is_data, &n);
	/* A file system without holes says that all is data. */
	if (!is_data) {
		assert_int_equal(n, 1 << 20);
		storage_extent(&s, 1 << 20, 3 << 20, &is_data, &n);
		assert_true(is_data);
		assert_in_range(n, 4, 2 << 20);
		storage_extent(&s, 3 << 20, 1 << 20, &is_data, &n);
		assert_false(is_data);
		assert_int_equal(n, 1 << 20);
		storage_extent(&s, 3 << 20, 512, &is_data, &n);
		assert_int_equal(n, 512);
	} else {
		assert_int_equal(n, 4 << 20);
	}
	storage_close(&s);
	storage_close(&s);
	unlink(image);
}

/* A child that takes the lock, says so, and waits to be told to end. */
static pid_t
start_holder(int *ret_tell)
{
	int ready[2], tell[2];
	char byte;

	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(tell), 0);
	pid_t child = fork();
	if (child == 0) {
		struct storage s;
		pid_t holder;
		int err = storage_open(&s, &storage_system, image, O_RDWR | O_CREAT);

		close(tell[1]);
		if (err == 0)
			err = s.ops->lock(s.fd, true, &holder);
		if (err == 0 && write(ready[1], "x", 1) == 1)
			err = read(tell[0], &byte, 1) < 0;
		_exit(err != 0);
	}
	close(ready[1]);
	close(tell[0]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	*ret_tell = tell[1];
	return child;
}

static void
one_holder_at_a_time(void **state)
{
	struct storage s, again;
	pid_t holder = 0;
	int tell, status;
	pid_t child = start_holder(&tell);

	assert_int_equal(storage_open(&s, &storage_system, image, O_RDWR), 0);
	assert_int_equal(s.ops->lock(s.fd, true, &holder), -EAGAIN);
	assert_int_equal(holder, child);
	close(tell);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(s.ops->lock(s.fd, true, &holder), 0);
	/* Not even the same process: its second disk would be on the first one's blocks. */
	assert_int_equal(storage_open(&again, &storage_system, image, O_RDONLY), 0);
	assert_int_equal(again.ops->lock(again.fd, false, &holder), -EAGAIN);
	assert_int_equal(holder, getpid());
	storage_close(&s);
	assert_int_equal(again.ops->lock(again.fd, false, &holder), 0);
	storage_close(&again);
	unlink(image);
}

static void
opening_tells_why_not(void **state)
{
	struct storage s = STORAGE_CLOSED;

	assert_int_equal(storage_open(&s, &storage_system, image, O_RDWR), -ENOENT);
	assert_int_equal(storage_open(&s, &storage_system, folder, O_RDWR), -EISDIR);
	storage_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(short_transfers_are_made_whole, fake_reset),
		cmocka_unit_test_setup(errors_tell_how_far_it_came, fake_reset),
		cmocka_unit_test_setup(beyond_the_end_there_is_no_data, fake_reset),
		cmocka_unit_test_setup(zeroes_by_what_there_is, fake_reset),
		cmocka_unit_test_setup(zeroes_that_fail, fake_reset),
		cmocka_unit_test(extents_of_a_sparse_file),
		cmocka_unit_test(one_holder_at_a_time),
		cmocka_unit_test(opening_tells_why_not),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
