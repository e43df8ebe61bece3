/*
 * SCSI commands of a connection: from the PDU to the engine, their data, and back.
 *
 *	GATHER --whole--> RUNNING --complete--> ANSWER --sent--> stock
 *	   \--no memory--> STARVED --memory--> GATHER or RUNNING
 *
 * A command that fails at the door (its own checks, wrong data) is taken back from the engine at
 *once and answered when the data that are under way have come: 11.4.7.2, 7.8.
 */
#include <errno.h>
#include <stdlib.h>
#include "base/log.h"
#include "transport/iscsi/connection.h"

enum {
	KEPT_BUFFER = 256 << 10, /* larger buffers are not kept for the next command */
	KEPT_MEMORY = 16 << 20,	 /* nor any beyond this */
	BUFFER_UNIT = 4096
};

static bool
command_is(const struct hash_node *node, const void *key)
{
	return container_of(node, struct iscsi_command, node)->itt == *(const uint32_t *)key;
}

/* Tags often count up in steps: the low bits are to vary all the same. */
static uint32_t
hash_tag(uint32_t itt)
{
	return itt * 2654435761u >> 16 ^ itt;
}

struct iscsi_command *
iscsi_command_find_locked(struct iscsi_conn *conn, uint32_t itt)
{
	struct hash_node *node = hash_find(&conn->commands, hash_tag(itt), command_is, &itt);

	return node ? container_of(node, struct iscsi_command, node) : NULL;
}

/* Memory */

static void
drop_buffer_locked(struct iscsi_conn *conn, struct iscsi_command *cmd) REQUIRES(&conn->lock)
{
	conn->memory -= cmd->cap;
	scsi_unit_free(take(&cmd->buffer));
	cmd->cap = 0;
}

/* Takes size from what the connection may have; buffers of the stock give way. */
static bool
reserve_locked(struct iscsi_conn *conn, size_t size) REQUIRES(&conn->lock)
{
	for (struct list *pos = conn->free_commands.next;
	     pos != &conn->free_commands && conn->memory + size > ISCSI_MEMORY_LIMIT;
	     pos = pos->next)
		drop_buffer_locked(conn, list_entry(pos, struct iscsi_command, link));
	if (conn->memory + size > ISCSI_MEMORY_LIMIT)
		return false;
	conn->memory += size;
	return true;
}

/* A buffer of size bytes or more for the command. */
static bool
have_buffer(struct iscsi_conn *conn, struct iscsi_command *cmd, uint32_t size)
{
	size_t cap = ALIGN_UP((size_t)size, (size_t)BUFFER_UNIT);
	bool ok;

	if (cmd->cap >= size)
		return true;
	mutex_lock(&conn->lock);
	if (cmd->buffer)
		drop_buffer_locked(conn, cmd);
	ok = reserve_locked(conn, cap);
	mutex_unlock(&conn->lock);
	if (!ok)
		return false;
	cmd->buffer = scsi_unit_alloc(cap);
	if (cmd->buffer) {
		cmd->cap = cap;
		return true;
	}
	mutex_lock(&conn->lock);
	conn->memory -= cap;
	mutex_unlock(&conn->lock);
	return false;
}

/* Stock */

/* The stock's last: its buffer is the one that is warm. Holds a reference to the connection. */
static struct iscsi_command *
command_get(struct iscsi_conn *conn)
{
	struct iscsi_command *cmd = NULL;
	uint8_t *buffer = NULL;
	size_t cap = 0;

	mutex_lock(&conn->lock);
	if (!list_empty(&conn->free_commands)) {
		cmd = list_entry(conn->free_commands.prev, struct iscsi_command, link);
		list_remove(&cmd->link);
		conn->n_free_commands--;
		buffer = cmd->buffer;
		cap = cmd->cap;
	}
	mutex_unlock(&conn->lock);
	if (!cmd)
		cmd = calloc(1, sizeof(*cmd));
	if (!cmd)
		return NULL;
	/* The engine clears its own part in scsi_task_begin. */
	memset(&cmd->out, 0, sizeof(*cmd) - offsetof(struct iscsi_command, out));
	cmd->buffer = buffer;
	cmd->cap = cap;
	cmd->conn = conn;
	list_init(&cmd->link);
	list_init(&cmd->out.link);
	iscsi_conn_ref(conn);
	return cmd;
}

