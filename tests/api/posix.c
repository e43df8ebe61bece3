/* Identities and permissions, through the API; the vectors of the published map. */
#include "tests/api/test.h"
#include "base/text/names.h"
#include "fs/security/posix_map.h"

static void
assert_text(PWSTR text, const char *expected)
{
	char *utf8 = NULL;

	assert_int_equal(utf8_from_utf16(text, &utf8), 0);
	assert_string_equal(utf8, expected);
	free(utf8);
	LocalFree(text);
}

static void
check_sid(UINT32 uid, const char *expected)
{
	PWSTR text;
	PSID sid;
	UINT32 back;

	assert_status(FspPosixMapUidToSid(uid, &sid), STATUS_SUCCESS);
	assert_true(ConvertSidToStringSidW(sid, &text));
	assert_text(text, expected);
	assert_status(FspPosixMapSidToUid(sid, &back), STATUS_SUCCESS);
	assert_int_equal(back, uid);
	FspDeleteSid(sid, (FSP_CREATE_FUNC)FspPosixMapUidToSid);
}

static void
test_unix_sids(void **state)
{
	check_sid(0, "S-1-22-1-0");
	check_sid(18, "S-1-22-1-18");
	check_sid(1000, "S-1-22-1-1000");
	check_sid(4000000000u, "S-1-22-1-4000000000");
}

static void
test_published_sids(void **state)
{
	posix_map_select(POSIX_MAP_PUBLISHED);
	check_sid(18, "S-1-5-18");
	check_sid(544, "S-1-5-32-544");
	check_sid(0x10100, "S-1-1-0");
	check_sid(0x10304, "S-1-3-4");
	check_sid(0x4000A, "S-1-5-64-10");
	check_sid(0x50000, "S-1-5-80-0");
	check_sid(0x63000, "S-1-16-12288");
	check_sid(65534, "S-1-0-65534");
	posix_map_select(POSIX_MAP_UNIX);
}

static void
check_mode(UINT32 uid, UINT32 gid, UINT32 mode, const char *expected)
{
	PSECURITY_DESCRIPTOR sd;
	PWSTR text;
	UINT32 u, g, m;

	assert_status(FspPosixMapPermissionsToSecurityDescriptor(uid, gid, mode, &sd),
		      STATUS_SUCCESS);
	assert_true(ConvertSecurityDescriptorToStringSecurityDescriptorW(sd, SDDL_REVISION_1, 7,
									 &text, NULL));
	assert_text(text, expected);
	assert_status(FspPosixMapSecurityDescriptorToPermissions(sd, &u, &g, &m), STATUS_SUCCESS);
	assert_int_equal(u, uid);
	assert_int_equal(g, gid);
	assert_int_equal(m, mode & 01777);
	FspDeleteSecurityDescriptor(sd,
				    (FSP_CREATE_FUNC)FspPosixMapPermissionsToSecurityDescriptor);
}

#define HEAD "O:SYG:BAD:P"

static void
test_modes(void **state)
{
	posix_map_select(POSIX_MAP_PUBLISHED);
	check_mode(18, 544, 0, HEAD "(A;;0x1f0198;;;SY)(A;;0x120088;;;BA)(A;;0x120088;;;WD)");
	check_mode(18, 544, 0400, HEAD "(A;;0x1f0199;;;SY)(A;;0x120088;;;BA)(A;;0x120088;;;WD)");
	check_mode(18, 544, 0040,
		   HEAD "(A;;0x1f0198;;;SY)(D;;CC;;;SY)(A;;FR;;;BA)(A;;0x120088;;;WD)");
	check_mode(18, 544, 0020,
		   HEAD "(A;;0x1f0198;;;SY)(D;;DCLC;;;SY)(A;;0x12018e;;;BA)(A;;0x120088;;;WD)");
	check_mode(18, 544, 0755, HEAD "(A;;0x1f01bf;;;SY)(A;;0x1200a9;;;BA)(A;;0x1200a9;;;WD)");
	check_mode(18, 544, 0757,
		   HEAD "(A;;0x1f01bf;;;SY)(A;;0x1200a9;;;BA)(D;;DCLCCR;;;BA)(A;;0x1201af;;;WD)");
	check_mode(18, 544, 040755, HEAD "(A;;FA;;;SY)(A;;0x1200a9;;;BA)(A;;0x1200a9;;;WD)");
	check_mode(18, 544, 041777, HEAD "(A;;FA;;;SY)(A;;0x1201af;;;BA)(A;;0x1201af;;;WD)");
	posix_map_select(POSIX_MAP_UNIX);
}

static void
test_overrides(void **state)
{
	UINT32 uid = 1234, back;
	PSID sid, given;

	assert_true(ConvertStringSidToSidW(u"S-1-5-32-545", &sid));
	assert_status(FspPosixSetUidMap(&uid, &sid, 1), STATUS_SUCCESS);
	assert_status(FspPosixMapUidToSid(1234, &given), STATUS_SUCCESS);
	assert_true(EqualSid(sid, given));
	assert_status(FspPosixMapSidToUid(sid, &back), STATUS_SUCCESS);
	assert_int_equal(back, 1234);
	assert_status(FspPosixSetUidMap(&uid, &sid, 9), STATUS_INVALID_PARAMETER);
	assert_status(FspPosixSetUidMap(NULL, NULL, 0), STATUS_SUCCESS);
	FspDeleteSid(given, (FSP_CREATE_FUNC)FspPosixMapUidToSid);
	LocalFree(sid);
}

