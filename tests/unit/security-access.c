/* Breaks when somebody gets a right that a descriptor does not give, or loses one it
 * gives. */
#include "tests/unit/security-util.h"

#include "fs/security/posix_map.h"
#include "fs/security/token.h"
#include "nt/file.h"
#include "nt/security.h"

enum { USER = 1000, GROUP = 100, SUPPLEMENTARY = 2000, NO_SUCH_PID = 0x7ffffff0 };

static struct token *
token_of(uint32_t privileges)
{
	struct sid user = sid_of("S-1-22-1-1000");
	struct sid groups[] = {sid_of("S-1-22-2-100"), sid_of("S-1-22-2-2000"),
			       sid_of("BU")};
	struct token *token = NULL;

	assert_int_equal(token_create(&user, groups, 3, privileges, &token),
			 STATUS_SUCCESS);
	return token;
}

/* Rights granted, 0 when access is denied; other outcomes fail the test. */
static uint32_t
granted(const char *text, const struct token *token, uint32_t desired)
{
	void *sd = sd_of(text);
	uint32_t result = 0xdead;
	NTSTATUS st = access_check(sd, token, desired, &result);

	free(sd);
	if (st == STATUS_ACCESS_DENIED) {
		assert_int_equal(result, 0xdead);
		return 0;
	}
	assert_int_equal(st, STATUS_SUCCESS);
	return result;
}

static void
test_table(void **state)
{
	static const struct {
		const char *sd;
		uint32_t desired, granted;
	} v[] = {
		{"D:(A;;FR;;;WD)", FILE_READ_DATA, FILE_READ_DATA},
		{"D:(A;;FR;;;AU)", GENERIC_READ, FILE_GENERIC_READ},
		{"D:(A;;GR;;;AU)", GENERIC_READ, FILE_GENERIC_READ},
		{"D:(A;;FR;;;WD)", FILE_WRITE_DATA, 0},
		{"D:(A;;FR;;;WD)", FILE_READ_DATA | FILE_WRITE_DATA, 0},
		{"D:(A;;FR;;;SY)", FILE_READ_DATA, 0},
		{"D:", FILE_READ_DATA, 0},
		{"", FILE_READ_DATA, FILE_READ_DATA},
		{"D:NO_ACCESS_CONTROL", FILE_ALL_ACCESS, FILE_ALL_ACCESS},
		{"D:NO_ACCESS_CONTROL", MAXIMUM_ALLOWED, FILE_ALL_ACCESS},
		{"D:(D;;CC;;;WD)(A;;FA;;;WD)", FILE_READ_DATA, 0},
		{"D:(A;;FA;;;WD)(D;;CC;;;WD)", FILE_READ_DATA, FILE_READ_DATA},
		{"D:(D;IO;FA;;;WD)(A;;FA;;;WD)", FILE_READ_DATA, FILE_READ_DATA},
		{"D:(A;OICIIO;FA;;;WD)", FILE_READ_DATA, 0},
		{"D:(A;;CC;;;S-1-22-1-1000)(A;;DC;;;S-1-22-2-2000)", 3, 3},
		{"D:(A;;FA;;;S-1-22-1-1001)", FILE_READ_DATA, 0},
		{"D:(A;;FA;;;S-1-22-1-100)", FILE_READ_DATA, 0},
		{"D:(A;;FA;;;S-1-22-2-1000)", FILE_READ_DATA, 0},
		{"D:(AU;SA;FA;;;WD)", FILE_READ_DATA, 0},
		{"D:(D;;FW;;;BU)(A;;FA;;;WD)", MAXIMUM_ALLOWED,
		 FILE_ALL_ACCESS & ~FILE_GENERIC_WRITE},
		{"D:(A;;FR;;;WD)", MAXIMUM_ALLOWED | FILE_READ_DATA, FILE_GENERIC_READ},
		{"D:(A;;FR;;;WD)", MAXIMUM_ALLOWED | FILE_WRITE_DATA, 0},
		{"D:(A;;FR;;;SY)", MAXIMUM_ALLOWED, 0},
		/* owners */
		{"O:S-1-22-1-1000D:", READ_CONTROL | WRITE_DAC, READ_CONTROL | WRITE_DAC},
		{"O:S-1-22-2-2000D:", READ_CONTROL | WRITE_DAC, READ_CONTROL | WRITE_DAC},
		{"O:S-1-22-1-1000D:(D;;FA;;;WD)", READ_CONTROL, READ_CONTROL},
		{"O:S-1-22-1-1000D:", WRITE_OWNER, 0},
		{"O:S-1-22-1-1000D:", MAXIMUM_ALLOWED, READ_CONTROL | WRITE_DAC},
		{"O:S-1-22-1-1001D:", READ_CONTROL, 0},
		{"D:", READ_CONTROL, 0},
		{"O:S-1-22-1-1000D:(A;;RC;;;OW)", WRITE_DAC, 0},
		{"O:S-1-22-1-1000D:(A;;RC;;;OW)", READ_CONTROL, READ_CONTROL},
		{"O:S-1-22-1-1000D:(A;;;;;OW)", READ_CONTROL, 0},
		{"O:S-1-22-1-1000D:(A;IO;RC;;;OW)", WRITE_DAC, WRITE_DAC},
		{"O:S-1-22-1-1000D:(D;;CC;;;OW)(A;;FA;;;WD)", FILE_READ_DATA, 0},
		{"O:S-1-22-1-1001D:(A;;FA;;;OW)", FILE_READ_DATA, 0},
		{"O:S-1-22-1-1001D:(D;;FA;;;OW)(A;;CC;;;WD)", FILE_READ_DATA,
		 FILE_READ_DATA},
		/* nobody asks for nothing */
		{"D:(D;;FA;;;WD)", 0, 0},
	};
	struct token *token = token_of(0);

	for (size_t i = 0; i < ARRAY_SIZE(v); i++) {
		uint32_t got = granted(v[i].sd, token, v[i].desired);

		if (got != v[i].granted)
			fail_msg("%s desired %x: %x", v[i].sd, v[i].desired, got);
	}
	token_unref(token);
}

