/* Any bytes as a disk: what comes out lies on it, and nothing overlaps. The first byte chooses the
 * block length. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "transport/loop/partition.h"

struct image {
	const uint8_t *bytes;
	size_t size;
	uint32_t block_length;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
read_image(void *ctx, uint64_t lba, uint32_t n_blocks, void *dst)
{
	const struct image *image = ctx;
	size_t at = (size_t)lba * image->block_length, n = (size_t)n_blocks * image->block_length;

	if (at > image->size || n > image->size - at)
		return -EIO;
	memcpy(dst, image->bytes + at, n);
	return 0;
}

static void
check(const struct partition_disk *disk, const struct partition_table *t)
{
	for (unsigned i = 0; i < t->n; i++) {
		const struct partition *p = &t->item[i];

		if (p->number == 0 || p->n_blocks == 0 || p->lba >= disk->n_blocks ||
		    p->n_blocks > disk->n_blocks - p->lba)
			abort();
		if (i && p[-1].number >= p->number)
			abort();
		for (unsigned k = 0; k < i; k++)
			if (p->lba < t->item[k].lba + t->item[k].n_blocks &&
			    t->item[k].lba < p->lba + p->n_blocks)
				abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	struct image image = {data + 1, size - 1, data[0] & 1 ? 4096 : 512};
	struct partition_disk disk = {.read = read_image,
				      .ctx = &image,
				      .n_blocks = image.size / image.block_length,
				      .block_length = image.block_length};
	struct partition_table table;

	if (partition_table_read(&disk, &table) == 0)
		check(&disk, &table);
	return 0;
}
