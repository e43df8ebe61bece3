/* truncate(2), posix_fallocate(3), fallocate(2), and lseek(2) over holes. */
#include <limits.h>
#include <linux/falloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "groups.h"
#include "harness.h"

static void
check_zeros(const char *path, off_t from, off_t to)
{
	char buf[4096];
	int fd = open_file(path, O_RDONLY);

	while (from < to) {
		size_t n = (size_t)(to - from) < sizeof(buf) ? (size_t)(to - from)
							     : sizeof(buf);

		EQ(pread(fd, buf, n, from), n);
		for (size_t i = 0; i < n; i++)
			if (buf[i] != 0)
				FAIL("byte %lld of %s is %#x, expected 0",
				     (long long)from + (long long)i, path, buf[i]);
		from += (off_t)n;
	}
	OK(close(fd));
}

static void
make_filled(const char *path, size_t size)
{
	static char buf[1 << 20];

	fill(buf, size);
	int fd = open_file(path, O_WRONLY | O_CREAT);
	EQ(write(fd, buf, size), size);
	OK(close(fd));
}

static void
check_filled(const char *path, size_t from, size_t to)
{
	static char want[1 << 20], got[1 << 20];
	int fd = open_file(path, O_RDONLY);

	fill(want, to);
	EQ(pread(fd, got, to - from, (off_t)from), to - from);
	if (memcmp(got, want + from, to - from) != 0)
		FAIL("bytes %zu to %zu of %s are not what was written", from, to, path);
	OK(close(fd));
}

static void
truncate_shorter(void)
{
	make_filled("f", 10000);
	OK(truncate("f", 5001));
	EQ(size_of("f"), 5001);
	check_filled("f", 0, 5001);
	OK(truncate("f", 0));
	EQ(size_of("f"), 0);
}

static void
truncate_longer(void)
{
	make_filled("f", 5001);
	OK(truncate("f", 20000));
	EQ(size_of("f"), 20000);
	check_filled("f", 0, 5001);
	check_zeros("f", 5001, 20000);
}

static void
truncate_and_back(void)
{
	/* What was cut off does not come back. */
	make_filled("f", 10000);
	OK(truncate("f", 4097));
	OK(truncate("f", 10000));
	check_filled("f", 0, 4097);
	check_zeros("f", 4097, 10000);
}

static void
truncate_open(void)
{
	make_filled("f", 8192);
	int reader = open_file("f", O_RDONLY);
	int writer = open_file("f", O_WRONLY);
	OK(lseek(writer, 8192, SEEK_SET));
	OK(ftruncate(writer, 100));
	EQ(lseek(writer, 0, SEEK_CUR), 8192);
	EQ(pread(reader, (char[200]){0}, 200, 0), 100);
	EQ(write(writer, "x", 1), 1);
	EQ(size_of("f"), 8193);
	check_zeros("f", 100, 8192);
}

static void
truncate_large(void)
{
	make_file("f", 0644);
	OK(truncate("f", 1LL << 40));
	EQ(size_of("f"), 1LL << 40);
	check_zeros("f", (1LL << 40) - 4096, 1LL << 40);
	CHECK(stat_of("f").st_blocks < 1000);
}

static void
truncate_directory(void)
{
	make_dir("d", 0755);
	FAILS(EISDIR, truncate("d", 0));
}

static void
truncate_negative(void)
{
	make_file("f", 0644);
	FAILS(EINVAL, truncate("f", -1));
	int fd = open_file("f", O_WRONLY);
	FAILS(EINVAL, ftruncate(fd, -1));
}

static void
truncate_fifo(void)
{
	make_fifo("p", 0644);
	FAILS(EINVAL, truncate("p", 0));
}

static void
truncate_read_only_fd(void)
{
	make_file("f", 0644);
	int fd = open_file("f", O_RDONLY);
	FAILS(EINVAL, ftruncate(fd, 0));
}

static void
truncate_directory_fd(void)
{
	make_dir("d", 0755);
	int fd = open_file("d", O_RDONLY);
	FAILS(EINVAL, ftruncate(fd, 0));
}

static void
limit_size(rlim_t limit)
{
	struct rlimit size = {limit, limit};

	signal(SIGXFSZ, SIG_IGN);
	OK(setrlimit(RLIMIT_FSIZE, &size));
}

static void
truncate_rlimit(void)
{
	make_filled("f", 100);
	limit_size(1000);
	FAILS(EFBIG, truncate("f", 1001));
	EQ(size_of("f"), 100);
	OK(truncate("f", 1000));
}

