/*
 * winfsp/winfsp.h: the native file system API. Source-compatible with the header of this name of
 * WinFsp; what that header declares and this one does not is listed in docs/compatibility.md.
 *
 * A file system fills an FSP_FILE_SYSTEM_INTERFACE, creates a file system object, gives it a
 * mount point and starts the dispatcher:
 *
 *	FspFileSystemCreate(L"" FSP_FSCTL_DISK_DEVICE_NAME, &Params, &Interface, &FileSystem);
 *	FspFileSystemSetMountPoint(FileSystem, L"/mnt/x");
 *	FspFileSystemStartDispatcher(FileSystem, 0);
 *
 * Strings are UTF-16 (see WCHAR in nt/types.h). Functions that return NTSTATUS return
 * STATUS_SUCCESS (0) or a failure; out-parameters are written only on success unless said
 * otherwise. Functions may be called from any thread unless said otherwise. Callbacks run on
 * dispatcher threads, several at once (see FSP_FILE_SYSTEM_OPERATION_GUARD_STRATEGY).
 *
 * Additions of this implementation are in winfsp/ext.h.
 */
#ifndef WINFSP_WINFSP_H_INCLUDED
#define WINFSP_WINFSP_H_INCLUDED

#include "winfsp/fsctl.h"
#include "nt/service.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FSP_API NT_API

/* Any function of this header that returns NTSTATUS. C++ callers cast, as they do elsewhere. */
#ifndef __cplusplus
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#endif
typedef NTSTATUS (*FSP_CREATE_FUNC)();
#ifndef __cplusplus
#pragma GCC diagnostic pop
#endif

/* ---------------------------------------------------------------- file system */

/* Flags of the Cleanup operation. */
enum {
	FspCleanupDelete = 0x01,
	FspCleanupSetAllocationSize = 0x02,
	FspCleanupSetArchiveBit = 0x10,
	FspCleanupSetLastAccessTime = 0x20,
	FspCleanupSetLastWriteTime = 0x40,
	FspCleanupSetChangeTime = 0x80
};

/*
 * FINE: operations that change the name space exclude each other and those that read it.
 * COARSE: one operation at a time.
 */
typedef enum {
	FSP_FILE_SYSTEM_OPERATION_GUARD_STRATEGY_FINE = 0,
	FSP_FILE_SYSTEM_OPERATION_GUARD_STRATEGY_COARSE
} FSP_FILE_SYSTEM_OPERATION_GUARD_STRATEGY;

typedef struct _FSP_FILE_SYSTEM FSP_FILE_SYSTEM;

typedef NTSTATUS FSP_FILE_SYSTEM_OPERATION_GUARD(FSP_FILE_SYSTEM *FileSystem,
						 FSP_FSCTL_TRANSACT_REQ *Request,
						 FSP_FSCTL_TRANSACT_RSP *Response);
typedef NTSTATUS FSP_FILE_SYSTEM_OPERATION(FSP_FILE_SYSTEM *FileSystem,
					   FSP_FSCTL_TRANSACT_REQ *Request,
					   FSP_FSCTL_TRANSACT_RSP *Response);

/*
 * What a file system implements. Missing operations fail STATUS_INVALID_DEVICE_REQUEST; opens need
 * (Create or CreateEx), Open and (Overwrite or OverwriteEx). Names are absolute in the volume and
 * start with a backslash. FileContext is what Create or Open returned. Names, buffers and
 * descriptors are valid until the operation completes.
 *
 * Read, Write, ReadDirectory and any other operation may return STATUS_PENDING and complete later
 * with FspFileSystemSendResponse.
 */
