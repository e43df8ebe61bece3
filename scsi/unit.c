/*
 * Storage units: checks, slots, and the way of a request to the program and back.
 *
 * Invariants, ruled by lock:
 *   n_running   jobs in a slot, at most n_slots; a job that waits for exclusivity has left its own
 *   n_ios       block requests that have begun and not completed, asynchronous ones included
 *   n_away      who waits for a slot on a thread of its own: a caller that may block, or a job that has
 *               been to another unit and comes back
 *   queue       jobs that wait for a slot, oldest first
 *   exclusive   one job has the unit alone: nothing else starts
 * A job starts when a slot is free, nobody is exclusive, and nobody waits to be; the rest of a request
 * that has begun does not wait for who waits for its end.
 *
 *   submit --checks--> slot free and unit quick? --yes--> backend on this thread
 *                            | no                             | true: complete
 *                          queue --> worker --> backend        | false: scsi_unit_complete, later
 */
#include "scsi/unit.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/mutex.h"
#include "scsi/emulate.h"
#include "scsi/lu.h"

enum {
	/* A callback that takes longer, on average, is worth the price of a hand-over. */
	QUICK_NS = 200 * 1000,
	SLOTS_MAX = 256,
	BLOCK_LENGTH_MIN = 16,
	BLOCK_LENGTH_MAX = 1 << 20,
	PHYSICAL_EXPONENT_MAX = 7,
	DESCRIPTOR_SIZE = 16 /* bytes of an UNMAP descriptor: max_transfer bounds a list of them */
};

enum unit_state { UNIT_NEW, UNIT_SERVING, UNIT_STOPPING, UNIT_STOPPED };

struct scsi_unit {
	struct scsi_unit_params params;
	struct scsi_backend_ops ops;
	void *backend;
	struct scsi_lu *lu;
	char serial[37];
	atomic_uint refs;
	_Atomic uint64_t n_blocks;
	_Atomic uint64_t next_id;
	/* enum unit_state; written with lock held, so a reader without it may be late by one request,
	 * which then fails or completes as if it had come at another time */
	atomic_int state;
	/* Moving average of a callback's time, ns; a hint, so nothing pairs with it */
	_Atomic uint32_t typical_ns;

	struct mutex lock; /* rules what follows, down to workers */
	struct list queue;
	struct cond work;  /* for workers: a job may start */
	struct cond quiet; /* n_running or n_ios fell, exclusive ended */
	unsigned n_slots, n_running, n_ios, n_waiting_exclusive;
	unsigned n_away;
	bool exclusive;
	bool drained; /* nothing is under way and nothing will come: workers end */
	struct scsi_result final_flush;
	pthread_t workers[SLOTS_MAX];
	unsigned n_workers;

	struct mutex listen_lock;
	struct cond listen_idle;
	struct list listeners;
	unsigned n_notifying;

	struct {
		_Atomic uint64_t n_ios[SCSI_IO_KIND_LIMIT];
		_Atomic uint64_t n_bytes_read, n_bytes_written, n_errors, n_inline, n_queued;
	} counters;
};

/* The unit in whose slot this thread is. */
static _Thread_local struct scsi_unit *slot_unit;

static const uint32_t write_kinds = SCSI_IO_BIT(SCSI_IO_WRITE) | SCSI_IO_BIT(SCSI_IO_UNMAP) |
				    SCSI_IO_BIT(SCSI_IO_WRITE_ZEROES) |
				    SCSI_IO_BIT(SCSI_IO_WRITE_SAME) |
				    SCSI_IO_BIT(SCSI_IO_COMPARE_AND_WRITE);

/* ---------------------------------------------------------------- life */

static int
fail(char *error, size_t cap, const char *fmt, ...) PRINTF_LIKE(3, 4);

