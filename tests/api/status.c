/* Status maps, version, wide formats. */
#include "tests/api/test.h"
#include <stdio.h>
#include "api/common/wide.h"
#include "api/winfsp/priv.h"
#include "base/buf.h"

static void
test_from_win32(void **state)
{
	static const struct {
		DWORD error;
		NTSTATUS st;
	} rows[] = {
		{ERROR_SUCCESS, STATUS_SUCCESS},
		{ERROR_ALREADY_EXISTS, STATUS_OBJECT_NAME_COLLISION},
		{ERROR_FILE_NOT_FOUND, STATUS_OBJECT_NAME_NOT_FOUND},
		{ERROR_PATH_NOT_FOUND, STATUS_OBJECT_PATH_NOT_FOUND},
		{ERROR_ACCESS_DENIED, STATUS_ACCESS_DENIED},
		{ERROR_DIR_NOT_EMPTY, STATUS_DIRECTORY_NOT_EMPTY},
		{ERROR_DIRECTORY, STATUS_NOT_A_DIRECTORY},
		{ERROR_HANDLE_EOF, STATUS_END_OF_FILE},
		{ERROR_INSUFFICIENT_BUFFER, STATUS_BUFFER_TOO_SMALL},
		{ERROR_MORE_DATA, STATUS_BUFFER_OVERFLOW},
		{ERROR_INVALID_NAME, STATUS_OBJECT_NAME_INVALID},
		{ERROR_INVALID_FUNCTION, STATUS_NOT_IMPLEMENTED},
		{ERROR_OPERATION_ABORTED, STATUS_CANCELLED},
		{ERROR_LOCK_VIOLATION, STATUS_LOCK_NOT_GRANTED},
		{ERROR_WRITE_PROTECT, STATUS_MEDIA_WRITE_PROTECTED},
		{ERROR_GEN_FAILURE, STATUS_UNSUCCESSFUL},
		{ERROR_FILE_EXISTS, (NTSTATUS)0x80070050},
		{54321, (NTSTATUS)0x8007d431},
		{0x10000, STATUS_ACCESS_DENIED},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_status(FspNtStatusFromWin32(rows[i].error), rows[i].st);
}

static void
test_to_win32(void **state)
{
	assert_int_equal(FspWin32FromNtStatus(STATUS_DELETE_PENDING), ERROR_ACCESS_DENIED);
	assert_int_equal(FspWin32FromNtStatus(STATUS_CANNOT_DELETE), ERROR_ACCESS_DENIED);
	assert_int_equal(FspWin32FromNtStatus(STATUS_FILE_LOCK_CONFLICT), ERROR_LOCK_VIOLATION);
	assert_int_equal(FspWin32FromNtStatus(STATUS_NO_SUCH_FILE), ERROR_FILE_NOT_FOUND);
	assert_int_equal(FspWin32FromNtStatus((NTSTATUS)0x80070050), ERROR_FILE_EXISTS);
}

static void
test_version(void **state)
{
	UINT32 version;

	assert_status(FspVersion(&version), STATUS_SUCCESS);
	assert_int_equal(version, 0x00020002);
	assert_int_equal(FspSxsIdent()[0], 0);
	assert_status(FspLoad(NULL), STATUS_SUCCESS);
}

static void
check_format(const char *expected, PCWSTR format, ...)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT;
	va_list ap;

	va_start(ap, format);
	wide_format(&text, format, ap);
	va_end(ap);
	assert_string_equal(buf_str(&text), expected);
}

static void
test_format(void **state)
{
	check_format("plain", u"plain");
	check_format("<wide> <narrow> <narrow>", u"<%s> <%hs> <%S>", u"wide", "narrow", "narrow");
	check_format("<wide> <wide>", u"<%ls> <%ws>", u"wide", u"wide");
	check_format("42 -1 ff 0x1F", u"%d %ld %x 0x%lX", 42, -1, 255, 0x1f);
	check_format("1099511627776 10000000000", u"%lld %I64x", 1ll << 40, 1ull << 40);
	check_format("[   ab] [x  ] [00042]", u"[%5s] [%-3s] [%05d]", u"ab", u"x", 42);
	check_format("[ab] [  7]", u"[%.2s] [%*d]", u"abcdef", 3, 7);
	check_format("100% A \xe2\x82\xac", u"100%% %c \u20ac", 'A');
	check_format("(null)", u"%s", NULL);
	check_format("1.50", u"%.2f", 1.5);
	check_format("", u"%");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_from_win32),
		cmocka_unit_test(test_to_win32),
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
