/*
 * NtCreateFile: what is refused before the program is asked (winfsp-fsctl §6.1), the request,
 * what is made of the answer (§6.3), and the overwrite phase (§8).
 */
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "fs/volume_priv.h"
#include "fs/walk.h"
#include "fs/security/sd.h"

enum {
	/* What the backup and restore privileges grant, as the I/O manager has it */
	BACKUP_RIGHTS = FILE_GENERIC_READ | FILE_GENERIC_EXECUTE,
	RESTORE_RIGHTS = FILE_GENERIC_WRITE | WRITE_DAC | WRITE_OWNER | DELETE,
	GRANTABLE_RIGHTS = FILE_ALL_ACCESS | ACCESS_SYSTEM_SECURITY
};

struct create {
	struct fs_volume *v;
	const struct fs_open_params *params;
	struct fs_open_result *result;
	struct fs_message *m;
	struct fs_name_parts parts;
	uint16_t *name; /* in the request */
	size_t n_key;   /* units of the name that is opened: the parent's for a target directory */
	struct fs_entry *entry;
	struct fs_handle *handle; /* being built */
	uint32_t disposition, options, desired;
	bool is_new; /* no other handle had the node */
};

/* ------------------------------------------------------------------ before the program */

static NTSTATUS
check_ea(const struct create *c, uint32_t *ret_bad)
{
	const struct fs_open_params *p = c->params;

	if (p->ea_size == 0)
		return STATUS_SUCCESS;
	if (p->ea_is_reparse) {
		if (!(c->v->params.flags & FS_VOL_WSL_FEATURES))
			return STATUS_INVALID_PARAMETER;
		if (c->disposition != FILE_CREATE && c->disposition != FILE_OPEN_IF)
			return STATUS_INVALID_PARAMETER;
		return fs_reparse_check(p->ea, p->ea_size);
	}
	if (!(c->v->params.flags & FS_VOL_EXTENDED_ATTRIBUTES))
		return STATUS_EAS_NOT_SUPPORTED;
	if (c->options & FILE_NO_EA_KNOWLEDGE)
		return STATUS_ACCESS_DENIED;
	return fs_ea_check(p->ea, p->ea_size, ret_bad);
}

static NTSTATUS
check_options(const struct create *c)
{
	const struct fs_open_params *p = c->params;

	if (p->disposition > FILE_OVERWRITE_IF)
		return STATUS_INVALID_PARAMETER;
	if (c->options & FILE_OPEN_BY_FILE_ID)
		return STATUS_NOT_IMPLEMENTED;
	NTSTATUS st = check_ea(c, &c->result->information);
	if (!NT_SUCCESS(st))
		return st;
	if ((c->options & FILE_DIRECTORY_FILE) && (c->options & FILE_NON_DIRECTORY_FILE))
		return STATUS_INVALID_PARAMETER;
	if ((p->attributes & FILE_ATTRIBUTE_TEMPORARY) && (c->options & FILE_DIRECTORY_FILE) &&
	    (c->disposition == FILE_CREATE || c->disposition == FILE_OPEN_IF))
		return STATUS_INVALID_PARAMETER;
	if (p->sd && !sd_valid(p->sd, sd_length(p->sd)))
		return STATUS_INVALID_SECURITY_DESCR;
	return STATUS_SUCCESS;
}

/* Appends to the name that is built in the request. */
static bool
name_append(struct create *c, size_t *n, const uint16_t *units, size_t n_units)
{
	if (n_units > FS_FULL_PATH_UNITS_MAX - *n)
		return false;
	memcpy(c->name + *n, units, n_units * 2);
	*n += n_units;
	return true;
}

static NTSTATUS
name_relative(struct create *c, size_t *ret_n)
{
	static const uint16_t backslash = '\\';
	const struct fs_open_params *p = c->params;
	int n_related;

	if (p->related->volume != c->v)
		return STATUS_OBJECT_PATH_NOT_FOUND;
	if (p->n_units > 0 && p->name[0] == '\\')
		return STATUS_INVALID_PARAMETER;
	n_related = fs_handle_name(p->related, c->name, FS_FULL_PATH_UNITS_MAX);
	if (n_related < 0)
		return STATUS_OBJECT_NAME_INVALID;
	*ret_n = (size_t)n_related;
	if (p->n_units == 0)
		return STATUS_SUCCESS;
	if (*ret_n > 1 && p->name[0] != ':' && !name_append(c, ret_n, &backslash, 1))
		return STATUS_OBJECT_NAME_INVALID;
	return name_append(c, ret_n, p->name, p->n_units) ? STATUS_SUCCESS :
							    STATUS_OBJECT_NAME_INVALID;
}

