/* Breaks when EXTENDED COPY copies other blocks than its segments say, takes a malformed parameter
 * list or answers it with wrong sense, or RECEIVE COPY RESULTS tells a wrong story. */
#include <pthread.h>

#include "scsi-cdb.h"

enum { HEADER = 16, CSCD = 32, SEGMENT = 28, CSCDS_MAX = 16, SEGMENTS_MAX = 32 };

/* A parameter list. CSCDs come first. */
struct plist {
	uint8_t bytes[4096];
	size_t n;
};

static struct plist
plist(uint8_t list_id, uint8_t usage)
{
	struct plist l = {{list_id, (uint8_t)(usage << 3)}, HEADER};

	return l;
}

static uint8_t *
add_cscd(struct plist *l, const struct scsi_fake *f)
{
	uint8_t *d = l->bytes + l->n;

	l->n += CSCD;
	d[0] = 0xe4;
	d[4] = 1;
	d[5] = 3;
	d[7] = 8;
	put_be64(d + 8, scsi_unit_naa(&f->params));
	put_be24(d + 29, f->params.block_length);
	put_be16(l->bytes + 2, (uint16_t)(get_be16(l->bytes + 2) + CSCD));
	return d;
}

static uint8_t *
add_segment(struct plist *l, uint16_t from, uint16_t to, uint16_t n, uint64_t from_lba,
	    uint64_t to_lba)
{
	uint8_t *d = l->bytes + l->n;

	l->n += SEGMENT;
	d[0] = 0x02;
	put_be16(d + 2, SEGMENT - 4);
	put_be16(d + 4, from);
	put_be16(d + 6, to);
	put_be16(d + 10, n);
	put_be64(d + 12, from_lba);
	put_be64(d + 20, to_lba);
	put_be32(l->bytes + 8, get_be32(l->bytes + 8) + SEGMENT);
	return d;
}

static struct scsi_fake_reply
copy_of_size(struct scsi_fake *f, const struct plist *l, size_t n)
{
	return run(f, cdb_16(0x83, 0, 0, (uint32_t)n), l->bytes, n);
}

static struct scsi_fake_reply
copy(struct scsi_fake *f, const struct plist *l)
{
	return copy_of_size(f, l, l->n);
}

static struct scsi_fake_reply
results_for(struct scsi_fake *f, unsigned nexus, uint8_t action, uint8_t list_id)
{
	struct cdb c = cdb_16(0x84, action, 0, 512);

	c.bytes[2] = list_id;
	return run_on(f, nexus, c, NULL, 0);
}

static struct scsi_fake_reply
copy_status(struct scsi_fake *f, uint8_t list_id)
{
	return results_for(f, 0, 0x00, list_id);
}

static void
fill(struct scsi_fake *f)
{
	for (size_t i = 0; i < f->params.n_blocks * f->params.block_length; i++)
		f->bytes[i] = (uint8_t)(i / 512 * 31 + i);
}

static void
assert_copy_aborted(const struct scsi_fake_reply *r, unsigned asc, unsigned ascq, unsigned segment)
{
	assert_int_equal(r->res.status, SCSI_CHECK_CONDITION);
	assert_int_equal(r->res.key, SCSI_KEY_COPY_ABORTED);
	assert_int_equal(r->res.asc, asc);
	assert_int_equal(r->res.ascq, ascq);
	assert_int_equal(r->res.command_info, segment);
}

/* A list that copies block 0 to block 1 of the unit. */
static struct plist
one_block(const struct scsi_fake *f, uint8_t list_id)
{
	struct plist l = plist(list_id, 0);

	add_cscd(&l, f);
	add_segment(&l, 0, 0, 1, 0, 1);
	return l;
}

/* ---------------------------------------------------------------- two units */

struct pair {
	struct scsi_fake *a, *b; /* LUN 0 and 1 of a's target */
};

static void
other_4k(struct scsi_fake *f)
{
	f->params.guid[0] ^= 0xff;
	f->params.block_length = 4096;
	f->params.n_blocks = 256;
}

static void
other_single(struct scsi_fake *f)
{
	f->params.guid[0] ^= 0xff;
	f->n_slots = 1;
}

