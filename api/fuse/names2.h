/*
 * Names of the core that mean something else in libfuse 2: other parameters, or a session that may
 * be of the program's own making. libfuse.so.2 is built from the same sources with this file
 * included first, so that its own functions (fuse 2 headers) can have these names.
 */
#ifndef USERDRIVE_API_FUSE_NAMES2_H
#define USERDRIVE_API_FUSE_NAMES2_H

#define fuse_lowlevel_notify_delete fapi3_lowlevel_notify_delete
#define fuse_lowlevel_notify_inval_entry fapi3_lowlevel_notify_inval_entry
#define fuse_lowlevel_notify_inval_inode fapi3_lowlevel_notify_inval_inode
#define fuse_lowlevel_notify_retrieve fapi3_lowlevel_notify_retrieve
#define fuse_lowlevel_notify_store fapi3_lowlevel_notify_store
#define fuse_session_destroy fapi3_session_destroy
#define fuse_session_exit fapi3_session_exit
#define fuse_session_exited fapi3_session_exited
#define fuse_session_loop fapi3_session_loop
#define fuse_session_process_buf fapi3_session_process_buf
#define fuse_session_receive_buf fapi3_session_receive_buf
#define fuse_session_reset fapi3_session_reset

#endif
