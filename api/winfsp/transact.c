/*
 * One request of the engine: operation context, guard, handler, and the wait for handlers that
 * answer later.
 *
 * A handler may return STATUS_PENDING and any thread may answer with FspFileSystemSendResponse,
 * also before the handler has returned. So each request is known by its Hint before its handler
 * runs. States of a request, under its shard's lock:
 *
 *	WORKING   the handler runs; an answer is copied to the heap (early)
 *	WAITING   the handler said PENDING; an answer is copied into the response
 *	ANSWERED  the waiting thread may go on
 */
#include "api/winfsp/priv.h"

#include <stdlib.h>
#include <string.h>
#include "base/clock.h"

enum pending_state { WORKING, WAITING, ANSWERED };
#define STOP_GRACE_NS (10 * UINT64_C(1000000000))

struct pending {
	struct list link;
	uint64_t hint;
	uint32_t kind;
	enum pending_state state;
	struct fs_rsp *rsp;   /* the engine's */
	struct fs_rsp *early; /* heap */
	struct cond answered;
};

static _Thread_local FSP_FILE_SYSTEM_OPERATION_CONTEXT operation;

static struct fsp_pending_shard *
shard_of(struct fsp *fsp, uint64_t hint)
{
	return &fsp->pending[(hint * UINT64_C(0x9E3779B97F4A7C15)) >> 60];
}
_Static_assert(FSP_PENDING_SHARDS == 16, "shard_of takes four bits");

void
fsp_pending_init(struct fsp *fsp)
{
	for (size_t i = 0; i < FSP_PENDING_SHARDS; i++) {
		mutex_init(&fsp->pending[i].lock);
		list_init(&fsp->pending[i].requests);
	}
}

void
fsp_pending_fini(struct fsp *fsp)
{
	for (size_t i = 0; i < FSP_PENDING_SHARDS; i++)
		mutex_fini(&fsp->pending[i].lock);
}

void
fsp_pending_cancel(struct fsp *fsp)
{
	atomic_store(&fsp->stop_ns, clock_monotonic_ns() + STOP_GRACE_NS);
	for (size_t i = 0; i < FSP_PENDING_SHARDS; i++) {
		struct fsp_pending_shard *shard = &fsp->pending[i];

		mutex_lock(&shard->lock);
		list_for_each(l, &shard->requests) {
			struct pending *p = list_entry(l, struct pending, link);
			if (p->state == WAITING)
				cond_signal(&p->answered);
		}
		mutex_unlock(&shard->lock);
	}
}

static bool
response_is_sound(const struct fs_rsp *rsp)
{
	return rsp->size >= FS_RSP_HEADER_SIZE && rsp->size <= FS_RSP_SIZE_MAX;
}

/* Whatever a handler did to the header, the engine gets its own request's answer. */
static void
response_seal(struct fs_rsp *rsp, const struct fs_req *req)
{
	if (!response_is_sound(rsp)) {
		memset(rsp, 0, FS_RSP_HEADER_SIZE);
		rsp->size = FS_RSP_HEADER_SIZE;
		rsp->status = STATUS_INVALID_DEVICE_REQUEST;
	}
	rsp->version = 0;
	rsp->kind = req->kind;
	rsp->hint = req->hint;
	if (rsp->status == STATUS_PENDING)
		rsp->status = STATUS_INVALID_DEVICE_REQUEST;
}

static void
response_copy(struct fs_rsp *dst, const struct fs_rsp *src)
{
	if (response_is_sound(src)) {
		memcpy(dst, src, src->size);
		return;
	}
	memset(dst, 0, FS_RSP_HEADER_SIZE);
	dst->size = FS_RSP_HEADER_SIZE;
	dst->status = STATUS_INVALID_DEVICE_REQUEST;
}

static struct pending *
pending_find(struct fsp_pending_shard *shard, uint64_t hint, uint32_t kind)
{
	list_for_each(l, &shard->requests) {
		struct pending *p = list_entry(l, struct pending, link);
		if (p->hint == hint && p->kind == kind)
			return p;
	}
	return NULL;
}

/* Under the shard's lock. The first answer counts. */
static void
pending_answer(struct pending *p, const struct fs_rsp *src)
{
	if (p->state == WAITING) {
		response_copy(p->rsp, src);
		p->state = ANSWERED;
		cond_signal(&p->answered);
	} else if (p->state == WORKING && !p->early) {
		size_t size = response_is_sound(src) ? src->size : FS_RSP_HEADER_SIZE;

		p->early = malloc(MAX(size, sizeof(struct fs_rsp)));
		if (p->early)
			response_copy(p->early, src);
	}
}

VOID
FspFileSystemSendResponse(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_RSP *Response)
{
	struct fsp_pending_shard *shard = shard_of(fsp_of(FileSystem), Response->Hint);
	struct pending *p;

	if (FileSystem->DebugLog)
		fsp_debug_response(FileSystem, Response);
	mutex_lock(&shard->lock);
	p = pending_find(shard, Response->Hint, Response->Kind);
	if (p)
		pending_answer(p, (const struct fs_rsp *)Response);
	mutex_unlock(&shard->lock);
}

