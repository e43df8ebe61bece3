/*
 * The bridge: a request of the unit becomes a call of the program, its answer the request's result.
 *
 * A request is entered by its Hint before the callback is called, since another thread may answer
 * while the callback still runs. Who takes it out, the callback's TRUE or
 * SpdStorageUnitSendResponse, completes it; whoever comes second finds nothing, is logged and has
 * no effect.
 */
#include "api/winspd/priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"

static _Thread_local SPD_STORAGE_UNIT_OPERATION_CONTEXT *current;

SPD_STORAGE_UNIT_OPERATION_CONTEXT *
SpdStorageUnitGetOperationContext(VOID)
{
	return current;
}

/* ---------------------------------------------------------------- results */

struct scsi_result
spd_result_of(const SPD_STORAGE_UNIT_STATUS *status)
{
	struct scsi_result res = {.status = status->ScsiStatus};

	switch (status->ScsiStatus) {
	case SCSI_GOOD:
	case SCSI_CONDITION_MET:
	case SCSI_BUSY:
	case SCSI_RESERVATION_CONFLICT:
	case SCSI_TASK_SET_FULL:
	case SCSI_TASK_ABORTED:
		return res;
	default:
		break;
	}
	/* Whatever the program may have meant: not good, with the sense that it gave. */
	res.status = SCSI_CHECK_CONDITION;
	res.key = status->SenseKey & 0x0f;
	res.asc = status->ASC;
	res.ascq = status->ASCQ;
	res.info_valid = status->InformationValid;
	res.info = status->InformationValid ? status->Information : 0;
	return res;
}

void
spd_status_of(struct scsi_result res, SPD_STORAGE_UNIT_STATUS *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->ScsiStatus = res.status;
	if (res.status != SCSI_CHECK_CONDITION)
		return;
	ret->SenseKey = res.key;
	ret->ASC = res.asc;
	ret->ASCQ = res.ascq;
	ret->InformationValid = res.info_valid;
	ret->Information = res.info_valid ? res.info : 0;
}

/* ---------------------------------------------------------------- buffers of the program's
 * allocator */

static PVOID
pool_get(struct spd *spd)
{
	PVOID buffer = NULL;

	mutex_lock(&spd->pool_lock);
	if (spd->n_pool > 0)
		buffer = spd->pool[--spd->n_pool];
	mutex_unlock(&spd->pool_lock);
	return buffer ? buffer : spd->pool_alloc(spd->params.max_transfer);
}

/* As many as there are threads are kept. */
static void
pool_put(struct spd *spd, PVOID buffer)
{
	mutex_lock(&spd->pool_lock);
	if (spd->n_pool < spd->cap_pool) {
		spd->pool[spd->n_pool++] = buffer;
		buffer = NULL;
	}
	mutex_unlock(&spd->pool_lock);
	if (buffer)
		spd->pool_free(buffer);
}

/* ---------------------------------------------------------------- pending requests */

static struct spd_shard *
shard_of(struct spd *spd, uint64_t hint)
{
	return &spd->shards[hint % SPD_PENDING_SHARDS];
}

static struct spd_op *
op_enter(struct spd *spd, struct scsi_backend_req *req)
{
	struct spd_shard *shard = shard_of(spd, req->id);
	struct spd_op *op = NULL;

	mutex_lock(&shard->lock);
	if (list_empty(&shard->spare)) {
		op = malloc(sizeof(*op));
	} else {
		op = list_first(&shard->spare, struct spd_op, link);
		list_remove(&op->link);
	}
	if (op) {
		*op = (struct spd_op){.req = req};
		list_insert(&shard->pending, &op->link);
	}
	mutex_unlock(&shard->lock);
	return op;
}

