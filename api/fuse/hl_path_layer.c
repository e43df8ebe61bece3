#include "api/fuse/hl_path_layer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/fuse/context.h"

static struct path_layer *
layer(void)
{
	return hl_context_get()->pub.private_data;
}

/* A mapped path. Operations on open files may have none. */
struct mapped {
	struct path_layer *l;
	char *path;
	int err;
};

static struct mapped
map(const char *path)
{
	struct mapped m = {.l = layer()};

	if (path)
		m.err = m.l->map(m.l, path, &m.path);
	return m;
}

static void
unmap(struct mapped *m)
{
	free(m->path);
}

/* NAME of the layer below, on the mapped path. */
#define ON_MAPPED(name, path, ...)                                                       \
	CLEANUP(unmap) struct mapped m = map(path);                                      \
	return m.err < 0 ? m.err : hl_fs_##name(m.l->next, m.path, ##__VA_ARGS__)

#define ON_TWO_MAPPED(name, from, to, ...)                                               \
	CLEANUP(unmap) struct mapped a = map(from);                                      \
	CLEANUP(unmap) struct mapped b = map(to);                                        \
	if (a.err < 0 || b.err < 0)                                                      \
		return a.err < 0 ? a.err : b.err;                                        \
	return hl_fs_##name(a.l->next, a.path, b.path, ##__VA_ARGS__)

static int
on_getattr(const char *path, struct stat *st, struct fuse_file_info *fi)
{
	ON_MAPPED(getattr, path, st, fi);
}

static int
on_access(const char *path, int mask)
{
	ON_MAPPED(access, path, mask);
}

static int
on_readlink(const char *path, char *buf, size_t size)
{
	CLEANUP(unmap) struct mapped m = map(path);
	int err = m.err < 0 ? m.err : hl_fs_readlink(m.l->next, m.path, buf, size);

	if (err == 0 && m.l->unmap_target)
		err = m.l->unmap_target(m.l, path, buf, size);
	return err;
}

struct unmapping_fill {
	struct path_layer *l;
	fuse_fill_dir_t fill;
	void *buf;
	int err;
};

static int
unmap_fill(void *buf, const char *name, const struct stat *st, off_t off,
	   enum fuse_fill_dir_flags flags)
{
	struct unmapping_fill *u = buf;
	CLEANUP(free_ptr) char *shown = NULL;

	/* A name that has no form in our encoding cannot be shown. */
	if (u->l->unmap_name(u->l, name, &shown) < 0)
		return 0;
	return u->fill(u->buf, shown, st, off, flags);
}

static int
on_readdir(const char *path, void *buf, fuse_fill_dir_t fill, off_t off,
	   struct fuse_file_info *fi, enum fuse_readdir_flags flags)
{
	CLEANUP(unmap) struct mapped m = map(path);
	struct unmapping_fill u = {.l = m.l, .fill = fill, .buf = buf};

	if (m.err < 0)
		return m.err;
	if (!m.l->unmap_name)
		return hl_fs_readdir(m.l->next, m.path, buf, fill, off, fi, flags);
	return hl_fs_readdir(m.l->next, m.path, &u, unmap_fill, off, fi, flags);
}

static int
on_opendir(const char *path, struct fuse_file_info *fi)
{
	ON_MAPPED(opendir, path, fi);
}

static int
on_releasedir(const char *path, struct fuse_file_info *fi)
{
	ON_MAPPED(releasedir, path, fi);
}

static int
on_mknod(const char *path, mode_t mode, dev_t rdev)
{
	ON_MAPPED(mknod, path, mode, rdev);
}

static int
on_mkdir(const char *path, mode_t mode)
{
	ON_MAPPED(mkdir, path, mode);
}

static int
on_unlink(const char *path)
{
	ON_MAPPED(unlink, path);
}

static int
on_rmdir(const char *path)
{
	ON_MAPPED(rmdir, path);
}

