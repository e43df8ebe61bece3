/* Extended attributes and reparse points. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "examples/memfs/memfs.h"

enum { EA_BYTES_MAX = 64 * 1024 };

/* ---------------------------------------------------------------- extended attributes */

static bool
same_name(const FILE_FULL_EA_INFORMATION *a, const FILE_FULL_EA_INFORMATION *b)
{
	return a->EaNameLength == b->EaNameLength &&
	       strncasecmp(a->EaName, b->EaName, a->EaNameLength) == 0;
}

/* A list under construction. */
struct ea_list {
	PFILE_FULL_EA_INFORMATION list;
	ULONG cap, size;
	UINT32 packed;
	PFILE_FULL_EA_INFORMATION change; /* entry that replaces or deletes its namesake */
};

static NTSTATUS
add_ea(struct ea_list *l, PFILE_FULL_EA_INFORMATION ea)
{
	if (!FspFileSystemAddEa(ea, l->list, l->cap, &l->size))
		return STATUS_EA_TOO_LARGE;
	l->packed += FspFileSystemGetEaPackedSize(ea);
	return STATUS_SUCCESS;
}

static NTSTATUS
keep_others(FSP_FILE_SYSTEM *fs, PVOID context, PFILE_FULL_EA_INFORMATION ea)
{
	struct ea_list *l = context;

	(void)fs;
	return same_name(ea, l->change) ? STATUS_SUCCESS : add_ea(l, ea);
}

/* inode->lock held exclusively. */
static NTSTATUS
apply_one(FSP_FILE_SYSTEM *fs, PVOID context, PFILE_FULL_EA_INFORMATION change)
{
	struct inode *inode = context;
	struct ea_list l = {.cap = EA_BYTES_MAX, .change = change};

	l.list = malloc(l.cap);
	if (!l.list)
		return STATUS_INSUFFICIENT_RESOURCES;
	NTSTATUS st = STATUS_SUCCESS;
	if (inode->ea_size)
		st = FspFileSystemEnumerateEa(fs, keep_others, &l, inode->ea, inode->ea_size);
	if (NT_SUCCESS(st) && change->EaValueLength)
		st = add_ea(&l, change);
	if (!NT_SUCCESS(st)) {
		free(l.list);
		return st;
	}
	FspFileSystemAddEa(NULL, l.list, l.cap, &l.size);
	void *fitted = l.size ? realloc(l.list, l.size) : NULL;
	if (!l.size)
		free(l.list);
	free(inode->ea);
	inode->ea = l.size && !fitted ? l.list : fitted;
	inode->ea_size = l.size;
	inode->ea_packed = l.packed;
	return STATUS_SUCCESS;
}

NTSTATUS
memfs_apply_ea(struct inode *inode, PFILE_FULL_EA_INFORMATION ea, ULONG length)
{
	return FspFileSystemEnumerateEa(NULL, apply_one, inode, ea, length);
}

NTSTATUS
memfs_get_ea(FSP_FILE_SYSTEM *fs, PVOID context, PFILE_FULL_EA_INFORMATION ea, ULONG length,
	     PULONG ret_bytes)
{
	struct inode *inode = ((struct stream *)context)->inode;
	NTSTATUS st = STATUS_SUCCESS;

	(void)fs;
	pthread_rwlock_rdlock(&inode->lock);
	if (inode->ea_size > length) {
		st = STATUS_BUFFER_OVERFLOW;
	} else {
		if (inode->ea_size)
			memcpy(ea, inode->ea, inode->ea_size);
		*ret_bytes = inode->ea_size;
	}
	pthread_rwlock_unlock(&inode->lock);
	return st;
}

NTSTATUS
memfs_set_ea(FSP_FILE_SYSTEM *fs, PVOID context, PFILE_FULL_EA_INFORMATION ea, ULONG length,
	     FSP_FSCTL_FILE_INFO *info)
{
	struct inode *inode = ((struct stream *)context)->inode;

	(void)fs;
	pthread_rwlock_wrlock(&inode->lock);
	NTSTATUS st = memfs_apply_ea(inode, ea, length);
	if (NT_SUCCESS(st))
		inode->change_time = time_now();
	pthread_rwlock_unlock(&inode->lock);
	if (NT_SUCCESS(st))
		memfs_fill_info(context, info);
	return st;
}

/* ---------------------------------------------------------------- reparse points */

