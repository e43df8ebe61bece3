/* scsitool: what a disk answers. */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/endian.h"
#include "tools/scsitool/layouts.h"
#include "tools/scsitool/tool.h"

static const char usage_text[] =
	"usage: scsitool [OPTIONS] COMMAND DEVICE [B:T:L] [NAME=VALUE ...]\n";

static const char help_text[] =
	"\nDEVICE: /dev/sgN, a SCSI disk, iscsi://[USER@]HOST[:PORT]/IQN/LUN, "
	"\\\\.\\pipe\\NAME\\T.\n"
	"\nOptions:\n"
	"  -c, --canonical                   one NAME=VALUE per line, as WinSpd prints\n"
	"  --json                            an object\n"
	"  --bare                            send nothing but the command: unit "
	"attentions are seen\n"
	"  --initiator NAME                  who asks: iSCSI name; reservations belong "
	"to it\n"
	"  --timeout SECONDS                 to wait for an answer (30)\n"
	"  --connect-timeout SECONDS         to wait for the connection (10)\n"
	"  --block-length BYTES              of a plain file (512)\n"
	"  -h, --help                        this\n"
	"  --version                         the version\n"
	"\nExit codes: 0 GOOD; 1 usage; 2 no device, or no answer; 3 CHECK CONDITION, "
	"with the sense data on\n"
	"standard error; 4 another status; 5 a file or memory is wanting.\n"
	"\nExamples:\n"
	"  scsitool inquiry '\\\\.\\pipe\\rawdisk\\0'\n"
	"  scsitool -c vpd83 iscsi://127.0.0.1/iqn.2026-01.org.example:d/0\n"
	"  scsitool read /dev/sg1 lba=0 count=8 file=first.bin\n"
	"  scsitool mode-select /dev/sg1 page=8 wce=0\n"
	"  scsitool pr-register /dev/sg1 new-key=0x123 && scsitool pr-reserve /dev/sg1 "
	"key=0x123 type=5\n"
	"  scsitool raw /dev/sg1 12 00 00 00 24 00 in=36\n";

int
tool_fail(enum tool_exit code, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "scsitool: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n%s", code == TOOL_USAGE ? usage_text : "");
	return (int)code;
}

static int
find_arg(const struct tool_command *c, const char *name, size_t n)
{
	for (int i = 0; i < TOOL_ARGS_MAX && c->args[i].name; i++)
		if (strlen(c->args[i].name) == n &&
		    strncmp(c->args[i].name, name, n) == 0)
			return i;
	return -1;
}

uint64_t
tool_value(const struct tool *t, const char *name)
{
	return t->values[find_arg(t->command, name, strlen(name))];
}

const char *
tool_word(const struct tool *t, const char *name)
{
	return t->words[find_arg(t->command, name, strlen(name))];
}

bool
tool_said(const struct tool *t, const char *name)
{
	return t->said[find_arg(t->command, name, strlen(name))];
}

bool
tool_parse_number(const char *s, uint64_t max, uint64_t *ret_value)
{
	unsigned long long v;
	char *end;

	if (!isdigit((unsigned char)*s))
		return false;
	errno = 0;
	v = strtoull(s, &end, 0);
	if (errno || *end || v > max)
		return false;
	*ret_value = v;
	return true;
}

ssize_t
tool_parse_hex(const char *s, uint8_t *dst, size_t cap)
{
	size_t n = 0;

	while (*s) {
		char pair[3] = {0};

		if (*s == ' ' || *s == ',') {
			s++;
			continue;
		}
		if (!isxdigit((unsigned char)s[0]) || !isxdigit((unsigned char)s[1]) ||
		    n == cap)
			return -1;
		memcpy(pair, s, 2);
		dst[n++] = (uint8_t)strtoul(pair, NULL, 16);
		s += 2;
	}
	return (ssize_t)n;
}

int
tool_load(const char *what, void *dst, size_t n)
{
	FILE *file = stdin;
	size_t got;

	if (strcmp(what, "zero") == 0) {
		memset(dst, 0, n);
		return TOOL_OK;
	}
	if (strncmp(what, "hex:", 4) == 0) {
		ssize_t k = tool_parse_hex(what + 4, dst, n);

		/* A short pattern is repeated. */
		if (k < 1)
			return tool_fail(TOOL_USAGE,
					 "hex: up to %zu bytes in hexadecimal", n);
		for (size_t i = (size_t)k; i < n; i++)
			((uint8_t *)dst)[i] = ((uint8_t *)dst)[i - (size_t)k];
		return TOOL_OK;
	}
	if (strcmp(what, "-") != 0)
		file = fopen(what, "re");
	if (!file)
		return tool_fail(TOOL_FAILED, "%s: %s", what, strerror(errno));
	got = fread(dst, 1, n, file);
	if (file != stdin)
		fclose(file);
	return got == n ? TOOL_OK
			: tool_fail(TOOL_FAILED, "%s: %zu bytes; %zu are needed", what,
				    got, n);
}

