/* Opens, information, security, deletion; the interface table; life of the volume. */
#include "examples/memfs/memfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SECTOR = 512 };

static bool
is_directory(const struct inode *inode)
{
	return (inode->attributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
}

static uint64_t
allocation_of(const struct stream *s)
{
	uint64_t rounded = (s->data.size + SECTOR - 1) & ~(uint64_t)(SECTOR - 1);
	uint64_t written = s->data.n_pages * DATA_PAGE;
	uint64_t reserved = (s->reserved + SECTOR - 1) & ~(uint64_t)(SECTOR - 1);

	/* A hole takes nothing; the rest of the last page is not the file's. */
	if (written > rounded)
		written = rounded;
	return written > reserved ? written : reserved;
}

void
memfs_fill_info(const struct stream *s, FSP_FSCTL_FILE_INFO *info)
{
	struct inode *inode = s->inode;

	pthread_rwlock_rdlock(&inode->lock);
	info->FileAttributes = inode->attributes;
	info->ReparseTag = inode->reparse_tag;
	info->FileSize = s->data.size;
	info->AllocationSize = allocation_of(s);
	info->CreationTime = inode->creation_time;
	info->LastAccessTime = inode->last_access_time;
	info->LastWriteTime = inode->last_write_time;
	info->ChangeTime = inode->change_time;
	info->IndexNumber = inode->index;
	info->HardLinks = inode->nlink;
	info->EaSize = inode->ea_packed;
	pthread_rwlock_unlock(&inode->lock);
}

/* ---------------------------------------------------------------- volume */

static NTSTATUS
fill_volume_info(struct memfs *memfs, FSP_FSCTL_VOLUME_INFO *info)
{
	uint64_t used = memfs->tree.budget.used;

	info->TotalSize = memfs->tree.budget.limit;
	info->FreeSize = used < info->TotalSize ? info->TotalSize - used : 0;
	pthread_mutex_lock(&memfs->label_lock);
	info->VolumeLabelLength = memfs->label_size;
	memcpy(info->VolumeLabel, memfs->label, memfs->label_size);
	pthread_mutex_unlock(&memfs->label_lock);
	return STATUS_SUCCESS;
}

static NTSTATUS
get_volume_info(FSP_FILE_SYSTEM *fs, FSP_FSCTL_VOLUME_INFO *info)
{
	return fill_volume_info(memfs_of(fs), info);
}

static NTSTATUS
set_volume_label(FSP_FILE_SYSTEM *fs, PWSTR label, FSP_FSCTL_VOLUME_INFO *info)
{
	struct memfs *memfs = memfs_of(fs);
	size_t n = wide_len(label);

	if (n > 32)
		n = 32;
	pthread_mutex_lock(&memfs->label_lock);
	memfs->label_size = (UINT16)(n * sizeof(WCHAR));
	memcpy(memfs->label, label, memfs->label_size);
	pthread_mutex_unlock(&memfs->label_lock);
	return fill_volume_info(memfs, info);
}

/* ---------------------------------------------------------------- security */

/* inode->lock held. */
static NTSTATUS
copy_security(const struct inode *inode, PSECURITY_DESCRIPTOR sd, SIZE_T *size)
{
	if (!size)
		return STATUS_SUCCESS;
	SIZE_T room = *size;
	*size = inode->sd_size;
	if (inode->sd_size > room)
		return STATUS_BUFFER_OVERFLOW;
	if (sd)
		memcpy(sd, inode->sd, inode->sd_size);
	return STATUS_SUCCESS;
}

/* Finds what a path names; tree->lock held. The stream is NULL when only the main file is there. */
static NTSTATUS
find(struct tree *t, PWSTR name, struct walk *w, UINT32 *ret_index)
{
	NTSTATUS st = tree_walk(t, name, w, ret_index);

	if (st == STATUS_SUCCESS && !w->inode)
		return STATUS_OBJECT_NAME_NOT_FOUND;
	return st;
}

static NTSTATUS
get_security_by_name(FSP_FILE_SYSTEM *fs, PWSTR name, PUINT32 attributes, PSECURITY_DESCRIPTOR sd,
		     SIZE_T *size)
{
	struct tree *t = &memfs_of(fs)->tree;
	struct walk w;

	pthread_rwlock_rdlock(&t->lock);
	NTSTATUS st = find(t, name, &w, attributes);
	if (st == STATUS_SUCCESS && w.stream &&
	    !inode_find_stream(t, w.inode, w.stream, w.n_stream))
		st = STATUS_OBJECT_NAME_NOT_FOUND;
	if (st == STATUS_SUCCESS) {
		pthread_rwlock_rdlock(&w.inode->lock);
		if (attributes)
			*attributes = w.stream ? w.inode->attributes & ~FILE_ATTRIBUTE_DIRECTORY
					       : w.inode->attributes;
		st = copy_security(w.inode, sd, size);
		pthread_rwlock_unlock(&w.inode->lock);
	}
	pthread_rwlock_unlock(&t->lock);
	return st;
}

static NTSTATUS
get_info_by_name(FSP_FILE_SYSTEM *fs, PWSTR name, FSP_FSCTL_FILE_INFO *info,
		 PSECURITY_DESCRIPTOR sd, SIZE_T *size)
{
	struct tree *t = &memfs_of(fs)->tree;
	struct walk w;
	UINT32 index = 0;

	pthread_rwlock_rdlock(&t->lock);
	NTSTATUS st = find(t, name, &w, &index);
	if (st == STATUS_SUCCESS) {
		const struct stream *s = w.inode->unnamed;

		if (w.stream)
			s = inode_find_stream(t, w.inode, w.stream, w.n_stream);
		if (s) {
			memfs_fill_info(s, info);
			pthread_rwlock_rdlock(&w.inode->lock);
			st = copy_security(w.inode, sd, size);
			pthread_rwlock_unlock(&w.inode->lock);
		} else {
			st = STATUS_OBJECT_NAME_NOT_FOUND;
		}
	} else if (st == STATUS_REPARSE) {
		info->FileAttributes = index;
	}
	pthread_rwlock_unlock(&t->lock);
	return st;
}

static NTSTATUS
get_security(FSP_FILE_SYSTEM *fs, PVOID context, PSECURITY_DESCRIPTOR sd, SIZE_T *size)
{
	struct inode *inode = ((struct stream *)context)->inode;

	(void)fs;
	pthread_rwlock_rdlock(&inode->lock);
	NTSTATUS st = copy_security(inode, sd, size);
	pthread_rwlock_unlock(&inode->lock);
	return st;
}

/* inode->lock held exclusively, or the inode not yet visible. */
static NTSTATUS
install_security(struct inode *inode, const void *sd, size_t size)
{
	void *copy = malloc(size);

	if (!copy)
		return STATUS_INSUFFICIENT_RESOURCES;
	memcpy(copy, sd, size);
	free(inode->sd);
	inode->sd = copy;
	inode->sd_size = size;
	return STATUS_SUCCESS;
}

static NTSTATUS
set_security(FSP_FILE_SYSTEM *fs, PVOID context, SECURITY_INFORMATION info,
	     PSECURITY_DESCRIPTOR modification)
{
	struct inode *inode = ((struct stream *)context)->inode;
	PSECURITY_DESCRIPTOR sd = NULL;

	(void)fs;
	pthread_rwlock_wrlock(&inode->lock);
	NTSTATUS st = FspSetSecurityDescriptor(inode->sd, info, modification, &sd);
	if (NT_SUCCESS(st)) {
		st = install_security(inode, sd, GetSecurityDescriptorLength(sd));
		FspDeleteSecurityDescriptor(sd, FspSetSecurityDescriptor);
	}
	if (NT_SUCCESS(st))
		inode->change_time = time_now();
	pthread_rwlock_unlock(&inode->lock);
	return st;
}

/* ---------------------------------------------------------------- create, open, close */

static void
give_true_name(struct tree *t, const struct walk *w, const struct stream *s,
	       FSP_FSCTL_FILE_INFO *info)
{
	FSP_FSCTL_OPEN_FILE_INFO *open = FspFileSystemGetOpenFileInfo(info);

	if (!t->fold_case)
		return; /* the name asked for is the true one */
	size_t n = walk_true_name(t, w, s, open->NormalizedName,
				  open->NormalizedNameSize / sizeof(WCHAR));
	if (n && n * sizeof(WCHAR) <= FSP_FSCTL_TRANSACT_PATH_SIZEMAX)
		open->NormalizedNameSize = (UINT16)(n * sizeof(WCHAR));
}

/* What a new file starts with besides its name. */
struct birth {
	UINT32 options, attributes;
	PSECURITY_DESCRIPTOR sd;
	UINT64 allocation;
	PVOID extra;
	ULONG n_extra;
	BOOLEAN extra_is_reparse;
};

static NTSTATUS
dress_inode(struct inode *inode, const struct birth *b)
{
	NTSTATUS st = STATUS_SUCCESS;

	inode->attributes = b->attributes;
	if (!(b->options & FILE_DIRECTORY_FILE))
		inode->attributes |= FILE_ATTRIBUTE_ARCHIVE;
	inode->unnamed->reserved = b->allocation;
	if (b->sd)
		st = install_security(inode, b->sd, GetSecurityDescriptorLength(b->sd));
	if (NT_SUCCESS(st) && b->extra && b->extra_is_reparse)
		st = memfs_install_reparse(inode, b->extra, b->n_extra);
	else if (NT_SUCCESS(st) && b->extra)
		st = memfs_apply_ea(inode, b->extra, b->n_extra);
	return st;
}

/* tree->lock held exclusively. */
static NTSTATUS
create_main(struct tree *t, const struct walk *w, const struct birth *b, struct stream **ret_stream)
{
	struct inode *inode;

	if (w->dir->nlink == 0) /* removed, but somebody's working directory */
		return STATUS_OBJECT_PATH_NOT_FOUND;
	NTSTATUS st = inode_create(t, (b->options & FILE_DIRECTORY_FILE) != 0, &inode);
	if (!NT_SUCCESS(st))
		return st;
	inode->refs++; /* ours, until the name or the context holds it */
	st = dress_inode(inode, b);
	if (NT_SUCCESS(st))
		st = tree_link(t, w->dir, w->last, w->n_last, inode);
	if (NT_SUCCESS(st)) {
		inode->change_time = inode->creation_time;
		stream_open(inode->unnamed);
		*ret_stream = inode->unnamed;
	}
	inode_release(t, inode);
	return st;
}

static NTSTATUS
create_stream(struct tree *t, const struct walk *w, const struct birth *b,
	      struct stream **ret_stream)
{
	if (!w->inode)
		return STATUS_OBJECT_NAME_NOT_FOUND;
	if (inode_find_stream(t, w->inode, w->stream, w->n_stream))
		return STATUS_OBJECT_NAME_COLLISION;
	NTSTATUS st = stream_create(t, w->inode, w->stream, w->n_stream, ret_stream);
	if (NT_SUCCESS(st)) {
		(*ret_stream)->reserved = b->allocation;
		stream_open(*ret_stream);
	}
	return st;
}

static NTSTATUS
create_ex(FSP_FILE_SYSTEM *fs, PWSTR name, UINT32 options, UINT32 granted, UINT32 attributes,
	  PSECURITY_DESCRIPTOR sd, UINT64 allocation, PVOID extra, ULONG n_extra,
	  BOOLEAN extra_is_reparse, PVOID *ret_context, FSP_FSCTL_FILE_INFO *info)
{
	struct memfs *memfs = memfs_of(fs);
	struct tree *t = &memfs->tree;
	struct birth birth = {options, attributes, sd, allocation, extra, n_extra,
			      extra_is_reparse};
	struct stream *s = NULL;
	struct walk w;

	(void)granted;
	if (allocation > memfs->max_file_size)
		return STATUS_DISK_FULL;
	pthread_rwlock_wrlock(&t->lock);
	NTSTATUS st = tree_walk(t, name, &w, NULL);
	if (st == STATUS_REPARSE)
		st = STATUS_OBJECT_PATH_NOT_FOUND;
	if (NT_SUCCESS(st) && w.stream)
		st = create_stream(t, &w, &birth, &s);
	else if (NT_SUCCESS(st))
		st = w.inode ? STATUS_OBJECT_NAME_COLLISION : create_main(t, &w, &birth, &s);
	if (NT_SUCCESS(st)) {
		memfs_fill_info(s, info);
		w.entry = w.n_last ? tree_find(t, w.dir, w.last, w.n_last) : NULL;
		give_true_name(t, &w, s, info);
		*ret_context = s;
	}
	pthread_rwlock_unlock(&t->lock);
	return st;
}

static bool
has_need_ea(const struct inode *inode)
{
	for (ULONG at = 0; at < inode->ea_size;) {
		const FILE_FULL_EA_INFORMATION *ea = (const void *)((UINT8 *)inode->ea + at);

		if (ea->Flags & FILE_NEED_EA)
			return true;
		if (!ea->NextEntryOffset)
			return false;
		at += ea->NextEntryOffset;
	}
	return false;
}

static NTSTATUS
open_file(FSP_FILE_SYSTEM *fs, PWSTR name, UINT32 options, UINT32 granted, PVOID *ret_context,
	  FSP_FSCTL_FILE_INFO *info)
{
	struct tree *t = &memfs_of(fs)->tree;
	struct stream *s;
	struct walk w;

	(void)granted;
	pthread_rwlock_rdlock(&t->lock);
	NTSTATUS st = find(t, name, &w, NULL);
	if (st == STATUS_REPARSE)
		st = STATUS_OBJECT_PATH_NOT_FOUND;
	if (st == STATUS_SUCCESS) {
		s = w.stream ? inode_find_stream(t, w.inode, w.stream, w.n_stream)
			     : w.inode->unnamed;
		if (!s)
			st = STATUS_OBJECT_NAME_NOT_FOUND;
	}
	if (st == STATUS_SUCCESS && (options & FILE_NO_EA_KNOWLEDGE)) {
		pthread_rwlock_rdlock(&w.inode->lock);
		if (has_need_ea(w.inode))
			st = STATUS_ACCESS_DENIED;
		pthread_rwlock_unlock(&w.inode->lock);
	}
	if (st == STATUS_SUCCESS) {
		stream_open(s);
		memfs_fill_info(s, info);
		give_true_name(t, &w, s, info);
		*ret_context = s;
	}
	pthread_rwlock_unlock(&t->lock);
	return st;
}

static NTSTATUS
overwrite_ex(FSP_FILE_SYSTEM *fs, PVOID context, UINT32 attributes, BOOLEAN replace,
	     UINT64 allocation, PFILE_FULL_EA_INFORMATION ea, ULONG n_ea, FSP_FSCTL_FILE_INFO *info)
{
	struct tree *t = &memfs_of(fs)->tree;
	struct stream *s = context;
	struct inode *inode = s->inode;
	NTSTATUS st = STATUS_SUCCESS;

	if (allocation > memfs_of(fs)->max_file_size)
		return STATUS_DISK_FULL;
	pthread_rwlock_wrlock(&t->lock);
	while (s == inode->unnamed && inode->streams)
		stream_unlink(inode->streams);
	pthread_rwlock_wrlock(&inode->lock);
	data_set_size(&s->data, 0);
	s->reserved = allocation;
	if (s == inode->unnamed) {
		free(inode->ea);
		inode->ea = NULL;
		inode->ea_size = inode->ea_packed = 0;
		if (ea)
			st = memfs_apply_ea(inode, ea, n_ea);
		attributes |= FILE_ATTRIBUTE_ARCHIVE;
		inode->attributes = replace ? attributes : inode->attributes | attributes;
	}
	inode->last_access_time = inode->last_write_time = inode->change_time = time_now();
	pthread_rwlock_unlock(&inode->lock);
	pthread_rwlock_unlock(&t->lock);
	if (NT_SUCCESS(st))
		memfs_fill_info(s, info);
	return st;
}

/* Removes the name, or the stream. The engine has made sure that it may go, but a directory can
 * have been filled since: then it silently stays. */
static void
remove_name(struct tree *t, struct stream *s, PWSTR name)
{
	struct walk w;

	pthread_rwlock_wrlock(&t->lock);
	if (s->n_units) {
		if (!s->unlinked)
			stream_unlink(s);
	} else if (tree_walk(t, name, &w, NULL) == STATUS_SUCCESS && w.entry &&
		   w.inode == s->inode && s->inode->n_live == 0) {
		tree_unlink(t, w.entry);
	}
	pthread_rwlock_unlock(&t->lock);
}

static VOID
cleanup(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name, ULONG flags)
{
	struct stream *s = context;
	struct inode *inode = s->inode;
	uint64_t now = time_now();

	pthread_rwlock_wrlock(&inode->lock);
	if (flags & FspCleanupSetAllocationSize) {
		s->reserved = 0;
		data_punch(&s->data, s->data.size, INT64_MAX - s->data.size);
	}
	if ((flags & FspCleanupSetArchiveBit) && !is_directory(inode))
		inode->attributes |= FILE_ATTRIBUTE_ARCHIVE;
	if (flags & FspCleanupSetLastAccessTime)
		inode->last_access_time = now;
	/* Writes have set these times already, at the write: not again here. */
	if ((flags & FspCleanupSetLastWriteTime) && inode->last_write_time == 0)
		inode->last_write_time = now;
	if ((flags & FspCleanupSetChangeTime) && inode->change_time == 0)
		inode->change_time = now;
	pthread_rwlock_unlock(&inode->lock);
	if (flags & FspCleanupDelete)
		remove_name(&memfs_of(fs)->tree, s, name);
}

static VOID
close_file(FSP_FILE_SYSTEM *fs, PVOID context)
{
	stream_close(&memfs_of(fs)->tree, context);
}

/* ---------------------------------------------------------------- information, deletion */

static NTSTATUS
get_file_info(FSP_FILE_SYSTEM *fs, PVOID context, FSP_FSCTL_FILE_INFO *info)
{
	(void)fs;
	memfs_fill_info(context, info);
	return STATUS_SUCCESS;
}

static NTSTATUS
set_basic_info(FSP_FILE_SYSTEM *fs, PVOID context, UINT32 attributes, UINT64 creation,
	       UINT64 access, UINT64 write, UINT64 change, FSP_FSCTL_FILE_INFO *info)
{
	struct inode *inode = ((struct stream *)context)->inode;

	(void)fs;
	pthread_rwlock_wrlock(&inode->lock);
	if (attributes != INVALID_FILE_ATTRIBUTES)
		inode->attributes = (attributes & ~FILE_ATTRIBUTE_REPARSE_POINT) |
				    (inode->attributes & FILE_ATTRIBUTE_REPARSE_POINT);
	if (creation)
		inode->creation_time = creation;
	if (access)
		inode->last_access_time = access;
	if (write)
		inode->last_write_time = write;
	inode->change_time = change ? change : time_now();
	pthread_rwlock_unlock(&inode->lock);
	memfs_fill_info(context, info);
	return STATUS_SUCCESS;
}

static NTSTATUS
can_delete(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name)
{
	struct tree *t = &memfs_of(fs)->tree;
	struct stream *s = context;

	(void)name;
	if (s->n_units)
		return STATUS_SUCCESS;
	pthread_rwlock_rdlock(&t->lock);
	NTSTATUS st = s->inode->n_live ? STATUS_DIRECTORY_NOT_EMPTY : STATUS_SUCCESS;
	pthread_rwlock_unlock(&t->lock);
	return st;
}

/* The test control: letters come back turned by 13. CTL_CODE(0x8000 + 'M', 'R', BUFFERED, ANY) */
#define MEMFS_CONTROL_ROT13 ((0x8000u + 'M') << 16 | ('R' << 2))

static NTSTATUS
control(FSP_FILE_SYSTEM *fs, PVOID context, UINT32 code, PVOID in, ULONG n_in, PVOID out,
	ULONG n_out, PULONG ret_bytes)
{
	(void)fs;
	(void)context;
	if (code != MEMFS_CONTROL_ROT13)
		return STATUS_INVALID_DEVICE_REQUEST;
	if (n_out < n_in)
		return STATUS_BUFFER_TOO_SMALL;
	for (ULONG i = 0; i < n_in; i++) {
		UINT8 c = ((UINT8 *)in)[i];

		if (c >= 'a' && c <= 'z')
			c = (UINT8)('a' + (c - 'a' + 13) % 26);
		else if (c >= 'A' && c <= 'Z')
			c = (UINT8)('A' + (c - 'A' + 13) % 26);
		((UINT8 *)out)[i] = c;
	}
	*ret_bytes = n_in;
	return STATUS_SUCCESS;
}

/* ---------------------------------------------------------------- the table */

const FSP_FILE_SYSTEM_INTERFACE memfs_interface_base = {
	.GetVolumeInfo = get_volume_info,
	.SetVolumeLabel = set_volume_label,
	.GetSecurityByName = get_security_by_name,
	.CreateEx = create_ex,
	.Open = open_file,
	.OverwriteEx = overwrite_ex,
	.Cleanup = cleanup,
	.Close = close_file,
	.Read = memfs_read,
	.Write = memfs_write,
	.Flush = memfs_flush,
	.GetFileInfo = get_file_info,
	.SetBasicInfo = set_basic_info,
	.SetFileSize = memfs_set_file_size,
	.CanDelete = can_delete,
	.Rename = memfs_rename,
	.GetSecurity = get_security,
	.SetSecurity = set_security,
	.ReadDirectory = memfs_read_directory,
	.ResolveReparsePoints = memfs_resolve_reparse,
	.GetReparsePoint = memfs_get_reparse,
	.SetReparsePoint = memfs_set_reparse,
	.DeleteReparsePoint = memfs_delete_reparse,
	.GetStreamInfo = memfs_get_streams,
	.GetDirInfoByName = memfs_get_dir_info,
	.Control = control,
	.GetEa = memfs_get_ea,
	.SetEa = memfs_set_ea,
	.DispatcherStopped = FspFileSystemStopServiceIfNecessary,
};

void
memfs_interface_init(FSP_FILE_SYSTEM_INTERFACE *interface)
{
	*interface = memfs_interface_base;
	FspxInterfaceSetLink(interface, memfs_link);
	FspxInterfaceSetQueryRanges(interface, memfs_query_ranges);
	FspxInterfaceSetAllocate(interface, memfs_allocate);
	FspxInterfaceSetCopyRange(interface, memfs_copy_range);
	FspxInterfaceSetGetInfoByName(interface, get_info_by_name);
	FspxInterfaceSetRenamePosix(interface, memfs_rename_posix);
}

/* ---------------------------------------------------------------- life */

static void
copy_wide(WCHAR *dst, size_t cap, const char *src)
{
	size_t i = 0;

	for (; src[i] && i + 1 < cap; i++)
		dst[i] = (WCHAR)(unsigned char)src[i];
	dst[i] = 0;
}

static void
fill_params(const struct memfs_params *p, FSP_FSCTL_VOLUME_PARAMS *v)
{
	memset(v, 0, sizeof(*v));
	v->Version = sizeof(*v);
	v->SectorSize = SECTOR;
	v->SectorsPerAllocationUnit = 1;
	v->VolumeCreationTime = time_now();
	v->VolumeSerialNumber = (UINT32)(time_now() / 10000000);
	v->FileInfoTimeout = p->file_info_timeout;
	v->CaseSensitiveSearch = !p->case_insensitive;
	v->CasePreservedNames = 1;
	v->UnicodeOnDisk = 1;
	v->PersistentAcls = 1;
	v->ReparsePoints = 1;
	v->NamedStreams = 1;
	v->HardLinks = 1;
	v->ExtendedAttributes = 1;
	v->CasePreservedExtendedAttributes = 1;
	v->PostCleanupWhenModifiedOnly = 1;
	v->PassQueryDirectoryFileName = 1;
	v->FlushAndPurgeOnCleanup = p->flush_and_purge;
	v->DeviceControl = 1;
	v->WslFeatures = 1;
	v->AllowOpenInKernelMode = 1;
	v->DirectoryMarkerAsNextOffset = 1;
	v->RejectIrpPriorToTransact0 = 1;
	v->SupportsPosixUnlinkRename = !p->legacy_unlink_rename;
	if (p->prefix)
		copy_wide(v->Prefix, sizeof(v->Prefix) / sizeof(WCHAR), p->prefix);
	copy_wide(v->FileSystemName, sizeof(v->FileSystemName) / sizeof(WCHAR), p->fs_name);
}

static NTSTATUS
make_root_security(const struct memfs_params *p, PSECURITY_DESCRIPTOR *ret_sd)
{
	if (!p->root_sddl)
		return FspPosixMapPermissionsToSecurityDescriptor(
			geteuid(), getegid(), 040000 | (p->mode & 07777), ret_sd);
	WCHAR *wide = malloc((strlen(p->root_sddl) + 1) * sizeof(WCHAR));
	if (!wide)
		return STATUS_INSUFFICIENT_RESOURCES;
	copy_wide(wide, strlen(p->root_sddl) + 1, p->root_sddl);
	BOOL ok = ConvertStringSecurityDescriptorToSecurityDescriptorW(wide, SDDL_REVISION_1,
								       ret_sd, NULL);
	free(wide);
	return ok ? STATUS_SUCCESS : FspNtStatusFromWin32(GetLastError());
}

static void
free_root_security(const struct memfs_params *p, PSECURITY_DESCRIPTOR sd)
{
	if (p->root_sddl)
		LocalFree(sd);
	else
		FspDeleteSecurityDescriptor(
			sd, FspPosixMapPermissionsToSecurityDescriptor);
}

NTSTATUS
memfs_create(const struct memfs_params *p, struct memfs **ret_memfs, char *error, size_t error_size)
{
	static FSP_FILE_SYSTEM_INTERFACE interface;
	FSP_FSCTL_VOLUME_PARAMS volume;
	PSECURITY_DESCRIPTOR sd;

	memfs_interface_init(&interface);
	NTSTATUS st = make_root_security(p, &sd);
	if (!NT_SUCCESS(st)) {
		snprintf(error, error_size, "-S: '%s' is not a security descriptor in SDDL form",
			 p->root_sddl ? p->root_sddl : "");
		return st;
	}
	struct memfs *memfs = calloc(1, sizeof(*memfs));
	if (!memfs || tree_init(&memfs->tree, p->case_insensitive, p->max_nodes, p->size, sd,
				GetSecurityDescriptorLength(sd))) {
		free_root_security(p, sd);
		free(memfs);
		snprintf(error, error_size, "not enough memory");
		return STATUS_INSUFFICIENT_RESOURCES;
	}
	free_root_security(p, sd);
	memfs->max_file_size = p->max_file_size;
	memfs->label_size = 5 * sizeof(WCHAR);
	memcpy(memfs->label, u"MEMFS", memfs->label_size);
	pthread_mutex_init(&memfs->label_lock, NULL);
	slowio_init(&memfs->slowio, p);
	fill_params(p, &volume);
	st = FspFileSystemCreate(p->prefix ? (PWSTR)u"" FSP_FSCTL_NET_DEVICE_NAME
					   : (PWSTR)u"" FSP_FSCTL_DISK_DEVICE_NAME,
				 &volume, &interface, &memfs->fs);
	if (!NT_SUCCESS(st)) {
		snprintf(error, error_size, "the file system could not be created (status %08x)%s",
			 (unsigned)st, p->prefix ? "; is -u of the form \\Server\\Share?" : "");
		memfs_delete(memfs);
		return st;
	}
	memfs->fs->UserContext = memfs;
	*ret_memfs = memfs;
	return STATUS_SUCCESS;
}

void
memfs_delete(struct memfs *memfs)
{
	if (memfs->fs)
		FspFileSystemDelete(memfs->fs);
	slowio_fini(&memfs->slowio);
	tree_fini(&memfs->tree);
	pthread_mutex_destroy(&memfs->label_lock);
	free(memfs);
}
