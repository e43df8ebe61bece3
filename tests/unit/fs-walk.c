/* The walkers over lists that come from outside: EA chains, reparse buffers, lists in steps. */
#include "fs-fake.h"

#include "fs/walk.h"

static void
test_ea_build_and_walk(void **state)
{
	_Alignas(4) uint8_t list[64];
	static const struct fs_ea eas[] = {
		{0, "A", 1, (const uint8_t *)"xyz", 3},
		{FILE_NEED_EA, "BB", 2, (const uint8_t *)"", 0},
	};
	struct fs_ea ea;
	uint32_t size = 0, at = 0;

	(void)state;
	for (size_t i = 0; i < 2; i++)
		assert_true(fs_ea_append(list, sizeof(list), &size, &eas[i]));
	assert_int_equal(size, 16 + 11);
	assert_false(fs_ea_append(list, size + 3, &size, &eas[0]));
	assert_status(fs_ea_check(list, size, NULL), STATUS_SUCCESS);
	assert_true(fs_ea_next(list, size, &at, &ea));
	assert_memory_equal(ea.value, "xyz", 3);
	assert_int_equal(fs_ea_packed_size(&ea), 9);
	assert_true(fs_ea_next(list, size, &at, &ea));
	assert_int_equal(ea.flags, FILE_NEED_EA);
	assert_string_equal(ea.name, "BB");
	assert_false(fs_ea_next(list, size, &at, &ea));
}

static void
test_ea_repair(void **state)
{
	_Alignas(4) uint8_t list[12] = {12, 0, 0, 0, 0, 1, 1, 0, 'N', 0, 'v', 0};
	uint32_t size = sizeof(list), bad;

	(void)state;
	assert_status(fs_ea_check(list, size, &bad), STATUS_EA_LIST_INCONSISTENT);
	assert_status(fs_ea_repair(list, &size), STATUS_SUCCESS);
	assert_int_equal(size, 11);
	assert_status(fs_ea_check(list, size, &bad), STATUS_SUCCESS);
	size = 0;
	assert_status(fs_ea_repair(list, &size), STATUS_SUCCESS);
	size = 1; /* found by the fuzzer: no room for even a link */
	assert_status(fs_ea_repair(list, &size), STATUS_EA_LIST_INCONSISTENT);
	list[0] = 3;
	size = 12;
	assert_status(fs_ea_repair(list, &size), STATUS_EA_LIST_INCONSISTENT);
}

static void
test_ea_names(void **state)
{
	static const struct {
		const char *name;
		NTSTATUS st;
	} rows[] = {
		{"A", STATUS_SUCCESS},
		{"user.name", STATUS_SUCCESS},
		{"a b", STATUS_SUCCESS},
		{"\x80\xff", STATUS_SUCCESS},
		{"a*", STATUS_INVALID_EA_NAME},
		{"a:b", STATUS_INVALID_EA_NAME},
		{"a\\b", STATUS_INVALID_EA_NAME},
		{"a\x1f", STATUS_INVALID_EA_NAME},
		{"", STATUS_INVALID_EA_NAME},
	};
	char longest[256];
	_Alignas(4) uint8_t list[300];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fs_ea ea = {.name = rows[i].name, .n_name = (uint8_t)strlen(rows[i].name)};
		uint32_t size = 0;

		assert_true(fs_ea_append(list, sizeof(list), &size, &ea));
		assert_status(fs_ea_check(list, size, NULL), rows[i].st);
	}
	memset(longest, 'n', sizeof(longest));
	for (unsigned n = 254; n <= 255; n++) {
		struct fs_ea ea = {.name = longest, .n_name = (uint8_t)n};
		uint32_t size = 0;

		assert_true(fs_ea_append(list, sizeof(list), &size, &ea));
		assert_status(fs_ea_check(list, size, NULL),
			      n == 254 ? STATUS_SUCCESS : STATUS_INVALID_EA_NAME);
	}
}

static void
test_symlink_round_trip(void **state)
{
	uint16_t target[] = {'a', '\\', 'b'};
	_Alignas(4) uint8_t buffer[64];
	struct fs_symlink link;

	(void)state;
	assert_int_equal(fs_reparse_build_symlink(target, 3, true, buffer, 31), 0);
	uint32_t size = fs_reparse_build_symlink(target, 3, true, buffer, 32);
	assert_int_equal(size, 32);
	assert_status(fs_reparse_check(buffer, size), STATUS_SUCCESS);
	assert_true(fs_reparse_symlink(buffer, size, &link));
	assert_true(link.relative);
	assert_int_equal(link.n_substitute, 3);
	assert_memory_equal(link.substitute, target, 6);
	assert_memory_equal(link.print, target, 6);
	assert_status(fs_reparse_check(buffer, size - 1), STATUS_IO_REPARSE_DATA_INVALID);
	buffer[10] = 200; /* a length past the end */
	assert_status(fs_reparse_check(buffer, size), STATUS_IO_REPARSE_DATA_INVALID);
	buffer[10] = 6;
	buffer[8] = 1; /* an odd offset */
	assert_status(fs_reparse_check(buffer, size), STATUS_IO_REPARSE_DATA_INVALID);
}

static void
test_reparse_guid(void **state)
{
	uint8_t point[25] = {1, 2, 0, 0, 1, 0, 0, 0, 9, 9, 9}, other[25];

	(void)state;
	assert_status(fs_reparse_check(point, 25), STATUS_SUCCESS);
	assert_status(fs_reparse_check(point, 9), STATUS_IO_REPARSE_DATA_INVALID);
	memcpy(other, point, 25);
	assert_status(fs_reparse_can_replace(point, 25, other, 25), STATUS_SUCCESS);
	other[20] = 1;
	assert_status(fs_reparse_can_replace(point, 25, other, 25),
		      STATUS_REPARSE_ATTRIBUTE_CONFLICT);
	assert_status(fs_reparse_can_replace(point, 25, other, 23),
		      STATUS_REPARSE_ATTRIBUTE_CONFLICT);
	other[0] = 5;
	assert_status(fs_reparse_can_replace(point, 25, other, 25),
		      STATUS_IO_REPARSE_TAG_MISMATCH);
	assert_status(fs_reparse_can_replace(point, 3, other, 25), STATUS_IO_REPARSE_DATA_INVALID);
	memset(point, 0, 8);
	assert_status(fs_reparse_check(point, 8), STATUS_IO_REPARSE_TAG_INVALID);
}

static void
test_list_steps(void **state)
{
	_Alignas(8) uint8_t list[24] = {3, 0, 'a', 0, 0, 0, 0, 0, 2, 0};
	uint32_t at = 0;
	bool broken;

	(void)state;
	assert_ptr_equal(fs_list_next(list, 24, &at, 2, &broken), list);
	assert_ptr_equal(fs_list_next(list, 24, &at, 2, &broken), list + 8);
	assert_null(fs_list_next(list, 24, &at, 2, &broken));
	assert_false(broken);
	at = 8;
	assert_null(fs_list_next(list, 24, &at, 3, &broken));
	assert_true(broken);
	at = 0;
	assert_null(fs_list_next(list, 2, &at, 2, &broken));
	assert_true(broken);
	at = 0;
	assert_null(fs_list_next(list, 1, &at, 2, &broken));
	assert_false(broken);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ea_build_and_walk),
		cmocka_unit_test(test_ea_repair),
		cmocka_unit_test(test_ea_names),
		cmocka_unit_test(test_symlink_round_trip),
		cmocka_unit_test(test_reparse_guid),
		cmocka_unit_test(test_list_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
