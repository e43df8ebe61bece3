/* Create: what is refused before the program is asked, and what is made of its answer. */
#include "fs-fake.h"

static const uint32_t ALL_FLAGS = FS_VOL_NAMED_STREAMS | FS_VOL_REPARSE_POINTS |
				  FS_VOL_EXTENDED_ATTRIBUTES | FS_VOL_POSIX_UNLINK_RENAME;

static int
setup(void **state)
{
	struct fs_volume_params params = fake_params(ALL_FLAGS);

	*state = fake_create(&params);
	return 0;
}

static int
teardown(void **state)
{
	fake_destroy(*state);
	return 0;
}

struct rejection {
	const char *name;
	uint32_t disposition, options;
	NTSTATUS st;
};

/* winfsp-fsctl §6.1: none of these reaches the program. */
static void
test_rejections(void **state)
{
	static const struct rejection rows[] = {
		{"\\f", FILE_OPEN, FILE_OPEN_BY_FILE_ID, STATUS_NOT_IMPLEMENTED},
		{"\\f", FILE_OPEN, FILE_DIRECTORY_FILE | FILE_NON_DIRECTORY_FILE,
		 STATUS_INVALID_PARAMETER},
		{"\\f", 6, 0, STATUS_INVALID_PARAMETER},
		{"f", FILE_OPEN, 0, STATUS_OBJECT_NAME_INVALID},
		{"", FILE_OPEN, 0, STATUS_OBJECT_NAME_INVALID},
		{"\\a\\\\b", FILE_OPEN, 0, STATUS_OBJECT_NAME_INVALID},
		{"\\a\\b\\\\", FILE_OPEN, 0, STATUS_OBJECT_NAME_INVALID},
		{"\\a*", FILE_OPEN, 0, STATUS_OBJECT_NAME_INVALID},
		{"\\a?", FILE_OPEN, 0, STATUS_OBJECT_NAME_INVALID},
		{"\\a/b", FILE_OPEN, 0, STATUS_OBJECT_NAME_INVALID},
		{"\\a\x01", FILE_OPEN, 0, STATUS_OBJECT_NAME_INVALID},
		{"\\f:", FILE_OPEN, 0, STATUS_OBJECT_NAME_INVALID},
		{"\\f:s:", FILE_OPEN, 0, STATUS_OBJECT_NAME_INVALID},
		{"\\f:s:$OTHER", FILE_OPEN, 0, STATUS_OBJECT_NAME_INVALID},
		{"\\f:s:$DATA:", FILE_OPEN, 0, STATUS_OBJECT_NAME_INVALID},
		{"\\f:s\\g", FILE_OPEN, 0, STATUS_OBJECT_NAME_INVALID},
		{"\\f::$DATA", FILE_OPEN, FILE_DIRECTORY_FILE, STATUS_NOT_A_DIRECTORY},
		{"\\f:s", FILE_OPEN, FILE_DIRECTORY_FILE, STATUS_NOT_A_DIRECTORY},
		{"\\", FILE_CREATE, 0, STATUS_ACCESS_DENIED},
		{"\\", FILE_OVERWRITE, 0, STATUS_ACCESS_DENIED},
		{"\\", FILE_OVERWRITE_IF, 0, STATUS_ACCESS_DENIED},
		{"\\", FILE_SUPERSEDE, 0, STATUS_ACCESS_DENIED},
		{"\\", FILE_OPEN, FILE_DELETE_ON_CLOSE, STATUS_CANNOT_DELETE},
	};
	struct fake *f = *state;
	struct fs_handle *h;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_status(fake_open(f, rows[i].name, FILE_READ_DATA, SHARE_ALL,
					rows[i].disposition, rows[i].options, &h),
			      rows[i].st);
	assert_int_equal(f->n_records, 0);
}

static void
test_component_length(void **state)
{
	struct fake *f = *state;
	char name[300] = "\\";

	memset(name + 1, 'x', 255);
	done(must_open(f, name, FILE_READ_DATA, SHARE_ALL, FILE_CREATE, 0));
	name[256] = 'x';
	struct fs_handle *h;
	assert_status(fake_open(f, name, FILE_READ_DATA, SHARE_ALL, FILE_CREATE, 0, &h),
		      STATUS_OBJECT_NAME_INVALID);
}

