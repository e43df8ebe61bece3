/*
 * If this fails, data that goes through fuse_buf_copy arrives changed, at the wrong place or only
 * in part.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "api/fuse/layout.h"

const struct fapi_library fapi_library = { "libfuse3.so.4", { 3, 18, 0, 0 }, false };

#define PIECES 3

/* Room for a vector of PIECES pieces of any layout. */
union vec {
	struct fuse_bufvec v;
	char room[sizeof(struct fuse_bufvec) + PIECES * sizeof(struct fuse_buf)];
};

static const struct fapi_layout *
old(void)
{
	struct libfuse_version v = { 3, 14, 0, 0 };

	return fapi_layout_of_version(&v);
}

static void
vec_init(union vec *vec, const struct fapi_layout *layout, size_t n, const size_t *sizes,
	 char *mem)
{
	memset(vec, 0, sizeof(*vec));
	vec->v.count = n;
	for (size_t i = 0; i < n; i++) {
		struct fuse_buf *buf = fapi_bufvec_at(layout, &vec->v, i);

		buf->size = sizes[i];
		buf->mem = mem;
		if (mem)
			mem += sizes[i];
	}
}

static void
test_size(void **state)
{
	static const size_t sizes[] = { 5, 0, 7 }, huge[] = { SIZE_MAX, 2, 1 };
	union vec a;

	(void)state;
	vec_init(&a, old(), PIECES, sizes, NULL);
	assert_int_equal(fapi_bufvec_size(old(), &a.v), 12);
	vec_init(&a, fapi_layout_newest(), PIECES, huge, NULL);
	assert_int_equal(fuse_buf_size(&a.v), SIZE_MAX);
}

/* Pieces that do not match, and two layouts. */
static void
test_memory(void **state)
{
	static const size_t from_sizes[] = { 3, 6, 3 }, to_sizes[] = { 5, 2, 4 };
	char from[] = "abcdefghijkl", to[13] = "............";
	union vec a, b;

	(void)state;
	vec_init(&a, old(), PIECES, from_sizes, from);
	vec_init(&b, fapi_layout_newest(), PIECES, to_sizes, to);
	assert_int_equal(fapi_bufvec_copy(fapi_layout_newest(), &b.v, old(), &a.v, 0), 11);
	assert_string_equal(to, "abcdefghijk.");
	/* where the source stands, so that a second copy continues */
	assert_int_equal(a.v.idx, 2);
	assert_int_equal(a.v.off, 2);
	assert_int_equal(b.v.idx, 3);
	assert_int_equal(fapi_bufvec_copy(fapi_layout_newest(), &b.v, old(), &a.v, 0), 0);
}

static int
memory_file(const char *content)
{
	int fd = memfd_create("fuse-buf", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), strlen(content));
	return fd;
}

static void
test_descriptor_to_memory(void **state)
{
	char to[8] = { 0 };
	int fd = memory_file("0123456789");
	struct fuse_bufvec src = FUSE_BUFVEC_INIT(6), dst = FUSE_BUFVEC_INIT(7);

	(void)state;
	src.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
	src.buf[0].fd = fd;
	src.buf[0].pos = 2;
	dst.buf[0].mem = to;
	assert_int_equal(fuse_buf_copy(&dst, &src, 0), 6);
	assert_string_equal(to, "234567");
	/* a short read ends the copy, without RETRY too */
	src = (struct fuse_bufvec)FUSE_BUFVEC_INIT(6);
	src.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK | FUSE_BUF_FD_RETRY;
	src.buf[0].fd = fd;
	src.buf[0].pos = 8;
	dst = (struct fuse_bufvec)FUSE_BUFVEC_INIT(7);
	dst.buf[0].mem = to;
	assert_int_equal(fuse_buf_copy(&dst, &src, 0), 2);
	close(fd);
}

static void
descriptor_to_descriptor(enum fuse_buf_copy_flags flags, bool by_pipe)
{
	char got[16] = { 0 };
	int from = memory_file("0123456789"), to = memory_file(""), ends[2];
	struct fuse_bufvec src = FUSE_BUFVEC_INIT(10), dst = FUSE_BUFVEC_INIT(10);

	assert_int_equal(pipe(ends), 0);
	src.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK | FUSE_BUF_FD_RETRY;
	src.buf[0].fd = from;
	dst.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_RETRY;
	dst.buf[0].fd = by_pipe ? ends[1] : to;
	assert_int_equal(fuse_buf_copy(&dst, &src, flags), 10);
	if (by_pipe)
		assert_int_equal(read(ends[0], got, sizeof(got)), 10);
	else
		assert_int_equal(pread(to, got, sizeof(got), 0), 10);
	assert_string_equal(got, "0123456789");
	close(from);
	close(to);
	close(ends[0]);
	close(ends[1]);
}

static void
test_descriptors(void **state)
{
	(void)state;
	descriptor_to_descriptor(FUSE_BUF_NO_SPLICE, false);
	descriptor_to_descriptor(0, false); /* neither is a pipe: falls back */
	descriptor_to_descriptor(0, true);
	descriptor_to_descriptor(FUSE_BUF_FORCE_SPLICE | FUSE_BUF_SPLICE_MOVE, true);
}

static void
test_errors(void **state)
{
	char mem[4];
	int fd = memory_file("abc"), other = memory_file("");
	struct fuse_bufvec src = FUSE_BUFVEC_INIT(4), dst = FUSE_BUFVEC_INIT(4);

	(void)state;
	src.buf[0].flags = FUSE_BUF_IS_FD;
	dst.buf[0].mem = mem;
	assert_int_equal(fuse_buf_copy(&dst, &src, 0), -EBADF);
	src.buf[0].fd = fd;
	dst.buf[0].flags = FUSE_BUF_IS_FD;
	dst.buf[0].fd = other;
	assert_int_equal(fuse_buf_copy(&dst, &src, FUSE_BUF_FORCE_SPLICE), -EINVAL);
	close(fd);
	close(other);
}

static void
test_convert(void **state)
{
	static const size_t sizes[] = { 1, 2, 3 };
	char mem[6];
	union vec a;
	struct fuse_bufvec *b;

	(void)state;
	vec_init(&a, old(), PIECES, sizes, mem);
	a.v.idx = 1;
	a.v.off = 1;
	b = fapi_bufvec_convert(fapi_layout_newest(), old(), &a.v);
	assert_non_null(b);
	assert_int_equal(b->idx, 1);
	assert_int_equal(b->off, 1);
	for (size_t i = 0; i < PIECES; i++) {
		assert_int_equal(b->buf[i].size, sizes[i]);
		assert_int_equal(b->buf[i].mem_size, 0);
	}
	assert_ptr_equal(b->buf[2].mem, mem + 3);
	free(b);
	a.v.count = SIZE_MAX / 8;
	assert_null(fapi_bufvec_convert(fapi_layout_newest(), old(), &a.v));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_size),        cmocka_unit_test(test_memory),
		cmocka_unit_test(test_descriptors), cmocka_unit_test(test_descriptor_to_memory),
		cmocka_unit_test(test_errors),      cmocka_unit_test(test_convert),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
