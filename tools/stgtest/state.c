/*
 * --verify-only: what a journal promises against what the disk holds after a crash. For
 * each block: the newest write that was acknowledged and flushed must be there, or a
 * later one that was issued.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "tools/stgtest/journal.h"
#include "tools/stgtest/stgtest.h"

enum { READ_BLOCKS = 64 };

struct op {
	uint64_t lba;
	uint64_t acked_at; /* place of its ACK; UINT64_MAX: none */
	uint32_t n_blocks;
	uint8_t kind;
	bool fua;
};

struct promise {
	uint32_t durable; /* generation that must be there at least; 0: none */
	uint32_t before;  /* durable one before that */
	uint32_t latest;  /* newest that was issued */
	bool durable_unmap, later_unmap;
};

struct state {
	const struct stgtest_params *params;
	struct stgtest_params own; /* what params points to, once the target is known */
	struct journal_header h;
	struct stgtest_report report;
	struct op *ops; /* by generation - 1 */
	uint32_t n_ops, cap_ops;
	uint64_t flushed_before; /* records before that place are durable when
				    acknowledged */
	struct promise *promises;
	uint8_t *data, *a, *b;
	bool unmap_zeroes;
};

static bool
range_fits(const struct state *s, const struct journal_record *r)
{
	return r->lba >= s->h.first && r->lba - s->h.first <= s->h.n_range &&
	       r->n_blocks <= s->h.n_range - (r->lba - s->h.first);
}

static int
add_op(struct state *s, const struct journal_record *r)
{
	if (r->id != (uint64_t)s->n_ops + 1 || !range_fits(s, r) ||
	    s->n_ops == UINT32_MAX - 1)
		return -EINVAL;
	if (s->n_ops == s->cap_ops) {
		uint32_t cap = s->cap_ops ? s->cap_ops * 2 : 1024;
		struct op *ops = realloc(s->ops, cap * sizeof(*ops));

		if (!ops)
			return -ENOMEM;
		s->ops = ops;
		s->cap_ops = cap;
	}
	s->ops[s->n_ops++] =
		(struct op){r->lba, UINT64_MAX, r->n_blocks, r->kind, r->fua};
	return 0;
}

/* Flushes are few: the place of each BEGIN is found by its number in a ring of the
 * newest. */
enum { FLUSHES = 1024 };

static int
read_journal(struct state *s, struct journal *j)
{
	uint64_t begins[FLUSHES] = {0}, at = 0;
	struct journal_record r;
	int err = 0;

	for (; !err && journal_next(j, &r) == 1; at++) {
		if (r.type == JOURNAL_ISSUE)
			err = add_op(s, &r);
		else if (r.type == JOURNAL_ACK && r.id && r.id <= s->n_ops)
			s->ops[r.id - 1].acked_at = at;
		else if (r.type == JOURNAL_BEGIN)
			begins[r.id % FLUSHES] = at;
		else if (r.type == JOURNAL_FLUSH)
			s->flushed_before =
				MAX(s->flushed_before, begins[r.id % FLUSHES]);
		else
			err = -EINVAL;
	}
	return err;
}

/* In the order of issue, which for one block is the order of what happened to it. */
static void
make_promises(struct state *s)
{
	for (uint32_t i = 0; i < s->n_ops; i++) {
		const struct op *op = &s->ops[i];
		bool acked = op->acked_at != UINT64_MAX;
		bool durable = acked && (s->h.write_through || op->fua ||
					 op->acked_at < s->flushed_before);

		for (uint32_t k = 0; k < op->n_blocks; k++) {
			struct promise *p = &s->promises[op->lba - s->h.first + k];

			p->latest = i + 1;
			p->later_unmap |= op->kind == DISK_UNMAP;
			if (!durable)
				continue;
			p->before = p->durable_unmap ? 0 : p->durable;
			p->durable = i + 1;
			p->durable_unmap = op->kind == DISK_UNMAP;
			p->later_unmap = false;
		}
	}
}