static void
single(struct scsi_fake *f)
{
	f->n_slots = 1;
}

static void
other_protected(struct scsi_fake *f)
{
	f->params.guid[0] ^= 0xff;
	f->params.write_protected = true;
}

static struct pair
pair_new(void (*change_a)(struct scsi_fake *f), void (*change_b)(struct scsi_fake *f))
{
	struct pair p = {fake_new(change_a), fake_new(change_b)};

	assert_int_equal(scsi_target_add_lun(p.a->target, 1, p.b->unit), 0);
	scsi_fake_clear_attentions(p.a);
	return p;
}

static void
pair_free(struct pair p)
{
	assert_int_equal(scsi_target_remove_lun(p.a->target, 1), 0);
	fake_free(p.a);
	fake_free(p.b);
}

/* ---------------------------------------------------------------- copying */

static void
copy_moves_segments(void **state)
{
	struct scsi_fake *f = *state;
	struct plist l = plist(1, 2);
	uint8_t want[1024 * BLOCK];

	fill(f);
	memcpy(want, f->bytes, sizeof(want));
	add_cscd(&l, f);
	add_segment(&l, 0, 0, 1000, 0, 1048);
	add_segment(&l, 0, 0, 0, 0, 1040);
	add_segment(&l, 0, 0, 1, 1000, 1030);
	assert_good(copy(f, &l));
	assert_memory_equal(f->bytes + 1048 * BLOCK, want, 1000 * BLOCK);
	assert_memory_equal(f->bytes + 1030 * BLOCK, want + 1000 * BLOCK, BLOCK);
	assert_memory_equal(f->bytes, want, sizeof(want));
}

/* More than one piece of scratch, both ways. */
static void
copy_of_overlapping_ranges_moves(void **state)
{
	struct scsi_fake *f = *state;
	size_t size = 2040 * BLOCK;
	uint8_t *want = malloc(size);

	for (unsigned up = 0; up < 2; up++) {
		struct plist l = plist(1, 2);

		fill(f);
		memcpy(want, f->bytes + (up ? 0 : 8) * BLOCK, size);
		add_cscd(&l, f);
		add_segment(&l, 0, 0, 2040, up ? 0 : 8, up ? 8 : 0);
		assert_good(copy(f, &l));
		assert_memory_equal(f->bytes + (up ? 8 : 0) * BLOCK, want, size);
	}
	free(want);
}

static void
copy_between_block_lengths(void **state)
{
	struct pair p = pair_new(NULL, other_4k);
	struct plist l = plist(1, 0);
	struct scsi_fake_reply r;

	(void)state;
	fill(p.a);
	add_cscd(&l, p.a);
	add_cscd(&l, p.b);
	add_segment(&l, 0, 1, 16, 8, 5);
	add_segment(&l, 0, 1, 3, 100, 9)[1] = 0x02; /* DC: blocks of the destination */
	assert_good(copy(p.a, &l));
	assert_memory_equal(p.b->bytes + 5 * 4096, p.a->bytes + 8 * BLOCK, 16 * BLOCK);
	assert_memory_equal(p.b->bytes + 9 * 4096, p.a->bytes + 100 * BLOCK, 3 * 4096);
	r = copy_status(p.a, 1);
	assert_int_equal(get_be32(r.in + 8), 5 * 4096);

	l = plist(1, 0);
	add_cscd(&l, p.a);
	add_cscd(&l, p.b);
	add_segment(&l, 0, 1, 8, 8, 5);
	add_segment(&l, 0, 1, 9, 8, 5);
	r = copy(p.a, &l);
	assert_copy_aborted(&r, 0x26, 0x0a, 1);
	pair_free(p);
}

struct copier {
	struct scsi_fake *f;
	struct plist l;
	uint64_t n_failed;
};

static void *
copier_main(void *arg)
{
	struct copier *c = arg;

	for (unsigned i = 0; i < 100; i++)
		c->n_failed += copy(c->f, &c->l).res.status != SCSI_GOOD;
	return NULL;
}

