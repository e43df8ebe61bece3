#include "tests/durability/crashlog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/mutex.h"

enum { FD_FIRST = 1000, FILES_MAX = 4, XATTR_MAX = 4096 };

struct event {
	enum { CHANGE, SIZE, SYNC_BEGIN, SYNC_END } kind;
	int file;
	uint64_t offset; /* SIZE: the new one; SYNC_END: the event of its beginning */
	size_t n;
	uint8_t *bytes; /* CHANGE; NULL: zeroes */
	bool forgotten; /* by a sync that failed */
};

struct file {
	char path[4096];
	uint8_t *bytes;
	uint64_t size;
	char xattr[XATTR_MAX];
	size_t n_xattr;
};

static struct {
	struct mutex lock; /* rules all but limit */
	size_t limit;
	struct file files[FILES_MAX];
	int n_files;
	struct event *events;
	size_t n_events, cap;
	unsigned fails[CRASHLOG_N_CALLS]; /* calls until then; 0: never */
	bool is_ready;
} g;

void
crashlog_fini(void)
{
	for (size_t i = 0; i < g.n_events; i++)
		free(g.events[i].bytes);
	free(g.events);
	for (int i = 0; i < g.n_files; i++)
		free(g.files[i].bytes);
	if (g.is_ready)
		mutex_fini(&g.lock);
	memset(&g, 0, sizeof(g));
}

void
crashlog_reset(size_t limit)
{
	crashlog_fini();
	mutex_init(&g.lock);
	g.is_ready = true;
	g.limit = limit;
}

static size_t
note_locked(struct event e, const void *bytes)
{
	if (g.n_events == g.cap) {
		g.cap = g.cap ? 2 * g.cap : 256;
		g.events = realloc(g.events, g.cap * sizeof(*g.events));
		if (!g.events)
			abort();
	}
	if (bytes) {
		e.bytes = malloc(e.n);
		if (!e.bytes)
			abort();
		memcpy(e.bytes, bytes, e.n);
	}
	g.events[g.n_events] = e;
	return g.n_events++;
}

size_t
crashlog_now(void)
{
	mutex_lock(&g.lock);
	size_t n = g.n_events;
	mutex_unlock(&g.lock);
	return n;
}

static int
find_locked(const char *suffix)
{
	for (int i = 0; i < g.n_files; i++) {
		size_t n = strlen(g.files[i].path), m = strlen(suffix);

		if (n >= m && strcmp(g.files[i].path + n - m, suffix) == 0)
			return FD_FIRST + i;
	}
	return -1;
}

int
crashlog_find(const char *suffix)
{
	mutex_lock(&g.lock);
	int fd = find_locked(suffix);
	mutex_unlock(&g.lock);
	return fd;
}

void
crashlog_fail(enum crashlog_call call, unsigned nth)
{
	mutex_lock(&g.lock);
	g.fails[call] = nth;
	mutex_unlock(&g.lock);
}

/* True: this is the one. */
static bool
fails_locked(enum crashlog_call call)
{
	return g.fails[call] && --g.fails[call] == 0;
}

static struct file *
file_of(int fd)
{
	return &g.files[fd - FD_FIRST];
}

/* ---------------------------------------------------------------- the calls */

static int
log_open(const char *path, int flags, unsigned mode)
{
	(void)flags, (void)mode;
	mutex_lock(&g.lock);
	int fd = find_locked(path);
	if (fd < 0 && g.n_files < FILES_MAX) {
		struct file *f = &g.files[g.n_files];

		strncpy(f->path, path, sizeof(f->path) - 1);
		f->bytes = calloc(1, g.limit);
		fd = FD_FIRST + g.n_files++;
	}
	mutex_unlock(&g.lock);
	return fd < 0 ? -EMFILE : fd;
}

static void
log_close(int fd)
{
	(void)fd;
}

static int
log_status(int fd, struct storage_status *ret)
{
	mutex_lock(&g.lock);
	*ret = (struct storage_status){.size = file_of(fd)->size,
				       .is_file = true,
				       .inode = (uint64_t)fd,
				       .direct_align = 512,
				       .direct_memory_align = 512};
	mutex_unlock(&g.lock);
	return 0;
}

