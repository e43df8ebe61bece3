/* What is known of a file, put together from information, descriptor, EAs and reparse data. */
#include "transport/mount/door_priv.h"

#include "fs/walk.h"

void
door_state_fini(struct door_state *state)
{
	free(state->sd);
	state->sd = NULL;
}

static void
read_reparse(struct door *d, struct fs_handle *fs, struct door_extras *extras)
{
	CLEANUP(free_ptr) char *buffer = malloc(MAXIMUM_REPARSE_DATA_BUFFER_SIZE);
	char target[PATH_MAX];
	uint32_t size;
	dev_t rdev;
	int n;

	if (!buffer || !NT_SUCCESS(fs_get_reparse(fs, buffer, MAXIMUM_REPARSE_DATA_BUFFER_SIZE,
						  &size)))
		return;
	if (door_device_parse(buffer, size, &extras->format, &rdev))
		extras->rdev = door_rdev_encode(rdev);
	n = door_link_target(buffer, size, d->where, target, sizeof(target));
	if (n > 0)
		extras->link_size = (uint32_t)n;
}

static void
read_eas(struct fs_handle *fs, struct door_extras *extras)
{
	CLEANUP(free_ptr) void *list = NULL;
	uint32_t size;
	dev_t rdev;

	if (!NT_SUCCESS(fs_query_ea(fs, &list, &size)) || size == 0)
		return;
	if (door_lx_find(list, size, &extras->lx_mode, &rdev) && rdev != 0)
		extras->rdev = door_rdev_encode(rdev);
}

static struct door_extras
read_extras(struct door *d, struct fs_handle *fs, const struct fs_file_info *info)
{
	struct door_extras extras = {
		.valid = true,
		.change_time = info->change_time,
		.ea_size = info->ea_size,
		.reparse_tag = info->reparse_tag,
	};

	if (info->attributes & FILE_ATTRIBUTE_REPARSE_POINT)
		read_reparse(d, fs, &extras);
	if (d->has_eas && info->ea_size != 0)
		read_eas(fs, &extras);
	return extras;
}

/* Fills state->extras: nothing to read, read before, or read now through fs or path. */
static int
complete(struct door *d, const struct door_path *path, struct fs_handle *fs,
	 struct door_node *node, struct door_state *state)
{
	CLEANUP(door_close_handle) struct fs_handle *opened = NULL;
	int err;

	if (!door_needs_extras(&state->info, d->has_eas))
		return 0;
	if (node) {
		state->extras = door_node_extras(&d->nodes, node);
		if (door_extras_hold(&state->extras, &state->info))
			return 0;
	}
	if (!fs) {
		err = door_open_kernel(d, path, DOOR_READ_STATE, &opened);
		if (err)
			return err;
		fs = opened;
	}
	state->extras = read_extras(d, fs, &state->info);
	if (node)
		door_node_set_extras(&d->nodes, node, &state->extras);
	return 0;
}

int
door_state_by_path(struct door *d, const struct door_path *path, struct door_node *node,
		   struct door_state *ret_state)
{
	struct fs_open_params params = door_open_params(d, path, DOOR_READ_STATE, NULL);
	struct fs_open_result result = {0};
	NTSTATUS st;
	int err;

	if (d->has_acls)
		params.flags |= FS_OPEN_WANT_SD;
	st = fs_query_by_name(d->volume, &params, &result);
	if (st != STATUS_SUCCESS) {
		door_result_fini(&result);
		return -door_errno(NT_SUCCESS(st) && st != STATUS_REPARSE ? STATUS_INTERNAL_ERROR :
									   st);
	}
	*ret_state = (struct door_state){.info = result.info, .sd = result.data,
					 .sd_size = result.data_size};
	err = complete(d, path, NULL, node, ret_state);
	if (err)
		door_state_fini(ret_state);
	return err;
}

int
door_state_by_handle(struct door *d, struct fs_handle *fs, struct door_node *node,
		     struct door_state *ret_state)
{
	struct door_state state = {0};
	NTSTATUS st = fs_query_info(fs, &state.info);

	if (!NT_SUCCESS(st))
		return -door_errno(st);
	/* A handle without READ_CONTROL shows no descriptor: the caller has another source. */
	if (d->has_acls && !NT_SUCCESS(fs_query_security(fs, &state.sd, &state.sd_size)))
		state.sd = NULL;
	(void)complete(d, NULL, fs, node, &state);
	*ret_state = state;
	return 0;
}

int
door_state_of(struct door *d, struct door_node *node, struct door_handle *hint,
	      struct door_state *ret_state)
{
	CLEANUP(door_access_end) struct door_access access = {0};
	CLEANUP(free_ptr) struct door_path *path = malloc(sizeof(*path));
	size_t n_tried = 0;
	int err;

