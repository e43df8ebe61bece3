/*
 * The Create request: checks, then Create or Open of the file system, by a table of dispositions.
 */
#include "api/winfsp/priv.h"

#include <stdlib.h>
#include <string.h>
#include "fs/security/sd.h"

/*
 * existing: rights asked of a file that exists, besides the caller's own. information: the result
 * when it existed. A file that does not exist is created where creates is set.
 */
static const struct disposition {
	bool opens, creates;
	uint32_t existing;
	uint32_t information;
} dispositions[] = {
	[FILE_SUPERSEDE] = {true, true, DELETE, FILE_SUPERSEDED},
	[FILE_OPEN] = {true, false, 0, FILE_OPENED},
	[FILE_CREATE] = {false, true, 0, 0},
	[FILE_OPEN_IF] = {true, true, 0, FILE_OPENED},
	[FILE_OVERWRITE] = {true, false, FILE_WRITE_DATA, FILE_OVERWRITTEN},
	[FILE_OVERWRITE_IF] = {true, true, FILE_WRITE_DATA, FILE_OVERWRITTEN},
};

struct opening {
	FSP_FILE_SYSTEM *fs;
	FSP_FSCTL_TRANSACT_REQ *req;
	FSP_FSCTL_TRANSACT_RSP *rsp;
	const struct disposition *disposition;
	bool traversed;      /* a check has walked the path already */
	uint32_t granted;    /* with STATUS_REPARSE: the index to resolve at */
	PSECURITY_DESCRIPTOR sd; /* of the file, for the answer; heap */
	FSP_FSCTL_TRANSACT_FULL_CONTEXT ctx;
	FSP_FSCTL_OPEN_FILE_INFO info;
	uint32_t information;
};

static uint32_t
options_of(const struct opening *o)
{
	return o->req->Req.Create.CreateOptions;
}

static uint32_t
delete_right(const struct opening *o)
{
	return options_of(o) & FILE_DELETE_ON_CLOSE ? DELETE : 0;
}

/* Rights that were asked only to be allowed to act are not the caller's to keep. */
static uint32_t
granted_for(const struct opening *o, uint32_t checked, uint32_t extra)
{
	uint32_t desired = o->req->Req.Create.DesiredAccess;

	if (!(desired & MAXIMUM_ALLOWED))
		checked &= ~(extra & ~desired);
	return checked | o->req->Req.Create.GrantedAccess;
}

static NTSTATUS
check_open(struct opening *o, bool parent_or_main, uint32_t extra)
{
	uint32_t checked;
	NTSTATUS st;

	free(take(&o->sd));
	st = FspAccessCheckEx(o->fs, o->req, parent_or_main, !o->traversed,
			      o->req->Req.Create.DesiredAccess | extra, &checked,
			      o->req->Req.Create.AcceptsSecurityDescriptor ? &o->sd : NULL);
	o->granted = st == STATUS_SUCCESS ? granted_for(o, checked, extra) : checked;
	return st;
}

/* A new file takes its descriptor from its parent and its creator. */
static NTSTATUS
new_descriptor(struct opening *o, PSECURITY_DESCRIPTOR parent)
{
	if (!o->fs->Interface->GetSecurityByName)
		return STATUS_SUCCESS;
	return FspCreateSecurityDescriptor(o->fs, o->req, parent, &o->sd);
}

