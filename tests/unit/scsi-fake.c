/* A storage program in memory whose requests a test can hold, fail and count. */
#include "scsi-fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(x)                                                                \
	do {                                                                    \
		if (!(x)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x); \
			abort();                                                \
		}                                                               \
	} while (0)

static uint8_t *
block_at(struct scsi_fake *f, uint64_t lba)
{
	return f->bytes + lba * f->params.block_length;
}

static void
set_provisioning(struct scsi_fake *f, uint64_t lba, uint64_t n, enum scsi_provisioning p)
{
	memset(f->provisioning + lba, p, n);
}

static void
do_write_same(struct scsi_fake *f, const struct scsi_backend_req *req)
{
	for (uint32_t i = 0; i < req->n_blocks; i++)
		memcpy(block_at(f, req->lba + i), req->data, f->params.block_length);
	set_provisioning(f, req->lba, req->n_blocks, SCSI_MAPPED);
}

static void
do_unmap(struct scsi_fake *f, const struct scsi_backend_req *req)
{
	for (uint32_t i = 0; i < req->n_ranges; i++) {
		const struct scsi_range *r = &req->ranges[i];

		memset(block_at(f, r->lba), 0,
		       (size_t)r->n_blocks * f->params.block_length);
		set_provisioning(f, r->lba, r->n_blocks, SCSI_DEALLOCATED);
	}
}

static struct scsi_result
do_compare_and_write(struct scsi_fake *f, const struct scsi_backend_req *req)
{
	size_t half = (size_t)req->n_blocks * f->params.block_length;
	const uint8_t *want = req->data, *have = block_at(f, req->lba);

	for (size_t i = 0; i < half; i++)
		if (want[i] != have[i])
			return scsi_sense_info(SENSE_MISCOMPARE, i);
	memcpy(block_at(f, req->lba), want + half, half);
	set_provisioning(f, req->lba, req->n_blocks, SCSI_MAPPED);
	return scsi_good();
}

static void
do_query(struct scsi_fake *f, struct scsi_backend_req *req)
{
	struct scsi_mapping *m = req->data;
	uint32_t n = 0;

	for (uint32_t i = 0; i < req->n_blocks; i++) {
		uint8_t p = f->provisioning[req->lba + i];

		if (n > 0 && m[n - 1].provisioning == p) {
			m[n - 1].n_blocks++;
			continue;
		}
		if (n == req->n_ranges)
			break;
		m[n++] = (struct scsi_mapping){req->lba + i, 1, p};
	}
	req->n_ranges = n;
}

static struct scsi_result
perform(struct scsi_fake *f, struct scsi_backend_req *req)
{
	size_t size = (size_t)req->n_blocks * f->params.block_length;

	CHECK(req->lba + req->n_blocks <= f->params.n_blocks);
	switch (req->kind) {
	case SCSI_IO_READ:
		memcpy(req->data, block_at(f, req->lba), size);
		break;
	case SCSI_IO_WRITE:
		memcpy(block_at(f, req->lba), req->data, size);
		set_provisioning(f, req->lba, req->n_blocks, SCSI_MAPPED);
		break;
	case SCSI_IO_UNMAP:
		do_unmap(f, req);
		break;
	case SCSI_IO_WRITE_ZEROES:
		memset(block_at(f, req->lba), 0, size);
		set_provisioning(f, req->lba, req->n_blocks,
				 req->may_unmap ? SCSI_DEALLOCATED : SCSI_MAPPED);
		break;
	case SCSI_IO_WRITE_SAME:
		do_write_same(f, req);
		break;
	case SCSI_IO_COMPARE_AND_WRITE:
		return do_compare_and_write(f, req);
	case SCSI_IO_QUERY_RANGES:
		do_query(f, req);
		break;
	default:
		break;
	}
	return scsi_good();
}

static struct scsi_result
answer_locked(struct scsi_fake *f, struct scsi_backend_req *req)
{
	return f->fail ? f->failure : perform(f, req);
}

static bool
submit(void *backend, struct scsi_backend_req *req, struct scsi_result *ret_res)
{
	struct scsi_fake *f = backend;
	bool held;

	mutex_lock(&f->lock);
	f->n_requests[req->kind]++;
	f->last_fua = req->fua;
	held = f->hold && f->n_held < ARRAY_SIZE(f->held);
	if (held) {
		f->held[f->n_held++] = req;
		cond_broadcast(&f->changed);
	} else {
		*ret_res = answer_locked(f, req);
	}
	mutex_unlock(&f->lock);
	return !held;
}

static int
resize(void *backend, uint64_t n_blocks)
{
	struct scsi_fake *f = backend;

	return n_blocks <= f->params.n_blocks ? 0 : -1;
}