	if (!path)
		return -ENOMEM;
	do {
		err = door_node_path(&d->nodes, node, NULL, 0, path);
		if (!err)
			err = door_state_by_path(d, path, node, ret_state);
	} while (door_node_try_other_name(&d->nodes, node, err, &n_tried));
	if (err != -ENOENT)
		return err;
	/* No name: the keeper of a deleted node knows everything, other handles what they may. */
	err = door_access_begin(d, node, NULL, READ_CONTROL, &access);
	if (!err)
		return door_state_by_handle(d, access.fs, node, ret_state);
	if (hint && hint->fs)
		return door_state_by_handle(d, hint->fs, node, ret_state);
	door_access_end(&access);
	access = (struct door_access){0};
	err = door_access_begin(d, node, NULL, 0, &access);
	return err ? err : door_state_by_handle(d, access.fs, node, ret_state);
}

int
door_state_from_open(struct door *d, struct fs_open_result *result,
		     const struct door_path *path, struct door_state *ret_state)
{
	void *sd = take(&result->data);

	*ret_state = (struct door_state){.info = result->info, .sd = sd,
					 .sd_size = result->data_size};
	return complete(d, path, NULL, NULL, ret_state);
}

void
door_state_attr(struct door *d, const struct door_state *state, struct door_node *node,
		struct fuse_attr *ret_attr)
{
	door_attr_fill(&d->rules, &state->info, state->sd, &state->extras, node ? node->id : 0,
		       ret_attr);
	if (!node)
		return;
	struct door_shown shown = door_node_shown(&d->nodes, node);

	if (shown.has_temporary && ret_attr->nlink > 0)
		ret_attr->nlink--;
	/* A file whose last name is gone, on a volume that does not count names. */
	if (shown.is_deleted &&
	    (state->info.hard_links <= 1 || S_ISDIR(ret_attr->mode) ||
	     !fs_volume_has_kind(&d->params, FS_KIND_LINK)))
		ret_attr->nlink = 0;
	door_node_note(&d->nodes, node, ret_attr);
}

static void
set_time(uint64_t ns, uint64_t *ret_seconds, uint32_t *ret_nanoseconds)
{
	*ret_seconds = ns / 1000000000;
	*ret_nanoseconds = (uint32_t)(ns % 1000000000);
}

void
door_entry_fill(struct door *d, struct door_node *node, const struct fuse_attr *attr,
		struct fuse_entry_out *ret_entry)
{
	memset(ret_entry, 0, sizeof(*ret_entry));
	ret_entry->nodeid = node->id;
	ret_entry->generation = node->id >> 32;
	set_time(d->timeouts.entry_ns, &ret_entry->entry_valid, &ret_entry->entry_valid_nsec);
	set_time(d->timeouts.attr_ns, &ret_entry->attr_valid, &ret_entry->attr_valid_nsec);
	ret_entry->attr = *attr;
}

static int
enter(struct door *d, struct door_node *parent, const struct door_component *name,
      struct door_identity identity, struct door_state *state, struct fuse_entry_out *ret_entry,
      struct door_node **ret_node)
{
	struct door_node *node;
	struct fuse_attr attr;
	int err;

	identity.index_number = state->info.index_number;
	identity.format = door_format(&state->info, &state->extras);
	/* A stream has its file's number, but is another node. */
	for (size_t i = 0; i < name->n; i++)
		if (name->units[i] == ':')
			identity.index_number = 0;
	err = door_node_enter(&d->nodes, parent, name->units, name->n, &identity, &node);
	if (err)
		return err;
	if (state->extras.valid)
		door_node_set_extras(&d->nodes, node, &state->extras);
	door_state_attr(d, state, node, &attr);
	door_entry_fill(d, node, &attr, ret_entry);
	if (ret_node)
		*ret_node = node;
	else
		door_node_put(&d->nodes, node);
	return 0;
}

int
door_entry_enter(struct door *d, struct door_node *parent, const struct door_component *name,
		 struct door_state *state, struct fuse_entry_out *ret_entry,
		 struct door_node **ret_node)
{
	return enter(d, parent, name, (struct door_identity){0}, state, ret_entry, ret_node);
}

int
door_entry_enter_known(struct door *d, struct door_node *parent,
		       const struct door_component *name, struct door_node *known,
		       struct door_state *state, struct fuse_entry_out *ret_entry,
		       struct door_node **ret_node)
{
	return enter(d, parent, name, (struct door_identity){.may_be_late = true, .known = known},
		     state, ret_entry, ret_node);
}
