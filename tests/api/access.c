/*
 * The access check of opens: which error wins, what a parent grants, what READONLY forbids.
 * User 1000 asks.
 */
#include "tests/api/test.h"
#include "tests/api/ram.h"
#include "fs/security/token.h"

#define ALL u"O:S-1-22-1-1G:S-1-22-2-1D:P(A;;FA;;;WD)"
#define NONE u"O:S-1-22-1-1G:S-1-22-2-1D:P"
#define READ u"O:S-1-22-1-1G:S-1-22-2-1D:P(A;;FR;;;WD)"
#define NO_DELETE u"O:S-1-22-1-1G:S-1-22-2-1D:P(D;;SD;;;WD)(A;;FR;;;WD)"
#define DIR FILE_ATTRIBUTE_DIRECTORY

static struct ram ram;
static struct token *token;
static UINT32 handle;
static struct exchange x;

static int
setup(void **state)
{
	if (!NT_SUCCESS(ram_create(&ram, NULL)) ||
	    !NT_SUCCESS(token_create_posix(1000, 1000, 0, &token)))
		return -1;
	handle = token_handle_open(token);
	ram_add(&ram, u"\\", DIR, ALL);
	ram_add(&ram, u"\\open", DIR, ALL);
	ram_add(&ram, u"\\open\\file", 0, ALL);
	ram_add(&ram, u"\\open\\read", 0, READ);
	ram_add(&ram, u"\\open\\nodelete", 0, NO_DELETE);
	ram_add(&ram, u"\\open\\readonly", FILE_ATTRIBUTE_READONLY, ALL);
	ram_add(&ram, u"\\open\\none", 0, NONE);
	ram_add(&ram, u"\\open\\nosd", 0, NULL);
	ram_add(&ram, u"\\shut", DIR, NONE);
	ram_add(&ram, u"\\shut\\file", 0, ALL);
	ram_add(&ram, u"\\shut\\none", 0, NONE);
	ram_add_link(&ram, u"\\link", u"\\open", FALSE);
	return 0;
}

static int
teardown(void **state)
{
	token_handle_close(handle);
	token_unref(token);
	ram_delete(&ram);
	return 0;
}

static NTSTATUS
check(const WCHAR *name, UINT32 options, UINT32 desired, BOOLEAN parent, UINT32 *granted)
{
	exchange_create(&x, name, FILE_OPEN, options, desired, handle);
	ram.calls[0] = 0;
	return FspAccessCheck(ram.fs, &x.req, parent, TRUE, desired, granted);
}

static void
test_granted_as_asked(void **state)
{
	UINT32 granted;

	assert_status(check(u"\\open\\file", 0, FILE_READ_DATA | DELETE, FALSE, &granted),
		      STATUS_SUCCESS);
	assert_int_equal(granted, FILE_READ_DATA | DELETE);
}

static void
test_denied(void **state)
{
	UINT32 granted = 1;

	assert_status(check(u"\\open\\read", 0, FILE_WRITE_DATA, FALSE, &granted),
		      STATUS_ACCESS_DENIED);
	assert_int_equal(granted, 0);
}

static void
test_maximum_allowed(void **state)
{
	UINT32 granted;

	assert_status(check(u"\\open\\read", 0, MAXIMUM_ALLOWED, FALSE, &granted),
		      STATUS_SUCCESS);
	assert_true((granted & FILE_GENERIC_READ) == FILE_GENERIC_READ);
	assert_int_equal(granted & FILE_WRITE_DATA, 0);
}

static void
test_no_descriptor_grants(void **state)
{
	UINT32 granted;

	assert_status(check(u"\\open\\nosd", 0, MAXIMUM_ALLOWED, FALSE, &granted),
		      STATUS_SUCCESS);
	assert_int_equal(granted, FILE_ALL_ACCESS);
}

/* A file can be deleted through its directory although its own list denies it. */
static void
test_parent_grants_delete(void **state)
{
	UINT32 granted;

	assert_status(check(u"\\open\\nodelete", 0, DELETE | FILE_READ_DATA, FALSE, &granted),
		      STATUS_SUCCESS);
	assert_int_equal(granted, DELETE | FILE_READ_DATA);
	assert_status(check(u"\\open\\none", 0, DELETE, FALSE, &granted), STATUS_SUCCESS);
}

