/* Breaks when UNMAP gives back other blocks than it was asked to or takes a malformed list, WRITE
 * SAME writes where or what it should not, or GET LBA STATUS describes the medium wrongly. */
#include "scsi-cdb.h"

enum { LIST_MAX = 8 + 16 * 4096 };

/* An UNMAP parameter list. */
struct unmap_list {
	uint8_t bytes[LIST_MAX];
	size_t n;
};

static struct unmap_list *
list_new(void)
{
	struct unmap_list *l = calloc(1, sizeof(*l));

	assert_non_null(l);
	l->n = 8;
	put_be16(l->bytes, 6);
	return l;
}

static void
list_add(struct unmap_list *l, uint64_t lba, uint32_t n_blocks)
{
	put_be64(l->bytes + l->n, lba);
	put_be32(l->bytes + l->n + 8, n_blocks);
	l->n += 16;
	put_be16(l->bytes, (uint16_t)(l->n - 2));
	put_be16(l->bytes + 2, (uint16_t)(l->n - 8));
}

static struct scsi_fake_reply
unmap(struct scsi_fake *f, const struct unmap_list *l)
{
	return run(f, cdb_10(0x42, 0, 0, (uint16_t)l->n), l->bytes, l->n);
}

static void
map_all(struct scsi_fake *f)
{
	memset(f->bytes, 0xaa, f->params.n_blocks * BLOCK);
	memset(f->provisioning, SCSI_MAPPED, f->params.n_blocks);
}

/* Exactly the blocks of [lba, lba + n) are unmapped. */
static void
assert_unmapped_only(struct scsi_fake *f, uint64_t lba, uint64_t n)
{
	for (uint64_t i = 0; i < f->params.n_blocks; i++)
		assert_int_equal(f->provisioning[i],
				 i >= lba && i < lba + n ? SCSI_DEALLOCATED : SCSI_MAPPED);
}

static void
no_unmap(struct scsi_fake *f)
{
	f->params.unmap_supported = false;
	f->params.unmap_zeroes = false;
	f->kinds &= ~SCSI_IO_BIT(SCSI_IO_UNMAP);
}

/* ---------------------------------------------------------------- UNMAP */

static void
unmap_gives_back_its_ranges(void **state)
{
	struct scsi_fake *f = *state;
	struct unmap_list *l = list_new();

	map_all(f);
	list_add(l, 10, 5);
	list_add(l, 15, 0);
	list_add(l, 15, 3);
	assert_good(unmap(f, l));
	assert_unmapped_only(f, 10, 8);
	free(l);
}

static void
unmap_of_nothing_is_good(void **state)
{
	struct scsi_fake *f = *state;
	struct unmap_list *l = list_new();

	map_all(f);
	assert_good(ask(f, cdb_10(0x42, 0, 0, 0)));
	assert_good(unmap(f, l));
	list_add(l, 2048, 0); /* the end, with a count of 0 */
	assert_good(unmap(f, l));
	assert_unmapped_only(f, 0, 0);
	free(l);
}

static void
unmap_ends_at_the_last_block(void **state)
{
	struct scsi_fake *f = *state;
	static const struct {
		uint64_t lba;
		uint32_t n;
	} bad[] = {{2047, 2}, {2048, 1}, {2049, 0}, {UINT64_MAX, 1}, {UINT64_MAX, 0}, {0, 2049}};
	struct unmap_list *l;

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		map_all(f);
		l = list_new();
		list_add(l, 0, 1); /* nothing is done when a part cannot be */
		list_add(l, bad[i].lba, bad[i].n);
		assert_sense(unmap(f, l), LBA_OUT_OF_RANGE);
		assert_unmapped_only(f, 0, 0);
		free(l);
	}
	l = list_new();
	list_add(l, 2046, 2);
	assert_good(unmap(f, l));
	assert_unmapped_only(f, 2046, 2);
	free(l);
}

