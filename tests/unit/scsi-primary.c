/*
 * If this breaks: initiators that ask a unit what it has (LUNs, commands, task
 * management, ports) or what is wrong with it are told something else.
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
assert_bad_cdb(const struct scsi_result *res, unsigned byte, unsigned bit)
{
	assert_int_equal(res->status, SCSI_CHECK_CONDITION);
	assert_int_equal(res->asc, 0x24);
	assert_true(res->field_valid);
	assert_int_equal(res->field, byte);
	assert_int_equal(res->field_bit, bit);
}

/* TEST UNIT READY and REQUEST SENSE */

static struct scsi_fake_reply
request_sense(struct scsi_fake *f, bool descriptor)
{
	const uint8_t cdb[6] = {0x03, descriptor, 0, 0, 252};

	return scsi_fake_run(f, 0, cdb, 6, NULL, 0);
}

static void
test_sense_of_nothing(void **state)
{
	struct scsi_fake_reply r = request_sense(*state, false);

	assert_true(scsi_ok(r.res));
	assert_int_equal(r.n_in, SCSI_SENSE_FIXED_SIZE);
	assert_int_equal(r.in[0], 0x70);
	assert_int_equal(r.in[2], SCSI_KEY_NO_SENSE);
	assert_int_equal(r.in[12], 0);
}

static void
test_sense_in_descriptor_format(void **state)
{
	struct scsi_fake_reply r = request_sense(*state, true);

	assert_true(scsi_ok(r.res));
	assert_int_equal(r.in[0], 0x72);
	assert_int_equal(r.in[1], SCSI_KEY_NO_SENSE);
}

static void
test_sense_takes_attentions(void **state)
{
	struct scsi_fake *f = *state;
	struct scsi_lu *lu = scsi_unit_lu(f->unit);
	struct scsi_fake_reply r;

	mutex_lock(&lu->lock);
	scsi_lu_attention_locked(lu, SENSE_CAPACITY_CHANGED, NULL);
	mutex_unlock(&lu->lock);
	r = request_sense(f, false);
	assert_true(scsi_ok(r.res));
	assert_int_equal(r.in[2], SCSI_KEY_UNIT_ATTENTION);
	assert_int_equal(r.in[12] << 8 | r.in[13], 0x2a09);
	r = request_sense(f, false);
	assert_int_equal(r.in[2], SCSI_KEY_NO_SENSE);
}

static void
test_sense_of_states(void **state)
{
	struct scsi_fake *f = *state;
	const uint8_t ready[6] = {0};
	struct scsi_lu *lu = scsi_unit_lu(f->unit);
	struct scsi_fake_reply r;

	mutex_lock(&lu->lock);
	lu->sanitizing = true;
	lu->sanitize_progress = 0x1234;
	mutex_unlock(&lu->lock);
	r = request_sense(f, false);
	assert_int_equal(r.in[2], SCSI_KEY_NOT_READY);
	assert_int_equal(r.in[12] << 8 | r.in[13], 0x041b);
	assert_int_equal(r.in[15], 0x80);
	assert_int_equal(get_be16(r.in + 16), 0x1234);
	assert_int_equal(scsi_fake_run(f, 0, ready, 6, NULL, 0).res.ascq, 0x1b);
	mutex_lock(&lu->lock);
	lu->sanitizing = false;
	lu->stopped = true;
	mutex_unlock(&lu->lock);
	r = request_sense(f, false);
	assert_int_equal(r.in[12] << 8 | r.in[13], 0x0402);
	mutex_lock(&lu->lock);
	lu->ejected = true;
	mutex_unlock(&lu->lock);
	r = request_sense(f, false);
	assert_int_equal(r.in[12] << 8 | r.in[13], 0x3a00);
	assert_int_equal(scsi_fake_run(f, 0, ready, 6, NULL, 0).res.asc, 0x3a);
}

/* REPORT LUNS */

static struct scsi_fake_reply
report_luns(struct scsi_fake *f, uint8_t select, uint32_t allocation)
{
	uint8_t cdb[12] = {0xa0, 0, select};

	put_be32(cdb + 6, allocation);
	return scsi_fake_run(f, 0, cdb, 12, NULL, 0);
}

static void
test_report_luns(void **state)
{
	struct scsi_fake *f = *state;
	struct scsi_fake_reply r;

	assert_int_equal(scsi_target_add_lun(f->target, 200, f->unit), 0);
	for (uint8_t select = 0; select <= 2; select += 2) {
		r = report_luns(f, select, 4096);
		assert_true(scsi_ok(r.res));
		assert_int_equal(r.n_in, 24);
		assert_int_equal(get_be32(r.in), 16);
		assert_int_equal(get_be32(r.in + 4), 0);
		assert_true(get_be64(r.in + 8) == 0);
		assert_true(get_be64(r.in + 16) == 200ull << 48);
	}
	/* well-known logical units: none */
	r = report_luns(f, 1, 4096);
	assert_int_equal(r.n_in, 8);
	assert_int_equal(get_be32(r.in), 0);
	/* cut, with the length of all */
	r = report_luns(f, 0, 16);
	assert_int_equal(r.n_in, 16);
	assert_int_equal(get_be32(r.in), 16);
}

