/* Rename and link (winfsp-fsctl §12). */
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "fs/volume_priv.h"

struct rename {
	struct fs_handle *h;
	struct fs_volume *v;
	uint16_t *new_name; /* heap */
	size_t n_new;
	uint16_t *old_name; /* heap: what watchers hear after the locks are gone */
	size_t n_old;
	bool posix;    /* open descendants that share DELETE do not bar the way */
	bool exchange;
	bool link;     /* the old name stays */
	bool same;     /* the same name, but for case */
};

static void
rename_fini(struct rename *r)
{
	free(r->new_name);
	free(r->old_name);
}

static uint16_t *
dup_units(const uint16_t *units, size_t n_units, size_t n_room)
{
	uint16_t *copy = malloc((n_units + n_room + 1) * 2);

	if (copy)
		memcpy(copy, units, n_units * 2);
	return copy;
}

/* Only the last component counts, without a trailing backslash. */
static void
last_component(const uint16_t **name, size_t *n_units)
{
	size_t n = *n_units, start;

	if (n > 1 && (*name)[n - 1] == '\\')
		n--;
	for (start = n; start > 0 && (*name)[start - 1] != '\\';)
		start--;
	*name += start;
	*n_units = n - start;
}

static NTSTATUS
build_names(struct rename *r, struct fs_handle *directory, const uint16_t *name, size_t n_units)
	REQUIRES(&r->v->table_lock)
{
	const struct fs_entry *e = r->h->entry;
	const struct fs_entry *parent = directory ? directory->entry : e;
	size_t n_parent = directory ? parent->n_units : fs_name_parent(e->name, e->n_units);

	last_component(&name, &n_units);
	if (!fs_name_component_valid(r->v, name, n_units) ||
	    n_parent + 1 + n_units > FS_FULL_PATH_UNITS_MAX)
		return STATUS_INVALID_PARAMETER;
	r->old_name = dup_units(e->name, e->n_units, 0);
	r->new_name = dup_units(parent->name, n_parent, n_units + 1);
	if (!r->old_name || !r->new_name)
		return STATUS_INSUFFICIENT_RESOURCES;
	r->n_old = e->n_units;
	r->n_new = n_parent;
	if (n_parent > 1)
		r->new_name[r->n_new++] = '\\';
	memcpy(r->new_name + r->n_new, name, n_units * 2);
	r->n_new += n_units;
	r->same = utf16_compare(r->old_name, r->n_old, r->new_name, r->n_new, r->v->fold_case) ==
		  0;
	return STATUS_SUCCESS;
}

static NTSTATUS
prepare(struct rename *r, struct fs_handle *directory, const uint16_t *name, size_t n_units)
{
	const struct fs_entry *e = r->h->entry;
	NTSTATUS st;

	if (directory && (directory->volume != r->v || !directory->node->is_directory))
		return STATUS_INVALID_PARAMETER;
	mutex_lock(&r->v->table_lock);
	if (e->n_units == 1 || r->h->is_stream)
		st = STATUS_INVALID_PARAMETER;
	else if (e->posix_deleted)
		st = STATUS_ACCESS_DENIED;
	else
		st = build_names(r, directory, name, n_units);
	mutex_unlock(&r->v->table_lock);
	return st;
}

/* May an open file in the way be renamed or replaced? */
static NTSTATUS
check_open_entry(const struct rename *r, const struct fs_entry *e)
{
	const struct fs_node *node = e->node;

	if (e->n_handles == 0)
		return STATUS_SUCCESS;
	if (!r->posix)
		return STATUS_ACCESS_DENIED;
	return node->share.opens == node->share.shared_delete && node->stream_deny_delete == 0 ?
		       STATUS_SUCCESS :
		       STATUS_SHARING_VIOLATION;
}

/* Everything open at or below both names. The renamed file itself does not count. */
static NTSTATUS
check_descendants(const struct rename *r) REQUIRES(&r->v->table_lock)
{
	struct fs_volume *v = r->v;
	NTSTATUS st = STATUS_SUCCESS;

	for (size_t i = 0; i < v->n_buckets && NT_SUCCESS(st); i++) {
		for (struct fs_entry *e = v->entries[i]; e && NT_SUCCESS(st); e = e->next) {
			int to_old = fs_name_relation(v, e->name, e->n_units, r->old_name,
						      r->n_old);
			int to_new = r->same ? -1 :
					       fs_name_relation(v, e->name, e->n_units,
								r->new_name, r->n_new);

			if (!r->link &&
			    (to_old > 0 || (to_old == 0 && e->node != r->h->node)))
				st = check_open_entry(r, e);
			else if (to_new == 1 && e->n_handles > 0 && !r->exchange)
				st = STATUS_ACCESS_DENIED;
			else if (to_new >= 0)
				st = check_open_entry(r, e);
		}
	}
	return st;
}

