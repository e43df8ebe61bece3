/* Data, information, caches, EAs, security, reparse points, streams; and answers that lie. */
#include "fs-fake.h"

#include "fs/security/sd.h"

static const uint32_t FLAGS = FS_VOL_NAMED_STREAMS | FS_VOL_REPARSE_POINTS |
			      FS_VOL_EXTENDED_ATTRIBUTES | FS_VOL_DEVICE_CONTROL;
static const uint32_t ALL = FILE_ALL_ACCESS | ACCESS_SYSTEM_SECURITY;

static int
setup(void **state)
{
	struct fs_volume_params params = fake_params(FLAGS);
	struct fake *f = fake_create(&params);

	fake_add(f, "\\f", 0);
	fake_add(f, "\\d", FILE_ATTRIBUTE_DIRECTORY);
	*state = f;
	return 0;
}

static int
setup_cached(void **state)
{
	struct fs_volume_params params = fake_params(FLAGS);
	struct fake *f;

	params.file_info_timeout = params.security_timeout = params.ea_timeout =
		params.stream_info_timeout = params.volume_info_timeout = FS_TIMEOUT_INFINITE;
	f = fake_create(&params);
	fake_add(f, "\\f", 0);
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
opened(struct fake *f, const char *name)
{
	return must_open(f, name, ALL, SHARE_ALL, FILE_OPEN, 0);
}

static void
test_read_write(void **state)
{
	struct fake *f = *state;
	struct fs_handle *h = opened(f, "\\f"), *d = opened(f, "\\d"), *ro;
	struct fs_file_info info;
	char buffer[8];
	uint32_t n = 99;

	assert_status(fs_write(h, "hello", 0, 5, false, &n, &info), STATUS_SUCCESS);
	assert_int_equal(info.file_size, 5);
	assert_status(fs_write(h, "!", FS_OFFSET_APPEND, 1, false, &n, &info), STATUS_SUCCESS);
	assert_int_equal(info.file_size, 6);
	assert_status(fs_read(h, buffer, 1, 8, &n), STATUS_SUCCESS);
	assert_int_equal(n, 5);
	assert_memory_equal(buffer, "ello!", 5);
	assert_status(fs_read(h, buffer, 6, 1, &n), STATUS_END_OF_FILE);
	fake_forget(f);
	assert_status(fs_read(h, buffer, 600, 0, &n), STATUS_SUCCESS);
	assert_int_equal(n, 0);
	assert_int_equal(f->n_records, 0);
	assert_status(fs_read(d, buffer, 0, 1, &n), STATUS_INVALID_PARAMETER);
	assert_status(fs_write(d, buffer, 0, 1, false, &n, &info), STATUS_INVALID_PARAMETER);
	ro = must_open(f, "\\f", FILE_READ_DATA, SHARE_ALL, FILE_OPEN, 0);
	assert_status(fs_write(ro, "x", 0, 1, false, &n, &info), STATUS_ACCESS_DENIED);
	assert_status(fs_set_end_of_file(ro, 0, &info), STATUS_ACCESS_DENIED);
	done(ro);
	ro = must_open(f, "\\f", FILE_APPEND_DATA, SHARE_ALL, FILE_OPEN, 0);
	assert_status(fs_write(ro, "?", 0, 1, false, &n, &info), STATUS_SUCCESS);
	assert_int_equal(info.file_size, 7);
	done(ro);
	done(d);
	done(h);
}

static void
test_flush(void **state)
{
	struct fake *f = *state;
	struct fs_handle *h = opened(f, "\\f"), *d = opened(f, "\\d"), *root = opened(f, "\\");

	assert_status(fs_flush(f->volume, h), STATUS_SUCCESS);
	assert_true(fake_last(f, FS_KIND_FLUSH)->ctx.user_context != 0);
	fake_forget(f);
	assert_status(fs_flush(f->volume, d), STATUS_SUCCESS);
	assert_int_equal(fake_count(f, FS_KIND_FLUSH), 0);
	assert_status(fs_flush(f->volume, root), STATUS_SUCCESS);
	assert_true(fake_last(f, FS_KIND_FLUSH)->ctx.user_context == 0);
	assert_status(fs_flush(f->volume, NULL), STATUS_SUCCESS);
	assert_int_equal(fake_count(f, FS_KIND_FLUSH), 2);
	done(root);
	done(d);
	done(h);
}

/* §10: 0 means unchanged, NORMAL alone means none, the type decides DIRECTORY, -1 is 0. */
static void
test_basic_rules(void **state)
{
	struct fake *f = *state;
	struct fs_handle *h = opened(f, "\\f"), *d = opened(f, "\\d");
	struct fs_file_info info;
	struct fs_basic_info basic = {.attributes = FILE_ATTRIBUTE_HIDDEN |
						    FILE_ATTRIBUTE_DIRECTORY};

	assert_status(fs_set_basic(h, &basic, &info), STATUS_SUCCESS);
	assert_int_equal(info.attributes, FILE_ATTRIBUTE_HIDDEN);
	basic = (struct fs_basic_info){.last_write_time = UINT64_MAX};
	assert_status(fs_set_basic(h, &basic, &info), STATUS_SUCCESS);
	assert_int_equal(info.attributes, FILE_ATTRIBUTE_HIDDEN);
	assert_int_equal(info.last_write_time, 0);
	basic = (struct fs_basic_info){.attributes = FILE_ATTRIBUTE_NORMAL,
				       .last_write_time = 77};
	assert_status(fs_set_basic(h, &basic, &info), STATUS_SUCCESS);
	assert_int_equal(info.attributes, 0);
	assert_int_equal(info.last_write_time, 77);
	assert_status(fs_set_basic(d, &basic, &info), STATUS_SUCCESS);
	assert_int_equal(info.attributes, FILE_ATTRIBUTE_DIRECTORY);
	basic.attributes = FILE_ATTRIBUTE_TEMPORARY;
	assert_status(fs_set_basic(d, &basic, &info), STATUS_INVALID_PARAMETER);
	assert_status(fs_set_allocation(h, 513, &info), STATUS_SUCCESS);
	assert_int_equal(info.allocation_size, 1024);
	done(d);
	done(h);
}

static void
test_info_cache(void **state)
{
	struct fake *f = *state;
	struct fs_handle *h = opened(f, "\\f"), *b = opened(f, "\\f");
	struct fs_file_info info;
	uint32_t n;

	assert_status(fs_query_info(h, &info), STATUS_SUCCESS);
	assert_status(fs_query_info(b, &info), STATUS_SUCCESS);
	assert_int_equal(fake_count(f, FS_KIND_QUERY_INFO), 0);
	assert_status(fs_write(h, "x", 9, 1, false, &n, &info), STATUS_SUCCESS);
	assert_status(fs_query_info(b, &info), STATUS_SUCCESS);
	assert_int_equal(info.file_size, 10);
	assert_int_equal(fake_count(f, FS_KIND_QUERY_INFO), 0);
	done(h);
	/* the cleanup set times and the archive bit: what was known is not true any more */
	assert_status(fs_query_info(b, &info), STATUS_SUCCESS);
	assert_int_equal(fake_count(f, FS_KIND_QUERY_INFO), 1);
	done(b);
}

static void
test_volume_cache(void **state)
{
	struct fake *f = *state;
	struct fs_volume_info info;
	uint16_t label[] = {'L'};

	assert_status(fs_query_volume(f->volume, &info), STATUS_SUCCESS);
	assert_status(fs_query_volume(f->volume, &info), STATUS_SUCCESS);
	assert_int_equal(fake_count(f, FS_KIND_QUERY_VOLUME), 1);
	assert_status(fs_set_label(f->volume, label, 1, &info), STATUS_SUCCESS);
	done(must_open(f, "\\n", ALL, SHARE_ALL, FILE_CREATE, 0));
	assert_status(fs_query_volume(f->volume, &info), STATUS_SUCCESS);
	assert_int_equal(fake_count(f, FS_KIND_QUERY_VOLUME), 2);
}

static void
test_security(void **state)
{
	struct fake *f = *state;
	struct fs_handle *h = opened(f, "\\f"), *weak;
	void *sd;
	uint32_t size;

	assert_status(fs_query_security(h, &sd, &size), STATUS_SUCCESS);
	assert_true(sd_valid(sd, size));
	assert_status(fs_set_security(h, SD_DACL, sd), STATUS_SUCCESS);
	weak = must_open(f, "\\f", READ_CONTROL, SHARE_ALL, FILE_OPEN, 0);
	assert_status(fs_set_security(weak, SD_DACL, sd), STATUS_ACCESS_DENIED);
	assert_status(fs_set_security(weak, SD_OWNER, sd), STATUS_ACCESS_DENIED);
	free(sd);
	done(weak);
	weak = must_open(f, "\\f", FILE_READ_DATA, SHARE_ALL, FILE_OPEN, 0);
	assert_status(fs_query_security(weak, &sd, &size), STATUS_ACCESS_DENIED);
	done(weak);
	done(h);
	assert_true(fake_last(f, FS_KIND_CLEANUP)->flags & FS_CLEANUP_SET_ARCHIVE);
}

static void
test_security_cache(void **state)
{
	struct fake *f = *state;
	struct fs_handle *h = opened(f, "\\f");
	void *sd;
	uint32_t size;

	for (int i = 0; i < 2; i++) {
		assert_status(fs_query_security(h, &sd, &size), STATUS_SUCCESS);
		free(sd);
	}
	assert_int_equal(fake_count(f, FS_KIND_QUERY_SECURITY), 1);
	done(h);
}

/* §20, §18.3: a stream's descriptor, EAs aside, is its main file's. */
static void
test_stream_uses_main(void **state)
{
	struct fake *f = *state;
	struct fs_handle *h = opened(f, "\\f");
	struct fs_handle *s = must_open(f, "\\f:s", ALL, SHARE_ALL, FILE_CREATE, 0);
	void *list;
	uint32_t size;
	struct fs_file_info info;

	assert_status(fs_query_security(h, &list, &size), STATUS_SUCCESS);
	free(list);
	uint64_t main = fake_last(f, FS_KIND_QUERY_SECURITY)->ctx.user_context;
	assert_status(fs_query_security(s, &list, &size), STATUS_SUCCESS);
	free(list);
	assert_true(fake_last(f, FS_KIND_QUERY_SECURITY)->ctx.user_context == main);
	fake_find(f, "\\f:s")->info.attributes = FILE_ATTRIBUTE_DIRECTORY;
	assert_status(fs_query_info(s, &info), STATUS_SUCCESS);
	assert_int_equal(info.attributes, 0);
	assert_status(fs_query_streams(h, &list, &size), STATUS_SUCCESS);
	assert_int_equal(size, ALIGN_UP(sizeof(struct fs_stream_info) + 2, 8));
	free(list);
	done(s);
	done(h);
	assert_int_equal(fake_find(f, "\\f")->refs, 0);
}

/* §6.2: a main file is made with the stream, and gets nothing of the stream's share mode. */
static void
test_stream_creates_main(void **state)
{
	struct fake *f = *state;
	struct fs_handle *s, *h;

	assert_status(fake_open(f, "\\new:s", ALL, 0, FILE_OPEN, 0, &s),
		      STATUS_OBJECT_NAME_NOT_FOUND);
	assert_null(fake_find(f, "\\new"));
	s = must_open(f, "\\new:s", FILE_READ_DATA, 0, FILE_OPEN_IF, 0);
	assert_non_null(fake_find(f, "\\new"));
	h = must_open(f, "\\new", FILE_READ_DATA, 0, FILE_OPEN, 0);
	done(h);
	done(s);
}

static void
test_stream_list_cache(void **state)
{
	struct fake *f = *state;
	struct fs_handle *h = opened(f, "\\f");
	void *list;
	uint32_t size;

	for (int i = 0; i < 2; i++)
		assert_status(fs_query_streams(h, &list, &size), STATUS_SUCCESS);
	assert_int_equal(size, 0);
	assert_int_equal(fake_count(f, FS_KIND_QUERY_STREAMS), 1);
	done(must_open(f, "\\f:s", ALL, SHARE_ALL, FILE_CREATE, 0));
	assert_status(fs_query_streams(h, &list, &size), STATUS_SUCCESS);
	assert_true(size > 0);
	free(list);
	done(h);
}

static const uint8_t one_ea[] = {0, 0, 0, 0, 0, 1, 1, 0, 'N', 0, 'v'};

static void
test_ea(void **state)
{
	struct fake *f = *state;
	struct fs_handle *h = opened(f, "\\f"), *weak;
	void *list;
	uint32_t size, bad = 99;

	assert_status(fs_query_ea(h, &list, &size), STATUS_SUCCESS);
	assert_int_equal(size, 0);
	assert_null(list);
	assert_status(fs_set_ea(h, one_ea, sizeof(one_ea), &bad), STATUS_SUCCESS);
	assert_status(fs_query_ea(h, &list, &size), STATUS_SUCCESS);
	assert_int_equal(size, sizeof(one_ea));
	free(list);
	assert_status(fs_set_ea(h, one_ea, 4, &bad), STATUS_EA_LIST_INCONSISTENT);
	assert_int_equal(bad, 0);
	weak = must_open(f, "\\f", FILE_READ_DATA, SHARE_ALL, FILE_OPEN, 0);
	assert_status(fs_set_ea(weak, one_ea, sizeof(one_ea), NULL), STATUS_ACCESS_DENIED);
	assert_status(fs_query_ea(weak, &list, &size), STATUS_ACCESS_DENIED);
	done(weak);
	done(h);
}

static void
test_ea_needs_flag(void **state)
{
	struct fs_volume_params params = fake_params(0);
	struct fake *f = fake_create(&params);
	struct fs_handle *h = opened(f, "\\");
	void *list;
	uint32_t size;

	(void)state;
	assert_status(fs_query_ea(h, &list, &size), STATUS_INVALID_DEVICE_REQUEST);
	assert_status(fs_set_ea(h, one_ea, sizeof(one_ea), NULL), STATUS_INVALID_DEVICE_REQUEST);
	assert_status(fs_get_reparse(h, &size, 4, &size), STATUS_INVALID_DEVICE_REQUEST);
	done(h);
	fake_destroy(f);
}

static const uint8_t nfs_point[] = {0x14, 0, 0, 0x80, 8, 0, 0, 0, 'F', 'I', 'F', 'O', 0, 0, 0, 0};

static void
test_reparse(void **state)
{
	struct fake *f = *state;
	struct fs_handle *h = opened(f, "\\f"), *weak;
	uint8_t buffer[64], header[8];
	uint32_t size;

	assert_status(fs_get_reparse(h, buffer, sizeof(buffer), &size),
		      STATUS_NOT_A_REPARSE_POINT);
	assert_status(fs_set_reparse(h, nfs_point, 0), STATUS_INVALID_BUFFER_SIZE);
	assert_status(fs_set_reparse(h, nfs_point, 15), STATUS_IO_REPARSE_DATA_INVALID);
	assert_status(fs_set_reparse(h, nfs_point, 16), STATUS_SUCCESS);
	assert_status(fs_get_reparse(h, buffer, 15, &size), STATUS_BUFFER_TOO_SMALL);
	assert_status(fs_get_reparse(h, buffer, 16, &size), STATUS_SUCCESS);
	assert_memory_equal(buffer, nfs_point, 16);
	weak = must_open(f, "\\f", FILE_READ_DATA, SHARE_ALL, FILE_OPEN, 0);
	assert_status(fs_set_reparse(weak, nfs_point, 16), STATUS_ACCESS_DENIED);
	done(weak);
	memcpy(header, nfs_point, 8);
	assert_status(fs_delete_reparse(h, header, 8), STATUS_IO_REPARSE_DATA_INVALID);
	header[4] = 0;
	assert_status(fs_delete_reparse(h, header, 7), STATUS_IO_REPARSE_DATA_INVALID);
	assert_status(fs_delete_reparse(h, header, 8), STATUS_SUCCESS);
	memset(header, 0, 4);
	assert_status(fs_delete_reparse(h, header, 8), STATUS_IO_REPARSE_TAG_INVALID);
	done(h);
}

static bool
rot13(struct fake *f, struct fs_req *req, struct fs_rsp *rsp)
{
	(void)f;
	if (req->kind != FS_KIND_DEVICE_CONTROL)
		return false;
	struct fs_buf in = req->device_control.buffer;
	for (int i = 0; i < in.size; i++)
		rsp->buffer[i] = (uint8_t)('A' + (req->buffer[in.offset + i] - 'A' + 13) % 26);
	rsp->data.buffer = (struct fs_buf){0, in.size};
	rsp->size += in.size;
	return true;
}

static void
test_device_control(void **state)
{
	struct fake *f = *state;
	struct fs_handle *h = opened(f, "\\f");
	uint32_t code = (0x8000u + 'M') << 16 | 'R' << 2, size;
	uint8_t out[26];

	f->hook = rot13;
	assert_status(fs_device_control(h, code, "ABC", 3, out, sizeof(out), &size),
		      STATUS_SUCCESS);
	assert_int_equal(size, 3);
	assert_memory_equal(out, "NOP", 3);
	assert_status(fs_device_control(h, code, "ABC", 3, out, 2, &size),
		      STATUS_INTERNAL_ERROR);
	assert_status(fs_device_control(h, code, out, 4097, out, 0, &size),
		      STATUS_INVALID_BUFFER_SIZE);
	assert_status(fs_device_control(h, code | 1, "A", 1, out, 1, &size),
		      STATUS_INVALID_DEVICE_REQUEST);
	assert_status(fs_device_control(h, 0x900a4, "A", 1, out, 1, &size),
		      STATUS_INVALID_DEVICE_REQUEST);
	done(h);
}

static void
test_optional_kinds_are_refused(void **state)
{
	struct fake *f = *state;
	struct fs_handle *h = opened(f, "\\f");
	struct fs_file_info info;
	struct fs_range range;
	uint64_t copied;
	unsigned n;
	int fd;

	assert_status(fs_allocate(h, FS_ALLOCATE_RESERVE, 0, 1, &info),
		      STATUS_INVALID_DEVICE_REQUEST);
	assert_status(fs_query_ranges(h, 0, 1, &range, 1, &n), STATUS_INVALID_DEVICE_REQUEST);
	assert_status(fs_copy_range(h, 0, h, 0, 1, &copied), STATUS_INVALID_DEVICE_REQUEST);
	assert_status(fs_backing(h, FS_BACKING_READ, &fd), STATUS_INVALID_DEVICE_REQUEST);
	done(h);
}

static bool
optional(struct fake *f, struct fs_req *req, struct fs_rsp *rsp)
{
	const struct fs_range *answer = f->hook_data;
	struct fs_file_info info = {.file_size = 12};

	switch (req->kind) {
	case FS_KIND_ALLOCATE:
		rsp->file.info = info;
		return true;
	case FS_KIND_QUERY_RANGES:
		memcpy((void *)(uintptr_t)req->query_ranges.address, answer, 2 * sizeof(*answer));
		rsp->information = 2 * sizeof(*answer);
		return true;
	case FS_KIND_COPY_RANGE:
		rsp->information = (uint32_t)req->copy_range.length;
		return true;
	case FS_KIND_BACKING:
		rsp->backing.fd = answer ? 3 : -1;
		return true;
	default:
		return false;
	}
}

static void
test_optional_kinds(void **state)
{
	static struct fs_range good[] = {{0, 4}, {8, 4}}, backwards[] = {{8, 4}, {0, 4}},
			       outside[] = {{0, 4}, {100, 4}}, wraps[] = {{0, 4}, {8, UINT64_MAX}};
	struct fs_volume_params params = fake_params(0);
	struct fs_range ranges[4];
	struct fs_file_info info;
	uint64_t copied;
	unsigned n;
	int fd;

	(void)state;
	params.optional_kinds = 0x1e; /* ranges, allocate, copy, backing */
	struct fake *f = fake_create(&params);
	fake_add(f, "\\f", 0);
	struct fs_handle *h = opened(f, "\\f");
	f->hook = optional;
	f->hook_data = good;
	assert_status(fs_allocate(h, FS_ALLOCATE_RESERVE, 0, 12, &info), STATUS_SUCCESS);
	assert_int_equal(info.file_size, 12);
	assert_status(fs_allocate(h, FS_ALLOCATE_RESERVE, 0, 0, &info),
		      STATUS_INVALID_PARAMETER);
	assert_status(fs_allocate(h, FS_ALLOCATE_PUNCH, UINT64_MAX, 2, &info),
		      STATUS_INVALID_PARAMETER);
	assert_status(fs_query_ranges(h, 0, 12, ranges, 4, &n), STATUS_SUCCESS);
	assert_int_equal(n, 2);
	assert_status(fs_copy_range(h, 0, h, 0, UINT64_MAX, &copied), STATUS_SUCCESS);
	assert_int_equal(copied, 1 << 30);
	assert_status(fs_backing(h, FS_BACKING_READ, &fd), STATUS_SUCCESS);
	f->hook_data = backwards;
	assert_status(fs_query_ranges(h, 0, 12, ranges, 4, &n), STATUS_INTERNAL_ERROR);
	f->hook_data = outside;
	assert_status(fs_query_ranges(h, 0, 12, ranges, 4, &n), STATUS_INTERNAL_ERROR);
	f->hook_data = wraps;
	assert_status(fs_query_ranges(h, 0, 12, ranges, 4, &n), STATUS_INTERNAL_ERROR);
	f->hook_data = NULL;
	assert_status(fs_backing(h, FS_BACKING_READ, &fd), STATUS_INVALID_DEVICE_REQUEST);
	f->hook = NULL;
	done(h);
	fake_destroy(f);
}

/* ------------------------------------------------------------------ answers that lie */

enum lie { PENDING, WRONG_KIND, WRONG_HINT, TOO_SHORT, TOO_LONG, MORE_DONE, BUFFER_OUTSIDE,
	   GARBAGE_BUFFER, BAD_INFORMATION };

static bool
tell(struct fake *f, struct fs_req *req, struct fs_rsp *rsp)
{
	enum lie how = *(enum lie *)f->hook_data;

	if (req->kind == FS_KIND_CREATE && how == BAD_INFORMATION) {
		struct fake_file *file = fake_find(f, "\\f");

		file->refs++;
		rsp->create.ctx.user_context = (uintptr_t)file;
		rsp->information = 77;
		return true;
	}
	if (req->kind == FS_KIND_CREATE || req->kind == FS_KIND_CLEANUP ||
	    req->kind == FS_KIND_CLOSE)
		return false;
	switch (how) {
	case PENDING:
		rsp->status = STATUS_PENDING;
		break;
	case WRONG_KIND:
		rsp->kind++;
		break;
	case WRONG_HINT:
		rsp->hint++;
		break;
	case TOO_SHORT:
		rsp->size = FS_RSP_HEADER_SIZE - 1;
		break;
	case TOO_LONG:
		rsp->size = UINT16_MAX;
		break;
	case MORE_DONE:
		rsp->information = UINT32_MAX;
		break;
	case BUFFER_OUTSIDE:
		rsp->data.buffer = (struct fs_buf){.offset = 8, .size = 0xfff0};
		break;
	default:
		memset(rsp->buffer, 0x5a, 64);
		rsp->data.buffer = (struct fs_buf){.size = 64};
		rsp->size += 64;
	}
	return true;
}

static void
test_lies(void **state)
{
	struct fake *f = *state;
	struct fs_handle *h = opened(f, "\\f"), *evil;
	struct fs_file_info info;
	enum lie how;
	uint8_t buffer[64];
	uint32_t n;
	void *data;

	f->hook = tell;
	f->hook_data = &how;
	for (how = PENDING; how <= TOO_LONG; how++) {
		assert_status(fs_query_info(h, &info), STATUS_INTERNAL_ERROR);
		assert_status(fs_query_security(h, &data, &n), STATUS_INTERNAL_ERROR);
	}
	how = MORE_DONE;
	assert_status(fs_read(h, buffer, 0, 64, &n), STATUS_INTERNAL_ERROR);
	assert_status(fs_write(h, buffer, 0, 64, false, &n, &info), STATUS_INTERNAL_ERROR);
	for (how = BUFFER_OUTSIDE; how <= GARBAGE_BUFFER; how++) {
		assert_status(fs_query_security(h, &data, &n), STATUS_INVALID_SECURITY_DESCR);
		assert_status(fs_query_ea(h, &data, &n), STATUS_EA_LIST_INCONSISTENT);
		assert_status(fs_get_reparse(h, buffer, 64, &n), STATUS_IO_REPARSE_DATA_INVALID);
	}
	how = BUFFER_OUTSIDE;
	assert_status(fs_query_streams(h, &data, &n), STATUS_INTERNAL_ERROR);
	how = GARBAGE_BUFFER;
	assert_status(fs_query_streams(h, &data, &n), STATUS_SUCCESS);
	assert_int_equal(n, 0);
	how = BAD_INFORMATION;
	assert_status(fake_open(f, "\\f", ALL, SHARE_ALL, FILE_OPEN, 0, &evil),
		      STATUS_INTERNAL_ERROR);
	f->hook = NULL;
	done(h);
}

static bool
odd_status(struct fake *f, struct fs_req *req, struct fs_rsp *rsp)
{
	if (req->kind != FS_KIND_QUERY_INFO)
		return false;
	rsp->status = *(NTSTATUS *)f->hook_data;
	return true;
}

/* Doors translate; the engine passes what it does not know. */
static void
test_unknown_statuses_pass(void **state)
{
	static NTSTATUS odd[] = {(NTSTATUS)0xe0000012, (NTSTATUS)0x80001234,
				 (NTSTATUS)0xffffffff};
	struct fake *f = *state;
	struct fs_handle *h = opened(f, "\\f");
	struct fs_file_info info;

	f->hook = odd_status;
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		f->hook_data = &odd[i];
		assert_status(fs_query_info(h, &info), odd[i]);
	}
	done(h);
}

int
main(void)
{
#define ROW(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
#define CACHED(t) cmocka_unit_test_setup_teardown(t, setup_cached, teardown)
	static const struct CMUnitTest tests[] = {
		ROW(test_read_write),
		ROW(test_flush),
		ROW(test_basic_rules),
		CACHED(test_info_cache),
		CACHED(test_volume_cache),
		ROW(test_security),
		CACHED(test_security_cache),
		ROW(test_stream_uses_main),
		ROW(test_stream_creates_main),
		CACHED(test_stream_list_cache),
		ROW(test_ea),
		CACHED(test_ea),
		cmocka_unit_test(test_ea_needs_flag),
		ROW(test_reparse),
		ROW(test_device_control),
		ROW(test_optional_kinds_are_refused),
		cmocka_unit_test(test_optional_kinds),
		ROW(test_lies),
		ROW(test_unknown_statuses_pass),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
