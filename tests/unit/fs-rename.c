/* Rename and link (winfsp-fsctl §12). */
#include "fs-fake.h"

enum { REPLACE = FILE_RENAME_REPLACE_IF_EXISTS,
       POSIX = FILE_RENAME_REPLACE_IF_EXISTS | FILE_RENAME_POSIX_SEMANTICS };

static int
setup(void **state)
{
	struct fs_volume_params params =
		fake_params(FS_VOL_NAMED_STREAMS | FS_VOL_POSIX_UNLINK_RENAME);
	struct fake *f = fake_create(&params);

	fake_add(f, "\\d", FILE_ATTRIBUTE_DIRECTORY);
	fake_add(f, "\\e", FILE_ATTRIBUTE_DIRECTORY);
	fake_add(f, "\\d\\a", 0);
	fake_add(f, "\\d\\b", 0);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	fake_destroy(*state);
	return 0;
}

static struct fs_handle *
opened(struct fake *f, const char *name, uint32_t share)
{
	return must_open(f, name, DELETE | FILE_READ_DATA, share, FILE_OPEN, 0);
}

static NTSTATUS
rename_posix(struct fs_handle *h, const char *name, uint32_t flags)
{
	uint16_t wide[64];
	size_t n = units(name, wide);

	return fs_rename_posix(h, NULL, wide, n, flags);
}

static void
test_moves_between_directories(void **state)
{
	struct fake *f = *state;
	struct fs_handle *h = opened(f, "\\d\\a", SHARE_ALL);
	struct fs_handle *e = must_open(f, "\\e", FILE_ADD_FILE, SHARE_ALL, FILE_OPEN, 0), *b;
	char name[FAKE_NAME];

	assert_status(fake_rename(h, e, "x\\y\\c\\", 0, false), STATUS_SUCCESS);
	handle_name(h, name);
	assert_string_equal(name, "\\e\\c");
	/* the open file is met under its new name */
	assert_status(fake_open(f, "\\e\\c", FILE_READ_DATA, 0, FILE_OPEN, 0, &b),
		      STATUS_SHARING_VIOLATION);
	done(h);
	done(e);
}

static void
test_bad_names(void **state)
{
	struct fake *f = *state;
	struct fs_handle *h = opened(f, "\\d\\a", SHARE_ALL), *root;
	char longest[258];

	assert_status(fake_rename(h, NULL, "", 0, false), STATUS_INVALID_PARAMETER);
	assert_status(fake_rename(h, NULL, "x:y", 0, false), STATUS_INVALID_PARAMETER);
	assert_status(fake_rename(h, NULL, "x*", 0, false), STATUS_INVALID_PARAMETER);
	memset(longest, 'l', 256);
	longest[256] = 0;
	assert_status(fake_rename(h, NULL, longest, 0, false), STATUS_INVALID_PARAMETER);
	done(h);
	root = opened(f, "\\", SHARE_ALL);
	assert_status(fake_rename(root, NULL, "x", 0, false), STATUS_INVALID_PARAMETER);
	done(root);
	h = must_open(f, "\\d\\a:s", DELETE, SHARE_ALL, FILE_CREATE, 0);
	assert_status(fake_rename(h, NULL, "t", 0, false), STATUS_INVALID_PARAMETER);
	done(h);
	h = must_open(f, "\\d\\a", FILE_READ_DATA, SHARE_ALL, FILE_OPEN, 0);
	assert_status(fake_rename(h, NULL, "t", 0, false), STATUS_ACCESS_DENIED);
	done(h);
}

static void
test_same_name(void **state)
{
	struct fake *f = *state;
	struct fs_handle *h = opened(f, "\\d\\a", SHARE_ALL);
	char name[FAKE_NAME];

	assert_status(fake_rename(h, NULL, "a", 0, false), STATUS_SUCCESS);
	assert_int_equal(fake_count(f, FS_KIND_SET_INFO), 0);
	assert_status(fake_rename(h, NULL, "A", 0, false), STATUS_SUCCESS);
	assert_int_equal(fake_count(f, FS_KIND_SET_INFO), 1);
	handle_name(h, name);
	assert_string_equal(name, "\\d\\A");
	done(h);
}

