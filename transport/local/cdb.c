/* The CDB socket: SCSI commands for the target, one I_T nexus per connection. */
#include "transport/local/door_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

enum {
	/* SPC-4 7.6.4.1: at least 24 bytes; protocol identifier Fh, no specific protocol */
	TRANSPORT_ID_SIZE = 24,
	TRANSPORT_ID_NO_PROTOCOL = 0x0f
};

struct cdb_request {
	struct local_message answer;
	struct list link;
	struct cdb_client *client;
	struct local_cdb_request req;
	struct scsi_task task;
	uint8_t sense[SCSI_SENSE_SIZE_MAX];
	uint8_t *data; /* that came, or that go */
};

struct cdb_client {
	struct local_conn *conn;
	struct scsi_nexus *nexus;
	struct local_counters *counters;
	struct mutex lock;  /* leaf; rules active */
	struct list active; /* commands whose tag is taken */
};

static void
request_release(struct local_message *m)
{
	struct cdb_request *r = container_of(m, struct cdb_request, answer);

	scsi_unit_free(r->data);
	free(r);
}

/* Before an answer is sent: with it the client may use the tag again. */
static void
forget(struct cdb_request *r)
{
	mutex_lock(&r->client->lock);
	list_remove(&r->link);
	mutex_unlock(&r->client->lock);
}

static bool
take_tag(struct cdb_request *r)
{
	struct cdb_client *client = r->client;
	bool is_free = true;

	mutex_lock(&client->lock);
	list_for_each(pos, &client->active)
		if (list_entry(pos, struct cdb_request, link)->req.tag == r->req.tag)
			is_free = false;
	if (is_free)
		list_insert(&client->active, &r->link);
	mutex_unlock(&client->lock);
	return is_free;
}

/* Sense goes into the head, behind the answer proper; data follow. */
static void
send_answer(struct cdb_request *r, struct local_cdb_answer *a, const void *data)
{
	struct local_message *m = &r->answer;
	uint8_t *p = m->head + LOCAL_LENGTH_SIZE;

	a->type = r->req.type;
	a->tag = r->req.tag;
	local_cdb_answer_encode(a, p);
	memcpy(p + LOCAL_CDB_ANSWER_SIZE, r->sense, a->n_sense);
	m->n_head = LOCAL_LENGTH_SIZE + LOCAL_CDB_ANSWER_SIZE + a->n_sense;
	m->data = data;
	m->n_data = a->n_data;
	put_le32(m->head, (uint32_t)(m->n_head - LOCAL_LENGTH_SIZE + m->n_data));
	forget(r);
	local_conn_answer(r->client->conn, m);
}

/* SAM-5 5.2: what moved against what was expected. */
static void
set_residual(struct local_cdb_answer *a, uint32_t expected, uint32_t moved, uint32_t wanted)
{
	if (wanted > expected) {
		a->flags = LOCAL_CDB_OVERFLOW;
		a->residual = wanted - expected;
	} else if (moved < expected) {
		a->flags = LOCAL_CDB_UNDERFLOW;
		a->residual = expected - moved;
	}
}

static void
finish(struct cdb_request *r)
{
	struct scsi_task *task = &r->task;
	struct local_cdb_answer a = {.status = task->result.status};
	uint32_t expected = r->req.expected;

	if (task->aborted) {
		a.status = SCSI_TASK_ABORTED;
		send_answer(r, &a, NULL);
		return;
	}
	if (r->req.direction == SCSI_DATA_IN) {
		a.n_data = MIN(task->n_in, expected);
		set_residual(&a, expected, a.n_data, MAX(task->n_in, a.n_data));
	} else if (r->req.direction == SCSI_DATA_OUT) {
		set_residual(&a, expected, MIN(expected, task->n_transfer), task->n_transfer);
	} else if (task->direction != SCSI_DATA_NONE) {
		set_residual(&a, 0, 0, task->n_transfer);
	}
	a.n_sense = (uint32_t)scsi_task_sense(task, r->sense);
	send_answer(r, &a, r->data);
}

static void
complete(struct scsi_task *task)
{
	finish(task->ctx);
}

/* The engine does not have the task. */
static void
refuse(struct cdb_request *r, struct scsi_result res)
{
	struct local_cdb_answer a = {.status = res.status};

	if (r->req.expected > 0) {
		a.flags = LOCAL_CDB_UNDERFLOW;
		a.residual = r->req.expected;
	}
	if (res.status == SCSI_CHECK_CONDITION)
		a.n_sense = (uint32_t)scsi_sense_format(&res, false, r->sense);
	send_answer(r, &a, NULL);
}

