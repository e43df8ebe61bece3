/* Breaks when a sound partition table is misread, or a hostile one is believed. */
#include <setjmp.h>
#include <stddef.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include "base/endian.h"
#include "transport/loop/partition.h"

enum { N_BLOCKS = 4096 };

struct disk {
	struct partition_disk d;
	uint8_t *bytes;
	struct partition_table t;
};

static int
read_blocks(void *ctx, uint64_t lba, uint32_t n_blocks, void *dst)
{
	struct disk *disk = ctx;

	assert_true(lba < N_BLOCKS && n_blocks <= N_BLOCKS - lba);
	memcpy(dst, disk->bytes + lba * disk->d.block_length,
	       (size_t)n_blocks * disk->d.block_length);
	return 0;
}

static struct disk *
disk_new(uint32_t block_length)
{
	struct disk *disk = calloc(1, sizeof(*disk));

	disk->bytes = calloc(N_BLOCKS, block_length);
	disk->d = (struct partition_disk){read_blocks, disk, N_BLOCKS, block_length};
	return disk;
}

static void
disk_free(struct disk *disk)
{
	free(disk->bytes);
	free(disk);
}

static void
put_mbr(struct disk *disk, uint64_t lba, unsigned i, uint8_t type, uint32_t start, uint32_t n)
{
	uint8_t *b = disk->bytes + lba * disk->d.block_length, *e = b + 446 + 16 * i;

	put_le16(b + 510, 0xaa55);
	e[4] = type;
	put_le32(e + 8, start);
	put_le32(e + 12, n);
}

static void
seal_gpt(struct disk *disk, uint64_t lba, uint64_t entries)
{
	uint8_t *h = disk->bytes + lba * disk->d.block_length;

	memcpy(h, "EFI PART", 8);
	put_le32(h + 12, 92);
	put_le64(h + 24, lba);
	put_le64(h + 40, 40);
	put_le64(h + 48, N_BLOCKS - 41);
	put_le64(h + 72, entries);
	put_le32(h + 80, 128);
	put_le32(h + 84, 128);
	put_le32(h + 88, partition_crc32(disk->bytes + entries * disk->d.block_length, 128 * 128));
	put_le32(h + 16, 0);
	put_le32(h + 16, partition_crc32(h, 92));
}

static void
put_gpt(struct disk *disk, unsigned i, uint64_t first, uint64_t last)
{
	const uint64_t entries[2] = {2, N_BLOCKS - 33};

	put_mbr(disk, 0, 0, 0xee, 1, N_BLOCKS - 1);
	for (int copy = 0; copy < 2; copy++) {
		uint8_t *e = disk->bytes + entries[copy] * disk->d.block_length + 128 * i;

		e[0] = 1;
		put_le64(e + 32, first);
		put_le64(e + 40, last);
		seal_gpt(disk, copy ? N_BLOCKS - 1 : 1, entries[copy]);
	}
}

static void
expect(struct disk *disk, unsigned i, unsigned number, uint64_t lba, uint64_t n)
{
	assert_true(i < disk->t.n);
	assert_int_equal(disk->t.item[i].number, number);
	assert_int_equal(disk->t.item[i].lba, lba);
	assert_int_equal(disk->t.item[i].n_blocks, n);
}

static void
read_table(struct disk *disk, enum partition_scheme scheme, unsigned n)
{
	assert_int_equal(partition_table_read(&disk->d, &disk->t), 0);
	assert_int_equal(disk->t.scheme, scheme);
	assert_int_equal(disk->t.n, n);
}

static void
test_crc(void **state)
{
	assert_int_equal(partition_crc32("123456789", 9), 0xcbf43926);
}

static void
test_none(void **state)
{
	struct disk *disk = disk_new(512);

	read_table(disk, PARTITION_SCHEME_NONE, 0);
	/* a boot sector of a file system: signature, but code in the entries */
	put_mbr(disk, 0, 0, 0x83, 8, 8);
	disk->bytes[446] = 0x33;
	read_table(disk, PARTITION_SCHEME_NONE, 0);
	disk->d.n_blocks = 0;
	read_table(disk, PARTITION_SCHEME_NONE, 0);
	disk->d.block_length = 520;
	assert_int_equal(partition_table_read(&disk->d, &disk->t), -EINVAL);
	disk_free(disk);
}

