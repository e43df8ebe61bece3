/* The file system object: creation from volume parameters, deletion, notification. */
#include "api/winfsp/priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "base/text/names.h"

/* The flags that mean something to the engine; the rest are the library's or unused. */
#define ENGINE_FLAGS                                                                     \
	(0x7ffu | FS_VOL_PASS_PATTERN | FS_VOL_PASS_FILE_NAME |                          \
	 FS_VOL_FLUSH_PURGE_ON_CLEANUP | FS_VOL_DEVICE_CONTROL | FS_VOL_ALLOW_KERNEL_OPEN | \
	 FS_VOL_CASE_PRESERVED_EAS | FS_VOL_WSL_FEATURES | FS_VOL_MARKER_AS_NEXT_OFFSET |   \
	 FS_VOL_POSIX_UNLINK_RENAME | FS_VOL_POST_DISPOSITION_WHEN_NECESSARY)
enum { FLAGS_OFFSET = 36, PREFIX_UNITS = 192, FS_NAME_UNITS = 16 };

static const FSP_FILE_SYSTEM_INTERFACE empty_interface;

static FSP_FILE_SYSTEM_OPERATION *const default_operations[FspFsctlTransactKindCount] = {
	[FspFsctlTransactCreateKind] = FspFileSystemOpCreate,
	[FspFsctlTransactOverwriteKind] = FspFileSystemOpOverwrite,
	[FspFsctlTransactCleanupKind] = FspFileSystemOpCleanup,
	[FspFsctlTransactCloseKind] = FspFileSystemOpClose,
	[FspFsctlTransactReadKind] = FspFileSystemOpRead,
	[FspFsctlTransactWriteKind] = FspFileSystemOpWrite,
	[FspFsctlTransactQueryInformationKind] = FspFileSystemOpQueryInformation,
	[FspFsctlTransactSetInformationKind] = FspFileSystemOpSetInformation,
	[FspFsctlTransactQueryEaKind] = FspFileSystemOpQueryEa,
	[FspFsctlTransactSetEaKind] = FspFileSystemOpSetEa,
	[FspFsctlTransactFlushBuffersKind] = FspFileSystemOpFlushBuffers,
	[FspFsctlTransactQueryVolumeInformationKind] = FspFileSystemOpQueryVolumeInformation,
	[FspFsctlTransactSetVolumeInformationKind] = FspFileSystemOpSetVolumeInformation,
	[FspFsctlTransactQueryDirectoryKind] = FspFileSystemOpQueryDirectory,
	[FspFsctlTransactFileSystemControlKind] = FspFileSystemOpFileSystemControl,
	[FspFsctlTransactDeviceControlKind] = FspFileSystemOpDeviceControl,
	[FspFsctlTransactQuerySecurityKind] = FspFileSystemOpQuerySecurity,
	[FspFsctlTransactSetSecurityKind] = FspFileSystemOpSetSecurity,
	[FspFsctlTransactQueryStreamInformationKind] = FspFileSystemOpQueryStreamInformation,
};

static bool
wide_is(PCWSTR s, const char *ascii)
{
	while (*s && *s == (unsigned char)*ascii)
		s++, ascii++;
	return *s == 0 && *ascii == 0;
}

/* "\Server\Share", one or more components after the first; a trailing backslash is dropped. */
static NTSTATUS
parse_prefix(const WCHAR *prefix, uint16_t dst[PREFIX_UNITS])
{
	size_t n = 0, n_slashes = 0;

	while (n < PREFIX_UNITS && prefix[n])
		n++;
	while (n > 1 && prefix[n - 1] == '\\')
		n--;
	if (n == PREFIX_UNITS || n < 4 || prefix[0] != '\\')
		return STATUS_INVALID_PARAMETER;
	for (size_t i = 0; i < n; i++) {
		if (prefix[i] != '\\')
			continue;
		if (i > 0 && prefix[i - 1] == '\\')
			return STATUS_INVALID_PARAMETER;
		n_slashes++;
	}
	if (n_slashes < 2)
		return STATUS_INVALID_PARAMETER;
	memcpy(dst, prefix, n * sizeof(*dst));
	return STATUS_SUCCESS;
}

