/*
 * PERSISTENT RESERVE IN and OUT, and the check of other commands against the reservation. SPC-4
 * 5.12, 6.15, 6.16.
 *
 * PERSISTENT RESERVE OUT runs on a worker: decode, apply to a copy of the state, write the copy to
 * the state file (APTPL), and only then put it in force, all in one step under the LU's lock. So a
 * status of GOOD means that a power loss takes nothing back, and a file that cannot be written
 * changes nothing.
 *
 * Lock order: scsi_pr.out, scsi_lu.lock. out is held while the file is written, lock is not.
 */
#include "scsi/persist_priv.h"

#include <errno.h>
#include <stdlib.h>
#include "base/log.h"

enum {
	IN_HEADER = 8,
	STATUS_DESCRIPTOR = 24, /* before the TransportID */
	LIST_BASIC = 24,        /* PERSISTENT RESERVE OUT without TransportIDs */
};

struct scsi_pr {
	struct mutex out;      /* one PERSISTENT RESERVE OUT at a time */
	struct pr_state state; /* changed with out and lu->lock, read with either */
};

int
scsi_pr_create(struct scsi_lu *lu, struct scsi_pr **ret_pr)
{
	const struct scsi_unit_params *p = scsi_unit_params(lu->unit);
	struct scsi_pr *pr = calloc(1, sizeof(*pr));
	int err = 0;

	if (!pr)
		return -ENOMEM;
	mutex_init(&pr->out);
	if (p->state_path[0])
		err = pr_file_load(p->state_path, p->guid, &pr->state);
	if (err < 0) {
		log_error("scsi", "%s: persistent reservations cannot be read, errno=%d",
			  p->state_path, -err);
		scsi_pr_destroy(pr);
		return err;
	}
	*ret_pr = pr;
	return 0;
}

void
scsi_pr_destroy(struct scsi_pr *pr)
{
	if (!pr)
		return;
	pr_state_fini(&pr->state);
	mutex_fini(&pr->out);
	free(pr);
}

/* ---------------------------------------------------------------- checks */

static struct pr_registrant *
find_nexus(const struct pr_state *state, const struct scsi_nexus *nexus)
{
	return nexus ? pr_state_find(state, nexus->transport_id, nexus->n_transport_id,
				     nexus->target_port) :
		       NULL;
}

static bool
is_write_exclusive(unsigned type)
{
	return type == PR_WRITE_EXCLUSIVE || type == PR_WRITE_EXCLUSIVE_RO ||
	       type == PR_WRITE_EXCLUSIVE_AR;
}

bool
scsi_pr_is_holder_locked(const struct scsi_lu *lu, const struct scsi_nexus *nexus)
{
	const struct pr_state *state = &lu->pr->state;
	const struct pr_registrant *r = find_nexus(state, nexus);

	return r && state->type != PR_NONE &&
	       (pr_type_is_registrants(state->type) || r->is_holder);
}

bool
scsi_pr_has_keys_locked(const struct scsi_lu *lu)
{
	return lu->pr->state.n > 0;
}

/* SPC-4 tables 66, 67 */
struct scsi_result
scsi_pr_check_locked(struct scsi_lu *lu, const struct scsi_nexus *nexus, uint32_t pr_flags)
{
	unsigned type = lu->pr->state.type;

	if (type == PR_NONE || (pr_flags & SCSI_CMD_PR_ALWAYS) ||
	    ((pr_flags & SCSI_CMD_PR_READ) && is_write_exclusive(type)) ||
	    scsi_pr_is_holder_locked(lu, nexus))
		return scsi_good();
	return scsi_status_only(SCSI_RESERVATION_CONFLICT);
}

bool
scsi_pr_keeps_state(const struct scsi_lu *lu)
{
	return scsi_unit_params(lu->unit)->state_path[0] != '\0';
}

/* ---------------------------------------------------------------- PERSISTENT RESERVE IN */

/* Each fills what follows the 8 bytes of header and returns its size; NULL dst: only the size. */
static size_t
fill_keys(const struct pr_state *state, uint8_t *dst)
{
	for (size_t i = 0; dst && i < state->n; i++)
		put_be64(dst + 8 * i, state->registrants[i].key);
	return 8 * state->n;
}

static size_t
fill_reservation(const struct pr_state *state, uint8_t *dst)
{
	if (state->type == PR_NONE)
		return 0;
	if (!dst)
		return 16;
	for (size_t i = 0; i < state->n; i++)
		if (state->registrants[i].is_holder) /* AR: the key is 0, SPC-4 6.15.3.2 */
			put_be64(dst, state->registrants[i].key);
	dst[13] = state->type;
	return 16;
}

