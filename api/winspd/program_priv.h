/* A disk program's command line, and what the parts of SpdxProgramMain share. */
#ifndef USERDRIVE_API_WINSPD_PROGRAM_PRIV_H
#define USERDRIVE_API_WINSPD_PROGRAM_PRIV_H

#include "api/common/command_line.h"
#include "api/common/program.h"
#include "api/winspd/priv.h"
#include "base/buf.h"

enum program_action { PROGRAM_RUN, PROGRAM_HELP, PROGRAM_VERSION };

struct command {
	SPDX_PROGRAM *program;
	enum program_action action;
	const char *doors[SPD_DOORS_MAX]; /* borrowed from argv */
	unsigned n_doors;                 /* 0: the default one */
	const char *source;               /* positional; NULL */
	bool foreground, background;      /* --foreground; --background */
	bool windows_form;                /* -p */
	uint32_t debug_mask;
	const char *debug_file;
	struct command_line line; /* with the error */
};

/* Options are handed to the program as they come. 0, or -1 with line.error filled. */
NODISCARD int command_parse(struct command *c, int argc, char **argv);
void command_help(const SPDX_PROGRAM *program);
/* SOURCE or --background go to the background; "-p", "--foreground" and a debug log on standard
 * error do not. */
bool command_is_background(const struct command *c);

/* The control socket: "info", "stop", "leave", "resize BLOCKS". */
struct program_control;
NODISCARD int program_control_start(const struct command *c, struct spd *spd,
				    struct program_events *events,
				    struct program_control **ret_control);
void program_control_stop(struct program_control *control);

#endif
