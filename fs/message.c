#include "fs/message_priv.h"

#include <string.h>
#include "base/log.h"
#include "fs/volume_priv.h"

struct fs_req *
fs_message_init(struct fs_message *m, enum fs_kind kind)
{
	struct fs_req *req = fs_message_req(m);

	memset(req, 0, FS_REQ_HEADER_SIZE);
	req->size = FS_REQ_HEADER_SIZE;
	req->kind = kind;
	return req;
}

bool
fs_message_put(struct fs_message *m, const void *bytes, size_t size, struct fs_buf *ret_buf)
{
	struct fs_req *req = fs_message_req(m);
	size_t at = ALIGN_UP((size_t)req->size, 8);

	if (at > FS_REQ_SIZE_MAX || size > FS_REQ_SIZE_MAX - at)
		return false;
	memset(m->req_bytes + req->size, 0, at - req->size);
	memcpy(m->req_bytes + at, bytes, size);
	*ret_buf = (struct fs_buf){.offset = (uint16_t)(at - FS_REQ_HEADER_SIZE),
				   .size = (uint16_t)size};
	req->size = (uint16_t)(at + size);
	return true;
}

bool
fs_message_put_name(struct fs_message *m, const uint16_t *name, size_t n_units,
		    struct fs_buf *ret_buf)
{
	struct fs_req *req = fs_message_req(m);

	if (n_units > FS_FULL_PATH_UNITS_MAX || !fs_message_put(m, name, n_units * 2, ret_buf) ||
	    req->size + 2 > FS_REQ_SIZE_MAX)
		return false;
	memset(m->req_bytes + req->size, 0, 2);
	req->size += 2;
	ret_buf->size += 2;
	return true;
}

bool
fs_message_set_name(struct fs_message *m, const uint16_t *name, size_t n_units)
{
	return fs_message_put_name(m, name, n_units, &fs_message_req(m)->file_name);
}

bool
fs_message_set_entry(struct fs_volume *volume, struct fs_message *m, struct fs_entry *entry)
{
	mutex_lock(&volume->table_lock);
	bool done = fs_message_set_name(m, entry->name, entry->n_units);
	mutex_unlock(&volume->table_lock);
	return done;
}

uint16_t *
fs_message_name_space(struct fs_message *m, size_t *ret_cap_units)
{
	*ret_cap_units = FS_FULL_PATH_UNITS_MAX;
	return (uint16_t *)(m->req_bytes + FS_REQ_HEADER_SIZE);
}

size_t
fs_message_name_units(struct fs_message *m)
{
	return fs_message_req(m)->file_name.size / 2u - 1;
}

NTSTATUS
fs_message_send(struct fs_volume *volume, struct fs_message *m)
{
	struct fs_req *req = fs_message_req(m);
	struct fs_rsp *rsp = fs_message_rsp(m);
	uint32_t kind = req->kind;
	uint64_t hint = atomic_fetch_add_explicit(&volume->hint, 1, memory_order_relaxed) + 1;

	memset(rsp, 0, FS_RSP_HEADER_SIZE);
	req->hint = rsp->hint = hint;
	rsp->kind = kind;
	rsp->size = FS_RSP_HEADER_SIZE;
	volume->ops.transact(volume->program, req, rsp);
	if (rsp->kind == kind && rsp->hint == hint && rsp->size >= FS_RSP_HEADER_SIZE &&
	    rsp->size <= FS_RSP_SIZE_MAX && rsp->status != STATUS_PENDING)
		return rsp->status;
	log_debug("fs", "response dropped kind=%u status=%08x size=%u", kind,
		  (unsigned)rsp->status, rsp->size);
	return STATUS_INTERNAL_ERROR;
}

const void *
fs_message_data(struct fs_message *m, struct fs_buf buf)
{
	const struct fs_rsp *rsp = fs_message_rsp(m);
	uint32_t n = rsp->size - FS_RSP_HEADER_SIZE;

	if (buf.offset > n || buf.size > n - buf.offset)
		return NULL;
	return m->rsp_bytes + FS_RSP_HEADER_SIZE + buf.offset;
}
