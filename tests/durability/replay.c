/*
 * Breaks when a disk of rawdisk answers a flush, or a change with force-unit-access,
 * before the data would survive a crash. Requests come by every way from the block seam
 * to the sockets of the local door; a crash comes at every call to the system; and disks
 * that break their word in one way each have to be caught, or this test could not fail.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/log.h"
#include "tests/durability/disk.h"

enum { N_BLOCKS = 40, RUN_MAX = 5, N_REQUESTS = 260, N_SEEDS = 4, N_THREADS = 4 };

static unsigned n_requests = N_REQUESTS, n_seeds = N_SEEDS;

struct load {
	struct dur_disk *disk;
	const struct way *way;
	struct oracle *oracle;
	uint64_t random;
	uint64_t first, n_blocks; /* blocks of its own */
	unsigned n_requests;
	unsigned n_wrong; /* answers */
	bool may_fail;	  /* what fails is no promise */
	bool may_compare;
};

static unsigned
random_below(struct load *l, unsigned n)
{
	l->random ^= l->random << 13;
	l->random ^= l->random >> 7;
	l->random ^= l->random << 17;
	return (unsigned)(l->random >> 20) % n;
}

/* Half of all are writes, a sixth are flushes. */
static enum dur_kind
draw_kind(struct load *l)
{
	static const enum dur_kind kinds[] = {DUR_WRITE,	   DUR_WRITE,
					      DUR_WRITE,	   DUR_WRITE,
					      DUR_WRITE,	   DUR_WRITE,
					      DUR_FLUSH,	   DUR_FLUSH,
					      DUR_WRITE_SAME,	   DUR_COMPARE_AND_WRITE,
					      DUR_ZEROES,	   DUR_UNMAP,
					      DUR_WRITE_AND_VERIFY};
	enum dur_kind kind;

	do
		kind = kinds[random_below(l, ARRAY_SIZE(kinds))];
	while (!(l->way->kinds & 1u << kind) ||
	       (kind == DUR_COMPARE_AND_WRITE && !l->may_compare));
	return kind;
}

/* WRITE SAME and UNMAP have no such bit, neither have those messages that make zeroes of
 * CDBs. */
static bool
takes_fua(enum dur_kind kind)
{
	return kind == DUR_WRITE || kind == DUR_COMPARE_AND_WRITE;
}

static struct dur_request
draw_request(struct load *l)
{
	struct dur_request r = {.kind = draw_kind(l)};
	unsigned most = r.kind == DUR_COMPARE_AND_WRITE ? 2 : RUN_MAX;

	r.n_blocks = 1 + random_below(l, most);
	r.lba = l->first + random_below(l, (unsigned)(l->n_blocks - r.n_blocks + 1));
	r.fua = takes_fua(r.kind) && random_below(l, 4) == 0;
	r.immediate = random_below(l, 2);
	r.differs = r.kind == DUR_COMPARE_AND_WRITE && random_below(l, 3) == 0;
	return r;
}

static void
one_request(struct load *l)
{
	const size_t length = l->oracle->block_length;
	CLEANUP(free_ptr) uint8_t *data = aligned_alloc(4096, 2 * RUN_MAX * 4096);
	struct dur_request drawn = draw_request(l), *r;
	uint8_t *fresh = data;

	assert_non_null(data);
	if (drawn.kind == DUR_COMPARE_AND_WRITE) {
		for (uint32_t i = 0; i < drawn.n_blocks; i++, fresh += length)
			oracle_current(l->oracle, drawn.lba + i, fresh);
		data[length - 1] ^= drawn.differs;
	}
	r = oracle_issue(l->oracle, &drawn);
	oracle_fill(l->oracle, r, fresh);
	if (!l->way->run(l->disk, r, data)) {
		l->n_wrong++;
		if (l->may_fail)
			return;
		if (l->n_wrong == 1)
			print_message("%s: request %u of kind %d failed\n", l->way->name,
				      r->number, (int)r->kind);
	}
	oracle_answer(l->oracle, r);
}

static void *
run_load(void *arg)
{
	struct load *l = arg;

	for (unsigned i = 0; i < l->n_requests; i++)
		one_request(l);
	return NULL;
}

