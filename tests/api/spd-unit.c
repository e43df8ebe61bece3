/* Storage units: what may be created, how they start and end, and what errors say. */
#include "tests/api/spd-util.h"
#include <pthread.h>
#include <unistd.h>

static WCHAR pipe_name[] = u"\\\\.\\pipe\\disk";

static DWORD
create_with(const SPD_STORAGE_UNIT_PARAMS *params)
{
	SPD_STORAGE_UNIT *unit = NULL;
	DWORD error = SpdStorageUnitCreate(pipe_name, params, &spd_test_interface, &unit);

	SpdStorageUnitDelete(unit);
	if (error)
		assert_null(unit);
	return error;
}

static void
test_parameters(void **state)
{
	SPD_STORAGE_UNIT_PARAMS good = spd_test_params(), p;

	assert_int_equal(create_with(&good), ERROR_SUCCESS);
	assert_string_equal(SpdxLastError(), "");
#define REFUSED(change)                                                                  \
	do {                                                                             \
		p = good;                                                                \
		change;                                                                  \
		assert_int_equal(create_with(&p), ERROR_INVALID_PARAMETER);              \
		assert_true(SpdxLastError()[0]);                                         \
	} while (0)
	REFUSED(memset(&p.Guid, 0, sizeof(p.Guid)));
	REFUSED(p.BlockCount = 0);
	REFUSED(p.BlockLength = 15; p.MaxTransferLength = 15 * 4);
	REFUSED(p.DeviceType = 5);
	REFUSED(p.MaxTransferLength = 0);
	REFUSED(p.MaxTransferLength = SPD_TEST_BLOCK + 1);
	p = good;
	p.BlockLength = p.MaxTransferLength = 16;
	assert_int_equal(create_with(&p), ERROR_SUCCESS);
}

static void
test_names(void **state)
{
	static const struct {
		const WCHAR *name;
		DWORD error;
	} cases[] = {
		{u"ublk:", ERROR_NOT_SUPPORTED},
		{u"tcmu:", ERROR_NOT_SUPPORTED},
		{u"nbd+unix:///x", ERROR_NOT_SUPPORTED},
		{u"vhost-user:/x", ERROR_NOT_SUPPORTED},
		{u"nonsense", ERROR_INVALID_PARAMETER},
		{u"\\\\.\\pipe\\", ERROR_INVALID_PARAMETER},
		{u"\\\\.\\pipe\\..\\x", ERROR_INVALID_PARAMETER},
		{u"\\\\.\\pipe\\\\x", ERROR_INVALID_PARAMETER},
		{u"\\\\.\\pipe\\a?b=1", ERROR_INVALID_PARAMETER},
	};
	SPD_STORAGE_UNIT_PARAMS params = spd_test_params();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		SPD_STORAGE_UNIT *unit;

		assert_int_equal(SpdStorageUnitCreate((PWSTR)(uintptr_t)cases[i].name, &params,
						      NULL, &unit),
				 cases[i].error);
		assert_true(SpdxLastError()[0]);
	}
}

static void
test_same_guid(void **state)
{
	SPD_STORAGE_UNIT *unit = spd_test_create(NULL);
	SPD_STORAGE_UNIT_PARAMS params = spd_test_params();

	assert_int_equal(create_with(&params), ERROR_ALREADY_EXISTS);
	SpdStorageUnitDelete(unit);
	assert_int_equal(create_with(&params), ERROR_SUCCESS);
}

static void
test_capacity(void **state)
{
	SPD_STORAGE_UNIT *units[SPD_IOCTL_STORAGE_UNIT_MAX_CAPACITY], *more;
	SPD_STORAGE_UNIT_PARAMS params = spd_test_params();

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		params.Guid.Data1 = (UINT32)i + 1;
		assert_int_equal(SpdStorageUnitCreate(pipe_name, &params, NULL, &units[i]), 0);
		assert_int_equal(units[i]->Btl, SPD_IOCTL_BTL(0, i, 0));
	}
	params.Guid.Data1 = 1000;
	assert_int_equal(SpdStorageUnitCreate(pipe_name, &params, NULL, &more), ERROR_CANNOT_MAKE);
	/* A number that is free again is used again. */
	SpdStorageUnitDelete(units[5]);
	assert_int_equal(SpdStorageUnitCreate(pipe_name, &params, NULL, &units[5]), 0);
	assert_int_equal(units[5]->Btl, SPD_IOCTL_BTL(0, 5, 0));
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		SpdStorageUnitDelete(units[i]);
}

