#include "transport/loop/partition.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/endian.h"

enum {
	MBR_ENTRIES = 446, /* UEFI 2.10 table 5.1 */
	MBR_ENTRY_SIZE = 16,
	MBR_N_ENTRIES = 4,
	MBR_SIGNATURE = 510,
	MBR_FIRST_LOGICAL = 5,
	CONTAINER_BYTES = 1024, /* what the kernel shows of an extended partition */

	TYPE_EMPTY = 0x00,
	TYPE_EXTENDED = 0x05,
	TYPE_EXTENDED_LBA = 0x0f,
	TYPE_EXTENDED_LINUX = 0x85,
	TYPE_PROTECTIVE = 0xee,

	GPT_HEADER_SIZE = 92, /* UEFI 2.10 table 5.5 */
	GPT_ENTRY_SIZE_MIN = 128,
	GPT_ENTRY_SIZE_MAX = 4096,
	GPT_ARRAY_BYTES_MAX = 1 << 20 /* the usual array has 16 KiB */
};

struct scan {
	const struct partition_disk *disk;
	struct partition_table *table;
	uint8_t *block; /* one block */
};

static void PRINTF_LIKE(2, 3) note(struct scan *s, const char *fmt, ...)
{
	va_list ap;

	if (s->table->note[0])
		return;
	va_start(ap, fmt);
	vsnprintf(s->table->note, sizeof(s->table->note), fmt, ap);
	va_end(ap);
}

static bool
overlaps(const struct partition *a, const struct partition *b)
{
	return a->lba < b->lba + b->n_blocks && b->lba < a->lba + a->n_blocks;
}

/* Takes an entry as far as it lies on the disk and is nobody else's. */
static void
add(struct scan *s, unsigned number, uint64_t lba, uint64_t n_blocks, bool is_container)
{
	struct partition_table *t = s->table;
	struct partition p = {lba, n_blocks, (uint8_t)number, is_container};

	if (number > PARTITION_NUMBER_MAX || t->n == ARRAY_SIZE(t->item)) {
		note(s, "partitions beyond number %d are left out", PARTITION_NUMBER_MAX);
		return;
	}
	if (n_blocks == 0 || lba >= s->disk->n_blocks) {
		note(s, "partition %u starts beyond the end of the disk", number);
		return;
	}
	if (n_blocks > s->disk->n_blocks - lba) {
		p.n_blocks = s->disk->n_blocks - lba;
		note(s, "partition %u reaches beyond the end of the disk and is cut",
		     number);
	}
	for (unsigned i = 0; i < t->n; i++)
		if (overlaps(&t->item[i], &p)) {
			note(s, "partition %u overlaps partition %u", number,
			     t->item[i].number);
			return;
		}
	t->item[t->n++] = p;
}

/* ---------------------------------------------------------------- MBR */

struct mbr_entry {
	uint8_t flag, type;
	uint32_t lba, n_blocks;
};

static struct mbr_entry
mbr_entry(const uint8_t *block, unsigned i)
{
	const uint8_t *e = block + MBR_ENTRIES + (size_t)i * MBR_ENTRY_SIZE;

	return (struct mbr_entry){e[0], e[4], get_le32(e + 8), get_le32(e + 12)};
}

static bool
is_extended(uint8_t type)
{
	return type == TYPE_EXTENDED || type == TYPE_EXTENDED_LBA ||
	       type == TYPE_EXTENDED_LINUX;
}

/* A boot sector of a file system has the same signature, and code where the entries would
 * be. */
static bool
is_mbr(const uint8_t *block)
{
	if (get_le16(block + MBR_SIGNATURE) != 0xaa55)
		return false;
	for (unsigned i = 0; i < MBR_N_ENTRIES; i++)
		if (mbr_entry(block, i).flag & 0x7f)
			return false;
	return true;
}

static bool
has_protective(const uint8_t *block)
{
	for (unsigned i = 0; i < MBR_N_ENTRIES; i++)
		if (mbr_entry(block, i).type == TYPE_PROTECTIVE)
			return true;
	return false;
}

/*
 * One link of the chain: the first plain entry is a partition relative to this block, the
 * first extended one the next link, relative to the container. 0: the end.
 */
