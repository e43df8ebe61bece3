/* Attributes: of files, of the file system, extended ones. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/fuse/highlevel.h"

static mode_t
mask_of(const struct fuse_config *c, mode_t mode)
{
	if (c->dmask && S_ISDIR(mode))
		return c->dmask;
	if (c->fmask && !S_ISDIR(mode))
		return c->fmask;
	return c->umask;
}

void
hl_stat_dress(const struct fuse *f, fuse_ino_t ino, struct stat *st)
{
	const struct fuse_config *c = &f->conf;

	if (!c->use_ino)
		st->st_ino = ino;
	if (c->set_mode)
		st->st_mode = (st->st_mode & S_IFMT) | (0777 & ~mask_of(c, st->st_mode));
	if (c->set_uid)
		st->st_uid = c->uid;
	if (c->set_gid)
		st->st_gid = c->gid;
}

int
hl_entry_fill(struct fuse *f, fuse_ino_t parent, const char *name, struct fuse_entry_param *e)
{
	struct node *n;
	int err;

	mutex_lock(&f->nodes.lock);
	err = nodes_lookup_locked(&f->nodes, parent, name, &n);
	if (err == 0) {
		e->ino = n->id;
		e->generation = n->generation;
		if (f->conf.auto_cache)
			node_seen_locked(n, &e->attr);
	}
	mutex_unlock(&f->nodes.lock);
	if (err < 0)
		return err;
	e->entry_timeout = f->conf.entry_timeout;
	e->attr_timeout = f->conf.attr_timeout;
	hl_stat_dress(f, e->ino, &e->attr);
	return 0;
}

int
hl_entry_get(struct hl_op *o, fuse_ino_t parent, const char *name, const char *path,
	     struct fuse_file_info *fi, struct fuse_entry_param *e)
{
	int err;

	memset(e, 0, sizeof(*e));
	err = hl_fs_getattr(o->f->fs, path, &e->attr, fi);
	return err < 0 ? err : hl_entry_fill(o->f, parent, name, e);
}

static NODISCARD int
begin_attr(struct hl_op *o, fuse_req_t req, fuse_ino_t ino, const struct fuse_file_info *fi)
{
	return fi ? hl_begin_open(o, req, ino) : hl_begin_node(o, req, ino);
}

/*
 * getattr as the answer of the request. The name of a hidden file is ours: for its users it has
 * none, so stat(2) shows one link less (discount_hidden). Answers to changes show all links, as
 * libfuse's do: the kernel then still lets a file be linked that was removed while open.
 */
static void
end_attr(struct hl_op *o, fuse_ino_t ino, struct fuse_file_info *fi, int err,
	 bool discount_hidden)
{
	struct fuse *f = o->f;
	struct stat st = {0};
	struct node *n;

	if (err == 0)
		err = hl_fs_getattr(f->fs, hl_path(o), &st, fi);
	if (err < 0) {
		hl_end_err(o, err);
		return;
	}
	mutex_lock(&f->nodes.lock);
	n = nodes_get_locked(&f->nodes, ino);
	if (discount_hidden && n && n->hidden && st.st_nlink > 0)
		st.st_nlink--;
	if (n && f->conf.auto_cache)
		node_seen_locked(n, &st);
	mutex_unlock(&f->nodes.lock);
	hl_stat_dress(f, ino, &st);
	hl_end(o);
	fuse_reply_attr(o->req, &st, f->conf.attr_timeout);
}

void
hl_op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct hl_op o;
	int err = begin_attr(&o, req, ino, fi);

	end_attr(&o, ino, fi, err, true);
}

static NODISCARD int
set_times(struct hl_op *o, const struct stat *attr, int to_set, struct fuse_file_info *fi)
{
	struct timespec tv[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_OMIT}};

	if (to_set & FUSE_SET_ATTR_ATIME_NOW)
		tv[0].tv_nsec = UTIME_NOW;
	else if (to_set & FUSE_SET_ATTR_ATIME)
		tv[0] = attr->st_atim;
	if (to_set & FUSE_SET_ATTR_MTIME_NOW)
		tv[1].tv_nsec = UTIME_NOW;
	else if (to_set & FUSE_SET_ATTR_MTIME)
		tv[1] = attr->st_mtim;
	return hl_fs_utimens(o->f->fs, hl_path(o), tv, fi);
}

