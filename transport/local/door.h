/*
 * The local door: \\.\pipe\NAME is RUNTIME_DIR/pipe/NAME/T, a stream socket with WinSpd's messages,
 * and RUNTIME_DIR/pipe/NAME/T.cdb, one with SCSI commands (transport/local/protocol.h). No
 * privilege, no kernel: for tests and tools.
 */
#ifndef USERDRIVE_TRANSPORT_LOCAL_DOOR_H
#define USERDRIVE_TRANSPORT_LOCAL_DOOR_H

#include "scsi/door.h"

extern const struct scsi_door door_local;

#endif
