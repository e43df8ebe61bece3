#include "api/fuse/nodes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/fuse/hl_lock.h"
#include "base/clock.h"

struct name_key {
	const struct node *parent;
	const char *name;
};

static uint32_t
id_hash(uint64_t id)
{
	return (uint32_t)((id * 0x9e3779b97f4a7c15u) >> 32);
}

static uint32_t
name_hash(uint64_t parent, const char *name)
{
	uint64_t h = parent * 0x9e3779b97f4a7c15u;

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 0x100000001b3u;
	return (uint32_t)(h ^ (h >> 32));
}

static bool
id_equal(const struct hash_node *h, const void *key)
{
	return container_of(h, struct node, by_id)->id == *(const uint64_t *)key;
}

static bool
name_equal(const struct hash_node *h, const void *key)
{
	const struct node *n = container_of(h, struct node, by_name);
	const struct name_key *k = key;

	return n->parent == k->parent && strcmp(n->name, k->name) == 0;
}

struct node *
nodes_get_locked(struct nodes *t, uint64_t id)
{
	struct hash_node *h = hash_find(&t->by_id, id_hash(id), id_equal, &id);

	return h ? container_of(h, struct node, by_id) : NULL;
}

static struct node *
child_of(struct nodes *t, const struct node *parent, const char *name)
{
	struct name_key key = {parent, name};
	struct hash_node *h =
		hash_find(&t->by_name, name_hash(parent->id, name), name_equal, &key);

	return h ? container_of(h, struct node, by_name) : NULL;
}

struct node *
nodes_child_locked(struct nodes *t, uint64_t parent, const char *name)
{
	struct node *dir = nodes_get_locked(t, parent);

	return dir ? child_of(t, dir, name) : NULL;
}

static uint64_t
next_id(struct nodes *t) REQUIRES(&t->lock)
{
	do {
		if (++t->last_id == 0)
			t->generation++;
	} while (t->last_id <= NODE_ROOT_ID || t->last_id == NODE_UNKNOWN_ID ||
		 (t->generation && nodes_get_locked(t, t->last_id)));
	return t->last_id;
}

static struct node *
node_create(struct nodes *t, uint64_t id)
{
	struct node *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->id = id;
	n->generation = t->generation;
	list_init(&n->idle);
	if (hash_insert(&t->by_id, &n->by_id, id_hash(id)) < 0) {
		free(n);
		return NULL;
	}
	return n;
}

static void
node_destroy(struct nodes *t, struct node *n)
{
	hash_remove(&t->by_id, &n->by_id);
	list_remove(&n->idle);
	hl_locks_free(n->locks);
	free(n->name);
	free(n);
}

/* Takes the name away; the reference to the parent is the caller's now. */
static struct node *
name_take(struct nodes *t, struct node *n)
{
	struct node *parent = take(&n->parent);

	hash_remove(&t->by_name, &n->by_name);
	free(take(&n->name));
	return parent;
}

static NODISCARD int
name_set(struct nodes *t, struct node *n, struct node *parent, const char *name)
{
	char *copy = strdup(name);
	int err;

	if (!copy)
		return -ENOMEM;
	err = hash_insert(&t->by_name, &n->by_name, name_hash(parent->id, name));
	if (err < 0) {
		free(copy);
		return err;
	}
	n->name = copy;
	n->parent = parent;
	parent->n_refs++;
	return 0;
}

static bool
is_remembered(const struct nodes *t, const struct node *n)
{
	return t->remember_s && n->name;
}

/* Frees n if nothing holds it, then its parent if n was the last that held that one, and so on. */
static void
node_settle(struct nodes *t, struct node *n)
{
	while (n && !n->n_lookups && !n->n_refs && n->id != NODE_ROOT_ID) {
		struct node *parent = NULL;

		if (is_remembered(t, n)) {
			if (t->remember_s > 0 && list_empty(&n->idle)) {
				n->idle_since_ns = clock_monotonic_ns();
				list_insert(&t->idle, &n->idle);
			}
			return;
		}
		if (n->name)
			parent = name_take(t, n);
		node_destroy(t, n);
		if (parent)
			parent->n_refs--;
		n = parent;
	}
}