void
scsi_fake_init(struct scsi_fake *f)
{
	*f = (struct scsi_fake){
		.params =
			{
				.guid = {0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0,
					 1, 2, 3, 4, 5, 6, 7, 8},
				.n_blocks = 2048,
				.block_length = 512,
				.max_transfer = 65536,
				.vendor = "FAKE",
				.product = "Memory",
				.revision = "1.0",
				.cache_supported = true,
				.unmap_supported = true,
				.unmap_zeroes = true,
				.rotation = 1,
			},
		.kinds = (SCSI_IO_BIT(SCSI_IO_KIND_LIMIT) - 1) & ~1u,
		.n_slots = 2,
	};
	mutex_init(&f->lock);
	cond_init(&f->changed);
}

static void
open_nexus(struct scsi_fake *f, unsigned i)
{
	/* SPC-4 7.6.4.6: iSCSI TransportID, format 01b */
	uint8_t id[32] = {0x45, 0, 0, 28};
	struct scsi_nexus_params p = {
		.initiator = i == 0 ? "iqn.fake:a,i,0x1" : "iqn.fake:b,i,0x2",
		.transport_id = id,
		.n_transport_id = sizeof(id),
		.target_port = 1,
	};

	snprintf((char *)id + 4, sizeof(id) - 4, "iqn.fake:%c,i,0x%u", 'a' + (int)i,
		 i + 1);
	CHECK(scsi_nexus_create(f->target, &p, &f->nexuses[i]) == 0);
}

void
scsi_fake_open(struct scsi_fake *f)
{
	static const struct scsi_backend_ops template = {.submit = submit,
							 .resize = resize};
	struct scsi_backend_ops ops = template;
	char error[256] = "";

	ops.kinds = f->kinds;
	f->bytes = calloc(f->params.n_blocks, f->params.block_length);
	f->provisioning = calloc(f->params.n_blocks, 1);
	CHECK(f->bytes && f->provisioning);
	set_provisioning(f, 0, f->params.n_blocks, SCSI_DEALLOCATED);
	if (scsi_unit_create(&f->params, &ops, f, error, sizeof(error), &f->unit) < 0) {
		fprintf(stderr, "scsi_unit_create: %s\n", error);
		abort();
	}
	CHECK(scsi_unit_start(f->unit, f->n_slots) == 0);
	CHECK(scsi_target_create("iqn.fake:target", &f->target) == 0);
	CHECK(scsi_target_add_port(f->target, 1, "iqn.fake:target,t,0x0001") == 0);
	CHECK(scsi_target_add_lun(f->target, 0, f->unit) == 0);
	for (unsigned i = 0; i < SCSI_FAKE_NEXUSES; i++)
		open_nexus(f, i);
}

void
scsi_fake_close(struct scsi_fake *f)
{
	for (unsigned i = 0; i < SCSI_FAKE_NEXUSES; i++)
		scsi_nexus_destroy(take(&f->nexuses[i]));
	scsi_target_destroy(take(&f->target));
	(void)scsi_unit_stop(f->unit);
	scsi_unit_unref(take(&f->unit));
	free(take(&f->bytes));
	free(take(&f->provisioning));
	cond_fini(&f->changed);
	mutex_fini(&f->lock);
}

void
scsi_fake_hold(struct scsi_fake *f)
{
	mutex_lock(&f->lock);
	f->hold = true;
	mutex_unlock(&f->lock);
}

void
scsi_fake_wait_held(struct scsi_fake *f, unsigned n)
{
	mutex_lock(&f->lock);
	while (f->n_held < n)
		cond_wait(&f->changed, &f->lock);
	mutex_unlock(&f->lock);
}

void
scsi_fake_release(struct scsi_fake *f)
{
	struct scsi_backend_req *reqs[ARRAY_SIZE(f->held)];
	struct scsi_result res[ARRAY_SIZE(f->held)];
	unsigned n;

	mutex_lock(&f->lock);
	f->hold = false;
	n = f->n_held;
	f->n_held = 0;
	for (unsigned i = 0; i < n; i++) {
		reqs[i] = f->held[i];
		res[i] = answer_locked(f, reqs[i]);
	}
	mutex_unlock(&f->lock);
	for (unsigned i = 0; i < n; i++)
		scsi_unit_complete(reqs[i], res[i]);
}

void
scsi_fake_fail(struct scsi_fake *f, const struct scsi_result *failure)
{
	mutex_lock(&f->lock);
	f->fail = failure != NULL;
	if (failure)
		f->failure = *failure;
	mutex_unlock(&f->lock);
}

static void
complete(struct scsi_task *task)
{
	struct scsi_fake_task *t = task->ctx;

	CHECK(task->n_in <= task->n_transfer);
	mutex_lock(&t->lock);
	t->n_completions++;
	cond_broadcast(&t->done);
	mutex_unlock(&t->lock);
}

