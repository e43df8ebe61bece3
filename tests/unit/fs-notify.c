/* Watchers, announcements of the program, and the rename lock's brackets (§23). */
#include "fs-fake.h"

#include <stdio.h>
#include "base/clock.h"

struct heard {
	struct fs_watcher watcher;
	struct mutex lock;
	struct cond more;
	char lines[64][FAKE_NAME + 40];
	unsigned n;
	const void *origin;
};

static void
hear(struct fs_watcher *watcher, uint32_t action, uint32_t filter, const uint16_t *name,
     size_t n_units, const void *origin)
{
	struct heard *heard = container_of(watcher, struct heard, watcher);
	char text[FAKE_NAME];

	for (size_t i = 0; i < n_units; i++)
		text[i] = (char)name[i];
	text[n_units] = 0;
	mutex_lock(&heard->lock);
	if (heard->n < ARRAY_SIZE(heard->lines))
		snprintf(heard->lines[heard->n++], sizeof(heard->lines[0]), "%u %03x %s", action,
			 filter, text);
	heard->origin = origin;
	cond_broadcast(&heard->more);
	mutex_unlock(&heard->lock);
}

static void
heard_wait(struct heard *heard, unsigned n)
{
	uint64_t until = clock_monotonic_ns() + 20000000000ull;

	mutex_lock(&heard->lock);
	while (heard->n < n)
		if (!cond_wait_until(&heard->more, &heard->lock, until))
			break;
	unsigned got = heard->n;
	mutex_unlock(&heard->lock);
	assert_int_equal(got, n);
}

struct fixture {
	struct fake *f;
	struct heard heard;
};

static int
setup(void **state)
{
	struct fs_volume_params params =
		fake_params(FS_VOL_NAMED_STREAMS | FS_VOL_POSIX_UNLINK_RENAME);
	struct fixture *x = calloc(1, sizeof(*x));

	params.file_info_timeout = params.dir_info_timeout = FS_TIMEOUT_INFINITE;
	x->f = fake_create(&params);
	fake_add(x->f, "\\d", FILE_ATTRIBUTE_DIRECTORY);
	mutex_init(&x->heard.lock);
	cond_init(&x->heard.more);
	x->heard.watcher.changed = hear;
	fs_watch(x->f->volume, &x->heard.watcher);
	*state = x;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *x = *state;

	fs_unwatch(x->f->volume, &x->heard.watcher);
	fake_destroy(x->f);
	cond_fini(&x->heard.more);
	mutex_fini(&x->heard.lock);
	free(x);
	return 0;
}

static void
assert_heard(struct heard *heard, unsigned index, const char *line)
{
	assert_true(index < heard->n);
	assert_string_equal(heard->lines[index], line);
}

static void
test_doors_changes(void **state)
{
	struct fixture *x = *state;
	struct heard *heard = &x->heard;
	struct fs_file_info info;
	struct fs_basic_info basic = {.attributes = FILE_ATTRIBUTE_HIDDEN};
	uint32_t n;
	struct fs_handle *h = must_open(x->f, "\\d\\f", FILE_ALL_ACCESS, SHARE_ALL, FILE_CREATE, 0);

	assert_heard(heard, 0, "1 001 \\d\\f");
	assert_status(fs_set_basic(h, &basic, &info), STATUS_SUCCESS);
	assert_heard(heard, 1, "3 004 \\d\\f");
	assert_status(fs_set_end_of_file(h, 4, &info), STATUS_SUCCESS);
	assert_heard(heard, 2, "3 008 \\d\\f");
	assert_status(fs_write(h, "x", 0, 1, false, &n, &info), STATUS_SUCCESS);
	assert_int_equal(heard->n, 3);
	assert_status(fake_rename(h, NULL, "g", 0, false), STATUS_SUCCESS);
	assert_heard(heard, 3, "4 001 \\d\\f");
	assert_heard(heard, 4, "5 001 \\d\\g");
	done(h);
	assert_heard(heard, 5, "3 018 \\d\\g");
	h = must_open(x->f, "\\d\\g", DELETE, SHARE_ALL, FILE_OPEN, FILE_DELETE_ON_CLOSE);
	done(h);
	assert_heard(heard, 6, "2 001 \\d\\g");
	assert_int_equal(heard->n, 7);
}

