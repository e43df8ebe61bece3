/*
 * If this breaks: a CDB with a reserved bit set is carried out, commands answer the wrong
 * one of two errors, or task order is not kept.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "scsi-fake.h"
#include "scsi/lu.h"

static void
assert_sense(const struct scsi_result *res, enum scsi_sense sense)
{
	struct scsi_result want = scsi_sense(sense);

	assert_int_equal(res->status, SCSI_CHECK_CONDITION);
	assert_int_equal(res->asc << 8 | res->ascq, want.asc << 8 | want.ascq);
	assert_int_equal(res->key, want.key);
}

static void
assert_bad_cdb(const struct scsi_result *res, unsigned byte, unsigned bit)
{
	assert_sense(res, SENSE_INVALID_FIELD_IN_CDB);
	assert_true(res->field_valid);
	assert_true(res->field_in_cdb);
	assert_int_equal(res->field, byte);
	assert_int_equal(res->field_bit, bit);
}

/* begin alone: what the checks say, without data */
static struct scsi_result
try_cdb(struct scsi_fake *f, unsigned nexus, const uint8_t *cdb, size_t n_cdb)
{
	struct scsi_fake_task t;
	struct scsi_result res;

	if (scsi_fake_begin(&t, f->nexuses[nexus], 0, cdb, n_cdb, SCSI_SIMPLE, 1))
		scsi_task_cancel(&t.task);
	res = t.task.result;
	scsi_fake_task_fini(&t);
	return res;
}

static bool
exists(struct scsi_fake *f, const struct scsi_command *cmd)
{
	return !cmd->exists || cmd->exists(scsi_unit_lu(f->unit));
}

static void
row_cdb(const struct scsi_command *cmd, uint8_t cdb[SCSI_CDB_MAX])
{
	memset(cdb, 0, SCSI_CDB_MAX);
	cdb[0] = cmd->opcode;
	if (cmd->service_action >= 0)
		cdb[1] = (uint8_t)cmd->service_action;
}

/* The table itself */

static const uint8_t group_size[8] = {6, 10, 10, 0, 16, 12, 0, 0};

static void
check_length_column(const struct scsi_command *cmd)
{
	bool in = cmd->flags & SCSI_CMD_IN, out = cmd->flags & SCSI_CMD_OUT;

	assert_false(in && out);
	if (cmd->length != SCSI_LENGTH_NONE)
		assert_true(in || out);
	if (cmd->length == SCSI_LENGTH_BLOCKS)
		assert_true(cmd->flags & SCSI_CMD_RANGE);
	if (cmd->length == SCSI_LENGTH_FIELD) {
		assert_true(cmd->length_size >= 1 && cmd->length_at >= 2);
		assert_true(cmd->length_at + cmd->length_size < cmd->n_cdb);
		for (unsigned i = 0; i < cmd->length_size; i++)
			assert_int_equal(cmd->usage[cmd->length_at + i], 0xff);
	}
}

static void
check_row(const struct scsi_command *cmd)
{
	assert_non_null(cmd->name);
	assert_int_equal(cmd->usage[0], cmd->opcode);
	assert_int_equal(cmd->n_cdb, group_size[cmd->opcode >> 5]);
	assert_true(!cmd->run != !cmd->start);
	if (cmd->service_action >= 0)
		assert_int_equal(cmd->usage[1] & 0x1f, cmd->service_action);
	for (unsigned i = cmd->n_cdb - 1u; i < SCSI_CDB_MAX; i++)
		assert_int_equal(cmd->usage[i], 0); /* CONTROL and what follows */
	if (cmd->flags & SCSI_CMD_NO_LU)
		assert_true(cmd->flags & SCSI_CMD_ANY_UA);
	if (cmd->flags & SCSI_CMD_BLOCKING)
		assert_non_null(cmd->run);
	if (cmd->flags & SCSI_CMD_RANGE)
		assert_true(cmd->flags & SCSI_CMD_MEDIUM);
	if (cmd->flags & SCSI_CMD_FUA)
		assert_true(cmd->usage[1] & 0x08);
	check_length_column(cmd);
}

