/* A value that both sides understand differently corrupts data or hangs: each key, at its limits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "transport/iscsi/negotiate.h"

enum { ANY = ISCSI_DIGEST_NONE | ISCSI_DIGEST_CRC32C };

static char answer[512];

/* One offer in a fresh negotiation; the answer without its NUL, "" for none. */
static enum iscsi_offer
offer_in(struct iscsi_negotiation *n, enum iscsi_phase phase, const char *key, const char *value)
{
	struct buf reply = BUF_INIT;
	struct iscsi_pair pair = {.value = value, .n_value = strlen(value)};
	enum iscsi_key which;

	snprintf(pair.key, sizeof(pair.key), "%s", key);
	enum iscsi_offer offer = iscsi_negotiate(n, phase, &pair, &reply, &which);

	snprintf(answer, sizeof(answer), "%s", buf_str(&reply));
	buf_fini(&reply);
	return offer;
}

static void
expect(const char *key, const char *value, const char *want)
{
	struct iscsi_negotiation n;
	char text[128];

	iscsi_negotiation_init(&n, ANY, ANY);
	assert_int_equal(offer_in(&n, ISCSI_PHASE_OPERATIONAL, key, value), ISCSI_OFFER_DONE);
	snprintf(text, sizeof(text), "%s=%s", key, want);
	assert_string_equal(answer, want[0] ? text : "");
}

