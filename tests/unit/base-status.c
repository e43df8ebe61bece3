/* An error that changes on its way through the NT layer misleads whoever must act on it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/status/errno.h"
#include "nt/winerror.h"

static void
errno_comes_back_unchanged(void **state)
{
	assert_int_equal(nt_from_errno(0), STATUS_SUCCESS);
	for (int err = 1; err < 4096; err++) {
		NTSTATUS st = nt_from_errno(err);
		assert_false(NT_SUCCESS(st));
		assert_int_equal(errno_from_nt(st), err);
	}
}

static void
impossible_errno_is_an_io_error(void **state)
{
	assert_int_equal(nt_from_errno(-1), STATUS_IO_DEVICE_ERROR);
	assert_int_equal(nt_from_errno(0x10000), STATUS_IO_DEVICE_ERROR);
	assert_int_equal(errno_from_nt((NTSTATUS)NT_PRIVATE_ERRNO_BASE), EIO);
}

static void
public_statuses_have_no_customer_bit(void **state)
{
	for (int err = 0; err < 4096; err++) {
		NTSTATUS st = nt_public(nt_from_errno(err));
		assert_int_equal((uint32_t)st & 0x20000000u, 0);
		assert_int_equal(NT_SUCCESS(st), err == 0);
		assert_int_not_equal(win32_from_nt(nt_from_errno(err)),
				     ERROR_MR_MID_NOT_FOUND);
	}
	assert_int_equal(nt_public(nt_from_errno(EPERM)), STATUS_ACCESS_DENIED);
	assert_int_equal(nt_public(STATUS_DELETE_PENDING), STATUS_DELETE_PENDING);
}

static void
every_errno_of_the_table_has_a_name(void **state)
{
	for (int err = 1; err <= 133; err++)
		if (err != 41 && err != 58) /* unassigned on Linux */
			assert_non_null(errno_name(err));
	assert_string_equal(errno_name(ENOENT), "ENOENT");
	assert_null(errno_name(0));
	assert_null(errno_name(4095));
}

static void
statuses_mean_what_linux_users_expect(void **state)
{
	static const struct {
		NTSTATUS st;
		int err;
	} cases[] = {
		{STATUS_OBJECT_PATH_NOT_FOUND, ENOENT},
		{STATUS_OBJECT_NAME_INVALID, EINVAL},
		{STATUS_SHARING_VIOLATION, EBUSY},
		{STATUS_DELETE_PENDING, EBUSY},
		{STATUS_CANNOT_DELETE, EPERM},
		{STATUS_NO_MEMORY, ENOMEM},
		{STATUS_INVALID_DEVICE_REQUEST, EOPNOTSUPP},
		{STATUS_FILE_LOCK_CONFLICT, EAGAIN},
		{STATUS_BUFFER_OVERFLOW, ERANGE},
		{STATUS_NO_EAS_ON_FILE, ENODATA},
		{STATUS_PENDING, 0},
		{STATUS_SUCCESS, 0},
		{0x00000001, 0},
		{0x40000000, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(errno_from_nt(cases[i].st), cases[i].err);
}

static void
unknown_status_is_an_io_error(void **state)
{
	assert_int_equal(errno_from_nt((NTSTATUS)0xc0123456), EIO);
	assert_int_equal(errno_from_nt((NTSTATUS)0x8007ffff), EIO);
}

static void
win32_pairs(void **state)
{
	static const struct {
		uint32_t error;
		NTSTATUS st;
		bool back;
	} cases[] = {
		{ERROR_SUCCESS, STATUS_SUCCESS, true},
		{ERROR_ALREADY_EXISTS, STATUS_OBJECT_NAME_COLLISION, true},
		{ERROR_FILE_NOT_FOUND, STATUS_OBJECT_NAME_NOT_FOUND, true},
		{ERROR_INVALID_FUNCTION, STATUS_NOT_IMPLEMENTED, true},
		{ERROR_LOCK_VIOLATION, STATUS_LOCK_NOT_GRANTED, true},
		{ERROR_DEVICE_IN_USE, STATUS_CONNECTION_IN_USE, true},
		{ERROR_SEM_TIMEOUT, STATUS_IO_TIMEOUT, true},
		{ERROR_OPERATION_ABORTED, STATUS_CANCELLED, true},
		{ERROR_FILE_EXISTS, (NTSTATUS)0x80070050, true},
		{0xffff, (NTSTATUS)0x8007ffff, true},
		{0x10000, STATUS_ACCESS_DENIED, false},
		{0xffffffff, STATUS_ACCESS_DENIED, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(nt_from_win32(cases[i].error), cases[i].st);
		if (cases[i].back)
			assert_int_equal(win32_from_nt(cases[i].st), cases[i].error);
	}
}

/* A Win32 error that becomes a status must not come back as another error. */
static void
win32_comes_back_unchanged(void **state)
{
	for (uint32_t error = 0; error <= 0xffff; error++)
		assert_int_equal(win32_from_nt(nt_from_win32(error)), error);
}

static void
statuses_give_the_win32_errors_windows_gives(void **state)
{
	assert_int_equal(win32_from_nt(STATUS_DELETE_PENDING), ERROR_ACCESS_DENIED);
	assert_int_equal(win32_from_nt(STATUS_FILE_IS_A_DIRECTORY), ERROR_ACCESS_DENIED);
	assert_int_equal(win32_from_nt(STATUS_NO_SUCH_FILE), ERROR_FILE_NOT_FOUND);
	assert_int_equal(win32_from_nt(STATUS_FILE_LOCK_CONFLICT), ERROR_LOCK_VIOLATION);
	assert_int_equal(win32_from_nt((NTSTATUS)0xc0123456), ERROR_MR_MID_NOT_FOUND);
	assert_int_equal(win32_from_nt(nt_from_errno(EPERM)), ERROR_ACCESS_DENIED);
}

static void
an_existing_file_is_eexist_also_by_its_win32_error(void **state)
{
	assert_int_equal(errno_from_nt(nt_from_win32(ERROR_FILE_EXISTS)), EEXIST);
}

static void
statuses_have_names(void **state)
{
	assert_string_equal(nt_name(STATUS_OBJECT_NAME_NOT_FOUND),
			    "STATUS_OBJECT_NAME_NOT_FOUND");
	assert_null(nt_name((NTSTATUS)0xc0123456));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errno_comes_back_unchanged),
		cmocka_unit_test(impossible_errno_is_an_io_error),
		cmocka_unit_test(public_statuses_have_no_customer_bit),
		cmocka_unit_test(every_errno_of_the_table_has_a_name),
		cmocka_unit_test(statuses_mean_what_linux_users_expect),
		cmocka_unit_test(unknown_status_is_an_io_error),
		cmocka_unit_test(win32_pairs),
		cmocka_unit_test(win32_comes_back_unchanged),
		cmocka_unit_test(statuses_give_the_win32_errors_windows_gives),
		cmocka_unit_test(an_existing_file_is_eexist_also_by_its_win32_error),
		cmocka_unit_test(statuses_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
