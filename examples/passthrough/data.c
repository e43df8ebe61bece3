/* Read, write, sizes, holes, copies. */
#include "examples/passthrough/passthrough.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>
#include "base/status/errno.h"

enum { COPY_PIECE = 256 * 1024 };
#define OFFSET_MAX ((UINT64)INT64_MAX)

NTSTATUS
pt_read(FSP_FILE_SYSTEM *fs, PVOID context, PVOID buffer, UINT64 offset, ULONG length,
	PULONG ret_bytes)
{
	struct pt_file *file = context;
	NTSTATUS st = pt_need(file, PT_READ);
	ssize_t n;

	(void)fs;
	if (!NT_SUCCESS(st))
		return st;
	if (offset > OFFSET_MAX)
		return STATUS_END_OF_FILE;
	do
		n = pread(file->fd, buffer, length, (off_t)offset);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return pt_last_error();
	if (n == 0 && length)
		return STATUS_END_OF_FILE;
	*ret_bytes = (ULONG)n;
	return STATUS_SUCCESS;
}

/* How much of a write lies before the end of the file. */
static NTSTATUS
constrain(const struct pt_file *file, UINT64 offset, ULONG *length)
{
	struct stat st;

	if (fstat(file->fd, &st) < 0)
		return pt_last_error();
	if (offset >= (UINT64)st.st_size)
		*length = 0;
	else if (*length > (UINT64)st.st_size - offset)
		*length = (ULONG)((UINT64)st.st_size - offset);
	return STATUS_SUCCESS;
}

static ssize_t
write_once(const struct pt_file *file, void *buffer, UINT64 offset, ULONG length,
	   bool to_end)
{
	struct iovec iov = {.iov_base = buffer, .iov_len = length};
	ssize_t n;

	do
		n = to_end ? pwritev2(file->fd, &iov, 1, 0, RWF_APPEND)
			   : pwrite(file->fd, buffer, length, (off_t)offset);
	while (n < 0 && errno == EINTR);
	return n;
}

NTSTATUS
pt_write(FSP_FILE_SYSTEM *fs, PVOID context, PVOID buffer, UINT64 offset, ULONG length,
	 BOOLEAN to_end, BOOLEAN constrained, PULONG ret_bytes, FSP_FSCTL_FILE_INFO *info)
{
	struct pt_file *file = context;
	NTSTATUS st = pt_need(file, PT_WRITE);
	ssize_t n = 0;

	if (NT_SUCCESS(st) && constrained)
		st = constrain(file, offset, &length);
	if (!NT_SUCCESS(st))
		return st;
	if (!to_end && offset > OFFSET_MAX)
		return nt_from_errno(EFBIG);
	if (length)
		n = write_once(file, buffer, offset, length, to_end && !constrained);
	if (n < 0)
		return pt_last_error();
	*ret_bytes = (ULONG)n;
	return pt_file_info_quick(pt_of(fs), file, info);
}