/* Each unit takes one request at a time, and each copy needs both. */
static void
copies_in_both_directions_end(void **state)
{
	struct pair p = pair_new(single, other_single);
	struct copier c[2] = {{p.a, plist(1, 0), 0}, {p.a, plist(2, 0), 0}};
	pthread_t threads[2];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		add_cscd(&c[i].l, i ? p.b : p.a);
		add_cscd(&c[i].l, i ? p.a : p.b);
		add_segment(&c[i].l, 0, 1, 64, 0, 100);
		assert_int_equal(pthread_create(&threads[i], NULL, copier_main, &c[i]), 0);
	}
	for (unsigned i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(c[i].n_failed, 0);
	}
	pair_free(p);
}

static void
copy_to_a_protected_unit_fails(void **state)
{
	struct pair p = pair_new(NULL, other_protected);
	struct plist l = plist(1, 0);
	struct scsi_fake_reply r;

	(void)state;
	add_cscd(&l, p.a);
	add_cscd(&l, p.b);
	add_segment(&l, 1, 0, 1, 0, 0);
	add_segment(&l, 0, 1, 1, 0, 0);
	r = copy(p.a, &l);
	assert_copy_aborted(&r, 0x0d, 0x01, 1);
	assert_int_equal(p.b->n_requests[SCSI_IO_WRITE], 0);
	pair_free(p);
}

/* A reservation keeps copies off as it keeps writes off, on whatever LUN they were asked for. */
static void
copy_minds_reservations(void **state)
{
	struct pair p = pair_new(NULL, other_single);
	struct scsi_nexus *holder = p.a->nexuses[1];
	static const uint8_t reserve[6] = {0x16}, release[6] = {0x17};
	struct plist l = plist(1, 0);
	struct scsi_fake_reply r;

	(void)state;
	add_cscd(&l, p.a);
	add_cscd(&l, p.b);
	add_segment(&l, 0, 1, 1, 0, 0);
	for (unsigned lun = 0; lun < 2; lun++)
		do /* until its unit attentions are told */
			r = scsi_fake_run_at(holder, scsi_lun_encode(lun), release, 6, NULL, 0,
					     NULL, 0);
		while (r.res.status != SCSI_GOOD);
	assert_good(scsi_fake_run_at(holder, scsi_lun_encode(1), reserve, 6, NULL, 0, NULL, 0));
	r = copy(p.a, &l);
	assert_copy_aborted(&r, 0x0d, 0x01, 0);
	assert_int_equal(p.b->n_requests[SCSI_IO_WRITE], 0);
	assert_good(scsi_fake_run_at(holder, scsi_lun_encode(1), release, 6, NULL, 0, NULL, 0));
	assert_good(copy(p.a, &l));
	assert_good(scsi_fake_run_at(holder, 0, reserve, 6, NULL, 0, NULL, 0));
	assert_int_equal(copy(p.a, &l).res.status, SCSI_RESERVATION_CONFLICT);
	pair_free(p);
}

static void
failure_of_a_program_aborts_the_copy(void **state)
{
	struct scsi_fake *f = *state;
	struct scsi_result failure = scsi_sense(SENSE_WRITE_ERROR);
	struct plist l = one_block(f, 1);
	struct scsi_fake_reply r;

	scsi_fake_fail(f, &failure);
	r = copy(f, &l);
	assert_copy_aborted(&r, 0x0d, 0x01, 0);
	scsi_fake_fail(f, NULL);
}

static void
stopped_unit_is_not_reachable(void **state)
{
	struct pair p = pair_new(NULL, other_single);
	struct scsi_lu *lu = scsi_unit_lu(p.b->unit);
	struct plist l = plist(1, 0);
	struct scsi_fake_reply r;

	(void)state;
	add_cscd(&l, p.a);
	add_cscd(&l, p.b);
	add_segment(&l, 0, 1, 1, 0, 0);
	mutex_lock(&lu->lock);
	lu->stopped = true;
	mutex_unlock(&lu->lock);
	r = copy(p.a, &l);
	assert_copy_aborted(&r, 0x0d, 0x02, 0);
	pair_free(p);
}

/* ---------------------------------------------------------------- parameter lists */

