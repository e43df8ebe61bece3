/* Breaks when a medium leaves that must stay or stays when it should leave, when a stopped unit
 * answers, or when SANITIZE leaves old bytes, is ended by an abort, or lets others in while it
 * runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sched.h>
#include <cmocka.h>
#include "scsi-util.h"

enum { SIZE = 2048 * 512 };

static void
start(struct scsi_fake *f, void (*change)(struct scsi_fake *f))
{
	scsi_fake_init(f);
	if (change)
		change(f);
	scsi_fake_open(f);
	scsi_fake_clear_attentions(f);
}

static void
removable(struct scsi_fake *f)
{
	f->params.removable = true;
}

static struct scsi_fake_reply
start_stop(struct scsi_fake *f, unsigned who, uint8_t how)
{
	return RUN(f, who, 0x1b, 0, 0, 0, how, 0);
}

static struct scsi_fake_reply
tur(struct scsi_fake *f, unsigned who)
{
	return RUN(f, who, 0, 0, 0, 0, 0, 0);
}

static struct scsi_fake_reply
prevent(struct scsi_fake *f, unsigned who, uint8_t how)
{
	return RUN(f, who, 0x1e, 0, 0, 0, how, 0);
}

/* ---------------------------------------------------------------- START STOP UNIT */

static void
test_fixed_disk(void **state)
{
	struct scsi_fake f;

	(void)state;
	start(&f, NULL);
	assert_bad_cdb(start_stop(&f, 0, 0x02), 4, 1); /* LOEJ */
	assert_bad_cdb(start_stop(&f, 0, 0x03), 4, 1);
	assert_bad_cdb(start_stop(&f, 0, 0x08), 4, 3);
	assert_sense(prevent(&f, 0, 0), SENSE_INVALID_OPCODE);
	assert_good(start_stop(&f, 0, 0x00));
	assert_int_equal(f.n_requests[SCSI_IO_FLUSH], 1);
	assert_sense(tur(&f, 1), SENSE_INITIALIZING_COMMAND_REQUIRED);
	assert_sense(RUN(&f, 1, 0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0),
		     SENSE_INITIALIZING_COMMAND_REQUIRED);
	assert_good(RUN(&f, 1, 0x12, 0, 0, 0, 96, 0));
	assert_good(start_stop(&f, 1, 0x01));
	assert_good(tur(&f, 0));
	assert_good(start_stop(&f, 0, 0x04)); /* NO_FLUSH */
	assert_int_equal(f.n_requests[SCSI_IO_FLUSH], 1);
	assert_good(start_stop(&f, 0, 0x01));
	scsi_fake_close(&f);
}

/* A flush that fails keeps the unit running: nothing is lost unseen. */
static void
test_stop_flush_fails(void **state)
{
	const struct scsi_result failure = scsi_sense(SENSE_WRITE_ERROR);
	struct scsi_fake f;

	(void)state;
	start(&f, NULL);
	scsi_fake_fail(&f, &failure);
	assert_sense(start_stop(&f, 0, 0x00), SENSE_WRITE_ERROR);
	scsi_fake_fail(&f, NULL);
	assert_good(tur(&f, 0));
	scsi_fake_close(&f);
}

struct ear {
	struct scsi_unit_listener listener;
	atomic_int n_ejected;
};

static void
hear(struct scsi_unit_listener *listener, enum scsi_unit_event event)
{
	if (event == SCSI_UNIT_EJECTED)
		container_of(listener, struct ear, listener)->n_ejected++;
}

static void
test_eject_and_load(void **state)
{
	struct ear ear = {.listener.event = hear};
	struct scsi_fake f;

	(void)state;
	start(&f, removable);
	scsi_unit_listen(f.unit, &ear.listener);
	assert_good(start_stop(&f, 0, 0x02));
	assert_int_equal(ear.n_ejected, 1);
	assert_good(start_stop(&f, 0, 0x02)); /* gone already */
	assert_int_equal(ear.n_ejected, 1);
	for (unsigned i = 0; i < 2; i++) {
		assert_sense(tur(&f, i), SENSE_MEDIUM_NOT_PRESENT);
		assert_sense(RUN(&f, i, 0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0),
			     SENSE_MEDIUM_NOT_PRESENT);
		assert_sense(RUN(&f, i, 0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0),
			     SENSE_MEDIUM_NOT_PRESENT);
	}
	assert_sense(start_stop(&f, 0, 0x01), SENSE_MEDIUM_NOT_PRESENT);
	assert_good(start_stop(&f, 0, 0x03));
	assert_good(tur(&f, 0));
	assert_sense(tur(&f, 1), SENSE_MEDIUM_MAY_HAVE_CHANGED);
	assert_good(tur(&f, 1));
	scsi_unit_unlisten(f.unit, &ear.listener);
	scsi_fake_close(&f);
}

