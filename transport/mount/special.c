#include "transport/mount/special.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include "base/text/names.h"
#include "fs/walk.h"
#include "nt/file.h"

enum { REPARSE_HEADER = 8, LINK_UNITS_MAX = 4096 };

static const struct {
	uint32_t tag, format;
} tag_formats[] = {
	{IO_REPARSE_TAG_SYMLINK, S_IFLNK},
	{IO_REPARSE_TAG_MOUNT_POINT, S_IFLNK},
	{IO_REPARSE_TAG_LX_SYMLINK, S_IFLNK},
	{IO_REPARSE_TAG_NFS, DOOR_FORMAT_IN_DATA},
	{DOOR_TAG_AF_UNIX, S_IFSOCK},
	{DOOR_TAG_LX_FIFO, S_IFIFO},
	{DOOR_TAG_LX_CHR, S_IFCHR},
	{DOOR_TAG_LX_BLK, S_IFBLK},
};

static const struct {
	uint64_t type;
	uint32_t format;
} nfs_formats[] = {
	{NFS_SPECFILE_FIFO, S_IFIFO}, {NFS_SPECFILE_CHR, S_IFCHR}, {NFS_SPECFILE_BLK, S_IFBLK},
	{NFS_SPECFILE_LNK, S_IFLNK},  {NFS_SPECFILE_SOCK, S_IFSOCK},
};

uint32_t
door_format_of_tag(uint32_t tag)
{
	for (size_t i = 0; i < ARRAY_SIZE(tag_formats); i++)
		if (tag_formats[i].tag == tag)
			return tag_formats[i].format;
	return 0;
}

static void
put_header(void *dst, uint32_t tag, uint32_t n_data)
{
	uint16_t length = (uint16_t)n_data, reserved = 0;

	memcpy(dst, &tag, 4);
	memcpy((char *)dst + 4, &length, 2);
	memcpy((char *)dst + 6, &reserved, 2);
}

static uint32_t
get_tag(const void *buffer)
{
	uint32_t tag;

	memcpy(&tag, buffer, sizeof(tag));
	return tag;
}

static bool
is_utf8(const char *s)
{
	uint16_t *units;

	if (utf16_from_utf8(s, &units) < 0)
		return false;
	free(units);
	return true;
}

/* The target in units, or -1 when it would not come back byte for byte. */
static int
relative_target(const char *target, size_t n_bytes, bool force_nt, uint16_t *units)
{
	char *copy = strndup(target, n_bytes), *back;
	int n, n_back, result = -1;

	if (!copy)
		return -1;
	back = malloc(n_bytes + 1);
	n = name_from_posix(target, n_bytes, TEXT_PATH, units, LINK_UNITS_MAX);
	if (n > 0 && force_nt)
		result = n;
	else if (n > 0 && back && target[0] != '/' && is_utf8(copy)) {
		n_back = name_to_posix(units, (size_t)n, TEXT_PATH, back, n_bytes);
		if (n_back == (int)n_bytes && memcmp(back, target, n_bytes) == 0)
			result = n;
	}
	free(copy);
	free(back);
	return result;
}

int
door_link_build(const char *target, size_t n_bytes, bool force_nt, void *dst, uint32_t cap)
{
	const uint32_t version = 2;
	uint16_t units[LINK_UNITS_MAX];
	int n;

	if (n_bytes >= LINK_UNITS_MAX || n_bytes + REPARSE_HEADER + sizeof(version) > cap)
		return -ENAMETOOLONG;
	n = relative_target(target, n_bytes, force_nt, units);
	if (n > 0) {
		bool relative = target[0] != '/';
		uint32_t size = fs_reparse_build_symlink(units, (size_t)n, relative, dst, cap);

		if (size != 0)
			return (int)size;
	}
	put_header(dst, IO_REPARSE_TAG_LX_SYMLINK, (uint32_t)(sizeof(version) + n_bytes));
	memcpy((char *)dst + REPARSE_HEADER, &version, sizeof(version));
	memcpy((char *)dst + REPARSE_HEADER + sizeof(version), target, n_bytes);
	return (int)(REPARSE_HEADER + sizeof(version) + n_bytes);
}

