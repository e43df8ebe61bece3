/* Breaks when a host sees another disk than there is: identity, limits, provisioning, capacity; or
 * when a reply is not cut at its ALLOCATION LENGTH. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include "scsi-util.h"

static const char serial[] = "12345678-9abc-def0-0102-030405060708";

static void
open_with(struct scsi_fake *f, void (*change)(struct scsi_fake *f))
{
	scsi_fake_init(f);
	if (change)
		change(f);
	scsi_fake_open(f);
	scsi_fake_clear_attentions(f);
}

static struct scsi_fake_reply
page(struct scsi_fake *f, uint8_t code)
{
	return RUN(f, 0, 0x12, 1, code, 0x10, 0, 0);
}

static void
test_standard(void **state)
{
	uint8_t want[96] = {0, 0, 5, 2, 91, 0x18, 0, 2, 'F', 'A', 'K', 'E', ' ', ' ', ' ', ' ',
			    'M', 'e', 'm', 'o', 'r', 'y', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ',
			    ' ', ' ', '1', '.', '0', ' '};
	const uint8_t cdb[] = {0x12, 0, 0, 0, 0, 0};
	struct scsi_fake f;

	(void)state;
	put_be16(want + 58, 0x00a0);
	put_be16(want + 60, 0x0960);
	put_be16(want + 62, 0x0460);
	put_be16(want + 64, 0x04c0);
	open_with(&f, NULL);
	check_truncation(&f, cdb, sizeof(cdb), 3, 2, want, sizeof(want));
	scsi_fake_close(&f);
}

static void
make_removable(struct scsi_fake *f)
{
	f->params.removable = true;
	f->params.eject_disabled = true;
	memcpy(f->params.vendor, "ABCDEFGH", 9);
	memcpy(f->params.product, "0123456789abcdef", 17);
	memcpy(f->params.revision, "WXYZ", 5);
}

static void
test_standard_removable_two_ports(void **state)
{
	struct scsi_fake_reply r;
	struct scsi_fake f;

	(void)state;
	open_with(&f, make_removable);
	assert_int_equal(scsi_target_add_port(f.target, 2, "iqn.fake:target,t,0x0002"), 0);
	r = RUN(&f, 0, 0x12, 0, 0, 0, 255, 0);
	assert_good(r);
	assert_int_equal(r.in[1], 0x80);
	assert_int_equal(r.in[6], 0x10);
	assert_memory_equal(r.in + 8, "ABCDEFGH0123456789abcdefWXYZ", 28);
	scsi_target_remove_port(f.target, 2);
	scsi_fake_close(&f);
}

static void
test_errors(void **state)
{
	struct scsi_fake f;

	(void)state;
	open_with(&f, NULL);
	assert_bad_cdb(RUN(&f, 0, 0x12, 0, 0x80, 0, 96, 0), 2, 8);
	assert_bad_cdb(RUN(&f, 0, 0x12, 2, 0, 0, 96, 0), 1, 1); /* CMDDT is obsolete */
	for (unsigned code = 0; code < 256; code++) {
		struct scsi_fake_reply r = page(&f, (uint8_t)code);

		if (memchr("\x00\x80\x83\x86\x8f\xb0\xb1\xb2", (int)code, 8))
			assert_good(r);
		else
			assert_bad_cdb(r, 2, 8);
	}
	scsi_fake_close(&f);
}

static void
test_missing_lun(void **state)
{
	const uint8_t standard[] = {0x12, 0, 0, 0, 96, 0}, list[] = {0x12, 1, 0, 0, 96, 0},
		      other[] = {0x12, 1, 0x80, 0, 96, 0};
	const uint8_t want_list[] = {0x7f, 0, 0, 1, 0};
	struct scsi_fake_reply r;
	struct scsi_fake f;

	(void)state;
	open_with(&f, NULL);
	r = scsi_fake_run_at(f.nexuses[0], scsi_lun_encode(7), standard, 6, NULL, 0, NULL, 0);
	assert_good(r);
	assert_int_equal(r.n_in, 96);
	assert_int_equal(r.in[0], 0x7f);
	r = scsi_fake_run_at(f.nexuses[0], scsi_lun_encode(7), list, 6, NULL, 0, NULL, 0);
	assert_good(r);
	assert_int_equal(r.n_in, sizeof(want_list));
	assert_memory_equal(r.in, want_list, sizeof(want_list));
	r = scsi_fake_run_at(f.nexuses[0], scsi_lun_encode(7), other, 6, NULL, 0, NULL, 0);
	assert_bad_cdb(r, 2, 8);
	scsi_fake_close(&f);
}

