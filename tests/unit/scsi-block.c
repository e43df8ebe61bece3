/* Breaks when a block command moves other bytes than its CDB says, answers a bad CDB with other
 * sense than SBC-3 asks for, loses FUA on its way, or is torn apart where it must not be. */
#include <pthread.h>
#include <unistd.h>

#include "scsi-cdb.h"

static void
fill(uint8_t *bytes, size_t n, unsigned seed)
{
	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(seed + i * 7 + i / 251);
}

static void
set_wce(struct scsi_fake *f, bool wce)
{
	struct scsi_lu *lu = scsi_unit_lu(f->unit);

	mutex_lock(&lu->lock);
	lu->mode.wce = wce;
	mutex_unlock(&lu->lock);
}

/* ---------------------------------------------------------------- READ, WRITE */

static void
every_read_and_write_moves_its_blocks(void **state)
{
	struct scsi_fake *f = *state;
	const struct cdb writes[] = {cdb_6(0x0a, 5, 3), cdb_10(0x2a, 0, 5, 3),
				     cdb_12(0xaa, 0, 5, 3), cdb_16(0x8a, 0, 5, 3)};
	const struct cdb reads[] = {cdb_6(0x08, 5, 3), cdb_10(0x28, 0, 5, 3),
				    cdb_12(0xa8, 0, 5, 3), cdb_16(0x88, 0, 5, 3)};
	uint8_t data[3 * BLOCK];

	for (unsigned i = 0; i < ARRAY_SIZE(writes); i++) {
		struct scsi_fake_reply r;

		fill(data, sizeof(data), i + 1);
		r = run(f, writes[i], data, sizeof(data));
		assert_good(r);
		assert_int_equal(r.n_transfer, sizeof(data));
		assert_memory_equal(f->bytes + 5 * BLOCK, data, sizeof(data));
		for (unsigned j = 0; j < ARRAY_SIZE(reads); j++) {
			r = ask(f, reads[j]);
			assert_good(r);
			assert_int_equal(r.n_in, sizeof(data));
			assert_memory_equal(r.in, data, sizeof(data));
		}
	}
}

static void
count_zero_is_256_with_6_bytes_and_nothing_else(void **state)
{
	struct scsi_fake *f = *state;
	struct scsi_fake_reply r = ask(f, cdb_6(0x08, 0, 0));

	assert_good(r);
	assert_int_equal(r.n_in, 256 * BLOCK);
	r = ask(f, cdb_10(0x28, 0, 0, 0));
	assert_good(r);
	assert_int_equal(r.n_in, 0);
	assert_good(ask(f, cdb_16(0x8a, 0, 2047, 0)));
	assert_sense(ask(f, cdb_16(0x88, 0, 2048, 0)), LBA_OUT_OF_RANGE);
	assert_sense(ask(f, cdb_16(0x8a, 0, 2049, 0)), LBA_OUT_OF_RANGE);
	assert_int_equal(f->n_requests[SCSI_IO_WRITE], 0);
}

static void
range_ends_at_the_last_block(void **state)
{
	struct scsi_fake *f = *state;
	static const uint8_t opcodes_16[] = {0x88, 0x8a, 0x8b, 0x8e, 0x8f, 0x90, 0x91, 0x9c};
	uint8_t data[2 * BLOCK] = {0};

	assert_good(ask(f, cdb_10(0x28, 0, 2046, 2)));
	assert_sense(ask(f, cdb_10(0x28, 0, 2047, 2)), LBA_OUT_OF_RANGE);
	assert_sense(ask(f, cdb_6(0x08, 1793, 0)), LBA_OUT_OF_RANGE);
	assert_sense(ask(f, cdb_12(0xa8, 0, 0xffffffff, 1)), LBA_OUT_OF_RANGE);
	for (unsigned i = 0; i < ARRAY_SIZE(opcodes_16); i++) {
		assert_good(run(f, cdb_16(opcodes_16[i], 0, 2046, 2), data, sizeof(data)));
		assert_sense(ask(f, cdb_16(opcodes_16[i], 0, 2047, 2)), LBA_OUT_OF_RANGE);
		assert_sense(ask(f, cdb_16(opcodes_16[i], 0, UINT64_MAX, 2)), LBA_OUT_OF_RANGE);
		assert_sense(ask(f, cdb_16(opcodes_16[i], 0, 2049, 0)), LBA_OUT_OF_RANGE);
	}
}

