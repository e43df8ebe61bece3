/* Default handlers of requests on open files: data, information, deletion, renaming. */
#include "api/winfsp/priv.h"

#include <stdlib.h>
#include <string.h>
#include "fs/security/token.h"

/* Answers with the FileInfo that most requests return. */
static NTSTATUS
answer_info(FSP_FSCTL_TRANSACT_RSP *Response, NTSTATUS st, const FSP_FSCTL_FILE_INFO *info)
{
	if (st == STATUS_SUCCESS)
		Response->Rsp.QueryInformation.FileInfo = *info;
	return st;
}

NTSTATUS
FspFileSystemOpOverwrite(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request,
			 FSP_FSCTL_TRANSACT_RSP *Response)
{
	const FSP_FILE_SYSTEM_INTERFACE *interface = FileSystem->Interface;
	const FSP_FSCTL_TRANSACT_BUF *ea = &Request->Req.Overwrite.Ea;
	PVOID context = fsp_context(FileSystem, Request);
	FSP_FSCTL_FILE_INFO info = {0};
	NTSTATUS st;

	if (interface->OverwriteEx)
		st = interface->OverwriteEx(
			FileSystem, context, Request->Req.Overwrite.FileAttributes,
			Request->Req.Overwrite.Supersede, Request->Req.Overwrite.AllocationSize,
			ea->Size ? (PFILE_FULL_EA_INFORMATION)(void *)(Request->Buffer +
								       ea->Offset)
				 : NULL,
			ea->Size, &info);
	else if (interface->Overwrite)
		st = interface->Overwrite(
			FileSystem, context, Request->Req.Overwrite.FileAttributes,
			Request->Req.Overwrite.Supersede, Request->Req.Overwrite.AllocationSize,
			&info);
	else
		return STATUS_INVALID_DEVICE_REQUEST;
	/* The engine sends nothing more for a handle whose overwrite failed. */
	if (!NT_SUCCESS(st) && interface->Close)
		interface->Close(FileSystem, context);
	return answer_info(Response, st, &info);
}

static uint32_t
cleanup_flags(const FSP_FSCTL_TRANSACT_REQ *Request)
{
	return (Request->Req.Cleanup.Delete ? FspCleanupDelete : 0u) |
	       (Request->Req.Cleanup.SetAllocationSize ? FspCleanupSetAllocationSize : 0u) |
	       (Request->Req.Cleanup.SetArchiveBit ? FspCleanupSetArchiveBit : 0u) |
	       (Request->Req.Cleanup.SetLastAccessTime ? FspCleanupSetLastAccessTime : 0u) |
	       (Request->Req.Cleanup.SetLastWriteTime ? FspCleanupSetLastWriteTime : 0u) |
	       (Request->Req.Cleanup.SetChangeTime ? FspCleanupSetChangeTime : 0u);
}

NTSTATUS
FspFileSystemOpCleanup(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request,
		       FSP_FSCTL_TRANSACT_RSP *Response)
{
	if (!FileSystem->Interface->Cleanup)
		return STATUS_INVALID_DEVICE_REQUEST;
	FileSystem->Interface->Cleanup(FileSystem, fsp_context(FileSystem, Request),
				       Request->FileName.Size ? fsp_name(Request) : NULL,
				       cleanup_flags(Request));
	return STATUS_SUCCESS;
}

NTSTATUS
FspFileSystemOpClose(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request,
		     FSP_FSCTL_TRANSACT_RSP *Response)
{
	if (!FileSystem->Interface->Close)
		return STATUS_INVALID_DEVICE_REQUEST;
	FileSystem->Interface->Close(FileSystem, fsp_context(FileSystem, Request));
	return STATUS_SUCCESS;
}

NTSTATUS
FspFileSystemOpRead(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request,
		    FSP_FSCTL_TRANSACT_RSP *Response)
{
	ULONG done = 0;
	NTSTATUS st;

	if (!FileSystem->Interface->Read)
		return STATUS_INVALID_DEVICE_REQUEST;
	st = FileSystem->Interface->Read(FileSystem, fsp_context(FileSystem, Request),
					 (PVOID)(uintptr_t)Request->Req.Read.Address,
					 Request->Req.Read.Offset, Request->Req.Read.Length,
					 &done);
	if (st != STATUS_PENDING)
		Response->IoStatus.Information = NT_SUCCESS(st) ? done : 0;
	return st;
}

