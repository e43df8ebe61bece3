/* A lost node is a file that is open and cannot be found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include "base/hash.h"

struct item {
	struct hash_node node;
	unsigned key;
};

static bool
item_equal(const struct hash_node *node, const void *key)
{
	return container_of(node, const struct item, node)->key == *(const unsigned *)key;
}

static struct item *
find(const struct hash_table *t, uint32_t hash, unsigned key)
{
	struct hash_node *n = hash_find(t, hash, item_equal, &key);

	return n ? container_of(n, struct item, node) : NULL;
}

static void
empty_table_has_nothing(void **state)
{
	struct hash_table t;

	hash_init(&t);
	assert_null(find(&t, 1, 1));
	assert_null(hash_first(&t));
	hash_fini(&t);
}

/* The same through growth, whether hashes spread or collide. */
static void
check_many(uint32_t hash_mask)
{
	enum { N = 1000 };
	static struct item items[N];
	struct hash_table t;
	size_t n_seen = 0;

	hash_init(&t);
	for (unsigned i = 0; i < N; i++) {
		items[i].key = i;
		assert_int_equal(hash_insert(&t, &items[i].node, i & hash_mask), 0);
	}
	assert_int_equal(t.n_items, N);
	assert_true(t.n_buckets >= N);
	for (unsigned i = 0; i < N; i++)
		assert_ptr_equal(find(&t, i & hash_mask, i), &items[i]);
	for (struct hash_node *n = hash_first(&t); n; n = hash_next(&t, n))
		n_seen++;
	assert_int_equal(n_seen, N);
	for (unsigned i = 0; i < N; i += 2)
		hash_remove(&t, &items[i].node);
	assert_int_equal(t.n_items, N / 2);
	for (unsigned i = 0; i < N; i++)
		assert_ptr_equal(find(&t, i & hash_mask, i), i % 2 ? &items[i] : NULL);
	hash_fini(&t);
}

static void
nodes_survive_growth(void **state)
{
	check_many(UINT32_MAX);
}

static void
equal_hashes_are_told_apart(void **state)
{
	check_many(3);
}

static void
a_walk_may_remove(void **state)
{
	struct item items[40] = {0};
	struct hash_table t;

	hash_init(&t);
	for (unsigned i = 0; i < ARRAY_SIZE(items); i++)
		assert_int_equal(hash_insert(&t, &items[i].node, i * 7), 0);
	for (struct hash_node *n = hash_first(&t), *next; n; n = next) {
		next = hash_next(&t, n);
		hash_remove(&t, n);
	}
	assert_int_equal(t.n_items, 0);
	assert_null(hash_first(&t));
	hash_fini(&t);
}

static void
the_newest_of_equals_is_found(void **state)
{
	struct item first = {.key = 1}, second = {.key = 1};
	struct hash_table t;

	hash_init(&t);
	assert_int_equal(hash_insert(&t, &first.node, 9), 0);
	assert_int_equal(hash_insert(&t, &second.node, 9), 0);
	assert_ptr_equal(find(&t, 9, 1), &second);
	hash_fini(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_table_has_nothing),
		cmocka_unit_test(nodes_survive_growth),
		cmocka_unit_test(equal_hashes_are_told_apart),
		cmocka_unit_test(a_walk_may_remove),
		cmocka_unit_test(the_newest_of_equals_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
