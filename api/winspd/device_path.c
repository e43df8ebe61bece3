/* The three ways from a device handle to a unit. */
#include "api/winspd/device.h"

#include <errno.h>
#include <fcntl.h>
#include <scsi/sg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "api/winspd/slots.h"
#include "scsi/target.h"
#include "transport/local/protocol.h"

enum { COMMAND_MS = 30000 };

static void
store_sense(struct device_command *c, const uint8_t *sense, size_t n)
{
	memset(c->sense, 0, sizeof(c->sense));
	memcpy(c->sense, sense, MIN(n, sizeof(c->sense)));
}

/* ---------------------------------------------------------------- a unit of this process */

struct slot_path {
	struct device_path path;
	unsigned index;
	struct scsi_unit *unit;
	struct scsi_target *target;
	struct scsi_nexus *nexus;
};

struct waiting_task {
	struct scsi_task task;
	struct mutex lock;
	struct cond done;
	bool is_done;
};

static void
task_done(struct scsi_task *task)
{
	struct waiting_task *w = container_of(task, struct waiting_task, task);

	mutex_lock(&w->lock);
	w->is_done = true;
	cond_signal(&w->done);
	mutex_unlock(&w->lock);
}

/* Waits; the task has its result. buffer: at least n_transfer bytes of a command that gives data.
 */
static void
run_task(struct waiting_task *w, struct device_command *c, uint8_t *buffer)
{
	w->task.data_out = c->data;
	w->task.n_out = c->direction > 0 ? MIN(c->size, w->task.n_transfer) : 0;
	w->task.data_in = buffer;
	w->task.cap_in = w->task.n_transfer;
	scsi_task_execute(&w->task);
	mutex_lock(&w->lock);
	while (!w->is_done)
		cond_wait(&w->done, &w->lock);
	mutex_unlock(&w->lock);
	if (w->task.direction == SCSI_DATA_IN && c->direction < 0) {
		c->moved = MIN(w->task.n_in, c->size);
		memcpy(c->data, buffer, c->moved);
	} else if (c->direction > 0) {
		c->moved = w->task.n_out;
	}
}

static void
take_result(struct waiting_task *w, struct device_command *c)
{
	uint8_t sense[SCSI_SENSE_SIZE_MAX];
	size_t n = w->task.aborted ? 0 : scsi_task_sense(&w->task, sense);

	c->status = w->task.aborted ? SCSI_TASK_ABORTED : w->task.result.status;
	store_sense(c, sense, n);
}

static DWORD
slot_execute(struct device_path *path, struct device_command *c)
{
	struct slot_path *p = container_of(path, struct slot_path, path);
	struct scsi_unit *now = spd_slot_unit(p->index);
	bool same = now == p->unit;
	struct waiting_task *w;
	uint8_t *buffer;

	scsi_unit_unref(now);
	if (!same)
		return spd_fail(ERROR_FILE_NOT_FOUND, "no storage unit with number %u", p->index);
	w = calloc(1, sizeof(*w));
	if (!w)
		return spd_fail(ERROR_NO_SYSTEM_RESOURCES, "out of memory");
	mutex_init(&w->lock);
	cond_init(&w->done);
	w->task.nexus = p->nexus;
	w->task.n_cdb = c->n_cdb;
	memcpy(w->task.cdb, c->cdb, c->n_cdb);
	w->task.tag = 1; /* one at a time */
	w->task.complete = task_done;
	if (scsi_task_begin(&w->task)) {
		buffer = scsi_unit_alloc(w->task.n_transfer);
		if (buffer) {
			run_task(w, c, buffer);
		} else {
			scsi_task_cancel(&w->task);
			w->task.result = scsi_status_only(SCSI_BUSY);
		}
		take_result(w, c);
		scsi_unit_free(buffer);
	} else {
		take_result(w, c);
	}
	cond_fini(&w->done);
	mutex_fini(&w->lock);
	free(w);
	return ERROR_SUCCESS;
}

static void
slot_close(struct device_path *path)
{
	struct slot_path *p = container_of(path, struct slot_path, path);

	if (p->nexus)
		scsi_nexus_destroy(p->nexus);
	if (p->target) {
		(void)scsi_target_remove_lun(p->target, 0);
		scsi_target_destroy(p->target);
	}
	scsi_unit_unref(p->unit);
	free(p);
}

