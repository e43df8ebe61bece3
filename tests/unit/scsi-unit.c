/* Breaks when a request reaches a program that it should not, more callbacks run at once than the
 * program takes, a long request is cut wrongly, or a stop loses or waits for ever for a request. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "scsi/lu.h"
#include "scsi/unit.h"

enum { BLOCK = 512, N_BLOCKS = 4096, MAX_TRANSFER = 8 * BLOCK, SEEN_MAX = 4096 };

/* A program in memory that can be slow, answer later from a thread of its own, or fail. */
struct program {
	uint8_t *bytes;
	uint32_t kinds;
	bool later;
	unsigned sleep_us;
	uint64_t bad_lba; /* a request that meets it fails */
	atomic_int n_now, n_most, n_calls;
	pthread_t threads[SEEN_MAX];
	atomic_int n_threads;
	struct {
		enum scsi_io_kind kind;
		uint64_t lba;
		uint32_t n_blocks, n_ranges;
		bool fua;
	} seen[SEEN_MAX];
};

static struct scsi_result
answer(struct program *p, struct scsi_backend_req *req)
{
	uint8_t *at = p->bytes + req->lba * BLOCK;

	if (req->n_blocks && p->bad_lba >= req->lba && p->bad_lba < req->lba + req->n_blocks)
		return scsi_sense_info(SENSE_UNRECOVERED_READ_ERROR, p->bad_lba);
	if (req->kind == SCSI_IO_READ)
		memcpy(req->data, at, req->size);
	else if (req->kind == SCSI_IO_WRITE)
		memcpy(at, req->data, req->size);
	else if (req->kind == SCSI_IO_UNMAP)
		for (uint32_t i = 0; i < req->n_ranges; i++)
			memset(p->bytes + req->ranges[i].lba * BLOCK, 0,
			       (size_t)req->ranges[i].n_blocks * BLOCK);
	return scsi_good();
}

struct later {
	struct program *p;
	struct scsi_backend_req *req;
};

static void *
answer_later(void *arg)
{
	struct later l = *(struct later *)arg;

	free(arg);
	usleep(200);
	scsi_unit_complete(l.req, answer(l.p, l.req));
	return NULL;
}

static bool
submit(void *backend, struct scsi_backend_req *req, struct scsi_result *ret_res)
{
	struct program *p = backend;
	int now = atomic_fetch_add(&p->n_now, 1) + 1, most = atomic_load(&p->n_most);
	int i = atomic_fetch_add(&p->n_calls, 1);

	while (now > most && !atomic_compare_exchange_weak(&p->n_most, &most, now))
		;
	assert_int_not_equal(req->id, 0);
	if (i < SEEN_MAX) {
		p->seen[i].kind = req->kind;
		p->seen[i].lba = req->lba;
		p->seen[i].n_blocks = req->n_blocks;
		p->seen[i].n_ranges = req->n_ranges;
		p->seen[i].fua = req->fua;
	}
	if (p->sleep_us)
		usleep(p->sleep_us);
	atomic_fetch_sub(&p->n_now, 1);
	if (p->later) {
		struct later *l = malloc(sizeof(*l));

		*l = (struct later){p, req};
		assert_int_equal(pthread_create(&p->threads[atomic_fetch_add(&p->n_threads, 1)],
						NULL, answer_later, l),
				 0);
		return false;
	}
	*ret_res = answer(p, req);
	return true;
}

static int
resize(void *backend, uint64_t n_blocks)
{
	(void)backend;
	return n_blocks > N_BLOCKS ? -ENOSPC : 0;
}

static struct scsi_unit_params
make_params(void)
{
	return (struct scsi_unit_params){.guid = {1, 2, 3, [15] = 0xff},
					 .n_blocks = N_BLOCKS,
					 .block_length = BLOCK,
					 .max_transfer = MAX_TRANSFER,
					 .vendor = "Test",
					 .product = "Unit",
					 .revision = "1",
					 .cache_supported = true,
					 .unmap_supported = true};
}

static void
program_init(struct program *p)
{
	memset(p, 0, sizeof(*p));
	p->bytes = calloc(N_BLOCKS, BLOCK);
	p->kinds = SCSI_IO_BIT(SCSI_IO_READ) | SCSI_IO_BIT(SCSI_IO_WRITE) |
		   SCSI_IO_BIT(SCSI_IO_FLUSH) | SCSI_IO_BIT(SCSI_IO_UNMAP);
	p->bad_lba = UINT64_MAX;
}

