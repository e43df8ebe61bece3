/* libfuse3.so.3: programs of four layouts load it. The first guess is Debian 12's. */
#include "api/fuse/layout.h"

const struct fapi_library fapi_library = {
	.soname = "libfuse3.so.3",
	.version = { 3, 14, 0, 0 },
	.ambiguous = true,
};
