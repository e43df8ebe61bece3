/* Who uses a loop device, as far as /proc and /sys tell: for people who want to detach
 * it. */
#ifndef USERDRIVE_TRANSPORT_LOOP_USERS_H
#define USERDRIVE_TRANSPORT_LOOP_USERS_H

#include <sys/types.h>
#include "base/compiler.h"

enum loop_use {
	LOOP_USE_NONE,
	LOOP_USE_OPEN, /* by a process: perhaps a tool that looks into new devices, for a
			  moment */
	LOOP_USE_HELD  /* mounted, swap, part of another device */
};

/*
 * The first user of /dev/loopNUMBER or one of its partitions: "/dev/loop3p1 is mounted on
 * /mnt",
 * "/dev/loop3 is open in process 12 (dd)". Processes except are not counted. Text is cut
 * to cap.
 */
enum loop_use loop_users_find(int number, const pid_t except, char *dst, size_t cap);

#endif