static void
test_list_and_serial(void **state)
{
	const uint8_t want[] = {0, 0, 0, 8, 0x00, 0x80, 0x83, 0x86, 0x8f, 0xb0, 0xb1, 0xb2};
	struct scsi_fake_reply r;
	struct scsi_fake f;

	(void)state;
	open_with(&f, NULL);
	r = page(&f, 0);
	assert_int_equal(r.n_in, sizeof(want));
	assert_memory_equal(r.in, want, sizeof(want));
	r = page(&f, 0x80);
	assert_int_equal(r.n_in, 40);
	assert_memory_equal(r.in, "\0\x80\0\x24", 4);
	assert_memory_equal(r.in + 4, serial, 36);
	scsi_fake_close(&f);
}

/* Checks one designator's header and returns the next. */
static const uint8_t *
designator(const uint8_t *d, uint8_t code, uint8_t type, uint8_t n, const void *bytes,
	   size_t n_bytes)
{
	assert_int_equal(d[0], code);
	assert_int_equal(d[1], type);
	assert_int_equal(d[2], 0);
	assert_int_equal(d[3], n);
	assert_memory_equal(d + 4, bytes, n_bytes);
	for (size_t i = n_bytes; i < n; i++)
		assert_int_equal(d[4 + i], 0);
	return d + 4 + n;
}

static void
check_identification(struct scsi_fake *f, const char *t10, char flag)
{
	uint8_t pid[8] = {'P', 'I', 'D', (uint8_t)flag}, uuid[18] = {0x10};
	static const char name[] = "iqn.fake:target,t,0x0001", target[] = "iqn.fake:target";
	/* 1234.. ^ 0102.., its top 4 bits folded in, 3h in their place */
	uint64_t naa = 0x123456789abcdef0ull ^ 0x0102030405060708ull;
	uint8_t naa_bytes[8];
	struct scsi_fake_reply r = page(f, 0x83);
	const uint8_t *d = r.in + 4;

	put_be32(pid + 4, (uint32_t)getpid());
	memcpy(uuid + 2, f->params.guid, 16);
	naa ^= naa >> 60;
	put_be64(naa_bytes, (naa & 0x0fffffffffffffffull) | 0x3000000000000000ull);
	assert_good(r);
	assert_int_equal(get_be16(r.in + 2) + 4u, r.n_in);
	d = designator(d, 0x02, 0x01, 64, t10, 64);
	d = designator(d, 0x01, 0x00, 8, pid, 8);
	d = designator(d, 0x01, 0x03, 8, naa_bytes, 8);
	d = designator(d, 0x01, 0x0a, 18, uuid, 18);
	d = designator(d, 0x51, 0x94, 4, "\0\0\0\1", 4);
	d = designator(d, 0x51, 0x95, 4, "\0\0\0\1", 4);
	d = designator(d, 0x53, 0x98, 28, name, sizeof(name));
	d = designator(d, 0x53, 0xa8, 16, target, sizeof(target));
	assert_ptr_equal(d, r.in + r.n_in);
}

static void
test_identification(void **state)
{
	struct scsi_fake f;

	(void)state;
	open_with(&f, NULL);
	check_identification(
		&f, "FAKE    Memory          1.0 12345678-9abc-def0-0102-030405060708", ' ');
	scsi_fake_close(&f);
	open_with(&f, make_removable);
	check_identification(
		&f, "ABCDEFGH0123456789abcdefWXYZ12345678-9abc-def0-0102-030405060708", 'X');
	scsi_fake_close(&f);
}

static void
be_plain(struct scsi_fake *f)
{
	f->params.unmap_supported = f->params.unmap_zeroes = false;
	f->params.cache_supported = false;
	f->params.rotation = 7200;
	f->params.physical_exponent = 3;
}

