/*
 * The verifying mode: blocks that say what they are, several requests at once. Two
 * requests that touch the same block are never under way together, so what each block
 * must hold is certain. The order of submission depends on the seed alone: a request that
 * must wait is waited for.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "tools/stgtest/verify_priv.h"

enum { MAX_BLOCKS_DEFAULT = 64, OPS_DEFAULT = 10000 };
#define RANGE_DEFAULT_MAX (4ull << 20) /* blocks */

static uint64_t
next_random(struct verify *v)
{
	v->random += 0x9e3779b97f4a7c15ull;
	return block_hash(v->random);
}

static uint64_t
random_below(struct verify *v, uint64_t limit)
{
	return next_random(v) % limit;
}

static void
journal_or_stop(struct verify *v, const struct journal_record *record)
{
	int err = v->journal ? journal_add(v->journal, record) : 0;

	if (err) {
		fprintf(stderr, "stgtest: %s: %s\n", v->params->state, strerror(-err));
		v->stop = v->report.broken = true;
	}
}

static void
set_busy(struct verify *v, const struct disk_range *range, bool busy)
{
	for (uint32_t i = 0; i < range->n_blocks; i++)
		verify_cell(v, range->lba + i)->busy = busy;
}

static void
acknowledged(struct verify *v, const struct verify_slot *s)
{
	const struct disk_req *req = &s->req;
	bool good = disk_good(&req->out);

	for (uint32_t i = 0; i < s->range.n_blocks; i++) {
		struct cell *cell = verify_cell(v, s->range.lba + i);

		if (!good) {
			cell->state = CELL_UNKNOWN;
			continue;
		}
		cell->previous = cell->state == CELL_WRITTEN ? cell->generation : 0;
		cell->generation = s->generation;
		cell->seen = false;
		cell->state = req->kind == DISK_WRITE ? CELL_WRITTEN : CELL_UNMAPPED;
	}
	if (good)
		journal_or_stop(v, &(struct journal_record){.type = JOURNAL_ACK,
							    .id = s->generation});
}

static void
complete(struct verify *v, struct verify_slot *s)
{
	struct disk_req *req = &s->req;
	size_t length = v->g.block_length;

	s->busy = false;
	if (req->kind != DISK_FLUSH)
		set_busy(v, &s->range, false);
	if (!disk_good(&req->out))
		verify_failed(v, req);
	if (req->kind == DISK_WRITE || req->kind == DISK_UNMAP)
		acknowledged(v, s);
	else if (req->kind == DISK_READ && disk_good(&req->out))
		for (uint32_t i = 0; i < req->n_blocks; i++)
			verify_check(v, req->lba + i, s->data + i * length);
	else if (req->kind == DISK_FLUSH && disk_good(&req->out))
		journal_or_stop(v, &(struct journal_record){.type = JOURNAL_FLUSH,
							    .id = s->flush_id});
}

/* One completion; false: none is outstanding. */
static bool
reap(struct verify *v)
{
	struct disk_req *req = disk_next(v->disk, -1);

	if (req)
		complete(v, req->ctx);
	return req;
}

static void
drain(struct verify *v)
{
	while (reap(v))
		;
	if (v->n_suspects)
		verify_diagnose(v);
}

static struct verify_slot *
free_slot(struct verify *v)
{
	for (;;) {
		for (unsigned i = 0; i < v->n_slots; i++)
			if (!v->slots[i].busy)
				return &v->slots[i];
		reap(v);
	}
}

static bool
is_busy(const struct verify *v, const struct disk_range *range)
{
	for (uint32_t i = 0; i < range->n_blocks; i++)
		if (verify_cell(v, range->lba + i)->busy)
			return true;
	return false;
}

static void
issue_change(struct verify *v, struct verify_slot *s)
{
	struct disk_req *req = &s->req;

	s->generation = ++v->generation;
	for (uint32_t i = 0; req->kind == DISK_WRITE && i < s->range.n_blocks; i++)
		verify_label(v, s->range.lba + i, s->generation,
			     s->data + i * v->g.block_length);
	journal_or_stop(v, &(struct journal_record){.type = JOURNAL_ISSUE,
						    .kind = (uint8_t)req->kind,
						    .fua = req->fua,
						    .n_blocks = s->range.n_blocks,
						    .lba = s->range.lba,
						    .id = s->generation});
}

