/*
 * winfsp/fsctl.h: the messages between the volume engine and a file system, and their limits.
 * Source-compatible with the header of this name of WinFsp.
 *
 * A message is a fixed header and a buffer; every FSP_FSCTL_TRANSACT_BUF is an offset and a size
 * inside that buffer. Messages are aligned to FSP_FSCTL_DEFAULT_ALIGNMENT.
 */
#ifndef WINFSP_FSCTL_H_INCLUDED
#define WINFSP_FSCTL_H_INCLUDED

#include "nt/types.h"
#include "nt/file.h"
#include "nt/security.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__cplusplus)
#define FSP_FSCTL_STATIC_ASSERT(e, m) static_assert(e, m)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define FSP_FSCTL_STATIC_ASSERT(e, m) _Static_assert(e, m)
#else
#define FSP_FSCTL_STATIC_ASSERT(e, m) extern char FspFsctlStaticAssert[(e) ? 1 : -1]
#endif

#define FSP_FSCTL_PRODUCT_NAME "WinFsp"
#define FSP_FSCTL_PRODUCT_FILE_NAME "winfsp"
#define FSP_FSCTL_DRIVER_NAME FSP_FSCTL_PRODUCT_NAME
#define FSP_FSCTL_DISK_DEVICE_NAME FSP_FSCTL_PRODUCT_NAME ".Disk"
#define FSP_FSCTL_NET_DEVICE_NAME FSP_FSCTL_PRODUCT_NAME ".Net"
#define FSP_FSCTL_MUP_DEVICE_NAME FSP_FSCTL_PRODUCT_NAME ".Mup"

/* Alignment of messages and of the entries of directory, stream and notify lists */
#define FSP_FSCTL_DEFAULT_ALIGNMENT 8
#define FSP_FSCTL_ALIGN_UP(x, s) (((x) + ((s)-1L)) & ~((s)-1L))
#define FSP_FSCTL_DEFAULT_ALIGN_UP(x) FSP_FSCTL_ALIGN_UP(x, FSP_FSCTL_DEFAULT_ALIGNMENT)
#define FSP_FSCTL_DECLSPEC_ALIGN __attribute__((aligned(FSP_FSCTL_DEFAULT_ALIGNMENT)))

/* Control codes: type << 16 | access << 14 | function << 2 | method */
#define FSP_FSCTL_MOUNTDEV 0x00092134u
#define FSP_FSCTL_MOUNTMGR 0x000921B4u
#define FSP_FSCTL_VOLUME_NAME 0x00092138u
#define FSP_FSCTL_VOLUME_LIST 0x00092130u
#define FSP_FSCTL_TRANSACT 0x00092150u
#define FSP_FSCTL_TRANSACT_BATCH 0x000921D2u
#define FSP_IOCTL_TRANSACT 0xC6572150u
#define FSP_IOCTL_TRANSACT_BATCH 0xC65721D0u
#define FSP_FSCTL_STOP 0x0009214Cu
#define FSP_FSCTL_STOP0 0x000921CCu
#define FSP_FSCTL_NOTIFY 0x000921BBu
#define FSP_FSCTL_UNLOAD 0x00092157u
#define FSP_FSCTL_QUERY_WINFSP 0x000920FCu

#define FSP_FSCTL_VOLUME_PARAMS_PREFIX "\\VolumeParams="

/* Sizes in bytes */
#define FSP_FSCTL_VOLUME_NAME_SIZE (64 * sizeof(WCHAR))
#define FSP_FSCTL_VOLUME_PREFIX_SIZE (192 * sizeof(WCHAR))
#define FSP_FSCTL_VOLUME_FSNAME_SIZE (16 * sizeof(WCHAR))
#define FSP_FSCTL_VOLUME_NAME_SIZEMAX                                                    \
	(FSP_FSCTL_VOLUME_NAME_SIZE + FSP_FSCTL_VOLUME_PREFIX_SIZE)
