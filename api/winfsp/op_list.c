/* Default handlers that carry lists and buffers: directories, EAs, streams, security, volume. */
#include "api/winfsp/priv.h"

#include <string.h>
#include "fs/walk.h"

enum { DATA_MAX = FS_RSP_SIZE_MAX - FS_RSP_HEADER_SIZE, LABEL_UNITS = 128 };

/* What a handler wrote at the start of the response's buffer. */
static FSP_FSCTL_TRANSACT_BUF
answer_data(FSP_FSCTL_TRANSACT_RSP *Response, size_t size)
{
	Response->Size = (UINT16)(sizeof(*Response) + size);
	return (FSP_FSCTL_TRANSACT_BUF){0, (UINT16)size};
}

static void *
buffer_at(FSP_FSCTL_TRANSACT_REQ *Request, FSP_FSCTL_TRANSACT_BUF buf)
{
	return buf.Size ? Request->Buffer + buf.Offset : NULL;
}

NTSTATUS
FspFileSystemOpQueryEa(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request,
		       FSP_FSCTL_TRANSACT_RSP *Response)
{
	ULONG done = 0;
	NTSTATUS st;

	if (!FileSystem->Interface->GetEa)
		return STATUS_INVALID_DEVICE_REQUEST;
	st = FileSystem->Interface->GetEa(FileSystem, fsp_context(FileSystem, Request),
					  (PFILE_FULL_EA_INFORMATION)(void *)Response->Buffer,
					  DATA_MAX, &done);
	if (st == STATUS_BUFFER_OVERFLOW || (st == STATUS_SUCCESS && done > DATA_MAX))
		return STATUS_EA_LIST_INCONSISTENT;
	if (st == STATUS_SUCCESS)
		Response->Rsp.QueryEa.Ea = answer_data(Response, done);
	return st;
}

NTSTATUS
FspFileSystemOpSetEa(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request,
		     FSP_FSCTL_TRANSACT_RSP *Response)
{
	FSP_FSCTL_FILE_INFO info = {0};
	NTSTATUS st;

	if (!FileSystem->Interface->SetEa)
		return STATUS_INVALID_DEVICE_REQUEST;
	st = FileSystem->Interface->SetEa(FileSystem, fsp_context(FileSystem, Request),
					  buffer_at(Request, Request->Req.SetEa.Ea),
					  Request->Req.SetEa.Ea.Size, &info);
	if (st == STATUS_SUCCESS)
		Response->Rsp.SetEa.FileInfo = info;
	return st;
}

NTSTATUS
FspFileSystemOpQueryVolumeInformation(FSP_FILE_SYSTEM *FileSystem,
				      FSP_FSCTL_TRANSACT_REQ *Request,
				      FSP_FSCTL_TRANSACT_RSP *Response)
{
	FSP_FSCTL_VOLUME_INFO info = {0};
	NTSTATUS st;

	if (!FileSystem->Interface->GetVolumeInfo)
		return STATUS_INVALID_DEVICE_REQUEST;
	st = FileSystem->Interface->GetVolumeInfo(FileSystem, &info);
	if (st == STATUS_SUCCESS)
		Response->Rsp.QueryVolumeInformation.VolumeInfo = info;
	return st;
}

NTSTATUS
FspFileSystemOpSetVolumeInformation(FSP_FILE_SYSTEM *FileSystem,
				    FSP_FSCTL_TRANSACT_REQ *Request,
				    FSP_FSCTL_TRANSACT_RSP *Response)
{
	FSP_FSCTL_TRANSACT_BUF buf = Request->Req.SetVolumeInformation.Info.Label.VolumeLabel;
	size_t size = MIN((size_t)buf.Size, (LABEL_UNITS - 1) * sizeof(WCHAR));
	FSP_FSCTL_VOLUME_INFO info = {0};
	WCHAR label[LABEL_UNITS] = {0}; /* ends with a NUL, whatever the request has */
	NTSTATUS st;

	if (Request->Req.SetVolumeInformation.FsInformationClass != FileFsLabelInformation ||
	    !FileSystem->Interface->SetVolumeLabel)
		return STATUS_INVALID_DEVICE_REQUEST;
	memcpy(label, Request->Buffer + buf.Offset, size);
	st = FileSystem->Interface->SetVolumeLabel(FileSystem, label, &info);
	if (st == STATUS_SUCCESS)
		Response->Rsp.SetVolumeInformation.VolumeInfo = info;
	return st;
}

