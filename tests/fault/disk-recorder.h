/*
 * An image in memory behind the calls of base/os/posix/storage_io.h, which writes down what is done to
 * it: what may be lost in a crash is every change since the last sync, in any selection. It can fail
 * a call by name and number, and lie about syncs. One per process; calls come from one thread.
 */
#ifndef USERDRIVE_TESTS_DISK_RECORDER_H
#define USERDRIVE_TESTS_DISK_RECORDER_H

#include "base/os/posix/storage_io.h"

enum recorder_call {
	RECORDER_NONE,
	RECORDER_PREAD,
	RECORDER_PWRITE,
	RECORDER_FDATASYNC,
	RECORDER_FALLOCATE,
	RECORDER_FTRUNCATE
};

extern const struct storage_ops recorder_ops;

/* An empty image. limit: bytes it may grow to. */
void recorder_reset(size_t limit);
void recorder_fini(void);
/* The nth call from now on (1 is the next) and those after it, n_times of them, return err
 * (-errno; 0 or more: so many bytes done). */
void recorder_fail(enum recorder_call call, unsigned nth, unsigned n_times, int err);
/* From now on syncs are answered and not made. */
void recorder_lie(void);
/* From now on transfers from and to other memory fail, as direct I/O does. */
void recorder_demand_alignment(unsigned bytes);
/* Somebody else changes the size. */
void recorder_cut(size_t size);
/* How many calls of a kind there were. */
unsigned recorder_count(enum recorder_call call);
const uint8_t *recorder_bytes(size_t *ret_size);
/* Changes and syncs so far. */
size_t recorder_n_entries(void);
/*
 * The image, of n bytes, that a crash may leave when n_entries had been made: all up to the last sync
 * among them, and of the later ones those that keep(ctx) chooses; of a transfer, for each piece of
 * `sector` bytes anew.
 */
void recorder_crash(size_t n_entries, size_t sector, bool (*keep)(void *ctx), void *ctx,
		    uint8_t *image, size_t n);

#endif