static uint64_t
logical_link(struct scan *s, uint64_t container, uint64_t at, unsigned *number)
{
	uint64_t next = 0;
	bool found = false;

	for (unsigned i = 0; i < MBR_N_ENTRIES; i++) {
		struct mbr_entry e = mbr_entry(s->block, i);

		if (e.type == TYPE_EMPTY || e.n_blocks == 0)
			continue;
		if (is_extended(e.type)) {
			if (next == 0)
				next = container + e.lba;
		} else if (!found) {
			found = true;
			add(s, (*number)++, at + e.lba, e.n_blocks, false);
		}
	}
	return next;
}

/* Chains may go back and forth on the disk, so that only the links seen tell a circle. */
static void
read_logicals(struct scan *s, uint64_t container, uint64_t n_blocks)
{
	uint64_t seen[PARTITION_NUMBER_MAX], at = container;
	unsigned number = MBR_FIRST_LOGICAL, n_seen = 0;

	while (at) {
		if (at >= s->disk->n_blocks || at - container >= n_blocks ||
		    n_seen == ARRAY_SIZE(seen)) {
			note(s, "the chain of logical partitions leaves its container");
			return;
		}
		for (unsigned i = 0; i < n_seen; i++)
			if (seen[i] == at) {
				note(s,
				     "the chain of logical partitions runs in a circle");
				return;
			}
		seen[n_seen++] = at;
		if (s->disk->read(s->disk->ctx, at, 1, s->block) < 0 ||
		    !is_mbr(s->block)) {
			note(s, "the chain of logical partitions is broken");
			return;
		}
		at = logical_link(s, container, at, &number);
	}
}

static void
read_mbr(struct scan *s)
{
	uint64_t shown = MAX(CONTAINER_BYTES / s->disk->block_length, 1u);
	struct mbr_entry entry[MBR_N_ENTRIES], container = {0};

	s->table->scheme = PARTITION_SCHEME_MBR;
	for (unsigned i = 0; i < MBR_N_ENTRIES; i++)
		entry[i] = mbr_entry(s->block, i);
	for (unsigned i = 0; i < MBR_N_ENTRIES; i++) {
		struct mbr_entry e = entry[i];

		if (e.type == TYPE_EMPTY || e.n_blocks == 0)
			continue;
		if (!is_extended(e.type)) {
			add(s, i + 1, e.lba, e.n_blocks, false);
			continue;
		}
		add(s, i + 1, e.lba, MIN((uint64_t)e.n_blocks, shown), true);
		if (container.n_blocks)
			note(s,
			     "partition %u is a second extended one; its contents are "
			     "left out",
			     i + 1);
		else if (e.lba != 0)
			container = e;
	}
	if (container.n_blocks)
		read_logicals(s, container.lba, container.n_blocks);
}

/* ---------------------------------------------------------------- GPT */

struct gpt {
	uint64_t entries_lba, first_usable, last_usable;
	uint32_t n_entries, entry_size, entries_crc;
};

