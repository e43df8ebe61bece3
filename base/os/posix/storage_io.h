/*
 * The file or device that holds a disk's blocks, and the one seam by which a storage program asks
 * the operating system anything about it. The calls are a table: tests replace it to fail by name,
 * to tear and lose writes that were not synced yet, and to see what a crash would leave.
 *
 * Every call of the table repeats itself after EINTR and returns -errno. Transfers are made whole
 * by storage_read and storage_write, which also tell how far they came.
 *
 * Threads: all but open and close may run on any threads at once; nothing here locks.
 */
#ifndef USERDRIVE_BASE_OS_POSIX_STORAGE_IO_H
#define USERDRIVE_BASE_OS_POSIX_STORAGE_IO_H

#include <sys/types.h>
#include "base/compiler.h"

struct storage_status {
	uint64_t size;    /* bytes: of the file, or of the device */
	bool is_device;   /* a block device */
	bool is_file;     /* a regular file; neither: not fit for storage */
	uint64_t device, inode;
	/* What O_DIRECT wants of offsets and lengths, and of memory: bytes, powers of two; 0: there
	 * is no direct I/O here. */
	uint32_t direct_align, direct_memory_align;
};

struct storage_ops {
	int (*open)(const char *path, int flags, unsigned mode); /* the descriptor, or -errno */
	void (*close)(int fd);
	int (*status)(int fd, struct storage_status *ret_status);
	/* A count, which may be short, or -errno. */
	ssize_t (*pread)(int fd, void *buffer, size_t n, uint64_t offset);
	ssize_t (*pwrite)(int fd, const void *buffer, size_t n, uint64_t offset);
	int (*fdatasync)(int fd);
	int (*fallocate)(int fd, int mode, uint64_t offset, uint64_t n);
	int (*ftruncate)(int fd, uint64_t size);
	/* SEEK_DATA or SEEK_HOLE: the place, or -errno (-ENXIO: none from there on). */
	int64_t (*lseek)(int fd, uint64_t offset, int whence);
	/*
	 * For this open file alone, until it is closed, also by a crash. -EAGAIN: somebody else
	 * has it; *ret_holder is the process, or 0 when the system does not tell.
	 */
	int (*lock)(int fd, bool writable, pid_t *ret_holder);
	/* Extended attributes: the size of the value, or -errno; 0 or -errno. */
	ssize_t (*getxattr)(int fd, const char *name, void *value, size_t cap);
	int (*setxattr)(int fd, const char *name, const void *value, size_t n);
	/* Attributes too, which fdatasync leaves out. NULL: fdatasync is all there is. */
	int (*fsync)(int fd);
};

extern const struct storage_ops storage_system; /* the operating system itself */

struct storage {
	const struct storage_ops *ops;
	int fd; /* -1: closed */
};

#define STORAGE_CLOSED                                                                   \
	{                                                                                \
		&storage_system, -1                                                      \
	}

/* ops is borrowed. 0 or -errno; flags as of open(2), O_CLOEXEC comes by itself. */
NODISCARD int storage_open(struct storage *storage, const struct storage_ops *ops,
			   const char *path, int flags);
/* Also of a closed one. */
void storage_close(struct storage *storage);

/*
 * The whole of it or -errno; *ret_done is the number of bytes that were transferred in either case.
 * Reading beyond the end is -ENODATA; a write that the system accepts nothing of, -EIO.
 */
NODISCARD int storage_read(const struct storage *storage, void *buffer, size_t n, uint64_t offset,
			   size_t *ret_done);
NODISCARD int storage_write(const struct storage *storage, const void *buffer, size_t n,
			    uint64_t offset, size_t *ret_done);
/*
 * The range reads as zeroes afterwards, by the cheapest way that works: a hole (when give_back: the
 * room may go), a zeroed range, or writes. Never beyond the end of the file. *ret_done counts only
 * what was written.
 */
NODISCARD int storage_zero(const struct storage *storage, uint64_t offset, uint64_t n,
			   bool give_back, size_t *ret_done);
/* Everything about the file is on the medium when it returns 0; else -errno. */
NODISCARD int storage_sync(const struct storage *storage);
/* So are the names in the folder of that file, which a new or renamed file needs. 0 or -errno. */
NODISCARD int storage_sync_folder(const char *path);
/*
 * What begins at offset: *ret_is_data, and in *ret_n how many bytes of it there are, at most n.
 * Where the system cannot tell, everything is data.
 */
void storage_extent(const struct storage *storage, uint64_t offset, uint64_t n, bool *ret_is_data,
		    uint64_t *ret_n);

#endif
