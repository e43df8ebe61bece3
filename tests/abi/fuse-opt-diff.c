/*
 * If this fails, a command line means something else to our libfuse than to the system's.
 *
 * Both libraries are loaded, and thousands of made-up command lines and tables of templates go
 * through each: results, stored values, calls, arguments left and messages must be equal.
 * usage: fuse-opt-diff OUR_LIBRARY SONAME
 */
#include "fuse3/fuse_opt.h"
#include "fuse3/fuse_log.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of the interface from 3.12 on, and the part of the connection that all releases agree on. */
struct cmdline {
	int singlethread, foreground, debug, nodefault_subtype;
	char *mountpoint;
	int show_version, show_help, clone_fd;
	unsigned int max_idle_threads, max_threads;
};
struct conn {
	unsigned common[10];
	unsigned rest[22];
};

#define N_CASES 20000
#define MAX_ARGS 12
#define MAX_OPTS 8

struct library {
	const char *who;
	void *handle;
	int (*parse)(struct fuse_args *, void *, const struct fuse_opt[], fuse_opt_proc_t);
	int (*add_arg)(struct fuse_args *, const char *);
	int (*insert_arg)(struct fuse_args *, int, const char *);
	int (*add_opt)(char **, const char *);
	int (*add_opt_escaped)(char **, const char *);
	int (*match)(const struct fuse_opt[], const char *);
	void (*free_args)(struct fuse_args *);
	void (*set_log)(fuse_log_func_t);
	/* libfuse 3 only */
	int (*parse_cmdline)(struct fuse_args *, struct cmdline *);
	void *(*parse_conn)(struct fuse_args *);
	void (*apply_conn)(void *, struct conn *);
	/* libfuse 2 only */
	int (*parse_cmdline2)(struct fuse_args *, char **, int *, int *);
};

/* What templates store to. */
struct values {
	int number;
	unsigned u;
	unsigned long lu;
	long long lld;
	unsigned octal, hex;
	char *s, *t;
	char c[4];
	int flag[4];
};

/* Everything that a library did, as text. */
struct record {
	char text[16384];
	size_t len;
};

static struct record *current;
static struct library *running;
static uint32_t proc_seed;

static void
note(const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(current->text + current->len, sizeof(current->text) - current->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		current->len += (size_t)n;
	if (current->len >= sizeof(current->text))
		current->len = sizeof(current->text) - 1;
}

static void
note_message(enum fuse_log_level level, const char *fmt, va_list ap)
{
	char line[512];

	vsnprintf(line, sizeof(line), fmt, ap);
	note("message %d %s", (int)level, line);
}

/* ---------------------------------------------------------------- chance */

static uint64_t state = 88172645463325252ull;

static uint32_t
chance(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 33) % below;
}

static uint32_t
hash(const char *s, uint32_t h)
{
	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 16777619u;
	return h;
}

#define V(field) offsetof(struct values, field)

static const struct fuse_opt pool[] = {
	{ "-x", V(flag[0]), 7 },
	{ "-x ", -1U, 11 },
	{ "-n %d", V(number), 0 },
	{ "-n=%d", V(number), 0 },
	{ "--long=%s", V(s), 0 },
	{ "--long ", -1U, 12 },
	{ "--long", V(flag[1]), -3 },
	{ "foo", V(flag[2]), 1 },
	{ "foo", -1U, FUSE_OPT_KEY_KEEP },
	{ "foo=", -1U, 13 },
	{ "foo=%s", V(s), 0 },
	{ "foo=bar", V(flag[3]), 5 },
	{ "foo=%u", V(u), 0 },
	{ "bar=%lu", V(lu), 0 },
	{ "bar=", -1U, FUSE_OPT_KEY_DISCARD },
	{ "bar %s", V(t), 0 },
	{ "oct=%o", V(octal), 0 },
	{ "hex=%x", V(hex), 0 },
	{ "big=%lli", V(lld), 0 },
	{ "c=%3c", V(c), 0 },
	{ "a=b=%s", V(t), 0 },
	{ "a b", V(flag[1]), 3 },
	{ "-h", -1U, 14 },
	{ "--help", -1U, FUSE_OPT_KEY_DISCARD },
	{ "debug", -1U, FUSE_OPT_KEY_KEEP },
	{ "=", V(flag[0]), 9 },
	{ "", V(flag[0]), 10 },
	{ "-", V(flag[0]), 12 },
	{ "-o", V(flag[0]), 13 },
	{ "with,comma=%s", V(s), 0 },
};
#define N_POOL (sizeof(pool) / sizeof(pool[0]))

