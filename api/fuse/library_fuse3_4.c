/* libfuse3.so.4: one layout, that of our own headers. */
#include "api/fuse/layout.h"

const struct fapi_library fapi_library = {
	.soname = "libfuse3.so.4",
	.version = { FUSE_MAJOR_VERSION, FUSE_MINOR_VERSION, FUSE_HOTFIX_VERSION, 0 },
};
