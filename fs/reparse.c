/* Reparse points and device controls (winfsp-fsctl §21). */
#include <string.h>
#include "fs/volume_priv.h"
#include "fs/walk.h"

enum { DEVICE_CONTROL_MAX = 4096 };

static NTSTATUS
check_reparse(const struct fs_handle *h)
{
	return h->volume->params.flags & FS_VOL_REPARSE_POINTS ? STATUS_SUCCESS :
								 STATUS_INVALID_DEVICE_REQUEST;
}

NTSTATUS
fs_get_reparse(struct fs_handle *h, void *buffer, uint32_t cap, uint32_t *ret_size)
{
	struct fs_message m;
	struct fs_req *req = fs_message_init(&m, FS_KIND_FS_CONTROL);
	NTSTATUS st = check_reparse(h);

	if (!NT_SUCCESS(st))
		return st;
	req->fs_control.ctx = fs_handle_context(h);
	req->fs_control.code = FSCTL_GET_REPARSE_POINT;
	fs_rename_lock_shared(&h->volume->rename);
	if (fs_message_set_entry(h->volume, &m, h->entry)) {
		rwlock_lock_shared(&h->node->op_lock);
		st = fs_message_send(h->volume, &m);
		rwlock_unlock(&h->node->op_lock);
	} else {
		st = STATUS_INSUFFICIENT_RESOURCES;
	}
	fs_rename_unlock_shared(&h->volume->rename);
	if (!NT_SUCCESS(st))
		return st;
	struct fs_buf buf = fs_message_rsp(&m)->data.buffer;
	const void *data = fs_message_data(&m, buf);
	if (!data || !NT_SUCCESS(fs_reparse_check(data, buf.size)))
		return STATUS_IO_REPARSE_DATA_INVALID;
	if (buf.size > cap)
		return STATUS_BUFFER_TOO_SMALL;
	memcpy(buffer, data, buf.size);
	*ret_size = buf.size;
	return STATUS_SUCCESS;
}

/* "\??\UNC" and this volume's prefix lead to a target on this volume. */
static uint16_t
target_on_volume(const struct fs_volume *v, const void *buffer, uint32_t size)
{
	static const uint16_t unc[] = {'\\', '?', '?', '\\', 'U', 'N', 'C'};
	size_t n_unc = ARRAY_SIZE(unc), n_prefix = utf16_len(v->params.prefix);
	struct fs_symlink link;
	size_t n = n_unc + n_prefix;

	if (n_prefix == 0 || !fs_reparse_symlink(buffer, size, &link) || link.relative ||
	    link.n_substitute <= n ||
	    utf16_compare(link.substitute, n_unc, unc, n_unc, true) != 0 ||
	    utf16_compare(link.substitute + n_unc, n_prefix, v->params.prefix, n_prefix,
			  true) != 0 ||
	    link.substitute[n] != '\\')
		return 0;
	return (uint16_t)((const uint8_t *)(link.substitute + n) - (const uint8_t *)buffer);
}

static NTSTATUS
check_change(const struct fs_handle *h)
{
	NTSTATUS st = check_reparse(h);

	return NT_SUCCESS(st) ? fs_require(h, FILE_WRITE_DATA | FILE_APPEND_DATA |
						      FILE_WRITE_ATTRIBUTES) :
				st;
}

/* Creating and deleting symlinks takes a privilege where the volume says so. */
static NTSTATUS
check_privilege(const struct fs_handle *h, uint32_t tag)
{
	if (tag != IO_REPARSE_TAG_SYMLINK || h->kernel_mode ||
	    !(h->volume->params.flags & FS_VOL_REPARSE_ACCESS_CHECK))
		return STATUS_SUCCESS;
	return h->token && (token_privileges(h->token) & TOKEN_SYMLINK) ?
		       STATUS_SUCCESS :
		       STATUS_PRIVILEGE_NOT_HELD;
}

