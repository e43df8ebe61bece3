/*
 * EXTENDED COPY (LID1) and RECEIVE COPY RESULTS, SPC-4 6.4 and 6.25: blocks between units of one
 * target, without passing the initiator. CSCD descriptors name units by NAA (VPD 83h).
 *
 *	parse      the whole parameter list, without touching a block: ILLEGAL REQUEST
 *	process    segment by segment: COPY ABORTED, with the segment's number
 *	keep       how it went, by nexus and list identifier, until asked for or pushed out
 */
#include <assert.h>
#include <stdlib.h>

#include "scsi/block_priv.h"

enum {
	HEADER = 16,
	CSCD_SIZE = 32,
	SEGMENT_SIZE = 28, /* of block to block */
	CSCD_MAX = 16,
	SEGMENTS_MAX = 32,
	DESCRIPTORS_MAX = 2048, /* bytes of both lists */
	COPIES_MAX = 16,        /* results kept for one unit */
	CSCD_IDENTIFICATION = 0xe4,
	CSCD_LU_ID_TYPE = 0xc0, /* byte 1 */
	CSCD_NUL = 0x20,
	CSCD_DEVICE_TYPE = 0x1f,
	SEGMENT_BLOCK_TO_BLOCK = 0x02,
	SEGMENT_DC = 0x02, /* the count is in blocks of the destination */
	SENSE_AT = 60,     /* FAILED SEGMENT DETAILS */
	OPERATING_SIZE = 46
};

/* LIST ID USAGE, SPC-4 table 107 */
enum { LIST_ID_HOLD = 0, LIST_ID_RESERVED = 1, LIST_ID_DISCARD = 2, LIST_ID_NONE = 3 };

/* COPY MANAGER STATUS, SPC-4 table 224 */
enum { COPY_RUNS = 0, COPY_DONE = 1, COPY_FAILED = 2 };

struct copy_result {
	bool used;
	uint8_t list_id;
	uint8_t status;
	uint16_t n_segments;
	uint64_t age; /* the larger the younger */
	uint64_t n_bytes;
	const struct scsi_nexus *nexus; /* NULL: nobody can ask any more */
	struct scsi_result failure;     /* with COPY_FAILED */
};

struct scsi_copy { /* under lu->lock */
	struct copy_result results[COPIES_MAX];
	uint64_t next_age;
};

struct segment {
	uint16_t source, destination; /* CSCD descriptors */
	bool in_destination_blocks;
	uint16_t n_blocks;
	uint64_t source_lba, destination_lba;
};

struct copy_list {
	uint8_t list_id, usage;
	size_t n_cscds, n_segments;
	struct scsi_unit *cscds[CSCD_MAX]; /* references; NULL: not reachable */
	struct segment segments[SEGMENTS_MAX];
};

/* ---------------------------------------------------------------- results */

void
scsi_copy_destroy(struct scsi_copy *copy)
{
	free(copy);
}

void
scsi_copy_forget_locked(struct scsi_lu *lu, const struct scsi_nexus *nexus)
{
	for (size_t i = 0; lu->copy && i < COPIES_MAX; i++) {
		struct copy_result *r = &lu->copy->results[i];

		if (nexus && r->nexus != nexus)
			continue;
		r->nexus = NULL;
		r->used = r->used && r->status == COPY_RUNS;
	}
}

static struct copy_result *
result_find_locked(struct scsi_copy *copy, const struct scsi_nexus *nexus, uint8_t list_id)
{
	for (size_t i = 0; copy && i < COPIES_MAX; i++) {
		struct copy_result *r = &copy->results[i];

		if (r->used && r->nexus == nexus && r->list_id == list_id)
			return r;
	}
	return NULL;
}

/* One that is free, else the oldest that has ended; NULL: all run. */
static struct copy_result *
result_room_locked(struct scsi_copy *copy)
{
	struct copy_result *oldest = NULL;

	for (size_t i = 0; i < COPIES_MAX; i++) {
		struct copy_result *r = &copy->results[i];

		if (!r->used)
			return r;
		if (r->status != COPY_RUNS && (!oldest || r->age < oldest->age))
			oldest = r;
	}
	return oldest;
}

static struct scsi_result
result_begin_locked(struct scsi_lu *lu, const struct scsi_task *task, const struct copy_list *list,
		    struct copy_result **ret_result)
{
	struct scsi_result busy = scsi_sense(SENSE_OPERATION_IN_PROGRESS);
	struct copy_result *r = NULL;

