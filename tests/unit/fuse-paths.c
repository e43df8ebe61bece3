/* Breaks when the node table of the high-level FUSE API loses a name or a count, when a path
 * changes under an operation, or when operations on names wait for each other for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/fuse/hl_lock.h"
#include "api/fuse/paths.h"

static uint64_t
lookup(struct nodes *t, uint64_t parent, const char *name)
{
	struct node *n;
	uint64_t id;

	mutex_lock(&t->lock);
	assert_int_equal(nodes_lookup_locked(t, parent, name, &n), 0);
	id = n->id;
	mutex_unlock(&t->lock);
	return id;
}

static void
assert_path(struct nodes *t, uint64_t id, const char *name, const char *path)
{
	struct path_lock l;

	assert_int_equal(path_lock(t, &l, &(struct path_want){.id = id, .name = name}, 1), 0);
	assert_string_equal(l.path[0], path);
	path_unlock(t, &l);
}

static void
assert_no_path(struct nodes *t, uint64_t id, int err)
{
	struct path_lock l;

	assert_int_equal(path_lock(t, &l, &(struct path_want){.id = id}, 1), err);
	path_unlock(t, &l);
}

static void
test_paths(void **state)
{
	struct nodes t;
	char longest[256] = {0};
	uint64_t a, b, id = NODE_ROOT_ID;

	assert_int_equal(nodes_init(&t), 0);
	a = lookup(&t, NODE_ROOT_ID, "a");
	b = lookup(&t, a, "b");
	assert_path(&t, NODE_ROOT_ID, NULL, "/");
	assert_path(&t, NODE_ROOT_ID, "x", "/x");
	assert_path(&t, b, NULL, "/a/b");
	assert_path(&t, b, "new", "/a/b/new");
	assert_int_equal(lookup(&t, a, "b"), b);
	assert_int_equal(nodes_resolve(&t, "/a//b/"), b);
	assert_int_equal(nodes_resolve(&t, "/a/c"), 0);
	/* longer than what a lock has room for */
	memset(longest, 'n', 255);
	for (int i = 0; i < 20; i++)
		id = lookup(&t, id, longest);
	struct path_lock l;

	assert_int_equal(path_lock(&t, &l, &(struct path_want){.id = id}, 1), 0);
	assert_int_equal(strlen(l.path[0]), 20 * 256);
	path_unlock(&t, &l);
	assert_no_path(&t, 999999, -ESTALE);
	nodes_fini(&t);
}

static void
test_forget(void **state)
{
	struct nodes t;
	uint64_t a, b;

	assert_int_equal(nodes_init(&t), 0);
	a = lookup(&t, NODE_ROOT_ID, "a");
	b = lookup(&t, a, "b");
	lookup(&t, a, "b");
	nodes_forget(&t, a, 1);
	/* a child keeps it */
	assert_path(&t, b, NULL, "/a/b");
	nodes_forget(&t, b, 1);
	assert_path(&t, b, NULL, "/a/b");
	/* more than there were: a kernel that counts wrong harms nobody */
	nodes_forget(&t, b, 100);
	assert_no_path(&t, b, -ESTALE);
	assert_no_path(&t, a, -ESTALE);
	nodes_forget(&t, NODE_ROOT_ID, 5);
	assert_path(&t, NODE_ROOT_ID, NULL, "/");
	assert_int_equal(t.by_id.n_items, 1);
	assert_int_equal(t.by_name.n_items, 0);
	nodes_fini(&t);
}

static void
test_remember(void **state)
{
	struct nodes t;
	uint64_t a, b;

	assert_int_equal(nodes_init(&t), 0);
	t.remember_s = 1000;
	a = lookup(&t, NODE_ROOT_ID, "a");
	b = lookup(&t, a, "b");
	nodes_forget(&t, b, 1);
	nodes_forget(&t, a, 1);
	assert_int_equal(nodes_clean(&t), 100);
	assert_int_equal(lookup(&t, NODE_ROOT_ID, "a"), a);
	assert_int_equal(lookup(&t, a, "b"), b);
	nodes_forget(&t, b, 1);
	t.remember_s = -1;
	nodes_clean(&t);
	nodes_forget(&t, a, 1);
	assert_int_equal(t.by_id.n_items, 2);
	nodes_fini(&t);
}