#define FSP_FSCTL_TRANSACT_PATH_SIZEMAX (1024 * sizeof(WCHAR))
#define FSP_FSCTL_TRANSACT_REQ_SIZEMAX (16 * 1024 - 64)
#define FSP_FSCTL_TRANSACT_RSP_SIZEMAX (16 * 1024)
#define FSP_FSCTL_TRANSACT_REQ_BUFFER_SIZEMAX                                            \
	(FSP_FSCTL_TRANSACT_REQ_SIZEMAX - sizeof(FSP_FSCTL_TRANSACT_REQ))
#define FSP_FSCTL_TRANSACT_RSP_BUFFER_SIZEMAX                                            \
	(FSP_FSCTL_TRANSACT_RSP_SIZEMAX - sizeof(FSP_FSCTL_TRANSACT_RSP))
#define FSP_FSCTL_TRANSACT_BATCH_BUFFER_SIZEMIN (64 * 1024)
#define FSP_FSCTL_TRANSACT_BUFFER_SIZEMIN FSP_FSCTL_TRANSACT_REQ_SIZEMAX
#define FSP_FSCTL_DEVICECONTROL_SIZEMAX (4 * 1024)
#define FSP_FSCTL_NOTIFY_INFO_SIZEMAX 0x7FFFFFFFu

/* Request kinds; FSP_FILE_SYSTEM.Operations is indexed by them */
enum {
	FspFsctlTransactReservedKind = 0,
	FspFsctlTransactCreateKind,
	FspFsctlTransactOverwriteKind,
	FspFsctlTransactCleanupKind,
	FspFsctlTransactCloseKind,
	FspFsctlTransactReadKind,
	FspFsctlTransactWriteKind,
	FspFsctlTransactQueryInformationKind,
	FspFsctlTransactSetInformationKind,
	FspFsctlTransactQueryEaKind,
	FspFsctlTransactSetEaKind,
	FspFsctlTransactFlushBuffersKind,
	FspFsctlTransactQueryVolumeInformationKind,
	FspFsctlTransactSetVolumeInformationKind,
	FspFsctlTransactQueryDirectoryKind,
	FspFsctlTransactFileSystemControlKind,
	FspFsctlTransactDeviceControlKind,
	FspFsctlTransactShutdownKind,
	FspFsctlTransactLockControlKind,
	FspFsctlTransactQuerySecurityKind,
	FspFsctlTransactSetSecurityKind,
	FspFsctlTransactQueryStreamInformationKind,
	FspFsctlTransactKindCount
};

/* Timer and queue limits of the volume parameters */
enum {
	FspFsctlTransactTimeoutMinimum = 1000,
	FspFsctlTransactTimeoutMaximum = 10000,
	FspFsctlTransactTimeoutDefault = 1000,
	FspFsctlIrpTimeoutMinimum = 60000,
	FspFsctlIrpTimeoutMaximum = 600000,
	FspFsctlIrpTimeoutDefault = 300000,
	FspFsctlIrpTimeoutDebug = 142,
	FspFsctlIrpCapacityMinimum = 100,
	FspFsctlIrpCapacityMaximum = 1000,
	FspFsctlIrpCapacityDefault = 1000
};

/*
 * Volume parameters. Version is 0 (only the first 456 bytes count) or the structure's size.
 * Timeouts are in milliseconds; 0: no caching, 0xFFFFFFFF: no expiry.
 */
