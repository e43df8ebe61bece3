/* A size that is misread makes a disk of the wrong size. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "base/text/size.h"

static void
sizes_are_read(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {{"0", 0}, {"1", 1}, {"4096", 4096}, {"1K", 1024}, {"1k", 1024},
		    {"10G", UINT64_C(10) << 30}, {"512MiB", 512 << 20}, {"3t", UINT64_C(3) << 40},
		    {"8191P", UINT64_C(8191) << 50}, {"9223372036854775807", INT64_MAX}};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		uint64_t bytes = 77;

		assert_int_equal(size_parse(good[i].text, &bytes), 0);
		assert_int_equal(bytes, good[i].bytes);
	}
}

static void
others_are_refused(void **state)
{
	static const struct {
		const char *text;
		int err;
	} bad[] = {{"", -EINVAL}, {"-1", -EINVAL}, {"+1", -EINVAL}, {" 1", -EINVAL},
		   {"1 ", -EINVAL}, {"1.5G", -EINVAL}, {"G", -EINVAL}, {"1Q", -EINVAL},
		   {"1GB", -EINVAL}, {"1Gi", -EINVAL}, {"0x10", -EINVAL}, {"1KK", -EINVAL},
		   {"8192P", -ERANGE}, {"9223372036854775808", -ERANGE},
		   {"99999999999999999999999", -ERANGE}, {"16384P", -ERANGE}};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		uint64_t bytes = 77;

		assert_int_equal(size_parse(bad[i].text, &bytes), bad[i].err);
		assert_int_equal(bytes, 77);
	}
}

static void
sizes_are_shown(void **state)
{
	char text[32];

	assert_string_equal(size_format(0, text, sizeof(text)), "0 bytes");
	assert_string_equal(size_format(1023, text, sizeof(text)), "1023 bytes");
	assert_string_equal(size_format(1024, text, sizeof(text)), "1 KiB");
	assert_string_equal(size_format(1536, text, sizeof(text)), "1.5 KiB");
	assert_string_equal(size_format(UINT64_C(10) << 30, text, sizeof(text)), "10 GiB");
	assert_string_equal(size_format(INT64_MAX, text, sizeof(text)), "8191.9 PiB");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_read),
		cmocka_unit_test(others_are_refused),
		cmocka_unit_test(sizes_are_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
