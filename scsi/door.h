/*
 * Doors: how an operating system or an initiator reaches a storage unit. A front end (api/winspd)
 * finds a door by its DeviceName in scsi_doors and includes no transport.
 *
 *	DEVICENAME[?OPTION[&OPTION]...]       OPTION: name or name=value, %XX for what would disturb
 */
#ifndef USERDRIVE_SCSI_DOOR_H
#define USERDRIVE_SCSI_DOOR_H

#include "scsi/unit.h"

struct scsi_door_instance;

struct scsi_door_error {
	int err;        /* positive errno */
	char text[384]; /* what failed, on what, what to do; one line */
};

struct scsi_door_params {
	const char *device_name; /* UTF-8, as the program gave it */
	unsigned index;          /* of the unit within the process: WinSpd's target number T */
	/* The door has ended by itself (device detached by somebody, listener broken). Once, from a
	 * door thread. normally: as a result of stop or of an orderly detach by the host. */
	void (*ended)(void *ctx, bool normally);
	void *ctx;
};

struct scsi_door {
	const char *name;   /* "loop", "iscsi", "local" */
	const char *prefix; /* of the DeviceName, compared without case: "loop:", "iscsi://", "\\\\.\\pipe\\" */
	/* NULL when it can run on this machine, else a line saying why not. Static text. */
	const char *(*unusable)(void);
	/* Checks the name and makes everything ready: nothing is reachable yet. 0 or -errno with error
	 * filled. Takes a reference to unit. */
	int (*attach)(struct scsi_unit *unit, const struct scsi_door_params *params,
		      struct scsi_door_error *error, struct scsi_door_instance **ret_door);
	/* Reachable from here on; the unit has been started. */
	int (*start)(struct scsi_door_instance *door, struct scsi_door_error *error);
	/* Safe detach: -EBUSY (with who uses it, in error) while a host uses it; else it is closed. */
	int (*leave)(struct scsi_door_instance *door, struct scsi_door_error *error);
	/* Closes whatever is open, joins; idempotent. Requests under way are completed. */
	void (*stop)(struct scsi_door_instance *door);
	/*
	 * Members of a JSON object without braces: "door":"loop","device":"/dev/loop3" (where there is a
	 * node), "url":"iscsi://…" (where there is one), and counters.
	 */
	void (*describe)(struct scsi_door_instance *door, struct buf *json);
	void (*detach)(struct scsi_door_instance *door); /* stops, frees */
};

/* Ends with NULL; defined by transport/disk_doors.c. The order is that of preference for a NULL
 * DeviceName. */
extern const struct scsi_door *const scsi_doors[];
/* By DeviceName. NULL name: the first usable kernel door. NULL with error filled: no such door, or
 * one that is planned and not there yet ("ublk:"), each with its own line. */
const struct scsi_door *scsi_door_find(const char *device_name, struct scsi_door_error *error);
/* The value of an option after '?', decoded; 1: found, 0: not there, -EINVAL: malformed or too long. */
int scsi_door_option(const char *device_name, const char *option, char *dst, size_t cap);
/* Every option is in the list (ends with NULL), else -EINVAL with error filled. */
int scsi_door_options_check(const char *device_name, const char *const known[],
			    struct scsi_door_error *error);
int scsi_door_fail(struct scsi_door_error *error, int err, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
