/* The local door's messages: a request taken for another, or a size believed, harms the disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include "transport/local/door_priv.h"

static const struct scsi_unit_params params = {
	.guid = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, .n_blocks = 100,
	.block_length = 512, .max_transfer = 4096, .product = "Disk", .revision = "1",
	.write_protected = true, .unmap_supported = true};

static void
test_params(void **state)
{
	static const uint8_t guid[] = {4, 3, 2, 1, 6, 5, 8, 7, 9, 10, 11, 12, 13, 14, 15, 16};
	uint8_t p[LOCAL_PARAMS_SIZE];

	local_params_encode(&params, 1ull << 40, p);
	assert_memory_equal(p, guid, sizeof(guid));
	assert_true(get_le64(p + 16) == 1ull << 40);
	assert_int_equal(get_le32(p + 24), 512);
	assert_memory_equal(p + 28, "Disk            1   ", 20);
	assert_int_equal(p[48], 0);
	assert_int_equal(get_le32(p + 52), 5);
	assert_int_equal(get_le32(p + 56), 4096);
}

static struct scsi_result
check(uint64_t hint, uint8_t kind, uint32_t count, size_t n_data)
{
	uint8_t slot[LOCAL_SLOT_SIZE] = {0};
	struct local_request r;

	put_le64(slot, hint);
	slot[8] = kind;
	if (kind == SCSI_IO_UNMAP) {
		put_le32(slot + 16, count);
	} else {
		put_le64(slot + 16, 77);
		put_le32(slot + 24, count);
		put_le32(slot + 28, 1);
	}
	local_request_decode(slot, &r);
	assert_int_equal(r.n_blocks, count);
	assert_int_equal(r.fua, kind != SCSI_IO_UNMAP && kind != SCSI_IO_FLUSH);
	return local_request_check(&r, n_data, &params);
}

static void
refused(struct scsi_result res, uint8_t asc)
{
	assert_int_equal(res.status, SCSI_CHECK_CONDITION);
	assert_int_equal(res.asc, asc);
}

static void
test_limits(void **state)
{
	assert_true(scsi_ok(check(1, SCSI_IO_READ, 8, 0)));
	refused(check(1, SCSI_IO_READ, 9, 0), 0x24);
	refused(check(1, SCSI_IO_READ, UINT32_MAX, 0), 0x24);
	refused(check(0, SCSI_IO_READ, 1, 0), 0x24);
	assert_true(scsi_ok(check(1, SCSI_IO_WRITE, 8, 4096)));
	assert_true(scsi_ok(check(1, SCSI_IO_WRITE, 1, 4096))); /* too much: the rest is cut off */
	refused(check(1, SCSI_IO_WRITE, 8, 4095), 0x1a);
	refused(check(1, SCSI_IO_WRITE, 9, 9 * 512), 0x24);
	assert_true(scsi_ok(check(1, SCSI_IO_FLUSH, 0, 0)));
	assert_true(scsi_ok(check(1, SCSI_IO_UNMAP, 256, 4096)));
	refused(check(1, SCSI_IO_UNMAP, 257, 257 * 16), 0x26);
	refused(check(1, SCSI_IO_UNMAP, 0x10000001, 16), 0x26);
	refused(check(1, SCSI_IO_UNMAP, 2, 31), 0x1a);
	refused(check(1, 0, 0, 0), 0x20);
	refused(check(1, SCSI_IO_WRITE_ZEROES, 0, 0), 0x20);
	refused(check(1, 255, 0, 0), 0x20);
}

static void
test_answer(void **state)
{
	struct local_request r = {.hint = 0x1122334455667788, .kind = SCSI_IO_READ};
	uint8_t a[LOCAL_SLOT_SIZE];

	local_answer_encode(&r, scsi_sense_info(SENSE_UNRECOVERED_READ_ERROR, 1ull << 33), a);
	assert_true(get_le64(a) == r.hint);
	assert_int_equal(a[8], SCSI_IO_READ);
	assert_int_equal(a[16], 2);
	assert_int_equal(a[17], 3);
	assert_int_equal(a[18], 0x11);
	assert_true(get_le64(a + 24) == 1ull << 33);
	assert_int_equal(get_le32(a + 44), 0x100);
	local_answer_encode(&r, scsi_good(), a);
	assert_int_equal(get_le32(a + 16), 0);
	assert_int_equal(get_le32(a + 44), 0);
}

static void
test_names(void **state)
{
	static const char *const bad[] = {"\\\\.\\pipe\\",	 "\\\\.\\pipe\\..",
					  "\\\\.\\pipe\\a\\..\\b", "\\\\.\\pipe\\\\a",
					  "\\\\.\\pipe\\/etc",	 "\\\\.\\pipe\\a\\",
					  "\\\\.\\pipe\\a/../b",	 "\\\\.\\pipe\\.",
					  "\\\\.\\pipe\\?x=1",	 "loop:"};
	char name[64], tiny[4];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(local_name_decode(bad[i], name, sizeof(name)), -EINVAL);
	assert_int_equal(local_name_decode("\\\\.\\PIPE\\a\\b", name, sizeof(name)), 0);
	assert_string_equal(name, "a/b");
	assert_int_equal(local_name_decode("\\\\.\\pipe\\..a", name, sizeof(name)), 0);
	assert_int_equal(local_name_decode("\\\\.\\pipe\\a?o=1", name, sizeof(name)), 0);
	assert_string_equal(name, "a");
	assert_int_equal(local_name_decode("\\\\.\\pipe\\abcd", tiny, sizeof(tiny)), -EINVAL);
}

static void
test_cdb_codec(void **state)
{
	struct local_cdb_request r = {.type = LOCAL_CDB_COMMAND, .attribute = 1, .direction = 2,
				      .n_cdb = 10, .expected = 512, .tag = 1ull << 50, .lun = 3}, s;
	struct local_cdb_answer a = {.type = 1, .status = 2, .flags = 1, .residual = 9, .tag = 7,
				     .n_sense = 18, .n_data = 4}, b;
	uint8_t bytes[LOCAL_CDB_REQUEST_SIZE];

	memset(r.cdb, 0xab, sizeof(r.cdb));
	local_cdb_request_encode(&r, bytes);
	assert_true(local_cdb_request_decode(bytes, sizeof(bytes), &s));
	assert_memory_equal(&r.cdb, &s.cdb, sizeof(r.cdb));
	assert_true(s.tag == r.tag && s.lun == 3 && s.expected == 512 && s.n_cdb == 10);
	assert_false(local_cdb_request_decode(bytes, sizeof(bytes) - 1, &s));
	bytes[3] = LOCAL_CDB_BYTES + 1;
	assert_false(local_cdb_request_decode(bytes, sizeof(bytes), &s));
	bytes[3] = 0;
	assert_false(local_cdb_request_decode(bytes, sizeof(bytes), &s));
	bytes[0] = 9;
	assert_false(local_cdb_request_decode(bytes, sizeof(bytes), &s));
	local_cdb_answer_encode(&a, bytes);
	assert_true(local_cdb_answer_decode(bytes, LOCAL_CDB_ANSWER_SIZE + 22, &b));
	assert_true(b.residual == 9 && b.tag == 7 && b.n_sense == 18 && b.n_data == 4);
	assert_false(local_cdb_answer_decode(bytes, LOCAL_CDB_ANSWER_SIZE + 21, &b));
	assert_false(local_cdb_answer_decode(bytes, LOCAL_CDB_ANSWER_SIZE - 1, &b));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_params), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_answer), cmocka_unit_test(test_names),
		cmocka_unit_test(test_cdb_codec),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
