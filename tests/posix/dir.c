/* readdir(3), its positions and its types. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "groups.h"
#include "harness.h"

#define MANY 1000

static DIR *
open_dir(const char *path)
{
	DIR *dir = opendir(path);

	if (dir == NULL)
		FAIL("opendir %s: %s", path, error_name(errno));
	return dir;
}

/* Entries of "d" named fN are counted in seen[N]; others fail, but for . and .. */
static unsigned int
scan(DIR *dir, unsigned char seen[MANY])
{
	struct dirent *entry;
	unsigned int n = 0;

	memset(seen, 0, MANY);
	errno = 0;
	while ((entry = readdir(dir)) != NULL) {
		char *end;
		unsigned long number;

		n++;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		number = strtoul(entry->d_name + 1, &end, 10);
		if (entry->d_name[0] != 'f' || *end != '\0' || number >= MANY)
			FAIL("unknown entry %s", entry->d_name);
		if (seen[number]++ != 0)
			FAIL("%s is listed twice", entry->d_name);
	}
	EQ(errno, 0);
	return n;
}

static void
make_many(unsigned int n)
{
	char name[16];

	make_dir("d", 0755);
	for (unsigned int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "d/f%u", i);
		OK(close(open_file(name, O_WRONLY | O_CREAT)));
	}
}

static void
lists_all(void)
{
	unsigned char seen[MANY];

	make_many(MANY);
	EQ(scan(open_dir("d"), seen), MANY + 2);
}

static void
lists_dots(void)
{
	struct dirent *entry;
	int dots = 0;

	make_dir("d", 0755);
	DIR *dir = open_dir("d");
	while ((entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0) {
			EQ(entry->d_ino, stat_of("d").st_ino);
			dots += 1;
		} else if (strcmp(entry->d_name, "..") == 0) {
			EQ(entry->d_ino, stat_of(".").st_ino);
			dots += 2;
		} else {
			FAIL("unexpected entry %s", entry->d_name);
		}
	}
	EQ(dots, 3);
}

static void
check_type(const struct dirent *entry)
{
	struct stat st = stat_of(entry->d_name);

	EQ(entry->d_ino, st.st_ino);
	if (entry->d_type != DT_UNKNOWN)
		EQ(entry->d_type, IFTODT(st.st_mode));
}

static void
types(void)
{
	struct dirent *entry;
	int n = 0;

	make_file("file", 0644);
	make_dir("directory", 0755);
	make_link("nowhere", "link");
	make_fifo("fifo", 0644);
	OK(mknod("socket", S_IFSOCK | 0644, 0));
	DIR *dir = open_dir(".");
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		check_type(entry);
		n++;
	}
	EQ(n, 5);
}

static void
rewinds(void)
{
	unsigned char seen[MANY];

	make_many(100);
	DIR *dir = open_dir("d");
	EQ(scan(dir, seen), 102);
	OK(unlink("d/f7"));
	make_file("d/f200", 0644);
	rewinddir(dir);
	EQ(scan(dir, seen), 102);
	EQ(seen[7], 0);
	EQ(seen[200], 1);
}

static void
seeks(void)
{
	char names[102][16];
	long positions[102];
	struct dirent *entry;

	make_many(100);
	DIR *dir = open_dir("d");
	for (int i = 0; i < 102; i++) {
		positions[i] = telldir(dir);
		entry = readdir(dir);
		CHECK(entry != NULL);
		snprintf(names[i], sizeof(names[i]), "%.15s", entry->d_name);
	}
	for (int i = 101; i >= 0; i -= 7) {
		seekdir(dir, positions[i]);
		entry = readdir(dir);
		CHECK(entry != NULL);
		if (strcmp(entry->d_name, names[i]) != 0)
			FAIL("position %d leads to %s, expected %s", i, entry->d_name,
			     names[i]);
	}
}

static void
removes_while_reading(void)
{
	unsigned char seen[MANY];
	struct dirent *entry;
	char path[300];

	make_many(MANY);
	DIR *dir = open_dir("d");
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "d/%s", entry->d_name);
		OK(unlink(path));
	}
	/* Every entry that was there all the time is seen, so nothing is left. */
	EQ(scan(open_dir("d"), seen), 2);
	OK(rmdir("d"));
}

static void
creates_while_reading(void)
{
	unsigned char seen[MANY];
	char path[32];
	DIR *dir;

	make_many(300);
	dir = open_dir("d");
	for (int i = 0; i < 50; i++)
		CHECK(readdir(dir) != NULL);
	for (int i = 300; i < 600; i++) {
		snprintf(path, sizeof(path), "d/f%d", i);
		OK(close(open_file(path, O_WRONLY | O_CREAT)));
	}
	scan(dir, seen);
	/* Nothing is listed twice (scan), and what was there at the beginning is not
	 * lost. */
	rewinddir(dir);
	EQ(scan(dir, seen), 602);
}

