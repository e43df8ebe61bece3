/* The message socket: WinSpd's block requests, straight to the unit. */
#include "transport/local/door_priv.h"

#include <errno.h>
#include <stdlib.h>

struct pipe_client {
	struct local_conn *conn;
	struct scsi_unit *unit;
	struct local_counters *counters;
	struct mutex lock; /* leaf; rules active */
	struct list active; /* requests whose hint is taken */
};

struct pipe_request {
	struct local_message answer;
	struct list link;
	struct pipe_client *client;
	struct local_request req;
	struct scsi_io io;
	struct scsi_range *ranges;
	uint8_t *data;
};

static void
request_release(struct local_message *m)
{
	struct pipe_request *r = container_of(m, struct pipe_request, answer);

	free(r->ranges);
	scsi_unit_free(r->data);
	free(r);
}

/* Of two with one hint the second is refused: SAM-5 5.9 has the same for tags. */
static bool
take_hint(struct pipe_request *r)
{
	struct pipe_client *client = r->client;
	bool free_hint = true;

	mutex_lock(&client->lock);
	list_for_each(pos, &client->active)
		if (list_entry(pos, struct pipe_request, link)->req.hint == r->req.hint)
			free_hint = false;
	if (free_hint)
		list_insert(&client->active, &r->link);
	mutex_unlock(&client->lock);
	return free_hint;
}

static void
answer(struct pipe_request *r, struct scsi_result res)
{
	struct local_message *m = &r->answer;
	struct pipe_client *client = r->client;

	local_answer_encode(&r->req, res, m->head + LOCAL_LENGTH_SIZE);
	if (r->req.kind == SCSI_IO_READ && scsi_ok(res)) {
		m->data = r->data;
		m->n_data = (size_t)r->req.n_blocks * scsi_unit_params(client->unit)->block_length;
	}
	m->n_head = LOCAL_LENGTH_SIZE + LOCAL_SLOT_SIZE;
	put_le32(m->head, (uint32_t)(LOCAL_SLOT_SIZE + m->n_data));
	/* Before it is sent: with the answer the client may use the hint again. */
	mutex_lock(&client->lock);
	list_remove(&r->link);
	mutex_unlock(&client->lock);
	local_conn_answer(client->conn, m);
}

static void
complete(struct scsi_io *io, struct scsi_result res)
{
	answer(container_of(io, struct pipe_request, io), res);
}

static bool
decode_ranges(struct pipe_request *r)
{
	r->ranges = calloc(MAX(r->req.n_blocks, 1u), sizeof(*r->ranges));
	for (uint32_t i = 0; r->ranges && i < r->req.n_blocks; i++) {
		const uint8_t *p = r->data + (size_t)i * LOCAL_RANGE_SIZE;

		r->ranges[i].lba = get_le64(p);
		r->ranges[i].n_blocks = get_le32(p + 8);
	}
	return r->ranges != NULL;
}

static void
submit(struct pipe_request *r)
{
	struct scsi_io *io = &r->io;

	io->kind = r->req.kind;
	io->complete = complete;
	if (r->req.kind == SCSI_IO_UNMAP) {
		if (!decode_ranges(r)) {
			answer(r, scsi_status_only(SCSI_BUSY));
			return;
		}
		io->ranges = r->ranges;
		io->n_ranges = r->req.n_blocks;
	} else {
		io->lba = r->req.lba;
		io->n_blocks = r->req.n_blocks;
		io->fua = r->req.fua;
		io->data = r->data;
	}
	scsi_unit_submit(r->client->unit, io);
}

/* Bytes that a request needs for its data, whichever way they go. */
static size_t
buffer_size(const struct local_request *req, size_t n_data, const struct scsi_unit_params *params)
{
	uint64_t size = (uint64_t)req->n_blocks * params->block_length;

	return req->kind == SCSI_IO_READ ? MIN(size, (uint64_t)params->max_transfer) : n_data;
}

static struct pipe_request *
request_create(struct pipe_client *client, const struct local_request *req, size_t n_buffer)
{
	struct pipe_request *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	list_init(&r->link);
	r->client = client;
	r->req = *req;
	r->answer.release = request_release;
	r->answer.n_bytes = n_buffer;
	r->data = scsi_unit_alloc(n_buffer);
	if (r->data)
		return r;
	free(r);
	return NULL;
}

static int
take_data(struct pipe_client *client, const struct local_request *req, size_t n_data,
	  size_t n_buffer)
{
	struct pipe_request *r = request_create(client, req, n_buffer);
	struct scsi_result res;
	/* A READ with data behind it has no place for them. */
	int err = !r ? -ENOMEM : n_data > n_buffer ? -EPROTO : 0;

	if (err == 0 && n_data > 0)
		err = local_conn_read(client->conn, r->data, n_data);
	if (err < 0) {
		if (r)
			request_release(&r->answer);
		local_conn_give_place(client->conn, n_buffer);
		return err == -ENODATA ? -EPIPE : err;
	}
	res = local_request_check(req, n_data, scsi_unit_params(client->unit));
	if (scsi_ok(res) && !take_hint(r))
		res = scsi_sense(SENSE_OVERLAPPED_COMMANDS);
	if (scsi_ok(res)) {
		submit(r);
	} else {
		atomic_fetch_add(&client->counters->n_refused, 1);
		answer(r, res);
	}
	return 0;
}

/* One message; -ENODATA: the client has gone. */
static int
take_message(struct pipe_client *client)
{
	const struct scsi_unit_params *params = scsi_unit_params(client->unit);
	uint8_t slot[LOCAL_SLOT_SIZE], length_bytes[LOCAL_LENGTH_SIZE];
	struct local_request req;
	size_t n_data, n_buffer;
	uint32_t length;
	int err = local_conn_read(client->conn, length_bytes, sizeof(length_bytes));

	if (err < 0)
		return err;
	length = get_le32(length_bytes);
	if (length < LOCAL_SLOT_SIZE || length - LOCAL_SLOT_SIZE > params->max_transfer)
		return -EPROTO;
	err = local_conn_read(client->conn, slot, sizeof(slot));
	if (err < 0)
		return err == -ENODATA ? -EPIPE : err;
	local_request_decode(slot, &req);
	n_data = length - LOCAL_SLOT_SIZE;
	n_buffer = buffer_size(&req, n_data, params);
	if (!local_conn_take_place(client->conn, n_buffer))
		return -ENODATA;
	atomic_fetch_add(&client->counters->n_requests, 1);
	return take_data(client, &req, n_data, n_buffer);
}

int
local_pipe_serve(struct local_conn *conn, struct scsi_unit *unit, struct local_counters *counters)
{
	struct pipe_client client = {.conn = conn, .unit = unit, .counters = counters};
	uint8_t params[LOCAL_PARAMS_SIZE];
	int err;

	mutex_init(&client.lock);
	list_init(&client.active);
	local_params_encode(scsi_unit_params(unit), scsi_unit_n_blocks(unit), params);
	err = local_conn_greet(conn, params, sizeof(params));
	while (err == 0)
		err = take_message(&client);
	if (err != -ENODATA)
		local_conn_break(conn);
	local_conn_wait(conn); /* requests refer to the client until then */
	mutex_fini(&client.lock);
	return err == -ENODATA ? 0 : err;
}
