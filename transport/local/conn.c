#include "transport/local/conn.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

int
local_thread_start(pthread_t *thread, void *(*run)(void *), void *arg)
{
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(thread, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -err;
}

/* ---------------------------------------------------------------- writing */

static bool
is_sent(const struct local_message *m)
{
	return m->n_sent == m->n_head + m->n_data;
}

/* What the socket takes; 0 or -errno, -EAGAIN with MSG_DONTWAIT. */
static int
send_some(int fd, struct local_message *m, int flags)
{
	while (!is_sent(m)) {
		size_t in_head = MIN(m->n_sent, m->n_head), in_data = m->n_sent - in_head;
		struct iovec iov[2] = {
			{m->head + in_head, m->n_head - in_head},
			/* No arithmetic on data that is not there. */
			{in_data ? (char *)(uintptr_t)m->data + in_data : (void *)(uintptr_t)m->data,
			 m->n_data - in_data}};
		struct msghdr msg = {.msg_iov = iov, .msg_iovlen = ARRAY_SIZE(iov)};
		ssize_t n = sendmsg(fd, &msg, flags | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		m->n_sent += (size_t)n;
	}
	return 0;
}

void
local_conn_give_place(struct local_conn *c, size_t n_bytes)
{
	mutex_lock(&c->lock);
	c->n_places--;
	c->n_bytes -= n_bytes;
	cond_broadcast(&c->changed);
	mutex_unlock(&c->lock);
}

/* The request is no more. Its place is given back last: fini waits for that. */
static void
release(struct local_conn *c, struct local_message *m)
{
	size_t n_bytes = m->n_bytes;

	m->release(m);
	local_conn_give_place(c, n_bytes);
}

void
local_conn_answer(struct local_conn *c, struct local_message *m)
{
	bool done;

	mutex_lock(&c->lock);
	if (!c->broken && !c->writing && list_empty(&c->out)) {
		int err = send_some(c->fd, m, MSG_DONTWAIT);

		c->broken = err < 0 && err != -EAGAIN;
	}
	done = c->broken || is_sent(m);
	if (!done) {
		list_insert(&c->out, &m->link);
		cond_broadcast(&c->changed);
	}
	mutex_unlock(&c->lock);
	if (done)
		release(c, m);
}

/* The next message, or NULL at the end. */
static struct local_message *
next_message(struct local_conn *c)
{
	struct local_message *m = NULL;

	mutex_lock(&c->lock);
	c->writing = false;
	while (list_empty(&c->out) && !c->ending)
		cond_wait(&c->changed, &c->lock);
	if (!list_empty(&c->out)) {
		m = list_first(&c->out, struct local_message, link);
		list_remove(&m->link);
		c->writing = true;
	}
	mutex_unlock(&c->lock);
	return m;
}

static bool
is_broken(struct local_conn *c)
{
	bool broken;

	mutex_lock(&c->lock);
	broken = c->broken;
	mutex_unlock(&c->lock);
	return broken;
}

static void *
writer(void *arg)
{
	struct local_conn *c = arg;
	struct local_message *m;

	while ((m = next_message(c))) {
		if (!is_broken(c) && send_some(c->fd, m, 0) < 0)
			local_conn_break(c);
		release(c, m);
	}
	return NULL;
}

/* ---------------------------------------------------------------- life */

int
local_conn_init(struct local_conn *c, int fd)
{
	int err;

	*c = (struct local_conn){.fd = fd};
	mutex_init(&c->lock);
	cond_init(&c->changed);
	list_init(&c->out);
	err = local_thread_start(&c->writer, writer, c);
	if (err < 0) {
		close_fd(&c->fd);
		cond_fini(&c->changed);
		mutex_fini(&c->lock);
	}
	return err;
}

void
local_conn_break(struct local_conn *c)
{
	mutex_lock(&c->lock);
	c->broken = true;
	shutdown(c->fd, SHUT_RDWR);
	cond_broadcast(&c->changed);
	mutex_unlock(&c->lock);
}

void
local_conn_wait(struct local_conn *c)
{
	mutex_lock(&c->lock);
	while (c->n_places > 0)
		cond_wait(&c->changed, &c->lock);
	mutex_unlock(&c->lock);
}

void
local_conn_fini(struct local_conn *c)
{
	local_conn_wait(c);
	mutex_lock(&c->lock);
	c->ending = true;
	cond_broadcast(&c->changed);
	mutex_unlock(&c->lock);
	pthread_join(c->writer, NULL);
	close_fd(&c->fd);
	cond_fini(&c->changed);
	mutex_fini(&c->lock);
}

int
local_conn_read(struct local_conn *c, void *dst, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t got = recv(c->fd, (char *)dst + done, n - done, MSG_WAITALL);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return done ? -EPIPE : -ENODATA;
		done += (size_t)got;
	}
	return 0;
}

bool
local_conn_take_place(struct local_conn *c, size_t n_bytes)
{
	bool ok;

	mutex_lock(&c->lock);
	while (!c->broken && c->n_places > 0 &&
	       (c->n_places >= LOCAL_DEPTH_MAX || c->n_bytes + n_bytes > LOCAL_CONN_BYTES_MAX))
		cond_wait(&c->changed, &c->lock);
	ok = !c->broken;
	if (ok) {
		c->n_places++;
		c->n_bytes += n_bytes;
	}
	mutex_unlock(&c->lock);
	return ok;
}

bool
local_conn_grow(struct local_conn *c, size_t n_bytes)
{
	bool ok;

	mutex_lock(&c->lock);
	ok = c->n_places <= 1 || c->n_bytes + n_bytes <= LOCAL_CONN_BYTES_MAX;
	if (ok)
		c->n_bytes += n_bytes;
	mutex_unlock(&c->lock);
	return ok;
}

int
local_conn_greet(struct local_conn *c, const void *bytes, uint32_t n)
{
	struct local_message m = {.n_head = LOCAL_LENGTH_SIZE, .data = bytes, .n_data = n};

	put_le32(m.head, n);
	return send_some(c->fd, &m, 0);
}
