/* PDUs other than commands and data: who handles which, and what is answered. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include "base/clock.h"
#include "base/log.h"
#include "transport/iscsi/session.h"

enum { TEXT_IN_MAX = 32 << 10 };

/* A copy of data into the PDU; false: no memory. */
static bool
pdu_set_data(struct iscsi_out_pdu *pdu, const void *data, size_t size)
{
	if (size == 0)
		return true;
	assert(data);
	pdu->data = malloc(size);
	if (!pdu->data)
		return false;
	memcpy(pdu->data, data, size);
	pdu->n_data = (uint32_t)size;
	put_be24(pdu->bhs + 5, pdu->n_data);
	return true;
}

/* Sends a response to the PDU that is being handled: header set up, data copied. */
static int
respond(struct iscsi_conn *conn, struct iscsi_out_pdu *pdu, const void *data, size_t size)
{
	if (!pdu_set_data(pdu, data, size)) {
		free(pdu);
		return -ENOMEM;
	}
	iscsi_send_pdu(conn, pdu);
	return 0;
}

static struct iscsi_out_pdu *
response_to(struct iscsi_conn *conn, const uint8_t *request, enum iscsi_opcode opcode)
{
	struct iscsi_out_pdu *pdu = iscsi_pdu_get(conn);

	if (pdu)
		iscsi_pdu_init(pdu->bhs, opcode, 0, get_be32(request + ISCSI_AT_ITT));
	return pdu;
}

int
iscsi_reject(struct iscsi_conn *conn, enum iscsi_reject reason, const uint8_t *header,
	     size_t n_header)
{
	struct iscsi_out_pdu *pdu = iscsi_pdu_get(conn);

	if (!pdu)
		return -ENOMEM;
	log_debug("iscsi", "reject peer=%s pdu=\"%s\" reason=0x%02x", conn->peer,
		  iscsi_opcode_name(iscsi_opcode(header)), reason);
	iscsi_pdu_init(pdu->bhs, ISCSI_OP_REJECT, 0, ISCSI_TAG_NONE);
	pdu->bhs[2] = (uint8_t)reason;
	return respond(conn, pdu, header, MIN(n_header, (size_t)ISCSI_BHS_SIZE));
}

static int
reject_this(struct iscsi_conn *conn, enum iscsi_reject reason)
{
	return iscsi_reject(conn, reason, conn->rx.header, ISCSI_BHS_SIZE);
}

/* Login */

/* What was agreed holds from the next PDU on. */
static void
begin_full_feature(struct iscsi_conn *conn)
{
	const uint32_t *active = conn->login.values.active;

	/* The lock is for describe(), which may look at any time. */
	mutex_lock(&conn->lock);
	conn->send_segment = active[ISCSI_KEY_MAX_RECV_SEGMENT];
	conn->max_burst = active[ISCSI_KEY_MAX_BURST];
	conn->first_burst = MIN(active[ISCSI_KEY_FIRST_BURST], conn->max_burst);
	conn->max_r2t = active[ISCSI_KEY_MAX_R2T];
	conn->immediate_data = active[ISCSI_KEY_IMMEDIATE_DATA];
	conn->initial_r2t = active[ISCSI_KEY_INITIAL_R2T];
	conn->header_digest = active[ISCSI_KEY_HEADER_DIGEST] == ISCSI_DIGEST_CRC32C;
	conn->data_digest = active[ISCSI_KEY_DATA_DIGEST] == ISCSI_DIGEST_CRC32C;
	mutex_unlock(&conn->lock);
	iscsi_conn_set_phase(conn, ISCSI_CONN_FULL);
	iscsi_portal_logged_in(conn);
}

static void
log_login(const struct iscsi_conn *conn, uint16_t status)
{
	const struct iscsi_login *login = &conn->login;

	/* Names have passed iscsi_name_parse or are empty, but may hold any UTF-8. */
	char initiator[100], target[100];

	iscsi_printable(login->initiator, strlen(login->initiator), initiator, sizeof(initiator));
	iscsi_printable(login->target, strlen(login->target), target, sizeof(target));
	if (status == ISCSI_LOGIN_OK)
		log_debug("iscsi", "login peer=%s initiator=%s target=%s auth=\"%s\"", conn->peer,
			  initiator, login->discovery ? "discovery" : target, login->method);
	else
		log_warn("iscsi", "login refused peer=%s initiator=%s target=%s status=0x%04x",
			 conn->peer, initiator, target, status);
}

