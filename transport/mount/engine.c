/* Calls of the engine that every operation makes, and the way back from statuses to errnos. */
#include "transport/mount/door_priv.h"

#include "base/status/errno.h"
#include "fs/security/posix_map.h"
#include "base/text/names.h"

int
door_errno(NTSTATUS st)
{
	switch (st) {
	case STATUS_REPARSE: /* a directory of the path became a link */
	case STATUS_OBJECT_PATH_NOT_FOUND:
	case STATUS_FILE_DELETED:
	case STATUS_DELETE_PENDING: /* a name that is going away is gone for POSIX */
		return ENOENT;
	case STATUS_INVALID_DEVICE_REQUEST: /* the program does not have the operation */
	case STATUS_NOT_SUPPORTED:
	case STATUS_EAS_NOT_SUPPORTED:
		return EOPNOTSUPP;
	case STATUS_EA_TOO_LARGE:
		return ENOSPC;
	case STATUS_SHARING_VIOLATION: /* somebody outside this mount does not share */
		return EBUSY;
	default:
		return errno_from_nt(st);
	}
}

void
door_close_handle(struct fs_handle **handle)
{
	if (!*handle)
		return;
	fs_cleanup(*handle);
	fs_close(*handle);
	*handle = NULL;
}

void
door_result_fini(struct fs_open_result *result)
{
	free(result->data);
	result->data = NULL;
}

void
door_token_fini(struct token **token)
{
	if (*token)
		token_unref(*token);
	*token = NULL;
}

struct rwlock *
door_tree_enter(struct door *d) NO_TSA
{
	rwlock_lock_shared(&d->tree);
	return &d->tree;
}

struct door *
door_tree_enter_exclusive(struct door *d) NO_TSA
{
	mutex_lock(&d->renaming);
	rwlock_lock_patiently(&d->tree);
	return d;
}

void
door_tree_leave(struct rwlock **tree) NO_TSA
{
	rwlock_unlock(*tree);
}

void
door_tree_leave_exclusive(struct door **d) NO_TSA
{
	rwlock_unlock(&(*d)->tree);
	mutex_unlock(&(*d)->renaming);
}

int
door_token(struct fusek_req *req, struct token **ret_token)
{
	uint32_t member_gid = req->gid;
	NTSTATUS st;

	(void)fusek_req_group(req, &member_gid);
	st = token_create_posix_member(req->uid, req->gid, req->pid, member_gid, ret_token);
	return NT_SUCCESS(st) ? 0 : -door_errno(st);
}

struct fs_open_params
door_open_params(struct door *d, const struct door_path *path, uint32_t access,
		 struct token *token)
{
	/* The kernel has checked the names that the caller used. Ours may lead another way: a file
	 * with two names has one node, and its path is made of either. */
	uint32_t traversed =
		d->options.mount.default_permissions ? FS_OPEN_TRAVERSED : 0;

	return (struct fs_open_params){
		.name = path->units,
		.n_units = path->n,
		.desired_access = access,
		.share_access = DOOR_SHARE_ALL,
		.disposition = FILE_OPEN,
		.options = FILE_OPEN_REPARSE_POINT,
		.token = token,
		.flags = FS_OPEN_POSIX | traversed | (token ? 0 : FS_OPEN_KERNEL_MODE),
		.door_tag = d,
	};
}

int
door_engine_open(struct door *d, const struct fs_open_params *params,
		 struct fs_open_result *ret_result, struct fs_handle **ret_handle)
{
	NTSTATUS st;

	memset(ret_result, 0, sizeof(*ret_result));
	*ret_handle = NULL;
	st = fs_create(d->volume, params, ret_result, ret_handle);
	if (st == STATUS_SUCCESS)
		return 0;
	door_result_fini(ret_result);
	return -door_errno(NT_SUCCESS(st) && st != STATUS_REPARSE ? STATUS_INTERNAL_ERROR : st);
}

int
door_open_kernel(struct door *d, const struct door_path *path, uint32_t access,
		 struct fs_handle **ret_handle)
{
	struct fs_open_params params = door_open_params(d, path, access, NULL);
	CLEANUP(door_result_fini) struct fs_open_result result = {0};

	return door_engine_open(d, &params, &result, ret_handle);
}

