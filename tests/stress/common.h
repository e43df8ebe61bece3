/*
 * What the stress and model programs share: random numbers that repeat from a seed, data
 * that describes itself, printable names, option tables, working directories that clean
 * up. Every program here runs against any mounted directory and prints the seed it used.
 */
#ifndef USERDRIVE_TESTS_STRESS_COMMON_H
#define USERDRIVE_TESTS_STRESS_COMMON_H

#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include "base/compiler.h"

/* Exit codes of all test programs. */
enum { TEST_PASS = 0, TEST_FAIL = 1, TEST_SKIP = 77 };

/* Prints "PROGRAM: FAIL: …" and exits with TEST_FAIL; for use in any process of a
 * program. */
void fail(const char *fmt, ...) PRINTF_LIKE(1, 2) __attribute__((noreturn));
/* The same with ": strerror(errno)" at the end. */
void fail_errno(const char *fmt, ...) PRINTF_LIKE(1, 2) __attribute__((noreturn));

#define check(cond, ...)                   \
	do {                               \
		if (unlikely(!(cond)))     \
			fail(__VA_ARGS__); \
	} while (0)
/* For system calls: fails unless the call succeeded (returned something not negative). */
#define check_call(call, ...)                    \
	do {                                     \
		if (unlikely((call) < 0))        \
			fail_errno(__VA_ARGS__); \
	} while (0)
/* Fails unless the call fails with exactly this errno. */
#define check_errno(call, wanted, ...)                          \
	do {                                                    \
		errno = 0;                                      \
		if (unlikely((call) >= 0 || errno != (wanted))) \
			fail_errno(__VA_ARGS__);                \
	} while (0)

/* Random numbers: the same sequence from the same seed on every machine (splitmix64). */
struct rng {
	uint64_t state;
};
uint64_t rng_next(struct rng *r);
uint64_t rng_below(struct rng *r, uint64_t limit); /* 0 … limit-1; limit > 0 */
bool rng_percent(struct rng *r, unsigned percent);
/* Index of a row, by weights that stand stride bytes apart. */
size_t rng_pick(struct rng *r, const unsigned *weights, size_t stride, size_t n_rows);
uint64_t seed_from_clock(void);

uint64_t mix64(uint64_t x);
uint64_t hash_bytes(const void *data, size_t n_bytes, uint64_t start);

/*
 * Self-describing data: the byte at an offset follows from a key and the offset alone, so
 * any range of a file can be checked, and data of another file or offset is told apart.
 */
void data_fill(void *buf, size_t n_bytes, uint64_t key, uint64_t offset);
/* Index of the first wrong byte, or -1. */
ssize_t data_check(const void *buf, size_t n_bytes, uint64_t key, uint64_t offset);
ssize_t zero_check(const void *buf, size_t n_bytes);

/* Whole transfers; a short one is a failure. where: for the message. */
void write_all(int fd, const void *buf, size_t n_bytes, off_t offset, const char *where);
void read_all(int fd, void *buf, size_t n_bytes, off_t offset, const char *where);
void write_data(int fd, size_t n_bytes, uint64_t key, off_t offset, const char *where);
void verify_data(int fd, size_t n_bytes, uint64_t key, off_t offset, const char *where);
void verify_zeros(int fd, size_t n_bytes, off_t offset, const char *where);

/* Printable form of any bytes, in one of eight rotating static buffers. */
const char *escape(const void *bytes, size_t n_bytes);
const char *escape_name(const char *name);

/* malloc family that fails the program instead of returning NULL. */
void *must_alloc(size_t n_bytes);
void *must_grow(void *p, size_t n_bytes);
/* Zeroed memory that forked children share with their parent. */
void *must_share(size_t n_bytes);

/* Names of a directory, without . and .., sorted bytewise. */
struct listing {
	char **names;
	unsigned char *types; /* DT_* as readdir said */
	size_t n;
};
/* Reads the directory from its start through a duplicate of fd; 0 or -errno. */
int listing_read(int dir_fd, struct listing *ret_listing);
void listing_free(struct listing *l);
bool listing_has(const struct listing *l, const char *name);
/* A name that stands twice, or NULL. */
const char *listing_twice(const struct listing *l);
/* Reads and sorts the directory, fails when a name stands twice. */
void listing_must_read(int dir_fd, struct listing *ret_listing, const char *where);

/* A directory of the program's own below a directory given by the user. */
struct workdir {
	char path[4096];
	int fd;
};
void workdir_create(struct workdir *w, const char *parent, const char *name);
/* It must be empty by now: a drive that resurrects or hides entries fails here. */
void workdir_remove_empty(struct workdir *w);
/* Removes it with all that is in it, whatever that is. */
void workdir_remove_all(struct workdir *w);
/* Removes what is in an open directory; false when something stays. */
bool tree_empty(int dir_fd);

/* Options: --name VALUE or, for OPT_FLAG, --name. Positional arguments fill the OPT_ARG
 * rows. */
enum opt_kind { OPT_FLAG, OPT_U64, OPT_TEXT, OPT_LIST, OPT_ARG };
struct opt {
	const char *name;
	enum opt_kind kind;
	void *value; /* bool *, uint64_t * (suffixes K M G T), const char **, struct
			opt_list * */
	const char *help;
};
struct opt_list {
	const char *items[64];
	size_t n;
};
/* Exits with the usage on --help (0) or on bad arguments (2). */
void opts_parse(int argc, char **argv, const struct opt *opts, size_t n_opts);

/* Seconds since some start, for deadlines. */
double now_s(void);

#endif
