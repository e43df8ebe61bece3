/* Breaks when MODE SENSE shows other values than hold, when MODE SELECT takes what it should refuse
 * or names the wrong field, or when SWP, D_SENSE and WCE are not obeyed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include "scsi-util.h"

static const uint8_t page_01[12] = {0x01, 10}, page_02[16] = {0x02, 14},
		     page_08[20] = {0x08, 18, 0x04}, page_0a[12] = {0x0a, 10, 0x02, 0x10},
		     page_1c[12] = {0x1c, 10, 0x08};
/* Short: 2048 blocks of 512 bytes */
static const uint8_t descriptor[8] = {0, 0, 8, 0, 0, 0, 2, 0};

static void
open_with(struct scsi_fake *f, void (*change)(struct scsi_fake *f))
{
	scsi_fake_init(f);
	if (change)
		change(f);
	scsi_fake_open(f);
	scsi_fake_clear_attentions(f);
}

static size_t
append(uint8_t *dst, size_t at, const void *bytes, size_t n)
{
	memcpy(dst + at, bytes, n);
	return at + n;
}

static size_t
append_all(uint8_t *dst, size_t at)
{
	at = append(dst, at, page_01, sizeof(page_01));
	at = append(dst, at, page_02, sizeof(page_02));
	at = append(dst, at, page_08, sizeof(page_08));
	at = append(dst, at, page_0a, sizeof(page_0a));
	return append(dst, at, page_1c, sizeof(page_1c));
}

static void
test_all_pages_6(void **state)
{
	uint8_t want[256] = {0, 0, 0x10, 8}; /* DPOFUA; a descriptor */
	uint8_t cdb[6] = {0x1a, 0, 0x3f};
	size_t n = append_all(want, append(want, 4, descriptor, 8));
	struct scsi_fake f;

	(void)state;
	want[0] = (uint8_t)(n - 1);
	open_with(&f, NULL);
	check_truncation(&f, cdb, sizeof(cdb), 4, 1, want, n);
	cdb[3] = 0xff; /* all subpages: there are no others */
	check_truncation(&f, cdb, sizeof(cdb), 4, 1, want, n);
	scsi_fake_close(&f);
}

static void
test_all_pages_10(void **state)
{
	uint8_t want[256] = {0, 0, 0, 0x10, 0, 0, 0, 8};
	uint8_t cdb[10] = {0x5a, 0, 0x3f};
	uint8_t long_descriptor[16] = {[6] = 8, [14] = 2};
	size_t n = append_all(want, append(want, 8, descriptor, 8));
	struct scsi_fake f;

	(void)state;
	put_be16(want, (uint16_t)(n - 2));
	open_with(&f, NULL);
	check_truncation(&f, cdb, sizeof(cdb), 7, 2, want, n);
	cdb[1] = 0x10; /* LLBAA */
	n = append_all(want, append(want, 8, long_descriptor, 16));
	put_be16(want, (uint16_t)(n - 2));
	want[4] = 1;
	want[7] = 16;
	check_truncation(&f, cdb, sizeof(cdb), 7, 2, want, n);
	cdb[1] = 0x18; /* DBD wins */
	n = append_all(want, 8);
	put_be16(want, (uint16_t)(n - 2));
	want[4] = want[7] = 0;
	check_truncation(&f, cdb, sizeof(cdb), 7, 2, want, n);
	scsi_fake_close(&f);
}

static void
test_single_pages(void **state)
{
	static const struct {
		const uint8_t *page;
		uint8_t size;
	} pages[] = {{page_01, 12}, {page_02, 16}, {page_08, 20}, {page_0a, 12}, {page_1c, 12}};
	struct scsi_fake f;

	(void)state;
	open_with(&f, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
		struct scsi_fake_reply r =
			RUN(&f, 0, 0x1a, 0x08, pages[i].page[0], 0, 255, 0);

		assert_good(r);
		assert_int_equal(r.n_in, 4 + pages[i].size);
		assert_int_equal(r.in[0], r.n_in - 1);
		assert_int_equal(r.in[3], 0);
		assert_memory_equal(r.in + 4, pages[i].page, pages[i].size);
	}
	scsi_fake_close(&f);
}

