/* userdrive: the one command line. Each sub-command is a row of a table. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tools/userdrive/command.h"

static int run_version(int argc, char **argv);
static int run_help(int argc, char **argv);

static const struct command command_version = {
	.name = "version",
	.arguments = "[--json]",
	.summary = "show the version",
	.help = "  --json      an object: \"version\", \"fuse_protocol\"\n"
		"\nExample:\n  userdrive version --json\n",
	.run = run_version,
};
static const struct command command_help = {
	.name = "help",
	.arguments = "[COMMAND]",
	.summary = "show how a command is used",
	.help = "Example:\n  userdrive help mount\n",
	.run = run_help,
};

static const struct command *const commands[] = {
	&command_mount,	 &command_attach, &command_list,   &command_info,    &command_stop,
	&command_detach, &command_resize, &command_fuse_run, &command_doctor, &command_version,
	&command_help,
};

static const struct command *
find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

void
usage_error(const struct command *command, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "userdrive %s: ", command->name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nusage: userdrive %s %s\n", command->name, command->arguments);
}

static void
print_help(FILE *to)
{
	fprintf(to, "usage: userdrive COMMAND [ARGUMENTS]\n\nOrdinary programs become drives.\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(to, "  %-9s %s\n", commands[i]->name, commands[i]->summary);
	fprintf(to, "\n'userdrive help COMMAND' tells more.\n\nExamples:\n"
		    "  userdrive mount memfs /mnt/scratch && userdrive list\n"
		    "  userdrive attach disk.img --size 10G && userdrive list\n");
}

static const struct command *
find_or_say(const char *name)
{
	const struct command *command = find(name);

	if (!command) {
		fprintf(stderr, "userdrive: there is no command '%s'\n", name);
		print_help(stderr);
	}
	return command;
}

static bool
is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static int
run_help(int argc, char **argv)
{
	if (argc < 2) {
		print_help(stdout);
		return EXIT_OK;
	}
	if (argc > 2) {
		usage_error(&command_help, "'%s' is not expected", argv[2]);
		return EXIT_USAGE;
	}
	const struct command *command = find_or_say(argv[1]);
	if (!command)
		return EXIT_USAGE;
	printf("usage: userdrive %s %s\n\n%s\n\n%s", command->name, command->arguments,
	       command->summary, command->help);
	return EXIT_OK;
}

static int
run_version(int argc, char **argv)
{
	bool json = argc > 1 && strcmp(argv[1], "--json") == 0;

	if (argc > 1 + json) {
		usage_error(&command_version, "'%s' is not expected", argv[1 + json]);
		return EXIT_USAGE;
	}
	if (json)
		printf("{\"version\":\"%s\",\"fuse_protocol\":\"7.45\"}\n", USERDRIVE_VERSION);
	else
		printf("userdrive %s (FUSE protocol 7.31 to 7.45)\n", USERDRIVE_VERSION);
	return EXIT_OK;
}

int
main(int argc, char **argv)
{
	if (argc < 2) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
		return run_version(1, argv);
	if (is_help(argv[1]))
		return run_help(1, argv);
	const struct command *command = find_or_say(argv[1]);
	if (!command)
		return EXIT_USAGE;
	/* What follows the name of a drive program is for that program. */
	bool has_program = command == &command_mount || command == &command_attach ||
			   command == &command_fuse_run;
	int own = has_program && argc > 3 ? 3 : argc;
	for (int i = 2; i < own; i++)
		if (is_help(argv[i])) {
			char *help[] = {argv[0], argv[1], NULL};

			return run_help(2, help);
		}
	return command->run(argc - 1, argv + 1);
}