static void
test_report_luns_fields(void **state)
{
	struct scsi_fake_reply r = report_luns(*state, 0, 15);

	assert_bad_cdb(&r.res, 6, SCSI_FIELD_BYTE);
	r = report_luns(*state, 3, 4096);
	assert_bad_cdb(&r.res, 2, SCSI_FIELD_BYTE);
	r = report_luns(*state, 0x10, 4096);
	assert_bad_cdb(&r.res, 2, SCSI_FIELD_BYTE);
}

static void
test_report_all_luns(void **state)
{
	struct scsi_fake *f = *state;
	struct scsi_fake_reply r;

	for (unsigned lun = 1; lun < SCSI_LUN_LIMIT; lun++)
		assert_int_equal(scsi_target_add_lun(f->target, lun, f->unit), 0);
	r = report_luns(f, 0, 8192);
	assert_int_equal(r.n_in, 8 + 8 * SCSI_LUN_LIMIT);
	assert_true(get_be64(r.in + 8 * SCSI_LUN_LIMIT) ==
		    scsi_lun_encode(SCSI_LUN_LIMIT - 1));
}

/* REPORT TARGET PORT GROUPS */

static void
test_port_groups(void **state)
{
	struct scsi_fake *f = *state;
	uint8_t cdb[12] = {0xa3, 0x0a, 0, 0, 0, 0, 0, 0, 1, 0};
	struct scsi_fake_reply r;

	assert_int_equal(scsi_target_add_port(f->target, 7, "second"), 0);
	r = scsi_fake_run(f, 0, cdb, 12, NULL, 0);
	assert_true(scsi_ok(r.res));
	assert_int_equal(r.n_in, 4 + 8 + 2 * 4);
	assert_int_equal(get_be32(r.in), 16);
	assert_int_equal(r.in[4], 0);	 /* active/optimized */
	assert_int_equal(r.in[5], 0x01); /* which is all there is */
	assert_int_equal(get_be16(r.in + 6), SCSI_TARGET_PORT_GROUP);
	assert_int_equal(r.in[11], 2);
	assert_int_equal(get_be16(r.in + 14), 1);
	assert_int_equal(get_be16(r.in + 18), 7);
	cdb[1] = 0x2a;
	r = scsi_fake_run(f, 0, cdb, 12, NULL, 0);
	assert_int_equal(r.n_in, 8 + 8 + 2 * 4);
	assert_int_equal(get_be32(r.in), 20);
	assert_int_equal(r.in[4], 0x10);
	assert_int_equal(get_be16(r.in + 10), SCSI_TARGET_PORT_GROUP);
	cdb[1] = 0x4a;
	r = scsi_fake_run(f, 0, cdb, 12, NULL, 0);
	assert_bad_cdb(&r.res, 1, 7);
}

/* REPORT SUPPORTED OPERATION CODES */

static struct scsi_fake_reply
report_opcodes(struct scsi_fake *f, uint8_t options, uint8_t opcode, uint16_t action)
{
	uint8_t cdb[12] = {0xa3, 0x0c, options, opcode};

	put_be16(cdb + 4, action);
	put_be32(cdb + 6, 65535);
	return scsi_fake_run(f, 0, cdb, 12, NULL, 0);
}

static bool
row_exists(struct scsi_fake *f, const struct scsi_command *cmd)
{
	return !cmd->exists || cmd->exists(scsi_unit_lu(f->unit));
}

static void
check_all_opcodes(struct scsi_fake *f, bool timeouts)
{
	struct scsi_fake_reply r = report_opcodes(f, timeouts ? 0x80 : 0, 0, 0);
	const uint8_t *p = r.in + 4;

	assert_true(scsi_ok(r.res));
	assert_true(r.n_in <= sizeof(r.in));
	assert_int_equal(get_be32(r.in), r.n_in - 4);
	for (size_t i = 0; i < scsi_command_count(); i++) {
		const struct scsi_command *cmd = scsi_command_at(i);

		if (!row_exists(f, cmd))
			continue;
		assert_int_equal(p[0], cmd->opcode);
		assert_int_equal(get_be16(p + 2), MAX(cmd->service_action, 0));
		assert_int_equal(p[5], (cmd->service_action >= 0) | (timeouts ? 2 : 0));
		assert_int_equal(get_be16(p + 6), cmd->n_cdb);
		p += 8;
		if (timeouts) {
			assert_int_equal(get_be16(p), 10);
			p += 12;
		}
	}
	assert_int_equal(p - r.in, r.n_in);
}

static void
test_all_opcodes(void **state)
{
	check_all_opcodes(*state, false);
	check_all_opcodes(*state, true);
}