static NTSTATUS
name_absolute(struct create *c, size_t *ret_n)
{
	const uint16_t *name = c->params->name, *prefix = c->v->params.prefix;
	size_t n = c->params->n_units, n_prefix = utf16_len(prefix);

	if (n >= 2 && name[0] == '\\' && name[1] == '\\') {
		name++;
		n--;
	}
	if (n == 0 || name[0] != '\\')
		return STATUS_OBJECT_NAME_INVALID;
	*ret_n = 0;
	if (c->params->flags & FS_OPEN_WITH_PREFIX) {
		if (n < n_prefix || utf16_compare(name, n_prefix, prefix, n_prefix, true) != 0 ||
		    (n > n_prefix && name[n_prefix] != '\\'))
			return STATUS_OBJECT_PATH_NOT_FOUND;
		name += n_prefix;
		n -= n_prefix;
		if (n == 0)
			c->name[(*ret_n)++] = '\\';
	}
	return name_append(c, ret_n, name, n) ? STATUS_SUCCESS : STATUS_OBJECT_NAME_INVALID;
}

/* What can be said about root and streams from the name alone (rules 12 and 14). */
static NTSTATUS
check_special_names(const struct create *c)
{
	bool target = c->params->flags & FS_OPEN_TARGET_DIRECTORY;
	bool directory = c->options & FILE_DIRECTORY_FILE;

	if (c->parts.data_type && directory)
		return STATUS_NOT_A_DIRECTORY;
	if (c->parts.n_units == 1) {
		if (target || (c->disposition != FILE_OPEN && c->disposition != FILE_OPEN_IF))
			return STATUS_ACCESS_DENIED;
		if (c->options & FILE_DELETE_ON_CLOSE)
			return STATUS_CANNOT_DELETE;
	}
	if (c->parts.stream_at != 0) {
		if (directory)
			return STATUS_NOT_A_DIRECTORY;
		if (target)
			return STATUS_OBJECT_NAME_INVALID;
	}
	return STATUS_SUCCESS;
}

static NTSTATUS
build_name(struct create *c)
{
	struct fs_req *req = fs_message_req(c->m);
	size_t cap, n = 0;

	c->name = fs_message_name_space(c->m, &cap);
	NTSTATUS st = c->params->related ? name_relative(c, &n) : name_absolute(c, &n);
	if (NT_SUCCESS(st))
		st = fs_name_normalise(c->v, c->name, n, &c->parts);
	if (NT_SUCCESS(st))
		st = check_special_names(c);
	if (!NT_SUCCESS(st))
		return st;
	n = c->parts.n_units;
	c->name[n] = 0;
	req->file_name = (struct fs_buf){.size = (uint16_t)(2 * n + 2)};
	req->size = (uint16_t)(FS_REQ_HEADER_SIZE + 2 * n + 2);
	c->n_key = c->params->flags & FS_OPEN_TARGET_DIRECTORY ? fs_name_parent(c->name, n) : n;
	return STATUS_SUCCESS;
}

/*
 * What an operating system's access state would say: rights that privileges grant leave
 * desired_access for granted_access (rule 15). A Linux opener's privileges act without backup
 * intent; but root alone may pass directories without the right to.
 */
static void
split_access(const struct create *c, struct fs_req *req)
{
	const struct fs_open_params *p = c->params;
	uint32_t privileges = p->token ? token_privileges(p->token) : 0;
	bool posix = p->flags & FS_OPEN_POSIX;
	bool intent = posix || (c->options & FILE_OPEN_FOR_BACKUP_INTENT);
	uint32_t rights = 0, wanted = c->desired;

	if ((p->flags & FS_OPEN_TRAVERSED) ||
	    ((privileges & TOKEN_TRAVERSE) && (!posix || token_uid(p->token) == 0)))
		req->create.flags |= FS_CREATE_HAS_TRAVERSE;
	if (intent && (privileges & TOKEN_BACKUP)) {
		req->create.flags |= FS_CREATE_HAS_BACKUP;
		rights |= BACKUP_RIGHTS;
	}
	if (intent && (privileges & TOKEN_RESTORE)) {
		req->create.flags |= FS_CREATE_HAS_RESTORE;
		rights |= RESTORE_RIGHTS | (posix ? FILE_DELETE_CHILD : 0);
	}
	if (privileges & TOKEN_SECURITY)
		rights |= ACCESS_SYSTEM_SECURITY;
	if (!(p->flags & FS_OPEN_KERNEL_MODE)) {
		req->create.granted_access =
			(wanted & MAXIMUM_ALLOWED) ?
				rights & (wanted | ~(uint32_t)ACCESS_SYSTEM_SECURITY) :
				wanted & rights;
		wanted &= ~rights;
		req->create.flags |= FS_CREATE_USER_MODE;
	}
	req->create.desired_access = wanted;
}

