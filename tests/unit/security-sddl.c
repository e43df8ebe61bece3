/* Breaks when descriptors as text (options, logs, registry) are misread or miswritten. */
#include "tests/unit/security-util.h"

static void
assert_becomes(const char *text, const char *expected)
{
	assert_sd_text(sd_of(text), expected);
}

static void
test_round_trips(void **state)
{
	static const char *const texts[] = {
		"",
		"O:SYG:BA",
		"O:S-1-22-1-0G:S-1-22-2-1000D:P(A;;FA;;;WD)",
		"D:",
		"D:NO_ACCESS_CONTROL",
		"D:PNO_ACCESS_CONTROL",
		"D:PARAI(A;OICI;FA;;;SY)(A;OICIIOID;GA;;;CO)(D;NP;0x1200a9;;;BU)",
		"D:(A;OICIIO;SDGXGWGR;;;AU)(A;;LC;;;AU)",
		"D:(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;SY)",
		"D:(A;;;;;WD)",
		"D:(A;;FR;;;WD)(A;;FW;;;WD)(A;;FX;;;WD)(A;;0x120088;;;WD)",
		"O:BAG:SYD:(A;;FA;;;BA)S:P(AU;SAFA;FA;;;WD)(ML;;NWNX;;;HI)",
		"S:NO_ACCESS_CONTROL",
		"D:(OA;CI;RPWP;;;WD)",
		"D:(OA;;CR;00299570-246d-11d0-a768-00aa006e0529;;WD)",
		"D:(OD;;WP;;bf967a86-0de6-11d0-a285-00aa003049e2;S-1-22-1-0)(A;;FA;;;WD)",
		("S:(OU;SA;WP;00299570-246d-11d0-a768-00aa006e0529;"
		 "bf967a86-0de6-11d0-a285-00aa003049e2;BA)"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_becomes(texts[i], texts[i]);
}

static void
test_other_spellings(void **state)
{
	assert_becomes("G:S-1-5-32-544 O:s-1-5-18", "O:SYG:BA");
	assert_becomes("D: P ( A ; OI CI ; 0x1F01FF ; ; ; WD )", "D:P(A;OICI;FA;;;WD)");
	assert_becomes("D:(A;;GAFA;;;WD)", "D:(A;;0x101f01ff;;;WD)");
	assert_becomes("D:(A;;2032127;;;WD)", "D:(A;;FA;;;WD)");
	assert_becomes("D:(A;;017;;;WD)", "D:(A;;CCDCLCSW;;;WD)");
	assert_becomes("D:(A;;KR;;;WD)", "D:(A;;CCSWRPRC;;;WD)");
	assert_becomes("D:AIP(A;;RCSD;;;WD)", "D:PAI(A;;SDRC;;;WD)");
}

static void
test_errors_name_their_place(void **state)
{
	static const struct {
		const char *text;
		size_t bad;
		NTSTATUS st;
	} v[] = {
		{"X:SY", 0, STATUS_INVALID_SECURITY_DESCR},
		{"OSY", 1, STATUS_INVALID_SECURITY_DESCR},
		{"O:", 2, STATUS_INVALID_SECURITY_DESCR},
		{"O:ZZ", 2, STATUS_INVALID_SECURITY_DESCR},
		{"O:SYO:SY", 6, STATUS_INVALID_SECURITY_DESCR},
		{"D:D:", 4, STATUS_INVALID_SECURITY_DESCR},
		{"D:(A;;FA;00299570-246d-11d0-a768-00aa006e0529;;WD)", 9,
		 STATUS_INVALID_SECURITY_DESCR}, /* not an object entry */
		{"D:(OA;;FA;00299570-246d-11d0-a768-00aa006e052;;WD)", 44,
		 STATUS_INVALID_SECURITY_DESCR},
		{"D:(OA;;FA;00299570246d-11d0-a768-00aa006e0529;;WD)", 18,
		 STATUS_INVALID_SECURITY_DESCR},
		{"D:(XA;;FA;;;WD;(1))", 3, STATUS_INVALID_SECURITY_DESCR}, /* conditional */
		{"O:LA", 2, STATUS_NONE_MAPPED},
		{"D:(A;;FA;;;DA)", 11, STATUS_NONE_MAPPED},
		{"D:(Q;;FA;;;WD)", 3, STATUS_INVALID_SECURITY_DESCR},
		{"D:(A;QQ;FA;;;WD)", 5, STATUS_INVALID_SECURITY_DESCR},
		{"D:(A;;QQ;;;WD)", 6, STATUS_INVALID_SECURITY_DESCR},
		{"D:(A;;0x100000000;;;WD)", 6, STATUS_INVALID_SECURITY_DESCR},
		{"D:(A;;FA;11;;WD)", 9, STATUS_INVALID_SECURITY_DESCR},
		{"D:(A;;FA;;;WD", 13, STATUS_INVALID_SECURITY_DESCR},
		{"D:(A;;FA;;;WD)x", 14, STATUS_INVALID_SECURITY_DESCR},
		{"D:(XA;;FA;;;WD;(1))", 3, STATUS_INVALID_SECURITY_DESCR},
	};

	for (size_t i = 0; i < ARRAY_SIZE(v); i++) {
		void *sd = NULL;
		size_t size, bad = 999;
		NTSTATUS st = sddl_parse(v[i].text, &sd, &size, &bad);

		if (st != v[i].st || bad != v[i].bad)
			fail_msg("%s: status %x at %zu", v[i].text, (unsigned)st, bad);
		assert_null(sd);
		assert_int_equal(sddl_parse(v[i].text, &sd, &size, NULL), v[i].st);
	}
}

static void
test_only_asked_parts_are_written(void **state)
{
	void *sd = sd_of("O:SYG:BAD:P(A;;FA;;;WD)S:(AU;SA;FA;;;WD)");
	static const char *const expected[] = {[SD_OWNER] = "O:SY",
					       [SD_GROUP] = "G:BA",
					       [SD_DACL] = "D:P(A;;FA;;;WD)",
					       [SD_SACL] = "S:(AU;SA;FA;;;WD)",
					       [SD_OWNER | SD_GROUP] = "O:SYG:BA",
					       [0] = ""};

	for (uint32_t info = 0; info < ARRAY_SIZE(expected); info++) {
		char *text = NULL;

		if (!expected[info])
			continue;
		assert_int_equal(sddl_format(sd, info, &text), STATUS_SUCCESS);
		assert_string_equal(text, expected[info]);
		free(text);
	}
	free(sd);
}

/* AclSize has 16 bits: the text of more entries is refused, that of fewer is not. */
/* The bytes of a GUID, and an object entry that lies about its inside. */
static void
test_object_entries_on_the_wire(void **state)
{
	const char *text = "D:(OA;;CR;00299570-246d-11d0-a768-00aa006e0529;;WD)";
	static const uint8_t guid[] = {0x70, 0x95, 0x29, 0x00, 0x6d, 0x24, 0xd0, 0x11,
				       0xa7, 0x68, 0x00, 0xaa, 0x00, 0x6e, 0x05, 0x29};
	uint8_t *sd = sd_of(text), *ace;
	char *again = NULL;

	/* header, ACL of revision 4, then the entry */
	assert_int_equal(sd[20], 4);
	ace = sd + 28;
	assert_int_equal(ace[0], 5);
	assert_int_equal(ace[8], 1);
	assert_memory_equal(ace + 12, guid, sizeof(guid));
	ace[8] = 3; /* a second GUID where the SID is */
	assert_int_equal(sddl_format(sd, SD_DACL, &again), STATUS_INVALID_ACL);
	ace[8] = 4;
	assert_int_equal(sddl_format(sd, SD_DACL, &again), STATUS_INVALID_ACL);
	ace[8] = 0; /* the GUID is no SID */
	assert_int_equal(sddl_format(sd, SD_DACL, &again), STATUS_INVALID_ACL);
	free(sd);
}

static void
test_too_many_entries(void **state)
{
	static const char ace[] = "(A;;FA;;;WD)"; /* 20 bytes */
	size_t fit = (65535 - 8) / 20, len = strlen(ace);
	char *text = malloc(3 + (fit + 1) * len);
	void *sd = NULL;
	size_t size;

	memcpy(text, "D:", 3);
	for (size_t i = 0; i < fit - 3;
	     i++) /* and the header must fit into 64 KiB, too */
		memcpy(text + 2 + i * len, ace, len + 1);
	assert_int_equal(sddl_parse(text, &sd, &size, NULL), STATUS_SUCCESS);
	assert_true(sd_valid(sd, size));
	free(sd);
	sd = NULL;
	for (size_t i = fit - 3; i < fit + 1; i++)
		memcpy(text + 2 + i * len, ace, len + 1);
	assert_int_equal(sddl_parse(text, &sd, &size, NULL),
			 STATUS_INVALID_SECURITY_DESCR);
	assert_null(sd);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_other_spellings),
		cmocka_unit_test(test_errors_name_their_place),
		cmocka_unit_test(test_only_asked_parts_are_written),
		cmocka_unit_test(test_object_entries_on_the_wire),
		cmocka_unit_test(test_too_many_entries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
