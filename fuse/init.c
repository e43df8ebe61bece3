/* INIT: what the kernel offers, what the file system wants, what both then do. */
#include "fuse/session_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include "base/log.h"

/* INIT flags by the minor version that brought them: an older server would not know them. */
static const struct {
	uint32_t minor;
	uint64_t flags;
} flags_since[] = {
	{32, FUSE_SUBMOUNTS},
	{33, FUSE_HANDLE_KILLPRIV_V2 | FUSE_SETXATTR_EXT},
	{36, FUSE_INIT_EXT | FUSE_SECURITY_CTX | FUSE_HAS_INODE_DAX},
	{38, FUSE_CREATE_SUPP_GROUP | FUSE_HAS_EXPIRE_ONLY},
	{39, FUSE_DIRECT_IO_ALLOW_MMAP},
	{40, FUSE_PASSTHROUGH | FUSE_NO_EXPORT_SUPPORT | FUSE_HAS_RESEND},
	{41, FUSE_ALLOW_IDMAP},
	{42, FUSE_OVER_IO_URING},
	{43, FUSE_REQUEST_TIMEOUT},
};

/* The session's own business, whatever the file system wants. */
static const uint64_t own_flags =
	FUSE_INIT_EXT | FUSE_MAX_PAGES | FUSE_SETXATTR_EXT | FUSE_BIG_WRITES;
/* Decided here, never taken from want. */
static const uint64_t forbidden_flags = FUSE_OVER_IO_URING | FUSE_INIT_RESERVED |
					FUSE_REQUEST_TIMEOUT | FUSE_MAP_ALIGNMENT |
					FUSE_HAS_INODE_DAX;

static uint64_t
flags_unknown_to(uint32_t minor)
{
	uint64_t unknown = 0;

	for (size_t i = 0; i < ARRAY_SIZE(flags_since); i++)
		if (flags_since[i].minor > minor)
			unknown |= flags_since[i].flags;
	return unknown;
}

static uint64_t
offered_flags(const struct fuse_init_in *in, uint32_t minor)
{
	uint64_t offered = in->flags;

	if (in->flags & FUSE_INIT_EXT)
		offered |= (uint64_t)in->flags2 << 32;
	return offered & ~flags_unknown_to(minor);
}

/* The file system's own word on every value. A positive errno: refused. */
static int
negotiate_values(struct fusek_session *s, const struct fuse_init_in *in, uint64_t capable,
		 uint64_t *want)
{
	struct fusek_config *c = &s->config;
	struct fusek_negotiation n = {
		.major = in->major,
		.minor = in->minor,
		.capable = capable,
		.want = *want,
		.max_write = s->max_write,
		.max_readahead = c->max_readahead ? MIN(c->max_readahead, in->max_readahead)
						  : in->max_readahead,
		.time_gran_ns = c->time_gran_ns,
		.max_stack_depth = c->max_stack_depth,
	};

	s->ops.negotiate(s->ctx, &n);
	*want = n.want;
	s->max_write = MIN(s->max_write, MAX(n.max_write & ~(uint32_t)(FUSEK_PAGE - 1),
					     (uint32_t)FUSEK_PAGE));
	c->max_readahead = n.max_readahead;
	s->no_readahead = n.max_readahead == 0;
	if (n.max_background) {
		c->max_background = MIN(n.max_background, (uint32_t)UINT16_MAX);
		c->congestion_threshold = c->max_background * 3 / 4;
	}
	if (n.congestion_threshold)
		c->congestion_threshold = MIN(n.congestion_threshold, c->max_background);
	if (n.time_gran_ns && n.time_gran_ns <= 1000000000)
		c->time_gran_ns = n.time_gran_ns;
	c->max_stack_depth = MIN(n.max_stack_depth, 2u);
	return n.err;
}

