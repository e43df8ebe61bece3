/*
 * The io_uring transport (protocol 7.42). The kernel keeps one queue per possible CPU and gives a
 * request to the queue of the caller's CPU; our threads are pinned to the same CPU, so that
 * the wake-up stays there.
 *
 * Every worker has a ring of its own and exactly one entry in it. The kernel takes the entry that
 * became free last, whosever ring it is in, so the hot worker gets all requests and others are
 * used only while it is busy. A worker that runs a handler has no entry armed: with two, a request
 * could be assigned to the second one and wait for a handler that never ends (completions of a
 * DEFER_TASKRUN ring are delivered by its own thread only). For the same reason a parked request
 * keeps its worker: the thread sleeps until the answer is there, commits it and goes on; another
 * worker is started in its place when the queue has nobody left.
 *
 * An entry's memory is a header page and the payload. With deadlines it is a memfd, mapped twice:
 * once for the kernel, once for the handler. When a request expires, fresh pages are put under
 * the kernel's mapping, the entry is answered and taken over by a new worker, and the hung
 * handler keeps its own pages until it returns.
 *
 *    PREPARING --all opened--> REGISTERING --all armed--> RUNNING
 *        `------------------------`---- any failure ----> CANCELLED (device only)
 */
#include "fuse/session_priv.h"

#include <assert.h>
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"

enum {
	RING_ENTRIES = 4,
	TAG_ENTRY = 1,
	TAG_WAKE = 2,
	/* The second one takes over at once when the first one's handler blocks. */
	WORKERS_AT_START = 2,
	MIN_QUEUE_CAP = 4,
	MAX_QUEUE_CAP = 64,
	/* A large payload is given back after so many small requests in a row. */
	SMALL_UNTIL_TRIM = 64,
	SQE_COMMAND_OFFSET = 48,
};

/* What a new worker starts with instead of registering an entry. */
struct takeover {
	struct slot *from; /* pinned: whose entry it is until settle() */
	struct fuse_out_header answer;
};

struct ring_worker {
	struct io_uring ring;
	struct slot *slot;
	unsigned int n_small;
	bool have_request;
	int entry_error;
};

static struct fuse_uring_req_header *
entry_header(struct slot *slot)
{
	return (void *)slot->map;
}

static size_t
entry_size(const struct fusek_session *s)
{
	return FUSEK_PAGE + ALIGN_UP(s->body_size, FUSEK_PAGE);
}

/* The answer is in the entry's memory from here on; the worker commits it. */
static void
put_answer(struct slot *slot, const struct fuse_out_header *header, size_t size)
{
	struct fuse_uring_req_header *entry = entry_header(slot);

	memcpy(entry->in_out, header, sizeof(*header));
	entry->ring_ent_in_out.payload_sz = (uint32_t)size;
}

static int
ring_send(struct slot *slot, const struct fuse_out_header *header, const struct iovec *iov,
	  int n_iov, bool in_place)
{
	size_t size = 0;

	if (session_must_leave(slot->session))
		return -ENOENT;
	for (int i = 0; i < n_iov; i++) {
		if (!in_place)
			memmove(slot->out + size, iov[i].iov_base, iov[i].iov_len);
		size += iov[i].iov_len;
	}
	slot->used_large |= size > FUSEK_MIN_BODY;
	put_answer(slot, header, size);
	return 0;
}

static void
ring_parked_done(struct slot *slot)
{
	mutex_lock(&slot->lock);
	slot->owner_done = true;
	cond_broadcast(&slot->changed);
	mutex_unlock(&slot->lock);
}

/* A queue must not stay without a free entry because its last worker waits for an answer. */
static void
ring_park(struct slot *slot)
{
	struct worker *worker = atomic_load(&slot->worker);
	struct fusek_session *s = slot->session;
	struct pool *pool = worker->pool;

	atomic_fetch_add(&pool->n_parked, 1);
	mutex_lock(&s->lock);
	if (atomic_load(&pool->n_waiting) == 0 && fusek_pool_may_grow_locked(pool) &&
	    fusek_worker_start_locked(pool, NULL) < 0)
		log_warn("fuse", "%s: no thread in place of a parked request", s->name);
	mutex_unlock(&s->lock);
}