static void
test_parent_grants_nothing_else(void **state)
{
	UINT32 granted;

	assert_status(check(u"\\open\\none", 0, DELETE | FILE_READ_DATA, FALSE, &granted),
		      STATUS_ACCESS_DENIED);
	assert_status(check(u"\\shut\\none", 0, DELETE, FALSE, &granted), STATUS_ACCESS_DENIED);
}

static void
test_missing(void **state)
{
	UINT32 granted;

	assert_status(check(u"\\open\\missing", 0, FILE_READ_DATA, FALSE, &granted),
		      STATUS_OBJECT_NAME_NOT_FOUND);
	assert_status(check(u"\\missing\\file", 0, FILE_ADD_FILE, TRUE, &granted),
		      STATUS_OBJECT_PATH_NOT_FOUND);
}

static void
test_traverse(void **state)
{
	UINT32 granted;

	exchange_create(&x, u"\\shut\\file", FILE_OPEN, 0, FILE_READ_DATA, handle);
	x.req.Req.Create.HasTraversePrivilege = 0;
	assert_status(FspAccessCheck(ram.fs, &x.req, FALSE, TRUE, FILE_READ_DATA, &granted),
		      STATUS_ACCESS_DENIED);
	assert_status(FspAccessCheck(ram.fs, &x.req, FALSE, FALSE, FILE_READ_DATA, &granted),
		      STATUS_SUCCESS);
}

/* Root, then each directory on the way, then the file. */
static void
test_traverse_order(void **state)
{
	UINT32 granted;

	exchange_create(&x, u"\\open\\file", FILE_OPEN, 0, FILE_READ_DATA, handle);
	x.req.Req.Create.HasTraversePrivilege = 0;
	ram.calls[0] = 0;
	assert_status(FspAccessCheck(ram.fs, &x.req, FALSE, TRUE, FILE_READ_DATA, &granted),
		      STATUS_SUCCESS);
	assert_string_equal(ram.calls, "\\ \\open \\open\\file");
}

static void
test_traverse_through_file(void **state)
{
	UINT32 granted;

	exchange_create(&x, u"\\open\\file\\x", FILE_OPEN, 0, FILE_READ_DATA, handle);
	x.req.Req.Create.HasTraversePrivilege = 0;
	assert_status(FspAccessCheck(ram.fs, &x.req, FALSE, TRUE, FILE_READ_DATA, &granted),
		      STATUS_OBJECT_PATH_NOT_FOUND);
}

static void
test_traverse_meets_link(void **state)
{
	UINT32 index;

	exchange_create(&x, u"\\link\\file", FILE_OPEN, 0, FILE_READ_DATA, handle);
	x.req.Req.Create.HasTraversePrivilege = 0;
	assert_status(FspAccessCheck(ram.fs, &x.req, FALSE, TRUE, FILE_READ_DATA, &index),
		      STATUS_REPARSE);
	assert_int_equal(index, 1);
}

static void
test_target_is_link(void **state)
{
	UINT32 granted;

	assert_status(check(u"\\link", 0, FILE_READ_DATA, FALSE, &granted), STATUS_REPARSE);
	assert_status(check(u"\\link", FILE_OPEN_REPARSE_POINT, FILE_READ_DATA, FALSE, &granted),
		      STATUS_SUCCESS);
}

static void
test_kind(void **state)
{
	UINT32 granted;

	assert_status(check(u"\\open\\file", FILE_DIRECTORY_FILE, FILE_READ_DATA, FALSE, &granted),
		      STATUS_NOT_A_DIRECTORY);
	assert_status(check(u"\\open", FILE_NON_DIRECTORY_FILE, FILE_READ_DATA, FALSE, &granted),
		      STATUS_FILE_IS_A_DIRECTORY);
	assert_status(check(u"\\open\\file\\x", 0, FILE_ADD_FILE, TRUE, &granted),
		      STATUS_NOT_A_DIRECTORY);
}

/* Whoever has no rights learns nothing of the kind. */
static void
test_denial_before_kind(void **state)
{
	UINT32 granted;

	assert_status(check(u"\\open\\none", FILE_DIRECTORY_FILE, FILE_READ_DATA, FALSE, &granted),
		      STATUS_ACCESS_DENIED);
}

static void
test_directory_check_of_links(void **state)
{
	const UINT32 options = FILE_OPEN_REPARSE_POINT | FILE_DIRECTORY_FILE;
	UINT32 granted;

	assert_status(check(u"\\link", options, FILE_READ_DATA, FALSE, &granted),
		      STATUS_NOT_A_DIRECTORY);
	ram.fs->UmNoReparsePointsDirCheck = 1;
	assert_status(check(u"\\link", options, FILE_READ_DATA, FALSE, &granted), STATUS_SUCCESS);
	ram.fs->UmNoReparsePointsDirCheck = 0;
}