static NTSTATUS
check_create_in_parent(struct opening *o)
{
	bool is_directory = options_of(o) & FILE_DIRECTORY_FILE;
	uint32_t desired = is_directory ? FILE_ADD_SUBDIRECTORY : FILE_ADD_FILE;
	PSECURITY_DESCRIPTOR parent = NULL;
	NTSTATUS st;

	if (o->req->Req.Create.HasRestorePrivilege)
		desired = 0;
	st = FspAccessCheckEx(o->fs, o->req, TRUE, !o->traversed, desired, &o->granted, &parent);
	if (st == STATUS_SUCCESS && o->req->Req.Create.HasTrailingBackslash && !is_directory)
		st = STATUS_OBJECT_NAME_INVALID;
	if (st == STATUS_SUCCESS && o->req->Req.Create.FileAttributes & FILE_ATTRIBUTE_READONLY &&
	    delete_right(o))
		st = STATUS_CANNOT_DELETE;
	if (st == STATUS_SUCCESS) {
		uint32_t wanted = o->req->Req.Create.DesiredAccess;
		o->granted = (wanted & MAXIMUM_ALLOWED ? FILE_ALL_ACCESS : wanted) |
			     o->req->Req.Create.GrantedAccess;
		free(take(&o->sd));
		st = new_descriptor(o, parent);
	}
	FspDeleteSecurityDescriptor(parent, (FSP_CREATE_FUNC)FspAccessCheckEx);
	return st;
}

static NTSTATUS
check_create(struct opening *o)
{
	NTSTATUS st;

	if (!o->req->Req.Create.NamedStream)
		return check_create_in_parent(o);
	st = check_open(o, true, FILE_WRITE_DATA | delete_right(o));
	if (st == STATUS_SUCCESS)
		free(take(&o->sd)); /* a stream has none of its own */
	return st;
}

/*
 * The PFileContext argument. In full context mode it is the pair of contexts itself; the pair's
 * own address stands in it, so that programs that look for the pair behind *PFileContext find it
 * too.
 */
static PVOID *
context_slot(struct opening *o)
{
	o->ctx = (FSP_FSCTL_TRANSACT_FULL_CONTEXT){0};
	if (o->fs->UmFileContextIsFullContext) {
		o->ctx.UserContext = (uintptr_t)&o->ctx;
		return (PVOID *)(void *)&o->ctx;
	}
	return (PVOID *)(void *)(o->fs->UmFileContextIsUserContext2 ? &o->ctx.UserContext2
								    : &o->ctx.UserContext);
}

static void
context_slot_end(struct opening *o)
{
	if (o->ctx.UserContext == (uintptr_t)&o->ctx)
		o->ctx.UserContext = 0;
}

static void
info_begin(struct opening *o)
{
	memset(&o->info, 0, sizeof(o->info));
	o->info.NormalizedName = (PWSTR)(void *)o->rsp->Buffer;
	o->info.NormalizedNameSize = FSP_FSCTL_TRANSACT_RSP_BUFFER_SIZEMAX;
}

static NTSTATUS
call_create(struct opening *o)
{
	const FSP_FILE_SYSTEM_INTERFACE *interface = o->fs->Interface;
	PWSTR name = fsp_name(o->req);
	const FSP_FSCTL_TRANSACT_BUF *ea = &o->req->Req.Create.Ea;
	uint32_t attributes = o->req->Req.Create.FileAttributes;
	PVOID *slot = context_slot(o);
	NTSTATUS st;

	info_begin(o);
	if (interface->CreateEx)
		st = interface->CreateEx(o->fs, name, options_of(o), o->granted, attributes,
					 o->sd, o->req->Req.Create.AllocationSize,
					 ea->Size ? o->req->Buffer + ea->Offset : NULL, ea->Size,
					 o->req->Req.Create.EaIsReparsePoint, slot,
					 &o->info.FileInfo);
	else
		st = interface->Create(o->fs, name, options_of(o), o->granted, attributes, o->sd,
				       o->req->Req.Create.AllocationSize, slot,
				       &o->info.FileInfo);
	context_slot_end(o);
	o->information = FILE_CREATED;
	return st;
}

static NTSTATUS
call_open(struct opening *o, PWSTR name, uint32_t options)
{
	PVOID *slot = context_slot(o);
	NTSTATUS st;

	info_begin(o);
	st = o->fs->Interface->Open(o->fs, name, options, o->granted, slot, &o->info.FileInfo);
	context_slot_end(o);
	if (st == STATUS_REPARSE)
		o->granted = 0; /* resolved from the start */
	o->information = o->disposition->information;
	return st;
}