static void
protection_is_refused_at_its_first_bit(void **state)
{
	struct scsi_fake *f = *state;
	static const uint8_t opcodes_10[] = {0x28, 0x2a, 0x2e, 0x2f, 0x41};
	static const uint8_t opcodes_16[] = {0x88, 0x89, 0x8a, 0x8b, 0x8e, 0x8f, 0x93, 0x9c};

	for (unsigned prot = 1; prot < 8; prot++) {
		for (unsigned i = 0; i < ARRAY_SIZE(opcodes_10); i++)
			assert_bad_cdb(ask(f, cdb_10(opcodes_10[i], (uint8_t)(prot << 5), 0, 1)),
				       1, 7);
		for (unsigned i = 0; i < ARRAY_SIZE(opcodes_16); i++)
			assert_bad_cdb(ask(f, cdb_16(opcodes_16[i], (uint8_t)(prot << 5), 0, 1)),
				       1, 7);
		assert_bad_cdb(ask(f, cdb_12(0xa8, (uint8_t)(prot << 5), 0, 1)), 1, 7);
	}
}

static void
reserved_bits_are_refused(void **state)
{
	struct scsi_fake *f = *state;
	struct cdb c = cdb_10(0x28, 0, 0, 1);

	c.bytes[9] = 0x04; /* NACA */
	assert_bad_cdb(ask(f, c), 9, 2);
	c = cdb_10(0x28, 0, 0, 1);
	c.bytes[6] = 0x1f; /* GROUP NUMBER is taken */
	assert_good(ask(f, c));
	c.bytes[6] = 0x20;
	assert_bad_cdb(ask(f, c), 6, 5);
	assert_bad_cdb(ask(f, cdb_10(0x28, 0x01, 0, 1)), 1, 0);
}

static void
transfers_longer_than_the_program_takes_are_cut(void **state)
{
	struct scsi_fake *f = *state;
	size_t size = 1000 * BLOCK; /* 128 blocks are what it takes */
	uint8_t *data = malloc(size), *back = malloc(size);
	struct cdb c = cdb_10(0x2a, 0, 7, 1000);
	struct scsi_fake_reply r;

	fill(data, size, 3);
	r = run(f, c, data, size);
	assert_good(r);
	assert_int_equal(f->n_requests[SCSI_IO_WRITE], 8);
	c = cdb_10(0x28, 0, 7, 1000);
	r = scsi_fake_run_at(f->nexuses[0], 0, c.bytes, c.n, NULL, 0, back, size);
	assert_good(r);
	assert_int_equal(r.n_in, size);
	assert_memory_equal(data, back, size);
	free(data);
	free(back);
}

static void
data_that_is_missing_is_an_error(void **state)
{
	struct scsi_fake *f = *state;
	static const uint8_t opcodes[] = {0x89, 0x8a, 0x8b, 0x8e, 0x93, 0x9c};
	uint8_t data[BLOCK] = {0};

	for (unsigned i = 0; i < ARRAY_SIZE(opcodes); i++)
		assert_sense(run(f, cdb_16(opcodes[i], 0, 0, 1), data, BLOCK / 2),
			     INVALID_FIELD_IN_INFORMATION_UNIT);
	assert_sense(run(f, cdb_16(0x8f, 0x02, 0, 1), data, BLOCK - 1),
		     INVALID_FIELD_IN_INFORMATION_UNIT);
	assert_int_equal(n_requests(f), 0);
}

static void
fua_reaches_the_program(void **state)
{
	struct scsi_fake *f = *state;
	static const struct {
		uint8_t opcode, byte1;
		bool fua;
	} cases[] = {
		{0x8a, 0, false},   {0x8a, 0x10, false}, {0x8a, 0x08, true}, {0x8a, 0x02, true},
		{0x88, 0, false},   {0x88, 0x08, true},  {0x8b, 0, false},   {0x8b, 0x08, true},
		{0x89, 0, false},   {0x89, 0x08, true},  {0x9c, 0, false},   {0x9c, 0x08, true},
		{0x8f, 0, true},    {0x8e, 0, true},
	};
	uint8_t data[2 * BLOCK] = {0};

	set_wce(f, true);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cdb c = cdb_16(cases[i].opcode, cases[i].byte1, 0, 1);

		assert_good(run(f, c, data, cases[i].opcode == 0x89 ? 2 * BLOCK : BLOCK));
		assert_int_equal(f->last_fua, cases[i].fua);
	}
}

