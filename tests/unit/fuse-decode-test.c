/*
 * The request decoder and the mount option words, without a kernel. What breaks here: bounds of
 * names, data and extensions, and zero extension of shorter structures.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include "fuse/decode.h"
#include "fuse/mount_priv.h"

static _Alignas(8) unsigned char message[512];
static struct fusek_decode_scratch scratch;
static struct fusek_req req;

/* Header, then body; returns the message's size. */
static size_t
build(uint32_t opcode, const void *body, size_t size)
{
	struct fuse_in_header h = {
		.len = (uint32_t)(sizeof(h) + size), .opcode = opcode, .unique = 7, .nodeid = 9};

	memset(message, 0xee, sizeof(message));
	memcpy(message, &h, sizeof(h));
	memcpy(message + sizeof(h), body, size);
	return sizeof(h) + size;
}

static void
names_must_end_inside_the_message(void **state)
{
	size_t n = build(FUSE_LOOKUP, "abc", 4);

	assert_int_equal(fusek_decode(message, n, &scratch, &req), 0);
	assert_string_equal(req.name, "abc");
	assert_int_equal(req.nodeid, 9);
	n = build(FUSE_LOOKUP, "abc", 3);
	assert_int_equal(fusek_decode(message, n, &scratch, &req), -EPROTO);
	n = build(FUSE_LOOKUP, "", 0);
	assert_int_equal(fusek_decode(message, n, &scratch, &req), -EPROTO);
	n = build(FUSE_SYMLINK, "one\0two", 8);
	assert_int_equal(fusek_decode(message, n, &scratch, &req), 0);
	assert_string_equal(req.name2, "two");
	n = build(FUSE_SYMLINK, "one", 4);
	assert_int_equal(fusek_decode(message, n, &scratch, &req), -EPROTO);
}

static void
lengths_must_agree(void **state)
{
	struct fuse_getattr_in in = {.fh = 3};
	size_t n = build(FUSE_GETATTR, &in, sizeof(in));

	assert_int_equal(fusek_decode(message, n, &scratch, &req), 0);
	assert_int_equal(((const struct fuse_getattr_in *)req.arg)->fh, 3);
	assert_int_equal(fusek_decode(message, n - 1, &scratch, &req), -EPROTO);
	assert_int_equal(fusek_decode(message, n + 1, &scratch, &req), -EPROTO);
	assert_int_equal(fusek_decode(message, 39, &scratch, &req), -EPROTO);
	n = build(FUSE_GETATTR, &in, sizeof(in) - 1);
	assert_int_equal(fusek_decode(message, n, &scratch, &req), -EPROTO);
}

static void
unknown_opcodes_are_refused(void **state)
{
	const uint32_t unknown[] = {0, 7, 19, FUSE_OPCODE_LIMIT, CUSE_INIT, UINT32_MAX};

	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
		size_t n = build(unknown[i], "", 0);
		assert_int_equal(fusek_decode(message, n, &scratch, &req), -EPROTO);
		assert_int_equal(req.unique, 7); /* so that it can be answered */
		assert_string_equal(fusek_opcode_name(unknown[i]), "?");
	}
}

static void
written_data_must_be_there(void **state)
{
	struct {
		struct fuse_write_in in;
		char data[8];
	} w = {{.size = 8}, "1234567"};
	size_t n = build(FUSE_WRITE, &w, sizeof(w));

	assert_int_equal(fusek_decode(message, n, &scratch, &req), 0);
	assert_int_equal(req.data_size, 8);
	assert_string_equal(req.data, "1234567");
	w.in.size = 9;
	n = build(FUSE_WRITE, &w, sizeof(w));
	assert_int_equal(fusek_decode(message, n, &scratch, &req), -EPROTO);
	w.in.size = 3;
	n = build(FUSE_WRITE, &w, sizeof(w));
	assert_int_equal(fusek_decode(message, n, &scratch, &req), 0);
	assert_int_equal(req.data_size, 3);
}

static void
forget_counts_are_bounded_by_the_message(void **state)
{
	struct {
		struct fuse_batch_forget_in in;
		struct fuse_forget_one one[2];
	} f = {{.count = 2}, {{1, 2}, {3, 4}}};
	size_t n = build(FUSE_BATCH_FORGET, &f, sizeof(f));

	assert_int_equal(fusek_decode(message, n, &scratch, &req), 0);
	assert_int_equal(req.data_size, sizeof(f.one));
	f.in.count = 3;
	n = build(FUSE_BATCH_FORGET, &f, sizeof(f));
	assert_int_equal(fusek_decode(message, n, &scratch, &req), -EPROTO);
	f.in.count = UINT32_MAX;
	n = build(FUSE_BATCH_FORGET, &f, sizeof(f));
	assert_int_equal(fusek_decode(message, n, &scratch, &req), -EPROTO);
}

static void
short_structures_are_extended_with_zeros(void **state)
{
	const struct fusek_layout old = {.setxattr_ext = false};
	struct fuse_init_in init = {.major = 7, .minor = 31, .flags = 5};
	const uint32_t in[] = {3, 1};
	char body[32];

	memcpy(body, in, 8);
	memcpy(body + 8, "user.x\0val", 10);
	size_t n = build(FUSE_SETXATTR, body, 18);
	assert_int_equal(fusek_decode_message(&old, message, n, &scratch, &req), 0);
	assert_string_equal(req.name, "user.x");
	assert_int_equal(req.data_size, 3);
	assert_int_equal(req.arg_size, sizeof(struct fuse_setxattr_in));
	assert_int_equal(((const struct fuse_setxattr_in *)req.arg)->setxattr_flags, 0);

	n = build(FUSE_INIT, &init, FUSE_COMPAT_INIT_IN_SIZE);
	assert_int_equal(fusek_decode(message, n, &scratch, &req), 0);
	assert_int_equal(((const struct fuse_init_in *)req.arg)->flags2, 0);
	assert_int_equal(((const struct fuse_init_in *)req.arg)->flags, 5);
}

