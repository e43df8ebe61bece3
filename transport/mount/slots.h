/*
 * Numbered slots: ids that the kernel keeps for us are a slot number and the generation of its
 * user, never an address, so that a stale or invented id is found out, and so that another
 * process could rebuild the table. Id = generation << 32 | slot; slot 0 is never used.
 * The owner of the struct names the lock that rules it.
 */
#ifndef USERDRIVE_TRANSPORT_MOUNT_SLOTS_H
#define USERDRIVE_TRANSPORT_MOUNT_SLOTS_H

#include "base/compiler.h"

struct door_slot {
	void *item; /* NULL: free */
	uint32_t generation;
	uint32_t next_free;
};

struct door_slots {
	struct door_slot *slots;
	uint32_t n, cap;
	uint32_t first_free; /* 0: none */
};

void door_slots_init(struct door_slots *t);
void door_slots_fini(struct door_slots *t); /* the items are the owner's */
/* 0 or -ENOMEM. */
NODISCARD int door_slots_add(struct door_slots *t, void *item, uint64_t *ret_id);
/* NULL when the id is not, or no longer, in use. */
void *door_slots_get(const struct door_slots *t, uint64_t id);
void door_slots_remove(struct door_slots *t, uint64_t id);
/* Items in slot order: *slot starts at 0; NULL at the end. */
void *door_slots_next(const struct door_slots *t, uint32_t *slot);

#endif
