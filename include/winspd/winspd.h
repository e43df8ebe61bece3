/*
 * winspd/winspd.h: the native storage device API. Source-compatible with the header of this name of
 * WinSpd; differences are listed in docs/compatibility.md.
 *
 * A program fills an SPD_STORAGE_UNIT_INTERFACE, creates a storage unit and starts its dispatcher:
 *
 *	SpdStorageUnitCreate(DeviceName, &Params, &Interface, &StorageUnit);
 *	SpdStorageUnitStartDispatcher(StorageUnit, 2);
 *	SpdStorageUnitWaitDispatcher(StorageUnit);
 *	SpdStorageUnitDelete(StorageUnit);
 *
 * DeviceName says how the disk is reached: NULL (the best that this kernel has), loop:,
 * iscsi://ADDRESS:PORT/NAME, \\.\pipe\NAME …; userdrive(7) lists them.
 *
 * Strings are UTF-16 (see WCHAR in nt/types.h). Functions that return DWORD return ERROR_SUCCESS
 * (0) or a Win32 error; out-parameters are written only on success. Functions may be called from any
 * thread unless said otherwise. Callbacks run on threads of the library, at most ThreadCount at
 * once.
 *
 * Additions of this implementation are in winspd/ext.h.
 */
#ifndef WINSPD_WINSPD_H_INCLUDED
#define WINSPD_WINSPD_H_INCLUDED

#include "winspd/ioctl.h"
#include "nt/service.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---------------------------------------------------------------- storage units */

typedef SPD_IOCTL_STORAGE_UNIT_PARAMS SPD_STORAGE_UNIT_PARAMS;
typedef SPD_IOCTL_STORAGE_UNIT_STATUS SPD_STORAGE_UNIT_STATUS;
typedef SPD_IOCTL_UNMAP_DESCRIPTOR SPD_UNMAP_DESCRIPTOR;
typedef struct _SPD_STORAGE_UNIT SPD_STORAGE_UNIT;

/*
 * What a storage unit implements. TRUE: done, Status says how (it is zeroed before the call: good).
 * FALSE: SpdStorageUnitSendResponse answers later. A missing operation is answered ILLEGAL REQUEST,
 * INVALID COMMAND OPERATION CODE. Ranges lie on the unit and have at most MaxTransferLength bytes.
 * Buffer is valid until the operation completes.
 */
typedef struct _SPD_STORAGE_UNIT_INTERFACE {
	/* Flush: the cache may not answer (FUA). */
	BOOLEAN (*Read)(SPD_STORAGE_UNIT *StorageUnit, PVOID Buffer, UINT64 BlockAddress,
			UINT32 BlockCount, BOOLEAN Flush, SPD_STORAGE_UNIT_STATUS *Status);
	/* Flush: the data is on stable storage when the operation completes. */
	BOOLEAN (*Write)(SPD_STORAGE_UNIT *StorageUnit, PVOID Buffer, UINT64 BlockAddress,
			 UINT32 BlockCount, BOOLEAN Flush, SPD_STORAGE_UNIT_STATUS *Status);
	/* Everything that was written to the range is on stable storage; 0, 0: the whole unit. */
	BOOLEAN (*Flush)(SPD_STORAGE_UNIT *StorageUnit, UINT64 BlockAddress, UINT32 BlockCount,
			 SPD_STORAGE_UNIT_STATUS *Status);
	/* A hint: these blocks are of no use any more. */
	BOOLEAN (*Unmap)(SPD_STORAGE_UNIT *StorageUnit, SPD_UNMAP_DESCRIPTOR Descriptors[],
			 UINT32 Count, SPD_STORAGE_UNIT_STATUS *Status);

	/* Zero, or operations of winspd/ext.h. */
	BOOLEAN (*Reserved[12])(VOID);
} SPD_STORAGE_UNIT_INTERFACE;

/* Fields are read-only but for UserContext, which is the program's. */
struct _SPD_STORAGE_UNIT {
	UINT16 Version; /* sizeof(SPD_STORAGE_UNIT) */
	PVOID UserContext;
	SPD_STORAGE_UNIT_PARAMS StorageUnitParams;
	const SPD_STORAGE_UNIT_INTERFACE *Interface;
	PVOID (*BufferAlloc)(size_t Size);
	VOID (*BufferFree)(PVOID Pointer);
	HANDLE Handle;
	UINT32 Btl;
	DWORD DispatcherThreadId;
	HANDLE DispatcherThread; /* not NULL: it was started */
	ULONG DispatcherThreadCount;
	DWORD DispatcherError; /* the first one */
	UINT32 DebugLog;       /* bit 1 << Kind */
};

