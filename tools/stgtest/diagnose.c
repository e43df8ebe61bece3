/* What is wrong with a block that does not hold what was written, and by which name. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tools/stgtest/verify_priv.h"

enum { REREADS = 5, REREAD_PAUSE_MS = 20 };

void
verify_label(const struct verify *v, uint64_t lba, uint32_t generation, uint8_t *dst)
{
	const struct block_label label = {v->device, lba, generation, v->run};

	if (generation)
		block_fill(dst, v->g.block_length, &label);
	else
		memset(dst, 0, v->g.block_length);
}

static bool
is_ours(const struct verify *v, const struct block_label *label)
{
	return label->device == v->device && label->run == v->run;
}

/* Of blocks whose content is not known only one thing can be said: another's does not
 * belong there. */
static bool
is_right(const struct verify *v, uint64_t lba, const uint8_t *data)
{
	const struct cell *cell = verify_cell(v, lba);
	struct block_label label;
	bool whole = block_read(data, v->g.block_length, &label);

	if (cell->state == CELL_WRITTEN)
		return whole && is_ours(v, &label) && label.lba == lba &&
		       label.generation == cell->generation;
	if (cell->state == CELL_UNMAPPED && v->g.unmap_zeroes)
		return block_is_zero(data, v->g.block_length);
	return !whole || !is_ours(v, &label) || label.lba == lba;
}

void
verify_check(struct verify *v, uint64_t lba, const uint8_t *data)
{
	size_t length = v->g.block_length;

	v->report.n_checked++;
	if (is_right(v, lba, data)) {
		verify_cell(v, lba)->seen = true;
		return;
	}
	if (v->n_suspects == SUSPECTS_MAX)
		return;
	for (unsigned i = 0; i < v->n_suspects; i++)
		if (v->suspects[i] == lba)
			return;
	memcpy(v->suspect_data + v->n_suspects * length, data, length);
	v->suspects[v->n_suspects++] = lba;
}

void
verify_failed(struct verify *v, const struct disk_req *req)
{
	static const char *const names[] = {"", "read", "write", "flush", "unmap"};
	char text[640];

	disk_outcome_format(v->disk, &req->out, text, sizeof(text));
	stgtest_fault(v->params, &v->report,
		      disk_failure(v->disk)->err ? FAULT_CONNECTION : FAULT_STATUS,
		      req->lba, req->n_blocks, "%s: %s", names[req->kind], text);
	v->report.broken = true;
	if (disk_failure(v->disk)->err ||
	    v->report.n_faults_all >= v->params->n_errors_max)
		v->stop = true;
}

bool
verify_read(struct verify *v, uint64_t lba, uint32_t n_blocks, void *data)
{
	struct disk_req req = {
		.kind = DISK_READ, .lba = lba, .n_blocks = n_blocks, .data = data};

	disk_io(v->disk, &req);
	v->report.n_ops[DISK_READ]++;
	if (!disk_good(&req.out))
		verify_failed(v, &req);
	return disk_good(&req.out);
}

