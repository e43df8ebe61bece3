/*
 * If this breaks: a reset answers while a write of before it is still on its way to the
 * medium, or takes too much or too little with it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <pthread.h>
#include <cmocka.h>

#include "scsi-fake.h"
#include "scsi/lu.h"

static const uint8_t test_unit_ready[6] = {0};
static const uint8_t read_10[10] = {0x28, 0, 0, 0, 0, 0, 0, 0, 1};
static const uint8_t write_10[10] = {0x2a, 0, 0, 0, 0, 0, 0, 0, 1};

static void
assert_sense(const struct scsi_result *res, enum scsi_sense sense)
{
	struct scsi_result want = scsi_sense(sense);

	assert_int_equal(res->status, SCSI_CHECK_CONDITION);
	assert_int_equal(res->asc << 8 | res->ascq, want.asc << 8 | want.ascq);
}

static struct scsi_result
ready(struct scsi_fake *f, unsigned nexus)
{
	return scsi_fake_run(f, nexus, test_unit_ready, 6, NULL, 0).res;
}

static void
assert_attention(struct scsi_fake *f, unsigned nexus, enum scsi_sense sense)
{
	struct scsi_result res = ready(f, nexus);

	assert_sense(&res, sense);
	res = ready(f, nexus);
	assert_true(scsi_ok(res));
}

struct answer {
	struct mutex lock;
	struct cond cond;
	unsigned n;
	enum scsi_tmf_response response;
};

static void
answered(void *ctx, enum scsi_tmf_response response)
{
	struct answer *a = ctx;

	mutex_lock(&a->lock);
	a->n++;
	a->response = response;
	cond_broadcast(&a->cond);
	mutex_unlock(&a->lock);
}

static void
ask(struct answer *a, struct scsi_nexus *nexus, enum scsi_tmf function, uint64_t lun,
    uint64_t tag)
{
	*a = (struct answer){0};
	mutex_init(&a->lock);
	cond_init(&a->cond);
	scsi_tmf(nexus, function, lun, tag, answered, a);
}

static bool
is_answered(struct answer *a)
{
	bool yes;

	mutex_lock(&a->lock);
	yes = a->n > 0;
	mutex_unlock(&a->lock);
	return yes;
}

static enum scsi_tmf_response
answer_of(struct answer *a)
{
	mutex_lock(&a->lock);
	while (a->n == 0)
		cond_wait(&a->cond, &a->lock);
	assert_int_equal(a->n, 1);
	mutex_unlock(&a->lock);
	cond_fini(&a->cond);
	mutex_fini(&a->lock);
	return a->response;
}

static enum scsi_tmf_response
tmf(struct scsi_fake *f, unsigned nexus, enum scsi_tmf function, uint64_t tag)
{
	struct answer a;

	ask(&a, f->nexuses[nexus], function, 0, tag);
	return answer_of(&a);
}

/* A read by a nexus that stays in the program */
static void
start_held(struct scsi_fake *f, struct scsi_fake_task *t, unsigned nexus, uint64_t tag,
	   unsigned n)
{
	scsi_fake_hold(f);
	assert_true(
		scsi_fake_begin(t, f->nexuses[nexus], 0, read_10, 10, SCSI_SIMPLE, tag));
	scsi_fake_execute(t, NULL, 0);
	scsi_fake_wait_held(f, n);
}

static void
end(struct scsi_fake_task *t, bool aborted)
{
	scsi_fake_wait(t);
	assert_int_equal(t->task.aborted, aborted);
	if (aborted)
		assert_int_equal(t->task.n_in, 0);
	scsi_fake_task_fini(t);
}

static void
test_abort_task_waits(void **state)
{
	struct scsi_fake *f = *state;
	struct scsi_fake_task mine, other;
	struct answer a;

	start_held(f, &mine, 0, 10, 1);
	start_held(f, &other, 0, 11, 2);
	ask(&a, f->nexuses[0], SCSI_TMF_ABORT_TASK, 0, 10);
	assert_false(is_answered(&a));
	assert_false(scsi_fake_is_done(&mine));
	scsi_fake_release(f);
	assert_int_equal(answer_of(&a), SCSI_TMF_COMPLETE);
	assert_true(scsi_fake_is_done(&mine));
	end(&mine, true);
	end(&other, false);
}