static struct scsi_unit *
unit_of(struct program *p, const struct scsi_unit_params *params, unsigned n_slots)
{
	struct scsi_backend_ops ops = {.kinds = p->kinds, .submit = submit, .resize = resize};
	struct scsi_unit *unit = NULL;
	char error[200] = "";

	assert_int_equal(scsi_unit_create(params, &ops, p, error, sizeof(error), &unit), 0);
	if (n_slots)
		assert_int_equal(scsi_unit_start(unit, n_slots), 0);
	return unit;
}

static void
finish(struct program *p, struct scsi_unit *unit)
{
	scsi_unit_unref(unit);
	for (int i = 0; i < atomic_load(&p->n_threads); i++)
		pthread_join(p->threads[i], NULL);
	free(p->bytes);
}

static struct scsi_result
io(struct scsi_unit *unit, enum scsi_io_kind kind, uint64_t lba, uint32_t n, void *data)
{
	struct scsi_io io = {.kind = kind, .lba = lba, .n_blocks = n, .data = data};

	return scsi_unit_io(unit, &io);
}

static void
assert_sense(struct scsi_result res, uint8_t key, uint8_t asc)
{
	assert_int_equal(res.status, SCSI_CHECK_CONDITION);
	assert_int_equal(res.key, key);
	assert_int_equal(res.asc, asc);
}

static void
test_params(void **state)
{
	static const struct {
		size_t offset, size;
		uint64_t value;
	} bad[] = {
		{offsetof(struct scsi_unit_params, n_blocks), 8, 0},
		{offsetof(struct scsi_unit_params, n_blocks), 8, UINT64_MAX},
		{offsetof(struct scsi_unit_params, block_length), 4, 15},
		{offsetof(struct scsi_unit_params, block_length), 4, 0},
		{offsetof(struct scsi_unit_params, max_transfer), 4, 0},
		{offsetof(struct scsi_unit_params, max_transfer), 4, BLOCK + 1},
		{offsetof(struct scsi_unit_params, physical_exponent), 1, 8},
		{offsetof(struct scsi_unit_params, vendor), 1, 0x1f},
	};
	struct scsi_backend_ops ops = {.submit = submit};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct scsi_unit_params p = make_params();
		struct scsi_unit *unit = NULL;
		char error[200] = "";

		memcpy((char *)&p + bad[i].offset, &bad[i].value, bad[i].size);
		assert_int_equal(scsi_unit_create(&p, &ops, NULL, error, sizeof(error), &unit),
				 -EINVAL);
		assert_string_not_equal(error, "");
		assert_null(unit);
	}
	struct scsi_unit_params p = make_params();
	char error[200] = "";
	struct scsi_unit *unit = NULL;

	memset(p.guid, 0, sizeof(p.guid));
	assert_int_equal(scsi_unit_create(&p, &ops, NULL, error, sizeof(error), &unit), -EINVAL);
}

static void
test_ranges(void **state)
{
	static const struct {
		uint64_t lba;
		uint32_t n;
		bool good;
	} rows[] = {
		{0, 1, true},		{N_BLOCKS - 1, 1, true}, {N_BLOCKS, 1, false},
		{N_BLOCKS, 0, false},	{N_BLOCKS - 1, 2, false}, {UINT64_MAX, 1, false},
		{UINT64_MAX, 2, false}, {0, N_BLOCKS, true},	 {0, N_BLOCKS + 1, false},
		{N_BLOCKS + 1, 0, false}};
	struct scsi_unit_params params = make_params();
	struct program p;
	struct scsi_unit *unit;
	uint8_t *data = malloc((size_t)(N_BLOCKS + 1) * BLOCK);

	(void)state;
	program_init(&p);
	unit = unit_of(&p, &params, 2);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct scsi_result res = io(unit, SCSI_IO_READ, rows[i].lba, rows[i].n, data);

		if (rows[i].good)
			assert_true(scsi_ok(res));
		else
			assert_sense(res, SCSI_KEY_ILLEGAL_REQUEST, 0x21);
	}
	finish(&p, unit);
	free(data);
}

