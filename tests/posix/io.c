/* read(2), write(2), mmap(2), copy_file_range(2), sendfile(2): content and its
 * visibility. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "groups.h"
#include "harness.h"

#define SIZE 200000

static char pattern[SIZE];
static char got[SIZE];

static int
make_pattern(const char *path)
{
	int fd = open_file(path, O_RDWR | O_CREAT);

	fill(pattern, SIZE);
	EQ(write(fd, pattern, SIZE), SIZE);
	return fd;
}

static void
check_pattern(int fd, size_t size)
{
	EQ(pread(fd, got, SIZE, 0), size);
	CHECK(memcmp(got, pattern, size) == 0);
}

static void
sizes(void)
{
	static const size_t steps[] = {1, 511, 512, 4095, 4096, 4097, 65536, 131073};

	fill(pattern, SIZE);
	for (size_t i = 0; i < COUNT(steps); i++) {
		int fd = open_file("f", O_RDWR | O_CREAT | O_TRUNC);
		for (size_t at = 0; at < SIZE; at += steps[i]) {
			size_t n = SIZE - at < steps[i] ? SIZE - at : steps[i];
			EQ(write(fd, pattern + at, n), n);
		}
		check_pattern(fd, SIZE);
		OK(close(fd));
	}
}

static void
overwrite(void)
{
	int fd = make_pattern("f");

	EQ(pwrite(fd, "hello", 5, 4094), 5);
	memcpy(pattern + 4094, "hello", 5);
	check_pattern(fd, SIZE);
}

static void
end_of_file(void)
{
	int fd = make_pattern("f");

	EQ(read(fd, got, 10), 0);
	EQ(pread(fd, got, 100, SIZE - 10), 10);
	EQ(pread(fd, got, 10, SIZE + 1000), 0);
}

static void
offsets(void)
{
	int fd = make_pattern("f");

	OK(lseek(fd, 10, SEEK_SET));
	EQ(read(fd, got, 5), 5);
	EQ(pread(fd, got, 5, 100), 5);
	EQ(lseek(fd, 0, SEEK_CUR), 15);
	int copy = (int)OK(dup(fd));
	EQ(lseek(copy, 0, SEEK_CUR), 15);
	EQ(read(copy, got, 5), 5);
	EQ(lseek(fd, 0, SEEK_CUR), 20);
}

static void
vectors(void)
{
	char a[3] = "", b[3] = "";
	struct iovec out[] = {{(char[]){"abc"}, 3}, {(char[]){"def"}, 3}};
	struct iovec in[] = {{a, 2}, {b, 2}};
	int fd = open_file("f", O_RDWR | O_CREAT);

	EQ(writev(fd, out, 2), 6);
	EQ(preadv(fd, in, 2, 1), 4);
	CHECK(memcmp(a, "bc", 2) == 0 && memcmp(b, "de", 2) == 0);
}

static void
two_descriptors(void)
{
	int writer = make_pattern("f");
	int reader = open_file("f", O_RDONLY);

	EQ(pwrite(writer, "x", 1, 77), 1);
	EQ(pread(reader, got, 1, 77), 1);
	EQ(got[0], 'x');
	EQ(pwrite(writer, "y", 1, SIZE), 1);
	EQ(pread(reader, got, 2, SIZE), 1);
	struct stat st;
	OK(fstat(reader, &st));
	EQ(st.st_size, SIZE + 1);
}

static void
write_x(void *arg)
{
	int fd = open_file(arg, O_WRONLY);

	EQ(pwrite(fd, "x", 1, 5000), 1);
}

static void
two_processes(void)
{
	char name[] = "f";
	int fd = make_pattern(name);

	EQ(pread(fd, got, 1, 5000), 1);
	wait_for(spawn(write_x, name));
	EQ(pread(fd, got, 1, 5000), 1);
	EQ(got[0], 'x');
}

static void
append_process(void *arg)
{
	int fd = open_file(arg, O_WRONLY | O_APPEND);

	for (int i = 0; i < 200; i++)
		EQ(write(fd, "0123456789", 10), 10);
}

static void
append_processes(void)
{
	char name[] = "f";
	pid_t pid[4];

	make_file(name, 0644);
	for (size_t i = 0; i < COUNT(pid); i++)
		pid[i] = spawn(append_process, name);
	for (size_t i = 0; i < COUNT(pid); i++)
		wait_for(pid[i]);
	EQ(size_of(name), 8000);
	int fd = open_file(name, O_RDONLY);
	for (int i = 0; i < 800; i++) {
		EQ(read(fd, got, 10), 10);
		CHECK(memcmp(got, "0123456789", 10) == 0);
	}
}

static void
reopen(void)
{
	OK(close(make_pattern("f")));
	int fd = open_file("f", O_RDONLY);
	check_pattern(fd, SIZE);
}

static void
sync_calls(void)
{
	int fd = make_pattern("f");

	OK(fsync(fd));
	OK(fdatasync(fd));
	make_dir("d", 0755);
	OK(fsync(open_file("d", O_RDONLY | O_DIRECTORY)));
	check_pattern(fd, SIZE);
}

static void
blocks_count(void)
{
	int fd = make_pattern("f");

	OK(fsync(fd));
	CHECK(stat_of("f").st_blocks * 512 >= SIZE);
	CHECK(stat_of("f").st_blksize > 0);
}

static void
directory_fd(void)
{
	make_dir("d", 0755);
	int fd = open_file("d", O_RDONLY);
	FAILS(EISDIR, read(fd, got, 1));
	FAILS(EBADF, write(fd, "x", 1));
}

/* ---- mmap ---- */

