/*
 * A session of the FUSE kernel protocol (7.31 to 7.45): one connection, its transport, its
 * threads, its requests. Knows the protocol and nothing else: no NT, no blocks, no paths.
 *
 * Names begin with fusek_ ("FUSE, kernel side"), because libfuse's own exported names
 * (fuse_session_new, fuse_reply_err …) must stay free for the library in api/fuse.
 *
 * Ownership and threads
 *  - The session owns its descriptor, rings, buffers and threads. Handlers run on session
 *    threads, many at once, and may block: the session adds threads while all are busy.
 *  - A request belongs to its handler until the handler has replied, exactly once. A reply may
 *    come from any thread and after the handler has returned (see fusek_req_park).
 *  - Nothing is locked while a handler runs.
 *
 * Transports: io_uring where kernel and configuration offer it, else /dev/fuse, which can always
 * serve everything. fusek_session_info() says which one runs and why. Who asks for io_uring by name
 * gets it or nothing.
 */
#ifndef USERDRIVE_FUSE_SESSION_H
#define USERDRIVE_FUSE_SESSION_H

#include <stdint.h>
#include <sys/uio.h>
#include "base/compiler.h"
#include "fuse/protocol.h"

struct fusek_session;

enum { FUSEK_REQ_USER_SIZE = 96 };

/*
 * One request. arg is the operation's fixed structure (fuse_open_in …; zero-extended to its
 * current size when an older minor sent a shorter one), payload what follows: names (each
 * NUL-terminated, checked), then data. Both are valid until the reply. On io_uring the reply
 * buffer overlays the payload: copy names before writing to out.
 */
struct fusek_req {
	struct fusek_session *session;
	uint64_t unique;
	uint64_t nodeid;
	uint32_t opcode;
	uint32_t uid, gid, pid; /* of the caller, in the session's user namespace; pid 0: unknown */
	const void *arg;
	uint32_t arg_size;
	const char *payload;
	uint32_t payload_size;
	const char *name;  /* first name of the payload, or NULL */
	const char *name2; /* second name (RENAME, SYMLINK: target), or NULL */
	const void *data;  /* bytes after the names (WRITE, SETXATTR, IOCTL) */
	uint32_t data_size;
	const void *ext;   /* extension area (supplementary groups, security context), or NULL */
	uint32_t ext_size;
	void *out;         /* where a reply can be built in place; NULL: see _process() */
	uint32_t out_cap;  /* at least max(max_write, 4096) bytes for READ-like operations */
	/* The handler's own, zeroed at the start, valid until the reply. */
	_Alignas(16) unsigned char user[FUSEK_REQ_USER_SIZE];
};

typedef void fusek_handler(void *ctx, struct fusek_req *req);

/* What INIT is about to be answered with; see fusek_ops.negotiate. */
struct fusek_negotiation {
	uint32_t major, minor; /* the kernel's */
	uint64_t capable;      /* INIT flags that may be wanted */
	uint64_t want;         /* may be changed, among capable */
	uint32_t max_write;    /* bytes; may be lowered */
	uint32_t max_readahead; /* bytes; may be lowered */
	uint32_t max_background, congestion_threshold; /* 0: the session's defaults */
	uint32_t time_gran_ns;
	uint32_t max_stack_depth;
	int err; /* a positive errno refuses the kernel and ends the session */
};

/*
 * What a file system answers. A NULL handler is answered ENOSYS by the session (which tells the
 * kernel not to ask again where the protocol says so). INIT and INTERRUPT are the session's own
 * business. FORGET, BATCH_FORGET and NOTIFY_REPLY come through op[] where there is a handler, which
 * ends them with fusek_reply_none; else forgets come through forget().
 */
struct fusek_ops {
	fusek_handler *op[FUSE_OPCODE_LIMIT];
	/* Before INIT is answered: may clear or set bits of *want among capable. May be NULL. */
	void (*init)(void *ctx, uint64_t capable, uint64_t *want);
	/* The same with every value of the answer, after init. May be NULL. */
	void (*negotiate)(void *ctx, struct fusek_negotiation *negotiation);
	/* Exactly n references to nodeid are dropped. Never replied to. */
	void (*forget)(void *ctx, uint64_t nodeid, uint64_t n);
	/* The connection has ended (unmounted, aborted or stopped). Called once, when no handler
	 * runs any more, on a session thread. May be NULL. */
	void (*ended)(void *ctx);
};