/* clang-format off */
#define FSP_FSCTL_VOLUME_PARAMS_V0_FIELD_DEFN \
	UINT16 Version; \
	UINT16 SectorSize; \
	UINT16 SectorsPerAllocationUnit; \
	UINT16 MaxComponentLength; \
	UINT64 VolumeCreationTime; \
	UINT32 VolumeSerialNumber; \
	UINT32 TransactTimeout; \
	UINT32 IrpTimeout; \
	UINT32 IrpCapacity; \
	UINT32 FileInfoTimeout; \
	UINT32 CaseSensitiveSearch : 1; \
	UINT32 CasePreservedNames : 1; \
	UINT32 UnicodeOnDisk : 1; \
	UINT32 PersistentAcls : 1; \
	UINT32 ReparsePoints : 1; \
	UINT32 ReparsePointsAccessCheck : 1; \
	UINT32 NamedStreams : 1; \
	UINT32 HardLinks : 1; \
	UINT32 ExtendedAttributes : 1; \
	UINT32 ReadOnlyVolume : 1; \
	UINT32 PostCleanupWhenModifiedOnly : 1; \
	UINT32 PassQueryDirectoryPattern : 1; \
	UINT32 AlwaysUseDoubleBuffering : 1; \
	UINT32 PassQueryDirectoryFileName : 1; \
	UINT32 FlushAndPurgeOnCleanup : 1; \
	UINT32 DeviceControl : 1; \
	UINT32 UmFileContextIsUserContext2 : 1; \
	UINT32 UmFileContextIsFullContext : 1; \
	UINT32 UmNoReparsePointsDirCheck : 1; \
	UINT32 UmReservedFlags : 5; \
	UINT32 AllowOpenInKernelMode : 1; \
	UINT32 CasePreservedExtendedAttributes : 1; \
	UINT32 WslFeatures : 1; \
	UINT32 DirectoryMarkerAsNextOffset : 1; \
	UINT32 RejectIrpPriorToTransact0 : 1; \
	UINT32 SupportsPosixUnlinkRename : 1; \
	UINT32 PostDispositionWhenNecessaryOnly : 1; \
	UINT32 KmReservedFlags : 1; \
	WCHAR Prefix[FSP_FSCTL_VOLUME_PREFIX_SIZE / sizeof(WCHAR)]; \
	WCHAR FileSystemName[FSP_FSCTL_VOLUME_FSNAME_SIZE / sizeof(WCHAR)];
#define FSP_FSCTL_VOLUME_PARAMS_V1_FIELD_DEFN \
	UINT32 VolumeInfoTimeoutValid : 1; \
	UINT32 DirInfoTimeoutValid : 1; \
	UINT32 SecurityTimeoutValid : 1; \
	UINT32 StreamInfoTimeoutValid : 1; \
	UINT32 EaTimeoutValid : 1; \
	UINT32 KmAdditionalReservedFlags : 27; \
	UINT32 VolumeInfoTimeout; \
	UINT32 DirInfoTimeout; \
	UINT32 SecurityTimeout; \
	UINT32 StreamInfoTimeout; \
	UINT32 EaTimeout; \
	UINT32 FsextControlCode; \
	UINT32 Reserved32[1]; \
	UINT64 Reserved64[2];
/* clang-format on */
typedef struct {
	FSP_FSCTL_VOLUME_PARAMS_V0_FIELD_DEFN
} FSP_FSCTL_VOLUME_PARAMS_V0;
typedef struct {
	FSP_FSCTL_VOLUME_PARAMS_V0_FIELD_DEFN
	FSP_FSCTL_VOLUME_PARAMS_V1_FIELD_DEFN
} FSP_FSCTL_VOLUME_PARAMS;
FSP_FSCTL_STATIC_ASSERT(sizeof(FSP_FSCTL_VOLUME_PARAMS_V0) == 456, "V0 is 456 bytes");
FSP_FSCTL_STATIC_ASSERT(sizeof(FSP_FSCTL_VOLUME_PARAMS) == 504, "V1 is 504 bytes");

typedef struct {
	UINT64 TotalSize;
	UINT64 FreeSize;
	UINT16 VolumeLabelLength; /* bytes, without a NUL */
	WCHAR VolumeLabel[32];
} FSP_FSCTL_VOLUME_INFO;
FSP_FSCTL_STATIC_ASSERT(sizeof(FSP_FSCTL_VOLUME_INFO) == 88, "VOLUME_INFO is 88 bytes");

