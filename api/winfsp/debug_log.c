/*
 * The debug log: one line per request and per response of the kinds that are turned on.
 *
 *	NAME[TID=xxxx]: HINT: >>Kind …     a request
 *	NAME[TID=xxxx]: HINT: <<Kind IoStatus=STATUS[INFORMATION] …
 */
#include "api/winfsp/priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "api/common/trace.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/text/names.h"
#include "fs/security/sd.h"
#include "fs/walk.h"

enum { LINK_UNITS_SHOWN = 64, TIME_TEXT = 96 };

static const char *const kind_names[] = {
	[FspFsctlTransactReservedKind] = "RESERVED",
	[FspFsctlTransactCreateKind] = "Create",
	[FspFsctlTransactOverwriteKind] = "Overwrite",
	[FspFsctlTransactCleanupKind] = "Cleanup",
	[FspFsctlTransactCloseKind] = "Close",
	[FspFsctlTransactReadKind] = "Read",
	[FspFsctlTransactWriteKind] = "Write",
	[FspFsctlTransactQueryInformationKind] = "QueryInformation",
	[FspFsctlTransactSetInformationKind] = "SetInformation",
	[FspFsctlTransactQueryEaKind] = "QueryEa",
	[FspFsctlTransactSetEaKind] = "SetEa",
	[FspFsctlTransactFlushBuffersKind] = "FlushBuffers",
	[FspFsctlTransactQueryVolumeInformationKind] = "QueryVolumeInformation",
	[FspFsctlTransactSetVolumeInformationKind] = "SetVolumeInformation",
	[FspFsctlTransactQueryDirectoryKind] = "QueryDirectory",
	[FspFsctlTransactFileSystemControlKind] = "FileSystemControl",
	[FspFsctlTransactDeviceControlKind] = "DeviceControl",
	[FspFsctlTransactShutdownKind] = "Shutdown",
	[FspFsctlTransactLockControlKind] = "LockControl",
	[FspFsctlTransactQuerySecurityKind] = "QuerySecurity",
	[FspFsctlTransactSetSecurityKind] = "SetSecurity",
	[FspFsctlTransactQueryStreamInformationKind] = "QueryStreamInformation",
	[FS_KIND_LINK] = "Link",
	[FS_KIND_QUERY_RANGES] = "QueryRanges",
	[FS_KIND_ALLOCATE] = "Allocate",
	[FS_KIND_COPY_RANGE] = "CopyRange",
	[FS_KIND_BACKING] = "Backing",
	[FS_KIND_QUERY_BY_NAME] = "QueryByName",
	[FS_KIND_RENAME_POSIX] = "RenamePosix",
};

VOID
FspDebugLogSetHandle(HANDLE Handle)
{
	trace_set_fd((int)(intptr_t)Handle);
}

VOID
FspDebugLog(const char *Format, ...)
{
	va_list ap;

	va_start(ap, Format);
	trace_vprintf(Format, ap);
	va_end(ap);
}

/* Format is the program's own and holds one %s: nothing else in it is obeyed. */
static void
log_with(const char *format, const char *text)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT;
	const char *at = strstr(format, "%s");

	if (!at)
		at = format + strlen(format);
	buf_add(&b, format, (size_t)(at - format));
	buf_printf(&b, "%s%s", text, *at ? at + 2 : "");
	trace_buf(&b);
}

static void
add_sd(struct buf *b, const void *sd)
{
	const uint32_t all = SD_OWNER | SD_GROUP | SD_DACL | SD_SACL;
	CLEANUP(free_ptr) char *text = NULL;

	if (!sd)
		buf_printf(b, "NULL");
	else if (!sd_valid(sd, SD_SIZE_MAX) || sddl_format(sd, all, &text) != STATUS_SUCCESS)
		buf_printf(b, "INVALID");
	else
		buf_printf(b, "\"%s\"", text);
}

VOID
FspDebugLogSD(const char *Format, PSECURITY_DESCRIPTOR SecurityDescriptor)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT;

	add_sd(&b, SecurityDescriptor);
	log_with(Format, buf_str(&b));
}

VOID
FspDebugLogSid(const char *Format, PSID Sid)
{
	char text[SID_TEXT_MAX] = "NULL";
	struct sid sid;

	if (Sid && sid_decode(Sid, SECURITY_MAX_SID_SIZE, &sid) > 0)
		sid_format(&sid, text);
	else if (Sid)
		snprintf(text, sizeof(text), "INVALID");
	log_with(Format, text);
}

