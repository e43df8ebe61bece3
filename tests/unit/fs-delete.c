/* Disposition, delete on close, cleanup flags (winfsp-fsctl §9, §11). */
#include "fs-fake.h"

enum {
	DEL = FILE_DISPOSITION_DELETE,
	POSIX = FILE_DISPOSITION_DELETE | FILE_DISPOSITION_POSIX_SEMANTICS
};

static int
setup(void **state)
{
	struct fs_volume_params params =
		fake_params(FS_VOL_NAMED_STREAMS | FS_VOL_POSIX_UNLINK_RENAME);

	*state = fake_create(&params);
	return 0;
}

static int
teardown(void **state)
{
	fake_destroy(*state);
	return 0;
}

static struct fs_handle *
opened(struct fake *f, const char *name)
{
	if (!fake_find(f, name))
		fake_add(f, name, 0);
	return must_open(f, name, DELETE | FILE_READ_DATA | FILE_WRITE_DATA | FILE_WRITE_ATTRIBUTES,
			 SHARE_ALL, FILE_OPEN, 0);
}

static void
test_pending_blocks_opens(void **state)
{
	struct fake *f = *state;
	struct fs_handle *a = opened(f, "\\f"), *b;

	assert_status(fs_set_disposition(a, DEL, false), STATUS_SUCCESS);
	assert_true(fs_handle_is_deleted(a));
	assert_status(fake_open(f, "\\f", FILE_READ_ATTRIBUTES, SHARE_ALL, FILE_OPEN, 0, &b),
		      STATUS_DELETE_PENDING);
	done(a);
	assert_null(fake_find(f, "\\f"));
	assert_status(fake_open(f, "\\f", FILE_READ_ATTRIBUTES, SHARE_ALL, FILE_OPEN, 0, &b),
		      STATUS_OBJECT_NAME_NOT_FOUND);
}

static void
test_last_cleanup_deletes(void **state)
{
	struct fake *f = *state;
	struct fs_handle *a = opened(f, "\\f"), *b = opened(f, "\\f");

	assert_status(fs_set_disposition(a, DEL, false), STATUS_SUCCESS);
	done(a);
	assert_false(fake_last(f, FS_KIND_CLEANUP)->flags & FS_CLEANUP_DELETE);
	assert_string_equal(fake_last(f, FS_KIND_CLEANUP)->name, "");
	done(b);
	assert_true(fake_last(f, FS_KIND_CLEANUP)->flags & FS_CLEANUP_DELETE);
	assert_string_equal(fake_last(f, FS_KIND_CLEANUP)->name, "\\f");
}

static void
test_cleared_again(void **state)
{
	struct fake *f = *state;
	struct fs_handle *a = opened(f, "\\f");

	assert_status(fs_set_disposition(a, POSIX, true), STATUS_SUCCESS);
	assert_status(fs_set_disposition(a, 0, true), STATUS_SUCCESS);
	done(a);
	assert_non_null(fake_find(f, "\\f"));
}

/* A POSIX delete happens at that handle's cleanup; the name is free at once. */
static void
test_posix_delete(void **state)
{
	struct fake *f = *state;
	struct fs_handle *a = opened(f, "\\f"), *b = opened(f, "\\f"), *c;

	assert_status(fs_set_disposition(a, POSIX, true), STATUS_SUCCESS);
	assert_status(fake_open(f, "\\f", FILE_READ_DATA, SHARE_ALL, FILE_OPEN, 0, &c),
		      STATUS_DELETE_PENDING);
	done(a);
	assert_null(fake_find(f, "\\f"));
	assert_status(fs_set_disposition(b, DEL, false), STATUS_FILE_DELETED);
	c = must_open(f, "\\f", FILE_READ_DATA, 0, FILE_CREATE, 0);
	fake_forget(f);
	done(b);
	assert_false(fake_last(f, FS_KIND_CLEANUP)->flags & FS_CLEANUP_DELETE);
	done(c);
	assert_non_null(fake_find(f, "\\f"));
}

static void
test_delete_on_close(void **state)
{
	struct fake *f = *state;
	struct fs_handle *a, *b;

	a = must_open(f, "\\f", DELETE, SHARE_ALL, FILE_CREATE, FILE_DELETE_ON_CLOSE);
	b = must_open(f, "\\f", FILE_READ_DATA, SHARE_ALL, FILE_OPEN, 0);
	done(a);
	assert_non_null(fake_find(f, "\\f"));
	done(b);
	assert_null(fake_find(f, "\\f"));
}

