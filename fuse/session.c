/* Life cycle of a session and its threads. */
#include "fuse/session_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"

enum { DEFAULT_MAX_THREADS = 64, MANY_CPUS = 32 };

static void *
worker_main(void *arg)
{
	struct worker *worker = arg;
	struct fusek_session *s = worker->session;
	char name[16];

	snprintf(name, sizeof(name), "fuse-%.10s", s->name);
	pthread_setname_np(pthread_self(), name);
	worker->pool->run(worker);
	mutex_lock(&s->lock);
	list_remove(&worker->node);
	list_insert(&s->finished, &worker->node);
	worker->left = true;
	worker->pool->n_workers--;
	worker->pool->n_leaving -= worker->leaving;
	if (atomic_load(&worker->hung))
		worker->pool->n_hung--;
	s->n_requests_retired += atomic_load(&worker->n_requests);
	mutex_unlock(&s->lock);
	fusek_session_wake_keeper(s);
	return NULL;
}

/* Session threads leave the process's signals to the threads of the program. */
static int
thread_start(pthread_t *ret_thread, void *(*fn)(void *), void *arg)
{
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int err = -pthread_create(ret_thread, NULL, fn, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return err;
}

int
fusek_worker_start_locked(struct pool *pool, void *transport)
{
	struct fusek_session *s = pool->session;
	struct worker *worker = calloc(1, sizeof(*worker));

	if (!worker)
		return -ENOMEM;
	worker->session = s;
	worker->pool = pool;
	worker->transport = transport;
	list_insert(&s->workers, &worker->node);
	pool->n_workers++;
	int err = thread_start(&worker->thread, worker_main, worker);
	if (err < 0) {
		pool->n_workers--;
		list_remove(&worker->node);
		free(worker);
	}
	return err;
}

void
fusek_session_wake_keeper(struct fusek_session *s)
{
	mutex_lock(&s->lock);
	atomic_store(&s->keeper_asleep, false);
	cond_broadcast(&s->changed);
	mutex_unlock(&s->lock);
}

void
fusek_session_note_busy(struct fusek_session *s)
{
	if (unlikely(atomic_load(&s->keeper_asleep)))
		fusek_session_wake_keeper(s);
}

void
fusek_session_gone(struct fusek_session *s)
{
	uint64_t one = 1;

	if (atomic_exchange(&s->gone, true))
		return;
	ssize_t n = write(s->wake_fd, &one, sizeof(one));
	(void)n;
	fusek_session_wake_keeper(s);
}

static int
check_config(const struct fusek_config *c)
{
	bool ok = (c->max_write == 0 || c->max_write >= FUSEK_PAGE) &&
		  c->max_write <= 64u << 20 && c->time_gran_ns <= 1000000000 &&
		  c->max_background <= UINT16_MAX && c->congestion_threshold <= UINT16_MAX &&
		  c->transport >= FUSEK_TRANSPORT_AUTO && c->transport <= FUSEK_TRANSPORT_DEV &&
		  (c->max_minor == 0 || c->max_minor >= FUSE_KERNEL_MINOR_MIN) &&
		  (c->max_threads == 0 || c->min_threads <= c->max_threads) &&
		  !c->read == !c->writev &&
		  c->max_stack_depth <= 2;

	return ok ? 0 : -EINVAL;
}

/* What the kernel will cut larger values to. */
static uint32_t
max_pages_limit(void)
{
	unsigned int limit = 256;
	FILE *f = fopen("/proc/sys/fs/fuse/max_pages_limit", "re");

	if (f) {
		if (fscanf(f, "%u", &limit) != 1 || limit < 1 || limit > UINT16_MAX)
			limit = 256;
		fclose(f);
	}
	return limit;
}

static void
fill_defaults(struct fusek_config *c)
{
	uint64_t limit = (uint64_t)max_pages_limit() * FUSEK_PAGE;

	if (!c->max_write)
		c->max_write = sysconf(_SC_NPROCESSORS_CONF) > MANY_CPUS ? 256u << 10 : 1u << 20;
	c->max_write &= ~(uint32_t)(FUSEK_PAGE - 1);
	if (c->max_write > limit)
		c->max_write = (uint32_t)limit;
	if (!c->max_background)
		c->max_background = 64;
	if (!c->congestion_threshold)
		c->congestion_threshold = c->max_background * 3 / 4;
	if (!c->time_gran_ns)
		c->time_gran_ns = 1;
	if (!c->max_threads)
		c->max_threads = MAX(DEFAULT_MAX_THREADS, c->min_threads);
	if (!c->max_minor || c->max_minor > FUSE_KERNEL_MINOR_VERSION)
		c->max_minor = FUSE_KERNEL_MINOR_VERSION;
}

int
fusek_session_create(int dev_fd, const struct fusek_config *config, const struct fusek_ops *ops,
		     void *ctx, struct fusek_session **ret_session)
{
	int err = check_config(config);

	if (err < 0)
		return err;
	struct fusek_session *s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->wake_fd < 0) {
		free(s);
		return -ENOMEM;
	}
	s->dev_fd = dev_fd;
	s->abort_fd = fusek_control_open(dev_fd);
	s->config = *config;
	fill_defaults(&s->config);
	snprintf(s->name, sizeof(s->name), "%s", config->name ? config->name : "drive");
	s->config.name = s->name;
	s->ops = *ops;
	s->ctx = ctx;
	s->max_write = s->config.max_write;
	s->body_size = MAX(s->config.max_write, (size_t)FUSEK_MIN_BODY);
	s->transport = FUSEK_TRANSPORT_DEV;
	snprintf(s->why, sizeof(s->why), "/dev/fuse: not negotiated yet");
	mutex_init(&s->lock);
	cond_init(&s->changed);
	list_init(&s->workers);
	list_init(&s->finished);
	list_init(&s->slots);
	list_init(&s->spare_slots);
	s->dev_pool = (struct pool){
		.session = s,
		.run = fusek_dev_run,
		.queue = -1,
		.cap = s->config.max_threads,
		.keep = MAX(s->config.min_threads, 1u),
	};
	*ret_session = s;
	return 0;
}

