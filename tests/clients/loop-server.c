/*
 * A disk in memory behind the loop door, for tests: loop-server [NAME=VALUE]... Prints
 *the device's node, then obeys lines on standard input, each answered with one line:
 *
 *	describe        the door's JSON members
 *	resize BLOCKS   ok, or error ERRNO
 *	fail KIND|none  reads, writes or unmaps fail from now on (1 read, 2 write, 3
 *flush, 4 unmap) zeroes LBA N    yes: these blocks are zeroes in memory leave ok, or busy
 *and who ended           0, 1 (normally) or 2 (not) from the door quit            stops,
 *detaches, ends; so does end of file
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <pthread.h>
#include "base/clock.h"
#include "base/mutex.h"
#include "transport/loop/door.h"

/* The table is the server's own: one door. */
const struct scsi_door *const scsi_doors[] = {&door_loop, NULL};

struct late {
	struct scsi_backend_req *req;
	struct late *next;
	uint64_t due_ns;
};

struct disk {
	uint8_t *bytes;
	size_t cap; /* reserved; resize moves within */
	uint32_t block_length;
	unsigned delay_us; /* > 0: answers come from a thread, later */
	bool leaves_dirt;  /* unmapped blocks read as garbage */
	_Atomic unsigned fail_kind;
	_Atomic uint64_t n_flushes, n_unmaps, n_unmapped;
	_Atomic int ended;

	struct mutex lock; /* rules the list */
	struct cond changed;
	struct late *first, **last;
	bool quit;
};

static struct disk disk;

static struct scsi_result
perform(struct scsi_backend_req *req)
{
	size_t at = (size_t)req->lba * disk.block_length;

	if (atomic_load(&disk.fail_kind) == (unsigned)req->kind)
		return scsi_sense(req->kind == SCSI_IO_WRITE
					  ? SENSE_WRITE_ERROR
					  : SENSE_UNRECOVERED_READ_ERROR);
	switch (req->kind) {
	case SCSI_IO_READ:
		memcpy(req->data, disk.bytes + at, req->size);
		break;
	case SCSI_IO_WRITE:
		memcpy(disk.bytes + at, req->data, req->size);
		break;
	case SCSI_IO_FLUSH:
		atomic_fetch_add(&disk.n_flushes, 1);
		break;
	case SCSI_IO_UNMAP:
		for (uint32_t i = 0; i < req->n_ranges; i++) {
			at = (size_t)req->ranges[i].lba * disk.block_length;
			size_t n = (size_t)req->ranges[i].n_blocks * disk.block_length;
			memset(disk.bytes + at, disk.leaves_dirt ? 0xdd : 0, n);
			atomic_fetch_add(&disk.n_unmapped, req->ranges[i].n_blocks);
		}
		atomic_fetch_add(&disk.n_unmaps, 1);
		break;
	default:
		return scsi_sense(SENSE_INVALID_OPCODE);
	}
	return scsi_good();
}

static void *
answer_late(void *arg)
{
	mutex_lock(&disk.lock);
	while (!disk.quit || disk.first) {
		struct late *l = disk.first;

		if (!l) {
			cond_wait(&disk.changed, &disk.lock);
			continue;
		}
		if (l->due_ns > clock_monotonic_ns()) {
			cond_wait_until(&disk.changed, &disk.lock, l->due_ns);
			continue;
		}
		disk.first = l->next;
		if (!disk.first)
			disk.last = &disk.first;
		mutex_unlock(&disk.lock);
		scsi_unit_complete(l->req, perform(l->req));
		free(l);
		mutex_lock(&disk.lock);
	}
	mutex_unlock(&disk.lock);
	return NULL;
}

static bool
disk_submit(void *backend, struct scsi_backend_req *req, struct scsi_result *ret_res)
{
	if (disk.delay_us == 0) {
		*ret_res = perform(req);
		return true;
	}
	struct late *l = malloc(sizeof(*l));
	if (!l)
		abort();
	*l = (struct late){req, NULL, clock_monotonic_ns() + disk.delay_us * 1000ull};
	mutex_lock(&disk.lock);
	*disk.last = l;
	disk.last = &l->next;
	cond_signal(&disk.changed);
	mutex_unlock(&disk.lock);
	return false;
}

static int
disk_resize(void *backend, uint64_t n_blocks)
{
	return n_blocks <= disk.cap / disk.block_length ? 0 : -ENOSPC;
}

static const struct scsi_backend_ops disk_ops = {
	.kinds = SCSI_IO_BIT(SCSI_IO_READ) | SCSI_IO_BIT(SCSI_IO_WRITE) |
		 SCSI_IO_BIT(SCSI_IO_FLUSH) | SCSI_IO_BIT(SCSI_IO_UNMAP),
	.submit = disk_submit,
	.resize = disk_resize,
};

static void
on_ended(void *ctx, bool normally)
{
	atomic_store(&disk.ended, normally ? 1 : 2);
}

/* ---------------------------------------------------------------- commands */

static void
say_describe(struct scsi_door_instance *door)
{
	CLEANUP(buf_fini) struct buf json = BUF_INIT;

	door_loop.describe(door, &json);
	printf("{%s,\"n_flushes\":%llu,\"n_unmaps\":%llu,\"n_unmapped\":%llu}\n",
	       buf_str(&json), (unsigned long long)disk.n_flushes,
	       (unsigned long long)disk.n_unmaps, (unsigned long long)disk.n_unmapped);
}

