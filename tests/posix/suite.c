/*
 * posix-suite: a POSIX conformance suite for any directory. See --help, cases.list (what
 * is tested) and excluded.list (what is not, and why).
 */
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runner.h"

static const char help[] =
	"Usage: posix-suite [options] DIRECTORY\n"
	"Runs the POSIX conformance cases in a fresh directory below DIRECTORY.\n\n"
	"  --list               print the cases (call, errno, case, needs, text) and "
	"end\n"
	"  --only CALL[:ERRNO[:CASE]]\n"
	"                       run matching cases only; shell patterns, may be "
	"repeated\n"
	"  --expect FILE        lines 'CALL:ERRNO:CASE reason': cases known to fail "
	"here;\n"
	"                       one that passes all the same counts as failed\n"
	"  --other-uid N        users A and B are N and N+1, groups N to N+3 (default "
	"60001)\n"
	"  --ro-dir DIR         a directory on a read-only view of such a file system,\n"
	"                       made with --prepare-ro while it was writable\n"
	"  --small-dir DIR      a directory on a file system small enough to be filled\n"
	"  --planted-dir DIR    a directory whose file system answers EDQUOT when a "
	"name\n"
	"                       beginning with edquot- is created, and EIO when one\n"
	"                       beginning with eio- is changed, removed, or created "
	"other\n"
	"                       than by open\n"
	"  --prepare-ro DIR     create the content that --ro-dir expects in DIR and end\n"
	"  --strict             an ability that the file system lacks is a failure, to "
	"be\n"
	"                       listed in the --expect file, and not a reason to skip\n"
	"  --tap, --json        report for programs\n"
	"  --verbose            report passed and skipped cases too\n\n"
	"Ends with 0 when nothing failed, 1 when a case failed, 2 on wrong use,\n"
	"77 when every case was skipped.\n"
	"Run by root it tests root and other users; by a user what that user can.\n";

#define ONLY_MAX 64

struct options {
	struct report report;
	const char *only[ONLY_MAX];
	size_t n_only;
	const char *expect;
	bool list;
};

enum {
	OPT_LIST = 256,
	OPT_ONLY,
	OPT_EXPECT,
	OPT_UID,
	OPT_RO,
	OPT_SMALL,
	OPT_PLANTED,
	OPT_PREPARE,
	OPT_STRICT,
	OPT_TAP,
	OPT_JSON,
	OPT_VERBOSE,
	OPT_HELP,
	OPT_HELPER,
};

static const struct option long_options[] = {
	{"list", no_argument, NULL, OPT_LIST},
	{"only", required_argument, NULL, OPT_ONLY},
	{"expect", required_argument, NULL, OPT_EXPECT},
	{"other-uid", required_argument, NULL, OPT_UID},
	{"ro-dir", required_argument, NULL, OPT_RO},
	{"small-dir", required_argument, NULL, OPT_SMALL},
	{"planted-dir", required_argument, NULL, OPT_PLANTED},
	{"prepare-ro", required_argument, NULL, OPT_PREPARE},
	{"strict", no_argument, NULL, OPT_STRICT},
	{"tap", no_argument, NULL, OPT_TAP},
	{"json", no_argument, NULL, OPT_JSON},
	{"verbose", no_argument, NULL, OPT_VERBOSE},
	{"help", no_argument, NULL, OPT_HELP},
	{"helper", required_argument, NULL, OPT_HELPER},
	{NULL, 0, NULL, 0},
};

static _Noreturn void
wrong_use(const char *what)
{
	fprintf(stderr, "posix-suite: %s\nTry posix-suite --help.\n", what);
	exit(2);
}

/* Cases change their directory, so every path is made absolute first. */
static const char *
absolute(const char *path)
{
	char *real = realpath(path, NULL);

	if (real == NULL) {
		fprintf(stderr, "posix-suite: %s: %s\n", path, strerror(errno));
		exit(2);
	}
	return real;
}

static uid_t
parse_uid(const char *text)
{
	char *end;
	unsigned long uid = strtoul(text, &end, 10);

	if (*end != '\0' || uid == 0 || uid > INT_MAX - 4)
		wrong_use("--other-uid takes a number above 0");
	return (uid_t)uid;
}

static _Noreturn void
prepare_and_exit(const char *dir)
{
	int err = ro_content_create(dir);

	if (err != 0)
		fprintf(stderr, "posix-suite: %s: %s\n", dir, strerror(-err));
	exit(err == 0 ? 0 : 1);
}

static void
option_set(struct options *o, int opt, const char *arg)
{
	switch (opt) {
	case OPT_LIST:
		o->list = true;
		break;
	case OPT_ONLY:
		if (o->n_only == ONLY_MAX)
			wrong_use("too many --only");
		o->only[o->n_only++] = arg;
		break;
	case OPT_EXPECT:
		o->expect = arg;
		break;
	case OPT_UID:
		env.base_uid = parse_uid(arg);
		break;
	case OPT_RO:
		env.ro_dir = absolute(arg);
		break;
	case OPT_SMALL:
		env.small_dir = absolute(arg);
		break;
	case OPT_PLANTED:
		env.planted_dir = absolute(arg);
		break;
	case OPT_PREPARE:
		prepare_and_exit(arg);
	case OPT_STRICT:
		env.strict = true;
		break;
	case OPT_TAP:
		o->report.format = REPORT_TAP;
		break;
	case OPT_JSON:
		o->report.format = REPORT_JSON;
		break;
	case OPT_VERBOSE:
		o->report.verbose = true;
		break;
	case OPT_HELP:
		fputs(help, stdout);
		exit(0);
	case OPT_HELPER:
		exit(helper_main(arg));
	default:
		wrong_use("unknown option");
	}
}

static bool
chosen(const struct options *o, const struct posix_case *c)
{
	for (size_t i = 0; i < o->n_only; i++)
		if (case_matches(c, o->only[i]))
			return true;
	return o->n_only == 0;
}

static size_t
count_chosen(const struct options *o)
{
	size_t n = 0;

	for (size_t i = 0; i < registry_count(); i++)
		n += chosen(o, registry_get(i));
	return n;
}

static int
run_all(struct options *o)
{
	struct result result;
	int err = runner_init();

	if (err != 0) {
		fprintf(stderr, "posix-suite: %s: %s\n", env.dir, strerror(-err));
		runner_fini();
		return 2;
	}
	report_begin(&o->report, count_chosen(o));
	for (size_t i = 0; i < registry_count() && !runner_interrupted(); i++) {
		if (!chosen(o, registry_get(i)))
			continue;
		runner_run(registry_get(i), &result);
		report_case(&o->report, &result);
	}
	report_end(&o->report);
	runner_fini();
	if (runner_interrupted()) {
		fprintf(stderr, "posix-suite: interrupted\n");
		return 2;
	}
	if (o->report.failed > 0)
		return 1;
	return o->report.passed + o->report.expected == 0 ? 77 : 0;
}

int
main(int argc, char **argv)
{
	struct options o = {0};
	int opt;

	env.base_uid = 60001;
	env.root = geteuid() == 0;
	while ((opt = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		option_set(&o, opt, optarg);
	registry_build();
	if (o.list) {
		for (size_t i = 0; i < registry_count(); i++)
			if (chosen(&o, registry_get(i)))
				case_print(stdout, registry_get(i));
		return 0;
	}
	if (optind != argc - 1)
		wrong_use("one DIRECTORY is needed");
	if (count_chosen(&o) == 0)
		wrong_use("no case matches --only");
	if (o.expect != NULL && expect_load(o.expect) != 0)
		return 2;
	env.dir = absolute(argv[optind]);
	return run_all(&o);
}
