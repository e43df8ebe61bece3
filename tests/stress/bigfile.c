/*
 * Files beyond 2, 4, 8 … GiB: data across each boundary, sizes, positions, holes,
 * mappings. Every place where an offset is cut to 31 or 32 bits shows as data in the
 * wrong place. Needs little real space where holes are supported; elsewhere --real must
 * be given.
 */
#include "tests/stress/common.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HALF = 6000, LITTLE_SPACE = 64 << 20 };

struct bigfile {
	struct workdir work;
	int fd;
	uint64_t max, key;
	off_t boundaries[40];
	size_t n;
	bool real;
};

static off_t
file_size(int fd)
{
	struct stat st;

	check_call(fstat(fd, &st), "fstat");
	return st.st_size;
}

/* What the file takes on the drive; more than a little means that holes are stored. */
static bool
space_is_little(const struct bigfile *b)
{
	struct stat st;

	check_call(fsync(b->fd), "fsync");
	check_call(fstat(b->fd, &st), "fstat");
	return (uint64_t)st.st_blocks * 512 < LITTLE_SPACE;
}

static void
boundaries_fill(struct bigfile *b)
{
	for (unsigned bit = 31; bit < 62 && 1ull << bit <= b->max; bit++) {
		b->boundaries[b->n++] = (off_t)(1ull << bit);
		/* Also an odd multiple, whose lower 32 bits are not zero. */
		if (3ull << (bit - 1) <= b->max && b->n < ARRAY_SIZE(b->boundaries))
			b->boundaries[b->n++] = (off_t)(3ull << (bit - 1));
	}
}

static void
verify_all(const struct bigfile *b, const char *where)
{
	verify_data(b->fd, HALF, b->key, 0, where);
	verify_zeros(b->fd, HALF, HALF, where);
	for (size_t i = 0; i < b->n; i++) {
		off_t at = b->boundaries[i];

		verify_data(b->fd, 2 * HALF, b->key, at - HALF, where);
		verify_zeros(b->fd, HALF, at - 2 * HALF, where);
		if (at + 2 * HALF <= file_size(b->fd))
			verify_zeros(b->fd, HALF, at + HALF, where);
	}
}

/* From low to high, so that each write also extends the file. */
static void
write_boundaries(struct bigfile *b)
{
	write_data(b->fd, HALF, b->key, 0, "start");
	for (size_t i = 0; i < b->n; i++) {
		off_t at = b->boundaries[i];

		write_data(b->fd, 2 * HALF, b->key, at - HALF, "boundary");
		check(file_size(b->fd) == at + HALF,
		      "size is %lld after writing up to %lld",
		      (long long)file_size(b->fd), (long long)(at + HALF));
	}
	verify_all(b, "after writing");
}

/* Through the file position instead of given offsets. */
static void
check_positions(struct bigfile *b)
{
	unsigned char buf[HALF];
	off_t end = file_size(b->fd);

	check(lseek(b->fd, 0, SEEK_END) == end, "SEEK_END is not the size");
	check(read(b->fd, buf, sizeof(buf)) == 0, "read at the end returns data");
	for (size_t i = 0; i < b->n; i++) {
		off_t at = b->boundaries[i] - HALF / 2;

		check(lseek(b->fd, at - end, SEEK_END) == at,
		      "SEEK_END does not reach %lld", (long long)at);
		check(read(b->fd, buf, sizeof(buf)) == HALF, "short read at %lld",
		      (long long)at);
		check(data_check(buf, sizeof(buf), b->key, (uint64_t)at) < 0,
		      "wrong data at %lld", (long long)at);
		check(lseek(b->fd, 0, SEEK_CUR) == at + HALF,
		      "position is wrong after %lld", (long long)at);
	}
}

/* Holes need not be told, but data must not be told to be a hole. */
static void
check_holes(struct bigfile *b)
{
	for (size_t i = 0; i < b->n; i++) {
		off_t at = b->boundaries[i], from = at - 2 * HALF;
		off_t data = lseek(b->fd, from, SEEK_DATA);

		check(data >= from && data <= at - HALF,
		      "SEEK_DATA from %lld skips to %lld", (long long)from,
		      (long long)data);
		check(lseek(b->fd, at, SEEK_HOLE) >= at + HALF,
		      "SEEK_HOLE in data at %lld", (long long)at);
	}
	check_errno(lseek(b->fd, file_size(b->fd), SEEK_DATA), ENXIO,
		    "SEEK_DATA at the end");
}

