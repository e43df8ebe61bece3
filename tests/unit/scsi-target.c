/*
 * If this breaks: initiators find wrong units behind their LUNs, or a LUN or nexus that
 * goes leaves tasks behind that touch freed memory.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <pthread.h>
#include <sched.h>
#include <cmocka.h>

#include "scsi-fake.h"
#include "scsi/lu.h"

static const uint8_t test_unit_ready[6] = {0};
static const uint8_t read_10[10] = {0x28, 0, 0, 0, 0, 0, 0, 0, 1};
static const uint8_t report_luns[12] = {0xa0, 0, 0, 0, 0, 0, 0, 0, 16, 0};

static void
assert_sense(const struct scsi_result *res, enum scsi_sense sense)
{
	struct scsi_result want = scsi_sense(sense);

	assert_int_equal(res->status, SCSI_CHECK_CONDITION);
	assert_int_equal(res->asc << 8 | res->ascq, want.asc << 8 | want.ascq);
}

static struct scsi_result
ready(struct scsi_nexus *nexus, unsigned lun)
{
	return scsi_fake_run_at(nexus, scsi_lun_encode(lun), test_unit_ready, 6, NULL, 0,
				NULL, 0)
		.res;
}

static void
test_lun_field(void **state)
{
	assert_int_equal(scsi_lun_encode(0), 0);
	assert_true(scsi_lun_encode(5) == 0x0005000000000000ull);
	for (int lun = 0; lun < SCSI_LUN_LIMIT; lun++)
		assert_int_equal(scsi_lun_decode(scsi_lun_encode((unsigned)lun)), lun);
	/* flat space addressing */
	assert_int_equal(scsi_lun_decode(0x4005000000000000ull), 5);
	assert_int_equal(scsi_lun_decode(0x4000000000000000ull), 0);
	/* bus 1; beyond the limit; logical unit and extended methods; a second level */
	assert_int_equal(scsi_lun_decode(0x0105000000000000ull), -1);
	assert_int_equal(scsi_lun_decode(0x4100000000000000ull), -1);
	assert_int_equal(scsi_lun_decode(0x8005000000000000ull), -1);
	assert_int_equal(scsi_lun_decode(0xc101000000000000ull), -1);
	assert_int_equal(scsi_lun_decode(0x0005000100000000ull), -1);
	assert_int_equal(scsi_lun_decode(0x0005000000000001ull), -1);
}

static void
test_map(void **state)
{
	struct scsi_fake *f = *state;

	assert_int_equal(scsi_target_add_lun(f->target, 0, f->unit), -EEXIST);
	assert_int_equal(scsi_target_add_lun(f->target, SCSI_LUN_LIMIT, f->unit),
			 -ERANGE);
	assert_int_equal(scsi_target_remove_lun(f->target, 1), -ENOENT);
	assert_int_equal(scsi_target_remove_lun(f->target, SCSI_LUN_LIMIT), -ENOENT);
	assert_int_equal(scsi_target_n_luns(f->target), 1);
	assert_ptr_equal(scsi_target_unit(f->target, 0), f->unit);
	assert_null(scsi_target_unit(f->target, 1));
	assert_null(scsi_target_unit(f->target, SCSI_LUN_LIMIT));
	assert_int_equal(scsi_target_remove_lun(f->target, 0), 0);
	assert_int_equal(scsi_target_n_luns(f->target), 0);
	assert_string_equal(scsi_target_name(f->target), "iqn.fake:target");
	assert_ptr_equal(scsi_nexus_target(f->nexuses[0]), f->target);
}

static void
test_ports(void **state)
{
	struct scsi_fake *f = *state;
	char name[300];

	memset(name, 'x', sizeof(name));
	name[299] = '\0';
	assert_int_equal(scsi_target_add_port(f->target, 1, "again"), -EEXIST);
	assert_int_equal(scsi_target_add_port(f->target, 0, "zero"), -EINVAL);
	assert_int_equal(scsi_target_add_port(f->target, 9, name), -EINVAL);
	for (uint16_t i = 2; i <= SCSI_PORT_LIMIT; i++)
		assert_int_equal(scsi_target_add_port(f->target, i, "p"), 0);
	assert_int_equal(scsi_target_add_port(f->target, 100, "p"), -ENOSPC);
	scsi_target_remove_port(f->target, 3);
	scsi_target_remove_port(f->target, 3);
	assert_int_equal(f->target->n_ports, SCSI_PORT_LIMIT - 1);
	assert_int_equal(f->target->ports[2].id, 4);
	assert_int_equal(scsi_target_add_port(f->target, 100, "p"), 0);
}

