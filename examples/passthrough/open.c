/* Create, open, overwrite, close. */
#include "examples/passthrough/passthrough.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/status/errno.h"

enum {
	OPEN_PATH = O_PATH | O_NOFOLLOW | O_CLOEXEC,
	OPEN_DATA = O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK
};

/* ---------------------------------------------------------------- handles */

static NTSTATUS
file_create(int fd, unsigned access, const struct statx *stx, struct pt_file **ret_file)
{
	struct pt_file *file = calloc(1, sizeof(*file));

	if (!file)
		return STATUS_INSUFFICIENT_RESOURCES;
	file->fd = fd;
	file->access = access;
	file->device = pt_device(stx);
	file->inode = stx->stx_ino;
	file->type = stx->stx_mode & S_IFMT;
	pthread_mutex_init(&file->lock, NULL);
	*ret_file = file;
	return STATUS_SUCCESS;
}

VOID
pt_close_file(FSP_FILE_SYSTEM *fs, PVOID context)
{
	struct pt_file *file = context;

	(void)fs;
	close(file->fd);
	pthread_mutex_destroy(&file->lock);
	free(file);
}

void
pt_file_replace(struct pt_file *file, int fd, const struct statx *stx)
{
	pthread_mutex_lock(&file->lock);
	dup3(fd, file->fd, O_CLOEXEC);
	close(fd);
	file->access = 0;
	file->device = pt_device(stx);
	file->inode = stx->stx_ino;
	file->type = stx->stx_mode & S_IFMT;
	file->ea_ns = 0;
	pthread_mutex_unlock(&file->lock);
}

/* A real descriptor of what fd refers to, whatever has its name now. */
static int
reopen(int fd, int flags)
{
	char path[PT_PROC_PATH_SIZE];

	pt_proc_path(fd, path);
	/* O_NOFOLLOW would stop at the link that this path is. */
	int again = open(path, flags & ~O_NOFOLLOW);
	return again < 0 ? -errno : again;
}

/* file->lock held. For writing the descriptor should also read, as the kernel does on its
 * own account; a server that may only write goes without. */
static int
open_data(struct pt_file *file, unsigned access)
{
	int fd;

	if (S_ISDIR(file->type))
		return reopen(file->fd, OPEN_DATA | O_RDONLY | O_DIRECTORY);
	if (!(access & PT_WRITE))
		return reopen(file->fd, OPEN_DATA | O_RDONLY);
	fd = reopen(file->fd, OPEN_DATA | O_RDWR);
	if (fd == -EACCES && access == PT_WRITE)
		return reopen(file->fd, OPEN_DATA | O_WRONLY);
	return fd;
}

static unsigned
access_of(int fd)
{
	switch (fcntl(fd, F_GETFL) & O_ACCMODE) {
	case O_RDONLY:
		return PT_READ;
	case O_WRONLY:
		return PT_WRITE;
	default:
		return PT_READ | PT_WRITE;
	}
}

NTSTATUS
pt_need(struct pt_file *file, unsigned access)
{
	NTSTATUS st = STATUS_SUCCESS;

	if ((file->access & access) == access)
		return STATUS_SUCCESS;
	/* Opening a pipe or a device would do something. */
	if (!S_ISREG(file->type) && !S_ISDIR(file->type))
		return STATUS_INVALID_DEVICE_REQUEST;
	pthread_mutex_lock(&file->lock);
	if ((file->access & access) != access) {
		int fd = open_data(file, file->access | access);

		if (fd < 0) {
			st = nt_from_errno(-fd);
		} else {
			/* Calls under way on the old description end on it. */
			if (dup3(fd, file->fd, O_CLOEXEC) < 0)
				st = pt_last_error();
			else
				file->access = access_of(fd);
			close(fd);
		}
	}
	pthread_mutex_unlock(&file->lock);
	return st;
}

/* ---------------------------------------------------------------- open */

static NTSTATUS
check_type(const struct statx *stx, UINT32 options)
{
	if ((options & FILE_DIRECTORY_FILE) && !S_ISDIR(stx->stx_mode))
		return STATUS_NOT_A_DIRECTORY;
	if ((options & FILE_NON_DIRECTORY_FILE) && S_ISDIR(stx->stx_mode))
		return STATUS_FILE_IS_A_DIRECTORY;
	return STATUS_SUCCESS;
}

/* What only an open can find out (a program that runs, a source that may not be written)
 * must fail the open, not the first read or write. */
