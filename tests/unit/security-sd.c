/* Breaks when a descriptor from outside is trusted too far, or edited into another one.
 */
#include "tests/unit/security-util.h"

#include "nt/security.h"

static void
test_parts(void **state)
{
	void *sd = sd_of("O:SYG:BAD:PAI(A;;FR;;;WD)(D;OICI;FW;;;BU)");
	struct sid sid, system = sid_of("SY"), admins = sid_of("BA"),
			users = sid_of("BU");
	struct sd_ace ace;

	assert_true(sd_owner(sd, &sid) && sid_equal(&sid, &system));
	assert_true(sd_group(sd, &sid) && sid_equal(&sid, &admins));
	assert_int_equal(sd_control(sd), SE_SELF_RELATIVE | SE_DACL_PRESENT |
						 SE_DACL_PROTECTED |
						 SE_DACL_AUTO_INHERITED);
	assert_int_equal(sd_dacl_state(sd), SD_ACL_PRESENT);
	assert_true(sd_dacl_ace(sd, 1, &ace));
	assert_int_equal(ace.type, ACCESS_DENIED_ACE_TYPE);
	assert_int_equal(ace.flags, OBJECT_INHERIT_ACE | CONTAINER_INHERIT_ACE);
	assert_int_equal(ace.mask, 0x120116);
	assert_true(sid_equal(&ace.sid, &users));
	assert_false(sd_dacl_ace(sd, 2, &ace));
	free(sd);
}

static void
test_absent_null_and_empty_differ(void **state)
{
	static const struct {
		const char *text;
		enum sd_acl_state dacl;
	} v[] = {{"O:SY", SD_ACL_ABSENT},
		 {"D:NO_ACCESS_CONTROL", SD_ACL_NULL},
		 {"D:", SD_ACL_PRESENT}};
	struct sd_ace ace;
	struct sid sid;

	for (size_t i = 0; i < ARRAY_SIZE(v); i++) {
		void *sd = sd_of(v[i].text), *built = NULL;
		size_t size;

		assert_int_equal(sd_dacl_state(sd), v[i].dacl);
		assert_false(sd_dacl_ace(sd, 0, &ace));
		assert_false(sd_group(sd, &sid));
		free(sd);
		assert_int_equal(
			sd_build(NULL, NULL, 0, v[i].dacl, NULL, 0, &built, &size),
			STATUS_SUCCESS);
		assert_int_equal(sd_dacl_state(built), v[i].dacl);
		free(built);
	}
}

static void
test_build_refuses_bad_sids(void **state)
{
	struct sd_ace ace = {0};
	void *sd = NULL;
	size_t size;

	assert_int_equal(sd_build(NULL, NULL, 0, SD_ACL_PRESENT, &ace, 1, &sd, &size),
			 STATUS_INVALID_SID);
	assert_null(sd);
}

static const char full[] = "O:SYG:BAD:P(A;OICI;FA;;;SY)(D;;FW;;;BU)S:(AU;SA;FA;;;WD)";

/* Reads everything that can be read: sanitizers watch. */
static void
read_all(const void *sd)
{
	struct sd_ace ace;
	struct sid sid;
	void *copy = NULL;
	size_t size;
	char *text = NULL;

	(void)sd_owner(sd, &sid);
	(void)sd_group(sd, &sid);
	for (unsigned i = 0; sd_dacl_ace(sd, i, &ace); i++)
		;
	assert_int_equal(sd_filter(sd, SD_ALL, &copy, &size), STATUS_SUCCESS);
	assert_true(sd_valid(copy, size));
	free(copy);
	if (NT_SUCCESS(sddl_format(sd, SD_ALL, &text)))
		free(text);
}

/* Every byte of a descriptor, with every value, in a heap block of exactly its size. */
static void
test_corrupt_bytes(void **state)
{
	void *good = sd_of(full);
	size_t size = sd_length(good), n_refused = 0;

	for (size_t at = 0; at < size; at++) {
		for (unsigned v = 0; v < 256; v++) {
			uint8_t *bad = malloc(size);

			memcpy(bad, good, size);
			bad[at] = (uint8_t)v;
			if (sd_valid(bad, size)) {
				assert_true(sd_length(bad) <= size);
				read_all(bad);
			} else {
				n_refused++;
			}
			free(bad);
		}
	}
	assert_true(n_refused > 0);
	free(good);
}

