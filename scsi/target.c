/*
 * The target device: its name, ports, LUN map and nexuses, and task management (SAM-5 7).
 *
 * Removing is done in the same way for a LUN, a nexus and a reset: under the locks, tasks
 * are marked as aborted and a wait is hung on those that run; without them, held-back
 * tasks are let go, and the last to finish calls done.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "scsi/lu.h"

int
scsi_target_create(const char *name, struct scsi_target **ret_target)
{
	struct scsi_target *target = calloc(1, sizeof(*target));

	if (!target)
		return -ENOMEM;
	mutex_init(&target->lock);
	list_init(&target->nexuses);
	target->name = strdup(name);
	if (!target->name) {
		scsi_target_destroy(target);
		return -ENOMEM;
	}
	*ret_target = target;
	return 0;
}

void
scsi_target_destroy(struct scsi_target *target)
{
	if (!target)
		return;
	for (unsigned lun = 0; lun < SCSI_LUN_LIMIT; lun++)
		scsi_unit_unref(target->luns[lun].unit);
	mutex_fini(&target->lock);
	free(target->name);
	free(target);
}

const char *
scsi_target_name(const struct scsi_target *target)
{
	return target->name;
}

/* Ports */

static struct scsi_port *
find_port_locked(struct scsi_target *target, uint16_t id)
{
	for (size_t i = 0; i < target->n_ports; i++)
		if (target->ports[i].id == id)
			return &target->ports[i];
	return NULL;
}

static int
add_port_locked(struct scsi_target *target, uint16_t id, const char *name)
{
	struct scsi_port *port = &target->ports[target->n_ports];

	if (find_port_locked(target, id))
		return -EEXIST;
	if (target->n_ports == SCSI_PORT_LIMIT)
		return -ENOSPC;
	port->id = id;
	snprintf(port->name, sizeof(port->name), "%s", name);
	target->n_ports++;
	return 0;
}

int
scsi_target_add_port(struct scsi_target *target, uint16_t port, const char *name)
{
	int err;

	if (port == 0 || strlen(name) >= sizeof(target->ports[0].name))
		return -EINVAL;
	mutex_lock(&target->lock);
	err = add_port_locked(target, port, name);
	mutex_unlock(&target->lock);
	return err;
}

void
scsi_target_remove_port(struct scsi_target *target, uint16_t port)
{
	struct scsi_port *p;

	mutex_lock(&target->lock);
	p = find_port_locked(target, port);
	if (p) {
		size_t after = target->n_ports - (size_t)(p - target->ports) - 1;

		memmove(p, p + 1, after * sizeof(*p));
		target->n_ports--;
	}
	mutex_unlock(&target->lock);
}

/* LUNs */

/* SAM-5 4.7.7: one level; peripheral device addressing (bus 0), flat space addressing. */
enum { LUN_PERIPHERAL = 0, LUN_FLAT = 1 };

uint64_t
scsi_lun_encode(unsigned lun)
{
	uint64_t method = lun < 256 ? LUN_PERIPHERAL : LUN_FLAT;

	return method << 62 | (uint64_t)(lun & 0x3fff) << 48;
}

int
scsi_lun_decode(uint64_t lun)
{
	unsigned first = (unsigned)(lun >> 48);
	unsigned method = first >> 14, number = first & 0x3fff;

	if (lun << 16 != 0 || method > LUN_FLAT || number >= SCSI_LUN_LIMIT)
		return -1;
	return (int)number;
}

/* Both locks held for each LU. Nexuses that have no ITL yet will find POWER ON there. */
static void
luns_changed_locked(struct scsi_target *target) REQUIRES(&target->lock)
{
	for (unsigned i = 0; i < SCSI_LUN_LIMIT; i++) {
		struct scsi_lu *lu =
			target->luns[i].unit ? scsi_unit_lu(target->luns[i].unit) : NULL;

		if (!lu)
			continue;
		mutex_lock(&lu->lock);
		list_for_each(pos, &lu->itls) {
			struct scsi_itl *itl = list_entry(pos, struct scsi_itl, link);

			if (itl->nexus->target == target)
				scsi_itl_attention_locked(itl,
							  SENSE_REPORTED_LUNS_CHANGED);
		}
		mutex_unlock(&lu->lock);
	}
}

