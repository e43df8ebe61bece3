#include "api/fuse/loop_cfg.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

/* Tells our configuration from a structure that an old program filled. Both begin with an int, and
 * no program has this value in clone_fd. */
#define LOOP_CFG_MAGIC 0xc0f19312u

struct fuse_loop_config
fapi_loop_cfg_default(void)
{
	return (struct fuse_loop_config){
		.magic = LOOP_CFG_MAGIC,
		.max_idle_threads = LOOP_CFG_DEFAULT_IDLE,
		.max_threads = LOOP_CFG_DEFAULT_THREADS,
	};
}

struct fuse_loop_config
fapi_loop_cfg_of_v1(const struct fuse_loop_config_v1 *v1)
{
	struct fuse_loop_config config = fapi_loop_cfg_default();

	if (v1)
		fuse_loop_cfg_convert(&config, (struct fuse_loop_config_v1 *)(uintptr_t)v1);
	return config;
}

struct fuse_loop_config
fapi_loop_cfg_of(const struct fuse_loop_config *config)
{
	if (config && config->magic == LOOP_CFG_MAGIC)
		return *config;
	return fapi_loop_cfg_default();
}

struct fuse_loop_config *
fuse_loop_cfg_create(void)
{
	struct fuse_loop_config *config = malloc(sizeof(*config));

	if (config)
		*config = fapi_loop_cfg_default();
	return config;
}

void
fuse_loop_cfg_destroy(struct fuse_loop_config *config)
{
	free(config);
}

void
fuse_loop_cfg_set_idle_threads(struct fuse_loop_config *config, unsigned int value)
{
	if (value > LOOP_CFG_MAX_IDLE && value != UINT_MAX)
		fuse_log(FUSE_LOG_ERR, "fuse: max_idle_threads %u above %u is ignored\n", value,
			 LOOP_CFG_MAX_IDLE);
	else
		config->max_idle_threads = value;
}

void
fuse_loop_cfg_set_max_threads(struct fuse_loop_config *config, unsigned int value)
{
	config->max_threads = value;
}

void
fuse_loop_cfg_set_clone_fd(struct fuse_loop_config *config, unsigned int value)
{
	config->clone_fd = value != 0;
}

void
fuse_loop_cfg_convert(struct fuse_loop_config *config, struct fuse_loop_config_v1 *v1_conf)
{
	fuse_loop_cfg_set_idle_threads(config, v1_conf->max_idle_threads);
	fuse_loop_cfg_set_clone_fd(config, (unsigned int)v1_conf->clone_fd);
}