NTSTATUS
FspFileSystemOpWrite(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request,
		     FSP_FSCTL_TRANSACT_RSP *Response)
{
	FSP_FSCTL_FILE_INFO info = {0};
	ULONG done = 0;
	NTSTATUS st;

	if (!FileSystem->Interface->Write)
		return STATUS_INVALID_DEVICE_REQUEST;
	st = FileSystem->Interface->Write(
		FileSystem, fsp_context(FileSystem, Request),
		(PVOID)(uintptr_t)Request->Req.Write.Address, Request->Req.Write.Offset,
		Request->Req.Write.Length, Request->Req.Write.Offset == UINT64_MAX,
		Request->Req.Write.ConstrainedIo, &done, &info);
	if (st == STATUS_PENDING)
		return st;
	Response->IoStatus.Information = NT_SUCCESS(st) ? done : 0;
	return answer_info(Response, st, &info);
}

NTSTATUS
FspFileSystemOpQueryInformation(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request,
				FSP_FSCTL_TRANSACT_RSP *Response)
{
	FSP_FSCTL_FILE_INFO info = {0};
	NTSTATUS st;

	if (!FileSystem->Interface->GetFileInfo)
		return STATUS_INVALID_DEVICE_REQUEST;
	st = FileSystem->Interface->GetFileInfo(FileSystem, fsp_context(FileSystem, Request),
						&info);
	return answer_info(Response, st, &info);
}

NTSTATUS
FspFileSystemOpFlushBuffers(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request,
			    FSP_FSCTL_TRANSACT_RSP *Response)
{
	const FSP_FSCTL_TRANSACT_FULL_CONTEXT *ctx = fsp_contexts(Request);
	bool is_volume = ctx->UserContext == 0 && ctx->UserContext2 == 0;
	FSP_FSCTL_FILE_INFO info = {0};
	NTSTATUS st;

	if (!FileSystem->Interface->Flush) {
		if (is_volume)
			return STATUS_SUCCESS;
		return FspFileSystemOpQueryInformation(FileSystem, Request, Response);
	}
	st = FileSystem->Interface->Flush(
		FileSystem, is_volume ? NULL : fsp_context(FileSystem, Request), &info);
	return answer_info(Response, st, &info);
}

/* ---------------------------------------------------------------- set information */

static NTSTATUS
set_basic(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request,
	  FSP_FSCTL_TRANSACT_RSP *Response)
{
	FSP_FSCTL_FILE_INFO info = {0};
	NTSTATUS st;

	if (!FileSystem->Interface->SetBasicInfo)
		return STATUS_INVALID_DEVICE_REQUEST;
	st = FileSystem->Interface->SetBasicInfo(
		FileSystem, fsp_context(FileSystem, Request),
		Request->Req.SetInformation.Info.Basic.FileAttributes,
		Request->Req.SetInformation.Info.Basic.CreationTime,
		Request->Req.SetInformation.Info.Basic.LastAccessTime,
		Request->Req.SetInformation.Info.Basic.LastWriteTime,
		Request->Req.SetInformation.Info.Basic.ChangeTime, &info);
	return answer_info(Response, st, &info);
}

/* The allocation size and the end of file lie at the same place. */
static NTSTATUS
set_size(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request,
	 FSP_FSCTL_TRANSACT_RSP *Response)
{
	bool allocation = Request->Req.SetInformation.FileInformationClass ==
			  FileAllocationInformation;
	FSP_FSCTL_FILE_INFO info = {0};
	NTSTATUS st;

	if (!FileSystem->Interface->SetFileSize)
		return STATUS_INVALID_DEVICE_REQUEST;
	st = FileSystem->Interface->SetFileSize(
		FileSystem, fsp_context(FileSystem, Request),
		Request->Req.SetInformation.Info.EndOfFile.FileSize, allocation, &info);
	return answer_info(Response, st, &info);
}

static bool
is_readonly(FSP_FILE_SYSTEM *FileSystem, PVOID context)
{
	FSP_FSCTL_FILE_INFO info = {0};

	return FileSystem->Interface->GetFileInfo &&
	       FileSystem->Interface->GetFileInfo(FileSystem, context, &info) ==
		       STATUS_SUCCESS &&
	       info.FileAttributes & FILE_ATTRIBUTE_READONLY;
}