static void
truncate_too_large(void)
{
	/* Above what any file system stores: EFBIG, or EINVAL by the manual page's other
	 * word. */
	make_file("f", 0644);
	if (truncate("f", LLONG_MAX) == 0)
		skip("this file system has files of 8 EiB");
	CHECK(errno == EFBIG || errno == EINVAL);
	EQ(size_of("f"), 0);
}

static void
write_rlimit(void)
{
	make_filled("f", 100);
	limit_size(1000);
	int fd = open_file("f", O_WRONLY);
	FAILS(EFBIG, pwrite(fd, "x", 1, 1000));
	EQ(pwrite(fd, "xx", 2, 999), 1);
	EQ(size_of("f"), 1000);
}

static void
truncate_mode(void)
{
	make_sized("f", 10);
	OK(chmod("f", 0444));
	FAILS(EACCES, truncate("f", 0));
	EQ(size_of("f"), 10);
}

static void
truncate_supp(void)
{
	make_sized("f", 10);
	give("f", uid_b(), gid_g());
	OK(chmod("f", 0626));
	become(ID_A);
	OK(truncate("f", 5));
	become(ID_ROOT);
	OK(chmod("f", 0646));
	become(ID_A_SUPP);
	FAILS(EACCES, truncate("f", 0));
}

/* ---- posix_fallocate ---- */

static void
allocate_grows(void)
{
	make_filled("f", 100);
	int fd = open_file("f", O_RDWR);
	NUMBER(0, posix_fallocate(fd, 50, 10000));
	EQ(size_of("f"), 10050);
	check_filled("f", 0, 100);
	check_zeros("f", 100, 10050);
	CHECK(stat_of("f").st_blocks * 512 >= 10050);
}

static void
allocate_within(void)
{
	make_filled("f", 10000);
	int fd = open_file("f", O_RDWR);
	NUMBER(0, posix_fallocate(fd, 0, 5000));
	EQ(size_of("f"), 10000);
	check_filled("f", 0, 10000);
}

static void
allocate_hole(void)
{
	make_sized("f", 100000);
	int fd = open_file("f", O_RDWR);
	NUMBER(0, posix_fallocate(fd, 0, 100000));
	EQ(size_of("f"), 100000);
	CHECK(stat_of("f").st_blocks * 512 >= 100000);
	check_zeros("f", 0, 100000);
}

static void
allocate_invalid(void)
{
	make_file("f", 0644);
	int fd = open_file("f", O_RDWR);
	NUMBER(EINVAL, posix_fallocate(fd, -1, 10));
	NUMBER(EINVAL, posix_fallocate(fd, 0, 0));
	NUMBER(EINVAL, posix_fallocate(fd, 0, -1));
	EQ(size_of("f"), 0);
}

static void
allocate_read_only(void)
{
	make_file("f", 0644);
	int fd = open_file("f", O_RDONLY);
	NUMBER(EBADF, posix_fallocate(fd, 0, 10));
}

static void
allocate_too_large(void)
{
	make_file("f", 0644);
	int fd = open_file("f", O_RDWR);
	NUMBER(EFBIG, posix_fallocate(fd, LLONG_MAX - 10, 100));
	EQ(size_of("f"), 0);
}

static void
allocate_directory(void)
{
	/* A directory is never open for writing, so EBADF comes first; ENODEV needs a
	 * device. */
	int fd = open_file("/dev/null", O_RDWR);

	NUMBER(ENODEV, posix_fallocate(fd, 0, 10));
}

static void
allocate_fifo(void)
{
	make_fifo("p", 0644);
	int fd = open_file("p", O_RDWR);
	NUMBER(ESPIPE, posix_fallocate(fd, 0, 10));
}

static void
allocate_rlimit(void)
{
	make_filled("f", 100);
	limit_size(1000);
	int fd = open_file("f", O_RDWR);
	NUMBER(EFBIG, posix_fallocate(fd, 0, 1001));
	EQ(size_of("f"), 100);
}

/* ---- fallocate modes and holes ---- */

#define BLOCK 65536

static void
allocate_keep_size(void)
{
	make_filled("f", 100);
	int fd = open_file("f", O_RDWR);
	ABLE(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 100000));
	EQ(size_of("f"), 100);
	CHECK(stat_of("f").st_blocks * 512 >= 100000);
	check_filled("f", 0, 100);
}

