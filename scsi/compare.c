/*
 * Commands that read what is there before they answer or write: VERIFY, WRITE AND VERIFY, ORWRITE,
 * COMPARE AND WRITE; and WRITE ATOMIC, which shares with them that nothing comes in between.
 */
#include "scsi/block_priv.h"

/* BYTCHK, SBC-3 5.31 */
enum {
	BYTCHK_NONE = 0, /* the medium can be read */
	BYTCHK_ALL = 1,  /* it is what came */
	BYTCHK_ONE = 3   /* each block of it is the one block that came */
};

static unsigned
bytchk(const struct scsi_task *task)
{
	return (task->cdb[1] & SCSI_USAGE_BYTCHK) >> 1;
}

/* What the medium is compared with. */
struct expected {
	const uint8_t *bytes; /* NULL: nothing */
	bool one_block;       /* repeated */
};

static size_t
first_difference(const uint8_t *a, const uint8_t *b, size_t n)
{
	size_t i = 0;

	if (memcmp(a, b, n) == 0)
		return n;
	while (a[i] == b[i])
		i++;
	return i;
}

/* INFORMATION is the offset of the first byte that differs, as if all of the data had come. */
static struct scsi_result
compare_blocks(const uint8_t *now, const struct expected *expected, uint64_t at, uint32_t n_blocks,
	       uint32_t length)
{
	for (uint64_t i = 0; i < n_blocks; i++) {
		const uint8_t *want = expected->bytes;
		size_t same;

		if (!expected->one_block)
			want += (at + i) * length;
		same = first_difference(now + i * length, want, length);
		if (same < length)
			return scsi_sense_info(SENSE_MISCOMPARE, (at + i) * length + same);
	}
	return scsi_good();
}

/* Read from the medium, not from a cache in front of it (SBC-3 4.16): hence FUA. */
static struct scsi_result
verify_with(struct scsi_task *task, const struct expected *expected, uint8_t *scratch,
	    uint32_t most)
{
	uint32_t length = scsi_block_length(task), n;
	struct scsi_result res = scsi_good();

	for (uint32_t done = 0; done < task->n_blocks && scsi_ok(res); done += n) {
		n = MIN(most, task->n_blocks - done);
		if (scsi_task_is_aborted(task))
			return scsi_status_only(SCSI_TASK_ABORTED);
		res = scsi_block_io(task, SCSI_IO_READ, task->lba + done, n, scratch, true);
		if (scsi_ok(res) && expected->bytes)
			res = compare_blocks(scratch, expected, done, n, length);
	}
	return res;
}

static struct scsi_result
verify(struct scsi_task *task, const struct expected *expected)
{
	uint32_t most = scsi_block_scratch(task, task->n_blocks);
	struct scsi_result res;
	uint8_t *scratch;

	if (most == 0)
		return scsi_good();
	scratch = scsi_unit_alloc((size_t)most * scsi_block_length(task));
	if (!scratch)
		return scsi_status_only(SCSI_BUSY);
	res = verify_with(task, expected, scratch, most);
	scsi_unit_free(scratch);
	return res;
}

struct scsi_result
scsi_verify_check(struct scsi_task *task)
{
	struct scsi_result res = scsi_block_check(task);
	uint64_t n_bytes = scsi_block_length(task);

	if (!scsi_ok(res))
		return res;
	switch (bytchk(task)) {
	case BYTCHK_NONE:
		n_bytes = 0;
		break;
	case BYTCHK_ALL:
		n_bytes *= task->n_blocks;
		break;
	case BYTCHK_ONE:
		n_bytes = task->n_blocks ? n_bytes : 0;
		break;
	default:
		return scsi_bad_cdb(1, 2);
	}
	task->n_transfer = (uint32_t)MIN(n_bytes, UINT32_MAX);
	return scsi_good();
}

struct scsi_result
scsi_verify_run(struct scsi_task *task)
{
	struct expected expected = {.one_block = bytchk(task) == BYTCHK_ONE};
	struct scsi_result res = scsi_block_check_data(task);

	if (bytchk(task) != BYTCHK_NONE)
		expected.bytes = task->data_out;
	return scsi_ok(res) ? verify(task, &expected) : res;
}

/* SBC-3 5.41: one block for all is VERIFY's alone. */
struct scsi_result
scsi_write_and_verify_check(struct scsi_task *task)
{
	struct scsi_result res = scsi_block_check(task);

	return scsi_ok(res) && bytchk(task) > BYTCHK_ALL ? scsi_bad_cdb(1, 2) : res;
}

