/*
 * What a hostile unit sends on the local door's sockets: the first byte chooses the
 * protocol, then messages with two bytes of length each. Requests wait for answers; what
 * comes back lies within their buffers, and a failed connection has a reason.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tools/disk/pipe_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { REQUESTS = 3, MAX_DATA = 4096 };

static void
nothing(struct disk *disk UNUSED, struct disk_cdb *work UNUSED)
{
}

static const struct disk_ops ops = {.way = "fuzz", .submit = nothing};

struct waiting {
	struct disk_req req;
	uint8_t *data; /* exactly as long as was asked for */
};

/* Requests 1, 2, 3 of what the geometry allows. */
static void
ask(struct pipe_disk *p, struct waiting *w, bool cdbs)
{
	static const enum disk_kind kinds[REQUESTS] = {DISK_READ, DISK_WRITE, DISK_FLUSH};
	uint32_t length = cdbs ? 512 : p->disk.geometry.block_length;

	for (int i = 0; i < REQUESTS; i++) {
		struct disk_cdb *work = &w[i].req.work;

		w[i].data = calloc(1, length);
		w[i].req.kind = kinds[i];
		w[i].req.n_blocks = 1;
		w[i].req.data = w[i].data;
		work->id = (uint64_t)i + 1;
		work->req = &w[i].req;
		work->n_cdb = 16;
		work->direction = cdbs && i == 0 ? DISK_IN
				  : i == 1	 ? DISK_OUT
						 : DISK_NONE;
		work->data = w[i].data;
		work->n_data = i < 2 ? length : 0;
		list_insert(&p->disk.active, &work->link);
		p->disk.n_active++;
	}
}

static void
check(const struct waiting *w)
{
	for (int i = 0; i < REQUESTS; i++) {
		assert(w[i].req.out.n_sense <= DISK_SENSE_MAX);
		assert(w[i].req.work.n_done <= w[i].req.work.n_data);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct disk_options options = {.lun = -1};
	struct waiting w[REQUESTS] = {0};
	struct pipe_disk p = {.fd = -1};
	bool cdbs = size && data[0] & 1, asked = false;
	int err = 0;

	if (!disk_init(&p.disk, &ops, "fuzz", &options))
		return 0;
	p.codec = cdbs ? &pipe_codec_cdb : &pipe_codec_message;
	for (size_t at = 1; !err && at + 2 <= size;) {
		size_t n = MIN((size_t)get_le16(data + at),
			       MIN(size - at - 2, (size_t)MAX_DATA));
		uint8_t *message = malloc(n ? n : 1);

		memcpy(message, data + at + 2, n);
		err = p.codec->decode(&p, message, n);
		free(message);
		at += 2 + n;
		if (p.greeted && !asked) {
			ask(&p, w, cdbs);
			asked = true;
		}
	}
	assert(!err || p.disk.failure.err);
	check(w);
	disk_fail(&p.disk, 1, "end");
	for (int i = 0; i < REQUESTS; i++)
		free(w[i].data);
	free(p.rx);
	disk_fini(&p.disk);
	return 0;
}
