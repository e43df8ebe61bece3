/*
 * The operation guard: which handlers may run at the same time.
 *
 * FINE: what changes the name space is exclusive, what reads it is shared, the rest is free.
 * COARSE: one at a time. The lock is given back when the handler returns, also when its answer
 * comes later.
 */
#include "api/winfsp/priv.h"

enum guard { GUARD_FREE, GUARD_SHARED, GUARD_EXCLUSIVE };

static enum guard
guard_set_information(const FSP_FSCTL_TRANSACT_REQ *Request)
{
	switch (Request->Req.SetInformation.FileInformationClass) {
	case FileRenameInformation:
	case FileRenameInformationEx:
		return GUARD_EXCLUSIVE;
	case FileDispositionInformation:
	case FileDispositionInformationEx:
		return GUARD_SHARED;
	default:
		return GUARD_FREE;
	}
}

static enum guard
guard_fine(const FSP_FSCTL_TRANSACT_REQ *Request)
{
	switch (Request->Kind) {
	case FspFsctlTransactCreateKind:
		return Request->Req.Create.CreateOptions >> 24 == FILE_OPEN ? GUARD_SHARED
									    : GUARD_EXCLUSIVE;
	case FspFsctlTransactOverwriteKind:
	case FspFsctlTransactSetVolumeInformationKind:
	case FS_KIND_LINK:
	case FS_KIND_RENAME_POSIX:
		return GUARD_EXCLUSIVE;
	case FspFsctlTransactCleanupKind:
		return Request->Req.Cleanup.Delete ? GUARD_EXCLUSIVE : GUARD_FREE;
	case FspFsctlTransactSetInformationKind:
		return guard_set_information(Request);
	case FspFsctlTransactFlushBuffersKind:
		return Request->Req.FlushBuffers.UserContext == 0 &&
				       Request->Req.FlushBuffers.UserContext2 == 0
			       ? GUARD_EXCLUSIVE
			       : GUARD_FREE;
	case FspFsctlTransactQueryDirectoryKind:
	case FspFsctlTransactQueryVolumeInformationKind:
	case FS_KIND_QUERY_BY_NAME:
		return GUARD_SHARED;
	default:
		return GUARD_FREE;
	}
}

static enum guard
guard_of(FSP_FILE_SYSTEM *FileSystem, const FSP_FSCTL_TRANSACT_REQ *Request)
{
	return FileSystem->OpGuardStrategy == FSP_FILE_SYSTEM_OPERATION_GUARD_STRATEGY_COARSE
		       ? GUARD_EXCLUSIVE
		       : guard_fine(Request);
}

NO_TSA NTSTATUS
FspFileSystemOpEnter(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request,
		     FSP_FSCTL_TRANSACT_RSP *Response)
{
	struct fsp *fsp = fsp_of(FileSystem);

	switch (guard_of(FileSystem, Request)) {
	case GUARD_EXCLUSIVE:
		/* A handler that hangs in its share holds up only what needs the guard alone. */
		rwlock_lock_patiently(&fsp->guard);
		break;
	case GUARD_SHARED:
		rwlock_lock_shared(&fsp->guard);
		break;
	case GUARD_FREE:
		break;
	}
	return STATUS_SUCCESS;
}

NO_TSA NTSTATUS
FspFileSystemOpLeave(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request,
		     FSP_FSCTL_TRANSACT_RSP *Response)
{
	if (guard_of(FileSystem, Request) != GUARD_FREE)
		rwlock_unlock(&fsp_of(FileSystem)->guard);
	return STATUS_SUCCESS;
}
