#include "base/status/errno.h"

#include <errno.h>
#include <stdatomic.h>
#include "base/log.h"
#include "nt/winerror.h"

/* Keep their argument only in rows that are primary for the direction. */
#define FOR_ERRNO_E_W(...) __VA_ARGS__
#define FOR_ERRNO_E_(...) __VA_ARGS__
#define FOR_ERRNO__W(...)
#define FOR_ERRNO___(...)
#define FOR_WIN32_E_W(...) __VA_ARGS__
#define FOR_WIN32_E_(...)
#define FOR_WIN32__W(...) __VA_ARGS__
#define FOR_WIN32___(...)

enum { FACILITY_WIN32 = 0x8007, FACILITY_WIN32_NT = 0xc001 };

static uint32_t
facility_of(NTSTATUS st)
{
	return (uint32_t)st >> 16;
}

static bool
is_private(NTSTATUS st)
{
	return facility_of(st) == NT_PRIVATE_ERRNO_BASE >> 16;
}

static int
private_errno(NTSTATUS st)
{
	return (int)((uint32_t)st & 0xffff);
}

NTSTATUS
nt_from_errno(int err)
{
	switch (err) {
#define ROW(nt, e, win32, primary) FOR_ERRNO_##primary(case e: return STATUS_##nt;)
#include "base/status/status.def"
	default:
		if (err < 0 || err > 0xffff)
			return STATUS_IO_DEVICE_ERROR;
		return (NTSTATUS)(NT_PRIVATE_ERRNO_BASE | (uint32_t)err);
	}
}

/* A status that repeats for each request would fill the log: the same one is told once. */
static void
log_unknown(NTSTATUS st)
{
	static _Atomic NTSTATUS last; /* alone: a lost race costs one more line */

	if (atomic_exchange_explicit(&last, st, memory_order_relaxed) != st)
		log_warn("status", "no errno for NTSTATUS, answering EIO status=%#010x",
			 (unsigned)st);
}

static int
errno_from_win32_facility(NTSTATUS st)
{
	switch ((uint32_t)st & 0xffff) {
#define WIN32(error, e)                                                                  \
	case ERROR_##error:                                                              \
		return e;
#include "base/status/status.def"
	default:
		log_unknown(st);
		return EIO;
	}
}

int
errno_from_nt(NTSTATUS st)
{
	switch ((uint32_t)st) {
#define ROW(nt, e, win32, primary)                                                       \
	case (uint32_t)STATUS_##nt:                                                      \
		return e;
#include "base/status/status.def"
	default:
		break;
	}
	if (NT_SUCCESS(st))
		return 0;
	if (is_private(st))
		return private_errno(st) ? private_errno(st) : EIO;
	if (facility_of(st) == FACILITY_WIN32)
		return errno_from_win32_facility(st);
	log_unknown(st);
	return EIO;
}

NTSTATUS
nt_public(NTSTATUS st)
{
	if (!is_private(st))
		return st;
	switch (private_errno(st)) {
#define ERRNO(e, public)                                                                 \
	case e:                                                                          \
		return STATUS_##public;
#include "base/status/status.def"
	default:
		return STATUS_UNSUCCESSFUL;
	}
}

uint32_t
win32_from_nt(NTSTATUS st)
{
	st = nt_public(st);
	switch ((uint32_t)st) {
#define ROW(nt, e, win32, primary)                                                       \
	case (uint32_t)STATUS_##nt:                                                      \
		return ERROR_##win32;
#include "base/status/status.def"
	default:
		break;
	}
	if (facility_of(st) == FACILITY_WIN32 || facility_of(st) == FACILITY_WIN32_NT)
		return (uint32_t)st & 0xffff;
	/* The customer bit: not NT's to translate. */
	if ((uint32_t)st & 0x20000000u)
		return (uint32_t)st;
	return ERROR_MR_MID_NOT_FOUND;
}

NTSTATUS
nt_from_win32(uint32_t error)
{
	switch (error) {
#define ROW(nt, e, win32, primary) FOR_WIN32_##primary(case ERROR_##win32: return STATUS_##nt;)
#include "base/status/status.def"
	default:
		if (error > 0xffff)
			return STATUS_ACCESS_DENIED;
		return (NTSTATUS)((uint32_t)FACILITY_WIN32 << 16 | error);
	}
}

const char *
nt_name(NTSTATUS st)
{
	switch ((uint32_t)st) {
#define ROW(nt, e, win32, primary)                                                       \
	case (uint32_t)STATUS_##nt:                                                      \
		return "STATUS_" #nt;
#include "base/status/status.def"
	default:
		return NULL;
	}
}

const char *
errno_name(int err)
{
	if (err == 0)
		return NULL;
	switch (err) {
#define ERRNO(e, public)                                                                 \
	case e:                                                                          \
		return #e;
#define ROW(nt, e, win32, primary)                                                       \
	FOR_ERRNO_##primary(case e: return #e;)
#include "base/status/status.def"
	default:
		return NULL;
	}
}
