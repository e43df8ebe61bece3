/* Portals of the process: listening sockets, by the address that was asked for. */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "base/log.h"
#include "transport/iscsi/session.h"

enum { BACKLOG = 128, ACCEPTS_PER_TURN = 64 };

static struct list portals = LIST_INIT(portals); /* under iscsi_registry_lock */

void
iscsi_address_format(const struct sockaddr_storage *address, char *dst, size_t cap)
{
	char host[INET6_ADDRSTRLEN] = "?";
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;

	if (address->ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
		snprintf(dst, cap, "[%s]:%u", host, ntohs(v6->sin6_port));
	} else {
		inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
		/* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): the kernel wrote it */
		snprintf(dst, cap, "%s:%u", host, ntohs(v4->sin_port));
	}
}

void
iscsi_portal_ref(struct iscsi_portal *portal)
{
	atomic_fetch_add_explicit(&portal->n_refs, 1, memory_order_relaxed);
}

void
iscsi_portal_unref(struct iscsi_portal *portal)
{
	/* Pairs with the other threads' last use before their own unref. */
	if (atomic_fetch_sub_explicit(&portal->n_refs, 1, memory_order_acq_rel) != 1)
		return;
	if (portal->source.fd >= 0)
		close(portal->source.fd);
	if (portal->spare_fd >= 0)
		close(portal->spare_fd);
	free(portal);
}

static struct iscsi_portal *
portal_of(struct iscsi_source *source)
{
	return container_of(source, struct iscsi_portal, source);
}

static void
source_ref(struct iscsi_source *source)
{
	iscsi_portal_ref(portal_of(source));
}

static void
source_unref(struct iscsi_source *source)
{
	iscsi_portal_unref(portal_of(source));
}

/* Sockets */

static int
bind_one(const struct addrinfo *ai, struct iscsi_portal *portal)
{
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;
	int err;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (ai->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	portal->n_address = sizeof(portal->address);
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 ||
	    getsockname(fd, (struct sockaddr *)&portal->address, &portal->n_address) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	portal->source.fd = fd;
	return 0;
}

static int
portal_bind(struct iscsi_portal *portal, struct scsi_door_error *error)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *list = NULL;
	char port[8];
	int err;

	snprintf(port, sizeof(port), "%u", portal->asked_port);
	err = getaddrinfo(portal->host, port, &hints, &list);
	if (err != 0)
		return scsi_door_fail(error, EINVAL, "address %s: %s", portal->host,
				      gai_strerror(err));
	err = bind_one(list, portal);
	freeaddrinfo(list);
	return err < 0 ? scsi_door_fail(error, -err, "cannot listen on %s port %u: %s",
					portal->host, portal->asked_port, strerror(-err))
		       : 0;
}

/* Connections */

/* Without a free descriptor the queue would stay, and so would the event: take one and let it go.
 */
static bool
refuse_for_descriptors(struct iscsi_portal *portal)
{
	int fd;

	mutex_lock(&iscsi_registry_lock);
	if (portal->spare_fd >= 0)
		close(portal->spare_fd);
	fd = accept4(portal->source.fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	portal->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	portal->n_refused++;
	/* Not even that: the event would come again at once, and again. */
	portal->paused = fd < 0;
	mutex_unlock(&iscsi_registry_lock);
	return fd >= 0;
}

static void
take_connection_locked(struct iscsi_portal *portal, int fd, const struct sockaddr_storage *from)
{
	struct sockaddr_storage address = {0};
	socklen_t n_address = sizeof(address);
	char peer[64], local[64];
	int one = 1;

	iscsi_address_format(from, peer, sizeof(peer));
	if (portal->n_pending >= ISCSI_PENDING_LIMIT || portal->n_started == 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &n_address) < 0) {
		portal->n_refused++;
		log_debug("iscsi", "connection refused peer=%s n_pending=%u", peer,
			  portal->n_pending);
		close(fd);
		return;
	}
	iscsi_address_format(&address, local, sizeof(local));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (iscsi_conn_create(portal, portal->loop, fd, peer, local) < 0)
		portal->n_refused++;
}

/* True: there may be more. */
static bool
accept_one(struct iscsi_portal *portal)
{
	struct sockaddr_storage from = {0};
	socklen_t n_from = sizeof(from);
	int fd = accept4(portal->source.fd, (struct sockaddr *)&from, &n_from,
			 SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM))
		return refuse_for_descriptors(portal);
	if (fd < 0)
		return errno == ECONNABORTED || errno == EINTR;
	mutex_lock(&iscsi_registry_lock);
	take_connection_locked(portal, fd, &from);
	mutex_unlock(&iscsi_registry_lock);
	return true;
}

