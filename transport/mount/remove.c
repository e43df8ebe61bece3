/* Names that go, move or are added: unlink, rmdir, rename, link. */
#include "transport/mount/door_priv.h"

#include "base/log.h"

static bool
is_posix_volume(struct door *d)
{
	return d->params.flags & FS_VOL_POSIX_UNLINK_RENAME;
}

/* A name of the request, ready for the engine. */
struct victim {
	struct door_node *parent; /* counted */
	struct door_component name;
	struct door_path path;
	struct door_node *node; /* counted; NULL: the kernel does not know it */
};

static void
victim_fini(struct door *d, struct victim *v)
{
	door_node_put(&d->nodes, v->node);
	door_node_put(&d->nodes, v->parent);
}

static int
victim_init(struct door *d, struct victim *v, uint64_t parent, const char *name)
{
	v->node = NULL;
	v->parent = door_node_get(&d->nodes, parent);
	if (!v->parent)
		return -ESTALE;
	return door_component_parse(d, name, &v->name);
}

/* Tree lock held. */
static int
victim_resolve(struct door *d, struct victim *v)
{
	door_node_put(&d->nodes, v->node); /* of an attempt before */
	v->node = door_node_find(&d->nodes, v->parent, v->name.units, v->name.n);
	return door_node_path(&d->nodes, v->parent, v->name.units, v->name.n, &v->path);
}

/*
 * A node about to lose its last name: fstat, fchmod and the like must go on working through its
 * handles, none of which may have been opened with the rights for that. A file that a rename
 * replaces is also kept for those who have looked its name up and are about to open it: for them
 * a file of that name exists all the time.
 */
void
door_keep_node(struct door *d, struct door_node *node, const struct door_path *path, bool replaced)
{
	const uint32_t metadata = DOOR_READ_STATE | FILE_WRITE_ATTRIBUTES | FILE_WRITE_EA |
				  WRITE_DAC | WRITE_OWNER;
	const uint32_t data = FILE_READ_DATA | FILE_WRITE_DATA | FILE_APPEND_DATA;
	uint32_t mode = door_node_shown(&d->nodes, node).mode;
	/* Where a handle would hold up the deletion, those must do without. */
	bool special = mode != 0 && !S_ISREG(mode) && !S_ISDIR(mode) && !S_ISLNK(mode);
	bool always = is_posix_volume(d) ? special || replaced : replaced && S_ISREG(mode);
	struct fs_handle *keeper = NULL;

	if (!always && !door_node_is_open(&d->handles, node))
		return;
	/* With data, so that the file can be opened again (/proc/PID/fd). */
	if (door_open_kernel(d, path, metadata | data, &keeper) < 0 &&
	    door_open_kernel(d, path, metadata, &keeper) < 0)
		return; /* they work as far as the handles go */
	if (!door_node_set_keeper(&d->handles, node, keeper, !always))
		door_close_handle(&keeper);
}

/* What stat shows of a directory or file that is gone but still somebody's. */
static void
write_epitaph(struct door *d, struct door_node *node, struct fs_open_result *result,
	      const struct door_path *path)
{
	CLEANUP(door_state_fini) struct door_state state = {0};
	struct fuse_attr attr;

	if (door_state_from_open(d, result, path, &state) < 0)
		return;
	door_attr_fill(&d->rules, &state.info, state.sd, &state.extras, node->id, &attr);
	door_node_set_epitaph(&d->nodes, node, &attr);
}

/* The program can only delete at the last close: the name must go now. It goes to the root, where
 * it is in nobody's way: the directory may be removed next. */
static int
hide(struct door *d, struct fs_handle *fs)
{
	CLEANUP(door_close_handle) struct fs_handle *root = NULL;
	CLEANUP(free_ptr) struct door_path *path = malloc(sizeof(*path));
	struct door_component hidden;
	int err = path ? door_hidden_name(&hidden) : -ENOMEM;
	NTSTATUS st;

	if (!err)
		err = door_node_path(&d->nodes, d->nodes.root, NULL, 0, path);
	if (!err)
		err = door_open_kernel(d, path, FILE_READ_ATTRIBUTES, &root);
	if (err)
		return err;
	st = fs_rename_posix(fs, root, hidden.units, hidden.n, FS_RENAME_NO_REPLACE);
	if (!NT_SUCCESS(st)) /* a program that keeps to directories */
		st = fs_rename_posix(fs, NULL, hidden.units, hidden.n, FS_RENAME_NO_REPLACE);
	return NT_SUCCESS(st) ? 0 : -door_errno(st);
}

