/* Breaks when sense data loses a field on its way out or back, when a hostile peer's sense is read
 * beyond its end, or when a failure turns into success at a block device. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "scsi/result.h"

static struct scsi_result
round_trip(struct scsi_result res, bool descriptor)
{
	uint8_t bytes[SCSI_SENSE_SIZE_MAX];
	size_t size = scsi_sense_format(&res, descriptor, bytes);
	struct scsi_result back;

	assert_true(scsi_sense_parse(bytes, size, &back));
	assert_int_equal(back.key, res.key);
	assert_int_equal(back.asc, res.asc);
	assert_int_equal(back.ascq, res.ascq);
	return back;
}

static void
test_every_condition(void **state)
{
	(void)state;
	for (int s = 0; s < SENSE_COUNT; s++)
		for (int d = 0; d < 2; d++) {
			struct scsi_result res = scsi_sense((enum scsi_sense)s);

			round_trip(res, d);
			assert_string_not_equal(scsi_sense_text(res.asc, res.ascq), "unknown");
			assert_string_not_equal(scsi_key_name(res.key), "unknown");
		}
	assert_string_equal(scsi_sense_text(0xfe, 0xfe), "unknown");
}

static void
test_fixed_bytes(void **state)
{
	uint8_t bytes[SCSI_SENSE_SIZE_MAX];
	struct scsi_result res = scsi_bad_cdb(2, 7);
	static const uint8_t expected[18] = {0x70, 0, 5, 0, 0, 0, 0, 10,   0,
					     0,    0, 0, 0x24, 0, 0, 0xcf, 0, 2};

	(void)state;
	assert_int_equal(scsi_sense_format(&res, false, bytes), 18);
	assert_memory_equal(bytes, expected, 18);
}

static void
test_fields(void **state)
{
	(void)state;
	for (int d = 0; d < 2; d++)
		for (unsigned bit = 0; bit <= SCSI_FIELD_BYTE; bit++) {
			struct scsi_result r = round_trip(scsi_bad_cdb(9, bit), d);
			struct scsi_result p = round_trip(scsi_bad_parameter(700, bit), d);

			assert_true(r.field_valid && r.field_in_cdb);
			assert_int_equal(r.field, 9);
			assert_int_equal(r.field_bit, bit);
			assert_true(p.field_valid && !p.field_in_cdb);
			assert_int_equal(p.field, 700);
		}
}

static void
test_information(void **state)
{
	struct scsi_result small = scsi_sense_info(SENSE_MISCOMPARE, 0xfffffffe);
	struct scsi_result large = scsi_sense_info(SENSE_MISCOMPARE, 0x100000000);

	(void)state;
	assert_int_equal(round_trip(small, false).info, 0xfffffffe);
	assert_true(round_trip(small, false).info_valid);
	/* 32 bits are all that the fixed format has */
	assert_false(round_trip(large, false).info_valid);
	assert_int_equal(round_trip(large, true).info, 0x100000000);
}

static void
test_short_and_odd_sense(void **state)
{
	uint8_t bytes[SCSI_SENSE_SIZE_MAX];
	struct scsi_result res = scsi_bad_cdb(1, 1), back;

	(void)state;
	for (int d = 0; d < 2; d++) {
		size_t size = scsi_sense_format(&res, d, bytes);

		for (size_t n = 0; n < size; n++)
			assert_int_equal(scsi_sense_parse(bytes, n, &back), n >= 8);
	}
	memset(bytes, 0xff, sizeof(bytes));
	for (int code = 0; code < 256; code++) {
		bytes[0] = (uint8_t)code;
		assert_int_equal(scsi_sense_parse(bytes, sizeof(bytes), &back),
				 (code & 0x7f) >= 0x70 && (code & 0x7f) <= 0x73);
	}
}

static void
test_errno(void **state)
{
	(void)state;
	assert_int_equal(scsi_result_to_errno(scsi_good()), 0);
	assert_int_equal(scsi_result_to_errno(scsi_status_only(SCSI_CONDITION_MET)), 0);
	assert_int_equal(scsi_result_to_errno(scsi_sense(SENSE_SPACE_ALLOCATION_FAILED)), ENOSPC);
	assert_int_equal(scsi_result_to_errno(scsi_sense(SENSE_WRITE_PROTECTED)), EROFS);
	assert_int_equal(scsi_result_to_errno(scsi_sense(SENSE_UNRECOVERED_READ_ERROR)), EIO);
	assert_int_equal(scsi_result_to_errno(scsi_sense(SENSE_LBA_OUT_OF_RANGE)), ENXIO);
	assert_int_equal(scsi_result_to_errno(scsi_status_only(SCSI_RESERVATION_CONFLICT)), EBADE);
	assert_int_equal(scsi_result_to_errno(scsi_status_only(SCSI_BUSY)), EBUSY);
	for (int s = 1; s < SENSE_COUNT; s++)
		assert_int_not_equal(scsi_result_to_errno(scsi_sense((enum scsi_sense)s)), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_condition), cmocka_unit_test(test_fixed_bytes),
		cmocka_unit_test(test_fields),		cmocka_unit_test(test_information),
		cmocka_unit_test(test_short_and_odd_sense), cmocka_unit_test(test_errno),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
