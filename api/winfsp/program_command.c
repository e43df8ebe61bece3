/* The command line of a drive program (winfsp/ext.h). */
#include "api/winfsp/program_priv.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const struct standard_option standard_options[] = {
	{{'m', "mountpoint", "MOUNTPOINT", "a directory, X: or * (the first free letter)"},
	 .always = true},
	{{'o', NULL, "OPTION[,OPTION]", "options by name, and those of the mount"}, .always = true},
	{{'f', "foreground", NULL, "stay in the foreground"}},
	{{'d', "debug", "MASK", "log requests; bit 1 << kind, all without MASK"},
	 .value_optional = true},
	{{'D', "debug-log", "FILE", "log to FILE; - is standard error"}},
	{{'h', "help", NULL, "this text"}, .always = true},
	{{'V', "version", NULL, "the version"}},
};
enum { STD_MOUNT, STD_O, STD_FOREGROUND, STD_DEBUG, STD_DEBUG_LOG, STD_HELP, STD_VERSION };

static struct command *
command_of(struct command_line *line)
{
	return container_of(line, struct command, line);
}

static int
set_program(struct command_line *line, const char *name, const char *value, char *error, size_t cap)
{
	FSPX_PROGRAM *program = command_of(line)->program;

	return program->SetOption(program, name, value, error, cap);
}

/* For the door, which reads the list again: a comma inside is escaped. */
static void
add_mount_option(struct command *c, const char *item)
{
	if (c->mount_options.n)
		buf_add(&c->mount_options, ",", 1);
	for (; *item; item++) {
		if (*item == ',' || *item == '\\')
			buf_add(&c->mount_options, "\\", 1);
		buf_add(&c->mount_options, item, 1);
	}
}

static int
set_mount_option(struct command_line *line, const char *item)
{
	struct command *c = command_of(line);
	const struct fs_door *door = fs_door_find("mount");
	struct fs_door_error error = {0};
	int known = door ? door->option_check(item, &error) : 0;

	/* mount(8) says by it who mounted; the mount table has that already. */
	if (strncmp(item, "user=", 5) == 0)
		return 0;
	if (known == 0)
		return command_line_fail(line, "unknown option", item);
	if (known < 0) {
		snprintf(line->error, sizeof(line->error), "%s", error.text);
		return -1;
	}
	add_mount_option(c, item);
	return 0;
}

static int
set_standard(struct command_line *line, int which, const char *value)
{
	struct command *c = command_of(line);

	switch (which) {
	case STD_MOUNT:
		c->mount_point = value;
		c->windows_form = true;
		return 0;
	case STD_O:
		assert(value); /* the parsers refuse -o without one */
		return command_line_items(line, value);
	case STD_FOREGROUND:
		c->foreground = true;
		return 0;
	case STD_DEBUG:
		c->debug_mask = UINT32_MAX;
		if (value && !command_line_number(value, &c->debug_mask))
			return command_line_fail(line, "not a mask:", value);
		return 0;
	case STD_DEBUG_LOG:
		c->debug_file = value;
		return 0;
	case STD_HELP:
		c->action = PROGRAM_HELP;
		line->done = true;
		return 0;
	default:
		c->action = PROGRAM_VERSION;
		line->done = true;
		return 0;
	}
}

/* [SOURCE] MOUNTPOINT, or [SOURCE] beside -m MOUNTPOINT. */
static int
place_positionals(struct command *c)
{
	unsigned n = c->line.n_positional;
	char error[384] = "";

	if (!c->mount_point) {
		if (n == 0) {
			snprintf(c->line.error, sizeof(c->line.error),
				 "no mount point was given; see %s --help", c->program->Name);
			return -1;
		}
		c->mount_point = c->line.positional[--n];
	}
	if (n == 2)
		return command_line_fail(&c->line, "one argument too many:", c->line.positional[1]);
	c->source = n == 1 ? c->line.positional[0] : NULL;
	if (!c->source || !c->program->SourceName)
		return 0;
	if (c->program->SetOption(c->program, c->program->SourceName, c->source, error,
				  sizeof(error)) == 0)
		return 0;
	snprintf(c->line.error, sizeof(c->line.error), "%s", error);
	return -1;
}

static const struct command_line_ops line_ops = {
	.standard = standard_options,
	.n_standard = ARRAY_SIZE(standard_options),
	.set_program = set_program,
	.set_standard = set_standard,
	.set_item = set_mount_option,
};

_Static_assert(sizeof(FSPX_OPTION) == sizeof(struct option_spec) &&
		       offsetof(FSPX_OPTION, Help) == offsetof(struct option_spec, help),
	       "one layout under two names");

static void
line_init(struct command_line *line, const FSPX_PROGRAM *program)
{
	line->ops = &line_ops;
	line->program_name = program->Name;
	line->options = (const struct option_spec *)(const void *)program->Options;
}

int
command_parse(struct command *c, int argc, char **argv)
{
	int err;

	line_init(&c->line, c->program);
	err = command_line_parse(&c->line, argc, argv);
	if (err == 0 && c->action == PROGRAM_RUN)
		err = place_positionals(c);
	return err;
}

void
command_fini(struct command *c)
{
	buf_fini(&c->mount_options);
}

bool
command_is_background(const struct command *c)
{
	return !c->windows_form && !c->foreground && (!c->debug_mask || c->debug_file);
}

void
command_help(const FSPX_PROGRAM *program)
{
	struct command_line line = {.done = true};
	const char *source = program->SourceName ? program->SourceName : "SOURCE";

	line_init(&line, program);
	printf("%s: %s\n\nUsage:\n", program->Name, program->Summary);
	printf("  %s [%s] MOUNTPOINT [-o OPTION[,OPTION…]]   returns when the drive is live\n",
	       program->Name, source);
	printf("  %s -m MOUNTPOINT [options]   serves in the foreground\n\nOptions:\n",
	       program->Name);
	command_line_help_options(&line);
	printf("\nEach --NAME=VALUE is also an option NAME=VALUE of -o. "
	       "Options of the mount, with -o:\n"
	       "  ro, allow_other, default_permissions, uid=N, gid=N, umask=M, fsname=NAME,\n"
	       "  attr_timeout=S, entry_timeout=S, transport=auto|uring|dev, threads=N,"
	       " deadline=MS,\n"
	       "  streams_interface=none|xattr|windows, and those of mount(8)\n");
	command_line_help_lines("Examples:", program->Examples);
	printf("\nExit codes:\n"
	       "  0 success   1 bad command line   2 the mount point cannot be used\n"
	       "  3 /dev/fuse or fusermount3 is missing or forbidden\n"
	       "  4 the file system could not be created   5 it ended by itself\n");
}
