/*
 * The partition table of a new image, with one partition that fills the disk: a master boot record as
 * WinSpd's rawdisk writes it, or a GUID partition table (UEFI 2.10 section 5).
 */
#include "examples/rawdisk/rawdisk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/endian.h"

enum {
	MBR_SIZE = 512,
	TYPE_NTFS = 7,
	TYPE_PROTECTIVE = 0xEE,
	GPT_HEADER_SIZE = 92,
	GPT_ENTRY_SIZE = 128,
	GPT_N_ENTRIES = 128,
	GPT_ALIGN = 1 << 20 /* bytes: where partitions begin */
};

/* The table on blocks of its own, since direct I/O writes whole ones. */
static int
write_blocks(const struct rd *rd, const void *bytes, size_t n, uint64_t lba)
{
	size_t size = (n + rd->block_length - 1) / rd->block_length * rd->block_length, done;
	void *room = NULL;

	/* A page suits every direct I/O. */
	if (posix_memalign(&room, 4096, size))
		return -ENOMEM;
	memset(room, 0, size);
	memcpy(room, bytes, n);
	int err = storage_write(&rd->image, room, size, lba * rd->block_length, &done);
	free(room);
	return err;
}

static int
make_mbr(uint8_t type, uint64_t lba, uint64_t n_blocks, uint8_t mbr[MBR_SIZE])
{
	SPD_PARTITION partitions[4] = {
		{.Type = type, .BlockAddress = lba, .BlockCount = n_blocks}};

	return SpdDefinePartitionTable(partitions, 1, mbr) == ERROR_SUCCESS ? 0 : -ERANGE;
}

static int
write_mbr(const struct rd *rd)
{
	uint64_t start = rd->block_length > 4096 ? 1 : 4096 / rd->block_length;
	uint64_t n_blocks = atomic_load(&rd->n_blocks);
	uint8_t mbr[MBR_SIZE];

	/* Its readers look for the signature at byte 510 of the first block. */
	if (rd->block_length < MBR_SIZE || n_blocks <= start)
		return -ERANGE;
	int err = make_mbr(TYPE_NTFS, start, n_blocks - start, mbr);
	return err ? err : write_blocks(rd, mbr, sizeof(mbr), 0);
}

/* ---------------------------------------------------------------- GPT */

/* CRC-32 of ISO 3309, bit by bit: 33 KiB, once in the life of an image. */
static uint32_t
crc32(const void *bytes, size_t n)
{
	const uint8_t *p = bytes;
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < n; i++) {
		crc ^= p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
	}
	return ~crc;
}

/* On disk, the first three fields of a GUID are little-endian; its text has them the other way. */
static void
put_guid(uint8_t *dst, const uint8_t guid[16])
{
	static const uint8_t order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};

	for (size_t i = 0; i < 16; i++)
		dst[i] = guid[order[i]];
}

struct gpt {
	uint8_t disk_guid[16];
	uint64_t last_lba;
	uint64_t n_entry_blocks; /* blocks of one array of entries */
	uint64_t first_usable, last_usable;
	uint32_t entries_crc;
	uint8_t entries[GPT_N_ENTRIES * GPT_ENTRY_SIZE];
};

/* UEFI table 5.5. */
static void
fill_header(const struct gpt *gpt, uint64_t own_lba, uint64_t other_lba, uint64_t entries_lba,
	    uint8_t header[GPT_HEADER_SIZE])
{
	memset(header, 0, GPT_HEADER_SIZE);
	memcpy(header, "EFI PART", 8);
	put_le32(header + 8, 0x00010000); /* revision 1.0 */
	put_le32(header + 12, GPT_HEADER_SIZE);
	put_le64(header + 24, own_lba);
	put_le64(header + 32, other_lba);
	put_le64(header + 40, gpt->first_usable);
	put_le64(header + 48, gpt->last_usable);
	put_guid(header + 56, gpt->disk_guid);
	put_le64(header + 72, entries_lba);
	put_le32(header + 80, GPT_N_ENTRIES);
	put_le32(header + 84, GPT_ENTRY_SIZE);
	put_le32(header + 88, gpt->entries_crc);
	put_le32(header + 16, crc32(header, GPT_HEADER_SIZE));
}

