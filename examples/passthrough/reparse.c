/*
 * Links and device files as reparse points (MS-FSCC 2.1.2): the same bytes as the mount
 * writes. A link whose target is relative and comes back from UTF-16 byte for byte has
 * the SYMLINK tag, so that NT openers can follow it; others have the LX_SYMLINK tag with
 * their bytes. Pipes, sockets and devices have the NFS tag.
 */
#include "examples/passthrough/passthrough.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "base/status/errno.h"
#include "base/text/names.h"

enum {
	HEADER = REPARSE_DATA_BUFFER_HEADER_SIZE,
	SYMLINK_NAMES = HEADER + 12, /* offset of the path buffer of a SYMLINK */
	LX_VERSION = 2
};

static const struct {
	uint64_t type;
	mode_t format;
} nfs_types[] = {
	{NFS_SPECFILE_FIFO, S_IFIFO},
	{NFS_SPECFILE_CHR, S_IFCHR},
	{NFS_SPECFILE_BLK, S_IFBLK},
	{NFS_SPECFILE_SOCK, S_IFSOCK},
};

/* ---------------------------------------------------------------- building */

/* The target in UTF-16 when it has the SYMLINK tag: units; else 0. */
static size_t
nt_target(const char *target, size_t n, uint16_t units[PATH_MAX])
{
	char back[PATH_MAX];
	uint16_t *plain;

	if (n == 0 || target[0] == '/' || utf16_from_utf8(target, &plain) < 0)
		return 0;
	free(plain);
	int n_units = name_from_posix(target, n, TEXT_PATH, units, PATH_MAX);
	if (n_units <= 0 ||
	    name_to_posix(units, (size_t)n_units, TEXT_PATH, back, n) != (int)n ||
	    memcmp(back, target, n) != 0)
		return 0;
	/* both names are in the buffer */
	return SYMLINK_NAMES + 4 * (size_t)n_units <= MAXIMUM_REPARSE_DATA_BUFFER_SIZE
		       ? (size_t)n_units
		       : 0;
}

