/*
 * iscsi:// by libiscsi. Its headers have names that collide with scsi/result.h: neither
 * that nor anything that includes it belongs here. One session, one connection; what ends
 * it is not made good by reconnecting, because a test must see it.
 */
#include <errno.h>
#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "tools/disk/client_priv.h"
#include "tools/disk/iscsi_url.h"

struct iscsi_disk {
	struct disk disk;
	struct iscsi_context *context;
	bool connected, logged_out;
	int connect_status; /* -1: under way */
	char reason[256];   /* why there is no session, as it was when it failed */
	int tmf_response;   /* -1: under way; -2: failed */
};

static struct iscsi_disk *
iscsi_of(struct disk *disk)
{
	return container_of(disk, struct iscsi_disk, disk);
}

/* Turns of the event loop of at most 500 ms: libiscsi wants to look at its own clock. */
static int
service(struct iscsi_disk *d, int timeout_ms)
{
	struct pollfd p = {.fd = iscsi_get_fd(d->context),
			   .events = (short)iscsi_which_events(d->context)};
	int ms = timeout_ms < 0 || timeout_ms > 500 ? 500 : timeout_ms;
	int n = poll(&p, 1, p.events ? ms : MIN(ms, 100));

	if (n < 0 && errno != EINTR)
		return -errno;
	return iscsi_service(d->context, n > 0 ? p.revents : 0) < 0 ? -ECONNRESET : 0;
}

