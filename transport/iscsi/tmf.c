/* Task management requests: RFC 7143 11.5 and 11.6, with the functions that RFC 7144 adds. */
#include <errno.h>
#include <stdlib.h>
#include "base/log.h"
#include "transport/iscsi/session.h"

enum { TMFS_LIMIT = 16 }; /* of one connection at once */

struct function {
	enum scsi_tmf tmf;
	bool is_new;			     /* RFC 7144: only at iSCSIProtocolLevel 2 */
	struct iscsi_command_filter cancels; /* which of our commands that wait for data */
	bool cancels_any;
};

static const struct function functions[] = {
	[ISCSI_TASK_ABORT] = {SCSI_TMF_ABORT_TASK, false, {.has_tag = true}, true},
	[ISCSI_TASK_ABORT_SET] = {SCSI_TMF_ABORT_TASK_SET, false, {.has_lun = true}, true},
	[ISCSI_TASK_CLEAR_ACA] = {SCSI_TMF_CLEAR_ACA},
	[ISCSI_TASK_CLEAR_SET] = {SCSI_TMF_CLEAR_TASK_SET, false, {.has_lun = true}, true},
	[ISCSI_TASK_LU_RESET] = {SCSI_TMF_LU_RESET, false, {.has_lun = true}, true},
	[ISCSI_TASK_WARM_RESET] = {SCSI_TMF_TARGET_RESET, false, {0}, true},
	[ISCSI_TASK_COLD_RESET] = {SCSI_TMF_TARGET_RESET, false, {0}, true},
	[ISCSI_TASK_QUERY] = {SCSI_TMF_QUERY_TASK, true},
	[ISCSI_TASK_QUERY_SET] = {SCSI_TMF_QUERY_TASK_SET, true},
	[ISCSI_TASK_NEXUS_RESET] = {SCSI_TMF_I_T_NEXUS_RESET, true, {0}, true},
};

struct pending {
	struct iscsi_conn *conn;
	uint8_t function;
	uint32_t itt;
	bool cancelled; /* the task was one that waited for data: it is gone */
	bool not_yet;	/* ABORT TASK of a command that has not come and will not count */
};

static void
answer(struct iscsi_conn *conn, uint32_t itt, enum iscsi_task_response response)
{
	struct iscsi_out_pdu *pdu = iscsi_pdu_get(conn);

	if (!pdu) {
		iscsi_conn_kill(conn, "out of memory");
		return;
	}
	iscsi_pdu_init(pdu->bhs, ISCSI_OP_TASK_RESPONSE, 0, itt);
	pdu->bhs[2] = (uint8_t)response;
	iscsi_send_pdu(conn, pdu);
}

static enum iscsi_task_response
response_of(const struct pending *p, enum scsi_tmf_response response)
{
	static const enum iscsi_task_response map[] = {
		[SCSI_TMF_COMPLETE] = ISCSI_TASK_COMPLETE,
		[SCSI_TMF_SUCCEEDED] = ISCSI_TASK_SUCCEEDED,
		[SCSI_TMF_NO_TASK] = ISCSI_TASK_NO_TASK,
		[SCSI_TMF_NO_LUN] = ISCSI_TASK_NO_LUN,
		[SCSI_TMF_REJECTED] = ISCSI_TASK_REJECTED,
		[SCSI_TMF_NOT_SUPPORTED] = ISCSI_TASK_NOT_SUPPORTED,
	};

	if ((size_t)response >= ARRAY_SIZE(map))
		return ISCSI_TASK_REJECTED;
	if (response == SCSI_TMF_NO_TASK && (p->cancelled || p->not_yet))
		return ISCSI_TASK_COMPLETE;
	return map[response];
}

/* 11.5.1: a cold reset also ends the sessions, once the answer is out. */
static void
end_sessions(struct iscsi_conn *conn)
{
	mutex_lock(&iscsi_registry_lock);
	if (conn->session)
		iscsi_sessions_farewell_locked(conn->session->target, NULL);
	mutex_unlock(&iscsi_registry_lock);
}

