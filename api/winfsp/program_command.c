/* The command line of a drive program (winfsp/ext.h). */
#include "api/winfsp/program_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ITEM_MAX = 4096 };

static const FSPX_OPTION standard_options[] = {
	{'m', "mountpoint", "MOUNTPOINT", "a directory, X: or * (the first free letter)"},
	{'o', NULL, "OPTION[,OPTION]", "options by name, and those of the mount"},
	{'f', "foreground", NULL, "stay in the foreground"},
	{'d', "debug", "MASK", "log requests; bit 1 << kind, all without MASK"},
	{'D', "debug-log", "FILE", "log to FILE; - is standard error"},
	{'h', "help", NULL, "this text"},
	{'V', "version", NULL, "the version"},
};
enum { STD_MOUNT, STD_O, STD_FOREGROUND, STD_DEBUG, STD_DEBUG_LOG, STD_HELP, STD_VERSION };

static int
fail(struct command *c, const char *what, const char *name)
{
	snprintf(c->error, sizeof(c->error), "%s '%.200s'; see %.100s --help", what, name,
		 c->program->Name);
	return -1;
}

static const FSPX_OPTION *
find_letter(const FSPX_PROGRAM *program, char letter)
{
	for (const FSPX_OPTION *o = program->Options; o && o->Name; o++)
		if (o->Letter && o->Letter == letter)
			return o;
	return NULL;
}

static const FSPX_OPTION *
find_name(const FSPX_PROGRAM *program, const char *name, size_t n)
{
	for (const FSPX_OPTION *o = program->Options; o && o->Name; o++)
		if (strlen(o->Name) == n && strncmp(o->Name, name, n) == 0)
			return o;
	return NULL;
}

static int
find_standard(char letter, const char *name, size_t n)
{
	for (int i = 0; i < (int)ARRAY_SIZE(standard_options); i++) {
		const FSPX_OPTION *o = &standard_options[i];

		if (letter ? o->Letter == letter
			   : o->Name && strlen(o->Name) == n && strncmp(o->Name, name, n) == 0)
			return i;
	}
	return -1;
}

/* The rest give way to letters of the program. */
static bool
is_always_standard(int which)
{
	return which == STD_MOUNT || which == STD_O || which == STD_HELP;
}

/* Option values stay valid as long as the program runs: it keeps pointers to them. */
static const char *
keep(const char *value)
{
	static struct kept {
		struct kept *next;
		char text[];
	} *all;
	struct kept *k = malloc(sizeof(*k) + strlen(value) + 1);

	if (!k)
		return NULL;
	strcpy(k->text, value);
	k->next = all; /* reachable to the end, so no leak checker minds */
	all = k;
	return k->text;
}

