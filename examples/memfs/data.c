#include "examples/memfs/data.h"

#include <stdlib.h>
#include <string.h>

/*
 * A radix tree of 64 KiB chunks, 512 children per node. Chunk 0 of a file that has no other chunk
 * is smaller than 64 KiB (a power of two from 64 bytes), so that a million small files do not take
 * 64 GiB; it is brought to full size before a second chunk appears.
 */
enum { FANOUT_BITS = 9, FANOUT = 1 << FANOUT_BITS, SMALL_MIN = 64 };

/* Behind the last byte of any file (sizes are below 2^63). */
#define DATA_END ((uint64_t)1 << 63)

struct radix {
	void *child[FANOUT];
};

/* pages: bit N is set when page N was written or reserved; others read zeros and are holes. */
struct chunk {
	uint32_t pages;
	_Alignas(16) uint8_t bytes[];
};

static uint32_t
page_mask(size_t at, size_t n)
{
	uint32_t first = (uint32_t)(at / DATA_PAGE), last = (uint32_t)((at + n - 1) / DATA_PAGE);

	return (uint32_t)(((uint64_t)2 << last) - ((uint64_t)1 << first));
}

static void
set_pages(struct data *d, struct chunk *c, uint32_t mask)
{
	d->n_pages += (unsigned)__builtin_popcount(mask & ~c->pages);
	c->pages |= mask;
}

static void
clear_pages(struct data *d, struct chunk *c, uint32_t mask)
{
	d->n_pages -= (unsigned)__builtin_popcount(mask & c->pages);
	c->pages &= ~mask;
}

