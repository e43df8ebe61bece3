/* The options of the high-level API and its help. */
#include <signal.h>
#include <stddef.h>

#include "api/fuse/cmdline.h"
#include "api/fuse/highlevel.h"

#define OPTION(text, field, value)                                                       \
	{                                                                                \
		text, offsetof(struct fuse_config, field), value                         \
	}

static const struct fuse_opt options[] = {
	FUSE_OPT_KEY("debug", FUSE_OPT_KEY_KEEP),
	FUSE_OPT_KEY("-d", FUSE_OPT_KEY_KEEP),
	OPTION("debug", debug, 1),
	OPTION("-d", debug, 1),
	OPTION("hard_remove", hard_remove, 1),
	OPTION("use_ino", use_ino, 1),
	OPTION("readdir_ino", readdir_ino, 1),
	OPTION("direct_io", direct_io, 1),
	OPTION("kernel_cache", kernel_cache, 1),
	OPTION("auto_cache", auto_cache, 1),
	OPTION("noauto_cache", auto_cache, 0),
	OPTION("no_rofd_flush", no_rofd_flush, 1),
	OPTION("parallel_direct_writes", parallel_direct_writes, 1),
	OPTION("umask=", set_mode, 1),
	OPTION("umask=%o", umask, 0),
	OPTION("fmask=", set_mode, 1),
	OPTION("fmask=%o", fmask, 0),
	OPTION("dmask=", set_mode, 1),
	OPTION("dmask=%o", dmask, 0),
	OPTION("uid=", set_uid, 1),
	OPTION("uid=%d", uid, 0),
	OPTION("gid=", set_gid, 1),
	OPTION("gid=%d", gid, 0),
	OPTION("entry_timeout=%lf", entry_timeout, 0),
	OPTION("attr_timeout=%lf", attr_timeout, 0),
	OPTION("ac_attr_timeout=%lf", ac_attr_timeout, 0),
	OPTION("ac_attr_timeout=", ac_attr_timeout_set, 1),
	OPTION("negative_timeout=%lf", negative_timeout, 0),
	OPTION("noforget", remember, -1),
	OPTION("remember=%u", remember, 0),
	OPTION("intr", intr, 1),
	OPTION("intr_signal=%d", intr_signal, 0),
	OPTION("modules=%s", modules, 0),
	FUSE_OPT_END,
};

static int
keep_all(void *data, const char *arg, int key, struct fuse_args *out)
{
	return 1;
}

int
hl_options_parse(struct fuse_args *args, struct fuse_config *conf)
{
	conf->entry_timeout = 1.0;
	conf->attr_timeout = 1.0;
	conf->intr_signal = SIGUSR1;
	if (fuse_opt_parse(args, conf, options, keep_all) < 0)
		return -1;
	if (!conf->ac_attr_timeout_set)
		conf->ac_attr_timeout = conf->attr_timeout;
	return 0;
}

void
hl_help(struct fuse_args *args)
{
	struct fuse_config conf = {0};

	fapi_help_highlevel();
	fuse_lowlevel_help();
	if (hl_options_parse(args, &conf) == 0)
		hl_modules_help(args, conf.modules);
	free_ptr(&conf.modules);
}