static void
test_split(void **state)
{
	struct scsi_unit_params params = make_params();
	struct program p;
	struct scsi_unit *unit;
	uint8_t *data = malloc(20 * BLOCK), *back = malloc(20 * BLOCK);

	(void)state;
	for (int later = 0; later < 2; later++) {
		program_init(&p);
		p.later = later;
		unit = unit_of(&p, &params, 1);
		for (int i = 0; i < 20 * BLOCK; i++)
			data[i] = (uint8_t)(i * 7 + later);
		assert_true(scsi_ok(io(unit, SCSI_IO_WRITE, 5, 20, data)));
		assert_int_equal(atomic_load(&p.n_calls), 3); /* 8 + 8 + 4 blocks */
		assert_int_equal(p.seen[1].lba, 13);
		assert_int_equal(p.seen[2].n_blocks, 4);
		assert_true(scsi_ok(io(unit, SCSI_IO_READ, 5, 20, back)));
		assert_memory_equal(data, back, 20 * BLOCK);
		/* The piece that fails ends the request. */
		p.bad_lba = 14;
		assert_sense(io(unit, SCSI_IO_READ, 5, 20, back), SCSI_KEY_MEDIUM_ERROR, 0x11);
		assert_int_equal(atomic_load(&p.n_calls), 8);
		finish(&p, unit);
	}
	free(data);
	free(back);
}

static void
test_unmap_skips_empty(void **state)
{
	struct scsi_range ranges[300];
	struct scsi_unit_params params = make_params();
	struct program p;
	struct scsi_unit *unit;
	struct scsi_io req = {.kind = SCSI_IO_UNMAP, .ranges = ranges, .n_ranges = 300};
	uint32_t n = 0;

	(void)state;
	for (uint32_t i = 0; i < 300; i++)
		ranges[i] = (struct scsi_range){.lba = i, .n_blocks = i % 3 ? 1 : 0};
	ranges[0].lba = N_BLOCKS; /* an empty range at the end is not an error */
	program_init(&p);
	unit = unit_of(&p, &params, 1);
	assert_true(scsi_ok(scsi_unit_io(unit, &req)));
	for (int i = 0; i < atomic_load(&p.n_calls); i++)
		n += p.seen[i].n_ranges;
	assert_int_equal(n, 200);
	ranges[299].lba = N_BLOCKS;
	assert_sense(scsi_unit_io(unit, &req), SCSI_KEY_ILLEGAL_REQUEST, 0x21);
	finish(&p, unit);
}

static void
test_protected(void **state)
{
	struct scsi_unit_params params = make_params();
	struct program p;
	struct scsi_unit *unit;
	uint8_t data[BLOCK];

	(void)state;
	params.write_protected = true;
	program_init(&p);
	unit = unit_of(&p, &params, 1);
	assert_sense(io(unit, SCSI_IO_WRITE, 0, 1, data), SCSI_KEY_DATA_PROTECT, 0x27);
	/* Before the range */
	assert_sense(io(unit, SCSI_IO_WRITE, N_BLOCKS, 1, data), SCSI_KEY_DATA_PROTECT, 0x27);
	assert_sense(io(unit, SCSI_IO_WRITE_ZEROES, 0, 1, NULL), SCSI_KEY_DATA_PROTECT, 0x27);
	assert_true(scsi_ok(io(unit, SCSI_IO_FLUSH, 0, 0, NULL)));
	assert_true(scsi_ok(io(unit, SCSI_IO_READ, 0, 1, data)));
	assert_int_equal(atomic_load(&p.n_calls), 2);
	finish(&p, unit);
}

static void
test_cache(void **state)
{
	struct scsi_unit_params params = make_params();
	struct program p;
	struct scsi_unit *unit;
	uint8_t data[BLOCK] = {0};

	(void)state;
	program_init(&p);
	unit = unit_of(&p, &params, 1);
	assert_true(scsi_ok(io(unit, SCSI_IO_WRITE, 0, 1, data)));
	assert_false(p.seen[0].fua);
	assert_true(scsi_ok(scsi_unit_stop(unit)));
	/* The last flush, of everything */
	assert_int_equal(atomic_load(&p.n_calls), 2);
	assert_int_equal(p.seen[1].kind, SCSI_IO_FLUSH);
	finish(&p, unit);

	params.cache_supported = false;
	program_init(&p);
	unit = unit_of(&p, &params, 1);
	assert_true(scsi_ok(io(unit, SCSI_IO_WRITE, 0, 1, data)));
	assert_true(p.seen[0].fua);
	assert_true(scsi_ok(io(unit, SCSI_IO_FLUSH, 0, 0, NULL)));
	(void)scsi_unit_stop(unit);
	assert_int_equal(atomic_load(&p.n_calls), 1);
	finish(&p, unit);
}

