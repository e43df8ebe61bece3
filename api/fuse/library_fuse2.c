/* libfuse.so.2: the last release of that line. */
#include "api/fuse/layout.h"

const struct fapi_library fapi_library = {
	.soname = "libfuse.so.2",
	.version = { 2, 9, 9, 0 },
};