static char *
map(int fd, int protection, int flags)
{
	char *memory = mmap(NULL, SIZE, protection, flags, fd, 0);

	if (memory == MAP_FAILED && errno == ENODEV)
		lacks("such maps");
	CHECK(memory != MAP_FAILED);
	return memory;
}

static void
map_reads(void)
{
	int fd = make_pattern("f");
	char *memory = map(fd, PROT_READ, MAP_PRIVATE);

	CHECK(memcmp(memory, pattern, SIZE) == 0);
	/* Behind the end, up to the page's end, lie zeros. */
	EQ(memory[SIZE], 0);
}

static void
map_writes(void)
{
	int fd = make_pattern("f");
	char *memory = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);

	memcpy(memory + 4094, "hello", 5);
	memcpy(pattern + 4094, "hello", 5);
	check_pattern(fd, SIZE);
	OK(msync(memory, SIZE, MS_SYNC));
	OK(munmap(memory, SIZE));
	int other = open_file("f", O_RDONLY);
	check_pattern(other, SIZE);
}

static void
map_sees_writes(void)
{
	int fd = make_pattern("f");
	char *memory = map(fd, PROT_READ, MAP_SHARED);

	EQ(memory[5000], pattern[5000]);
	EQ(pwrite(fd, "x", 1, 5000), 1);
	EQ(memory[5000], 'x');
}

static void
map_private(void)
{
	int fd = make_pattern("f");
	char *memory = map(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE);

	memory[0] = 'x';
	check_pattern(fd, SIZE);
}

static void
map_closed(void)
{
	int fd = make_pattern("f");
	char *memory = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);

	OK(close(fd));
	memory[10] = 'x';
	pattern[10] = 'x';
	OK(munmap(memory, SIZE));
	check_pattern(open_file("f", O_RDONLY), SIZE);
}

static void
map_unlinked(void)
{
	int fd = make_pattern("f");
	char *memory = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);

	OK(unlink("f"));
	OK(close(fd));
	memory[SIZE - 1] = 'x';
	CHECK(memcmp(memory, pattern, SIZE - 1) == 0);
}

static void
map_write_needs_write(void)
{
	make_sized("f", SIZE);
	int fd = open_file("f", O_RDONLY);
	CHECK(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
	EQ(errno, EACCES);
	fd = open_file("f", O_WRONLY);
	CHECK(mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED);
	EQ(errno, EACCES);
}

static void
write_through_map(void *arg)
{
	int fd = open_file(arg, O_RDWR);
	char *memory = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);

	memory[9000] = 'x';
}

static void
map_between_processes(void)
{
	char name[] = "f";
	int fd = make_pattern(name);
	char *memory = map(fd, PROT_READ, MAP_SHARED);

	wait_for(spawn(write_through_map, name));
	EQ(memory[9000], 'x');
	EQ(pread(fd, got, 1, 9000), 1);
	EQ(got[0], 'x');
}

/* ---- copies inside the kernel ---- */

static void
copy_range(void)
{
	int in = make_pattern("f");
	int out = open_file("g", O_RDWR | O_CREAT);
	loff_t from = 0, to = 0;

	while (from < SIZE)
		CHECK(ABLE(copy_file_range(in, &from, out, &to, (size_t)(SIZE - from),
					   0)) > 0);
	EQ(to, SIZE);
	check_pattern(out, SIZE);
	EQ(copy_file_range(in, &from, out, &to, 100, 0), 0);
}

static void
copy_range_offsets(void)
{
	int in = make_pattern("f");
	int out = open_file("g", O_RDWR | O_CREAT);
	loff_t from = 1001, to = 50;

	EQ(ABLE(copy_file_range(in, &from, out, &to, 3000, 0)), 3000);
	EQ(from, 4001);
	EQ(to, 3050);
	EQ(pread(out, got, 3000, 50), 3000);
	CHECK(memcmp(got, pattern + 1001, 3000) == 0);
	EQ(size_of("g"), 3050);
}

static void
copy_range_overlap(void)
{
	int fd = make_pattern("f");
	loff_t from = 0, to = 100;

	FAILS(EINVAL, copy_file_range(fd, &from, fd, &to, 1000, 0));
	FAILS(EINVAL, copy_file_range(fd, &from, fd, &to, 10, 1));
}

