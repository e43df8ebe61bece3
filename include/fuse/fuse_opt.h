/*
 * fuse_opt.h: command lines of file systems.
 *
 * A table of templates says which options exist and where their values go; what matches none goes
 * to a function of the caller, or stays. "-o a,b=c" is taken apart, "\," and "\\" being a comma and
 * a backslash inside one option.
 *
 * Templates:
 *	"-x"		the argument "-x"
 *	"foo"		"-o foo"
 *	"foo="		"-o foo=ANY"
 *	"-x " "--x="	"-xANY", "-x ANY" and "--x=ANY"
 *	"foo=%u"	"-o foo=NUMBER", stored by the format (scanf); %s stores a malloc'ed string
 * A template with an offset writes to data + offset: the value by its format if it has one, else
 * the int fuse_opt.value. A template without (FUSE_OPT_KEY) calls the function with the key.
 *
 * No function here may run at the same time as another on the same struct fuse_args.
 */
#ifndef _FUSE_OPT_H_
#define _FUSE_OPT_H_

#ifdef __cplusplus
extern "C" {
#endif

struct fuse_opt {
	const char *templ;
	/* where to store, from the start of data; all ones: call the function with value as key */
	unsigned long offset;
	int value;
};

#define FUSE_OPT_KEY(templ, key) { templ, -1U, key }
#define FUSE_OPT_END { NULL, 0, 0 }

struct fuse_args {
	int argc;
	char **argv;
	int allocated; /* argv and its strings are malloc'ed and belong to this structure */
};

#define FUSE_ARGS_INIT(argc, argv) { argc, argv, 0 }

/* Keys with a meaning. OPT: an option that no template matches. NONOPT: an argument that is no
 * option. As fuse_opt.value, KEEP leaves the option in the arguments and DISCARD drops it, both
 * without a call. */
#define FUSE_OPT_KEY_OPT -1
#define FUSE_OPT_KEY_NONOPT -2
#define FUSE_OPT_KEY_KEEP -3
#define FUSE_OPT_KEY_DISCARD -4

/*
 * arg: the whole argument or option, with its value. outargs: what has been kept so far; may be
 * added to. Returns -1 to stop with an error, 0 to drop the argument, 1 to keep it.
 */
typedef int (*fuse_opt_proc_t)(void *data, const char *arg, int key, struct fuse_args *outargs);

/*
 * Parses args by opts (ended by FUSE_OPT_END; NULL: none match) and leaves in args what is kept:
 * argv[0], then "-o" with every kept option in one argument, then the rest. proc NULL keeps what
 * it would have been asked about. args NULL or without argv is an empty command line.
 * Returns 0, or -1 after a message on standard error.
 */
int fuse_opt_parse(struct fuse_args *args, void *data, const struct fuse_opt opts[],
		   fuse_opt_proc_t proc);

/* Appends ",opt" to the malloc'ed list *opts (NULL: begins one). 0, or -1 without memory. */
int fuse_opt_add_opt(char **opts, const char *opt);

/* The same, with a backslash before each comma and backslash of opt. */
int fuse_opt_add_opt_escaped(char **opts, const char *opt);

/* Appends a copy of arg. 0, or -1 without memory. */
int fuse_opt_add_arg(struct fuse_args *args, const char *arg);

/* Inserts a copy of arg at index pos, 0 to argc. 0, or -1 without memory. */
int fuse_opt_insert_arg(struct fuse_args *args, int pos, const char *arg);

/* Frees what is allocated and leaves an empty structure. */
void fuse_opt_free_args(struct fuse_args *args);

/* 1 if a template of opts matches opt, else 0. */
int fuse_opt_match(const struct fuse_opt opts[], const char *opt);

#ifdef __cplusplus
}
#endif

#endif