static void
content(const struct state *s, uint64_t lba, uint32_t generation, uint8_t *dst)
{
	const struct block_label label = {s->h.device, lba, generation, s->h.run};

	memset(dst, 0, s->h.block_length);
	if (generation)
		block_fill(dst, s->h.block_length, &label);
}

static void
say(struct state *s, enum stgtest_fault fault, uint64_t lba, const char *what)
{
	const struct promise *p = &s->promises[lba - s->h.first];

	stgtest_fault(s->params, &s->report, fault, lba, 1,
		      "%s; generation %u was acknowledged and flushed, %u is the last "
		      "one issued",
		      what, p->durable, p->latest);
}

static void
check_label(struct state *s, uint64_t lba, const struct block_label *l)
{
	const struct promise *p = &s->promises[lba - s->h.first];
	char text[96];

	snprintf(text, sizeof(text), "holds generation %llu of LBA %llu",
		 (unsigned long long)l->generation, (unsigned long long)l->lba);
	if (l->device != s->h.device) {
		if (p->durable)
			say(s, FAULT_FOREIGN, lba, "holds a block of another device");
	} else if (l->lba != lba) {
		if (l->run == s->h.run || p->durable)
			say(s, FAULT_MISPLACED, lba, text);
	} else if (l->run != s->h.run) {
		if (p->durable && !p->durable_unmap)
			say(s, FAULT_LOST, lba, "holds what an earlier run wrote");
	} else if (l->generation > p->latest) {
		say(s, FAULT_FUTURE, lba, text);
	} else if (l->generation < p->durable &&
		   !(p->durable_unmap && !s->unmap_zeroes)) {
		say(s, p->durable_unmap ? FAULT_UNMAP : FAULT_LOST, lba, text);
	}
}

static void
check_broken(struct state *s, uint64_t lba, const uint8_t *data)
{
	const struct promise *p = &s->promises[lba - s->h.first];
	size_t length = s->h.block_length, first;

	/* A block that was being written when the crash came may be torn. */
	content(s, lba, p->durable_unmap ? 0 : p->durable, s->a);
	content(s, lba, p->latest, s->b);
	if (p->latest > p->durable &&
	    (!p->durable || block_is_mix(data, s->a, s->b, length, &first))) {
		s->report.n_allowed_torn++;
		return;
	}
	content(s, lba, p->before, s->b);
	if (block_is_mix(data, s->a, s->b, length, &first))
		say(s, FAULT_TORN, lba, "two generations meet within the block");
	else
		say(s, FAULT_CORRUPT, lba, "holds neither old nor new");
}

static void
check_block(struct state *s, uint64_t lba, const uint8_t *data)
{
	const struct promise *p = &s->promises[lba - s->h.first];
	struct block_label label;

	s->report.n_checked++;
	if (block_read(data, s->h.block_length, &label)) {
		check_label(s, lba, &label);
	} else if (block_is_zero(data, s->h.block_length)) {
		if (p->durable && !p->durable_unmap && !p->later_unmap)
			say(s, p->before ? FAULT_ZEROED : FAULT_LOST, lba,
			    "holds zeroes");
	} else if (p->latest && (p->durable || p->latest) &&
		   !(p->durable_unmap && !s->unmap_zeroes)) {
		check_broken(s, lba, data);
	}
}

static bool
geometry_fits(const struct state *s, const struct disk *disk)
{
	const struct disk_geometry *g = disk_geometry(disk);

	if (g->block_length == s->h.block_length &&
	    g->n_blocks >= s->h.first + s->h.n_range)
		return true;
	fprintf(stderr,
		"stgtest: the disk has %llu blocks of %u bytes; the state file is about "
		"%llu of "
		"%u\n",
		(unsigned long long)g->n_blocks, g->block_length,
		(unsigned long long)s->h.n_blocks, s->h.block_length);
	return false;
}