static void
test_rows_are_coherent(void **state)
{
	assert_true(scsi_command_count() > 0);
	for (size_t i = 0; i < scsi_command_count(); i++) {
		const struct scsi_command *cmd = scsi_command_at(i);

		check_row(cmd);
		if (i > 0) {
			const struct scsi_command *before = scsi_command_at(i - 1);

			/* In order, no row twice, no opcode both with and without service
			 * actions */
			assert_true(before->opcode < cmd->opcode ||
				    (before->opcode == cmd->opcode &&
				     before->service_action >= 0 &&
				     before->service_action < cmd->service_action));
		}
	}
}

static void
test_every_row_is_found(void **state)
{
	for (size_t i = 0; i < scsi_command_count(); i++) {
		uint8_t cdb[SCSI_CDB_MAX];
		bool known;

		row_cdb(scsi_command_at(i), cdb);
		assert_ptr_equal(scsi_command_find(cdb, sizeof(cdb), &known),
				 scsi_command_at(i));
		assert_true(known);
	}
}

/* Every bit that no row allows, one at a time */
static void
test_reserved_bits(void **state)
{
	struct scsi_fake *f = *state;

	for (size_t i = 0; i < scsi_command_count(); i++) {
		const struct scsi_command *cmd = scsi_command_at(i);

		for (unsigned bit = 8; bit < cmd->n_cdb * 8u && exists(f, cmd); bit++) {
			unsigned byte = bit / 8, allowed = cmd->usage[byte];
			uint8_t cdb[SCSI_CDB_MAX];
			struct scsi_result res;

			if (byte == 1 && cmd->service_action >= 0)
				allowed |= 0x1f;
			if (allowed >> bit % 8 & 1)
				continue;
			row_cdb(cmd, cdb);
			cdb[byte] |= (uint8_t)(1 << bit % 8);
			res = try_cdb(f, 0, cdb, cmd->n_cdb);
			assert_bad_cdb(&res, byte, bit % 8);
		}
	}
}

static void
test_first_bad_bit_is_named(void **state)
{
	const uint8_t cdb[6] = {0x00, 0, 0x41, 0xff, 0, 4};
	struct scsi_result res = try_cdb(*state, 0, cdb, sizeof(cdb));

	assert_bad_cdb(&res, 2, 6);
}

static void
test_short_cdbs(void **state)
{
	struct scsi_fake *f = *state;

	for (size_t i = 0; i < scsi_command_count(); i++) {
		const struct scsi_command *cmd = scsi_command_at(i);
		uint8_t cdb[SCSI_CDB_MAX];
		struct scsi_result res;

		if (!exists(f, cmd))
			continue;
		row_cdb(cmd, cdb);
		res = try_cdb(f, 0, cdb, cmd->n_cdb - 1u);
		assert_bad_cdb(&res, cmd->n_cdb - 1u, SCSI_FIELD_BYTE);
	}
}

static void
test_empty_and_long_cdbs(void **state)
{
	const uint8_t cdb[SCSI_CDB_MAX] = {0};
	struct scsi_result res = try_cdb(*state, 0, cdb, 0);

	assert_sense(&res, SENSE_INVALID_OPCODE);
	res = try_cdb(*state, 0, cdb, SCSI_CDB_MAX + 1);
	assert_sense(&res, SENSE_INVALID_OPCODE);
	/* iSCSI pads to 16 bytes */
	res = try_cdb(*state, 0, cdb, SCSI_CDB_MAX);
	assert_true(scsi_ok(res));
}

static void
test_unknown_commands(void **state)
{
	for (unsigned opcode = 0; opcode < 256; opcode++)
		for (unsigned action = 0; action < 32; action++) {
			uint8_t cdb[SCSI_CDB_MAX] = {(uint8_t)opcode, (uint8_t)action};
			struct scsi_result res;
			bool known;

			if (scsi_command_find(cdb, sizeof(cdb), &known))
				continue;
			res = try_cdb(*state, 0, cdb, sizeof(cdb));
			if (known)
				assert_bad_cdb(&res, 1, 4);
			else
				assert_sense(&res, SENSE_INVALID_OPCODE);
		}
}

static void
test_rows_that_do_not_exist_here(void **state)
{
	struct scsi_fake *f = *state;

	for (size_t i = 0; i < scsi_command_count(); i++) {
		uint8_t cdb[SCSI_CDB_MAX];
		struct scsi_result res;

		if (exists(f, scsi_command_at(i)))
			continue;
		row_cdb(scsi_command_at(i), cdb);
		res = try_cdb(f, 0, cdb, sizeof(cdb));
		assert_sense(&res, SENSE_INVALID_OPCODE);
	}
}