static void
empty_lists_are_good(void **state)
{
	struct scsi_fake *f = *state;
	struct plist l = plist(1, 0);

	assert_good(ask(f, cdb_16(0x83, 0, 0, 0)));
	assert_good(copy(f, &l));
	add_cscd(&l, f);
	assert_good(copy(f, &l));
}

static void
lists_that_are_cut_are_errors(void **state)
{
	struct scsi_fake *f = *state;
	struct plist l = one_block(f, 1);

	for (size_t n = 1; n < l.n; n++)
		assert_sense(copy_of_size(f, &l, n), PARAMETER_LIST_LENGTH);
	assert_sense(run(f, cdb_16(0x83, 0, 0, (uint32_t)l.n), l.bytes, l.n - 1),
		     PARAMETER_LIST_LENGTH);
	assert_int_equal(n_requests(f), 0);
}

static void
descriptors_have_limits(void **state)
{
	struct scsi_fake *f = *state;
	struct plist l = plist(1, 0);

	for (unsigned i = 0; i < CSCDS_MAX; i++)
		add_cscd(&l, f);
	for (unsigned i = 0; i < SEGMENTS_MAX; i++)
		add_segment(&l, 0, CSCDS_MAX - 1, 1, i, 2047);
	assert_good(copy(f, &l));
	add_segment(&l, 0, 0, 1, 0, 1);
	assert_sense(copy(f, &l), TOO_MANY_SEGMENT_DESCRIPTORS);

	l = plist(1, 0);
	for (unsigned i = 0; i < CSCDS_MAX + 1; i++)
		add_cscd(&l, f);
	add_segment(&l, 0, 0, 1, 0, 1);
	assert_sense(copy(f, &l), TOO_MANY_TARGET_DESCRIPTORS);
	while (l.n - HEADER <= 2048)
		add_segment(&l, 0, 0, 1, 0, 1);
	assert_sense(copy(f, &l), PARAMETER_LIST_LENGTH);
}

static void
header_fields_are_checked(void **state)
{
	struct scsi_fake *f = *state;
	struct plist l = one_block(f, 1);

	l.bytes[1] = 1 << 3;
	assert_bad_parameter(copy(f, &l), 1, 4);
	l.bytes[1] = 3 << 3;
	assert_bad_parameter(copy(f, &l), 0, SCSI_FIELD_BYTE);
	l.bytes[0] = 0;
	assert_good(copy(f, &l));
	put_be32(l.bytes + 12, 1);
	assert_sense(copy(f, &l), INLINE_DATA_LENGTH_EXCEEDED);
	put_be32(l.bytes + 12, 0);
	put_be16(l.bytes + 2, CSCD - 1);
	assert_bad_parameter(copy(f, &l), 2, SCSI_FIELD_BYTE);
	put_be16(l.bytes + 2, CSCD);
	put_be32(l.bytes + 8, SEGMENT - 1);
	assert_bad_parameter(copy(f, &l), HEADER + CSCD + 2, SCSI_FIELD_BYTE);
	put_be32(l.bytes + 8, 3);
	assert_bad_parameter(copy(f, &l), 8, SCSI_FIELD_BYTE);
	put_be32(l.bytes + 8, UINT32_MAX);
	assert_sense(copy(f, &l), PARAMETER_LIST_LENGTH);
}

static void
descriptor_types_are_checked(void **state)
{
	struct scsi_fake *f = *state;
	struct plist l = one_block(f, 1);

	l.bytes[HEADER] = 0xe0;
	assert_sense(copy(f, &l), UNSUPPORTED_TARGET_DESCRIPTOR);
	l.bytes[HEADER] = 0xe4;
	l.bytes[HEADER + CSCD] = 0x03;
	assert_sense(copy(f, &l), UNSUPPORTED_SEGMENT_DESCRIPTOR);
	l.bytes[HEADER + CSCD] = 0x02;
	put_be16(l.bytes + HEADER + CSCD + 2, SEGMENT);
	assert_bad_parameter(copy(f, &l), HEADER + CSCD + 2, SCSI_FIELD_BYTE);
}

