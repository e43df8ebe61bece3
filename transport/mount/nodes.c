#include "transport/mount/nodes.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "base/text/names.h"

struct name_key {
	const struct door_nodes *table;
	const struct door_node *parent;
	const uint16_t *name;
	size_t n_units;
};

static bool
link_equals(const struct hash_node *node, const void *key)
{
	const struct door_link *link = container_of(node, struct door_link, hash);
	const struct name_key *k = key;

	return link->parent == k->parent &&
	       utf16_compare(link->name, link->n_units, k->name, k->n_units,
			     k->table->fold_case) == 0;
}

static bool
index_equals(const struct hash_node *node, const void *key)
{
	return container_of(node, struct door_node, by_index)->index_number ==
	       *(const uint64_t *)key;
}

static uint32_t
hash_u64(uint64_t v)
{
	v *= 0x9e3779b97f4a7c15ull;
	return (uint32_t)(v >> 32);
}

static uint32_t
name_hash(const struct name_key *k)
{
	return utf16_hash(k->name, k->n_units, k->table->fold_case) ^ hash_u64(k->parent->id);
}

static struct door_link *
link_find(struct door_nodes *t, const struct door_node *parent, const uint16_t *name,
	  size_t n_units)
{
	struct name_key key = {t, parent, name, n_units};
	struct hash_node *found = hash_find(&t->by_name, name_hash(&key), link_equals, &key);

	return found ? container_of(found, struct door_link, hash) : NULL;
}

static void
node_index_add(struct door_nodes *t, struct door_node *node)
{
	if (t->use_index && node->index_number != 0)
		node->is_indexed = hash_insert(&t->by_index, &node->by_index,
					       hash_u64(node->index_number)) == 0;
}

static void
node_index_remove(struct door_nodes *t, struct door_node *node)
{
	if (node->is_indexed)
		hash_remove(&t->by_index, &node->by_index);
	node->is_indexed = false;
}

static bool
has_one_name(const struct door_node *node)
{
	return node->links.next == node->links.prev && !list_empty(&node->links);
}

/* Takes the name off its node. The parent's count is the caller's to drop. */
static struct door_node *
link_detach(struct door_nodes *t, struct door_link *link)
{
	struct door_node *parent = link->parent;

	if (link->node->temporary == link) {
		link->node->temporary = NULL;
		t->n_temporaries--;
	}
	hash_remove(&t->by_name, &link->hash);
	list_remove(&link->of_node);
	free(link);
	return parent;
}

/*
 * Frees node if nothing refers to it, then its parents as far as they were held by it alone. Freed
 * nodes are chained in *dead by by_index.next: their last callback runs without the lock.
 */
static void
node_reap(struct door_nodes *t, struct door_node *node, struct hash_node **dead)
{
	while (node) {
		struct door_node *next = NULL;

		if (node->n_lookups == 0 && node->n_refs == 0 && node != t->root) {
			/* A node with several names may hold several parents: go on with one,
			 * the others are reaped in recursion, which is as deep as names are. */
			while (!list_empty(&node->links)) {
				struct door_link *link = list_first(&node->links, struct door_link,
								    of_node);
				struct door_node *parent = link_detach(t, link);

				parent->n_refs--;
				if (next && next != parent)
					node_reap(t, next, dead);
				next = parent;
			}
			node_index_remove(t, node);
			door_slots_remove(&t->slots, node->id);
			node->by_index.next = *dead;
			*dead = &node->by_index;
		}
		node = next;
	}
}

static void
bury(struct door_nodes *t, struct hash_node *dead)
{
	while (dead) {
		struct door_node *node = container_of(dead, struct door_node, by_index);

		dead = dead->next;
		if (t->gone)
			t->gone(t->ctx, node);
		free(node->epitaph);
		free(node);
	}
}

static int
node_new(struct door_nodes *t, struct door_node **ret_node)
{
	struct door_node *node = calloc(1, sizeof(*node));
	int err;

	if (!node)
		return -ENOMEM;
	err = door_slots_add(&t->slots, node, &node->id);
	if (err) {
		free(node);
		return err;
	}
	list_init(&node->links);
	list_init(&node->handles);
	*ret_node = node;
	return 0;
}

