/*
 * Mount points and the dispatcher: the volume put behind a door, the door started and stopped.
 *
 *	/a/b  \a\b  a/b   that directory; made, and removed at the end, when only it is missing
 *	X:  \\.\X:        the directory X: among the user's drives, likewise
 *	*:  *  NULL       the first free letter from Z: down to D:
 */
#include "api/winfsp/priv.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "api/common/command_line.h"
#include "api/common/wide.h"
#include "base/log.h"
#include "base/os/posix/runtime_dir.h"
#include "base/status/errno.h"
#include "base/text/escape.h"
#include "base/text/names.h"

void
fsp_set_error(struct fsp *fsp, int err, const char *fmt, ...)
{
	va_list ap;

	fsp->error.err = err;
	va_start(ap, fmt);
	vsnprintf(fsp->error.text, sizeof(fsp->error.text), fmt, ap);
	va_end(ap);
}

/* ---------------------------------------------------------------- names of mount points */

/* A look at the directory itself could hang in somebody else's file system. */
bool
fsp_has_fuse_mount(const char *path)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	CLEANUP(free_ptr) char *line = NULL;
	size_t cap = 0;
	bool found = false;

	if (!f)
		return false;
	while (!found && getline(&line, &cap, f) >= 0) {
		char where[PATH_MAX], type[64];
		const char *dash = strstr(line, " - ");

		if (!dash || sscanf(line, "%*s %*s %*s %*s %4095s", where) != 1 ||
		    sscanf(dash, " - %63s", type) != 1)
			continue;
		unescape_octal(where);
		found = strncmp(type, "fuse", 4) == 0 && strcmp(where, path) == 0;
	}
	fclose(f);
	return found;
}

static NTSTATUS
check_free(struct fsp *fsp, const char *path, bool *ret_exists)
{
	struct stat st;

	*ret_exists = false;
	if (fsp_has_fuse_mount(path)) {
		fsp_set_error(fsp, EBUSY,
			      "%s: something is mounted there already; unmount it or choose "
			      "another mount point",
			      path);
		return STATUS_OBJECT_NAME_COLLISION;
	}
	if (stat(path, &st) < 0) {
		if (errno == ENOENT)
			return STATUS_SUCCESS;
		fsp_set_error(fsp, errno, "%s: %s", path, strerror(errno));
		return errno == EACCES ? STATUS_ACCESS_DENIED : STATUS_OBJECT_NAME_INVALID;
	}
	if (!S_ISDIR(st.st_mode)) {
		fsp_set_error(fsp, ENOTDIR, "%s: not a directory; a mount point must be one",
			      path);
		return STATUS_OBJECT_NAME_COLLISION;
	}
	*ret_exists = true;
	return STATUS_SUCCESS;
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char
upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - ('a' - 'A')) : c;
}

static NTSTATUS
drive_path(struct fsp *fsp, char letter, char *dst, size_t cap)
{
	char dir[PATH_MAX - 16];
	int err = drives_dir(dir, sizeof(dir)), n;

	if (err) {
		fsp_set_error(fsp, -err, "no directory for drive letters: %s", strerror(-err));
		return nt_from_errno(-err);
	}
	n = snprintf(dst, cap, "%s/%c:", dir, upper(letter));
	return n < (int)cap ? STATUS_SUCCESS : STATUS_NAME_TOO_LONG;
}

static NTSTATUS
free_drive_path(struct fsp *fsp, char *dst, size_t cap)
{
	bool exists;

	for (char letter = 'Z'; letter >= 'D'; letter--) {
		NTSTATUS st = drive_path(fsp, letter, dst, cap);

		if (!NT_SUCCESS(st))
			return st;
		if (NT_SUCCESS(check_free(fsp, dst, &exists)))
			return STATUS_SUCCESS;
	}
	fsp_set_error(fsp, ENOSPC, "every drive letter from Z: to D: is in use");
	return STATUS_NO_SUCH_DEVICE;
}

