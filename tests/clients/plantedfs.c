/*
 * memfs with planted errors, for the POSIX suite: names that begin with edquot- cannot come into
 * being (EDQUOT); what is called eio-… cannot be changed or removed, and nothing but plain files
 * can be made under such a name (EIO).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/status/errno.h"
#include "examples/memfs/memfs.h"

enum { MAX_MARKED = 1024 };

static FSP_FILE_SYSTEM_INTERFACE base;
/* Contexts of files called eio-…; a context is its file's for life, and files are few here. */
static struct {
	pthread_mutex_t lock;
	PVOID context[MAX_MARKED];
	size_t n;
} marked = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool
begins(PWSTR path, const char *prefix)
{
	PWSTR last = path;

	for (PWSTR p = path; *p; p++)
		if (*p == u'\\')
			last = p + 1;
	while (*prefix && *last == (WCHAR)*prefix) {
		prefix++;
		last++;
	}
	return !*prefix;
}

static void
mark(PWSTR name, PVOID context)
{
	bool wanted = begins(name, "eio-");
	size_t at = 0;

	pthread_mutex_lock(&marked.lock);
	while (at < marked.n && marked.context[at] != context)
		at++;
	if (wanted && at == marked.n && marked.n < MAX_MARKED)
		marked.context[marked.n++] = context;
	else if (!wanted && at < marked.n) /* memory of a closed file, used again */
		marked.context[at] = marked.context[--marked.n];
	pthread_mutex_unlock(&marked.lock);
}

static bool
is_marked(PVOID context)
{
	bool found = false;

	pthread_mutex_lock(&marked.lock);
	for (size_t i = 0; i < marked.n; i++)
		found |= marked.context[i] == context;
	pthread_mutex_unlock(&marked.lock);
	return found;
}

/* A new name. plain: of a regular file. */
static NTSTATUS
may_name(PWSTR name, bool plain)
{
	if (begins(name, "edquot-"))
		return nt_from_errno(EDQUOT);
	return begins(name, "eio-") && !plain ? nt_from_errno(EIO) : STATUS_SUCCESS;
}

static NTSTATUS
create_ex(FSP_FILE_SYSTEM *fs, PWSTR name, UINT32 options, UINT32 granted, UINT32 attributes,
	  PSECURITY_DESCRIPTOR sd, UINT64 allocation, PVOID extra, ULONG n_extra,
	  BOOLEAN extra_is_reparse, PVOID *ret_context, FSP_FSCTL_FILE_INFO *info)
{
	NTSTATUS st = may_name(name, !(options & FILE_DIRECTORY_FILE) && !extra);

	if (NT_SUCCESS(st))
		st = base.CreateEx(fs, name, options, granted, attributes, sd, allocation, extra,
				   n_extra, extra_is_reparse, ret_context, info);
	if (NT_SUCCESS(st))
		mark(name, *ret_context);
	return st;
}

static NTSTATUS
open_file(FSP_FILE_SYSTEM *fs, PWSTR name, UINT32 options, UINT32 granted, PVOID *ret_context,
	  FSP_FSCTL_FILE_INFO *info)
{
	NTSTATUS st = base.Open(fs, name, options, granted, ret_context, info);

	if (NT_SUCCESS(st))
		mark(name, *ret_context);
	return st;
}

static NTSTATUS
link_file(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name, PWSTR new_name, BOOLEAN replace,
	  FSP_FSCTL_FILE_INFO *info)
{
	NTSTATUS st = may_name(new_name, false);

	return NT_SUCCESS(st) ? memfs_link(fs, context, name, new_name, replace, info) : st;
}

static NTSTATUS
rename_file(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name, PWSTR new_name, UINT32 flags)
{
	NTSTATUS st = begins(name, "eio-") ? nt_from_errno(EIO) : may_name(new_name, false);

	return NT_SUCCESS(st) ? memfs_rename_posix(fs, context, name, new_name, flags) : st;
}

static NTSTATUS
can_delete(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name)
{
	return begins(name, "eio-") ? nt_from_errno(EIO) : base.CanDelete(fs, context, name);
}

static NTSTATUS
set_basic_info(FSP_FILE_SYSTEM *fs, PVOID context, UINT32 attributes, UINT64 creation,
	       UINT64 access, UINT64 write, UINT64 change, FSP_FSCTL_FILE_INFO *info)
{
	if (is_marked(context))
		return nt_from_errno(EIO);
	return base.SetBasicInfo(fs, context, attributes, creation, access, write, change, info);
}

static NTSTATUS
set_file_size(FSP_FILE_SYSTEM *fs, PVOID context, UINT64 size, BOOLEAN allocation,
	      FSP_FSCTL_FILE_INFO *info)
{
	return is_marked(context) ? nt_from_errno(EIO)
				  : base.SetFileSize(fs, context, size, allocation, info);
}

static NTSTATUS
allocate(FSP_FILE_SYSTEM *fs, PVOID context, UINT32 mode, UINT64 offset, UINT64 length,
	 FSP_FSCTL_FILE_INFO *info)
{
	return is_marked(context) ? nt_from_errno(EIO)
				  : memfs_allocate(fs, context, mode, offset, length, info);
}

static NTSTATUS
set_security(FSP_FILE_SYSTEM *fs, PVOID context, SECURITY_INFORMATION info,
	     PSECURITY_DESCRIPTOR modification)
{
	return is_marked(context) ? nt_from_errno(EIO)
				  : base.SetSecurity(fs, context, info, modification);
}

static NTSTATUS
create(FSPX_PROGRAM *program, FSP_FILE_SYSTEM **ret_fs, char *error, SIZE_T cap)
{
	static FSP_FILE_SYSTEM_INTERFACE planted;
	struct memfs_params params = {.max_nodes = UINT32_MAX,
				      .max_file_size = INT64_MAX,
				      .size = 1ull << 30,
				      .fs_name = "-PLANTED",
				      .mode = 0755};
	struct memfs *memfs;
	NTSTATUS st = memfs_create(&params, &memfs, error, cap);

	(void)program;
	if (!NT_SUCCESS(st))
		return st;
	memfs_interface_init(&base);
	planted = base;
	planted.CreateEx = create_ex;
	planted.Open = open_file;
	planted.CanDelete = can_delete;
	planted.SetBasicInfo = set_basic_info;
	planted.SetFileSize = set_file_size;
	planted.SetSecurity = set_security;
	FspxInterfaceSetLink(&planted, link_file);
	FspxInterfaceSetRenamePosix(&planted, rename_file);
	FspxInterfaceSetAllocate(&planted, allocate);
	memfs->fs->Interface = &planted;
	*ret_fs = memfs->fs;
	return STATUS_SUCCESS;
}

static VOID
destroy(FSPX_PROGRAM *program, FSP_FILE_SYSTEM *fs)
{
	(void)program;
	memfs_delete(memfs_of(fs));
}

int
main(int argc, char **argv)
{
	static const FSPX_OPTION none[] = {{0, NULL, NULL, NULL}};
	FSPX_PROGRAM program = {.Size = sizeof(program),
				.Name = "plantedfs",
				.Version = USERDRIVE_VERSION,
				.Summary = "memfs that fails on purpose",
				.Options = none,
				.Create = create,
				.Delete = destroy};

	return FspxProgramMain(&program, argc, argv);
}