static void
portal_event(struct iscsi_source *source, uint32_t events)
{
	struct iscsi_portal *portal = portal_of(source);

	for (int i = 0; i < ACCEPTS_PER_TURN && accept_one(portal); i++)
		;
	if (!portal->paused)
		iscsi_loop_arm(portal->loop, source, EPOLLIN);
}

static void
portal_tick(struct iscsi_source *source, uint64_t now_ns)
{
	struct iscsi_portal *portal = portal_of(source);

	if (atomic_exchange(&portal->paused, false))
		iscsi_loop_arm(portal->loop, source, EPOLLIN);
}

static const struct iscsi_source_ops portal_ops = {
	.event = portal_event,
	.tick = portal_tick,
	.ref = source_ref,
	.unref = source_unref,
};

/* Registry */

static struct iscsi_portal *
portal_find_locked(const struct iscsi_options *o)
{
	list_for_each (pos, &portals) {
		struct iscsi_portal *portal = list_entry(pos, struct iscsi_portal, link);

		if (portal->asked_port == o->port && strcmp(portal->host, o->host) == 0)
			return portal;
	}
	return NULL;
}

static int
portal_create(const struct iscsi_options *o, struct scsi_door_error *error,
	      struct iscsi_portal **ret_portal)
{
	struct iscsi_portal *portal = calloc(1, sizeof(*portal));
	int err;

	if (!portal)
		return scsi_door_fail(error, ENOMEM, "out of memory");
	portal->source = (struct iscsi_source){.ops = &portal_ops, .fd = -1};
	atomic_init(&portal->n_refs, 1);
	list_init(&portal->link);
	list_init(&portal->conns);
	strcpy(portal->host, o->host);
	portal->asked_port = o->port;
	portal->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	err = portal_bind(portal, error);
	if (err < 0) {
		iscsi_portal_unref(portal);
		return err;
	}
	list_insert(&portals, &portal->link);
	*ret_portal = portal;
	return 0;
}

int
iscsi_portal_get_locked(const struct iscsi_options *o, struct scsi_door_error *error,
			struct iscsi_portal **ret_portal)
{
	struct iscsi_portal *portal = portal_find_locked(o);
	int err = portal ? 0 : portal_create(o, error, &portal);

	if (err < 0)
		return err;
	assert(portal);
	portal->n_doors++;
	*ret_portal = portal;
	return 0;
}

void
iscsi_portal_put_locked(struct iscsi_portal *portal)
{
	if (--portal->n_doors > 0)
		return;
	list_remove(&portal->link);
	iscsi_portal_unref(portal);
}

int
iscsi_portal_listen_locked(struct iscsi_portal *portal, struct iscsi_loop *loop,
			   struct scsi_door_error *error)
{
	int err = 0;

	if (portal->n_started > 0) {
		portal->n_started++;
		return 0;
	}
	portal->loop = loop;
	if (listen(portal->source.fd, BACKLOG) < 0)
		err = -errno;
	if (err == 0)
		err = iscsi_loop_add(loop, &portal->source, EPOLLIN);
	if (err < 0)
		return scsi_door_fail(error, -err, "cannot listen on %s: %s", portal->host,
				      strerror(-err));
	portal->n_started = 1;
	return 0;
}

void
iscsi_portal_close_locked(struct iscsi_portal *portal)
{
	iscsi_loop_remove(portal->loop, &portal->source);
	shutdown(portal->source.fd, SHUT_RDWR);
	list_for_each (pos, &portal->conns)
		iscsi_conn_kill(list_entry(pos, struct iscsi_conn, portal_link),
				"the portal is closed");
}

void
iscsi_portal_logged_in(struct iscsi_conn *conn)
{
	mutex_lock(&iscsi_registry_lock);
	conn->portal->n_pending--;
	conn->logged_in = true;
	mutex_unlock(&iscsi_registry_lock);
}

void
iscsi_portal_left(struct iscsi_conn *conn)
{
	struct iscsi_portal *portal = conn->portal;

	mutex_lock(&iscsi_registry_lock);
	list_remove(&conn->portal_link);
	portal->n_conns--;
	if (!conn->logged_in)
		portal->n_pending--;
	cond_broadcast(&iscsi_registry_changed);
	mutex_unlock(&iscsi_registry_lock);
}
