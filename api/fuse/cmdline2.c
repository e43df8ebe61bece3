/*
 * The command line of libfuse 2 programs: help and version are printed here, and -h is handed on so
 * that fuse_new adds its part.
 */
#define FUSE_USE_VERSION 29
#define USERDRIVE_FUSE2
#pragma GCC visibility push(default)
#include "fuse/fuse_lowlevel.h"
#pragma GCC visibility pop

#include "api/fuse/cmdline.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	KEY_HELP,
	KEY_HELP_NO_USAGE,
	KEY_VERSION
};

struct cmdline2 {
	int singlethread;
	int foreground;
	int nodefault_subtype;
	char *mountpoint;
};

#define CMD(templ, field) { templ, offsetof(struct cmdline2, field), 1 }

static const struct fuse_opt cmdline2_opts[] = {
	CMD("-d", foreground),
	CMD("debug", foreground),
	CMD("-f", foreground),
	CMD("-s", singlethread),
	CMD("fsname=", nodefault_subtype),
	CMD("subtype=", nodefault_subtype),
	FUSE_OPT_KEY("-h", KEY_HELP),
	FUSE_OPT_KEY("--help", KEY_HELP),
	FUSE_OPT_KEY("-ho", KEY_HELP_NO_USAGE),
	FUSE_OPT_KEY("-V", KEY_VERSION),
	FUSE_OPT_KEY("--version", KEY_VERSION),
	FUSE_OPT_KEY("-d", FUSE_OPT_KEY_KEEP),
	FUSE_OPT_KEY("debug", FUSE_OPT_KEY_KEEP),
	FUSE_OPT_KEY("fsname=", FUSE_OPT_KEY_KEEP),
	FUSE_OPT_KEY("subtype=", FUSE_OPT_KEY_KEEP),
	FUSE_OPT_END
};

static void
help_print(void)
{
	fputs("general options:\n"
	      "    -o opt,[opt...]        mount options\n"
	      "    -h   --help            print help\n"
	      "    -V   --version         print version\n"
	      "\nFUSE options:\n"
	      "    -d   -o debug          print every request and answer (implies -f)\n"
	      "    -f                     stay in the foreground\n"
	      "    -s                     one thread\n\n",
	      stderr);
}

static int
cmdline2_proc(void *data, const char *arg, int key, struct fuse_args *outargs)
{
	struct cmdline2 *opts = data;

	switch (key) {
	case KEY_HELP:
		fprintf(stderr, "usage: %s mountpoint [options]\n\n", outargs->argv[0]);
		help_print();
		return fuse_opt_add_arg(outargs, "-h");
	case KEY_HELP_NO_USAGE:
		help_print();
		return fuse_opt_add_arg(outargs, "-h");
	case KEY_VERSION:
		fprintf(stderr, "FUSE library version: 2.9.9\n");
		return 1;
	case FUSE_OPT_KEY_NONOPT:
		return fapi_mountpoint_set(&opts->mountpoint, arg);
	default:
		return 1;
	}
}

int
fuse_parse_cmdline(struct fuse_args *args, char **mountpoint, int *multithreaded, int *foreground)
{
	struct cmdline2 opts = { 0 };

	if (fuse_opt_parse(args, &opts, cmdline2_opts, cmdline2_proc) == -1)
		goto failed;
	if (!opts.nodefault_subtype && fapi_default_subtype(args->argv[0], args) == -1)
		goto failed;
	if (mountpoint)
		*mountpoint = opts.mountpoint;
	else
		free(opts.mountpoint);
	if (multithreaded)
		*multithreaded = !opts.singlethread;
	if (foreground)
		*foreground = opts.foreground;
	return 0;
failed:
	free(opts.mountpoint);
	return -1;
}