static NTSTATUS
set_disposition(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request,
		FSP_FSCTL_TRANSACT_RSP *Response)
{
	const FSP_FILE_SYSTEM_INTERFACE *interface = FileSystem->Interface;
	PVOID context = fsp_context(FileSystem, Request);
	uint32_t flags = Request->Req.SetInformation.Info.DispositionEx.Flags;
	bool deletes;

	if (Request->Req.SetInformation.FileInformationClass == FileDispositionInformation)
		flags = Request->Req.SetInformation.Info.Disposition.Delete
				? FILE_DISPOSITION_DELETE
				: 0;
	deletes = flags & FILE_DISPOSITION_DELETE;
	if (deletes && !(flags & FILE_DISPOSITION_IGNORE_READONLY_ATTRIBUTE) &&
	    is_readonly(FileSystem, context))
		return STATUS_CANNOT_DELETE;
	if (interface->SetDelete)
		return interface->SetDelete(FileSystem, context, fsp_name(Request), deletes);
	if (!deletes)
		return STATUS_SUCCESS;
	if (interface->CanDelete)
		return interface->CanDelete(FileSystem, context, fsp_name(Request));
	return STATUS_INVALID_DEVICE_REQUEST;
}

/*
 * May the caller replace what has the new name? Asked as an open of that name for deletion would
 * be, so that READONLY and the parent's rights count as they do there.
 */
static NTSTATUS
check_replace(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request, uint32_t flags,
	      uint64_t access_token, PCWSTR name, uint16_t name_size)
{
	struct token *token = token_from_handle((uint32_t)access_token);
	bool may_all = token && token_privileges(token) & TOKEN_RESTORE;
	bool readonly_counts = !(flags & FILE_RENAME_IGNORE_READONLY_ATTRIBUTE);
	CLEANUP(free_ptr) FSP_FSCTL_TRANSACT_REQ *open = calloc(1, sizeof(*open) + name_size);
	uint32_t granted;
	NTSTATUS st;

	if (!open)
		return STATUS_INSUFFICIENT_RESOURCES;
	open->Size = (UINT16)(sizeof(*open) + name_size);
	open->Kind = FspFsctlTransactCreateKind;
	open->Req.Create.CreateOptions = FILE_OPEN << 24 | FILE_OPEN_REPARSE_POINT |
					 (readonly_counts ? FILE_DELETE_ON_CLOSE : 0);
	open->Req.Create.AccessToken = access_token;
	open->Req.Create.UserMode = 1;
	open->Req.Create.HasTraversePrivilege = 1;
	open->FileName.Size = name_size;
	memcpy(open->Buffer, name, name_size);
	st = FspAccessCheck(FileSystem, open, FALSE, FALSE, may_all ? 0 : DELETE, &granted);
	return fsp_is_missing(st) || st == STATUS_REPARSE ? STATUS_SUCCESS : st;
}

static NTSTATUS
set_rename(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request,
	   FSP_FSCTL_TRANSACT_RSP *Response)
{
	bool is_ex =
		Request->Req.SetInformation.FileInformationClass == FileRenameInformationEx;
	const FSP_FSCTL_TRANSACT_BUF *buf =
		&Request->Req.SetInformation.Info.Rename.NewFileName;
	PWSTR name = (PWSTR)(void *)(Request->Buffer + buf->Offset);
	uint64_t token = Request->Req.SetInformation.Info.Rename.AccessToken;
	uint32_t flags = is_ex ? Request->Req.SetInformation.Info.RenameEx.Flags : 0;
	NTSTATUS st = STATUS_SUCCESS;

	if (!FileSystem->Interface->Rename)
		return STATUS_INVALID_DEVICE_REQUEST;
	/* A token comes only with the wish to replace. */
	if (token)
		st = check_replace(FileSystem, Request, flags, token, name, buf->Size);
	if (!NT_SUCCESS(st))
		return st;
	return FileSystem->Interface->Rename(FileSystem, fsp_context(FileSystem, Request),
					     fsp_name(Request), name, token != 0);
}

NTSTATUS
FspFileSystemOpSetInformation(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request,
			      FSP_FSCTL_TRANSACT_RSP *Response)
{
	switch (Request->Req.SetInformation.FileInformationClass) {
	case FileBasicInformation:
		return set_basic(FileSystem, Request, Response);
	case FileAllocationInformation:
	case FileEndOfFileInformation:
		return set_size(FileSystem, Request, Response);
	case FileDispositionInformation:
	case FileDispositionInformationEx:
		return set_disposition(FileSystem, Request, Response);
	case FileRenameInformation:
	case FileRenameInformationEx:
		return set_rename(FileSystem, Request, Response);
	default:
		return STATUS_INVALID_DEVICE_REQUEST;
	}
}
