/*
 * user.* attributes of POSIX as NT extended attributes. Pure functions.
 *
 * Names: "user.X" is the EA "X". EA names hold fewer characters: a byte that they cannot hold, a
 * byte outside 21h..7Eh, and '%' travel as "%XX" (two upper-case hexadecimal digits). Other
 * EA names mean themselves. Compared without case, shown as stored.
 *
 * Values: an NT EA with an empty value does not exist. An empty value, and one that begins with
 * the mark itself, is stored behind the mark; every other value is stored as it is. So each
 * value comes back byte for byte, and EAs that NT programs wrote are shown as they are.
 */
#ifndef USERDRIVE_TRANSPORT_MOUNT_EAS_H
#define USERDRIVE_TRANSPORT_MOUNT_EAS_H

#include "fs/walk.h"

enum { DOOR_EA_NAME_MAX = 254, DOOR_EA_MARK_SIZE = 4 };

/* name without "user."; returns the length, or -ERANGE when the EA name would be too long. */
NODISCARD int door_ea_encode_name(const char *name, char dst[DOOR_EA_NAME_MAX + 1]);
/* Returns the length; dst holds DOOR_EA_NAME_MAX + 1 bytes and is NUL-terminated. */
size_t door_ea_decode_name(const char *ea_name, size_t n, char *dst);
/* The EA that stands for name in a checked list. */
bool door_ea_find(const void *list, uint32_t size, const char *name, struct fs_ea *ret_ea);
/* The value as POSIX sees it (borrowed from ea). */
const uint8_t *door_ea_value(const struct fs_ea *ea, size_t *ret_n);
/* A list of one entry that sets name (in EA form) to value; its size, or 0: too large. */
uint32_t door_ea_build(const char *ea_name, size_t n_name, const void *value, size_t n_value,
		       void *dst, uint32_t cap);

#endif
