/*
 * Disks: the programs of this machine that serve a storage unit, as they say over their control
 * sockets. A process that is gone takes its disks with it, so there are no dead ones.
 */
#ifndef USERDRIVE_TOOLS_DISKS_H
#define USERDRIVE_TOOLS_DISKS_H

#include <sys/types.h>
#include "base/buf.h"

enum { DISK_DOOR_MAX = 16 };

/* A way to the disk. */
struct disk_door {
	char kind[32];    /* "loop", "iscsi", "local" */
	char place[1024]; /* a device node, or a URL */
};

struct disk {
	pid_t pid;
	char program[64];
	char source[4096];    /* the image; "" when there is none */
	uint64_t size;        /* bytes; 0: not known */
	uint32_t block_length;
	struct disk_door door[DISK_DOOR_MAX];
	size_t n_doors;
	char *control;        /* path of the socket */
	struct buf info;      /* JSON of "info" */
};

struct disks {
	struct disk *disk;
	size_t n;
	pid_t *silent; /* processes whose control socket does not answer */
	size_t n_silent;
};

/* 0 or -errno. Caller frees with disks_free, also after a failure. */
NODISCARD int disks_read(struct disks *ret_disks);
void disks_free(struct disks *disks);
/* By device node (a partition of it too), URL, image, DeviceName of a local door, or pid. */
struct disk *disks_find(struct disks *disks, const char *what);
/* "10 GiB" */
const char *disk_size_text(const struct disk *disk, char *dst, size_t cap);
/* The first door's place, or "process N". */
const char *disk_name(const struct disk *disk, char *dst, size_t cap);
/* One JSON object. */
void disk_json(struct buf *out, const struct disk *disk);
/* Member of the disk's info, or "". */
const char *disk_info_get(const struct disk *disk, const char *key, char *dst, size_t cap);

/* detach.c: asks the process to let go; waits until it has ended. Exit code of userdrive. */
int disk_stop(const struct disk *disk, bool force, unsigned timeout_ms);

#endif
