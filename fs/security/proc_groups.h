/* The supplementary groups of another process, from /proc. */
#ifndef USERDRIVE_FS_SECURITY_PROC_GROUPS_H
#define USERDRIVE_FS_SECURITY_PROC_GROUPS_H

#include "base/compiler.h"

struct proc_groups {
	unsigned n;
	uint32_t gids[];
};

/*
 * NULL unless the process (or thread) exists, can be read and still acts with this file
 * system uid and gid: a number that was given to another process meanwhile must not lend
 * its groups. The caller frees.
 */
NODISCARD struct proc_groups *proc_groups_read(uint32_t pid, uint32_t uid, uint32_t gid);
/* The same, of the text of a status file. */
NODISCARD struct proc_groups *proc_groups_parse(const char *status, uint32_t uid,
						uint32_t gid);

#endif