static void
test_aca_attribute(void **state)
{
	struct scsi_fake *f = *state;
	const uint8_t cdb[6] = {0};
	struct scsi_fake_task t;

	assert_false(scsi_fake_begin(&t, f->nexuses[0], 0, cdb, 6, SCSI_ACA, 1));
	assert_sense(&t.task.result, SENSE_INVALID_FIELD_IN_CDB);
	scsi_fake_task_fini(&t);
}

/* Order of checks */

static const uint8_t test_unit_ready[6] = {0};

static void
put_attention(struct scsi_fake *f, enum scsi_sense sense)
{
	struct scsi_lu *lu = scsi_unit_lu(f->unit);

	mutex_lock(&lu->lock);
	scsi_lu_attention_locked(lu, sense, NULL);
	mutex_unlock(&lu->lock);
}

static void
set_lu(struct scsi_fake *f, bool stopped, bool ejected)
{
	struct scsi_lu *lu = scsi_unit_lu(f->unit);

	mutex_lock(&lu->lock);
	lu->stopped = stopped;
	lu->ejected = ejected;
	mutex_unlock(&lu->lock);
}

/* RESERVE(6) held by nexus 0 */
static void
reserve(struct scsi_fake *f)
{
	struct scsi_lu *lu = scsi_unit_lu(f->unit);

	mutex_lock(&lu->lock);
	lu->reserve6 = scsi_lu_find_itl_locked(lu, f->nexuses[0]);
	assert_non_null(lu->reserve6);
	mutex_unlock(&lu->lock);
}

static void
test_order_of_checks(void **state)
{
	struct scsi_fake *f = *state;
	struct scsi_lu *lu = scsi_unit_lu(f->unit);
	const uint8_t write[10] = {0x2a, 0x01, 0, 1, 0,
				   0,	 0,    0, 1}; /* reserved bit, LBA beyond */
	uint8_t unknown[6] = {0x01};
	struct scsi_result res;

	put_attention(f, SENSE_CAPACITY_CHANGED);
	reserve(f);
	set_lu(f, true, false);
	mutex_lock(&lu->lock);
	lu->mode.swp = true;
	mutex_unlock(&lu->lock);

	res = try_cdb(f, 1, unknown, sizeof(unknown));
	assert_sense(&res, SENSE_INVALID_OPCODE); /* takes no unit attention with it */
	res = try_cdb(f, 1, write, sizeof(write));
	assert_sense(&res, SENSE_CAPACITY_CHANGED);
	res = try_cdb(f, 1, write, sizeof(write));
	assert_int_equal(res.status, SCSI_RESERVATION_CONFLICT);
	mutex_lock(&lu->lock);
	lu->reserve6 = NULL;
	mutex_unlock(&lu->lock);
	res = try_cdb(f, 1, write, sizeof(write));
	assert_sense(&res, SENSE_INITIALIZING_COMMAND_REQUIRED);
	set_lu(f, true, true);
	res = try_cdb(f, 1, write, sizeof(write));
	assert_sense(&res, SENSE_MEDIUM_NOT_PRESENT);
	set_lu(f, false, false);
	res = try_cdb(f, 1, write, sizeof(write));
	assert_sense(&res, SENSE_SOFTWARE_WRITE_PROTECTED);
	mutex_lock(&lu->lock);
	lu->mode.swp = false;
	mutex_unlock(&lu->lock);
	res = try_cdb(f, 1, write, sizeof(write));
	assert_bad_cdb(&res, 1, 0);
}

/* Initiators look for DATA PROTECT on a read-only unit whatever else is wrong with the CDB. */
static void
test_write_protection_before_fields(void **state)
{
	struct scsi_fake f;

	scsi_fake_init(&f);
	f.params.write_protected = true;
	scsi_fake_open(&f);
	scsi_fake_clear_attentions(&f);
	for (size_t i = 0; i < scsi_command_count(); i++) {
		const struct scsi_command *cmd = scsi_command_at(i);
		uint8_t cdb[SCSI_CDB_MAX];
		struct scsi_result res;

		if (!(cmd->flags & SCSI_CMD_WRITES) || !exists(&f, cmd))
			continue;
		row_cdb(cmd, cdb);
		memset(cdb + 2, 0xff, cmd->n_cdb - 2u);
		res = try_cdb(&f, 0, cdb, cmd->n_cdb);
		assert_sense(&res, SENSE_WRITE_PROTECTED);
	}
	scsi_fake_close(&f);
}