static void
test_refusals(void **state)
{
	struct fake *f = *state;
	struct fs_volume_params plain = fake_params(0);
	struct fake *without = fake_create(&plain);
	struct fs_handle *h;

	h = opened(without, "\\f");
	assert_status(fs_set_disposition(h, DEL, true), STATUS_INVALID_PARAMETER);
	done(h);
	fake_destroy(without);
	h = must_open(f, "\\", DELETE, SHARE_ALL, FILE_OPEN, 0);
	assert_status(fs_set_disposition(h, DEL, false), STATUS_CANNOT_DELETE);
	done(h);
	h = opened(f, "\\f");
	assert_status(fs_set_disposition(h, DEL | FILE_DISPOSITION_ON_CLOSE, true),
		      STATUS_NOT_SUPPORTED);
	done(h);
	h = must_open(f, "\\f", FILE_READ_DATA, SHARE_ALL, FILE_OPEN, 0);
	assert_status(fs_set_disposition(h, DEL, false), STATUS_ACCESS_DENIED);
	done(h);
}

/* §11.5: the program is not asked again until something succeeded. */
static void
test_refusal_is_remembered(void **state)
{
	struct fake *f = *state;
	struct fs_handle *h;

	fake_add(f, "\\d", FILE_ATTRIBUTE_DIRECTORY);
	fake_add(f, "\\d\\f", 0);
	h = opened(f, "\\d");
	assert_status(fs_set_disposition(h, DEL, false), STATUS_DIRECTORY_NOT_EMPTY);
	fake_forget(f);
	assert_status(fs_set_disposition(h, DEL, false), STATUS_DIRECTORY_NOT_EMPTY);
	assert_int_equal(f->n_records, 0);
	assert_status(fs_set_disposition(h, 0, false), STATUS_SUCCESS);
	assert_status(fs_set_disposition(h, DEL, false), STATUS_DIRECTORY_NOT_EMPTY);
	assert_int_equal(fake_count(f, FS_KIND_SET_INFO), 2);
	done(h);
}

/* §11.6: plain files with fresh information need no question. */
static void
test_local_disposition(void **state)
{
	struct fs_volume_params params = fake_params(FS_VOL_POST_DISPOSITION_WHEN_NECESSARY |
						     FS_VOL_POSIX_UNLINK_RENAME);
	struct fs_handle *h;
	struct fake *f;

	(void)state;
	params.file_info_timeout = FS_TIMEOUT_INFINITE;
	f = fake_create(&params);
	fake_add(f, "\\r", FILE_ATTRIBUTE_READONLY);
	h = opened(f, "\\r");
	assert_status(fs_set_disposition(h, DEL, true), STATUS_CANNOT_DELETE);
	assert_status(fs_set_disposition(h, DEL | FILE_DISPOSITION_IGNORE_READONLY_ATTRIBUTE, true),
		      STATUS_SUCCESS);
	assert_int_equal(fake_count(f, FS_KIND_SET_INFO), 0);
	done(h);
	assert_null(fake_find(f, "\\r"));
	fake_destroy(f);
}

static void
test_cleanup_flags(void **state)
{
	struct fake *f = *state;
	struct fs_file_info info;
	struct fs_basic_info basic = {.attributes = FILE_ATTRIBUTE_HIDDEN, .last_write_time = 5,
				      .last_access_time = 6, .change_time = 7};
	struct fs_handle *h = opened(f, "\\f");
	uint32_t written;

	done(h);
	assert_int_equal(fake_last(f, FS_KIND_CLEANUP)->flags, FS_CLEANUP_SET_LAST_ACCESS);
	h = opened(f, "\\f");
	assert_status(fs_write(h, "x", 0, 1, false, &written, &info), STATUS_SUCCESS);
	done(h);
	assert_int_equal(fake_last(f, FS_KIND_CLEANUP)->flags,
			 FS_CLEANUP_SET_ALLOCATION_SIZE | FS_CLEANUP_SET_ARCHIVE |
				 FS_CLEANUP_SET_LAST_ACCESS | FS_CLEANUP_SET_LAST_WRITE |
				 FS_CLEANUP_SET_CHANGE);
	h = opened(f, "\\f");
	assert_status(fs_write(h, "x", 0, 1, false, &written, &info), STATUS_SUCCESS);
	assert_status(fs_set_basic(h, &basic, &info), STATUS_SUCCESS);
	done(h);
	assert_int_equal(fake_last(f, FS_KIND_CLEANUP)->flags, FS_CLEANUP_SET_ALLOCATION_SIZE);
	h = opened(f, "\\f");
	basic = (struct fs_basic_info){.attributes = INVALID_FILE_ATTRIBUTES,
				       .creation_time = 9};
	assert_status(fs_set_basic(h, &basic, &info), STATUS_SUCCESS);
	done(h);
	assert_int_equal(fake_last(f, FS_KIND_CLEANUP)->flags,
			 FS_CLEANUP_SET_LAST_ACCESS | FS_CLEANUP_SET_CHANGE);
}

