/* Slow I/O injection: what a file system on a slow device or network looks like. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "examples/memfs/memfs.h"

/* An operation that will be completed later, by a thread of its own. */
struct deferred {
	struct memfs *memfs;
	UINT64 hint;
	UINT32 kind;
	UINT32 delay_ms;
	UINT64 marker;
	FSP_FSCTL_TRANSACT_REQ request; /* its header; names are not needed later */
};

static _Thread_local bool is_late; /* this thread completes a deferred operation */
static _Thread_local unsigned seed;

static uint32_t
random_below(uint32_t n)
{
	if (!seed)
		seed = (unsigned)(uintptr_t)&seed ^ (unsigned)time(NULL);
	return n ? (uint32_t)rand_r(&seed) % n : 0;
}

void
slowio_init(struct slowio *s, const struct memfs_params *params)
{
	*s = (struct slowio){.max_delay_ms = params->max_delay_ms,
			     .percent_delay = params->percent_delay,
			     .rarefy_delay = params->rarefy_delay};
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->idle, NULL);
}

void
slowio_fini(struct slowio *s)
{
	pthread_mutex_lock(&s->lock);
	while (s->n_running)
		pthread_cond_wait(&s->idle, &s->lock);
	pthread_mutex_unlock(&s->lock);
	pthread_cond_destroy(&s->idle);
	pthread_mutex_destroy(&s->lock);
}

static void
snooze(uint32_t ms)
{
	struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	nanosleep(&ts, NULL);
}

static PVOID
context_of(const FSP_FSCTL_TRANSACT_REQ *request)
{
	return (PVOID)(uintptr_t)request->Req.Read.UserContext;
}

static NTSTATUS
perform(struct memfs *memfs, const struct deferred *d, FSP_FSCTL_TRANSACT_RSP *response)
{
	const FSP_FSCTL_TRANSACT_REQ *q = &d->request;
	ULONG bytes = 0;
	NTSTATUS st;

	switch (d->kind) {
	case FspFsctlTransactReadKind:
		st = memfs_read(memfs->fs, context_of(q), (PVOID)(uintptr_t)q->Req.Read.Address,
				q->Req.Read.Offset, q->Req.Read.Length, &bytes);
		break;
	case FspFsctlTransactWriteKind:
		st = memfs_write(memfs->fs, context_of(q), (PVOID)(uintptr_t)q->Req.Write.Address,
				 q->Req.Write.Offset, q->Req.Write.Length,
				 q->Req.Write.Offset == UINT64_MAX, q->Req.Write.ConstrainedIo,
				 &bytes, &response->Rsp.Write.FileInfo);
		break;
	default: {
		UINT64 marker = d->marker;

		st = memfs_read_directory(memfs->fs, context_of(q), NULL,
					  marker ? (PWSTR)(void *)&marker : NULL,
					  (PVOID)(uintptr_t)q->Req.QueryDirectory.Address,
					  q->Req.QueryDirectory.Length, &bytes);
		break;
	}
	}
	response->IoStatus.Information = bytes;
	return st;
}

static void *
late(void *arg)
{
	struct deferred *d = arg;
	struct memfs *memfs = d->memfs;
	FSP_FSCTL_TRANSACT_RSP response;

	snooze(d->delay_ms);
	is_late = true;
	memset(&response, 0, sizeof(response));
	response.Size = sizeof(response);
	response.Kind = d->kind;
	response.Hint = d->hint;
	response.IoStatus.Status = (UINT32)perform(memfs, d, &response);
	FspFileSystemSendResponse(memfs->fs, &response);
	free(d);
	pthread_mutex_lock(&memfs->slowio.lock);
	if (--memfs->slowio.n_running == 0)
		pthread_cond_signal(&memfs->slowio.idle);
	pthread_mutex_unlock(&memfs->slowio.lock);
	return NULL;
}

static struct deferred *
deferred_create(struct memfs *memfs, uint32_t delay_ms)
{
	FSP_FILE_SYSTEM_OPERATION_CONTEXT *op = FspFileSystemGetOperationContext();
	struct deferred *d = op ? calloc(1, sizeof(*d)) : NULL;

	if (!d)
		return NULL;
	d->memfs = memfs;
	d->delay_ms = delay_ms;
	d->hint = op->Request->Hint;
	d->kind = op->Request->Kind;
	memcpy(&d->request, op->Request, sizeof(d->request));
	if (d->kind == FspFsctlTransactQueryDirectoryKind &&
	    d->request.Req.QueryDirectory.Marker.Size)
		memcpy(&d->marker,
		       op->Request->Buffer + d->request.Req.QueryDirectory.Marker.Offset,
		       sizeof(d->marker));
	return d;
}

bool
slowio_defer(struct memfs *memfs)
{
	struct slowio *s = &memfs->slowio;
	pthread_attr_t attr;
	pthread_t thread;

	if (s->max_delay_ms == 0 || is_late)
		return false;
	uint32_t delay = random_below(s->max_delay_ms + 1) >> random_below(s->rarefy_delay + 1);
	if (random_below(100) >= s->percent_delay) {
		snooze(delay);
		return false;
	}
	struct deferred *d = deferred_create(memfs, delay);
	if (!d)
		return false;
	pthread_mutex_lock(&s->lock);
	s->n_running++;
	pthread_mutex_unlock(&s->lock);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	int err = pthread_create(&thread, &attr, late, d);
	pthread_attr_destroy(&attr);
	if (err) {
		free(d);
		pthread_mutex_lock(&s->lock);
		s->n_running--;
		pthread_mutex_unlock(&s->lock);
	}
	return err == 0;
}
