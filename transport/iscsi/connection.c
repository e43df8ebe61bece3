#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"
#include "transport/iscsi/session.h"

/* The connection that this thread serves */
static __thread struct iscsi_conn *mine;

bool
iscsi_conn_is_mine(const struct iscsi_conn *conn)
{
	return mine == conn;
}

void
iscsi_conn_ref(struct iscsi_conn *conn)
{
	atomic_fetch_add_explicit(&conn->n_refs, 1, memory_order_relaxed);
}

static void
free_pdus(struct list *list)
{
	list_for_each_safe(pos, tmp, list)
	{
		list_remove(pos);
		free(list_entry(pos, struct iscsi_out_pdu, out.link));
	}
}

static void
free_held(struct iscsi_conn *conn)
{
	list_for_each_safe(pos, tmp, &conn->held)
	{
		list_remove(pos);
		free(list_entry(pos, struct iscsi_held, link));
	}
}

static void
conn_free(struct iscsi_conn *conn)
{
	if (conn->source.fd >= 0)
		close(conn->source.fd);
	iscsi_commands_fini(conn);
	free_pdus(&conn->free_pdus);
	free_held(conn);
	iscsi_login_fini(&conn->login);
	buf_fini(&conn->login_answer.text);
	buf_fini(&conn->text_in);
	buf_fini(&conn->pending_text);
	free(conn->rx.buffer);
	free(conn->rx.text);
	mutex_fini(&conn->lock);
	if (conn->portal)
		iscsi_portal_unref(conn->portal);
	free(conn);
}

void
iscsi_conn_unref(struct iscsi_conn *conn)
{
	/* Pairs with the other threads' last use before their own unref. */
	if (atomic_fetch_sub_explicit(&conn->n_refs, 1, memory_order_acq_rel) == 1)
		conn_free(conn);
}

void
iscsi_conn_set_phase(struct iscsi_conn *conn, enum iscsi_phase_of_conn phase)
{
	mutex_lock(&conn->lock);
	conn->phase = phase;
	if (phase == ISCSI_CONN_LINGER)
		conn->linger_deadline_ns = clock_monotonic_ns() + ISCSI_LINGER_S * 1000000000ull;
	mutex_unlock(&conn->lock);
}

void
iscsi_conn_kill(struct iscsi_conn *conn, const char *reason)
{
	mutex_lock(&conn->lock);
	if (!conn->killed)
		conn->reason = reason;
	conn->killed = true;
	mutex_unlock(&conn->lock);
	/* An event for whoever is to become the owner; who is it already looks at killed. */
	shutdown(conn->source.fd, SHUT_RDWR);
}

void
iscsi_conn_wake(struct iscsi_conn *conn)
{
	bool post;

	mutex_lock(&conn->lock);
	post = !conn->work_queued && !conn->dead;
	conn->work_queued = conn->work_queued || post;
	mutex_unlock(&conn->lock);
	if (!post)
		return;
	iscsi_conn_ref(conn);
	iscsi_loop_post(conn->loop, &conn->work);
}

/* Teardown's last part: its tasks have ended. */
static void
conn_finish(struct iscsi_conn *conn)
{
	bool busy;

	/* A sender that is in the middle of it finds the socket shut. */
	do {
		mutex_lock(&conn->lock);
		busy = conn->tx.busy;
		mutex_unlock(&conn->lock);
		if (busy)
			sched_yield();
	} while (busy);
	iscsi_tx_fini(conn);
	if (conn->session)
		iscsi_session_end(conn);
	iscsi_portal_left(conn);
	iscsi_conn_unref(conn);
}

static void
finish_run(struct iscsi_work *work)
{
	conn_finish(container_of(work, struct iscsi_conn, finish_work));
}

/* From any thread, maybe from within complete(): the nexus cannot be destroyed here. */
static void
reset_done(void *ctx, enum scsi_tmf_response response)
{
	struct iscsi_conn *conn = ctx;

	iscsi_loop_post(conn->loop, &conn->finish_work);
}

static void
teardown(struct iscsi_conn *conn)
{
	const struct iscsi_command_filter all = {0};
	char name[80];

	mutex_lock(&conn->lock);
	conn->dead = true;
	mutex_unlock(&conn->lock);
	log_debug("iscsi", "connection ends peer=%s initiator=%s reason=\"%s\"", conn->peer,
		  iscsi_printable(conn->login.initiator, strlen(conn->login.initiator), name,
				  sizeof(name)),
		  conn->reason ? conn->reason : "closed by the peer");
	shutdown(conn->source.fd, SHUT_RDWR);
	iscsi_loop_remove(conn->loop, &conn->source);
	iscsi_commands_cancel(conn, &all);
	if (conn->session)
		scsi_tmf(conn->session->nexus, SCSI_TMF_I_T_NEXUS_RESET, 0, 0, reset_done, conn);
	else
		conn_finish(conn);
}