/* Crashes everywhere from first on: how many sectors were not what they may be. */
static unsigned
count_lost(const struct dur_disk *d, const struct oracle *o, size_t first, uint64_t seed,
	   char *text, size_t cap)
{
	static const enum crashlog_luck lucks[] = {CRASHLOG_NOTHING, CRASHLOG_EVERYTHING,
						   CRASHLOG_HALF, CRASHLOG_HALF,
						   CRASHLOG_LITTLE};
	struct crash c;
	unsigned n_lost = 0;

	crash_begin(&c, dur_disk_fd(d), first, seed);
	do
		for (size_t i = 0; i < ARRAY_SIZE(lucks); i++) {
			crash_make(&c, lucks[i]);
			n_lost += oracle_judge(o, &c, n_lost ? NULL : text, cap);
		}
	while (crash_next(&c));
	crash_end(&c);
	return n_lost;
}

static void
run_threads(struct load *loads, unsigned n)
{
	pthread_t threads[N_THREADS];

	for (unsigned i = 1; i < n; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run_load, &loads[i]),
				 0);
	run_load(&loads[0]);
	for (unsigned i = 1; i < n; i++)
		pthread_join(threads[i], NULL);
}

static unsigned
run(const struct way *way, const struct dur_params *p, unsigned n_threads, uint64_t seed,
    char *text, size_t cap)
{
	struct load loads[N_THREADS];
	struct oracle oracle;
	struct dur_disk disk;

	dur_disk_open(&disk, p);
	oracle_init(&oracle, n_requests + N_THREADS, p->block_length, p->n_blocks);
	oracle.write_through = p->no_cache || p->cache_off;
	assert_int_equal(way->open(&disk), 0);
	size_t first = crashlog_now();
	for (unsigned i = 0; i < n_threads; i++)
		loads[i] = (struct load){.disk = &disk,
					 .way = way,
					 .oracle = &oracle,
					 .random = seed * 0x9E3779B97F4A7C15u + i,
					 .first = i * (p->n_blocks / n_threads),
					 .n_blocks = p->n_blocks / n_threads,
					 .n_requests = n_requests / n_threads,
					 /* What others write must not come between. */
					 .may_compare = n_threads == 1};
	run_threads(loads, n_threads);
	unsigned n_lost = count_lost(&disk, &oracle, first, seed, text, cap);
	for (unsigned i = 0; i < n_threads; i++)
		n_lost += loads[i].n_wrong;
	way->close(&disk);
	dur_disk_close(&disk);
	oracle_fini(&oracle);
	return n_lost;
}

/* ---------------------------------------------------------------- what must hold */

static void
expect_kept(const struct dur_params *p, unsigned n_threads)
{
	char text[256] = "";

	for (size_t w = 0; w < n_ways; w++)
		for (uint64_t seed = 1; seed <= n_seeds; seed++) {
			if ((n_threads > 1 && !ways[w].any_thread) ||
			    (p->cache_off && strcmp(ways[w].name, "SCSI engine") != 0))
				continue;
			unsigned n =
				run(&ways[w], p, n_threads, seed, text, sizeof(text));
			if (n)
				fail_msg("%s, seed %llu: %u sectors or answers were "
					 "wrong; %s",
					 ways[w].name, (unsigned long long)seed, n, text);
		}
}

static void
what_was_promised_survives(void **state)
{
	expect_kept(&(struct dur_params){.block_length = 512, .n_blocks = N_BLOCKS}, 1);
}

static void
also_blocks_of_many_sectors(void **state)
{
	expect_kept(&(struct dur_params){.block_length = 4096, .n_blocks = N_BLOCKS}, 1);
}

static void
also_from_many_threads(void **state)
{
	expect_kept(&(struct dur_params){.block_length = 512, .n_blocks = N_BLOCKS},
		    N_THREADS);
}

/* Who is told that there is no volatile cache never flushes. */
static void
without_a_cache_every_answer_is_a_promise(void **state)
{
	expect_kept(&(struct dur_params){.block_length = 512,
					 .n_blocks = N_BLOCKS,
					 .no_cache = true},
		    1);
}

/* By MODE SELECT */
static void
nor_does_it_matter_who_switched_the_cache_off(void **state)
{
	expect_kept(&(struct dur_params){.block_length = 512,
					 .n_blocks = N_BLOCKS,
					 .cache_off = true},
		    1);
}

