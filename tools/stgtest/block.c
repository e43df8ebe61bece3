#include <string.h>

#include "base/endian.h"
#include "tools/stgtest/block.h"

enum {
	AT_DEVICE = 8,
	AT_LBA = 16,
	AT_GENERATION = 24,
	AT_RUN = 32,
	AT_FILLER = 40,
	PIECE = 16
};
static const char magic[8] = {'U', 'S', 'R', 'D', 'R', 'V', 'B', 'K'};

uint64_t
block_hash(uint64_t k)
{
	k ^= k >> 33;
	k *= 0xff51afd7ed558ccdull;
	k ^= k >> 33;
	k *= 0xc4ceb9fe1a85ec53ull;
	k ^= k >> 33;
	return k;
}

/* Each word's place counts, so that words that change places are seen. */
static uint64_t
checksum(const uint8_t *src, size_t length)
{
	uint64_t sum = length;

	for (size_t i = 0; i < length; i += 8)
		sum = block_hash(sum * 0x9e3779b97f4a7c15ull + get_le64(src + i) + i);
	return sum;
}

void
block_fill(void *dst, size_t length, const struct block_label *label)
{
	uint8_t *p = dst;
	uint64_t x = block_hash(label->device ^ block_hash(label->lba + 1)) ^
		     block_hash(label->generation + block_hash(label->run));

	memcpy(p, magic, sizeof(magic));
	put_le64(p + AT_DEVICE, label->device);
	put_le64(p + AT_LBA, label->lba);
	put_le64(p + AT_GENERATION, label->generation);
	put_le64(p + AT_RUN, label->run);
	for (size_t i = AT_FILLER; i < length - 8; i += 8) {
		x += 0x9e3779b97f4a7c15ull;
		put_le64(p + i, block_hash(x));
	}
	put_le64(p + length - 8, checksum(p, length - 8));
}

bool
block_read(const void *src, size_t length, struct block_label *ret_label)
{
	const uint8_t *p = src;

	if (length < BLOCK_LENGTH_MIN || length % 8 ||
	    memcmp(p, magic, sizeof(magic)) != 0 ||
	    get_le64(p + length - 8) != checksum(p, length - 8))
		return false;
	*ret_label = (struct block_label){
		.device = get_le64(p + AT_DEVICE),
		.lba = get_le64(p + AT_LBA),
		.generation = get_le64(p + AT_GENERATION),
		.run = get_le64(p + AT_RUN),
	};
	return true;
}

bool
block_is_mix(const void *src, const void *old, const void *new, size_t length,
	     size_t *ret_first)
{
	const uint8_t *s = src, *o = old, *n = new;
	size_t n_old = 0, n_new = 0, first = 0, at, k;

	for (at = 0; at < length; at += k) {
		bool is_new, is_old;

		k = MIN((size_t)PIECE, length - at);
		is_new = memcmp(s + at, n + at, k) == 0;
		is_old = memcmp(s + at, o + at, k) == 0;
		if (!is_new && !is_old)
			return false;
		/* What both have in common says nothing. */
		n_new += !is_old;
		n_old += !is_new;
		if (!n_old || !n_new)
			first = at + k;
	}
	*ret_first = first;
	return n_old && n_new;
}

bool
block_is_zero(const void *src, size_t length)
{
	const uint8_t *p = src;

	return length == 0 || (p[0] == 0 && memcmp(p, p + 1, length - 1) == 0);
}
