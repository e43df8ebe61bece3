/*
 * fuse.h: file systems that answer questions about paths.
 *
 * Define FUSE_USE_VERSION first: the API level that the source is written for (31 is usual, 318 the
 * newest).
 *
 *	static const struct fuse_operations ops = { .getattr = my_getattr, ... };
 *	int main(int argc, char *argv[]) { return fuse_main(argc, argv, &ops, NULL); }
 *
 * Operations return 0 (or a count of bytes) or -errno. They run on several threads at once unless
 * the program asks for one (-s).
 */
#ifndef FUSE_H_
#define FUSE_H_

#include "fuse_common.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

struct fuse;
struct timespec; /* strict C99 does not have it */

enum fuse_readdir_flags {
	FUSE_READDIR_DEFAULTS = 0,
	FUSE_READDIR_PLUS = (1 << 0) /* attributes are of use, see FUSE_FILL_DIR_PLUS */
};

enum fuse_fill_dir_flags {
	FUSE_FILL_DIR_DEFAULTS = 0,
	FUSE_FILL_DIR_PLUS = (1 << 1) /* stbuf is complete */
};

/*
 * Adds a name to a listing. stbuf may be NULL. off: where the listing continues after this entry;
 * always 0: the file system gives all entries in one go. Returns 1 when the buffer is full.
 */
typedef int (*fuse_fill_dir_t)(void *buf, const char *name, const struct stat *stbuf, off_t off,
			       enum fuse_fill_dir_flags flags);

/* Set from the options, then handed to init, which may change it. */
struct fuse_config {
	int32_t set_gid; /* all files belong to gid */
	uint32_t gid;
	int32_t set_uid;
	uint32_t uid;
	int32_t set_mode; /* all modes are masked by umask */
	uint32_t umask;
	double entry_timeout;    /* seconds that a name is valid */
	double negative_timeout; /* seconds that a missing name is missing */
	double attr_timeout;     /* seconds that attributes are valid */
	int32_t intr;            /* interrupted requests: the thread gets a signal */
	int32_t intr_signal;
	int32_t remember;        /* seconds that forgotten nodes are kept; -1: for ever */
	int32_t hard_remove;     /* open files are removed at once, not renamed to .fuse_hidden… */
	int32_t use_ino;         /* st_ino is the file system's */
	int32_t readdir_ino;     /* d_ino from st_ino where it is known */
	int32_t direct_io;       /* for all files; sets fuse_file_info.direct_io */
	int32_t kernel_cache;    /* for all files; sets fuse_file_info.keep_cache */
	int32_t auto_cache;      /* keep_cache while mtime and size are unchanged */
	int32_t ac_attr_timeout_set;
	double ac_attr_timeout;  /* seconds that auto_cache trusts attributes */
	int32_t nullpath_ok;     /* operations with an open file may get a NULL path */
	/* the library's own */
	int32_t show_help;
	char *modules;
	int32_t debug;
	uint32_t fmask; /* as umask, for files and for directories */
	uint32_t dmask;
	int32_t no_rofd_flush;          /* no flush for files opened for reading */
	int32_t parallel_direct_writes; /* for all files; sets the flag of fuse_file_info */
	uint32_t flags;
	uint64_t reserved[48];
};

/*
 * Paths begin with "/" and are relative to the mount point. fi is NULL where the file is not known
 * to be open. Missing operations: ENOSYS, with exceptions named at fuse_fs_*. The structure only
 * grows at its end.
 */
