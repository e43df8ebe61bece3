/* UNMAP, WRITE SAME, GET LBA STATUS. */
#include <stdlib.h>

#include "scsi/block_priv.h"

enum {
	UNMAP_HEADER = 8,
	DESCRIPTOR_SIZE = 16, /* of UNMAP and of GET LBA STATUS */
	WS_ANCHOR = 0x10,
	WS_UNMAP = 0x08,
	WS_NDOB = 0x01,
	LBA_STATUS_HEADER = 8,
	LBA_STATUS_MAX = 1024 /* descriptors of one answer */
};

static bool
is_thin(const struct scsi_lu *lu)
{
	return scsi_unit_params(lu->unit)->unmap_supported;
}

/* ---------------------------------------------------------------- UNMAP */

static void
unmap_flushed(struct scsi_io *io, struct scsi_result res)
{
	scsi_task_finish(io->ctx, res);
}

/* While the host has WCE at 0 it does not flush; programs are asked to unmap without a flag. */
static void
unmap_done(struct scsi_io *io, struct scsi_result res)
{
	struct scsi_task *task = io->ctx;
	struct scsi_unit *unit = task->lu->unit;
	bool can_flush = scsi_unit_kinds(unit) & SCSI_IO_BIT(SCSI_IO_FLUSH);

	if (!scsi_ok(res) || !can_flush || !scsi_block_fua(task)) {
		scsi_task_finish(task, res);
		return;
	}
	*io = (struct scsi_io){.kind = SCSI_IO_FLUSH,
			       .checked = true,
			       .nexus = task->nexus,
			       .complete = unmap_flushed,
			       .ctx = task};
	scsi_unit_submit(unit, io);
}

/* The sum of counts is below 2^32 times SCSI_UNMAP_DESCRIPTORS_MAX: no overflow. */
static struct scsi_result
unmap_decode(const uint8_t *list, uint32_t n, struct scsi_range *ranges)
{
	uint64_t n_blocks = 0;

	for (uint32_t i = 0; i < n; i++) {
		const uint8_t *d = list + UNMAP_HEADER + (size_t)i * DESCRIPTOR_SIZE;

		ranges[i] = (struct scsi_range){.lba = get_be64(d), .n_blocks = get_be32(d + 8)};
		n_blocks += ranges[i].n_blocks;
		if (n_blocks > SCSI_UNMAP_BLOCKS_MAX)
			return scsi_bad_parameter(
				UNMAP_HEADER + i * DESCRIPTOR_SIZE + 8, SCSI_FIELD_BYTE);
	}
	return scsi_good();
}

/*
 * SBC-3 5.28.2. A last descriptor that UNMAP BLOCK DESCRIPTOR DATA LENGTH or PARAMETER LIST LENGTH
 * cuts off is ignored, and no error. 0: nothing to do.
 */
static uint32_t
unmap_count(const uint8_t *list, size_t size)
{
	return (uint32_t)(MIN(get_be16(list + 2), size - UNMAP_HEADER) / DESCRIPTOR_SIZE);
}

static struct scsi_result
unmap_prepare(struct scsi_task *task)
{
	const uint8_t *list;
	size_t size;
	struct scsi_result res = scsi_task_parameters(task, &list, &size);
	struct scsi_io *io = &task->io;

	if (!scsi_ok(res) || size == 0)
		return res;
	if (size < UNMAP_HEADER)
		return scsi_sense(SENSE_PARAMETER_LIST_LENGTH);
	io->n_ranges = unmap_count(list, size);
	if (io->n_ranges > SCSI_UNMAP_DESCRIPTORS_MAX)
		return scsi_bad_parameter(2, SCSI_FIELD_BYTE);
	if (io->n_ranges == 0)
		return scsi_good();
	task->scratch = calloc(io->n_ranges, sizeof(struct scsi_range));
	if (!task->scratch)
		return scsi_status_only(SCSI_BUSY);
	return unmap_decode(list, io->n_ranges, task->scratch);
}

static void
unmap_start(struct scsi_task *task)
{
	struct scsi_io *io = &task->io;
	struct scsi_result res;

	*io = (struct scsi_io){.kind = SCSI_IO_UNMAP,
			       .checked = true,
			       .nexus = task->nexus,
			       .complete = unmap_done,
			       .ctx = task};
	res = unmap_prepare(task);
	if (!scsi_ok(res) || !task->scratch) {
		scsi_task_finish(task, res);
		return;
	}
	io->ranges = task->scratch;
	scsi_unit_submit(task->lu->unit, io);
}

