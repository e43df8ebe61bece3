/* Breaks when a mount point with odd characters is not recognised, or digits are misread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/text/escape.h"

static void
octal_escapes_become_characters(void **state)
{
	static const struct {
		const char *from, *to;
	} rows[] = {
		{"", ""},
		{"/plain", "/plain"},
		{"/a\\040b\\011c\\012d\\134e", "/a b\tc\nd\\e"},
		{"\\377", "\377"},
		{"\\400", "\\400"}, /* more than a byte */
		{"\\08x", "\\08x"},
		{"\\04", "\\04"},
		{"\\", "\\"},
		{"\\\\040", "\\ "},
	};
	char s[32];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		strcpy(s, rows[i].from);
		unescape_octal(s);
		assert_string_equal(s, rows[i].to);
	}
}

static void
hex_digits_have_values(void **state)
{
	const char digits[] = "0123456789abcdef", big[] = "0123456789ABCDEF";

	for (int i = 0; i < 16; i++) {
		assert_int_equal(hex_digit_value(digits[i]), i);
		assert_int_equal(hex_digit_value(big[i]), i);
	}
	for (const char *s = "/:@G`g x\377"; *s; s++)
		assert_int_equal(hex_digit_value(*s), -1);
	assert_int_equal(hex_digit_value('\0'), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(octal_escapes_become_characters),
		cmocka_unit_test(hex_digits_have_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