	if (!lu->copy)
		lu->copy = calloc(1, sizeof(*lu->copy));
	if (!lu->copy)
		return scsi_status_only(SCSI_BUSY);
	if (list->usage != LIST_ID_NONE)
		r = result_find_locked(lu->copy, task->nexus, list->list_id);
	if (r && r->status == COPY_RUNS) {
		busy.key = SCSI_KEY_ILLEGAL_REQUEST;
		return busy;
	}
	if (!r)
		r = result_room_locked(lu->copy);
	if (!r)
		return scsi_sense(SENSE_INSUFFICIENT_RESOURCES);
	*r = (struct copy_result){.used = true,
				  .list_id = list->list_id,
				  .status = COPY_RUNS,
				  .age = lu->copy->next_age++,
				  .nexus = list->usage == LIST_ID_NONE ? NULL : task->nexus};
	*ret_result = r;
	return scsi_good();
}

static struct scsi_result
result_begin(struct scsi_task *task, const struct copy_list *list, struct copy_result **ret_result)
{
	struct scsi_lu *lu = task->lu;
	struct scsi_result res;

	mutex_lock(&lu->lock);
	res = result_begin_locked(lu, task, list, ret_result);
	mutex_unlock(&lu->lock);
	return res;
}

static void
result_end(struct scsi_task *task, struct copy_result *r, struct scsi_result res)
{
	mutex_lock(&task->lu->lock);
	r->status = scsi_ok(res) ? COPY_DONE : COPY_FAILED;
	r->failure = res;
	r->used = r->nexus != NULL;
	mutex_unlock(&task->lu->lock);
}

/* ---------------------------------------------------------------- parameter list */

/* In order of SPC-4 6.4.3.1: lengths before contents. */
static struct scsi_result
parse_header(const uint8_t *p, size_t size, struct copy_list *list)
{
	size_t cscds, segments, inline_data;

	if (size < HEADER)
		return scsi_sense(SENSE_PARAMETER_LIST_LENGTH);
	cscds = get_be16(p + 2);
	segments = get_be32(p + 8);
	inline_data = get_be32(p + 12);
	if (cscds + segments > DESCRIPTORS_MAX || cscds + segments > size - HEADER)
		return scsi_sense(SENSE_PARAMETER_LIST_LENGTH);
	if (inline_data > 0)
		return scsi_sense(SENSE_INLINE_DATA_LENGTH_EXCEEDED);
	if (cscds % CSCD_SIZE != 0)
		return scsi_bad_parameter(2, SCSI_FIELD_BYTE);
	list->list_id = p[0];
	list->usage = p[1] >> 3 & 3;
	if (list->usage == LIST_ID_RESERVED)
		return scsi_bad_parameter(1, 4);
	if (list->usage == LIST_ID_NONE && list->list_id != 0)
		return scsi_bad_parameter(0, SCSI_FIELD_BYTE);
	list->n_cscds = cscds / CSCD_SIZE;
	if (list->n_cscds > CSCD_MAX)
		return scsi_sense(SENSE_TOO_MANY_TARGET_DESCRIPTORS);
	return scsi_good();
}

static struct scsi_unit *
find_by_naa(struct scsi_target *target, uint64_t naa)
{
	struct scsi_unit *found = NULL;

	mutex_lock(&target->lock);
	for (size_t i = 0; i < ARRAY_SIZE(target->luns) && !found; i++) {
		struct scsi_unit *unit = target->luns[i].unit;

		if (unit && scsi_unit_naa(scsi_unit_params(unit)) == naa)
			found = scsi_unit_ref(unit);
	}
	mutex_unlock(&target->lock);
	return found;
}

/* SPC-4 6.4.5.2: code set binary, association logical unit, NAA, 8 bytes. */
static bool
names_naa(const uint8_t *d)
{
	return (d[4] & 0x0f) == 1 && (d[5] & 0x3f) == 3 && d[7] == 8;
}

/*
 * INQUIRY says SPC-3, in which LU ID TYPE is 0 for all that is no proxy token, and NUL asks for a
 * null device: there is none that could be reached.
 */