static void
punch_hole(void)
{
	make_filled("f", 4 * BLOCK);
	int fd = open_file("f", O_RDWR);
	ABLE(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, BLOCK, BLOCK));
	EQ(size_of("f"), 4 * BLOCK);
	check_filled("f", 0, BLOCK);
	check_zeros("f", BLOCK, 2 * BLOCK);
	check_filled("f", 2 * BLOCK, 4 * BLOCK);
}

static void
punch_unaligned(void)
{
	make_filled("f", BLOCK);
	int fd = open_file("f", O_RDWR);
	ABLE(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1001, 20000));
	check_filled("f", 0, 1001);
	check_zeros("f", 1001, 21001);
	check_filled("f", 21001, BLOCK);
}

static void
punch_beyond_end(void)
{
	make_filled("f", 5000);
	int fd = open_file("f", O_RDWR);
	ABLE(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1000, 100000));
	EQ(size_of("f"), 5000);
	check_filled("f", 0, 1000);
	check_zeros("f", 1000, 5000);
}

static void
zero_range(void)
{
	make_filled("f", BLOCK);
	int fd = open_file("f", O_RDWR);
	ABLE(fallocate(fd, FALLOC_FL_ZERO_RANGE, 1001, 20000));
	check_filled("f", 0, 1001);
	check_zeros("f", 1001, 21001);
	check_filled("f", 21001, BLOCK);
	ABLE(fallocate(fd, FALLOC_FL_ZERO_RANGE, BLOCK - 10, 1000));
	EQ(size_of("f"), BLOCK + 990);
	check_zeros("f", BLOCK - 10, BLOCK + 990);
}

static void
punch_without_keep_size(void)
{
	make_filled("f", 5000);
	int fd = open_file("f", O_RDWR);
	FAILS(EOPNOTSUPP, fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 1000));
}

static void
seek_hole_dense(void)
{
	make_filled("f", 10000);
	int fd = open_file("f", O_RDONLY);
	EQ(lseek(fd, 0, SEEK_DATA), 0);
	EQ(lseek(fd, 5000, SEEK_DATA), 5000);
	EQ(lseek(fd, 0, SEEK_HOLE), 10000);
	EQ(lseek(fd, 9999, SEEK_HOLE), 10000);
}

static void
seek_hole_sparse(void)
{
	make_sized("f", 16 * BLOCK);
	int fd = open_file("f", O_RDWR);
	EQ(pwrite(fd, "x", 1, 8 * BLOCK), 1);
	off_t data = lseek(fd, 0, SEEK_DATA);
	if (data == 0)
		lacks("SEEK_DATA that tells holes");
	CHECK(data <= 8 * BLOCK && data > 4 * BLOCK);
	EQ(lseek(fd, 0, SEEK_HOLE), 0);
	off_t hole = lseek(fd, 8 * BLOCK, SEEK_HOLE);
	CHECK(hole > 8 * BLOCK && hole <= 12 * BLOCK);
	FAILS(ENXIO, lseek(fd, 15 * BLOCK, SEEK_DATA));
	EQ(lseek(fd, 15 * BLOCK, SEEK_HOLE), 15 * BLOCK);
}

static void
seek_beyond_end(void)
{
	make_filled("f", 100);
	int fd = open_file("f", O_RDONLY);
	FAILS(ENXIO, lseek(fd, 100, SEEK_DATA));
	FAILS(ENXIO, lseek(fd, 100, SEEK_HOLE));
	FAILS(ENXIO, lseek(fd, 5000, SEEK_DATA));
}

static void
seek_negative(void)
{
	make_filled("f", 100);
	int fd = open_file("f", O_RDONLY);
	FAILS(EINVAL, lseek(fd, -1, SEEK_SET));
	FAILS(EINVAL, lseek(fd, -101, SEEK_END));
	FAILS(EINVAL, lseek(fd, 0, 99));
	EQ(lseek(fd, -100, SEEK_END), 0);
	EQ(lseek(fd, 100, SEEK_END), 200);
}

static void
write_leaves_hole(void)
{
	int fd = open_file("f", O_RDWR | O_CREAT);

	EQ(pwrite(fd, "x", 1, 1000000), 1);
	EQ(size_of("f"), 1000001);
	check_zeros("f", 0, 1000000);
}