static void
copy_range_same_file(void)
{
	int fd = make_pattern("f");
	loff_t from = 0, to = SIZE;

	EQ(ABLE(copy_file_range(fd, &from, fd, &to, 1000, 0)), 1000);
	EQ(pread(fd, got, 1000, SIZE), 1000);
	CHECK(memcmp(got, pattern, 1000) == 0);
}

static void
copy_range_modes(void)
{
	OK(close(make_pattern("f")));
	int writer = open_file("f", O_WRONLY), reader = open_file("f", O_RDONLY);
	int out = open_file("g", O_WRONLY | O_CREAT);
	int append = open_file("h", O_WRONLY | O_CREAT | O_APPEND);

	FAILS(EBADF, copy_file_range(writer, NULL, out, NULL, 10, 0));
	FAILS(EBADF, copy_file_range(out, NULL, reader, NULL, 10, 0));
	FAILS(EBADF, copy_file_range(reader, NULL, append, NULL, 10, 0));
}

static void
copy_range_directory(void)
{
	int out = open_file("g", O_WRONLY | O_CREAT);

	make_dir("d", 0755);
	int dir = open_file("d", O_RDONLY);
	FAILS(EISDIR, copy_file_range(dir, NULL, out, NULL, 10, 0));
}

static void
send_file(void)
{
	int in = make_pattern("f");
	int out = open_file("g", O_RDWR | O_CREAT);
	off_t from = 0;

	while (from < SIZE)
		CHECK(OK(sendfile(out, in, &from, (size_t)(SIZE - from))) > 0);
	check_pattern(out, SIZE);
}

static const struct posix_case cases[] = {
	{"write", 0, "sizes", AS_INVOKER, "Pieces of 1 byte to 128 KiB add up.", sizes},
	{"write", 0, "overwrites", AS_INVOKER, "A few bytes over a page's edge.",
	 overwrite},
	{"write", 0, "two-descriptors", AS_INVOKER,
	 "Another descriptor sees bytes and size at once.", two_descriptors},
	{"write", 0, "two-processes", AS_INVOKER,
	 "Another process's bytes are seen at once.", two_processes},
	{"write", 0, "append-from-four-processes", AS_INVOKER,
	 "Appended records neither mix nor vanish.", append_processes},
	{"write", 0, "vectors", AS_INVOKER, "writev and preadv.", vectors},
	{"write", 0, "block-count", AS_INVOKER, "st_blocks covers what was written.",
	 blocks_count},
	{"write", 0, "offset-of-copies", AS_INVOKER,
	 "Copied descriptors share one offset; pread leaves it.", offsets},
	{"read", 0, "end-of-file", AS_INVOKER, "Reads over and behind the end.",
	 end_of_file},
	{"read", 0, "after-reopen", AS_BOTH,
	 "What was written is there after close and open.", reopen},
	{"read", EISDIR, "directory", AS_INVOKER, "A directory is not read.",
	 directory_fd},
	{"fsync", 0, "file-and-directory", AS_BOTH, "fsync and fdatasync are accepted.",
	 sync_calls},
	{"mmap", 0, "reads", AS_INVOKER,
	 "A private map shows the file and zeros behind it.", map_reads},
	{"mmap", 0, "writes-are-read", AS_INVOKER, "What a shared map writes, read sees.",
	 map_writes},
	{"mmap", 0, "sees-writes", AS_INVOKER, "What write writes, a shared map shows.",
	 map_sees_writes},
	{"mmap", 0, "private-stays-private", AS_INVOKER,
	 "A private map's writes stay out of the file.", map_private},
	{"mmap", 0, "after-close", AS_INVOKER, "A map outlives its descriptor.",
	 map_closed},
	{"mmap", 0, "after-unlink", AS_INVOKER, "A map outlives the file's last name.",
	 map_unlinked},
	{"mmap", 0, "between-processes", AS_INVOKER, "Two processes share a map.",
	 map_between_processes},
	{"mmap", EACCES, "access-mode", AS_INVOKER,
	 "A shared map needs the descriptor's access.", map_write_needs_write},
	{"copy_file_range", 0, "whole-file", AS_INVOKER | MAY_LACK,
	 "A file copied to its end.", copy_range},
	{"copy_file_range", 0, "offsets", AS_INVOKER | MAY_LACK,
	 "Odd offsets and lengths.", copy_range_offsets},
	{"copy_file_range", 0, "same-file", AS_INVOKER | MAY_LACK, "Inside one file.",
	 copy_range_same_file},
	{"copy_file_range", EINVAL, "overlap", AS_INVOKER,
	 "Overlapping ranges of one file, unknown flags.", copy_range_overlap},
	{"copy_file_range", EBADF, "access-mode", AS_INVOKER,
	 "Descriptors that do not allow it.", copy_range_modes},
	{"copy_file_range", EISDIR, "directory", AS_INVOKER, "A directory.",
	 copy_range_directory},
	{"sendfile", 0, "file-to-file", AS_INVOKER, "A file copied by sendfile.",
	 send_file},
};

POSIX_GROUP(io, cases)
