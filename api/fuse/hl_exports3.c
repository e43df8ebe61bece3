/*
 * The high-level API under the names of libfuse 3; linked into libfuse3.so.* only. Programs that
 * do not tell their version, and modules, have the layout of the library (layout.h).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/fuse/context.h"
#include "api/fuse/highlevel.h"
#include "api/fuse/loop_cfg.h"
#include "api/fuse/version.h"

/* ------------------------------------------------------------ file systems */

int
fuse_main_real_versioned(int argc, char *argv[], const struct fuse_operations *op,
			 size_t op_size, struct libfuse_version *version, void *user_data)
{
	return hl_main(fapi_layout_of_version(version), argc, argv, op, op_size, user_data);
}

int
fuse_main_real(int argc, char *argv[], const struct fuse_operations *op, size_t op_size,
	       void *private_data)
{
	return hl_main(fapi_layout_library(), argc, argv, op, op_size, private_data);
}

/* Level 30: fuse_new knows --help itself. */
static struct fuse *
new_30(const struct fapi_layout *layout, struct fuse_args *args,
       const struct fuse_operations *op, size_t op_size, void *user_data)
{
	for (int i = 1; i < args->argc; i++) {
		if (strcmp(args->argv[i], "-h") == 0 || strcmp(args->argv[i], "--help") == 0) {
			hl_help(args);
			return NULL;
		}
	}
	return hl_new(layout, args, op, op_size, user_data);
}

FAPI_EXPORT struct fuse *_fuse_new_30(struct fuse_args *args, const struct fuse_operations *op,
				      size_t op_size, struct libfuse_version *version,
				      void *user_data);
FAPI_EXPORT struct fuse *fuse_new_30(struct fuse_args *args, const struct fuse_operations *op,
				     size_t op_size, void *user_data);
FAPI_EXPORT struct fuse *fuse_new_31(struct fuse_args *args, const struct fuse_operations *op,
				     size_t op_size, void *user_data);
FAPI_EXPORT struct fuse *hl_new_v30(struct fuse_args *args, const struct fuse_operations *op,
				    size_t op_size, void *user_data);
FAPI_EXPORT struct fuse *hl_new_v31(struct fuse_args *args, const struct fuse_operations *op,
				    size_t op_size, void *user_data);

struct fuse *
_fuse_new_30(struct fuse_args *args, const struct fuse_operations *op, size_t op_size,
	     struct libfuse_version *version, void *user_data)
{
	return new_30(fapi_layout_of_version(version), args, op, op_size, user_data);
}

struct fuse *
_fuse_new_31(struct fuse_args *args, const struct fuse_operations *op, size_t op_size,
	     struct libfuse_version *version, void *user_data)
{
	return hl_new(fapi_layout_of_version(version), args, op, op_size, user_data);
}

struct fuse *
fuse_new_30(struct fuse_args *args, const struct fuse_operations *op, size_t op_size,
	    void *user_data)
{
	return new_30(fapi_layout_library(), args, op, op_size, user_data);
}

struct fuse *
fuse_new_31(struct fuse_args *args, const struct fuse_operations *op, size_t op_size,
	    void *user_data)
{
	return hl_new(fapi_layout_library(), args, op, op_size, user_data);
}

struct fuse *
hl_new_v30(struct fuse_args *args, const struct fuse_operations *op, size_t op_size,
	   void *user_data)
{
	return fuse_new_30(args, op, op_size, user_data);
}
FAPI_SYMVER(hl_new_v30, "fuse_new@FUSE_3.0");

struct fuse *
hl_new_v31(struct fuse_args *args, const struct fuse_operations *op, size_t op_size,
	   void *user_data)
{
	return fuse_new_31(args, op, op_size, user_data);
}
FAPI_SYMVER(hl_new_v31, "fuse_new@@FUSE_3.1");

void
fuse_lib_help(struct fuse_args *args)
{
	hl_help(args);
}

int
fuse_mount(struct fuse *f, const char *mountpoint)
{
	return fuse_session_mount(f->se, mountpoint);
}

void
fuse_unmount(struct fuse *f)
{
	fuse_session_unmount(f->se);
}

void
fuse_destroy(struct fuse *f)
{
	hl_destroy(f);
}

struct fuse_session *
fuse_get_session(struct fuse *f)
{
	return f->se;
}

void
fuse_exit(struct fuse *f)
{
	fuse_session_exit(f->se);
}

/* ------------------------------------------------------------------- loops */

int
fuse_loop(struct fuse *f)
{
	return hl_loop(f);
}

