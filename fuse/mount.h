/*
 * Mounting: from a directory to an open FUSE descriptor, by the mount system call for root (or
 * whoever has CAP_SYS_ADMIN here), through the system's fusermount3 for others, or from a
 * descriptor that somebody else mounted ("/dev/fd/N").
 */
#ifndef USERDRIVE_FUSE_MOUNT_H
#define USERDRIVE_FUSE_MOUNT_H

#include "base/compiler.h"

/* What the user asked for; parsed from -o by fusek_mount_options_parse. */
struct fusek_mount_options {
	bool read_only, allow_other, default_permissions;
	bool dev, suid; /* false without root, whatever was asked */
	bool exec_off, sync, dirsync, noatime, nodiratime, relatime_off;
	bool auto_unmount, nonempty;
	uint32_t max_read;  /* 0: not given */
	char fsname[256];   /* mount source; "" : the subtype */
	char subtype[64];   /* "memfs": the type is shown as fuse.memfs */
};

struct fusek_mount_error {
	int err;        /* positive errno */
	char text[384]; /* what failed, on what, what to do; one line */
};

/*
 * Consumes one -o item ("ro", "allow_other", "fsname=x" …). 1: consumed, 0: not a mount option,
 * -EINVAL: known but with a bad value (error filled). x-* and comment=, user, users, owner, group,
 * auto, noauto, nofail, _netdev, defaults are consumed and mean nothing here.
 */
NODISCARD int fusek_mount_option_parse(struct fusek_mount_options *options, const char *item,
				       struct fusek_mount_error *error);

/*
 * Mounts on mountpoint (an absolute, existing directory or, when root_is_file, file). Returns a
 * descriptor >= 0 that the caller owns, or -errno with error filled. mountpoint "/dev/fd/N" takes
 * descriptor N, already mounted by somebody else.
 */
NODISCARD int fusek_mount(const char *mountpoint, const struct fusek_mount_options *options,
			  bool root_is_file, struct fusek_mount_error *error);
/* lazy detaches at once though busy. 0, -EBUSY, -ENOENT/-EINVAL when it is not mounted, -errno. */
NODISCARD int fusek_unmount(const char *mountpoint, bool lazy, struct fusek_mount_error *error);
/* From /proc/self/mountinfo, never touching the mount: device minor (fusectl id) or -ENOENT. */
NODISCARD int fusek_mount_id(const char *mountpoint);

#endif
