/* Slots: memory of requests in flight, and the delivery of interrupts to them. */
#include "fuse/session_priv.h"

#include <stdlib.h>
#include <sys/mman.h>
#include "base/clock.h"

struct slot *
fusek_slot_create(struct fusek_session *session, const struct slot_ops *ops)
{
	struct slot *slot = calloc(1, sizeof(*slot));

	if (!slot)
		return NULL;
	slot->session = session;
	slot->ops = ops;
	slot->req.session = session;
	mutex_init(&slot->lock);
	cond_init(&slot->changed);
	mutex_lock(&session->lock);
	list_insert(&session->slots, &slot->node);
	mutex_unlock(&session->lock);
	return slot;
}

static void
slot_free(struct slot *slot)
{
	if (slot->map)
		slot->ops->unmap(slot);
	cond_fini(&slot->changed);
	mutex_fini(&slot->lock);
	free(slot);
}

void
fusek_slot_destroy(struct slot *slot)
{
	if (!slot)
		return;
	struct fusek_session *s = slot->session;
	mutex_lock(&s->lock);
	list_remove(&slot->node);
	slot->doomed = slot->pins > 0;
	bool now = !slot->doomed;
	mutex_unlock(&s->lock);
	if (now)
		slot_free(slot);
}

void
fusek_slot_pin_locked(struct slot *slot)
{
	slot->pins++;
}

void
fusek_slot_unpin(struct slot *slot)
{
	struct fusek_session *s = slot->session;

	mutex_lock(&s->lock);
	bool now = --slot->pins == 0 && slot->doomed;
	mutex_unlock(&s->lock);
	if (now)
		slot_free(slot);
}

bool
fusek_slot_interrupt(struct slot *slot, uint64_t unique)
{
	void (*fn)(void *arg) = NULL;
	void *arg = NULL;
	bool delivered = false;

	mutex_lock(&slot->lock);
	/* An earlier request's callback may still run here, having replied to it itself. */
	while (slot->callback_runs)
		cond_wait(&slot->changed, &slot->lock);
	if (atomic_load(&slot->unique) == unique && slot_is_open(slot)) {
		delivered = true;
		atomic_store(&slot->interrupted_ns, clock_monotonic_ns());
		atomic_store(&slot->interrupted, unique);
		fn = slot->on_interrupt;
		arg = slot->on_interrupt_arg;
		slot->on_interrupt = NULL;
		slot->callback_runs = fn != NULL;
		slot->callback_thread = pthread_self();
	}
	mutex_unlock(&slot->lock);
	if (!fn)
		return delivered;
	fn(arg);
	mutex_lock(&slot->lock);
	slot->callback_runs = false;
	cond_broadcast(&slot->changed);
	mutex_unlock(&slot->lock);
	return true;
}

bool
fusek_session_interrupt(struct fusek_session *s, uint64_t unique)
{
	struct slot *found = NULL;

	mutex_lock(&s->lock);
	list_for_each(pos, &s->slots) {
		struct slot *slot = list_entry(pos, struct slot, node);

		if (atomic_load(&slot->unique) == unique) {
			found = slot;
			fusek_slot_pin_locked(slot);
			break;
		}
	}
	mutex_unlock(&s->lock);
	if (!found)
		return false;
	bool delivered = fusek_slot_interrupt(found, unique);
	fusek_slot_unpin(found);
	/* The keeper is to look again: this request's time is shorter now. */
	if (delivered && s->config.deadline_ms && s->config.interrupt_ms) {
		mutex_lock(&s->lock);
		atomic_store(&s->keeper_asleep, false);
		cond_broadcast(&s->changed);
		mutex_unlock(&s->lock);
	}
	return delivered;
}

/* The next open slot that has not been interrupted yet, pinned, or NULL. */
static struct slot *
next_uninterrupted(struct fusek_session *s)
{
	struct slot *found = NULL;

	mutex_lock(&s->lock);
	list_for_each(pos, &s->slots) {
		struct slot *slot = list_entry(pos, struct slot, node);

		if (slot_is_open(slot) &&
		    atomic_load(&slot->interrupted) != atomic_load(&slot->unique)) {
			found = slot;
			fusek_slot_pin_locked(slot);
			break;
		}
	}
	mutex_unlock(&s->lock);
	return found;
}

void
fusek_session_interrupt_all(struct fusek_session *s)
{
	for (struct slot *slot; (slot = next_uninterrupted(s)) != NULL;) {
		fusek_slot_interrupt(slot, atomic_load(&slot->unique));
		fusek_slot_unpin(slot);
	}
}

void
fusek_session_wake_slots(struct fusek_session *s)
{
	mutex_lock(&s->lock);
	list_for_each(pos, &s->slots) {
		struct slot *slot = list_entry(pos, struct slot, node);

		mutex_lock(&slot->lock);
		cond_broadcast(&slot->changed);
		mutex_unlock(&slot->lock);
	}
	mutex_unlock(&s->lock);
}
