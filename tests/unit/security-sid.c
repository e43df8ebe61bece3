/* Breaks when SIDs are misread: every identity decision stands on them. */
#include "tests/unit/security-util.h"

static void
test_text_round_trip(void **state)
{
	static const char *const texts[] = {"S-1-0-0",
					    "S-1-1-0",
					    "S-1-5-18",
					    "S-1-5-32-544",
					    "S-1-22-1-4294967295",
					    "S-1-5-21-1-2-3-1001",
					    "S-1-16-12288",
					    "S-1-4294967295-1",
					    "S-1-0x123456789abc-7",
					    "S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15"};
	char text[SID_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct sid sid = sid_of(texts[i]);

		sid_format(&sid, text);
		assert_string_equal(text, texts[i]);
	}
}

static void
test_aliases(void **state)
{
	static const char *const pairs[][2] = {
		{"WD", "S-1-1-0"},	{"SY", "S-1-5-18"},   {"BA", "S-1-5-32-544"},
		{"BU", "S-1-5-32-545"}, {"AU", "S-1-5-11"},   {"CO", "S-1-3-0"},
		{"CG", "S-1-3-1"},	{"OW", "S-1-3-4"},    {"IU", "S-1-5-4"},
		{"NU", "S-1-5-2"},	{"AN", "S-1-5-7"},    {"AC", "S-1-15-2-1"},
		{"HI", "S-1-16-12288"}, {"LW", "S-1-16-4096"}};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		struct sid a = sid_of(pairs[i][0]), b = sid_of(pairs[i][1]);

		assert_true(sid_equal(&a, &b));
	}
}

static void
test_bad_text_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"S",
		"S-",
		"S-1",
		"S-1-",
		"S-2-5-18",
		"S-1-5-",
		"S-1-5--18",
		"S-1-5-4294967296",
		"S-1-281474976710656-1",
		"S-1-0x12345-1",
		"ZZ",
		"LA",
		"DA",
		"S-1-x",
		"S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15-16"};
	struct sid sid;
	const char *end;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (sid_parse(texts[i], &sid, &end))
			fail_msg("\"%s\" was taken", texts[i]);
}

static void
test_decode_checks_its_bytes(void **state)
{
	uint8_t bytes[68] = {1, 15, 0, 0, 0, 0, 0, 5};
	struct sid sid;

	assert_int_equal(sid_decode(bytes, 68, &sid), 68);
	assert_int_equal(sid_decode(bytes, 67, &sid), 0);
	assert_int_equal(sid_decode(bytes, 7, &sid), 0);
	bytes[1] = 16;
	assert_int_equal(sid_decode(bytes, 68, &sid), 0);
	bytes[1] = 0;
	assert_int_equal(sid_decode(bytes, 8, &sid), 8);
	bytes[0] = 2;
	assert_int_equal(sid_decode(bytes, 68, &sid), 0);
}

static void
test_equal_needs_all_subauthorities(void **state)
{
	struct sid a = sid_make(5, 2, 32u, 544u), b = sid_make(5, 1, 32u),
		   c = sid_make(5, 2, 32u, 545u), d = sid_make(4, 2, 32u, 544u), same = a;

	assert_true(sid_equal(&a, &same));
	assert_false(sid_equal(&a, &b));
	assert_false(sid_equal(&b, &a));
	assert_false(sid_equal(&a, &c));
	assert_false(sid_equal(&a, &d));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_round_trip),
		cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_bad_text_is_refused),
		cmocka_unit_test(test_decode_checks_its_bytes),
		cmocka_unit_test(test_equal_needs_all_subauthorities),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
