/*
 * Module subdir: a directory of the file system below is the root. With rellinks, absolute
 * symbolic links into that directory are shown as relative ones, so that they work in the mount.
 */
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/fuse/highlevel.h"
#include "api/fuse/hl_path_layer.h"

struct subdir {
	struct path_layer layer;
	char *base; /* "dir/", "/dir/" */
	int rellinks;
};

static struct subdir *
of(struct path_layer *l)
{
	return container_of(l, struct subdir, layer);
}

static int
subdir_map(struct path_layer *l, const char *path, char **ret_path)
{
	const char *base = of(l)->base, *rest = path + strspn(path, "/");
	int len = (int)strlen(base);

	/* The root itself has no slash at its end. */
	if (!*rest && len > 1)
		len--;
	if (asprintf(ret_path, "%.*s%s", len, base, rest) < 0) {
		*ret_path = NULL;
		return -ENOMEM;
	}
	return 0;
}

/* How many directories above path's own the root is. */
static int
depth(const char *path)
{
	int n = -1;

	for (; *path; path++)
		if (path[0] == '/' && path[1] && path[1] != '/')
			n++;
	return n < 0 ? 0 : n;
}

static int
subdir_unmap_target(struct path_layer *l, const char *path, char *target, size_t size)
{
	const struct subdir *d = of(l);
	size_t base_len = strlen(d->base) - 1, len = 0;
	char relative[PATH_MAX + 1];
	const char *rest = target + base_len;

	if (!d->rellinks || strncmp(target, d->base, base_len) != 0 || (*rest && *rest != '/'))
		return 0;
	rest += strspn(rest, "/");
	for (int up = depth(path); up > 0 && len + 3 < sizeof(relative); up--, len += 3)
		memcpy(relative + len, "../", 3);
	if (!*rest && !len)
		rest = ".";
	if (len + strlen(rest) >= MIN(size, sizeof(relative)))
		return -ENAMETOOLONG;
	strcpy(relative + len, rest);
	strcpy(target, relative);
	return 0;
}

static void
subdir_destroy(struct path_layer *l)
{
	free(of(l)->base);
	free(of(l));
}

static const struct fuse_opt options[] = {
	{"subdir=%s", offsetof(struct subdir, base), 0},
	{"rellinks", offsetof(struct subdir, rellinks), 1},
	{"norellinks", offsetof(struct subdir, rellinks), 0},
	FUSE_OPT_END,
};

static const struct hl_module_options module = {
	.name = "subdir",
	.options = options,
	.help = "Options of module subdir:\n"
		"    -o subdir=DIR          the directory that becomes the root\n"
		"    -o [no]rellinks        absolute symbolic links into it become relative\n"
		"\n",
};

/* base with a slash at its end; 0 or -1. */
static NODISCARD int
finish_base(struct subdir *d)
{
	char *base;

	if (!d->base || !*d->base) {
		fuse_log(FUSE_LOG_ERR, "fuse-subdir: option subdir=DIR is missing\n");
		return -1;
	}
	if (d->base[strlen(d->base) - 1] == '/')
		return 0;
	if (asprintf(&base, "%s/", d->base) < 0)
		return -1;
	free(d->base);
	d->base = base;
	return 0;
}

struct fuse_fs *
hl_subdir_create(struct fuse_args *args, struct fuse_fs *fs[])
{
	struct subdir *d = calloc(1, sizeof(*d));
	struct fuse_fs *layer = NULL;

	if (!d)
		return NULL;
	d->layer.map = subdir_map;
	d->layer.unmap_target = subdir_unmap_target;
	d->layer.destroy = subdir_destroy;
	if (hl_module_parse(&module, &d->layer, args, fs) == 0 && finish_base(d) == 0)
		layer = hl_path_layer_create(&d->layer);
	if (!layer)
		subdir_destroy(&d->layer);
	return layer;
}