static bool
is_zero(uint64_t lba, uint64_t n)
{
	for (size_t i = 0; i < n * disk.block_length; i++)
		if (disk.bytes[lba * disk.block_length + i])
			return false;
	return true;
}

static void
obey(struct scsi_unit *unit, struct scsi_door_instance *door, const char *line)
{
	struct scsi_door_error error = {0};
	unsigned long long a = 0, b = 0;
	int err;

	if (strncmp(line, "describe", 8) == 0) {
		say_describe(door);
	} else if (sscanf(line, "resize %llu", &a) == 1) {
		err = scsi_unit_resize(unit, a);
		err ? printf("error %d\n", -err) : printf("ok\n");
	} else if (sscanf(line, "fail %llu", &a) == 1) {
		atomic_store(&disk.fail_kind, (unsigned)a);
		printf("ok\n");
	} else if (sscanf(line, "zeroes %llu %llu", &a, &b) == 2) {
		printf("%s\n", is_zero(a, b) ? "yes" : "no");
	} else if (strncmp(line, "leave", 5) == 0) {
		err = door_loop.leave(door, &error);
		err ? printf("error %d %s\n", -err, error.text) : printf("ok\n");
	} else if (strncmp(line, "ended", 5) == 0) {
		printf("%d\n", atomic_load(&disk.ended));
	} else {
		printf("what?\n");
	}
	fflush(stdout);
}

static uint64_t
value(int argc, char **argv, const char *name, uint64_t otherwise)
{
	size_t n = strlen(name);

	for (int i = 1; i < argc; i++)
		if (strncmp(argv[i], name, n) == 0 && argv[i][n] == '=')
			return strtoull(argv[i] + n + 1, NULL, 0);
	return otherwise;
}

static const char *
text_value(int argc, char **argv, const char *name, const char *otherwise)
{
	size_t n = strlen(name);

	for (int i = 1; i < argc; i++)
		if (strncmp(argv[i], name, n) == 0 && argv[i][n] == '=')
			return argv[i] + n + 1;
	return otherwise;
}

static void
disk_init(int argc, char **argv)
{
	disk.block_length = (uint32_t)value(argc, argv, "block", 512);
	disk.delay_us = (unsigned)value(argc, argv, "delay", 0);
	disk.leaves_dirt = value(argc, argv, "dirt", 0);
	disk.cap = (size_t)value(argc, argv, "cap", 4096) << 20;
	disk.bytes = mmap(NULL, disk.cap, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (disk.bytes == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	mutex_init(&disk.lock);
	cond_init(&disk.changed);
	disk.last = &disk.first;
}

static struct scsi_unit_params
params_of(int argc, char **argv)
{
	return (struct scsi_unit_params){
		.guid = {1, 2, 3, 4},
		.n_blocks = (value(argc, argv, "size", 256) << 20) / disk.block_length,
		.block_length = disk.block_length,
		.max_transfer = (1 << 20) / disk.block_length * disk.block_length,
		.vendor = "Test",
		.product = "Memory disk",
		.revision = "1",
		.write_protected = value(argc, argv, "protected", 0),
		.cache_supported = true,
		.unmap_supported = value(argc, argv, "unmap", 1),
		.unmap_zeroes = !disk.leaves_dirt,
	};
}

static void
require(bool ok, const char *what, const char *text)
{
	if (ok)
		return;
	fprintf(stderr, "loop-server: %s: %s\n", what, text);
	exit(1);
}

int
main(int argc, char **argv)
{
	struct scsi_unit *unit = NULL;
	struct scsi_door_instance *door = NULL;
	struct scsi_door_error error = {0};
	struct scsi_door_params door_params = {
		.device_name = text_value(argc, argv, "name", "loop:"),
		.ended = on_ended};
	char text[256] = "", *line = NULL;
	size_t cap = 0;
	pthread_t thread;

	if (door_loop.unusable()) {
		printf("SKIP: %s\n", door_loop.unusable());
		return 77;
	}
	disk_init(argc, argv);
	struct scsi_unit_params params = params_of(argc, argv);
	require(scsi_unit_create(&params, &disk_ops, NULL, text, sizeof(text), &unit) ==
			0,
		"unit", text);
	require(door_loop.attach(unit, &door_params, &error, &door) == 0, "attach",
		error.text);
	require(scsi_unit_start(unit, (unsigned)value(argc, argv, "slots", 0)) == 0,
		"unit start", "");
	require(pthread_create(&thread, NULL, answer_late, NULL) == 0, "thread", "");
	int err = door_loop.start(door, &error);
	if (err == 0) {
		say_describe(door);
		fflush(stdout);
		while (getline(&line, &cap, stdin) > 0 && strncmp(line, "quit", 4) != 0)
			obey(unit, door, line);
	} else {
		fprintf(stderr, "loop-server: start: %s\n", error.text);
	}
	door_loop.stop(door);
	(void)scsi_ok(scsi_unit_stop(unit));
	door_loop.detach(door);
	scsi_unit_unref(unit);
	mutex_lock(&disk.lock);
	disk.quit = true;
	cond_signal(&disk.changed);
	mutex_unlock(&disk.lock);
	pthread_join(thread, NULL);
	munmap(disk.bytes, disk.cap);
	free(line);
	return err ? 1 : 0;
}
