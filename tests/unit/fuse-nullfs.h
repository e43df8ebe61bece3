/*
 * A file system for tests of fuse/: a root with a few files whose READ behaves as their name
 * says. No caching, so that each system call of a test reaches it.
 */
#ifndef USERDRIVE_TESTS_FUSE_NULLFS_H
#define USERDRIVE_TESTS_FUSE_NULLFS_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include "fuse/mount.h"
#include "fuse/session.h"

enum nullfs_node {
	NODE_ROOT = FUSE_ROOT_ID,
	NODE_PLAIN,  /* "plain": FILE_SIZE bytes of a pattern; WRITE keeps a checksum */
	NODE_BLOCK,  /* "block": READ waits for nullfs.release */
	NODE_WAIT,   /* "wait": READ waits for an interrupt (callback), then EINTR */
	NODE_PARK,   /* "park": READ is parked; another thread answers it */
	NODE_SILENT, /* "silent": READ's handler returns without an answer */
	NODE_PASS,   /* "pass": OPEN hands nullfs.backing_fd to the kernel */
	NODE_LIMIT,
};

enum { NULLFS_FILE_SIZE = 4 << 20 };

struct nullfs {
	struct fusek_session *session;
	char mountpoint[64];
	sem_t release;
	_Atomic int n_blocked; /* handlers inside "block" now */
	_Atomic int n_interrupts;
	_Atomic int n_ended;
	_Atomic int n_late;          /* replies that returned -ENOENT */
	_Atomic int n_damaged;       /* hung handlers that saw their buffers change */
	_Atomic int64_t lookups[NODE_LIMIT];
	_Atomic uint64_t write_sum;
	_Atomic int n_parks;
	_Atomic int n_reads;
	int backing_fd;
	_Atomic int backing_id;
	pthread_t parked_thread[64];
};

/* Skips (exit code 77, with a reason) where a mount cannot be made. */
void nullfs_require_mount(void);
/* "dev" or "uring": sets config->transport, skips where the kernel has no such thing. */
void nullfs_require_transport(const char *name, struct fusek_config *config);

/* Mounts below a fresh directory and makes the session. */
void nullfs_mount(struct nullfs *fs, const struct fusek_config *config);
/* The same, starts it and waits until ready. */
void nullfs_start(struct nullfs *fs, const struct fusek_config *config);
/* The same on a directory that exists. */
void nullfs_start_on(struct nullfs *fs, const struct fusek_config *config, const char *path);
/* Unmounts, joins, destroys; the directory stays. */
void nullfs_end(struct nullfs *fs);
/* Unmounts, joins, destroys, removes the directory. */
void nullfs_stop(struct nullfs *fs);
/* Path of a file in it, in a static buffer per thread. */
const char *nullfs_path(struct nullfs *fs, const char *name);
unsigned char nullfs_pattern(uint64_t offset);

int count_fds(void);
int count_threads(void);

#endif
