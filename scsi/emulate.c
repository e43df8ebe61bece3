/* WRITE ZEROES, WRITE SAME, COMPARE AND WRITE and range queries for programs without them. */
#include "scsi/emulate.h"

#include <string.h>

enum { FILL_SIZE = 1 << 20 /* bytes written at once; one block at least */ };

#define KINDS_READ_WRITE (SCSI_IO_BIT(SCSI_IO_READ) | SCSI_IO_BIT(SCSI_IO_WRITE))

static const uint32_t needs[SCSI_IO_KIND_LIMIT] = {
	[SCSI_IO_WRITE_ZEROES] = SCSI_IO_BIT(SCSI_IO_WRITE),
	[SCSI_IO_WRITE_SAME] = SCSI_IO_BIT(SCSI_IO_WRITE),
	[SCSI_IO_COMPARE_AND_WRITE] = KINDS_READ_WRITE,
	[SCSI_IO_QUERY_RANGES] = SCSI_IO_BIT(SCSI_IO_READ),
};

bool
scsi_can_emulate(const struct scsi_unit *unit, enum scsi_io_kind kind)
{
	return needs[kind] && (scsi_unit_kinds(unit) & needs[kind]) == needs[kind];
}

static struct scsi_result
transfer(struct scsi_unit *unit, const struct scsi_io *of, enum scsi_io_kind kind, uint64_t lba,
	 uint32_t n_blocks, void *data)
{
	struct scsi_io io = {.kind = kind,
			     .fua = kind == SCSI_IO_WRITE && of->fua,
			     .checked = true,
			     .lba = lba,
			     .n_blocks = n_blocks,
			     .data = data,
			     .nexus = of->nexus};

	return scsi_unit_io(unit, &io);
}

/* Repeats one block (NULL: zeroes) over the range. */
static struct scsi_result
fill(struct scsi_unit *unit, const struct scsi_io *io, const void *block)
{
	uint32_t length = scsi_unit_params(unit)->block_length;
	uint32_t most = MIN(MAX(FILL_SIZE / length, 1u), io->n_blocks);
	uint8_t *data = scsi_unit_alloc((size_t)most * length);
	struct scsi_result res = scsi_good();

	if (!data)
		return scsi_status_only(SCSI_BUSY);
	for (uint32_t i = 0; i < most; i++) {
		if (block)
			memcpy(data + (size_t)i * length, block, length);
		else
			memset(data + (size_t)i * length, 0, length);
	}
	for (uint32_t done = 0, n; done < io->n_blocks && scsi_ok(res); done += n) {
		n = MIN(most, io->n_blocks - done);
		res = transfer(unit, io, SCSI_IO_WRITE, io->lba + done, n, data);
	}
	scsi_unit_free(data);
	return res;
}

static struct scsi_result
write_zeroes(struct scsi_unit *unit, struct scsi_io *io)
{
	const struct scsi_unit_params *p = scsi_unit_params(unit);
	struct scsi_range range = {.lba = io->lba, .n_blocks = io->n_blocks};
	struct scsi_io unmap = {.kind = SCSI_IO_UNMAP,
				.checked = true,
				.ranges = &range,
				.n_ranges = 1,
				.nexus = io->nexus};

	struct scsi_io flush = {.kind = SCSI_IO_FLUSH, .checked = true, .nexus = io->nexus};
	struct scsi_result res;

	if (!io->may_unmap || !p->unmap_supported || !p->unmap_zeroes ||
	    !(scsi_unit_kinds(unit) & SCSI_IO_BIT(SCSI_IO_UNMAP)))
		return fill(unit, io, NULL);
	res = scsi_unit_io(unit, &unmap);
	/* Unmapping has no flag for it. */
	if (scsi_ok(res) && io->fua && (scsi_unit_kinds(unit) & SCSI_IO_BIT(SCSI_IO_FLUSH)))
		res = scsi_unit_io(unit, &flush);
	return res;
}

static size_t
first_difference(const uint8_t *a, const uint8_t *b, size_t n)
{
	size_t i = 0;

	while (i < n && a[i] == b[i])
		i++;
	return i;
}

static struct scsi_result
compare_then_write(struct scsi_unit *unit, struct scsi_io *io, uint8_t *now, size_t size)
{
	struct scsi_result res =
		transfer(unit, io, SCSI_IO_READ, io->lba, io->n_blocks, now);
	size_t at;

	if (!scsi_ok(res))
		return res;
	at = first_difference(now, io->data, size);
	if (at < size)
		return scsi_sense_info(SENSE_MISCOMPARE, at);
	return transfer(unit, io, SCSI_IO_WRITE, io->lba, io->n_blocks,
			(uint8_t *)io->data + size);
}

static struct scsi_result
compare_and_write(struct scsi_unit *unit, struct scsi_io *io)
{
	size_t size = (size_t)io->n_blocks * scsi_unit_params(unit)->block_length;
	uint8_t *now = scsi_unit_alloc(size);
	struct scsi_result res;

	if (!now)
		return scsi_status_only(SCSI_BUSY);
	scsi_unit_exclusive_begin(unit);
	res = compare_then_write(unit, io, now, size);
	scsi_unit_exclusive_end(unit);
	scsi_unit_free(now);
	return res;
}

/* Who cannot say what is mapped has everything mapped. */
static struct scsi_result
query_ranges(struct scsi_unit *unit, struct scsi_io *io)
{
	struct scsi_mapping *mapping = io->data;

	(void)unit;
	if (io->n_ranges == 0)
		return scsi_good();
	*mapping = (struct scsi_mapping){
		.lba = io->lba, .n_blocks = io->n_blocks, .provisioning = SCSI_MAPPED};
	io->n_mappings = 1;
	return scsi_good();
}

struct scsi_result
scsi_emulate(struct scsi_unit *unit, struct scsi_io *io)
{
	switch (io->kind) {
	case SCSI_IO_WRITE_ZEROES:
		return write_zeroes(unit, io);
	case SCSI_IO_WRITE_SAME:
		return fill(unit, io, io->data);
	case SCSI_IO_COMPARE_AND_WRITE:
		return compare_and_write(unit, io);
	case SCSI_IO_QUERY_RANGES:
		return query_ranges(unit, io);
	default:
		return scsi_sense(SENSE_INVALID_OPCODE);
	}
}