static void
test_stream_changes(void **state)
{
	struct fixture *x = *state;
	struct fs_handle *h;

	fake_add(x->f, "\\f", 0);
	h = must_open(x->f, "\\f:s", DELETE, SHARE_ALL, FILE_CREATE, FILE_DELETE_ON_CLOSE);
	assert_heard(&x->heard, 0, "6 200 \\f:s");
	done(h);
	assert_heard(&x->heard, 1, "7 200 \\f:s");
}

static void
test_origin(void **state)
{
	struct fixture *x = *state;
	uint16_t wide[32];
	struct fs_open_result result;
	struct fs_handle *h;
	struct fs_open_params params = {.name = wide, .n_units = units("\\n", wide),
					.desired_access = DELETE, .share_access = SHARE_ALL,
					.disposition = FILE_CREATE, .token = x->f->token,
					.door_tag = x};

	assert_status(fs_create(x->f->volume, &params, &result, &h), STATUS_SUCCESS);
	assert_ptr_equal(x->heard.origin, x);
	done(h);
}

static size_t
add_record(uint8_t *list, size_t at, uint32_t filter, uint32_t action, const char *name)
{
	struct fs_notify_info *record = (struct fs_notify_info *)(list + at);

	record->filter = filter;
	record->action = action;
	record->size = (uint16_t)(sizeof(*record) + 2 * units(name, record->name));
	return at + ALIGN_UP((size_t)record->size, 8);
}

static void
test_announcements(void **state)
{
	struct fixture *x = *state;
	_Alignas(8) uint8_t list[1024] = {0};
	size_t n = 0;

	n = add_record(list, n, FILE_NOTIFY_CHANGE_SIZE, FILE_ACTION_MODIFIED, "early");
	n = add_record(list, n, FILE_NOTIFY_CHANGE_DIR_NAME, FILE_ACTION_ADDED, "\\foo\\");
	n = add_record(list, n, FILE_NOTIFY_CHANGE_FILE_NAME, FILE_ACTION_REMOVED, "bar");
	n = add_record(list, n, FILE_NOTIFY_CHANGE_SIZE, FILE_ACTION_MODIFIED, "b*d");
	n = add_record(list, n, FILE_NOTIFY_CHANGE_SIZE, FILE_ACTION_MODIFIED, "bar:s");
	assert_status(fs_notify(x->f->volume, list, n), STATUS_SUCCESS);
	heard_wait(&x->heard, 3);
	assert_heard(&x->heard, 0, "1 002 \\foo");
	assert_heard(&x->heard, 1, "2 001 \\foo\\bar");
	assert_heard(&x->heard, 2, "8 400 \\foo\\bar:s");
	assert_null(x->heard.origin);
}

static void
test_garbage_records(void **state)
{
	struct fixture *x = *state;
	_Alignas(8) uint8_t list[64] = {0};
	size_t n = add_record(list, 0, 1, FILE_ACTION_ADDED, "\\f");

	list[n] = 200; /* longer than the list */
	assert_status(fs_notify(x->f->volume, list, n + 8), STATUS_SUCCESS);
	assert_status(fs_notify(x->f->volume, list, 1), STATUS_SUCCESS);
	assert_status(fs_notify(x->f->volume, list, 0), STATUS_SUCCESS);
	heard_wait(&x->heard, 1);
}

static void
test_announcement_drops_caches(void **state)
{
	struct fixture *x = *state;
	struct fs_handle *h = must_open(x->f, "\\d", FILE_ALL_ACCESS, SHARE_ALL, FILE_OPEN, 0);
	struct fs_file_info info;
	_Alignas(8) uint8_t list[64] = {0};

	assert_status(fs_query_info(h, &info), STATUS_SUCCESS);
	assert_int_equal(fake_count(x->f, FS_KIND_QUERY_INFO), 0);
	size_t n = add_record(list, 0, FILE_NOTIFY_CHANGE_ATTRIBUTES, FILE_ACTION_MODIFIED, "\\d");
	assert_status(fs_notify(x->f->volume, list, n), STATUS_SUCCESS);
	heard_wait(&x->heard, 1);
	assert_status(fs_query_info(h, &info), STATUS_SUCCESS);
	assert_int_equal(fake_count(x->f, FS_KIND_QUERY_INFO), 1);
	done(h);
}