static void
ring_unmap(struct slot *slot)
{
	if (slot->kernel_map && slot->kernel_map != slot->map)
		munmap(slot->kernel_map, slot->map_size);
	munmap(slot->map, slot->map_size);
}

/* Maps the same fresh pages twice; kernel_at: where the kernel's view is to be replaced. */
static int
map_twice(size_t size, unsigned char *kernel_at, unsigned char **ret_kernel_map,
	  unsigned char **ret_map)
{
	CLEANUP(close_fd) int fd = memfd_create("fuse-entry", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		return -errno;
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (map == MAP_FAILED)
		return -ENOMEM;
	void *kernel = mmap(kernel_at, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_NORESERVE | (kernel_at ? MAP_FIXED : 0), fd, 0);
	if (kernel == MAP_FAILED) {
		munmap(map, size);
		return -ENOMEM;
	}
	*ret_kernel_map = kernel;
	*ret_map = map;
	return 0;
}

/* from: the slot whose entry is taken over. */
static int
map_entry(struct slot *slot, const struct slot *from)
{
	size_t size = entry_size(slot->session);
	int err = 0;

	if (from || slot->session->config.deadline_ms) {
		err = map_twice(size, from ? from->kernel_map : NULL, &slot->kernel_map, &slot->map);
	} else {
		void *map = mmap(NULL, size, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (map == MAP_FAILED)
			return -ENOMEM;
		slot->kernel_map = slot->map = map;
	}
	if (err < 0)
		return err;
	slot->map_size = size;
	slot->out = slot->map + FUSEK_PAGE;
	slot->out_cap = size - FUSEK_PAGE;
	return 0;
}

/* Tells the expired request's worker whether it still has the entry. */
static void
settle(struct slot *slot, bool taken)
{
	mutex_lock(&slot->lock);
	if (taken)
		slot->kernel_map = NULL;
	slot->expiry_settled = true;
	cond_broadcast(&slot->changed);
	mutex_unlock(&slot->lock);
}

/*
 * The keeper won the claim. A new worker puts fresh pages under the kernel's view, answers and
 * goes on with the entry, and this slot keeps its pages alone. When that is not possible, the
 * slot keeps the entry, and its worker answers when the handler returns.
 */
static void
ring_expire(struct slot *slot, const struct fuse_out_header *header)
{
	struct fusek_session *s = slot->session;
	struct worker *worker = atomic_load(&slot->worker);
	struct takeover *t = worker ? malloc(sizeof(*t)) : NULL;
	int err = -ENOMEM;

	if (t) {
		*t = (struct takeover){slot, *header};
		mutex_lock(&s->lock);
		err = fusek_worker_start_locked(worker->pool, t);
		if (err == 0)
			fusek_slot_pin_locked(slot);
		mutex_unlock(&s->lock);
	}
	if (err < 0) {
		free(t);
		settle(slot, false);
	}
}

static const struct slot_ops ring_slot_ops = {
	.send = ring_send,
	.parked_done = ring_parked_done,
	.park = ring_park,
	.expire = ring_expire,
	.unmap = ring_unmap,
};

/* Pins to the queue's CPU, unless the program was told to stay off it. */
static void
settle_thread(int cpu)
{
	struct sched_param param = {0};
	cpu_set_t allowed, one;

	CPU_ZERO(&one);
	if (cpu < CPU_SETSIZE && sched_getaffinity(0, sizeof(allowed), &allowed) == 0 &&
	    CPU_ISSET(cpu, &allowed)) {
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
	}
	/* Served with the next request instead of preempting the caller, where nobody waits. */
	sched_setscheduler(0, SCHED_BATCH, &param);
}

static int
ring_open(struct fusek_session *s, struct io_uring *ring)
{
	unsigned int flags = IORING_SETUP_SQE128 | IORING_SETUP_SUBMIT_ALL;
	int fd = s->dev_fd;
	int err = io_uring_queue_init(RING_ENTRIES, ring,
				      flags | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);

	if (err == -EINVAL) /* a kernel without one of the last two */
		err = io_uring_queue_init(RING_ENTRIES, ring, flags);
	if (err < 0)
		return err;
	err = io_uring_register_files(ring, &fd, 1);
	if (err < 0) {
		io_uring_queue_exit(ring);
		return err;
	}
	io_uring_register_ring_fd(ring); /* an optimisation: failure does not matter */
	return 0;
}

static int
worker_open(struct worker *worker, struct ring_worker *rw, const struct slot *from)
{
	struct fusek_session *s = worker->session;

	settle_thread(worker->pool->queue);
	rw->slot = fusek_slot_create(s, &ring_slot_ops);
	if (!rw->slot)
		return -ENOMEM;
	int err = ring_open(s, &rw->ring);
	if (err == 0 && (err = map_entry(rw->slot, from)) < 0)
		io_uring_queue_exit(&rw->ring);
	if (err < 0) {
		fusek_slot_destroy(take(&rw->slot));
		return err;
	}
	worker->slot = rw->slot;
	atomic_store(&rw->slot->worker, worker);
	return 0;
}

/* A cleared submission entry of 128 bytes. */
static struct io_uring_sqe *
get_sqe(struct ring_worker *rw)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&rw->ring);

	assert(sqe); /* at most two are ever outstanding, RING_ENTRIES are there */
	memset(sqe, 0, 2 * sizeof(*sqe));
	return sqe;
}