FAPI_EXPORT int fuse_loop_mt_31(struct fuse *f, int clone_fd);
FAPI_EXPORT int fuse_loop_mt_32(struct fuse *f, struct fuse_loop_config_v1 *config);
FAPI_EXPORT int hl_loop_mt_v30(struct fuse *f, int clone_fd);
FAPI_EXPORT int hl_loop_mt_v32(struct fuse *f, struct fuse_loop_config_v1 *config);
FAPI_EXPORT int hl_loop_mt_v312(struct fuse *f, struct fuse_loop_config *config);

int
fuse_loop_mt_312(struct fuse *f, struct fuse_loop_config *config)
{
	return hl_loop_mt(f, config);
}

int
fuse_loop_mt_32(struct fuse *f, struct fuse_loop_config_v1 *v1)
{
	struct fuse_loop_config config = fapi_loop_cfg_of_v1(v1);

	return hl_loop_mt(f, &config);
}

int
fuse_loop_mt_31(struct fuse *f, int clone_fd)
{
	struct fuse_loop_config config = fapi_loop_cfg_default();

	config.clone_fd = clone_fd > 0;
	return hl_loop_mt(f, &config);
}

int
hl_loop_mt_v30(struct fuse *f, int clone_fd)
{
	return fuse_loop_mt_31(f, clone_fd);
}
FAPI_SYMVER(hl_loop_mt_v30, "fuse_loop_mt@FUSE_3.0");

int
hl_loop_mt_v32(struct fuse *f, struct fuse_loop_config_v1 *config)
{
	return fuse_loop_mt_32(f, config);
}
FAPI_SYMVER(hl_loop_mt_v32, "fuse_loop_mt@FUSE_3.2");

int
hl_loop_mt_v312(struct fuse *f, struct fuse_loop_config *config)
{
	return hl_loop_mt(f, config);
}
FAPI_SYMVER(hl_loop_mt_v312, "fuse_loop_mt@@FUSE_3.12");

/* ------------------------------------------------------- the running request */

struct fuse_context *
fuse_get_context(void)
{
	return hl_get_context();
}

int
fuse_getgroups(int size, gid_t list[])
{
	return hl_getgroups(size, list);
}

int
fuse_interrupted(void)
{
	return hl_interrupted();
}

int
fuse_invalidate_path(struct fuse *f, const char *path)
{
	return hl_invalidate_path(f, path);
}

int
fuse_notify_poll(struct fuse_pollhandle *ph)
{
	return fuse_lowlevel_notify_poll(ph);
}

int
fuse_start_cleanup_thread(struct fuse *f)
{
	return hl_cleanup_start(f);
}

void
fuse_stop_cleanup_thread(struct fuse *f)
{
	hl_cleanup_stop(f);
}

int
fuse_clean_cache(struct fuse *f)
{
	return nodes_clean(&f->nodes);
}

/* ------------------------------------------------------------------ layers */

