/*
 * What a serving process leaves behind on purpose: one small file per mount, so that after a crash
 * somebody can tell whose the dead mount was without touching it (a stat of a mount whose server
 * hangs would hang too). RUNTIME_DIR/mounts/MINOR, where MINOR is the mount's device number.
 */
#ifndef USERDRIVE_BASE_OS_POSIX_MOUNT_RECORD_H
#define USERDRIVE_BASE_OS_POSIX_MOUNT_RECORD_H

#include <sys/types.h>
#include "base/compiler.h"

struct mount_record {
	int minor;             /* of the mount's device, as in mountinfo */
	pid_t pid;
	unsigned long long start; /* of the process, in clock ticks: a reused pid is not it */
	char program[64];
	char where[4096];
};

/* Writes the record of a mount that this process serves; 0 or -errno. A failure costs doctor its
 * knowledge and nothing else. */
int mount_record_write(int minor, const char *program, const char *where);
void mount_record_remove(int minor);
/* Removes it unless another process has written it since: device numbers are used again. */
void mount_record_release(int minor);
/* Visits all records of the caller's runtime directory. A nonzero answer ends the walk. */
NODISCARD int mount_record_list(int (*visit)(void *ctx, const struct mount_record *record),
				void *ctx);
bool mount_record_is_alive(const struct mount_record *record);

#endif