int
scsi_target_add_lun(struct scsi_target *target, unsigned lun, struct scsi_unit *unit)
{
	int err = 0;

	if (lun >= SCSI_LUN_LIMIT)
		return -ERANGE;
	mutex_lock(&target->lock);
	if (target->luns[lun].unit) {
		err = -EEXIST;
	} else {
		target->luns[lun].unit = scsi_unit_ref(unit);
		luns_changed_locked(target);
	}
	mutex_unlock(&target->lock);
	return err;
}

/* For callers that wait on their own thread. */
struct sync_wait {
	struct scsi_wait wait;
	struct mutex lock;
	struct cond cond;
	bool is_done;
};

static void
sync_wait_done(struct scsi_wait *wait)
{
	struct sync_wait *w = container_of(wait, struct sync_wait, wait);

	mutex_lock(&w->lock);
	w->is_done = true;
	cond_signal(&w->cond);
	mutex_unlock(&w->lock);
}

static void
sync_wait_init(struct sync_wait *w)
{
	scsi_wait_init(&w->wait, sync_wait_done);
	mutex_init(&w->lock);
	cond_init(&w->cond);
	w->is_done = false;
}

static void
sync_wait_for(struct sync_wait *w)
{
	scsi_wait_put(&w->wait);
	mutex_lock(&w->lock);
	while (!w->is_done)
		cond_wait(&w->cond, &w->lock);
	mutex_unlock(&w->lock);
	cond_fini(&w->cond);
	mutex_fini(&w->lock);
}

static bool
unit_mapped_locked(const struct scsi_target *target, const struct scsi_unit *unit)
{
	for (unsigned i = 0; i < SCSI_LUN_LIMIT; i++)
		if (target->luns[i].unit == unit)
			return true;
	return false;
}

/* ITLs of a nexus, or of all of a target's nexuses. */
static void
leave_locked(struct scsi_lu *lu, const struct scsi_target *target,
	     const struct scsi_nexus *nexus) REQUIRES(&lu->lock)
{
	list_for_each_safe(pos, tmp, &lu->itls) {
		struct scsi_itl *itl = list_entry(pos, struct scsi_itl, link);

		if (nexus ? itl->nexus == nexus : itl->nexus->target == target)
			scsi_itl_leave_locked(lu, itl);
	}
}

static int
unmap_locked(struct scsi_target *target, unsigned lun, struct scsi_wait *wait)
	REQUIRES(&target->lock)
{
	struct scsi_unit *unit = target->luns[lun].unit;
	struct scsi_task_filter filter = {.target = target, .removal = true, .lun = lun};
	struct scsi_lu *lu;
	size_t n;
	int err;

	if (!unit)
		return -ENOENT;
	lu = scsi_unit_lu(unit);
	target->luns[lun].unit = NULL;
	mutex_lock(&lu->lock);
	err = scsi_lu_abort_wait_locked(lu, &filter, wait, &n);
	/* Under another number it is the same logical unit, and stays theirs */
	if (err == 0 && !unit_mapped_locked(target, unit))
		leave_locked(lu, target, NULL);
	mutex_unlock(&lu->lock);
	if (err == 0)
		luns_changed_locked(target);
	else
		target->luns[lun].unit = unit;
	return err;
}

int
scsi_target_remove_lun(struct scsi_target *target, unsigned lun)
{
	struct scsi_unit *unit;
	struct sync_wait w;
	int err;

	if (lun >= SCSI_LUN_LIMIT)
		return -ENOENT;
	sync_wait_init(&w);
	mutex_lock(&target->lock);
	unit = target->luns[lun].unit;
	err = unmap_locked(target, lun, &w.wait);
	mutex_unlock(&target->lock);
	if (err == 0)
		scsi_lu_drain(scsi_unit_lu(unit));
	sync_wait_for(&w);
	if (err == 0)
		scsi_unit_unref(unit);
	return err;
}