/* The token travels with replacement only: without one the program must not replace. */
static void
test_replace(void **state)
{
	struct fake *f = *state;
	struct fs_handle *h = opened(f, "\\d\\a", SHARE_ALL);

	assert_status(fake_rename(h, NULL, "b", 0, false), STATUS_OBJECT_NAME_COLLISION);
	assert_status(fake_rename(h, NULL, "b", REPLACE, false), STATUS_SUCCESS);
	done(h);
	assert_null(fake_find(f, "\\d\\a"));
}

static void
test_open_child_blocks_directory(void **state)
{
	struct fake *f = *state;
	struct fs_handle *child = opened(f, "\\d\\a", SHARE_ALL);
	struct fs_handle *dir = opened(f, "\\d", SHARE_ALL);
	char name[FAKE_NAME];

	assert_status(fake_rename(dir, NULL, "n", 0, false), STATUS_ACCESS_DENIED);
	assert_status(fake_rename(dir, NULL, "n", POSIX, true), STATUS_SUCCESS);
	handle_name(child, name);
	assert_string_equal(name, "\\n\\a");
	done(child);
	child = must_open(f, "\\n\\a", FILE_READ_DATA, FILE_SHARE_READ, FILE_OPEN, 0);
	assert_status(fake_rename(dir, NULL, "m", POSIX, true), STATUS_SHARING_VIOLATION);
	done(child);
	done(dir);
}

static void
test_open_target(void **state)
{
	struct fake *f = *state;
	struct fs_handle *h = opened(f, "\\d\\a", SHARE_ALL), *target, *b;

	target = must_open(f, "\\d\\b", FILE_READ_DATA, FILE_SHARE_READ, FILE_OPEN, 0);
	assert_status(fake_rename(h, NULL, "b", REPLACE, false), STATUS_ACCESS_DENIED);
	assert_status(fake_rename(h, NULL, "b", POSIX, true), STATUS_SHARING_VIOLATION);
	done(target);
	target = opened(f, "\\d\\b", SHARE_ALL);
	assert_status(fake_rename(h, NULL, "b", POSIX, true), STATUS_SUCCESS);
	/* the replaced file lives on detached, and is never deleted under the new one's name */
	assert_true(fs_handle_is_deleted(target));
	fs_cleanup(target);
	assert_false(fake_last(f, FS_KIND_CLEANUP)->flags & FS_CLEANUP_DELETE);
	fs_close(target);
	assert_status(fake_open(f, "\\d\\b", FILE_READ_DATA, FILE_SHARE_READ, FILE_OPEN, 0, &b),
		      STATUS_SHARING_VIOLATION);
	done(h);
}

static void
test_posix_deleted_cannot_be_renamed(void **state)
{
	struct fake *f = *state;
	struct fs_handle *a = opened(f, "\\d\\a", SHARE_ALL), *b = opened(f, "\\d\\a", SHARE_ALL);

	assert_status(fs_set_disposition(a, FILE_DISPOSITION_DELETE |
						    FILE_DISPOSITION_POSIX_SEMANTICS, true),
		      STATUS_SUCCESS);
	done(a);
	assert_status(fake_rename(b, NULL, "c", 0, false), STATUS_ACCESS_DENIED);
	done(b);
}

static void
test_ex_needs_flag(void **state)
{
	struct fs_volume_params params = fake_params(0);
	struct fake *f = fake_create(&params);

	(void)state;
	fake_add(f, "\\a", 0);
	struct fs_handle *h = opened(f, "\\a", SHARE_ALL);
	assert_status(fake_rename(h, NULL, "b", 0, true), STATUS_INVALID_PARAMETER);
	done(h);
	fake_destroy(f);
}