int
door_component_parse(struct door *d, const char *name, struct door_component *ret_component)
{
	int n = name_from_posix(name, strlen(name), TEXT_COMPONENT, ret_component->units,
				ARRAY_SIZE(ret_component->units));

	if (n < 0)
		return -ENAMETOOLONG;
	if (d->params.max_component_units != 0 && (uint32_t)n > d->params.max_component_units)
		return -ENAMETOOLONG;
	ret_component->n = (size_t)n;
	if (d->options.streams != DOOR_STREAMS_WINDOWS)
		return 0;
	/* "file:stream": the colon is NT's. The name map had made it U+F03A. */
	for (int i = 1; i + 1 < n; i++)
		if (ret_component->units[i] == 0xf03a) {
			ret_component->units[i] = ':';
			break;
		}
	return 0;
}

int
door_access_begin(struct door *d, struct door_node *node, struct door_handle *hint,
		  uint32_t access, struct door_access *ret_access)
{
	CLEANUP(free_ptr) struct door_path *path = NULL;
	size_t n_tried = 0;
	int err;

	*ret_access = (struct door_access){.d = d};
	if (hint && (hint->access & access) == access) {
		ret_access->fs = hint->fs;
		return 0;
	}
	ret_access->keeper = door_node_keeper(&d->handles, node);
	if (ret_access->keeper) {
		ret_access->fs = ret_access->keeper->fs;
		return 0;
	}
	path = malloc(sizeof(*path));
	if (!path)
		return -ENOMEM;
	do {
		err = door_node_path(&d->nodes, node, NULL, 0, path);
		if (!err)
			err = door_open_kernel(d, path, access, &ret_access->opened);
	} while (door_node_try_other_name(&d->nodes, node, err, &n_tried));
	ret_access->fs = ret_access->opened;
	if (!err || err == -ENOMEM)
		return err;
	/* The name is gone: any handle that may. */
	ret_access->borrowed = door_handle_any(&d->handles, node, access);
	if (!ret_access->borrowed)
		return err;
	ret_access->fs = ret_access->borrowed->fs;
	return 0;
}

void
door_access_end(struct door_access *access)
{
	if (!access->d)
		return;
	door_close_handle(&access->opened);
	door_keeper_put(&access->d->handles, access->keeper);
	door_handle_put(&access->d->handles, access->borrowed);
}

int
door_reply_put(struct fusek_req *req, const void *reply, size_t size)
{
	memcpy(req->out, reply, size);
	return (int)size;
}

/* ---------------------------------------------------------------- permissions */

bool
door_in_group(struct fusek_req *req, uint32_t gid)
{
	CLEANUP(door_token_fini) struct token *token = NULL;
	struct sid sid = posix_sid_from_gid(gid);

	if (req->gid == gid)
		return true;
	return door_token(req, &token) == 0 && token_is_member(token, &sid) == 1;
}

int
door_check_state(struct door *d, struct fusek_req *req, const struct door_state *state,
		 uint32_t access)
{
	CLEANUP(door_token_fini) struct token *token = NULL;
	bool directory = state->info.attributes & FILE_ATTRIBUTE_DIRECTORY;
	uint32_t granted;
	int err;

	if ((access & FILE_WRITE_DATA) && !directory &&
	    (state->info.attributes & FILE_ATTRIBUTE_READONLY))
		return -EACCES;
	if (req->uid == 0) {
		struct fuse_attr attr;

		/* Root may do anything but execute what nobody may. */
		door_state_attr(d, state, NULL, &attr);
		if ((access & FILE_EXECUTE) && !directory && !(attr.mode & 0111))
			return -EACCES;
		return 0;
	}
	if (!state->sd)
		return 0;
	err = door_token(req, &token);
	if (err)
		return err;
	return NT_SUCCESS(access_check(state->sd, token, access, &granted)) ? 0 : -EACCES;
}

int
door_check_parent(struct door *d, struct fusek_req *req, struct door_node *parent,
		  uint32_t access)
{
	CLEANUP(door_state_fini) struct door_state state = {0};
	int err;

	if (req->uid == 0 || !d->checks_names)
		return 0;
	err = door_state_of(d, parent, NULL, &state);
	return err ? err : door_check_state(d, req, &state, access | FILE_TRAVERSE);
}