static NTSTATUS
open_existing(struct opening *o)
{
	NTSTATUS st = check_open(o, false, o->disposition->existing | delete_right(o));

	return st == STATUS_SUCCESS ? call_open(o, fsp_name(o->req), options_of(o)) : st;
}

static NTSTATUS
create_new(struct opening *o)
{
	NTSTATUS st = check_create(o);

	return st == STATUS_SUCCESS ? call_create(o) : st;
}

static NTSTATUS
open_by_disposition(struct opening *o)
{
	NTSTATUS st = STATUS_OBJECT_NAME_NOT_FOUND;

	if (o->disposition->opens) {
		st = open_existing(o);
		o->traversed = true;
	}
	if (o->disposition->creates && st == STATUS_OBJECT_NAME_NOT_FOUND)
		st = create_new(o);
	return st;
}

/* For a rename: the parent is opened, and the name itself only looked for. */
static NTSTATUS
open_target_directory(struct opening *o)
{
	struct fsp_cut cut;
	NTSTATUS st = check_open(o, true, 0);

	if (st != STATUS_SUCCESS)
		return st;
	st = call_open(o, fsp_cut_parent(fsp_name(o->req), &cut),
		       options_of(o) | FILE_DIRECTORY_FILE);
	fsp_cut_undo(&cut);
	o->information = FILE_EXISTS;
	if (st == STATUS_SUCCESS && o->fs->Interface->GetSecurityByName &&
	    fsp_is_missing(o->fs->Interface->GetSecurityByName(o->fs, fsp_name(o->req), NULL,
							       NULL, NULL)))
		o->information = FILE_DOES_NOT_EXIST;
	return st;
}

static bool
attributes_of(struct opening *o, PWSTR name, uint32_t *ret_attributes)
{
	return o->fs->Interface->GetSecurityByName &&
	       o->fs->Interface->GetSecurityByName(o->fs, name, ret_attributes, NULL, NULL) ==
		       STATUS_SUCCESS;
}

static bool
follows_links(const struct opening *o)
{
	return !(options_of(o) & FILE_OPEN_REPARSE_POINT);
}

/* The stream may be missing only because its file is a link to the file that has it. */
static NTSTATUS
fix_missing_stream(struct opening *o)
{
	struct fsp_cut cut;
	uint32_t attributes = 0;
	PWSTR name;
	bool is_link;

	if (!o->req->Req.Create.NamedStream || !follows_links(o))
		return STATUS_OBJECT_NAME_NOT_FOUND;
	name = fsp_cut_main(fsp_name(o->req), o->req->Req.Create.NamedStream, &cut);
	is_link = attributes_of(o, name, &attributes) &&
		  attributes & FILE_ATTRIBUTE_REPARSE_POINT;
	o->granted = fsp_last_component(name);
	fsp_cut_undo(&cut);
	return is_link ? STATUS_REPARSE : STATUS_OBJECT_NAME_NOT_FOUND;
}

static NTSTATUS
fix_collision(struct opening *o)
{
	uint32_t attributes = 0;

	if (!attributes_of(o, fsp_name(o->req), &attributes))
		return STATUS_OBJECT_NAME_COLLISION;
	if (attributes & FILE_ATTRIBUTE_REPARSE_POINT && follows_links(o)) {
		o->granted = fsp_last_component(fsp_name(o->req));
		return STATUS_REPARSE;
	}
	if (attributes & FILE_ATTRIBUTE_DIRECTORY && options_of(o) & FILE_NON_DIRECTORY_FILE)
		return STATUS_FILE_IS_A_DIRECTORY;
	return STATUS_OBJECT_NAME_COLLISION;
}

