/* The volume: its life, its parameters, the interface table. */
#include "examples/passthrough/passthrough.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/status/errno.h"
#include "base/text/names.h"

enum { SECTOR = 512 };

/* ---------------------------------------------------------------- volume information */

static NTSTATUS
get_volume_info(FSP_FILE_SYSTEM *fs, FSP_FSCTL_VOLUME_INFO *info)
{
	struct pt *pt = pt_of(fs);
	struct statvfs st;

	if (fstatvfs(pt->root, &st) < 0)
		return pt_last_error();
	info->TotalSize = (UINT64)st.f_blocks * st.f_frsize;
	info->FreeSize = (UINT64)st.f_bavail * st.f_frsize;
	info->VolumeLabelLength = (UINT16)(pt->n_label * sizeof(WCHAR));
	memcpy(info->VolumeLabel, pt->label, info->VolumeLabelLength);
	return STATUS_SUCCESS;
}

/* ---------------------------------------------------------------- the table */

/* The library keeps a pointer to it. */
FSP_FILE_SYSTEM_INTERFACE pt_interface = {
	.GetVolumeInfo = get_volume_info,
	.GetSecurityByName = pt_get_security_by_name,
	.CreateEx = pt_create_ex,
	.Open = pt_open_file,
	.OverwriteEx = pt_overwrite_ex,
	.Cleanup = pt_cleanup,
	.Close = pt_close_file,
	.Read = pt_read,
	.Write = pt_write,
	.Flush = pt_flush,
	.GetFileInfo = pt_get_file_info,
	.SetBasicInfo = pt_set_basic_info,
	.SetFileSize = pt_set_file_size,
	.CanDelete = pt_can_delete,
	.Rename = pt_rename,
	.GetSecurity = pt_get_security,
	.SetSecurity = pt_set_security,
	.ReadDirectory = pt_read_directory,
	.ResolveReparsePoints = pt_resolve_reparse,
	.GetReparsePoint = pt_get_reparse,
	.SetReparsePoint = pt_set_reparse,
	.DeleteReparsePoint = pt_delete_reparse,
	.GetDirInfoByName = pt_get_dir_info,
	.GetEa = pt_get_ea,
	.SetEa = pt_set_ea,
	.DispatcherStopped = FspFileSystemStopServiceIfNecessary,
};

void
pt_interface_init(void)
{
	FspxInterfaceSetLink(&pt_interface, pt_link);
	FspxInterfaceSetQueryRanges(&pt_interface, pt_query_ranges);
	FspxInterfaceSetAllocate(&pt_interface, pt_allocate);
	FspxInterfaceSetCopyRange(&pt_interface, pt_copy_range);
	FspxInterfaceSetGetBacking(&pt_interface, pt_get_backing);
	FspxInterfaceSetGetInfoByName(&pt_interface, pt_get_info_by_name);
	FspxInterfaceSetRenamePosix(&pt_interface, pt_rename_posix);
}

/* ---------------------------------------------------------------- life */

/* The last component of the source's path, as far as it fits. */
static void
set_label(struct pt *pt, const char *directory)
{
	uint16_t units[NAME_MAX_UNITS];
	size_t n = strlen(directory), start;
	int n_units;

	while (n > 1 && directory[n - 1] == '/')
		n--;
	for (start = n; start > 0 && directory[start - 1] != '/';)
		start--;
	n_units = name_from_posix(directory + start, n - start, TEXT_COMPONENT, units,
				  ARRAY_SIZE(units));
	if (n_units < 0)
		n_units = 0;
	pt->n_label = (UINT16)MIN((size_t)n_units, ARRAY_SIZE(pt->label));
	memcpy(pt->label, units, pt->n_label * sizeof(WCHAR));
}

static bool
has_openat2(int root)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_BENEATH};
	int fd = (int)syscall(SYS_openat2, root, ".", &how, sizeof(how));

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* Seen by nobody else, and gone with the last descriptor. */
static int
open_quiet_mount(int root)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_NOATIME,
				  .attr_clr = MOUNT_ATTR__ATIME};
	int tree =
		open_tree(root, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	int fd = -1;

	if (tree < 0)
		return -1;
	/* file handles are opened with a real descriptor only */
	if (mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) == 0)
		fd = openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	close(tree);
	return fd;
}

int
pt_init(struct pt *pt, const char *directory)
{
	struct statx stx;
	int err;

	memset(pt, 0, sizeof(*pt));
	pthread_mutex_init(&pt->devices_lock, NULL);
	pt->quiet = -1;
	pt->root = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (pt->root < 0)
		return -errno;
	err = pt_statx((struct pt_ref){pt->root, ""}, &stx);
	if (err)
		return err;
	pt->device = pt_device(&stx);
	pt->birth_time = FILETIME_UNIX_EPOCH;
	if (stx.stx_mask & STATX_BTIME)
		pt->birth_time += (uint64_t)stx.stx_btime.tv_sec * FILETIME_PER_SECOND;
	pt->has_openat2 = has_openat2(pt->root);
	pt->is_privileged = geteuid() == 0;
	pt->quiet = open_quiet_mount(pt->root);
	set_label(pt, directory);
	return 0;
}

