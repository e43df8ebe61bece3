/*
 * Names that only libfuse3.so.4 binds twice: one release moved them to another version, the next
 * moved them back, and programs were linked in between.
 */
#include "api/fuse/api.h"
#include "api/fuse/version.h"

FAPI_EXPORT bool fapi_set_feature_flag_v318(struct fuse_conn_info *conn, uint64_t flag);
FAPI_EXPORT void fapi_unset_feature_flag_v318(struct fuse_conn_info *conn, uint64_t flag);
FAPI_EXPORT bool fapi_get_feature_flag_v318(struct fuse_conn_info *conn, uint64_t flag);
FAPI_EXPORT int fapi_convert_want_v318(struct fuse_conn_info *conn);

bool
fapi_set_feature_flag_v318(struct fuse_conn_info *conn, uint64_t flag)
{
	return fuse_set_feature_flag(conn, flag);
}
FAPI_SYMVER(fapi_set_feature_flag_v318, "fuse_set_feature_flag@FUSE_3.18");

void
fapi_unset_feature_flag_v318(struct fuse_conn_info *conn, uint64_t flag)
{
	fuse_unset_feature_flag(conn, flag);
}
FAPI_SYMVER(fapi_unset_feature_flag_v318, "fuse_unset_feature_flag@FUSE_3.18");

bool
fapi_get_feature_flag_v318(struct fuse_conn_info *conn, uint64_t flag)
{
	return fuse_get_feature_flag(conn, flag);
}
FAPI_SYMVER(fapi_get_feature_flag_v318, "fuse_get_feature_flag@FUSE_3.18");

int
fapi_convert_want_v318(struct fuse_conn_info *conn)
{
	return fuse_convert_to_conn_want_ext(conn);
}
FAPI_SYMVER(fapi_convert_want_v318, "fuse_convert_to_conn_want_ext@FUSE_3.18");
