/*
 * Breaks when a signal that comes during a call to the system is taken for an error of
 * the medium. The C library's calls go by way of this file (linked with --wrap): each is
 * interrupted a few times.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/os/posix/storage_io.h"

enum { TIMES = 3 };

static unsigned n_left, n_interrupted;

/* True: this one is interrupted. */
static bool
is_interrupted(void)
{
	if (n_left == 0)
		return false;
	n_left--;
	n_interrupted++;
	errno = EINTR;
	return true;
}

#define WRAP(result, name, parameters, ...)                                \
	result __real_##name parameters;                                   \
	result __wrap_##name parameters;                                   \
	result __wrap_##name parameters                                    \
	{                                                                  \
		return is_interrupted() ? -1 : __real_##name(__VA_ARGS__); \
	}
WRAP(ssize_t, pread64, (int fd, void *buffer, size_t n, off_t at), fd, buffer, n, at)
WRAP(ssize_t, pwrite64, (int fd, const void *buffer, size_t n, off_t at), fd, buffer, n,
     at)
WRAP(int, fsync, (int fd), fd)
WRAP(int, fdatasync, (int fd), fd)
WRAP(int, ftruncate64, (int fd, off_t size), fd, size)
WRAP(int, fallocate64, (int fd, int mode, off_t at, off_t n), fd, mode, at, n)
WRAP(int, flock, (int fd, int operation), fd, operation)

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int
__wrap_open64(const char *path, int flags, ...)
{
	va_list ap;

	va_start(ap, flags);
	unsigned mode = flags & O_CREAT ? va_arg(ap, unsigned) : 0;
	va_end(ap);
	return is_interrupted() ? -1 : __real_open64(path, flags, mode);
}

/* The call is made, in the end, as if nothing had been. */
#define assert_goes_on(call)                            \
	do {                                            \
		n_left = TIMES;                         \
		n_interrupted = 0;                      \
		assert_int_equal(call, 0);              \
		assert_int_equal(n_interrupted, TIMES); \
	} while (0)

static void
every_call_is_made_again(void **state)
{
	char path[] = "/tmp/userdrive-interrupted.XXXXXX", bytes[8] = "1234567";
	const struct storage_ops *ops = &storage_system;
	struct storage file;
	size_t done;
	pid_t holder;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_goes_on(storage_open(&file, ops, path, O_RDWR));
	assert_goes_on(ops->lock(file.fd, true, &holder));
	assert_goes_on(ops->ftruncate(file.fd, 8192));
	assert_goes_on(storage_write(&file, bytes, sizeof(bytes), 4096, &done));
	assert_int_equal(done, sizeof(bytes));
	memset(bytes, 0, sizeof(bytes));
	assert_goes_on(storage_read(&file, bytes, sizeof(bytes), 4096, &done));
	assert_string_equal(bytes, "1234567");
	assert_goes_on(ops->fdatasync(file.fd));
	assert_goes_on(storage_sync(&file));
	assert_goes_on(storage_sync_folder(path));
	assert_goes_on(storage_zero(&file, 4096, 4096, true, &done));
	storage_close(&file);
	unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_call_is_made_again)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