bool
scsi_fake_begin(struct scsi_fake_task *t, struct scsi_nexus *nexus, uint64_t lun,
		const uint8_t *cdb, size_t n_cdb, uint8_t attribute, uint64_t tag)
{
	*t = (struct scsi_fake_task){0};
	mutex_init(&t->lock);
	cond_init(&t->done);
	memset(&t->task, 0x5a,
	       sizeof(t->task)); /* doors do not clear what is not theirs */
	t->task.nexus = nexus;
	t->task.lun = lun;
	memset(t->task.cdb, 0, sizeof(t->task.cdb));
	memcpy(t->task.cdb, cdb, MIN(n_cdb, sizeof(t->task.cdb)));
	t->task.n_cdb = (uint8_t)n_cdb;
	t->task.attribute = attribute;
	t->task.tag = tag;
	t->task.complete = complete;
	t->task.ctx = t;
	return scsi_task_begin(&t->task);
}

void
scsi_fake_execute(struct scsi_fake_task *t, const void *out, size_t n_out)
{
	struct scsi_task *task = &t->task;

	if (task->direction == SCSI_DATA_OUT) {
		size_t size = MIN(n_out, (size_t)task->n_transfer);

		task->n_out = (uint32_t)n_out;
		/* Exactly as large as what came: a read beyond it is caught */
		t->out = malloc(MAX(size, 1u));
		CHECK(t->out);
		if (size > 0)
			memcpy(t->out, out, size);
		task->data_out = t->out;
	} else if (task->direction == SCSI_DATA_IN) {
		t->in = malloc(task->n_transfer);
		CHECK(t->in);
		memset(t->in, 0xa5, MIN(task->n_transfer, 8192u));
		task->data_in = t->in;
		task->cap_in = task->n_transfer;
	}
	scsi_task_execute(task);
}

bool
scsi_fake_is_done(struct scsi_fake_task *t)
{
	bool done;

	mutex_lock(&t->lock);
	done = t->n_completions > 0;
	mutex_unlock(&t->lock);
	return done;
}

void
scsi_fake_wait(struct scsi_fake_task *t)
{
	mutex_lock(&t->lock);
	while (t->n_completions == 0)
		cond_wait(&t->done, &t->lock);
	CHECK(t->n_completions == 1);
	mutex_unlock(&t->lock);
}

void
scsi_fake_task_fini(struct scsi_fake_task *t)
{
	cond_fini(&t->done);
	mutex_fini(&t->lock);
	free(t->out);
	free(t->in);
}

struct scsi_fake_reply
scsi_fake_run_at(struct scsi_nexus *nexus, uint64_t lun, const uint8_t *cdb, size_t n_cdb,
		 const void *out, size_t n_out, void *in, size_t cap)
{
	struct scsi_fake_reply r;
	struct scsi_fake_task t;

	memset(&r, 0, sizeof(r));
	memset(r.in, 0xa5, sizeof(r.in));
	r.begun = scsi_fake_begin(&t, nexus, lun, cdb, n_cdb, SCSI_SIMPLE, 1);
	if (r.begun) {
		scsi_fake_execute(&t, out, n_out);
		scsi_fake_wait(&t);
		r.n_in = t.task.n_in;
		r.aborted = t.task.aborted;
		if (r.n_in > 0)
			memcpy(r.in, t.in, MIN(r.n_in, sizeof(r.in)));
		if (r.n_in > 0 && in)
			memcpy(in, t.in, MIN(r.n_in, cap));
	}
	r.res = t.task.result;
	r.n_transfer = t.task.n_transfer;
	scsi_fake_task_fini(&t);
	return r;
}

struct scsi_fake_reply
scsi_fake_run(struct scsi_fake *f, unsigned nexus, const uint8_t *cdb, size_t n_cdb,
	      const void *out, size_t n_out)
{
	return scsi_fake_run_at(f->nexuses[nexus], 0, cdb, n_cdb, out, n_out, NULL, 0);
}

void
scsi_fake_clear_attentions(struct scsi_fake *f)
{
	static const uint8_t test_unit_ready[6];

	for (unsigned i = 0; i < SCSI_FAKE_NEXUSES; i++) {
		struct scsi_fake_reply r;

		do
			r = scsi_fake_run(f, i, test_unit_ready, sizeof(test_unit_ready),
					  NULL, 0);
		while (r.res.status == SCSI_CHECK_CONDITION &&
		       r.res.key == SCSI_KEY_UNIT_ATTENTION);
	}
}

int
scsi_fake_setup(void **state)
{
	static struct scsi_fake f;

	scsi_fake_init(&f);
	scsi_fake_open(&f);
	scsi_fake_clear_attentions(&f);
	*state = &f;
	return 0;
}

int
scsi_fake_teardown(void **state)
{
	scsi_fake_close(*state);
	return 0;
}
