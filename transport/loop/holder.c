#include "transport/loop/holder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/blkpg.h>
#include <linux/loop.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/log.h"
#include "base/mutex.h"

#ifndef LOOP_CONFIGURE /* Linux 5.8; older headers */
struct loop_config {
	uint32_t fd;
	uint32_t block_size;
	struct loop_info64 info;
	uint64_t reserved[8];
};
#define LOOP_CONFIGURE 0x4C0A
#endif

enum {
	CALL_MS = 20000,
	FREE_TRIES = 64,  /* others may take the number that we were given */
	NODE_TRIES = 100, /* udev may be late with the node */
	CLEAR_TRIES = 40, /* udev looks into devices, for a moment */
	TRY_US = 50000,
	KEEP_BYTES =
		256 << 10, /* on both sides of the stack and of the thread's own memory */
	DROP_MIN_BYTES = 1 << 20
};

enum holder_op {
	OP_CONFIGURE,
	OP_ADD,
	OP_DELETE,
	OP_CAPACITY,
	OP_DETACH,
	OP_CHECK,
	OP_QUIT
};

struct request {
	uint32_t op, seq;
	struct holder_config config;
	uint32_t number;
	uint64_t start, size; /* bytes */
	bool force;
};

enum step { STEP_NONE, STEP_CONTROL, STEP_NODE, STEP_CONFIGURE };

/* The device, as the child knows it; a successor inherits it. */
struct bound {
	int number;                  /* -1: none */
	char name[HOLDER_NAME_SIZE]; /* of the file under it: another's device has another */
	uint32_t partitions[8];      /* bitmap of those that we have added */
};

struct reply {
	uint32_t seq;
	int32_t err;
	int32_t device; /* the number tried last */
	uint32_t step;	/* enum step */
	bool direct;
	struct bound bound;
};

struct holder {
	struct mutex lock; /* one call at a time; rules the rest */
	pid_t pid;	   /* or -1 */
	int sock;	   /* or -1 */
	uint32_t seq;
	struct bound bound; /* the parent's copy */
};

/* ---------------------------------------------------------------- in the child: the
 * device */

static int
open_device(int number, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/dev/loop%d", number);
	int fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* From sysfs: LOOP_GET_STATUS64 asks the file, and fails when its server is dead. */
static bool
backing_file(const char *device, char dst[HOLDER_NAME_SIZE])
{
	char path[300];

	snprintf(path, sizeof(path), "/sys/block/%.200s/loop/backing_file", device);
	CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, dst, HOLDER_NAME_SIZE - 1);
	if (n <= 1 || dst[0] != '/')
		return false;
	dst[n] = '\0';
	dst[strcspn(dst, "\n")] = '\0';
	memmove(dst, dst + 1, (size_t)n);
	return true;
}

static bool
is_bound(const struct bound *b)
{
	char device[32], name[HOLDER_NAME_SIZE];

	snprintf(device, sizeof(device), "loop%d", b->number);
	return backing_file(device, name) && strcmp(name, b->name) == 0;
}

/*
 * Read-only: closing it is no event to those who watch for writers. While it is open, the device
 * stays bound to what it is bound to.
 */
static int
open_bound(const struct bound *b)
{
	int fd = b->number < 0 ? -ENXIO : open_device(b->number, O_RDONLY);

	if (fd >= 0 && !is_bound(b)) {
		close(fd);
		return -ENXIO;
	}
	return fd;
}

static int
partition_call(int fd, int op, unsigned number, uint64_t start, uint64_t size)
{
	struct blkpg_partition p = {
		.start = (long long)start, .length = (long long)size, .pno = (int)number};
	struct blkpg_ioctl_arg arg = {.op = op, .datalen = sizeof(p), .data = &p};

	return ioctl(fd, BLKPG, &arg) < 0 ? -errno : 0;
}

static void
bit_set(uint32_t bits[8], unsigned i, bool on)
{
	if (on)
		bits[i / 32] |= 1u << i % 32;
	else
		bits[i / 32] &= ~(1u << i % 32);
}

