/*
 * Options that override the connection's parameters.
 */
#include "api/fuse/api.h"

#include <stdlib.h>
#include <string.h>

/* -1 (or all ones): not given. Switches are 0 and 1. */
struct fuse_conn_info_opts {
	unsigned max_write, max_readahead, max_background, congestion_threshold, time_gran;
	int atomic_o_trunc, posix_lock, flock, splice_write, splice_move, splice_read;
	int auto_inval_data, readdirplus, readdirplus_auto, async_read, async_dio, writeback;
};

#define AT(field) offsetof(struct fuse_conn_info_opts, field)
#define NUMBER(name) { #name "=%u", AT(name), 0 }
#define SET(option, field, value) { option, AT(field), value }

static const struct fuse_opt conn_opts[] = {
	NUMBER(max_write),
	NUMBER(max_readahead),
	NUMBER(max_background),
	NUMBER(congestion_threshold),
	NUMBER(time_gran),
	SET("sync_read", async_read, 0),
	SET("async_read", async_read, 1),
	SET("atomic_o_trunc", atomic_o_trunc, 1),
	SET("no_remote_lock", posix_lock, 0),
	SET("no_remote_lock", flock, 0),
	SET("no_remote_flock", flock, 0),
	SET("no_remote_posix_lock", posix_lock, 0),
	SET("splice_write", splice_write, 1),
	SET("no_splice_write", splice_write, 0),
	SET("splice_move", splice_move, 1),
	SET("no_splice_move", splice_move, 0),
	SET("splice_read", splice_read, 1),
	SET("no_splice_read", splice_read, 0),
	SET("auto_inval_data", auto_inval_data, 1),
	SET("no_auto_inval_data", auto_inval_data, 0),
	SET("readdirplus=no", readdirplus, 0),
	SET("readdirplus=yes", readdirplus, 1),
	SET("readdirplus=yes", readdirplus_auto, 0),
	SET("readdirplus=auto", readdirplus, 1),
	SET("readdirplus=auto", readdirplus_auto, 1),
	SET("async_dio", async_dio, 1),
	SET("no_async_dio", async_dio, 0),
	SET("writeback_cache", writeback, 1),
	SET("no_writeback_cache", writeback, 0),
	FUSE_OPT_END
};

/* The switches, and what they switch. */
static const struct {
	size_t at;
	uint64_t flag;
} switches[] = {
	{ AT(async_read), FUSE_CAP_ASYNC_READ },
	{ AT(atomic_o_trunc), FUSE_CAP_ATOMIC_O_TRUNC },
	{ AT(posix_lock), FUSE_CAP_POSIX_LOCKS },
	{ AT(flock), FUSE_CAP_FLOCK_LOCKS },
	{ AT(splice_write), FUSE_CAP_SPLICE_WRITE },
	{ AT(splice_move), FUSE_CAP_SPLICE_MOVE },
	{ AT(splice_read), FUSE_CAP_SPLICE_READ },
	{ AT(auto_inval_data), FUSE_CAP_AUTO_INVAL_DATA },
	{ AT(readdirplus), FUSE_CAP_READDIRPLUS },
	{ AT(readdirplus_auto), FUSE_CAP_READDIRPLUS_AUTO },
	{ AT(async_dio), FUSE_CAP_ASYNC_DIO },
	{ AT(writeback), FUSE_CAP_WRITEBACK_CACHE },
};

struct fuse_conn_info_opts *
fuse_parse_conn_info_opts(struct fuse_args *args)
{
	struct fuse_conn_info_opts *opts = malloc(sizeof(*opts));

	if (!opts) {
		fuse_log(FUSE_LOG_ERR, "fuse: memory allocation failed\n");
		return NULL;
	}
	memset(opts, 0xff, sizeof(*opts));
	if (fuse_opt_parse(args, opts, conn_opts, NULL) == -1) {
		free(opts);
		return NULL;
	}
	return opts;
}

static void
number_apply(uint32_t *to, unsigned value)
{
	if (value != ~0u)
		*to = value;
}

static void
switch_apply(struct fuse_conn_info *conn, int value, uint64_t flag)
{
	/* Asked for whether offered or not: the connection then says that it is unknown, which is
	 * what somebody who gave the option wants to hear. */
	if (value == 1) {
		conn->want |= (uint32_t)flag;
		conn->want_ext |= flag;
	} else if (value == 0) {
		fuse_unset_feature_flag(conn, flag);
	}
}

void
fuse_apply_conn_info_opts(struct fuse_conn_info_opts *opts, struct fuse_conn_info *conn)
{
	size_t i;

	number_apply(&conn->max_write, opts->max_write);
	number_apply(&conn->max_readahead, opts->max_readahead);
	number_apply(&conn->max_background, opts->max_background);
	number_apply(&conn->congestion_threshold, opts->congestion_threshold);
	number_apply(&conn->time_gran, opts->time_gran);
	for (i = 0; i < sizeof(switches) / sizeof(switches[0]); i++) {
		int value;

		memcpy(&value, (char *)opts + switches[i].at, sizeof(value));
		switch_apply(conn, value, switches[i].flag);
	}
}
