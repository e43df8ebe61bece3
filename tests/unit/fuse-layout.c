/*
 * If this fails, a program built with other headers reads our answers at the wrong place.
 *
 * The numbers are those measured with each release's own headers (x86-64): a field of ours is set,
 * converted, and looked for at that bit or byte; and the other way round.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/fuse/layout.h"

const struct fapi_library fapi_library = { "libfuse3.so.3", { 3, 14, 0, 0 }, false };

enum { NONE = -1 };

/* Bits from the start of the structure. */
struct file_info_row {
	const char *release;
	size_t size;
	int writepage, direct_io, keep_cache, parallel, flush, nonseekable, flock_release,
		cache_readdir, noflush, fh, lock_owner, backing_id;
};

static const struct file_info_row file_info_rows[] = {
	{ "2.9.9", 40, 128, 160, 161, NONE, 162, 163, 164, NONE, NONE, 192, 256, NONE },
	{ "3.0.0", 40, 32, 33, 34, NONE, 35, 36, 37, NONE, NONE, 128, 192, NONE },
	{ "3.4.2", 40, 32, 33, 34, NONE, 35, 36, 37, NONE, NONE, 128, 192, NONE },
	{ "3.10.5", 40, 32, 33, 34, NONE, 35, 36, 37, 38, NONE, 128, 192, NONE },
	{ "3.11.0", 40, 32, 33, 34, NONE, 35, 36, 37, 38, 39, 128, 192, NONE },
	{ "3.14.0", 40, 32, 33, 34, NONE, 35, 36, 37, 38, 39, 128, 192, NONE },
	{ "3.14.1", 40, 32, 33, 34, 35, 36, 37, 38, 39, 40, 128, 192, NONE },
	{ "3.16.2", 40, 32, 33, 34, 35, 36, 37, 38, 39, 40, 128, 192, NONE },
	{ "3.17.4", 64, 32, 33, 34, 40, 35, 36, 37, 38, 39, 128, 192, 288 },
	{ "3.18.2", 64, 32, 33, 34, 40, 35, 36, 37, 38, 39, 128, 192, 288 },
};

struct config_row {
	const char *release;
	size_t size;
	int auto_cache, no_rofd_flush, ac_set, ac_timeout, nullpath_ok, parallel, show_help,
		modules, debug;
};

static const struct config_row config_rows[] = {
	{ "3.0.0", 120, 80, NONE, 84, 88, 96, NONE, 100, 104, 112 },
	{ "3.10.5", 120, 80, NONE, 84, 88, 96, NONE, 100, 104, 112 },
	{ "3.11.0", 128, 80, 84, 88, 96, 104, NONE, 108, 112, 120 },
	{ "3.14.0", 128, 80, 84, 88, 96, 104, NONE, 108, 112, 120 },
	{ "3.14.1", 136, 80, 84, 88, 96, 104, 108, 112, 120, 128 },
	{ "3.16.2", 136, 80, 84, 88, 96, 104, 108, 112, 120, 128 },
	{ "3.18.0", 520, 80, 124, 84, 88, 96, 128, 100, 104, 112 },
};

static const struct {
	const char *release;
	size_t operations, lowlevel_ops, cmdline, buf;
} size_rows[] = {
	{ "2.9.9", 360, 328, 0, 40 },    { "3.0.0", 320, 336, 40, 40 },
	{ "3.2.6", 320, 336, 40, 40 },   { "3.4.2", 328, 344, 40, 40 },
	{ "3.10.5", 336, 352, 40, 40 },  { "3.11.0", 336, 352, 40, 40 },
	{ "3.12.0", 336, 352, 48, 40 },  { "3.16.2", 336, 352, 48, 40 },
	{ "3.17.1", 336, 360, 48, 48 },  { "3.18.2", 344, 368, 48, 48 },
};

static const struct fapi_layout *
layout_of(const char *release)
{
	struct libfuse_version v;

	assert_true(fapi_version_parse(release, &v));
	return fapi_layout_of_version(&v);
}

/* Exactly this bit is set among size bytes. */
static void
only_bit(const void *mem, size_t size, int bit)
{
	const unsigned char *bytes = mem;

	for (size_t i = 0; i < size; i++)
		assert_int_equal(bytes[i], bit >= 0 && i == (size_t)bit / 8 ? 1 << bit % 8 : 0);
}

