/*
 * READ, WRITE, SYNCHRONIZE CACHE, PRE-FETCH, READ DEFECT DATA, and the table of all commands that
 * move blocks. Reads and writes go to the unit as they came: the door's buffer, no copy, no wait.
 */
#include "scsi/block_priv.h"

struct scsi_result
scsi_block_check(struct scsi_task *task)
{
	return task->cdb[1] & SCSI_USAGE_PROTECT ? scsi_bad_cdb(1, 7) : scsi_good();
}

struct scsi_result
scsi_block_check_data(const struct scsi_task *task)
{
	return task->n_out < task->n_transfer ?
		       scsi_sense(SENSE_INVALID_FIELD_IN_INFORMATION_UNIT) :
		       scsi_good();
}

struct scsi_result
scsi_block_check_data_exact(const struct scsi_task *task)
{
	return task->n_out != task->n_transfer ?
		       scsi_sense(SENSE_INVALID_FIELD_IN_INFORMATION_UNIT) :
		       scsi_good();
}

struct scsi_result
scsi_block_cut(struct scsi_task *task)
{
	uint32_t length = scsi_block_length(task);

	if (task->n_out >= task->n_transfer)
		return scsi_good();
	if (task->n_out % length != 0)
		return scsi_sense(SENSE_INVALID_FIELD_IN_INFORMATION_UNIT);
	task->n_blocks = task->n_out / length;
	return scsi_good();
}

bool
scsi_block_fua(const struct scsi_task *task)
{
	struct scsi_lu *lu = task->lu;
	bool wce;

	if ((task->command->flags & SCSI_CMD_FUA) &&
	    (task->cdb[1] & (SCSI_USAGE_FUA | SCSI_USAGE_FUA_NV)))
		return true;
	if (!(task->command->flags & SCSI_CMD_WRITES))
		return false;
	mutex_lock(&lu->lock);
	wce = lu->mode.wce;
	mutex_unlock(&lu->lock);
	return !wce;
}

uint32_t
scsi_block_length(const struct scsi_task *task)
{
	return scsi_unit_params(task->lu->unit)->block_length;
}

uint32_t
scsi_block_scratch(const struct scsi_task *task, uint32_t n_blocks)
{
	return MIN(n_blocks, MAX(SCSI_BLOCK_SCRATCH / scsi_block_length(task), 1u));
}

static void
submit_done(struct scsi_io *io, struct scsi_result res)
{
	struct scsi_task *task = io->ctx;

	if (scsi_ok(res) && io->kind == SCSI_IO_READ)
		task->n_in = task->n_transfer;
	scsi_task_finish(task, res);
}

void
scsi_block_submit(struct scsi_task *task, enum scsi_io_kind kind, void *data, bool may_unmap)
{
	task->io = (struct scsi_io){.kind = kind,
				    .fua = scsi_block_fua(task),
				    .may_unmap = may_unmap,
				    .checked = true,
				    .lba = task->lba,
				    .n_blocks = task->n_blocks,
				    .data = data,
				    .nexus = task->nexus,
				    .complete = submit_done,
				    .ctx = task};
	scsi_unit_submit(task->lu->unit, &task->io);
}

struct scsi_result
scsi_block_io(struct scsi_task *task, enum scsi_io_kind kind, uint64_t lba, uint32_t n_blocks,
	      void *data, bool fua)
{
	struct scsi_io io = {.kind = kind,
			     .fua = fua,
			     .checked = true,
			     .lba = lba,
			     .n_blocks = n_blocks,
			     .data = data,
			     .nexus = task->nexus};

	return scsi_unit_io(task->lu->unit, &io);
}

static void
read_start(struct scsi_task *task)
{
	scsi_block_submit(task, SCSI_IO_READ, task->data_in, false);
}

static void
write_start(struct scsi_task *task)
{
	struct scsi_result res = scsi_block_cut(task);

	if (scsi_ok(res))
		scsi_block_submit(task, SCSI_IO_WRITE, task->data_out, false);
	else
		scsi_task_finish(task, res);
}

/*
 * SBC-3 5.22: a count of 0 is to the end. IMMED allows an early answer and does not ask for one:
 * the answer here always means that the data is safe. A unit without a cache has nothing to do (the
 * unit knows), nor has one that nobody can write to; hosts send this to such units too.
 */
static void
synchronize_start(struct scsi_task *task)
{
	if (scsi_unit_params(task->lu->unit)->write_protected)
		scsi_task_finish(task, scsi_good());
	else
		scsi_block_submit(task, SCSI_IO_FLUSH, NULL, false);
}