static void
plain(struct scsi_fake *f)
{
	f->params.cache_supported = false;
	f->params.write_protected = true;
}

static void
test_without_cache(void **state)
{
	struct scsi_fake_reply r;
	struct scsi_fake f;

	(void)state;
	open_with(&f, plain);
	r = RUN(&f, 0, 0x1a, 0x08, 0x08, 0, 255, 0);
	assert_int_equal(r.in[2], 0x90); /* WP; DPOFUA also without a cache */
	assert_int_equal(r.in[4 + 2], 0x01); /* RCD, as WinSpd has it */
	r = RUN(&f, 0, 0x1a, 0x08, 0x40 | 0x08, 0, 255, 0);
	assert_int_equal(r.in[4 + 2], 0); /* WCE cannot change */
	scsi_fake_close(&f);
}

static void
check_control(struct scsi_fake *f, uint8_t control, uint8_t caching, uint8_t d_sense, uint8_t swp)
{
	struct scsi_fake_reply r = RUN(f, 0, 0x1a, 0x08, control << 6 | 0x3f, 0, 255, 0);
	const uint8_t *page = r.in + 4 + sizeof(page_01) + sizeof(page_02);

	assert_good(r);
	assert_int_equal(page[2], caching);
	page += sizeof(page_08);
	assert_int_equal(page[0], 0x0a);
	assert_int_equal(page[2], d_sense);
	assert_int_equal(page[4], swp);
}

static const uint8_t select_control[16] = {0, 0, 0, 0, 0x0a, 10, 0x06, 0x10, 0x08};

static void
test_page_control(void **state)
{
	struct scsi_fake_reply r;
	struct scsi_fake f;

	(void)state;
	open_with(&f, NULL);
	check_control(&f, 1, 0x04, 0x04, 0x08);
	r = RUN(&f, 0, 0x1a, 0x08, 0x40 | 0x0a, 0, 255, 0);
	assert_memory_equal(r.in + 4, "\x0a\x0a\x04\0\x08\0\0\0\0\0\0\0", 12);
	assert_good(RUN_OUT(&f, 0, select_control, 16, 0x15, 0x10, 0, 0, 16, 0));
	check_control(&f, 0, 0x04, 0x06, 0x08);
	check_control(&f, 2, 0x04, 0x02, 0x00);
	for (unsigned page = 0; page < 64; page++)
		assert_sense(RUN(&f, 0, 0x1a, 0, 0xc0 | page, 0, 255, 0),
			     SENSE_SAVING_NOT_SUPPORTED);
	scsi_fake_close(&f);
}

static void
test_sense_errors(void **state)
{
	struct scsi_fake f;

	(void)state;
	open_with(&f, NULL);
	for (unsigned page = 0; page < 64; page++)
		if (!memchr("\x01\x02\x08\x0a\x1c\x3f", (int)page, 6))
			assert_bad_cdb(RUN(&f, 0, 0x1a, 0, page, 0, 255, 0), 2, 5);
	assert_bad_cdb(RUN(&f, 0, 0x1a, 0, 0x0a, 1, 255, 0), 3, 8);
	assert_bad_cdb(RUN(&f, 0, 0x1a, 0, 0x3f, 1, 255, 0), 3, 8);
	assert_good(RUN(&f, 0, 0x1a, 0, 0x0a, 0xff, 255, 0));
	assert_bad_cdb(RUN(&f, 0, 0x1a, 0x10, 0x0a, 0, 255, 0), 1, 4); /* LLBAA: (10) only */
	scsi_fake_close(&f);
}