/* Neither without LOEJ nor with a power condition does a removable medium go away. */
static void
test_stays(void **state)
{
	struct scsi_fake f;

	(void)state;
	start(&f, removable);
	for (unsigned how = 0; how < 256; how++) {
		struct scsi_fake_reply r;

		if (how & 0x08 || (how < 0x10 && how & 0x02))
			continue;
		r = start_stop(&f, 0, (uint8_t)how);
		assert_good(r);
		assert_good(tur(&f, 0));
	}
	scsi_fake_close(&f);
}

static void
undetachable(struct scsi_fake *f)
{
	f->params.removable = f->params.eject_disabled = true;
}

static void
test_prevent(void **state)
{
	struct scsi_fake f;

	(void)state;
	start(&f, removable);
	assert_good(prevent(&f, 0, 1));
	for (unsigned i = 0; i < 2; i++)
		assert_sense(start_stop(&f, i, 0x02), SENSE_REMOVAL_PREVENTED);
	assert_good(tur(&f, 0));
	assert_good(prevent(&f, 1, 1));
	assert_good(prevent(&f, 0, 0)); /* the other one still does */
	assert_sense(start_stop(&f, 0, 0x02), SENSE_REMOVAL_PREVENTED);
	assert_good(prevent(&f, 1, 0));
	assert_good(start_stop(&f, 0, 0x02));
	assert_good(prevent(&f, 0, 1)); /* also without a medium */
	assert_sense(start_stop(&f, 0, 0x03), SENSE_REMOVAL_PREVENTED);
	assert_good(prevent(&f, 0, 0));
	assert_good(start_stop(&f, 0, 0x03));
	assert_bad_cdb(prevent(&f, 0, 2), 4, 1);
	assert_bad_cdb(prevent(&f, 0, 3), 4, 1);
	scsi_fake_close(&f);
	start(&f, undetachable);
	assert_sense(start_stop(&f, 0, 0x02), SENSE_REMOVAL_PREVENTED);
	scsi_fake_close(&f);
}

static void
test_prevent_ends_with_nexus(void **state)
{
	struct scsi_fake f;

	(void)state;
	start(&f, removable);
	assert_good(prevent(&f, 0, 1));
	scsi_nexus_destroy(take(&f.nexuses[0]));
	assert_good(start_stop(&f, 1, 0x02));
	scsi_fake_close(&f);
}

/* ---------------------------------------------------------------- SANITIZE */

static bool
all_bytes_are(struct scsi_fake *f, const uint8_t *pattern, size_t n)
{
	bool same = true;

	mutex_lock(&f->lock);
	for (size_t i = 0; i < SIZE; i++)
		same = same && f->bytes[i] == pattern[i % 512 % n];
	mutex_unlock(&f->lock);
	return same;
}

static void
fill(struct scsi_fake *f)
{
	mutex_lock(&f->lock);
	memset(f->bytes, 'a', SIZE);
	memset(f->provisioning, SCSI_MAPPED, 2048);
	mutex_unlock(&f->lock);
}

static struct scsi_fake_reply
overwrite(struct scsi_fake *f, unsigned who, uint8_t bits, const uint8_t *list, uint16_t n)
{
	return RUN_OUT(f, who, list, n, 0x48, bits | 1, 0, 0, 0, 0, 0, (uint8_t)(n >> 8),
		       (uint8_t)n, 0);
}

static void
test_overwrite(void **state)
{
	uint8_t list[4 + 512] = {1};
	static const uint16_t sizes[] = {1, 3, 4, 256, 511, 512};
	struct scsi_fake f;

	(void)state;
	start(&f, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		put_be16(list + 2, sizes[i]);
		for (size_t j = 0; j < sizes[i]; j++)
			list[4 + j] = (uint8_t)(j * 7 + i);
		fill(&f);
		assert_good(overwrite(&f, 0, 0, list, 4 + sizes[i]));
		assert_true(all_bytes_are(&f, list + 4, sizes[i]));
	}
	assert_true(f.n_requests[SCSI_IO_FLUSH] >= ARRAY_SIZE(sizes));
	scsi_fake_close(&f);
}

