/*
 * Partition tables, read by ourselves because a kernel may have been built without any
 * parser. MBR with logical partitions, and GPT (UEFI 2.10 section 5) with its backup.
 * Pure: blocks come by a callback, nothing is written, no state is kept. What is on the
 * disk is hostile input.
 */
#ifndef USERDRIVE_TRANSPORT_LOOP_PARTITION_H
#define USERDRIVE_TRANSPORT_LOOP_PARTITION_H

#include "base/compiler.h"

enum {
	PARTITION_NUMBER_MAX = 255, /* the kernel numbers them in one byte */
	PARTITION_BLOCK_MIN = 512,
	PARTITION_BLOCK_MAX = 65536
};

enum partition_scheme {
	PARTITION_SCHEME_NONE,
	PARTITION_SCHEME_MBR,
	PARTITION_SCHEME_GPT
};

struct partition {
	uint64_t lba, n_blocks; /* n_blocks > 0, and the range lies on the disk */
	uint8_t number;		/* 1..255; /dev/loopNpNUMBER */
	bool is_container; /* an extended partition: holds others, and is shown as 1 KiB
			    */
};

struct partition_table {
	enum partition_scheme scheme;
	bool from_backup; /* GPT: the first header was damaged */
	unsigned n;	  /* in order of their numbers; none overlaps another */
	struct partition item[PARTITION_NUMBER_MAX];
	/* The first thing that was left out or cut, and why; "": nothing */
	char note[128];
};

/* Where blocks come from. 0 or -errno; dst has n_blocks * block_length bytes. */
struct partition_disk {
	int (*read)(void *ctx, uint64_t lba, uint32_t n_blocks, void *dst);
	void *ctx;
	uint64_t n_blocks;
	uint32_t block_length; /* a power of two, PARTITION_BLOCK_MIN..PARTITION_BLOCK_MAX
				*/
};

/*
 * A disk without a table is PARTITION_SCHEME_NONE with no items, and no error. Entries
 * that reach beyond the end are cut, those that start there or overlap an earlier one are
 * left out; note says so. Returns 0, -ENOMEM, -EINVAL (block length), or read's -errno
 * for the first block.
 */
NODISCARD int partition_table_read(const struct partition_disk *disk,
				   struct partition_table *ret_table);
const char *partition_scheme_name(enum partition_scheme scheme);

/* CRC-32 as in GPT and Ethernet. */
uint32_t partition_crc32(const void *bytes, size_t size);

#endif