struct scsi_result
scsi_write_and_verify_run(struct scsi_task *task)
{
	struct expected expected = {.bytes = bytchk(task) == BYTCHK_ALL ? task->data_out : NULL};
	struct scsi_result res = scsi_block_cut(task);

	if (scsi_ok(res))
		res = scsi_block_io(task, SCSI_IO_WRITE, task->lba, task->n_blocks, task->data_out,
				    true);
	return scsi_ok(res) ? verify(task, &expected) : res;
}

static struct scsi_result
or_with(struct scsi_task *task, uint8_t *scratch, uint32_t most)
{
	uint32_t length = scsi_block_length(task), n;
	bool fua = scsi_block_fua(task);
	struct scsi_result res = scsi_good();

	for (uint32_t done = 0; done < task->n_blocks && scsi_ok(res); done += n) {
		const uint8_t *mask = task->data_out + (size_t)done * length;
		uint64_t lba = task->lba + done;

		n = MIN(most, task->n_blocks - done);
		res = scsi_block_io(task, SCSI_IO_READ, lba, n, scratch, false);
		if (!scsi_ok(res))
			break;
		for (size_t i = 0; i < (size_t)n * length; i++)
			scratch[i] |= mask[i];
		res = scsi_block_io(task, SCSI_IO_WRITE, lba, n, scratch, fua);
	}
	return res;
}

/* SBC-3 5.16: bits are only ever set; two initiators that do so must not lose each other's. */
struct scsi_result
scsi_orwrite_run(struct scsi_task *task)
{
	uint32_t most = scsi_block_scratch(task, task->n_blocks);
	struct scsi_result res = scsi_block_check_data(task);
	uint8_t *scratch;

	if (!scsi_ok(res) || most == 0)
		return res;
	scratch = scsi_unit_alloc((size_t)most * scsi_block_length(task));
	if (!scratch)
		return scsi_status_only(SCSI_BUSY);
	scsi_unit_exclusive_begin(task->lu->unit);
	res = or_with(task, scratch, most);
	scsi_unit_exclusive_end(task->lu->unit);
	scsi_unit_free(scratch);
	return res;
}

/* SBC-3 5.3: what is to be there, then what is to be written. */
struct scsi_result
scsi_compare_and_write_check(struct scsi_task *task)
{
	uint64_t n_bytes = 2ull * task->n_blocks * scsi_block_length(task);
	struct scsi_result res = scsi_block_check(task);

	if (!scsi_ok(res))
		return res;
	if (task->n_blocks > SCSI_COMPARE_AND_WRITE_MAX || n_bytes > SCSI_TRANSFER_MAX)
		return scsi_bad_cdb(13, SCSI_FIELD_BYTE);
	task->n_transfer = (uint32_t)n_bytes;
	return scsi_good();
}

/* More or less data than both halves: which half is which is a guess that must not be made. */
void
scsi_compare_and_write_start(struct scsi_task *task)
{
	struct scsi_result res = scsi_block_check_data_exact(task);

	/* 256 blocks do not fit into the CDB's byte and come as 0: more than the maximum. */
	if (task->n_blocks == 0 && task->n_out > 0)
		res = scsi_bad_cdb(13, SCSI_FIELD_BYTE);
	if (scsi_ok(res))
		scsi_block_submit(task, SCSI_IO_COMPARE_AND_WRITE, task->data_out, false);
	else
		scsi_task_finish(task, res);
}

/* The count is 16 bits wide. */
uint32_t
scsi_atomic_max_blocks(const struct scsi_lu *lu)
{
	const struct scsi_unit_params *p = scsi_unit_params(lu->unit);
	uint32_t most = MIN(p->max_transfer, (uint32_t)SCSI_TRANSFER_MAX) / p->block_length;

	return MIN(most, (uint32_t)UINT16_MAX);
}

struct scsi_result
scsi_write_atomic_check(struct scsi_task *task)
{
	struct scsi_result res = scsi_block_check(task);

	if (scsi_ok(res) && task->n_blocks > scsi_atomic_max_blocks(task->lu))
		return scsi_bad_cdb(12, SCSI_FIELD_BYTE);
	return res;
}

/* SBC-4 4.29: one request to the program, and no other at its side that could see half of it. */
struct scsi_result
scsi_write_atomic_run(struct scsi_task *task)
{
	struct scsi_result res = scsi_block_check_data(task);
	bool fua = scsi_block_fua(task);

	if (!scsi_ok(res))
		return res;
	scsi_unit_exclusive_begin(task->lu->unit);
	res = scsi_block_io(task, SCSI_IO_WRITE, task->lba, task->n_blocks, task->data_out, fua);
	scsi_unit_exclusive_end(task->lu->unit);
	return res;
}