static const struct posix_case cases[] = {
	{"truncate", 0, "shorter", AS_BOTH, "A shorter file keeps its beginning.",
	 truncate_shorter},
	{"truncate", 0, "longer", AS_BOTH, "A longer file ends in zeros.",
	 truncate_longer},
	{"truncate", 0, "and-back", AS_INVOKER, "What was cut off does not come back.",
	 truncate_and_back},
	{"truncate", 0, "open", AS_INVOKER, "Other descriptors see it; offsets stay.",
	 truncate_open},
	{"truncate", 0, "one-tebibyte", AS_INVOKER,
	 "A file of 1 TiB that takes no space.", truncate_large},
	{"truncate", EISDIR, "directory", AS_BOTH, "A directory.", truncate_directory},
	{"truncate", EINVAL, "negative", AS_BOTH, "A negative length.",
	 truncate_negative},
	{"truncate", EINVAL, "fifo", AS_INVOKER, "A fifo has no length.", truncate_fifo},
	{"truncate", EINVAL, "read-only-descriptor", AS_INVOKER,
	 "A descriptor for reading.", truncate_read_only_fd},
	{"truncate", EINVAL, "directory-descriptor", AS_INVOKER,
	 "A descriptor of a directory.", truncate_directory_fd},
	{"truncate", EFBIG, "limit", AS_INVOKER,
	 "Above the process's limit of file sizes.", truncate_rlimit},
	{"truncate", EFBIG, "too-large", AS_INVOKER,
	 "Above the largest size the file system has.", truncate_too_large},
	{"truncate", EACCES, "mode", AS_USER, "The file grants no write.", truncate_mode},
	{"truncate", EACCES, "mode-supp", AS_ROOT, "The supplementary group's bits rule.",
	 truncate_supp},
	{"write", EFBIG, "limit", AS_INVOKER, "Above the process's limit of file sizes.",
	 write_rlimit},
	{"write", 0, "leaves-hole", AS_INVOKER,
	 "Zeros lie before what is written behind the end.", write_leaves_hole},
	{"posix_fallocate", 0, "grows", AS_BOTH, "The file grows, its content stays.",
	 allocate_grows},
	{"posix_fallocate", 0, "within", AS_BOTH,
	 "A range inside the file changes nothing.", allocate_within},
	{"posix_fallocate", 0, "hole", AS_INVOKER, "A hole gets its space.",
	 allocate_hole},
	{"posix_fallocate", EINVAL, "range", AS_BOTH, "Negative or empty ranges.",
	 allocate_invalid},
	{"posix_fallocate", EBADF, "read-only", AS_BOTH, "A descriptor for reading.",
	 allocate_read_only},
	{"posix_fallocate", EFBIG, "too-large", AS_INVOKER,
	 "A range that ends above the largest offset.", allocate_too_large},
	{"posix_fallocate", EFBIG, "limit", AS_INVOKER,
	 "Above the process's limit of file sizes.", allocate_rlimit},
	{"posix_fallocate", ENODEV, "device", AS_INVOKER, "Not a regular file.",
	 allocate_directory},
	{"posix_fallocate", ESPIPE, "fifo", AS_INVOKER, "A fifo.", allocate_fifo},
	{"fallocate", 0, "keep-size", AS_INVOKER | MAY_LACK,
	 "FALLOC_FL_KEEP_SIZE takes space, not size.", allocate_keep_size},
	{"fallocate", 0, "punch-hole", AS_INVOKER | MAY_LACK,
	 "FALLOC_FL_PUNCH_HOLE leaves zeros.", punch_hole},
	{"fallocate", 0, "punch-unaligned", AS_INVOKER | MAY_LACK,
	 "Exactly the given bytes become zero.", punch_unaligned},
	{"fallocate", 0, "punch-beyond-end", AS_INVOKER | MAY_LACK,
	 "A hole over the end keeps the size.", punch_beyond_end},
	{"fallocate", 0, "zero-range", AS_INVOKER | MAY_LACK,
	 "FALLOC_FL_ZERO_RANGE makes zeros and may grow the file.", zero_range},
	{"fallocate", EOPNOTSUPP, "punch-alone", AS_INVOKER,
	 "FALLOC_FL_PUNCH_HOLE without FALLOC_FL_KEEP_SIZE.", punch_without_keep_size},
	{"lseek", 0, "data-everywhere", AS_INVOKER, "A file without holes ends in one.",
	 seek_hole_dense},
	{"lseek", 0, "hole-and-data", AS_INVOKER | MAY_LACK,
	 "SEEK_HOLE and SEEK_DATA around one block.", seek_hole_sparse},
	{"lseek", ENXIO, "beyond-end", AS_INVOKER,
	 "SEEK_HOLE and SEEK_DATA from the end on.", seek_beyond_end},
	{"lseek", EINVAL, "negative", AS_INVOKER, "Offsets before the beginning.",
	 seek_negative},
};

POSIX_GROUP(size, cases)