static int
delete_handle(struct door *d, struct fs_handle *fs)
{
	bool posix = is_posix_volume(d);
	NTSTATUS st = fs_set_disposition(fs,
					 FILE_DISPOSITION_DELETE |
						 FILE_DISPOSITION_POSIX_SEMANTICS |
						 FILE_DISPOSITION_IGNORE_READONLY_ATTRIBUTE,
					 posix);
	int err = 0;

	if (st == STATUS_CANNOT_DELETE)
		return -EPERM;
	if (!NT_SUCCESS(st))
		return -door_errno(st);
	/* Only after the program has agreed: a filled directory must keep its name. Nobody opens it
	 * any more; whoever has it open may be in the middle of a RELEASE, of which the handle
	 * table knows nothing. */
	if (!posix && !fs_handle_is_alone(fs))
		err = hide(d, fs);
	if (err && !NT_SUCCESS(fs_set_disposition(fs, 0, false)))
		log_warn("mount", "a file that could not be hidden goes at its last close");
	return err;
}

/* Opens for deletion in the caller's name; the type must be what the kernel took it for. */
static int
open_for_deletion(struct door *d, struct fusek_req *req, struct victim *v, bool want_directory,
		  struct fs_open_result *ret_result, struct fs_handle **ret_fs)
{
	CLEANUP(door_token_fini) struct token *token = NULL;
	struct fs_open_params params;
	int err = door_token(req, &token);

	if (err)
		return err;
	/* DELETE alone: FILE_READ_ATTRIBUTES would need the right to list the directory. */
	params = door_open_params(d, &v->path, DELETE, token);
	if (d->has_acls)
		params.flags |= FS_OPEN_WANT_SD;
	err = door_engine_open(d, &params, ret_result, ret_fs);
	if (err)
		return err;
	/* A link to a directory may be a directory for NT; unlink removes it. */
	bool is_directory = S_ISDIR(door_format(&ret_result->info, NULL));
	if (is_directory != want_directory) {
		door_close_handle(ret_fs);
		return want_directory ? -ENOTDIR : -EISDIR;
	}
	return 0;
}

static int
remove_locked(struct door *d, struct fusek_req *req, struct victim *v, bool directory)
{
	CLEANUP(door_result_fini) struct fs_open_result result = {0};
	CLEANUP(door_close_handle) struct fs_handle *fs = NULL;
	bool is_last;
	int err = victim_resolve(d, v);

	if (!err)
		err = door_check_parent(d, req, v->parent, FILE_ADD_FILE);
	if (!err)
		err = open_for_deletion(d, req, v, directory, &result, &fs);
	if (err)
		return err;
	is_last = directory || result.info.hard_links <= 1;
	if (v->node && is_last) {
		door_keep_node(d, v->node, &v->path, false);
		write_epitaph(d, v->node, &result, &v->path);
		door_node_part_with_index(&d->nodes, v->node);
	}
	err = delete_handle(d, fs);
	/* The deletion happens here, before the reply and before the name is forgotten. */
	door_close_handle(&fs);
	if (!err)
		door_node_unname(&d->nodes, v->parent, v->name.units, v->name.n, v->node,
				 is_last);
	else if (v->node && is_last)
		door_node_regain_index(&d->nodes, v->node);
	return err;
}

static bool
find_any(void *ctx, const struct fs_dir_info *entry)
{
	size_t n = (entry->size - sizeof(*entry)) / sizeof(uint16_t);
	bool dots = n <= 2 && entry->name[0] == '.' && entry->name[n - 1] == '.';

	*(bool *)ctx |= !dots;
	return dots;
}

