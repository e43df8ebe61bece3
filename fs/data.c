/* Read, write, flush, and the optional operations on ranges (winfsp-fsctl §15). */
#include "fs/volume_priv.h"

NTSTATUS
fs_read(struct fs_handle *h, void *buffer, uint64_t offset, uint32_t length, uint32_t *ret_done)
{
	struct fs_message m;
	struct fs_req *req = fs_message_init(&m, FS_KIND_READ);
	struct fs_node *node = h->node;

	if (node->is_directory)
		return STATUS_INVALID_PARAMETER;
	NTSTATUS st = fs_require(h, FILE_READ_DATA | FILE_EXECUTE);
	if (!NT_SUCCESS(st))
		return st;
	if (length == 0) {
		*ret_done = 0;
		return STATUS_SUCCESS;
	}
	req->rw.ctx = fs_handle_context(h);
	req->rw.address = (uintptr_t)buffer;
	req->rw.offset = offset;
	req->rw.length = length;
	rwlock_lock_shared(&node->op_lock);
	st = fs_message_send(h->volume, &m);
	rwlock_unlock(&node->op_lock);
	if (!NT_SUCCESS(st))
		return st;
	if (fs_message_rsp(&m)->information > length)
		return STATUS_INTERNAL_ERROR;
	atomic_store_explicit(&h->was_read, true, memory_order_relaxed);
	*ret_done = fs_message_rsp(&m)->information;
	return st;
}

/* Sizes have changed: what is remembered, and what cleanup has to do. op_lock held. */
static void
data_changed(struct fs_handle *h, const struct fs_file_info *info)
{
	h->modified = true;
	atomic_store_explicit(&h->node->truncate_on_close, true, memory_order_relaxed);
	fs_cache_replace_info(h->node, info);
	fs_cache_volume_changed(h->volume);
}

NTSTATUS
fs_write(struct fs_handle *h, const void *buffer, uint64_t offset, uint32_t length,
	 bool constrained, uint32_t *ret_done, struct fs_file_info *ret_info)
{
	struct fs_message m;
	struct fs_req *req = fs_message_init(&m, FS_KIND_WRITE);
	struct fs_rsp *rsp = fs_message_rsp(&m);
	struct fs_node *node = h->node;

	if (node->is_directory)
		return STATUS_INVALID_PARAMETER;
	NTSTATUS st = fs_require(h, FILE_WRITE_DATA | FILE_APPEND_DATA);
	if (!NT_SUCCESS(st))
		return st;
	if (length == 0) {
		st = fs_query_info(h, ret_info);
		if (NT_SUCCESS(st))
			*ret_done = 0;
		return st;
	}
	if (!(h->granted_access & FILE_WRITE_DATA) && !constrained)
		offset = FS_OFFSET_APPEND;
	req->rw.ctx = fs_handle_context(h);
	req->rw.address = (uintptr_t)buffer;
	req->rw.offset = offset;
	req->rw.length = length;
	req->rw.constrained_io = constrained;
	rwlock_lock(&node->op_lock);
	st = fs_message_send(h->volume, &m);
	if (NT_SUCCESS(st) && rsp->information > length)
		st = STATUS_INTERNAL_ERROR;
	if (NT_SUCCESS(st))
		data_changed(h, &rsp->file.info);
	rwlock_unlock(&node->op_lock);
	if (!NT_SUCCESS(st))
		return st;
	*ret_done = rsp->information;
	*ret_info = rsp->file.info;
	return st;
}

static NTSTATUS
flush_volume(struct fs_volume *v)
{
	struct fs_message m;

	fs_message_init(&m, FS_KIND_FLUSH); /* contexts 0: everything */
	return fs_message_send(v, &m);
}

static bool
is_root(struct fs_handle *h)
{
	mutex_lock(&h->volume->table_lock);
	bool root = h->entry->n_units == 1;
	mutex_unlock(&h->volume->table_lock);
	return root;
}