static const char *const words[] = {
	"-x", "-xvalue", "-x", "-n", "-n5", "-n=6", "-n99999999999", "--long=abc", "--long", "--",
	"-", "", "-o", "-o", "-o", "-ofoo", "-ofoo,bar=3", "-ofoo=bar,foo=7",
	"-obar=18446744073709551615",
	"foo,foo=x", "foo\\,bar", "bar=1,big=-5,oct=0755", "hex=0xff,hex=ff", "a=b=c,a=b", "bar x",
	"bar ", "c=abcdef", "c=", "foo=", "foo=\\054comma", "foo=\\0", "foo=\\400,debug", "x\\",
	"debug,,ro", ",", ",,", "unknown=1,allow_other", "mount/point", "/mnt", "-h", "--help",
	"-of\\oo", "-o=", "-o,", "foo=a b", "with\\,comma=1", "bar=notanumber", "foo=bar", "bar=5x",
	"-xn", "--longer=1", "=", "big=9223372036854775808", "fo", "foobar", "-f", "-s", "-d",
};
#define N_WORDS (sizeof(words) / sizeof(words[0]))

/* ---------------------------------------------------------------- one library */

static int
proc(void *data, const char *arg, int key, struct fuse_args *outargs)
{
	uint32_t h = hash(arg, proc_seed + (uint32_t)key) % 32;

	(void)data;
	note("call %d '%s' with %d kept\n", key, arg, outargs->argc);
	if (h == 0)
		return -1;
	if (h == 1)
		return running->add_arg(outargs, "-added");
	if (h == 2)
		return running->insert_arg(outargs, 1, "inserted");
	return h < 12 ? 0 : h < 14 ? 2 : 1;
}

static void
note_values(struct values *v)
{
	note("%d %u %lu %lld %o %x '%s' '%s' %02x%02x%02x%02x %d %d %d %d\n", v->number, v->u,
	     v->lu, v->lld, v->octal, v->hex, v->s ? v->s : "-", v->t ? v->t : "-", v->c[0],
	     v->c[1], v->c[2], v->c[3], v->flag[0], v->flag[1], v->flag[2], v->flag[3]);
	free(v->s);
	free(v->t);
}

static void
note_args(const struct fuse_args *args)
{
	int i;

	note("%d args, allocated %d:", args->argc, args->allocated);
	for (i = 0; i < args->argc; i++)
		note(" [%s]", args->argv[i]);
	note(args->argv && args->argv[args->argc] ? " unterminated\n" : "\n");
}

static void
run_parse(struct library *lib, struct record *record, int argc, char **argv,
	  const struct fuse_opt *opts, fuse_opt_proc_t with)
{
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	struct values values;

	memset(&values, 0, sizeof(values));
	current = record;
	running = lib;
	note("result %d\n", lib->parse(&args, &values, opts, with));
	note_values(&values);
	note_args(&args);
	lib->free_args(&args);
	note_args(&args);
}

static void
run_lists(struct library *lib, struct record *record, const char *a, const char *b,
	  const struct fuse_opt *opts)
{
	char *list = NULL;

	current = record;
	note("%d ", lib->add_opt(&list, a));
	note("%d ", lib->add_opt_escaped(&list, b));
	note("%d ", lib->add_opt(&list, a));
	note("'%s'\n", list);
	note("match %d %d\n", lib->match(opts, a), lib->match(opts, b));
	free(list);
}

static void
run_cmdline(struct library *lib, struct record *record, int argc, char **argv)
{
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	struct cmdline o;

	memset(&o, 0xaa, sizeof(o));
	current = record;
	note("cmdline %d\n", lib->parse_cmdline(&args, &o));
	note("%d %d %d %d %d %d %d %u %u '%s'\n", o.singlethread, o.foreground, o.debug,
	     o.nodefault_subtype, o.show_version, o.show_help, o.clone_fd, o.max_idle_threads,
	     o.max_threads, o.mountpoint ? o.mountpoint : "-");
	free(o.mountpoint);
	note_args(&args);
	lib->free_args(&args);
}