static int
connect_slot(struct slot_path *p)
{
	/* SPC-4 7.6.4: no specific protocol; the identity is this handle's alone */
	uint8_t id[24] = {0x0f};
	struct scsi_nexus_params params = {.initiator = "SpdIoctlScsiExecute", .transport_id = id,
					   .n_transport_id = sizeof(id), .target_port = 1};
	int err = scsi_target_create(SPD_IOCTL_HARDWARE_ID, &p->target);

	put_be64(id + 8, (uint64_t)(uintptr_t)p);
	if (err == 0)
		err = scsi_target_add_port(p->target, 1, SPD_IOCTL_HARDWARE_ID);
	if (err == 0)
		err = scsi_target_add_lun(p->target, 0, p->unit);
	return err < 0 ? err : scsi_nexus_create(p->target, &params, &p->nexus);
}

DWORD
device_open_slot(unsigned index, struct device_path **ret_path)
{
	static const struct device_path_ops ops = {slot_execute, slot_close};
	struct scsi_unit *unit = spd_slot_unit(index);
	struct slot_path *p = unit ? calloc(1, sizeof(*p)) : NULL;
	int err;

	if (!unit)
		return spd_fail(ERROR_FILE_NOT_FOUND, "no storage unit with number %u", index);
	if (!p) {
		scsi_unit_unref(unit);
		return spd_fail(ERROR_NO_SYSTEM_RESOURCES, "out of memory");
	}
	p->path.ops = &ops;
	p->index = index;
	p->unit = unit;
	err = connect_slot(p);
	if (err < 0) {
		slot_close(&p->path);
		return spd_fail_errno(err, "storage unit %u: %s", index, strerror(-err));
	}
	*ret_path = &p->path;
	return ERROR_SUCCESS;
}

/* ---------------------------------------------------------------- a local door's socket */

struct socket_path {
	struct device_path path;
	int fd;
	uint64_t tag;
};

