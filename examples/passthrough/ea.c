/*
 * Extended attributes. user.* attributes of the source are EAs; set-id bits and device
 * numbers, which no security descriptor holds, are the EAs $LXMOD and $LXDEV, as WSL has
 * them.
 *
 * An attribute set through a mount is, in the source, what a program would have set there
 * directly, and the reverse. So the two forms that a mount gives to what EAs cannot hold
 * are undone here: bytes that EA names cannot have travel as "%XX", and an empty value,
 * which an EA cannot have, as a mark (also before a value that begins with the mark).
 */
#include "examples/passthrough/passthrough.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "base/status/errno.h"
#include "base/text/escape.h"

enum {
	EA_NAME_MAX = 254,
	XATTR_NAME_ROOM = 5 + 255 + 1, /* "user.", XATTR_NAME_MAX, NUL */
	PATH_ROOM = PT_PROC_PATH_SIZE + NAME_MAX + 2,
	LX_ENTRY_SIZE =
		5 + 6 /* of an entry with a name of six bytes, without its value */
};

static const char prefix[] = "user.";
static const uint8_t mark[4] = {0x00, 'U', 'x', 0x00};

/* ---------------------------------------------------------------- set-id bits */

/* Those that the descriptor of such a file cannot hold. */
static mode_t
lx_bits(mode_t mode)
{
	return S_ISUID | S_ISGID | (pt_sticky_in_descriptor(mode) ? 0 : S_ISVTX);
}

static bool
has_lx_mode(mode_t mode)
{
	return !S_ISLNK(mode) && (mode & lx_bits(mode));
}

static bool
is_device(mode_t mode)
{
	return S_ISCHR(mode) || S_ISBLK(mode);
}

static uint32_t
lx_size(mode_t mode)
{
	return (has_lx_mode(mode) ? LX_ENTRY_SIZE + 4 : 0) +
	       (is_device(mode) ? LX_ENTRY_SIZE + 8 : 0);
}

