/* Query and set information, and information by name (winfsp-fsctl §10). */
#include <string.h>
#include "fs/volume_priv.h"

NTSTATUS
fs_query_info(struct fs_handle *h, struct fs_file_info *ret_info)
{
	struct fs_node *node = h->node;
	uint32_t changes;
	NTSTATUS st = STATUS_SUCCESS;

	if (!fs_cache_get_info(node, ret_info, &changes)) {
		struct fs_message m;

		fs_message_init(&m, FS_KIND_QUERY_INFO)->query_info.ctx = fs_handle_context(h);
		rwlock_lock_shared(&node->op_lock);
		st = fs_message_send(h->volume, &m);
		if (NT_SUCCESS(st)) {
			*ret_info = fs_message_rsp(&m)->file.info;
			fs_cache_fill_info(node, ret_info, changes);
		}
		rwlock_unlock(&node->op_lock);
	}
	if (NT_SUCCESS(st) && h->is_stream)
		ret_info->attributes &= ~FILE_ATTRIBUTE_DIRECTORY;
	return st;
}

/* Sends a set request of a handle; the answer's information replaces what was known. */
static NTSTATUS
send_set(struct fs_handle *h, struct fs_message *m, struct fs_file_info *ret_info)
	REQUIRES(&h->node->op_lock)
{
	NTSTATUS st = fs_message_send(h->volume, m);

	if (!NT_SUCCESS(st))
		return st;
	*ret_info = fs_message_rsp(m)->file.info;
	fs_cache_replace_info(h->node, ret_info);
	if (h->is_stream)
		ret_info->attributes &= ~FILE_ATTRIBUTE_DIRECTORY;
	return st;
}

static struct fs_req *
init_set(struct fs_handle *h, struct fs_message *m, uint32_t info_class)
{
	struct fs_req *req = fs_message_init(m, FS_KIND_SET_INFO);

	req->set_info.ctx = fs_handle_context(h);
	req->set_info.info_class = info_class;
	return req;
}

/* 0 means unchanged; NORMAL alone means none; the directory bit is the type's. */
static uint32_t
basic_attributes(const struct fs_handle *h, uint32_t attributes)
{
	if (attributes == 0 || attributes == INVALID_FILE_ATTRIBUTES)
		return INVALID_FILE_ATTRIBUTES;
	attributes &= ~(FILE_ATTRIBUTE_NORMAL | FILE_ATTRIBUTE_DIRECTORY);
	return attributes | (h->node->is_directory ? FILE_ATTRIBUTE_DIRECTORY : 0);
}

/* -1 is "unchanged" too; -2 goes to the program as it is. */
static uint64_t
basic_time(uint64_t time)
{
	return time == UINT64_MAX ? 0 : time;
}

/* What cleanup shall not set again, and what watchers hear. */
static uint32_t
note_basic(struct fs_handle *h, const struct fs_req *req)
{
	uint32_t filter = 0;

	h->set_metadata = true;
	if (req->set_info.basic.attributes != INVALID_FILE_ATTRIBUTES) {
		h->set_attributes = true;
		filter |= FILE_NOTIFY_CHANGE_ATTRIBUTES;
	}
	if (req->set_info.basic.creation_time != 0)
		filter |= FILE_NOTIFY_CHANGE_CREATION;
	if (req->set_info.basic.last_access_time != 0) {
		h->set_last_access = true;
		filter |= FILE_NOTIFY_CHANGE_LAST_ACCESS;
	}
	if (req->set_info.basic.last_write_time != 0) {
		h->set_last_write = true;
		filter |= FILE_NOTIFY_CHANGE_LAST_WRITE;
	}
	if (req->set_info.basic.change_time != 0)
		h->set_change = true;
	return filter;
}

NTSTATUS
fs_set_basic(struct fs_handle *h, const struct fs_basic_info *basic,
	     struct fs_file_info *ret_info)
{
	struct fs_message m;
	struct fs_req *req = init_set(h, &m, FileBasicInformation);
	uint32_t filter = 0;
	NTSTATUS st = fs_require(h, FILE_WRITE_ATTRIBUTES);

	if (!NT_SUCCESS(st))
		return st;
	if (basic->attributes != INVALID_FILE_ATTRIBUTES && h->node->is_directory &&
	    (basic->attributes & FILE_ATTRIBUTE_TEMPORARY))
		return STATUS_INVALID_PARAMETER;
	req->set_info.basic.attributes = basic_attributes(h, basic->attributes);
	req->set_info.basic.creation_time = basic_time(basic->creation_time);
	req->set_info.basic.last_access_time = basic_time(basic->last_access_time);
	req->set_info.basic.last_write_time = basic_time(basic->last_write_time);
	req->set_info.basic.change_time = basic_time(basic->change_time);
	rwlock_lock(&h->node->op_lock);
	st = send_set(h, &m, ret_info);
	if (NT_SUCCESS(st))
		filter = note_basic(h, req);
	rwlock_unlock(&h->node->op_lock);
	if (filter != 0)
		fs_report_handle(h, FILE_ACTION_MODIFIED, filter);
	return st;
}

static NTSTATUS
set_size(struct fs_handle *h, struct fs_message *m, struct fs_file_info *ret_info)
{
	NTSTATUS st = fs_require(h, FILE_WRITE_DATA);

	if (!NT_SUCCESS(st))
		return st;
	if (h->node->is_directory)
		return STATUS_INVALID_PARAMETER;
	rwlock_lock(&h->node->op_lock);
	st = send_set(h, m, ret_info);
	if (NT_SUCCESS(st)) {
		h->modified = true;
		atomic_store_explicit(&h->node->truncate_on_close, true, memory_order_relaxed);
		fs_cache_volume_changed(h->volume);
	}
	rwlock_unlock(&h->node->op_lock);
	if (NT_SUCCESS(st))
		fs_report_handle(h, FILE_ACTION_MODIFIED, FILE_NOTIFY_CHANGE_SIZE);
	return st;
}

NTSTATUS
fs_set_end_of_file(struct fs_handle *h, uint64_t size, struct fs_file_info *ret_info)
{
	struct fs_message m;

	if (size > INT64_MAX)
		return STATUS_INVALID_PARAMETER;
	init_set(h, &m, FileEndOfFileInformation)->set_info.end_of_file.file_size = size;
	return set_size(h, &m, ret_info);
}

NTSTATUS
fs_set_allocation(struct fs_handle *h, uint64_t size, struct fs_file_info *ret_info)
{
	struct fs_message m;

	if (size > INT64_MAX)
		return STATUS_INVALID_PARAMETER;
	init_set(h, &m, FileAllocationInformation)->set_info.allocation.allocation_size =
		fs_round_allocation(h->volume, size);
	return set_size(h, &m, ret_info);
}