static void
test_abort_of_what_is_not_there(void **state)
{
	struct scsi_fake *f = *state;
	struct scsi_fake_task t;
	struct answer a;

	start_held(f, &t, 0, 10, 1);
	assert_int_equal(tmf(f, 0, SCSI_TMF_ABORT_TASK, 11), SCSI_TMF_NO_TASK);
	/* The tag is another nexus's */
	assert_int_equal(tmf(f, 1, SCSI_TMF_ABORT_TASK, 10), SCSI_TMF_NO_TASK);
	ask(&a, f->nexuses[0], SCSI_TMF_ABORT_TASK, scsi_lun_encode(3), 10);
	assert_int_equal(answer_of(&a), SCSI_TMF_NO_LUN);
	ask(&a, f->nexuses[0], SCSI_TMF_LU_RESET, UINT64_MAX, 10);
	assert_int_equal(answer_of(&a), SCSI_TMF_NO_LUN);
	scsi_fake_release(f);
	end(&t, false);
}

static void
test_two_functions_wait_for_one_task(void **state)
{
	struct scsi_fake *f = *state;
	struct scsi_fake_task t;
	struct answer a, b;

	start_held(f, &t, 0, 10, 1);
	ask(&a, f->nexuses[0], SCSI_TMF_ABORT_TASK, 0, 10);
	ask(&b, f->nexuses[1], SCSI_TMF_LU_RESET, 0, 0);
	assert_false(is_answered(&a));
	assert_false(is_answered(&b));
	scsi_fake_release(f);
	assert_int_equal(answer_of(&a), SCSI_TMF_COMPLETE);
	assert_int_equal(answer_of(&b), SCSI_TMF_COMPLETE);
	end(&t, true);
}

/* A door that takes its time to take the result */
struct slow_door {
	struct mutex lock;
	struct cond cond;
	bool entered, go, left;
	struct scsi_fake_task t;
};

static void
complete_slowly(struct scsi_task *task)
{
	struct slow_door *d = task->ctx;

	mutex_lock(&d->lock);
	d->entered = true;
	cond_broadcast(&d->cond);
	while (!d->go)
		cond_wait(&d->cond, &d->lock);
	d->left = true;
	mutex_unlock(&d->lock);
}

static void *
execute_slowly(void *ctx)
{
	struct slow_door *d = ctx;

	scsi_task_execute(&d->t.task);
	return NULL;
}

/* The task has its result and is on no list any more, but the door may still touch its memory. */
static void
test_complete_is_waited_for(void **state)
{
	struct scsi_fake *f = *state;
	struct slow_door d = {.lock = MUTEX_INIT};
	struct answer reset, abort_task;
	pthread_t thread;

	cond_init(&d.cond);
	assert_true(scsi_fake_begin(&d.t, f->nexuses[0], 0, test_unit_ready, 6,
				    SCSI_SIMPLE, 10));
	d.t.task.complete = complete_slowly;
	d.t.task.ctx = &d;
	assert_int_equal(pthread_create(&thread, NULL, execute_slowly, &d), 0);
	mutex_lock(&d.lock);
	while (!d.entered)
		cond_wait(&d.cond, &d.lock);
	mutex_unlock(&d.lock);
	ask(&reset, f->nexuses[0], SCSI_TMF_LU_RESET, 0, 0);
	ask(&abort_task, f->nexuses[0], SCSI_TMF_ABORT_TASK, 0, 10);
	assert_false(is_answered(&reset));
	assert_false(is_answered(&abort_task));
	mutex_lock(&d.lock);
	d.go = true;
	cond_broadcast(&d.cond);
	mutex_unlock(&d.lock);
	assert_int_equal(answer_of(&reset), SCSI_TMF_COMPLETE);
	/* It has not been aborted */
	assert_int_equal(answer_of(&abort_task), SCSI_TMF_NO_TASK);
	assert_true(d.left);
	assert_false(d.t.task.aborted);
	pthread_join(thread, NULL);
	scsi_fake_task_fini(&d.t);
	cond_fini(&d.cond);
}

/* Its data has not come: it must not hold up the answer, and ends when the door executes
 * it. */
