/*
 * The keeper: looks at the pools every millisecond while requests come, and sleeps when none do.
 * A worker that takes a request while the keeper sleeps wakes it (once per quiet period).
 */
#include "fuse/session_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"

enum {
	TICK_NS = 1000000,
	TICKS_UNTIL_SLEEP = 32,
	/* Nobody waits and hardly anything moves for so many ticks: the workers are blocked. */
	STARVED_TICKS = 2,
	WINDOW_TICKS = 500,
	MAX_EXPIRED_AT_ONCE = 16,
	/* Ring workers per queue that may wait for parked requests in addition to the others. */
	MAX_PARKED = 256,
};

static uint64_t
pool_progress_locked(const struct pool *pool)
{
	uint64_t sum = 0;

	list_for_each(pos, &pool->session->workers) {
		struct worker *w = list_entry(pos, struct worker, node);

		if (w->pool == pool)
			sum += atomic_load_explicit(&w->n_requests, memory_order_relaxed);
	}
	return sum;
}

/* Workers that wait for somebody else do not count, up to a limit. */
bool
fusek_pool_may_grow_locked(struct pool *pool)
{
	unsigned int parked = (unsigned int)atomic_load(&pool->n_parked);
	unsigned int set_aside = pool->n_hung + MIN(parked, (unsigned int)MAX_PARKED);

	return atomic_load(&pool->session->ready) && pool->n_workers < pool->cap + set_aside;
}

static bool
pool_is_starved_locked(struct pool *pool, uint64_t moved)
{
	return atomic_load(&pool->n_waiting) == 0 && pool->n_workers > 0 &&
	       fusek_pool_may_grow_locked(pool) && moved <= 2 * pool->n_workers;
}

static void
pool_shrink_locked(struct pool *pool)
{
	int surplus = pool->window_min_waiting - (int)pool->keep;

	if (pool->window_ticks == 0) /* nothing was counted yet: a window ended just now */
		return;
	if (pool->queue < 0 && surplus > 0 && !atomic_load(&pool->session->ring_mode))
		atomic_store(&pool->excess, surplus);
	pool->window_ticks = 0;
	pool->window_min_waiting = INT32_MAX;
}

/* One look at a pool; true when something moved or has to. */
static bool
pool_tick_locked(struct pool *pool)
{
	uint64_t progress = pool_progress_locked(pool);
	uint64_t moved = progress - pool->last_progress;
	int waiting = atomic_load(&pool->n_waiting);

	pool->last_progress = progress;
	if (waiting < pool->window_min_waiting || pool->window_ticks == 0)
		pool->window_min_waiting = waiting;
	if (++pool->window_ticks >= WINDOW_TICKS)
		pool_shrink_locked(pool);
	if (!pool_is_starved_locked(pool, moved)) {
		pool->starved_ticks = 0;
		return moved != 0;
	}
	if (++pool->starved_ticks >= STARVED_TICKS) {
		int err = fusek_worker_start_locked(pool, NULL);
		if (err < 0)
			log_warn("fuse", "%s: no further thread: error %d", pool->session->name, err);
	}
	return true;
}

static bool
pools_tick_locked(struct fusek_session *s)
{
	bool active = pool_tick_locked(&s->dev_pool);

	for (unsigned int i = 0; i < s->n_ring_pools; i++)
		active |= pool_tick_locked(&s->ring_pools[i]);
	return active;
}

/* Counts the worker as lost to its pool until its handler returns. */
static void
set_worker_aside(struct fusek_session *s, struct worker *worker)
{
	mutex_lock(&s->lock);
	if (!worker->left && !atomic_exchange(&worker->hung, true))
		worker->pool->n_hung++;
	mutex_unlock(&s->lock);
}

/* The callers gave up on it themselves (a signal that they handle). */
static bool
was_interrupted(const struct fusek_session *s, struct slot *slot, uint64_t unique)
{
	return s->config.interrupt_ms && atomic_load(&slot->interrupted) == unique;
}

/* When the request's time is over. */
static uint64_t
due_ns(const struct fusek_session *s, struct slot *slot)
{
	uint64_t due = atomic_load(&slot->started_ns) + s->config.deadline_ms * 1000000ull;

	if (was_interrupted(s, slot, atomic_load(&slot->unique)))
		due = MIN(due, atomic_load(&slot->interrupted_ns) +
				       s->config.interrupt_ms * 1000000ull);
	return due;
}

static void
count_miss(struct fusek_session *s, uint64_t unique)
{
	atomic_fetch_add(&s->n_deadline_misses, 1);
	log_warn("fuse", "%s: request unique=%llu missed its deadline of %u ms, answered ETIMEDOUT",
		 s->name, (unsigned long long)unique, s->config.deadline_ms);
}

static void
expire(struct fusek_session *s, struct slot *slot, uint64_t claim, uint64_t unique)
{
	bool interrupted = was_interrupted(s, slot, unique);
	struct fuse_out_header header = {.len = sizeof(header),
					 .error = interrupted ? -EINTR : -ETIMEDOUT,
					 .unique = unique};

	if (!atomic_compare_exchange_strong(&slot->claim, &claim,
					    (claim & ~(uint64_t)CLAIM_MASK) | CLAIM_EXPIRED))
		return;
	if (!interrupted)
		count_miss(s, unique);
	struct worker *worker = atomic_load(&slot->worker);
	if (worker)
		set_worker_aside(s, worker);
	slot->ops->expire(slot, &header);
}

struct late {
	struct slot *slot;
	uint64_t claim, unique;
};

