/* Enumeration with marker and pattern, at any size, by programs good and bad (§13, §2.2). */
#include "fs-fake.h"

#include <stdio.h>

struct listing {
	char names[600][40];
	unsigned n;
	unsigned room; /* entries that emit takes; 0: any number */
	struct fs_dir_marker marker;
	uint16_t last[300];
};

static bool
take_entry(void *ctx, const struct fs_dir_info *entry)
{
	struct listing *l = ctx;
	size_t n = (entry->size - sizeof(*entry)) / 2;

	if (l->n == ARRAY_SIZE(l->names) || (l->room > 0 && l->n >= l->room))
		return false;
	for (size_t i = 0; i < n && i < 39; i++)
		l->names[l->n][i] = (char)entry->name[i];
	l->names[l->n][n < 39 ? n : 39] = 0;
	l->n++;
	memcpy(l->last, entry->name, n * 2);
	l->marker = (struct fs_dir_marker){l->last, n, entry->next_offset};
	return true;
}

static struct fake *
with_files(struct fs_volume_params params, unsigned n)
{
	struct fake *f = fake_create(&params);
	char name[40];

	fake_add(f, "\\d", FILE_ATTRIBUTE_DIRECTORY);
	for (unsigned i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "\\d\\file%03u.%s", i, i % 2 ? "txt" : "c");
		fake_add(f, name, 0);
	}
	return f;
}

static struct fs_handle *
open_directory(struct fake *f)
{
	return must_open(f, "\\d", FILE_LIST_DIRECTORY, SHARE_ALL, FILE_OPEN, 0);
}

/* Whatever the slice of the program and the room of the door: each name once, in order. */
static void
enumerate_all(uint32_t flags, uint32_t timeout, unsigned slice, unsigned step)
{
	struct fs_volume_params params = fake_params(flags);
	struct listing l = {0};
	bool end = false;

	params.dir_info_timeout = timeout;
	struct fake *f = with_files(params, 200);
	f->slice = slice;
	struct fs_handle *h = open_directory(f);
	while (!end) {
		struct fs_dir_marker *marker = l.n > 0 ? &l.marker : NULL;

		l.room = step > 0 ? l.n + step : 0;
		assert_status(fs_enumerate(h, marker, take_entry, &l, &end), STATUS_SUCCESS);
	}
	assert_int_equal(l.n, 200);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(atoi(l.names[i] + 4), i);
	done(h);
	fake_destroy(f);
}

static void
test_any_size(void **state)
{
	static const unsigned steps[] = {0, 1, 7, 200};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		enumerate_all(0, 0, 0, steps[i]);
		enumerate_all(0, 0, 3, steps[i]);
		enumerate_all(0, FS_TIMEOUT_INFINITE, 0, steps[i]);
		enumerate_all(FS_VOL_MARKER_AS_NEXT_OFFSET, 0, 3, steps[i]);
	}
}

/* A door that takes few entries at a time costs one slice, not one each time. */
static void
test_slice_is_kept(void **state)
{
	struct fake *f = with_files(fake_params(0), 50);
	struct fs_handle *h = open_directory(f);
	struct listing l = {.room = 1};
	bool end = false;

	(void)state;
	assert_status(fs_enumerate(h, NULL, take_entry, &l, &end), STATUS_SUCCESS);
	while (!end) {
		l.room++;
		assert_status(fs_enumerate(h, &l.marker, take_entry, &l, &end), STATUS_SUCCESS);
	}
	assert_int_equal(fake_count(f, FS_KIND_QUERY_DIRECTORY), 1);
	done(h);
	fake_destroy(f);
}

static void
test_cache_and_changes(void **state)
{
	struct fs_volume_params params = fake_params(0);
	struct listing l = {0};
	bool end;

	(void)state;
	params.dir_info_timeout = FS_TIMEOUT_INFINITE;
	struct fake *f = with_files(params, 5);
	struct fs_handle *h = open_directory(f);
	for (int i = 0; i < 3; i++)
		assert_status(fs_enumerate(h, NULL, take_entry, &l, &end), STATUS_SUCCESS);
	assert_int_equal(fake_count(f, FS_KIND_QUERY_DIRECTORY), 1);
	done(must_open(f, "\\d\\new", FILE_READ_DATA, SHARE_ALL, FILE_CREATE, 0));
	l.n = 0;
	assert_status(fs_enumerate(h, NULL, take_entry, &l, &end), STATUS_SUCCESS);
	assert_int_equal(l.n, 6);
	struct fs_handle *d = must_open(f, "\\d\\new", DELETE, SHARE_ALL, FILE_OPEN, 0);
	assert_status(fs_set_disposition(d, FILE_DISPOSITION_DELETE, false), STATUS_SUCCESS);
	done(d);
	l.n = 0;
	assert_status(fs_enumerate(h, NULL, take_entry, &l, &end), STATUS_SUCCESS);
	assert_int_equal(l.n, 5);
	done(h);
	fake_destroy(f);
}

