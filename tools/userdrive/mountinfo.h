/* The FUSE mounts of this mount namespace, from /proc/self/mountinfo (proc(5)). */
#ifndef USERDRIVE_TOOLS_MOUNTINFO_H
#define USERDRIVE_TOOLS_MOUNTINFO_H

#include "base/compiler.h"

struct fuse_mount {
	int minor; /* of the device: the connection's number in fusectl */
	char *where, *type, *source, *options;
};

/* FUSE mounts only, in order of mounting; caller frees with fuse_mounts_free. */
NODISCARD int fuse_mounts_read(struct fuse_mount **ret_mounts, size_t *ret_n);
void fuse_mounts_free(struct fuse_mount *mounts, size_t n);

/* Requests that wait for an answer, or -1 when fusectl does not tell. */
int fuse_connection_waiting(int minor);
/* Ends a connection for good: every waiting caller gets an error. 0 or -errno. */
int fuse_connection_abort(int minor);

#endif
