/*
 * The medium as a whole: START STOP UNIT, PREVENT ALLOW MEDIUM REMOVAL, SANITIZE. SBC-3 5.20 to
 * 5.23, SPC-4 6.20.
 *
 * SANITIZE runs in pieces, one job each, so that it keeps no slot, other units of the process go on
 * and a stop of the unit ends it: the next piece is refused then. It goes on when the command that
 * began it is aborted or its nexus is lost (SBC-3 4.11.1): the command is then let go, the work is
 * not.
 *
 *	phase       overwrite                          block erase
 *	PHASE_FILL  pattern, once for each pass        zeroes
 *	PHASE_UNMAP -                                  unmap
 *	PHASE_FLUSH flush                              flush
 */
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "scsi/reserve_priv.h"

/* ---------------------------------------------------------------- START STOP UNIT */

enum {
	START = 0x01,
	LOEJ = 0x02,
	NO_FLUSH = 0x04,
	POWER_CONDITION = 0xf0,
};

static const struct scsi_unit_params *
params_of(const struct scsi_task *task)
{
	return scsi_unit_params(task->lu->unit);
}

static struct scsi_result
sanitizing_sense_locked(const struct scsi_lu *lu)
{
	struct scsi_result res = scsi_sense(SENSE_SANITIZE_IN_PROGRESS);

	res.progress_valid = true;
	res.progress = lu->sanitize_progress;
	return res;
}

static bool
is_prevented_locked(const struct scsi_lu *lu)
{
	list_for_each(pos, &lu->itls)
		if (list_entry(pos, struct scsi_itl, link)->prevents)
			return true;
	return false;
}

static struct scsi_result start_stop_check_locked(struct scsi_lu *lu, const struct scsi_task *task)
	REQUIRES(&lu->lock);

static struct scsi_result
start_stop_check_locked(struct scsi_lu *lu, const struct scsi_task *task)
{
	unsigned how = task->cdb[4];
	bool moves = !(how & POWER_CONDITION) && (how & LOEJ);

	if (lu->sanitizing)
		return sanitizing_sense_locked(lu);
	if (moves && !params_of(task)->removable)
		return scsi_bad_cdb(4, 1);
	if (moves && (is_prevented_locked(lu) ||
		      (params_of(task)->eject_disabled && !(how & START))))
		return scsi_sense(SENSE_REMOVAL_PREVENTED);
	if (!(how & POWER_CONDITION) && (how & START) && !(how & LOEJ) && lu->ejected)
		return scsi_sense(SENSE_MEDIUM_NOT_PRESENT);
	/* SBC-3 table 13: starting is allowed under every reservation, the rest is not */
	if ((how & START) && !(how & POWER_CONDITION))
		return scsi_good();
	return scsi_reserve_check_flags_locked(lu, task->nexus, 0);
}

static struct scsi_result
start_stop_check(struct scsi_task *task)
{
	struct scsi_lu *lu = task->lu;
	struct scsi_result res;

	mutex_lock(&lu->lock);
	res = start_stop_check_locked(lu, task);
	mutex_unlock(&lu->lock);
	return res;
}

static void
start_or_load(struct scsi_task *task)
{
	struct scsi_lu *lu = task->lu;

	mutex_lock(&lu->lock);
	lu->stopped = false;
	if (lu->ejected && (task->cdb[4] & LOEJ)) {
		lu->ejected = false;
		scsi_lu_attention_locked(lu, SENSE_MEDIUM_MAY_HAVE_CHANGED, task->nexus);
	}
	mutex_unlock(&lu->lock);
}

/* Somebody may have forbidden removal while the flush ran. */
static struct scsi_result
stop_or_eject(struct scsi_task *task)
{
	struct scsi_lu *lu = task->lu;
	bool ejects = task->cdb[4] & LOEJ, was;
	struct scsi_result res;

	mutex_lock(&lu->lock);
	res = start_stop_check_locked(lu, task);
	was = lu->ejected;
	if (scsi_ok(res) && ejects)
		lu->ejected = true;
	else if (scsi_ok(res) && !params_of(task)->removable)
		lu->stopped = true;
	mutex_unlock(&lu->lock);
	if (scsi_ok(res) && ejects && !was)
		scsi_unit_notify(lu->unit, SCSI_UNIT_EJECTED);
	return res;
}

/*
 * Power conditions are all the same to a program: each is accepted and START and LOEJ are then
 * ignored (SBC-3 table 92). A removable medium that is stopped without being ejected starts again
 * by itself at the next access, as drives with removable media do; a fixed disk waits for START.
 */