static void
test_privileges(void **state)
{
	void *sd = sd_of("D:");
	struct token *plain = token_of(0), *own = token_of(TOKEN_TAKE_OWNERSHIP),
		     *security = token_of(TOKEN_SECURITY);
	uint32_t result = 0;

	assert_int_equal(access_check(sd, plain, WRITE_OWNER, &result),
			 STATUS_ACCESS_DENIED);
	assert_int_equal(access_check(sd, own, WRITE_OWNER, &result), STATUS_SUCCESS);
	assert_int_equal(result, WRITE_OWNER);
	assert_int_equal(access_check(sd, own, WRITE_OWNER | DELETE, &result),
			 STATUS_ACCESS_DENIED);
	assert_int_equal(access_check(sd, plain, ACCESS_SYSTEM_SECURITY, &result),
			 STATUS_PRIVILEGE_NOT_HELD);
	assert_int_equal(access_check(sd, security, ACCESS_SYSTEM_SECURITY, &result),
			 STATUS_SUCCESS);
	assert_int_equal(result, ACCESS_SYSTEM_SECURITY);
	assert_int_equal(
		access_check(sd, security, ACCESS_SYSTEM_SECURITY | DELETE, &result),
		STATUS_ACCESS_DENIED);
	token_unref(plain);
	token_unref(own);
	token_unref(security);
	free(sd);
}

static void
test_conditional_entries_fail_closed(void **state)
{
	uint8_t *sd = sd_of("D:(D;;FA;;;WD)(A;;FA;;;WD)");
	struct token *token = token_of(0);
	uint32_t result;

	sd[20 + 8] = 0xa; /* denied, conditional */
	assert_int_equal(access_check(sd, token, FILE_READ_DATA, &result),
			 STATUS_ACCESS_DENIED);
	sd[20 + 8] = 0x9; /* allowed, conditional */
	sd[20 + 8 + 20] = ACCESS_DENIED_ACE_TYPE;
	assert_int_equal(access_check(sd, token, FILE_READ_DATA, &result),
			 STATUS_ACCESS_DENIED);
	token_unref(token);
	free(sd);
}

