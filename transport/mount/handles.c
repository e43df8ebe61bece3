#include "transport/mount/handles.h"

#include <errno.h>
#include <stdlib.h>

void
door_handles_init(struct door_handles *t, void (*end)(void *ctx, struct door_handle *h),
		  void (*end_keeper)(void *ctx, struct fs_handle *fs), void *ctx)
{
	*t = (struct door_handles){.end = end, .end_keeper = end_keeper, .ctx = ctx};
	mutex_init(&t->lock);
	door_slots_init(&t->slots);
}

static void
handle_free(struct door_handles *t, struct door_handle *h)
{
	struct door_keeper *keeper = h->keeper;

	door_dirlist_fini(&h->dir);
	mutex_fini(&h->dir_lock);
	t->end(t->ctx, h);
	free(h);
	door_keeper_put(t, keeper);
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
	h->fs = fs;
	h->node = node;
	mutex_init(&h->dir_lock);
	door_dirlist_init(&h->dir);
	/* Whole from here on: others find it by its node. */
	mutex_lock(&t->lock);
	err = door_slots_add(&t->slots, h, &h->fh);
	if (!err) {
		list_insert(&node->handles, &h->of_node);
		node->n_handles++;
	}
	mutex_unlock(&t->lock);
	if (err) {
		mutex_fini(&h->dir_lock);
		free(h);
		return err;
	}
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

struct door_handle *
door_handle_any(struct door_handles *t, struct door_node *node, uint32_t access)
{
	struct door_handle *found = NULL;

	mutex_lock(&t->lock);
	list_for_each(at, &node->handles) {
		struct door_handle *h = list_entry(at, struct door_handle, of_node);

		if (h->fs && (h->access & access) == access) {
			h->n_refs++;
			found = h;
			break;
		}
	}
	mutex_unlock(&t->lock);
	return found;
}

void
door_handle_put(struct door_handles *t, struct door_handle *h)
{
	struct door_keeper *keeper = NULL;
	bool last;

	if (!h)
		return;
	mutex_lock(&t->lock);
	last = --h->n_refs == 0;
	if (last) {
		list_remove(&h->of_node);
		if (--h->node->n_handles == 0 && !h->node->keeper_stays)
			keeper = take(&h->node->keeper);
	}
	mutex_unlock(&t->lock);
	if (keeper && t->closed)
		t->closed(t->ctx, h->node, keeper->fs);
	/* The keeper ends first: it must not be the handle at whose end a deletion happens. */
	door_keeper_put(t, keeper);
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
door_node_set_keeper(struct door_handles *t, struct door_node *node, struct fs_handle *fs,
		     bool needs_handles)
{
	struct door_keeper *keeper = malloc(sizeof(*keeper));
	bool taken;

	if (!keeper)
		return false;
	*keeper = (struct door_keeper){.fs = fs, .n_refs = 1};
	mutex_lock(&t->lock);
	taken = (node->n_handles != 0 || !needs_handles) && !node->keeper;
	if (taken)
		node->keeper = keeper;
	if (node->keeper && !needs_handles)
		node->keeper_stays = true;
	mutex_unlock(&t->lock);
	if (!taken)
		free(keeper);
	return taken;
}

void
door_node_release_keeper(struct door_handles *t, struct door_node *node)
{
	struct door_keeper *keeper = NULL;

	mutex_lock(&t->lock);
	node->keeper_stays = false;
	if (node->n_handles == 0)
		keeper = take(&node->keeper);
	mutex_unlock(&t->lock);
	door_keeper_put(t, keeper);
}

struct door_keeper *
door_node_keeper(struct door_handles *t, struct door_node *node)
{
	struct door_keeper *keeper;

	mutex_lock(&t->lock);
	keeper = node->keeper;
	if (keeper)
		keeper->n_refs++;
	mutex_unlock(&t->lock);
	return keeper;
}

void
door_keeper_put(struct door_handles *t, struct door_keeper *keeper)
{
	bool last;

	if (!keeper)
		return;
	mutex_lock(&t->lock);
	last = --keeper->n_refs == 0;
	mutex_unlock(&t->lock);
	if (!last)
		return;
	t->end_keeper(t->ctx, keeper->fs);
	free(keeper);
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
