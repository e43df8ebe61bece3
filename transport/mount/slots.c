#include "transport/mount/slots.h"

#include <errno.h>
#include <stdlib.h>

void
door_slots_init(struct door_slots *t)
{
	*t = (struct door_slots){.n = 1};
}

void
door_slots_fini(struct door_slots *t)
{
	free(t->slots);
	door_slots_init(t);
}

static int
slots_grow(struct door_slots *t)
{
	uint32_t cap = t->cap ? t->cap * 2 : 64;
	struct door_slot *grown;

	if (cap < t->cap)
		return -ENOMEM;
	grown = realloc(t->slots, cap * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	t->slots = grown;
	t->cap = cap;
	return 0;
}

int
door_slots_add(struct door_slots *t, void *item, uint64_t *ret_id)
{
	uint32_t slot = t->first_free;

	if (slot != 0)
		t->first_free = t->slots[slot].next_free;
	else {
		int err = t->n < t->cap ? 0 : slots_grow(t);

		if (err)
			return err;
		slot = t->n++;
		t->slots[slot].generation = 0;
	}
	t->slots[slot].item = item;
	*ret_id = (uint64_t)t->slots[slot].generation << 32 | slot;
	return 0;
}

void *
door_slots_get(const struct door_slots *t, uint64_t id)
{
	uint32_t slot = (uint32_t)id;

	if (slot == 0 || slot >= t->n || t->slots[slot].generation != id >> 32)
		return NULL;
	return t->slots[slot].item;
}

void
door_slots_remove(struct door_slots *t, uint64_t id)
{
	uint32_t slot = (uint32_t)id;

	if (!door_slots_get(t, id))
		return;
	t->slots[slot].item = NULL;
	t->slots[slot].generation++;
	t->slots[slot].next_free = t->first_free;
	t->first_free = slot;
}

void *
door_slots_next(const struct door_slots *t, uint32_t *slot)
{
	for (uint32_t i = *slot + 1; i < t->n; i++)
		if (t->slots[i].item) {
			*slot = i;
			return t->slots[i].item;
		}
	return NULL;
}
