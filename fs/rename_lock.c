/*
 * The rename lock. state counts shared holders in its low bits. The shared side costs one atomic
 * operation each way while no writer is about; everything else happens under `lock`.
 */
#include "base/clock.h"
#include "fs/volume_priv.h"

enum { RENAME_HELD = 1u << 30, RENAME_WANTED = 1u << 29 };
/* How long a writer bars others, and then lets them pass */
#define RENAME_FIRST_TURN_NS (8ull * 1000 * 1000)
#define RENAME_LONGEST_TURN_NS (512ull * 1000 * 1000)

void
fs_rename_lock_init(struct fs_rename_lock *l)
{
	atomic_init(&l->state, 0);
	mutex_init(&l->lock);
	cond_init(&l->changed);
}

void
fs_rename_lock_fini(struct fs_rename_lock *l)
{
	cond_fini(&l->changed);
	mutex_fini(&l->lock);
}

static bool
try_shared(struct fs_rename_lock *l, uint32_t barred)
{
	uint32_t state = atomic_load_explicit(&l->state, memory_order_relaxed);

	while (!(state & barred))
		if (atomic_compare_exchange_weak_explicit(&l->state, &state, state + 1,
							  memory_order_acquire,
							  memory_order_relaxed))
			return true;
	return false;
}

void
fs_rename_lock_shared(struct fs_rename_lock *l)
{
	if (try_shared(l, RENAME_HELD | RENAME_WANTED))
		return;
	mutex_lock(&l->lock);
	while (!try_shared(l, RENAME_HELD | RENAME_WANTED))
		cond_wait(&l->changed, &l->lock);
	mutex_unlock(&l->lock);
}

void
fs_rename_unlock_shared(struct fs_rename_lock *l)
{
	uint32_t state = atomic_fetch_sub_explicit(&l->state, 1, memory_order_release);

	if (!(state & RENAME_WANTED))
		return;
	mutex_lock(&l->lock);
	cond_broadcast(&l->changed);
	mutex_unlock(&l->lock);
}

static bool
try_exclusive(struct fs_rename_lock *l)
{
	uint32_t state = atomic_load_explicit(&l->state, memory_order_relaxed) & RENAME_WANTED;

	return atomic_compare_exchange_strong_explicit(&l->state, &state,
						       RENAME_WANTED | RENAME_HELD,
						       memory_order_acquire,
						       memory_order_relaxed);
}

/*
 * As long as it waits, a writer bars new holders; half of the time it lets them pass, so that one
 * that never leaves holds up this writer alone (as rwlock_lock_patiently does).
 */
bool
fs_rename_lock_exclusive(struct fs_rename_lock *l)
{
	uint64_t turn_ns = RENAME_FIRST_TURN_NS;
	bool held = false, bars = true;

	mutex_lock(&l->lock);
	l->n_waiting++;
	atomic_fetch_or_explicit(&l->state, RENAME_WANTED, memory_order_relaxed);
	for (;;) {
		held = try_exclusive(l);
		if (held || (l->stopped && l->n_notify > 0))
			break;
		if (cond_wait_until(&l->changed, &l->lock, clock_monotonic_ns() + turn_ns))
			continue;
		bars = !bars;
		if (bars) {
			turn_ns = MIN(2 * turn_ns, RENAME_LONGEST_TURN_NS);
			atomic_fetch_or_explicit(&l->state, RENAME_WANTED, memory_order_relaxed);
		} else {
			atomic_fetch_and_explicit(&l->state, ~RENAME_WANTED, memory_order_relaxed);
			cond_broadcast(&l->changed);
		}
	}
	if (--l->n_waiting == 0)
		atomic_fetch_and_explicit(&l->state, ~RENAME_WANTED, memory_order_relaxed);
	if (!held)
		cond_broadcast(&l->changed);
	mutex_unlock(&l->lock);
	return held;
}

void
fs_rename_unlock_exclusive(struct fs_rename_lock *l)
{
	mutex_lock(&l->lock);
	atomic_fetch_and_explicit(&l->state, ~RENAME_HELD, memory_order_release);
	cond_broadcast(&l->changed);
	mutex_unlock(&l->lock);
}

/* A bracket inside a bracket passes a waiting writer: that one waits for the outer bracket. */
bool
fs_rename_lock_bracket(struct fs_rename_lock *l, uint32_t timeout_ms)
{
	uint64_t until = timeout_ms == FS_TIMEOUT_INFINITE ?
				 UINT64_MAX :
				 clock_monotonic_ns() + timeout_ms * 1000000ull;
	bool held;

	mutex_lock(&l->lock);
	for (;;) {
		held = try_shared(l, l->n_notify > 0 ? RENAME_HELD : RENAME_HELD | RENAME_WANTED);
		if (held || l->stopped)
			break;
		if (until == UINT64_MAX)
			cond_wait(&l->changed, &l->lock);
		else if (!cond_wait_until(&l->changed, &l->lock, until))
			break;
	}
	if (held)
		l->n_notify++;
	mutex_unlock(&l->lock);
	return held;
}

void
fs_rename_unlock_bracket(struct fs_rename_lock *l)
{
	mutex_lock(&l->lock);
	bool held = l->n_notify > 0;
	if (held) {
		l->n_notify--;
		atomic_fetch_sub_explicit(&l->state, 1, memory_order_release);
		cond_broadcast(&l->changed);
	}
	mutex_unlock(&l->lock);
}

void
fs_rename_lock_stop(struct fs_rename_lock *l)
{
	mutex_lock(&l->lock);
	l->stopped = true;
	cond_broadcast(&l->changed);
	mutex_unlock(&l->lock);
}
