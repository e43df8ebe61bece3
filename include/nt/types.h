/*
 * The base types of Windows headers, for systems that do not have them.
 *
 * LONG and ULONG are 32 bits everywhere, as they are on Windows. WCHAR is one UTF-16 unit:
 * char16_t in C11 and C++, uint16_t in C99 (which has no char16_t), and wchar_t when the
 * program is compiled with -fshort-wchar, so that sources full of L"" literals compile.
 */
#ifndef USERDRIVE_NT_TYPES_H
#define USERDRIVE_NT_TYPES_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include "nt/status.h"

#if !defined(__cplusplus) && defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#include <uchar.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__SIZEOF_WCHAR_T__) && __SIZEOF_WCHAR_T__ == 2
typedef wchar_t WCHAR;
#elif defined(__cplusplus) || (defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L)
typedef char16_t WCHAR;
#else
typedef uint16_t WCHAR;
#endif

#define VOID void
typedef char CHAR;
typedef unsigned char UCHAR, BYTE;
typedef int16_t SHORT, INT16;
typedef uint16_t USHORT, WORD, UINT16;
typedef int8_t INT8;
typedef uint8_t UINT8;
typedef int32_t LONG, INT32, INT, BOOL;
typedef uint32_t ULONG, DWORD, UINT32, UINT;
typedef int64_t LONGLONG, INT64, LONG64;
typedef uint64_t ULONGLONG, UINT64, ULONG64, DWORD64;
typedef intptr_t INT_PTR, LONG_PTR;
typedef uintptr_t UINT_PTR, ULONG_PTR, DWORD_PTR;
typedef size_t SIZE_T;
typedef ptrdiff_t SSIZE_T;
typedef UCHAR BOOLEAN;
/* Pointer-sized seconds and nanoseconds, as FspPosix*Time takes them. */
typedef intptr_t __int3264;

typedef void *PVOID, *LPVOID;
typedef const void *LPCVOID;
typedef void *HANDLE;
typedef HANDLE *PHANDLE;
typedef CHAR *PSTR, *LPSTR, *PCHAR;
typedef const CHAR *PCSTR, *LPCSTR;
typedef WCHAR *PWSTR, *LPWSTR, *PWCHAR;
typedef const WCHAR *PCWSTR, *LPCWSTR;
typedef UCHAR *PUCHAR;
typedef BYTE *PBYTE, *LPBYTE;
typedef BOOLEAN *PBOOLEAN;
typedef BOOL *PBOOL, *LPBOOL;
typedef USHORT *PUSHORT;
typedef UINT8 *PUINT8;
typedef UINT16 *PUINT16;
typedef UINT32 *PUINT32;
typedef UINT64 *PUINT64;
typedef LONG *PLONG;
typedef ULONG *PULONG;
typedef DWORD *PDWORD, *LPDWORD;
typedef SIZE_T *PSIZE_T;
typedef NTSTATUS *PNTSTATUS;

#ifndef TRUE
#define TRUE 1
#define FALSE 0
#endif
#define INVALID_HANDLE_VALUE ((HANDLE)(intptr_t)-1)
#define INFINITE 0xFFFFFFFFu
#define MAX_PATH 260

#ifndef UNREFERENCED_PARAMETER
#define UNREFERENCED_PARAMETER(x) ((void)(x))
#endif
#define FIELD_OFFSET(type, field) ((LONG)offsetof(type, field))

/* SAL annotations and calling conventions mean nothing here. */
#ifndef NTAPI
#define NTAPI
#define WINAPI
#define CALLBACK
#endif

/* Every function that these headers declare is exported by libfsp. */
#define NT_API __attribute__((visibility("default")))

typedef struct _GUID {
	UINT32 Data1;
	UINT16 Data2;
	UINT16 Data3;
	UINT8 Data4[8];
} GUID, *PGUID;

typedef struct _FILETIME {
	DWORD dwLowDateTime;
	DWORD dwHighDateTime;
} FILETIME, *PFILETIME, *LPFILETIME;

typedef union _LARGE_INTEGER {
	struct {
		DWORD LowPart;
		LONG HighPart;
	} u;
	LONGLONG QuadPart;
} LARGE_INTEGER, *PLARGE_INTEGER;

typedef union _ULARGE_INTEGER {
	struct {
		DWORD LowPart;
		DWORD HighPart;
	} u;
	ULONGLONG QuadPart;
} ULARGE_INTEGER, *PULARGE_INTEGER;

typedef struct _UNICODE_STRING {
	USHORT Length; /* bytes, without a NUL */
	USHORT MaximumLength;
	PWSTR Buffer;
} UNICODE_STRING, *PUNICODE_STRING;

typedef struct _IO_STATUS_BLOCK {
	union {
		NTSTATUS Status;
		PVOID Pointer;
	};
	ULONG_PTR Information;
} IO_STATUS_BLOCK, *PIO_STATUS_BLOCK;

/* Pointer-sized, as on Windows: structures that embed them keep their layout. */
typedef struct _RTL_SRWLOCK {
	PVOID Ptr;
} SRWLOCK, *PSRWLOCK;
#define SRWLOCK_INIT                                                                     \
	{                                                                                \
		0                                                                        \
	}

typedef struct _RTL_CRITICAL_SECTION {
	PVOID DebugInfo;
	LONG LockCount;
	LONG RecursionCount;
	HANDLE OwningThread;
	HANDLE LockSemaphore;
	ULONG_PTR SpinCount;
} CRITICAL_SECTION, *PCRITICAL_SECTION;

#ifdef __cplusplus
}
#endif

#endif