static bool
is_killed(struct iscsi_conn *conn)
{
	bool killed;

	mutex_lock(&conn->lock);
	killed = conn->killed;
	mutex_unlock(&conn->lock);
	return killed;
}

/* What may have come from other threads. */
static int
take_news(struct iscsi_conn *conn)
{
	bool logout_done, starved;

	mutex_lock(&conn->lock);
	logout_done = conn->logout_done;
	conn->logout_done = false;
	starved = !list_empty(&conn->starved);
	mutex_unlock(&conn->lock);
	if (conn->phase == ISCSI_CONN_WAITS)
		return iscsi_login_resume(conn);
	if (starved)
		iscsi_commands_feed(conn);
	return logout_done ? iscsi_logout_finish(conn) : 0;
}

/* One round of the owner. False: the connection is over. */
static bool
serve(struct iscsi_conn *conn)
{
	if (is_killed(conn) || take_news(conn) < 0)
		return false;
	iscsi_flush(conn);
	if (iscsi_receive(conn) == ISCSI_RECEIVED_END) {
		/* What it is told of its fault is to reach it. */
		iscsi_flush(conn);
		return false;
	}
	iscsi_flush(conn);
	return !is_killed(conn);
}

/* True: it is nobody's now. False: there is more to do. */
static bool
leave(struct iscsi_conn *conn)
{
	uint32_t events = 0;
	bool full, stay;

	mutex_lock(&conn->lock);
	full = conn->tx.n_misc >= ISCSI_MISC_LIMIT;
	/* Bytes that are read already cause no event. */
	stay = conn->again || conn->killed ||
	       (conn->rx.at < conn->rx.end && !full && conn->phase != ISCSI_CONN_WAITS);
	conn->again = false;
	if (!stay) {
		conn->owned = false;
		conn->tx.reader_waits = full;
		if (!full && conn->phase != ISCSI_CONN_WAITS)
			events |= EPOLLIN;
		if (conn->tx.blocked)
			events |= EPOLLOUT;
		iscsi_loop_arm(conn->loop, &conn->source, events);
	}
	mutex_unlock(&conn->lock);
	return !stay;
}

static bool
own(struct iscsi_conn *conn)
{
	bool ours;

	mutex_lock(&conn->lock);
	ours = !conn->owned;
	conn->owned = true;
	conn->again = !ours;
	conn->tx.blocked = conn->tx.blocked && !ours;
	mutex_unlock(&conn->lock);
	return ours;
}

static void
conn_event(struct iscsi_source *source, uint32_t events)
{
	struct iscsi_conn *conn = container_of(source, struct iscsi_conn, source);
	bool lives;

	if (!own(conn))
		return;
	mine = conn;
	do
		lives = serve(conn);
	while (lives && !leave(conn));
	mine = NULL;
	if (!lives)
		teardown(conn);
}

static void
wake_run(struct iscsi_work *work)
{
	struct iscsi_conn *conn = container_of(work, struct iscsi_conn, work);

	mutex_lock(&conn->lock);
	conn->work_queued = false;
	mutex_unlock(&conn->lock);
	conn_event(&conn->source, 0);
	iscsi_conn_unref(conn);
}

/* Why it should end by now, or NULL; *ret_ping: ask whether it is still there. */
static const char *
overdue_locked(struct iscsi_conn *conn, uint64_t now_ns, bool *ret_ping) REQUIRES(&conn->lock)
{
	uint64_t timeout_ns =
		(conn->timeout_s ? conn->timeout_s : ISCSI_TIMEOUT_DEFAULT) * 1000000000ull;
	uint64_t last_ns = atomic_load_explicit(&conn->last_rx_ns, memory_order_relaxed);

	if (conn->linger_deadline_ns && now_ns > conn->linger_deadline_ns)
		return "it did not close";
	if (conn->phase <= ISCSI_CONN_WAITS)
		return now_ns > conn->login_deadline_ns ? "the login took too long" : NULL;
	if (conn->tx.blocked_since_ns && now_ns > conn->tx.blocked_since_ns + timeout_ns)
		return "the peer does not read";
	if (conn->phase != ISCSI_CONN_FULL || !conn->timeout_s || now_ns < last_ns + timeout_ns)
		return NULL;
	if (now_ns > last_ns + 2 * timeout_ns)
		return "the peer is silent";
	*ret_ping = conn->ping_ns < last_ns;
	conn->ping_ns = now_ns;
	return NULL;
}