static void
write_cache_off_makes_every_write_fua(void **state)
{
	struct scsi_fake *f = *state;
	static const uint8_t opcodes[] = {0x8a, 0x8b, 0x89, 0x9c, 0x93};
	uint8_t data[2 * BLOCK] = {1};

	set_wce(f, false);
	for (unsigned i = 0; i < ARRAY_SIZE(opcodes); i++) {
		struct cdb c = cdb_16(opcodes[i], 0, 0, 1);

		memset(f->bytes, 0, BLOCK);
		data[0] = opcodes[i] == 0x89 ? 0 : 1;
		assert_good(run(f, c, data, opcodes[i] == 0x89 ? 2 * BLOCK : BLOCK));
		assert_true(f->last_fua);
	}
	assert_good(ask(f, cdb_16(0x88, 0, 0, 1)));
	assert_false(f->last_fua);
}

static void
failure_of_the_program_is_the_answer(void **state)
{
	struct scsi_fake *f = *state;
	struct scsi_result failure = scsi_sense_info(SENSE_UNRECOVERED_READ_ERROR, 9);
	static const uint8_t opcodes[] = {0x88, 0x8a, 0x8b, 0x8e, 0x8f, 0x89, 0x9c, 0x91, 0x93};
	uint8_t data[2 * BLOCK] = {0};

	scsi_fake_fail(f, &failure);
	for (unsigned i = 0; i < ARRAY_SIZE(opcodes); i++) {
		struct scsi_fake_reply r = run(f, cdb_16(opcodes[i], 0, 0, 1), data,
					       opcodes[i] == 0x89 ? 2 * BLOCK : BLOCK);

		assert_sense(r, UNRECOVERED_READ_ERROR);
		assert_int_equal(r.res.info, 9);
		assert_int_equal(r.n_in, 0);
	}
	scsi_fake_fail(f, NULL);
}

static void
write_protect(struct scsi_fake *f)
{
	f->params.write_protected = true;
}

static void
protected_unit_reads_and_refuses_to_change(void **state)
{
	static const uint8_t writing[] = {0x89, 0x8a, 0x8b, 0x8e, 0x93, 0x9c};
	static const uint8_t reading[] = {0x88, 0x8f, 0x90, 0x91};
	struct scsi_fake *f = fake_new(write_protect);

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(writing); i++) {
		struct scsi_fake_reply r = ask(f, cdb_16(writing[i], 0, 0, 1));

		assert_sense(r, WRITE_PROTECTED);
		assert_false(r.begun); /* before the data is asked for */
	}
	for (unsigned i = 0; i < ARRAY_SIZE(reading); i++)
		assert_good(ask(f, cdb_16(reading[i], 0, 0, 1)));
	assert_int_equal(f->n_requests[SCSI_IO_FLUSH], 0);
	fake_free(f);
}

/* ---------------------------------------------------------------- SYNCHRONIZE CACHE, others */

static void
synchronize_flushes_before_it_answers(void **state)
{
	struct scsi_fake *f = *state;

	assert_good(ask(f, cdb_10(0x35, 0, 0, 0)));
	assert_good(ask(f, cdb_10(0x35, 0x02, 100, 5)));
	assert_good(ask(f, cdb_16(0x91, 0, 2047, 0)));
	assert_int_equal(f->n_requests[SCSI_IO_FLUSH], 3);
	assert_sense(ask(f, cdb_16(0x91, 0, 2047, 2)), LBA_OUT_OF_RANGE);
	assert_int_equal(f->n_requests[SCSI_IO_FLUSH], 3);
}

static void
no_cache(struct scsi_fake *f)
{
	f->params.cache_supported = false;
	f->kinds &= ~SCSI_IO_BIT(SCSI_IO_FLUSH);
}

static void
synchronize_without_a_cache_is_good(void **state)
{
	struct scsi_fake *f = fake_new(no_cache);

	(void)state;
	assert_good(ask(f, cdb_10(0x35, 0, 0, 0)));
	assert_good(ask(f, cdb_16(0x91, 0x02, 3, 9)));
	assert_int_equal(n_requests(f), 0);
	fake_free(f);
}