void
tool_say_good(const struct tool *t, uint8_t status)
{
	static const char *const forms[] = {[TOOL_TABLE] = "%s\n",
					    [TOOL_CANONICAL] = "ScsiStatus=%u\n",
					    [TOOL_JSON] = "{\"status\":%u}\n"};

	if (t->format == TOOL_TABLE)
		printf("%s\n", status == 0x04 ? "CONDITION MET" : "GOOD");
	else
		printf(forms[t->format], status);
}

/* The status and the sense data: a line for people, fields in the form asked for. */
int
tool_say_outcome(const struct tool *t, const struct disk_outcome *out)
{
	CLEANUP(buf_fini) struct buf fields = BUF_INIT;
	char text[640];

	disk_outcome_format(t->disk, out, text, sizeof(text));
	fprintf(stderr, "scsitool: %s: %s\n", t->command->name, text);
	if (out->err)
		return TOOL_NO_DEVICE;
	if (out->n_sense)
		tool_print(t->format, layout_of_sense(out->sense, out->n_sense),
			   out->sense, out->n_sense, &fields);
	if (t->format == TOOL_JSON)
		printf("{\"status\":%u,\"sense\":%s}\n", out->status,
		       fields.n ? buf_str(&fields) : "null");
	else
		fprintf(stderr, "%s%s",
			t->format == TOOL_CANONICAL ? "" : "sense data:\n",
			buf_str(&fields));
	return out->status == 0x02 ? TOOL_CHECK : TOOL_STATUS;
}

int
tool_execute(struct tool *t, struct disk_cdb *cdb)
{
	int err = disk_execute(t->disk, cdb);

	return !err && disk_good(&cdb->out) ? TOOL_OK : tool_say_outcome(t, &cdb->out);
}

int
tool_command_out(struct tool *t, void *out, size_t n_out)
{
	struct disk_cdb c = {.n_cdb = t->command->n_cdb,
			     .data = out,
			     .n_data = (uint32_t)n_out,
			     .direction = n_out ? DISK_OUT : DISK_NONE};
	int code;

	memcpy(c.cdb, t->cdb, sizeof(c.cdb));
	code = tool_execute(t, &c);
	if (!code)
		tool_say_good(t, c.out.status);
	return code;
}

int
tool_command_in(struct tool *t, uint32_t size, const struct decode_layout *layout)
{
	CLEANUP(free_ptr) uint8_t *data = disk_alloc(size);
	CLEANUP(buf_fini) struct buf text = BUF_INIT;
	struct disk_cdb c = {.n_cdb = t->command->n_cdb,
			     .data = data,
			     .n_data = size,
			     .direction = DISK_IN};
	int code;

	if (!data)
		return tool_fail(TOOL_FAILED, "out of memory");
	memcpy(c.cdb, t->cdb, sizeof(c.cdb));
	code = tool_execute(t, &c);
	if (code)
		return code;
	if (!layout)
		layout = layout_of_sense(data, c.n_done);
	tool_print(t->format, layout, data, c.n_done, &text);
	if (buf_error(&text))
		return tool_fail(TOOL_FAILED, "out of memory");
	printf("%s%s", buf_str(&text), t->format == TOOL_JSON ? "\n" : "");
	return TOOL_OK;
}

static void
put_bits(uint8_t *bytes, const struct tool_arg *a, uint64_t v)
{
	uint8_t mask;

	if (a->bits > 8) {
		for (int i = a->bits / 8 - 1; i >= 0; i--, v >>= 8)
			bytes[a->byte + i] = (uint8_t)v;
		return;
	}
	mask = (uint8_t)((1u << a->bits) - 1);
	bytes[a->byte] = (uint8_t)((bytes[a->byte] & ~(mask << a->shift)) |
				   (v & mask) << a->shift);
}