static void
test_limits(void **state)
{
	uint8_t want[64] = {0, 0xb0, 0, 60, SCSI_WRITE_SAME_NON_ZERO, SCSI_COMPARE_AND_WRITE_MAX};
	struct scsi_fake_reply r;
	struct scsi_fake f;

	(void)state;
	open_with(&f, NULL);
	put_be16(want + 6, 1);
	put_be32(want + 8, SCSI_TRANSFER_MAX / 512);
	put_be32(want + 12, 65536 / 512);
	put_be32(want + 20, SCSI_UNMAP_BLOCKS_MAX);
	put_be32(want + 24, SCSI_UNMAP_DESCRIPTORS_MAX);
	put_be32(want + 28, 1);
	put_be32(want + 32, 0x80000000u);
	put_be64(want + 36, SCSI_WRITE_SAME_MAX);
	put_be32(want + 44, scsi_atomic_max_blocks(scsi_unit_lu(f.unit)));
	r = page(&f, 0xb0);
	assert_int_equal(r.n_in, 64);
	assert_memory_equal(r.in, want, 64);
	scsi_fake_close(&f);
	open_with(&f, be_plain);
	put_be16(want + 6, 8);
	memset(want + 20, 0, 16);
	put_be32(want + 44, scsi_atomic_max_blocks(scsi_unit_lu(f.unit)));
	assert_memory_equal(page(&f, 0xb0).in, want, 64);
	scsi_fake_close(&f);
}

static void
no_zeroes(struct scsi_fake *f)
{
	f->params.unmap_zeroes = false;
}

static void
check_provisioning(void (*change)(struct scsi_fake *f), uint8_t bits, uint8_t type)
{
	const uint8_t want[8] = {0, 0xb2, 0, 4, 0, bits, type, 0};
	struct scsi_fake_reply r;
	struct scsi_fake f;

	open_with(&f, change);
	r = page(&f, 0xb2);
	assert_int_equal(r.n_in, 8);
	assert_memory_equal(r.in, want, 8);
	scsi_fake_close(&f);
}

static void
test_provisioning(void **state)
{
	(void)state;
	check_provisioning(NULL, 0xe4, 2);
	check_provisioning(no_zeroes, 0xe0, 2);
	check_provisioning(be_plain, 0, 0);
}

static void
test_extended_and_characteristics(void **state)
{
	uint8_t extended[64] = {0, 0x86, 0, 60, 0, 0x07, 0x01, 0x01};
	uint8_t disk[64] = {0, 0xb1, 0, 60, 0, 1, 0, 0x40};
	struct scsi_fake f;

	(void)state;
	open_with(&f, NULL);
	assert_memory_equal(page(&f, 0x86).in, extended, 64);
	assert_memory_equal(page(&f, 0xb1).in, disk, 64);
	scsi_fake_close(&f);
	open_with(&f, be_plain);
	extended[6] = 0; /* no volatile cache */
	put_be16(disk + 4, 7200);
	disk[7] = 0;
	assert_memory_equal(page(&f, 0x86).in, extended, 64);
	assert_memory_equal(page(&f, 0xb1).in, disk, 64);
	scsi_fake_close(&f);
}

static void
test_truncation_of_pages(void **state)
{
	static const uint8_t codes[] = {0x00, 0x80, 0x83, 0x86, 0x8f, 0xb0, 0xb1, 0xb2};
	struct scsi_fake f;

	(void)state;
	open_with(&f, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		const uint8_t cdb[] = {0x12, 1, codes[i], 0, 0, 0};
		struct scsi_fake_reply whole = page(&f, codes[i]);

		assert_int_equal(whole.in[1], codes[i]);
		assert_int_equal(get_be16(whole.in + 2) + 4u, whole.n_in);
		check_truncation(&f, cdb, sizeof(cdb), 3, 2, whole.in, whole.n_in);
	}
	scsi_fake_close(&f);
}

/* SPC-4 5.14: INQUIRY neither reports nor clears a unit attention. */
static void
test_no_attention(void **state)
{
	struct scsi_fake f;

	(void)state;
	scsi_fake_init(&f);
	scsi_fake_open(&f);
	assert_good(RUN(&f, 0, 0x12, 0, 0, 0, 96, 0));
	assert_sense(RUN(&f, 0, 0, 0, 0, 0, 0, 0), SENSE_POWER_ON);
	scsi_fake_close(&f);
}