/* The caller has it alone; NULL: nobody waits for it, or no longer. */
static struct spd_op *
op_take(struct spd *spd, uint64_t hint)
{
	struct spd_shard *shard = shard_of(spd, hint);
	struct spd_op *found = NULL;

	mutex_lock(&shard->lock);
	list_for_each(pos, &shard->pending) {
		struct spd_op *op = list_entry(pos, struct spd_op, link);

		if (op->req->id == hint) {
			list_remove(&op->link);
			found = op;
			break;
		}
	}
	mutex_unlock(&shard->lock);
	return found;
}

static void
op_release(struct spd *spd, struct spd_op *op, uint64_t hint)
{
	struct spd_shard *shard = shard_of(spd, hint);

	if (op->buffer)
		pool_put(spd, op->buffer);
	free(op->ranges);
	mutex_lock(&shard->lock);
	list_insert(&shard->spare, &op->link);
	mutex_unlock(&shard->lock);
}

/* ---------------------------------------------------------------- calls */

static const UINT8 kinds[SCSI_IO_KIND_LIMIT] = {
	[SCSI_IO_READ] = SpdIoctlTransactReadKind,
	[SCSI_IO_WRITE] = SpdIoctlTransactWriteKind,
	[SCSI_IO_FLUSH] = SpdIoctlTransactFlushKind,
	[SCSI_IO_UNMAP] = SpdIoctlTransactUnmapKind,
	[SCSI_IO_WRITE_ZEROES] = SpdxTransactWriteZeroesKind,
	[SCSI_IO_WRITE_SAME] = SpdxTransactWriteSameKind,
	[SCSI_IO_COMPARE_AND_WRITE] = SpdxTransactCompareAndWriteKind,
	[SCSI_IO_QUERY_RANGES] = SpdxTransactQueryRangesKind,
};

/* What a callback is given. */
struct call {
	struct spd *spd;
	struct scsi_backend_req *req;
	PVOID buffer;
	SPD_IOCTL_TRANSACT_REQ request;
	SPD_IOCTL_TRANSACT_RSP response;
	UINT32 count; /* ranges of a query: room, then number */
};

static BOOLEAN
call_read(struct call *c)
{
	return c->spd->pub.Interface->Read(&c->spd->pub, c->buffer, c->req->lba, c->req->n_blocks,
					   c->req->fua, &c->response.Status);
}

static BOOLEAN
call_write(struct call *c)
{
	return c->spd->pub.Interface->Write(&c->spd->pub, c->buffer, c->req->lba,
					    c->req->n_blocks, c->req->fua, &c->response.Status);
}

static BOOLEAN
call_flush(struct call *c)
{
	return c->spd->pub.Interface->Flush(&c->spd->pub, c->req->lba, c->req->n_blocks,
					    &c->response.Status);
}

static BOOLEAN
call_unmap(struct call *c)
{
	return c->spd->pub.Interface->Unmap(&c->spd->pub, c->buffer, c->req->n_ranges,
					    &c->response.Status);
}

static BOOLEAN
call_write_zeroes(struct call *c)
{
	return SpdxInterfaceGetWriteZeroes(c->spd->pub.Interface)(
		&c->spd->pub, c->req->lba, c->req->n_blocks, c->req->may_unmap, c->req->fua,
		&c->response.Status);
}

static BOOLEAN
call_write_same(struct call *c)
{
	return SpdxInterfaceGetWriteSame(c->spd->pub.Interface)(
		&c->spd->pub, c->buffer, c->req->lba, c->req->n_blocks, c->req->fua,
		&c->response.Status);
}

static BOOLEAN
call_compare_and_write(struct call *c)
{
	return SpdxInterfaceGetCompareAndWrite(c->spd->pub.Interface)(
		&c->spd->pub, c->buffer, c->req->lba, c->req->n_blocks, c->req->fua,
		&c->response.Status);
}

static BOOLEAN
call_query_ranges(struct call *c)
{
	return SpdxInterfaceGetQueryRanges(c->spd->pub.Interface)(
		&c->spd->pub, c->req->lba, c->req->n_blocks, c->buffer, &c->count,
		&c->response.Status);
}