static void
test_range_before_limit(void **state)
{
	struct scsi_fake *f = *state;
	uint8_t read[16] = {0x88};
	struct scsi_result res;

	put_be64(read + 2, 2047);
	put_be32(read + 10, 1);
	res = try_cdb(f, 0, read, sizeof(read));
	assert_true(scsi_ok(res));
	put_be32(read + 10, 2);
	res = try_cdb(f, 0, read, sizeof(read));
	assert_sense(&res, SENSE_LBA_OUT_OF_RANGE);
	put_be32(read + 10, UINT32_MAX);
	res = try_cdb(f, 0, read, sizeof(read));
	assert_sense(&res, SENSE_LBA_OUT_OF_RANGE);
	put_be64(read + 2, UINT64_MAX);
	res = try_cdb(f, 0, read, sizeof(read));
	assert_sense(&res, SENSE_LBA_OUT_OF_RANGE);
	put_be64(read + 2, 2049);
	put_be32(read + 10, 0);
	res = try_cdb(f, 0, read, sizeof(read));
	assert_sense(&res, SENSE_LBA_OUT_OF_RANGE);
}

static void
test_six_byte_counts(void **state)
{
	struct scsi_fake *f = *state;
	uint8_t read[6] = {0x08, 0, 0x07, 0x00, 0};
	struct scsi_fake_task t;

	/* 256 blocks up to the end of 2048, then one too far */
	assert_true(scsi_fake_begin(&t, f->nexuses[0], 0, read, 6, SCSI_SIMPLE, 1));
	assert_int_equal(t.task.n_transfer, 256 * 512);
	assert_int_equal(t.task.direction, SCSI_DATA_IN);
	scsi_task_cancel(&t.task);
	scsi_fake_task_fini(&t);
	read[3] = 1;
	assert_false(scsi_fake_begin(&t, f->nexuses[0], 0, read, 6, SCSI_SIMPLE, 1));
	assert_sense(&t.task.result, SENSE_LBA_OUT_OF_RANGE);
	scsi_fake_task_fini(&t);
}

static void
test_transfer_limit(void **state)
{
	struct scsi_fake f;
	uint8_t read[16] = {0x88};
	struct scsi_result res;

	scsi_fake_init(&f);
	f.params.n_blocks = 2 * SCSI_TRANSFER_MAX / 512;
	scsi_fake_open(&f);
	scsi_fake_clear_attentions(&f);
	put_be32(read + 10, SCSI_TRANSFER_MAX / 512);
	res = try_cdb(&f, 0, read, sizeof(read));
	assert_true(scsi_ok(res));
	put_be32(read + 10, SCSI_TRANSFER_MAX / 512 + 1);
	res = try_cdb(&f, 0, read, sizeof(read));
	assert_bad_cdb(&res, 10, SCSI_FIELD_BYTE);
	scsi_fake_close(&f);
}

static void
test_allocation_lengths_are_cut(void **state)
{
	struct scsi_fake *f = *state;
	const uint8_t report_luns[12] = {0xa0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff};
	struct scsi_fake_reply r = scsi_fake_run(f, 0, report_luns, 12, NULL, 0);

	assert_true(scsi_ok(r.res));
	assert_int_equal(r.n_transfer, SCSI_PARAMETER_MAX);
	assert_int_equal(r.n_in, 16);
}

static void
test_short_replies(void **state)
{
	struct scsi_fake *f = *state;
	uint8_t sense[6] = {0x03, 0, 0, 0, 0};

	for (unsigned n = 0; n <= 32; n++) {
		struct scsi_fake_reply r;

		sense[4] = (uint8_t)n;
		r = scsi_fake_run(f, 0, sense, 6, NULL, 0);
		assert_true(scsi_ok(r.res));
		assert_int_equal(r.n_transfer, n);
		assert_int_equal(r.n_in, MIN(n, SCSI_SENSE_FIXED_SIZE));
		for (unsigned i = r.n_in; i < 32; i++)
			assert_int_equal(r.in[i], 0xa5);
	}
}