/* A listing of the one entry whose name is the pattern. */
static NTSTATUS
query_by_name(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request, PWSTR name,
	      PULONG done)
{
	PVOID buffer = (PVOID)(uintptr_t)Request->Req.QueryDirectory.Address;
	ULONG length = Request->Req.QueryDirectory.Length;
	union {
		FSP_FSCTL_DIR_INFO info;
		UINT8 room[sizeof(FSP_FSCTL_DIR_INFO) + 256 * sizeof(WCHAR)];
	} entry;
	NTSTATUS st;

	memset(&entry, 0, sizeof(entry));
	st = FileSystem->Interface->GetDirInfoByName(
		FileSystem, fsp_context(FileSystem, Request), name, &entry.info);
	if (st == STATUS_SUCCESS) {
		if (entry.info.Size < sizeof(entry.info) || entry.info.Size > sizeof(entry))
			return STATUS_INTERNAL_ERROR;
		if (FspFileSystemAddDirInfo(&entry.info, buffer, length, done))
			FspFileSystemAddDirInfo(NULL, buffer, length, done);
	} else if (fsp_is_missing(st)) {
		FspFileSystemAddDirInfo(NULL, buffer, length, done);
		st = STATUS_SUCCESS;
	}
	return st;
}

NTSTATUS
FspFileSystemOpQueryDirectory(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request,
			      FSP_FSCTL_TRANSACT_RSP *Response)
{
	PWSTR pattern = buffer_at(Request, Request->Req.QueryDirectory.Pattern);
	ULONG done = 0;
	NTSTATUS st;

	if (FileSystem->Interface->GetDirInfoByName && pattern &&
	    Request->Req.QueryDirectory.PatternIsFileName)
		st = query_by_name(FileSystem, Request, pattern, &done);
	else if (FileSystem->Interface->ReadDirectory)
		st = FileSystem->Interface->ReadDirectory(
			FileSystem, fsp_context(FileSystem, Request), pattern,
			buffer_at(Request, Request->Req.QueryDirectory.Marker),
			(PVOID)(uintptr_t)Request->Req.QueryDirectory.Address,
			Request->Req.QueryDirectory.Length, &done);
	else
		return STATUS_INVALID_DEVICE_REQUEST;
	if (st == STATUS_SUCCESS)
		Response->IoStatus.Information = done;
	return st;
}

static NTSTATUS
get_reparse(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request,
	    FSP_FSCTL_TRANSACT_RSP *Response)
{
	SIZE_T size = DATA_MAX;
	NTSTATUS st;

	if (!FileSystem->Interface->GetReparsePoint)
		return STATUS_INVALID_DEVICE_REQUEST;
	st = FileSystem->Interface->GetReparsePoint(FileSystem,
						    fsp_context(FileSystem, Request),
						    fsp_name(Request), Response->Buffer, &size);
	if (st == STATUS_SUCCESS && size > DATA_MAX)
		return STATUS_IO_REPARSE_DATA_INVALID;
	if (st == STATUS_SUCCESS)
		Response->Rsp.FileSystemControl.Buffer = answer_data(Response, size);
	return st;
}

/*
 * A symbolic link whose target lies on this volume is stored relative to the volume, so that it
 * stays right when the volume is mounted elsewhere. target: its byte offset in the buffer. 0 when
 * there is nothing to change.
 */
static uint32_t
make_volume_relative(const void *buffer, uint32_t size, uint16_t target, void *dst, uint32_t cap)
{
	const REPARSE_DATA_BUFFER *reparse = buffer;
	const uint8_t *at = (const uint8_t *)buffer + target, *start, *end;
	struct fs_symlink link;

	if (target == 0 || reparse->ReparseTag != IO_REPARSE_TAG_SYMLINK ||
	    fs_reparse_check(buffer, size) != STATUS_SUCCESS ||
	    !fs_reparse_symlink(buffer, size, &link))
		return 0;
	start = (const uint8_t *)link.substitute;
	end = start + link.n_substitute * sizeof(WCHAR);
	if (at < start || at >= end || (at - start) % sizeof(WCHAR) != 0)
		return 0;
	return fs_reparse_build_symlink((const uint16_t *)(const void *)at,
					(size_t)(end - at) / sizeof(WCHAR), true, dst, cap);
}

static NTSTATUS
set_reparse(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request,
	    FSP_FSCTL_TRANSACT_RSP *Response)
{
	void *buffer = buffer_at(Request, Request->Req.FileSystemControl.Buffer);
	uint32_t size = Request->Req.FileSystemControl.Buffer.Size, changed = 0;

	if (!FileSystem->Interface->SetReparsePoint)
		return STATUS_INVALID_DEVICE_REQUEST;
	if (size < REPARSE_DATA_BUFFER_HEADER_SIZE)
		return STATUS_IO_REPARSE_DATA_INVALID;
	/* The response's buffer is not used otherwise: room to rewrite the target. */
	changed = make_volume_relative(buffer, size,
				       Request->Req.FileSystemControl.TargetOnFileSystem,
				       Response->Buffer, DATA_MAX);
	if (changed) {
		buffer = Response->Buffer;
		size = changed;
	}
	return FileSystem->Interface->SetReparsePoint(FileSystem,
						      fsp_context(FileSystem, Request),
						      fsp_name(Request), buffer, size);
}