static NTSTATUS
fill_request(struct create *c)
{
	const struct fs_open_params *p = c->params;
	struct fs_req *req = fs_message_req(c->m);
	bool stream = c->parts.stream_at != 0;
	uint32_t hide = FILE_ATTRIBUTE_NORMAL | FILE_ATTRIBUTE_DIRECTORY |
			FILE_ATTRIBUTE_REPARSE_POINT;

	req->create.options = c->options | c->disposition << 24;
	req->create.share_access = p->share_access;
	req->create.allocation_size = fs_round_allocation(c->v, p->allocation_size);
	split_access(c, req);
	if (p->flags & FS_OPEN_TARGET_DIRECTORY)
		req->create.flags |= FS_CREATE_OPEN_TARGET_DIRECTORY;
	if (!c->v->fold_case)
		req->create.flags |= FS_CREATE_CASE_SENSITIVE;
	if (c->parts.trailing_backslash)
		req->create.flags |= FS_CREATE_TRAILING_BACKSLASH;
	if ((p->flags & FS_OPEN_WANT_SD) && !stream)
		req->create.flags |= FS_CREATE_ACCEPTS_SD;
	if (stream) {
		/* descriptor, attributes and EAs went to the main file (§6.2) */
		req->create.named_stream = (uint16_t)(c->parts.stream_at * 2);
		return STATUS_SUCCESS;
	}
	req->create.attributes = p->attributes & ~hide;
	if (c->options & FILE_DIRECTORY_FILE)
		req->create.attributes |= FILE_ATTRIBUTE_DIRECTORY;
	if (p->sd && !fs_message_put(c->m, p->sd, sd_length(p->sd), &req->create.sd))
		return STATUS_INVALID_SECURITY_DESCR;
	if (p->ea_size > 0) {
		if (!fs_message_put(c->m, p->ea, p->ea_size, &req->create.ea))
			return STATUS_EA_TOO_LARGE;
		if (p->ea_is_reparse)
			req->create.flags |= FS_CREATE_EA_IS_REPARSE;
	}
	return STATUS_SUCCESS;
}

/* ------------------------------------------------------------------ the answer */

uint64_t
fs_token_value(struct token *token)
{
	if (!token)
		return 0;
	return (uint64_t)token_pid(token) << 32 | token_handle_open(token);
}

void
fs_token_value_close(uint64_t value)
{
	if ((uint32_t)value != 0)
		token_handle_close((uint32_t)value);
}

static bool
copy_data(struct fs_open_result *result, const void *data, uint32_t size)
{
	void *copy = malloc(size);

	if (!copy)
		return false;
	memcpy(copy, data, size);
	free(result->data);
	result->data = copy;
	result->data_size = size;
	return true;
}

/* A reparse point is in the way: tag and buffer go to the door (§6.3). */
static NTSTATUS
take_reparse(struct create *c)
{
	struct fs_rsp *rsp = fs_message_rsp(c->m);
	const void *data = fs_message_data(c->m, rsp->reparse.buffer);

	c->result->information = rsp->information;
	if (rsp->information == IO_REMOUNT)
		return STATUS_REPARSE;
	if (!data || !NT_SUCCESS(fs_reparse_check(data, rsp->reparse.buffer.size)))
		return STATUS_IO_REPARSE_DATA_INVALID;
	return copy_data(c->result, data, rsp->reparse.buffer.size) ?
		       STATUS_REPARSE :
		       STATUS_INSUFFICIENT_RESOURCES;
}

/* A normalised name must be the request's, but for case. Its units replace the request's. */
static NTSTATUS
take_normalised(struct create *c)
{
	struct fs_rsp *rsp = fs_message_rsp(c->m);
	struct fs_buf buf = rsp->create.file_name;
	const uint16_t *name;
	size_t n;

	if (buf.size == 0)
		return STATUS_SUCCESS;
	name = fs_message_data(c->m, buf);
	if (!name || buf.offset % 2 != 0 || buf.size % 2 != 0 || buf.size > FS_PATH_SIZE_MAX)
		return STATUS_OBJECT_NAME_INVALID;
	n = buf.size / 2;
	if (n > 0 && name[n - 1] == 0)
		n--;
	if (utf16_compare(name, n, c->name, c->n_key, c->v->fold_case) != 0)
		return STATUS_OBJECT_NAME_INVALID;
	memcpy(c->name, name, n * 2);
	return STATUS_SUCCESS;
}

/* Opened files report one of these; a target directory, whether the target is there. */
static bool
information_valid(const struct create *c, uint32_t information)
{
	if (c->params->flags & FS_OPEN_TARGET_DIRECTORY)
		return information == FILE_EXISTS || information == FILE_DOES_NOT_EXIST;
	return information <= FILE_OVERWRITTEN;
}

static bool
will_overwrite(const struct create *c)
{
	uint32_t information = fs_message_rsp(c->m)->information;

	return !(c->params->flags & FS_OPEN_TARGET_DIRECTORY) &&
	       (information == FILE_OVERWRITTEN || information == FILE_SUPERSEDED);
}