static void
test_path_too_long(void **state)
{
	struct fake *f = *state;
	struct fs_handle *h;
	char *name = malloc(8802);

	assert_non_null(name);
	for (int i = 0; i < 8800; i++)
		name[i] = i % 100 == 0 ? '\\' : 'p';
	name[8800] = 0;
	assert_status(fake_open(f, name, FILE_READ_DATA, SHARE_ALL, FILE_OPEN, 0, &h),
		      STATUS_OBJECT_NAME_INVALID);
	free(name);
}

static void
test_name_forms(void **state)
{
	static const char *const rows[][2] = {
		{"\\\\f", "\\f"},
		{"\\f::$DATA", "\\f"},
		{"\\f::$data", "\\f"},
		{"\\d\\", "\\d"},
	};
	struct fake *f = *state;

	fake_add(f, "\\f", 0);
	fake_add(f, "\\d", FILE_ATTRIBUTE_DIRECTORY);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fs_handle *h = must_open(f, rows[i][0], FILE_READ_ATTRIBUTES, SHARE_ALL,
						FILE_OPEN, 0);
		char name[FAKE_NAME];

		handle_name(h, name);
		assert_string_equal(name, rows[i][1]);
		done(h);
	}
	assert_true(fake_last(f, FS_KIND_CREATE)->flags & FS_CREATE_TRAILING_BACKSLASH);
}

static void
test_no_streams_without_flag(void **state)
{
	struct fs_volume_params params = fake_params(0);
	struct fake *f = fake_create(&params);
	struct fs_handle *h;

	(void)state;
	assert_status(fake_open(f, "\\f:s", FILE_READ_DATA, SHARE_ALL, FILE_OPEN, 0, &h),
		      STATUS_OBJECT_NAME_INVALID);
	fake_destroy(f);
}

static void
test_relative(void **state)
{
	struct fake *f = *state;
	uint16_t wide[64];
	struct fs_open_result result;
	struct fs_handle *dir, *h;
	char name[FAKE_NAME];

	fake_add(f, "\\d", FILE_ATTRIBUTE_DIRECTORY);
	dir = must_open(f, "\\d", FILE_LIST_DIRECTORY, SHARE_ALL, FILE_OPEN, 0);
	struct fs_open_params params = {.name = wide, .n_units = units("f", wide), .related = dir,
					.desired_access = FILE_READ_DATA,
					.share_access = SHARE_ALL, .disposition = FILE_CREATE,
					.token = f->token};
	assert_status(fs_create(f->volume, &params, &result, &h), STATUS_SUCCESS);
	handle_name(h, name);
	assert_string_equal(name, "\\d\\f");
	done(h);
	params.n_units = units("\\f", wide);
	assert_status(fs_create(f->volume, &params, &result, &h), STATUS_INVALID_PARAMETER);
	done(dir);
}

static void
test_prefix(void **state)
{
	struct fs_volume_params params = fake_params(0);
	struct fs_handle *h;
	struct fake *f;

	(void)state;
	units("\\server\\share", params.prefix);
	f = fake_create(&params);
	f->open_flags = FS_OPEN_WITH_PREFIX;
	fake_add(f, "\\f", 0);
	done(must_open(f, "\\SERVER\\share\\f", FILE_READ_DATA, SHARE_ALL, FILE_OPEN, 0));
	done(must_open(f, "\\server\\share", FILE_READ_DATA, SHARE_ALL, FILE_OPEN, 0));
	assert_status(fake_open(f, "\\server\\shared\\f", FILE_READ_DATA, SHARE_ALL, FILE_OPEN, 0,
				&h),
		      STATUS_OBJECT_PATH_NOT_FOUND);
	fake_destroy(f);
}

static NTSTATUS
open_with_ea(struct fake *f, uint32_t options, const void *ea, uint32_t size, uint32_t *bad)
{
	uint16_t wide[64];
	struct fs_open_result result;
	struct fs_handle *h;
	struct fs_open_params params = {.name = wide, .n_units = units("\\e", wide),
					.desired_access = FILE_READ_DATA,
					.share_access = SHARE_ALL, .disposition = FILE_OPEN_IF,
					.options = options, .ea = ea, .ea_size = size,
					.token = f->token};
	NTSTATUS st = fs_create(f->volume, &params, &result, &h);

	*bad = result.information;
	if (NT_SUCCESS(st))
		done(h);
	return st;
}