void
node_pin_locked(struct node *n)
{
	n->n_refs++;
}

void
node_unpin_locked(struct nodes *t, struct node *n)
{
	n->n_refs--;
	node_settle(t, n);
}

int
nodes_init(struct nodes *t)
{
	struct node *root;

	memset(t, 0, sizeof(*t));
	mutex_init(&t->lock);
	cond_init(&t->moved);
	hash_init(&t->by_id);
	hash_init(&t->by_name);
	list_init(&t->idle);
	list_init(&t->queue);
	t->last_id = NODE_ROOT_ID;
	root = node_create(t, NODE_ROOT_ID);
	if (!root) {
		nodes_fini(t);
		return -ENOMEM;
	}
	root->n_lookups = 1;
	return 0;
}

void
nodes_fini(struct nodes *t)
{
	struct hash_node *h = hash_first(&t->by_id);

	while (h) {
		struct node *n = container_of(h, struct node, by_id);

		h = hash_next(&t->by_id, h);
		hash_remove(&t->by_id, &n->by_id);
		hl_locks_free(n->locks);
		free(n->name);
		free(n);
	}
	hash_fini(&t->by_id);
	hash_fini(&t->by_name);
	cond_fini(&t->moved);
	mutex_fini(&t->lock);
}

static NODISCARD int
child_create(struct nodes *t, struct node *dir, const char *name, struct node **ret_node)
	REQUIRES(&t->lock)
{
	struct node *n = node_create(t, next_id(t));
	int err;

	if (!n)
		return -ENOMEM;
	err = name_set(t, n, dir, name);
	if (err < 0) {
		node_destroy(t, n);
		return err;
	}
	*ret_node = n;
	return 0;
}

int
nodes_lookup_locked(struct nodes *t, uint64_t parent, const char *name,
		    struct node **ret_node)
{
	struct node *dir = nodes_get_locked(t, parent), *n;
	int err;

	if (!dir)
		return -ESTALE;
	n = name ? child_of(t, dir, name) : dir;
	if (!n) {
		err = child_create(t, dir, name, &n);
		if (err < 0)
			return err;
	}
	list_remove(&n->idle);
	n->n_lookups++;
	*ret_node = n;
	return 0;
}

void
nodes_forget(struct nodes *t, uint64_t id, uint64_t n_lookups)
{
	struct node *n;

	if (id == NODE_ROOT_ID)
		return;
	mutex_lock(&t->lock);
	n = nodes_get_locked(t, id);
	if (n) {
		n->n_lookups -= MIN(n_lookups, n->n_lookups);
		node_settle(t, n);
	}
	mutex_unlock(&t->lock);
}

static void
name_drop(struct nodes *t, struct node *n)
{
	struct node *parent = name_take(t, n);

	list_remove(&n->idle);
	node_settle(t, n);
	parent->n_refs--;
	node_settle(t, parent);
}

void
nodes_remove(struct nodes *t, uint64_t parent, const char *name)
{
	struct node *n;

	mutex_lock(&t->lock);
	n = nodes_child_locked(t, parent, name);
	if (n)
		name_drop(t, n);
	mutex_unlock(&t->lock);
}

static NODISCARD int
rename_locked(struct nodes *t, struct node *n, struct node *to, const char *to_name)
	REQUIRES(&t->lock)
{
	struct node *over = child_of(t, to, to_name), *parent;
	int err;

	if (over == n)
		return 0;
	node_pin_locked(to);
	if (over)
		name_drop(t, over);
	node_pin_locked(n);
	parent = name_take(t, n);
	err = name_set(t, n, to, to_name);
	parent->n_refs--;
	node_settle(t, parent);
	node_unpin_locked(t, n);
	node_unpin_locked(t, to);
	return err;
}

int
nodes_rename(struct nodes *t, uint64_t from, const char *from_name, uint64_t to,
	     const char *to_name)
{
	struct node *n, *dir;
	int err = 0;

	mutex_lock(&t->lock);
	n = nodes_child_locked(t, from, from_name);
	dir = nodes_get_locked(t, to);
	if (n && dir)
		err = rename_locked(t, n, dir, to_name);
	mutex_unlock(&t->lock);
	/* Without a node, the name was never looked up; but one may stand where it went. */
	if (!n)
		nodes_remove(t, to, to_name);
	return err;
}