/* The open under way goes on with another entry. */
static struct fs_entry *
change_entry(struct create *c, struct fs_entry *to) REQUIRES(&c->v->table_lock)
{
	struct fs_entry *from = c->entry;

	to->refs++;
	to->n_opening++;
	if (--from->n_opening == 0 && from->deleting)
		cond_broadcast(&c->v->settled);
	fs_entry_unref(c->v, from);
	return to;
}

/*
 * On volumes with hard links the file decides, not the name, which node an entry has. A name that
 * leads to another file now gets a new entry; the old file's handles keep the old one.
 */
static struct fs_entry *
entry_for_index(struct create *c, uint64_t index) REQUIRES(&c->v->table_lock)
{
	struct fs_entry *e = c->entry;

	if (index == 0 || c->handle->main || !e->node || e->node->index == index)
		return e;
	if (!e->in_table)
		e = fs_entry_find(c->v, c->name, c->n_key, c->entry->hash);
	if (e && e->node && e->node->index != index) {
		fs_entry_detach(c->v, e);
		e = NULL;
	}
	if (!e)
		e = fs_entry_create(c->v, c->name, c->n_key, c->entry->hash);
	return e ? change_entry(c, e) : NULL;
}

/* The stream's node where another of the main file's names has opened it. */
static struct fs_node *
find_stream_node(struct create *c, struct fs_node *main) REQUIRES(&c->v->table_lock)
{
	const uint16_t *stream = c->name + c->parts.stream_at;
	size_t n = c->n_key - c->parts.stream_at;

	list_for_each(s, &main->streams) {
		struct fs_node *node = list_entry(s, struct fs_node, stream_link);

		list_for_each(p, &node->entries) {
			struct fs_entry *e = list_entry(p, struct fs_entry, node_link);

			if (e->in_table && e->n_units > n &&
			    utf16_compare(e->name + e->n_units - n, n, stream, n,
					  c->v->fold_case) == 0)
				return node;
		}
	}
	return NULL;
}

/* The node that the opened file has already, under this name or another. */
static struct fs_node *
find_node(struct create *c) REQUIRES(&c->v->table_lock)
{
	uint64_t index = fs_message_rsp(c->m)->create.info.index_number;

	if (c->entry->node || !c->v->by_index)
		return c->entry->node;
	if (c->handle->main)
		return find_stream_node(c, c->handle->main->node);
	return index != 0 ? fs_node_by_index(c->v, index) : NULL;
}

/* Gives c->entry its node. */
static NTSTATUS
settle_node(struct create *c) REQUIRES(&c->v->table_lock)
{
	struct fs_rsp *rsp = fs_message_rsp(c->m);
	struct fs_node *main = c->handle->main ? c->handle->main->node : NULL, *node;

	for (;;) {
		if (c->v->by_index) {
			struct fs_entry *e = entry_for_index(c, rsp->create.info.index_number);

			if (!e)
				return STATUS_INSUFFICIENT_RESOURCES;
			c->entry = e;
		}
		node = find_node(c);
		if (!node || node->n_overwriting == 0)
			break;
		cond_wait(&c->v->settled, &c->v->table_lock);
	}
	c->is_new = !node;
	if (!node) {
		node = fs_node_create(c->v, main, rsp->create.info.index_number);
		if (!node)
			return STATUS_INSUFFICIENT_RESOURCES;
		node->user_context = rsp->create.ctx.user_context;
		node->is_directory = !main && (rsp->create.info.attributes &
					       FILE_ATTRIBUTE_DIRECTORY);
	}
	if (!c->entry->node) {
		memcpy(c->entry->name, c->name, c->n_key * 2);
		fs_entry_set_node(c->entry, node);
	}
	return STATUS_SUCCESS;
}

/* Share check, then the handle becomes part of entry and node (§7). */
static NTSTATUS
attach_locked(struct create *c) REQUIRES(&c->v->table_lock)
{
	struct fs_handle *h = c->handle;
	struct fs_share_request request = {
		.access = h->granted_access,
		.share = h->share_access,
		.disposition = c->disposition,
	};
	NTSTATUS st;

	if (h->main) {
		request.main = h->main->node;
		request.main_pending = h->main->entry->delete_pending;
	}
	st = settle_node(c);
	if (!NT_SUCCESS(st))
		return st;
	st = fs_share_check(c->entry, &request);
	if (!NT_SUCCESS(st))
		return st;
	h->entry = c->entry;
	h->node = c->entry->node;
	h->entry->n_handles++;
	h->node->n_handles++;
	h->node->n_open++;
	if (will_overwrite(c))
		h->node->n_overwriting++;
	c->v->n_handles++;
	fs_share_add(h);
	return STATUS_SUCCESS;
}

static NTSTATUS
attach(struct create *c)
{
	mutex_lock(&c->v->table_lock);
	NTSTATUS st = attach_locked(c);
	if (--c->entry->n_opening == 0 && c->entry->deleting)
		cond_broadcast(&c->v->settled);
	if (!NT_SUCCESS(st)) { /* the handle takes the reference over otherwise */
		if (c->entry->node)
			fs_node_retire(c->v, c->entry->node);
		fs_entry_unref(c->v, c->entry);
	}
	mutex_unlock(&c->v->table_lock);
	return st;
}

