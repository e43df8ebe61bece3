/* What all operations share: paths, slots, observable facts, the table of calls. */
#include "tests/model/model.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

struct model_config config = {.max_size = 1 << 20, .xattr_max = 200};

/*
 * Path argument: three pool indices of 8 bits (255: none), bit 24: trailing slash,
 * bits 25-29: 0 for the side's root or slot + 1 for a path below an open directory.
 */
void
path_decode(const struct side *s, int64_t arg, struct path *p)
{
	unsigned base = (unsigned)(arg >> 25) & 31;
	size_t n = 0;

	p->base = base == 0 || base > N_SLOTS ? s->dir.fd : s->fds[base - 1];
	for (int shift = 0; shift < 24; shift += 8) {
		const char *name = pool_name((unsigned)(arg >> shift) & 255);

		if (name != NULL)
			n += (size_t)sprintf(p->rel + n, "%s%s", n ? "/" : "", name);
	}
	if (n == 0)
		n += (size_t)sprintf(p->rel, ".");
	if (arg >> 24 & 1)
		strcpy(p->rel + n, "/");
	/* A removed or replaced base gives the same errno here as with an at-call. */
	snprintf(p->full, sizeof(p->full), "/proc/self/fd/%d/%s", p->base, p->rel);
}

void
outcome_set(struct outcome *o, int64_t ret)
{
	o->ret = ret;
	o->err = ret < 0 ? errno : 0;
}

/* Sizes and link counts of directories mean something else on each file system. */
void
facts_stat(struct buf *t, const struct stat *st)
{
	buf_printf(t, " mode=%o uid=%u gid=%u", st->st_mode, st->st_uid, st->st_gid);
	if (S_ISDIR(st->st_mode))
		return;
	buf_printf(t, " size=%lld", (long long)st->st_size);
	if (!config.no_nlink)
		buf_printf(t, " nlink=%lu", (unsigned long)st->st_nlink);
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
		buf_printf(t, " rdev=%u:%u", major(st->st_rdev), minor(st->st_rdev));
}

/*
 * Times that a test set are far from the present and must be equal to 100 ns, the finest
 * step of NT; all others need only be of today.
 */
static void
facts_time(struct buf *t, const char *name, const struct timespec *ts)
{
	time_t now = time(NULL);

	if (ts->tv_sec > now - 86400 && ts->tv_sec < now + 86400)
		buf_printf(t, " %s=now", name);
	else
		buf_printf(t, " %s=%lld.%07ld", name, (long long)ts->tv_sec,
			   ts->tv_nsec / 100);
}

void
facts_mtime(struct buf *t, const struct stat *st)
{
	if (!config.no_mtime)
		facts_time(t, "mtime", &st->st_mtim);
}

void
facts_atime(struct buf *t, const struct stat *st)
{
	if (!config.no_mtime)
		facts_time(t, "atime", &st->st_atim);
}

static void
facts_fd(struct buf *t, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		buf_printf(t, "\n fstat errno=%d", errno);
	else {
		buf_printf(t, "\n fstat");
		facts_stat(t, &st);
	}
}

static void
facts_path(struct buf *t, const struct side *s, int64_t arg)
{
	struct path p;
	struct stat st;

	path_decode(s, arg, &p);
	if (fstatat(p.base, p.rel, &st, AT_SYMLINK_NOFOLLOW) < 0)
		buf_printf(t, "\n lstat errno=%d", errno);
	else {
		buf_printf(t, "\n lstat");
		facts_stat(t, &st);
	}
}

void
op_execute(struct side *s, const struct op *op, struct outcome *o)
{
	const struct call_def *def = model_call(op->call);

	errno = 0;
	def->run(s, op->args, def->how, o);
	for (int i = 0; op->verify && def->args[i]; i++) {
		if (strchr("PoldNe", def->args[i]))
			facts_path(&o->facts, s, op->args[i]);
		else if (strchr("sSHE", def->args[i]))
			facts_fd(&o->facts, s->fds[op->args[i]]);
	}
}

void
touch_fd(int fd)
{
	const struct timespec now[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_NOW}};

	/* Fails on descriptors that cannot do it: then there was nothing to bring in
	 * line. */
	if (!config.no_mtime && futimens(fd, now) < 0)
		errno = 0;
}

void
side_settle(struct side *s)
{
	for (int i = 0; i < N_MAPS; i++) {
		struct map *m = &s->maps[i];

		if (!m->dirty)
			continue;
		if (m->base != NULL)
			msync(m->base, m->len, MS_SYNC);
		fsync(m->fd);
		m->dirty = false;
	}
}

void
side_init(struct side *s, const char *parent, const char *name)
{
	*s = (struct side){0};
	workdir_create(&s->dir, parent, name);
	for (int i = 0; i < N_SLOTS; i++)
		s->fds[i] = -1;
	for (int i = 0; i < N_MAPS; i++)
		s->maps[i].fd = -1;
}

void
side_close_slot(struct side *s, int slot)
{
	if (s->fds[slot] >= 0)
		close(s->fds[slot]);
	s->fds[slot] = -1;
}

void
side_fini(struct side *s, bool keep)
{
	for (int i = 0; i < N_SLOTS; i++)
		side_close_slot(s, i);
	for (int i = 0; i < N_MAPS; i++)
		map_drop(&s->maps[i]);
	if (keep)
		close(s->dir.fd);
	else
		workdir_remove_all(&s->dir);
}

const struct call_def *
model_call(unsigned index)
{
	const struct call_def *const tables[] = {data_calls, name_calls, meta_calls};
	const size_t sizes[] = {n_data_calls, n_name_calls, n_meta_calls};

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		if (index < sizes[i])
			return &tables[i][index];
		index -= (unsigned)sizes[i];
	}
	return NULL;
}

int
model_call_find(const char *name)
{
	const struct call_def *def;

	for (unsigned i = 0; (def = model_call(i)) != NULL; i++)
		if (strcmp(def->name, name) == 0)
			return (int)i;
	return -1;
}
