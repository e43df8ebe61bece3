/*
 * A disk in memory behind any door: what client tests of doors talk to, with nothing of the native
 * API between.
 *
 *	memdisk --door NAME --blocks N --length L [--thin] [--readonly] [--removable] [--cache]
 *	        [--delay USEC] [--seconds N]
 *
 * Several --door: several units, each of its own. Writes what each door says of itself on a line
 * of its own, then "ready", and serves until SIGINT, SIGTERM or the end of its standard input.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>
#include "base/log.h"
#include "scsi/door.h"

enum { UNITS_MAX = 16 };

struct memdisk {
	struct scsi_unit *unit;
	const struct scsi_door *door;
	struct scsi_door_instance *instance;
	unsigned char *bytes;
	uint32_t length;
	long delay_us;
};

struct settings {
	const char *doors[UNITS_MAX];
	unsigned n_doors;
	uint64_t blocks;
	uint32_t length;
	long delay_us;
	bool thin, readonly, removable, cache, one_unit;
};

static void
delay(const struct memdisk *disk)
{
	struct timespec ts = {disk->delay_us / 1000000, disk->delay_us % 1000000 * 1000};

	if (disk->delay_us > 0)
		nanosleep(&ts, NULL);
}

static bool
disk_submit(void *backend, struct scsi_backend_req *req, struct scsi_result *ret_res)
{
	struct memdisk *disk = backend;
	unsigned char *at = disk->bytes + req->lba * disk->length;

	delay(disk);
	if (req->kind == SCSI_IO_READ)
		memcpy(req->data, at, req->size);
	else if (req->kind == SCSI_IO_WRITE)
		memcpy(at, req->data, req->size);
	for (uint32_t i = 0; req->kind == SCSI_IO_UNMAP && i < req->n_ranges; i++)
		memset(disk->bytes + req->ranges[i].lba * disk->length, 0,
		       (size_t)req->ranges[i].n_blocks * disk->length);
	*ret_res = scsi_good();
	return true;
}

static const struct scsi_backend_ops disk_ops = {
	.kinds = SCSI_IO_BIT(SCSI_IO_READ) | SCSI_IO_BIT(SCSI_IO_WRITE) |
		 SCSI_IO_BIT(SCSI_IO_FLUSH) | SCSI_IO_BIT(SCSI_IO_UNMAP),
	.submit = disk_submit,
};

static int
fail(const char *what, const char *why)
{
	fprintf(stderr, "memdisk: %s: %s\n", what, why);
	return -1;
}

static int
disk_create(struct memdisk *disk, const struct settings *s, unsigned index)
{
	struct scsi_unit_params params = {
		.guid = {0x6d, 0x65, 0x6d, 0x64, 0x69, 0x73, 0x6b, 0, 0, 0, 0, 0, 0, 0, 0,
			 (uint8_t)(index + 1)},
		.n_blocks = s->blocks,
		.block_length = s->length,
		.max_transfer = 1 << 20,
		.vendor = "EXAMPLE",
		.product = "MEMDISK",
		.revision = "1",
		.write_protected = s->readonly,
		.cache_supported = s->cache,
		.unmap_supported = s->thin,
		.unmap_zeroes = s->thin,
		.removable = s->removable,
		.rotation = 1,
	};
	char error[200];

	disk->length = s->length;
	disk->delay_us = s->delay_us;
	disk->bytes = mmap(NULL, s->blocks * s->length, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (disk->bytes == MAP_FAILED)
		return fail("memory", strerror(errno));
	if (scsi_unit_create(&params, &disk_ops, disk, error, sizeof(error), &disk->unit) < 0)
		return fail("unit", error);
	return scsi_unit_start(disk->unit, 4) < 0 ? fail("unit", "cannot start") : 0;
}

static int
disk_attach(struct memdisk *disk, const char *name, unsigned index)
{
	struct scsi_door_params params = {.device_name = name, .index = index};
	struct scsi_door_error error = {0};

	disk->door = scsi_door_find(name, &error);
	if (!disk->door || disk->door->attach(disk->unit, &params, &error, &disk->instance) < 0)
		return fail(name, error.text);
	if (disk->door->start(disk->instance, &error) < 0)
		return fail(name, error.text);
	return 0;
}

static void
disk_describe(const struct memdisk *disk)
{
	CLEANUP(buf_fini) struct buf json = BUF_INIT;

	disk->door->describe(disk->instance, &json);
	printf("{%s}\n", buf_str(&json));
}

static void
disk_destroy(struct memdisk *disk, const struct settings *s)
{
	if (disk->instance)
		disk->door->detach(disk->instance);
	if (disk->bytes && disk->bytes != MAP_FAILED && disk->unit) {
		scsi_unit_stop(disk->unit);
		scsi_unit_unref(disk->unit);
		munmap(disk->bytes, s->blocks * s->length);
	}
}

static void
serve(sigset_t *signals, int seconds)
{
	struct pollfd fds[2] = {{signalfd(-1, signals, SFD_CLOEXEC), POLLIN, 0},
				{STDIN_FILENO, 0, 0}};

	printf("ready\n");
	fflush(stdout);
	poll(fds, 2, seconds > 0 ? seconds * 1000 : -1);
	close(fds[0].fd);
}

static const struct option options[] = {
	{"door", required_argument, NULL, 'd'},	   {"blocks", required_argument, NULL, 'b'},
	{"length", required_argument, NULL, 'l'},  {"thin", no_argument, NULL, 't'},
	{"readonly", no_argument, NULL, 'r'},	   {"removable", no_argument, NULL, 'm'},
	{"cache", no_argument, NULL, 'c'},	   {"delay", required_argument, NULL, 'y'},
	{"seconds", required_argument, NULL, 's'}, {"debug", no_argument, NULL, 'v'},
	{"one-unit", no_argument, NULL, 'o'},	   {0},
};

static int
parse(int argc, char **argv, struct settings *s, int *seconds)
{
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (c == 'd' && s->n_doors < UNITS_MAX)
			s->doors[s->n_doors++] = optarg;
		else if (c == 'b')
			s->blocks = strtoull(optarg, NULL, 0);
		else if (c == 'l')
			s->length = (uint32_t)strtoul(optarg, NULL, 0);
		else if (c == 'y')
			s->delay_us = strtol(optarg, NULL, 0);
		else if (c == 's')
			*seconds = atoi(optarg);
		else if (c == 'v')
			log_enable_debug("all");
		else if (c == '?' || c == 'd')
			return fail("usage", "see the head of memdisk.c");
		s->thin = s->thin || c == 't';
		s->readonly = s->readonly || c == 'r';
		s->removable = s->removable || c == 'm';
		s->cache = s->cache || c == 'c';
		s->one_unit = s->one_unit || c == 'o';
	}
	return s->n_doors > 0 ? 0 : fail("usage", "--door NAME is missing");
}

/* --one-unit: all doors lead to the first disk. */
static int
run(const struct settings *s, struct memdisk *disks, sigset_t *signals, int seconds)
{
	for (unsigned i = 0; i < s->n_doors; i++) {
		if (i > 0 && s->one_unit)
			disks[i].unit = disks[0].unit;
		else if (disk_create(&disks[i], s, i) < 0)
			return -1;
		if (disk_attach(&disks[i], s->doors[i], i) < 0)
			return -1;
		disk_describe(&disks[i]);
	}
	serve(signals, seconds);
	for (unsigned i = 0; i < s->n_doors; i++)
		disk_describe(&disks[i]);
	return 0;
}

int
main(int argc, char **argv)
{
	struct settings s = {.blocks = 262144, .length = 512};
	struct memdisk disks[UNITS_MAX] = {0};
	sigset_t signals;
	int seconds = 0, err;

	log_open("memdisk", LOG_SINK_STDERR);
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	if (parse(argc, argv, &s, &seconds) < 0)
		return 2;
	err = run(&s, disks, &signals, seconds);
	for (unsigned i = s.n_doors; i-- > 0;)
		disk_destroy(&disks[i], &s);
	return err < 0;
}
