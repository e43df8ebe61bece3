/* The high-level API of levels 11 to 25. For fuse.h only. */
#include <sys/statfs.h>

struct fuse_operations_compat25 {
	int (*getattr)(const char *path, struct stat *st);
	int (*readlink)(const char *path, char *buf, size_t size);
	int (*getdir)(const char *path, fuse_dirh_t h, fuse_dirfil_t filler);
	int (*mknod)(const char *path, mode_t mode, dev_t rdev);
	int (*mkdir)(const char *path, mode_t mode);
	int (*unlink)(const char *path);
	int (*rmdir)(const char *path);
	int (*symlink)(const char *target, const char *path);
	int (*rename)(const char *oldpath, const char *newpath);
	int (*link)(const char *oldpath, const char *newpath);
	int (*chmod)(const char *path, mode_t mode);
	int (*chown)(const char *path, uid_t uid, gid_t gid);
	int (*truncate)(const char *path, off_t size);
	int (*utime)(const char *path, struct utimbuf *times);
	int (*open)(const char *path, struct fuse_file_info *fi);
	int (*read)(const char *path, char *buf, size_t size, off_t off,
			struct fuse_file_info *fi);
	int (*write)(const char *path, const char *buf, size_t size, off_t off,
			struct fuse_file_info *fi);
	int (*statfs)(const char *path, struct statvfs *st);
	int (*flush)(const char *path, struct fuse_file_info *fi);
	int (*release)(const char *path, struct fuse_file_info *fi);
	int (*fsync)(const char *path, int datasync, struct fuse_file_info *fi);
	int (*setxattr)(const char *path, const char *name, const char *value, size_t size,
			int flags);
	int (*getxattr)(const char *path, const char *name, char *value, size_t size);
	int (*listxattr)(const char *path, char *list, size_t size);
	int (*removexattr)(const char *path, const char *name);
	int (*opendir)(const char *path, struct fuse_file_info *fi);
	int (*readdir)(const char *path, void *buf, fuse_fill_dir_t filler, off_t off,
			struct fuse_file_info *fi);
	int (*releasedir)(const char *path, struct fuse_file_info *fi);
	int (*fsyncdir)(const char *path, int datasync, struct fuse_file_info *fi);
	void *(*init)(void);
	void (*destroy)(void *private_data);
	int (*access)(const char *path, int mask);
	int (*create)(const char *path, mode_t mode, struct fuse_file_info *fi);
	int (*ftruncate)(const char *path, off_t size, struct fuse_file_info *fi);
	int (*fgetattr)(const char *path, struct stat *st, struct fuse_file_info *fi);
};

struct fuse *fuse_new_compat25(int fd, struct fuse_args *args,
			       const struct fuse_operations_compat25 *op, size_t op_size);
int fuse_main_real_compat25(int argc, char *argv[], const struct fuse_operations_compat25 *op,
			    size_t op_size);
struct fuse *fuse_setup_compat25(int argc, char *argv[],
				 const struct fuse_operations_compat25 *op, size_t op_size,
				 char **mountpoint, int *multithreaded, int *fd);
void fuse_teardown_compat22(struct fuse *fuse, int fd, char *mountpoint);

struct fuse_operations_compat22 {
	int (*getattr)(const char *path, struct stat *st);
	int (*readlink)(const char *path, char *buf, size_t size);
	int (*getdir)(const char *path, fuse_dirh_t h, fuse_dirfil_t filler);
	int (*mknod)(const char *path, mode_t mode, dev_t rdev);
	int (*mkdir)(const char *path, mode_t mode);
	int (*unlink)(const char *path);
	int (*rmdir)(const char *path);
	int (*symlink)(const char *target, const char *path);
	int (*rename)(const char *oldpath, const char *newpath);
	int (*link)(const char *oldpath, const char *newpath);
	int (*chmod)(const char *path, mode_t mode);
	int (*chown)(const char *path, uid_t uid, gid_t gid);
	int (*truncate)(const char *path, off_t size);
	int (*utime)(const char *path, struct utimbuf *times);
	int (*open)(const char *path, struct fuse_file_info_compat *fi);
	int (*read)(const char *path, char *buf, size_t size, off_t off,
			struct fuse_file_info_compat *fi);
	int (*write)(const char *path, const char *buf, size_t size, off_t off,
			struct fuse_file_info_compat *fi);
	int (*statfs)(const char *path, struct statfs *st);
	int (*flush)(const char *path, struct fuse_file_info_compat *fi);
	int (*release)(const char *path, struct fuse_file_info_compat *fi);
	int (*fsync)(const char *path, int datasync, struct fuse_file_info_compat *fi);
	int (*setxattr)(const char *path, const char *name, const char *value, size_t size,
			int flags);
	int (*getxattr)(const char *path, const char *name, char *value, size_t size);
	int (*listxattr)(const char *path, char *list, size_t size);
	int (*removexattr)(const char *path, const char *name);
	int (*opendir)(const char *path, struct fuse_file_info_compat *fi);
	int (*readdir)(const char *path, void *buf, fuse_fill_dir_t filler, off_t off,
			struct fuse_file_info_compat *fi);
	int (*releasedir)(const char *path, struct fuse_file_info_compat *fi);
	int (*fsyncdir)(const char *path, int datasync, struct fuse_file_info_compat *fi);
	void *(*init)(void);
	void (*destroy)(void *private_data);
};