static void
fill_full_one(const struct pr_state *state, const struct pr_registrant *r, uint8_t *dst)
{
	put_be64(dst, r->key);
	dst[12] = r->port.target_port == 0 ? 0x02 : 0; /* ALL_TG_PT */
	if (pr_state_is_holder(state, r)) {
		dst[12] |= 0x01; /* R_HOLDER */
		dst[13] = state->type;
	}
	put_be16(dst + 18, r->port.target_port);
	put_be32(dst + 20, r->port.n_transport_id);
	memcpy(dst + STATUS_DESCRIPTOR, r->port.transport_id, r->port.n_transport_id);
}

static size_t
fill_full(const struct pr_state *state, uint8_t *dst)
{
	size_t at = 0;

	for (size_t i = 0; i < state->n; i++) {
		const struct pr_registrant *r = &state->registrants[i];

		if (dst)
			fill_full_one(state, r, dst + at);
		at += STATUS_DESCRIPTOR + r->port.n_transport_id;
	}
	return at;
}

static struct scsi_result
in_list(struct scsi_task *task, size_t (*fill)(const struct pr_state *state, uint8_t *dst))
{
	struct scsi_lu *lu = task->lu;
	CLEANUP(free_ptr) uint8_t *data = NULL;
	size_t size = 0;

	mutex_lock(&lu->lock);
	size = fill(&lu->pr->state, NULL);
	data = calloc(1, IN_HEADER + size);
	if (data) {
		put_be32(data, lu->pr->state.generation);
		put_be32(data + 4, (uint32_t)size);
		fill(&lu->pr->state, data + IN_HEADER);
	}
	mutex_unlock(&lu->lock);
	if (!data)
		return scsi_sense(SENSE_INSUFFICIENT_RESOURCES);
	return scsi_task_reply(task, data, IN_HEADER + size);
}

static struct scsi_result
in_keys(struct scsi_task *task)
{
	return in_list(task, fill_keys);
}

static struct scsi_result
in_reservation(struct scsi_task *task)
{
	return in_list(task, fill_reservation);
}

static struct scsi_result
in_full(struct scsi_task *task)
{
	return in_list(task, fill_full);
}

/* SPC-4 6.15.4 */
static struct scsi_result
in_capabilities(struct scsi_task *task)
{
	struct scsi_lu *lu = task->lu;
	uint8_t data[8] = {
		[1] = 8,
		[2] = 0x1c, /* CRH, SIP_C, ATP_C */
		[3] = 0x80, /* TMV */
		[4] = 0xea, /* all six types */
		[5] = 0x01,
	};

	if (scsi_pr_keeps_state(lu))
		data[2] |= 0x01; /* PTPL_C */
	mutex_lock(&lu->lock);
	if (lu->pr->state.aptpl)
		data[3] |= 0x01; /* PTPL_A */
	mutex_unlock(&lu->lock);
	return scsi_task_reply(task, data, sizeof(data));
}

/* ---------------------------------------------------------------- PERSISTENT RESERVE OUT */

static struct scsi_result
decode_transport_ids(const uint8_t *list, size_t size, size_t at, struct pr_request *req)
{
	req->transport_ids = list + at;
	req->n_transport_ids = size - at;
	while (at < size) {
		size_t n = pr_transport_id_size(list + at, size - at);

		if (n == 0)
			return scsi_bad_parameter((unsigned)MIN(at, (size_t)UINT16_MAX),
						  SCSI_FIELD_BYTE);
		at += n;
	}
	return scsi_good();
}

/* SPC-4 6.16.4 */
static struct scsi_result
decode_move(const uint8_t *list, size_t size, struct pr_request *req)
{
	struct scsi_result res;

	if (get_be32(list + 20) != size - LIST_BASIC)
		return scsi_sense(SENSE_PARAMETER_LIST_LENGTH);
	req->unreg = list[17] & 0x02;
	req->aptpl = list[17] & 0x01;
	req->move_to_port = get_be16(list + 18);
	res = decode_transport_ids(list, size, LIST_BASIC, req);
	if (scsi_ok(res) && (size == LIST_BASIC || pr_transport_id_size(list + LIST_BASIC,
							size - LIST_BASIC) != size - LIST_BASIC))
		res = scsi_bad_parameter(20, SCSI_FIELD_BYTE); /* one, not none or several */
	return res;
}

