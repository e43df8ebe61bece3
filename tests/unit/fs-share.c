/* Share access between opens, and between streams and their main file (winfsp-fsctl §7). */
#include "fs-fake.h"

enum { R = FILE_READ_DATA, W = FILE_WRITE_DATA, D = DELETE, X = FILE_EXECUTE,
       AP = FILE_APPEND_DATA, RA = FILE_READ_ATTRIBUTES };
enum { SR = FILE_SHARE_READ, SW = FILE_SHARE_WRITE, SD = FILE_SHARE_DELETE };

struct row {
	const char *first;
	uint32_t access1, share1;
	const char *second;
	uint32_t access2, share2, disposition;
	NTSTATUS st;
};

static const NTSTATUS OK = STATUS_SUCCESS, NO = STATUS_SHARING_VIOLATION;

static const char M[] = "\\m", S[] = "\\m:s", T[] = "\\m:t";

static void
run(const struct row *row, size_t number)
{
	struct fs_volume_params params = fake_params(FS_VOL_NAMED_STREAMS);
	struct fake *f = fake_create(&params);
	struct fs_handle *a, *b;

	fake_add(f, M, 0);
	fake_add(f, S, 0);
	fake_add(f, T, 0);
	a = must_open(f, row->first, row->access1, row->share1, FILE_OPEN, 0);
	NTSTATUS st = fake_open(f, row->second, row->access2, row->share2, row->disposition, 0, &b);
	if (st != row->st)
		fail_msg("row %zu: %08x instead of %08x", number, (unsigned)st,
			 (unsigned)row->st);
	if (NT_SUCCESS(st))
		done(b);
	done(a);
	fake_destroy(f);
}

static void
test_matrix(void **state)
{
	const struct row rows[] = {
		/* rule 6: each right against each share, both ways */
		{M, R, SR, M, R, SR, FILE_OPEN, OK},
		{M, R, SW | SD, M, R, SR, FILE_OPEN, NO},
		{M, R, SR, M, R, SW, FILE_OPEN, NO},
		{M, X, SW, M, R, SR, FILE_OPEN, NO},
		{M, R, SR, M, W, SR, FILE_OPEN, NO},
		{M, R, SR | SW, M, W, SR, FILE_OPEN, OK},
		{M, W, SR | SW, M, R, SR, FILE_OPEN, NO},
		{M, AP, SR | SW, M, R, SR, FILE_OPEN, NO},
		{M, R, SR, M, D, SHARE_ALL, FILE_OPEN, NO},
		{M, R, SHARE_ALL, M, D, SHARE_ALL, FILE_OPEN, OK},
		{M, D, SHARE_ALL, M, R, SR | SW, FILE_OPEN, NO},
		/* opens without data access never conflict */
		{M, RA, 0, M, R | W | D, 0, FILE_OPEN, OK},
		{M, R | W | D, 0, M, RA, 0, FILE_OPEN, OK},
		/* rule 7: overwriting counts as writing, superseding as deleting */
		{M, R, SR, M, R, SHARE_ALL, FILE_OVERWRITE, NO},
		{M, R, SR | SW, M, R, SHARE_ALL, FILE_OVERWRITE, OK},
		{M, R, SR | SW, M, R, SHARE_ALL, FILE_SUPERSEDE, NO},
		{M, R, SR | SD, M, R, SHARE_ALL, FILE_SUPERSEDE, OK},
		/* the observed stream matrix */
		{M, D, 0, S, R, SD, FILE_OPEN, OK},
		{M, D, SHARE_ALL, S, W, SD, FILE_OPEN, OK},
		{M, D, SHARE_ALL, S, D, SD, FILE_OPEN, OK},
		{M, D, SHARE_ALL, S, R, SR | SW, FILE_OPEN, NO},
		{M, D, SHARE_ALL, S, W, 0, FILE_OPEN, NO},
		{M, D, SHARE_ALL, S, D, 0, FILE_OPEN, NO},
		{M, D, SHARE_ALL, S, RA, 0, FILE_OPEN, OK},
		{S, D, SD, M, R, 0, FILE_OPEN, OK},
		{S, D, SD, M, D, 0, FILE_OPEN, OK},
		{S, D, 0, M, R, 0, FILE_OPEN, OK},
		{S, D, 0, M, W, 0, FILE_OPEN, OK},
		{S, D, 0, M, D, SHARE_ALL, FILE_OPEN, NO},
		/* otherwise they are strangers */
		{S, R, 0, M, R, 0, FILE_OPEN, OK},
		{S, R, 0, T, R, 0, FILE_OPEN, OK},
		{S, R, 0, S, R, 0, FILE_OPEN, NO},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		run(&rows[i], i);
}

/* A refused open is closed at the program and leaves no trace. */
static void
test_refusal_closes(void **state)
{
	struct fs_volume_params params = fake_params(0);
	struct fake *f = fake_create(&params);
	struct fs_handle *a, *b;

	(void)state;
	fake_add(f, M, 0);
	a = must_open(f, M, R, SR, FILE_OPEN, 0);
	assert_status(fake_open(f, M, W, SHARE_ALL, FILE_OPEN, 0, &b), NO);
	assert_int_equal(fake_count(f, FS_KIND_CLOSE), 1);
	assert_int_equal(fake_count(f, FS_KIND_CLEANUP), 0);
	fs_cleanup(a);
	/* sharing ends with cleanup, not with close */
	b = must_open(f, M, W, 0, FILE_OPEN, 0);
	fs_close(a);
	done(b);
	fake_destroy(f);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matrix),
		cmocka_unit_test(test_refusal_closes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
