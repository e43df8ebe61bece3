/* A POSIX name that does not survive the way to UTF-16 and back is a file nobody can
 * open. */
#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/text/names.h"

#define U(literal) (const uint16_t *)(literal), sizeof(literal) / 2 - 1

static void
assert_round_trip(const char *bytes, size_t n, enum text_kind kind)
{
	uint16_t units[64];
	char back[64 * 3];
	int n_units = name_from_posix(bytes, n, kind, units, ARRAY_SIZE(units));

	assert_in_range(n_units, 0, n);
	assert_int_equal(name_from_posix(bytes, n, kind, NULL, 0), n_units);
	for (int i = 0; i < n_units; i++)
		assert_true(units[i] >= 0x20 &&
			    (units[i] > 0x7f || !strchr("\"*:<>?|/", units[i])));
	int n_back = name_to_posix(units, (size_t)n_units, kind, back, sizeof(back));
	assert_int_equal(n_back, n);
	assert_memory_equal(back, bytes, n);
}

static void
assert_maps(const char *bytes, const uint16_t *expected, size_t n_expected,
	    enum text_kind kind)
{
	uint16_t units[64];
	int n = name_from_posix(bytes, strlen(bytes), kind, units, ARRAY_SIZE(units));

	assert_int_equal(n, n_expected);
	assert_memory_equal(units, expected, n_expected * 2);
	assert_round_trip(bytes, strlen(bytes), kind);
}

static void
well_formed_text_is_its_utf16(void **state)
{
	assert_maps("plain.txt", U(u"plain.txt"), TEXT_COMPONENT);
	assert_maps("na\xc3\xafve \xe2\x82\xac \xf0\x9f\x98\x80",
		    U(u"na\u00efve \u20ac \U0001F600"), TEXT_COMPONENT);
}

static void
characters_nt_forbids_travel_in_the_private_area(void **state)
{
	assert_maps("a\x01\x1f\"*:<>?\\|",
		    U(u"a\uf001\uf01f\uf022\uf02a\uf03a\uf03c\uf03e\uf03f\uf05c\uf07c"),
		    TEXT_COMPONENT);
}

static void
paths_change_their_separator(void **state)
{
	assert_maps("/a/b\\c", U(u"\\a\\b\uf05cc"), TEXT_PATH);
}

static void
invalid_bytes_travel_in_the_private_area(void **state)
{
	assert_maps("a\xff\x80\xe2\x82", U(u"a\uf0ff\uf080\uf0e2\uf082"), TEXT_COMPONENT);
	/* Overlong '/', and beyond U+10FFFF. */
	assert_maps("\xc0\xaf\xe0\x80\xaf", U(u"\uf0c0\uf0af\uf0e0\uf080\uf0af"),
		    TEXT_COMPONENT);
	assert_maps("\xf4\x90\x80\x80", U(u"\uf0f4\uf090\uf080\uf080"), TEXT_COMPONENT);
}

static void
real_private_characters_are_not_mistaken(void **state)
{
	/* U+F03A would read back as ':'; U+F041 cannot be mistaken; U+F000 must not end a
	 * name. */
	assert_maps("\xef\x80\xba", U(u"\uf0ef\uf080\uf0ba"), TEXT_COMPONENT);
	assert_maps("\xef\x81\x81", U(u"\uf041"), TEXT_COMPONENT);
	assert_maps("\xef\x80\x80", U(u"\uf000"), TEXT_COMPONENT);
}

static void
surrogate_bytes_do_not_merge(void **state)
{
	static const uint16_t high[] = {0xd83d},
			      escaped[] = {0xf0ed, 0xf0a0, 0xf0bd, 0xde00};

	assert_maps("\xed\xa0\xbd", high, 1, TEXT_COMPONENT);
	assert_maps("\xed\xa0\xbd\xed\xb8\x80", escaped, 4, TEXT_COMPONENT);
}

/* Strings over the bytes at which any decision of the decoder changes, up to four long.
 */
static void
every_mix_of_critical_bytes_round_trips(void **state)
{
	static const uint8_t critical[] = {'/' + 1, 'A',  ':',	0x01, 0x80, 0x81, 0x82,
					   0x83,    0x90, 0x9f, 0xa0, 0xaf, 0xb0, 0xba,
					   0xbf,    0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xed,
					   0xef,    0xf0, 0xf4, 0xf5, 0xff};
	size_t k = ARRAY_SIZE(critical);

	for (size_t i = 0; i < k * k * k * k; i++) {
		char s[4] = {(char)critical[i % k], (char)critical[i / k % k],
			     (char)critical[i / k / k % k],
			     (char)critical[i / k / k / k]};
		uint16_t units[4];
		char back[12];
		int n = name_from_posix(s, 4, TEXT_COMPONENT, units, 4);
		if (n < 0 ||
		    name_to_posix(units, (size_t)n, TEXT_COMPONENT, back, 12) != 4 ||
		    memcmp(back, s, 4) != 0)
			fail_msg("%02x %02x %02x %02x", s[0] & 0xff, s[1] & 0xff,
				 s[2] & 0xff, s[3] & 0xff);
	}
}