static void
run_cmdline2(struct library *lib, struct record *record, int argc, char **argv)
{
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	char *mountpoint = NULL;
	int multithreaded = -5, foreground = -5;

	current = record;
	note("cmdline %d\n",
	     lib->parse_cmdline2(&args, &mountpoint, &multithreaded, &foreground));
	note("%d %d '%s'\n", multithreaded, foreground, mountpoint ? mountpoint : "-");
	free(mountpoint);
	note_args(&args);
	lib->free_args(&args);
}

static void
run_conn(struct library *lib, struct record *record, int argc, char **argv)
{
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	/* readdirplus and its automatic form are on, as in a real connection: the original says
	 * that the options switch them on, but they only switch off */
	struct conn conn = { .common = { 7, 31, 131072, 0, 4096, 0x7ffffff, 0x6a5f, 12, 9, 1 } };
	void *opts;
	int i;

	current = record;
	opts = lib->parse_conn(&args);
	note("conn options %d\n", opts != NULL);
	if (opts)
		lib->apply_conn(opts, &conn);
	for (i = 0; i < 10; i++)
		note(" %x", conn.common[i]);
	note_args(&args);
	free(opts);
	lib->free_args(&args);
}

/* ---------------------------------------------------------------- both */

static bool
library_load(struct library *lib, const char *who, const char *path)
{
	lib->who = who;
	lib->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!lib->handle)
		lib->handle = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
	if (!lib->handle) {
		printf("%s: %s\n", path, dlerror());
		return false;
	}
	*(void **)&lib->parse = dlsym(lib->handle, "fuse_opt_parse");
	*(void **)&lib->add_arg = dlsym(lib->handle, "fuse_opt_add_arg");
	*(void **)&lib->insert_arg = dlsym(lib->handle, "fuse_opt_insert_arg");
	*(void **)&lib->add_opt = dlsym(lib->handle, "fuse_opt_add_opt");
	*(void **)&lib->add_opt_escaped = dlsym(lib->handle, "fuse_opt_add_opt_escaped");
	*(void **)&lib->match = dlsym(lib->handle, "fuse_opt_match");
	*(void **)&lib->free_args = dlsym(lib->handle, "fuse_opt_free_args");
	*(void **)&lib->set_log = dlsym(lib->handle, "fuse_set_log_func");
	*(void **)&lib->parse_conn = dlsym(lib->handle, "fuse_parse_conn_info_opts");
	*(void **)&lib->apply_conn = dlsym(lib->handle, "fuse_apply_conn_info_opts");
	*(void **)&lib->parse_cmdline = dlvsym(lib->handle, "fuse_parse_cmdline", "FUSE_3.12");
	*(void **)&lib->parse_cmdline2 = dlvsym(lib->handle, "fuse_parse_cmdline", "FUSE_2.5");
	if (lib->set_log)
		lib->set_log(note_message);
	return lib->parse && lib->add_arg && lib->insert_arg && lib->match && lib->free_args;
}

static int
compare(int number, struct record *a, struct record *b, int argc, char **argv,
	const struct fuse_opt *opts)
{
	int i;

	if (strcmp(a->text, b->text) == 0)
		return 0;
	printf("case %d:", number);
	for (i = 0; i < argc; i++)
		printf(" [%s]", argv[i]);
	printf("\ntemplates:");
	for (; opts->templ; opts++)
		printf(" \"%s\" %lx %d;", opts->templ, opts->offset, opts->value);
	printf("\n--- the system's\n%s--- ours\n%s", b->text, a->text);
	return 1;
}

static const char *const cmd_words[] = {
	"-f", "-d", "-s", "-h", "-V", "--help", "--version", "-odebug", "-o", "/", "/tmp",
	"/usr/../tmp", "/nowhere/at/all", "-ofsname=a", "-osubtype=b", "-oclone_fd", "/dev/fd/3",
	"/dev/fd/3x", "-omax_threads=3,max_idle_threads=4", "-omax_threads=x", "ro",
	"-oallow_other",
	"--", "-omax_write=4096", "-omax_readahead=7,max_background=8,congestion_threshold=9",
	"-osync_read,async_read,atomic_o_trunc", "-ono_remote_lock", "-ono_remote_flock",
	"-ono_remote_posix_lock,no_splice_read,splice_move", "-osplice_write,time_gran=1000",
	"-ono_auto_inval_data,readdirplus=auto", "-oreaddirplus=yes,no_async_dio",
	"-oreaddirplus=no,writeback_cache", "-oreaddirplus=maybe", "-omax_write=", "",
};
#define N_CMD_WORDS (sizeof(cmd_words) / sizeof(cmd_words[0]))

