/* The node table: names, counts, identities. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include <sys/stat.h>
#include "transport/mount/nodes.h"

static unsigned n_gone;

static void
gone(void *ctx, struct door_node *node)
{
	n_gone++;
}

struct fixture {
	struct door_nodes t;
	struct door_node *root;
};

static void
begin(struct fixture *f, bool fold_case, bool use_index)
{
	n_gone = 0;
	assert_int_equal(door_nodes_init(&f->t, fold_case, use_index, gone, NULL), 0);
	f->root = door_node_get(&f->t, FUSE_ROOT_ID);
	assert_non_null(f->root);
}

static void
end(struct fixture *f)
{
	door_node_put(&f->t, f->root);
	door_nodes_fini(&f->t);
}

static size_t
units(const char *name, uint16_t *dst)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < n; i++)
		dst[i] = (uint8_t)name[i];
	return n;
}

/* Looks name up: one count of the kernel's, none of ours. */
static struct door_node *
enter(struct fixture *f, struct door_node *parent, const char *name, uint64_t index)
{
	struct door_identity identity = {index, S_IFREG};
	struct door_node *node;
	uint16_t w[64];
	size_t n = units(name, w);

	assert_int_equal(door_node_enter(&f->t, parent, w, n, &identity, &node), 0);
	door_node_put(&f->t, node);
	return node;
}

static void
assert_path(struct fixture *f, struct door_node *node, const char *expected)
{
	static struct door_path path;
	uint16_t w[64];
	size_t n = units(expected, w);

	assert_int_equal(door_node_path(&f->t, node, NULL, 0, &path), 0);
	assert_int_equal(path.n, n);
	assert_memory_equal(path.units, w, n * 2);
}

static void
rename_node(struct fixture *f, const char *from, const char *to, bool exchange)
{
	uint16_t a[64], b[64];
	struct door_name source = {f->root, a, units(from, a)};
	struct door_name target = {f->root, b, units(to, b)};

	door_node_rename(&f->t, &source, &target, exchange);
}

static void
root_is_one_and_stays(void **state)
{
	struct fixture f;

	begin(&f, false, false);
	assert_int_equal(f.root->id, 1);
	door_node_forget(&f.t, 1, 100);
	assert_int_equal(door_nodes_count(&f.t), 1);
	assert_path(&f, f.root, "\\");
	end(&f);
}

static void
lookups_are_counted_exactly(void **state)
{
	struct fixture f;
	uint64_t id;

	begin(&f, false, false);
	id = enter(&f, f.root, "a", 0)->id;
	assert_int_equal(enter(&f, f.root, "a", 0)->id, id);
	door_node_forget(&f.t, id, 1);
	assert_int_equal(n_gone, 0);
	door_node_forget(&f.t, id, 1);
	assert_int_equal(n_gone, 1);
	assert_null(door_node_get(&f.t, id));
	end(&f);
}

static void
an_id_is_not_reused_for_another_node(void **state)
{
	struct fixture f;
	uint64_t first, second;

	begin(&f, false, false);
	first = enter(&f, f.root, "a", 0)->id;
	door_node_forget(&f.t, first, 1);
	second = enter(&f, f.root, "b", 0)->id;
	assert_int_equal((uint32_t)first, (uint32_t)second); /* the slot is */
	assert_int_not_equal(first, second);
	assert_null(door_node_get(&f.t, first));
	end(&f);
}

static void
a_parent_outlives_its_children(void **state)
{
	struct fixture f;
	struct door_node *dir, *child;

	begin(&f, false, false);
	dir = enter(&f, f.root, "d", 0);
	child = enter(&f, dir, "c", 0);
	door_node_forget(&f.t, dir->id, 1);
	assert_int_equal(n_gone, 0);
	assert_path(&f, child, "\\d\\c");
	door_node_forget(&f.t, child->id, 1);
	assert_int_equal(n_gone, 2);
	end(&f);
}

