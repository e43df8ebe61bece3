/* Deletion, rename, link: what changes names. */
#include "examples/passthrough/passthrough.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include "base/status/errno.h"

static bool
is_directory(const struct pt_file *file)
{
	return S_ISDIR(file->type);
}

void
pt_temporary_name(char dst[32])
{
	uint64_t number = 0;

	/* A number that was taken only makes the one operation fail. */
	if (getrandom(&number, sizeof(number), 0) < 0)
		number = (uint64_t)getpid();
	snprintf(dst, 32, ".passthrough-%016llx", (unsigned long long)number);
}

/* ---------------------------------------------------------------- deletion */

VOID
pt_cleanup(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name, ULONG flags)
{
	CLEANUP(pt_place_fini) struct pt_place place = {.dir = -1};
	struct pt_file *file = context;

	place.path.bytes = place.path.room;
	if (!(flags & FspCleanupDelete) ||
	    !NT_SUCCESS(pt_place_init(pt_of(fs), name, &place)))
		return;
	/* Another file may have taken the name in the source; it stays. */
	if (pt_place_holds(&place, file) &&
	    unlinkat(place.dir, place.last, is_directory(file) ? AT_REMOVEDIR : 0) < 0)
		FspDebugLog("passthrough: a file could not be removed, errno %d\n",
			    errno);
}

/* What unlink(2) would refuse: the answer is wanted before the handle is closed. */
static int
check_removable(const struct statx *stx, const struct statx *parent)
{
	if (stx->stx_attributes & STATX_ATTR_MOUNT_ROOT)
		return -EBUSY;
	if (stx->stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND))
		return -EPERM;
	return parent->stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND)
		       ? -EPERM
		       : 0;
}

static int
check_parent(const struct pt *pt, int dir)
{
	struct statvfs fs;
	char path[PT_PROC_PATH_SIZE];

	if (fstatvfs(dir, &fs) == 0 && (fs.f_flag & ST_RDONLY))
		return -EROFS;
	pt_proc_path(dir, path);
	return !pt->is_privileged &&
			       faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) < 0
		       ? -errno
		       : 0;
}

/* rmdir(2) asks for no permission on the directory itself, but looking inside does: its owner
 * lends it the right to be read for as long as that takes. */
static int
is_filled(struct pt_file *file, const struct statx *stx)
{
	char path[PT_PROC_PATH_SIZE];
	int err = pt_directory_is_filled(file);

	if (err != -EACCES)
		return err;
	pt_proc_path(pt_ref_of(file).fd, path);
	if (chmod(path, (stx->stx_mode & 07777) | S_IRUSR | S_IXUSR) < 0)
		return -EACCES;
	err = pt_directory_is_filled(file);
	return chmod(path, stx->stx_mode & 07777) < 0 && err >= 0 ? -errno : err;
}

NTSTATUS
pt_can_delete(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name)
{
	CLEANUP(pt_place_fini) struct pt_place place;
	struct pt_file *file = context;
	struct statx stx, parent;
	NTSTATUS st = pt_place_init(pt_of(fs), name, &place);

	if (!NT_SUCCESS(st))
		return st;
	int err = pt_statx(pt_ref_of(file), &stx);
	if (!err)
		err = pt_statx((struct pt_ref){place.dir, ""}, &parent);
	if (!err)
		err = check_removable(&stx, &parent);
	if (!err)
		err = check_parent(pt_of(fs), place.dir);
	if (!err && is_directory(file)) {
		err = is_filled(file, &stx);
		if (err > 0)
			return STATUS_DIRECTORY_NOT_EMPTY;
	}
	return err ? nt_from_errno(-err) : STATUS_SUCCESS;
}

/* ---------------------------------------------------------------- rename */

struct move {
	struct pt_place from, to;
};

static void
move_fini(struct move *m)
{
	pt_place_fini(&m->from);
	pt_place_fini(&m->to);
}

static NTSTATUS
move_init(struct pt *pt, const struct pt_file *file, PWSTR name, PWSTR new_name,
	  struct move *m)
{
	m->to.dir = -1;
	m->to.path.bytes = m->to.path.room;
	NTSTATUS st = pt_place_init(pt, name, &m->from);
	if (NT_SUCCESS(st) && !pt_place_holds(&m->from, file))
		st = STATUS_OBJECT_NAME_NOT_FOUND;
	return NT_SUCCESS(st) ? pt_place_init(pt, new_name, &m->to) : st;
}

