/*
 * Breaks when a disk is another one after a crash, or has forgotten its persistent
 * reservations: what is kept beside the blocks has to be there, whole, as it was before
 * or after the change, once the change was answered; and savers that leave out a sync, or
 * write in place, have to be caught.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/log.h"
#include "examples/rawdisk/rawdisk.h"
#include "scsi/persist_priv.h"
#include "tests/durability/namelog.h"

enum { STEPS_MAX = 12, PATH_SIZE = 128, N_SEEDS = 24, DISK_SIZE = 16384 };

static char folder[64], left[64], path[PATH_SIZE];

/* What was asked for, one after the other. */
static struct step {
	size_t begun, done; /* moments */
	uint8_t guid[16];   /* the identity from then on */
	struct pr_state state;
} steps[STEPS_MAX];
static unsigned n_steps;

static int
remove_one(const char *name, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag;
	return ftw->level ? remove(name) : 0;
}

static void
empty(const char *name)
{
	assert_int_equal(nftw(name, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static int
set_up(void **state)
{
	(void)state;
	log_set_level(LOG_LEVEL_ERROR);
	namelog_reset();
	n_steps = 0;
	snprintf(folder, sizeof(folder), "/tmp/userdrive-names.XXXXXX");
	snprintf(left, sizeof(left), "/tmp/userdrive-left.XXXXXX");
	return mkdtemp(folder) && mkdtemp(left) ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	for (unsigned i = 0; i < STEPS_MAX; i++)
		pr_state_fini(&steps[i].state);
	memset(steps, 0, sizeof(steps));
	namelog_reset();
	empty(folder);
	empty(left);
	return rmdir(folder) | rmdir(left);
}

static struct step *
step_begin(void)
{
	namelog_watch(folder);
	steps[n_steps].begun = namelog_now();
	return &steps[n_steps];
}

static void
step_end(struct step *s)
{
	namelog_watch(NULL);
	s->done = namelog_now();
	n_steps++;
}

/* ---------------------------------------------------------------- what a crash leaves */

/* True: what is left is as step i left it. i is -1 for what was before all. */
typedef bool is_as_after(int i);

static bool
is_sound(size_t moment, is_as_after *check)
{
	int first = -1, last = -1;

	for (unsigned i = 0; i < n_steps; i++) {
		if (steps[i].done <= moment)
			first = (int)i;
		if (steps[i].begun <= moment)
			last = (int)i;
	}
	for (int i = first; i <= last; i++)
		if (check(i))
			return true;
	return false;
}

static unsigned
count_unsound(is_as_after *check)
{
	static const unsigned lucks[] = {0, 100, 50, 20, 80};
	uint64_t random = 0x9E3779B97F4A7C15u;
	unsigned n = 0;

	for (size_t moment = 0; moment <= namelog_now(); moment++)
		for (unsigned seed = 0; seed < N_SEEDS; seed++) {
			namelog_crash(moment, lucks[seed % ARRAY_SIZE(lucks)], &random,
				      left);
			if (!is_sound(moment, check) && n++ == 0)
				print_message("first at moment %zu of %zu\n", moment,
					      namelog_now());
			empty(left);
		}
	return n;
}

/* ---------------------------------------------------------------- identity */

static int
open_disk(const char *guid, uint64_t size, const char *image, struct rd *rd)
{
	struct rd_params p = {.image = image,
			      .size = size,
			      .guid = guid,
			      .partition = RD_PARTITION_NONE,
			      .ops = &storage_system};
	char error[256] = "";

	*rd = (struct rd){.may_unmap = true};
	return rd_image_open(rd, &p, error, sizeof(error));
}

static bool
has_identity_of(int i)
{
	char image[PATH_SIZE];
	struct rd rd;
	bool is_same;

	/* There is no disk yet, and nobody was told that there is. */
	if (i < 0)
		return true;
	snprintf(image, sizeof(image), "%s/image", left);
	if (open_disk(NULL, 0, image, &rd) != 0)
		return false;
	is_same = memcmp(rd.identity.guid, steps[i].guid, 16) == 0 &&
		  atomic_load(&rd.n_blocks) * rd.block_length == DISK_SIZE;
	rd_image_close(&rd, false);
	return is_same;
}

static void
identify(const char *guid, uint64_t size)
{
	struct step *s = step_begin();
	struct rd rd;

	snprintf(path, sizeof(path), "%s/image", folder);
	assert_int_equal(open_disk(guid, size, path, &rd), 0);
	memcpy(s->guid, rd.identity.guid, 16);
	rd_image_close(&rd, false);
	step_end(s);
}

static unsigned
lose_identity(bool has_xattrs, enum namelog_drop drop)
{
	namelog_set_xattrs(has_xattrs);
	namelog_drop(drop);
	identify(NULL, DISK_SIZE);
	identify("new", 0);
	identify(NULL, 0);
	identify("12345678-9abc-4ef0-8234-56789abcdef0", 0);
	namelog_drop(NAMELOG_DROP_NONE);
	return count_unsound(has_identity_of);
}

static void
identity_in_an_attribute_survives(void **state)
{
	assert_int_equal(lose_identity(true, NAMELOG_DROP_NONE), 0);
}

static void
identity_in_a_file_survives(void **state)
{
	assert_int_equal(lose_identity(false, NAMELOG_DROP_NONE), 0);
}

static void
forgotten_syncs_of_an_identity_are_noticed(void **state)
{
	static const enum namelog_drop drops[] = {NAMELOG_DROP_FILE_SYNC,
						  NAMELOG_DROP_FOLDER_SYNC};

	for (int has_xattrs = 0; has_xattrs < 2; has_xattrs++)
		for (size_t i = 0; i < ARRAY_SIZE(drops); i++) {
			assert_int_not_equal(lose_identity(has_xattrs, drops[i]), 0);
			tear_down(state);
			assert_int_equal(set_up(state), 0);
		}
}

/* ---------------------------------------------------------------- reservations */

static const uint8_t unit_guid[16] = {1, 2,  3,	 4,  5,	 6,  7,	 8,
				      9, 10, 11, 12, 13, 14, 15, 16};

static bool
states_are_equal(const struct pr_state *a, const struct pr_state *b)
{
	bool equal = a->type == b->type && a->n == b->n;

	for (size_t i = 0; equal && i < a->n; i++)
		equal = a->registrants[i].key == b->registrants[i].key &&
			a->registrants[i].is_holder == b->registrants[i].is_holder;
	return equal;
}

static bool
has_reservations_of(int i)
{
	const struct pr_state none = {0};
	char file[PATH_SIZE];
	struct pr_state state;
	bool equal;

	snprintf(file, sizeof(file), "%s/image.pr", left);
	if (pr_file_load(file, unit_guid, &state) != 0)
		return false;
	equal = states_are_equal(&state, i < 0 ? &none : &steps[i].state);
	pr_state_fini(&state);
	/* Damaged ones are put aside and forgotten: that is no state that anybody asked
	 * for. */
	strcat(file, ".corrupt");
	return equal && access(file, F_OK) != 0;
}

static void
make_state(unsigned n, struct pr_state *state)
{
	*state = (struct pr_state){
		.aptpl = true,
		.n = n,
		.cap = n,
		.type = n ? PR_WRITE_EXCLUSIVE : PR_NONE,
		.registrants = calloc(MAX(n, 1u), sizeof(struct pr_registrant))};
	assert_non_null(state->registrants);
	for (unsigned i = 0; i < n; i++) {
		struct pr_registrant *r = &state->registrants[i];

		r->key = 100 * n_steps + i + 1;
		r->is_holder = i == 0;
		r->port.target_port = 1;
		r->port.n_transport_id = 32;
		r->port.transport_id[0] = 0x45;
		r->port.transport_id[3] = 28;
		snprintf((char *)r->port.transport_id + 4, 28, "iqn.names:%03u,i,0x1", i);
	}
}

typedef int saver(const char *path, const struct pr_state *state, const uint8_t *guid);

/* What a saver must not do. */
static int
save_in_place(const char *file, const struct pr_state *state, const uint8_t *guid)
{
	uint8_t *bytes;
	size_t size;
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(pr_file_encode(state, guid, &bytes, &size), 0);
	assert_int_equal(write(fd, bytes, size), (ssize_t)size);
	assert_int_equal(fsync(fd), 0);
	close(fd);
	free(bytes);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(fsync(fd), 0);
	return close(fd);
}

static unsigned
lose_reservations(saver *save, enum namelog_drop drop)
{
	static const unsigned counts[] = {1, 2, 40, 3, 0, 80, 1};

	snprintf(path, sizeof(path), "%s/image.pr", folder);
	namelog_drop(drop);
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		struct step *s = step_begin();

		make_state(counts[i], &s->state);
		assert_int_equal(save(path, &s->state, unit_guid), 0);
		step_end(s);
	}
	namelog_drop(NAMELOG_DROP_NONE);
	return count_unsound(has_reservations_of);
}

static void
reservations_survive(void **state)
{
	assert_int_equal(lose_reservations(pr_file_save, NAMELOG_DROP_NONE), 0);
}

static void
careless_savers_of_reservations_are_noticed(void **state)
{
	static const struct {
		saver *save;
		enum namelog_drop drop;
	} bad[] = {{pr_file_save, NAMELOG_DROP_FILE_SYNC},
		   {pr_file_save, NAMELOG_DROP_FOLDER_SYNC},
		   {save_in_place, NAMELOG_DROP_NONE}};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		/* Each damaged file is told of, as it should be. */
		log_set_level(LOG_LEVEL_ERROR - 1);
		assert_int_not_equal(lose_reservations(bad[i].save, bad[i].drop), 0);
		tear_down(state);
		assert_int_equal(set_up(state), 0);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(identity_in_an_attribute_survives),
		TEST(identity_in_a_file_survives),
		TEST(forgotten_syncs_of_an_identity_are_noticed),
		TEST(reservations_survive),
		TEST(careless_savers_of_reservations_are_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
