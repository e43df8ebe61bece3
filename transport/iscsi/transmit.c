/*
 * What a connection sends. Answers wait in one queue; a batch of up to ISCSI_BATCH_PDUS headers and
 * pieces of data is laid out under the lock, sent without it by whoever holds tx.busy, and only
 * then are its commands released. Headers get their StatSN when they are laid out: the order of the
 * numbers is the order of sending (RFC 7143 4.2.2.2).
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include "base/clock.h"
#include "base/log.h"
#include "transport/iscsi/connection.h"
#include "transport/iscsi/digest.h"

enum { FREE_PDUS_KEPT = 128 };

struct iscsi_out_pdu *
iscsi_pdu_get(struct iscsi_conn *conn)
{
	struct iscsi_out_pdu *pdu = NULL;

	mutex_lock(&conn->lock);
	if (!list_empty(&conn->free_pdus)) {
		pdu = list_first(&conn->free_pdus, struct iscsi_out_pdu, out.link);
		list_remove(&pdu->out.link);
		conn->n_free_pdus--;
	}
	mutex_unlock(&conn->lock);
	if (!pdu)
		pdu = malloc(sizeof(*pdu));
	if (pdu)
		*pdu = (struct iscsi_out_pdu){.out.kind = ISCSI_OUT_PDU, .counts = true};
	return pdu;
}

static void
pdu_put_locked(struct iscsi_conn *conn, struct iscsi_out_pdu *pdu) REQUIRES(&conn->lock)
{
	free(take(&pdu->data));
	if (conn->n_free_pdus == FREE_PDUS_KEPT) {
		free(pdu);
		return;
	}
	conn->n_free_pdus++;
	list_insert(&conn->free_pdus, &pdu->out.link);
}

/* SN fields of a response; 11.4.5 to 11.4.7. MaxCmdSN never goes back. */
static void
put_sns_locked(struct iscsi_conn *conn, uint8_t *bhs, bool counts) REQUIRES(&conn->lock)
{
	uint32_t n_windowed = (uint32_t)conn->n_windowed;
	uint32_t max = conn->exp_cmd_sn + ISCSI_WINDOW - 1 - n_windowed;

	if (iscsi_sn_before(conn->max_cmd_sn, max))
		conn->max_cmd_sn = max;
	put_be32(bhs + ISCSI_AT_STAT_SN, counts ? conn->stat_sn++ : conn->stat_sn);
	put_be32(bhs + ISCSI_AT_EXP_CMD_SN, conn->exp_cmd_sn);
	put_be32(bhs + ISCSI_AT_MAX_CMD_SN, conn->max_cmd_sn);
}

static void
add_iov(struct iscsi_tx *tx, void *bytes, size_t size)
{
	if (size > 0)
		tx->iov[tx->n_iov++] = (struct iovec){bytes, size};
}

/* Header, data, padding and digests of one PDU into the batch. */
static void
lay_out(struct iscsi_conn *conn, uint8_t *bhs, uint8_t *data, uint32_t n_data)
{
	struct iscsi_tx *tx = &conn->tx;
	uint8_t *tail = tx->tails[tx->n_pdus];
	uint32_t n_header = ISCSI_BHS_SIZE, n_tail = iscsi_padding(n_data);

	if (tx->header_digest) {
		iscsi_crc_end(iscsi_crc_add(ISCSI_CRC_START, bhs, n_header), bhs + n_header);
		n_header += ISCSI_DIGEST_SIZE;
	}
	memset(tail, 0, 4);
	if (tx->data_digest && n_data > 0) {
		uint32_t crc = iscsi_crc_add(ISCSI_CRC_START, data, n_data);

		iscsi_crc_end(iscsi_crc_add(crc, tail, n_tail), tail + n_tail);
		n_tail += ISCSI_DIGEST_SIZE;
	}
	add_iov(tx, bhs, n_header);
	add_iov(tx, data, n_data);
	add_iov(tx, tail, n_tail);
	tx->n_pdus++;
}

