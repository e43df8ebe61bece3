/* What is remembered of a program's answers, and for how long (winfsp-fsctl §22). */
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "fs/volume_priv.h"

struct fs_blob *
fs_blob_create(const void *bytes, uint32_t size)
{
	struct fs_blob *blob = malloc(sizeof(*blob) + size);

	if (!blob)
		return NULL;
	atomic_init(&blob->refs, 1);
	blob->size = size;
	blob->complete = blob->filtered = false;
	if (bytes)
		memcpy(blob->bytes, bytes, size);
	return blob;
}

struct fs_blob *
fs_blob_ref(struct fs_blob *blob)
{
	if (blob)
		atomic_fetch_add_explicit(&blob->refs, 1, memory_order_relaxed);
	return blob;
}

void
fs_blob_unref(struct fs_blob *blob)
{
	if (blob && atomic_fetch_sub_explicit(&blob->refs, 1, memory_order_acq_rel) == 1)
		free(blob);
}

NTSTATUS
fs_blob_copy(const struct fs_blob *blob, void **ret_bytes, uint32_t *ret_size)
{
	void *copy = NULL;

	if (blob->size > 0) {
		copy = malloc(blob->size);
		if (!copy)
			return STATUS_INSUFFICIENT_RESOURCES;
		memcpy(copy, blob->bytes, blob->size);
	}
	*ret_bytes = copy;
	*ret_size = blob->size;
	return STATUS_SUCCESS;
}

uint64_t
fs_cache_until(uint32_t timeout_ms)
{
	if (timeout_ms == 0)
		return 0;
	if (timeout_ms == FS_TIMEOUT_INFINITE)
		return UINT64_MAX;
	return clock_monotonic_ns() + (uint64_t)timeout_ms * 1000000u;
}

static bool
is_fresh(uint64_t until_ns)
{
	return until_ns == UINT64_MAX || (until_ns != 0 && clock_monotonic_ns() < until_ns);
}

bool
fs_cache_get_info(struct fs_node *node, struct fs_file_info *ret_info, uint32_t *ret_changes)
{
	mutex_lock(&node->cache_lock);
	bool fresh = !atomic_load_explicit(&node->has_backing, memory_order_relaxed) &&
		     is_fresh(node->info_until_ns);
	if (fresh)
		*ret_info = node->info;
	*ret_changes = node->info_changes;
	mutex_unlock(&node->cache_lock);
	return fresh;
}

static void
keep_info(struct fs_node *node, const struct fs_file_info *info) REQUIRES(&node->cache_lock)
{
	node->info = *info;
	node->info_until_ns = fs_cache_until(node->volume->params.file_info_timeout);
}

void
fs_cache_fill_info(struct fs_node *node, const struct fs_file_info *info, uint32_t changes)
{
	if (node->volume->params.file_info_timeout == 0)
		return;
	mutex_lock(&node->cache_lock);
	if (node->info_changes == changes)
		keep_info(node, info);
	mutex_unlock(&node->cache_lock);
}

void
fs_cache_replace_info(struct fs_node *node, const struct fs_file_info *info)
{
	mutex_lock(&node->cache_lock);
	node->info_changes++;
	keep_info(node, info);
	mutex_unlock(&node->cache_lock);
}

void
fs_cache_drop_info(struct fs_node *node)
{
	mutex_lock(&node->cache_lock);
	node->info_changes++;
	node->info_until_ns = 0;
	mutex_unlock(&node->cache_lock);
}

struct fs_blob *
fs_cache_get(struct fs_node *node, struct fs_cached *cached, uint32_t *ret_changes)
{
	struct fs_blob *blob = NULL;

	mutex_lock(&node->cache_lock);
	if (cached->blob && is_fresh(cached->until_ns))
		blob = fs_blob_ref(cached->blob);
	*ret_changes = cached->changes;
	mutex_unlock(&node->cache_lock);
	return blob;
}

void
fs_cache_fill(struct fs_node *node, struct fs_cached *cached, struct fs_blob *blob,
	      uint32_t timeout_ms, uint32_t limit, uint32_t changes)
{
	struct fs_blob *old = NULL;

	if (timeout_ms == 0 || blob->size > limit)
		return;
	mutex_lock(&node->cache_lock);
	if (cached->changes == changes) {
		old = cached->blob;
		cached->blob = fs_blob_ref(blob);
		cached->until_ns = fs_cache_until(timeout_ms);
	}
	mutex_unlock(&node->cache_lock);
	fs_blob_unref(old);
}