static void
test_one_opcode(void **state)
{
	struct scsi_fake *f = *state;

	for (size_t i = 0; i < scsi_command_count(); i++) {
		const struct scsi_command *cmd = scsi_command_at(i);
		bool with_action = cmd->service_action >= 0;
		uint16_t action = with_action ? (uint16_t)cmd->service_action : 0;

		for (uint8_t option = with_action ? 2 : 1; option <= 3;
		     option = with_action ? option + 1 : option + 2) {
			struct scsi_fake_reply r =
				report_opcodes(f, option, cmd->opcode, action);

			assert_true(scsi_ok(r.res));
			if (!row_exists(f, cmd)) {
				assert_int_equal(r.in[1], 1);
				continue;
			}
			assert_int_equal(r.in[1], 3);
			assert_int_equal(get_be16(r.in + 2), cmd->n_cdb);
			assert_memory_equal(r.in + 4, cmd->usage, cmd->n_cdb);
			assert_int_equal(r.n_in, 4 + cmd->n_cdb);
			r = report_opcodes(f, option | 0x80, cmd->opcode, action);
			assert_int_equal(r.in[1], 0x83);
			assert_int_equal(r.n_in, 4 + cmd->n_cdb + 12);
			assert_int_equal(get_be16(r.in + 4 + cmd->n_cdb), 10);
		}
	}
}

static void
test_opcodes_that_are_not_there(void **state)
{
	struct scsi_fake *f = *state;

	for (uint8_t option = 1; option <= 3; option++) {
		struct scsi_fake_reply r = report_opcodes(f, option, 0xff, 0);

		assert_true(scsi_ok(r.res));
		assert_int_equal(r.in[1], 1);
		assert_int_equal(r.n_in, 4);
	}
	/* a service action that A3h lacks */
	assert_int_equal(report_opcodes(f, 2, 0xa3, 0x1f).in[1], 1);
	assert_int_equal(report_opcodes(f, 3, 0xa3, 0x10a).in[1], 1);
	assert_int_equal(report_opcodes(f, 3, 0x00, 1).in[1], 1);
}

static void
test_opcode_options(void **state)
{
	struct scsi_fake_reply r = report_opcodes(*state, 1, 0xa3, 0x0c);

	assert_bad_cdb(&r.res, 2, 2); /* has service actions */
	r = report_opcodes(*state, 2, 0x00, 0);
	assert_bad_cdb(&r.res, 2, 2); /* has none */
	r = report_opcodes(*state, 4, 0x00, 0);
	assert_bad_cdb(&r.res, 2, 2);
}

/* REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS */

struct tmf_bit {
	enum scsi_tmf function;
	uint8_t byte, mask;
};

static void
answered(void *ctx, enum scsi_tmf_response response)
{
	*(enum scsi_tmf_response *)ctx = response;
}

/* What is reported is what is there. */
static void
test_task_management_functions(void **state)
{
	static const struct tmf_bit bits[] = {
		{SCSI_TMF_ABORT_TASK, 0, 0x80},	     {SCSI_TMF_ABORT_TASK_SET, 0, 0x40},
		{SCSI_TMF_CLEAR_ACA, 0, 0x20},	     {SCSI_TMF_CLEAR_TASK_SET, 0, 0x10},
		{SCSI_TMF_LU_RESET, 0, 0x08},	     {SCSI_TMF_QUERY_TASK, 0, 0x04},
		{SCSI_TMF_TARGET_RESET, 0, 0x02},    {SCSI_TMF_QUERY_TASK_SET, 1, 0x02},
		{SCSI_TMF_I_T_NEXUS_RESET, 1, 0x01},
	};
	struct scsi_fake *f = *state;
	uint8_t cdb[12] = {0xa3, 0x0d, 0, 0, 0, 0, 0, 0, 0, 64};
	struct scsi_fake_reply r = scsi_fake_run(f, 0, cdb, 12, NULL, 0);

	assert_true(scsi_ok(r.res));
	assert_int_equal(r.n_in, 4);
	for (size_t i = 0; i < ARRAY_SIZE(bits); i++) {
		enum scsi_tmf_response response = SCSI_TMF_REJECTED;

		scsi_tmf(f->nexuses[0], bits[i].function, 0, 1, answered, &response);
		assert_int_equal(response != SCSI_TMF_NOT_SUPPORTED,
				 (r.in[bits[i].byte] & bits[i].mask) != 0);
	}
	scsi_fake_clear_attentions(f);
	cdb[2] = 0x80;
	r = scsi_fake_run(f, 0, cdb, 12, NULL, 0);
	assert_int_equal(r.n_in, 16);
	assert_int_equal(r.in[3], 12);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scsi_fake_setup, scsi_fake_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_sense_of_nothing),
		TEST(test_sense_in_descriptor_format),
		TEST(test_sense_takes_attentions),
		TEST(test_sense_of_states),
		TEST(test_report_luns),
		TEST(test_report_luns_fields),
		TEST(test_report_all_luns),
		TEST(test_port_groups),
		TEST(test_all_opcodes),
		TEST(test_one_opcode),
		TEST(test_opcodes_that_are_not_there),
		TEST(test_opcode_options),
		TEST(test_task_management_functions),
	};

	return cmocka_run_group_tests_name("scsi-primary", tests, NULL, NULL);
}
