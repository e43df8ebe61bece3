/* How requests come to the disk: from the block seam to sockets. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/endian.h"
#include "scsi/target.h"
#include "tests/durability/disk.h"
#include "tests/unit/scsi-fake.h"
#include "tools/disk/client.h"

#define KIND(name) (1u << DUR_##name)
#define ALL_KINDS (KIND(N_KINDS) - 1)

/* ---------------------------------------------------------------- the seam below the
 * CDBs */

static const enum scsi_io_kind io_kinds[DUR_N_KINDS] = {
	[DUR_WRITE] = SCSI_IO_WRITE,
	[DUR_WRITE_SAME] = SCSI_IO_WRITE_SAME,
	[DUR_COMPARE_AND_WRITE] = SCSI_IO_COMPARE_AND_WRITE,
	[DUR_ZEROES] = SCSI_IO_WRITE_ZEROES,
	[DUR_UNMAP] = SCSI_IO_UNMAP,
	[DUR_FLUSH] = SCSI_IO_FLUSH,
};

static int
seam_open(struct dur_disk *d)
{
	(void)d;
	return 0;
}

static void
seam_close(struct dur_disk *d)
{
	(void)d;
}

static bool
seam_run(struct dur_disk *d, const struct dur_request *r, uint8_t *data)
{
	struct scsi_range range = {.lba = r->lba, .n_blocks = r->n_blocks};
	struct scsi_io io = {.kind = io_kinds[r->kind],
			     .fua = r->fua,
			     .may_unmap = r->number % 2,
			     .lba = r->kind == DUR_FLUSH ? 0 : r->lba,
			     .n_blocks = r->kind == DUR_FLUSH ? 0 : r->n_blocks,
			     .data = data,
			     .ranges = &range,
			     .n_ranges = 1};
	struct scsi_result res = scsi_unit_io(d->unit, &io);

	return r->differs ? res.status == SCSI_CHECK_CONDITION &&
				    res.key == SCSI_KEY_MISCOMPARE
			  : scsi_ok(res);
}

/* ---------------------------------------------------------------- CDBs */

enum { BYTE1_FUA = 0x08, BYTE1_UNMAP = 0x08, BYTE1_NDOB = 0x01, BYTE1_IMMED = 0x02 };

static const uint8_t opcodes[DUR_N_KINDS] = {
	[DUR_WRITE] = 0x8A,	 [DUR_WRITE_AND_VERIFY] = 0x8E,
	[DUR_WRITE_SAME] = 0x93, [DUR_COMPARE_AND_WRITE] = 0x89,
	[DUR_ZEROES] = 0x93,	 [DUR_UNMAP] = 0x42,
	[DUR_FLUSH] = 0x91,
};

struct command {
	uint8_t cdb[16];
	uint8_t n_cdb;
	uint32_t n_out;
	uint8_t parameters[24]; /* of UNMAP */
};

static void
make_unmap(const struct dur_request *r, struct command *c)
{
	c->n_cdb = 10;
	put_be16(c->cdb + 7, sizeof(c->parameters));
	put_be16(c->parameters, sizeof(c->parameters) - 2);
	put_be16(c->parameters + 2, 16);
	put_be64(c->parameters + 8, r->lba);
	put_be32(c->parameters + 16, r->n_blocks);
	c->n_out = sizeof(c->parameters);
}

static uint8_t
byte_1(const struct dur_request *r)
{
	if (r->kind == DUR_ZEROES)
		return r->number % 2 ? BYTE1_UNMAP | BYTE1_NDOB : BYTE1_NDOB;
	if (r->kind == DUR_FLUSH)
		return r->immediate ? BYTE1_IMMED : 0;
	return r->fua ? BYTE1_FUA : 0;
}

static struct command
make_command(const struct dur_disk *d, const struct dur_request *r)
{
	struct command c = {.n_cdb = 16};

	c.cdb[0] = opcodes[r->kind];
	if (r->kind == DUR_UNMAP) {
		make_unmap(r, &c);
		return c;
	}
	c.cdb[1] = byte_1(r);
	put_be64(c.cdb + 2, r->lba);
	put_be32(c.cdb + 10, r->n_blocks);
	c.n_out = r->n_blocks * d->block_length;
	if (r->kind == DUR_FLUSH || r->kind == DUR_ZEROES)
		c.n_out = 0;
	if (r->kind == DUR_FLUSH) {
		put_be64(c.cdb + 2, 0);
		put_be32(c.cdb + 10, 0);
	}
	if (r->kind == DUR_WRITE_SAME)
		c.n_out = d->block_length;
	if (r->kind == DUR_COMPARE_AND_WRITE) {
		put_be32(c.cdb + 10, 0);
		c.cdb[13] = (uint8_t)r->n_blocks;
		c.n_out *= 2;
	}
	return c;
}

static bool
is_right(const struct dur_request *r, uint8_t status, uint8_t key)
{
	return r->differs ? status == SCSI_CHECK_CONDITION && key == SCSI_KEY_MISCOMPARE
			  : status == SCSI_GOOD;
}

static bool
engine_run(struct dur_disk *d, const struct dur_request *r, uint8_t *data)
{
	struct command c = make_command(d, r);
	const void *out = r->kind == DUR_UNMAP ? c.parameters : data;
	struct scsi_fake_reply reply =
		scsi_fake_run_at(d->nexus, 0, c.cdb, c.n_cdb, out, c.n_out, NULL, 0);

	return is_right(r, reply.res.status, reply.res.key);
}