void
fusek_session_limit_threads(struct fusek_session *s, uint32_t max)
{
	s->config.max_threads = max;
	s->config.min_threads = MIN(s->config.min_threads, max);
	s->dev_pool.cap = max;
	s->dev_pool.keep = MAX(s->config.min_threads, 1u);
}

int
fusek_session_start(struct fusek_session *s)
{
	if (s->abort_fd < 0)
		fusek_dev_start_polling(s);
	mutex_lock(&s->lock);
	/* One reader answers INIT; the keeper adds others when they are needed. */
	int err = s->state == SESSION_CREATED ? fusek_worker_start_locked(&s->dev_pool, NULL) : -EINVAL;
	if (err == 0) {
		s->state = SESSION_RUNNING;
		err = thread_start(&s->keeper, fusek_keeper_main, s);
		s->keeper_started = err == 0;
	}
	mutex_unlock(&s->lock);
	return err;
}

int
fusek_session_wait_ready(struct fusek_session *s, uint32_t timeout_ms)
{
	uint64_t until = clock_monotonic_ns() + (uint64_t)timeout_ms * 1000000;
	bool in_time = true;

	mutex_lock(&s->lock);
	while (in_time && !atomic_load(&s->ready) && !atomic_load(&s->gone) &&
	       s->state == SESSION_RUNNING)
		in_time = cond_wait_until(&s->changed, &s->lock, until);
	bool gone = atomic_load(&s->gone) || s->state == SESSION_ENDED;
	mutex_unlock(&s->lock);
	if (gone)
		return atomic_load(&s->ring_refused) ? -EOPNOTSUPP : -ENOTCONN;
	return atomic_load(&s->ready) ? 0 : -ETIMEDOUT;
}

/* Whoever has returned without an answer may never give one: nobody waits for it. */
static bool
slot_is_served(const struct fusek_session *s, struct slot *slot)
{
	return slot_is_open(slot) &&
	       !(s->config.late_replies && atomic_load(&slot->hand) & HAND_RETURNED);
}

