/*
 * The /dev/fuse transport: one read() per request, one writev() per answer.
 *
 * There is normally one reader, because the kernel wakes waiting readers in turn, and each wake-up
 * on another CPU costs far more than the request (docs/performance.md). The keeper adds readers
 * when all of them are busy for more than a moment, and takes them away again.
 *
 * A reader blocked in read() returns when the connection ends. So where the session can end it
 * by itself (control.c), readers block, and a request costs one read. Where it cannot, and once
 * requests come by the ring, readers poll the device together with wake_fd.
 */
#include "fuse/session_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/log.h"

enum {
	/* WRITE's data begins at a page: 40 bytes of header and 40 of fuse_write_in before it. */
	IN_OFFSET = FUSEK_PAGE - 80,
	MAX_SPARE_SLOTS = 4,
	MAX_REPLY_IOV = 64,
	/* FORGETs come in batches when nobody hurries to read the first (fuse ring mode). */
	FORGET_PAUSE_MS = 2,
};

int
fusek_dev_write(struct fusek_session *s, const struct fuse_out_header *header,
		const struct iovec *iov, int n_iov)
{
	struct iovec all[MAX_REPLY_IOV + 1];

	if (n_iov > MAX_REPLY_IOV)
		return -EINVAL;
	all[0] = (struct iovec){(void *)(uintptr_t)header, sizeof(*header)};
	for (int i = 0; i < n_iov; i++)
		all[i + 1] = iov[i];
	ssize_t n;
	do
		n = unlikely(s->config.writev)
			    ? s->config.writev(s->config.io_ctx, s->dev_fd, all, n_iov + 1)
			    : writev(s->dev_fd, all, n_iov + 1);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

void
fusek_dev_start_polling(struct fusek_session *s)
{
	/* What one reader saw, another may have taken. */
	fcntl(s->dev_fd, F_SETFL, fcntl(s->dev_fd, F_GETFL) | O_NONBLOCK);
	atomic_store(&s->polls, true);
}

void
fusek_dev_abort(struct fusek_session *s)
{
	ssize_t n = s->abort_fd >= 0 ? write(s->abort_fd, "1", 1) : 0;

	(void)n; /* those who poll have been told by wake_fd */
}

bool
fusek_dev_kick(struct fusek_session *s)
{
	static _Atomic uint64_t counter; /* even, not 0, and no number the kernel would reach */
	struct fuse_notify_retrieve_out retrieve = {
		.notify_unique = FUSEK_KICK_UNIQUE | (atomic_fetch_add(&counter, 2) + 2),
		.offset = INT64_MAX / 2};
	struct fuse_out_header header = {
		.len = sizeof(header) + sizeof(retrieve), .error = FUSE_NOTIFY_RETRIEVE};
	struct iovec iov = {&retrieve, sizeof(retrieve)};

	for (int i = 0; i < FUSEK_FILES; i++) {
		retrieve.nodeid = atomic_load(&s->files[i]);
		if (retrieve.nodeid && fusek_dev_write(s, &header, &iov, 1) == 0)
			return true;
	}
	return false;
}

/* An answer in more pieces than one writev takes is gathered in the slot's own buffer. */
static int
send_gathered(struct slot *slot, const struct fuse_out_header *header, const struct iovec *iov,
	      int n_iov)
{
	size_t at = 0;

	if (!slot->out)
		return -EINVAL;
	for (int i = 0; i < n_iov; i++) {
		memmove(slot->out + at, iov[i].iov_base, iov[i].iov_len);
		at += iov[i].iov_len;
	}
	struct iovec one = {slot->out, at};
	return fusek_dev_write(slot->session, header, &one, 1);
}

static int
dev_send(struct slot *slot, const struct fuse_out_header *header, const struct iovec *iov,
	 int n_iov, bool in_place)
{
	int err = n_iov > MAX_REPLY_IOV ? send_gathered(slot, header, iov, n_iov)
					: fusek_dev_write(slot->session, header, iov, n_iov);

	if (err < 0 && err != -ENOENT) {
		/* The connection's end is no news; anything else left the caller waiting. */
		if (err != -ENODEV && err != -ENOTCONN && err != -ECONNABORTED)
			log_error("fuse", "answer to %s refused by the kernel: %s",
				  fusek_opcode_name(slot->req.opcode), strerror(-err));
		return -ENOENT;
	}
	return err;
}

static void
dev_unmap(struct slot *slot)
{
	munmap(slot->map, slot->map_size);
}

static void
dev_park(struct slot *slot)
{
	atomic_load(&slot->worker)->slot = NULL;
	atomic_store(&slot->worker, NULL);
}

static void
dev_expire(struct slot *slot, const struct fuse_out_header *header)
{
	fusek_dev_write(slot->session, header, NULL, 0);
}

/* Gives the pages of a large transfer back; the next small requests need one or two. */
static void
slot_trim(struct slot *slot)
{
	if (slot->used_large)
		madvise(slot->map, slot->map_size, MADV_DONTNEED);
	slot->used_large = false;
}

void
fusek_dev_slot_give_back(struct slot *slot)
{
	struct fusek_session *s = slot->session;

	slot_trim(slot);
	mutex_lock(&s->lock);
	/* A pinned slot may still have an interrupt callback around it: it does not come back. */
	bool keep = slot->pins == 0 && s->n_spare_slots < MAX_SPARE_SLOTS;
	if (keep) {
		s->n_spare_slots++;
		list_remove(&slot->node);
		list_insert(&s->spare_slots, &slot->node);
	}
	mutex_unlock(&s->lock);
	if (!keep)
		fusek_slot_destroy(slot);
}

const struct slot_ops fusek_dev_slot_ops = {
	.send = dev_send,
	.parked_done = fusek_dev_slot_give_back,
	.park = dev_park,
	.leaves_late_slot = true,
	.expire = dev_expire,
	.unmap = dev_unmap,
};

struct slot *
fusek_dev_slot_take_spare(struct fusek_session *s)
{
	struct slot *slot = NULL;

	mutex_lock(&s->lock);
	if (!list_empty(&s->spare_slots)) {
		slot = list_first(&s->spare_slots, struct slot, node);
		list_remove(&slot->node);
		list_insert(&s->slots, &slot->node);
		s->n_spare_slots--;
	}
	mutex_unlock(&s->lock);
	return slot;
}

static struct slot *
dev_slot_get(struct fusek_session *s)
{
	struct slot *slot = fusek_dev_slot_take_spare(s);

	if (slot)
		return slot;
	slot = fusek_slot_create(s, &fusek_dev_slot_ops);
	if (!slot)
		return NULL;
	size_t in_size = FUSEK_PAGE + ALIGN_UP(s->body_size, FUSEK_PAGE);
	size_t out_size = ALIGN_UP(s->body_size, FUSEK_PAGE);
	void *map = mmap(NULL, in_size + out_size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map == MAP_FAILED) {
		fusek_slot_destroy(slot);
		return NULL;
	}
	slot->map = map;
	slot->map_size = in_size + out_size;
	slot->in = slot->map + IN_OFFSET;
	slot->in_cap = in_size - IN_OFFSET;
	slot->out = slot->map + in_size;
	slot->out_cap = out_size;
	return slot;
}

/* Until there is something to read or the session closes. False: leave. */
static bool
wait_readable(struct fusek_session *s, int pause_ms)
{
	struct pollfd fds[] = {{.fd = s->wake_fd, .events = POLLIN},
			       {.fd = s->dev_fd, .events = POLLIN}};

	if (pause_ms)
		poll(fds, 1, pause_ms);
	if (!session_must_leave(s))
		poll(fds, 2, -1);
	return !session_must_leave(s);
}

/*
 * Retirement. excess is what the keeper saw some time ago, others may have left since: the last
 * ones that can take a request stay, whatever it says.
 */
static bool
worker_must_leave(struct worker *worker)
{
	struct pool *pool = worker->pool;
	struct fusek_session *s = worker->session;

	if (atomic_load(&pool->excess) <= 0)
		return false;
	mutex_lock(&s->lock);
	worker->leaving = atomic_load(&pool->excess) > 0 &&
			  pool->n_workers > pool->keep + pool->n_hung + pool->n_leaving;
	pool->n_leaving += worker->leaving;
	if (worker->leaving)
		atomic_fetch_sub(&pool->excess, 1);
	else
		atomic_store(&pool->excess, 0);
	mutex_unlock(&s->lock);
	return worker->leaving;
}

/* One message. Bytes, 0 to try again, or -errno when the connection is over. */
static ssize_t
read_message(struct worker *worker, struct slot *slot, int pause_ms)
{
	struct fusek_session *s = worker->session;

	atomic_fetch_add(&worker->pool->n_waiting, 1);
	/* Looked at after the count, so that the keeper either wakes us or finds nobody. */
	bool leave = session_must_leave(s) ||
		     (atomic_load(&s->polls) && !wait_readable(s, pause_ms));
	ssize_t n = leave ? 0 : read(s->dev_fd, slot->in, slot->in_cap);
	int err = n < 0 ? -errno : 0;
	atomic_fetch_sub(&worker->pool->n_waiting, 1);
	if (leave)
		return 0;
	if (n > 0)
		return n;
	/* ENOENT: the request was withdrawn while it was being copied. 0: our own /dev/null. */
	if (err == -EINTR || err == -EAGAIN || err == -ENOENT)
		return 0;
	return err ? err : -ENODEV;
}

static void
connection_over(struct fusek_session *s, int err)
{
	/* ENODEV: unmounted. ECONNABORTED: aborted by an administrator. */
	if (err != -ENODEV && err != -ECONNABORTED && err != -ENOTCONN &&
	    !session_must_leave(s))
		log_error("fuse", "%s: reading requests failed: %s", s->name, strerror(-err));
	fusek_session_gone(s);
}

/* So that no caller waits for it. */
void
fusek_dev_refuse(struct fusek_session *s, const void *bytes, size_t size)
{
	const struct fuse_in_header *in = bytes;

	if (size < sizeof(*in) || !in->unique || !fusek_opcode_has_reply(in->opcode)) {
		log_warn("fuse", "%s: malformed message of %zu bytes ignored", s->name, size);
		return;
	}
	bool known = strcmp(fusek_opcode_name(in->opcode), "?") != 0;
	struct fuse_out_header header = {
		.len = sizeof(header), .error = known ? -EIO : -ENOSYS, .unique = in->unique};
	if (known)
		log_warn("fuse", "%s: malformed %s refused", s->name, fusek_opcode_name(in->opcode));
	fusek_dev_write(s, &header, NULL, 0);
}

static void
serve(struct worker *worker, struct slot *slot, size_t size)
{
	struct fusek_session *s = worker->session;

	atomic_store_explicit(&worker->n_requests,
			      atomic_load_explicit(&worker->n_requests, memory_order_relaxed) + 1,
			      memory_order_relaxed);
	fusek_session_note_busy(s);
	slot->used_large |= size > FUSEK_MIN_BODY;
	if (fusek_decode_message(&s->layout, slot->in, size, &slot->scratch, &slot->req) < 0) {
		fusek_dev_refuse(s, slot->in, size);
		return;
	}
	atomic_store(&slot->worker, worker);
	fusek_dispatch(worker, slot);
}

void
fusek_dev_run(struct worker *worker)
{
	struct fusek_session *s = worker->session;
	int pause_ms = 0;

	while (!session_must_leave(s) && !worker_must_leave(worker)) {
		if (!worker->slot && !(worker->slot = dev_slot_get(s))) {
			log_error("fuse", "%s: no memory for a request buffer", s->name);
			poll(NULL, 0, 100);
			continue;
		}
		struct slot *slot = worker->slot;
		ssize_t n = read_message(worker, slot, pause_ms);
		pause_ms = 0;
		if (n < 0)
			connection_over(s, (int)n);
		if (n <= 0)
			continue;
		uint32_t opcode = ((const struct fuse_in_header *)(const void *)slot->in)->opcode;
		if (atomic_load(&s->ring_mode) &&
		    (opcode == FUSE_FORGET || opcode == FUSE_BATCH_FORGET))
			pause_ms = FORGET_PAUSE_MS;
		serve(worker, slot, (size_t)n);
		if (atomic_load(&worker->hung))
			break; /* a replacement was started in its place */
	}
	fusek_slot_destroy(take(&worker->slot));
}