static void
handle_free(struct fs_handle *h)
{
	if (h->main) {
		fs_cleanup_held(h->main, true);
		fs_close(h->main);
	}
	if (h->token)
		token_unref(h->token);
	fs_scan_fini(&h->scan);
	mutex_fini(&h->scan_lock);
	free(h);
}

static struct fs_handle *
handle_create(struct fs_volume *v, const struct fs_open_params *p)
{
	struct fs_handle *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->volume = v;
	h->token = p->token ? token_ref(p->token) : NULL;
	h->door_tag = p->door_tag;
	h->share_access = p->share_access;
	h->options = p->options;
	h->posix = p->flags & FS_OPEN_POSIX;
	h->set_last_access = p->flags & FS_OPEN_KEEP_ACCESS_TIME;
	h->kernel_mode = p->flags & FS_OPEN_KERNEL_MODE;
	mutex_init(&h->scan_lock);
	return h;
}

/* The answer's own caches: only from a file that nobody could have changed meanwhile. */
static void
fill_caches(struct create *c, const struct fs_rsp *rsp, const void *sd)
{
	struct fs_node *node = c->handle->node;
	struct fs_blob *blob;

	if (!c->is_new && rsp->information != FILE_CREATED)
		return;
	fs_cache_fill_info(node, &rsp->create.info, 0);
	if (!sd || c->v->params.security_timeout == 0)
		return;
	blob = fs_blob_create(sd, rsp->create.sd.size);
	if (!blob)
		return;
	fs_cache_fill(node, &node->security, blob, c->v->params.security_timeout,
		      FS_SECURITY_CACHE_MAX, 0);
	fs_blob_unref(blob);
}

/* The descriptor for FS_OPEN_WANT_SD: of the answer, else asked for; it may be missing. */
static void
take_sd(struct create *c, const void *sd)
{
	struct fs_rsp *rsp = fs_message_rsp(c->m);

	if (!(c->params->flags & FS_OPEN_WANT_SD))
		return;
	if (sd) {
		(void)copy_data(c->result, sd, rsp->create.sd.size);
		return;
	}
	void *queried;
	uint32_t size;
	if (NT_SUCCESS(fs_query_security(c->handle, &queried, &size))) {
		c->result->data = queried;
		c->result->data_size = size;
	}
}

static const void *
response_sd(struct create *c)
{
	struct fs_rsp *rsp = fs_message_rsp(c->m);
	const void *sd = fs_message_data(c->m, rsp->create.sd);

	if (!(rsp->create.flags & FS_RSP_HAS_SD) || rsp->create.sd.size == 0 || !sd ||
	    !sd_valid(sd, rsp->create.sd.size))
		return NULL;
	return sd;
}

/* The handle leaves entry and node again: its overwriting has failed. */
static void
unattach(struct create *c)
{
	struct fs_handle *h = c->handle;

	mutex_lock(&c->v->table_lock);
	fs_share_remove(h);
	h->entry->n_handles--;
	h->node->n_handles--;
	h->node->n_overwriting--;
	fs_node_release(c->v, h);
	cond_broadcast(&c->v->settled);
	mutex_unlock(&c->v->table_lock);
}

static void
overwrite_done(struct create *c)
{
	mutex_lock(&c->v->table_lock);
	c->handle->node->n_overwriting--;
	cond_broadcast(&c->v->settled);
	mutex_unlock(&c->v->table_lock);
}

/* n_overwriting was counted by attach: until this is over no open joins the node, whose context
 * the program closes when it refuses. */
static NTSTATUS
run_overwrite(struct create *c, struct fs_rsp *rsp)
{
	struct fs_context ctx = fs_handle_context(c->handle);
	uint32_t keep = FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM;
	uint32_t lost = rsp->create.info.attributes & ~c->params->attributes & keep;
	NTSTATUS st = STATUS_ACCESS_DENIED;
	bool close_it = true;

	if (lost == 0) {
		st = fs_overwrite(c->handle, c->params, rsp->information == FILE_SUPERSEDED,
				  &c->result->info);
		close_it = false; /* the program has closed the context when this failed */
	}
	if (NT_SUCCESS(st)) {
		overwrite_done(c);
		return st;
	}
	unattach(c);
	if (close_it)
		fs_send_close(c->v, ctx);
	mutex_lock(&c->v->table_lock);
	if (--c->v->n_handles == 0)
		cond_broadcast(&c->v->settled);
	mutex_unlock(&c->v->table_lock);
	return st;
}