static void
long_names(void)
{
	struct dirent *entry;
	int n = 0;

	for (char c = 'a'; c <= 'z'; c++) {
		char name[256];

		memset(name, c, 255);
		name[255] = '\0';
		make_file(name, 0644);
	}
	DIR *dir = open_dir(".");
	while ((entry = readdir(dir)) != NULL)
		n += strlen(entry->d_name) == 255;
	EQ(n, 26);
}

static void
two_readers(void)
{
	unsigned char seen[MANY];

	make_many(100);
	DIR *a = open_dir("d"), *b = open_dir("d");
	for (int i = 0; i < 50; i++)
		CHECK(readdir(a) != NULL);
	EQ(scan(b, seen), 102);
	int n = 50;
	while (readdir(a) != NULL)
		n++;
	EQ(n, 102);
}

static void
removed(void)
{
	make_dir("d", 0755);
	DIR *dir = open_dir("d");
	OK(rmdir("d"));
	errno = 0;
	/* A removed directory lists nothing; Linux says ENOENT below readdir, glibc the
	 * end. */
	while (readdir(dir) != NULL)
		;
	CHECK(errno == 0 || errno == ENOENT);
}

static void
no_read_permission(void)
{
	make_dir("d", 0311);
	FAILS(EACCES, open("d", O_RDONLY | O_DIRECTORY));
	make_file("d/f", 0644);
	CHECK(exists("d/f"));
}

static void
not_directory(void)
{
	char buf[1024];

	make_file("f", 0644);
	CHECK(opendir("f") == NULL);
	EQ(errno, ENOTDIR);
	int fd = open_file("f", O_RDONLY);
	FAILS(ENOTDIR, syscall(SYS_getdents64, fd, buf, sizeof(buf)));
}

static void
small_buffer(void)
{
	char buf[8];

	make_many(3);
	int fd = open_file("d", O_RDONLY | O_DIRECTORY);
	FAILS(EINVAL, syscall(SYS_getdents64, fd, buf, sizeof(buf)));
}

static void
no_hidden_names(void)
{
	unsigned char seen[MANY];
	int fd[3];

	/* Unlinked open files and replaced ones leave no name behind. */
	make_many(3);
	fd[0] = open_file("d/f0", O_RDWR);
	fd[1] = open_file("d/f1", O_RDWR);
	fd[2] = open_file("d/f2", O_RDWR);
	OK(unlink("d/f0"));
	OK(rename("d/f1", "d/f2"));
	EQ(scan(open_dir("d"), seen), 3);
	EQ(write(fd[0], "x", 1), 1);
	EQ(write(fd[2], "x", 1), 1);
	OK(close(fd[1]));
	EQ(scan(open_dir("d"), seen), 3);
}

static const struct posix_case cases[] = {
	{"readdir", 0, "one-thousand", AS_BOTH, "1000 entries, each once.", lists_all},
	{"readdir", 0, "dots", AS_INVOKER, ". and .. with their inode numbers.",
	 lists_dots},
	{"readdir", 0, "types", AS_INVOKER, "d_type and d_ino as lstat says.", types},
	{"readdir", 0, "rewind", AS_INVOKER, "rewinddir shows what changed.", rewinds},
	{"readdir", 0, "seek", AS_INVOKER, "seekdir to a telldir position.", seeks},
	{"readdir", 0, "remove-while-reading", AS_INVOKER,
	 "Removing each entry as it is read misses none.", removes_while_reading},
	{"readdir", 0, "create-while-reading", AS_INVOKER, "New entries double none.",
	 creates_while_reading},
	{"readdir", 0, "names-of-255", AS_INVOKER, "Longest names are listed whole.",
	 long_names},
	{"readdir", 0, "two-readers", AS_INVOKER, "Two readers have two positions.",
	 two_readers},
	{"readdir", 0, "removed", AS_INVOKER, "A removed directory lists nothing.",
	 removed},
	{"readdir", 0, "no-hidden-names", AS_INVOKER,
	 "Unlinked open files are not listed.", no_hidden_names},
	{"readdir", EACCES, "no-read", AS_USER,
	 "Search without read: entries by name only.", no_read_permission},
	{"readdir", ENOTDIR, "file", AS_INVOKER, "A file has no entries.", not_directory},
	{"readdir", EINVAL, "small-buffer", AS_INVOKER,
	 "A buffer too small for any entry.", small_buffer},
};

POSIX_GROUP(dir, cases)
