#include "base/control.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/os/posix/runtime_dir.h"
#include "base/status/errno.h"

struct control_server {
	const struct control_ops *ops;
	void *ctx;
	int listen_fd, stop_fd;
	pthread_t thread;
	struct sockaddr_un address;
};

/* A connection with the time it may take; non-blocking, so only conn_wait waits. */
struct conn {
	int fd;
	int stop_fd; /* readable: give up; -1: none */
	uint64_t deadline_ns;
};

static uint64_t
deadline_in(int ms)
{
	return clock_monotonic_ns() + (uint64_t)MAX(ms, 0) * 1000000u;
}

static int
conn_wait(const struct conn *c, short events)
{
	for (;;) {
		struct pollfd fds[] = {{.fd = c->fd, .events = events},
				       {.fd = c->stop_fd, .events = POLLIN}};
		uint64_t now = clock_monotonic_ns();

		if (now >= c->deadline_ns)
			return -ETIMEDOUT;
		uint64_t left_ms = (c->deadline_ns - now) / 1000000u + 1;
		if (poll(fds, 2, (int)MIN(left_ms, INT_MAX)) < 0 && errno != EINTR)
			return -errno;
		if (fds[1].revents)
			return -ECANCELED;
		if (fds[0].revents)
			return 0;
	}
}

static int
conn_send(const struct conn *c, const char *bytes, size_t n)
{
	while (n > 0) {
		int err = conn_wait(c, POLLOUT);
		if (err)
			return err;
		ssize_t sent = send(c->fd, bytes, n, MSG_NOSIGNAL);
		if (sent < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (sent > 0) {
			bytes += sent;
			n -= (size_t)sent;
		}
	}
	return 0;
}

/* The count, 0 at the end of the stream, or -errno. */
static ssize_t
conn_recv(const struct conn *c, char *dst, size_t cap)
{
	for (;;) {
		int err = conn_wait(c, POLLIN);
		if (err)
			return err;
		ssize_t n = recv(c->fd, dst, cap, 0);
		if (n >= 0)
			return n;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
	}
}

/* Server */

static bool
peer_is_allowed(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return false;
	if (peer.uid == 0 || peer.uid == geteuid())
		return true;
	log_warn("control", "refused a peer pid=%d uid=%u", (int)peer.pid,
		 (unsigned)peer.uid);
	return false;
}

static int
receive_verb(const struct conn *c, char verb[CONTROL_VERB_MAX + 1])
{
	size_t n = 0;

	for (;;) {
		/* A byte more than the longest verb: its newline. */
		ssize_t got = conn_recv(c, verb + n, CONTROL_VERB_MAX + 1 - n);
		if (got <= 0)
			return got < 0 ? (int)got : -EPROTO;
		char *end = memchr(verb + n, '\n', (size_t)got);
		n += (size_t)got;
		if (end) {
			*end = 0;
			return 0;
		}
		if (n > CONTROL_VERB_MAX)
			return -EMSGSIZE;
	}
}

static void
put_error(struct buf *json, int err)
{
	const char *name = errno_name(-err);

	buf_clear(json);
	buf_printf(json, "{\"error\":");
	buf_json_string(json, name ? name : "EIO");
	buf_printf(json, "}\n");
}

static void
serve_peer(struct control_server *server, int fd)
{
	struct conn c = {fd, server->stop_fd, deadline_in(CONTROL_PEER_MS)};
	CLEANUP(buf_fini) struct buf json = BUF_INIT;
	char verb[CONTROL_VERB_MAX + 1];
	int err;

	if (!peer_is_allowed(fd))
		return;
	err = receive_verb(&c, verb);
	if (err == -EPROTO || err == -ECANCELED || err == -ETIMEDOUT)
		return;
	if (err == 0)
		err = server->ops->handle(server->ctx, verb, &json);
	if (err == 0)
		err = buf_error(&json);
	if (err)
		put_error(&json, err);
	c.deadline_ns = deadline_in(CONTROL_PEER_MS);
	err = conn_send(&c, buf_str(&json), json.n);
	if (err)
		log_debug("control", "a peer did not take its answer error=%d", -err);
}

static void *
serve(void *arg)
{
	struct control_server *server = arg;

	for (;;) {
		struct pollfd fds[] = {{.fd = server->stop_fd, .events = POLLIN},
				       {.fd = server->listen_fd, .events = POLLIN}};

		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[0].revents)
			return NULL;
		CLEANUP(close_fd)
		int fd = accept4(server->listen_fd, NULL, NULL,
				 SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0) {
			serve_peer(server, fd);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
			/* The peer stays in the queue: do not spin on it. */
			poll(fds, 1, 100);
		}
	}
}

static int
set_address(struct sockaddr_un *address, const char *path)
{
	size_t n = strlen(path);

	if (n >= sizeof(address->sun_path))
		return -ENAMETOOLONG;
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(address->sun_path, path, n);
	return 0;
}