typedef struct _FSP_FILE_SYSTEM_INTERFACE {
	/* Size, free space, label. */
	NTSTATUS (*GetVolumeInfo)(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_VOLUME_INFO *VolumeInfo);
	/* At most 32 characters; VolumeInfo is the result. */
	NTSTATUS (*SetVolumeLabel)(FSP_FILE_SYSTEM *FileSystem, PWSTR VolumeLabel,
				   FSP_FSCTL_VOLUME_INFO *VolumeInfo);
	/*
	 * Attributes and descriptor of a name, without opening it. Each output may be NULL. A
	 * descriptor that does not fit: size set, STATUS_BUFFER_OVERFLOW. A reparse point on the
	 * way: STATUS_REPARSE, *PFileAttributes as FspFileSystemFindReparsePoint computes it.
	 */
	NTSTATUS (*GetSecurityByName)(FSP_FILE_SYSTEM *FileSystem, PWSTR FileName,
				      PUINT32 PFileAttributes,
				      PSECURITY_DESCRIPTOR SecurityDescriptor,
				      SIZE_T *PSecurityDescriptorSize);
	/* A new file, or a directory with FILE_DIRECTORY_FILE. SecurityDescriptor may be NULL. */
	NTSTATUS (*Create)(FSP_FILE_SYSTEM *FileSystem, PWSTR FileName, UINT32 CreateOptions,
			   UINT32 GrantedAccess, UINT32 FileAttributes,
			   PSECURITY_DESCRIPTOR SecurityDescriptor, UINT64 AllocationSize,
			   PVOID *PFileContext, FSP_FSCTL_FILE_INFO *FileInfo);
	NTSTATUS (*Open)(FSP_FILE_SYSTEM *FileSystem, PWSTR FileName, UINT32 CreateOptions,
			 UINT32 GrantedAccess, PVOID *PFileContext,
			 FSP_FSCTL_FILE_INFO *FileInfo);
	/* Truncates, drops streams and EAs. Attributes are replaced or, else, added. */
	NTSTATUS (*Overwrite)(FSP_FILE_SYSTEM *FileSystem, PVOID FileContext,
			      UINT32 FileAttributes, BOOLEAN ReplaceFileAttributes,
			      UINT64 AllocationSize, FSP_FSCTL_FILE_INFO *FileInfo);
	/* The handle's user life ends; FileName only with FspCleanupDelete. */
	VOID (*Cleanup)(FSP_FILE_SYSTEM *FileSystem, PVOID FileContext, PWSTR FileName,
			ULONG Flags);
	/* Once per successful Create or Open. */
	VOID (*Close)(FSP_FILE_SYSTEM *FileSystem, PVOID FileContext);
	/* At or after the end: STATUS_END_OF_FILE. */
	NTSTATUS (*Read)(FSP_FILE_SYSTEM *FileSystem, PVOID FileContext, PVOID Buffer,
			 UINT64 Offset, ULONG Length, PULONG PBytesTransferred);
	/* ConstrainedIo: must not extend the file. */
	NTSTATUS (*Write)(FSP_FILE_SYSTEM *FileSystem, PVOID FileContext, PVOID Buffer,
			  UINT64 Offset, ULONG Length, BOOLEAN WriteToEndOfFile,
			  BOOLEAN ConstrainedIo, PULONG PBytesTransferred,
			  FSP_FSCTL_FILE_INFO *FileInfo);
	/* FileContext NULL: the volume. */
	NTSTATUS (*Flush)(FSP_FILE_SYSTEM *FileSystem, PVOID FileContext,
			  FSP_FSCTL_FILE_INFO *FileInfo);
	NTSTATUS (*GetFileInfo)(FSP_FILE_SYSTEM *FileSystem, PVOID FileContext,
				FSP_FSCTL_FILE_INFO *FileInfo);
	/* FileAttributes INVALID_FILE_ATTRIBUTES and times 0 stay as they are. */
	NTSTATUS (*SetBasicInfo)(FSP_FILE_SYSTEM *FileSystem, PVOID FileContext,
				 UINT32 FileAttributes, UINT64 CreationTime,
				 UINT64 LastAccessTime, UINT64 LastWriteTime, UINT64 ChangeTime,
				 FSP_FSCTL_FILE_INFO *FileInfo);
	/* The file's size or, with SetAllocationSize, its allocation (which may cut the size). */
	NTSTATUS (*SetFileSize)(FSP_FILE_SYSTEM *FileSystem, PVOID FileContext, UINT64 NewSize,
				BOOLEAN SetAllocationSize, FSP_FSCTL_FILE_INFO *FileInfo);
	NTSTATUS (*CanDelete)(FSP_FILE_SYSTEM *FileSystem, PVOID FileContext, PWSTR FileName);
	NTSTATUS (*Rename)(FSP_FILE_SYSTEM *FileSystem, PVOID FileContext, PWSTR FileName,
			   PWSTR NewFileName, BOOLEAN ReplaceIfExists);
	NTSTATUS (*GetSecurity)(FSP_FILE_SYSTEM *FileSystem, PVOID FileContext,
				PSECURITY_DESCRIPTOR SecurityDescriptor,
				SIZE_T *PSecurityDescriptorSize);
	NTSTATUS (*SetSecurity)(FSP_FILE_SYSTEM *FileSystem, PVOID FileContext,
				SECURITY_INFORMATION SecurityInformation,
				PSECURITY_DESCRIPTOR ModificationDescriptor);
	/* Entries after Marker, with FspFileSystemAddDirInfo; NULL entry when all are listed. */
	NTSTATUS (*ReadDirectory)(FSP_FILE_SYSTEM *FileSystem, PVOID FileContext, PWSTR Pattern,
				  PWSTR Marker, PVOID Buffer, ULONG Length,
				  PULONG PBytesTransferred);
	NTSTATUS (*ResolveReparsePoints)(FSP_FILE_SYSTEM *FileSystem, PWSTR FileName,
					 UINT32 ReparsePointIndex,
					 BOOLEAN ResolveLastPathComponent,
					 PIO_STATUS_BLOCK PIoStatus, PVOID Buffer,
					 PSIZE_T PSize);
	NTSTATUS (*GetReparsePoint)(FSP_FILE_SYSTEM *FileSystem, PVOID FileContext,
				    PWSTR FileName, PVOID Buffer, PSIZE_T PSize);
	NTSTATUS (*SetReparsePoint)(FSP_FILE_SYSTEM *FileSystem, PVOID FileContext,
				    PWSTR FileName, PVOID Buffer, SIZE_T Size);
	NTSTATUS (*DeleteReparsePoint)(FSP_FILE_SYSTEM *FileSystem, PVOID FileContext,
				       PWSTR FileName, PVOID Buffer, SIZE_T Size);
	NTSTATUS (*GetStreamInfo)(FSP_FILE_SYSTEM *FileSystem, PVOID FileContext, PVOID Buffer,
				  ULONG Length, PULONG PBytesTransferred);
	NTSTATUS (*GetDirInfoByName)(FSP_FILE_SYSTEM *FileSystem, PVOID FileContext,
				     PWSTR FileName, FSP_FSCTL_DIR_INFO *DirInfo);
	NTSTATUS (*Control)(FSP_FILE_SYSTEM *FileSystem, PVOID FileContext, UINT32 ControlCode,
			    PVOID InputBuffer, ULONG InputBufferLength, PVOID OutputBuffer,
			    ULONG OutputBufferLength, PULONG PBytesTransferred);
	NTSTATUS (*SetDelete)(FSP_FILE_SYSTEM *FileSystem, PVOID FileContext, PWSTR FileName,
			      BOOLEAN DeleteFile);
	/* Instead of Create: with EAs or, if ExtraBufferIsReparsePoint, a reparse point. */
	NTSTATUS (*CreateEx)(FSP_FILE_SYSTEM *FileSystem, PWSTR FileName, UINT32 CreateOptions,
			     UINT32 GrantedAccess, UINT32 FileAttributes,
			     PSECURITY_DESCRIPTOR SecurityDescriptor, UINT64 AllocationSize,
			     PVOID ExtraBuffer, ULONG ExtraLength,
			     BOOLEAN ExtraBufferIsReparsePoint, PVOID *PFileContext,
			     FSP_FSCTL_FILE_INFO *FileInfo);
	NTSTATUS (*OverwriteEx)(FSP_FILE_SYSTEM *FileSystem, PVOID FileContext,
				UINT32 FileAttributes, BOOLEAN ReplaceFileAttributes,
				UINT64 AllocationSize, PFILE_FULL_EA_INFORMATION Ea,
				ULONG EaLength, FSP_FSCTL_FILE_INFO *FileInfo);
	NTSTATUS (*GetEa)(FSP_FILE_SYSTEM *FileSystem, PVOID FileContext,
			  PFILE_FULL_EA_INFORMATION Ea, ULONG EaLength,
			  PULONG PBytesTransferred);
	NTSTATUS (*SetEa)(FSP_FILE_SYSTEM *FileSystem, PVOID FileContext,
			  PFILE_FULL_EA_INFORMATION Ea, ULONG EaLength,
			  FSP_FSCTL_FILE_INFO *FileInfo);
	NTSTATUS (*Obsolete0)(VOID);
	/* All dispatcher threads have ended. Normally: FspFileSystemStopDispatcher was called. */
	VOID (*DispatcherStopped)(FSP_FILE_SYSTEM *FileSystem, BOOLEAN Normally);
	/* Optional operations of this implementation count down from the last: winfsp/ext.h. */
	NTSTATUS (*Reserved[31])(VOID);
} FSP_FILE_SYSTEM_INTERFACE;
FSP_FSCTL_STATIC_ASSERT(sizeof(FSP_FILE_SYSTEM_INTERFACE) == 64 * sizeof(NTSTATUS (*)(VOID)),
			"the interface has 64 slots");

