/*
 * O_TMPFILE beyond what the POSIX suite asks: names that come late, directories that go first.
 * Breaks if a file without a name keeps its hidden one, or loses the chance of getting another.
 * usage: tmpfile DIRECTORY [BACKING_DIRECTORY]
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void
check(int ok, const char *what, int line)
{
	if (ok)
		return;
	fprintf(stderr, "tmpfile: line %d: %s: %s\n", line, what, strerror(errno));
	exit(1);
}
#define CHECK(condition) check(condition, #condition, __LINE__)

static int
make(const char *dir, int flags)
{
	int fd = open(dir, O_TMPFILE | O_RDWR | flags, 0640);

	CHECK(fd >= 0 && write(fd, "hello", 5) == 5);
	return fd;
}

static int
give_name(int fd, const char *name)
{
	char from[64];

	snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, from, AT_FDCWD, name, AT_SYMLINK_FOLLOW);
}

static nlink_t
links(int fd)
{
	struct stat st;

	CHECK(fstat(fd, &st) == 0);
	return st.st_nlink;
}

static int
reads_hello(int fd)
{
	char data[8];

	return pread(fd, data, sizeof(data), 0) == 5 && memcmp(data, "hello", 5) == 0;
}

static int
count(const char *dir)
{
	DIR *d = opendir(dir);
	int n = 0;

	CHECK(d != NULL);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static void
test_names_come_and_go(void)
{
	int fd = make("d", 0);

	CHECK(links(fd) == 0 && count("d") == 0);
	CHECK(give_name(fd, "d/named") == 0);
	CHECK(links(fd) == 1 && count("d") == 1);
	CHECK(link("d/named", "other") == 0 && links(fd) == 2);
	CHECK(unlink("d/named") == 0 && links(fd) == 1);
	CHECK(unlink("other") == 0 && links(fd) == 0);
	CHECK(reads_hello(fd) && fchmod(fd, 0600) == 0);
	CHECK(close(fd) == 0);
}

static void
test_exclusive_gets_no_name(void)
{
	int fd = make("d", O_EXCL);

	CHECK(give_name(fd, "d/named") < 0 && errno == ENOENT);
	CHECK(close(fd) == 0);
}

static void
test_last_handle_counts(void)
{
	int fd = make("d", 0), second;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	second = open(path, O_RDWR);
	CHECK(second >= 0 && close(fd) == 0);
	CHECK(reads_hello(second) && links(second) == 0);
	CHECK(give_name(second, "late") == 0 && close(second) == 0);
	CHECK(unlink("late") == 0);
}

static void
test_directory_goes_first(void)
{
	int fd = make("d", 0);

	CHECK(rmdir("d") == 0);
	CHECK(reads_hello(fd) && links(fd) == 0 && fchmod(fd, 0600) == 0);
	CHECK(close(fd) == 0);
}

static void
test_directory_is_replaced(void)
{
	int fd;

	CHECK(mkdir("a", 0755) == 0 && mkdir("d", 0755) == 0);
	fd = make("d", 0);
	CHECK(rename("a", "d") == 0);
	CHECK(reads_hello(fd) && close(fd) == 0);
}

static void
test_filled_directory_stays(void)
{
	int fd, file;

	fd = make("d", 0);
	file = open("d/file", O_CREAT | O_WRONLY, 0600);
	CHECK(file >= 0 && close(file) == 0);
	CHECK(rmdir("d") < 0 && errno == ENOTEMPTY);
	CHECK(give_name(fd, "d/named") == 0 && close(fd) == 0);
	CHECK(unlink("d/named") == 0 && unlink("d/file") == 0);
}

static void
test_directory_moves(void)
{
	int fd = make("d", 0);

	CHECK(rename("d", "e") == 0);
	CHECK(give_name(fd, "e/named") == 0 && close(fd) == 0);
	CHECK(unlink("e/named") == 0 && rmdir("e") == 0);
}

int
main(int argc, char **argv)
{
	CHECK(argc >= 2 && chdir(argv[1]) == 0 && mkdir("d", 0755) == 0);
	test_names_come_and_go();
	test_exclusive_gets_no_name();
	test_last_handle_counts();
	test_directory_goes_first();
	test_directory_is_replaced();
	test_filled_directory_stays();
	test_directory_moves();
	/* Nothing is left, out of sight either. */
	CHECK(count(argc > 2 ? argv[2] : ".") == 0);
	return 0;
}
