/* Breaks when chmod, chown or stat through a descriptor changes what a user sees or may
 * do. */
#include "tests/unit/security-util.h"

#include <sys/stat.h>
#include "fs/security/posix_map.h"

static int
use_unix_map(void **state)
{
	posix_map_select(POSIX_MAP_UNIX);
	return posix_map_set_overrides(NULL, NULL, 0);
}

static int
use_published_map(void **state)
{
	posix_map_select(POSIX_MAP_PUBLISHED);
	return posix_map_set_overrides(NULL, NULL, 0);
}

static void
assert_sid_text(struct sid sid, const char *expected)
{
	char text[SID_TEXT_MAX];

	sid_format(&sid, text);
	assert_string_equal(text, expected);
}

static void
test_published_vectors(void **state)
{
	static const struct {
		const char *sid;
		uint32_t id;
	} v[] = {{"S-1-1-0", 0x10100},	   {"S-1-3-4", 0x10304},
		 {"S-1-5-18", 18},	   {"S-1-5-32-544", 544},
		 {"S-1-5-64-10", 0x4000a}, {"S-1-5-80-0", 0x50000},
		 {"S-1-5-83-0", 0x53000},  {"S-1-16-12288", 0x63000},
		 {"S-1-0-0", 0x10000},	   {"S-1-0-65534", 65534},
		 {"S-1-5-1000", 1000},	   {"S-1-5-32-999", 999},
		 {"S-1-5-511", 511},	   {"S-1-5-32-512", 512},
		 {"S-1-5-1-0", 0x1000}};

	for (size_t i = 0; i < ARRAY_SIZE(v); i++) {
		struct sid sid = sid_of(v[i].sid);

		assert_sid_text(posix_sid_from_uid(v[i].id), v[i].sid);
		assert_sid_text(posix_sid_from_gid(v[i].id), v[i].sid);
		assert_int_equal(posix_uid_from_sid(&sid), v[i].id);
		assert_int_equal(posix_gid_from_sid(&sid), v[i].id);
	}
}

static void
test_published_unmapped(void **state)
{
	static const uint32_t ids[] = {1001,	0xffe,	  0xfff,      65534,	 0x30000,
				       0x3ffff, 0x100000, 0xfeffffff, 0xffffffff};
	static const char *const sids[] = {
		"S-1-5-5-0-1",	       "S-1-5-5-7", "S-1-5-21-1-2-3-1001", "S-1-22-3-5",
		"S-1-5-32-4294967295", "S-1-5",	    "S-1-5-4294967295-0"};

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		assert_sid_text(posix_sid_from_uid(ids[i]), "S-1-0-65534");
	for (size_t i = 0; i < ARRAY_SIZE(sids); i++) {
		struct sid sid = sid_of(sids[i]);

		assert_int_equal(posix_uid_from_sid(&sid), POSIX_ID_UNMAPPED);
		assert_int_equal(posix_gid_from_sid(&sid), POSIX_ID_UNMAPPED);
	}
}

static void
test_unix_ids(void **state)
{
	static const uint32_t ids[] = {0, 18, 544, 1000, 65534, 0x30000, 0xffffffff};

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		struct sid user = posix_sid_from_uid(ids[i]),
			   group = posix_sid_from_gid(ids[i]);
		struct sid u = sid_make(22, 2, 1u, ids[i]),
			   g = sid_make(22, 2, 2u, ids[i]);

		assert_true(sid_equal(&user, &u) && sid_equal(&group, &g));
		assert_int_equal(posix_uid_from_sid(&user), ids[i]);
		assert_int_equal(posix_gid_from_sid(&group), ids[i]);
	}
}

/* Whichever map writes, both are read; a user is not the group of the same number. */
static void
test_both_forms_are_read(void **state)
{
	struct sid user = sid_of("S-1-22-1-7"), group = sid_of("S-1-22-2-7"),
		   admins = sid_of("BA");

	assert_int_equal(posix_uid_from_sid(&user), 7);
	assert_int_equal(posix_gid_from_sid(&user), POSIX_ID_UNMAPPED);
	assert_int_equal(posix_gid_from_sid(&group), 7);
	assert_int_equal(posix_uid_from_sid(&group), POSIX_ID_UNMAPPED);
	assert_int_equal(posix_uid_from_sid(&admins), 544);
	assert_int_equal(posix_gid_from_sid(&admins), 544);
}

