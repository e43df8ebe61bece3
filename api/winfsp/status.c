/* Status maps and version. */
#include "api/winfsp/priv.h"

#include "base/status/errno.h"

NTSTATUS
FspNtStatusFromWin32(DWORD Error)
{
	NTSTATUS st;

	if (Error > 0xffff)
		return STATUS_ACCESS_DENIED;
	/* Known to the reference as one without a status of its own. */
	if (Error == 80)
		return (NTSTATUS)(0x80070000u | Error);
	st = nt_from_win32(Error);
	/* The table's answer for what it does not know is the generic one. */
	if (st == STATUS_UNSUCCESSFUL && win32_from_nt(st) != Error)
		return (NTSTATUS)(0x80070000u | Error);
	return nt_public(st);
}

DWORD
FspWin32FromNtStatus(NTSTATUS Status)
{
	if (((uint32_t)Status & 0xffff0000u) == 0x80070000u)
		return (uint32_t)Status & 0xffff;
	return win32_from_nt(nt_public(Status));
}

/* The level of WinFsp's API that the headers follow: 2.2. */
NTSTATUS
FspVersion(PUINT32 PVersion)
{
	*PVersion = 2u << 16 | 2u;
	return STATUS_SUCCESS;
}

PWSTR
FspSxsIdent(VOID)
{
	static WCHAR none[1];

	return none;
}
