/*
 * winfsp/ext.h: what this implementation adds to the native API.
 *
 * Names begin with Fspx. Optional operations take the interface's reserved slots from the last
 * one downward, so that they never meet new ones of the original; a file system that does not
 * fill them behaves as before. FspxInterface* set them with the right type:
 *
 *	FspxInterfaceSetLink(&Interface, MyLink);
 */
#ifndef WINFSP_EXT_H_INCLUDED
#define WINFSP_EXT_H_INCLUDED

#include "winfsp/winfsp.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---------------------------------------------------------------- optional operations */

typedef struct {
	UINT64 Offset;
	UINT64 Length;
} FSPX_RANGE;

/* Slot 63. A second name for a file. With this operation files are known by IndexNumber (nonzero,
 * unique) and FileInfo.HardLinks counts names. */
typedef NTSTATUS FSPX_LINK(FSP_FILE_SYSTEM *FileSystem, PVOID FileContext, PWSTR FileName,
			   PWSTR NewFileName, BOOLEAN ReplaceIfExists,
			   FSP_FSCTL_FILE_INFO *FileInfo);
/* Slot 62. Ranges with data that meet [Offset, Offset + Length), ascending; *PCount in: room, out:
 * ranges written. */
typedef NTSTATUS FSPX_QUERY_RANGES(FSP_FILE_SYSTEM *FileSystem, PVOID FileContext, UINT64 Offset,
				   UINT64 Length, FSPX_RANGE *Ranges, PULONG PCount);
/* Slot 61. */
enum {
	FspxAllocateReserve = 0,  /* storage for the range; extends the file */
	FspxAllocateKeepSize = 1, /* the same, size unchanged */
	FspxAllocatePunch = 2,    /* reads zeros, gives its storage back, size unchanged */
	FspxAllocateZero = 3,     /* reads zeros; extends the file */
	FspxAllocateZeroKeep = 4
};
typedef NTSTATUS FSPX_ALLOCATE(FSP_FILE_SYSTEM *FileSystem, PVOID FileContext, UINT32 Mode,
			       UINT64 Offset, UINT64 Length, FSP_FSCTL_FILE_INFO *FileInfo);
/* Slot 60. Copies inside the volume; fewer bytes than asked are allowed. */
typedef NTSTATUS FSPX_COPY_RANGE(FSP_FILE_SYSTEM *FileSystem, PVOID FileContext, UINT64 Offset,
				 PVOID ToFileContext, UINT64 ToOffset, UINT64 Length,
				 PUINT64 PBytesTransferred, FSP_FSCTL_FILE_INFO *ToFileInfo);
/* Slot 59. A descriptor that the kernel may read and write instead of asking; it stays the file
 * system's and must be valid until Close. Access: 1 read, 2 write. */
typedef NTSTATUS FSPX_GET_BACKING(FSP_FILE_SYSTEM *FileSystem, PVOID FileContext, UINT32 Access,
				  int *PDescriptor);
/* Slot 58. Information and descriptor of a name without an open (a stat). Reparse points are not
 * followed; one on the way: STATUS_REPARSE as in GetSecurityByName. *PSecurityDescriptorSize as in
 * GetSecurity; SecurityDescriptor may be NULL. */
typedef NTSTATUS FSPX_GET_INFO_BY_NAME(FSP_FILE_SYSTEM *FileSystem, PWSTR FileName,
				       FSP_FSCTL_FILE_INFO *FileInfo,
				       PSECURITY_DESCRIPTOR SecurityDescriptor,
				       SIZE_T *PSecurityDescriptorSize);
/* Slot 57. POSIX rename(2): replaces files and empty directories, also open ones, atomically. */
enum { FspxRenameNoReplace = 1, FspxRenameExchange = 2 };
typedef NTSTATUS FSPX_RENAME_POSIX(FSP_FILE_SYSTEM *FileSystem, PVOID FileContext,
				   PWSTR FileName, PWSTR NewFileName, UINT32 Flags);

#define FSPX_DEFINE_SLOT_(Name, Type, Slot)                                                    \
	static inline VOID FspxInterfaceSet##Name(FSP_FILE_SYSTEM_INTERFACE *Interface,        \
						  Type *Operation)                             \
	{                                                                                      \
		Interface->Reserved[(Slot)-33] = (NTSTATUS(*)(VOID))(VOID(*)(VOID))Operation;  \
	}                                                                                      \
	static inline Type *FspxInterfaceGet##Name(const FSP_FILE_SYSTEM_INTERFACE *Interface) \
	{                                                                                      \
		return (Type *)(VOID(*)(VOID))Interface->Reserved[(Slot)-33];                  \
	}
