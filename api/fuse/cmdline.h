/*
 * Command lines: what the libraries of both major versions and the high-level API share.
 */
#ifndef USERDRIVE_API_FUSE_CMDLINE_H
#define USERDRIVE_API_FUSE_CMDLINE_H

#include "api/fuse/fuse_opt_api.h"

/* Sets *mountpoint (NULL before, malloc'ed) to the absolute form of arg. 0, or -1 after a message:
 * there is one already, or it is not there. */
int fapi_mountpoint_set(char **mountpoint, const char *arg);
/* Appends "-osubtype=" and the last part of program. 0, or -1 after a message. */
int fapi_default_subtype(const char *program, struct fuse_args *args);
/* The options of fuse_new, to standard output. */
void fapi_help_highlevel(void);

#endif
