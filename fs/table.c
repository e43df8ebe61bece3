/* The file table: entries by name, nodes by IndexNumber where names can share a file. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "fs/volume_priv.h"

enum { FIRST_BUCKETS = 64 };

NTSTATUS
fs_table_init(struct fs_volume *v)
{
	v->n_buckets = FIRST_BUCKETS;
	v->entries = calloc(v->n_buckets, sizeof(struct fs_entry *));
	v->by_index_table = calloc(v->n_buckets, sizeof(struct fs_node *));
	return v->entries && v->by_index_table ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

void
fs_table_fini(struct fs_volume *v)
{
	free(v->entries);
	free(v->by_index_table);
}

uint32_t
fs_table_hash(const struct fs_volume *v, const uint16_t *name, size_t n_units)
{
	return utf16_hash(name, n_units, v->fold_case);
}

static struct fs_node **
index_bucket(struct fs_node **table, size_t n_buckets, uint64_t index)
{
	return &table[(index * 0x9e3779b97f4a7c15ull) >> 32 & (n_buckets - 1)];
}

/* Twice the buckets; when there is no memory for them, chains grow longer. */
static void
grow(struct fs_volume *v) REQUIRES(&v->table_lock)
{
	size_t n = v->n_buckets * 2;
	struct fs_entry **entries = calloc(n, sizeof(struct fs_entry *));
	struct fs_node **nodes = calloc(n, sizeof(struct fs_node *));

	if (!entries || !nodes) {
		free(entries);
		free(nodes);
		return;
	}
	for (size_t i = 0; i < v->n_buckets; i++) {
		for (struct fs_entry *e = v->entries[i], *next; e; e = next) {
			next = e->next;
			e->next = entries[e->hash & (n - 1)];
			entries[e->hash & (n - 1)] = e;
		}
		for (struct fs_node *node = v->by_index_table[i], *next; node; node = next) {
			struct fs_node **bucket = index_bucket(nodes, n, node->index);

			next = node->next_by_index;
			node->next_by_index = *bucket;
			*bucket = node;
		}
	}
	free(v->entries);
	free(v->by_index_table);
	v->entries = entries;
	v->by_index_table = nodes;
	v->n_buckets = n;
}

struct fs_entry *
fs_entry_find(struct fs_volume *v, const uint16_t *name, size_t n_units, uint32_t hash)
{
	struct fs_entry *e = v->entries[hash & (v->n_buckets - 1)];

	while (e && (e->hash != hash ||
		     utf16_compare(e->name, e->n_units, name, n_units, v->fold_case) != 0))
		e = e->next;
	return e;
}

void
fs_entry_insert(struct fs_volume *v, struct fs_entry *e)
{
	struct fs_entry **bucket;

	if (v->n_entries >= v->n_buckets)
		grow(v);
	bucket = &v->entries[e->hash & (v->n_buckets - 1)];
	e->next = *bucket;
	*bucket = e;
	e->in_table = true;
	v->n_entries++;
}

struct fs_entry *
fs_entry_create(struct fs_volume *v, const uint16_t *name, size_t n_units, uint32_t hash)
{
	struct fs_entry *e = calloc(1, sizeof(*e));
	uint16_t *copy = malloc(n_units * 2);

	if (!e || !copy) {
		free(e);
		free(copy);
		return NULL;
	}
	memcpy(copy, name, n_units * 2);
	e->name = copy;
	e->n_units = n_units;
	e->hash = hash;
	list_init(&e->node_link);
	fs_entry_insert(v, e);
	return e;
}

void
fs_entry_detach(struct fs_volume *v, struct fs_entry *e)
{
	struct fs_entry **link;

	if (!e->in_table)
		return;
	link = &v->entries[e->hash & (v->n_buckets - 1)];
	while (*link != e)
		link = &(*link)->next;
	*link = e->next;
	e->in_table = false;
	v->n_entries--;
}

