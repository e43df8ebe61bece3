#include "transport/iscsi/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/mutex.h"

enum { LOOP_THREADS = 4, LOOP_THREADS_MAX = 32, LOOP_TICK_MS = 200 };
#define WAKE_HANDLE 0 /* of the eventfd; sources count from 1 */

struct loop_slot {
	struct iscsi_source *source; /* NULL: free */
	uint32_t generation;
};

struct iscsi_loop {
	int epoll_fd, wake_fd;
	struct mutex lock; /* rules what follows */
	struct loop_slot *slots;
	size_t n_slots;
	struct list works;
	pthread_t threads[LOOP_THREADS_MAX], ticker;
	size_t n_threads;
	bool stopping;
	struct cond stopped; /* wakes the ticker */
	/* How many threads wait for events, and how often one has come back: the ticker compares */
	size_t n_idle;
	uint64_t n_returns, n_returns_seen;
};

static struct mutex registry_lock = MUTEX_INIT; /* rules the two below */
static struct iscsi_loop *the_loop;
static size_t n_users;

static uint64_t
handle_make(size_t slot, uint32_t generation)
{
	return (uint64_t)generation << 32 | (slot + 1);
}

/* The source of a handle, referenced, or NULL. */
static struct iscsi_source *
source_get(struct iscsi_loop *loop, uint64_t handle)
{
	size_t slot = (handle & UINT32_MAX) - 1;
	struct iscsi_source *source = NULL;

	mutex_lock(&loop->lock);
	if (slot < loop->n_slots && loop->slots[slot].generation == handle >> 32)
		source = loop->slots[slot].source;
	if (source)
		source->ops->ref(source);
	mutex_unlock(&loop->lock);
	return source;
}

static void
work_run(struct iscsi_loop *loop)
{
	struct iscsi_work *work = NULL;
	uint64_t one;

	if (read(loop->wake_fd, &one, sizeof(one)) != sizeof(one))
		return;
	mutex_lock(&loop->lock);
	if (!list_empty(&loop->works)) {
		work = list_first(&loop->works, struct iscsi_work, link);
		list_remove(&work->link);
	}
	mutex_unlock(&loop->lock);
	if (work)
		work->run(work);
}

static void
dispatch(struct iscsi_loop *loop, const struct epoll_event *event)
{
	struct iscsi_source *source;

	if (event->data.u64 == WAKE_HANDLE) {
		work_run(loop);
		return;
	}
	source = source_get(loop, event->data.u64);
	if (!source)
		return;
	source->ops->event(source, event->events);
	source->ops->unref(source);
}

static bool
idle_begin(struct iscsi_loop *loop)
{
	mutex_lock(&loop->lock);
	bool stopping = loop->stopping && list_empty(&loop->works);

	loop->n_idle++;
	loop->n_returns++;
	mutex_unlock(&loop->lock);
	return !stopping;
}

static void
idle_end(struct iscsi_loop *loop)
{
	mutex_lock(&loop->lock);
	loop->n_idle--;
	mutex_unlock(&loop->lock);
}

/* One event at a time: what this thread does not take, another can. */
static void *
loop_thread(void *arg)
{
	struct iscsi_loop *loop = arg;
	struct epoll_event event;

	while (idle_begin(loop)) {
		int n = epoll_wait(loop->epoll_fd, &event, 1, -1);

		idle_end(loop);
		if (n == 1)
			dispatch(loop, &event);
	}
	return NULL;
}

/* Signals are the program's business: none is delivered on our threads. */
static int
thread_start(pthread_t *thread, void *(*run)(void *), void *arg)
{
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(thread, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -err;
}

/* Nobody waits and nobody has come back since the last tick: all are held by callbacks. */
static void
grow_locked(struct iscsi_loop *loop) REQUIRES(&loop->lock)
{
	bool stuck = loop->n_idle == 0 && loop->n_returns == loop->n_returns_seen;

	loop->n_returns_seen = loop->n_returns;
	if (!stuck || loop->n_threads == LOOP_THREADS_MAX)
		return;
	if (thread_start(&loop->threads[loop->n_threads], loop_thread, loop) == 0)
		loop->n_threads++;
	log_debug("iscsi", "all threads are held, n_threads=%zu", loop->n_threads);
}

static void
tick_source(struct iscsi_loop *loop, size_t slot, uint64_t now_ns)
{
	struct iscsi_source *source = NULL;

	mutex_lock(&loop->lock);
	if (slot < loop->n_slots && loop->slots[slot].source) {
		source = loop->slots[slot].source;
		source->ops->ref(source);
	}
	mutex_unlock(&loop->lock);
	if (!source)
		return;
	source->ops->tick(source, now_ns);
	source->ops->unref(source);
}

static void *
ticker_thread(void *arg)
{
	struct iscsi_loop *loop = arg;

	mutex_lock(&loop->lock);
	while (!loop->stopping) {
		uint64_t now_ns = clock_monotonic_ns();
		size_t n_slots = loop->n_slots;

		grow_locked(loop);
		mutex_unlock(&loop->lock);
		for (size_t slot = 0; slot < n_slots; slot++)
			tick_source(loop, slot, now_ns);
		mutex_lock(&loop->lock);
		while (!loop->stopping && cond_wait_until(&loop->stopped, &loop->lock,
							  now_ns + LOOP_TICK_MS * 1000000ull))
			;
	}
	mutex_unlock(&loop->lock);
	return NULL;
}

/* A thread leaves when it comes back to its loop: each one needs an event for that. */
static void
threads_join(struct iscsi_loop *loop)
{
	mutex_lock(&loop->lock);
	bool has_ticker = loop->n_threads > 0;

	loop->stopping = true;
	cond_broadcast(&loop->stopped);
	mutex_unlock(&loop->lock);
	if (has_ticker)
		pthread_join(loop->ticker, NULL);
	for (uint64_t n = LOOP_THREADS_MAX;
	     write(loop->wake_fd, &n, sizeof(n)) < 0 && errno == EINTR;)
		;
	for (size_t i = 0; i < loop->n_threads; i++)
		pthread_join(loop->threads[i], NULL);
}

static void
loop_destroy(struct iscsi_loop *loop)
{
	threads_join(loop);
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
	if (loop->wake_fd >= 0)
		close(loop->wake_fd);
	cond_fini(&loop->stopped);
	mutex_fini(&loop->lock);
	free(loop->slots);
	free(loop);
}

static int
loop_start(struct iscsi_loop *loop)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = WAKE_HANDLE};
	long n_cpus = sysconf(_SC_NPROCESSORS_ONLN);
	size_t n_threads = (size_t)MIN(MAX(n_cpus, 1) * 2, LOOP_THREADS);
	int err = 0;

	if (loop->epoll_fd < 0 || loop->wake_fd < 0 ||
	    epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &event) < 0)
		return -errno;
	err = thread_start(&loop->ticker, ticker_thread, loop);
	if (err < 0)
		return err;
	while (err == 0 && loop->n_threads < n_threads) {
		err = thread_start(&loop->threads[loop->n_threads], loop_thread, loop);
		mutex_lock(&loop->lock);
		loop->n_threads += err == 0;
		mutex_unlock(&loop->lock);
	}
	/* One is enough; without any, the ticker must not be left behind. */
	if (loop->n_threads > 0)
		return 0;
	mutex_lock(&loop->lock);
	loop->stopping = true;
	cond_broadcast(&loop->stopped);
	mutex_unlock(&loop->lock);
	pthread_join(loop->ticker, NULL);
	return err;
}

