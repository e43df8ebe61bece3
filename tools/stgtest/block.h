/*
 * Blocks that say what they are. Little endian:
 *
 *	 0  magic              8   "USRDRVBK"
 *	 8  device             8   which disk, by random number
 *	16  lba                8
 *	24  generation         8   1.. in the order of issue; of the request that wrote it
 *	32  run                8   random number of the run: the same seed twice is two
 *runs 40  filler             …   a stream that all of the above determines -8  checksum
 *8   of all before it
 *
 * So a block read back tells whether it is whole, whose it is, where it belongs and how
 *old it is; and a block of which only parts arrived can be told from garbage, because old
 *and new content can both be made again.
 */
#ifndef USERDRIVE_TOOLS_STGTEST_BLOCK_H
#define USERDRIVE_TOOLS_STGTEST_BLOCK_H

#include "base/compiler.h"

enum { BLOCK_LENGTH_MIN = 64 };

struct block_label {
	uint64_t device, lba, generation, run;
};

/* length: a multiple of 8, BLOCK_LENGTH_MIN or more. */
void block_fill(void *dst, size_t length, const struct block_label *label);
/* False: not a whole block of this kind. */
bool block_read(const void *src, size_t length, struct block_label *ret_label);
/*
 * Is src made of pieces of 16 bytes or more of two contents? *ret_first: bytes from the
 * start that are of the new one (or, where the start is old, that are old).
 */
bool block_is_mix(const void *src, const void *old, const void *new, size_t length,
		  size_t *ret_first);
bool block_is_zero(const void *src, size_t length);
/* WinSpd's mixing function: a good 64-bit hash of 64 bits. */
uint64_t block_hash(uint64_t k);

#endif
