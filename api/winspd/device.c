/* SpdIoctl*: handles of devices, and SCSI commands on them. */
#include "api/winspd/device.h"

#include <assert.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include "api/common/wide.h"
#include "api/winspd/slots.h"
#include "base/clock.h"
#include "base/os/posix/runtime_dir.h"
#include "base/text/names.h"

enum {
	N_TARGETS = 256,
	DEVICE_MAGIC = 0x53504456,
	INQUIRY_RETRY_MS = 50,
	CLEAR_TRIES = 8 /* unit attentions that a new nexus may find */
};

enum device_kind { DEVICE_PROCESS, DEVICE_PIPE, DEVICE_NODE };

struct device {
	uint32_t magic;
	enum device_kind kind;
	char name[PATH_MAX]; /* a node, or the directory of a pipe's sockets */
	struct mutex lock;   /* one command at a time; rules paths */
	struct device_path *paths[N_TARGETS];
};

static const char pipe_prefix[] = "\\\\.\\pipe\\";

/* ---------------------------------------------------------------- names */

static DWORD
pipe_dir(const char *name, char *dst, size_t cap)
{
	char root[PATH_MAX];
	const char *s = name + strlen(pipe_prefix);
	struct stat st;
	int err = runtime_subdir("pipe", root, sizeof(root)), n;

	if (err < 0)
		return spd_fail_errno(err, "no directory for sockets: %s", strerror(-err));
	n = snprintf(dst, cap, "%s/%s", root, s);
	if (n >= (int)cap || !*s || strchr(s, '/'))
		return spd_fail(ERROR_INVALID_NAME, "%.200s: not a name", name);
	for (char *p = dst + strlen(root); *p; p++)
		if (*p == '\\')
			*p = '/';
	if (strstr(dst + strlen(root), "/.") || stat(dst, &st) < 0 || !S_ISDIR(st.st_mode))
		return spd_fail(ERROR_FILE_NOT_FOUND, "%.200s: no program serves it", name);
	return ERROR_SUCCESS;
}

/* What a name stands for; ERROR_FILE_NOT_FOUND. */
static DWORD
resolve(const char *name, enum device_kind *ret_kind, char *dst, size_t cap)
{
	struct stat st;

	if (!name) {
		*ret_kind = DEVICE_PROCESS;
		dst[0] = 0;
		return ERROR_SUCCESS;
	}
	if (strncasecmp(name, pipe_prefix, strlen(pipe_prefix)) == 0) {
		*ret_kind = DEVICE_PIPE;
		return pipe_dir(name, dst, cap);
	}
	*ret_kind = DEVICE_NODE;
	if (name[0] != '/' || stat(name, &st) < 0 || !(S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)))
		return spd_fail(ERROR_FILE_NOT_FOUND, "%.200s: no such device", name);
	return (size_t)snprintf(dst, cap, "%s", name) < cap ? ERROR_SUCCESS : ERROR_INVALID_NAME;
}

DWORD
SpdIoctlGetDevicePath(GUID *ClassGuid, PWSTR DeviceName, PWCHAR PathBuf, UINT32 PathBufSize)
{
	CLEANUP(free_ptr) char *name = NULL;
	CLEANUP(free_ptr) uint16_t *wide = NULL;
	char path[PATH_MAX];
	enum device_kind kind;
	size_t size;
	DWORD error;

	spd_clear_error();
	if (!spd_device_name(DeviceName, &name))
		return spd_fail(ERROR_NO_SYSTEM_RESOURCES, "out of memory");
	error = resolve(name, &kind, path, sizeof(path));
	if (error)
		return error;
	if (utf16_from_utf8(name ? name : SPD_IOCTL_HARDWARE_ID, &wide) < 0)
		return spd_fail(ERROR_NO_SYSTEM_RESOURCES, "out of memory");
	size = (utf16_len(wide) + 1) * sizeof(WCHAR);
	if (size > PathBufSize)
		return spd_fail(ERROR_MORE_DATA, "the path has %zu bytes", size);
	memcpy(PathBuf, wide, size);
	return ERROR_SUCCESS;
}

DWORD
SpdIoctlOpenDevice(PWSTR DeviceName, PHANDLE PDeviceHandle)
{
	CLEANUP(free_ptr) char *name = NULL;
	struct device *device;
	DWORD error;

	spd_clear_error();
	*PDeviceHandle = INVALID_HANDLE_VALUE;
	device = calloc(1, sizeof(*device));
	if (!device || !spd_device_name(DeviceName, &name)) {
		free(device);
		return spd_fail(ERROR_NO_SYSTEM_RESOURCES, "out of memory");
	}
	error = resolve(name, &device->kind, device->name, sizeof(device->name));
	if (error) {
		free(device);
		return error;
	}
	device->magic = DEVICE_MAGIC;
	mutex_init(&device->lock);
	*PDeviceHandle = device;
	return ERROR_SUCCESS;
}