/* What came from MODE SENSE goes back as it is. */
static void
test_round_trip(void **state)
{
	struct scsi_fake_reply r;
	struct scsi_fake f;

	(void)state;
	open_with(&f, NULL);
	r = RUN(&f, 0, 0x1a, 0, 0x3f, 0, 255, 0);
	assert_good(RUN_OUT(&f, 0, r.in, r.n_in, 0x15, 0x10, 0, 0, (uint8_t)r.n_in, 0));
	r = RUN(&f, 0, 0x5a, 0x10, 0x3f, 0, 0, 0, 0, 0, 255, 0);
	assert_good(RUN_OUT(&f, 0, r.in, r.n_in, 0x55, 0x10, 0, 0, 0, 0, 0, 0, (uint8_t)r.n_in, 0));
	assert_good(RUN(&f, 1, 0, 0, 0, 0, 0, 0)); /* nothing changed: no attention */
	scsi_fake_close(&f);
}

static struct scsi_fake_reply
select_6(struct scsi_fake *f, const uint8_t *list, uint8_t n)
{
	return RUN_OUT(f, 0, list, n, 0x15, 0x10, 0, 0, n, 0);
}

static void
test_select_cdb(void **state)
{
	struct scsi_fake f;

	(void)state;
	open_with(&f, NULL);
	assert_bad_cdb(RUN_OUT(&f, 0, select_control, 16, 0x15, 0x11, 0, 0, 16, 0), 1, 0);
	assert_bad_cdb(RUN_OUT(&f, 0, select_control, 16, 0x15, 0x00, 0, 0, 16, 0), 1, 4);
	assert_good(RUN(&f, 0, 0x15, 0x00, 0, 0, 0, 0));
	assert_good(RUN(&f, 0, 0x15, 0x10, 0, 0, 0, 0));
	/* fewer bytes than announced */
	assert_sense(RUN_OUT(&f, 0, select_control, 15, 0x15, 0x10, 0, 0, 16, 0),
		     SENSE_PARAMETER_LIST_LENGTH);
	scsi_fake_close(&f);
}

static void
test_select_lengths(void **state)
{
	uint8_t with_descriptor[24] = {0, 0, 0, 8, [9] = 0, [10] = 2};
	struct scsi_fake f;

	(void)state;
	open_with(&f, NULL);
	memcpy(with_descriptor + 12, select_control + 4, 12);
	for (uint8_t n = 1; n <= 24; n++) {
		struct scsi_fake_reply r = select_6(&f, with_descriptor, n);

		if (n == 12 || n == 24)
			assert_good(r);
		else
			assert_sense(r, SENSE_PARAMETER_LIST_LENGTH);
	}
	scsi_fake_close(&f);
}

/* One byte of the list is set to value: the error points at it. */
static const struct {
	uint8_t at, value, field, bit;
} bad_fields[] = {
	{1, 0x01, 1, 8},     /* MEDIUM TYPE */
	{3, 4, 3, 8},        /* descriptor of an odd size */
	{4, 1, 4, 8},        /* NUMBER OF BLOCKS */
	{11, 1, 9, 8},       /* BLOCK LENGTH */
	{12, 0x8a, 12, 7},   /* PS */
	{12, 0x4a, 12, 6},   /* SPF */
	{12, 0x0b, 12, 5},   /* PAGE CODE */
	{13, 9, 13, 8},      /* PAGE LENGTH */
	{14, 0x22, 14, 5},   /* DPICZ */
	{14, 0x00, 14, 1},   /* GLTSD */
	{15, 0x00, 15, 4},   /* QUEUE ALGORITHM MODIFIER */
	{15, 0x16, 15, 2},   /* QERR */
	{16, 0x80, 16, 7},   /* VS */
	{17, 0x40, 17, 6},   /* TAS */
	{21, 0x01, 21, 0},   /* BUSY TIMEOUT PERIOD */
	{23, 0x80, 23, 7},
};

