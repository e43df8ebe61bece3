/*
 * Bytes of the socket become PDUs. Headers are gathered from a buffer that one read fills with many
 * PDUs; a data segment goes where dispatch.c says, and what of it is not in the buffer yet is read
 * straight to its place.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include "base/clock.h"
#include "transport/iscsi/connection.h"
#include "transport/iscsi/digest.h"

enum { READS_PER_TURN = 16 }; /* then other connections may have the thread */

/* Bytes of the header that must be there, as far as is known yet */
static size_t
header_size(const struct iscsi_conn *conn)
{
	const struct iscsi_rx *rx = &conn->rx;

	if (rx->n_header < ISCSI_BHS_SIZE)
		return ISCSI_BHS_SIZE;
	return ISCSI_BHS_SIZE + iscsi_ahs_size(rx->header) +
	       (conn->header_digest ? ISCSI_DIGEST_SIZE : 0);
}

static bool
header_digest_ok(const struct iscsi_conn *conn)
{
	const struct iscsi_rx *rx = &conn->rx;
	size_t n = rx->n_header - ISCSI_DIGEST_SIZE;
	uint8_t want[ISCSI_DIGEST_SIZE];

	if (!conn->header_digest)
		return true;
	iscsi_crc_end(iscsi_crc_add(ISCSI_CRC_START, rx->header, n), want);
	return memcmp(want, rx->header + n, sizeof(want)) == 0;
}

/* A whole PDU; then the next header begins. */
static int
pdu_end(struct iscsi_conn *conn, bool digest_ok)
{
	struct iscsi_rx *rx = &conn->rx;
	int err = iscsi_dispatch(conn, digest_ok);

	rx->n_header = 0;
	rx->in_segment = false;
	rx->command = NULL;
	return err;
}

/* The same for one from the socket: it may have been what others waited for. */
static int
pdu_arrived(struct iscsi_conn *conn, bool digest_ok)
{
	int err = pdu_end(conn, digest_ok);

	return err == 0 && !list_empty(&conn->held) ? iscsi_receive_held(conn) : err;
}

/* The header is whole: check it, find a place for its data. */
static int
header_end(struct iscsi_conn *conn)
{
	struct iscsi_rx *rx = &conn->rx;
	int err;

	/* 7.7: nothing in a broken header can be trusted, its length least of all. */
	if (!header_digest_ok(conn))
		return -EBADMSG;
	rx->segment = NULL;
	rx->n_segment = iscsi_segment_size(rx->header);
	rx->n_room = rx->n_read = 0;
	rx->crc = ISCSI_CRC_START;
	rx->n_total = rx->n_segment + iscsi_padding(rx->n_segment);
	/* 11.2.1.6: no data, no digest */
	if (conn->data_digest && rx->n_segment > 0)
		rx->n_total += ISCSI_DIGEST_SIZE;
	err = iscsi_route(conn);
	if (err < 0)
		return err;
	rx->in_segment = rx->n_total > 0;
	return rx->in_segment ? 0 : pdu_arrived(conn, true);
}

static bool
data_digest_ok(const struct iscsi_conn *conn)
{
	const struct iscsi_rx *rx = &conn->rx;
	uint32_t n_pad = iscsi_padding(rx->n_segment);
	uint8_t want[ISCSI_DIGEST_SIZE];

	if (!conn->data_digest)
		return true;
	iscsi_crc_end(iscsi_crc_add(rx->crc, rx->tail, n_pad), want);
	return memcmp(want, rx->tail + n_pad, sizeof(want)) == 0;
}

static size_t
take_header(struct iscsi_conn *conn, const uint8_t *bytes, size_t size)
{
	struct iscsi_rx *rx = &conn->rx;
	size_t n = MIN(size, header_size(conn) - rx->n_header);

	memcpy(rx->header + rx->n_header, bytes, n);
	rx->n_header += n;
	return n;
}

/* Data bytes go to the segment as far as it has room; padding and digest to the tail. */
static size_t
take_segment(struct iscsi_conn *conn, const uint8_t *bytes, size_t size)
{
	struct iscsi_rx *rx = &conn->rx;
	size_t n;

	if (rx->n_read >= rx->n_segment) {
		n = MIN(size, (size_t)(rx->n_total - rx->n_read));
		memcpy(rx->tail + (rx->n_read - rx->n_segment), bytes, n);
	} else {
		n = MIN(size, (size_t)(rx->n_segment - rx->n_read));
		if (rx->n_read < rx->n_room)
			memcpy(rx->segment + rx->n_read, bytes,
			       MIN(n, (size_t)(rx->n_room - rx->n_read)));
		if (conn->data_digest)
			rx->crc = iscsi_crc_add(rx->crc, bytes, n);
	}
	rx->n_read += (uint32_t)n;
	return n;
}