/* The reported name: "WinFsp" when empty, "WinFsp-NAME" for "-NAME". */
static void
make_fs_name(const WCHAR *name, uint16_t dst[FS_NAME_UNITS])
{
	static const char product[] = FSP_FSCTL_PRODUCT_NAME;
	size_t n = 0;

	if (name[0] == 0 || name[0] == '-' || name[0] == '/' || name[0] == '\\')
		for (; product[n]; n++)
			dst[n] = (uint16_t)product[n];
	for (size_t i = 0; n < FS_NAME_UNITS - 1 && i < FS_NAME_UNITS && name[i]; i++)
		dst[n++] = name[i];
}


static uint32_t
timeout_of(const FSP_FSCTL_VOLUME_PARAMS *vp, uint32_t is_valid, uint32_t own)
{
	return vp->Version && is_valid ? own : vp->FileInfoTimeout;
}

static NTSTATUS
make_params(bool is_net, const FSP_FSCTL_VOLUME_PARAMS *vp,
	    const FSP_FILE_SYSTEM_INTERFACE *interface, struct fs_volume_params *ret_params)
{
	struct fs_volume_params p = {
		.sector_size = vp->SectorSize,
		.sectors_per_allocation = vp->SectorsPerAllocationUnit,
		.max_component_units = vp->MaxComponentLength,
		.creation_time = vp->VolumeCreationTime,
		.serial_number = vp->VolumeSerialNumber,
		.file_info_timeout = vp->FileInfoTimeout,
		.optional_kinds = fsp_ext_kinds(interface),
	};
	NTSTATUS st = STATUS_SUCCESS;

	memcpy(&p.flags, (const uint8_t *)vp + FLAGS_OFFSET, sizeof(p.flags));
	p.flags &= ENGINE_FLAGS;
	make_fs_name(vp->FileSystemName, p.fs_name);
	if (vp->Version == 0) {
		p.volume_info_timeout = p.dir_info_timeout = p.security_timeout =
			p.stream_info_timeout = p.ea_timeout = vp->FileInfoTimeout;
	} else {
		p.volume_info_timeout =
			timeout_of(vp, vp->VolumeInfoTimeoutValid, vp->VolumeInfoTimeout);
		p.dir_info_timeout = timeout_of(vp, vp->DirInfoTimeoutValid, vp->DirInfoTimeout);
		p.security_timeout =
			timeout_of(vp, vp->SecurityTimeoutValid, vp->SecurityTimeout);
		p.stream_info_timeout =
			timeout_of(vp, vp->StreamInfoTimeoutValid, vp->StreamInfoTimeout);
		p.ea_timeout = timeout_of(vp, vp->EaTimeoutValid, vp->EaTimeout);
	}
	if (is_net)
		st = parse_prefix(vp->Prefix, p.prefix);
	*ret_params = p;
	return st;
}

/* "\Device\Volume{GUID}" and the prefix: a name no other volume has. */
static void
make_volume_name(struct fsp *fsp, const struct fs_volume_params *params)
{
	uint8_t id[16] = {0};
	char text[64];
	size_t n = 0;

	if (getrandom(id, sizeof(id), GRND_NONBLOCK) != (ssize_t)sizeof(id))
		memcpy(id, &fsp, sizeof(fsp));
	id[6] = (uint8_t)((id[6] & 0x0f) | 0x40); /* RFC 4122, version 4 */
	id[8] = (uint8_t)((id[8] & 0x3f) | 0x80);
	snprintf(text, sizeof(text),
		 "\\Device\\Volume{%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
		 "%02x%02x%02x%02x%02x%02x}",
		 id[0], id[1], id[2], id[3], id[4], id[5], id[6], id[7], id[8], id[9], id[10],
		 id[11], id[12], id[13], id[14], id[15]);
	for (; text[n]; n++)
		fsp->pub.VolumeName[n] = (WCHAR)text[n];
	for (size_t i = 0; i < PREFIX_UNITS && params->prefix[i]; i++)
		fsp->pub.VolumeName[n++] = params->prefix[i];
}