static struct scsi_result
parse_cscd(struct scsi_task *task, const uint8_t *d, size_t at, struct scsi_unit **ret_unit)
{
	struct scsi_unit *unit = NULL;

	if (d[0] != CSCD_IDENTIFICATION)
		return scsi_sense(SENSE_UNSUPPORTED_TARGET_DESCRIPTOR);
	if (d[1] & CSCD_LU_ID_TYPE)
		return scsi_bad_parameter((unsigned)at + 1, 7);
	if (d[1] & CSCD_DEVICE_TYPE)
		return scsi_sense(SENSE_INCORRECT_COPY_TARGET_TYPE);
	if (d[7] > 20)
		return scsi_bad_parameter((unsigned)at + 7, SCSI_FIELD_BYTE);
	if (names_naa(d) && !(d[1] & CSCD_NUL))
		unit = find_by_naa(task->nexus->target, get_be64(d + 8));
	*ret_unit = unit;
	if (unit && scsi_unit_params(unit)->block_length != get_be24(d + 29))
		return scsi_bad_parameter((unsigned)at + 29, SCSI_FIELD_BYTE);
	return scsi_good();
}

static struct scsi_result
parse_segment(const uint8_t *d, size_t left, size_t at, struct segment *s)
{
	if (d[0] != SEGMENT_BLOCK_TO_BLOCK)
		return scsi_sense(SENSE_UNSUPPORTED_SEGMENT_DESCRIPTOR);
	if (left < SEGMENT_SIZE || get_be16(d + 2) != SEGMENT_SIZE - 4)
		return scsi_bad_parameter((unsigned)at + 2, SCSI_FIELD_BYTE);
	*s = (struct segment){.source = get_be16(d + 4),
			      .destination = get_be16(d + 6),
			      .in_destination_blocks = d[1] & SEGMENT_DC,
			      .n_blocks = get_be16(d + 10),
			      .source_lba = get_be64(d + 12),
			      .destination_lba = get_be64(d + 20)};
	return scsi_good();
}

/* Segments have a length each: any type is at least 4 bytes. */
static struct scsi_result
parse_segments(const uint8_t *p, size_t at, struct copy_list *list)
{
	size_t end = at + get_be32(p + 8);

	while (at < end) {
		struct scsi_result res;

		if (list->n_segments == SEGMENTS_MAX)
			return scsi_sense(SENSE_TOO_MANY_SEGMENT_DESCRIPTORS);
		if (end - at < 4)
			return scsi_bad_parameter(8, SCSI_FIELD_BYTE);
		res = parse_segment(p + at, end - at, at, &list->segments[list->n_segments]);
		if (!scsi_ok(res))
			return res;
		list->n_segments++;
		at += SEGMENT_SIZE;
	}
	return scsi_good();
}

static struct scsi_result
parse_list(struct scsi_task *task, const uint8_t *p, size_t size, struct copy_list *list)
{
	struct scsi_result res = parse_header(p, size, list);
	size_t at = HEADER;

	for (size_t i = 0; scsi_ok(res) && i < list->n_cscds; i++, at += CSCD_SIZE)
		res = parse_cscd(task, p + at, at, &list->cscds[i]);
	return scsi_ok(res) ? parse_segments(p, at, list) : res;
}

static void
list_fini(struct copy_list *list)
{
	for (size_t i = 0; i < CSCD_MAX; i++)
		scsi_unit_unref(list->cscds[i]);
}

/* ---------------------------------------------------------------- copying */

/* A segment as units see it. */
struct move {
	struct scsi_unit *from, *to;
	uint64_t from_lba, to_lba, n_bytes;
	uint32_t piece; /* bytes, whole blocks of both */
	bool backward;  /* ranges overlap, and the destination is above */
};

static uint32_t
length_of(const struct scsi_unit *unit)
{
	return scsi_unit_params(unit)->block_length;
}

/* Not the CSCD's word but the copy manager's: SPC-4 has no code of its own for it. */
static struct scsi_result
copy_aborted(void)
{
	struct scsi_result res = scsi_sense(SENSE_NONE);

	res.key = SCSI_KEY_COPY_ABORTED;
	return res;
}

static bool
is_reachable(struct scsi_unit *unit)
{
	struct scsi_lu *lu = scsi_unit_lu(unit);
	bool reachable;

	mutex_lock(&lu->lock);
	reachable = !lu->stopped && !lu->ejected && !lu->sanitizing;
	mutex_unlock(&lu->lock);
	return reachable;
}

static struct scsi_result
check_side(struct scsi_task *task, struct scsi_unit *unit, uint64_t lba, uint64_t n_bytes,
	   enum scsi_io_kind kind)
{
	uint64_t n_blocks = n_bytes / length_of(unit);