static void
tmf_done(void *ctx, enum scsi_tmf_response response)
{
	struct pending *p = ctx;
	struct iscsi_conn *conn = p->conn;
	bool cold = p->function == ISCSI_TASK_COLD_RESET && response == SCSI_TMF_COMPLETE;
	bool dead;

	mutex_lock(&conn->lock);
	conn->n_tmfs--;
	dead = conn->dead;
	mutex_unlock(&conn->lock);
	if (!dead) {
		answer(conn, p->itt, response_of(p, response));
		if (cold)
			end_sessions(conn);
	}
	free(p);
	iscsi_conn_unref(conn);
}

/* 11.6.1: the referenced command may not be here yet, its RefCmdSN tells. */
static bool
is_not_yet(struct iscsi_conn *conn, const uint8_t *bhs)
{
	uint32_t ref = get_be32(bhs + 32);
	bool in_window;

	mutex_lock(&conn->lock);
	in_window =
		!iscsi_sn_before(ref, conn->exp_cmd_sn) && !iscsi_sn_before(conn->max_cmd_sn, ref);
	mutex_unlock(&conn->lock);
	return in_window && iscsi_is_immediate(bhs) &&
	       iscsi_sn_before(ref, get_be32(bhs + ISCSI_AT_CMD_SN));
}

static size_t
cancel(struct iscsi_conn *conn, const struct function *f)
{
	const uint8_t *bhs = conn->rx.header;
	struct iscsi_command_filter filter = f->cancels;

	if (!f->cancels_any)
		return 0;
	filter.itt = get_be32(bhs + ISCSI_AT_TTT);
	filter.lun = get_be64(bhs + ISCSI_AT_LUN);
	return iscsi_commands_cancel(conn, &filter);
}

static void
start(struct iscsi_conn *conn, uint8_t number)
{
	const struct function *f = &functions[number];
	const uint8_t *bhs = conn->rx.header;
	uint32_t itt = get_be32(bhs + ISCSI_AT_ITT);
	struct pending *p = calloc(1, sizeof(*p));

	if (!p) {
		answer(conn, itt, ISCSI_TASK_REJECTED);
		return;
	}
	*p = (struct pending){.conn = conn,
			      .function = number,
			      .itt = itt,
			      .not_yet = number == ISCSI_TASK_ABORT && is_not_yet(conn, bhs),
			      .cancelled = cancel(conn, f) > 0};
	iscsi_conn_ref(conn);
	mutex_lock(&conn->lock);
	conn->n_tmfs++;
	mutex_unlock(&conn->lock);
	scsi_tmf(conn->session->nexus, f->tmf, get_be64(bhs + ISCSI_AT_LUN),
		 get_be32(bhs + ISCSI_AT_TTT), tmf_done, p);
}

int
iscsi_task_request(struct iscsi_conn *conn)
{
	const uint8_t *bhs = conn->rx.header;
	uint8_t number = bhs[1] & 0x7f;
	uint32_t itt = get_be32(bhs + ISCSI_AT_ITT);
	bool level_2 = conn->login.values.active[ISCSI_KEY_PROTOCOL_LEVEL] >= 2;
	bool full;

	mutex_lock(&conn->lock);
	full = conn->n_tmfs >= TMFS_LIMIT;
	mutex_unlock(&conn->lock);
	log_debug("iscsi", "task management peer=%s function=%u", conn->peer, number);
	if (full)
		return iscsi_reject(conn, ISCSI_REJECT_IMMEDIATE, bhs, ISCSI_BHS_SIZE);
	if (number == ISCSI_TASK_REASSIGN)
		answer(conn, itt, ISCSI_TASK_NO_REASSIGN);
	else if (number == 0 || number >= ARRAY_SIZE(functions) ||
		 (functions[number].is_new && !level_2))
		answer(conn, itt, ISCSI_TASK_NOT_SUPPORTED);
	else
		start(conn, number);
	return 0;
}