static void
test_hidden_names(void **state)
{
	struct fake *f = with_files(fake_params(0), 1);
	struct fs_handle *h = open_directory(f);
	struct listing l = {0};
	bool end;

	(void)state;
	fake_add(f, "\\d\\.userdrive-hidden-0123abcd", 0);
	fake_add(f, "\\d\\.userdrive-hidden-0123abcde", 0);
	assert_status(fs_enumerate(h, NULL, take_entry, &l, &end), STATUS_SUCCESS);
	assert_int_equal(l.n, 2);
	done(h);
	fake_destroy(f);
}

static NTSTATUS
query(struct fs_handle *h, const char *pattern, uint32_t flags, struct listing *l)
{
	uint16_t wide[300];
	size_t n = pattern ? units(pattern, wide) : 0;

	return fs_query_directory(h, pattern ? wide : NULL, n, flags, take_entry, l);
}

static void
test_patterns(void **state)
{
	struct fake *f = with_files(fake_params(0), 20);
	struct fs_handle *h = open_directory(f);
	struct listing l = {0};

	(void)state;
	assert_status(query(h, "FILE00?.C", 0, &l), STATUS_SUCCESS);
	assert_int_equal(l.n, 5);
	assert_status(query(h, NULL, 0, &l), STATUS_NO_MORE_FILES);
	l.n = 0;
	assert_status(query(h, "*.txt", FS_SCAN_RESTART, &l), STATUS_SUCCESS);
	assert_int_equal(l.n, 10);
	l.n = 0;
	assert_status(query(h, NULL, FS_SCAN_RESTART | FS_SCAN_SINGLE, &l), STATUS_SUCCESS);
	assert_string_equal(l.names[0], "file001.txt");
	assert_status(query(h, NULL, FS_SCAN_SINGLE, &l), STATUS_SUCCESS);
	assert_string_equal(l.names[1], "file003.txt");
	assert_status(query(h, "nothing", FS_SCAN_RESTART, &l), STATUS_NO_SUCH_FILE);
	assert_status(query(h, "a:b", FS_SCAN_RESTART, &l), STATUS_INVALID_PARAMETER);
	assert_status(query(h, "a\\b", FS_SCAN_RESTART, &l), STATUS_INVALID_PARAMETER);
	done(h);
	fake_destroy(f);
}

static void
test_no_room(void **state)
{
	struct fake *f = with_files(fake_params(0), 3);
	struct fs_handle *h = open_directory(f);
	struct listing l = {.room = 1};

	(void)state;
	assert_status(query(h, "*", 0, &l), STATUS_SUCCESS);
	assert_status(query(h, NULL, 0, &l), STATUS_BUFFER_OVERFLOW);
	l.room = 0;
	assert_status(query(h, NULL, 0, &l), STATUS_SUCCESS);
	assert_int_equal(l.n, 3);
	assert_string_equal(l.names[2], "file002.c");
	done(h);
	fake_destroy(f);
}

static bool
note_pattern(struct fake *f, struct fs_req *req, struct fs_rsp *rsp)
{
	uint32_t *seen = f->hook_data;

	(void)rsp;
	if (req->kind == FS_KIND_QUERY_DIRECTORY) {
		seen[0] = req->query_directory.pattern.size;
		seen[1] = req->query_directory.flags;
	}
	return false;
}

static void
test_pattern_is_passed_on_request(void **state)
{
	static const struct {
		uint32_t flags, size, passed;
		const char *pattern;
	} rows[] = {
		{0, 0, 0, "*.c"},
		{FS_VOL_PASS_PATTERN, 8, 0, "*.c"},
		{FS_VOL_PASS_PATTERN, 0, 0, "*"},
		{FS_VOL_PASS_FILE_NAME, 0, 0, "*.c"},
		{FS_VOL_PASS_FILE_NAME, 20, FS_DIR_PATTERN_IS_NAME, "file000.c"},
	};
	uint32_t seen[2];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fake *f = with_files(fake_params(rows[i].flags), 2);
		struct fs_handle *h = open_directory(f);
		struct listing l = {0};

		f->hook = note_pattern;
		f->hook_data = seen;
		assert_status(query(h, rows[i].pattern, 0, &l), STATUS_SUCCESS);
		assert_int_equal(seen[0], rows[i].size);
		assert_int_equal(seen[1] & FS_DIR_PATTERN_IS_NAME, rows[i].passed);
		done(h);
		fake_destroy(f);
	}
}