static struct io_uring_sqe *
prepare_command(struct ring_worker *rw, const struct pool *pool, enum fuse_uring_cmd command,
		uint64_t commit_id)
{
	struct fuse_uring_cmd_req req = {.commit_id = commit_id, .qid = (uint16_t)pool->queue};
	struct io_uring_sqe *sqe = get_sqe(rw);

	sqe->opcode = IORING_OP_URING_CMD;
	sqe->flags = IOSQE_FIXED_FILE; /* file 0 is the device */
	sqe->cmd_op = command;
	sqe->user_data = TAG_ENTRY;
	memcpy((char *)sqe + SQE_COMMAND_OFFSET, &req, sizeof(req));
	return sqe;
}

static void
prepare_wake(struct ring_worker *rw, struct fusek_session *s)
{
	struct io_uring_sqe *sqe = get_sqe(rw);

	io_uring_prep_poll_add(sqe, s->wake_fd, POLLIN);
	sqe->user_data = TAG_WAKE;
}

static void
take_completions(struct ring_worker *rw)
{
	struct io_uring_cqe *cqe;

	while (io_uring_peek_cqe(&rw->ring, &cqe) == 0) {
		if (cqe->user_data == TAG_ENTRY) {
			rw->have_request = cqe->res == 0;
			rw->entry_error = cqe->res;
		}
		io_uring_cqe_seen(&rw->ring, cqe);
	}
}

/* Submits the entry; a refusal is there at once. 0 or -errno. */
static int
register_entry(struct worker *worker, struct ring_worker *rw)
{
	struct iovec iov[] = {{rw->slot->kernel_map, FUSEK_PAGE},
			      {rw->slot->kernel_map + FUSEK_PAGE, rw->slot->map_size - FUSEK_PAGE}};
	struct io_uring_sqe *sqe =
		prepare_command(rw, worker->pool, FUSE_IO_URING_CMD_REGISTER, 0);

	sqe->addr = (uint64_t)(uintptr_t)iov;
	sqe->len = ARRAY_SIZE(iov);
	rw->entry_error = 0;
	int err = io_uring_submit(&rw->ring);
	if (err < 0)
		return err;
	take_completions(rw);
	return rw->entry_error;
}

/* One round of the three-step start, see the state drawing. The phase that follows. */
static enum ring_phase
report_and_wait(struct fusek_session *s, enum ring_phase during, int err)
{
	mutex_lock(&s->lock);
	s->ring_reported++;
	if (err < 0 && !s->ring_err)
		s->ring_err = err;
	cond_broadcast(&s->changed);
	while (s->ring_phase == during && !session_must_leave(s))
		cond_wait(&s->changed, &s->lock);
	enum ring_phase phase = s->ring_phase;
	mutex_unlock(&s->lock);
	return phase;
}

/*
 * The kernel gives a request that found no free entry to the next one that is committed, not to
 * one that is registered. So a worker that was started because all others are busy makes
 * its queue move: the NOTIFY_REPLY it asks for, on the queue's CPU, takes the new entry, and its
 * commit fetches what waits.
 */
