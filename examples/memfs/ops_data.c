/* Read, write, sizes, ranges: the data of a stream. */
#include <string.h>

#include "examples/memfs/memfs.h"

#define MEMFS_SIZE_MAX ((UINT64)INT64_MAX)
/* As relatime: the access time is renewed when it is older than the last change, or a day. */
#define ACCESS_TIME_RENEW (24ull * 3600 * 10000000)

static void
touch_access(struct inode *inode)
{
	uint64_t now = time_now();

	pthread_rwlock_rdlock(&inode->lock);
	bool due = inode->last_access_time <= inode->last_write_time ||
		   inode->last_access_time <= inode->change_time ||
		   now - inode->last_access_time > ACCESS_TIME_RENEW;
	pthread_rwlock_unlock(&inode->lock);
	if (!due)
		return;
	pthread_rwlock_wrlock(&inode->lock);
	inode->last_access_time = now;
	pthread_rwlock_unlock(&inode->lock);
}

/* inode->lock held exclusively. */
static void
touch_write(struct inode *inode)
{
	inode->last_write_time = inode->change_time = time_now();
}

NTSTATUS
memfs_read(FSP_FILE_SYSTEM *fs, PVOID context, PVOID buffer, UINT64 offset, ULONG length,
	   PULONG ret_bytes)
{
	struct stream *s = context;

	if (slowio_defer(memfs_of(fs)))
		return STATUS_PENDING;
	pthread_rwlock_rdlock(&s->inode->lock);
	if (offset >= s->data.size) {
		pthread_rwlock_unlock(&s->inode->lock);
		return STATUS_END_OF_FILE;
	}
	if (length > s->data.size - offset)
		length = (ULONG)(s->data.size - offset);
	data_read(&s->data, buffer, offset, length);
	pthread_rwlock_unlock(&s->inode->lock);
	touch_access(s->inode);
	*ret_bytes = length;
	return STATUS_SUCCESS;
}

static NTSTATUS
write_locked(struct memfs *memfs, struct stream *s, const void *buffer, UINT64 offset,
	     ULONG length, BOOLEAN to_end, BOOLEAN constrained, PULONG ret_bytes)
{
	if (constrained) {
		if (offset >= s->data.size)
			length = 0;
		else if (length > s->data.size - offset)
			length = (ULONG)(s->data.size - offset);
	} else if (to_end) {
		offset = s->data.size;
	}
	if (offset > memfs->max_file_size || length > memfs->max_file_size - offset)
		return STATUS_DISK_FULL;
	uint64_t old_size = s->data.size;
	if (!data_write(&s->data, buffer, offset, length)) {
		data_set_size(&s->data, old_size);
		return STATUS_DISK_FULL;
	}
	if (length)
		touch_write(s->inode);
	*ret_bytes = length;
	return STATUS_SUCCESS;
}

NTSTATUS
memfs_write(FSP_FILE_SYSTEM *fs, PVOID context, PVOID buffer, UINT64 offset, ULONG length,
	    BOOLEAN to_end, BOOLEAN constrained, PULONG ret_bytes, FSP_FSCTL_FILE_INFO *info)
{
	struct stream *s = context;

	if (slowio_defer(memfs_of(fs)))
		return STATUS_PENDING;
	pthread_rwlock_wrlock(&s->inode->lock);
	NTSTATUS st = write_locked(memfs_of(fs), s, buffer, offset, length, to_end, constrained,
				   ret_bytes);
	pthread_rwlock_unlock(&s->inode->lock);
	if (NT_SUCCESS(st))
		memfs_fill_info(s, info);
	return st;
}

NTSTATUS
memfs_flush(FSP_FILE_SYSTEM *fs, PVOID context, FSP_FSCTL_FILE_INFO *info)
{
	(void)fs;
	if (context) /* memory is as safe as it gets */
		memfs_fill_info(context, info);
	return STATUS_SUCCESS;
}

NTSTATUS
memfs_set_file_size(FSP_FILE_SYSTEM *fs, PVOID context, UINT64 size, BOOLEAN allocation,
		    FSP_FSCTL_FILE_INFO *info)
{
	struct memfs *memfs = memfs_of(fs);
	struct stream *s = context;

	if (size > memfs->max_file_size)
		return STATUS_DISK_FULL;
	pthread_rwlock_wrlock(&s->inode->lock);
	if (allocation) {
		s->reserved = size;
		if (size < s->data.size)
			data_set_size(&s->data, size);
	} else {
		data_set_size(&s->data, size);
		touch_write(s->inode);
	}
	pthread_rwlock_unlock(&s->inode->lock);
	memfs_fill_info(s, info);
	return STATUS_SUCCESS;
}