static void
sweep(struct state *s, struct disk *disk)
{
	uint32_t step = MAX(MIN((uint32_t)READ_BLOCKS,
				disk_geometry(disk)->max_transfer / s->h.block_length),
			    1u);

	for (uint64_t at = 0; at < s->h.n_range; at += step) {
		struct disk_req req = {
			.kind = DISK_READ,
			.lba = s->h.first + at,
			.data = s->data,
			.n_blocks = (uint32_t)MIN((uint64_t)step, s->h.n_range - at)};
		char text[640];

		disk_io(disk, &req);
		s->report.n_ops[DISK_READ]++;
		s->report.bytes_read += (uint64_t)req.n_blocks * s->h.block_length;
		if (!disk_good(&req.out)) {
			disk_outcome_format(disk, &req.out, text, sizeof(text));
			stgtest_fault(s->params, &s->report,
				      disk_failure(disk)->err ? FAULT_CONNECTION
							      : FAULT_STATUS,
				      req.lba, req.n_blocks, "read: %s", text);
			s->report.broken = true;
			if (disk_failure(disk)->err)
				return;
			continue;
		}
		for (uint32_t i = 0; i < req.n_blocks; i++)
			check_block(s, req.lba + i,
				    s->data + (size_t)i * s->h.block_length);
		stgtest_progress(s->params, &s->report, "verify", at, s->h.n_range,
				 false);
		if (s->report.n_faults_all >= s->params->n_errors_max)
			return;
	}
}

static int
run(struct state *s, struct journal *j)
{
	const char *target = s->params->target ? s->params->target : s->h.target;
	struct disk_options options = s->params->disk;
	struct disk_error error;
	struct disk *disk;
	int code = STGTEST_NO_DISK;

	if (read_journal(s, j) != 0) {
		fprintf(stderr, "stgtest: %s: its records make no sense\n",
			s->params->verify_only);
		return STGTEST_USAGE;
	}
	make_promises(s);
	if (!options.block_length)
		options.block_length = s->h.block_length;
	options.depth = 1;
	if (disk_open(target, &options, &error, &disk) != 0) {
		fprintf(stderr, "stgtest: %s\n", error.text);
		return STGTEST_NO_DISK;
	}
	s->own = *s->params;
	s->own.target = target;
	s->params = &s->own;
	s->unmap_zeroes = disk_geometry(disk)->unmap_zeroes;
	if (geometry_fits(s, disk)) {
		sweep(s, disk);
		stgtest_progress(s->params, &s->report, "", 0, 0, true);
		code = stgtest_report_end(s->params, &s->report, disk);
	}
	disk_close(disk);
	return code;
}

int
stgtest_verify_state(const struct stgtest_params *params)
{
	struct state s = {.params = params};
	struct journal *j;
	int err = journal_open(params->verify_only, &s.h, &j);
	int code = STGTEST_FAILED;

	if (err) {
		fprintf(stderr, "stgtest: %s: %s\n", params->verify_only,
			err == -EINVAL ? "not a state file of stgtest" : strerror(-err));
		return STGTEST_USAGE;
	}
	s.report.start_ns = clock_monotonic_ns();
	if (s.h.block_length >= BLOCK_LENGTH_MIN && s.h.block_length <= 1 << 20 &&
	    s.h.n_range <= UINT32_MAX) {
		s.promises = calloc(MAX(s.h.n_range, 1u), sizeof(*s.promises));
		s.data = disk_alloc((size_t)READ_BLOCKS * s.h.block_length);
		s.a = disk_alloc(s.h.block_length);
		s.b = disk_alloc(s.h.block_length);
	}
	if (s.promises && s.data && s.a && s.b)
		code = run(&s, j);
	else
		fprintf(stderr, "stgtest: %s: no memory for what it describes\n",
			params->verify_only);
	journal_close(j);
	free(s.ops);
	free(s.promises);
	free(s.data);
	free(s.a);
	free(s.b);
	buf_fini(&s.report.faults);
	return code;
}