enum fusek_transport { FUSEK_TRANSPORT_AUTO, FUSEK_TRANSPORT_URING, FUSEK_TRANSPORT_DEV };

struct fusek_config {
	const char *name;              /* for threads and logs */
	enum fusek_transport transport; /* URING: the session ends where that cannot be had */
	uint32_t max_write;            /* bytes, 4096..; 0: 1 MiB (less on many CPUs) */
	uint32_t max_readahead;        /* bytes; 0: what the kernel offers */
	uint32_t max_background;       /* 0: 64 */
	uint32_t congestion_threshold; /* 0: 3/4 of max_background */
	uint32_t time_gran_ns;         /* 1..1000000000; 0: 1. 100 for NT file systems */
	uint32_t min_threads;          /* 0: one per queue, or one reader */
	uint32_t max_threads;          /* 0: 64 */
	uint32_t max_stack_depth;      /* > 0: passthrough of backing descriptors is wanted */
	uint32_t deadline_ms;          /* 0: none. Older requests are answered ETIMEDOUT on the
	                                  handler's behalf; its buffer and thread are set aside
	                                  until it returns (docs/architecture.md, "Deadlines") */
	uint32_t interrupt_ms;         /* 0: none. With a deadline: how long an interrupted request
	                                  may still take before it is answered EINTR in that way */
	uint64_t want;                 /* FUSE_* INIT flags asked for, as far as the kernel has them */
	uint32_t max_minor;            /* 0: 45. Lower values answer INIT as an older server would */
	bool late_replies;             /* a handler may return without reply or park: the reply comes
	                                  later, or never; requests that nobody answers end with
	                                  the session */
	/* Instead of read(2) and writev(2) on the device, results as theirs; both or none. Only
	 * with fusek_session_process. */
	ssize_t (*read)(void *ctx, int fd, void *bytes, size_t size);
	ssize_t (*writev)(void *ctx, int fd, const struct iovec *iov, int n_iov);
	void *io_ctx;
};

struct fusek_info {
	enum fusek_transport transport; /* URING or DEV */
	char why[96];                   /* "io_uring: 2 queues" or "/dev/fuse: fuse.enable_uring=N" */
	uint32_t major, minor;          /* negotiated */
	uint64_t flags;                 /* negotiated INIT flags */
	uint32_t max_write;
	uint32_t n_threads;
	uint64_t n_requests;
	uint64_t n_deadline_misses;
};

/*
 * Takes dev_fd (an open, mounted FUSE descriptor) when it succeeds. config and ops are copied;
 * ctx is borrowed until ops->ended has been called.
 * Returns 0, -ENOMEM, -EINVAL (a value of config out of range).
 */
NODISCARD int fusek_session_create(int dev_fd, const struct fusek_config *config,
				   const struct fusek_ops *ops, void *ctx,
				   struct fusek_session **ret_session);
/* config.max_threads, once more: before the start, max >= 1. With io_uring no queue (one per CPU) gets
 * fewer than four. */
void fusek_session_limit_threads(struct fusek_session *session, uint32_t max);
/* Starts the threads and returns. The kernel's INIT is answered by them. */
NODISCARD int fusek_session_start(struct fusek_session *session);
/* Waits until INIT has been answered: 0, -ETIMEDOUT, -ENOTCONN when the connection ended, or
 * -EOPNOTSUPP when it did because io_uring was asked for and cannot be had (info says why). */
NODISCARD int fusek_session_wait_ready(struct fusek_session *session, uint32_t timeout_ms);
/*
 * Ends the session: no new request is taken, handlers running are waited for at most drain_ms,
 * then the connection is aborted. Any thread but a session thread. Idempotent.
 */
void fusek_session_stop(struct fusek_session *session, uint32_t drain_ms);
/* Waits until the session has ended, by stop or by the kernel (unmount). */
void fusek_session_join(struct fusek_session *session);
/* Stops if needed, joins, frees. NULL is allowed. */
void fusek_session_destroy(struct fusek_session *session);
void fusek_session_info(struct fusek_session *session, struct fusek_info *ret_info);

/*
 * A session without threads, instead of start(): its owner reads and processes messages itself, on
 * any threads, on /dev/fuse only. Needs config.late_replies. out is NULL and what arg, names and
 * data point to is valid until process() returns only. There are no deadlines. stop() gives the
 * device up, without ending a connection that another process holds as well.
 */
