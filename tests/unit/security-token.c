/* Breaks when a caller is taken for a member of groups it is not in, or two threads
 * disagree. */
#include "tests/unit/security-util.h"

#include <grp.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "fs/security/posix_map.h"
#include "fs/security/proc_groups.h"
#include "fs/security/token.h"

enum { NO_SUCH_PID = 0x7ffffff0, N_THREADS = 8 };

static struct token *
posix_token(uint32_t uid, uint32_t gid, uint32_t pid)
{
	struct token *token = NULL;

	assert_int_equal(token_create_posix(uid, gid, pid, &token), STATUS_SUCCESS);
	return token;
}

static int
is_in_gid(const struct token *token, uint32_t gid)
{
	struct sid group = posix_sid_from_gid(gid);

	return token_is_member(token, &group);
}

static int
is_member(const struct token *token, const char *name)
{
	struct sid sid = sid_of(name);

	return token_is_member(token, &sid);
}

static void
test_identity(void **state)
{
	struct token *token = posix_token(1000, 100, 0);

	assert_int_equal(is_member(token, "S-1-22-1-1000"), 1);
	assert_int_equal(is_member(token, "S-1-22-2-100"), 1);
	assert_int_equal(is_member(token, "S-1-22-2-1000"), 0);
	assert_int_equal(is_member(token, "S-1-22-1-100"), 0);
	assert_int_equal(is_member(token, "WD"), 1);
	assert_int_equal(is_member(token, "AU"), 1);
	assert_int_equal(is_member(token, "SY"), 0);
	assert_int_equal(token_uid(token), 1000);
	assert_int_equal(token_gid(token), 100);
	assert_int_equal(token_pid(token), 0);
	assert_int_equal(token_privileges(token), TOKEN_SYMLINK);
	token_unref(token);
}

/* What is known needs no look into /proc, which would fail here. */
static void
test_known_member(void **state)
{
	struct token *token = NULL;

	assert_int_equal(token_create_posix_member(1000, 100, 0, 4242, &token), STATUS_SUCCESS);
	assert_int_equal(is_in_gid(token, 4242), 1);
	assert_int_equal(is_in_gid(token, 100), 1);
	assert_int_equal(is_in_gid(token, 4243), 0);
	assert_int_equal(token_gid(token), 100);
	token_unref(token);
}

static void
test_root_holds_privileges(void **state)
{
	struct token *token = posix_token(0, 0, 0);

	assert_int_equal(token_privileges(token), TOKEN_ROOT);
	token_unref(token);
}

/* Being in gid 544 makes nobody a Windows administrator. */
static void
test_numbers_are_not_well_known_groups(void **state)
{
	struct token *token = posix_token(18, 544, NO_SUCH_PID);

	assert_int_equal(is_member(token, "BA"), 0);
	assert_int_equal(is_member(token, "SY"), 0);
	token_unref(token);
}

/* Callers without a SID in the published map share none. */
static void
test_unmapped_callers_differ(void **state)
{
	struct token *token;

	posix_map_select(POSIX_MAP_PUBLISHED);
	token = posix_token(2000, 2000, 0);
	assert_int_equal(is_member(token, "S-1-0-65534"), 0);
	assert_int_equal(is_member(token, "S-1-22-1-2000"), 1);
	token_unref(token);
	token = posix_token(18, 544, 0);
	assert_int_equal(is_member(token, "SY"), 1);
	assert_int_equal(is_member(token, "BA"), 1);
	token_unref(token);
	posix_map_select(POSIX_MAP_UNIX);
}

static const char status_text[] = "Name:\tx\nUid:\t1\t1\t1\t1000\nGid:\t2\t2\t2\t100\n"
				  "FDSize:\t64\nGroups:\t10 20 4294967294 \nNStgid:\t1\n";

static void
test_status_text(void **state)
{
	struct proc_groups *groups = proc_groups_parse(status_text, 1000, 100);

	assert_non_null(groups);
	assert_int_equal(groups->n, 3);
	assert_int_equal(groups->gids[0], 10);
	assert_int_equal(groups->gids[2], 4294967294u);
	free(groups);
	groups = proc_groups_parse("Name:\tx\nUid:\t1 1 1 1\nGid:\t1 1 1 1\nGroups:\t \n",
				   1, 1);
	assert_non_null(groups);
	assert_int_equal(groups->n, 0);
	free(groups);
}