/* SBC-3 6.4.5, caching mode page: the same as it is, without WCE. */
static int
switch_cache_off(struct dur_disk *d)
{
	static const uint8_t sense[6] = {0x1A, 0x08, 0x08, 0, 24};
	static const uint8_t select[6] = {0x15, 0x10, 0, 0, 24};
	uint8_t page[24] = {0};
	struct scsi_fake_reply r = scsi_fake_run_at(d->nexus, 0, sense, sizeof(sense), NULL, 0,
						    page, sizeof(page));

	if (!scsi_ok(r.res) || r.n_in != sizeof(page))
		return -EIO;
	memset(page, 0, 4);
	page[4] &= 0x3F; /* PS and SPF */
	page[6] &= (uint8_t)~0x04;
	r = scsi_fake_run_at(d->nexus, 0, select, sizeof(select), page, sizeof(page), NULL, 0);
	return scsi_ok(r.res) ? 0 : -EIO;
}

static int
engine_open(struct dur_disk *d)
{
	static const uint8_t id[32] = {0x45, 0, 0, 28, 'i', 'q', 'n', '.', 'd', 'u', 'r'};
	static const uint8_t test_unit_ready[6];
	struct scsi_nexus_params p = {.initiator = "iqn.dur,i,0x1",
				      .transport_id = id,
				      .n_transport_id = sizeof(id),
				      .target_port = 1};
	int err = scsi_target_create("iqn.durable", &d->target);

	if (err == 0)
		err = scsi_target_add_port(d->target, 1, "iqn.durable,t,0x0001");
	if (err == 0)
		err = scsi_target_add_lun(d->target, 0, d->unit);
	if (err == 0)
		err = scsi_nexus_create(d->target, &p, &d->nexus);
	for (int i = 0; err == 0 && i < 4; i++)
		(void)scsi_fake_run_at(d->nexus, 0, test_unit_ready, 6, NULL, 0, NULL, 0);
	return err == 0 && d->cache_off ? switch_cache_off(d) : err;
}

static void
engine_close(struct dur_disk *d)
{
	scsi_nexus_destroy(d->nexus);
	(void)scsi_target_remove_lun(d->target, 0);
	scsi_target_destroy(d->target);
}

/* ---------------------------------------------------------------- sockets */

static int
client_open(struct dur_disk *d, const char *target, bool cdbs)
{
	struct disk_options options = {.cdbs = cdbs, .lun = -1};
	struct disk_error error;
	int err = disk_open(target, &options, &error, &d->client);

	if (err)
		print_error("%s\n", error.text);
	return err;
}

static int
messages_open(struct dur_disk *d)
{
	return client_open(d, "\\\\.\\pipe\\durable\\0", false);
}

static int
commands_open(struct dur_disk *d)
{
	return client_open(d, "\\\\.\\pipe\\durable\\0.cdb", true);
}

static void
client_close(struct dur_disk *d)
{
	disk_close(d->client);
}

static bool
messages_run(struct dur_disk *d, const struct dur_request *r, uint8_t *data)
{
	static const enum disk_kind kinds[DUR_N_KINDS] = {[DUR_WRITE] = DISK_WRITE,
							  [DUR_UNMAP] = DISK_UNMAP,
							  [DUR_FLUSH] = DISK_FLUSH};
	struct disk_range range = {.lba = r->lba, .n_blocks = r->n_blocks};
	struct disk_req req = {.kind = kinds[r->kind],
			       .fua = r->fua,
			       .lba = r->kind == DUR_FLUSH ? 0 : r->lba,
			       .n_blocks = r->kind == DUR_FLUSH ? 0 : r->n_blocks,
			       .data = data,
			       .ranges = &range,
			       .n_ranges = 1};
	struct disk_outcome out = disk_io(d->client, &req);

	return disk_good(&out);
}

static bool
commands_run(struct dur_disk *d, const struct dur_request *r, uint8_t *data)
{
	struct command c = make_command(d, r);
	struct disk_cdb cdb = {.n_cdb = c.n_cdb,
			       .direction = c.n_out ? DISK_OUT : DISK_NONE,
			       .data = r->kind == DUR_UNMAP ? c.parameters : data,
			       .n_data = c.n_out};

	memcpy(cdb.cdb, c.cdb, sizeof(c.cdb));
	if (disk_execute(d->client, &cdb) != 0)
		return false;
	/* SPC-4 4.5.3: fixed format */
	return is_right(r, cdb.out.status,
			cdb.out.n_sense > 2 ? cdb.out.sense[2] & 0x0F : 0);
}

const struct way ways[] = {
	{"block seam", ALL_KINDS & ~KIND(WRITE_AND_VERIFY), true, seam_open, seam_close,
	 seam_run},
	{"SCSI engine", ALL_KINDS, true, engine_open, engine_close, engine_run},
	{"local door, messages", KIND(WRITE) | KIND(UNMAP) | KIND(FLUSH), false,
	 messages_open, client_close, messages_run},
	{"local door, CDBs", ALL_KINDS, false, commands_open, client_close, commands_run},
};
const size_t n_ways = ARRAY_SIZE(ways);