static void
test_capacity(void **state)
{
	const uint8_t want_10[8] = {0, 0, 0x07, 0xff, 0, 0, 2, 0};
	uint8_t want_16[32] = {0, 0, 0, 0, 0, 0, 0x07, 0xff, 0, 0, 2, 0, 0, 0, 0xc0};
	const uint8_t cdb[16] = {0x9e, 0x10};
	struct scsi_fake_reply r;
	struct scsi_fake f;

	(void)state;
	open_with(&f, NULL);
	r = RUN(&f, 0, 0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	assert_good(r);
	assert_int_equal(r.n_in, 8);
	assert_memory_equal(r.in, want_10, 8);
	check_truncation(&f, cdb, sizeof(cdb), 10, 4, want_16, sizeof(want_16));
	scsi_fake_close(&f);
	open_with(&f, no_zeroes);
	want_16[14] = 0x80;
	check_truncation(&f, cdb, sizeof(cdb), 10, 4, want_16, sizeof(want_16));
	scsi_fake_close(&f);
	open_with(&f, be_plain);
	want_16[13] = 3;
	want_16[14] = 0;
	check_truncation(&f, cdb, sizeof(cdb), 10, 4, want_16, sizeof(want_16));
	scsi_fake_close(&f);
}

static void
test_capacity_pmi(void **state)
{
	struct scsi_fake f;

	(void)state;
	open_with(&f, NULL);
	assert_bad_cdb(RUN(&f, 0, 0x25, 0, 0, 0, 0, 1, 0, 0, 0, 0), 2, 8);
	assert_good(RUN(&f, 0, 0x25, 0, 0, 0, 0, 1, 0, 0, 1, 0));
	assert_bad_cdb(RUN(&f, 0, 0x25, 0, 0, 0, 0, 0, 0, 0, 2, 0), 8, 1);
	assert_bad_cdb(RUN(&f, 0, 0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 32, 0, 0), 2, 8);
	assert_good(RUN(&f, 0, 0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 32, 1, 0));
	scsi_fake_close(&f);
}

static struct scsi_result
run_row(struct scsi_unit *unit, const uint8_t *cdb, size_t n_cdb, uint8_t *in, uint32_t cap)
{
	bool known;
	struct scsi_task task = {.lu = scsi_unit_lu(unit), .data_in = in, .cap_in = cap};

	memcpy(task.cdb, cdb, n_cdb);
	task.command = scsi_command_find(cdb, n_cdb, &known);
	task.n_transfer = cap;
	return task.command->run(&task);
}

/* Beyond 32 bits: the short form says so, the long form the number. */
static void
test_capacity_huge(void **state)
{
	static const struct {
		uint64_t n_blocks;
		uint32_t want;
	} cases[] = {
		{0xffffffffull, 0xfffffffe},
		{0x100000000ull, 0xffffffff},
		{0x100000001ull, 0xffffffff},
		{0x12345678901ull, 0xffffffff},
	};
	const uint8_t short_cdb[10] = {0x25}, long_cdb[16] = {0x9e, 0x10};
	const struct scsi_backend_ops ops = {.kinds = 0x1e, .submit = huge_submit};
	uint8_t in[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct scsi_unit_params p = {.guid = {1}, .n_blocks = cases[i].n_blocks,
					     .block_length = 512, .max_transfer = 65536};
		struct scsi_unit *unit;
		char error[128];

		assert_int_equal(scsi_unit_create(&p, &ops, NULL, error, sizeof(error), &unit), 0);
		assert_true(scsi_ok(run_row(unit, short_cdb, sizeof(short_cdb), in, 8)));
		assert_int_equal(get_be32(in), cases[i].want);
		assert_true(scsi_ok(run_row(unit, long_cdb, sizeof(long_cdb), in, 32)));
		assert_int_equal(get_be64(in), cases[i].n_blocks - 1);
		scsi_unit_unref(unit);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_standard),
		cmocka_unit_test(test_standard_removable_two_ports),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_missing_lun),
		cmocka_unit_test(test_list_and_serial),
		cmocka_unit_test(test_identification),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_provisioning),
		cmocka_unit_test(test_extended_and_characteristics),
		cmocka_unit_test(test_truncation_of_pages),
		cmocka_unit_test(test_no_attention),
		cmocka_unit_test(test_capacity),
		cmocka_unit_test(test_capacity_pmi),
		cmocka_unit_test(test_capacity_huge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
