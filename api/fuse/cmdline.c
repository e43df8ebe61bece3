/*
 * The options that most file systems share, and the help about them.
 */
#include "api/fuse/api.h"
#include "api/fuse/cmdline.h"
#include "api/fuse/loop_cfg.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CMD(templ, field) { templ, offsetof(struct fuse_cmdline_opts, field), 1 }
#define CMD_VALUE(templ, field) { templ, offsetof(struct fuse_cmdline_opts, field), 0 }

/* Debug output also stays in the foreground, and is the session's business too: kept. */
static const struct fuse_opt cmdline_opts[] = {
	CMD("-h", show_help),
	CMD("--help", show_help),
	CMD("-V", show_version),
	CMD("--version", show_version),
	CMD("-d", debug),
	CMD("debug", debug),
	CMD("-d", foreground),
	CMD("debug", foreground),
	FUSE_OPT_KEY("-d", FUSE_OPT_KEY_KEEP),
	FUSE_OPT_KEY("debug", FUSE_OPT_KEY_KEEP),
	CMD("-f", foreground),
	CMD("-s", singlethread),
	CMD("fsname=", nodefault_subtype),
	FUSE_OPT_KEY("fsname=", FUSE_OPT_KEY_KEEP),
	CMD("subtype=", nodefault_subtype),
	FUSE_OPT_KEY("subtype=", FUSE_OPT_KEY_KEEP),
	CMD("clone_fd", clone_fd),
	CMD_VALUE("max_idle_threads=%u", max_idle_threads),
	CMD_VALUE("max_threads=%u", max_threads),
	FUSE_OPT_END
};

/* "/dev/fd/N": the connection is open already, and handed over under that number. */
static bool
is_open_connection(const char *mountpoint)
{
	int fd, n = -1;

	return sscanf(mountpoint, "/dev/fd/%d%n", &fd, &n) == 1 && n >= 0 && mountpoint[n] == '\0';
}

int
fapi_mountpoint_set(char **mountpoint, const char *arg)
{
	char absolute[PATH_MAX] = "";

	if (*mountpoint) {
		fuse_log(FUSE_LOG_ERR, "fuse: invalid argument `%s'\n", arg);
		return -1;
	}
	if (!realpath(arg, absolute)) {
		fuse_log(FUSE_LOG_ERR, "fuse: bad mount point `%s': %s\n", arg, strerror(errno));
		return -1;
	}
	return fuse_opt_add_opt(mountpoint, absolute);
}

static int
cmdline_proc(void *data, const char *arg, int key, struct fuse_args *outargs)
{
	struct fuse_cmdline_opts *opts = data;

	(void)outargs;
	if (key != FUSE_OPT_KEY_NONOPT)
		return 1;
	if (!opts->mountpoint && is_open_connection(arg))
		return fuse_opt_add_opt(&opts->mountpoint, arg);
	return fapi_mountpoint_set(&opts->mountpoint, arg);
}

int
fapi_default_subtype(const char *program, struct fuse_args *args)
{
	const char *base = strrchr(program, '/');
	char *option;
	int res;

	base = base ? base + 1 : program;
	if (asprintf(&option, "-osubtype=%s", base) < 0) {
		fuse_log(FUSE_LOG_ERR, "fuse: memory allocation failed\n");
		return -1;
	}
	res = fuse_opt_add_arg(args, option);
	free(option);
	return res;
}

int
fuse_parse_cmdline_312(struct fuse_args *args, struct fuse_cmdline_opts *opts)
{
	memset(opts, 0, sizeof(*opts));
	opts->max_idle_threads = LOOP_CFG_DEFAULT_IDLE;
	opts->max_threads = LOOP_CFG_DEFAULT_THREADS;
	if (fuse_opt_parse(args, opts, cmdline_opts, cmdline_proc) == -1)
		return -1;
	return opts->nodefault_subtype ? 0 : fapi_default_subtype(args->argv[0], args);
}

int
fuse_parse_cmdline_30(struct fuse_args *args, struct fuse_cmdline_opts *opts)
{
	struct fuse_cmdline_opts all;
	int res = fuse_parse_cmdline_312(args, &all);

	/* programs of that time have no room for max_threads */
	memcpy(opts, &all, offsetof(struct fuse_cmdline_opts, max_threads));
	return res;
}

/* ---------------------------------------------------------------- help */

struct help {
	const char *option;
	const char *text;
};

static void
help_print(const struct help *help)
{
	for (; help->option; help++)
		printf("    %-22s %s\n", help->option, help->text);
}

void
fuse_cmdline_help(void)
{
	static const struct help help[] = {
		{ "-h   --help", "print help" },
		{ "-V   --version", "print version" },
		{ "-d   -o debug", "print every request and answer (implies -f)" },
		{ "-f", "stay in the foreground" },
		{ "-s", "one thread" },
		{ "-o clone_fd", "each thread reads from a descriptor of its own" },
		{ "-o max_idle_threads=N", "idle threads above N end (default: none ends)" },
		{ "-o max_threads=N", "at most N threads (default: 10)" },
		{ 0 },
	};

	help_print(help);
}

void
fuse_lowlevel_help(void)
{
	static const struct help help[] = {
		{ "-o allow_other", "other users may use the mount" },
		{ "-o allow_root", "root may use the mount" },
		{ "-o auto_unmount", "unmount when the program ends, however it ends" },
		{ "-o default_permissions", "the kernel checks permissions by mode and owner" },
		{ "-o fsname=NAME", "the source that mount(8) shows" },
		{ "-o subtype=NAME", "the type that mount(8) shows: fuse.NAME" },
		{ "-o max_read=N", "bytes of one read at most" },
		{ "-o io_uring", "io_uring where the kernel offers it, else /dev/fuse" },
		{ "-o no_io_uring", "always /dev/fuse" },
		{ 0 },
	};

	help_print(help);
}

void
fapi_help_highlevel(void)
{
	static const struct help help[] = {
		{ "-o kernel_cache", "cached data stays valid from one open to the next" },
		{ "-o [no]auto_cache", "the same while mtime and size stay (off)" },
		{ "-o no_rofd_flush", "no flush for files opened for reading (off)" },
		{ "-o umask=M", "permission bits to take away (octal)" },
		{ "-o fmask=M", "the same, files only" },
		{ "-o dmask=M", "the same, directories only" },
		{ "-o uid=N", "all files belong to user N" },
		{ "-o gid=N", "all files belong to group N" },
		{ "-o entry_timeout=T", "seconds that a name is valid (1.0)" },
		{ "-o negative_timeout=T", "seconds that a missing name is missing (0.0)" },
		{ "-o attr_timeout=T", "seconds that attributes are valid (1.0)" },
		{ "-o ac_attr_timeout=T", "the same, for auto_cache (attr_timeout)" },
		{ "-o noforget", "never forget a node" },
		{ "-o remember=T", "remember nodes for T seconds (0)" },
		{ "-o intr", "requests can be interrupted" },
		{ "-o intr_signal=NUM", "by this signal (10)" },
		{ "-o hard_remove", "open files are removed at once, not hidden" },
		{ "-o use_ino", "the file system sets inode numbers" },
		{ "-o readdir_ino", "listings show inode numbers where they are known" },
		{ "-o direct_io", "no page cache" },
		{ "-o modules=M1[:M2...]", "modules between the kernel and the file system" },
		{ 0 },
	};

	help_print(help);
}