static void
test_fields(void **state)
{
	SPD_STORAGE_UNIT *unit = spd_test_create(&spd_test_interface);
	DWORD error;

	assert_ptr_equal(unit->Interface, &spd_test_interface);
	assert_int_equal(unit->StorageUnitParams.BlockCount, SPD_TEST_BLOCKS);
	assert_null(unit->DispatcherThread);
	SpdStorageUnitSetDispatcherErrorF(unit, 0);
	SpdStorageUnitSetDispatcherErrorF(unit, 5);
	SpdStorageUnitSetDispatcherError(unit, 6);
	SpdStorageUnitGetDispatcherErrorF(unit, &error);
	assert_int_equal(error, 5);
	SpdStorageUnitSetDebugLogF(unit, 7);
	assert_int_equal(unit->DebugLog, 7);
	assert_null(SpdStorageUnitGetOperationContext());
	SpdStorageUnitDelete(unit);
}

static void
test_dispatcher(void **state)
{
	SPD_STORAGE_UNIT *unit = spd_test_create(&spd_test_interface);
	DWORD error;

	SpdStorageUnitWaitDispatcher(unit); /* was not started: at once */
	assert_int_equal(SpdStorageUnitStartDispatcher(unit, 3), 0);
	assert_int_equal(unit->DispatcherThreadCount, 3);
	assert_non_null(unit->DispatcherThread);
	assert_int_equal(SpdStorageUnitStartDispatcher(unit, 3), ERROR_INVALID_PARAMETER);
	SpdStorageUnitShutdown(unit);
	SpdStorageUnitShutdown(unit);
	SpdStorageUnitWaitDispatcher(unit);
	SpdStorageUnitWaitDispatcher(unit);
	SpdStorageUnitGetDispatcherError(unit, &error);
	assert_int_equal(error, ERROR_OPERATION_ABORTED);
	assert_int_equal(spd_test_connect(0, ""), -1);
	SpdStorageUnitDelete(unit);
}

static void
test_cpus(void **state)
{
	SPD_STORAGE_UNIT *unit = spd_test_start(&spd_test_interface, 0);

	assert_true(unit->DispatcherThreadCount >= 1);
	spd_test_end(unit);
}

static void
test_shutdown_before_start(void **state)
{
	SPD_STORAGE_UNIT *unit = spd_test_create(&spd_test_interface);

	SpdStorageUnitShutdown(unit);
	assert_int_equal(SpdStorageUnitStartDispatcher(unit, 1), ERROR_OPERATION_ABORTED);
	SpdStorageUnitWaitDispatcher(unit);
	SpdStorageUnitDelete(unit);
	SpdStorageUnitDelete(NULL);
}

static void *
wait_for_it(void *unit)
{
	SpdStorageUnitWaitDispatcher(unit);
	return NULL;
}

static void
test_wait_waits(void **state)
{
	SPD_STORAGE_UNIT *unit = spd_test_start(&spd_test_interface, 1);
	pthread_t threads[3];

	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_create(&threads[i], NULL, wait_for_it, unit);
	SpdStorageUnitShutdown(unit);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	SpdStorageUnitDelete(unit);
}