NTSTATUS
memfs_query_ranges(FSP_FILE_SYSTEM *fs, PVOID context, UINT64 offset, UINT64 length,
		   FSPX_RANGE *ranges, PULONG count)
{
	struct stream *s = context;
	ULONG n = 0;

	(void)fs;
	pthread_rwlock_rdlock(&s->inode->lock);
	UINT64 end = length > MEMFS_SIZE_MAX - offset ? MEMFS_SIZE_MAX : offset + length;
	if (end > s->data.size)
		end = s->data.size;
	uint64_t start, stop;
	while (n < *count && offset < end &&
	       data_next_range(&s->data, offset, end, &start, &stop)) {
		ranges[n++] = (FSPX_RANGE){.Offset = start, .Length = stop - start};
		offset = stop;
	}
	pthread_rwlock_unlock(&s->inode->lock);
	*count = n;
	return STATUS_SUCCESS;
}

static NTSTATUS
allocate_locked(struct stream *s, UINT32 mode, UINT64 offset, UINT64 length)
{
	switch (mode) {
	case FspxAllocatePunch:
	case FspxAllocateZeroKeep:
		data_punch(&s->data, offset, length);
		break;
	case FspxAllocateZero:
		data_punch(&s->data, offset, length);
		break;
	case FspxAllocateReserve:
	case FspxAllocateKeepSize:
		if (!data_reserve(&s->data, offset, length))
			return STATUS_DISK_FULL;
		if (offset + length > s->reserved)
			s->reserved = offset + length;
		break;
	default:
		return STATUS_INVALID_PARAMETER;
	}
	if ((mode == FspxAllocateReserve || mode == FspxAllocateZero) &&
	    offset + length > s->data.size)
		data_set_size(&s->data, offset + length);
	touch_write(s->inode);
	return STATUS_SUCCESS;
}

NTSTATUS
memfs_allocate(FSP_FILE_SYSTEM *fs, PVOID context, UINT32 mode, UINT64 offset, UINT64 length,
	       FSP_FSCTL_FILE_INFO *info)
{
	struct memfs *memfs = memfs_of(fs);
	struct stream *s = context;

	if (offset > memfs->max_file_size || length > memfs->max_file_size - offset)
		return STATUS_DISK_FULL;
	pthread_rwlock_wrlock(&s->inode->lock);
	NTSTATUS st = allocate_locked(s, mode, offset, length);
	pthread_rwlock_unlock(&s->inode->lock);
	if (NT_SUCCESS(st))
		memfs_fill_info(s, info);
	return st;
}

NTSTATUS
memfs_copy_range(FSP_FILE_SYSTEM *fs, PVOID context, UINT64 offset, PVOID to_context,
		 UINT64 to_offset, UINT64 length, PUINT64 ret_bytes, FSP_FSCTL_FILE_INFO *info)
{
	struct memfs *memfs = memfs_of(fs);
	struct stream *from = context, *to = to_context;
	uint8_t piece[64 * 1024];
	UINT64 done = 0;
	NTSTATUS st = STATUS_SUCCESS;

	/* In pieces, so that two locks are never held at once and a copy does not stop others. */
	while (done < length) {
		size_t n = length - done < sizeof(piece) ? (size_t)(length - done) : sizeof(piece);

		pthread_rwlock_rdlock(&from->inode->lock);
		if (offset + done >= from->data.size)
			n = 0;
		else if (n > from->data.size - offset - done)
			n = (size_t)(from->data.size - offset - done);
		data_read(&from->data, piece, offset + done, n);
		pthread_rwlock_unlock(&from->inode->lock);
		if (n == 0)
			break;
		ULONG written = 0;
		pthread_rwlock_wrlock(&to->inode->lock);
		st = write_locked(memfs, to, piece, to_offset + done, (ULONG)n, FALSE, FALSE,
				  &written);
		pthread_rwlock_unlock(&to->inode->lock);
		if (!NT_SUCCESS(st))
			break;
		done += written;
	}
	if (!NT_SUCCESS(st) && done == 0)
		return st;
	*ret_bytes = done;
	memfs_fill_info(to, info);
	return STATUS_SUCCESS;
}