static NTSTATUS
open_granted(struct pt_file *file, UINT32 granted)
{
	unsigned access = 0;

	if (!S_ISREG(file->type))
		return STATUS_SUCCESS;
	if (granted & FILE_READ_DATA)
		access |= PT_READ;
	if (granted & (FILE_WRITE_DATA | FILE_APPEND_DATA))
		access |= PT_WRITE;
	return access ? pt_need(file, access) : STATUS_SUCCESS;
}

NTSTATUS
pt_open_file(FSP_FILE_SYSTEM *fs, PWSTR name, UINT32 options, UINT32 granted,
	     PVOID *ret_context, FSP_FSCTL_FILE_INFO *info)
{
	struct pt_file *file;
	struct statx stx;
	int fd;
	NTSTATUS st = pt_open_path(pt_of(fs), name, &fd);

	if (st != STATUS_SUCCESS)
		return st == STATUS_REPARSE ? STATUS_OBJECT_PATH_NOT_FOUND : st;
	int err = pt_statx((struct pt_ref){fd, ""}, &stx);
	st = err ? nt_from_errno(-err) : check_type(&stx, options);
	if (NT_SUCCESS(st))
		st = file_create(fd, 0, &stx, &file);
	if (!NT_SUCCESS(st)) {
		close(fd);
		return st;
	}
	st = open_granted(file, granted);
	if (NT_SUCCESS(st))
		st = pt_file_info(pt_of(fs), file, info);
	if (NT_SUCCESS(st))
		*ret_context = file;
	else
		pt_close_file(fs, file);
	return st;
}

/* ---------------------------------------------------------------- create */

/* Whose a new file is. */
struct birth {
	UINT32 uid, gid, mode;
};

static NTSTATUS
birth_from_sd(PSECURITY_DESCRIPTOR sd, bool is_directory, struct birth *b)
{
	*b = (struct birth){geteuid(), getegid(), is_directory ? 0755 : 0644};
	return sd ? FspPosixMapSecurityDescriptorToPermissions(sd, &b->uid, &b->gid,
							       &b->mode)
		  : STATUS_SUCCESS;
}

/* Is fd what this process has just made under a name that others could take meanwhile? */
static bool
is_ours(int fd, mode_t type)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == type &&
	       st.st_uid == geteuid() &&
	       (S_ISLNK(type) || (st.st_mode & 0777) == (S_ISDIR(type) ? 0700 : 0600));
}

static int
make_nameless(int dir, const char *last, const struct pt_special *special)
{
	switch (special->type) {
	case S_IFLNK:
		return symlinkat(special->target, dir, last);
	case S_IFDIR:
		return mkdirat(dir, last, 0700);
	default:
		return mknodat(dir, last, special->type | 0600, special->device);
	}
}

int
pt_make(int dir, const char *last, const struct pt_special *special)
{
	int fd;

	if (S_ISREG(special->type)) {
		fd = openat(dir, last, OPEN_DATA | O_RDWR | O_CREAT | O_EXCL, 0600);
		return fd < 0 ? -errno : fd;
	}
	if (make_nameless(dir, last, special) < 0)
		return -errno;
	fd = openat(dir, last, OPEN_PATH);
	if (fd < 0)
		return -errno;
	if (is_ours(fd, special->type))
		return fd;
	close(fd);
	return -ESTALE;
}

/* Without privilege files cannot be given away: they stay the server's, as with any
 * program. */
static int
give_owner(const struct pt *pt, int fd, const struct statx *stx, UINT32 uid, UINT32 gid)
{
	if (uid == stx->stx_uid && gid == stx->stx_gid)
		return 0;
	if (fchownat(fd, "", uid, gid, AT_EMPTY_PATH) == 0)
		return 0;
	if (pt->is_privileged || errno != EPERM)
		return -errno;
	if (gid != stx->stx_gid && fchownat(fd, "", (uid_t)-1, gid, AT_EMPTY_PATH) < 0 &&
	    errno != EPERM)
		return -errno;
	return 0;
}

/* Owner first: only then may others get at it. In a set-group-id directory the group is
 * the directory's, and so for what will be made in a new directory there. */
