/* Cleanup and close (winfsp-fsctl §9). */
#include <stdlib.h>
#include <string.h>
#include "fs/volume_priv.h"

void
fs_send_close(struct fs_volume *v, struct fs_context ctx)
{
	struct fs_message m;

	fs_message_init(&m, FS_KIND_CLOSE)->close.ctx = ctx;
	(void)!fs_message_send(v, &m); /* has no result */
}

void
fs_send_cleanup(struct fs_volume *v, struct fs_context ctx, uint32_t flags,
		const uint16_t *name, size_t n_units)
{
	struct fs_message m;
	struct fs_req *req = fs_message_init(&m, FS_KIND_CLEANUP);
	uint32_t worth = FS_CLEANUP_DELETE | FS_CLEANUP_SET_ALLOCATION_SIZE |
			 FS_CLEANUP_SET_ARCHIVE | FS_CLEANUP_SET_LAST_WRITE |
			 FS_CLEANUP_SET_CHANGE;

	if ((v->params.flags & FS_VOL_POST_CLEANUP_WHEN_MODIFIED) && !(flags & worth))
		return;
	req->cleanup.ctx = ctx;
	req->cleanup.flags = flags;
	if (name && !fs_message_set_name(&m, name, n_units))
		return;
	(void)!fs_message_send(v, &m);
}

/* What a handle leaves to be done to its file (rules 4 and 5). */
static uint32_t
cleanup_flags(const struct fs_handle *h, bool last, bool delete_pending)
{
	uint32_t flags = 0;

	if (last && !delete_pending &&
	    atomic_load_explicit(&h->node->truncate_on_close, memory_order_relaxed))
		flags |= FS_CLEANUP_SET_ALLOCATION_SIZE;
	if ((h->modified || h->set_security) && !h->set_attributes)
		flags |= FS_CLEANUP_SET_ARCHIVE;
	/* To POSIX a handle that was only opened has accessed nothing. */
	if (!h->set_last_access &&
	    (!h->posix || atomic_load_explicit(&h->was_read, memory_order_relaxed)))
		flags |= FS_CLEANUP_SET_LAST_ACCESS;
	if (h->modified && !h->set_last_write)
		flags |= FS_CLEANUP_SET_LAST_WRITE;
	if ((h->modified || h->set_metadata || h->set_security) && !h->set_change)
		flags |= FS_CLEANUP_SET_CHANGE;
	return flags;
}

struct cleanup {
	struct fs_handle *h;
	uint32_t flags;
	bool was_posix_deleted;
	uint16_t *name; /* copy, when anything changes; NULL also without memory */
	size_t n_units;
};

/*
 * Decides what this cleanup does (rules 2 to 4). A deletion waits for opens of the name that the
 * program is working on: from here on they fail with DELETE_PENDING.
 */
static void
decide(struct cleanup *c)
{
	struct fs_handle *h = c->h;
	struct fs_volume *v = h->volume;
	struct fs_entry *e = h->entry;
	bool last_of_node, delete_now = false;

	mutex_lock(&v->table_lock);
	if (h->delete_on_close && !e->posix_deleted)
		e->delete_pending = true;
	c->was_posix_deleted = e->posix_deleted;
	e->n_handles--;
	last_of_node = --h->node->n_handles == 0;
	if (!e->posix_deleted) {
		delete_now = h->posix_delete || (e->n_handles == 0 && e->delete_pending);
		if (h->posix_delete)
			e->posix_deleted = true;
	}
	c->flags = cleanup_flags(h, last_of_node, e->delete_pending || e->posix_deleted);
	if (delete_now) {
		c->flags |= FS_CLEANUP_DELETE;
		e->delete_pending = true;
		e->deleting = e->in_table;
		while (e->n_opening > 0)
			cond_wait(&v->settled, &v->table_lock);
	}
	if (c->flags & ~(uint32_t)FS_CLEANUP_SET_LAST_ACCESS) {
		c->n_units = e->n_units;
		c->name = malloc(e->n_units * 2);
		if (c->name)
			memcpy(c->name, e->name, e->n_units * 2);
	}
	mutex_unlock(&v->table_lock);
}

static void
ask_program(struct cleanup *c)
{
	struct fs_handle *h = c->h;
	struct fs_volume *v = h->volume;
	struct fs_node *node = h->node;
	bool delete_it = c->flags & FS_CLEANUP_DELETE;

	rwlock_lock(&node->op_lock);
	fs_send_cleanup(v, fs_handle_context(h), c->flags, delete_it ? c->name : NULL,
			c->n_units);
	if (c->flags & FS_CLEANUP_SET_ALLOCATION_SIZE)
		atomic_store_explicit(&node->truncate_on_close, false, memory_order_relaxed);
	if (c->flags & ~(uint32_t)FS_CLEANUP_SET_LAST_ACCESS)
		fs_cache_drop_info(node);
	rwlock_unlock(&node->op_lock);
}