static void
check_merge(const WCHAR *existing, const char *expected)
{
	PSECURITY_DESCRIPTOR old, sd;
	PWSTR text;

	assert_true(ConvertStringSecurityDescriptorToSecurityDescriptorW(existing, 1, &old, NULL));
	assert_status(FspPosixMergePermissionsToSecurityDescriptor(18, 544, 0, old, &sd),
		      STATUS_SUCCESS);
	assert_true(ConvertSecurityDescriptorToStringSecurityDescriptorW(sd, 1, 7, &text, NULL));
	assert_text(text, expected);
	FspDeleteSecurityDescriptor(sd, NULL);
	LocalFree(old);
}

static void
test_merge(void **state)
{
	posix_map_select(POSIX_MAP_PUBLISHED);
	check_merge(u"", "O:SYG:BA");
	check_merge(u"O:WD", "O:WDG:BA");
	check_merge(u"D:P", "O:SYG:BAD:P");
	posix_map_select(POSIX_MAP_UNIX);
}

/* The lowest bit of an address says that owner or group may be missing. */
static void
test_optional_parts(void **state)
{
	PSECURITY_DESCRIPTOR sd;
	UINT32 uid = 5, gid = 6, mode;

	assert_true(ConvertStringSecurityDescriptorToSecurityDescriptorW(u"D:P(A;;FA;;;WD)", 1,
									 &sd, NULL));
	assert_false(NT_SUCCESS(
		FspPosixMapSecurityDescriptorToPermissions(sd, &uid, &gid, &mode)));
	assert_status(FspPosixMapSecurityDescriptorToPermissions(
			      sd, (PUINT32)((uintptr_t)&uid | 1), (PUINT32)((uintptr_t)&gid | 1),
			      &mode),
		      STATUS_SUCCESS);
	assert_int_equal(uid, 5);
	assert_int_equal(gid, 6);
	LocalFree(sd);
}

static void
test_set_descriptor(void **state)
{
	PSECURITY_DESCRIPTOR old, change, sd;
	PWSTR text;

	assert_true(ConvertStringSecurityDescriptorToSecurityDescriptorW(
		u"O:SYG:BAD:P(A;;FA;;;SY)", 1, &old, NULL));
	assert_true(ConvertStringSecurityDescriptorToSecurityDescriptorW(
		u"O:WDG:WDD:P(A;;FR;;;WD)", 1, &change, NULL));
	assert_status(FspSetSecurityDescriptor(old, DACL_SECURITY_INFORMATION, change, &sd),
		      STATUS_SUCCESS);
	assert_true(ConvertSecurityDescriptorToStringSecurityDescriptorW(sd, 1, 7, &text, NULL));
	assert_text(text, "O:SYG:BAD:P(A;;FR;;;WD)");
	FspDeleteSecurityDescriptor(sd, (FSP_CREATE_FUNC)FspSetSecurityDescriptor);
	assert_status(FspSetSecurityDescriptor(NULL, 4, change, &sd),
		      STATUS_NO_SECURITY_ON_OBJECT);
	LocalFree(old);
	LocalFree(change);
}

static void
test_last_error(void **state)
{
	PSECURITY_DESCRIPTOR sd;
	PSID sid;

	SetLastError(0);
	assert_false(ConvertStringSecurityDescriptorToSecurityDescriptorW(u"O:??", 1, &sd, NULL));
	assert_int_equal(GetLastError(), ERROR_INVALID_SECURITY_DESCR);
	assert_false(ConvertStringSidToSidW(u"S-1", &sid));
	assert_int_equal(GetLastError(), ERROR_INVALID_SID);
}

static void
test_descriptor_parts(void **state)
{
	PSECURITY_DESCRIPTOR sd;
	PSID owner, expected;
	PACL dacl;
	BOOL present, defaulted;

	assert_true(ConvertStringSecurityDescriptorToSecurityDescriptorW(
		u"O:SYG:BAD:P(A;;FA;;;SY)", 1, &sd, NULL));
	assert_true(ConvertStringSidToSidW(u"SY", &expected));
	assert_true(GetSecurityDescriptorOwner(sd, &owner, &defaulted));
	assert_true(EqualSid(owner, expected));
	assert_int_equal(GetLengthSid(owner), 12);
	assert_true(GetSecurityDescriptorDacl(sd, &present, &dacl, &defaulted));
	assert_true(present);
	assert_int_equal(dacl->AceCount, 1);
	assert_true(GetSecurityDescriptorSacl(sd, &present, &dacl, &defaulted));
	assert_false(present);
	LocalFree(expected);
	LocalFree(sd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unix_sids),     cmocka_unit_test(test_published_sids),
		cmocka_unit_test(test_modes),         cmocka_unit_test(test_overrides),
		cmocka_unit_test(test_merge),         cmocka_unit_test(test_optional_parts),
		cmocka_unit_test(test_set_descriptor), cmocka_unit_test(test_last_error),
		cmocka_unit_test(test_descriptor_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