/* A program without POSIX rename: the engine's own path for Linux (with and without class 65). */
static void
test_posix_fallback(void **state)
{
	(void)state;
	for (int ex = 0; ex < 2; ex++) {
		struct fs_volume_params params = fake_params(
			FS_VOL_CASE_SENSITIVE | (ex ? FS_VOL_POSIX_UNLINK_RENAME : 0));
		struct fake *f = fake_create(&params);

		fake_add(f, "\\a", 0);
		fake_add(f, "\\b", 0);
		fake_add(f, "\\c", FILE_ATTRIBUTE_DIRECTORY);
		fake_add(f, "\\c\\x", 0);
		fake_add(f, "\\g", FILE_ATTRIBUTE_DIRECTORY);
		fake_add(f, "\\h", FILE_ATTRIBUTE_DIRECTORY);
		struct fs_handle *h = opened(f, "\\a", SHARE_ALL);
		struct fs_handle *target = opened(f, "\\b", SHARE_ALL);
		assert_status(rename_posix(h, "b", FS_RENAME_NO_REPLACE),
			      STATUS_OBJECT_NAME_COLLISION);
		assert_status(rename_posix(h, "b", FS_RENAME_EXCHANGE), STATUS_NOT_SUPPORTED);
		assert_status(rename_posix(h, "c", 0), STATUS_FILE_IS_A_DIRECTORY);
		assert_status(rename_posix(h, "b", 0), STATUS_SUCCESS);
		done(target);
		done(h);
		h = opened(f, "\\g", SHARE_ALL);
		assert_status(rename_posix(h, "b", 0), STATUS_NOT_A_DIRECTORY);
		assert_status(rename_posix(h, "c", 0), STATUS_DIRECTORY_NOT_EMPTY);
		assert_status(rename_posix(h, "h", 0), STATUS_SUCCESS);
		done(h);
		assert_null(fake_find(f, "\\g"));
		assert_non_null(fake_find(f, "\\h"));
		fake_destroy(f);
	}
}

/* The first rename puts the target aside, the second is the one that was asked for. */
static bool
fail_second_rename(struct fake *f, struct fs_req *req, struct fs_rsp *rsp)
{
	unsigned *n_renames = f->hook_data;
	bool is_rename = req->kind == FS_KIND_SET_INFO &&
			 (req->set_info.info_class == FileRenameInformation ||
			  req->set_info.info_class == FileRenameInformationEx);

	if (!is_rename || ++*n_renames != 2)
		return false;
	rsp->status = (uint32_t)STATUS_DISK_FULL;
	return true;
}

/* A rename that fails has not removed the empty directory that it would have replaced. */
static void
test_posix_fallback_restores(void **state)
{
	(void)state;
	for (int ex = 0; ex < 2; ex++) {
		struct fs_volume_params params = fake_params(
			FS_VOL_CASE_SENSITIVE | (ex ? FS_VOL_POSIX_UNLINK_RENAME : 0));
		struct fake *f = fake_create(&params);
		unsigned n_renames = 0;

		fake_add(f, "\\g", FILE_ATTRIBUTE_DIRECTORY);
		fake_add(f, "\\h", FILE_ATTRIBUTE_DIRECTORY);
		struct fake_file *target = fake_find(f, "\\h");
		struct fs_handle *h = opened(f, "\\g", SHARE_ALL);
		f->hook = fail_second_rename;
		f->hook_data = &n_renames;
		assert_status(rename_posix(h, "h", 0), STATUS_DISK_FULL);
		assert_int_equal(n_renames, 3);
		assert_ptr_equal(fake_find(f, "\\h"), target);
		assert_non_null(fake_find(f, "\\g"));
		/* It can be used as before. */
		done(opened(f, "\\h", SHARE_ALL));
		assert_status(rename_posix(h, "h", 0), STATUS_SUCCESS);
		done(h);
		assert_ptr_not_equal(fake_find(f, "\\h"), target);
		assert_null(fake_find(f, "\\g"));
		fake_destroy(f);
	}
}

static bool
swap(struct fake *f, struct fs_req *req, struct fs_rsp *rsp)
{
	(void)rsp;
	if (req->kind != FS_KIND_RENAME_POSIX)
		return false;
	struct fake_file *a = fake_find(f, "\\d\\a"), *b = fake_find(f, "\\d\\b");
	char name[FAKE_NAME];
	memcpy(name, a->names[0], FAKE_NAME);
	memcpy(a->names[0], b->names[0], FAKE_NAME);
	memcpy(b->names[0], name, FAKE_NAME);
	return true;
}

