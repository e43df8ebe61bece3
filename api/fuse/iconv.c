/* Module iconv: file names in another encoding than that of the file system below. */
#include <errno.h>
#include <iconv.h>
#include <langinfo.h>
#include <locale.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/fuse/highlevel.h"
#include "api/fuse/hl_path_layer.h"

#define NO_ICONV ((iconv_t)-1)

struct recoder {
	struct path_layer layer;
	struct mutex lock;  /* rules the two below, which have state */
	iconv_t down, up;
	char *from_code;    /* of the file system below */
	char *to_code;      /* of ours */
};

static struct recoder *
of(struct path_layer *l)
{
	return container_of(l, struct recoder, layer);
}

/* text in the other encoding, malloc'ed. Four bytes for one are the most there are, and some for
 * the shift sequences of encodings that have them. */
static NODISCARD int
recode(struct recoder *r, iconv_t how, const char *text, char **ret_text)
{
	size_t in_left = strlen(text), out_left = in_left * 4 + 32;
	char *buf = malloc(out_left + 1), *in = (char *)(uintptr_t)text, *out = buf;
	bool ok;

	if (!buf)
		return -ENOMEM;
	mutex_lock(&r->lock);
	ok = iconv(how, NULL, NULL, NULL, NULL) != (size_t)-1 &&
	     iconv(how, &in, &in_left, &out, &out_left) != (size_t)-1 &&
	     iconv(how, NULL, NULL, &out, &out_left) != (size_t)-1;
	mutex_unlock(&r->lock);
	if (!ok) {
		free(buf);
		return -EILSEQ;
	}
	*out = 0;
	*ret_text = buf;
	return 0;
}

static int
recoder_map(struct path_layer *l, const char *path, char **ret_path)
{
	return recode(of(l), of(l)->down, path, ret_path);
}

static int
recoder_unmap_name(struct path_layer *l, const char *name, char **ret_name)
{
	return recode(of(l), of(l)->up, name, ret_name);
}

static int
recoder_unmap_target(struct path_layer *l, const char *path, char *target, size_t size)
{
	CLEANUP(free_ptr) char *shown = NULL;
	int err = recode(of(l), of(l)->up, target, &shown);

	if (err == 0)
		snprintf(target, size, "%s", shown);
	return err;
}

static void
recoder_destroy(struct path_layer *l)
{
	struct recoder *r = of(l);

	if (r->down != NO_ICONV)
		iconv_close(r->down);
	if (r->up != NO_ICONV)
		iconv_close(r->up);
	mutex_fini(&r->lock);
	free(r->from_code);
	free(r->to_code);
	free(r);
}

static const struct fuse_opt options[] = {
	{"from_code=%s", offsetof(struct recoder, from_code), 0},
	{"to_code=%s", offsetof(struct recoder, to_code), 0},
	FUSE_OPT_END,
};

static const struct hl_module_options module = {
	.name = "iconv",
	.options = options,
	.help = "Options of module iconv:\n"
		"    -o from_code=CHARSET   encoding of names in the file system (UTF-8)\n"
		"    -o to_code=CHARSET     encoding of names in the mount (the locale's)\n"
		"\n",
};

/* The encoding of the user's locale; the program's own setting is left alone. */
static char *
locale_code(void)
{
	locale_t user = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
	char *code;

	if (!user)
		return strdup("UTF-8");
	code = strdup(nl_langinfo_l(CODESET, user));
	freelocale(user);
	return code;
}

static NODISCARD int
open_both(struct recoder *r)
{
	const char *below = r->from_code ? r->from_code : "UTF-8";

	if (!r->to_code)
		r->to_code = locale_code();
	if (!r->to_code)
		return -1;
	r->down = iconv_open(below, r->to_code);
	r->up = iconv_open(r->to_code, below);
	if (r->down != NO_ICONV && r->up != NO_ICONV)
		return 0;
	fuse_log(FUSE_LOG_ERR, "fuse-iconv: no conversion between %s and %s\n", below,
		 r->to_code);
	return -1;
}

struct fuse_fs *
hl_iconv_create(struct fuse_args *args, struct fuse_fs *fs[])
{
	struct recoder *r = calloc(1, sizeof(*r));
	struct fuse_fs *layer = NULL;

	if (!r)
		return NULL;
	mutex_init(&r->lock);
	r->down = r->up = NO_ICONV;
	r->layer.map = r->layer.map_target = recoder_map;
	r->layer.unmap_name = recoder_unmap_name;
	r->layer.unmap_target = recoder_unmap_target;
	r->layer.destroy = recoder_destroy;
	if (hl_module_parse(&module, &r->layer, args, fs) == 0 && open_both(r) == 0)
		layer = hl_path_layer_create(&r->layer);
	if (!layer)
		recoder_destroy(&r->layer);
	return layer;
}