static void
test_overrides_come_first(void **state)
{
	uint32_t ids[8] = {1000, 18};
	struct sid sids[9] = {sid_of("S-1-5-21-1-2-3-1001"), sid_of("BU")};

	assert_int_equal(posix_map_set_overrides(ids, sids, 2), STATUS_SUCCESS);
	assert_sid_text(posix_sid_from_uid(1000), "S-1-5-21-1-2-3-1001");
	assert_int_equal(posix_uid_from_sid(&sids[0]), 1000);
	assert_int_equal(posix_uid_from_sid(&sids[1]), 18);
	assert_int_equal(posix_map_set_overrides(ids, sids, 9), STATUS_INVALID_PARAMETER);
	assert_int_equal(posix_map_set_overrides(ids, sids, 3), STATUS_INVALID_SID);
	assert_int_equal(posix_uid_from_sid(&sids[0]), 1000);
	assert_int_equal(posix_map_set_overrides(NULL, NULL, 0), STATUS_SUCCESS);
	assert_int_equal(posix_uid_from_sid(&sids[0]), POSIX_ID_UNMAPPED);
}

static const struct {
	uint32_t mode;
	const char *dacl; /* U, G: owner, group */
} vectors[] = {
	{0, "(A;;0x1f0198;;;U)(A;;0x120088;;;G)(A;;0x120088;;;WD)"},
	{0400, "(A;;0x1f0199;;;U)(A;;0x120088;;;G)(A;;0x120088;;;WD)"},
	{0040, "(A;;0x1f0198;;;U)(D;;CC;;;U)(A;;FR;;;G)(A;;0x120088;;;WD)"},
	{0004, "(A;;0x1f0198;;;U)(D;;CC;;;U)(A;;0x120088;;;G)(D;;CC;;;G)(A;;FR;;;WD)"},
	{0200, "(A;;0x1f019e;;;U)(A;;0x120088;;;G)(A;;0x120088;;;WD)"},
	{0020, "(A;;0x1f0198;;;U)(D;;DCLC;;;U)(A;;0x12018e;;;G)(A;;0x120088;;;WD)"},
	{0002, "(A;;0x1f0198;;;U)(D;;DCLC;;;U)(A;;0x120088;;;G)(D;;DCLCCR;;;G)"
	       "(A;;0x12018e;;;WD)"},
	{0100, "(A;;0x1f01b8;;;U)(A;;0x120088;;;G)(A;;0x120088;;;WD)"},
	{0755, "(A;;0x1f01bf;;;U)(A;;0x1200a9;;;G)(A;;0x1200a9;;;WD)"},
	{0757, "(A;;0x1f01bf;;;U)(A;;0x1200a9;;;G)(D;;DCLCCR;;;G)(A;;0x1201af;;;WD)"},
	{0575, "(A;;0x1f01b9;;;U)(D;;DCLC;;;U)(A;;0x1201af;;;G)(A;;0x1200a9;;;WD)"},
	{040755, "(A;;FA;;;U)(A;;0x1200a9;;;G)(A;;0x1200a9;;;WD)"},
	{040777, "(A;;FA;;;U)(A;;0x1201ef;;;G)(A;;0x1201ef;;;WD)"},
	{041777, "(A;;FA;;;U)(A;;0x1201af;;;G)(A;;0x1201af;;;WD)"},
};

/* "…;U)" -> "…;SY)" */
static void
spell_out(const char *pattern, const char *owner, const char *group, char *dst)
{
	for (; *pattern; pattern++) {
		const char *name = pattern[0] == 'U'   ? owner
				   : pattern[0] == 'G' ? group
						       : NULL;

		if (name && pattern[1] == ')')
			dst = stpcpy(dst, name);
		else
			*dst++ = *pattern;
	}
	*dst = '\0';
}

static void
check_vectors(const char *owner, const char *group)
{
	char dacl[512], expected[600];

	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		void *sd = NULL;
		size_t size;

		spell_out(vectors[i].dacl, owner, group, dacl);
		snprintf(expected, sizeof(expected), "O:%sG:%sD:P%s", owner, group, dacl);
		assert_int_equal(posix_sd_from_mode(18, 544, vectors[i].mode, &sd, &size),
				 STATUS_SUCCESS);
		assert_true(sd_valid(sd, size));
		assert_sd_text(sd, expected);
	}
}

static void
test_mode_vectors_published(void **state)
{
	check_vectors("SY", "BA");
}

static void
test_mode_vectors_unix(void **state)
{
	check_vectors("S-1-22-1-18", "S-1-22-2-544");
}

static void
test_owner_is_group(void **state)
{
	void *sd = NULL;
	size_t size;

	assert_int_equal(posix_sd_from_mode(544, 544, 0444, &sd, &size), STATUS_SUCCESS);
	assert_sd_text(sd, "O:BAG:BAD:P(A;;0x1f0199;;;BA)(A;;FR;;;BA)(A;;FR;;;WD)");
}

/*
 * The sticky bit is a matter of DELETE_CHILD: it shows where there is something to
 * withhold, in a directory that its owner and somebody else may write.
 */
static uint32_t
expected_mode(uint32_t mode)
{
	bool shows = S_ISDIR(mode) && mode & 0200 && mode & 022;

	return mode & (shows ? 01777 : 0777);
}

