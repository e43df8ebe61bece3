/*
 * Names of libfuse3 that are bound in more than one version, or that the headers reach by another
 * name. Linked into libfuse3.so.3 and libfuse3.so.4 only. A function here takes what its version of
 * the interface took, and calls the core.
 */
#include "api/fuse/api.h"
#include "api/fuse/version.h"

/* Each is the plain name as new links get it. */
FAPI_EXPORT int fapi_parse_cmdline_v312(struct fuse_args *args, struct fuse_cmdline_opts *opts);
FAPI_EXPORT int fapi_parse_cmdline_v30(struct fuse_args *args, struct fuse_cmdline_opts *opts);

int
fapi_parse_cmdline_v312(struct fuse_args *args, struct fuse_cmdline_opts *opts)
{
	return fuse_parse_cmdline_312(args, opts);
}
FAPI_SYMVER(fapi_parse_cmdline_v312, "fuse_parse_cmdline@@FUSE_3.12");

int
fapi_parse_cmdline_v30(struct fuse_args *args, struct fuse_cmdline_opts *opts)
{
	return fuse_parse_cmdline_30(args, opts);
}
FAPI_SYMVER(fapi_parse_cmdline_v30, "fuse_parse_cmdline@FUSE_3.0");