static void
test_ea_rules(void **state)
{
	static const uint8_t good[] = {0, 0, 0, 0, 0, 1, 1, 0, 'N', 0, 'v'};
	static const uint8_t bad_name[] = {12, 0, 0, 0, 0, 1, 1, 0, 'N', 0, 'v', 0,
					   0, 0, 0, 0, 0, 1, 1, 0, '*', 0, 'v'};
	struct fs_volume_params params = fake_params(0);
	struct fake *f = *state, *without = fake_create(&params);
	uint32_t bad;

	assert_status(open_with_ea(without, 0, good, sizeof(good), &bad),
		      STATUS_EAS_NOT_SUPPORTED);
	fake_destroy(without);
	assert_status(open_with_ea(f, FILE_NO_EA_KNOWLEDGE, good, sizeof(good), &bad),
		      STATUS_ACCESS_DENIED);
	assert_status(open_with_ea(f, 0, bad_name, sizeof(bad_name), &bad),
		      STATUS_INVALID_EA_NAME);
	assert_int_equal(bad, 12);
	assert_status(open_with_ea(f, 0, good, sizeof(good) - 1, &bad),
		      STATUS_EA_LIST_INCONSISTENT);
	assert_status(open_with_ea(f, 0, good, sizeof(good), &bad), STATUS_SUCCESS);
	assert_int_equal(fake_find(f, "\\e")->ea_size, sizeof(good));
}

static struct fs_req captured;

static bool
capture(struct fake *f, struct fs_req *req, struct fs_rsp *rsp)
{
	(void)f;
	(void)rsp;
	if (req->kind == FS_KIND_CREATE)
		memcpy(&captured, req, sizeof(captured));
	return false;
}

/* Attributes lose NORMAL and REPARSE_POINT, DIRECTORY follows the option; allocation rounds up. */
static void
test_attributes_and_allocation(void **state)
{
	struct fake *f = *state;
	uint16_t wide[64];
	struct fs_open_result result;
	struct fs_handle *h;
	struct fs_open_params params = {
		.name = wide, .n_units = units("\\n", wide), .desired_access = FILE_READ_DATA,
		.share_access = SHARE_ALL, .disposition = FILE_CREATE,
		.attributes = FILE_ATTRIBUTE_NORMAL | FILE_ATTRIBUTE_DIRECTORY |
			      FILE_ATTRIBUTE_REPARSE_POINT | FILE_ATTRIBUTE_HIDDEN,
		.allocation_size = 513, .token = f->token};

	f->hook = capture;
	assert_status(fs_create(f->volume, &params, &result, &h), STATUS_SUCCESS);
	done(h);
	assert_int_equal(captured.create.attributes, FILE_ATTRIBUTE_HIDDEN);
	assert_int_equal(captured.create.allocation_size, 1024);
	params.n_units = units("\\m", wide);
	params.options = FILE_DIRECTORY_FILE;
	params.attributes = FILE_ATTRIBUTE_TEMPORARY;
	assert_status(fs_create(f->volume, &params, &result, &h), STATUS_INVALID_PARAMETER);
	params.attributes = 0;
	assert_status(fs_create(f->volume, &params, &result, &h), STATUS_SUCCESS);
	assert_int_equal(captured.create.attributes, FILE_ATTRIBUTE_DIRECTORY);
	done(h);
}

static void
capture_open(struct fake *f, uint32_t access, uint32_t options, uint32_t flags)
{
	f->hook = capture;
	f->open_flags = flags;
	done(must_open(f, "\\", access, SHARE_ALL, FILE_OPEN, options));
}

/* §6.1 15: privileges grant their class up front, for Linux openers without backup intent. */
static void
test_privileges_split_access(void **state)
{
	struct fake *f = *state;
	uint32_t access = FILE_READ_DATA | FILE_WRITE_DATA | FILE_DELETE_CHILD;

	capture_open(f, access, 0, 0);
	assert_int_equal(captured.create.desired_access, access);
	assert_int_equal(captured.create.granted_access, 0);
	assert_int_equal(captured.create.flags & (FS_CREATE_HAS_BACKUP | FS_CREATE_HAS_RESTORE),
			 0);
	capture_open(f, access, FILE_OPEN_FOR_BACKUP_INTENT, 0);
	assert_int_equal(captured.create.desired_access, FILE_DELETE_CHILD);
	assert_int_equal(captured.create.granted_access, FILE_READ_DATA | FILE_WRITE_DATA);
	capture_open(f, access | FILE_EXECUTE | DELETE | WRITE_DAC | WRITE_OWNER, 0,
		     FS_OPEN_POSIX);
	assert_int_equal(captured.create.desired_access, 0);
	assert_true(captured.create.flags & FS_CREATE_HAS_BACKUP);
	assert_true(captured.create.flags & FS_CREATE_HAS_RESTORE);
	assert_true(captured.create.flags & FS_CREATE_HAS_TRAVERSE);
	assert_true(captured.create.flags & FS_CREATE_USER_MODE);
	capture_open(f, access, 0, FS_OPEN_KERNEL_MODE);
	assert_false(captured.create.flags & FS_CREATE_USER_MODE);
	assert_int_equal(captured.create.desired_access, access);
}

