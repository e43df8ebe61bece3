/* stat and the information of a file; owner, group and mode and its security descriptor.
 */
#include "examples/passthrough/passthrough.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/status/errno.h"

#define EA_SIZE_FRESH_NS 1000000000ull

NTSTATUS
pt_last_error(void)
{
	return nt_from_errno(errno);
}

int
pt_statx(struct pt_ref ref, struct statx *ret_stx)
{
	int flags =
		AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (*ref.name ? 0 : AT_EMPTY_PATH);

	return statx(ref.fd, ref.name, flags, STATX_BASIC_STATS | STATX_BTIME, ret_stx) <
			       0
		       ? -errno
		       : 0;
}

dev_t
pt_device(const struct statx *stx)
{
	return makedev(stx->stx_dev_major, stx->stx_dev_minor);
}

/* ---------------------------------------------------------------- information */

/* 0 for the source's own file system, then 1, 2, … as they are met. */
static unsigned
device_number(struct pt *pt, dev_t device)
{
	unsigned i;

	if (device == pt->device)
		return 0;
	pthread_mutex_lock(&pt->devices_lock);
	for (i = 0; i < pt->n_devices && pt->devices[i] != device; i++)
		;
	if (i == pt->n_devices && i < PT_DEVICES_MAX)
		pt->devices[pt->n_devices++] = device;
	pthread_mutex_unlock(&pt->devices_lock);
	return i + 1;
}

/*
 * Inode numbers are unique in one file system only. Those of file systems mounted below
 * the source carry the number of theirs in the upper bits.
 */
static uint64_t
index_of(struct pt *pt, const struct statx *stx)
{
	uint64_t number = device_number(pt, pt_device(stx));

	return stx->stx_ino ^ number << 48;
}

static uint64_t
filetime(const struct statx_timestamp *t)
{
	struct timespec ts = {.tv_sec = t->tv_sec, .tv_nsec = t->tv_nsec};

	return filetime_from_timespec(&ts);
}

static uint64_t
birth_of(const struct statx *stx)
{
	return filetime(stx->stx_mask & STATX_BTIME ? &stx->stx_btime : &stx->stx_ctime);
}

static uint32_t
attributes_of(mode_t mode)
{
	if (S_ISDIR(mode))
		return FILE_ATTRIBUTE_DIRECTORY;
	return S_ISREG(mode) ? 0 : FILE_ATTRIBUTE_REPARSE_POINT;
}

static NTSTATUS
fill_info(struct pt *pt, struct pt_ref ref, const struct statx *stx, uint32_t ea_size,
	  FSP_FSCTL_FILE_INFO *info)
{
	bool has_size = S_ISREG(stx->stx_mode) || S_ISDIR(stx->stx_mode);
	uint32_t tag;
	int err = pt_reparse_tag(pt, ref, stx, &tag);

	if (err)
		return nt_from_errno(-err);
	info->FileAttributes = attributes_of(stx->stx_mode);
	info->ReparseTag = tag;
	info->AllocationSize = stx->stx_blocks * 512;
	info->FileSize = has_size ? stx->stx_size : 0;
	info->CreationTime = birth_of(stx);
	info->LastAccessTime = filetime(&stx->stx_atime);
	info->LastWriteTime = filetime(&stx->stx_mtime);
	info->ChangeTime = filetime(&stx->stx_ctime);
	info->IndexNumber = index_of(pt, stx);
	info->HardLinks = stx->stx_nlink;
	info->EaSize = ea_size;
	return STATUS_SUCCESS;
}

NTSTATUS
pt_fill_info(struct pt *pt, struct pt_ref ref, const struct statx *stx,
	     FSP_FSCTL_FILE_INFO *info)
{
	uint32_t ea_size;
	int err = pt_ea_size(ref, stx, &ea_size);

	return err ? nt_from_errno(-err) : fill_info(pt, ref, stx, ea_size, info);
}