static void
test_luns_come_and_go(void **state)
{
	struct scsi_fake *f = *state;
	struct scsi_fake_reply r;
	struct scsi_result res;

	assert_int_equal(scsi_target_add_lun(f->target, 9, f->unit), 0);
	res = ready(f->nexuses[0], 0);
	assert_sense(&res, SENSE_REPORTED_LUNS_CHANGED);
	res = ready(f->nexuses[0], 0);
	assert_true(scsi_ok(res));
	/* REPORT LUNS says so itself and ends the attention */
	r = scsi_fake_run(f, 1, report_luns, 12, NULL, 0);
	assert_int_equal(r.n_in, 24);
	assert_int_equal(r.in[17], 9);
	res = ready(f->nexuses[1], 0);
	assert_true(scsi_ok(res));
	assert_int_equal(scsi_target_remove_lun(f->target, 9), 0);
	res = ready(f->nexuses[0], 0);
	assert_sense(&res, SENSE_REPORTED_LUNS_CHANGED);
	res = ready(f->nexuses[0], 9);
	assert_sense(&res, SENSE_LUN_NOT_SUPPORTED);
}

/* A LUN that went and came is powered on for everybody. */
static void
test_lun_comes_back(void **state)
{
	struct scsi_fake *f = *state;
	struct scsi_result res;

	assert_int_equal(scsi_target_remove_lun(f->target, 0), 0);
	res = ready(f->nexuses[0], 0);
	assert_sense(&res, SENSE_LUN_NOT_SUPPORTED);
	assert_int_equal(scsi_target_add_lun(f->target, 0, f->unit), 0);
	res = ready(f->nexuses[0], 0);
	assert_sense(&res, SENSE_POWER_ON);
}

/* Two numbers, one logical unit */
static void
test_one_unit_under_two_luns(void **state)
{
	struct scsi_fake *f = *state;
	struct scsi_result res;

	assert_int_equal(scsi_target_add_lun(f->target, 1, f->unit), 0);
	scsi_fake_clear_attentions(f);
	res = ready(f->nexuses[0], 1);
	assert_true(scsi_ok(res));
	assert_int_equal(scsi_target_remove_lun(f->target, 1), 0);
	res = ready(f->nexuses[0], 0);
	assert_sense(&res, SENSE_REPORTED_LUNS_CHANGED);
	res = ready(f->nexuses[0], 0);
	assert_true(scsi_ok(res));
}

/* Two targets, one unit: what changes in one is not told to the other's initiators. */
static void
test_one_unit_in_two_targets(void **state)
{
	struct scsi_fake *f = *state;
	struct scsi_nexus_params p = {.initiator = "iqn.fake:c", .target_port = 1};
	struct scsi_target *other;
	struct scsi_nexus *nexus;
	struct scsi_result res;

	assert_int_equal(scsi_target_create("iqn.fake:other", &other), 0);
	assert_int_equal(scsi_target_add_lun(other, 3, f->unit), 0);
	assert_int_equal(scsi_nexus_create(other, &p, &nexus), 0);
	res = ready(nexus, 0);
	assert_sense(&res, SENSE_LUN_NOT_SUPPORTED);
	res = ready(nexus, 3);
	assert_sense(&res, SENSE_POWER_ON);
	assert_int_equal(scsi_target_add_lun(f->target, 5, f->unit), 0);
	res = ready(nexus, 3);
	assert_true(scsi_ok(res));
	assert_int_equal(scsi_target_remove_lun(other, 3), 0);
	res = ready(f->nexuses[0], 0);
	assert_sense(&res, SENSE_REPORTED_LUNS_CHANGED);
	res = ready(f->nexuses[0], 0);
	assert_true(scsi_ok(res));
	scsi_nexus_destroy(nexus);
	scsi_target_destroy(other);
}

static void
start_held(struct scsi_fake *f, struct scsi_fake_task *t, unsigned nexus, unsigned n)
{
	scsi_fake_hold(f);
	assert_true(
		scsi_fake_begin(t, f->nexuses[nexus], 0, read_10, 10, SCSI_SIMPLE, 1));
	scsi_fake_execute(t, NULL, 0);
	scsi_fake_wait_held(f, n);
}

struct held {
	struct scsi_fake *f;
	struct scsi_fake_task t;
};

