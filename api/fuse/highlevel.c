#include "api/fuse/highlevel.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "api/fuse/context.h"
#include "base/clock.h"

static void
on_init(void *data, struct fuse_conn_info *conn)
{
	struct fuse *f = data;

	hl_context_enter(f, NULL);
	/* "." and ".." can be looked up, so the mount can be exported. */
	if (conn->capable & FUSE_CAP_EXPORT_SUPPORT)
		fuse_set_feature_flag(conn, FUSE_CAP_EXPORT_SUPPORT);
	hl_fs_init(f->fs, conn, &f->conf);
	f->nodes.remember_s = f->conf.remember;
	if (!f->conf.intr)
		conn->no_interrupt = 1;
	else if (hl_interrupts_enable(&f->interrupts, f->conf.intr_signal) < 0)
		fuse_log(FUSE_LOG_ERR, "fuse: signal %d cannot be used for interrupts\n",
			 f->conf.intr_signal);
}

static void
on_destroy(void *data)
{
	struct fuse *f = data;

	hl_context_enter(f, NULL);
	hl_fs_destroy(f->fs);
}

const struct fuse_lowlevel_ops hl_lowlevel_ops = {
	.init = on_init,
	.destroy = on_destroy,
	.lookup = hl_op_lookup,
	.forget = hl_op_forget,
	.forget_multi = hl_op_forget_multi,
	.readlink = hl_op_readlink,
	.mknod = hl_op_mknod,
	.mkdir = hl_op_mkdir,
	.unlink = hl_op_unlink,
	.rmdir = hl_op_rmdir,
	.symlink = hl_op_symlink,
	.rename = hl_op_rename,
	.link = hl_op_link,
	.getattr = hl_op_getattr,
	.setattr = hl_op_setattr,
	.statx = hl_op_statx,
	.access = hl_op_access,
	.statfs = hl_op_statfs,
	.setxattr = hl_op_setxattr,
	.getxattr = hl_op_getxattr,
	.listxattr = hl_op_listxattr,
	.removexattr = hl_op_removexattr,
	.open = hl_op_open,
	.create = hl_op_create,
	.read = hl_op_read,
	.write_buf = hl_op_write_buf,
	.flush = hl_op_flush,
	.release = hl_op_release,
	.fsync = hl_op_fsync,
	.getlk = hl_op_getlk,
	.setlk = hl_op_setlk,
	.flock = hl_op_flock,
	.bmap = hl_op_bmap,
	.ioctl = hl_op_ioctl,
	.poll = hl_op_poll,
	.fallocate = hl_op_fallocate,
	.copy_file_range = hl_op_copy_file_range,
	.lseek = hl_op_lseek,
	.opendir = hl_op_opendir,
	.readdir = hl_op_readdir,
	.readdirplus = hl_op_readdirplus,
	.releasedir = hl_op_releasedir,
	.fsyncdir = hl_op_fsyncdir,
};

static NODISCARD int
set_up(struct fuse *f, const struct fapi_layout *layout, struct fuse_args *args,
       const struct fuse_operations *op, size_t op_size, void *user_data)
{
	struct libfuse_version ours = fapi_layout_newest()->version;

	if (hl_options_parse(args, &f->conf) < 0)
		return -1;
	f->fs = hl_fs_new(layout, op, op_size, user_data);
	if (!f->fs)
		return -1;
	if (f->conf.modules && hl_modules_push(f, f->conf.modules, args) < 0)
		return -1;
	f->fs->debug = f->conf.debug;
	f->nodes.remember_s = f->conf.remember;
	f->se = fuse_session_new_versioned(args, &hl_lowlevel_ops, sizeof(hl_lowlevel_ops),
					   &ours, f);
	return f->se ? 0 : -1;
}

struct fuse *
hl_new(const struct fapi_layout *layout, struct fuse_args *args,
       const struct fuse_operations *op, size_t op_size, void *user_data)
{
	struct fuse *f = calloc(1, sizeof(*f));
	int err;

	if (!f || nodes_init(&f->nodes) < 0) {
		fuse_log(FUSE_LOG_ERR, "fuse: out of memory\n");
		free(f);
		return NULL;
	}
	mutex_init(&f->cleaner_lock);
	cond_init(&f->cleaner_wake);
	hl_interrupts_init(&f->interrupts);
	hl_fs_collect(&f->layers);
	err = set_up(f, layout, args, op, op_size, user_data);
	hl_fs_collect(NULL);
	if (err == 0)
		return f;
	hl_destroy(f);
	return NULL;
}

void
hl_destroy(struct fuse *f)
{
	hl_cleanup_stop(f);
	if (f->se) {
		/* The files are still the program's: its destroy comes after them. */
		hl_context_enter(f, NULL);
		hl_hidden_purge(f);
		fuse_session_destroy(f->se);
	}
	hl_interrupts_fini(&f->interrupts);
	nodes_fini(&f->nodes);
	hl_fs_free_all(f->layers);
	mutex_fini(&f->cleaner_lock);
	cond_fini(&f->cleaner_wake);
	free(f->conf.modules);
	if (hl_context_get()->pub.fuse == f)
		hl_context_enter(NULL, NULL);
	free(f);
}

static void *
cleaner(void *arg)
{
	struct fuse *f = arg;

	mutex_lock(&f->cleaner_lock);
	while (!f->cleaner_stop) {
		uint64_t delay_ns = (uint64_t)nodes_clean(&f->nodes) * 1000000000u;

		cond_wait_until(&f->cleaner_wake, &f->cleaner_lock,
				clock_monotonic_ns() + delay_ns);
	}
	mutex_unlock(&f->cleaner_lock);
	return NULL;
}

int
hl_cleanup_start(struct fuse *f)
{
	sigset_t all, old;
	int err;

	if (f->conf.remember <= 0 || f->cleaner_runs)
		return 0;
	f->cleaner_stop = false;
	/* Signals are for the program's own threads. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&f->cleaner, NULL, cleaner, f);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err) {
		fuse_log(FUSE_LOG_ERR, "fuse: no thread for remember=: %s\n", strerror(err));
		return -1;
	}
	f->cleaner_runs = true;
	return 0;
}

void
hl_cleanup_stop(struct fuse *f)
{
	if (!f->cleaner_runs)
		return;
	mutex_lock(&f->cleaner_lock);
	f->cleaner_stop = true;
	cond_broadcast(&f->cleaner_wake);
	mutex_unlock(&f->cleaner_lock);
	pthread_join(f->cleaner, NULL);
	f->cleaner_runs = false;
}

int
hl_loop(struct fuse *f)
{
	int res;

	if (!f || hl_cleanup_start(f) < 0)
		return -1;
	res = fuse_session_loop(f->se);
	hl_cleanup_stop(f);
	return res;
}

int
hl_loop_mt(struct fuse *f, struct fuse_loop_config *config)
{
	int res;

	if (!f || hl_cleanup_start(f) < 0)
		return -1;
	res = fuse_session_loop_mt_312(f->se, config);
	hl_cleanup_stop(f);
	return res;
}

int
hl_invalidate_path(struct fuse *f, const char *path)
{
	uint64_t id = nodes_resolve(&f->nodes, path);

	return id ? fuse_lowlevel_notify_inval_inode(f->se, id, 0, 0) : -ENOENT;
}
