/*
 * The local door: sockets, who may connect, and the threads that serve.
 *
 *	attach   directories, sockets bound and listening; connections wait
 *	start    a thread for the message socket (one client after another), one that accepts on the
 *	         CDB socket, and one per CDB client
 *	stop     sockets away, connections cut, requests under way completed, threads joined
 *
 * The directory RUNTIME_DIR/pipe/NAME is locked while sockets in it are made, so that of two
 * processes that start at once one finds the other's.
 */
#include "transport/local/door_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/log.h"
#include "base/os/posix/runtime_dir.h"

enum { BACKLOG = 64, LOCK_TRIES = 16 };

struct socket {
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	int fd;    /* -1: none */
	bool ours; /* path is ours to remove */
};

struct cdb_thread {
	struct list link;
	struct scsi_door_instance *door;
	struct local_cdb_client client;
	pthread_t thread;
	bool done; /* to be joined */
};

struct scsi_door_instance {
	struct scsi_unit *unit;
	struct scsi_target *target;
	char device_name[PATH_MAX]; /* \\.\pipe\NAME\T */
	char root[PATH_MAX], dir[PATH_MAX]; /* RUNTIME_DIR/pipe, and NAME in it */
	struct socket pipe, cdb;
	int stop_fd;
	struct local_counters counters;

	struct mutex lock; /* rules what follows */
	bool started, stopping;
	struct local_conn *pipe_conn; /* the client that is served; NULL */
	pid_t pipe_pid;
	struct list cdb_threads;
	unsigned n_cdb;
	pthread_t pipe_thread, cdb_thread;
};

static const char *const no_options[] = {NULL};

/* ---------------------------------------------------------------- directories and sockets */

static int
make_dir(const char *path, struct scsi_door_error *error)
{
	struct stat st;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return scsi_door_fail(error, errno, "%s: %s", path, strerror(errno));
	if (lstat(path, &st) < 0)
		return -errno; /* removed by who used it before: the caller tries again */
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077))
		return scsi_door_fail(error, EPERM,
				      "%s: not a directory that only this user may enter", path);
	return 0;
}

/* Every directory on the way below root. */
static int
make_dirs(struct scsi_door_instance *door, struct scsi_door_error *error)
{
	char path[PATH_MAX];
	size_t n = strlen(door->root);
	int err = 0;

	while (err == 0 && door->dir[n]) {
		n += 1 + strcspn(door->dir + n + 1, "/");
		snprintf(path, sizeof(path), "%.*s", (int)n, door->dir);
		err = make_dir(path, error);
	}
	return err;
}

/* The directory, made where it is missing, locked. -errno. */
static int
lock_dir(struct scsi_door_instance *door, struct scsi_door_error *error)
{
	for (int i = 0; i < LOCK_TRIES; i++) {
		struct stat st;
		int fd, err = make_dirs(door, error);

		if (err == -ENOENT)
			continue;
		if (err < 0)
			return err;
		fd = open(door->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT)
			continue;
		if (fd < 0 || flock(fd, LOCK_EX) < 0 || fstat(fd, &st) < 0) {
			scsi_door_fail(error, errno, "%s: %s", door->dir, strerror(errno));
			close_fd(&fd);
			return -error->err;
		}
		if (st.st_nlink > 0)
			return fd;
		close(fd);
	}
	return scsi_door_fail(error, EAGAIN, "%s: the directory does not stay", door->dir);
}

/* Those that are empty, upward. */
static void
remove_dirs(struct scsi_door_instance *door)
{
	char path[PATH_MAX], *slash;

	snprintf(path, sizeof(path), "%s", door->dir);
	while (strlen(path) > strlen(door->root) && rmdir(path) == 0) {
		slash = strrchr(path, '/');
		*slash = 0;
	}
}

static struct sockaddr_un
address_of(const struct socket *s)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	memcpy(address.sun_path, s->path, sizeof(address.sun_path));
	return address;
}