/* Expires what is late. Returns when the next deadline is, UINT64_MAX for none. */
static uint64_t
check_deadlines(struct fusek_session *s)
{
	uint64_t now = clock_monotonic_ns(), next = UINT64_MAX;
	struct late late[MAX_EXPIRED_AT_ONCE];
	unsigned int n = 0;

	if (!s->config.deadline_ms)
		return UINT64_MAX;
	mutex_lock(&s->lock);
	list_for_each(pos, &s->slots) {
		struct slot *slot = list_entry(pos, struct slot, node);
		uint64_t claim = atomic_load(&slot->claim);
		uint64_t due = due_ns(s, slot);

		if ((claim & CLAIM_MASK) != CLAIM_OPEN)
			continue;
		if (due > now || n == MAX_EXPIRED_AT_ONCE) {
			next = MIN(next, MAX(due, now + TICK_NS));
			continue;
		}
		late[n++] = (struct late){slot, claim, atomic_load(&slot->unique)};
		fusek_slot_pin_locked(slot);
	}
	mutex_unlock(&s->lock);
	for (unsigned int i = 0; i < n; i++) {
		expire(s, late[i].slot, late[i].claim, late[i].unique);
		fusek_slot_unpin(late[i].slot);
	}
	return next;
}

static void
join_finished(struct fusek_session *s)
{
	struct list done;

	list_init(&done);
	mutex_lock(&s->lock);
	while (!list_empty(&s->finished)) {
		struct list *node = s->finished.next;

		list_remove(node);
		list_insert(&done, node);
	}
	mutex_unlock(&s->lock);
	while (!list_empty(&done)) {
		struct worker *worker = list_first(&done, struct worker, node);

		list_remove(&worker->node);
		pthread_join(worker->thread, NULL);
		free(worker);
	}
}

/*
 * Gives the device up; the kernel aborts the connection when nobody else holds it, if it has not
 * been told to already. The number stays taken by /dev/null, so that a late answer cannot
 * reach a stranger's descriptor.
 */
void
fusek_session_close_device(struct fusek_session *s)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null_fd >= 0) {
		dup3(null_fd, s->dev_fd, O_CLOEXEC);
		close(null_fd);
	}
	mutex_lock(&s->lock);
	s->device_closed = true;
	cond_broadcast(&s->changed);
	mutex_unlock(&s->lock);
}

static void
close_device(struct fusek_session *s)
{
	/* Readers may all have left before they had to be sent home; somebody else's copy of the
	 * descriptor (a child's) must not keep the connection waiting for answers. */
	if (!atomic_load(&s->gone))
		fusek_dev_abort(s);
	fusek_session_close_device(s);
}

/* One step towards the end: readers are sent home, then the device goes, then handlers end. */
static void
close_step(struct fusek_session *s)
{
	if (!atomic_load(&s->gone))
		fusek_dev_abort(s);
	if (!s->device_closed && atomic_load(&s->dev_pool.n_waiting) == 0) {
		close_device(s);
		fusek_session_interrupt_all(s);
	}
}

static bool
all_workers_left(struct fusek_session *s)
{
	mutex_lock(&s->lock);
	bool left = list_empty(&s->workers);
	mutex_unlock(&s->lock);
	return left;
}

/* Until something happens, or until the time of the next tick or deadline. */
static void
keeper_rest(struct fusek_session *s, bool quiet, uint64_t next_deadline)
{
	mutex_lock(&s->lock);
	if (quiet) {
		atomic_store(&s->keeper_asleep, true);
		/* A worker that took a request before it could see this: look again. */
		if (pools_tick_locked(s))
			atomic_store(&s->keeper_asleep, false);
	}
	uint64_t until = quiet ? next_deadline : clock_monotonic_ns() + TICK_NS;
	while (!session_must_leave(s) && list_empty(&s->finished) &&
	       (!quiet || atomic_load(&s->keeper_asleep))) {
		if (until == UINT64_MAX)
			cond_wait(&s->changed, &s->lock);
		else if (!cond_wait_until(&s->changed, &s->lock, until))
			break;
	}
	atomic_store(&s->keeper_asleep, false);
	mutex_unlock(&s->lock);
}

static void
keeper_loop(struct fusek_session *s)
{
	unsigned int quiet_ticks = 0;

	while (!session_must_leave(s)) {
		uint64_t next = check_deadlines(s);

		join_finished(s);
		mutex_lock(&s->lock);
		quiet_ticks = pools_tick_locked(s) ? 0 : quiet_ticks + 1;
		bool quiet = quiet_ticks >= TICKS_UNTIL_SLEEP;
		if (quiet)
			pool_shrink_locked(&s->dev_pool);
		mutex_unlock(&s->lock);
		keeper_rest(s, quiet, next);
	}
}

static void
keeper_end(struct fusek_session *s)
{
	while (!all_workers_left(s)) {
		close_step(s);
		fusek_session_wake_slots(s);
		check_deadlines(s);
		join_finished(s);
		mutex_lock(&s->lock);
		if (!list_empty(&s->workers) && list_empty(&s->finished))
			cond_wait_until(&s->changed, &s->lock, clock_monotonic_ns() + 2 * TICK_NS);
		mutex_unlock(&s->lock);
	}
	join_finished(s);
	if (!s->device_closed)
		close_device(s);
	fusek_session_interrupt_all(s);
}

void *
fusek_keeper_main(void *arg)
{
	struct fusek_session *s = arg;

	pthread_setname_np(pthread_self(), "fuse-keeper");
	keeper_loop(s);
	keeper_end(s);
	log_debug("fuse", "%s: session ended", s->name);
	if (s->ops.ended)
		s->ops.ended(s->ctx);
	mutex_lock(&s->lock);
	s->state = SESSION_ENDED;
	cond_broadcast(&s->changed);
	mutex_unlock(&s->lock);
	return NULL;
}