static void
cscd_fields_are_checked(void **state)
{
	struct scsi_fake *f = *state;
	struct plist l = one_block(f, 1);
	uint8_t *d = l.bytes + HEADER;
	struct scsi_fake_reply r;

	d[1] = 0x40; /* LU ID TYPE */
	assert_bad_parameter(copy(f, &l), HEADER + 1, 7);
	d[1] = 0xc0;
	assert_bad_parameter(copy(f, &l), HEADER + 1, 7);
	d[1] = 0x20; /* NUL */
	r = copy(f, &l);
	assert_copy_aborted(&r, 0x0d, 0x02, 0);
	d[1] = 0x01; /* a tape */
	assert_sense(copy(f, &l), INCORRECT_COPY_TARGET_TYPE);
	d[1] = 0;
	d[7] = 21;
	assert_bad_parameter(copy(f, &l), HEADER + 7, SCSI_FIELD_BYTE);
	d[7] = 8;
	put_be24(d + 29, 520);
	assert_bad_parameter(copy(f, &l), HEADER + 29, SCSI_FIELD_BYTE);
	put_be24(d + 29, BLOCK);
	d[15] ^= 1; /* another unit, of which nobody knows */
	r = copy(f, &l);
	assert_copy_aborted(&r, 0x0d, 0x02, 0);
	d[15] ^= 1;
	d[5] = 2; /* EUI-64 */
	r = copy(f, &l);
	assert_copy_aborted(&r, 0x0d, 0x02, 0);
}

static void
segment_fields_are_checked_when_it_comes_to_them(void **state)
{
	struct scsi_fake *f = *state;
	static const struct {
		uint16_t from, to, n;
		uint64_t from_lba, to_lba;
		uint8_t asc, ascq;
	} bad[] = {
		{0, 1, 1, 0, 0, 0x0d, 0x02},    {1, 0, 1, 0, 0, 0x0d, 0x02},
		{0xffff, 0, 1, 0, 0, 0x0d, 0x02}, {0, 0, 2, 2047, 0, 0, 0},
		{0, 0, 2, 0, 2047, 0, 0},       {0, 0, 1, UINT64_MAX, 0, 0, 0},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		struct plist l = one_block(f, 1);
		struct scsi_fake_reply r;

		fill(f);
		add_segment(&l, bad[i].from, bad[i].to, bad[i].n, bad[i].from_lba, bad[i].to_lba);
		r = copy(f, &l);
		assert_copy_aborted(&r, bad[i].asc, bad[i].ascq, 1);
		assert_memory_equal(f->bytes, f->bytes + BLOCK, BLOCK); /* the first was copied */
	}
}

/* ---------------------------------------------------------------- results */

static void
status_of_a_list_nobody_knows(void **state)
{
	struct scsi_fake *f = *state;
	struct plist l = one_block(f, 0);

	assert_bad_cdb(copy_status(f, 1), 2, SCSI_FIELD_BYTE);
	assert_bad_cdb(results_for(f, 0, 0x04, 1), 2, SCSI_FIELD_BYTE);
	l.bytes[1] = 3 << 3; /* without an identifier */
	assert_good(copy(f, &l));
	assert_bad_cdb(copy_status(f, 0), 2, SCSI_FIELD_BYTE);
	l.bytes[1] = 0;
	l.bytes[HEADER] = 0xe0; /* never begun */
	assert_sense(copy(f, &l), UNSUPPORTED_TARGET_DESCRIPTOR);
	assert_bad_cdb(copy_status(f, 0), 2, SCSI_FIELD_BYTE);
	/* RECEIVE COPY DATA is not there */
	assert_bad_cdb(results_for(f, 0, 0x01, 0), 1, 4);
}