void
iscsi_command_retire_locked(struct iscsi_conn *conn, struct iscsi_command *cmd)
{
	hash_remove(&conn->commands, &cmd->node);
	if (cmd->immediate)
		conn->n_immediate--;
	else
		conn->n_windowed--;
}

void
iscsi_command_release_locked(struct iscsi_conn *conn, struct iscsi_command *cmd)
{
	if (cmd->cap > KEPT_BUFFER || conn->memory > KEPT_MEMORY)
		drop_buffer_locked(conn, cmd);
	if (conn->n_free_commands >= ISCSI_WINDOW) {
		drop_buffer_locked(conn, cmd);
		free(cmd);
		return;
	}
	conn->n_free_commands++;
	list_insert(&conn->free_commands, &cmd->link);
}

void
iscsi_commands_fini(struct iscsi_conn *conn)
{
	list_for_each_safe(pos, tmp, &conn->free_commands)
	{
		struct iscsi_command *cmd = list_entry(pos, struct iscsi_command, link);

		list_remove(&cmd->link);
		scsi_unit_free(cmd->buffer);
		free(cmd);
	}
	hash_fini(&conn->commands);
}

/* The end of a command that gets no answer. */
static void
command_drop(struct iscsi_conn *conn, struct iscsi_command *cmd)
{
	bool starved;

	mutex_lock(&conn->lock);
	iscsi_command_retire_locked(conn, cmd);
	iscsi_command_release_locked(conn, cmd);
	starved = !list_empty(&conn->starved);
	mutex_unlock(&conn->lock);
	if (starved)
		iscsi_conn_wake(conn);
	iscsi_conn_unref(conn);
}

/* To the engine and back */

static void
command_complete(struct scsi_task *task)
{
	struct iscsi_command *cmd = container_of(task, struct iscsi_command, task);
	struct iscsi_conn *conn = cmd->conn;
	bool drop;

	/* Once queued, the command and its reference may be gone at any time. */
	iscsi_conn_ref(conn);
	mutex_lock(&conn->lock);
	drop = task->aborted || conn->dead;
	cmd->state = ISCSI_CMD_ANSWER;
	mutex_unlock(&conn->lock);
	if (task->direction == SCSI_DATA_IN && cmd->reads)
		cmd->n_send = MIN(task->n_in, cmd->edtl);
	if (drop)
		command_drop(conn, cmd);
	else
		iscsi_send_command(conn, cmd);
	iscsi_conn_unref(conn);
}

static void
execute(struct iscsi_command *cmd)
{
	struct scsi_task *task = &cmd->task;

	if (task->direction == SCSI_DATA_IN) {
		task->data_in = cmd->buffer;
		task->cap_in = (uint32_t)cmd->cap;
	} else {
		task->data_out = cmd->buffer;
		task->n_out = cmd->writes ? cmd->edtl : 0;
	}
	cmd->begun = false;
	mutex_lock(&cmd->conn->lock);
	cmd->state = ISCSI_CMD_RUNNING;
	mutex_unlock(&cmd->conn->lock);
	scsi_task_execute(task);
}

/* It fails here and not in the engine. */
static void
command_fail(struct iscsi_command *cmd, struct scsi_result res)
{
	if (cmd->failed)
		return;
	cmd->failed = true;
	if (cmd->begun)
		scsi_task_cancel(&cmd->task);
	cmd->begun = false;
	cmd->task.result = res;
	cmd->task.n_in = 0;
}

