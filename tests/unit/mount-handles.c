/* The handle table: counts, stale numbers, keepers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "transport/mount/handles.h"

static unsigned n_ended, n_keepers_ended;

static void
end_handle(void *ctx, struct door_handle *h)
{
	n_ended++;
}

static void
end_keeper(void *ctx, struct fs_handle *keeper)
{
	n_keepers_ended++;
}

struct fixture {
	struct door_handles t;
	struct door_node node;
};

static void
begin(struct fixture *f)
{
	n_ended = n_keepers_ended = 0;
	f->node = (struct door_node){.id = 9};
	list_init(&f->node.handles);
	door_handles_init(&f->t, end_handle, end_keeper, NULL);
}

static struct door_handle *
add(struct fixture *f, uint32_t access)
{
	struct fs_handle *fs = (struct fs_handle *)&fs; /* nobody looks into it */
	struct door_handle *h;

	assert_int_equal(door_handle_add(&f->t, &f->node, fs, access, 0, &h), 0);
	door_handle_put(&f->t, h);
	return h;
}

static void
release_ends_it(void **state)
{
	struct fixture f;
	uint64_t fh;

	begin(&f);
	fh = add(&f, 1)->fh;
	door_handle_remove(&f.t, fh);
	assert_int_equal(n_ended, 1);
	assert_null(door_handle_get(&f.t, fh));
	door_handle_remove(&f.t, fh); /* stale: harmless */
	assert_int_equal(n_ended, 1);
	door_handles_fini(&f.t);
}

static void
a_request_at_work_keeps_it(void **state)
{
	struct door_handle *h;
	struct fixture f;

	begin(&f);
	h = door_handle_get(&f.t, add(&f, 1)->fh);
	door_handle_remove(&f.t, h->fh);
	assert_int_equal(n_ended, 0);
	door_handle_put(&f.t, h);
	assert_int_equal(n_ended, 1);
	door_handles_fini(&f.t);
}

static void
any_needs_all_rights(void **state)
{
	struct door_handle *h;
	struct fixture f;

	begin(&f);
	add(&f, 1);
	assert_null(door_handle_any(&f.t, &f.node, 3));
	add(&f, 3);
	h = door_handle_any(&f.t, &f.node, 3);
	assert_non_null(h);
	door_handle_put(&f.t, h);
	door_handles_fini(&f.t);
	assert_int_equal(n_ended, 2);
}

static void
a_keeper_ends_with_the_last_handle(void **state)
{
	struct fs_handle *fs = (struct fs_handle *)&fs;
	struct door_handle *a, *b;
	struct door_keeper *keeper;
	struct fixture f;

	begin(&f);
	assert_false(door_node_set_keeper(&f.t, &f.node, fs, true)); /* nothing is open */
	a = add(&f, 1);
	b = add(&f, 1);
	assert_true(door_node_set_keeper(&f.t, &f.node, fs, true));
	assert_false(door_node_set_keeper(&f.t, &f.node, fs, true));
	door_handle_remove(&f.t, a->fh);
	keeper = door_node_keeper(&f.t, &f.node);
	assert_non_null(keeper);
	assert_ptr_equal(keeper->fs, fs);
	door_handle_remove(&f.t, b->fh);
	assert_null(door_node_keeper(&f.t, &f.node));
	assert_int_equal(n_keepers_ended, 0); /* at work */
	door_keeper_put(&f.t, keeper);
	assert_int_equal(n_keepers_ended, 1);
	door_handles_fini(&f.t);
}

/* Somebody opens and closes a node that is kept; the next will find it kept too. */
static void
a_keeper_that_stays_outlives_handles_that_come_and_go(void **state)
{
	struct fs_handle *fs = (struct fs_handle *)&fs;
	struct door_keeper *keeper;
	struct fixture f;

	begin(&f);
	assert_true(door_node_set_keeper(&f.t, &f.node, fs, false));
	keeper = door_node_keeper(&f.t, &f.node);
	assert_non_null(keeper);
	door_handle_remove(&f.t, add(&f, 1)->fh);
	door_keeper_put(&f.t, keeper);
	assert_int_equal(n_keepers_ended, 0);
	/* What it was set for did not happen. */
	door_node_release_keeper(&f.t, &f.node);
	assert_int_equal(n_keepers_ended, 1);
	assert_null(door_node_keeper(&f.t, &f.node));
	door_handles_fini(&f.t);
}

/* A handle that was opened through the keeper works as long as it is open. */
static void
a_handle_holds_its_keeper(void **state)
{
	struct fs_handle *fs = (struct fs_handle *)&fs;
	struct door_handle *h;
	struct fixture f;

	begin(&f);
	h = add(&f, 1);
	assert_true(door_node_set_keeper(&f.t, &f.node, fs, true));
	h->keeper = door_node_keeper(&f.t, &f.node);
	h = door_handle_get(&f.t, h->fh);
	door_handle_remove(&f.t, h->fh);
	assert_int_equal(n_keepers_ended, 0);
	door_handle_put(&f.t, h);
	assert_int_equal(n_ended, 1);
	assert_int_equal(n_keepers_ended, 1);
	door_handles_fini(&f.t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(release_ends_it),
		cmocka_unit_test(a_request_at_work_keeps_it),
		cmocka_unit_test(any_needs_all_rights),
		cmocka_unit_test(a_keeper_ends_with_the_last_handle),
		cmocka_unit_test(a_keeper_that_stays_outlives_handles_that_come_and_go),
		cmocka_unit_test(a_handle_holds_its_keeper),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