NTSTATUS
fs_flush(struct fs_volume *v, struct fs_handle *h)
{
	struct fs_message m;

	if (!h || (h->node->is_directory && is_root(h)))
		return flush_volume(v);
	if (h->node->is_directory)
		return STATUS_SUCCESS;
	fs_message_init(&m, FS_KIND_FLUSH)->flush.ctx = fs_handle_context(h);
	rwlock_lock(&h->node->op_lock);
	NTSTATUS st = fs_message_send(v, &m);
	if (NT_SUCCESS(st))
		fs_cache_replace_info(h->node, &fs_message_rsp(&m)->file.info);
	rwlock_unlock(&h->node->op_lock);
	return st;
}

/* The program has the kind, and the handle is a file. */
static NTSTATUS
check_optional(const struct fs_handle *h, enum fs_kind kind)
{
	if (!fs_volume_has_kind(&h->volume->params, kind))
		return STATUS_INVALID_DEVICE_REQUEST;
	return h->node->is_directory ? STATUS_INVALID_PARAMETER : STATUS_SUCCESS;
}

NTSTATUS
fs_allocate(struct fs_handle *h, enum fs_allocate_mode mode, uint64_t offset, uint64_t length,
	    struct fs_file_info *ret_info)
{
	struct fs_message m;
	struct fs_req *req = fs_message_init(&m, FS_KIND_ALLOCATE);
	NTSTATUS st = check_optional(h, FS_KIND_ALLOCATE);
	uint64_t end;

	if (NT_SUCCESS(st))
		st = fs_require(h, FILE_WRITE_DATA);
	if (NT_SUCCESS(st) && (length == 0 || add_overflows(offset, length, &end) ||
			       end > INT64_MAX || mode > FS_ALLOCATE_ZERO_KEEP))
		st = STATUS_INVALID_PARAMETER;
	if (!NT_SUCCESS(st))
		return st;
	req->allocate.ctx = fs_handle_context(h);
	req->allocate.mode = mode;
	req->allocate.offset = offset;
	req->allocate.length = length;
	rwlock_lock(&h->node->op_lock);
	st = fs_message_send(h->volume, &m);
	if (NT_SUCCESS(st)) {
		*ret_info = fs_message_rsp(&m)->file.info;
		h->modified = true; /* no truncation on close: what was reserved is to stay */
		fs_cache_replace_info(h->node, ret_info);
		fs_cache_volume_changed(h->volume);
	}
	rwlock_unlock(&h->node->op_lock);
	return st;
}

/* Ascending, without overlap, meeting what was asked for; n of them stay. */
static bool
ranges_sane(const struct fs_range *ranges, unsigned n, uint64_t offset, uint64_t length)
{
	uint64_t at = 0, end = offset + length, stop;

	for (unsigned i = 0; i < n; i++) {
		if (ranges[i].offset < at || ranges[i].length == 0 ||
		    add_overflows(ranges[i].offset, ranges[i].length, &stop) ||
		    stop <= offset || ranges[i].offset >= end)
			return false;
		at = stop;
	}
	return true;
}

NTSTATUS
fs_query_ranges(struct fs_handle *h, uint64_t offset, uint64_t length, struct fs_range *ranges,
		unsigned cap, unsigned *ret_n)
{
	struct fs_message m;
	struct fs_req *req = fs_message_init(&m, FS_KIND_QUERY_RANGES);
	NTSTATUS st = check_optional(h, FS_KIND_QUERY_RANGES);
	uint64_t end;

	if (NT_SUCCESS(st) && add_overflows(offset, length, &end))
		length = UINT64_MAX - offset;
	if (NT_SUCCESS(st) && cap > UINT32_MAX / sizeof(*ranges))
		cap = UINT32_MAX / sizeof(*ranges);
	if (!NT_SUCCESS(st))
		return st;
	req->query_ranges.ctx = fs_handle_context(h);
	req->query_ranges.address = (uintptr_t)ranges;
	req->query_ranges.length = (uint32_t)(cap * sizeof(*ranges));
	req->query_ranges.offset = offset;
	req->query_ranges.range = length;
	rwlock_lock_shared(&h->node->op_lock);
	st = fs_message_send(h->volume, &m);
	rwlock_unlock(&h->node->op_lock);
	if (!NT_SUCCESS(st))
		return st;
	uint32_t bytes = fs_message_rsp(&m)->information;
	if (bytes > req->query_ranges.length || bytes % sizeof(*ranges) != 0 ||
	    !ranges_sane(ranges, bytes / sizeof(*ranges), offset, length))
		return STATUS_INTERNAL_ERROR;
	*ret_n = (unsigned)(bytes / sizeof(*ranges));
	return st;
}

