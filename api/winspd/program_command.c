/* The command line of a disk program (winspd/ext.h). */
#include "api/winspd/program_priv.h"

#include <stdio.h>
#include <string.h>

static const struct standard_option standard_options[] = {
	{{'p', NULL, "DEVICENAME",
	  "a door, in the foreground: \\\\.\\pipe\\NAME, loop:, iscsi://…"},
	 .always = true},
	{{0, "door", "DEVICENAME", "a door; may be given several times"}},
	{{'o', NULL, "OPTION[,OPTION]", "options by name"}, .always = true},
	{{0, "foreground", NULL, "stay in the foreground"}},
	{{0, "background", NULL, "return when the disk is there, also without SOURCE"}},
	{{'d', "debug", "FLAGS", "log requests; bit 1 << kind, -1 all"}, .value_optional = true},
	{{'D', "debug-log", "FILE", "log to FILE; - is standard error"}},
	{{'h', "help", NULL, "this text"}, .always = true},
	{{'V', "version", NULL, "the version"}},
};
enum {
	STD_P,
	STD_DOOR,
	STD_O,
	STD_FOREGROUND,
	STD_BACKGROUND,
	STD_DEBUG,
	STD_DEBUG_LOG,
	STD_HELP,
	STD_VERSION
};

static struct command *
command_of(struct command_line *line)
{
	return container_of(line, struct command, line);
}

static int
set_program(struct command_line *line, const char *name, const char *value, char *error, size_t cap)
{
	SPDX_PROGRAM *program = command_of(line)->program;

	return program->SetOption(program, name, value, error, cap);
}

static int
refuse_item(struct command_line *line, const char *item)
{
	return command_line_fail(line, "unknown option", item);
}

static int
add_door(struct command *c, const char *name)
{
	if (c->n_doors == ARRAY_SIZE(c->doors))
		return command_line_fail(&c->line, "one door too many:", name);
	c->doors[c->n_doors++] = name;
	return 0;
}

static int
set_standard(struct command_line *line, int which, const char *value)
{
	struct command *c = command_of(line);

	switch (which) {
	case STD_P:
		c->windows_form = true;
		return add_door(c, value);
	case STD_DOOR:
		return add_door(c, value);
	case STD_O:
		return command_line_items(line, value);
	case STD_FOREGROUND:
		c->foreground = true;
		return 0;
	case STD_BACKGROUND:
		c->background = true;
		return 0;
	case STD_DEBUG:
		c->debug_mask = UINT32_MAX;
		if (value && !command_line_number(value, &c->debug_mask))
			return command_line_fail(line, "not a mask:", value);
		return 0;
	case STD_DEBUG_LOG:
		c->debug_file = value;
		return 0;
	default:
		c->action = which == STD_HELP ? PROGRAM_HELP : PROGRAM_VERSION;
		line->done = true;
		return 0;
	}
}

static const struct command_line_ops line_ops = {
	.standard = standard_options,
	.n_standard = ARRAY_SIZE(standard_options),
	.set_program = set_program,
	.set_standard = set_standard,
	.set_item = refuse_item,
};

_Static_assert(sizeof(SPDX_OPTION) == sizeof(struct option_spec) &&
		       offsetof(SPDX_OPTION, Help) == offsetof(struct option_spec, help),
	       "one layout under two names");

static void
line_init(struct command_line *line, const SPDX_PROGRAM *program)
{
	line->ops = &line_ops;
	line->program_name = program->Name;
	line->options = (const struct option_spec *)(const void *)program->Options;
}

static int
set_source(struct command *c)
{
	SPDX_PROGRAM *program = c->program;
	char error[384] = "";
	unsigned n = c->line.n_positional;

	if (n > 1 || (n == 1 && !program->SourceName))
		return command_line_fail(&c->line, "one argument too many:",
					 c->line.positional[n - 1]);
	if (n == 0)
		return 0;
	c->source = c->line.positional[0];
	if (program->SetOption(program, program->SourceOption ? program->SourceOption
							      : program->SourceName,
			       c->source, error, sizeof(error)) == 0)
		return 0;
	snprintf(c->line.error, sizeof(c->line.error), "%s%s",
		 error[0] ? error : "a bad value: ", error[0] ? "" : c->source);
	return -1;
}

int
command_parse(struct command *c, int argc, char **argv)
{
	int err;

	line_init(&c->line, c->program);
	err = command_line_parse(&c->line, argc, argv);
	if (err == 0 && c->action == PROGRAM_RUN)
		err = set_source(c);
	return err;
}

bool
command_is_background(const struct command *c)
{
	return (c->source || c->background) && !c->windows_form && !c->foreground &&
	       (!c->debug_mask || c->debug_file);
}

void
command_help(const SPDX_PROGRAM *program)
{
	struct command_line line = {.done = true};

	line_init(&line, program);
	printf("%s: %s\n\nUsage:\n", program->Name, program->Summary);
	printf("  %s [options] [-p DEVICENAME]…   serves in the foreground\n", program->Name);
	if (program->SourceName)
		printf("  %s [options] %s [--door DEVICENAME]…   returns when the disk is there\n",
		       program->Name, program->SourceName);
	printf("\nOptions:\n");
	command_line_help_options(&line);
	printf("\nEach --NAME=VALUE of the program is also an option NAME=VALUE of -o. Doors:\n"
	       "  loop:                               a block device of this machine\n"
	       "  iscsi://ADDRESS[:PORT]/NAME[/LUN]   an iSCSI target\n"
	       "  \\\\.\\pipe\\NAME                       a local socket, for tests and tools\n"
	       "Without one, the best that this machine's kernel has. Where the disk can be "
	       "reached is\n"
	       "printed, a line for each door.\n");
	command_line_help_lines("Examples:", program->Examples);
	printf("\nExit codes:\n"
	       "  0 success   1 bad command line   2 a door cannot be opened\n"
	       "  3 what a door needs is missing or forbidden\n"
	       "  4 the disk could not be created   5 it ended by itself\n");
}
