/*
 * passthrough, names: nothing outside of the source is reached, by any name, whatever
 * somebody does to the source meanwhile; deletion, rename, link and listings do what they
 * say.
 */
#include "tests/api/passthrough-util.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* Every way of resolving names must hold: openat2, and one component at a time. */
static void
each_way(struct drive *d, void (*check)(struct drive *d))
{
	if (d->pt.has_openat2)
		check(d);
	d->pt.has_openat2 = false;
	check(d);
}

/* ---------------------------------------------------------------- no way out */

static void
check_link_to_root(struct drive *d)
{
	struct pt_file *file;
	UINT32 attributes = 0;

	assert_status(STATUS_OBJECT_PATH_NOT_FOUND,
		      open_name(d, u"\\way\\etc\\passwd", FILE_READ_DATA, &file));
	assert_status(STATUS_REPARSE, by_name(d, u"\\way\\etc\\passwd", &attributes));
	assert_status(STATUS_SUCCESS, by_name(d, u"\\way", &attributes));
	assert_int_equal(attributes, FILE_ATTRIBUTE_REPARSE_POINT);
}

static void
link_to_root_is_not_followed(void **state)
{
	struct drive *d = *state;

	assert_int_equal(symlink("/", in_source(d, "way")), 0);
	each_way(d, check_link_to_root);
}

static void
check_link_to_sibling(struct drive *d)
{
	struct pt_file *file;

	assert_status(STATUS_OBJECT_PATH_NOT_FOUND,
		      create_name(d, u"\\way\\new", 0, 0644, &file));
	assert_status(STATUS_OBJECT_PATH_NOT_FOUND,
		      create_name(d, u"\\way\\new", FILE_DIRECTORY_FILE, 0755, &file));
	char path[128];
	snprintf(path, sizeof(path), "%s/new", d->outside);
	assert_false(exists(path));
}

static void
nothing_is_created_through_a_link(void **state)
{
	struct drive *d = *state;

	assert_int_equal(symlink("../outside", in_source(d, "way")), 0);
	each_way(d, check_link_to_sibling);
}

static void
opening_a_link_opens_the_link(void **state)
{
	struct drive *d = *state;
	char secret[128], text[16];
	ULONG n;

	snprintf(secret, sizeof(secret), "%s/secret", d->outside);
	put_file(secret, "secret");
	assert_int_equal(symlink(secret, in_source(d, "way")), 0);
	struct pt_file *file = must_open(d, u"\\way", FILE_READ_DATA | FILE_WRITE_DATA);
	assert_status(STATUS_INVALID_DEVICE_REQUEST,
		      pt_read(&d->fs, file, text, 0, sizeof(text), &n));
	shut(d, file);
}

static void
check_dots(struct drive *d)
{
	static const PCWSTR names[] = {u"\\..",
				       u"\\..\\outside",
				       u"\\a\\..\\..\\outside",
				       u"\\.",
				       u"\\a\\.",
				       u"\\a\\..",
				       u"\\a/../..",
				       u"\\/etc",
				       u"\\a\\\\b",
				       u"\\a\\",
				       u"",
				       u"a"};
	struct pt_file *file;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_status(STATUS_OBJECT_NAME_INVALID,
			      open_name(d, names[i], 0, &file));
		assert_status(STATUS_OBJECT_NAME_INVALID,
			      create_name(d, names[i], 0, 0644, &file));
		assert_status(STATUS_OBJECT_NAME_INVALID, by_name(d, names[i], NULL));
	}
}

static void
dots_and_slashes_are_no_names(void **state)
{
	struct drive *d = *state;

	assert_int_equal(mkdir(in_source(d, "a"), 0755), 0);
	each_way(d, check_dots);
}

static void
check_moved(struct drive *d)
{
	struct pt_file *file;

	assert_status(STATUS_OBJECT_PATH_NOT_FOUND,
		      create_name(d, u"\\dir\\new", 0, 0644, &file));
	assert_status(STATUS_OBJECT_NAME_NOT_FOUND, open_name(d, u"\\dir", 0, &file));
}

static void
directory_moved_out_while_open_leads_nowhere(void **state)
{
	struct drive *d = *state;
	struct pt_file *dir;
	char moved[128];

	assert_int_equal(mkdir(in_source(d, "dir"), 0755), 0);
	dir = must_open(d, u"\\dir", FILE_LIST_DIRECTORY);
	snprintf(moved, sizeof(moved), "%s/dir", d->outside);
	assert_int_equal(rename(in_source(d, "dir"), moved), 0);
	each_way(d, check_moved);
	shut(d, dir);
}