static int
take_arg(struct tool *t, int i, const char *value)
{
	const struct tool_arg *a = &t->command->args[i];
	uint64_t max = a->bits >= 64 ? UINT64_MAX : (1ull << a->bits) - 1;

	t->said[i] = true;
	if (a->is_text) {
		t->words[i] = value;
		return TOOL_OK;
	}
	if (!tool_parse_number(value, max, &t->values[i]))
		return tool_fail(TOOL_USAGE, "%s: a number of 0 to %llu", a->name,
				 (unsigned long long)max);
	return TOOL_OK;
}

static int
take_args(struct tool *t, int argc, char **argv)
{
	const struct tool_command *c = t->command;
	int code = TOOL_OK;

	for (int i = 0; i < TOOL_ARGS_MAX && c->args[i].name; i++)
		t->values[i] = c->args[i].value;
	t->rest = argv;
	for (int i = 0; !code && i < argc; i++) {
		size_t n = strcspn(argv[i], "=");
		int arg = argv[i][n] ? find_arg(c, argv[i], n) : -1;

		if (arg >= 0)
			code = take_arg(t, arg, argv[i] + n + 1);
		else if (c->rest)
			t->rest[t->n_rest++] = argv[i];
		else
			code = tool_fail(TOOL_USAGE, "%s does not take '%s'", c->name,
					 argv[i]);
	}
	memcpy(t->cdb, c->cdb, sizeof(t->cdb));
	for (int i = 0; !code && i < TOOL_ARGS_MAX && c->args[i].name; i++) {
		const struct tool_arg *a = &c->args[i];

		if (a->required && !t->said[i])
			code = tool_fail(TOOL_USAGE, "%s needs %s=…", c->name, a->name);
		else if (a->where != ARG_TOOL)
			put_bits(a->where == ARG_CDB ? t->cdb : t->parameters, a,
				 t->values[i]);
	}
	return code;
}

/* B:T:L, or the last parts of it. */
static bool
parse_address(const char *s, unsigned btl[3])
{
	unsigned n = 0, parts[3];

	if (!*s || s[strspn(s, "0123456789:")])
		return false;
	while (n < 3) {
		char *end;
		unsigned long v = strtoul(s, &end, 10);

		if (end == s || v > 16383)
			return false;
		parts[n++] = (unsigned)v;
		if (!*end)
			break;
		s = end + 1;
		if (*end != ':' || n == 3)
			return false;
	}
	btl[0] = btl[1] = btl[2] = 0;
	for (unsigned i = 0; i < n; i++)
		btl[3 - n + i] = parts[i];
	return true;
}

/* A pipe without its number takes it from the address: T there is the unit in its
 * program. */
static int
apply_address(struct tool *t, const unsigned btl[3], struct disk_options *options,
	      struct buf *name)
{
	static const char pipe[] = "\\\\.\\pipe\\";
	bool is_pipe = strncasecmp(t->target, pipe, strlen(pipe)) == 0;

	if (is_pipe && !strchr(t->target + strlen(pipe), '\\') && !btl[0]) {
		buf_printf(name, "%s\\%u", t->target, btl[1]);
		t->target = buf_str(name);
	} else if (btl[0] || btl[1]) {
		return tool_fail(TOOL_USAGE, "%s has bus 0 and target 0 only", t->target);
	}
	options->lun = (int)btl[2];
	return TOOL_OK;
}

static int
run(struct tool *t, struct disk_options *options)
{
	const struct tool_command *c = t->command;
	struct disk_error error;
	int code;

	if (c->no_device)
		return c->run(t);
	options->no_geometry = !c->geometry;
	options->fixed_isid = c->same_nexus;
	options->cdbs = true;
	if (disk_open(t->target, options, &error, &t->disk) != 0)
		return tool_fail(TOOL_NO_DEVICE, "%s", error.text);
	if (!disk_takes_cdbs(t->disk) && !c->any_way)
		code = tool_fail(
			TOOL_NO_DEVICE,
			"%s takes no SCSI commands: it is a %s, which can only read, "
			"write, sync, unmap",
			t->target, disk_way(t->disk));
	else if (c->run)
		code = c->run(t);
	else if (c->size)
		code = tool_command_in(t, c->size, c->layout);
	else
		code = tool_command_out(t, t->parameters, c->n_parameters);
	disk_close(t->disk);
	return code;
}

