/* The sub-commands of userdrive. Each returns the exit code of the process. */
#ifndef USERDRIVE_TOOLS_COMMAND_H
#define USERDRIVE_TOOLS_COMMAND_H

#include "base/compiler.h"

enum {
	EXIT_OK = 0,
	EXIT_USAGE = 1,   /* bad command line */
	EXIT_NO_DRIVE = 2, /* no such drive */
	EXIT_FAILED = 3,  /* known, but it could not be done */
	EXIT_PROBLEMS = 4 /* doctor: something is left that a person must look at */
};

struct command {
	const char *name;
	const char *arguments;
	const char *summary;
	const char *help; /* options and examples */
	int (*run)(int argc, char **argv); /* argv[0] is the command's name */
};

extern const struct command command_mount, command_attach, command_list, command_info,
	command_stop, command_detach, command_resize, command_fuse_run, command_doctor;

void usage_error(const struct command *command, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