/* Does the initiator mean the direction that the command has? */
static bool
directions_agree(const struct cdb_request *r)
{
	return r->task.n_transfer == 0 || r->req.expected == 0 ||
	       r->req.direction == (uint8_t)r->task.direction;
}

static bool
make_room(struct cdb_request *r)
{
	struct scsi_task *task = &r->task;
	uint32_t have = r->req.direction == SCSI_DATA_IN ? r->req.expected : 0;

	if (task->n_transfer > have) {
		if (!local_conn_grow(r->client->conn, task->n_transfer - have))
			return false;
		r->answer.n_bytes += task->n_transfer - have;
	}
	r->data = scsi_unit_alloc(task->n_transfer);
	task->data_in = r->data;
	task->cap_in = task->n_transfer;
	return r->data != NULL;
}

static void
execute(struct cdb_request *r, uint32_t n_data)
{
	struct scsi_task *task = &r->task;

	if (!scsi_task_begin(task)) {
		finish(r);
		return;
	}
	if (!directions_agree(r)) {
		scsi_task_cancel(task);
		refuse(r, scsi_sense(SENSE_INVALID_INFORMATION_UNIT));
		return;
	}
	if (task->direction == SCSI_DATA_OUT) {
		task->data_out = r->data;
		task->n_out = MIN(n_data, task->n_transfer);
	} else if (task->direction == SCSI_DATA_IN && !make_room(r)) {
		scsi_task_cancel(task);
		refuse(r, scsi_status_only(SCSI_TASK_SET_FULL));
		return;
	}
	scsi_task_execute(task);
}

static void
run_command(struct cdb_request *r, uint32_t n_data)
{
	struct scsi_task *task = &r->task;

	task->nexus = r->client->nexus;
	task->lun = r->req.lun;
	task->n_cdb = (uint8_t)MIN(r->req.n_cdb, SCSI_CDB_MAX);
	memcpy(task->cdb, r->req.cdb, task->n_cdb);
	task->attribute = r->req.attribute;
	task->tag = r->req.tag;
	task->complete = complete;
	task->ctx = r;
	atomic_fetch_add(&r->client->counters->n_commands, 1);
	if (r->req.attribute > SCSI_ACA || r->req.direction > SCSI_DATA_OUT)
		refuse(r, scsi_sense(SENSE_INVALID_INFORMATION_UNIT));
	else if (r->req.n_cdb > SCSI_CDB_MAX)
		refuse(r, scsi_sense(SENSE_INVALID_OPCODE));
	else if (!take_tag(r))
		refuse(r, scsi_sense(SENSE_OVERLAPPED_COMMANDS));
	else
		execute(r, n_data);
}

static void
management_done(void *ctx, enum scsi_tmf_response response)
{
	struct cdb_request *r = ctx;
	struct local_cdb_answer a = {.response = (uint8_t)response};

	send_answer(r, &a, NULL);
}

static void
run_management(struct cdb_request *r)
{
	const struct local_cdb_request *req = &r->req;

	if (req->function < SCSI_TMF_ABORT_TASK || req->function > SCSI_TMF_I_T_NEXUS_RESET)
		management_done(r, SCSI_TMF_NOT_SUPPORTED);
	else
		scsi_tmf(r->client->nexus, req->function, req->lun, req->task, management_done, r);
}

/* ---------------------------------------------------------------- reading */

static struct cdb_request *
request_create(struct cdb_client *client, const struct local_cdb_request *req, uint32_t n_data)
{
	struct cdb_request *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	list_init(&r->link);
	r->client = client;
	r->req = *req;
	r->answer.release = request_release;
	if (n_data == 0)
		return r;
	r->data = scsi_unit_alloc(n_data);
	if (r->data)
		return r;
	free(r);
	return NULL;
}

/* Data of a message are those of a command that sends some, all at once, and nothing else. */
static bool
is_sound(const struct local_cdb_request *req, uint32_t n_data)
{
	bool sends = req->type == LOCAL_CDB_COMMAND && req->direction == SCSI_DATA_OUT;

	return n_data == (sends ? req->expected : 0);
}

static int
take_request(struct cdb_client *client, const struct local_cdb_request *req, uint32_t n_data)
{
	size_t n_bytes = MIN(req->expected, (uint32_t)SCSI_TRANSFER_MAX);
	struct cdb_request *r;
	int err = 0;

	if (!local_conn_take_place(client->conn, n_bytes))
		return -ENODATA;
	r = request_create(client, req, n_data);
	if (!r)
		err = -ENOMEM;
	else if (n_data > 0)
		err = local_conn_read(client->conn, r->data, n_data);
	if (err < 0) {
		if (r)
			request_release(&r->answer);
		local_conn_give_place(client->conn, n_bytes);
		return err == -ENODATA ? -EPIPE : err;
	}
	r->answer.n_bytes = n_bytes;
	if (req->type == LOCAL_CDB_MANAGEMENT)
		run_management(r);
	else
		run_command(r, n_data);
	return 0;
}

