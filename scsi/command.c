/*
 * The table of all commands, and what a row says about a CDB: which bits may be set,
 * where its blocks and its length are, how much data it may move.
 */
#include <pthread.h>
#include <stdlib.h>

#include "scsi/lu.h"

static const struct scsi_command_table *const tables[] = {
	&scsi_commands_primary, &scsi_commands_inquiry, &scsi_commands_mode,
	&scsi_commands_log,	&scsi_commands_reserve, &scsi_commands_persist,
	&scsi_commands_block,	&scsi_commands_thin,	&scsi_commands_medium,
	&scsi_commands_copy,
};

enum { ROW_LIMIT = 256, SERVICE_ACTION_MASK = 0x1f };

/* Sorted by opcode, then service action; written once */
static const struct scsi_command *rows[ROW_LIMIT];
static size_t n_rows;
static uint16_t first_of[257]; /* rows of opcode o: first_of[o] to first_of[o + 1] */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static int
compare_rows(const void *a, const void *b)
{
	const struct scsi_command *x = *(const struct scsi_command *const *)a;
	const struct scsi_command *y = *(const struct scsi_command *const *)b;

	return x->opcode != y->opcode ? x->opcode - y->opcode
				      : x->service_action - y->service_action;
}

static void
collect(void)
{
	size_t row = 0;

	for (size_t t = 0; t < ARRAY_SIZE(tables); t++)
		for (size_t i = 0; i < tables[t]->n_rows && n_rows < ROW_LIMIT; i++)
			rows[n_rows++] = &tables[t]->rows[i];
	qsort(rows, n_rows, sizeof(rows[0]), compare_rows);
	for (unsigned opcode = 0; opcode < 257; opcode++) {
		while (row < n_rows && rows[row]->opcode < opcode)
			row++;
		first_of[opcode] = (uint16_t)row;
	}
}

size_t
scsi_command_count(void)
{
	pthread_once(&once, collect);
	return n_rows;
}

const struct scsi_command *
scsi_command_at(size_t i)
{
	pthread_once(&once, collect);
	return rows[i];
}

const struct scsi_command *
scsi_command_find(const uint8_t *cdb, size_t n_cdb, bool *ret_opcode_known)
{
	int action = n_cdb > 1 ? cdb[1] & SERVICE_ACTION_MASK : 0;

	pthread_once(&once, collect);
	*ret_opcode_known = false;
	if (n_cdb == 0 || n_cdb > SCSI_CDB_MAX)
		return NULL;
	for (size_t i = first_of[cdb[0]]; i < first_of[cdb[0] + 1]; i++) {
		*ret_opcode_known = true;
		if (rows[i]->service_action < 0 || rows[i]->service_action == action)
			return rows[i];
	}
	return NULL;
}

/* Most significant bit set; bits is not 0. */
static unsigned
top_bit(unsigned bits)
{
	return 31 - (unsigned)__builtin_clz(bits);
}

struct scsi_result
scsi_command_check_usage(const struct scsi_command *cmd, const uint8_t *cdb, size_t n_cdb)
{
	for (unsigned i = 1; i < cmd->n_cdb; i++) {
		unsigned allowed = cmd->usage[i];

		if (i >= n_cdb)
			return scsi_bad_cdb(i, SCSI_FIELD_BYTE);
		if (i == 1 && cmd->service_action >= 0)
			allowed |= SERVICE_ACTION_MASK;
		if (cdb[i] & ~allowed)
			return scsi_bad_cdb(i, top_bit(cdb[i] & ~allowed));
	}
	return scsi_good();
}

static uint64_t
get_be(const uint8_t *p, size_t size)
{
	uint64_t v = 0;

	while (size-- > 0)
		v = v << 8 | *p++;
	return v;
}

/* SPC-4 4.2.2: where a CDB of each group keeps its LBA and its count */
static const struct block_fields {
	uint8_t lba_at, lba_size, count_at, count_size;
} block_fields[8] = {
	[0] = {1, 3, 4, 1},  [1] = {2, 4, 7, 2}, [2] = {2, 4, 7, 2},
	[4] = {2, 8, 10, 4}, [5] = {2, 4, 6, 4},
};

static void
decode_range(struct scsi_task *task)
{
	const struct block_fields *f = &block_fields[task->cdb[0] >> 5];

	task->lba = get_be(task->cdb + f->lba_at, f->lba_size);
	task->n_blocks = (uint32_t)get_be(task->cdb + f->count_at, f->count_size);
	if (task->cdb[0] >> 5 == 0) {
		/* SBC-3 5.8: 21 bits of LBA; no count means 256 */
		task->lba &= 0x1fffff;
		if (task->n_blocks == 0)
			task->n_blocks = 256;
	}
}

/* Larger than any limit when the product does not fit. */
static uint32_t
default_length(const struct scsi_task *task)
{
	const struct scsi_command *cmd = task->command;
	uint64_t length = 0;

	switch (cmd->length) {
	case SCSI_LENGTH_BLOCKS:
		length = (uint64_t)task->n_blocks *
			 scsi_unit_params(task->lu->unit)->block_length;
		break;
	case SCSI_LENGTH_ONE_BLOCK:
		length = scsi_unit_params(task->lu->unit)->block_length;
		break;
	case SCSI_LENGTH_FIXED:
		length = cmd->length_size;
		break;
	case SCSI_LENGTH_FIELD:
		length = get_be(task->cdb + cmd->length_at, cmd->length_size);
		if (cmd->flags & SCSI_CMD_IN)
			length = MIN(length, SCSI_PARAMETER_MAX);
		break;
	}
	return (uint32_t)MIN(length, UINT32_MAX);
}

static struct scsi_result
check_limit(const struct scsi_task *task)
{
	const struct scsi_command *cmd = task->command;

	if (cmd->length == SCSI_LENGTH_FIELD && task->n_transfer > SCSI_PARAMETER_MAX)
		return scsi_bad_cdb(cmd->length_at, SCSI_FIELD_BYTE);
	if (task->n_transfer > SCSI_TRANSFER_MAX)
		return scsi_bad_cdb(block_fields[task->cdb[0] >> 5].count_at,
				    SCSI_FIELD_BYTE);
	return scsi_good();
}

static enum scsi_direction
direction(const struct scsi_task *task)
{
	if (task->n_transfer == 0)
		return SCSI_DATA_NONE;
	return task->command->flags & SCSI_CMD_OUT ? SCSI_DATA_OUT : SCSI_DATA_IN;
}

struct scsi_result
scsi_command_decode(struct scsi_task *task)
{
	const struct scsi_command *cmd = task->command;
	struct scsi_result res = scsi_good();

	if (cmd->flags & SCSI_CMD_RANGE) {
		decode_range(task);
		res = scsi_unit_check_range(task->lu->unit, task->lba, task->n_blocks);
	}
	task->n_transfer = default_length(task);
	if (scsi_ok(res) && cmd->check)
		res = cmd->check(task);
	if (scsi_ok(res))
		res = check_limit(task);
	task->direction = direction(task);
	return res;
}