static void
test_traverse_needs_root(void **state)
{
	struct fake *f = *state;

	token_unref(f->token);
	assert_status(token_create_posix(1000, 1000, 0, &f->token), STATUS_SUCCESS);
	capture_open(f, FILE_READ_DATA, 0, FS_OPEN_POSIX);
	assert_false(captured.create.flags & FS_CREATE_HAS_TRAVERSE);
	assert_int_equal(captured.create.granted_access, 0);
}

static bool
check_token(struct fake *f, struct fs_req *req, struct fs_rsp *rsp)
{
	(void)rsp;
	if (req->kind == FS_KIND_CREATE) {
		f->hook_data = token_from_handle((uint32_t)req->create.access_token);
		captured = *req;
	}
	return false;
}

/* The token's handle is good during the request, and closed afterwards. */
static void
test_token_handle(void **state)
{
	struct fake *f = *state;

	token_unref(f->token);
	assert_status(token_create_posix(0, 0, 4321, &f->token), STATUS_SUCCESS);
	f->hook = check_token;
	done(must_open(f, "\\", FILE_READ_DATA, SHARE_ALL, FILE_OPEN, 0));
	assert_ptr_equal(f->hook_data, f->token);
	assert_int_equal(captured.create.access_token >> 32, 4321);
	assert_null(token_from_handle((uint32_t)captured.create.access_token));
}

static bool
normalise_wrong(struct fake *f, struct fs_req *req, struct fs_rsp *rsp)
{
	const char *name = f->hook_data;
	struct fake_file *file = fake_find(f, "\\Case");

	if (req->kind != FS_KIND_CREATE)
		return false;
	file->refs++;
	rsp->create.ctx.user_context = (uintptr_t)file;
	rsp->create.granted_access = req->create.desired_access;
	rsp->information = FILE_OPENED;
	rsp->create.file_name = (struct fs_buf){0, (uint16_t)(2 * strlen(name))};
	rsp->size += rsp->create.file_name.size;
	units(name, (uint16_t *)rsp->buffer);
	return true;
}

/* §6.3: a normalised name replaces the request's case; anything else fails and is closed. */
static void
test_normalised_name(void **state)
{
	struct fake *f = *state;
	struct fs_handle *h;
	char name[FAKE_NAME], right[] = "\\Case", wrong[] = "\\Cast";

	fake_add(f, "\\Case", 0);
	f->hook = normalise_wrong;
	f->hook_data = right;
	h = must_open(f, "\\cASE", FILE_READ_DATA, SHARE_ALL, FILE_OPEN, 0);
	handle_name(h, name);
	assert_string_equal(name, "\\Case");
	done(h);
	fake_forget(f);
	f->hook_data = wrong;
	assert_status(fake_open(f, "\\case", FILE_READ_DATA, SHARE_ALL, FILE_OPEN, 0, &h),
		      STATUS_OBJECT_NAME_INVALID);
	assert_int_equal(fake_count(f, FS_KIND_CLOSE), 1);
	assert_int_equal(fake_count(f, FS_KIND_CLEANUP), 0);
}

/* §5, §25: one UserContext per name, one UserContext2 per open, one Close each. */
static void
test_first_context_wins(void **state)
{
	struct fake *f = *state;
	struct fs_handle *a, *b;

	fake_add(f, "\\f", 0);
	a = must_open(f, "\\f", FILE_READ_DATA, SHARE_ALL, FILE_OPEN, 0);
	b = must_open(f, "\\F", FILE_READ_DATA, SHARE_ALL, FILE_OPEN, 0);
	struct fs_file_info info;
	assert_status(fs_query_info(a, &info), STATUS_SUCCESS);
	struct fs_context first = fake_last(f, FS_KIND_QUERY_INFO)->ctx;
	assert_status(fs_query_info(b, &info), STATUS_SUCCESS);
	struct fs_context second = fake_last(f, FS_KIND_QUERY_INFO)->ctx;
	assert_true(first.user_context == second.user_context);
	assert_true(first.user_context2 != second.user_context2);
	done(a);
	done(b);
	assert_int_equal(fake_count(f, FS_KIND_CLOSE), 2);
}

