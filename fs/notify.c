/*
 * Watchers, and announcements of the program (winfsp-fsctl §23). Announcements are queued and
 * carried out in order by one thread of the volume, which starts with the first of them, so that
 * a program may announce from inside a request.
 */
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "fs/volume_priv.h"
#include "fs/walk.h"

/* ------------------------------------------------------------------ watchers */

void
fs_watch(struct fs_volume *v, struct fs_watcher *watcher)
{
	mutex_lock(&v->watch_lock);
	if (atomic_load_explicit(&v->n_watchers, memory_order_relaxed) < FS_WATCHERS_MAX) {
		watcher->next = v->watchers;
		v->watchers = watcher;
		atomic_fetch_add_explicit(&v->n_watchers, 1, memory_order_relaxed);
	} else {
		log_error("fs", "too many watchers on one volume");
	}
	mutex_unlock(&v->watch_lock);
}

/* Returns when no call to the watcher is under way: calls are counted in the epoch they began in,
 * and those that begin after the removal do not see it. */
void
fs_unwatch(struct fs_volume *v, struct fs_watcher *watcher)
{
	mutex_lock(&v->watch_lock);
	for (struct fs_watcher **link = &v->watchers; *link; link = &(*link)->next) {
		if (*link != watcher)
			continue;
		*link = watcher->next;
		atomic_fetch_sub_explicit(&v->n_watchers, 1, memory_order_relaxed);
		break;
	}
	unsigned epoch = v->watch_epoch;
	v->watch_epoch ^= 1;
	while (v->watch_calls[epoch] > 0)
		cond_wait(&v->watch_idle, &v->watch_lock);
	mutex_unlock(&v->watch_lock);
}

bool
fs_is_watched(struct fs_volume *v)
{
	return atomic_load_explicit(&v->n_watchers, memory_order_relaxed) > 0;
}

void
fs_report(struct fs_volume *v, uint32_t action, uint32_t filter, const uint16_t *name,
	  size_t n_units, const void *origin)
{
	struct fs_watcher *watchers[FS_WATCHERS_MAX];
	unsigned n = 0, epoch;

	if (!fs_is_watched(v))
		return;
	mutex_lock(&v->watch_lock);
	for (struct fs_watcher *w = v->watchers; w; w = w->next)
		watchers[n++] = w;
	epoch = v->watch_epoch;
	v->watch_calls[epoch]++;
	mutex_unlock(&v->watch_lock);
	for (unsigned i = 0; i < n; i++)
		watchers[i]->changed(watchers[i], action, filter, name, n_units, origin);
	mutex_lock(&v->watch_lock);
	if (--v->watch_calls[epoch] == 0)
		cond_broadcast(&v->watch_idle);
	mutex_unlock(&v->watch_lock);
}

/* A stream's changes have actions and filters of their own. */
static void
map_for_stream(uint32_t *action, uint32_t *filter)
{
	uint32_t in = *filter;

	switch (*action) {
	case FILE_ACTION_ADDED:
		*action = FILE_ACTION_ADDED_STREAM;
		break;
	case FILE_ACTION_REMOVED:
		*action = FILE_ACTION_REMOVED_STREAM;
		break;
	case FILE_ACTION_MODIFIED:
		*action = FILE_ACTION_MODIFIED_STREAM;
		break;
	}
	*filter = in & ~(uint32_t)(FILE_NOTIFY_CHANGE_FILE_NAME | FILE_NOTIFY_CHANGE_DIR_NAME |
				   FILE_NOTIFY_CHANGE_SIZE | FILE_NOTIFY_CHANGE_LAST_WRITE);
	if (in & (FILE_NOTIFY_CHANGE_FILE_NAME | FILE_NOTIFY_CHANGE_DIR_NAME))
		*filter |= FILE_NOTIFY_CHANGE_STREAM_NAME;
	if (in & FILE_NOTIFY_CHANGE_SIZE)
		*filter |= FILE_NOTIFY_CHANGE_STREAM_SIZE;
	if (in & FILE_NOTIFY_CHANGE_LAST_WRITE)
		*filter |= FILE_NOTIFY_CHANGE_STREAM_WRITE;
}

void
fs_report_handle(struct fs_handle *h, uint32_t action, uint32_t filter)
{
	struct fs_volume *v = h->volume;
	uint16_t *name = NULL;
	size_t n = 0;

	if (!fs_is_watched(v))
		return;
	mutex_lock(&v->table_lock);
	if (!h->entry->posix_deleted)
		name = malloc(h->entry->n_units * 2);
	if (name) {
		n = h->entry->n_units;
		memcpy(name, h->entry->name, n * 2);
	}
	mutex_unlock(&v->table_lock);
	if (!name)
		return;
	if (h->is_stream)
		map_for_stream(&action, &filter);
	fs_report(v, action, filter, name, n, h->door_tag);
	free(name);
}

/* ------------------------------------------------------------------ announcements */

struct fs_notify_batch {
	struct fs_notify_batch *next;
	uint32_t size;
	_Alignas(8) uint8_t records[];
};

/* The name that a record is about: absolute, or below the last absolute one of its batch. */
struct subject {
	uint16_t name[FS_FULL_PATH_UNITS_MAX];
	size_t n_units;
	size_t n_base; /* units of the last absolute name */
	bool absolute;
	size_t stream_at;
};