static void
stage_pdu_locked(struct iscsi_conn *conn, struct iscsi_out_pdu *pdu) REQUIRES(&conn->lock)
{
	struct iscsi_tx *tx = &conn->tx;
	uint8_t *bhs = tx->headers[tx->n_pdus];

	memcpy(bhs, pdu->bhs, ISCSI_BHS_SIZE);
	put_sns_locked(conn, bhs, pdu->counts);
	lay_out(conn, bhs, pdu->data, pdu->n_data);
	tx->n_misc--;
	tx->closing = tx->closing || pdu->closes;
	if (pdu->starts_digests) {
		tx->header_digest = conn->header_digest;
		tx->data_digest = conn->data_digest;
	}
	list_remove(&pdu->out.link);
	list_insert(&tx->sent, &pdu->out.link);
}

/*
 * 11.4.5.1: how far what was moved is from what the initiator expected. Reads count what came of
 * the device, writes what the CDB asks for; a write that failed has moved nothing, but when it
 * asked for more than the initiator would send, that is told all the same.
 */
static void
put_residual(const struct iscsi_command *cmd, uint8_t *bhs)
{
	const struct scsi_task *task = &cmd->task;
	uint32_t moved = 0;

	if (task->direction == SCSI_DATA_IN)
		moved = task->n_in;
	else if (task->direction == SCSI_DATA_OUT &&
		 (scsi_ok(task->result) || task->n_transfer > cmd->edtl))
		moved = task->n_transfer;
	/* The device moved data one way and the initiator expected the other. */
	bool same_way = task->direction == SCSI_DATA_IN ? !cmd->writes : !cmd->reads;

	if (!same_way)
		moved = 0;
	if (moved > cmd->edtl) {
		bhs[1] |= ISCSI_RESIDUAL_OVERFLOW;
		put_be32(bhs + ISCSI_AT_RESIDUAL, moved - cmd->edtl);
	} else if (moved < cmd->edtl) {
		bhs[1] |= ISCSI_RESIDUAL_UNDERFLOW;
		put_be32(bhs + ISCSI_AT_RESIDUAL, cmd->edtl - moved);
	}
}

/* The status goes with the last data when it is GOOD: 11.7.3, phase collapse. */
static bool
stage_data_in_locked(struct iscsi_conn *conn, struct iscsi_command *cmd) REQUIRES(&conn->lock)
{
	uint8_t *bhs = conn->tx.headers[conn->tx.n_pdus];
	uint32_t left = cmd->n_send - cmd->n_sent;
	uint32_t n = MIN(left, MIN(conn->send_segment, conn->max_burst - cmd->burst));
	bool last = n == left, collapse = last && cmd->task.result.status == SCSI_GOOD;

	iscsi_pdu_init(bhs, ISCSI_OP_DATA_IN, n, cmd->itt);
	cmd->burst += n;
	if (!last && cmd->burst < conn->max_burst)
		bhs[1] = 0;
	else
		cmd->burst = 0;
	put_be32(bhs + ISCSI_AT_TTT, ISCSI_TAG_NONE);
	put_sns_locked(conn, bhs, collapse);
	put_be32(bhs + ISCSI_AT_DATA_SN, cmd->data_in_sn++);
	put_be32(bhs + ISCSI_AT_BUFFER_OFFSET, cmd->n_sent);
	if (collapse) {
		bhs[1] |= ISCSI_DATA_IN_STATUS;
		put_residual(cmd, bhs);
	} else {
		put_be32(bhs + ISCSI_AT_STAT_SN, 0);
	}
	lay_out(conn, bhs, cmd->buffer + cmd->n_sent, n);
	cmd->n_sent += n;
	return collapse;
}

static void
stage_response_locked(struct iscsi_conn *conn, struct iscsi_command *cmd) REQUIRES(&conn->lock)
{
	uint8_t *bhs = conn->tx.headers[conn->tx.n_pdus];
	size_t n_sense = scsi_task_sense(&cmd->task, cmd->sense + 2);
	uint32_t n = n_sense > 0 ? (uint32_t)n_sense + 2 : 0;

	put_be16(cmd->sense, (uint16_t)n_sense);
	iscsi_pdu_init(bhs, ISCSI_OP_SCSI_RESPONSE, n, cmd->itt);
	bhs[3] = cmd->task.result.status;
	put_sns_locked(conn, bhs, true);
	put_be32(bhs + ISCSI_AT_DATA_SN, cmd->data_in_sn + cmd->r2t_sn); /* ExpDataSN */
	put_residual(cmd, bhs);
	lay_out(conn, bhs, cmd->sense, n);
}