static void
ignore_response(void *ctx, enum scsi_tmf_response response)
{
}

/* Lets the request go when whoever removes something has come to its task. */
static void *
release_aborted(void *ctx)
{
	struct held *h = ctx;

	while (!scsi_task_is_aborted(&h->t.task))
		sched_yield();
	scsi_fake_release(h->f);
	return NULL;
}

/* It is answered: no task management function told its initiator. */
static void
assert_gone(const struct scsi_fake_task *t)
{
	assert_false(t->task.aborted);
	assert_int_equal(t->task.n_in, 0);
	assert_sense(&t->task.result, SENSE_LUN_NOT_SUPPORTED);
}

static void
test_removal_waits_for_tasks(void **state)
{
	struct scsi_fake *f = *state;
	struct held h = {.f = f};
	pthread_t thread;

	start_held(f, &h.t, 0, 1);
	assert_int_equal(pthread_create(&thread, NULL, release_aborted, &h), 0);
	assert_int_equal(scsi_target_remove_lun(f->target, 0), 0);
	assert_true(scsi_fake_is_done(&h.t));
	pthread_join(thread, NULL);
	scsi_fake_wait(&h.t);
	assert_gone(&h.t);
	scsi_fake_task_fini(&h.t);
}

/* The same unit under another number goes on. */
static void
test_removal_of_another_lun(void **state)
{
	struct scsi_fake *f = *state;
	struct scsi_fake_task t;

	assert_int_equal(scsi_target_add_lun(f->target, 1, f->unit), 0);
	scsi_fake_clear_attentions(f);
	start_held(f, &t, 0, 1);
	assert_int_equal(scsi_target_remove_lun(f->target, 1), 0);
	assert_false(scsi_fake_is_done(&t));
	scsi_fake_release(f);
	scsi_fake_wait(&t);
	assert_false(t.task.aborted);
	assert_true(scsi_ok(t.task.result));
	scsi_fake_task_fini(&t);
}

/* Aborted, then removed: the abort has said it all. */
static void
test_removal_of_an_aborted_task(void **state)
{
	struct scsi_fake f;
	const uint8_t write[10] = {0x2a, 0, 0, 0, 0, 0, 0, 0, 1};
	uint8_t data[512] = {0};
	struct scsi_fake_task t;

	scsi_fake_init(&f);
	scsi_fake_open(&f);
	scsi_fake_clear_attentions(&f);
	assert_true(scsi_fake_begin(&t, f.nexuses[0], 0, write, 10, SCSI_SIMPLE, 1));
	scsi_tmf(f.nexuses[0], SCSI_TMF_ABORT_TASK, 0, 1, ignore_response, NULL);
	assert_int_equal(scsi_target_remove_lun(f.target, 0), 0);
	scsi_fake_execute(&t, data, sizeof(data));
	scsi_fake_wait(&t);
	assert_true(t.task.aborted);
	scsi_fake_task_fini(&t);
	scsi_fake_close(&f);
}

/* Its data has not come when the LUN, the unit and the nexus go. */
static void
test_begun_task_outlives_its_lun(void **state)
{
	struct scsi_fake f;
	uint8_t write[10] = {0x2a, 0, 0, 0, 0, 0, 0, 0, 1};
	uint8_t data[512] = {0};
	struct scsi_fake_task executed, cancelled;

	scsi_fake_init(&f);
	scsi_fake_open(&f);
	scsi_fake_clear_attentions(&f);
	assert_true(
		scsi_fake_begin(&executed, f.nexuses[0], 0, write, 10, SCSI_SIMPLE, 1));
	assert_true(
		scsi_fake_begin(&cancelled, f.nexuses[0], 0, write, 10, SCSI_ORDERED, 2));
	assert_int_equal(scsi_target_remove_lun(f.target, 0), 0);
	scsi_nexus_destroy(take(&f.nexuses[0]));
	(void)scsi_unit_stop(f.unit);
	scsi_unit_unref(scsi_unit_ref(f.unit));
	scsi_fake_execute(&executed, data, sizeof(data));
	scsi_fake_wait(&executed);
	assert_gone(&executed);
	scsi_fake_task_fini(&executed);
	scsi_task_cancel(&cancelled.task);
	scsi_fake_task_fini(&cancelled);
	scsi_fake_close(&f);
}

