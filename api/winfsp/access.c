/*
 * Access check of a Create request (winfsp/winfsp.h, FspAccessCheckEx). The order of the steps
 * decides which error wins, so it is kept as documented: traverse, the subject's descriptor,
 * what the parent grants, the kind of the subject, READONLY.
 */
#include "api/winfsp/priv.h"

#include <stdlib.h>
#include "fs/security/sd.h"
#include "fs/security/token.h"

PGENERIC_MAPPING
FspGetFileGenericMapping(VOID)
{
	static GENERIC_MAPPING mapping = {FILE_GENERIC_READ, FILE_GENERIC_WRITE,
					  FILE_GENERIC_EXECUTE, FILE_ALL_ACCESS};

	return &mapping;
}

void
fsp_sd_fini(struct fsp_sd *sd)
{
	free(sd->heap);
	sd->heap = NULL;
}

static NTSTATUS
sd_grow(struct fsp_sd *sd, size_t size)
{
	if (size > SD_SIZE_MAX)
		return STATUS_INVALID_SECURITY_DESCR;
	free(sd->heap);
	sd->heap = malloc(size);
	return sd->heap ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

NTSTATUS
fsp_get_security_by_name(FSP_FILE_SYSTEM *FileSystem, PWSTR name, uint32_t *ret_attributes,
			 struct fsp_sd *ret_sd)
{
	size_t cap = sizeof(ret_sd->room);
	NTSTATUS st;

	ret_sd->heap = NULL;
	for (;;) {
		ret_sd->size = cap;
		*ret_attributes = 0;
		st = FileSystem->Interface->GetSecurityByName(
			FileSystem, name, ret_attributes, fsp_sd_get(ret_sd), &ret_sd->size);
		if (st != STATUS_BUFFER_OVERFLOW || ret_sd->size <= cap)
			break;
		cap = ret_sd->size;
		st = sd_grow(ret_sd, cap);
		if (!NT_SUCCESS(st))
			break;
	}
	if (st == STATUS_BUFFER_OVERFLOW)
		st = STATUS_INVALID_SECURITY_DESCR;
	if (st == STATUS_SUCCESS && ret_sd->size > 0 &&
	    (ret_sd->size > cap || !sd_valid(fsp_sd_get(ret_sd), ret_sd->size)))
		st = STATUS_INVALID_SECURITY_DESCR;
	if (st != STATUS_SUCCESS)
		fsp_sd_fini(ret_sd);
	return st;
}

PWSTR
fsp_cut_parent(PWSTR name, struct fsp_cut *ret_cut)
{
	static WCHAR root[2] = {'\\', 0};
	uint32_t at = fsp_last_component(name);

	ret_cut->at = NULL;
	if (at <= 1)
		return root;
	ret_cut->at = name + at - 1;
	ret_cut->was = *ret_cut->at;
	*ret_cut->at = 0;
	return name;
}

PWSTR
fsp_cut_main(PWSTR name, uint16_t stream_offset, struct fsp_cut *ret_cut)
{
	ret_cut->at = name + stream_offset / sizeof(WCHAR);
	ret_cut->was = *ret_cut->at;
	*ret_cut->at = 0;
	return name;
}

uint32_t
fsp_last_component(PCWSTR name)
{
	uint32_t at = 0;

	for (uint32_t i = 0; name[i] && name[i] != ':'; i++)
		if (name[i] == '\\')
			at = i + 1;
	return at;
}

struct check {
	FSP_FILE_SYSTEM *fs;
	const FSP_FSCTL_TRANSACT_REQ *req;
	struct token *token;
	PWSTR subject; /* the name that is checked */
	enum { SUBJECT_TARGET, SUBJECT_PARENT, SUBJECT_MAIN } kind;
	uint32_t attributes;
	struct fsp_sd sd;
	uint32_t index; /* of the component to resolve, with STATUS_REPARSE */
};

static bool
is_user_mode(const struct check *c)
{
	return c->req->Req.Create.UserMode;
}

/* A NULL token has no rights at all. */
static NTSTATUS
sd_check(struct check *c, struct fsp_sd *sd, uint32_t desired, uint32_t *ret_granted)
{
	if (desired == 0) {
		*ret_granted = 0;
		return STATUS_SUCCESS;
	}
	if (!c->token)
		return STATUS_ACCESS_DENIED;
	return access_check(fsp_sd_get(sd), c->token, desired, ret_granted);
}

/* One directory on the way. name is cut after it; index is where its last component begins. */
static NTSTATUS
traverse_directory(struct check *c, PWSTR name, uint32_t index)
{
	struct fsp_sd sd;
	uint32_t attributes, granted;
	NTSTATUS st = fsp_get_security_by_name(c->fs, name, &attributes, &sd);

	if (st == STATUS_REPARSE)
		c->index = attributes;
	if (st == STATUS_OBJECT_NAME_NOT_FOUND)
		return STATUS_OBJECT_PATH_NOT_FOUND;
	if (st != STATUS_SUCCESS)
		return st;
	if (attributes & FILE_ATTRIBUTE_REPARSE_POINT) {
		c->index = index;
		st = STATUS_REPARSE;
	} else if (!(attributes & FILE_ATTRIBUTE_DIRECTORY)) {
		st = STATUS_OBJECT_PATH_NOT_FOUND;
	} else if (sd.size > 0) {
		st = sd_check(c, &sd, FILE_TRAVERSE, &granted);
	}
	fsp_sd_fini(&sd);
	return st;
}

static NTSTATUS
traverse(struct check *c)
{
	static WCHAR root[2] = {'\\', 0};
	PWSTR name = c->subject;
	uint32_t index = 1;
	NTSTATUS st = traverse_directory(c, root, 0);

	for (uint32_t i = 1; st == STATUS_SUCCESS && name[i] && name[i] != ':'; i++) {
		if (name[i] != '\\')
			continue;
		name[i] = 0;
		st = traverse_directory(c, name, index);
		name[i] = '\\';
		index = i + 1;
	}
	return st;
}

/* What the directory of a file grants over it: deletion and a look at its attributes. */
static NTSTATUS
parent_grants(struct check *c, uint32_t wanted)
{
	uint32_t rights = (wanted & (DELETE | MAXIMUM_ALLOWED) ? FILE_DELETE_CHILD : 0) |
			  (wanted & (FILE_READ_ATTRIBUTES | MAXIMUM_ALLOWED)
				   ? FILE_LIST_DIRECTORY
				   : 0);
	struct fsp_cut cut;
	struct fsp_sd sd;
	uint32_t attributes, granted = 0;
	NTSTATUS st;

	if (fsp_is_root(c->subject))
		return STATUS_ACCESS_DENIED;
	st = fsp_get_security_by_name(c->fs, fsp_cut_parent(c->subject, &cut), &attributes, &sd);
	fsp_cut_undo(&cut);
	if (st != STATUS_SUCCESS)
		return STATUS_ACCESS_DENIED;
	if (sd.size > 0)
		st = sd_check(c, &sd, rights, &granted);
	else
		granted = rights;
	fsp_sd_fini(&sd);
	return st == STATUS_SUCCESS && (granted & rights) == rights ? STATUS_SUCCESS
								    : STATUS_ACCESS_DENIED;
}

/* The subject's descriptor and, where it denies, its parent's: so a file can be deleted through
 * its directory although its own list denies DELETE. */
static NTSTATUS
check_rights(struct check *c, uint32_t desired, uint32_t *ret_granted)
{
	const uint32_t by_parent = DELETE | FILE_READ_ATTRIBUTES;
	uint32_t granted = 0, extra;
	NTSTATUS st = sd_check(c, &c->sd, desired, &granted);

	if (st != STATUS_ACCESS_DENIED || !(desired & (MAXIMUM_ALLOWED | by_parent))) {
		*ret_granted = granted;
		return st;
	}
	st = parent_grants(c, desired);
	if (st != STATUS_SUCCESS)
		return st;
	extra = desired & MAXIMUM_ALLOWED ? by_parent : desired & by_parent;
	if (sd_check(c, &c->sd, desired & ~extra, &granted) != STATUS_SUCCESS)
		return STATUS_ACCESS_DENIED;
	*ret_granted = granted | extra;
	return STATUS_SUCCESS;
}

static NTSTATUS
reparse_here(struct check *c)
{
	c->index = fsp_last_component(c->subject);
	return STATUS_REPARSE;
}

static NTSTATUS
check_kind_of_target(struct check *c)
{
	uint32_t options = c->req->Req.Create.CreateOptions;
	bool is_reparse = c->attributes & FILE_ATTRIBUTE_REPARSE_POINT;
	bool is_directory = c->attributes & FILE_ATTRIBUTE_DIRECTORY;

	if (is_reparse && !(options & FILE_OPEN_REPARSE_POINT))
		return reparse_here(c);
	if (is_reparse && c->fs->UmNoReparsePointsDirCheck)
		return STATUS_SUCCESS;
	if (options & FILE_DIRECTORY_FILE && !is_directory)
		return STATUS_NOT_A_DIRECTORY;
	if (options & FILE_NON_DIRECTORY_FILE && is_directory)
		return STATUS_FILE_IS_A_DIRECTORY;
	return STATUS_SUCCESS;
}

static NTSTATUS
check_kind(struct check *c)
{
	bool is_reparse = c->attributes & FILE_ATTRIBUTE_REPARSE_POINT;

	switch (c->kind) {
	case SUBJECT_PARENT:
		if (is_reparse)
			return reparse_here(c);
		return c->attributes & FILE_ATTRIBUTE_DIRECTORY ? STATUS_SUCCESS
								: STATUS_NOT_A_DIRECTORY;
	case SUBJECT_MAIN:
		if (is_reparse &&
		    !(c->req->Req.Create.CreateOptions & FILE_OPEN_REPARSE_POINT))
			return reparse_here(c);
		return STATUS_SUCCESS;
	default:
		return check_kind_of_target(c);
	}
}

static uint32_t
grant_all(uint32_t desired)
{
	return desired & MAXIMUM_ALLOWED ? FILE_ALL_ACCESS : desired;
}

static NTSTATUS
check_readonly(struct check *c, uint32_t desired, uint32_t *granted)
{
	const uint32_t writes = FILE_WRITE_DATA | FILE_APPEND_DATA | FILE_DELETE_CHILD;
	bool is_readonly = c->attributes & FILE_ATTRIBUTE_READONLY;
	bool is_file = !(c->attributes & FILE_ATTRIBUTE_DIRECTORY);

	if (!is_user_mode(c)) {
		*granted = grant_all(desired);
		return STATUS_SUCCESS;
	}
	if (is_readonly && is_file && desired & writes)
		return STATUS_ACCESS_DENIED;
	if (is_readonly && c->req->Req.Create.CreateOptions & FILE_DELETE_ON_CLOSE)
		return STATUS_CANNOT_DELETE;
	if (c->sd.size == 0)
		*granted = grant_all(desired);
	if (is_readonly && is_file && desired & MAXIMUM_ALLOWED)
		*granted &= ~writes;
	return STATUS_SUCCESS;
}

/* Steps 3 to 9; c->sd is the caller's to free whatever comes out. */
static NTSTATUS
check_subject(struct check *c, bool allow_traverse, uint32_t desired, uint32_t *ret_granted)
{
	uint32_t granted = 0;
	NTSTATUS st = STATUS_SUCCESS;

	if (is_user_mode(c) && allow_traverse && !c->req->Req.Create.HasTraversePrivilege &&
	    !fsp_is_root(c->subject))
		st = traverse(c);
	if (st != STATUS_SUCCESS)
		return st;
	st = fsp_get_security_by_name(c->fs, c->subject, &c->attributes, &c->sd);
	if (st == STATUS_REPARSE)
		c->index = c->attributes;
	if (st != STATUS_SUCCESS)
		return st;
	if (c->kind == SUBJECT_TARGET && c->req->Req.Create.HasTrailingBackslash &&
	    !(c->attributes & FILE_ATTRIBUTE_DIRECTORY))
		return STATUS_OBJECT_NAME_INVALID;
	if (is_user_mode(c) && c->sd.size > 0)
		st = check_rights(c, desired, &granted);
	if (st == STATUS_SUCCESS)
		st = check_kind(c);
	if (st == STATUS_SUCCESS)
		st = check_readonly(c, desired, &granted);
	if (st == STATUS_SUCCESS)
		*ret_granted = granted;
	return st;
}

/* The descriptor as a heap block of its own. */
static NTSTATUS
sd_take(struct fsp_sd *sd, PSECURITY_DESCRIPTOR *ret_sd)
{
	void *copy;

	if (sd->size == 0)
		return STATUS_SUCCESS;
	if (sd->heap) {
		*ret_sd = take(&sd->heap);
		return STATUS_SUCCESS;
	}
	copy = malloc(sd->size);
	if (!copy)
		return STATUS_INSUFFICIENT_RESOURCES;
	__builtin_memcpy(copy, sd->room, sd->size);
	*ret_sd = copy;
	return STATUS_SUCCESS;
}

static PWSTR
subject_begin(struct check *c, FSP_FSCTL_TRANSACT_REQ *Request, bool parent_or_main,
	      struct fsp_cut *ret_cut)
{
	PWSTR name = fsp_name(Request);

	ret_cut->at = NULL;
	c->kind = SUBJECT_TARGET;
	if (!parent_or_main)
		return name;
	if (Request->Req.Create.NamedStream) {
		c->kind = SUBJECT_MAIN;
		return fsp_cut_main(name, Request->Req.Create.NamedStream, ret_cut);
	}
	c->kind = SUBJECT_PARENT;
	return fsp_cut_parent(name, ret_cut);
}

NTSTATUS
FspAccessCheckEx(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request,
		 BOOLEAN CheckParentOrMain, BOOLEAN AllowTraverseCheck, UINT32 DesiredAccess,
		 PUINT32 PGrantedAccess, PSECURITY_DESCRIPTOR *PSecurityDescriptor)
{
	struct check c = {.fs = FileSystem, .req = Request};
	uint32_t granted = 0;
	struct fsp_cut cut;
	NTSTATUS st;

	*PGrantedAccess = 0;
	if (PSecurityDescriptor)
		*PSecurityDescriptor = NULL;
	if (Request->Kind != FspFsctlTransactCreateKind ||
	    (CheckParentOrMain && fsp_is_root(fsp_name(Request))))
		return STATUS_INVALID_PARAMETER;
	if (!FileSystem->Interface->GetSecurityByName ||
	    (!Request->Req.Create.UserMode && !PSecurityDescriptor)) {
		*PGrantedAccess = grant_all(DesiredAccess);
		return STATUS_SUCCESS;
	}
	c.token = token_from_handle((uint32_t)Request->Req.Create.AccessToken);
	c.subject = subject_begin(&c, Request, CheckParentOrMain, &cut);
	st = check_subject(&c, AllowTraverseCheck, access_map_generic(DesiredAccess), &granted);
	fsp_cut_undo(&cut);
	if (st == STATUS_SUCCESS && PSecurityDescriptor)
		st = sd_take(&c.sd, PSecurityDescriptor);
	if (st == STATUS_SUCCESS)
		*PGrantedAccess = granted;
	else if (st == STATUS_REPARSE)
		*PGrantedAccess = c.index;
	else if (st == STATUS_OBJECT_NAME_NOT_FOUND && c.kind == SUBJECT_PARENT)
		st = STATUS_OBJECT_PATH_NOT_FOUND;
	fsp_sd_fini(&c.sd);
	return st;
}