static void
test_select_fields(void **state)
{
	uint8_t good[24] = {0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 2, 0, 0x0a, 10, 0x02, 0x10};
	struct scsi_fake f;

	(void)state;
	open_with(&f, NULL);
	assert_good(select_6(&f, good, sizeof(good)));
	for (size_t i = 0; i < ARRAY_SIZE(bad_fields); i++) {
		uint8_t list[24];

		memcpy(list, good, sizeof(list));
		list[bad_fields[i].at] = bad_fields[i].value;
		assert_bad_parameter(select_6(&f, list, sizeof(list)), bad_fields[i].field,
				     bad_fields[i].bit);
	}
	memset(good + 4, 0xff, 4); /* as many blocks as there are */
	assert_good(select_6(&f, good, sizeof(good)));
	put_be32(good + 4, 2048);
	assert_good(select_6(&f, good, sizeof(good)));
	scsi_fake_close(&f);
}

static void
test_select_is_all_or_nothing(void **state)
{
	uint8_t list[28] = {0};
	struct scsi_fake f;

	(void)state;
	open_with(&f, NULL);
	memcpy(list + 4, select_control + 4, 12);
	memcpy(list + 16, page_1c, 12);
	list[18] ^= 0x80;
	assert_bad_parameter(select_6(&f, list, sizeof(list)), 18, 7);
	check_control(&f, 0, 0x04, 0x02, 0x00);
	list[18] ^= 0x80;
	assert_good(select_6(&f, list, sizeof(list)));
	check_control(&f, 0, 0x04, 0x06, 0x08);
	scsi_fake_close(&f);
}

static void
test_select_10(void **state)
{
	uint8_t list[36] = {0, 0, 0, 0, 1, 0, 0, 16, [22] = 2};
	struct scsi_fake f;

	(void)state;
	open_with(&f, NULL);
	memcpy(list + 24, select_control + 4, 12);
	assert_good(RUN_OUT(&f, 0, list, 36, 0x55, 0x10, 0, 0, 0, 0, 0, 0, 36, 0));
	check_control(&f, 0, 0x04, 0x06, 0x08);
	list[15] = 1;
	assert_bad_parameter(RUN_OUT(&f, 0, list, 36, 0x55, 0x10, 0, 0, 0, 0, 0, 0, 36, 0), 8, 8);
	list[15] = 0;
	list[23] = 1;
	assert_bad_parameter(RUN_OUT(&f, 0, list, 36, 0x55, 0x10, 0, 0, 0, 0, 0, 0, 36, 0), 20, 8);
	list[7] = 8; /* the size of a short one */
	assert_bad_parameter(RUN_OUT(&f, 0, list, 36, 0x55, 0x10, 0, 0, 0, 0, 0, 0, 36, 0), 6, 8);
	scsi_fake_close(&f);
}

/* SPC-4 5.14: the others learn that parameters changed, who changed them does not. */
static void
test_attention(void **state)
{
	struct scsi_fake f;

	(void)state;
	open_with(&f, NULL);
	assert_good(select_6(&f, select_control, 16));
	assert_good(RUN(&f, 0, 0, 0, 0, 0, 0, 0));
	assert_sense(RUN(&f, 1, 0, 0, 0, 0, 0, 0), SENSE_MODE_PARAMETERS_CHANGED);
	assert_good(RUN(&f, 1, 0, 0, 0, 0, 0, 0));
	scsi_fake_close(&f);
}

static struct scsi_fake_reply
write_block(struct scsi_fake *f, unsigned nexus)
{
	static const uint8_t block[512] = {1};

	return RUN_OUT(f, nexus, block, sizeof(block), 0x2a, 0, 0, 0, 0, 0, 0, 0, 1, 0);
}

