/* The mount door as an object: from options and a volume to a served mount, and back. */
#include "transport/mount/door.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/log.h"
#include "base/os/posix/mount_record.h"
#include "transport/mount/door_priv.h"

struct fs_door_instance {
	struct door d;
};

enum { READY_MS = 10000, DRAIN_MS = 10000, FOREVER_S = 1 << 30, NS_PER_MS = 1000000 };

/* ---------------------------------------------------------------- dispatch */

enum reply_kind {
	REPLY_PLAIN,
	REPLY_ENTRY, /* counts a lookup */
	REPLY_OPEN,  /* makes a handle */
	REPLY_CREATE /* both */
};

static const struct {
	door_op *op;
	enum reply_kind reply;
} operations[FUSE_OPCODE_LIMIT] = {
	[FUSE_LOOKUP] = {door_lookup, REPLY_ENTRY},
	[FUSE_GETATTR] = {door_getattr},
	[FUSE_SETATTR] = {door_setattr},
	[FUSE_READLINK] = {door_readlink},
	[FUSE_SYMLINK] = {door_symlink, REPLY_ENTRY},
	[FUSE_MKNOD] = {door_mknod, REPLY_ENTRY},
	[FUSE_MKDIR] = {door_mkdir, REPLY_ENTRY},
	[FUSE_UNLINK] = {door_unlink},
	[FUSE_RMDIR] = {door_rmdir},
	[FUSE_RENAME] = {door_rename},
	[FUSE_RENAME2] = {door_rename2},
	[FUSE_LINK] = {door_link, REPLY_ENTRY},
	[FUSE_OPEN] = {door_open, REPLY_OPEN},
	[FUSE_READ] = {door_read},
	[FUSE_WRITE] = {door_write},
	[FUSE_STATFS] = {door_statfs},
	[FUSE_RELEASE] = {door_release},
	[FUSE_FSYNC] = {door_fsync},
	[FUSE_SETXATTR] = {door_setxattr},
	[FUSE_GETXATTR] = {door_getxattr},
	[FUSE_LISTXATTR] = {door_listxattr},
	[FUSE_REMOVEXATTR] = {door_removexattr},
	[FUSE_OPENDIR] = {door_opendir, REPLY_OPEN},
	[FUSE_READDIR] = {door_readdir},
	[FUSE_READDIRPLUS] = {door_readdirplus},
	[FUSE_RELEASEDIR] = {door_release},
	[FUSE_FSYNCDIR] = {door_fsyncdir},
	[FUSE_ACCESS] = {door_access},
	[FUSE_CREATE] = {door_create, REPLY_CREATE},
	[FUSE_TMPFILE] = {door_tmpfile, REPLY_CREATE},
	[FUSE_FALLOCATE] = {door_fallocate},
	[FUSE_LSEEK] = {door_lseek},
	[FUSE_COPY_FILE_RANGE] = {door_copy_range},
	[FUSE_COPY_FILE_RANGE_64] = {door_copy_range_64},
	[FUSE_STATX] = {door_statx},
	[FUSE_SYNCFS] = {door_syncfs},
	[FUSE_IOCTL] = {door_ioctl},
	/* FLUSH: nothing is to be done at close; the kernel stops asking after one ENOSYS.
	 * Locks and poll: the kernel's own. */
};

/* What the kernel will not know of when it does not take the reply. */
struct undo {
	uint64_t nodeid, fh;
};

static struct undo
undo_of(const struct fusek_req *req, enum reply_kind kind)
{
	const struct fuse_entry_out *entry = req->out;
	const struct fuse_open_out *open =
		(const void *)((const char *)req->out +
			       (kind == REPLY_CREATE ? sizeof(*entry) : 0));

	return (struct undo){
		.nodeid = kind == REPLY_ENTRY || kind == REPLY_CREATE ? entry->nodeid : 0,
		.fh = kind == REPLY_OPEN || kind == REPLY_CREATE ? open->fh : 0,
	};
}

static void
dispatch(void *ctx, struct fusek_req *req)
{
	struct door *d = ctx;
	enum reply_kind kind = operations[req->opcode].reply;
	int n = operations[req->opcode].op(d, req);
	struct undo undo;

	if (n < 0) {
		(void)fusek_reply_err(req, -n);
		return;
	}
	undo = undo_of(req, kind);
	/* Late answers of READDIRPLUS keep their lookups until the mount ends: a list of them
	 * would cost every listing what only a missed deadline needs. */
	if (fusek_reply_in_place(req, (size_t)n) != -ENOENT)
		return;
	if (undo.fh)
		door_end_handle(d, undo.fh);
	if (undo.nodeid)
		door_node_forget(&d->nodes, undo.nodeid, 1);
}