/* ------------------------------------------------------------------ after the program */

static void
collect(struct fs_entry **list, struct fs_entry *e)
{
	e->next = *list;
	*list = e;
}

/* Puts prefix in place of the first n_old units and returns the entry to the table. */
static void
move_entry(struct fs_volume *v, struct fs_entry *e, size_t n_old, const uint16_t *prefix,
	   size_t n_prefix) REQUIRES(&v->table_lock)
{
	size_t n_rest = e->n_units - n_old;
	uint16_t *name = dup_units(prefix, n_prefix, n_rest);

	if (!name) {
		/* its handles go on under the old name, which nobody finds any more */
		log_error("fs", "no memory to rename an open file");
		return;
	}
	memcpy(name + n_prefix, e->name + n_old, n_rest * 2);
	free(e->name);
	e->name = name;
	e->n_units = n_prefix + n_rest;
	e->hash = fs_table_hash(v, name, e->n_units);
	fs_entry_insert(v, e);
}

/* Takes the entries at and below a name out of the table, into a chain. */
static struct fs_entry *
cut_descendants(struct fs_volume *v, const uint16_t *name, size_t n_units)
	REQUIRES(&v->table_lock)
{
	struct fs_entry *cut = NULL;

	for (size_t i = 0; i < v->n_buckets; i++) {
		for (struct fs_entry *e = v->entries[i], *next; e; e = next) {
			next = e->next;
			if (fs_name_relation(v, e->name, e->n_units, name, n_units) < 0)
				continue;
			fs_entry_detach(v, e);
			collect(&cut, e);
		}
	}
	return cut;
}

static void
move_all(struct fs_volume *v, struct fs_entry *list, size_t n_old, const uint16_t *prefix,
	 size_t n_prefix) REQUIRES(&v->table_lock)
{
	for (struct fs_entry *e = list, *next; e; e = next) {
		next = e->next;
		move_entry(v, e, n_old, prefix, n_prefix);
	}
}

static void
rename_entries(struct rename *r)
{
	struct fs_volume *v = r->v;

	mutex_lock(&v->table_lock);
	struct fs_entry *moved = cut_descendants(v, r->old_name, r->n_old);
	struct fs_entry *met = r->same ? NULL : cut_descendants(v, r->new_name, r->n_new);
	move_all(v, moved, r->n_old, r->new_name, r->n_new);
	if (r->exchange)
		move_all(v, met, r->n_new, r->old_name, r->n_old);
	else
		for (struct fs_entry *e = met; e; e = e->next)
			e->posix_deleted = true; /* replaced: no deletion is sent any more */
	mutex_unlock(&v->table_lock);
}

static void
drop_parents(struct rename *r)
{
	fs_cache_parent_changed(r->v, r->old_name, r->n_old);
	fs_cache_parent_changed(r->v, r->new_name, r->n_new);
	fs_cache_drop_info(r->h->node);
}

/* Within one directory it is a rename, else a removal and an addition. */
static void
report_rename(const struct rename *r)
{
	size_t n_old_parent = fs_name_parent(r->old_name, r->n_old);
	size_t n_new_parent = fs_name_parent(r->new_name, r->n_new);
	bool within = utf16_compare(r->old_name, n_old_parent, r->new_name, n_new_parent,
				    r->v->fold_case) == 0;
	uint32_t filter = r->h->node->is_directory ? FILE_NOTIFY_CHANGE_DIR_NAME :
						     FILE_NOTIFY_CHANGE_FILE_NAME;

	fs_report(r->v, within ? FILE_ACTION_RENAMED_OLD_NAME : FILE_ACTION_REMOVED, filter,
		  r->old_name, r->n_old, r->h->door_tag);
	fs_report(r->v, within ? FILE_ACTION_RENAMED_NEW_NAME : FILE_ACTION_ADDED, filter,
		  r->new_name, r->n_new, r->h->door_tag);
}

/* ------------------------------------------------------------------ requests */

