/*
 * Breaks when a journal on a disk, as file systems keep one, is of no use after a crash: its
 * transactions go to a journal, a flush, a commit record with force-unit-access, and only then
 * to their places. After a crash at any moment the record names a transaction that is whole, and
 * none that was committed is missing.
 *
 *	block 0       the commit record
 *	1..5, 6..10   two journals, for odd and even transactions: what it is, and its blocks
 *	16..39        the places
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/endian.h"
#include "tests/durability/disk.h"

enum {
	BLOCK = 512,
	N_BLOCKS = 40,
	PLACES = 16,
	N_PLACES = 24,
	PART = 4,
	JOURNAL = 1 + PART
};
enum { N_TRANSACTIONS = 40 };

struct journal {
	struct dur_disk disk;
	const struct way *way;
	uint64_t random;
	unsigned n_wrong;
	/* Of each transaction: the places it writes, and when its record was issued and
	 * answered. */
	uint8_t places[N_TRANSACTIONS + 1][PART];
	size_t issued[N_TRANSACTIONS + 1], answered[N_TRANSACTIONS + 1];
};

static unsigned
random_below(struct journal *j, unsigned n)
{
	j->random ^= j->random << 13;
	j->random ^= j->random >> 7;
	j->random ^= j->random << 17;
	return (unsigned)(j->random >> 20) % n;
}

/* A block that says what it is; nothing of it is zero. */
static void
stamp(uint8_t *block, uint64_t what, uint64_t transaction)
{
	for (size_t at = 0; at < BLOCK; at += 16) {
		put_le64(block + at, transaction);
		put_le64(block + at + 8, what + (at << 32) + 1);
	}
}

static bool
is_stamped(const uint8_t *block, uint64_t what, uint64_t transaction)
{
	uint8_t want[BLOCK];

	stamp(want, what, transaction);
	return memcmp(block, want, BLOCK) == 0;
}

enum { WHAT_RECORD = 1000, WHAT_HEAD = 2000 };

/* ---------------------------------------------------------------- the writer */

static void
request(struct journal *j, struct dur_request r, uint8_t *data)
{
	if (!j->way->run(&j->disk, &r, data))
		j->n_wrong++;
}

static void
flush(struct journal *j)
{
	request(j,
		(struct dur_request){.kind = DUR_FLUSH, .immediate = random_below(j, 2)},
		NULL);
}

static uint64_t
journal_lba(unsigned t)
{
	return 1 + t % 2 * JOURNAL;
}

static void
write_journal(struct journal *j, unsigned t, uint8_t *data)
{
	for (unsigned i = 0; i < PART; i++)
		stamp(data + i * BLOCK, j->places[t][i], t);
	request(j,
		(struct dur_request){
			.kind = DUR_WRITE, .lba = journal_lba(t) + 1, .n_blocks = PART},
		data);
	stamp(data, WHAT_HEAD, t);
	request(j,
		(struct dur_request){
			.kind = DUR_WRITE, .lba = journal_lba(t), .n_blocks = 1},
		data);
}

/* Clusters commit by compare and write. */
static void
write_record(struct journal *j, unsigned t, uint8_t *data)
{
	bool compares = t > 1 && t % 2 && (j->way->kinds & 1u << DUR_COMPARE_AND_WRITE);

	if (compares)
		stamp(data, WHAT_RECORD, t - 1);
	stamp(data + compares * BLOCK, WHAT_RECORD, t);
	j->issued[t] = crashlog_now();
	request(j,
		(struct dur_request){.kind = compares ? DUR_COMPARE_AND_WRITE : DUR_WRITE,
				     .n_blocks = 1,
				     .fua = true},
		data);
	j->answered[t] = crashlog_now();
}

static void
write_places(struct journal *j, unsigned t, uint8_t *data)
{
	for (unsigned i = 0; i < PART; i++) {
		stamp(data, j->places[t][i], t);
		request(j,
			(struct dur_request){.kind = DUR_WRITE,
					     .n_blocks = 1,
					     .lba = PLACES + j->places[t][i]},
			data);
	}
}

static void
transaction(struct journal *j, unsigned t, uint8_t *data)
{
	/* Each in a quarter of its own, so that none comes twice. */
	for (unsigned i = 0; i < PART; i++)
		j->places[t][i] = (uint8_t)(i * (N_PLACES / PART) +
					    random_below(j, N_PLACES / PART));
	flush(j);
	write_journal(j, t, data);
	flush(j);
	write_record(j, t, data);
	/* The other journal is of no use any more. */
	if (t % 3 == 0)
		request(j,
			(struct dur_request){.kind = DUR_UNMAP,
					     .lba = journal_lba(t + 1),
					     .n_blocks = JOURNAL},
			NULL);
	write_places(j, t, data);
}

