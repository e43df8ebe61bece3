/*
 * Features of a connection, between the two forms that programs use: the 32-bit want of old ones
 * and want_ext.
 */
#ifndef USERDRIVE_API_FUSE_CONN_FEATURES_H
#define USERDRIVE_API_FUSE_CONN_FEATURES_H

#include "api/fuse/api.h"

/*
 * Called before init, when want_ext holds the defaults: sets the 32-bit fields to match and notes
 * the defaults (in the reserved part of conn), so that fuse_convert_to_conn_want_ext knows what a
 * program has changed.
 */
void fapi_features_note_defaults(struct fuse_conn_info *conn);

#endif