typedef struct {
	UINT32 FileAttributes;
	UINT32 ReparseTag;
	UINT64 AllocationSize;
	UINT64 FileSize;
	UINT64 CreationTime; /* FILETIME: 100 ns since 1601 */
	UINT64 LastAccessTime;
	UINT64 LastWriteTime;
	UINT64 ChangeTime;
	UINT64 IndexNumber;
	UINT32 HardLinks; /* 0 or 1: one name; more: only with the HardLink operation (ext.h) */
	UINT32 EaSize;
} FSP_FSCTL_FILE_INFO;
FSP_FSCTL_STATIC_ASSERT(sizeof(FSP_FSCTL_FILE_INFO) == 72, "FILE_INFO is 72 bytes");

typedef struct {
	FSP_FSCTL_FILE_INFO FileInfo;
	PWSTR NormalizedName;      /* the file system may write the name's true case here */
	UINT16 NormalizedNameSize; /* in: capacity in bytes, out: bytes written */
} FSP_FSCTL_OPEN_FILE_INFO;
FSP_FSCTL_STATIC_ASSERT(sizeof(PVOID) != 8 || sizeof(FSP_FSCTL_OPEN_FILE_INFO) == 88,
			"OPEN_FILE_INFO is 88 bytes");

typedef struct {
	UINT16 Size; /* with the name, which has no NUL */
	FSP_FSCTL_FILE_INFO FileInfo;
	union {
		UINT64 NextOffset;
		UINT8 Padding[24];
	};
	WCHAR FileNameBuf[];
} FSP_FSCTL_DIR_INFO;
FSP_FSCTL_STATIC_ASSERT(sizeof(FSP_FSCTL_DIR_INFO) == 104, "DIR_INFO is 104 bytes");

typedef struct {
	UINT16 Size;
	UINT64 StreamSize;
	UINT64 StreamAllocationSize;
	WCHAR StreamNameBuf[];
} FSP_FSCTL_STREAM_INFO;
FSP_FSCTL_STATIC_ASSERT(sizeof(FSP_FSCTL_STREAM_INFO) == 24, "STREAM_INFO is 24 bytes");

typedef struct {
	UINT16 Size;
	UINT32 Filter;
	UINT32 Action;
	WCHAR FileNameBuf[];
} FSP_FSCTL_NOTIFY_INFO;
FSP_FSCTL_STATIC_ASSERT(sizeof(FSP_FSCTL_NOTIFY_INFO) == 12, "NOTIFY_INFO is 12 bytes");

typedef struct {
	UINT64 UserContext;  /* the file's */
	UINT64 UserContext2; /* the handle's */
} FSP_FSCTL_TRANSACT_FULL_CONTEXT;

typedef struct {
	UINT16 Offset;
	UINT16 Size;
} FSP_FSCTL_TRANSACT_BUF;