static void
test_unknown_groups_fail_closed(void **state)
{
	static const struct {
		const char *sd;
		uint32_t desired, granted;
	} v[] = {
		{"D:(A;;FR;;;S-1-22-2-2000)", FILE_READ_DATA, 0},
		{"D:(D;;FR;;;S-1-22-2-2000)(A;;FA;;;WD)", FILE_READ_DATA, 0},
		{"D:(D;;FR;;;S-1-22-2-2000)(A;;FA;;;WD)", FILE_WRITE_DATA,
		 FILE_WRITE_DATA},
		{"D:(D;;FR;;;S-1-22-1-2000)(A;;FA;;;WD)", FILE_READ_DATA, FILE_READ_DATA},
		{"D:(A;;FR;;;S-1-22-2-100)(D;;FR;;;S-1-22-2-2000)", FILE_READ_DATA,
		 FILE_READ_DATA},
		{"O:S-1-22-2-2000D:", READ_CONTROL, 0},
		{"O:S-1-22-2-2000D:(D;;FA;;;OW)(A;;FA;;;WD)", FILE_READ_DATA, 0},
		{"O:S-1-22-2-2000D:(A;;FA;;;OW)", FILE_READ_DATA, 0},
	};
	struct token *token = NULL;

	assert_int_equal(token_create_posix(USER, GROUP, NO_SUCH_PID, &token),
			 STATUS_SUCCESS);
	for (size_t i = 0; i < ARRAY_SIZE(v); i++) {
		uint32_t got = granted(v[i].sd, token, v[i].desired);

		if (got != v[i].granted)
			fail_msg("%s desired %x: %x", v[i].sd, v[i].desired, got);
	}
	token_unref(token);
}

/*
 * The rule again, from its definition, one right at a time: the first entry that matches
 * and names the right decides. Shares nothing with access_check() but the types.
 */
struct naive {
	bool (*member)(const char *name); /* definitely */
	bool (*maybe)(const char *name);  /* cannot be told */
	const char *owner;
};

struct random_ace {
	bool deny, inherit_only;
	uint32_t mask;
	const char *name;
};

static const char *const names[] = {"S-1-22-1-1000",
				    "S-1-22-2-100",
				    "S-1-22-2-2000",
				    "BU",
				    "S-1-22-1-1001",
				    "S-1-22-2-77",
				    "WD",
				    "AU",
				    "OW",
				    "SY"};

static bool
known_member(const char *name)
{
	return strcmp(name, "SY") && strcmp(name, "S-1-22-1-1001") &&
	       strcmp(name, "S-1-22-2-77") && strcmp(name, "OW");
}

static bool
known_maybe(const char *name)
{
	return false;
}

/* Of a caller whose supplementary groups are not to be had. */
static bool
blind_member(const char *name)
{
	return known_member(name) && strcmp(name, "S-1-22-2-2000") && strcmp(name, "BU");
}

static bool
blind_maybe(const char *name)
{
	return strcmp(name, "S-1-22-2-2000") == 0 || strcmp(name, "S-1-22-2-77") == 0;
}

static bool
naive_right(const struct naive *who, const struct random_ace *aces, unsigned n,
	    uint32_t right)
{
	bool owner_entry = false;

	for (unsigned i = 0; i < n; i++)
		owner_entry |= !aces[i].inherit_only && strcmp(aces[i].name, "OW") == 0;
	if (!owner_entry && (right == READ_CONTROL || right == WRITE_DAC) &&
	    who->member(who->owner))
		return true;
	for (unsigned i = 0; i < n; i++) {
		bool rights = strcmp(aces[i].name, "OW") == 0;
		const char *name = rights ? who->owner : aces[i].name;

		if (aces[i].inherit_only || !(aces[i].mask & right))
			continue;
		if (aces[i].deny && (who->member(name) || who->maybe(name)))
			return false;
		if (!aces[i].deny && who->member(name))
			return true;
	}
	return false;
}

static uint32_t
naive_rights(const struct naive *who, const struct random_ace *aces, unsigned n)
{
	uint32_t all = 0;

	for (uint32_t right = 1; right <= FILE_ALL_ACCESS; right <<= 1)
		if (right & FILE_ALL_ACCESS && naive_right(who, aces, n, right))
			all |= right;
	return all;
}

static uint32_t
next_random(void)
{
	static uint32_t x = 2463534242u;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return x;
}

static unsigned
random_acl(struct random_ace *aces, unsigned max)
{
	unsigned n = next_random() % (max + 1);

	for (unsigned i = 0; i < n; i++)
		aces[i] = (struct random_ace){
			.deny = next_random() % 3 == 0,
			.inherit_only = next_random() % 8 == 0,
			.mask = (next_random() & FILE_ALL_ACCESS) |
				(1u << next_random() % 9),
			.name = names[next_random() % ARRAY_SIZE(names)]};
	return n;
}