static bool
start_late_entry(struct worker *worker, struct ring_worker *rw, int opened)
{
	struct fusek_session *s = worker->session;
	int err = opened;

	if (err == 0) {
		prepare_wake(rw, s);
		err = register_entry(worker, rw);
	}
	if (err == 0) {
		if (!fusek_dev_kick(s))
			log_debug("fuse", "%s: queue %d could not be moved", s->name,
				  worker->pool->queue);
		return true;
	}
	log_warn("fuse", "%s: no further thread for queue %d: %s", s->name, worker->pool->queue,
		 strerror(-err));
	mutex_lock(&s->lock);
	worker->pool->cap = MAX(worker->pool->n_workers - 1, 1u);
	mutex_unlock(&s->lock);
	return false;
}

/* False: the worker must end. */
static bool
start_entry(struct worker *worker, struct ring_worker *rw, int opened)
{
	struct fusek_session *s = worker->session;

	mutex_lock(&s->lock);
	bool late = s->ring_phase == RING_RUNNING;
	mutex_unlock(&s->lock);
	if (late)
		return start_late_entry(worker, rw, opened);
	if (report_and_wait(s, RING_PREPARING, opened) != RING_REGISTERING || opened < 0)
		return false;
	prepare_wake(rw, s);
	int err = register_entry(worker, rw);
	return report_and_wait(s, RING_REGISTERING, err) == RING_RUNNING && err == 0;
}

/* Answers the expired request of from in its handler's place. False: not possible. */
static bool
start_takeover(struct worker *worker, struct ring_worker *rw, const struct takeover *t)
{
	int err = worker_open(worker, rw, t->from);

	if (err == 0) {
		put_answer(rw->slot, &t->answer, 0);
		prepare_wake(rw, worker->session);
		prepare_command(rw, worker->pool, FUSE_IO_URING_CMD_COMMIT_AND_FETCH,
				t->from->commit_id);
	} else {
		log_error("fuse", "%s: an expired request waits for its handler: %s",
			  worker->session->name, strerror(-err));
	}
	settle(t->from, err == 0);
	fusek_slot_unpin(t->from);
	return err == 0;
}

/* Waits for a request. False: the worker must end. */
static bool
next_request(struct worker *worker, struct ring_worker *rw)
{
	struct fusek_session *s = worker->session;

	while (!rw->have_request) {
		atomic_fetch_add(&worker->pool->n_waiting, 1);
		int err = io_uring_submit_and_wait(&rw->ring, 1);
		atomic_fetch_sub(&worker->pool->n_waiting, 1);
		if (err < 0 && err != -EINTR && err != -EAGAIN && err != -EBUSY) {
			log_error("fuse", "%s: io_uring: %s", s->name, strerror(-err));
			return false;
		}
		take_completions(rw);
		if (rw->entry_error == -ENOTCONN || rw->entry_error == -ECONNABORTED)
			fusek_session_gone(s);
		if (session_must_leave(s))
			return false;
		if (rw->entry_error < 0) {
			/* The request was taken from us; the entry with it. */
			log_warn("fuse", "%s: ring entry lost: %s", s->name, strerror(-rw->entry_error));
			if (register_entry(worker, rw) < 0)
				return false;
		}
	}
	rw->have_request = false;
	return true;
}

static void
refuse(struct slot *slot, const struct fuse_in_header *in, uint32_t payload_sz)
{
	bool known = strcmp(fusek_opcode_name(in->opcode), "?") != 0;
	struct fuse_out_header header = {
		.len = sizeof(header), .error = known ? -EIO : -ENOSYS, .unique = in->unique};

	if (known)
		log_warn("fuse", "%s: malformed %s refused (%u bytes)", slot->session->name,
			 fusek_opcode_name(in->opcode), payload_sz);
	put_answer(slot, &header, 0);
}

