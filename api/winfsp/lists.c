/* Builders of the lists that handlers return, and the EA chain. */
#include "api/winfsp/priv.h"

#include <string.h>

/*
 * Appends an entry that begins with its 16-bit size at *done; entries start at multiples of 8.
 * NULL is the end mark: a size of 0.
 */
static BOOLEAN
list_add(const void *entry, uint16_t size, void *buffer, uint32_t length, uint32_t *done)
{
	uint32_t step = entry ? ALIGN_UP((uint32_t)size, 8u) : sizeof(uint16_t);

	if (*done > length || step > length - *done)
		return FALSE;
	if (entry)
		memcpy((uint8_t *)buffer + *done, entry, size);
	else
		memset((uint8_t *)buffer + *done, 0, sizeof(uint16_t));
	*done += step;
	return TRUE;
}

BOOLEAN
FspFileSystemAddDirInfo(FSP_FSCTL_DIR_INFO *DirInfo, PVOID Buffer, ULONG Length,
			PULONG PBytesTransferred)
{
	return list_add(DirInfo, DirInfo ? DirInfo->Size : 0, Buffer, Length, PBytesTransferred);
}

BOOLEAN
FspFileSystemAddStreamInfo(FSP_FSCTL_STREAM_INFO *StreamInfo, PVOID Buffer, ULONG Length,
			   PULONG PBytesTransferred)
{
	return list_add(StreamInfo, StreamInfo ? StreamInfo->Size : 0, Buffer, Length,
			PBytesTransferred);
}

BOOLEAN
FspFileSystemAddNotifyInfo(FSP_FSCTL_NOTIFY_INFO *NotifyInfo, PVOID Buffer, ULONG Length,
			   PULONG PBytesTransferred)
{
	return list_add(NotifyInfo, NotifyInfo ? NotifyInfo->Size : 0, Buffer, Length,
			PBytesTransferred);
}

static uint32_t
ea_size(const FILE_FULL_EA_INFORMATION *ea)
{
	return (uint32_t)offsetof(FILE_FULL_EA_INFORMATION, EaName) + ea->EaNameLength + 1 +
	       ea->EaValueLength;
}

/* The chain's last entry points past itself until the list is ended. */
static BOOLEAN
ea_end(PFILE_FULL_EA_INFORMATION list, uint32_t done)
{
	uint32_t at = 0;

	while (at < done) {
		FILE_FULL_EA_INFORMATION *ea = (FILE_FULL_EA_INFORMATION *)((uint8_t *)list + at);

		if (ea->NextEntryOffset == 0 || ea->NextEntryOffset >= done - at) {
			ea->NextEntryOffset = 0;
			break;
		}
		at += ea->NextEntryOffset;
	}
	return TRUE;
}

BOOLEAN
FspFileSystemAddEa(PFILE_FULL_EA_INFORMATION SingleEa, PFILE_FULL_EA_INFORMATION Ea,
		   ULONG EaLength, PULONG PBytesTransferred)
{
	uint32_t at = ALIGN_UP(*PBytesTransferred, 4u), size;
	FILE_FULL_EA_INFORMATION *dst = (FILE_FULL_EA_INFORMATION *)((uint8_t *)Ea + at);

	if (!SingleEa)
		return ea_end(Ea, *PBytesTransferred);
	size = ea_size(SingleEa);
	if (at > EaLength || size > EaLength - at)
		return FALSE;
	memcpy(dst, SingleEa, size);
	dst->NextEntryOffset = ALIGN_UP(size, 4u);
	*PBytesTransferred = at + size;
	return TRUE;
}

NTSTATUS
FspFileSystemEnumerateEa(FSP_FILE_SYSTEM *FileSystem,
			 NTSTATUS (*EnumerateEa)(FSP_FILE_SYSTEM *FileSystem, PVOID Context,
						 PFILE_FULL_EA_INFORMATION SingleEa),
			 PVOID Context, PFILE_FULL_EA_INFORMATION Ea, ULONG EaLength)
{
	const uint32_t header = offsetof(FILE_FULL_EA_INFORMATION, EaName);
	uint32_t at = 0;

	while (at <= EaLength && EaLength - at >= header) {
		FILE_FULL_EA_INFORMATION *ea = (FILE_FULL_EA_INFORMATION *)((uint8_t *)Ea + at);
		NTSTATUS st;

		if (ea_size(ea) > EaLength - at)
			return STATUS_EA_LIST_INCONSISTENT;
		st = EnumerateEa(FileSystem, Context, ea);
		if (!NT_SUCCESS(st) || ea->NextEntryOffset == 0)
			return st;
		if (ea->NextEntryOffset > EaLength - at)
			break;
		at += ea->NextEntryOffset;
	}
	return STATUS_SUCCESS;
}
