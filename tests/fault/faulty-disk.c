/*
 * A storage unit that fails on request: it serves the local door's message socket by
 *itself, shares no code with the door, and does to requests what disks do that should not
 *be trusted.
 *
 *	faulty-disk -f FILE [-c BLOCKS] [-l LENGTH] [-F FAULT[:N]] NAME
 *
 * The unit is RUNTIME/pipe/NAME/0. FILE is what survives its death: writes go there when
 *they are flushed. FAULT happens to the Nth request of its sort (1), once. One client at
 *a time. "ready" is printed when clients may come.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/endian.h"
#include "base/os/posix/runtime_dir.h"

enum { SLOT = 48, MAX_TRANSFER = 65536, READ = 1, WRITE = 2, FLUSH = 3, UNMAP = 4 };

enum fault {
	NONE,
	/* of writes */
	LOSE,	    /* acknowledged and forgotten */
	TEAR,	    /* half of its blocks arrive */
	TEAR_BLOCK, /* half of its last block arrives */
	DELAY,	    /* the next read of its first block is answered from before it */
	MISPLACE,   /* goes to the next free place: one transfer further on */
	CORRUPT,    /* one bit changes */
	ZERO,	    /* zeroes arrive */
	FAIL_WRITE, /* medium error */
	HANG,	    /* no answer, ever */
	CLOSE,	    /* the connection ends instead of an answer */
	WRONG_HINT,
	WRONG_KIND,
	GARBAGE, /* the answer is noise */
	HUGE,	 /* its length is 4 GiB less 1 */
	SHORT,	 /* the connection ends in the middle of it */
	/* of reads */
	FAIL_READ,
	/* of flushes */
	LIE, /* all of them: acknowledged, nothing is kept */
	/* of unmaps */
	UNMAP_MORE, /* the block after it is unmapped too */
	/* of connections */
	NO_PARAMS,  /* nothing is said */
	BAD_PARAMS, /* blocks of 7 bytes */
	SHORT_PARAMS,
	FAULT_COUNT
};
static const struct {
	const char *name;
	int kind; /* the requests that are counted; 0: connections */
} faults[FAULT_COUNT] = {
	[NONE] = {"none", 0},
	[LOSE] = {"lose", WRITE},
	[TEAR] = {"tear", WRITE},
	[TEAR_BLOCK] = {"tear-block", WRITE},
	[DELAY] = {"delay", WRITE},
	[MISPLACE] = {"misplace", WRITE},
	[CORRUPT] = {"corrupt", WRITE},
	[ZERO] = {"zero", WRITE},
	[FAIL_WRITE] = {"fail-write", WRITE},
	[HANG] = {"hang", WRITE},
	[CLOSE] = {"close", WRITE},
	[WRONG_HINT] = {"wrong-hint", WRITE},
	[WRONG_KIND] = {"wrong-kind", WRITE},
	[GARBAGE] = {"garbage", WRITE},
	[HUGE] = {"huge", WRITE},
	[SHORT] = {"short", WRITE},
	[FAIL_READ] = {"fail-read", READ},
	[LIE] = {"lie", FLUSH},
	[UNMAP_MORE] = {"unmap-more", UNMAP},
	[NO_PARAMS] = {"no-params", 0},
	[BAD_PARAMS] = {"bad-params", 0},
	[SHORT_PARAMS] = {"short-params", 0},
};

struct unit {
	int file;
	uint64_t n_blocks;
	uint32_t length;
	uint8_t *image; /* with what is not flushed */
	enum fault fault;
	uint64_t countdown;
	uint8_t *old; /* DELAY: what the blocks held, MAX_TRANSFER bytes */
	uint64_t old_lba;
	uint32_t old_count;
};

static void
die(const char *what)
{
	fprintf(stderr, "faulty-disk: %s: %s\n", what, strerror(errno));
	exit(1);
}

