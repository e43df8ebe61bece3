/* SPC-4 commands of any device: TEST UNIT READY, REQUEST SENSE, REPORT … */
#include "scsi/lu.h"

/* TEST UNIT READY: the generic checks are all there is to it. */
static struct scsi_result
run_test_unit_ready(struct scsi_task *task)
{
	return scsi_good();
}

/* REQUEST SENSE, SPC-4 6.39 */
enum { REQUEST_SENSE_DESC = 0x01 };

/* What TEST UNIT READY would say, and unit attentions, which end by being reported. */
static struct scsi_result
pollable_sense_locked(struct scsi_lu *lu, struct scsi_itl *itl) REQUIRES(&lu->lock)
{
	struct scsi_result res = scsi_sense(SENSE_NONE);
	enum scsi_sense attention;

	if (scsi_itl_attention_pop_locked(itl, &attention))
		return scsi_sense(attention);
	if (lu->sanitizing) {
		res = scsi_sense(SENSE_SANITIZE_IN_PROGRESS);
		res.progress_valid = true;
		res.progress = lu->sanitize_progress;
	} else if (lu->ejected) {
		res = scsi_sense(SENSE_MEDIUM_NOT_PRESENT);
	} else if (lu->stopped) {
		res = scsi_sense(SENSE_INITIALIZING_COMMAND_REQUIRED);
	}
	return res;
}

static struct scsi_result
run_request_sense(struct scsi_task *task)
{
	struct scsi_result sense = scsi_sense(SENSE_LUN_NOT_SUPPORTED);
	uint8_t bytes[SCSI_SENSE_SIZE_MAX];
	size_t size;

	if (task->lu) {
		mutex_lock(&task->lu->lock);
		sense = pollable_sense_locked(task->lu, task->itl);
		mutex_unlock(&task->lu->lock);
	}
	size = scsi_sense_format(&sense, task->cdb[1] & REQUEST_SENSE_DESC, bytes);
	return scsi_task_reply(task, bytes, size);
}

/* REPORT LUNS, SPC-4 6.33 */
enum {
	REPORT_LUNS_HEADER = 8,
	REPORT_LUNS_MIN = 16,	/* a shorter ALLOCATION LENGTH is an error */
	REPORT_LUNS_NORMAL = 0, /* SELECT REPORT */
	REPORT_LUNS_WELL_KNOWN = 1,
	REPORT_LUNS_ALL = 2
};

static struct scsi_result
check_report_luns(struct scsi_task *task)
{
	if (task->cdb[2] > REPORT_LUNS_ALL)
		return scsi_bad_cdb(2, SCSI_FIELD_BYTE);
	if (get_be32(task->cdb + 6) < REPORT_LUNS_MIN)
		return scsi_bad_cdb(6, SCSI_FIELD_BYTE);
	return scsi_good();
}

/* The nexus has seen the list now. */
static void
luns_reported_locked(struct scsi_target *target, const struct scsi_nexus *nexus)
	REQUIRES(&target->lock)
{
	for (unsigned i = 0; i < SCSI_LUN_LIMIT; i++) {
		struct scsi_lu *lu =
			target->luns[i].unit ? scsi_unit_lu(target->luns[i].unit) : NULL;
		struct scsi_itl *itl;

		if (!lu)
			continue;
		mutex_lock(&lu->lock);
		itl = scsi_lu_find_itl_locked(lu, nexus);
		if (itl)
			scsi_itl_attention_clear_locked(itl, SENSE_REPORTED_LUNS_CHANGED);
		mutex_unlock(&lu->lock);
	}
}

static struct scsi_result
run_report_luns(struct scsi_task *task)
{
	struct scsi_target *target = task->nexus->target;
	uint8_t reply[REPORT_LUNS_HEADER + 8 * SCSI_LUN_LIMIT] = {0};
	size_t size = REPORT_LUNS_HEADER;

	mutex_lock(&target->lock);
	for (unsigned i = 0; i < SCSI_LUN_LIMIT && task->cdb[2] != REPORT_LUNS_WELL_KNOWN;
	     i++)
		if (target->luns[i].unit) {
			put_be64(reply + size, scsi_lun_encode(i));
			size += 8;
		}
	luns_reported_locked(target, task->nexus);
	mutex_unlock(&target->lock);
	put_be32(reply, (uint32_t)(size - REPORT_LUNS_HEADER));
	return scsi_task_reply(task, reply, size);
}

/* REPORT TARGET PORT GROUPS, SPC-4 6.37: one group of all ports, always active/optimized */
enum {
	RTPG_FORMAT_EXTENDED = 1, /* PARAMETER DATA FORMAT */
	RTPG_AO_SUPPORTED = 0x01
};

static struct scsi_result
check_report_target_port_groups(struct scsi_task *task)
{
	return task->cdb[1] >> 5 > RTPG_FORMAT_EXTENDED ? scsi_bad_cdb(1, 7)
							: scsi_good();
}