NTSTATUS
memfs_install_reparse(struct inode *inode, const void *buffer, size_t size)
{
	void *copy = malloc(size);

	if (!copy)
		return STATUS_INSUFFICIENT_RESOURCES;
	memcpy(copy, buffer, size);
	free(inode->reparse);
	inode->reparse = copy;
	inode->reparse_size = size;
	inode->attributes |= FILE_ATTRIBUTE_REPARSE_POINT;
	memcpy(&inode->reparse_tag, buffer, sizeof(inode->reparse_tag));
	return STATUS_SUCCESS;
}

/* inode->lock held. */
static NTSTATUS
copy_reparse(const struct inode *inode, PVOID buffer, PSIZE_T size)
{
	if (!(inode->attributes & FILE_ATTRIBUTE_REPARSE_POINT))
		return STATUS_NOT_A_REPARSE_POINT;
	if (buffer) {
		if (inode->reparse_size > *size)
			return STATUS_BUFFER_TOO_SMALL;
		*size = inode->reparse_size;
		memcpy(buffer, inode->reparse, inode->reparse_size);
	}
	return STATUS_SUCCESS;
}

NTSTATUS
memfs_get_reparse(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name, PVOID buffer, PSIZE_T size)
{
	struct inode *inode = ((struct stream *)context)->inode;

	(void)fs;
	(void)name;
	pthread_rwlock_rdlock(&inode->lock);
	NTSTATUS st = copy_reparse(inode, buffer, size);
	pthread_rwlock_unlock(&inode->lock);
	return st;
}

static NTSTATUS
reparse_by_name(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name, BOOLEAN is_directory, PVOID buffer,
		PSIZE_T size)
{
	struct tree *t = &memfs_of(fs)->tree;
	struct walk w;

	(void)context;
	(void)is_directory;
	pthread_rwlock_rdlock(&t->lock);
	NTSTATUS st = tree_walk(t, name, &w, NULL);
	if (st == STATUS_SUCCESS && !w.inode)
		st = STATUS_OBJECT_NAME_NOT_FOUND;
	if (st == STATUS_SUCCESS) {
		pthread_rwlock_rdlock(&w.inode->lock);
		st = copy_reparse(w.inode, buffer, size);
		pthread_rwlock_unlock(&w.inode->lock);
	}
	pthread_rwlock_unlock(&t->lock);
	return st;
}

NTSTATUS
memfs_resolve_reparse(FSP_FILE_SYSTEM *fs, PWSTR name, UINT32 index, BOOLEAN resolve_last,
		      PIO_STATUS_BLOCK io_status, PVOID buffer, PSIZE_T size)
{
	return FspFileSystemResolveReparsePoints(fs, reparse_by_name, NULL, name, index,
						 resolve_last, io_status, buffer, size);
}

NTSTATUS
memfs_set_reparse(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name, PVOID buffer, SIZE_T size)
{
	struct tree *t = &memfs_of(fs)->tree;
	struct inode *inode = ((struct stream *)context)->inode;
	NTSTATUS st = STATUS_SUCCESS;

	(void)name;
	pthread_rwlock_rdlock(&t->lock);
	pthread_rwlock_wrlock(&inode->lock);
	if (inode->n_live)
		st = STATUS_DIRECTORY_NOT_EMPTY;
	else if (inode->reparse)
		st = FspFileSystemCanReplaceReparsePoint(inode->reparse, inode->reparse_size,
							 buffer, size);
	if (NT_SUCCESS(st))
		st = memfs_install_reparse(inode, buffer, size);
	if (NT_SUCCESS(st))
		inode->change_time = time_now();
	pthread_rwlock_unlock(&inode->lock);
	pthread_rwlock_unlock(&t->lock);
	return st;
}

NTSTATUS
memfs_delete_reparse(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name, PVOID buffer, SIZE_T size)
{
	struct inode *inode = ((struct stream *)context)->inode;
	NTSTATUS st;

	(void)fs;
	(void)name;
	pthread_rwlock_wrlock(&inode->lock);
	if (!inode->reparse)
		st = STATUS_NOT_A_REPARSE_POINT;
	else
		st = FspFileSystemCanReplaceReparsePoint(inode->reparse, inode->reparse_size,
							 buffer, size);
	if (NT_SUCCESS(st)) {
		free(inode->reparse);
		inode->reparse = NULL;
		inode->reparse_size = 0;
		inode->reparse_tag = 0;
		inode->attributes &= ~FILE_ATTRIBUTE_REPARSE_POINT;
		inode->change_time = time_now();
	}
	pthread_rwlock_unlock(&inode->lock);
	return st;
}