static int
send_login_answer(struct iscsi_conn *conn, uint16_t tsih)
{
	struct iscsi_login_answer *answer = &conn->login_answer;
	struct iscsi_out_pdu *pdu = iscsi_pdu_get(conn);
	int err;

	if (!pdu)
		return -ENOMEM;
	iscsi_login_response(&conn->login, answer, tsih, pdu->bhs);
	if (answer->status != ISCSI_LOGIN_OK) {
		pdu->counts = false; /* 11.13.4 */
		pdu->closes = true;
		iscsi_conn_set_phase(conn, ISCSI_CONN_LINGER);
		log_login(conn, answer->status);
	} else if (conn->login.stage == ISCSI_STAGE_READY) {
		pdu->starts_digests = true;
		begin_full_feature(conn);
		log_login(conn, answer->status);
	}
	err = respond(conn, pdu, answer->text.s, answer->text.n);
	buf_clear(&answer->text);
	return err;
}

static int
admit(struct iscsi_conn *conn)
{
	struct iscsi_login_answer *answer = &conn->login_answer;
	bool wait = false;

	answer->status = iscsi_session_admit(conn, &wait);
	if (wait) {
		iscsi_conn_set_phase(conn, ISCSI_CONN_WAITS);
		return 0;
	}
	if (answer->status != ISCSI_LOGIN_OK) {
		buf_clear(&answer->text);
		answer->flags &= 0x0c;
	}
	return send_login_answer(conn, conn->session	? conn->session->tsih
				       : answer->status ? conn->login.tsih
							: 1);
}

int
iscsi_login_resume(struct iscsi_conn *conn)
{
	iscsi_conn_set_phase(conn, ISCSI_CONN_LOGIN);
	return admit(conn);
}

static int
login_request(struct iscsi_conn *conn)
{
	struct iscsi_rx *rx = &conn->rx;

	if (!conn->login.begun) {
		mutex_lock(&conn->lock);
		conn->exp_cmd_sn = get_be32(rx->header + ISCSI_AT_CMD_SN);
		conn->max_cmd_sn = conn->exp_cmd_sn;
		mutex_unlock(&conn->lock);
	}
	iscsi_login_request(&conn->login, rx->header, rx->text, rx->n_segment, &conn->login_answer);
	if (conn->login.stage == ISCSI_STAGE_READY)
		return admit(conn);
	return send_login_answer(conn, conn->login.tsih);
}

/* NOP */

static int
nop_out(struct iscsi_conn *conn)
{
	const struct iscsi_rx *rx = &conn->rx;
	struct iscsi_out_pdu *pdu;

	/* The answer to our ping, or just an ExpStatSN: 11.18 */
	if (get_be32(rx->header + ISCSI_AT_ITT) == ISCSI_TAG_NONE)
		return 0;
	pdu = response_to(conn, rx->header, ISCSI_OP_NOP_IN);
	if (!pdu)
		return -ENOMEM;
	memcpy(pdu->bhs + ISCSI_AT_LUN, rx->header + ISCSI_AT_LUN, 8);
	put_be32(pdu->bhs + ISCSI_AT_TTT, ISCSI_TAG_NONE);
	return respond(conn, pdu, rx->text, MIN(rx->n_segment, conn->send_segment));
}

void
iscsi_ping(struct iscsi_conn *conn)
{
	struct iscsi_out_pdu *pdu = iscsi_pdu_get(conn);

	if (!pdu)
		return;
	iscsi_pdu_init(pdu->bhs, ISCSI_OP_NOP_IN, 0, ISCSI_TAG_NONE);
	put_be32(pdu->bhs + ISCSI_AT_TTT, 1); /* any but the reserved one; one ping at a time */
	pdu->counts = false;
	iscsi_send_pdu(conn, pdu);
}

/* Text */