size_t
scsi_target_n_luns(struct scsi_target *target)
{
	size_t n = 0;

	mutex_lock(&target->lock);
	for (unsigned i = 0; i < SCSI_LUN_LIMIT; i++)
		n += target->luns[i].unit != NULL;
	mutex_unlock(&target->lock);
	return n;
}

struct scsi_unit *
scsi_target_unit(struct scsi_target *target, unsigned lun)
{
	struct scsi_unit *unit;

	if (lun >= SCSI_LUN_LIMIT)
		return NULL;
	mutex_lock(&target->lock);
	unit = target->luns[lun].unit;
	mutex_unlock(&target->lock);
	return unit;
}

/* Nexuses */

static void
nexus_free(struct scsi_nexus *nexus)
{
	free(nexus->initiator);
	free(nexus);
}

int
scsi_nexus_create(struct scsi_target *target, const struct scsi_nexus_params *params,
		  struct scsi_nexus **ret_nexus)
{
	struct scsi_nexus *nexus;

	if (params->n_transport_id > SCSI_TRANSPORT_ID_MAX)
		return -EINVAL;
	nexus = calloc(1, sizeof(*nexus));
	if (!nexus)
		return -ENOMEM;
	nexus->initiator = strdup(params->initiator);
	if (!nexus->initiator) {
		nexus_free(nexus);
		return -ENOMEM;
	}
	nexus->target = target;
	if (params->n_transport_id > 0)
		memcpy(nexus->transport_id, params->transport_id, params->n_transport_id);
	nexus->n_transport_id = params->n_transport_id;
	nexus->target_port = params->target_port;
	mutex_lock(&target->lock);
	list_insert(&target->nexuses, &nexus->link);
	mutex_unlock(&target->lock);
	*ret_nexus = nexus;
	return 0;
}

struct scsi_target *
scsi_nexus_target(const struct scsi_nexus *nexus)
{
	return nexus->target;
}

/* A unit of the map from *lun on, with a reference; NULL at the end. */
static struct scsi_unit *
next_unit_locked(struct scsi_target *target, unsigned *lun)
{
	for (; *lun < SCSI_LUN_LIMIT; ++*lun)
		if (target->luns[*lun].unit)
			return scsi_unit_ref(target->luns[(*lun)++].unit);
	return NULL;
}

/* Its tasks on one LU end, then what it held there. -ENOMEM leaves it for another try. */
static int
nexus_leave_lu(struct scsi_nexus *nexus, struct scsi_lu *lu)
{
	struct scsi_task_filter filter = {.nexus = nexus};
	struct sync_wait w;
	size_t n;
	int err;

	sync_wait_init(&w);
	mutex_lock(&lu->lock);
	err = scsi_lu_abort_wait_locked(lu, &filter, &w.wait, &n);
	mutex_unlock(&lu->lock);
	scsi_lu_drain(lu);
	sync_wait_for(&w);
	if (err < 0)
		return err;
	mutex_lock(&lu->lock);
	leave_locked(lu, NULL, nexus);
	mutex_unlock(&lu->lock);
	return 0;
}

void
scsi_nexus_destroy(struct scsi_nexus *nexus)
{
	struct scsi_target *target;
	struct scsi_unit *unit;
	unsigned lun = 0;

	if (!nexus)
		return;
	target = nexus->target;
	nexus->lost = true;
	do {
		mutex_lock(&target->lock);
		unit = next_unit_locked(target, &lun);
		mutex_unlock(&target->lock);
		/* A few bytes for each running task: they come free as those end */
		while (unit && nexus_leave_lu(nexus, scsi_unit_lu(unit)) < 0)
			;
		scsi_unit_unref(unit);
	} while (unit);
	mutex_lock(&target->lock);
	list_remove(&nexus->link);
	mutex_unlock(&target->lock);
	nexus_free(nexus);
}