/* The command's next PDU; with its last, the command is over for the initiator. */
static void
stage_command_locked(struct iscsi_conn *conn, struct iscsi_command *cmd) REQUIRES(&conn->lock)
{
	bool over;

	if (cmd->n_sent == 0)
		iscsi_command_retire_locked(conn, cmd);
	if (cmd->n_sent < cmd->n_send) {
		over = stage_data_in_locked(conn, cmd);
	} else {
		stage_response_locked(conn, cmd);
		over = true;
	}
	if (over) {
		list_remove(&cmd->out.link);
		list_insert(&conn->tx.sent, &cmd->out.link);
	}
}

static void
stage_locked(struct iscsi_conn *conn) REQUIRES(&conn->lock)
{
	struct iscsi_tx *tx = &conn->tx;

	tx->n_iov = tx->iov_at = tx->n_pdus = 0;
	while (!list_empty(&tx->queue) && tx->n_pdus < ISCSI_BATCH_PDUS && !tx->closing) {
		struct iscsi_out *out = list_first(&tx->queue, struct iscsi_out, link);

		if (out->kind == ISCSI_OUT_PDU)
			stage_pdu_locked(conn, container_of(out, struct iscsi_out_pdu, out));
		else
			stage_command_locked(conn, container_of(out, struct iscsi_command, out));
	}
}

/* The batch is with the kernel: what it held may be used again. How many references to drop. */
static unsigned
release_sent_locked(struct iscsi_conn *conn) REQUIRES(&conn->lock)
{
	unsigned n_commands = 0;

	list_for_each_safe(pos, tmp, &conn->tx.sent)
	{
		struct iscsi_out *out = list_entry(pos, struct iscsi_out, link);

		list_remove(&out->link);
		if (out->kind == ISCSI_OUT_PDU) {
			pdu_put_locked(conn, container_of(out, struct iscsi_out_pdu, out));
			continue;
		}
		iscsi_command_release_locked(conn, container_of(out, struct iscsi_command, out));
		n_commands++;
	}
	return n_commands;
}

/* What the batch has left, once. Bytes or -errno. */
static ssize_t
send_some(struct iscsi_conn *conn)
{
	struct iscsi_tx *tx = &conn->tx;
	struct msghdr msg = {.msg_iov = tx->iov + tx->iov_at, .msg_iovlen = tx->n_iov - tx->iov_at};
	ssize_t n = sendmsg(conn->source.fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);

	return n < 0 ? -errno : n;
}

static void
advance(struct iscsi_tx *tx, size_t n)
{
	while (tx->iov_at < tx->n_iov && n >= tx->iov[tx->iov_at].iov_len)
		n -= tx->iov[tx->iov_at++].iov_len;
	if (n > 0) {
		tx->iov[tx->iov_at].iov_base = (char *)tx->iov[tx->iov_at].iov_base + n;
		tx->iov[tx->iov_at].iov_len -= n;
	}
}

/* 0: the batch is out; -EAGAIN; or the socket is broken. */
static int
send_batch(struct iscsi_conn *conn)
{
	struct iscsi_tx *tx = &conn->tx;

	while (tx->iov_at < tx->n_iov) {
		ssize_t n = send_some(conn);

		if (n == -EINTR)
			continue;
		if (n < 0)
			return (int)n;
		atomic_fetch_add_explicit(&conn->n_bytes_out, (uint64_t)n, memory_order_relaxed);
		advance(tx, (size_t)n);
	}
	return 0;
}

static void
block_locked(struct iscsi_conn *conn) REQUIRES(&conn->lock)
{
	uint64_t n_bytes = atomic_load_explicit(&conn->n_bytes_out, memory_order_relaxed);

	conn->tx.blocked = true;
	if (!conn->tx.blocked_since_ns || conn->tx.blocked_bytes != n_bytes)
		conn->tx.blocked_since_ns = clock_monotonic_ns();
	conn->tx.blocked_bytes = n_bytes;
	/* The owner arms it when it leaves; reading goes on meanwhile if it did. */
	if (!conn->owned)
		iscsi_loop_arm(conn->loop, &conn->source, EPOLLIN | EPOLLOUT);
}