static NTSTATUS
finish_open(struct create *c)
{
	struct fs_rsp *rsp = fs_message_rsp(c->m);
	const void *sd = response_sd(c);
	uint32_t information = rsp->information;
	NTSTATUS st;

	c->result->information = information;
	c->result->granted_access = c->handle->granted_access;
	c->result->info = rsp->create.info;
	if (c->handle->is_stream)
		c->result->info.attributes &= ~FILE_ATTRIBUTE_DIRECTORY;
	c->result->disable_cache = rsp->create.flags & FS_RSP_DISABLE_CACHE;
	if (will_overwrite(c)) {
		st = run_overwrite(c, rsp);
		if (!NT_SUCCESS(st))
			return st;
	} else {
		fill_caches(c, rsp, sd);
	}
	take_sd(c, sd);
	if (information == FILE_CREATED) {
		fs_cache_parent_changed(c->v, c->name, c->n_key);
		if (c->handle->is_stream)
			fs_cache_drop(c->handle->main->node, &c->handle->main->node->stream_list);
	}
	return STATUS_SUCCESS;
}

/* The program has opened something. c->entry's opening is settled in every path. */
static NTSTATUS
take_opened(struct create *c)
{
	struct fs_rsp *rsp = fs_message_rsp(c->m);
	struct fs_handle *h = c->handle;
	NTSTATUS st = take_normalised(c);

	if (NT_SUCCESS(st) && !information_valid(c, rsp->information)) {
		log_debug("fs", "open answered with information=%u", rsp->information);
		st = STATUS_INTERNAL_ERROR;
	}
	h->user_context2 = rsp->create.ctx.user_context2;
	h->granted_access = rsp->create.granted_access & GRANTABLE_RIGHTS;
	h->delete_on_close = c->options & FILE_DELETE_ON_CLOSE;
	if (!NT_SUCCESS(st))
		fs_entry_abandon(c->v, c->entry);
	else
		st = attach(c);
	if (!NT_SUCCESS(st)) {
		fs_send_close(c->v, rsp->create.ctx);
		return st;
	}
	return finish_open(c);
}

static NTSTATUS
ask_program(struct create *c)
{
	struct fs_req *req = fs_message_req(c->m);
	struct fs_rsp *rsp = fs_message_rsp(c->m);
	NTSTATUS st;

	c->entry = fs_entry_open(c->v, c->name, c->n_key,
				 fs_table_hash(c->v, c->name, c->n_key));
	if (!c->entry)
		return STATUS_INSUFFICIENT_RESOURCES;
	req->create.access_token = fs_token_value(c->params->token);
	st = fs_message_send(c->v, c->m);
	fs_token_value_close(req->create.access_token);
	if (st == STATUS_SUCCESS)
		return take_opened(c);
	fs_entry_abandon(c->v, c->entry);
	c->result->information = rsp->information;
	if (st == STATUS_REPARSE)
		return take_reparse(c);
	return NT_SUCCESS(st) ? STATUS_INTERNAL_ERROR : st;
}

/* A stream's main file is opened first, and held until the stream's cleanup (§6.2). */
static NTSTATUS
open_main(struct create *c)
{
	struct fs_open_params main = *c->params;
	struct fs_open_result result;
	size_t n = MAX(c->parts.stream_at, (size_t)1);
	bool must_exist = c->disposition == FILE_OPEN || c->disposition == FILE_OVERWRITE;

	main.name = c->name;
	main.n_units = n;
	main.related = NULL;
	main.desired_access = FILE_READ_ATTRIBUTES;
	main.share_access = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
	main.disposition = must_exist ? FILE_OPEN : FILE_OPEN_IF;
	main.options = FILE_OPEN_REPARSE_POINT;
	main.allocation_size = 0;
	main.ea = NULL;
	main.ea_size = 0;
	main.ea_is_reparse = false;
	main.flags &= ~(uint32_t)(FS_OPEN_WANT_SD | FS_OPEN_WITH_PREFIX);
	NTSTATUS st = fs_create_locked(c->v, &main, &result, &c->handle->main);
	if (st == STATUS_REPARSE) {
		c->result->information = result.information;
		c->result->data = result.data;
		c->result->data_size = result.data_size;
	} else {
		free(result.data);
	}
	return st;
}

static NTSTATUS
create_with_message(struct create *c, struct fs_handle **ret_handle)
{
	NTSTATUS st = build_name(c);

	if (NT_SUCCESS(st))
		st = fill_request(c);
	if (!NT_SUCCESS(st))
		return st;
	c->handle = handle_create(c->v, c->params);
	if (!c->handle)
		return STATUS_INSUFFICIENT_RESOURCES;
	c->handle->is_stream = c->parts.stream_at != 0;
	if (c->handle->is_stream)
		st = open_main(c);
	if (st == STATUS_SUCCESS)
		st = ask_program(c);
	if (st == STATUS_SUCCESS)
		*ret_handle = c->handle;
	else
		handle_free(c->handle);
	return st;
}