/* Does somebody listen there? A socket whose process is gone refuses. */
static bool
is_alive(const struct socket *s)
{
	struct sockaddr_un address = address_of(s);
	CLEANUP(close_fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd >= 0 && (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ||
			   errno == EAGAIN);
}

static int
socket_open(struct socket *s, const struct scsi_door_instance *door, const char *suffix,
	    unsigned index, struct scsi_door_error *error)
{
	struct sockaddr_un address;
	struct stat st;
	int n = snprintf(s->path, sizeof(s->path), "%.*s/%u%s", (int)sizeof(door->dir), door->dir,
			 index, suffix);

	if (n >= (int)sizeof(s->path))
		return scsi_door_fail(error, ENAMETOOLONG,
				      "%.128s: too long a name: its socket's path would have %d "
				      "characters, and %zu are the most",
				      door->device_name, n, sizeof(s->path) - 1);
	if (lstat(s->path, &st) == 0) {
		if (is_alive(s))
			return scsi_door_fail(
				error, EADDRINUSE,
				"%.128s: another program serves it; choose another name",
				door->device_name);
		unlink(s->path);
	}
	address = address_of(s);
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return scsi_door_fail(error, errno, "%s: %s", s->path, strerror(errno));
	s->ours = true;
	if (listen(s->fd, BACKLOG) < 0)
		return scsi_door_fail(error, errno, "%s: %s", s->path, strerror(errno));
	return 0;
}

static void
socket_close(struct socket *s)
{
	if (s->ours)
		unlink(s->path);
	s->ours = false;
	close_fd(&s->fd);
	s->fd = -1;
}

static void
sockets_close(struct scsi_door_instance *door)
{
	socket_close(&door->pipe);
	socket_close(&door->cdb);
	if (door->dir[0])
		remove_dirs(door);
}

/* ---------------------------------------------------------------- attach */

static int
set_names(struct scsi_door_instance *door, const struct scsi_door_params *params,
	  struct scsi_door_error *error)
{
	char name[PATH_MAX];
	int err = local_name_decode(params->device_name, name, sizeof(name)), n;

	if (err < 0)
		return scsi_door_fail(
			error, EINVAL,
			"%.128s: not a name: \\\\.\\pipe\\NAME, where NAME is not empty "
			"and has no component . or ..",
			params->device_name);
	err = scsi_door_options_check(params->device_name, no_options, error);
	if (err < 0)
		return err;
	err = runtime_subdir("pipe", door->root, sizeof(door->root));
	if (err < 0)
		return scsi_door_fail(error, err, "no directory for sockets: %s", strerror(-err));
	n = snprintf(door->dir, sizeof(door->dir), "%s/%s", door->root, name);
	if (n >= (int)sizeof(door->dir))
		return scsi_door_fail(error, ENAMETOOLONG, "%.128s: too long a name",
				      params->device_name);
	n = snprintf(door->device_name, sizeof(door->device_name), "%.*s\\%u",
		     (int)strcspn(params->device_name, "?"), params->device_name, params->index);
	return n < (int)sizeof(door->device_name) ? 0 : -ENAMETOOLONG;
}

static int
open_sockets(struct scsi_door_instance *door, unsigned index, struct scsi_door_error *error)
{
	CLEANUP(close_fd) int lock = lock_dir(door, error);
	int err;

	if (lock < 0)
		return lock;
	err = socket_open(&door->pipe, door, "", index, error);
	return err < 0 ? err : socket_open(&door->cdb, door, ".cdb", index, error);
}

static int
make_target(struct scsi_door_instance *door)
{
	int err = scsi_target_create(door->device_name, &door->target);

	if (err == 0)
		err = scsi_target_add_port(door->target, 1, door->device_name);
	return err < 0 ? err : scsi_target_add_lun(door->target, 0, door->unit);
}

static void door_detach(struct scsi_door_instance *door);

static int
door_attach(struct scsi_unit *unit, const struct scsi_door_params *params,
	    struct scsi_door_error *error, struct scsi_door_instance **ret_door)
{
	struct scsi_door_instance *door = calloc(1, sizeof(*door));
	int err;

	if (!door)
		return scsi_door_fail(error, ENOMEM, "%.128s: out of memory", params->device_name);
	door->unit = scsi_unit_ref(unit);
	door->pipe.fd = door->cdb.fd = -1;
	door->stop_fd = eventfd(0, EFD_CLOEXEC);
	mutex_init(&door->lock);
	list_init(&door->cdb_threads);
	error->err = 0;
	err = door->stop_fd < 0 ? -errno : set_names(door, params, error);
	if (err == 0)
		err = open_sockets(door, params->index, error);
	if (err == 0)
		err = make_target(door);
	if (err < 0) {
		if (!error->err)
			scsi_door_fail(error, err, "%.128s: %s", params->device_name,
				       strerror(-err));
		door_detach(door);
		return err;
	}
	*ret_door = door;
	return 0;
}

/* ---------------------------------------------------------------- serving */

/* Only the owner and root get this far by the directory's mode; a descriptor may have been handed
 * on. */
static bool
peer_is_allowed(int fd, pid_t *ret_pid)
{
	struct ucred peer;
	socklen_t n = sizeof(peer);

	*ret_pid = 0;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0)
		return false;
	*ret_pid = peer.pid;
	return peer.uid == 0 || peer.uid == geteuid();
}

