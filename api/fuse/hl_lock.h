/*
 * The POSIX locks that a file system granted, by node: a conflict among them is answered without
 * asking the file system, which cannot tell the owners behind one mount apart. Ruled by the lock
 * of the node table.
 */
#ifndef USERDRIVE_API_FUSE_HL_LOCK_H
#define USERDRIVE_API_FUSE_HL_LOCK_H

#include <fcntl.h>
#include <sys/types.h>

#include "base/compiler.h"

struct hl_lock {
	struct hl_lock *next;
	int type;           /* F_RDLCK, F_WRLCK; F_UNLCK only as an argument */
	uint64_t owner;
	off_t start, end;   /* both inside */
	pid_t pid;
};

/* From a struct flock whose l_whence is SEEK_SET. */
struct hl_lock hl_lock_from_flock(const struct flock *fl, uint64_t owner);
struct flock hl_lock_to_flock(const struct hl_lock *lock);

/* The first lock of another owner that stands in the way of want; NULL: none. */
const struct hl_lock *hl_locks_conflict(const struct hl_lock *list, const struct hl_lock *want);
/* Enters (or with F_UNLCK clears) the range of lock for its owner. -ENOMEM changes nothing. */
NODISCARD int hl_locks_set(struct hl_lock **list, const struct hl_lock *lock);
void hl_locks_free(struct hl_lock *list);

#endif