/* The same link through a mount that keeps access times as they are, or -1. */
static int
open_quietly(const struct pt *pt, struct pt_ref ref, const struct statx *stx)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} u;
	int mount_id;

	if (pt->quiet < 0 || pt_device(stx) != pt->device)
		return -1;
	u.handle.handle_bytes = MAX_HANDLE_SZ;
	if (name_to_handle_at(ref.fd, ref.name, &u.handle, &mount_id,
			      *ref.name ? 0 : AT_EMPTY_PATH) < 0)
		return -1;
	return open_by_handle_at(pt->quiet, &u.handle, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

/*
 * NUL-terminated; its length or -errno. To ask what a link is must not count as following
 * it: where the server can, it reads the target without a new access time.
 */
static int
read_target(const struct pt *pt, struct pt_ref ref, const struct statx *stx,
	    char target[PATH_MAX])
{
	CLEANUP(close_fd) int quiet = open_quietly(pt, ref, stx);
	ssize_t n = quiet < 0 ? readlinkat(ref.fd, ref.name, target, PATH_MAX - 1)
			      : readlinkat(quiet, "", target, PATH_MAX - 1);

	if (n < 0)
		return -errno;
	target[n] = '\0';
	return (int)n;
}

int
pt_reparse_tag(const struct pt *pt, struct pt_ref ref, const struct statx *stx,
	       uint32_t *ret_tag)
{
	mode_t type = stx->stx_mode;
	char target[PATH_MAX];
	uint16_t units[PATH_MAX];
	int n;

	if (S_ISREG(type) || S_ISDIR(type)) {
		*ret_tag = 0;
		return 0;
	}
	if (!S_ISLNK(type)) {
		*ret_tag = IO_REPARSE_TAG_NFS;
		return 0;
	}
	n = read_target(pt, ref, stx, target);
	if (n < 0)
		return n;
	*ret_tag = nt_target(target, (size_t)n, units) ? IO_REPARSE_TAG_SYMLINK
						       : IO_REPARSE_TAG_LX_SYMLINK;
	return 0;
}

static uint8_t *
put(uint8_t *at, const void *bytes, size_t n)
{
	memcpy(at, bytes, n);
	return at + n;
}

static uint8_t *
put_header(uint8_t *at, uint32_t tag, size_t n_data)
{
	uint16_t lengths[2] = {(uint16_t)n_data, 0};

	at = put(at, &tag, sizeof(tag));
	return put(at, lengths, sizeof(lengths));
}

static size_t
build_symlink(const uint16_t *units, size_t n_units, uint8_t *dst)
{
	uint16_t n = (uint16_t)(n_units * 2);
	uint16_t names[4] = {0, n, n, n}; /* substitute and print name: offset, length */
	uint32_t flags = SYMLINK_FLAG_RELATIVE;
	uint8_t *at =
		put_header(dst, IO_REPARSE_TAG_SYMLINK, SYMLINK_NAMES - HEADER + 2u * n);

	at = put(at, names, sizeof(names));
	at = put(at, &flags, sizeof(flags));
	at = put(at, units, n);
	at = put(at, units, n);
	return (size_t)(at - dst);
}

static int
build_link(const struct pt *pt, struct pt_ref ref, const struct statx *stx, uint8_t *dst)
{
	char target[PATH_MAX];
	uint16_t units[PATH_MAX];
	uint32_t version = LX_VERSION;
	int n = read_target(pt, ref, stx, target);
	size_t n_units;
	uint8_t *at;

	if (n < 0)
		return n;
	n_units = nt_target(target, (size_t)n, units);
	if (n_units)
		return (int)build_symlink(units, n_units, dst);
	at = put_header(dst, IO_REPARSE_TAG_LX_SYMLINK, sizeof(version) + (size_t)n);
	at = put(at, &version, sizeof(version));
	at = put(at, target, (size_t)n);
	return (int)(at - dst);
}

static int
build_special(const struct statx *stx, uint8_t *dst)
{
	uint32_t numbers[2] = {stx->stx_rdev_major, stx->stx_rdev_minor};
	bool is_device = S_ISCHR(stx->stx_mode) || S_ISBLK(stx->stx_mode);

	for (size_t i = 0; i < ARRAY_SIZE(nfs_types); i++)
		if (nfs_types[i].format == (stx->stx_mode & S_IFMT)) {
			uint8_t *at =
				put_header(dst, IO_REPARSE_TAG_NFS, is_device ? 16 : 8);

			at = put(at, &nfs_types[i].type, sizeof(nfs_types[i].type));
			if (is_device)
				at = put(at, numbers, sizeof(numbers));
			return (int)(at - dst);
		}
	return -EINVAL;
}

NTSTATUS
pt_reparse_build(const struct pt *pt, struct pt_ref ref, void *buffer, SIZE_T *size)
{
	uint8_t bytes[MAXIMUM_REPARSE_DATA_BUFFER_SIZE];
	struct statx stx;
	int n = pt_statx(ref, &stx);

	if (n < 0)
		return nt_from_errno(-n);
	if (S_ISREG(stx.stx_mode) || S_ISDIR(stx.stx_mode))
		return STATUS_NOT_A_REPARSE_POINT;
	n = S_ISLNK(stx.stx_mode) ? build_link(pt, ref, &stx, bytes)
				  : build_special(&stx, bytes);
	if (n < 0)
		return nt_from_errno(-n);
	if (!buffer)
		return STATUS_SUCCESS;
	if ((SIZE_T)n > *size)
		return STATUS_BUFFER_TOO_SMALL;
	*size = (SIZE_T)n;
	memcpy(buffer, bytes, (size_t)n);
	return STATUS_SUCCESS;
}

/* ---------------------------------------------------------------- parsing */

/* buffer: the substitute name of a SYMLINK. */
static NTSTATUS
parse_symlink(const uint8_t *buffer, SIZE_T size, struct pt_special *special)
{
	uint16_t names[4], *units;
	uint32_t flags;
	int n = -1;

	if (size < SYMLINK_NAMES)
		return STATUS_IO_REPARSE_DATA_INVALID;
	memcpy(names, buffer + HEADER, sizeof(names));
	memcpy(&flags, buffer + HEADER + sizeof(names), sizeof(flags));
	if (names[1] == 0 || names[1] % 2 ||
	    (SIZE_T)names[0] + names[1] > size - SYMLINK_NAMES)
		return STATUS_IO_REPARSE_DATA_INVALID;
	if (!(flags & SYMLINK_FLAG_RELATIVE)) /* a path of NT's object manager */
		return STATUS_NOT_SUPPORTED;
	units = malloc(names[1]);
	special->target = malloc((size_t)names[1] / 2 * 3 + 1);
	if (units && special->target) {
		memcpy(units, buffer + SYMLINK_NAMES + names[0], names[1]);
		n = name_to_posix(units, names[1] / 2u, TEXT_PATH, special->target,
				  (size_t)names[1] / 2 * 3);
	}
	free(units);
	if (n < 0)
		return STATUS_INSUFFICIENT_RESOURCES;
	special->target[n] = '\0';
	return STATUS_SUCCESS;
}

static NTSTATUS
parse_lx_symlink(const uint8_t *buffer, SIZE_T size, struct pt_special *special)
{
	uint32_t version;
	SIZE_T at = HEADER + sizeof(version);

	if (size <= at)
		return STATUS_IO_REPARSE_DATA_INVALID;
	memcpy(&version, buffer + HEADER, sizeof(version));
	if (version != LX_VERSION || memchr(buffer + at, 0, size - at))
		return STATUS_IO_REPARSE_DATA_INVALID;
	special->target = strndup((const char *)buffer + at, size - at);
	return special->target ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

static NTSTATUS
parse_nfs(const uint8_t *buffer, SIZE_T size, struct pt_special *special)
{
	uint32_t numbers[2] = {0, 0};
	uint64_t type;

	if (size < HEADER + sizeof(type))
		return STATUS_IO_REPARSE_DATA_INVALID;
	memcpy(&type, buffer + HEADER, sizeof(type));
	if (type == NFS_SPECFILE_CHR || type == NFS_SPECFILE_BLK) {
		if (size < HEADER + sizeof(type) + sizeof(numbers))
			return STATUS_IO_REPARSE_DATA_INVALID;
		memcpy(numbers, buffer + HEADER + sizeof(type), sizeof(numbers));
	}
	special->device = makedev(numbers[0], numbers[1]);
	for (size_t i = 0; i < ARRAY_SIZE(nfs_types); i++)
		if (nfs_types[i].type == type) {
			special->type = nfs_types[i].format;
			return STATUS_SUCCESS;
		}
	return STATUS_IO_REPARSE_DATA_INVALID;
}

NTSTATUS
pt_special_parse(const void *buffer, SIZE_T size, struct pt_special *special)
{
	uint32_t tag;
	uint16_t n_data;

	*special = (struct pt_special){.type = S_IFLNK};
	if (size < HEADER)
		return STATUS_IO_REPARSE_DATA_INVALID;
	memcpy(&tag, buffer, sizeof(tag));
	memcpy(&n_data, (const uint8_t *)buffer + sizeof(tag), sizeof(n_data));
	if (n_data > size - HEADER)
		return STATUS_IO_REPARSE_DATA_INVALID;
	size = HEADER + (SIZE_T)n_data;
	switch (tag) {
	case IO_REPARSE_TAG_SYMLINK:
		return parse_symlink(buffer, size, special);
	case IO_REPARSE_TAG_LX_SYMLINK:
		return parse_lx_symlink(buffer, size, special);
	case IO_REPARSE_TAG_NFS:
		return parse_nfs(buffer, size, special);
	default: /* nothing in a directory of Linux holds it */
		return STATUS_IO_REPARSE_TAG_NOT_HANDLED;
	}
}

void
pt_special_fini(struct pt_special *special)
{
	free(special->target);
	special->target = NULL;
}

/* ---------------------------------------------------------------- operations */

NTSTATUS
pt_reparse_by_name(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name, BOOLEAN is_directory,
		   PVOID buffer, PSIZE_T size)
{
	CLEANUP(close_fd) int fd = -1;
	NTSTATUS st = pt_open_path(pt_of(fs), name, &fd);

	(void)context;
	(void)is_directory;
	if (st == STATUS_REPARSE)
		return STATUS_OBJECT_PATH_NOT_FOUND;
	return NT_SUCCESS(st) ? pt_reparse_build(pt_of(fs), (struct pt_ref){fd, ""},
						 buffer, size)
			      : st;
}

NTSTATUS
pt_resolve_reparse(FSP_FILE_SYSTEM *fs, PWSTR name, UINT32 index, BOOLEAN resolve_last,
		   PIO_STATUS_BLOCK io_status, PVOID buffer, PSIZE_T size)
{
	return FspFileSystemResolveReparsePoints(fs, pt_reparse_by_name, NULL, name,
						 index, resolve_last, io_status, buffer,
						 size);
}

NTSTATUS
pt_get_reparse(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name, PVOID buffer, PSIZE_T size)
{
	(void)name;
	return pt_reparse_build(pt_of(fs), pt_ref_of(context), buffer, size);
}

/* Gives what was made beside file its owner and mode, and then its name. */
static int
put_in_place(const struct pt_place *place, const char *temporary,
	     const struct pt_file *file, struct pt_file *made)
{
	struct statx old, now;
	int err = pt_statx(pt_ref_of(file), &old);

	if (err)
		return err;
	if ((old.stx_uid != geteuid() || old.stx_gid != getegid()) &&
	    fchownat(made->fd, "", old.stx_uid, old.stx_gid, AT_EMPTY_PATH) < 0)
		return -errno;
	/* from a link's mode nothing can be taken over */
	err = pt_chmod(made, S_ISLNK(old.stx_mode) ? 0666 : old.stx_mode);
	if (err)
		return err;
	if (!pt_place_holds(place, file))
		return -ESTALE;
	if (renameat(place->dir, temporary, place->dir, place->last) < 0)
		return -errno;
	err = pt_statx(pt_ref_of(made), &now);
	made->device = pt_device(&now);
	made->inode = now.stx_ino;
	return err;
}

/* On Linux a file never becomes a link, or the reverse: another object takes its name. */
static NTSTATUS
replace_object(struct pt *pt, struct pt_file *file, PWSTR name,
	       const struct pt_special *special)
{
	CLEANUP(pt_place_fini) struct pt_place place;
	char temporary[32];
	struct pt_file made = {.type = special->type};
	struct statx stx;
	NTSTATUS st = pt_place_init(pt, name, &place);

	if (!NT_SUCCESS(st))
		return st;
	pt_temporary_name(temporary);
	made.fd = pt_make(place.dir, temporary, special);
	if (made.fd < 0)
		return nt_from_errno(-made.fd);
	int err = put_in_place(&place, temporary, file, &made);
	if (!err)
		err = pt_statx(pt_ref_of(&made), &stx);
	if (err) {
		unlinkat(place.dir, temporary, 0);
		close(made.fd);
		return nt_from_errno(-err);
	}
	pt_file_replace(file, made.fd, &stx);
	return STATUS_SUCCESS;
}

/* Links have the tag that their target allows, whichever they were made with. */
static bool
is_link_buffer(const void *buffer, SIZE_T size)
{
	uint32_t tag;

	if (size < HEADER)
		return false;
	memcpy(&tag, buffer, sizeof(tag));
	return tag == IO_REPARSE_TAG_SYMLINK || tag == IO_REPARSE_TAG_LX_SYMLINK;
}

/* The tag must stay; a plain file must be empty, as its bytes would be lost. */
static NTSTATUS
may_become(const struct pt *pt, struct pt_file *file, PVOID buffer, SIZE_T size)
{
	uint8_t current[MAXIMUM_REPARSE_DATA_BUFFER_SIZE];
	SIZE_T n_current = sizeof(current);
	struct statx stx;

	if (S_ISDIR(file->type))
		return STATUS_NOT_SUPPORTED;
	if (S_ISLNK(file->type) && is_link_buffer(buffer, size))
		return STATUS_SUCCESS;
	if (!S_ISREG(file->type)) {
		NTSTATUS st = pt_reparse_build(pt, pt_ref_of(file), current, &n_current);

		return NT_SUCCESS(st) ? FspFileSystemCanReplaceReparsePoint(
						current, n_current, buffer, size)
				      : st;
	}
	int err = pt_statx(pt_ref_of(file), &stx);
	if (err)
		return nt_from_errno(-err);
	return stx.stx_size || stx.stx_nlink > 1 ? STATUS_NOT_SUPPORTED : STATUS_SUCCESS;
}

NTSTATUS
pt_set_reparse(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name, PVOID buffer, SIZE_T size)
{
	CLEANUP(pt_special_fini) struct pt_special special = {0};
	NTSTATUS st = may_become(pt_of(fs), context, buffer, size);

	if (NT_SUCCESS(st))
		st = pt_special_parse(buffer, size, &special);
	return NT_SUCCESS(st) ? replace_object(pt_of(fs), context, name, &special) : st;
}

NTSTATUS
pt_delete_reparse(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name, PVOID buffer,
		  SIZE_T size)
{
	struct pt_special plain = {.type = S_IFREG};
	struct pt_file *file = context;

	if (S_ISREG(file->type) || S_ISDIR(file->type))
		return STATUS_NOT_A_REPARSE_POINT;
	NTSTATUS st = may_become(pt_of(fs), file, buffer, size);
	return NT_SUCCESS(st) ? replace_object(pt_of(fs), file, name, &plain) : st;
}
