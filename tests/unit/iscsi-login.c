/* A login that takes a wrong turn lets in who must not, or nobody. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "transport/iscsi/login.h"

#define NAMES "InitiatorName=iqn.2026-01.com.example:i\0TargetName=iqn.2026-01.com.example:t\0"

static struct iscsi_auth auth;
static bool guarded;
static struct iscsi_login login;
static struct iscsi_login_answer answer;

static uint16_t
lookup(void *ctx, const struct iscsi_login *l, struct iscsi_login_policy *ret)
{
	*ret = (struct iscsi_login_policy){
		.auth = guarded ? &auth : NULL, .header_digests = 3, .data_digests = 3};
	return strcmp(l->target, "iqn.2026-01.com.example:t") == 0 ? 0 : ISCSI_LOGIN_NOT_FOUND;
}

static void
begin(bool with_auth)
{
	iscsi_login_fini(&login);
	iscsi_login_init(&login, lookup, NULL);
	guarded = with_auth;
}

static uint16_t
say(uint8_t flags, const char *text, size_t n)
{
	static char copy[40000];
	uint8_t bhs[ISCSI_BHS_SIZE];

	iscsi_pdu_init(bhs, ISCSI_OP_LOGIN_REQUEST, (uint32_t)n, 7);
	bhs[1] = flags;
	bhs[ISCSI_AT_ISID] = 0x80;
	memcpy(copy, text, n);
	copy[n] = 0;
	buf_clear(&answer.text);
	iscsi_login_request(&login, bhs, copy, n, &answer);
	return answer.status;
}
#define SAY(flags, text) say(flags, text, sizeof(text))

/* The value that the answer has for a key; NULL: none. */
static const char *
answered(const char *key)
{
	static struct iscsi_pair pair;
	struct iscsi_text t;

	iscsi_text_begin(&t, buf_str(&answer.text), answer.text.n);
	while (iscsi_text_next(&t, &pair) > 0)
		if (strcmp(pair.key, key) == 0)
			return pair.value;
	return NULL;
}

static void
in_one_step(void **state)
{
	begin(false);
	assert_int_equal(SAY(0x87, NAMES "ErrorRecoveryLevel=2"), 0);
	assert_int_equal(login.stage, ISCSI_STAGE_READY);
	assert_int_equal(answer.flags, 0x87);
	assert_string_equal(answered("ErrorRecoveryLevel"), "0");
	assert_string_equal(answered("TargetPortalGroupTag"), "1");
	assert_string_equal(answered("MaxRecvDataSegmentLength"), "262144");
	assert_null(answered("InitiatorName"));
}

static void
through_both_stages(void **state)
{
	begin(false);
	assert_int_equal(SAY(0x81, NAMES "AuthMethod=CHAP,None"), 0);
	assert_int_equal(answer.flags, 0x81);
	assert_string_equal(answered("AuthMethod"), "None");
	assert_null(answered("MaxRecvDataSegmentLength"));
	assert_int_equal(SAY(0x04, "ImmediateData=No"), 0);
	assert_int_equal(login.stage, ISCSI_STAGE_OPERATIONAL);
	assert_null(answered("TargetPortalGroupTag"));
	assert_int_equal(SAY(0x87, ""), 0);
	assert_int_equal(login.stage, ISCSI_STAGE_READY);
	assert_int_equal(login.values.active[ISCSI_KEY_IMMEDIATE_DATA], 0);
}

static void
a_text_in_several_parts(void **state)
{
	static const char one[] = "InitiatorName=iqn.2026-01.com.example:i\0TargetNa";
	static const char two[] = "me=iqn.2026-01.com.example:t\0MaxBurst";
	static const char three[] = "Length=4096";

	begin(false);
	assert_int_equal(say(0x44, one, sizeof(one) - 1), 0);
	assert_int_equal(answer.text.n, 0);
	assert_int_equal(login.stage, ISCSI_STAGE_START);
	assert_int_equal(say(0x44, two, sizeof(two) - 1), 0);
	assert_int_equal(SAY(0x87, three), 0);
	assert_int_equal(login.stage, ISCSI_STAGE_READY);
	assert_string_equal(answered("MaxBurstLength"), "4096");
}

static void
text_hex(const char *value, uint8_t *dst, size_t *ret_n)
{
	int n = iscsi_text_binary(value, dst, 64);

	assert_true(n > 0);
	*ret_n = (size_t)n;
}

/* CHAP with a secret, up to the answer to our challenge. */
static uint16_t
chap(const char *name, const char *secret, const char *more, size_t n_more, uint8_t flags)
{
	uint8_t challenge[64], digest[ISCSI_CHAP_DIGEST_MAX];
	struct buf text = BUF_INIT;
	size_t n, n_challenge;
	uint16_t status;

	begin(true);
	assert_int_equal(SAY(0x81, NAMES "AuthMethod=None,CHAP"), 0);
	assert_string_equal(answered("AuthMethod"), "CHAP");
	assert_int_equal(answer.flags, 0x00);
	assert_int_equal(SAY(0x00, "CHAP_A=9,7,5"), 0);
	assert_string_equal(answered("CHAP_A"), "7");
	text_hex(answered("CHAP_C"), challenge, &n_challenge);
	n = iscsi_chap_response(7, (uint8_t)atoi(answered("CHAP_I")), secret, challenge,
				n_challenge, digest);
	iscsi_text_add(&text, "CHAP_N", name);
	iscsi_text_add_binary(&text, "CHAP_R", digest, n);
	buf_add(&text, more, n_more);
	status = say(flags, text.s, text.n);
	buf_fini(&text);
	return status;
}