int
door_nodes_init(struct door_nodes *t, bool fold_case, bool use_index,
		void (*gone)(void *ctx, struct door_node *node), void *ctx)
{
	int err;

	*t = (struct door_nodes){.fold_case = fold_case, .use_index = use_index, .gone = gone,
				 .ctx = ctx};
	mutex_init(&t->lock);
	door_slots_init(&t->slots);
	hash_init(&t->by_name);
	hash_init(&t->by_index);
	err = node_new(t, &t->root);
	if (err) {
		door_nodes_fini(t);
		return err;
	}
	/* The first slot of a fresh table is the root's number in the protocol. */
	assert(t->root->id == FUSE_ROOT_ID);
	t->root->n_lookups = 1;
	return 0;
}

void
door_nodes_fini(struct door_nodes *t)
{
	struct hash_node *dead = NULL;
	struct door_node *node;
	uint32_t slot = 0;

	while ((node = door_slots_next(&t->slots, &slot))) {
		while (!list_empty(&node->links))
			(void)link_detach(t, list_first(&node->links, struct door_link, of_node));
		node_index_remove(t, node);
		node->by_index.next = dead;
		dead = &node->by_index;
	}
	bury(t, dead);
	t->root = NULL;
	door_slots_fini(&t->slots);
	hash_fini(&t->by_name);
	hash_fini(&t->by_index);
	mutex_fini(&t->lock);
}

struct door_node *
door_node_get(struct door_nodes *t, uint64_t id)
{
	struct door_node *node;

	mutex_lock(&t->lock);
	node = door_slots_get(&t->slots, id);
	if (node)
		node->n_refs++;
	mutex_unlock(&t->lock);
	return node;
}

void
door_node_ref(struct door_nodes *t, struct door_node *node)
{
	mutex_lock(&t->lock);
	node->n_refs++;
	mutex_unlock(&t->lock);
}

void
door_node_put(struct door_nodes *t, struct door_node *node)
{
	struct hash_node *dead = NULL;

	if (!node)
		return;
	mutex_lock(&t->lock);
	assert(node->n_refs > 0);
	node->n_refs--;
	node_reap(t, node, &dead);
	mutex_unlock(&t->lock);
	bury(t, dead);
}

struct door_node *
door_node_find(struct door_nodes *t, struct door_node *parent, const uint16_t *name,
	       size_t n_units)
{
	struct door_link *link;
	struct door_node *node = NULL;

	mutex_lock(&t->lock);
	link = link_find(t, parent, name, n_units);
	if (link) {
		node = link->node;
		node->n_refs++;
	}
	mutex_unlock(&t->lock);
	return node;
}

struct door_node *
door_node_find_path(struct door_nodes *t, const uint16_t *path, size_t n_units,
		    struct door_node **ret_parent, const uint16_t **ret_name, size_t *ret_n)
{
	struct door_node *node, *parent = NULL;
	size_t i = 0, n = 0;

	mutex_lock(&t->lock);
	node = t->root;
	while (node && i < n_units) {
		struct door_link *link;

		i++; /* the backslash */
		for (n = 0; i + n < n_units && path[i + n] != '\\'; n++)
			;
		if (n == 0)
			break;
		parent = node;
		link = link_find(t, parent, path + i, n);
		node = link ? link->node : NULL;
		*ret_name = path + i;
		*ret_n = n;
		i += n;
	}
	if (i < n_units)
		parent = node = NULL; /* a directory on the way is unknown */
	if (parent)
		parent->n_refs++;
	if (node)
		node->n_refs++;
	mutex_unlock(&t->lock);
	*ret_parent = parent;
	return node;
}

/* Adds a name; it becomes the one that paths use. */
static int
link_add(struct door_nodes *t, struct door_node *node, struct door_node *parent,
	 const uint16_t *name, size_t n_units)
{
	struct name_key key = {t, parent, name, n_units};
	struct door_link *link = malloc(sizeof(*link) + n_units * sizeof(*name));
	int err;

	if (!link)
		return -ENOMEM;
	link->node = node;
	link->parent = parent;
	link->n_units = (uint16_t)n_units;
	memcpy(link->name, name, n_units * sizeof(*name));
	err = hash_insert(&t->by_name, &link->hash, name_hash(&key));
	if (err) {
		free(link);
		return err;
	}
	list_insert(node->links.next, &link->of_node);
	parent->n_refs++;
	return 0;
}