/* 0, or -EBUSY when one is open and not forced. */
static int
delete_partitions(int fd, struct bound *b, bool force)
{
	for (unsigned i = 1; i < 256; i++) {
		if (!(b->partitions[i / 32] & 1u << i % 32))
			continue;
		int err = partition_call(fd, BLKPG_DEL_PARTITION, i, 0, 0);
		if (err == -EBUSY && !force)
			return err;
		if (err != -EBUSY)
			bit_set(b->partitions, i, false);
	}
	return 0;
}

static int
configure_number(int number, const struct holder_config *c, struct bound *b,
		 struct reply *reply)
{
	struct loop_config config = {.fd = (uint32_t)c->image_fd,
				     .block_size = c->block_length};
	struct loop_info64 info;
	int fd = -ENOENT;

	for (int i = 0; i < NODE_TRIES && fd == -ENOENT; i++) {
		fd = open_device(number, c->read_only ? O_RDONLY : O_RDWR);
		if (fd == -ENOENT)
			usleep(TRY_US / 5);
	}
	reply->step = STEP_NODE;
	if (fd < 0)
		return fd;
	config.info.lo_flags = (c->read_only ? LO_FLAGS_READ_ONLY : 0) |
			       (c->direct ? LO_FLAGS_DIRECT_IO : 0) |
			       (c->scan_partitions ? LO_FLAGS_PARTSCAN : 0);
	snprintf((char *)config.info.lo_file_name, LO_NAME_SIZE, "%.63s", c->name);
	reply->step = STEP_CONFIGURE;
	int err = ioctl(fd, LOOP_CONFIGURE, &config) < 0 ? -errno : 0;
	if (err == 0 && ioctl(fd, LOOP_GET_STATUS64, &info) < 0)
		err = -errno;
	if (err == 0) {
		*b = (struct bound){.number = number};
		memcpy(b->name, c->name, sizeof(b->name));
		reply->direct = (info.lo_flags & LO_FLAGS_DIRECT_IO) != 0;
	}
	close(fd);
	return err;
}

/*
 * Discard of a unit without unmap is refused by the file, which the kernel remembers until the device
 * is configured again. Writing 0 to queue/discard_max_bytes instead would outlive us: the kernel then
 * takes no other number until the device itself is removed.
 */
/* Whoever asks for a free number gets it, and so does everybody else until it is taken.
 */
static int
do_configure(const struct holder_config *c, struct bound *b, struct reply *reply)
{
	CLEANUP(close_fd) int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int err = -EBUSY;

	reply->step = STEP_CONTROL;
	if (control < 0)
		return -errno;
	for (int i = 0; i < FREE_TRIES && err == -EBUSY; i++) {
		int number = ioctl(control, LOOP_CTL_GET_FREE);

		reply->step = STEP_CONTROL;
		if (number < 0)
			return -errno;
		reply->device = number;
		err = configure_number(number, c, b, reply);
	}
	return err;
}

static int
with_device(struct bound *b, int (*fn)(int fd, struct bound *b, const struct request *r),
	    const struct request *r)
{
	int fd = open_bound(b), err;

	if (fd < 0)
		return fd;
	err = fn(fd, b, r);
	close(fd);
	return err;
}

static int
do_add(int fd, struct bound *b, const struct request *r)
{
	int err = partition_call(fd, BLKPG_ADD_PARTITION, r->number, r->start, r->size);

	if (err == 0)
		bit_set(b->partitions, r->number % 256, true);
	return err;
}

static int
do_delete(int fd, struct bound *b, const struct request *r)
{
	int err = partition_call(fd, BLKPG_DEL_PARTITION, r->number, 0, 0);

	if (err == 0 || err == -ENXIO)
		bit_set(b->partitions, r->number % 256, false);
	return err;
}

static int
do_capacity(int fd, struct bound *b, const struct request *r)
{
	return ioctl(fd, LOOP_SET_CAPACITY) < 0 ? -errno : 0;
}

static int
do_check(int fd, struct bound *b, const struct request *r)
{
	return 0;
}

/* A device that others have open stays until they close it; that is asked for, or undone.
 */