FSPX_DEFINE_SLOT_(Link, FSPX_LINK, 63)
FSPX_DEFINE_SLOT_(QueryRanges, FSPX_QUERY_RANGES, 62)
FSPX_DEFINE_SLOT_(Allocate, FSPX_ALLOCATE, 61)
FSPX_DEFINE_SLOT_(CopyRange, FSPX_COPY_RANGE, 60)
FSPX_DEFINE_SLOT_(GetBacking, FSPX_GET_BACKING, 59)
FSPX_DEFINE_SLOT_(GetInfoByName, FSPX_GET_INFO_BY_NAME, 58)
FSPX_DEFINE_SLOT_(RenamePosix, FSPX_RENAME_POSIX, 57)

/* ---------------------------------------------------------------- mounting */

/*
 * Options of the mount, as after -o: "ro,allow_other,transport=dev". Before
 * FspFileSystemSetMountPoint. INVALID_PARAMETER: an option is unknown or has a bad value (see
 * FspxFileSystemLastError).
 */
FSP_API NTSTATUS FspxFileSystemSetMountOptions(FSP_FILE_SYSTEM *FileSystem, const char *Options);
/* Milliseconds after which an operation is answered STATUS_IO_TIMEOUT on the file system's behalf;
 * 0: never. 60000 at first. Before FspFileSystemSetMountPoint. */
FSP_API NTSTATUS FspxFileSystemSetDeadline(FSP_FILE_SYSTEM *FileSystem, UINT32 Milliseconds);
/* One line about the last failure of this object's mount calls: what, on what, what to do. ""
 * when there was none. Valid until the next such call. */
FSP_API const char *FspxFileSystemLastError(FSP_FILE_SYSTEM *FileSystem);

/* ---------------------------------------------------------------- programs */

/*
 * A drive program: command line, background, signals, readiness, control socket, exit codes, all
 * as every Userdrive program has them. Forms accepted:
 *
 *	NAME [-m MOUNTPOINT] [options of the program]   foreground, as WinFsp programs do
 *	NAME [SOURCE] MOUNTPOINT [-o OPTION[,OPTION…]]  background once the mount is live (mount(8),
 *	                                                /etc/fstab, mount.fuse)
 *	-f --foreground, -h --help, -V --version, -d[=MASK] -D FILE (debug log)
 */
typedef struct {
	char Letter;       /* "-t 1000"; 0: none */
	const char *Name;  /* "-o FileInfoTimeout=1000" and "--FileInfoTimeout=1000" */
	const char *Value; /* what the value is called in --help; NULL: a flag */
	const char *Help;
} FSPX_OPTION;

typedef struct _FSPX_PROGRAM FSPX_PROGRAM;
struct _FSPX_PROGRAM {
	SIZE_T Size; /* sizeof(FSPX_PROGRAM) */
	const char *Name;
	const char *Version;
	const char *Summary;     /* one line */
	const char *SourceName;  /* first positional is a SOURCE of this name; NULL: ignored */
	const char *Examples;    /* lines for --help */
	const FSPX_OPTION *Options; /* ends with Name NULL */
	PVOID Context;
	/* An option of the table was given. 0, or -1 after writing a line into Error. */
	int (*SetOption)(FSPX_PROGRAM *Program, const char *Name, const char *Value, char *Error,
			 SIZE_T ErrorSize);
	/* All options are known: create the file system (not mounted yet). */
	NTSTATUS (*Create)(FSPX_PROGRAM *Program, FSP_FILE_SYSTEM **PFileSystem, char *Error,
			   SIZE_T ErrorSize);
	/* Delete it. */
	VOID (*Delete)(FSPX_PROGRAM *Program, FSP_FILE_SYSTEM *FileSystem);
};

/* Exit codes of drive programs */
enum {
	FspxExitSuccess = 0,
	FspxExitUsage = 1,      /* bad command line */
	FspxExitMount = 2,      /* the mount point cannot be used */
	FspxExitNoFuse = 3,     /* /dev/fuse or fusermount3 is missing or forbidden */
	FspxExitFileSystem = 4, /* the file system could not be created */
	FspxExitFailed = 5      /* it ended by itself, not by a stop or an unmount */
};
FSP_API int FspxProgramMain(FSPX_PROGRAM *Program, int Argc, char **Argv);

#ifdef __cplusplus
}
#endif

#endif
