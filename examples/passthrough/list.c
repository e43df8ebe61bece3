/*
 * Listings. The marker of an entry is the position that the source's file system gave
 * with it, so that any listing can be continued without a table of ours; getdents64
 * itself, because readdir hides positions that are not the last one's.
 */
#include "examples/passthrough/passthrough.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/status/errno.h"
#include "base/text/names.h"

enum { BATCH = 16 * 1024 };

struct dirent64_raw {
	uint64_t ino;
	int64_t next; /* position after this entry */
	uint16_t size;
	uint8_t type;
	char name[];
};

/* A batch of entries; pt_file.lock held, as the position is the descriptor's. */
struct batch {
	_Alignas(8) char bytes[BATCH];
	int n, at;
};

/* The next entry, NULL at the end (*ret_err 0) or on failure (-errno). */
static const struct dirent64_raw *
batch_next(struct batch *b, int fd, int *ret_err)
{
	*ret_err = 0;
	if (b->at >= b->n) {
		b->at = 0;
		b->n = (int)syscall(SYS_getdents64, fd, b->bytes, sizeof(b->bytes));
		if (b->n <= 0) {
			/* ENOENT: the directory was removed */
			*ret_err = b->n < 0 && errno != ENOENT ? -errno : 0;
			return NULL;
		}
	}
	const struct dirent64_raw *d = (const void *)(b->bytes + b->at);
	b->at += d->size;
	return d;
}

static bool
is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int
rewind_to(int fd, uint64_t position)
{
	return lseek(fd, (off_t)position, SEEK_SET) < 0 ? -errno : 0;
}

int
pt_directory_is_filled(struct pt_file *file)
{
	struct batch b = {.n = 0};
	const struct dirent64_raw *d = NULL;
	NTSTATUS st = pt_need(file, PT_READ);
	int err;

	if (!NT_SUCCESS(st))
		return -errno_from_nt(st);
	pthread_mutex_lock(&file->lock);
	err = rewind_to(file->fd, 0);
	while (!err && (d = batch_next(&b, file->fd, &err)) && is_dots(d->name))
		;
	pthread_mutex_unlock(&file->lock);
	return err ? err : d != NULL;
}

/* ---------------------------------------------------------------- entries */

/* Room for an entry with the longest name. */
union dir_info {
	FSP_FSCTL_DIR_INFO info;
	UINT8 bytes[sizeof(FSP_FSCTL_DIR_INFO) + NAME_MAX_UNITS * sizeof(WCHAR)];
};

/* What can be told of an entry that the server may not look at. */
static void
fill_bare(const struct dirent64_raw *d, FSP_FSCTL_FILE_INFO *info)
{
	memset(info, 0, sizeof(*info));
	info->FileAttributes = d->type == DT_DIR ? FILE_ATTRIBUTE_DIRECTORY : 0;
	info->IndexNumber = d->ino;
	info->HardLinks = 1;
}

/* ".." is shown as the directory itself: its parent may have become one outside the
 * source. */
static NTSTATUS
fill_entry(struct pt *pt, const struct pt_file *dir, const struct dirent64_raw *d,
	   FSP_FSCTL_FILE_INFO *info)
{
	struct pt_ref ref = {dir->fd, is_dots(d->name) ? "" : d->name};
	struct statx stx;
	int err = pt_statx(ref, &stx);

	if (err == -EACCES) {
		fill_bare(d, info);
		return STATUS_SUCCESS;
	}
	return err ? nt_from_errno(-err) : pt_fill_info(pt, ref, &stx, info);
}

/* Names that no UTF-16 name of 255 units stands for do not occur: NAME_MAX is 255 bytes.
 */
static size_t
put_name(const char *name, FSP_FSCTL_DIR_INFO *info)
{
	int n = name_from_posix(name, strlen(name), TEXT_COMPONENT,
				(uint16_t *)info->FileNameBuf, NAME_MAX_UNITS);

	info->Size = (UINT16)(sizeof(*info) + (n > 0 ? (size_t)n : 0) * sizeof(WCHAR));
	return n > 0 ? (size_t)n : 0;
}

/* false: no room. An entry that went away meanwhile is left out. */
static bool
add_entry(struct pt *pt, const struct pt_file *dir, const struct dirent64_raw *d,
	  PVOID buffer, ULONG length, PULONG bytes)
{
	union dir_info u;

	memset(&u.info, 0, sizeof(u.info));
	u.info.NextOffset = (UINT64)d->next;
	if (!put_name(d->name, &u.info) ||
	    !NT_SUCCESS(fill_entry(pt, dir, d, &u.info.FileInfo)))
		return true;
	return FspFileSystemAddDirInfo(&u.info, buffer, length, bytes);
}

static bool
is_root(const struct pt *pt, const struct pt_file *dir)
{
	struct stat st;

	return fstat(pt->root, &st) == 0 && st.st_dev == dir->device &&
	       st.st_ino == dir->inode;
}

NTSTATUS
pt_read_directory(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR pattern, PWSTR marker,
		  PVOID buffer, ULONG length, PULONG ret_bytes)
{
	struct pt *pt = pt_of(fs);
	struct pt_file *dir = context;
	struct batch b = {.n = 0};
	const struct dirent64_raw *d;
	uint64_t position = 0;
	bool with_dots = !is_root(pt, dir), room = true;
	NTSTATUS st = pt_need(dir, PT_READ);
	int err;

	(void)pattern; /* the engine filters */
	if (!NT_SUCCESS(st))
		return st;
	if (marker) /* DirectoryMarkerAsNextOffset */
		memcpy(&position, marker, sizeof(position));
	pthread_mutex_lock(&dir->lock);
	err = rewind_to(dir->fd, position);
	while (!err && room && (d = batch_next(&b, dir->fd, &err)))
		if (with_dots || !is_dots(d->name))
			room = add_entry(pt, dir, d, buffer, length, ret_bytes);
	pthread_mutex_unlock(&dir->lock);
	if (err)
		return nt_from_errno(-err);
	if (room)
		FspFileSystemAddDirInfo(NULL, buffer, length, ret_bytes);
	return STATUS_SUCCESS;
}

NTSTATUS
pt_get_dir_info(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name, FSP_FSCTL_DIR_INFO *info)
{
	const struct pt_file *dir = context;
	const uint16_t *units = (const uint16_t *)name;
	char bytes[NAME_MAX_UTF8_BYTES + 1];
	struct statx stx;
	int n = name_to_posix(units, utf16_len(units), TEXT_COMPONENT, bytes,
			      NAME_MAX_UTF8_BYTES);

	if (n <= 0 || memchr(bytes, '/', (size_t)n) || memchr(bytes, 0, (size_t)n))
		return STATUS_OBJECT_NAME_INVALID;
	bytes[n] = '\0';
	struct pt_ref ref = {dir->fd, bytes};
	if (is_dots(bytes))
		return STATUS_OBJECT_NAME_NOT_FOUND;
	int err = pt_statx(ref, &stx);
	if (err)
		return nt_from_errno(-err);
	info->NextOffset = 0;
	put_name(bytes, info);
	return pt_fill_info(pt_of(fs), ref, &stx, &info->FileInfo);
}