/* SBC-3 5.28.2: neither a list cut by PARAMETER LIST LENGTH nor an odd length is an error. */
static void
unmap_ignores_what_is_cut_off(void **state)
{
	struct scsi_fake *f = *state;
	struct unmap_list *l = list_new();

	map_all(f);
	list_add(l, 10, 1);
	list_add(l, 20, 1);
	l->n -= 1; /* cut by the length of the list */
	assert_good(unmap(f, l));
	assert_unmapped_only(f, 10, 1);
	l->n += 1;
	map_all(f);
	put_be16(l->bytes + 2, 31); /* cut by the length of the descriptors */
	assert_good(unmap(f, l));
	assert_unmapped_only(f, 10, 1);
	map_all(f);
	put_be16(l->bytes + 2, 15);
	assert_good(unmap(f, l));
	assert_unmapped_only(f, 0, 0);
	free(l);
}

static void
unmap_list_without_its_header_is_an_error(void **state)
{
	struct scsi_fake *f = *state;
	struct unmap_list *l = list_new();

	for (l->n = 1; l->n < 8; l->n++)
		assert_sense(unmap(f, l), PARAMETER_LIST_LENGTH);
	assert_sense(run(f, cdb_10(0x42, 0, 0, 24), l->bytes, 23), PARAMETER_LIST_LENGTH);
	free(l);
}

static void
unmap_takes_as_many_descriptors_as_fit(void **state)
{
	struct scsi_fake *f = *state;
	struct unmap_list *l = list_new();

	map_all(f);
	for (unsigned i = 0; i < 4095; i++)
		list_add(l, i % 2048, 1);
	assert_good(unmap(f, l));
	assert_unmapped_only(f, 0, 2048);
	free(l);
}

static void
unmap_does_not_anchor(void **state)
{
	assert_bad_cdb(ask(*state, cdb_10(0x42, 0x01, 0, 0)), 1, 0);
}

static void
unmap_needs_a_thin_unit(void **state)
{
	struct scsi_fake *f = fake_new(no_unmap);

	(void)state;
	assert_sense(ask(f, cdb_10(0x42, 0, 0, 0)), INVALID_OPCODE);
	fake_free(f);
}

static void
write_protect(struct scsi_fake *f)
{
	f->params.write_protected = true;
}

static void
protected_unit_unmaps_nothing(void **state)
{
	struct scsi_fake *f = fake_new(write_protect);

	(void)state;
	assert_sense(ask(f, cdb_10(0x42, 0, 0, 24)), WRITE_PROTECTED);
	/* Before anything else of the CDB is looked at */
	assert_sense(ask(f, cdb_10(0x41, 0x08, 0, 1)), WRITE_PROTECTED);
	assert_sense(ask(f, cdb_16(0x93, 0x18, 0, 1)), WRITE_PROTECTED);
	fake_free(f);
}

/* ---------------------------------------------------------------- WRITE SAME */

static void
write_same_repeats_its_block(void **state)
{
	struct scsi_fake *f = *state;
	const struct cdb all[] = {cdb_10(0x41, 0, 3, 700), cdb_16(0x93, 0, 3, 700)};
	uint8_t block[BLOCK];

	for (unsigned c = 0; c < ARRAY_SIZE(all); c++) {
		struct scsi_fake_reply r;

		map_all(f);
		memset(block, 0x10 + (int)c, BLOCK);
		block[511] = 1;
		r = run(f, all[c], block, BLOCK);
		assert_good(r);
		assert_int_equal(r.n_transfer, BLOCK);
		for (unsigned i = 3; i < 703; i++)
			assert_memory_equal(f->bytes + i * BLOCK, block, BLOCK);
		assert_int_equal(f->bytes[3 * BLOCK - 1], 0xaa);
		assert_int_equal(f->bytes[703 * BLOCK], 0xaa);
	}
	assert_int_equal(f->n_requests[SCSI_IO_WRITE_SAME], 2);
}

static void
write_same_of_zeroes_stores_nothing(void **state)
{
	struct scsi_fake *f = *state;
	uint8_t block[BLOCK] = {0};

	map_all(f);
	assert_good(run(f, cdb_16(0x93, 0x08, 5, 7), block, BLOCK));
	assert_unmapped_only(f, 5, 7);
	assert_int_equal(f->n_requests[SCSI_IO_WRITE_ZEROES], 1);
	map_all(f);
	assert_good(run(f, cdb_10(0x41, 0, 5, 7), block, BLOCK)); /* without UNMAP: stays mapped */
	assert_unmapped_only(f, 0, 0);
	assert_int_equal(f->bytes[5 * BLOCK], 0);
	/* UNMAP is a permission for blocks that would read as the data */
	block[511] = 1;
	assert_good(run(f, cdb_16(0x93, 0x08, 5, 7), block, BLOCK));
	assert_unmapped_only(f, 0, 0);
	assert_int_equal(f->bytes[6 * BLOCK - 1], 1);
}

