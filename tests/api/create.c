/* The Create request by disposition, and what follows it: overwrite, cleanup, contexts. */
#include "tests/api/test.h"
#include "tests/api/ram.h"
#include "fs/security/token.h"

#define ALL u"O:S-1-22-1-1G:S-1-22-2-1D:P(A;;FA;;;WD)"

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
	ram_add(&ram, u"\\", FILE_ATTRIBUTE_DIRECTORY, ALL);
	ram_add(&ram, u"\\file", 0, ALL);
	ram_add(&ram, u"\\dir", FILE_ATTRIBUTE_DIRECTORY, ALL);
	ram_add_link(&ram, u"\\link", u"\\file", FALSE);
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
open_file(const WCHAR *name, UINT32 disposition, UINT32 options, UINT32 desired)
{
	exchange_create(&x, name, disposition, options, desired, handle);
	return exchange_run(&x, &ram);
}

static void
test_dispositions(void **state)
{
	static const struct {
		UINT32 disposition;
		NTSTATUS existing, missing;
		UINT32 existing_information;
	} rows[] = {
		{FILE_SUPERSEDE, STATUS_SUCCESS, STATUS_SUCCESS, FILE_SUPERSEDED},
		{FILE_OPEN, STATUS_SUCCESS, STATUS_OBJECT_NAME_NOT_FOUND, FILE_OPENED},
		{FILE_CREATE, STATUS_OBJECT_NAME_COLLISION, STATUS_SUCCESS, 0},
		{FILE_OPEN_IF, STATUS_SUCCESS, STATUS_SUCCESS, FILE_OPENED},
		{FILE_OVERWRITE, STATUS_SUCCESS, STATUS_OBJECT_NAME_NOT_FOUND, FILE_OVERWRITTEN},
		{FILE_OVERWRITE_IF, STATUS_SUCCESS, STATUS_SUCCESS, FILE_OVERWRITTEN},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_status(open_file(u"\\file", rows[i].disposition, 0, FILE_READ_DATA),
			      rows[i].existing);
		if (rows[i].existing == STATUS_SUCCESS)
			assert_int_equal(x.rsp.IoStatus.Information,
					 rows[i].existing_information);
		assert_status(open_file(u"\\new", rows[i].disposition, 0, FILE_READ_DATA),
			      rows[i].missing);
		if (rows[i].missing == STATUS_SUCCESS)
			assert_int_equal(x.rsp.IoStatus.Information, FILE_CREATED);
	}
}

static void
test_unknown_disposition(void **state)
{
	assert_status(open_file(u"\\file", 6, 0, FILE_READ_DATA), STATUS_INVALID_PARAMETER);
}

/* Rights asked only to be allowed to overwrite or delete are not granted. */
static void
test_extra_rights_are_dropped(void **state)
{
	assert_status(open_file(u"\\file", FILE_OVERWRITE, FILE_DELETE_ON_CLOSE, FILE_READ_DATA),
		      STATUS_SUCCESS);
	assert_int_equal(x.rsp.Rsp.Create.Opened.GrantedAccess, FILE_READ_DATA);
	assert_status(open_file(u"\\file", FILE_OPEN, FILE_DELETE_ON_CLOSE, MAXIMUM_ALLOWED),
		      STATUS_SUCCESS);
	assert_true(x.rsp.Rsp.Create.Opened.GrantedAccess & DELETE);
}

static void
test_rights_by_privilege_are_kept(void **state)
{
	exchange_create(&x, u"\\file", FILE_OPEN, 0, FILE_READ_DATA, handle);
	x.req.Req.Create.GrantedAccess = WRITE_DAC;
	assert_status(exchange_run(&x, &ram), STATUS_SUCCESS);
	assert_int_equal(x.rsp.Rsp.Create.Opened.GrantedAccess, FILE_READ_DATA | WRITE_DAC);
}

static void
test_new_file_gets_descriptor(void **state)
{
	assert_status(open_file(u"\\new", FILE_CREATE, 0, MAXIMUM_ALLOWED), STATUS_SUCCESS);
	assert_true(ram.had_sd);
	assert_int_equal(ram.granted_access, FILE_ALL_ACCESS);
}

static void
test_answer_carries_descriptor(void **state)
{
	exchange_create(&x, u"\\file", FILE_OPEN, 0, FILE_READ_DATA, handle);
	x.req.Req.Create.AcceptsSecurityDescriptor = 1;
	assert_status(exchange_run(&x, &ram), STATUS_SUCCESS);
	assert_true(x.rsp.Rsp.Create.Opened.HasSecurityDescriptor);
	assert_true(IsValidSecurityDescriptor(
		x.rsp.Buffer + x.rsp.Rsp.Create.Opened.SecurityDescriptor.Offset));
	assert_int_equal(x.rsp.Size,
			 sizeof(x.rsp) + x.rsp.Rsp.Create.Opened.SecurityDescriptor.Offset +
				 x.rsp.Rsp.Create.Opened.SecurityDescriptor.Size);
}

