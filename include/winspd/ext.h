/*
 * winspd/ext.h: what this implementation adds to the native API.
 *
 * Names begin with Spdx. Optional operations take the interface's reserved slots from the last one
 * downward, so that they never meet new ones of the original; a device that does not fill them
 * behaves as before. SpdxInterface* set them with the right type.
 */
#ifndef WINSPD_EXT_H_INCLUDED
#define WINSPD_EXT_H_INCLUDED

#include "winspd/winspd.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---------------------------------------------------------------- optional operations */

/*
 * Like the four standard ones, each returns TRUE when it is done (Status filled, zeroed is good)
 * and FALSE when SpdStorageUnitSendResponse answers later. Their requests have the kinds below; a
 * response repeats the kind. In a request, address and count are where Write has them (MayUnmap:
 * bit 1 beside ForceUnitAccess). The debug log's bits for them are 8 to 11, in this order.
 */
enum {
	SpdxTransactWriteZeroesKind = 64,
	SpdxTransactWriteSameKind = 65,
	SpdxTransactCompareAndWriteKind = 66,
	SpdxTransactQueryRangesKind = 67
};

/* Slot 15. The range reads as zeroes afterwards. MayUnmap: storage may be given back. Without this
 * operation zeroes are written. */
typedef BOOLEAN SPDX_WRITE_ZEROES(SPD_STORAGE_UNIT *StorageUnit, UINT64 BlockAddress,
				  UINT32 BlockCount, BOOLEAN MayUnmap, BOOLEAN Flush,
				  SPD_STORAGE_UNIT_STATUS *Status);
/* Slot 14. Buffer: one block, to be repeated over the range. */
typedef BOOLEAN SPDX_WRITE_SAME(SPD_STORAGE_UNIT *StorageUnit, PVOID Buffer,
				UINT64 BlockAddress, UINT32 BlockCount, BOOLEAN Flush,
				SPD_STORAGE_UNIT_STATUS *Status);
/* Slot 13. Buffer: BlockCount blocks to compare, then BlockCount blocks to write when they are
 * equal; atomic. When they differ: sense key 0Eh, ASC 1Dh, Information the byte offset of the first
 * difference. */
typedef BOOLEAN SPDX_COMPARE_AND_WRITE(SPD_STORAGE_UNIT *StorageUnit, PVOID Buffer,
				       UINT64 BlockAddress, UINT32 BlockCount, BOOLEAN Flush,
				       SPD_STORAGE_UNIT_STATUS *Status);
/* Slot 12. The storage is to have BlockCount blocks from now on. ERROR_SUCCESS or a Win32 error.
 * Called on the thread of SpdxStorageUnitResize. */
typedef DWORD SPDX_RESIZE(SPD_STORAGE_UNIT *StorageUnit, UINT64 BlockCount);
/* Slot 11. What the range from BlockAddress on is made of, ascending and without gaps; *PCount in:
 * room, out: ranges written, at least one. Answered later: the ranges are the response's data
 * (NULL: they are in Ranges), their number is Status.Information. */
typedef struct {
	UINT64 BlockAddress;
	UINT32 BlockCount;
	UINT32 State; /* 0 mapped, 1 deallocated, 2 anchored */
} SPDX_RANGE;
typedef BOOLEAN SPDX_QUERY_RANGES(SPD_STORAGE_UNIT *StorageUnit, UINT64 BlockAddress,
				  UINT32 BlockCount, SPDX_RANGE *Ranges, PUINT32 PCount,
				  SPD_STORAGE_UNIT_STATUS *Status);

#define SPDX_DEFINE_SLOT_(Name, Type, Slot)                                              \
	static inline VOID SpdxInterfaceSet##Name(SPD_STORAGE_UNIT_INTERFACE *Interface, \
						  Type *Operation)                       \
	{                                                                                \
		Interface->Reserved[(Slot)-4] =                                          \
			(BOOLEAN(*)(VOID))(VOID(*)(VOID))Operation;                      \
	}                                                                                \
	static inline Type *SpdxInterfaceGet##Name(                                      \
		const SPD_STORAGE_UNIT_INTERFACE *Interface)                             \
	{                                                                                \
		return (Type *)(VOID(*)(VOID))Interface->Reserved[(Slot)-4];             \
	}
SPDX_DEFINE_SLOT_(WriteZeroes, SPDX_WRITE_ZEROES, 15)
SPDX_DEFINE_SLOT_(WriteSame, SPDX_WRITE_SAME, 14)
SPDX_DEFINE_SLOT_(CompareAndWrite, SPDX_COMPARE_AND_WRITE, 13)
SPDX_DEFINE_SLOT_(Resize, SPDX_RESIZE, 12)
SPDX_DEFINE_SLOT_(QueryRanges, SPDX_QUERY_RANGES, 11)

/* ---------------------------------------------------------------- units and doors */

/*
 * What SPD_STORAGE_UNIT_PARAMS has no room for. All zero is the default. Before
 * SpdStorageUnitStartDispatcher.
 */
