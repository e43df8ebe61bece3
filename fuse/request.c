/* Dispatch of requests to handlers, and their answers. */
#include "fuse/session_priv.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include "base/clock.h"
#include "base/log.h"

/* The kernel refuses an answer with an error outside 1..511 and lets the caller wait forever. */
enum { ERRNO_MAX_ON_WIRE = 511 };

/* How long an interrupt waits for its request before it is taken for a late one. */
enum { EARLY_INTERRUPT_NS = 100000000 };

static bool
claim_for_owner(struct slot *slot)
{
	uint64_t old = atomic_load(&slot->claim);

	return (old & CLAIM_MASK) == CLAIM_OPEN &&
	       atomic_compare_exchange_strong(&slot->claim, &old,
					      (old & ~(uint64_t)CLAIM_MASK) | CLAIM_ANSWERED);
}

/* After this no interrupt callback of the request runs, except around the caller itself. */
static void
unwatch(struct slot *slot)
{
	mutex_lock(&slot->lock);
	slot->on_interrupt = NULL;
	while (slot->callback_runs && !pthread_equal(slot->callback_thread, pthread_self()))
		cond_wait(&slot->changed, &slot->lock);
	mutex_unlock(&slot->lock);
}

/* Ring mode: fusek_dev_kick needs a regular file that the kernel knows. */
static void
note_file(struct fusek_session *s, const struct fusek_req *req, const struct iovec *iov)
{
	uint64_t nodeid = req->opcode == FUSE_OPEN ? req->nodeid : 0;

	if ((req->opcode == FUSE_LOOKUP || req->opcode == FUSE_CREATE) &&
	    iov->iov_len >= sizeof(struct fuse_entry_out)) {
		const struct fuse_entry_out *entry = iov->iov_base;
		if (S_ISREG(entry->attr.mode))
			nodeid = entry->nodeid;
	}
	if (!nodeid)
		return;
	unsigned int i = atomic_load_explicit(&s->next_file, memory_order_relaxed);
	if (atomic_load_explicit(&s->files[(i + FUSEK_FILES - 1) % FUSEK_FILES],
				 memory_order_relaxed) == nodeid)
		return;
	atomic_store_explicit(&s->files[i % FUSEK_FILES], nodeid, memory_order_relaxed);
	atomic_store_explicit(&s->next_file, i + 1, memory_order_relaxed);
}

/* The request is answered. The slot may be gone afterwards. */
static void
let_go(struct slot *slot, bool parked)
{
	if (slot->session->config.late_replies)
		parked = atomic_fetch_or(&slot->hand, HAND_REPLIED) & HAND_RETURNED;
	if (parked)
		slot->ops->parked_done(slot);
}

static int
finish(struct fusek_req *req, int err, const struct iovec *iov, int n_iov, size_t size,
       bool in_place)
{
	struct slot *slot = slot_of(req);
	bool parked = slot->parked;
	int ret = -ENOENT;

	if (!fusek_opcode_has_reply(req->opcode)) {
		fusek_reply_none(req);
		return 0;
	}

	if (slot->watched)
		unwatch(slot);
	if (n_iov > 0 && atomic_load_explicit(&slot->session->ring_mode, memory_order_relaxed))
		note_file(slot->session, req, iov);
	if (claim_for_owner(slot)) {
		struct fuse_out_header header = {
			.len = (uint32_t)(sizeof(header) + size),
			.error = -err,
			.unique = req->unique,
		};
		ret = slot->ops->send(slot, &header, iov, n_iov, in_place);
	}
	let_go(slot, parked);
	return ret;
}

void
fusek_reply_none(struct fusek_req *req)
{
	struct slot *slot = slot_of(req);
	bool parked = slot->parked;

	if (!slot->ops->leaves_late_slot && fusek_opcode_has_reply(req->opcode)) {
		fusek_reply_err(req, EIO); /* the entry has to be committed with something */
		return;
	}
	if (slot->watched)
		unwatch(slot);
	claim_for_owner(slot);
	let_go(slot, parked);
}

int
fusek_reply_err(struct fusek_req *req, int err)
{
	if (err < 0 || err > ERRNO_MAX_ON_WIRE) {
		log_warn("fuse", "%s answered with impossible error %d, EIO sent",
			 fusek_opcode_name(req->opcode), err);
		err = EIO;
	}
	return finish(req, err, NULL, 0, 0, false);
}