/* SBC-3 5.8: CONDITION MET would promise that the blocks stay in a cache, which is the program's */
static struct scsi_result
prefetch_run(struct scsi_task *task)
{
	(void)task;
	return scsi_good();
}

/* SBC-3 5.17: no defects, in whatever format. REQ_PLIST, REQ_GLIST come back as PLISTV, GLISTV. */
static struct scsi_result
read_defect_10_run(struct scsi_task *task)
{
	const uint8_t reply[4] = {0, task->cdb[2]};

	return scsi_task_reply(task, reply, sizeof(reply));
}

static struct scsi_result
read_defect_12_run(struct scsi_task *task)
{
	const uint8_t reply[8] = {0, task->cdb[1]};

	return scsi_task_reply(task, reply, sizeof(reply));
}

#define MEDIUM_READ (SCSI_CMD_MEDIUM | SCSI_CMD_RANGE | SCSI_CMD_PR_READ)
#define MEDIUM_WRITE (SCSI_CMD_MEDIUM | SCSI_CMD_RANGE | SCSI_CMD_WRITES | SCSI_CMD_OUT)

/* Byte 1 of a CDB */
#define P_DPO (SCSI_USAGE_PROTECT | SCSI_USAGE_DPO)
#define P_DPO_FUA (P_DPO | SCSI_USAGE_FUA | SCSI_USAGE_FUA_NV)
#define P_DPO_BYTCHK (P_DPO | SCSI_USAGE_BYTCHK)
#define IMMED 0x02
/* By the CDB's group: byte 1, then LBA, count and GROUP NUMBER */
#define USAGE_6(op) {op, 0x1f, 0xff, 0xff, 0xff, 0}
#define USAGE_10(op, byte1) {op, byte1, SCSI_USAGE_LBA4, SCSI_USAGE_GROUP, 0xff, 0xff, 0}
#define USAGE_12(op, byte1)                                                              \
	{op, byte1, SCSI_USAGE_LBA4, SCSI_USAGE_LBA4, SCSI_USAGE_GROUP, 0}
#define USAGE_16(op, byte1)                                                              \
	{op, byte1, SCSI_USAGE_LBA8, SCSI_USAGE_LBA4, SCSI_USAGE_GROUP, 0}