static int
move(const struct move *m, unsigned flags)
{
	if (renameat2(m->from.dir, m->from.last, m->to.dir, m->to.last, flags) < 0)
		return -errno;
	return 0;
}

/* Source file systems that know no flags: 9p, some FUSE ones. Not atomic there. */
static int
move_without_replacing(const struct move *m)
{
	struct stat st;
	int err = move(m, RENAME_NOREPLACE);

	if (err != -EINVAL && err != -ENOSYS)
		return err;
	if (fstatat(m->to.dir, m->to.last, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return -EEXIST;
	return errno == ENOENT ? move(m, 0) : -errno;
}

/* NT: replaces no directory, and the old name goes away in any case. */
static NTSTATUS
move_replacing(const struct move *m, const struct pt_file *file)
{
	struct stat st;
	int err;

	if (fstatat(m->to.dir, m->to.last, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		bool same = st.st_dev == file->device && st.st_ino == file->inode;

		if (S_ISDIR(st.st_mode) && !same)
			return STATUS_ACCESS_DENIED;
		/* rename(2) leaves both names of one file alone */
		if (same && !S_ISDIR(st.st_mode) &&
		    unlinkat(m->from.dir, m->from.last, 0) == 0)
			return STATUS_SUCCESS;
	}
	err = move(m, 0);
	/* A plain file is in the way of a directory. */
	if (err == -ENOTDIR || err == -EISDIR)
		return STATUS_ACCESS_DENIED;
	return nt_from_errno(-err);
}

NTSTATUS
pt_rename(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name, PWSTR new_name, BOOLEAN replace)
{
	CLEANUP(move_fini) struct move m;
	NTSTATUS st = move_init(pt_of(fs), context, name, new_name, &m);

	if (!NT_SUCCESS(st))
		return st;
	return replace ? move_replacing(&m, context)
		       : nt_from_errno(-move_without_replacing(&m));
}

NTSTATUS
pt_rename_posix(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name, PWSTR new_name,
		UINT32 flags)
{
	CLEANUP(move_fini) struct move m;
	NTSTATUS st = move_init(pt_of(fs), context, name, new_name, &m);

	if (!NT_SUCCESS(st))
		return st;
	if (flags & FspxRenameExchange)
		return nt_from_errno(-move(&m, RENAME_EXCHANGE));
	return nt_from_errno(flags & FspxRenameNoReplace ? -move_without_replacing(&m)
							 : -move(&m, 0));
}

/* ---------------------------------------------------------------- link */

static int
link_to(const struct pt_file *file, const struct pt_place *to, const char *last)
{
	char path[PT_PROC_PATH_SIZE];

	pt_proc_path(file->fd, path);
	/* Follows the link that this path is, not one that the file may be. */
	return linkat(AT_FDCWD, path, to->dir, last, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

static NTSTATUS
link_replacing(const struct pt_file *file, const struct pt_place *to)
{
	char temporary[32];
	struct stat st;

	if (fstatat(to->dir, to->last, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (S_ISDIR(st.st_mode))
			return STATUS_ACCESS_DENIED;
		if (st.st_dev == file->device && st.st_ino == file->inode)
			return STATUS_OBJECT_NAME_COLLISION;
	}
	pt_temporary_name(temporary);
	int err = link_to(file, to, temporary);
	if (!err && renameat(to->dir, temporary, to->dir, to->last) < 0) {
		err = -errno;
		unlinkat(to->dir, temporary, 0);
	}
	return nt_from_errno(-err);
}

NTSTATUS
pt_link(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name, PWSTR new_name, BOOLEAN replace,
	FSP_FSCTL_FILE_INFO *info)
{
	CLEANUP(pt_place_fini) struct pt_place to;
	NTSTATUS st = pt_place_init(pt_of(fs), new_name, &to);

	(void)name;
	if (NT_SUCCESS(st) && is_directory(context))
		st = STATUS_FILE_IS_A_DIRECTORY;
	if (NT_SUCCESS(st))
		st = nt_from_errno(-link_to(context, &to, to.last));
	if (st == STATUS_OBJECT_NAME_COLLISION && replace)
		st = link_replacing(context, &to);
	return NT_SUCCESS(st) ? pt_file_info(pt_of(fs), context, info) : st;
}
