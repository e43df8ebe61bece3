/*
 * \\.\pipe\NAME\T: the sockets of the local door, RUNTIME/pipe/NAME/T with WinSpd's
 * messages and T.cdb beside it with CDBs. Each message has its length in front. What
 * differs between the two is a codec.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/os/posix/runtime_dir.h"
#include "tools/disk/pipe_priv.h"

static struct pipe_disk *
pipe_of(struct disk *disk)
{
	return container_of(disk, struct pipe_disk, disk);
}

struct disk_cdb *
pipe_find(struct pipe_disk *p, uint64_t id)
{
	list_for_each (pos, &p->disk.active) {
		struct disk_cdb *work = list_entry(pos, struct disk_cdb, link);

		if (work->id == id && work != p->sending)
			return work->way ? NULL : work;
	}
	return NULL;
}

static void
pipe_submit(struct disk *disk, struct disk_cdb *work)
{
	work->way = pipe_of(disk); /* not sent yet */
}

static struct disk_cdb *
first_unsent(struct pipe_disk *p)
{
	list_for_each (pos, &p->disk.active) {
		struct disk_cdb *work = list_entry(pos, struct disk_cdb, link);

		if (work->way)
			return work;
	}
	return NULL;
}

/* Next piece of the message being sent; 0 when it has all gone. */
static size_t
next_piece(struct pipe_disk *p, const void **ret_bytes)
{
	size_t in_data;

	if (p->n_sent < p->n_head) {
		*ret_bytes = p->head + p->n_sent;
		return p->n_head - p->n_sent;
	}
	in_data = p->n_sent - p->n_head;
	/* No arithmetic on data that is not there. */
	*ret_bytes = in_data ? (const char *)p->out_data + in_data : p->out_data;
	return p->n_out_data - in_data;
}

static bool
send_begin(struct pipe_disk *p)
{
	struct disk_cdb *work = first_unsent(p);
	int err;

	if (!work)
		return false;
	err = p->codec->encode(p, work);
	if (err) {
		work->way = NULL;
		work->out.err = -err;
		disk_work_done(&p->disk, work);
		return send_begin(p);
	}
	put_le32(p->head, (uint32_t)(p->n_head - 4 + p->n_out_data));
	p->sending = work;
	p->n_sent = 0;
	return true;
}