static int
take_message(struct cdb_client *client)
{
	uint8_t bytes[LOCAL_CDB_REQUEST_SIZE], length_bytes[LOCAL_LENGTH_SIZE];
	struct local_cdb_request req;
	uint32_t length, n_data;
	int err = local_conn_read(client->conn, length_bytes, sizeof(length_bytes));

	if (err < 0)
		return err;
	length = get_le32(length_bytes);
	if (length < sizeof(bytes) || length - sizeof(bytes) > SCSI_TRANSFER_MAX)
		return -EPROTO;
	err = local_conn_read(client->conn, bytes, sizeof(bytes));
	if (err < 0)
		return err == -ENODATA ? -EPIPE : err;
	n_data = length - (uint32_t)sizeof(bytes);
	if (!local_cdb_request_decode(bytes, sizeof(bytes), &req) || !is_sound(&req, n_data))
		return -EPROTO;
	return take_request(client, &req, n_data);
}

/* ---------------------------------------------------------------- greeting */

static int
read_hello(struct local_conn *conn, struct local_cdb_hello *ret)
{
	uint8_t bytes[LOCAL_LENGTH_SIZE + LOCAL_CDB_HELLO_SIZE];
	int err = local_conn_read(conn, bytes, sizeof(bytes));

	if (err < 0)
		return err;
	if (get_le32(bytes) != LOCAL_CDB_HELLO_SIZE ||
	    !local_cdb_hello_decode(bytes + LOCAL_LENGTH_SIZE, LOCAL_CDB_HELLO_SIZE, ret) ||
	    ret->version != LOCAL_CDB_VERSION)
		return -EPROTO;
	return 0;
}

static int
send_hello(struct local_conn *conn, uint64_t initiator)
{
	struct local_cdb_hello hello = {.version = LOCAL_CDB_VERSION, .limit = SCSI_TRANSFER_MAX,
					.initiator = initiator};
	uint8_t bytes[LOCAL_CDB_HELLO_SIZE];

	local_cdb_hello_encode(&hello, bytes);
	return local_conn_greet(conn, bytes, sizeof(bytes));
}

/* An identity that no other connection of this process has; the high bits keep made-up ones away
 * from chosen ones. */
static uint64_t
make_up_initiator(pid_t pid)
{
	static _Atomic uint32_t next = 1;

	return 1ull << 63 | (uint64_t)(uint32_t)pid << 32 | atomic_fetch_add(&next, 1);
}

static int
create_nexus(struct local_cdb_client *c, const struct local_cdb_hello *hello, uint64_t initiator,
	     struct scsi_nexus **ret_nexus)
{
	uint8_t id[TRANSPORT_ID_SIZE] = {TRANSPORT_ID_NO_PROTOCOL};
	char name[96];
	struct scsi_nexus_params params = {.initiator = name, .transport_id = id,
					   .n_transport_id = sizeof(id), .target_port = 1};

	put_be64(id + 8, initiator);
	snprintf(name, sizeof(name), "local,pid=%d,%016llx%s%s", (int)c->pid,
		 (unsigned long long)initiator, hello->name[0] ? "," : "", hello->name);
	return scsi_nexus_create(c->target, &params, ret_nexus);
}

int
local_cdb_serve(struct local_cdb_client *c)
{
	struct cdb_client client = {.conn = &c->conn, .counters = c->counters};
	struct local_cdb_hello hello;
	uint64_t initiator;
	int err = read_hello(&c->conn, &hello);

	if (err < 0)
		return err == -ENODATA ? 0 : err;
	initiator = hello.initiator ? hello.initiator : make_up_initiator(c->pid);
	err = create_nexus(c, &hello, initiator, &client.nexus);
	if (err < 0)
		return err;
	mutex_init(&client.lock);
	list_init(&client.active);
	err = send_hello(&c->conn, initiator);
	while (err == 0)
		err = take_message(&client);
	/* Nobody to hear of tasks that end with their nexus. */
	local_conn_break(&c->conn);
	scsi_nexus_destroy(client.nexus);
	local_conn_wait(&c->conn);
	mutex_fini(&client.lock);
	return err == -ENODATA ? 0 : err;
}
