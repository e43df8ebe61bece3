/* A FUSE command line, one argument a line: nothing is read or written past its ends, and nothing
 * leaks, whatever a program's templates are. */
#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "api/fuse/layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

const struct fapi_library fapi_library = { "libfuse3.so.4", { 3, 18, 0, 0 }, false };

enum { MAX_ARGS = 16 };

struct values {
	char *s;
	int number;
	unsigned long lu;
	unsigned octal;
	char c[8];
};

static const struct fuse_opt opts[] = {
	{ "-x ", offsetof(struct values, number), 1 },
	{ "-n %d", offsetof(struct values, number), 0 },
	{ "--long=%s", offsetof(struct values, s), 0 },
	{ "foo=%s", offsetof(struct values, s), 0 },
	{ "bar=%lu", offsetof(struct values, lu), 0 },
	{ "oct=%o", offsetof(struct values, octal), 0 },
	{ "c=%7c", offsetof(struct values, c), 0 },
	FUSE_OPT_KEY("drop=", FUSE_OPT_KEY_DISCARD),
	FUSE_OPT_KEY("call=", 7),
	FUSE_OPT_END
};

static int
proc(void *data, const char *arg, int key, struct fuse_args *out)
{
	(void)data;
	if (key == 7)
		return fuse_opt_insert_arg(out, out->argc, arg) ? -1 : 0;
	return strcmp(arg, "fail") ? 1 : -1;
}

static void
no_message(enum fuse_log_level level, const char *fmt, va_list ap)
{
	(void)level;
	(void)fmt;
	(void)ap;
}

static void
cmdline_run(const struct fuse_args *given)
{
	struct fuse_args args = FUSE_ARGS_INIT(given->argc, given->argv);
	struct fuse_cmdline_opts o;
	struct fuse_conn_info_opts *conn;

	if (fuse_parse_cmdline_312(&args, &o) == 0)
		assert(args.argv[args.argc] == NULL);
	free(o.mountpoint);
	conn = fuse_parse_conn_info_opts(&args);
	free(conn);
	fuse_opt_free_args(&args);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *argv[MAX_ARGS + 1], *rest = text, *list = NULL;
	struct fuse_args args = FUSE_ARGS_INIT(0, argv);
	struct values v = { 0 };

	assert(text);
	memcpy(text, data, size);
	text[size] = '\0';
	while (rest && args.argc < MAX_ARGS)
		argv[args.argc++] = strsep(&rest, "\n");
	argv[args.argc] = NULL;
	fuse_set_log_func(no_message);
	cmdline_run(&args);
	if (fuse_opt_parse(&args, &v, opts, proc) == 0)
		assert(args.argv[args.argc] == NULL);
	assert(fuse_opt_add_opt_escaped(&list, args.argv[0]) == 0);
	fuse_opt_free_args(&args);
	free(list);
	free(v.s);
	free(text);
	return 0;
}