static void
forget(void *ctx, uint64_t nodeid, uint64_t n)
{
	struct door *d = ctx;

	door_node_forget(&d->nodes, nodeid, n);
}

static void
negotiated(void *ctx, uint64_t capable, uint64_t *want)
{
	struct door *d = ctx;

	/* The kernel refuses passthrough on a connection with a writeback cache (ruling 9). */
	if (*want & capable & FUSE_WRITEBACK_CACHE)
		*want &= ~FUSE_PASSTHROUGH;
	d->writeback = *want & capable & FUSE_WRITEBACK_CACHE;
	d->passthrough = *want & capable & FUSE_PASSTHROUGH;
	d->kills_set_id = *want & capable & FUSE_HANDLE_KILLPRIV_V2;
}

static void
session_ended(void *ctx)
{
	struct door *d = ctx;

	if (d->ended)
		d->ended(d->ended_ctx, atomic_load(&d->stopping));
}

static struct fusek_ops
session_ops(void)
{
	struct fusek_ops ops = {.init = negotiated, .forget = forget, .ended = session_ended};

	for (size_t i = 0; i < FUSE_OPCODE_LIMIT; i++)
		if (operations[i].op)
			ops.op[i] = dispatch;
	return ops;
}

/* ---------------------------------------------------------------- what ends with a table */

static void
end_handle(void *ctx, struct door_handle *h)
{
	struct door *d = ctx;

	door_io_end(d, h);
	if (!h->keeper)
		door_close_handle(&h->fs);
	door_node_put(&d->nodes, h->node);
}

static void
end_keeper(void *ctx, struct fs_handle *fs)
{
	door_close_handle(&fs);
}

static void
node_closed(void *ctx, struct door_node *node, struct fs_handle *keeper)
{
	door_temporary_closed(ctx, node, keeper);
}

static void
init_handles(struct door *d)
{
	door_handles_init(&d->handles, end_handle, end_keeper, d);
	d->handles.closed = node_closed;
}

static void
node_gone(void *ctx, struct door_node *node)
{
	struct door *d = ctx;

	door_keeper_put(&d->handles, node->keeper);
}

/* ---------------------------------------------------------------- configuration */

static uint64_t
timeout_ns(uint64_t option_ns, uint32_t volume_ms)
{
	if (option_ns != DOOR_TIME_UNSET)
		return option_ns;
	if (volume_ms == FS_TIMEOUT_INFINITE)
		return (uint64_t)FOREVER_S * 1000000000;
	return (uint64_t)volume_ms * NS_PER_MS;
}

/*
 * The volume's cache times (winfsp-fsctl §22) become the kernel's: what stat shows comes from
 * information and descriptor, a name from the directory and from what it leads to.
 */
static void
configure_timeouts(struct door *d)
{
	const struct fs_volume_params *p = &d->params;
	const struct door_options *o = &d->options;
	uint32_t attr_ms = d->has_acls ? MIN(p->file_info_timeout, p->security_timeout) :
					 p->file_info_timeout;

	d->timeouts.attr_ns = timeout_ns(o->attr_timeout_ns, attr_ms);
	d->timeouts.entry_ns = timeout_ns(o->entry_timeout_ns, p->file_info_timeout);
	/* Another case of the name may come into being: never on folding volumes (ruling 8). */
	d->timeouts.negative_ns = p->flags & FS_VOL_CASE_SENSITIVE ?
					  timeout_ns(o->negative_timeout_ns, p->dir_info_timeout) :
					  0;
	d->keep_cache = p->file_info_timeout == FS_TIMEOUT_INFINITE;
	d->keep_dirs = p->dir_info_timeout == FS_TIMEOUT_INFINITE;
}

static uint32_t
process_umask(void)
{
	mode_t mask = umask(022);

	umask(mask);
	return mask;
}

