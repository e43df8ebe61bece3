/*
 * CDBs with their data, task management, and LUNs and nexuses that come and go, against a
 * small unit in memory. Every task that began completes once, a reply stays within its
 * buffer, what fails has sense that can be read.
 *
 * The input is a row of steps: a byte that says which, then what it needs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "scsi/lu.h"
#include "tests/unit/scsi-fake.h"

#define CHECK(x)                                                                \
	do {                                                                    \
		if (!(x)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x); \
			abort();                                                \
		}                                                               \
	} while (0)

enum { N_TASKS = 8, N_STEPS = 64, N_BLOCKS = 64 };

struct cursor {
	const uint8_t *p, *end;
};

static uint8_t
next_byte(struct cursor *c)
{
	return c->p < c->end ? *c->p++ : 0;
}

static size_t
next_bytes(struct cursor *c, size_t want, const uint8_t **ret_bytes)
{
	size_t n = MIN(want, (size_t)(c->end - c->p));

	*ret_bytes = c->p;
	c->p += n;
	return n;
}

struct answer {
	unsigned n; /* under lock */
	struct mutex lock;
	struct cond cond;
};

struct run {
	struct scsi_fake f;
	struct scsi_fake_task tasks[N_TASKS];
	struct {
		const uint8_t *out;
		size_t n_out;
		bool used, begun_only;
	} info[N_TASKS];
	struct answer answers[N_STEPS];
	unsigned n_answers;
	uint64_t next_tag;
	bool holding;
};

static void
check_result(const struct scsi_fake_task *t)
{
	const struct scsi_task *task = &t->task;
	uint8_t sense[SCSI_SENSE_SIZE_MAX];
	size_t n = scsi_task_sense(task, sense);
	struct scsi_result parsed;

	if (task->aborted)
		return;
	CHECK((n > 0) == (task->result.status == SCSI_CHECK_CONDITION));
	if (n > 0) {
		CHECK(scsi_sense_parse(sense, n, &parsed));
		CHECK(parsed.key == task->result.key && parsed.asc == task->result.asc);
	}
	CHECK(task->n_in <= task->n_transfer && task->n_transfer <= SCSI_TRANSFER_MAX);
	CHECK(task->n_in == 0 || task->direction == SCSI_DATA_IN);
}

static void
forget(struct run *r, unsigned i)
{
	scsi_fake_task_fini(&r->tasks[i]);
	r->info[i].used = false;
}

/* Ends all that is under way: what only began is given up, then nothing keeps the rest. */
static void
flush(struct run *r)
{
	for (unsigned i = 0; i < N_TASKS; i++)
		if (r->info[i].used && r->info[i].begun_only) {
			scsi_task_cancel(&r->tasks[i].task);
			CHECK(r->tasks[i].n_completions == 0);
			forget(r, i);
		}
	scsi_fake_release(&r->f);
	r->holding = false;
	for (unsigned i = 0; i < N_TASKS; i++)
		if (r->info[i].used) {
			scsi_fake_wait(&r->tasks[i]);
			check_result(&r->tasks[i]);
			forget(r, i);
		}
	for (unsigned i = 0; i < r->n_answers; i++) {
		struct answer *a = &r->answers[i];

		mutex_lock(&a->lock);
		while (a->n == 0)
			cond_wait(&a->cond, &a->lock);
		CHECK(a->n == 1);
		mutex_unlock(&a->lock);
		cond_fini(&a->cond);
		mutex_fini(&a->lock);
	}
	r->n_answers = 0;
}

static unsigned
free_slot(struct run *r)
{
	for (unsigned i = 0; i < N_TASKS; i++)
		if (!r->info[i].used)
			return i;
	flush(r);
	return 0;
}

static bool
any_begun_only(const struct run *r)
{
	for (unsigned i = 0; i < N_TASKS; i++)
		if (r->info[i].used && r->info[i].begun_only)
			return true;
	return false;
}

static void
execute(struct run *r, unsigned i)
{
	struct scsi_fake_task *t = &r->tasks[i];

	r->info[i].begun_only = false;
	scsi_fake_execute(t, r->info[i].out, r->info[i].n_out);
	/* With one held or to come it may have to wait for that */
	if (r->holding || any_begun_only(r))
		return;
	scsi_fake_wait(t);
	check_result(t);
	forget(r, i);
}

enum { NEXUS_BIT = 0x01, LUN_BIT = 0x02, BEGIN_ONLY_BIT = 0x10, BAD_LUN_BIT = 0x20 };

static uint64_t
lun_of(uint8_t how)
{
	if (how & BAD_LUN_BIT)
		return 0x0100000000000000ull;
	return scsi_lun_encode(how & LUN_BIT ? 1 : 0);
}