static BOOLEAN (*const calls[SCSI_IO_KIND_LIMIT])(struct call *) = {
	[SCSI_IO_READ] = call_read,
	[SCSI_IO_WRITE] = call_write,
	[SCSI_IO_FLUSH] = call_flush,
	[SCSI_IO_UNMAP] = call_unmap,
	[SCSI_IO_WRITE_ZEROES] = call_write_zeroes,
	[SCSI_IO_WRITE_SAME] = call_write_same,
	[SCSI_IO_COMPARE_AND_WRITE] = call_compare_and_write,
	[SCSI_IO_QUERY_RANGES] = call_query_ranges,
};

/* Bytes that the program gets, and bytes that it gives. */
static size_t
size_to_program(const struct scsi_backend_req *req)
{
	switch (req->kind) {
	case SCSI_IO_WRITE:
	case SCSI_IO_WRITE_SAME:
	case SCSI_IO_COMPARE_AND_WRITE:
		return req->size;
	case SCSI_IO_UNMAP:
		return (size_t)req->n_ranges * sizeof(SPD_UNMAP_DESCRIPTOR);
	default:
		return 0;
	}
}

_Static_assert(sizeof(SPD_UNMAP_DESCRIPTOR) == sizeof(struct scsi_range) &&
		       offsetof(SPD_UNMAP_DESCRIPTOR, BlockCount) ==
			       offsetof(struct scsi_range, n_blocks),
	       "one layout under two names");

/* The buffer that the callback sees. False: no memory. */
static bool
give_buffer(struct call *c, struct spd_op *op)
{
	struct scsi_backend_req *req = c->req;
	size_t n = size_to_program(req);
	const void *from = req->kind == SCSI_IO_UNMAP ? (const void *)req->ranges : req->data;

	if (req->kind == SCSI_IO_QUERY_RANGES) {
		c->count = req->n_ranges;
		c->buffer = op->ranges = calloc(MAX(req->n_ranges, 1u), sizeof(SPDX_RANGE));
		return op->ranges != NULL;
	}
	c->buffer = (PVOID)(uintptr_t)from;
	if (!c->spd->pool_alloc || MAX(n, req->size) > c->spd->params.max_transfer ||
	    (n == 0 && req->kind != SCSI_IO_READ))
		return true;
	c->buffer = op->buffer = pool_get(c->spd);
	if (c->buffer && n > 0)
		memcpy(c->buffer, from, n);
	return c->buffer != NULL;
}

/* The ranges of a query, checked: what the unit makes of them it makes of memory. */
static struct scsi_result
take_ranges(struct scsi_backend_req *req, const SPDX_RANGE *ranges, uint64_t count)
{
	struct scsi_mapping *mappings = req->data;
	uint64_t next = req->lba;

	if (count == 0 || count > req->n_ranges)
		return scsi_sense(SENSE_INTERNAL_FAILURE);
	for (uint32_t i = 0; i < count; i++) {
		if (ranges[i].BlockAddress != next || ranges[i].BlockCount == 0 ||
		    ranges[i].State > SCSI_ANCHORED)
			return scsi_sense(SENSE_INTERNAL_FAILURE);
		next += ranges[i].BlockCount;
	}
	for (uint32_t i = 0; i < count; i++)
		mappings[i] = (struct scsi_mapping){.lba = ranges[i].BlockAddress,
						    .n_blocks = ranges[i].BlockCount,
						    .provisioning = (uint8_t)ranges[i].State};
	req->n_ranges = (uint32_t)count;
	return scsi_good();
}

/* data: what the program gives, NULL for none. Done with op afterwards. */
static struct scsi_result
finish(struct spd *spd, struct spd_op *op, const SPD_STORAGE_UNIT_STATUS *status,
       const void *data, uint64_t count)
{
	struct scsi_backend_req *req = op->req;
	struct scsi_result res = spd_result_of(status);

	if (scsi_ok(res) && req->kind == SCSI_IO_READ) {
		if (!data)
			memset(req->data, 0, req->size);
		else if (data != req->data)
			memcpy(req->data, data, req->size);
	} else if (scsi_ok(res) && req->kind == SCSI_IO_QUERY_RANGES) {
		res = take_ranges(req, data ? data : op->ranges, count);
	}
	op_release(spd, op, req->id);
	return res;
}