/* INVERT: the pattern is turned over from pass to pass. */
static void
test_passes(void **state)
{
	uint8_t list[8] = {0, 0, 0, 4, 0x0f, 0x33, 0xa5, 0x01};
	const uint8_t inverted[4] = {0xf0, 0xcc, 0x5a, 0xfe};
	struct scsi_fake f;
	uint64_t n;

	(void)state;
	start(&f, NULL);
	n = f.n_requests[SCSI_IO_WRITE_SAME];
	list[0] = 1;
	assert_good(overwrite(&f, 0, 0, list, 8));
	n = f.n_requests[SCSI_IO_WRITE_SAME] - n;
	for (uint8_t passes = 2; passes < 32; passes++) {
		uint64_t before = f.n_requests[SCSI_IO_WRITE_SAME];

		list[0] = 0x80 | passes;
		assert_good(overwrite(&f, 0, 0, list, 8));
		assert_int_equal(f.n_requests[SCSI_IO_WRITE_SAME] - before, n * passes);
		assert_true(all_bytes_are(&f, passes % 2 ? list + 4 : inverted, 4));
	}
	list[0] = 2;
	assert_good(overwrite(&f, 0, 0, list, 8));
	assert_true(all_bytes_are(&f, list + 4, 4));
	scsi_fake_close(&f);
}

static void
test_overwrite_errors(void **state)
{
	uint8_t list[4 + 516] = {1, 0, 2, 0};
	struct scsi_fake f;

	(void)state;
	start(&f, NULL);
	fill(&f);
	for (uint16_t n = 0; n < 5; n++)
		assert_bad_cdb(overwrite(&f, 0, 0, list, n), 7, 8);
	assert_bad_cdb(overwrite(&f, 0, 0, list, 517), 7, 8);
	assert_bad_cdb(overwrite(&f, 0, 0x40, list, 516), 1, 6);
	assert_bad_cdb(RUN_OUT(&f, 0, list, 8, 0x48, 1, 0, 1, 0, 0, 0, 0, 8, 0), 3, 0);
	list[0] = 0; /* OVERWRITE COUNT */
	assert_sense(overwrite(&f, 0, 0, list, 516), SENSE_INVALID_FIELD_IN_CDB);
	list[0] = 1;
	put_be16(list + 2, 0);
	assert_sense(overwrite(&f, 0, 0, list, 516), SENSE_INVALID_FIELD_IN_CDB);
	put_be16(list + 2, 513);
	assert_sense(overwrite(&f, 0, 0, list, 516), SENSE_INVALID_FIELD_IN_CDB);
	put_be16(list + 2, 511);
	assert_bad_parameter(overwrite(&f, 0, 0, list, 516), 2, 8);
	put_be16(list + 2, 512);
	list[0] = 0x21; /* TEST */
	assert_bad_parameter(overwrite(&f, 0, 0, list, 516), 0, 6);
	list[0] = 1;
	list[1] = 1;
	assert_bad_parameter(overwrite(&f, 0, 0, list, 516), 1, 8);
	assert_bad_cdb(RUN(&f, 0, 0x48, 0x03, 0, 0, 0, 0, 0, 0, 0, 0), 1, 4); /* CRYPTO ERASE */
	assert_bad_cdb(RUN(&f, 0, 0x48, 0x02, 0, 0, 0, 0, 0, 0, 8, 0), 8, 3);
	assert_true(all_bytes_are(&f, (const uint8_t *)"a", 1));
	scsi_fake_close(&f);
}

static void
test_block_erase(void **state)
{
	struct scsi_fake f;

	(void)state;
	start(&f, NULL);
	fill(&f);
	assert_good(RUN(&f, 0, 0x48, 0x02, 0, 0, 0, 0, 0, 0, 0, 0));
	assert_true(all_bytes_are(&f, (const uint8_t *)"", 1));
	for (unsigned i = 0; i < 2048; i++)
		assert_int_equal(f.provisioning[i], SCSI_DEALLOCATED);
	scsi_fake_close(&f);
}

static void
thick(struct scsi_fake *f)
{
	f->params.unmap_supported = f->params.unmap_zeroes = false;
	f->kinds = SCSI_IO_BIT(SCSI_IO_READ) | SCSI_IO_BIT(SCSI_IO_WRITE) |
		   SCSI_IO_BIT(SCSI_IO_FLUSH);
}