static void
test_truncated(void **state)
{
	void *good = sd_of(full);
	size_t size = sd_length(good);

	assert_false(sd_valid(NULL, 0));
	for (size_t n = 0; n < size; n++) {
		uint8_t *bad = malloc(n ? n : 1);

		memcpy(bad, good, n);
		assert_false(sd_valid(bad, n));
		free(bad);
	}
	free(good);
}

/* Each field that says where or how much, just past what it may be. */
static void
test_corrupt_fields(void **state)
{
	void *good = sd_of("O:SYG:BAD:(A;;FA;;;WD)");
	size_t size = sd_length(good);
	uint32_t offset[4];
	uint8_t *bad = malloc(size);

	memcpy(offset, (uint8_t *)good + 4, sizeof(offset));
	{
		const uint32_t dacl = offset[3];
		const struct {
			size_t at;
			uint32_t value;
			unsigned width;
		} v[] = {
			{0, 2, 1},		     /* revision */
			{2, SE_DACL_PRESENT, 2},     /* not self-relative */
			{4, 19, 4},		     /* owner inside the header */
			{4, 22, 4},		     /* not aligned */
			{4, (uint32_t)size, 4},	     /* owner at the end */
			{4, 0xfffffffc, 4},	     /* far outside */
			{8, (uint32_t)size - 4, 4},  /* group cut */
			{16, (uint32_t)size - 4, 4}, /* DACL cut */
			{16, 8, 4},		     /* DACL inside the header */
			{offset[0], 0, 1},	     /* SID revision */
			{offset[0] + 1, 16, 1},	     /* subauthorities */
			{dacl, 1, 1},		     /* ACL revision */
			{dacl, 5, 1},
			{dacl + 2, 7, 2},      /* AclSize below its header */
			{dacl + 2, 24, 2},     /* below its entries */
			{dacl + 2, 32, 2},     /* past the end */
			{dacl + 4, 2, 2},      /* more entries than bytes */
			{dacl + 8 + 2, 3, 2},  /* AceSize below its header */
			{dacl + 8 + 2, 16, 2}, /* below its SID */
			{dacl + 8 + 2, 22, 2}, /* not a multiple of 4 */
			{dacl + 8 + 2, 24, 2}, /* past the ACL */
			{dacl + 16 + 1, 2, 1}, /* SID past the entry */
			{dacl + 16, 2, 1},     /* SID revision */
		};

		for (size_t i = 0; i < ARRAY_SIZE(v); i++) {
			memcpy(bad, good, size);
			memcpy(bad + v[i].at, &v[i].value, v[i].width);
			if (sd_valid(bad, size))
				fail_msg("field at %zu: %u was taken", v[i].at,
					 v[i].value);
		}
	}
	free(bad);
	free(good);
}

/* A part or an entry that is whole, but not at a multiple of four. */
static void
test_misaligned(void **state)
{
	uint8_t *good = sd_of("D:(A;;FA;;;WD)"), bad[80];
	size_t size = sd_length(good);
	const uint32_t dacl = 20;

	memset(bad, 0, sizeof(bad));
	memcpy(bad, good, dacl);
	memcpy(bad + dacl + 4, good + dacl, size - dacl);
	bad[16] = (uint8_t)(dacl + 4);
	assert_true(sd_valid(bad, size + 4));
	memmove(bad + dacl + 2, bad + dacl + 4, size - dacl);
	bad[16] = (uint8_t)(dacl + 2);
	assert_false(sd_valid(bad, size + 4));

	memcpy(bad, good, size);
	bad[dacl + 2] += 4;
	bad[dacl + 8 + 2] += 4;
	assert_true(sd_valid(bad, size + 4));
	bad[dacl + 8 + 2] -= 2;
	assert_false(sd_valid(bad, size + 4));
	free(good);
}

