/* Breaks when a new file starts with rights that its folder or its creator did not mean.
 */
#include "tests/unit/security-util.h"

#include "fs/security/token.h"

static struct token *
creator_token(uint32_t privileges)
{
	struct sid user = sid_of("S-1-22-1-7"), group = sid_of("S-1-22-2-8");
	struct token *token = NULL;

	assert_int_equal(token_create(&user, &group, 1, privileges, &token),
			 STATUS_SUCCESS);
	return token;
}

static NTSTATUS
inherit(const char *parent_text, const char *creator_text, bool is_directory,
	uint32_t privileges, void **ret_sd)
{
	void *parent = parent_text ? sd_of(parent_text) : NULL;
	void *creator = creator_text ? sd_of(creator_text) : NULL;
	struct token *token = creator_token(privileges);
	size_t size = 0;
	NTSTATUS st = sd_inherit(parent, creator, is_directory, token, ret_sd, &size);

	if (NT_SUCCESS(st))
		assert_true(sd_valid(*ret_sd, size));
	token_unref(token);
	free(parent);
	free(creator);
	return st;
}

#define ME "O:S-1-22-1-7G:S-1-22-2-8"
#define DEFAULT "D:(A;;FA;;;SY)(A;;FA;;;S-1-22-1-7)"

static void
test_inherited_dacl(void **state)
{
	static const struct {
		const char *parent, *file, *directory;
	} v[] = {
		{"D:(A;OICI;FR;;;WD)", "D:(A;;FR;;;WD)", "D:(A;OICI;FR;;;WD)"},
		{"D:(A;OI;FR;;;WD)", "D:(A;;FR;;;WD)", "D:(A;OIIO;FR;;;WD)"},
		{"D:(A;CI;FR;;;WD)", DEFAULT, "D:(A;CI;FR;;;WD)"},
		{"D:(A;OICINP;FR;;;WD)", "D:(A;;FR;;;WD)", "D:(A;;FR;;;WD)"},
		{"D:(A;OINP;FR;;;WD)", "D:(A;;FR;;;WD)", DEFAULT},
		{"D:(A;OICIIO;FR;;;WD)", "D:(A;;FR;;;WD)", "D:(A;OICI;FR;;;WD)"},
		{"D:(A;;FR;;;WD)", DEFAULT, DEFAULT},
		{"D:(A;IO;FR;;;WD)", DEFAULT, DEFAULT},
		{"D:", DEFAULT, DEFAULT},
		{"D:NO_ACCESS_CONTROL", DEFAULT, DEFAULT},
		{"D:(A;OICI;FR;;;CO)", "D:(A;;FR;;;S-1-22-1-7)",
		 "D:(A;;FR;;;S-1-22-1-7)(A;OICIIO;FR;;;CO)"},
		{"D:(A;OICINP;FR;;;CG)", "D:(A;;FR;;;S-1-22-2-8)",
		 "D:(A;;FR;;;S-1-22-2-8)"},
		{"D:(A;OICI;GR;;;WD)", "D:(A;;FR;;;WD)",
		 "D:(A;;FR;;;WD)(A;OICIIO;GR;;;WD)"},
		{"D:P(D;OICI;FW;;;BU)(A;OICI;FA;;;WD)", "D:(D;;FW;;;BU)(A;;FA;;;WD)",
		 "D:(D;OICI;FW;;;BU)(A;OICI;FA;;;WD)"},
		{"D:(A;OICIID;FR;;;WD)", "D:(A;;FR;;;WD)", "D:(A;OICI;FR;;;WD)"},
		{"D:AI(A;OICIID;FR;;;WD)", "D:AI(A;ID;FR;;;WD)",
		 "D:AI(A;OICIID;FR;;;WD)"},
		{"D:AI(A;OICI;FR;;;CO)", "D:AI(A;ID;FR;;;S-1-22-1-7)",
		 "D:AI(A;ID;FR;;;S-1-22-1-7)(A;OICIIOID;FR;;;CO)"},
	};
	char expected[256];

	for (size_t i = 0; i < ARRAY_SIZE(v); i++) {
		void *sd = NULL;

		assert_int_equal(inherit(v[i].parent, NULL, false, 0, &sd),
				 STATUS_SUCCESS);
		snprintf(expected, sizeof(expected), ME "%s", v[i].file);
		assert_sd_text(sd, expected);
		assert_int_equal(inherit(v[i].parent, "", true, 0, &sd), STATUS_SUCCESS);
		snprintf(expected, sizeof(expected), ME "%s", v[i].directory);
		assert_sd_text(sd, expected);
	}
}