static struct scsi_result
run_report_target_port_groups(struct scsi_task *task)
{
	struct scsi_target *target = task->nexus->target;
	uint8_t reply[8 + 8 + 4 * SCSI_PORT_LIMIT] = {0};
	bool extended = task->cdb[1] >> 5 == RTPG_FORMAT_EXTENDED;
	uint8_t *group = reply + (extended ? 8 : 4);
	uint8_t *port = group + 8;

	if (extended)
		reply[4] = RTPG_FORMAT_EXTENDED << 4;
	group[1] = RTPG_AO_SUPPORTED;
	put_be16(group + 2, SCSI_TARGET_PORT_GROUP);
	mutex_lock(&target->lock);
	group[7] = (uint8_t)target->n_ports;
	for (size_t i = 0; i < target->n_ports; i++, port += 4)
		put_be16(port + 2, target->ports[i].id);
	mutex_unlock(&target->lock);
	put_be32(reply, (uint32_t)(port - reply - 4));
	return scsi_task_reply(task, reply, (size_t)(port - reply));
}

/* REPORT SUPPORTED OPERATION CODES, SPC-4 6.35 */
enum {
	RSOC_ALL = 0, /* REPORTING OPTIONS */
	RSOC_OPCODE = 1,
	RSOC_SERVICE_ACTION = 2,
	RSOC_EITHER = 3,
	RSOC_OPTIONS_MAX = 3,
	RSOC_RCTD = 0x80,
	RSOC_OPTIONS = 0x07,
	RSOC_CTDP = 0x02, /* of a command descriptor */
	RSOC_SERVACTV = 0x01,
	RSOC_ONE_CTDP = 0x80,
	RSOC_NOT_SUPPORTED = 1, /* SUPPORT */
	RSOC_SUPPORTED = 3,
	TIMEOUTS_SIZE = 12, /* command timeouts descriptor, SPC-4 6.35.4 */
	RSOC_ROWS_MAX = 256
};

static struct scsi_result
check_report_opcodes(struct scsi_task *task)
{
	return (task->cdb[2] & RSOC_OPTIONS) > RSOC_OPTIONS_MAX ? scsi_bad_cdb(2, 2)
								: scsi_good();
}

static bool
row_exists(const struct scsi_command *cmd, const struct scsi_lu *lu)
{
	return !cmd->exists || cmd->exists(lu);
}

/* All zero but the length: no timeout is promised. */
static size_t
put_timeouts(uint8_t *dst)
{
	memset(dst, 0, TIMEOUTS_SIZE);
	put_be16(dst, TIMEOUTS_SIZE - 2);
	return TIMEOUTS_SIZE;
}

static struct scsi_result
reply_all_opcodes(struct scsi_task *task)
{
	bool timeouts = task->cdb[2] & RSOC_RCTD;
	uint8_t reply[4 + RSOC_ROWS_MAX * (8 + TIMEOUTS_SIZE)] = {0};
	uint8_t *p = reply + 4;

	for (size_t i = 0; i < scsi_command_count() && i < RSOC_ROWS_MAX; i++) {
		const struct scsi_command *cmd = scsi_command_at(i);

		if (!row_exists(cmd, task->lu))
			continue;
		p[0] = cmd->opcode;
		put_be16(p + 2,
			 cmd->service_action < 0 ? 0 : (uint16_t)cmd->service_action);
		p[5] = (uint8_t)((timeouts ? RSOC_CTDP : 0) |
				 (cmd->service_action < 0 ? 0 : RSOC_SERVACTV));
		put_be16(p + 6, cmd->n_cdb);
		p += 8;
		if (timeouts)
			p += put_timeouts(p);
	}
	put_be32(reply, (uint32_t)(p - reply - 4));
	return scsi_task_reply(task, reply, (size_t)(p - reply));
}

/* The row asked for, NULL: not supported. False: the option does not fit the opcode. */
static bool
requested_row(const struct scsi_task *task, const struct scsi_command **ret_cmd)
{
	unsigned option = task->cdb[2] & RSOC_OPTIONS;
	uint16_t action = get_be16(task->cdb + 4);
	bool with_actions = false, without = false;

	*ret_cmd = NULL;
	for (size_t i = 0; i < scsi_command_count(); i++) {
		const struct scsi_command *cmd = scsi_command_at(i);

		if (cmd->opcode != task->cdb[3] || !row_exists(cmd, task->lu))
			continue;
		with_actions |= cmd->service_action >= 0;
		without |= cmd->service_action < 0;
		if (cmd->service_action < 0 ? action == 0 || option == RSOC_OPCODE
					    : cmd->service_action == action)
			*ret_cmd = cmd;
	}
	return !(option == RSOC_OPCODE && with_actions) &&
	       !(option == RSOC_SERVICE_ACTION && without);
}