static void
prefetch_is_good_and_does_nothing(void **state)
{
	struct scsi_fake *f = *state;

	assert_good(ask(f, cdb_10(0x34, 0x02, 0, 0)));
	assert_good(ask(f, cdb_16(0x90, 0, 1024, 1024)));
	assert_sense(ask(f, cdb_10(0x34, 0, 2049, 0)), LBA_OUT_OF_RANGE);
	assert_int_equal(n_requests(f), 0);
}

static void
defect_lists_are_empty(void **state)
{
	struct scsi_fake *f = *state;
	struct cdb c = {{0x37, 0, 0x18 | 5, 0, 0, 0, 0, 0, 32}, 10};
	struct scsi_fake_reply r = ask(f, c);
	const uint8_t want_10[] = {0, 0x1d, 0, 0}, want_12[] = {0, 0x0d, 0, 0, 0, 0, 0, 0};

	assert_good(r);
	assert_int_equal(r.n_in, 4);
	assert_memory_equal(r.in, want_10, 4);
	c = (struct cdb){{0xb7, 0x0d, 0, 0, 0, 0, 0, 0, 0, 32}, 12};
	r = ask(f, c);
	assert_good(r);
	assert_int_equal(r.n_in, 8);
	assert_memory_equal(r.in, want_12, 8);
	c.bytes[9] = 3; /* ALLOCATION LENGTH cuts, and is no error */
	r = ask(f, c);
	assert_good(r);
	assert_int_equal(r.n_in, 3);
}

/* ---------------------------------------------------------------- VERIFY */

static void
verify_compares_what_came(void **state)
{
	struct scsi_fake *f = *state;
	const struct cdb all[] = {cdb_10(0x2f, 0x02, 3, 2), cdb_12(0xaf, 0x02, 3, 2),
				  cdb_16(0x8f, 0x02, 3, 2)};
	uint8_t data[2 * BLOCK];

	fill(f->bytes, 8 * BLOCK, 1);
	for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
		struct scsi_fake_reply r;

		memcpy(data, f->bytes + 3 * BLOCK, sizeof(data));
		assert_good(run(f, all[i], data, sizeof(data)));
		data[BLOCK + 17] ^= 1;
		r = run(f, all[i], data, sizeof(data));
		assert_sense(r, MISCOMPARE);
		assert_true(r.res.info_valid);
		assert_int_equal(r.res.info, BLOCK + 17);
	}
}

/* More than the scratch of one command holds */
static void
verify_of_many_blocks(void **state)
{
	struct scsi_fake *f = *state;
	size_t size = 1300 * BLOCK;
	uint8_t *data = malloc(size);
	struct scsi_fake_reply r;

	fill(f->bytes, size, 1);
	memcpy(data, f->bytes, size);
	assert_good(run(f, cdb_16(0x8f, 0x02, 0, 1300), data, size));
	data[1299 * BLOCK] ^= 1;
	r = run(f, cdb_16(0x8f, 0x02, 0, 1300), data, size);
	assert_sense(r, MISCOMPARE);
	assert_int_equal(r.res.info, 1299 * BLOCK);
	free(data);
}

static void
verify_without_data_reads_only(void **state)
{
	struct scsi_fake *f = *state;
	struct scsi_fake_reply r = ask(f, cdb_16(0x8f, 0, 0, 2048));

	assert_good(r);
	assert_int_equal(r.n_transfer, 0);
	assert_int_equal(f->n_requests[SCSI_IO_READ], 16);
	assert_good(ask(f, cdb_16(0x8f, 0x02, 0, 0)));
	assert_good(ask(f, cdb_16(0x8f, 0x06, 0, 0)));
	assert_int_equal(f->n_requests[SCSI_IO_READ], 16);
}

static void
verify_compares_one_block_with_all(void **state)
{
	struct scsi_fake *f = *state;
	uint8_t block[BLOCK];
	struct scsi_fake_reply r;

	fill(block, BLOCK, 9);
	for (unsigned i = 0; i < 700; i++)
		memcpy(f->bytes + i * BLOCK, block, BLOCK);
	r = run(f, cdb_16(0x8f, 0x06, 0, 700), block, BLOCK);
	assert_good(r);
	assert_int_equal(r.n_transfer, BLOCK);
	f->bytes[699 * BLOCK + 511] ^= 0x80;
	r = run(f, cdb_16(0x8f, 0x06, 0, 700), block, BLOCK);
	assert_sense(r, MISCOMPARE);
	assert_int_equal(r.res.info, 699 * BLOCK + 511);
	assert_bad_cdb(ask(f, cdb_16(0x8f, 0x04, 0, 1)), 1, 2);
}

