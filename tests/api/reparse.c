/* Finding, resolving and replacing reparse points. */
#include "tests/api/test.h"
#include "tests/api/ram.h"
#include "base/text/names.h"
#include "fs/walk.h"

static struct ram ram;
static _Alignas(8) UINT8 buffer[16384];

static int
setup(void **state)
{
	memset(&ram, 0, sizeof(ram));
	ram_add(&ram, u"\\", 0x10, NULL);
	ram_add(&ram, u"\\a", 0x10, NULL);
	ram_add(&ram, u"\\a\\b", 0x10, NULL);
	ram_add(&ram, u"\\a\\b\\file", 0, NULL);
	ram_add_link(&ram, u"\\a\\rel", u"b", FALSE);
	ram_add_link(&ram, u"\\a\\up", u"..\\a\\b", FALSE);
	ram_add_link(&ram, u"\\root", u"\\a\\b", FALSE);
	ram_add_link(&ram, u"\\chain", u"root", FALSE);
	ram_add_link(&ram, u"\\abs", u"\\??\\X:\\dir", TRUE);
	ram_add_link(&ram, u"\\loop", u"loop", FALSE);
	ram_add_link(&ram, u"\\dangling", u"nothing", FALSE);
	return 0;
}

static NTSTATUS
resolve(const WCHAR *name, UINT32 index, BOOLEAN last_too, IO_STATUS_BLOCK *io, SIZE_T *size)
{
	*size = sizeof(buffer);
	return FspFileSystemResolveReparsePoints(NULL, ram_reparse_by_name, &ram, (PWSTR)name,
						 index, last_too, io, buffer, size);
}

static void
expect(const WCHAR *name, UINT32 index, BOOLEAN last_too, const WCHAR *target, ULONG flags)
{
	IO_STATUS_BLOCK io = {0};
	struct fs_symlink link;
	SIZE_T size;

	assert_status(resolve(name, index, last_too, &io, &size), STATUS_REPARSE);
	assert_int_equal(io.Information, IO_REPARSE_TAG_SYMLINK);
	assert_status(fs_reparse_check(buffer, (uint32_t)size), STATUS_SUCCESS);
	assert_true(fs_reparse_symlink(buffer, (uint32_t)size, &link));
	assert_int_equal(utf16_compare(link.substitute, link.n_substitute, target,
				       utf16_len(target), false),
			 0);
	assert_int_equal(link.relative ? SYMLINK_FLAG_RELATIVE : 0, flags);
}

static void
test_relative(void **state)
{
	expect(u"\\a\\rel\\file", 3, TRUE, u"\\a\\b\\file", SYMLINK_FLAG_RELATIVE);
	expect(u"\\a\\up\\file", 3, TRUE, u"\\a\\b\\file", SYMLINK_FLAG_RELATIVE);
}

/* From the root of the volume. */
static void
test_from_root(void **state)
{
	expect(u"\\root\\file", 1, TRUE, u"\\a\\b\\file", SYMLINK_FLAG_RELATIVE);
}

static void
test_chain(void **state)
{
	expect(u"\\chain\\file", 1, TRUE, u"\\a\\b\\file", SYMLINK_FLAG_RELATIVE);
}

/* Where the scan begins: at the link, or at what follows it. */
static void
test_index(void **state)
{
	expect(u"\\a\\rel\\file", 7, TRUE, u"\\a\\b\\file", SYMLINK_FLAG_RELATIVE);
	expect(u"\\a\\rel\\file", 0, TRUE, u"\\a\\b\\file", SYMLINK_FLAG_RELATIVE);
}

static void
test_last_component(void **state)
{
	expect(u"\\chain", 1, TRUE, u"\\a\\b", SYMLINK_FLAG_RELATIVE);
	expect(u"\\chain", 1, FALSE, u"\\chain", SYMLINK_FLAG_RELATIVE);
}

/* An absolute NT path leaves the volume at once. */
static void
test_absolute(void **state)
{
	expect(u"\\abs\\rest", 1, TRUE, u"\\??\\X:\\dir\\rest", 0);
}

static void
test_dots(void **state)
{
	expect(u"\\a\\.\\b\\..\\rel\\file", 0, TRUE, u"\\a\\b\\file", SYMLINK_FLAG_RELATIVE);
	expect(u"\\..\\..\\root\\file", 0, TRUE, u"\\a\\b\\file", SYMLINK_FLAG_RELATIVE);
}

static void
test_missing(void **state)
{
	IO_STATUS_BLOCK io;
	SIZE_T size;

	expect(u"\\dangling", 1, TRUE, u"\\nothing", SYMLINK_FLAG_RELATIVE);
	assert_status(resolve(u"\\dangling\\x", 1, TRUE, &io, &size),
		      STATUS_OBJECT_NAME_NOT_FOUND);
}

static void
test_loop(void **state)
{
	IO_STATUS_BLOCK io;
	SIZE_T size;

	assert_status(resolve(u"\\loop", 1, TRUE, &io, &size), STATUS_REPARSE_POINT_NOT_RESOLVED);
}