struct fuse_operations {
	int (*getattr)(const char *path, struct stat *st, struct fuse_file_info *fi);
	/* The target, cut to fit, with a zero byte. */
	int (*readlink)(const char *path, char *buf, size_t size);
	int (*mknod)(const char *path, mode_t mode, dev_t rdev);
	int (*mkdir)(const char *path, mode_t mode);
	int (*unlink)(const char *path);
	int (*rmdir)(const char *path);
	int (*symlink)(const char *target, const char *path);
	/* flags of renameat2(2) */
	int (*rename)(const char *oldpath, const char *newpath, unsigned int flags);
	int (*link)(const char *oldpath, const char *newpath);
	int (*chmod)(const char *path, mode_t mode, struct fuse_file_info *fi);
	int (*chown)(const char *path, uid_t uid, gid_t gid, struct fuse_file_info *fi);
	int (*truncate)(const char *path, off_t size, struct fuse_file_info *fi);
	/* fi->flags without O_CREAT and O_EXCL; fh and flags are the answer */
	int (*open)(const char *path, struct fuse_file_info *fi);
	/* All that is asked for, but at the end of the file. */
	int (*read)(const char *path, char *buf, size_t size, off_t off,
		    struct fuse_file_info *fi);
	int (*write)(const char *path, const char *buf, size_t size, off_t off,
		     struct fuse_file_info *fi);
	/* f_frsize, f_favail, f_fsid and f_flag are not used. */
	int (*statfs)(const char *path, struct statvfs *st);
	/* A close(2); perhaps several for one open. */
	int (*flush)(const char *path, struct fuse_file_info *fi);
	/* The last one; the result is not seen. */
	int (*release)(const char *path, struct fuse_file_info *fi);
	int (*fsync)(const char *path, int datasync, struct fuse_file_info *fi);
	int (*setxattr)(const char *path, const char *name, const char *value, size_t size,
			int flags);
	/* The length; size 0 asks for it alone. */
	int (*getxattr)(const char *path, const char *name, char *value, size_t size);
	int (*listxattr)(const char *path, char *list, size_t size);
	int (*removexattr)(const char *path, const char *name);
	int (*opendir)(const char *path, struct fuse_file_info *fi);
	int (*readdir)(const char *path, void *buf, fuse_fill_dir_t filler, off_t off,
		       struct fuse_file_info *fi, enum fuse_readdir_flags flags);
	int (*releasedir)(const char *path, struct fuse_file_info *fi);
	int (*fsyncdir)(const char *path, int datasync, struct fuse_file_info *fi);
	/* The result is private_data from then on. */
	void *(*init)(struct fuse_conn_info *conn, struct fuse_config *cfg);
	void (*destroy)(void *private_data);
	int (*access)(const char *path, int mask);
	/* Makes and opens; without it, mknod and open. */
	int (*create)(const char *path, mode_t mode, struct fuse_file_info *fi);
	/* cmd of fcntl(2): F_GETLK, F_SETLK, F_SETLKW; fi->lock_owner says whose */
	int (*lock)(const char *path, struct fuse_file_info *fi, int cmd, struct flock *lock);
	/* tv: access and modification time, as of utimensat(2): UTIME_NOW and UTIME_OMIT too */
	int (*utimens)(const char *path, const struct timespec *tv, struct fuse_file_info *fi);
	int (*bmap)(const char *path, size_t blocksize, uint64_t *idx);
#if FUSE_USE_VERSION < 35
	int (*ioctl)(const char *path, int cmd, void *arg, struct fuse_file_info *fi,
		     unsigned int flags, void *data);
#else
	int (*ioctl)(const char *path, unsigned int cmd, void *arg, struct fuse_file_info *fi,
		     unsigned int flags, void *data);
#endif
	/* ph is kept for fuse_notify_poll, then destroyed with fuse_pollhandle_destroy. */
	int (*poll)(const char *path, struct fuse_file_info *fi, struct fuse_pollhandle *ph,
		    unsigned *reventsp);
	/* Instead of write, the data perhaps still in a pipe. */
	int (*write_buf)(const char *path, struct fuse_bufvec *buf, off_t off,
			 struct fuse_file_info *fi);
	/* Instead of read: *bufp is malloc'ed, also the memory of its pieces. */
	int (*read_buf)(const char *path, struct fuse_bufvec **bufp, size_t size, off_t off,
			struct fuse_file_info *fi);
	int (*flock)(const char *path, struct fuse_file_info *fi, int op);
	int (*fallocate)(const char *path, int mode, off_t off, off_t len,
			 struct fuse_file_info *fi);
	ssize_t (*copy_file_range)(const char *path_in, struct fuse_file_info *fi_in,
				   off_t offset_in, const char *path_out,
				   struct fuse_file_info *fi_out, off_t offset_out, size_t size,
				   int flags);
	/* whence SEEK_DATA or SEEK_HOLE */
	off_t (*lseek)(const char *path, off_t off, int whence, struct fuse_file_info *fi);
	int (*statx)(const char *path, int flags, int mask, struct statx *stxbuf,
		     struct fuse_file_info *fi);
};

/* Who asks; of fuse_get_context, in an operation. */
struct fuse_context {
	struct fuse *fuse;
	uid_t uid;
	gid_t gid;
	pid_t pid;
	void *private_data;
	mode_t umask;
};

/*
 * Command line, mount, signals, loop, unmount. 0, or: 1 bad options, 2 no mount point, 3 set-up,
 * 4 mount, 5 background, 6 signals, 7 an error in the loop. Call it by the macro.
 */
int fuse_main_real_versioned(int argc, char *argv[], const struct fuse_operations *op,
			     size_t op_size, struct libfuse_version *version, void *user_data);
int fuse_main_real(int argc, char *argv[], const struct fuse_operations *op, size_t op_size,
		   void *private_data);

static inline int
fuse_main_fn(int argc, char *argv[], const struct fuse_operations *op, size_t op_size,
	     void *user_data)
{
	struct libfuse_version version = { FUSE_MAJOR_VERSION, FUSE_MINOR_VERSION,
					   FUSE_HOTFIX_VERSION, 0 };

	return fuse_main_real_versioned(argc, argv, op, op_size, &version, user_data);
}
#define fuse_main(argc, argv, op, private_data) \
	fuse_main_fn(argc, argv, op, sizeof(*(op)), private_data)