static void
rename_moves_what_is_below(void **state)
{
	struct fixture f;
	struct door_node *child;

	begin(&f, false, false);
	child = enter(&f, enter(&f, f.root, "d", 0), "c", 0);
	rename_node(&f, "d", "e", false);
	assert_path(&f, child, "\\e\\c");
	end(&f);
}

static void
rename_takes_the_targets_name(void **state)
{
	static struct door_path path;
	struct fixture f;
	struct door_node *a, *b;

	begin(&f, false, false);
	a = enter(&f, f.root, "a", 0);
	b = enter(&f, f.root, "b", 0);
	rename_node(&f, "a", "b", false);
	assert_path(&f, a, "\\b");
	assert_int_equal(door_node_path(&f.t, b, NULL, 0, &path), -ENOENT);
	assert_true(door_node_shown(&f.t, b).is_deleted);
	end(&f);
}

static void
exchange_swaps_names(void **state)
{
	struct fixture f;
	struct door_node *a, *b;

	begin(&f, false, false);
	a = enter(&f, f.root, "a", 0);
	b = enter(&f, f.root, "b", 0);
	rename_node(&f, "a", "b", true);
	assert_path(&f, a, "\\b");
	assert_path(&f, b, "\\a");
	end(&f);
}

static void
two_names_are_one_node_by_index(void **state)
{
	struct fixture f;
	struct door_node *node;
	uint16_t w[8];

	begin(&f, false, true);
	node = enter(&f, f.root, "a", 77);
	assert_ptr_equal(enter(&f, f.root, "b", 77), node);
	door_node_unname(&f.t, f.root, w, units("b", w), NULL, false);
	assert_path(&f, node, "\\a");
	end(&f);
}

static void
an_index_given_away_is_another_node(void **state)
{
	struct fixture f;
	struct door_node *node;
	uint16_t w[8];

	begin(&f, false, true);
	node = enter(&f, f.root, "a", 77);
	door_node_unname(&f.t, f.root, w, units("a", w), NULL, true);
	assert_ptr_not_equal(enter(&f, f.root, "a", 77), node);
	end(&f);
}

/* An unlink whose name a look-up has already found gone. */
static void
a_deleted_file_gives_its_index_away_without_a_name(void **state)
{
	struct fixture f;
	struct door_node *node;
	uint16_t w[8];
	size_t n = units("a", w);

	begin(&f, false, true);
	node = enter(&f, f.root, "a", 77);
	door_node_unname(&f.t, f.root, w, n, node, false);
	door_node_unname(&f.t, f.root, w, n, node, true);
	assert_true(door_node_shown(&f.t, node).is_deleted);
	assert_ptr_not_equal(enter(&f, f.root, "a", 77), node);
	end(&f);
}

/* mkdir elsewhere, between the program's rmdir and ours. */
static void
a_number_given_away_during_the_deletion_is_another_node(void **state)
{
	struct fixture f;
	struct door_node *node;

	begin(&f, false, true);
	node = enter(&f, f.root, "a", 77);
	door_node_part_with_index(&f.t, node);
	assert_ptr_not_equal(enter(&f, f.root, "b", 77), node);
	assert_path(&f, node, "\\a");
	end(&f);
}

static void
a_failed_deletion_gives_the_number_back(void **state)
{
	struct fixture f;
	struct door_node *node;

	begin(&f, false, true);
	node = enter(&f, f.root, "a", 77);
	door_node_part_with_index(&f.t, node);
	door_node_regain_index(&f.t, node);
	assert_ptr_equal(enter(&f, f.root, "b", 77), node);
	end(&f);
}

/* "Not there", said late, of a name that has been taken again since. */
static void
a_late_absence_leaves_the_new_file_its_name(void **state)
{
	struct fixture f;
	struct door_node *old, *new;
	uint16_t w[8];
	size_t n = units("a", w);

	begin(&f, false, true);
	old = enter(&f, f.root, "a", 77);
	door_node_unname(&f.t, f.root, w, n, old, true);
	new = enter(&f, f.root, "a", 78);
	door_node_unname(&f.t, f.root, w, n, old, false);
	assert_path(&f, new, "\\a");
	end(&f);
}

