#include "transport/mount/handles.h"

#include <errno.h>
#include <stdlib.h>

void
door_handles_init(struct door_handles *t, void (*end)(void *ctx, struct door_handle *h),
		  void (*end_keeper)(void *ctx, struct fs_handle *keeper), void *ctx)
{
	*t = (struct door_handles){.end = end, .end_keeper = end_keeper, .ctx = ctx};
	mutex_init(&t->lock);
	door_slots_init(&t->slots);
}

static void
handle_free(struct door_handles *t, struct door_handle *h)
{
	door_dirlist_fini(&h->dir);
	mutex_fini(&h->dir_lock);
	t->end(t->ctx, h);
	free(h);
}

int
door_handle_add(struct door_handles *t, struct door_node *node, struct fs_handle *fs,
		uint32_t access, uint32_t flags, struct door_handle **ret_handle)
{
	struct door_handle *h = calloc(1, sizeof(*h));
	int err;

	if (!h)
		return -ENOMEM;
	h->flags = flags;
	h->access = access;
	h->n_refs = 2;
	mutex_lock(&t->lock);
	err = door_slots_add(&t->slots, h, &h->fh);
	if (!err) {
		list_insert(&node->handles, &h->of_node);
		node->n_handles++;
	}
	mutex_unlock(&t->lock);
	if (err) {
		free(h);
		return err;
	}
	mutex_init(&h->dir_lock);
	door_dirlist_init(&h->dir);
	h->fs = fs;
	h->node = node;
	*ret_handle = h;
	return 0;
}

struct door_handle *
door_handle_get(struct door_handles *t, uint64_t fh)
{
	struct door_handle *h;

	mutex_lock(&t->lock);
	h = door_slots_get(&t->slots, fh);
	if (h)
		h->n_refs++;
	mutex_unlock(&t->lock);
	return h;
}

static struct door_handle *
handle_any_locked(struct door_node *node, uint32_t access)
{
	list_for_each(at, &node->handles) {
		struct door_handle *h = list_entry(at, struct door_handle, of_node);

		if ((h->access & access) == access) {
			h->n_refs++;
			return h;
		}
	}
	return NULL;
}

struct door_handle *
door_handle_any(struct door_handles *t, struct door_node *node, uint32_t access)
{
	struct door_handle *h;

	mutex_lock(&t->lock);
	h = handle_any_locked(node, access);
	mutex_unlock(&t->lock);
	return h;
}

void
door_handle_put(struct door_handles *t, struct door_handle *h)
{
	struct fs_handle *keeper = NULL;
	bool last;

	if (!h)
		return;
	mutex_lock(&t->lock);
	last = --h->n_refs == 0;
	if (last) {
		list_remove(&h->of_node);
		if (--h->node->n_handles == 0)
			keeper = take(&h->node->keeper);
	}
	mutex_unlock(&t->lock);
	/* The keeper ends first: it must not be the handle at whose end a deletion happens. */
	if (keeper)
		t->end_keeper(t->ctx, keeper);
	if (last)
		handle_free(t, h);
}

void
door_handle_remove(struct door_handles *t, uint64_t fh)
{
	struct door_handle *h;

	mutex_lock(&t->lock);
	h = door_slots_get(&t->slots, fh);
	if (h)
		door_slots_remove(&t->slots, fh);
	mutex_unlock(&t->lock);
	door_handle_put(t, h);
}

void
door_handles_fini(struct door_handles *t)
{
	struct door_handle *h;
	uint32_t slot = 0;

	/* No request is at work any more, so that the table's count is the last one. */
	while ((h = door_slots_next(&t->slots, &slot)))
		door_handle_remove(t, h->fh);
	door_slots_fini(&t->slots);
	mutex_fini(&t->lock);
}

bool
door_node_is_open(struct door_handles *t, struct door_node *node)
{
	bool open;

	mutex_lock(&t->lock);
	open = node->n_handles != 0;
	mutex_unlock(&t->lock);
	return open;
}

bool
door_node_set_keeper(struct door_handles *t, struct door_node *node, struct fs_handle *keeper,
		     bool needs_handles)
{
	bool taken;

	mutex_lock(&t->lock);
	taken = (node->n_handles != 0 || !needs_handles) && !node->keeper;
	if (taken)
		node->keeper = keeper;
	mutex_unlock(&t->lock);
	return taken;
}

bool
door_node_keeper(struct door_handles *t, struct door_node *node, struct fs_handle **ret_keeper,
		 struct door_handle **ret_holder)
{
	bool has;

	mutex_lock(&t->lock);
	has = node->keeper != NULL;
	if (has) {
		*ret_keeper = node->keeper;
		*ret_holder = handle_any_locked(node, 0);
	}
	mutex_unlock(&t->lock);
	return has;
}

size_t
door_handles_count(struct door_handles *t)
{
	uint32_t slot = 0;
	size_t n = 0;

	mutex_lock(&t->lock);
	while (door_slots_next(&t->slots, &slot))
		n++;
	mutex_unlock(&t->lock);
	return n;
}