/* ---------------------------------------------------------------- after the crash */

/* The transaction that wrote a place last, up to that one; 0: none did. */
static unsigned
last_of(const struct journal *j, unsigned place, unsigned t)
{
	while (t > 0 && memchr(j->places[t], (int)place, PART) == NULL)
		t--;
	return t;
}

static bool
replay(const struct journal *j, unsigned t, uint8_t *image)
{
	const uint8_t *head = image + journal_lba(t) * BLOCK;

	if (!is_stamped(head, WHAT_HEAD, t))
		return false;
	for (unsigned i = 0; i < PART; i++)
		memcpy(image + (PLACES + j->places[t][i]) * BLOCK, head + (1 + i) * BLOCK,
		       BLOCK);
	return true;
}

static bool
is_sound(const struct journal *j, const struct crash *c)
{
	static const uint8_t zeroes[BLOCK];
	unsigned t = (unsigned)get_le64(c->image);

	if (t > N_TRANSACTIONS || (t && !is_stamped(c->image, WHAT_RECORD, t)) ||
	    (t && j->issued[t] > c->moment))
		return false;
	if (t < N_TRANSACTIONS && j->answered[t + 1] <= c->moment)
		return false;
	if (t && !replay(j, t, c->image))
		return false;
	for (unsigned place = 0; place < N_PLACES; place++) {
		const uint8_t *block = c->image + (PLACES + place) * BLOCK;
		unsigned last = last_of(j, place, t);

		if (last ? !is_stamped(block, place, last)
			 : t && memcmp(block, zeroes, BLOCK) != 0)
			return false;
	}
	return true;
}

static unsigned
count_unsound(const struct journal *j, size_t first, uint64_t seed)
{
	static const enum crashlog_luck lucks[] = {
		CRASHLOG_NOTHING, CRASHLOG_EVERYTHING, CRASHLOG_HALF,  CRASHLOG_HALF,
		CRASHLOG_HALF,	  CRASHLOG_LITTLE,     CRASHLOG_LITTLE};
	struct crash c;
	unsigned n = 0;

	crash_begin(&c, dur_disk_fd(&j->disk), first, seed);
	do
		for (size_t i = 0; i < ARRAY_SIZE(lucks); i++) {
			crash_make(&c, lucks[i]);
			n += !is_sound(j, &c);
		}
	while (crash_next(&c));
	crash_end(&c);
	return n;
}

static unsigned
run(const struct way *way, enum fault fault, bool no_cache, uint64_t seed)
{
	const struct dur_params p = {.fault = fault,
				     .block_length = BLOCK,
				     .n_blocks = N_BLOCKS,
				     .no_cache = no_cache};
	struct journal j = {.way = way, .random = seed * 0x9E3779B97F4A7C15u};
	CLEANUP(free_ptr) uint8_t *data = aligned_alloc(4096, 4096);

	assert_non_null(data);
	dur_disk_open(&j.disk, &p);
	assert_int_equal(way->open(&j.disk), 0);
	size_t first = crashlog_now();
	for (unsigned t = 1; t <= N_TRANSACTIONS; t++)
		transaction(&j, t, data);
	unsigned n = count_unsound(&j, first, seed) + j.n_wrong;
	way->close(&j.disk);
	dur_disk_close(&j.disk);
	return n;
}

static void
committed_transactions_survive(void **state)
{
	(void)state;
	for (size_t w = 0; w < n_ways; w++)
		for (uint64_t seed = 1; seed <= 6; seed++) {
			assert_int_equal(run(&ways[w], FAULT_NONE, false, seed), 0);
			assert_int_equal(run(&ways[w], FAULT_NONE, true, seed), 0);
		}
}

static void
a_disk_that_breaks_its_word_is_caught(void **state)
{
	static const enum fault faults[] = {FAULT_NO_SYNC, FAULT_IGNORES_FUA,
					    FAULT_ANSWERS_EARLY, FAULT_WRONG_FILE,
					    FAULT_SYNC_FIRST};

	(void)state;
	for (size_t w = 0; w < n_ways; w++)
		for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
			if (run(&ways[w], faults[i], false, 3) == 0)
				fail_msg("%s: nobody noticed: %s", ways[w].name,
					 fault_names[faults[i]]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(committed_transactions_survive),
		cmocka_unit_test(a_disk_that_breaks_its_word_is_caught),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