static ssize_t
log_pread(int fd, void *buffer, size_t n, uint64_t offset)
{
	struct file *f = file_of(fd);

	mutex_lock(&g.lock);
	n = offset < f->size ? MIN(n, f->size - offset) : 0;
	if (n)
		memcpy(buffer, f->bytes + offset, n);
	mutex_unlock(&g.lock);
	return (ssize_t)n;
}

static ssize_t
log_pwrite(int fd, const void *buffer, size_t n, uint64_t offset)
{
	struct file *f = file_of(fd);

	if (offset >= g.limit)
		return -ENOSPC;
	n = MIN(n, g.limit - offset);
	mutex_lock(&g.lock);
	if (fails_locked(CRASHLOG_PWRITE)) {
		mutex_unlock(&g.lock);
		return -EIO;
	}
	/* The next one fails: this one does half of its sectors. */
	if (g.fails[CRASHLOG_PWRITE] == 1 && n >= 2 * CRASHLOG_SECTOR)
		n = n / CRASHLOG_SECTOR / 2 * CRASHLOG_SECTOR;
	memcpy(f->bytes + offset, buffer, n);
	f->size = MAX(f->size, offset + n);
	note_locked((struct event){.kind = CHANGE, .file = fd, .offset = offset, .n = n},
		    buffer);
	mutex_unlock(&g.lock);
	return (ssize_t)n;
}

static bool
is_safe_locked(size_t event)
{
	for (size_t i = event + 1; i < g.n_events; i++)
		if (g.events[i].kind == SYNC_END &&
		    g.events[i].file == g.events[event].file &&
		    g.events[i].offset > event)
			return true;
	return false;
}

static void
forget_locked(int fd)
{
	for (size_t i = 0; i < g.n_events; i++)
		if (g.events[i].file == fd && !is_safe_locked(i))
			g.events[i].forgotten = true;
}

/* What is written while it runs is not promised by it. */
static int
log_fdatasync(int fd)
{
	mutex_lock(&g.lock);
	if (fails_locked(CRASHLOG_FDATASYNC)) {
		forget_locked(fd);
		mutex_unlock(&g.lock);
		return -EIO;
	}
	size_t begin = note_locked((struct event){.kind = SYNC_BEGIN, .file = fd}, NULL);
	mutex_unlock(&g.lock);
	mutex_lock(&g.lock);
	note_locked((struct event){.kind = SYNC_END, .file = fd, .offset = begin}, NULL);
	mutex_unlock(&g.lock);
	return 0;
}

/* Holes and zeroed ranges alike; both keep the size. */
static int
log_fallocate(int fd, int mode, uint64_t offset, uint64_t n)
{
	struct file *f = file_of(fd);

	(void)mode;
	mutex_lock(&g.lock);
	if (fails_locked(CRASHLOG_FALLOCATE)) {
		mutex_unlock(&g.lock);
		return -EIO;
	}
	if (offset < f->size) {
		n = MIN(n, f->size - offset);
		memset(f->bytes + offset, 0, n);
		note_locked(
			(struct event){
				.kind = CHANGE, .file = fd, .offset = offset, .n = n},
			NULL);
	}
	mutex_unlock(&g.lock);
	return 0;
}

static int
log_ftruncate(int fd, uint64_t size)
{
	struct file *f = file_of(fd);

	if (size > g.limit)
		return -EFBIG;
	mutex_lock(&g.lock);
	if (size < f->size)
		memset(f->bytes + size, 0, f->size - size);
	f->size = size;
	note_locked((struct event){.kind = SIZE, .file = fd, .offset = size}, NULL);
	mutex_unlock(&g.lock);
	return 0;
}

static int64_t
log_lseek(int fd, uint64_t offset, int whence)
{
	(void)offset;
	mutex_lock(&g.lock);
	int64_t size = (int64_t)file_of(fd)->size;
	mutex_unlock(&g.lock);
	return whence == SEEK_END ? size : -EINVAL;
}

static int
log_lock(int fd, bool writable, pid_t *ret_holder)
{
	(void)fd, (void)writable, (void)ret_holder;
	return 0;
}

static ssize_t
log_getxattr(int fd, const char *name, void *value, size_t cap)
{
	struct file *f = file_of(fd);

	(void)name;
	if (!f->n_xattr)
		return -ENODATA;
	if (cap < f->n_xattr)
		return -ERANGE;
	memcpy(value, f->xattr, f->n_xattr);
	return (ssize_t)f->n_xattr;
}

