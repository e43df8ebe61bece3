/*
 * A layer of a file system: the program's own operations, or a module on top of another layer.
 * hl_fs_NAME calls operation NAME of a layer, with private_data of the context set to the layer's;
 * an operation that the layer lacks gives -ENOSYS, or 0 where that means "nothing to do" (open,
 * opendir, release, releasedir, statfs). These are what the library exports as fuse_fs_NAME.
 *
 * Arguments here are in our layout. A layer has its own, see layout.h; conversion is here.
 */
#ifndef USERDRIVE_API_FUSE_HL_FS_H
#define USERDRIVE_API_FUSE_HL_FS_H

#include "api/fuse/hl_api.h"
#include "api/fuse/layout.h"

struct hl_module;

struct fuse_fs {
	struct fuse_operations op; /* what the program passed, zeros behind it */
	const struct fapi_layout *layout;
	void *user_data;
	struct hl_module *module;  /* made this layer; NULL: the program itself */
	const void *adapted;       /* a layer in another interface's clothes: its operations */
	bool debug;
	struct fuse_fs *next_owned; /* layers that one struct fuse frees */
};

/* Never reads past op_size; a larger one than ours is of a newer interface: the rest is unused.
 * NULL without memory. Within hl_new the layer belongs to that file system, else to the caller. */
struct fuse_fs *hl_fs_new(const struct fapi_layout *layout, const struct fuse_operations *op,
			  size_t op_size, void *user_data);
/* From here on new layers of this thread are entered in *owned; NULL ends that. */
void hl_fs_collect(struct fuse_fs **owned);
void hl_fs_free_all(struct fuse_fs *owned);

void hl_fs_init(struct fuse_fs *fs, struct fuse_conn_info *conn, struct fuse_config *cfg);
/* Calls destroy of the layer. */
void hl_fs_destroy(struct fuse_fs *fs);

int hl_fs_getattr(struct fuse_fs *fs, const char *path, struct stat *st,
		  struct fuse_file_info *fi);
int hl_fs_rename(struct fuse_fs *fs, const char *from, const char *to, unsigned int flags);
int hl_fs_unlink(struct fuse_fs *fs, const char *path);
int hl_fs_rmdir(struct fuse_fs *fs, const char *path);
int hl_fs_symlink(struct fuse_fs *fs, const char *target, const char *path);
int hl_fs_link(struct fuse_fs *fs, const char *from, const char *to);
int hl_fs_release(struct fuse_fs *fs, const char *path, struct fuse_file_info *fi);
int hl_fs_open(struct fuse_fs *fs, const char *path, struct fuse_file_info *fi);
int hl_fs_read(struct fuse_fs *fs, const char *path, char *buf, size_t size, off_t off,
	       struct fuse_file_info *fi);
/* *ret_buf is the caller's, to be freed with hl_buf_free. */
int hl_fs_read_buf(struct fuse_fs *fs, const char *path, struct fuse_bufvec **ret_buf,
		   size_t size, off_t off, struct fuse_file_info *fi);
int hl_fs_write(struct fuse_fs *fs, const char *path, const char *buf, size_t size, off_t off,
		struct fuse_file_info *fi);
int hl_fs_write_buf(struct fuse_fs *fs, const char *path, struct fuse_bufvec *buf, off_t off,
		    struct fuse_file_info *fi);
int hl_fs_fsync(struct fuse_fs *fs, const char *path, int datasync, struct fuse_file_info *fi);
int hl_fs_flush(struct fuse_fs *fs, const char *path, struct fuse_file_info *fi);
int hl_fs_statfs(struct fuse_fs *fs, const char *path, struct statvfs *buf);
int hl_fs_opendir(struct fuse_fs *fs, const char *path, struct fuse_file_info *fi);
int hl_fs_readdir(struct fuse_fs *fs, const char *path, void *buf, fuse_fill_dir_t filler,
		  off_t off, struct fuse_file_info *fi, enum fuse_readdir_flags flags);
int hl_fs_fsyncdir(struct fuse_fs *fs, const char *path, int datasync,
		   struct fuse_file_info *fi);
int hl_fs_releasedir(struct fuse_fs *fs, const char *path, struct fuse_file_info *fi);
int hl_fs_create(struct fuse_fs *fs, const char *path, mode_t mode, struct fuse_file_info *fi);
int hl_fs_lock(struct fuse_fs *fs, const char *path, struct fuse_file_info *fi, int cmd,
	       struct flock *lock);
int hl_fs_flock(struct fuse_fs *fs, const char *path, struct fuse_file_info *fi, int op);
int hl_fs_chmod(struct fuse_fs *fs, const char *path, mode_t mode, struct fuse_file_info *fi);
int hl_fs_chown(struct fuse_fs *fs, const char *path, uid_t uid, gid_t gid,
		struct fuse_file_info *fi);
int hl_fs_truncate(struct fuse_fs *fs, const char *path, off_t size,
		   struct fuse_file_info *fi);
int hl_fs_utimens(struct fuse_fs *fs, const char *path, const struct timespec *tv,
		  struct fuse_file_info *fi);
int hl_fs_access(struct fuse_fs *fs, const char *path, int mask);
int hl_fs_readlink(struct fuse_fs *fs, const char *path, char *buf, size_t size);
int hl_fs_mknod(struct fuse_fs *fs, const char *path, mode_t mode, dev_t rdev);
int hl_fs_mkdir(struct fuse_fs *fs, const char *path, mode_t mode);
int hl_fs_setxattr(struct fuse_fs *fs, const char *path, const char *name, const char *value,
		   size_t size, int flags);
int hl_fs_getxattr(struct fuse_fs *fs, const char *path, const char *name, char *value,
		   size_t size);
int hl_fs_listxattr(struct fuse_fs *fs, const char *path, char *list, size_t size);
int hl_fs_removexattr(struct fuse_fs *fs, const char *path, const char *name);
int hl_fs_bmap(struct fuse_fs *fs, const char *path, size_t block_size, uint64_t *idx);
int hl_fs_ioctl(struct fuse_fs *fs, const char *path, unsigned int cmd, void *arg,
		struct fuse_file_info *fi, unsigned int flags, void *data);
/* Takes ph: the layer destroys it; without the operation it is destroyed here. */
int hl_fs_poll(struct fuse_fs *fs, const char *path, struct fuse_file_info *fi,
	       struct fuse_pollhandle *ph, unsigned *revents);
int hl_fs_fallocate(struct fuse_fs *fs, const char *path, int mode, off_t off, off_t len,
		    struct fuse_file_info *fi);
ssize_t hl_fs_copy_file_range(struct fuse_fs *fs, const char *path_in,
			      struct fuse_file_info *fi_in, off_t off_in, const char *path_out,
			      struct fuse_file_info *fi_out, off_t off_out, size_t len,
			      int flags);
off_t hl_fs_lseek(struct fuse_fs *fs, const char *path, off_t off, int whence,
		  struct fuse_file_info *fi);
int hl_fs_statx(struct fuse_fs *fs, const char *path, int flags, int mask, struct statx *stx,
		struct fuse_file_info *fi);
#endif