static void
write_same_without_data_writes_zeroes(void **state)
{
	struct scsi_fake *f = *state;
	struct scsi_fake_reply r;

	map_all(f);
	r = ask(f, cdb_16(0x93, 0x09, 5, 7));
	assert_good(r);
	assert_int_equal(r.n_transfer, 0);
	assert_unmapped_only(f, 5, 7);
	assert_bad_cdb(ask(f, cdb_10(0x41, 0x01, 5, 7)), 1, 0);
}

static void
write_same_with_count_zero_goes_to_the_end(void **state)
{
	struct scsi_fake *f = *state;
	uint8_t block[BLOCK] = {1};

	map_all(f);
	assert_good(run(f, cdb_10(0x41, 0, 2000, 0), block, BLOCK));
	assert_int_equal(f->bytes[2000 * BLOCK - 1], 0xaa);
	for (unsigned i = 2000; i < 2048; i++)
		assert_memory_equal(f->bytes + i * BLOCK, block, BLOCK);
	assert_sense(ask(f, cdb_10(0x41, 0, 2049, 0)), LBA_OUT_OF_RANGE);
	assert_sense(ask(f, cdb_16(0x93, 0, UINT64_MAX, 0)), LBA_OUT_OF_RANGE);
	assert_sense(ask(f, cdb_16(0x93, 0, 2047, 2)), LBA_OUT_OF_RANGE);
}

static void
large(struct scsi_fake *f)
{
	f->params.block_length = 16;
	f->params.n_blocks = SCSI_WRITE_SAME_MAX + 1;
}

static void
write_same_has_a_limit(void **state)
{
	struct scsi_fake *f = fake_new(large);

	(void)state;
	assert_good(ask(f, cdb_16(0x93, 0x01, 1, SCSI_WRITE_SAME_MAX)));
	assert_bad_cdb(ask(f, cdb_16(0x93, 0x01, 0, SCSI_WRITE_SAME_MAX + 1)), 10,
		       SCSI_FIELD_BYTE);
	assert_good(ask(f, cdb_16(0x93, 0x01, 1, 0)));
	assert_bad_cdb(ask(f, cdb_16(0x93, 0x01, 0, 0)), 10, SCSI_FIELD_BYTE);
	assert_bad_cdb(ask(f, cdb_10(0x41, 0, 0, 0)), 7, SCSI_FIELD_BYTE);
	fake_free(f);
}

static void
write_same_flags(void **state)
{
	struct scsi_fake *f = *state, *thick = fake_new(no_unmap);
	uint8_t block[2 * BLOCK] = {0};

	assert_bad_cdb(ask(f, cdb_16(0x93, 0x10, 0, 1)), 1, 4);
	assert_bad_cdb(ask(f, cdb_16(0x93, 0x18, 0, 1)), 1, 4);
	assert_bad_cdb(ask(f, cdb_10(0x41, 0x18, 0, 1)), 1, 4);
	assert_bad_cdb(ask(thick, cdb_10(0x41, 0x08, 0, 1)), 1, 3);
	assert_good(run(thick, cdb_10(0x41, 0, 0, 1), block, BLOCK));
	assert_sense(run(f, cdb_16(0x93, 0x08, 0, 1), block, BLOCK / 2),
		     INVALID_FIELD_IN_INFORMATION_UNIT);
	assert_sense(run(f, cdb_16(0x93, 0x08, 0, 1), block, 2 * BLOCK),
		     INVALID_FIELD_IN_INFORMATION_UNIT);
	fake_free(thick);
}

/* ---------------------------------------------------------------- GET LBA STATUS */

static struct cdb
lba_status(uint64_t lba, uint32_t allocation)
{
	return cdb_16(0x9e, 0x12, lba, allocation);
}

