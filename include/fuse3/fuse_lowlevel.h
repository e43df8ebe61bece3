/*
 * fuse_lowlevel.h: file systems that answer requests about numbered nodes.
 *
 * The kernel's requests arrive as calls of struct fuse_lowlevel_ops. Each gets a request handle,
 * which one of the fuse_reply_* functions consumes, in the call or later, from any thread. What
 * else the operation was given is valid during the call only.
 *
 * fuse_reply_* return 0, or -errno when the answer did not reach the kernel; -ENOENT: the request
 * was given up, so an open, create, opendir or lookup so answered is not followed by release or
 * forget.
 */
#ifndef FUSE_LOWLEVEL_H_
#define FUSE_LOWLEVEL_H_

#ifndef FUSE_USE_VERSION
#error "define FUSE_USE_VERSION"
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

#define FUSE_ROOT_ID 1 /* the node of the root directory */

typedef uint64_t fuse_ino_t;
typedef struct fuse_req *fuse_req_t;

/* A name's node. Each answer with one adds 1 to the node's lookup count, which forget subtracts. */
struct fuse_entry_param {
	fuse_ino_t ino;      /* 0 in lookup: no such name, and the kernel may remember that */
	uint64_t generation; /* with ino unique over the life of the file system (NFS) */
	struct stat attr;
	double attr_timeout;  /* seconds that attr is valid */
	double entry_timeout; /* seconds that the name is valid */
};

/* Who asks. Ids may be 0 where the caller's are not known in this process's namespaces. */
struct fuse_ctx {
	uid_t uid;
	gid_t gid;
	pid_t pid; /* a thread's */
	mode_t umask;
};

struct fuse_forget_data {
	fuse_ino_t ino;
	uint64_t nlookup;
};

/* Replacements for the system calls on the connection; read and writev are a must. They return
 * like those calls, errors in errno. */
struct fuse_custom_io {
	ssize_t (*writev)(int fd, struct iovec *iov, int count, void *userdata);
	ssize_t (*read)(int fd, void *buf, size_t buf_len, void *userdata);
	ssize_t (*splice_receive)(int fdin, off_t *offin, int fdout, off_t *offout, size_t len,
				  unsigned int flags, void *userdata);
	ssize_t (*splice_send)(int fdin, off_t *offin, int fdout, off_t *offout, size_t len,
			       unsigned int flags, void *userdata);
	int (*clone_fd)(int master_fd); /* a descriptor of the same connection, or -errno */
};

enum fuse_notify_entry_flags {
	FUSE_LL_INVALIDATE = 0,
	FUSE_LL_EXPIRE_ONLY = (1 << 0)
};

/* to_set of setattr */
#define FUSE_SET_ATTR_MODE (1 << 0)
#define FUSE_SET_ATTR_UID (1 << 1)
#define FUSE_SET_ATTR_GID (1 << 2)
#define FUSE_SET_ATTR_SIZE (1 << 3)
#define FUSE_SET_ATTR_ATIME (1 << 4)
#define FUSE_SET_ATTR_MTIME (1 << 5)
#define FUSE_SET_ATTR_ATIME_NOW (1 << 7)
#define FUSE_SET_ATTR_MTIME_NOW (1 << 8)
#define FUSE_SET_ATTR_FORCE (1 << 9)
#define FUSE_SET_ATTR_CTIME (1 << 10)
#define FUSE_SET_ATTR_KILL_SUID (1 << 11)
#define FUSE_SET_ATTR_KILL_SGID (1 << 12)
#define FUSE_SET_ATTR_FILE (1 << 13)
#define FUSE_SET_ATTR_KILL_PRIV (1 << 14)
#define FUSE_SET_ATTR_OPEN (1 << 15)
#define FUSE_SET_ATTR_TIMES_SET (1 << 16)
#define FUSE_SET_ATTR_TOUCH (1 << 17)

/*
 * All are optional; a missing one is answered with ENOSYS, which for many the kernel remembers.
 * Answers other than fuse_reply_err are named in the comment. The structure only grows at its end.
 */