static void
format_time(uint64_t filetime, char dst[TIME_TEXT])
{
	struct timespec ts = timespec_from_filetime(filetime);
	struct tm tm;

	if (filetime == 0)
		snprintf(dst, TIME_TEXT, "0");
	else if (filetime > INT64_MAX || !gmtime_r(&ts.tv_sec, &tm))
		snprintf(dst, TIME_TEXT, "INVALID");
	else
		snprintf(dst, TIME_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900,
			 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
			 (int)(ts.tv_nsec / 1000000));
}

VOID
FspDebugLogFT(const char *Format, PFILETIME FileTime)
{
	char text[TIME_TEXT];

	format_time((uint64_t)FileTime->dwHighDateTime << 32 | FileTime->dwLowDateTime, text);
	log_with(Format, text);
}

/* ---------------------------------------------------------------- pieces of lines */

static void
add_u64(struct buf *b, uint64_t v)
{
	buf_printf(b, "%x:%x", (uint32_t)(v >> 32), (uint32_t)v);
}

static void
add_wide(struct buf *b, const void *units, size_t n)
{
	CLEANUP(free_ptr) uint16_t *copy = calloc(n + 1, sizeof(*copy));
	CLEANUP(free_ptr) char *utf8 = NULL;

	if (copy)
		memcpy(copy, units, n * sizeof(*copy));
	if (!copy || utf8_from_utf16(copy, &utf8) < 0)
		utf8 = NULL;
	buf_printf(b, "\"%s\"", utf8 ? utf8 : "?");
}

/* A name in a message, without the NUL that counts. */
static void
add_name(struct buf *b, const uint8_t *buffer, FSP_FSCTL_TRANSACT_BUF name)
{
	size_t n = name.Size / sizeof(WCHAR);

	if (n == 0) {
		buf_printf(b, "NULL");
		return;
	}
	add_wide(b, buffer + name.Offset, n - 1);
}

static void
add_contexts(struct buf *b, uint64_t user_context, uint64_t user_context2)
{
	add_u64(b, user_context);
	if (user_context2) {
		buf_printf(b, ":");
		add_u64(b, user_context2);
	}
}

static void
add_time(struct buf *b, const char *label, uint64_t filetime)
{
	char text[TIME_TEXT];

	format_time(filetime, text);
	buf_printf(b, "%s%s", label, text);
}

static void
add_file_info(struct buf *b, const FSP_FSCTL_FILE_INFO *info)
{
	buf_printf(b, "{FileAttributes=%x, ReparseTag=%x, AllocationSize=", info->FileAttributes,
		   info->ReparseTag);
	add_u64(b, info->AllocationSize);
	buf_printf(b, ", FileSize=");
	add_u64(b, info->FileSize);
	add_time(b, ", CreationTime=", info->CreationTime);
	add_time(b, ", LastAccessTime=", info->LastAccessTime);
	add_time(b, ", LastWriteTime=", info->LastWriteTime);
	add_time(b, ", ChangeTime=", info->ChangeTime);
	buf_printf(b, ", IndexNumber=");
	add_u64(b, info->IndexNumber);
	buf_printf(b, "}");
}

static void
add_volume_info(struct buf *b, const FSP_FSCTL_VOLUME_INFO *info)
{
	size_t size = MIN((size_t)info->VolumeLabelLength, sizeof(info->VolumeLabel));

	buf_printf(b, "{TotalSize=");
	add_u64(b, info->TotalSize);
	buf_printf(b, ", FreeSize=");
	add_u64(b, info->FreeSize);
	buf_printf(b, ", VolumeLabel=");
	add_wide(b, info->VolumeLabel, size / sizeof(WCHAR));
	buf_printf(b, "}");
}

static void
add_link(struct buf *b, const char *label, const uint16_t *units, size_t n)
{
	buf_printf(b, "%s", label);
	add_wide(b, units, MIN(n, (size_t)LINK_UNITS_SHOWN));
}

static void
add_reparse(struct buf *b, const void *data, uint32_t size)
{
	const REPARSE_DATA_BUFFER *reparse = data;
	struct fs_symlink link;

	if (size < REPARSE_DATA_BUFFER_HEADER_SIZE) {
		buf_printf(b, "{}");
		return;
	}
	buf_printf(b, "{ReparseTag=%x", reparse->ReparseTag);
	if ((reparse->ReparseTag == IO_REPARSE_TAG_SYMLINK ||
	     reparse->ReparseTag == IO_REPARSE_TAG_MOUNT_POINT) &&
	    fs_reparse_check(data, size) == STATUS_SUCCESS &&
	    fs_reparse_symlink(data, size, &link)) {
		add_link(b, ", SubstituteName=", link.substitute, link.n_substitute);
		add_link(b, ", PrintName=", link.print, link.n_print);
	} else {
		buf_printf(b, ", ReparseDataLength=%u", reparse->ReparseDataLength);
	}
	if (!IsReparseTagMicrosoft(reparse->ReparseTag) &&
	    size >= REPARSE_GUID_DATA_BUFFER_HEADER_SIZE) {
		const GUID *g = &((const REPARSE_GUID_DATA_BUFFER *)data)->ReparseGuid;

		buf_printf(b,
			   ", Guid={%08x-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x}",
			   g->Data1, g->Data2, g->Data3, g->Data4[0], g->Data4[1], g->Data4[2],
			   g->Data4[3], g->Data4[4], g->Data4[5], g->Data4[6], g->Data4[7]);
	}
	buf_printf(b, "}");
}