static NTSTATUS
file_info(struct pt *pt, struct pt_file *file, bool quick, FSP_FSCTL_FILE_INFO *info)
{
	struct pt_ref ref = pt_ref_of(file);
	uint64_t changes = pt->n_ea_changes, now = clock_monotonic_ns();
	struct statx stx;
	int err = pt_statx(ref, &stx);
	uint32_t ea_size;

	if (err)
		return nt_from_errno(-err);
	pthread_mutex_lock(&file->lock);
	if (!quick || file->ea_changes != changes ||
	    now - file->ea_ns > EA_SIZE_FRESH_NS) {
		err = pt_ea_size(ref, &stx, &file->ea_size);
		file->ea_changes = changes;
		file->ea_ns = err ? 0 : now;
	}
	ea_size = file->ea_size;
	pthread_mutex_unlock(&file->lock);
	return err ? nt_from_errno(-err) : fill_info(pt, ref, &stx, ea_size, info);
}

NTSTATUS
pt_file_info(struct pt *pt, struct pt_file *file, FSP_FSCTL_FILE_INFO *info)
{
	return file_info(pt, file, false, info);
}

NTSTATUS
pt_file_info_quick(struct pt *pt, struct pt_file *file, FSP_FSCTL_FILE_INFO *info)
{
	return file_info(pt, file, true, info);
}

NTSTATUS
pt_get_file_info(FSP_FILE_SYSTEM *fs, PVOID context, FSP_FSCTL_FILE_INFO *info)
{
	return pt_file_info(pt_of(fs), context, info);
}

static struct timespec
time_or_leave(UINT64 time)
{
	return time ? timespec_from_filetime(time)
		    : (struct timespec){.tv_nsec = UTIME_OMIT};
}

/* Linux sets neither birth nor change times, and has no place for the attributes:
 * accepted, as programs that copy files set them all, and without effect. */
NTSTATUS
pt_set_basic_info(FSP_FILE_SYSTEM *fs, PVOID context, UINT32 attributes, UINT64 creation,
		  UINT64 access, UINT64 write, UINT64 change, FSP_FSCTL_FILE_INFO *info)
{
	struct pt_file *file = context;
	struct timespec times[2] = {time_or_leave(access), time_or_leave(write)};

	(void)attributes;
	(void)creation;
	(void)change;
	if ((access || write) && utimensat(file->fd, "", times, AT_EMPTY_PATH) < 0)
		return pt_last_error();
	return pt_file_info(pt_of(fs), file, info);
}

/* ---------------------------------------------------------------- security */

static void
free_mapped(PSECURITY_DESCRIPTOR sd)
{
	FspDeleteSecurityDescriptor(
		sd, (FSP_CREATE_FUNC)FspPosixMapPermissionsToSecurityDescriptor);
}

NTSTATUS
pt_copy_security(const struct statx *stx, PSECURITY_DESCRIPTOR sd, SIZE_T *size)
{
	PSECURITY_DESCRIPTOR mapped;
	NTSTATUS st;

	if (!size)
		return STATUS_SUCCESS;
	st = FspPosixMapPermissionsToSecurityDescriptor(stx->stx_uid, stx->stx_gid,
							stx->stx_mode, &mapped);
	if (!NT_SUCCESS(st))
		return st;
	SIZE_T room = *size;
	*size = GetSecurityDescriptorLength(mapped);
	if (*size > room)
		st = STATUS_BUFFER_OVERFLOW;
	else if (sd)
		memcpy(sd, mapped, *size);
	free_mapped(mapped);
	return st;
}

NTSTATUS
pt_get_security(FSP_FILE_SYSTEM *fs, PVOID context, PSECURITY_DESCRIPTOR sd, SIZE_T *size)
{
	struct statx stx;
	int err = pt_statx(pt_ref_of(context), &stx);

	(void)fs;
	return err ? nt_from_errno(-err) : pt_copy_security(&stx, sd, size);
}

int
pt_chmod(const struct pt_file *file, mode_t mode)
{
	char path[PT_PROC_PATH_SIZE];

	if (S_ISLNK(file->type)) /* Linux has no mode on links */
		return 0;
	pt_proc_path(file->fd, path);
	return chmod(path, mode & 07777) < 0 ? -errno : 0;
}

/* What a file would be after a change of its descriptor. */
static NTSTATUS
modify(const struct statx *stx, SECURITY_INFORMATION info,
       PSECURITY_DESCRIPTOR modification, UINT32 *ret_uid, UINT32 *ret_gid,
       UINT32 *ret_mode)
{
	PSECURITY_DESCRIPTOR current, changed;
	NTSTATUS st = FspPosixMapPermissionsToSecurityDescriptor(
		stx->stx_uid, stx->stx_gid, stx->stx_mode, &current);

	if (!NT_SUCCESS(st))
		return st;
	st = FspSetSecurityDescriptor(current, info, modification, &changed);
	free_mapped(current);
	if (!NT_SUCCESS(st))
		return st;
	st = FspPosixMapSecurityDescriptorToPermissions(changed, ret_uid, ret_gid,
							ret_mode);
	FspDeleteSecurityDescriptor(changed, (FSP_CREATE_FUNC)FspSetSecurityDescriptor);
	return st;
}

