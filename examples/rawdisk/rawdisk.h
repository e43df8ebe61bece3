/*
 * rawdisk: a file, or a block device, as a disk. The image is raw: block N is at byte N times the
 * block length, and nothing else is in it, so every tool that knows raw images can use it too.
 *
 *	main.c       the command line
 *	rawdisk.c    from parameters to a storage unit and back
 *	image.c      opens, locks, sizes and creates the image
 *	identity.c   what makes it the same disk each time: kept with the image, outside of its blocks
 *	partition.c  the partition table of a new image
 *	io.c         the operations: what hosts ask for
 *
 * What hosts may rely on. A write that was answered is seen by every later read. One that was answered
 * with force-unit-access, or before a flush that was answered good, is there after a crash of this
 * program, of the machine, or of its power, as far as the system below keeps its word. When the system
 * has lost such writes once (fdatasync failed), no later flush is answered good: it says so once and
 * then forgets. The image is never mapped into memory: somebody who truncates it gets this disk's
 * hosts read errors, not this program a signal.
 */
#ifndef EXAMPLES_RAWDISK_H
#define EXAMPLES_RAWDISK_H

#include <stdatomic.h>
#include <winspd/ext.h>
#include "base/os/posix/storage_io.h"

enum rd_partition {
	RD_PARTITION_DEFAULT, /* MBR where it fits, else none, as WinSpd's rawdisk does */
	RD_PARTITION_NONE,
	RD_PARTITION_MBR,
	RD_PARTITION_GPT
};

/* As the command line gives them. */
struct rd_params {
	const char *image;        /* path of the image */
	uint64_t n_blocks;        /* -c; 0: not given */
	uint64_t size;            /* bytes; 0: not given */
	uint32_t block_length;    /* bytes; 0: not given */
	uint32_t physical_length; /* bytes; 0: as block_length */
	char product[17], revision[5];
	const char *guid;         /* text, or "new"; NULL: the image's */
	bool write_protected, no_cache, no_unmap, removable;
	bool direct;              /* past the page cache */
	bool default_size;        /* a missing image is made without being told its size */
	enum rd_partition partition;
	const struct storage_ops *ops; /* borrowed */
};

/* Kept with the image. */
struct rd_identity {
	uint8_t guid[16];      /* in the byte order of its text */
	uint32_t block_length; /* bytes; 0: not known */
};

struct rd {
	SPD_STORAGE_UNIT *unit;
	SPD_STORAGE_UNIT_INTERFACE interface;
	struct storage image;
	char path[4096]; /* absolute, without symbolic links */
	struct rd_identity identity;
	uint32_t block_length;
	_Atomic uint64_t n_blocks; /* changed by resize, while others read it: alone */
	bool is_device, write_protected;
	bool may_unmap;  /* holes may be made */
	bool no_cache;   /* hosts are told that there is none, and never flush */
	bool was_created; /* by us: to be removed when we cannot go on */
	uint32_t memory_align; /* direct: of buffers; 1: any. */
	atomic_bool lost_writes; /* fdatasync failed once; pairs with nothing, it only ever sets */
};

/* image.c. Each: 0 or -errno with a line in error. */
NODISCARD int rd_image_open(struct rd *rd, const struct rd_params *p, char *error, size_t cap);
/* failed: an image that this call of rd_image_open made goes away again. */
void rd_image_close(struct rd *rd, bool failed);
/* Grows or cuts it. */
NODISCARD int rd_image_resize(struct rd *rd, uint64_t n_blocks);

/* identity.c */
/* "guid=TEXT\nblock_length=N\n", lines in any order, unknown ones skipped. 0, or -EINVAL. */
NODISCARD int rd_identity_parse(const char *text, size_t n, struct rd_identity *ret_identity);
/* 0; -ENOENT: there is none yet; else -errno. */
NODISCARD int rd_identity_load(const struct rd *rd, struct rd_identity *ret_identity);
NODISCARD int rd_identity_save(const struct rd *rd);
/*
 * For an image that cannot keep one: the same each time that the image has the same name. Numbers of
 * devices change from one start of the machine to the next; names in /dev/disk/by-id do not.
 */
void rd_identity_derive(const char *image, const struct storage_status *status,
			struct rd_identity *identity);
void rd_guid_make(uint8_t guid[16]);
NODISCARD int rd_guid_parse(const char *text, uint8_t ret_guid[16]); /* 0, -EINVAL */
void rd_guid_format(const uint8_t guid[16], char dst[37]);
/* Beside the image: IMAGE.userdrive */
void rd_sidecar_path(const struct rd *rd, const char *suffix, char *dst, size_t cap);

/* partition.c. 0, -ERANGE: the disk is too small or too large for it, -errno. */
NODISCARD int rd_partition_write(const struct rd *rd, enum rd_partition kind);

/* io.c */
/* The four operations, and those of winspd/ext.h that a file can do better than the library. */
void rd_interface_fill(SPD_STORAGE_UNIT_INTERFACE *interface);

/* rawdisk.c */
static inline struct rd *
rd_of(const SPD_STORAGE_UNIT *unit)
{
	return unit->UserContext;
}
NODISCARD DWORD rd_create(const struct rd_params *p, PWSTR device_name, struct rd **ret_rd,
			  char *error, size_t cap);
void rd_delete(struct rd *rd);

#endif
