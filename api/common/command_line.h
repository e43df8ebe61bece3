/*
 * Command lines of drive programs: options of the program and standard ones, as "-x VALUE",
 * "--name",
 * "--name=VALUE" and items of -o.
 *
 * A table of options is an array of struct option_spec, the layout of FSPX_OPTION and SPDX_OPTION.
 * The standard table has a row each for what every program of that kind takes; a letter of the
 * program hides the standard one unless the row says otherwise.
 */
#ifndef USERDRIVE_API_COMMON_COMMAND_LINE_H
#define USERDRIVE_API_COMMON_COMMAND_LINE_H

#include "base/compiler.h"

struct option_spec {
	char letter;       /* 0: none */
	const char *name;  /* NULL: letter only */
	const char *value; /* what the value is called; NULL: a flag */
	const char *help;
};

struct standard_option {
	struct option_spec spec;
	bool always;         /* a letter of the program's own does not hide it */
	bool value_optional; /* "-d", "-d=5", "-d 5" (a number) */
};

struct command_line;

struct command_line_ops {
	const struct standard_option *standard;
	int n_standard;
	/* An option of the program's table. 0, or -1 with error filled (or empty). */
	int (*set_program)(struct command_line *c, const char *name, const char *value,
			   char *error, size_t cap);
	/* which: row of standard. 0, or -1 with c->error filled. */
	int (*set_standard)(struct command_line *c, int which, const char *value);
	/* An item of -o that is not the program's. */
	int (*set_item)(struct command_line *c, const char *item);
};

struct command_line {
	const struct command_line_ops *ops;
	const char *program_name;
	const struct option_spec *options; /* the program's; NULL, or ends with name NULL */
	bool done; /* set_standard sets it: no more words are read (--help) */
	const char *positional[2];
	unsigned n_positional;
	char error[512];
};

/* Reads argv[1..]. Values live as long as the process. 0, or -1 with c->error filled. */
NODISCARD int command_line_parse(struct command_line *c, int argc, char **argv);
/* The items of one -o. */
NODISCARD int command_line_items(struct command_line *c, const char *list);
/* Fills error: "WHAT 'NAME'; see PROGRAM --help". Returns -1. */
int command_line_fail(struct command_line *c, const char *what, const char *name);
/* A 32-bit number; -1 is all ones. */
bool command_line_number(const char *s, uint32_t *ret_value);

/* Copies one word of "a,b=c" (a comma after a backslash belongs to it); returns the rest. */
const char *option_list_next(const char *list, char *dst, size_t cap);

/* For --help: every option, the program's first; indented lines under a title (NULL: nothing). */
void command_line_help_options(const struct command_line *c);
void command_line_help_lines(const char *title, const char *lines);

#endif