static int
fail(char *error, size_t cap, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(error, cap, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static bool
is_printable(const char *s)
{
	for (; *s; s++)
		if (*s < 0x20 || *s > 0x7e)
			return false;
	return true;
}

/* winspd-api: the rules of provisioning; ours go further where a wire or a kernel would. */
static int
check_params(const struct scsi_unit_params *p, char *error, size_t cap)
{
	static const uint8_t no_guid[16];
	uint64_t n_bytes;

	if (memcmp(p->guid, no_guid, sizeof(no_guid)) == 0)
		return fail(error, cap, "the unit has no GUID");
	if (p->n_blocks == 0)
		return fail(error, cap, "the unit has no blocks");
	if (p->block_length < BLOCK_LENGTH_MIN || p->block_length > BLOCK_LENGTH_MAX)
		return fail(error, cap, "block length %u is outside %d..%d", p->block_length,
			    BLOCK_LENGTH_MIN, BLOCK_LENGTH_MAX);
	if (mul_overflows(p->n_blocks, (uint64_t)p->block_length, &n_bytes) ||
	    n_bytes > INT64_MAX)
		return fail(error, cap, "%llu blocks of %u bytes are more than 2^63 bytes",
			    (unsigned long long)p->n_blocks, p->block_length);
	if (p->max_transfer == 0 || p->max_transfer % p->block_length != 0)
		return fail(error, cap,
			    "maximum transfer length %u is not a multiple of the block length %u",
			    p->max_transfer, p->block_length);
	if (p->physical_exponent > PHYSICAL_EXPONENT_MAX)
		return fail(error, cap, "a physical block has at most %d logical ones",
			    1 << PHYSICAL_EXPONENT_MAX);
	if (!is_printable(p->vendor) || !is_printable(p->product) || !is_printable(p->revision))
		return fail(error, cap, "vendor, product and revision are printable ASCII");
	return 0;
}

static void
format_guid(const uint8_t g[16], char dst[37])
{
	static const uint8_t dash_after[] = {4, 6, 8, 10};
	size_t n = 0, d = 0;

	for (unsigned i = 0; i < 16; i++) {
		if (d < ARRAY_SIZE(dash_after) && i == dash_after[d]) {
			dst[n++] = '-';
			d++;
		}
		n += (size_t)sprintf(dst + n, "%02x", g[i]);
	}
}

static void
destroy(struct scsi_unit *unit)
{
	scsi_lu_destroy(unit->lu);
	mutex_fini(&unit->lock);
	cond_fini(&unit->work);
	cond_fini(&unit->quiet);
	mutex_fini(&unit->listen_lock);
	cond_fini(&unit->listen_idle);
	free(unit);
}

int
scsi_unit_create(const struct scsi_unit_params *params, const struct scsi_backend_ops *ops,
		 void *backend, char *error, size_t cap, struct scsi_unit **ret_unit)
{
	int err = check_params(params, error, cap);
	struct scsi_unit *unit;

	if (err < 0)
		return err;
	unit = calloc(1, sizeof(*unit));
	if (!unit)
		return -ENOMEM;
	unit->params = *params;
	unit->ops = *ops;
	unit->backend = backend;
	atomic_init(&unit->refs, 1);
	atomic_init(&unit->n_blocks, params->n_blocks);
	format_guid(params->guid, unit->serial);
	mutex_init(&unit->lock);
	cond_init(&unit->work);
	cond_init(&unit->quiet);
	list_init(&unit->queue);
	mutex_init(&unit->listen_lock);
	cond_init(&unit->listen_idle);
	list_init(&unit->listeners);
	err = scsi_lu_create(unit, &unit->lu);
	if (err < 0) {
		fail(error, cap, "the logical unit could not be set up: %s", strerror(-err));
		destroy(unit);
		return err;
	}
	*ret_unit = unit;
	return 0;
}

struct scsi_unit *
scsi_unit_ref(struct scsi_unit *unit)
{
	atomic_fetch_add_explicit(&unit->refs, 1, memory_order_relaxed);
	return unit;
}

void
scsi_unit_unref(struct scsi_unit *unit)
{
	/* acq_rel: what other owners did to the unit is done before it is freed */
	if (unit && atomic_fetch_sub_explicit(&unit->refs, 1, memory_order_acq_rel) == 1) {
		(void)scsi_unit_stop(unit);
		destroy(unit);
	}
}

const struct scsi_unit_params *
scsi_unit_params(const struct scsi_unit *unit)
{
	return &unit->params;
}

uint64_t
scsi_unit_n_blocks(const struct scsi_unit *unit)
{
	return atomic_load_explicit(&unit->n_blocks, memory_order_relaxed);
}

uint32_t
scsi_unit_kinds(const struct scsi_unit *unit)
{
	return unit->ops.kinds;
}

const char *
scsi_unit_serial(const struct scsi_unit *unit)
{
	return unit->serial;
}

struct scsi_lu *
scsi_unit_lu(struct scsi_unit *unit)
{
	return unit->lu;
}

void *
scsi_unit_alloc(size_t size)
{
	return aligned_alloc(4096, ALIGN_UP(MAX(size, (size_t)1), 4096));
}

void
scsi_unit_free(void *p)
{
	free(p);
}

/* ---------------------------------------------------------------- slots */

static bool
is_native(const struct scsi_unit *unit, enum scsi_io_kind kind)
{
	return unit->ops.kinds & SCSI_IO_BIT(kind);
}

static void
io_job(struct scsi_job *job)
{
	(void)job; /* run_job knows requests by this address */
}

/* The request that a job is, or NULL. */
static struct scsi_io *
io_of(struct scsi_job *job)
{
	return job->run == io_job ? container_of(job, struct scsi_io, job) : NULL;
}

/* job NULL: who comes back for its slot. */
static bool
may_start_locked(const struct scsi_unit *unit, struct scsi_job *job)
{
	bool has_begun = job && io_of(job) && io_of(job)->has_begun;

	return !unit->exclusive && (unit->n_waiting_exclusive == 0 || has_begun) &&
	       unit->n_running < unit->n_slots;
}

static struct scsi_job *
first_in_queue(const struct scsi_unit *unit)
{
	return list_empty(&unit->queue) ? NULL :
					  list_first(&unit->queue, struct scsi_job, link);
}

/* Takes a slot. An emulation does not count as a request, its parts do: it may want to be alone. */
static void
enter_locked(struct scsi_unit *unit, struct scsi_job *job)
{
	struct scsi_io *io = io_of(job);

	unit->n_running++;
	if (io && is_native(unit, io->kind) && !io->has_begun) {
		io->has_begun = true;
		unit->n_ios++;
	}
}

/* Somebody may go on now: a queued job, or who waits for quiet. */
static void
wake_locked(struct scsi_unit *unit)
{
	if (first_in_queue(unit) && may_start_locked(unit, first_in_queue(unit)))
		cond_signal(&unit->work);
	if (unit->n_waiting_exclusive > 0 || unit->n_away > 0 ||
	    atomic_load(&unit->state) != UNIT_SERVING)
		cond_broadcast(&unit->quiet);
}

static bool io_step(struct scsi_io *io);
static void io_finish(struct scsi_io *io);

/* Leaves the slot; io_done: its request is complete as well. */
static void
leave(struct scsi_unit *unit, bool io_done)
{
	mutex_lock(&unit->lock);
	unit->n_running--;
	unit->n_ios -= io_done;
	wake_locked(unit);
	mutex_unlock(&unit->lock);
}

/* In a slot. A single request gives its slot back before its completion runs in the door. */
static void
run_job(struct scsi_unit *unit, struct scsi_job *job)
{
	struct scsi_unit *outer = slot_unit;
	struct scsi_io *io = io_of(job);

	slot_unit = unit;
	if (io) {
		bool counted = io->has_begun, done = io_step(io);

		slot_unit = outer;
		leave(unit, done && counted);
		if (done)
			io_finish(io);
		return;
	}
	job->run(job);
	slot_unit = outer;
	leave(unit, false);
}

static void *
worker_main(void *arg)
{
	struct scsi_unit *unit = arg;

	mutex_lock(&unit->lock);
	for (;;) {
		struct scsi_job *job = first_in_queue(unit);

		if (!job && unit->drained)
			break;
		if (!job || !may_start_locked(unit, job)) {
			cond_wait(&unit->work, &unit->lock);
			continue;
		}
		list_remove(&job->link);
		enter_locked(unit, job);
		mutex_unlock(&unit->lock);
		run_job(unit, job);
		mutex_lock(&unit->lock);
	}
	mutex_unlock(&unit->lock);
	return NULL;
}

static bool
is_quick(struct scsi_unit *unit)
{
	return atomic_load_explicit(&unit->typical_ns, memory_order_relaxed) < QUICK_NS;
}

static void
count(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* What comes for a slot. The rest of a request that is under way goes ahead of the queue. */
enum arrival { ARRIVES_NEW, ARRIVES_REST };

static bool
is_welcome_locked(const struct scsi_unit *unit, enum arrival arrival)
{
	int state = atomic_load(&unit->state);

	return state == UNIT_SERVING || (state == UNIT_STOPPING && arrival == ARRIVES_REST);
}

/* False: the unit does not serve, nothing was done. */
static bool
run_or_queue(struct scsi_unit *unit, struct scsi_job *job, bool may_block, enum arrival arrival)
{
	bool welcome, now = false;

	mutex_lock(&unit->lock);
	welcome = is_welcome_locked(unit, arrival);
	if (welcome) {
		now = !may_block && is_quick(unit) && list_empty(&unit->queue) &&
		      may_start_locked(unit, job);
		if (now)
			enter_locked(unit, job);
		else
			list_insert(arrival == ARRIVES_REST ? unit->queue.next : &unit->queue,
				    &job->link);
		if (!now)
			cond_signal(&unit->work);
	}
	mutex_unlock(&unit->lock);
	if (welcome)
		count(now ? &unit->counters.n_inline : &unit->counters.n_queued, 1);
	if (now)
		run_job(unit, job);
	return welcome;
}

void
scsi_unit_run(struct scsi_unit *unit, struct scsi_job *job, bool may_block)
{
	struct scsi_unit *outer = slot_unit;

	if (run_or_queue(unit, job, may_block, ARRIVES_NEW))
		return;
	/* Outside of a slot each of its requests fails at once; the job ends as it must. */
	slot_unit = NULL;
	job->run(job);
	slot_unit = outer;
}

/* The job's own slot is given up while it waits, so that two such jobs cannot wait for each other. */
void
scsi_unit_exclusive_begin(struct scsi_unit *unit)
{
	if (slot_unit != unit) /* the unit has stopped: nothing of the job will reach it */
		return;
	mutex_lock(&unit->lock);
	unit->n_running--;
	unit->n_waiting_exclusive++;
	cond_broadcast(&unit->quiet);
	while (unit->exclusive || unit->n_running > 0 || unit->n_ios > 0)
		cond_wait(&unit->quiet, &unit->lock);
	unit->n_waiting_exclusive--;
	unit->n_running++;
	unit->exclusive = true;
	mutex_unlock(&unit->lock);
}

void
scsi_unit_exclusive_end(struct scsi_unit *unit)
{
	if (slot_unit != unit)
		return;
	mutex_lock(&unit->lock);
	unit->exclusive = false;
	cond_broadcast(&unit->quiet);
	cond_broadcast(&unit->work);
	mutex_unlock(&unit->lock);
}

static int
start_worker_locked(struct scsi_unit *unit)
{
	sigset_t all, before;
	int err;

	/* Signals are the main thread's business. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&unit->workers[unit->n_workers], NULL, worker_main, unit);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err == 0)
		unit->n_workers++;
	return -err;
}

int
scsi_unit_start(struct scsi_unit *unit, unsigned n_slots)
{
	cpu_set_t cpus;
	int err = 0;

	if (n_slots == 0)
		n_slots = sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ?
				  (unsigned)CPU_COUNT(&cpus) :
				  1;
	n_slots = MIN(n_slots, (unsigned)SLOTS_MAX);
	mutex_lock(&unit->lock);
	if (atomic_load(&unit->state) != UNIT_NEW)
		err = -EALREADY;
	while (err == 0 && unit->n_workers < n_slots)
		err = start_worker_locked(unit);
	/* Fewer workers than slots will do; none will not. */
	if (err == 0 || (err != -EALREADY && unit->n_workers > 0)) {
		unit->n_slots = unit->n_workers;
		atomic_store(&unit->state, UNIT_SERVING);
		err = 0;
	}
	mutex_unlock(&unit->lock);
	return err;
}

static struct scsi_result backend_wait(struct scsi_unit *unit, struct scsi_io *io);

static struct scsi_result
flush_finally(struct scsi_unit *unit)
{
	struct scsi_io io = {.kind = SCSI_IO_FLUSH, .unit = unit};

	if (!unit->params.cache_supported || !is_native(unit, SCSI_IO_FLUSH))
		return scsi_good();
	io.req = (struct scsi_backend_req){.kind = SCSI_IO_FLUSH, .id = 1};
	return backend_wait(unit, &io);
}

/* True: this caller is the one that stops it. Others wait until it has. */
static bool
begin_stop(struct scsi_unit *unit)
{
	bool first;

	mutex_lock(&unit->lock);
	first = atomic_load(&unit->state) == UNIT_SERVING;
	if (atomic_load(&unit->state) == UNIT_NEW)
		atomic_store(&unit->state, UNIT_STOPPED);
	if (first) {
		atomic_store(&unit->state, UNIT_STOPPING);
		cond_broadcast(&unit->quiet); /* who waits for a slot gives up */
	}
	while (!first && atomic_load(&unit->state) != UNIT_STOPPED)
		cond_wait(&unit->quiet, &unit->lock);
	mutex_unlock(&unit->lock);
	return first;
}

static void
drain(struct scsi_unit *unit)
{
	mutex_lock(&unit->lock);
	while (unit->n_running > 0 || unit->n_ios > 0 || unit->n_away > 0 ||
	       unit->n_waiting_exclusive > 0 || !list_empty(&unit->queue))
		cond_wait(&unit->quiet, &unit->lock);
	unit->drained = true;
	cond_broadcast(&unit->work);
	mutex_unlock(&unit->lock);
	for (unsigned i = 0; i < unit->n_workers; i++)
		pthread_join(unit->workers[i], NULL);
	unit->n_workers = 0;
}

struct scsi_result
scsi_unit_stop(struct scsi_unit *unit)
{
	assert(slot_unit != unit);
	if (!begin_stop(unit))
		return unit->final_flush;
	scsi_unit_notify(unit, SCSI_UNIT_STOPPING);
	drain(unit);
	unit->final_flush = flush_finally(unit);
	if (!scsi_ok(unit->final_flush))
		log_error("scsi", "unit=%s the last flush failed: key=%u asc=%02x ascq=%02x",
			  unit->serial, unit->final_flush.key, unit->final_flush.asc,
			  unit->final_flush.ascq);
	mutex_lock(&unit->lock);
	atomic_store(&unit->state, UNIT_STOPPED);
	cond_broadcast(&unit->quiet);
	mutex_unlock(&unit->lock);
	return unit->final_flush;
}

/* ---------------------------------------------------------------- requests */

struct scsi_result
scsi_unit_check_range(const struct scsi_unit *unit, uint64_t lba, uint64_t n_blocks)
{
	uint64_t total = scsi_unit_n_blocks(unit);

	if (lba > total || n_blocks > total - lba || (n_blocks == 0 && lba == total))
		return scsi_sense(SENSE_LBA_OUT_OF_RANGE);
	return scsi_good();
}

struct scsi_result
scsi_unit_check_access(struct scsi_unit *unit, struct scsi_nexus *nexus, enum scsi_io_kind kind)
{
	struct scsi_lu *lu = unit->lu;
	struct scsi_result res;

	if (write_kinds & SCSI_IO_BIT(kind)) {
		if (unit->params.write_protected)
			return scsi_sense(SENSE_WRITE_PROTECTED);
	}
	mutex_lock(&lu->lock);
	if ((write_kinds & SCSI_IO_BIT(kind)) && lu->mode.swp)
		res = scsi_sense(SENSE_SOFTWARE_WRITE_PROTECTED);
	else
		res = scsi_reserve_check_locked(lu, nexus, NULL, kind);
	mutex_unlock(&lu->lock);
	return res;
}

/* SBC-3 5.28: LBA n_blocks with a count of 0 is an empty range, not an error. */
static struct scsi_result
check_ranges(const struct scsi_unit *unit, const struct scsi_io *io)
{
	uint64_t total = scsi_unit_n_blocks(unit);

	for (uint32_t i = 0; i < io->n_ranges; i++) {
		const struct scsi_range *r = &io->ranges[i];

		if (r->lba > total || r->n_blocks > total - r->lba)
			return scsi_sense(SENSE_LBA_OUT_OF_RANGE);
	}
	return scsi_good();
}

static struct scsi_result
check_io(struct scsi_unit *unit, const struct scsi_io *io)
{
	struct scsi_result res = scsi_good();

	if (!io->checked)
		res = scsi_unit_check_access(unit, io->nexus, io->kind);
	if (!scsi_ok(res))
		return res;
	if (io->kind == SCSI_IO_UNMAP)
		return unit->params.unmap_supported ? check_ranges(unit, io) :
						      scsi_sense(SENSE_INVALID_OPCODE);
	if (io->kind == SCSI_IO_FLUSH && io->n_blocks == 0 && io->lba == 0)
		return scsi_good();
	return scsi_unit_check_range(unit, io->lba, io->n_blocks);
}

/* Nothing to be done: a count of 0, or a flush without a cache. */
static bool
is_void(const struct scsi_unit *unit, const struct scsi_io *io)
{
	if (io->kind == SCSI_IO_UNMAP)
		return io->n_ranges == 0;
	if (io->kind == SCSI_IO_FLUSH)
		return !unit->params.cache_supported;
	return io->n_blocks == 0;
}

static uint64_t
new_id(struct scsi_unit *unit)
{
	uint64_t id;

	do
		id = atomic_fetch_add_explicit(&unit->next_id, 1, memory_order_relaxed) + 1;
	while (id == 0);
	return id;
}

/* The next run of descriptors: max_transfer bytes of them at most, without empty ones. */
static uint32_t
cut_ranges(struct scsi_unit *unit, struct scsi_io *io, struct scsi_backend_req *req)
{
	uint32_t most = MAX(unit->params.max_transfer / DESCRIPTOR_SIZE, 1u), n = 0;

	while (io->done < io->n_ranges && io->ranges[io->done].n_blocks == 0)
		io->done++;
	while (io->done + n < io->n_ranges && n < most && io->ranges[io->done + n].n_blocks)
		n++;
	req->ranges = io->ranges + io->done;
	req->n_ranges = n;
	return n;
}

static uint32_t
cut_data(struct scsi_unit *unit, struct scsi_io *io, struct scsi_backend_req *req)
{
	uint32_t length = unit->params.block_length;

	req->lba = io->lba + io->done;
	req->n_blocks = MIN(io->n_blocks - io->done, unit->params.max_transfer / length);
	req->data = (uint8_t *)io->data + (size_t)io->done * length;
	req->size = (size_t)req->n_blocks * length;
	return req->n_blocks;
}

static uint32_t
cut_flush(struct scsi_unit *unit, struct scsi_io *io, struct scsi_backend_req *req)
{
	uint64_t rest = scsi_unit_n_blocks(unit) - io->lba;

	if (io->done)
		return 0;
	req->lba = io->lba;
	req->n_blocks = io->n_blocks;
	if (io->n_blocks == 0 && io->lba) { /* to the end, which may be out of 32 bits */
		req->lba = rest > UINT32_MAX ? 0 : io->lba;
		req->n_blocks = rest > UINT32_MAX ? 0 : (uint32_t)rest;
	}
	return 1;
}

/* WRITE SAME, WRITE ZEROES, COMPARE AND WRITE, QUERY RANGES: what they carry does not grow with the
 * range, or may not be cut. */
static uint32_t
cut_whole(struct scsi_unit *unit, struct scsi_io *io, struct scsi_backend_req *req)
{
	uint32_t length = unit->params.block_length;

	if (io->done)
		return 0;
	req->lba = io->lba;
	req->n_blocks = io->n_blocks;
	req->data = io->data;
	req->may_unmap = io->may_unmap;
	req->n_ranges = io->n_ranges;
	if (io->kind == SCSI_IO_WRITE_SAME)
		req->size = length;
	else if (io->kind == SCSI_IO_COMPARE_AND_WRITE)
		req->size = 2 * (size_t)io->n_blocks * length;
	else if (io->kind == SCSI_IO_QUERY_RANGES)
		req->size = io->n_ranges * sizeof(struct scsi_mapping);
	return io->n_blocks;
}

static uint32_t (*const cut[SCSI_IO_KIND_LIMIT])(struct scsi_unit *, struct scsi_io *,
						 struct scsi_backend_req *) = {
	[SCSI_IO_READ] = cut_data,
	[SCSI_IO_WRITE] = cut_data,
	[SCSI_IO_FLUSH] = cut_flush,
	[SCSI_IO_UNMAP] = cut_ranges,
	[SCSI_IO_WRITE_ZEROES] = cut_whole,
	[SCSI_IO_WRITE_SAME] = cut_whole,
	[SCSI_IO_COMPARE_AND_WRITE] = cut_whole,
	[SCSI_IO_QUERY_RANGES] = cut_whole,
};

/* Fills the next piece; false: there is none left. */
static bool
cut_next(struct scsi_unit *unit, struct scsi_io *io)
{
	struct scsi_backend_req *req = &io->req;

	*req = (struct scsi_backend_req){
		.kind = io->kind,
		/* Without a cache to flush there is no other way to be durable. */
		.fua = io->fua || !unit->params.cache_supported,
	};
	if (cut[io->kind](unit, io, req) == 0)
		return false;
	req->id = new_id(unit);
	return true;
}

/* A piece has been answered. True: nothing more is to be done. */
static bool
piece_done(struct scsi_io *io, struct scsi_result res)
{
	const struct scsi_backend_req *req = &io->req;

	io->result = res;
	io->done += io->kind == SCSI_IO_UNMAP ? req->n_ranges :
		    io->kind == SCSI_IO_FLUSH ? 1 :
						req->n_blocks;
	if (io->kind == SCSI_IO_QUERY_RANGES)
		io->n_mappings = MIN(req->n_ranges, io->n_ranges);
	return !scsi_ok(res);
}

static void
learn(struct scsi_unit *unit, uint64_t took_ns)
{
	uint32_t old = atomic_load_explicit(&unit->typical_ns, memory_order_relaxed);
	uint64_t ns = MIN(took_ns, (uint64_t)1000 * 1000 * 1000);

	/* An eighth of the way: one slow answer in hundreds does not move the unit to workers. */
	atomic_store_explicit(&unit->typical_ns, (uint32_t)((old * 7ull + ns) / 8),
			      memory_order_relaxed);
}

/* In a slot: pieces until the end, an error, or an answer that comes later (then io may be gone). */
static bool
io_step(struct scsi_io *io)
{
	struct scsi_unit *unit = io->unit;
	struct scsi_result res = scsi_good();

	if (!is_native(unit, io->kind)) {
		io->result = scsi_emulate(unit, io);
		return true;
	}
	while (cut_next(unit, io)) {
		uint64_t start = clock_monotonic_ns();

		if (!unit->ops.submit(unit->backend, &io->req, &res))
			return false;
		learn(unit, clock_monotonic_ns() - start);
		if (piece_done(io, res))
			break;
	}
	return true;
}

static void
count_io(struct scsi_unit *unit, const struct scsi_io *io)
{
	uint64_t n_bytes = (uint64_t)io->n_blocks * unit->params.block_length;

	count(&unit->counters.n_ios[io->kind], 1);
	if (!scsi_ok(io->result))
		count(&unit->counters.n_errors, 1);
	else if (io->kind == SCSI_IO_READ)
		count(&unit->counters.n_bytes_read, n_bytes);
	else if (io->kind == SCSI_IO_WRITE)
		count(&unit->counters.n_bytes_written, n_bytes);
}

static void
io_finish(struct scsi_io *io)
{
	count_io(io->unit, io);
	io->complete(io, io->result);
}

static bool
is_last_piece(const struct scsi_io *io)
{
	switch (io->kind) {
	case SCSI_IO_READ:
	case SCSI_IO_WRITE:
		return io->done >= io->n_blocks;
	case SCSI_IO_UNMAP:
		return io->done >= io->n_ranges;
	default:
		return true;
	}
}

void
scsi_unit_complete(struct scsi_backend_req *req, struct scsi_result res)
{
	struct scsi_io *io = container_of(req, struct scsi_io, req);
	struct scsi_unit *unit = io->unit;
	bool end = piece_done(io, res) || is_last_piece(io);

	if (io->is_direct) {
		io->complete(io, io->result);
		return;
	}
	if (!end) {
		(void)run_or_queue(unit, &io->job, true, ARRIVES_REST);
		return;
	}
	mutex_lock(&unit->lock);
	unit->n_ios--;
	wake_locked(unit);
	mutex_unlock(&unit->lock);
	io_finish(io);
}

static struct scsi_result
check_begin(struct scsi_unit *unit, struct scsi_io *io)
{
	int state = atomic_load_explicit(&unit->state, memory_order_relaxed);

	if (state != UNIT_SERVING && !(state == UNIT_STOPPING && slot_unit == unit))
		return scsi_sense(SENSE_MEDIUM_NOT_PRESENT);
	if (!is_native(unit, io->kind) && !scsi_can_emulate(unit, io->kind) &&
	    !(io->kind == SCSI_IO_FLUSH && !unit->params.cache_supported))
		return scsi_sense(SENSE_INVALID_OPCODE);
	return check_io(unit, io);
}

/* True: the request is to go on; else it has its result. */
static bool
io_begin(struct scsi_unit *unit, struct scsi_io *io)
{
	assert(io->kind > 0 && io->kind < SCSI_IO_KIND_LIMIT);
	io->unit = unit;
	io->done = io->n_mappings = 0;
	io->is_direct = io->has_begun = false;
	io->job.run = io_job;
	list_init(&io->job.link);
	io->result = check_begin(unit, io);
	return scsi_ok(io->result) && !is_void(unit, io);
}

void
scsi_unit_submit(struct scsi_unit *unit, struct scsi_io *io)
{
	/* Emulations make several requests: a door's event loop is no place for them. */
	if (io_begin(unit, io)) {
		if (run_or_queue(unit, &io->job, !is_native(unit, io->kind), ARRIVES_NEW))
			return;
		io->result = scsi_sense(SENSE_MEDIUM_NOT_PRESENT);
	}
	io_finish(io);
}

/* ---------------------------------------------------------------- waiting */

struct waiter {
	struct mutex lock;
	struct cond done_cond;
	bool done;
	struct scsi_result res;
};

static void
waiter_complete(struct scsi_io *io, struct scsi_result res)
{
	struct waiter *w = io->ctx;

	mutex_lock(&w->lock);
	w->res = res;
	w->done = true;
	cond_signal(&w->done_cond);
	mutex_unlock(&w->lock);
}

static struct scsi_result
waiter_wait(struct waiter *w)
{
	mutex_lock(&w->lock);
	while (!w->done)
		cond_wait(&w->done_cond, &w->lock);
	mutex_unlock(&w->lock);
	mutex_fini(&w->lock);
	cond_fini(&w->done_cond);
	return w->res;
}

static void
waiter_init(struct waiter *w, struct scsi_io *io)
{
	*w = (struct waiter){.done = false};
	mutex_init(&w->lock);
	cond_init(&w->done_cond);
	io->complete = waiter_complete;
	io->ctx = w;
}

/* One piece, which io->req describes, answered before this returns. */
static struct scsi_result
backend_wait(struct scsi_unit *unit, struct scsi_io *io)
{
	struct scsi_result res = scsi_good();
	struct waiter w;

	io->is_direct = true;
	waiter_init(&w, io);
	if (unit->ops.submit(unit->backend, &io->req, &res)) {
		piece_done(io, res);
		w.done = true;
		w.res = res;
	}
	return waiter_wait(&w);
}

/* In this unit's slot already: straight to the backend, piece by piece. */
static struct scsi_result
io_direct(struct scsi_unit *unit, struct scsi_io *io)
{
	if (!is_native(unit, io->kind))
		io->result = scsi_emulate(unit, io);
	else
		while (cut_next(unit, io) && scsi_ok(backend_wait(unit, io)))
			;
	count_io(unit, io);
	return io->result;
}

static void
leave_for_a_while(struct scsi_unit *held)
{
	mutex_lock(&held->lock);
	held->n_running--;
	held->n_away++;
	wake_locked(held);
	mutex_unlock(&held->lock);
}

/* Waits for a slot on a thread that may block. False: the unit does not serve. */
static bool
enter_and_wait(struct scsi_unit *unit)
{
	bool serves;

	mutex_lock(&unit->lock);
	unit->n_away++;
	while ((serves = atomic_load(&unit->state) == UNIT_SERVING) &&
	       !may_start_locked(unit, NULL))
		cond_wait(&unit->quiet, &unit->lock);
	unit->n_away--;
	unit->n_running += serves;
	wake_locked(unit);
	mutex_unlock(&unit->lock);
	return serves;
}

/* The slot of a job that was away: also while the unit stops, which waits for it. */
static void
come_back(struct scsi_unit *held)
{
	mutex_lock(&held->lock);
	while (!may_start_locked(held, NULL))
		cond_wait(&held->quiet, &held->lock);
	held->n_away--;
	held->n_running++;
	mutex_unlock(&held->lock);
}

/* Not in a slot of unit: takes one on this thread. No worker is needed, so units whose workers wait
 * for each other's units go on. */
static struct scsi_result
io_in_own_slot(struct scsi_unit *unit, struct scsi_io *io)
{
	struct scsi_result res = scsi_sense(SENSE_MEDIUM_NOT_PRESENT);

	if (!enter_and_wait(unit))
		return res;
	slot_unit = unit;
	res = io_direct(unit, io);
	slot_unit = NULL;
	leave(unit, false);
	return res;
}

struct scsi_result
scsi_unit_io(struct scsi_unit *unit, struct scsi_io *io)
{
	struct scsi_unit *held = slot_unit;

	if (!io_begin(unit, io)) {
		count_io(unit, io);
		return io->result;
	}
	if (held == unit)
		return io_direct(unit, io);
	/* Two units that copy to each other must not keep each other's slots. */
	if (held)
		leave_for_a_while(held);
	io->result = io_in_own_slot(unit, io);
	slot_unit = held;
	if (held)
		come_back(held);
	return io->result;
}

/* ---------------------------------------------------------------- changes */

int
scsi_unit_resize(struct scsi_unit *unit, uint64_t n_blocks)
{
	struct scsi_unit_params p = unit->params;
	char error[128];
	int err;

	if (!unit->ops.resize)
		return -EOPNOTSUPP;
	p.n_blocks = n_blocks;
	if (check_params(&p, error, sizeof(error)) < 0)
		return -EINVAL;
	err = unit->ops.resize(unit->backend, n_blocks);
	if (err < 0)
		return err;
	atomic_store_explicit(&unit->n_blocks, n_blocks, memory_order_relaxed);
	mutex_lock(&unit->lu->lock);
	scsi_lu_attention_locked(unit->lu, SENSE_CAPACITY_CHANGED, NULL);
	mutex_unlock(&unit->lu->lock);
	scsi_unit_notify(unit, SCSI_UNIT_CAPACITY_CHANGED);
	return 0;
}

void
scsi_unit_listen(struct scsi_unit *unit, struct scsi_unit_listener *listener)
{
	mutex_lock(&unit->listen_lock);
	list_insert(&unit->listeners, &listener->link);
	mutex_unlock(&unit->listen_lock);
}

void
scsi_unit_unlisten(struct scsi_unit *unit, struct scsi_unit_listener *listener)
{
	mutex_lock(&unit->listen_lock);
	while (unit->n_notifying > 0)
		cond_wait(&unit->listen_idle, &unit->listen_lock);
	list_remove(&listener->link);
	mutex_unlock(&unit->listen_lock);
}

/* Nobody leaves the list while n_notifying is not zero, so the walk may drop the lock. */
void
scsi_unit_notify(struct scsi_unit *unit, enum scsi_unit_event event)
{
	mutex_lock(&unit->listen_lock);
	unit->n_notifying++;
	list_for_each(pos, &unit->listeners)
	{
		struct scsi_unit_listener *l =
			list_entry(pos, struct scsi_unit_listener, link);

		mutex_unlock(&unit->listen_lock);
		l->event(l, event);
		mutex_lock(&unit->listen_lock);
	}
	if (--unit->n_notifying == 0)
		cond_broadcast(&unit->listen_idle);
	mutex_unlock(&unit->listen_lock);
}

void
scsi_unit_counters(const struct scsi_unit *unit, struct scsi_unit_counters *ret_counters)
{
	struct scsi_unit_counters c = {0};

	for (size_t i = 0; i < SCSI_IO_KIND_LIMIT; i++)
		c.n_ios[i] = atomic_load(&unit->counters.n_ios[i]);
	c.n_bytes_read = atomic_load(&unit->counters.n_bytes_read);
	c.n_bytes_written = atomic_load(&unit->counters.n_bytes_written);
	c.n_errors = atomic_load(&unit->counters.n_errors);
	c.n_inline = atomic_load(&unit->counters.n_inline);
	c.n_queued = atomic_load(&unit->counters.n_queued);
	*ret_counters = c;
}
