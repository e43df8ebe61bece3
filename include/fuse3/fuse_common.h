/*
 * fuse_common.h: what the high-level and the low-level API share. Include fuse.h or
 * fuse_lowlevel.h, with FUSE_USE_VERSION defined: the API level that the source is written for,
 * 30 to 35 or 312 to 318.
 */
#if !defined(FUSE_H_) && !defined(FUSE_LOWLEVEL_H_)
#error "include <fuse.h> or <fuse_lowlevel.h>, which include <fuse_common.h>"
#endif

#ifndef FUSE_COMMON_H_
#define FUSE_COMMON_H_

#include "libfuse_config.h"
#include "fuse_opt.h"
#include "fuse_log.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FUSE_MAKE_VERSION(maj, min) ((maj) * 100 + (min))
#define FUSE_VERSION FUSE_MAKE_VERSION(FUSE_MAJOR_VERSION, FUSE_MINOR_VERSION)

#if !defined(FUSE_USE_VERSION) || FUSE_USE_VERSION < 30
#error "define FUSE_USE_VERSION as 30 or higher"
#endif

#ifdef __cplusplus
extern "C" {
#endif

struct fuse_session;
struct fuse_pollhandle;
struct fuse_conn_info_opts;
struct statx;

/* Release whose headers a program was built with. */
struct libfuse_version {
	uint32_t major;
	uint32_t minor;
	uint32_t hotfix;
	uint32_t padding;
};

/*
 * An open file or directory. Flags marked (reply) are set by the file system in open, create or
 * opendir, and tell the kernel how to treat this opening; the others are told to it.
 */
struct fuse_file_info {
	int32_t flags;                       /* of open(2) */
	uint32_t writepage : 1;              /* write: from the page cache, so the caller's ids and
					      * fh may be those of another opening */
	uint32_t direct_io : 1;              /* (reply) no page cache */
	uint32_t keep_cache : 1;             /* (reply) cached data of earlier openings is valid */
	uint32_t flush : 1;                  /* release, lock: part of a close(2) */
	uint32_t nonseekable : 1;            /* (reply) lseek(2) fails */
	uint32_t flock_release : 1;          /* release: drop flock(2) locks of lock_owner */
	uint32_t cache_readdir : 1;          /* (reply, opendir) the kernel may cache the listing */
	uint32_t noflush : 1;                /* (reply) close(2) needs no flush */
	uint32_t parallel_direct_writes : 1; /* (reply) direct writes need not be one by one */
	uint32_t padding : 23;
	uint32_t padding2 : 32;
	uint32_t padding3 : 32;
	uint64_t fh;                         /* (reply) the file system's own, handed back later */
	uint64_t lock_owner;                 /* locks and flush */
	uint32_t poll_events;                /* poll: what is waited for; 0: unknown */
	int32_t backing_id;                  /* (reply) of fuse_passthrough_open; 0: none */
	uint64_t compat_flags;
	uint64_t reserved[2];
};

/* How the multi-threaded loop works. From 312 on the structure is opaque (fuse_loop_cfg_*). */
#if FUSE_USE_VERSION < FUSE_MAKE_VERSION(3, 12)
struct fuse_loop_config_v1;
struct fuse_loop_config {
#else
struct fuse_loop_config;
struct fuse_loop_config_v1 {
#endif
	int clone_fd;                  /* each thread its own descriptor of the connection */
	unsigned int max_idle_threads; /* idle threads above this number end */
};

/*
 * Features of a connection: capable_ext says what the kernel offers, want_ext what is asked for.
 * "default" ones are asked for before init is called where the kernel offers them.
 */
#define FUSE_CAP_ASYNC_READ (1UL << 0)      /* default: reads of a file in parallel, any order */
#define FUSE_CAP_POSIX_LOCKS (1UL << 1)     /* default with getlk and setlk: fcntl(2) locks */
#define FUSE_CAP_ATOMIC_O_TRUNC (1UL << 3)  /* default: open gets O_TRUNC */
#define FUSE_CAP_EXPORT_SUPPORT (1UL << 4)  /* lookup understands "." and ".." (NFS) */
#define FUSE_CAP_DONT_MASK (1UL << 6)       /* the file system applies the umask */
#define FUSE_CAP_SPLICE_WRITE (1UL << 7)    /* replies may be spliced */
#define FUSE_CAP_SPLICE_MOVE (1UL << 8)     /* splicing may move pages */
#define FUSE_CAP_SPLICE_READ (1UL << 9)     /* default with write_buf: requests are spliced */
#define FUSE_CAP_FLOCK_LOCKS (1UL << 10)    /* default with flock: flock(2) is asked */
#define FUSE_CAP_IOCTL_DIR (1UL << 11)      /* default: ioctl on directories */
#define FUSE_CAP_AUTO_INVAL_DATA (1UL << 12) /* default: a new mtime or size drops cached data */
#define FUSE_CAP_READDIRPLUS (1UL << 13)    /* default with readdirplus: list with attributes */
#define FUSE_CAP_READDIRPLUS_AUTO (1UL << 14) /* default with both: the kernel chooses */
#define FUSE_CAP_ASYNC_DIO (1UL << 15)      /* default: direct I/O in parallel pieces */
#define FUSE_CAP_WRITEBACK_CACHE (1UL << 16) /* writes stay in the page cache at first */
#define FUSE_CAP_NO_OPEN_SUPPORT (1UL << 17) /* ENOSYS of open: no open requests any more */
#define FUSE_CAP_PARALLEL_DIROPS (1UL << 18) /* default: lookup and readdir in parallel */
#define FUSE_CAP_POSIX_ACL (1UL << 19)      /* the kernel enforces ACLs kept as xattrs */
#define FUSE_CAP_HANDLE_KILLPRIV (1UL << 20) /* the file system drops set-id bits */
#define FUSE_CAP_HANDLE_KILLPRIV_V2 (1UL << 21) /* the same, when the request says so */
#define FUSE_CAP_CACHE_SYMLINKS (1UL << 23) /* targets of symbolic links are cached */
#define FUSE_CAP_NO_OPENDIR_SUPPORT (1UL << 24) /* ENOSYS of opendir: no opendir any more */
#define FUSE_CAP_EXPLICIT_INVAL_DATA (1UL << 25) /* only notifications drop cached data */
#define FUSE_CAP_EXPIRE_ONLY (1UL << 26)    /* names can be expired instead of dropped */
#define FUSE_CAP_SETXATTR_EXT (1UL << 27)   /* setxattr carries extra flags */
#define FUSE_CAP_DIRECT_IO_ALLOW_MMAP (1UL << 28) /* shared mmap of direct_io files */
#define FUSE_CAP_PASSTHROUGH (1UL << 29)    /* backing files: fuse_passthrough_open */
#define FUSE_CAP_NO_EXPORT_SUPPORT (1UL << 30) /* no NFS export, no name_to_handle_at(2) */
#define FUSE_CAP_OVER_IO_URING (1UL << 31)  /* requests come over io_uring */

/*
 * Names of WinFsp's FUSE layer, so that portable sources build. Their bits are taken by the
 * kernel's features there; here they are high ones, which only capable_ext and want_ext hold, so a
 * test of the 32-bit fields finds them "not offered".
 */
#define FSP_FUSE_CAP_READDIR_PLUS FUSE_CAP_READDIRPLUS
#define FSP_FUSE_CAP_READ_ONLY ((uint64_t)1 << 59)
#define FSP_FUSE_CAP_STAT_EX ((uint64_t)1 << 60)
#define FSP_FUSE_CAP_DELETE_ACCESS ((uint64_t)1 << 61)
#define FSP_FUSE_CAP_CASE_INSENSITIVE ((uint64_t)1 << 62)
#define FUSE_CAP_CASE_INSENSITIVE FSP_FUSE_CAP_CASE_INSENSITIVE
/* Mask of access() with FSP_FUSE_CAP_DELETE_ACCESS: may it be deleted? */
#define FSP_FUSE_DELETE_OK 0x40000000

/* Flags of ioctl, and the highest number of ranges of a retry, in and out together. */
#define FUSE_IOCTL_COMPAT (1 << 0)       /* a 32-bit caller on a 64-bit kernel */
#define FUSE_IOCTL_UNRESTRICTED (1 << 1) /* cmd does not tell sizes: a retry is needed */
#define FUSE_IOCTL_RETRY (1 << 2)
#define FUSE_IOCTL_DIR (1 << 4)          /* on a directory */
#define FUSE_IOCTL_MAX_IOV 256

/* fuse_conn_info.max_backing_stack_depth */
#define FUSE_BACKING_STACKED_UNDER (0) /* backing files are not on a stacked file system */
#define FUSE_BACKING_STACKED_OVER (1)  /* they may be; nothing can then be stacked on this one */

/* The connection, for init. Fields without "in" may be changed there, downward. */
struct fuse_conn_info {
	uint32_t proto_major;          /* in */
	uint32_t proto_minor;          /* in */
	uint32_t max_write;            /* bytes of one write */
	uint32_t max_read;             /* bytes of one read; also needs -o max_read */
	uint32_t max_readahead;        /* bytes */
	uint32_t capable;              /* in: the low 32 bits of capable_ext */
	uint32_t want;                 /* the low 32 bits of want_ext */
	uint32_t max_background;       /* read-ahead and asynchronous requests at a time */
	uint32_t congestion_threshold; /* of them: the kernel slows down */
	uint32_t time_gran;            /* nanoseconds, a power of ten */
	uint32_t max_backing_stack_depth; /* FUSE_BACKING_STACKED_* */
	uint32_t no_interrupt : 1;     /* interrupts are not reported */
	uint32_t padding : 31;
	uint64_t capable_ext;          /* in: FUSE_CAP_* */
	uint64_t want_ext;             /* by fuse_set_feature_flag */
	uint16_t request_timeout;      /* seconds until the kernel gives up; 0: never */
	uint16_t reserved[31];
};

/* Asks for a feature. False: not offered. In init only. */
bool fuse_set_feature_flag(struct fuse_conn_info *conn, uint64_t flag);
/* Does not ask for it. */
void fuse_unset_feature_flag(struct fuse_conn_info *conn, uint64_t flag);
/* Whether it is offered. */
bool fuse_get_feature_flag(struct fuse_conn_info *conn, uint64_t flag);
/* Brings want and want_ext into agreement. 0, or -EINVAL when both were changed differently. For
 * the library and its tests. */
int fuse_convert_to_conn_want_ext(struct fuse_conn_info *conn);

/*
 * Takes from args the -o options that override fuse_conn_info (max_write=N, max_readahead=N,
 * max_background=N, congestion_threshold=N, time_gran=N, sync_read, async_read, atomic_o_trunc,
 * no_remote_lock, no_remote_flock, no_remote_posix_lock, [no_]splice_write, [no_]splice_move,
 * [no_]splice_read, [no_]auto_inval_data, readdirplus=no|yes|auto, [no_]async_dio,
 * [no_]writeback_cache). The result is for fuse_apply_conn_info_opts in init, then free().
 * NULL after a message.
 */
struct fuse_conn_info_opts *fuse_parse_conn_info_opts(struct fuse_args *args);
/* Changes in conn what was given. */
void fuse_apply_conn_info_opts(struct fuse_conn_info_opts *opts, struct fuse_conn_info *conn);

/* Goes to the background (or, with foreground, only to the directory /). 0, or -1. Threads must be
 * made after it. */
int fuse_daemonize(int foreground);

/* Of the libfuse that this library stands for: major * 100 + minor, and the full text. */
int fuse_version(void);
const char *fuse_pkgversion(void);

void fuse_pollhandle_destroy(struct fuse_pollhandle *ph);

/* ------------------------------------------------------------------ data in pieces */

enum fuse_buf_flags {
	FUSE_BUF_IS_FD = (1 << 1),    /* the data is behind fd, not at mem */
	FUSE_BUF_FD_SEEK = (1 << 2),  /* at pos of fd, not at its file offset */
	FUSE_BUF_FD_RETRY = (1 << 3)  /* short reads and writes of fd are continued */
};

enum fuse_buf_copy_flags {
	FUSE_BUF_NO_SPLICE = (1 << 1),
	FUSE_BUF_FORCE_SPLICE = (1 << 2), /* no fallback: EINVAL where it is impossible */
	FUSE_BUF_SPLICE_MOVE = (1 << 3),  /* SPLICE_F_MOVE */
	FUSE_BUF_SPLICE_NONBLOCK = (1 << 4)
};

struct fuse_buf {
	size_t size; /* bytes */
	enum fuse_buf_flags flags;
	void *mem;
	int fd;
	off_t pos;
	size_t mem_size; /* of a mem that the library allocated */
};

/* count pieces, the first of which may be half used: off bytes of buf[idx]. */
struct fuse_bufvec {
	size_t count;
	size_t idx;
	size_t off;
	struct fuse_buf buf[1];
};

/* One piece of memory of size__ bytes; set buf[0].mem. */
#define FUSE_BUFVEC_INIT(size__) \
	((struct fuse_bufvec){ 1, 0, 0, { { (size__), (enum fuse_buf_flags)0, NULL, -1, 0, 0 } } })

/* Bytes of all pieces, used or not; SIZE_MAX if that overflows. */
size_t fuse_buf_size(const struct fuse_bufvec *bufv);
/* Copies from where src stands to where dst stands and advances both. Bytes copied, or -errno if
 * none were. Flags: enum fuse_buf_copy_flags. */
ssize_t fuse_buf_copy(struct fuse_bufvec *dst, struct fuse_bufvec *src,
		      enum fuse_buf_copy_flags flags);

/* ------------------------------------------------------------------ signals */

/* SIGHUP, SIGINT and SIGTERM end the session's loop, SIGPIPE is ignored; handlers that are already
 * set stay. One session of the process. 0, or -1. */
int fuse_set_signal_handlers(struct fuse_session *se);
/* Crashing signals print a stack trace and end the session. 0, or -1. */
int fuse_set_fail_signal_handlers(struct fuse_session *se);
/* Undoes both. */
void fuse_remove_signal_handlers(struct fuse_session *se);

/* ------------------------------------------------------------------ the loop's configuration */

#if FUSE_USE_VERSION >= FUSE_MAKE_VERSION(3, 12)
/* With defaults; NULL without memory. */
struct fuse_loop_config *fuse_loop_cfg_create(void);
void fuse_loop_cfg_destroy(struct fuse_loop_config *config);
/* Idle threads above value end; UINT_MAX: none ends. */
void fuse_loop_cfg_set_idle_threads(struct fuse_loop_config *config, unsigned int value);
void fuse_loop_cfg_set_max_threads(struct fuse_loop_config *config, unsigned int value);
void fuse_loop_cfg_set_clone_fd(struct fuse_loop_config *config, unsigned int value);
/* Takes over what the structure of levels below 312 says. */
void fuse_loop_cfg_convert(struct fuse_loop_config *config, struct fuse_loop_config_v1 *v1_conf);
#endif

#ifdef __cplusplus
}
static_assert(sizeof(off_t) == 8, "compile with -D_FILE_OFFSET_BITS=64");
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
_Static_assert(sizeof(off_t) == 8, "compile with -D_FILE_OFFSET_BITS=64");
#else
struct fuse_off_t_must_have_64_bits {
	unsigned int bits : sizeof(off_t) == 8 ? 1 : -1;
};
#endif

#endif
