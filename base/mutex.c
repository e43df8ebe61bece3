#include "base/mutex.h"

#include <assert.h>
#include <errno.h>
#include <time.h>

void
mutex_init(struct mutex *m)
{
	pthread_mutex_init(&m->m, NULL);
}

void
mutex_fini(struct mutex *m)
{
	pthread_mutex_destroy(&m->m);
}

NO_TSA void
mutex_lock(struct mutex *m)
{
	int err = pthread_mutex_lock(&m->m);

	assert(err == 0);
	(void)err;
}

NO_TSA void
mutex_unlock(struct mutex *m)
{
	int err = pthread_mutex_unlock(&m->m);

	assert(err == 0);
	(void)err;
}

void
rwlock_init(struct rwlock *l)
{
	pthread_rwlockattr_t attr;

	pthread_rwlockattr_init(&attr);
#ifdef __GLIBC__
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
#endif
	pthread_rwlock_init(&l->l, &attr);
	pthread_rwlockattr_destroy(&attr);
}

void
rwlock_fini(struct rwlock *l)
{
	pthread_rwlock_destroy(&l->l);
}

NO_TSA void
rwlock_lock_shared(struct rwlock *l)
{
	int err = pthread_rwlock_rdlock(&l->l);

	assert(err == 0);
	(void)err;
}

NO_TSA void
rwlock_lock(struct rwlock *l)
{
	int err = pthread_rwlock_wrlock(&l->l);

	assert(err == 0);
	(void)err;
}

/* As long as it waits, a writer bars new readers; half of the time it does not wait, but sleeps. */
NO_TSA void
rwlock_lock_patiently(struct rwlock *l)
{
	enum { FIRST_MS = 8, LONGEST_MS = 512, NS_PER_MS = 1000000 };

	for (long ms = FIRST_MS;; ms = MIN(2 * ms, LONGEST_MS)) {
		struct timespec pause = {.tv_nsec = ms * NS_PER_MS}, until;
		int err;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += pause.tv_nsec;
		until.tv_sec += until.tv_nsec / (1000l * NS_PER_MS);
		until.tv_nsec %= 1000l * NS_PER_MS;
		err = pthread_rwlock_timedwrlock(&l->l, &until);
		if (err == 0)
			return;
		assert(err == ETIMEDOUT);
		nanosleep(&pause, NULL);
	}
}

NO_TSA void
rwlock_unlock(struct rwlock *l)
{
	int err = pthread_rwlock_unlock(&l->l);

	assert(err == 0);
	(void)err;
}

void
cond_init(struct cond *c)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->c, &attr);
	pthread_condattr_destroy(&attr);
}

void
cond_fini(struct cond *c)
{
	pthread_cond_destroy(&c->c);
}

void
cond_wait(struct cond *c, struct mutex *m)
{
	pthread_cond_wait(&c->c, &m->m);
}

bool
cond_wait_until(struct cond *c, struct mutex *m, uint64_t until_ns)
{
	struct timespec ts = {.tv_sec = (time_t)(until_ns / 1000000000u),
			      .tv_nsec = (long)(until_ns % 1000000000u)};

	return pthread_cond_timedwait(&c->c, &m->m, &ts) != ETIMEDOUT;
}

void
cond_signal(struct cond *c)
{
	pthread_cond_signal(&c->c);
}

void
cond_broadcast(struct cond *c)
{
	pthread_cond_broadcast(&c->c);
}