/* SPC-4 6.16.3 */
static struct scsi_result
decode_basic(const uint8_t *list, size_t size, struct pr_request *req)
{
	bool registers = req->action == PR_REGISTER || req->action == PR_REGISTER_AND_IGNORE;

	req->spec_i_pt = list[20] & 0x08;
	req->all_tg_pt = registers && (list[20] & 0x04);
	req->aptpl = registers && (list[20] & 0x01);
	if (!req->spec_i_pt)
		return size == LIST_BASIC ? scsi_good() : scsi_sense(SENSE_PARAMETER_LIST_LENGTH);
	if (req->action != PR_REGISTER)
		return scsi_bad_parameter(20, 3);
	if (size < LIST_BASIC + 4 || get_be32(list + LIST_BASIC) != size - LIST_BASIC - 4)
		return scsi_sense(SENSE_PARAMETER_LIST_LENGTH);
	return decode_transport_ids(list, size, LIST_BASIC + 4, req);
}

struct scsi_result
pr_request_decode(const uint8_t *list, size_t size, struct pr_request *req)
{
	if (size < LIST_BASIC)
		return scsi_sense(SENSE_PARAMETER_LIST_LENGTH);
	req->key = get_be64(list);
	req->action_key = get_be64(list + 8);
	return req->action == PR_REGISTER_AND_MOVE ? decode_move(list, size, req) :
						     decode_basic(list, size, req);
}

static bool
port_exists(const struct scsi_nexus *nexus, uint16_t id)
{
	struct scsi_target *target = nexus->target;
	bool found = false;

	mutex_lock(&target->lock);
	for (size_t i = 0; i < target->n_ports; i++)
		found = found || target->ports[i].id == id;
	mutex_unlock(&target->lock);
	return found;
}

/* Bits whose meaning depends on the unit and the target. */
static struct scsi_result
check_request(const struct scsi_task *task, const struct pr_request *req)
{
	bool move = req->action == PR_REGISTER_AND_MOVE;

	if (req->aptpl && !scsi_pr_keeps_state(task->lu))
		return scsi_bad_parameter(move ? 17 : 20, 0);
	/* 0 would stand for every port */
	if (move && (req->move_to_port == 0 || !port_exists(task->nexus, req->move_to_port)))
		return scsi_bad_parameter(18, SCSI_FIELD_BYTE);
	return scsi_good();
}

/* Who must hear of it, and whose tasks end. One registration can stand for several nexuses. */
static void tell_locked(struct scsi_lu *lu, const struct pr_registrant *r, bool abort)
	REQUIRES(&lu->lock);

static void
tell_locked(struct scsi_lu *lu, const struct pr_registrant *r, bool abort)
{
	list_for_each(pos, &lu->itls) {
		struct scsi_itl *itl = list_entry(pos, struct scsi_itl, link);
		const struct scsi_nexus *nexus = itl->nexus;

		if (!pr_port_is(&r->port, nexus->transport_id, nexus->n_transport_id,
				nexus->target_port))
			continue;
		if (r->attention != SENSE_NONE)
			scsi_itl_attention_locked(itl, r->attention);
		if (r->abort && abort)
			(void)scsi_lu_abort_locked(lu, nexus, false);
	}
}

static void
put_in_force(struct scsi_lu *lu, struct pr_state *next, bool abort)
{
	struct scsi_pr *pr = lu->pr;
	struct pr_state old;

	mutex_lock(&lu->lock);
	for (size_t i = 0; i < next->n; i++)
		if (next->registrants[i].attention != SENSE_NONE || next->registrants[i].abort)
			tell_locked(lu, &next->registrants[i], abort);
	pr_state_settle(next);
	old = pr->state;
	pr->state = *next;
	mutex_unlock(&lu->lock);
	*next = (struct pr_state){0};
	pr_state_fini(&old);
}

/* With pr->out held. */
static struct scsi_result
apply(struct scsi_task *task, const struct pr_request *req)
{
	struct scsi_lu *lu = task->lu;
	const struct scsi_unit_params *p = scsi_unit_params(lu->unit);
	CLEANUP(pr_state_fini) struct pr_state next = {0};
	bool was_kept = lu->pr->state.aptpl;
	struct scsi_result res;
	int err = 0;

	if (pr_state_dup(&lu->pr->state, &next) < 0)
		return scsi_sense(SENSE_INSUFFICIENT_REGISTRATION_RESOURCES);
	res = pr_state_apply(&next, req);
	if (!scsi_ok(res))
		return res;
	if (next.aptpl || was_kept) {
		/* APTPL went from 1 to 0: nothing is to come back after a power loss */
		static const struct pr_state nothing;

		err = pr_file_save(p->state_path, next.aptpl ? &next : &nothing, p->guid);
	}
	if (err < 0) {
		log_error("scsi", "%s: persistent reservations cannot be saved, errno=%d",
			  p->state_path, -err);
		return scsi_sense(SENSE_INSUFFICIENT_REGISTRATION_RESOURCES);
	}
	put_in_force(lu, &next, req->action == PR_PREEMPT_AND_ABORT);
	return res;
}