static void
test_readonly(void **state)
{
	const WCHAR *name = u"\\open\\readonly";
	UINT32 granted;

	assert_status(check(name, 0, FILE_WRITE_DATA, FALSE, &granted), STATUS_ACCESS_DENIED);
	assert_status(check(name, 0, FILE_APPEND_DATA, FALSE, &granted), STATUS_ACCESS_DENIED);
	assert_status(check(name, 0, FILE_WRITE_ATTRIBUTES, FALSE, &granted), STATUS_SUCCESS);
	assert_status(check(name, 0, DELETE, FALSE, &granted), STATUS_SUCCESS);
	assert_status(check(name, FILE_DELETE_ON_CLOSE, DELETE, FALSE, &granted),
		      STATUS_CANNOT_DELETE);
	assert_status(check(name, 0, MAXIMUM_ALLOWED, FALSE, &granted), STATUS_SUCCESS);
	assert_int_equal(granted & (FILE_WRITE_DATA | FILE_APPEND_DATA | FILE_DELETE_CHILD), 0);
	assert_true(granted & FILE_WRITE_ATTRIBUTES);
}

static void
test_trailing_backslash(void **state)
{
	UINT32 granted;

	exchange_create(&x, u"\\open\\file", FILE_OPEN, 0, FILE_READ_DATA, handle);
	x.req.Req.Create.HasTrailingBackslash = 1;
	assert_status(FspAccessCheck(ram.fs, &x.req, FALSE, TRUE, FILE_READ_DATA, &granted),
		      STATUS_OBJECT_NAME_INVALID);
}

/* Without a descriptor wanted, a kernel opener is not even looked up. */
static void
test_kernel_mode(void **state)
{
	UINT32 granted;

	exchange_create(&x, u"\\open\\missing", FILE_OPEN, 0, MAXIMUM_ALLOWED, 0);
	x.req.Req.Create.UserMode = 0;
	ram.calls[0] = 0;
	assert_status(FspAccessCheck(ram.fs, &x.req, FALSE, TRUE, MAXIMUM_ALLOWED, &granted),
		      STATUS_SUCCESS);
	assert_int_equal(granted, FILE_ALL_ACCESS);
	assert_string_equal(ram.calls, "");
}

static void
test_descriptor_is_given(void **state)
{
	PSECURITY_DESCRIPTOR sd;
	UINT32 granted;

	exchange_create(&x, u"\\open\\file", FILE_OPEN, 0, FILE_READ_DATA, handle);
	assert_status(FspAccessCheckEx(ram.fs, &x.req, FALSE, TRUE, FILE_READ_DATA, &granted, &sd),
		      STATUS_SUCCESS);
	assert_true(IsValidSecurityDescriptor(sd));
	FspDeleteSecurityDescriptor(sd, (FSP_CREATE_FUNC)FspAccessCheckEx);
}

static void
test_bad_requests(void **state)
{
	UINT32 granted;

	assert_status(check(u"\\", 0, FILE_READ_DATA, TRUE, &granted), STATUS_INVALID_PARAMETER);
	exchange_init(&x, FspFsctlTransactReadKind, u"\\open");
	assert_status(FspAccessCheck(ram.fs, &x.req, FALSE, TRUE, 0, &granted),
		      STATUS_INVALID_PARAMETER);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_granted_as_asked),
		cmocka_unit_test(test_denied),
		cmocka_unit_test(test_maximum_allowed),
		cmocka_unit_test(test_no_descriptor_grants),
		cmocka_unit_test(test_parent_grants_delete),
		cmocka_unit_test(test_parent_grants_nothing_else),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_traverse),
		cmocka_unit_test(test_traverse_order),
		cmocka_unit_test(test_traverse_through_file),
		cmocka_unit_test(test_traverse_meets_link),
		cmocka_unit_test(test_target_is_link),
		cmocka_unit_test(test_kind),
		cmocka_unit_test(test_denial_before_kind),
		cmocka_unit_test(test_directory_check_of_links),
		cmocka_unit_test(test_readonly),
		cmocka_unit_test(test_trailing_backslash),
		cmocka_unit_test(test_kernel_mode),
		cmocka_unit_test(test_descriptor_is_given),
		cmocka_unit_test(test_bad_requests),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
