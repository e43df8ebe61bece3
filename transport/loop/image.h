/*
 * The file under the loop device: a FUSE connection of our own whose only file is the
 * unit's blocks. The mount is detached (fsmount), so it has no place in anybody's tree:
 * nobody finds it, nothing is left of it after a crash. Only the thread in
 * loop_image_open may open the file.
 *
 * Threads: any, but for create, start and destroy, which their owner calls in that order.
 */
#ifndef USERDRIVE_TRANSPORT_LOOP_IMAGE_H
#define USERDRIVE_TRANSPORT_LOOP_IMAGE_H

#include "fuse/session.h"
#include "scsi/door.h"

struct loop_image;

/* From session threads; must not block. ctx is the creator's. */
struct loop_image_events {
	void (*released)(void *ctx);	  /* the loop device has let the file go */
	void (*table_written)(void *ctx); /* blocks where partition tables lie were
					     written, and flushed */
	void (*ended)(void *ctx);	  /* the connection is over; once */
	void *ctx;
};

struct loop_image_counters {
	uint64_t n_reads, n_writes, n_flushes, n_unmaps, n_zeroes, n_errors;
	uint64_t n_bytes_read, n_bytes_written;
	uint64_t n_parked; /* answered by another thread than the one that took them */
};

/*
 * name: what losetup shows as the backing file, "/NAME". Borrows unit, copies the rest. 0
 * or -errno with error filled.
 */
NODISCARD int loop_image_create(struct scsi_unit *unit, const char *name,
				enum fusek_transport transport,
				const struct loop_image_events *events,
				struct scsi_door_error *error,
				struct loop_image **ret_image);
NODISCARD int loop_image_start(struct loop_image *image, struct scsi_door_error *error);
/* A descriptor of the file, or -errno. One at a time, and never twice. */
NODISCARD int loop_image_open(struct loop_image *image, bool read_only, bool direct);
/* Makes the kernel see the unit's present size; 0 or -errno. */
NODISCARD int loop_image_refresh_size(struct loop_image *image);
/* Lets the mount go: with the last use of the file the connection ends. NULL is fine. */
void loop_image_unmount(struct loop_image *image);
/* Requests under way are waited for, at most drain_ms, then the connection is aborted.
 * Idempotent. */
void loop_image_stop(struct loop_image *image, uint32_t drain_ms);
/* NULL is fine. */
void loop_image_destroy(struct loop_image *image);

void loop_image_counters(struct loop_image *image,
			 struct loop_image_counters *ret_counters);
/* All zero before the start. */
void loop_image_info(struct loop_image *image, struct fusek_info *ret_info);

#endif