/* Task management */

struct tmf {
	struct scsi_wait wait;
	struct scsi_nexus *nexus;
	enum scsi_tmf function;
	enum scsi_tmf_response response;
	uint64_t tag;
	void (*done)(void *ctx, enum scsi_tmf_response response);
	void *ctx;
};

static void
tmf_done(struct scsi_wait *wait)
{
	struct tmf *tmf = container_of(wait, struct tmf, wait);
	void (*done)(void *, enum scsi_tmf_response) = tmf->done;
	void *ctx = tmf->ctx;
	enum scsi_tmf_response response = tmf->response;

	free(tmf);
	done(ctx, response);
}

/* Marks and waits. False: no memory, REJECTED. */
static bool
tmf_abort_locked(struct tmf *tmf, struct scsi_lu *lu,
		 const struct scsi_task_filter *filter, size_t *ret_n) REQUIRES(&lu->lock)
{
	if (scsi_lu_abort_wait_locked(lu, filter, &tmf->wait, ret_n) == 0)
		return true;
	tmf->response = SCSI_TMF_REJECTED;
	return false;
}

static void
abort_task_locked(struct tmf *tmf, struct scsi_lu *lu) REQUIRES(&lu->lock)
{
	struct scsi_task_filter f = {
		.nexus = tmf->nexus, .has_tag = true, .tag = tmf->tag};
	size_t n;

	if (tmf_abort_locked(tmf, lu, &f, &n) && n == 0)
		tmf->response = SCSI_TMF_NO_TASK;
}

static void
abort_task_set_locked(struct tmf *tmf, struct scsi_lu *lu) REQUIRES(&lu->lock)
{
	struct scsi_task_filter f = {.nexus = tmf->nexus};
	size_t n;

	(void)tmf_abort_locked(tmf, lu, &f, &n);
}

/* SAM-5 5.6: with TAS 0, whose commands go without a word learns it by a unit attention. */
static void
clear_task_set_locked(struct tmf *tmf, struct scsi_lu *lu) REQUIRES(&lu->lock)
{
	struct scsi_task_filter all = {0};
	size_t n;

	list_for_each(pos, &lu->itls) {
		struct scsi_itl *itl = list_entry(pos, struct scsi_itl, link);
		struct scsi_task_filter its = {.nexus = itl->nexus};

		if (itl->nexus != tmf->nexus && scsi_lu_count_locked(lu, &its) > 0)
			scsi_itl_attention_locked(itl, SENSE_COMMANDS_CLEARED);
	}
	(void)tmf_abort_locked(tmf, lu, &all, &n);
}

/* SAM-5 6.3.3; persistent reservations stay */
static void
reset_locked(struct tmf *tmf, struct scsi_lu *lu) REQUIRES(&lu->lock)
{
	struct scsi_task_filter all = {0};
	size_t n;

	if (!tmf_abort_locked(tmf, lu, &all, &n))
		return;
	list_for_each(pos, &lu->itls) {
		struct scsi_itl *itl = list_entry(pos, struct scsi_itl, link);

		scsi_reserve_nexus_lost_locked(lu, itl);
		itl->prevents = false;
	}
	scsi_mode_reset_locked(lu);
	scsi_copy_forget_locked(lu, NULL);
	/* SAM-5 6.3.3: for every nexus, also the one that asked for it */
	scsi_lu_attention_locked(lu, SENSE_BUS_DEVICE_RESET, NULL);
}

static void
query_task_locked(struct tmf *tmf, struct scsi_lu *lu) REQUIRES(&lu->lock)
{
	struct scsi_task_filter f = {
		.nexus = tmf->nexus, .has_tag = true, .tag = tmf->tag};

	if (scsi_lu_count_locked(lu, &f) > 0)
		tmf->response = SCSI_TMF_SUCCEEDED;
}