static NTSTATUS
resolve(struct opening *o)
{
	size_t size = FSP_FSCTL_TRANSACT_RSP_BUFFER_SIZEMAX;
	IO_STATUS_BLOCK io = {0};
	NTSTATUS st;

	if (!o->fs->Interface->ResolveReparsePoints)
		return STATUS_INVALID_DEVICE_REQUEST;
	st = o->fs->Interface->ResolveReparsePoints(o->fs, fsp_name(o->req), o->granted,
						    follows_links(o), &io, o->rsp->Buffer,
						    &size);
	if (st != STATUS_REPARSE)
		return NT_SUCCESS(st) ? STATUS_INTERNAL_ERROR : st;
	if (size > FSP_FSCTL_TRANSACT_RSP_BUFFER_SIZEMAX)
		return STATUS_IO_REPARSE_DATA_INVALID;
	o->rsp->Size = (UINT16)(sizeof(*o->rsp) + size);
	o->rsp->IoStatus.Information = (UINT32)io.Information;
	o->rsp->Rsp.Create.Reparse.Buffer = (FSP_FSCTL_TRANSACT_BUF){0, (UINT16)size};
	return STATUS_REPARSE;
}

static void
answer_name(struct opening *o)
{
	uint16_t size = o->info.NormalizedNameSize;

	if (size > FSP_FSCTL_TRANSACT_PATH_SIZEMAX || size == 0)
		return; /* untouched: no normalised name */
	o->rsp->Rsp.Create.Opened.FileName = (FSP_FSCTL_TRANSACT_BUF){0, size};
	o->rsp->Size = (UINT16)(sizeof(*o->rsp) + size);
}

static void
answer_sd(struct opening *o)
{
	size_t used = ALIGN_UP(o->rsp->Size - sizeof(*o->rsp), (size_t)8), size;

	if (!o->req->Req.Create.AcceptsSecurityDescriptor || !o->sd)
		return;
	size = sd_length(o->sd);
	if (size > FSP_FSCTL_TRANSACT_RSP_BUFFER_SIZEMAX - used)
		return; /* the engine asks for it when it needs it */
	memcpy(o->rsp->Buffer + used, o->sd, size);
	o->rsp->Rsp.Create.Opened.SecurityDescriptor =
		(FSP_FSCTL_TRANSACT_BUF){(UINT16)used, (UINT16)size};
	o->rsp->Rsp.Create.Opened.HasSecurityDescriptor = 1;
	o->rsp->Size = (UINT16)(sizeof(*o->rsp) + used + size);
}

static void
answer(struct opening *o)
{
	o->rsp->Size = sizeof(*o->rsp);
	o->rsp->IoStatus.Information = o->information;
	o->rsp->Rsp.Create.Opened.UserContext = o->ctx.UserContext;
	o->rsp->Rsp.Create.Opened.UserContext2 = o->ctx.UserContext2;
	o->rsp->Rsp.Create.Opened.GrantedAccess = o->granted;
	o->rsp->Rsp.Create.Opened.FileInfo = o->info.FileInfo;
	answer_name(o);
	answer_sd(o);
}

static bool
can_open(const FSP_FILE_SYSTEM_INTERFACE *interface)
{
	return (interface->Create || interface->CreateEx) && interface->Open &&
	       (interface->Overwrite || interface->OverwriteEx);
}

NTSTATUS
FspFileSystemOpCreate(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request,
		      FSP_FSCTL_TRANSACT_RSP *Response)
{
	uint32_t number = Request->Req.Create.CreateOptions >> 24;
	struct opening o = {.fs = FileSystem, .req = Request, .rsp = Response};
	NTSTATUS st;

	if (!can_open(FileSystem->Interface))
		return STATUS_INVALID_DEVICE_REQUEST;
	if (number >= ARRAY_SIZE(dispositions))
		return STATUS_INVALID_PARAMETER;
	o.disposition = &dispositions[number];
	if (Request->Req.Create.OpenTargetDirectory)
		st = open_target_directory(&o);
	else
		st = open_by_disposition(&o);
	if (st == STATUS_OBJECT_NAME_NOT_FOUND)
		st = fix_missing_stream(&o);
	else if (st == STATUS_OBJECT_NAME_COLLISION)
		st = fix_collision(&o);
	if (st == STATUS_REPARSE)
		st = resolve(&o);
	else if (st == STATUS_SUCCESS)
		answer(&o);
	free(o.sd);
	return st;
}
