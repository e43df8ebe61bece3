/*
 * Drives: the FUSE mounts of this machine joined with what their serving processes say over
 * their control sockets. Never touches a mount point: a mount whose server hangs must not hang
 * the tool that is to look at it.
 */
#ifndef USERDRIVE_TOOLS_DRIVES_H
#define USERDRIVE_TOOLS_DRIVES_H

#include <sys/types.h>
#include "base/buf.h"
#include "tools/userdrive/mountinfo.h"

enum drive_state {
	DRIVE_SERVED,  /* its process answers on the control socket */
	DRIVE_SILENT,  /* its process lives, but does not answer */
	DRIVE_DEAD,    /* its process is gone: every access fails ENOTCONN */
	DRIVE_FOREIGN  /* a FUSE mount of some other program */
};

struct drive {
	struct fuse_mount *mount;
	enum drive_state state;
	pid_t pid;           /* 0: unknown */
	char program[64];
	char *control;       /* path of the socket, or NULL */
	struct buf info;     /* JSON of "info", or empty */
};

struct drives {
	struct fuse_mount *mounts;
	size_t n;
	struct drive *drive; /* n of them */
};

/* 0 or -errno. Caller frees with drives_free, also after a failure. */
NODISCARD int drives_read(struct drives *ret_drives);
void drives_free(struct drives *drives);
/* By mount point (made absolute; symbolic links before its last component are followed, the mount
 * point itself is not touched) or by pid. */
struct drive *drives_find(struct drives *drives, const char *what);
const char *drive_state_name(enum drive_state state);
/* Member of the drive's info, or "" */
const char *drive_info_get(const struct drive *drive, const char *key, char *dst, size_t cap);
/* One JSON object. */
void drive_json(struct buf *out, const struct drive *drive);

/* Absolute form of a path, by text alone. */
void absolute_path(const char *path, char *dst, size_t cap);

#endif