/* The checks and one request, under rename lock (exclusive) and operation lock. */
static NTSTATUS
carry_out(struct rename *r, struct fs_message *m, struct fs_buf *new_name)
{
	struct fs_handle *h = r->h;
	NTSTATUS st;

	mutex_lock(&r->v->table_lock);
	st = check_descendants(r);
	mutex_unlock(&r->v->table_lock);
	if (!NT_SUCCESS(st))
		return st;
	if (!fs_message_set_name(m, r->old_name, r->n_old) ||
	    !fs_message_put_name(m, r->new_name, r->n_new, new_name))
		return STATUS_OBJECT_NAME_INVALID;
	rwlock_lock(&h->node->op_lock);
	st = fs_message_send(r->v, m);
	rwlock_unlock(&h->node->op_lock);
	if (!NT_SUCCESS(st))
		return st;
	h->set_metadata = true;
	rename_entries(r);
	drop_parents(r);
	return st;
}

static bool
is_identical(const struct rename *r)
{
	return utf16_compare(r->old_name, r->n_old, r->new_name, r->n_new, false) == 0;
}

static NTSTATUS
send_rename(struct rename *r, uint32_t flags, bool ex)
{
	struct fs_message m;
	struct fs_req *req = fs_message_init(&m, FS_KIND_SET_INFO);
	uint64_t token = 0;
	NTSTATUS st;

	req->set_info.ctx = fs_handle_context(r->h);
	req->set_info.info_class = ex ? FileRenameInformationEx : FileRenameInformation;
	if (ex)
		req->set_info.rename.flags = flags;
	/* no token is "do not replace" */
	if (flags & FILE_RENAME_REPLACE_IF_EXISTS)
		token = fs_token_value(r->h->token);
	req->set_info.rename.access_token = token;
	st = carry_out(r, &m, &req->set_info.rename.new_name);
	fs_token_value_close(token);
	return st;
}

/* On success the rename lock is held and the names are built; rename_fini is due either way. */
static NTSTATUS
begin(struct rename *r, struct fs_handle *directory, const uint16_t *name, size_t n_units)
{
	NTSTATUS st = fs_require(r->h, DELETE);

	if (!NT_SUCCESS(st))
		return st;
	if (!fs_rename_lock_exclusive(&r->v->rename))
		return STATUS_CANCELLED;
	st = prepare(r, directory, name, n_units);
	if (!NT_SUCCESS(st))
		fs_rename_unlock_exclusive(&r->v->rename);
	return st;
}

NTSTATUS
fs_rename(struct fs_handle *h, struct fs_handle *directory, const uint16_t *name, size_t n_units,
	  uint32_t flags, bool ex)
{
	struct rename r = {.h = h, .v = h->volume};
	uint32_t known = FILE_RENAME_REPLACE_IF_EXISTS;
	bool renamed = false;

	if (ex) {
		if (!(r.v->params.flags & FS_VOL_POSIX_UNLINK_RENAME))
			return STATUS_INVALID_PARAMETER;
		known |= FILE_RENAME_POSIX_SEMANTICS | FILE_RENAME_IGNORE_READONLY_ATTRIBUTE;
	}
	flags &= known;
	r.posix = flags & FILE_RENAME_POSIX_SEMANTICS;
	NTSTATUS st = begin(&r, directory, name, n_units);
	if (NT_SUCCESS(st)) {
		if (!is_identical(&r)) {
			st = send_rename(&r, flags, ex);
			renamed = NT_SUCCESS(st);
		}
		fs_rename_unlock_exclusive(&r.v->rename);
	}
	if (renamed)
		report_rename(&r);
	rename_fini(&r);
	return st;
}

/* ------------------------------------------------------------------ POSIX rename */

static struct fs_open_params
target_params(const struct rename *r, uint32_t access, uint32_t options)
{
	return (struct fs_open_params){
		.name = r->new_name,
		.n_units = r->n_new,
		.desired_access = access,
		.share_access = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
		.disposition = FILE_OPEN,
		.options = options | FILE_OPEN_REPARSE_POINT,
		.token = r->h->token,
		.flags = FS_OPEN_POSIX | (r->h->kernel_mode ? FS_OPEN_KERNEL_MODE : 0),
		.door_tag = r->h->door_tag,
	};
}

/*
 * An empty directory in the way. It is put aside under a hidden name, and goes when the rename has
 * succeeded: a rename that fails leaves everything as it was. Where the program does not let it be
 * put aside it has to go first.
 */
struct aside {
	struct fs_handle *target; /* delete pending; NULL: nothing was in the way */
	bool moved;
};

/* rename lock held exclusively; both names are in one directory. */
static NTSTATUS
move_within(struct fs_handle *h, const uint16_t *name, size_t n_units)
{
	bool ex = h->volume->params.flags & FS_VOL_POSIX_UNLINK_RENAME;
	struct rename r = {.h = h, .v = h->volume, .posix = true};
	NTSTATUS st = prepare(&r, NULL, name, n_units);

	if (NT_SUCCESS(st))
		st = send_rename(&r, ex ? FILE_RENAME_POSIX_SEMANTICS : 0, ex);
	rename_fini(&r);
	return st;
}