static NTSTATUS
flush_volume(const struct pt *pt)
{
	int fd = openat(pt->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return pt_last_error();
	NTSTATUS st = syncfs(fd) < 0 ? pt_last_error() : STATUS_SUCCESS;
	close(fd);
	return st;
}

NTSTATUS
pt_flush(FSP_FILE_SYSTEM *fs, PVOID context, FSP_FSCTL_FILE_INFO *info)
{
	struct pt_file *file = context;

	if (!file)
		return flush_volume(pt_of(fs));
	NTSTATUS st = file->access ? STATUS_SUCCESS : pt_need(file, PT_READ);
	if (NT_SUCCESS(st) && fsync(file->fd) < 0)
		st = pt_last_error();
	return NT_SUCCESS(st) ? pt_file_info(pt_of(fs), file, info) : st;
}

/* ---------------------------------------------------------------- sizes and holes */

static NTSTATUS
allocate(const struct pt_file *file, int mode, UINT64 offset, UINT64 length)
{
	int err;

	if (offset > OFFSET_MAX || length > OFFSET_MAX - offset)
		return nt_from_errno(EFBIG);
	do
		err = fallocate(file->fd, mode, (off_t)offset, (off_t)length) < 0 ? errno
										  : 0;
	while (err == EINTR);
	return nt_from_errno(err);
}

NTSTATUS
pt_reserve(struct pt_file *file, UINT64 size)
{
	NTSTATUS st = allocate(file, FALLOC_FL_KEEP_SIZE, 0, size);

	return st == nt_from_errno(EOPNOTSUPP) ? STATUS_SUCCESS : st;
}

NTSTATUS
pt_set_file_size(FSP_FILE_SYSTEM *fs, PVOID context, UINT64 size, BOOLEAN allocation,
		 FSP_FSCTL_FILE_INFO *info)
{
	struct pt_file *file = context;
	NTSTATUS st = pt_need(file, PT_WRITE);
	struct stat now;

	if (!NT_SUCCESS(st))
		return st;
	if (size > OFFSET_MAX)
		return nt_from_errno(EFBIG);
	if (fstat(file->fd, &now) < 0)
		return pt_last_error();
	if (allocation && size > (UINT64)now.st_size)
		st = pt_reserve(file, size);
	else if (!(allocation && size == (UINT64)now.st_size) &&
		 ftruncate(file->fd, (off_t)size) < 0)
		st = pt_last_error();
	return NT_SUCCESS(st) ? pt_file_info_quick(pt_of(fs), file, info) : st;
}

/* Of either access, for what needs any real descriptor. */
static NTSTATUS
need_any(struct pt_file *file)
{
	return file->access ? STATUS_SUCCESS : pt_need(file, PT_READ);
}

NTSTATUS
pt_query_ranges(FSP_FILE_SYSTEM *fs, PVOID context, UINT64 offset, UINT64 length,
		FSPX_RANGE *ranges, PULONG count)
{
	struct pt_file *file = context;
	NTSTATUS st = need_any(file);
	UINT64 end;
	ULONG n = 0;

	(void)fs;
	if (!NT_SUCCESS(st))
		return st;
	if (offset > OFFSET_MAX) {
		*count = 0;
		return STATUS_SUCCESS;
	}
	end = length > OFFSET_MAX - offset ? OFFSET_MAX : offset + length;
	while (n < *count && offset < end) {
		off_t start = lseek(file->fd, (off_t)offset, SEEK_DATA);
		off_t stop = start < 0 ? start : lseek(file->fd, start, SEEK_HOLE);

		if (stop < 0 && errno != ENXIO)
			return pt_last_error();
		if (stop < 0 || (UINT64)start >= end) /* no data from here on */
			break;
		UINT64 last = MIN((UINT64)stop, end);
		ranges[n++] = (FSPX_RANGE){.Offset = (UINT64)start,
					   .Length = last - (UINT64)start};
		offset = last;
	}
	*count = n;
	return STATUS_SUCCESS;
}

NTSTATUS
pt_allocate(FSP_FILE_SYSTEM *fs, PVOID context, UINT32 mode, UINT64 offset, UINT64 length,
	    FSP_FSCTL_FILE_INFO *info)
{
	static const int modes[] = {
		[FspxAllocateReserve] = 0,
		[FspxAllocateKeepSize] = FALLOC_FL_KEEP_SIZE,
		[FspxAllocatePunch] = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		[FspxAllocateZero] = FALLOC_FL_ZERO_RANGE,
		[FspxAllocateZeroKeep] = FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
	};
	struct pt_file *file = context;

	if (mode >= ARRAY_SIZE(modes))
		return STATUS_INVALID_PARAMETER;
	NTSTATUS st = pt_need(file, PT_WRITE);
	if (NT_SUCCESS(st))
		st = allocate(file, modes[mode], offset, length);
	return NT_SUCCESS(st) ? pt_file_info_quick(pt_of(fs), file, info) : st;
}

/* ---------------------------------------------------------------- copies, backing */

/* Where the kernel cannot copy itself: between file systems. Bytes or -errno. */
static ssize_t
copy_through(int from, off_t from_offset, int to, off_t to_offset, size_t length)
{
	size_t size = MIN(length, (size_t)COPY_PIECE), done = 0;
	CLEANUP(free_ptr) char *piece = malloc(size);

	if (!piece)
		return -ENOMEM;
	while (done < length) {
		ssize_t n = pread(from, piece, MIN(size, length - done),
				  from_offset + (off_t)done);

		if (n > 0)
			n = pwrite(to, piece, (size_t)n, to_offset + (off_t)done);
		if (n < 0 && done == 0)
			return -errno;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static ssize_t
copy(int from, UINT64 from_offset, int to, UINT64 to_offset, size_t length)
{
	off_t in = (off_t)from_offset, out = (off_t)to_offset;
	ssize_t n = copy_file_range(from, &in, to, &out, length, 0);

	if (n >= 0)
		return n;
	if (errno != EXDEV && errno != EOPNOTSUPP && errno != ENOSYS)
		return -errno;
	return copy_through(from, (off_t)from_offset, to, (off_t)to_offset, length);
}

NTSTATUS
pt_copy_range(FSP_FILE_SYSTEM *fs, PVOID context, UINT64 offset, PVOID to_context,
	      UINT64 to_offset, UINT64 length, PUINT64 ret_bytes,
	      FSP_FSCTL_FILE_INFO *info)
{
	struct pt_file *from = context, *to = to_context;
	NTSTATUS st = pt_need(from, PT_READ);

	if (NT_SUCCESS(st))
		st = pt_need(to, PT_WRITE);
	if (!NT_SUCCESS(st))
		return st;
	if (offset > OFFSET_MAX || to_offset > OFFSET_MAX)
		return nt_from_errno(EOVERFLOW);
	ssize_t n = copy(from->fd, offset, to->fd, to_offset, MIN(length, OFFSET_MAX));
	if (n < 0)
		return nt_from_errno((int)-n);
	*ret_bytes = (UINT64)n;
	return pt_file_info_quick(pt_of(fs), to, info);
}

/*
 * The kernel then writes in the server's name. A privileged server's writes do not take
 * set-id bits away, as the writer's own would: such files are written through the drive.
 */
static bool
may_be_backed(const struct pt_file *file)
{
	struct stat st;

	return S_ISREG(file->type) && fstat(file->fd, &st) == 0 &&
	       !(st.st_mode & (S_ISUID | S_ISGID));
}

NTSTATUS
pt_get_backing(FSP_FILE_SYSTEM *fs, PVOID context, UINT32 access, int *ret_fd)
{
	struct pt_file *file = context;
	unsigned needed = 0;

	(void)fs;
	if (!may_be_backed(file))
		return STATUS_INVALID_DEVICE_REQUEST;
	if (access & 1)
		needed |= PT_READ;
	if (access & 2)
		needed |= PT_WRITE;
	NTSTATUS st = pt_need(file, needed ? needed : PT_READ);
	if (NT_SUCCESS(st))
		*ret_fd = file->fd;
	return st;
}