static void
test_task_without_its_data(void **state)
{
	struct scsi_fake *f = *state;
	uint8_t data[512];
	struct scsi_fake_task t;

	memset(data, 0xee, sizeof(data));
	assert_true(scsi_fake_begin(&t, f->nexuses[0], 0, write_10, 10, SCSI_SIMPLE, 10));
	assert_int_equal(tmf(f, 1, SCSI_TMF_LU_RESET, 0), SCSI_TMF_COMPLETE);
	assert_int_equal(t.n_completions, 0);
	scsi_fake_execute(&t, data, sizeof(data));
	end(&t, true);
	assert_int_equal(f->bytes[0], 0);
	assert_int_equal(f->n_requests[SCSI_IO_WRITE], 0);
}

static void
test_held_back_task_ends_at_once(void **state)
{
	struct scsi_fake *f = *state;
	struct scsi_fake_task first, ordered;

	start_held(f, &first, 0, 1, 1);
	assert_true(scsi_fake_begin(&ordered, f->nexuses[0], 0, read_10, 10, SCSI_ORDERED,
				    2));
	scsi_fake_execute(&ordered, NULL, 0);
	assert_int_equal(tmf(f, 0, SCSI_TMF_ABORT_TASK, 2), SCSI_TMF_COMPLETE);
	end(&ordered, true);
	assert_int_equal(f->n_requests[SCSI_IO_READ], 1);
	scsi_fake_release(f);
	end(&first, false);
}

static void
test_abort_task_set(void **state)
{
	struct scsi_fake *f = *state;
	struct scsi_fake_task mine[3], other;
	struct answer a;

	for (unsigned i = 0; i < 3; i++)
		start_held(f, &mine[i], 0, i, i + 1);
	start_held(f, &other, 1, 0, 4);
	ask(&a, f->nexuses[0], SCSI_TMF_ABORT_TASK_SET, 0, 0);
	assert_false(is_answered(&a));
	scsi_fake_release(f);
	assert_int_equal(answer_of(&a), SCSI_TMF_COMPLETE);
	for (unsigned i = 0; i < 3; i++)
		end(&mine[i], true);
	end(&other, false);
	assert_true(scsi_ok(ready(f, 0)));
	assert_true(scsi_ok(ready(f, 1)));
}

static void
test_clear_task_set(void **state)
{
	struct scsi_fake *f = *state;
	struct scsi_fake_task mine, other;
	struct answer a;

	/* Nobody of the other nexus is hit: no attention */
	assert_int_equal(tmf(f, 0, SCSI_TMF_CLEAR_TASK_SET, 0), SCSI_TMF_COMPLETE);
	assert_true(scsi_ok(ready(f, 1)));
	start_held(f, &mine, 0, 1, 1);
	start_held(f, &other, 1, 1, 2);
	ask(&a, f->nexuses[0], SCSI_TMF_CLEAR_TASK_SET, 0, 0);
	scsi_fake_release(f);
	assert_int_equal(answer_of(&a), SCSI_TMF_COMPLETE);
	end(&mine, true);
	end(&other, true);
	assert_true(scsi_ok(ready(f, 0)));
	assert_attention(f, 1, SENSE_COMMANDS_CLEARED);
}

static void
check_reset(struct scsi_fake *f, enum scsi_tmf function)
{
	struct scsi_lu *lu = scsi_unit_lu(f->unit);
	struct scsi_fake_task mine, other;
	struct answer a;

	mutex_lock(&lu->lock);
	lu->mode.swp = true;
	lu->reserve6 = scsi_lu_find_itl_locked(lu, f->nexuses[0]);
	lu->reserve6->prevents = true;
	mutex_unlock(&lu->lock);
	start_held(f, &mine, 0, 1, 1);
	mutex_lock(&lu->lock);
	lu->reserve6 = NULL;
	mutex_unlock(&lu->lock);
	start_held(f, &other, 1, 1, 2);
	mutex_lock(&lu->lock);
	lu->reserve6 = scsi_lu_find_itl_locked(lu, f->nexuses[0]);
	mutex_unlock(&lu->lock);
	ask(&a, f->nexuses[1], function, 0, 0);
	assert_false(is_answered(&a));
	scsi_fake_release(f);
	assert_int_equal(answer_of(&a), SCSI_TMF_COMPLETE);
	end(&mine, true);
	end(&other, true);
	mutex_lock(&lu->lock);
	assert_false(lu->mode.swp);
	assert_null(lu->reserve6);
	assert_false(scsi_lu_find_itl_locked(lu, f->nexuses[0])->prevents);
	mutex_unlock(&lu->lock);
	/* Also the nexus that asked for the reset, SAM-5 6.3.3 */
	for (unsigned i = 0; i < 2; i++) {
		assert_attention(f, i, SENSE_BUS_DEVICE_RESET);
		assert_true(scsi_ok(ready(f, i)));
	}
}