static void
test_doors(void **state)
{
	SPD_STORAGE_UNIT *unit = spd_test_create(&spd_test_interface);
	WCHAR second[] = u"\\\\.\\PIPE\\second", third[] = u"\\\\.\\pipe\\third\\part";
	char text[4096], path[256];

	assert_int_equal(SpdxStorageUnitAddDoor(unit, second), 0);
	assert_int_equal(SpdxStorageUnitAddDoor(unit, second), ERROR_ADDRESS_ALREADY_ASSOCIATED);
	assert_non_null(strstr(SpdxLastError(), "another program"));
	assert_int_equal(SpdStorageUnitStartDispatcher(unit, 1), 0);
	assert_int_equal(SpdxStorageUnitAddDoor(unit, third), 0);
	assert_int_equal(SpdxStorageUnitDescribe(unit, text, sizeof(text)), 0);
	assert_int_equal(text[0], '[');
	assert_non_null(strstr(text, "\"door\":\"local\""));
	assert_non_null(strstr(text, "third"));
	assert_int_equal(SpdxStorageUnitDescribe(unit, text, 10), ERROR_MORE_DATA);
	snprintf(path, sizeof(path), "%s/pipe/third/part/0.cdb", spd_test_dir());
	assert_int_equal(access(path, F_OK), 0);
	spd_test_end(unit);
	snprintf(path, sizeof(path), "%s/pipe/third", spd_test_dir());
	assert_int_equal(access(path, F_OK), -1);
}

static void
test_options(void **state)
{
	SPD_STORAGE_UNIT *unit = spd_test_create(&spd_test_interface);
	SPDX_UNIT_OPTIONS options = {.Size = sizeof(options), .PhysicalBlockLength = 4096,
				     .RotationRate = 1, .Removable = 1};

	assert_int_equal(SpdxStorageUnitSetOptions(unit, &options), 0);
	options.PhysicalBlockLength = 1536;
	assert_int_equal(SpdxStorageUnitSetOptions(unit, &options), ERROR_INVALID_PARAMETER);
	options.PhysicalBlockLength = SPD_TEST_BLOCK * 256;
	assert_int_equal(SpdxStorageUnitSetOptions(unit, &options), ERROR_INVALID_PARAMETER);
	options.PhysicalBlockLength = 0;
	options.RotationRate = 65536;
	assert_int_equal(SpdxStorageUnitSetOptions(unit, &options), ERROR_INVALID_PARAMETER);
	options.RotationRate = 0;
	options.Size = 8;
	assert_int_equal(SpdxStorageUnitSetOptions(unit, &options), ERROR_INVALID_PARAMETER);
	options.Size = sizeof(options);
	assert_int_equal(SpdStorageUnitStartDispatcher(unit, 1), 0);
	assert_int_equal(SpdxStorageUnitSetOptions(unit, &options), ERROR_INVALID_PARAMETER);
	spd_test_end(unit);
}

static UINT64 resized_to;

static DWORD
resize(SPD_STORAGE_UNIT *unit, UINT64 n_blocks)
{
	if (n_blocks > SPD_TEST_BLOCKS)
		return ERROR_DISK_FULL;
	resized_to = n_blocks;
	return ERROR_SUCCESS;
}

static void
test_resize(void **state)
{
	SPD_STORAGE_UNIT_INTERFACE interface = spd_test_interface;
	SPD_STORAGE_UNIT *unit = spd_test_start(&spd_test_interface, 1);

	assert_int_equal(SpdxStorageUnitResize(unit, 100), ERROR_NOT_SUPPORTED);
	spd_test_end(unit);
	SpdxInterfaceSetResize(&interface, resize);
	unit = spd_test_start(&interface, 1);
	assert_int_equal(SpdxStorageUnitResize(unit, 100), 0);
	assert_int_equal(resized_to, 100);
	assert_int_equal(unit->StorageUnitParams.BlockCount, 100);
	assert_int_equal(SpdxStorageUnitResize(unit, SPD_TEST_BLOCKS + 1), ERROR_DISK_FULL);
	assert_int_equal(SpdxStorageUnitResize(unit, 0), ERROR_INVALID_PARAMETER);
	spd_test_end(unit);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, spd_test_setup, spd_test_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_parameters), TEST(test_names), TEST(test_same_guid), TEST(test_capacity),
		TEST(test_fields), TEST(test_dispatcher), TEST(test_cpus),
		TEST(test_shutdown_before_start), TEST(test_wait_waits), TEST(test_doors),
		TEST(test_options), TEST(test_resize),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