static void
fill_request(struct call *c)
{
	const struct scsi_backend_req *req = c->req;

	c->request.Hint = c->response.Hint = req->id;
	c->request.Kind = c->response.Kind = kinds[req->kind];
	if (req->kind == SCSI_IO_UNMAP) {
		c->request.Op.Unmap.Count = req->n_ranges;
		return;
	}
	c->request.Op.Write.BlockAddress = req->lba;
	c->request.Op.Write.BlockCount = req->n_blocks;
	if (req->kind != SCSI_IO_FLUSH) {
		c->request.Op.Write.ForceUnitAccess = req->fua;
		c->request.Op.Write.Reserved = req->may_unmap;
	}
}

static BOOLEAN
call_program(struct call *c)
{
	SPD_STORAGE_UNIT_OPERATION_CONTEXT context = {&c->request, &c->response, c->buffer},
					   *outer = current;
	BOOLEAN done;

	if (spd_debug_enabled(c->spd->pub.DebugLog, c->request.Kind))
		SpdDebugLogRequest(&c->request);
	current = &context;
	done = calls[c->req->kind](c);
	current = outer;
	if (done && spd_debug_enabled(c->spd->pub.DebugLog, c->request.Kind))
		SpdDebugLogResponse(&c->response);
	return done;
}

static bool
backend_submit(void *backend, struct scsi_backend_req *req, struct scsi_result *ret_res)
{
	struct call c = {.spd = backend, .req = req};
	struct spd_op *op = op_enter(c.spd, req);
	uint64_t hint = req->id;

	if (!op) {
		*ret_res = scsi_status_only(SCSI_BUSY);
		return true;
	}
	op->kind = kinds[req->kind];
	if (!give_buffer(&c, op)) {
		op_release(c.spd, op_take(c.spd, hint), hint);
		*ret_res = scsi_status_only(SCSI_BUSY);
		return true;
	}
	fill_request(&c);
	if (!call_program(&c))
		return false; /* answered later, or already: req may be gone */
	op = op_take(c.spd, hint);
	if (!op) {
		log_error("spd", "a callback returned TRUE after its answer was sent hint=%llx",
			  (unsigned long long)hint);
		return false;
	}
	*ret_res = finish(c.spd, op, &c.response.Status, c.buffer, c.count);
	return true;
}

VOID
SpdStorageUnitSendResponse(SPD_STORAGE_UNIT *StorageUnit, SPD_IOCTL_TRANSACT_RSP *Response,
			   PVOID DataBuffer)
{
	struct spd *spd = spd_of(StorageUnit);
	struct spd_op *op = op_take(spd, Response->Hint);
	struct scsi_backend_req *req;
	struct scsi_result res;
	bool same_kind;

	if (!op) {
		log_error("spd", "a response that no request waits for hint=%llx kind=%u",
			  (unsigned long long)Response->Hint, Response->Kind);
		return;
	}
	if (spd_debug_enabled(StorageUnit->DebugLog, Response->Kind))
		SpdDebugLogResponse(Response);
	req = op->req;
	same_kind = op->kind == Response->Kind;
	if (!same_kind)
		log_error("spd", "a response of another kind hint=%llx kind=%u request=%u",
			  (unsigned long long)Response->Hint, Response->Kind, op->kind);
	res = finish(spd, op, &Response->Status, DataBuffer, Response->Status.Information);
	scsi_unit_complete(req, same_kind ? res : scsi_sense(SENSE_INTERNAL_FAILURE));
}

static struct spd_op *
op_take_any(struct spd_shard *shard)
{
	struct spd_op *op = NULL;

	mutex_lock(&shard->lock);
	if (!list_empty(&shard->pending)) {
		op = list_first(&shard->pending, struct spd_op, link);
		list_remove(&op->link);
	}
	mutex_unlock(&shard->lock);
	return op;
}

