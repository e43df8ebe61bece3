/*
 * Names of the low-level API that libfuse3 binds in more than one version, or that the headers reach
 * by another name; linked into libfuse3.so.3 and libfuse3.so.4 only.
 */
#include <stddef.h>

#include "api/fuse/lowlevel.h"
#include "api/fuse/loop_cfg.h"
#include "api/fuse/version.h"

#undef fuse_session_new
#undef fuse_session_loop_mt
#undef fuse_session_custom_io

FAPI_EXPORT struct fuse_session *fuse_session_new(struct fuse_args *args,
						  const struct fuse_lowlevel_ops *op,
						  size_t op_size, void *userdata);
FAPI_EXPORT int fuse_session_loop_mt_31(struct fuse_session *se, int clone_fd);
FAPI_EXPORT int fuse_session_loop_mt_32(struct fuse_session *se, struct fuse_loop_config_v1 *v1);
FAPI_EXPORT int fapi_session_loop_mt_v30(struct fuse_session *se, int clone_fd);
FAPI_EXPORT int fapi_session_loop_mt_v32(struct fuse_session *se, struct fuse_loop_config_v1 *v1);
FAPI_EXPORT int fapi_session_loop_mt_v312(struct fuse_session *se, struct fuse_loop_config *config);
FAPI_EXPORT int fapi_session_custom_io_v30(struct fuse_session *se, const struct fuse_custom_io *io,
					   int fd);

FAPI_EXPORT int fuse_session_custom_io_30(struct fuse_session *se, const struct fuse_custom_io *io,
					  int fd);

struct fuse_session *
fuse_session_new(struct fuse_args *args, const struct fuse_lowlevel_ops *op, size_t op_size,
		 void *userdata)
{
	return fuse_session_new_versioned(args, op, op_size, NULL, userdata);
}

int
fuse_session_loop_mt_31(struct fuse_session *se, int clone_fd)
{
	struct fuse_loop_config config = fapi_loop_cfg_default();

	config.clone_fd = clone_fd > 0;
	return fuse_session_loop_mt_312(se, &config);
}

int
fuse_session_loop_mt_32(struct fuse_session *se, struct fuse_loop_config_v1 *v1)
{
	struct fuse_loop_config config = fapi_loop_cfg_of_v1(v1);

	return fuse_session_loop_mt_312(se, &config);
}

int
fapi_session_loop_mt_v30(struct fuse_session *se, int clone_fd)
{
	return fuse_session_loop_mt_31(se, clone_fd);
}
FAPI_SYMVER(fapi_session_loop_mt_v30, "fuse_session_loop_mt@FUSE_3.0");

int
fapi_session_loop_mt_v32(struct fuse_session *se, struct fuse_loop_config_v1 *v1)
{
	return fuse_session_loop_mt_32(se, v1);
}
FAPI_SYMVER(fapi_session_loop_mt_v32, "fuse_session_loop_mt@FUSE_3.2");

int
fapi_session_loop_mt_v312(struct fuse_session *se, struct fuse_loop_config *config)
{
	return fuse_session_loop_mt_312(se, config);
}
FAPI_SYMVER(fapi_session_loop_mt_v312, "fuse_session_loop_mt@@FUSE_3.12");

/* Before 3.17 the table had no size and no clone_fd. */
int
fapi_session_custom_io_v30(struct fuse_session *se, const struct fuse_custom_io *io, int fd)
{
	return fuse_session_custom_io_317(se, io, offsetof(struct fuse_custom_io, clone_fd), fd);
}
FAPI_SYMVER(fapi_session_custom_io_v30, "fuse_session_custom_io@@FUSE_3.0");

int
fuse_session_custom_io_30(struct fuse_session *se, const struct fuse_custom_io *io, int fd)
{
	return fapi_session_custom_io_v30(se, io, fd);
}
