/*
 * Storage units whose requests the program fetches itself (SpdIoctlTransact) instead of being
 * called.
 *
 * A request lies in queue until somebody fetches it, then in fetched until its answer.
 * Unprovisioning ends both.
 */
#include "api/winspd/device.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "api/winspd/slots.h"
#include "base/clock.h"
#include "base/log.h"

enum { TRANSACT_WAIT_MS = 1000, SLOTS = 2 };

struct provisioned {
	struct scsi_unit *unit;
	struct scsi_backend_ops ops;
	GUID guid;
	unsigned index, refs; /* refs: with table_lock */

	struct mutex lock; /* rules what follows */
	struct cond changed;
	struct list queue, fetched;
	bool cancelled;
	pid_t transact_pid;
};

struct fetch {
	struct list link;
	struct scsi_backend_req *req;
};

static struct mutex table_lock = MUTEX_INIT;
static struct provisioned *table[SPD_IOCTL_STORAGE_UNIT_MAX_CAPACITY]; /* with table_lock */

/* ---------------------------------------------------------------- backend */

static bool
backend_submit(void *backend, struct scsi_backend_req *req, struct scsi_result *ret_res)
{
	struct provisioned *p = backend;
	struct fetch *f = malloc(sizeof(*f));
	bool cancelled;

	if (!f) {
		*ret_res = scsi_status_only(SCSI_BUSY);
		return true;
	}
	f->req = req;
	mutex_lock(&p->lock);
	cancelled = p->cancelled;
	if (!cancelled) {
		list_insert(&p->queue, &f->link);
		cond_signal(&p->changed);
	}
	mutex_unlock(&p->lock);
	if (!cancelled)
		return false;
	free(f);
	*ret_res = scsi_status_only(SCSI_TASK_ABORTED);
	/* The final flush of a unit that nobody serves any more is not an error. */
	if (req->kind == SCSI_IO_FLUSH)
		*ret_res = scsi_good();
	return true;
}

/* ---------------------------------------------------------------- references */

static struct provisioned *
get(UINT32 btl)
{
	unsigned index = SPD_IOCTL_BTL_T(btl);
	struct provisioned *p = NULL;

	mutex_lock(&table_lock);
	if (index < ARRAY_SIZE(table) && !SPD_IOCTL_BTL_B(btl) && !SPD_IOCTL_BTL_L(btl))
		p = table[index];
	if (p)
		p->refs++;
	mutex_unlock(&table_lock);
	return p;
}

static void
put(struct provisioned *p)
{
	bool last;

	mutex_lock(&table_lock);
	last = --p->refs == 0;
	mutex_unlock(&table_lock);
	if (!last)
		return;
	(void)scsi_unit_stop(p->unit);
	scsi_unit_unref(p->unit);
	cond_fini(&p->changed);
	mutex_fini(&p->lock);
	free(p);
}

/* ---------------------------------------------------------------- provision, unprovision */

static DWORD
make_unit(struct provisioned *p, const SPD_IOCTL_STORAGE_UNIT_PARAMS *params)
{
	struct scsi_unit_params *unit_params = malloc(sizeof(*unit_params));
	char text[256] = "";
	int err = unit_params ? 0 : -ENOMEM;

	p->ops = (struct scsi_backend_ops){
		.kinds = SCSI_IO_BIT(SCSI_IO_READ) | SCSI_IO_BIT(SCSI_IO_WRITE) |
			 SCSI_IO_BIT(SCSI_IO_FLUSH) | SCSI_IO_BIT(SCSI_IO_UNMAP),
		.submit = backend_submit};
	if (err == 0) {
		spd_params_convert(params, unit_params);
		err = scsi_unit_create(unit_params, &p->ops, p, text, sizeof(text), &p->unit);
	}
	if (err == 0)
		err = scsi_unit_start(p->unit, SLOTS);
	free(unit_params);
	if (err < 0)
		scsi_unit_unref(take(&p->unit));
	return err < 0 ? spd_fail_errno(err, "%s", text[0] ? text : strerror(-err)) : ERROR_SUCCESS;
}

DWORD
provision(const SPD_IOCTL_STORAGE_UNIT_PARAMS *params, PUINT32 ret_btl)
{
	struct provisioned *p;
	DWORD error = spd_params_check(params);

	if (error)
		return error;
	p = calloc(1, sizeof(*p));
	if (!p)
		return spd_fail(ERROR_NO_SYSTEM_RESOURCES, "out of memory");
	p->refs = 1;
	p->guid = params->Guid;
	p->transact_pid = getpid();
	mutex_init(&p->lock);
	cond_init(&p->changed);
	list_init(&p->queue);
	list_init(&p->fetched);
	error = spd_slot_take(&params->Guid, p, &p->index);
	if (error == ERROR_SUCCESS) {
		error = make_unit(p, params);
		if (error)
			spd_slot_release(p->index);
	}
	if (error) {
		cond_fini(&p->changed);
		mutex_fini(&p->lock);
		free(p);
		return error;
	}
	mutex_lock(&table_lock);
	table[p->index] = p;
	mutex_unlock(&table_lock);
	spd_slot_set_unit(p->index, p->unit);
	*ret_btl = SPD_IOCTL_BTL(0, p->index, 0);
	return ERROR_SUCCESS;
}

static void
abort_all(struct provisioned *p)
{
	struct list all = LIST_INIT(all);

	mutex_lock(&p->lock);
	p->cancelled = true;
	list_for_each_safe(pos, next, &p->queue) {
		list_remove(pos);
		list_insert(&all, pos);
	}
	list_for_each_safe(pos, next, &p->fetched) {
		list_remove(pos);
		list_insert(&all, pos);
	}
	cond_broadcast(&p->changed);
	mutex_unlock(&p->lock);
	list_for_each_safe(pos, next, &all) {
		struct fetch *f = list_entry(pos, struct fetch, link);

		scsi_unit_complete(f->req, scsi_status_only(SCSI_TASK_ABORTED));
		free(f);
	}
}