/* The request that a callback works on. */
typedef struct _SPD_STORAGE_UNIT_OPERATION_CONTEXT {
	SPD_IOCTL_TRANSACT_REQ *Request;
	SPD_IOCTL_TRANSACT_RSP *Response;
	PVOID DataBuffer;
} SPD_STORAGE_UNIT_OPERATION_CONTEXT;

/*
 * Makes a storage unit; nothing is reachable until the dispatcher is started. Interface is borrowed
 * until SpdStorageUnitDelete; NULL: no operation is there. ERROR_INVALID_PARAMETER: something in
 * Params is out of its range; ERROR_ALREADY_EXISTS: this process has a unit with this Guid;
 * ERROR_CANNOT_MAKE: it has 64 units; else the door's reason, with a line in SpdxLastError.
 */
SPD_API DWORD SpdStorageUnitCreate(PWSTR DeviceName,
				   const SPD_STORAGE_UNIT_PARAMS *StorageUnitParams,
				   const SPD_STORAGE_UNIT_INTERFACE *Interface,
				   SPD_STORAGE_UNIT **PStorageUnit);
/* Shuts down, waits for the dispatcher, frees. Not from a callback. NULL is fine. */
SPD_API VOID SpdStorageUnitDelete(SPD_STORAGE_UNIT *StorageUnit);
/* The doors close, requests under way end, the dispatcher ends with the final Flush. Idempotent;
 * does not wait, so callbacks may call it. */
SPD_API VOID SpdStorageUnitShutdown(SPD_STORAGE_UNIT *StorageUnit);
/* ThreadCount: callbacks at once; 0: one per CPU that this process may use. A second start:
 * ERROR_INVALID_PARAMETER. */
SPD_API DWORD SpdStorageUnitStartDispatcher(SPD_STORAGE_UNIT *StorageUnit, ULONG ThreadCount);
/* Returns when the dispatcher has ended, at once when it was never started. Not from a callback. */
SPD_API VOID SpdStorageUnitWaitDispatcher(SPD_STORAGE_UNIT *StorageUnit);
/*
 * The answer to a request whose callback returned FALSE, by Response->Hint and Kind. DataBuffer:
 * the data of a read; NULL: zeroes. Both are copied. An answer that no request waits for is logged
 * and has no effect.
 */
SPD_API VOID SpdStorageUnitSendResponse(SPD_STORAGE_UNIT *StorageUnit,
					SPD_IOCTL_TRANSACT_RSP *Response, PVOID DataBuffer);
/* NULL outside of a callback. */
SPD_API SPD_STORAGE_UNIT_OPERATION_CONTEXT *SpdStorageUnitGetOperationContext(VOID);
/* The functions of the inline ones below, for who links by name. */
SPD_API VOID SpdStorageUnitSetBufferAllocatorF(SPD_STORAGE_UNIT *StorageUnit,
					       PVOID (*BufferAlloc)(size_t),
					       VOID (*BufferFree)(PVOID));
SPD_API VOID SpdStorageUnitGetDispatcherErrorF(SPD_STORAGE_UNIT *StorageUnit,
					       DWORD *PDispatcherError);
SPD_API VOID SpdStorageUnitSetDispatcherErrorF(SPD_STORAGE_UNIT *StorageUnit,
					       DWORD DispatcherError);
SPD_API VOID SpdStorageUnitSetDebugLogF(SPD_STORAGE_UNIT *StorageUnit, UINT32 DebugLog);

/* What makes and frees the buffers that callbacks see, of MaxTransferLength bytes. Before
 * SpdStorageUnitStartDispatcher. Without one they are the door's own, page-aligned. */
static inline VOID
SpdStorageUnitSetBufferAllocator(SPD_STORAGE_UNIT *StorageUnit, PVOID (*BufferAlloc)(size_t),
				 VOID (*BufferFree)(PVOID))
{
	StorageUnit->BufferAlloc = BufferAlloc;
	StorageUnit->BufferFree = BufferFree;
}

static inline VOID
SpdStorageUnitGetDispatcherError(SPD_STORAGE_UNIT *StorageUnit, DWORD *PDispatcherError)
{
	*PDispatcherError = __atomic_load_n(&StorageUnit->DispatcherError, __ATOMIC_ACQUIRE);
}