/* ".." of a directory that is outside now must not tell of what is there. */
static void
parent_of_a_moved_directory_is_not_shown(void **state)
{
	struct drive *d = *state;
	_Alignas(8) char buffer[4096];
	ULONG n = 0;
	char moved[128];
	struct stat outside;

	assert_int_equal(mkdir(in_source(d, "dir"), 0755), 0);
	struct pt_file *dir = must_open(d, u"\\dir", FILE_LIST_DIRECTORY);
	snprintf(moved, sizeof(moved), "%s/dir", d->outside);
	assert_int_equal(rename(in_source(d, "dir"), moved), 0);
	assert_int_equal(stat(d->outside, &outside), 0);
	assert_status(STATUS_SUCCESS, pt_read_directory(&d->fs, dir, NULL, NULL, buffer,
							sizeof(buffer), &n));
	for (const char *at = buffer; ((const FSP_FSCTL_DIR_INFO *)at)->Size;) {
		const FSP_FSCTL_DIR_INFO *e = (const void *)at;

		assert_int_not_equal(e->FileInfo.IndexNumber, outside.st_ino);
		at += FSP_FSCTL_DEFAULT_ALIGN_UP(e->Size);
		if (at + sizeof(UINT16) >= buffer + n)
			break;
	}
	shut(d, dir);
}

static void
directory_replaced_by_a_link_leads_nowhere(void **state)
{
	struct drive *d = *state;
	struct pt_file *file;

	assert_int_equal(mkdir(in_source(d, "dir"), 0755), 0);
	put_file(in_source(d, "dir/f"), "x");
	file = must_open(d, u"\\dir\\f", DELETE);
	assert_int_equal(rename(in_source(d, "dir"), in_source(d, "old")), 0);
	assert_int_equal(symlink("../outside", in_source(d, "dir")), 0);
	char path[128];
	snprintf(path, sizeof(path), "%s/f", d->outside);
	put_file(path, "theirs");
	pt_cleanup(&d->fs, file, (PWSTR)u"\\dir\\f", FspCleanupDelete);
	assert_true(exists(path));
	shut(d, file);
}

/* ---------------------------------------------------------------- missing things, long
 * paths */

static void
check_missing(struct drive *d)
{
	struct pt_file *file;

	assert_status(STATUS_OBJECT_NAME_NOT_FOUND, open_name(d, u"\\none", 0, &file));
	assert_status(STATUS_OBJECT_PATH_NOT_FOUND, open_name(d, u"\\none\\x", 0, &file));
	assert_status(STATUS_OBJECT_PATH_NOT_FOUND, open_name(d, u"\\file\\x", 0, &file));
	assert_status(STATUS_OBJECT_PATH_NOT_FOUND,
		      open_name(d, u"\\file\\x\\y", 0, &file));
}

static void
a_missing_file_is_told_from_a_missing_path(void **state)
{
	struct drive *d = *state;

	put_file(in_source(d, "file"), "");
	each_way(d, check_missing);
}

static void
paths_longer_than_the_kernels_limit_work(void **state)
{
	struct drive *d = *state;
	WCHAR name[6 * 1024];
	size_t n = 0;
	struct pt_file *file;

	for (int level = 0; level < 25; level++) {
		name[n++] = '\\';
		for (int i = 0; i < 200; i++)
			name[n++] = 'd';
		name[n] = 0;
		assert_status(STATUS_SUCCESS,
			      create_name(d, name, FILE_DIRECTORY_FILE, 0755, &file));
		shut(d, file);
	}
	shut(d, must_open(d, name, 0));
	for (; n > 0; n -= 201) { /* nftw would not get so deep */
		name[n] = 0;
		file = must_open(d, name, DELETE);
		pt_cleanup(&d->fs, file, name, FspCleanupDelete);
		shut(d, file);
	}
	assert_false(exists(in_source(d, "ddd")));
}

/* ---------------------------------------------------------------- deletion */

static void
deletion_removes_only_the_file_that_was_opened(void **state)
{
	struct drive *d = *state;
	struct pt_file *file;

	put_file(in_source(d, "f"), "mine");
	file = must_open(d, u"\\f", DELETE);
	assert_int_equal(rename(in_source(d, "f"), in_source(d, "elsewhere")), 0);
	put_file(in_source(d, "f"), "theirs");
	pt_cleanup(&d->fs, file, (PWSTR)u"\\f", FspCleanupDelete);
	assert_true(exists(in_source(d, "f")));
	assert_true(exists(in_source(d, "elsewhere")));
	shut(d, file);
}