static int
send_r2t(struct iscsi_conn *conn, struct iscsi_command *cmd)
{
	struct iscsi_out_pdu *pdu = iscsi_pdu_get(conn);
	uint32_t n = MIN(cmd->n_want - cmd->n_asked, conn->max_burst);
	struct iscsi_r2t *r2t = &cmd->r2ts[cmd->n_r2ts];

	if (!pdu)
		return -ENOMEM;
	*r2t = (struct iscsi_r2t){.ttt = conn->next_ttt++ & 0x7fffffff,
				  .next = cmd->n_asked,
				  .end = cmd->n_asked + n};
	cmd->n_r2ts++;
	cmd->n_asked += n;
	iscsi_pdu_init(pdu->bhs, ISCSI_OP_R2T, 0, cmd->itt);
	put_be64(pdu->bhs + ISCSI_AT_LUN, cmd->task.lun);
	put_be32(pdu->bhs + ISCSI_AT_TTT, r2t->ttt);
	put_be32(pdu->bhs + ISCSI_AT_DATA_SN, cmd->r2t_sn++);
	put_be32(pdu->bhs + ISCSI_AT_BUFFER_OFFSET, r2t->next);
	put_be32(pdu->bhs + ISCSI_AT_RESIDUAL, n); /* desired data transfer length */
	pdu->counts = false;
	iscsi_send_pdu(conn, pdu);
	return 0;
}

static int
ask_for_data(struct iscsi_conn *conn, struct iscsi_command *cmd)
{
	uint32_t limit = MIN(conn->max_r2t, (uint32_t)ISCSI_OUR_MAX_R2T);
	int err = 0;

	while (err == 0 && cmd->n_asked < cmd->n_want && cmd->n_r2ts < limit)
		err = send_r2t(conn, cmd);
	return err;
}

static void
starve(struct iscsi_conn *conn, struct iscsi_command *cmd)
{
	mutex_lock(&conn->lock);
	cmd->state = ISCSI_CMD_STARVED;
	list_insert(&conn->starved, &cmd->link);
	mutex_unlock(&conn->lock);
}

/* Goes as far as it can go with what has come. */
static int
proceed(struct iscsi_conn *conn, struct iscsi_command *cmd)
{
	uint32_t need = cmd->task.direction == SCSI_DATA_IN ? cmd->task.n_transfer : cmd->n_want;

	if (cmd->unsolicited || (cmd->failed && cmd->n_r2ts > 0))
		return 0;
	if (cmd->failed) {
		mutex_lock(&conn->lock);
		cmd->state = ISCSI_CMD_ANSWER;
		mutex_unlock(&conn->lock);
		iscsi_send_command(conn, cmd);
		return 0;
	}
	if (!have_buffer(conn, cmd, need)) {
		starve(conn, cmd);
		return 0;
	}
	if (cmd->n_got < cmd->n_want)
		return ask_for_data(conn, cmd);
	execute(cmd);
	return 0;
}

/* With nothing under way that will give memory back, waiting would be for ever. */
static bool
waits_in_vain(struct iscsi_conn *conn)
{
	bool vain;

	mutex_lock(&conn->lock);
	vain = conn->memory == 0;
	mutex_unlock(&conn->lock);
	return vain;
}

void
iscsi_commands_feed(struct iscsi_conn *conn)
{
	for (;;) {
		struct iscsi_command *cmd = NULL;
		uint32_t need;

		mutex_lock(&conn->lock);
		if (!list_empty(&conn->starved))
			cmd = list_first(&conn->starved, struct iscsi_command, link);
		mutex_unlock(&conn->lock);
		if (!cmd)
			return;
		need = MAX(cmd->n_want,
			   cmd->task.direction == SCSI_DATA_IN ? cmd->task.n_transfer : 0);
		if (!have_buffer(conn, cmd, need)) {
			if (!waits_in_vain(conn))
				return;
			command_fail(cmd, scsi_status_only(SCSI_BUSY));
		}
		mutex_lock(&conn->lock);
		list_remove(&cmd->link);
		cmd->state = ISCSI_CMD_GATHER;
		mutex_unlock(&conn->lock);
		if (proceed(conn, cmd) < 0)
			iscsi_conn_kill(conn, "out of memory");
	}
}

/* From the PDU */

static uint8_t
attribute_of(uint8_t flags)
{
	/* 11.3.1.1: untagged, simple, ordered, head of queue, ACA */
	static const uint8_t map[8] = {SCSI_SIMPLE, SCSI_SIMPLE, SCSI_ORDERED, SCSI_HEAD_OF_QUEUE,
				       SCSI_ACA,    SCSI_ACA,	 SCSI_ACA,     SCSI_ACA};

	return map[flags & ISCSI_COMMAND_ATTRIBUTE];
}

