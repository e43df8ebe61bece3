/*
 * The public headers as the core sees them: the newest level, exported names visible.
 *
 * Functions that are macros or inline in the headers, because programs reach them by another name,
 * are defined by the core under that other name, and by compat3.c under the plain one.
 */
#ifndef USERDRIVE_API_FUSE_API_H
#define USERDRIVE_API_FUSE_API_H

#ifndef FUSE_USE_VERSION
#define FUSE_USE_VERSION 318
#endif

#pragma GCC visibility push(default)
#include "fuse3/fuse.h"
#include "fuse3/fuse_lowlevel.h"
#include "fuse3/cuse_lowlevel.h"

/* Exported, but not in the headers at the newest level. */
int fuse_parse_cmdline_30(struct fuse_args *args, struct fuse_cmdline_opts *opts);
int fuse_parse_cmdline_312(struct fuse_args *args, struct fuse_cmdline_opts *opts);
#pragma GCC visibility pop

#endif