static struct scsi_result
start_stop_run(struct scsi_task *task)
{
	struct scsi_io io = {.kind = SCSI_IO_FLUSH, .checked = true};
	struct scsi_lu *lu = task->lu;
	unsigned how = task->cdb[4];
	bool present;
	struct scsi_result res = scsi_good();

	if (how & POWER_CONDITION)
		return res;
	if (how & START) {
		start_or_load(task);
		return res;
	}
	mutex_lock(&lu->lock);
	present = !lu->ejected;
	mutex_unlock(&lu->lock);
	if (present && !(how & NO_FLUSH))
		res = scsi_unit_io(lu->unit, &io);
	return scsi_ok(res) ? stop_or_eject(task) : res;
}

/* ---------------------------------------------------------------- PREVENT ALLOW MEDIUM REMOVAL */

static struct scsi_result
prevent_check(struct scsi_task *task)
{
	struct scsi_lu *lu = task->lu;
	struct scsi_result res = scsi_good();

	if (task->cdb[4] & 0x02)
		return scsi_bad_cdb(4, 1); /* 10b, 11b are obsolete */
	/* SPC-4 table 66: allowing is allowed always, preventing is not */
	mutex_lock(&lu->lock);
	if (lu->sanitizing)
		res = sanitizing_sense_locked(lu);
	else if (task->cdb[4] & 0x01)
		res = scsi_reserve_check_flags_locked(lu, task->nexus, 0);
	mutex_unlock(&lu->lock);
	return res;
}

static struct scsi_result
prevent_run(struct scsi_task *task)
{
	mutex_lock(&task->lu->lock);
	task->itl->prevents = task->cdb[4] & 0x01;
	mutex_unlock(&task->lu->lock);
	return scsi_good();
}

static bool
is_removable(const struct scsi_lu *lu)
{
	return scsi_unit_params(lu->unit)->removable;
}

/* ---------------------------------------------------------------- SANITIZE */

enum sanitize_action { OVERWRITE = 1, BLOCK_ERASE = 2, EXIT_FAILURE_MODE = 0x1f };
enum { PATTERN_AT = 4, PIECE_BYTES = 4 << 20 };
enum sanitize_phase { PHASE_FILL, PHASE_UNMAP, PHASE_FLUSH, PHASE_DONE };

struct sanitize {
	struct scsi_job job;
	struct scsi_lu *lu;
	struct scsi_task *task; /* NULL: IMMED, or aborted */
	enum sanitize_action action;
	enum sanitize_phase phase;
	unsigned pass, n_passes;
	bool invert;
	uint8_t *block; /* OVERWRITE: the pattern, a block long */
	uint64_t lba;
};

static bool
can_write(const struct scsi_lu *lu)
{
	return scsi_unit_kinds(lu->unit) & SCSI_IO_BIT(SCSI_IO_WRITE);
}

/* A block that was erased is deallocated: SBC-3 4.7.3 */
static bool
can_erase(const struct scsi_lu *lu)
{
	return can_write(lu) && scsi_unit_params(lu->unit)->unmap_supported;
}

static struct scsi_result
sanitize_check_locked(const struct scsi_lu *lu)
{
	if (lu->sanitizing)
		return sanitizing_sense_locked(lu);
	if (lu->ejected)
		return scsi_sense(SENSE_MEDIUM_NOT_PRESENT);
	return lu->stopped ? scsi_sense(SENSE_INITIALIZING_COMMAND_REQUIRED) : scsi_good();
}

static struct scsi_result
sanitize_check(struct scsi_task *task)
{
	struct scsi_result res;

	mutex_lock(&task->lu->lock);
	res = sanitize_check_locked(task->lu);
	mutex_unlock(&task->lu->lock);
	return res;
}

static struct scsi_result
overwrite_check(struct scsi_task *task)
{
	struct scsi_result res = sanitize_check(task);

	/* SBC-3 5.23.2.2 */
	if (scsi_ok(res) && (task->n_transfer <= PATTERN_AT ||
			     task->n_transfer > PATTERN_AT + params_of(task)->block_length))
		res = scsi_bad_cdb(7, SCSI_FIELD_BYTE);
	return res;
}

static void
sanitize_free(struct sanitize *s)
{
	if (!s)
		return;
	scsi_unit_free(s->block);
	free(s);
}