/* The next part of the answer, as much as the initiator takes at once. */
static int
send_text(struct iscsi_conn *conn, bool final)
{
	struct buf *text = &conn->pending_text;
	size_t left = text->n - conn->pending_at, n = MIN(left, (size_t)conn->send_segment);
	struct iscsi_out_pdu *pdu = response_to(conn, conn->rx.header, ISCSI_OP_TEXT_RESPONSE);
	bool more = n < left;

	if (!pdu)
		return -ENOMEM;
	if (more)
		pdu->bhs[1] = ISCSI_CONTINUE;
	else if (!final)
		pdu->bhs[1] = 0;
	conn->text_ttt = more || !final ? conn->next_ttt++ & 0x7fffffff : ISCSI_TAG_NONE;
	memcpy(pdu->bhs + ISCSI_AT_LUN, conn->rx.header + ISCSI_AT_LUN, 8);
	put_be32(pdu->bhs + ISCSI_AT_TTT, conn->text_ttt);
	int err = respond(conn, pdu, text->s ? text->s + conn->pending_at : NULL, n);

	conn->pending_at += n;
	if (!more) {
		buf_clear(text);
		conn->pending_at = 0;
	}
	return err;
}

/* One key of a Text Request. */
static int
text_pair(struct iscsi_conn *conn, const struct iscsi_pair *pair)
{
	enum iscsi_key key = ISCSI_KEY_COUNT;
	enum iscsi_offer offer = iscsi_negotiate(&conn->login.values, ISCSI_PHASE_FULL, pair,
						 &conn->pending_text, &key);

	if (offer == ISCSI_OFFER_ILLEGAL)
		return -EPROTO;
	if (offer == ISCSI_OFFER_YOURS && key == ISCSI_KEY_SEND_TARGETS &&
	    iscsi_session_targets(conn, pair->value, &conn->pending_text) < 0)
		iscsi_text_add(&conn->pending_text, pair->key, "Reject");
	return 0;
}

static int
text_answer(struct iscsi_conn *conn, bool final)
{
	struct iscsi_text t;
	struct iscsi_pair pair;
	int more, err = 0;

	buf_add(&conn->text_in, "", 1);
	if (buf_error(&conn->text_in) < 0)
		return -ENOMEM;
	iscsi_text_begin(&t, conn->text_in.s, conn->text_in.n - 1);
	while (err == 0 && (more = iscsi_text_next(&t, &pair)) != 0)
		err = more < 0 ? more : text_pair(conn, &pair);
	buf_clear(&conn->text_in);
	if (err < 0 || buf_error(&conn->pending_text) < 0) {
		buf_clear(&conn->pending_text);
		conn->text_ttt = ISCSI_TAG_NONE;
		return reject_this(conn, ISCSI_REJECT_PROTOCOL);
	}
	mutex_lock(&conn->lock);
	conn->send_segment = conn->login.values.active[ISCSI_KEY_MAX_RECV_SEGMENT];
	mutex_unlock(&conn->lock);
	return send_text(conn, final);
}

/* 11.10: a target transfer tag goes on with what is under way; none begins anew. */
static int
text_request(struct iscsi_conn *conn)
{
	struct iscsi_rx *rx = &conn->rx;
	uint32_t ttt = get_be32(rx->header + ISCSI_AT_TTT);
	bool more = rx->header[1] & ISCSI_CONTINUE, final = rx->header[1] & ISCSI_FINAL;

	if ((more && final) || (ttt != ISCSI_TAG_NONE && ttt != conn->text_ttt))
		return reject_this(conn, ISCSI_REJECT_PROTOCOL);
	if (ttt == ISCSI_TAG_NONE) {
		buf_clear(&conn->text_in);
		buf_clear(&conn->pending_text);
		conn->pending_at = 0;
	} else if (conn->pending_text.n > 0) {
		return send_text(conn, final);
	}
	buf_add(&conn->text_in, rx->text, rx->n_segment);
	if (buf_error(&conn->text_in) < 0 || conn->text_in.n > TEXT_IN_MAX)
		return -ENOMEM;
	return more ? send_text(conn, false) : text_answer(conn, final);
}

/* Logout */

static int
logout_answer(struct iscsi_conn *conn, uint32_t itt, uint8_t response, bool closes)
{
	struct iscsi_out_pdu *pdu = iscsi_pdu_get(conn);

	if (!pdu)
		return -ENOMEM;
	iscsi_pdu_init(pdu->bhs, ISCSI_OP_LOGOUT_RESPONSE, 0, itt);
	pdu->bhs[2] = response;
	pdu->closes = closes;
	if (closes)
		iscsi_conn_set_phase(conn, ISCSI_CONN_LINGER);
	iscsi_send_pdu(conn, pdu);
	return 0;
}

int
iscsi_logout_finish(struct iscsi_conn *conn)
{
	return logout_answer(conn, conn->logout_itt, 0, true);
}

