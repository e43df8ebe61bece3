/*
 * CDBs on the local door's socket T.cdb, transport/local/protocol.h. Task management
 * travels as a CDB of no bytes whose first byte is the function, so that one queue serves
 * both.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "scsi/target.h"
#include "tools/disk/pipe_priv.h"
#include "transport/local/protocol.h"

static int
decode_hello(struct pipe_disk *p, const uint8_t *m, size_t size)
{
	struct local_cdb_hello hello;

	if (!local_cdb_hello_decode(m, size, &hello)) {
		disk_fail(&p->disk, EPROTO,
			  "%s: who answers there is no unit (its greeting has %zu bytes)",
			  p->disk.target, size);
		return -EPROTO;
	}
	if (hello.version != LOCAL_CDB_VERSION || hello.limit < 512) {
		disk_fail(
			&p->disk, EPROTO,
			"%s: the unit speaks version %u of the protocol with a limit of "
			"%u bytes; this program speaks version %d",
			p->disk.target, hello.version, hello.limit, LOCAL_CDB_VERSION);
		return -EPROTO;
	}
	p->disk.transfer_limit = MIN(hello.limit, (uint32_t)DISK_TRANSFER_MAX);
	p->greeted = true;
	return pipe_reserve(p,
			    LOCAL_CDB_ANSWER_SIZE + 256 + (size_t)p->disk.transfer_limit);
}

static void
take_answer(struct disk_cdb *work, const struct local_cdb_answer *a, const uint8_t *sense)
{
	work->out.n_sense = (uint8_t)MIN(a->n_sense, (uint32_t)sizeof(work->out.sense));
	memcpy(work->out.sense, sense, work->out.n_sense);
	work->out.status = work->n_cdb ? a->status : a->response;
	if (work->direction == DISK_IN) {
		work->n_done = MIN(a->n_data, work->n_data);
		if (work->n_done)
			memcpy(work->data, sense + a->n_sense, work->n_done);
		return;
	}
	work->n_done = work->n_data;
	if (a->flags & LOCAL_CDB_UNDERFLOW)
		work->n_done -= MIN(a->residual, work->n_data);
}

static int
decode(struct pipe_disk *p, const uint8_t *m, size_t size)
{
	struct local_cdb_answer a;
	struct disk_cdb *work;

	if (!p->greeted)
		return decode_hello(p, m, size);
	work = local_cdb_answer_decode(m, size, &a) ? pipe_find(p, a.tag) : NULL;
	if (!work || a.n_data > (work->direction == DISK_IN ? work->n_data : 0)) {
		disk_fail(&p->disk, EPROTO,
			  "%s: the unit answered what was not asked (%zu bytes)",
			  p->disk.target, size);
		return -EPROTO;
	}
	take_answer(work, &a, m + LOCAL_CDB_ANSWER_SIZE);
	disk_work_done(&p->disk, work);
	return 0;
}

static int
encode(struct pipe_disk *p, struct disk_cdb *work)
{
	static const uint8_t directions[] = {[DISK_NONE] = SCSI_DATA_NONE,
					     [DISK_IN] = SCSI_DATA_IN,
					     [DISK_OUT] = SCSI_DATA_OUT};
	struct local_cdb_request r = {
		.type = work->n_cdb ? LOCAL_CDB_COMMAND : LOCAL_CDB_MANAGEMENT,
		.attribute = SCSI_SIMPLE,
		.direction = directions[work->n_data ? work->direction : DISK_NONE],
		.n_cdb = work->n_cdb,
		.expected = work->n_data,
		.function = work->cdb[0],
		.tag = work->id,
		.lun = scsi_lun_encode((unsigned)p->disk.lun),
	};

	if (p->greeted && work->n_data > p->disk.transfer_limit)
		return -EMSGSIZE;
	memcpy(r.cdb, work->cdb, work->n_cdb);
	local_cdb_request_encode(&r, p->head + LOCAL_LENGTH_SIZE);
	p->n_head = LOCAL_LENGTH_SIZE + LOCAL_CDB_REQUEST_SIZE;
	p->out_data = work->data;
	p->n_out_data = work->direction == DISK_OUT ? work->n_data : 0;
	return 0;
}

static bool
greeted(struct pipe_disk *p)
{
	return p->greeted;
}

/* A number that is the same for the same name; never 0, which asks for one to be made up.
 */
static uint64_t
identity(const char *name)
{
	uint64_t x = 0xcbf29ce484222325ull; /* FNV-1a */

	for (; *name; name++)
		x = (x ^ (unsigned char)*name) * 0x100000001b3ull;
	return x | 1;
}

static int
begin(struct pipe_disk *p)
{
	const struct disk_options *o = &p->disk.options;
	struct local_cdb_hello hello = {.version = LOCAL_CDB_VERSION};
	const char *name = o->initiator ? o->initiator : program_invocation_short_name;
	int err = pipe_reserve(p, 4096);

	if (err)
		return err;
	snprintf(hello.name, sizeof(hello.name), "%s", name);
	if (o->fixed_isid)
		hello.initiator = identity(name);
	local_cdb_hello_encode(&hello, p->head + LOCAL_LENGTH_SIZE);
	p->n_head = LOCAL_LENGTH_SIZE + LOCAL_CDB_HELLO_SIZE;
	err = pipe_send_greeting(p);
	return err ? err : pipe_wait(p, greeted, o->connect_ms);
}

int
pipe_cdb_reset(struct disk *disk, enum disk_reset what, struct disk_error *error)
{
	struct disk_cdb c = {.cdb = {what == DISK_RESET_LUN ? SCSI_TMF_LU_RESET
							    : SCSI_TMF_TARGET_RESET}};
	int err = disk_execute(disk, &c);

	if (err)
		return disk_error_set(error, -err, "%s",
				      disk->failure.err ? disk->failure.text
							: strerror(-err));
	if (c.out.status != SCSI_TMF_COMPLETE)
		return disk_error_set(error, EOPNOTSUPP,
				      "%s: the unit refused the reset (response %u)",
				      disk->target, c.out.status);
	return 0;
}

const struct pipe_codec pipe_codec_cdb = {
	.begin = begin, .encode = encode, .decode = decode};