static int
on_symlink(const char *target, const char *path)
{
	CLEANUP(unmap) struct mapped m = map(path);
	CLEANUP(free_ptr) char *stored = NULL;

	if (m.err < 0)
		return m.err;
	if (m.l->map_target) {
		int err = m.l->map_target(m.l, target, &stored);

		if (err < 0)
			return err;
	}
	return hl_fs_symlink(m.l->next, stored ? stored : target, m.path);
}

static int
on_rename(const char *from, const char *to, unsigned int flags)
{
	ON_TWO_MAPPED(rename, from, to, flags);
}

static int
on_link(const char *from, const char *to)
{
	ON_TWO_MAPPED(link, from, to);
}

static int
on_chmod(const char *path, mode_t mode, struct fuse_file_info *fi)
{
	ON_MAPPED(chmod, path, mode, fi);
}

static int
on_chown(const char *path, uid_t uid, gid_t gid, struct fuse_file_info *fi)
{
	ON_MAPPED(chown, path, uid, gid, fi);
}

static int
on_truncate(const char *path, off_t size, struct fuse_file_info *fi)
{
	ON_MAPPED(truncate, path, size, fi);
}

static int
on_utimens(const char *path, const struct timespec *tv, struct fuse_file_info *fi)
{
	ON_MAPPED(utimens, path, tv, fi);
}

static int
on_create(const char *path, mode_t mode, struct fuse_file_info *fi)
{
	ON_MAPPED(create, path, mode, fi);
}

static int
on_open(const char *path, struct fuse_file_info *fi)
{
	ON_MAPPED(open, path, fi);
}

static int
on_read_buf(const char *path, struct fuse_bufvec **ret_buf, size_t size, off_t off,
	    struct fuse_file_info *fi)
{
	ON_MAPPED(read_buf, path, ret_buf, size, off, fi);
}

static int
on_write_buf(const char *path, struct fuse_bufvec *buf, off_t off, struct fuse_file_info *fi)
{
	ON_MAPPED(write_buf, path, buf, off, fi);
}

static int
on_statfs(const char *path, struct statvfs *st)
{
	ON_MAPPED(statfs, path, st);
}

static int
on_flush(const char *path, struct fuse_file_info *fi)
{
	ON_MAPPED(flush, path, fi);
}

static int
on_release(const char *path, struct fuse_file_info *fi)
{
	ON_MAPPED(release, path, fi);
}

static int
on_fsync(const char *path, int datasync, struct fuse_file_info *fi)
{
	ON_MAPPED(fsync, path, datasync, fi);
}

static int
on_fsyncdir(const char *path, int datasync, struct fuse_file_info *fi)
{
	ON_MAPPED(fsyncdir, path, datasync, fi);
}

static int
on_setxattr(const char *path, const char *name, const char *value, size_t size, int flags)
{
	ON_MAPPED(setxattr, path, name, value, size, flags);
}

static int
on_getxattr(const char *path, const char *name, char *value, size_t size)
{
	ON_MAPPED(getxattr, path, name, value, size);
}

static int
on_listxattr(const char *path, char *list, size_t size)
{
	ON_MAPPED(listxattr, path, list, size);
}

static int
on_removexattr(const char *path, const char *name)
{
	ON_MAPPED(removexattr, path, name);
}

static int
on_lock(const char *path, struct fuse_file_info *fi, int cmd, struct flock *lock)
{
	ON_MAPPED(lock, path, fi, cmd, lock);
}

static int
on_flock(const char *path, struct fuse_file_info *fi, int op)
{
	ON_MAPPED(flock, path, fi, op);
}

static int
on_bmap(const char *path, size_t block_size, uint64_t *idx)
{
	ON_MAPPED(bmap, path, block_size, idx);
}

static int
on_ioctl(const char *path, unsigned int cmd, void *arg, struct fuse_file_info *fi,
	 unsigned int flags, void *data)
{
	ON_MAPPED(ioctl, path, cmd, arg, fi, flags, data);
}

static int
on_poll(const char *path, struct fuse_file_info *fi, struct fuse_pollhandle *ph,
	unsigned *revents)
{
	ON_MAPPED(poll, path, fi, ph, revents);
}

static int
on_fallocate(const char *path, int mode, off_t off, off_t len, struct fuse_file_info *fi)
{
	ON_MAPPED(fallocate, path, mode, off, len, fi);
}

