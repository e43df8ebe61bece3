/* stgtest: does a disk keep what it is given? */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "tools/stgtest/stgtest.h"

enum { DEPTH_DEFAULT = 8, ERRORS_DEFAULT = 10 };

static const char usage_text[] =
	"usage: stgtest [-s SEED] TARGET OPCOUNT [RWFU] [ADDRESS|*] [COUNT|*]\n"
	"       stgtest --mode verify [OPTIONS] TARGET\n"
	"       stgtest --verify-only STATEFILE [OPTIONS] [TARGET]\n";

static const char help_text[] =
	"\nDoes a disk keep what it is given?\n"
	"\nTARGET: \\\\.\\pipe\\NAME\\T, iscsi://[USER@]HOST[:PORT]/IQN/LUN, a block "
	"device, a file.\n"
	"What is on it is overwritten.\n"
	"\nThe first form is WinSpd's: OPCOUNT requests of the letters R W F U in turn.\n"
	"\nOptions:\n"
	"  -s, --seed SEED                   what the order of requests follows from "
	"(time)\n"
	"  --mode MODE                       winspd, verify\n"
	"  --depth N                         requests at once: 1 to 256 (8; winspd: 1)\n"
	"  --ops N                           number of requests (10000, or by duration)\n"
	"  --duration SECONDS                how long\n"
	"  --pattern PATTERN                 random, sequential\n"
	"  --range FIRST:COUNT               the blocks to use (all, at most 4194304)\n"
	"  --max-blocks N                    blocks of one request (64)\n"
	"  --mix R,W,F,U                     weights of reads, writes, flushes, unmaps "
	"(40,45,5,10)\n"
	"  --fua PERCENT                     of the writes, with force unit access (10)\n"
	"  --no-fill                         do not write the whole range first\n"
	"  --no-sweep                        do not read the whole range at the end\n"
	"  --state FILE                      keep a journal of what was promised\n"
	"  --verify-only FILE                check a disk against a journal\n"
	"  --block-length BYTES              of a plain file (512)\n"
	"  --direct                          past the page cache, also for plain files\n"
	"  --timeout SECONDS                 to wait for an answer (30)\n"
	"  --connect-timeout SECONDS         to wait for the connection (10)\n"
	"  --errors N                        give up after that many faults (10)\n"
	"  --json                            the summary as an object\n"
	"  --progress                        say every second how far it is\n"
	"  --quiet                           no progress, no command line\n"
	"  -h, --help                        this\n"
	"  --version                         the version\n"
	"\nExit codes: 0 all is well; 1 usage; 2 the disk cannot be opened; 3 bad data; "
	"4 a request\n"
	"failed or the connection ended.\n"
	"\nExamples:\n"
	"  stgtest '\\\\.\\pipe\\rawdisk\\0' 1000 WRUR '*' '*'\n"
	"  stgtest --mode verify --duration 60 --depth 32 "
	"iscsi://127.0.0.1/iqn.2026-01.org.example:d/0\n"
	"  stgtest --mode verify --state /tmp/state /dev/sdx    # cut the power, then:\n"
	"  stgtest --verify-only /tmp/state\n";

static int
usage_error(const char *what, const char *detail)
{
	fprintf(stderr, "stgtest: %s%s%s\n%s", what, *detail ? ": " : "", detail,
		usage_text);
	return STGTEST_USAGE;
}

/* Decimal or 0x…; the whole word, at most max. */
static bool
parse_number(const char *s, uint64_t max, uint64_t *ret_value)
{
	char *end;
	unsigned long long v;

	if (*s < '0' || *s > '9')
		return false;
	errno = 0;
	v = strtoull(s, &end, 0);
	if (errno || *end || v > max)
		return false;
	*ret_value = v;
	return true;
}

static bool
parse_range(const char *s, struct stgtest_params *p)
{
	char first[32];
	size_t n = strcspn(s, ":");

	if (n >= sizeof(first) || !s[n])
		return false;
	memcpy(first, s, n);
	first[n] = '\0';
	return parse_number(first, UINT64_MAX - 1, &p->first) &&
	       parse_number(s + n + 1, UINT32_MAX, &p->n_blocks) && p->n_blocks;
}

static bool
parse_mix(const char *s, struct stgtest_params *p)
{
	int n = 0;

	return sscanf(s, "%5u,%5u,%5u,%5u%n", &p->reads, &p->writes, &p->flushes,
		      &p->unmaps, &n) == 4 &&
	       !s[n] && p->reads + p->writes + p->flushes + p->unmaps;
}