/* ---------------------------------------------------------------- what must be noticed
 */

static void
a_disk_that_breaks_its_word_is_caught(void **state)
{
	char text[256] = "";

	for (size_t w = 0; w < n_ways; w++)
		for (int fault = FAULT_NONE + 1; fault < FAULT_FORGETS_LOSS; fault++) {
			struct dur_params p = {.block_length = 512,
					       .n_blocks = N_BLOCKS,
					       .fault = (enum fault)fault};

			if (run(&ways[w], &p, 1, 7, text, sizeof(text)) == 0)
				fail_msg("%s: nobody noticed a disk that %s",
					 ways[w].name, fault_names[fault]);
		}
}

/* ---------------------------------------------------------------- calls that fail */

/* The nth call of that kind fails. What was answered good is there all the same. */
static unsigned
run_with_failure(const struct way *way, enum fault fault, enum crashlog_call call,
		 unsigned nth, unsigned *ret_n_failed, char *text, size_t cap)
{
	const struct dur_params p = {
		.block_length = 512, .n_blocks = N_BLOCKS, .fault = fault};
	struct oracle oracle;
	struct dur_disk disk;

	dur_disk_open(&disk, &p);
	oracle_init(&oracle, N_REQUESTS, p.block_length, p.n_blocks);
	assert_int_equal(way->open(&disk), 0);
	size_t first = crashlog_now();
	crashlog_fail(call, nth);
	/* Who cannot know what a block holds cannot compare. */
	struct load load = {.disk = &disk,
			    .way = way,
			    .oracle = &oracle,
			    .may_fail = true,
			    .random = nth * 0x9E3779B97F4A7C15u + call,
			    .n_blocks = N_BLOCKS,
			    .n_requests = 120};
	run_load(&load);
	unsigned n_lost = count_lost(&disk, &oracle, first, nth, text, cap);
	*ret_n_failed = load.n_wrong;
	way->close(&disk);
	dur_disk_close(&disk);
	oracle_fini(&oracle);
	return n_lost;
}

static void
what_fails_is_not_promised(void **state)
{
	static const unsigned nths[] = {1, 2, 4, 7};
	unsigned n_failed;
	char text[256] = "";

	for (size_t w = 0; w < n_ways; w++)
		for (int call = 0; call < CRASHLOG_N_CALLS; call++)
			for (size_t i = 0; i < ARRAY_SIZE(nths); i++) {
				unsigned n = run_with_failure(
					&ways[w], FAULT_NONE, (enum crashlog_call)call,
					nths[i], &n_failed, text, sizeof(text));
				if (n)
					fail_msg("%s, call %d, %u: %u sectors were lost; "
						 "%s",
						 ways[w].name, call, nths[i], n, text);
				assert_int_not_equal(n_failed, 0);
			}
}

/* The system is, so the disk must not be. */
static void
a_disk_that_forgets_is_caught(void **state)
{
	unsigned n_failed;

	for (size_t w = 0; w < n_ways; w++) {
		unsigned n_lost = 0;

		/* One that fails when there is nothing to be brought to the medium loses
		 * nothing. */
		for (unsigned nth = 1; nth <= 8; nth++)
			n_lost += run_with_failure(&ways[w], FAULT_FORGETS_LOSS,
						   CRASHLOG_FDATASYNC, nth, &n_failed,
						   NULL, 0);
		assert_int_not_equal(n_lost, 0);
	}
}

/* With arguments: N_REQUESTS N_SEEDS. */
int
main(int argc, char **argv)
{
	/* Failures that are asked for need no line each. */
	log_set_level(LOG_LEVEL_ERROR);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_promised_survives),
		cmocka_unit_test(also_blocks_of_many_sectors),
		cmocka_unit_test(also_from_many_threads),
		cmocka_unit_test(without_a_cache_every_answer_is_a_promise),
		cmocka_unit_test(nor_does_it_matter_who_switched_the_cache_off),
		cmocka_unit_test(a_disk_that_breaks_its_word_is_caught),
		cmocka_unit_test(what_fails_is_not_promised),
		cmocka_unit_test(a_disk_that_forgets_is_caught),
	};

	if (argc > 2) {
		n_requests = (unsigned)atoi(argv[1]);
		n_seeds = (unsigned)atoi(argv[2]);
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
