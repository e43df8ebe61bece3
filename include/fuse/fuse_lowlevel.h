/*
 * fuse_lowlevel.h: the low-level API of libfuse 2.
 *
 * See fuse3/fuse_lowlevel.h: requests and answers are the same. A session reads from channels here,
 * and notifications go to a channel.
 */
#ifndef _FUSE_LOWLEVEL_H_
#define _FUSE_LOWLEVEL_H_

#ifndef FUSE_USE_VERSION
#define FUSE_USE_VERSION 24
#endif

#include "fuse_common.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <utime.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FUSE_ROOT_ID 1

typedef unsigned long fuse_ino_t;
typedef struct fuse_req *fuse_req_t;

struct fuse_entry_param {
	fuse_ino_t ino;
	unsigned long generation;
	struct stat attr;
	double attr_timeout;  /* seconds */
	double entry_timeout; /* seconds */
};

struct fuse_ctx {
	uid_t uid;
	gid_t gid;
	pid_t pid;
	mode_t umask; /* since 2.8 */
};

struct fuse_forget_data {
	uint64_t ino;
	uint64_t nlookup;
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

/* All are optional. Answers other than fuse_reply_err are named in the comment. */
struct fuse_lowlevel_ops {
	/* The connection is made; conn may be changed. No answer. */
	void (*init)(void *userdata, struct fuse_conn_info *conn);
	/* The session ends; the connection may be gone. No answer. */
	void (*destroy)(void *userdata);
	/* fuse_reply_entry */
	void (*lookup)(fuse_req_t req, fuse_ino_t parent, const char *name);
	/* nlookup references less; fuse_reply_none. At unmount they drop to 0 without a call. */
	void (*forget)(fuse_req_t req, fuse_ino_t ino, unsigned long nlookup);
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
	void (*rename)(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent,
		       const char *newname);
	/* fuse_reply_entry */
	void (*link)(fuse_req_t req, fuse_ino_t ino, fuse_ino_t newparent, const char *newname);
	/* fuse_reply_open; fi->flags without O_CREAT and O_EXCL */
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
	void (*ioctl)(fuse_req_t req, fuse_ino_t ino, int cmd, void *arg,
		      struct fuse_file_info *fi, unsigned flags, const void *in_buf,
		      size_t in_bufsz, size_t out_bufsz);
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
/* Builds the answer of readdir; see fuse3/fuse_lowlevel.h. */
size_t fuse_add_direntry(fuse_req_t req, char *buf, size_t bufsize, const char *name,
			 const struct stat *stbuf, off_t off);

/* ------------------------------------------------------------------ notifications */

int fuse_lowlevel_notify_poll(struct fuse_pollhandle *ph);
int fuse_lowlevel_notify_inval_inode(struct fuse_chan *ch, fuse_ino_t ino, off_t off, off_t len);
int fuse_lowlevel_notify_inval_entry(struct fuse_chan *ch, fuse_ino_t parent, const char *name,
				     size_t namelen);
int fuse_lowlevel_notify_delete(struct fuse_chan *ch, fuse_ino_t parent, fuse_ino_t child,
				const char *name, size_t namelen);
int fuse_lowlevel_notify_store(struct fuse_chan *ch, fuse_ino_t ino, off_t offset,
			       struct fuse_bufvec *bufv, enum fuse_buf_copy_flags flags);
int fuse_lowlevel_notify_retrieve(struct fuse_chan *ch, fuse_ino_t ino, size_t size,
				  off_t offset, void *cookie);

/* ------------------------------------------------------------------ requests */

void *fuse_req_userdata(fuse_req_t req);
const struct fuse_ctx *fuse_req_ctx(fuse_req_t req);
int fuse_req_getgroups(fuse_req_t req, int size, gid_t list[]);
typedef void (*fuse_interrupt_func_t)(fuse_req_t req, void *data);
void fuse_req_interrupt_func(fuse_req_t req, fuse_interrupt_func_t func, void *data);
int fuse_req_interrupted(fuse_req_t req);

/* ------------------------------------------------------------------ sessions */

int fuse_lowlevel_is_lib_option(const char *opt);
/* NULL after a message. */
struct fuse_session *fuse_lowlevel_new(struct fuse_args *args, const struct fuse_lowlevel_ops *op,
				       size_t op_size, void *userdata);

/* A session of the program's own making. */
struct fuse_session_ops {
	void (*process)(void *data, const char *buf, size_t len, struct fuse_chan *ch);
	void (*exit)(void *data, int val);
	int (*exited)(void *data);
	void (*destroy)(void *data);
};
struct fuse_session *fuse_session_new(struct fuse_session_ops *op, void *data);
/* One channel at a time. */
void fuse_session_add_chan(struct fuse_session *se, struct fuse_chan *ch);
void fuse_session_remove_chan(struct fuse_chan *ch);
/* ch NULL: the first; NULL behind the last. */
struct fuse_chan *fuse_session_next_chan(struct fuse_session *se, struct fuse_chan *ch);
void fuse_session_process(struct fuse_session *se, const char *buf, size_t len,
			  struct fuse_chan *ch);
void fuse_session_process_buf(struct fuse_session *se, const struct fuse_buf *buf,
			      struct fuse_chan *ch);
int fuse_session_receive_buf(struct fuse_session *se, struct fuse_buf *buf,
			     struct fuse_chan **chp);
/* Frees the channel too. */
void fuse_session_destroy(struct fuse_session *se);
void fuse_session_exit(struct fuse_session *se);
void fuse_session_reset(struct fuse_session *se);
int fuse_session_exited(struct fuse_session *se);
void *fuse_session_data(struct fuse_session *se);
/* 0, or -1 */
int fuse_session_loop(struct fuse_session *se);
int fuse_session_loop_mt(struct fuse_session *se);

/* ------------------------------------------------------------------ channels */

struct fuse_chan_ops {
	int (*receive)(struct fuse_chan **chp, char *buf, size_t size);
	int (*send)(struct fuse_chan *ch, const struct iovec iov[], size_t count);
	void (*destroy)(struct fuse_chan *ch);
};
struct fuse_chan *fuse_chan_new(struct fuse_chan_ops *op, int fd, size_t bufsize, void *data);
int fuse_chan_fd(struct fuse_chan *ch);
/* Bytes that one request may need. */
size_t fuse_chan_bufsize(struct fuse_chan *ch);
void *fuse_chan_data(struct fuse_chan *ch);
struct fuse_session *fuse_chan_session(struct fuse_chan *ch);
/* Bytes, 0 at the end, -errno. */
int fuse_chan_recv(struct fuse_chan **ch, char *buf, size_t size);
int fuse_chan_send(struct fuse_chan *ch, const struct iovec iov[], size_t count);
void fuse_chan_destroy(struct fuse_chan *ch);

/* Older levels. */
#if FUSE_USE_VERSION < 26
#include "fuse_lowlevel_compat.h"
#define fuse_chan_ops fuse_chan_ops_compat24
#define fuse_chan_new fuse_chan_new_compat24
#if FUSE_USE_VERSION == 25
#define fuse_lowlevel_ops fuse_lowlevel_ops_compat25
#define fuse_lowlevel_new fuse_lowlevel_new_compat25
#elif FUSE_USE_VERSION == 24
#define fuse_lowlevel_ops fuse_lowlevel_ops_compat
#define fuse_lowlevel_new fuse_lowlevel_new_compat
#define fuse_file_info fuse_file_info_compat
#define fuse_reply_statfs fuse_reply_statfs_compat
#define fuse_reply_open fuse_reply_open_compat
#else
#error "the low-level API begins with level 24"
#endif
#endif

#ifdef __cplusplus
}
#endif

#endif
