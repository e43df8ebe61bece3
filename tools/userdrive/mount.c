/* userdrive mount: finds the drive program and becomes it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tools/userdrive/command.h"
#include "tools/userdrive/programs.h"

static int
run_mount(int argc, char **argv)
{
	if (argc < 2 || argv[1][0] == '-') {
		usage_error(&command_mount, "the name of a drive program is expected");
		return EXIT_USAGE;
	}
	const char *program = argv[1];
	int err = program_exec(argv + 1);

	fprintf(stderr, "userdrive: %s: %s\n", program,
		err == ENOENT && !strchr(program, '/')
			? "no such program; known here are memfs and passthrough, others are "
			  "looked for in $PATH"
			: strerror(err));
	return EXIT_NO_DRIVE;
}

const struct command command_mount = {
	.name = "mount",
	.arguments = "PROGRAM [SOURCE] MOUNTPOINT [-o OPTION[,OPTION…]]",
	.summary = "start a drive program; returns when the drive is live",
	.help = "  memfs MOUNTPOINT                  a drive in memory\n"
		"  passthrough DIRECTORY MOUNTPOINT  a directory as a drive\n"
		"  PROGRAM …                         any other, by path or from $PATH\n"
		"\nArguments are the program's own: 'memfs --help' lists them.\n"
		"\nExamples:\n"
		"  userdrive mount memfs /mnt/scratch -o size=1G\n"
		"  userdrive mount passthrough /srv/data /mnt/data -o ro,allow_other\n",
	.run = run_mount,
};