static void
test_mbr_logical(void **state)
{
	struct disk *disk = disk_new(512);

	put_mbr(disk, 0, 0, 0x83, 64, 64);
	put_mbr(disk, 0, 2, 0x05, 256, 1024);
	put_mbr(disk, 256, 0, 0x83, 8, 100);
	put_mbr(disk, 256, 1, 0x05, 512, 512);
	put_mbr(disk, 768, 0, 0x83, 8, 100);
	read_table(disk, PARTITION_SCHEME_MBR, 4);
	expect(disk, 0, 1, 64, 64);
	expect(disk, 1, 3, 256, 2);
	assert_true(disk->t.item[1].is_container);
	expect(disk, 2, 5, 264, 100);
	expect(disk, 3, 6, 776, 100);
	assert_string_equal(disk->t.note, "");
	disk_free(disk);
}

static void
test_mbr_hostile(void **state)
{
	struct disk *disk = disk_new(512);

	put_mbr(disk, 0, 0, 0x83, 64, UINT32_MAX); /* cut */
	put_mbr(disk, 0, 1, 0x83, 100, 10);        /* overlaps */
	put_mbr(disk, 0, 3, 0x83, N_BLOCKS, 1);    /* beyond the end */
	read_table(disk, PARTITION_SCHEME_MBR, 1);
	expect(disk, 0, 1, 64, N_BLOCKS - 64);
	assert_non_null(strstr(disk->t.note, "partition 1"));
	disk_free(disk);

	disk = disk_new(512); /* a chain that comes back to its start */
	put_mbr(disk, 0, 0, 0x0f, 256, 1024);
	put_mbr(disk, 256, 0, 0x83, 8, 8);
	put_mbr(disk, 256, 1, 0x05, 512, 512);
	put_mbr(disk, 768, 0, 0x83, 8, 8);
	put_mbr(disk, 768, 1, 0x05, 512, 512);
	read_table(disk, PARTITION_SCHEME_MBR, 3);
	assert_non_null(strstr(disk->t.note, "circle"));
	disk_free(disk);
}

static void
check_gpt(uint32_t block_length)
{
	struct disk *disk = disk_new(block_length);

	put_gpt(disk, 0, 64, 127);
	put_gpt(disk, 5, 128, 255);
	read_table(disk, PARTITION_SCHEME_GPT, 2);
	expect(disk, 0, 1, 64, 64);
	expect(disk, 1, 6, 128, 128);
	assert_false(disk->t.from_backup);

	disk->bytes[block_length + 40] ^= 1; /* header */
	read_table(disk, PARTITION_SCHEME_GPT, 2);
	assert_true(disk->t.from_backup);
	disk->bytes[block_length + 40] ^= 1;
	disk->bytes[2 * block_length + 32] ^= 1; /* array */
	read_table(disk, PARTITION_SCHEME_GPT, 2);
	assert_true(disk->t.from_backup);
	disk->bytes[(N_BLOCKS - 1) * (size_t)block_length] ^= 1; /* backup too */
	read_table(disk, PARTITION_SCHEME_GPT, 0);
	assert_non_null(strstr(disk->t.note, "neither"));
	disk_free(disk);
}

static void
test_gpt(void **state)
{
	check_gpt(512);
	check_gpt(4096);
}

static void
test_gpt_hostile(void **state)
{
	struct disk *disk = disk_new(512);

	put_gpt(disk, 0, 200, 100);           /* ends before it begins */
	put_gpt(disk, 1, 300, UINT64_MAX);    /* cut */
	put_gpt(disk, 2, 400, 500);           /* overlaps */
	put_gpt(disk, 3, 1, 10);              /* on the table itself */
	put_gpt(disk, 4, UINT64_MAX - 1, UINT64_MAX);
	read_table(disk, PARTITION_SCHEME_GPT, 1);
	expect(disk, 0, 2, 300, N_BLOCKS - 300);
	disk_free(disk);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crc),	    cmocka_unit_test(test_none),
		cmocka_unit_test(test_mbr_logical), cmocka_unit_test(test_mbr_hostile),
		cmocka_unit_test(test_gpt),	    cmocka_unit_test(test_gpt_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
