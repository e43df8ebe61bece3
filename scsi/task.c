/*
 * The way of one task: begin (admitted to the LU, decoded, checked), execute (run, or
 * held back by task order), finish (complete, then whoever waited).
 *
 * Order of checks, SAM-5 5.3.2, SPC-4 4.5 and 5.12: LUN, opcode and service action, unit
 * attention, reservation, medium, write protection, CDB length and usage bits, block
 * range, the row's own check, limits of length.
 *
 * From begin until execute returns a task holds a reference to its unit: the LUN may be
 * removed meanwhile. After that it needs none, since who removes the LUN waits for what
 * runs; and so the last reference is never dropped on one of the unit's own threads.
 */
#include <stdlib.h>

#include "scsi/lu.h"

static void
init_private(struct scsi_task *task)
{
	task->direction = SCSI_DATA_NONE;
	task->n_transfer = 0;
	task->data_out = task->data_in = NULL;
	task->n_out = task->cap_in = task->n_in = 0;
	task->aborted = false;
	task->result = scsi_good();
	task->lu = NULL;
	task->itl = NULL;
	task->command = NULL;
	task->io = (struct scsi_io){0};
	task->job = (struct scsi_job){0};
	list_init(&task->lu_link);
	list_init(&task->waits);
	task->linked = task->started = task->blocked = task->is_block_io = false;
	task->removed = task->waits_for_aborts = task->d_sense = false;
	task->lba = 0;
	task->n_blocks = 0;
	task->scratch = NULL;
}

/* The row for the CDB; INVALID COMMAND OPERATION CODE, or the field pointer of the
 * service action. */
static struct scsi_result
find_command(struct scsi_task *task)
{
	bool opcode_known;
	const struct scsi_command *cmd =
		scsi_command_find(task->cdb, task->n_cdb, &opcode_known);

	if (!cmd && opcode_known)
		return scsi_bad_cdb(1, 4);
	if (!cmd || (cmd->exists && task->lu && !cmd->exists(task->lu)))
		return scsi_sense(SENSE_INVALID_OPCODE);
	task->command = cmd;
	return scsi_good();
}

/* START STOP UNIT, eject, SANITIZE: SBC-3 4.11, 5.20 */
static struct scsi_result
check_medium_locked(const struct scsi_lu *lu)
{
	struct scsi_result res = scsi_good();

	if (lu->sanitizing) {
		res = scsi_sense(SENSE_SANITIZE_IN_PROGRESS);
		res.progress_valid = true;
		res.progress = lu->sanitize_progress;
	} else if (lu->sanitize_failed) {
		res = scsi_sense(SENSE_SANITIZE_FAILED);
	} else if (lu->ejected) {
		res = scsi_sense(SENSE_MEDIUM_NOT_PRESENT);
	} else if (lu->stopped) {
		res = scsi_sense(SENSE_INITIALIZING_COMMAND_REQUIRED);
	}
	return res;
}

static struct scsi_result
check_protection_locked(const struct scsi_lu *lu)
{
	if (scsi_unit_params(lu->unit)->write_protected)
		return scsi_sense(SENSE_WRITE_PROTECTED);
	return lu->mode.swp ? scsi_sense(SENSE_SOFTWARE_WRITE_PROTECTED) : scsi_good();
}

/* What depends on the state of LU and nexus rather than on the CDB's fields. */
static struct scsi_result
admit_locked(struct scsi_task *task, struct scsi_lu *lu) REQUIRES(&lu->lock)
{
	const struct scsi_command *cmd = task->command;
	struct scsi_result res;
	enum scsi_sense attention;

	if (!(cmd->flags & SCSI_CMD_ANY_UA) &&
	    scsi_itl_attention_pop_locked(task->itl, &attention))
		return scsi_sense(attention);
	res = scsi_reserve_check_locked(lu, task->nexus, cmd,
					cmd->flags & SCSI_CMD_WRITES ? SCSI_IO_WRITE
								     : SCSI_IO_READ);
	if (scsi_ok(res) && (cmd->flags & SCSI_CMD_MEDIUM))
		res = check_medium_locked(lu);
	if (scsi_ok(res) && (cmd->flags & SCSI_CMD_WRITES))
		res = check_protection_locked(lu);
	return res;
}

/* The CDB's fields. */
static struct scsi_result
check_cdb(struct scsi_task *task)
{
	struct scsi_result res =
		scsi_command_check_usage(task->command, task->cdb, task->n_cdb);

	if (scsi_ok(res) && task->attribute >= SCSI_ACA)
		res = scsi_sense(SENSE_INVALID_FIELD_IN_CDB); /* NORMACA is 0 */
	return scsi_ok(res) ? scsi_command_decode(task) : res;
}