/* Fields are the library's, but for UserContext, which is the file system's to use. */
struct _FSP_FILE_SYSTEM {
	UINT16 Version;
	PVOID UserContext;
	WCHAR VolumeName[FSP_FSCTL_VOLUME_NAME_SIZEMAX / sizeof(WCHAR)];
	HANDLE VolumeHandle;
	FSP_FILE_SYSTEM_OPERATION_GUARD *EnterOperation, *LeaveOperation;
	FSP_FILE_SYSTEM_OPERATION *Operations[FspFsctlTransactKindCount];
	const FSP_FILE_SYSTEM_INTERFACE *Interface;
	HANDLE DispatcherThread;
	ULONG DispatcherThreadCount;
	NTSTATUS DispatcherResult;
	PWSTR MountPoint;
	HANDLE MountHandle;
	UINT32 DebugLog;
	FSP_FILE_SYSTEM_OPERATION_GUARD_STRATEGY OpGuardStrategy;
	SRWLOCK OpGuardLock;
	BOOLEAN UmFileContextIsUserContext2, UmFileContextIsFullContext;
	UINT16 UmNoReparsePointsDirCheck : 1;
	UINT16 UmReservedFlags : 14;
	UINT16 DispatcherStopping : 1;
};
FSP_FSCTL_STATIC_ASSERT(sizeof(PVOID) != 8 || sizeof(FSP_FILE_SYSTEM) == 792,
			"FSP_FILE_SYSTEM is 792 bytes");

typedef struct _FSP_FILE_SYSTEM_OPERATION_CONTEXT {
	FSP_FSCTL_TRANSACT_REQ *Request;
	FSP_FSCTL_TRANSACT_RSP *Response;
} FSP_FILE_SYSTEM_OPERATION_CONTEXT;