static void
test_lu_reset(void **state)
{
	check_reset(*state, SCSI_TMF_LU_RESET);
}

static void
test_target_reset(void **state)
{
	check_reset(*state, SCSI_TMF_TARGET_RESET);
}

/* SAM-5 6.3.4, for the nexus that asks */
static void
test_nexus_reset(void **state)
{
	struct scsi_fake *f = *state;
	struct scsi_lu *lu = scsi_unit_lu(f->unit);
	struct scsi_fake_task mine, other;
	struct answer a;

	start_held(f, &mine, 0, 1, 1);
	start_held(f, &other, 1, 1, 2);
	mutex_lock(&lu->lock);
	lu->reserve6 = scsi_lu_find_itl_locked(lu, f->nexuses[0]);
	mutex_unlock(&lu->lock);
	ask(&a, f->nexuses[0], SCSI_TMF_I_T_NEXUS_RESET, 0, 0);
	scsi_fake_release(f);
	assert_int_equal(answer_of(&a), SCSI_TMF_COMPLETE);
	end(&mine, true);
	end(&other, false);
	mutex_lock(&lu->lock);
	assert_null(lu->reserve6);
	mutex_unlock(&lu->lock);
	assert_attention(f, 0, SENSE_NEXUS_LOSS);
	assert_true(scsi_ok(ready(f, 1)));
}

static void
test_query(void **state)
{
	struct scsi_fake *f = *state;
	struct scsi_fake_task t;

	assert_int_equal(tmf(f, 0, SCSI_TMF_QUERY_TASK, 5), SCSI_TMF_COMPLETE);
	assert_int_equal(tmf(f, 0, SCSI_TMF_QUERY_TASK_SET, 0), SCSI_TMF_COMPLETE);
	start_held(f, &t, 0, 5, 1);
	assert_int_equal(tmf(f, 0, SCSI_TMF_QUERY_TASK, 5), SCSI_TMF_SUCCEEDED);
	assert_int_equal(tmf(f, 0, SCSI_TMF_QUERY_TASK, 6), SCSI_TMF_COMPLETE);
	assert_int_equal(tmf(f, 1, SCSI_TMF_QUERY_TASK, 5), SCSI_TMF_COMPLETE);
	assert_int_equal(tmf(f, 0, SCSI_TMF_QUERY_TASK_SET, 0), SCSI_TMF_SUCCEEDED);
	assert_int_equal(tmf(f, 1, SCSI_TMF_QUERY_TASK_SET, 0), SCSI_TMF_COMPLETE);
	scsi_fake_release(f);
	end(&t, false);
}

static void
test_unknown_functions(void **state)
{
	struct scsi_fake *f = *state;

	assert_int_equal(tmf(f, 0, SCSI_TMF_CLEAR_ACA, 0), SCSI_TMF_NOT_SUPPORTED);
	assert_int_equal(tmf(f, 0, (enum scsi_tmf)0, 0), SCSI_TMF_NOT_SUPPORTED);
	assert_int_equal(tmf(f, 0, (enum scsi_tmf)200, 0), SCSI_TMF_NOT_SUPPORTED);
}