static struct scsi_result
reply_one_opcode(struct scsi_task *task)
{
	uint8_t reply[4 + SCSI_CDB_MAX + TIMEOUTS_SIZE] = {0};
	const struct scsi_command *cmd;
	size_t size = 4;

	if (!requested_row(task, &cmd))
		return scsi_bad_cdb(2, 2);
	reply[1] = RSOC_NOT_SUPPORTED;
	if (cmd) {
		reply[1] = RSOC_SUPPORTED;
		put_be16(reply + 2, cmd->n_cdb);
		memcpy(reply + 4, cmd->usage, cmd->n_cdb);
		size += cmd->n_cdb;
		if (task->cdb[2] & RSOC_RCTD) {
			reply[1] |= RSOC_ONE_CTDP;
			size += put_timeouts(reply + size);
		}
	}
	return scsi_task_reply(task, reply, size);
}

static struct scsi_result
run_report_opcodes(struct scsi_task *task)
{
	return (task->cdb[2] & RSOC_OPTIONS) == RSOC_ALL ? reply_all_opcodes(task)
							 : reply_one_opcode(task);
}

/* REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS, SPC-4 6.36; what scsi/target.c has */
enum {
	RSTMF_REPD = 0x80,
	RSTMF_ATS = 0x80,
	RSTMF_ATSS = 0x40,
	RSTMF_CTSS = 0x10,
	RSTMF_LURS = 0x08,
	RSTMF_QTS = 0x04,
	RSTMF_TRS = 0x02,
	RSTMF_QTSS = 0x02, /* byte 1 */
	RSTMF_ITNRS = 0x01
};

static struct scsi_result
run_report_tmfs(struct scsi_task *task)
{
	uint8_t reply[16] = {
		RSTMF_ATS | RSTMF_ATSS | RSTMF_CTSS | RSTMF_LURS | RSTMF_QTS | RSTMF_TRS,
		RSTMF_QTSS | RSTMF_ITNRS,
	};
	bool extended = task->cdb[2] & RSTMF_REPD;

	if (extended)
		reply[3] = sizeof(reply) - 4; /* no timeouts: all zero */
	return scsi_task_reply(task, reply, extended ? sizeof(reply) : 4);
}

static const struct scsi_command rows[] = {
	{
		.opcode = 0x00,
		.service_action = -1,
		.n_cdb = 6,
		.flags = SCSI_CMD_MEDIUM | SCSI_CMD_PR_ALWAYS,
		.name = "TEST UNIT READY",
		.usage = {0x00},
		.run = run_test_unit_ready,
	},
	{
		.opcode = 0x03,
		.service_action = -1,
		.n_cdb = 6,
		SCSI_LENGTH_AT(4, 1),
		.flags = SCSI_CMD_IN | SCSI_CMD_ANY_UA | SCSI_CMD_NO_LU |
			 SCSI_CMD_PR_ALWAYS | SCSI_CMD_RESERVE6_OK,
		.name = "REQUEST SENSE",
		.usage = {0x03, REQUEST_SENSE_DESC, 0, 0, 0xff},
		.run = run_request_sense,
	},
	{
		.opcode = 0xa0,
		.service_action = -1,
		.n_cdb = 12,
		SCSI_LENGTH_AT(6, 4),
		.flags = SCSI_CMD_IN | SCSI_CMD_ANY_UA | SCSI_CMD_NO_LU |
			 SCSI_CMD_PR_ALWAYS | SCSI_CMD_RESERVE6_OK,
		.name = "REPORT LUNS",
		.usage = {0xa0, 0, 0xff, 0, 0, 0, 0xff, 0xff, 0xff, 0xff},
		.check = check_report_luns,
		.run = run_report_luns,
	},
	{
		.opcode = 0xa3,
		.service_action = 0x0a,
		.n_cdb = 12,
		SCSI_LENGTH_AT(6, 4),
		.flags = SCSI_CMD_IN | SCSI_CMD_PR_ALWAYS,
		.name = "REPORT TARGET PORT GROUPS",
		.usage = {0xa3, 0xea, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff},
		.check = check_report_target_port_groups,
		.run = run_report_target_port_groups,
	},
	{
		.opcode = 0xa3,
		.service_action = 0x0c,
		.n_cdb = 12,
		SCSI_LENGTH_AT(6, 4),
		.flags = SCSI_CMD_IN | SCSI_CMD_PR_READ,
		.name = "REPORT SUPPORTED OPERATION CODES",
		.usage = {0xa3, 0x0c, RSOC_RCTD | RSOC_OPTIONS, 0xff, 0xff, 0xff, 0xff,
			  0xff, 0xff, 0xff},
		.check = check_report_opcodes,
		.run = run_report_opcodes,
	},
	{
		.opcode = 0xa3,
		.service_action = 0x0d,
		.n_cdb = 12,
		SCSI_LENGTH_AT(6, 4),
		.flags = SCSI_CMD_IN | SCSI_CMD_PR_READ,
		.name = "REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS",
		.usage = {0xa3, 0x0d, RSTMF_REPD, 0, 0, 0, 0xff, 0xff, 0xff, 0xff},
		.run = run_report_tmfs,
	},
};

const struct scsi_command_table scsi_commands_primary = {rows, ARRAY_SIZE(rows)};