/* Would MountPoint do? SUCCESS, OBJECT_NAME_COLLISION (in use), OBJECT_NAME_INVALID. On Linux an
 * existing directory is what a mount needs, and is SUCCESS. */
FSP_API NTSTATUS FspFileSystemPreflight(PWSTR DevicePath, PWSTR MountPoint);
/* DevicePath "WinFsp.Disk" or "WinFsp.Net" (then Prefix must be "\Server\Share"); others:
 * NO_SUCH_DEVICE. Interface is borrowed, may be NULL. Delete with FspFileSystemDelete. */
FSP_API NTSTATUS FspFileSystemCreate(PWSTR DevicePath,
				     const FSP_FSCTL_VOLUME_PARAMS *VolumeParams,
				     const FSP_FILE_SYSTEM_INTERFACE *Interface,
				     FSP_FILE_SYSTEM **PFileSystem);
/* Removes the mount point, waits for opens to end, frees. */
FSP_API VOID FspFileSystemDelete(FSP_FILE_SYSTEM *FileSystem);
/* A directory; "X:" becomes a directory of that name among the user's drives; NULL or "*" takes
 * the first free letter from Z down. */
FSP_API NTSTATUS FspFileSystemSetMountPoint(FSP_FILE_SYSTEM *FileSystem, PWSTR MountPoint);
FSP_API NTSTATUS FspFileSystemSetMountPointEx(FSP_FILE_SYSTEM *FileSystem, PWSTR MountPoint,
					      PSECURITY_DESCRIPTOR SecurityDescriptor);
FSP_API VOID FspFileSystemRemoveMountPoint(FSP_FILE_SYSTEM *FileSystem);
/* ThreadCount 0: as many as the machine suggests. Returns when the drive answers. */
FSP_API NTSTATUS FspFileSystemStartDispatcher(FSP_FILE_SYSTEM *FileSystem, ULONG ThreadCount);
/* Waits for running operations. Not from a callback. */
FSP_API VOID FspFileSystemStopDispatcher(FSP_FILE_SYSTEM *FileSystem);
/* Completes an operation that returned STATUS_PENDING. Response is borrowed for the call. */
FSP_API VOID FspFileSystemSendResponse(FSP_FILE_SYSTEM *FileSystem,
				       FSP_FSCTL_TRANSACT_RSP *Response);
/* Timeout in ms or INFINITE; CANT_WAIT when renames kept the volume busy. */
FSP_API NTSTATUS FspFileSystemNotifyBegin(FSP_FILE_SYSTEM *FileSystem, ULONG Timeout);
FSP_API NTSTATUS FspFileSystemNotifyEnd(FSP_FILE_SYSTEM *FileSystem);
FSP_API NTSTATUS FspFileSystemNotify(FSP_FILE_SYSTEM *FileSystem,
				     FSP_FSCTL_NOTIFY_INFO *NotifyInfo, SIZE_T Size);
/* Of the operation that runs on this thread; NULL outside of one. */
FSP_API FSP_FILE_SYSTEM_OPERATION_CONTEXT *FspFileSystemGetOperationContext(VOID);

FSP_API PWSTR FspFileSystemMountPointF(FSP_FILE_SYSTEM *FileSystem);
FSP_API NTSTATUS FspFileSystemEnterOperationF(FSP_FILE_SYSTEM *FileSystem,
					      FSP_FSCTL_TRANSACT_REQ *Request,
					      FSP_FSCTL_TRANSACT_RSP *Response);
FSP_API NTSTATUS FspFileSystemLeaveOperationF(FSP_FILE_SYSTEM *FileSystem,
					      FSP_FSCTL_TRANSACT_REQ *Request,
					      FSP_FSCTL_TRANSACT_RSP *Response);
FSP_API VOID FspFileSystemSetOperationGuardF(FSP_FILE_SYSTEM *FileSystem,
					     FSP_FILE_SYSTEM_OPERATION_GUARD *EnterOperation,
					     FSP_FILE_SYSTEM_OPERATION_GUARD *LeaveOperation);
FSP_API VOID
FspFileSystemSetOperationGuardStrategyF(FSP_FILE_SYSTEM *FileSystem,
					FSP_FILE_SYSTEM_OPERATION_GUARD_STRATEGY GuardStrategy);
FSP_API VOID FspFileSystemSetOperationF(FSP_FILE_SYSTEM *FileSystem, ULONG Index,
					FSP_FILE_SYSTEM_OPERATION *Operation);
FSP_API VOID FspFileSystemGetDispatcherResultF(FSP_FILE_SYSTEM *FileSystem,
					       NTSTATUS *PDispatcherResult);
FSP_API VOID FspFileSystemSetDispatcherResultF(FSP_FILE_SYSTEM *FileSystem,
					       NTSTATUS DispatcherResult);
FSP_API VOID FspFileSystemSetDebugLogF(FSP_FILE_SYSTEM *FileSystem, UINT32 DebugLog);
FSP_API BOOLEAN FspFileSystemIsOperationCaseSensitiveF(VOID);
FSP_API UINT32 FspFileSystemOperationProcessIdF(VOID);