/* Does it come right when it is read again? */
static bool
is_stale(struct verify *v, uint64_t lba)
{
	for (int i = 0; i < REREADS; i++) {
		const struct timespec pause = {0, REREAD_PAUSE_MS * 1000000L};

		if (!verify_read(v, lba, 1, v->again))
			return false;
		if (is_right(v, lba, v->again))
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

/* The blocks around lba that the same request wrote last. */
static void
request_extent(const struct verify *v, uint64_t lba, uint64_t *ret_first,
	       uint64_t *ret_end)
{
	uint32_t generation = verify_cell(v, lba)->generation;
	uint64_t a = lba, b = lba + 1;

	while (a > v->first && lba - a < v->max_blocks - 1 &&
	       verify_cell(v, a - 1)->generation == generation)
		a--;
	while (b < v->first + v->n_range && b - a < v->max_blocks &&
	       verify_cell(v, b)->generation == generation)
		b++;
	*ret_first = a;
	*ret_end = b;
}

/*
 * An acknowledged write whose block holds what was there before: is all of the write
 * missing, or part of it? What belongs together is told once.
 */
static void
say_lost(struct verify *v, uint64_t lba, const char *now_there)
{
	uint32_t generation = verify_cell(v, lba)->generation;
	uint64_t a, b, first = UINT64_MAX;
	uint32_t n_right = 0, n_wrong = 0;

	request_extent(v, lba, &a, &b);
	if (!verify_read(v, a, (uint32_t)(b - a), v->again))
		return;
	for (uint64_t at = a; at < b; at++) {
		struct cell *cell = verify_cell(v, at);

		if (cell->state == CELL_WRITTEN &&
		    is_right(v, at, v->again + (at - a) * v->g.block_length)) {
			n_right++;
			continue;
		}
		first = MIN(first, at);
		n_wrong++;
		cell->state = CELL_UNKNOWN;
	}
	if (n_right)
		stgtest_fault(v->params, &v->report, FAULT_TORN, first, n_wrong,
			      "of the write of %u blocks at %llu (generation %u), %u "
			      "arrived; there is %s",
			      (unsigned)(b - a), (unsigned long long)a, generation,
			      n_right, now_there);
	else
		stgtest_fault(v->params, &v->report, FAULT_LOST, first, n_wrong,
			      "the write of generation %u was acknowledged; there is %s",
			      generation, now_there);
}

static void
name_whole_block(struct verify *v, uint64_t lba, const struct block_label *label)
{
	const struct cell *cell = verify_cell(v, lba);
	unsigned long long g = label->generation, there = label->lba;
	char text[96];

	if (label->device != v->device) {
		stgtest_fault(v->params, &v->report, FAULT_FOREIGN, lba, 1,
			      "holds a block of another device (LBA %llu there)", there);
	} else if (label->lba != lba) {
		stgtest_fault(v->params, &v->report, FAULT_MISPLACED, lba, 1,
			      "holds what was written to LBA %llu (generation %llu)",
			      there, g);
	} else if (cell->state == CELL_UNMAPPED) {
		stgtest_fault(v->params, &v->report, FAULT_UNMAP, lba, 1,
			      "was unmapped and holds generation %llu", g);
	} else if (label->run != v->run) {
		say_lost(v, lba, "what an earlier run wrote");
	} else if (g < cell->generation) {
		snprintf(text, sizeof(text), "generation %llu", g);
		say_lost(v, lba, text);
	} else {
		stgtest_fault(v->params, &v->report, FAULT_FUTURE, lba, 1,
			      "holds generation %llu; the last one acknowledged is %u", g,
			      cell->generation);
	}
}

static void
name_broken_block(struct verify *v, uint64_t lba, const uint8_t *data)
{
	const struct cell *cell = verify_cell(v, lba);
	size_t length = v->g.block_length, first = 0, n_wrong = 0;

	verify_label(v, lba, cell->generation, v->block_a);
	verify_label(v, lba, cell->previous, v->block_b);
	if (block_is_mix(data, v->block_b, v->block_a, length, &first)) {
		stgtest_fault(v->params, &v->report, FAULT_TORN, lba, 1,
			      "within the block: generation %u and what was before meet "
			      "at byte %zu",
			      cell->generation, first);
		return;
	}
	for (size_t i = 0; i < length; i++)
		n_wrong += data[i] != v->block_a[i];
	stgtest_fault(v->params, &v->report, FAULT_CORRUPT, lba, 1,
		      "%zu of %zu bytes differ from generation %u", n_wrong, length,
		      cell->generation);
}

/* An unmap that took too much? */
static bool
is_beside_unmapped(const struct verify *v, uint64_t lba)
{
	uint64_t i = lba - v->first;

	return (i > 0 && v->cells[i - 1].state == CELL_UNMAPPED) ||
	       (i + 1 < v->n_range && v->cells[i + 1].state == CELL_UNMAPPED);
}

static void
name_fault(struct verify *v, uint64_t lba, const uint8_t *data)
{
	const struct cell *cell = verify_cell(v, lba);
	struct block_label label;

	if (is_stale(v, lba)) {
		stgtest_fault(v->params, &v->report, FAULT_STALE, lba, 1,
			      "read back old content after the acknowledgement, the "
			      "right one later");
		return;
	}
	if (v->stop)
		return;
	if (block_read(data, v->g.block_length, &label))
		name_whole_block(v, lba, &label);
	else if (cell->state == CELL_UNMAPPED)
		stgtest_fault(v->params, &v->report, FAULT_UNMAP, lba, 1,
			      "was unmapped and does not read as zeroes");
	else if (!block_is_zero(data, v->g.block_length))
		name_broken_block(v, lba, data);
	else if (cell->previous || cell->seen || is_beside_unmapped(v, lba))
		stgtest_fault(v->params, &v->report, FAULT_ZEROED, lba, 1,
			      "holds zeroes instead of generation %u", cell->generation);
	else
		say_lost(v, lba, "nothing but zeroes");
	verify_cell(v, lba)->state = CELL_UNKNOWN;
}

void
verify_diagnose(struct verify *v)
{
	for (unsigned i = 0; i < v->n_suspects && !v->stop; i++) {
		uint64_t lba = v->suspects[i];

		/* Told with the request that it belongs to */
		if (is_right(v, lba, v->suspect_data + i * v->g.block_length))
			continue;
		name_fault(v, lba, v->suspect_data + i * v->g.block_length);
		if (v->report.n_faults_all >= v->params->n_errors_max)
			v->stop = true;
	}
	v->n_suspects = 0;
}