#define ROW(op, size, text) .opcode = (op), .service_action = -1, .n_cdb = (size), .name = (text)
/* READ and WRITE of 10 bytes and more */
#define READ_ROW(op, size, text)                                                         \
	{ROW(op, size, text), .length = SCSI_LENGTH_BLOCKS,                              \
	 .flags = MEDIUM_READ | SCSI_CMD_IN | SCSI_CMD_FUA,                              \
	 .usage = USAGE_##size(op, P_DPO_FUA), .check = scsi_block_check, .start = read_start}
#define WRITE_ROW(op, size, text)                                                        \
	{ROW(op, size, text), .length = SCSI_LENGTH_BLOCKS,                              \
	 .flags = MEDIUM_WRITE | SCSI_CMD_FUA, .usage = USAGE_##size(op, P_DPO_FUA),     \
	 .check = scsi_block_check, .start = write_start}
#define WRITE_AND_VERIFY_ROW(op, size, text)                                             \
	{ROW(op, size, text), .length = SCSI_LENGTH_BLOCKS,                              \
	 .flags = MEDIUM_WRITE | SCSI_CMD_BLOCKING, .usage = USAGE_##size(op, P_DPO_BYTCHK), \
	 .check = scsi_write_and_verify_check, .run = scsi_write_and_verify_run}
/* Data comes or not, by BYTCHK: check() sets the length */
#define VERIFY_ROW(op, size, text)                                                       \
	{ROW(op, size, text), .length = SCSI_LENGTH_NONE,                                \
	 .flags = MEDIUM_READ | SCSI_CMD_OUT | SCSI_CMD_BLOCKING,                        \
	 .usage = USAGE_##size(op, P_DPO_BYTCHK), .check = scsi_verify_check,            \
	 .run = scsi_verify_run}
/* SBC-3 table 13: a conflict under every reservation of another */
#define SYNCHRONIZE_ROW(op, size, text)                                                  \
	{ROW(op, size, text), .length = SCSI_LENGTH_NONE,                                \
	 .flags = SCSI_CMD_MEDIUM | SCSI_CMD_RANGE, .usage = USAGE_##size(op, IMMED),    \
	 .start = synchronize_start}
#define PREFETCH_ROW(op, size, text)                                                     \
	{ROW(op, size, text), .length = SCSI_LENGTH_NONE, .flags = MEDIUM_READ,          \
	 .usage = USAGE_##size(op, IMMED), .run = prefetch_run}

static const struct scsi_command rows[] = {
	{
		ROW(0x08, 6, "READ (6)"),
		.length = SCSI_LENGTH_BLOCKS,
		.flags = MEDIUM_READ | SCSI_CMD_IN,
		.usage = USAGE_6(0x08),
		.start = read_start,
	},
	{
		ROW(0x0a, 6, "WRITE (6)"),
		.length = SCSI_LENGTH_BLOCKS,
		.flags = MEDIUM_WRITE,
		.usage = USAGE_6(0x0a),
		.start = write_start,
	},
	READ_ROW(0x28, 10, "READ (10)"),
	READ_ROW(0xa8, 12, "READ (12)"),
	READ_ROW(0x88, 16, "READ (16)"),
	WRITE_ROW(0x2a, 10, "WRITE (10)"),
	WRITE_ROW(0xaa, 12, "WRITE (12)"),
	WRITE_ROW(0x8a, 16, "WRITE (16)"),
	WRITE_AND_VERIFY_ROW(0x2e, 10, "WRITE AND VERIFY (10)"),
	WRITE_AND_VERIFY_ROW(0xae, 12, "WRITE AND VERIFY (12)"),
	WRITE_AND_VERIFY_ROW(0x8e, 16, "WRITE AND VERIFY (16)"),
	VERIFY_ROW(0x2f, 10, "VERIFY (10)"),
	VERIFY_ROW(0xaf, 12, "VERIFY (12)"),
	VERIFY_ROW(0x8f, 16, "VERIFY (16)"),
	SYNCHRONIZE_ROW(0x35, 10, "SYNCHRONIZE CACHE (10)"),
	SYNCHRONIZE_ROW(0x91, 16, "SYNCHRONIZE CACHE (16)"),
	PREFETCH_ROW(0x34, 10, "PRE-FETCH (10)"),
	PREFETCH_ROW(0x90, 16, "PRE-FETCH (16)"),
	{
		ROW(0x8b, 16, "ORWRITE (16)"),
		.length = SCSI_LENGTH_BLOCKS,
		.flags = MEDIUM_WRITE | SCSI_CMD_FUA | SCSI_CMD_BLOCKING,
		.usage = USAGE_16(0x8b, P_DPO_FUA),
		.check = scsi_block_check,
		.run = scsi_orwrite_run,
	},
	{
		/* The count is one byte: what is above it is reserved. */
		ROW(0x89, 16, "COMPARE AND WRITE"),
		.length = SCSI_LENGTH_BLOCKS,
		.flags = MEDIUM_WRITE | SCSI_CMD_FUA,
		.usage = {0x89, P_DPO_FUA, SCSI_USAGE_LBA8, 0, 0, 0, 0xff, SCSI_USAGE_GROUP, 0},
		.check = scsi_compare_and_write_check,
		.start = scsi_compare_and_write_start,
	},
	{
		/* ATOMIC BOUNDARY, bytes 10 and 11, is 0: then bytes 10..13 are the count. */
		ROW(0x9c, 16, "WRITE ATOMIC (16)"),
		.length = SCSI_LENGTH_BLOCKS,
		.flags = MEDIUM_WRITE | SCSI_CMD_FUA | SCSI_CMD_BLOCKING,
		.usage = {0x9c, P_DPO | SCSI_USAGE_FUA, SCSI_USAGE_LBA8, 0, 0, 0xff, 0xff,
			  SCSI_USAGE_GROUP, 0},
		.check = scsi_write_atomic_check,
		.run = scsi_write_atomic_run,
	},
	{
		ROW(0x37, 10, "READ DEFECT DATA (10)"),
		SCSI_LENGTH_AT(7, 2),
		.flags = SCSI_CMD_IN | SCSI_CMD_MEDIUM | SCSI_CMD_PR_READ,
		.usage = {0x37, 0, 0x1f, 0, 0, 0, 0, 0xff, 0xff, 0},
		.run = read_defect_10_run,
	},
	{
		ROW(0xb7, 12, "READ DEFECT DATA (12)"),
		SCSI_LENGTH_AT(6, 4),
		.flags = SCSI_CMD_IN | SCSI_CMD_MEDIUM | SCSI_CMD_PR_READ,
		.usage = {0xb7, 0x1f, SCSI_USAGE_LBA4, SCSI_USAGE_LBA4, 0, 0},
		.run = read_defect_12_run,
	},
};

const struct scsi_command_table scsi_commands_block = {rows, ARRAY_SIZE(rows)};