static void
link_locked(struct scsi_task *task, struct scsi_lu *lu, struct scsi_itl *itl)
{
	task->lu = lu;
	task->itl = itl;
	itl->n_tasks++;
	list_insert(&lu->tasks, &task->lu_link);
	lu->n_ordered += task->attribute == SCSI_ORDERED;
	task->linked = true;
	task->d_sense = lu->mode.d_sense;
}

static void
unlink_locked(struct scsi_task *task)
{
	list_remove(&task->lu_link);
	task->lu->n_ordered -= task->attribute == SCSI_ORDERED;
	task->linked = false;
}

/* A task of a LUN that does not exist. SPC-4 6.4.1, 6.33, 6.39: three commands answer. */
static struct scsi_result
enter_no_lu(struct scsi_task *task)
{
	(void)find_command(task);
	if (!task->command || !(task->command->flags & SCSI_CMD_NO_LU))
		return scsi_sense(SENSE_LUN_NOT_SUPPORTED);
	return scsi_good();
}

/* Links the task to LU and ITL. With the target's lock, so that no LUN goes while its ITL
 * is made. */
static struct scsi_result
enter(struct scsi_task *task)
{
	struct scsi_target *target = task->nexus->target;
	int lun = scsi_lun_decode(task->lun);
	struct scsi_unit *unit;
	struct scsi_lu *lu;
	struct scsi_itl *itl;
	struct scsi_result res;

	mutex_lock(&target->lock);
	unit = lun < 0 ? NULL : target->luns[lun].unit;
	if (!unit) {
		mutex_unlock(&target->lock);
		return enter_no_lu(task);
	}
	lu = scsi_unit_lu(unit);
	mutex_lock(&lu->lock);
	itl = scsi_lu_itl_locked(lu, task->nexus);
	if (itl) {
		(void)scsi_unit_ref(unit);
		link_locked(task, lu, itl);
	}
	mutex_unlock(&target->lock);
	if (!itl) {
		mutex_unlock(&lu->lock);
		return scsi_status_only(SCSI_BUSY);
	}
	res = find_command(task);
	if (task->command)
		res = admit_locked(task, lu);
	mutex_unlock(&lu->lock);
	return res;
}

/* Out of the task set without complete: begin failed, or the door gave up. */
static void
leave(struct scsi_task *task)
{
	struct scsi_lu *lu = task->lu;

	free(take(&task->scratch));
	if (!lu)
		return;
	mutex_lock(&lu->lock);
	unlink_locked(task);
	scsi_itl_put_locked(task->itl);
	mutex_unlock(&lu->lock);
	task->itl = NULL;
	task->lu = NULL;
	scsi_lu_drain(lu);
	scsi_unit_unref(lu->unit);
}

bool
scsi_task_begin(struct scsi_task *task)
{
	init_private(task);
	task->result = enter(task);
	if (scsi_ok(task->result))
		task->result = check_cdb(task);
	if (scsi_ok(task->result))
		return true;
	/* Nothing moves */
	task->n_transfer = 0;
	task->direction = SCSI_DATA_NONE;
	leave(task);
	return false;
}

void
scsi_task_cancel(struct scsi_task *task)
{
	leave(task);
}

bool
scsi_task_is_aborted(struct scsi_task *task)
{
	bool aborted;

	if (!task->lu)
		return false;
	mutex_lock(&task->lu->lock);
	aborted = task->aborted;
	mutex_unlock(&task->lu->lock);
	return aborted;
}

static void
run_job(struct scsi_job *job)
{
	struct scsi_task *task = container_of(job, struct scsi_task, job);

	/* It may have waited long for its slot */
	if (scsi_task_is_aborted(task))
		scsi_task_finish(task, scsi_good());
	else
		scsi_task_finish(task, task->command->run(task));
}

void
scsi_task_dispatch(struct scsi_task *task, bool aborted)
{
	const struct scsi_command *cmd = task->command;

	if (aborted) {
		scsi_task_finish(task, scsi_good());
	} else if (cmd->start) {
		cmd->start(task);
	} else if (cmd->flags & SCSI_CMD_BLOCKING) {
		task->job.run = run_job;
		scsi_unit_run(task->lu->unit, &task->job, true);
	} else {
		scsi_task_finish(task, cmd->run(task));
	}
}

static void
execute_no_lu(struct scsi_task *task)
{
	void *scratch;

	task->result = task->command->run(task);
	if (!scsi_ok(task->result))
		task->n_in = 0;
	scratch = take(&task->scratch);
	task->complete(task);
	free(scratch);
}

