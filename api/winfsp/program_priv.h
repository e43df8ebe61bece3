/* A drive program's command line, and what the parts of FspxProgramMain share. */
#ifndef USERDRIVE_API_WINFSP_PROGRAM_PRIV_H
#define USERDRIVE_API_WINFSP_PROGRAM_PRIV_H

#include "api/common/command_line.h"
#include "api/common/program.h"
#include "api/winfsp/priv.h"
#include "base/buf.h"

enum program_action { PROGRAM_RUN, PROGRAM_HELP, PROGRAM_VERSION };

struct command {
	FSPX_PROGRAM *program;
	enum program_action action;
	const char *mount_point; /* borrowed from argv, as are the others */
	const char *source;
	bool foreground, windows_form; /* -f; -m */
	uint32_t debug_mask;
	const char *debug_file;
	struct buf mount_options; /* those that are the door's, as after -o */
	struct command_line line; /* with the error */
};

/* Options are handed to the program as they come. 0, or -1 with line.error filled. */
NODISCARD int command_parse(struct command *c, int argc, char **argv);
void command_fini(struct command *c);
void command_help(const FSPX_PROGRAM *program);
/* "-m" and "-f" serve in the foreground, and so does a debug log on standard error. */
bool command_is_background(const struct command *c);

/* The control socket: "info" and "stop". */
struct program_control;
NODISCARD int program_control_start(const struct command *c, struct fsp *fsp,
				    struct program_events *events,
				    struct program_control **ret_control);
void program_control_stop(struct program_control *control);

#endif
