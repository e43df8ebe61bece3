/*
 * How a multi-threaded loop works: opaque to programs of level 312 and up, who set it by
 * fuse_loop_cfg_*; older ones fill struct fuse_loop_config_v1.
 */
#ifndef USERDRIVE_API_FUSE_LOOP_CFG_H
#define USERDRIVE_API_FUSE_LOOP_CFG_H

#include "api/fuse/api.h"

#define LOOP_CFG_DEFAULT_THREADS 10
#define LOOP_CFG_DEFAULT_IDLE UINT32_MAX
#define LOOP_CFG_MAX_IDLE 100000u

struct fuse_loop_config {
	uint32_t magic;
	bool clone_fd;
	unsigned int max_idle_threads; /* UINT_MAX: none ends */
	unsigned int max_threads;
};

/* Of programs below level 312; v1 NULL: defaults. */
struct fuse_loop_config fapi_loop_cfg_of_v1(const struct fuse_loop_config_v1 *v1);
/* The defaults, on the stack. */
struct fuse_loop_config fapi_loop_cfg_default(void);
/* What it says, or the defaults for NULL and for what no fuse_loop_cfg_create made. */
struct fuse_loop_config fapi_loop_cfg_of(const struct fuse_loop_config *config);

#endif
