/*
 * The small harness of the POSIX conformance suite.
 *
 * A case is one function. It runs in a child process of its own whose working directory
 * is a fresh, empty directory of the file system under test, and ends by returning
 * (passed), by a check that does not hold (failed) or by skip() (skipped, with a reason).
 * Nothing that a case does to its identity, umask, limits or mounts outlives it; what it
 * leaves behind in its directory is removed by the runner.
 *
 * Thread rule: one thread per process; nothing here is thread safe.
 */
#ifndef TESTS_POSIX_HARNESS_H
#define TESTS_POSIX_HARNESS_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

/* What a case needs; the words of the third column of cases.list. */
enum need {
	AS_INVOKER = 0,		     /* runs as whoever started the suite */
	AS_ROOT = 1 << 0,	     /* starts as root; may become() others */
	AS_USER = 1 << 1,	     /* starts as user A, who owns the directory */
	AS_BOTH = AS_ROOT | AS_USER, /* becomes two cases, NAME-root and NAME-user */
	NEED_MOUNTS = 1 << 2,	     /* mounts in a mount namespace of its own */
	NEED_RO = 1 << 3,	     /* --ro-dir */
	NEED_SMALL = 1 << 4,	     /* --small-dir */
	NEED_PLANTED = 1 << 5,	     /* --planted-dir */
	NEED_EXEC = 1 << 6,	     /* a file system without noexec */
	NEED_DEV = 1 << 7,	     /* a file system without nodev */
	NEED_SUID = 1 << 8,	     /* a file system without nosuid */
	MAY_LACK = 1 << 9,	     /* skipped where the file system lacks the ability */
};

struct posix_case {
	const char *call; /* manual page that makes the promise */
	int error;	  /* errno expected, 0 = success semantics ("OK") */
	const char *name;
	unsigned int needs; /* enum need */
	const char *text;   /* one line: what is promised */
	void (*run)(void);
	void (*run_arg)(const void *arg); /* instead of run, for generated cases */
	const void *arg;		  /* borrowed */
};

/* ---- registry: each file of cases has one function that adds its own ---- */

void posix_case_add(const struct posix_case *c);
void posix_cases_add(const struct posix_case *cases, size_t n);
/* Adds a case under the name PREFIX-c->name (c->name when prefix is empty). */
void posix_case_add_named(const struct posix_case *c, const char *prefix);

/* Defines the function that groups.h declares. */
#define POSIX_GROUP(group, table)                                           \
	void posix_add_##group(void)                                        \
	{                                                                   \
		posix_cases_add(table, sizeof(table) / sizeof((table)[0])); \
	}

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- identities ---- */

/* Numbers need no entry in passwd or group. */
enum identity {
	ID_ROOT,      /* uid 0, gid 0, no supplementary group */
	ID_A,	      /* user A in group A */
	ID_A_SUPP,    /* user A in group A, supplementary groups G and H */
	ID_A_GROUP_B, /* user A in group B */
	ID_B,	      /* user B in group B */
	ID_B_SUPP,    /* user B in group B, supplementary groups A and G */
	ID_INVOKER,   /* whoever started the suite */
};

uid_t uid_a(void);
uid_t uid_b(void);
gid_t gid_a(void);
gid_t gid_b(void);
gid_t gid_g(void);
gid_t gid_h(void);

/* Switches real and effective ids and groups; back to ID_ROOT at any time. */
void become(enum identity id);
/* The same for good: no saved id is left (needed before execve). */
void become_forever(enum identity id);

/* ---- the environment of the run, read only for cases ---- */

struct posix_env {
	const char *dir;    /* directory under test, absolute */
	const char *ro_dir; /* NULL when not given */
	const char *small_dir;
	const char *planted_dir;
	uid_t base_uid;		   /* user A; B, G and H follow */
	bool root;		   /* started by root */
	bool strict;		   /* a lacking ability is a failure */
	bool users;		   /* users A and B can work in dir */
	unsigned long mount_flags; /* ST_NOSUID and others of dir */
};