enum option_id {
	OPT_MODE = 256,
	OPT_DEPTH,
	OPT_OPS,
	OPT_DURATION,
	OPT_PATTERN,
	OPT_RANGE,
	OPT_MAX_BLOCKS,
	OPT_MIX,
	OPT_FUA,
	OPT_NO_FILL,
	OPT_NO_SWEEP,
	OPT_STATE,
	OPT_VERIFY_ONLY,
	OPT_BLOCK_LENGTH,
	OPT_DIRECT,
	OPT_TIMEOUT,
	OPT_CONNECT_TIMEOUT,
	OPT_ERRORS,
	OPT_JSON,
	OPT_PROGRESS,
	OPT_QUIET,
	OPT_VERSION
};

static const struct option long_options[] = {
	{"seed", required_argument, NULL, 's'},
	{"mode", required_argument, NULL, OPT_MODE},
	{"depth", required_argument, NULL, OPT_DEPTH},
	{"ops", required_argument, NULL, OPT_OPS},
	{"duration", required_argument, NULL, OPT_DURATION},
	{"pattern", required_argument, NULL, OPT_PATTERN},
	{"range", required_argument, NULL, OPT_RANGE},
	{"max-blocks", required_argument, NULL, OPT_MAX_BLOCKS},
	{"mix", required_argument, NULL, OPT_MIX},
	{"fua", required_argument, NULL, OPT_FUA},
	{"no-fill", no_argument, NULL, OPT_NO_FILL},
	{"no-sweep", no_argument, NULL, OPT_NO_SWEEP},
	{"state", required_argument, NULL, OPT_STATE},
	{"verify-only", required_argument, NULL, OPT_VERIFY_ONLY},
	{"block-length", required_argument, NULL, OPT_BLOCK_LENGTH},
	{"direct", no_argument, NULL, OPT_DIRECT},
	{"timeout", required_argument, NULL, OPT_TIMEOUT},
	{"connect-timeout", required_argument, NULL, OPT_CONNECT_TIMEOUT},
	{"errors", required_argument, NULL, OPT_ERRORS},
	{"json", no_argument, NULL, OPT_JSON},
	{"progress", no_argument, NULL, OPT_PROGRESS},
	{"quiet", no_argument, NULL, OPT_QUIET},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, OPT_VERSION},
	{0},
};

struct command_line {
	struct stgtest_params p;
	uint64_t depth, ops, duration, max_blocks, fua, block_length, timeout,
		connect_timeout, errors;
	bool mode_said;
};

/* Options whose value is a number. */
static uint64_t *
number_of(struct command_line *c, int id, uint64_t *ret_max)
{
	const struct {
		int id;
		uint64_t max;
		uint64_t *value;
	} numbers[] = {
		{'s', UINT64_MAX, &c->p.seed},
		{OPT_DEPTH, DISK_DEPTH_MAX, &c->depth},
		{OPT_OPS, UINT32_MAX - 1, &c->ops},
		{OPT_DURATION, 31536000, &c->duration},
		{OPT_MAX_BLOCKS, 1 << 20, &c->max_blocks},
		{OPT_FUA, 100, &c->fua},
		{OPT_BLOCK_LENGTH, 1 << 20, &c->block_length},
		{OPT_TIMEOUT, 86400, &c->timeout},
		{OPT_CONNECT_TIMEOUT, 86400, &c->connect_timeout},
		{OPT_ERRORS, 1000000, &c->errors},
	};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (numbers[i].id == id) {
			*ret_max = numbers[i].max;
			return numbers[i].value;
		}
	return NULL;
}

static bool *
flag_of(struct command_line *c, int id)
{
	const struct {
		int id;
		bool *value;
	} flags[] = {
		{OPT_NO_FILL, &c->p.no_fill},	 {OPT_NO_SWEEP, &c->p.no_sweep},
		{OPT_DIRECT, &c->p.disk.direct}, {OPT_JSON, &c->p.json},
		{OPT_PROGRESS, &c->p.progress},	 {OPT_QUIET, &c->p.quiet},
	};

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (flags[i].id == id)
			return flags[i].value;
	return NULL;
}

/* Options whose value is neither. */
static bool
take_word(struct command_line *c, int id, const char *word)
{
	struct stgtest_params *p = &c->p;

	switch (id) {
	case OPT_MODE:
		c->mode_said = true;
		p->verify = strcmp(word, "verify") == 0;
		return p->verify || strcmp(word, "winspd") == 0;
	case OPT_PATTERN:
		p->sequential = strcmp(word, "sequential") == 0;
		return p->sequential || strcmp(word, "random") == 0;
	case OPT_RANGE:
		return parse_range(word, p);
	case OPT_MIX:
		return parse_mix(word, p);
	case OPT_STATE:
		p->state = word;
		return *word;
	case OPT_VERIFY_ONLY:
		p->verify_only = word;
		return *word;
	default:
		return false;
	}
}