static void
a_filled_directory_may_not_be_deleted(void **state)
{
	struct drive *d = *state;
	struct pt_file *dir;

	assert_int_equal(mkdir(in_source(d, "dir"), 0755), 0);
	put_file(in_source(d, "dir/f"), "");
	dir = must_open(d, u"\\dir", DELETE);
	assert_status(STATUS_DIRECTORY_NOT_EMPTY,
		      pt_can_delete(&d->fs, dir, (PWSTR)u"\\dir"));
	assert_int_equal(unlink(in_source(d, "dir/f")), 0);
	assert_status(STATUS_SUCCESS, pt_can_delete(&d->fs, dir, (PWSTR)u"\\dir"));
	shut(d, dir);
}

/* ---------------------------------------------------------------- rename, link */

static void
rename_without_replacing_collides(void **state)
{
	struct drive *d = *state;

	put_file(in_source(d, "a"), "a");
	put_file(in_source(d, "b"), "b");
	struct pt_file *file = must_open(d, u"\\a", DELETE);
	assert_status(STATUS_OBJECT_NAME_COLLISION,
		      pt_rename(&d->fs, file, (PWSTR)u"\\a", (PWSTR)u"\\b", FALSE));
	assert_status(STATUS_SUCCESS,
		      pt_rename(&d->fs, file, (PWSTR)u"\\a", (PWSTR)u"\\b", TRUE));
	assert_false(exists(in_source(d, "a")));
	shut(d, file);
}

static void
rename_replaces_no_directory(void **state)
{
	struct drive *d = *state;

	assert_int_equal(mkdir(in_source(d, "a"), 0755), 0);
	assert_int_equal(mkdir(in_source(d, "b"), 0755), 0);
	struct pt_file *dir = must_open(d, u"\\a", DELETE);
	assert_status(STATUS_ACCESS_DENIED,
		      pt_rename(&d->fs, dir, (PWSTR)u"\\a", (PWSTR)u"\\b", TRUE));
	assert_status(STATUS_SUCCESS,
		      pt_rename_posix(&d->fs, dir, (PWSTR)u"\\a", (PWSTR)u"\\b", 0));
	assert_false(exists(in_source(d, "a")));
	shut(d, dir);
}

static void
rename_over_another_name_of_the_file_removes_the_old_one(void **state)
{
	struct drive *d = *state;

	put_file(in_source(d, "a"), "a");
	assert_int_equal(link(in_source(d, "a"), in_source(d, "b")), 0);
	struct pt_file *file = must_open(d, u"\\a", DELETE);
	assert_status(STATUS_SUCCESS,
		      pt_rename(&d->fs, file, (PWSTR)u"\\a", (PWSTR)u"\\b", TRUE));
	assert_false(exists(in_source(d, "a")));
	assert_true(exists(in_source(d, "b")));
	shut(d, file);
}

static void
rename_moves_only_the_file_that_was_opened(void **state)
{
	struct drive *d = *state;

	put_file(in_source(d, "a"), "mine");
	struct pt_file *file = must_open(d, u"\\a", DELETE);
	assert_int_equal(unlink(in_source(d, "a")), 0);
	put_file(in_source(d, "a"), "theirs");
	assert_status(STATUS_OBJECT_NAME_NOT_FOUND,
		      pt_rename(&d->fs, file, (PWSTR)u"\\a", (PWSTR)u"\\b", TRUE));
	shut(d, file);
}