/* A look-up that saw the old file, entered after the name was given to a new one. */
static void
a_late_look_up_does_not_displace_the_new_file(void **state)
{
	struct fixture f;
	struct door_node *old, *new, *found;
	struct door_identity late = {.index_number = 77, .format = S_IFREG, .may_be_late = true};
	uint16_t w[8];
	size_t n = units("a", w);

	begin(&f, false, true);
	late.known = old = enter(&f, f.root, "a", 77);
	door_node_unname(&f.t, f.root, w, n, old, true);
	assert_int_equal(door_node_enter(&f.t, f.root, w, n, &late, &found), -EAGAIN);
	new = enter(&f, f.root, "a", 78);
	assert_int_equal(door_node_enter(&f.t, f.root, w, n, &late, &found), -EAGAIN);
	assert_path(&f, new, "\\a");
	late.known = new;
	assert_int_equal(door_node_enter(&f.t, f.root, w, n, &late, &found), 0);
	door_node_put(&f.t, found);
	end(&f);
}

static void
a_name_replaced_behind_us_is_another_node(void **state)
{
	struct fixture f;
	struct door_node *node;

	begin(&f, false, false);
	node = enter(&f, f.root, "a", 5);
	assert_ptr_not_equal(enter(&f, f.root, "a", 6), node);
	assert_false(door_node_has_name(&f.t, node));
	end(&f);
}

static void
case_folds_where_the_volume_does(void **state)
{
	struct fixture f;
	struct door_node *node;

	begin(&f, true, false);
	node = enter(&f, f.root, "Name", 0);
	assert_ptr_equal(enter(&f, f.root, "nAME", 0), node);
	end(&f);
	begin(&f, false, false);
	node = enter(&f, f.root, "Name", 0);
	assert_ptr_not_equal(enter(&f, f.root, "nAME", 0), node);
	end(&f);
}

static void
paths_are_found_as_far_as_known(void **state)
{
	struct door_node *parent, *dir;
	const uint16_t *name;
	struct fixture f;
	uint16_t w[32];
	size_t n;

	begin(&f, false, false);
	dir = enter(&f, f.root, "d", 0);
	assert_null(door_node_find_path(&f.t, w, units("\\d\\new", w), &parent, &name, &n));
	assert_ptr_equal(parent, dir);
	assert_int_equal(n, 3);
	door_node_put(&f.t, parent);
	assert_null(door_node_find_path(&f.t, w, units("\\x\\new", w), &parent, &name, &n));
	assert_null(parent);
	end(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(root_is_one_and_stays),
		cmocka_unit_test(lookups_are_counted_exactly),
		cmocka_unit_test(an_id_is_not_reused_for_another_node),
		cmocka_unit_test(a_parent_outlives_its_children),
		cmocka_unit_test(rename_moves_what_is_below),
		cmocka_unit_test(rename_takes_the_targets_name),
		cmocka_unit_test(exchange_swaps_names),
		cmocka_unit_test(two_names_are_one_node_by_index),
		cmocka_unit_test(an_index_given_away_is_another_node),
		cmocka_unit_test(a_deleted_file_gives_its_index_away_without_a_name),
		cmocka_unit_test(a_number_given_away_during_the_deletion_is_another_node),
		cmocka_unit_test(a_failed_deletion_gives_the_number_back),
		cmocka_unit_test(a_late_absence_leaves_the_new_file_its_name),
		cmocka_unit_test(a_late_look_up_does_not_displace_the_new_file),
		cmocka_unit_test(a_name_replaced_behind_us_is_another_node),
		cmocka_unit_test(case_folds_where_the_volume_does),
		cmocka_unit_test(paths_are_found_as_far_as_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