NTSTATUS
fs_create_locked(struct fs_volume *v, const struct fs_open_params *params,
		 struct fs_open_result *ret_result, struct fs_handle **ret_handle)
{
	struct fs_message m;
	struct create c = {
		.v = v,
		.params = params,
		.result = ret_result,
		.m = &m,
		.disposition = params->disposition,
		.options = params->options & 0x00ffffff,
		.desired = access_map_generic(params->desired_access),
	};
	NTSTATUS st;

	memset(ret_result, 0, sizeof(*ret_result));
	st = check_options(&c);
	if (!NT_SUCCESS(st))
		return st;
	fs_message_init(&m, FS_KIND_CREATE);
	return create_with_message(&c, ret_handle);
}

/* Watchers hear of new names, and of contents that were replaced. */
static void
report_open(struct fs_handle *h, uint32_t information)
{
	struct fs_volume *v = h->volume;

	if (!fs_is_watched(v))
		return;
	if (information == FILE_CREATED)
		fs_report_handle(h, FILE_ACTION_ADDED,
				 h->node->is_directory ? FILE_NOTIFY_CHANGE_DIR_NAME :
							 FILE_NOTIFY_CHANGE_FILE_NAME);
	else if (information == FILE_OVERWRITTEN || information == FILE_SUPERSEDED)
		fs_report_handle(h, FILE_ACTION_MODIFIED,
				 FILE_NOTIFY_CHANGE_LAST_WRITE | FILE_NOTIFY_CHANGE_ATTRIBUTES |
					 FILE_NOTIFY_CHANGE_SIZE |
					 (v->params.flags & FS_VOL_EXTENDED_ATTRIBUTES &&
							  !h->is_stream ?
						  FILE_NOTIFY_CHANGE_EA :
						  0));
}

NTSTATUS
fs_create(struct fs_volume *v, const struct fs_open_params *params,
	  struct fs_open_result *ret_result, struct fs_handle **ret_handle)
{
	NTSTATUS st = STATUS_VOLUME_DISMOUNTED;

	memset(ret_result, 0, sizeof(*ret_result));
	fs_rename_lock_shared(&v->rename);
	if (!atomic_load_explicit(&v->stopped, memory_order_relaxed))
		st = fs_create_locked(v, params, ret_result, ret_handle);
	fs_rename_unlock_shared(&v->rename);
	if (st == STATUS_SUCCESS)
		report_open(*ret_handle, ret_result->information);
	return st;
}

/* ------------------------------------------------------------------ overwrite phase */

NTSTATUS
fs_overwrite(struct fs_handle *h, const struct fs_open_params *p, bool supersede,
	     struct fs_file_info *info)
{
	struct fs_volume *v = h->volume;
	struct fs_node *node = h->node;
	struct fs_message m;
	struct fs_req *req = fs_message_init(&m, FS_KIND_OVERWRITE);
	uint32_t hide = FILE_ATTRIBUTE_NORMAL | FILE_ATTRIBUTE_DIRECTORY |
			FILE_ATTRIBUTE_REPARSE_POINT;

	req->overwrite.ctx = fs_handle_context(h);
	req->overwrite.attributes = h->is_stream ? 0 : p->attributes & ~hide;
	req->overwrite.allocation_size = fs_round_allocation(v, p->allocation_size);
	req->overwrite.supersede = supersede;
	if (p->ea_size > 0 && !h->is_stream &&
	    !fs_message_put(&m, p->ea, p->ea_size, &req->overwrite.ea))
		return STATUS_EA_TOO_LARGE;
	rwlock_lock(&node->op_lock);
	if (!h->is_stream) {
		/* its streams go: whoever has one open keeps it, nobody opens it anew */
		mutex_lock(&v->table_lock);
		list_for_each(s, &node->streams) {
			struct fs_node *stream = list_entry(s, struct fs_node, stream_link);

			list_for_each(e, &stream->entries)
				list_entry(e, struct fs_entry, node_link)->delete_pending = true;
		}
		mutex_unlock(&v->table_lock);
	}
	NTSTATUS st = fs_message_send(v, &m);
	if (NT_SUCCESS(st)) {
		*info = fs_message_rsp(&m)->file.info;
		fs_cache_replace_info(node, info);
		fs_cache_drop(node, &node->ea);
		fs_cache_drop(node, &node->stream_list);
		fs_cache_parent_changed(v, h->entry->name, h->entry->n_units);
	}
	rwlock_unlock(&node->op_lock);
	return st;
}

/* ------------------------------------------------------------------ by name */

static NTSTATUS
name_state(struct create *c)
{
	NTSTATUS st = STATUS_SUCCESS;

	mutex_lock(&c->v->table_lock);
	struct fs_entry *e = fs_entry_find(c->v, c->name, c->n_key,
					   fs_table_hash(c->v, c->name, c->n_key));
	if (e && e->delete_pending)
		st = STATUS_DELETE_PENDING;
	mutex_unlock(&c->v->table_lock);
	return st;
}