/* The program may still write into buffers of its own allocator: those are given up. */
size_t
spd_backend_cancel(struct spd *spd)
{
	const SPD_STORAGE_UNIT_STATUS aborted = {.ScsiStatus = SCSI_TASK_ABORTED};
	size_t n = 0;

	for (size_t i = 0; i < SPD_PENDING_SHARDS; i++) {
		struct spd_op *op;

		while ((op = op_take_any(&spd->shards[i]))) {
			struct scsi_backend_req *req = op->req;

			op->buffer = NULL;
			scsi_unit_complete(req, finish(spd, op, &aborted, NULL, 0));
			n++;
		}
	}
	return n;
}

/* ---------------------------------------------------------------- life */

static int
backend_resize(void *backend, uint64_t n_blocks)
{
	struct spd *spd = backend;
	DWORD error = SpdxInterfaceGetResize(spd->pub.Interface)(&spd->pub, n_blocks);

	if (error == ERROR_SUCCESS)
		return 0;
	spd_fail(error, "the storage could not be resized to %llu blocks: error %u",
		 (unsigned long long)n_blocks, error);
	switch (error) {
	case ERROR_DISK_FULL:
	case ERROR_HANDLE_DISK_FULL:
		return -ENOSPC;
	case ERROR_INVALID_PARAMETER:
		return -EINVAL;
	case ERROR_NOT_SUPPORTED:
		return -EOPNOTSUPP;
	case ERROR_ACCESS_DENIED:
		return -EACCES;
	default:
		return -EIO;
	}
}

void
spd_backend_init(struct spd *spd)
{
	const SPD_STORAGE_UNIT_INTERFACE *i = spd->pub.Interface;
	uint32_t bits = 0;

	bits |= i->Read ? SCSI_IO_BIT(SCSI_IO_READ) : 0;
	bits |= i->Write ? SCSI_IO_BIT(SCSI_IO_WRITE) : 0;
	bits |= i->Flush ? SCSI_IO_BIT(SCSI_IO_FLUSH) : 0;
	bits |= i->Unmap ? SCSI_IO_BIT(SCSI_IO_UNMAP) : 0;
	bits |= SpdxInterfaceGetWriteZeroes(i) ? SCSI_IO_BIT(SCSI_IO_WRITE_ZEROES) : 0;
	bits |= SpdxInterfaceGetWriteSame(i) ? SCSI_IO_BIT(SCSI_IO_WRITE_SAME) : 0;
	bits |= SpdxInterfaceGetCompareAndWrite(i) ? SCSI_IO_BIT(SCSI_IO_COMPARE_AND_WRITE) : 0;
	bits |= SpdxInterfaceGetQueryRanges(i) ? SCSI_IO_BIT(SCSI_IO_QUERY_RANGES) : 0;
	spd->ops.kinds = bits;
	spd->ops.submit = backend_submit;
	spd->ops.resize = SpdxInterfaceGetResize(i) ? backend_resize : NULL;
	mutex_init(&spd->pool_lock);
	for (size_t n = 0; n < SPD_PENDING_SHARDS; n++) {
		mutex_init(&spd->shards[n].lock);
		list_init(&spd->shards[n].pending);
		list_init(&spd->shards[n].spare);
	}
}

static void
free_ops(struct list *ops)
{
	list_for_each_safe(pos, next, ops)
		free(list_entry(pos, struct spd_op, link));
}

void
spd_backend_fini(struct spd *spd)
{
	for (size_t n = 0; n < SPD_PENDING_SHARDS; n++) {
		free_ops(&spd->shards[n].pending);
		free_ops(&spd->shards[n].spare);
		mutex_fini(&spd->shards[n].lock);
	}
	while (spd->n_pool > 0)
		spd->pool_free(spd->pool[--spd->n_pool]);
	free(spd->pool);
	mutex_fini(&spd->pool_lock);
}