typedef struct {
	UINT16 Version;
	UINT16 Size;
	UINT32 Kind;
	UINT64 Hint;
	union {
		struct {
			UINT32 CreateOptions; /* disposition in bits 24..31 */
			UINT32 FileAttributes;
			FSP_FSCTL_TRANSACT_BUF SecurityDescriptor;
			UINT64 AllocationSize;
			UINT64 AccessToken;
			UINT32 DesiredAccess;
			UINT32 GrantedAccess;
			UINT32 ShareAccess;
			FSP_FSCTL_TRANSACT_BUF Ea;
			UINT32 UserMode : 1;
			UINT32 HasTraversePrivilege : 1;
			UINT32 HasBackupPrivilege : 1;
			UINT32 HasRestorePrivilege : 1;
			UINT32 OpenTargetDirectory : 1;
			UINT32 CaseSensitive : 1;
			UINT32 HasTrailingBackslash : 1;
			UINT32 AcceptsSecurityDescriptor : 1;
			UINT32 EaIsReparsePoint : 1;
			UINT32 ReservedFlags : 24; /* does not fit: takes the next UINT32 */
			UINT16 NamedStream;        /* byte offset of ':' in FileName, 0: none */
		} Create;
		struct {
			UINT64 UserContext;
			UINT64 UserContext2;
			UINT32 FileAttributes;
			UINT64 AllocationSize;
			UINT32 Supersede : 1;
			UINT32 ReservedFlags : 31;
			FSP_FSCTL_TRANSACT_BUF Ea;
		} Overwrite;
		struct {
			UINT64 UserContext;
			UINT64 UserContext2;
			UINT32 Delete : 1;
			UINT32 SetAllocationSize : 1;
			UINT32 SetArchiveBit : 1;
			UINT32 SetLastAccessTime : 1;
			UINT32 SetLastWriteTime : 1;
			UINT32 SetChangeTime : 1;
		} Cleanup;
		struct {
			UINT64 UserContext;
			UINT64 UserContext2;
		} Close;
		struct {
			UINT64 UserContext;
			UINT64 UserContext2;
			UINT64 Address;
			UINT64 Offset;
			UINT32 Length;
			UINT32 Key;
		} Read;
		struct {
			UINT64 UserContext;
			UINT64 UserContext2;
			UINT64 Address;
			UINT64 Offset;
			UINT32 Length;
			UINT32 Key;
			UINT32 ConstrainedIo : 1;
			UINT32 ReservedFlags : 31;
		} Write;
		struct {
			UINT64 UserContext;
			UINT64 UserContext2;
		} QueryInformation;
		struct {
			UINT64 UserContext;
			UINT64 UserContext2;
			UINT32 FileInformationClass;
			union {
				struct {
					UINT64 AllocationSize;
				} Allocation;
				struct {
					UINT32 FileAttributes;
					UINT64 CreationTime;
					UINT64 LastAccessTime;
					UINT64 LastWriteTime;
					UINT64 ChangeTime;
				} Basic;
				struct {
					UINT32 Delete : 1;
				} Disposition;
				struct {
					UINT32 Flags;
				} DispositionEx;
				struct {
					UINT64 FileSize;
				} EndOfFile;
				struct {
					FSP_FSCTL_TRANSACT_BUF NewFileName;
					UINT64 AccessToken;
				} Rename;
				struct {
					FSP_FSCTL_TRANSACT_BUF NewFileName;
					UINT64 AccessToken;
					UINT32 Flags;
				} RenameEx;
			} Info;
		} SetInformation;
		struct {
			UINT64 UserContext;
			UINT64 UserContext2;
		} QueryEa;
		struct {
			UINT64 UserContext;
			UINT64 UserContext2;
			FSP_FSCTL_TRANSACT_BUF Ea;
		} SetEa;
		struct {
			UINT64 UserContext;
			UINT64 UserContext2;
		} FlushBuffers;
		struct {
			UINT32 FsInformationClass;
			union {
				struct {
					FSP_FSCTL_TRANSACT_BUF VolumeLabel;
				} Label;
			} Info;
		} SetVolumeInformation;
		struct {
			UINT64 UserContext;
			UINT64 UserContext2;
			UINT64 Address;
			UINT32 Length;
			FSP_FSCTL_TRANSACT_BUF Pattern;
			FSP_FSCTL_TRANSACT_BUF Marker;
			UINT32 CaseSensitive : 1;
			UINT32 PatternIsFileName : 1;
		} QueryDirectory;
		struct {
			UINT64 UserContext;
			UINT64 UserContext2;
			UINT32 FsControlCode;
			FSP_FSCTL_TRANSACT_BUF Buffer;
			UINT16 TargetOnFileSystem;
		} FileSystemControl;
		struct {
			UINT64 UserContext;
			UINT64 UserContext2;
			UINT32 IoControlCode;
			FSP_FSCTL_TRANSACT_BUF Buffer;
			UINT32 OutputLength;
		} DeviceControl;
		struct {
			UINT64 UserContext;
			UINT64 UserContext2;
		} QuerySecurity;
		struct {
			UINT64 UserContext;
			UINT64 UserContext2;
			UINT32 SecurityInformation;
			FSP_FSCTL_TRANSACT_BUF SecurityDescriptor;
		} SetSecurity;
		struct {
			UINT64 UserContext;
			UINT64 UserContext2;
		} QueryStreamInformation;
		UINT8 Reserved[64];
	} Req;
	FSP_FSCTL_TRANSACT_BUF FileName;
	FSP_FSCTL_DECLSPEC_ALIGN UINT8 Buffer[];
} FSP_FSCTL_TRANSACT_REQ;
FSP_FSCTL_STATIC_ASSERT(sizeof(FSP_FSCTL_TRANSACT_REQ) == 88, "a request header is 88 bytes");