DWORD
unprovision(const GUID *guid)
{
	int index = spd_slot_find(guid);
	struct provisioned *p = NULL;

	if (index < 0)
		return spd_fail(ERROR_FILE_NOT_FOUND, "this process has no such storage unit");
	mutex_lock(&table_lock);
	if (table[index] && spd_guid_equal(&table[index]->guid, guid))
		p = take(&table[index]);
	mutex_unlock(&table_lock);
	if (!p)
		return spd_fail(ERROR_ACCESS_DENIED,
				"the storage unit was made by SpdStorageUnitCreate");
	spd_slot_set_unit(p->index, NULL);
	abort_all(p);
	spd_slot_release(p->index);
	put(p);
	return ERROR_SUCCESS;
}

/* ---------------------------------------------------------------- transact */

static struct fetch *
take_fetched(struct provisioned *p, UINT64 hint)
{
	struct fetch *found = NULL;

	mutex_lock(&p->lock);
	list_for_each(pos, &p->fetched) {
		struct fetch *f = list_entry(pos, struct fetch, link);

		if (f->req->id == hint) {
			list_remove(&f->link);
			found = f;
			break;
		}
	}
	mutex_unlock(&p->lock);
	return found;
}

static void
answer(struct provisioned *p, const SPD_IOCTL_TRANSACT_RSP *rsp, const void *buffer)
{
	struct fetch *f = take_fetched(p, rsp->Hint);
	struct scsi_result res = spd_result_of(&rsp->Status);

	if (!f) {
		log_error("spd", "a response that no request waits for hint=%llx kind=%u",
			  (unsigned long long)rsp->Hint, rsp->Kind);
		return;
	}
	if (rsp->Kind != (UINT8)f->req->kind) {
		res = scsi_sense(SENSE_INTERNAL_FAILURE);
	} else if (scsi_ok(res) && f->req->kind == SCSI_IO_READ) {
		if (buffer)
			memcpy(f->req->data, buffer, f->req->size);
		else
			memset(f->req->data, 0, f->req->size);
	}
	scsi_unit_complete(f->req, res);
	free(f);
}

static void
fill(const struct scsi_backend_req *req, SPD_IOCTL_TRANSACT_REQ *ret, PVOID buffer)
{
	memset(ret, 0, sizeof(*ret));
	ret->Hint = req->id;
	ret->Kind = (UINT8)req->kind;
	if (req->kind == SCSI_IO_UNMAP) {
		ret->Op.Unmap.Count = req->n_ranges;
		memcpy(buffer, req->ranges, req->n_ranges * sizeof(SPD_IOCTL_UNMAP_DESCRIPTOR));
		return;
	}
	ret->Op.Write.BlockAddress = req->lba;
	ret->Op.Write.BlockCount = req->n_blocks;
	if (req->kind != SCSI_IO_FLUSH)
		ret->Op.Write.ForceUnitAccess = req->fua;
	if (req->kind == SCSI_IO_WRITE)
		memcpy(buffer, req->data, req->size);
}

/* The next request; Hint 0 when none came in time. */
static DWORD
fetch(struct provisioned *p, SPD_IOCTL_TRANSACT_REQ *req, PVOID buffer)
{
	uint64_t until = clock_monotonic_ns() + TRANSACT_WAIT_MS * 1000000ull;
	bool cancelled;

	memset(req, 0, sizeof(*req));
	mutex_lock(&p->lock);
	while (!p->cancelled && list_empty(&p->queue) &&
	       cond_wait_until(&p->changed, &p->lock, until))
		;
	cancelled = p->cancelled;
	if (!cancelled && !list_empty(&p->queue)) {
		struct fetch *f = list_first(&p->queue, struct fetch, link);

		/* With the lock: unprovisioning ends the request, and its data with it. */
		fill(f->req, req, buffer);
		list_remove(&f->link);
		list_insert(&p->fetched, &f->link);
	}
	mutex_unlock(&p->lock);
	return cancelled ? spd_fail(ERROR_CANCELLED, "the storage unit has been unprovisioned")
			 : ERROR_SUCCESS;
}

DWORD
transact(UINT32 btl, SPD_IOCTL_TRANSACT_RSP *rsp, SPD_IOCTL_TRANSACT_REQ *req, PVOID buffer)
{
	struct provisioned *p = get(btl);
	DWORD error = ERROR_SUCCESS;
	pid_t pid;

	if (!p)
		return spd_fail(ERROR_CANCELLED, "no storage unit is provisioned there");
	mutex_lock(&p->lock);
	pid = p->transact_pid;
	mutex_unlock(&p->lock);
	if (pid != getpid()) {
		error = spd_fail(ERROR_ACCESS_DENIED, "process %d transacts for this storage unit",
				 (int)pid);
	} else {
		if (rsp && rsp->Hint)
			answer(p, rsp, buffer);
		if (req)
			error = fetch(p, req, buffer);
	}
	put(p);
	return error;
}

DWORD
set_transact_pid(UINT32 btl, ULONG pid)
{
	struct provisioned *p = get(btl);

	if (!p)
		return spd_fail(ERROR_FILE_NOT_FOUND, "no storage unit is provisioned there");
	mutex_lock(&p->lock);
	p->transact_pid = (pid_t)pid;
	mutex_unlock(&p->lock);
	put(p);
	return ERROR_SUCCESS;
}