static int
loop_create(struct iscsi_loop **ret_loop)
{
	struct iscsi_loop *loop = calloc(1, sizeof(*loop));
	int err;

	if (!loop)
		return -ENOMEM;
	mutex_init(&loop->lock);
	cond_init(&loop->stopped);
	list_init(&loop->works);
	loop->n_returns_seen = UINT64_MAX; /* not stuck before it has begun */
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
	err = loop_start(loop);
	if (err < 0) {
		loop_destroy(loop);
		return err;
	}
	*ret_loop = loop;
	return 0;
}

int
iscsi_loop_get(struct iscsi_loop **ret_loop)
{
	int err = 0;

	mutex_lock(&registry_lock);
	if (!the_loop)
		err = loop_create(&the_loop);
	if (err == 0) {
		n_users++;
		*ret_loop = the_loop;
	}
	mutex_unlock(&registry_lock);
	return err;
}

void
iscsi_loop_put(struct iscsi_loop *loop)
{
	struct iscsi_loop *last = NULL;

	if (!loop)
		return;
	mutex_lock(&registry_lock);
	if (--n_users == 0)
		last = take(&the_loop);
	mutex_unlock(&registry_lock);
	if (last)
		loop_destroy(last);
}

static int
slot_take_locked(struct iscsi_loop *loop, size_t *ret_slot) REQUIRES(&loop->lock)
{
	size_t slot = 0, n = loop->n_slots ? loop->n_slots * 2 : 16;
	struct loop_slot *slots;

	while (slot < loop->n_slots && loop->slots[slot].source)
		slot++;
	if (slot == loop->n_slots) {
		slots = realloc(loop->slots, n * sizeof(*slots));
		if (!slots)
			return -ENOMEM;
		for (size_t i = loop->n_slots; i < n; i++)
			slots[i] = (struct loop_slot){0};
		loop->slots = slots;
		loop->n_slots = n;
	}
	*ret_slot = slot;
	return 0;
}

int
iscsi_loop_add(struct iscsi_loop *loop, struct iscsi_source *source, uint32_t events)
{
	struct epoll_event event = {.events = events | EPOLLONESHOT};
	size_t slot = 0;
	int err;

	mutex_lock(&loop->lock);
	err = slot_take_locked(loop, &slot);
	if (err == 0) {
		loop->slots[slot].source = source;
		source->handle = handle_make(slot, ++loop->slots[slot].generation);
		event.data.u64 = source->handle;
		source->ops->ref(source);
		if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, source->fd, &event) < 0)
			err = -errno;
	}
	if (err < 0 && source->handle) {
		loop->slots[slot].source = NULL;
		source->handle = 0;
	}
	mutex_unlock(&loop->lock);
	if (err < 0 && event.data.u64)
		source->ops->unref(source);
	return err;
}

void
iscsi_loop_arm(struct iscsi_loop *loop, struct iscsi_source *source, uint32_t events)
{
	struct epoll_event event = {.events = events | EPOLLONESHOT, .data.u64 = source->handle};

	/* ENOENT: it has been removed meanwhile. */
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, source->fd, &event);
}

void
iscsi_loop_remove(struct iscsi_loop *loop, struct iscsi_source *source)
{
	size_t slot = (source->handle & UINT32_MAX) - 1;
	bool ours = false;

	mutex_lock(&loop->lock);
	if (source->handle && loop->slots[slot].source == source &&
	    loop->slots[slot].generation == source->handle >> 32) {
		epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
		loop->slots[slot].source = NULL;
		ours = true;
	}
	mutex_unlock(&loop->lock);
	if (ours)
		source->ops->unref(source);
}

void
iscsi_loop_post(struct iscsi_loop *loop, struct iscsi_work *work)
{
	mutex_lock(&loop->lock);
	list_insert(&loop->works, &work->link);
	mutex_unlock(&loop->lock);
	for (uint64_t one = 1; write(loop->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR;)
		;
}
