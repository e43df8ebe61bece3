/* Opens, renames, deletions, listings and announcements at the same time: nothing is lost, nothing
 * hangs, every open is closed once. Meant for TSan. */
#include "fs-fake.h"

#include <stdio.h>

enum { THREADS = 4, ROUNDS = 1000, NAMES = 6 };

struct worker {
	struct fake *f;
	unsigned seed;
	pthread_t thread;
};

static unsigned
draw(struct worker *w, unsigned limit)
{
	w->seed = w->seed * 1664525u + 1013904223u;
	return (w->seed >> 16) % limit;
}

static const char *
draw_name(struct worker *w, char *dst)
{
	snprintf(dst, 32, "\\d\\n%u%s", draw(w, NAMES), draw(w, 4) == 0 ? ":s" : "");
	return dst;
}

static bool
emit_nothing(void *ctx, const struct fs_dir_info *entry)
{
	(void)entry;
	return ++*(unsigned *)ctx % 3 != 0;
}

static void
list(struct worker *w)
{
	struct fs_handle *h;
	unsigned n = 0;
	bool end;

	if (fake_open(w->f, "\\d", FILE_LIST_DIRECTORY, SHARE_ALL, FILE_OPEN, 0, &h) !=
	    STATUS_SUCCESS)
		return;
	(void)!fs_enumerate(h, NULL, emit_nothing, &n, &end);
	done(h);
}

static void
use_file(struct worker *w)
{
	static const uint32_t dispositions[] = {FILE_OPEN, FILE_CREATE, FILE_OPEN_IF,
						FILE_OVERWRITE_IF};
	struct fs_handle *h;
	struct fs_file_info info;
	char name[32], to[32];
	uint32_t n;

	if (fake_open(w->f, draw_name(w, name), DELETE | FILE_READ_DATA | FILE_WRITE_DATA,
		      SHARE_ALL, dispositions[draw(w, 4)],
		      draw(w, 8) == 0 ? FILE_DELETE_ON_CLOSE : 0, &h) != STATUS_SUCCESS)
		return;
	switch (draw(w, 5)) {
	case 0:
		snprintf(to, sizeof(to), "n%u", draw(w, NAMES));
		(void)!fake_rename(h, NULL, to,
				   FILE_RENAME_REPLACE_IF_EXISTS | FILE_RENAME_POSIX_SEMANTICS,
				   true);
		break;
	case 1:
		(void)!fs_set_disposition(
			h,
			FILE_DISPOSITION_DELETE |
				(draw(w, 2) ? FILE_DISPOSITION_POSIX_SEMANTICS : 0),
			true);
		break;
	case 2:
		(void)!fs_write(h, "data", draw(w, 100), 4, false, &n, &info);
		break;
	case 3:
		(void)!fs_query_info(h, &info);
		break;
	}
	done(h);
}

static void
look(struct worker *w)
{
	uint16_t wide[32];
	char name[32];
	struct fs_open_result result;
	struct fs_open_params params = {.name = wide, .token = w->f->token};

	params.n_units = units(draw_name(w, name), wide);
	(void)!fs_query_by_name(w->f->volume, &params, &result);
	free(result.data);
}

static void
announce(struct worker *w)
{
	_Alignas(8) uint8_t list_bytes[64] = {0};
	struct fs_notify_info *record = (struct fs_notify_info *)list_bytes;

	record->size = (uint16_t)(sizeof(*record) + 2 * units("\\d\\n1", record->name));
	if (fs_notify_begin(w->f->volume, 50) == STATUS_SUCCESS) {
		(void)!fs_notify(w->f->volume, list_bytes, 32);
		fs_notify_end(w->f->volume);
	}
}

static void *
work(void *arg)
{
	struct worker *w = arg;

	for (int i = 0; i < ROUNDS; i++) {
		switch (draw(w, 8)) {
		case 0:
			list(w);
			break;
		case 1:
			look(w);
			break;
		case 2:
			announce(w);
			break;
		default:
			use_file(w);
		}
	}
	return NULL;
}

static void
run(uint32_t optional_kinds)
{
	struct fs_volume_params params = fake_params(FS_VOL_NAMED_STREAMS | FS_VOL_CASE_SENSITIVE |
						     FS_VOL_POSIX_UNLINK_RENAME);
	struct worker workers[THREADS];

	params.file_info_timeout = params.dir_info_timeout = params.stream_info_timeout =
		params.volume_info_timeout = FS_TIMEOUT_INFINITE;
	params.optional_kinds = optional_kinds;
	struct fake *f = fake_create(&params);
	f->keep_records = false;
	fake_add(f, "\\d", FILE_ATTRIBUTE_DIRECTORY);
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.f = f, .seed = i + 1};
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(workers[i].thread, NULL);
	fake_destroy(f); /* counts the references that opens left at the program */
}

static void
test_by_name_identity(void **state)
{
	(void)state;
	run(0);
}

static void
test_by_index_identity(void **state)
{
	(void)state;
	run(1);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_name_identity),
		cmocka_unit_test(test_by_index_identity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