struct fuse_lowlevel_ops {
	/* The connection is made; conn may be changed. No answer. */
	void (*init)(void *userdata, struct fuse_conn_info *conn);
	/* The session ends; the connection may be gone. No answer. */
	void (*destroy)(void *userdata);
	/* fuse_reply_entry */
	void (*lookup)(fuse_req_t req, fuse_ino_t parent, const char *name);
	/* nlookup references less; fuse_reply_none. At unmount they drop to 0 without a call. */
	void (*forget)(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup);
	/* fuse_reply_attr; fi may be NULL */
	void (*getattr)(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
	/* fuse_reply_attr; only what to_set (FUSE_SET_ATTR_*) names; fi may be NULL */
	void (*setattr)(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
			struct fuse_file_info *fi);
	/* fuse_reply_readlink */
	void (*readlink)(fuse_req_t req, fuse_ino_t ino);
	/* fuse_reply_entry */
	void (*mknod)(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		      dev_t rdev);
	/* fuse_reply_entry */
	void (*mkdir)(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
	/* The node lives on until it is forgotten. */
	void (*unlink)(fuse_req_t req, fuse_ino_t parent, const char *name);
	void (*rmdir)(fuse_req_t req, fuse_ino_t parent, const char *name);
	/* fuse_reply_entry */
	void (*symlink)(fuse_req_t req, const char *link, fuse_ino_t parent, const char *name);
	/* flags: RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT of renameat2(2) */
	void (*rename)(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent,
		       const char *newname, unsigned int flags);
	/* fuse_reply_entry */
	void (*link)(fuse_req_t req, fuse_ino_t ino, fuse_ino_t newparent, const char *newname);
	/* fuse_reply_open; fi->flags without O_CREAT and O_EXCL. ENOSYS with
	 * FUSE_CAP_NO_OPEN_SUPPORT: opens always succeed and are not asked any more */
	void (*open)(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
	/* fuse_reply_buf, _iov, _data; fewer bytes mean the end of the file */
	void (*read)(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		     struct fuse_file_info *fi);
	/* fuse_reply_write */
	void (*write)(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
		      struct fuse_file_info *fi);
	/* A descriptor is closed; others of this opening may remain. */
	void (*flush)(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
	/* The last one is closed; the caller does not see the answer. */
	void (*release)(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
	/* datasync: not the attributes */
	void (*fsync)(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
	/* fuse_reply_open */
	void (*opendir)(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
	/* fuse_reply_buf, _iov, _data with what fuse_add_direntry made; empty: the end */
	void (*readdir)(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
			struct fuse_file_info *fi);
	void (*releasedir)(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
	void (*fsyncdir)(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
	/* fuse_reply_statfs; ino may be 0 */
	void (*statfs)(fuse_req_t req, fuse_ino_t ino);
	void (*setxattr)(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
			 size_t size, int flags);
	/* size 0: fuse_reply_xattr with the length; else fuse_reply_buf, _data, or ERANGE */
	void (*getxattr)(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
	/* the same, with names ended by zero bytes */
	void (*listxattr)(fuse_req_t req, fuse_ino_t ino, size_t size);
	void (*removexattr)(fuse_req_t req, fuse_ino_t ino, const char *name);
	/* of access(2); not asked with default_permissions */
	void (*access)(fuse_req_t req, fuse_ino_t ino, int mask);
	/* fuse_reply_create */
	void (*create)(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		       struct fuse_file_info *fi);
	/* fuse_reply_lock */
	void (*getlk)(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
		      struct flock *lock);
	/* sleep: wait for the lock */
	void (*setlk)(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
		      struct flock *lock, int sleep);
	/* fuse_reply_bmap; mounts of block devices (fuseblk) */
	void (*bmap)(fuse_req_t req, fuse_ino_t ino, size_t blocksize, uint64_t idx);
	/* fuse_reply_ioctl, _ioctl_iov, _ioctl_retry; flags FUSE_IOCTL_* */
#if FUSE_USE_VERSION < 35
	void (*ioctl)(fuse_req_t req, fuse_ino_t ino, int cmd, void *arg,
		      struct fuse_file_info *fi, unsigned flags, const void *in_buf,
		      size_t in_bufsz, size_t out_bufsz);
#else
	void (*ioctl)(fuse_req_t req, fuse_ino_t ino, unsigned int cmd, void *arg,
		      struct fuse_file_info *fi, unsigned flags, const void *in_buf,
		      size_t in_bufsz, size_t out_bufsz);
#endif
	/* fuse_reply_poll; ph, if there is one, is kept for fuse_lowlevel_notify_poll and then
	 * destroyed with fuse_pollhandle_destroy */
	void (*poll)(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
		     struct fuse_pollhandle *ph);
	/* fuse_reply_write; instead of write, the data perhaps still in a pipe */
	void (*write_buf)(fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec *bufv, off_t off,
			  struct fuse_file_info *fi);
	/* Answer to fuse_lowlevel_notify_retrieve; fuse_reply_none */
	void (*retrieve_reply)(fuse_req_t req, void *cookie, fuse_ino_t ino, off_t offset,
			       struct fuse_bufvec *bufv);
	/* Many forgets; fuse_reply_none */
	void (*forget_multi)(fuse_req_t req, size_t count, struct fuse_forget_data *forgets);
	/* op of flock(2) */
	void (*flock)(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, int op);
	/* of fallocate(2) */
	void (*fallocate)(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
			  struct fuse_file_info *fi);
	/* As readdir, with what fuse_add_direntry_plus made */
	void (*readdirplus)(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
			    struct fuse_file_info *fi);
	/* fuse_reply_write */
	void (*copy_file_range)(fuse_req_t req, fuse_ino_t ino_in, off_t off_in,
				struct fuse_file_info *fi_in, fuse_ino_t ino_out, off_t off_out,
				struct fuse_file_info *fi_out, size_t len, int flags);
	/* fuse_reply_lseek; whence SEEK_DATA or SEEK_HOLE */
	void (*lseek)(fuse_req_t req, fuse_ino_t ino, off_t off, int whence,
		      struct fuse_file_info *fi);
	/* fuse_reply_create; a file without a name (O_TMPFILE) */
	void (*tmpfile)(fuse_req_t req, fuse_ino_t parent, mode_t mode, struct fuse_file_info *fi);
	/* fuse_reply_statx; fi may be NULL */
	void (*statx)(fuse_req_t req, fuse_ino_t ino, int flags, int mask,
		      struct fuse_file_info *fi);
};

/* ------------------------------------------------------------------ answers */

/* err: a positive errno, 0 for success where nothing else is to be said. */
int fuse_reply_err(fuse_req_t req, int err);
/* forget, forget_multi, retrieve_reply: done. */
void fuse_reply_none(fuse_req_t req);
int fuse_reply_entry(fuse_req_t req, const struct fuse_entry_param *e);
int fuse_reply_create(fuse_req_t req, const struct fuse_entry_param *e,
		      const struct fuse_file_info *fi);
/* attr_timeout: seconds */
int fuse_reply_attr(fuse_req_t req, const struct stat *attr, double attr_timeout);
int fuse_reply_readlink(fuse_req_t req, const char *link);
int fuse_reply_open(fuse_req_t req, const struct fuse_file_info *fi);
/* count: bytes written */
int fuse_reply_write(fuse_req_t req, size_t count);
int fuse_reply_buf(fuse_req_t req, const char *buf, size_t size);
/* Pieces of memory and of files; spliced where FUSE_CAP_SPLICE_WRITE is on and it pays. */
int fuse_reply_data(fuse_req_t req, struct fuse_bufvec *bufv, enum fuse_buf_copy_flags flags);
int fuse_reply_iov(fuse_req_t req, const struct iovec *iov, int count);
int fuse_reply_statfs(fuse_req_t req, const struct statvfs *stbuf);
/* count: bytes that the value needs */
int fuse_reply_xattr(fuse_req_t req, size_t count);
int fuse_reply_lock(fuse_req_t req, const struct flock *lock);
int fuse_reply_bmap(fuse_req_t req, uint64_t idx);
/* Asks the kernel to repeat the ioctl with the caller's memory in_iov at hand and room for out_iov.
 * Together at most FUSE_IOCTL_MAX_IOV. */
int fuse_reply_ioctl_retry(fuse_req_t req, const struct iovec *in_iov, size_t in_count,
			   const struct iovec *out_iov, size_t out_count);
int fuse_reply_ioctl(fuse_req_t req, int result, const void *buf, size_t size);
int fuse_reply_ioctl_iov(fuse_req_t req, int result, const struct iovec *iov, int count);
/* revents of poll(2) */
int fuse_reply_poll(fuse_req_t req, unsigned revents);
int fuse_reply_lseek(fuse_req_t req, off_t off);
/* flags: of the request; statx is copied */
int fuse_reply_statx(fuse_req_t req, int flags, struct statx *statx, double attr_timeout);

/*
 * Builds the answer of readdir: writes an entry of name to buf if bufsize suffices, and returns
 * the bytes that it needs either way. Of stbuf st_ino and the type in st_mode count. off: where
 * the listing continues after this entry, never 0.
 */
size_t fuse_add_direntry(fuse_req_t req, char *buf, size_t bufsize, const char *name,
			 const struct stat *stbuf, off_t off);
/* The same for readdirplus; adds to e->ino's lookup count unless that is 0. */
size_t fuse_add_direntry_plus(fuse_req_t req, char *buf, size_t bufsize, const char *name,
			      const struct fuse_entry_param *e, off_t off);

/* ------------------------------------------------------------------ backing files */

/* Registers fd (FUSE_CAP_PASSTHROUGH; needs privilege). A number for fuse_file_info.backing_id, or
 * 0 after a message. */
int fuse_passthrough_open(fuse_req_t req, int fd);
/* Gives it up. 0 or more, or -1 with errno. */
int fuse_passthrough_close(fuse_req_t req, int backing_id);

/* ------------------------------------------------------------------ notifications */
/*
 * Sent by the file system. 0, or -errno; -ENOSYS: the kernel does not know it; -ENOENT: it knows
 * nothing of the node or name. Never inside an operation on the node or its directory: the kernel
 * may hold a lock until that is answered.
 */

int fuse_lowlevel_notify_poll(struct fuse_pollhandle *ph);
/* All names get a new epoch: each is looked up again. */
int fuse_lowlevel_notify_increment_epoch(struct fuse_session *se);
/* Drops attributes and, from off on (negative: none), len bytes of data (0: to the end). */
int fuse_lowlevel_notify_inval_inode(struct fuse_session *se, fuse_ino_t ino, off_t off,
				     off_t len);
/* Drops a name. */
int fuse_lowlevel_notify_inval_entry(struct fuse_session *se, fuse_ino_t parent, const char *name,
				     size_t namelen);
/* Makes a name be looked up again (FUSE_CAP_EXPIRE_ONLY, else -ENOSYS). */
int fuse_lowlevel_notify_expire_entry(struct fuse_session *se, fuse_ino_t parent,
				      const char *name, size_t namelen);
/* Drops a name if it is child's, and tells watchers that it was deleted. */
int fuse_lowlevel_notify_delete(struct fuse_session *se, fuse_ino_t parent, fuse_ino_t child,
				const char *name, size_t namelen);
/* Puts data into the page cache. */
int fuse_lowlevel_notify_store(struct fuse_session *se, fuse_ino_t ino, off_t offset,
			       struct fuse_bufvec *bufv, enum fuse_buf_copy_flags flags);
/* Asks for what the page cache holds; answered by retrieve_reply with cookie. */
int fuse_lowlevel_notify_retrieve(struct fuse_session *se, fuse_ino_t ino, size_t size,
				  off_t offset, void *cookie);

/* ------------------------------------------------------------------ requests */

void *fuse_req_userdata(fuse_req_t req);
/* Valid as long as req. */
const struct fuse_ctx *fuse_req_ctx(fuse_req_t req);
/* The caller's supplementary groups: writes up to size, returns how many there are, or -errno. */
int fuse_req_getgroups(fuse_req_t req, int size, gid_t list[]);
/* Called once when the caller is interrupted, at once if it has been; no answer may be sent while
 * it runs. func NULL: no more. */
typedef void (*fuse_interrupt_func_t)(fuse_req_t req, void *data);
void fuse_req_interrupt_func(fuse_req_t req, fuse_interrupt_func_t func, void *data);
int fuse_req_interrupted(fuse_req_t req);
/* Whether it came over io_uring. */
bool fuse_req_is_uring(fuse_req_t req);
/* The memory that the answer's data goes to (io_uring), to be filled in place. *mr is set to NULL
 * if given. 0, or -EINVAL over /dev/fuse. */
int fuse_req_get_payload(fuse_req_t req, char **payload, size_t *payload_sz, void **mr);

/* ------------------------------------------------------------------ command lines */

/* To standard output. */
void fuse_lowlevel_version(void);
/* The options of fuse_session_new. */
void fuse_lowlevel_help(void);
/* The options of fuse_parse_cmdline. */
void fuse_cmdline_help(void);

struct fuse_cmdline_opts {
	int singlethread;
	int foreground;
	int debug;
	int nodefault_subtype;
	char *mountpoint; /* absolute, malloc'ed */
	int show_version;
	int show_help;
	int clone_fd;
	unsigned int max_idle_threads;
	unsigned int max_threads; /* since 3.12 */
};

/*
 * Takes the options that most file systems share from args: -f, -d, -s, -h, -V, clone_fd,
 * max_idle_threads=N, max_threads=N and the mount point, of which there is at most one. Adds
 * -o subtype=PROGRAM unless fsname or subtype is given. 0, or -1 after a message.
 */
#if defined(LIBFUSE_BUILT_WITH_VERSIONED_SYMBOLS)
int fuse_parse_cmdline(struct fuse_args *args, struct fuse_cmdline_opts *opts);
#elif FUSE_USE_VERSION < FUSE_MAKE_VERSION(3, 12)
int fuse_parse_cmdline_30(struct fuse_args *args, struct fuse_cmdline_opts *opts);
#define fuse_parse_cmdline(args, opts) fuse_parse_cmdline_30(args, opts)
#else
int fuse_parse_cmdline_312(struct fuse_args *args, struct fuse_cmdline_opts *opts);
#define fuse_parse_cmdline(args, opts) fuse_parse_cmdline_312(args, opts)
#endif

/* ------------------------------------------------------------------ sessions */

/*
 * args: argv[0] and the options of fuse_lowlevel_help and mount(8); all must be known. op is copied
 * up to op_size. NULL after a message. Call it by the macro, which adds the version.
 */
struct fuse_session *fuse_session_new_versioned(struct fuse_args *args,
						const struct fuse_lowlevel_ops *op, size_t op_size,
						struct libfuse_version *version, void *userdata);

static inline struct fuse_session *
fuse_session_new_fn(struct fuse_args *args, const struct fuse_lowlevel_ops *op, size_t op_size,
		    void *userdata)
{
	struct libfuse_version version = { FUSE_MAJOR_VERSION, FUSE_MINOR_VERSION,
					   FUSE_HOTFIX_VERSION, 0 };

	return fuse_session_new_versioned(args, op, op_size, &version, userdata);
}
#define fuse_session_new(args, op, op_size, userdata) \
	fuse_session_new_fn(args, op, op_size, userdata)

/* Instead of a mount: an open connection, closed with the session. 0, -EINVAL without read and
 * writev, -EBADF, -errno. */
int fuse_session_custom_io_317(struct fuse_session *se, const struct fuse_custom_io *io,
			       size_t op_size, int fd);
#if FUSE_USE_VERSION >= FUSE_MAKE_VERSION(3, 17)
static inline int
fuse_session_custom_io(struct fuse_session *se, const struct fuse_custom_io *io, size_t op_size,
		       int fd)
{
	return fuse_session_custom_io_317(se, io, op_size, fd);
}
#else
static inline int
fuse_session_custom_io(struct fuse_session *se, const struct fuse_custom_io *io, int fd)
{
	return fuse_session_custom_io_317(se, io, offsetof(struct fuse_custom_io, clone_fd), fd);
}
#endif

/* 0, or -1 after a message. */
int fuse_session_mount(struct fuse_session *se, const char *mountpoint);

/* Serves until the end: 0 after an unmount, the signal's number after one, -errno. */
int fuse_session_loop(struct fuse_session *se);

/* The same with several threads. */
#if FUSE_USE_VERSION < 32
int fuse_session_loop_mt_31(struct fuse_session *se, int clone_fd);
#define fuse_session_loop_mt(se, clone_fd) fuse_session_loop_mt_31(se, clone_fd)
#elif FUSE_USE_VERSION < FUSE_MAKE_VERSION(3, 12)
int fuse_session_loop_mt_32(struct fuse_session *se, struct fuse_loop_config *config);
#define fuse_session_loop_mt(se, config) fuse_session_loop_mt_32(se, config)
#else
int fuse_session_loop_mt_312(struct fuse_session *se, struct fuse_loop_config *config);
#if defined(LIBFUSE_BUILT_WITH_VERSIONED_SYMBOLS)
int fuse_session_loop_mt(struct fuse_session *se, struct fuse_loop_config *config);
#else
#define fuse_session_loop_mt(se, config) fuse_session_loop_mt_312(se, config)
#endif
#endif

/* Ends the loops. Any thread, signal handlers too. */
void fuse_session_exit(struct fuse_session *se);
/* Loops may run again. */
void fuse_session_reset(struct fuse_session *se);
int fuse_session_exited(struct fuse_session *se);
/* Closes the connection and unmounts, unless somebody has. */
void fuse_session_unmount(struct fuse_session *se);
void fuse_session_destroy(struct fuse_session *se);

/* For programs with their own loop: the connection's descriptor, until unmount. */
int fuse_session_fd(struct fuse_session *se);
/* Handles one request. */
void fuse_session_process_buf(struct fuse_session *se, const struct fuse_buf *buf);
/* Reads one request. buf->mem NULL: allocated, to be freed by the caller. Bytes, 0 at the
 * end, -errno. */
int fuse_session_receive_buf(struct fuse_session *se, struct fuse_buf *buf);

#ifdef __cplusplus
}
#endif

#endif