/* To POSIX, reading is an access, opening is not; with O_NOATIME neither is. */
static void
test_cleanup_of_posix_readers(void **state)
{
	static const uint16_t name[] = {'\\', 'f'};
	struct fake *f = *state;
	struct fs_open_params params = {
		.name = name, .n_units = 2, .desired_access = FILE_READ_DATA,
		.share_access = SHARE_ALL, .disposition = FILE_OPEN,
		.flags = FS_OPEN_POSIX | FS_OPEN_KERNEL_MODE};
	struct fs_open_result result;
	struct fs_handle *h;
	struct fs_file_info info;
	uint32_t n;
	char c;

	h = opened(f, "\\f");
	assert_status(fs_write(h, "x", 0, 1, false, &n, &info), STATUS_SUCCESS);
	done(h);
	for (unsigned i = 0; i < 3; i++) {
		if (i == 2)
			params.flags |= FS_OPEN_KEEP_ACCESS_TIME;
		assert_status(fs_create(f->volume, &params, &result, &h), STATUS_SUCCESS);
		if (i > 0)
			assert_status(fs_read(h, &c, 0, 1, &n), STATUS_SUCCESS);
		done(h);
		assert_int_equal(fake_last(f, FS_KIND_CLEANUP)->flags,
				 i == 1 ? FS_CLEANUP_SET_LAST_ACCESS : 0);
	}
}

static void
test_cleanup_when_modified_only(void **state)
{
	struct fs_volume_params params = fake_params(FS_VOL_POST_CLEANUP_WHEN_MODIFIED);
	struct fake *f = fake_create(&params);
	struct fs_handle *h = opened(f, "\\f");

	(void)state;
	done(h);
	assert_int_equal(fake_count(f, FS_KIND_CLEANUP), 0);
	h = opened(f, "\\f");
	assert_status(fs_set_disposition(h, DEL, false), STATUS_SUCCESS);
	done(h);
	assert_int_equal(fake_count(f, FS_KIND_CLEANUP), 1);
	fake_destroy(f);
}

/* A node stays until close: an open between cleanup and close finds the same context. */
static void
test_node_lives_until_close(void **state)
{
	struct fake *f = *state;
	struct fs_handle *a = opened(f, "\\f"), *b;

	fs_cleanup(a);
	b = opened(f, "\\f");
	fs_close(a);
	uint64_t first = fake_last(f, FS_KIND_CLOSE)->ctx.user_context;
	done(b);
	assert_true(fake_last(f, FS_KIND_CLOSE)->ctx.user_context == first);
}

/* Deleting a file takes its streams' names along, and pends opens of its streams. */
static void
test_streams_go_with_the_file(void **state)
{
	struct fake *f = *state;
	struct fs_handle *h = opened(f, "\\f"), *s, *t;

	fake_add(f, "\\f:s", 0);
	assert_status(fs_set_disposition(h, DEL, false), STATUS_SUCCESS);
	assert_status(fake_open(f, "\\f:s", FILE_READ_DATA, SHARE_ALL, FILE_OPEN, 0, &s),
		      STATUS_DELETE_PENDING);
	assert_status(fs_set_disposition(h, 0, false), STATUS_SUCCESS);
	s = must_open(f, "\\f:s", FILE_READ_DATA, SHARE_ALL, FILE_OPEN, 0);
	assert_status(fs_set_disposition(h, POSIX, true), STATUS_SUCCESS);
	done(h);
	h = must_open(f, "\\f", FILE_READ_DATA, SHARE_ALL, FILE_CREATE, 0);
	t = must_open(f, "\\f:s", FILE_READ_DATA, 0, FILE_CREATE, 0);
	done(s);
	done(t);
	done(h);
}

/* Deleting a stream keeps its file. */
static void
test_stream_delete(void **state)
{
	struct fake *f = *state;
	struct fs_handle *s;

	fake_add(f, "\\f", 0);
	s = must_open(f, "\\f:s", DELETE, SHARE_ALL, FILE_CREATE, 0);
	assert_status(fs_set_disposition(s, DEL, false), STATUS_SUCCESS);
	done(s);
	assert_null(fake_find(f, "\\f:s"));
	assert_non_null(fake_find(f, "\\f"));
	assert_int_equal(fake_find(f, "\\f")->refs, 0);
}

int
main(void)
{
#define ROW(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	static const struct CMUnitTest tests[] = {
		ROW(test_pending_blocks_opens),
		ROW(test_last_cleanup_deletes),
		ROW(test_cleared_again),
		ROW(test_posix_delete),
		ROW(test_delete_on_close),
		ROW(test_refusals),
		ROW(test_refusal_is_remembered),
		cmocka_unit_test(test_local_disposition),
		ROW(test_cleanup_flags),
		ROW(test_cleanup_of_posix_readers),
		cmocka_unit_test(test_cleanup_when_modified_only),
		ROW(test_node_lives_until_close),
		ROW(test_streams_go_with_the_file),
		ROW(test_stream_delete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