static void
test_rename_and_exchange(void **state)
{
	struct nodes t;
	uint64_t a, b, x, y;

	assert_int_equal(nodes_init(&t), 0);
	a = lookup(&t, NODE_ROOT_ID, "a");
	b = lookup(&t, NODE_ROOT_ID, "b");
	x = lookup(&t, a, "x");
	y = lookup(&t, b, "y");
	assert_int_equal(nodes_rename(&t, a, "x", b, "y"), 0);
	assert_path(&t, x, NULL, "/b/y");
	assert_no_path(&t, y, -ESTALE);
	y = lookup(&t, a, "y");
	assert_int_equal(nodes_exchange(&t, a, "y", b, "y"), 0);
	assert_path(&t, x, NULL, "/a/y");
	assert_path(&t, y, NULL, "/b/y");
	/* only one of the two is known */
	assert_int_equal(nodes_exchange(&t, a, "y", b, "unknown"), 0);
	assert_path(&t, x, NULL, "/b/unknown");
	/* a name that nobody looked up replaces one that somebody did */
	assert_int_equal(nodes_rename(&t, a, "unknown", b, "y"), 0);
	assert_no_path(&t, y, -ESTALE);
	nodes_remove(&t, b, "unknown");
	assert_no_path(&t, x, -ESTALE);
	nodes_forget(&t, x, 1);
	nodes_forget(&t, y, 1);
	nodes_fini(&t);
}

static void
test_two_names(void **state)
{
	struct nodes t;
	struct path_lock l;
	uint64_t a;

	assert_int_equal(nodes_init(&t), 0);
	a = lookup(&t, NODE_ROOT_ID, "a");
	lookup(&t, a, "x");
	const struct path_want same[] = {{.id = a, .name = "x", .write = true},
					 {.id = a, .name = "x", .write = true}};
	const struct path_want inside[] = {{.id = NODE_ROOT_ID, .name = "a", .write = true},
					   {.id = a, .name = "x", .write = true}};
	const struct path_want optional[] = {{.id = 12345, .optional = true},
					     {.id = a, .optional = true}};

	assert_int_equal(path_lock(&t, &l, same, 2), 0);
	assert_string_equal(l.path[1], "/a/x");
	path_unlock(&t, &l);
	path_unlock(&t, &l);
	assert_int_equal(path_lock(&t, &l, inside, 2), -EINVAL);
	path_unlock(&t, &l);
	assert_int_equal(path_lock(&t, &l, optional, 2), -ESTALE);
	path_unlock(&t, &l);
	nodes_remove(&t, NODE_ROOT_ID, "a");
	const struct path_want gone[] = {{.id = NODE_ROOT_ID}, {.id = a, .optional = true}};

	assert_int_equal(path_lock(&t, &l, gone, 2), 0);
	assert_string_equal(l.path[0], "/");
	assert_null(l.path[1]);
	path_unlock(&t, &l);
	nodes_fini(&t);
}

/* Threads: each directory of a small tree has a mark that stands for its contents; a reader's mark
 * must not move while it has the path, a writer moves it. */
#define N_DIRS 4
#define N_THREADS 6
#define N_ROUNDS 10000

static struct nodes shared;
static uint64_t dirs[N_DIRS];
static _Atomic int writers_in[N_DIRS][N_DIRS], readers_in[N_DIRS][N_DIRS];
static _Atomic int n_broken;

static unsigned
next_random(unsigned *seed)
{
	*seed = *seed * 1103515245u + 12345u;
	return *seed >> 16;
}

static void
name_of(char *buf, unsigned i)
{
	snprintf(buf, 8, "n%u", i);
}

/* Moves name i of one directory to name j of another one, like a rename. */
static void
one_rename(unsigned *seed)
{
	unsigned d = next_random(seed) % N_DIRS, e = next_random(seed) % N_DIRS;
	unsigned i = next_random(seed) % N_DIRS, j = next_random(seed) % N_DIRS;
	char from[8], to[8];
	struct path_lock l;

	name_of(from, i);
	name_of(to, j);
	const struct path_want want[] = {{.id = dirs[d], .name = from, .write = true},
					 {.id = dirs[e], .name = to, .write = true}};

	lookup(&shared, dirs[d], from);
	lookup(&shared, dirs[e], to);
	if (path_lock(&shared, &l, want, 2) < 0)
		return;
	if (nodes_rename(&shared, dirs[d], from, dirs[e], to) < 0)
		n_broken++;
	path_unlock(&shared, &l);
}

