/*
 * fsmodel: the same random operations on a drive and on a reference directory, with equal
 * outcomes demanded after each one.
 *
 *   gen.c        operations from a random source; their text form in logs
 *   ops*.c       operations as system calls on one side, with all they let one observe
 *   state.c      the whole tree and all open files of one side as text
 *   run.c        both sides in step, comparison, planted differences
 *   minimize.c   the fewest operations that still differ
 *
 * An operation is a row of model_calls[] and up to seven integers; its meaning depends on
 * nothing else, which is what makes logs repeatable and minimizable.
 */
#ifndef USERDRIVE_TESTS_MODEL_H
#define USERDRIVE_TESTS_MODEL_H

#include <sys/stat.h>
#include "base/buf.h"
#include "tests/stress/common.h"

enum {
	N_CALLS_MAX = 80,
	N_SLOTS = 12,
	N_MAPS = 4,
	N_ARGS = 7,
	N_HOT = 12,
	N_HOT_DIRS = 4
};

struct op {
	uint16_t call;	 /* index into model_calls */
	uint16_t verify; /* also compare stat of what the operation named */
	int64_t args[N_ARGS];
};

/* A shared mapping; fd is a duplicate of the slot's, kept until the map slot is used
 * again. */
struct map {
	unsigned char *base; /* NULL: not mapped */
	size_t len;
	int fd;
	bool writable;
	bool dirty; /* written since the last fsync of fd */
};

/* One of the two directories with all that is open in it. */
struct side {
	struct workdir dir;
	int fds[N_SLOTS];
	struct map maps[N_MAPS];
};

/* What an operation showed: result, errno, and any other facts as lines of text. */
struct outcome {
	int64_t ret;
	int err;
	struct buf facts;
};

/*
 * Argument letters, which rule generation and printing:
 *  s slot to fill, S H E slot in use (likely a file, anything, a directory),
 *  P o l d path of anything, a file, a link, a directory; N e path for something new, for
 * a new directory; t link target, F open flags, M mode, O offset, L length, D data key, w
 * whence, m map slot, b boolean, X xattr name, V xattr length, f xattr flags, U user or
 * group, T time, n node type, r device, a access mask
 */
struct call_def {
	const char *name;
	const char *args;
	unsigned char weights[3]; /* by enum profile */
	char group;		  /* 'x' xattr, 'h' holes, 0 */
	void (*run)(struct side *s, const int64_t *a, int how, struct outcome *o);
	int how; /* flags or the like, where several calls are one function */
};
enum profile { PROFILE_DATA, PROFILE_NAMES, PROFILE_MIXED };

/* Rows of the three ops files; model_calls points at them in one fixed order. */
extern const struct call_def data_calls[], name_calls[], meta_calls[];
extern const size_t n_data_calls, n_name_calls, n_meta_calls;
const struct call_def *model_call(unsigned index); /* NULL: no such row */
int model_call_find(const char *name);		   /* -1: none */

/* What is compared and generated; set once from the command line. */
struct model_config {
	bool no_xattr, no_holes, no_nlink, no_mtime, no_ino, dir_mtime, plain_names;
	bool special_nodes; /* root only: device nodes, chown */
	uint64_t max_size, xattr_max;
	struct opt_list without; /* calls that are not generated */
	struct opt_list allow;	 /* CALL:ERRNO that the drive may answer */
};
extern struct model_config config;

/* ---- paths and facts (ops.c) ---- */

/* A path argument, usable with the at-calls (base, rel) and with the others (full). */
struct path {
	int base;
	char rel[1024];
	char full[1100];
};
void path_decode(const struct side *s, int64_t arg, struct path *ret_path);
void outcome_set(struct outcome *o, int64_t ret); /* ret, and errno when negative */
void facts_stat(struct buf *t, const struct stat *st);
void facts_mtime(struct buf *t, const struct stat *st);
void facts_atime(struct buf *t, const struct stat *st);
void op_execute(struct side *s, const struct op *op, struct outcome *o);
/* Writes back what mappings left dirty, so that it cannot change mtimes later. */
void side_settle(struct side *s);
/* Truncations, mappings and the like set mtime on some systems only: brings both to
 * "now". */
void touch_fd(int fd);
void side_init(struct side *s, const char *parent, const char *name);
void side_close_slot(struct side *s, int slot);
void map_drop(struct map *m); /* unmaps, writes back, closes (ops_data.c) */
void side_fini(struct side *s, bool keep);

/* ---- state (state.c) ---- */

/* The hash of a file's content, and whether what is said to be a hole reads as zeros. */
void facts_content(struct buf *t, int fd, uint64_t size);
void facts_xattrs(struct buf *t, int fd);
/* Names and types of a directory as a sorted list; 0 or -errno. */
int facts_listing(struct buf *t, int dir_fd);
/* One line per file and per open slot. */
void state_collect(struct side *s, struct buf *t);

/* ---- generation and text (gen.c) ---- */

struct gen {
	struct rng rng;
	enum profile profile;
	unsigned hot[N_HOT]; /* pool indices; the first N_HOT_DIRS mostly name directories
			      */
	unsigned total_weight;
	const struct side *ref; /* to see what is there */
};
void gen_init(struct gen *g, uint64_t seed, enum profile profile, const struct side *ref);
void gen_op(struct gen *g, struct op *ret_op);
const char *pool_name(unsigned index); /* NULL beyond the pool */
const char *xattr_pool_name(unsigned index);
void op_format(const struct op *op, struct buf *t); /* "call verify args… # readable" */
bool op_parse(const char *line, struct op *ret_op); /* false: not an operation */

/* ---- running (run.c) ---- */

struct ops {
	struct op *v;
	size_t n, cap;
};
void ops_add(struct ops *ops, const struct op *op);

/* A difference: at which operation, of which kind, described. */
struct mismatch {
	bool found;
	size_t index;
	unsigned call;
	struct buf report;
};

struct session {
	struct side drive, ref;
	size_t n_done, n_allowed; /* steps; those that the drive declined */
	struct mismatch mismatch;
};
/* How often each call succeeded and failed, over all sessions: shows that a run is not
 * idle. */
extern uint64_t call_counts[N_CALLS_MAX][2];
void session_start(struct session *se, const char *drive_dir, const char *ref_dir);
/* false: the sides differ, see se->mismatch. */
bool session_step(struct session *se, const struct op *op);
void session_end(struct session *se, bool keep);
/* Runs a whole list in fresh directories; the caller frees ret_mismatch->report. */
void session_replay(const char *drive_dir, const char *ref_dir, const struct ops *ops,
		    struct mismatch *ret_mismatch);

/* ---- minimizing (minimize.c) ---- */

/*
 * Shrinks ops in place for as long as the same call (or the state after all) still
 * differs; false when the whole list does not differ. ret_mismatch: of the shortest list.
 */
bool ops_minimize(const char *drive_dir, const char *ref_dir, struct ops *ops,
		  double until_s, struct mismatch *ret_mismatch);

#endif