/* "WinFsp-MEMFS" is shown by mount tables as fuse.memfs. */
static void
make_subtype(struct fsp *fsp, const uint16_t *fs_name)
{
	static const char *const prefixes[] = {"winfsp-", "fuse-"};
	char name[FS_NAME_UNITS + 1] = "";
	size_t n = 0, skip = 0;

	for (size_t i = 0; i < FS_NAME_UNITS && fs_name[i]; i++) {
		uint16_t c = fs_name[i];
		if (c >= 'A' && c <= 'Z')
			c = (uint16_t)(c + ('a' - 'A'));
		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_')
			name[n++] = (char)c;
	}
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			skip = strlen(prefixes[i]);
	snprintf(fsp->subtype, sizeof(fsp->subtype), "%s", name[skip] ? name + skip : "winfsp");
}

static void
init_public(struct fsp *fsp, const FSP_FSCTL_VOLUME_PARAMS *vp,
	    const FSP_FILE_SYSTEM_INTERFACE *interface)
{
	FSP_FILE_SYSTEM *pub = &fsp->pub;

	memcpy(pub->Operations, default_operations, sizeof(default_operations));
	pub->Interface = interface;
	pub->EnterOperation = FspFileSystemOpEnter;
	pub->LeaveOperation = FspFileSystemOpLeave;
	pub->OpGuardLock.Ptr = &fsp->guard;
	pub->UmFileContextIsUserContext2 = vp->UmFileContextIsUserContext2;
	pub->UmFileContextIsFullContext = vp->UmFileContextIsFullContext;
	pub->UmNoReparsePointsDirCheck = vp->UmNoReparsePointsDirCheck;
}

static void
fsp_free(struct fsp *fsp)
{
	fs_volume_destroy(fsp->volume);
	fsp_pending_fini(fsp);
	rwlock_fini(&fsp->guard);
	free(fsp->pub.MountPoint);
	free(fsp->mount_path);
	free(fsp->options);
	free(fsp->source);
	free(fsp);
}

static NTSTATUS
create(bool is_net, const FSP_FSCTL_VOLUME_PARAMS *vp,
       const FSP_FILE_SYSTEM_INTERFACE *interface, struct fsp **ret_fsp)
{
	static const struct fs_volume_ops ops = {.transact = fsp_transact};
	struct fs_volume_params params;
	struct fsp *fsp;
	NTSTATUS st = make_params(is_net, vp, interface, &params);

	if (!NT_SUCCESS(st))
		return st;
	fsp = calloc(1, sizeof(*fsp));
	if (!fsp)
		return STATUS_INSUFFICIENT_RESOURCES;
	fsp->deadline_ms = FSP_DEADLINE_DEFAULT_MS;
	rwlock_init(&fsp->guard);
	fsp_pending_init(fsp);
	init_public(fsp, vp, interface);
	make_volume_name(fsp, &params);
	make_subtype(fsp, params.fs_name);
	st = fs_volume_create(&params, &ops, fsp, &fsp->volume);
	if (!NT_SUCCESS(st)) {
		fsp_free(fsp);
		return st;
	}
	fsp->pub.VolumeHandle = fsp->volume;
	*ret_fsp = fsp;
	return STATUS_SUCCESS;
}

/* With Version 0 only the first fields are the caller's to read. */
static NTSTATUS
read_params(const FSP_FSCTL_VOLUME_PARAMS *src, FSP_FSCTL_VOLUME_PARAMS *dst)
{
	memset(dst, 0, sizeof(*dst));
	if (src->Version != 0 && src->Version != sizeof(*dst))
		return STATUS_INVALID_PARAMETER;
	memcpy(dst, src, src->Version ? sizeof(*dst) : sizeof(FSP_FSCTL_VOLUME_PARAMS_V0));
	return dst->UmFileContextIsUserContext2 && dst->UmFileContextIsFullContext
		       ? STATUS_INVALID_PARAMETER
		       : STATUS_SUCCESS;
}

