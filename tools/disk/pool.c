/*
 * Threads for ways in whose system calls block. Lock order: the pool's lock alone. The
 * caller's thread reads `back`; workers read `todo`.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mutex.h"
#include "tools/disk/client_priv.h"

struct disk_pool {
	struct disk *disk;
	void (*run)(struct disk *disk, struct disk_cdb *work);
	struct mutex lock; /* rules what follows */
	struct cond wake_worker, wake_caller;
	struct disk_cdb *todo[DISK_DEPTH_MAX], *back[DISK_DEPTH_MAX]; /* rings */
	unsigned todo_first, n_todo, back_first, n_back;
	bool stopping;
	unsigned n_threads;
	pthread_t threads[];
};

static void
push(struct disk_cdb **ring, unsigned first, unsigned *n, struct disk_cdb *work)
{
	ring[(first + (*n)++) % DISK_DEPTH_MAX] = work;
}

static struct disk_cdb *
pop(struct disk_cdb **ring, unsigned *first, unsigned *n)
{
	struct disk_cdb *work = ring[*first];

	*first = (*first + 1) % DISK_DEPTH_MAX;
	(*n)--;
	return work;
}

static void *
worker(void *arg)
{
	struct disk_pool *pool = arg;
	struct disk_cdb *work;

	mutex_lock(&pool->lock);
	for (;;) {
		while (!pool->n_todo && !pool->stopping)
			cond_wait(&pool->wake_worker, &pool->lock);
		if (pool->stopping)
			break;
		work = pop(pool->todo, &pool->todo_first, &pool->n_todo);
		mutex_unlock(&pool->lock);
		pool->run(pool->disk, work);
		mutex_lock(&pool->lock);
		push(pool->back, pool->back_first, &pool->n_back, work);
		cond_signal(&pool->wake_caller);
	}
	mutex_unlock(&pool->lock);
	return NULL;
}

int
disk_pool_create(struct disk *disk, unsigned n_threads,
		 void (*run)(struct disk *disk, struct disk_cdb *work),
		 struct disk_pool **ret_pool)
{
	struct disk_pool *pool =
		calloc(1, sizeof(*pool) + n_threads * sizeof(pool->threads[0]));

	if (!pool)
		return -ENOMEM;
	pool->disk = disk;
	pool->run = run;
	mutex_init(&pool->lock);
	cond_init(&pool->wake_worker);
	cond_init(&pool->wake_caller);
	while (pool->n_threads < n_threads &&
	       pthread_create(&pool->threads[pool->n_threads], NULL, worker, pool) == 0)
		pool->n_threads++;
	if (pool->n_threads < n_threads) {
		disk_pool_destroy(pool);
		return -EAGAIN;
	}
	*ret_pool = pool;
	return 0;
}

void
disk_pool_destroy(struct disk_pool *pool)
{
	if (!pool)
		return;
	mutex_lock(&pool->lock);
	pool->stopping = true;
	cond_broadcast(&pool->wake_worker);
	mutex_unlock(&pool->lock);
	for (unsigned i = 0; i < pool->n_threads; i++)
		pthread_join(pool->threads[i], NULL);
	cond_fini(&pool->wake_caller);
	cond_fini(&pool->wake_worker);
	mutex_fini(&pool->lock);
	free(pool);
}

void
disk_pool_submit(struct disk_pool *pool, struct disk_cdb *work)
{
	bool full;

	mutex_lock(&pool->lock);
	full = pool->n_todo == DISK_DEPTH_MAX || pool->n_back == DISK_DEPTH_MAX;
	if (!full) {
		push(pool->todo, pool->todo_first, &pool->n_todo, work);
		cond_signal(&pool->wake_worker);
	}
	mutex_unlock(&pool->lock);
	if (full) {
		work->out.err = EBUSY;
		disk_work_done(pool->disk, work);
	}
}

void
disk_pool_pump(struct disk_pool *pool, int timeout_ms)
{
	uint64_t until = clock_monotonic_ns() + (uint64_t)MAX(timeout_ms, 0) * 1000000;
	struct disk_cdb *batch[DISK_DEPTH_MAX];
	unsigned n = 0;

	mutex_lock(&pool->lock);
	while (!pool->n_back) {
		if (timeout_ms < 0)
			cond_wait(&pool->wake_caller, &pool->lock);
		else if (!cond_wait_until(&pool->wake_caller, &pool->lock, until))
			break;
	}
	while (pool->n_back)
		batch[n++] = pop(pool->back, &pool->back_first, &pool->n_back);
	mutex_unlock(&pool->lock);
	for (unsigned i = 0; i < n; i++)
		disk_work_done(pool->disk, batch[i]);
}