/* Reads and writes the boundary through a mapping that lies across it. */
static void
check_mapping(struct bigfile *b, off_t at)
{
	long page = sysconf(_SC_PAGESIZE);
	off_t from = (at - HALF) / page * page;
	size_t len = (size_t)(at + HALF - from), skip = (size_t)(at - HALF - from);
	unsigned char *map =
		mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, b->fd, from);

	check(map != MAP_FAILED, "mmap at %lld: %s", (long long)from, strerror(errno));
	check(data_check(map + skip, 2 * HALF, b->key, (uint64_t)(at - HALF)) < 0,
	      "mapping at %lld shows wrong data", (long long)from);
	data_fill(map + skip, 2 * HALF, b->key + 1, (uint64_t)(at - HALF));
	check_call(msync(map, len, MS_SYNC), "msync");
	verify_data(b->fd, 2 * HALF, b->key + 1, at - HALF, "written through a mapping");
	write_data(b->fd, 2 * HALF, b->key, at - HALF, "written back");
	check(data_check(map + skip, 2 * HALF, b->key, (uint64_t)(at - HALF)) < 0,
	      "mapping at %lld does not show what was written", (long long)from);
	check_call(munmap(map, len), "munmap");
}

/* Cuts through the middle of the data at each boundary, downward; then grows: zeros. */
static void
check_truncate(struct bigfile *b)
{
	for (size_t i = b->n; i-- > 0;) {
		off_t at = b->boundaries[i], size = at + 1;

		check_call(ftruncate(b->fd, size), "ftruncate to %lld", (long long)size);
		check(file_size(b->fd) == size, "size after ftruncate to %lld is %lld",
		      (long long)size, (long long)file_size(b->fd));
		verify_data(b->fd, HALF + 1, b->key, at - HALF, "cut");
		check_call(ftruncate(b->fd, at + 3 * HALF), "ftruncate up");
		verify_data(b->fd, HALF + 1, b->key, at - HALF, "grown");
		verify_zeros(b->fd, 3 * HALF - 1, at + 1, "grown after cut");
	}
}

static void
check_append(struct bigfile *b)
{
	off_t end = file_size(b->fd);
	unsigned char buf[HALF];
	int fd = openat(b->work.fd, "file", O_WRONLY | O_APPEND | O_CLOEXEC);

	check_call(fd, "open to append");
	data_fill(buf, sizeof(buf), b->key, (uint64_t)end);
	check(write(fd, buf, sizeof(buf)) == HALF, "append: %s", strerror(errno));
	check_call(close(fd), "close");
	verify_data(b->fd, HALF, b->key, end, "appended");
	check(file_size(b->fd) == end + HALF, "size after appending");
}

static void
require_holes(struct bigfile *b)
{
	check_call(ftruncate(b->fd, 4 * (off_t)LITTLE_SPACE), "ftruncate");
	write_data(b->fd, HALF, b->key, 4 * (off_t)LITTLE_SPACE, "probe");
	if (space_is_little(b)) {
		check_call(ftruncate(b->fd, 0), "ftruncate");
		return;
	}
	close(b->fd);
	workdir_remove_all(&b->work);
	printf("bigfile: skipped: this drive stores holes; --real uses the space\n");
	exit(TEST_SKIP);
}

static void
run_all(struct bigfile *b)
{
	write_boundaries(b);
	check_positions(b);
	check_holes(b);
	for (size_t i = 0; i < b->n; i++)
		check_mapping(b, b->boundaries[i]);
	verify_all(b, "after mapping");
	check(b->real || space_is_little(b), "holes take space");
	/* What is read through a fresh descriptor does not come from this one's state. */
	close(b->fd);
	b->fd = openat(b->work.fd, "file", O_RDWR | O_CLOEXEC);
	check_call(b->fd, "open again");
	verify_all(b, "opened again");
	check_append(b);
	check_truncate(b);
}

int
main(int argc, char **argv)
{
	struct bigfile b = {.max = 1ull << 34, .key = seed_from_clock()};
	const char *dir = NULL;
	const struct opt opts[] = {
		{"DIR", OPT_ARG, &dir, "where to work"},
		{"max", OPT_U64, &b.max, "highest boundary (16G)"},
		{"seed", OPT_U64, &b.key, "of the data; from the clock when absent"},
		{"real", OPT_FLAG, &b.real, "go on where holes take real space"},
	};

	opts_parse(argc, argv, opts, ARRAY_SIZE(opts));
	check(b.max >= 1ull << 31, "--max must be at least 2G");
	printf("bigfile: seed %llu\n", (unsigned long long)b.key);
	boundaries_fill(&b);
	workdir_create(&b.work, dir, "bigfile");
	b.fd = openat(b.work.fd, "file", O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0644);
	check_call(b.fd, "create");
	/* Unlinking comes last; a failure in between leaves the file to be looked at. */
	if (!b.real)
		require_holes(&b);
	run_all(&b);
	close(b.fd);
	check_call(unlinkat(b.work.fd, "file", 0), "unlink");
	workdir_remove_empty(&b.work);
	printf("bigfile: %zu boundaries up to %llu\n", b.n,
	       (unsigned long long)b.boundaries[b.n - 1]);
	return TEST_PASS;
}