/* The options of fuse_new and of the modules that args names, to standard output. */
void fuse_lib_help(struct fuse_args *args);

/*
 * args: argv[0] and the options of fuse_lib_help, fuse_lowlevel_help and mount(8); all must be
 * known. op is copied up to op_size. NULL after a message; at level 30 also after --help.
 */
#if FUSE_USE_VERSION == 30
struct fuse *_fuse_new_30(struct fuse_args *args, const struct fuse_operations *op,
			  size_t op_size, struct libfuse_version *version, void *user_data);
#else
struct fuse *_fuse_new_31(struct fuse_args *args, const struct fuse_operations *op,
			  size_t op_size, struct libfuse_version *version, void *user_data);
#endif
static inline struct fuse *
fuse_new_fn(struct fuse_args *args, const struct fuse_operations *op, size_t op_size,
	    void *user_data)
{
	struct libfuse_version version = { FUSE_MAJOR_VERSION, FUSE_MINOR_VERSION,
					   FUSE_HOTFIX_VERSION, 0 };

#if FUSE_USE_VERSION == 30
	return _fuse_new_30(args, op, op_size, &version, user_data);
#else
	return _fuse_new_31(args, op, op_size, &version, user_data);
#endif
}
#define fuse_new(args, op, size, data) fuse_new_fn(args, op, size, data)

/* 0, or -1 after a message. */
int fuse_mount(struct fuse *f, const char *mountpoint);
void fuse_unmount(struct fuse *f);
/* Does not unmount. */
void fuse_destroy(struct fuse *f);
/* Serves until the end: 0 after an unmount, the signal's number after one, -errno. */
int fuse_loop(struct fuse *f);
/* Ends the loops. Any thread. */
void fuse_exit(struct fuse *f);

/* The same with several threads. */
#if FUSE_USE_VERSION < 32
int fuse_loop_mt_31(struct fuse *f, int clone_fd);
#define fuse_loop_mt(f, clone_fd) fuse_loop_mt_31(f, clone_fd)
#elif FUSE_USE_VERSION < FUSE_MAKE_VERSION(3, 12)
int fuse_loop_mt_32(struct fuse *f, struct fuse_loop_config *config);
#define fuse_loop_mt(f, config) fuse_loop_mt_32(f, config)
#else
int fuse_loop_mt_312(struct fuse *f, struct fuse_loop_config *config);
#if defined(LIBFUSE_BUILT_WITH_VERSIONED_SYMBOLS)
int fuse_loop_mt(struct fuse *f, struct fuse_loop_config *config);
#else
#define fuse_loop_mt(f, config) fuse_loop_mt_312(f, config)
#endif
#endif

struct fuse_context *fuse_get_context(void);
/* The caller's supplementary groups: writes up to size, returns how many there are, or -errno. */
int fuse_getgroups(int size, gid_t list[]);
/* 1 if the caller of the running operation was interrupted. */
int fuse_interrupted(void);
/* Drops what the kernel knows of a file. 0, -ENOENT if it knows nothing, -errno. */
int fuse_invalidate_path(struct fuse *f, const char *path);

/* For -o remember: ends nodes that are old enough; started by the loops. */
int fuse_start_cleanup_thread(struct fuse *fuse);
void fuse_stop_cleanup_thread(struct fuse *fuse);
/* Once; returns the seconds until it is due again. */
int fuse_clean_cache(struct fuse *fuse);

int fuse_notify_poll(struct fuse_pollhandle *ph);
struct fuse_session *fuse_get_session(struct fuse *f);
/* Mounts and returns the connection's descriptor, or -1 after a message. */
int fuse_open_channel(const char *mountpoint, const char *options);

/* ------------------------------------------------------------------ layers */
/*
 * A module stands between the library and a file system. fuse_fs_* call the operation of the layer
 * below and return its result; without the operation -ENOSYS, but 0 for open, release, opendir,
 * releasedir and statfs.
 */
struct fuse_fs;

int fuse_fs_getattr(struct fuse_fs *fs, const char *path, struct stat *buf,
		    struct fuse_file_info *fi);
int fuse_fs_rename(struct fuse_fs *fs, const char *oldpath, const char *newpath,
		   unsigned int flags);
int fuse_fs_unlink(struct fuse_fs *fs, const char *path);
int fuse_fs_rmdir(struct fuse_fs *fs, const char *path);
int fuse_fs_symlink(struct fuse_fs *fs, const char *linkname, const char *path);
int fuse_fs_link(struct fuse_fs *fs, const char *oldpath, const char *newpath);
int fuse_fs_release(struct fuse_fs *fs, const char *path, struct fuse_file_info *fi);
int fuse_fs_open(struct fuse_fs *fs, const char *path, struct fuse_file_info *fi);
int fuse_fs_read(struct fuse_fs *fs, const char *path, char *buf, size_t size, off_t off,
		 struct fuse_file_info *fi);