/* libiscsi's text holds what the peer sent. */
static void
clean_error(struct iscsi_disk *d, char *dst, size_t cap)
{
	const char *s = iscsi_get_error(d->context);

	snprintf(dst, cap, "%s", s && *s ? s : "the connection was closed");
	for (char *p = dst; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
}

/* What a task's callback needs: the work itself may be gone when the connection has
 * failed. */
struct iscsi_slot {
	struct iscsi_disk *d;
	struct disk_cdb *work;
	struct scsi_task *task;
};

static void
slot_free(struct iscsi_slot *slot)
{
	scsi_free_scsi_task(slot->task);
	free(slot);
}

static void
task_done(struct iscsi_context *context UNUSED, int status, void *data UNUSED,
	  void *private_data)
{
	struct iscsi_slot *slot = private_data;
	struct iscsi_disk *d = slot->d;
	struct disk_cdb *work = slot->work;
	struct scsi_task *task = slot->task;
	size_t n;

	if (d->disk.failure.err) { /* given up before */
		slot_free(slot);
		return;
	}
	if (status < 0 || status > 0xff) { /* SCSI_STATUS_ERROR, _CANCELLED, _TIMEOUT */
		work->out.err =
			status == (int)SCSI_STATUS_TIMEOUT ? ETIMEDOUT : ECONNRESET;
	} else {
		work->out.status = (uint8_t)status;
		work->n_done = work->n_data;
		if (task->residual_status == SCSI_RESIDUAL_UNDERFLOW)
			work->n_done -=
				(uint32_t)MIN(task->residual, (size_t)work->n_data);
	}
	/* RFC 7143 11.4.7.2: two bytes of length, then sense data */
	if (status == SCSI_STATUS_CHECK_CONDITION && task->datain.data &&
	    task->datain.size > 2) {
		n = MIN((size_t)task->datain.size - 2, sizeof(work->out.sense));
		memcpy(work->out.sense, task->datain.data + 2, n);
		work->out.n_sense = (uint8_t)n;
	}
	slot_free(slot);
	disk_work_done(&d->disk, work);
}

static void
iscsi_disk_submit(struct disk *disk, struct disk_cdb *work)
{
	static const int directions[] = {[DISK_NONE] = SCSI_XFER_NONE,
					 [DISK_IN] = SCSI_XFER_READ,
					 [DISK_OUT] = SCSI_XFER_WRITE};
	struct iscsi_disk *d = iscsi_of(disk);
	struct iscsi_data out = {.size = work->n_data, .data = work->data};
	struct iscsi_slot *slot = calloc(1, sizeof(*slot));
	struct scsi_task *task = scsi_create_task(
		work->n_cdb, work->cdb, work->n_data ? directions[work->direction] : 0,
		(int)work->n_data);

	if (!slot || !task) {
		free(slot);
		if (task)
			scsi_free_scsi_task(task);
		work->out.err = ENOMEM;
		disk_work_done(disk, work);
		return;
	}
	*slot = (struct iscsi_slot){d, work, task};
	if (work->direction == DISK_IN && work->n_data)
		scsi_task_add_data_in_buffer(task, (int)work->n_data, work->data);
	if (iscsi_scsi_command_async(d->context, disk->lun, task, task_done,
				     work->direction == DISK_OUT && work->n_data ? &out
										 : NULL,
				     slot) != 0) {
		slot_free(slot);
		work->out.err = ECONNRESET;
		disk_work_done(disk, work);
	}
}

static void
iscsi_disk_pump(struct disk *disk, int timeout_ms)
{
	struct iscsi_disk *d = iscsi_of(disk);
	uint64_t until = clock_monotonic_ns() + (uint64_t)MAX(timeout_ms, 0) * 1000000;
	unsigned before = disk->n_active;
	char text[256];
	int err;

	do {
		err = service(d, timeout_ms < 0 ? -1 : disk_ms_left(until, timeout_ms));
		if (err) {
			clean_error(d, text, sizeof(text));
			disk_fail(disk, -err, "%s: the session ended: %s", disk->target,
				  text);
			return;
		}
	} while (before && disk->n_active == before &&
		 (timeout_ms < 0 || clock_monotonic_ns() < until));
}

static void
tmf_done(struct iscsi_context *context UNUSED, int status, void *data, void *private_data)
{
	struct iscsi_disk *d = private_data;

	d->tmf_response =
		status == SCSI_STATUS_GOOD && data ? (int)*(uint32_t *)data : -2;
}

static int
iscsi_disk_reset(struct disk *disk, enum disk_reset what, struct disk_error *error)
{
	struct iscsi_disk *d = iscsi_of(disk);
	uint64_t until = clock_monotonic_ns() + disk->options.request_ms * 1000000ull;
	int rc;

	d->tmf_response = -1;
	rc = what == DISK_RESET_LUN
		     ? iscsi_task_mgmt_lun_reset_async(d->context, (uint32_t)disk->lun,
						       tmf_done, d)
		     : iscsi_task_mgmt_target_warm_reset_async(d->context, tmf_done, d);
	while (rc == 0 && d->tmf_response == -1 && clock_monotonic_ns() < until)
		rc = service(d, disk_ms_left(until, -1));
	if (rc || d->tmf_response < 0)
		return disk_error_set(error, ETIMEDOUT, "%s: the reset was not answered",
				      disk->target);
	if (d->tmf_response)
		return disk_error_set(
			error, EOPNOTSUPP,
			"%s: the target refused the reset (response %d, RFC 7143 11.6.1)",
			disk->target, d->tmf_response);
	return 0;
}

static void
logged_out(struct iscsi_context *context UNUSED, int status UNUSED, void *data UNUSED,
	   void *private_data)
{
	struct iscsi_disk *d = private_data;

	d->logged_out = true;
}

/* A second for an orderly end; then the connection is dropped. */
static void
logout(struct iscsi_disk *d)
{
	uint64_t until = clock_monotonic_ns() + 1000000000;

	if (iscsi_logout_async(d->context, logged_out, d) != 0)
		return;
	while (!d->logged_out && clock_monotonic_ns() < until && service(d, 100) == 0)
		;
}

static void
iscsi_disk_close(struct disk *disk)
{
	struct iscsi_disk *d = iscsi_of(disk);

	disk_fail(disk, ECANCELED, "%s: closed", disk->target);
	if (d->context) {
		if (d->connected && disk->failure.err == ECANCELED)
			logout(d);
		iscsi_destroy_context(d->context);
	}
	disk_fini(disk);
	free(d);
}

static const struct disk_ops iscsi_ops = {
	.way = "iscsi",
	.cdbs = true,
	.submit = iscsi_disk_submit,
	.pump = iscsi_disk_pump,
	.reset = iscsi_disk_reset,
	.close = iscsi_disk_close,
	.deadlines = true,
};

static void
connected(struct iscsi_context *context UNUSED, int status, void *data UNUSED,
	  void *private_data)
{
	struct iscsi_disk *d = private_data;

	d->connect_status = status;
	if (status != SCSI_STATUS_GOOD && !*d->reason)
		clean_error(d, d->reason, sizeof(d->reason));
}

static int
set_secrets(struct iscsi_disk *d, const struct disk_iscsi_url *u,
	    struct disk_error *error)
{
	char secret[256];
	int err = 0;

	if (*u->user) {
		err = disk_secret_read(u->secret_file, "USERDRIVE_CHAP_SECRET", secret,
				       error);
		if (!err)
			iscsi_set_initiator_username_pwd(d->context, u->user, secret);
	}
	if (!err && *u->mutual_user) {
		err = disk_secret_read(u->mutual_secret_file,
				       "USERDRIVE_CHAP_MUTUAL_SECRET", secret, error);
		if (!err)
			iscsi_set_target_username_pwd(d->context, u->mutual_user, secret);
	}
	explicit_bzero(secret, sizeof(secret));
	return err;
}

/* The nexus is named by the ISID too, RFC 7143 4.4.3: 06h, a constant of this program. */
enum { FIXED_ISID = 0x55d71e };

static int
iscsi_prepare(struct iscsi_disk *d, const struct disk_iscsi_url *u,
	      struct disk_error *error)
{
	const struct disk_options *o = &d->disk.options;
	char name[256];

	snprintf(name, sizeof(name), "iqn.2026-01.org.userdrive:%s",
		 program_invocation_short_name);
	d->context = iscsi_create_context(*u->initiator	 ? u->initiator
					  : o->initiator ? o->initiator
							 : name);
	if (!d->context)
		return disk_error_set(error, ENOMEM, "%s: out of memory", d->disk.target);
	if (o->fixed_isid)
		iscsi_set_isid_random(d->context, FIXED_ISID, 0);
	iscsi_set_targetname(d->context, u->iqn);
	iscsi_set_session_type(d->context, ISCSI_SESSION_NORMAL);
	iscsi_set_header_digest(d->context, u->digest ? ISCSI_HEADER_DIGEST_CRC32C
						      : ISCSI_HEADER_DIGEST_NONE);
	iscsi_set_noautoreconnect(d->context, 1);
	iscsi_set_timeout(d->context, 0); /* disk->options has the limits */
	d->disk.lun = o->lun >= 0 ? o->lun : MAX(u->lun, 0);
	return set_secrets(d, u, error);
}

static void
login_done(struct iscsi_context *context, int status, void *data UNUSED,
	   void *private_data)
{
	connected(context, status, NULL, private_data);
}

static void
tcp_done(struct iscsi_context *context, int status, void *data UNUSED, void *private_data)
{
	if (status != SCSI_STATUS_GOOD ||
	    iscsi_login_async(context, login_done, private_data) != 0)
		connected(context, SCSI_STATUS_ERROR, NULL, private_data);
}

static int
iscsi_connect(struct iscsi_disk *d, const char *portal, struct disk_error *error)
{
	uint64_t until = clock_monotonic_ns() + d->disk.options.connect_ms * 1000000ull;
	int rc;

	d->connect_status = -1;
	rc = iscsi_connect_async(d->context, portal, tcp_done, d);
	while (rc == 0 && d->connect_status == -1) {
		if (clock_monotonic_ns() >= until)
			return disk_error_set(error, ETIMEDOUT,
					      "%s: %s did not complete the login in time",
					      d->disk.target, portal);
		rc = service(d, disk_ms_left(until, -1));
	}
	d->connected = rc == 0 && d->connect_status == SCSI_STATUS_GOOD;
	if (d->connected)
		return 0;
	if (!*d->reason)
		clean_error(d, d->reason, sizeof(d->reason));
	return disk_error_set(error, ECONNREFUSED, "%s: no session with %s: %s",
			      d->disk.target, portal, d->reason);
}

int
disk_open_iscsi(const char *target, const struct disk_options *options,
		struct disk_error *error, struct disk **ret_disk)
{
	struct disk_iscsi_url url;
	struct iscsi_disk *d;
	int err = disk_iscsi_url_parse(target, &url, error);

	if (err)
		return err;
	d = calloc(1, sizeof(*d));
	if (!d || !disk_init(&d->disk, &iscsi_ops, target, options)) {
		free(d);
		return disk_error_set(error, ENOMEM, "%s: out of memory", target);
	}
	err = iscsi_prepare(d, &url, error);
	if (!err)
		err = iscsi_connect(d, url.portal, error);
	if (!err)
		err = disk_read_geometry(&d->disk, error);
	if (err) {
		iscsi_disk_close(&d->disk);
		return err;
	}
	*ret_disk = &d->disk;
	return 0;
}