/* Entries of other types are carried along and grant nothing. */
static void
test_unknown_ace_types(void **state)
{
	uint8_t *sd = sd_of("D:(A;;FA;;;WD)(A;;FR;;;BU)");
	void *copy = NULL;
	size_t size = sd_length(sd), copy_size;
	struct sd_ace ace;
	char *text = NULL;

	sd[20 + 8] = 5; /* ACCESS_ALLOWED_OBJECT */
	assert_true(sd_valid(sd, size));
	assert_true(sd_dacl_ace(sd, 0, &ace));
	assert_int_equal(ace.type, 5);
	assert_int_equal(ace.sid.n_subs, 0);
	assert_int_equal(ace.mask, 0);
	assert_true(sd_dacl_ace(sd, 1, &ace));
	assert_int_equal(ace.mask, 0x120089);
	assert_int_equal(sddl_format(sd, SD_ALL, &text), STATUS_INVALID_ACL);
	assert_int_equal(sd_modify(sd, SD_DACL, sd, &copy, &copy_size), STATUS_SUCCESS);
	assert_true(sd_valid(copy, copy_size));
	assert_true(sd_dacl_ace(copy, 0, &ace));
	assert_int_equal(ace.type, 5);
	free(copy);
	free(sd);
}

static void
test_filter(void **state)
{
	static const char *const expected[] = {[SD_OWNER] = "O:SY",
					       [SD_GROUP] = "G:BA",
					       [SD_OWNER | SD_GROUP] = "O:SYG:BA",
					       [SD_DACL] =
						       "D:P(A;OICI;FA;;;SY)(D;;FW;;;BU)",
					       [SD_SACL] = "S:(AU;SA;FA;;;WD)",
					       [SD_ALL] = full};
	void *sd = sd_of(full), *part = NULL;
	size_t size;

	for (uint32_t info = 0; info < ARRAY_SIZE(expected); info++) {
		if (!expected[info])
			continue;
		assert_int_equal(sd_filter(sd, info, &part, &size), STATUS_SUCCESS);
		assert_true(sd_valid(part, size));
		assert_sd_text(part, expected[info]);
	}
	free(sd);
}

static void
test_modify(void **state)
{
	static const struct {
		uint32_t info;
		const char *modification, *expected;
	} v[] = {
		{0, "O:BU", "O:SYG:BAD:P(A;;FR;;;WD)"},
		{SD_OWNER, "O:BUG:BUD:", "O:BUG:BAD:P(A;;FR;;;WD)"},
		{SD_GROUP, "O:BUG:BUD:", "O:SYG:BUD:P(A;;FR;;;WD)"},
		{SD_DACL, "O:BUG:BUD:", "O:SYG:BAD:"},
		{SD_DACL, "D:(A;;GA;;;WD)", "O:SYG:BAD:(A;;FA;;;WD)"},
		{SD_DACL, "D:(A;CIIO;GA;;;WD)", "O:SYG:BAD:(A;CIIO;GA;;;WD)"},
		{SD_DACL, "D:NO_ACCESS_CONTROL", "O:SYG:BAD:NO_ACCESS_CONTROL"},
		{SD_DACL, "D:AI", "O:SYG:BAD:"},
		{SD_DACL, "D:ARAI", "O:SYG:BAD:AI"},
		{SD_DACL | SD_OWNER, "O:WDD:P", "O:WDG:BAD:P"},
		{SD_SACL, "S:(AU;SA;FA;;;WD)",
		 "O:SYG:BAD:P(A;;FR;;;WD)S:(AU;SA;FA;;;WD)"},
		{SD_SACL, "", "O:SYG:BAD:P(A;;FR;;;WD)"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(v); i++) {
		void *sd = sd_of("O:SYG:BAD:P(A;;FR;;;WD)"),
		     *mod = sd_of(v[i].modification);
		void *result = NULL;
		size_t size;

		assert_int_equal(sd_modify(sd, v[i].info, mod, &result, &size),
				 STATUS_SUCCESS);
		assert_true(sd_valid(result, size));
		assert_sd_text(result, v[i].expected);
		free(sd);
		free(mod);
	}
}

static void
test_modify_needs_the_part(void **state)
{
	static const uint32_t infos[] = {SD_OWNER, SD_GROUP, SD_DACL};
	void *sd = sd_of(full), *nothing = sd_of(""), *result = NULL;
	size_t size;

	for (size_t i = 0; i < ARRAY_SIZE(infos); i++)
		assert_false(
			NT_SUCCESS(sd_modify(sd, infos[i], nothing, &result, &size)));
	assert_null(result);
	free(sd);
	free(nothing);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_absent_null_and_empty_differ),
		cmocka_unit_test(test_build_refuses_bad_sids),
		cmocka_unit_test(test_corrupt_bytes),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_corrupt_fields),
		cmocka_unit_test(test_misaligned),
		cmocka_unit_test(test_unknown_ace_types),
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_modify),
		cmocka_unit_test(test_modify_needs_the_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