/* NT denies access to a directory with open files in it; POSIX says first what is in the way. */
static bool
is_filled_directory(struct door *d, const struct victim *v)
{
	CLEANUP(door_close_handle) struct fs_handle *fs = NULL;
	bool any = false, end;

	if (!v->node || !S_ISDIR(door_node_shown(&d->nodes, v->node).mode) ||
	    door_open_kernel(d, &v->path, FILE_LIST_DIRECTORY, &fs) < 0)
		return false;
	return NT_SUCCESS(fs_enumerate(fs, NULL, find_any, &any, &end)) && any;
}

static bool
has_temporaries(struct door *d, const struct victim *v)
{
	struct door_node *found = v->node ? door_node_find_temporary(&d->nodes, v->node) : NULL;

	door_node_put(&d->nodes, found);
	return found;
}

/* Whether only hidden names of O_TMPFILE files stood in the way; they do no longer. */
static bool
clear_hidden(struct door *d, const struct victim *v, int err)
{
	return err == -ENOTEMPTY && v->node && !is_filled_directory(d, v) &&
	       door_temporaries_clear(d, v->node);
}

static int
do_remove(struct door *d, struct fusek_req *req, bool directory)
{
	struct victim v;
	int err = victim_init(d, &v, req->nodeid, req->name);

	if (!err) {
		DOOR_TREE_SHARED(d);

		err = remove_locked(d, req, &v, directory);
		if (directory && clear_hidden(d, &v, err))
			err = remove_locked(d, req, &v, directory);
	}
	victim_fini(d, &v);
	return err;
}

int
door_unlink(struct door *d, struct fusek_req *req)
{
	return do_remove(d, req, false);
}

int
door_rmdir(struct door *d, struct fusek_req *req)
{
	return do_remove(d, req, true);
}

/* ---------------------------------------------------------------- rename */

enum { RENAME_NO_REPLACE = 1, RENAME_EXCHANGE_NAMES = 2 }; /* of renameat2(2) */

/* errno of a refused rename: what POSIX calls it when the target is the reason. */
static int
rename_errno(NTSTATUS st)
{
	switch (st) {
	case STATUS_OBJECT_NAME_COLLISION:
		return EEXIST;
	case STATUS_NOT_SUPPORTED: /* exchange */
	case STATUS_INVALID_DEVICE_REQUEST:
		return EINVAL;
	default:
		return door_errno(st);
	}
}

/* Open, or kept for those who are about to open it. */
static bool
is_in_use(struct door *d, struct door_node *node)
{
	struct door_keeper *keeper = door_node_keeper(&d->handles, node);

	door_keeper_put(&d->handles, keeper);
	return keeper || door_node_is_open(&d->handles, node);
}

/* A replaced file that is in use, on a program that can only delete at the last close: it is put
 * aside and goes with *ret_aside, unless restore_target brings it back. */
static int
clear_target(struct door *d, struct fusek_req *req, struct victim *to,
	     struct fs_handle **ret_aside)
{
	CLEANUP(door_result_fini) struct fs_open_result result = {0};
	CLEANUP(door_close_handle) struct fs_handle *fs = NULL;
	int err;

	if (is_posix_volume(d) || fs_volume_has_kind(&d->params, FS_KIND_RENAME_POSIX) ||
	    !is_in_use(d, to->node) || S_ISDIR(door_node_shown(&d->nodes, to->node).mode))
		return 0;
	err = open_for_deletion(d, req, to, false, &result, &fs);
	if (!err)
		err = delete_handle(d, fs);
	if (!err)
		*ret_aside = take(&fs);
	return err;
}

/* The rename has failed: its target must be what it was. */
static void
restore_target(struct door *d, struct victim *to, struct fs_handle *aside)
{
	CLEANUP(door_close_handle) struct fs_handle *directory = NULL;
	CLEANUP(free_ptr) struct door_path *path = malloc(sizeof(*path));
	NTSTATUS st = fs_set_disposition(aside, 0, false);

	if (path && door_node_path(&d->nodes, to->parent, NULL, 0, path) == 0 &&
	    door_open_kernel(d, path, FILE_READ_ATTRIBUTES, &directory) == 0 && NT_SUCCESS(st))
		st = fs_rename_posix(aside, directory, to->name.units, to->name.n,
				     FS_RENAME_NO_REPLACE);
	if (!directory || !NT_SUCCESS(st))
		log_warn("mount", "the target of a rename that failed is left under a hidden name");
}