static NODISCARD int
set_attr(struct hl_op *o, const struct stat *attr, int to_set, struct fuse_file_info *fi)
{
	struct fuse_fs *fs = o->f->fs;
	const char *path = hl_path(o);
	int err = 0;

	if (to_set & FUSE_SET_ATTR_MODE)
		err = hl_fs_chmod(fs, path, attr->st_mode, fi);
	if (err == 0 && (to_set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)))
		err = hl_fs_chown(fs, path,
				  to_set & FUSE_SET_ATTR_UID ? attr->st_uid : (uid_t)-1,
				  to_set & FUSE_SET_ATTR_GID ? attr->st_gid : (gid_t)-1, fi);
	if (err == 0 && (to_set & FUSE_SET_ATTR_SIZE))
		err = hl_fs_truncate(fs, path, attr->st_size, fi);
	if (err == 0 && (to_set & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME |
				   FUSE_SET_ATTR_ATIME_NOW | FUSE_SET_ATTR_MTIME_NOW)))
		err = set_times(o, attr, to_set, fi);
	return err;
}

void
hl_op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
	      struct fuse_file_info *fi)
{
	struct hl_op o;
	int err = begin_attr(&o, req, ino, fi);

	if (err == 0)
		err = set_attr(&o, attr, to_set, fi);
	end_attr(&o, ino, fi, err, false);
}

void
hl_op_statx(fuse_req_t req, fuse_ino_t ino, int flags, int mask, struct fuse_file_info *fi)
{
	struct statx stx = {0};
	struct hl_op o;
	int err = begin_attr(&o, req, ino, fi);

	if (err == 0)
		err = hl_fs_statx(o.f->fs, hl_path(&o), flags, mask, &stx, fi);
	hl_end(&o);
	if (err < 0) {
		fuse_reply_err(req, -err);
		return;
	}
	if (!o.f->conf.use_ino)
		stx.stx_ino = ino;
	if (o.f->conf.set_mode)
		stx.stx_mode = (uint16_t)((stx.stx_mode & S_IFMT) |
					  (0777 & ~mask_of(&o.f->conf, stx.stx_mode)));
	if (o.f->conf.set_uid)
		stx.stx_uid = o.f->conf.uid;
	if (o.f->conf.set_gid)
		stx.stx_gid = o.f->conf.gid;
	fuse_reply_statx(req, 0, &stx, o.f->conf.attr_timeout);
}

void
hl_op_access(fuse_req_t req, fuse_ino_t ino, int mask)
{
	struct hl_op o;
	int err = hl_begin_node(&o, req, ino);

	if (err == 0)
		err = hl_fs_access(o.f->fs, hl_path(&o), mask);
	hl_end_err(&o, err);
}

void
hl_op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct path_want want = {.id = ino};
	struct statvfs st = {0};
	struct hl_op o;
	int err = hl_begin(&o, req, &want, ino ? 1 : 0);

	if (err == 0)
		err = hl_fs_statfs(o.f->fs, hl_path(&o) ? hl_path(&o) : "/", &st);
	hl_end(&o);
	if (err < 0)
		fuse_reply_err(req, -err);
	else
		fuse_reply_statfs(req, &st);
}

void
hl_op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size,
	       int flags)
{
	struct hl_op o;
	int err = hl_begin_node(&o, req, ino);

	if (err == 0)
		err = hl_fs_setxattr(o.f->fs, hl_path(&o), name, value, size, flags);
	hl_end_err(&o, err);
}

/* A value, or with size 0 its length. name NULL: the list of names. */
static void
get_xattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	CLEANUP(free_ptr) char *buf = size ? malloc(size) : NULL;
	struct hl_op o;
	int res = hl_begin_node(&o, req, ino);

	if (res == 0 && size && !buf)
		res = -ENOMEM;
	if (res == 0)
		res = name ? hl_fs_getxattr(o.f->fs, hl_path(&o), name, buf, size)
			   : hl_fs_listxattr(o.f->fs, hl_path(&o), buf, size);
	hl_end(&o);
	if (res > 0 && size && (size_t)res > size)
		res = -ERANGE;
	if (res < 0)
		fuse_reply_err(req, -res);
	else if (size)
		fuse_reply_buf(req, buf, (size_t)res);
	else
		fuse_reply_xattr(req, (size_t)res);
}

void
hl_op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	get_xattr(req, ino, name, size);
}

void
hl_op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	get_xattr(req, ino, NULL, size);
}

void
hl_op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	struct hl_op o;
	int err = hl_begin_node(&o, req, ino);

	if (err == 0)
		err = hl_fs_removexattr(o.f->fs, hl_path(&o), name);
	hl_end_err(&o, err);
}
