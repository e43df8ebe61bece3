/* The loop door: see door.c. Linux, root, FUSE and the loop driver. */
#ifndef USERDRIVE_TRANSPORT_LOOP_DOOR_H
#define USERDRIVE_TRANSPORT_LOOP_DOOR_H

#include "scsi/door.h"

/*
 * DeviceName "loop:", options ro (device is read-only though the unit is not),
 * partscan=0|1 (1), dio=0|1 (direct I/O of the loop driver; 1), transport=auto|uring|dev.
 */
extern const struct scsi_door door_loop;

#endif
