/*
 * Breaks when rawdisk answers a flush, or a write with force-unit-access, before the data would
 * survive a crash. Every moment of a run of requests is tried, with many selections of what the system
 * may have brought to the medium by itself; and once more with a system that lies about syncs, which
 * has to be noticed, or this test could not fail.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/endian.h"
#include "examples/rawdisk/rawdisk.h"
#include "tests/fault/disk-recorder.h"

enum { BLOCK = 512, N_BLOCKS = 48, N_REQUESTS = 300, N_CRASHES = 6, RUN_MAX = 5 };

/* What hosts know of a moment: n_entries of the recorder when a request was answered. */
struct answer {
	size_t n_entries;
	UINT64 lba;
	UINT32 n_blocks;
	uint64_t stamp; /* what the blocks hold from then on, with their number; 0: zeroes */
	bool is_flush;  /* promises everything before it */
	bool is_stable; /* promises its own blocks */
};
static struct answer answers[N_REQUESTS];
static char folder[] = "/tmp/userdrive-crash.XXXXXX";
static char path[64];
static uint64_t random_state;

static unsigned
random_below(unsigned n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)(random_state % n);
}

static bool
keep_half(void *ctx)
{
	(void)ctx;
	return random_below(2);
}

static void
fill(uint8_t *blocks, UINT64 lba, UINT32 n, uint64_t stamp)
{
	for (UINT32 i = 0; i < n; i++)
		for (size_t at = 0; at < BLOCK; at += 8)
			put_le64(blocks + i * BLOCK + at, stamp ? stamp * N_BLOCKS + lba + i : 0);
}

static void
one_request(SPD_STORAGE_UNIT *unit, unsigned i)
{
	struct answer *a = &answers[i];
	SPD_STORAGE_UNIT_STATUS status = {0};
	uint8_t blocks[RUN_MAX * BLOCK];

	*a = (struct answer){.lba = random_below(N_BLOCKS - RUN_MAX),
			     .n_blocks = 1 + random_below(RUN_MAX)};
	switch (random_below(10)) {
	case 0:
	case 1:
		a->is_flush = true;
		unit->Interface->Flush(unit, 0, 0, &status);
		break;
	case 2: {
		SPD_UNMAP_DESCRIPTOR range = {.BlockAddress = a->lba, .BlockCount = a->n_blocks};

		unit->Interface->Unmap(unit, &range, 1, &status);
		break;
	}
	case 3:
		a->is_stable = random_below(2);
		SpdxInterfaceGetWriteZeroes(unit->Interface)(unit, a->lba, a->n_blocks, TRUE,
							      a->is_stable, &status);
		break;
	default:
		a->stamp = i + 1;
		a->is_stable = random_below(4) == 0;
		fill(blocks, a->lba, a->n_blocks, a->stamp);
		unit->Interface->Write(unit, blocks, a->lba, a->n_blocks, a->is_stable, &status);
	}
	assert_int_equal(status.ScsiStatus, 0);
	a->n_entries = recorder_n_entries();
}

/* A block's value as a stamp; UINT64_MAX: none that anybody wrote. */
static uint64_t
stamp_of(const uint8_t *block, unsigned lba)
{
	uint64_t first = get_le64(block);

	for (size_t at = 8; at < BLOCK; at += 8)
		if (get_le64(block + at) != first)
			return UINT64_MAX;
	if (first == 0)
		return 0;
	return first % N_BLOCKS == lba ? first / N_BLOCKS : UINT64_MAX;
}

static bool
concerns(const struct answer *a, unsigned lba)
{
	return !a->is_flush && lba >= a->lba && lba < a->lba + a->n_blocks;
}

/* The last answer before the crash that promised this block's contents; -1: none. */
static int
last_promise(size_t n_entries, unsigned lba)
{
	int last = -1, promised = -1;

	for (int i = 0; i < N_REQUESTS && answers[i].n_entries <= n_entries; i++) {
		if (concerns(&answers[i], lba)) {
			last = i;
			if (answers[i].is_stable)
				promised = i;
		}
		if (answers[i].is_flush)
			promised = last;
	}
	return promised;
}

/* May the block hold this? What was promised, or anything that was begun after that. */
static bool
is_allowed(size_t n_entries, unsigned lba, uint64_t stamp)
{
	int promised = last_promise(n_entries, lba);

	if (stamp == (promised < 0 ? 0 : answers[promised].stamp))
		return true;
	for (int i = promised + 1; i < N_REQUESTS; i++) {
		if (concerns(&answers[i], lba) && answers[i].stamp == stamp)
			return true;
		if (answers[i].n_entries >= n_entries)
			break;
	}
	return false;
}

/* Crashes everywhere; the number of blocks that were lost. */
static unsigned
count_lost(size_t first_entry)
{
	uint8_t image[N_BLOCKS * BLOCK];
	unsigned n_lost = 0;

	for (size_t n = first_entry; n <= recorder_n_entries(); n++)
		for (unsigned attempt = 0; attempt < N_CRASHES; attempt++) {
			recorder_crash(n, BLOCK, keep_half, NULL, image, sizeof(image));
			for (unsigned lba = 0; lba < N_BLOCKS; lba++)
				if (!is_allowed(n, lba, stamp_of(image + lba * BLOCK, lba)))
					n_lost++;
		}
	return n_lost;
}

static unsigned
run(uint64_t seed, bool lies)
{
	struct rd rd = {.may_unmap = true};
	struct rd_params p = {.image = path, .size = N_BLOCKS * BLOCK, .ops = &recorder_ops,
			      .partition = RD_PARTITION_NONE};
	SPD_STORAGE_UNIT_INTERFACE interface;
	SPD_STORAGE_UNIT unit = {.UserContext = &rd, .Interface = &interface};
	char error[256] = "";

	random_state = seed;
	rd_interface_fill(&interface);
	recorder_reset(N_BLOCKS * BLOCK);
	assert_int_equal(rd_image_open(&rd, &p, error, sizeof(error)), 0);
	size_t first = recorder_n_entries();
	if (lies)
		recorder_lie();
	for (unsigned i = 0; i < N_REQUESTS; i++)
		one_request(&unit, i);
	unsigned n_lost = count_lost(first);
	rd_image_close(&rd, false);
	recorder_fini();
	return n_lost;
}

static void
what_was_promised_survives(void **state)
{
	for (uint64_t seed = 1; seed <= 8; seed++)
		assert_int_equal(run(seed * 0x9E3779B97F4A7C15u, false), 0);
}

static void
a_lie_is_noticed(void **state)
{
	assert_int_not_equal(run(0x9E3779B97F4A7C15u, true), 0);
}

static int
set_up(void **state)
{
	if (!mkdtemp(folder))
		return -1;
	/* The recorder has the contents; the path only has to be there. */
	snprintf(path, sizeof(path), "%s/image", folder);
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	return fd < 0 ? -1 : close(fd);
}

static int
tear_down(void **state)
{
	unlink(path);
	return rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_promised_survives),
		cmocka_unit_test(a_lie_is_noticed),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
