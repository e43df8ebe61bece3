/* The functions of nt/security.h: Win32 names and BOOL over fs/security. */
#include "api/winfsp/priv.h"

#include <stdlib.h>
#include <string.h>
#include "api/common/wide.h"
#include "base/text/names.h"
#include "fs/security/sd.h"
#include "nt/winerror.h"

static _Thread_local DWORD last_error;

DWORD
GetLastError(VOID)
{
	return last_error;
}

VOID
SetLastError(DWORD Error)
{
	last_error = Error;
}

HANDLE
LocalFree(HANDLE Memory)
{
	free(Memory);
	return NULL;
}

static BOOL
fail(DWORD error)
{
	last_error = error;
	return FALSE;
}

static BOOL
fail_status(NTSTATUS st)
{
	return fail(FspWin32FromNtStatus(st));
}

/* Whole text as wide characters of its own. */
static BOOL
give_wide(const char *text, LPWSTR *ret_wide, PULONG ret_units)
{
	uint16_t *wide;

	if (utf16_from_utf8(text, &wide) < 0)
		return fail(ERROR_NOT_ENOUGH_MEMORY);
	*ret_wide = wide;
	if (ret_units)
		*ret_units = (ULONG)utf16_len(wide) + 1;
	return TRUE;
}

BOOL
ConvertStringSecurityDescriptorToSecurityDescriptorW(LPCWSTR StringSecurityDescriptor,
						     DWORD StringSDRevision,
						     PSECURITY_DESCRIPTOR *SecurityDescriptor,
						     PULONG SecurityDescriptorSize)
{
	CLEANUP(free_ptr) char *text = NULL;
	size_t size;
	NTSTATUS st;

	if (!StringSecurityDescriptor || !SecurityDescriptor)
		return fail(ERROR_INVALID_PARAMETER);
	if (StringSDRevision != SDDL_REVISION_1)
		return fail(ERROR_UNKNOWN_REVISION);
	text = wide_utf8(StringSecurityDescriptor);
	if (!text)
		return fail(ERROR_NOT_ENOUGH_MEMORY);
	st = sddl_parse(text, SecurityDescriptor, &size, NULL);
	if (!NT_SUCCESS(st))
		return fail_status(st);
	if (SecurityDescriptorSize)
		*SecurityDescriptorSize = (ULONG)size;
	return TRUE;
}

BOOL
ConvertSecurityDescriptorToStringSecurityDescriptorW(PSECURITY_DESCRIPTOR SecurityDescriptor,
						     DWORD RequestedStringSDRevision,
						     SECURITY_INFORMATION SecurityInformation,
						     LPWSTR *StringSecurityDescriptor,
						     PULONG StringSecurityDescriptorLen)
{
	CLEANUP(free_ptr) char *text = NULL;
	NTSTATUS st;

	if (RequestedStringSDRevision != SDDL_REVISION_1)
		return fail(ERROR_UNKNOWN_REVISION);
	if (!IsValidSecurityDescriptor(SecurityDescriptor))
		return FALSE;
	st = sddl_format(SecurityDescriptor, SecurityInformation, &text);
	if (!NT_SUCCESS(st))
		return fail_status(st);
	return give_wide(text, StringSecurityDescriptor, StringSecurityDescriptorLen);
}

BOOL
ConvertSidToStringSidW(PSID Sid, LPWSTR *StringSid)
{
	char text[SID_TEXT_MAX];
	struct sid sid;

	if (!IsValidSid(Sid) || sid_decode(Sid, SECURITY_MAX_SID_SIZE, &sid) == 0)
		return fail(ERROR_INVALID_SID);
	sid_format(&sid, text);
	return give_wide(text, StringSid, NULL);
}

BOOL
ConvertStringSidToSidW(LPCWSTR StringSid, PSID *Sid)
{
	CLEANUP(free_ptr) char *text = StringSid ? wide_utf8(StringSid) : NULL;
	const char *end;
	struct sid sid;

	if (!text || !Sid)
		return fail(ERROR_INVALID_PARAMETER);
	if (!sid_parse(text, &sid, &end) || *end)
		return fail(ERROR_INVALID_SID);
	*Sid = malloc(sid_size(&sid));
	if (!*Sid)
		return fail(ERROR_NOT_ENOUGH_MEMORY);
	memcpy(*Sid, &sid, sid_size(&sid));
	return TRUE;
}

BOOL
IsValidSecurityDescriptor(PSECURITY_DESCRIPTOR SecurityDescriptor)
{
	if (!SecurityDescriptor || !sd_valid(SecurityDescriptor, SD_SIZE_MAX))
		return fail(ERROR_INVALID_SECURITY_DESCR);
	return TRUE;
}