int fuse_fs_read_buf(struct fuse_fs *fs, const char *path, struct fuse_bufvec **bufp, size_t size,
		     off_t off, struct fuse_file_info *fi);
int fuse_fs_write(struct fuse_fs *fs, const char *path, const char *buf, size_t size, off_t off,
		  struct fuse_file_info *fi);
int fuse_fs_write_buf(struct fuse_fs *fs, const char *path, struct fuse_bufvec *buf, off_t off,
		      struct fuse_file_info *fi);
int fuse_fs_fsync(struct fuse_fs *fs, const char *path, int datasync, struct fuse_file_info *fi);
int fuse_fs_flush(struct fuse_fs *fs, const char *path, struct fuse_file_info *fi);
int fuse_fs_statfs(struct fuse_fs *fs, const char *path, struct statvfs *buf);
int fuse_fs_opendir(struct fuse_fs *fs, const char *path, struct fuse_file_info *fi);
int fuse_fs_readdir(struct fuse_fs *fs, const char *path, void *buf, fuse_fill_dir_t filler,
		    off_t off, struct fuse_file_info *fi, enum fuse_readdir_flags flags);
int fuse_fs_fsyncdir(struct fuse_fs *fs, const char *path, int datasync,
		     struct fuse_file_info *fi);
int fuse_fs_releasedir(struct fuse_fs *fs, const char *path, struct fuse_file_info *fi);
int fuse_fs_create(struct fuse_fs *fs, const char *path, mode_t mode, struct fuse_file_info *fi);
int fuse_fs_lock(struct fuse_fs *fs, const char *path, struct fuse_file_info *fi, int cmd,
		 struct flock *lock);
int fuse_fs_flock(struct fuse_fs *fs, const char *path, struct fuse_file_info *fi, int op);
int fuse_fs_chmod(struct fuse_fs *fs, const char *path, mode_t mode, struct fuse_file_info *fi);
int fuse_fs_chown(struct fuse_fs *fs, const char *path, uid_t uid, gid_t gid,
		  struct fuse_file_info *fi);
int fuse_fs_truncate(struct fuse_fs *fs, const char *path, off_t size, struct fuse_file_info *fi);
int fuse_fs_utimens(struct fuse_fs *fs, const char *path, const struct timespec *tv,
		    struct fuse_file_info *fi);
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
#if FUSE_USE_VERSION < 35
int fuse_fs_ioctl(struct fuse_fs *fs, const char *path, int cmd, void *arg,
		  struct fuse_file_info *fi, unsigned int flags, void *data);
#else
int fuse_fs_ioctl(struct fuse_fs *fs, const char *path, unsigned int cmd, void *arg,
		  struct fuse_file_info *fi, unsigned int flags, void *data);
#endif
int fuse_fs_poll(struct fuse_fs *fs, const char *path, struct fuse_file_info *fi,
		 struct fuse_pollhandle *ph, unsigned *reventsp);
int fuse_fs_fallocate(struct fuse_fs *fs, const char *path, int mode, off_t offset, off_t length,
		      struct fuse_file_info *fi);
ssize_t fuse_fs_copy_file_range(struct fuse_fs *fs, const char *path_in,
				struct fuse_file_info *fi_in, off_t off_in, const char *path_out,
				struct fuse_file_info *fi_out, off_t off_out, size_t len,
				int flags);
off_t fuse_fs_lseek(struct fuse_fs *fs, const char *path, off_t off, int whence,
		    struct fuse_file_info *fi);
int fuse_fs_statx(struct fuse_fs *fs, const char *path, int flags, int mask,
		  struct statx *stxbuf, struct fuse_file_info *fi);
void fuse_fs_init(struct fuse_fs *fs, struct fuse_conn_info *conn, struct fuse_config *cfg);
void fuse_fs_destroy(struct fuse_fs *fs);

/* A layer of op, copied up to op_size. NULL after a message. */
struct fuse_fs *fuse_fs_new(const struct fuse_operations *op, size_t op_size, void *private_data);

/*
 * Makes a module's layer above fs[0] (fs ends with NULL), taking its options from args. A shared
 * library fusemod_NAME.so exports it by FUSE_REGISTER_MODULE(NAME, function).
 */
typedef struct fuse_fs *(*fuse_module_factory_t)(struct fuse_args *args, struct fuse_fs *fs[]);
#define FUSE_REGISTER_MODULE(name_, factory_) \
	fuse_module_factory_t fuse_module_##name_##_factory = factory_

#ifdef __cplusplus
}
#endif

#endif
