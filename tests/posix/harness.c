/* Checks, makers and readers; see harness.h. */
#include "harness.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runner.h"

struct posix_env env;

/* ---- outcomes ---- */

static _Noreturn void
leave(int code, const char *prefix, const char *format, va_list args)
{
	size_t used = strlen(outcome_text);

	/* The first failure of a case is its cause; a helper process may have set it. */
	if (used == 0) {
		used = (size_t)snprintf(outcome_text, OUTCOME_TEXT_SIZE, "%s", prefix);
		vsnprintf(outcome_text + used, OUTCOME_TEXT_SIZE - used, format, args);
	}
	_exit(code);
}

void
fail_at(const char *file, int line, const char *format, ...)
{
	const char *slash = strrchr(file, '/');
	char prefix[128];
	va_list args;

	snprintf(prefix, sizeof(prefix), "%s:%d: ", slash ? slash + 1 : file, line);
	va_start(args, format);
	leave(OUTCOME_FAILED, prefix, format, args);
}

void
skip(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	leave(OUTCOME_SKIPPED, "", format, args);
}

void
lacks(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	leave(env.strict ? OUTCOME_FAILED : OUTCOME_SKIPPED, "the file system lacks ",
	      format, args);
}

const char *
error_name(int error)
{
	const char *name = strerrorname_np(error);

	return error == 0 ? "OK" : name ? name : "unknown errno";
}

long
check_ok(long result, const char *what, const char *file, int line)
{
	if (result == -1)
		fail_at(file, line, "%s: %s, expected success", what, error_name(errno));
	return result;
}

void
check_fails(long result, int got, int want, const char *what, const char *file, int line)
{
	if (result != -1)
		fail_at(file, line, "%s: succeeded, expected %s", what, error_name(want));
	check_number(got, want, what, file, line);
}

void
check_number(int got, int want, const char *what, const char *file, int line)
{
	if (got != want)
		fail_at(file, line, "%s: %s, expected %s", what, error_name(got),
			error_name(want));
}

void
check_equal(long long got, long long want, const char *what, const char *file, int line)
{
	if (got != want)
		fail_at(file, line, "%s: %lld (%#llo), expected %lld (%#llo)", what, got,
			(unsigned long long)got, want, (unsigned long long)want);
}

long
check_able(long result, const char *what, const char *file, int line)
{
	if (result == -1 && (errno == EOPNOTSUPP || errno == ENOSYS || errno == ENOTTY))
		lacks("%s (%s)", what, error_name(errno));
	return check_ok(result, what, file, line);
}

/* ---- makers ---- */

void
make_file(const char *path, mode_t mode)
{
	int fd = (int)OK(open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));

	OK(fchmod(fd, mode));
	OK(close(fd));
}

void
make_text(const char *path, const char *text)
{
	int fd = (int)OK(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));

	EQ(write(fd, text, strlen(text)), strlen(text));
	OK(close(fd));
}

void
make_sized(const char *path, off_t size)
{
	make_file(path, 0644);
	OK(truncate(path, size));
}

void
make_dir(const char *path, mode_t mode)
{
	OK(mkdir(path, 0700));
	OK(chmod(path, mode));
}

void
make_link(const char *target, const char *path)
{
	OK(symlink(target, path));
}

void
make_fifo(const char *path, mode_t mode)
{
	OK(mkfifo(path, 0600));
	OK(chmod(path, mode));
}

void
give(const char *path, uid_t uid, gid_t gid)
{
	OK(lchown(path, uid, gid));
}

int
open_file(const char *path, int flags)
{
	return (int)OK(open(path, flags | O_CLOEXEC, 0644));
}

struct stat
stat_of(const char *path)
{
	struct stat st = {0};

	OK(lstat(path, &st));
	return st;
}

mode_t
mode_of(const char *path)
{
	return stat_of(path).st_mode & 07777;
}

off_t
size_of(const char *path)
{
	return stat_of(path).st_size;
}

nlink_t
links_of(const char *path)
{
	return stat_of(path).st_nlink;
}

bool
exists(const char *path)
{
	struct stat st;

	if (lstat(path, &st) == 0)
		return true;
	if (errno != ENOENT)
		FAIL("lstat %s: %s", path, error_name(errno));
	return false;
}

void
check_text(const char *path, const char *text)
{
	char got[4096];
	int fd = open_file(path, O_RDONLY);
	ssize_t n = OK(read(fd, got, sizeof(got)));

	OK(close(fd));
	if ((size_t)n != strlen(text) || memcmp(got, text, (size_t)n) != 0)
		FAIL("%s holds \"%.*s\", expected \"%s\"", path, (int)n, got, text);
}

void
fill(char *buf, size_t size)
{
	for (size_t i = 0; i < size; i++)
		buf[i] = (char)(1 + i % 251);
}

/* ---- long names ---- */

static char *
name_slot(void)
{
	static char slots[4][3 * PATH_MAX];
	static unsigned int next;

	return slots[next++ % COUNT(slots)];
}

const char *
name_of_length(size_t n)
{
	char *name = name_slot();

	memset(name, 'n', n);
	name[n] = '\0';
	return name;
}

const char *
path_of_length(size_t n, const char *tail)
{
	char *path = name_slot();
	size_t lead = n - strlen(tail);

	/* "./././x"; an odd lead takes one more slash, which means nothing. */
	for (size_t i = 0; i < lead; i++)
		path[i] = i % 2 == 0 ? '.' : '/';
	if (lead % 2 == 1)
		path[lead - 1] = '/';
	strcpy(path + lead, tail);
	return path;
}

/* ---- time ---- */

int
time_compare(const struct timespec *a, const struct timespec *b)
{
	if (a->tv_sec != b->tv_sec)
		return a->tv_sec < b->tv_sec ? -1 : 1;
	return a->tv_nsec < b->tv_nsec ? -1 : a->tv_nsec > b->tv_nsec;
}

void
tick(void)
{
	/* Kernels stamp files with a clock that moves once per jiffy, 10 ms at the most.
	 */
	struct timespec step = {.tv_nsec = 12 * 1000 * 1000};

	nanosleep(&step, NULL);
}