static bool
read_all(int fd, void *dst, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = recv(fd, (char *)dst + done, size - done, 0);

		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

static bool
write_all(int fd, const void *src, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = send(fd, (const char *)src + done, size - done, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

static void
keep(struct unit *u, uint64_t lba, uint64_t n_blocks)
{
	size_t size = n_blocks * u->length;
	off_t at = (off_t)(lba * u->length);

	if (pwrite(u->file, u->image + at, size, at) != (ssize_t)size)
		die("the file");
}

static bool
happens(struct unit *u, int kind)
{
	return u->fault != NONE && faults[u->fault].kind == kind && u->countdown &&
	       --u->countdown == 0;
}

static void
store(struct unit *u, enum fault fault, uint64_t lba, uint32_t count, uint8_t *data)
{
	size_t size = (size_t)count * u->length;

	if (fault == LOSE)
		return;
	if (fault == DELAY) {
		memcpy(u->old, u->image + lba * u->length, size);
		u->old_lba = lba;
		u->old_count = count;
	}
	if (fault == TEAR)
		size = (size_t)(count / 2) * u->length;
	if (fault == TEAR_BLOCK)
		size -= u->length / 2;
	if (fault == MISPLACE)
		lba = (lba + MAX_TRANSFER / u->length) % (u->n_blocks - count + 1);
	if (fault == CORRUPT)
		data[size / 2] ^= 1;
	if (fault == ZERO)
		memset(data, 0, size);
	memcpy(u->image + lba * u->length, data, size);
}

static void
load(struct unit *u, uint64_t lba, uint32_t count, uint8_t *data)
{
	memcpy(data, u->image + lba * u->length, (size_t)count * u->length);
	for (uint32_t i = 0; i < u->old_count; i++)
		if (u->old_lba + i >= lba && u->old_lba + i - lba < count)
			memcpy(data + (u->old_lba + i - lba) * u->length,
			       u->old + (size_t)i * u->length, u->length);
	if (u->old_count && u->old_lba >= lba && u->old_lba - lba < count)
		u->old_count = 0;
}

static void
unmap(struct unit *u, const uint8_t *ranges, uint32_t n, bool more)
{
	for (uint32_t i = 0; i < n; i++) {
		uint64_t lba = get_le64(ranges + 16 * i),
			 count = get_le32(ranges + 16 * i + 8);

		count += more && lba + count < u->n_blocks;
		if (lba <= u->n_blocks && count <= u->n_blocks - lba)
			memset(u->image + lba * u->length, 0, count * u->length);
	}
}

/* One request; false: the connection is to end. */
static bool
serve(struct unit *u, int fd, uint8_t *m, size_t size, uint8_t *answer)
{
	uint8_t *a = answer + 4;
	int kind = m[8];
	uint64_t lba = get_le64(m + 16);
	uint32_t count = get_le32(m + 24);
	bool in_range = lba <= u->n_blocks && count <= u->n_blocks - lba &&
			count <= MAX_TRANSFER / u->length;
	enum fault fault = happens(u, kind) ? u->fault : NONE;
	size_t n = SLOT;

	memset(a, 0, SLOT);
	memcpy(a, m, 9);
	if ((kind == READ || kind == WRITE) && !in_range) {
		a[16] = 2;
		a[17] = 5;
		a[18] = 0x21;
	} else if (kind == WRITE && size >= SLOT + (size_t)count * u->length) {
		store(u, fault, lba, count, m + SLOT);
		if (get_le32(m + 28) & 1)
			keep(u, lba, count);
	} else if (kind == READ) {
		load(u, lba, count, a + SLOT);
		n += (size_t)count * u->length;
	} else if (kind == FLUSH && u->fault != LIE) {
		keep(u, 0, u->n_blocks);
	} else if (kind == UNMAP && size >= SLOT + (size_t)get_le32(m + 16) * 16) {
		unmap(u, m + SLOT, get_le32(m + 16), fault == UNMAP_MORE);
	}
	if (fault == FAIL_WRITE || fault == FAIL_READ) {
		a[16] = 2;
		a[17] = 3;
		a[18] = fault == FAIL_READ ? 0x11 : 0x0c;
		put_le64(a + 24, lba);
		put_le32(a + 44, 0x100);
		n = SLOT;
	}
	if (fault == WRONG_HINT)
		put_le64(a, get_le64(a) + 1000);
	if (fault == WRONG_KIND)
		a[8] = READ;
	if (fault == GARBAGE)
		memset(a, 0xa5, SLOT);
	put_le32(answer, fault == HUGE ? UINT32_MAX : (uint32_t)n);
	if (fault == HANG)
		return true;
	if (fault == CLOSE)
		return false;
	if (fault == SHORT)
		n /= 2;
	return write_all(fd, answer, n + 4) && fault != SHORT;
}

static bool
greet(struct unit *u, int fd)
{
	uint8_t m[4 + 128] = {0};
	bool now = happens(u, 0);
	enum fault fault = now ? u->fault : NONE;

	put_le32(m, fault == SHORT_PARAMS ? 20 : 128);
	memcpy(m + 4, "faulty-disk-0001", 16);
	put_le64(m + 4 + 16, u->n_blocks);
	put_le32(m + 4 + 24, fault == BAD_PARAMS ? 7 : u->length);
	put_le32(m + 4 + 52, 1 << 1 | 1 << 2); /* cache, unmap */
	put_le32(m + 4 + 56, MAX_TRANSFER);
	return fault == NO_PARAMS ||
	       write_all(fd, m, 4 + (fault == SHORT_PARAMS ? 20 : 128));
}

static void
client(struct unit *u, int fd)
{
	uint8_t *m = malloc(SLOT + MAX_TRANSFER),
		*answer = malloc(4 + SLOT + MAX_TRANSFER);
	uint8_t length[4];

	if (!m || !answer)
		die("memory");
	if (greet(u, fd))
		while (read_all(fd, length, 4) && get_le32(length) >= SLOT &&
		       get_le32(length) <= SLOT + MAX_TRANSFER &&
		       read_all(fd, m, get_le32(length)))
			if (!serve(u, fd, m, get_le32(length), answer))
				break;
	free(m);
	free(answer);
	close(fd);
}

static int
listen_at(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char dir[64], path[PATH_MAX];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (runtime_subdir("pipe", path, sizeof(path)) != 0)
		die("the runtime directory");
	snprintf(dir, sizeof(dir), "pipe/%s", name);
	if (runtime_subdir(dir, path, sizeof(path)) != 0)
		die("the unit's directory");
	if ((size_t)snprintf(address.sun_path, sizeof(address.sun_path), "%s/0", path) >=
	    sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		die(path);
	}
	unlink(address.sun_path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, 4) < 0)
		die(address.sun_path);
	return fd;
}

static void
parse_fault(struct unit *u, const char *s)
{
	size_t n = strcspn(s, ":");

	u->countdown = s[n] ? strtoull(s + n + 1, NULL, 0) : 1;
	for (int i = 0; i < FAULT_COUNT; i++)
		if (strlen(faults[i].name) == n && strncmp(faults[i].name, s, n) == 0) {
			u->fault = (enum fault)i;
			return;
		}
	errno = EINVAL;
	die(s);
}

static void
open_image(struct unit *u, const char *path)
{
	size_t size = u->n_blocks * u->length;

	u->file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	u->image = malloc(size);
	u->old = malloc(MAX_TRANSFER);
	if (u->file < 0 || !u->image || !u->old || ftruncate(u->file, (off_t)size) < 0 ||
	    pread(u->file, u->image, size, 0) != (ssize_t)size)
		die(path);
}

int
main(int argc, char **argv)
{
	struct unit u = {.n_blocks = 4096, .length = 512};
	const char *file = NULL;
	int opt, listener, fd;

	signal(SIGPIPE, SIG_IGN);
	while ((opt = getopt(argc, argv, "f:c:l:F:")) != -1) {
		if (opt == 'f')
			file = optarg;
		else if (opt == 'c')
			u.n_blocks = strtoull(optarg, NULL, 0);
		else if (opt == 'l')
			u.length = (uint32_t)strtoul(optarg, NULL, 0);
		else if (opt == 'F')
			parse_fault(&u, optarg);
		else
			return 2;
	}
	if (!file || optind + 1 != argc || u.length < 16 || u.length > MAX_TRANSFER ||
	    !u.n_blocks) {
		fprintf(stderr, "usage: faulty-disk -f FILE [-c BLOCKS] [-l LENGTH] [-F "
				"FAULT[:N]] NAME\n");
		return 2;
	}
	open_image(&u, file);
	listener = listen_at(argv[optind]);
	printf("ready\n");
	fflush(stdout);
	while ((fd = accept(listener, NULL, NULL)) >= 0)
		client(&u, fd);
	return 0;
}