static void
write_and_verify_writes_and_compares(void **state)
{
	struct scsi_fake *f = *state;
	const struct cdb all[] = {cdb_10(0x2e, 0x02, 3, 2), cdb_12(0xae, 0x02, 3, 2),
				  cdb_16(0x8e, 0x02, 3, 2), cdb_10(0x2e, 0x10, 3, 2)};
	uint8_t data[2 * BLOCK];

	for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
		uint64_t reads = f->n_requests[SCSI_IO_READ];

		fill(data, sizeof(data), i);
		assert_good(run(f, all[i], data, sizeof(data)));
		assert_memory_equal(f->bytes + 3 * BLOCK, data, sizeof(data));
		assert_int_equal(f->n_requests[SCSI_IO_READ], reads + 1);
	}
	assert_bad_cdb(ask(f, cdb_16(0x8e, 0x04, 0, 1)), 1, 2);
	assert_bad_cdb(ask(f, cdb_16(0x8e, 0x06, 0, 1)), 1, 2);
	assert_good(ask(f, cdb_16(0x8e, 0x02, 0, 0)));
}

/* ---------------------------------------------------------------- what is not torn apart */

static void
orwrite_sets_bits(void **state)
{
	struct scsi_fake *f = *state;
	size_t size = 1300 * BLOCK; /* more than the scratch holds */
	uint8_t *before = malloc(size), *mask = malloc(size);

	fill(f->bytes, size, 1);
	memcpy(before, f->bytes, size);
	fill(mask, size, 77);
	assert_good(run(f, cdb_16(0x8b, 0, 0, 1300), mask, size));
	for (size_t i = 0; i < size; i++)
		assert_int_equal(f->bytes[i], before[i] | mask[i]);
	assert_good(ask(f, cdb_16(0x8b, 0, 0, 0)));
	free(before);
	free(mask);
}

static void
compare_and_write_compares_first(void **state)
{
	struct scsi_fake *f = *state;
	uint8_t data[4 * BLOCK];
	struct scsi_fake_reply r;

	fill(f->bytes, 8 * BLOCK, 5);
	memcpy(data, f->bytes + 2 * BLOCK, 2 * BLOCK);
	fill(data + 2 * BLOCK, 2 * BLOCK, 99);
	r = run(f, cdb_16(0x89, 0, 2, 2), data, sizeof(data));
	assert_good(r);
	assert_int_equal(r.n_transfer, sizeof(data));
	assert_memory_equal(f->bytes + 2 * BLOCK, data + 2 * BLOCK, 2 * BLOCK);

	memcpy(data, f->bytes + 2 * BLOCK, 2 * BLOCK);
	memset(data + 2 * BLOCK, 0, 2 * BLOCK);
	data[2 * BLOCK - 27] ^= 1;
	r = run(f, cdb_16(0x89, 0, 2, 2), data, sizeof(data));
	assert_sense(r, MISCOMPARE);
	assert_int_equal(r.res.info, 2 * BLOCK - 27);
	data[2 * BLOCK - 27] ^= 1;
	assert_memory_equal(f->bytes + 2 * BLOCK, data, 2 * BLOCK);
}

static void
compare_and_write_limits(void **state)
{
	struct scsi_fake *f = *state;
	size_t size = 2 * 255 * BLOCK;
	uint8_t *data = calloc(1, size + BLOCK);

	assert_good(run(f, cdb_16(0x89, 0, 0, 255), data, size));
	assert_bad_cdb(ask(f, cdb_16(0x89, 0, 0, 256)), 12, 0);
	assert_good(ask(f, cdb_16(0x89, 0, 0, 0)));
	assert_sense(ask(f, cdb_16(0x89, 0, 2048, 0)), LBA_OUT_OF_RANGE);
	/* Both halves or none: a cut in another place would compare with what is to be written. */
	assert_sense(run(f, cdb_16(0x89, 0, 0, 1), data, 4 * BLOCK),
		     INVALID_FIELD_IN_INFORMATION_UNIT);
	assert_sense(run(f, cdb_16(0x89, 0, 0, 3), data, 4 * BLOCK),
		     INVALID_FIELD_IN_INFORMATION_UNIT);
	free(data);
}

static void
odd_length(struct scsi_fake *f)
{
	f->params.block_length = 520;
	f->params.max_transfer = 520 * 100;
}

