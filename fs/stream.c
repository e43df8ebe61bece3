/* The list of a file's streams. */
#include "fs/volume_priv.h"
#include "fs/walk.h"

/* The good entries at the start of what the program sent. */
static struct fs_blob *
stream_blob(const void *list, uint32_t size)
{
	uint32_t at = 0;

	while (list &&
	       fs_list_next(list, size, &at, sizeof(struct fs_stream_info), NULL))
		;
	return fs_blob_create(list, MIN(at, size));
}

NTSTATUS
fs_query_streams(struct fs_handle *h, void **ret_list, uint32_t *ret_size)
{
	struct fs_node *node = h->node->main ? h->node->main : h->node;
	struct fs_volume *v = h->volume;
	uint32_t changes;
	NTSTATUS st;

	if (!(v->params.flags & FS_VOL_NAMED_STREAMS))
		return STATUS_INVALID_PARAMETER;
	struct fs_blob *blob = fs_cache_get(node, &node->stream_list, &changes);
	if (!blob) {
		struct fs_message m;

		fs_message_init(&m, FS_KIND_QUERY_STREAMS)->query_streams.ctx =
			fs_handle_context(h);
		rwlock_lock_shared(&h->node->op_lock);
		st = fs_message_send(v, &m);
		rwlock_unlock(&h->node->op_lock);
		if (!NT_SUCCESS(st))
			return st;
		struct fs_buf buf = fs_message_rsp(&m)->data.buffer;
		const void *list = fs_message_data(&m, buf);
		if (!list)
			return STATUS_INTERNAL_ERROR;
		blob = stream_blob(list, buf.size);
		if (!blob)
			return STATUS_INSUFFICIENT_RESOURCES;
		fs_cache_fill(node, &node->stream_list, blob, v->params.stream_info_timeout,
			      FS_STREAM_CACHE_MAX, changes);
	}
	st = fs_blob_copy(blob, ret_list, ret_size);
	fs_blob_unref(blob);
	return st;
}