static void
test_not_a_directory(void **state)
{
	struct fake *f = with_files(fake_params(0), 1);
	struct fs_handle *h = must_open(f, "\\d\\file000.c", FILE_READ_DATA, SHARE_ALL, FILE_OPEN,
					0);
	struct listing l = {0};
	bool end;

	(void)state;
	assert_status(fs_enumerate(h, NULL, take_entry, &l, &end), STATUS_INVALID_PARAMETER);
	done(h);
	h = must_open(f, "\\d", FILE_READ_ATTRIBUTES, SHARE_ALL, FILE_OPEN, 0);
	assert_status(fs_enumerate(h, NULL, take_entry, &l, &end), STATUS_ACCESS_DENIED);
	done(h);
	fake_destroy(f);
}

/* ------------------------------------------------------------------ evil programs */

enum evil { SAME_SLICE, TWO_IN_TURN, BAD_NAMES, ONLY_BAD_NAMES, TOO_MUCH, SHORT_ENTRY,
	    LONG_ENTRY, NOTHING };

static uint32_t
put(uint8_t *list, uint32_t at, const uint16_t *name, size_t n_units)
{
	struct fs_dir_info *entry = (struct fs_dir_info *)(list + at);

	memset(entry, 0, sizeof(*entry));
	entry->size = (uint16_t)(sizeof(*entry) + n_units * 2);
	if (n_units > 0)
		memcpy(entry->name, name, n_units * 2);
	return at + ALIGN_UP((uint32_t)entry->size, 8);
}

static uint32_t
put_bad_names(uint8_t *list)
{
	static const uint16_t slash[] = {'a', '/', 'b'}, backslash[] = {'a', '\\'},
			      nul[] = {'a', 0, 'b'};
	uint16_t longest[256];
	uint32_t at = put(list, 0, NULL, 0);

	for (int i = 0; i < 256; i++)
		longest[i] = 'l';
	at = put(list, at, slash, 3);
	at = put(list, at, backslash, 2);
	at = put(list, at, nul, 3);
	return put(list, at, longest, 256);
}

static bool
evil(struct fake *f, struct fs_req *req, struct fs_rsp *rsp)
{
	static const uint16_t a[] = {'a'}, b[] = {'b'};
	uint8_t *list = (uint8_t *)(uintptr_t)req->query_directory.address;
	enum evil how = *(enum evil *)f->hook_data;
	uint32_t at;

	if (req->kind != FS_KIND_QUERY_DIRECTORY)
		return false;
	f->next_index++;
	switch (how) {
	case SAME_SLICE:
		at = put(list, put(list, 0, b, 1), a, 1);
		break;
	case TWO_IN_TURN:
		at = put(list, 0, f->next_index % 2 ? a : b, 1);
		break;
	case BAD_NAMES:
		at = put(list, put_bad_names(list), a, 1);
		memset(list + at, 0, 8);
		at += 2;
		break;
	case ONLY_BAD_NAMES:
		at = put_bad_names(list);
		break;
	case TOO_MUCH:
		at = req->query_directory.length + 1;
		break;
	case SHORT_ENTRY:
		at = put(list, 0, a, 1);
		memset(list, 0, 2);
		list[0] = 7;
		break;
	case LONG_ENTRY:
		at = put(list, 0, a, 1);
		list[1] = 0xff;
		break;
	default:
		at = 0;
	}
	rsp->information = at;
	return true;
}

/* No answer makes an enumeration go on for ever, crash, or show a name that cannot be. */
static void
test_evil_programs(void **state)
{
	static const struct {
		enum evil how;
		NTSTATUS st;
		unsigned n;
	} rows[] = {
		{SAME_SLICE, STATUS_INTERNAL_ERROR, 2},
		{TWO_IN_TURN, STATUS_INTERNAL_ERROR, 2},
		{BAD_NAMES, STATUS_SUCCESS, 1},
		{ONLY_BAD_NAMES, STATUS_INTERNAL_ERROR, 0},
		{TOO_MUCH, STATUS_INTERNAL_ERROR, 0},
		{SHORT_ENTRY, STATUS_INTERNAL_ERROR, 0},
		{LONG_ENTRY, STATUS_INTERNAL_ERROR, 0},
		{NOTHING, STATUS_SUCCESS, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fake *f = with_files(fake_params(0), 0);
		struct fs_handle *h = open_directory(f);
		struct listing l = {0};
		enum evil how = rows[i].how;
		bool end = false;

		f->hook = evil;
		f->hook_data = &how;
		assert_status(fs_enumerate(h, NULL, take_entry, &l, &end), rows[i].st);
		assert_true(l.n >= rows[i].n && l.n <= rows[i].n + 2);
		done(h);
		fake_destroy(f);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_size),
		cmocka_unit_test(test_slice_is_kept),
		cmocka_unit_test(test_cache_and_changes),
		cmocka_unit_test(test_hidden_names),
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_pattern_is_passed_on_request),
		cmocka_unit_test(test_not_a_directory),
		cmocka_unit_test(test_evil_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