static int
send_all(int fd, const void *bytes, size_t n)
{
	const char *p = bytes;

	while (n > 0) {
		ssize_t done = send(fd, p, n, MSG_NOSIGNAL);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return -errno;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

static int
receive_all(int fd, void *bytes, size_t n)
{
	char *p = bytes;

	while (n > 0) {
		ssize_t done = recv(fd, p, n, MSG_WAITALL);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		if (done == 0)
			return -ECONNRESET;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

/* One message, of at most cap bytes. */
static int
receive_message(int fd, uint8_t *bytes, size_t cap, size_t *ret_size)
{
	uint8_t length[LOCAL_LENGTH_SIZE];
	int err = receive_all(fd, length, sizeof(length));
	uint32_t n = get_le32(length);

	if (err < 0)
		return err;
	if (n > cap)
		return -EPROTO;
	*ret_size = n;
	return receive_all(fd, bytes, n);
}

static int
send_command(struct socket_path *p, const struct device_command *c)
{
	struct local_cdb_request r = {.type = LOCAL_CDB_COMMAND, .n_cdb = c->n_cdb,
				      .tag = ++p->tag, .expected = c->size};
	uint8_t bytes[LOCAL_LENGTH_SIZE + LOCAL_CDB_REQUEST_SIZE];
	uint32_t n_data = c->direction > 0 ? c->size : 0;
	int err;

	r.direction = c->direction < 0	? SCSI_DATA_IN
		      : c->direction > 0 ? SCSI_DATA_OUT
					 : SCSI_DATA_NONE;
	memcpy(r.cdb, c->cdb, c->n_cdb);
	put_le32(bytes, LOCAL_CDB_REQUEST_SIZE + n_data);
	local_cdb_request_encode(&r, bytes + LOCAL_LENGTH_SIZE);
	err = send_all(p->fd, bytes, sizeof(bytes));
	return err < 0 ? err : send_all(p->fd, c->data, n_data);
}

static int
receive_answer(struct socket_path *p, struct device_command *c)
{
	size_t cap = LOCAL_CDB_ANSWER_SIZE + 256 + (size_t)c->size, size;
	CLEANUP(free_ptr) uint8_t *bytes = malloc(cap);
	struct local_cdb_answer a;
	const uint8_t *sense;
	int err = bytes ? receive_message(p->fd, bytes, cap, &size) : -ENOMEM;

	if (err < 0)
		return err;
	if (!local_cdb_answer_decode(bytes, size, &a) || a.tag != p->tag || a.n_data > c->size)
		return -EPROTO;
	c->status = a.status;
	sense = bytes + LOCAL_CDB_ANSWER_SIZE;
	store_sense(c, sense, a.n_sense);
	c->moved = 0;
	if (c->direction < 0) {
		memcpy(c->data, sense + a.n_sense, a.n_data);
		c->moved = a.n_data;
	} else if (c->direction > 0) {
		c->moved = c->size - (a.flags & LOCAL_CDB_UNDERFLOW ? MIN(a.residual, c->size) : 0);
	}
	return 0;
}

static DWORD
socket_execute(struct device_path *path, struct device_command *c)
{
	struct socket_path *p = container_of(path, struct socket_path, path);
	int err;

	if (c->size > SCSI_TRANSFER_MAX)
		return spd_fail(ERROR_INVALID_PARAMETER, "a command moves at most %d bytes",
				SCSI_TRANSFER_MAX);
	err = send_command(p, c);
	if (err == 0)
		err = receive_answer(p, c);
	if (err == -ECONNRESET || err == -EPIPE)
		return spd_fail(ERROR_FILE_NOT_FOUND, "the storage unit is gone");
	return err < 0 ? spd_fail_errno(err, "the storage unit does not answer: %s", strerror(-err))
		       : ERROR_SUCCESS;
}

static void
socket_close(struct device_path *path)
{
	struct socket_path *p = container_of(path, struct socket_path, path);

	close_fd(&p->fd);
	free(p);
}

static int
say_hello(int fd)
{
	struct local_cdb_hello hello = {.version = LOCAL_CDB_VERSION, .name = "libspd"};
	uint8_t bytes[LOCAL_LENGTH_SIZE + LOCAL_CDB_HELLO_SIZE];
	size_t size;
	int err;

	put_le32(bytes, LOCAL_CDB_HELLO_SIZE);
	local_cdb_hello_encode(&hello, bytes + LOCAL_LENGTH_SIZE);
	err = send_all(fd, bytes, sizeof(bytes));
	if (err == 0)
		err = receive_message(fd, bytes, sizeof(bytes), &size);
	if (err == 0 && (!local_cdb_hello_decode(bytes, size, &hello) ||
			 hello.version != LOCAL_CDB_VERSION))
		err = -EPROTO;
	return err;
}

static int
connect_socket(const char *path, int *ret_fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval limit = {.tv_sec = COMMAND_MS / 1000};
	int fd, err;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	err = connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno
									    : say_hello(fd);
	if (err < 0)
		close(fd);
	else
		*ret_fd = fd;
	return err;
}

DWORD
device_open_socket(const char *socket_path, struct device_path **ret_path)
{
	static const struct device_path_ops ops = {socket_execute, socket_close};
	struct socket_path *p = calloc(1, sizeof(*p));
	int err = p ? connect_socket(socket_path, &p->fd) : -ENOMEM;

	if (err < 0) {
		free(p);
		return spd_fail(err == -ENOENT || err == -ECONNREFUSED ? ERROR_FILE_NOT_FOUND
								       : spd_win32_from_errno(err),
				"%s: %s", socket_path, strerror(-err));
	}
	p->path.ops = &ops;
	*ret_path = &p->path;
	return ERROR_SUCCESS;
}

/* ---------------------------------------------------------------- a device of the kernel */

struct node_path {
	struct device_path path;
	int fd;
};

static DWORD
node_execute(struct device_path *path, struct device_command *c)
{
	struct node_path *p = container_of(path, struct node_path, path);
	sg_io_hdr_t h = {.interface_id = 'S', .cmd_len = c->n_cdb, .mx_sb_len = sizeof(c->sense),
			 .dxfer_len = c->size, .dxferp = c->data, .timeout = COMMAND_MS,
			 .cmdp = (unsigned char *)(uintptr_t)c->cdb, .sbp = c->sense};

	h.dxfer_direction = c->size == 0	? SG_DXFER_NONE
			    : c->direction < 0 ? SG_DXFER_FROM_DEV
					       : SG_DXFER_TO_DEV;
	if (ioctl(p->fd, SG_IO, &h) < 0)
		return spd_fail_errno(errno, "SG_IO: %s", strerror(errno));
	if (h.host_status || (h.driver_status & 0x0f & ~8))
		return spd_fail(ERROR_IO_DEVICE, "SG_IO: host status %u, driver status %u",
				h.host_status, h.driver_status);
	c->status = h.status;
	c->moved = c->size - (h.resid > 0 ? MIN((uint32_t)h.resid, c->size) : 0);
	return ERROR_SUCCESS;
}

static void
node_close(struct device_path *path)
{
	struct node_path *p = container_of(path, struct node_path, path);

	close_fd(&p->fd);
	free(p);
}

DWORD
device_open_node(const char *node, struct device_path **ret_path)
{
	static const struct device_path_ops ops = {node_execute, node_close};
	struct node_path *p = calloc(1, sizeof(*p));

	if (!p)
		return spd_fail(ERROR_NO_SYSTEM_RESOURCES, "out of memory");
	p->path.ops = &ops;
	p->fd = open(node, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (p->fd < 0) {
		DWORD error = spd_fail_errno(errno, "%s: %s", node, strerror(errno));

		free(p);
		return error;
	}
	*ret_path = &p->path;
	return ERROR_SUCCESS;
}