static void
test_create_checks(void **state)
{
	exchange_create(&x, u"\\new", FILE_CREATE, 0, FILE_READ_DATA, handle);
	x.req.Req.Create.HasTrailingBackslash = 1;
	assert_status(exchange_run(&x, &ram), STATUS_OBJECT_NAME_INVALID);
	exchange_create(&x, u"\\new", FILE_CREATE, FILE_DELETE_ON_CLOSE, DELETE, handle);
	x.req.Req.Create.FileAttributes = FILE_ATTRIBUTE_READONLY;
	assert_status(exchange_run(&x, &ram), STATUS_CANNOT_DELETE);
	assert_status(open_file(u"\\file\\new", FILE_CREATE, 0, FILE_READ_DATA),
		      STATUS_NOT_A_DIRECTORY);
	assert_status(open_file(u"\\missing\\new", FILE_CREATE, 0, FILE_READ_DATA),
		      STATUS_OBJECT_PATH_NOT_FOUND);
}

static void
test_collision_with_directory(void **state)
{
	assert_status(open_file(u"\\dir", FILE_CREATE, FILE_NON_DIRECTORY_FILE, FILE_READ_DATA),
		      STATUS_FILE_IS_A_DIRECTORY);
	assert_status(open_file(u"\\dir", FILE_CREATE, FILE_DIRECTORY_FILE, FILE_READ_DATA),
		      STATUS_OBJECT_NAME_COLLISION);
}

static void
assert_link_answer(void)
{
	REPARSE_DATA_BUFFER *link = (REPARSE_DATA_BUFFER *)(void *)x.rsp.Buffer;

	assert_int_equal(x.rsp.IoStatus.Information, IO_REPARSE_TAG_SYMLINK);
	assert_int_equal(link->ReparseTag, IO_REPARSE_TAG_SYMLINK);
	assert_int_equal(x.rsp.Rsp.Create.Reparse.Buffer.Size,
			 8 + link->ReparseDataLength);
	assert_int_equal(link->SymbolicLinkReparseBuffer.Flags, SYMLINK_FLAG_RELATIVE);
}

static void
test_link_is_resolved(void **state)
{
	assert_status(open_file(u"\\link", FILE_OPEN, 0, FILE_READ_DATA), STATUS_REPARSE);
	assert_link_answer();
	assert_status(open_file(u"\\link", FILE_CREATE, 0, FILE_READ_DATA), STATUS_REPARSE);
	assert_link_answer();
	assert_status(open_file(u"\\link:s", FILE_OPEN, 0, FILE_READ_DATA), STATUS_REPARSE);
	assert_link_answer();
}

static void
test_link_without_resolver(void **state)
{
	NTSTATUS st;

	__typeof__(ram.interface.ResolveReparsePoints) resolve =
		ram.interface.ResolveReparsePoints;
	ram.interface.ResolveReparsePoints = NULL;
	st = open_file(u"\\link", FILE_OPEN, 0, FILE_READ_DATA);
	ram.interface.ResolveReparsePoints = resolve;
	assert_status(st, STATUS_INVALID_DEVICE_REQUEST);
}

/* A stream is created on the rights to its file, and has no descriptor. */
static void
test_stream_create(void **state)
{
	ram.had_sd = TRUE;
	assert_status(open_file(u"\\file:s", FILE_CREATE, 0, FILE_READ_DATA), STATUS_SUCCESS);
	assert_false(ram.had_sd);
}

static void
test_target_directory(void **state)
{
	exchange_create(&x, u"\\dir\\new", FILE_OPEN, 0, FILE_READ_DATA, handle);
	x.req.Req.Create.OpenTargetDirectory = 1;
	assert_status(exchange_run(&x, &ram), STATUS_SUCCESS);
	assert_int_equal(x.rsp.IoStatus.Information, FILE_DOES_NOT_EXIST);
	assert_int_equal(x.rsp.Rsp.Create.Opened.FileInfo.FileAttributes,
			 FILE_ATTRIBUTE_DIRECTORY);
	exchange_create(&x, u"\\file", FILE_OPEN, 0, FILE_READ_DATA, handle);
	x.req.Req.Create.OpenTargetDirectory = 1;
	assert_status(exchange_run(&x, &ram), STATUS_SUCCESS);
	assert_int_equal(x.rsp.IoStatus.Information, FILE_EXISTS);
}

