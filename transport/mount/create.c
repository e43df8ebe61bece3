/* New files, directories, links and devices. */
#include "transport/mount/door_priv.h"

#include <fcntl.h>
#include <sys/random.h>
#include "base/log.h"
#include "fs/security/posix_map.h"
#include "fs/walk.h"

/* Something to be created: where, whose, how. newcomer_init comes before any return. */
struct newcomer {
	struct door *d;
	struct fusek_req *req;
	struct door_node *parent; /* counted */
	struct door_component name;
	struct door_path path;
	uint32_t uid, gid, mode; /* type included */
	void *sd;
	size_t sd_size;
	struct token *token;
	_Alignas(4) char ea[64];
	uint32_t ea_size;
};

static void
newcomer_fini(struct newcomer *n)
{
	free(n->sd);
	door_token_fini(&n->token);
	if (n->d)
		door_node_put(&n->d->nodes, n->parent);
}

/* Shown mode and group of a directory; asked for if it was never shown. */
static int
parent_mode(struct door *d, struct door_node *parent, uint32_t *ret_mode, uint32_t *ret_gid)
{
	CLEANUP(door_state_fini) struct door_state state = {0};
	struct door_shown shown = door_node_shown(&d->nodes, parent);
	struct fuse_attr attr;
	int err;

	if (shown.mode == 0) {
		DOOR_TREE_SHARED(d);

		err = door_state_of(d, parent, NULL, &state);
		if (err)
			return err;
		door_state_attr(d, &state, parent, &attr);
		shown.mode = attr.mode;
		shown.gid = attr.gid;
	}
	*ret_mode = shown.mode;
	*ret_gid = shown.gid;
	return 0;
}

