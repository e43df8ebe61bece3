/*
 * struct fuse_args: a command line that may grow.
 */
#include "api/fuse/api.h"
#include "base/compiler.h"

#include <stdlib.h>
#include <string.h>

static int
no_memory(void)
{
	fuse_log(FUSE_LOG_ERR, "fuse: memory allocation failed\n");
	return -1;
}

/* An argv of the program's own (main's) is copied first: only a malloc'ed one can grow. */
static int
args_own(struct fuse_args *args)
{
	struct fuse_args own = FUSE_ARGS_INIT(0, NULL);
	int i;

	if (!args->argv || args->allocated)
		return 0;
	for (i = 0; i < args->argc; i++) {
		if (fuse_opt_add_arg(&own, args->argv[i]) != 0) {
			fuse_opt_free_args(&own);
			return -1;
		}
	}
	*args = own;
	return 0;
}

int
fuse_opt_add_arg(struct fuse_args *args, const char *arg)
{
	char **argv, *copy;

	if (args_own(args) != 0)
		return -1;
	copy = strdup(arg);
	if (!copy)
		return no_memory();
	argv = realloc(args->argv, ((size_t)args->argc + 2) * sizeof(*argv));
	if (!argv) {
		free(copy);
		return no_memory();
	}
	argv[args->argc++] = copy;
	argv[args->argc] = NULL;
	args->argv = argv;
	args->allocated = 1;
	return 0;
}

int
fuse_opt_insert_arg(struct fuse_args *args, int pos, const char *arg)
{
	char *last;

	if (pos < 0 || pos > args->argc) {
		fuse_log(FUSE_LOG_ERR, "fuse: no place %d in %d arguments\n", pos, args->argc);
		return -1;
	}
	if (fuse_opt_add_arg(args, arg) != 0)
		return -1;
	last = args->argv[args->argc - 1];
	memmove(args->argv + pos + 1, args->argv + pos,
		(size_t)(args->argc - 1 - pos) * sizeof(*args->argv));
	args->argv[pos] = last;
	return 0;
}

void
fuse_opt_free_args(struct fuse_args *args)
{
	int i;

	if (!args)
		return;
	if (args->argv && args->allocated) {
		for (i = 0; i < args->argc; i++)
			free(args->argv[i]);
		free(args->argv);
	}
	*args = (struct fuse_args)FUSE_ARGS_INIT(0, NULL);
}

/* ---------------------------------------------------------------- lists of options */

static int
opt_append(char **opts, const char *opt, bool escape)
{
	size_t old = *opts ? strlen(*opts) : 0, size;
	char *list, *p;

	/* every byte may need a backslash; a comma before, a zero byte behind */
	if (mul_overflows(strlen(opt), (size_t)2, &size) || add_overflows(size, old + 2, &size))
		return no_memory();
	list = realloc(*opts, size);
	if (!list)
		return no_memory();
	*opts = list;
	p = list + old;
	if (old)
		*p++ = ',';
	for (; *opt; opt++) {
		if (escape && (*opt == ',' || *opt == '\\'))
			*p++ = '\\';
		*p++ = *opt;
	}
	*p = '\0';
	return 0;
}

int
fuse_opt_add_opt(char **opts, const char *opt)
{
	return opt_append(opts, opt, false);
}

int
fuse_opt_add_opt_escaped(char **opts, const char *opt)
{
	return opt_append(opts, opt, true);
}