static NTSTATUS
absolute_path(struct fsp *fsp, char *s, char *dst, size_t cap)
{
	char cwd[PATH_MAX];
	size_t n = strlen(s);
	int done;

	while (n > 1 && s[n - 1] == '/')
		s[--n] = 0;
	if (n == 0)
		return STATUS_OBJECT_NAME_INVALID;
	/* An existing directory by its real name, as the mount table will show it. */
	if (!fsp_has_fuse_mount(s)) {
		CLEANUP(free_ptr) char *real = realpath(s, NULL);

		if (real) {
			done = snprintf(dst, cap, "%s", real);
			return done < (int)cap ? STATUS_SUCCESS : STATUS_NAME_TOO_LONG;
		}
	}
	if (s[0] == '/') {
		done = snprintf(dst, cap, "%s", s);
	} else {
		if (!getcwd(cwd, sizeof(cwd))) {
			fsp_set_error(fsp, errno, "current directory: %s", strerror(errno));
			return nt_from_errno(errno);
		}
		done = snprintf(dst, cap, "%s/%s", cwd, s);
	}
	return done < (int)cap ? STATUS_SUCCESS : STATUS_NAME_TOO_LONG;
}

/* A mount point as programs write it -> an absolute path. */
static NTSTATUS
resolve_mount_point(struct fsp *fsp, PCWSTR point, char *dst, size_t cap)
{
	CLEANUP(free_ptr) char *text = NULL;
	char *s;

	if (!point)
		return free_drive_path(fsp, dst, cap);
	text = wide_utf8(point);
	if (!text)
		return STATUS_INSUFFICIENT_RESOURCES;
	s = text;
	if (strncmp(s, "\\\\.\\", 4) == 0 || strncmp(s, "\\\\?\\", 4) == 0)
		s += 4;
	if (strcmp(s, "*") == 0 || strcmp(s, "*:") == 0)
		return free_drive_path(fsp, dst, cap);
	if (is_letter(s[0]) && s[1] == ':' && (s[2] == 0 || strcmp(s + 2, "\\") == 0))
		return drive_path(fsp, s[0], dst, cap);
	if (is_letter(s[0]) && s[1] == ':' && s[2] == '\\')
		s += 2; /* X:\dir: there is one tree here */
	/* A path with '/' may hold backslashes as characters. */
	if (!strchr(s, '/'))
		for (char *p = s; *p; p++)
			if (*p == '\\')
				*p = '/';
	return absolute_path(fsp, s, dst, cap);
}

static bool
is_device(PCWSTR path)
{
	CLEANUP(free_ptr) char *s = path ? wide_utf8(path) : NULL;

	return s && (strcmp(s, FSP_FSCTL_DISK_DEVICE_NAME) == 0 ||
		     strcmp(s, FSP_FSCTL_NET_DEVICE_NAME) == 0);
}

NTSTATUS
FspFileSystemPreflight(PWSTR DevicePath, PWSTR MountPoint)
{
	struct fsp scratch = {.started = false};
	char path[PATH_MAX];
	bool exists;
	NTSTATUS st;

	if (!is_device(DevicePath))
		return STATUS_NO_SUCH_DEVICE;
	if (!MountPoint)
		return STATUS_SUCCESS;
	st = resolve_mount_point(&scratch, MountPoint, path, sizeof(path));
	return NT_SUCCESS(st) ? check_free(&scratch, path, &exists) : st;
}

/* ---------------------------------------------------------------- mounting */

/* Once, whoever finds out first: the door that ended, or the thread that stopped it. */
static void
tell_stopped(struct fsp *fsp, bool normally)
{
	if (atomic_exchange(&fsp->stopped_told, true))
		return;
	if (!normally)
		FspFileSystemSetDispatcherResult(&fsp->pub, STATUS_VOLUME_DISMOUNTED);
	if (fsp->pub.Interface->DispatcherStopped)
		fsp->pub.Interface->DispatcherStopped(&fsp->pub, normally);
	if (fsp->stopped)
		fsp->stopped(fsp->stopped_ctx, normally);
}

static void
door_ended(void *ctx, bool normally)
{
	struct fsp *fsp = ctx;

	if (fsp->started)
		tell_stopped(fsp, normally || fsp->pub.DispatcherStopping);
}

