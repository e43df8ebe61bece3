/* struct fuse_args, which is the same in the headers of both major versions. */
#ifndef USERDRIVE_API_FUSE_OPT_API_H
#define USERDRIVE_API_FUSE_OPT_API_H

#if !defined(FUSE_OPT_H_) && !defined(USERDRIVE_FUSE2)
#pragma GCC visibility push(default)
#include "fuse3/fuse_opt.h"
#pragma GCC visibility pop
#endif

#endif