static bool
node_is(const struct door_node *node, const struct door_identity *identity)
{
	if (node->is_deleted)
		return false;
	if (node->mode != 0 && (node->mode & S_IFMT) != identity->format)
		return false;
	return node->index_number == 0 || identity->index_number == 0 ||
	       node->index_number == identity->index_number;
}

static struct door_node *
node_by_index(struct door_nodes *t, const struct door_identity *identity)
{
	struct hash_node *found;
	struct door_node *node;

	if (!t->use_index || identity->index_number == 0)
		return NULL;
	found = hash_find(&t->by_index, hash_u64(identity->index_number), index_equals,
			  &identity->index_number);
	node = found ? container_of(found, struct door_node, by_index) : NULL;
	if (node && !node_is(node, identity)) {
		/* The number was given to another file. */
		node_index_remove(t, node);
		return NULL;
	}
	return node;
}

/* A node for identity: known by its number, or new. */
static int
node_for(struct door_nodes *t, const struct door_identity *identity, struct door_node **ret_node)
{
	struct door_node *node = node_by_index(t, identity);
	int err = 0;

	if (!node) {
		err = node_new(t, &node);
		if (err)
			return err;
		node->index_number = identity->index_number;
		node->mode = 0;
		node_index_add(t, node);
	}
	*ret_node = node;
	return 0;
}

int
door_node_enter(struct door_nodes *t, struct door_node *parent, const uint16_t *name,
		size_t n_units, const struct door_identity *identity, struct door_node **ret_node)
{
	struct hash_node *dead = NULL;
	struct door_node *node = NULL;
	struct door_link *link;
	int err = 0;

	mutex_lock(&t->lock);
	link = link_find(t, parent, name, n_units);
	if (link && node_is(link->node, identity))
		node = link->node;
	else if (identity->may_be_late && identity->known != (link ? link->node : NULL))
		err = -EAGAIN;
	else {
		if (link) {
			struct door_node *old = link->node;

			link_detach(t, link)->n_refs--;
			node_reap(t, old, &dead);
		}
		err = node_for(t, identity, &node);
		if (!err)
			err = link_add(t, node, parent, name, n_units);
	}
	if (!err) {
		node->n_lookups++;
		node->n_refs++;
		*ret_node = node;
	} else if (node) {
		node_reap(t, node, &dead);
	}
	mutex_unlock(&t->lock);
	bury(t, dead);
	return err;
}

int
door_node_enter_nameless(struct door_nodes *t, const struct door_identity *identity,
			 struct door_node **ret_node)
{
	struct door_node *node;
	int err;

	mutex_lock(&t->lock);
	err = node_for(t, identity, &node);
	if (!err) {
		node->n_lookups++;
		node->n_refs++;
		*ret_node = node;
	}
	mutex_unlock(&t->lock);
	return err;
}

void
door_node_forget(struct door_nodes *t, uint64_t id, uint64_t n)
{
	struct hash_node *dead = NULL;
	struct door_node *node;

	mutex_lock(&t->lock);
	node = door_slots_get(&t->slots, id);
	if (node && node != t->root) {
		node->n_lookups -= MIN(n, node->n_lookups);
		node_reap(t, node, &dead);
	}
	mutex_unlock(&t->lock);
	bury(t, dead);
}

/* Writes the path backwards from the end of ret_path; units used, or -errno. */
static int
path_fill(struct door_nodes *t, const struct door_node *node, const uint16_t *name,
	  size_t n_units, struct door_path *ret_path, size_t *ret_at)
{
	size_t at = DOOR_PATH_UNITS;

	for (;;) {
		if (name) {
			if (at < n_units + 1)
				return -ENAMETOOLONG;
			at -= n_units;
			memcpy(ret_path->units + at, name, n_units * sizeof(*name));
			ret_path->units[--at] = '\\';
		}
		if (node == t->root)
			break;
		if (list_empty(&node->links))
			return -ENOENT;
		const struct door_link *link = list_first(&node->links, struct door_link, of_node);

		name = link->name;
		n_units = link->n_units;
		node = link->parent;
	}
	*ret_at = at;
	return 0;
}

