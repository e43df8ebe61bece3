/* The door "mount": a volume as a FUSE mount of this machine. */
#ifndef USERDRIVE_TRANSPORT_MOUNT_DOOR_H
#define USERDRIVE_TRANSPORT_MOUNT_DOOR_H

#include "fs/door.h"

extern const struct fs_door door_mount;

#endif
