/* The volume's life, and facts of handles. */
#include "fs/volume_priv.h"

#include <stdlib.h>
#include <string.h>
#include "base/log.h"

NTSTATUS
fs_volume_create(const struct fs_volume_params *params, const struct fs_volume_ops *ops,
		 void *program, struct fs_volume **ret_volume)
{
	struct fs_volume *v = calloc(1, sizeof(*v));

	if (!v)
		return STATUS_INSUFFICIENT_RESOURCES;
	v->params = *params;
	v->params.prefix[ARRAY_SIZE(v->params.prefix) - 1] = 0;
	if (v->params.sector_size == 0)
		v->params.sector_size = 512;
	if (v->params.sectors_per_allocation == 0)
		v->params.sectors_per_allocation = 1;
	if (v->params.max_component_units == 0 || v->params.max_component_units > NAME_MAX_UNITS)
		v->params.max_component_units = NAME_MAX_UNITS;
	v->ops = *ops;
	v->program = program;
	v->fold_case = !(params->flags & FS_VOL_CASE_SENSITIVE);
	v->by_index = fs_volume_has_kind(params, FS_KIND_LINK);
	v->max_component = v->params.max_component_units;
	v->allocation_unit = v->params.sector_size * v->params.sectors_per_allocation;
	fs_rename_lock_init(&v->rename);
	mutex_init(&v->table_lock);
	cond_init(&v->settled);
	mutex_init(&v->cache_lock);
	mutex_init(&v->watch_lock);
	cond_init(&v->watch_idle);
	mutex_init(&v->notify_lock);
	cond_init(&v->notify_work);
	v->notify_last = &v->notify_first;
	NTSTATUS st = fs_table_init(v);
	if (!NT_SUCCESS(st)) {
		fs_volume_destroy(v);
		return st;
	}
	*ret_volume = v;
	return STATUS_SUCCESS;
}

void
fs_volume_stop(struct fs_volume *v)
{
	atomic_store_explicit(&v->stopped, true, memory_order_relaxed);
	fs_rename_lock_stop(&v->rename);
}

void
fs_volume_destroy(struct fs_volume *v)
{
	if (!v)
		return;
	fs_volume_stop(v);
	mutex_lock(&v->table_lock);
	while (v->n_handles > 0)
		cond_wait(&v->settled, &v->table_lock);
	mutex_unlock(&v->table_lock);
	fs_notify_shutdown(v);
	fs_table_fini(v);
	fs_rename_lock_fini(&v->rename);
	cond_fini(&v->notify_work);
	mutex_fini(&v->notify_lock);
	cond_fini(&v->watch_idle);
	mutex_fini(&v->watch_lock);
	mutex_fini(&v->cache_lock);
	cond_fini(&v->settled);
	mutex_fini(&v->table_lock);
	free(v);
}

const struct fs_volume_params *
fs_volume_get_params(struct fs_volume *v)
{
	return &v->params;
}

uint64_t
fs_round_allocation(const struct fs_volume *v, uint64_t size)
{
	uint64_t unit = v->allocation_unit, rest = size % unit;

	return rest == 0 || size > UINT64_MAX - unit ? size : size - rest + unit;
}

struct fs_context
fs_handle_context(const struct fs_handle *h)
{
	return (struct fs_context){h->node->user_context, h->user_context2};
}

uint32_t
fs_handle_granted_access(const struct fs_handle *h)
{
	return h->granted_access;
}

bool
fs_handle_is_directory(const struct fs_handle *h)
{
	return h->node->is_directory;
}

int
fs_handle_name(struct fs_handle *h, uint16_t *dst, size_t cap_units)
{
	struct fs_volume *v = h->volume;
	int n = -1;

	mutex_lock(&v->table_lock);
	if (h->entry->n_units <= cap_units) {
		n = (int)h->entry->n_units;
		memcpy(dst, h->entry->name, h->entry->n_units * 2);
	}
	mutex_unlock(&v->table_lock);
	return n;
}

bool
fs_handle_is_deleted(struct fs_handle *h)
{
	mutex_lock(&h->volume->table_lock);
	bool deleted = h->entry->delete_pending || h->entry->posix_deleted;
	mutex_unlock(&h->volume->table_lock);
	return deleted;
}

NTSTATUS
fs_require(const struct fs_handle *h, uint32_t any_of)
{
	return h->granted_access & any_of ? STATUS_SUCCESS : STATUS_ACCESS_DENIED;
}

struct fs_handle *
fs_handle_main(struct fs_handle *h)
{
	return h->main ? h->main : h;
}
