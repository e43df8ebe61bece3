/*
 * If this fails, options of a file system are lost, land in the wrong place or crash it. (What the
 * original does with thousands of command lines is compared in tests/abi/fuse-opt-diff.c; here is
 * what that cannot show.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/fuse/conn_features.h"
#include "api/fuse/layout.h"
#include "api/fuse/loop_cfg.h"

const struct fapi_library fapi_library = { "libfuse3.so.3", { 3, 14, 0, 0 }, false };

static char messages[1024];

static void
keep_message(enum fuse_log_level level, const char *fmt, va_list ap)
{
	size_t n = strlen(messages);

	(void)level;
	vsnprintf(messages + n, sizeof(messages) - n, fmt, ap);
}

struct values {
	char *s;
	int flag;
	unsigned long lu;
};

static const struct fuse_opt opts[] = {
	{ "s=%s", offsetof(struct values, s), 0 },
	{ "flag", offsetof(struct values, flag), 3 },
	{ "lu=%lu", offsetof(struct values, lu), 0 },
	FUSE_OPT_END
};

/* main's argv is in read-only or stack memory: never freed, never written. */
static void
test_borrowed_argv(void **state)
{
	char *argv[] = { (char *)(uintptr_t)"p", (char *)(uintptr_t)"-os=a,flag,lu=9,rest", NULL };
	struct fuse_args args = FUSE_ARGS_INIT(2, argv);
	struct values v = { .s = strdup("old") };

	(void)state;
	assert_int_equal(fuse_opt_parse(&args, &v, opts, NULL), 0);
	assert_string_equal(v.s, "a");
	assert_int_equal(v.flag, 3);
	assert_int_equal(v.lu, 9);
	assert_int_equal(args.argc, 3);
	assert_string_equal(args.argv[2], "rest");
	assert_null(args.argv[3]);
	assert_string_equal(argv[1], "-os=a,flag,lu=9,rest");
	free(v.s);
	fuse_opt_free_args(&args);
	fuse_opt_free_args(&args);
	fuse_opt_free_args(NULL);
}

static void
test_grow_borrowed(void **state)
{
	char *argv[] = { (char *)(uintptr_t)"p", (char *)(uintptr_t)"x", NULL };
	struct fuse_args args = FUSE_ARGS_INIT(2, argv);

	(void)state;
	assert_int_equal(fuse_opt_insert_arg(&args, 1, "between"), 0);
	assert_string_equal(args.argv[1], "between");
	assert_string_equal(args.argv[2], "x");
	assert_int_equal(fuse_opt_insert_arg(&args, 3, "last"), 0);
	assert_int_equal(fuse_opt_insert_arg(&args, 0, "first"), 0);
	assert_int_equal(fuse_opt_insert_arg(&args, -1, "no"), -1);
	assert_int_equal(fuse_opt_insert_arg(&args, 6, "no"), -1);
	assert_int_equal(args.argc, 5);
	assert_string_equal(argv[0], "p");
	fuse_opt_free_args(&args);
}

static void
test_nothing(void **state)
{
	struct fuse_args none = FUSE_ARGS_INIT(0, NULL);

	(void)state;
	assert_int_equal(fuse_opt_parse(NULL, NULL, opts, NULL), 0);
	assert_int_equal(fuse_opt_parse(&none, NULL, NULL, NULL), 0);
	assert_int_equal(none.argc, 0);
}

static void
test_error_keeps_args(void **state)
{
	char *argv[] = { (char *)(uintptr_t)"p", (char *)(uintptr_t)"-olu=x", NULL };
	struct fuse_args args = FUSE_ARGS_INIT(2, argv);
	struct values v = { 0 };

	(void)state;
	messages[0] = '\0';
	assert_int_equal(fuse_opt_parse(&args, &v, opts, NULL), -1);
	assert_ptr_equal(args.argv, argv);
	assert_non_null(strstr(messages, "lu=x"));
}

static void
test_cmdline_30(void **state)
{
	char *argv[] = { (char *)(uintptr_t)"p", (char *)(uintptr_t)"-omax_threads=3", NULL };
	struct fuse_args args = FUSE_ARGS_INIT(2, argv);
	struct fuse_cmdline_opts o;

	(void)state;
	memset(&o, 0x55, sizeof(o));
	assert_int_equal(fuse_parse_cmdline_30(&args, &o), 0);
	/* beyond what such a program has room for */
	assert_int_equal(o.max_threads, 0x55555555);
	assert_int_equal(o.max_idle_threads, UINT32_MAX);
	fuse_opt_free_args(&args);
}

static void
test_features(void **state)
{
	struct fuse_conn_info conn = { .capable_ext = (1ull << 40) | 0xf, .want_ext = 3 };

	(void)state;
	fapi_features_note_defaults(&conn);
	assert_int_equal(conn.capable, 0xf);
	assert_int_equal(conn.want, 3);
	assert_false(fuse_set_feature_flag(&conn, 0x10));
	assert_true(fuse_set_feature_flag(&conn, 1ull << 40));
	assert_true(fuse_get_feature_flag(&conn, 8));
	/* an old program, by hand, besides */
	conn.want |= 4;
	conn.want &= ~1u;
	assert_int_equal(fuse_convert_to_conn_want_ext(&conn), 0);
	assert_int_equal(conn.want_ext, (1ull << 40) | 6);
	/* both, differently */
	fapi_features_note_defaults(&conn);
	conn.want |= 8;
	conn.want_ext |= 1;
	assert_int_equal(fuse_convert_to_conn_want_ext(&conn), -22);
}

static void
test_loop_config(void **state)
{
	struct fuse_loop_config_v1 v1 = { .clone_fd = 1, .max_idle_threads = 4 };
	struct fuse_loop_config got = fapi_loop_cfg_of_v1(&v1), *made = fuse_loop_cfg_create();

	(void)state;
	assert_true(got.clone_fd);
	assert_int_equal(got.max_idle_threads, 4);
	assert_int_equal(got.max_threads, 10);
	fuse_loop_cfg_set_max_threads(made, 33);
	assert_int_equal(fapi_loop_cfg_of(made).max_threads, 33);
	fuse_loop_cfg_set_idle_threads(made, 200000);
	assert_int_equal(fapi_loop_cfg_of(made).max_idle_threads, UINT32_MAX);
	/* an old structure where a new one is expected */
	assert_int_equal(fapi_loop_cfg_of((struct fuse_loop_config *)&v1).max_threads, 10);
	assert_int_equal(fapi_loop_cfg_of(NULL).max_threads, 10);
	fuse_loop_cfg_destroy(made);
	fuse_loop_cfg_destroy(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_borrowed_argv), cmocka_unit_test(test_grow_borrowed),
		cmocka_unit_test(test_nothing),       cmocka_unit_test(test_error_keeps_args),
		cmocka_unit_test(test_cmdline_30),    cmocka_unit_test(test_features),
		cmocka_unit_test(test_loop_config),
	};

	fuse_set_log_func(keep_message);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