static int
open_directory(struct door *d, struct victim *from, struct victim *to, struct fs_handle **ret_fs)
{
	CLEANUP(free_ptr) struct door_path *path = NULL;
	int err;

	*ret_fs = NULL;
	if (from->parent == to->parent)
		return 0;
	path = malloc(sizeof(*path));
	if (!path)
		return -ENOMEM;
	err = door_node_path(&d->nodes, to->parent, NULL, 0, path);
	return err ? err : door_open_kernel(d, path, FILE_READ_ATTRIBUTES, ret_fs);
}

/* What the target of a rename leaves behind. */
static void
prepare_target(struct door *d, struct victim *to)
{
	CLEANUP(door_state_fini) struct door_state state = {0};
	struct fuse_attr attr;

	if (door_state_by_path(d, &to->path, to->node, &state) < 0)
		return;
	door_state_attr(d, &state, to->node, &attr);
	if (attr.nlink > 1 && !S_ISDIR(attr.mode))
		return;
	door_keep_node(d, to->node, &to->path, true);
	door_node_set_epitaph(&d->nodes, to->node, &attr);
}

static int
rename_checks(struct door *d, struct fusek_req *req, struct victim *from, struct victim *to)
{
	bool directory = from->node && S_ISDIR(door_node_shown(&d->nodes, from->node).mode);
	uint32_t add = directory ? FILE_ADD_SUBDIRECTORY : FILE_ADD_FILE;
	int err = door_check_parent(d, req, from->parent, FILE_ADD_FILE);

	/* A rename is a creation in the target directory; the engine checks only the source. */
	return err ? err : door_check_parent(d, req, to->parent, add);
}

static int
rename_locked(struct door *d, struct fusek_req *req, struct victim *from, struct victim *to,
	      uint32_t flags)
{
	CLEANUP(door_token_fini) struct token *token = NULL;
	CLEANUP(door_result_fini) struct fs_open_result result = {0};
	CLEANUP(door_close_handle) struct fs_handle *fs = NULL;
	CLEANUP(door_close_handle) struct fs_handle *directory = NULL;
	CLEANUP(door_close_handle) struct fs_handle *aside = NULL;
	struct fs_open_params params;
	NTSTATUS st;
	int err = victim_resolve(d, from);

	if (!err)
		err = victim_resolve(d, to);
	if (!err)
		err = rename_checks(d, req, from, to);
	if (!err)
		err = door_token(req, &token);
	if (err)
		return err;
	params = door_open_params(d, &from->path, DELETE, token);
	err = door_engine_open(d, &params, &result, &fs);
	if (!err)
		err = open_directory(d, from, to, &directory);
	if (!err && to->node && to->node != from->node && flags == 0) {
		prepare_target(d, to);
		err = clear_target(d, req, to, &aside);
	}
	if (err) {
		if (to->node)
			door_node_release_keeper(&d->handles, to->node);
		return err;
	}
	st = fs_rename_posix(fs, directory, to->name.units, to->name.n, flags);
	if (!NT_SUCCESS(st) && to->node)
		door_node_release_keeper(&d->handles, to->node);
	if (aside && !NT_SUCCESS(st))
		restore_target(d, to, aside);
	if (st == STATUS_ACCESS_DENIED && flags == 0 &&
	    (has_temporaries(d, to) || is_filled_directory(d, to)))
		return -ENOTEMPTY;
	if (!NT_SUCCESS(st))
		return -rename_errno(st);
	door_node_rename(&d->nodes,
			 &(struct door_name){from->parent, from->name.units, from->name.n},
			 &(struct door_name){to->parent, to->name.units, to->name.n},
			 flags & FS_RENAME_EXCHANGE);
	return 0;
}