static void
large_length(struct scsi_fake *f)
{
	f->params.block_length = 131072;
	f->params.max_transfer = 131072;
	f->params.n_blocks = 300;
}

static void
block_length_is_the_units(void **state)
{
	struct scsi_fake *f = fake_new(odd_length);
	uint8_t data[4 * 520];
	struct scsi_fake_reply r;

	(void)state;
	fill(data, sizeof(data), 1);
	assert_good(run(f, cdb_16(0x8a, 0, 3, 4), data, sizeof(data)));
	assert_good(run(f, cdb_16(0x8e, 0x02, 3, 4), data, sizeof(data)));
	assert_good(run(f, cdb_16(0x8f, 0x02, 3, 4), data, sizeof(data)));
	r = ask(f, cdb_16(0x88, 0, 5, 2));
	assert_int_equal(r.n_in, 2 * 520);
	assert_memory_equal(r.in, data + 2 * 520, 2 * 520);
	data[520 * 3 + 1] ^= 1;
	r = run(f, cdb_16(0x8f, 0x02, 3, 4), data, sizeof(data));
	assert_sense(r, MISCOMPARE);
	assert_int_equal(r.res.info, 520 * 3 + 1);
	fake_free(f);
}

/* What a command may move, SCSI_TRANSFER_MAX, is 256 blocks here: the limit on both sides. */
static void
transfers_have_a_limit(void **state)
{
	struct scsi_fake *f = fake_new(large_length);
	size_t size = SCSI_TRANSFER_MAX;
	uint8_t *data = calloc(1, size);

	(void)state;
	assert_good(run(f, cdb_16(0x8a, 0, 0, 256), data, size));
	assert_bad_cdb(ask(f, cdb_16(0x8a, 0, 0, 257)), 10, SCSI_FIELD_BYTE);
	assert_bad_cdb(ask(f, cdb_16(0x8f, 0x02, 0, 257)), 10, SCSI_FIELD_BYTE);
	assert_good(ask(f, cdb_16(0x8f, 0, 0, 257))); /* moves nothing */
	assert_good(run(f, cdb_16(0x89, 0, 0, 128), data, size));
	assert_bad_cdb(ask(f, cdb_16(0x89, 0, 0, 129)), 13, SCSI_FIELD_BYTE);
	fake_free(f);
	free(data);
}

static void
write_atomic_is_one_request(void **state)
{
	struct scsi_fake *f = *state;
	size_t size = 128 * BLOCK;
	uint8_t *data = malloc(size);
	struct cdb c = cdb_16(0x9c, 0, 0, 1);

	fill(data, size, 4);
	assert_good(run(f, cdb_16(0x9c, 0, 9, 128), data, size));
	assert_int_equal(f->n_requests[SCSI_IO_WRITE], 1);
	assert_memory_equal(f->bytes + 9 * BLOCK, data, size);
	assert_int_equal(scsi_atomic_max_blocks(scsi_unit_lu(f->unit)), 128);
	assert_bad_cdb(ask(f, cdb_16(0x9c, 0, 9, 129)), 12, SCSI_FIELD_BYTE);
	c.bytes[11] = 8; /* ATOMIC BOUNDARY */
	assert_bad_cdb(ask(f, c), 11, 3);
	assert_bad_cdb(ask(f, cdb_16(0x9c, 0x02, 0, 1)), 1, 1);
	assert_good(ask(f, cdb_16(0x9c, 0, 0, 0)));
	free(data);
}

static void
plain(struct scsi_fake *f)
{
	f->n_slots = 4;
	f->kinds = SCSI_IO_BIT(SCSI_IO_READ) | SCSI_IO_BIT(SCSI_IO_WRITE) |
		   SCSI_IO_BIT(SCSI_IO_FLUSH) | SCSI_IO_BIT(SCSI_IO_UNMAP);
}

enum { N_THREADS = 4, N_ROUNDS = 200 };

struct incrementer {
	struct scsi_fake *f;
	unsigned i;
	uint64_t n_failed;
};