static int
wait_for_clear(const struct bound *b, bool force)
{
	struct loop_info64 info;

	for (int i = 0; i < CLEAR_TRIES; i++) {
		int fd = open_bound(b);

		if (fd < 0)
			return 0;
		if (i == CLEAR_TRIES - 1 && !force &&
		    ioctl(fd, LOOP_GET_STATUS64, &info) == 0) {
			info.lo_flags &= ~(uint32_t)LO_FLAGS_AUTOCLEAR;
			(void)ioctl(fd, LOOP_SET_STATUS64, &info);
		}
		close(fd);
		if (force)
			return 0;
		usleep(TRY_US);
	}
	return -EBUSY;
}

/*
 * The exclusive descriptor fails while the device or one of its partitions is mounted,
 * swap, or under another device, in whatever namespace; held, it keeps new ones away.
 */
static int
do_detach(struct bound *b, const struct request *r)
{
	int fd = open_bound(b), exclusive = -1, err = 0;

	if (fd < 0)
		return fd == -ENXIO ? 0 : fd;
	if (!r->force) {
		exclusive = open_device(b->number, O_RDONLY | O_EXCL);
		err = MIN(exclusive, 0);
	}
	/* A failure is on record where the writer looks for it; the device goes all the
	 * same. */
	if (err == 0)
		(void)fsync(fd);
	if (err == 0)
		err = delete_partitions(fd, b, r->force);
	if (err == 0 && ioctl(fd, LOOP_CLR_FD) < 0)
		err = -errno;
	close(fd);
	if (exclusive >= 0)
		close(exclusive);
	if (err == 0)
		err = wait_for_clear(b, r->force);
	if (err == 0 || err == -ENXIO)
		b->number = -1;
	return err == -ENXIO ? 0 : err;
}

static int
execute(struct bound *b, const struct request *r, struct reply *reply)
{
	switch ((enum holder_op)r->op) {
	case OP_CONFIGURE:
		return do_configure(&r->config, b, reply);
	case OP_ADD:
		return with_device(b, do_add, r);
	case OP_DELETE:
		return with_device(b, do_delete, r);
	case OP_CAPACITY:
		return with_device(b, do_capacity, r);
	case OP_CHECK:
		return with_device(b, do_check, r);
	case OP_DETACH:
		return do_detach(b, r);
	case OP_QUIT:
		break;
	}
	return -EINVAL;
}

/* ---------------------------------------------------------------- in the child: itself
 */

/* "55d0…-55d1… rw-p 00000000 00:00 0   [heap]"; true for private anonymous memory. */
static bool
parse_mapping(const char *line, uintptr_t *ret_start, uintptr_t *ret_end)
{
	char *p;

	*ret_start = strtoul(line, &p, 16);
	if (*p != '-')
		return false;
	*ret_end = strtoul(p + 1, &p, 16);
	if (strncmp(p, " rw-p ", 6) != 0)
		return false;
	p = strchr(p + 6, ' ');		   /* offset */
	p = p ? strchr(p + 1, ' ') : NULL; /* device */
	return p && strtoul(p + 1, &p, 10) == 0 && (strchr(p, '/') == NULL);
}

static void
drop_range(uintptr_t start, uintptr_t end)
{
	const uintptr_t page = 4096;

	start = (start + page - 1) & ~(page - 1);
	end &= ~(page - 1);
	if (end > start)
		(void)madvise((void *)start, end - start, MADV_DONTNEED);
}

/* All of it but the neighbourhood of the addresses that are needed, in rising order. */
static void
drop_around(uintptr_t start, uintptr_t end, const uintptr_t keep[2])
{
	for (int i = 0; i < 2; i++) {
		if (keep[i] < start || keep[i] >= end)
			continue;
		if (keep[i] - start > KEEP_BYTES)
			drop_range(start, keep[i] - KEEP_BYTES);
		start = end - keep[i] > KEEP_BYTES ? keep[i] + KEEP_BYTES : end;
	}
	if (end > start)
		drop_range(start, end);
}

