/* Text that is read wrongly lets a peer choose what it did not say, or stops one that spoke well.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "transport/iscsi/pdu.h"
#include "transport/iscsi/text.h"

static int
first(const char *bytes, size_t n, struct iscsi_pair *pair)
{
	static char copy[1024];
	struct iscsi_text t;

	memcpy(copy, bytes, n);
	copy[n] = 0;
	iscsi_text_begin(&t, copy, n);
	return iscsi_text_next(&t, pair);
}

static void
pairs_follow_each_other(void **state)
{
	static const char text[] = "A=1\0Bee.x=\0\0\0C#c=two=2\0D=no end";
	struct iscsi_text t;
	struct iscsi_pair pair;

	iscsi_text_begin(&t, text, sizeof(text) - 1);
	assert_int_equal(iscsi_text_next(&t, &pair), 1);
	assert_string_equal(pair.key, "A");
	assert_string_equal(pair.value, "1");
	assert_int_equal(iscsi_text_next(&t, &pair), 1);
	assert_string_equal(pair.key, "Bee.x");
	assert_int_equal(pair.n_value, 0);
	assert_int_equal(iscsi_text_next(&t, &pair), 1);
	assert_string_equal(pair.value, "two=2");
	assert_int_equal(iscsi_text_next(&t, &pair), 1);
	assert_string_equal(pair.value, "no end");
	assert_int_equal(pair.n_value, 6);
	assert_int_equal(iscsi_text_next(&t, &pair), 0);
	assert_int_equal(iscsi_text_next(&t, &pair), 0);
}

static void
keys_have_a_form(void **state)
{
	struct iscsi_pair pair;
	char key[80];

	assert_int_equal(first("", 0, &pair), 0);
	assert_int_equal(first("abc", 3, &pair), -EPROTO);
	assert_int_equal(first("=v", 2, &pair), -EPROTO);
	assert_int_equal(first("1a=v", 4, &pair), -EPROTO);
	assert_int_equal(first("a b=v", 5, &pair), -EPROTO);
	assert_int_equal(first("a\xc3=v", 4, &pair), -EPROTO);
	memset(key, 'k', sizeof(key));
	key[63] = '=';
	assert_int_equal(first(key, 64, &pair), 1);
	key[63] = 'k';
	key[64] = '=';
	assert_int_equal(first(key, 65, &pair), -EPROTO);
}

static void
numbers(void **state)
{
	uint32_t n;

	assert_int_equal(iscsi_text_number("0", &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(iscsi_text_number("4294967295", &n), 0);
	assert_int_equal(n, UINT32_MAX);
	assert_int_equal(iscsi_text_number("4294967296", &n), -EINVAL);
	assert_int_equal(iscsi_text_number("0xFfffFFFF", &n), 0);
	assert_int_equal(n, UINT32_MAX);
	assert_int_equal(iscsi_text_number("0x100000000", &n), -EINVAL);
	assert_int_equal(iscsi_text_number("18446744073709551616", &n), -EINVAL);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(iscsi_text_number(
					 (const char *[]){"", "0x", "-1", "+1", " 1", "1 "}[i], &n),
				 -EINVAL);
	assert_int_equal(iscsi_text_bool("Yes", &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(iscsi_text_bool("No", &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(iscsi_text_bool("yes", &n), -EINVAL);
}

static void
binaries(void **state)
{
	uint8_t b[8];

	assert_int_equal(iscsi_text_binary("0x0123ABcd", b, 8), 4);
	assert_memory_equal(b, "\x01\x23\xab\xcd", 4);
	assert_int_equal(iscsi_text_binary("0X123", b, 8), 2);
	assert_memory_equal(b, "\x01\x23", 2);
	assert_int_equal(iscsi_text_binary("0x0123456789abcdef", b, 8), 8);
	assert_int_equal(iscsi_text_binary("0x000123456789abcdef", b, 8), -EINVAL);
	assert_int_equal(iscsi_text_binary("0x0g", b, 8), -EINVAL);
	assert_int_equal(iscsi_text_binary("0x", b, 8), -EINVAL);
	assert_int_equal(iscsi_text_binary("0bAQID", b, 8), 3);
	assert_memory_equal(b, "\1\2\3", 3);
	assert_int_equal(iscsi_text_binary("0bAQI=", b, 8), 2);
	assert_int_equal(iscsi_text_binary("0bAQ==", b, 8), 1);
	assert_int_equal(iscsi_text_binary("0bAQIDBAUGBwg=", b, 8), 8);
	assert_int_equal(iscsi_text_binary("0bAQIDBAUGBwgJ", b, 8), -EINVAL);
	assert_int_equal(iscsi_text_binary("0bA", b, 8), -EINVAL);
	assert_int_equal(iscsi_text_binary("0bA*==", b, 8), -EINVAL);
	assert_int_equal(iscsi_text_binary("0b", b, 8), -EINVAL);
	assert_int_equal(iscsi_text_binary("1234", b, 8), -EINVAL);
}

static void
names_are_small_and_known(void **state)
{
	char name[ISCSI_NAME_MAX + 2], got[ISCSI_NAME_MAX + 1];

	assert_int_equal(iscsi_name_parse("IQN.2026-01.Com.example:A", got), 0);
	assert_string_equal(got, "iqn.2026-01.com.example:a");
	assert_int_equal(iscsi_name_parse("eui.02004567A425678D", got), 0);
	assert_int_equal(iscsi_name_parse("naa.52004567BA64678D", got), 0);
	assert_int_equal(iscsi_name_parse("iqn.", got), -EINVAL);
	assert_int_equal(iscsi_name_parse("abc.2026", got), -EINVAL);
	assert_int_equal(iscsi_name_parse("iqn.a b", got), -EINVAL);
	assert_int_equal(iscsi_name_parse("iqn.a/b", got), -EINVAL);
	memset(name, 'a', sizeof(name));
	memcpy(name, "iqn.", 4);
	name[ISCSI_NAME_MAX] = 0;
	assert_int_equal(iscsi_name_parse(name, got), 0);
	name[ISCSI_NAME_MAX] = 'a';
	name[ISCSI_NAME_MAX + 1] = 0;
	assert_int_equal(iscsi_name_parse(name, got), -EINVAL);
}

static void
the_log_shows_no_control_bytes(void **state)
{
	char dst[32];

	assert_string_equal(iscsi_printable("a\n\x1b\xff\\", 5, dst, sizeof(dst)),
			    "a\\x0a\\x1b\\xff\\x5c");
	iscsi_printable("0123456789012345678901234567890123456789", 40, dst, sizeof(dst));
	assert_true(strlen(dst) < sizeof(dst));
	assert_non_null(strstr(dst, "..."));
}

static void
extended_cdbs_and_what_is_not(void **state)
{
	uint8_t ahs[64] = {0}, dst[16];

	assert_int_equal(iscsi_ahs_parse(ahs, 0, dst, sizeof(dst)), 0);
	/* AHSLength 17: the reserved byte and 16 of CDB */
	put_be16(ahs, 17);
	ahs[2] = ISCSI_AHS_EXTENDED_CDB;
	memset(ahs + 4, 7, 16);
	assert_int_equal(iscsi_ahs_parse(ahs, 20, dst, sizeof(dst)), 16);
	assert_int_equal(dst[15], 7);
	assert_int_equal(iscsi_ahs_parse(ahs, 16, dst, sizeof(dst)), -EPROTO);
	assert_int_equal(iscsi_ahs_parse(ahs, 20, dst, 4), 16);
	ahs[2] = ISCSI_AHS_BIDI_READ;
	assert_int_equal(iscsi_ahs_parse(ahs, 20, dst, sizeof(dst)), -EOPNOTSUPP);
	ahs[2] = 9;
	assert_int_equal(iscsi_ahs_parse(ahs, 20, dst, sizeof(dst)), -EPROTO);
	put_be16(ahs, 0);
	ahs[2] = ISCSI_AHS_EXTENDED_CDB;
	assert_int_equal(iscsi_ahs_parse(ahs, 4, dst, sizeof(dst)), -EPROTO);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pairs_follow_each_other),
		cmocka_unit_test(keys_have_a_form),
		cmocka_unit_test(numbers),
		cmocka_unit_test(binaries),
		cmocka_unit_test(names_are_small_and_known),
		cmocka_unit_test(the_log_shows_no_control_bytes),
		cmocka_unit_test(extended_cdbs_and_what_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