static void
test_lost_nexus(void **state)
{
	struct scsi_fake *f = *state;
	struct scsi_lu *lu = scsi_unit_lu(f->unit);
	struct held h = {.f = f};
	struct scsi_result res;
	pthread_t thread;

	start_held(f, &h.t, 0, 1);
	mutex_lock(&lu->lock);
	lu->reserve6 = scsi_lu_find_itl_locked(lu, f->nexuses[0]);
	lu->reserve6->prevents = true;
	mutex_unlock(&lu->lock);
	assert_int_equal(pthread_create(&thread, NULL, release_aborted, &h), 0);
	scsi_nexus_destroy(take(&f->nexuses[0]));
	assert_true(scsi_fake_is_done(&h.t));
	assert_true(h.t.task.aborted);
	pthread_join(thread, NULL);
	scsi_fake_task_fini(&h.t);
	res = ready(f->nexuses[1], 0);
	assert_true(scsi_ok(res));
	mutex_lock(&lu->lock);
	assert_null(lu->reserve6);
	mutex_unlock(&lu->lock);
}

static void
test_transport_id_limit(void **state)
{
	struct scsi_fake *f = *state;
	uint8_t id[SCSI_TRANSPORT_ID_MAX + 1] = {0};
	struct scsi_nexus_params p = {"x", id, sizeof(id), 1};
	struct scsi_nexus *nexus;

	assert_int_equal(scsi_nexus_create(f->target, &p, &nexus), -EINVAL);
	p.n_transport_id--;
	assert_int_equal(scsi_nexus_create(f->target, &p, &nexus), 0);
	scsi_nexus_destroy(nexus);
}

/* Nexuses and LUNs come and go while commands run. */

enum { ROUNDS = 100, RUNNERS = 3 };

static void *
come_and_go(void *ctx)
{
	struct scsi_fake *f = ctx;

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct scsi_nexus_params p = {.initiator = "iqn.fake:z",
					      .target_port = 1};
		struct scsi_nexus *nexus;

		assert_int_equal(scsi_nexus_create(f->target, &p, &nexus), 0);
		for (unsigned n = 0; n < 5; n++) {
			(void)ready(nexus, 0);
			(void)ready(nexus, 1);
			(void)scsi_fake_run_at(nexus, 0, read_10, 10, NULL, 0, NULL, 0);
			(void)scsi_fake_run_at(nexus, 0, report_luns, 12, NULL, 0, NULL,
					       0);
		}
		scsi_nexus_destroy(nexus);
	}
	return NULL;
}

static void *
remap(void *ctx)
{
	struct scsi_fake *f = ctx;

	for (unsigned i = 0; i < ROUNDS; i++) {
		assert_int_equal(scsi_target_add_lun(f->target, 1, f->unit), 0);
		assert_int_equal(scsi_target_remove_lun(f->target, 0), 0);
		assert_int_equal(scsi_target_remove_lun(f->target, 1), 0);
		assert_int_equal(scsi_target_add_lun(f->target, 0, f->unit), 0);
	}
	return NULL;
}

static void
test_threads(void **state)
{
	struct scsi_fake *f = *state;
	pthread_t threads[RUNNERS + 1];

	for (unsigned i = 0; i <= RUNNERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
						i == RUNNERS ? remap : come_and_go, f),
				 0);
	for (unsigned i = 0; i <= RUNNERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(scsi_target_n_luns(f->target), 1);
	/* Nothing of the nexuses that went is left */
	mutex_lock(&scsi_unit_lu(f->unit)->lock);
	assert_true(list_empty(&scsi_unit_lu(f->unit)->itls));
	assert_true(list_empty(&scsi_unit_lu(f->unit)->tasks));
	assert_true(list_empty(&scsi_unit_lu(f->unit)->finishing));
	mutex_unlock(&scsi_unit_lu(f->unit)->lock);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scsi_fake_setup, scsi_fake_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_lun_field),
		TEST(test_map),
		TEST(test_ports),
		TEST(test_luns_come_and_go),
		TEST(test_lun_comes_back),
		TEST(test_one_unit_under_two_luns),
		TEST(test_one_unit_in_two_targets),
		TEST(test_removal_waits_for_tasks),
		TEST(test_removal_of_another_lun),
		TEST(test_removal_of_an_aborted_task),
		TEST(test_begun_task_outlives_its_lun),
		TEST(test_lost_nexus),
		TEST(test_transport_id_limit),
		TEST(test_threads),
	};

	return cmocka_run_group_tests_name("scsi-target", tests, NULL, NULL);
}
