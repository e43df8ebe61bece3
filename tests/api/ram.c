#include "tests/api/ram.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "api/winfsp/priv.h"
#include "api/common/wide.h"
#include "base/text/names.h"
#include "fs/walk.h"

struct ram *
ram_of(FSP_FILE_SYSTEM *fs)
{
	return fs->UserContext;
}

static struct ram_node *
find(struct ram *ram, const WCHAR *name)
{
	size_t n = utf16_len(name);

	for (unsigned i = 0; i < ram->n_nodes; i++)
		if (utf16_compare(ram->nodes[i].name, utf16_len(ram->nodes[i].name), name, n,
				  false) == 0)
			return &ram->nodes[i];
	return NULL;
}

void
ram_add(struct ram *ram, const WCHAR *name, UINT32 attributes, const WCHAR *sddl)
{
	ram->nodes[ram->n_nodes++] =
		(struct ram_node){.name = name, .attributes = attributes, .sddl = sddl};
}

void
ram_add_link(struct ram *ram, const WCHAR *name, const WCHAR *target, BOOLEAN absolute)
{
	ram_add(ram, name, FILE_ATTRIBUTE_REPARSE_POINT, NULL);
	ram->nodes[ram->n_nodes - 1].target = target;
	ram->nodes[ram->n_nodes - 1].absolute = absolute;
}

NTSTATUS
ram_reparse_by_name(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name, BOOLEAN is_directory,
		    PVOID buffer, PSIZE_T size)
{
	struct ram_node *node = find(context, name);

	if (!node)
		return STATUS_OBJECT_NAME_NOT_FOUND;
	if (!node->target)
		return STATUS_NOT_A_REPARSE_POINT;
	if (buffer)
		*size = fs_reparse_build_symlink(node->target, utf16_len(node->target),
						 !node->absolute, buffer, (uint32_t)*size);
	return STATUS_SUCCESS;
}

static void
note(struct ram *ram, const WCHAR *name)
{
	char *utf8 = wide_utf8(name);
	size_t n = strlen(ram->calls);

	snprintf(ram->calls + n, sizeof(ram->calls) - n, "%s%s", n ? " " : "", utf8);
	free(utf8);
}

static NTSTATUS
give_sd(const struct ram_node *node, PSECURITY_DESCRIPTOR dst, SIZE_T *size)
{
	PSECURITY_DESCRIPTOR sd;
	SIZE_T cap = *size;
	ULONG n;

	*size = 0;
	if (!node->sddl)
		return STATUS_SUCCESS;
	if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(node->sddl, SDDL_REVISION_1,
								  &sd, &n))
		return STATUS_INVALID_SECURITY_DESCR;
	*size = n;
	if (n <= cap && dst)
		memcpy(dst, sd, n);
	LocalFree(sd);
	return n > cap ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

static NTSTATUS
get_security_by_name(FSP_FILE_SYSTEM *fs, PWSTR name, PUINT32 attributes,
		     PSECURITY_DESCRIPTOR sd, SIZE_T *sd_size)
{
	struct ram *ram = ram_of(fs);
	struct ram_node *node = find(ram, name);

	note(ram, name);
	if (!node) {
		if (FspFileSystemFindReparsePoint(fs, ram_reparse_by_name, ram, name, attributes))
			return STATUS_REPARSE;
		return STATUS_OBJECT_NAME_NOT_FOUND;
	}
	if (attributes)
		*attributes = node->attributes;
	return sd_size ? give_sd(node, sd, sd_size) : STATUS_SUCCESS;
}

static void
fill_info(const struct ram_node *node, FSP_FSCTL_FILE_INFO *info)
{
	memset(info, 0, sizeof(*info));
	info->FileAttributes = node->attributes;
	info->IndexNumber = (uintptr_t)node;
}

static NTSTATUS
create(FSP_FILE_SYSTEM *fs, PWSTR name, UINT32 options, UINT32 granted, UINT32 attributes,
       PSECURITY_DESCRIPTOR sd, UINT64 allocation, PVOID *context, FSP_FSCTL_FILE_INFO *info)
{
	struct ram *ram = ram_of(fs);
	struct ram_node made = {.attributes = attributes};

	ram->n_creates++;
	ram->granted_access = granted;
	ram->had_sd = sd != NULL;
	if (ram->create_status)
		return ram->create_status;
	if (find(ram, name))
		return STATUS_OBJECT_NAME_COLLISION;
	*context = ram;
	fill_info(&made, info);
	return STATUS_SUCCESS;
}