NTSTATUS
FspFileSystemOpFileSystemControl(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request,
				 FSP_FSCTL_TRANSACT_RSP *Response)
{
	FSP_FSCTL_TRANSACT_BUF buf = Request->Req.FileSystemControl.Buffer;

	switch (Request->Req.FileSystemControl.FsControlCode) {
	case FSCTL_GET_REPARSE_POINT:
		return get_reparse(FileSystem, Request, Response);
	case FSCTL_SET_REPARSE_POINT:
		return set_reparse(FileSystem, Request, Response);
	case FSCTL_DELETE_REPARSE_POINT:
		if (!FileSystem->Interface->DeleteReparsePoint)
			return STATUS_INVALID_DEVICE_REQUEST;
		return FileSystem->Interface->DeleteReparsePoint(
			FileSystem, fsp_context(FileSystem, Request), fsp_name(Request),
			buffer_at(Request, buf), buf.Size);
	default:
		return STATUS_INVALID_DEVICE_REQUEST;
	}
}

NTSTATUS
FspFileSystemOpDeviceControl(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request,
			     FSP_FSCTL_TRANSACT_RSP *Response)
{
	FSP_FSCTL_TRANSACT_BUF in = Request->Req.DeviceControl.Buffer;
	ULONG room = MIN(Request->Req.DeviceControl.OutputLength,
			 (ULONG)FSP_FSCTL_DEVICECONTROL_SIZEMAX);
	ULONG done = 0;
	NTSTATUS st;

	if (!FileSystem->Interface->Control)
		return STATUS_INVALID_DEVICE_REQUEST;
	st = FileSystem->Interface->Control(FileSystem, fsp_context(FileSystem, Request),
					    Request->Req.DeviceControl.IoControlCode,
					    buffer_at(Request, in), in.Size, Response->Buffer,
					    room, &done);
	if (st == STATUS_SUCCESS && done > room)
		return STATUS_INTERNAL_ERROR;
	if (st == STATUS_SUCCESS)
		Response->Rsp.DeviceControl.Buffer = answer_data(Response, done);
	return st;
}

NTSTATUS
FspFileSystemOpQuerySecurity(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request,
			     FSP_FSCTL_TRANSACT_RSP *Response)
{
	SIZE_T size = DATA_MAX;
	NTSTATUS st;

	if (!FileSystem->Interface->GetSecurity)
		return STATUS_INVALID_DEVICE_REQUEST;
	st = FileSystem->Interface->GetSecurity(FileSystem, fsp_context(FileSystem, Request),
						Response->Buffer, &size);
	if (st == STATUS_BUFFER_OVERFLOW || (st == STATUS_SUCCESS && size > DATA_MAX))
		return STATUS_INVALID_SECURITY_DESCR;
	if (st == STATUS_SUCCESS)
		Response->Rsp.QuerySecurity.SecurityDescriptor = answer_data(Response, size);
	return st;
}

NTSTATUS
FspFileSystemOpSetSecurity(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request,
			   FSP_FSCTL_TRANSACT_RSP *Response)
{
	if (!FileSystem->Interface->SetSecurity)
		return STATUS_INVALID_DEVICE_REQUEST;
	return FileSystem->Interface->SetSecurity(
		FileSystem, fsp_context(FileSystem, Request),
		Request->Req.SetSecurity.SecurityInformation,
		buffer_at(Request, Request->Req.SetSecurity.SecurityDescriptor));
}

NTSTATUS
FspFileSystemOpQueryStreamInformation(FSP_FILE_SYSTEM *FileSystem,
				      FSP_FSCTL_TRANSACT_REQ *Request,
				      FSP_FSCTL_TRANSACT_RSP *Response)
{
	ULONG done = 0;
	NTSTATUS st;

	if (!FileSystem->Interface->GetStreamInfo)
		return STATUS_INVALID_DEVICE_REQUEST;
	st = FileSystem->Interface->GetStreamInfo(FileSystem, fsp_context(FileSystem, Request),
						  Response->Buffer, DATA_MAX, &done);
	if (st == STATUS_SUCCESS && done > DATA_MAX)
		return STATUS_INTERNAL_ERROR;
	if (st == STATUS_SUCCESS)
		Response->Rsp.QueryStreamInformation.Buffer = answer_data(Response, done);
	return st;
}