/* Source shared, target exclusive, in address order (volume_priv.h, lock 2). */
static void
lock_pair(struct fs_node *from, struct fs_node *to) NO_TSA
{
	if (from == to) {
		rwlock_lock(&to->op_lock);
	} else if ((uintptr_t)from < (uintptr_t)to) {
		rwlock_lock_shared(&from->op_lock);
		rwlock_lock(&to->op_lock);
	} else {
		rwlock_lock(&to->op_lock);
		rwlock_lock_shared(&from->op_lock);
	}
}

static void
unlock_pair(struct fs_node *from, struct fs_node *to) NO_TSA
{
	rwlock_unlock(&to->op_lock);
	if (from != to)
		rwlock_unlock(&from->op_lock);
}

NTSTATUS
fs_copy_range(struct fs_handle *from, uint64_t from_offset, struct fs_handle *to,
	      uint64_t to_offset, uint64_t length, uint64_t *ret_done)
{
	struct fs_message m;
	struct fs_req *req = fs_message_init(&m, FS_KIND_COPY_RANGE);
	struct fs_rsp *rsp = fs_message_rsp(&m);
	NTSTATUS st = check_optional(from, FS_KIND_COPY_RANGE);

	if (NT_SUCCESS(st) && from->volume != to->volume)
		st = STATUS_NOT_SAME_DEVICE;
	if (NT_SUCCESS(st) && to->node->is_directory)
		st = STATUS_INVALID_PARAMETER;
	if (NT_SUCCESS(st))
		st = fs_require(from, FILE_READ_DATA);
	if (NT_SUCCESS(st))
		st = fs_require(to, FILE_WRITE_DATA);
	if (!NT_SUCCESS(st))
		return st;
	/* the answer counts in 32 bits: the caller goes on from what was done */
	length = MIN(length, (uint64_t)1 << 30);
	req->copy_range.ctx = fs_handle_context(from);
	req->copy_range.to = fs_handle_context(to);
	req->copy_range.offset = from_offset;
	req->copy_range.to_offset = to_offset;
	req->copy_range.length = length;
	lock_pair(from->node, to->node);
	st = fs_message_send(to->volume, &m);
	if (NT_SUCCESS(st) && rsp->information > length)
		st = STATUS_INTERNAL_ERROR;
	if (NT_SUCCESS(st)) {
		to->modified = true;
		atomic_store_explicit(&to->node->truncate_on_close, true, memory_order_relaxed);
		fs_cache_drop_info(to->node);
		fs_cache_volume_changed(to->volume);
	}
	unlock_pair(from->node, to->node);
	if (NT_SUCCESS(st))
		*ret_done = rsp->information;
	return st;
}

NTSTATUS
fs_backing(struct fs_handle *h, uint32_t access, int *ret_fd)
{
	struct fs_message m;
	struct fs_req *req = fs_message_init(&m, FS_KIND_BACKING);
	NTSTATUS st = check_optional(h, FS_KIND_BACKING);

	if (!NT_SUCCESS(st))
		return st;
	req->backing.ctx = fs_handle_context(h);
	req->backing.access = access;
	st = fs_message_send(h->volume, &m);
	if (!NT_SUCCESS(st))
		return st;
	if (fs_message_rsp(&m)->backing.fd < 0)
		return STATUS_INVALID_DEVICE_REQUEST;
	*ret_fd = fs_message_rsp(&m)->backing.fd;
	atomic_store_explicit(&h->node->has_backing, true, memory_order_relaxed);
	return st;
}
