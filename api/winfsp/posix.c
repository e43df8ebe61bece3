/* uid, gid and mode <-> SIDs and descriptors: thin over fs/security. */
#include "api/winfsp/priv.h"

#include <stdlib.h>
#include <string.h>
#include "fs/security/posix_map.h"
#include "fs/security/sd.h"

enum { OVERRIDES_MAX = 8 };

static bool
sid_read(PSID Sid, struct sid *ret_sid)
{
	return Sid && sid_decode(Sid, SECURITY_MAX_SID_SIZE, ret_sid) > 0;
}

NTSTATUS
FspPosixSetUidMap(UINT32 Uid[], PSID Sid[], ULONG Count)
{
	struct sid sids[OVERRIDES_MAX];

	if (Count > OVERRIDES_MAX)
		return STATUS_INVALID_PARAMETER;
	for (ULONG i = 0; i < Count; i++)
		if (!sid_read(Sid[i], &sids[i]))
			return STATUS_INVALID_SID;
	return posix_map_set_overrides(Uid, sids, Count);
}

NTSTATUS
FspPosixMapUidToSid(UINT32 Uid, PSID *PSid)
{
	struct sid sid = posix_sid_from_uid(Uid);
	void *copy = malloc(sid_size(&sid));

	*PSid = copy;
	if (!copy)
		return STATUS_INSUFFICIENT_RESOURCES;
	memcpy(copy, &sid, sid_size(&sid));
	return STATUS_SUCCESS;
}

NTSTATUS
FspPosixMapSidToUid(PSID Sid, PUINT32 PUid)
{
	struct sid sid;

	if (!sid_read(Sid, &sid))
		return STATUS_INVALID_SID;
	*PUid = posix_uid_from_sid(&sid);
	return STATUS_SUCCESS;
}

VOID
FspDeleteSid(PSID Sid, FSP_CREATE_FUNC CreateFunc)
{
	free(Sid);
}

NTSTATUS
FspPosixMapPermissionsToSecurityDescriptor(UINT32 Uid, UINT32 Gid, UINT32 Mode,
					   PSECURITY_DESCRIPTOR *PSecurityDescriptor)
{
	size_t size;

	*PSecurityDescriptor = NULL;
	return posix_sd_from_mode(Uid, Gid, Mode, PSecurityDescriptor, &size);
}

NTSTATUS
FspPosixMergePermissionsToSecurityDescriptor(UINT32 Uid, UINT32 Gid, UINT32 Mode,
					     PSECURITY_DESCRIPTOR ExistingSecurityDescriptor,
					     PSECURITY_DESCRIPTOR *PSecurityDescriptor)
{
	size_t size;

	*PSecurityDescriptor = NULL;
	if (ExistingSecurityDescriptor && !sd_valid(ExistingSecurityDescriptor, SD_SIZE_MAX))
		return STATUS_INVALID_SECURITY_DESCR;
	return posix_sd_merge(Uid, Gid, Mode, ExistingSecurityDescriptor, PSecurityDescriptor,
			      &size);
}

/* The lowest address bit says that the part may be missing. */
static PUINT32
without_mark(PUINT32 p, bool *ret_optional)
{
	*ret_optional = (uintptr_t)p & 1;
	return (PUINT32)((uintptr_t)p & ~(uintptr_t)1);
}

NTSTATUS
FspPosixMapSecurityDescriptorToPermissions(PSECURITY_DESCRIPTOR SecurityDescriptor,
					   PUINT32 PUid, PUINT32 PGid, PUINT32 PMode)
{
	bool uid_optional, gid_optional;
	PUINT32 uid = without_mark(PUid, &uid_optional), gid = without_mark(PGid, &gid_optional);
	struct posix_perms perms;

	if (!SecurityDescriptor || !sd_valid(SecurityDescriptor, SD_SIZE_MAX))
		return STATUS_INVALID_SECURITY_DESCR;
	perms = posix_perms_from_sd(SecurityDescriptor);
	if ((!perms.has_owner && !uid_optional) || (!perms.has_group && !gid_optional))
		return STATUS_INVALID_SECURITY_DESCR;
	if (perms.has_owner && uid)
		*uid = perms.uid;
	if (perms.has_group && gid)
		*gid = perms.gid;
	*PMode = perms.mode;
	return STATUS_SUCCESS;
}
