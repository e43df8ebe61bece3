/*
 * fuse_common.h: what the high-level and the low-level API of libfuse 2 share. Include fuse.h or
 * fuse_lowlevel.h, with FUSE_USE_VERSION defined as 21, 22, 24, 25, 26, 27, 28 or 29.
 */
#if !defined(_FUSE_H_) && !defined(_FUSE_LOWLEVEL_H_)
#error "include <fuse.h> or <fuse_lowlevel.h>, which include <fuse_common.h>"
#endif

#ifndef _FUSE_COMMON_H_
#define _FUSE_COMMON_H_

#include "fuse_opt.h"
#include <stdint.h>
#include <sys/types.h>

#define FUSE_MAJOR_VERSION 2
#define FUSE_MINOR_VERSION 9

#define FUSE_MAKE_VERSION(maj, min) ((maj) * 10 + (min))
#define FUSE_VERSION FUSE_MAKE_VERSION(FUSE_MAJOR_VERSION, FUSE_MINOR_VERSION)

#if !defined(_FILE_OFFSET_BITS) || _FILE_OFFSET_BITS != 64
#error "compile with -D_FILE_OFFSET_BITS=64"
#endif

#ifdef __cplusplus
extern "C" {
#endif

struct fuse_session;
struct fuse_chan;
struct fuse_pollhandle;

/* An open file. (reply): set by the file system in open and create. */
struct fuse_file_info {
	int flags;                      /* of open(2) */
	unsigned long fh_old;           /* unused */
	int writepage;                  /* write: from the page cache */
	unsigned int direct_io : 1;     /* (reply) no page cache */
	unsigned int keep_cache : 1;    /* (reply) cached data is valid */
	unsigned int flush : 1;         /* part of a close(2) */
	unsigned int nonseekable : 1;   /* (reply) lseek(2) fails */
	unsigned int flock_release : 1; /* release: drop flock(2) locks of lock_owner */
	unsigned int padding : 27;
	uint64_t fh;                    /* (reply) the file system's own */
	uint64_t lock_owner;
};

/* Features; see the same names in fuse3/fuse_common.h. */
#define FUSE_CAP_ASYNC_READ (1 << 0)
#define FUSE_CAP_POSIX_LOCKS (1 << 1)
#define FUSE_CAP_ATOMIC_O_TRUNC (1 << 3)
#define FUSE_CAP_EXPORT_SUPPORT (1 << 4)
#define FUSE_CAP_BIG_WRITES (1 << 5)
#define FUSE_CAP_DONT_MASK (1 << 6)
#define FUSE_CAP_SPLICE_WRITE (1 << 7)
#define FUSE_CAP_SPLICE_MOVE (1 << 8)
#define FUSE_CAP_SPLICE_READ (1 << 9)
#define FUSE_CAP_FLOCK_LOCKS (1 << 10)
#define FUSE_CAP_IOCTL_DIR (1 << 11)

/* Names of WinFsp's FUSE layer, so that portable sources build. Nothing of this API has their bits,
 * and they are never offered. */
#define FSP_FUSE_CAP_READDIR_PLUS (1 << 21)
#define FSP_FUSE_CAP_READ_ONLY (1 << 22)
#define FSP_FUSE_CAP_STAT_EX (1 << 23)
#define FSP_FUSE_CAP_DELETE_ACCESS (1 << 24)
#define FSP_FUSE_CAP_CASE_INSENSITIVE (1 << 29)
#define FUSE_CAP_CASE_INSENSITIVE FSP_FUSE_CAP_CASE_INSENSITIVE
#define FSP_FUSE_DELETE_OK 0x40000000

#define FUSE_IOCTL_COMPAT (1 << 0)
#define FUSE_IOCTL_UNRESTRICTED (1 << 1)
#define FUSE_IOCTL_RETRY (1 << 2)
#define FUSE_IOCTL_DIR (1 << 4)
#define FUSE_IOCTL_MAX_IOV 256

/* The connection, for init. */
struct fuse_conn_info {
	unsigned proto_major;
	unsigned proto_minor;
	unsigned async_read; /* the same as FUSE_CAP_ASYNC_READ in want */
	unsigned max_write;
	unsigned max_readahead;
	unsigned capable;
	unsigned want;
	unsigned max_background;
	unsigned congestion_threshold;
	unsigned reserved[23];
};

/* Mounts; args: the options. NULL after a message. */
struct fuse_chan *fuse_mount(const char *mountpoint, struct fuse_args *args);
/* Unmounts and frees ch (NULL: only unmounts). */
void fuse_unmount(const char *mountpoint, struct fuse_chan *ch);

/* Takes -f, -d, -s, -h, -V and the mount point (malloc'ed) from args; each result may be NULL.
 * Help and version are printed. 0, or -1 after a message. */
int fuse_parse_cmdline(struct fuse_args *args, char **mountpoint, int *multithreaded,
		       int *foreground);

/* Goes to the background, unless foreground. 0, or -1. */
int fuse_daemonize(int foreground);
/* major * 10 + minor */
int fuse_version(void);
void fuse_pollhandle_destroy(struct fuse_pollhandle *ph);

/* Data in pieces; see fuse3/fuse_common.h. */
enum fuse_buf_flags {
	FUSE_BUF_IS_FD = (1 << 1),
	FUSE_BUF_FD_SEEK = (1 << 2),
	FUSE_BUF_FD_RETRY = (1 << 3)
};

enum fuse_buf_copy_flags {
	FUSE_BUF_NO_SPLICE = (1 << 1),
	FUSE_BUF_FORCE_SPLICE = (1 << 2),
	FUSE_BUF_SPLICE_MOVE = (1 << 3),
	FUSE_BUF_SPLICE_NONBLOCK = (1 << 4)
};

struct fuse_buf {
	size_t size;
	enum fuse_buf_flags flags;
	void *mem;
	int fd;
	off_t pos;
};

struct fuse_bufvec {
	size_t count;
	size_t idx;
	size_t off;
	struct fuse_buf buf[1];
};

#define FUSE_BUFVEC_INIT(size__) \
	((struct fuse_bufvec){ 1, 0, 0, { { (size__), (enum fuse_buf_flags)0, NULL, -1, 0 } } })

size_t fuse_buf_size(const struct fuse_bufvec *bufv);
ssize_t fuse_buf_copy(struct fuse_bufvec *dst, struct fuse_bufvec *src,
		      enum fuse_buf_copy_flags flags);

/* SIGHUP, SIGINT and SIGTERM end the session, SIGPIPE is ignored. 0, or -1. */
int fuse_set_signal_handlers(struct fuse_session *se);
void fuse_remove_signal_handlers(struct fuse_session *se);

/* Older levels: the calls keep their names, the library has one for each. */
#if FUSE_USE_VERSION < 26
#include "fuse_common_compat.h"
#undef FUSE_MINOR_VERSION
#define fuse_unmount fuse_unmount_compat22
#if FUSE_USE_VERSION == 25
#define FUSE_MINOR_VERSION 5
#define fuse_mount fuse_mount_compat25
#elif FUSE_USE_VERSION == 24 || FUSE_USE_VERSION == 22
#define FUSE_MINOR_VERSION 4
#define fuse_mount fuse_mount_compat22
#elif FUSE_USE_VERSION == 21
#define FUSE_MINOR_VERSION 1
#define fuse_mount fuse_mount_compat22
#elif FUSE_USE_VERSION == 11
#undef FUSE_MAJOR_VERSION
#define FUSE_MAJOR_VERSION 1
#define FUSE_MINOR_VERSION 1
#define fuse_mount fuse_mount_compat1
#else
#error "FUSE_USE_VERSION below 26 is 21, 22, 24, 25 or 11"
#endif
#endif

#ifdef __cplusplus
}
#endif

#endif