static off_t
on_lseek(const char *path, off_t off, int whence, struct fuse_file_info *fi)
{
	ON_MAPPED(lseek, path, off, whence, fi);
}

static ssize_t
on_copy_file_range(const char *path_in, struct fuse_file_info *fi_in, off_t off_in,
		   const char *path_out, struct fuse_file_info *fi_out, off_t off_out,
		   size_t size, int flags)
{
	CLEANUP(unmap) struct mapped a = map(path_in);
	CLEANUP(unmap) struct mapped b = map(path_out);

	if (a.err < 0 || b.err < 0)
		return a.err < 0 ? a.err : b.err;
	return hl_fs_copy_file_range(a.l->next, a.path, fi_in, off_in, b.path, fi_out, off_out,
				     size, flags);
}

static int
on_statx(const char *path, int flags, int mask, struct statx *stx, struct fuse_file_info *fi)
{
	ON_MAPPED(statx, path, flags, mask, stx, fi);
}

static void *
on_init(struct fuse_conn_info *conn, struct fuse_config *cfg)
{
	struct path_layer *l = layer();

	hl_fs_init(l->next, conn, cfg);
	/* Operations need their path, whatever the layer below said. */
	cfg->nullpath_ok = 0;
	return l;
}

static void
on_destroy(void *data)
{
	struct path_layer *l = data;

	hl_fs_destroy(l->next);
	l->destroy(l);
}

static const struct fuse_operations operations = {
	.getattr = on_getattr,
	.access = on_access,
	.readlink = on_readlink,
	.readdir = on_readdir,
	.opendir = on_opendir,
	.releasedir = on_releasedir,
	.mknod = on_mknod,
	.mkdir = on_mkdir,
	.unlink = on_unlink,
	.rmdir = on_rmdir,
	.symlink = on_symlink,
	.rename = on_rename,
	.link = on_link,
	.chmod = on_chmod,
	.chown = on_chown,
	.truncate = on_truncate,
	.utimens = on_utimens,
	.create = on_create,
	.open = on_open,
	.read_buf = on_read_buf,
	.write_buf = on_write_buf,
	.statfs = on_statfs,
	.flush = on_flush,
	.release = on_release,
	.fsync = on_fsync,
	.fsyncdir = on_fsyncdir,
	.setxattr = on_setxattr,
	.getxattr = on_getxattr,
	.listxattr = on_listxattr,
	.removexattr = on_removexattr,
	.lock = on_lock,
	.flock = on_flock,
	.bmap = on_bmap,
	.ioctl = on_ioctl,
	.poll = on_poll,
	.fallocate = on_fallocate,
	.lseek = on_lseek,
	.copy_file_range = on_copy_file_range,
	.statx = on_statx,
	.init = on_init,
	.destroy = on_destroy,
};

struct fuse_fs *
hl_path_layer_create(struct path_layer *l)
{
	struct fuse_operations op = operations;

	/* What decides features of the mount stays absent. */
	if (!l->next->op.lock)
		op.lock = NULL;
	if (!l->next->op.flock)
		op.flock = NULL;
	return hl_fs_new(fapi_layout_newest(), &op, sizeof(op), l);
}

static bool
asks_for_help(const struct fuse_args *args)
{
	for (int i = 1; i < args->argc; i++)
		if (strcmp(args->argv[i], "-h") == 0 || strcmp(args->argv[i], "--help") == 0)
			return true;
	return false;
}

int
hl_module_parse(const struct hl_module_options *m, struct path_layer *l, struct fuse_args *args,
		struct fuse_fs *fs[])
{
	if (asks_for_help(args)) {
		fputs(m->help, stdout);
		return -1;
	}
	if (fuse_opt_parse(args, l, m->options, NULL) < 0)
		return -1;
	if (!fs[0] || fs[1]) {
		fuse_log(FUSE_LOG_ERR, "fuse-%s: exactly one file system below, please\n",
			 m->name);
		return -1;
	}
	l->next = fs[0];
	return 0;
}