static bool
budget_take(struct data_budget *b, uint64_t bytes)
{
	uint64_t used = b->used;

	do {
		if (bytes > b->limit || used > b->limit - bytes)
			return false;
	} while (!__atomic_compare_exchange_n((uint64_t *)&b->used, &used, used + bytes, false,
					      __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return true;
}

static void
account(struct data *d, int64_t bytes)
{
	d->charged += (uint64_t)bytes;
	if (bytes < 0)
		__atomic_fetch_sub((uint64_t *)&d->budget->used, (uint64_t)-bytes,
				   __ATOMIC_RELAXED);
}

void
data_init(struct data *d, struct data_budget *budget)
{
	*d = (struct data){.budget = budget};
}

static uint64_t
span(unsigned height)
{
	unsigned bits = DATA_CHUNK_BITS + height * FANOUT_BITS;

	return bits >= 64 ? UINT64_MAX : (uint64_t)1 << bits;
}

static size_t
slot_of(uint64_t offset, unsigned height)
{
	return (size_t)(offset >> (DATA_CHUNK_BITS + (height - 1) * FANOUT_BITS)) & (FANOUT - 1);
}

static struct chunk *
find_chunk(const struct data *d, uint64_t offset)
{
	void *p = d->root;

	if (d->height < 6 && offset >= span(d->height))
		return NULL;
	for (unsigned h = d->height; p && h > 0; h--)
		p = ((struct radix *)p)->child[slot_of(offset, h)];
	return p;
}

/* Gives chunk 0 at least cap bytes, zeros behind the old ones. */
static bool
grow_small(struct data *d, size_t cap)
{
	size_t new_cap = d->small_cap ? d->small_cap : SMALL_MIN;

	while (new_cap < cap)
		new_cap *= 2;
	if (d->root && new_cap == d->small_cap)
		return true;
	if (!budget_take(d->budget, new_cap - d->small_cap))
		return false;
	bool is_new = !d->root;
	struct chunk *chunk = realloc(d->root, sizeof(*chunk) + new_cap);
	if (!chunk) {
		__atomic_fetch_sub((uint64_t *)&d->budget->used, new_cap - d->small_cap,
				   __ATOMIC_RELAXED);
		return false;
	}
	if (is_new)
		chunk->pages = 0;
	memset(chunk->bytes + d->small_cap, 0, new_cap - d->small_cap);
	account(d, (int64_t)(new_cap - d->small_cap));
	d->root = chunk;
	d->small_cap = new_cap;
	return true;
}

/* Adds levels until offset fits. Nodes are not charged: they are 1/128 of what they carry. */
static bool
grow_height(struct data *d, uint64_t offset)
{
	while (d->height < 6 && offset >= span(d->height)) {
		if (d->height == 0 && d->root && !grow_small(d, DATA_CHUNK))
			return false;
		if (d->root) {
			struct radix *node = calloc(1, sizeof(*node));
			if (!node)
				return false;
			node->child[0] = d->root;
			d->root = node;
		}
		d->height++;
	}
	return true;
}

/* The chunk that holds offset, made if absent; for a lone chunk 0, at least need bytes of it. */
static struct chunk *
make_chunk(struct data *d, uint64_t offset, size_t need)
{
	if (!grow_height(d, offset))
		return NULL;
	if (d->height == 0)
		return grow_small(d, need) ? d->root : NULL;
	void **pp = &d->root;
	for (unsigned h = d->height; h > 0; h--) {
		if (!*pp && !(*pp = calloc(1, sizeof(struct radix))))
			return NULL;
		pp = &((struct radix *)*pp)->child[slot_of(offset, h)];
	}
	if (!*pp) {
		if (!budget_take(d->budget, DATA_CHUNK))
			return NULL;
		*pp = calloc(1, sizeof(struct chunk) + DATA_CHUNK);
		if (!*pp) {
			__atomic_fetch_sub((uint64_t *)&d->budget->used, DATA_CHUNK,
					   __ATOMIC_RELAXED);
			return NULL;
		}
		account(d, DATA_CHUNK);
	}
	return *pp;
}

static size_t
chunk_cap(const struct data *d)
{
	return d->height == 0 ? d->small_cap : DATA_CHUNK;
}

void
data_read(const struct data *d, void *dst, uint64_t offset, size_t length)
{
	uint8_t *out = dst;

	while (length > 0) {
		size_t at = (size_t)(offset & (DATA_CHUNK - 1));
		size_t n = DATA_CHUNK - at < length ? DATA_CHUNK - at : length;
		const struct chunk *chunk = find_chunk(d, offset);
		size_t have = chunk && at < chunk_cap(d) ? chunk_cap(d) - at : 0;

		if (have > n)
			have = n;
		if (have)
			memcpy(out, chunk->bytes + at, have);
		memset(out + have, 0, n - have);
		out += n;
		offset += n;
		length -= n;
	}
}

bool
data_write(struct data *d, const void *src, uint64_t offset, size_t length)
{
	const uint8_t *in = src;

	while (length > 0) {
		size_t at = (size_t)(offset & (DATA_CHUNK - 1));
		size_t n = DATA_CHUNK - at < length ? DATA_CHUNK - at : length;
		struct chunk *chunk = make_chunk(d, offset, at + n);

		if (!chunk)
			return false;
		memcpy(chunk->bytes + at, in, n);
		set_pages(d, chunk, page_mask(at, n));
		in += n;
		offset += n;
		length -= n;
		if (offset > d->size)
			d->size = offset;
	}
	return true;
}

/* Frees chunks of the subtree that lie wholly in [from, to); base is the subtree's first byte. */
static void
free_range(struct data *d, void **pp, unsigned height, uint64_t base, uint64_t from, uint64_t to)
{
	if (!*pp)
		return;
	if (height == 0) {
		size_t bytes = d->height == 0 ? d->small_cap : DATA_CHUNK;

		if (base < from || base + DATA_CHUNK > to)
			return;
		clear_pages(d, *pp, UINT32_MAX);
		free(*pp);
		*pp = NULL;
		account(d, -(int64_t)bytes);
		if (d->height == 0)
			d->small_cap = 0;
		return;
	}
	struct radix *node = *pp;
	uint64_t step = span(height - 1);
	bool empty = true;
	for (size_t i = 0; i < FANOUT; i++) {
		uint64_t start = base + i * step;

		if (node->child[i] && start < to && start + step > from)
			free_range(d, &node->child[i], height - 1, start, from, to);
		if (node->child[i])
			empty = false;
	}
	if (empty) {
		free(node);
		*pp = NULL;
	}
}

/* Zeros the part of one chunk that lies in [from, to). */
static void
zero_in_chunk(struct data *d, uint64_t from, uint64_t to)
{
	struct chunk *chunk = find_chunk(d, from);
	size_t at = (size_t)(from & (DATA_CHUNK - 1));
	size_t first = (at + DATA_PAGE - 1) & ~(size_t)(DATA_PAGE - 1);
	size_t last = (at + (size_t)(to - from)) & ~(size_t)(DATA_PAGE - 1);

	if (!chunk)
		return;
	if (first < last) /* whole pages become holes */
		clear_pages(d, chunk, page_mask(first, last - first));
	if (at >= chunk_cap(d))
		return;
	size_t n = (size_t)(to - from);
	if (n > chunk_cap(d) - at)
		n = chunk_cap(d) - at;
	memset(chunk->bytes + at, 0, n);
}

void
data_punch(struct data *d, uint64_t offset, uint64_t length)
{
	uint64_t end = length > DATA_END - offset ? DATA_END : offset + length;
	uint64_t first = (offset + DATA_CHUNK - 1) & ~(uint64_t)(DATA_CHUNK - 1);
	uint64_t last = end & ~(uint64_t)(DATA_CHUNK - 1);

	if (offset >= end)
		return;
	if (first > last) { /* inside one chunk */
		zero_in_chunk(d, offset, end);
		return;
	}
	if (offset < first)
		zero_in_chunk(d, offset, first);
	if (first < last)
		free_range(d, &d->root, d->height, 0, first, last);
	if (last < end)
		zero_in_chunk(d, last, end);
	if (!d->root) {
		d->height = 0;
		d->small_cap = 0;
	}
}

void
data_set_size(struct data *d, uint64_t size)
{
	if (size < d->size)
		data_punch(d, size, DATA_END - size);
	d->size = size;
}

bool
data_reserve(struct data *d, uint64_t offset, uint64_t length)
{
	uint64_t end = offset + length;

	while (offset < end) {
		uint64_t next = (offset | (DATA_CHUNK - 1)) + 1;
		size_t at = (size_t)(offset & (DATA_CHUNK - 1));
		size_t n = (size_t)((next < end ? next : end) - offset);
		struct chunk *chunk = make_chunk(d, offset, at + n);

		if (!chunk)
			return false;
		set_pages(d, chunk, page_mask(at, n));
		offset = next;
	}
	return true;
}

/* Start of the first chunk at or after offset inside the subtree, or UINT64_MAX. */
static uint64_t
next_chunk(void *p, unsigned height, uint64_t base, uint64_t offset)
{
	if (!p)
		return UINT64_MAX;
	if (height == 0)
		return base + DATA_CHUNK > offset ? base : UINT64_MAX;
	struct radix *node = p;
	uint64_t step = span(height - 1);
	size_t i = offset > base ? (size_t)((offset - base) / step) : 0;
	for (; i < FANOUT; i++) {
		uint64_t found = next_chunk(node->child[i], height - 1, base + i * step, offset);

		if (found != UINT64_MAX)
			return found;
	}
	return UINT64_MAX;
}

static bool
page_is_set(const struct data *d, uint64_t offset)
{
	const struct chunk *chunk = find_chunk(d, offset);

	return chunk && (chunk->pages >> ((offset & (DATA_CHUNK - 1)) / DATA_PAGE) & 1);
}

/* First written page at or after offset, or UINT64_MAX. */
static uint64_t
next_page(const struct data *d, uint64_t offset, uint64_t end)
{
	while (offset < end) {
		uint64_t start = next_chunk(d->root, d->height, 0, offset);

		if (start == UINT64_MAX)
			return UINT64_MAX;
		if (offset < start)
			offset = start;
		uint64_t behind = start + DATA_CHUNK;
		for (; offset < behind; offset = (offset | (DATA_PAGE - 1)) + 1)
			if (page_is_set(d, offset))
				return offset;
	}
	return UINT64_MAX;
}

bool
data_next_range(const struct data *d, uint64_t offset, uint64_t end, uint64_t *ret_start,
		uint64_t *ret_end)
{
	uint64_t start = next_page(d, offset, end);

	if (start >= end)
		return false;
	uint64_t stop = (start | (DATA_PAGE - 1)) + 1;
	while (stop < end && page_is_set(d, stop))
		stop += DATA_PAGE;
	*ret_start = start;
	*ret_end = stop < end ? stop : end;
	return true;
}

void
data_fini(struct data *d)
{
	data_punch(d, 0, DATA_END);
	d->size = 0;
}