static void
exchange_swaps_two_names(void **state)
{
	struct drive *d = *state;

	put_file(in_source(d, "a"), "a");
	assert_int_equal(mkdir(in_source(d, "b"), 0755), 0);
	struct pt_file *file = must_open(d, u"\\a", DELETE);
	assert_status(STATUS_SUCCESS, pt_rename_posix(&d->fs, file, (PWSTR)u"\\a",
						      (PWSTR)u"\\b", FspxRenameExchange));
	struct stat st;
	assert_int_equal(stat(in_source(d, "a"), &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	shut(d, file);
}

static void
link_adds_a_name(void **state)
{
	struct drive *d = *state;
	FSP_FSCTL_FILE_INFO info;

	put_file(in_source(d, "a"), "a");
	put_file(in_source(d, "b"), "b");
	struct pt_file *file = must_open(d, u"\\a", 0);
	assert_status(STATUS_OBJECT_NAME_COLLISION,
		      pt_link(&d->fs, file, (PWSTR)u"\\a", (PWSTR)u"\\b", FALSE, &info));
	assert_status(STATUS_SUCCESS,
		      pt_link(&d->fs, file, (PWSTR)u"\\a", (PWSTR)u"\\b", TRUE, &info));
	assert_int_equal(info.HardLinks, 2);
	shut(d, file);
}

static void
a_hard_link_to_a_link_is_the_link(void **state)
{
	struct drive *d = *state;
	FSP_FSCTL_FILE_INFO info;
	char target[16];

	assert_int_equal(symlink("nowhere", in_source(d, "a")), 0);
	struct pt_file *file = must_open(d, u"\\a", 0);
	assert_status(STATUS_SUCCESS,
		      pt_link(&d->fs, file, (PWSTR)u"\\a", (PWSTR)u"\\b", FALSE, &info));
	assert_int_equal(readlink(in_source(d, "b"), target, sizeof(target)), 7);
	shut(d, file);
}

/* ---------------------------------------------------------------- listings */

enum { N_LISTED = 700 };

/* Reads in slices of size bytes, continuing after the last entry of each; counts. */
static unsigned
count_entries(struct drive *d, struct pt_file *dir, ULONG size, unsigned *ret_slices)
{
	_Alignas(8) char buffer[8192];
	UINT64 next = 0;
	unsigned n = 0;
	bool at_end = false;

	for (*ret_slices = 0; !at_end; ++*ret_slices) {
		ULONG used = 0, at = 0;

		assert_status(STATUS_SUCCESS,
			      pt_read_directory(&d->fs, dir, NULL,
						*ret_slices ? (PWSTR)(void *)&next : NULL,
						buffer, size, &used));
		while (at + sizeof(FSP_FSCTL_DIR_INFO) <= used) {
			const FSP_FSCTL_DIR_INFO *e = (const void *)(buffer + at);

			if (!e->Size)
				break;
			next = e->NextOffset;
			n++;
			at += (ULONG)FSP_FSCTL_DEFAULT_ALIGN_UP(e->Size);
		}
		at_end = at < used; /* the end mark */
	}
	return n;
}

static void
a_listing_continues_after_any_entry(void **state)
{
	struct drive *d = *state;
	unsigned slices;
	char name[32];

	assert_int_equal(mkdir(in_source(d, "dir"), 0755), 0);
	for (int i = 0; i < N_LISTED; i++) {
		snprintf(name, sizeof(name), "dir/file-%d", i);
		put_file(in_source(d, name), "");
	}
	struct pt_file *dir = must_open(d, u"\\dir", FILE_LIST_DIRECTORY);
	assert_int_equal(count_entries(d, dir, 8192, &slices), N_LISTED + 2);
	assert_int_equal(count_entries(d, dir, 150, &slices), N_LISTED + 2);
	assert_true(slices >= N_LISTED);
	shut(d, dir);
}

static void
the_root_lists_no_dots(void **state)
{
	struct drive *d = *state;
	unsigned slices;

	put_file(in_source(d, "f"), "");
	struct pt_file *dir = must_open(d, u"\\", FILE_LIST_DIRECTORY);
	assert_int_equal(count_entries(d, dir, 4096, &slices), 1);
	shut(d, dir);
}

/* "a", an invalid byte, "b": must come back when it is opened by the name that is listed.
 */
static void
names_that_are_not_utf8_round_trip(void **state)
{
	struct drive *d = *state;
	_Alignas(8) char buffer[1024];
	ULONG n = 0;

	put_file(in_source(d, "a\xff"
			      "b"),
		 "");
	struct pt_file *dir = must_open(d, u"\\", FILE_LIST_DIRECTORY);
	assert_status(STATUS_SUCCESS, pt_read_directory(&d->fs, dir, NULL, NULL, buffer,
							sizeof(buffer), &n));
	const FSP_FSCTL_DIR_INFO *e = (const void *)buffer;
	assert_int_equal(e->Size, sizeof(*e) + 3 * sizeof(WCHAR));
	assert_memory_equal(e->FileNameBuf,
			    u"a\uf0ff"
			    u"b",
			    6);
	shut(d, dir);
	shut(d, must_open(d,
			  u"\\a\uf0ff"
			  u"b",
			  0));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, drive_setup, drive_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(link_to_root_is_not_followed),
		CASE(nothing_is_created_through_a_link),
		CASE(opening_a_link_opens_the_link),
		CASE(dots_and_slashes_are_no_names),
		CASE(directory_moved_out_while_open_leads_nowhere),
		CASE(parent_of_a_moved_directory_is_not_shown),
		CASE(directory_replaced_by_a_link_leads_nowhere),
		CASE(a_missing_file_is_told_from_a_missing_path),
		CASE(paths_longer_than_the_kernels_limit_work),
		CASE(deletion_removes_only_the_file_that_was_opened),
		CASE(a_filled_directory_may_not_be_deleted),
		CASE(rename_without_replacing_collides),
		CASE(rename_replaces_no_directory),
		CASE(rename_over_another_name_of_the_file_removes_the_old_one),
		CASE(rename_moves_only_the_file_that_was_opened),
		CASE(exchange_swaps_two_names),
		CASE(link_adds_a_name),
		CASE(a_hard_link_to_a_link_is_the_link),
		CASE(a_listing_continues_after_any_entry),
		CASE(the_root_lists_no_dots),
		CASE(names_that_are_not_utf8_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