/* ---------------------------------------------------------------- WRITE SAME */

static bool
is_write_same_10(const struct scsi_task *task)
{
	return task->cdb[0] == 0x41;
}

/* Bit 0 of the 10-byte CDB is reserved. */
static bool
has_no_data(const struct scsi_task *task)
{
	return task->cdb[1] & WS_NDOB;
}

/* SBC-3 5.45: a count of 0 is to the end of the medium, and under the same limit. */
static struct scsi_result
write_same_count(struct scsi_task *task)
{
	uint64_t n_blocks = task->n_blocks;

	if (n_blocks == 0 && !SCSI_WRITE_SAME_NON_ZERO) {
		uint64_t end = scsi_unit_n_blocks(task->lu->unit);

		n_blocks = end > task->lba ? end - task->lba : 0;
	}
	if (n_blocks == 0 || n_blocks > SCSI_WRITE_SAME_MAX)
		return scsi_bad_cdb(is_write_same_10(task) ? 7 : 10, SCSI_FIELD_BYTE);
	task->n_blocks = (uint32_t)n_blocks;
	return scsi_good();
}

static struct scsi_result
write_same_check(struct scsi_task *task)
{
	struct scsi_result res = scsi_block_check(task);

	if (!scsi_ok(res))
		return res;
	if (task->cdb[1] & WS_ANCHOR) /* ANC_SUP is 0 */
		return scsi_bad_cdb(1, 4);
	if ((task->cdb[1] & WS_UNMAP) && !is_thin(task->lu))
		return scsi_bad_cdb(1, 3);
	if (has_no_data(task))
		task->n_transfer = 0;
	return write_same_count(task);
}

static bool
is_zero(const uint8_t *bytes, size_t n)
{
	return bytes[0] == 0 && memcmp(bytes, bytes + 1, n - 1) == 0;
}

/* Blocks of zeroes are told apart: storing nothing is what most hosts send them for. */
static void
write_same_start(struct scsi_task *task)
{
	struct scsi_result res = scsi_block_check_data_exact(task);

	if (!has_no_data(task) && !scsi_ok(res)) {
		scsi_task_finish(task, res);
		return;
	}
	if (has_no_data(task) || is_zero(task->data_out, scsi_block_length(task)))
		scsi_block_submit(task, SCSI_IO_WRITE_ZEROES, NULL, task->cdb[1] & WS_UNMAP);
	else
		scsi_block_submit(task, SCSI_IO_WRITE_SAME, task->data_out, false);
}

/* ---------------------------------------------------------------- GET LBA STATUS */

struct lba_status {
	uint8_t bytes[LBA_STATUS_HEADER + LBA_STATUS_MAX * DESCRIPTOR_SIZE];
	struct scsi_mapping mappings[LBA_STATUS_MAX];
	size_t size;
	uint64_t next, end; /* what is not described yet */
};

/* SBC-3 5.13.2.3: neighbours of the same status are one. */
static void
status_append(struct lba_status *s, uint64_t end, uint8_t provisioning)
{
	uint8_t *d = s->bytes + s->size - DESCRIPTOR_SIZE;
	uint64_t n = end - s->next, sum;

	if (s->size > LBA_STATUS_HEADER && d[12] == provisioning) {
		sum = n + get_be32(d + 8);
		if (sum <= UINT32_MAX) {
			put_be32(d + 8, (uint32_t)sum);
			s->next = end;
			return;
		}
	}
	d += DESCRIPTOR_SIZE;
	put_be64(d, s->next);
	put_be32(d + 8, (uint32_t)n);
	d[12] = provisioning;
	s->size += DESCRIPTOR_SIZE;
	s->next = end;
}

/* The program's word is taken as far as it goes on from what was asked for, without gap. */
static void
status_fill(struct lba_status *s, uint32_t n_mappings)
{
	for (uint32_t i = 0; i < n_mappings && s->next < s->end; i++) {
		const struct scsi_mapping *m = &s->mappings[i];
		uint64_t end;

		if (m->lba > s->next || add_overflows(m->lba, (uint64_t)m->n_blocks, &end) ||
		    end <= s->next)
			break;
		status_append(s, MIN(end, s->end),
			      m->provisioning > SCSI_ANCHORED ? SCSI_MAPPED : m->provisioning);
	}
	if (s->size == LBA_STATUS_HEADER)
		status_append(s, s->end, SCSI_MAPPED);
	put_be32(s->bytes, (uint32_t)(s->size - 4));
}