static int
log_setxattr(int fd, const char *name, const void *value, size_t n)
{
	struct file *f = file_of(fd);

	(void)name;
	if (n > sizeof(f->xattr))
		return -ENOSPC;
	memcpy(f->xattr, value, n);
	f->n_xattr = n;
	return 0;
}

const struct storage_ops crashlog_ops = {
	.open = log_open,
	.close = log_close,
	.status = log_status,
	.pread = log_pread,
	.pwrite = log_pwrite,
	.fdatasync = log_fdatasync,
	.fallocate = log_fallocate,
	.ftruncate = log_ftruncate,
	.lseek = log_lseek,
	.lock = log_lock,
	.getxattr = log_getxattr,
	.setxattr = log_setxattr,
};

/* ---------------------------------------------------------------- crashes */

static uint64_t
next_random(struct crash *c)
{
	c->seed ^= c->seed << 13;
	c->seed ^= c->seed >> 7;
	c->seed ^= c->seed << 17;
	return c->seed;
}

static bool
is_lucky(struct crash *c, enum crashlog_luck luck)
{
	switch (luck) {
	case CRASHLOG_NOTHING:
		return false;
	case CRASHLOG_EVERYTHING:
		return true;
	case CRASHLOG_HALF:
		return next_random(c) & 1;
	case CRASHLOG_LITTLE:
		break;
	}
	return next_random(c) % 8 == 0;
}

/* What a file gained behind its old end reads as zeroes until it is written. */
static void
set_size(uint8_t *image, uint64_t *size, uint64_t new_size)
{
	if (new_size < *size)
		memset(image + new_size, 0, *size - new_size);
	*size = new_size;
}

static void
apply(const struct event *e, uint64_t from, size_t n, uint8_t *image, uint64_t *size)
{
	if (e->bytes)
		memcpy(image + from, e->bytes + (from - e->offset), n);
	else
		memset(image + from, 0, n);
	*size = MAX(*size, from + n);
}

static void
apply_whole(const struct event *e, uint8_t *image, uint64_t *size)
{
	if (e->kind == CHANGE)
		apply(e, e->offset, e->n, image, size);
	else if (e->kind == SIZE)
		set_size(image, size, e->offset);
}

/* Sector by sector, each with luck of its own. */
static void
apply_torn(struct crash *c, const struct event *e, enum crashlog_luck luck)
{
	uint64_t end = e->offset + e->n;

	if (e->kind == SIZE && is_lucky(c, luck))
		set_size(c->image, &c->size, e->offset);
	if (e->kind != CHANGE)
		return;
	for (uint64_t at = e->offset, next; at < end; at = next) {
		next = MIN(end, at - at % CRASHLOG_SECTOR + CRASHLOG_SECTOR);
		if (is_lucky(c, luck))
			apply(e, at, next - at, c->image, &c->size);
	}
}

/* Brings safe to the moment: the sync that has ended then and began last. */
static void
advance(struct crash *c)
{
	size_t safe = c->n_safe;

	if (c->moment > 0) {
		const struct event *e = &g.events[c->moment - 1];

		if (e->kind == SYNC_END && e->file == c->fd)
			safe = MAX(safe, (size_t)e->offset);
	}
	for (; c->n_safe < safe; c->n_safe++)
		if (g.events[c->n_safe].file == c->fd && !g.events[c->n_safe].forgotten)
			apply_whole(&g.events[c->n_safe], c->safe, &c->safe_size);
}

void
crash_begin(struct crash *c, int fd, size_t moment, uint64_t seed)
{
	*c = (struct crash){.fd = fd,
			    .seed = seed ? seed : 1,
			    .limit = g.limit,
			    .image = calloc(1, g.limit),
			    .safe = calloc(1, g.limit)};
	if (!c->image || !c->safe)
		abort();
	for (; c->moment < moment; c->moment++)
		advance(c);
	advance(c);
}

void
crash_end(struct crash *c)
{
	free(c->image);
	free(c->safe);
}

void
crash_make(struct crash *c, enum crashlog_luck luck)
{
	memcpy(c->image, c->safe, c->limit);
	c->size = c->safe_size;
	for (size_t i = c->n_safe; i < c->moment; i++)
		if (g.events[i].file == c->fd)
			apply_torn(c, &g.events[i], luck);
}

bool
crash_next(struct crash *c)
{
	if (c->moment == g.n_events)
		return false;
	c->moment++;
	advance(c);
	return true;
}
