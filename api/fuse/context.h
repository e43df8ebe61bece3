/*
 * Who asks: the context of the request that the calling thread works on. Each thread has its own;
 * it is valid while a callback runs.
 */
#ifndef USERDRIVE_API_FUSE_CONTEXT_H
#define USERDRIVE_API_FUSE_CONTEXT_H

#include "api/fuse/hl_api.h"

struct fuse_fs;

struct hl_context {
	struct fuse_context pub;
	fuse_req_t req;     /* NULL in init and destroy */
	struct fuse_fs *fs; /* the layer whose callback runs */
};

/* The calling thread's context; never NULL. */
struct hl_context *hl_context_get(void);
/* Enters a request: its caller's identity. req NULL: no caller. */
void hl_context_enter(struct fuse *f, fuse_req_t req);

struct fuse_context *hl_get_context(void); /* NULL in a thread without requests */
int hl_getgroups(int size, gid_t list[]);
int hl_interrupted(void);

#endif
