/* The builders of directory, stream, notify and EA lists. */
#include "tests/api/test.h"

union entry {
	FSP_FSCTL_DIR_INFO info;
	UINT8 bytes[sizeof(FSP_FSCTL_DIR_INFO) + 64];
};

static void
set_entry(union entry *e, size_t units)
{
	memset(e, 0x55, sizeof(*e));
	e->info.Size = (UINT16)(sizeof(e->info) + units * sizeof(WCHAR));
}

static void
test_entries_are_aligned(void **state)
{
	UINT8 buffer[512];
	union entry e;
	ULONG done = 0;

	set_entry(&e, 1);
	assert_true(FspFileSystemAddDirInfo(&e.info, buffer, sizeof(buffer), &done));
	assert_int_equal(done, 112);
	assert_true(FspFileSystemAddDirInfo(&e.info, buffer, sizeof(buffer), &done));
	assert_memory_equal(buffer + 112, e.bytes, 106);
	assert_int_equal(done, 224);
}

static void
test_end_mark(void **state)
{
	UINT8 buffer[8] = {0xff, 0xff, 0xff};
	ULONG done = 0;

	assert_true(FspFileSystemAddDirInfo(NULL, buffer, sizeof(buffer), &done));
	assert_int_equal(done, 2);
	assert_int_equal(buffer[0] | buffer[1], 0);
	assert_int_equal(buffer[2], 0xff);
}

static void
test_end_mark_needs_room(void **state)
{
	UINT8 buffer[8];
	ULONG done = 7;

	assert_false(FspFileSystemAddStreamInfo(NULL, buffer, sizeof(buffer), &done));
	assert_int_equal(done, 7);
}

/* The rounded size must fit, and what does not fit leaves no trace. */
static void
test_full_buffer(void **state)
{
	UINT8 buffer[111], before[111];
	union entry e;
	ULONG done = 0;

	set_entry(&e, 1);
	memset(buffer, 0xaa, sizeof(buffer));
	memcpy(before, buffer, sizeof(before));
	assert_false(FspFileSystemAddDirInfo(&e.info, buffer, sizeof(buffer), &done));
	assert_int_equal(done, 0);
	assert_memory_equal(buffer, before, sizeof(before));
}

struct ea {
	union {
		FILE_FULL_EA_INFORMATION ea;
		UINT8 bytes[64];
	};
};

static PFILE_FULL_EA_INFORMATION
make_ea(struct ea *e, const char *name, const char *value)
{
	memset(e, 0, sizeof(*e));
	e->ea.EaNameLength = (UCHAR)strlen(name);
	e->ea.EaValueLength = (USHORT)strlen(value);
	strcpy(e->ea.EaName, name);
	memcpy(e->ea.EaName + strlen(name) + 1, value, strlen(value));
	return &e->ea;
}

static NTSTATUS
count_ea(FSP_FILE_SYSTEM *fs, PVOID context, PFILE_FULL_EA_INFORMATION ea)
{
	unsigned *n = context;

	return ++*n == 3 ? STATUS_EA_TOO_LARGE : STATUS_SUCCESS;
}

static void
test_ea_list(void **state)
{
	_Alignas(4) UINT8 list[128];
	FILE_FULL_EA_INFORMATION *first = (FILE_FULL_EA_INFORMATION *)(void *)list, *second;
	struct ea e;
	ULONG done = 0;
	unsigned n = 0;

	assert_true(FspFileSystemAddEa(make_ea(&e, "N1", "value"), first, sizeof(list), &done));
	assert_int_equal(done, 16); /* 8 + 2 + 1 + 5 */
	assert_int_equal(first->NextEntryOffset, 16);
	assert_true(FspFileSystemAddEa(make_ea(&e, "N22", "x"), first, sizeof(list), &done));
	assert_int_equal(done, 16 + 13);
	second = (FILE_FULL_EA_INFORMATION *)(void *)(list + 16);
	assert_int_equal(second->NextEntryOffset, 16);
	assert_true(FspFileSystemAddEa(NULL, first, sizeof(list), &done));
	assert_int_equal(second->NextEntryOffset, 0);
	assert_int_equal(first->NextEntryOffset, 16);
	assert_status(FspFileSystemEnumerateEa(NULL, count_ea, &n, first, done), STATUS_SUCCESS);
	assert_int_equal(n, 2);
	assert_int_equal(FspFileSystemGetEaPackedSize(second), 5 + 3 + 1);
}

/* Entries after the first start at multiples of 4, in the first bytes too. */
static void
test_ea_second_is_aligned(void **state)
{
	_Alignas(4) UINT8 list[64];
	FILE_FULL_EA_INFORMATION *first = (FILE_FULL_EA_INFORMATION *)(void *)list;
	struct ea e;
	ULONG done = 0;

	assert_true(FspFileSystemAddEa(make_ea(&e, "A", "1"), first, sizeof(list), &done));
	assert_int_equal(done, 11);
	assert_true(FspFileSystemAddEa(make_ea(&e, "B", "2"), first, sizeof(list), &done));
	assert_int_equal(done, 23);
	assert_int_equal(list[12 + 8], 'B');
}

static void
test_ea_enumeration_stops_at_failure(void **state)
{
	_Alignas(4) UINT8 list[128];
	FILE_FULL_EA_INFORMATION *first = (FILE_FULL_EA_INFORMATION *)(void *)list;
	struct ea e;
	ULONG done = 0;
	unsigned n = 0;

	for (int i = 0; i < 4; i++)
		assert_true(FspFileSystemAddEa(make_ea(&e, "N", "v"), first, sizeof(list), &done));
	assert_status(FspFileSystemEnumerateEa(NULL, count_ea, &n, first, done),
		      STATUS_EA_TOO_LARGE);
	assert_int_equal(n, 3);
}

static void
test_ea_full(void **state)
{
	_Alignas(4) UINT8 list[12];
	struct ea e;
	ULONG done = 0;

	assert_false(FspFileSystemAddEa(make_ea(&e, "NAME", "v"),
					(PFILE_FULL_EA_INFORMATION)(void *)list, sizeof(list),
					&done));
	assert_int_equal(done, 0);
	assert_true(FspFileSystemAddEa(NULL, (PFILE_FULL_EA_INFORMATION)(void *)list,
				       sizeof(list), &done));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entries_are_aligned),
		cmocka_unit_test(test_end_mark),
		cmocka_unit_test(test_end_mark_needs_room),
		cmocka_unit_test(test_full_buffer),
		cmocka_unit_test(test_ea_list),
		cmocka_unit_test(test_ea_second_is_aligned),
		cmocka_unit_test(test_ea_enumeration_stops_at_failure),
		cmocka_unit_test(test_ea_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