static int
do_rename(struct door *d, struct fusek_req *req, uint64_t new_parent, uint32_t flags)
{
	CLEANUP(free_ptr) struct victim *names = calloc(2, sizeof(*names));
	uint32_t engine_flags = (flags & RENAME_NO_REPLACE ? FS_RENAME_NO_REPLACE : 0) |
				(flags & RENAME_EXCHANGE_NAMES ? FS_RENAME_EXCHANGE : 0);
	int err;

	if (!names)
		return -ENOMEM;
	if (flags & ~(uint32_t)(RENAME_NO_REPLACE | RENAME_EXCHANGE_NAMES))
		return -EINVAL;
	err = victim_init(d, &names[0], req->nodeid, req->name);
	if (!err)
		err = victim_init(d, &names[1], new_parent, req->name2);
	if (!err) {
		DOOR_TREE_EXCLUSIVE(d);

		err = rename_locked(d, req, &names[0], &names[1], engine_flags);
		if (clear_hidden(d, &names[1], err))
			err = rename_locked(d, req, &names[0], &names[1], engine_flags);
	}
	victim_fini(d, &names[0]);
	victim_fini(d, &names[1]);
	return err;
}

int
door_rename(struct door *d, struct fusek_req *req)
{
	return do_rename(d, req, ((const struct fuse_rename_in *)req->arg)->newdir, 0);
}

int
door_rename2(struct door *d, struct fusek_req *req)
{
	const struct fuse_rename2_in *in = req->arg;

	return do_rename(d, req, in->newdir, in->flags);
}

/* ---------------------------------------------------------------- link */

static int
link_locked(struct door *d, struct fusek_req *req, struct door_node *node, struct victim *to,
	    struct fuse_entry_out *ret_entry)
{
	CLEANUP(door_state_fini) struct door_state state = {0};
	CLEANUP(door_close_handle) struct fs_handle *fs = NULL;
	CLEANUP(door_close_handle) struct fs_handle *directory = NULL;
	CLEANUP(free_ptr) struct door_path *path = malloc(sizeof(*path));
	CLEANUP(free_ptr) struct door_path *hidden = NULL;
	struct fs_file_info info;
	NTSTATUS st;
	int err = path ? door_node_path(&d->nodes, node, NULL, 0, path) : -ENOMEM;

	if (!err)
		err = door_check_parent(d, req, to->parent, FILE_ADD_FILE);
	if (!err) /* link(2) asks nothing of the file itself */
		err = door_open_kernel(d, path, FILE_READ_ATTRIBUTES | FILE_WRITE_ATTRIBUTES, &fs);
	if (!err && door_node_shown(&d->nodes, node).is_temporary) {
		hidden = take(&path);
		path = malloc(sizeof(*path));
		err = path ? 0 : -ENOMEM;
	}
	if (!err)
		err = door_node_path(&d->nodes, to->parent, NULL, 0, path);
	if (!err)
		err = door_open_kernel(d, path, FILE_READ_ATTRIBUTES, &directory);
	if (err)
		return err;
	st = fs_link(fs, directory, to->name.units, to->name.n, false, &info);
	if (!NT_SUCCESS(st))
		return st == STATUS_OBJECT_NAME_COLLISION ? -EEXIST : -door_errno(st);
	if (hidden)
		door_temporary_linked(d, node, hidden);
	err = door_node_path(&d->nodes, to->parent, to->name.units, to->name.n, path);
	if (!err)
		err = door_state_by_path(d, path, node, &state);
	return err ? err : door_entry_enter(d, to->parent, &to->name, &state, ret_entry, NULL);
}

int
door_link(struct door *d, struct fusek_req *req)
{
	const struct fuse_link_in *in = req->arg;
	struct door_node *node;
	struct fuse_entry_out entry;
	struct victim to;
	int err;

	if (!fs_volume_has_kind(&d->params, FS_KIND_LINK))
		return -EPERM; /* as file systems without hard links answer */
	node = door_node_get(&d->nodes, in->oldnodeid);
	err = victim_init(d, &to, req->nodeid, req->name);
	if (!err && !node)
		err = -ESTALE;
	if (!err) {
		DOOR_TREE_SHARED(d);

		err = link_locked(d, req, node, &to, &entry);
	}
	victim_fini(d, &to);
	door_node_put(&d->nodes, node);
	return err ? err : door_reply_put(req, &entry, sizeof(entry));
}