static NTSTATUS
open_(FSP_FILE_SYSTEM *fs, PWSTR name, UINT32 options, UINT32 granted, PVOID *context,
      FSP_FSCTL_FILE_INFO *info)
{
	struct ram *ram = ram_of(fs);
	struct ram_node *node = find(ram, name);

	ram->n_opens++;
	ram->granted_access = granted;
	if (!node)
		return STATUS_OBJECT_NAME_NOT_FOUND;
	*context = node;
	fill_info(node, info);
	return STATUS_SUCCESS;
}

static NTSTATUS
overwrite(FSP_FILE_SYSTEM *fs, PVOID context, UINT32 attributes, BOOLEAN replace,
	  UINT64 allocation, FSP_FSCTL_FILE_INFO *info)
{
	struct ram *ram = ram_of(fs);

	ram->n_overwrites++;
	ram->context = context;
	return ram->overwrite_status;
}

static VOID
cleanup(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name, ULONG flags)
{
	struct ram *ram = ram_of(fs);

	ram->n_cleanups++;
	ram->context = context;
	ram->cleanup_flags = flags;
}

static VOID
close_(FSP_FILE_SYSTEM *fs, PVOID context)
{
	ram_of(fs)->n_closes++;
	ram_of(fs)->context = context;
}

static NTSTATUS
resolve(FSP_FILE_SYSTEM *fs, PWSTR name, UINT32 index, BOOLEAN last_too, PIO_STATUS_BLOCK io,
	PVOID buffer, PSIZE_T size)
{
	return FspFileSystemResolveReparsePoints(fs, ram_reparse_by_name, ram_of(fs), name, index,
						 last_too, io, buffer, size);
}

NTSTATUS
ram_create(struct ram *ram, const FSP_FSCTL_VOLUME_PARAMS *params)
{
	static const WCHAR device[] = u"" FSP_FSCTL_DISK_DEVICE_NAME;
	FSP_FSCTL_VOLUME_PARAMS p = {.Version = sizeof(p)};
	NTSTATUS st;

	memset(ram, 0, sizeof(*ram));
	if (params)
		p = *params;
	ram->interface.GetSecurityByName = get_security_by_name;
	ram->interface.Create = create;
	ram->interface.Open = open_;
	ram->interface.Overwrite = overwrite;
	ram->interface.Cleanup = cleanup;
	ram->interface.Close = close_;
	ram->interface.ResolveReparsePoints = resolve;
	st = FspFileSystemCreate((PWSTR)device, &p, &ram->interface, &ram->fs);
	if (NT_SUCCESS(st))
		ram->fs->UserContext = ram;
	return st;
}

void
ram_delete(struct ram *ram)
{
	FspFileSystemDelete(ram->fs);
}

/* ---------------------------------------------------------------- exchanges */

static uint64_t next_hint = 1;

void
exchange_init(struct exchange *x, UINT32 kind, const WCHAR *name)
{
	size_t size = name ? (utf16_len(name) + 1) * sizeof(WCHAR) : 0;

	memset(&x->req, 0, sizeof(x->req));
	memset(&x->rsp, 0, sizeof(x->rsp));
	x->req.Size = (UINT16)(sizeof(x->req) + size);
	x->req.Kind = kind;
	x->req.Hint = __atomic_fetch_add(&next_hint, 1, __ATOMIC_RELAXED);
	x->req.FileName.Size = (UINT16)size;
	if (name)
		memcpy(x->req.Buffer, name, size);
}

void
exchange_create(struct exchange *x, const WCHAR *name, UINT32 disposition, UINT32 options,
		UINT32 desired, UINT32 token)
{
	exchange_init(x, FspFsctlTransactCreateKind, name);
	x->req.Req.Create.CreateOptions = disposition << 24 | options;
	x->req.Req.Create.DesiredAccess = desired;
	x->req.Req.Create.AccessToken = token;
	x->req.Req.Create.UserMode = 1;
	x->req.Req.Create.HasTraversePrivilege = 1;
	for (size_t i = 0; name[i]; i++)
		if (name[i] == ':' && !x->req.Req.Create.NamedStream)
			x->req.Req.Create.NamedStream = (UINT16)(i * sizeof(WCHAR));
}

NTSTATUS
exchange_run(struct exchange *x, struct ram *ram)
{
	x->rsp.Size = sizeof(x->rsp);
	x->rsp.Kind = x->req.Kind;
	x->rsp.Hint = x->req.Hint;
	fsp_transact(fsp_of(ram->fs), (struct fs_req *)&x->req, (struct fs_rsp *)&x->rsp);
	return (NTSTATUS)x->rsp.IoStatus.Status;
}