static void
query_task_set_locked(struct tmf *tmf, struct scsi_lu *lu) REQUIRES(&lu->lock)
{
	struct scsi_task_filter f = {.nexus = tmf->nexus};

	if (scsi_lu_count_locked(lu, &f) > 0)
		tmf->response = SCSI_TMF_SUCCEEDED;
}

/* SAM-5 7.6: as if the nexus were lost, though it goes on */
static void
nexus_reset_locked(struct tmf *tmf, struct scsi_lu *lu) REQUIRES(&lu->lock)
{
	struct scsi_task_filter f = {.nexus = tmf->nexus};
	struct scsi_itl *itl = scsi_lu_find_itl_locked(lu, tmf->nexus);
	size_t n;

	if (!itl || !tmf_abort_locked(tmf, lu, &f, &n))
		return;
	scsi_reserve_nexus_lost_locked(lu, itl);
	scsi_copy_forget_locked(lu, tmf->nexus);
	itl->prevents = false;
	scsi_itl_attention_locked(itl, SENSE_NEXUS_LOSS);
}

static const struct tmf_row {
	void (*locked)(struct tmf *tmf, struct scsi_lu *lu); /* NULL: not supported */
	bool all_luns;
} tmf_rows[] = {
	[SCSI_TMF_ABORT_TASK] = {abort_task_locked, false},
	[SCSI_TMF_ABORT_TASK_SET] = {abort_task_set_locked, false},
	[SCSI_TMF_CLEAR_TASK_SET] = {clear_task_set_locked, false},
	[SCSI_TMF_LU_RESET] = {reset_locked, false},
	[SCSI_TMF_TARGET_RESET] = {reset_locked, true},
	[SCSI_TMF_QUERY_TASK] = {query_task_locked, false},
	[SCSI_TMF_QUERY_TASK_SET] = {query_task_set_locked, false},
	[SCSI_TMF_I_T_NEXUS_RESET] = {nexus_reset_locked, true},
};

static void
tmf_on_unit(struct tmf *tmf, struct scsi_unit *unit)
{
	struct scsi_lu *lu = scsi_unit_lu(unit);

	mutex_lock(&lu->lock);
	tmf_rows[tmf->function].locked(tmf, lu);
	mutex_unlock(&lu->lock);
	scsi_lu_drain(lu);
	scsi_unit_unref(unit);
}

static void
tmf_run(struct tmf *tmf, uint64_t lun_field)
{
	struct scsi_target *target = tmf->nexus->target;
	bool all = tmf_rows[tmf->function].all_luns;
	int number = scsi_lun_decode(lun_field);
	unsigned lun = all ? 0 : (unsigned)number;
	struct scsi_unit *unit;

	do {
		mutex_lock(&target->lock);
		unit = NULL;
		if (all)
			unit = next_unit_locked(target, &lun);
		else if (number >= 0 && target->luns[number].unit)
			unit = scsi_unit_ref(target->luns[number].unit);
		mutex_unlock(&target->lock);
		if (unit)
			tmf_on_unit(tmf, unit);
		else if (!all)
			tmf->response = SCSI_TMF_NO_LUN;
	} while (all && unit);
}

void
scsi_tmf(struct scsi_nexus *nexus, enum scsi_tmf function, uint64_t lun, uint64_t tag,
	 void (*done)(void *ctx, enum scsi_tmf_response response), void *ctx)
{
	struct tmf *tmf;

	if ((size_t)function >= ARRAY_SIZE(tmf_rows) || !tmf_rows[function].locked) {
		done(ctx, SCSI_TMF_NOT_SUPPORTED);
		return;
	}
	tmf = calloc(1, sizeof(*tmf));
	if (!tmf) {
		done(ctx, SCSI_TMF_REJECTED);
		return;
	}
	*tmf = (struct tmf){.nexus = nexus,
			    .function = function,
			    .response = SCSI_TMF_COMPLETE,
			    .tag = tag,
			    .done = done,
			    .ctx = ctx};
	scsi_wait_init(&tmf->wait, tmf_done);
	tmf_run(tmf, lun);
	scsi_wait_put(&tmf->wait);
}