static void
test_exchange(void **state)
{
	struct fs_volume_params params = fake_params(FS_VOL_CASE_SENSITIVE);
	struct fake *f;
	char name[FAKE_NAME];

	(void)state;
	params.optional_kinds = 1u << (FS_KIND_RENAME_POSIX - FS_KIND_LINK);
	f = fake_create(&params);
	fake_add(f, "\\d", FILE_ATTRIBUTE_DIRECTORY);
	fake_add(f, "\\d\\a", 0);
	fake_add(f, "\\d\\b", 0);
	f->hook = swap;
	struct fs_handle *a = opened(f, "\\d\\a", SHARE_ALL), *b = opened(f, "\\d\\b", SHARE_ALL);
	assert_status(rename_posix(a, "b", FS_RENAME_EXCHANGE), STATUS_SUCCESS);
	handle_name(a, name);
	assert_string_equal(name, "\\d\\b");
	handle_name(b, name);
	assert_string_equal(name, "\\d\\a");
	done(a);
	done(b);
	fake_destroy(f);
}

/* Ruling: where the program knows hard links, two names are one node. */
static void
test_link(void **state)
{
	struct fs_volume_params params =
		fake_params(FS_VOL_CASE_SENSITIVE | FS_VOL_POSIX_UNLINK_RENAME);
	struct fs_file_info info;
	struct fake *f;
	uint16_t wide[64];
	struct fs_handle *a, *b, *c;

	(void)state;
	params.optional_kinds = 1;
	f = fake_create(&params);
	fake_add(f, "\\a", 0);
	a = opened(f, "\\a", SHARE_ALL);
	assert_status(fs_link(a, NULL, wide, units("b", wide), false, &info), STATUS_SUCCESS);
	assert_int_equal(info.hard_links, 2);
	assert_status(fs_link(a, NULL, wide, units("b", wide), false, &info),
		      STATUS_OBJECT_NAME_COLLISION);
	b = opened(f, "\\b", SHARE_ALL);
	/* one share state */
	assert_status(fake_open(f, "\\b", FILE_READ_DATA, FILE_SHARE_READ, FILE_OPEN, 0, &c),
		      STATUS_SHARING_VIOLATION);
	/* deletion is the name's */
	assert_status(fs_set_disposition(b, FILE_DISPOSITION_DELETE, false), STATUS_SUCCESS);
	assert_false(fs_handle_is_deleted(a));
	done(b);
	assert_null(fake_find(f, "\\b"));
	assert_non_null(fake_find(f, "\\a"));
	done(a);
	fake_destroy(f);
}

/* A name that the program gives to another file behind our back: each handle keeps its file. */
static void
test_name_changes_hands(void **state)
{
	struct fs_volume_params params = fake_params(FS_VOL_CASE_SENSITIVE);
	struct fs_file_info info;
	struct fs_handle *old, *new;
	struct fake *f;

	(void)state;
	params.optional_kinds = 1;
	f = fake_create(&params);
	fake_add(f, "\\a", FILE_ATTRIBUTE_HIDDEN);
	old = opened(f, "\\a", 0);
	fake_find(f, "\\a")->names[0][0] = 0;
	fake_add(f, "\\a", FILE_ATTRIBUTE_SYSTEM);
	new = opened(f, "\\a", 0);
	assert_status(fs_query_info(old, &info), STATUS_SUCCESS);
	assert_int_equal(info.attributes, FILE_ATTRIBUTE_HIDDEN);
	assert_status(fs_query_info(new, &info), STATUS_SUCCESS);
	assert_int_equal(info.attributes, FILE_ATTRIBUTE_SYSTEM);
	done(old);
	done(new);
	fake_destroy(f);
}

static void
test_link_needs_kind(void **state)
{
	struct fake *f = *state;
	struct fs_handle *h = opened(f, "\\d\\a", SHARE_ALL);
	struct fs_file_info info;
	uint16_t wide[64];

	assert_status(fs_link(h, NULL, wide, units("l", wide), false, &info),
		      STATUS_NOT_SUPPORTED);
	done(h);
}

int
main(void)
{
#define ROW(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	static const struct CMUnitTest tests[] = {
		ROW(test_moves_between_directories),
		ROW(test_bad_names),
		ROW(test_same_name),
		ROW(test_replace),
		ROW(test_open_child_blocks_directory),
		ROW(test_open_target),
		ROW(test_posix_deleted_cannot_be_renamed),
		cmocka_unit_test(test_ex_needs_flag),
		cmocka_unit_test(test_posix_fallback),
		cmocka_unit_test(test_posix_fallback_restores),
		cmocka_unit_test(test_exchange),
		cmocka_unit_test(test_link),
		cmocka_unit_test(test_name_changes_hands),
		ROW(test_link_needs_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