/* SBC-3 table 89. Initiators expect a count or length of 0 to be told as a field of the CDB. */
static struct scsi_result
decode_overwrite(struct sanitize *s, const uint8_t *list, size_t size)
{
	uint32_t block_length = scsi_unit_params(s->lu->unit)->block_length;
	size_t n = get_be16(list + 2);

	if (list[0] & 0x60)
		return scsi_bad_parameter(0, 6); /* TEST is the vendor's */
	if (list[1] != 0)
		return scsi_bad_parameter(1, SCSI_FIELD_BYTE);
	if ((list[0] & 0x1f) == 0 || n == 0 || n > block_length)
		return scsi_sense(SENSE_INVALID_FIELD_IN_CDB);
	if (n != size - PATTERN_AT)
		return scsi_bad_parameter(2, SCSI_FIELD_BYTE);
	s->n_passes = list[0] & 0x1f;
	s->invert = list[0] & 0x80;
	s->block = scsi_unit_alloc(block_length);
	if (!s->block)
		return scsi_sense(SENSE_INSUFFICIENT_RESOURCES);
	for (size_t i = 0; i < block_length; i++)
		s->block[i] = list[PATTERN_AT + i % n];
	return scsi_good();
}

static void
report_progress(const struct sanitize *s)
{
	uint64_t total = scsi_unit_n_blocks(s->lu->unit);
	unsigned n_rounds = s->n_passes + (s->action == BLOCK_ERASE);
	unsigned round = s->phase == PHASE_FILL ? s->pass : s->n_passes;
	double share = (round + (double)s->lba / (double)total) / n_rounds;

	mutex_lock(&s->lu->lock);
	s->lu->sanitize_progress = (uint16_t)MIN(share * 65536, 65535);
	mutex_unlock(&s->lu->lock);
}

/* The command's status goes out, whether or not the work is done. */
static void
let_go(struct sanitize *s, struct scsi_result res)
{
	if (s->task)
		scsi_task_finish(take(&s->task), res);
}

static void
sanitize_end(struct sanitize *s, struct scsi_result res)
{
	struct scsi_lu *lu = s->lu;

	if (!scsi_ok(res))
		log_error("scsi", "unit=%s SANITIZE failed: key=%u asc=%02x ascq=%02x",
			  scsi_unit_serial(lu->unit), res.key, res.asc, res.ascq);
	mutex_lock(&lu->lock);
	lu->sanitizing = false;
	lu->sanitize_failed = !scsi_ok(res);
	lu->sanitize_progress = 0;
	mutex_unlock(&lu->lock);
	let_go(s, scsi_ok(res) ? res : scsi_sense(SENSE_SANITIZE_FAILED));
	sanitize_free(s);
}

static struct scsi_result
fill_piece(struct sanitize *s, uint32_t n_blocks)
{
	struct scsi_io io = {
		.kind = s->action == OVERWRITE ? SCSI_IO_WRITE_SAME : SCSI_IO_WRITE_ZEROES,
		.checked = true,
		.lba = s->lba,
		.n_blocks = n_blocks,
		.data = s->block,
	};

	return scsi_unit_io(s->lu->unit, &io);
}

static struct scsi_result
unmap_piece(struct sanitize *s, uint32_t n_blocks)
{
	struct scsi_range range = {.lba = s->lba, .n_blocks = n_blocks};
	struct scsi_io io = {
		.kind = SCSI_IO_UNMAP, .checked = true, .ranges = &range, .n_ranges = 1};

	return scsi_unit_io(s->lu->unit, &io);
}

/* The range is at its end: next pass, next phase. */
static void
next_round(struct sanitize *s)
{
	uint32_t block_length = scsi_unit_params(s->lu->unit)->block_length;

	s->lba = 0;
	if (s->phase == PHASE_FILL && ++s->pass < s->n_passes) {
		for (size_t i = 0; s->invert && i < block_length; i++)
			s->block[i] = (uint8_t)~s->block[i];
		return;
	}
	s->phase = s->phase == PHASE_FILL && s->action == BLOCK_ERASE ? PHASE_UNMAP : PHASE_FLUSH;
}

static struct scsi_result
sanitize_piece(struct sanitize *s)
{
	uint64_t left = scsi_unit_n_blocks(s->lu->unit) - s->lba;
	uint32_t most = MAX(PIECE_BYTES / scsi_unit_params(s->lu->unit)->block_length, 1u);
	uint32_t n_blocks = (uint32_t)MIN(left, (uint64_t)most);
	struct scsi_io flush = {.kind = SCSI_IO_FLUSH, .checked = true};
	struct scsi_result res;

	if (s->phase == PHASE_FLUSH) {
		s->phase = PHASE_DONE;
		return scsi_unit_io(s->lu->unit, &flush);
	}
	res = s->phase == PHASE_FILL ? fill_piece(s, n_blocks) : unmap_piece(s, n_blocks);
	s->lba += n_blocks;
	report_progress(s);
	if (s->lba >= scsi_unit_n_blocks(s->lu->unit))
		next_round(s);
	return res;
}