/* False: the request was answered without a handler. */
static bool
serve(struct worker *worker, struct slot *slot)
{
	struct fusek_session *s = worker->session;
	struct fuse_uring_req_header *entry = entry_header(slot);
	struct fuse_in_header in;
	uint32_t payload_sz = entry->ring_ent_in_out.payload_sz;

	memcpy(&in, entry->in_out, sizeof(in));
	slot->commit_id = entry->ring_ent_in_out.commit_id;
	slot->expiry_settled = false;
	slot->used_large |= payload_sz > FUSEK_MIN_BODY;
	atomic_store_explicit(&worker->n_requests,
			      atomic_load_explicit(&worker->n_requests, memory_order_relaxed) + 1,
			      memory_order_relaxed);
	fusek_session_note_busy(s);
	if (!fusek_opcode_has_reply(in.opcode)) { /* NOTIFY_REPLY: the entry wants an answer */
		struct fuse_out_header done = {.len = sizeof(done), .unique = in.unique};
		put_answer(slot, &done, 0);
		if (in.opcode == FUSE_NOTIFY_REPLY && in.unique & FUSEK_KICK_UNIQUE)
			return false;
	}
	if (payload_sz > slot->out_cap ||
	    fusek_decode_ring(&s->layout, &in, entry->op_in, slot->out, payload_sz, &slot->scratch,
			      &slot->req) < 0) {
		refuse(slot, &in, payload_sz);
		return false;
	}
	fusek_dispatch(worker, slot);
	return true;
}

/* The thread has nothing to do until the answer is there. False: the session ended first. */
static bool
wait_for_owner(struct worker *worker, struct slot *slot)
{
	mutex_lock(&slot->lock);
	while (!slot->owner_done && !session_must_leave(worker->session))
		cond_wait(&slot->changed, &slot->lock);
	bool done = slot->owner_done;
	mutex_unlock(&slot->lock);
	atomic_fetch_sub(&worker->pool->n_parked, 1);
	return done;
}

/* After a deadline: true when the entry has a new worker. */
static bool
was_taken_over(struct slot *slot)
{
	if ((atomic_load(&slot->claim) & CLAIM_MASK) != CLAIM_EXPIRED)
		return false;
	mutex_lock(&slot->lock);
	while (!slot->expiry_settled)
		cond_wait(&slot->changed, &slot->lock);
	bool taken = slot->kernel_map == NULL;
	mutex_unlock(&slot->lock);
	if (!taken) {
		struct fuse_out_header header = {.len = sizeof(header),
						 .error = -ETIMEDOUT,
						 .unique = atomic_load(&slot->unique)};
		put_answer(slot, &header, 0);
	}
	return taken;
}

/* Gives the pages of large transfers back once only small ones come. */
static void
trim(struct ring_worker *rw)
{
	struct slot *slot = rw->slot;

	if (likely(!slot->used_large) || ++rw->n_small < SMALL_UNTIL_TRIM)
		return;
	size_t keep = FUSEK_PAGE + FUSEK_MIN_BODY;
	if (slot->map_size > keep)
		madvise(slot->map + keep, slot->map_size - keep,
			slot->kernel_map == slot->map ? MADV_DONTNEED : MADV_REMOVE);
	slot->used_large = false;
	rw->n_small = 0;
}

static void
worker_loop(struct worker *worker, struct ring_worker *rw)
{
	struct slot *slot = rw->slot;

	while (next_request(worker, rw)) {
		bool was_large = slot->used_large;

		slot->used_large = false;
		bool handled = serve(worker, slot);
		if (handled && slot->parked && !wait_for_owner(worker, slot)) {
			/* The late answer finds the slot until the session is destroyed. */
			atomic_store(&slot->worker, NULL);
			rw->slot = NULL;
			return;
		}
		if (handled && was_taken_over(slot))
			return;
		rw->n_small = slot->used_large ? 0 : rw->n_small;
		slot->used_large |= was_large;
		trim(rw);
		prepare_command(rw, worker->pool, FUSE_IO_URING_CMD_COMMIT_AND_FETCH,
				slot->commit_id);
	}
}

static void
ring_run(struct worker *worker)
{
	struct ring_worker rw = {.slot = NULL};
	CLEANUP(free_ptr) struct takeover *t = worker->transport;
	bool go;

	if (t) {
		go = start_takeover(worker, &rw, t);
	} else {
		int err = worker_open(worker, &rw, NULL);
		go = start_entry(worker, &rw, err);
	}
	bool is_open = rw.slot != NULL;
	if (go)
		worker_loop(worker, &rw);
	if (is_open)
		io_uring_queue_exit(&rw.ring);
	worker->slot = NULL;
	fusek_slot_destroy(rw.slot);
}