static void
step_command(struct run *r, struct cursor *c)
{
	uint8_t how = next_byte(c), n_cdb = next_byte(c) % 20;
	uint8_t cdb[32] = {0};
	const uint8_t *bytes;
	unsigned i = free_slot(r);
	uint16_t n_out;
	size_t n;

	n = next_bytes(c, n_cdb, &bytes);
	if (n > 0)
		memcpy(cdb, bytes, n);
	n_out = next_byte(c);
	n_out = (uint16_t)(n_out << 8 | next_byte(c));
	r->info[i].n_out = next_bytes(c, n_out, &r->info[i].out);
	if (!scsi_fake_begin(&r->tasks[i], r->f.nexuses[how & NEXUS_BIT], lun_of(how),
			     cdb, n_cdb, how >> 2 & 3, ++r->next_tag)) {
		CHECK(!scsi_ok(r->tasks[i].task.result));
		check_result(&r->tasks[i]);
		scsi_fake_task_fini(&r->tasks[i]);
		return;
	}
	r->info[i].used = true;
	r->info[i].begun_only = how & BEGIN_ONLY_BIT;
	if (!r->info[i].begun_only)
		execute(r, i);
}

static void
answered(void *ctx, enum scsi_tmf_response response)
{
	struct answer *a = ctx;

	CHECK(response <= SCSI_TMF_NOT_SUPPORTED);
	mutex_lock(&a->lock);
	a->n++;
	cond_broadcast(&a->cond);
	mutex_unlock(&a->lock);
}

static void
step_tmf(struct run *r, struct cursor *c)
{
	uint8_t function = next_byte(c) % 12, how = next_byte(c), back = next_byte(c);
	struct answer *a = &r->answers[r->n_answers++];

	*a = (struct answer){0};
	mutex_init(&a->lock);
	cond_init(&a->cond);
	scsi_tmf(r->f.nexuses[how & NEXUS_BIT], (enum scsi_tmf)function, lun_of(how),
		 r->next_tag - back % 16, answered, a);
}

static void
step_hold(struct run *r, struct cursor *c)
{
	if (next_byte(c) & 1) {
		scsi_fake_hold(&r->f);
		r->holding = true;
	} else {
		flush(r);
	}
}

static void
step_execute(struct run *r, struct cursor *c)
{
	unsigned i = next_byte(c) % N_TASKS;

	if (r->info[i].used && r->info[i].begun_only)
		execute(r, i);
}

static void
renew_nexus(struct run *r, unsigned i)
{
	struct scsi_nexus *old = r->f.nexuses[i];
	struct scsi_nexus_params p = {
		.initiator = old->initiator,
		.transport_id = old->transport_id,
		.n_transport_id = old->n_transport_id,
		.target_port = old->target_port,
	};

	CHECK(scsi_nexus_create(r->f.target, &p, &r->f.nexuses[i]) == 0);
	scsi_nexus_destroy(old);
}

static void
step_topology(struct run *r, struct cursor *c)
{
	uint8_t what = next_byte(c);

	flush(r);
	switch (what % 4) {
	case 0:
		(void)scsi_target_add_lun(r->f.target, 1, r->f.unit);
		break;
	case 1:
		(void)scsi_target_remove_lun(r->f.target, 1);
		break;
	case 2:
		renew_nexus(r, what >> 2 & 1);
		break;
	case 3:
		CHECK(scsi_target_remove_lun(r->f.target, 0) == 0);
		CHECK(scsi_target_add_lun(r->f.target, 0, r->f.unit) == 0);
		break;
	}
}

static void (*const steps[8])(struct run *r, struct cursor *c) = {
	step_command, step_command, step_command, step_command,
	step_tmf,     step_hold,    step_execute, step_topology,
};

static void
open_unit(struct run *r, uint8_t how)
{
	scsi_fake_init(&r->f);
	r->f.n_slots = 1;
	r->f.params.n_blocks = N_BLOCKS;
	r->f.params.max_transfer = 4096;
	r->f.params.write_protected = how & 1;
	r->f.params.removable = how & 2;
	r->f.params.unmap_supported = !(how & 4);
	r->f.params.cache_supported = !(how & 8);
	if (how & 16)
		r->f.kinds = SCSI_IO_BIT(SCSI_IO_READ) | SCSI_IO_BIT(SCSI_IO_WRITE) |
			     SCSI_IO_BIT(SCSI_IO_FLUSH) | SCSI_IO_BIT(SCSI_IO_UNMAP);
	scsi_fake_open(&r->f);
	if (!(how & 32))
		scsi_fake_clear_attentions(&r->f);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct cursor c = {bytes, bytes + size};
	struct run *r = calloc(1, sizeof(*r));

	CHECK(r);
	open_unit(r, next_byte(&c));
	for (unsigned i = 0; i < N_STEPS && c.p < c.end; i++) {
		if (r->n_answers == ARRAY_SIZE(r->answers))
			flush(r);
		steps[next_byte(&c) % ARRAY_SIZE(steps)](r, &c);
	}
	flush(r);
	scsi_fake_close(&r->f);
	free(r);
	return 0;
}