static bool
is_lx_name(const char *name, size_t n)
{
	static const char *const names[] = {"$LXMOD", "$LXDEV", "$LXUID", "$LXGID"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (n == strlen(names[i]) && strncasecmp(name, names[i], n) == 0)
			return true;
	return false;
}

/* ---------------------------------------------------------------- names and values */

static bool
ea_cannot_hold(uint8_t c)
{
	return c <= 0x20 || c >= 0x7f || strchr("\"*+,/:;<=>?[\\]|", c);
}

/* The byte that "%XX" at s stands for, or 0. */
static uint8_t
escaped_byte(const char *s, size_t n)
{
	int high = n >= 3 && s[0] == '%' ? hex_digit_value(s[1]) : -1;
	int low = high >= 0 ? hex_digit_value(s[2]) : -1;

	if (low < 0)
		return 0;
	uint8_t c = (uint8_t)(high << 4 | low);
	return c == '%' || ea_cannot_hold(c) ? c : 0;
}

/* The EA name of an attribute (without "user."): its length, 0 when there is none. */
static size_t
encode_name(const char *name, char dst[EA_NAME_MAX + 1])
{
	size_t n = 0;

	for (; *name; name++) {
		bool escape = ea_cannot_hold((uint8_t)*name) ||
			      escaped_byte(name, strlen(name));

		if (n + (escape ? 3 : 1) > EA_NAME_MAX)
			return 0;
		if (escape)
			n += (size_t)sprintf(dst + n, "%%%02X", (unsigned)(uint8_t)*name);
		else
			dst[n++] = *name;
	}
	dst[n] = '\0';
	return n;
}

/* With "user."; false: longer than any attribute's name. */
static bool
decode_name(const char *ea, size_t n, char dst[XATTR_NAME_ROOM])
{
	size_t used = sizeof(prefix) - 1;

	memcpy(dst, prefix, used);
	for (size_t i = 0; i < n; i++) {
		uint8_t c = escaped_byte(ea + i, n - i);

		if (used + 1 >= XATTR_NAME_ROOM)
			return false;
		dst[used++] = c ? (char)c : ea[i];
		i += c ? 2 : 0;
	}
	dst[used] = '\0';
	return true;
}

static bool
is_marked(const void *value, size_t n)
{
	return n >= sizeof(mark) && memcmp(value, mark, sizeof(mark)) == 0;
}

/* ---------------------------------------------------------------- attributes of the
 * source */

static void
ref_path(struct pt_ref ref, char dst[PATH_ROOM])
{
	snprintf(dst, PATH_ROOM, "/proc/self/fd/%d%s%s", ref.fd, *ref.name ? "/" : "",
		 ref.name);
}

/* /proc/self/fd/N is itself a link, to the object: it must be followed, a name must not.
 */
static ssize_t
list_names(const char *path, bool follow, char *dst, size_t cap)
{
	return follow ? listxattr(path, dst, cap) : llistxattr(path, dst, cap);
}

static ssize_t
get_value(const char *path, bool follow, const char *name, void *dst, size_t cap)
{
	return follow ? getxattr(path, name, dst, cap) : lgetxattr(path, name, dst, cap);
}

struct names {
	char *list; /* NULs between; heap */
	size_t n;
};

static void
names_fini(struct names *names)
{
	free(names->list);
}

/* The kernel allows user.* on files and directories only. */
static bool
can_have_eas(mode_t mode)
{
	return S_ISREG(mode) || S_ISDIR(mode);
}

/* 0 or -errno; a source without attributes has none. */
static int
names_read(const char *path, bool follow, struct names *names)
{
	for (;;) {
		ssize_t n = list_names(path, follow, NULL, 0);

		if (n > 0) {
			free(names->list);
			names->list = malloc((size_t)n);
			if (!names->list)
				return -ENOMEM;
			n = list_names(path, follow, names->list, (size_t)n);
		}
		if (n >= 0) {
			names->n = (size_t)n;
			return 0;
		}
		if (errno == EOPNOTSUPP || errno == ENOSYS)
			return 0;
		if (errno != ERANGE) /* it grew meanwhile: again */
			return -errno;
	}
}

/* The next attribute that is an EA; NULL at the end. *at starts at 0. */
static const char *
names_next(const struct names *names, size_t *at)
{
	while (*at < names->n) {
		const char *name = names->list + *at, *bare = name + sizeof(prefix) - 1;

		*at += strlen(name) + 1;
		if (strncmp(name, prefix, sizeof(prefix) - 1) == 0 &&
		    !is_lx_name(bare, strlen(bare)))
			return name;
	}
	return NULL;
}

/* The value as an EA has it, on the heap; its length or -errno. */
static ssize_t
read_value(const char *path, bool follow, const char *name, uint8_t **ret_value)
{
	uint8_t *value = malloc(sizeof(mark) + UINT16_MAX + 1);

	if (!value)
		return -ENOMEM;
	ssize_t n = get_value(path, follow, name, value + sizeof(mark), UINT16_MAX + 1);
	if (n < 0) {
		n = -errno;
		free(value);
		return n;
	}
	if (n == 0 || is_marked(value + sizeof(mark), (size_t)n)) {
		memcpy(value, mark, sizeof(mark));
		n += (ssize_t)sizeof(mark);
	} else {
		memmove(value, value + sizeof(mark), (size_t)n);
	}
	*ret_value = value;
	return n;
}

/* It went away meanwhile, or is too large for an EA. */
static bool
is_skipped(ssize_t n)
{
	return n == -ENODATA || n == -ERANGE || n == -E2BIG || n > UINT16_MAX;
}

/* ---------------------------------------------------------------- size, get */

int
pt_ea_size(struct pt_ref ref, const struct statx *stx, uint32_t *ret_size)
{
	CLEANUP(names_fini) struct names names = {0};
	bool follow = *ref.name == '\0';
	char path[PATH_ROOM], ea_name[EA_NAME_MAX + 1];
	uint32_t size = lx_size(stx->stx_mode);
	int err = 0;

	if (can_have_eas(stx->stx_mode)) {
		ref_path(ref, path);
		err = names_read(path, follow, &names);
	}
	/* Files that the server may not read show no EAs. */
	if (err && err != -EACCES)
		return err;
	for (size_t at = 0;;) {
		const char *name = names_next(&names, &at);
		size_t n_name =
			name ? encode_name(name + sizeof(prefix) - 1, ea_name) : 0;
		uint8_t *value = NULL;

		if (!name)
			break;
		ssize_t n = read_value(path, follow, name, &value);
		if (n >= 0)
			free(value);
		if (n >= 0 && n_name && !is_skipped(n))
			size += (uint32_t)(5 + n_name + (size_t)n);
	}
	*ret_size = size;
	return 0;
}

/* Where GetEa writes. */
struct ea_list {
	PFILE_FULL_EA_INFORMATION list;
	ULONG cap, size;
};

static NTSTATUS
add_ea(struct ea_list *l, const char *name, size_t n_name, const void *value,
       size_t n_value)
{
	size_t head = offsetof(FILE_FULL_EA_INFORMATION, EaName);
	PFILE_FULL_EA_INFORMATION ea = calloc(1, head + n_name + 1 + n_value + 4);
	BOOLEAN fits;

	if (!ea)
		return STATUS_INSUFFICIENT_RESOURCES;
	ea->EaNameLength = (UCHAR)n_name;
	ea->EaValueLength = (USHORT)n_value;
	memcpy((char *)ea + head, name, n_name);
	memcpy((char *)ea + head + n_name + 1, value, n_value);
	fits = FspFileSystemAddEa(ea, l->list, l->cap, &l->size);
	free(ea);
	return fits ? STATUS_SUCCESS : STATUS_BUFFER_OVERFLOW;
}

static NTSTATUS
add_lx(struct ea_list *l, const struct statx *stx)
{
	uint32_t mode = stx->stx_mode,
		 device[2] = {stx->stx_rdev_major, stx->stx_rdev_minor};
	NTSTATUS st = STATUS_SUCCESS;

	if (has_lx_mode(stx->stx_mode))
		st = add_ea(l, "$LXMOD", 6, &mode, sizeof(mode));
	if (NT_SUCCESS(st) && is_device(stx->stx_mode))
		st = add_ea(l, "$LXDEV", 6, device, sizeof(device));
	return st;
}

static NTSTATUS
add_xattr(struct ea_list *l, const char *path, const char *name)
{
	char ea_name[EA_NAME_MAX + 1];
	size_t n_name = encode_name(name + sizeof(prefix) - 1, ea_name);
	uint8_t *value = NULL;
	ssize_t n;
	NTSTATUS st;

	if (n_name == 0)
		return STATUS_SUCCESS;
	n = read_value(path, true, name, &value);
	if (!value)
		return is_skipped(n) ? STATUS_SUCCESS : nt_from_errno((int)-n);
	st = is_skipped(n) ? STATUS_SUCCESS
			   : add_ea(l, ea_name, n_name, value, (size_t)n);
	free(value);
	return st;
}

NTSTATUS
pt_get_ea(FSP_FILE_SYSTEM *fs, PVOID context, PFILE_FULL_EA_INFORMATION ea, ULONG length,
	  PULONG ret_bytes)
{
	CLEANUP(names_fini) struct names names = {0};
	struct ea_list l = {.list = ea, .cap = length};
	struct pt_ref ref = pt_ref_of(context);
	char path[PATH_ROOM];
	struct statx stx;
	const char *name;
	int err = pt_statx(ref, &stx);

	(void)fs;
	ref_path(ref, path);
	if (!err && can_have_eas(stx.stx_mode))
		err = names_read(path, true, &names);
	if (err)
		return nt_from_errno(-err);
	NTSTATUS st = add_lx(&l, &stx);
	for (size_t at = 0; NT_SUCCESS(st) && (name = names_next(&names, &at));)
		st = add_xattr(&l, path, name);
	if (!NT_SUCCESS(st))
		return st;
	FspFileSystemAddEa(NULL, ea, length, &l.size);
	*ret_bytes = l.size;
	return STATUS_SUCCESS;
}

/* ---------------------------------------------------------------- set */

static const char *
ea_value(const FILE_FULL_EA_INFORMATION *ea)
{
	return ea->EaName + ea->EaNameLength + 1;
}

static NTSTATUS
set_lx(struct pt_file *file, const FILE_FULL_EA_INFORMATION *ea)
{
	uint32_t wanted = 0;
	struct statx stx;
	int err = pt_statx(pt_ref_of(file), &stx);

	if (err)
		return nt_from_errno(-err);
	/* The device number came with the reparse point; owners come with descriptors. */
	if (strncasecmp(ea->EaName, "$LXMOD", 6) != 0)
		return STATUS_SUCCESS;
	if (ea->EaValueLength == sizeof(wanted))
		memcpy(&wanted, ea_value(ea), sizeof(wanted));
	else if (ea->EaValueLength)
		return STATUS_INVALID_PARAMETER;
	mode_t bits = lx_bits(stx.stx_mode);
	mode_t mode = (stx.stx_mode & ~bits) | (wanted & bits);
	/* A sticky bit that the descriptor to come cannot hold: with the mode that it
	 * belongs to. */
	if (S_ISDIR(stx.stx_mode) && (wanted & S_ISVTX) &&
	    !pt_sticky_in_descriptor(S_IFDIR | (wanted & 0777)))
		mode = S_IFDIR | (wanted & 07777);
	err = mode == stx.stx_mode ? 0 : pt_chmod(file, mode);
	return err ? nt_from_errno(-err) : STATUS_SUCCESS;
}

/* The attribute as it is spelt in the source when it is there: EAs are compared without
 * case. */
static int
find_spelling(const char *path, char name[XATTR_NAME_ROOM])
{
	CLEANUP(names_fini) struct names names = {0};
	int err = names_read(path, true, &names);
	const char *other, *found = NULL;

	for (size_t at = 0; (other = names_next(&names, &at));) {
		if (strcmp(other, name) == 0)
			return err;
		if (!found && strcasecmp(other, name) == 0)
			found = other;
	}
	if (found && strlen(found) < XATTR_NAME_ROOM)
		strcpy(name, found);
	return err;
}

static int
set_xattr(const char *path, const char *name, const void *value, size_t n)
{
	const uint8_t *bytes = value;

	if (n == 0)
		return removexattr(path, name) < 0 && errno != ENODATA ? -errno : 0;
	if (is_marked(bytes, n)) {
		bytes += sizeof(mark);
		n -= sizeof(mark);
	}
	return setxattr(path, name, bytes, n, 0) < 0 ? -errno : 0;
}

static NTSTATUS
apply_one(FSP_FILE_SYSTEM *fs, PVOID context, PFILE_FULL_EA_INFORMATION ea)
{
	struct pt_file *file = context;
	char path[PATH_ROOM], name[XATTR_NAME_ROOM];

	(void)fs;
	if (is_lx_name(ea->EaName, ea->EaNameLength))
		return set_lx(file, ea);
	if (!can_have_eas(file->type))
		return STATUS_EAS_NOT_SUPPORTED;
	if (!decode_name(ea->EaName, ea->EaNameLength, name))
		return STATUS_INVALID_EA_NAME;
	ref_path(pt_ref_of(file), path);
	int err = find_spelling(path, name);
	if (!err)
		err = set_xattr(path, name, ea_value(ea), ea->EaValueLength);
	return err ? nt_from_errno(-err) : STATUS_SUCCESS;
}

NTSTATUS
pt_apply_ea(struct pt *pt, struct pt_file *file, PFILE_FULL_EA_INFORMATION ea,
	    ULONG length)
{
	NTSTATUS st = FspFileSystemEnumerateEa(pt->fs, apply_one, file, ea, length);

	pt->n_ea_changes++;
	return st;
}

NTSTATUS
pt_remove_eas(struct pt *pt, struct pt_file *file)
{
	CLEANUP(names_fini) struct names names = {0};
	char path[PATH_ROOM];
	const char *name;
	int err = 0;

	if (!can_have_eas(file->type))
		return STATUS_SUCCESS;
	ref_path(pt_ref_of(file), path);
	err = names_read(path, true, &names);
	for (size_t at = 0; !err && (name = names_next(&names, &at));)
		err = set_xattr(path, name, NULL, 0);
	pt->n_ea_changes++;
	return err ? nt_from_errno(-err) : STATUS_SUCCESS;
}

NTSTATUS
pt_set_ea(FSP_FILE_SYSTEM *fs, PVOID context, PFILE_FULL_EA_INFORMATION ea, ULONG length,
	  FSP_FSCTL_FILE_INFO *info)
{
	NTSTATUS st = pt_apply_ea(pt_of(fs), context, ea, length);

	return NT_SUCCESS(st) ? pt_file_info(pt_of(fs), context, info) : st;
}
