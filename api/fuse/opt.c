/*
 * The option parser: templates, and what happens to what they match.
 *
 * Behaviour that programs rely on, and that is not obvious:
 *	- every template that matches an argument is applied, in order
 *	- "=" or " " ends the name in a template only if nothing or a format follows
 *	- "-x VALUE" reaches the caller's function as "-xVALUE"
 *	- options kept from -o are gathered into one "-o" right behind argv[0]
 *	- behind "--" nothing is an option; a "--" that ends up last is dropped
 *	- after an error the arguments are as they were
 */
#include "api/fuse/layout.h"
#include "base/compiler.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct parser {
	void *data;
	const struct fuse_opt *opts;
	fuse_opt_proc_t proc;
	char **argv;
	int argc;
	int next;             /* index of the argument to take */
	struct fuse_args out;
	char *kept;           /* options kept from -o, escaped, with commas */
	int separator;        /* out.argc behind "--"; 0: none so far */
};

/* ---------------------------------------------------------------- templates */

/* True if template t matches; *ret_sep: where its value's mark ("=", " ") stands, 0 without. */
static bool
template_matches(const char *t, const char *arg, size_t *ret_sep)
{
	const char *sep = strchr(t, '=');

	if (!sep)
		sep = strchr(t, ' ');
	if (sep && (sep[1] == '\0' || sep[1] == '%')) {
		size_t n = (size_t)(sep - t) + (*sep == '=');

		if (strncmp(arg, t, n) == 0) {
			*ret_sep = (size_t)(sep - t);
			return true;
		}
	}
	*ret_sep = 0;
	return strcmp(t, arg) == 0;
}

static const struct fuse_opt *
opt_find(const struct fuse_opt *opt, const char *arg, size_t *ret_sep)
{
	for (; opt && opt->templ; opt++)
		if (template_matches(opt->templ, arg, ret_sep))
			return opt;
	return NULL;
}

int
fuse_opt_match(const struct fuse_opt opts[], const char *opt)
{
	size_t sep;

	return opt_find(opts, opt, &sep) != NULL;
}

/* ---------------------------------------------------------------- one option */

/* in_list: it came from -o and goes back there. */
static int
parser_tell(struct parser *p, const char *arg, int key, bool in_list)
{
	if (key == FUSE_OPT_KEY_DISCARD)
		return 0;
	if (key != FUSE_OPT_KEY_KEEP && p->proc) {
		int res = p->proc(p->data, arg, key, &p->out);

		if (res == -1 || res == 0)
			return res;
	}
	return in_list ? fuse_opt_add_opt_escaped(&p->kept, arg) : fuse_opt_add_arg(&p->out, arg);
}

static int
string_store(char **var, const char *value)
{
	char *copy = strdup(value);

	if (!copy) {
		fuse_log(FUSE_LOG_ERR, "fuse: memory allocation failed\n");
		return -1;
	}
	/* programs of 2.x have constant strings there */
	if (fapi_library.version.major >= 3)
		free(*var);
	*var = copy;
	return 0;
}

static int
value_store(void *var, const char *format, const char *value, const char *arg)
{
	if (format[0] == '%' && format[1] == 's')
		return string_store(var, value);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	if (sscanf(value, format, var) == 1)
		return 0;
#pragma GCC diagnostic pop
	fuse_log(FUSE_LOG_ERR, "fuse: invalid parameter in option `%s'\n", arg);
	return -1;
}

static int
opt_apply(struct parser *p, const struct fuse_opt *opt, size_t sep, const char *arg, bool in_list)
{
	const char *format = sep ? opt->templ + sep + 1 : "";
	char *var;

	/* FUSE_OPT_KEY fills 32 bits of an unsigned long */
	if (opt->offset == -1U || opt->offset == -1UL)
		return parser_tell(p, arg, opt->value, in_list);
	var = (char *)p->data + opt->offset;
	if (*format)
		return value_store(var, format, arg + sep + (opt->templ[sep] == '='), arg);
	memcpy(var, &opt->value, sizeof(opt->value));
	return 0;
}

static int
parser_need_next(const struct parser *p, const char *arg)
{
	if (p->next < p->argc)
		return 0;
	fuse_log(FUSE_LOG_ERR, "fuse: missing argument after `%s'\n", arg);
	return -1;
}