static inline PWSTR
FspFileSystemMountPoint(FSP_FILE_SYSTEM *FileSystem)
{
	return FileSystem->MountPoint;
}

static inline NTSTATUS
FspFileSystemEnterOperation(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request,
			    FSP_FSCTL_TRANSACT_RSP *Response)
{
	if (!FileSystem->EnterOperation)
		return STATUS_SUCCESS;
	return FileSystem->EnterOperation(FileSystem, Request, Response);
}

static inline NTSTATUS
FspFileSystemLeaveOperation(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request,
			    FSP_FSCTL_TRANSACT_RSP *Response)
{
	if (!FileSystem->LeaveOperation)
		return STATUS_SUCCESS;
	return FileSystem->LeaveOperation(FileSystem, Request, Response);
}

/* Before the dispatcher starts. */
static inline VOID
FspFileSystemSetOperationGuard(FSP_FILE_SYSTEM *FileSystem,
			       FSP_FILE_SYSTEM_OPERATION_GUARD *EnterOperation,
			       FSP_FILE_SYSTEM_OPERATION_GUARD *LeaveOperation)
{
	FileSystem->EnterOperation = EnterOperation;
	FileSystem->LeaveOperation = LeaveOperation;
}

static inline VOID
FspFileSystemSetOperationGuardStrategy(FSP_FILE_SYSTEM *FileSystem,
				       FSP_FILE_SYSTEM_OPERATION_GUARD_STRATEGY GuardStrategy)
{
	FileSystem->OpGuardStrategy = GuardStrategy;
}

static inline VOID
FspFileSystemSetOperation(FSP_FILE_SYSTEM *FileSystem, ULONG Index,
			  FSP_FILE_SYSTEM_OPERATION *Operation)
{
	FileSystem->Operations[Index] = Operation;
}

static inline VOID
FspFileSystemGetDispatcherResult(FSP_FILE_SYSTEM *FileSystem, NTSTATUS *PDispatcherResult)
{
	*PDispatcherResult = __atomic_load_n(&FileSystem->DispatcherResult, __ATOMIC_SEQ_CST);
}