static void
assert_descriptor(const struct scsi_fake_reply *r, unsigned i, uint64_t lba, uint32_t n,
		  uint8_t provisioning)
{
	const uint8_t *d = r->in + 8 + i * 16;

	assert_true(r->n_in >= 8 + (i + 1) * 16);
	assert_int_equal(get_be64(d), lba);
	assert_int_equal(get_be32(d + 8), n);
	assert_int_equal(d[12], provisioning);
}

static void
lba_status_describes_runs(void **state)
{
	struct scsi_fake *f = *state;
	struct scsi_fake_reply r;

	map_all(f);
	memset(f->provisioning + 100, SCSI_DEALLOCATED, 10);
	r = ask(f, lba_status(90, 4096));
	assert_good(r);
	assert_int_equal(r.n_in, 8 + 3 * 16);
	assert_int_equal(get_be32(r.in), r.n_in - 4);
	assert_descriptor(&r, 0, 90, 10, SCSI_MAPPED);
	assert_descriptor(&r, 1, 100, 10, SCSI_DEALLOCATED);
	assert_descriptor(&r, 2, 110, 2048 - 110, SCSI_MAPPED);
	r = ask(f, lba_status(2047, 24));
	assert_int_equal(r.n_in, 24);
	assert_descriptor(&r, 0, 2047, 1, SCSI_MAPPED);
}

static void
lba_status_is_cut_to_the_allocation_length(void **state)
{
	struct scsi_fake *f = *state;
	static const uint32_t lengths[] = {0, 4, 8, 23, 24, 39};

	map_all(f);
	memset(f->provisioning + 100, SCSI_DEALLOCATED, 10);
	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
		struct scsi_fake_reply r = ask(f, lba_status(90, lengths[i]));

		assert_good(r);
		assert_int_equal(r.n_in, MIN(lengths[i], 24u));
		if (r.n_in >= 4)
			assert_int_equal(get_be32(r.in), 20);
	}
	assert_int_equal(ask(f, lba_status(90, 40)).n_in, 40);
}

static void
lba_status_is_within_the_medium(void **state)
{
	struct scsi_fake *f = *state;

	assert_sense(ask(f, lba_status(2048, 24)), LBA_OUT_OF_RANGE);
	assert_sense(ask(f, lba_status(2049, 24)), LBA_OUT_OF_RANGE);
	assert_sense(ask(f, lba_status(UINT64_MAX, 24)), LBA_OUT_OF_RANGE);
}

static void
no_query(struct scsi_fake *f)
{
	f->kinds &= ~SCSI_IO_BIT(SCSI_IO_QUERY_RANGES);
}

static void
lba_status_of_a_plain_program_is_mapped(void **state)
{
	struct scsi_fake *f = fake_new(no_query);
	struct scsi_fake_reply r = ask(f, lba_status(7, 4096));

	(void)state;
	assert_good(r);
	assert_int_equal(r.n_in, 24);
	assert_descriptor(&r, 0, 7, 2041, SCSI_MAPPED);
	fake_free(f);
}

/* A program that answers with the mappings of its backend pointer, whatever it was asked. */
struct liar {
	struct scsi_mapping mappings[4];
	uint32_t n;
};

static bool
liar_submit(void *backend, struct scsi_backend_req *req, struct scsi_result *ret_res)
{
	const struct liar *liar = backend;

	*ret_res = scsi_good();
	if (req->kind != SCSI_IO_QUERY_RANGES)
		return true;
	memcpy(req->data, liar->mappings, liar->n * sizeof(liar->mappings[0]));
	req->n_ranges = liar->n;
	return true;
}

