/* Breaks when RESERVE (6) or (10) lets another initiator in, outlives its holder, or gets mixed up
 * with persistent reservations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include "scsi-util.h"

static const struct {
	uint8_t reserve, release, n;
} forms[] = {{0x16, 0x17, 6}, {0x56, 0x57, 10}};

static void
start(struct scsi_fake *f)
{
	scsi_fake_init(f);
	f->params.removable = true;
	scsi_fake_open(f);
	scsi_fake_clear_attentions(f);
}

static struct scsi_fake_reply
plain(struct scsi_fake *f, unsigned who, uint8_t opcode, uint8_t n)
{
	const uint8_t cdb[10] = {opcode};

	return scsi_fake_run(f, who, cdb, n, NULL, 0);
}

static struct scsi_fake_reply
prout(struct scsi_fake *f, unsigned who, uint8_t action, uint8_t type, uint8_t key, uint8_t new_key)
{
	const uint8_t list[24] = {[7] = key, [15] = new_key};

	return RUN_OUT(f, who, list, sizeof(list), 0x5f, action, type, 0, 0, 0, 0, 0, 24, 0);
}

static void
test_two_initiators(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		struct scsi_fake f;

		start(&f);
		assert_good(plain(&f, 0, forms[i].reserve, forms[i].n));
		assert_good(plain(&f, 0, forms[i].reserve, forms[i].n));
		assert_conflict(plain(&f, 1, forms[i].reserve, forms[i].n));
		assert_good(plain(&f, 1, forms[i].release, forms[i].n)); /* not its own: nothing */
		assert_conflict(plain(&f, 1, 0x00, 6));
		assert_conflict(RUN(&f, 1, 0x1a, 0, 0x3f, 0, 255, 0));
		assert_conflict(RUN(&f, 1, 0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0));
		assert_good(RUN(&f, 0, 0x1a, 0, 0x3f, 0, 255, 0));
		assert_good(RUN(&f, 0, 0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0));
		assert_good(plain(&f, 0, forms[i].release, forms[i].n));
		assert_good(plain(&f, 1, 0x00, 6));
		assert_good(plain(&f, 1, forms[i].reserve, forms[i].n));
		assert_conflict(plain(&f, 0, 0x00, 6));
		scsi_fake_close(&f);
	}
}

/* SPC-2 table 8: these pass */
static void
test_what_passes(void **state)
{
	struct scsi_fake f;

	(void)state;
	start(&f);
	assert_good(plain(&f, 0, 0x16, 6));
	assert_good(RUN(&f, 1, 0x12, 0, 0, 0, 96, 0));
	assert_good(RUN(&f, 1, 0x03, 0, 0, 0, 18, 0));
	assert_good(RUN(&f, 1, 0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0));
	assert_good(RUN(&f, 1, 0x1e, 0, 0, 0, 0, 0));
	assert_conflict(RUN(&f, 1, 0x1e, 0, 0, 0, 1, 0));
	scsi_fake_close(&f);
}

static void
test_obsolete_bits(void **state)
{
	struct scsi_fake f;

	(void)state;
	start(&f);
	assert_bad_cdb(RUN(&f, 0, 0x16, 0x10, 0, 0, 0, 0), 1, 4); /* 3RDPTY */
	assert_bad_cdb(RUN(&f, 0, 0x16, 0x01, 0, 0, 0, 0), 1, 0); /* EXTENT */
	assert_bad_cdb(RUN(&f, 0, 0x56, 0x02, 0, 0, 0, 0, 0, 0, 0, 0), 1, 1); /* LONGID */
	scsi_fake_close(&f);
}

static void
test_block_doors(void **state)
{
	uint8_t block[512] = {0};
	struct scsi_io read = {.kind = SCSI_IO_READ, .n_blocks = 1, .data = block},
		       write = {.kind = SCSI_IO_WRITE, .n_blocks = 1, .data = block},
		       flush = {.kind = SCSI_IO_FLUSH};
	struct scsi_fake f;

	(void)state;
	start(&f);
	assert_good(plain(&f, 0, 0x16, 6));
	assert_int_equal(scsi_unit_io(f.unit, &read).status, SCSI_RESERVATION_CONFLICT);
	assert_int_equal(scsi_unit_io(f.unit, &write).status, SCSI_RESERVATION_CONFLICT);
	assert_int_equal(scsi_unit_io(f.unit, &flush).status, SCSI_GOOD);
	assert_good(plain(&f, 0, 0x17, 6));
	assert_int_equal(scsi_unit_io(f.unit, &write).status, SCSI_GOOD);
	scsi_fake_close(&f);
}