struct fs_entry *
fs_entry_open(struct fs_volume *v, const uint16_t *name, size_t n_units, uint32_t hash)
{
	struct fs_entry *e;

	mutex_lock(&v->table_lock);
	while ((e = fs_entry_find(v, name, n_units, hash)) && e->deleting)
		cond_wait(&v->settled, &v->table_lock);
	if (!e)
		e = fs_entry_create(v, name, n_units, hash);
	if (e) {
		e->refs++;
		e->n_opening++;
	}
	mutex_unlock(&v->table_lock);
	return e;
}

void
fs_entry_abandon(struct fs_volume *v, struct fs_entry *e)
{
	mutex_lock(&v->table_lock);
	if (--e->n_opening == 0 && e->deleting)
		cond_broadcast(&v->settled);
	fs_entry_unref(v, e);
	mutex_unlock(&v->table_lock);
}

struct fs_node *
fs_node_by_index(struct fs_volume *v, uint64_t index)
{
	struct fs_node *node = *index_bucket(v->by_index_table, v->n_buckets, index);

	while (node && node->index != index)
		node = node->next_by_index;
	return node;
}

struct fs_node *
fs_node_create(struct fs_volume *v, struct fs_node *main, uint64_t index)
{
	struct fs_node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->volume = v;
	node->index = index;
	list_init(&node->streams);
	list_init(&node->stream_link);
	list_init(&node->entries);
	rwlock_init(&node->op_lock);
	mutex_init(&node->cache_lock);
	if (main) {
		node->main = main;
		main->refs++;
		list_insert(&main->streams, &node->stream_link);
	} else if (v->by_index && index != 0) {
		struct fs_node **bucket = index_bucket(v->by_index_table, v->n_buckets, index);

		node->next_by_index = *bucket;
		*bucket = node;
		node->indexed = true;
	}
	return node;
}

static void
node_unindex(struct fs_volume *v, struct fs_node *node) REQUIRES(&v->table_lock)
{
	struct fs_node **link = index_bucket(v->by_index_table, v->n_buckets, node->index);

	if (!node->indexed)
		return;
	while (*link != node)
		link = &(*link)->next_by_index;
	*link = node->next_by_index;
	node->indexed = false;
}

static void
node_unref(struct fs_volume *v, struct fs_node *node) REQUIRES(&v->table_lock)
{
	assert(node->refs > 0);
	if (--node->refs > 0)
		return;
	node_unindex(v, node);
	list_remove(&node->stream_link);
	if (node->main)
		node_unref(v, node->main);
	fs_cache_fini(node);
	mutex_fini(&node->cache_lock);
	rwlock_fini(&node->op_lock);
	free(node);
}

void
fs_entry_unref(struct fs_volume *v, struct fs_entry *e)
{
	assert(e->refs > 0);
	if (--e->refs > 0)
		return;
	fs_entry_detach(v, e);
	list_remove(&e->node_link);
	if (e->node)
		node_unref(v, e->node);
	free(e->name);
	free(e);
}

void
fs_entry_set_node(struct fs_entry *e, struct fs_node *node)
{
	assert(!e->node);
	e->node = node;
	node->refs++;
	list_insert(&node->entries, &e->node_link);
}

void
fs_node_retire(struct fs_volume *v, struct fs_node *node)
{
	if (node->n_open > 0)
		return;
	node->refs++;
	node_unindex(v, node);
	list_for_each_safe(p, next, &node->entries) {
		list_remove(p);
		list_entry(p, struct fs_entry, node_link)->node = NULL;
		node_unref(v, node);
	}
	node_unref(v, node);
}

void
fs_node_release(struct fs_volume *v, struct fs_handle *h)
{
	h->node->n_open--;
	fs_node_retire(v, h->node);
	fs_entry_unref(v, h->entry);
}

void
fs_node_detach_streams(struct fs_volume *v, struct fs_node *node)
{
	list_for_each(s, &node->streams) {
		struct fs_node *stream = list_entry(s, struct fs_node, stream_link);

		list_for_each(p, &stream->entries)
			fs_entry_detach(v, list_entry(p, struct fs_entry, node_link));
	}
}