struct renamer {
	struct fs_handle *h;
	NTSTATUS st;
	_Atomic bool ended;
};

static void *
rename_main(void *arg)
{
	struct renamer *r = arg;

	r->st = fake_rename(r->h, NULL, "moved", 0, false);
	r->ended = true;
	return NULL;
}

static void
start_rename(struct fixture *x, struct renamer *r, pthread_t *thread)
{
	struct timespec pause = {0, 50000000};

	fake_add(x->f, "\\d\\f", 0);
	r->h = must_open(x->f, "\\d\\f", DELETE, SHARE_ALL, FILE_OPEN, 0);
	assert_int_equal(pthread_create(thread, NULL, rename_main, r), 0);
	nanosleep(&pause, NULL);
	assert_false(r->ended);
}

/* Renames wait from Begin to End; End may come from another thread, and once too often. */
static void
test_bracket_blocks_rename(void **state)
{
	struct fixture *x = *state;
	struct renamer r = {0};
	pthread_t thread;

	assert_status(fs_notify_begin(x->f->volume, 0), STATUS_SUCCESS);
	start_rename(x, &r, &thread);
	/* the waiting rename bars no bracket inside the bracket */
	assert_status(fs_notify_begin(x->f->volume, 1000), STATUS_SUCCESS);
	fs_notify_end(x->f->volume);
	fs_notify_end(x->f->volume);
	fs_notify_end(x->f->volume);
	pthread_join(thread, NULL);
	assert_status(r.st, STATUS_SUCCESS);
	done(r.h);
}

/* A rename that cannot go on for long lets others by: it alone waits. */
static void
test_waiting_rename_lets_others_pass(void **state)
{
	struct fixture *x = *state;
	struct renamer r = {0};
	struct fs_handle *h;
	pthread_t thread;

	assert_status(fs_notify_begin(x->f->volume, 0), STATUS_SUCCESS);
	start_rename(x, &r, &thread);
	for (int i = 0; i < 50; i++) {
		assert_status(
			fake_open(x->f, "\\", FILE_LIST_DIRECTORY, SHARE_ALL, FILE_OPEN, 0, &h),
			STATUS_SUCCESS);
		done(h);
	}
	fs_notify_end(x->f->volume);
	fs_notify_end(x->f->volume);
	pthread_join(thread, NULL);
	assert_status(r.st, STATUS_SUCCESS);
	done(r.h);
}

static void
test_stop_aborts_blocked_rename(void **state)
{
	struct fixture *x = *state;
	struct renamer r = {0};
	pthread_t thread;

	assert_status(fs_notify_begin(x->f->volume, FS_TIMEOUT_INFINITE), STATUS_SUCCESS);
	start_rename(x, &r, &thread);
	fs_volume_stop(x->f->volume);
	pthread_join(thread, NULL);
	assert_status(r.st, STATUS_CANCELLED);
	assert_status(fs_notify(x->f->volume, NULL, 0), STATUS_CANCELLED);
	assert_status(fs_notify_begin(x->f->volume, 0), STATUS_CANCELLED);
	done(r.h);
}

static bool
begin_inside_rename(struct fake *f, struct fs_req *req, struct fs_rsp *rsp)
{
	(void)rsp;
	if (req->kind == FS_KIND_SET_INFO && req->set_info.info_class == FileRenameInformation)
		assert_status(fs_notify_begin(f->volume, 20), STATUS_CANT_WAIT);
	return false;
}

static void
test_begin_during_rename(void **state)
{
	struct fixture *x = *state;
	struct fs_handle *h;

	fake_add(x->f, "\\f", 0);
	h = must_open(x->f, "\\f", DELETE, SHARE_ALL, FILE_OPEN, 0);
	x->f->hook = begin_inside_rename;
	assert_status(fake_rename(h, NULL, "g", 0, false), STATUS_SUCCESS);
	done(h);
}

int
main(void)
{
#define ROW(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	static const struct CMUnitTest tests[] = {
		ROW(test_doors_changes),
		ROW(test_stream_changes),
		ROW(test_origin),
		ROW(test_announcements),
		ROW(test_garbage_records),
		ROW(test_announcement_drops_caches),
		ROW(test_bracket_blocks_rename),
		ROW(test_waiting_rename_lets_others_pass),
		ROW(test_stop_aborts_blocked_rename),
		ROW(test_begin_during_rename),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