int
door_node_path(struct door_nodes *t, struct door_node *node, const uint16_t *name,
	       size_t n_units, struct door_path *ret_path)
{
	size_t at;
	int err;

	mutex_lock(&t->lock);
	err = path_fill(t, node, name, n_units, ret_path, &at);
	mutex_unlock(&t->lock);
	if (err)
		return err;
	if (at == DOOR_PATH_UNITS)
		ret_path->units[--at] = '\\'; /* the root itself */
	ret_path->n = DOOR_PATH_UNITS - at;
	memmove(ret_path->units, ret_path->units + at, ret_path->n * sizeof(uint16_t));
	return 0;
}

/* From now on its number may be another file's. */
static void
node_delete(struct door_nodes *t, struct door_node *node)
{
	node->is_deleted = true;
	node_index_remove(t, node);
}

static void
node_lose_link(struct door_nodes *t, struct door_link *link, bool is_last,
	       struct hash_node **dead)
{
	struct door_node *node = link->node, *parent = link_detach(t, link);

	if (is_last || !t->use_index)
		node_delete(t, node);
	parent->n_refs--;
	node_reap(t, parent, dead);
	node_reap(t, node, dead);
}

void
door_node_unname(struct door_nodes *t, struct door_node *parent, const uint16_t *name,
		 size_t n_units, struct door_node *node, bool is_last)
{
	struct hash_node *dead = NULL;
	struct door_link *link;

	mutex_lock(&t->lock);
	link = link_find(t, parent, name, n_units);
	if (link && (!node || link->node == node))
		node_lose_link(t, link, is_last, &dead);
	else if (node && is_last) /* a look-up has found the name gone before us */
		node_delete(t, node);
	mutex_unlock(&t->lock);
	bury(t, dead);
}

void
door_node_set_temporary(struct door_nodes *t, struct door_node *node, struct door_node *parent,
			const uint16_t *name, size_t n_units)
{
	struct door_link *link;

	mutex_lock(&t->lock);
	link = link_find(t, parent, name, n_units);
	if (link && link->node == node && !node->temporary) {
		node->temporary = link;
		t->n_temporaries++;
	}
	mutex_unlock(&t->lock);
}

bool
door_node_unname_temporary(struct door_nodes *t, struct door_node *node, bool is_linked)
{
	struct hash_node *dead = NULL;
	struct door_link *link;
	bool is_only;

	mutex_lock(&t->lock);
	link = node->temporary;
	if (link) {
		is_only = has_one_name(node);
		node_lose_link(t, link, !is_linked && is_only, &dead);
	}
	mutex_unlock(&t->lock);
	bury(t, dead);
	return link != NULL;
}

struct door_node *
door_node_find_temporary(struct door_nodes *t, const struct door_node *parent)
{
	struct door_node *node = NULL;
	uint32_t slot = 0;

	mutex_lock(&t->lock);
	if (t->n_temporaries != 0)
		while ((node = door_slots_next(&t->slots, &slot)))
			if (node->temporary && node->temporary->parent == parent)
				break;
	if (node)
		node->n_refs++;
	mutex_unlock(&t->lock);
	return node;
}

void
door_node_part_with_index(struct door_nodes *t, struct door_node *node)
{
	mutex_lock(&t->lock);
	node_index_remove(t, node);
	mutex_unlock(&t->lock);
}

void
door_node_regain_index(struct door_nodes *t, struct door_node *node)
{
	mutex_lock(&t->lock);
	if (!node->is_indexed && !node->is_deleted)
		node_index_add(t, node);
	mutex_unlock(&t->lock);
}

/* Moves a name. Without memory the node just loses it: the kernel looks it up again. */
static void
link_move(struct door_nodes *t, struct door_link *link, const struct door_name *to,
	  struct hash_node **dead)
{
	struct door_node *node = link->node, *parent;

	(void)link_add(t, node, to->parent, to->name, to->n_units);
	parent = link_detach(t, link);
	parent->n_refs--;
	node_reap(t, parent, dead);
}