/* -1: go on; else the exit code. */
static int
take_option(struct command_line *c, int id, const char *name)
{
	uint64_t max, *number = number_of(c, id, &max);
	bool *flag = flag_of(c, id);

	if (id == 'h') {
		printf("%s%s", usage_text, help_text);
		return STGTEST_OK;
	}
	if (id == OPT_VERSION) {
		printf("stgtest %s\n", USERDRIVE_VERSION);
		return STGTEST_OK;
	}
	if (id == '?')
		return usage_error("there is no such option, or it lacks its value",
				   name);
	if (flag)
		*flag = true;
	else if (number ? !parse_number(optarg, max, number) : !take_word(c, id, optarg))
		return usage_error("this option cannot have that value", name);
	return -1;
}

/* TARGET OPCOUNT [RWFU] [ADDRESS|*] [COUNT|*] */
static bool
take_classic(struct stgtest_params *p, int argc, char **argv)
{
	uint64_t v;

	if (argc < 2 || argc > 5 || !parse_number(argv[1], UINT32_MAX, &v))
		return false;
	p->n_ops = (uint32_t)v;
	p->op_set = argc > 2 ? argv[2] : "";
	if (p->op_set[strspn(p->op_set, "RWFUrwfu")])
		return false;
	if (argc > 3 && strcmp(argv[3], "*") == 0)
		p->address = UINT64_MAX;
	else if (argc > 3 && !parse_number(argv[3], UINT64_MAX - 1, &p->address))
		return false;
	if (argc > 4 && strcmp(argv[4], "*") == 0) {
		p->count = UINT32_MAX;
	} else if (argc > 4) {
		if (!parse_number(argv[4], UINT32_MAX - 1, &v))
			return false;
		p->count = (uint32_t)v;
	}
	return true;
}

static void
settle(struct command_line *c)
{
	struct stgtest_params *p = &c->p;

	p->ops = c->ops;
	p->duration_s = (unsigned)c->duration;
	p->max_blocks = (uint32_t)c->max_blocks;
	p->fua_percent = (unsigned)c->fua;
	p->n_errors_max = (unsigned)MAX(c->errors, (uint64_t)1);
	p->disk.depth = c->depth ? (unsigned)c->depth : p->verify ? DEPTH_DEFAULT : 1;
	p->disk.block_length = (uint32_t)c->block_length;
	p->disk.request_ms = (unsigned)c->timeout * 1000;
	p->disk.connect_ms = (unsigned)c->connect_timeout * 1000;
	p->disk.lun = -1;
}

static int
run(struct stgtest_params *p)
{
	CLEANUP(buf_fini) struct buf line = BUF_INIT;
	struct disk_error error;
	struct disk *disk;
	int code;

	if (!p->quiet && !p->json) {
		stgtest_command_line(p, &line);
		printf("%s\n", buf_str(&line));
		fflush(stdout);
	}
	if (disk_open(p->target, &p->disk, &error, &disk) != 0) {
		fprintf(stderr, "stgtest: %s\n", error.text);
		return STGTEST_NO_DISK;
	}
	code = p->verify ? stgtest_verify(p, disk) : stgtest_classic(p, disk);
	disk_close(disk);
	return code;
}

int
main(int argc, char **argv)
{
	struct command_line c = {
		.p = {.program = "stgtest",
		      .op_set = "",
		      .reads = 40,
		      .writes = 45,
		      .flushes = 5,
		      .unmaps = 10},
		.fua = 10,
		.errors = ERRORS_DEFAULT,
	};
	int id, code;

	c.p.seed = (clock_monotonic_ns() / 1000000) & UINT32_MAX;
	opterr = 0;
	while ((id = getopt_long(argc, argv, "s:h", long_options, NULL)) != -1) {
		code = take_option(&c, id, argv[optind - 1]);
		if (code >= 0)
			return code;
	}
	settle(&c);
	c.p.target = argv[optind];
	if (c.p.verify_only)
		return argc - optind > 1 ? usage_error("--verify-only takes one disk", "")
					 : stgtest_verify_state(&c.p);
	if (!c.p.target)
		return usage_error("no disk named", "");
	if (c.p.verify ? argc - optind != 1
		       : !take_classic(&c.p, argc - optind, argv + optind))
		return usage_error("these arguments cannot be",
				   c.p.verify ? "--mode verify takes one disk" : "");
	return run(&c.p);
}
