/* A wrong response locks everybody out or lets anybody in; so does a file read wrongly. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "transport/iscsi/chap.h"

/* Computed with another tool: printf '\x27secretsecret12CHALLENGE' | md5sum, sha1sum, sha256sum */
static void
responses(void **state)
{
	static const struct {
		uint32_t algorithm;
		const char *want;
	} rows[] = {
		{ISCSI_CHAP_MD5, "488f978363dd9ab56f754d9895f7c4eb"},
		{ISCSI_CHAP_SHA1, "c26f83c297343ba8b9ec203603f939f7e034dc75"},
		{ISCSI_CHAP_SHA256,
		 "90918607a65cb9bd072488a311b6645a60512eccc25d0fe33f9745b3781c6d3f"},
	};
	uint8_t dst[ISCSI_CHAP_DIGEST_MAX];

	for (size_t i = 0; i < 3; i++) {
		char hex[2 * ISCSI_CHAP_DIGEST_MAX + 1] = "";
		size_t n = iscsi_chap_response(rows[i].algorithm, 0x27, "secretsecret12",
					       (const uint8_t *)"CHALLENGE", 9, dst);

		assert_int_equal(n, iscsi_chap_digest_size(rows[i].algorithm));
		for (size_t k = 0; k < n; k++)
			sprintf(hex + 2 * k, "%02x", dst[k]);
		assert_string_equal(hex, rows[i].want);
	}
	assert_int_equal(iscsi_chap_digest_size(8), 0);
	assert_int_equal(iscsi_chap_response(4, 0, "", NULL, 0, dst), 0);
}

static void
equal_means_all_bytes(void **state)
{
	assert_true(iscsi_chap_equal((const uint8_t *)"abcd", 4, (const uint8_t *)"abcd", 4));
	assert_false(iscsi_chap_equal((const uint8_t *)"abcd", 4, (const uint8_t *)"abce", 4));
	assert_false(iscsi_chap_equal((const uint8_t *)"abcd", 4, (const uint8_t *)"abc", 3));
}

static int
parse(const char *text, struct iscsi_auth *auth)
{
	char error[200];

	memset(auth, 0, sizeof(*auth));
	return iscsi_auth_parse(text, strlen(text), auth, error, sizeof(error));
}

static void
files_that_hold_users(void **state)
{
	struct iscsi_auth auth;

	assert_int_equal(parse("# who\n\n user joe  secret1\r\nuser jim\tsecret2\n"
			       "mutual me secret3",
			       &auth),
			 0);
	assert_int_equal(auth.n_users, 2);
	assert_string_equal(iscsi_auth_find(&auth, "joe")->secret, "secret1");
	assert_string_equal(iscsi_auth_find(&auth, "jim")->secret, "secret2");
	assert_null(iscsi_auth_find(&auth, "jo"));
	assert_string_equal(auth.mutual.name, "me");
	iscsi_auth_fini(&auth);
	assert_int_equal(auth.n_users, 0);
}

static void
files_that_do_not(void **state)
{
	static const char *const bad[] = {
		"",
		"# none\n",
		"mutual me secret\n",
		"user joe\n",
		"user joe a b\n",
		"usr joe a\n",
		"user joe a\nuser joe b\n",
		"user joe a\nmutual me a\n",
		"user j a\nmutual me b\nmutual you c\n",
	};
	struct iscsi_auth auth;
	char text[600] = "user joe ", error[200];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(parse(bad[i], &auth), -EINVAL);
	assert_int_equal(iscsi_auth_parse("user joe a\0b", 12, &auth, error, sizeof(error)),
			 -EINVAL);
	/* 255 bytes of secret, and one more */
	memset(text + 9, 's', 255);
	assert_int_equal(parse(text, &auth), 0);
	iscsi_auth_fini(&auth);
	text[9 + 255] = 's';
	assert_int_equal(parse(text, &auth), -EINVAL);
}

static void
files_that_others_may_read(void **state)
{
	char dir[] = "/tmp/iscsi-chap.XXXXXX", path[64], error[200];
	struct iscsi_auth auth;
	int fd;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/auth", dir);
	assert_int_equal(iscsi_auth_load(path, &auth, error, sizeof(error)), -ENOENT);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "user joe a\n", 11), 11);
	close(fd);
	assert_int_equal(iscsi_auth_load(path, &auth, error, sizeof(error)), 0);
	iscsi_auth_fini(&auth);
	for (mode_t bit = 1; bit < 0100; bit <<= 1) {
		assert_int_equal(chmod(path, 0600 | bit), 0);
		assert_int_equal(iscsi_auth_load(path, &auth, error, sizeof(error)), -EACCES);
		assert_non_null(strstr(error, "chmod"));
	}
	assert_int_equal(iscsi_auth_load(dir, &auth, error, sizeof(error)), -EINVAL);
	unlink(path);
	rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(responses),
		cmocka_unit_test(equal_means_all_bytes),
		cmocka_unit_test(files_that_hold_users),
		cmocka_unit_test(files_that_do_not),
		cmocka_unit_test(files_that_others_may_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
