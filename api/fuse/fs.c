#include "api/fuse/hl_fs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/fuse/context.h"
#include "api/fuse/hl_buf.h"

static _Thread_local struct fuse_fs **collected;

struct fuse_fs *
hl_fs_new(const struct fapi_layout *layout, const struct fuse_operations *op, size_t op_size,
	  void *user_data)
{
	struct fuse_fs *fs = calloc(1, sizeof(*fs));

	if (op_size > sizeof(*op))
		fuse_log(FUSE_LOG_WARNING,
			 "fuse: the program knows newer operations than this library: "
			 "they will not be called\n");
	if (!fs) {
		fuse_log(FUSE_LOG_ERR, "fuse: out of memory\n");
		return NULL;
	}
	if (op)
		fapi_ops_take(&fs->op, sizeof(fs->op), op, op_size);
	fs->layout = layout;
	fs->user_data = user_data;
	if (collected) {
		fs->next_owned = *collected;
		*collected = fs;
	}
	return fs;
}

void
hl_fs_collect(struct fuse_fs **owned)
{
	collected = owned;
}

void
hl_fs_free_all(struct fuse_fs *owned)
{
	while (owned) {
		struct fuse_fs *next = owned->next_owned;

		free(owned);
		owned = next;
	}
}

static void
enter(struct fuse_fs *fs, const char *name, const char *path)
{
	struct hl_context *c = hl_context_get();

	c->pub.private_data = fs->user_data;
	c->fs = fs;
	if (unlikely(fs->debug))
		fuse_log(FUSE_LOG_DEBUG, "%s %s\n", name, path ? path : "(no path)");
}

