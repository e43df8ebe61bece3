/*
 * Layers by name: built in, registered by the program, or from a shared object
 * libfusemod_NAME.so that defines fuse_module_NAME_factory.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/fuse/highlevel.h"

struct hl_module {
	const char *name;
	fuse_module_factory_t create;
};

static const struct hl_module builtin[] = {
	{"subdir", hl_subdir_create},
	{"iconv", hl_iconv_create},
};

/*
 * An object of a program's module stays loaded for ever: its layers may be in use, and its code
 * may have left threads and handlers behind.
 */
static fuse_module_factory_t
load(const char *name)
{
	CLEANUP(free_ptr) char *file = NULL, *symbol = NULL;
	fuse_module_factory_t *factory;
	void *so;

	if (strchr(name, '/') || asprintf(&file, "libfusemod_%s.so", name) < 0) {
		file = NULL;
		return NULL;
	}
	if (asprintf(&symbol, "fuse_module_%s_factory", name) < 0) {
		symbol = NULL;
		return NULL;
	}
	/* A program may have the module in itself. */
	factory = dlsym(RTLD_DEFAULT, symbol);
	if (factory)
		return *factory;
	so = dlopen(file, RTLD_NOW);
	if (!so) {
		fuse_log(FUSE_LOG_ERR, "fuse: no module %s: %s\n", name, dlerror());
		return NULL;
	}
	factory = dlsym(so, symbol);
	if (!factory) {
		fuse_log(FUSE_LOG_ERR, "fuse: %s has no %s\n", file, symbol);
		dlclose(so);
		return NULL;
	}
	return *factory;
}

static fuse_module_factory_t
find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(builtin); i++)
		if (strcmp(builtin[i].name, name) == 0)
			return builtin[i].create;
	return load(name);
}

static NODISCARD int
push(struct fuse *f, const char *name, struct fuse_args *args)
{
	struct fuse_fs *below[] = {f->fs, NULL};
	fuse_module_factory_t create = find(name);
	struct fuse_fs *fs = create ? create(args, below) : NULL;

	if (!fs)
		return -1;
	f->fs = fs;
	return 0;
}

int
hl_modules_push(struct fuse *f, const char *list, struct fuse_args *args)
{
	CLEANUP(free_ptr) char *copy = strdup(list);
	char *rest = copy, *name;

	if (!copy)
		return -1;
	while ((name = strsep(&rest, ":")))
		if (*name && push(f, name, args) < 0)
			return -1;
	return 0;
}

static void
help_of(const char *name)
{
	char *argv[] = {(char *)"", (char *)"-h", NULL};
	struct fuse_args args = FUSE_ARGS_INIT(2, argv);
	struct fuse_fs *none[] = {NULL};
	fuse_module_factory_t create = find(name);

	if (create)
		create(&args, none);
	fuse_opt_free_args(&args);
}

void
hl_modules_help(struct fuse_args *args, const char *list)
{
	CLEANUP(free_ptr) char *copy = list ? strdup(list) : NULL;
	char *rest = copy, *name;

	if (!copy) {
		for (size_t i = 0; i < ARRAY_SIZE(builtin); i++)
			help_of(builtin[i].name);
		return;
	}
	while ((name = strsep(&rest, ":")))
		if (*name)
			help_of(name);
}
