#include "base/os/posix/storage_io.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Linux transfers at most 0x7ffff000 bytes at once; less keeps a signal's wait short. */
enum { PIECE_MAX = 64 << 20, ZERO_PIECE = 256 << 10, DIRECT_ALIGN_UNKNOWN = 4096 };

/* ---------------------------------------------------------------- the system's calls */

#define AGAIN_AFTER_EINTR(result, call)                                                  \
	do                                                                               \
		(result) = (call);                                                       \
	while ((result) < 0 && errno == EINTR)

static int
system_open(const char *path, int flags, unsigned mode)
{
	int fd;

	AGAIN_AFTER_EINTR(fd, open(path, flags | O_CLOEXEC, mode));
	return fd < 0 ? -errno : fd;
}

static void
system_close(int fd)
{
	close(fd);
}

/* Kernels before 6.1 do not say: 4096 suits all but rare devices. */
static void
ask_direct(int fd, struct storage_status *status)
{
	status->direct_align = status->direct_memory_align = DIRECT_ALIGN_UNKNOWN;
#ifdef STATX_DIOALIGN
	struct statx x;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &x) == 0 &&
	    (x.stx_mask & STATX_DIOALIGN)) {
		status->direct_align = x.stx_dio_offset_align;
		status->direct_memory_align = x.stx_dio_mem_align;
	}
#else
	(void)fd;
#endif
}

static int
system_status(int fd, struct storage_status *ret)
{
	struct storage_status status = {0};
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	status.size = (uint64_t)st.st_size;
	status.is_device = S_ISBLK(st.st_mode);
	status.is_file = S_ISREG(st.st_mode);
	status.device = status.is_device ? st.st_rdev : st.st_dev;
	status.inode = status.is_device ? 0 : st.st_ino;
	if (status.is_device && ioctl(fd, BLKGETSIZE64, &status.size) < 0)
		return -errno;
	ask_direct(fd, &status);
	*ret = status;
	return 0;
}

static ssize_t
system_pread(int fd, void *buffer, size_t n, uint64_t offset)
{
	ssize_t done;

	AGAIN_AFTER_EINTR(done, pread(fd, buffer, n, (off_t)offset));
	return done < 0 ? -errno : done;
}

static ssize_t
system_pwrite(int fd, const void *buffer, size_t n, uint64_t offset)
{
	ssize_t done;

	AGAIN_AFTER_EINTR(done, pwrite(fd, buffer, n, (off_t)offset));
	return done < 0 ? -errno : done;
}

static int
system_fdatasync(int fd)
{
	int err;

	AGAIN_AFTER_EINTR(err, fdatasync(fd));
	return err < 0 ? -errno : 0;
}

static int
system_fsync(int fd)
{
	int err;

	AGAIN_AFTER_EINTR(err, fsync(fd));
	return err < 0 ? -errno : 0;
}

static int
system_fallocate(int fd, int mode, uint64_t offset, uint64_t n)
{
	int err;

	AGAIN_AFTER_EINTR(err, fallocate(fd, mode, (off_t)offset, (off_t)n));
	return err < 0 ? -errno : 0;
}

static int
system_ftruncate(int fd, uint64_t size)
{
	int err;

	AGAIN_AFTER_EINTR(err, ftruncate(fd, (off_t)size));
	return err < 0 ? -errno : 0;
}

static int64_t
system_lseek(int fd, uint64_t offset, int whence)
{
	off_t at = lseek(fd, (off_t)offset, whence);

	return at < 0 ? -errno : at;
}

/* The system names holders of flock(2) locks here only. */
static pid_t
find_holder(int fd)
{
	char line[256];
	struct stat st;
	FILE *locks = fopen("/proc/locks", "re");
	pid_t holder = 0;

	if (!locks)
		return 0;
	while (fstat(fd, &st) == 0 && !holder && fgets(line, sizeof(line), locks)) {
		unsigned major_number, minor_number;
		unsigned long long inode;
		int pid;

		if (sscanf(line, "%*u: FLOCK %*s %*s %d %x:%x:%llu", &pid, &major_number,
			   &minor_number, &inode) == 4 &&
		    inode == st.st_ino && major_number == major(st.st_dev) &&
		    minor_number == minor(st.st_dev) && pid > 0)
			holder = pid;
	}
	fclose(locks);
	return holder;
}

/*
 * Two locks: flock(2), whose holder can be named, and a range lock of the open file, which keeps
 * those away that know only the other kind (QEMU). A range lock for writing wants a writable file.
 */
static int
system_lock(int fd, bool writable, pid_t *ret_holder)
{
	struct flock range = {.l_type = writable ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET};
	int err;

	AGAIN_AFTER_EINTR(err, flock(fd, LOCK_EX | LOCK_NB));
	if (err < 0 && errno == EWOULDBLOCK) {
		*ret_holder = find_holder(fd);
		return -EAGAIN;
	}
	if (err < 0)
		return -errno;
	if (fcntl(fd, F_OFD_SETLK, &range) == 0)
		return 0;
	if (errno != EAGAIN && errno != EACCES)
		return -errno;
	bool is_known = fcntl(fd, F_OFD_GETLK, &range) == 0 && range.l_type != F_UNLCK;
	*ret_holder = is_known && range.l_pid > 0 ? range.l_pid : 0;
	return -EAGAIN;
}