int
fusek_reply_iov(struct fusek_req *req, const struct iovec *iov, int n_iov)
{
	size_t size = 0;

	for (int i = 0; i < n_iov; i++)
		size += iov[i].iov_len;
	if (size > req->out_cap) {
		log_error("fuse", "%s answered with %zu bytes, limit %u", fusek_opcode_name(req->opcode),
			  size, req->out_cap);
		return fusek_reply_err(req, EIO);
	}
	return finish(req, 0, iov, n_iov, size, false);
}

int
fusek_reply(struct fusek_req *req, const void *data, size_t size)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};

	return fusek_reply_iov(req, &iov, size ? 1 : 0);
}

int
fusek_reply_in_place(struct fusek_req *req, size_t size)
{
	struct iovec iov = {.iov_base = req->out, .iov_len = size};

	if (size > req->out_cap) {
		log_error("fuse", "%s answered with %zu bytes in place, limit %u",
			  fusek_opcode_name(req->opcode), size, req->out_cap);
		return fusek_reply_err(req, EIO);
	}
	return finish(req, 0, &iov, size ? 1 : 0, size, true);
}

void
fusek_req_park(struct fusek_req *req)
{
	struct slot *slot = slot_of(req);

	slot->parked = true;
	slot->ops->park(slot);
}

bool
fusek_req_interrupted(struct fusek_req *req)
{
	struct slot *slot = slot_of(req);

	return atomic_load(&slot->interrupted) == req->unique ||
	       (atomic_load(&slot->claim) & CLAIM_MASK) == CLAIM_EXPIRED;
}

void
fusek_req_on_interrupt(struct fusek_req *req, void (*fn)(void *arg), void *arg)
{
	struct slot *slot = slot_of(req);

	if (!fn) {
		unwatch(slot);
		return;
	}
	slot->watched = true;
	mutex_lock(&slot->lock);
	bool now = fusek_req_interrupted(req);
	if (!now) {
		slot->on_interrupt = fn;
		slot->on_interrupt_arg = arg;
	}
	mutex_unlock(&slot->lock);
	if (now)
		fn(arg);
}

static void
forget_batch(struct fusek_session *s, struct fusek_req *req)
{
	const struct fuse_forget_one *one = req->data;
	size_t n = req->data_size / sizeof(*one);

	for (size_t i = 0; i < n; i++)
		s->ops.forget(s->ctx, one[i].nodeid, one[i].nlookup);
}

static void
remember_early_interrupt(struct fusek_session *s, uint64_t unique)
{
	mutex_lock(&s->lock);
	int n = atomic_load(&s->n_early);
	if (n == FUSEK_EARLY_INTERRUPTS)
		memmove(s->early, s->early + 1, sizeof(s->early[0]) * (size_t)--n);
	s->early[n].unique = unique;
	s->early[n].until_ns = clock_monotonic_ns() + EARLY_INTERRUPT_NS;
	atomic_store(&s->n_early, n + 1);
	mutex_unlock(&s->lock);
}

/* An INTERRUPT can overtake its request: the two come by different ways on the ring. */
static void
take_early_interrupt(struct fusek_session *s, struct slot *slot)
{
	uint64_t now = clock_monotonic_ns();
	bool found = false;
	int n_left = 0;

	mutex_lock(&s->lock);
	int n = atomic_load(&s->n_early);
	for (int i = 0; i < n; i++) {
		if (s->early[i].unique == slot->req.unique)
			found = true;
		else if (s->early[i].until_ns > now)
			s->early[n_left++] = s->early[i];
	}
	atomic_store(&s->n_early, n_left);
	mutex_unlock(&s->lock);
	if (found)
		fusek_slot_interrupt(slot, slot->req.unique);
}

/*
 * A request that no slot holds is either answered already (then the kernel does not find the
 * interrupt either) or read but not dispatched yet: EAGAIN makes the kernel send the INTERRUPT
 * again. The kernel cannot do that for ring requests, so those are remembered.
 */