	if (!is_reachable(unit))
		return scsi_sense(SENSE_COPY_TARGET_NOT_REACHABLE);
	if (n_bytes % length_of(unit) != 0)
		return scsi_sense(SENSE_UNEXPECTED_INEXACT_SEGMENT);
	if (!scsi_ok(scsi_unit_check_range(unit, lba, n_blocks)))
		return copy_aborted();
	if (!scsi_ok(scsi_unit_check_access(unit, task->nexus, kind)))
		return scsi_sense(SENSE_THIRD_PARTY_DEVICE_FAILURE);
	return scsi_good();
}

static struct scsi_unit *
cscd(const struct copy_list *list, uint16_t i)
{
	return i < list->n_cscds ? list->cscds[i] : NULL;
}

/* 0: larger than what a piece may be. Lengths that differ are mostly 512 and 4096. */
static uint32_t
common_multiple(uint32_t a, uint32_t b)
{
	uint32_t x = a, y = b;
	uint64_t multiple;

	while (y) {
		uint32_t rest = x % y;

		x = y;
		y = rest;
	}
	multiple = (uint64_t)a / x * b;
	return multiple <= SCSI_TRANSFER_MAX ? (uint32_t)multiple : 0;
}

static struct scsi_result
move_prepare(struct scsi_task *task, const struct copy_list *list, const struct segment *s,
	     struct move *m)
{
	struct scsi_result res;
	uint32_t unit_length;

	*m = (struct move){.from = cscd(list, s->source),
			   .to = cscd(list, s->destination),
			   .from_lba = s->source_lba,
			   .to_lba = s->destination_lba};
	if (!m->from || !m->to)
		return scsi_sense(SENSE_COPY_TARGET_NOT_REACHABLE);
	unit_length = length_of(s->in_destination_blocks ? m->to : m->from);
	m->n_bytes = (uint64_t)s->n_blocks * unit_length;
	m->piece = common_multiple(length_of(m->from), length_of(m->to));
	if (m->piece == 0)
		return scsi_sense(SENSE_UNEXPECTED_INEXACT_SEGMENT);
	m->piece *= MAX(SCSI_BLOCK_SCRATCH / m->piece, 1u);
	m->backward = m->from == m->to && m->to_lba > m->from_lba;
	res = check_side(task, m->from, m->from_lba, m->n_bytes, SCSI_IO_READ);
	if (scsi_ok(res))
		res = check_side(task, m->to, m->to_lba, m->n_bytes, SCSI_IO_WRITE);
	return res;
}

static struct scsi_result
move_io(struct scsi_task *task, struct scsi_unit *unit, enum scsi_io_kind kind, uint64_t lba,
	uint64_t at, uint32_t n_bytes, uint8_t *data)
{
	uint32_t length = length_of(unit);
	struct scsi_io io = {.kind = kind,
			     .lba = lba + at / length,
			     .n_blocks = n_bytes / length,
			     .data = data,
			     .nexus = task->nexus};

	if (kind == SCSI_IO_WRITE) {
		struct scsi_lu *lu = scsi_unit_lu(unit);

		mutex_lock(&lu->lock);
		io.fua = !lu->mode.wce;
		mutex_unlock(&lu->lock);
	}
	return scsi_unit_io(unit, &io);
}

static struct scsi_result
move_piece(struct scsi_task *task, const struct move *m, uint64_t at, uint32_t n, uint8_t *scratch)
{
	struct scsi_result res =
		move_io(task, m->from, SCSI_IO_READ, m->from_lba, at, n, scratch);

	if (scsi_ok(res))
		res = move_io(task, m->to, SCSI_IO_WRITE, m->to_lba, at, n, scratch);
	return scsi_ok(res) ? res : scsi_sense(SENSE_THIRD_PARTY_DEVICE_FAILURE);
}

static struct scsi_result
move_run(struct scsi_task *task, const struct move *m, uint8_t *scratch, struct copy_result *r)
{
	struct scsi_result res = scsi_good();

	for (uint64_t done = 0; done < m->n_bytes && scsi_ok(res);) {
		uint32_t n = (uint32_t)MIN(m->n_bytes - done, (uint64_t)m->piece);

		if (scsi_task_is_aborted(task))
			return scsi_status_only(SCSI_TASK_ABORTED);
		res = move_piece(task, m, m->backward ? m->n_bytes - done - n : done, n, scratch);
		if (!scsi_ok(res))
			break;
		done += n;
		mutex_lock(&task->lu->lock);
		r->n_bytes += n;
		mutex_unlock(&task->lu->lock);
	}
	return res;
}