static ssize_t
system_getxattr(int fd, const char *name, void *value, size_t cap)
{
	ssize_t n = fgetxattr(fd, name, value, cap);

	return n < 0 ? -errno : n;
}

static int
system_setxattr(int fd, const char *name, const void *value, size_t n)
{
	return fsetxattr(fd, name, value, n, 0) < 0 ? -errno : 0;
}

const struct storage_ops storage_system = {
	.open = system_open,
	.close = system_close,
	.status = system_status,
	.pread = system_pread,
	.pwrite = system_pwrite,
	.fdatasync = system_fdatasync,
	.fallocate = system_fallocate,
	.ftruncate = system_ftruncate,
	.lseek = system_lseek,
	.lock = system_lock,
	.getxattr = system_getxattr,
	.setxattr = system_setxattr,
	.fsync = system_fsync,
};

/* ---------------------------------------------------------------- on top of them */

int
storage_open(struct storage *storage, const struct storage_ops *ops, const char *path, int flags)
{
	int fd = ops->open(path, flags, 0600);

	if (fd < 0)
		return fd;
	*storage = (struct storage){ops, fd};
	return 0;
}

void
storage_close(struct storage *storage)
{
	if (storage->fd >= 0)
		storage->ops->close(storage->fd);
	storage->fd = -1;
}

int
storage_read(const struct storage *s, void *buffer, size_t n, uint64_t offset, size_t *ret_done)
{
	size_t done = 0;
	ssize_t got = 1;

	while (done < n && got > 0) {
		got = s->ops->pread(s->fd, (char *)buffer + done, MIN(n - done, (size_t)PIECE_MAX),
				    offset + done);
		if (got > 0)
			done += (size_t)got;
	}
	*ret_done = done;
	if (done == n)
		return 0;
	return got < 0 ? (int)got : -ENODATA;
}

int
storage_write(const struct storage *s, const void *buffer, size_t n, uint64_t offset,
	      size_t *ret_done)
{
	size_t done = 0;
	ssize_t put = 1;

	while (done < n && put > 0) {
		put = s->ops->pwrite(s->fd, (const char *)buffer + done,
				     MIN(n - done, (size_t)PIECE_MAX), offset + done);
		if (put > 0)
			done += (size_t)put;
	}
	*ret_done = done;
	if (done == n)
		return 0;
	return put < 0 ? (int)put : -EIO;
}

static int
write_zeroes(const struct storage *s, uint64_t offset, uint64_t n, size_t *ret_done)
{
	/* Aligned for direct I/O; never written. */
	static char zeroes[ZERO_PIECE] __attribute__((aligned(4096)));
	size_t done = 0, piece;
	int err = 0;

	while (err == 0 && done < n) {
		err = storage_write(s, zeroes, (size_t)MIN(n - done, (uint64_t)ZERO_PIECE),
				    offset + done, &piece);
		done += piece;
	}
	*ret_done = done;
	return err;
}

static bool
is_unsupported(int err)
{
	return err == -EOPNOTSUPP || err == -ENOSYS || err == -EINVAL;
}

int
storage_zero(const struct storage *s, uint64_t offset, uint64_t n, bool give_back, size_t *ret_done)
{
	int err = -EOPNOTSUPP;

	*ret_done = 0;
	if (n == 0)
		return 0;
	if (give_back)
		err = s->ops->fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset,
					n);
	if (is_unsupported(err))
		err = s->ops->fallocate(s->fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, offset,
					n);
	return is_unsupported(err) ? write_zeroes(s, offset, n, ret_done) : err;
}

int
storage_sync(const struct storage *s)
{
	return s->ops->fsync ? s->ops->fsync(s->fd) : s->ops->fdatasync(s->fd);
}

int
storage_sync_folder(const char *path)
{
	char folder[PATH_MAX];
	int fd, err;

	if ((size_t)snprintf(folder, sizeof(folder), "%s", path) >= sizeof(folder))
		return -ENAMETOOLONG;
	fd = system_open(dirname(folder), O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return fd;
	err = system_fsync(fd);
	close(fd);
	/* Some network file systems have no such call, and no cache of names either. */
	return err == -EINVAL ? 0 : err;
}

void
storage_extent(const struct storage *s, uint64_t offset, uint64_t n, bool *ret_is_data,
	       uint64_t *ret_n)
{
	int64_t data = s->ops->lseek(s->fd, offset, SEEK_DATA);
	int64_t end = (int64_t)(offset + n);

	*ret_is_data = data != -ENXIO && (data < 0 || (uint64_t)data == offset);
	if (*ret_is_data && data >= 0)
		end = s->ops->lseek(s->fd, offset, SEEK_HOLE);
	else if (data >= 0)
		end = data;
	/* An end that is not behind the beginning comes of a file that changes meanwhile. */
	*ret_n = end > (int64_t)offset ? MIN((uint64_t)end - offset, n) : n;
}