DWORD
GetSecurityDescriptorLength(PSECURITY_DESCRIPTOR SecurityDescriptor)
{
	return (DWORD)sd_length(SecurityDescriptor);
}

BOOL
GetSecurityDescriptorControl(PSECURITY_DESCRIPTOR SecurityDescriptor,
			     PSECURITY_DESCRIPTOR_CONTROL Control, LPDWORD Revision)
{
	if (!IsValidSecurityDescriptor(SecurityDescriptor))
		return FALSE;
	*Control = sd_control(SecurityDescriptor);
	*Revision = SECURITY_DESCRIPTOR_REVISION;
	return TRUE;
}

/* The parts lie in the descriptor at the offsets of its header. */
static PVOID
part_at(PSECURITY_DESCRIPTOR sd, DWORD offset)
{
	return offset ? (uint8_t *)sd + offset : NULL;
}

BOOL
GetSecurityDescriptorOwner(PSECURITY_DESCRIPTOR SecurityDescriptor, PSID *Owner,
			   LPBOOL OwnerDefaulted)
{
	const SECURITY_DESCRIPTOR_RELATIVE *sd = SecurityDescriptor;

	if (!IsValidSecurityDescriptor(SecurityDescriptor))
		return FALSE;
	*Owner = part_at(SecurityDescriptor, sd->Owner);
	*OwnerDefaulted = (sd->Control & SE_OWNER_DEFAULTED) != 0;
	return TRUE;
}

BOOL
GetSecurityDescriptorGroup(PSECURITY_DESCRIPTOR SecurityDescriptor, PSID *Group,
			   LPBOOL GroupDefaulted)
{
	const SECURITY_DESCRIPTOR_RELATIVE *sd = SecurityDescriptor;

	if (!IsValidSecurityDescriptor(SecurityDescriptor))
		return FALSE;
	*Group = part_at(SecurityDescriptor, sd->Group);
	*GroupDefaulted = (sd->Control & SE_GROUP_DEFAULTED) != 0;
	return TRUE;
}

static void
give_acl(PSECURITY_DESCRIPTOR sd, DWORD offset, uint16_t present, uint16_t defaulted,
	 LPBOOL ret_present, PACL *ret_acl, LPBOOL ret_defaulted)
{
	*ret_present = (sd_control(sd) & present) != 0;
	if (!*ret_present)
		return;
	*ret_acl = part_at(sd, offset);
	*ret_defaulted = (sd_control(sd) & defaulted) != 0;
}

BOOL
GetSecurityDescriptorDacl(PSECURITY_DESCRIPTOR SecurityDescriptor, LPBOOL DaclPresent,
			  PACL *Dacl, LPBOOL DaclDefaulted)
{
	if (!IsValidSecurityDescriptor(SecurityDescriptor))
		return FALSE;
	give_acl(SecurityDescriptor,
		 ((const SECURITY_DESCRIPTOR_RELATIVE *)SecurityDescriptor)->Dacl,
		 SE_DACL_PRESENT, SE_DACL_DEFAULTED, DaclPresent, Dacl, DaclDefaulted);
	return TRUE;
}

BOOL
GetSecurityDescriptorSacl(PSECURITY_DESCRIPTOR SecurityDescriptor, LPBOOL SaclPresent,
			  PACL *Sacl, LPBOOL SaclDefaulted)
{
	if (!IsValidSecurityDescriptor(SecurityDescriptor))
		return FALSE;
	give_acl(SecurityDescriptor,
		 ((const SECURITY_DESCRIPTOR_RELATIVE *)SecurityDescriptor)->Sacl,
		 SE_SACL_PRESENT, SE_SACL_DEFAULTED, SaclPresent, Sacl, SaclDefaulted);
	return TRUE;
}

BOOL
IsValidSid(PSID Sid)
{
	struct sid sid;

	if (!Sid || sid_decode(Sid, SECURITY_MAX_SID_SIZE, &sid) == 0)
		return fail(ERROR_INVALID_SID);
	return TRUE;
}

BOOL
EqualSid(PSID Sid1, PSID Sid2)
{
	struct sid a, b;

	return sid_decode(Sid1, SECURITY_MAX_SID_SIZE, &a) > 0 &&
	       sid_decode(Sid2, SECURITY_MAX_SID_SIZE, &b) > 0 && sid_equal(&a, &b);
}

DWORD
GetLengthSid(PSID Sid)
{
	return 8 + 4 * (DWORD)((const SID *)Sid)->SubAuthorityCount;
}