static void
logout_reset_done(void *ctx, enum scsi_tmf_response response)
{
	struct iscsi_conn *conn = ctx;

	mutex_lock(&conn->lock);
	conn->logout_done = true;
	mutex_unlock(&conn->lock);
	iscsi_conn_wake(conn);
	iscsi_conn_unref(conn);
}

/* 11.14: its tasks end before the answer. One connection is the session. */
static int
logout_request(struct iscsi_conn *conn)
{
	const uint8_t *bhs = conn->rx.header;
	const struct iscsi_command_filter all = {0};
	uint8_t reason = bhs[1] & 0x7f;

	if (reason == ISCSI_LOGOUT_CONNECTION && get_be16(bhs + ISCSI_AT_CID) != conn->login.cid)
		return logout_answer(conn, get_be32(bhs + ISCSI_AT_ITT), 1, false);
	if (reason == ISCSI_LOGOUT_RECOVERY)
		return logout_answer(conn, get_be32(bhs + ISCSI_AT_ITT), 2, false);
	if (reason > ISCSI_LOGOUT_RECOVERY)
		return reject_this(conn, ISCSI_REJECT_INVALID_FIELD);
	conn->logout_itt = get_be32(bhs + ISCSI_AT_ITT);
	iscsi_conn_set_phase(conn, ISCSI_CONN_LEAVING);
	if (!conn->session)
		return iscsi_logout_finish(conn);
	iscsi_commands_cancel(conn, &all);
	iscsi_conn_ref(conn);
	scsi_tmf(conn->session->nexus, SCSI_TMF_I_T_NEXUS_RESET, 0, 0, logout_reset_done, conn);
	return 0;
}

static int
snack(struct iscsi_conn *conn)
{
	/* Nothing is kept for a second sending at error recovery level 0: 7.1.4.1 */
	return reject_this(conn, ISCSI_REJECT_SNACK);
}

/* The table */

static const struct handler {
	int (*run)(struct iscsi_conn *conn);
	bool discovery; /* also there */
	bool no_cmd_sn; /* the PDU has none */
} handlers[ISCSI_OPCODE_MASK + 1] = {
	[ISCSI_OP_NOP_OUT] = {nop_out, true},
	[ISCSI_OP_TASK_REQUEST] = {iscsi_task_request},
	[ISCSI_OP_TEXT_REQUEST] = {text_request, true},
	[ISCSI_OP_LOGOUT_REQUEST] = {logout_request, true},
	[ISCSI_OP_SNACK] = {snack, false, true},
};

/* 4.2.2.1. MaxCmdSN as it was last told. */
static enum iscsi_turn
turn_of(struct iscsi_conn *conn, const uint8_t *bhs)
{
	uint32_t sn = get_be32(bhs + ISCSI_AT_CMD_SN);
	enum iscsi_turn turn = ISCSI_TURN_LATER;

	if (iscsi_is_immediate(bhs) || handlers[iscsi_opcode(bhs)].no_cmd_sn)
		return ISCSI_TURN_NOW;
	mutex_lock(&conn->lock);
	if (sn == conn->exp_cmd_sn && !iscsi_sn_before(conn->max_cmd_sn, sn))
		turn = ISCSI_TURN_NOW;
	else if (iscsi_sn_before(sn, conn->exp_cmd_sn) || iscsi_sn_before(conn->max_cmd_sn, sn))
		turn = ISCSI_TURN_NEVER;
	mutex_unlock(&conn->lock);
	return turn;
}

/* The data segment of a PDU that is handled when it is whole */
static int
route_text(struct iscsi_conn *conn)
{
	struct iscsi_rx *rx = &conn->rx;

	if (rx->text_cap < rx->n_segment + 1) {
		size_t cap = MAX(rx->n_segment + 1, 1024u);

		free(rx->text);
		rx->text = malloc(cap);
		rx->text_cap = rx->text ? cap : 0;
	}
	if (!rx->text)
		return -ENOMEM;
	rx->text[rx->n_segment] = 0;
	rx->segment = (uint8_t *)rx->text;
	rx->n_room = rx->n_segment;
	return 0;
}

