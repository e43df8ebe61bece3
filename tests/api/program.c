/* The command line of drive programs: what reaches the program, what is refused, and how. */
#include "tests/api/test.h"
#include <stdio.h>
#include <unistd.h>
#include "api/winfsp/program_priv.h"

static char given[256];

static int
set_option(FSPX_PROGRAM *program, const char *name, const char *value, char *error, SIZE_T cap)
{
	size_t n = strlen(given);

	if (value && strcmp(value, "bad") == 0) {
		snprintf(error, cap, "%s: that is bad", name);
		return -1;
	}
	snprintf(given + n, sizeof(given) - n, "%s%s%s%s", n ? " " : "", name, value ? "=" : "",
		 value ? value : "");
	return 0;
}

static const FSPX_OPTION options[] = {{'i', "insensitive", NULL, "a flag"},
				      {'f', "flush", NULL, "hides -f"},
				      {'t', "Timeout", "MS", "a value"},
				      {0, "size", "BYTES", "by name only"},
				      {0, NULL, NULL, NULL}};

static FSPX_PROGRAM program = {.Size = sizeof(program), .Name = "testfs", .Version = "1",
			       .Summary = "a test", .Options = options, .SetOption = set_option};
static struct command c;

static int
parse(const char *const *words)
{
	char *argv[16] = {(char *)"testfs"};
	int argc = 1, err;

	for (; *words; words++)
		argv[argc++] = (char *)*words;
	given[0] = 0;
	c = (struct command){.program = &program};
	err = command_parse(&c, argc, argv);
	return err;
}
#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})

static int
teardown(void **state)
{
	command_fini(&c);
	return 0;
}

static void
test_helper_form(void **state)
{
	assert_int_equal(PARSE("none", "/mnt", "-o", "size=1G,insensitive"), 0);
	assert_string_equal(c.mount_point, "/mnt");
	assert_string_equal(c.source, "none");
	assert_string_equal(given, "size=1G insensitive");
	assert_true(command_is_background(&c));
}

static void
test_windows_form(void **state)
{
	assert_int_equal(PARSE("-m", "X:", "-t", "1000", "-if"), 0);
	assert_string_equal(c.mount_point, "X:");
	assert_string_equal(given, "Timeout=1000 insensitive flush");
	assert_false(command_is_background(&c));
}

static void
test_values(void **state)
{
	assert_int_equal(PARSE("-t1", "--Timeout=2", "--Timeout", "3", "/mnt"), 0);
	assert_string_equal(given, "Timeout=1 Timeout=2 Timeout=3");
}

static void
test_escaped_comma(void **state)
{
	assert_int_equal(PARSE("/mnt", "-o", "size=a\\,b,,insensitive"), 0);
	assert_string_equal(given, "size=a,b insensitive");
}

static void
test_foreground(void **state)
{
	assert_int_equal(PARSE("--foreground", "/mnt"), 0);
	assert_false(command_is_background(&c));
	assert_int_equal(PARSE("-d", "/mnt"), 0);
	assert_false(command_is_background(&c));
	assert_int_equal(PARSE("-d", "-D", "log", "/mnt"), 0);
	assert_true(command_is_background(&c));
}

static void
test_debug_masks(void **state)
{
	assert_int_equal(PARSE("-d", "/mnt"), 0);
	assert_int_equal(c.debug_mask, UINT32_MAX);
	assert_int_equal(PARSE("-d=0x20", "/mnt"), 0);
	assert_int_equal(c.debug_mask, 0x20);
	assert_int_equal(PARSE("-d", "-1", "-m", "X:"), 0);
	assert_int_equal(c.debug_mask, UINT32_MAX);
	assert_int_equal(PARSE("--debug=6", "/mnt"), 0);
	assert_int_equal(c.debug_mask, 6);
}

static void
refused(int err, const char *why)
{
	assert_int_equal(err, -1);
	if (!strstr(c.line.error, why))
		fail_msg("\"%s\" is not in \"%s\"", why, c.line.error);
}

static void
test_refusals(void **state)
{
	refused(PARSE("/mnt", "-o", "nosuch=1"), "nosuch=1");
	refused(PARSE("-x", "/mnt"), "-x");
	refused(PARSE("--wrong", "/mnt"), "wrong");
	refused(PARSE("a", "b", "c"), "'c'");
	refused(PARSE("-m", "X:", "a", "b"), "'b'");
	refused(PARSE("-i"), "mount point");
	refused(PARSE("/mnt", "-t"), "-t");
	refused(PARSE("/mnt", "-o", "size"), "size");
	refused(PARSE("/mnt", "-o", "insensitive=1"), "insensitive");
	refused(PARSE("/mnt", "--foreground=1"), "foreground");
	refused(PARSE("/mnt", "-o", "size=bad"), "size: that is bad");
	refused(PARSE("/mnt", "-d=x"), "x");
}

static void
test_source(void **state)
{
	program.SourceName = "Directory";
	assert_int_equal(PARSE("/src", "/mnt"), 0);
	assert_string_equal(given, "Directory=/src");
	assert_int_equal(PARSE("-m", "X:", "/src"), 0);
	assert_string_equal(given, "Directory=/src");
	assert_int_equal(PARSE("/mnt"), 0);
	assert_string_equal(given, "");
	program.SourceName = NULL;
}

static void
test_double_dash(void **state)
{
	assert_int_equal(PARSE("--", "-mnt"), 0);
	assert_string_equal(c.mount_point, "-mnt");
}

static void
test_exit_codes(void **state)
{
	char *bad[] = {(char *)"testfs", (char *)"-x", NULL},
	     *version[] = {(char *)"testfs", (char *)"--version", NULL},
	     *help[] = {(char *)"testfs", (char *)"--help", NULL};

	assert_int_equal(FspxProgramMain(&program, 2, bad), FspxExitUsage);
	assert_int_equal(FspxProgramMain(&program, 2, version), FspxExitSuccess);
	assert_int_equal(FspxProgramMain(&program, 2, help), FspxExitSuccess);
}

static NTSTATUS
create_fails(FSPX_PROGRAM *p, FSP_FILE_SYSTEM **fs, char *error, SIZE_T cap)
{
	snprintf(error, cap, "no luck");
	return STATUS_UNSUCCESSFUL;
}

static void
test_create_fails(void **state)
{
	char *argv[] = {(char *)"testfs", (char *)"-m", (char *)"/nowhere", NULL};

	program.Create = create_fails;
	assert_int_equal(FspxProgramMain(&program, 3, argv), FspxExitFileSystem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_helper_form, teardown),
		cmocka_unit_test_teardown(test_windows_form, teardown),
		cmocka_unit_test_teardown(test_values, teardown),
		cmocka_unit_test_teardown(test_escaped_comma, teardown),
		cmocka_unit_test_teardown(test_foreground, teardown),
		cmocka_unit_test_teardown(test_debug_masks, teardown),
		cmocka_unit_test_teardown(test_refusals, teardown),
		cmocka_unit_test_teardown(test_source, teardown),
		cmocka_unit_test_teardown(test_double_dash, teardown),
		cmocka_unit_test_teardown(test_exit_codes, teardown),
		cmocka_unit_test_teardown(test_create_fails, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