static void
sanitize_job(struct scsi_job *job)
{
	struct sanitize *s = container_of(job, struct sanitize, job);
	struct scsi_result res;

	if (s->task && scsi_task_is_aborted(s->task))
		let_go(s, scsi_good());
	res = sanitize_piece(s);
	if (!scsi_ok(res) || s->phase == PHASE_DONE)
		sanitize_end(s, res);
	else
		scsi_unit_run(s->lu->unit, &s->job, true);
}

static struct scsi_result
sanitize_prepare(struct scsi_task *task, struct sanitize *s)
{
	struct scsi_lu *lu = task->lu;
	const uint8_t *list;
	size_t size;
	struct scsi_result res = scsi_good();

	*s = (struct sanitize){
		.job = {.run = sanitize_job},
		.lu = lu,
		.action = task->cdb[1] & 0x1f,
		.n_passes = 1,
	};
	list_init(&s->job.link);
	if (s->action == OVERWRITE) {
		res = scsi_task_parameters(task, &list, &size);
		if (scsi_ok(res))
			res = decode_overwrite(s, list, size);
	}
	if (!scsi_ok(res))
		return res;
	mutex_lock(&lu->lock);
	res = sanitize_check_locked(lu);
	if (scsi_ok(res)) {
		lu->sanitizing = true;
		lu->sanitize_unrestricted = task->cdb[1] & 0x20; /* AUSE */
	}
	mutex_unlock(&lu->lock);
	return res;
}

static void
sanitize_start(struct scsi_task *task)
{
	struct scsi_unit *unit = task->lu->unit;
	struct sanitize *s = calloc(1, sizeof(*s));
	bool immed = task->cdb[1] & 0x80;
	struct scsi_result res;

	if (!s) {
		scsi_task_finish(task, scsi_sense(SENSE_INSUFFICIENT_RESOURCES));
		return;
	}
	res = sanitize_prepare(task, s);
	if (!scsi_ok(res)) {
		sanitize_free(s);
		scsi_task_finish(task, res);
		return;
	}
	/* Once the task has finished the unit may be gone: the job comes first */
	s->task = immed ? NULL : task;
	scsi_unit_run(unit, &s->job, true);
	if (immed)
		scsi_task_finish(task, scsi_good());
}

static struct scsi_result
exit_failure_run(struct scsi_task *task)
{
	struct scsi_lu *lu = task->lu;
	struct scsi_result res = scsi_good();

	mutex_lock(&lu->lock);
	/* SBC-3 4.11.3: after a restricted SANITIZE another one is the only way out */
	if (lu->sanitize_failed && !lu->sanitize_unrestricted)
		res = scsi_bad_cdb(1, 4);
	else
		lu->sanitize_failed = false;
	mutex_unlock(&lu->lock);
	return res;
}

static const struct scsi_command rows[] = {
	{.opcode = 0x1b, .service_action = -1, .n_cdb = 6,
	 .flags = SCSI_CMD_BLOCKING | SCSI_CMD_PR_ALWAYS, .name = "START STOP UNIT",
	 .usage = {0x1b, 0x01, 0, 0x0f, 0xf7}, .check = start_stop_check, .run = start_stop_run},
	{.opcode = 0x1e, .service_action = -1, .n_cdb = 6,
	 .flags = SCSI_CMD_PR_ALWAYS | SCSI_CMD_RESERVE6_OK,
	 .name = "PREVENT ALLOW MEDIUM REMOVAL", .usage = {0x1e, 0, 0, 0, 0x03},
	 .exists = is_removable, .check = prevent_check, .run = prevent_run},
	{.opcode = 0x48, .service_action = OVERWRITE, .n_cdb = 10, SCSI_LENGTH_AT(7, 2),
	 .flags = SCSI_CMD_OUT | SCSI_CMD_WRITES, .name = "SANITIZE, OVERWRITE",
	 .usage = {0x48, 0xa0 | OVERWRITE, 0, 0, 0, 0, 0, 0xff, 0xff}, .exists = can_write,
	 .check = overwrite_check, .start = sanitize_start},
	{.opcode = 0x48, .service_action = BLOCK_ERASE, .n_cdb = 10, .flags = SCSI_CMD_WRITES,
	 .name = "SANITIZE, BLOCK ERASE", .usage = {0x48, 0xa0 | BLOCK_ERASE},
	 .exists = can_erase, .check = sanitize_check, .start = sanitize_start},
	{.opcode = 0x48, .service_action = EXIT_FAILURE_MODE, .n_cdb = 10,
	 .name = "SANITIZE, EXIT FAILURE MODE", .usage = {0x48, 0xa0 | EXIT_FAILURE_MODE},
	 .exists = can_write, .check = sanitize_check, .run = exit_failure_run},
};

const struct scsi_command_table scsi_commands_medium = {rows, ARRAY_SIZE(rows)};
