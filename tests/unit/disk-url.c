/* Breaks when an iSCSI URL is understood otherwise, or a secret is taken from, or shown
 * by, one. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "tools/disk/iscsi_url.h"

static void
good(void **state UNUSED)
{
	struct disk_iscsi_url u;
	struct disk_error error;

	assert_int_equal(disk_iscsi_url_parse("iscsi://host/iqn.2026-01.org.example:d",
					      &u, &error),
			 0);
	assert_string_equal(u.portal, "host:3260");
	assert_string_equal(u.iqn, "iqn.2026-01.org.example:d");
	assert_int_equal(u.lun, -1);
	assert_false(u.digest);
	assert_int_equal(
		disk_iscsi_url_parse(
			"ISCSI://me@[::1]:5/iqn:a/7?secret-file=%2fx%26y&mutual-user=t&"
			"mutual-secret-file=z&digest=crc32c&initiator=iqn:me",
			&u, &error),
		0);
	assert_string_equal(u.portal, "[::1]:5");
	assert_string_equal(u.iqn, "iqn:a");
	assert_int_equal(u.lun, 7);
	assert_string_equal(u.user, "me");
	assert_string_equal(u.secret_file, "/x&y");
	assert_string_equal(u.mutual_user, "t");
	assert_string_equal(u.mutual_secret_file, "z");
	assert_string_equal(u.initiator, "iqn:me");
	assert_true(u.digest);
	assert_int_equal(
		disk_iscsi_url_parse("iscsi://h/iqn/16383?digest=none", &u, &error), 0);
	assert_int_equal(u.lun, 16383);
}

static void
bad(void **state UNUSED)
{
	static const char *const urls[] = {
		"iscsi://",
		"iscsi://host",
		"iscsi:///iqn/0",
		"iscsi://h/",
		"iscsi://h//0",
		"iscsi://h/iqn/",
		"iscsi://h/iqn/x",
		"iscsi://h/iqn/-1",
		"iscsi://h/iqn/16384",
		"iscsi://h/iqn/999999999",
		"iscsi://h:x/iqn/0",
		"iscsi://h:/iqn/0",
		"iscsi://[::1/iqn/0",
		"iscsi://@h/iqn/0",
		"iscsi://h/iqn/0?",
		"iscsi://h/iqn/0?nonsense=1",
		"iscsi://h/iqn/0?digest=md5",
		"iscsi://h/iqn/0?secret-file=",
		"iscsi://h/iqn/0?secret-file=%0",
		"iscsi://h/iqn/0?secret-file=%00",
		"iscsi://h/i%zz/0",
		"http://h/iqn/0",
	};
	struct disk_iscsi_url u;
	struct disk_error error;

	for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
		/* an empty option list, and an empty value, are no error of form */
		bool allowed = strcmp(urls[i], "iscsi://h/iqn/0?") == 0 ||
			       strcmp(urls[i], "iscsi://h/iqn/0?secret-file=") == 0;
		int err = disk_iscsi_url_parse(urls[i], &u, &error);

		if (err != (allowed ? 0 : -EINVAL))
			fail_msg("%s: %d", urls[i], err);
	}
}

static void
no_secret_in_url(void **state UNUSED)
{
	struct disk_iscsi_url u;
	struct disk_error error;

	assert_int_equal(disk_iscsi_url_parse("iscsi://me%hunter2@h/iqn/0", &u, &error),
			 -EINVAL);
	assert_null(strstr(error.text, "hunter2"));
	assert_non_null(strstr(error.text, "secret-file"));
	assert_int_equal(disk_iscsi_url_parse("iscsi://me:hunter2@h/iqn/0", &u, &error),
			 -EINVAL);
	assert_null(strstr(error.text, "hunter2"));
}

static void
secrets(void **state UNUSED)
{
	char dir[] = "/tmp/userdrive-disk-url.XXXXXX", path[64], secret[256];
	struct disk_error error;
	FILE *file;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/secret", dir);
	unsetenv("DISK_URL_TEST");
	assert_int_equal(disk_secret_read("", "DISK_URL_TEST", secret, &error), -ENOENT);
	setenv("DISK_URL_TEST", "from the environment", 1);
	assert_int_equal(disk_secret_read("", "DISK_URL_TEST", secret, &error), 0);
	assert_string_equal(secret, "from the environment");
	assert_int_equal(disk_secret_read(path, "DISK_URL_TEST", secret, &error),
			 -ENOENT);
	file = fopen(path, "w");
	fputs("from a file\r\nsecond line\n", file);
	fclose(file);
	assert_int_equal(disk_secret_read(path, "DISK_URL_TEST", secret, &error), 0);
	assert_string_equal(secret, "from a file");
	file = fopen(path, "w");
	fputs("\n", file);
	fclose(file);
	assert_int_equal(disk_secret_read(path, "DISK_URL_TEST", secret, &error),
			 -EINVAL);
	unlink(path);
	rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good),
		cmocka_unit_test(bad),
		cmocka_unit_test(no_secret_in_url),
		cmocka_unit_test(secrets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