/* What GET LBA STATUS of LBA 10 says of it: a unit of 100 blocks */
static struct scsi_fake_reply
ask_liar(struct liar *liar)
{
	static const struct scsi_backend_ops ops = {
		.kinds = SCSI_IO_BIT(SCSI_IO_READ) | SCSI_IO_BIT(SCSI_IO_WRITE) |
			 SCSI_IO_BIT(SCSI_IO_QUERY_RANGES),
		.submit = liar_submit};
	static const uint8_t id[24] = {0x45, 0, 0, 20, 'i'};
	const struct scsi_nexus_params np = {"i", id, sizeof(id), 1};
	const struct scsi_unit_params params = {.guid = {1},
						.n_blocks = 100,
						.block_length = BLOCK,
						.max_transfer = BLOCK};
	struct cdb c = lba_status(10, 4096);
	struct scsi_unit *unit;
	struct scsi_target *target;
	struct scsi_nexus *nexus;
	struct scsi_fake_reply r;
	char error[128];

	assert_int_equal(scsi_unit_create(&params, &ops, liar, error, sizeof(error), &unit), 0);
	assert_int_equal(scsi_unit_start(unit, 1), 0);
	assert_int_equal(scsi_target_create("iqn.fake:liar", &target), 0);
	assert_int_equal(scsi_target_add_port(target, 1, "iqn.fake:liar,t,0x0001"), 0);
	assert_int_equal(scsi_target_add_lun(target, 0, unit), 0);
	assert_int_equal(scsi_nexus_create(target, &np, &nexus), 0);
	do
		r = scsi_fake_run_at(nexus, 0, c.bytes, c.n, NULL, 0, NULL, 0);
	while (r.res.key == SCSI_KEY_UNIT_ATTENTION);
	scsi_nexus_destroy(nexus);
	scsi_target_destroy(target);
	(void)scsi_unit_stop(unit);
	scsi_unit_unref(unit);
	return r;
}

static void
lba_status_takes_no_nonsense(void **state)
{
	struct liar early = {{{0, 20, SCSI_DEALLOCATED}, {20, 200, SCSI_ANCHORED}}, 2};
	struct liar gap = {{{10, 5, SCSI_DEALLOCATED}, {16, 5, SCSI_DEALLOCATED}}, 2};
	struct liar elsewhere = {{{50, 5, SCSI_DEALLOCATED}}, 1};
	struct liar empty = {{{10, 0, SCSI_DEALLOCATED}}, 1}, none = {{{0}}, 0};
	struct liar wraps = {{{UINT64_MAX, 50, SCSI_DEALLOCATED}}, 1};
	struct liar unknown = {{{10, 5, 9}, {15, 5, SCSI_MAPPED}, {20, 80, 1}}, 3};
	struct liar *all_mapped[] = {&elsewhere, &empty, &none, &wraps};
	struct scsi_fake_reply r = ask_liar(&early);

	(void)state;
	assert_int_equal(r.n_in, 40);
	assert_descriptor(&r, 0, 10, 10, SCSI_DEALLOCATED);
	assert_descriptor(&r, 1, 20, 80, SCSI_ANCHORED);
	r = ask_liar(&gap);
	assert_int_equal(r.n_in, 24);
	assert_descriptor(&r, 0, 10, 5, SCSI_DEALLOCATED);
	r = ask_liar(&unknown);
	assert_int_equal(r.n_in, 40);
	assert_descriptor(&r, 0, 10, 10, SCSI_MAPPED);
	assert_descriptor(&r, 1, 20, 80, SCSI_DEALLOCATED);
	for (unsigned i = 0; i < ARRAY_SIZE(all_mapped); i++) {
		r = ask_liar(all_mapped[i]);
		assert_int_equal(r.n_in, 24);
		assert_descriptor(&r, 0, 10, 90, SCSI_MAPPED);
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fake_setup, fake_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(unmap_gives_back_its_ranges),
		TEST(unmap_of_nothing_is_good),
		TEST(unmap_ends_at_the_last_block),
		TEST(unmap_ignores_what_is_cut_off),
		TEST(unmap_list_without_its_header_is_an_error),
		TEST(unmap_takes_as_many_descriptors_as_fit),
		TEST(unmap_does_not_anchor),
		cmocka_unit_test(unmap_needs_a_thin_unit),
		cmocka_unit_test(protected_unit_unmaps_nothing),
		TEST(write_same_repeats_its_block),
		TEST(write_same_of_zeroes_stores_nothing),
		TEST(write_same_without_data_writes_zeroes),
		TEST(write_same_with_count_zero_goes_to_the_end),
		cmocka_unit_test(write_same_has_a_limit),
		TEST(write_same_flags),
		TEST(lba_status_describes_runs),
		TEST(lba_status_is_cut_to_the_allocation_length),
		TEST(lba_status_is_within_the_medium),
		cmocka_unit_test(lba_status_of_a_plain_program_is_mapped),
		cmocka_unit_test(lba_status_takes_no_nonsense),
	};

	return cmocka_run_group_tests_name("scsi-thin", tests, NULL, NULL);
}
