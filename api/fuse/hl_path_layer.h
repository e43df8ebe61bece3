/*
 * A layer that only changes names: each operation maps its paths and calls the layer below. What
 * modules of that kind differ in is three functions.
 */
#ifndef USERDRIVE_API_FUSE_HL_PATH_LAYER_H
#define USERDRIVE_API_FUSE_HL_PATH_LAYER_H

#include "api/fuse/hl_fs.h"

/* At the start of the module's own structure, which is the layer's user_data. */
struct path_layer {
	struct fuse_fs *next;
	/* A path of ours as the layer below has it, malloc'ed. 0 or -errno. */
	int (*map)(struct path_layer *l, const char *path, char **ret_path);
	/* A name of the layer below as we show it, malloc'ed; NULL: names stay. */
	int (*unmap_name)(struct path_layer *l, const char *name, char **ret_name);
	/* The target of a symbolic link: what is stored for ours (NULL: itself), and in place in a
	 * buffer of size bytes what we show for what is stored at path. */
	int (*map_target)(struct path_layer *l, const char *target, char **ret_target);
	int (*unmap_target)(struct path_layer *l, const char *path, char *target, size_t size);
	void (*destroy)(struct path_layer *l);
};

/* The layer of *l. NULL after a message: l is the caller's still. */
struct fuse_fs *hl_path_layer_create(struct path_layer *l);

/* The options of a module. */
struct hl_module_options {
	const char *name;
	const struct fuse_opt *options; /* offsets in the module's own structure */
	const char *help;
};
/*
 * Parses into the module's structure *l. 0; -1 after a message (also unless there is exactly one
 * file system below), or after the help was printed.
 */
NODISCARD int hl_module_parse(const struct hl_module_options *m, struct path_layer *l,
			      struct fuse_args *args, struct fuse_fs *fs[]);

#endif
