#include "api/fuse/paths.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Sets *ret_len to the length of n's path without the final zero; "" for the root. */
static NODISCARD int
chain_length(const struct node *n, size_t *ret_len)
{
	size_t len = 0;

	for (; n->id != NODE_ROOT_ID; n = n->parent) {
		if (!n->name)
			return -ESTALE;
		len += 1 + strlen(n->name);
	}
	*ret_len = len;
	return 0;
}

/* Writes "/" and name so that they end before end; returns where they start. */
static char *
prepend(char *end, const char *name)
{
	size_t len = strlen(name);

	memcpy(end - len, name, len);
	end -= len + 1;
	*end = '/';
	return end;
}

static NODISCARD int
path_build(struct path_lock *l, int i, const struct path_want *want)
{
	size_t len, size;
	char *to;
	int err = chain_length(l->chain[i], &len);

	if (err < 0)
		return err;
	if (want->name)
		len += 1 + strlen(want->name);
	size = MAX(len, (size_t)1) + 1;
	to = l->small[i];
	if (size > sizeof(l->small[i])) {
		free(l->heap[i]);
		to = l->heap[i] = malloc(size);
		if (!to)
			return -ENOMEM;
	}
	l->path[i] = to;
	if (len == 0)
		memcpy(to, "/", 1);
	to[size - 1] = 0;
	to += size - 1;
	if (want->name)
		to = prepend(to, want->name);
	for (const struct node *n = l->chain[i]; n->id != NODE_ROOT_ID; n = n->parent)
		to = prepend(to, n->name);
	return 0;
}

static bool
chain_has(const struct node *from, const struct node *n)
{
	for (; from; from = from->parent)
		if (from == n)
			return true;
	return false;
}

/*
 * Two names of one operation must not wait for each other. One name twice is locked once; a name
 * on the way to the other one cannot be renamed (the kernel refuses that already; a stale table
 * may still show it).
 */
static NODISCARD int
check_own_conflicts(struct path_lock *l)
{
	if (l->written[1] && l->written[1] == l->written[0])
		l->written[1] = NULL;
	for (int i = 0; i < 2; i++)
		if (l->written[i] && (chain_has(l->chain[0], l->written[i]) ||
				      chain_has(l->chain[1], l->written[i])))
			return -EINVAL;
	return 0;
}

static NODISCARD int
resolve(struct nodes *t, struct path_lock *l, const struct path_want *want, int n_wants)
	REQUIRES(&t->lock)
{
	for (int i = 0; i < n_wants; i++) {
		l->chain[i] = nodes_get_locked(t, want[i].id);
		if (!l->chain[i])
			return -ESTALE;
		l->written[i] = want[i].write && want[i].name
					? nodes_child_locked(t, want[i].id, want[i].name)
					: NULL;
	}
	for (int i = 0; i < n_wants; i++) {
		int err = path_build(l, i, &want[i]);

		if (err == -ESTALE && want[i].optional)
			l->chain[i] = NULL;
		else if (err < 0)
			return err;
	}
	return check_own_conflicts(l);
}

/* Whether an operation that came before l waits to write n. A new one is not in the queue: all
 * that wait are older. */
static bool
older_writer_waits(struct nodes *t, const struct path_lock *l, const struct node *n)
{
	if (!n->n_waiting_writers)
		return false;
	list_for_each(pos, &t->queue) {
		struct path_lock *other = list_entry(pos, struct path_lock, queued);

		if (other == l)
			return false;
		if (other->written[0] == n || other->written[1] == n)
			return true;
	}
	return false;
}

static bool
is_free(struct nodes *t, const struct path_lock *l)
{
	for (int i = 0; i < 2; i++) {
		for (const struct node *n = l->chain[i]; n && n->id != NODE_ROOT_ID;
		     n = n->parent)
			if (n->written || older_writer_waits(t, l, n))
				return false;
		if (l->written[i] && (l->written[i]->written || l->written[i]->n_readers ||
				      older_writer_waits(t, l, l->written[i])))
			return false;
	}
	return true;
}

/* Nodes that are held or waited for stay, though the kernel may forget them meanwhile. */
static void
pin(struct path_lock *l)
{
	for (int i = 0; i < 2; i++) {
		if (l->chain[i])
			node_pin_locked(l->chain[i]);
		if (l->written[i])
			node_pin_locked(l->written[i]);
	}
}

static void
unpin(struct nodes *t, struct path_lock *l) REQUIRES(&t->lock)
{
	for (int i = 0; i < 2; i++) {
		if (l->written[i])
			node_unpin_locked(t, l->written[i]);
		if (l->chain[i])
			node_unpin_locked(t, l->chain[i]);
		l->written[i] = l->chain[i] = NULL;
	}
}

static void
hold(struct path_lock *l)
{
	for (int i = 0; i < 2; i++) {
		for (struct node *n = l->chain[i]; n; n = n->parent)
			n->n_readers++;
		if (l->written[i])
			l->written[i]->written = true;
	}
}

static void
wait_turn(struct nodes *t, struct path_lock *l) REQUIRES(&t->lock)
{
	for (int i = 0; i < 2; i++)
		if (l->written[i])
			l->written[i]->n_waiting_writers++;
	cond_wait(&t->moved, &t->lock);
	for (int i = 0; i < 2; i++)
		if (l->written[i])
			l->written[i]->n_waiting_writers--;
}

static void
leave_queue(struct nodes *t, struct path_lock *l) REQUIRES(&t->lock)
{
	if (list_empty(&l->queued))
		return;
	list_remove(&l->queued);
	/* A name that this one waited to write is free for those behind it. */
	if (!list_empty(&t->queue))
		cond_broadcast(&t->moved);
}

int
path_lock(struct nodes *t, struct path_lock *l, const struct path_want *want, int n_wants)
{
	int err;

	list_init(&l->queued);
	for (int i = 0; i < 2; i++) {
		l->path[i] = l->heap[i] = NULL;
		l->chain[i] = l->written[i] = NULL;
	}
	if (n_wants == 0)
		return 0;
	mutex_lock(&t->lock);
	while ((err = resolve(t, l, want, n_wants)) == 0 && !is_free(t, l)) {
		if (list_empty(&l->queued))
			list_insert(&t->queue, &l->queued);
		pin(l);
		wait_turn(t, l);
		unpin(t, l);
	}
	if (err < 0) {
		memset(l->chain, 0, sizeof(l->chain));
		memset(l->written, 0, sizeof(l->written));
		memset(l->path, 0, sizeof(l->path));
	} else {
		pin(l);
		hold(l);
	}
	leave_queue(t, l);
	mutex_unlock(&t->lock);
	return err;
}

void
path_unlock(struct nodes *t, struct path_lock *l)
{
	if (l->chain[0] || l->chain[1]) {
		mutex_lock(&t->lock);
		for (int i = 0; i < 2; i++) {
			for (struct node *n = l->chain[i]; n; n = n->parent)
				n->n_readers--;
			if (l->written[i])
				l->written[i]->written = false;
		}
		unpin(t, l);
		if (!list_empty(&t->queue))
			cond_broadcast(&t->moved);
		mutex_unlock(&t->lock);
	}
	free(take(&l->heap[0]));
	free(take(&l->heap[1]));
	l->path[0] = l->path[1] = NULL;
}