/* Calls the operation of this name, or has -ENOSYS. */
#define FS_CALL(fs, name, path, ...)                                                     \
	(enter(fs, #name, path), (fs)->op.name ? (fs)->op.name(__VA_ARGS__) : -ENOSYS)

/* The same where a file system without the operation has nothing to do. */
#define FS_CALL_OR_NOTHING(fs, name, path, ...)                                          \
	(enter(fs, #name, path), (fs)->op.name ? (fs)->op.name(__VA_ARGS__) : 0)

/* fi_theirs: fi as the layer sees it. */
#define FS_INFO(fs, fi)                                                                  \
	union fapi_file_info_store fi##_store;                                           \
	struct fuse_file_info *fi##_theirs =                                             \
		fapi_file_info_enter((fs)->layout, &fi##_store, fi)

static void
call_init(struct fuse_fs *fs, struct fuse_conn_info *conn, struct fuse_config *cfg)
{
	union fapi_config_store theirs;
	uint64_t conn_theirs[sizeof(*conn) / sizeof(uint64_t)];

	if (fapi_layout_is_ours(fs->layout)) {
		fs->user_data = fs->op.init(conn, cfg);
		return;
	}
	fs->layout->conn_to(conn_theirs, conn);
	if (cfg && fs->layout->config_to)
		fs->layout->config_to(&theirs, cfg);
	fs->user_data =
		fs->op.init((struct fuse_conn_info *)conn_theirs, cfg ? &theirs.ours : NULL);
	fs->layout->conn_from(conn, conn_theirs);
	if (cfg && fs->layout->config_from)
		fs->layout->config_from(cfg, &theirs);
}

void
hl_fs_init(struct fuse_fs *fs, struct fuse_conn_info *conn, struct fuse_config *cfg)
{
	enter(fs, "init", NULL);
	if (!fs->op.write_buf)
		hl_conn_drop(conn, FUSE_CAP_SPLICE_READ);
	if (!fs->op.lock)
		hl_conn_drop(conn, FUSE_CAP_POSIX_LOCKS);
	if (!fs->op.flock)
		hl_conn_drop(conn, FUSE_CAP_FLOCK_LOCKS);
	if (fs->op.init)
		call_init(fs, conn, cfg);
}

void
hl_fs_destroy(struct fuse_fs *fs)
{
	enter(fs, "destroy", NULL);
	if (fs->op.destroy)
		fs->op.destroy(fs->user_data);
}

int
hl_fs_getattr(struct fuse_fs *fs, const char *path, struct stat *st, struct fuse_file_info *fi)
{
	FS_INFO(fs, fi);

	return FS_CALL(fs, getattr, path, path, st, fi_theirs);
}

int
hl_fs_rename(struct fuse_fs *fs, const char *from, const char *to, unsigned int flags)
{
	return FS_CALL(fs, rename, from, from, to, flags);
}

int
hl_fs_unlink(struct fuse_fs *fs, const char *path)
{
	return FS_CALL(fs, unlink, path, path);
}

int
hl_fs_rmdir(struct fuse_fs *fs, const char *path)
{
	return FS_CALL(fs, rmdir, path, path);
}

int
hl_fs_symlink(struct fuse_fs *fs, const char *target, const char *path)
{
	return FS_CALL(fs, symlink, path, target, path);
}

int
hl_fs_link(struct fuse_fs *fs, const char *from, const char *to)
{
	return FS_CALL(fs, link, from, from, to);
}

int
hl_fs_release(struct fuse_fs *fs, const char *path, struct fuse_file_info *fi)
{
	FS_INFO(fs, fi);

	return FS_CALL_OR_NOTHING(fs, release, path, path, fi_theirs);
}

int
hl_fs_open(struct fuse_fs *fs, const char *path, struct fuse_file_info *fi)
{
	FS_INFO(fs, fi);
	int res = FS_CALL_OR_NOTHING(fs, open, path, path, fi_theirs);

	fapi_file_info_leave(fs->layout, &fi_store, fi);
	return res;
}

/* The layer's read_buf, its answer in our layout. */
static int
call_read_buf(struct fuse_fs *fs, const char *path, struct fuse_bufvec **ret_buf, size_t size,
	      off_t off, struct fuse_file_info *fi_theirs)
{
	CLEANUP(free_ptr) struct fuse_bufvec *theirs = NULL;
	int res = FS_CALL(fs, read_buf, path, path, &theirs, size, off, fi_theirs);

	if (res < 0)
		return res;
	if (!theirs)
		return -EIO;
	if (fapi_layout_is_ours(fs->layout)) {
		*ret_buf = take(&theirs);
		return res;
	}
	*ret_buf = fapi_bufvec_convert(fapi_layout_newest(), fs->layout, theirs);
	return *ret_buf ? res : -ENOMEM;
}

int
hl_fs_read(struct fuse_fs *fs, const char *path, char *buf, size_t size, off_t off,
	   struct fuse_file_info *fi)
{
	FS_INFO(fs, fi);
	CLEANUP(hl_buf_free) struct fuse_bufvec *vec = NULL;
	int res;

	if (!fs->op.read_buf)
		return FS_CALL(fs, read, path, path, buf, size, off, fi_theirs);
	res = call_read_buf(fs, path, &vec, size, off, fi_theirs);
	return res < 0 ? res : (int)hl_buf_flatten(vec, buf, size);
}

/* read_buf from read: one buffer of memory. */
static int
read_into_buf(struct fuse_fs *fs, const char *path, struct fuse_bufvec **ret_buf, size_t size,
	      off_t off, struct fuse_file_info *fi_theirs)
{
	CLEANUP(hl_buf_free) struct fuse_bufvec *vec = hl_buf_create(size);
	int res;

	if (!vec)
		return -ENOMEM;
	res = fs->op.read(path, vec->buf[0].mem, size, off, fi_theirs);
	if (res < 0)
		return res;
	if ((size_t)res > size)
		return -EIO;
	vec->buf[0].size = (size_t)res;
	*ret_buf = take(&vec);
	return 0;
}

int
hl_fs_read_buf(struct fuse_fs *fs, const char *path, struct fuse_bufvec **ret_buf, size_t size,
	       off_t off, struct fuse_file_info *fi)
{
	FS_INFO(fs, fi);

	if (fs->op.read_buf || !fs->op.read)
		return call_read_buf(fs, path, ret_buf, size, off, fi_theirs);
	enter(fs, "read", path);
	return read_into_buf(fs, path, ret_buf, size, off, fi_theirs);
}

static int
call_write_buf(struct fuse_fs *fs, const char *path, struct fuse_bufvec *buf, off_t off,
	       struct fuse_file_info *fi_theirs)
{
	CLEANUP(free_ptr) struct fuse_bufvec *theirs = NULL;

	if (!fapi_layout_is_ours(fs->layout)) {
		buf = theirs = fapi_bufvec_convert(fs->layout, fapi_layout_newest(), buf);
		if (!buf)
			return -ENOMEM;
	}
	return FS_CALL(fs, write_buf, path, path, buf, off, fi_theirs);
}

/* write from a vector that is not one piece of memory. */
static int
write_copy(struct fuse_fs *fs, const char *path, struct fuse_bufvec *buf, off_t off,
	   struct fuse_file_info *fi_theirs)
{
	size_t size = hl_buf_total(buf);
	CLEANUP(free_ptr) char *copy = malloc(size ? size : 1);
	ssize_t len;

	if (!copy)
		return -ENOMEM;
	len = hl_buf_flatten(buf, copy, size);
	return len < 0 ? (int)len : fs->op.write(path, copy, (size_t)len, off, fi_theirs);
}

int
hl_fs_write_buf(struct fuse_fs *fs, const char *path, struct fuse_bufvec *buf, off_t off,
		struct fuse_file_info *fi)
{
	FS_INFO(fs, fi);
	size_t size;
	char *mem;

	if (fs->op.write_buf || !fs->op.write)
		return call_write_buf(fs, path, buf, off, fi_theirs);
	enter(fs, "write", path);
	mem = hl_buf_flat(buf, &size);
	return mem ? fs->op.write(path, mem, size, off, fi_theirs)
		   : write_copy(fs, path, buf, off, fi_theirs);
}

int
hl_fs_write(struct fuse_fs *fs, const char *path, const char *buf, size_t size, off_t off,
	    struct fuse_file_info *fi)
{
	FS_INFO(fs, fi);
	struct fuse_bufvec vec = {
		.count = 1, .buf = {{.size = size, .mem = (void *)(uintptr_t)buf, .fd = -1}}};

	return fs->op.write_buf ? call_write_buf(fs, path, &vec, off, fi_theirs)
				: FS_CALL(fs, write, path, path, buf, size, off, fi_theirs);
}

int
hl_fs_fsync(struct fuse_fs *fs, const char *path, int datasync, struct fuse_file_info *fi)
{
	FS_INFO(fs, fi);

	return FS_CALL(fs, fsync, path, path, datasync, fi_theirs);
}

int
hl_fs_flush(struct fuse_fs *fs, const char *path, struct fuse_file_info *fi)
{
	FS_INFO(fs, fi);

	return FS_CALL(fs, flush, path, path, fi_theirs);
}

int
hl_fs_statfs(struct fuse_fs *fs, const char *path, struct statvfs *buf)
{
	/* What a file system says that does not care: the shortest block, the longest name. */
	if (!fs->op.statfs) {
		buf->f_namemax = 255;
		buf->f_bsize = 512;
	}
	return FS_CALL_OR_NOTHING(fs, statfs, path, path, buf);
}

int
hl_fs_opendir(struct fuse_fs *fs, const char *path, struct fuse_file_info *fi)
{
	FS_INFO(fs, fi);
	int res = FS_CALL_OR_NOTHING(fs, opendir, path, path, fi_theirs);

	fapi_file_info_leave(fs->layout, &fi_store, fi);
	return res;
}

int
hl_fs_readdir(struct fuse_fs *fs, const char *path, void *buf, fuse_fill_dir_t filler, off_t off,
	      struct fuse_file_info *fi, enum fuse_readdir_flags flags)
{
	FS_INFO(fs, fi);

	return FS_CALL(fs, readdir, path, path, buf, filler, off, fi_theirs, flags);
}

int
hl_fs_fsyncdir(struct fuse_fs *fs, const char *path, int datasync, struct fuse_file_info *fi)
{
	FS_INFO(fs, fi);

	return FS_CALL(fs, fsyncdir, path, path, datasync, fi_theirs);
}

int
hl_fs_releasedir(struct fuse_fs *fs, const char *path, struct fuse_file_info *fi)
{
	FS_INFO(fs, fi);

	return FS_CALL_OR_NOTHING(fs, releasedir, path, path, fi_theirs);
}

int
hl_fs_create(struct fuse_fs *fs, const char *path, mode_t mode, struct fuse_file_info *fi)
{
	FS_INFO(fs, fi);
	int res = FS_CALL(fs, create, path, path, mode, fi_theirs);

	fapi_file_info_leave(fs->layout, &fi_store, fi);
	return res;
}

int
hl_fs_lock(struct fuse_fs *fs, const char *path, struct fuse_file_info *fi, int cmd,
	   struct flock *lock)
{
	FS_INFO(fs, fi);

	return FS_CALL(fs, lock, path, path, fi_theirs, cmd, lock);
}

int
hl_fs_flock(struct fuse_fs *fs, const char *path, struct fuse_file_info *fi, int op)
{
	FS_INFO(fs, fi);

	return FS_CALL(fs, flock, path, path, fi_theirs, op);
}

int
hl_fs_chmod(struct fuse_fs *fs, const char *path, mode_t mode, struct fuse_file_info *fi)
{
	FS_INFO(fs, fi);

	return FS_CALL(fs, chmod, path, path, mode, fi_theirs);
}

int
hl_fs_chown(struct fuse_fs *fs, const char *path, uid_t uid, gid_t gid,
	    struct fuse_file_info *fi)
{
	FS_INFO(fs, fi);

	return FS_CALL(fs, chown, path, path, uid, gid, fi_theirs);
}

int
hl_fs_truncate(struct fuse_fs *fs, const char *path, off_t size, struct fuse_file_info *fi)
{
	FS_INFO(fs, fi);

	return FS_CALL(fs, truncate, path, path, size, fi_theirs);
}

int
hl_fs_utimens(struct fuse_fs *fs, const char *path, const struct timespec *tv,
	      struct fuse_file_info *fi)
{
	FS_INFO(fs, fi);

	return FS_CALL(fs, utimens, path, path, tv, fi_theirs);
}

int
hl_fs_access(struct fuse_fs *fs, const char *path, int mask)
{
	return FS_CALL(fs, access, path, path, mask);
}

int
hl_fs_readlink(struct fuse_fs *fs, const char *path, char *buf, size_t size)
{
	return FS_CALL(fs, readlink, path, path, buf, size);
}

int
hl_fs_mknod(struct fuse_fs *fs, const char *path, mode_t mode, dev_t rdev)
{
	return FS_CALL(fs, mknod, path, path, mode, rdev);
}

int
hl_fs_mkdir(struct fuse_fs *fs, const char *path, mode_t mode)
{
	return FS_CALL(fs, mkdir, path, path, mode);
}

int
hl_fs_setxattr(struct fuse_fs *fs, const char *path, const char *name, const char *value,
	       size_t size, int flags)
{
	return FS_CALL(fs, setxattr, path, path, name, value, size, flags);
}

int
hl_fs_getxattr(struct fuse_fs *fs, const char *path, const char *name, char *value, size_t size)
{
	return FS_CALL(fs, getxattr, path, path, name, value, size);
}

int
hl_fs_listxattr(struct fuse_fs *fs, const char *path, char *list, size_t size)
{
	return FS_CALL(fs, listxattr, path, path, list, size);
}

int
hl_fs_removexattr(struct fuse_fs *fs, const char *path, const char *name)
{
	return FS_CALL(fs, removexattr, path, path, name);
}

int
hl_fs_bmap(struct fuse_fs *fs, const char *path, size_t block_size, uint64_t *idx)
{
	return FS_CALL(fs, bmap, path, path, block_size, idx);
}

int
hl_fs_ioctl(struct fuse_fs *fs, const char *path, unsigned int cmd, void *arg,
	    struct fuse_file_info *fi, unsigned int flags, void *data)
{
	FS_INFO(fs, fi);

	return FS_CALL(fs, ioctl, path, path, cmd, arg, fi_theirs, flags, data);
}

int
hl_fs_poll(struct fuse_fs *fs, const char *path, struct fuse_file_info *fi,
	   struct fuse_pollhandle *ph, unsigned *revents)
{
	FS_INFO(fs, fi);

	if (!fs->op.poll && ph)
		fuse_pollhandle_destroy(ph);
	return FS_CALL(fs, poll, path, path, fi_theirs, ph, revents);
}

int
hl_fs_fallocate(struct fuse_fs *fs, const char *path, int mode, off_t off, off_t len,
		struct fuse_file_info *fi)
{
	FS_INFO(fs, fi);

	return FS_CALL(fs, fallocate, path, path, mode, off, len, fi_theirs);
}

ssize_t
hl_fs_copy_file_range(struct fuse_fs *fs, const char *path_in, struct fuse_file_info *fi_in,
		      off_t off_in, const char *path_out, struct fuse_file_info *fi_out,
		      off_t off_out, size_t len, int flags)
{
	FS_INFO(fs, fi_in);
	FS_INFO(fs, fi_out);

	return FS_CALL(fs, copy_file_range, path_in, path_in, fi_in_theirs, off_in, path_out,
		       fi_out_theirs, off_out, len, flags);
}

off_t
hl_fs_lseek(struct fuse_fs *fs, const char *path, off_t off, int whence,
	    struct fuse_file_info *fi)
{
	FS_INFO(fs, fi);

	return FS_CALL(fs, lseek, path, path, off, whence, fi_theirs);
}

int
hl_fs_statx(struct fuse_fs *fs, const char *path, int flags, int mask, struct statx *stx,
	    struct fuse_file_info *fi)
{
	FS_INFO(fs, fi);

	return FS_CALL(fs, statx, path, path, flags, mask, stx, fi_theirs);
}
