/*
 * What an open directory has listed so far, so that a position can be returned to (seekdir) and
 * entries that come and go meanwhile neither hide nor repeat others.
 *
 * Position 0 is the start, 1 follows ".", 2 follows "..", 2 + k follows the k-th entry of the
 * listing. Entries are only ever appended, by continuing the program's enumeration after the
 * last one; the start (rewinddir) drops them. Compact: an open directory of a million files
 * keeps some 50 bytes of each.
 */
#ifndef USERDRIVE_TRANSPORT_MOUNT_DIRLIST_H
#define USERDRIVE_TRANSPORT_MOUNT_DIRLIST_H

#include "fs/contract.h"

struct door_dirent {
	uint64_t ino;      /* IndexNumber, 0: none */
	uint32_t format;   /* S_IFMT bits, 0: unknown */
	uint32_t n_units;
	const uint16_t *name;
};

struct door_dirlist {
	char *bytes; /* records, 8-byte steps */
	size_t n_bytes, cap;
	size_t *index; /* every DOOR_DIRLIST_STRIDE-th record's place */
	size_t n_index, cap_index;
	size_t n; /* records */
	bool is_complete;
	bool is_started;
	/* Where the program continues. */
	uint16_t marker_name[256];
	size_t marker_units;
	uint64_t marker_offset;
};
enum { DOOR_DIRLIST_STRIDE = 64, DOOR_DIR_FIRST = 2 };

void door_dirlist_init(struct door_dirlist *l);
void door_dirlist_fini(struct door_dirlist *l);
void door_dirlist_restart(struct door_dirlist *l);
/* Appends an entry of the program ("." and ".." only move the marker). 0 or -ENOMEM. */
NODISCARD int door_dirlist_add(struct door_dirlist *l, const struct fs_dir_info *entry,
			       uint32_t format);
/* A place in the records. */
struct door_dircursor {
	size_t at, number;
};
/* The place of entry number; false when the listing does not reach so far (yet). */
bool door_dirlist_seek(const struct door_dirlist *l, size_t number,
		       struct door_dircursor *ret_cursor);
/* The entry there, and the cursor moves on; false at the end. name is valid until the next add. */
bool door_dirlist_next(const struct door_dirlist *l, struct door_dircursor *cursor,
		       struct door_dirent *ret_entry);

#endif
