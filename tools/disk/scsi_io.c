/* Block requests as CDBs, and the geometry of a unit out of what its commands answer
 * (SBC-3, SPC-4). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "scsi/result.h"
#include "tools/disk/client_priv.h"

enum { FUA = 0x08, UNMAP_RANGES_MAX = 4095 };

/* SBC-3 5.28: 8 bytes, then 16 for each range. */
static int
unmap_from_req(struct disk_req *req)
{
	struct disk_cdb *w = &req->work;
	size_t n = req->n_ranges;

	if (n > UNMAP_RANGES_MAX)
		return -EINVAL;
	req->parameters = calloc(1, 8 + n * 16);
	if (!req->parameters)
		return -ENOMEM;
	put_be16(req->parameters, (uint16_t)(6 + n * 16));
	put_be16(req->parameters + 2, (uint16_t)(n * 16));
	for (size_t i = 0; i < n; i++) {
		put_be64(req->parameters + 8 + i * 16, req->ranges[i].lba);
		put_be32(req->parameters + 16 + i * 16, req->ranges[i].n_blocks);
	}
	w->cdb[0] = 0x42;
	put_be16(w->cdb + 7, (uint16_t)(8 + n * 16));
	w->n_cdb = 10;
	w->direction = DISK_OUT;
	w->data = req->parameters;
	w->n_data = (uint32_t)(8 + n * 16);
	return 0;
}

int
disk_cdb_from_req(const struct disk *disk, struct disk_req *req)
{
	static const uint8_t opcodes[] = {
		[DISK_READ] = 0x88, [DISK_WRITE] = 0x8a, [DISK_FLUSH] = 0x91};
	struct disk_cdb *w = &req->work;

	if (req->kind == DISK_UNMAP)
		return unmap_from_req(req);
	if (req->kind < DISK_READ || req->kind > DISK_FLUSH)
		return -EINVAL;
	w->n_cdb = 16;
	w->cdb[0] = opcodes[req->kind];
	put_be64(w->cdb + 2, req->lba);
	put_be32(w->cdb + 10, req->n_blocks);
	if (req->kind == DISK_FLUSH)
		return 0;
	w->cdb[1] = req->fua && disk->geometry.fua ? FUA : 0;
	if (mul_overflows(req->n_blocks, disk->geometry.block_length, &w->n_data))
		return -EINVAL;
	w->direction = req->kind == DISK_READ ? DISK_IN : DISK_OUT;
	w->data = req->data;
	return 0;
}

/* One data-in command; *ret_n bytes came. */
static int
ask(struct disk *disk, const uint8_t *cdb, unsigned n_cdb, void *data, uint32_t size,
    struct disk_outcome *ret_out, uint32_t *ret_n)
{
	struct disk_cdb c = {.n_cdb = (uint8_t)n_cdb,
			     .data = data,
			     .n_data = size,
			     .direction = size ? DISK_IN : DISK_NONE,
			     .timeout_ms = disk->options.connect_ms};
	int err;

	memcpy(c.cdb, cdb, n_cdb);
	memset(data, 0, size);
	err = disk_execute(disk, &c);
	*ret_out = c.out;
	*ret_n = disk_good(&c.out) ? c.n_done : 0;
	return err;
}

/* A unit attention waits for each new nexus, SAM-5 5.14; several may. */
static int
clear_attentions(struct disk *disk)
{
	static const uint8_t test_unit_ready[6];
	struct disk_outcome out;
	struct scsi_result res;
	uint8_t none;
	uint32_t n;
	int err;

	for (int i = 0; i < 16; i++) {
		err = ask(disk, test_unit_ready, 6, &none, 0, &out, &n);
		if (err || out.status != SCSI_CHECK_CONDITION)
			return err;
		if (!scsi_sense_parse(out.sense, out.n_sense, &res) ||
		    res.key != SCSI_KEY_UNIT_ATTENTION)
			return 0;
	}
	return 0;
}

static int
vpd(struct disk *disk, uint8_t page, uint8_t *data, uint32_t *ret_n)
{
	const uint8_t cdb[6] = {0x12, 1, page, 0, 255};
	struct disk_outcome out;
	int err = ask(disk, cdb, 6, data, 255, &out, ret_n);

	/* A device may not have the page, or answer with another. */
	if (*ret_n < 4 || data[1] != page)
		*ret_n = 0;
	else
		*ret_n = MIN(*ret_n, 4u + get_be16(data + 2));
	return err;
}