/* Whoever writes a name is alone with it; nobody reads below it. */
static void
one_unlink_or_read(unsigned *seed)
{
	unsigned d = next_random(seed) % N_DIRS, i = next_random(seed) % N_DIRS;
	bool write = next_random(seed) % 3 == 0;
	char name[8];
	struct path_lock l;
	uint64_t id;

	name_of(name, i + N_DIRS); /* names that no rename touches */
	id = lookup(&shared, dirs[d], name);
	const struct path_want as_writer = {.id = dirs[d], .name = name, .write = true};
	const struct path_want as_reader = {.id = id, .name = "below"};

	if (path_lock(&shared, &l, write ? &as_writer : &as_reader, 1) < 0) {
		n_broken++;
		return;
	}
	_Atomic int *mine = write ? &writers_in[d][i] : &readers_in[d][i];

	++*mine;
	if (write ? writers_in[d][i] != 1 || readers_in[d][i] : writers_in[d][i] != 0)
		n_broken++;
	sched_yield();
	--*mine;
	path_unlock(&shared, &l);
	nodes_forget(&shared, id, 1);
}

static void *
hammer(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;

	for (int i = 0; i < N_ROUNDS; i++) {
		if (next_random(&seed) % 2)
			one_rename(&seed);
		else
			one_unlink_or_read(&seed);
	}
	return NULL;
}

static void
test_threads(void **state)
{
	pthread_t threads[N_THREADS];
	char name[8];

	assert_int_equal(nodes_init(&shared), 0);
	for (unsigned i = 0; i < N_DIRS; i++) {
		snprintf(name, sizeof(name), "d%u", i);
		/* two beside each other, two below */
		dirs[i] = lookup(&shared, i < 2 ? NODE_ROOT_ID : dirs[i - 2], name);
	}
	for (uintptr_t i = 0; i < N_THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hammer, (void *)(i + 1)), 0);
	for (int i = 0; i < N_THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(n_broken, 0);
	assert_true(list_empty(&shared.queue));
	for (struct hash_node *h = hash_first(&shared.by_id); h; h = hash_next(&shared.by_id, h)) {
		struct node *n = container_of(h, struct node, by_id);

		assert_int_equal(n->n_readers + n->n_waiting_writers + n->written, 0);
	}
	nodes_fini(&shared);
}

static struct hl_lock
range(uint64_t owner, int type, off_t start, off_t len)
{
	struct flock fl = {.l_type = (short)type, .l_start = start, .l_len = len};

	return hl_lock_from_flock(&fl, owner);
}

static void
set(struct hl_lock **list, uint64_t owner, int type, off_t start, off_t len)
{
	struct hl_lock lock = range(owner, type, start, len);

	assert_int_equal(hl_locks_set(list, &lock), 0);
}

static bool
stands_in_the_way(struct hl_lock *list, uint64_t owner, int type, off_t start, off_t len)
{
	struct hl_lock want = range(owner, type, start, len);

	return hl_locks_conflict(list, &want) != NULL;
}

static void
test_locks(void **state)
{
	struct hl_lock *list = NULL;
	struct flock fl;

	set(&list, 1, F_WRLCK, 0, 100);
	set(&list, 1, F_UNLCK, 40, 20);
	assert_false(stands_in_the_way(list, 2, F_WRLCK, 40, 20));
	assert_true(stands_in_the_way(list, 2, F_RDLCK, 39, 1));
	assert_true(stands_in_the_way(list, 2, F_RDLCK, 60, 0));
	assert_false(stands_in_the_way(list, 1, F_WRLCK, 0, 0));
	set(&list, 1, F_WRLCK, 40, 20);
	assert_null(list->next);
	fl = hl_lock_to_flock(list);
	assert_int_equal(fl.l_len, 100);
	set(&list, 2, F_RDLCK, 100, 0);
	assert_false(stands_in_the_way(list, 3, F_RDLCK, 1000, 1));
	assert_true(stands_in_the_way(list, 3, F_WRLCK, INT64_MAX - 1, 1));
	set(&list, 2, F_UNLCK, 0, 0);
	set(&list, 1, F_UNLCK, 0, 0);
	assert_null(list);
	hl_locks_free(list);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_forget),
		cmocka_unit_test(test_remember),
		cmocka_unit_test(test_rename_and_exchange),
		cmocka_unit_test(test_two_names),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_locks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