static NTSTATUS
set_pending(struct fs_handle *target, bool pending)
{
	bool ex = target->volume->params.flags & FS_VOL_POSIX_UNLINK_RENAME;
	uint32_t flags = FILE_DISPOSITION_DELETE |
			 (ex ? FILE_DISPOSITION_POSIX_SEMANTICS |
				       FILE_DISPOSITION_IGNORE_READONLY_ATTRIBUTE :
			       0);

	return fs_set_disposition_held(target, pending ? flags : 0, ex, true);
}

/* The program says whether it is empty. */
static NTSTATUS
put_aside(struct rename *r, struct aside *aside)
{
	struct fs_open_params params = target_params(r, DELETE, FILE_DIRECTORY_FILE);
	uint16_t hidden[FS_HIDDEN_UNITS];
	struct fs_open_result result;
	struct fs_handle *target;
	NTSTATUS st = fs_create_locked(r->v, &params, &result, &target);

	free(result.data);
	if (st != STATUS_SUCCESS)
		return st;
	st = set_pending(target, true);
	if (NT_SUCCESS(st)) {
		fs_name_make_hidden(hidden, r->v);
		aside->moved = NT_SUCCESS(move_within(target, hidden, FS_HIDDEN_UNITS));
	}
	if (NT_SUCCESS(st) && aside->moved) {
		aside->target = target;
		return st;
	}
	fs_cleanup_held(target, true);
	fs_close(target);
	return st;
}

static void
aside_finish(struct rename *r, struct aside *aside, bool renamed)
{
	if (!aside->target)
		return;
	/* The last component of the name counts. */
	if (!renamed && (!NT_SUCCESS(set_pending(aside->target, false)) ||
			 !NT_SUCCESS(move_within(aside->target, r->new_name, r->n_new))))
		log_warn("fs", "the target of a rename that failed is left under a hidden name");
	fs_cleanup_held(aside->target, true);
	fs_close(aside->target);
}

/* POSIX on what is in the way: types must agree; only a directory needs help. */
static NTSTATUS
clear_target(struct rename *r, struct aside *aside)
{
	struct fs_open_params params = target_params(r, FILE_READ_ATTRIBUTES, 0);
	struct fs_open_result target;
	NTSTATUS st = fs_query_by_name_held(r->v, &params, &target);

	free(target.data);
	if (st == STATUS_OBJECT_NAME_NOT_FOUND || r->same)
		return STATUS_SUCCESS;
	if (!NT_SUCCESS(st))
		return st;
	bool is_directory = target.info.attributes & FILE_ATTRIBUTE_DIRECTORY;
	if (is_directory != r->h->node->is_directory)
		return is_directory ? STATUS_FILE_IS_A_DIRECTORY : STATUS_NOT_A_DIRECTORY;
	return is_directory ? put_aside(r, aside) : STATUS_SUCCESS;
}

static NTSTATUS
posix_by_fallback(struct rename *r, uint32_t flags)
{
	bool ex = r->v->params.flags & FS_VOL_POSIX_UNLINK_RENAME;
	struct aside aside = {0};
	NTSTATUS st;

	if (flags & FS_RENAME_EXCHANGE)
		return STATUS_NOT_SUPPORTED;
	if (flags & FS_RENAME_NO_REPLACE)
		return send_rename(r, ex ? FILE_RENAME_POSIX_SEMANTICS : 0, ex);
	st = clear_target(r, &aside);
	if (!NT_SUCCESS(st))
		return st;
	st = send_rename(r,
			 FILE_RENAME_REPLACE_IF_EXISTS |
				 (ex ? FILE_RENAME_POSIX_SEMANTICS |
					       FILE_RENAME_IGNORE_READONLY_ATTRIBUTE :
				       0),
			 ex);
	aside_finish(r, &aside, NT_SUCCESS(st));
	return st;
}

static NTSTATUS
posix_by_kind(struct rename *r, uint32_t flags)
{
	struct fs_message m;
	struct fs_req *req = fs_message_init(&m, FS_KIND_RENAME_POSIX);

	req->rename_posix.ctx = fs_handle_context(r->h);
	req->rename_posix.flags = flags;
	return carry_out(r, &m, &req->rename_posix.new_name);
}

