/* Requests that look: names, attributes, link targets, permissions, the volume. */
#include "transport/mount/door_priv.h"

static struct fuse_entry_out
negative_entry(struct door *d)
{
	return (struct fuse_entry_out){
		.entry_valid = d->timeouts.negative_ns / 1000000000,
		.entry_valid_nsec = (uint32_t)(d->timeouts.negative_ns % 1000000000),
	};
}

/* -EAGAIN: the name came or went while the engine was asked. */
static int
lookup_once(struct door *d, struct door_node *parent, const struct door_component *name,
	    const struct door_path *path, struct fuse_entry_out *ret_entry)
{
	CLEANUP(door_state_fini) struct door_state state = {0};
	struct door_node *known = door_node_find(&d->nodes, parent, name->units, name->n);
	int err = door_state_by_path(d, path, known, &state);

	if (!err)
		err = door_entry_enter_known(d, parent, name, known, &state, ret_entry, NULL);
	else if (err == -ENOENT && known)
		door_node_unname(&d->nodes, parent, name->units, name->n, known, false);
	door_node_put(&d->nodes, known);
	return err;
}

static int
lookup(struct door *d, struct door_node *parent, const struct door_component *name,
       struct fuse_entry_out *ret_entry)
{
	struct door_path path;
	DOOR_TREE_SHARED(d);
	int err = door_node_path(&d->nodes, parent, name->units, name->n, &path);

	if (err)
		return err;
	/* Ends: each time around somebody else has got a name made or removed. */
	do
		err = lookup_once(d, parent, name, &path, ret_entry);
	while (err == -EAGAIN);
	return err;
}

int
door_lookup(struct door *d, struct fusek_req *req)
{
	struct door_node *parent = door_node_get(&d->nodes, req->nodeid);
	struct fuse_entry_out entry;
	struct door_component name;
	int err;

	if (!parent)
		return -ESTALE;
	err = door_component_parse(d, req->name, &name);
	if (!err)
		err = lookup(d, parent, &name, &entry);
	door_node_put(&d->nodes, parent);
	if (err == -ENOENT && d->timeouts.negative_ns != 0) {
		entry = negative_entry(d); /* node 0: "not there", to be remembered */
		err = 0;
	}
	return err ? err : door_reply_put(req, &entry, sizeof(entry));
}

/* State of the request's node; a deleted node that nobody holds open shows its last. */
static int
get_attr(struct door *d, struct fusek_req *req, uint64_t fh, struct door_state *ret_state,
	 struct fuse_attr *ret_attr)
{
	struct door_node *node = door_node_get(&d->nodes, req->nodeid);
	struct door_handle *hint = fh ? door_handle_get(&d->handles, fh) : NULL;
	int err = node ? 0 : -ESTALE;

	if (!err) {
		DOOR_TREE_SHARED(d);

		err = door_state_of(d, node, hint, ret_state);
	}
	if (!err)
		door_state_attr(d, ret_state, node, ret_attr);
	else if (err == -ENOENT && door_node_epitaph(&d->nodes, node, ret_attr))
		err = 0;
	door_handle_put(&d->handles, hint);
	door_node_put(&d->nodes, node);
	return err;
}

int
door_getattr(struct door *d, struct fusek_req *req)
{
	const struct fuse_getattr_in *in = req->arg;
	CLEANUP(door_state_fini) struct door_state state = {0};
	struct fuse_attr_out out = {
		.attr_valid = d->timeouts.attr_ns / 1000000000,
		.attr_valid_nsec = (uint32_t)(d->timeouts.attr_ns % 1000000000),
	};
	int err = get_attr(d, req, in->getattr_flags & FUSE_GETATTR_FH ? in->fh : 0, &state,
			   &out.attr);

	return err ? err : door_reply_put(req, &out, sizeof(out));
}

int
door_statx(struct door *d, struct fusek_req *req)
{
	const struct fuse_statx_in *in = req->arg;
	CLEANUP(door_state_fini) struct door_state state = {0};
	struct fuse_statx_out out = {
		.attr_valid = d->timeouts.attr_ns / 1000000000,
		.attr_valid_nsec = (uint32_t)(d->timeouts.attr_ns % 1000000000),
	};
	struct fuse_attr attr;
	/* The handle's number follows the flag at the same place as in GETATTR. */
	int err = get_attr(d, req, in->getattr_flags & FUSE_GETATTR_FH ? in->fh : 0, &state,
			   &attr);

	if (err)
		return err;
	door_statx_fill(&attr, &state.info, &out.stat);
	return door_reply_put(req, &out, sizeof(out));
}

static int
read_link(struct door *d, struct door_node *node, char *dst, size_t cap)
{
	CLEANUP(door_access_end) struct door_access access = {0};
	CLEANUP(free_ptr) char *buffer = malloc(MAXIMUM_REPARSE_DATA_BUFFER_SIZE);
	uint32_t size;
	NTSTATUS st;
	DOOR_TREE_SHARED(d);
	int err = buffer ? door_access_begin(d, node, NULL, FILE_READ_ATTRIBUTES, &access) :
			   -ENOMEM;

	if (err)
		return err;
	st = fs_get_reparse(access.fs, buffer, MAXIMUM_REPARSE_DATA_BUFFER_SIZE, &size);
	if (st == STATUS_NOT_A_REPARSE_POINT)
		return -EINVAL;
	if (!NT_SUCCESS(st))
		return -door_errno(st);
	return door_link_target(buffer, size, d->where, dst, cap);
}

int
door_readlink(struct door *d, struct fusek_req *req)
{
	struct door_node *node = door_node_get(&d->nodes, req->nodeid);
	char target[PATH_MAX];
	int n = node ? read_link(d, node, target, sizeof(target)) : -ESTALE;

	door_node_put(&d->nodes, node);
	return n < 0 ? n : door_reply_put(req, target, (size_t)n);
}

static uint32_t
access_of_mask(uint32_t mask)
{
	return (mask & 4 ? FILE_READ_DATA : 0) | (mask & 2 ? FILE_WRITE_DATA : 0) |
	       (mask & 1 ? FILE_EXECUTE : 0);
}

/* access(2) and chdir(2); not asked for with default_permissions. */
int
door_access(struct door *d, struct fusek_req *req)
{
	const struct fuse_access_in *in = req->arg;
	struct door_node *node = door_node_get(&d->nodes, req->nodeid);
	CLEANUP(door_state_fini) struct door_state state = {0};
	int err = node ? 0 : -ESTALE;

	if (!err) {
		DOOR_TREE_SHARED(d);

		err = door_state_of(d, node, NULL, &state);
	}
	if (!err && (in->mask & 7) != 0)
		err = door_check_state(d, req, &state, access_of_mask(in->mask));
	door_node_put(&d->nodes, node);
	return err;
}

int
door_statfs(struct door *d, struct fusek_req *req)
{
	struct fs_volume_info info;
	struct fuse_statfs_out out = {0};
	uint32_t unit = d->rules.blksize;
	NTSTATUS st = fs_query_volume(d->volume, &info);

	if (!NT_SUCCESS(st))
		return -door_errno(st);
	out.st.bsize = out.st.frsize = unit;
	out.st.blocks = info.total_size / unit;
	out.st.bfree = out.st.bavail = info.free_size / unit;
	out.st.namelen = 255;
	return door_reply_put(req, &out, sizeof(out));
}

/* No inode flags here (FS_IOC_GETFLAGS), and no other control either. */
int
door_ioctl(struct door *d, struct fusek_req *req)
{
	return -ENOTTY;
}