static void
test_short_parameter_lists(void **state)
{
	struct scsi_fake *f = *state;

	for (size_t i = 0; i < scsi_command_count(); i++) {
		const struct scsi_command *cmd = scsi_command_at(i);
		uint8_t cdb[SCSI_CDB_MAX];
		struct scsi_fake_reply r;

		if (cmd->length != SCSI_LENGTH_FIELD || !(cmd->flags & SCSI_CMD_OUT))
			continue;
		row_cdb(cmd, cdb);
		memset(cdb + cmd->length_at, 0xff, cmd->length_size);
		if (cmd->length_size > 2)
			assert_int_equal(try_cdb(f, 0, cdb, cmd->n_cdb).status,
					 SCSI_CHECK_CONDITION);
		memset(cdb + cmd->length_at, 0, cmd->length_size);
		cdb[cmd->length_at + cmd->length_size - 1] = 24;
		r = scsi_fake_run(f, 0, cdb, cmd->n_cdb, "1234567", 7);
		assert_int_equal(r.res.status, SCSI_CHECK_CONDITION);
	}
}

/* LUNs that are not there: SPC-4 6.4.1, 6.33, 6.39 */
static void
test_missing_lun(void **state)
{
	struct scsi_fake *f = *state;
	const uint8_t inquiry[6] = {0x12, 0, 0, 0, 96}, sense[6] = {0x03, 0, 0, 0, 18};
	const uint8_t report_luns[12] = {0xa0, 0, 0, 0, 0, 0, 0, 0, 1, 0};
	uint64_t lun = scsi_lun_encode(7);
	struct scsi_fake_reply r;

	r = scsi_fake_run_at(f->nexuses[0], lun, test_unit_ready, 6, NULL, 0, NULL, 0);
	assert_false(r.begun);
	assert_sense(&r.res, SENSE_LUN_NOT_SUPPORTED);
	r = scsi_fake_run_at(f->nexuses[0], UINT64_MAX, test_unit_ready, 6, NULL, 0, NULL,
			     0);
	assert_sense(&r.res, SENSE_LUN_NOT_SUPPORTED);
	r = scsi_fake_run_at(f->nexuses[0], lun, inquiry, 6, NULL, 0, NULL, 0);
	assert_true(scsi_ok(r.res));
	assert_int_equal(r.in[0], 0x7f);
	r = scsi_fake_run_at(f->nexuses[0], lun, report_luns, 12, NULL, 0, NULL, 0);
	assert_true(scsi_ok(r.res));
	assert_int_equal(r.n_in, 16);
	r = scsi_fake_run_at(f->nexuses[0], lun, sense, 6, NULL, 0, NULL, 0);
	assert_true(scsi_ok(r.res));
	assert_int_equal(r.in[2], SCSI_KEY_ILLEGAL_REQUEST);
	assert_int_equal(r.in[12], 0x25);
}

/* A row for any LUN, with bits that its usage does not have */
static void
test_missing_lun_checks_the_cdb(void **state)
{
	struct scsi_fake *f = *state;
	const uint8_t sense[6] = {0x03, 0x02, 0, 0, 18};
	struct scsi_fake_reply r = scsi_fake_run_at(f->nexuses[0], scsi_lun_encode(7),
						    sense, 6, NULL, 0, NULL, 0);

	assert_bad_cdb(&r.res, 1, 1);
}

/* Unit attentions, SAM-5 5.14 */

static struct scsi_result
ready(struct scsi_fake *f, unsigned nexus)
{
	return scsi_fake_run(f, nexus, test_unit_ready, 6, NULL, 0).res;
}

static void
test_first_command_of_a_nexus(void **state)
{
	struct scsi_fake f;
	struct scsi_result res;

	scsi_fake_init(&f);
	scsi_fake_open(&f);
	for (unsigned i = 0; i < SCSI_FAKE_NEXUSES; i++) {
		res = ready(&f, i);
		assert_sense(&res, SENSE_POWER_ON);
		res = ready(&f, i);
		assert_true(scsi_ok(res));
	}
	scsi_fake_close(&f);
}

static void
test_inquiry_leaves_attentions(void **state)
{
	struct scsi_fake *f = *state;
	const uint8_t inquiry[6] = {0x12, 0, 0, 0, 96};
	struct scsi_result res;

	put_attention(f, SENSE_CAPACITY_CHANGED);
	assert_true(scsi_ok(scsi_fake_run(f, 0, inquiry, 6, NULL, 0).res));
	res = ready(f, 0);
	assert_sense(&res, SENSE_CAPACITY_CHANGED);
	res = ready(f, 0);
	assert_true(scsi_ok(res));
	res = ready(f, 1);
	assert_sense(&res, SENSE_CAPACITY_CHANGED);
}