void
door_node_rename(struct door_nodes *t, const struct door_name *from, const struct door_name *to,
		 bool exchange)
{
	struct hash_node *dead = NULL;
	struct door_link *source, *target;

	mutex_lock(&t->lock);
	source = link_find(t, from->parent, from->name, from->n_units);
	target = link_find(t, to->parent, to->name, to->n_units);
	if (source && target && source->node == target->node && source != target && !exchange) {
		/* Two names of one file: rename(2) does nothing. */
	} else {
		if (target && target != source) {
			if (exchange)
				link_move(t, target, from, &dead);
			else
				node_lose_link(t, target,
					       S_ISDIR(target->node->mode) ||
						       target->node->n_hard_links <= 1,
					       &dead);
		}
		if (source)
			link_move(t, source, to, &dead);
	}
	mutex_unlock(&t->lock);
	bury(t, dead);
}

bool
door_node_has_name(struct door_nodes *t, struct door_node *node)
{
	bool has;

	mutex_lock(&t->lock);
	has = node == t->root || !list_empty(&node->links);
	mutex_unlock(&t->lock);
	return has;
}

bool
door_node_try_other_name(struct door_nodes *t, struct door_node *node, int err, size_t *n_tried)
{
	size_t n = 0;
	bool again;

	if (err != -EACCES && err != -ENOENT)
		return false;
	mutex_lock(&t->lock);
	list_for_each(pos, &node->links)
		n++;
	again = ++*n_tried < n;
	if (again) {
		struct list *first = node->links.next;

		list_remove(first);
		list_insert(&node->links, first);
	}
	mutex_unlock(&t->lock);
	return again;
}

uint64_t
door_node_parent_ino(struct door_nodes *t, struct door_node *node)
{
	const struct door_node *parent = node;
	uint64_t ino;

	mutex_lock(&t->lock);
	if (!list_empty(&node->links))
		parent = list_first(&node->links, struct door_link, of_node)->parent;
	ino = parent->index_number ? parent->index_number : parent->id;
	mutex_unlock(&t->lock);
	return ino;
}

void
door_node_set_extras(struct door_nodes *t, struct door_node *node,
		     const struct door_extras *extras)
{
	mutex_lock(&t->lock);
	node->extras = *extras;
	mutex_unlock(&t->lock);
}

struct door_extras
door_node_extras(struct door_nodes *t, struct door_node *node)
{
	struct door_extras extras;

	mutex_lock(&t->lock);
	extras = node->extras;
	mutex_unlock(&t->lock);
	return extras;
}

void
door_node_note(struct door_nodes *t, struct door_node *node, const struct fuse_attr *attr)
{
	mutex_lock(&t->lock);
	node->mode = attr->mode;
	node->uid = attr->uid;
	node->gid = attr->gid;
	node->n_hard_links = attr->nlink;
	mutex_unlock(&t->lock);
}

struct door_shown
door_node_shown(struct door_nodes *t, struct door_node *node)
{
	struct door_shown shown;

	mutex_lock(&t->lock);
	shown = (struct door_shown){node->mode, node->uid, node->gid, node->is_deleted,
				     node->temporary != NULL,
				     node->temporary && has_one_name(node)};
	mutex_unlock(&t->lock);
	return shown;
}

void
door_node_set_epitaph(struct door_nodes *t, struct door_node *node, const struct fuse_attr *attr)
{
	struct fuse_attr *copy = malloc(sizeof(*copy));

	if (!copy)
		return; /* a stat of the deleted node will fail */
	*copy = *attr;
	copy->nlink = 0;
	mutex_lock(&t->lock);
	free(node->epitaph);
	node->epitaph = copy;
	mutex_unlock(&t->lock);
}

bool
door_node_epitaph(struct door_nodes *t, struct door_node *node, struct fuse_attr *ret_attr)
{
	bool has;

	mutex_lock(&t->lock);
	has = node->epitaph && node->is_deleted;
	if (has)
		*ret_attr = *node->epitaph;
	mutex_unlock(&t->lock);
	return has;
}

size_t
door_nodes_count(struct door_nodes *t)
{
	uint32_t slot = 0;
	size_t n = 0;

	mutex_lock(&t->lock);
	while (door_slots_next(&t->slots, &slot))
		n++;
	mutex_unlock(&t->lock);
	return n;
}
