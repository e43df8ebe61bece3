/* Breaks when a test block cannot be told from a damaged one, or the journal of a run
 * says otherwise. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "tools/stgtest/block.h"
#include "tools/stgtest/journal.h"

static const struct block_label label = {1, 2, 3, 4};

/* Any bit of any byte counts. */
static void
damage(void **state UNUSED)
{
	uint8_t block[512];
	struct block_label got;

	block_fill(block, sizeof(block), &label);
	assert_true(block_read(block, sizeof(block), &got));
	assert_memory_equal(&got, &label, sizeof(label));
	for (size_t i = 0; i < sizeof(block) * 8; i++) {
		block[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_false(block_read(block, sizeof(block), &got));
		block[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	assert_false(block_read(block, 504, &got));
}

/* Words that change places too. */
static void
swapped_words(void **state UNUSED)
{
	uint8_t block[512], word[8];
	struct block_label got;

	block_fill(block, sizeof(block), &label);
	memcpy(word, block + 64, 8);
	memcpy(block + 64, block + 72, 8);
	memcpy(block + 72, word, 8);
	assert_false(block_read(block, sizeof(block), &got));
}

static void
differs(void **state UNUSED)
{
	const struct block_label others[] = {
		{9, 2, 3, 4}, {1, 9, 3, 4}, {1, 2, 9, 4}, {1, 2, 3, 9}};
	uint8_t a[BLOCK_LENGTH_MIN], b[BLOCK_LENGTH_MIN];

	block_fill(a, sizeof(a), &label);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		block_fill(b, sizeof(b), &others[i]);
		assert_memory_not_equal(a + 40, b + 40, 16);
	}
}

static void
mixes(void **state UNUSED)
{
	const struct block_label old = {1, 2, 2, 4};
	uint8_t a[512], b[512], mixed[512];
	size_t first;

	block_fill(a, sizeof(a), &old);
	block_fill(b, sizeof(b), &label);
	assert_false(block_is_mix(a, a, b, sizeof(a), &first));
	assert_false(block_is_mix(b, a, b, sizeof(a), &first));
	memcpy(mixed, b, 128);
	memcpy(mixed + 128, a + 128, 384);
	assert_true(block_is_mix(mixed, a, b, sizeof(a), &first));
	assert_int_equal(first, 128);
	mixed[300] ^= 1;
	assert_false(block_is_mix(mixed, a, b, sizeof(a), &first));
}

static void
zeroes(void **state UNUSED)
{
	uint8_t block[64] = {0};

	assert_true(block_is_zero(block, sizeof(block)));
	block[63] = 1;
	assert_false(block_is_zero(block, sizeof(block)));
}

struct place {
	char dir[64], path[96];
};

static int
setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	snprintf(p->dir, sizeof(p->dir), "/tmp/userdrive-disk-block.XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->path, sizeof(p->path), "%s/state", p->dir);
	*state = p;
	return 0;
}

static int
teardown(void **state)
{
	struct place *p = *state;

	unlink(p->path);
	rmdir(p->dir);
	free(p);
	return 0;
}

static const struct journal_header header = {.device = 5,
					     .run = 6,
					     .n_blocks = 100,
					     .first = 10,
					     .n_range = 20,
					     .seed = 7,
					     .block_length = 512,
					     .target = "x"};

static void
write_two(const char *path)
{
	struct journal *j;

	assert_int_equal(journal_create(path, &header, &j), 0);
	assert_int_equal(journal_add(j, &(struct journal_record){.type = JOURNAL_ISSUE,
								 .kind = 2,
								 .fua = true,
								 .n_blocks = 3,
								 .lba = 12,
								 .id = 1}),
			 0);
	assert_int_equal(
		journal_add(j, &(struct journal_record){.type = JOURNAL_ACK, .id = 1}),
		0);
	assert_int_equal(journal_close(j), 0);
}

static void
journal(void **state)
{
	struct place *p = *state;
	struct journal_header h;
	struct journal_record r;
	struct journal *j;

	write_two(p->path);
	assert_int_equal(journal_open(p->path, &h, &j), 0);
	assert_int_equal(h.run, 6);
	assert_int_equal(h.n_range, 20);
	assert_string_equal(h.target, "x");
	assert_int_equal(journal_next(j, &r), 1);
	assert_int_equal(r.lba, 12);
	assert_true(r.fua);
	assert_int_equal(journal_next(j, &r), 1);
	assert_int_equal(r.type, JOURNAL_ACK);
	assert_int_equal(journal_next(j, &r), 0);
	journal_close(j);
}

/* A record that is cut off or damaged is the end. */
static void
journal_damaged(void **state)
{
	struct place *p = *state;
	struct journal_header h;
	struct journal_record r;
	struct journal *j;
	FILE *file;

	write_two(p->path);
	assert_int_equal(truncate(p->path, 512 + 32 + 31), 0);
	assert_int_equal(journal_open(p->path, &h, &j), 0);
	assert_int_equal(journal_next(j, &r), 1);
	assert_int_equal(journal_next(j, &r), 0);
	journal_close(j);
	file = fopen(p->path, "r+");
	fseek(file, 512 + 8, SEEK_SET);
	fputc(0xff, file);
	fclose(file);
	assert_int_equal(journal_open(p->path, &h, &j), 0);
	assert_int_equal(journal_next(j, &r), 0);
	journal_close(j);
	file = fopen(p->path, "r+");
	fseek(file, 40, SEEK_SET);
	fputc(0xff, file);
	fclose(file);
	assert_int_equal(journal_open(p->path, &h, &j), -EINVAL);
	assert_int_equal(truncate(p->path, 0), 0);
	assert_int_equal(journal_open(p->path, &h, &j), -EINVAL);
	unlink(p->path);
	assert_int_equal(journal_open(p->path, &h, &j), -ENOENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(damage),
		cmocka_unit_test(swapped_words),
		cmocka_unit_test(differs),
		cmocka_unit_test(mixes),
		cmocka_unit_test(zeroes),
		cmocka_unit_test_setup_teardown(journal, setup, teardown),
		cmocka_unit_test_setup_teardown(journal_damaged, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