static NTSTATUS
make_directory(struct fsp *fsp, const char *path)
{
	bool exists;
	NTSTATUS st = check_free(fsp, path, &exists);

	if (!NT_SUCCESS(st) || exists)
		return st;
	if (mkdir(path, 0755) < 0) {
		fsp_set_error(fsp, errno, "%s: the directory is missing and cannot be made: %s",
			      path, strerror(errno));
		return errno == ENOENT ? STATUS_OBJECT_PATH_NOT_FOUND : nt_from_errno(errno);
	}
	fsp->made_directory = true;
	return STATUS_SUCCESS;
}

static NTSTATUS
attach(struct fsp *fsp, const char *path)
{
	const struct fs_door *door = fs_door_find("mount");
	struct fs_door_params params = {
		.where = path,
		.fs_name = fsp->subtype,
		.source = fsp->source,
		.options = fsp->options,
		.deadline_ms = fsp->deadline_ms,
		.ended = door_ended,
		.ctx = fsp,
	};
	int err;

	if (!door) {
		fsp_set_error(fsp, ENODEV, "this build of libfsp has no door to mount with");
		return STATUS_NO_SUCH_DEVICE;
	}
	err = door->attach(fsp->volume, &params, &fsp->error, &fsp->instance);
	if (err) {
		if (!fsp->error.err)
			fsp_set_error(fsp, -err, "%s: %s", path, strerror(-err));
		return nt_from_errno(-err);
	}
	fsp->door = door;
	return STATUS_SUCCESS;
}

static void
remove_directory(struct fsp *fsp, const char *path)
{
	if (fsp->made_directory)
		rmdir(path);
	fsp->made_directory = false;
}

/* What FspFileSystemMountPoint returns: the path, in the API's characters. */
static NTSTATUS
remember(struct fsp *fsp, const char *path)
{
	fsp->mount_path = strdup(path);
	if (!fsp->mount_path || utf16_from_utf8(path, &fsp->pub.MountPoint) < 0)
		fsp->pub.MountPoint = calloc(1, sizeof(WCHAR));
	return fsp->mount_path && fsp->pub.MountPoint ? STATUS_SUCCESS
						      : STATUS_INSUFFICIENT_RESOURCES;
}

NTSTATUS
FspFileSystemSetMountPoint(FSP_FILE_SYSTEM *FileSystem, PWSTR MountPoint)
{
	struct fsp *fsp = fsp_of(FileSystem);
	char path[PATH_MAX];
	NTSTATUS st;

	if (fsp->mount_path)
		return STATUS_INVALID_PARAMETER;
	fsp->error = (struct fs_door_error){0};
	st = resolve_mount_point(fsp, MountPoint, path, sizeof(path));
	if (NT_SUCCESS(st))
		st = make_directory(fsp, path);
	if (!NT_SUCCESS(st))
		return nt_public(st);
	st = remember(fsp, path);
	if (NT_SUCCESS(st))
		st = attach(fsp, path);
	if (NT_SUCCESS(st))
		FileSystem->MountHandle = fsp->instance;
	else
		fsp_unmount(fsp);
	return nt_public(st);
}

/* A mount point has its own permissions here: those of the file system's root. */
NTSTATUS
FspFileSystemSetMountPointEx(FSP_FILE_SYSTEM *FileSystem, PWSTR MountPoint,
			     PSECURITY_DESCRIPTOR SecurityDescriptor)
{
	return FspFileSystemSetMountPoint(FileSystem, MountPoint);
}

void
fsp_unmount(struct fsp *fsp)
{
	if (fsp->instance) {
		fsp->pub.DispatcherStopping = 1;
		fsp->door->detach(fsp->instance);
		fsp->instance = NULL;
		if (fsp->started)
			tell_stopped(fsp, true);
	}
	if (fsp->mount_path)
		remove_directory(fsp, fsp->mount_path);
	free(take(&fsp->mount_path));
	free(take(&fsp->pub.MountPoint));
	fsp->pub.MountHandle = NULL;
}