static void
test_creator_wins(void **state)
{
	static const char parent[] = "O:BAG:BAD:AI(A;OICI;FA;;;WD)";
	static const char *const v[][2] = {
		{"D:P(A;;FR;;;WD)", ME "D:P(A;;FR;;;WD)"},
		{"D:(A;;FR;;;WD)", ME "D:(A;;FR;;;WD)"},
		{"D:", ME "D:"},
		{"D:NO_ACCESS_CONTROL", ME "D:NO_ACCESS_CONTROL"},
		{"D:(A;;GA;;;CO)", ME "D:(A;;FA;;;S-1-22-1-7)"},
		{"D:(A;CI;GR;;;WD)", ME "D:(A;;FR;;;WD)(A;CIIO;GR;;;WD)"},
		{"D:(A;CIIO;GR;;;CO)", ME "D:(A;CIIO;GR;;;CO)"},
		{"D:AR(A;;FR;;;BU)(A;ID;FX;;;BU)",
		 ME "D:AI(A;;FR;;;BU)(A;OICIID;FA;;;WD)"},
		{"D:PAR(A;;FR;;;BU)", ME "D:P(A;;FR;;;BU)"},
		{"G:BU", "O:S-1-22-1-7G:BUD:AI(A;OICIID;FA;;;WD)"},
		{"O:S-1-22-1-7", ME "D:AI(A;OICIID;FA;;;WD)"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(v); i++) {
		void *sd = NULL;

		assert_int_equal(inherit(parent, v[i][0], true, 0, &sd), STATUS_SUCCESS);
		assert_sd_text(sd, v[i][1]);
	}
}

static void
test_owner_must_be_the_caller(void **state)
{
	void *sd = NULL;

	assert_int_equal(inherit(NULL, "O:BA", false, 0, &sd), STATUS_INVALID_OWNER);
	assert_int_equal(inherit(NULL, "O:S-1-22-2-8", false, 0, &sd),
			 STATUS_INVALID_OWNER);
	assert_int_equal(inherit(NULL, "O:BAD:P", false, TOKEN_RESTORE, &sd),
			 STATUS_SUCCESS);
	assert_sd_text(sd, "O:BAG:S-1-22-2-8D:P");
}

static void
test_sacl_needs_its_privilege(void **state)
{
	static const char sacl[] = "D:PS:(AU;OICISA;FA;;;WD)";
	void *sd = NULL;

	assert_int_equal(inherit(NULL, sacl, true, 0, &sd), STATUS_PRIVILEGE_NOT_HELD);
	assert_int_equal(inherit(NULL, sacl, true, TOKEN_SECURITY, &sd), STATUS_SUCCESS);
	assert_sd_text(sd, ME "D:PS:(AU;OICISA;FA;;;WD)");
	assert_int_equal(inherit(sacl, "D:P", false, 0, &sd), STATUS_SUCCESS);
	assert_sd_text(sd, ME "D:PS:(AU;SA;FA;;;WD)");
}

static void
test_nobody_says_anything(void **state)
{
	void *sd = NULL;
	size_t size;

	assert_int_equal(inherit(NULL, NULL, false, 0, &sd), STATUS_SUCCESS);
	assert_sd_text(sd, ME DEFAULT);
	assert_int_equal(sd_inherit(NULL, NULL, false, NULL, &sd, &size), STATUS_SUCCESS);
	assert_sd_text(sd, "");
}

/* A folder can hand down a DACL that doubles; past 64 KiB that is an error, not a cut. */
static void
test_result_too_large(void **state)
{
	enum { N = 2000 };
	struct sd_ace *aces = calloc(N, sizeof(*aces));
	void *parent = NULL, *sd = NULL;
	size_t size;

	for (unsigned i = 0; i < N; i++)
		aces[i] = (struct sd_ace){
			.flags = 3, .mask = 0x80000000, .sid = sid_of("WD")};
	assert_int_equal(sd_build(NULL, NULL, 0, SD_ACL_PRESENT, aces, N, &parent, &size),
			 STATUS_SUCCESS);
	assert_int_equal(sd_inherit(parent, NULL, true, NULL, &sd, &size),
			 STATUS_INVALID_SECURITY_DESCR);
	assert_null(sd);
	free(parent);
	free(aces);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inherited_dacl),
		cmocka_unit_test(test_creator_wins),
		cmocka_unit_test(test_owner_must_be_the_caller),
		cmocka_unit_test(test_sacl_needs_its_privilege),
		cmocka_unit_test(test_nobody_says_anything),
		cmocka_unit_test(test_result_too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