static void
each_rule(void **state)
{
	static const char *const rows[][3] = {
		{"MaxConnections", "8", "1"},
		{"MaxConnections", "0", "Reject"},
		{"MaxConnections", "65535", "1"},
		{"MaxConnections", "65536", "Reject"},
		{"InitialR2T", "Yes", "Yes"},
		{"InitialR2T", "No", "No"},
		{"InitialR2T", "Maybe", "Reject"},
		{"ImmediateData", "Yes", "Yes"},
		{"ImmediateData", "No", "No"},
		{"MaxRecvDataSegmentLength", "511", "Reject"},
		{"MaxRecvDataSegmentLength", "512", ""},
		{"MaxRecvDataSegmentLength", "16777215", ""},
		{"MaxRecvDataSegmentLength", "16777216", "Reject"},
		{"MaxBurstLength", "511", "Reject"},
		{"MaxBurstLength", "512", "512"},
		{"MaxBurstLength", "16777215", "1048576"},
		{"MaxBurstLength", "16777216", "Reject"},
		{"FirstBurstLength", "512", "512"},
		{"FirstBurstLength", "16777215", "262144"},
		{"DefaultTime2Wait", "0", "0"},
		{"DefaultTime2Wait", "3600", "3600"},
		{"DefaultTime2Wait", "3601", "Reject"},
		{"DefaultTime2Retain", "20", "0"},
		{"MaxOutstandingR2T", "1", "1"},
		{"MaxOutstandingR2T", "65535", "8"},
		{"MaxOutstandingR2T", "0", "Reject"},
		{"DataPDUInOrder", "No", "Yes"},
		{"DataSequenceInOrder", "No", "Yes"},
		{"ErrorRecoveryLevel", "2", "0"},
		{"ErrorRecoveryLevel", "3", "Reject"},
		{"HeaderDigest", "CRC32C,None", "CRC32C"},
		{"HeaderDigest", "None,CRC32C", "None"},
		{"HeaderDigest", "X-other,None", "None"},
		{"HeaderDigest", "crc32c", "Reject"},
		{"DataDigest", "CRC32C", "CRC32C"},
		{"TaskReporting", "ResponseFence,RFC3720", "RFC3720"},
		{"TaskReporting", "FastAbort", "Reject"},
		{"iSCSIProtocolLevel", "31", "2"},
		{"iSCSIProtocolLevel", "1", "1"},
		{"iSCSIProtocolLevel", "32", "Reject"},
		{"IFMarker", "Yes", "No"},
		{"OFMarker", "No", "No"},
		{"OFMarkInt", "2048~8192", "Reject"},
		{"X-com.example.key", "1", "NotUnderstood"},
		{"RDMAExtensions", "Yes", "NotUnderstood"},
		{"InitiatorAlias", "me", ""},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect(rows[i][0], rows[i][1], rows[i][2]);
}

static void
numbers_may_be_hexadecimal(void **state)
{
	expect("MaxBurstLength", "0x1000", "4096");
	expect("MaxBurstLength", "0x", "Reject");
}

static void
the_first_burst_is_within_the_burst(void **state)
{
	struct iscsi_negotiation n;

	iscsi_negotiation_init(&n, ANY, ANY);
	offer_in(&n, ISCSI_PHASE_OPERATIONAL, "MaxBurstLength", "8192");
	offer_in(&n, ISCSI_PHASE_OPERATIONAL, "FirstBurstLength", "65536");
	assert_string_equal(answer, "FirstBurstLength=8192");
}

static void
once_and_in_its_place(void **state)
{
	struct iscsi_negotiation n;

	iscsi_negotiation_init(&n, ANY, ANY);
	assert_int_equal(offer_in(&n, ISCSI_PHASE_OPERATIONAL, "InitialR2T", "No"),
			 ISCSI_OFFER_DONE);
	assert_int_equal(offer_in(&n, ISCSI_PHASE_OPERATIONAL, "InitialR2T", "No"),
			 ISCSI_OFFER_ILLEGAL);
	assert_int_equal(offer_in(&n, ISCSI_PHASE_SECURITY, "HeaderDigest", "None"),
			 ISCSI_OFFER_ILLEGAL);
	assert_int_equal(offer_in(&n, ISCSI_PHASE_FULL, "MaxBurstLength", "512"),
			 ISCSI_OFFER_ILLEGAL);
	assert_int_equal(offer_in(&n, ISCSI_PHASE_OPERATIONAL, "AuthMethod", "None"),
			 ISCSI_OFFER_ILLEGAL);
	assert_int_equal(offer_in(&n, ISCSI_PHASE_SECURITY, "AuthMethod", "None"),
			 ISCSI_OFFER_YOURS);
	assert_int_equal(offer_in(&n, ISCSI_PHASE_OPERATIONAL, "SendTargets", "All"),
			 ISCSI_OFFER_ILLEGAL);
	assert_int_equal(offer_in(&n, ISCSI_PHASE_OPERATIONAL, "TargetAddress", "x"),
			 ISCSI_OFFER_ILLEGAL);
	/* Declared anew whenever it likes */
	for (int i = 0; i < 2; i++)
		assert_int_equal(offer_in(&n, ISCSI_PHASE_FULL, "MaxRecvDataSegmentLength", "4096"),
				 ISCSI_OFFER_DONE);
	assert_int_equal(n.active[ISCSI_KEY_MAX_RECV_SEGMENT], 4096);
}

static void
discovery_has_no_use_for_most(void **state)
{
	struct iscsi_negotiation n;

	iscsi_negotiation_init(&n, ANY, ANY);
	n.discovery = true;
	offer_in(&n, ISCSI_PHASE_OPERATIONAL, "MaxBurstLength", "8192");
	assert_string_equal(answer, "MaxBurstLength=Irrelevant");
	assert_int_equal(n.active[ISCSI_KEY_MAX_BURST], 262144);
	offer_in(&n, ISCSI_PHASE_OPERATIONAL, "HeaderDigest", "CRC32C");
	assert_string_equal(answer, "HeaderDigest=CRC32C");
}

static void
a_digest_that_is_not_allowed_is_not_taken(void **state)
{
	struct iscsi_negotiation n;

	iscsi_negotiation_init(&n, ISCSI_DIGEST_NONE, ISCSI_DIGEST_CRC32C);
	offer_in(&n, ISCSI_PHASE_OPERATIONAL, "HeaderDigest", "CRC32C,None");
	assert_string_equal(answer, "HeaderDigest=None");
	offer_in(&n, ISCSI_PHASE_OPERATIONAL, "DataDigest", "None");
	assert_string_equal(answer, "DataDigest=Reject");
	assert_int_equal(n.active[ISCSI_KEY_DATA_DIGEST], ISCSI_DIGEST_NONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_rule),
		cmocka_unit_test(numbers_may_be_hexadecimal),
		cmocka_unit_test(the_first_burst_is_within_the_burst),
		cmocka_unit_test(once_and_in_its_place),
		cmocka_unit_test(discovery_has_no_use_for_most),
		cmocka_unit_test(a_digest_that_is_not_allowed_is_not_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