static void
line_begin(struct buf *b, uint64_t hint, const char *arrow, uint32_t kind)
{
	trace_begin(b, hint, arrow, kind < ARRAY_SIZE(kind_names) ? kind_names[kind] : NULL);
}

/* ---------------------------------------------------------------- requests */

static const char *
disposition_name(uint32_t disposition)
{
	static const char *const names[] = {"FILE_SUPERSEDE", "FILE_OPEN",
					    "FILE_CREATE",    "FILE_OPEN_IF",
					    "FILE_OVERWRITE", "FILE_OVERWRITE_IF"};

	return disposition < ARRAY_SIZE(names) ? names[disposition] : "INVALID";
}

static void
request_create(struct buf *b, FSP_FSCTL_TRANSACT_REQ *r)
{
	FSP_FSCTL_TRANSACT_BUF sd = r->Req.Create.SecurityDescriptor;

	buf_printf(b, " [%c%c%c%c%c%c] ", r->Req.Create.UserMode ? 'U' : 'K',
		   r->Req.Create.HasTraversePrivilege ? 'T' : '-',
		   r->Req.Create.HasBackupPrivilege ? 'B' : '-',
		   r->Req.Create.HasRestorePrivilege ? 'R' : '-',
		   r->Req.Create.OpenTargetDirectory ? 'D' : '-',
		   r->Req.Create.CaseSensitive ? 'C' : '-');
	add_name(b, r->Buffer, r->FileName);
	buf_printf(b, ", %s, CreateOptions=%x, FileAttributes=%x, Security=",
		   disposition_name(r->Req.Create.CreateOptions >> 24),
		   r->Req.Create.CreateOptions & 0xffffffu, r->Req.Create.FileAttributes);
	add_sd(b, sd.Size ? r->Buffer + sd.Offset : NULL);
	buf_printf(b, ", AllocationSize=");
	add_u64(b, r->Req.Create.AllocationSize);
	buf_printf(b,
		   ", AccessToken=%x[PID=%x], DesiredAccess=%x, GrantedAccess=%x, ShareAccess=%x",
		   (uint32_t)r->Req.Create.AccessToken,
		   FSP_FSCTL_TRANSACT_REQ_TOKEN_PID(r->Req.Create.AccessToken),
		   r->Req.Create.DesiredAccess, r->Req.Create.GrantedAccess,
		   r->Req.Create.ShareAccess);
}

static void
request_set_info(struct buf *b, FSP_FSCTL_TRANSACT_REQ *r)
{
	switch (r->Req.SetInformation.FileInformationClass) {
	case FileBasicInformation:
		buf_printf(b, " [Basic] FileAttributes=%x",
			   r->Req.SetInformation.Info.Basic.FileAttributes);
		add_time(b, ", CreationTime=", r->Req.SetInformation.Info.Basic.CreationTime);
		add_time(b, ", LastAccessTime=", r->Req.SetInformation.Info.Basic.LastAccessTime);
		add_time(b, ", LastWriteTime=", r->Req.SetInformation.Info.Basic.LastWriteTime);
		add_time(b, ", ChangeTime=", r->Req.SetInformation.Info.Basic.ChangeTime);
		break;
	case FileAllocationInformation:
		buf_printf(b, " [Allocation] AllocationSize=");
		add_u64(b, r->Req.SetInformation.Info.Allocation.AllocationSize);
		break;
	case FileEndOfFileInformation:
		buf_printf(b, " [EndOfFile] FileSize=");
		add_u64(b, r->Req.SetInformation.Info.EndOfFile.FileSize);
		break;
	case FileDispositionInformation:
		buf_printf(b, " [Disposition] %s",
			   r->Req.SetInformation.Info.Disposition.Delete ? "Delete" : "Undelete");
		break;
	case FileDispositionInformationEx:
		buf_printf(b, " [DispositionEx] Flags=%x",
			   r->Req.SetInformation.Info.DispositionEx.Flags);
		break;
	case FileRenameInformation:
	case FileRenameInformationEx:
		if (r->Req.SetInformation.FileInformationClass == FileRenameInformationEx)
			buf_printf(b, " [RenameEx] Flags=%x, NewFileName=",
				   r->Req.SetInformation.Info.RenameEx.Flags);
		else
			buf_printf(b, " [Rename] NewFileName=");
		add_name(b, r->Buffer, r->Req.SetInformation.Info.Rename.NewFileName);
		buf_printf(b, ", AccessToken=%x",
			   (uint32_t)r->Req.SetInformation.Info.Rename.AccessToken);
		break;
	default:
		buf_printf(b, " [INVALID]");
	}
}