/* Only the first failure is kept. */
static inline VOID
FspFileSystemSetDispatcherResult(FSP_FILE_SYSTEM *FileSystem, NTSTATUS DispatcherResult)
{
	NTSTATUS Expected = STATUS_SUCCESS;

	if (NT_SUCCESS(DispatcherResult))
		return;
	__atomic_compare_exchange_n(&FileSystem->DispatcherResult, &Expected, DispatcherResult, 0,
				    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* Bit 1 << Kind turns on the lines of a kind; all bits: everything. */
static inline VOID
FspFileSystemSetDebugLog(FSP_FILE_SYSTEM *FileSystem, UINT32 DebugLog)
{
	FileSystem->DebugLog = DebugLog;
}

static inline BOOLEAN
FspFileSystemIsOperationCaseSensitive(VOID)
{
	return FspFileSystemIsOperationCaseSensitiveF();
}

/* Process that asked: in Create, and in a Rename that replaces; else 0. */
static inline UINT32
FspFileSystemOperationProcessId(VOID)
{
	return FspFileSystemOperationProcessIdF();
}

/* Only for the FileInfo that Create or Open was given. */
static inline FSP_FSCTL_OPEN_FILE_INFO *
FspFileSystemGetOpenFileInfo(FSP_FSCTL_FILE_INFO *FileInfo)
{
	return (FSP_FSCTL_OPEN_FILE_INFO *)FileInfo;
}

/* The default handlers in FSP_FILE_SYSTEM.Operations, and the default guard. */
FSP_API FSP_FILE_SYSTEM_OPERATION_GUARD FspFileSystemOpEnter, FspFileSystemOpLeave;
FSP_API FSP_FILE_SYSTEM_OPERATION FspFileSystemOpCreate, FspFileSystemOpOverwrite,
	FspFileSystemOpCleanup, FspFileSystemOpClose, FspFileSystemOpRead, FspFileSystemOpWrite,
	FspFileSystemOpQueryInformation, FspFileSystemOpSetInformation, FspFileSystemOpQueryEa,
	FspFileSystemOpSetEa, FspFileSystemOpFlushBuffers, FspFileSystemOpQueryVolumeInformation,
	FspFileSystemOpSetVolumeInformation, FspFileSystemOpQueryDirectory,
	FspFileSystemOpFileSystemControl, FspFileSystemOpDeviceControl,
	FspFileSystemOpQuerySecurity, FspFileSystemOpSetSecurity,
	FspFileSystemOpQueryStreamInformation;

/* ---------------------------------------------------------------- list builders */

/* Appends an entry (NULL: the end mark) to a list in Buffer; FALSE when it does not fit. */
FSP_API BOOLEAN FspFileSystemAddDirInfo(FSP_FSCTL_DIR_INFO *DirInfo, PVOID Buffer, ULONG Length,
					PULONG PBytesTransferred);
FSP_API BOOLEAN FspFileSystemAddStreamInfo(FSP_FSCTL_STREAM_INFO *StreamInfo, PVOID Buffer,
					   ULONG Length, PULONG PBytesTransferred);
FSP_API BOOLEAN FspFileSystemAddNotifyInfo(FSP_FSCTL_NOTIFY_INFO *NotifyInfo, PVOID Buffer,
					   ULONG Length, PULONG PBytesTransferred);
FSP_API BOOLEAN FspFileSystemAddEa(PFILE_FULL_EA_INFORMATION SingleEa,
				   PFILE_FULL_EA_INFORMATION Ea, ULONG EaLength,
				   PULONG PBytesTransferred);
/* Calls EnumerateEa for each entry until one fails. */
FSP_API NTSTATUS FspFileSystemEnumerateEa(
	FSP_FILE_SYSTEM *FileSystem,
	NTSTATUS (*EnumerateEa)(FSP_FILE_SYSTEM *FileSystem, PVOID Context,
				PFILE_FULL_EA_INFORMATION SingleEa),
	PVOID Context, PFILE_FULL_EA_INFORMATION Ea, ULONG EaLength);

/* What an EA counts for in FileInfo.EaSize. */
static inline UINT32
FspFileSystemGetEaPackedSize(PFILE_FULL_EA_INFORMATION SingleEa)
{
	return 5u + SingleEa->EaNameLength + SingleEa->EaValueLength;
}

/*
 * Directory buffers: read a directory once, then serve it in sorted slices. *PDirBuffer is NULL at
 * first; thread-safe. TRUE from Acquire: fill it, then release it.
 */
FSP_API BOOLEAN FspFileSystemAcquireDirectoryBuffer(PVOID *PDirBuffer, BOOLEAN Reset,
						    PNTSTATUS PResult);
FSP_API BOOLEAN FspFileSystemAcquireDirectoryBufferEx(PVOID *PDirBuffer, BOOLEAN Reset,
						      ULONG CapacityHint, PNTSTATUS PResult);
FSP_API BOOLEAN FspFileSystemFillDirectoryBuffer(PVOID *PDirBuffer, FSP_FSCTL_DIR_INFO *DirInfo,
						 PNTSTATUS PResult);
FSP_API VOID FspFileSystemReleaseDirectoryBuffer(PVOID *PDirBuffer);
FSP_API VOID FspFileSystemReadDirectoryBuffer(PVOID *PDirBuffer, PWSTR Marker, PVOID Buffer,
					      ULONG Length, PULONG PBytesTransferred);
FSP_API VOID FspFileSystemDeleteDirectoryBuffer(PVOID *PDirBuffer);

/* ---------------------------------------------------------------- reparse points */

FSP_API BOOLEAN FspFileSystemFindReparsePoint(
	FSP_FILE_SYSTEM *FileSystem,
	NTSTATUS (*GetReparsePointByName)(FSP_FILE_SYSTEM *FileSystem, PVOID Context,
					  PWSTR FileName, BOOLEAN IsDirectory, PVOID Buffer,
					  PSIZE_T PSize),
	PVOID Context, PWSTR FileName, PUINT32 PReparsePointIndex);
FSP_API NTSTATUS FspFileSystemResolveReparsePoints(
	FSP_FILE_SYSTEM *FileSystem,
	NTSTATUS (*GetReparsePointByName)(FSP_FILE_SYSTEM *FileSystem, PVOID Context,
					  PWSTR FileName, BOOLEAN IsDirectory, PVOID Buffer,
					  PSIZE_T PSize),
	PVOID Context, PWSTR FileName, UINT32 ReparsePointIndex, BOOLEAN ResolveLastPathComponent,
	PIO_STATUS_BLOCK PIoStatus, PVOID Buffer, PSIZE_T PSize);
FSP_API NTSTATUS FspFileSystemCanReplaceReparsePoint(PVOID CurrentReparseData,
						     SIZE_T CurrentReparseDataSize,
						     PVOID ReplaceReparseData,
						     SIZE_T ReplaceReparseDataSize);

/* ---------------------------------------------------------------- security */

FSP_API PGENERIC_MAPPING FspGetFileGenericMapping(VOID);
/* Access check of a Create request on its file, or on its parent (main file of a stream). */
FSP_API NTSTATUS FspAccessCheckEx(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request,
				  BOOLEAN CheckParentOrMain, BOOLEAN AllowTraverseCheck,
				  UINT32 DesiredAccess, PUINT32 PGrantedAccess,
				  PSECURITY_DESCRIPTOR *PSecurityDescriptor);
FSP_API NTSTATUS FspCreateSecurityDescriptor(FSP_FILE_SYSTEM *FileSystem,
					     FSP_FSCTL_TRANSACT_REQ *Request,
					     PSECURITY_DESCRIPTOR ParentDescriptor,
					     PSECURITY_DESCRIPTOR *PSecurityDescriptor);
FSP_API NTSTATUS FspSetSecurityDescriptor(PSECURITY_DESCRIPTOR InputDescriptor,
					  SECURITY_INFORMATION SecurityInformation,
					  PSECURITY_DESCRIPTOR ModificationDescriptor,
					  PSECURITY_DESCRIPTOR *PSecurityDescriptor);
/* CreateFunc: the function that made the descriptor. */
FSP_API VOID FspDeleteSecurityDescriptor(PSECURITY_DESCRIPTOR SecurityDescriptor,
					 FSP_CREATE_FUNC CreateFunc);

static inline NTSTATUS
FspAccessCheck(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request,
	       BOOLEAN CheckParentOrMain, BOOLEAN AllowTraverseCheck, UINT32 DesiredAccess,
	       PUINT32 PGrantedAccess)
{
	return FspAccessCheckEx(FileSystem, Request, CheckParentOrMain, AllowTraverseCheck,
				DesiredAccess, PGrantedAccess, 0);
}

/* ---------------------------------------------------------------- POSIX mapping */

/* At most 8 overrides, looked up first; Count 0 clears. */
FSP_API NTSTATUS FspPosixSetUidMap(UINT32 Uid[], PSID Sid[], ULONG Count);
FSP_API NTSTATUS FspPosixMapUidToSid(UINT32 Uid, PSID *PSid);
FSP_API NTSTATUS FspPosixMapSidToUid(PSID Sid, PUINT32 PUid);
FSP_API VOID FspDeleteSid(PSID Sid, FSP_CREATE_FUNC CreateFunc);
FSP_API NTSTATUS FspPosixMapPermissionsToSecurityDescriptor(
	UINT32 Uid, UINT32 Gid, UINT32 Mode, PSECURITY_DESCRIPTOR *PSecurityDescriptor);
FSP_API NTSTATUS FspPosixMergePermissionsToSecurityDescriptor(
	UINT32 Uid, UINT32 Gid, UINT32 Mode, PSECURITY_DESCRIPTOR ExistingSecurityDescriptor,
	PSECURITY_DESCRIPTOR *PSecurityDescriptor);
/* The lowest bit of the PUid and PGid addresses marks them optional. */
FSP_API NTSTATUS FspPosixMapSecurityDescriptorToPermissions(
	PSECURITY_DESCRIPTOR SecurityDescriptor, PUINT32 PUid, PUINT32 PGid, PUINT32 PMode);
FSP_API NTSTATUS FspPosixMapWindowsToPosixPathEx(PWSTR WindowsPath, char **PPosixPath,
						 BOOLEAN Translate);
FSP_API NTSTATUS FspPosixMapPosixToWindowsPathEx(const char *PosixPath, PWSTR *PWindowsPath,
						 BOOLEAN Translate);
FSP_API VOID FspPosixDeletePath(void *Path);
FSP_API VOID FspPosixEncodeWindowsPath(PWSTR WindowsPath, ULONG Size);
FSP_API VOID FspPosixDecodeWindowsPath(PWSTR WindowsPath, ULONG Size);

static inline NTSTATUS
FspPosixMapWindowsToPosixPath(PWSTR WindowsPath, char **PPosixPath)
{
	return FspPosixMapWindowsToPosixPathEx(WindowsPath, PPosixPath, TRUE);
}

static inline NTSTATUS
FspPosixMapPosixToWindowsPath(const char *PosixPath, PWSTR *PWindowsPath)
{
	return FspPosixMapPosixToWindowsPathEx(PosixPath, PWindowsPath, TRUE);
}

/* UnixTime: seconds, nanoseconds. */
static inline VOID
FspPosixFileTimeToUnixTime(UINT64 FileTime0, __int3264 UnixTime[2])
{
	INT64 FileTime = (INT64)FileTime0 - 116444736000000000LL;

	UnixTime[0] = (__int3264)(FileTime / 10000000);
	UnixTime[1] = (__int3264)(FileTime % 10000000 * 100);
}

static inline VOID
FspPosixUnixTimeToFileTime(const __int3264 UnixTime[2], PUINT64 PFileTime)
{
	INT64 FileTime = (INT64)UnixTime[0] * 10000000 + (INT64)UnixTime[1] / 100 +
			 116444736000000000LL;

	*PFileTime = (UINT64)FileTime;
}

/* ---------------------------------------------------------------- paths */

/* In place: cut at the first run of backslashes. Root stands for an empty prefix. */
FSP_API VOID FspPathPrefix(PWSTR Path, PWSTR *PPrefix, PWSTR *PRemain, PWSTR Root);
/* In place: cut at the last run of backslashes. */
FSP_API VOID FspPathSuffix(PWSTR Path, PWSTR *PRemain, PWSTR *PSuffix, PWSTR Root);
/* Undoes a cut. */
FSP_API VOID FspPathCombine(PWSTR Prefix, PWSTR Suffix);

/* ---------------------------------------------------------------- service */

typedef struct _FSP_SERVICE FSP_SERVICE;
typedef NTSTATUS FSP_SERVICE_START(FSP_SERVICE *Service, ULONG Argc, PWSTR *Argv);
typedef NTSTATUS FSP_SERVICE_STOP(FSP_SERVICE *Service);
typedef NTSTATUS FSP_SERVICE_CONTROL(FSP_SERVICE *Service, ULONG Control, ULONG EventType,
				     PVOID EventData);

struct _FSP_SERVICE {
	UINT16 Version;
	PVOID UserContext;
	FSP_SERVICE_START *OnStart;
	FSP_SERVICE_STOP *OnStop;
	FSP_SERVICE_CONTROL *OnControl;
	ULONG AcceptControl;
	ULONG ExitCode;
	SERVICE_STATUS_HANDLE StatusHandle;
	SERVICE_STATUS ServiceStatus;
	CRITICAL_SECTION ServiceStatusGuard;
	CRITICAL_SECTION ServiceStopGuard;
	BOOLEAN AllowConsoleMode;
	WCHAR ServiceName[];
};

/*
 * Runs a service until SIGTERM, SIGINT or SIGHUP, which call OnStop; SIGUSR1 is
 * SERVICE_CONTROL_PARAMCHANGE. Tells systemd when it is ready and when it stops. Argv is that of
 * the process, argv[0] the service's name. Returns a Win32 exit code.
 */
static inline ULONG FspServiceRun(PWSTR ServiceName, FSP_SERVICE_START *OnStart,
				  FSP_SERVICE_STOP *OnStop, FSP_SERVICE_CONTROL *OnControl);
FSP_API ULONG FspServiceRunEx(PWSTR ServiceName, FSP_SERVICE_START *OnStart,
			      FSP_SERVICE_STOP *OnStop, FSP_SERVICE_CONTROL *OnControl,
			      PVOID UserContext);
FSP_API NTSTATUS FspServiceCreate(PWSTR ServiceName, FSP_SERVICE_START *OnStart,
				  FSP_SERVICE_STOP *OnStop, FSP_SERVICE_CONTROL *OnControl,
				  FSP_SERVICE **PService);
FSP_API VOID FspServiceDelete(FSP_SERVICE *Service);
FSP_API VOID FspServiceAllowConsoleMode(FSP_SERVICE *Service);
FSP_API VOID FspServiceAcceptControl(FSP_SERVICE *Service, ULONG Control);
FSP_API VOID FspServiceRequestTime(FSP_SERVICE *Service, ULONG Time);
FSP_API VOID FspServiceSetExitCode(FSP_SERVICE *Service, ULONG ExitCode);
FSP_API ULONG FspServiceGetExitCode(FSP_SERVICE *Service);
FSP_API NTSTATUS FspServiceLoop(FSP_SERVICE *Service);
/* From any thread or callback. */
FSP_API VOID FspServiceStop(FSP_SERVICE *Service);
/* Is standard error a person's? FALSE under a service manager. */
FSP_API BOOLEAN FspServiceIsInteractive(VOID);
FSP_API NTSTATUS FspServiceContextCheck(HANDLE Token, PBOOLEAN PIsLocalSystem);
/* Type: EVENTLOG_ERROR_TYPE …; standard error when interactive, else the journal or syslog. Format
 * is that of a UTF-16 printf: %s takes a PWSTR, %hs a char *. */
FSP_API VOID FspServiceLog(ULONG Type, PWSTR Format, ...);
FSP_API VOID FspServiceLogV(ULONG Type, PWSTR Format, va_list ap);
/* Ready-made body of DispatcherStopped: ends the service when the volume went away. */
FSP_API VOID FspFileSystemStopServiceIfNecessary(FSP_FILE_SYSTEM *FileSystem, BOOLEAN Normally);

static inline ULONG
FspServiceRun(PWSTR ServiceName, FSP_SERVICE_START *OnStart, FSP_SERVICE_STOP *OnStop,
	      FSP_SERVICE_CONTROL *OnControl)
{
	return FspServiceRunEx(ServiceName, OnStart, OnStop, OnControl, 0);
}

/* ---------------------------------------------------------------- utility */

FSP_API NTSTATUS FspNtStatusFromWin32(DWORD Error);
FSP_API DWORD FspWin32FromNtStatus(NTSTATUS Status);
FSP_API VOID FspEventLog(ULONG Type, PWSTR Format, ...);
FSP_API VOID FspEventLogV(ULONG Type, PWSTR Format, va_list ap);
/* Handle: (HANDLE)(intptr_t)fd; standard error at first. */
FSP_API VOID FspDebugLogSetHandle(HANDLE Handle);
FSP_API VOID FspDebugLog(const char *Format, ...) __attribute__((format(printf, 1, 2)));
/* Format holds one %s. */
FSP_API VOID FspDebugLogSD(const char *Format, PSECURITY_DESCRIPTOR SecurityDescriptor);
FSP_API VOID FspDebugLogSid(const char *Format, PSID Sid);
FSP_API VOID FspDebugLogFT(const char *Format, PFILETIME FileTime);
FSP_API VOID FspDebugLogRequest(FSP_FSCTL_TRANSACT_REQ *Request);
FSP_API VOID FspDebugLogResponse(FSP_FSCTL_TRANSACT_RSP *Response);
/* Major << 16 | minor of the API that this header describes. */
FSP_API NTSTATUS FspVersion(PUINT32 PVersion);
FSP_API PWSTR FspSxsIdent(VOID);

/* The library is linked at build time here; nothing is left to load. */
static inline NTSTATUS
FspLoad(PVOID *PModule)
{
	if (PModule)
		*PModule = 0;
	return STATUS_SUCCESS;
}

#ifdef __cplusplus
}
#endif

#endif