static void
issue(struct verify *v, enum disk_kind kind, struct disk_range range, bool fua)
{
	struct verify_slot *s;

	while (kind != DISK_FLUSH && is_busy(v, &range))
		reap(v);
	s = free_slot(v);
	if (v->n_suspects)
		drain(v);
	if (v->stop)
		return;
	s->range = range;
	s->req = (struct disk_req){.kind = kind,
				   .fua = fua && v->g.fua,
				   .lba = range.lba,
				   .n_blocks = range.n_blocks,
				   .data = s->data,
				   .ranges = &s->range,
				   .n_ranges = 1,
				   .ctx = s};
	if (kind == DISK_WRITE || kind == DISK_UNMAP) {
		issue_change(v, s);
	} else if (kind == DISK_FLUSH) {
		s->flush_id = ++v->flush_id;
		journal_or_stop(v, &(struct journal_record){.type = JOURNAL_BEGIN,
							    .id = s->flush_id});
	}
	if (kind != DISK_FLUSH)
		set_busy(v, &range, true);
	s->busy = true;
	v->report.n_ops[kind]++;
	if (kind == DISK_READ)
		v->report.bytes_read += (uint64_t)range.n_blocks * v->g.block_length;
	else if (kind == DISK_WRITE)
		v->report.bytes_written += (uint64_t)range.n_blocks * v->g.block_length;
	disk_submit(v->disk, &s->req);
}

static void
flush_all(struct verify *v)
{
	drain(v);
	if (!v->stop && v->g.cache_supported)
		issue(v, DISK_FLUSH, (struct disk_range){0, 0, 0}, false);
	drain(v);
}

/* Every block of the range in order. */
static void
pass(struct verify *v, enum disk_kind kind, const char *what)
{
	for (uint64_t at = 0; at < v->n_range && !v->stop; at += v->max_blocks) {
		uint32_t n = (uint32_t)MIN((uint64_t)v->max_blocks, v->n_range - at);

		issue(v, kind, (struct disk_range){v->first + at, n, 0}, false);
		stgtest_progress(v->params, &v->report, what, at, v->n_range, false);
	}
	drain(v);
}

static enum disk_kind
draw_kind(struct verify *v)
{
	const struct stgtest_params *p = v->params;
	const unsigned weights[] = {p->reads, p->writes,
				    v->g.cache_supported ? p->flushes : 0,
				    v->g.unmap_supported ? p->unmaps : 0};
	uint64_t sum = 0, x;

	for (int i = 0; i < 4; i++)
		sum += weights[i];
	x = random_below(v, MAX(sum, (uint64_t)1));
	for (int i = 0; i < 4; i++) {
		if (x < weights[i])
			return (enum disk_kind)(DISK_READ + i);
		x -= weights[i];
	}
	return DISK_READ;
}

static void
one_op(struct verify *v)
{
	enum disk_kind kind = draw_kind(v);
	uint32_t n = 1 + (uint32_t)random_below(v, v->max_blocks);
	uint64_t lba = v->first + random_below(v, v->n_range);
	bool fua = random_below(v, 100) < v->params->fua_percent;

	if (kind == DISK_FLUSH) {
		issue(v, kind, (struct disk_range){0, 0, 0}, false);
		return;
	}
	if (v->params->sequential)
		lba = v->first + v->next_lba;
	n = (uint32_t)MIN((uint64_t)n, v->first + v->n_range - lba);
	v->next_lba = (lba - v->first + n) % v->n_range;
	issue(v, kind, (struct disk_range){lba, n, 0}, kind == DISK_WRITE && fua);
}

static void
mixed(struct verify *v)
{
	const struct stgtest_params *p = v->params;
	uint64_t until = p->duration_s
				 ? clock_monotonic_ns() + p->duration_s * 1000000000ull
				 : UINT64_MAX;
	uint64_t n = p->ops ? p->ops : p->duration_s ? UINT64_MAX : OPS_DEFAULT;

	for (uint64_t i = 0; i < n && !v->stop && clock_monotonic_ns() < until; i++) {
		one_op(v);
		stgtest_progress(p, &v->report, "test", i, n, false);
	}
	drain(v);
}

/* A number for the device: its identity where it has one, else its name. */
static uint64_t
device_number(const struct disk *disk)
{
	const struct disk_geometry *g = disk_geometry(disk);
	uint64_t x = g->n_blocks, part[2];

	memcpy(part, g->guid, sizeof(part));
	if (part[0] | part[1])
		return block_hash(part[0] ^ block_hash(part[1]));
	for (const char *s = disk_target(disk); *s; s++)
		x = block_hash(x + (unsigned char)*s);
	return x;
}