static void
random_bytes_round_trip(void **state)
{
	uint32_t seed = 12345;

	for (int round = 0; round < 20000; round++) {
		char s[24];
		for (size_t i = 0; i < sizeof(s); i++) {
			do {
				seed = seed * 1664525 + 1013904223;
				/* Half of them where multi-byte characters live. */
				s[i] = (char)(seed >> 24 | (seed & 0x10000 ? 0x80 : 0));
			} while (s[i] == 0 || s[i] == '/');
		}
		assert_round_trip(s, sizeof(s), TEXT_COMPONENT);
	}
}

/* Every unit that an NT name can hold, alone, unless it stands for a byte. */
static void
nt_units_round_trip(void **state)
{
	for (uint32_t c = 1; c < 0x10000; c++) {
		uint16_t unit = (uint16_t)c, back;
		char bytes[4];
		if (c < 0x20 || (c < 0x80 && strchr("\"*:<>?|\\/", (int)c)) ||
		    (c >= 0xf080 && c <= 0xf0ff))
			continue;
		int n = name_to_posix(&unit, 1, TEXT_COMPONENT, bytes, sizeof(bytes));
		assert_true(n > 0);
		assert_int_equal(
			name_from_posix(bytes, (size_t)n, TEXT_COMPONENT, &back, 1), 1);
		assert_int_equal(back, unit);
	}
}

static void
a_full_buffer_is_told(void **state)
{
	uint16_t units[2];
	char bytes[2];

	assert_int_equal(name_from_posix("abc", 3, TEXT_COMPONENT, units, 2),
			 -ENAMETOOLONG);
	assert_int_equal(name_from_posix("ab", 2, TEXT_COMPONENT, units, 2), 2);
	assert_int_equal(name_to_posix(U(u"\u20ac"), TEXT_COMPONENT, bytes, 2),
			 -ENAMETOOLONG);
}

static void
plain_utf8_conversion_is_strict(void **state)
{
	uint16_t *units;
	char *utf8;

	assert_int_equal(utf16_from_utf8("\xc3\xa9:", &units), 0);
	assert_memory_equal(units, u"\u00e9:", 6);
	assert_int_equal(utf8_from_utf16(units, &utf8), 0);
	assert_string_equal(utf8, "\xc3\xa9:");
	free(units);
	free(utf8);
	assert_int_equal(utf16_from_utf8("\xff", &units), -EILSEQ);
	assert_int_equal(utf16_from_utf8("\xed\xa0\xbd\xed\xb8\x80", &units), -EILSEQ);
	assert_int_equal(utf16_from_utf8("\xed\xa0\xbd", &units), 0);
	assert_int_equal(units[0], 0xd83d);
	free(units);
}

static void
upper_case_is_nts(void **state)
{
	assert_int_equal(utf16_upcase('z'), 'Z');
	assert_int_equal(utf16_upcase('{'), '{');
	assert_int_equal(utf16_upcase(0xe9), 0xc9);
	assert_int_equal(utf16_upcase(0xff), 0x178);
	assert_int_equal(utf16_upcase(0x44f), 0x42f);
	/* Not undone by lower-casing: they stay. */
	assert_int_equal(utf16_upcase(0x131), 0x131);
	assert_int_equal(utf16_upcase(0x17f), 0x17f);
	assert_int_equal(utf16_upcase(0xdf), 0xdf);
	assert_int_equal(utf16_upcase(0xd83d), 0xd83d);
}

static void
upper_case_is_stable(void **state)
{
	for (uint32_t c = 0; c < 0x10000; c++)
		assert_int_equal(utf16_upcase(utf16_upcase((uint16_t)c)),
				 utf16_upcase((uint16_t)c));
}

static void
compare_orders_by_unit(void **state)
{
	assert_true(utf16_compare(U(u"a"), U(u"B"), false) > 0);
	assert_true(utf16_compare(U(u"a"), U(u"B"), true) < 0);
	assert_int_equal(utf16_compare(U(u"\u00e9A"), U(u"\u00c9a"), true), 0);
	assert_true(utf16_compare(U(u"ab"), U(u"abc"), true) < 0);
	assert_true(utf16_compare(U(u"abc"), U(u"ab"), false) > 0);
}

static void
hash_agrees_with_compare(void **state)
{
	assert_int_equal(utf16_hash(U(u"R\u00e9sum\u00e9"), true),
			 utf16_hash(U(u"r\u00c9SUM\u00c9"), true));
	assert_int_not_equal(utf16_hash(U(u"a"), false), utf16_hash(U(u"A"), false));
}