static void
test_missing_operations(void **state)
{
	struct scsi_unit_params params = make_params();
	struct program p;
	struct scsi_unit *unit;
	uint8_t data[2 * BLOCK] = {0};

	(void)state;
	program_init(&p);
	p.kinds = SCSI_IO_BIT(SCSI_IO_READ);
	unit = unit_of(&p, &params, 1);
	assert_sense(io(unit, SCSI_IO_WRITE, 0, 1, data), SCSI_KEY_ILLEGAL_REQUEST, 0x20);
	assert_sense(io(unit, SCSI_IO_FLUSH, 0, 0, NULL), SCSI_KEY_ILLEGAL_REQUEST, 0x20);
	assert_sense(io(unit, SCSI_IO_COMPARE_AND_WRITE, 0, 1, data), SCSI_KEY_ILLEGAL_REQUEST,
		     0x20);
	assert_int_equal(atomic_load(&p.n_calls), 0);
	finish(&p, unit);
}

static void
test_emulations(void **state)
{
	struct scsi_unit_params params = make_params();
	struct program p;
	struct scsi_unit *unit;
	uint8_t data[2 * BLOCK];
	struct scsi_mapping map[4];
	struct scsi_io query = {
		.kind = SCSI_IO_QUERY_RANGES, .lba = 7, .n_blocks = 9, .data = map, .n_ranges = 4};

	(void)state;
	program_init(&p);
	memset(p.bytes, 0xaa, (size_t)N_BLOCKS * BLOCK);
	unit = unit_of(&p, &params, 1);
	assert_true(scsi_ok(io(unit, SCSI_IO_WRITE_ZEROES, 1, 40, NULL)));
	assert_int_equal(p.bytes[BLOCK - 1], 0xaa);
	for (int i = BLOCK; i < 41 * BLOCK; i++)
		assert_int_equal(p.bytes[i], 0);
	assert_int_equal(p.bytes[41 * BLOCK], 0xaa);
	memset(data, 0x55, BLOCK);
	assert_true(scsi_ok(io(unit, SCSI_IO_WRITE_SAME, 2, 11, data)));
	assert_int_equal(p.bytes[2 * BLOCK - 1], 0);
	assert_int_equal(p.bytes[13 * BLOCK - 1], 0x55);
	assert_int_equal(p.bytes[13 * BLOCK], 0);
	/* 0x55 expected at block 2, then 0x66 */
	memset(data + BLOCK, 0x66, BLOCK);
	assert_true(scsi_ok(io(unit, SCSI_IO_COMPARE_AND_WRITE, 2, 1, data)));
	assert_int_equal(p.bytes[2 * BLOCK], 0x66);
	struct scsi_result res = io(unit, SCSI_IO_COMPARE_AND_WRITE, 2, 1, data);

	assert_sense(res, SCSI_KEY_MISCOMPARE, 0x1d);
	assert_true(res.info_valid);
	assert_int_equal(res.info, 0);
	assert_true(scsi_ok(scsi_unit_io(unit, &query)));
	assert_int_equal(query.n_mappings, 1);
	assert_int_equal(map[0].lba, 7);
	assert_int_equal(map[0].n_blocks, 9);
	finish(&p, unit);
}

/* ---------------------------------------------------------------- threads */

enum { N_THREADS = 8, N_ROUNDS = 200 };

struct client {
	struct scsi_unit *unit;
	int index;
	int n_swaps; /* COMPARE AND WRITE that found what it expected */
};

static void *
client_main(void *arg)
{
	struct client *c = arg;
	uint8_t data[BLOCK], back[BLOCK];

	for (int i = 0; i < N_ROUNDS; i++) {
		memset(data, c->index * 16 + i % 16, sizeof(data));
		if (!scsi_ok(io(c->unit, SCSI_IO_WRITE, (uint64_t)c->index, 1, data)) ||
		    !scsi_ok(io(c->unit, SCSI_IO_READ, (uint64_t)c->index, 1, back)) ||
		    memcmp(data, back, sizeof(data)) != 0)
			return (void *)"wrong";
	}
	return NULL;
}