/* "-x VALUE" becomes "-xVALUE". */
static int
opt_apply_joined(struct parser *p, const struct fuse_opt *opt, size_t sep, const char *arg,
		 bool in_list)
{
	char *joined;
	int res;

	if (parser_need_next(p, arg) != 0)
		return -1;
	if (asprintf(&joined, "%.*s%s", (int)sep, arg, p->argv[p->next]) < 0) {
		fuse_log(FUSE_LOG_ERR, "fuse: memory allocation failed\n");
		return -1;
	}
	p->next++;
	res = opt_apply(p, opt, sep, joined, in_list);
	free(joined);
	return res;
}

static int
parser_option(struct parser *p, const char *arg, bool in_list)
{
	size_t sep;
	const struct fuse_opt *opt = opt_find(p->opts, arg, &sep);

	if (!opt)
		return parser_tell(p, arg, FUSE_OPT_KEY_OPT, in_list);
	for (; opt; opt = opt_find(opt + 1, arg, &sep)) {
		bool joins = sep && opt->templ[sep] == ' ' && arg[sep] == '\0';
		int res = joins ? opt_apply_joined(p, opt, sep, arg, in_list)
				: opt_apply(p, opt, sep, arg, in_list);

		if (res == -1)
			return -1;
	}
	return 0;
}

/* ---------------------------------------------------------------- "-o a,b" */

static bool
is_octal(const char *s)
{
	return s[0] >= '0' && s[0] <= '3' && s[1] >= '0' && s[1] <= '7' && s[2] >= '0' &&
	       s[2] <= '7';
}

/* The byte that an escape stands for; *s moves to the escape's last character. */
static char
unescape(const char **s)
{
	const char *e = *s + 1;

	if (is_octal(e)) {
		*s = e + 2;
		return (char)((e[0] - '0') * 64 + (e[1] - '0') * 8 + (e[2] - '0'));
	}
	*s = e;
	return *e;
}

static int
parser_list(struct parser *p, const char *list)
{
	char *opt = malloc(strlen(list) + 1);
	const char *s = list;
	size_t n = 0;
	int res = 0;

	if (!opt) {
		fuse_log(FUSE_LOG_ERR, "fuse: memory allocation failed\n");
		return -1;
	}
	for (;; s++) {
		if (*s == ',' || *s == '\0') {
			opt[n] = '\0';
			n = 0;
			res = parser_option(p, opt, true);
			if (res == -1 || *s == '\0')
				break;
		} else if (*s == '\\' && s[1]) {
			opt[n++] = unescape(&s);
		} else {
			opt[n++] = *s;
		}
	}
	free(opt);
	return res == -1 ? -1 : 0;
}

/* ---------------------------------------------------------------- the command line */

static int
parser_argument(struct parser *p, const char *arg)
{
	if (p->separator || arg[0] != '-')
		return parser_tell(p, arg, FUSE_OPT_KEY_NONOPT, false);
	if (arg[1] == 'o') {
		if (arg[2])
			return parser_list(p, arg + 2);
		if (parser_need_next(p, arg) != 0)
			return -1;
		return parser_list(p, p->argv[p->next++]);
	}
	if (strcmp(arg, "--") == 0) {
		if (fuse_opt_add_arg(&p->out, arg) != 0)
			return -1;
		p->separator = p->out.argc;
		return 0;
	}
	return parser_option(p, arg, false);
}

static int
parser_run(struct parser *p)
{
	if (fuse_opt_add_arg(&p->out, p->argv[0]) != 0)
		return -1;
	for (p->next = 1; p->next < p->argc;)
		if (parser_argument(p, p->argv[p->next++]) == -1)
			return -1;
	if (p->kept && (fuse_opt_insert_arg(&p->out, 1, "-o") != 0 ||
			fuse_opt_insert_arg(&p->out, 2, p->kept) != 0))
		return -1;
	if (p->separator && p->separator == p->out.argc &&
	    strcmp(p->out.argv[p->out.argc - 1], "--") == 0) {
		free(p->out.argv[--p->out.argc]);
		p->out.argv[p->out.argc] = NULL;
	}
	return 0;
}

int
fuse_opt_parse(struct fuse_args *args, void *data, const struct fuse_opt opts[],
	       fuse_opt_proc_t proc)
{
	struct parser p = { .data = data, .opts = opts, .proc = proc };
	int res;

	if (!args || !args->argv || args->argc == 0)
		return 0;
	p.argv = args->argv;
	p.argc = args->argc;
	res = parser_run(&p);
	if (res == 0) {
		struct fuse_args old = *args;

		*args = p.out;
		p.out = old;
	}
	free(p.kept);
	fuse_opt_free_args(&p.out);
	return res;
}