static void
test_target_directory(void **state)
{
	struct fake *f = *state;
	uint16_t wide[64];
	struct fs_open_result result;
	struct fs_handle *h;
	char name[FAKE_NAME];
	struct fs_open_params params = {.name = wide, .n_units = units("\\d\\x", wide),
					.desired_access = FILE_ADD_FILE,
					.share_access = SHARE_ALL, .disposition = FILE_OPEN,
					.token = f->token, .flags = FS_OPEN_TARGET_DIRECTORY};

	fake_add(f, "\\d", FILE_ATTRIBUTE_DIRECTORY);
	assert_status(fs_create(f->volume, &params, &result, &h), STATUS_SUCCESS);
	assert_int_equal(result.information, FILE_DOES_NOT_EXIST);
	handle_name(h, name);
	assert_string_equal(name, "\\d");
	assert_true(fs_handle_is_directory(h));
	done(h);
	params.n_units = units("\\", wide);
	assert_status(fs_create(f->volume, &params, &result, &h), STATUS_ACCESS_DENIED);
	params.n_units = units("\\d:s", wide);
	assert_status(fs_create(f->volume, &params, &result, &h), STATUS_OBJECT_NAME_INVALID);
}

static void
test_stopped_volume(void **state)
{
	struct fake *f = *state;
	struct fs_handle *h;

	fs_volume_stop(f->volume);
	assert_status(fake_open(f, "\\", FILE_READ_DATA, SHARE_ALL, FILE_OPEN, 0, &h),
		      STATUS_VOLUME_DISMOUNTED);
}

/* §8: HIDDEN or SYSTEM that the opener does not name: refused after the open, which is closed. */
static void
test_overwrite_hidden(void **state)
{
	struct fake *f = *state;
	struct fs_handle *h;

	fake_add(f, "\\h", FILE_ATTRIBUTE_HIDDEN);
	assert_status(fake_open(f, "\\h", FILE_WRITE_DATA, SHARE_ALL, FILE_OVERWRITE, 0, &h),
		      STATUS_ACCESS_DENIED);
	assert_int_equal(fake_count(f, FS_KIND_OVERWRITE), 0);
	assert_int_equal(fake_count(f, FS_KIND_CLOSE), 1);
}

static void
test_overwrite_resets(void **state)
{
	struct fake *f = *state;
	struct fake_file *file = fake_add(f, "\\o", 0);
	struct fs_handle *h;
	struct fs_file_info info;

	file->info.file_size = 10;
	h = must_open(f, "\\o", FILE_WRITE_DATA, SHARE_ALL, FILE_OVERWRITE_IF, 0);
	assert_status(fs_query_info(h, &info), STATUS_SUCCESS);
	assert_int_equal(info.file_size, 0);
	done(h);
}

static bool
fail_overwrite(struct fake *f, struct fs_req *req, struct fs_rsp *rsp)
{
	if (req->kind != FS_KIND_OVERWRITE)
		return false;
	/* as the library does: the context is closed by the one that failed */
	((struct fake_file *)(uintptr_t)req->overwrite.ctx.user_context)->refs--;
	rsp->status = STATUS_DISK_FULL;
	(void)f;
	return true;
}

static void
test_overwrite_failure_sends_no_close(void **state)
{
	struct fake *f = *state;
	struct fs_handle *h;

	fake_add(f, "\\o", 0);
	f->hook = fail_overwrite;
	assert_status(fake_open(f, "\\o", FILE_WRITE_DATA, SHARE_ALL, FILE_OVERWRITE, 0, &h),
		      STATUS_DISK_FULL);
	assert_int_equal(fake_count(f, FS_KIND_CLOSE), 0);
	f->hook = NULL;
	/* nothing of it is left: exclusive access is free */
	done(must_open(f, "\\o", FILE_WRITE_DATA, 0, FILE_OPEN, 0));
}

static bool
answer_symlink(struct fake *f, struct fs_req *req, struct fs_rsp *rsp)
{
	static const uint8_t link[] = {0x0c, 0, 0, 0xa0, 16, 0, 0, 0, 0, 0, 2, 0, 2, 0, 2, 0,
				       1,    0, 0, 0,    'x', 0, 'x', 0};

	if (req->kind != FS_KIND_CREATE)
		return false;
	memcpy(rsp->buffer, link, sizeof(link));
	rsp->reparse.buffer = (struct fs_buf){0, (uint16_t)(f->hook_data ? 200 : sizeof(link))};
	rsp->size += sizeof(link);
	rsp->information = IO_REPARSE_TAG_SYMLINK;
	rsp->status = STATUS_REPARSE;
	return true;
}