static void
the_group_is_found_among_the_extensions(void **state)
{
	/* A security context of 16 bytes first, then the groups; not aligned. */
	_Alignas(8) char bytes[1 + 40] = {0};
	char *area = bytes + 1;
	const struct fuse_ext_header other = {16, 1}, header = {24, FUSE_EXT_GROUPS};
	const uint32_t groups[] = {1, 4242};
	uint32_t gid = 0;

	req = (struct fusek_req){.ext = area, .ext_size = 40};
	memcpy(area, &other, sizeof(other));
	memcpy(area + 16, &header, sizeof(header));
	memcpy(area + 24, groups, sizeof(groups));
	assert_true(fusek_req_group(&req, &gid));
	assert_int_equal(gid, 4242);
	req.ext_size = 32; /* the last one ends outside */
	assert_false(fusek_req_group(&req, &gid));
	req.ext_size = 40;
	memset(area, 0, sizeof(other)); /* a size of 0 would never end */
	assert_false(fusek_req_group(&req, &gid));
	req = (struct fusek_req){0};
	assert_false(fusek_req_group(&req, &gid));
}

static void
extensions_are_split_off_the_end(void **state)
{
	struct fuse_mkdir_in in = {.mode = 0755};
	char body[8 + 8 + 16] = {0};
	struct fuse_in_header *h = (void *)message;

	memcpy(body, &in, sizeof(in));
	memcpy(body + 8, "dirname", 8);
	size_t n = build(FUSE_MKDIR, body, sizeof(body));
	h->total_extlen = 2;
	assert_int_equal(fusek_decode(message, n, &scratch, &req), 0);
	assert_string_equal(req.name, "dirname");
	assert_int_equal(req.ext_size, 16);
	assert_ptr_equal(req.ext, message + n - 16);
	h->total_extlen = 4; /* would swallow the name and more */
	assert_int_equal(fusek_decode(message, n, &scratch, &req), -EPROTO);
}

static void
ring_entries_decode_alike(void **state)
{
	const struct fusek_layout layout = {.setxattr_ext = true, .extensions = true};
	struct fuse_in_header h = {.opcode = FUSE_RENAME2, .unique = 11, .nodeid = 1};
	char op_in[FUSE_URING_OP_IN_OUT_SZ] = {0};
	struct fuse_rename2_in in = {.newdir = 5, .flags = 1};

	memcpy(op_in, &in, sizeof(in));
	assert_int_equal(fusek_decode_ring(&layout, &h, op_in, "a\0b", 4, &scratch, &req), 0);
	assert_string_equal(req.name, "a");
	assert_string_equal(req.name2, "b");
	assert_int_equal(((const struct fuse_rename2_in *)req.arg)->newdir, 5);
	assert_int_equal(fusek_decode_ring(&layout, &h, op_in, "a\0b", 3, &scratch, &req), -EPROTO);
	h.opcode = 4711;
	assert_int_equal(fusek_decode_ring(&layout, &h, op_in, "", 0, &scratch, &req), -EPROTO);
}

static void
mount_options_are_understood(void **state)
{
	const char *const words[] = {"ro",
				     "allow_other",
				     "noexec",
				     "max_read=65536",
				     "fsname=a,b",
				     "subtype=memfs",
				     "x-systemd.automount",
				     "_netdev",
				     "comment=x"};
	struct fusek_mount_options o = {0};
	struct fusek_mount_error error;
	char text[256];

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		assert_int_equal(fusek_mount_option_parse(&o, words[i], &error), 1);
	assert_true(o.read_only && o.allow_other && o.exec_off);
	assert_int_equal(o.max_read, 65536);
	assert_true(fusek_mount_options_format(&o, text, sizeof(text)));
	assert_string_equal(text,
			    "fsname=a\\,b,subtype=memfs,ro,allow_other,noexec,max_read=65536");
	assert_false(fusek_mount_options_format(&o, text, 20));
	assert_int_equal(fusek_mount_option_parse(&o, "rw", &error), 1);
	assert_false(o.read_only);
}

static void
bad_mount_options_are_explained(void **state)
{
	const char *const bad[] = {"max_read=", "max_read=12", "max_read=x", "max_read=-1",
				   "max_read=99999999999", "fsname=", "subtype="};
	struct fusek_mount_options o = {0};
	struct fusek_mount_error error;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		error.text[0] = 0;
		assert_int_equal(fusek_mount_option_parse(&o, bad[i], &error), -EINVAL);
		assert_int_equal(error.err, EINVAL);
		assert_true(strlen(error.text) > 10);
	}
	assert_int_equal(fusek_mount_option_parse(&o, "memfs_size=3", &error), 0);
	assert_int_equal(fusek_mount_option_parse(&o, "", &error), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_must_end_inside_the_message),
		cmocka_unit_test(lengths_must_agree),
		cmocka_unit_test(unknown_opcodes_are_refused),
		cmocka_unit_test(written_data_must_be_there),
		cmocka_unit_test(forget_counts_are_bounded_by_the_message),
		cmocka_unit_test(short_structures_are_extended_with_zeros),
		cmocka_unit_test(the_group_is_found_among_the_extensions),
		cmocka_unit_test(extensions_are_split_off_the_end),
		cmocka_unit_test(ring_entries_decode_alike),
		cmocka_unit_test(mount_options_are_understood),
		cmocka_unit_test(bad_mount_options_are_explained),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
