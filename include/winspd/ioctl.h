/*
 * winspd/ioctl.h: the messages between a storage unit's program and what stands in front of it, and
 * the helpers that reach storage units as devices. Source-compatible with the header of this name
 * of WinSpd; differences are listed in docs/compatibility.md.
 *
 * A device is one of
 *
 *	NULL, root\winspd       the storage units of this process, by whatever way they were made
 *	\\.\pipe\NAME           those that some process of this user serves on a local door; Btl's
 *	                        target number is the T of NAME\T
 *	/dev/sg0, /dev/sda      a disk of the Linux kernel; every Btl is that disk
 *
 * Numbers in messages are little-endian; structures have natural alignment.
 */
#ifndef WINSPD_IOCTL_H_INCLUDED
#define WINSPD_IOCTL_H_INCLUDED

#include "nt/types.h"
#include "nt/scsi.h"
#include "nt/winerror.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SPD_API NT_API

#define SPD_IOCTL_DRIVER_NAME "WinSpd"
#define SPD_IOCTL_VENDOR_ID "WinSpd  "
#define SPD_IOCTL_HARDWARE_ID "root\\winspd"

/* Bus, target and logical unit in one number. Storage units have bus 0 and logical unit 0. */
#define SPD_IOCTL_BTL(B, T, L) \
	((((UINT32)(B)&0xff) << 16) | (((UINT32)(T)&0xff) << 8) | ((UINT32)(L)&0xff))
#define SPD_IOCTL_BTL_B(Btl) (((Btl) >> 16) & 0xff)
#define SPD_IOCTL_BTL_T(Btl) (((Btl) >> 8) & 0xff)
#define SPD_IOCTL_BTL_L(Btl) ((Btl)&0xff)

/* Units of one process; the original has the first as its default and the second as its limit, here
 * the limit is always the second. */
#define SPD_IOCTL_STORAGE_UNIT_CAPACITY 16
#define SPD_IOCTL_STORAGE_UNIT_MAX_CAPACITY 64

#define SPD_IOCTL_DEFAULT_ALIGNMENT 8
#define SPD_IOCTL_ALIGN_UP(x, s) (((x) + ((s)-1L)) & ~((s)-1L))
#define SPD_IOCTL_DEFAULT_ALIGN_UP(x) SPD_IOCTL_ALIGN_UP(x, SPD_IOCTL_DEFAULT_ALIGNMENT)
#define SPD_IOCTL_DECLSPEC_ALIGN __attribute__((aligned(SPD_IOCTL_DEFAULT_ALIGNMENT)))

/* SPD_IOCTL_BASE_PARAMS.Code */
#define SPD_IOCTL_PROVISION ('p')
#define SPD_IOCTL_UNPROVISION ('u')
#define SPD_IOCTL_LIST ('l')
#define SPD_IOCTL_TRANSACT ('t')
#define SPD_IOCTL_SET_TRANSACT_PID ('i')

/* SPD_IOCTL_TRANSACT_REQ.Kind; winspd/ext.h has more */
enum {
	SpdIoctlTransactReservedKind = 0,
	SpdIoctlTransactReadKind = 1,
	SpdIoctlTransactWriteKind = 2,
	SpdIoctlTransactFlushKind = 3,
	SpdIoctlTransactUnmapKind = 4,
	SpdIoctlTransactKindCount = 5
};

typedef struct {
	GUID Guid; /* identity, and as text the serial number; not null */
	UINT64 BlockCount; /* 1 or more */
	UINT32 BlockLength; /* bytes, 16 or more; each door says what it can carry */
	UINT8 ProductId[16]; /* printable ASCII, padded with spaces or ended by NUL */
	UINT8 ProductRevisionLevel[4];
	UINT8 DeviceType; /* 0: direct access */
	UINT32 : 0;       /* the flags are a word of their own, as other compilers have it */
	UINT32 WriteProtected : 1;
	UINT32 CacheSupported : 1; /* writes may be volatile until Flush */
	UINT32 UnmapSupported : 1;
	UINT32 EjectDisabled : 1;
	UINT32 ReservedFlags : 28;
	UINT32 MaxTransferLength; /* bytes of a request, a multiple of BlockLength */
	UINT64 Reserved[8];
} SPD_IOCTL_STORAGE_UNIT_PARAMS;

typedef struct {
	UINT8 ScsiStatus; /* 0 good, 2 check condition */
	UINT8 SenseKey;
	UINT8 ASC;
	UINT8 ASCQ;
	UINT64 Information; /* a block address, when InformationValid */
	UINT64 ReservedCSI;
	UINT32 ReservedSKS;
	UINT32 ReservedFRU : 8;
	UINT32 InformationValid : 1;
	UINT32 ReservedFlags : 23;
} SPD_IOCTL_STORAGE_UNIT_STATUS;

typedef struct {
	UINT64 BlockAddress;
	UINT32 BlockCount;
	UINT32 Reserved;
} SPD_IOCTL_UNMAP_DESCRIPTOR;

typedef struct {
	UINT64 Hint; /* of the request that is answered; 0: there is none */
	UINT8 Kind;
	union {
		struct {
			UINT64 BlockAddress;
			UINT32 BlockCount;
			UINT32 ForceUnitAccess : 1;
			UINT32 Reserved : 31;
		} Read;
		struct {
			UINT64 BlockAddress;
			UINT32 BlockCount;
			UINT32 ForceUnitAccess : 1;
			UINT32 Reserved : 31;
		} Write;
		struct {
			UINT64 BlockAddress; /* with BlockCount 0: everything */
			UINT32 BlockCount;
		} Flush;
		struct {
			UINT32 Count; /* descriptors in the data buffer */
		} Unmap;
	} Op;
} SPD_IOCTL_TRANSACT_REQ;