void
fs_cache_drop(struct fs_node *node, struct fs_cached *cached)
{
	mutex_lock(&node->cache_lock);
	struct fs_blob *old = take(&cached->blob);
	cached->changes++;
	mutex_unlock(&node->cache_lock);
	fs_blob_unref(old);
}

void
fs_cache_fini(struct fs_node *node)
{
	fs_blob_unref(node->security.blob);
	fs_blob_unref(node->ea.blob);
	fs_blob_unref(node->stream_list.blob);
	fs_blob_unref(node->directory.blob);
}

void
fs_cache_volume_changed(struct fs_volume *v)
{
	if (v->params.volume_info_timeout == 0)
		return;
	mutex_lock(&v->cache_lock);
	v->volume_info_changes++;
	v->volume_info_until_ns = 0;
	mutex_unlock(&v->cache_lock);
}

void
fs_cache_parent_changed(struct fs_volume *v, const uint16_t *name, size_t n_units)
{
	size_t n_parent = fs_name_parent(name, n_units);

	fs_cache_volume_changed(v);
	if (v->params.dir_info_timeout == 0)
		return;
	uint32_t hash = fs_table_hash(v, name, n_parent);
	mutex_lock(&v->table_lock);
	struct fs_entry *parent = fs_entry_find(v, name, n_parent, hash);
	if (parent && parent->node)
		fs_cache_drop(parent->node, &parent->node->directory);
	mutex_unlock(&v->table_lock);
}

static bool
volume_info_fresh(struct fs_volume *v, struct fs_volume_info *ret_info, uint32_t *ret_changes)
{
	mutex_lock(&v->cache_lock);
	bool fresh = is_fresh(v->volume_info_until_ns);
	if (fresh)
		*ret_info = v->volume_info;
	*ret_changes = v->volume_info_changes;
	mutex_unlock(&v->cache_lock);
	return fresh;
}

/* The program's answer; a label longer than its field is cut. */
static void
volume_info_keep(struct fs_volume *v, const struct fs_rsp *rsp, uint32_t changes,
		 struct fs_volume_info *ret_info)
{
	struct fs_volume_info info = rsp->volume.info;

	info.label_size = MIN(info.label_size, (uint16_t)sizeof(info.label)) & ~1;
	mutex_lock(&v->cache_lock);
	if (v->volume_info_changes == changes) {
		v->volume_info = info;
		v->volume_info_until_ns = fs_cache_until(v->params.volume_info_timeout);
	}
	mutex_unlock(&v->cache_lock);
	*ret_info = info;
}

NTSTATUS
fs_query_volume(struct fs_volume *v, struct fs_volume_info *ret_info)
{
	struct fs_message m;
	uint32_t changes;

	if (volume_info_fresh(v, ret_info, &changes))
		return STATUS_SUCCESS;
	fs_message_init(&m, FS_KIND_QUERY_VOLUME);
	NTSTATUS st = fs_message_send(v, &m);
	if (NT_SUCCESS(st))
		volume_info_keep(v, fs_message_rsp(&m), changes, ret_info);
	return st;
}

NTSTATUS
fs_set_label(struct fs_volume *v, const uint16_t *label, size_t n_units,
	     struct fs_volume_info *ret_info)
{
	struct fs_message m;
	struct fs_req *req = fs_message_init(&m, FS_KIND_SET_VOLUME);

	req->set_volume.info_class = FileFsLabelInformation;
	if (!fs_message_put_name(&m, label, n_units, &req->set_volume.label))
		return STATUS_INVALID_VOLUME_LABEL;
	NTSTATUS st = fs_message_send(v, &m);
	if (!NT_SUCCESS(st))
		return st;
	mutex_lock(&v->cache_lock);
	uint32_t changes = ++v->volume_info_changes;
	mutex_unlock(&v->cache_lock);
	volume_info_keep(v, fs_message_rsp(&m), changes, ret_info);
	return st;
}