static int
set_program_option(struct command *c, const FSPX_OPTION *o, const char *value)
{
	char error[384] = "";

	if (o->Value && !value)
		return fail(c, "a value is missing after option", o->Name);
	if (!o->Value && value)
		return fail(c, "no value belongs to option", o->Name);
	if (value)
		value = keep(value);
	if (c->program->SetOption(c->program, o->Name, value, error, sizeof(error)) == 0)
		return 0;
	snprintf(c->error, sizeof(c->error), "%s%s",
		 error[0] ? error : "a bad value for option ", error[0] ? "" : o->Name);
	return -1;
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
set_mount_option(struct command *c, const char *item)
{
	const struct fs_door *door = fs_door_find("mount");
	struct fs_door_error error = {0};
	int known = door ? door->option_check(item, &error) : 0;

	/* mount(8) says by it who mounted; the mount table has that already. */
	if (strncmp(item, "user=", 5) == 0)
		return 0;
	if (known == 0)
		return fail(c, "unknown option", item);
	if (known < 0) {
		snprintf(c->error, sizeof(c->error), "%s", error.text);
		return -1;
	}
	add_mount_option(c, item);
	return 0;
}

/* One word after -o: the program's, or else the mount's. */
static int
set_item(struct command *c, const char *item)
{
	size_t n = strcspn(item, "=");
	const FSPX_OPTION *o = find_name(c->program, item, n);

	if (*item == 0)
		return 0;
	return o ? set_program_option(c, o, item[n] ? item + n + 1 : NULL)
		 : set_mount_option(c, item);
}

static int
set_items(struct command *c, const char *list)
{
	char item[ITEM_MAX];
	int err = 0;

	while (err == 0 && *list) {
		if (strcspn(list, ",") >= sizeof(item))
			return fail(c, "too long an option:", list);
		list = fsp_next_option(list, item, sizeof(item));
		err = set_item(c, item);
	}
	return err;
}

static bool
is_number(const char *s, uint32_t *ret_value)
{
	char *end;
	long long value;

	if (!s || !*s)
		return false;
	errno = 0;
	value = strtoll(s, &end, 0);
	if (errno || *end || value < -1 || value > UINT32_MAX)
		return false;
	*ret_value = (uint32_t)value;
	return true;
}

static int
set_standard(struct command *c, int which, const char *value)
{
	switch (which) {
	case STD_MOUNT:
		c->mount_point = value;
		c->windows_form = true;
		return 0;
	case STD_O:
		assert(value); /* the parsers refuse -o without one */
		return set_items(c, value);
	case STD_FOREGROUND:
		c->foreground = true;
		return 0;
	case STD_DEBUG:
		c->debug_mask = UINT32_MAX;
		if (value && !is_number(value, &c->debug_mask))
			return fail(c, "not a mask:", value);
		return 0;
	case STD_DEBUG_LOG:
		c->debug_file = value;
		return 0;
	case STD_HELP:
		c->action = PROGRAM_HELP;
		return 0;
	default:
		c->action = PROGRAM_VERSION;
		return 0;
	}
}

/* Walks argv; at points into the word that is read. */
struct reader {
	int argc, i;
	char **argv;
};

static const char *
next_word(struct reader *r)
{
	return r->i + 1 < r->argc ? r->argv[++r->i] : NULL;
}

/* The value of the letter at s: what is left of the word, or the next word. */
static const char *
letter_value(struct reader *r, const char *s)
{
	return s[1] ? s + 1 + (s[1] == '=') : next_word(r);
}

/* "-d", "-d=MASK", and as WinFsp programs have it "-d MASK". */
static const char *
debug_value(struct reader *r, const char *s)
{
	uint32_t mask;

	if (s[1] == '=')
		return s + 2;
	if (!s[1] && r->i + 1 < r->argc && is_number(r->argv[r->i + 1], &mask))
		return next_word(r);
	return NULL;
}

/* The letters of one word. The program's own come before -f, -d and -D. */
static int
parse_letters(struct command *c, struct reader *r, const char *s)
{
	for (; *s; s++) {
		const FSPX_OPTION *o = find_letter(c->program, *s);
		int which = find_standard(*s, "", 0);
		char letter[3] = {'-', *s, 0};
		const char *value = NULL;
		bool takes;

		if (is_always_standard(which))
			o = NULL;
		if (!o && which < 0)
			return fail(c, "unknown option", letter);
		takes = o ? o->Value != NULL
			  : which != STD_DEBUG && standard_options[which].Value;
		if (!o && which == STD_DEBUG)
			value = debug_value(r, s);
		else if (takes)
			value = letter_value(r, s);
		if (takes && !value)
			return fail(c, "a value is missing after option", letter);
		if (o ? set_program_option(c, o, value) : set_standard(c, which, value))
			return -1;
		if (value)
			return 0;
	}
	return 0;
}

static int
parse_long(struct command *c, struct reader *r, const char *s)
{
	size_t n = strcspn(s, "=");
	const char *value = s[n] ? s + n + 1 : NULL;
	const FSPX_OPTION *o = find_name(c->program, s, n);
	int which = find_standard(0, s, n);
	bool takes;

	if (!o && which < 0)
		return fail(c, "unknown option --", s);
	takes = o ? o->Value != NULL : which != STD_DEBUG && standard_options[which].Value;
	if (takes && !value)
		value = next_word(r);
	if (takes && !value)
		return fail(c, "a value is missing after option --", s);
	if (o)
		return set_program_option(c, o, value);
	if (value && !standard_options[which].Value)
		return fail(c, "no value belongs to option --", s);
	return set_standard(c, which, value);
}

static int
add_positional(struct command *c, const char *word)
{
	if (c->n_positional == ARRAY_SIZE(c->positional))
		return fail(c, "one argument too many:", word);
	c->positional[c->n_positional++] = word;
	return 0;
}

/* [SOURCE] MOUNTPOINT, or [SOURCE] beside -m MOUNTPOINT. */
static int
place_positionals(struct command *c)
{
	unsigned n = c->n_positional;
	char error[384] = "";

	if (!c->mount_point) {
		if (n == 0) {
			snprintf(c->error, sizeof(c->error),
				 "no mount point was given; see %s --help", c->program->Name);
			return -1;
		}
		c->mount_point = c->positional[--n];
	}
	if (n == 2)
		return fail(c, "one argument too many:", c->positional[1]);
	c->source = n == 1 ? c->positional[0] : NULL;
	if (!c->source || !c->program->SourceName)
		return 0;
	if (c->program->SetOption(c->program, c->program->SourceName, c->source, error,
				  sizeof(error)) == 0)
		return 0;
	snprintf(c->error, sizeof(c->error), "%s", error);
	return -1;
}

int
command_parse(struct command *c, int argc, char **argv)
{
	struct reader r = {argc, 0, argv};
	bool only_words = false;
	int err = 0;

	while (err == 0 && c->action == PROGRAM_RUN && ++r.i < argc) {
		const char *word = argv[r.i];

		if (only_words || word[0] != '-' || word[1] == 0)
			err = add_positional(c, word);
		else if (strcmp(word, "--") == 0)
			only_words = true;
		else if (word[1] == '-')
			err = parse_long(c, &r, word + 2);
		else
			err = parse_letters(c, &r, word + 1);
	}
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

static void
help_option(const FSPX_OPTION *o)
{
	char left[64] = "";
	int n = 0;

	if (o->Letter)
		n = snprintf(left, sizeof(left), "-%c", o->Letter);
	if (o->Name)
		snprintf(left + n, sizeof(left) - (size_t)n, "%s--%s%s%s", n ? ", " : "    ",
			 o->Name, o->Value ? "=" : "", o->Value ? o->Value : "");
	else if (o->Value)
		snprintf(left + n, sizeof(left) - (size_t)n, " %s", o->Value);
	printf("  %-34s  %s\n", left, o->Help);
}

/* A letter that the program has for itself is left out. */
static void
help_standard(const FSPX_PROGRAM *program, int which)
{
	FSPX_OPTION o = standard_options[which];

	if (find_letter(program, o.Letter) && !is_always_standard(which))
		o.Letter = 0;
	help_option(&o);
}

static void
help_lines(const char *title, const char *lines)
{
	if (!lines)
		return;
	printf("\n%s\n", title);
	while (*lines) {
		size_t n = strcspn(lines, "\n");

		printf("  %.*s\n", (int)n, lines);
		lines += n + (lines[n] == '\n');
	}
}

void
command_help(const FSPX_PROGRAM *program)
{
	const char *source = program->SourceName ? program->SourceName : "SOURCE";

	printf("%s: %s\n\nUsage:\n", program->Name, program->Summary);
	printf("  %s [%s] MOUNTPOINT [-o OPTION[,OPTION…]]   returns when the drive is live\n",
	       program->Name, source);
	printf("  %s -m MOUNTPOINT [options]   serves in the foreground\n\nOptions:\n",
	       program->Name);
	for (const FSPX_OPTION *o = program->Options; o && o->Name; o++)
		help_option(o);
	for (size_t i = 0; i < ARRAY_SIZE(standard_options); i++)
		help_standard(program, (int)i);
	printf("\nEach --NAME=VALUE is also an option NAME=VALUE of -o. Options of the mount, with -o:\n"
	       "  ro, allow_other, default_permissions, uid=N, gid=N, umask=M, fsname=NAME,\n"
	       "  attr_timeout=S, entry_timeout=S, transport=auto|uring|dev, threads=N, deadline=MS,\n"
	       "  streams_interface=none|xattr|windows, and those of mount(8)\n");
	help_lines("Examples:", program->Examples);
	printf("\nExit codes:\n"
	       "  0 success   1 bad command line   2 the mount point cannot be used\n"
	       "  3 /dev/fuse or fusermount3 is missing or forbidden\n"
	       "  4 the file system could not be created   5 it ended by itself\n");
}