static int
read_capacity(struct disk *disk, struct disk_error *error)
{
	static const uint8_t cdb16[16] = {0x9e, 0x10, [13] = 32}, cdb10[10] = {0x25};
	struct disk_geometry *g = &disk->geometry;
	struct disk_outcome out;
	uint8_t data[32];
	char text[256];
	uint32_t n;
	int err = ask(disk, cdb16, 16, data, 32, &out, &n);

	if (!err && n >= 12) {
		g->n_blocks = get_be64(data) + 1;
		g->block_length = get_be32(data + 8);
		g->unmap_supported = n >= 15 && data[14] & 0x80;
		g->unmap_zeroes = n >= 15 && data[14] & 0x40;
		return 0;
	}
	if (!err)
		err = ask(disk, cdb10, 10, data, 8, &out, &n);
	if (!err && n >= 8) {
		g->n_blocks = (uint64_t)get_be32(data) + 1;
		g->block_length = get_be32(data + 4);
		return 0;
	}
	if (!err && disk_good(&out))
		return disk_error_set(error, EPROTO,
				      "%s: READ CAPACITY returned %u bytes", disk->target,
				      n);
	disk_outcome_format(disk, &out, text, sizeof(text));
	return disk_error_set(error, err ? -err : EIO, "%s: READ CAPACITY: %s",
			      disk->target, text);
}

static int
read_limits(struct disk *disk)
{
	static const uint8_t sense6[6] = {0x1a, 0, 0x08, 0, 255};
	struct disk_geometry *g = &disk->geometry;
	struct disk_outcome out;
	uint8_t data[255];
	uint64_t max = 0;
	uint32_t n;
	int err = vpd(disk, 0xb0, data, &n);

	if (n >= 12)
		max = (uint64_t)get_be32(data + 8) * g->block_length;
	if (n >= 28) {
		g->max_unmap_blocks = get_be32(data + 20);
		g->max_unmap_ranges = get_be32(data + 24);
	}
	g->max_transfer = max && max < DISK_TRANSFER_MAX ? (uint32_t)max : 0;
	if (err || (err = vpd(disk, 0xb2, data, &n)) != 0)
		return err;
	g->unmap_supported = n >= 6 ? data[5] & 0x80 : g->unmap_supported && !n;
	err = ask(disk, sense6, 6, data, 255, &out, &n);
	if (n < 4)
		return err;
	g->write_protected = data[2] & 0x80;
	g->fua = data[2] & 0x10;
	/* header, block descriptors, page: code, length, WCE */
	n = MIN(n, 1u + data[0]);
	if (n > 4u + data[3] + 2 && (data[4 + data[3]] & 0x3f) == 0x08)
		g->cache_supported = data[4 + data[3] + 2] & 0x04;
	return err;
}

int
disk_read_geometry(struct disk *disk, struct disk_error *error)
{
	struct disk_geometry *g = &disk->geometry;
	int err;

	if (disk->options.bare)
		return 0;
	err = clear_attentions(disk);
	if (!err && disk->options.no_geometry)
		return 0;
	if (!err) {
		err = read_capacity(disk, error);
		if (err)
			return err;
		if (g->block_length < 16 || g->block_length > 1 << 20)
			return disk_error_set(error, EPROTO,
					      "%s: blocks of %u bytes are not to be had",
					      disk->target, g->block_length);
		err = read_limits(disk);
	}
	if (err)
		return disk_error_set(error, -err, "%s",
				      disk->failure.err ? disk->failure.text
							: strerror(-err));
	if (!g->max_transfer)
		g->max_transfer = 1 << 20;
	if (disk->transfer_limit)
		g->max_transfer = MIN(g->max_transfer, disk->transfer_limit);
	g->max_transfer = MAX(g->max_transfer / g->block_length, 1u) * g->block_length;
	if (!g->max_unmap_blocks)
		g->max_unmap_blocks = UINT32_MAX;
	if (!g->max_unmap_ranges || g->max_unmap_ranges > UNMAP_RANGES_MAX)
		g->max_unmap_ranges = g->max_unmap_ranges ? UNMAP_RANGES_MAX : 1;
	return 0;
}
