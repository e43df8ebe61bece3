/* Names: lookup, making, removing, renaming. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "api/fuse/context.h"
#include "api/fuse/highlevel.h"

int
hl_begin(struct hl_op *o, fuse_req_t req, const struct path_want *want, int n_wants)
{
	o->f = fuse_req_userdata(req);
	o->req = req;
	o->intr.of = NULL;
	hl_context_enter(o->f, req);
	int err = path_lock(&o->f->nodes, &o->path, want, n_wants);

	if (err == 0)
		hl_interruptible_begin(&o->f->interrupts, &o->intr, req);
	return err;
}

int
hl_begin_node(struct hl_op *o, fuse_req_t req, fuse_ino_t ino)
{
	return hl_begin(o, req, &(struct path_want){.id = ino}, 1);
}

int
hl_begin_name(struct hl_op *o, fuse_req_t req, fuse_ino_t parent, const char *name)
{
	return hl_begin(o, req, &(struct path_want){.id = parent, .name = name}, 1);
}

int
hl_begin_open(struct hl_op *o, fuse_req_t req, fuse_ino_t ino)
{
	const struct fuse *f = fuse_req_userdata(req);
	struct path_want want = {.id = ino, .optional = true};

	return hl_begin(o, req, &want, f->conf.nullpath_ok ? 0 : 1);
}

void
hl_end(struct hl_op *o)
{
	hl_interruptible_end(&o->intr);
	path_unlock(&o->f->nodes, &o->path);
}

void
hl_end_err(struct hl_op *o, int err)
{
	hl_end(o);
	fuse_reply_err(o->req, -err);
}

static void
end_entry(struct hl_op *o, const struct fuse_entry_param *e, int err)
{
	hl_end(o);
	if (err < 0)
		fuse_reply_err(o->req, -err);
	else if (fuse_reply_entry(o->req, e) == -ENOENT && e->ino)
		nodes_forget(&o->f->nodes, e->ino, 1); /* the caller went away */
}

/* "." and ".." are asked for by file servers that have a handle only. *ret_id: whose entry. */
static NODISCARD int
dot_target(struct fuse *f, fuse_ino_t parent, bool up, fuse_ino_t *ret_id)
{
	struct node *n;
	int err = 0;

	mutex_lock(&f->nodes.lock);
	n = nodes_get_locked(&f->nodes, parent);
	if (n && up && n->id != NODE_ROOT_ID)
		n = n->parent;
	if (n)
		*ret_id = n->id;
	else
		err = -ESTALE;
	mutex_unlock(&f->nodes.lock);
	return err;
}

void
hl_op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse *f = fuse_req_userdata(req);
	struct fuse_entry_param e;
	struct hl_op o;
	int err;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
		err = dot_target(f, parent, name[1] == '.', &parent);
		if (err < 0) {
			fuse_reply_err(req, -err);
			return;
		}
		name = NULL;
	}
	err = hl_begin_name(&o, req, parent, name);
	if (err == 0)
		err = hl_entry_get(&o, parent, name, hl_path(&o), NULL, &e);
	if (err == -ENOENT && hl_path(&o) && f->conf.negative_timeout != 0.0) {
		e = (struct fuse_entry_param){.entry_timeout = f->conf.negative_timeout};
		err = 0;
	}
	end_entry(&o, &e, err);
}

void
hl_op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n_lookups)
{
	struct fuse *f = fuse_req_userdata(req);

	nodes_forget(&f->nodes, ino, n_lookups);
	fuse_reply_none(req);
}

void
hl_op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	struct fuse *f = fuse_req_userdata(req);

	for (size_t i = 0; i < count; i++)
		nodes_forget(&f->nodes, forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
}

void
hl_op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	char target[PATH_MAX + 1];
	struct hl_op o;
	int err = hl_begin_node(&o, req, ino);

	if (err == 0)
		err = hl_fs_readlink(o.f->fs, hl_path(&o), target, sizeof(target));
	hl_end(&o);
	if (err < 0) {
		fuse_reply_err(req, -err);
		return;
	}
	target[PATH_MAX] = 0;
	fuse_reply_readlink(req, target);
}