/* As much as the socket takes now. */
static int
send_some(struct pipe_disk *p)
{
	while (p->sending || send_begin(p)) {
		const void *bytes;
		size_t size = next_piece(p, &bytes);
		ssize_t n;

		if (!size) {
			p->sending->way = NULL;
			p->sending = NULL;
			continue;
		}
		n = send(p->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		p->n_sent += (size_t)n;
	}
	return 0;
}

/* The complete messages that have come. */
static int
take_messages(struct pipe_disk *p)
{
	size_t at = 0;
	int err = 0;

	while (!err && p->n_rx - at >= 4) {
		uint32_t n = get_le32(p->rx + at);

		if (n > p->cap_rx - 4) {
			disk_fail(&p->disk, EPROTO,
				  "%s: the peer announced a message of %u bytes; %zu is "
				  "the most there can be",
				  p->disk.target, n, p->cap_rx - 4);
			return -EPROTO;
		}
		if (p->n_rx - at - 4 < n)
			break;
		err = p->codec->decode(p, p->rx + at + 4, n);
		at += 4 + (size_t)n;
	}
	memmove(p->rx, p->rx + at, p->n_rx - at);
	p->n_rx -= at;
	return err;
}

static int
receive_some(struct pipe_disk *p)
{
	ssize_t n = recv(p->fd, p->rx + p->n_rx, p->cap_rx - p->n_rx, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0) {
		disk_fail(&p->disk, ECONNRESET, "%s: the unit closed the connection%s",
			  p->disk.target,
			  p->n_rx	     ? " in the middle of a message"
			  : p->disk.n_active ? " before it had answered"
					     : "");
		return -ECONNRESET;
	}
	p->n_rx += (size_t)n;
	return take_messages(p);
}

/* One turn; waits up to timeout_ms for the socket. */
static int
turn(struct pipe_disk *p, int timeout_ms)
{
	struct pollfd pfd = {.fd = p->fd, .events = POLLIN};
	int err = send_some(p);
	int n;

	if (p->sending)
		pfd.events |= POLLOUT;
	n = err ? 0 : poll(&pfd, 1, timeout_ms);
	if (n < 0 && errno != EINTR)
		err = -errno;
	/* What it said before it went is read before its going is noticed. */
	if (!err && n > 0 && pfd.revents & (POLLIN | POLLHUP | POLLERR))
		err = receive_some(p);
	if (!err && n > 0 && pfd.revents & POLLOUT)
		err = send_some(p);
	return err;
}

static void
pipe_pump(struct disk *disk, int timeout_ms)
{
	struct pipe_disk *p = pipe_of(disk);
	int err = turn(p, timeout_ms);

	if (err)
		disk_fail(disk, -err, "%s: %s", disk->target, strerror(-err));
}

static void
pipe_close(struct disk *disk)
{
	struct pipe_disk *p = pipe_of(disk);

	close_fd(&p->fd);
	disk_fail(disk, ECANCELED, "%s: closed", disk->target);
	free(p->rx);
	disk_fini(disk);
	free(p);
}

static const struct disk_ops message_ops = {
	.way = "pipe",
	.submit = pipe_submit,
	.pump = pipe_pump,
	.close = pipe_close,
	.deadlines = true,
};
static const struct disk_ops cdb_ops = {
	.way = "cdb",
	.cdbs = true,
	.submit = pipe_submit,
	.pump = pipe_pump,
	.reset = pipe_cdb_reset,
	.close = pipe_close,
	.deadlines = true,
};

int
pipe_send_greeting(struct pipe_disk *p)
{
	ssize_t n;

	put_le32(p->head, (uint32_t)(p->n_head - 4));
	n = send(p->fd, p->head, p->n_head, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n == (ssize_t)p->n_head)
		return 0;
	disk_fail(&p->disk, n < 0 ? errno : EIO, "%s: greeting the unit: %s",
		  p->disk.target, n < 0 ? strerror(errno) : "only part of it was taken");
	return -p->disk.failure.err;
}

int
pipe_wait(struct pipe_disk *p, bool (*done)(struct pipe_disk *p), unsigned ms)
{
	uint64_t until = clock_monotonic_ns() + ms * 1000000ull;
	int err = 0;

	while (!err && !done(p) && clock_monotonic_ns() < until)
		err = turn(p, disk_ms_left(until, -1));
	if (!err && !done(p)) {
		err = -ETIMEDOUT;
		disk_fail(&p->disk, ETIMEDOUT,
			  "%s: the unit sent no greeting within %u ms; another client "
			  "may hold it",
			  p->disk.target, ms);
	}
	if (err && !p->disk.failure.err)
		disk_fail(&p->disk, -err, "%s: %s", p->disk.target, strerror(-err));
	return err;
}

int
pipe_reserve(struct pipe_disk *p, size_t max_message)
{
	uint8_t *rx;

	if (max_message + 4 <= p->cap_rx)
		return 0;
	rx = realloc(p->rx, max_message + 4);
	if (!rx)
		return -ENOMEM;
	p->rx = rx;
	p->cap_rx = max_message + 4;
	return 0;
}

/* \\.\pipe\NAME[\T][.cdb] -> the socket's path. A name is one component: no way out of
 * the folder. */
static int
socket_path(const char *target, bool cdbs, char *dst, size_t cap, bool *ret_cdbs,
	    struct disk_error *error)
{
	char dir[PATH_MAX], name[PATH_MAX];
	const char *s = target + strlen("\\\\.\\pipe\\");
	char *index = NULL;
	size_t n;
	int err;

	snprintf(name, sizeof(name), "%s", s);
	n = strlen(name);
	*ret_cdbs = cdbs;
	if (n > 4 && strcasecmp(name + n - 4, ".cdb") == 0) {
		name[n - 4] = '\0';
		*ret_cdbs = true;
	}
	index = strrchr(name, '\\');
	if (index)
		*index++ = '\0';
	if (!*name || name[0] == '.' || strpbrk(name, "/\\") ||
	    (index && (!*index || index[strspn(index, "0123456789")])))
		return disk_error_set(
			error, EINVAL,
			"%s: not the form \\\\.\\pipe\\NAME\\T, T being the "
			"number of the unit in its program (0)",
			target);
	err = runtime_dir(dir, sizeof(dir));
	if (err)
		return disk_error_set(error, -err, "the runtime directory: %s",
				      strerror(-err));
	if ((size_t)snprintf(dst, cap, "%s/pipe/%s/%s%s", dir, name, index ? index : "0",
			     *ret_cdbs ? ".cdb" : "") >= cap)
		return disk_error_set(error, ENAMETOOLONG,
				      "%s: the path of its socket is too long", target);
	return 0;
}

static int
pipe_connect(struct pipe_disk *p, const char *path, struct disk_error *error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int err;

	if (strlen(path) >= sizeof(address.sun_path))
		return disk_error_set(error, ENAMETOOLONG,
				      "%s: longer than a socket's path can be", path);
	strcpy(address.sun_path, path);
	p->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (p->fd >= 0 &&
	    connect(p->fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return 0;
	err = errno;
	if (err == ENOENT || err == ECONNREFUSED)
		return disk_error_set(error, err,
				      "%s: no program serves it (looked at %s)",
				      p->disk.target, path);
	return disk_error_set(error, err, "%s: %s: %s", p->disk.target, path,
			      strerror(err));
}

int
disk_open_pipe(const char *target, const struct disk_options *options,
	       struct disk_error *error, struct disk **ret_disk)
{
	struct pipe_disk *p;
	char path[PATH_MAX];
	bool cdbs;
	int err = socket_path(target, options->cdbs, path, sizeof(path), &cdbs, error);

	if (err)
		return err;
	p = calloc(1, sizeof(*p));
	if (!p || !disk_init(&p->disk, cdbs ? &cdb_ops : &message_ops, target, options)) {
		free(p);
		return disk_error_set(error, ENOMEM, "%s: out of memory", target);
	}
	p->fd = -1;
	p->codec = cdbs ? &pipe_codec_cdb : &pipe_codec_message;
	err = pipe_connect(p, path, error);
	if (!err) {
		err = p->codec->begin(p);
		if (err)
			*error = p->disk.failure;
	}
	if (!err && cdbs)
		err = disk_read_geometry(&p->disk, error);
	if (err && !error->err)
		disk_error_set(error, -err, "%s: %s", target, strerror(-err));
	if (err) {
		pipe_close(&p->disk);
		return err;
	}
	*ret_disk = &p->disk;
	return 0;
}