static void
test_attentions_queue(void **state)
{
	struct scsi_fake *f = *state;
	struct scsi_result res;

	put_attention(f, SENSE_CAPACITY_CHANGED);
	put_attention(f, SENSE_MODE_PARAMETERS_CHANGED);
	put_attention(f, SENSE_CAPACITY_CHANGED);
	res = ready(f, 0);
	assert_sense(&res, SENSE_CAPACITY_CHANGED);
	res = ready(f, 0);
	assert_sense(&res, SENSE_MODE_PARAMETERS_CHANGED);
	res = ready(f, 0);
	assert_true(scsi_ok(res));
	put_attention(f, SENSE_CAPACITY_CHANGED);
	put_attention(f, SENSE_POWER_ON);
	res = ready(f, 0);
	assert_sense(&res, SENSE_POWER_ON);
	res = ready(f, 0);
	assert_true(scsi_ok(res));
}

/* Room for one of each condition that there is */
static void
test_no_attention_is_lost(void **state)
{
	struct scsi_fake *f = *state;
	unsigned n = 0;

	for (int s = 0; s < SENSE_COUNT; s++)
		if (scsi_sense((enum scsi_sense)s).key == SCSI_KEY_UNIT_ATTENTION &&
		    s != SENSE_POWER_ON) {
			put_attention(f, (enum scsi_sense)s);
			n++;
		}
	while (n-- > 0)
		assert_int_equal(ready(f, 0).key, SCSI_KEY_UNIT_ATTENTION);
	assert_true(scsi_ok(ready(f, 0)));
}

/* Task order, SAM-5 8.6 */

static const uint8_t read_10[10] = {0x28, 0, 0, 0, 0, 0, 0, 0, 1};

static void
start(struct scsi_fake *f, struct scsi_fake_task *t, const uint8_t *cdb, size_t n_cdb,
      enum scsi_attribute attribute, uint64_t tag)
{
	assert_true(scsi_fake_begin(t, f->nexuses[0], 0, cdb, n_cdb, (uint8_t)attribute,
				    tag));
	scsi_fake_execute(t, NULL, 0);
}

static void
end(struct scsi_fake_task *t, bool aborted)
{
	scsi_fake_wait(t);
	assert_int_equal(t->task.aborted, aborted);
	if (!aborted)
		assert_true(scsi_ok(t->task.result));
	scsi_fake_task_fini(t);
}

static void
test_ordered(void **state)
{
	struct scsi_fake *f = *state;
	struct scsi_fake_task first, ordered, after, head;

	scsi_fake_hold(f);
	start(f, &first, read_10, 10, SCSI_SIMPLE, 1);
	scsi_fake_wait_held(f, 1);
	start(f, &ordered, test_unit_ready, 6, SCSI_ORDERED, 2);
	start(f, &after, test_unit_ready, 6, SCSI_SIMPLE, 3);
	start(f, &head, test_unit_ready, 6, SCSI_HEAD_OF_QUEUE, 4);
	end(&head, false);
	assert_false(scsi_fake_is_done(&ordered));
	assert_false(scsi_fake_is_done(&after));
	scsi_fake_release(f);
	end(&first, false);
	end(&ordered, false);
	end(&after, false);
}

static void
test_simple_tasks_overtake(void **state)
{
	struct scsi_fake *f = *state;
	struct scsi_fake_task first, second;

	scsi_fake_hold(f);
	start(f, &first, read_10, 10, SCSI_SIMPLE, 1);
	scsi_fake_wait_held(f, 1);
	start(f, &second, test_unit_ready, 6, SCSI_SIMPLE, 2);
	end(&second, false);
	assert_false(scsi_fake_is_done(&first));
	scsi_fake_release(f);
	end(&first, false);
}

/* An ORDERED task whose data the door gives up on holds nobody up any more. */
static void
test_cancel_lets_go(void **state)
{
	struct scsi_fake *f = *state;
	struct scsi_fake_task ordered, after;

	assert_true(scsi_fake_begin(&ordered, f->nexuses[0], 0, test_unit_ready, 6,
				    SCSI_ORDERED, 1));
	start(f, &after, test_unit_ready, 6, SCSI_SIMPLE, 2);
	assert_false(scsi_fake_is_done(&after));
	scsi_task_cancel(&ordered.task);
	end(&after, false);
	assert_int_equal(ordered.n_completions, 0);
	scsi_fake_task_fini(&ordered);
}