/* Counts up in block 0 as hosts take locks: compare and write until nobody was faster. */
static void
increment(struct incrementer *inc)
{
	struct scsi_fake_reply r;
	uint8_t data[2 * BLOCK];

	do {
		r = run_on(inc->f, inc->i % 2, cdb_16(0x88, 0, 0, 1), NULL, 0);
		memcpy(data, r.in, BLOCK);
		memcpy(data + BLOCK, r.in, BLOCK);
		put_be64(data + BLOCK, get_be64(data) + 1);
		r = run_on(inc->f, inc->i % 2, cdb_16(0x89, 0, 0, 1), data, sizeof(data));
	} while (r.res.status == SCSI_CHECK_CONDITION && r.res.key == SCSI_KEY_MISCOMPARE);
	inc->n_failed += r.res.status != SCSI_GOOD;
}

static void *
incrementer_main(void *arg)
{
	for (unsigned i = 0; i < N_ROUNDS; i++)
		increment(arg);
	return NULL;
}

/* With a program that has no COMPARE AND WRITE of its own. */
static void
compare_and_write_is_atomic(void **state)
{
	struct scsi_fake *f = fake_new(plain);
	struct incrementer incs[N_THREADS];
	pthread_t threads[N_THREADS];

	(void)state;
	for (unsigned i = 0; i < N_THREADS; i++) {
		incs[i] = (struct incrementer){f, i, 0};
		assert_int_equal(pthread_create(&threads[i], NULL, incrementer_main, &incs[i]), 0);
	}
	for (unsigned i = 0; i < N_THREADS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(incs[i].n_failed, 0);
	}
	assert_int_equal(get_be64(f->bytes), N_THREADS * N_ROUNDS);
	fake_free(f);
}

/*
 * Two set a bit each in the same block, and the program holds what it is asked for until both have
 * had the time to read. The pause makes the test sharp: a lost bit is an error at any speed.
 */
static void
orwrite_is_atomic(void **state)
{
	struct scsi_fake *f = fake_new(plain);

	(void)state;
	for (unsigned lba = 0; lba < 40; lba++) {
		struct cdb c = cdb_16(0x8b, 0, lba, 1);
		struct scsi_fake_task tasks[2];
		uint8_t data[BLOCK];

		scsi_fake_hold(f);
		for (unsigned i = 0; i < 2; i++) {
			memset(data, 1 << i, sizeof(data));
			assert_true(scsi_fake_begin(&tasks[i], f->nexuses[i], 0, c.bytes, c.n,
						    SCSI_SIMPLE, 1));
			scsi_fake_execute(&tasks[i], data, sizeof(data));
		}
		scsi_fake_wait_held(f, 1);
		usleep(1000);
		scsi_fake_release(f);
		for (unsigned i = 0; i < 2; i++) {
			scsi_fake_wait(&tasks[i]);
			assert_int_equal(tasks[i].task.result.status, SCSI_GOOD);
			scsi_fake_task_fini(&tasks[i]);
		}
		assert_int_equal(f->bytes[lba * BLOCK], 0x03);
	}
	fake_free(f);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fake_setup, fake_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_read_and_write_moves_its_blocks),
		TEST(count_zero_is_256_with_6_bytes_and_nothing_else),
		TEST(range_ends_at_the_last_block),
		TEST(protection_is_refused_at_its_first_bit),
		TEST(reserved_bits_are_refused),
		TEST(transfers_longer_than_the_program_takes_are_cut),
		TEST(data_that_is_missing_is_an_error),
		TEST(fua_reaches_the_program),
		TEST(write_cache_off_makes_every_write_fua),
		TEST(failure_of_the_program_is_the_answer),
		cmocka_unit_test(protected_unit_reads_and_refuses_to_change),
		TEST(synchronize_flushes_before_it_answers),
		cmocka_unit_test(synchronize_without_a_cache_is_good),
		TEST(prefetch_is_good_and_does_nothing),
		TEST(defect_lists_are_empty),
		TEST(verify_compares_what_came),
		TEST(verify_of_many_blocks),
		TEST(verify_without_data_reads_only),
		TEST(verify_compares_one_block_with_all),
		TEST(write_and_verify_writes_and_compares),
		TEST(orwrite_sets_bits),
		TEST(compare_and_write_compares_first),
		TEST(compare_and_write_limits),
		cmocka_unit_test(block_length_is_the_units),
		cmocka_unit_test(transfers_have_a_limit),
		TEST(write_atomic_is_one_request),
		cmocka_unit_test(compare_and_write_is_atomic),
		cmocka_unit_test(orwrite_is_atomic),
	};

	return cmocka_run_group_tests_name("scsi-block", tests, NULL, NULL);
}
