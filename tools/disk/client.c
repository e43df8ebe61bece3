/* The front of the disk client: which way in, and the accounts of requests under way. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "scsi/result.h"
#include "tools/disk/client_priv.h"

enum { CONNECT_MS = 10000, REQUEST_MS = 30000 };

static const struct {
	const char *prefix; /* compared without case */
	disk_open_fn *open;
} ways[] = {
	{"iscsi://", disk_open_iscsi},
	{"\\\\.\\pipe\\", disk_open_pipe},
	{"", disk_open_system},
};

int
disk_error_set(struct disk_error *error, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(error->text, sizeof(error->text), fmt, ap);
	va_end(ap);
	error->err = err;
	return -err;
}

bool
disk_init(struct disk *disk, const struct disk_ops *ops, const char *target,
	  const struct disk_options *options)
{
	disk->ops = ops;
	disk->options = *options;
	disk->lun = MAX(options->lun, 0);
	list_init(&disk->active);
	list_init(&disk->done);
	disk->target = strdup(target);
	return disk->target;
}

void
disk_fini(struct disk *disk)
{
	free(disk->target);
}

int
disk_open(const char *target, const struct disk_options *options,
	  struct disk_error *error, struct disk **ret_disk)
{
	static const struct disk_options none = {.lun = -1};
	struct disk_options o = options ? *options : none;
	size_t i = 0;

	*error = (struct disk_error){0};
	if (!*target)
		return disk_error_set(error, EINVAL, "the name of the disk is empty");
	o.connect_ms = o.connect_ms ? o.connect_ms : CONNECT_MS;
	o.request_ms = o.request_ms ? o.request_ms : REQUEST_MS;
	o.depth = MIN(MAX(o.depth, 1u), (unsigned)DISK_DEPTH_MAX);
	while (strncasecmp(target, ways[i].prefix, strlen(ways[i].prefix)) != 0)
		i++;
	return ways[i].open(target, &o, error, ret_disk);
}

void
disk_close(struct disk *disk)
{
	if (disk)
		disk->ops->close(disk);
}

const struct disk_geometry *
disk_geometry(const struct disk *disk)
{
	return &disk->geometry;
}

const char *
disk_way(const struct disk *disk)
{
	return disk->ops->way;
}

const char *
disk_target(const struct disk *disk)
{
	return disk->target;
}

bool
disk_takes_cdbs(const struct disk *disk)
{
	return disk->ops->cdbs;
}

unsigned
disk_outstanding(const struct disk *disk)
{
	return disk->n_active + disk->n_done;
}

const struct disk_error *
disk_failure(const struct disk *disk)
{
	return &disk->failure;
}

void
disk_work_done(struct disk *disk, struct disk_cdb *work)
{
	struct disk_req *req = work->req;

	list_remove(&work->link);
	disk->n_active--;
	work->finished = true;
	if (!req)
		return;
	req->out = work->out;
	free(take(&req->parameters));
	list_insert(&disk->done, &work->link);
	disk->n_done++;
}

void
disk_fail(struct disk *disk, int err, const char *fmt, ...)
{
	if (!disk->failure.err) {
		va_list ap;

		va_start(ap, fmt);
		vsnprintf(disk->failure.text, sizeof(disk->failure.text), fmt, ap);
		va_end(ap);
		disk->failure.err = err;
	}
	while (!list_empty(&disk->active)) {
		struct disk_cdb *work = list_first(&disk->active, struct disk_cdb, link);

		work->out.err = disk->failure.err;
		disk_work_done(disk, work);
	}
}

static void
work_begin(struct disk *disk, struct disk_cdb *work, struct disk_req *req)
{
	unsigned ms = work->timeout_ms ? work->timeout_ms : disk->options.request_ms;

	work->out = (struct disk_outcome){0};
	work->n_done = 0;
	work->finished = false;
	work->req = req;
	work->id = ++disk->last_id;
	work->deadline_ns = clock_monotonic_ns() + ms * 1000000ull;
	list_insert(&disk->active, &work->link);
	disk->n_active++;
}

static void
work_go(struct disk *disk, struct disk_cdb *work, int err)
{
	if (!err && !disk->failure.err) {
		disk->ops->submit(disk, work);
		return;
	}
	work->out.err = err ? -err : disk->failure.err;
	disk_work_done(disk, work);
}

void
disk_submit(struct disk *disk, struct disk_req *req)
{
	int err = 0;

	req->parameters = NULL;
	req->work = (struct disk_cdb){0};
	if (disk->ops->cdbs)
		err = disk_cdb_from_req(disk, req);
	work_begin(disk, &req->work, req);
	work_go(disk, &req->work, err);
}

