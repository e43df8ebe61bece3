/* Whatever a client of the local door sends: no access outside of the message, and an answer only
 * within what it asked for. The first byte chooses the decoder. */
#include <stdlib.h>
#include "transport/local/door_priv.h"

/* Of transport/local/door.c, which needs sockets and a target. */
const struct scsi_door door_local = {.name = "local", .prefix = "\\\\.\\pipe\\"};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct scsi_unit_params params = {.block_length = 512, .max_transfer = 65536,
					       .n_blocks = 1000};

static void
message(const uint8_t *data, size_t size)
{
	uint8_t answer[LOCAL_SLOT_SIZE];
	struct local_request r;
	size_t n_data;

	if (size < LOCAL_SLOT_SIZE)
		return;
	n_data = size - LOCAL_SLOT_SIZE;
	local_request_decode(data, &r);
	if (scsi_ok(local_request_check(&r, n_data, &params))) {
		uint64_t n = r.kind == SCSI_IO_UNMAP ? (uint64_t)r.n_blocks * LOCAL_RANGE_SIZE
						     : (uint64_t)r.n_blocks * params.block_length;

		if (r.kind != SCSI_IO_FLUSH && n > params.max_transfer)
			abort();
		if ((r.kind == SCSI_IO_UNMAP || r.kind == SCSI_IO_WRITE) && n > n_data)
			abort();
	}
	local_answer_encode(&r, scsi_good(), answer);
	if (get_le64(answer) != get_le64(data) || answer[8] != data[8])
		abort();
}

static void
cdb(const uint8_t *data, size_t size)
{
	uint8_t again[LOCAL_CDB_REQUEST_SIZE];
	struct local_cdb_request r, s;

	if (!local_cdb_request_decode(data, size, &r))
		return;
	if (r.type == LOCAL_CDB_COMMAND && (r.n_cdb == 0 || r.n_cdb > sizeof(r.cdb)))
		abort();
	local_cdb_request_encode(&r, again);
	if (!local_cdb_request_decode(again, sizeof(again), &s) || memcmp(&r, &s, sizeof(r)) != 0)
		abort();
}

static void
answer(const uint8_t *data, size_t size)
{
	struct local_cdb_answer a;

	if (local_cdb_answer_decode(data, size, &a) &&
	    (uint64_t)a.n_sense + a.n_data != size - LOCAL_CDB_ANSWER_SIZE)
		abort();
}

static void
name(const uint8_t *data, size_t size)
{
	char text[512], out[256];

	size = MIN(size, sizeof(text) - 1);
	memcpy(text, data, size);
	text[size] = 0;
	if (local_name_decode(text, out, sizeof(out)) < 0)
		return;
	if (out[0] == '/' || out[0] == 0 || strstr(out, "/../") || strcmp(out, "..") == 0 ||
	    strncmp(out, "../", 3) == 0 || strlen(out) >= sizeof(out))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const targets[])(const uint8_t *, size_t) = {message, cdb, answer, name};
	struct local_cdb_hello hello;

	if (size == 0)
		return 0;
	targets[data[0] % ARRAY_SIZE(targets)](data + 1, size - 1);
	if (local_cdb_hello_decode(data + 1, size - 1, &hello) &&
	    strlen(hello.name) > LOCAL_CDB_NAME_SIZE)
		abort();
	return 0;
}