void
scsi_task_execute(struct scsi_task *task)
{
	struct scsi_lu *lu = task->lu;
	bool aborted, blocked;

	if (!lu) {
		execute_no_lu(task);
		return;
	}
	mutex_lock(&lu->lock);
	task->started = true;
	blocked = task->blocked = !scsi_task_runnable_locked(task);
	lu->n_blocked += blocked;
	aborted = task->aborted;
	mutex_unlock(&lu->lock);
	/* When blocked, another thread may have freed it by now */
	if (!blocked)
		scsi_task_dispatch(task, aborted);
	scsi_unit_unref(lu->unit);
}

static void
notify(struct list *waits)
{
	list_for_each_safe(pos, tmp, waits) {
		struct scsi_wait_node *node =
			list_entry(pos, struct scsi_wait_node, link);
		struct scsi_wait *wait = node->wait;

		free(node);
		scsi_wait_put(wait);
	}
}

static void
splice(struct list *from, struct list *to)
{
	while (!list_empty(from)) {
		struct list *node = from->next;

		list_remove(node);
		list_insert(to, node);
	}
}

void
scsi_task_finish(struct scsi_task *task, struct scsi_result res)
{
	struct scsi_lu *lu = task->lu;
	struct scsi_itl *itl = task->itl;
	struct scsi_finishing finishing = {.itl = itl, .tag = task->tag};
	void *scratch = take(&task->scratch);
	bool blocked;

	list_init(&finishing.waits);
	mutex_lock(&lu->lock);
	if (task->removed) {
		res = scsi_sense(SENSE_LUN_NOT_SUPPORTED);
		task->aborted = false;
	}
	task->result = res;
	if (!scsi_ok(res) || task->aborted)
		task->n_in = 0;
	task->d_sense = lu->mode.d_sense;
	unlink_locked(task);
	list_insert(&lu->finishing, &finishing.link);
	splice(&task->waits, &finishing.waits);
	mutex_unlock(&lu->lock);
	task->complete(task);
	free(scratch);
	mutex_lock(&lu->lock);
	blocked = lu->n_blocked > 0;
	if (blocked) {
		mutex_unlock(&lu->lock);
		scsi_lu_drain(lu);
		mutex_lock(&lu->lock);
	}
	list_remove(&finishing.link);
	scsi_itl_put_locked(itl);
	mutex_unlock(&lu->lock);
	notify(&finishing.waits);
}

struct finish_later {
	struct scsi_wait wait;
	struct scsi_task *task;
	struct scsi_result res;
};

static void
finish_now(struct scsi_wait *wait)
{
	struct finish_later *later = container_of(wait, struct finish_later, wait);
	struct scsi_task *task = later->task;
	struct scsi_result res = later->res;

	free(later);
	scsi_task_finish(task, res);
}

void
scsi_task_finish_after_aborts(struct scsi_task *task, struct scsi_result res)
{
	struct finish_later *later = calloc(1, sizeof(*later));
	struct scsi_task_filter filter = {.aborted_but = task};
	struct scsi_lu *lu = task->lu;
	bool waits = false;

	if (later) {
		*later = (struct finish_later){.task = task, .res = res};
		scsi_wait_init(&later->wait, finish_now);
		mutex_lock(&lu->lock);
		task->waits_for_aborts = true;
		waits = scsi_lu_wait_locked(lu, &filter, &later->wait);
		mutex_unlock(&lu->lock);
		/* Those held back by order are let go; they find out that they are
		 * aborted */
		scsi_lu_drain(lu);
	}
	if (waits) {
		scsi_wait_put(&later->wait);
	} else {
		free(later);
		scsi_task_finish(task, scsi_status_only(SCSI_BUSY));
	}
}

struct scsi_result
scsi_task_reply(struct scsi_task *task, const void *bytes, size_t size)
{
	size_t n = MIN(size, (size_t)MIN(task->n_transfer, task->cap_in));

	if (n > 0)
		memcpy(task->data_in, bytes, n);
	task->n_in = (uint32_t)n;
	return scsi_good();
}

struct scsi_result
scsi_task_parameters(struct scsi_task *task, const uint8_t **ret_bytes, size_t *ret_size)
{
	if (task->n_out < task->n_transfer)
		return scsi_sense(SENSE_PARAMETER_LIST_LENGTH);
	*ret_bytes = task->data_out;
	*ret_size = task->n_transfer;
	return scsi_good();
}

size_t
scsi_task_sense(const struct scsi_task *task, uint8_t dst[SCSI_SENSE_SIZE_MAX])
{
	if (task->result.status != SCSI_CHECK_CONDITION)
		return 0;
	return scsi_sense_format(&task->result, task->d_sense, dst);
}
