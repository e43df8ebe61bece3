/*
 * Doors: how an operating system's requests reach a volume. A front end (api/winfsp) finds a door
 * by name in fs_doors and never includes a transport.
 */
#ifndef USERDRIVE_FS_DOOR_H
#define USERDRIVE_FS_DOOR_H

#include "fs/volume.h"

struct fs_door_instance;

struct fs_door_error {
	int err;        /* positive errno */
	char text[384]; /* what failed, on what, what to do; one line */
};

struct fs_door_params {
	const char *where;   /* mount point, absolute path, UTF-8 */
	const char *fs_name; /* subtype: "memfs" */
	const char *source;  /* what mount tables show as device; NULL: fs_name */
	const char *options; /* -o string, or NULL */
	uint32_t n_threads;  /* 0: the door decides */
	uint32_t deadline_ms;/* 0: none */
	/* The door has ended (unmounted by somebody, or broken). Once, from a door thread.
	 * normally: as a result of stop. */
	void (*ended)(void *ctx, bool normally);
	void *ctx;
};

struct fs_door {
	const char *name; /* "mount" */
	/* Is item ("ro", "allow_other", "uid=1") an option of this door? 1, 0, or -EINVAL: known,
	 * but with a bad value (error filled). */
	int (*option_check)(const char *item, struct fs_door_error *error);
	/* Puts the volume there; nothing is served yet. */
	int (*attach)(struct fs_volume *volume, const struct fs_door_params *params,
		      struct fs_door_error *error, struct fs_door_instance **ret_door);
	/* Serves: starts threads (n_threads at most; 0: the door decides), returns when live. error
	 * may be left empty. */
	int (*start)(struct fs_door_instance *door, uint32_t n_threads,
		     struct fs_door_error *error);
	/*
	 * Takes the door from its place, so that nobody can come in any more. 0: nobody was inside,
	 * and it has ended. -EBUSY: files are open; what was written to them has been handed over,
	 * and they are served until the last is closed (then ended() is called) or stop comes.
	 */
	int (*leave)(struct fs_door_instance *door);
	/* Leaves, finishes requests under way, ends what is still open, joins; idempotent. */
	void (*stop)(struct fs_door_instance *door);
	/* JSON members (without braces) for `userdrive info`: transport, why, counters. */
	int (*describe)(struct fs_door_instance *door, char *dst, size_t cap);
	void (*detach)(struct fs_door_instance *door); /* stops, frees */
};

/* Ends with NULL; defined by transport/doors.c. */
extern const struct fs_door *const fs_doors[];
const struct fs_door *fs_door_find(const char *name);

#endif