/* Owner, group and mode as inode_init_owner() in the kernel gives them. */
static int
newcomer_owner(struct newcomer *n, uint32_t mode, uint32_t umask)
{
	const struct door_options *o = &n->d->options;
	uint32_t dir_mode, dir_gid;
	int err;

	mode &= ~(umask & 0777);
	if (o->has_umask)
		mode &= ~o->umask;
	n->uid = o->has_uid ? o->uid : n->req->uid;
	n->gid = o->has_gid ? o->gid : n->req->gid;
	n->mode = mode;
	if (!n->d->has_acls || !n->d->has_eas)
		return 0; /* no place for a set-group-id bit */
	err = parent_mode(n->d, n->parent, &dir_mode, &dir_gid);
	if (err || !(dir_mode & S_ISGID))
		return err;
	n->gid = dir_gid;
	if (S_ISDIR(mode))
		n->mode |= S_ISGID;
	else if ((mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && n->req->uid != 0 &&
		 !door_in_group(n->req, dir_gid))
		n->mode &= ~(uint32_t)S_ISGID;
	return 0;
}

static int
newcomer_init(struct newcomer *n, struct door *d, struct fusek_req *req, const char *name,
	      uint32_t mode, uint32_t umask)
{
	NTSTATUS st = STATUS_SUCCESS;
	int err;

	memset(n, 0, offsetof(struct newcomer, name));
	n->sd = NULL;
	n->token = NULL;
	n->ea_size = 0;
	n->d = d;
	n->req = req;
	n->parent = door_node_get(&d->nodes, req->nodeid);
	if (!n->parent)
		return -ESTALE;
	err = name ? door_component_parse(d, name, &n->name) : door_hidden_name(&n->name);
	if (!err)
		err = newcomer_owner(n, mode, umask);
	if (!err)
		err = door_token(req, &n->token);
	if (err)
		return err;
	if (d->has_acls)
		st = posix_sd_from_mode(n->uid, n->gid, n->mode, &n->sd, &n->sd_size);
	if (d->has_eas && door_lx_bits(n->mode) != 0)
		n->ea_size = door_lx_build(n->mode, n->ea, sizeof(n->ea));
	return NT_SUCCESS(st) ? 0 : -door_errno(st);
}

static struct fs_open_params
newcomer_params(struct newcomer *n, uint32_t access)
{
	struct fs_open_params params = door_open_params(n->d, &n->path, access, n->token);

	params.disposition = FILE_CREATE;
	params.options |= S_ISDIR(n->mode) ? FILE_DIRECTORY_FILE : FILE_NON_DIRECTORY_FILE;
	params.sd = n->sd;
	if (n->ea_size != 0) {
		params.ea = n->ea;
		params.ea_size = n->ea_size;
	}
	if (n->d->has_acls)
		params.flags |= FS_OPEN_WANT_SD;
	return params;
}

/* Enters a new object whose extras are known without asking. */
static int
enter_new(struct newcomer *n, struct fs_open_result *result, const struct fs_file_info *info,
	  uint32_t link_size, uint32_t rdev, struct fuse_entry_out *ret_entry,
	  struct door_node **ret_node)
{
	void *sd = take(&result->data);
	CLEANUP(door_state_fini) struct door_state state = {
		.info = *info,
		.sd = sd,
		.extras = {.valid = true,
			   .change_time = info->change_time,
			   .ea_size = info->ea_size,
			   .reparse_tag = info->reparse_tag,
			   .lx_mode = n->ea_size != 0 ? n->mode : 0,
			   .format = n->mode & S_IFMT,
			   .link_size = link_size,
			   .rdev = rdev},
	};

	return door_entry_enter(n->d, n->parent, &n->name, &state, ret_entry, ret_node);
}

int
door_mkdir(struct door *d, struct fusek_req *req)
{
	const struct fuse_mkdir_in *in = req->arg;
	CLEANUP(newcomer_fini) struct newcomer n;
	CLEANUP(door_result_fini) struct fs_open_result result = {0};
	CLEANUP(door_close_handle) struct fs_handle *fs = NULL;
	struct fs_open_params params;
	struct fuse_entry_out entry;
	int err = newcomer_init(&n, d, req, req->name, S_IFDIR | (in->mode & 07777), in->umask);

	if (err)
		return err;
	DOOR_TREE_SHARED(d);
	err = door_node_path(&d->nodes, n.parent, n.name.units, n.name.n, &n.path);
	if (err)
		return err;
	params = newcomer_params(&n, DOOR_READ_STATE);
	err = door_engine_open(d, &params, &result, &fs);
	if (!err)
		err = enter_new(&n, &result, &result.info, 0, 0, &entry, NULL);
	return err ? err : door_reply_put(req, &entry, sizeof(entry));
}

/* ---------------------------------------------------------------- files */

struct create_out {
	struct fuse_entry_out entry;
	struct fuse_open_out open;
};

/* What was opened or made becomes a node and a handle. */
static int
create_finish(struct newcomer *n, struct fs_open_result *result, struct fs_handle *fs,
	      bool uncached, struct create_out *ret_out)
{
	CLEANUP(door_state_fini) struct door_state state = {0};
	uint32_t access = result->granted_access;
	struct door *d = n->d;
	struct door_node *node;
	int err;

	uncached |= result->disable_cache;
	if (result->information == FILE_CREATED)
		err = enter_new(n, result, &result->info, 0, 0, &ret_out->entry, &node);
	else {
		err = door_state_from_open(d, result, &n->path, &state);
		if (!err)
			err = door_entry_enter(d, n->parent, &n->name, &state, &ret_out->entry,
					       &node);
	}
	if (err) {
		door_close_handle(&fs);
		return err;
	}
	err = door_open_finish(d, node, fs, access, uncached, &ret_out->open);
	if (err)
		door_node_forget(&d->nodes, node->id, 1);
	door_node_put(&d->nodes, node);
	return err;
}

static int
create_file(struct newcomer *n, uint32_t flags, struct create_out *ret_out)
{
	CLEANUP(door_result_fini) struct fs_open_result result = {0};
	CLEANUP(door_close_handle) struct fs_handle *fs = NULL;
	struct fs_open_params params;
	bool uncached;
	DOOR_TREE_SHARED(n->d);
	int err = door_node_path(&n->d->nodes, n->parent, n->name.units, n->name.n, &n->path);

	if (err)
		return err;
	params = newcomer_params(n, door_open_access(flags));
	if (!(flags & O_EXCL))
		params.disposition = FILE_OPEN_IF;
	err = door_open_cached(n->d, &params, &uncached, &result, &fs);
	if (err)
		return err;
	if (result.information != FILE_CREATED) {
		/* The kernel did not know of it. A link or device: let it look first. */
		if (!S_ISREG(door_format(&result.info, NULL)))
			return -ESTALE;
		if (flags & O_TRUNC)
			err = door_truncate(fs, 0);
		if (!err && (flags & O_TRUNC))
			err = NT_SUCCESS(fs_query_info(fs, &result.info)) ? 0 : -EIO;
		if (err)
			return err;
	}
	return create_finish(n, &result, take(&fs), uncached, ret_out);
}

int
door_create(struct door *d, struct fusek_req *req)
{
	const struct fuse_create_in *in = req->arg;
	CLEANUP(newcomer_fini) struct newcomer n;
	struct create_out out;
	int err = newcomer_init(&n, d, req, req->name, S_IFREG | (in->mode & 07777), in->umask);

	if (!err)
		err = create_file(&n, in->flags, &out);
	return err ? err : door_reply_put(req, &out, sizeof(out));
}

/* ---------------------------------------------------------------- temporary files */

int
door_hidden_name(struct door_component *ret_name)
{
	static const char prefix[] = ".userdrive-hidden-", digits[] = "0123456789abcdef";
	uint32_t random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	for (ret_name->n = 0; ret_name->n < sizeof(prefix) - 1; ret_name->n++)
		ret_name->units[ret_name->n] = (uint8_t)prefix[ret_name->n];
	for (int i = 0; i < 8; i++, random >>= 4)
		ret_name->units[ret_name->n++] = (uint8_t)digits[random & 15];
	return 0;
}

static int
set_deleted(struct fs_handle *fs)
{
	NTSTATUS st = fs_set_disposition(fs,
					 FILE_DISPOSITION_DELETE |
						 FILE_DISPOSITION_POSIX_SEMANTICS |
						 FILE_DISPOSITION_IGNORE_READONLY_ATTRIBUTE,
					 true);

	return NT_SUCCESS(st) ? 0 : -door_errno(st);
}

/* Takes the name away from a file that stays open. */
static int
remove_name(struct door *d, const struct door_path *path)
{
	CLEANUP(door_close_handle) struct fs_handle *fs = NULL;
	int err = door_open_kernel(d, path, DELETE, &fs);

	return err ? err : set_deleted(fs);
}

/*
 * A keeper, by which the name goes with the last handle (door_temporary_closed) unless linkat()
 * comes first.
 */
static int
keep_name(struct door *d, struct newcomer *n, struct door_node *node)
{
	const uint32_t rights = DOOR_READ_STATE | FILE_WRITE_ATTRIBUTES | FILE_WRITE_EA |
				WRITE_DAC | WRITE_OWNER | DELETE;
	struct fs_handle *keeper;
	int err = door_open_kernel(d, &n->path, rights, &keeper);

	if (err)
		return err;
	if (!door_node_set_keeper(&d->handles, node, keeper, true)) {
		door_close_handle(&keeper);
		return -EBUSY;
	}
	door_node_set_temporary(&d->nodes, node, n->parent, n->name.units, n->name.n);
	return 0;
}

/* Tree lock held. */
static int
lose_name(struct door *d, struct newcomer *n, struct door_node *node)
{
	int err;

	door_keep_node(d, node, &n->path, false);
	err = remove_name(d, &n->path);
	door_node_unname(&d->nodes, n->parent, n->name.units, n->name.n, node, true);
	return err;
}

void
door_temporary_closed(struct door *d, struct door_node *node, struct fs_handle *keeper)
{
	if (door_node_unname_temporary(&d->nodes, node, false) && set_deleted(keeper) < 0)
		log_warn("mount", "a temporary file that could not be deleted is left");
}

void
door_temporary_linked(struct door *d, struct door_node *node, const struct door_path *hidden)
{
	/* Else it goes with the last handle. */
	if (remove_name(d, hidden) == 0)
		(void)door_node_unname_temporary(&d->nodes, node, true);
}

bool
door_temporaries_clear(struct door *d, struct door_node *directory)
{
	CLEANUP(free_ptr) struct door_path *path = malloc(sizeof(*path));
	struct door_node *node;
	bool any = false, goes_on = path;

	while (goes_on && (node = door_node_find_temporary(&d->nodes, directory))) {
		goes_on = door_node_path(&d->nodes, node, NULL, 0, path) == 0 &&
			  remove_name(d, path) == 0 &&
			  door_node_unname_temporary(&d->nodes, node, false);
		any |= goes_on;
		door_node_put(&d->nodes, node);
	}
	return any;
}

/*
 * O_TMPFILE: made under a hidden name. The contract cannot link what is deleted, so the name stays,
 * out of sight, until the file has another one or is closed; where it cannot get another (O_EXCL,
 * no hard links) it goes at once.
 */
int
door_tmpfile(struct door *d, struct fusek_req *req)
{
	const struct fuse_create_in *in = req->arg;
	bool linkable = !(in->flags & O_EXCL) && fs_volume_has_kind(&d->params, FS_KIND_LINK);
	CLEANUP(newcomer_fini) struct newcomer n;
	struct create_out out;
	struct door_node *node;
	int err = newcomer_init(&n, d, req, NULL, S_IFREG | (in->mode & 07777), in->umask);

	if (!err && !(d->params.flags & FS_VOL_POSIX_UNLINK_RENAME))
		err = -EOPNOTSUPP;
	if (!err)
		err = create_file(&n, in->flags | O_EXCL, &out);
	if (err)
		return err;
	node = door_node_get(&d->nodes, out.entry.nodeid);
	{
		DOOR_TREE_SHARED(d);

		if (!linkable || keep_name(d, &n, node) < 0)
			err = lose_name(d, &n, node);
	}
	door_node_put(&d->nodes, node);
	if (err) {
		door_end_handle(d, out.open.fh);
		door_node_forget(&d->nodes, out.entry.nodeid, 1);
		return err;
	}
	out.entry.attr.nlink = 0;
	return door_reply_put(req, &out, sizeof(out));
}

/* ---------------------------------------------------------------- reparse points */

/* The second of two steps: the file is there, its reparse point not yet. It goes again if that
 * fails. */
static int
add_reparse(struct fs_handle *fs, const void *buffer, uint32_t size, struct fs_file_info *ret_info)
{
	NTSTATUS st = fs_set_reparse(fs, buffer, size);

	if (NT_SUCCESS(st))
		st = fs_query_info(fs, ret_info);
	if (NT_SUCCESS(st))
		return 0;
	if (!NT_SUCCESS(fs_set_disposition(fs, FILE_DISPOSITION_DELETE, false)))
		log_warn("mount", "a file that should have become a link or device is left");
	return -door_errno(st);
}

static int
create_reparse(struct newcomer *n, const void *buffer, uint32_t size, uint32_t link_size,
	       uint32_t rdev, struct fuse_entry_out *ret_entry)
{
	CLEANUP(door_result_fini) struct fs_open_result result = {0};
	CLEANUP(door_close_handle) struct fs_handle *fs = NULL;
	struct door *d = n->d;
	struct fs_open_params params;
	int err = -EOPNOTSUPP;
	DOOR_TREE_SHARED(d);

	if (door_node_path(&d->nodes, n->parent, n->name.units, n->name.n, &n->path) < 0)
		return -ENOENT;
	params = newcomer_params(n, DOOR_READ_STATE | FILE_WRITE_DATA | FILE_WRITE_ATTRIBUTES |
					    DELETE);
	if ((d->params.flags & FS_VOL_WSL_FEATURES) && n->ea_size == 0) {
		/* Whole from the start, where the program can. */
		params.ea = buffer;
		params.ea_size = size;
		params.ea_is_reparse = true;
		err = door_engine_open(d, &params, &result, &fs);
		if (!err && !(result.info.attributes & FILE_ATTRIBUTE_REPARSE_POINT))
			err = add_reparse(fs, buffer, size, &result.info);
	}
	if (err == -EOPNOTSUPP || err == -EINVAL) {
		params = newcomer_params(n, params.desired_access);
		door_close_handle(&fs);
		err = door_engine_open(d, &params, &result, &fs);
		if (!err)
			err = add_reparse(fs, buffer, size, &result.info);
	}
	if (err)
		return err;
	return enter_new(n, &result, &result.info, link_size, rdev, ret_entry, NULL);
}

int
door_symlink(struct door *d, struct fusek_req *req)
{
	CLEANUP(newcomer_fini) struct newcomer n;
	CLEANUP(free_ptr) char *buffer = malloc(MAXIMUM_REPARSE_DATA_BUFFER_SIZE);
	size_t n_target = strlen(req->name2);
	struct fuse_entry_out entry;
	int size, err = newcomer_init(&n, d, req, req->name, S_IFLNK | 0777, 0);

	if (err)
		return err;
	if (!d->has_reparse)
		return -EPERM; /* as vfat answers */
	if (!buffer)
		return -ENOMEM;
	size = door_link_build(req->name2, n_target, d->options.symlinks_nt, buffer,
			       MAXIMUM_REPARSE_DATA_BUFFER_SIZE);
	if (size < 0)
		return size;
	err = create_reparse(&n, buffer, (uint32_t)size, (uint32_t)n_target, 0, &entry);
	return err ? err : door_reply_put(req, &entry, sizeof(entry));
}

static int
make_regular(struct newcomer *n, struct fuse_entry_out *ret_entry)
{
	CLEANUP(door_result_fini) struct fs_open_result result = {0};
	CLEANUP(door_close_handle) struct fs_handle *fs = NULL;
	struct fs_open_params params;
	DOOR_TREE_SHARED(n->d);
	int err = door_node_path(&n->d->nodes, n->parent, n->name.units, n->name.n, &n->path);

	if (err)
		return err;
	params = newcomer_params(n, DOOR_READ_STATE);
	err = door_engine_open(n->d, &params, &result, &fs);
	return err ? err : enter_new(n, &result, &result.info, 0, 0, ret_entry, NULL);
}

int
door_mknod(struct door *d, struct fusek_req *req)
{
	const struct fuse_mknod_in *in = req->arg;
	CLEANUP(newcomer_fini) struct newcomer n;
	struct fuse_entry_out entry;
	uint32_t mode = in->mode, rdev = in->rdev;
	char buffer[64];
	int size = 0, err = newcomer_init(&n, d, req, req->name, mode & (S_IFMT | 07777),
					  in->umask);

	if (err)
		return err;
	if (!S_ISREG(mode)) {
		if (!d->has_reparse)
			return -EPERM;
		size = door_device_build(mode & S_IFMT, door_rdev_decode(rdev), buffer,
					 sizeof(buffer));
		if (size < 0)
			return size;
	}
	err = S_ISREG(mode) ? make_regular(&n, &entry) :
			      create_reparse(&n, buffer, (uint32_t)size, 0, rdev, &entry);
	return err ? err : door_reply_put(req, &entry, sizeof(entry));
}