static void
drop_line(const char *line, const uintptr_t keep[2])
{
	uintptr_t start, end;

	/* Small ones are the libraries' variables, which are used here. */
	if (parse_mapping(line, &start, &end) && end - start >= DROP_MIN_BYTES)
		drop_around(start, end, keep);
}

/*
 * Pages that were shared with the parent at the clone would be copied when the parent
 * writes to them: a disk in memory would need its memory twice.
 */
static void
drop_memory(void)
{
	char text[8192];
	size_t have = 0;
	uintptr_t stack = (uintptr_t)text, own = (uintptr_t)&errno;
	const uintptr_t keep[2] = {MIN(stack, own), MAX(stack, own)};
	CLEANUP(close_fd) int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);

	for (ssize_t n;
	     fd >= 0 && (n = read(fd, text + have, sizeof(text) - 1 - have)) > 0;) {
		char *line = text, *end;

		have += (size_t)n;
		text[have] = '\0';
		for (; (end = strchr(line, '\n')); line = end + 1) {
			*end = '\0';
			drop_line(line, keep);
		}
		have = (size_t)(text + have - line);
		memmove(text, line, have);
		if (have == sizeof(text) - 1)
			return; /* a line of that length: a path, which is not dropped
				   anyway */
	}
}

/* Keeps one descriptor, as number 0. */
static int
keep_descriptor(int fd)
{
	fd = dup3(fd, 0, O_CLOEXEC);
	(void)syscall(SYS_close_range, 1u, ~0u, 0);
	return fd;
}

static int
receive(int sock, struct request *r)
{
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = {r, sizeof(*r)};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;

	r->config.image_fd = -1;
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(&r->config.image_fd, CMSG_DATA(c), sizeof(int));
	return n == sizeof(*r) ? 0 : -1;
}

/* True: the parent is there and has sent something. */
static bool
wait_for_parent(int sock, int parent_fd)
{
	struct pollfd p[2] = {{.fd = sock, .events = POLLIN},
			      {.fd = parent_fd, .events = POLLIN}};

	while (poll(p, 2, -1) < 0)
		if (errno != EINTR)
			return false;
	return p[0].revents & POLLIN;
}

static void
serve(int sock, int parent_fd, struct bound *b)
{
	struct request r;

	while (wait_for_parent(sock, parent_fd) && receive(sock, &r) == 0) {
		struct reply reply = {.seq = r.seq, .device = -1};

		if (r.op == OP_QUIT)
			return;
		reply.err = execute(b, &r, &reply);
		reply.bound = *b;
		if (r.config.image_fd >= 0)
			close(r.config.image_fd);
		if (send(sock, &reply, sizeof(reply), MSG_NOSIGNAL) < 0)
			break;
	}
	/* Nobody answers for the device any more. */
	struct request end = {.op = OP_DETACH, .force = true};
	(void)do_detach(b, &end);
}

static void __attribute__((noreturn)) child_main(int sock, pid_t parent, struct bound b)
{
	if (!IS_SANITIZED)
		drop_memory();
	sock = keep_descriptor(sock);
	int parent_fd = (int)syscall(SYS_pidfd_open, parent, 0);
	(void)setsid();
	(void)chdir("/");
	(void)prctl(PR_SET_NAME, "userdrive-loop");
	/* It waits for writes through the device: its own allocations must not. */
	(void)prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
	if (getppid() == parent)
		serve(sock, parent_fd, &b);
	syscall(SYS_exit_group, 0);
	__builtin_unreachable();
}

/* ---------------------------------------------------------------- in the parent */

static int
start_locked(struct holder *h) REQUIRES(&h->lock)
{
	pid_t self = getpid();
	sigset_t all, before;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	/* Like fork, but its end is no SIGCHLD to a program that has children of its own.
	 */
	long pid = syscall(SYS_clone, 0ul, NULL, NULL, NULL, 0ul);
	if (pid == 0)
		child_main(pair[1], self, h->bound);
	int err = pid < 0 ? -errno : 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	close(pair[1]);
	if (err) {
		close(pair[0]);
		return err;
	}
	h->pid = (pid_t)pid;
	h->sock = pair[0];
	return 0;
}