NTSTATUS
FspFileSystemCreate(PWSTR DevicePath, const FSP_FSCTL_VOLUME_PARAMS *VolumeParams,
		    const FSP_FILE_SYSTEM_INTERFACE *Interface, FSP_FILE_SYSTEM **PFileSystem)
{
	bool is_net = wide_is(DevicePath, FSP_FSCTL_NET_DEVICE_NAME);
	FSP_FSCTL_VOLUME_PARAMS params;
	struct fsp *fsp;
	NTSTATUS st;

	*PFileSystem = NULL;
	st = read_params(VolumeParams, &params);
	if (!NT_SUCCESS(st))
		return st;
	if (!is_net && !wide_is(DevicePath, FSP_FSCTL_DISK_DEVICE_NAME))
		return STATUS_NO_SUCH_DEVICE;
	st = create(is_net, &params, Interface ? Interface : &empty_interface, &fsp);
	if (NT_SUCCESS(st))
		*PFileSystem = &fsp->pub;
	return st;
}

VOID
FspFileSystemDelete(FSP_FILE_SYSTEM *FileSystem)
{
	struct fsp *fsp = fsp_of(FileSystem);

	if (!FileSystem)
		return;
	fsp_pending_cancel(fsp);
	fsp_unmount(fsp);
	fs_volume_stop(fsp->volume);
	fsp_free(fsp);
}

NTSTATUS
FspFileSystemNotifyBegin(FSP_FILE_SYSTEM *FileSystem, ULONG Timeout)
{
	return fs_notify_begin(fsp_of(FileSystem)->volume, Timeout);
}

NTSTATUS
FspFileSystemNotifyEnd(FSP_FILE_SYSTEM *FileSystem)
{
	fs_notify_end(fsp_of(FileSystem)->volume);
	return STATUS_SUCCESS;
}

NTSTATUS
FspFileSystemNotify(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_NOTIFY_INFO *NotifyInfo, SIZE_T Size)
{
	if (Size > FSP_FSCTL_NOTIFY_INFO_SIZEMAX)
		return STATUS_INVALID_PARAMETER;
	if (!NotifyInfo && Size > 0)
		return STATUS_ACCESS_VIOLATION;
	return fs_notify(fsp_of(FileSystem)->volume, NotifyInfo, Size);
}

/* ---- exported twins of the header's inline functions */

PWSTR
FspFileSystemMountPointF(FSP_FILE_SYSTEM *FileSystem)
{
	return FspFileSystemMountPoint(FileSystem);
}

NTSTATUS
FspFileSystemEnterOperationF(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request,
			     FSP_FSCTL_TRANSACT_RSP *Response)
{
	return FspFileSystemEnterOperation(FileSystem, Request, Response);
}

NTSTATUS
FspFileSystemLeaveOperationF(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request,
			     FSP_FSCTL_TRANSACT_RSP *Response)
{
	return FspFileSystemLeaveOperation(FileSystem, Request, Response);
}

VOID
FspFileSystemSetOperationGuardF(FSP_FILE_SYSTEM *FileSystem,
				FSP_FILE_SYSTEM_OPERATION_GUARD *EnterOperation,
				FSP_FILE_SYSTEM_OPERATION_GUARD *LeaveOperation)
{
	FspFileSystemSetOperationGuard(FileSystem, EnterOperation, LeaveOperation);
}

VOID
FspFileSystemSetOperationGuardStrategyF(FSP_FILE_SYSTEM *FileSystem,
					FSP_FILE_SYSTEM_OPERATION_GUARD_STRATEGY GuardStrategy)
{
	FspFileSystemSetOperationGuardStrategy(FileSystem, GuardStrategy);
}

VOID
FspFileSystemSetOperationF(FSP_FILE_SYSTEM *FileSystem, ULONG Index,
			   FSP_FILE_SYSTEM_OPERATION *Operation)
{
	FspFileSystemSetOperation(FileSystem, Index, Operation);
}

VOID
FspFileSystemGetDispatcherResultF(FSP_FILE_SYSTEM *FileSystem, NTSTATUS *PDispatcherResult)
{
	FspFileSystemGetDispatcherResult(FileSystem, PDispatcherResult);
}

VOID
FspFileSystemSetDispatcherResultF(FSP_FILE_SYSTEM *FileSystem, NTSTATUS DispatcherResult)
{
	FspFileSystemSetDispatcherResult(FileSystem, DispatcherResult);
}

VOID
FspFileSystemSetDebugLogF(FSP_FILE_SYSTEM *FileSystem, UINT32 DebugLog)
{
	FspFileSystemSetDebugLog(FileSystem, DebugLog);
}
