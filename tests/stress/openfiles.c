/*
 * Open files and directories whose names go away: unlinked, renamed over, moved, replaced
 * by others of the same name; and many handles at once. One function per behaviour.
 */
#include "tests/stress/common.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BYTES = 20000 };

static int work_fd;
static uint64_t n_handles = 1000;
static bool no_links;

static int
make_file(const char *name, uint64_t key)
{
	int fd = openat(work_fd, name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0640);

	check_call(fd, "create %s", name);
	write_data(fd, BYTES, key, 0, name);
	return fd;
}

static int
make_dir(const char *name)
{
	int fd;

	check_call(mkdirat(work_fd, name, 0755), "mkdir %s", name);
	fd = openat(work_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	check_call(fd, "open directory %s", name);
	return fd;
}

static void
remove_name(const char *name)
{
	check_call(unlinkat(work_fd, name, 0), "unlink %s", name);
}

static void
must_be_absent(int dir_fd, const char *name)
{
	struct listing l;

	check_errno(faccessat(dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW), ENOENT,
		    "%s is still there", name);
	listing_must_read(dir_fd, &l, "directory");
	check(!listing_has(&l, name), "%s is still listed", name);
	listing_free(&l);
}

static void
must_have_links(int fd, nlink_t n, const char *where)
{
	struct stat st;

	check_call(fstat(fd, &st), "%s: fstat", where);
	check(no_links || st.st_nlink == n, "%s: %u links, not %u", where,
	      (unsigned)st.st_nlink, (unsigned)n);
}

/* Everything that a descriptor can do must go on without a name. */
static void
unlinked_file_lives(void)
{
	int fd = make_file("f", 1);
	struct stat st;

	remove_name("f");
	must_be_absent(work_fd, "f");
	must_have_links(fd, 0, "unlinked");
	verify_data(fd, BYTES, 1, 0, "unlinked");
	write_data(fd, BYTES, 1, BYTES, "unlinked");
	check_call(ftruncate(fd, BYTES + 100), "ftruncate of an unlinked file");
	check_call(fchmod(fd, 0600), "fchmod of an unlinked file");
	check_call(fsync(fd), "fsync of an unlinked file");
	check_call(fstat(fd, &st), "fstat of an unlinked file");
	check(st.st_size == BYTES + 100 && (st.st_mode & 07777) == 0600,
	      "unlinked: size %lld mode %o", (long long)st.st_size, st.st_mode);
	verify_data(fd, BYTES + 100, 1, 0, "unlinked, changed");
	check_call(close(fd), "close");
	must_be_absent(work_fd, "f");
}

/* The name is free at once, and the new file is another one. */
static void
unlinked_name_is_free(void)
{
	int old = make_file("f", 1), new_fd;

	remove_name("f");
	new_fd = make_file("f", 2);
	verify_data(old, BYTES, 1, 0, "old file");
	verify_data(new_fd, BYTES, 2, 0, "new file");
	write_data(old, 100, 3, 0, "old file");
	verify_data(old, 100, 3, 0, "old file");
	close(old);
	verify_data(new_fd, BYTES, 2, 0, "new file after the old one's end");
	check_call(faccessat(work_fd, "f", F_OK, 0), "new file after the old one's end");
	close(new_fd);
	remove_name("f");
}

static void
unlink_one_of_two_names(void)
{
	int fd, other;

	if (no_links)
		return;
	fd = make_file("f", 1);
	check_call(linkat(work_fd, "f", work_fd, "g", 0), "link");
	must_have_links(fd, 2, "two names");
	remove_name("f");
	must_have_links(fd, 1, "one name left");
	other = openat(work_fd, "g", O_RDONLY | O_CLOEXEC);
	check_call(other, "open by the second name");
	write_data(fd, 500, 2, 0, "by descriptor");
	verify_data(other, 500, 2, 0, "by the second name");
	remove_name("g");
	must_have_links(other, 0, "no name left");
	close(fd);
	verify_data(other, 500, 2, 0, "last descriptor");
	close(other);
}

static void
rename_over_open_file(void)
{
	int victim = make_file("f", 1), winner = make_file("g", 2), fd;

	check_call(renameat(work_fd, "g", work_fd, "f"), "rename over an open file");
	must_be_absent(work_fd, "g");
	verify_data(victim, BYTES, 1, 0, "file that lost its name");
	must_have_links(victim, 0, "file that lost its name");
	write_data(victim, 100, 3, 0, "file that lost its name");
	fd = openat(work_fd, "f", O_RDONLY | O_CLOEXEC);
	check_call(fd, "open after rename");
	verify_data(fd, BYTES, 2, 0, "file that took the name");
	write_data(winner, 100, 4, 0, "by the descriptor from before");
	verify_data(fd, 100, 4, 0, "seen by the new descriptor");
	close(fd);
	close(victim);
	close(winner);
	remove_name("f");
}

/* The descriptor follows the file through every name and directory. */
static void
descriptor_survives_rename_chain(void)
{
	int fd = make_file("n0", 1), dir = make_dir("d");
	char from[32], to[32];

	for (unsigned i = 0; i < 50; i++) {
		snprintf(from, sizeof(from), "%sn%u", i % 2 ? "d/" : "", i);
		snprintf(to, sizeof(to), "%sn%u", i % 2 ? "" : "d/", i + 1);
		check_call(renameat(work_fd, from, work_fd, to), "rename %s to %s", from,
			   to);
		write_data(fd, 200, 100 + i, (off_t)i * 200, "through the chain");
		must_have_links(fd, 1, "through the chain");
	}
	check_call(renameat(work_fd, "d", work_fd, "e"), "rename directory");
	for (unsigned i = 0; i < 50; i++)
		verify_data(fd, 200, 100 + i, (off_t)i * 200, "after the chain");
	close(fd);
	fd = openat(work_fd, "n50", O_RDONLY | O_CLOEXEC);
	check_call(fd, "open by the last name");
	verify_data(fd, 200, 149, 49 * 200, "by the last name");
	close(fd);
	close(dir);
	remove_name("n50");
	check_call(unlinkat(work_fd, "e", AT_REMOVEDIR), "rmdir");
}

static void
rename_directory_with_open_children(void)
{
	int dir = make_dir("d"), fd;

	fd = make_file("d/f", 1);
	check_call(renameat(work_fd, "d", work_fd, "e"), "rename directory");
	write_data(fd, BYTES, 2, 0, "below a renamed directory");
	check_call(faccessat(dir, "f", F_OK, 0), "by the open directory");
	check_errno(faccessat(work_fd, "d/f", F_OK, 0), ENOENT, "by the old path");
	close(fd);
	fd = openat(work_fd, "e/f", O_RDONLY | O_CLOEXEC);
	check_call(fd, "open by the new path");
	verify_data(fd, BYTES, 2, 0, "by the new path");
	close(fd);
	close(dir);
	remove_name("e/f");
	check_call(unlinkat(work_fd, "e", AT_REMOVEDIR), "rmdir");
}

/* An open directory that is removed is empty and takes no new entries. */
static void
removed_directory_stays_empty(void)
{
	int dir = make_dir("d");
	struct listing l;
	struct stat st;
	int err;

	check_call(unlinkat(work_fd, "d", AT_REMOVEDIR), "rmdir of an open directory");
	must_be_absent(work_fd, "d");
	check_call(fstat(dir, &st), "fstat of a removed directory");
	check(S_ISDIR(st.st_mode), "removed directory has mode %o", st.st_mode);
	err = listing_read(dir, &l);
	check(err == -ENOENT || (err == 0 && l.n == 0),
	      "removed directory lists %zu entries, %s", err ? 0 : l.n, strerror(-err));
	if (err == 0)
		listing_free(&l);
	check_errno(openat(dir, "f", O_CREAT | O_RDWR, 0644), ENOENT,
		    "create in a removed directory");
	check_errno(mkdirat(dir, "s", 0755), ENOENT, "mkdir in a removed directory");
	close(dir);
}

static void
removed_directory_is_made_anew(void)
{
	int old = make_dir("d"), new_dir;
	struct listing l;

	check_call(unlinkat(work_fd, "d", AT_REMOVEDIR), "rmdir of an open directory");
	new_dir = make_dir("d");
	close(make_file("d/f", 1));
	listing_must_read(new_dir, &l, "new directory");
	check(l.n == 1 && listing_has(&l, "f"), "new directory lists %zu entries", l.n);
	listing_free(&l);
	check_errno(faccessat(old, "f", F_OK, 0), ENOENT,
		    "new file is seen in the removed directory");
	close(old);
	check_call(faccessat(new_dir, "f", F_OK, 0),
		   "file after the old directory's end");
	close(new_dir);
	remove_name("d/f");
	check_call(unlinkat(work_fd, "d", AT_REMOVEDIR), "rmdir");
}

/* POSIX: rename may replace an empty directory, open or not. */
static void
rename_over_open_directory(void)
{
	int victim = make_dir("d"), winner = make_dir("e");

	close(make_file("e/f", 1));
	check_call(renameat(work_fd, "e", work_fd, "d"),
		   "rename over an open empty directory");
	must_be_absent(work_fd, "e");
	check_call(faccessat(work_fd, "d/f", F_OK, 0), "file by the new path");
	check_call(faccessat(winner, "f", F_OK, 0), "file by the directory's descriptor");
	check_errno(faccessat(victim, "f", F_OK, 0), ENOENT,
		    "file in the replaced directory");
	close(victim);
	close(winner);
	remove_name("d/f");
	check_call(unlinkat(work_fd, "d", AT_REMOVEDIR), "rmdir");
}

static unsigned char *
map_file(int fd)
{
	unsigned char *map = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	check(map != MAP_FAILED, "mmap: %s", strerror(errno));
	return map;
}

/* A mapping keeps the file alive after its name and its last descriptor. */
static void
mapping_survives_unlink(void)
{
	int fd = make_file("f", 1);
	unsigned char *map = map_file(fd);

	remove_name("f");
	close(fd);
	check(data_check(map, BYTES, 1, 0) < 0, "mapping of an unlinked file changed");
	data_fill(map, BYTES, 2, 0);
	check_call(msync(map, BYTES, MS_SYNC), "msync of an unlinked file");
	check(data_check(map, BYTES, 2, 0) < 0,
	      "mapping of an unlinked file lost a write");
	check_call(munmap(map, BYTES), "munmap");
	must_be_absent(work_fd, "f");
}

static void
mapping_survives_rename_over(void)
{
	int old = make_file("f", 1), new_fd = make_file("g", 2);
	unsigned char *map = map_file(old);

	close(old);
	check_call(renameat(work_fd, "g", work_fd, "f"), "rename over a mapped file");
	check(data_check(map, BYTES, 1, 0) < 0,
	      "mapping changed when its name was taken");
	data_fill(map, BYTES, 3, 0);
	check_call(msync(map, BYTES, MS_SYNC), "msync");
	check_call(munmap(map, BYTES), "munmap");
	verify_data(new_fd, BYTES, 2, 0, "file that took the name");
	close(new_fd);
	remove_name("f");
}

/* A write through a mapping reaches the file even when the descriptor was closed first.
 */
static void
mapping_outlives_descriptor(void)
{
	int fd = make_file("f", 1);
	unsigned char *map = map_file(fd);

	close(fd);
	data_fill(map, BYTES, 2, 0);
	check_call(munmap(map, BYTES), "munmap");
	fd = openat(work_fd, "f", O_RDONLY | O_CLOEXEC);
	check_call(fd, "open");
	verify_data(fd, BYTES, 2, 0, "written by a mapping");
	close(fd);
	remove_name("f");
}

static void
truncate_is_seen_by_all_descriptors(void)
{
	int a = make_file("f", 1), b = openat(work_fd, "f", O_RDONLY | O_CLOEXEC), c;
	unsigned char byte;

	check_call(b, "open");
	c = openat(work_fd, "f", O_RDWR | O_TRUNC | O_CLOEXEC);
	check_call(c, "open with O_TRUNC");
	check(pread(b, &byte, 1, 0) == 0, "data stays after O_TRUNC");
	write_data(a, 10, 2, 100, "after O_TRUNC");
	verify_zeros(b, 100, 0, "gap after O_TRUNC");
	verify_data(c, 10, 2, 100, "after O_TRUNC");
	close(a);
	close(b);
	close(c);
	remove_name("f");
}

/* Many handles at once, half of them without a name; each keeps its own data and
 * position. */
static void
many_handles(void)
{
	int *fds = must_alloc(n_handles * sizeof(*fds));
	uint64_t number;
	char name[32];

	for (uint64_t i = 0; i < n_handles; i++) {
		snprintf(name, sizeof(name), "h%llu", (unsigned long long)i);
		fds[i] = openat(work_fd, name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC,
				0644);
		check_call(fds[i], "handle %llu", (unsigned long long)i);
		check(write(fds[i], &i, sizeof(i)) == sizeof(i), "write: %s",
		      strerror(errno));
		if (i % 2)
			remove_name(name);
	}
	for (uint64_t i = n_handles; i-- > 0;) {
		check(lseek(fds[i], 0, SEEK_CUR) == sizeof(i),
		      "handle %llu lost its position", (unsigned long long)i);
		read_all(fds[i], &number, sizeof(number), 0, "handle");
		check(number == i, "handle %llu reads the data of %llu",
		      (unsigned long long)i, (unsigned long long)number);
		must_have_links(fds[i], i % 2 ? 0 : 1, "handle");
	}
	for (uint64_t i = 0; i < n_handles; i++) {
		check_call(close(fds[i]), "close");
		snprintf(name, sizeof(name), "h%llu", (unsigned long long)i);
		if (i % 2 == 0)
			remove_name(name);
	}
	free(fds);
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{"unlinked file lives", unlinked_file_lives},
	{"unlinked name is free", unlinked_name_is_free},
	{"unlink one of two names", unlink_one_of_two_names},
	{"rename over open file", rename_over_open_file},
	{"descriptor survives rename chain", descriptor_survives_rename_chain},
	{"rename directory with open children", rename_directory_with_open_children},
	{"removed directory stays empty", removed_directory_stays_empty},
	{"removed directory is made anew", removed_directory_is_made_anew},
	{"rename over open directory", rename_over_open_directory},
	{"mapping survives unlink", mapping_survives_unlink},
	{"mapping survives rename over", mapping_survives_rename_over},
	{"mapping outlives descriptor", mapping_outlives_descriptor},
	{"truncate is seen by all descriptors", truncate_is_seen_by_all_descriptors},
	{"many handles", many_handles},
};

static void
raise_handle_limit(void)
{
	struct rlimit limit;

	check_call(getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
	if (limit.rlim_cur < n_handles + 64) {
		limit.rlim_cur = n_handles + 64;
		limit.rlim_max = MAX(limit.rlim_max, limit.rlim_cur);
		check_call(setrlimit(RLIMIT_NOFILE, &limit),
			   "raising the limit of open files");
	}
}

/* Each case leaves the directory empty: hidden remains of unlinked files would show here.
 */
int
main(int argc, char **argv)
{
	const char *dir = NULL, *only = NULL;
	const struct opt opts[] = {
		{"DIR", OPT_ARG, &dir, "where to work"},
		{"handles", OPT_U64, &n_handles, "open at once (1000)"},
		{"no-links", OPT_FLAG, &no_links,
		 "the drive has no hard links and counts none"},
		{"case", OPT_TEXT, &only, "run only the case of this name"},
	};
	unsigned n_run = 0;

	opts_parse(argc, argv, opts, ARRAY_SIZE(opts));
	raise_handle_limit();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct workdir work;

		if (only != NULL && strcmp(only, cases[i].name) != 0)
			continue;
		printf("openfiles: %s\n", cases[i].name);
		workdir_create(&work, dir, "openfiles");
		work_fd = work.fd;
		cases[i].run();
		workdir_remove_empty(&work);
		n_run++;
	}
	check(n_run > 0, "no case of that name");
	printf("openfiles: %u cases\n", n_run);
	return TEST_PASS;
}