static int
copy_bytes(const void *bytes, size_t n, char *dst, size_t cap)
{
	if (n > cap)
		return -ENAMETOOLONG;
	memcpy(dst, bytes, n);
	return (int)n;
}

/* A path of the object manager ("\??\C:\x") as a path a person can read ("C:/x"). */
static int
absolute_target(const struct fs_symlink *link, const char *where, char *dst, size_t cap)
{
	static const uint16_t prefix[] = {'\\', '?', '?', '\\'};
	uint16_t units[LINK_UNITS_MAX];
	const uint16_t *from = units;
	size_t n = link->n_substitute, used = 0;
	int added;

	if (n > LINK_UNITS_MAX)
		return -ENAMETOOLONG;
	memcpy(units, link->substitute, n * sizeof(*units));
	if (n >= ARRAY_SIZE(prefix) && memcmp(units, prefix, sizeof(prefix)) == 0) {
		from += ARRAY_SIZE(prefix);
		n -= ARRAY_SIZE(prefix);
	} else if (n > 0 && units[0] == '\\') {
		/* From the volume's root: below the mount point. */
		used = strcmp(where, "/") == 0 ? 0 : strlen(where);
		if (copy_bytes(where, used, dst, cap) < 0)
			return -ENAMETOOLONG;
	}
	added = name_to_posix(from, n, TEXT_PATH, dst + used, cap - used);
	return added < 0 ? added : (int)used + added;
}

static int
nt_target(const void *buffer, uint32_t size, const char *where, char *dst, size_t cap)
{
	struct fs_symlink link;
	uint16_t units[LINK_UNITS_MAX];

	if (fs_reparse_check(buffer, size) != STATUS_SUCCESS ||
	    !fs_reparse_symlink(buffer, size, &link))
		return -EINVAL;
	if (!link.relative)
		return absolute_target(&link, where, dst, cap);
	if (link.n_substitute > LINK_UNITS_MAX)
		return -ENAMETOOLONG;
	/* The names in the buffer need not be aligned. */
	memcpy(units, link.substitute, link.n_substitute * sizeof(*units));
	return name_to_posix(units, link.n_substitute, TEXT_PATH, dst, cap);
}

/* NFS links carry UTF-16 with forward slashes (MS-FSCC 2.1.2.6). */
static int
nfs_target(const char *buffer, uint32_t size, char *dst, size_t cap)
{
	uint16_t units[LINK_UNITS_MAX];
	size_t n;

	if (size < REPARSE_HEADER + 8)
		return -EINVAL;
	n = (size - REPARSE_HEADER - 8) / sizeof(*units);
	if (n > LINK_UNITS_MAX)
		return -ENAMETOOLONG;
	memcpy(units, buffer + REPARSE_HEADER + 8, n * sizeof(*units));
	return name_to_posix(units, n, TEXT_COMPONENT, dst, cap);
}

int
door_link_target(const void *buffer, uint32_t size, const char *where, char *dst, size_t cap)
{
	const char *bytes = buffer;
	uint32_t format;
	dev_t rdev;
	int n;

	if (size < REPARSE_HEADER)
		return -EINVAL;
	switch (get_tag(buffer)) {
	case IO_REPARSE_TAG_SYMLINK:
	case IO_REPARSE_TAG_MOUNT_POINT:
		n = nt_target(buffer, size, where, dst, cap);
		break;
	case IO_REPARSE_TAG_LX_SYMLINK:
		if (size < REPARSE_HEADER + 4)
			return -EINVAL;
		n = copy_bytes(bytes + REPARSE_HEADER + 4, size - REPARSE_HEADER - 4, dst, cap);
		break;
	case IO_REPARSE_TAG_NFS:
		if (!door_device_parse(buffer, size, &format, &rdev) || format != S_IFLNK)
			return -EINVAL;
		n = nfs_target(bytes, size, dst, cap);
		break;
	default:
		return -EINVAL;
	}
	return n;
}

