/*
 * The iSCSI door (RFC 7143): units as LUNs of targets that any initiator can log in to.
 *
 *	iscsi://ADDR:PORT/IQN[/LUN][?option&option…]     [v6 address] in brackets
 *
 * ADDR missing: 127.0.0.1. PORT missing: 3260; 0: any that is free. LUN missing: 0. Units of one
 * process that name the same ADDR:PORT share the listener, the same IQN the target.
 *
 *	auth=FILE            CHAP: see chap.h; refused when others may read the file
 *	allow=NAME[,NAME…]   initiators that may log in; * and ? fit anything
 *	advertise=ADDR:PORT  what SendTargets says instead of where the initiator came in
 *	sessions=N           at once, 64
 *	digests=none|header|data|both|required|header-required    both: whatever the initiator likes
 *	timeout=SECONDS      of silence until it is asked, and again until it is given up: 30; 0:
 *never
 */
#ifndef USERDRIVE_ISCSI_DOOR_H
#define USERDRIVE_ISCSI_DOOR_H

#include "scsi/door.h"

extern const struct scsi_door door_iscsi;

#endif