/* UEFI table 5.6, one entry: basic data, from the first aligned block to the last usable one. */
static int
fill_entry(const struct rd *rd, struct gpt *gpt)
{
	static const uint8_t basic_data[16] = {0xEB, 0xD0, 0xA0, 0xA2, 0xB9, 0xE5, 0x44, 0x33,
					       0x87, 0xC0, 0x68, 0xB6, 0xB7, 0x26, 0x99, 0xC7};
	uint64_t align = rd->block_length < GPT_ALIGN ? GPT_ALIGN / rd->block_length : 1;
	uint64_t first = (gpt->first_usable + align - 1) / align * align;
	uint8_t guid[16];

	if (first > gpt->last_usable)
		return -ERANGE;
	rd_guid_make(guid);
	put_guid(gpt->entries, basic_data);
	put_guid(gpt->entries + 16, guid);
	put_le64(gpt->entries + 32, first);
	put_le64(gpt->entries + 40, gpt->last_usable);
	gpt->entries_crc = crc32(gpt->entries, sizeof(gpt->entries));
	return 0;
}

static int
write_protective_mbr(const struct rd *rd, const struct gpt *gpt)
{
	uint8_t mbr[MBR_SIZE];
	uint64_t n = gpt->last_lba > UINT32_MAX - 1 ? UINT32_MAX - 1 : gpt->last_lba;
	int err = make_mbr(TYPE_PROTECTIVE, 1, n, mbr);

	if (err)
		return err;
	/* UEFI table 5.4: all ones when the disk does not fit. */
	if (n < gpt->last_lba)
		put_le32(mbr + 446 + 12, UINT32_MAX);
	return write_blocks(rd, mbr, sizeof(mbr), 0);
}

/* The backup first: a table of which only the end is there is no table yet. */
static int
write_gpt_blocks(const struct rd *rd, const struct gpt *gpt)
{
	uint8_t header[GPT_HEADER_SIZE];
	uint64_t backup = gpt->last_lba - gpt->n_entry_blocks;
	int err = write_blocks(rd, gpt->entries, sizeof(gpt->entries), backup);

	fill_header(gpt, gpt->last_lba, 1, backup, header);
	if (err == 0)
		err = write_blocks(rd, header, sizeof(header), gpt->last_lba);
	if (err == 0)
		err = write_blocks(rd, gpt->entries, sizeof(gpt->entries), 2);
	fill_header(gpt, 1, gpt->last_lba, 2, header);
	if (err == 0)
		err = write_blocks(rd, header, sizeof(header), 1);
	return err ? err : write_protective_mbr(rd, gpt);
}

static int
write_gpt(const struct rd *rd)
{
	struct gpt gpt = {.last_lba = atomic_load(&rd->n_blocks) - 1};

	if (rd->block_length < MBR_SIZE)
		return -ERANGE;
	gpt.n_entry_blocks = (sizeof(gpt.entries) + rd->block_length - 1) / rd->block_length;
	gpt.first_usable = 2 + gpt.n_entry_blocks;
	if (gpt.last_lba < 2 * gpt.n_entry_blocks + 3)
		return -ERANGE;
	gpt.last_usable = gpt.last_lba - gpt.n_entry_blocks - 1;
	rd_guid_make(gpt.disk_guid);
	int err = fill_entry(rd, &gpt);
	return err ? err : write_gpt_blocks(rd, &gpt);
}

int
rd_partition_write(const struct rd *rd, enum rd_partition kind)
{
	int err;

	switch (kind) {
	case RD_PARTITION_NONE:
		return 0;
	case RD_PARTITION_GPT:
		return write_gpt(rd);
	case RD_PARTITION_MBR:
		return write_mbr(rd);
	case RD_PARTITION_DEFAULT:
		break;
	}
	err = write_mbr(rd);
	return err == -ERANGE ? 0 : err;
}
