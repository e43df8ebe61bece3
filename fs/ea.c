/* Extended attributes (winfsp-fsctl §19): the program always speaks of the whole list. */
#include <stdlib.h>
#include <string.h>
#include "fs/volume_priv.h"
#include "fs/walk.h"

static NTSTATUS
check_ea_handle(const struct fs_handle *h)
{
	if (!(h->volume->params.flags & FS_VOL_EXTENDED_ATTRIBUTES))
		return STATUS_INVALID_DEVICE_REQUEST;
	return h->is_stream ? STATUS_INVALID_PARAMETER : STATUS_SUCCESS;
}

/* The list of a response, checked, as a blob. */
static NTSTATUS
ea_blob(struct fs_message *m, struct fs_buf buf, struct fs_blob **ret_blob)
{
	const void *list = fs_message_data(m, buf);
	struct fs_blob *blob;
	NTSTATUS st;

	if (!list)
		return STATUS_EA_LIST_INCONSISTENT;
	blob = fs_blob_create(list, buf.size);
	if (!blob)
		return STATUS_INSUFFICIENT_RESOURCES;
	st = fs_ea_repair(blob->bytes, &blob->size);
	if (!NT_SUCCESS(st)) {
		fs_blob_unref(blob);
		return st;
	}
	*ret_blob = blob;
	return STATUS_SUCCESS;
}

static NTSTATUS
ask_program(struct fs_handle *h, uint32_t changes, struct fs_blob **ret_blob)
{
	struct fs_node *node = h->node;
	struct fs_message m;
	NTSTATUS st;

	fs_message_init(&m, FS_KIND_QUERY_EA)->query_ea.ctx = fs_handle_context(h);
	rwlock_lock_shared(&node->op_lock);
	st = fs_message_send(h->volume, &m);
	rwlock_unlock(&node->op_lock);
	if (NT_SUCCESS(st))
		st = ea_blob(&m, fs_message_rsp(&m)->query_ea.ea, ret_blob);
	if (NT_SUCCESS(st))
		fs_cache_fill(node, &node->ea, *ret_blob, h->volume->params.ea_timeout,
			      FS_EA_CACHE_MAX, changes);
	return st;
}

NTSTATUS
fs_query_ea(struct fs_handle *h, void **ret_list, uint32_t *ret_size)
{
	NTSTATUS st = check_ea_handle(h);
	uint32_t changes;

	if (NT_SUCCESS(st) && !h->posix)
		st = fs_require(h, FILE_READ_EA);
	if (!NT_SUCCESS(st))
		return st;
	struct fs_blob *blob = fs_cache_get(h->node, &h->node->ea, &changes);
	if (!blob)
		st = ask_program(h, changes, &blob);
	if (!NT_SUCCESS(st))
		return st;
	st = fs_blob_copy(blob, ret_list, ret_size);
	fs_blob_unref(blob);
	return st;
}

/* The answer may carry the resulting list; else it will be asked for. */
static void
take_result(struct fs_handle *h, struct fs_message *m)
{
	struct fs_rsp *rsp = fs_message_rsp(m);
	struct fs_node *node = h->node;
	struct fs_blob *blob;
	uint32_t changes;

	h->set_metadata = true;
	fs_cache_replace_info(node, &rsp->set_ea.info);
	fs_cache_drop(node, &node->ea);
	if (rsp->set_ea.ea.size == 0 || !NT_SUCCESS(ea_blob(m, rsp->set_ea.ea, &blob)))
		return;
	fs_blob_unref(fs_cache_get(node, &node->ea, &changes));
	fs_cache_fill(node, &node->ea, blob, h->volume->params.ea_timeout, FS_EA_CACHE_MAX,
		      changes);
	fs_blob_unref(blob);
}

NTSTATUS
fs_set_ea(struct fs_handle *h, const void *list, uint32_t size, uint32_t *ret_bad)
{
	struct fs_message m;
	struct fs_req *req = fs_message_init(&m, FS_KIND_SET_EA);
	NTSTATUS st = check_ea_handle(h);

	if (NT_SUCCESS(st))
		st = fs_require(h, FILE_WRITE_EA);
	if (NT_SUCCESS(st))
		st = fs_ea_check(list, size, ret_bad);
	if (!NT_SUCCESS(st))
		return st;
	req->set_ea.ctx = fs_handle_context(h);
	if (!fs_message_put(&m, list, size, &req->set_ea.ea))
		return STATUS_EA_TOO_LARGE;
	rwlock_lock(&h->node->op_lock);
	st = fs_message_send(h->volume, &m);
	if (NT_SUCCESS(st))
		take_result(h, &m);
	rwlock_unlock(&h->node->op_lock);
	if (NT_SUCCESS(st))
		fs_report_handle(h, FILE_ACTION_MODIFIED, FILE_NOTIFY_CHANGE_EA);
	return st;
}