/* The first error wins; 0 is none. */
static inline VOID
SpdStorageUnitSetDispatcherError(SPD_STORAGE_UNIT *StorageUnit, DWORD DispatcherError)
{
	DWORD None = ERROR_SUCCESS;

	if (DispatcherError == ERROR_SUCCESS)
		return;
	__atomic_compare_exchange_n(&StorageUnit->DispatcherError, &None, DispatcherError, 0,
				    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/* Which requests and responses SpdDebugLogRequest and SpdDebugLogResponse print: bit 1 << Kind. */
static inline VOID
SpdStorageUnitSetDebugLog(SPD_STORAGE_UNIT *StorageUnit, UINT32 DebugLog)
{
	StorageUnit->DebugLog = DebugLog;
}

/* CHECK CONDITION with key and code; PInformation may be NULL. ASCQ is left as it is. */
static inline VOID
SpdStorageUnitStatusSetSense(SPD_STORAGE_UNIT_STATUS *Status, UINT8 SenseKey, UINT8 ASC,
			     PUINT64 PInformation)
{
	Status->ScsiStatus = SCSISTAT_CHECK_CONDITION;
	Status->SenseKey = SenseKey;
	Status->ASC = ASC;
	if (PInformation) {
		Status->Information = *PInformation;
		Status->InformationValid = 1;
	}
}

/* ---------------------------------------------------------------- utilities */

typedef struct {
	UINT8 Type;
	UINT8 Active; /* 80h: the system starts from it */
	UINT64 BlockAddress, BlockCount;
} SPD_PARTITION;
/* A master boot record with up to four partitions. ERROR_INVALID_PARAMETER: too many, an empty one,
 * or one that does not end within 32 bits. */
SPD_API DWORD SpdDefinePartitionTable(SPD_PARTITION Partitions[], ULONG Count, UINT8 Buffer[512]);

/* A pointer that one thread sets (NULL: gone) and others use; for shutting down from a handler. */
typedef struct _SPD_GUARD {
	SRWLOCK Lock;
	PVOID Pointer;
} SPD_GUARD;
#define SPD_GUARD_INIT                                                                   \
	{                                                                                \
		SRWLOCK_INIT, 0                                                          \
	}
static inline VOID
SpdGuardInit(SPD_GUARD *Guard)
{
	Guard->Lock.Ptr = 0;
	Guard->Pointer = 0;
}
/* Waits for functions that use the pointer before. Not from within one. */
SPD_API VOID SpdGuardSet(SPD_GUARD *Guard, PVOID Pointer);
/* Calls Function with the pointer, unless that is NULL. */
SPD_API VOID SpdGuardExecute(SPD_GUARD *Guard, VOID (*Function)(PVOID));

/*
 * Text in the manner of wide printf of Windows: %s is a wide string, %S and %hs a narrow one, %l
 * has 32 bits. PrintLog: a line on Handle, which is a file descriptor. EventLog: the system's log,
 * by Type EVENTLOG_*_TYPE. ServiceLog: the system's log, or standard error where a person reads it.
 */
SPD_API VOID SpdPrintLog(HANDLE Handle, PWSTR Format, ...);
SPD_API VOID SpdPrintLogV(HANDLE Handle, PWSTR Format, va_list ap);
SPD_API VOID SpdEventLog(ULONG Type, PWSTR Format, ...);
SPD_API VOID SpdEventLogV(ULONG Type, PWSTR Format, va_list ap);
SPD_API VOID SpdServiceLog(ULONG Type, PWSTR Format, ...);
SPD_API VOID SpdServiceLogV(ULONG Type, PWSTR Format, va_list ap);

/* Where debug lines go: a file descriptor; standard error at first. */
SPD_API VOID SpdDebugLogSetHandle(HANDLE Handle);
SPD_API VOID SpdDebugLog(const char *Format, ...) __attribute__((format(printf, 1, 2)));
SPD_API VOID SpdDebugLogRequest(SPD_IOCTL_TRANSACT_REQ *Request);
SPD_API VOID SpdDebugLogResponse(SPD_IOCTL_TRANSACT_RSP *Response);

/* Major version in the upper 16 bits, minor in the lower: of the original whose contract this is.
 */
SPD_API DWORD SpdVersion(PUINT32 PVersion);

#ifdef __cplusplus
}
#endif

#endif