static NTSTATUS
send_change(struct fs_handle *h, uint32_t code, const void *buffer, uint32_t size)
{
	struct fs_message m;
	struct fs_req *req = fs_message_init(&m, FS_KIND_FS_CONTROL);
	struct fs_volume *v = h->volume;
	NTSTATUS st = STATUS_IO_REPARSE_DATA_INVALID;
	uint32_t tag;

	memcpy(&tag, buffer, sizeof(tag));
	if (!NT_SUCCESS(check_privilege(h, tag)))
		return STATUS_PRIVILEGE_NOT_HELD;
	req->fs_control.ctx = fs_handle_context(h);
	req->fs_control.code = code;
	if (code == FSCTL_SET_REPARSE_POINT)
		req->fs_control.target_on_volume = target_on_volume(v, buffer, size);
	fs_rename_lock_shared(&v->rename);
	if (fs_message_set_entry(v, &m, h->entry) &&
	    fs_message_put(&m, buffer, size, &req->fs_control.buffer)) {
		rwlock_lock(&h->node->op_lock);
		st = fs_message_send(v, &m);
		if (NT_SUCCESS(st)) {
			h->set_metadata = true;
			fs_cache_drop_info(h->node);
		}
		rwlock_unlock(&h->node->op_lock);
	}
	fs_rename_unlock_shared(&v->rename);
	if (NT_SUCCESS(st))
		fs_report_handle(h, FILE_ACTION_MODIFIED, FILE_NOTIFY_CHANGE_ATTRIBUTES);
	return st;
}

NTSTATUS
fs_set_reparse(struct fs_handle *h, const void *buffer, uint32_t size)
{
	NTSTATUS st = check_change(h);

	if (!NT_SUCCESS(st))
		return st;
	if (size == 0)
		return STATUS_INVALID_BUFFER_SIZE;
	st = fs_reparse_check(buffer, size);
	return NT_SUCCESS(st) ? send_change(h, FSCTL_SET_REPARSE_POINT, buffer, size) : st;
}

NTSTATUS
fs_delete_reparse(struct fs_handle *h, const void *buffer, uint32_t size)
{
	NTSTATUS st = check_change(h);
	uint32_t tag;
	uint16_t length;

	if (!NT_SUCCESS(st))
		return st;
	if (size == 0)
		return STATUS_INVALID_BUFFER_SIZE;
	if (size != REPARSE_DATA_BUFFER_HEADER_SIZE && size != REPARSE_GUID_DATA_BUFFER_HEADER_SIZE)
		return STATUS_IO_REPARSE_DATA_INVALID;
	memcpy(&tag, buffer, sizeof(tag));
	memcpy(&length, (const uint8_t *)buffer + 4, sizeof(length));
	if (tag == IO_REPARSE_TAG_RESERVED_ZERO || tag == IO_REPARSE_TAG_RESERVED_ONE)
		return STATUS_IO_REPARSE_TAG_INVALID;
	if (length != 0 ||
	    (!IsReparseTagMicrosoft(tag) && size != REPARSE_GUID_DATA_BUFFER_HEADER_SIZE))
		return STATUS_IO_REPARSE_DATA_INVALID;
	return send_change(h, FSCTL_DELETE_REPARSE_POINT, buffer, size);
}

/* Device type with the top bit, METHOD_BUFFERED. */
static bool
is_forwarded_code(uint32_t code)
{
	return (code >> 16 & 0x8000) != 0 && (code & 3) == 0;
}

NTSTATUS
fs_device_control(struct fs_handle *h, uint32_t code, const void *in, uint32_t in_size, void *out,
		  uint32_t out_cap, uint32_t *ret_size)
{
	struct fs_message m;
	struct fs_req *req = fs_message_init(&m, FS_KIND_DEVICE_CONTROL);
	NTSTATUS st;

	if (!(h->volume->params.flags & FS_VOL_DEVICE_CONTROL) || !is_forwarded_code(code))
		return STATUS_INVALID_DEVICE_REQUEST;
	if (in_size > DEVICE_CONTROL_MAX || out_cap > DEVICE_CONTROL_MAX)
		return STATUS_INVALID_BUFFER_SIZE;
	req->device_control.ctx = fs_handle_context(h);
	req->device_control.code = code;
	req->device_control.output_length = out_cap;
	if (in_size > 0 && !fs_message_put(&m, in, in_size, &req->device_control.buffer))
		return STATUS_INVALID_BUFFER_SIZE;
	rwlock_lock_shared(&h->node->op_lock);
	st = fs_message_send(h->volume, &m);
	rwlock_unlock(&h->node->op_lock);
	if (!NT_SUCCESS(st))
		return st;
	struct fs_buf buf = fs_message_rsp(&m)->data.buffer;
	const void *data = fs_message_data(&m, buf);
	if (!data || buf.size > out_cap)
		return STATUS_INTERNAL_ERROR;
	if (buf.size > 0)
		memcpy(out, data, buf.size);
	*ret_size = buf.size;
	return st;
}
