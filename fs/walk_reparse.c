/* Reparse buffers (MS-FSCC 2.1.2). */
#include <string.h>
#include "fs/walk.h"
#include "nt/file.h"

enum {
	HEADER = REPARSE_DATA_BUFFER_HEADER_SIZE,
	GUID_HEADER = REPARSE_GUID_DATA_BUFFER_HEADER_SIZE,
	GUID_AT = offsetof(REPARSE_GUID_DATA_BUFFER, ReparseGuid),
	SYMLINK_PATH = offsetof(REPARSE_DATA_BUFFER, SymbolicLinkReparseBuffer.PathBuffer),
	MOUNT_PATH = offsetof(REPARSE_DATA_BUFFER, MountPointReparseBuffer.PathBuffer)
};

struct header {
	uint32_t tag;
	uint16_t length, reserved;
};

/* The two names of a symlink or a mount point, in units from their path buffer. */
struct names {
	uint16_t substitute_at, n_substitute, print_at, n_print; /* bytes */
};

static uint32_t
path_offset(uint32_t tag)
{
	return tag == IO_REPARSE_TAG_SYMLINK ? SYMLINK_PATH : MOUNT_PATH;
}

static bool
name_inside(uint16_t at, uint16_t n, uint32_t room)
{
	return at % 2 == 0 && n % 2 == 0 && at <= room && n <= room - at;
}

static NTSTATUS
check_names(const uint8_t *buffer, uint32_t size, uint32_t tag)
{
	uint32_t path = path_offset(tag), room;
	struct names names;

	if (size < path)
		return STATUS_IO_REPARSE_DATA_INVALID;
	memcpy(&names, buffer + HEADER, sizeof(names));
	room = size - path;
	if (!name_inside(names.substitute_at, names.n_substitute, room) ||
	    !name_inside(names.print_at, names.n_print, room) || names.n_substitute == 0)
		return STATUS_IO_REPARSE_DATA_INVALID;
	return STATUS_SUCCESS;
}

NTSTATUS
fs_reparse_check(const void *buffer, uint32_t size)
{
	struct header h;

	if (size < HEADER || size > MAXIMUM_REPARSE_DATA_BUFFER_SIZE)
		return STATUS_IO_REPARSE_DATA_INVALID;
	memcpy(&h, buffer, sizeof(h));
	if (h.tag == IO_REPARSE_TAG_RESERVED_ZERO || h.tag == IO_REPARSE_TAG_RESERVED_ONE)
		return STATUS_IO_REPARSE_TAG_INVALID;
	/* tags that are not Microsoft's carry a GUID */
	if (!IsReparseTagMicrosoft(h.tag))
		return size == (uint32_t)GUID_HEADER + h.length ? STATUS_SUCCESS :
								  STATUS_IO_REPARSE_DATA_INVALID;
	if (size != (uint32_t)HEADER + h.length)
		return STATUS_IO_REPARSE_DATA_INVALID;
	if (h.tag == IO_REPARSE_TAG_SYMLINK || h.tag == IO_REPARSE_TAG_MOUNT_POINT)
		return check_names(buffer, size, h.tag);
	return STATUS_SUCCESS;
}

bool
fs_reparse_symlink(const void *buffer, uint32_t size, struct fs_symlink *ret_link)
{
	const uint8_t *bytes = buffer;
	struct header h;
	struct names names;
	uint32_t flags = 0;

	if (size < HEADER)
		return false;
	memcpy(&h, bytes, sizeof(h));
	if ((h.tag != IO_REPARSE_TAG_SYMLINK && h.tag != IO_REPARSE_TAG_MOUNT_POINT) ||
	    !NT_SUCCESS(check_names(bytes, size, h.tag)))
		return false;
	memcpy(&names, bytes + HEADER, sizeof(names));
	if (h.tag == IO_REPARSE_TAG_SYMLINK)
		memcpy(&flags, bytes + HEADER + sizeof(names), sizeof(flags));
	bytes += path_offset(h.tag);
	ret_link->substitute = (const uint16_t *)(bytes + names.substitute_at);
	ret_link->n_substitute = names.n_substitute / 2u;
	ret_link->print = (const uint16_t *)(bytes + names.print_at);
	ret_link->n_print = names.n_print / 2u;
	ret_link->relative = flags & SYMLINK_FLAG_RELATIVE;
	return true;
}

uint32_t
fs_reparse_build_symlink(const uint16_t *target, size_t n_units, bool relative, void *dst,
			 uint32_t cap)
{
	uint8_t *bytes = dst;
	size_t n_bytes = n_units * 2;
	uint32_t flags = relative ? SYMLINK_FLAG_RELATIVE : 0;

	if (n_units == 0 || n_units > INT16_MAX || cap < SYMLINK_PATH ||
	    n_bytes * 2 > cap - SYMLINK_PATH || n_bytes * 2 + SYMLINK_PATH - HEADER > UINT16_MAX)
		return 0;
	uint32_t size = (uint32_t)(SYMLINK_PATH + n_bytes * 2);
	struct header h = {IO_REPARSE_TAG_SYMLINK, (uint16_t)(size - HEADER), 0};
	struct names names = {0, (uint16_t)n_bytes, (uint16_t)n_bytes, (uint16_t)n_bytes};
	memcpy(bytes, &h, sizeof(h));
	memcpy(bytes + HEADER, &names, sizeof(names));
	memcpy(bytes + HEADER + sizeof(names), &flags, sizeof(flags));
	memcpy(bytes + SYMLINK_PATH, target, n_bytes);
	memcpy(bytes + SYMLINK_PATH + n_bytes, target, n_bytes);
	return size;
}

NTSTATUS
fs_reparse_can_replace(const void *current, uint32_t n_current, const void *replacement,
		       uint32_t n_replacement)
{
	uint32_t old_tag, new_tag;

	if (n_current < sizeof(old_tag) || n_replacement < sizeof(new_tag))
		return STATUS_IO_REPARSE_DATA_INVALID;
	memcpy(&old_tag, current, sizeof(old_tag));
	memcpy(&new_tag, replacement, sizeof(new_tag));
	if (old_tag != new_tag)
		return STATUS_IO_REPARSE_TAG_MISMATCH;
	if (IsReparseTagMicrosoft(old_tag))
		return STATUS_SUCCESS;
	if (n_current < GUID_HEADER || n_replacement < GUID_HEADER ||
	    memcmp((const uint8_t *)current + GUID_AT, (const uint8_t *)replacement + GUID_AT,
		   sizeof(GUID)) != 0)
		return STATUS_REPARSE_ATTRIBUTE_CONFLICT;
	return STATUS_SUCCESS;
}
