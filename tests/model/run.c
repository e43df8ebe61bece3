/* Two sides in step: compares what each operation shows, and plants differences on
 * request. */
#include "tests/model/model.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

uint64_t call_counts[N_CALLS_MAX][2];

void
ops_add(struct ops *ops, const struct op *op)
{
	if (ops->n == ops->cap) {
		ops->cap = ops->cap ? ops->cap * 2 : 1024;
		ops->v = must_grow(ops->v, ops->cap * sizeof(*ops->v));
	}
	ops->v[ops->n++] = *op;
}

void
session_start(struct session *se, const char *drive_dir, const char *ref_dir)
{
	*se = (struct session){0};
	umask(022);
	side_init(&se->drive, drive_dir, "fsmodel-drive");
	side_init(&se->ref, ref_dir, "fsmodel-reference");
}

void
session_end(struct session *se, bool keep)
{
	side_fini(&se->drive, keep);
	side_fini(&se->ref, keep);
	buf_fini(&se->mismatch.report);
}

/* "CALL:ERRNO" rows of --allow: what the drive need not be able to do. */
static bool
outcome_allowed(const struct call_def *def, const struct outcome *o)
{
	const char *errno_name = o->ret < 0 ? strerrorname_np(o->err) : NULL;
	size_t n = strlen(def->name);

	for (size_t i = 0; errno_name != NULL && i < config.allow.n; i++) {
		const char *rule = config.allow.items[i];

		if (strncmp(rule, def->name, n) == 0 && rule[n] == ':' &&
		    strcmp(rule + n + 1, errno_name) == 0)
			return true;
	}
	return false;
}

/* The drive declined: only a mapping is gone from its slot before the attempt. */
static void
side_follow_declined(struct side *ref, const struct op *op)
{
	const char *args = model_call(op->call)->args;

	for (int i = 0; args[i]; i++)
		if (args[i] == 'm')
			map_drop(&ref->maps[op->args[i]]);
}

/* Flips a byte of the first file with content; false when there is none. */
static bool
plant_in_dir(int dir_fd)
{
	struct listing l;
	bool done = false;

	if (listing_read(dir_fd, &l) < 0)
		return false;
	for (size_t i = 0; i < l.n && !done; i++) {
		int dir = openat(dir_fd, l.names[i],
				 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		int fd = openat(dir_fd, l.names[i],
				O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		unsigned char byte;

		if (dir >= 0)
			done = plant_in_dir(dir);
		else if (fd >= 0 && pread(fd, &byte, 1, 0) == 1) {
			byte ^= 1;
			done = pwrite(fd, &byte, 1, 0) == 1;
		}
		if (dir >= 0)
			close(dir);
		if (fd >= 0)
			close(fd);
	}
	listing_free(&l);
	return done;
}

/*
 * Proof that the comparison works. FSMODEL_PLANT=N flips the result of the Nth operation,
 * FSMODEL_PLANT=CALL that of each CALL that succeeds, FSMODEL_PLANT_DATA=N changes a byte
 * of the drive behind the model's back, after the Nth operation.
 */
static void
plant(struct session *se, const struct call_def *def, struct outcome *drive)
{
	const char *result = getenv("FSMODEL_PLANT"),
		   *data = getenv("FSMODEL_PLANT_DATA");

	if (result != NULL && (strtoull(result, NULL, 10) == se->n_done + 1 ||
			       (strcmp(result, def->name) == 0 && drive->ret >= 0)))
		drive->ret ^= 1;
	if (data != NULL && strtoull(data, NULL, 10) <= se->n_done &&
	    def->args[0] != '\0' && plant_in_dir(se->drive.dir.fd))
		unsetenv("FSMODEL_PLANT_DATA");
}

static bool
text_has_line(const struct buf *t, const char *line, size_t n)
{
	for (const char *at = t->s; at != NULL; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (strncmp(at, line, n) == 0 && (at[n] == '\n' || at[n] == '\0'))
			return true;
	}
	return false;
}

/* The lines that only one of the two texts has, the first few. */
static void
report_lines(struct buf *report, const char *label, const struct buf *t,
	     const struct buf *other)
{
	unsigned shown = 0;

	for (const char *at = t->s; at != NULL && shown < 10; at = strchr(at, '\n')) {
		size_t n;

		at += *at == '\n';
		n = strcspn(at, "\n");
		if (n > 0 && !text_has_line(other, at, n)) {
			buf_printf(report, "  %s:%s%.*s\n", label, *at == ' ' ? "" : " ",
				   (int)n, at);
			shown++;
		}
	}
}

static void
report_outcome(struct buf *report, const char *label, const struct outcome *o)
{
	buf_printf(report, "  %s: returned %lld", label, (long long)o->ret);
	if (o->err)
		buf_printf(report, " (%s)", strerrorname_np(o->err));
	buf_printf(report, "\n");
}

static void
mismatch_set(struct session *se, const struct op *op, const struct outcome *drive,
	     const struct outcome *ref)
{
	struct mismatch *m = &se->mismatch;

	m->found = true;
	m->index = se->n_done;
	m->call = op->call;
	buf_printf(&m->report, "operation %zu differs: ", se->n_done + 1);
	op_format(op, &m->report);
	buf_printf(&m->report, "\n");
	report_outcome(&m->report, "drive    ", drive);
	report_outcome(&m->report, "reference", ref);
	report_lines(&m->report, "drive    ", &drive->facts, &ref->facts);
	report_lines(&m->report, "reference", &ref->facts, &drive->facts);
}

static bool
outcome_equal(const struct outcome *a, const struct outcome *b)
{
	return a->ret == b->ret && a->err == b->err && a->facts.n == b->facts.n &&
	       (a->facts.n == 0 || memcmp(a->facts.s, b->facts.s, a->facts.n) == 0);
}

bool
session_step(struct session *se, const struct op *op)
{
	const struct call_def *def = model_call(op->call);
	struct outcome drive = {0}, ref = {0};

	/* The drive goes first, so that what it declines is not done to the reference
	 * either. */
	op_execute(&se->drive, op, &drive);
	call_counts[op->call][drive.ret < 0]++;
	if (outcome_allowed(def, &drive)) {
		side_follow_declined(&se->ref, op);
		se->n_allowed++;
	} else {
		op_execute(&se->ref, op, &ref);
		plant(se, def, &drive);
		check(!buf_error(&drive.facts) && !buf_error(&ref.facts),
		      "out of memory");
		if (!outcome_equal(&drive, &ref))
			mismatch_set(se, op, &drive, &ref);
	}
	buf_fini(&drive.facts);
	buf_fini(&ref.facts);
	se->n_done++;
	return !se->mismatch.found;
}

void
session_replay(const char *drive_dir, const char *ref_dir, const struct ops *ops,
	       struct mismatch *ret_mismatch)
{
	const struct op state = {.call = (uint16_t)model_call_find("state")};
	struct session se;
	bool same = true;

	session_start(&se, drive_dir, ref_dir);
	for (size_t i = 0; same && i < ops->n; i++)
		same = session_step(&se, &ops->v[i]);
	if (same)
		session_step(&se, &state);
	*ret_mismatch = se.mismatch;
	se.mismatch.report = (struct buf){0};
	session_end(&se, false);
}
