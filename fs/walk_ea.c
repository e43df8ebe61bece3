/* Chains of extended attributes (MS-FSCC 2.4.15). */
#include <string.h>
#include "fs/walk.h"
#include "nt/file.h"

enum { EA_FIXED = offsetof(FILE_FULL_EA_INFORMATION, EaName), EA_NAME_MAX = 254 };

struct ea_header {
	uint32_t next;
	uint8_t flags, n_name;
	uint16_t n_value;
};

/* Reads the entry at offset; false when it does not lie inside the list. */
static bool
read_entry(const uint8_t *list, uint32_t size, uint32_t offset, struct ea_header *ret_header,
	   uint32_t *ret_size)
{
	if (offset > size || size - offset < EA_FIXED)
		return false;
	memcpy(ret_header, list + offset, EA_FIXED);
	*ret_size = EA_FIXED + ret_header->n_name + 1u + ret_header->n_value;
	return *ret_size <= size - offset && list[offset + EA_FIXED + ret_header->n_name] == 0;
}

/* What FAT could hold, without wildcards. */
static bool
name_valid(const uint8_t *name, uint8_t n)
{
	if (n == 0 || n > EA_NAME_MAX)
		return false;
	for (uint8_t i = 0; i < n; i++)
		if (name[i] < 0x20 || (name[i] < 0x80 && strchr("\"*+,/:;<=>?[\\]|", name[i])))
			return false;
	return true;
}

/*
 * Follows the chain as far as it holds. *ret_valid: bytes up to the end of the last good entry;
 * *ret_last: its offset. Success: the chain ends as it should.
 */
static NTSTATUS
follow(const uint8_t *list, uint32_t size, uint32_t *ret_valid, uint32_t *ret_last,
       uint32_t *ret_at)
{
	struct ea_header ea;
	uint32_t at = 0, entry_size;

	*ret_valid = *ret_last = 0;
	for (;;) {
		*ret_at = at;
		if (!read_entry(list, size, at, &ea, &entry_size))
			return STATUS_EA_LIST_INCONSISTENT;
		if (!name_valid(list + at + EA_FIXED, ea.n_name))
			return STATUS_INVALID_EA_NAME;
		*ret_last = at;
		*ret_valid = at + entry_size;
		if (ea.next == 0)
			return STATUS_SUCCESS;
		if (ea.next % 4 != 0 || ea.next < entry_size || ea.next > size - at)
			return STATUS_EA_LIST_INCONSISTENT;
		at += ea.next;
	}
}

NTSTATUS
fs_ea_check(const void *list, uint32_t size, uint32_t *ret_bad)
{
	uint32_t valid, last, at;
	NTSTATUS st = follow(list, size, &valid, &last, &at);

	if (!NT_SUCCESS(st) && ret_bad)
		*ret_bad = at;
	return st;
}

NTSTATUS
fs_ea_repair(void *list, uint32_t *size)
{
	static const uint32_t none = 0;
	uint32_t valid, last, at;
	NTSTATUS st;

	if (*size == 0)
		return STATUS_SUCCESS;
	st = follow(list, *size, &valid, &last, &at);
	if (!NT_SUCCESS(st)) {
		/* good if only the last link is wrong: it leads to, or rounds past, the end */
		uint32_t next;

		if (valid == 0 || *size > ALIGN_UP(valid, 4))
			return STATUS_EA_LIST_INCONSISTENT;
		memcpy(&next, (uint8_t *)list + last, sizeof(next));
		if (next < valid - last)
			return STATUS_EA_LIST_INCONSISTENT;
		memcpy((uint8_t *)list + last, &none, sizeof(none));
	}
	*size = valid;
	return STATUS_SUCCESS;
}

bool
fs_ea_next(const void *list, uint32_t size, uint32_t *offset, struct fs_ea *ret_ea)
{
	const uint8_t *bytes = list;
	struct ea_header ea;
	uint32_t entry_size;

	if (*offset >= size || !read_entry(bytes, size, *offset, &ea, &entry_size))
		return false;
	ret_ea->flags = ea.flags;
	ret_ea->name = (const char *)bytes + *offset + EA_FIXED;
	ret_ea->n_name = ea.n_name;
	ret_ea->value = bytes + *offset + EA_FIXED + ea.n_name + 1;
	ret_ea->n_value = ea.n_value;
	/* a link of 0, or one that leads nowhere, ends the list */
	*offset = ea.next == 0 || ea.next > size - *offset ? size : *offset + ea.next;
	return true;
}

bool
fs_ea_append(void *list, uint32_t cap, uint32_t *size, const struct fs_ea *ea)
{
	uint8_t *bytes = list;
	struct ea_header header = {.flags = ea->flags, .n_name = ea->n_name,
				   .n_value = ea->n_value};
	uint32_t need = EA_FIXED + ea->n_name + 1u + ea->n_value;
	uint32_t at = ALIGN_UP(*size, 4), last = 0, next;

	if (at > cap || need > cap - at)
		return false;
	memset(bytes + *size, 0, at - *size);
	memcpy(bytes + at, &header, EA_FIXED);
	memcpy(bytes + at + EA_FIXED, ea->name, ea->n_name);
	bytes[at + EA_FIXED + ea->n_name] = 0;
	if (ea->n_value > 0)
		memcpy(bytes + at + EA_FIXED + ea->n_name + 1, ea->value, ea->n_value);
	if (*size > 0) {
		for (memcpy(&next, bytes, 4); next != 0; memcpy(&next, bytes + last, 4))
			last += next;
		next = at - last;
		memcpy(bytes + last, &next, 4);
	}
	*size = at + need;
	return true;
}

uint32_t
fs_ea_packed_size(const struct fs_ea *ea)
{
	return 5u + ea->n_name + ea->n_value;
}