/* One batch. False: stop. */
static bool
flush_batch_locked(struct iscsi_conn *conn, unsigned *n_released, int *ret_err)
	REQUIRES(&conn->lock)
{
	struct iscsi_tx *tx = &conn->tx;

	if (tx->iov_at == tx->n_iov)
		stage_locked(conn);
	if (tx->n_iov == 0)
		return false;
	mutex_unlock(&conn->lock);
	*ret_err = send_batch(conn);
	mutex_lock(&conn->lock);
	if (*ret_err == -EAGAIN)
		block_locked(conn);
	if (*ret_err < 0)
		return false;
	tx->n_iov = tx->iov_at = 0;
	tx->blocked_since_ns = 0;
	*n_released += release_sent_locked(conn);
	return true;
}

void
iscsi_flush(struct iscsi_conn *conn)
{
	struct iscsi_tx *tx = &conn->tx;
	unsigned n_released = 0;
	bool wake, closing;
	int err = 0;

	mutex_lock(&conn->lock);
	if (tx->busy || tx->blocked || conn->dead) {
		mutex_unlock(&conn->lock);
		return;
	}
	tx->busy = true;
	while (flush_batch_locked(conn, &n_released, &err))
		;
	tx->busy = false;
	wake = (n_released > 0 && !list_empty(&conn->starved)) ||
	       (tx->reader_waits && tx->n_misc < ISCSI_MISC_LIMIT);
	tx->reader_waits = tx->reader_waits && !wake;
	closing = tx->closing && err == 0;
	mutex_unlock(&conn->lock);
	if (err < 0 && err != -EAGAIN)
		iscsi_conn_kill(conn, "the connection broke");
	if (closing)
		shutdown(conn->source.fd, SHUT_WR);
	if (wake)
		iscsi_conn_wake(conn);
	while (n_released-- > 0)
		iscsi_conn_unref(conn);
}

static void
enqueue(struct iscsi_conn *conn, struct iscsi_out *out)
{
	mutex_lock(&conn->lock);
	list_insert(&conn->tx.queue, &out->link);
	conn->tx.n_misc += out->kind == ISCSI_OUT_PDU;
	mutex_unlock(&conn->lock);
	/* The owner sends all that it queued at the end of its turn. */
	if (!iscsi_conn_is_mine(conn))
		iscsi_flush(conn);
}

void
iscsi_send_pdu(struct iscsi_conn *conn, struct iscsi_out_pdu *pdu)
{
	enqueue(conn, &pdu->out);
}

void
iscsi_send_command(struct iscsi_conn *conn, struct iscsi_command *cmd)
{
	cmd->out.kind = ISCSI_OUT_COMMAND;
	enqueue(conn, &cmd->out);
}

bool
iscsi_tx_is_full(struct iscsi_conn *conn)
{
	bool full;

	mutex_lock(&conn->lock);
	full = conn->tx.n_misc >= ISCSI_MISC_LIMIT;
	mutex_unlock(&conn->lock);
	return full;
}

static unsigned
drop_locked(struct iscsi_conn *conn, struct list *list) REQUIRES(&conn->lock)
{
	unsigned n_commands = 0;

	list_for_each_safe(pos, tmp, list)
	{
		struct iscsi_out *out = list_entry(pos, struct iscsi_out, link);
		struct iscsi_command *cmd = container_of(out, struct iscsi_command, out);

		list_remove(&out->link);
		if (out->kind == ISCSI_OUT_PDU) {
			pdu_put_locked(conn, container_of(out, struct iscsi_out_pdu, out));
			continue;
		}
		if (list == &conn->tx.queue && cmd->n_sent == 0)
			iscsi_command_retire_locked(conn, cmd);
		iscsi_command_release_locked(conn, cmd);
		n_commands++;
	}
	return n_commands;
}

void
iscsi_tx_fini(struct iscsi_conn *conn)
{
	unsigned n;

	mutex_lock(&conn->lock);
	n = drop_locked(conn, &conn->tx.queue) + drop_locked(conn, &conn->tx.sent);
	mutex_unlock(&conn->lock);
	while (n-- > 0)
		iscsi_conn_unref(conn);
}