static void
request_rw(struct buf *b, FSP_FSCTL_TRANSACT_REQ *r)
{
	buf_printf(b, " %sOffset=",
		   r->Kind == FspFsctlTransactWriteKind && r->Req.Write.ConstrainedIo
			   ? "[C] "
			   : "");
	add_u64(b, r->Req.Read.Offset);
	buf_printf(b, ", Length=%x, Key=%x", r->Req.Read.Length, r->Req.Read.Key);
}

static void
request_directory(struct buf *b, FSP_FSCTL_TRANSACT_REQ *r)
{
	buf_printf(b, " [%c%c] Pattern=", r->Req.QueryDirectory.CaseSensitive ? 'C' : '-',
		   r->Req.QueryDirectory.PatternIsFileName ? 'F' : '-');
	add_name(b, r->Buffer, r->Req.QueryDirectory.Pattern);
	buf_printf(b, ", Marker=");
	add_name(b, r->Buffer, r->Req.QueryDirectory.Marker);
	buf_printf(b, ", Length=%x", r->Req.QueryDirectory.Length);
}

static void
request_control(struct buf *b, FSP_FSCTL_TRANSACT_REQ *r)
{
	FSP_FSCTL_TRANSACT_BUF buf = r->Req.FileSystemControl.Buffer;

	buf_printf(b, " Code=%x", r->Req.FileSystemControl.FsControlCode);
	if (r->Kind == FspFsctlTransactFileSystemControlKind && buf.Size) {
		buf_printf(b, ", ");
		add_reparse(b, r->Buffer + buf.Offset, buf.Size);
	}
}

static void
request_security(struct buf *b, FSP_FSCTL_TRANSACT_REQ *r)
{
	FSP_FSCTL_TRANSACT_BUF sd = r->Req.SetSecurity.SecurityDescriptor;

	buf_printf(b, " SecurityInformation=%x, Security=",
		   r->Req.SetSecurity.SecurityInformation);
	add_sd(b, sd.Size ? r->Buffer + sd.Offset : NULL);
}

static void
request_overwrite(struct buf *b, FSP_FSCTL_TRANSACT_REQ *r)
{
	buf_printf(b, " %sFileAttributes=%x, AllocationSize=",
		   r->Req.Overwrite.Supersede ? "[S] " : "", r->Req.Overwrite.FileAttributes);
	add_u64(b, r->Req.Overwrite.AllocationSize);
}

static void
request_cleanup(struct buf *b, FSP_FSCTL_TRANSACT_REQ *r)
{
	buf_printf(b, " [%c%c%c%c%c%c]", r->Req.Cleanup.Delete ? 'D' : '-',
		   r->Req.Cleanup.SetAllocationSize ? 'S' : '-',
		   r->Req.Cleanup.SetArchiveBit ? 'A' : '-',
		   r->Req.Cleanup.SetLastAccessTime ? 'a' : '-',
		   r->Req.Cleanup.SetLastWriteTime ? 'w' : '-',
		   r->Req.Cleanup.SetChangeTime ? 'c' : '-');
}

static void
request_set_volume(struct buf *b, FSP_FSCTL_TRANSACT_REQ *r)
{
	buf_printf(b, " FsInformationClass=%u, VolumeLabel=",
		   r->Req.SetVolumeInformation.FsInformationClass);
	add_name(b, r->Buffer, r->Req.SetVolumeInformation.Info.Label.VolumeLabel);
}

static void (*const request_details[FspFsctlTransactKindCount])(struct buf *b,
								FSP_FSCTL_TRANSACT_REQ *r) = {
	[FspFsctlTransactCreateKind] = request_create,
	[FspFsctlTransactOverwriteKind] = request_overwrite,
	[FspFsctlTransactCleanupKind] = request_cleanup,
	[FspFsctlTransactReadKind] = request_rw,
	[FspFsctlTransactWriteKind] = request_rw,
	[FspFsctlTransactSetInformationKind] = request_set_info,
	[FspFsctlTransactSetVolumeInformationKind] = request_set_volume,
	[FspFsctlTransactQueryDirectoryKind] = request_directory,
	[FspFsctlTransactFileSystemControlKind] = request_control,
	[FspFsctlTransactDeviceControlKind] = request_control,
	[FspFsctlTransactSetSecurityKind] = request_security,
};