static int
one_cmdline(struct library *ours, struct library *theirs, int number)
{
	static const struct fuse_opt none = FUSE_OPT_END;
	static struct record a, b;
	char *argv[8];
	uint32_t n = chance(6), i;

	argv[0] = (char *)(uintptr_t)(chance(2) ? "/some/program" : "program");
	for (i = 0; i < n; i++)
		argv[i + 1] = (char *)(uintptr_t)cmd_words[chance(N_CMD_WORDS)];
	argv[n + 1] = NULL;
	a.len = b.len = 0;
	if (ours->parse_cmdline && theirs->parse_cmdline) {
		run_cmdline(ours, &a, (int)n + 1, argv);
		run_cmdline(theirs, &b, (int)n + 1, argv);
		run_conn(ours, &a, (int)n + 1, argv);
		run_conn(theirs, &b, (int)n + 1, argv);
	} else if (ours->parse_cmdline2 && theirs->parse_cmdline2) {
		run_cmdline2(ours, &a, (int)n + 1, argv);
		run_cmdline2(theirs, &b, (int)n + 1, argv);
	} else {
		return 0;
	}
	return compare(number, &a, &b, (int)n + 1, argv, &none);
}

static int
one_case(struct library *ours, struct library *theirs, int number)
{
	static struct record a, b;
	struct fuse_opt opts[MAX_OPTS + 1];
	char *argv[MAX_ARGS + 2];
	uint32_t n_opts = chance(MAX_OPTS + 1), n_args = chance(MAX_ARGS), i;
	fuse_opt_proc_t with = chance(4) ? proc : NULL;

	for (i = 0; i < n_opts; i++)
		opts[i] = pool[chance(N_POOL)];
	opts[n_opts] = (struct fuse_opt)FUSE_OPT_END;
	argv[0] = (char *)(uintptr_t)"program";
	for (i = 0; i < n_args; i++)
		argv[i + 1] = (char *)(uintptr_t)words[chance(N_WORDS)];
	argv[n_args + 1] = NULL;
	proc_seed = chance(UINT32_MAX);
	a.len = b.len = 0;
	run_parse(ours, &a, (int)n_args + 1, argv, opts, with);
	run_parse(theirs, &b, (int)n_args + 1, argv, opts, with);
	run_lists(ours, &a, argv[n_args], words[number % (int)N_WORDS], opts);
	run_lists(theirs, &b, argv[n_args], words[number % (int)N_WORDS], opts);
	return compare(number, &a, &b, (int)n_args + 1, argv, opts);
}

int
main(int argc, char *argv[])
{
	struct library ours, theirs;
	int number, failed = 0, quiet;

	if (argc != 3)
		return 2;
	/* The build points the loader to our libraries, which have the names of the system's. It
	 * reads the variable when a program starts, so start again without. */
	if (getenv("LD_LIBRARY_PATH")) {
		unsetenv("LD_LIBRARY_PATH");
		execv("/proc/self/exe", argv);
		return 1;
	}
	/* the system's first: by its name, while nothing else has that name */
	if (!library_load(&theirs, "theirs", argv[2])) {
		printf("skipped: this system has no %s\n", argv[2]);
		return 77;
	}
	if (!library_load(&ours, "ours", argv[1]) || ours.parse == theirs.parse)
		return 1;
	/* 2.x writes its messages to standard error itself */
	quiet = theirs.set_log ? -1 : dup(STDERR_FILENO);
	if (quiet >= 0 && !freopen("/dev/null", "w", stderr))
		return 1;
	for (number = 0; number < N_CASES && failed < 5; number++)
		failed += one_case(&ours, &theirs, number);
	for (number = 0; number < N_CASES && failed < 5; number++)
		failed += one_cmdline(&ours, &theirs, number);
	printf("2 x %d command lines, %d differ\n", N_CASES, failed);
	return failed ? 1 : 0;
}
