/* Between the parts of scsitool. */
#ifndef USERDRIVE_TOOLS_SCSITOOL_TOOL_H
#define USERDRIVE_TOOLS_SCSITOOL_TOOL_H

#include <sys/types.h>

#include "base/buf.h"
#include "tools/disk/client.h"
#include "tools/scsitool/decode.h"

enum tool_exit {
	TOOL_OK = 0,
	TOOL_USAGE = 1,
	TOOL_NO_DEVICE = 2, /* it cannot be opened, or the way in failed */
	TOOL_CHECK = 3,	    /* CHECK CONDITION: the sense data is on standard error */
	TOOL_STATUS = 4,    /* another status: BUSY, RESERVATION CONFLICT… */
	TOOL_FAILED = 5	    /* here: a file that cannot be read, no memory */
};

enum tool_format { TOOL_TABLE, TOOL_CANONICAL, TOOL_JSON };

enum tool_arg_where {
	ARG_CDB,
	ARG_PARAMETERS,
	ARG_TOOL /* the command's own function looks at it */
};
struct tool_arg {
	const char *name;
	uint8_t where, byte, shift, bits; /* bits > 8: big-endian from byte on, shift 0 */
	bool required;
	uint64_t value; /* when it is not said */
	bool is_text;	/* ARG_TOOL: a word, not a number */
};
enum { TOOL_ARGS_MAX = 8, TOOL_PARAMETERS_MAX = 32 };

struct tool;
struct tool_command {
	const char *name, *summary;
	uint8_t cdb[DISK_CDB_MAX];
	uint8_t n_cdb;
	uint8_t n_parameters; /* a parameter list of so many bytes goes out */
	uint32_t size;	      /* bytes that may come in; 0: none */
	const struct decode_layout *layout;
	struct tool_arg args[TOOL_ARGS_MAX]; /* ends with a NULL name */
	int (*run)(struct tool *t);	     /* NULL: the CDB as it stands */
	bool geometry;			     /* run needs the block length */
	bool same_nexus; /* what it does belongs to an I_T nexus, which must be the same
			    next time */
	bool rest;	 /* more words than args may follow: t->rest */
	bool any_way;	 /* does not need CDBs */
	bool no_device;	 /* run opens nothing */
};
extern const struct tool_command tool_commands[];
extern const size_t n_tool_commands;

struct tool {
	const struct tool_command *command;
	const char *target;
	struct disk *disk;
	enum tool_format format;
	uint64_t values[TOOL_ARGS_MAX];
	const char *words[TOOL_ARGS_MAX]; /* of those that are text; NULL: not said */
	bool said[TOOL_ARGS_MAX];
	uint8_t cdb[DISK_CDB_MAX], parameters[TOOL_PARAMETERS_MAX];
	char **rest;
	int n_rest;
};

/* Value of an argument by its name, which the command has. */
uint64_t tool_value(const struct tool *t, const char *name);
const char *tool_word(const struct tool *t, const char *name);
bool tool_said(const struct tool *t, const char *name);

/* Sends and waits; prints the sense and returns the exit code when the status is not
 * good. */
int tool_execute(struct tool *t, struct disk_cdb *cdb);
/* What t->cdb asks, with out going out, or up to size bytes coming in and printed by
 * layout. */
int tool_command_out(struct tool *t, void *out, size_t n_out);
int tool_command_in(struct tool *t, uint32_t size, const struct decode_layout *layout);
/* Says that all is well, in a way of its own for each format. */
void tool_say_good(const struct tool *t, uint8_t status);
int tool_say_outcome(const struct tool *t, const struct disk_outcome *out);
int tool_fail(enum tool_exit code, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* "", "hex:0102", "zero", "-" (standard input), else a file: exactly n bytes. */
int tool_load(const char *what, void *dst, size_t n);
bool tool_parse_number(const char *s, uint64_t max, uint64_t *ret_value);
/* Pairs of hexadecimal digits; blanks and commas between them. -1: something else, or too
 * many. */
ssize_t tool_parse_hex(const char *s, uint8_t *dst, size_t cap);

/* print.c */
void tool_print(enum tool_format format, const struct decode_layout *layout,
		const uint8_t *bytes, size_t size, struct buf *dst);
void tool_hex_dump(const uint8_t *bytes, size_t size, struct buf *dst);

/* run.c: commands that are more than a CDB. */
int tool_run_copy(struct tool *t);
int tool_run_data_out(struct tool *t);
int tool_run_devpath(struct tool *t);
int tool_run_io(struct tool *t);
int tool_run_mode_select(struct tool *t);
int tool_run_opcode(struct tool *t);
int tool_run_raw(struct tool *t);
int tool_run_reset(struct tool *t);
int tool_run_sanitize(struct tool *t);
int tool_run_vpd(struct tool *t);

#endif