typedef struct {
	UINT64 Hint;
	UINT8 Kind;
	SPD_IOCTL_STORAGE_UNIT_STATUS Status;
} SPD_IOCTL_TRANSACT_RSP;

typedef struct {
	SPD_IOCTL_DECLSPEC_ALIGN UINT16 Size;
	UINT16 Code;
} SPD_IOCTL_BASE_PARAMS;

typedef struct {
	SPD_IOCTL_BASE_PARAMS Base;
	union {
		struct {
			SPD_IOCTL_STORAGE_UNIT_PARAMS StorageUnitParams;
		} Par;
		struct {
			UINT32 Btl;
		} Ret;
	} Dir;
} SPD_IOCTL_PROVISION_PARAMS;

typedef struct {
	SPD_IOCTL_BASE_PARAMS Base;
	GUID Guid;
} SPD_IOCTL_UNPROVISION_PARAMS;

typedef struct {
	SPD_IOCTL_BASE_PARAMS Base;
} SPD_IOCTL_LIST_PARAMS;

typedef struct {
	SPD_IOCTL_BASE_PARAMS Base;
	UINT32 Btl;
	UINT32 ReqValid : 1;
	UINT32 RspValid : 1;
	UINT64 DataBuffer;
	union {
		SPD_IOCTL_TRANSACT_REQ Req;
		SPD_IOCTL_TRANSACT_RSP Rsp;
	} Dir;
} SPD_IOCTL_TRANSACT_PARAMS;

typedef struct {
	SPD_IOCTL_BASE_PARAMS Base;
	UINT32 Btl;
	UINT32 ProcessId;
} SPD_IOCTL_SET_TRANSACT_PID_PARAMS;

/* ---------------------------------------------------------------- devices */

/*
 * All return ERROR_SUCCESS or a Win32 error, and may be called from any thread.
 *
 * GetDevicePath: what OpenDevice takes, for a device name: in the original the path of a driver's
 * interface, here the name made whole. ClassGuid is not looked at. PathBufSize in bytes;
 * ERROR_MORE_DATA when it is too small, ERROR_FILE_NOT_FOUND when nothing has that name.
 */
SPD_API DWORD SpdIoctlGetDevicePath(GUID *ClassGuid, PWSTR DeviceName, PWCHAR PathBuf,
				    UINT32 PathBufSize);
/* A handle for the calls below; SpdxIoctlCloseDevice (winspd/ext.h) gives it back. */
SPD_API DWORD SpdIoctlOpenDevice(PWSTR DeviceName, PHANDLE PDeviceHandle);
/*
 * One SCSI command. Cdb: 16 bytes, its length by its operation code. DataDirection: -1 from the
 * unit, 0 none, +1 to it. *PDataLength in: bytes of DataBuffer; out: bytes moved. *PScsiStatus and,
 * with 2, SenseBuffer say how the command ended; the return value says whether it could be sent.
 * Waits; ERROR_FILE_NOT_FOUND: nothing at this Btl.
 */
SPD_API DWORD SpdIoctlScsiExecute(HANDLE DeviceHandle, UINT32 Btl, PCDB Cdb, INT DataDirection,
				  PVOID DataBuffer, PUINT32 PDataLength, PUCHAR PScsiStatus,
				  UCHAR SenseBuffer[32]);
/* Standard INQUIRY data. Until Timeout milliseconds have passed, waits for a unit that is not there
 * yet. */
SPD_API DWORD SpdIoctlScsiInquiry(HANDLE DeviceHandle, UINT32 Btl, PINQUIRYDATA InquiryData,
				  ULONG Timeout);
/*
 * A storage unit of this process, whose requests SpdIoctlTransact takes. Handle of root\winspd,
 * else ERROR_INVALID_FUNCTION. ERROR_INVALID_PARAMETER, ERROR_ALREADY_EXISTS (same GUID),
 * ERROR_CANNOT_MAKE (all numbers are in use).
 */
SPD_API DWORD SpdIoctlProvision(HANDLE DeviceHandle, const SPD_IOCTL_STORAGE_UNIT_PARAMS *Params,
				PUINT32 PBtl);
/* Its requests fail, SpdIoctlTransact returns ERROR_CANCELLED. ERROR_FILE_NOT_FOUND: no such unit.
 */
SPD_API DWORD SpdIoctlUnprovision(HANDLE DeviceHandle, const GUID *Guid);
/* *PListSize in: bytes of ListBuf; out: bytes that the list has. ERROR_INSUFFICIENT_BUFFER. */
SPD_API DWORD SpdIoctlGetList(HANDLE DeviceHandle, PUINT32 ListBuf, PUINT32 PListSize);
/*
 * Answers a request (Rsp, may be NULL), then waits for the next one (Req, may be NULL; Hint 0: none
 * came for a while). DataBuffer, MaxTransferLength bytes: the data of a read that is answered, then
 * that of the write or unmap that came. ERROR_CANCELLED: unprovisioned. ERROR_ACCESS_DENIED:
 * another process id was set.
 */
SPD_API DWORD SpdIoctlTransact(HANDLE DeviceHandle, UINT32 Btl, SPD_IOCTL_TRANSACT_RSP *Rsp,
			       SPD_IOCTL_TRANSACT_REQ *Req, PVOID DataBuffer);
/* Which process may call SpdIoctlTransact for this unit: at first the one that provisioned it. */
SPD_API DWORD SpdIoctlSetTransactProcessId(HANDLE DeviceHandle, UINT32 Btl, ULONG ProcessId);

#ifdef __cplusplus
}
#endif

#endif