static NTSTATUS
chain_of(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name, BOOLEAN is_directory, PVOID dst,
	 PSIZE_T size)
{
	unsigned *left = context;
	WCHAR target[2] = {'n', 0};

	if (*left == 0)
		return STATUS_NOT_A_REPARSE_POINT;
	--*left;
	*size = fs_reparse_build_symlink(target, 1, true, dst, (uint32_t)*size);
	return STATUS_SUCCESS;
}

static NTSTATUS
resolve_chain(unsigned n)
{
	IO_STATUS_BLOCK io;
	SIZE_T size = sizeof(buffer);

	return FspFileSystemResolveReparsePoints(NULL, chain_of, &n, (PWSTR)u"\\n", 1, TRUE, &io,
						 buffer, &size);
}

/* 31 links are followed, one more is not. */
static void
test_limit(void **state)
{
	assert_status(resolve_chain(31), STATUS_REPARSE);
	assert_status(resolve_chain(32), STATUS_REPARSE_POINT_NOT_RESOLVED);
}

static NTSTATUS
fails(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name, BOOLEAN is_directory, PVOID dst,
      PSIZE_T size)
{
	return STATUS_ACCESS_DENIED;
}

static NTSTATUS
mount_point(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name, BOOLEAN is_directory, PVOID dst,
	    PSIZE_T size)
{
	REPARSE_DATA_BUFFER *reparse = dst;

	memset(reparse, 0, 24);
	reparse->ReparseTag = IO_REPARSE_TAG_MOUNT_POINT;
	reparse->ReparseDataLength = 16;
	*size = 24;
	return STATUS_SUCCESS;
}

static void
test_other_answers(void **state)
{
	IO_STATUS_BLOCK io = {0};
	SIZE_T size = sizeof(buffer);

	assert_status(FspFileSystemResolveReparsePoints(NULL, fails, NULL, (PWSTR)u"\\a\\b", 1,
							TRUE, &io, buffer, &size),
		      STATUS_OBJECT_PATH_NOT_FOUND);
	size = sizeof(buffer);
	assert_status(FspFileSystemResolveReparsePoints(NULL, mount_point, NULL, (PWSTR)u"\\a\\bc",
							1, TRUE, &io, buffer, &size),
		      STATUS_REPARSE);
	assert_int_equal(io.Information, IO_REPARSE_TAG_MOUNT_POINT);
	assert_int_equal(size, 24);
	assert_int_equal(((REPARSE_DATA_BUFFER *)(void *)buffer)->Reserved, 6);
}

static void
test_find(void **state)
{
	WCHAR through[] = u"\\a\\rel\\file", last[] = u"\\a\\rel", plain[] = u"\\a\\b\\file";
	UINT32 index = 0;

	assert_true(FspFileSystemFindReparsePoint(NULL, ram_reparse_by_name, &ram, through,
						  &index));
	assert_int_equal(index, 3);
	assert_false(FspFileSystemFindReparsePoint(NULL, ram_reparse_by_name, &ram, last, &index));
	assert_false(
		FspFileSystemFindReparsePoint(NULL, ram_reparse_by_name, &ram, plain, &index));
	assert_true(through[6] == '\\'); /* the name is whole again */
}

static void
test_can_replace(void **state)
{
	REPARSE_GUID_DATA_BUFFER a = {.ReparseTag = 0x1234}, b = {.ReparseTag = 0x1234},
				 link = {.ReparseTag = IO_REPARSE_TAG_SYMLINK};

	assert_status(FspFileSystemCanReplaceReparsePoint(&a, 24, &b, 24), STATUS_SUCCESS);
	b.ReparseGuid.Data4[7] = 1;
	assert_status(FspFileSystemCanReplaceReparsePoint(&a, 24, &b, 24),
		      STATUS_REPARSE_ATTRIBUTE_CONFLICT);
	assert_status(FspFileSystemCanReplaceReparsePoint(&a, 24, &link, 24),
		      STATUS_IO_REPARSE_TAG_MISMATCH);
	assert_status(FspFileSystemCanReplaceReparsePoint(&link, 8, &link, 8), STATUS_SUCCESS);
	assert_status(FspFileSystemCanReplaceReparsePoint(&a, 3, &a, 24),
		      STATUS_IO_REPARSE_DATA_INVALID);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_relative),       cmocka_unit_test(test_from_root),
		cmocka_unit_test(test_chain),          cmocka_unit_test(test_index),
		cmocka_unit_test(test_last_component), cmocka_unit_test(test_absolute),
		cmocka_unit_test(test_dots),           cmocka_unit_test(test_missing),
		cmocka_unit_test(test_loop),           cmocka_unit_test(test_limit),
		cmocka_unit_test(test_other_answers),  cmocka_unit_test(test_find),
		cmocka_unit_test(test_can_replace),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
