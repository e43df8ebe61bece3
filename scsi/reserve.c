/*
 * RESERVE and RELEASE, and the one reservation check of all commands and block doors.
 *
 * Two kinds of reservations exclude each other (SPC-2 5.5.1, SPC-4 5.12.3):
 *	RESERVE held by anybody         PERSISTENT RESERVE IN and OUT conflict, whoever sends them
 *	keys registered, no RESERVE     RESERVE and RELEASE conflict; from who holds the
 *	                                persistent reservation they are GOOD and do nothing
 *	                                (CRH is 1)
 */
#include "scsi/reserve_priv.h"

#include "scsi/persist_priv.h"

enum { OP_PERSISTENT_IN = 0x5e, OP_PERSISTENT_OUT = 0x5f };

struct scsi_result
scsi_reserve_check_flags_locked(struct scsi_lu *lu, const struct scsi_nexus *nexus, uint32_t flags)
{
	if (lu->reserve6) {
		bool is_holder = nexus && lu->reserve6->nexus == nexus;

		return is_holder || (flags & SCSI_CMD_RESERVE6_OK) ?
			       scsi_good() :
			       scsi_status_only(SCSI_RESERVATION_CONFLICT);
	}
	return scsi_pr_check_locked(lu, nexus, flags);
}

/* What a block request is allowed like. A flush changes nothing that is not written already, and a
 * door must not lose what it wrote before the reservation came. */
static uint32_t
flags_of_kind(enum scsi_io_kind kind)
{
	switch (kind) {
	case SCSI_IO_READ:
	case SCSI_IO_QUERY_RANGES:
		return SCSI_CMD_PR_READ;
	case SCSI_IO_FLUSH:
		return SCSI_CMD_PR_ALWAYS | SCSI_CMD_RESERVE6_OK;
	default:
		return 0;
	}
}

struct scsi_result
scsi_reserve_check_locked(struct scsi_lu *lu, const struct scsi_nexus *nexus,
			  const struct scsi_command *cmd, enum scsi_io_kind kind)
{
	if (!cmd) {
		/* Commands have been refused by now (SBC-3 4.11.2); block doors come here only. */
		if (lu->sanitizing)
			return scsi_sense(SENSE_SANITIZE_IN_PROGRESS);
		return scsi_reserve_check_flags_locked(lu, nexus, flags_of_kind(kind));
	}
	if (lu->reserve6 && (cmd->opcode == OP_PERSISTENT_IN || cmd->opcode == OP_PERSISTENT_OUT))
		return scsi_status_only(SCSI_RESERVATION_CONFLICT);
	return scsi_reserve_check_flags_locked(lu, nexus, cmd->flags);
}

void
scsi_reserve_nexus_lost_locked(struct scsi_lu *lu, struct scsi_itl *itl)
{
	if (lu->reserve6 == itl)
		lu->reserve6 = NULL;
}

/* True: persistent reservations decide, *ret_res is the answer. */
static bool persistent_decides_locked(struct scsi_lu *lu, const struct scsi_nexus *nexus,
				      struct scsi_result *ret_res) REQUIRES(&lu->lock);

static bool
persistent_decides_locked(struct scsi_lu *lu, const struct scsi_nexus *nexus,
			  struct scsi_result *ret_res)
{
	if (!scsi_pr_has_keys_locked(lu))
		return false;
	*ret_res = scsi_pr_is_holder_locked(lu, nexus) ?
			   scsi_good() :
			   scsi_status_only(SCSI_RESERVATION_CONFLICT);
	return true;
}

static struct scsi_result
reserve_run(struct scsi_task *task)
{
	struct scsi_lu *lu = task->lu;
	struct scsi_result res = scsi_good();

	mutex_lock(&lu->lock);
	if (lu->reserve6 && lu->reserve6 != task->itl)
		res = scsi_status_only(SCSI_RESERVATION_CONFLICT);
	else if (!persistent_decides_locked(lu, task->nexus, &res))
		lu->reserve6 = task->itl;
	mutex_unlock(&lu->lock);
	return res;
}

/* SPC-2 7.22: who does not hold it is answered GOOD, and nothing happens. */
static struct scsi_result
release_run(struct scsi_task *task)
{
	struct scsi_lu *lu = task->lu;
	struct scsi_result res = scsi_good();

	mutex_lock(&lu->lock);
	if (lu->reserve6 == task->itl)
		lu->reserve6 = NULL;
	else if (!lu->reserve6)
		(void)persistent_decides_locked(lu, task->nexus, &res);
	mutex_unlock(&lu->lock);
	return res;
}

/* Third-party reservations (3RDPTY, LONGID) are obsolete since SPC-3: those bits are not in usage.
 * */
static const struct scsi_command rows[] = {
	{.opcode = 0x16, .service_action = -1, .n_cdb = 6, .flags = SCSI_CMD_PR_ALWAYS,
	 .name = "RESERVE (6)", .usage = {0x16}, .run = reserve_run},
	{.opcode = 0x17, .service_action = -1, .n_cdb = 6,
	 .flags = SCSI_CMD_PR_ALWAYS | SCSI_CMD_RESERVE6_OK,
	 .name = "RELEASE (6)", .usage = {0x17}, .run = release_run},
	{.opcode = 0x56, .service_action = -1, .n_cdb = 10, .flags = SCSI_CMD_PR_ALWAYS,
	 .name = "RESERVE (10)", .usage = {0x56}, .run = reserve_run},
	{.opcode = 0x57, .service_action = -1, .n_cdb = 10,
	 .flags = SCSI_CMD_PR_ALWAYS | SCSI_CMD_RESERVE6_OK,
	 .name = "RELEASE (10)", .usage = {0x57}, .run = release_run},
};

const struct scsi_command_table scsi_commands_reserve = {rows, ARRAY_SIZE(rows)};