static void
who_has_the_secret_comes_in(void **state)
{
	assert_int_equal(chap("joe", "secret", "", 0, 0x81), 0);
	assert_int_equal(answer.flags, 0x81);
	assert_string_equal(login.user, "joe");
	assert_string_equal(login.method, "CHAP");
	assert_int_equal(chap("joe", "secret", "", 0, 0x83), 0);
	assert_int_equal(login.stage, ISCSI_STAGE_READY);
}

static void
who_has_not_does_not(void **state)
{
	assert_int_equal(chap("joe", "Secret", "", 0, 0x81), ISCSI_LOGIN_AUTHENTICATION);
	assert_int_equal(chap("jim", "secret", "", 0, 0x81), ISCSI_LOGIN_AUTHENTICATION);
	assert_int_equal(chap("jim", "", "", 0, 0x81), ISCSI_LOGIN_AUTHENTICATION);
	/* The target's own secret is none of an initiator's */
	assert_int_equal(chap("me", "mine", "", 0, 0x81), ISCSI_LOGIN_AUTHENTICATION);
	/* Round the security stage; nothing offered; only what is not enough */
	begin(true);
	assert_int_equal(SAY(0x87, NAMES), ISCSI_LOGIN_AUTHENTICATION);
	begin(true);
	assert_int_equal(SAY(0x83, NAMES), ISCSI_LOGIN_AUTHENTICATION);
	begin(true);
	assert_int_equal(SAY(0x81, NAMES "AuthMethod=None"), ISCSI_LOGIN_AUTHENTICATION);
	/* Into the next stage without being asked */
	begin(true);
	assert_int_equal(SAY(0x00, NAMES "AuthMethod=CHAP"), 0);
	assert_int_equal(SAY(0x87, ""), ISCSI_LOGIN_INVALID_REQUEST);
	begin(true);
	assert_int_equal(SAY(0x00, NAMES "AuthMethod=CHAP"), 0);
	assert_int_equal(SAY(0x81, "CHAP_N=joe\0CHAP_R=0x00"), ISCSI_LOGIN_INITIATOR_ERROR);
}

static void
it_also_proves_itself(void **state)
{
	static const char ask[] = "CHAP_I=5\0CHAP_C=0x0102030405060708090a0b0c0d0e0f10";
	uint8_t challenge[16], want[ISCSI_CHAP_DIGEST_MAX], got[64];
	size_t n;

	for (uint8_t i = 0; i < 16; i++)
		challenge[i] = (uint8_t)(i + 1);
	assert_int_equal(chap("joe", "secret", ask, sizeof(ask), 0x81), 0);
	assert_string_equal(answered("CHAP_N"), "me");
	text_hex(answered("CHAP_R"), got, &n);
	assert_int_equal(n, iscsi_chap_response(7, 5, "mine", challenge, 16, want));
	assert_memory_equal(got, want, n);
	/* Half of the question */
	assert_int_equal(chap("joe", "secret", "CHAP_I=5", 9, 0x81), ISCSI_LOGIN_INITIATOR_ERROR);
}

/* Our own challenge sent back would have us compute the answer that we ask for. */
static void
a_reflection_is_refused(void **state)
{
	uint8_t challenge[64], digest[ISCSI_CHAP_DIGEST_MAX];
	struct buf text = BUF_INIT;
	size_t n_challenge, n;

	begin(true);
	assert_int_equal(SAY(0x00, NAMES "AuthMethod=CHAP\0CHAP_A=5"), 0);
	text_hex(answered("CHAP_C"), challenge, &n_challenge);
	n = iscsi_chap_response(5, (uint8_t)atoi(answered("CHAP_I")), "secret", challenge,
				n_challenge, digest);
	iscsi_text_add(&text, "CHAP_N", "joe");
	iscsi_text_add_binary(&text, "CHAP_R", digest, n);
	iscsi_text_add(&text, "CHAP_I", "1");
	iscsi_text_add_binary(&text, "CHAP_C", challenge, n_challenge);
	assert_int_equal(say(0x81, text.s, text.n), ISCSI_LOGIN_AUTHENTICATION);
	buf_fini(&text);
}

static void
digests_must_be_agreed(void **state)
{
	begin(false);
	login.lookup = lookup;
	assert_int_equal(SAY(0x04, NAMES "HeaderDigest=CRC32C"), 0);
	login.values.mine[ISCSI_KEY_DATA_DIGEST] = ISCSI_DIGEST_CRC32C;
	assert_int_equal(SAY(0x87, "DataDigest=None"), ISCSI_LOGIN_INITIATOR_ERROR);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_one_step),
		cmocka_unit_test(through_both_stages),
		cmocka_unit_test(a_text_in_several_parts),
		cmocka_unit_test(who_has_the_secret_comes_in),
		cmocka_unit_test(who_has_not_does_not),
		cmocka_unit_test(it_also_proves_itself),
		cmocka_unit_test(a_reflection_is_refused),
		cmocka_unit_test(digests_must_be_agreed),
	};
	static const char file[] = "user joe secret\nmutual me mine\n";
	char error[100];
	int n_failed;

	iscsi_login_init(&login, lookup, NULL);
	if (iscsi_auth_parse(file, sizeof(file) - 1, &auth, error, sizeof(error)) < 0)
		return 1;
	n_failed = cmocka_run_group_tests(tests, NULL, NULL);
	iscsi_login_fini(&login);
	buf_fini(&answer.text);
	iscsi_auth_fini(&auth);
	return n_failed;
}