static struct scsi_result
out(struct scsi_task *task)
{
	const struct scsi_nexus *nexus = task->nexus;
	struct pr_request req = {
		.action = task->cdb[1] & 0x1f,
		.type = task->cdb[2] & 0x0f,
		.from = {.n_transport_id = (uint16_t)nexus->n_transport_id,
			 .target_port = nexus->target_port},
	};
	const uint8_t *list;
	size_t size;
	struct scsi_result res = scsi_task_parameters(task, &list, &size);

	memcpy(req.from.transport_id, nexus->transport_id, nexus->n_transport_id);
	if (scsi_ok(res))
		res = pr_request_decode(list, size, &req);
	if (scsi_ok(res))
		res = check_request(task, &req);
	if (!scsi_ok(res))
		return res;
	mutex_lock(&task->lu->pr->out);
	res = apply(task, &req);
	mutex_unlock(&task->lu->pr->out);
	return res;
}

static void
out_job(struct scsi_job *job)
{
	struct scsi_task *task = container_of(job, struct scsi_task, job);
	struct scsi_result res;

	if (scsi_task_is_aborted(task)) {
		scsi_task_finish(task, scsi_good());
		return;
	}
	res = out(task);
	/* SPC-4 5.12.11.2.6.5: the tasks of who was preempted have ended when the status goes out
	 * */
	if (scsi_ok(res) && (task->cdb[1] & 0x1f) == PR_PREEMPT_AND_ABORT)
		scsi_task_finish_after_aborts(task, res);
	else
		scsi_task_finish(task, res);
}

static void
out_start(struct scsi_task *task)
{
	task->job.run = out_job;
	scsi_unit_run(task->lu->unit, &task->job, true);
}

static struct scsi_result
out_check(struct scsi_task *task)
{
	/* No PARAMETER LIST LENGTH is good for nothing: SPC-4 6.16.1 */
	return task->n_transfer < LIST_BASIC ? scsi_sense(SENSE_PARAMETER_LIST_LENGTH) :
					       scsi_good();
}

/* SCOPE and TYPE count; with the other actions they are ignored. */
static struct scsi_result
out_check_type(struct scsi_task *task)
{
	if (task->cdb[2] >> 4 != 0)
		return scsi_bad_cdb(2, 7); /* LU_SCOPE is all there is */
	if (!pr_type_is_known(task->cdb[2] & 0x0f))
		return scsi_bad_cdb(2, 3);
	return out_check(task);
}

#define IN_ROW(action, text, fn)                                                         \
	{.opcode = 0x5e, .service_action = (action), .n_cdb = 10, SCSI_LENGTH_AT(7, 2),   \
	 .flags = SCSI_CMD_IN | SCSI_CMD_PR_ALWAYS,                                       \
	 .name = "PERSISTENT RESERVE IN, " text,                                          \
	 .usage = {0x5e, (action), 0, 0, 0, 0, 0, 0xff, 0xff}, .run = (fn)}
#define OUT_ROW(action, text, fn)                                                        \
	{.opcode = 0x5f, .service_action = (action), .n_cdb = 10, SCSI_LENGTH_AT(5, 4),   \
	 .flags = SCSI_CMD_OUT | SCSI_CMD_PR_ALWAYS,                                      \
	 .name = "PERSISTENT RESERVE OUT, " text,                                         \
	 .usage = {0x5f, (action), 0xff, 0, 0, 0xff, 0xff, 0xff, 0xff}, .check = (fn),    \
	 .start = out_start}

static const struct scsi_command rows[] = {
	IN_ROW(0, "READ KEYS", in_keys),
	IN_ROW(1, "READ RESERVATION", in_reservation),
	IN_ROW(2, "REPORT CAPABILITIES", in_capabilities),
	IN_ROW(3, "READ FULL STATUS", in_full),
	OUT_ROW(PR_REGISTER, "REGISTER", out_check),
	OUT_ROW(PR_RESERVE, "RESERVE", out_check_type),
	OUT_ROW(PR_RELEASE, "RELEASE", out_check_type),
	OUT_ROW(PR_CLEAR, "CLEAR", out_check),
	OUT_ROW(PR_PREEMPT, "PREEMPT", out_check_type),
	OUT_ROW(PR_PREEMPT_AND_ABORT, "PREEMPT AND ABORT", out_check_type),
	OUT_ROW(PR_REGISTER_AND_IGNORE, "REGISTER AND IGNORE EXISTING KEY", out_check),
	OUT_ROW(PR_REGISTER_AND_MOVE, "REGISTER AND MOVE", out_check),
};

const struct scsi_command_table scsi_commands_persist = {rows, ARRAY_SIZE(rows)};
