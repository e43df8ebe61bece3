/* All of a program's main: options, mount, background, signals, loop, unmount. */
#include <stdio.h>
#include <stdlib.h>

#include "api/fuse/highlevel.h"

/* What the caller's exit code tells, see include/fuse3/fuse.h. */
enum {
	MAIN_OK = 0,
	MAIN_BAD_OPTIONS = 1,
	MAIN_NO_MOUNT_POINT = 2,
	MAIN_SET_UP = 3,
	MAIN_MOUNT = 4,
	MAIN_DAEMONIZE = 5,
	MAIN_SIGNALS = 6,
	MAIN_LOOP = 8, /* also after a signal; libfuse says 8 where its header says 7 */
};

static int
loop(struct fuse *f, const struct fuse_cmdline_opts *opts)
{
	struct fuse_loop_config *config;
	int res;

	if (opts->singlethread)
		return hl_loop(f);
	config = fuse_loop_cfg_create();
	if (!config)
		return -1;
	fuse_loop_cfg_set_clone_fd(config, (unsigned)opts->clone_fd);
	fuse_loop_cfg_set_idle_threads(config, opts->max_idle_threads);
	fuse_loop_cfg_set_max_threads(config, opts->max_threads);
	res = hl_loop_mt(f, config);
	fuse_loop_cfg_destroy(config);
	return res;
}

static int
serve(struct fuse *f, const struct fuse_cmdline_opts *opts)
{
	int res;

	if (fuse_daemonize(opts->foreground) != 0)
		return MAIN_DAEMONIZE;
	if (fuse_set_signal_handlers(f->se) != 0)
		return MAIN_SIGNALS;
	res = loop(f, opts);
	fuse_remove_signal_handlers(f->se);
	return res ? MAIN_LOOP : MAIN_OK;
}

static int
mount_and_serve(struct fuse *f, const struct fuse_cmdline_opts *opts)
{
	int res;

	if (fuse_session_mount(f->se, opts->mountpoint) != 0)
		return MAIN_MOUNT;
	res = serve(f, opts);
	fuse_session_unmount(f->se);
	return res;
}

static void
show_help(struct fuse_args *args)
{
	if (args->argv[0][0])
		printf("usage: %s [options] <mountpoint>\n\n", args->argv[0]);
	printf("FUSE options:\n");
	fuse_cmdline_help();
	hl_help(args);
}

static int
run(const struct fapi_layout *layout, struct fuse_args *args,
    const struct fuse_cmdline_opts *opts, const struct fuse_operations *op, size_t op_size,
    void *user_data)
{
	struct fuse *f;
	int res;

	if (opts->show_version) {
		printf("FUSE library version %s\n", fuse_pkgversion());
		fuse_lowlevel_version();
		return MAIN_OK;
	}
	if (opts->show_help) {
		show_help(args);
		return MAIN_OK;
	}
	if (!opts->mountpoint) {
		fuse_log(FUSE_LOG_ERR, "error: no mountpoint specified\n");
		return MAIN_NO_MOUNT_POINT;
	}
	f = hl_new(layout, args, op, op_size, user_data);
	if (!f)
		return MAIN_SET_UP;
	res = mount_and_serve(f, opts);
	hl_destroy(f);
	return res;
}

int
hl_main(const struct fapi_layout *layout, int argc, char *argv[],
	const struct fuse_operations *op, size_t op_size, void *user_data)
{
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	struct fuse_cmdline_opts opts = {0};
	int res = MAIN_BAD_OPTIONS;

	if (fuse_parse_cmdline(&args, &opts) == 0)
		res = run(layout, &args, &opts, op, op_size, user_data);
	free(opts.mountpoint);
	fuse_opt_free_args(&args);
	return res;
}