/* A regular file by create and release, where the file system has them. */
static NODISCARD int
make_by_create(struct hl_op *o, fuse_ino_t parent, const char *name, mode_t mode,
	       struct fuse_entry_param *e)
{
	struct fuse_file_info fi = {.flags = O_CREAT | O_EXCL | O_WRONLY};
	int err = hl_fs_create(o->f->fs, hl_path(o), mode, &fi);

	if (err < 0)
		return err;
	err = hl_entry_get(o, parent, name, hl_path(o), &fi, e);
	hl_fs_release(o->f->fs, hl_path(o), &fi);
	return err;
}

void
hl_op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	struct fuse_entry_param e;
	struct hl_op o;
	int err = hl_begin_name(&o, req, parent, name);
	bool by_mknod = err == 0;

	if (err == 0 && S_ISREG(mode)) {
		err = make_by_create(&o, parent, name, mode, &e);
		by_mknod = err == -ENOSYS;
	}
	if (by_mknod) {
		err = hl_fs_mknod(o.f->fs, hl_path(&o), mode, rdev);
		if (err == 0)
			err = hl_entry_get(&o, parent, name, hl_path(&o), NULL, &e);
	}
	end_entry(&o, &e, err);
}

void
hl_op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct fuse_entry_param e;
	struct hl_op o;
	int err = hl_begin_name(&o, req, parent, name);

	if (err == 0)
		err = hl_fs_mkdir(o.f->fs, hl_path(&o), mode);
	if (err == 0)
		err = hl_entry_get(&o, parent, name, hl_path(&o), NULL, &e);
	end_entry(&o, &e, err);
}

void
hl_op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param e;
	struct hl_op o;
	int err = hl_begin_name(&o, req, parent, name);

	if (err == 0)
		err = hl_fs_symlink(o.f->fs, target, hl_path(&o));
	if (err == 0)
		err = hl_entry_get(&o, parent, name, hl_path(&o), NULL, &e);
	end_entry(&o, &e, err);
}

void
hl_op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t to, const char *to_name)
{
	const struct path_want want[] = {{.id = ino}, {.id = to, .name = to_name}};
	struct fuse_entry_param e;
	struct hl_op o;
	int err = hl_begin(&o, req, want, 2);

	if (err == 0)
		err = hl_fs_link(o.f->fs, o.path.path[0], o.path.path[1]);
	if (err == 0)
		err = hl_entry_get(&o, to, to_name, o.path.path[1], NULL, &e);
	end_entry(&o, &e, err);
}

void
hl_op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct path_want want = {.id = parent, .name = name, .write = true};
	struct hl_op o;
	int err = hl_begin(&o, req, &want, 1);

	if (err == 0 && !o.f->conf.hard_remove && hl_is_open(o.f, parent, name)) {
		err = hl_hide(o.f, hl_path(&o), parent, name);
	} else if (err == 0) {
		err = hl_fs_unlink(o.f->fs, hl_path(&o));
		if (err == 0)
			nodes_remove(&o.f->nodes, parent, name);
	}
	hl_end_err(&o, err);
}

void
hl_op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct path_want want = {.id = parent, .name = name, .write = true};
	struct hl_op o;
	int err = hl_begin(&o, req, &want, 1);

	if (err == 0)
		err = hl_fs_rmdir(o.f->fs, hl_path(&o));
	if (err == 0)
		nodes_remove(&o.f->nodes, parent, name);
	hl_end_err(&o, err);
}

void
hl_op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to,
	     const char *to_name, unsigned int flags)
{
	const struct path_want want[] = {{.id = parent, .name = name, .write = true},
					 {.id = to, .name = to_name, .write = true}};
	struct hl_op o;
	int err = hl_begin(&o, req, want, 2);

	if (err == 0 && !o.f->conf.hard_remove && flags == 0 && hl_is_open(o.f, to, to_name))
		err = hl_hide(o.f, o.path.path[1], to, to_name);
	if (err == 0)
		err = hl_fs_rename(o.f->fs, o.path.path[0], o.path.path[1], flags);
	if (err == 0)
		err = flags & RENAME_EXCHANGE
			      ? nodes_exchange(&o.f->nodes, parent, name, to, to_name)
			      : nodes_rename(&o.f->nodes, parent, name, to, to_name);
	hl_end_err(&o, err);
}
