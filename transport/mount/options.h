/* The door's -o words; those that are the mount's are passed on to fuse/mount.h. */
#ifndef USERDRIVE_TRANSPORT_MOUNT_OPTIONS_H
#define USERDRIVE_TRANSPORT_MOUNT_OPTIONS_H

#include "fs/door.h"
#include "fuse/mount.h"
#include "fuse/session.h"

enum door_streams { DOOR_STREAMS_NONE, DOOR_STREAMS_XATTR, DOOR_STREAMS_WINDOWS };
enum door_choice { DOOR_AUTO, DOOR_ON, DOOR_OFF };

#define DOOR_TIME_UNSET UINT64_MAX
struct door_options {
	struct fusek_mount_options mount;
	enum fusek_transport transport;
	enum door_streams streams;
	enum door_choice writeback, passthrough;
	bool direct_io;
	bool no_default_permissions; /* see configure_permissions in door.c */
	bool symlinks_nt; /* every symbolic link as a SYMLINK reparse point */
	bool has_uid, has_gid, has_umask, has_deadline;
	uint32_t uid, gid, umask;
	uint32_t threads;   /* 0: the door decides */
	uint32_t max_write; /* 0: the session decides */
	uint32_t deadline_ms;
	uint32_t protocol_minor; /* 0: the newest */
	/* nanoseconds, or DOOR_TIME_UNSET: the volume's own */
	uint64_t attr_timeout_ns, entry_timeout_ns, negative_timeout_ns;
};

void door_options_init(struct door_options *o);
/* One word: 1 taken, 0 unknown, -EINVAL with error filled. */
NODISCARD int door_option_parse(struct door_options *o, const char *item,
				struct fs_door_error *error);
/* A whole -o string; "\," is a comma inside a word. 0 or -EINVAL with error filled. NULL: none. */
NODISCARD int door_options_parse(struct door_options *o, const char *list,
				 struct fs_door_error *error);
/* Fills error; returns -err. */
int door_fail(struct fs_door_error *error, int err, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