static void
conn_tick(struct iscsi_source *source, uint64_t now_ns)
{
	struct iscsi_conn *conn = container_of(source, struct iscsi_conn, source);
	bool ping = false;
	const char *reason;

	mutex_lock(&conn->lock);
	reason = conn->dead ? NULL : overdue_locked(conn, now_ns, &ping);
	mutex_unlock(&conn->lock);
	if (reason)
		iscsi_conn_kill(conn, reason);
	else if (ping)
		iscsi_ping(conn);
}

static void
conn_source_ref(struct iscsi_source *source)
{
	iscsi_conn_ref(container_of(source, struct iscsi_conn, source));
}

static void
conn_source_unref(struct iscsi_source *source)
{
	iscsi_conn_unref(container_of(source, struct iscsi_conn, source));
}

static const struct iscsi_source_ops conn_ops = {
	.event = conn_event,
	.tick = conn_tick,
	.ref = conn_source_ref,
	.unref = conn_source_unref,
};

static void
conn_init(struct iscsi_conn *conn, struct iscsi_portal *portal, struct iscsi_loop *loop, int fd)
{
	conn->source = (struct iscsi_source){.ops = &conn_ops, .fd = fd};
	conn->loop = loop;
	conn->portal = portal;
	iscsi_portal_ref(portal);
	atomic_init(&conn->n_refs, 1);
	mutex_init(&conn->lock);
	list_init(&conn->portal_link);
	list_init(&conn->tx.queue);
	list_init(&conn->tx.sent);
	list_init(&conn->free_pdus);
	list_init(&conn->held);
	list_init(&conn->free_commands);
	list_init(&conn->starved);
	list_init(&conn->work.link);
	list_init(&conn->finish_work.link);
	hash_init(&conn->commands);
	conn->work.run = wake_run;
	conn->finish_work.run = finish_run;
	conn->stat_sn = 1;
	conn->send_segment = ISCSI_LOGIN_SEGMENT;
	conn->text_ttt = ISCSI_TAG_NONE;
	iscsi_login_init(&conn->login, iscsi_session_lookup, conn);
	conn->last_rx_ns = clock_monotonic_ns();
	conn->login_deadline_ns = conn->last_rx_ns + ISCSI_LOGIN_TIMEOUT_S * 1000000000ull;
}

int
iscsi_conn_create(struct iscsi_portal *portal, struct iscsi_loop *loop, int fd, const char *peer,
		  const char *local)
{
	struct iscsi_conn *conn = calloc(1, sizeof(*conn));

	if (!conn) {
		close(fd);
		return -ENOMEM;
	}
	conn_init(conn, portal, loop, fd);
	snprintf(conn->peer, sizeof(conn->peer), "%s", peer);
	snprintf(conn->local, sizeof(conn->local), "%s", local);
	conn->rx.buffer = malloc(ISCSI_RX_SIZE);
	if (!conn->rx.buffer) {
		iscsi_conn_unref(conn);
		return -ENOMEM;
	}
	list_insert(&portal->conns, &conn->portal_link);
	portal->n_conns++;
	portal->n_pending++;
	int err = iscsi_loop_add(loop, &conn->source, EPOLLIN);

	if (err < 0) {
		list_remove(&conn->portal_link);
		portal->n_conns--;
		portal->n_pending--;
		iscsi_conn_unref(conn);
	}
	return err;
}

void
iscsi_conn_farewell(struct iscsi_conn *conn)
{
	struct iscsi_out_pdu *pdu = NULL;
	bool full;

	mutex_lock(&conn->lock);
	full = conn->phase == ISCSI_CONN_FULL && !conn->dead;
	if (full)
		conn->linger_deadline_ns = clock_monotonic_ns() + ISCSI_LINGER_S * 1000000000ull;
	mutex_unlock(&conn->lock);
	if (full)
		pdu = iscsi_pdu_get(conn);
	if (!pdu) {
		iscsi_conn_kill(conn, "the target goes away");
		return;
	}
	/* 11.9: no Time2Wait, no Time2Retain: nothing of the session is kept. */
	iscsi_pdu_init(pdu->bhs, ISCSI_OP_ASYNC, 0, ISCSI_TAG_NONE);
	pdu->bhs[36] = ISCSI_ASYNC_SESSION_DROP;
	pdu->closes = true;
	iscsi_send_pdu(conn, pdu);
}