/* One message: its bytes (> 0), 0 when the connection is over, or -errno (-EINTR, -EAGAIN …).
 * size: at least fusek_session_buffer_size(). */
NODISCARD ssize_t fusek_session_receive(struct fusek_session *session, void *bytes, size_t size);
/* Calls the handler. What cannot be decoded is answered. bytes: aligned to 8. */
void fusek_session_process(struct fusek_session *session, const void *bytes, size_t size);
size_t fusek_session_buffer_size(const struct fusek_session *session);

/*
 * Replies. err is a positive errno of the protocol, 0 for success. Each ends the request:
 * it must not be touched afterwards. They return -ENOENT when the caller was interrupted or gone
 * (so that an OPEN or CREATE can undo), else 0.
 */
int fusek_reply_err(struct fusek_req *req, int err);
int fusek_reply(struct fusek_req *req, const void *data, size_t size);
int fusek_reply_iov(struct fusek_req *req, const struct iovec *iov, int n_iov);
/* The first size bytes of req->out, already filled. */
int fusek_reply_in_place(struct fusek_req *req, size_t size);
/* Ends a request that the kernel wants no answer to (FORGET …). Of another one, the caller is left
 * waiting until the connection ends; on io_uring it gets EIO. */
void fusek_reply_none(struct fusek_req *req);

/*
 * The handler will return without having replied; the reply comes later from any thread. On
 * io_uring the session keeps its queue served meanwhile (a parked entry is never the last free
 * one). arg, payload and out stay valid until the reply. Called on the handler's own thread,
 * before the request is handed on. When the connection ends first, the interrupt callback is
 * called; a reply is still allowed then, until fusek_session_destroy.
 */
void fusek_req_park(struct fusek_req *req);
/* True when the kernel sent INTERRUPT for this request, or its deadline has passed. */
bool fusek_req_interrupted(struct fusek_req *req);
/* fn(arg) is called at most once, from a session thread, when an INTERRUPT arrives (at once if
 * it already has). NULL clears; after a clear returns, fn is not running. */
void fusek_req_on_interrupt(struct fusek_req *req, void (*fn)(void *arg), void *arg);

/*
 * Notifications to the kernel. May block on locks the kernel holds while it waits for a reply
 * of ours: never call them from a handler, nor with a lock held that a handler takes. Return 0
 * or -errno; -ENOENT means that the kernel does not know the node, which is not an error.
 */
int fusek_notify_inval_inode(struct fusek_session *session, uint64_t nodeid, int64_t offset,
			     int64_t length);
int fusek_notify_inval_entry(struct fusek_session *session, uint64_t parent, const char *name,
			     size_t name_size, bool expire_only);
int fusek_notify_delete(struct fusek_session *session, uint64_t parent, uint64_t child,
			const char *name, size_t name_size);
int fusek_notify_store(struct fusek_session *session, uint64_t nodeid, uint64_t offset,
		       const void *data, uint32_t size);
/* The pages come back as a NOTIFY_REPLY with this unique, 1 to 2^62-1. */
int fusek_notify_retrieve(struct fusek_session *session, uint64_t unique, uint64_t nodeid,
			  uint64_t offset, uint32_t size);
int fusek_notify_poll(struct fusek_session *session, uint64_t kh);
int fusek_notify_inc_epoch(struct fusek_session *session);

/* Passthrough: registers fd (not taken) as backing file; CAP_SYS_ADMIN. -errno or id > 0. */
NODISCARD int fusek_backing_open(struct fusek_session *session, int fd);
void fusek_backing_close(struct fusek_session *session, int backing_id);

/*
 * With FUSE_CREATE_SUPP_GROUP negotiated, of requests that create: the group of the directory, if the
 * caller belongs to it by a supplementary group. The kernel's word: no look into /proc is needed,
 * where the caller may not be seen.
 */
bool fusek_req_group(const struct fusek_req *req, uint32_t *ret_gid);

/* Pure decoder of one request as read from /dev/fuse; fuzzed. Fills req from bytes (borrowed;
 * arg may point into scratch). 0 or -EPROTO. */
struct fusek_decode_scratch {
	_Alignas(8) unsigned char arg[128];
};
NODISCARD int fusek_decode(const void *bytes, size_t size, struct fusek_decode_scratch *scratch,
			   struct fusek_req *ret_req);

#endif