static struct device *
device_of(HANDLE handle)
{
	struct device *device = handle;

	return handle && handle != INVALID_HANDLE_VALUE && device->magic == DEVICE_MAGIC ? device
											 : NULL;
}

VOID
SpdxIoctlCloseDevice(HANDLE DeviceHandle)
{
	struct device *device = device_of(DeviceHandle);

	if (!device)
		return;
	for (unsigned i = 0; i < N_TARGETS; i++)
		if (device->paths[i])
			device->paths[i]->ops->close(device->paths[i]);
	device->magic = 0;
	mutex_fini(&device->lock);
	free(device);
}

/* ---------------------------------------------------------------- commands */

/* SPC-4 4.2.5.1: the length is in the operation code's group. */
static uint8_t
cdb_length(uint8_t opcode)
{
	static const uint8_t lengths[8] = {6, 10, 10, 16, 16, 12, 16, 16};

	return lengths[opcode >> 5];
}

static DWORD
open_path(struct device *device, unsigned target, struct device_path **ret_path)
{
	char path[PATH_MAX + 16];

	switch (device->kind) {
	case DEVICE_PROCESS:
		return device_open_slot(target, ret_path);
	case DEVICE_PIPE:
		snprintf(path, sizeof(path), "%s/%u.cdb", device->name, target);
		return device_open_socket(path, ret_path);
	default:
		return device_open_node(device->name, ret_path);
	}
}

/* The attentions of a new nexus are about nothing that the caller has seen. */
static DWORD
clear_attentions(struct device_path *path)
{
	static const uint8_t test_unit_ready[16];
	DWORD error = ERROR_SUCCESS;

	for (int i = 0; i < CLEAR_TRIES && error == ERROR_SUCCESS; i++) {
		struct device_command c = {.cdb = test_unit_ready, .n_cdb = 6};

		error = path->ops->execute(path, &c);
		if (error == ERROR_SUCCESS && (c.status != SCSI_CHECK_CONDITION ||
					       (c.sense[2] & 0x0f) != SCSI_KEY_UNIT_ATTENTION))
			break;
	}
	return error;
}

/* With the device's lock. */
static DWORD
get_path(struct device *device, UINT32 btl, struct device_path **ret_path)
{
	unsigned target = SPD_IOCTL_BTL_T(btl);
	struct device_path *path = device->paths[target];
	DWORD error = ERROR_SUCCESS;

	if (device->kind != DEVICE_NODE && (SPD_IOCTL_BTL_B(btl) || SPD_IOCTL_BTL_L(btl)))
		return spd_fail(ERROR_FILE_NOT_FOUND, "nothing at bus %u, unit %u",
				SPD_IOCTL_BTL_B(btl), SPD_IOCTL_BTL_L(btl));
	if (!path) {
		error = open_path(device, target, &path);
		if (error)
			return error;
		error = clear_attentions(path);
		if (error) {
			path->ops->close(path);
			return error;
		}
		device->paths[target] = path;
	}
	*ret_path = path;
	return ERROR_SUCCESS;
}

static DWORD
execute(struct device *device, UINT32 btl, struct device_command *command)
{
	unsigned target = SPD_IOCTL_BTL_T(btl);
	DWORD error = ERROR_SUCCESS;

	mutex_lock(&device->lock);
	/* A connection may be of a unit that is no more, with another in its place. */
	for (int i = 0; i < 2; i++) {
		bool fresh = !device->paths[target];
		struct device_path *path = NULL;

		error = get_path(device, btl, &path);
		if (error)
			break;
		assert(path);
		error = path->ops->execute(path, command);
		if (error == ERROR_SUCCESS)
			break;
		path->ops->close(path);
		device->paths[target] = NULL;
		if (fresh)
			break;
	}
	mutex_unlock(&device->lock);
	return error;
}

DWORD
SpdIoctlScsiExecute(HANDLE DeviceHandle, UINT32 Btl, PCDB Cdb, INT DataDirection, PVOID DataBuffer,
		    PUINT32 PDataLength, PUCHAR PScsiStatus, UCHAR SenseBuffer[32])
{
	struct device *device = device_of(DeviceHandle);
	struct device_command c = {.cdb = Cdb->AsByte, .n_cdb = cdb_length(Cdb->AsByte[0]),
				   .direction = DataDirection, .data = DataBuffer,
				   .size = PDataLength ? *PDataLength : 0};
	DWORD error;

	spd_clear_error();
	if (!device)
		return spd_fail(ERROR_INVALID_HANDLE, "not a handle of SpdIoctlOpenDevice");
	if (DataDirection < -1 || DataDirection > 1 || (DataDirection && c.size && !DataBuffer))
		return spd_fail(ERROR_INVALID_PARAMETER, "no such direction, or no buffer");
	if (DataDirection == 0)
		c.size = 0;
	error = execute(device, Btl, &c);
	if (error)
		return error;
	if (PDataLength)
		*PDataLength = c.moved;
	*PScsiStatus = c.status;
	if (SenseBuffer)
		memcpy(SenseBuffer, c.sense, sizeof(c.sense));
	return ERROR_SUCCESS;
}

