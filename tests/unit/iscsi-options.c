/* A DeviceName read wrongly opens a port to the world, or serves another disk. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "transport/iscsi/negotiate.h"
#include "transport/iscsi/options.h"

#define IQN "iqn.2026-01.com.example:d"

static struct iscsi_options o;

static int
parse(const char *name)
{
	struct scsi_door_error error = {0};
	int err = iscsi_options_parse(name, &o, &error);

	if (err < 0)
		assert_true(error.text[0] && !strchr(error.text, '\n'));
	return err;
}

static void
expect(const char *name, const char *host, unsigned port, unsigned lun)
{
	assert_int_equal(parse(name), 0);
	assert_string_equal(o.host, host);
	assert_int_equal(o.port, port);
	assert_string_equal(o.iqn, IQN);
	assert_int_equal(o.lun, lun);
}

static void
addresses(void **state)
{
	expect("iscsi:///" IQN, "127.0.0.1", 3260, 0);
	expect("iscsi://:0/" IQN, "127.0.0.1", 0, 0);
	expect("ISCSI://:65535/" IQN "/255", "127.0.0.1", 65535, 255);
	expect("iscsi://0.0.0.0/" IQN "/7", "0.0.0.0", 3260, 7);
	expect("iscsi://[::1]/" IQN, "::1", 3260, 0);
	expect("iscsi://[::1]:99/IQN.2026-01.com.example:D", "::1", 99, 0);
}

static void
names_that_are_none(void **state)
{
	static const char *const bad[] = {
		"iscsi://",
		"iscsi://h",
		"iscsi://h/",
		"iscsi:///x/y",
		"iscsi://:65536/" IQN,
		"iscsi://:x/" IQN,
		"iscsi://h:/" IQN,
		"iscsi://[::1/" IQN,
		"iscsi://[::1]x/" IQN,
		"iscsi:///" IQN "/256",
		"iscsi:///" IQN "/",
		"iscsi:///" IQN "/0x1",
		"iscsi:///" IQN "/-1",
		"iscsi:///" IQN "/0/0",
		"iscsi:///" IQN "?nonsense=1",
		"iscsi:///" IQN "?sessions=0",
		"iscsi:///" IQN "?sessions=4097",
		"iscsi:///" IQN "?timeout=3601",
		"iscsi:///" IQN "?digests=some",
		"iscsi:///" IQN "?auth=",
		"iscsi:///" IQN "?timeout=x",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(parse(bad[i]), -EINVAL);
}

static void
options_and_defaults(void **state)
{
	assert_int_equal(parse("iscsi:///" IQN), 0);
	assert_int_equal(o.target.sessions, 64);
	assert_int_equal(o.target.timeout_s, 30);
	assert_int_equal(o.target.header_digests, ISCSI_DIGEST_NONE | ISCSI_DIGEST_CRC32C);
	assert_string_equal(o.target.auth, "");
	assert_int_equal(parse("iscsi:///" IQN
			       "?sessions=4096&timeout=0&digests=required&auth=/a%3fb"
			       "&allow=iqn.a*,iqn.b&advertise=10.0.0.1:3260"),
			 0);
	assert_int_equal(o.target.sessions, 4096);
	assert_int_equal(o.target.timeout_s, 0);
	assert_int_equal(o.target.data_digests, ISCSI_DIGEST_CRC32C);
	assert_string_equal(o.target.auth, "/a?b");
	assert_string_equal(o.target.advertise, "10.0.0.1:3260");
	assert_true(iscsi_options_allow(o.target.allow, "iqn.abc"));
	assert_true(iscsi_options_allow(o.target.allow, "iqn.b"));
	assert_false(iscsi_options_allow(o.target.allow, "iqn.bc"));
	assert_true(iscsi_options_allow("", "iqn.anyone"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses),
		cmocka_unit_test(names_that_are_none),
		cmocka_unit_test(options_and_defaults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
