/* What WinSpd's stgtest does, request for request: same seed, same addresses, same
 * content. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "tools/stgtest/stgtest.h"

enum { OP_KINDS_MAX = 32 };

struct classic {
	const struct stgtest_params *params;
	struct disk *disk;
	struct disk_geometry g;
	struct stgtest_report report;
	uint8_t *data;
	uint32_t random; /* state of the generator */
	enum disk_kind kinds[OP_KINDS_MAX];
	unsigned n_kinds;
	uint64_t address;
	uint32_t count, op_count, max_blocks;
	enum disk_kind last_change; /* in this round; 0: none */
};

/* Bits 16..23 of a linear congruential generator, a byte at a time. */
static uint64_t
random_bytes(struct classic *c, unsigned n)
{
	uint64_t v = 0;

	if (!c->random)
		c->random = 1;
	for (unsigned i = 0; i < n; i++) {
		c->random = c->random * 214013 + 2531011;
		v |= (uint64_t)(c->random >> 16 & 0xff) << (8 * i);
	}
	return v;
}

static void
parse_op_set(struct classic *c)
{
	static const char letters[] = "RWFU";

	for (const char *s = c->params->op_set; *s && c->n_kinds < OP_KINDS_MAX; s++) {
		const char *at = strchr(letters, *s & ~0x20);

		if (at && *at)
			c->kinds[c->n_kinds++] =
				(enum disk_kind)(DISK_READ + (at - letters));
	}
	if (!c->n_kinds) {
		c->kinds[c->n_kinds++] = DISK_WRITE;
		c->kinds[c->n_kinds++] = DISK_READ;
	}
}

static void
begin_round(struct classic *c, bool first)
{
	const struct stgtest_params *p = c->params;

	if (p->address == UINT64_MAX)
		c->address = random_bytes(c, 8);
	else if (!first)
		c->address += c->count;
	c->address %= c->g.n_blocks;
	if (p->count == UINT32_MAX)
		c->count = (uint32_t)random_bytes(c, 4) % c->max_blocks;
	c->count = MAX(MIN(c->count, c->max_blocks), 1u);
	c->op_count = (uint32_t)MIN((uint64_t)c->count, c->g.n_blocks - c->address);
	c->last_change = 0;
}

/* What word every 8 bytes of a block hold after the change of this round. */
static uint64_t
word_of(const struct classic *c, uint32_t i)
{
	return c->last_change == DISK_UNMAP ? 0 : block_hash(c->address + i + 1);
}

static void
fill(struct classic *c)
{
	for (uint32_t i = 0; i < c->op_count; i++)
		for (uint32_t j = 0; j + 8 <= c->g.block_length; j += 8)
			put_le64(c->data + (size_t)i * c->g.block_length + j,
				 word_of(c, i));
}

static bool
is_right(const struct classic *c)
{
	for (uint32_t i = 0; i < c->op_count; i++)
		for (uint32_t j = 0; j + 8 <= c->g.block_length; j += 8)
			if (get_le64(c->data + (size_t)i * c->g.block_length + j) !=
			    word_of(c, i))
				return false;
	return true;
}

static void
warn(const struct classic *c, enum disk_kind kind, const char *what, const char *detail)
{
	static const char *const names[] = {"", "Read", "Write", "Flush", "Unmap"};

	fprintf(stderr, "%s(Address=%x:%x, Count=%u): %s: %s\n", names[kind],
		(unsigned)(c->address >> 32), (unsigned)c->address, c->op_count, what,
		detail);
}

static int
one_op(struct classic *c, enum disk_kind kind)
{
	struct disk_range range = {c->address, c->op_count, 0};
	struct disk_req req = {.kind = kind,
			       .lba = c->address,
			       .n_blocks = c->op_count,
			       .data = c->data,
			       .ranges = &range,
			       .n_ranges = 1};
	struct disk_outcome out;
	char text[640];

	req.fua = (kind == DISK_READ || kind == DISK_WRITE) && !c->g.cache_supported;
	if (kind == DISK_WRITE || kind == DISK_UNMAP)
		c->last_change = kind;
	if (kind == DISK_WRITE)
		fill(c);
	out = disk_io(c->disk, &req);
	c->report.n_ops[kind]++;
	if (!disk_good(&out)) {
		disk_outcome_format(c->disk, &out, text, sizeof(text));
		warn(c, kind, out.err ? "transact error" : "condition fail", text);
		stgtest_fault(c->params, &c->report,
			      disk_failure(c->disk)->err ? FAULT_CONNECTION
							 : FAULT_STATUS,
			      c->address, c->op_count, "%s", text);
		return STGTEST_FAILED;
	}
	if (kind == DISK_READ && c->last_change && !is_right(c)) {
		warn(c, kind, "bad buffer",
		     c->last_change == DISK_WRITE ? "after Write" : "after Unmap");
		stgtest_fault(c->params, &c->report,
			      c->last_change == DISK_WRITE ? FAULT_CORRUPT : FAULT_UNMAP,
			      c->address, c->op_count, "bad buffer");
		return STGTEST_BAD_DATA;
	}
	return STGTEST_OK;
}

int
stgtest_classic(const struct stgtest_params *params, struct disk *disk)
{
	struct classic c = {.params = params,
			    .disk = disk,
			    .g = *disk_geometry(disk),
			    .random = (uint32_t)params->seed,
			    .address = params->address,
			    .count = params->count};
	uint32_t max_transfer = c.g.max_transfer;
	int code = STGTEST_OK;

	/* As WinSpd's on raw drives: longer than one transfer, so that somebody has to
	 * split it. */
	if (strcmp(disk_way(disk), "block") == 0)
		max_transfer *= 3;
	c.max_blocks = max_transfer / c.g.block_length;
	c.data = disk_alloc((size_t)c.max_blocks * c.g.block_length);
	if (!c.data) {
		fprintf(stderr, "stgtest: out of memory\n");
		return STGTEST_FAILED;
	}
	parse_op_set(&c);
	for (uint32_t i = 0; code == STGTEST_OK && i < MAX(params->n_ops, 1u); i++) {
		if (i % c.n_kinds == 0)
			begin_round(&c, i == 0);
		code = one_op(&c, c.kinds[i % c.n_kinds]);
		if (i % 256 == 0)
			stgtest_progress(params, &c.report, "test", i, params->n_ops,
					 false);
	}
	free(c.data);
	if (params->json)
		stgtest_report_end(params, &c.report, disk);
	else if (code == STGTEST_OK)
		printf("OK\n");
	buf_fini(&c.report.faults);
	return code;
}