static void
status_of_copies(void **state)
{
	struct scsi_fake *f = *state;
	struct plist l = one_block(f, 7);
	const uint8_t good[12] = {0, 0, 0, 8, 0x01, 0, 1, 0, 0, 0, 2, 0};
	const uint8_t bad[12] = {0, 0, 0, 8, 0x02, 0, 1, 0, 0, 0, 2, 0};
	struct scsi_fake_reply r;

	assert_good(copy(f, &l));
	r = copy_status(f, 7);
	assert_good(r);
	assert_int_equal(r.n_in, 12);
	assert_memory_equal(r.in, good, 12);
	r = results_for(f, 0, 0x04, 7);
	assert_good(r);
	assert_int_equal(r.n_in, 4);
	assert_int_equal(get_be32(r.in), 0);
	assert_bad_cdb(results_for(f, 1, 0x00, 7), 2, SCSI_FIELD_BYTE); /* of another nexus */

	add_segment(&l, 0, 1, 1, 0, 0);
	assert_false(scsi_ok(copy(f, &l).res));
	r = copy_status(f, 7);
	assert_memory_equal(r.in, bad, 12);
	r = results_for(f, 0, 0x04, 7);
	assert_good(r);
	assert_int_equal(get_be32(r.in), r.n_in - 4);
	assert_int_equal(r.in[56], SCSI_CHECK_CONDITION);
	assert_int_equal(get_be16(r.in + 58), r.n_in - 60);
	assert_int_equal(r.in[60] & 0x7f, 0x70);
	assert_int_equal(r.in[62] & 0x0f, SCSI_KEY_COPY_ABORTED);
	assert_int_equal(get_be16(r.in + 70), 1); /* the segment */
	assert_int_equal(get_be16(r.in + 72), 0x0d02);
}

static void
status_of_a_copy_that_runs(void **state)
{
	struct scsi_fake *f = *state;
	struct plist l = one_block(f, 3);
	struct cdb c = cdb_16(0x83, 0, 0, (uint32_t)l.n);
	struct scsi_fake_task t;
	struct scsi_fake_reply r;

	scsi_fake_hold(f);
	assert_true(scsi_fake_begin(&t, f->nexuses[0], 0, c.bytes, c.n, SCSI_SIMPLE, 77));
	scsi_fake_execute(&t, l.bytes, l.n);
	scsi_fake_wait_held(f, 1);
	r = copy_status(f, 3);
	assert_good(r);
	assert_int_equal(r.in[4], 0x00);
	r = copy(f, &l);
	assert_int_equal(r.res.key, SCSI_KEY_ILLEGAL_REQUEST);
	assert_int_equal(r.res.asc << 8 | r.res.ascq, 0x0016);
	scsi_fake_release(f);
	scsi_fake_wait(&t);
	assert_int_equal(t.task.result.status, SCSI_GOOD);
	scsi_fake_task_fini(&t);
	assert_int_equal(copy_status(f, 3).in[4], 0x01);
}

static void
oldest_results_make_room(void **state)
{
	struct scsi_fake *f = *state;

	for (unsigned id = 1; id <= 17; id++) {
		struct plist l = one_block(f, (uint8_t)id);

		assert_good(copy(f, &l));
	}
	assert_bad_cdb(copy_status(f, 1), 2, SCSI_FIELD_BYTE);
	for (unsigned id = 2; id <= 17; id++)
		assert_good(copy_status(f, (uint8_t)id));
}

static void
results_go_with_the_nexus(void **state)
{
	struct scsi_fake *f = *state;
	struct scsi_lu *lu = scsi_unit_lu(f->unit);
	struct plist l = one_block(f, 1);

	assert_good(copy(f, &l));
	mutex_lock(&lu->lock);
	scsi_copy_forget_locked(lu, f->nexuses[1]);
	mutex_unlock(&lu->lock);
	assert_good(copy_status(f, 1));
	mutex_lock(&lu->lock);
	scsi_copy_forget_locked(lu, f->nexuses[0]);
	mutex_unlock(&lu->lock);
	assert_bad_cdb(copy_status(f, 1), 2, SCSI_FIELD_BYTE);
}

struct response {
	struct mutex lock;
	struct cond came;
	bool is_there;
	enum scsi_tmf_response what;
};

static void
note_response(void *ctx, enum scsi_tmf_response what)
{
	struct response *r = ctx;

	mutex_lock(&r->lock);
	r->is_there = true;
	r->what = what;
	cond_signal(&r->came);
	mutex_unlock(&r->lock);
}

static enum scsi_tmf_response
wait_response(struct response *r)
{
	mutex_lock(&r->lock);
	while (!r->is_there)
		cond_wait(&r->came, &r->lock);
	mutex_unlock(&r->lock);
	mutex_fini(&r->lock);
	cond_fini(&r->came);
	return r->what;
}