static void
take_by_name(struct create *c, const struct fs_file_info *info, struct fs_buf sd_buf)
{
	const void *sd = fs_message_data(c->m, sd_buf);

	c->result->information = FILE_OPENED;
	c->result->info = *info;
	if (c->parts.stream_at != 0)
		c->result->info.attributes &= ~FILE_ATTRIBUTE_DIRECTORY;
	if ((c->params->flags & FS_OPEN_WANT_SD) && sd && sd_buf.size > 0 &&
	    sd_valid(sd, sd_buf.size))
		(void)copy_data(c->result, sd, sd_buf.size);
}

static NTSTATUS
send_by_name(struct create *c)
{
	struct fs_req *req = fs_message_req(c->m);
	NTSTATUS st;

	req->create.access_token = fs_token_value(c->params->token);
	st = fs_message_send(c->v, c->m);
	fs_token_value_close(req->create.access_token);
	if (st == STATUS_REPARSE)
		return take_reparse(c);
	return st == STATUS_SUCCESS || !NT_SUCCESS(st) ? st : STATUS_INTERNAL_ERROR;
}

/* An open and a close that the file table never sees: nothing of it outlasts this call. */
static NTSTATUS
open_and_close(struct create *c)
{
	struct fs_rsp *rsp = fs_message_rsp(c->m);
	NTSTATUS st = send_by_name(c);

	if (st != STATUS_SUCCESS)
		return st;
	struct fs_context ctx = rsp->create.ctx;
	st = name_state(c);
	if (NT_SUCCESS(st))
		take_by_name(c, &rsp->create.info, rsp->create.sd);
	fs_send_cleanup(c->v, ctx, 0, NULL, 0);
	fs_send_close(c->v, ctx);
	return st;
}

/* A descriptor that the program does not send along costs a real open. */
static NTSTATUS
open_for_sd(struct create *c, const struct fs_open_params *params)
{
	struct fs_handle *h;
	NTSTATUS st;

	free(c->result->data);
	st = fs_create_locked(c->v, params, c->result, &h);
	if (st != STATUS_SUCCESS)
		return st;
	fs_cleanup_held(h, true);
	fs_close(h);
	return st;
}

NTSTATUS
fs_query_by_name_held(struct fs_volume *v, const struct fs_open_params *params,
		      struct fs_open_result *ret_result)
{
	struct fs_open_params open = *params;
	bool by_kind = fs_volume_has_kind(&v->params, FS_KIND_QUERY_BY_NAME);
	bool want_sd = params->flags & FS_OPEN_WANT_SD;
	struct fs_message m;
	struct create c = {
		.v = v,
		.params = &open,
		.result = ret_result,
		.m = &m,
		.disposition = FILE_OPEN,
	};

	memset(ret_result, 0, sizeof(*ret_result));
	open.disposition = FILE_OPEN;
	open.options = (params->options & ~(uint32_t)FILE_DELETE_ON_CLOSE) |
		       FILE_OPEN_REPARSE_POINT;
	open.ea_size = 0;
	open.sd = NULL;
	open.flags &= ~(uint32_t)FS_OPEN_TARGET_DIRECTORY;
	if (open.desired_access == 0)
		open.desired_access = FILE_READ_ATTRIBUTES | (want_sd ? READ_CONTROL : 0);
	open.share_access = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
	c.options = open.options & 0x00ffffff;
	c.desired = access_map_generic(open.desired_access);
	NTSTATUS st = check_options(&c);
	if (!NT_SUCCESS(st))
		return st;
	fs_message_init(&m, by_kind ? FS_KIND_QUERY_BY_NAME : FS_KIND_CREATE);
	st = build_name(&c);
	if (NT_SUCCESS(st))
		st = fill_request(&c);
	if (!NT_SUCCESS(st))
		return st;
	if (!by_kind) {
		st = open_and_close(&c);
		if (st == STATUS_SUCCESS && want_sd && !ret_result->data)
			st = open_for_sd(&c, &open);
		return st;
	}
	st = send_by_name(&c);
	if (st == STATUS_SUCCESS)
		st = name_state(&c);
	if (st == STATUS_SUCCESS)
		take_by_name(&c, &fs_message_rsp(&m)->by_name.info, fs_message_rsp(&m)->by_name.sd);
	return st;
}

NTSTATUS
fs_query_by_name(struct fs_volume *v, const struct fs_open_params *params,
		 struct fs_open_result *ret_result)
{
	NTSTATUS st = STATUS_VOLUME_DISMOUNTED;

	memset(ret_result, 0, sizeof(*ret_result));
	fs_rename_lock_shared(&v->rename);
	if (!atomic_load_explicit(&v->stopped, memory_order_relaxed))
		st = fs_query_by_name_held(v, params, ret_result);
	fs_rename_unlock_shared(&v->rename);
	return st;
}