static int
choose_address(struct sockaddr_un *address)
{
	static _Atomic unsigned n_servers; /* alone: only numbers the sockets */
	char dir[PATH_MAX], path[PATH_MAX + 32];
	int err = runtime_subdir("control", dir, sizeof(dir));

	if (err)
		return err;
	snprintf(path, sizeof(path), "%s/%d-%u.sock", dir, (int)getpid(),
		 atomic_fetch_add(&n_servers, 1));
	return set_address(address, path);
}

static int
open_sockets(struct control_server *server)
{
	const char *path = server->address.sun_path;

	server->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	server->listen_fd =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (server->stop_fd < 0 || server->listen_fd < 0)
		return -errno;
	/* Left by a process that had our number before. */
	unlink(path);
	if (bind(server->listen_fd, (struct sockaddr *)&server->address,
		 sizeof(server->address)) < 0)
		return -errno;
	if (chmod(path, 0600) < 0 || listen(server->listen_fd, 16) < 0) {
		int err = -errno;
		unlink(path);
		return err;
	}
	return 0;
}

static int
start_thread(struct control_server *server)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = -pthread_create(&server->thread, NULL, serve, server);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err)
		unlink(server->address.sun_path);
	return err;
}

static void
free_server(struct control_server *server)
{
	close_fd(&server->listen_fd);
	close_fd(&server->stop_fd);
	free(server);
}

int
control_server_start(const struct control_ops *ops, void *ctx,
		     struct control_server **ret_server)
{
	struct control_server *server = calloc(1, sizeof(*server));
	int err;

	if (!server)
		return -ENOMEM;
	server->ops = ops;
	server->ctx = ctx;
	server->listen_fd = server->stop_fd = -1;
	err = choose_address(&server->address);
	if (err == 0)
		err = open_sockets(server);
	if (err == 0)
		err = start_thread(server);
	if (err) {
		free_server(server);
		return err;
	}
	*ret_server = server;
	return 0;
}

const char *
control_server_path(const struct control_server *server)
{
	return server->address.sun_path;
}

void
control_server_stop(struct control_server *server)
{
	if (!server)
		return;
	eventfd_write(server->stop_fd, 1);
	pthread_join(server->thread, NULL);
	unlink(server->address.sun_path);
	free_server(server);
}

/* Client */

/* "PID-N.sock" and nothing else; 0 for another name. */
static pid_t
pid_of_socket(const char *name)
{
	int pid, end = 0;
	unsigned number;

	if (name[0] < '1' || name[0] > '9' ||
	    sscanf(name, "%9d-%9u.sock%n", &pid, &number, &end) != 2 || end == 0 ||
	    name[end])
		return 0;
	return pid;
}

int
control_list(int (*visit)(void *ctx, pid_t pid, const char *path), void *ctx)
{
	char dir[PATH_MAX], path[PATH_MAX + NAME_MAX + 2];
	int err = runtime_subdir("control", dir, sizeof(dir));
	DIR *stream;

	if (err)
		return err;
	stream = opendir(dir);
	if (!stream)
		return -errno;
	for (struct dirent *entry; err == 0 && (entry = readdir(stream));) {
		pid_t pid = pid_of_socket(entry->d_name);
		if (pid == 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		if (kill(pid, 0) < 0 && errno == ESRCH)
			unlink(path);
		else
			err = visit(ctx, pid, path);
	}
	closedir(stream);
	return err;
}

static bool
is_verb(const char *verb)
{
	size_t n = strlen(verb);

	return n > 0 && n <= CONTROL_VERB_MAX && !strchr(verb, '\n');
}

/* A full queue answers EAGAIN at once and cannot be polled for: tries again. */
static int
conn_connect(const struct conn *c, const struct sockaddr_un *address)
{
	while (connect(c->fd, (const struct sockaddr *)address, sizeof(*address)) < 0) {
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		if (clock_monotonic_ns() >= c->deadline_ns)
			return -ETIMEDOUT;
		poll(NULL, 0, 10);
	}
	return 0;
}

static int
receive_reply(const struct conn *c, struct buf *reply)
{
	char part[4096];
	ssize_t n;

	while ((n = conn_recv(c, part, sizeof(part))) > 0) {
		if (reply->n + (size_t)n > CONTROL_REPLY_MAX)
			return -EMSGSIZE;
		buf_add(reply, part, (size_t)n);
	}
	if (n < 0)
		return (int)n;
	return reply->n == 0 ? -EPROTO : buf_error(reply);
}

int
control_call(const char *path, const char *verb, int timeout_ms, struct buf *reply)
{
	struct sockaddr_un address;
	char line[CONTROL_VERB_MAX + 2];
	int err, n;

	buf_clear(reply);
	if (!is_verb(verb))
		return -EINVAL;
	err = set_address(&address, path);
	if (err)
		return err;
	CLEANUP(close_fd)
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	struct conn c = {fd, -1, deadline_in(timeout_ms)};
	err = conn_connect(&c, &address);
	if (err)
		return err;
	n = snprintf(line, sizeof(line), "%s\n", verb);
	err = conn_send(&c, line, (size_t)n);
	return err ? err : receive_reply(&c, reply);
}
