#include "api/common/command_line.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
command_line_fail(struct command_line *c, const char *what, const char *name)
{
	snprintf(c->error, sizeof(c->error), "%s '%.200s'; see %.100s --help", what, name,
		 c->program_name);
	return -1;
}

static const struct option_spec *
find_letter(const struct command_line *c, char letter)
{
	for (const struct option_spec *o = c->options; o && o->name; o++)
		if (o->letter && o->letter == letter)
			return o;
	return NULL;
}

static const struct option_spec *
find_name(const struct command_line *c, const char *name, size_t n)
{
	for (const struct option_spec *o = c->options; o && o->name; o++)
		if (strlen(o->name) == n && strncmp(o->name, name, n) == 0)
			return o;
	return NULL;
}

static int
find_standard(const struct command_line *c, char letter, const char *name, size_t n)
{
	for (int i = 0; i < c->ops->n_standard; i++) {
		const struct option_spec *o = &c->ops->standard[i].spec;

		if (letter ? o->letter == letter
			   : o->name && strlen(o->name) == n && strncmp(o->name, name, n) == 0)
			return i;
	}
	return -1;
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
set_program_option(struct command_line *c, const struct option_spec *o, const char *value)
{
	char error[384] = "";

	if (o->value && !value)
		return command_line_fail(c, "a value is missing after option", o->name);
	if (!o->value && value)
		return command_line_fail(c, "no value belongs to option", o->name);
	if (value)
		value = keep(value);
	if (c->ops->set_program(c, o->name, value, error, sizeof(error)) == 0)
		return 0;
	snprintf(c->error, sizeof(c->error), "%s%s",
		 error[0] ? error : "a bad value for option ", error[0] ? "" : o->name);
	return -1;
}

/* One word after -o: the program's, or else the mount's. */
static int
set_item(struct command_line *c, const char *item)
{
	size_t n = strcspn(item, "=");
	const struct option_spec *o = find_name(c, item, n);

	if (*item == 0)
		return 0;
	return o ? set_program_option(c, o, item[n] ? item + n + 1 : NULL)
		 : c->ops->set_item(c, item);
}

int
command_line_items(struct command_line *c, const char *list)
{
	size_t cap = strlen(list) + 1;
	CLEANUP(free_ptr) char *item = malloc(cap);
	int err = item ? 0 : command_line_fail(c, "out of memory at", list);

	while (err == 0 && *list) {
		list = option_list_next(list, item, cap);
		err = set_item(c, item);
	}
	return err;
}

bool
command_line_number(const char *s, uint32_t *ret_value)
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

/* "-d", "-d=MASK", and as programs of that other system have it "-d MASK". */
static const char *
optional_value(struct reader *r, const char *s)
{
	uint32_t mask;

	if (s[1] == '=')
		return s + 2;
	if (!s[1] && r->i + 1 < r->argc && command_line_number(r->argv[r->i + 1], &mask))
		return next_word(r);
	return NULL;
}

/* A value that must be there. */
static bool
standard_takes(const struct command_line *c, int which)
{
	return c->ops->standard[which].spec.value && !c->ops->standard[which].value_optional;
}

/* The letters of one word. The program's own come before standard ones, but for a few. */
static int
parse_letters(struct command_line *c, struct reader *r, const char *s)
{
	for (; *s; s++) {
		const struct option_spec *o = find_letter(c, *s);
		int which = find_standard(c, *s, "", 0);
		char letter[3] = {'-', *s, 0};
		const char *value = NULL;
		bool takes;

		if (which >= 0 && c->ops->standard[which].always)
			o = NULL;
		if (!o && which < 0)
			return command_line_fail(c, "unknown option", letter);
		takes = o ? o->value != NULL : standard_takes(c, which);
		if (!o && c->ops->standard[which].value_optional)
			value = optional_value(r, s);
		else if (takes)
			value = letter_value(r, s);
		if (takes && !value)
			return command_line_fail(c, "a value is missing after option", letter);
		if (o ? set_program_option(c, o, value) : c->ops->set_standard(c, which, value))
			return -1;
		if (value)
			return 0;
	}
	return 0;
}

static int
parse_long(struct command_line *c, struct reader *r, const char *s)
{
	size_t n = strcspn(s, "=");
	const char *value = s[n] ? s + n + 1 : NULL;
	const struct option_spec *o = find_name(c, s, n);
	int which = find_standard(c, 0, s, n);
	bool takes;

	if (!o && which < 0)
		return command_line_fail(c, "unknown option --", s);
	takes = o ? o->value != NULL : standard_takes(c, which);
	if (takes && !value)
		value = next_word(r);
	if (takes && !value)
		return command_line_fail(c, "a value is missing after option --", s);
	if (o)
		return set_program_option(c, o, value);
	if (value && !c->ops->standard[which].spec.value)
		return command_line_fail(c, "no value belongs to option --", s);
	return c->ops->set_standard(c, which, value);
}

static int
add_positional(struct command_line *c, const char *word)
{
	if (c->n_positional == ARRAY_SIZE(c->positional))
		return command_line_fail(c, "one argument too many:", word);
	c->positional[c->n_positional++] = word;
	return 0;
}

static void
help_option(const struct option_spec *o)
{
	char left[64] = "";
	int n = 0;

	if (o->letter)
		n = snprintf(left, sizeof(left), "-%c", o->letter);
	if (o->name)
		snprintf(left + n, sizeof(left) - (size_t)n, "%s--%s%s%s", n ? ", " : "    ",
			 o->name, o->value ? "=" : "", o->value ? o->value : "");
	else if (o->value)
		snprintf(left + n, sizeof(left) - (size_t)n, " %s", o->value);
	printf("  %-34s  %s\n", left, o->help);
}

/* A letter that the program has for itself is left out. */
static void
help_standard(const struct command_line *c, int which)
{
	struct option_spec o = c->ops->standard[which].spec;

	if (find_letter(c, o.letter) && !c->ops->standard[which].always)
		o.letter = 0;
	help_option(&o);
}

void
command_line_help_lines(const char *title, const char *lines)
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

const char *
option_list_next(const char *list, char *dst, size_t cap)
{
	size_t n = 0;

	for (; *list && *list != ','; list++) {
		if (list[0] == '\\' && (list[1] == ',' || list[1] == '\\'))
			list++;
		if (n + 1 < cap)
			dst[n++] = *list;
	}
	dst[n] = 0;
	return *list ? list + 1 : list;
}

int
command_line_parse(struct command_line *c, int argc, char **argv)
{
	struct reader r = {argc, 0, argv};
	bool only_words = false;
	int err = 0;

	while (err == 0 && !c->done && ++r.i < argc) {
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
	return err;
}

void
command_line_help_options(const struct command_line *c)
{
	for (const struct option_spec *o = c->options; o && o->name; o++)
		help_option(o);
	for (int i = 0; i < c->ops->n_standard; i++)
		help_standard(c, i);
}
