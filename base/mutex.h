/*
 * Locks with clang's capability attributes. A mutex is not recursive. Lock order is written
 * in the struct that holds the lock and in docs/locking.md. No lock is ever held while a
 * callback of a user's program runs, except where docs/locking.md says so by name.
 */
#ifndef USERDRIVE_BASE_MUTEX_H
#define USERDRIVE_BASE_MUTEX_H

#include <pthread.h>
#include "base/compiler.h"

struct CAPABILITY("mutex") mutex {
	pthread_mutex_t m;
};

struct CAPABILITY("rwlock") rwlock {
	pthread_rwlock_t l;
};

struct cond {
	pthread_cond_t c; /* on CLOCK_MONOTONIC */
};

#define MUTEX_INIT                                                                       \
	{                                                                                \
		PTHREAD_MUTEX_INITIALIZER                                                \
	}

void mutex_init(struct mutex *m);
void mutex_fini(struct mutex *m);
void mutex_lock(struct mutex *m) ACQUIRE(m);
void mutex_unlock(struct mutex *m) RELEASE(m);

/* Writers are preferred, so that a stream of readers cannot starve one. */
void rwlock_init(struct rwlock *l);
void rwlock_fini(struct rwlock *l);
void rwlock_lock_shared(struct rwlock *l) ACQUIRE_SHARED(l);
void rwlock_lock(struct rwlock *l) ACQUIRE(l);
/*
 * The same, but readers pass in between while the wait gets long: a reader that never leaves then
 * holds up this writer alone. Only one writer at a time waits in this way.
 */
void rwlock_lock_patiently(struct rwlock *l) ACQUIRE(l);
void rwlock_unlock(struct rwlock *l) RELEASE_GENERIC(l);

void cond_init(struct cond *c);
void cond_fini(struct cond *c);
void cond_wait(struct cond *c, struct mutex *m) REQUIRES(m);
/* until_ns on the clock of clock_monotonic_ns(); false when the time came first. */
bool cond_wait_until(struct cond *c, struct mutex *m, uint64_t until_ns) REQUIRES(m);
void cond_signal(struct cond *c);
void cond_broadcast(struct cond *c);

#endif