/* The task's part for the engine. -EPROTO; -EOPNOTSUPP: bidirectional. */
static int
fill_task(struct iscsi_conn *conn, struct iscsi_command *cmd)
{
	const uint8_t *bhs = conn->rx.header;
	struct scsi_task *task = &cmd->task;
	uint8_t rest[4];
	int n_more = iscsi_ahs_parse(bhs + ISCSI_BHS_SIZE, iscsi_ahs_size(bhs), rest, sizeof(rest));

	task->nexus = NULL;
	task->lun = get_be64(bhs + ISCSI_AT_LUN);
	memcpy(task->cdb, bhs + ISCSI_AT_CDB, 16);
	task->n_cdb = (uint8_t)MIN(16 + MAX(n_more, 0), UINT8_MAX);
	task->attribute = attribute_of(bhs[1]);
	task->tag = cmd->itt;
	task->complete = command_complete;
	task->ctx = conn;
	return n_more < 0 ? n_more : cmd->reads && cmd->writes ? -EOPNOTSUPP : 0;
}

/* What is wrong with the data that come with it or right after it, 13.10, 13.11, 13.14 */
static bool
unsolicited_ok(const struct iscsi_conn *conn, const struct iscsi_command *cmd)
{
	uint32_t n = conn->rx.n_segment;

	if (n == 0 && !cmd->unsolicited)
		return true;
	if (!cmd->writes || n > cmd->edtl || n > conn->first_burst)
		return false;
	return (n == 0 || conn->immediate_data) && (!cmd->unsolicited || !conn->initial_r2t);
}

/* The task is begun, with a place for unsolicited data, or has failed. */
static void
command_begin(struct iscsi_conn *conn, struct iscsi_command *cmd, struct scsi_nexus *nexus)
{
	struct scsi_task *task = &cmd->task;
	bool early = conn->rx.n_segment > 0 || cmd->unsolicited;

	task->nexus = nexus;
	cmd->begun = scsi_task_begin(task);
	if (!cmd->begun) {
		cmd->failed = true;
		return;
	}
	if (task->direction == SCSI_DATA_OUT && cmd->writes)
		cmd->n_want = MIN(cmd->edtl, task->n_transfer);
	if (!unsolicited_ok(conn, cmd))
		command_fail(cmd, scsi_sense(SENSE_UNEXPECTED_UNSOLICITED_DATA));
	else if (early && !have_buffer(conn, cmd, cmd->n_want))
		command_fail(cmd, scsi_status_only(SCSI_TASK_SET_FULL));
}

static int
command_register(struct iscsi_conn *conn, struct iscsi_command *cmd, enum iscsi_reject *ret_reject)
{
	int err = 0;

	mutex_lock(&conn->lock);
	if (iscsi_command_find_locked(conn, cmd->itt)) {
		*ret_reject = ISCSI_REJECT_TASK_IN_PROGRESS;
	} else if (cmd->immediate && conn->n_immediate == ISCSI_IMMEDIATE_LIMIT) {
		*ret_reject = ISCSI_REJECT_IMMEDIATE;
	} else {
		err = hash_insert(&conn->commands, &cmd->node, hash_tag(cmd->itt));
		if (err == 0 && cmd->immediate)
			conn->n_immediate++;
		else if (err == 0)
			conn->n_windowed++;
	}
	if (*ret_reject || err < 0)
		iscsi_command_release_locked(conn, cmd);
	mutex_unlock(&conn->lock);
	if (*ret_reject || err < 0)
		iscsi_conn_unref(conn);
	return err;
}

/* The PDU is refused as such; its data go nowhere. */
static int
refuse(struct iscsi_conn *conn, enum iscsi_reject reason)
{
	iscsi_advance_cmd_sn(conn);
	conn->turn = ISCSI_TURN_NEVER;
	return iscsi_reject(conn, reason, conn->rx.header, ISCSI_BHS_SIZE);
}