static void
protect(struct scsi_fake *f)
{
	f->params.write_protected = true;
}

static void
test_who_may(void **state)
{
	const uint8_t list[8] = {1, 0, 0, 4, 1, 2, 3, 4};
	struct scsi_fake f;

	(void)state;
	start(&f, thick);
	assert_sense(RUN(&f, 0, 0x48, 0x02, 0, 0, 0, 0, 0, 0, 0, 0), SENSE_INVALID_OPCODE);
	assert_good(overwrite(&f, 0, 0, list, 8)); /* by WRITE alone */
	assert_true(all_bytes_are(&f, list + 4, 4));
	scsi_fake_close(&f);
	start(&f, protect);
	assert_sense(overwrite(&f, 0, 0, list, 8), SENSE_WRITE_PROTECTED);
	assert_sense(RUN(&f, 0, 0x48, 0x02, 0, 0, 0, 0, 0, 0, 0, 0), SENSE_WRITE_PROTECTED);
	scsi_fake_close(&f);
}

/* While it runs everybody else is told so, REQUEST SENSE has the progress. */
static void
check_in_progress(struct scsi_fake *f)
{
	uint8_t block[512];
	struct scsi_io io = {.kind = SCSI_IO_READ, .n_blocks = 1, .data = block};
	struct scsi_fake_reply r;

	for (unsigned i = 0; i < 2; i++) {
		r = tur(f, i);
		assert_sense(r, SENSE_SANITIZE_IN_PROGRESS);
		assert_true(r.res.progress_valid);
		assert_sense(start_stop(f, i, 0x01), SENSE_SANITIZE_IN_PROGRESS);
		assert_sense(RUN(f, i, 0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0),
			     SENSE_SANITIZE_IN_PROGRESS);
		assert_sense(RUN(f, i, 0x48, 0x02, 0, 0, 0, 0, 0, 0, 0, 0),
			     SENSE_SANITIZE_IN_PROGRESS);
		assert_sense(RUN(f, i, 0x48, 0x1f, 0, 0, 0, 0, 0, 0, 0, 0),
			     SENSE_SANITIZE_IN_PROGRESS);
		assert_good(RUN(f, i, 0x12, 0, 0, 0, 96, 0));
		r = RUN(f, i, 0x03, 0, 0, 0, 18, 0);
		assert_good(r);
		assert_int_equal(r.in[2] & 0x0f, SCSI_KEY_NOT_READY);
		assert_int_equal(r.in[12] << 8 | r.in[13], 0x041b);
		assert_int_equal(r.in[15] & 0x80, 0x80); /* SKSV: the progress */
	}
	assert_int_equal(scsi_unit_io(f->unit, &io).asc, 0x04); /* a block door */
}

static void
wait_until_done(struct scsi_fake *f)
{
	while (tur(f, 0).res.status == SCSI_CHECK_CONDITION)
		sched_yield();
}

static void
test_immed(void **state)
{
	const uint8_t list[8] = {1, 0, 0, 4, 9, 8, 7, 6};
	struct scsi_fake f;

	(void)state;
	start(&f, NULL);
	fill(&f);
	scsi_fake_hold(&f);
	assert_good(overwrite(&f, 0, 0x80, list, 8));
	scsi_fake_wait_held(&f, 1);
	check_in_progress(&f);
	scsi_fake_release(&f);
	wait_until_done(&f);
	assert_true(all_bytes_are(&f, list + 4, 4));
	scsi_fake_close(&f);
}

/* SBC-3 4.11.1: neither a lost nexus nor a reset ends it. */
static void
test_outlives_nexus(void **state)
{
	const uint8_t list[8] = {3, 0, 0, 4, 9, 8, 7, 6};
	struct scsi_fake f;

	(void)state;
	start(&f, NULL);
	fill(&f);
	scsi_fake_hold(&f);
	assert_good(overwrite(&f, 1, 0x80, list, 8));
	scsi_fake_wait_held(&f, 1);
	scsi_nexus_destroy(take(&f.nexuses[1]));
	assert_sense(tur(&f, 0), SENSE_SANITIZE_IN_PROGRESS);
	scsi_fake_release(&f);
	wait_until_done(&f);
	assert_true(all_bytes_are(&f, list + 4, 4));
	scsi_fake_close(&f);
}

