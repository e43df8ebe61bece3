/* The DeviceName of the iSCSI door, taken apart: iscsi://ADDR:PORT/IQN[/LUN][?option&option…] */
#ifndef USERDRIVE_ISCSI_OPTIONS_H
#define USERDRIVE_ISCSI_OPTIONS_H

#include "scsi/door.h"
#include "scsi/target.h"
#include "transport/iscsi/pdu.h"

enum {
	ISCSI_HOST_MAX = 255,
	ISCSI_PORT_DEFAULT = 3260,
	ISCSI_SESSIONS_DEFAULT = 64,
	ISCSI_SESSIONS_MAX = 4096,
	ISCSI_TIMEOUT_DEFAULT = 30,
	ISCSI_TIMEOUT_MAX = 3600
};

/* What holds for the target as a whole: every unit of it says the same, or nothing. */
struct iscsi_target_options {
	char auth[4096];     /* path of the secrets; "": nobody has to authenticate */
	char allow[4096];    /* patterns of initiator names, comma-separated; "": anyone */
	char advertise[300]; /* ADDR:PORT that SendTargets names; "": where the connection came in
			      */
	unsigned sessions;   /* 1..ISCSI_SESSIONS_MAX */
	unsigned header_digests, data_digests; /* ISCSI_DIGEST_ bits allowed */
	unsigned timeout_s;		       /* 0: silent peers are left alone */
};

struct iscsi_options {
	char host[ISCSI_HOST_MAX + 1]; /* without brackets */
	uint16_t port;		       /* 0: any that is free */
	char iqn[ISCSI_NAME_MAX + 1];
	unsigned lun; /* 0..SCSI_LUN_LIMIT-1 */
	struct iscsi_target_options target;
};

/* 0 or -EINVAL with error filled. Pure. */
NODISCARD int iscsi_options_parse(const char *device_name, struct iscsi_options *ret_options,
				  struct scsi_door_error *error);
/* Does a pattern of the list (* and ?) fit the name? An empty list fits all. */
bool iscsi_options_allow(const char *patterns, const char *initiator);

#endif