/* Requests that a handler runs for, or somebody else holds. */
static bool
has_open_requests_locked(struct fusek_session *s)
{
	list_for_each(pos, &s->slots)
		if (slot_is_served(s, list_entry(pos, struct slot, node)))
			return true;
	return false;
}

void
fusek_session_stop(struct fusek_session *s, uint32_t drain_ms)
{
	const uint64_t step_ns = 2000000;
	uint64_t until = clock_monotonic_ns() + (uint64_t)drain_ms * 1000000, now, one = 1;

	atomic_store(&s->stopping, true);
	mutex_lock(&s->lock);
	while (s->state == SESSION_RUNNING && !atomic_load(&s->gone) &&
	       has_open_requests_locked(s) && (now = clock_monotonic_ns()) < until)
		cond_wait_until(&s->changed, &s->lock, MIN(now + step_ns, until));
	atomic_store(&s->closing, true);
	mutex_unlock(&s->lock);
	ssize_t n = write(s->wake_fd, &one, sizeof(one));
	(void)n;
	fusek_session_wake_keeper(s);
	mutex_lock(&s->lock);
	while (s->keeper_started && s->state == SESSION_RUNNING && !s->device_closed)
		cond_wait(&s->changed, &s->lock);
	bool without_threads = s->state == SESSION_CREATED && !s->device_closed;
	mutex_unlock(&s->lock);
	if (without_threads)
		fusek_session_close_device(s);
}

void
fusek_session_join(struct fusek_session *s)
{
	mutex_lock(&s->lock);
	while (s->keeper_started && s->state == SESSION_RUNNING)
		cond_wait(&s->changed, &s->lock);
	mutex_unlock(&s->lock);
}

/* A start that failed half way has a reader but no keeper. */
static void
end_without_keeper(struct fusek_session *s)
{
	fusek_session_gone(s);
	mutex_lock(&s->lock);
	while (!list_empty(&s->workers)) {
		fusek_dev_abort(s);
		cond_wait_until(&s->changed, &s->lock, clock_monotonic_ns() + 2000000);
	}
	mutex_unlock(&s->lock);
	list_for_each_safe(pos, tmp, &s->finished) {
		struct worker *worker = list_entry(pos, struct worker, node);

		pthread_join(worker->thread, NULL);
		free(worker);
	}
}

void
fusek_session_destroy(struct fusek_session *s)
{
	if (!s)
		return;
	fusek_session_stop(s, 0);
	fusek_session_join(s);
	if (s->keeper_started)
		pthread_join(s->keeper, NULL);
	else
		end_without_keeper(s);
	/* Parked requests that were never answered end here. */
	while (!list_empty(&s->slots))
		fusek_slot_destroy(list_first(&s->slots, struct slot, node));
	while (!list_empty(&s->spare_slots))
		fusek_slot_destroy(list_first(&s->spare_slots, struct slot, node));
	close(s->dev_fd);
	close_fd(&s->abort_fd);
	close(s->wake_fd);
	free(s->ring_pools);
	cond_fini(&s->changed);
	mutex_fini(&s->lock);
	free(s);
}

void
fusek_session_info(struct fusek_session *s, struct fusek_info *ret_info)
{
	struct fusek_info info = {.major = FUSE_KERNEL_VERSION};

	mutex_lock(&s->lock);
	info.transport = s->transport;
	memcpy(info.why, s->why, sizeof(info.why));
	info.n_requests = s->n_requests_retired;
	list_for_each(pos, &s->workers) {
		info.n_requests += atomic_load(&list_entry(pos, struct worker, node)->n_requests);
		info.n_threads++;
	}
	info.n_threads += s->state == SESSION_RUNNING;
	mutex_unlock(&s->lock);
	if (atomic_load(&s->ready)) {
		info.minor = s->minor;
		info.flags = s->flags;
		info.max_write = s->max_write;
	}
	info.n_deadline_misses = atomic_load(&s->n_deadline_misses);
	*ret_info = info;
}
