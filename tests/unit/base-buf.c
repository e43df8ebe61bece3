/* JSON that a file's name can break is JSON no script can trust. */
#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/buf.h"

static void
assert_json(const char *bytes, size_t n, const char *expected)
{
	struct buf b = BUF_INIT;

	buf_json_bytes(&b, bytes, n);
	assert_int_equal(buf_error(&b), 0);
	assert_string_equal(buf_str(&b), expected);
	buf_fini(&b);
}

static void
empty_buffer_is_the_empty_string(void **state)
{
	struct buf b = BUF_INIT;

	assert_string_equal(buf_str(&b), "");
	buf_add(&b, NULL, 0);
	assert_string_equal(buf_str(&b), "");
	buf_fini(&b);
}

static void
text_grows(void **state)
{
	struct buf b = BUF_INIT;

	for (int i = 0; i < 1000; i++)
		buf_printf(&b, "%d,", i % 10);
	assert_int_equal(b.n, 2000);
	assert_int_equal(strlen(buf_str(&b)), 2000);
	assert_memory_equal(b.s + 1980, "0,1,2,3,4,5,6,7,8,9,", 21);
	buf_clear(&b);
	assert_string_equal(buf_str(&b), "");
	buf_fini(&b);
}

static void
json_escapes_what_it_must(void **state)
{
	assert_json("a\"b\\c\n\x01\x7f", 8, "\"a\\\"b\\\\c\\u000a\\u0001\\u007f\"");
	assert_json("a\0b", 3, "\"a\\u0000b\"");
	assert_json("\xc3\xa9\xf0\x9f\x98\x80", 6, "\"\xc3\xa9\xf0\x9f\x98\x80\"");
}

static void
json_replaces_bytes_that_are_no_text(void **state)
{
	assert_json("\xff", 1, "\"\\ufffd\"");
	assert_json("\xc3", 1, "\"\\ufffd\"");
	assert_json("\xed\xa0\x80", 3, "\"\\ufffd\\ufffd\\ufffd\"");
	assert_json("\xc0\xafz", 3, "\"\\ufffd\\ufffdz\"");
}

static void
a_failure_sticks_until_cleared(void **state)
{
	struct buf b = BUF_INIT;

	buf_add(&b, "x", SIZE_MAX);
	assert_int_equal(buf_error(&b), -ENOMEM);
	buf_printf(&b, "y");
	assert_int_equal(buf_error(&b), -ENOMEM);
	buf_clear(&b);
	buf_printf(&b, "y");
	assert_int_equal(buf_error(&b), 0);
	assert_string_equal(buf_str(&b), "y");
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_buffer_is_the_empty_string),
		cmocka_unit_test(text_grows),
		cmocka_unit_test(json_escapes_what_it_must),
		cmocka_unit_test(json_replaces_bytes_that_are_no_text),
		cmocka_unit_test(a_failure_sticks_until_cleared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