static void
test_failed_begin_lets_go(void **state)
{
	struct scsi_fake *f = *state;
	const uint8_t bad[6] = {0, 1};
	struct scsi_fake_task ordered;

	assert_false(
		scsi_fake_begin(&ordered, f->nexuses[0], 0, bad, 6, SCSI_ORDERED, 1));
	scsi_fake_task_fini(&ordered);
	assert_true(scsi_ok(ready(f, 1)));
}

enum { CHAIN = 20000 };

static void
test_long_chain_of_ordered_tasks(void **state)
{
	struct scsi_fake *f = *state;
	struct scsi_fake_task first, *chain = calloc(CHAIN, sizeof(*chain));

	assert_non_null(chain);
	scsi_fake_hold(f);
	start(f, &first, read_10, 10, SCSI_SIMPLE, 1);
	scsi_fake_wait_held(f, 1);
	for (unsigned i = 0; i < CHAIN; i++)
		start(f, &chain[i], test_unit_ready, 6, SCSI_ORDERED, i + 2);
	scsi_fake_release(f);
	end(&first, false);
	for (unsigned i = 0; i < CHAIN; i++)
		end(&chain[i], false);
	free(chain);
}

/* Sense as it goes out */
static void
test_sense_format_follows_d_sense(void **state)
{
	struct scsi_fake *f = *state;
	struct scsi_lu *lu = scsi_unit_lu(f->unit);
	const uint8_t bad[6] = {0, 1};
	uint8_t sense[SCSI_SENSE_SIZE_MAX];
	struct scsi_fake_task t;

	assert_false(scsi_fake_begin(&t, f->nexuses[0], 0, bad, 6, SCSI_SIMPLE, 1));
	assert_int_equal(scsi_task_sense(&t.task, sense), SCSI_SENSE_FIXED_SIZE);
	assert_int_equal(sense[0], 0x70);
	scsi_fake_task_fini(&t);
	mutex_lock(&lu->lock);
	lu->mode.d_sense = true;
	mutex_unlock(&lu->lock);
	assert_false(scsi_fake_begin(&t, f->nexuses[0], 0, bad, 6, SCSI_SIMPLE, 1));
	assert_true(scsi_task_sense(&t.task, sense) >= 8);
	assert_int_equal(sense[0], 0x72);
	scsi_fake_task_fini(&t);
}

static void
test_backend_failure(void **state)
{
	struct scsi_fake *f = *state;
	struct scsi_result failure = scsi_sense(SENSE_UNRECOVERED_READ_ERROR);
	struct scsi_fake_reply r;

	scsi_fake_fail(f, &failure);
	r = scsi_fake_run(f, 0, read_10, 10, NULL, 0);
	assert_sense(&r.res, SENSE_UNRECOVERED_READ_ERROR);
	assert_int_equal(r.n_in, 0);
	scsi_fake_fail(f, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scsi_fake_setup, scsi_fake_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_rows_are_coherent),
		TEST(test_every_row_is_found),
		TEST(test_reserved_bits),
		TEST(test_first_bad_bit_is_named),
		TEST(test_short_cdbs),
		TEST(test_empty_and_long_cdbs),
		TEST(test_unknown_commands),
		TEST(test_rows_that_do_not_exist_here),
		TEST(test_aca_attribute),
		TEST(test_order_of_checks),
		TEST(test_write_protection_before_fields),
		TEST(test_range_before_limit),
		TEST(test_six_byte_counts),
		TEST(test_transfer_limit),
		TEST(test_allocation_lengths_are_cut),
		TEST(test_short_replies),
		TEST(test_short_parameter_lists),
		TEST(test_missing_lun),
		TEST(test_missing_lun_checks_the_cdb),
		TEST(test_first_command_of_a_nexus),
		TEST(test_inquiry_leaves_attentions),
		TEST(test_attentions_queue),
		TEST(test_no_attention_is_lost),
		TEST(test_ordered),
		TEST(test_simple_tasks_overtake),
		TEST(test_cancel_lets_go),
		TEST(test_failed_begin_lets_go),
		TEST(test_long_chain_of_ordered_tasks),
		TEST(test_sense_format_follows_d_sense),
		TEST(test_backend_failure),
	};

	return cmocka_run_group_tests_name("scsi-task", tests, NULL, NULL);
}
