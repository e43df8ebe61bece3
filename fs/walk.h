/*
 * Walkers over the lists that file systems and callers hand in: EA chains, reparse buffers,
 * stream and directory lists. Each is bounded by the size it is given, whatever the lists say,
 * and each is a fuzz target. Shared by engine, API layer and doors.
 */
#ifndef USERDRIVE_FS_WALK_H
#define USERDRIVE_FS_WALK_H

#include "fs/contract.h"

struct fs_ea {
	uint8_t flags;
	const char *name; /* n_name bytes, NUL follows */
	uint8_t n_name;
	const uint8_t *value;
	uint16_t n_value;
};
/*
 * Checks a FILE_FULL_EA_INFORMATION chain from a caller: entries inside size, aligned to 4, names
 * of 1..254 legal characters (MS-FSCC 2.4.15). STATUS_SUCCESS, STATUS_EA_LIST_INCONSISTENT or
 * STATUS_INVALID_EA_NAME; *ret_bad is the offset of the entry at fault.
 */
NODISCARD NTSTATUS fs_ea_check(const void *list, uint32_t size, uint32_t *ret_bad);
/* A chain from a program may be empty or end in a nonzero NextEntryOffset: repaired in place,
 * *size set to what is valid; STATUS_EA_LIST_INCONSISTENT when beyond repair. */
NODISCARD NTSTATUS fs_ea_repair(void *list, uint32_t *size);
/* *offset 0 starts; false at the end. The list has passed one of the checks. */
bool fs_ea_next(const void *list, uint32_t size, uint32_t *offset, struct fs_ea *ret_ea);
/* Appends an entry at *size (kept aligned, previous entry linked); false when cap is exceeded. */
bool fs_ea_append(void *list, uint32_t cap, uint32_t *size, const struct fs_ea *ea);
/* Bytes an entry counts for in EaSize (5 + name + value). */
uint32_t fs_ea_packed_size(const struct fs_ea *ea);

/* Reparse buffers (MS-FSCC 2.1.2): sizes, offsets of symlink and mount point names, GUID rule. */
NODISCARD NTSTATUS fs_reparse_check(const void *buffer, uint32_t size);
struct fs_symlink {
	const uint16_t *substitute, *print; /* borrowed from the buffer; may be unaligned to NUL */
	size_t n_substitute, n_print;       /* units */
	bool relative;
};
/* buffer has passed fs_reparse_check and has the SYMLINK (or MOUNT_POINT) tag. */
bool fs_reparse_symlink(const void *buffer, uint32_t size, struct fs_symlink *ret_link);
/* Builds a symlink buffer with equal substitute and print names; 0 when cap is exceeded. */
uint32_t fs_reparse_build_symlink(const uint16_t *target, size_t n_units, bool relative,
				  void *dst, uint32_t cap);
/* FspFileSystemCanReplaceReparsePoint */
NODISCARD NTSTATUS fs_reparse_can_replace(const void *current, uint32_t n_current,
					  const void *replacement, uint32_t n_replacement);

/* Lists in 8-byte steps that end with size 0 or with the buffer. NULL: end or broken entry
 * (*ret_broken, may be NULL). min_size: of the entry's fixed part. */
const void *fs_list_next(const void *list, uint32_t size, uint32_t *offset, uint32_t min_size,
			 bool *ret_broken);

#endif
