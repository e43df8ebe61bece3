/* The FUSE request decoder, as messages and as ring entries: whatever it returns lies inside. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "fuse/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned char sink;

static void
touch(const void *p, size_t n)
{
	const unsigned char *bytes = p;

	for (size_t i = 0; p && i < n; i++)
		sink ^= bytes[i];
}

static void
touch_all(const struct fusek_req *req)
{
	touch(req->arg, req->arg_size);
	touch(req->payload, req->payload_size);
	touch(req->data, req->data_size);
	uint32_t gid;
	touch(req->ext, req->ext_size);
	if (fusek_req_group(req, &gid))
		touch(&gid, sizeof(gid));
	if (req->name)
		touch(req->name, strlen(req->name) + 1);
	if (req->name2)
		touch(req->name2, strlen(req->name2) + 1);
}

static void
try_ring(const struct fusek_layout *layout, const unsigned char *bytes, size_t size)
{
	struct fusek_decode_scratch scratch;
	struct fuse_in_header header;
	struct fusek_req req;
	char op_in[FUSE_URING_OP_IN_OUT_SZ] = {0};

	if (size < sizeof(header))
		return;
	memcpy(&header, bytes, sizeof(header));
	bytes += sizeof(header);
	size -= sizeof(header);
	size_t n = size < sizeof(op_in) ? size : sizeof(op_in);
	memcpy(op_in, bytes, n);
	if (fusek_decode_ring(layout, &header, op_in, bytes + n, size - n, &scratch, &req) == 0)
		touch_all(&req);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fusek_decode_scratch scratch;
	struct fusek_req req;

	if (size < 1)
		return 0;
	struct fusek_layout layout = {.setxattr_ext = data[0] & 1, .extensions = data[0] & 2};
	/* An exact, aligned copy, so that a read past the end is seen. */
	unsigned char *bytes = malloc(size);
	assert(bytes);
	memcpy(bytes, data + 1, size - 1);
	if (size - 1 >= sizeof(uint32_t) && data[0] & 4) {
		uint32_t len = (uint32_t)(size - 1); /* get past the first check */
		memcpy(bytes, &len, sizeof(len));
	}
	bytes = realloc(bytes, size - 1 ? size - 1 : 1);
	assert(bytes);
	if (fusek_decode_message(&layout, bytes, size - 1, &scratch, &req) == 0)
		touch_all(&req);
	try_ring(&layout, bytes, size - 1);
	free(bytes);
	return 0;
}
