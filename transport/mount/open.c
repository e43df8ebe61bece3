/* Open and release, of files and directories. */
#include "transport/mount/door_priv.h"

#include <fcntl.h>

uint32_t
door_open_access(uint32_t flags)
{
	uint32_t access = FILE_READ_ATTRIBUTES | SYNCHRONIZE;

	switch (flags & O_ACCMODE) {
	case O_RDONLY:
		access |= FILE_READ_DATA;
		break;
	case O_WRONLY:
		access |= FILE_WRITE_DATA | FILE_APPEND_DATA;
		break;
	default:
		access |= FILE_READ_DATA | FILE_WRITE_DATA | FILE_APPEND_DATA;
	}
	return access;
}

/* FMODE_EXEC: the kernel opens a program to run it. */
enum { DOOR_OPEN_EXEC = 040 };

int
door_truncate(struct fs_handle *fs, uint64_t size)
{
	struct fs_file_info info;
	NTSTATUS st = fs_set_end_of_file(fs, size, &info);

	return NT_SUCCESS(st) ? 0 : -door_errno(st);
}

/*
 * The kernel's page cache reads around partial writes (ruling 9): with it, a handle that may
 * write shall read too. A caller without the right to read gets a handle without, and no cache.
 */
int
door_open_cached(struct door *d, struct fs_open_params *params, bool *ret_uncached,
		 struct fs_open_result *ret_result, struct fs_handle **ret_fs)
{
	uint32_t asked = params->desired_access;
	int err;

	*ret_uncached = false;
	if (d->writeback && (asked & FILE_WRITE_DATA) && !(asked & FILE_READ_DATA)) {
		params->desired_access |= FILE_READ_DATA;
		err = door_engine_open(d, params, ret_result, ret_fs);
		if (err != -EACCES)
			return err;
		params->desired_access = asked;
		*ret_uncached = true;
	}
	return door_engine_open(d, params, ret_result, ret_fs);
}

static uint32_t
open_flags(struct door *d, bool directory, bool uncached)
{
	if (directory)
		return d->keep_dirs ? FOPEN_CACHE_DIR | FOPEN_KEEP_CACHE : 0;
	if (d->options.direct_io || uncached)
		return FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES | FOPEN_NOFLUSH;
	return FOPEN_NOFLUSH | (d->keep_cache || d->writeback ? FOPEN_KEEP_CACHE : 0);
}

/* keeper: whose fs it is (the count goes over on success), or NULL. fs NULL: a removed folder. */
static int
add_handle(struct door *d, struct door_node *node, struct fs_handle *fs, uint32_t access,
	   struct door_keeper *keeper, bool uncached, struct fuse_open_out *ret_open)
{
	bool directory = !fs || fs_handle_is_directory(fs);
	struct door_handle *h;
	int err;

	door_node_ref(&d->nodes, node);
	err = door_handle_add(&d->handles, node, fs, access,
			      directory ? DOOR_HANDLE_DIRECTORY : 0, &h);
	if (err) {
		door_node_put(&d->nodes, node);
		return err;
	}
	h->keeper = keeper;
	*ret_open = (struct fuse_open_out){.fh = h->fh};
	ret_open->open_flags = open_flags(d, directory, uncached);
	if (!directory)
		ret_open->open_flags =
			door_io_begin(d, h, ret_open->open_flags, &ret_open->backing_id);
	door_handle_put(&d->handles, h);
	return 0;
}

int
door_open_finish(struct door *d, struct door_node *node, struct fs_handle *fs, uint32_t access,
		 bool uncached, struct fuse_open_out *ret_open)
{
	int err = add_handle(d, node, fs, access, NULL, uncached, ret_open);

	if (err)
		door_close_handle(&fs);
	return err;
}

/* A file without a name, by way of /proc/PID/fd: its keeper serves, if the caller may. */
static int
open_nameless(struct door *d, struct fusek_req *req, struct door_node *node, uint32_t flags,
	      struct fuse_open_out *ret_open)
{
	const uint32_t data = FILE_READ_DATA | FILE_WRITE_DATA | FILE_APPEND_DATA;
	CLEANUP(door_state_fini) struct door_state state = {0};
	uint32_t access = door_open_access(flags) | (flags & O_TRUNC ? FILE_WRITE_DATA : 0);
	struct door_keeper *keeper = door_node_keeper(&d->handles, node);
	int err = -ESTALE;

	if (!keeper)
		return err;
	if ((access & data & ~fs_handle_granted_access(keeper->fs)) == 0)
		err = door_state_by_handle(d, keeper->fs, node, &state);
	if (!err)
		err = door_check_state(d, req, &state, access & data);
	if (!err && (flags & O_TRUNC))
		err = door_truncate(keeper->fs, 0);
	if (!err)
		err = add_handle(d, node, keeper->fs, access, keeper, false, ret_open);
	if (err)
		door_keeper_put(&d->handles, keeper);
	return err;
}