static struct scsi_result
run_segment(struct scsi_task *task, const struct copy_list *list, const struct segment *s,
	    struct copy_result *r)
{
	struct move m;
	struct scsi_result res = move_prepare(task, list, s, &m);
	uint8_t *scratch;

	if (!scsi_ok(res) || m.n_bytes == 0)
		return res;
	scratch = scsi_unit_alloc((size_t)MIN(m.n_bytes, (uint64_t)m.piece));
	if (!scratch)
		return scsi_status_only(SCSI_BUSY);
	res = move_run(task, &m, scratch, r);
	scsi_unit_free(scratch);
	return res;
}

/* SPC-4 6.4.3.3: COMMAND-SPECIFIC INFORMATION has the segment's number in its low 16 bits. */
static struct scsi_result
run_segments(struct scsi_task *task, const struct copy_list *list, struct copy_result *r)
{
	for (size_t i = 0; i < list->n_segments; i++) {
		struct scsi_result res = run_segment(task, list, &list->segments[i], r);

		if (!scsi_ok(res)) {
			res.command_info = i;
			return res;
		}
		mutex_lock(&task->lu->lock);
		r->n_segments++;
		mutex_unlock(&task->lu->lock);
	}
	return scsi_good();
}

static struct scsi_result
extended_copy_with(struct scsi_task *task, struct copy_list *list)
{
	struct copy_result *r = NULL;
	const uint8_t *p;
	size_t size;
	struct scsi_result res = scsi_task_parameters(task, &p, &size);

	if (!scsi_ok(res) || size == 0)
		return res;
	res = parse_list(task, p, size, list);
	if (scsi_ok(res))
		res = result_begin(task, list, &r);
	if (!scsi_ok(res))
		return res;
	assert(r);
	res = run_segments(task, list, r);
	result_end(task, r, res);
	return res;
}

static struct scsi_result
extended_copy_run(struct scsi_task *task)
{
	struct copy_list *list = calloc(1, sizeof(*list));
	struct scsi_result res;

	if (!list)
		return scsi_status_only(SCSI_BUSY);
	res = extended_copy_with(task, list);
	list_fini(list);
	free(list);
	return res;
}

/* ---------------------------------------------------------------- RECEIVE COPY RESULTS */

/* A copy of the result; INVALID FIELD IN CDB for a list identifier nobody knows. */
static struct scsi_result
result_get(struct scsi_task *task, struct copy_result *ret_result)
{
	struct copy_result *r;

	mutex_lock(&task->lu->lock);
	r = result_find_locked(task->lu->copy, task->nexus, task->cdb[2]);
	if (r)
		*ret_result = *r;
	mutex_unlock(&task->lu->lock);
	return r ? scsi_good() : scsi_bad_cdb(2, SCSI_FIELD_BYTE);
}

/* TRANSFER COUNT UNITS, SPC-4 table 225: bytes, KiB, MiB …, the finest that fits 32 bits. */
static uint8_t
count_units(uint64_t *n)
{
	uint8_t units = 0;

	for (; *n > UINT32_MAX; units++)
		*n >>= 10;
	return units;
}

/* SPC-4 6.24 */
static struct scsi_result
copy_status_run(struct scsi_task *task)
{
	uint8_t reply[12] = {0, 0, 0, sizeof(reply) - 4};
	struct copy_result r = {0};
	struct scsi_result res = result_get(task, &r);

	if (!scsi_ok(res))
		return res;
	reply[4] = r.status;
	put_be16(reply + 5, r.n_segments);
	reply[7] = count_units(&r.n_bytes);
	put_be32(reply + 8, (uint32_t)r.n_bytes);
	return scsi_task_reply(task, reply, sizeof(reply));
}

/* SPC-4 6.22: AVAILABLE DATA is 0 where there was no failure. */
static struct scsi_result
failed_segment_run(struct scsi_task *task)
{
	uint8_t reply[SENSE_AT + SCSI_SENSE_SIZE_MAX] = {0};
	struct copy_result r = {0};
	struct scsi_result res = result_get(task, &r);
	size_t n_sense, size = 4;

	if (!scsi_ok(res))
		return res;
	if (r.status == COPY_FAILED) {
		n_sense = r.failure.status == SCSI_CHECK_CONDITION ?
				  scsi_sense_format(&r.failure, false, reply + SENSE_AT) :
				  0;
		size = SENSE_AT + n_sense;
		reply[56] = r.failure.status;
		put_be16(reply + 58, (uint16_t)n_sense);
		put_be32(reply, (uint32_t)size - 4);
	}
	return scsi_task_reply(task, reply, size);
}