static int
parse(struct iscsi_conn *conn)
{
	struct iscsi_rx *rx = &conn->rx;
	int err = 0;

	while (err == 0 && rx->at < rx->end && conn->phase != ISCSI_CONN_LINGER) {
		const uint8_t *bytes = rx->buffer + rx->at;
		size_t size = rx->end - rx->at;

		if (rx->in_segment) {
			rx->at += take_segment(conn, bytes, size);
			if (rx->n_read == rx->n_total)
				err = pdu_arrived(conn, data_digest_ok(conn));
		} else {
			rx->at += take_header(conn, bytes, size);
			if (rx->n_header == header_size(conn))
				err = header_end(conn);
		}
		if (conn->phase == ISCSI_CONN_WAITS || iscsi_tx_is_full(conn))
			break;
	}
	if (rx->at == rx->end || conn->phase == ISCSI_CONN_LINGER)
		rx->at = rx->end = 0;
	return err;
}

/* Bytes of the segment that a read may put straight into place */
static size_t
direct_room(const struct iscsi_rx *rx)
{
	return rx->in_segment && rx->n_read < rx->n_room ? rx->n_room - rx->n_read : 0;
}

static void
took_direct(struct iscsi_conn *conn, size_t n)
{
	struct iscsi_rx *rx = &conn->rx;

	if (conn->data_digest)
		rx->crc = iscsi_crc_add(rx->crc, rx->segment + rx->n_read, n);
	rx->n_read += (uint32_t)n;
}

/* One read into the segment's rest and the buffer, which is empty. Its size, 0: the end, or -errno.
 */
static ssize_t
read_some(struct iscsi_conn *conn, bool *ret_short)
{
	struct iscsi_rx *rx = &conn->rx;
	size_t direct = direct_room(rx);
	struct iovec iov[2] = {{rx->segment ? rx->segment + rx->n_read : NULL, direct},
			       {rx->buffer, ISCSI_RX_SIZE}};
	ssize_t n = readv(conn->source.fd, direct ? iov : iov + 1, direct ? 2 : 1);

	if (n < 0)
		return -errno;
	*ret_short = (size_t)n < direct + ISCSI_RX_SIZE;
	if (n > 0)
		atomic_store_explicit(&conn->last_rx_ns, clock_monotonic_ns(),
				      memory_order_relaxed);
	direct = MIN((size_t)n, direct);
	if (direct > 0)
		took_direct(conn, direct);
	rx->at = 0;
	rx->end = (size_t)n - direct;
	return n;
}

/* A segment that ended with the direct read has no byte left that would make parse() see it. */
static int
finish_direct(struct iscsi_conn *conn)
{
	struct iscsi_rx *rx = &conn->rx;

	if (rx->in_segment && rx->n_read == rx->n_total)
		return pdu_arrived(conn, data_digest_ok(conn));
	return 0;
}

static bool
may_read(struct iscsi_conn *conn)
{
	return conn->phase != ISCSI_CONN_WAITS && !iscsi_tx_is_full(conn);
}

enum iscsi_received
iscsi_receive(struct iscsi_conn *conn)
{
	struct iscsi_rx *rx = &conn->rx;
	bool is_short = false;

	for (unsigned turn = 0; turn < READS_PER_TURN; turn++) {
		ssize_t n;

		if (rx->at < rx->end && parse(conn) < 0)
			return ISCSI_RECEIVED_END;
		if (!may_read(conn) || is_short)
			return ISCSI_RECEIVED_ALL;
		n = read_some(conn, &is_short);
		if (n == -EAGAIN)
			return ISCSI_RECEIVED_ALL;
		if (n == -EINTR)
			continue;
		if (n <= 0 || finish_direct(conn) < 0)
			return ISCSI_RECEIVED_END;
	}
	if (rx->at < rx->end && parse(conn) < 0)
		return ISCSI_RECEIVED_END;
	return ISCSI_RECEIVED_MORE;
}

static int
replay(struct iscsi_conn *conn, const struct iscsi_held *held)
{
	struct iscsi_rx *rx = &conn->rx;
	int err;

	rx->n_header = ISCSI_BHS_SIZE + held->n_ahs;
	memcpy(rx->header, held->bytes, rx->n_header);
	rx->n_segment = held->n_data;
	rx->segment = NULL;
	rx->n_room = 0;
	err = iscsi_route(conn);
	if (err < 0)
		return err;
	if (rx->segment)
		memcpy(rx->segment, held->bytes + rx->n_header, MIN(rx->n_room, held->n_data));
	return pdu_end(conn, true);
}

int
iscsi_receive_held(struct iscsi_conn *conn)
{
	int err = 0;

	while (err == 0 && !list_empty(&conn->held)) {
		struct iscsi_held *held = list_first(&conn->held, struct iscsi_held, link);

		if (held->cmd_sn != conn->exp_cmd_sn)
			break;
		list_remove(&held->link);
		conn->n_held--;
		err = replay(conn, held);
		free(held);
	}
	return err;
}