#define FSP_FSCTL_TRANSACT_REQ_TOKEN_HANDLE(T) ((HANDLE)(UINT_PTR)((T)&0xffffffffu))
#define FSP_FSCTL_TRANSACT_REQ_TOKEN_PID(T) ((UINT32)(((T) >> 32) & 0xffffffffu))

typedef struct {
	UINT16 Version;
	UINT16 Size;
	UINT32 Kind;
	UINT64 Hint;
	struct {
		UINT32 Information;
		UINT32 Status;
	} IoStatus;
	union {
		union {
			struct {
				UINT64 UserContext;
				UINT64 UserContext2;
				UINT32 GrantedAccess;
				FSP_FSCTL_TRANSACT_BUF SecurityDescriptor;
				FSP_FSCTL_FILE_INFO FileInfo;
				FSP_FSCTL_TRANSACT_BUF FileName;
				UINT32 DisableCache : 1;
				UINT32 HasSecurityDescriptor : 1;
			} Opened;
			struct {
				FSP_FSCTL_TRANSACT_BUF Buffer;
			} Reparse;
		} Create;
		struct {
			FSP_FSCTL_FILE_INFO FileInfo;
		} Overwrite;
		struct {
			FSP_FSCTL_FILE_INFO FileInfo;
		} Write;
		struct {
			FSP_FSCTL_FILE_INFO FileInfo;
		} QueryInformation;
		struct {
			FSP_FSCTL_FILE_INFO FileInfo;
		} SetInformation;
		struct {
			FSP_FSCTL_TRANSACT_BUF Ea;
		} QueryEa;
		struct {
			FSP_FSCTL_FILE_INFO FileInfo;
			FSP_FSCTL_TRANSACT_BUF Ea;
		} SetEa;
		struct {
			FSP_FSCTL_FILE_INFO FileInfo;
		} FlushBuffers;
		struct {
			FSP_FSCTL_VOLUME_INFO VolumeInfo;
		} QueryVolumeInformation;
		struct {
			FSP_FSCTL_VOLUME_INFO VolumeInfo;
		} SetVolumeInformation;
		struct {
			FSP_FSCTL_TRANSACT_BUF Buffer;
		} FileSystemControl;
		struct {
			FSP_FSCTL_TRANSACT_BUF Buffer;
		} DeviceControl;
		struct {
			FSP_FSCTL_TRANSACT_BUF SecurityDescriptor;
		} QuerySecurity;
		struct {
			FSP_FSCTL_TRANSACT_BUF SecurityDescriptor;
		} SetSecurity;
		struct {
			FSP_FSCTL_TRANSACT_BUF Buffer;
		} QueryStreamInformation;
		UINT8 Reserved[104];
	} Rsp;
	FSP_FSCTL_DECLSPEC_ALIGN UINT8 Buffer[];
} FSP_FSCTL_TRANSACT_RSP;
FSP_FSCTL_STATIC_ASSERT(sizeof(FSP_FSCTL_TRANSACT_RSP) == 128, "a response header is 128 bytes");