/* "0-3" gives 4; the kernel numbers its queues by CPU, so holes cannot be served. 0: unusable. */
static unsigned int
count_possible_cpus(void)
{
	unsigned int first, last = 0;
	char after = '\n';
	FILE *f = fopen("/sys/devices/system/cpu/possible", "re");

	if (!f)
		return 0;
	int n = fscanf(f, "%u-%u%c", &first, &last, &after);
	fclose(f);
	return n >= 1 && first == 0 && after == '\n' && last < UINT16_MAX ? last + 1 : 0;
}

static void
set_phase(struct fusek_session *s, enum ring_phase phase)
{
	mutex_lock(&s->lock);
	s->ring_phase = phase;
	s->ring_reported = 0;
	cond_broadcast(&s->changed);
	mutex_unlock(&s->lock);
}

/* Waits until every queue's first worker has reported. The first error, or 0. */
static int
wait_reports(struct fusek_session *s)
{
	mutex_lock(&s->lock);
	while (s->ring_reported < s->n_ring_pools * WORKERS_AT_START && s->ring_err == 0 && !session_must_leave(s))
		cond_wait(&s->changed, &s->lock);
	int err = s->ring_err ? s->ring_err : session_must_leave(s) ? -ENOTCONN : 0;
	mutex_unlock(&s->lock);
	return err;
}

static int
start_workers(struct fusek_session *s, struct pool *pools, unsigned int n)
{
	unsigned int cap = s->config.max_threads / n;
	int err = 0;

	cap = MIN(MAX(cap, (unsigned int)MIN_QUEUE_CAP), (unsigned int)MAX_QUEUE_CAP);
	mutex_lock(&s->lock);
	s->ring_phase = RING_PREPARING;
	s->ring_pools = pools;
	s->n_ring_pools = n;
	for (unsigned int i = 0; i < n && err == 0; i++) {
		pools[i].session = s;
		pools[i].run = ring_run;
		pools[i].queue = (int)i;
		pools[i].cap = cap;
		pools[i].keep = 1;
		for (unsigned int k = 0; k < WORKERS_AT_START && err == 0; k++)
			err = fusek_worker_start_locked(&pools[i], NULL);
	}
	mutex_unlock(&s->lock);
	return err;
}

/* The administrator's switch (Linux 6.6), or a filter of system calls. */
static void
explain_setup(int err, char *why, size_t why_size)
{
	FILE *f = fopen("/proc/sys/kernel/io_uring_disabled", "re");
	int disabled = f ? fgetc(f) : '0';

	if (f)
		fclose(f);
	if (err == -EPERM && (disabled == '1' || disabled == '2'))
		snprintf(why, why_size, "io_uring: kernel.io_uring_disabled=%c", disabled);
	else
		snprintf(why, why_size, "io_uring_setup: %s", strerror(-err));
}

int
fusek_uring_prepare(struct fusek_session *s, char *why, size_t why_size)
{
	unsigned int n = count_possible_cpus();

	if (n == 0) {
		snprintf(why, why_size, "possible CPUs are not 0 to N");
		return -EOPNOTSUPP;
	}
	struct pool *pools = calloc(n, sizeof(*pools));
	if (!pools) {
		snprintf(why, why_size, "out of memory");
		return -ENOMEM;
	}
	int err = start_workers(s, pools, n);
	if (err == 0)
		err = wait_reports(s);
	if (err < 0) {
		fusek_uring_cancel(s);
		explain_setup(err, why, why_size);
	}
	return err;
}

bool
fusek_uring_register(struct fusek_session *s, char *why, size_t why_size)
{
	set_phase(s, RING_REGISTERING);
	int err = wait_reports(s);
	if (err < 0) {
		fusek_uring_cancel(s);
		snprintf(why, why_size, "/dev/fuse: ring refused: %s", strerror(-err));
		return false;
	}
	fusek_dev_start_polling(s);
	atomic_store(&s->ring_mode, true);
	set_phase(s, RING_RUNNING);
	snprintf(why, why_size, "io_uring: %u queues", s->n_ring_pools);
	return true;
}

void
fusek_uring_cancel(struct fusek_session *s)
{
	set_phase(s, RING_CANCELLED);
}