static NODISCARD int
exchange_locked(struct nodes *t, struct node *a, struct node *b) REQUIRES(&t->lock)
{
	CLEANUP(free_ptr) char *a_name = strdup(a->name), *b_name = strdup(b->name);
	struct node *a_dir = a->parent, *b_dir = b->parent;
	int err_a, err_b;

	if (!a_name || !b_name)
		return -ENOMEM;
	node_pin_locked(a);
	node_pin_locked(b);
	name_take(t, a);
	name_take(t, b);
	err_a = name_set(t, a, b_dir, b_name);
	err_b = name_set(t, b, a_dir, a_name);
	a_dir->n_refs--;
	node_settle(t, a_dir);
	b_dir->n_refs--;
	node_settle(t, b_dir);
	node_unpin_locked(t, a);
	node_unpin_locked(t, b);
	return err_a < 0 ? err_a : err_b;
}

int
nodes_exchange(struct nodes *t, uint64_t from, const char *from_name, uint64_t to,
	       const char *to_name)
{
	struct node *a, *b, *a_dir, *b_dir;
	int err = 0;

	mutex_lock(&t->lock);
	a_dir = nodes_get_locked(t, from);
	b_dir = nodes_get_locked(t, to);
	a = a_dir ? child_of(t, a_dir, from_name) : NULL;
	b = b_dir ? child_of(t, b_dir, to_name) : NULL;
	if (a && b && a != b)
		err = exchange_locked(t, a, b);
	else if (a && b_dir && a != b)
		err = rename_locked(t, a, b_dir, to_name);
	else if (b && a_dir && a != b)
		err = rename_locked(t, b, a_dir, from_name);
	mutex_unlock(&t->lock);
	return err;
}

uint64_t
nodes_shown_ino(struct nodes *t, uint64_t parent, const char *name)
{
	struct node *n;
	uint64_t id = NODE_UNKNOWN_ID;

	mutex_lock(&t->lock);
	n = nodes_child_locked(t, parent, name);
	if (n)
		id = n->id;
	mutex_unlock(&t->lock);
	return id;
}

/* The next name of a path, copied; NULL at its end or without memory. */
static char *
path_next(const char **path)
{
	const char *from = *path + strspn(*path, "/");
	size_t len = strcspn(from, "/");

	*path = from + len;
	return len ? strndup(from, len) : NULL;
}

uint64_t
nodes_resolve(struct nodes *t, const char *path)
{
	struct node *n;
	uint64_t id;
	char *name;

	mutex_lock(&t->lock);
	n = nodes_get_locked(t, NODE_ROOT_ID);
	while (n && (name = path_next(&path))) {
		n = child_of(t, n, name);
		free(name);
	}
	id = n ? n->id : 0;
	mutex_unlock(&t->lock);
	return id;
}

/* A tenth of the time that nodes are remembered, within a second and an hour. */
static int
clean_delay_s(int remember_s)
{
	return remember_s <= 0 ? 3600 : MAX(1, MIN(3600, remember_s / 10));
}

int
nodes_clean(struct nodes *t)
{
	uint64_t now = clock_monotonic_ns();
	uint64_t keep_ns = (uint64_t)MAX(t->remember_s, 0) * 1000000000u;

	mutex_lock(&t->lock);
	while (!list_empty(&t->idle)) {
		struct node *n = list_first(&t->idle, struct node, idle);

		if (now - n->idle_since_ns < keep_ns)
			break;
		list_remove(&n->idle);
		if (!n->n_lookups && !n->n_refs)
			name_drop(t, n);
	}
	mutex_unlock(&t->lock);
	return clean_delay_s(t->remember_s);
}

void
node_seen_locked(struct node *n, const struct stat *st)
{
	if (n->size != st->st_size || n->mtime.tv_sec != st->st_mtim.tv_sec ||
	    n->mtime.tv_nsec != st->st_mtim.tv_nsec)
		n->cache_valid = false;
	n->mtime = st->st_mtim;
	n->size = st->st_size;
	n->seen_ns = clock_monotonic_ns();
}
