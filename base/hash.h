/*
 * Intrusive hash table with chains. The table owns its bucket array and nothing else; whoever
 * declares one names the lock that rules it. The caller computes hashes whose low bits vary.
 */
#ifndef USERDRIVE_BASE_HASH_H
#define USERDRIVE_BASE_HASH_H

#include "base/compiler.h"

struct hash_node {
	struct hash_node *next;
	uint32_t hash;
};

struct hash_table {
	struct hash_node **buckets; /* NULL until the first insertion */
	size_t n_buckets;           /* power of two */
	size_t n_items;
};

typedef bool hash_equal_fn(const struct hash_node *node, const void *key);

void hash_init(struct hash_table *t);
/* Frees the buckets; the nodes are the caller's. */
void hash_fini(struct hash_table *t);
/* The node with this hash that equals key, or NULL. */
struct hash_node *hash_find(const struct hash_table *t, uint32_t hash, hash_equal_fn *equal,
			    const void *key);
/* Equal keys are not looked for: the newest is found first. 0, or -ENOMEM for the very first
 * node only; a table that cannot grow later works on, slower. */
NODISCARD int hash_insert(struct hash_table *t, struct hash_node *node, uint32_t hash);
/* node must be in the table. */
void hash_remove(struct hash_table *t, struct hash_node *node);

/* for (n = hash_first(t); n; n = hash_next(t, n)), in no order. A body that removes n takes
 * hash_next first; it must not insert. */
struct hash_node *hash_first(const struct hash_table *t);
struct hash_node *hash_next(const struct hash_table *t, const struct hash_node *node);

#endif