static bool
subject_set(struct fs_volume *v, struct subject *s, const struct fs_notify_info *record)
{
	size_t n = (record->size - sizeof(*record)) / 2u, at = 0;
	struct fs_name_parts parts;

	s->absolute = n > 0 && record->name[0] == '\\';
	if (!s->absolute) {
		if (s->n_base == 0 || n == 0)
			return false;
		at = s->n_base;
		if (at > 1)
			s->name[at++] = '\\';
	}
	if (n > ARRAY_SIZE(s->name) - at)
		return false;
	memcpy(s->name + at, record->name, n * 2);
	if (s->absolute)
		s->n_base = 0;
	if (!NT_SUCCESS(fs_name_normalise(v, s->name, at + n, &parts)))
		return false;
	s->n_units = parts.n_units;
	s->stream_at = parts.stream_at;
	if (s->absolute)
		s->n_base = parts.n_units;
	return true;
}

static void
drop_node_caches(struct fs_node *node)
{
	fs_cache_drop_info(node);
	fs_cache_drop(node, &node->security);
	fs_cache_drop(node, &node->directory);
	fs_cache_drop(node, &node->stream_list);
	fs_cache_drop(node, &node->ea);
}

static void
drop_caches_of(struct fs_volume *v, const uint16_t *name, size_t n_units)
{
	uint32_t hash = fs_table_hash(v, name, n_units);

	mutex_lock(&v->table_lock);
	struct fs_entry *e = fs_entry_find(v, name, n_units, hash);
	if (e && e->node)
		drop_node_caches(e->node);
	mutex_unlock(&v->table_lock);
}

static void
announce(struct fs_volume *v, struct subject *s, uint32_t action, uint32_t filter)
{
	drop_caches_of(v, s->name, s->n_units);
	if (s->stream_at != 0) {
		drop_caches_of(v, s->name, MAX(s->stream_at, (size_t)1));
		map_for_stream(&action, &filter);
	}
	if (s->absolute)
		fs_cache_parent_changed(v, s->name, s->n_units);
	fs_report(v, action, filter, s->name, s->n_units, NULL);
}

static void
process(struct fs_volume *v, struct fs_notify_batch *batch, struct subject *s)
{
	uint32_t at = 0;

	s->n_base = 0;
	while (batch->size - at >= sizeof(uint16_t)) {
		const struct fs_notify_info *record =
			(const struct fs_notify_info *)(batch->records + at);

		if (record->size < sizeof(*record)) {
			fs_rename_unlock_bracket(&v->rename);
			return;
		}
		if (record->size > batch->size - at)
			return;
		if (subject_set(v, s, record))
			announce(v, s, record->action, record->filter);
		else
			log_debug("fs", "announcement with a bad name skipped");
		at += MIN(ALIGN_UP((uint32_t)record->size, 8), batch->size - at);
	}
}

static void *
notify_main(void *arg)
{
	struct fs_volume *v = arg;
	struct subject *s = malloc(sizeof(*s));

	mutex_lock(&v->notify_lock);
	for (;;) {
		struct fs_notify_batch *batch = v->notify_first;

		if (batch) {
			v->notify_first = batch->next;
			if (!v->notify_first)
				v->notify_last = &v->notify_first;
			mutex_unlock(&v->notify_lock);
			if (s)
				process(v, batch, s);
			free(batch);
			mutex_lock(&v->notify_lock);
		} else if (v->notify_stop) {
			break;
		} else {
			cond_wait(&v->notify_work, &v->notify_lock);
		}
	}
	mutex_unlock(&v->notify_lock);
	free(s);
	return NULL;
}

static NTSTATUS
enqueue(struct fs_volume *v, struct fs_notify_batch *batch)
{
	NTSTATUS st = STATUS_SUCCESS;

	mutex_lock(&v->notify_lock);
	if (!v->notify_running) {
		if (pthread_create(&v->notify_thread, NULL, notify_main, v) == 0)
			v->notify_running = true;
		else
			st = STATUS_INSUFFICIENT_RESOURCES;
	}
	if (NT_SUCCESS(st)) {
		*v->notify_last = batch;
		v->notify_last = &batch->next;
		cond_signal(&v->notify_work);
	}
	mutex_unlock(&v->notify_lock);
	return st;
}

NTSTATUS
fs_notify(struct fs_volume *v, const void *records, size_t size)
{
	struct fs_notify_batch *batch;
	NTSTATUS st;

	if (size > INT32_MAX)
		return STATUS_INVALID_PARAMETER;
	if (atomic_load_explicit(&v->stopped, memory_order_relaxed))
		return STATUS_CANCELLED;
	batch = malloc(sizeof(*batch) + size);
	if (!batch)
		return STATUS_INSUFFICIENT_RESOURCES;
	batch->next = NULL;
	batch->size = (uint32_t)size;
	if (size > 0)
		memcpy(batch->records, records, size);
	st = enqueue(v, batch);
	if (!NT_SUCCESS(st))
		free(batch);
	return st;
}

NTSTATUS
fs_notify_begin(struct fs_volume *v, uint32_t timeout_ms)
{
	if (atomic_load_explicit(&v->stopped, memory_order_relaxed))
		return STATUS_CANCELLED;
	return fs_rename_lock_bracket(&v->rename, timeout_ms) ? STATUS_SUCCESS : STATUS_CANT_WAIT;
}

void
fs_notify_end(struct fs_volume *v)
{
	static const uint16_t end[4];

	/* queued, so that it comes after the announcements before it */
	if (!NT_SUCCESS(fs_notify(v, end, sizeof(end))))
		fs_rename_unlock_bracket(&v->rename);
}

void
fs_notify_shutdown(struct fs_volume *v)
{
	mutex_lock(&v->notify_lock);
	bool running = v->notify_running;
	v->notify_stop = true;
	cond_signal(&v->notify_work);
	mutex_unlock(&v->notify_lock);
	if (running)
		pthread_join(v->notify_thread, NULL);
}
