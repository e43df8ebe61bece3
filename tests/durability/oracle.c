#include "tests/durability/oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/endian.h"
#include "base/mutex.h"

void
oracle_init(struct oracle *o, uint32_t cap, uint32_t block_length, uint64_t n_blocks)
{
	*o = (struct oracle){.cap = cap,
			     .block_length = block_length,
			     .n_blocks = n_blocks,
			     .requests = calloc(cap, sizeof(*o->requests)),
			     .lock = malloc(sizeof(*o->lock))};
	if (!o->requests || !o->lock)
		abort();
	mutex_init(o->lock);
}

void
oracle_fini(struct oracle *o)
{
	mutex_fini(o->lock);
	free(o->lock);
	free(o->requests);
}

struct dur_request *
oracle_issue(struct oracle *o, const struct dur_request *r)
{
	mutex_lock(o->lock);
	if (o->n_requests == o->cap)
		abort();
	struct dur_request *own = &o->requests[o->n_requests++];
	*own = *r;
	own->number = o->n_requests;
	own->answered = SIZE_MAX;
	own->issued = crashlog_now();
	mutex_unlock(o->lock);
	return own;
}

void
oracle_answer(struct oracle *o, struct dur_request *r)
{
	mutex_lock(o->lock);
	r->answered = crashlog_now();
	mutex_unlock(o->lock);
}

static uint64_t
mix(uint64_t x)
{
	x = (x ^ x >> 31) * UINT64_C(0x7fb5d329728ea185);
	return x ^ x >> 27;
}

static bool
leaves_zeroes(const struct dur_request *r)
{
	return r->kind == DUR_ZEROES || r->kind == DUR_UNMAP;
}

/* The number, then a stream that number, block and sector determine; of WRITE SAME, not
 * the block. */
void
oracle_contents(const struct dur_request *r, uint64_t lba, uint32_t sector, uint8_t *dst)
{
	uint64_t x = (uint64_t)r->number << 40 ^
		     (r->kind == DUR_WRITE_SAME ? 0 : lba << 8) ^ sector;

	memset(dst, 0, CRASHLOG_SECTOR);
	if (leaves_zeroes(r))
		return;
	put_le64(dst, r->number);
	for (size_t at = 8; at < CRASHLOG_SECTOR; at += 8)
		put_le64(dst + at, mix(x + (at << 32)));
}

void
oracle_fill(const struct oracle *o, const struct dur_request *r, uint8_t *dst)
{
	uint32_t n = r->kind == DUR_WRITE_SAME ? 1 : r->n_blocks;
	uint32_t n_sectors = o->block_length / CRASHLOG_SECTOR;

	for (uint32_t i = 0; i < n; i++)
		for (uint32_t s = 0; s < n_sectors; s++)
			oracle_contents(r, r->lba + i, s,
					dst + i * o->block_length + s * CRASHLOG_SECTOR);
}

static bool
changes(const struct dur_request *r, uint64_t lba)
{
	return r->kind != DUR_FLUSH && !r->differs && lba >= r->lba &&
	       lba - r->lba < r->n_blocks;
}

void
oracle_current(const struct oracle *o, uint64_t lba, uint8_t *dst)
{
	const struct dur_request *last = NULL;

	for (uint32_t i = 0; i < o->n_requests; i++)
		if (changes(&o->requests[i], lba))
			last = &o->requests[i];
	memset(dst, 0, o->block_length);
	for (uint32_t s = 0; last && s < o->block_length / CRASHLOG_SECTOR; s++)
		oracle_contents(last, lba, s, dst + s * CRASHLOG_SECTOR);
}

/* ---------------------------------------------------------------- judgement */

/* Requests that were answered at or before that moment are kept by a flush that has been
 * answered. */
static size_t
flushed_until(const struct oracle *o, size_t moment)
{
	size_t until = 0;
	bool any = false;

	for (uint32_t i = 0; i < o->n_requests; i++) {
		const struct dur_request *r = &o->requests[i];

		if (r->kind == DUR_FLUSH && r->answered <= moment &&
		    (!any || r->issued > until)) {
			until = r->issued;
			any = true;
		}
	}
	return any ? until : SIZE_MAX;
}

/* flushed: SIZE_MAX: nothing has been. */
static bool
is_promised(const struct oracle *o, const struct dur_request *r, size_t moment,
	    size_t flushed)
{
	if (r->answered > moment)
		return false;
	return r->fua || o->write_through || r->kind == DUR_WRITE_AND_VERIFY ||
	       (flushed != SIZE_MAX && r->answered <= flushed);
}

/* Those that a block may hold, the promised one first (NULL: zeroes, as at first). */
struct candidates {
	const struct dur_request *all[512];
	unsigned n;
};

static void
collect(const struct oracle *o, uint64_t lba, size_t moment, size_t flushed,
	struct candidates *c)
{
	c->n = 1;
	c->all[0] = NULL;
	for (uint32_t i = 0; i < o->n_requests; i++) {
		const struct dur_request *r = &o->requests[i];

		if (!changes(r, lba) || r->issued > moment)
			continue;
		if (is_promised(o, r, moment, flushed))
			c->n = 0;
		if (c->n < ARRAY_SIZE(c->all))
			c->all[c->n++] = r;
	}
}

static bool
is_one_of(const struct candidates *c, uint64_t lba, uint32_t sector, const uint8_t *bytes)
{
	uint8_t want[CRASHLOG_SECTOR];
	uint64_t number = get_le64(bytes);

	for (unsigned i = 0; i < c->n; i++) {
		const struct dur_request *r = c->all[i];

		if (number != (!r || leaves_zeroes(r) ? 0 : r->number))
			continue;
		memset(want, 0, sizeof(want));
		if (r)
			oracle_contents(r, lba, sector, want);
		if (memcmp(bytes, want, sizeof(want)) == 0)
			return true;
	}
	return false;
}

static void
describe(const struct candidates *c, uint64_t lba, uint32_t sector, const uint8_t *bytes,
	 size_t moment, char *text, size_t cap)
{
	const struct dur_request *r = c->all[0];

	snprintf(text, cap,
		 "crash at event %zu: LBA %llu sector %u begins with %llu; promised is "
		 "request %u "
		 "(kind %d), and %u came after it",
		 moment, (unsigned long long)lba, sector,
		 (unsigned long long)get_le64(bytes), r ? r->number : 0,
		 r ? (int)r->kind : -1, c->n - 1);
}

unsigned
oracle_judge(const struct oracle *o, const struct crash *crash, char *text, size_t cap)
{
	size_t flushed = flushed_until(o, crash->moment);
	unsigned n_bad = 0;

	for (uint64_t lba = 0; lba < o->n_blocks; lba++) {
		struct candidates c;

		collect(o, lba, crash->moment, flushed, &c);
		for (uint32_t s = 0; s < o->block_length / CRASHLOG_SECTOR; s++) {
			const uint8_t *bytes = crash->image + lba * o->block_length +
					       s * CRASHLOG_SECTOR;

			if (is_one_of(&c, lba, s, bytes))
				continue;
			if (n_bad++ == 0 && text)
				describe(&c, lba, s, bytes, crash->moment, text, cap);
		}
	}
	return n_bad;
}
