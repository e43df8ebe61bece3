/*
 * NTSTATUS <-> errno <-> Win32, from one table (base/status/status.def).
 *
 * errno -> NTSTATUS -> errno is the identity for every errno: one without an NT twin of its own
 * travels as a private status (customer bit set, low 16 bits the errno) and becomes a public one
 * only at an NT or SMB edge (nt_public). An NTSTATUS the table does not know becomes EIO and is
 * logged with its number: never success, never "access denied".
 */
#ifndef USERDRIVE_BASE_STATUS_ERRNO_H
#define USERDRIVE_BASE_STATUS_ERRNO_H

#include <stdint.h>
#include "nt/status.h"
#include "base/compiler.h"

#define NT_PRIVATE_ERRNO_BASE 0xE0550000u

/* err: positive errno (or 0). */
NTSTATUS nt_from_errno(int err);
/* Positive errno, 0 for success and informational statuses. */
int errno_from_nt(NTSTATUS st);
/* Replaces a private status by the nearest public one; others unchanged. */
NTSTATUS nt_public(NTSTATUS st);

uint32_t win32_from_nt(NTSTATUS st);
NTSTATUS nt_from_win32(uint32_t error);

/* "STATUS_OBJECT_NAME_NOT_FOUND", or NULL when the table does not have it. */
const char *nt_name(NTSTATUS st);
/* "ENOENT", or NULL. */
const char *errno_name(int err);

#endif