static uint64_t
wanted_flags(struct fusek_session *s, const struct fuse_init_in *in, uint64_t offered, int *ret_err)
{
	uint64_t want = s->config.want & offered;

	if (s->config.max_stack_depth)
		want |= FUSE_PASSTHROUGH & offered;
	if (s->ops.init)
		s->ops.init(s->ctx, offered & ~forbidden_flags, &want);
	*ret_err = s->ops.negotiate ? negotiate_values(s, in, offered & ~forbidden_flags, &want) : 0;
	want = (want & offered & ~forbidden_flags) | (own_flags & offered);
	if (want & FUSE_PASSTHROUGH && want & FUSE_WRITEBACK_CACHE) {
		log_warn("fuse", "%s: passthrough left out, writeback cache excludes it", s->name);
		want &= ~FUSE_PASSTHROUGH;
	}
	/* Depth 0 would switch passthrough off in the kernel while the flag says on. */
	if (!s->config.max_stack_depth)
		want &= ~FUSE_PASSTHROUGH;
	return want;
}

static bool
module_parameter_is_no(void)
{
	FILE *f = fopen("/sys/module/fuse/parameters/enable_uring", "re");
	int c = f ? fgetc(f) : 'N';

	if (f)
		fclose(f);
	return c == 'N';
}

/* Whether requests will come by the ring, and the reason in people's words. */
static bool
choose_ring(struct fusek_session *s, uint64_t offered, char *why, size_t why_size)
{
	if (s->config.transport == FUSEK_TRANSPORT_DEV || s->state == SESSION_CREATED) {
		snprintf(why, why_size, "/dev/fuse: %s",
			 s->state == SESSION_CREATED ? "own loop" : "asked for");
		return false;
	}
	if (!(offered & FUSE_OVER_IO_URING)) {
		snprintf(why, why_size, "/dev/fuse: %s",
			 s->config.max_minor < 42   ? "protocol limited below 7.42"
			 : module_parameter_is_no() ? "fuse.enable_uring=N"
						    : "io_uring is not offered by the kernel");
		return false;
	}
	char reason[64];
	int err = fusek_uring_prepare(s, reason, sizeof(reason));
	if (err < 0)
		snprintf(why, why_size, "/dev/fuse: %s", reason);
	return err == 0;
}

static void
fill_answer(struct fusek_session *s, const struct fuse_init_in *in, struct fuse_init_out *out)
{
	const struct fusek_config *c = &s->config;

	*out = (struct fuse_init_out){
		.major = FUSE_KERNEL_VERSION,
		.minor = s->minor,
		.max_readahead = s->no_readahead    ? 0
				 : c->max_readahead ? MIN(c->max_readahead, in->max_readahead)
						    : in->max_readahead,
		.flags = (uint32_t)s->flags,
		.flags2 = (uint32_t)(s->flags >> 32),
		.max_background = (uint16_t)c->max_background,
		.congestion_threshold = (uint16_t)c->congestion_threshold,
		.max_write = s->max_write,
		.time_gran = c->time_gran_ns,
		.max_pages = (uint16_t)(s->max_write / FUSEK_PAGE),
		.max_stack_depth = s->flags & FUSE_PASSTHROUGH ? c->max_stack_depth : 0,
	};
}

static int
send_answer(struct fusek_session *s, uint64_t unique, int err, const void *data, size_t size)
{
	struct fuse_out_header header = {
		.len = (uint32_t)(sizeof(header) + size), .error = -err, .unique = unique};
	struct iovec iov = {(void *)(uintptr_t)data, size};

	return fusek_dev_write(s, &header, &iov, size ? 1 : 0);
}

static void
refuse_kernel(struct fusek_session *s, uint64_t unique, const struct fuse_init_in *in)
{
	log_error("fuse", "%s: the kernel speaks FUSE %u.%u; at least 7.%d is needed (Linux 5.4)",
		  s->name, in->major, in->minor, FUSE_KERNEL_MINOR_MIN);
	int err = send_answer(s, unique, EPROTO, NULL, 0);
	(void)err; /* the session ends either way */
	fusek_session_gone(s);
}