static bool
matches(const char *pattern, const char *name, bool fold_case)
{
	uint16_t p[1200], n[1200];
	size_t np = strlen(pattern), nn = strlen(name);

	for (size_t i = 0; i < np; i++)
		p[i] = (uint8_t)pattern[i];
	for (size_t i = 0; i < nn; i++)
		n[i] = (uint8_t)name[i];
	return utf16_match(p, np, n, nn, fold_case);
}

static void
wildcards_match_as_nt_does(void **state)
{
	static const struct {
		const char *pattern, *name;
		bool expected;
	} cases[] = {
		{"*", "a", true},
		{"*", "", false},
		{"", "", true},
		{"", "a", false},
		{"A", "A", true},
		{"A", "AB", false},
		{"AB", "A", false},
		{"?", "A", true},
		{"?", "AB", false},
		{"A?", "A", false},
		{"??", "AB", true},
		{"*.C", "X.C", true},
		{"*.C", "X.CC", false},
		{"*A*B*", "XXAYYBZZ", true},
		{"*A*B*", "XXBYYAZZ", false},
		{"*AB", "AAAB", true},
		{"A**", "A", true},
		/* DOS_STAR stops before the last period. */
		{"<", "AB", true},
		{"<", "A.B", false},
		{"<.B", "A.B", true},
		{"<.C", "A.B.C", true},
		{"<.B", "A.B.C", false},
		{"<C", "A.BC", false},
		{"*A<B", "A.AB", true},
		{"<.", "AB", false},
		{"<\"", "AB", true},
		{"<\"*", "A.B.C", true},
		/* DOS_QM gives way to a period and to the end. */
		{">>>", "AB", true},
		{">>>", "ABCD", false},
		{">>>.X", "A.X", true},
		{">>", "A.", false},
		{"A>\">>>", "A", true},
		{">.>", "A.", true},
		/* DOS_DOT is a period or the end. */
		{"A\"", "A", true},
		{"A\"", "A.", true},
		{"A\"", "AB", false},
		{"A\"B", "A.B", true},
		{"A\"\"", "A", true},
		{"\"A", "A", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (matches(cases[i].pattern, cases[i].name, false) != cases[i].expected)
			fail_msg("'%s' against '%s'", cases[i].pattern, cases[i].name);
}

static void
match_folds_the_name_only(void **state)
{
	assert_true(matches("AB*", "abc", true));
	assert_false(matches("AB*", "abc", false));
	assert_false(matches("ab*", "abc", true));
}

static void
hostile_patterns_end_soon(void **state)
{
	char pattern[1001], name[1001];

	for (size_t i = 0; i < 1000; i++) {
		pattern[i] = i % 2 ? 'A' : '*';
		name[i] = 'A';
	}
	pattern[999] = 'B';
	pattern[1000] = name[1000] = 0;
	assert_false(matches(pattern, name, false));
	pattern[999] = '*';
	assert_true(matches(pattern, name, false));
}

static void
longest_name_matches(void **state)
{
	char name[1025];

	memset(name, 'A', 1024);
	name[1024] = 0;
	assert_false(matches("*A", name, false));
	name[1023] = 0;
	assert_true(matches("*A", name, false));
	assert_true(matches("*A<", name, false));
}

static void
wildcards_are_found(void **state)
{
	assert_true(utf16_has_wildcards(U(u"a>")));
	assert_false(utf16_has_wildcards(U(u"a\u013f.b|")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(well_formed_text_is_its_utf16),
		cmocka_unit_test(characters_nt_forbids_travel_in_the_private_area),
		cmocka_unit_test(paths_change_their_separator),
		cmocka_unit_test(invalid_bytes_travel_in_the_private_area),
		cmocka_unit_test(real_private_characters_are_not_mistaken),
		cmocka_unit_test(surrogate_bytes_do_not_merge),
		cmocka_unit_test(every_mix_of_critical_bytes_round_trips),
		cmocka_unit_test(random_bytes_round_trip),
		cmocka_unit_test(nt_units_round_trip),
		cmocka_unit_test(a_full_buffer_is_told),
		cmocka_unit_test(plain_utf8_conversion_is_strict),
		cmocka_unit_test(upper_case_is_nts),
		cmocka_unit_test(upper_case_is_stable),
		cmocka_unit_test(compare_orders_by_unit),
		cmocka_unit_test(hash_agrees_with_compare),
		cmocka_unit_test(wildcards_match_as_nt_does),
		cmocka_unit_test(match_folds_the_name_only),
		cmocka_unit_test(hostile_patterns_end_soon),
		cmocka_unit_test(longest_name_matches),
		cmocka_unit_test(wildcards_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