static void
end_locked(struct holder *h) REQUIRES(&h->lock)
{
	if (h->sock >= 0)
		close(h->sock);
	h->sock = -1;
	if (h->pid > 0)
		while (waitpid(h->pid, NULL, __WCLONE) < 0 && errno == EINTR)
			;
	h->pid = -1;
}

int
holder_create(struct holder **ret_holder)
{
	struct holder *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	mutex_init(&h->lock);
	h->pid = h->sock = -1;
	h->bound.number = -1;
	mutex_lock(&h->lock);
	int err = start_locked(h);
	mutex_unlock(&h->lock);
	if (err) {
		mutex_fini(&h->lock);
		free(h);
		return err;
	}
	*ret_holder = h;
	return 0;
}

void
holder_destroy(struct holder *h)
{
	struct request r = {.op = OP_QUIT};

	if (!h)
		return;
	mutex_lock(&h->lock);
	if (h->sock >= 0)
		(void)send(h->sock, &r, sizeof(r), MSG_NOSIGNAL);
	end_locked(h);
	mutex_unlock(&h->lock);
	mutex_fini(&h->lock);
	free(h);
}

pid_t
holder_pid(struct holder *h)
{
	mutex_lock(&h->lock);
	pid_t pid = h->pid;
	mutex_unlock(&h->lock);
	return pid;
}

static int
send_request(int sock, const struct request *r)
{
	char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = {(void *)(uintptr_t)r, sizeof(*r)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (r->op == OP_CONFIGURE) {
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &r->config.image_fd, sizeof(int));
	}
	return sendmsg(sock, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Answers to calls that were given up may still come; their numbers differ. */
static int
wait_reply(int sock, uint32_t seq, unsigned timeout_ms, struct reply *ret_reply)
{
	struct pollfd p = {.fd = sock, .events = POLLIN};

	for (;;) {
		int n = poll(&p, 1, (int)timeout_ms);

		if (n == 0)
			return -ETIMEDOUT;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n < 0)
			continue;
		if (recv(sock, ret_reply, sizeof(*ret_reply), 0) != sizeof(*ret_reply))
			return -EPIPE;
		if (ret_reply->seq == seq)
			return 0;
	}
}

/* A killed child is replaced: it has no state but bound. */
static int
call_locked(struct holder *h, struct request *r, unsigned timeout_ms, struct reply *reply)
	REQUIRES(&h->lock)
{
	int err = h->sock < 0 ? start_locked(h) : 0;

	r->seq = ++h->seq;
	if (err == 0)
		err = send_request(h->sock, r);
	if (err == 0)
		err = wait_reply(h->sock, r->seq, timeout_ms, reply);
	if (err == -EPIPE || err == -ECONNRESET) {
		log_warn("loop", "the process that works /dev/loop%d was killed",
			 h->bound.number);
		end_locked(h);
		return -EPIPE;
	}
	if (err)
		return err;
	h->bound = reply->bound;
	return reply->err;
}

static int
call(struct holder *h, struct request *r, unsigned timeout_ms, struct reply *ret_reply)
{
	struct reply reply = {.device = -1};

	mutex_lock(&h->lock);
	int err = call_locked(h, r, timeout_ms, &reply);
	if (err == -EPIPE && r->op != OP_CONFIGURE)
		err = call_locked(h, r, timeout_ms, &reply);
	mutex_unlock(&h->lock);
	if (ret_reply)
		*ret_reply = reply;
	return err;
}

int
holder_configure(struct holder *h, const struct holder_config *config,
		 struct holder_device *ret_device)
{
	static const char *const steps[] = {
		[STEP_NONE] = "the process that works the device",
		[STEP_CONTROL] = "/dev/loop-control",
		[STEP_NODE] = "the device node",
		[STEP_CONFIGURE] = "LOOP_CONFIGURE",
	};
	struct request r = {.op = OP_CONFIGURE, .config = *config};
	struct reply reply;
	int err = call(h, &r, CALL_MS, &reply);

	*ret_device =
		(struct holder_device){.number = reply.device,
				       .direct = reply.direct,
				       .step = steps[reply.step % ARRAY_SIZE(steps)]};
	return err;
}

int
holder_add_partition(struct holder *h, unsigned number, uint64_t start_bytes,
		     uint64_t size_bytes)
{
	struct request r = {
		.op = OP_ADD, .number = number, .start = start_bytes, .size = size_bytes};

	return call(h, &r, CALL_MS, NULL);
}

int
holder_delete_partition(struct holder *h, unsigned number)
{
	struct request r = {.op = OP_DELETE, .number = number};

	return call(h, &r, CALL_MS, NULL);
}

int
holder_update_capacity(struct holder *h)
{
	struct request r = {.op = OP_CAPACITY};

	return call(h, &r, CALL_MS, NULL);
}

int
holder_detach(struct holder *h, bool force, unsigned timeout_ms)
{
	struct request r = {.op = OP_DETACH, .force = force};

	return call(h, &r, timeout_ms, NULL);
}

bool
holder_is_attached(struct holder *h)
{
	struct request r = {.op = OP_CHECK};

	return call(h, &r, CALL_MS, NULL) == 0;
}

bool
holder_has_added(struct holder *h, unsigned number)
{
	mutex_lock(&h->lock);
	bool is_ours = h->bound.partitions[number / 32 % 8] & 1u << number % 32;
	mutex_unlock(&h->lock);
	return is_ours;
}

/* ---------------------------------------------------------------- after a crash of both
 */

/* Field 22 of /proc/PID/stat; 0 when there is no such process, or only its name is left.
 */
static unsigned long long
process_start(long pid)
{
	char path[64], text[1024];

	snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	char *p = strrchr(text, ')'); /* the name before it may hold anything */
	if (!p || strncmp(p, ") Z", 3) == 0 || strncmp(p, ") X", 3) == 0)
		return 0;
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	return p ? strtoull(p + 1, NULL, 10) : 0;
}

/* A number that tells pid namespaces apart: another one's processes are not dead, only
 * unseen. */
static unsigned long long
pid_namespace(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) < 0 ? 0 : (unsigned long long)st.st_ino;
}