static struct scsi_result
status_query(struct scsi_task *task, struct lba_status *s)
{
	uint64_t lba = get_be64(task->cdb + 2), rest = scsi_unit_n_blocks(task->lu->unit) - lba;
	uint32_t room = MAX(task->n_transfer, (uint32_t)LBA_STATUS_HEADER) - LBA_STATUS_HEADER;
	struct scsi_io io = {.kind = SCSI_IO_QUERY_RANGES,
			     .checked = true,
			     .lba = lba,
			     .n_blocks = (uint32_t)MIN(rest, UINT32_MAX),
			     .data = s->mappings,
			     .n_ranges = MIN(MAX(room / DESCRIPTOR_SIZE, 1u), LBA_STATUS_MAX),
			     .nexus = task->nexus};
	struct scsi_result res = scsi_unit_io(task->lu->unit, &io);

	if (!scsi_ok(res))
		return res;
	s->size = LBA_STATUS_HEADER;
	s->next = lba;
	s->end = lba + io.n_blocks;
	status_fill(s, io.n_mappings);
	return scsi_task_reply(task, s->bytes, s->size);
}

static struct scsi_result
lba_status_check(struct scsi_task *task)
{
	return scsi_unit_check_range(task->lu->unit, get_be64(task->cdb + 2), 1);
}

static struct scsi_result
lba_status_run(struct scsi_task *task)
{
	struct lba_status *s = calloc(1, sizeof(*s));
	struct scsi_result res;

	if (!s)
		return scsi_status_only(SCSI_BUSY);
	res = status_query(task, s);
	free(s);
	return res;
}

/* ---------------------------------------------------------------- table */

#define WRITE_SAME_FLAGS                                                                 \
	(SCSI_CMD_OUT | SCSI_CMD_WRITES | SCSI_CMD_MEDIUM | SCSI_CMD_RANGE)

static const struct scsi_command rows[] = {
	{
		.opcode = 0x41,
		.service_action = -1,
		.n_cdb = 10,
		.name = "WRITE SAME (10)",
		.length = SCSI_LENGTH_ONE_BLOCK,
		.flags = WRITE_SAME_FLAGS,
		.usage = {0x41, SCSI_USAGE_PROTECT | WS_ANCHOR | WS_UNMAP, SCSI_USAGE_LBA4,
			  SCSI_USAGE_GROUP, 0xff, 0xff, 0},
		.check = write_same_check,
		.start = write_same_start,
	},
	{
		/* ANCHOR, byte 1 bit 0, needs ANC_SUP. */
		.opcode = 0x42,
		.service_action = -1,
		.n_cdb = 10,
		.name = "UNMAP",
		SCSI_LENGTH_AT(7, 2),
		.flags = SCSI_CMD_OUT | SCSI_CMD_WRITES | SCSI_CMD_MEDIUM,
		.usage = {0x42, 0, 0, 0, 0, 0, SCSI_USAGE_GROUP, 0xff, 0xff, 0},
		.exists = is_thin,
		.start = unmap_start,
	},
	{
		.opcode = 0x93,
		.service_action = -1,
		.n_cdb = 16,
		.name = "WRITE SAME (16)",
		.length = SCSI_LENGTH_ONE_BLOCK,
		.flags = WRITE_SAME_FLAGS,
		.usage = {0x93, SCSI_USAGE_PROTECT | WS_ANCHOR | WS_UNMAP | WS_NDOB,
			  SCSI_USAGE_LBA8, SCSI_USAGE_LBA4, SCSI_USAGE_GROUP, 0},
		.check = write_same_check,
		.start = write_same_start,
	},
	{
		.opcode = 0x9e,
		.service_action = 0x12,
		.n_cdb = 16,
		.name = "GET LBA STATUS",
		SCSI_LENGTH_AT(10, 4),
		.flags = SCSI_CMD_IN | SCSI_CMD_MEDIUM | SCSI_CMD_PR_READ | SCSI_CMD_BLOCKING,
		.usage = {0x9e, 0x12, SCSI_USAGE_LBA8, SCSI_USAGE_LBA4, 0, 0},
		.check = lba_status_check,
		.run = lba_status_run,
	},
};

const struct scsi_command_table scsi_commands_thin = {rows, ARRAY_SIZE(rows)};