static void
configure_rules(struct door *d)
{
	const struct door_options *o = &d->options;
	uint32_t sector = d->params.sector_size ? d->params.sector_size : 512;
	uint32_t per_unit = d->params.sectors_per_allocation ? d->params.sectors_per_allocation :
							       1;
	uint32_t unit = sector * per_unit;

	d->rules = (struct door_attr_rules){
		.uid = o->has_uid ? o->uid : getuid(),
		.gid = o->has_gid ? o->gid : getgid(),
		.force_uid = o->has_uid,
		.force_gid = o->has_gid,
		.umask = o->has_umask ? o->umask : 0,
		.bare_umask = o->has_umask ? o->umask : process_umask(),
		/* The kernel wants a power of two. */
		.blksize = unit < 4096 || (unit & (unit - 1)) ? 4096 : unit,
	};
}

static bool
wants_passthrough(const struct door *d)
{
	return d->options.passthrough != DOOR_OFF && d->options.writeback != DOOR_ON &&
	       fs_volume_has_kind(&d->params, FS_KIND_BACKING) && !d->options.direct_io;
}

/* Only where the kernel's caches are allowed to be the truth; not with passthrough. */
static bool
wants_writeback(const struct door *d)
{
	if (d->options.writeback != DOOR_AUTO)
		return d->options.writeback == DOOR_ON;
	return d->keep_cache && !wants_passthrough(d) && !d->options.direct_io;
}

static void
configure_flags(struct door *d)
{
	d->want = FUSE_ASYNC_READ | FUSE_ATOMIC_O_TRUNC | FUSE_BIG_WRITES | FUSE_DONT_MASK |
		  FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO | FUSE_ASYNC_DIO |
		  FUSE_PARALLEL_DIROPS | FUSE_ABORT_ERROR | FUSE_MAX_PAGES | FUSE_CACHE_SYMLINKS |
		  FUSE_HANDLE_KILLPRIV_V2 | FUSE_SETXATTR_EXT | FUSE_INIT_EXT |
		  FUSE_HAS_EXPIRE_ONLY | FUSE_NO_EXPORT_SUPPORT | FUSE_DIRECT_IO_ALLOW_MMAP |
		  FUSE_CREATE_SUPP_GROUP;
	/* With a timeout of 0 it would cost a GETATTR before each read. */
	if (d->timeouts.attr_ns != 0)
		d->want |= FUSE_AUTO_INVAL_DATA;
	if (wants_writeback(d))
		d->want |= FUSE_WRITEBACK_CACHE;
}

/*
 * The engine checks whatever reaches it. But a lookup that the kernel answers from its cache does
 * not: who lets others in (ruling 2), or is not root, lets the kernel check too. The default of an
 * ordinary user's own mount goes beyond the ruling: without it a directory that has lost its search
 * permission would go on being searched, and fifos, sockets and devices would be open to anybody
 * (tests/clients/expected had 14 such differences). Root may pass everywhere: nothing to check.
 */
static void
configure_permissions(struct door *d)
{
	struct fusek_mount_options *m = &d->options.mount;

	if (m->allow_other || (geteuid() != 0 && !d->options.no_default_permissions))
		m->default_permissions = true;
	d->checks_names = d->has_acls && !m->default_permissions;
}

static void
configure_volume(struct door *d)
{
	uint32_t flags = d->params.flags;

	d->has_acls = flags & FS_VOL_PERSISTENT_ACLS;
	d->has_eas = flags & FS_VOL_EXTENDED_ATTRIBUTES;
	d->has_reparse = flags & FS_VOL_REPARSE_POINTS;
	if (flags & FS_VOL_READ_ONLY)
		d->options.mount.read_only = true;
	configure_permissions(d);
}

static void
configure_names(struct door *d, const struct fs_door_params *p)
{
	struct fusek_mount_options *m = &d->options.mount;

	if (!m->subtype[0] && p->fs_name)
		snprintf(m->subtype, sizeof(m->subtype), "%s", p->fs_name);
	if (!m->fsname[0] && p->source)
		snprintf(m->fsname, sizeof(m->fsname), "%s", p->source);
}

static struct fusek_config
session_config(const struct door *d, const struct fs_door_params *p)
{
	const struct door_options *o = &d->options;

	return (struct fusek_config){
		.name = p->fs_name ? p->fs_name : "mount",
		.transport = o->transport,
		.max_write = o->max_write,
		.time_gran_ns = 100,
		.max_threads = o->threads ? o->threads : p->n_threads,
		.max_stack_depth = wants_passthrough(d) ? 1 : 0,
		.deadline_ms = o->has_deadline ? o->deadline_ms : p->deadline_ms,
		.interrupt_ms = DOOR_INTERRUPT_MS,
		.want = d->want,
		.max_minor = o->protocol_minor,
	};
}