/* Where the data of [offset, offset + segment) go */
static void
aim(struct iscsi_conn *conn, struct iscsi_command *cmd, uint32_t offset)
{
	struct iscsi_rx *rx = &conn->rx;

	rx->command = cmd;
	if (cmd->failed || offset >= cmd->n_want || rx->n_segment == 0)
		return;
	rx->segment = cmd->buffer + offset;
	rx->n_room = MIN(rx->n_segment, cmd->n_want - offset);
}

int
iscsi_command_route(struct iscsi_conn *conn)
{
	const uint8_t *bhs = conn->rx.header;
	struct iscsi_command *cmd = command_get(conn);
	enum iscsi_reject reject = 0;
	int err;

	if (!cmd)
		return -ENOMEM;
	cmd->itt = get_be32(bhs + ISCSI_AT_ITT);
	cmd->immediate = iscsi_is_immediate(bhs);
	cmd->reads = bhs[1] & ISCSI_COMMAND_READ;
	cmd->writes = bhs[1] & ISCSI_COMMAND_WRITE;
	cmd->edtl = get_be32(bhs + ISCSI_AT_TTT);
	cmd->unsolicited = cmd->writes && !(bhs[1] & ISCSI_FINAL);
	err = fill_task(conn, cmd);
	if (err == -EPROTO)
		reject = ISCSI_REJECT_INVALID_FIELD;
	if (command_register(conn, cmd, &reject) < 0)
		return -ENOMEM;
	if (reject)
		return refuse(conn, reject);
	atomic_fetch_add_explicit(&conn->n_commands, 1, memory_order_relaxed);
	if (err == -EOPNOTSUPP) {
		cmd->task = (struct scsi_task){.lun = cmd->task.lun};
		command_fail(cmd, scsi_sense(SENSE_INVALID_INFORMATION_UNIT));
	} else {
		command_begin(conn, cmd, iscsi_conn_nexus(conn));
	}
	aim(conn, cmd, 0);
	return 0;
}

int
iscsi_command_dispatch(struct iscsi_conn *conn, bool digest_ok)
{
	struct iscsi_command *cmd = conn->rx.command;

	if (!digest_ok) {
		command_fail(cmd, scsi_sense(SENSE_PROTOCOL_CRC_ERROR));
		command_drop(conn, cmd);
		return iscsi_reject(conn, ISCSI_REJECT_DATA_DIGEST, conn->rx.header,
				    ISCSI_BHS_SIZE);
	}
	iscsi_advance_cmd_sn(conn);
	cmd->n_got = cmd->n_asked = conn->rx.n_segment;
	return proceed(conn, cmd);
}

/* Data-Out */

/* The state of the sequence that the PDU belongs to; NULL: none of ours. */
struct sequence {
	uint32_t next, end;
	uint32_t *data_sn;
};

static bool
find_sequence(const struct iscsi_conn *conn, struct iscsi_command *cmd, struct sequence *ret)
{
	uint32_t ttt = get_be32(conn->rx.header + ISCSI_AT_TTT);

	if (ttt == ISCSI_TAG_NONE) {
		*ret = (struct sequence){cmd->n_got, MIN(cmd->edtl, conn->first_burst),
					 &cmd->data_sn};
		return cmd->unsolicited;
	}
	if (cmd->n_r2ts == 0 || cmd->r2ts[0].ttt != ttt)
		return false;
	*ret = (struct sequence){cmd->r2ts[0].next, cmd->r2ts[0].end, &cmd->r2ts[0].data_sn};
	return true;
}

/* 11.7.4, 11.7.5, 7.9: in order and without a gap, or the data cannot be trusted. */
static void
check_data_out(struct iscsi_conn *conn, struct iscsi_command *cmd, const struct sequence *seq)
{
	const struct iscsi_rx *rx = &conn->rx;
	uint32_t offset = get_be32(rx->header + ISCSI_AT_BUFFER_OFFSET);

	if (get_be32(rx->header + ISCSI_AT_DATA_SN) != *seq->data_sn)
		command_fail(cmd, scsi_sense(SENSE_PROTOCOL_CRC_ERROR));
	else if (offset != seq->next || rx->n_segment > seq->end - MIN(seq->next, seq->end))
		command_fail(cmd, scsi_sense(SENSE_UNEXPECTED_UNSOLICITED_DATA));
}

