/*
 * The process that works the loop device. Calls on a loop device can wait for I/O that we
 *are to serve ourselves: in the serving process a kill would then hang for ever, because
 *the kernel ends a FUSE connection only when the last of its process's threads is gone.
 *So a child makes them, which holds neither the connection nor the device between calls.
 *When the serving process dies, however it does, the child detaches the device and goes.
 *
 *	door --seqpacket--> holder --ioctl--> /dev/loopN --> kernel --> FUSE --> door's
 *session threads
 *
 * The child shares no memory that its parent could miss: large private mappings are given
 *up, files are closed, signals are blocked (SIGKILL ends it, and costs the cleaning).
 *Between clone and _exit it calls nothing that allocates or locks.
 *
 * Threads: any; one call at a time, others wait.
 */
#ifndef USERDRIVE_TRANSPORT_LOOP_HOLDER_H
#define USERDRIVE_TRANSPORT_LOOP_HOLDER_H

#include <sys/types.h>
#include "base/compiler.h"

struct holder;

enum { HOLDER_NAME_SIZE = 128 }; /* its NUL included */

/* Starts the child; 0 or -errno. Best before anything is open and mapped. */
NODISCARD int holder_create(struct holder **ret_holder);
/* Without detaching anything. NULL is fine. */
void holder_destroy(struct holder *holder);
/* -1: there is none now */
pid_t holder_pid(struct holder *holder);

struct holder_config {
	int image_fd; /* open as the device is to be: read-only or not, O_DIRECT or not */
	bool read_only, direct, scan_partitions;
	uint32_t block_length;
	char name[HOLDER_NAME_SIZE]; /* of the file image_fd, from holder_format_name */
};
struct holder_device {
	int number;	  /* /dev/loopNUMBER */
	bool direct;	  /* the kernel does direct I/O */
	const char *step; /* when it failed: what did. Static text. */
};
/*
 * All return 0 or -errno; -ETIMEDOUT when the child is stuck (it goes on), -EPIPE when it
 * was killed, -ENXIO when the device is not ours any more. ret_device->step is written on
 * failure too.
 */
NODISCARD int holder_configure(struct holder *holder, const struct holder_config *config,
			       struct holder_device *ret_device);
NODISCARD int holder_add_partition(struct holder *holder, unsigned number,
				   uint64_t start_bytes, uint64_t size_bytes);
NODISCARD int holder_delete_partition(struct holder *holder, unsigned number);
NODISCARD int holder_update_capacity(struct holder *holder);
/* Was it added here, and not by the kernel's own parser? Partitions 1..255. */
bool holder_has_added(struct holder *holder, unsigned number);
/*
 * Writes the device's cache out, takes away the partitions that were added here,
 * detaches. Not forced: -EBUSY, with everything but perhaps partitions as it was, when
 * somebody uses the device. Forced: what is in use is detached when it is let go. A
 * device that is not ours any more: 0.
 */
NODISCARD int holder_detach(struct holder *holder, bool force, unsigned timeout_ms);
/* Is the device still bound to our image? For whoever heard a rumour. */
bool holder_is_attached(struct holder *holder);

/*
 * A name for the file under a device, which the kernel shows as backing file:
 * "userdrive-PID-START-NAMESPACE-N-PRODUCT". It says who serves it, so that what is left
 * by the dead can be told from what somebody serves, in another pid namespace perhaps.
 */
void holder_format_name(char dst[HOLDER_NAME_SIZE], const char *product);
/* Detaches the loop devices of processes that are gone, where the holder was killed too.
 * Needs root; never waits for a dead server. Returns how many. */
unsigned holder_clean_dead(void);

#endif