/* ---------------------------------------------------------------- life */

/* Dirty pages of files that stay open must not be lost with the mount. */
static void
write_back(struct door *d)
{
	int fd = open(d->where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || syncfs(fd) < 0)
		log_warn("mount", "mountpoint=\"%s\" could not be synced: %s", d->where,
			 strerror(errno));
	if (fd >= 0)
		close(fd);
}

/*
 * Plainly first: an unmount that is not lazy has ended every use when it returns. 0, or -EBUSY
 * when files stayed open.
 */
static int
unmount(struct door *d)
{
	struct fusek_mount_error error = {0};
	int err;

	if (!d->mounted)
		return 0;
	d->mounted = false;
	/* Unmounted from outside already, and somebody else's drive may have taken the place. */
	if (d->record_id >= 0 && fusek_mount_id(d->where) != d->record_id) {
		mount_record_release(d->record_id);
		return 0;
	}
	err = fusek_unmount(d->where, false, &error);
	if (err == -EBUSY) {
		if (d->started)
			write_back(d);
		if (fusek_unmount(d->where, true, &error) < 0)
			log_warn("mount", "mountpoint=\"%s\" %s", d->where, error.text);
	} else if (err < 0) {
		/* Somebody else may have unmounted it: that is how a mount ends from outside. */
		log_debug("mount", "unmount mountpoint=\"%s\" err=%d", d->where, -err);
		err = 0;
	}
	if (d->record_id >= 0)
		mount_record_release(d->record_id);
	return err;
}

/* So that somebody can tell, after a crash, whose the dead mount is. */
static void
write_record(struct door *d)
{
	int err = 0;

	d->record_id = fusek_mount_id(d->where);
	if (d->record_id >= 0)
		err = mount_record_write(d->record_id, d->options.mount.subtype, d->where);
	if (err < 0)
		log_debug("mount", "no mount record mountpoint=\"%s\" err=%d", d->where, -err);
}

static int
option_check(const char *item, struct fs_door_error *error)
{
	struct door_options options;

	door_options_init(&options);
	return door_option_parse(&options, item, error);
}

static void
door_destroy(struct door *d)
{
	/* Nodes still have keepers, which the handle table counts. */
	door_nodes_fini(&d->nodes);
	door_handles_fini(&d->handles);
	rwlock_fini(&d->tree);
	mutex_fini(&d->renaming);
	free(d->where);
	free(container_of(d, struct fs_door_instance, d));
}

static int
door_make(struct fs_volume *volume, const struct fs_door_params *p, struct fs_door_error *error,
	  struct door **ret_door)
{
	struct fs_door_instance *instance = calloc(1, sizeof(*instance));
	struct door *d;
	bool fold;

	if (!instance)
		return door_fail(error, ENOMEM, "out of memory");
	d = &instance->d;
	d->volume = volume;
	d->record_id = -1;
	d->params = *fs_volume_get_params(volume);
	d->ended = p->ended;
	d->ended_ctx = p->ctx;
	fold = !(d->params.flags & FS_VOL_CASE_SENSITIVE);
	if (door_nodes_init(&d->nodes, fold, fs_volume_has_kind(&d->params, FS_KIND_LINK),
			    node_gone, d) < 0) {
		free(instance);
		return door_fail(error, ENOMEM, "out of memory");
	}
	init_handles(d);
	rwlock_init(&d->tree);
	mutex_init(&d->renaming);
	d->where = strdup(p->where);
	if (!d->where) {
		door_destroy(d);
		return door_fail(error, ENOMEM, "out of memory");
	}
	*ret_door = d;
	return 0;
}

static int
configure(struct door *d, const struct fs_door_params *p, struct fs_door_error *error)
{
	int err;

	door_options_init(&d->options);
	err = door_options_parse(&d->options, p->options, error);
	if (err)
		return err;
	configure_names(d, p);
	configure_volume(d);
	configure_timeouts(d);
	configure_rules(d);
	configure_flags(d);
	return 0;
}

static int
mount_and_connect(struct door *d, const struct fs_door_params *p, struct fs_door_error *error)
{
	struct fusek_config config = session_config(d, p);
	struct fusek_ops ops = session_ops();
	struct fusek_mount_error mount_error = {0};
	int fd = fusek_mount(d->where, &d->options.mount, false, &mount_error), err;

	if (fd < 0)
		return door_fail(error, mount_error.err ? mount_error.err : -fd, "%s",
				 mount_error.text);
	d->mounted = true;
	err = fusek_session_create(fd, &config, &ops, d, &d->session);
	if (err) {
		(void)unmount(d);
		close(fd);
		return door_fail(error, -err, "%s: the FUSE session cannot be set up: %s",
				 d->where, strerror(-err));
	}
	write_record(d);
	return 0;
}