/* SPC-4 6.23 */
static struct scsi_result
operating_parameters_run(struct scsi_task *task)
{
	uint8_t reply[OPERATING_SIZE] = {0};

	put_be32(reply, sizeof(reply) - 4);
	reply[4] = 0x01; /* SNLID: LIST ID USAGE 11b is supported */
	put_be16(reply + 8, CSCD_MAX);
	put_be16(reply + 10, SEGMENTS_MAX);
	put_be32(reply + 12, DESCRIPTORS_MAX);
	put_be16(reply + 34, COPIES_MAX);
	reply[36] = COPIES_MAX;
	reply[43] = 2; /* descriptor types */
	reply[44] = SEGMENT_BLOCK_TO_BLOCK;
	reply[45] = CSCD_IDENTIFICATION;
	return scsi_task_reply(task, reply, sizeof(reply));
}

/* ---------------------------------------------------------------- VPD 8Fh */

/* SPC-4 7.8.17: third-party copy descriptors, each a type and the bytes after its 4-byte header. */
static const uint8_t vpd_commands[] = {8, 0x83, 1, 0x00, 0x84, 3, 0x00, 0x03, 0x04, 0, 0, 0};
static const uint8_t vpd_parameters[28] = {
	[5] = CSCD_MAX, [7] = SEGMENTS_MAX, [10] = DESCRIPTORS_MAX >> 8};
static const uint8_t vpd_descriptors[] = {2, SEGMENT_BLOCK_TO_BLOCK, CSCD_IDENTIFICATION, 0};
static const uint8_t vpd_general[32] = {[3] = COPIES_MAX, [7] = COPIES_MAX};

size_t
scsi_copy_vpd(const struct scsi_lu *lu, uint8_t *dst, size_t cap)
{
	static const struct {
		uint16_t type;
		uint16_t size;
		const uint8_t *bytes;
	} descriptors[] = {
		{0x0001, sizeof(vpd_commands), vpd_commands},
		{0x0004, sizeof(vpd_parameters), vpd_parameters},
		{0x0008, sizeof(vpd_descriptors), vpd_descriptors},
		{0x8001, sizeof(vpd_general), vpd_general},
	};
	size_t at = 0;

	(void)lu;
	for (size_t i = 0; i < ARRAY_SIZE(descriptors); i++) {
		if (cap - at < 4u + descriptors[i].size)
			break;
		put_be16(dst + at, descriptors[i].type);
		put_be16(dst + at + 2, descriptors[i].size);
		memcpy(dst + at + 4, descriptors[i].bytes, descriptors[i].size);
		at += 4u + descriptors[i].size;
	}
	return at;
}

/* ---------------------------------------------------------------- table */

#define RECEIVE_ROW(action, text, fn)                                                    \
	{.opcode = 0x84, .service_action = (action), .n_cdb = 16, .name = (text),        \
	 SCSI_LENGTH_AT(10, 4), .flags = SCSI_CMD_IN,                                    \
	 .usage = {0x84, (action), 0xff, 0, 0, 0, 0, 0, 0, 0, SCSI_USAGE_LBA4, 0, 0},    \
	 .run = (fn)}

static const struct scsi_command rows[] = {
	{
		.opcode = 0x83,
		.service_action = 0x00,
		.n_cdb = 16,
		.name = "EXTENDED COPY (LID1)",
		SCSI_LENGTH_AT(10, 4),
		.flags = SCSI_CMD_OUT | SCSI_CMD_MEDIUM | SCSI_CMD_BLOCKING,
		.usage = {0x83, 0, 0, 0, 0, 0, 0, 0, 0, 0, SCSI_USAGE_LBA4, 0, 0},
		.run = extended_copy_run,
	},
	RECEIVE_ROW(0x00, "RECEIVE COPY STATUS (LID1)", copy_status_run),
	RECEIVE_ROW(0x03, "RECEIVE COPY OPERATING PARAMETERS", operating_parameters_run),
	RECEIVE_ROW(0x04, "RECEIVE COPY FAILURE DETAILS (LID1)", failed_segment_run),
};

const struct scsi_command_table scsi_commands_copy = {rows, ARRAY_SIZE(rows)};
