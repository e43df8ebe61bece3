/* Descriptors made and freed for file systems: thin over fs/security. */
#include "api/winfsp/priv.h"

#include <stdlib.h>
#include "fs/security/sd.h"
#include "fs/security/token.h"

/* A descriptor of a program is trusted for its length only as far as its own offsets go. */
static bool
sd_is_sound(PSECURITY_DESCRIPTOR sd)
{
	return sd && sd_valid(sd, SD_SIZE_MAX);
}

NTSTATUS
FspCreateSecurityDescriptor(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request,
			    PSECURITY_DESCRIPTOR ParentDescriptor,
			    PSECURITY_DESCRIPTOR *PSecurityDescriptor)
{
	const FSP_FSCTL_TRANSACT_BUF *sd = &Request->Req.Create.SecurityDescriptor;
	struct token *token;
	size_t size;

	*PSecurityDescriptor = NULL;
	if (Request->Kind != FspFsctlTransactCreateKind)
		return STATUS_INVALID_PARAMETER;
	if (Request->Req.Create.NamedStream)
		return STATUS_SUCCESS;
	token = token_from_handle((uint32_t)Request->Req.Create.AccessToken);
	if (!token)
		return STATUS_BAD_IMPERSONATION_LEVEL;
	return sd_inherit(ParentDescriptor, sd->Size ? Request->Buffer + sd->Offset : NULL,
			  Request->Req.Create.CreateOptions & FILE_DIRECTORY_FILE, token,
			  PSecurityDescriptor, &size);
}

NTSTATUS
FspSetSecurityDescriptor(PSECURITY_DESCRIPTOR InputDescriptor,
			 SECURITY_INFORMATION SecurityInformation,
			 PSECURITY_DESCRIPTOR ModificationDescriptor,
			 PSECURITY_DESCRIPTOR *PSecurityDescriptor)
{
	size_t size;

	*PSecurityDescriptor = NULL;
	if (!InputDescriptor)
		return STATUS_NO_SECURITY_ON_OBJECT;
	if (!sd_is_sound(InputDescriptor) || !sd_is_sound(ModificationDescriptor))
		return STATUS_INVALID_SECURITY_DESCR;
	return sd_modify(InputDescriptor, SecurityInformation, ModificationDescriptor,
			 PSecurityDescriptor, &size);
}

/* CreateFunc tells, where memory comes from different heaps, which one; here it is one heap. */
VOID
FspDeleteSecurityDescriptor(PSECURITY_DESCRIPTOR SecurityDescriptor, FSP_CREATE_FUNC CreateFunc)
{
	free(SecurityDescriptor);
}