NTSTATUS
fs_rename_posix(struct fs_handle *h, struct fs_handle *directory, const uint16_t *name,
		size_t n_units, uint32_t flags)
{
	struct rename r = {.h = h, .v = h->volume, .posix = true};
	bool renamed = false;

	if ((flags & ~(uint32_t)(FS_RENAME_NO_REPLACE | FS_RENAME_EXCHANGE)) ||
	    flags == (FS_RENAME_NO_REPLACE | FS_RENAME_EXCHANGE))
		return STATUS_INVALID_PARAMETER;
	r.exchange = flags & FS_RENAME_EXCHANGE;
	NTSTATUS st = begin(&r, directory, name, n_units);
	if (NT_SUCCESS(st)) {
		if (is_identical(&r)) {
			st = flags & FS_RENAME_NO_REPLACE ? STATUS_OBJECT_NAME_COLLISION :
							    STATUS_SUCCESS;
		} else {
			st = fs_volume_has_kind(&r.v->params, FS_KIND_RENAME_POSIX) ?
				     posix_by_kind(&r, flags) :
				     posix_by_fallback(&r, flags);
			renamed = NT_SUCCESS(st);
		}
		fs_rename_unlock_exclusive(&r.v->rename);
	}
	if (renamed)
		report_rename(&r);
	rename_fini(&r);
	return st;
}

/* ------------------------------------------------------------------ link */

static NTSTATUS
link_locked(struct rename *r, bool replace, struct fs_file_info *ret_info)
{
	struct fs_handle *h = r->h;
	struct fs_message m;
	struct fs_req *req = fs_message_init(&m, FS_KIND_LINK);
	NTSTATUS st;

	req->link.ctx = fs_handle_context(h);
	req->link.flags = replace;
	if (!fs_message_set_name(&m, r->old_name, r->n_old) ||
	    !fs_message_put_name(&m, r->new_name, r->n_new, &req->link.new_name))
		return STATUS_OBJECT_NAME_INVALID;
	rwlock_lock(&h->node->op_lock);
	st = fs_message_send(r->v, &m);
	if (NT_SUCCESS(st)) {
		*ret_info = fs_message_rsp(&m)->file.info;
		fs_cache_replace_info(h->node, ret_info);
		h->set_metadata = true;
	}
	rwlock_unlock(&h->node->op_lock);
	return st;
}

/* A link that may replace stands to its target as a rename does; one that may not is a create,
 * and the rename lock is only shared. */
static NTSTATUS
link_and_replace(struct rename *r, struct fs_file_info *ret_info)
{
	NTSTATUS st;

	if (is_identical(r))
		return fs_query_info(r->h, ret_info);
	r->posix = r->link = true;
	mutex_lock(&r->v->table_lock);
	st = check_descendants(r);
	mutex_unlock(&r->v->table_lock);
	if (NT_SUCCESS(st))
		st = link_locked(r, true, ret_info);
	if (!NT_SUCCESS(st))
		return st;
	mutex_lock(&r->v->table_lock);
	struct fs_entry *met = r->same ? NULL : cut_descendants(r->v, r->new_name, r->n_new);
	for (; met; met = met->next)
		met->posix_deleted = true;
	mutex_unlock(&r->v->table_lock);
	return st;
}

NTSTATUS
fs_link(struct fs_handle *h, struct fs_handle *directory, const uint16_t *name, size_t n_units,
	bool replace, struct fs_file_info *ret_info)
{
	struct rename r = {.h = h, .v = h->volume};
	struct fs_volume *v = r.v;
	NTSTATUS st;

	if (!fs_volume_has_kind(&v->params, FS_KIND_LINK))
		return STATUS_NOT_SUPPORTED;
	if (h->node->is_directory)
		return STATUS_FILE_IS_A_DIRECTORY;
	if (!replace)
		fs_rename_lock_shared(&v->rename);
	else if (!fs_rename_lock_exclusive(&v->rename))
		return STATUS_CANCELLED;
	st = prepare(&r, directory, name, n_units);
	if (NT_SUCCESS(st))
		st = replace ? link_and_replace(&r, ret_info) : link_locked(&r, false, ret_info);
	if (NT_SUCCESS(st))
		fs_cache_parent_changed(v, r.new_name, r.n_new);
	if (replace)
		fs_rename_unlock_exclusive(&v->rename);
	else
		fs_rename_unlock_shared(&v->rename);
	if (NT_SUCCESS(st))
		fs_report(v, FILE_ACTION_ADDED, FILE_NOTIFY_CHANGE_FILE_NAME, r.new_name, r.n_new,
			  h->door_tag);
	rename_fini(&r);
	return st;
}