static void
test_mode_identity(void **state)
{
	for (uint32_t m = 0; m < 2 * 02000; m++) {
		uint32_t mode = (m & 01777) | (m & 02000 ? S_IFDIR : S_IFREG);
		struct posix_perms perms;
		void *sd = NULL;
		size_t size;

		assert_int_equal(posix_sd_from_mode(18, 544, mode, &sd, &size),
				 STATUS_SUCCESS);
		perms = posix_perms_from_sd(sd);
		assert_int_equal(perms.mode, expected_mode(mode));
		assert_int_equal(perms.uid, 18);
		assert_int_equal(perms.gid, 544);
		assert_true(perms.has_owner && perms.has_group);
		free(sd);
	}
}

static void
test_perms_of_other_descriptors(void **state)
{
	static const struct {
		const char *text;
		uint32_t mode;
		bool owner, group;
	} v[] = {
		{"", 0777, false, false},
		{"O:SYG:BAD:NO_ACCESS_CONTROL", 0777, true, true},
		{"O:SYG:BAD:", 0, true, true},
		{"G:BAD:(A;;FR;;;BA)(A;;FR;;;SY)", 0040, false, true},
		{"O:SYG:BAD:(A;;FA;;;AU)", 0777, true, true},
		{"O:SYG:BAD:(A;;GA;;;WD)", 0777, true, true},
		{"O:SYG:BAD:(A;;GRGX;;;WD)", 0555, true, true},
		{"O:SYG:BAD:(A;OICIIO;FA;;;WD)(A;;FR;;;SY)", 0400, true, true},
		{"O:SYG:BAD:(D;;FW;;;WD)(A;;FA;;;WD)", 0555, true, true},
		{"O:SYG:BAD:(A;;DC;;;WD)", 0, true, true},
		{"O:SYG:BAD:(A;;DCLC;;;WD)", 0222, true, true},
		{"O:BAG:BAD:(A;;FR;;;BA)", 0440, true, true},
		{"O:SYG:BAD:(A;;FA;;;BU)(AU;SA;FA;;;WD)", 0, true, true},
		{"O:SYG:BAD:(A;;FA;;;SY)(A;;0x1201af;;;BA)", 01770, true, true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(v); i++) {
		void *sd = sd_of(v[i].text);
		struct posix_perms perms = posix_perms_from_sd(sd);

		if (perms.mode != v[i].mode)
			fail_msg("%s: %o", v[i].text, perms.mode);
		assert_int_equal(perms.has_owner, v[i].owner);
		assert_int_equal(perms.has_group, v[i].group);
		assert_int_equal(perms.uid, v[i].owner ? (i == 11 ? 544 : 18) : 65534);
		assert_int_equal(perms.gid, v[i].group ? 544 : 65534);
		free(sd);
	}
}

static void
test_merge_vectors(void **state)
{
	static const char full[] = "O:WDG:WDD:P(A;;FR;;;WD)";
	static const char *const v[][2] = {
		{"", "O:SYG:BA"},
		{"O:WD", "O:WDG:BA"},
		{"G:WD", "O:SYG:WD"},
		{"D:P", "O:SYG:BAD:P"},
		{"D:NO_ACCESS_CONTROL", "O:SYG:BAD:NO_ACCESS_CONTROL"},
		{"O:WDS:(AU;SA;FA;;;WD)", "O:WDG:BA"},
		{full, full}};
	void *sd = NULL;
	size_t size;

	for (size_t i = 0; i < ARRAY_SIZE(v); i++) {
		void *existing = sd_of(v[i][0]);

		assert_int_equal(posix_sd_merge(18, 544, 0, existing, &sd, &size),
				 STATUS_SUCCESS);
		assert_true(sd_valid(sd, size));
		assert_sd_text(sd, v[i][1]);
		free(existing);
	}
	assert_int_equal(posix_sd_merge(18, 544, 0, NULL, &sd, &size), STATUS_SUCCESS);
	assert_sd_text(
		sd, "O:SYG:BAD:P(A;;0x1f0198;;;SY)(A;;0x120088;;;BA)(A;;0x120088;;;WD)");
}

#define unix_test(f) cmocka_unit_test_setup(f, use_unix_map)
#define published_test(f) cmocka_unit_test_setup(f, use_published_map)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		published_test(test_published_vectors),
		published_test(test_published_unmapped),
		unix_test(test_unix_ids),
		unix_test(test_both_forms_are_read),
		published_test(test_both_forms_are_read),
		unix_test(test_overrides_come_first),
		published_test(test_overrides_come_first),
		published_test(test_mode_vectors_published),
		unix_test(test_mode_vectors_unix),
		published_test(test_owner_is_group),
		unix_test(test_mode_identity),
		published_test(test_mode_identity),
		unix_test(test_perms_of_other_descriptors),
		published_test(test_merge_vectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