/* The next client; -1 when the door stops. */
static int
wait_for_client(struct scsi_door_instance *door, struct socket *s, pid_t *ret_pid)
{
	struct pollfd p[] = {{.fd = s->fd, .events = POLLIN},
			     {.fd = door->stop_fd, .events = POLLIN}};

	for (;;) {
		int fd;

		if (poll(p, ARRAY_SIZE(p), -1) < 0 && errno != EINTR)
			return -1;
		if (p[1].revents)
			return -1;
		fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
			poll(p + 1, 1, 100); /* not for ever at full speed */
		if (fd < 0)
			continue;
		if (peer_is_allowed(fd, ret_pid))
			return fd;
		log_warn("local", "%s: peer refused pid=%d", door->device_name, (int)*ret_pid);
		close(fd);
	}
}

static void
log_end(const struct scsi_door_instance *door, const char *what, pid_t pid, int err)
{
	if (err < 0 && err != -EPIPE && err != -ECONNRESET)
		log_warn("local", "%s: %s client cut off pid=%d: %s", door->device_name, what,
			 (int)pid,
			 err == -EPROTO ? "it does not speak the protocol" : strerror(-err));
}

/* False: the door stops. */
static bool
set_pipe_client(struct scsi_door_instance *door, struct local_conn *conn, pid_t pid)
{
	bool ok;

	mutex_lock(&door->lock);
	ok = !door->stopping || !conn;
	if (ok) {
		door->pipe_conn = conn;
		door->pipe_pid = pid;
	}
	mutex_unlock(&door->lock);
	return ok;
}

static void *
pipe_thread(void *arg)
{
	struct scsi_door_instance *door = arg;
	pid_t pid;
	int fd;

	while ((fd = wait_for_client(door, &door->pipe, &pid)) >= 0) {
		struct local_conn conn;
		int err = local_conn_init(&conn, fd);

		if (err < 0) {
			log_error("local", "%s: no thread for a client: %s", door->device_name,
				  strerror(-err));
			continue;
		}
		atomic_fetch_add(&door->counters.n_clients, 1);
		if (set_pipe_client(door, &conn, pid)) {
			err = local_pipe_serve(&conn, door->unit, &door->counters);
			log_end(door, "message", pid, err);
		}
		set_pipe_client(door, NULL, 0);
		local_conn_fini(&conn);
	}
	return NULL;
}

static void *
cdb_client_thread(void *arg)
{
	struct cdb_thread *t = arg;
	struct scsi_door_instance *door = t->door;
	int err = local_cdb_serve(&t->client);

	log_end(door, "CDB", t->client.pid, err);
	local_conn_break(&t->client.conn);
	mutex_lock(&door->lock);
	t->done = true;
	mutex_unlock(&door->lock);
	return NULL;
}

static struct cdb_thread *
next_cdb_thread(struct scsi_door_instance *door, bool any)
{
	struct cdb_thread *found = NULL;

	mutex_lock(&door->lock);
	list_for_each(pos, &door->cdb_threads) {
		struct cdb_thread *t = list_entry(pos, struct cdb_thread, link);

		if (any || t->done) {
			found = t;
			break;
		}
	}
	if (found) {
		list_remove(&found->link);
		door->n_cdb--;
	}
	mutex_unlock(&door->lock);
	return found;
}

/* Those that have ended, or all. */
static void
join_cdb_threads(struct scsi_door_instance *door, bool any)
{
	struct cdb_thread *t;

	while ((t = next_cdb_thread(door, any))) {
		local_conn_break(&t->client.conn);
		pthread_join(t->thread, NULL);
		local_conn_fini(&t->client.conn);
		free(t);
	}
}

static int
add_cdb_client(struct scsi_door_instance *door, int fd, pid_t pid)
{
	struct cdb_thread *t = door->n_cdb < LOCAL_CDB_CONNECTIONS_MAX ? calloc(1, sizeof(*t))
								       : NULL;
	int err;

	if (!t) {
		close(fd);
		return -EAGAIN;
	}
	t->door = door;
	t->client = (struct local_cdb_client){.target = door->target, .pid = pid,
					      .counters = &door->counters};
	err = local_conn_init(&t->client.conn, fd);
	if (err < 0) {
		free(t);
		return err;
	}
	mutex_lock(&door->lock);
	err = local_thread_start(&t->thread, cdb_client_thread, t);
	if (err == 0) {
		list_insert(&door->cdb_threads, &t->link);
		door->n_cdb++;
	}
	mutex_unlock(&door->lock);
	if (err < 0) {
		local_conn_fini(&t->client.conn);
		free(t);
	}
	return err;
}

