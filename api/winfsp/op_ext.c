/* Handlers of the optional operations in the interface's reserved slots (winfsp/ext.h). */
#include "api/winfsp/priv.h"

enum {
	DATA_MAX = FS_RSP_SIZE_MAX - FS_RSP_HEADER_SIZE,
	COPY_MAX = 1 << 30 /* per call; Information has 32 bits */
};

/* The union of optional requests lies outside the public message: the engine's name for it. */
static struct fs_req *
req_of(FSP_FSCTL_TRANSACT_REQ *Request)
{
	return (struct fs_req *)Request;
}

static struct fs_rsp *
rsp_of(FSP_FSCTL_TRANSACT_RSP *Response)
{
	return (struct fs_rsp *)Response;
}

static FSP_FSCTL_FILE_INFO *
info_of(struct fs_file_info *info)
{
	return (FSP_FSCTL_FILE_INFO *)info;
}

static NTSTATUS
op_link(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request,
	FSP_FSCTL_TRANSACT_RSP *Response)
{
	struct fs_req *req = req_of(Request);

	return FspxInterfaceGetLink(FileSystem->Interface)(
		FileSystem, fsp_context(FileSystem, Request), fsp_name(Request),
		(PWSTR)(void *)(req->buffer + req->link.new_name.offset), req->link.flags & 1,
		info_of(&rsp_of(Response)->file.info));
}

static NTSTATUS
op_query_ranges(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request,
		FSP_FSCTL_TRANSACT_RSP *Response)
{
	struct fs_req *req = req_of(Request);
	ULONG cap = req->query_ranges.length / sizeof(FSPX_RANGE), n = cap;
	NTSTATUS st;

	st = FspxInterfaceGetQueryRanges(FileSystem->Interface)(
		FileSystem, fsp_context(FileSystem, Request), req->query_ranges.offset,
		req->query_ranges.range,
		(FSPX_RANGE *)(uintptr_t)req->query_ranges.address, &n);
	if (st == STATUS_SUCCESS)
		Response->IoStatus.Information = (UINT32)(MIN(n, cap) * sizeof(FSPX_RANGE));
	return st;
}

static NTSTATUS
op_allocate(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request,
	    FSP_FSCTL_TRANSACT_RSP *Response)
{
	struct fs_req *req = req_of(Request);

	return FspxInterfaceGetAllocate(FileSystem->Interface)(
		FileSystem, fsp_context(FileSystem, Request), req->allocate.mode,
		req->allocate.offset, req->allocate.length,
		info_of(&rsp_of(Response)->file.info));
}

static NTSTATUS
op_copy_range(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request,
	      FSP_FSCTL_TRANSACT_RSP *Response)
{
	struct fs_req *req = req_of(Request);
	FSP_FSCTL_TRANSACT_FULL_CONTEXT *to =
		(FSP_FSCTL_TRANSACT_FULL_CONTEXT *)&req->copy_range.to;
	UINT64 length = MIN(req->copy_range.length, (UINT64)COPY_MAX), done = 0;
	NTSTATUS st;

	st = FspxInterfaceGetCopyRange(FileSystem->Interface)(
		FileSystem, fsp_context(FileSystem, Request), req->copy_range.offset,
		fsp_context_in(FileSystem, to), req->copy_range.to_offset, length, &done,
		info_of(&rsp_of(Response)->file.info));
	if (st == STATUS_SUCCESS)
		Response->IoStatus.Information = (UINT32)MIN(done, length);
	return st;
}

static NTSTATUS
op_backing(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request,
	   FSP_FSCTL_TRANSACT_RSP *Response)
{
	int fd = -1;
	NTSTATUS st;

	st = FspxInterfaceGetGetBacking(FileSystem->Interface)(
		FileSystem, fsp_context(FileSystem, Request), req_of(Request)->backing.access,
		&fd);
	if (st == STATUS_SUCCESS)
		rsp_of(Response)->backing.fd = fd;
	return st;
}

static NTSTATUS
op_query_by_name(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request,
		 FSP_FSCTL_TRANSACT_RSP *Response)
{
	struct fs_rsp *rsp = rsp_of(Response);
	SIZE_T size = DATA_MAX;
	NTSTATUS st;

	st = FspxInterfaceGetGetInfoByName(FileSystem->Interface)(
		FileSystem, fsp_name(Request), info_of(&rsp->by_name.info), Response->Buffer,
		&size);
	if (st == STATUS_BUFFER_OVERFLOW || (st == STATUS_SUCCESS && size > DATA_MAX))
		return STATUS_INVALID_SECURITY_DESCR;
	if (st == STATUS_SUCCESS) {
		rsp->by_name.sd = (struct fs_buf){0, (uint16_t)size};
		rsp->size = (uint16_t)(FS_RSP_HEADER_SIZE + size);
	}
	return st;
}

static NTSTATUS
op_rename_posix(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request,
		FSP_FSCTL_TRANSACT_RSP *Response)
{
	struct fs_req *req = req_of(Request);

	return FspxInterfaceGetRenamePosix(FileSystem->Interface)(
		FileSystem, fsp_context(FileSystem, Request), fsp_name(Request),
		(PWSTR)(void *)(req->buffer + req->rename_posix.new_name.offset),
		req->rename_posix.flags);
}

static const struct {
	FSP_FILE_SYSTEM_OPERATION *operation;
	unsigned slot; /* of Reserved */
} ext_kinds[FS_KIND_LIMIT - FS_KIND_LINK] = {
	[0] = {op_link, 30},
	[FS_KIND_QUERY_RANGES - FS_KIND_LINK] = {op_query_ranges, 29},
	[FS_KIND_ALLOCATE - FS_KIND_LINK] = {op_allocate, 28},
	[FS_KIND_COPY_RANGE - FS_KIND_LINK] = {op_copy_range, 27},
	[FS_KIND_BACKING - FS_KIND_LINK] = {op_backing, 26},
	[FS_KIND_QUERY_BY_NAME - FS_KIND_LINK] = {op_query_by_name, 25},
	[FS_KIND_RENAME_POSIX - FS_KIND_LINK] = {op_rename_posix, 24},
};

/* The slot may be emptied after the volume was made: checked on each request. */
static NTSTATUS
op_ext(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request,
       FSP_FSCTL_TRANSACT_RSP *Response)
{
	unsigned i = Request->Kind - FS_KIND_LINK;

	if (!FileSystem->Interface->Reserved[ext_kinds[i].slot])
		return STATUS_INVALID_DEVICE_REQUEST;
	return ext_kinds[i].operation(FileSystem, Request, Response);
}

FSP_FILE_SYSTEM_OPERATION *
fsp_ext_operation(uint32_t kind)
{
	return kind >= FS_KIND_LINK && kind < FS_KIND_LIMIT ? op_ext : NULL;
}

uint32_t
fsp_ext_kinds(const FSP_FILE_SYSTEM_INTERFACE *interface)
{
	uint32_t kinds = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(ext_kinds); i++)
		if (interface->Reserved[ext_kinds[i].slot])
			kinds |= 1u << i;
	return kinds;
}
