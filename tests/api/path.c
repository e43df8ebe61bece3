/* Paths cut in place, and paths between the two worlds. */
#include "tests/api/test.h"
#include "base/text/names.h"

struct cut {
	const WCHAR *path, *first, *second;
};

static const WCHAR root[] = u"ROOT";

static void
assert_wide(const WCHAR *a, const WCHAR *b)
{
	assert_int_equal(utf16_compare(a, utf16_len(a), b, utf16_len(b), false), 0);
}

static void
check_cuts(const struct cut *cuts, size_t n, VOID (*cut)(PWSTR, PWSTR *, PWSTR *, PWSTR))
{
	for (size_t i = 0; i < n; i++) {
		WCHAR path[64];
		PWSTR first, second;
		size_t size = (utf16_len(cuts[i].path) + 1) * sizeof(WCHAR);

		memcpy(path, cuts[i].path, size);
		cut(path, &first, &second, (PWSTR)root);
		assert_wide(first, cuts[i].first);
		assert_wide(second, cuts[i].second);
		if (first != root && utf16_len(second) > 0) {
			FspPathCombine(first, second);
			assert_memory_equal(path, cuts[i].path, size);
		}
	}
}

static void
test_prefix(void **state)
{
	static const struct cut cuts[] = {
		{u"", u"", u""},
		{u"\\", u"ROOT", u""},
		{u"\\\\", u"ROOT", u""},
		{u"\\a", u"ROOT", u"a"},
		{u"\\\\a\\", u"ROOT", u"a\\"},
		{u"a\\", u"a", u""},
		{u"a\\\\", u"a", u""},
		{u"a\\b", u"a", u"b"},
		{u"foo", u"foo", u""},
		{u"foo\\bar\\\\baz", u"foo", u"bar\\\\baz"},
	};

	check_cuts(cuts, ARRAY_SIZE(cuts), FspPathPrefix);
}

static void
test_suffix(void **state)
{
	static const struct cut cuts[] = {
		{u"", u"", u""},
		{u"\\", u"ROOT", u""},
		{u"\\\\", u"ROOT", u""},
		{u"\\a", u"ROOT", u"a"},
		{u"\\\\a", u"ROOT", u"a"},
		{u"\\\\a\\", u"\\\\a", u""},
		{u"a\\", u"a", u""},
		{u"a\\b", u"a", u"b"},
		{u"foo\\\\\\bar\\baz", u"foo\\\\\\bar", u"baz"},
		{u"foo", u"foo", u""},
	};

	check_cuts(cuts, ARRAY_SIZE(cuts), FspPathSuffix);
}

/* A run of separators is skipped whole. */
static void
test_runs(void **state)
{
	WCHAR path[] = u"foo\\\\\\bar\\\\baz\\";
	PWSTR prefix, remain;

	FspPathPrefix(path, &prefix, &remain, (PWSTR)root);
	assert_wide(prefix, u"foo");
	assert_wide(remain, u"bar\\\\baz\\");
}

static void
check_both_ways(const char *posix, const WCHAR *windows)
{
	PWSTR wide;
	char *narrow;

	assert_status(FspPosixMapPosixToWindowsPath(posix, &wide), STATUS_SUCCESS);
	assert_wide(wide, windows);
	assert_status(FspPosixMapWindowsToPosixPath(wide, &narrow), STATUS_SUCCESS);
	assert_string_equal(narrow, posix);
	FspPosixDeletePath(wide);
	FspPosixDeletePath(narrow);
}

static void
test_posix_paths(void **state)
{
	check_both_ways("/foo/bar", u"\\foo\\bar");
	check_both_ways("", u"");
	check_both_ways("/a*b?c", u"\\a\uF02Ab\uF03Fc");
	check_both_ways("/back\\slash", u"\\back\uF05Cslash");
	check_both_ways("/\xC3\xA4\xE2\x82\xAC\xF0\x9D\x84\x9E", u"\\\u00e4\u20ac\U0001D11E");
}

/* Without translation only the encoding changes. */
static void
test_posix_plain(void **state)
{
	PWSTR wide;
	char *narrow;

	assert_status(FspPosixMapPosixToWindowsPathEx("/a*", &wide, FALSE), STATUS_SUCCESS);
	assert_wide(wide, u"/a*");
	assert_status(FspPosixMapWindowsToPosixPathEx((PWSTR)u"\\a", &narrow, FALSE),
		      STATUS_SUCCESS);
	assert_string_equal(narrow, "\\a");
	FspPosixDeletePath(wide);
	FspPosixDeletePath(narrow);
}

static void
test_in_place(void **state)
{
	WCHAR path[] = u"\\a\uF03A\uF05Cb";

	FspPosixEncodeWindowsPath(path, ARRAY_SIZE(path) - 1);
	assert_wide(path, u"/a:\\b");
	FspPosixDecodeWindowsPath(path, ARRAY_SIZE(path) - 1);
	assert_wide(path, u"\\a\uF03A\uF05Cb");
}

static void
test_times(void **state)
{
	__int3264 unix_time[2] = {1, 500};
	UINT64 filetime;

	FspPosixUnixTimeToFileTime(unix_time, &filetime);
	assert_true(filetime == 116444736010000005ull);
	FspPosixFileTimeToUnixTime(filetime, unix_time);
	assert_int_equal(unix_time[0], 1);
	assert_int_equal(unix_time[1], 500);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prefix),      cmocka_unit_test(test_suffix),
		cmocka_unit_test(test_runs),        cmocka_unit_test(test_posix_paths),
		cmocka_unit_test(test_posix_plain), cmocka_unit_test(test_in_place),
		cmocka_unit_test(test_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