extern struct posix_env env;

/* ---- outcomes ---- */

_Noreturn void fail_at(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
_Noreturn void skip(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The file system lacks an ability: skips, or fails with --strict. */
_Noreturn void lacks(const char *format, ...) __attribute__((format(printf, 1, 2)));

long check_ok(long result, const char *what, const char *file, int line);
void check_fails(long result, int got, int want, const char *what, const char *file,
		 int line);
void check_equal(long long got, long long want, const char *what, const char *file,
		 int line);
/* Skips when result is -1 with one of the errnos that mean "not an ability of this fs".
 */
long check_able(long result, const char *what, const char *file, int line);
/* A direct error number (posix_fallocate). */
void check_number(int got, int want, const char *what, const char *file, int line);
const char *error_name(int error);

#define FAIL(...) fail_at(__FILE__, __LINE__, __VA_ARGS__)
/* x must succeed; its value. */
#define OK(x) check_ok((long)(x), #x, __FILE__, __LINE__)
/* x must succeed; the case is skipped where the file system lacks the ability. */
#define ABLE(x) check_able((long)(x), #x, __FILE__, __LINE__)
/* x must answer -1 with errno e. */
#define FAILS(e, x)                                                     \
	do {                                                            \
		errno = 0;                                              \
		long result_ = (long)(x);                               \
		check_fails(result_, errno, e, #x, __FILE__, __LINE__); \
	} while (0)
#define EQ(got, want)                                                                 \
	check_equal((long long)(got), (long long)(want), #got " == " #want, __FILE__, \
		    __LINE__)
#define NUMBER(e, x) check_number(x, e, #x, __FILE__, __LINE__)
#define CHECK(x)                                       \
	do {                                           \
		if (!(x))                              \
			FAIL("does not hold: %s", #x); \
	} while (0)

/* ---- makers and readers; each fails the case when it cannot ---- */

void make_file(const char *path, mode_t mode);	    /* empty, exact mode */
void make_text(const char *path, const char *text); /* mode 0644 */
void make_sized(const char *path, off_t size);
void make_dir(const char *path, mode_t mode); /* exact mode */
void make_link(const char *target, const char *path);
void make_fifo(const char *path, mode_t mode);
void give(const char *path, uid_t uid, gid_t gid); /* lchown */
int open_file(const char *path, int flags);
struct stat stat_of(const char *path); /* lstat */
mode_t mode_of(const char *path);      /* permission bits, lstat */
off_t size_of(const char *path);
nlink_t links_of(const char *path);
bool exists(const char *path);
void check_text(const char *path, const char *text);
void fill(char *buf, size_t size); /* known, non-zero pattern */

/* Names made for limits: n letters and a terminator; borrowed, up to the next call but 3.
 */
const char *name_of_length(size_t n);
/* A path of n bytes that leads back to tail by "./" steps. */
const char *path_of_length(size_t n, const char *tail);

/* ---- processes ---- */

/* Runs fn(arg) in a process of its own; its failed checks fail this case. */
pid_t spawn(void (*fn)(void *arg), void *arg);
void wait_for(pid_t pid);
/* Two ends to take turns with a spawned process. */
struct turns {
	int to_child[2];
	int to_parent[2];
};
void turns_init(struct turns *t);
void turn_give(int fd[2]);
void turn_wait(int fd[2]);
/* Exit status of the program path run with argv; 128 + signal, or 256 + errno of execve.
 */
int run_program(enum identity id, const char *path, char *const argv[]);

/* ---- time ---- */

/* Lets the file system's clock advance by at least one of its steps. */
void tick(void);
int time_compare(const struct timespec *a, const struct timespec *b);

/* ---- mounts, in a private namespace that ends with the case ---- */

void private_mounts(void);
/* A read-only view of the present directory at path. */
void bind_read_only(const char *path);
/* A tmpfs at path. */
void mount_other(const char *path);

/* Creates what read-only cases expect in dir (posix-suite --prepare-ro). */
int ro_content_create(const char *dir);

#endif