static void
test_software_write_protect(void **state)
{
	uint8_t list[16];
	struct scsi_fake f;
	struct scsi_io io = {.kind = SCSI_IO_WRITE, .n_blocks = 1};
	uint8_t block[512] = {0};

	(void)state;
	open_with(&f, NULL);
	memcpy(list, select_control, sizeof(list));
	list[6] = 0x02; /* SWP alone */
	assert_good(select_6(&f, list, 16));
	scsi_fake_clear_attentions(&f);
	for (unsigned i = 0; i < 2; i++)
		assert_sense(write_block(&f, i), SENSE_SOFTWARE_WRITE_PROTECTED);
	assert_good(RUN(&f, 0, 0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0));
	assert_int_equal(RUN(&f, 0, 0x1a, 8, 0x0a, 0, 255, 0).in[2], 0x90); /* WP */
	io.data = block;
	assert_int_equal(scsi_unit_io(f.unit, &io).asc, 0x27); /* a block door, too */
	list[8] = 0;
	assert_good(select_6(&f, list, 16));
	assert_good(write_block(&f, 0));
	scsi_fake_close(&f);
}

static void
test_descriptor_sense(void **state)
{
	const uint8_t bad_cdb[6] = {0xff}, tur[6] = {0};
	uint8_t list[16], sense[SCSI_SENSE_SIZE_MAX];
	struct scsi_fake_task t;
	struct scsi_fake f;

	(void)state;
	open_with(&f, NULL);
	assert_false(scsi_fake_begin(&t, f.nexuses[0], 0, bad_cdb, 6, SCSI_SIMPLE, 1));
	assert_int_equal(scsi_task_sense(&t.task, sense), SCSI_SENSE_FIXED_SIZE);
	assert_int_equal(sense[0] & 0x7f, 0x70);
	scsi_fake_task_fini(&t);
	memcpy(list, select_control, sizeof(list));
	list[8] = 0; /* D_SENSE alone */
	assert_good(select_6(&f, list, 16));
	assert_false(scsi_fake_begin(&t, f.nexuses[1], 0, tur, 6, SCSI_SIMPLE, 1));
	assert_true(scsi_task_sense(&t.task, sense) >= 8);
	assert_int_equal(sense[0], 0x72);
	assert_int_equal(sense[2], 0x2a);
	scsi_fake_task_fini(&t);
	scsi_fake_close(&f);
}

static void
test_write_cache_enable(void **state)
{
	uint8_t list[24] = {[4] = 0x08, [5] = 18};
	struct scsi_fake f;
	uint64_t n;

	(void)state;
	open_with(&f, NULL);
	assert_good(write_block(&f, 0));
	assert_false(f.last_fua);
	n = f.n_requests[SCSI_IO_FLUSH];
	assert_good(select_6(&f, list, sizeof(list)));
	assert_int_equal(f.n_requests[SCSI_IO_FLUSH], n + 1);
	assert_good(write_block(&f, 0));
	assert_true(f.last_fua);
	list[6] = 0x04;
	assert_good(select_6(&f, list, sizeof(list)));
	assert_good(write_block(&f, 0));
	assert_false(f.last_fua);
	assert_int_equal(f.n_requests[SCSI_IO_FLUSH], n + 1);
	scsi_fake_close(&f);
}

static void
test_reset_restores(void **state)
{
	struct scsi_fake f;
	struct scsi_lu *lu;

	(void)state;
	open_with(&f, NULL);
	assert_good(select_6(&f, select_control, 16));
	lu = scsi_unit_lu(f.unit);
	mutex_lock(&lu->lock);
	scsi_mode_reset_locked(lu);
	mutex_unlock(&lu->lock);
	check_control(&f, 0, 0x04, 0x02, 0x00);
	scsi_fake_close(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_pages_6),
		cmocka_unit_test(test_all_pages_10),
		cmocka_unit_test(test_single_pages),
		cmocka_unit_test(test_without_cache),
		cmocka_unit_test(test_page_control),
		cmocka_unit_test(test_sense_errors),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_select_cdb),
		cmocka_unit_test(test_select_lengths),
		cmocka_unit_test(test_select_fields),
		cmocka_unit_test(test_select_is_all_or_nothing),
		cmocka_unit_test(test_select_10),
		cmocka_unit_test(test_attention),
		cmocka_unit_test(test_software_write_protect),
		cmocka_unit_test(test_descriptor_sense),
		cmocka_unit_test(test_write_cache_enable),
		cmocka_unit_test(test_reset_restores),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
