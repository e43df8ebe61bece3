/* The groups of cases, one per file, in the order of the list. */
#ifndef TESTS_POSIX_GROUPS_H
#define TESTS_POSIX_GROUPS_H

#define POSIX_GROUPS                                                     \
	GROUP(path) /* errors that every call with a path shares */      \
	GROUP(open)                                                      \
	GROUP(tmpfile)                                                   \
	GROUP(create) /* mkdir mkfifo mknod */                           \
	GROUP(link)   /* link symlink */                                 \
	GROUP(rename)                                                    \
	GROUP(remove) /* unlink rmdir */                                 \
	GROUP(attr)   /* chmod chown */                                  \
	GROUP(perm)   /* who may do what */                              \
	GROUP(times)  /* utimensat, and which times each call changes */ \
	GROUP(size)   /* truncate posix_fallocate fallocate lseek */     \
	GROUP(io)     /* read write mmap copy_file_range */              \
	GROUP(lock)   /* fcntl locks, flock */                           \
	GROUP(exec)   /* execve, ETXTBSY, set-id programs */             \
	GROUP(dir)    /* readdir and its positions */                    \
	GROUP(xattr)                                                     \
	GROUP(stat) /* statvfs statx access */                           \
	GROUP(view) /* EROFS ENOSPC EDQUOT EIO */

#define GROUP(name) void posix_add_##name(void);
POSIX_GROUPS
#undef GROUP

#endif