#define CHECK_FLAG(field, row_field) \
	do { \
		struct fuse_file_info ours = { .field = 1 }, back = { 0 }; \
		union fapi_file_info_store theirs; \
		memset(&theirs, 0xff, sizeof(theirs)); \
		l->file_info_to(&theirs, &ours); \
		if (l->version.major == 2) /* fh_old follows fh */ \
			memset((char *)&theirs + 8, 0, sizeof(long)); \
		only_bit(&theirs, row->size, row->row_field); \
		l->file_info_from(&back, &theirs); \
		assert_int_equal(back.field, row->row_field != NONE); \
	} while (0)

static void
test_file_info(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(file_info_rows) / sizeof(file_info_rows[0]); i++) {
		const struct file_info_row *row = &file_info_rows[i];
		const struct fapi_layout *l = layout_of(row->release);

		assert_int_equal(l->file_info_size, row->size);
		CHECK_FLAG(writepage, writepage);
		CHECK_FLAG(direct_io, direct_io);
		CHECK_FLAG(keep_cache, keep_cache);
		CHECK_FLAG(parallel_direct_writes, parallel);
		CHECK_FLAG(flush, flush);
		CHECK_FLAG(nonseekable, nonseekable);
		CHECK_FLAG(flock_release, flock_release);
		CHECK_FLAG(cache_readdir, cache_readdir);
		CHECK_FLAG(noflush, noflush);
		CHECK_FLAG(fh, fh);
		CHECK_FLAG(lock_owner, lock_owner);
		CHECK_FLAG(backing_id, backing_id);
	}
}

/* A layout that lacks a field leaves ours alone. */
static void
test_file_info_keeps(void **state)
{
	struct fuse_file_info ours = { .fh = 5, .backing_id = 9, .noflush = 1,
				       .parallel_direct_writes = 1 };
	union fapi_file_info_store store;
	const struct fapi_layout *l = layout_of("3.4.0");
	struct fuse_file_info *theirs = fapi_file_info_enter(l, &store, &ours);

	(void)state;
	assert_ptr_equal(theirs, &store.ours);
	fapi_file_info_leave(l, &store, &ours);
	assert_int_equal(ours.fh, 5);
	assert_int_equal(ours.backing_id, 9);
	assert_int_equal(ours.noflush, 1);
	assert_int_equal(ours.parallel_direct_writes, 1);
	assert_null(fapi_file_info_enter(l, &store, NULL));
	assert_ptr_equal(fapi_file_info_enter(fapi_layout_newest(), &store, &ours), &ours);
}

#define CHECK_FIELD(field, row_field, type) \
	do { \
		struct fuse_config ours = { .field = (type)1 }, back = { 0 }; \
		union fapi_config_store theirs; \
		type got = 0; \
		l->config_to(&theirs, &ours); \
		if (row->row_field != NONE) \
			memcpy(&got, (char *)&theirs + row->row_field, sizeof(got)); \
		assert_true(got == (row->row_field != NONE ? (type)1 : (type)0)); \
		l->config_from(&back, &theirs); \
		assert_true(back.field == got); \
	} while (0)

static void
test_config(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(config_rows) / sizeof(config_rows[0]); i++) {
		const struct config_row *row = &config_rows[i];
		const struct fapi_layout *l = layout_of(row->release);

		assert_int_equal(l->config_size, row->size);
		CHECK_FIELD(auto_cache, auto_cache, int);
		CHECK_FIELD(no_rofd_flush, no_rofd_flush, int);
		CHECK_FIELD(ac_attr_timeout_set, ac_set, int);
		CHECK_FIELD(ac_attr_timeout, ac_timeout, double);
		CHECK_FIELD(nullpath_ok, nullpath_ok, int);
		CHECK_FIELD(parallel_direct_writes, parallel, int);
		CHECK_FIELD(show_help, show_help, int);
		CHECK_FIELD(debug, debug, int);
	}
}