static void
tmf_done(void *ctx, enum scsi_tmf_response response)
{
	(void)response;
	*(atomic_bool *)ctx = true;
}

/* Answers the one request that is held; the next one will be held again. */
static void
pass_one(struct scsi_fake *f)
{
	struct scsi_backend_req *req;

	mutex_lock(&f->lock);
	assert_int_equal(f->n_held, 1);
	req = f->held[0];
	f->n_held = 0;
	mutex_unlock(&f->lock);
	scsi_unit_complete(req, scsi_good());
}

/* The command that waits is let go at the next piece, the work goes on. */
static void
test_outlives_abort(void **state)
{
	const uint8_t list[8] = {2, 0, 0, 4, 9, 8, 7, 6}, cdb[10] = {0x48, 0x01, [8] = 8};
	atomic_bool done = false;
	struct scsi_fake_task t;
	struct scsi_fake f;

	(void)state;
	start(&f, NULL);
	fill(&f);
	scsi_fake_hold(&f);
	assert_true(scsi_fake_begin(&t, f.nexuses[0], 0, cdb, sizeof(cdb), SCSI_SIMPLE, 77));
	scsi_fake_execute(&t, list, sizeof(list));
	scsi_fake_wait_held(&f, 1);
	scsi_tmf(f.nexuses[0], SCSI_TMF_ABORT_TASK, 0, 77, tmf_done, &done);
	pass_one(&f);
	scsi_fake_wait(&t);
	assert_true(t.task.aborted);
	scsi_fake_wait_held(&f, 1);
	assert_sense(tur(&f, 1), SENSE_SANITIZE_IN_PROGRESS);
	scsi_fake_release(&f);
	wait_until_done(&f);
	assert_true(all_bytes_are(&f, list + 4, 4));
	while (!atomic_load(&done))
		sched_yield();
	scsi_fake_task_fini(&t);
	scsi_fake_close(&f);
}

static void
test_failure(void **state)
{
	const uint8_t list[8] = {1, 0, 0, 4, 9, 8, 7, 6};
	const struct scsi_result failure = scsi_sense(SENSE_WRITE_ERROR);
	struct scsi_fake f;

	(void)state;
	start(&f, NULL);
	for (uint8_t ause = 0; ause <= 0x20; ause += 0x20) {
		scsi_fake_fail(&f, &failure);
		assert_sense(overwrite(&f, 0, ause, list, 8), SENSE_SANITIZE_FAILED);
		scsi_fake_fail(&f, NULL);
		assert_sense(tur(&f, 1), SENSE_SANITIZE_FAILED);
		assert_sense(RUN(&f, 1, 0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0), SENSE_SANITIZE_FAILED);
		if (ause) {
			assert_good(RUN(&f, 1, 0x48, 0x1f, 0, 0, 0, 0, 0, 0, 0, 0));
		} else {
			assert_bad_cdb(RUN(&f, 1, 0x48, 0x1f, 0, 0, 0, 0, 0, 0, 0, 0), 1, 4);
			assert_good(overwrite(&f, 0, 0, list, 8));
		}
		assert_good(tur(&f, 1));
	}
	assert_good(RUN(&f, 1, 0x48, 0x1f, 0, 0, 0, 0, 0, 0, 0, 0)); /* no failure: nothing */
	scsi_fake_close(&f);
}

/* The unit stops in the middle: it does not wait for the end, nothing is left behind. */
static void
test_stop_in_between(void **state)
{
	const uint8_t list[8] = {31, 0, 0, 4, 9, 8, 7, 6};
	struct scsi_fake f;

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		start(&f, NULL);
		assert_good(overwrite(&f, 0, 0x80, list, 8));
		scsi_fake_close(&f);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fixed_disk),
		cmocka_unit_test(test_stop_flush_fails),
		cmocka_unit_test(test_eject_and_load),
		cmocka_unit_test(test_stays),
		cmocka_unit_test(test_prevent),
		cmocka_unit_test(test_prevent_ends_with_nexus),
		cmocka_unit_test(test_overwrite),
		cmocka_unit_test(test_passes),
		cmocka_unit_test(test_overwrite_errors),
		cmocka_unit_test(test_block_erase),
		cmocka_unit_test(test_who_may),
		cmocka_unit_test(test_immed),
		cmocka_unit_test(test_outlives_nexus),
		cmocka_unit_test(test_outlives_abort),
		cmocka_unit_test(test_failure),
		cmocka_unit_test(test_stop_in_between),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