int
iscsi_route(struct iscsi_conn *conn)
{
	struct iscsi_rx *rx = &conn->rx;
	uint8_t opcode = iscsi_opcode(rx->header);
	bool in_login = conn->phase == ISCSI_CONN_LOGIN;

	if (rx->n_segment > (in_login ? ISCSI_LOGIN_SEGMENT : ISCSI_OUR_SEGMENT) ||
	    in_login != (opcode == ISCSI_OP_LOGIN_REQUEST))
		return -EPROTO;
	if (in_login)
		return iscsi_ahs_size(rx->header) > 0 ? -EPROTO : route_text(conn);
	if (conn->phase != ISCSI_CONN_FULL)
		return 0;
	if (opcode == ISCSI_OP_DATA_OUT)
		return iscsi_data_out_route(conn);
	conn->turn = turn_of(conn, rx->header);
	if (conn->turn == ISCSI_TURN_NEVER)
		return 0;
	if (opcode == ISCSI_OP_SCSI_COMMAND && conn->turn == ISCSI_TURN_NOW && conn->session)
		return iscsi_command_route(conn);
	return route_text(conn);
}

/*
 * A gap before it: on one connection it comes of a command whose digest did not match. At recovery
 * level 0 few initiators fill it; a command with more data to come is not worth its state.
 */
static int
hold(struct iscsi_conn *conn)
{
	const struct iscsi_rx *rx = &conn->rx;
	uint32_t n_ahs = iscsi_ahs_size(rx->header), sn = get_be32(rx->header + ISCSI_AT_CMD_SN);
	bool more =
		iscsi_opcode(rx->header) == ISCSI_OP_SCSI_COMMAND && !(rx->header[1] & ISCSI_FINAL);
	struct iscsi_held *held;
	struct list *pos = conn->held.prev;

	if (more || conn->n_held == ISCSI_HELD_LIMIT)
		return -EPROTO;
	held = malloc(sizeof(*held) + ISCSI_BHS_SIZE + n_ahs + rx->n_segment);
	if (!held)
		return -ENOMEM;
	held->cmd_sn = sn;
	held->n_ahs = n_ahs;
	held->n_data = rx->n_segment;
	memcpy(held->bytes, rx->header, ISCSI_BHS_SIZE + n_ahs);
	memcpy(held->bytes + ISCSI_BHS_SIZE + n_ahs, rx->text, rx->n_segment);
	while (pos != &conn->held &&
	       iscsi_sn_before(sn, list_entry(pos, struct iscsi_held, link)->cmd_sn))
		pos = pos->prev;
	list_insert(pos->next, &held->link);
	conn->n_held++;
	return 0;
}

static int
dispatch_other(struct iscsi_conn *conn)
{
	const struct handler *handler = &handlers[iscsi_opcode(conn->rx.header)];

	if (!handler->run)
		return reject_this(conn, ISCSI_REJECT_NOT_SUPPORTED);
	if (!conn->session && !handler->discovery)
		return reject_this(conn, ISCSI_REJECT_PROTOCOL);
	return handler->run(conn);
}

/* Its turn: the number is used up, whatever comes of the PDU. */
void
iscsi_advance_cmd_sn(struct iscsi_conn *conn)
{
	const uint8_t *bhs = conn->rx.header;

	if (iscsi_is_immediate(bhs) || handlers[iscsi_opcode(bhs)].no_cmd_sn)
		return;
	mutex_lock(&conn->lock);
	conn->exp_cmd_sn++;
	mutex_unlock(&conn->lock);
}

int
iscsi_dispatch(struct iscsi_conn *conn, bool digest_ok)
{
	struct iscsi_rx *rx = &conn->rx;
	uint8_t opcode = iscsi_opcode(rx->header);

	if (conn->phase == ISCSI_CONN_LOGIN)
		return login_request(conn);
	if (conn->phase != ISCSI_CONN_FULL)
		return 0;
	if (opcode == ISCSI_OP_DATA_OUT)
		return iscsi_data_out_dispatch(conn, digest_ok);
	if (conn->turn == ISCSI_TURN_NEVER)
		return 0;
	if (rx->command)
		return iscsi_command_dispatch(conn, digest_ok);
	/* 7.7: discarded, and the initiator told; its CmdSN is still awaited. */
	if (!digest_ok)
		return reject_this(conn, ISCSI_REJECT_DATA_DIGEST);
	if (conn->turn == ISCSI_TURN_LATER)
		return hold(conn);
	iscsi_advance_cmd_sn(conn);
	return dispatch_other(conn);
}
