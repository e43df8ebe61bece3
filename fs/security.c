/* Security descriptors (winfsp-fsctl §20). A stream's is its main file's. */
#include <stdlib.h>
#include "fs/volume_priv.h"
#include "fs/security/sd.h"

NTSTATUS
fs_query_security(struct fs_handle *handle, void **ret_sd, uint32_t *ret_size)
{
	struct fs_handle *h = fs_handle_main(handle);
	struct fs_volume *v = h->volume;
	struct fs_node *node = h->node;
	uint32_t changes;
	NTSTATUS st = STATUS_SUCCESS;

	if (!handle->posix && !handle->kernel_mode)
		st = fs_require(handle, READ_CONTROL | ACCESS_SYSTEM_SECURITY);
	if (!NT_SUCCESS(st))
		return st;
	struct fs_blob *blob = fs_cache_get(node, &node->security, &changes);
	if (!blob) {
		struct fs_message m;

		fs_message_init(&m, FS_KIND_QUERY_SECURITY)->query_security.ctx =
			fs_handle_context(h);
		rwlock_lock_shared(&node->op_lock);
		st = fs_message_send(v, &m);
		rwlock_unlock(&node->op_lock);
		if (!NT_SUCCESS(st))
			return st;
		struct fs_buf buf = fs_message_rsp(&m)->data.buffer;
		const void *sd = fs_message_data(&m, buf);
		if (!sd || !sd_valid(sd, buf.size))
			return STATUS_INVALID_SECURITY_DESCR;
		blob = fs_blob_create(sd, buf.size);
		if (!blob)
			return STATUS_INSUFFICIENT_RESOURCES;
		fs_cache_fill(node, &node->security, blob, v->params.security_timeout,
			      FS_SECURITY_CACHE_MAX, changes);
	}
	st = fs_blob_copy(blob, ret_sd, ret_size);
	fs_blob_unref(blob);
	return st;
}

/* The rights that changing the named parts takes; all of them. */
static uint32_t
rights_to_set(uint32_t info)
{
	return (info & (SD_OWNER | SD_GROUP) ? WRITE_OWNER : 0) |
	       (info & SD_DACL ? WRITE_DAC : 0) |
	       (info & SD_SACL ? ACCESS_SYSTEM_SECURITY : 0);
}

/* The answer may carry the resulting descriptor. */
static void
take_result(struct fs_node *node, struct fs_message *m)
{
	struct fs_buf buf = fs_message_rsp(m)->data.buffer;
	const void *sd = fs_message_data(m, buf);
	struct fs_blob *blob;
	uint32_t changes;

	fs_cache_drop(node, &node->security);
	fs_cache_drop_info(node); /* its change time */
	if (!sd || buf.size == 0 || !sd_valid(sd, buf.size) ||
	    !(blob = fs_blob_create(sd, buf.size)))
		return;
	fs_blob_unref(fs_cache_get(node, &node->security, &changes));
	fs_cache_fill(node, &node->security, blob, node->volume->params.security_timeout,
		      FS_SECURITY_CACHE_MAX, changes);
	fs_blob_unref(blob);
}

NTSTATUS
fs_set_security(struct fs_handle *handle, uint32_t info, const void *sd)
{
	struct fs_handle *h = fs_handle_main(handle);
	struct fs_message m;
	struct fs_req *req = fs_message_init(&m, FS_KIND_SET_SECURITY);
	uint32_t rights = rights_to_set(info);
	NTSTATUS st;

	if ((handle->granted_access & rights) != rights)
		return STATUS_ACCESS_DENIED;
	req->set_security.ctx = fs_handle_context(h);
	req->set_security.info = info;
	if (!fs_message_put(&m, sd, sd_length(sd), &req->set_security.sd))
		return STATUS_INVALID_SECURITY_DESCR;
	rwlock_lock(&h->node->op_lock);
	st = fs_message_send(h->volume, &m);
	if (NT_SUCCESS(st)) {
		handle->set_security = true;
		take_result(h->node, &m);
	}
	rwlock_unlock(&h->node->op_lock);
	if (NT_SUCCESS(st))
		fs_report_handle(h, FILE_ACTION_MODIFIED, FILE_NOTIFY_CHANGE_SECURITY);
	return st;
}