bool
pt_sticky_in_descriptor(mode_t mode)
{
	return S_ISDIR(mode) && (mode & 0200) && (mode & 0022);
}

/* The mode that a change of the descriptor leads to: bits that neither the old nor the
 * new one can hold stay. */
static mode_t
mode_from_descriptor(mode_t old, mode_t mode)
{
	bool with_sticky = pt_sticky_in_descriptor(old) ||
			   pt_sticky_in_descriptor((old & S_IFMT) | (mode & 0777));
	mode_t bits = with_sticky ? 01777 : 0777;

	return (mode & bits) | (old & ~bits);
}

NTSTATUS
pt_set_security(FSP_FILE_SYSTEM *fs, PVOID context, SECURITY_INFORMATION info,
		PSECURITY_DESCRIPTOR modification)
{
	struct pt_file *file = context;
	struct pt_ref ref = pt_ref_of(file);
	UINT32 uid, gid, mode;
	struct statx stx;
	int err = pt_statx(ref, &stx);

	(void)fs;
	if (err)
		return nt_from_errno(-err);
	NTSTATUS st = modify(&stx, info, modification, &uid, &gid, &mode);
	if (!NT_SUCCESS(st))
		return st;
	if (uid != stx.stx_uid || gid != stx.stx_gid) {
		if (fchownat(file->fd, "", uid, gid, AT_EMPTY_PATH) < 0)
			return pt_last_error();
		/* The kernel has taken set-id bits away as it saw fit. */
		err = pt_statx(ref, &stx);
	}
	if (!err)
		err = pt_chmod(file, mode_from_descriptor(stx.stx_mode, mode));
	return err ? nt_from_errno(-err) : STATUS_SUCCESS;
}

/* ---------------------------------------------------------------- by name */

static NTSTATUS
find(struct pt *pt, PWSTR name, PUINT32 ret_index, int *ret_fd)
{
	NTSTATUS st = pt_open_path(pt, name, ret_fd);

	if (st == STATUS_REPARSE &&
	    !FspFileSystemFindReparsePoint(pt->fs, pt_reparse_by_name, NULL, name,
					   ret_index))
		st = STATUS_OBJECT_PATH_NOT_FOUND; /* it went away meanwhile */
	return st;
}

NTSTATUS
pt_get_security_by_name(FSP_FILE_SYSTEM *fs, PWSTR name, PUINT32 attributes,
			PSECURITY_DESCRIPTOR sd, SIZE_T *size)
{
	CLEANUP(close_fd) int fd = -1;
	UINT32 index = 0;
	struct statx stx;
	NTSTATUS st = find(pt_of(fs), name, &index, &fd);

	if (st == STATUS_REPARSE && attributes)
		*attributes = index;
	if (st != STATUS_SUCCESS)
		return st;
	int err = pt_statx((struct pt_ref){fd, ""}, &stx);
	if (err)
		return nt_from_errno(-err);
	if (attributes)
		*attributes = attributes_of(stx.stx_mode);
	return pt_copy_security(&stx, sd, size);
}

NTSTATUS
pt_get_info_by_name(FSP_FILE_SYSTEM *fs, PWSTR name, FSP_FSCTL_FILE_INFO *info,
		    PSECURITY_DESCRIPTOR sd, SIZE_T *size)
{
	CLEANUP(close_fd) int fd = -1;
	UINT32 index = 0;
	struct statx stx;
	NTSTATUS st = find(pt_of(fs), name, &index, &fd);

	if (st == STATUS_REPARSE)
		info->FileAttributes = index;
	if (st != STATUS_SUCCESS)
		return st;
	struct pt_ref ref = {fd, ""};
	int err = pt_statx(ref, &stx);
	if (err)
		return nt_from_errno(-err);
	st = pt_fill_info(pt_of(fs), ref, &stx, info);
	return NT_SUCCESS(st) ? pt_copy_security(&stx, sd, size) : st;
}