void
holder_format_name(char dst[HOLDER_NAME_SIZE], const char *product)
{
	static atomic_uint counter;
	int n = snprintf(dst, HOLDER_NAME_SIZE, "userdrive-%ld-%llu-%llu-%u-%s",
			 (long)getpid(), process_start(getpid()), pid_namespace(),
			 atomic_fetch_add(&counter, 1), product);

	for (int i = 0; i < MIN(n, HOLDER_NAME_SIZE - 1); i++)
		if (dst[i] == '/' || dst[i] == ' ' || dst[i] == '\\')
			dst[i] = '_';
}

static bool
is_dead(const char *name)
{
	unsigned long long start, namespace;
	long pid;

	return sscanf(name, "userdrive-%ld-%llu-%llu-", &pid, &start, &namespace) == 3 &&
	       namespace != 0 && namespace == pid_namespace() && start != 0 &&
	       process_start(pid) != start;
}

static bool
clean_device(const char *device)
{
	char path[300], name[HOLDER_NAME_SIZE];

	if (!backing_file(device, name) || !is_dead(name))
		return false;
	snprintf(path, sizeof(path), "/dev/%.200s", device);
	CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	/* Again, now that nobody can bind it to another file. */
	if (fd < 0 || !backing_file(device, name) || !is_dead(name))
		return false;
	for (unsigned i = 1; i < 256; i++)
		(void)partition_call(fd, BLKPG_DEL_PARTITION, i, 0, 0);
	return ioctl(fd, LOOP_CLR_FD) == 0;
}

unsigned
holder_clean_dead(void)
{
	DIR *dir = opendir("/sys/block");
	unsigned n = 0;

	for (struct dirent *d; dir && (d = readdir(dir));)
		if (strncmp(d->d_name, "loop", 4) == 0 && clean_device(d->d_name)) {
			log_warn("loop",
				 "/dev/%s was left by a process that died; detached",
				 d->d_name);
			n++;
		}
	if (dir)
		closedir(dir);
	return n;
}