int
disk_ms_left(uint64_t deadline_ns, int timeout_ms)
{
	uint64_t now = clock_monotonic_ns();
	uint64_t ms;

	if (deadline_ns <= now)
		return 0;
	ms = (deadline_ns - now + 999999) / 1000000;
	return timeout_ms < 0 ? (int)MIN(ms, 1000000000u)
			      : (int)MIN(ms, (uint64_t)timeout_ms);
}

/* Those with a timeout of their own may be anywhere in the list, which is short. */
static uint64_t
first_deadline(const struct disk *disk)
{
	uint64_t first = UINT64_MAX;

	list_for_each (pos, &disk->active)
		first = MIN(first, list_entry(pos, struct disk_cdb, link)->deadline_ns);
	return first;
}

static void
pump(struct disk *disk, int timeout_ms)
{
	uint64_t deadline_ns;

	if (!disk->ops->deadlines) {
		disk->ops->pump(disk, timeout_ms);
		return;
	}
	deadline_ns = first_deadline(disk);
	disk->ops->pump(disk, disk_ms_left(deadline_ns, timeout_ms));
	deadline_ns = first_deadline(disk);
	if (deadline_ns != UINT64_MAX && clock_monotonic_ns() >= deadline_ns)
		disk_fail(disk, ETIMEDOUT, "%s: no answer within the time limit",
			  disk->target);
}

struct disk_req *
disk_next(struct disk *disk, int timeout_ms)
{
	uint64_t until = timeout_ms < 0
				 ? UINT64_MAX
				 : clock_monotonic_ns() + (uint64_t)timeout_ms * 1000000;
	struct disk_cdb *work;
	int left;

	while (list_empty(&disk->done) && disk->n_active) {
		left = timeout_ms < 0 ? -1 : disk_ms_left(until, timeout_ms);
		pump(disk, left);
		if (left == 0)
			break;
	}
	if (list_empty(&disk->done))
		return NULL;
	work = list_first(&disk->done, struct disk_cdb, link);
	list_remove(&work->link);
	disk->n_done--;
	return work->req;
}

struct disk_outcome
disk_io(struct disk *disk, struct disk_req *req)
{
	disk_submit(disk, req);
	while (disk_next(disk, -1) != req)
		;
	return req->out;
}

int
disk_execute(struct disk *disk, struct disk_cdb *cdb)
{
	if (!disk->ops->cdbs)
		return -EOPNOTSUPP;
	work_begin(disk, cdb, NULL);
	work_go(disk, cdb, 0);
	while (!cdb->finished)
		pump(disk, -1);
	return -cdb->out.err;
}

int
disk_reset(struct disk *disk, enum disk_reset what, struct disk_error *error)
{
	if (disk->failure.err) {
		*error = disk->failure;
		return -error->err;
	}
	if (!disk->ops->reset)
		return disk_error_set(error, EOPNOTSUPP,
				      "%s: no task management by this way in",
				      disk->target);
	return disk->ops->reset(disk, what, error);
}

void
disk_outcome_format(const struct disk *disk, const struct disk_outcome *out, char *dst,
		    size_t cap)
{
	struct scsi_result res;
	int n;

	if (out->err) {
		bool known = disk && disk->failure.err == out->err;

		snprintf(dst, cap, "%s", known ? disk->failure.text : strerror(out->err));
		return;
	}
	n = snprintf(dst, cap, "%s", scsi_status_name(out->status));
	if (out->status != SCSI_CHECK_CONDITION || n < 0 || (size_t)n >= cap)
		return;
	if (!scsi_sense_parse(out->sense, out->n_sense, &res)) {
		snprintf(dst + n, cap - n, ", without sense data that can be read");
		return;
	}
	n += snprintf(dst + n, cap - n, ": %s, %s (%02Xh/%02Xh)", scsi_key_name(res.key),
		      scsi_sense_text(res.asc, res.ascq), res.asc, res.ascq);
	if (res.info_valid && (size_t)n < cap)
		n += snprintf(dst + n, cap - n, ", information %llXh",
			      (unsigned long long)res.info);
	if (res.field_valid && (size_t)n < cap) {
		n += snprintf(dst + n, cap - n, ", %s byte %u",
			      res.field_in_cdb ? "CDB" : "parameter list", res.field);
		if (res.field_bit < SCSI_FIELD_BYTE && (size_t)n < cap)
			n += snprintf(dst + n, cap - n, " bit %u", res.field_bit);
	}
	if (res.progress_valid && (size_t)n < cap)
		snprintf(dst + n, cap - n, ", progress %u%%",
			 res.progress * 100u / 65536);
}

void *
disk_alloc(size_t size)
{
	void *p;

	if (posix_memalign(&p, 4096, MAX(size, (size_t)1)) != 0)
		return NULL;
	memset(p, 0, size);
	return p;
}