/* Makes and joins the client threads, so n_cdb is its own to read. */
static void *
cdb_thread(void *arg)
{
	struct scsi_door_instance *door = arg;
	pid_t pid;
	int fd;

	while ((fd = wait_for_client(door, &door->cdb, &pid)) >= 0) {
		int err;

		join_cdb_threads(door, false);
		atomic_fetch_add(&door->counters.n_clients, 1);
		err = add_cdb_client(door, fd, pid);
		if (err < 0)
			log_warn("local", "%s: client turned away pid=%d: %s", door->device_name,
				 (int)pid, err == -EAGAIN ? "too many" : strerror(-err));
	}
	join_cdb_threads(door, true);
	return NULL;
}

static int
door_start(struct scsi_door_instance *door, struct scsi_door_error *error)
{
	uint64_t one = 1;
	int err = local_thread_start(&door->pipe_thread, pipe_thread, door);

	if (err < 0)
		return scsi_door_fail(error, err, "%.128s: no thread: %s", door->device_name,
				      strerror(-err));
	err = local_thread_start(&door->cdb_thread, cdb_thread, door);
	if (err == 0) {
		door->started = true;
		return 0;
	}
	(void)!write(door->stop_fd, &one, sizeof(one));
	pthread_join(door->pipe_thread, NULL);
	return scsi_door_fail(error, err, "%.128s: no thread: %s", door->device_name,
			      strerror(-err));
}

static void
door_stop(struct scsi_door_instance *door)
{
	uint64_t one = 1;
	bool started;

	mutex_lock(&door->lock);
	started = door->started;
	door->started = false;
	door->stopping = true;
	if (door->pipe_conn)
		local_conn_break(door->pipe_conn);
	mutex_unlock(&door->lock);
	/* Names go first, so that nobody new waits for an answer that will not come. */
	if (door->pipe.ours)
		unlink(door->pipe.path);
	if (door->cdb.ours)
		unlink(door->cdb.path);
	door->pipe.ours = door->cdb.ours = false;
	if (!started)
		return;
	(void)!write(door->stop_fd, &one, sizeof(one));
	pthread_join(door->pipe_thread, NULL);
	pthread_join(door->cdb_thread, NULL);
}

static int
door_leave(struct scsi_door_instance *door, struct scsi_door_error *error)
{
	pid_t pid = 0;
	bool busy = false;

	mutex_lock(&door->lock);
	if (door->pipe_conn) {
		busy = true;
		pid = door->pipe_pid;
	}
	list_for_each(pos, &door->cdb_threads) {
		struct cdb_thread *t = list_entry(pos, struct cdb_thread, link);

		if (t->done)
			continue;
		busy = true;
		pid = t->client.pid;
	}
	mutex_unlock(&door->lock);
	if (busy)
		return scsi_door_fail(error, EBUSY, "%.128s: process %d is connected to it",
				      door->device_name, (int)pid);
	door_stop(door);
	return 0;
}

static void
door_describe(struct scsi_door_instance *door, struct buf *json)
{
	bool busy;

	mutex_lock(&door->lock);
	busy = door->pipe_conn;
	mutex_unlock(&door->lock);
	buf_printf(json, "\"door\":\"local\",\"url\":");
	buf_json_string(json, door->device_name);
	buf_printf(json, ",\"socket\":");
	buf_json_string(json, door->pipe.path);
	buf_printf(json,
		   ",\"in_use\":%s,\"clients\":%llu,\"requests\":%llu,\"refused\":%llu,"
		   "\"commands\":%llu",
		   busy ? "true" : "false",
		   (unsigned long long)atomic_load(&door->counters.n_clients),
		   (unsigned long long)atomic_load(&door->counters.n_requests),
		   (unsigned long long)atomic_load(&door->counters.n_refused),
		   (unsigned long long)atomic_load(&door->counters.n_commands));
}

static void
door_detach(struct scsi_door_instance *door)
{
	if (!door)
		return;
	door_stop(door);
	sockets_close(door);
	if (door->target) {
		scsi_target_remove_lun(door->target, 0);
		scsi_target_destroy(door->target);
	}
	close_fd(&door->stop_fd);
	mutex_fini(&door->lock);
	scsi_unit_unref(door->unit);
	free(door);
}

const struct scsi_door door_local = {
	.name = "local",
	.prefix = "\\\\.\\pipe\\",
	.attach = door_attach,
	.start = door_start,
	.leave = door_leave,
	.stop = door_stop,
	.describe = door_describe,
	.detach = door_detach,
};
