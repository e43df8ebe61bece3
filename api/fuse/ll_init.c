/* INIT: capabilities of the API, and the kernel's flags. */
#include "api/fuse/lowlevel.h"

#include <errno.h>

#include "api/fuse/conn_features.h"

/* Bits of the API that have one of the kernel. */
static const struct {
	uint64_t cap, flag;
} caps[] = {
	{FUSE_CAP_ASYNC_READ, FUSE_ASYNC_READ},
	{FUSE_CAP_POSIX_LOCKS, FUSE_POSIX_LOCKS},
	{FUSE_CAP_ATOMIC_O_TRUNC, FUSE_ATOMIC_O_TRUNC},
	{FUSE_CAP_EXPORT_SUPPORT, FUSE_EXPORT_SUPPORT},
	{FUSE_CAP_DONT_MASK, FUSE_DONT_MASK},
	{FUSE_CAP_FLOCK_LOCKS, FUSE_FLOCK_LOCKS},
	{FUSE_CAP_AUTO_INVAL_DATA, FUSE_AUTO_INVAL_DATA},
	{FUSE_CAP_READDIRPLUS, FUSE_DO_READDIRPLUS},
	{FUSE_CAP_READDIRPLUS_AUTO, FUSE_READDIRPLUS_AUTO},
	{FUSE_CAP_ASYNC_DIO, FUSE_ASYNC_DIO},
	{FUSE_CAP_WRITEBACK_CACHE, FUSE_WRITEBACK_CACHE},
	{FUSE_CAP_NO_OPEN_SUPPORT, FUSE_NO_OPEN_SUPPORT},
	{FUSE_CAP_PARALLEL_DIROPS, FUSE_PARALLEL_DIROPS},
	{FUSE_CAP_POSIX_ACL, FUSE_POSIX_ACL},
	{FUSE_CAP_HANDLE_KILLPRIV, FUSE_HANDLE_KILLPRIV},
	{FUSE_CAP_HANDLE_KILLPRIV_V2, FUSE_HANDLE_KILLPRIV_V2},
	{FUSE_CAP_CACHE_SYMLINKS, FUSE_CACHE_SYMLINKS},
	{FUSE_CAP_NO_OPENDIR_SUPPORT, FUSE_NO_OPENDIR_SUPPORT},
	{FUSE_CAP_EXPLICIT_INVAL_DATA, FUSE_EXPLICIT_INVAL_DATA},
	{FUSE_CAP_EXPIRE_ONLY, FUSE_HAS_EXPIRE_ONLY},
	{FUSE_CAP_SETXATTR_EXT, FUSE_SETXATTR_EXT},
	{FUSE_CAP_DIRECT_IO_ALLOW_MMAP, FUSE_DIRECT_IO_ALLOW_MMAP},
	{FUSE_CAP_PASSTHROUGH, FUSE_PASSTHROUGH},
	{FUSE_CAP_NO_EXPORT_SUPPORT, FUSE_NO_EXPORT_SUPPORT},
	{FUSE_CAP_OVER_IO_URING, FUSE_OVER_IO_URING},
};

/* Ours to give, whatever the kernel says. */
static const uint64_t library_caps = FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE |
				     FUSE_CAP_SPLICE_READ | FUSE_CAP_IOCTL_DIR;

static uint64_t
caps_of_flags(uint64_t flags)
{
	uint64_t result = 0;

	for (size_t i = 0; i < ARRAY_SIZE(caps); i++)
		if (flags & caps[i].flag)
			result |= caps[i].cap;
	return result;
}

static uint64_t
flags_of_caps(uint64_t wanted)
{
	uint64_t flags = 0;

	for (size_t i = 0; i < ARRAY_SIZE(caps); i++)
		if (wanted & caps[i].cap)
			flags |= caps[i].flag;
	return flags;
}

/* What a file system gets that says nothing. Releases before 3.17 had two more. */
static uint64_t
default_caps(const struct fuse_session *se)
{
	const struct fuse_lowlevel_ops *op = &se->op;
	uint64_t want = FUSE_CAP_ASYNC_READ | FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_ASYNC_DIO |
			FUSE_CAP_IOCTL_DIR | FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_OVER_IO_URING;

	if (se->layout->version.minor < 17)
		want |= FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_HANDLE_KILLPRIV;
	if (op->write_buf)
		want |= FUSE_CAP_SPLICE_READ;
	if (op->getlk && op->setlk)
		want |= FUSE_CAP_POSIX_LOCKS;
	if (op->flock)
		want |= FUSE_CAP_FLOCK_LOCKS;
	if (op->readdirplus)
		want |= FUSE_CAP_READDIRPLUS;
	if (op->readdirplus && op->readdir)
		want |= FUSE_CAP_READDIRPLUS_AUTO;
	return want;
}

static void
call_init(struct fuse_session *se)
{
	union {
		struct fuse_conn_info conn;
		uint64_t room[32];
	} theirs;

	fapi_features_note_defaults(&se->conn);
	if (se->op.init) {
		se->layout->conn_to(&theirs, &se->conn);
		se->op.init(se->userdata, &theirs.conn);
		se->layout->conn_from(&se->conn, &theirs);
	}
	if (fuse_convert_to_conn_want_ext(&se->conn) != 0)
		se->conn.want_ext |= ~se->conn.capable_ext; /* refused below */
}

void
ll_negotiate(void *ctx, struct fusek_negotiation *n)
{
	struct fuse_session *se = ctx;
	struct fuse_conn_info *conn = &se->conn;

	conn->proto_major = n->major;
	conn->proto_minor = n->minor;
	conn->capable_ext = caps_of_flags(n->capable) | library_caps;
	conn->want_ext = default_caps(se) & conn->capable_ext;
	conn->max_write = MIN(conn->max_write, n->max_write);
	conn->max_readahead = MIN(conn->max_readahead, n->max_readahead);
	conn->time_gran = 1;
	se->got_init = true;
	call_init(se);
	if (conn->want_ext & ~conn->capable_ext) {
		fuse_log(FUSE_LOG_ERR,
			 "fuse: the file system wants capabilities 0x%llx that the kernel does not have\n",
			 (unsigned long long)(conn->want_ext & ~conn->capable_ext));
		n->err = EPROTO;
		atomic_store(&se->error, -EPROTO);
		fuse_session_exit(se);
		return;
	}
	n->want = flags_of_caps(conn->want_ext & ~FUSE_CAP_OVER_IO_URING);
	n->max_write = conn->max_write;
	n->max_readahead = conn->max_readahead;
	n->max_background = conn->max_background;
	n->congestion_threshold = conn->congestion_threshold;
	n->time_gran_ns = conn->time_gran;
	n->max_stack_depth = conn->max_backing_stack_depth;
}