static void
print_commands(void)
{
	printf("\nCommands:\n");
	for (size_t i = 0; i < n_tool_commands; i++) {
		const struct tool_command *c = &tool_commands[i];

		printf("  %-18s  %s\n", c->name, c->summary);
		for (int k = 0; k < TOOL_ARGS_MAX && c->args[k].name; k++)
			printf("%s%s%s=%s", k ? " " : "                        ",
			       c->args[k].required ? "" : "[", c->args[k].name,
			       c->args[k].required ? "…" : "…]");
		if (c->rest)
			printf(" …");
		if (c->args[0].name)
			printf("\n");
	}
}

enum {
	OPT_JSON = 256,
	OPT_BARE,
	OPT_INITIATOR,
	OPT_TIMEOUT,
	OPT_CONNECT_TIMEOUT,
	OPT_BLOCK_LENGTH,
	OPT_VERSION
};
static const struct option long_options[] = {
	{"canonical", no_argument, NULL, 'c'},
	{"json", no_argument, NULL, OPT_JSON},
	{"bare", no_argument, NULL, OPT_BARE},
	{"initiator", required_argument, NULL, OPT_INITIATOR},
	{"timeout", required_argument, NULL, OPT_TIMEOUT},
	{"connect-timeout", required_argument, NULL, OPT_CONNECT_TIMEOUT},
	{"block-length", required_argument, NULL, OPT_BLOCK_LENGTH},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, OPT_VERSION},
	{0},
};

static int
take_number_option(int id, struct disk_options *o)
{
	uint64_t v;

	if (!tool_parse_number(optarg, id == OPT_BLOCK_LENGTH ? 1 << 20 : 86400, &v) ||
	    !v)
		return tool_fail(TOOL_USAGE, "'%s' is not a number that can be", optarg);
	if (id == OPT_TIMEOUT)
		o->request_ms = (unsigned)v * 1000;
	else if (id == OPT_CONNECT_TIMEOUT)
		o->connect_ms = (unsigned)v * 1000;
	else
		o->block_length = (uint32_t)v;
	return -1;
}

/* -1: go on; else the exit code. */
static int
take_option(int id, struct tool *t, struct disk_options *o, const char *word)
{
	switch (id) {
	case 'c':
		t->format = TOOL_CANONICAL;
		return -1;
	case OPT_JSON:
		t->format = TOOL_JSON;
		return -1;
	case OPT_BARE:
		o->bare = true;
		return -1;
	case OPT_INITIATOR:
		o->initiator = optarg;
		return *optarg ? -1
			       : tool_fail(TOOL_USAGE, "the initiator's name is empty");
	case OPT_TIMEOUT:
	case OPT_CONNECT_TIMEOUT:
	case OPT_BLOCK_LENGTH:
		return take_number_option(id, o);
	case 'h':
		printf("%s%s", usage_text, help_text);
		print_commands();
		return TOOL_OK;
	case OPT_VERSION:
		printf("scsitool %s\n", USERDRIVE_VERSION);
		return TOOL_OK;
	default:
		return tool_fail(TOOL_USAGE,
				 "there is no option '%s', or it lacks its value", word);
	}
}

static const struct tool_command *
find_command(const char *name)
{
	for (size_t i = 0; i < n_tool_commands; i++)
		if (strcmp(tool_commands[i].name, name) == 0)
			return &tool_commands[i];
	return NULL;
}

int
main(int argc, char **argv)
{
	CLEANUP(buf_fini) struct buf name = BUF_INIT;
	struct disk_options options = {.lun = -1};
	struct tool t = {0};
	unsigned btl[3];
	int id, code;

	opterr = 0;
	while ((id = getopt_long(argc, argv, "+ch", long_options, NULL)) != -1) {
		code = take_option(id, &t, &options, argv[optind - 1]);
		if (code >= 0)
			return code;
	}
	argc -= optind;
	argv += optind;
	if (argc < 1)
		return tool_fail(TOOL_USAGE, "no command; --help lists them");
	t.command = find_command(argv[0]);
	if (!t.command)
		return tool_fail(TOOL_USAGE,
				 "there is no command '%s'; --help lists them", argv[0]);
	if (argc < 2)
		return tool_fail(TOOL_USAGE, "%s of which device?", argv[0]);
	t.target = argv[1];
	argc -= 2;
	argv += 2;
	if (argc && (strchr(argv[0], ':') || !t.command->rest) &&
	    parse_address(argv[0], btl)) {
		code = apply_address(&t, btl, &options, &name);
		argc--;
		argv++;
		if (code)
			return code;
	}
	code = take_args(&t, argc, argv);
	return code ? code : run(&t, &options);
}
