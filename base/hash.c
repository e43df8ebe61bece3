#include "base/hash.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { FIRST_BUCKETS = 16 };

static struct hash_node **
bucket_of(const struct hash_table *t, uint32_t hash)
{
	return &t->buckets[hash & (t->n_buckets - 1)];
}

void
hash_init(struct hash_table *t)
{
	*t = (struct hash_table){0};
}

void
hash_fini(struct hash_table *t)
{
	free(t->buckets);
	hash_init(t);
}

struct hash_node *
hash_find(const struct hash_table *t, uint32_t hash, hash_equal_fn *equal,
	  const void *key)
{
	if (t->n_items == 0)
		return NULL;
	for (struct hash_node *n = *bucket_of(t, hash); n; n = n->next)
		if (n->hash == hash && equal(n, key))
			return n;
	return NULL;
}

static void
push(struct hash_table *t, struct hash_node *node)
{
	struct hash_node **bucket = bucket_of(t, node->hash);

	node->next = *bucket;
	*bucket = node;
}

static int
resize(struct hash_table *t, size_t n_buckets)
{
	struct hash_table bigger = {.n_buckets = n_buckets, .n_items = t->n_items};

	bigger.buckets = calloc(n_buckets, sizeof(struct hash_node *));
	if (!bigger.buckets)
		return -ENOMEM;
	for (size_t i = 0; i < t->n_buckets; i++) {
		for (struct hash_node *n = t->buckets[i], *next; n; n = next) {
			next = n->next;
			push(&bigger, n);
		}
	}
	free(t->buckets);
	*t = bigger;
	return 0;
}

int
hash_insert(struct hash_table *t, struct hash_node *node, uint32_t hash)
{
	if (t->n_items >= t->n_buckets) {
		int err = resize(t, t->n_buckets ? t->n_buckets * 2 : FIRST_BUCKETS);
		if (err && !t->buckets)
			return err;
	}
	node->hash = hash;
	push(t, node);
	t->n_items++;
	return 0;
}

void
hash_remove(struct hash_table *t, struct hash_node *node)
{
	struct hash_node **link = bucket_of(t, node->hash);

	while (*link != node) {
		assert(*link);
		link = &(*link)->next;
	}
	*link = node->next;
	node->next = NULL;
	t->n_items--;
}

static struct hash_node *
first_from(const struct hash_table *t, size_t bucket)
{
	for (; bucket < t->n_buckets; bucket++)
		if (t->buckets[bucket])
			return t->buckets[bucket];
	return NULL;
}

struct hash_node *
hash_first(const struct hash_table *t)
{
	return first_from(t, 0);
}

struct hash_node *
hash_next(const struct hash_table *t, const struct hash_node *node)
{
	if (node->next)
		return node->next;
	return first_from(t, (node->hash & (t->n_buckets - 1)) + 1);
}