static void
become_ready(struct fusek_session *s, bool ring, const char *why)
{
	mutex_lock(&s->lock);
	s->transport = ring ? FUSEK_TRANSPORT_URING : FUSEK_TRANSPORT_DEV;
	snprintf(s->why, sizeof(s->why), "%s", why);
	atomic_store(&s->ready, true);
	/* Further readers that were asked for from the start. */
	for (unsigned int i = 1; !ring && i < s->config.min_threads; i++)
		if (fusek_worker_start_locked(&s->dev_pool, NULL) < 0)
			break;
	cond_broadcast(&s->changed);
	mutex_unlock(&s->lock);
	log_info("fuse", "%s: protocol 7.%u, %s", s->name, s->minor, why);
}

/* The ring was asked for and cannot be had: nothing else will do. */
static void
refuse_without_ring(struct fusek_session *s, const char *why)
{
	static const char prefix[] = "/dev/fuse: ";
	size_t skip = strncmp(why, prefix, sizeof(prefix) - 1) == 0 ? sizeof(prefix) - 1 : 0;

	mutex_lock(&s->lock);
	snprintf(s->why, sizeof(s->why), "%s", why + skip);
	mutex_unlock(&s->lock);
	atomic_store(&s->ring_refused, true);
	fusek_session_gone(s);
}

static void
negotiate(struct fusek_session *s, uint64_t unique, const struct fuse_init_in *in)
{
	struct fuse_init_out out;
	char why[sizeof(s->why)] = "";

	s->minor = MIN(in->minor, s->config.max_minor);
	uint64_t offered = offered_flags(in, s->minor);
	int refused = 0;
	s->flags = wanted_flags(s, in, offered, &refused);
	if (refused) {
		int err = send_answer(s, unique, refused, NULL, 0);
		(void)err; /* the session ends either way */
		fusek_session_gone(s);
		return;
	}
	if (!(s->flags & FUSE_MAX_PAGES)) /* 32 pages is what such a connection can carry */
		s->max_write = MIN(s->max_write, 32u * FUSEK_PAGE);
	s->layout.setxattr_ext = s->flags & FUSE_SETXATTR_EXT;
	s->layout.extensions = in->minor >= 38 && s->minor >= 38;
	bool ring = choose_ring(s, offered, why, sizeof(why));
	if (!ring && s->config.transport == FUSEK_TRANSPORT_URING) {
		int err = send_answer(s, unique, EPROTO, NULL, 0);
		(void)err; /* the session ends either way */
		refuse_without_ring(s, why);
		return;
	}
	if (ring)
		s->flags |= FUSE_OVER_IO_URING;
	fill_answer(s, in, &out);
	int err = send_answer(s, unique, 0, &out, sizeof(out));
	if (err < 0) {
		log_error("fuse", "%s: INIT answer refused: %s", s->name, strerror(-err));
		if (ring)
			fusek_uring_cancel(s);
		fusek_session_gone(s);
		return;
	}
	if (ring && !fusek_uring_register(s, why, sizeof(why))) {
		if (s->config.transport == FUSEK_TRANSPORT_URING) {
			refuse_without_ring(s, why);
			return;
		}
		ring = false;
		s->flags &= ~FUSE_OVER_IO_URING;
	}
	become_ready(s, ring, why);
}

void
fusek_init_handle(struct worker *worker, struct slot *slot)
{
	struct fusek_session *s = slot->session;
	const struct fuse_init_in *in = slot->req.arg;
	uint64_t unique = slot->req.unique;

	if (atomic_load(&s->ready)) {
		log_warn("fuse", "%s: second INIT refused", s->name);
		int err = send_answer(s, unique, EIO, NULL, 0);
		(void)err;
		return;
	}
	if (in->major > FUSE_KERNEL_VERSION) {
		/* The kernel asks again with our major version. */
		struct fuse_init_out out = {.major = FUSE_KERNEL_VERSION};
		int err = send_answer(s, unique, 0, &out, sizeof(out));
		(void)err;
		return;
	}
	if (in->major < FUSE_KERNEL_VERSION || in->minor < FUSE_KERNEL_MINOR_MIN) {
		refuse_kernel(s, unique, in);
		return;
	}
	struct fuse_init_in copy = *in;
	negotiate(s, unique, &copy);
}
