/*
 * fuse.h: the high-level API of libfuse 2.
 *
 * Define FUSE_USE_VERSION first: 26 for most sources, 29 for all of it. Operations return 0 (or a
 * count of bytes) or -errno; see fuse3/fuse.h for what each does, which has not changed.
 */
#ifndef _FUSE_H_
#define _FUSE_H_

#ifndef FUSE_USE_VERSION
#define FUSE_USE_VERSION 21
#endif

#include "fuse_common.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <utime.h>

#ifdef __cplusplus
extern "C" {
#endif

struct fuse;
struct fuse_cmd;
struct timespec; /* strict C99 does not have it */

/* Adds a name to a listing; stbuf may be NULL; off 0: all entries in one go. 1: full. */
typedef int (*fuse_fill_dir_t)(void *buf, const char *name, const struct stat *stbuf, off_t off);

typedef struct fuse_dirhandle *fuse_dirh_t;
typedef int (*fuse_dirfil_t)(fuse_dirh_t h, const char *name, int type, ino_t ino);

struct fuse_operations {
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
	void *(*init)(struct fuse_conn_info *conn);
	void (*destroy)(void *private_data);
	int (*access)(const char *path, int mask);
	int (*create)(const char *path, mode_t mode, struct fuse_file_info *fi);
	int (*ftruncate)(const char *path, off_t size, struct fuse_file_info *fi);
	int (*fgetattr)(const char *path, struct stat *st, struct fuse_file_info *fi);
	int (*lock)(const char *path, struct fuse_file_info *fi, int cmd, struct flock *lock);
	int (*utimens)(const char *path, const struct timespec *tv);
	int (*bmap)(const char *path, size_t blocksize, uint64_t *idx);
	unsigned int flag_nullpath_ok : 1;   /* operations with an open file may get a NULL path */
	unsigned int flag_nopath : 1;        /* they need none at all */
	unsigned int flag_utime_omit_ok : 1; /* utimens knows UTIME_NOW and UTIME_OMIT */
	unsigned int flag_reserved : 29;
	int (*ioctl)(const char *path, int cmd, void *arg,
			struct fuse_file_info *fi, unsigned int flags, void *data);
	int (*poll)(const char *path,
			struct fuse_file_info *fi, struct fuse_pollhandle *ph, unsigned *reventsp);
	int (*write_buf)(const char *path, struct fuse_bufvec *buf, off_t off,
			struct fuse_file_info *fi);
	int (*read_buf)(const char *path, struct fuse_bufvec **bufp, size_t size, off_t off,
			struct fuse_file_info *fi);
	int (*flock)(const char *path, struct fuse_file_info *fi, int op);
	int (*fallocate)(const char *path, int mode, off_t off, off_t len,
			struct fuse_file_info *fi);
};

/* Who asks; of fuse_get_context, in an operation. */
struct fuse_context {
	struct fuse *fuse;
	uid_t uid;
	gid_t gid;
	pid_t pid;
	void *private_data;
	mode_t umask; /* since 2.8 */
};

/* Command line, mount, signals, loop, unmount. 0, or another exit code. */
#define fuse_main(argc, argv, op, user_data) \
	fuse_main_real(argc, argv, op, sizeof(*(op)), user_data)
int fuse_main_real(int argc, char *argv[], const struct fuse_operations *op, size_t op_size,
		   void *user_data);

/* args: options, all known. op is copied up to op_size. NULL after a message. */
struct fuse *fuse_new(struct fuse_chan *ch, struct fuse_args *args,
		      const struct fuse_operations *op, size_t op_size, void *user_data);
void fuse_destroy(struct fuse *f);
/* 0 after an unmount or fuse_exit, -1 after an error. */
int fuse_loop(struct fuse *f);
int fuse_loop_mt(struct fuse *f);
void fuse_exit(struct fuse *f);
int fuse_exited(struct fuse *f);

struct fuse_context *fuse_get_context(void);
int fuse_getgroups(int size, gid_t list[]);
int fuse_interrupted(void);
/* Always -EINVAL: it has been without effect for long. */
int fuse_invalidate(struct fuse *f, const char *path);
int fuse_is_lib_option(const char *opt);
int fuse_start_cleanup_thread(struct fuse *fuse);
void fuse_stop_cleanup_thread(struct fuse *fuse);
int fuse_clean_cache(struct fuse *fuse);
int fuse_notify_poll(struct fuse_pollhandle *ph);
struct fuse_session *fuse_get_session(struct fuse *f);

/* The parts of fuse_main. */
struct fuse *fuse_setup(int argc, char *argv[], const struct fuse_operations *op, size_t op_size,
			char **mountpoint, int *multithreaded, void *user_data);
void fuse_teardown(struct fuse *fuse, char *mountpoint);

/* A loop of the program's own. */
typedef void (*fuse_processor_t)(struct fuse *f, struct fuse_cmd *cmd, void *data);
struct fuse_cmd *fuse_read_cmd(struct fuse *f);
void fuse_process_cmd(struct fuse *f, struct fuse_cmd *cmd);
int fuse_loop_mt_proc(struct fuse *f, fuse_processor_t proc, void *data);
void fuse_set_getcontext_func(struct fuse_context *(*func)(void));

/* ------------------------------------------------------------------ layers */

struct fuse_fs;

int fuse_fs_getattr(struct fuse_fs *fs, const char *path, struct stat *buf);
int fuse_fs_fgetattr(struct fuse_fs *fs, const char *path, struct stat *buf,
		     struct fuse_file_info *fi);
int fuse_fs_rename(struct fuse_fs *fs, const char *oldpath, const char *newpath);
int fuse_fs_unlink(struct fuse_fs *fs, const char *path);
int fuse_fs_rmdir(struct fuse_fs *fs, const char *path);
int fuse_fs_symlink(struct fuse_fs *fs, const char *linkname, const char *path);
int fuse_fs_link(struct fuse_fs *fs, const char *oldpath, const char *newpath);
int fuse_fs_release(struct fuse_fs *fs, const char *path, struct fuse_file_info *fi);
int fuse_fs_open(struct fuse_fs *fs, const char *path, struct fuse_file_info *fi);
int fuse_fs_read(struct fuse_fs *fs, const char *path, char *buf, size_t size, off_t off,
		 struct fuse_file_info *fi);
int fuse_fs_read_buf(struct fuse_fs *fs, const char *path, struct fuse_bufvec **bufp,
		     size_t size, off_t off, struct fuse_file_info *fi);
int fuse_fs_write(struct fuse_fs *fs, const char *path, const char *buf, size_t size,
		  off_t off, struct fuse_file_info *fi);
int fuse_fs_write_buf(struct fuse_fs *fs, const char *path, struct fuse_bufvec *buf, off_t off,
		      struct fuse_file_info *fi);
int fuse_fs_fsync(struct fuse_fs *fs, const char *path, int datasync, struct fuse_file_info *fi);
int fuse_fs_flush(struct fuse_fs *fs, const char *path, struct fuse_file_info *fi);
int fuse_fs_statfs(struct fuse_fs *fs, const char *path, struct statvfs *buf);
int fuse_fs_opendir(struct fuse_fs *fs, const char *path, struct fuse_file_info *fi);
int fuse_fs_readdir(struct fuse_fs *fs, const char *path, void *buf, fuse_fill_dir_t filler,
		    off_t off, struct fuse_file_info *fi);
int fuse_fs_fsyncdir(struct fuse_fs *fs, const char *path, int datasync,
		     struct fuse_file_info *fi);
int fuse_fs_releasedir(struct fuse_fs *fs, const char *path, struct fuse_file_info *fi);
int fuse_fs_create(struct fuse_fs *fs, const char *path, mode_t mode, struct fuse_file_info *fi);
int fuse_fs_lock(struct fuse_fs *fs, const char *path, struct fuse_file_info *fi, int cmd,
		 struct flock *lock);
int fuse_fs_flock(struct fuse_fs *fs, const char *path, struct fuse_file_info *fi, int op);
int fuse_fs_chmod(struct fuse_fs *fs, const char *path, mode_t mode);
int fuse_fs_chown(struct fuse_fs *fs, const char *path, uid_t uid, gid_t gid);
int fuse_fs_truncate(struct fuse_fs *fs, const char *path, off_t size);
int fuse_fs_ftruncate(struct fuse_fs *fs, const char *path, off_t size,
		      struct fuse_file_info *fi);
int fuse_fs_utimens(struct fuse_fs *fs, const char *path, const struct timespec *tv);
int fuse_fs_access(struct fuse_fs *fs, const char *path, int mask);
int fuse_fs_readlink(struct fuse_fs *fs, const char *path, char *buf, size_t len);
int fuse_fs_mknod(struct fuse_fs *fs, const char *path, mode_t mode, dev_t rdev);
int fuse_fs_mkdir(struct fuse_fs *fs, const char *path, mode_t mode);
int fuse_fs_setxattr(struct fuse_fs *fs, const char *path, const char *name, const char *value,
		     size_t size, int flags);
int fuse_fs_getxattr(struct fuse_fs *fs, const char *path, const char *name, char *value,
		     size_t size);
int fuse_fs_listxattr(struct fuse_fs *fs, const char *path, char *list, size_t size);
int fuse_fs_removexattr(struct fuse_fs *fs, const char *path, const char *name);
int fuse_fs_bmap(struct fuse_fs *fs, const char *path, size_t blocksize, uint64_t *idx);
int fuse_fs_ioctl(struct fuse_fs *fs, const char *path, int cmd, void *arg,
		  struct fuse_file_info *fi, unsigned int flags, void *data);
int fuse_fs_poll(struct fuse_fs *fs, const char *path, struct fuse_file_info *fi,
		 struct fuse_pollhandle *ph, unsigned *reventsp);
int fuse_fs_fallocate(struct fuse_fs *fs, const char *path, int mode, off_t offset,
		      off_t length, struct fuse_file_info *fi);
void fuse_fs_init(struct fuse_fs *fs, struct fuse_conn_info *conn);
void fuse_fs_destroy(struct fuse_fs *fs);
struct fuse_fs *fuse_fs_new(const struct fuse_operations *op, size_t op_size, void *user_data);

struct fusemod_so;
struct fuse_module {
	const char *name;
	struct fuse_fs *(*factory)(struct fuse_args *args, struct fuse_fs *fs[]);
	/* the library's own */
	struct fuse_module *next;
	struct fusemod_so *so;
	int ctr;
};
void fuse_register_module(struct fuse_module *mod);
/* Registers a module when its shared library is loaded. */
#define FUSE_REGISTER_MODULE(name_, factory_) \
	static __attribute__((constructor)) void name_##_register(void) \
	{ \
		static struct fuse_module mod = { #name_, factory_, NULL, NULL, 0 }; \
		fuse_register_module(&mod); \
	}

/* Older levels: the calls keep their names, the library has one for each. */
#if FUSE_USE_VERSION < 26
#include "fuse_compat.h"
#undef fuse_main
#if FUSE_USE_VERSION == 25
#define fuse_main(argc, argv, op) fuse_main_real_compat25(argc, argv, op, sizeof(*(op)))
#define fuse_new fuse_new_compat25
#define fuse_setup fuse_setup_compat25
#define fuse_teardown fuse_teardown_compat22
#define fuse_operations fuse_operations_compat25
#elif FUSE_USE_VERSION == 22
#define fuse_main(argc, argv, op) fuse_main_real_compat22(argc, argv, op, sizeof(*(op)))
#define fuse_new fuse_new_compat22
#define fuse_setup fuse_setup_compat22
#define fuse_teardown fuse_teardown_compat22
#define fuse_operations fuse_operations_compat22
#define fuse_file_info fuse_file_info_compat
#elif FUSE_USE_VERSION == 24
#error "level 24 is of the low-level API only"
#elif FUSE_USE_VERSION == 21
#define fuse_dirfil_t fuse_dirfil_t_compat
#define __fuse_read_cmd fuse_read_cmd
#define __fuse_process_cmd fuse_process_cmd
#define __fuse_loop_mt fuse_loop_mt_proc
#define fuse_operations fuse_operations_compat2
#define fuse_main fuse_main_compat2
#define fuse_new fuse_new_compat2
#define __fuse_setup fuse_setup_compat2
#define __fuse_teardown fuse_teardown_compat22
#define __fuse_exited fuse_exited
#define __fuse_set_getcontext_func fuse_set_getcontext_func
#else
#define fuse_dirfil_t fuse_dirfil_t_compat
#define __fuse_read_cmd fuse_read_cmd
#define __fuse_process_cmd fuse_process_cmd
#define __fuse_loop_mt fuse_loop_mt_proc
#define fuse_statfs fuse_statfs_compat1
#define fuse_operations fuse_operations_compat1
#define fuse_main fuse_main_compat1
#define fuse_new fuse_new_compat1
#define FUSE_DEBUG FUSE_DEBUG_COMPAT1
#endif
#endif

#ifdef __cplusplus
}
#endif

#endif
