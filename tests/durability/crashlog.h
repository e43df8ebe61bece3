/*
 * Files in memory behind the calls of base/os/posix/storage_io.h, and a log of all that
 * is done to them, from which the images are made that a crash could leave: at every
 * event, with every selection of what had not been synced yet.
 *
 * A moment is a number of events: what happened at moment m happened after event m - 1
 * and before event m. Beginning and end of a sync are two events: changes before the
 * beginning are safe after the end. Files are told apart, so that syncing one does
 * nothing for another.
 *
 * One log per process; calls come from any threads, images are made when none is under
 * way.
 */
#ifndef USERDRIVE_TESTS_CRASHLOG_H
#define USERDRIVE_TESTS_CRASHLOG_H

#include "base/os/posix/storage_io.h"

enum { CRASHLOG_SECTOR = 512 /* bytes: what a medium writes whole or not at all */ };

extern const struct storage_ops crashlog_ops;

/* No files. limit: bytes that one may grow to. */
void crashlog_reset(size_t limit);
void crashlog_fini(void);
size_t crashlog_now(void);
/* The descriptor of a file by the end of its name, -1: nobody has opened it. */
int crashlog_find(const char *suffix);

/*
 * The nth call of a kind from now on fails with EIO; 0: none does. A write of which half
 * was done comes before one that fails. As on Linux, a sync that fails forgets what it
 * should have brought to the medium: no later one brings it, and all of them are good.
 */
enum crashlog_call {
	CRASHLOG_PWRITE,
	CRASHLOG_FDATASYNC,
	CRASHLOG_FALLOCATE,
	CRASHLOG_N_CALLS
};
void crashlog_fail(enum crashlog_call call, unsigned nth);

/* How much of what was not synced a crash leaves. */
enum crashlog_luck {
	CRASHLOG_NOTHING,
	CRASHLOG_EVERYTHING,
	CRASHLOG_HALF,
	CRASHLOG_LITTLE
};

/* Goes through the log of one file from a moment on. */
struct crash {
	int fd;
	size_t moment;
	uint64_t seed;
	uint8_t *image; /* what a crash at moment leaves; limit bytes */
	uint64_t size;	/* of the file then */

	uint8_t *safe; /* what is safe at moment */
	uint64_t safe_size;
	size_t n_safe; /* events of the log that safe holds */
	size_t limit;
};
void crash_begin(struct crash *c, int fd, size_t moment, uint64_t seed);
void crash_end(struct crash *c);
/* Makes image anew. */
void crash_make(struct crash *c, enum crashlog_luck luck);
/* To the next moment; false: there is none. */
bool crash_next(struct crash *c);

#endif