static void
test_status_text_that_must_not_be_trusted(void **state)
{
	static const char *const texts[] = {
		"",
		"\nGroups:\t1\n",
		"\nUid:\t1 1 1 1\nGid:\t1 1 1 1\n",
		"\nUid:\t1 1 1 1\nGid:\t1 1 1 1\nGroups:\t1 2",
		"\nUid:\t1 1 1 1\nGid:\t1 1 1 1\nGroups:\t1 x\n",
		"\nUid:\t1 1 1 1\nGid:\t1 1 1 1\nGroups:\t1 -2\n",
		"\nUid:\t1 1 1 1\nGid:\t1 1 1 1\nGroups:\t4294967296\n",
		"\nUid:\t1 1 1\nGid:\t1 1 1 1\nGroups:\t1\n",
		"\nUid:\t1 1 1 2\nGid:\t1 1 1 1\nGroups:\t1\n",
		"\nUid:\t1 1 1 1\nGid:\t1 1 1 2\nGroups:\t1\n"};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_null(proc_groups_parse(texts[i], 1, 1));
	assert_null(proc_groups_parse(status_text, 1, 100));
	assert_null(proc_groups_parse(status_text, 1000, 2));
}

static void
test_own_groups(void **state)
{
	gid_t gids[1024];
	int n = getgroups(1024, gids);
	struct token *token = posix_token(geteuid(), getegid(), (uint32_t)getpid());

	for (int i = 0; i < n; i++)
		assert_int_equal(is_in_gid(token, gids[i]), 1);
	assert_int_equal(is_in_gid(token, 3999999999u), 0);
	token_unref(token);
}

/* More groups than the first read holds. Only this thread's groups are changed. */
static void
test_many_groups(void **state)
{
	enum { N = 3000 };
	gid_t gids[N], before[1024];
	int n_before = getgroups(1024, before);
	struct token *token;

	for (unsigned i = 0; i < N; i++)
		gids[i] = 4000000000u + i;
	if (syscall(SYS_setgroups, N, gids) != 0)
		skip(); /* not root */
	token = posix_token(geteuid(), getegid(), (uint32_t)gettid());
	assert_int_equal(is_in_gid(token, 4000000000u), 1);
	assert_int_equal(is_in_gid(token, 4000000000u + N - 1), 1);
	assert_int_equal(is_in_gid(token, 4000000000u + N), 0);
	assert_int_equal(syscall(SYS_setgroups, n_before, before), 0);
	/* fetched once */
	assert_int_equal(is_in_gid(token, 4000000000u), 1);
	token_unref(token);
}

static bool
grants(const char *text, const struct token *token, uint32_t desired)
{
	void *sd = sd_of(text);
	uint32_t granted = 0;
	NTSTATUS st = access_check(sd, token, desired, &granted);

	free(sd);
	return NT_SUCCESS(st);
}

/* The check fetches groups when they matter, and then only. */
static void
test_check_fetches_groups_it_needs(void **state)
{
	static const gid_t gids[] = {2000};
	gid_t before[1024];
	int n_before = getgroups(1024, before);
	struct token *asks, *needs_not;

	if (syscall(SYS_setgroups, 1, gids) != 0)
		skip(); /* not root */
	asks = posix_token(geteuid(), getegid(), (uint32_t)gettid());
	needs_not = posix_token(geteuid(), getegid(), (uint32_t)gettid());
	assert_true(grants("D:(A;;FR;;;S-1-22-2-2000)", asks, 1));
	assert_true(grants("D:(D;;FR;;;S-1-22-2-2001)(A;;FR;;;WD)", asks, 1));
	assert_false(grants("D:(D;;FR;;;S-1-22-2-2000)(A;;FR;;;WD)", asks, 1));
	/* everybody may read; nobody may write, whatever the groups */
	assert_true(grants("D:(A;;FR;;;S-1-22-2-2000)(A;;FR;;;WD)", needs_not, 1));
	assert_false(grants("D:(A;;FR;;;S-1-22-2-2000)", needs_not, 3));
	assert_int_equal(syscall(SYS_setgroups, n_before, before), 0);
	assert_int_equal(is_in_gid(asks, 2000), 1);
	assert_int_equal(is_in_gid(needs_not, 2000), 0); /* reads the groups of now */
	token_unref(asks);
	token_unref(needs_not);
}