static bool
has_contexts(uint32_t kind)
{
	return kind != FspFsctlTransactCreateKind &&
	       kind != FspFsctlTransactQueryVolumeInformationKind &&
	       kind != FspFsctlTransactSetVolumeInformationKind &&
	       kind != FS_KIND_QUERY_BY_NAME;
}

VOID
FspDebugLogRequest(FSP_FSCTL_TRANSACT_REQ *Request)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT;

	line_begin(&b, Request->Hint, ">>", Request->Kind);
	if (has_contexts(Request->Kind)) {
		const FSP_FSCTL_TRANSACT_FULL_CONTEXT *ctx = fsp_contexts(Request);

		buf_printf(&b, " ");
		if (Request->FileName.Size) {
			add_name(&b, Request->Buffer, Request->FileName);
			buf_printf(&b, " ");
		}
		add_contexts(&b, ctx->UserContext, ctx->UserContext2);
	}
	if (Request->Kind < ARRAY_SIZE(request_details) && request_details[Request->Kind])
		request_details[Request->Kind](&b, Request);
	buf_printf(&b, "\n");
	trace_buf(&b);
}

/* ---------------------------------------------------------------- responses */

static void
response_create(struct buf *b, FSP_FSCTL_TRANSACT_RSP *r)
{
	if ((NTSTATUS)r->IoStatus.Status == STATUS_REPARSE) {
		FSP_FSCTL_TRANSACT_BUF buf = r->Rsp.Create.Reparse.Buffer;

		buf_printf(b, " ");
		add_reparse(b, r->Buffer + buf.Offset, buf.Size);
		return;
	}
	buf_printf(b, " UserContext=");
	add_contexts(b, r->Rsp.Create.Opened.UserContext, r->Rsp.Create.Opened.UserContext2);
	buf_printf(b, ", GrantedAccess=%x, FileInfo=", r->Rsp.Create.Opened.GrantedAccess);
	add_file_info(b, &r->Rsp.Create.Opened.FileInfo);
}

static void
response_details(struct buf *b, FSP_FSCTL_TRANSACT_RSP *r)
{
	switch (r->Kind) {
	case FspFsctlTransactCreateKind:
		response_create(b, r);
		break;
	case FspFsctlTransactOverwriteKind:
	case FspFsctlTransactWriteKind:
	case FspFsctlTransactQueryInformationKind:
	case FspFsctlTransactSetInformationKind:
	case FspFsctlTransactFlushBuffersKind:
	case FspFsctlTransactSetEaKind:
		buf_printf(b, " FileInfo=");
		add_file_info(b, &r->Rsp.QueryInformation.FileInfo);
		break;
	case FspFsctlTransactQueryVolumeInformationKind:
	case FspFsctlTransactSetVolumeInformationKind:
		buf_printf(b, " VolumeInfo=");
		add_volume_info(b, &r->Rsp.QueryVolumeInformation.VolumeInfo);
		break;
	case FspFsctlTransactQuerySecurityKind:
		buf_printf(b, " Security=");
		add_sd(b, r->Rsp.QuerySecurity.SecurityDescriptor.Size ? r->Buffer : NULL);
		break;
	default:
		break;
	}
}

VOID
FspDebugLogResponse(FSP_FSCTL_TRANSACT_RSP *Response)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT;

	line_begin(&b, Response->Hint, "<<", Response->Kind);
	buf_printf(&b, " IoStatus=%x[%u]", Response->IoStatus.Status,
		   Response->IoStatus.Information);
	if (NT_SUCCESS(Response->IoStatus.Status))
		response_details(&b, Response);
	buf_printf(&b, "\n");
	trace_buf(&b);
}

/* Kinds of ours have no bit: they are shown when all are. */
static bool
is_on(FSP_FILE_SYSTEM *FileSystem, uint32_t kind)
{
	return kind < 32 ? FileSystem->DebugLog >> kind & 1 : FileSystem->DebugLog == UINT32_MAX;
}

void
fsp_debug_request(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request)
{
	if (is_on(FileSystem, Request->Kind))
		FspDebugLogRequest(Request);
}

void
fsp_debug_response(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_RSP *Response)
{
	if (is_on(FileSystem, Response->Kind))
		FspDebugLogResponse(Response);
}
