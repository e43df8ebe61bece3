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
	.help = "",
	.run = run_version,
};
static const struct command command_help = {
	.name = "help",
	.arguments = "[COMMAND]",
	.summary = "show how a command is used",
	.help = "",
	.run = run_help,
};

static const struct command *const commands[] = {
	&command_mount, &command_list,	  &command_info, &command_stop,
	&command_doctor, &command_version, &command_help,
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
	fprintf(to, "\n'userdrive help COMMAND' tells more.\n\nExample:\n"
		    "  userdrive mount memfs /mnt/scratch && userdrive list\n");
}

static int
run_help(int argc, char **argv)
{
	if (argc < 2) {
		print_help(stdout);
		return EXIT_OK;
	}
	const struct command *command = find(argv[1]);
	if (!command) {
		fprintf(stderr, "userdrive: there is no command '%s'\n", argv[1]);
		print_help(stderr);
		return EXIT_USAGE;
	}
	printf("usage: userdrive %s %s\n\n%s\n\n%s", command->name, command->arguments,
	       command->summary, command->help);
	return EXIT_OK;
}

static int
run_version(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--json") == 0)
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
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return run_help(1, argv);
	const struct command *command = find(argv[1]);
	if (!command) {
		fprintf(stderr, "userdrive: there is no command '%s'\n", argv[1]);
		print_help(stderr);
		return EXIT_USAGE;
	}
	for (int i = 2; command != &command_mount && i < argc; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			char *help[] = {argv[0], argv[1], NULL};

			return run_help(2, help);
		}
	return command->run(argc - 1, argv + 1);
}