int
door_device_build(uint32_t format, dev_t rdev, void *dst, uint32_t cap)
{
	char *bytes = dst;
	uint32_t numbers[2] = {major(rdev), minor(rdev)};
	uint32_t n = format == S_IFCHR || format == S_IFBLK ? 16 : 8;

	if (cap < REPARSE_HEADER + 16 || format == S_IFLNK)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(nfs_formats); i++)
		if (nfs_formats[i].format == format) {
			put_header(dst, IO_REPARSE_TAG_NFS, n);
			memcpy(bytes + REPARSE_HEADER, &nfs_formats[i].type, 8);
			memcpy(bytes + REPARSE_HEADER + 8, numbers, n - 8);
			return (int)(REPARSE_HEADER + n);
		}
	return -EINVAL;
}

bool
door_device_parse(const void *buffer, uint32_t size, uint32_t *ret_format, dev_t *ret_rdev)
{
	const char *bytes = buffer;
	uint32_t numbers[2] = {0, 0};
	uint64_t type;

	if (size < REPARSE_HEADER + sizeof(type) || get_tag(buffer) != IO_REPARSE_TAG_NFS)
		return false;
	memcpy(&type, bytes + REPARSE_HEADER, sizeof(type));
	if (size >= REPARSE_HEADER + 16 &&
	    (type == NFS_SPECFILE_CHR || type == NFS_SPECFILE_BLK))
		memcpy(numbers, bytes + REPARSE_HEADER + 8, sizeof(numbers));
	for (size_t i = 0; i < ARRAY_SIZE(nfs_formats); i++)
		if (nfs_formats[i].type == type) {
			*ret_format = nfs_formats[i].format;
			*ret_rdev = makedev(numbers[0], numbers[1]);
			return true;
		}
	return false;
}

static bool
ea_is(const struct fs_ea *ea, const char *name)
{
	return ea->n_name == strlen(name) && strncasecmp(ea->name, name, ea->n_name) == 0;
}

bool
door_lx_find(const void *list, uint32_t size, uint32_t *ret_mode, dev_t *ret_rdev)
{
	uint32_t offset = 0, numbers[2];
	struct fs_ea ea;
	bool found = false;

	*ret_mode = 0;
	*ret_rdev = 0;
	while (fs_ea_next(list, size, &offset, &ea)) {
		if (ea_is(&ea, "$LXMOD") && ea.n_value == 4) {
			memcpy(ret_mode, ea.value, 4);
			found = true;
		} else if (ea_is(&ea, "$LXDEV") && ea.n_value == sizeof(numbers)) {
			memcpy(numbers, ea.value, sizeof(numbers));
			*ret_rdev = makedev(numbers[0], numbers[1]);
			found = true;
		}
	}
	return found;
}

uint32_t
door_lx_build(uint32_t mode, void *dst, uint32_t cap)
{
	struct fs_ea ea = {.name = "$LXMOD", .n_name = 6, .value = (const uint8_t *)&mode,
			   .n_value = mode != 0 ? sizeof(mode) : 0};
	uint32_t size = 0;

	return fs_ea_append(dst, cap, &size, &ea) ? size : 0;
}

bool
door_lx_is_name(const char *name, size_t n)
{
	static const char *const names[] = {"$LXMOD", "$LXDEV", "$LXUID", "$LXGID"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (n == strlen(names[i]) && strncasecmp(name, names[i], n) == 0)
			return true;
	return false;
}

uint32_t
door_lx_bits(uint32_t mode)
{
	/* The DACL of a directory carries the sticky bit as DELETE_CHILD that the owner has and
	 * other writers have not. */
	bool in_dacl = S_ISDIR(mode) && (mode & 0200) && (mode & 0022);

	return mode & (S_ISUID | S_ISGID | (in_dacl ? 0 : S_ISVTX));
}

/* The kernel's new_encode_dev: 12 bits of major, 20 of minor. */
uint32_t
door_rdev_encode(dev_t rdev)
{
	uint32_t ma = major(rdev), mi = minor(rdev);

	return (mi & 0xff) | ma << 8 | (mi & ~0xffu) << 12;
}

dev_t
door_rdev_decode(uint32_t rdev)
{
	return makedev((rdev & 0xfff00) >> 8, (rdev & 0xff) | (rdev >> 12 & 0xfff00));
}