static void
test_sizes(void **state)
{
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(size_rows) / sizeof(size_rows[0]); i++) {
		const struct fapi_layout *l = layout_of(size_rows[i].release);

		assert_int_equal(l->operations_size, size_rows[i].operations);
		assert_int_equal(l->lowlevel_ops_size, size_rows[i].lowlevel_ops);
		assert_int_equal(l->cmdline_size, size_rows[i].cmdline);
		assert_int_equal(l->buf_size, size_rows[i].buf);
	}
	assert_int_equal(sizeof(struct fuse_conn_info), 128);
	assert_int_equal(sizeof(struct fuse_entry_param), 176);
	assert_int_equal(sizeof(struct fuse_context), 40);
	assert_int_equal(sizeof(struct fuse_operations), 344);
	assert_int_equal(sizeof(struct fuse_lowlevel_ops), 368);
	assert_int_equal(sizeof(struct fuse_cmdline_opts), 48);
	assert_int_equal(sizeof(struct fuse_bufvec), 72);
	assert_ptr_equal(&fapi_layout_all(&n)[n - 1], fapi_layout_newest());
}

/* 32-bit want of an old program, and the rest of the connection. */
static void
test_conn(void **state)
{
	struct fuse_conn_info ours = { .proto_major = 7, .proto_minor = 31, .max_write = 4096,
				       .capable = 0x3ff, .want = 0x13, .time_gran = 10,
				       .want_ext = (1ull << 40) | 0x13, .request_timeout = 3 };
	unsigned theirs[32];

	(void)state;
	layout_of("3.14.0")->conn_to(theirs, &ours);
	assert_int_equal(theirs[2], 4096);
	assert_int_equal(theirs[6], 0x13);
	assert_int_equal(theirs[9], 10);
	only_bit(theirs + 10, 22 * sizeof(unsigned), NONE);
	theirs[6] = 0x11;
	theirs[12] = 77;
	layout_of("3.14.0")->conn_from(&ours, theirs);
	assert_int_equal(ours.want_ext, (1ull << 40) | 0x11);
	assert_int_equal(ours.request_timeout, 3);
}

static void
test_conn_29(void **state)
{
	struct fuse_conn_info ours = { .proto_minor = 31, .capable = 0xffffffff, .want = 0x1003,
				       .want_ext = 0x1003, .max_write = 1 << 17 };
	unsigned theirs[32];

	(void)state;
	layout_of("2.9.9")->conn_to(theirs, &ours);
	assert_int_equal(theirs[2], 1); /* async_read */
	assert_int_equal(theirs[3], 1 << 17);
	assert_int_equal(theirs[5], 0xfff);
	assert_int_equal(theirs[6], 0x23); /* big writes are always on */
	theirs[2] = 0;
	layout_of("2.9.9")->conn_from(&ours, theirs);
	/* what 2.9 does not know stays asked for */
	assert_int_equal(ours.want_ext, 0x1002);
	assert_int_equal(ours.capable, 0xffffffff);
}

static void
test_versions(void **state)
{
	static const char *const bad[] = { "", "3", "3.", "x.1", "4.0", "1.9", "3.1x", "3.14.0.",
					   "99999999999.1", "3..1", " 3.1", "-3.1" };
	struct libfuse_version v;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(fapi_version_parse(bad[i], &v));
	assert_true(fapi_version_parse("3.14.0-4", &v));
	assert_int_equal(v.minor, 14);
	assert_string_equal(layout_of("3.14")->name, "3.12.0");
	assert_string_equal(layout_of("3.99.0")->name, "3.18.0");
	v = (struct libfuse_version){ 0 };
	assert_ptr_equal(fapi_layout_of_version(&v), fapi_layout_library());
	assert_string_equal(fuse_pkgversion(), "3.14.0");
	assert_int_equal(fuse_version(), 314);
}

static void
test_ops(void **state)
{
	void *theirs[4] = { (void *)1, (void *)2, (void *)3, (void *)4 }, *ours[3];

	(void)state;
	fapi_ops_take(ours, sizeof(ours), theirs, sizeof(theirs));
	assert_ptr_equal(ours[2], (void *)3);
	fapi_ops_take(ours, sizeof(ours), theirs, sizeof(void *));
	assert_ptr_equal(ours[0], (void *)1);
	assert_null(ours[1]);
	fapi_ops_take(ours, sizeof(ours), NULL, 0);
	assert_null(ours[0]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file_info), cmocka_unit_test(test_file_info_keeps),
		cmocka_unit_test(test_config),    cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_conn),      cmocka_unit_test(test_conn_29),
		cmocka_unit_test(test_versions),  cmocka_unit_test(test_ops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