static void
settle(struct cleanup *c)
{
	struct fs_handle *h = c->h;
	struct fs_volume *v = h->volume;
	struct fs_entry *e = h->entry;

	mutex_lock(&v->table_lock);
	fs_share_remove(h);
	if (c->flags & FS_CLEANUP_DELETE) {
		fs_entry_detach(v, e);
		e->deleting = false;
		if (!h->node->main)
			fs_node_detach_streams(v, h->node);
		cond_broadcast(&v->settled);
	}
	mutex_unlock(&v->table_lock);
}

static uint32_t
name_filter(const struct fs_handle *h)
{
	return h->node->is_directory ? FILE_NOTIFY_CHANGE_DIR_NAME : FILE_NOTIFY_CHANGE_FILE_NAME;
}

/* Rule 8. Streams report under their own names. */
static void
report(const struct cleanup *c)
{
	struct fs_handle *h = c->h;
	uint32_t filter = 0;

	if (!c->name || c->was_posix_deleted)
		return;
	if (c->flags & FS_CLEANUP_DELETE) {
		fs_report(h->volume,
			  h->is_stream ? FILE_ACTION_REMOVED_STREAM : FILE_ACTION_REMOVED,
			  h->is_stream ? FILE_NOTIFY_CHANGE_STREAM_NAME : name_filter(h), c->name,
			  c->n_units, h->door_tag);
		return;
	}
	if (c->flags & FS_CLEANUP_SET_ARCHIVE)
		filter |= FILE_NOTIFY_CHANGE_ATTRIBUTES;
	if (c->flags & FS_CLEANUP_SET_LAST_WRITE)
		filter |= FILE_NOTIFY_CHANGE_LAST_WRITE;
	if (h->modified)
		filter |= FILE_NOTIFY_CHANGE_SIZE;
	if (filter != 0)
		fs_report_handle(h, FILE_ACTION_MODIFIED, filter);
}

/* The lists that a cleanup makes stale (rules 8 and 9). */
static void
drop_lists(const struct cleanup *c)
{
	struct fs_handle *h = c->h;

	if (c->flags & FS_CLEANUP_DELETE) {
		if (c->name)
			fs_cache_parent_changed(h->volume, c->name, c->n_units);
	} else if (c->flags & ~(uint32_t)FS_CLEANUP_SET_LAST_ACCESS) {
		mutex_lock(&h->volume->table_lock);
		bool named = h->entry->in_table;
		mutex_unlock(&h->volume->table_lock);
		if (named && c->name)
			fs_cache_parent_changed(h->volume, c->name, c->n_units);
		else
			fs_cache_volume_changed(h->volume);
	}
	if (h->main && (c->flags & ~(uint32_t)FS_CLEANUP_SET_LAST_ACCESS))
		fs_cache_drop(h->main->node, &h->main->node->stream_list);
}

void
fs_cleanup_held(struct fs_handle *h, bool rename_held)
{
	struct cleanup c = {.h = h};

	/* a deletion sends the name, which a rename must not change meanwhile */
	if (!rename_held)
		fs_rename_lock_shared(&h->volume->rename);
	decide(&c);
	ask_program(&c);
	settle(&c);
	drop_lists(&c);
	if (!rename_held) {
		fs_rename_unlock_shared(&h->volume->rename);
		report(&c);
	}
	free(c.name);
	if (h->main)
		fs_cleanup_held(h->main, rename_held);
}

void
fs_cleanup(struct fs_handle *h)
{
	fs_cleanup_held(h, false);
}

void
fs_close(struct fs_handle *h)
{
	struct fs_volume *v = h->volume;
	struct fs_context ctx = fs_handle_context(h);

	mutex_lock(&v->table_lock);
	fs_node_release(v, h);
	mutex_unlock(&v->table_lock);
	fs_send_close(v, ctx);
	/* Not earlier: while a stream lingers its main file's node must be the one that a deletion
	 * of the main file finds, so that it takes the stream's name along. */
	if (h->main)
		fs_close(h->main);
	if (h->token)
		token_unref(h->token);
	fs_scan_fini(&h->scan);
	mutex_fini(&h->scan_lock);
	free(h);
	mutex_lock(&v->table_lock);
	if (--v->n_handles == 0)
		cond_broadcast(&v->settled);
	mutex_unlock(&v->table_lock);
}
