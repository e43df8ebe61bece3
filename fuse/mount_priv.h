/* Shared by the two ways of mounting: the system call, and the system's fusermount3. */
#ifndef USERDRIVE_FUSE_MOUNT_PRIV_H
#define USERDRIVE_FUSE_MOUNT_PRIV_H

#include "fuse/mount.h"

/* Fills error and returns -err. */
int fusek_mount_fail(struct fusek_mount_error *error, int err, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

/* fusermount.c: descriptor >= 0, or -errno with error filled. */
NODISCARD int fusek_fusermount(const char *mountpoint, const struct fusek_mount_options *options,
			       struct fusek_mount_error *error);
NODISCARD int fusek_fusermount_unmount(const char *mountpoint, bool lazy,
				       struct fusek_mount_error *error);

/* Ends the helper that watches over an auto_unmount mount, if there is one. */
void fusek_mount_guard_end(const char *mountpoint);

/* mount_options.c: appends what fusermount3's -o wants to text; false when it does not fit. */
NODISCARD bool fusek_mount_options_format(const struct fusek_mount_options *options, char *text,
					  size_t size);

#endif