static int
prepare_journal(struct verify *v)
{
	struct journal_header h = {
		.device = v->device,
		.run = v->run,
		.n_blocks = v->g.n_blocks,
		.first = v->first,
		.n_range = v->n_range,
		.seed = v->params->seed,
		.block_length = v->g.block_length,
		.write_through = !v->g.cache_supported,
	};
	int err;

	if (!v->params->state)
		return 0;
	snprintf(h.target, sizeof(h.target), "%s", v->params->target);
	err = journal_create(v->params->state, &h, &v->journal);
	if (err)
		fprintf(stderr, "stgtest: %s: %s\n", v->params->state, strerror(-err));
	return err;
}

static int
prepare_range(struct verify *v)
{
	const struct stgtest_params *p = v->params;
	uint64_t left;

	if (v->g.block_length < BLOCK_LENGTH_MIN || v->g.block_length % 8) {
		fprintf(stderr,
			"stgtest: blocks of %u bytes: --mode verify needs 64 or more, a "
			"multiple of "
			"8\n",
			v->g.block_length);
		return -EINVAL;
	}
	if (p->first >= v->g.n_blocks) {
		fprintf(stderr,
			"stgtest: the range begins at block %llu and the disk has %llu\n",
			(unsigned long long)p->first, (unsigned long long)v->g.n_blocks);
		return -EINVAL;
	}
	left = v->g.n_blocks - p->first;
	v->first = p->first;
	v->n_range = MIN(left, p->n_blocks ? p->n_blocks : RANGE_DEFAULT_MAX);
	v->max_blocks = MAX(MIN(p->max_blocks ? p->max_blocks : MAX_BLOCKS_DEFAULT,
				v->g.max_transfer / v->g.block_length),
			    1u);
	v->max_blocks = MIN(v->max_blocks, v->g.max_unmap_blocks);
	return 0;
}

static bool
prepare_memory(struct verify *v)
{
	size_t length = v->g.block_length;
	bool ok;

	v->n_slots = v->params->disk.depth;
	v->cells = calloc(v->n_range, sizeof(*v->cells));
	v->slots = calloc(v->n_slots, sizeof(*v->slots));
	v->block_a = disk_alloc(length);
	v->block_b = disk_alloc(length);
	v->again = disk_alloc(v->max_blocks * length);
	v->suspect_data = disk_alloc(SUSPECTS_MAX * length);
	ok = v->cells && v->slots && v->block_a && v->block_b && v->again &&
	     v->suspect_data;
	for (unsigned i = 0; ok && i < v->n_slots; i++) {
		v->slots[i].data = disk_alloc(v->max_blocks * length);
		ok = v->slots[i].data;
	}
	if (!ok)
		fprintf(stderr,
			"stgtest: out of memory for %llu blocks: name a smaller "
			"--range\n",
			(unsigned long long)v->n_range);
	return ok;
}

static int
verify_fini(struct verify *v, int code)
{
	int err = journal_close(v->journal);

	for (unsigned i = 0; v->slots && i < v->n_slots; i++)
		free(v->slots[i].data);
	free(v->slots);
	free(v->cells);
	free(v->block_a);
	free(v->block_b);
	free(v->again);
	free(v->suspect_data);
	buf_fini(&v->report.faults);
	if (!err)
		return code;
	fprintf(stderr, "stgtest: %s: %s\n", v->params->state, strerror(-err));
	return code ? code : STGTEST_FAILED;
}

int
stgtest_verify(const struct stgtest_params *params, struct disk *disk)
{
	struct verify v = {.params = params,
			   .disk = disk,
			   .g = *disk_geometry(disk),
			   .random = params->seed};
	int code = STGTEST_USAGE;

	v.report.start_ns = clock_monotonic_ns();
	v.device = device_number(disk);
	if (getrandom(&v.run, sizeof(v.run), 0) != (ssize_t)sizeof(v.run))
		v.run = clock_monotonic_ns();
	if (prepare_range(&v) == 0 && prepare_memory(&v) && prepare_journal(&v) == 0) {
		if (!params->no_fill)
			pass(&v, DISK_WRITE, "fill");
		flush_all(&v);
		mixed(&v);
		flush_all(&v);
		if (!params->no_sweep)
			pass(&v, DISK_READ, "sweep");
		stgtest_progress(params, &v.report, "", 0, 0, true);
		code = stgtest_report_end(params, &v.report, disk);
	}
	return verify_fini(&v, code);
}