static void
aborted_copy_ends(void **state)
{
	struct scsi_fake *f = *state;
	struct plist l = plist(3, 0);
	struct cdb c = cdb_16(0x83, 0, 0, HEADER + CSCD + 2 * SEGMENT);
	struct response response = {.is_there = false};
	struct scsi_fake_task t;

	mutex_init(&response.lock);
	cond_init(&response.came);
	add_cscd(&l, f);
	add_segment(&l, 0, 0, 1, 0, 1);
	add_segment(&l, 0, 0, 1, 0, 2);
	fill(f);
	scsi_fake_hold(f);
	assert_true(scsi_fake_begin(&t, f->nexuses[0], 0, c.bytes, c.n, SCSI_SIMPLE, 77));
	scsi_fake_execute(&t, l.bytes, l.n);
	scsi_fake_wait_held(f, 1);
	scsi_tmf(f->nexuses[0], SCSI_TMF_ABORT_TASK, 0, 77, note_response, &response);
	scsi_fake_release(f);
	scsi_fake_wait(&t);
	assert_int_equal(wait_response(&response), SCSI_TMF_COMPLETE);
	assert_true(t.task.aborted);
	scsi_fake_task_fini(&t);
	assert_memory_not_equal(f->bytes + 2 * BLOCK, f->bytes, BLOCK);
}

static void
operating_parameters_say_the_limits(void **state)
{
	struct scsi_fake *f = *state;
	struct scsi_fake_reply r = results_for(f, 0, 0x03, 0);

	assert_good(r);
	assert_int_equal(get_be32(r.in), r.n_in - 4);
	assert_int_equal(get_be16(r.in + 8), CSCDS_MAX);
	assert_int_equal(get_be16(r.in + 10), SEGMENTS_MAX);
	assert_int_equal(get_be32(r.in + 12), 2048);
	assert_int_equal(r.in[43], r.n_in - 44);
	assert_int_equal(r.in[44], 0x02);
	assert_int_equal(r.in[45], 0xe4);
}

/* Each descriptor: type, length of the rest, a multiple of 4. */
static void
vpd_page_is_a_list_of_descriptors(void **state)
{
	struct scsi_fake *f = *state;
	static const uint16_t types[] = {0x0001, 0x0004, 0x0008, 0x8001};
	uint8_t page[256] = {0};
	size_t size = scsi_copy_vpd(scsi_unit_lu(f->unit), page, sizeof(page)), at = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
		assert_int_equal(get_be16(page + at), types[i]);
		assert_int_equal(get_be16(page + at + 2) % 4, 0);
		at += 4u + get_be16(page + at + 2);
	}
	assert_int_equal(at, size);
	assert_int_equal(get_be32(page + 16 + 12), 2048); /* MAXIMUM DESCRIPTOR LIST LENGTH */
	assert_true(scsi_copy_vpd(scsi_unit_lu(f->unit), page, 20) <= 20);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fake_setup, fake_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(copy_moves_segments),
		TEST(copy_of_overlapping_ranges_moves),
		cmocka_unit_test(copy_between_block_lengths),
		cmocka_unit_test(copies_in_both_directions_end),
		cmocka_unit_test(copy_to_a_protected_unit_fails),
		cmocka_unit_test(copy_minds_reservations),
		TEST(failure_of_a_program_aborts_the_copy),
		cmocka_unit_test(stopped_unit_is_not_reachable),
		TEST(empty_lists_are_good),
		TEST(lists_that_are_cut_are_errors),
		TEST(descriptors_have_limits),
		TEST(header_fields_are_checked),
		TEST(descriptor_types_are_checked),
		TEST(cscd_fields_are_checked),
		TEST(segment_fields_are_checked_when_it_comes_to_them),
		TEST(status_of_a_list_nobody_knows),
		TEST(status_of_copies),
		TEST(status_of_a_copy_that_runs),
		TEST(oldest_results_make_room),
		TEST(results_go_with_the_nexus),
		TEST(aborted_copy_ends),
		TEST(operating_parameters_say_the_limits),
		TEST(vpd_page_is_a_list_of_descriptors),
	};

	return cmocka_run_group_tests_name("scsi-copy", tests, NULL, NULL);
}