static void
test_unknown_groups(void **state)
{
	struct token *gone = posix_token(1000, 100, NO_SUCH_PID);
	struct token *other = posix_token(geteuid() + 1, getegid(), (uint32_t)getpid());

	assert_int_equal(is_in_gid(gone, 5), -1);
	assert_int_equal(is_in_gid(gone, 5), -1);
	assert_int_equal(is_in_gid(gone, 100), 1);
	assert_int_equal(is_in_gid(other, getegid() + 1),
			 -1); /* the number is another's now */
	token_unref(gone);
	token_unref(other);
}

static void *
ask_and_release(void *arg)
{
	struct token *token = arg;
	intptr_t member = is_in_gid(token, 3999999999u);

	token_unref(token);
	return (void *)member;
}

static void
test_threads_fetch_once(void **state)
{
	for (int round = 0; round < 20; round++) {
		struct token *token =
			posix_token(geteuid(), getegid(), (uint32_t)getpid());
		pthread_t threads[N_THREADS];
		void *member;

		for (int i = 0; i < N_THREADS; i++)
			assert_int_equal(pthread_create(&threads[i], NULL,
							ask_and_release,
							token_ref(token)),
					 0);
		token_unref(token);
		for (int i = 0; i < N_THREADS; i++) {
			pthread_join(threads[i], &member);
			assert_null(member);
		}
	}
}

static void
test_handles(void **state)
{
	struct token *token = posix_token(1, 1, 0);
	uint32_t a = token_handle_open(token), b = token_handle_open(token), c;

	assert_int_not_equal(a, 0);
	assert_int_not_equal(a, b);
	assert_ptr_equal(token_from_handle(a), token);
	token_handle_close(a);
	assert_null(token_from_handle(a));
	token_handle_close(a); /* harmless */
	assert_ptr_equal(token_from_handle(b), token);
	c = token_handle_open(token);
	assert_int_not_equal(c, a); /* same slot, other number */
	assert_null(token_from_handle(a));
	token_handle_close(a); /* must not close c */
	assert_ptr_equal(token_from_handle(c), token);
	token_handle_close(b);
	token_handle_close(c);
	assert_null(token_from_handle(0));
	assert_null(token_from_handle(0xffffffff));
	token_handle_close(0);
	token_unref(token);
}

static void *
open_and_close(void *arg)
{
	enum { N = 600 }; /* more than one chunk of slots */
	struct token *token = arg;
	uint32_t handles[N];

	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < N; i++) {
			handles[i] = token_handle_open(token);
			if (handles[i] == 0 || token_from_handle(handles[i]) != token)
				return (void *)"a handle does not lead to its token";
		}
		for (int i = 0; i < N; i++)
			token_handle_close(handles[i]);
		for (int i = 0; i < N; i++)
			if (token_from_handle(handles[i]) == token)
				return (void *)"a closed handle leads to its token";
	}
	return NULL;
}

static void
test_handles_of_threads(void **state)
{
	pthread_t threads[N_THREADS];
	struct token *tokens[N_THREADS];
	void *error;

	for (int i = 0; i < N_THREADS; i++) {
		tokens[i] = posix_token((uint32_t)i, 0, 0);
		assert_int_equal(
			pthread_create(&threads[i], NULL, open_and_close, tokens[i]), 0);
	}
	for (int i = 0; i < N_THREADS; i++) {
		pthread_join(threads[i], &error);
		if (error)
			fail_msg("%s", (char *)error);
		token_unref(tokens[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_known_member),
		cmocka_unit_test(test_root_holds_privileges),
		cmocka_unit_test(test_numbers_are_not_well_known_groups),
		cmocka_unit_test(test_unmapped_callers_differ),
		cmocka_unit_test(test_status_text),
		cmocka_unit_test(test_status_text_that_must_not_be_trusted),
		cmocka_unit_test(test_own_groups),
		cmocka_unit_test(test_many_groups),
		cmocka_unit_test(test_check_fetches_groups_it_needs),
		cmocka_unit_test(test_unknown_groups),
		cmocka_unit_test(test_threads_fetch_once),
		cmocka_unit_test(test_handles),
		cmocka_unit_test(test_handles_of_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
