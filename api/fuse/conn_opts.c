/*
 * Options that override the connection's parameters.
 */
#include "api/fuse/api.h"

#include <stdlib.h>

/* What can be switched on and off. */
enum {
	ASYNC_READ,
	ATOMIC_O_TRUNC,
	POSIX_LOCK,
	FLOCK,
	SPLICE_WRITE,
	SPLICE_MOVE,
	SPLICE_READ,
	AUTO_INVAL_DATA,
	READDIRPLUS,
	READDIRPLUS_AUTO,
	ASYNC_DIO,
	WRITEBACK,
	N_SWITCHES
};

static const uint64_t switch_flags[N_SWITCHES] = {
	[ASYNC_READ] = FUSE_CAP_ASYNC_READ,
	[ATOMIC_O_TRUNC] = FUSE_CAP_ATOMIC_O_TRUNC,
	[POSIX_LOCK] = FUSE_CAP_POSIX_LOCKS,
	[FLOCK] = FUSE_CAP_FLOCK_LOCKS,
	[SPLICE_WRITE] = FUSE_CAP_SPLICE_WRITE,
	[SPLICE_MOVE] = FUSE_CAP_SPLICE_MOVE,
	[SPLICE_READ] = FUSE_CAP_SPLICE_READ,
	[AUTO_INVAL_DATA] = FUSE_CAP_AUTO_INVAL_DATA,
	[READDIRPLUS] = FUSE_CAP_READDIRPLUS,
	[READDIRPLUS_AUTO] = FUSE_CAP_READDIRPLUS_AUTO,
	[ASYNC_DIO] = FUSE_CAP_ASYNC_DIO,
	[WRITEBACK] = FUSE_CAP_WRITEBACK_CACHE,
};

/* Numbers: 0 is "not given". Where both on and off were given, off counts; but of readdirplus=…
 * the last one. */
struct fuse_conn_info_opts {
	unsigned max_write, max_readahead, max_background, congestion_threshold, time_gran;
	int on[N_SWITCHES];
	int off[N_SWITCHES];
	int readdirplus, readdirplus_auto; /* LAST_ON, LAST_OFF */
};

enum {
	LAST_ON = 1,
	LAST_OFF = 2
};

#define NUMBER(name) { #name "=%u", offsetof(struct fuse_conn_info_opts, name), 0 }
#define ON(option, which) \
	{ option, offsetof(struct fuse_conn_info_opts, on) + (which) * sizeof(int), 1 }
#define OFF(option, which) \
	{ option, offsetof(struct fuse_conn_info_opts, off) + (which) * sizeof(int), 1 }
#define LAST(option, name, value) { option, offsetof(struct fuse_conn_info_opts, name), value }

static const struct fuse_opt conn_opts[] = {
	NUMBER(max_write),
	NUMBER(max_readahead),
	NUMBER(max_background),
	NUMBER(congestion_threshold),
	NUMBER(time_gran),
	OFF("sync_read", ASYNC_READ),
	ON("async_read", ASYNC_READ),
	ON("atomic_o_trunc", ATOMIC_O_TRUNC),
	OFF("no_remote_lock", POSIX_LOCK),
	OFF("no_remote_lock", FLOCK),
	OFF("no_remote_flock", FLOCK),
	OFF("no_remote_posix_lock", POSIX_LOCK),
	ON("splice_write", SPLICE_WRITE),
	OFF("no_splice_write", SPLICE_WRITE),
	ON("splice_move", SPLICE_MOVE),
	OFF("no_splice_move", SPLICE_MOVE),
	ON("splice_read", SPLICE_READ),
	OFF("no_splice_read", SPLICE_READ),
	ON("auto_inval_data", AUTO_INVAL_DATA),
	OFF("no_auto_inval_data", AUTO_INVAL_DATA),
	LAST("readdirplus=no", readdirplus, LAST_OFF),
	LAST("readdirplus=yes", readdirplus, LAST_ON),
	LAST("readdirplus=yes", readdirplus_auto, LAST_OFF),
	LAST("readdirplus=auto", readdirplus, LAST_ON),
	LAST("readdirplus=auto", readdirplus_auto, LAST_ON),
	ON("async_dio", ASYNC_DIO),
	OFF("no_async_dio", ASYNC_DIO),
	ON("writeback_cache", WRITEBACK),
	OFF("no_writeback_cache", WRITEBACK),
	FUSE_OPT_END
};

struct fuse_conn_info_opts *
fuse_parse_conn_info_opts(struct fuse_args *args)
{
	struct fuse_conn_info_opts *opts = calloc(1, sizeof(*opts));

	if (!opts) {
		fuse_log(FUSE_LOG_ERR, "fuse: memory allocation failed\n");
		return NULL;
	}
	if (fuse_opt_parse(args, opts, conn_opts, NULL) == -1) {
		free(opts);
		return NULL;
	}
	return opts;
}

static void
number_apply(uint32_t *to, unsigned value)
{
	if (value)
		*to = value;
}

static void
last_apply(struct fuse_conn_info_opts *opts, int which, int last)
{
	opts->on[which] = last == LAST_ON;
	opts->off[which] = last == LAST_OFF;
}

void
fuse_apply_conn_info_opts(struct fuse_conn_info_opts *opts, struct fuse_conn_info *conn)
{
	size_t i;

	last_apply(opts, READDIRPLUS, opts->readdirplus);
	last_apply(opts, READDIRPLUS_AUTO, opts->readdirplus_auto);
	number_apply(&conn->max_write, opts->max_write);
	number_apply(&conn->max_readahead, opts->max_readahead);
	number_apply(&conn->max_background, opts->max_background);
	number_apply(&conn->congestion_threshold, opts->congestion_threshold);
	number_apply(&conn->time_gran, opts->time_gran);
	for (i = 0; i < N_SWITCHES; i++) {
		/* Asked for whether offered or not: the connection then says that it is unknown,
		 * which is what somebody who gave the option wants to hear. */
		if (opts->on[i]) {
			conn->want |= (uint32_t)switch_flags[i];
			conn->want_ext |= switch_flags[i];
		}
		if (opts->off[i])
			fuse_unset_feature_flag(conn, switch_flags[i]);
	}
}