struct fuse *fuse_new_compat22(int fd, const char *opts,
			       const struct fuse_operations_compat22 *op, size_t op_size);
struct fuse *fuse_setup_compat22(int argc, char *argv[],
				 const struct fuse_operations_compat22 *op, size_t op_size,
				 char **mountpoint, int *multithreaded, int *fd);
int fuse_main_real_compat22(int argc, char *argv[], const struct fuse_operations_compat22 *op,
			    size_t op_size);

typedef int (*fuse_dirfil_t_compat)(fuse_dirh_t h, const char *name, int type);

struct fuse_operations_compat2 {
	int (*getattr)(const char *path, struct stat *st);
	int (*readlink)(const char *path, char *buf, size_t size);
	int (*getdir)(const char *path, fuse_dirh_t h, fuse_dirfil_t_compat filler);
	int (*mknod)(const char *path, mode_t mode, dev_t rdev);
	int (*mkdir)(const char *path, mode_t mode);
	int (*unlink)(const char *path);
	int (*rmdir)(const char *path);
	int (*symlink)(const char *target, const char *path);
	int (*rename)(const char *oldpath, const char *newpath);
	int (*link)(const char *oldpath, const char *newpath);
	int (*chmod)(const char *path, mode_t mode);
	int (*chown)(const char *path, uid_t uid, gid_t gid);
	int (*truncate)(const char *path, off_t size);
	int (*utime)(const char *path, struct utimbuf *times);
	int (*open)(const char *path, int flags);
	int (*read)(const char *path, char *buf, size_t size, off_t off);
	int (*write)(const char *path, const char *buf, size_t size, off_t off);
	int (*statfs)(const char *path, struct statfs *st);
	int (*flush)(const char *path);
	int (*release)(const char *path, int flags);
	int (*fsync)(const char *path, int datasync);
	int (*setxattr)(const char *path, const char *name, const char *value, size_t size,
			int flags);
	int (*getxattr)(const char *path, const char *name, char *value, size_t size);
	int (*listxattr)(const char *path, char *list, size_t size);
	int (*removexattr)(const char *path, const char *name);
};

int fuse_main_compat2(int argc, char *argv[], const struct fuse_operations_compat2 *op);
struct fuse *fuse_new_compat2(int fd, const char *opts, const struct fuse_operations_compat2 *op);
struct fuse *fuse_setup_compat2(int argc, char *argv[], const struct fuse_operations_compat2 *op,
				char **mountpoint, int *multithreaded, int *fd);

struct fuse_statfs_compat1 {
	long block_size;
	long blocks;
	long blocks_free;
	long files;
	long files_free;
	long namelen;
};

struct fuse_operations_compat1 {
	int (*getattr)(const char *path, struct stat *st);
	int (*readlink)(const char *path, char *buf, size_t size);
	int (*getdir)(const char *path, fuse_dirh_t h, fuse_dirfil_t_compat filler);
	int (*mknod)(const char *path, mode_t mode, dev_t rdev);
	int (*mkdir)(const char *path, mode_t mode);
	int (*unlink)(const char *path);
	int (*rmdir)(const char *path);
	int (*symlink)(const char *target, const char *path);
	int (*rename)(const char *oldpath, const char *newpath);
	int (*link)(const char *oldpath, const char *newpath);
	int (*chmod)(const char *path, mode_t mode);
	int (*chown)(const char *path, uid_t uid, gid_t gid);
	int (*truncate)(const char *path, off_t size);
	int (*utime)(const char *path, struct utimbuf *times);
	int (*open)(const char *path, int flags);
	int (*read)(const char *path, char *buf, size_t size, off_t off);
	int (*write)(const char *path, const char *buf, size_t size, off_t off);
	int (*statfs)(struct fuse_statfs_compat1 *st);
	int (*release)(const char *path, int flags);
	int (*fsync)(const char *path, int datasync);
};

#define FUSE_DEBUG_COMPAT1 (1 << 1)

struct fuse *fuse_new_compat1(int fd, int flags, const struct fuse_operations_compat1 *op);
void fuse_main_compat1(int argc, char *argv[], const struct fuse_operations_compat1 *op);
