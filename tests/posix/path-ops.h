/*
 * The calls that take a path, as a table: what every one of them promises is tested by
 * crossing this table with a table of situations (path.c, view.c).
 */
#ifndef TESTS_POSIX_PATH_OPS_H
#define TESTS_POSIX_PATH_OPS_H

#include "harness.h"

enum path_op_flag {
	OP_CREATES = 1 << 0,	 /* the last component comes into being */
	OP_EXCLUSIVE = 1 << 1,	 /* ... and must not exist, not even as a dangling link */
	OP_FOLLOWS = 1 << 2,	 /* a symbolic link as last component is followed */
	OP_DIRECTORY = 1 << 3,	 /* the last component is a directory */
	OP_CHANGES_DIR = 1 << 4, /* needs write permission for the containing directory */
	OP_READS = 1 << 5,	 /* changes nothing */
	OP_SPACE = 1 << 6,	 /* may need a new inode or directory block */
};

struct path_op {
	const char *call;
	const char *label;  /* "" or which path or form of the call */
	unsigned int flags; /* enum path_op_flag */
	int (*act)(const char *path);
};

extern const struct path_op path_ops[];
extern const size_t n_path_ops;

/* Makes what op wants to find at path; nothing for OP_CREATES. */
void path_op_prepare(const struct path_op *op, const char *path);
/* Makes the other object that some calls need: the file "source" in the working
 * directory. */
void path_op_source(void);

/* A situation crossed with every op that has all flags of with and none of without. */
struct path_situation {
	int error;
	const char *name;
	unsigned int needs;
	unsigned int with, without;
	const char *text;
	void (*run)(const void *op);
};

void path_situations_add(const struct path_situation *situations, size_t n);

#endif