static void
handle_interrupt(struct fusek_session *s, struct fusek_req *req)
{
	uint64_t unique = ((const struct fuse_interrupt_in *)req->arg)->unique;

	if (fusek_session_interrupt(s, unique))
		return;
	if (atomic_load(&s->ring_mode)) {
		remember_early_interrupt(s, unique);
		fusek_session_interrupt(s, unique);
		return;
	}
	struct fuse_out_header header = {
		.len = sizeof(header), .error = -EAGAIN, .unique = req->unique};
	int err = fusek_dev_write(s, &header, NULL, 0);
	if (err < 0 && err != -ENOENT)
		log_debug("fuse", "interrupt of unknown request unique=%llu err=%d",
			  (unsigned long long)unique, err);
}

/* fusek_dev_kick asked for it. */
static bool
is_kick(const struct fusek_req *req)
{
	return req->opcode == FUSE_NOTIFY_REPLY && req->unique & FUSEK_KICK_UNIQUE;
}

/* Operations that are the session's own. True when the request was one. */
static bool
dispatch_own(struct worker *worker, struct slot *slot)
{
	struct fusek_session *s = slot->session;
	struct fusek_req *req = &slot->req;

	if (is_kick(req))
		return true;
	if (!fusek_opcode_has_reply(req->opcode) && s->ops.op[req->opcode])
		return false;
	switch (req->opcode) {
	case FUSE_FORGET:
		if (s->ops.forget)
			s->ops.forget(s->ctx, req->nodeid,
				      ((const struct fuse_forget_in *)req->arg)->nlookup);
		return true;
	case FUSE_BATCH_FORGET:
		if (s->ops.forget)
			forget_batch(s, req);
		return true;
	case FUSE_INTERRUPT:
		handle_interrupt(s, req);
		return true;
	case FUSE_NOTIFY_REPLY:
		return true;
	case FUSE_INIT:
		fusek_init_handle(worker, slot);
		return true;
	}
	return false;
}

static void
open_slot(struct fusek_session *s, struct slot *slot)
{
	uint64_t generation = (atomic_load(&slot->claim) & ~(uint64_t)CLAIM_MASK) + CLAIM_MASK + 1;

	slot->parked = slot->watched = slot->owner_done = false;
	slot->req.session = s;
	slot->req.out = slot->out;
	slot->req.out_cap = (uint32_t)slot->out_cap;
	if (s->config.deadline_ms)
		atomic_store(&slot->started_ns, clock_monotonic_ns());
	atomic_store_explicit(&slot->hand, 0, memory_order_relaxed);
	atomic_store(&slot->unique, slot->req.unique);
	atomic_store(&slot->claim, generation | CLAIM_OPEN);
	if (unlikely(atomic_load(&s->n_early) > 0))
		take_early_interrupt(s, slot);
}

/* The handler has returned. What it did not answer is in somebody else's hands now. */
static void
leave_to_replier(struct worker *worker, struct slot *slot)
{
	const struct slot_ops *ops = slot->ops;

	if (ops->leaves_late_slot)
		atomic_store_explicit(&slot->worker, NULL, memory_order_relaxed);
	if (atomic_fetch_or(&slot->hand, HAND_RETURNED) & HAND_REPLIED)
		return;
	if (ops->leaves_late_slot) {
		worker->slot = NULL;
		return;
	}
	slot->parked = true;
	ops->park(slot);
}

void
fusek_dispatch(struct worker *worker, struct slot *slot)
{
	struct fusek_session *s = slot->session;
	struct fusek_req *req = &slot->req;

	log_debug("fuse", "%s unique=%llu node=%llu", fusek_opcode_name(req->opcode),
		  (unsigned long long)req->unique, (unsigned long long)req->nodeid);
	if (dispatch_own(worker, slot))
		return;
	fusek_handler *handler = s->ops.op[req->opcode];
	open_slot(s, slot);
	if (unlikely(atomic_load(&s->stopping)))
		fusek_reply_err(req, ENOTCONN);
	else if (handler)
		handler(s->ctx, req);
	else
		fusek_reply_err(req, req->opcode == FUSE_DESTROY ? 0 : ENOSYS);

	if (s->config.late_replies) {
		leave_to_replier(worker, slot);
		return;
	}
	/* A parked slot may be gone already; worker->slot tells without touching it. */
	if (worker->slot != slot || slot->parked || !slot_is_open(slot))
		return;
	log_error("fuse", "%s handler returned without answer", fusek_opcode_name(req->opcode));
	fusek_reply_err(req, EIO);
}