/* Waits for the answer; after a stop only so long, so that a program that forgot a request cannot
 * keep its own volume from going away. */
static void
pending_wait(struct fsp *fsp, struct fsp_pending_shard *shard, struct pending *p)
	REQUIRES(shard->lock)
{
	p->state = WAITING;
	if (p->early)
		pending_answer(p, p->early);
	while (p->state != ANSWERED) {
		uint64_t stop_ns = atomic_load(&fsp->stop_ns);

		if (stop_ns == 0) {
			cond_wait(&p->answered, &shard->lock);
		} else if (!cond_wait_until(&p->answered, &shard->lock, stop_ns) &&
			   p->state != ANSWERED) {
			p->rsp->status = STATUS_CANCELLED;
			p->state = ANSWERED;
		}
	}
}

static void
pending_begin(struct fsp_pending_shard *shard, struct pending *p, const struct fs_req *req,
	      struct fs_rsp *rsp)
{
	*p = (struct pending){.hint = req->hint, .kind = req->kind, .rsp = rsp};
	mutex_lock(&shard->lock);
	list_insert(&shard->requests, &p->link);
	mutex_unlock(&shard->lock);
}

/* st: what the handler returned. */
static void
pending_end(struct fsp *fsp, struct fsp_pending_shard *shard, struct pending *p, NTSTATUS st)
{
	mutex_lock(&shard->lock);
	if (st == STATUS_PENDING) {
		cond_init(&p->answered);
		pending_wait(fsp, shard, p);
		cond_fini(&p->answered);
	} else {
		p->rsp->status = st;
	}
	list_remove(&p->link);
	mutex_unlock(&shard->lock);
	free(p->early);
}

FSP_FILE_SYSTEM_OPERATION_CONTEXT *
FspFileSystemGetOperationContext(VOID)
{
	return operation.Request ? &operation : NULL;
}

static FSP_FILE_SYSTEM_OPERATION *
operation_of(FSP_FILE_SYSTEM *FileSystem, uint32_t kind)
{
	return kind < FspFsctlTransactKindCount ? FileSystem->Operations[kind]
						: fsp_ext_operation(kind);
}

static NTSTATUS
run_handler(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request,
	    FSP_FSCTL_TRANSACT_RSP *Response)
{
	FSP_FILE_SYSTEM_OPERATION *handler = operation_of(FileSystem, Request->Kind);
	NTSTATUS st;

	if (!handler)
		return STATUS_INVALID_DEVICE_REQUEST;
	st = FspFileSystemEnterOperation(FileSystem, Request, Response);
	if (!NT_SUCCESS(st))
		return st;
	st = handler(FileSystem, Request, Response);
	FspFileSystemLeaveOperation(FileSystem, Request, Response);
	return st;
}

void
fsp_transact(void *program, struct fs_req *req, struct fs_rsp *rsp)
{
	struct fsp *fsp = program;
	FSP_FSCTL_TRANSACT_REQ *Request = (FSP_FSCTL_TRANSACT_REQ *)req;
	FSP_FSCTL_TRANSACT_RSP *Response = (FSP_FSCTL_TRANSACT_RSP *)rsp;
	FSP_FILE_SYSTEM_OPERATION_CONTEXT outer = operation;
	struct fsp_pending_shard *shard = shard_of(fsp, req->hint);
	struct pending p;
	NTSTATUS st;

	if (unlikely(fsp->pub.DebugLog))
		fsp_debug_request(&fsp->pub, Request);
	pending_begin(shard, &p, req, rsp);
	operation = (FSP_FILE_SYSTEM_OPERATION_CONTEXT){Request, Response};
	st = run_handler(&fsp->pub, Request, Response);
	operation = outer;
	pending_end(fsp, shard, &p, st);
	response_seal(rsp, req);
	if (unlikely(fsp->pub.DebugLog) && st != STATUS_PENDING)
		fsp_debug_response(&fsp->pub, Response);
}

BOOLEAN
FspFileSystemIsOperationCaseSensitiveF(VOID)
{
	FSP_FSCTL_TRANSACT_REQ *Request = operation.Request;

	if (!Request)
		return FALSE;
	if (Request->Kind == FspFsctlTransactCreateKind)
		return Request->Req.Create.CaseSensitive;
	if (Request->Kind == FspFsctlTransactQueryDirectoryKind)
		return Request->Req.QueryDirectory.CaseSensitive;
	return FALSE;
}

UINT32
FspFileSystemOperationProcessIdF(VOID)
{
	FSP_FSCTL_TRANSACT_REQ *Request = operation.Request;

	if (!Request)
		return 0;
	if (Request->Kind == FspFsctlTransactCreateKind)
		return FSP_FSCTL_TRANSACT_REQ_TOKEN_PID(Request->Req.Create.AccessToken);
	if (Request->Kind == FspFsctlTransactSetInformationKind &&
	    (Request->Req.SetInformation.FileInformationClass == FileRenameInformation ||
	     Request->Req.SetInformation.FileInformationClass == FileRenameInformationEx))
		return FSP_FSCTL_TRANSACT_REQ_TOKEN_PID(
			Request->Req.SetInformation.Info.Rename.AccessToken);
	return 0;
}