static int
attach(struct fs_volume *volume, const struct fs_door_params *params, struct fs_door_error *error,
       struct fs_door_instance **ret_door)
{
	struct door *d = NULL;
	int err = door_make(volume, params, error, &d);

	if (!d)
		return err;
	err = configure(d, params, error);
	if (!err)
		err = mount_and_connect(d, params, error);
	if (err) {
		door_destroy(d);
		return err;
	}
	*ret_door = container_of(d, struct fs_door_instance, d);
	return 0;
}

/* -EOPNOTSUPP of a session that shall use io_uring and nothing else. */
static int
explain_no_ring(struct door *d, struct fs_door_error *error)
{
	struct fusek_info info;

	fusek_session_info(d->session, &info);
	return door_fail(error, EOPNOTSUPP,
			 "%s: transport=uring was asked for, but FUSE over io_uring cannot be had: "
			 "%s (transport=auto takes /dev/fuse instead; userdrive doctor)",
			 d->where, info.why);
}

static int
start(struct fs_door_instance *instance, uint32_t n_threads, struct fs_door_error *error)
{
	struct door *d = &instance->d;
	int err = door_notify_start(d);

	/* The program's word, unless whoever mounts has said something else. */
	if (n_threads && !d->options.threads)
		fusek_session_limit_threads(d->session, n_threads);
	if (!err)
		err = fusek_session_start(d->session);
	if (err)
		return err;
	d->started = true;
	err = fusek_session_wait_ready(d->session, READY_MS);
	return err == -EOPNOTSUPP ? explain_no_ring(d, error) : err;
}

static int
leave(struct fs_door_instance *instance)
{
	struct door *d = &instance->d;

	/* From here on the end is what was asked for. */
	atomic_store(&d->stopping, true);
	return unmount(d);
}

static void
stop(struct fs_door_instance *instance)
{
	struct door *d = &instance->d;

	if (d->stopped)
		return;
	d->stopped = true;
	(void)leave(instance);
	if (d->started) {
		fusek_session_stop(d->session, DRAIN_MS);
		fusek_session_join(d->session);
	}
	door_notify_stop(d);
}

static int
describe(struct fs_door_instance *instance, char *dst, size_t cap)
{
	struct door *d = &instance->d;
	CLEANUP(buf_fini) struct buf b = BUF_INIT;
	struct fusek_info info;

	fusek_session_info(d->session, &info);
	buf_printf(&b, "\"mountpoint\":");
	buf_json_string(&b, d->where);
	buf_printf(&b, ",\"transport\":\"%s\",\"why\":",
		   info.transport == FUSEK_TRANSPORT_URING ? "io_uring" : "/dev/fuse");
	buf_json_string(&b, info.why);
	buf_printf(&b,
		   ",\"protocol\":\"%u.%u\",\"flags\":\"%#llx\",\"max_write\":%u,\"threads\":%u,"
		   "\"requests\":%llu,\"deadline_misses\":%llu,\"nodes\":%zu,\"handles\":%zu,"
		   "\"writeback\":%s,\"passthrough\":%s",
		   info.major, info.minor, (unsigned long long)info.flags, info.max_write,
		   info.n_threads, (unsigned long long)info.n_requests,
		   (unsigned long long)info.n_deadline_misses, door_nodes_count(&d->nodes),
		   door_handles_count(&d->handles), d->writeback ? "true" : "false",
		   d->passthrough ? "true" : "false");
	if (buf_error(&b) || b.n >= cap)
		return -ENOSPC;
	memcpy(dst, buf_str(&b), b.n + 1);
	return (int)b.n;
}

static void
detach(struct fs_door_instance *instance)
{
	struct door *d = &instance->d;

	if (!instance)
		return;
	stop(instance);
	/* Handles end before the session does: their backing ids are the session's. */
	door_handles_fini(&d->handles);
	fusek_session_destroy(d->session);
	init_handles(d);
	door_destroy(d);
}

const struct fs_door door_mount = {
	.name = "mount",
	.option_check = option_check,
	.attach = attach,
	.start = start,
	.leave = leave,
	.stop = stop,
	.describe = describe,
	.detach = detach,
};