/* A counter in block 100, incremented by compare and write: none may be lost. */
static void *
counter_main(void *arg)
{
	struct client *c = arg;
	uint8_t data[2 * BLOCK];
	uint32_t n;

	while (c->n_swaps < N_ROUNDS / 4) {
		struct scsi_result res;

		if (!scsi_ok(io(c->unit, SCSI_IO_READ, 100, 1, data)))
			return (void *)"read";
		memcpy(data + BLOCK, data, BLOCK);
		memcpy(&n, data, sizeof(n));
		n++;
		memcpy(data + BLOCK, &n, sizeof(n));
		res = io(c->unit, SCSI_IO_COMPARE_AND_WRITE, 100, 1, data);
		c->n_swaps += scsi_ok(res);
		if (!scsi_ok(res) && res.key != SCSI_KEY_MISCOMPARE)
			return (void *)"compare";
	}
	return NULL;
}

static void
run_clients(struct scsi_unit *unit, void *(*main_fn)(void *))
{
	struct client clients[N_THREADS];
	pthread_t threads[N_THREADS];
	void *wrong;

	for (int i = 0; i < N_THREADS; i++) {
		clients[i] = (struct client){unit, i, 0};
		assert_int_equal(pthread_create(&threads[i], NULL, main_fn, &clients[i]), 0);
	}
	for (int i = 0; i < N_THREADS; i++) {
		pthread_join(threads[i], &wrong);
		assert_null(wrong);
	}
}

static void
test_slots(void **state)
{
	struct scsi_unit_params params = make_params();
	static const unsigned n_slots[] = {1, 3};
	struct program p;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(n_slots); i++)
		for (unsigned sleep_us = 0; sleep_us <= 300; sleep_us += 300) {
			struct scsi_unit *unit;

			program_init(&p);
			p.sleep_us = sleep_us;
			unit = unit_of(&p, &params, n_slots[i]);
			run_clients(unit, client_main);
			assert_in_range(atomic_load(&p.n_most), 1, n_slots[i]);
			finish(&p, unit);
		}
}

static void
test_compare_and_write_is_atomic(void **state)
{
	struct scsi_unit_params params = make_params();
	struct program p;
	struct scsi_unit *unit;
	uint32_t n;

	(void)state;
	program_init(&p);
	unit = unit_of(&p, &params, 4);
	run_clients(unit, counter_main);
	memcpy(&n, p.bytes + 100 * BLOCK, sizeof(n));
	assert_int_equal(n, N_THREADS * (N_ROUNDS / 4));
	finish(&p, unit);
}

/* Two units of one slot whose jobs call each other. */
struct copier {
	struct scsi_job job;
	struct scsi_unit *from, *to;
	atomic_int done;
};

static void
copy_run(struct scsi_job *job)
{
	struct copier *c = container_of(job, struct copier, job);
	uint8_t data[BLOCK];

	for (int i = 0; i < 50; i++) {
		assert_true(scsi_ok(io(c->from, SCSI_IO_READ, (uint64_t)i, 1, data)));
		assert_true(scsi_ok(io(c->to, SCSI_IO_WRITE, (uint64_t)i, 1, data)));
	}
	atomic_store(&c->done, 1);
}

static void
test_units_that_wait_for_each_other(void **state)
{
	struct scsi_unit_params params = make_params();
	struct program p[2];
	struct scsi_unit *unit[2];
	struct copier copiers[8];

	(void)state;
	for (int i = 0; i < 2; i++) {
		program_init(&p[i]);
		params.guid[0]++;
		unit[i] = unit_of(&p[i], &params, 1);
	}
	for (int i = 0; i < 8; i++) {
		copiers[i] = (struct copier){.job = {.run = copy_run},
					     .from = unit[i & 1],
					     .to = unit[!(i & 1)]};
		list_init(&copiers[i].job.link);
		scsi_unit_run(unit[i & 1], &copiers[i].job, true);
	}
	for (int i = 0; i < 8; i++)
		while (!atomic_load(&copiers[i].done))
			usleep(100);
	(void)scsi_unit_stop(unit[0]);
	(void)scsi_unit_stop(unit[1]);
	finish(&p[0], unit[0]);
	finish(&p[1], unit[1]);
}