static void
test_nexus_loss(void **state)
{
	struct scsi_fake f;

	(void)state;
	start(&f);
	assert_good(plain(&f, 0, 0x16, 6));
	assert_conflict(plain(&f, 1, 0x00, 6));
	scsi_nexus_destroy(take(&f.nexuses[0]));
	assert_good(plain(&f, 1, 0x00, 6));
	scsi_fake_close(&f);
}

static void
tmf_done(void *ctx, enum scsi_tmf_response response)
{
	assert_int_equal(response, SCSI_TMF_COMPLETE);
	*(bool *)ctx = true;
}

static void
test_reset(void **state)
{
	bool done = false;
	struct scsi_fake f;

	(void)state;
	start(&f);
	assert_good(plain(&f, 0, 0x16, 6));
	scsi_tmf(f.nexuses[1], SCSI_TMF_LU_RESET, 0, 0, tmf_done, &done);
	assert_true(done);
	scsi_fake_clear_attentions(&f);
	assert_good(plain(&f, 1, 0x16, 6));
	scsi_fake_close(&f);
}

/* SPC-2 5.5.1: while RESERVE is in force nobody has persistent reservations, its holder neither. */
static void
test_persistent_during_reserve(void **state)
{
	struct scsi_fake f;

	(void)state;
	start(&f);
	assert_good(plain(&f, 0, 0x16, 6));
	for (unsigned i = 0; i < 2; i++) {
		assert_conflict(RUN(&f, i, 0x5e, 0, 0, 0, 0, 0, 0, 0, 64, 0));
		assert_conflict(prout(&f, i, 0, 0, 0, 1));
	}
	assert_good(plain(&f, 0, 0x17, 6));
	assert_good(prout(&f, 0, 0, 0, 0, 1));
	scsi_fake_close(&f);
}

/* SPC-4 5.12.3, CRH: with keys registered RESERVE conflicts, from who holds it is a good nothing.
 * */
static void
test_reserve_during_persistent(void **state)
{
	static const uint8_t types[] = {1, 3, 5, 6, 7, 8};

	(void)state;
	for (size_t t = 0; t < ARRAY_SIZE(types); t++) {
		bool shared = types[t] >= 5;
		struct scsi_fake f;

		start(&f);
		assert_good(prout(&f, 0, 0, 0, 0, 1));
		for (unsigned i = 0; i < 2; i++) {
			assert_conflict(plain(&f, i, 0x16, 6)); /* keys, nothing reserved */
			assert_conflict(plain(&f, i, 0x17, 6));
		}
		assert_good(prout(&f, 1, 0, 0, 0, 2));
		assert_good(prout(&f, 0, 1, types[t], 1, 0));
		assert_good(plain(&f, 0, 0x16, 6));
		assert_good(plain(&f, 0, 0x17, 6));
		if (shared) {
			assert_good(plain(&f, 1, 0x16, 6));
			assert_good(plain(&f, 1, 0x17, 6));
		} else {
			assert_conflict(plain(&f, 1, 0x16, 6));
			assert_conflict(plain(&f, 1, 0x17, 6));
		}
		/* none of it reserved or released anything */
		assert_int_equal(RUN(&f, 0, 0x5e, 1, 0, 0, 0, 0, 0, 0, 64, 0).in[21], types[t]);
		scsi_fake_close(&f);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_initiators),
		cmocka_unit_test(test_what_passes),
		cmocka_unit_test(test_obsolete_bits),
		cmocka_unit_test(test_block_doors),
		cmocka_unit_test(test_nexus_loss),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_persistent_during_reserve),
		cmocka_unit_test(test_reserve_during_persistent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