static int
give_birth(const struct pt *pt, int dir, const struct pt_file *file,
	   const struct birth *b)
{
	struct statx parent, stx;
	int err = pt_statx((struct pt_ref){dir, ""}, &parent);
	mode_t mode = b->mode & (S_ISDIR(file->type) ? 01777 : 0777);
	bool inherits = parent.stx_mode & S_ISGID;

	if (!err)
		err = pt_statx(pt_ref_of(file), &stx);
	if (!err)
		err = give_owner(pt, file->fd, &stx, b->uid,
				 inherits ? parent.stx_gid : b->gid);
	if (!err)
		err = pt_chmod(file,
			       inherits && S_ISDIR(file->type) ? mode | S_ISGID : mode);
	return err;
}

static NTSTATUS
make_file(const struct pt_place *place, const struct pt_special *special,
	  struct pt_file **ret_file)
{
	struct statx stx;
	int fd = pt_make(place->dir, place->last, special);

	if (fd < 0)
		return nt_from_errno(-fd);
	int err = pt_statx((struct pt_ref){fd, ""}, &stx);
	NTSTATUS st =
		err ? nt_from_errno(-err)
		    : file_create(fd, S_ISREG(special->type) ? PT_READ | PT_WRITE : 0,
				  &stx, ret_file);
	if (!NT_SUCCESS(st))
		close(fd);
	return st;
}

static void
unmake(const struct pt_place *place, const struct pt_file *file)
{
	if (pt_place_holds(place, file))
		unlinkat(place->dir, place->last, S_ISDIR(file->type) ? AT_REMOVEDIR : 0);
}

NTSTATUS
pt_create_ex(FSP_FILE_SYSTEM *fs, PWSTR name, UINT32 options, UINT32 granted,
	     UINT32 attributes, PSECURITY_DESCRIPTOR sd, UINT64 allocation, PVOID extra,
	     ULONG n_extra, BOOLEAN extra_is_reparse, PVOID *ret_context,
	     FSP_FSCTL_FILE_INFO *info)
{
	CLEANUP(pt_place_fini) struct pt_place place;
	CLEANUP(pt_special_fini)
	struct pt_special special = {.type = options & FILE_DIRECTORY_FILE ? S_IFDIR
									   : S_IFREG};
	struct pt *pt = pt_of(fs);
	struct pt_file *file = NULL;
	struct birth birth = {0};
	NTSTATUS st = pt_place_init(pt, name, &place);

	(void)granted;
	(void)attributes;
	if (NT_SUCCESS(st))
		st = birth_from_sd(sd, options & FILE_DIRECTORY_FILE, &birth);
	if (NT_SUCCESS(st) && extra && extra_is_reparse)
		st = S_ISDIR(special.type) ? STATUS_NOT_SUPPORTED
					   : pt_special_parse(extra, n_extra, &special);
	if (NT_SUCCESS(st))
		st = make_file(&place, &special, &file);
	if (!file)
		return st;
	int err = give_birth(pt, place.dir, file, &birth);
	if (err)
		st = nt_from_errno(-err);
	if (NT_SUCCESS(st) && allocation && S_ISREG(file->type))
		st = pt_reserve(file, allocation);
	if (NT_SUCCESS(st) && extra && !extra_is_reparse)
		st = pt_apply_ea(pt, file, extra, n_extra);
	if (NT_SUCCESS(st))
		st = pt_file_info(pt, file, info);
	if (NT_SUCCESS(st)) {
		*ret_context = file;
	} else {
		unmake(&place, file);
		pt_close_file(fs, file);
	}
	return st;
}

NTSTATUS
pt_overwrite_ex(FSP_FILE_SYSTEM *fs, PVOID context, UINT32 attributes, BOOLEAN replace,
		UINT64 allocation, PFILE_FULL_EA_INFORMATION ea, ULONG n_ea,
		FSP_FSCTL_FILE_INFO *info)
{
	struct pt *pt = pt_of(fs);
	struct pt_file *file = context;
	NTSTATUS st = pt_need(file, PT_WRITE);

	(void)attributes;
	(void)replace;
	if (NT_SUCCESS(st) && ftruncate(file->fd, 0) < 0)
		st = pt_last_error();
	if (NT_SUCCESS(st))
		st = pt_remove_eas(pt, file);
	if (NT_SUCCESS(st) && allocation)
		st = pt_reserve(file, allocation);
	if (NT_SUCCESS(st) && ea)
		st = pt_apply_ea(pt, file, ea, n_ea);
	return NT_SUCCESS(st) ? pt_file_info(pt, file, info) : st;
}