int
iscsi_data_out_route(struct iscsi_conn *conn)
{
	uint32_t itt = get_be32(conn->rx.header + ISCSI_AT_ITT);
	struct iscsi_command *cmd;
	struct sequence seq;

	mutex_lock(&conn->lock);
	cmd = iscsi_command_find_locked(conn, itt);
	if (cmd && cmd->state != ISCSI_CMD_GATHER)
		cmd = NULL;
	mutex_unlock(&conn->lock);
	/* Of a command that was aborted, or answered before its time: they go nowhere. */
	if (!cmd)
		return 0;
	if (!find_sequence(conn, cmd, &seq))
		return iscsi_reject(conn, ISCSI_REJECT_PROTOCOL, conn->rx.header, ISCSI_BHS_SIZE);
	check_data_out(conn, cmd, &seq);
	aim(conn, cmd, seq.next);
	return 0;
}

static void
end_sequence(struct iscsi_command *cmd, bool solicited)
{
	if (!solicited) {
		cmd->unsolicited = false;
		cmd->n_asked = cmd->n_got;
		return;
	}
	/* 11.7.1: an R2T is answered in full. */
	if (cmd->r2ts[0].next != cmd->r2ts[0].end)
		command_fail(cmd, scsi_sense(SENSE_NOT_ENOUGH_UNSOLICITED_DATA));
	cmd->n_r2ts--;
	memmove(cmd->r2ts, cmd->r2ts + 1, cmd->n_r2ts * sizeof(cmd->r2ts[0]));
}

int
iscsi_data_out_dispatch(struct iscsi_conn *conn, bool digest_ok)
{
	const struct iscsi_rx *rx = &conn->rx;
	struct iscsi_command *cmd = rx->command;
	bool solicited = get_be32(rx->header + ISCSI_AT_TTT) != ISCSI_TAG_NONE;
	int err = 0;

	if (!digest_ok)
		err = iscsi_reject(conn, ISCSI_REJECT_DATA_DIGEST, rx->header, ISCSI_BHS_SIZE);
	if (!cmd || err < 0)
		return err;
	if (!digest_ok)
		command_fail(cmd, scsi_sense(SENSE_PROTOCOL_CRC_ERROR));
	if (!cmd->failed) {
		cmd->n_got += rx->n_segment;
		if (solicited) {
			cmd->r2ts[0].next += rx->n_segment;
			cmd->r2ts[0].data_sn++;
		} else {
			cmd->data_sn++;
		}
	}
	if (rx->header[1] & ISCSI_FINAL)
		end_sequence(cmd, solicited);
	else
		return 0;
	return proceed(conn, cmd);
}

/* Giving up */

static bool
filter_fits(const struct iscsi_command_filter *f, const struct iscsi_command *cmd)
{
	if (cmd->state != ISCSI_CMD_GATHER && cmd->state != ISCSI_CMD_STARVED)
		return false;
	return (!f->has_tag || f->itt == cmd->itt) && (!f->has_lun || f->lun == cmd->task.lun);
}

size_t
iscsi_commands_cancel(struct iscsi_conn *conn, const struct iscsi_command_filter *filter)
{
	struct list found = LIST_INIT(found);
	size_t n = 0;

	mutex_lock(&conn->lock);
	for (struct hash_node *node = hash_first(&conn->commands); node;
	     node = hash_next(&conn->commands, node)) {
		struct iscsi_command *cmd = container_of(node, struct iscsi_command, node);

		if (!filter_fits(filter, cmd))
			continue;
		list_remove(&cmd->link); /* of the starved */
		list_insert(&found, &cmd->link);
	}
	mutex_unlock(&conn->lock);
	list_for_each_safe(pos, tmp, &found)
	{
		struct iscsi_command *cmd = list_entry(pos, struct iscsi_command, link);

		list_remove(&cmd->link);
		if (cmd->begun)
			scsi_task_cancel(&cmd->task);
		cmd->begun = false;
		command_drop(conn, cmd);
		n++;
	}
	return n;
}