void
pt_fini(struct pt *pt)
{
	if (pt->root >= 0)
		close(pt->root);
	if (pt->quiet >= 0)
		close(pt->quiet);
	pthread_mutex_destroy(&pt->devices_lock);
}

static void
copy_wide(WCHAR *dst, size_t cap, const char *src)
{
	size_t i = 0;

	for (; src[i] && i + 1 < cap; i++)
		dst[i] = (WCHAR)(unsigned char)src[i];
	dst[i] = 0;
}

static void
fill_params(const struct pt *pt, const struct pt_params *p, FSP_FSCTL_VOLUME_PARAMS *v)
{
	memset(v, 0, sizeof(*v));
	v->Version = sizeof(*v);
	v->SectorSize = SECTOR;
	v->SectorsPerAllocationUnit = 1;
	v->MaxComponentLength = 255;
	v->VolumeCreationTime = pt->birth_time;
	v->VolumeSerialNumber =
		(UINT32)(pt->device ^ pt->birth_time / FILETIME_PER_SECOND);
	v->FileInfoTimeout = p->file_info_timeout;
	v->CaseSensitiveSearch = 1;
	v->CasePreservedNames = 1;
	v->UnicodeOnDisk = 1;
	v->PersistentAcls = 1;
	v->ReparsePoints = 1;
	v->HardLinks = 1;
	v->ExtendedAttributes = 1;
	v->CasePreservedExtendedAttributes = 1;
	v->PostCleanupWhenModifiedOnly = 1;
	v->PassQueryDirectoryFileName = 1;
	v->UmFileContextIsUserContext2 = 1;
	v->AllowOpenInKernelMode = 1;
	v->WslFeatures = 1; /* links and devices come with their creation, not after it */
	v->DirectoryMarkerAsNextOffset = 1;
	v->RejectIrpPriorToTransact0 = 1;
	v->SupportsPosixUnlinkRename = 1;
	if (p->prefix)
		copy_wide(v->Prefix, ARRAY_SIZE(v->Prefix), p->prefix);
	copy_wide(v->FileSystemName, ARRAY_SIZE(v->FileSystemName), "PASSTHROUGH");
}

/* A descriptor per open file is more than a process may have at first. */
static void
raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static NTSTATUS
open_source(struct pt *pt, const char *directory, char *error, size_t error_size)
{
	int err = pt_init(pt, directory);

	if (err) {
		snprintf(error, error_size, "%s: %s", directory, strerror(-err));
		return nt_from_errno(-err);
	}
	if (access("/proc/self/fd", X_OK) < 0) {
		snprintf(error, error_size, "/proc is not mounted; passthrough needs it");
		return STATUS_NOT_SUPPORTED;
	}
	return STATUS_SUCCESS;
}

NTSTATUS
pt_create(const struct pt_params *params, struct pt **ret_pt, char *error,
	  size_t error_size)
{
	FSP_FSCTL_VOLUME_PARAMS volume;
	struct pt *pt = malloc(sizeof(*pt));

	if (!pt) {
		snprintf(error, error_size, "not enough memory");
		return STATUS_INSUFFICIENT_RESOURCES;
	}
	umask(0);
	raise_descriptor_limit();
	pt_interface_init();
	NTSTATUS st = open_source(pt, params->directory, error, error_size);
	if (NT_SUCCESS(st)) {
		fill_params(pt, params, &volume);
		st = FspFileSystemCreate(params->prefix
						 ? (PWSTR)u"" FSP_FSCTL_NET_DEVICE_NAME
						 : (PWSTR)u"" FSP_FSCTL_DISK_DEVICE_NAME,
					 &volume, &pt_interface, &pt->fs);
		if (!NT_SUCCESS(st))
			snprintf(error, error_size,
				 "the file system could not be created (status %08x)%s",
				 (unsigned)st,
				 params->prefix ? "; is -u of the form \\Server\\Share?"
						: "");
	}
	if (!NT_SUCCESS(st)) {
		pt_delete(pt);
		return st;
	}
	pt->fs->UserContext = pt;
	*ret_pt = pt;
	return STATUS_SUCCESS;
}

void
pt_delete(struct pt *pt)
{
	if (pt->fs)
		FspFileSystemDelete(pt->fs);
	pt_fini(pt);
	free(pt);
}