typedef struct {
	SIZE_T Size;                /* sizeof(SPDX_UNIT_OPTIONS) */
	UINT32 PhysicalBlockLength; /* bytes, BlockLength times a power of two up to 128; 4096 over
				       512: "512e" */
	UINT32 RotationRate;        /* 0 not reported, 1 solid state, else per minute */
	UINT32 Removable : 1;       /* the host may eject it */
	UINT32 UnmapZeroes : 1;     /* unmapped blocks read as zeroes */
	UINT32 Reserved : 30;
	const char *StatePath;      /* file that keeps persistent reservations; NULL: none */
} SPDX_UNIT_OPTIONS;
SPD_API DWORD SpdxStorageUnitSetOptions(SPD_STORAGE_UNIT *StorageUnit,
					const SPDX_UNIT_OPTIONS *Options);
/* One more way to the same unit: "loop:", "iscsi://…". Before or after StartDispatcher. On failure
 * see SpdxStorageUnitLastError. */
SPD_API DWORD SpdxStorageUnitAddDoor(SPD_STORAGE_UNIT *StorageUnit, PWSTR DeviceName);
/* Calls Resize of the interface, then tells every host. ERROR_NOT_SUPPORTED without one. */
SPD_API DWORD SpdxStorageUnitResize(SPD_STORAGE_UNIT *StorageUnit, UINT64 BlockCount);
/* One line about the last failure of this thread's Spd* calls that create, open or start: what, on
 * what, what to do. "" when there was none. Valid until the thread's next such call. */
SPD_API const char *SpdxLastError(VOID);
/*
 * Where the unit can be reached: a JSON array of one object per door, NUL-terminated: "door", and
 * "device" (a node in /dev) or "url". ERROR_MORE_DATA: Size is too small.
 */
SPD_API DWORD SpdxStorageUnitDescribe(SPD_STORAGE_UNIT *StorageUnit, char *Buffer, SIZE_T Size);
/* Called once, on a thread of the library, when the last door has ended by itself (somebody detached
 * the device). Not when a host ejects a removable disk: it may load it again. Before
 * StartDispatcher. */
SPD_API VOID SpdxStorageUnitSetEnded(SPD_STORAGE_UNIT *StorageUnit,
				     VOID (*Ended)(PVOID Context, BOOLEAN Normally),
				     PVOID Context);
/*
 * Asynchronous completion. The buffer of a request that was answered FALSE stays valid, and stays
 * this request's, until SpdStorageUnitSendResponse; a read may fill it in place and pass it (or
 * NULL, which delivers zeroes) there. Any thread may send the response; any number of requests may
 * be outstanding, beyond the dispatcher's threads.
 */

/* Gives back what SpdIoctlOpenDevice gave; in the original, CloseHandle. */
SPD_API VOID SpdxIoctlCloseDevice(HANDLE DeviceHandle);

/* ---------------------------------------------------------------- programs */

/*
 * A disk program: command line, background, signals, readiness, control socket, exit codes, all as
 * every Userdrive program has them. Forms accepted:
 *
 *	NAME [options of the program] [-p DEVICENAME]…          foreground, as WinSpd programs do
 *	NAME [options] SOURCE [--door DEVICENAME]… [-o OPTION…] background once the disk is there
 *	--foreground, --background (the second form without SOURCE), -h --help, -V --version,
 *	-d FLAGS -D FILE (debug log)
 */
typedef struct {
	char Letter;       /* "-f FILE"; 0: none */
	const char *Name;  /* "--file=FILE" and "-o file=FILE" */
	const char *Value; /* what the value is called in --help; NULL: a flag */
	const char *Help;
} SPDX_OPTION;

typedef struct _SPDX_PROGRAM SPDX_PROGRAM;
struct _SPDX_PROGRAM {
	SIZE_T Size; /* sizeof(SPDX_PROGRAM) */
	const char *Name;
	const char *Version;
	const char *Summary;    /* one line */
	const char *SourceName; /* the positional argument, handed to SetOption under SourceOption;
				   NULL: none is taken */
	const char *SourceOption;
	const char *Examples;   /* lines for --help */
	const SPDX_OPTION *Options; /* ends with Name NULL */
	ULONG ThreadCount;      /* of the dispatcher; 0: one per CPU */
	PVOID Context;
	/* An option of the table was given. 0, or -1 after writing a line into Error. */
	int (*SetOption)(SPDX_PROGRAM *Program, const char *Name, const char *Value, char *Error,
			 SIZE_T ErrorSize);
	/* All options are known: create the unit, with DeviceName as its first door. */
	DWORD (*Create)(SPDX_PROGRAM *Program, PWSTR DeviceName, SPD_STORAGE_UNIT **PStorageUnit,
			char *Error, SIZE_T ErrorSize);
	/* Delete it. */
	VOID (*Delete)(SPDX_PROGRAM *Program, SPD_STORAGE_UNIT *StorageUnit);
};

/* Exit codes of disk programs */
enum {
	SpdxExitSuccess = 0,
	SpdxExitUsage = 1,  /* bad command line */
	SpdxExitDoor = 2,   /* a door cannot be opened: address in use, no free loop device… */
	SpdxExitNoDoor = 3, /* what the door needs is missing or forbidden on this machine */
	SpdxExitUnit = 4,   /* the disk could not be created: image in use, wrong size… */
	SpdxExitFailed = 5  /* it ended by itself, not by a stop or a detach */
};
SPD_API int SpdxProgramMain(SPDX_PROGRAM *Program, int Argc, char **Argv);

#ifdef __cplusplus
}
#endif

#endif