static void
test_missing_operations(void **state)
{
	NTSTATUS st;

	__typeof__(ram.interface.Overwrite) overwrite = ram.interface.Overwrite;
	ram.interface.Overwrite = NULL;
	st = open_file(u"\\file", FILE_OPEN, 0, FILE_READ_DATA);
	ram.interface.Overwrite = overwrite;
	assert_status(st, STATUS_INVALID_DEVICE_REQUEST);
	exchange_init(&x, FspFsctlTransactReadKind, NULL);
	assert_status(exchange_run(&x, &ram), STATUS_INVALID_DEVICE_REQUEST);
}

/* The engine sends nothing more for it, so the library closes. */
static void
test_failed_overwrite_closes(void **state)
{
	unsigned n = ram.n_closes;

	exchange_init(&x, FspFsctlTransactOverwriteKind, u"\\file");
	x.req.Req.Overwrite.UserContext = 42;
	ram.overwrite_status = STATUS_DISK_FULL;
	assert_status(exchange_run(&x, &ram), STATUS_DISK_FULL);
	ram.overwrite_status = STATUS_SUCCESS;
	assert_int_equal(ram.n_closes, n + 1);
	assert_ptr_equal(ram.context, (PVOID)42);
}

static void
test_cleanup_flags(void **state)
{
	exchange_init(&x, FspFsctlTransactCleanupKind, u"\\file");
	x.req.Req.Cleanup.Delete = 1;
	x.req.Req.Cleanup.SetArchiveBit = 1;
	x.req.Req.Cleanup.SetChangeTime = 1;
	assert_status(exchange_run(&x, &ram), STATUS_SUCCESS);
	assert_int_equal(ram.cleanup_flags,
			 FspCleanupDelete | FspCleanupSetArchiveBit | FspCleanupSetChangeTime);
}

static NTSTATUS
open_full(FSP_FILE_SYSTEM *fs, PWSTR name, UINT32 options, UINT32 granted, PVOID *context,
	  FSP_FSCTL_FILE_INFO *info)
{
	FSP_FSCTL_TRANSACT_FULL_CONTEXT *full = *context;

	/* the pair is found by either way */
	assert_ptr_equal(full, context);
	full->UserContext2 = 7;
	info->FileAttributes = 0;
	if (ram_of(fs)->overwrite_status == STATUS_SUCCESS)
		full->UserContext = 6;
	return STATUS_SUCCESS;
}

static void
test_context_modes(void **state)
{
	FSP_FSCTL_VOLUME_PARAMS params = {.Version = sizeof(params)};
	struct ram other;

	params.UmFileContextIsUserContext2 = 1;
	assert_status(ram_create(&other, &params), STATUS_SUCCESS);
	exchange_init(&x, FspFsctlTransactCloseKind, NULL);
	x.req.Req.Close.UserContext = 1;
	x.req.Req.Close.UserContext2 = 2;
	assert_status(exchange_run(&x, &other), STATUS_SUCCESS);
	assert_ptr_equal(other.context, (PVOID)2);
	ram_delete(&other);

	params.UmFileContextIsUserContext2 = 0;
	params.UmFileContextIsFullContext = 1;
	assert_status(ram_create(&other, &params), STATUS_SUCCESS);
	other.interface.Open = open_full;
	other.interface.GetSecurityByName = NULL;
	exchange_create(&x, u"\\file", FILE_OPEN, 0, FILE_READ_DATA, 0);
	assert_status(exchange_run(&x, &other), STATUS_SUCCESS);
	assert_int_equal(x.rsp.Rsp.Create.Opened.UserContext, 6);
	assert_int_equal(x.rsp.Rsp.Create.Opened.UserContext2, 7);
	/* a program that fills one of the two leaves no address in the other */
	other.overwrite_status = STATUS_UNSUCCESSFUL;
	exchange_create(&x, u"\\file", FILE_OPEN, 0, FILE_READ_DATA, 0);
	assert_status(exchange_run(&x, &other), STATUS_SUCCESS);
	assert_int_equal(x.rsp.Rsp.Create.Opened.UserContext, 0);
	ram_delete(&other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dispositions),
		cmocka_unit_test(test_unknown_disposition),
		cmocka_unit_test(test_extra_rights_are_dropped),
		cmocka_unit_test(test_rights_by_privilege_are_kept),
		cmocka_unit_test(test_new_file_gets_descriptor),
		cmocka_unit_test(test_answer_carries_descriptor),
		cmocka_unit_test(test_create_checks),
		cmocka_unit_test(test_collision_with_directory),
		cmocka_unit_test(test_link_is_resolved),
		cmocka_unit_test(test_link_without_resolver),
		cmocka_unit_test(test_stream_create),
		cmocka_unit_test(test_target_directory),
		cmocka_unit_test(test_missing_operations),
		cmocka_unit_test(test_failed_overwrite_closes),
		cmocka_unit_test(test_cleanup_flags),
		cmocka_unit_test(test_context_modes),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