static void *
random_sd(const struct random_ace *aces, unsigned n, const char *owner)
{
	struct sd_ace real[8];
	struct sid sid = sid_of(owner);
	void *sd = NULL;
	size_t size;

	for (unsigned i = 0; i < n; i++)
		real[i] = (struct sd_ace){.type = aces[i].deny,
					  .mask = aces[i].mask,
					  .flags = aces[i].inherit_only ? INHERIT_ONLY_ACE
									: 0,
					  .sid = sid_of(aces[i].name)};
	assert_int_equal(sd_build(&sid, NULL, 0, SD_ACL_PRESENT, real, n, &sd, &size),
			 STATUS_SUCCESS);
	assert_true(sd_valid(sd, size));
	return sd;
}

static void
check_against_naive(const struct naive *who, struct token *token)
{
	struct random_ace aces[8];
	unsigned n = random_acl(aces, 8);
	void *sd = random_sd(aces, n, who->owner);
	uint32_t expected = naive_rights(who, aces, n), got = 0;
	uint32_t desired = next_random() & FILE_ALL_ACCESS & (next_random() | 1);
	NTSTATUS st = access_check(sd, token, MAXIMUM_ALLOWED, &got);

	assert_int_equal(st, expected ? STATUS_SUCCESS : STATUS_ACCESS_DENIED);
	assert_int_equal(got, expected);
	st = access_check(sd, token, desired, &got);
	assert_int_equal(st, desired & ~expected ? STATUS_ACCESS_DENIED : STATUS_SUCCESS);
	if (NT_SUCCESS(st))
		assert_int_equal(got, desired);
	free(sd);
}

static void
test_random_against_naive(void **state)
{
	struct token *token = token_of(0);

	for (unsigned i = 0; i < 20000; i++) {
		struct naive who = {known_member, known_maybe,
				    names[next_random() % ARRAY_SIZE(names)]};

		if (strcmp(who.owner, "OW"))
			check_against_naive(&who, token);
	}
	token_unref(token);
}

static void
test_random_blind_against_naive(void **state)
{
	for (unsigned i = 0; i < 3000; i++) {
		struct naive who = {blind_member, blind_maybe,
				    names[next_random() % ARRAY_SIZE(names)]};
		struct token *token = NULL;

		if (!strcmp(who.owner, "OW"))
			continue;
		assert_int_equal(token_create_posix(USER, GROUP, NO_SUCH_PID, &token),
				 STATUS_SUCCESS);
		check_against_naive(&who, token);
		token_unref(token);
	}
}

/* What the bits of a mode mean to a program is what the check of its descriptor says. */
static void
test_modes(void **state)
{
	static const struct {
		uint32_t uid, gid, shift;
	} callers[] = {{1000, 5, 6}, {7, 100, 3}, {7, 5, 0}, {1000, 100, 6}};
	static const uint32_t rights[] = {
		FILE_EXECUTE, FILE_WRITE_DATA | FILE_APPEND_DATA, FILE_READ_DATA};

	for (uint32_t m = 0; m < 01000 * ARRAY_SIZE(callers) * 3; m++) {
		uint32_t mode = m & 0777, bit = m / 01000 % 3, who = m / 01000 / 3, got;
		struct token *token = NULL;
		void *sd = NULL;
		size_t size;
		NTSTATUS st;

		assert_int_equal(posix_sd_from_mode(1000, 100, mode, &sd, &size),
				 STATUS_SUCCESS);
		assert_int_equal(
			token_create_posix(callers[who].uid, callers[who].gid, 0, &token),
			STATUS_SUCCESS);
		st = access_check(sd, token, rights[bit], &got);
		assert_int_equal(NT_SUCCESS(st), mode >> callers[who].shift >> bit & 1);
		token_unref(token);
		free(sd);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_privileges),
		cmocka_unit_test(test_conditional_entries_fail_closed),
		cmocka_unit_test(test_unknown_groups_fail_closed),
		cmocka_unit_test(test_random_against_naive),
		cmocka_unit_test(test_random_blind_against_naive),
		cmocka_unit_test(test_modes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