/* A message can be added at Request when a largest one fits before RequestBufEnd. */
static inline BOOLEAN
FspFsctlTransactCanProduceRequest(FSP_FSCTL_TRANSACT_REQ *Request, PVOID RequestBufEnd)
{
	return (PUINT8)RequestBufEnd - (PUINT8)Request >= (SSIZE_T)FSP_FSCTL_TRANSACT_REQ_SIZEMAX;
}

/* Where the message after one of RequestSize bytes begins. */
static inline FSP_FSCTL_TRANSACT_REQ *
FspFsctlTransactProduceRequest(FSP_FSCTL_TRANSACT_REQ *Request, SIZE_T RequestSize)
{
	return (FSP_FSCTL_TRANSACT_REQ *)((PUINT8)Request +
					  FSP_FSCTL_DEFAULT_ALIGN_UP(RequestSize));
}

/* The message after Request, or NULL when Request is not whole before RequestBufEnd. */
static inline FSP_FSCTL_TRANSACT_REQ *
FspFsctlTransactConsumeRequest(FSP_FSCTL_TRANSACT_REQ *Request, PVOID RequestBufEnd)
{
	SIZE_T Left = (SIZE_T)((PUINT8)RequestBufEnd - (PUINT8)Request);

	if ((PUINT8)Request > (PUINT8)RequestBufEnd || Left < sizeof Request->Version * 2 ||
	    Request->Size < sizeof *Request ||
	    (SIZE_T)FSP_FSCTL_DEFAULT_ALIGN_UP(Request->Size) > Left)
		return 0;
	return FspFsctlTransactProduceRequest(Request, Request->Size);
}

static inline BOOLEAN
FspFsctlTransactCanProduceResponse(FSP_FSCTL_TRANSACT_RSP *Response, PVOID ResponseBufEnd)
{
	return (PUINT8)ResponseBufEnd - (PUINT8)Response >=
	       (SSIZE_T)FSP_FSCTL_TRANSACT_RSP_SIZEMAX;
}

static inline FSP_FSCTL_TRANSACT_RSP *
FspFsctlTransactProduceResponse(FSP_FSCTL_TRANSACT_RSP *Response, SIZE_T ResponseSize)
{
	return (FSP_FSCTL_TRANSACT_RSP *)((PUINT8)Response +
					  FSP_FSCTL_DEFAULT_ALIGN_UP(ResponseSize));
}

static inline FSP_FSCTL_TRANSACT_RSP *
FspFsctlTransactConsumeResponse(FSP_FSCTL_TRANSACT_RSP *Response, PVOID ResponseBufEnd)
{
	SIZE_T Left = (SIZE_T)((PUINT8)ResponseBufEnd - (PUINT8)Response);

	if ((PUINT8)Response > (PUINT8)ResponseBufEnd || Left < sizeof Response->Version * 2 ||
	    Response->Size < sizeof *Response ||
	    (SIZE_T)FSP_FSCTL_DEFAULT_ALIGN_UP(Response->Size) > Left)
		return 0;
	return FspFsctlTransactProduceResponse(Response, Response->Size);
}

static inline UINT32
FspInterlockedLoad32(UINT32 volatile *Source)
{
	return __atomic_load_n(Source, __ATOMIC_ACQUIRE);
}

static inline VOID
FspInterlockedStore32(UINT32 volatile *Target, UINT32 Value)
{
	__atomic_store_n(Target, Value, __ATOMIC_SEQ_CST);
}

static inline PVOID
FspInterlockedLoadPointer(PVOID volatile *Source)
{
	return __atomic_load_n(Source, __ATOMIC_ACQUIRE);
}

static inline VOID
FspInterlockedStorePointer(PVOID volatile *Target, PVOID Value)
{
	__atomic_store_n(Target, Value, __ATOMIC_SEQ_CST);
}

#ifdef __cplusplus
}
#endif

#endif