static DWORD
inquiry(HANDLE handle, UINT32 btl, PINQUIRYDATA data)
{
	UINT32 length = sizeof(*data);
	UCHAR status = SCSISTAT_GOOD, sense[32];
	CDB cdb = {{0}};
	DWORD error;

	memset(data, 0, sizeof(*data));
	cdb.CDB6INQUIRY3.OperationCode = 0x12;
	cdb.CDB6INQUIRY3.AllocationLength = sizeof(*data);
	error = SpdIoctlScsiExecute(handle, btl, &cdb, -1, data, &length, &status, sense);
	if (error == ERROR_SUCCESS && status != SCSISTAT_GOOD)
		return spd_fail(ERROR_IO_DEVICE, "INQUIRY failed: SCSI status %u", status);
	/* A LUN without a unit says so in the peripheral qualifier, SPC-4 6.6.2. */
	if (error == ERROR_SUCCESS && data->DeviceTypeQualifier)
		return spd_fail(ERROR_FILE_NOT_FOUND, "no unit there");
	return error;
}

DWORD
SpdIoctlScsiInquiry(HANDLE DeviceHandle, UINT32 Btl, PINQUIRYDATA InquiryData, ULONG Timeout)
{
	uint64_t until = clock_monotonic_ns() + Timeout * 1000000ull;
	DWORD error;

	for (;;) {
		error = inquiry(DeviceHandle, Btl, InquiryData);
		if (error != ERROR_FILE_NOT_FOUND || clock_monotonic_ns() >= until)
			return error;
		usleep(INQUIRY_RETRY_MS * 1000);
	}
}

/* ---------------------------------------------------------------- lists */

static UINT64
pipe_mask(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	UINT64 mask = 0;

	while (d && (entry = readdir(d))) {
		char *end;
		unsigned long t;

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		t = strtoul(entry->d_name, &end, 10);
		if (*end == 0 && t < 64)
			mask |= 1ull << t;
	}
	if (d)
		closedir(d);
	return mask;
}

DWORD
SpdIoctlGetList(HANDLE DeviceHandle, PUINT32 ListBuf, PUINT32 PListSize)
{
	struct device *device = device_of(DeviceHandle);
	UINT32 size, n = 0;
	UINT64 mask;

	spd_clear_error();
	if (!device)
		return spd_fail(ERROR_INVALID_HANDLE, "not a handle of SpdIoctlOpenDevice");
	mask = device->kind == DEVICE_PROCESS ? spd_slot_mask()
	       : device->kind == DEVICE_PIPE  ? pipe_mask(device->name)
					      : 1;
	size = (UINT32)__builtin_popcountll(mask) * (UINT32)sizeof(UINT32);
	if (size > *PListSize)
		return spd_fail(ERROR_INSUFFICIENT_BUFFER, "the list has %u bytes", size);
	for (unsigned t = 0; t < 64; t++)
		if (mask & (1ull << t))
			ListBuf[n++] = SPD_IOCTL_BTL(0, t, 0);
	*PListSize = size;
	return ERROR_SUCCESS;
}

/* ---------------------------------------------------------------- provisioning */

static DWORD
check_process_device(HANDLE handle)
{
	struct device *device = device_of(handle);

	spd_clear_error();
	if (!device)
		return spd_fail(ERROR_INVALID_HANDLE, "not a handle of SpdIoctlOpenDevice");
	if (device->kind != DEVICE_PROCESS)
		return spd_fail(ERROR_INVALID_FUNCTION,
				"only " SPD_IOCTL_HARDWARE_ID " provisions storage units");
	return ERROR_SUCCESS;
}

DWORD
SpdIoctlProvision(HANDLE DeviceHandle, const SPD_IOCTL_STORAGE_UNIT_PARAMS *Params, PUINT32 PBtl)
{
	DWORD error = check_process_device(DeviceHandle);

	return error ? error : provision(Params, PBtl);
}

DWORD
SpdIoctlUnprovision(HANDLE DeviceHandle, const GUID *Guid)
{
	DWORD error = check_process_device(DeviceHandle);

	return error ? error : unprovision(Guid);
}

DWORD
SpdIoctlTransact(HANDLE DeviceHandle, UINT32 Btl, SPD_IOCTL_TRANSACT_RSP *Rsp,
		 SPD_IOCTL_TRANSACT_REQ *Req, PVOID DataBuffer)
{
	DWORD error = check_process_device(DeviceHandle);

	return error ? error : transact(Btl, Rsp, Req, DataBuffer);
}

DWORD
SpdIoctlSetTransactProcessId(HANDLE DeviceHandle, UINT32 Btl, ULONG ProcessId)
{
	DWORD error = check_process_device(DeviceHandle);

	return error ? error : set_transact_pid(Btl, ProcessId);
}