uint32_t
partition_crc32(const void *bytes, size_t size)
{
	const uint8_t *p = bytes;
	uint32_t crc = UINT32_MAX;

	while (size--) {
		crc ^= *p++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

static bool
gpt_header_is_sound(const uint8_t *block, uint32_t block_length, uint64_t lba)
{
	static const uint8_t no_crc[4];
	uint8_t header[PARTITION_BLOCK_MIN];
	uint32_t size = get_le32(block + 12);

	if (memcmp(block, "EFI PART", 8) != 0 || size < GPT_HEADER_SIZE ||
	    size > MIN(block_length, (uint32_t)sizeof(header)) ||
	    get_le64(block + 24) != lba)
		return false;
	memcpy(header, block, size);
	memcpy(header + 16, no_crc, sizeof(no_crc)); /* its own place counts as zero */
	return partition_crc32(header, size) == get_le32(block + 16);
}

/* False: this is no GPT header, or one that contradicts itself. */
static bool
gpt_header_read(struct scan *s, uint64_t lba, struct gpt *ret)
{
	const uint8_t *b = s->block;
	uint64_t n_blocks = s->disk->n_blocks;

	if (s->disk->read(s->disk->ctx, lba, 1, s->block) < 0 ||
	    !gpt_header_is_sound(b, s->disk->block_length, lba))
		return false;
	*ret = (struct gpt){
		.first_usable = get_le64(b + 40),
		.last_usable = get_le64(b + 48),
		.entries_lba = get_le64(b + 72),
		.n_entries = get_le32(b + 80),
		.entry_size = get_le32(b + 84),
		.entries_crc = get_le32(b + 88),
	};
	return ret->first_usable <= ret->last_usable && ret->entries_lba > 0 &&
	       ret->entries_lba < n_blocks && ret->entry_size >= GPT_ENTRY_SIZE_MIN &&
	       ret->entry_size <= GPT_ENTRY_SIZE_MAX &&
	       (ret->entry_size & (ret->entry_size - 1)) == 0 && ret->n_entries > 0 &&
	       ret->n_entries <= GPT_ARRAY_BYTES_MAX / ret->entry_size;
}

static void
gpt_entry_add(struct scan *s, const struct gpt *gpt, unsigned i, const uint8_t *entry)
{
	static const uint8_t unused[16];
	uint64_t first = get_le64(entry + 32), last = get_le64(entry + 40);

	if (memcmp(entry, unused, sizeof(unused)) == 0)
		return;
	if (first > last || first < gpt->first_usable) {
		note(s, "partition %u has an impossible range", i + 1);
		return;
	}
	/* last - first + 1 is 0 only for the whole of 2^64, which no disk has */
	add(s, i + 1, first, last - first == UINT64_MAX ? last : last - first + 1, false);
}

/* 1: read; 0: not sound. */
static int
gpt_entries_read(struct scan *s, const struct gpt *gpt)
{
	uint32_t bytes = gpt->n_entries * gpt->entry_size;
	uint32_t n_blocks = (bytes + s->disk->block_length - 1) / s->disk->block_length;
	CLEANUP(free_ptr) uint8_t *array = NULL;

	if (n_blocks > s->disk->n_blocks - gpt->entries_lba)
		return 0;
	array = malloc((size_t)n_blocks * s->disk->block_length);
	if (!array)
		return -ENOMEM;
	if (s->disk->read(s->disk->ctx, gpt->entries_lba, n_blocks, array) < 0 ||
	    partition_crc32(array, bytes) != gpt->entries_crc)
		return 0;
	for (uint32_t i = 0; i < gpt->n_entries; i++)
		gpt_entry_add(s, gpt, i, array + (size_t)i * gpt->entry_size);
	return 1;
}

static int
read_gpt_at(struct scan *s, uint64_t lba)
{
	struct gpt gpt;

	return gpt_header_read(s, lba, &gpt) ? gpt_entries_read(s, &gpt) : 0;
}

/* UEFI 2.10 5.3.2: the backup is in the last block, and is used when the first is
 * damaged. */
static int
read_gpt(struct scan *s)
{
	int found = s->disk->n_blocks > 2 ? read_gpt_at(s, 1) : 0;

	s->table->scheme = PARTITION_SCHEME_GPT;
	if (found == 0 && s->disk->n_blocks > 2) {
		found = read_gpt_at(s, s->disk->n_blocks - 1);
		s->table->from_backup = found > 0;
	}
	if (found == 0)
		note(s, "neither GPT header is sound");
	return MIN(found, 0);
}

/* ---------------------------------------------------------------- */

static int
by_number(const void *a, const void *b)
{
	return ((const struct partition *)a)->number -
	       ((const struct partition *)b)->number;
}

static bool
is_block_length(uint32_t n)
{
	return n >= PARTITION_BLOCK_MIN && n <= PARTITION_BLOCK_MAX && (n & (n - 1)) == 0;
}

int
partition_table_read(const struct partition_disk *disk, struct partition_table *ret_table)
{
	CLEANUP(free_ptr) struct partition_table *table = NULL;
	CLEANUP(free_ptr) uint8_t *block = NULL;
	int err = 0;

	if (!is_block_length(disk->block_length))
		return -EINVAL;
	table = calloc(1, sizeof(*table));
	block = malloc(disk->block_length);
	if (!table || !block)
		return -ENOMEM;
	struct scan s = {disk, table, block};
	if (disk->n_blocks > 0)
		err = disk->read(disk->ctx, 0, 1, block);
	if (err < 0)
		return err;
	if (disk->n_blocks > 0 && is_mbr(block)) {
		if (has_protective(block))
			err = read_gpt(&s);
		else
			read_mbr(&s);
	}
	if (err < 0)
		return err;
	/* Logical partitions were added after primary ones; only a GPT is in order
	 * already. */
	qsort(table->item, table->n, sizeof(table->item[0]), by_number);
	*ret_table = *table;
	return 0;
}

const char *
partition_scheme_name(enum partition_scheme scheme)
{
	static const char *const names[] = {"none", "mbr", "gpt"};

	return names[scheme];
}