/* path: the node's, and the one in params; another name's when the first does not do. */
static int
open_by_any_name(struct door *d, struct door_node *node, struct door_path *path,
		 struct fs_open_params *params, bool *ret_uncached,
		 struct fs_open_result *ret_result, struct fs_handle **ret_fs)
{
	uint32_t asked = params->desired_access;
	size_t n_tried = 0;
	int err;

	do {
		params->desired_access = asked;
		params->n_units = path->n;
		err = door_open_cached(d, params, ret_uncached, ret_result, ret_fs);
	} while (door_node_try_other_name(&d->nodes, node, err, &n_tried) &&
		 door_node_path(&d->nodes, node, NULL, 0, path) == 0);
	return err;
}

static int
open_node(struct door *d, struct fusek_req *req, struct door_node *node, uint32_t flags,
	  uint32_t kill_flags, bool directory, struct fuse_open_out *ret_open)
{
	CLEANUP(door_token_fini) struct token *token = NULL;
	CLEANUP(door_result_fini) struct fs_open_result result = {0};
	CLEANUP(door_close_handle) struct fs_handle *fs = NULL;
	struct fs_open_params params;
	struct door_path path;
	bool uncached;
	DOOR_TREE_SHARED(d);
	int err = door_node_path(&d->nodes, node, NULL, 0, &path);

	if (err == -ENOENT && !directory)
		return open_nameless(d, req, node, flags, ret_open);
	/* Whoever is in a removed directory may open it: nothing is listed, nobody to be asked. */
	if (err == -ENOENT && door_node_shown(&d->nodes, node).is_deleted)
		return add_handle(d, node, NULL, 0, NULL, false, ret_open);
	if (!err)
		err = door_token(req, &token);
	if (err)
		return err;
	params = door_open_params(d, &path,
				  directory ? FILE_LIST_DIRECTORY | FILE_READ_ATTRIBUTES |
						      SYNCHRONIZE :
					      door_open_access(flags),
				  token);
	/* A program to be run needs the right to run it, not to read it. */
	if (!directory && (flags & DOOR_OPEN_EXEC))
		params.desired_access = FILE_EXECUTE | FILE_READ_ATTRIBUTES | SYNCHRONIZE;
	if (!directory && (flags & O_TRUNC))
		params.desired_access |= FILE_WRITE_DATA;
	if (directory)
		params.options |= FILE_DIRECTORY_FILE;
	if (flags & O_NOATIME)
		params.flags |= FS_OPEN_KEEP_ACCESS_TIME;
	err = open_by_any_name(d, node, &path, &params, &uncached, &result, &fs);
	/* NT's read-only attribute stops everybody who would write, root too (ruling 6). */
	if (!err && !directory && (result.info.attributes & FILE_ATTRIBUTE_READONLY) &&
	    (params.desired_access & FILE_WRITE_DATA))
		err = -EACCES;
	if (!err && !directory && (flags & O_TRUNC)) {
		err = door_truncate(fs, 0);
		/* Kernels before 7.33 forget it where the truncation is ours. */
		if (!err && ((kill_flags & FUSE_OPEN_KILL_SUIDGID) ||
			     (!d->kills_set_id && req->uid != 0)))
			door_kill_suidgid(d, node, NULL);
	}
	if (err)
		return err;
	return door_open_finish(d, node, take(&fs), result.granted_access,
				uncached || result.disable_cache, ret_open);
}

static int
do_open(struct door *d, struct fusek_req *req, bool directory)
{
	const struct fuse_open_in *in = req->arg;
	struct door_node *node = door_node_get(&d->nodes, req->nodeid);
	struct fuse_open_out out;
	int err = node ? open_node(d, req, node, in->flags, in->open_flags, directory, &out) :
			 -ESTALE;

	door_node_put(&d->nodes, node);
	/* A name that is gone although the kernel had it: let it look again. */
	if (err == -ENOENT && !directory)
		err = -ESTALE;
	return err ? err : door_reply_put(req, &out, sizeof(out));
}

int
door_open(struct door *d, struct fusek_req *req)
{
	return do_open(d, req, false);
}

int
door_opendir(struct door *d, struct fusek_req *req)
{
	return do_open(d, req, true);
}

/* The end of a handle asks the program (cleanup, close): see tree in door_priv.h. */
void
door_end_handle(struct door *d, uint64_t fh)
{
	DOOR_TREE_SHARED(d);

	door_handle_remove(&d->handles, fh);
}

int
door_release(struct door *d, struct fusek_req *req)
{
	door_end_handle(d, ((const struct fuse_release_in *)req->arg)->fh);
	return 0;
}