/* What PREEMPT AND ABORT uses: its status comes after the end of what it aborted. */
static void
test_finish_after_aborts(void **state)
{
	struct scsi_fake *f = *state;
	struct scsi_lu *lu = scsi_unit_lu(f->unit);
	struct scsi_fake_task victim, first, second;

	start_held(f, &victim, 1, 1, 1);
	assert_true(scsi_fake_begin(&first, f->nexuses[0], 0, test_unit_ready, 6,
				    SCSI_SIMPLE, 2));
	assert_true(scsi_fake_begin(&second, f->nexuses[0], 0, test_unit_ready, 6,
				    SCSI_SIMPLE, 3));
	mutex_lock(&lu->lock);
	first.task.started = second.task.started = true;
	assert_int_equal(scsi_lu_abort_locked(lu, f->nexuses[1], false), 1);
	mutex_unlock(&lu->lock);
	scsi_task_finish_after_aborts(&first.task, scsi_good());
	assert_false(scsi_fake_is_done(&first));
	/* Two that abort each other do not wait for each other */
	mutex_lock(&lu->lock);
	first.task.aborted = second.task.aborted = true;
	mutex_unlock(&lu->lock);
	scsi_task_finish_after_aborts(&second.task, scsi_good());
	scsi_fake_release(f);
	end(&victim, true);
	end(&first, true);
	end(&second, true);
	/* begin's references, which execute would have dropped */
	scsi_unit_unref(f->unit);
	scsi_unit_unref(f->unit);
}

/* Many threads, resets among them: each task completes once, none is lost */

enum { WORKERS = 4, ROUNDS = 300 };

struct worker {
	struct scsi_fake *f;
	unsigned nexus, number;
	unsigned n_good, n_aborted;
};

static void *
work(void *ctx)
{
	struct worker *w = ctx;
	static const uint8_t attributes[4] = {SCSI_SIMPLE, SCSI_ORDERED, SCSI_SIMPLE,
					      SCSI_HEAD_OF_QUEUE};
	uint8_t data[512] = {0};

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct scsi_fake_task t;
		const uint8_t *cdb = i % 3 ? read_10 : write_10;

		if (scsi_fake_begin(&t, w->f->nexuses[w->nexus], 0, cdb, 10,
				    attributes[i % 4], (uint64_t)w->number << 32 | i)) {
			scsi_fake_execute(&t, data, sizeof(data));
			scsi_fake_wait(&t);
			w->n_good += !t.task.aborted && scsi_ok(t.task.result);
			w->n_aborted += t.task.aborted;
		}
		scsi_fake_task_fini(&t);
	}
	return NULL;
}

static void *
reset(void *ctx)
{
	static const enum scsi_tmf functions[] = {
		SCSI_TMF_LU_RESET,	  SCSI_TMF_ABORT_TASK_SET,
		SCSI_TMF_CLEAR_TASK_SET,  SCSI_TMF_QUERY_TASK_SET,
		SCSI_TMF_I_T_NEXUS_RESET, SCSI_TMF_TARGET_RESET};
	struct worker *w = ctx;

	for (unsigned i = 0; i < ROUNDS / 4; i++) {
		enum scsi_tmf_response r =
			tmf(w->f, w->nexus, functions[i % ARRAY_SIZE(functions)], 0);

		w->n_good += r == SCSI_TMF_COMPLETE || r == SCSI_TMF_SUCCEEDED;
	}
	return NULL;
}

static void
test_threads(void **state)
{
	struct scsi_fake *f = *state;
	struct worker workers[WORKERS + 1] = {0};
	pthread_t threads[WORKERS + 1];

	for (unsigned i = 0; i <= WORKERS; i++) {
		workers[i] = (struct worker){.f = f, .nexus = i % 2, .number = i};
		assert_int_equal(pthread_create(&threads[i], NULL,
						i == WORKERS ? reset : work, &workers[i]),
				 0);
	}
	for (unsigned i = 0; i <= WORKERS; i++)
		pthread_join(threads[i], NULL);
	for (unsigned i = 0; i < WORKERS; i++)
		assert_true(workers[i].n_good > 0);
	assert_int_equal(workers[WORKERS].n_good, ROUNDS / 4);
	scsi_fake_clear_attentions(f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scsi_fake_setup, scsi_fake_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_abort_task_waits),
		TEST(test_abort_of_what_is_not_there),
		TEST(test_two_functions_wait_for_one_task),
		TEST(test_complete_is_waited_for),
		TEST(test_task_without_its_data),
		TEST(test_held_back_task_ends_at_once),
		TEST(test_abort_task_set),
		TEST(test_clear_task_set),
		TEST(test_lu_reset),
		TEST(test_target_reset),
		TEST(test_nexus_reset),
		TEST(test_query),
		TEST(test_unknown_functions),
		TEST(test_finish_after_aborts),
		TEST(test_threads),
	};

	return cmocka_run_group_tests_name("scsi-tmf", tests, NULL, NULL);
}