/* ---------------------------------------------------------------- stop */

static void
count_complete(struct scsi_io *io, struct scsi_result res)
{
	atomic_int *n = io->ctx;

	(void)res;
	atomic_fetch_add(n, 1);
}

static void
test_stop_completes_everything(void **state)
{
	struct scsi_unit_params params = make_params();
	static uint8_t data[64][32 * BLOCK];
	static struct scsi_io ios[64];
	struct program p;
	struct scsi_unit *unit;
	atomic_int n = 0;

	(void)state;
	for (int later = 0; later < 2; later++) {
		program_init(&p);
		p.later = later;
		p.sleep_us = later ? 0 : 400;
		unit = unit_of(&p, &params, 2);
		n = 0;
		for (int i = 0; i < 64; i++) {
			ios[i] = (struct scsi_io){.kind = SCSI_IO_WRITE,
						  .lba = (uint64_t)i * 32,
						  .n_blocks = 32,
						  .data = data[i],
						  .complete = count_complete,
						  .ctx = &n};
			scsi_unit_submit(unit, &ios[i]);
		}
		(void)scsi_unit_stop(unit);
		assert_int_equal(atomic_load(&n), 64);
		for (int i = 0; i < 64; i++)
			assert_true(scsi_ok(ios[i].result));
		assert_sense(io(unit, SCSI_IO_READ, 0, 1, data), SCSI_KEY_NOT_READY, 0x3a);
		finish(&p, unit);
	}
}

static void
test_before_start(void **state)
{
	struct scsi_unit_params params = make_params();
	struct program p;
	struct scsi_unit *unit;
	uint8_t data[BLOCK];

	(void)state;
	program_init(&p);
	unit = unit_of(&p, &params, 0);
	assert_sense(io(unit, SCSI_IO_READ, 0, 1, data), SCSI_KEY_NOT_READY, 0x3a);
	assert_int_equal(scsi_unit_start(unit, 1), 0);
	assert_int_equal(scsi_unit_start(unit, 1), -EALREADY);
	assert_true(scsi_ok(io(unit, SCSI_IO_READ, 0, 1, data)));
	finish(&p, unit);
}

static void
count_event(struct scsi_unit_listener *l, enum scsi_unit_event event);

struct listener {
	struct scsi_unit_listener base;
	int n[3];
};

static void
count_event(struct scsi_unit_listener *l, enum scsi_unit_event event)
{
	container_of(l, struct listener, base)->n[event]++;
}

static void
test_resize(void **state)
{
	struct scsi_unit_params params = make_params();
	struct listener l = {.base = {.event = count_event}};
	struct program p;
	struct scsi_unit *unit;
	uint8_t data[BLOCK];

	(void)state;
	program_init(&p);
	unit = unit_of(&p, &params, 1);
	scsi_unit_listen(unit, &l.base);
	assert_int_equal(scsi_unit_resize(unit, N_BLOCKS / 2), 0);
	assert_int_equal(l.n[SCSI_UNIT_CAPACITY_CHANGED], 1);
	assert_int_equal(scsi_unit_n_blocks(unit), N_BLOCKS / 2);
	assert_sense(io(unit, SCSI_IO_READ, N_BLOCKS / 2, 1, data), SCSI_KEY_ILLEGAL_REQUEST, 0x21);
	assert_int_equal(scsi_unit_resize(unit, N_BLOCKS + 1), -ENOSPC);
	assert_int_equal(scsi_unit_resize(unit, 0), -EINVAL);
	assert_int_equal(scsi_unit_n_blocks(unit), N_BLOCKS / 2);
	(void)scsi_unit_stop(unit);
	assert_int_equal(l.n[SCSI_UNIT_STOPPING], 1);
	scsi_unit_unlisten(unit, &l.base);
	finish(&p, unit);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_params),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_unmap_skips_empty),
		cmocka_unit_test(test_protected),
		cmocka_unit_test(test_cache),
		cmocka_unit_test(test_missing_operations),
		cmocka_unit_test(test_emulations),
		cmocka_unit_test(test_slots),
		cmocka_unit_test(test_compare_and_write_is_atomic),
		cmocka_unit_test(test_units_that_wait_for_each_other),
		cmocka_unit_test(test_stop_completes_everything),
		cmocka_unit_test(test_before_start),
		cmocka_unit_test(test_resize),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