static void
test_reparse(void **state)
{
	struct fake *f = *state;
	uint16_t wide[64];
	struct fs_open_result result;
	struct fs_handle *h;
	struct fs_open_params params = {.name = wide, .n_units = units("\\l", wide),
					.desired_access = FILE_READ_DATA,
					.disposition = FILE_OPEN, .token = f->token};

	f->hook = answer_symlink;
	assert_status(fs_create(f->volume, &params, &result, &h), STATUS_REPARSE);
	assert_int_equal(result.information, IO_REPARSE_TAG_SYMLINK);
	assert_int_equal(result.data_size, 24);
	free(result.data);
	f->hook_data = f; /* a buffer outside the response */
	assert_status(fs_create(f->volume, &params, &result, &h), STATUS_IO_REPARSE_DATA_INVALID);
	assert_null(result.data);
}

static void
test_want_sd(void **state)
{
	struct fake *f = *state;
	uint16_t wide[64];
	struct fs_open_result result;
	struct fs_handle *h;
	struct fs_open_params params = {.name = wide, .n_units = units("\\", wide),
					.desired_access = FILE_READ_ATTRIBUTES | READ_CONTROL,
					.share_access = SHARE_ALL, .disposition = FILE_OPEN,
					.token = f->token, .flags = FS_OPEN_WANT_SD};

	assert_status(fs_create(f->volume, &params, &result, &h), STATUS_SUCCESS);
	assert_non_null(result.data);
	free(result.data);
	done(h);
	assert_status(fs_query_by_name(f->volume, &params, &result), STATUS_SUCCESS);
	assert_non_null(result.data);
	assert_true(result.info.attributes & FILE_ATTRIBUTE_DIRECTORY);
	free(result.data);
}

static void
test_by_name(void **state)
{
	struct fs_volume_params volume = fake_params(0);
	uint16_t wide[64];
	struct fs_open_result result;

	(void)state;
	for (int by_kind = 0; by_kind < 2; by_kind++) {
		volume.optional_kinds = by_kind ? 1u << (FS_KIND_QUERY_BY_NAME - FS_KIND_LINK) : 0;
		struct fake *f = fake_create(&volume);
		struct fs_open_params params = {.name = wide, .n_units = units("\\f", wide),
						.token = f->token};
		assert_status(fs_query_by_name(f->volume, &params, &result),
			      STATUS_OBJECT_NAME_NOT_FOUND);
		fake_add(f, "\\f", FILE_ATTRIBUTE_HIDDEN);
		assert_status(fs_query_by_name(f->volume, &params, &result), STATUS_SUCCESS);
		assert_int_equal(result.info.attributes, FILE_ATTRIBUTE_HIDDEN);
		assert_int_equal(fake_count(f, FS_KIND_CLOSE), by_kind ? 0 : 1);
		struct fs_handle *h = must_open(f, "\\f", DELETE, SHARE_ALL, FILE_OPEN, 0);
		assert_status(fs_set_disposition(h, FILE_DISPOSITION_DELETE, false),
			      STATUS_SUCCESS);
		assert_status(fs_query_by_name(f->volume, &params, &result),
			      STATUS_DELETE_PENDING);
		done(h);
		fake_destroy(f);
	}
}

int
main(void)
{
#define ROW(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	static const struct CMUnitTest tests[] = {
		ROW(test_rejections),
		ROW(test_component_length),
		ROW(test_path_too_long),
		ROW(test_name_forms),
		cmocka_unit_test(test_no_streams_without_flag),
		ROW(test_relative),
		cmocka_unit_test(test_prefix),
		ROW(test_ea_rules),
		ROW(test_attributes_and_allocation),
		ROW(test_privileges_split_access),
		ROW(test_traverse_needs_root),
		ROW(test_token_handle),
		ROW(test_normalised_name),
		ROW(test_first_context_wins),
		ROW(test_target_directory),
		ROW(test_stopped_volume),
		ROW(test_overwrite_hidden),
		ROW(test_overwrite_resets),
		ROW(test_overwrite_failure_sends_no_close),
		ROW(test_reparse),
		ROW(test_want_sd),
		cmocka_unit_test(test_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