/* fi_ours: fi, which is in the library's layout, in ours. */
#define OURS(fi)                                                                         \
	struct fuse_file_info fi##_store, *fi##_ours = (struct fuse_file_info *)         \
		fapi_file_info_read(fapi_layout_library(), &fi##_store, fi)

/* What the layer below answered in fi. */
static void
give_back(struct fuse_file_info *theirs, const struct fuse_file_info *ours)
{
	if (theirs && theirs != ours)
		fapi_layout_library()->file_info_to(theirs, ours);
}

struct fuse_fs *
fuse_fs_new(const struct fuse_operations *op, size_t op_size, void *private_data)
{
	return hl_fs_new(fapi_layout_library(), op, op_size, private_data);
}

void
fuse_fs_init(struct fuse_fs *fs, struct fuse_conn_info *conn, struct fuse_config *cfg)
{
	const struct fapi_layout *layout = fapi_layout_library();
	struct fuse_conn_info our_conn;
	struct fuse_config our_cfg;

	if (fapi_layout_is_ours(layout)) {
		hl_fs_init(fs, conn, cfg);
		return;
	}
	layout->conn_from(&our_conn, conn);
	memset(&our_cfg, 0, sizeof(our_cfg));
	layout->config_from(&our_cfg, cfg);
	hl_fs_init(fs, &our_conn, &our_cfg);
	layout->conn_to(conn, &our_conn);
	layout->config_to(cfg, &our_cfg);
}

void
fuse_fs_destroy(struct fuse_fs *fs)
{
	hl_fs_destroy(fs);
}

int
fuse_fs_getattr(struct fuse_fs *fs, const char *path, struct stat *st,
		struct fuse_file_info *fi)
{
	OURS(fi);

	return hl_fs_getattr(fs, path, st, fi_ours);
}

int
fuse_fs_rename(struct fuse_fs *fs, const char *from, const char *to, unsigned int flags)
{
	return hl_fs_rename(fs, from, to, flags);
}

int
fuse_fs_unlink(struct fuse_fs *fs, const char *path)
{
	return hl_fs_unlink(fs, path);
}

int
fuse_fs_rmdir(struct fuse_fs *fs, const char *path)
{
	return hl_fs_rmdir(fs, path);
}

int
fuse_fs_symlink(struct fuse_fs *fs, const char *target, const char *path)
{
	return hl_fs_symlink(fs, target, path);
}

int
fuse_fs_link(struct fuse_fs *fs, const char *from, const char *to)
{
	return hl_fs_link(fs, from, to);
}

int
fuse_fs_release(struct fuse_fs *fs, const char *path, struct fuse_file_info *fi)
{
	OURS(fi);

	return hl_fs_release(fs, path, fi_ours);
}

int
fuse_fs_open(struct fuse_fs *fs, const char *path, struct fuse_file_info *fi)
{
	OURS(fi);
	int res = hl_fs_open(fs, path, fi_ours);

	give_back(fi, fi_ours);
	return res;
}

int
fuse_fs_read(struct fuse_fs *fs, const char *path, char *buf, size_t size, off_t off,
	     struct fuse_file_info *fi)
{
	OURS(fi);

	return hl_fs_read(fs, path, buf, size, off, fi_ours);
}

int
fuse_fs_read_buf(struct fuse_fs *fs, const char *path, struct fuse_bufvec **ret_buf,
		 size_t size, off_t off, struct fuse_file_info *fi)
{
	const struct fapi_layout *layout = fapi_layout_library();
	CLEANUP(free_ptr) struct fuse_bufvec *ours = NULL;
	OURS(fi);
	int res = hl_fs_read_buf(fs, path, &ours, size, off, fi_ours);

	if (res < 0)
		return res;
	*ret_buf = fapi_layout_is_ours(layout)
			   ? take(&ours)
			   : fapi_bufvec_convert(layout, fapi_layout_newest(), ours);
	return *ret_buf ? res : -ENOMEM;
}

int
fuse_fs_write(struct fuse_fs *fs, const char *path, const char *buf, size_t size, off_t off,
	      struct fuse_file_info *fi)
{
	OURS(fi);

	return hl_fs_write(fs, path, buf, size, off, fi_ours);
}

int
fuse_fs_write_buf(struct fuse_fs *fs, const char *path, struct fuse_bufvec *buf, off_t off,
		  struct fuse_file_info *fi)
{
	const struct fapi_layout *layout = fapi_layout_library();
	CLEANUP(free_ptr) struct fuse_bufvec *ours = NULL;
	OURS(fi);

	if (fapi_layout_is_ours(layout))
		return hl_fs_write_buf(fs, path, buf, off, fi_ours);
	ours = fapi_bufvec_convert(fapi_layout_newest(), layout, buf);
	return ours ? hl_fs_write_buf(fs, path, ours, off, fi_ours) : -ENOMEM;
}

int
fuse_fs_fsync(struct fuse_fs *fs, const char *path, int datasync, struct fuse_file_info *fi)
{
	OURS(fi);

	return hl_fs_fsync(fs, path, datasync, fi_ours);
}

int
fuse_fs_flush(struct fuse_fs *fs, const char *path, struct fuse_file_info *fi)
{
	OURS(fi);

	return hl_fs_flush(fs, path, fi_ours);
}

int
fuse_fs_statfs(struct fuse_fs *fs, const char *path, struct statvfs *buf)
{
	return hl_fs_statfs(fs, path, buf);
}

int
fuse_fs_opendir(struct fuse_fs *fs, const char *path, struct fuse_file_info *fi)
{
	OURS(fi);
	int res = hl_fs_opendir(fs, path, fi_ours);

	give_back(fi, fi_ours);
	return res;
}

int
fuse_fs_readdir(struct fuse_fs *fs, const char *path, void *buf, fuse_fill_dir_t filler,
		off_t off, struct fuse_file_info *fi, enum fuse_readdir_flags flags)
{
	OURS(fi);

	return hl_fs_readdir(fs, path, buf, filler, off, fi_ours, flags);
}

int
fuse_fs_fsyncdir(struct fuse_fs *fs, const char *path, int datasync,
		 struct fuse_file_info *fi)
{
	OURS(fi);

	return hl_fs_fsyncdir(fs, path, datasync, fi_ours);
}

int
fuse_fs_releasedir(struct fuse_fs *fs, const char *path, struct fuse_file_info *fi)
{
	OURS(fi);

	return hl_fs_releasedir(fs, path, fi_ours);
}

int
fuse_fs_create(struct fuse_fs *fs, const char *path, mode_t mode, struct fuse_file_info *fi)
{
	OURS(fi);
	int res = hl_fs_create(fs, path, mode, fi_ours);

	give_back(fi, fi_ours);
	return res;
}

int
fuse_fs_lock(struct fuse_fs *fs, const char *path, struct fuse_file_info *fi, int cmd,
	     struct flock *lock)
{
	OURS(fi);

	return hl_fs_lock(fs, path, fi_ours, cmd, lock);
}

int
fuse_fs_flock(struct fuse_fs *fs, const char *path, struct fuse_file_info *fi, int op)
{
	OURS(fi);

	return hl_fs_flock(fs, path, fi_ours, op);
}

int
fuse_fs_chmod(struct fuse_fs *fs, const char *path, mode_t mode, struct fuse_file_info *fi)
{
	OURS(fi);

	return hl_fs_chmod(fs, path, mode, fi_ours);
}

int
fuse_fs_chown(struct fuse_fs *fs, const char *path, uid_t uid, gid_t gid,
	      struct fuse_file_info *fi)
{
	OURS(fi);

	return hl_fs_chown(fs, path, uid, gid, fi_ours);
}

int
fuse_fs_truncate(struct fuse_fs *fs, const char *path, off_t size, struct fuse_file_info *fi)
{
	OURS(fi);

	return hl_fs_truncate(fs, path, size, fi_ours);
}

int
fuse_fs_utimens(struct fuse_fs *fs, const char *path, const struct timespec *tv,
		struct fuse_file_info *fi)
{
	OURS(fi);

	return hl_fs_utimens(fs, path, tv, fi_ours);
}

int
fuse_fs_access(struct fuse_fs *fs, const char *path, int mask)
{
	return hl_fs_access(fs, path, mask);
}

int
fuse_fs_readlink(struct fuse_fs *fs, const char *path, char *buf, size_t size)
{
	return hl_fs_readlink(fs, path, buf, size);
}

int
fuse_fs_mknod(struct fuse_fs *fs, const char *path, mode_t mode, dev_t rdev)
{
	return hl_fs_mknod(fs, path, mode, rdev);
}

int
fuse_fs_mkdir(struct fuse_fs *fs, const char *path, mode_t mode)
{
	return hl_fs_mkdir(fs, path, mode);
}

int
fuse_fs_setxattr(struct fuse_fs *fs, const char *path, const char *name, const char *value,
		 size_t size, int flags)
{
	return hl_fs_setxattr(fs, path, name, value, size, flags);
}

int
fuse_fs_getxattr(struct fuse_fs *fs, const char *path, const char *name, char *value,
		 size_t size)
{
	return hl_fs_getxattr(fs, path, name, value, size);
}

int
fuse_fs_listxattr(struct fuse_fs *fs, const char *path, char *list, size_t size)
{
	return hl_fs_listxattr(fs, path, list, size);
}

int
fuse_fs_removexattr(struct fuse_fs *fs, const char *path, const char *name)
{
	return hl_fs_removexattr(fs, path, name);
}

int
fuse_fs_bmap(struct fuse_fs *fs, const char *path, size_t block_size, uint64_t *idx)
{
	return hl_fs_bmap(fs, path, block_size, idx);
}

int
fuse_fs_ioctl(struct fuse_fs *fs, const char *path, unsigned int cmd, void *arg,
	      struct fuse_file_info *fi, unsigned int flags, void *data)
{
	OURS(fi);

	return hl_fs_ioctl(fs, path, cmd, arg, fi_ours, flags, data);
}

int
fuse_fs_poll(struct fuse_fs *fs, const char *path, struct fuse_file_info *fi,
	     struct fuse_pollhandle *ph, unsigned *revents)
{
	OURS(fi);

	return hl_fs_poll(fs, path, fi_ours, ph, revents);
}

int
fuse_fs_fallocate(struct fuse_fs *fs, const char *path, int mode, off_t off, off_t len,
		  struct fuse_file_info *fi)
{
	OURS(fi);

	return hl_fs_fallocate(fs, path, mode, off, len, fi_ours);
}

ssize_t
fuse_fs_copy_file_range(struct fuse_fs *fs, const char *path_in, struct fuse_file_info *fi_in,
			off_t off_in, const char *path_out, struct fuse_file_info *fi_out,
			off_t off_out, size_t len, int flags)
{
	OURS(fi_in);
	OURS(fi_out);

	return hl_fs_copy_file_range(fs, path_in, fi_in_ours, off_in, path_out, fi_out_ours,
			off_out, len, flags);
}

off_t
fuse_fs_lseek(struct fuse_fs *fs, const char *path, off_t off, int whence,
	      struct fuse_file_info *fi)
{
	OURS(fi);

	return hl_fs_lseek(fs, path, off, whence, fi_ours);
}

int
fuse_fs_statx(struct fuse_fs *fs, const char *path, int flags, int mask, struct statx *stx,
	      struct fuse_file_info *fi)
{
	OURS(fi);

	return hl_fs_statx(fs, path, flags, mask, stx, fi_ours);
}