VOID
FspFileSystemRemoveMountPoint(FSP_FILE_SYSTEM *FileSystem)
{
	fsp_unmount(fsp_of(FileSystem));
}

/* ---------------------------------------------------------------- dispatcher */

NTSTATUS
FspFileSystemStartDispatcher(FSP_FILE_SYSTEM *FileSystem, ULONG ThreadCount)
{
	struct fsp *fsp = fsp_of(FileSystem);
	int err;

	if (fsp->started)
		return STATUS_INVALID_PARAMETER;
	fsp->started = true;
	FileSystem->DispatcherThreadCount = ThreadCount;
	if (!fsp->instance)
		return STATUS_SUCCESS;
	FileSystem->DispatcherThread = fsp->instance;
	fsp->error = (struct fs_door_error){0};
	err = fsp->door->start(fsp->instance, ThreadCount, &fsp->error);
	if (err) {
		fsp->started = false;
		FileSystem->DispatcherThread = NULL;
		if (!fsp->error.text[0])
			fsp_set_error(fsp, -err, "%s: cannot serve: %s", fsp->mount_path,
				      strerror(-err));
		return nt_public(nt_from_errno(-err));
	}
	return STATUS_SUCCESS;
}

VOID
FspFileSystemStopDispatcher(FSP_FILE_SYSTEM *FileSystem)
{
	struct fsp *fsp = fsp_of(FileSystem);

	if (!fsp->started)
		return;
	FileSystem->DispatcherStopping = 1;
	fsp_pending_cancel(fsp);
	if (fsp->instance)
		fsp->door->stop(fsp->instance);
	tell_stopped(fsp, true);
	FileSystem->DispatcherThread = NULL;
}

VOID
FspFileSystemStopServiceIfNecessary(FSP_FILE_SYSTEM *FileSystem, BOOLEAN Normally)
{
	if (!Normally)
		fsp_service_stop_loop();
}

/* ---------------------------------------------------------------- ext.h */

NTSTATUS
fsp_set_identity(FSP_FILE_SYSTEM *FileSystem, const char *subtype, const char *source)
{
	struct fsp *fsp = fsp_of(FileSystem);
	char *copy = source ? strdup(source) : NULL;

	if (source && !copy)
		return STATUS_INSUFFICIENT_RESOURCES;
	snprintf(fsp->subtype, sizeof(fsp->subtype), "%s", subtype);
	free(fsp->source);
	fsp->source = copy;
	return STATUS_SUCCESS;
}

NTSTATUS
FspxFileSystemSetMountOptions(FSP_FILE_SYSTEM *FileSystem, const char *Options)
{
	struct fsp *fsp = fsp_of(FileSystem);
	const struct fs_door *door = fs_door_find("mount");
	const char *s = Options ? Options : "";
	size_t cap = strlen(s) + 1;
	CLEANUP(free_ptr) char *item = malloc(cap);
	char *copy;

	if (!item)
		return STATUS_INSUFFICIENT_RESOURCES;
	fsp->error = (struct fs_door_error){0};
	while (door && *s) {
		int known;

		s = option_list_next(s, item, cap);
		known = item[0] ? door->option_check(item, &fsp->error) : 1;
		if (known == 0)
			fsp_set_error(fsp, EINVAL, "unknown mount option '%s'", item);
		if (known <= 0)
			return STATUS_INVALID_PARAMETER;
	}
	copy = Options ? strdup(Options) : NULL;
	if (Options && !copy)
		return STATUS_INSUFFICIENT_RESOURCES;
	free(fsp->options);
	fsp->options = copy;
	return STATUS_SUCCESS;
}

NTSTATUS
FspxFileSystemSetDeadline(FSP_FILE_SYSTEM *FileSystem, UINT32 Milliseconds)
{
	fsp_of(FileSystem)->deadline_ms = Milliseconds;
	return STATUS_SUCCESS;
}

const char *
FspxFileSystemLastError(FSP_FILE_SYSTEM *FileSystem)
{
	return fsp_of(FileSystem)->error.text;
}
