/*
 * WinSpd's messages (its pipe protocol): 128 bytes of parameters from the unit, then
 * requests of 48 bytes with data behind them, answered by 48 bytes with data behind them,
 * in any order. Little endian.
 */
#include <errno.h>
#include <stdlib.h>

#include "tools/disk/pipe_priv.h"

enum {
	PARAMS_SIZE = 128,
	SLOT_SIZE = 48, /* of a request (32 used) and of an answer */
	PARAMS_WRITE_PROTECTED = 1 << 0,
	PARAMS_CACHE = 1 << 1,
	PARAMS_UNMAP = 1 << 2,
	STATUS_INFORMATION_VALID = 0x100
};

static int
decode_params(struct pipe_disk *p, const uint8_t *m, size_t size)
{
	struct disk_geometry *g = &p->disk.geometry;
	uint32_t flags;

	if (size < PARAMS_SIZE) {
		disk_fail(&p->disk, EPROTO,
			  "%s: the unit's parameters are %zu bytes instead of %d",
			  p->disk.target, size, PARAMS_SIZE);
		return -EPROTO;
	}
	memcpy(g->guid, m, sizeof(g->guid));
	g->n_blocks = get_le64(m + 16);
	g->block_length = get_le32(m + 24);
	flags = get_le32(m + 52);
	g->write_protected = flags & PARAMS_WRITE_PROTECTED;
	g->cache_supported = flags & PARAMS_CACHE;
	g->unmap_supported = flags & PARAMS_UNMAP;
	g->max_transfer = get_le32(m + 56);
	g->fua = true;
	if (!g->n_blocks || g->block_length < 16 || g->block_length > 1 << 20 ||
	    !g->max_transfer || g->max_transfer % g->block_length) {
		disk_fail(&p->disk, EPROTO,
			  "%s: the unit's parameters make no sense: %llu blocks of %u "
			  "bytes, transfers of %u bytes",
			  p->disk.target, (unsigned long long)g->n_blocks,
			  g->block_length, g->max_transfer);
		return -EPROTO;
	}
	if (g->max_transfer > DISK_TRANSFER_MAX)
		g->max_transfer = DISK_TRANSFER_MAX / g->block_length * g->block_length;
	g->max_unmap_blocks = UINT32_MAX;
	g->max_unmap_ranges = MAX(g->max_transfer / 16, 1u);
	p->greeted = true;
	return pipe_reserve(p, SLOT_SIZE + (size_t)g->max_transfer);
}

/* SPD_IOCTL_STORAGE_UNIT_STATUS as the fixed format sense that it stands for. */
static void
decode_status(const uint8_t *s, struct disk_outcome *out)
{
	out->status = s[0];
	if (s[0] != 0x02)
		return;
	out->n_sense = 18;
	out->sense[0] = 0x70;
	out->sense[2] = s[1] & 0x0f;
	out->sense[7] = 10;
	out->sense[12] = s[2];
	out->sense[13] = s[3];
	if (get_le32(s + 28) & STATUS_INFORMATION_VALID &&
	    get_le64(s + 8) <= UINT32_MAX) {
		out->sense[0] |= 0x80;
		put_be32(out->sense + 3, (uint32_t)get_le64(s + 8));
	}
}

static int
decode(struct pipe_disk *p, const uint8_t *m, size_t size)
{
	struct disk_cdb *work;
	struct disk_req *req;

	if (!p->greeted)
		return decode_params(p, m, size);
	work = size < SLOT_SIZE ? NULL : pipe_find(p, get_le64(m));
	if (!work || m[8] != work->req->kind) {
		disk_fail(&p->disk, EPROTO,
			  "%s: the unit answered what was not asked (%zu bytes, hint "
			  "%llu, kind %u)",
			  p->disk.target, size,
			  size < 16 ? 0ull : (unsigned long long)get_le64(m),
			  size < 16 ? 0 : m[8]);
		return -EPROTO;
	}
	req = work->req;
	decode_status(m + 16, &work->out);
	if (req->kind == DISK_READ && work->out.status == 0) {
		size_t want = (size_t)req->n_blocks * p->disk.geometry.block_length;
		size_t got = MIN(size - SLOT_SIZE, want);

		/* An answer without data stands for zeroes. */
		memcpy(req->data, m + SLOT_SIZE, got);
		memset((char *)req->data + got, 0, want - got);
	}
	disk_work_done(&p->disk, work);
	return 0;
}

static int
encode_unmap(struct pipe_disk *p, struct disk_req *req)
{
	req->parameters = calloc(MAX(req->n_ranges, 1u), 16);
	if (!req->parameters)
		return -ENOMEM;
	for (uint32_t i = 0; i < req->n_ranges; i++) {
		put_le64(req->parameters + 16 * i, req->ranges[i].lba);
		put_le32(req->parameters + 16 * i + 8, req->ranges[i].n_blocks);
	}
	put_le32(p->head + 4 + 16, req->n_ranges);
	p->out_data = req->parameters;
	p->n_out_data = (size_t)req->n_ranges * 16;
	return 0;
}

static int
encode(struct pipe_disk *p, struct disk_cdb *work)
{
	struct disk_req *req = work->req;
	uint64_t size = (uint64_t)req->n_blocks * p->disk.geometry.block_length;

	memset(p->head, 0, 4 + SLOT_SIZE);
	p->n_head = 4 + SLOT_SIZE;
	p->out_data = NULL;
	p->n_out_data = 0;
	put_le64(p->head + 4, work->id);
	p->head[4 + 8] = (uint8_t)req->kind;
	if (req->kind == DISK_UNMAP)
		return encode_unmap(p, req);
	if (req->kind != DISK_FLUSH && size > p->disk.geometry.max_transfer)
		return -EMSGSIZE; /* the unit would drop it without an answer */
	put_le64(p->head + 4 + 16, req->lba);
	put_le32(p->head + 4 + 24, req->n_blocks);
	put_le32(p->head + 4 + 28, req->kind != DISK_FLUSH && req->fua);
	if (req->kind == DISK_WRITE) {
		p->out_data = req->data;
		p->n_out_data = (size_t)size;
	}
	return 0;
}

static bool
greeted(struct pipe_disk *p)
{
	return p->greeted;
}

static int
begin(struct pipe_disk *p)
{
	int err = pipe_reserve(p, 4096);

	return err ? err : pipe_wait(p, greeted, p->disk.options.connect_ms);
}

const struct pipe_codec pipe_codec_message = {
	.begin = begin, .encode = encode, .decode = decode};
