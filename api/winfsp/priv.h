/*
 * What the files of libfsp share. The public FSP_FILE_SYSTEM is the first member of struct fsp,
 * so a pointer to one is a pointer to the other; programs may read and write the public part
 * (Operations, DebugLog, the guard), so everything of ours is behind it.
 */
#ifndef USERDRIVE_API_WINFSP_PRIV_H
#define USERDRIVE_API_WINFSP_PRIV_H

#include <stdatomic.h>
#include "winfsp/winfsp.h"
#include "winfsp/ext.h"
#include "base/compiler.h"
#include "base/list.h"
#include "base/mutex.h"
#include "fs/door.h"
#include "fs/volume.h"

enum { FSP_PENDING_SHARDS = 16, FSP_DEADLINE_DEFAULT_MS = 60000 };

/* Requests that handlers work on, by Hint; see transact.c. */
struct fsp_pending_shard {
	struct mutex lock; /* leaf */
	struct list requests;
};

struct fsp {
	FSP_FILE_SYSTEM pub;
	struct fs_volume *volume;
	struct rwlock guard;
	struct fsp_pending_shard pending[FSP_PENDING_SHARDS];
	/* 0, or when the dispatcher began to stop: then unanswered requests get a last grace. */
	_Atomic uint64_t stop_ns; /* pairs with fsp_pending_cancel */

	/* Mounting: written by the thread that mounts and unmounts. */
	const struct fs_door *door;
	struct fs_door_instance *instance; /* NULL: not mounted */
	char *mount_path;                  /* NULL: not mounted */
	bool made_directory;               /* mount_path is ours to remove */
	char *options;
	char *source;
	char subtype[64];
	uint32_t deadline_ms;
	struct fs_door_error error;
	bool started;
	atomic_bool stopped_told; /* DispatcherStopped was called */
	/* FspxProgramMain's, beside DispatcherStopped; may be NULL. */
	void (*stopped)(void *ctx, bool normally);
	void *stopped_ctx;
};

static inline struct fsp *
fsp_of(FSP_FILE_SYSTEM *FileSystem)
{
	return container_of(FileSystem, struct fsp, pub);
}

/* ---- transact.c */
void fsp_transact(void *program, struct fs_req *req, struct fs_rsp *rsp);
void fsp_pending_init(struct fsp *fsp);
void fsp_pending_fini(struct fsp *fsp);
/* Requests that no response comes for end STATUS_CANCELLED after a grace period. */
void fsp_pending_cancel(struct fsp *fsp);

/* ---- op_ext.c: kinds from FS_KIND_LINK on; NULL for others. */
FSP_FILE_SYSTEM_OPERATION *fsp_ext_operation(uint32_t kind);
/* The interface's reserved slots as fs_volume_params.optional_kinds. */
uint32_t fsp_ext_kinds(const FSP_FILE_SYSTEM_INTERFACE *interface);

/* ---- contexts: every kind that has them has them at the same place. */
static inline FSP_FSCTL_TRANSACT_FULL_CONTEXT *
fsp_contexts(FSP_FSCTL_TRANSACT_REQ *Request)
{
	return (FSP_FSCTL_TRANSACT_FULL_CONTEXT *)(void *)&Request->Req;
}

static inline PVOID
fsp_context_in(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_FULL_CONTEXT *ctx)
{
	if (FileSystem->UmFileContextIsFullContext)
		return ctx;
	return (PVOID)(uintptr_t)(FileSystem->UmFileContextIsUserContext2 ? ctx->UserContext2
									  : ctx->UserContext);
}

/* The FileContext argument of an operation. */
static inline PVOID
fsp_context(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request)
{
	return fsp_context_in(FileSystem, fsp_contexts(Request));
}

static inline PWSTR
fsp_name(FSP_FSCTL_TRANSACT_REQ *Request)
{
	return (PWSTR)(void *)Request->Buffer;
}

/* ---- access.c */

/* A descriptor that GetSecurityByName gave: in room, or on the heap when it is larger. */
struct fsp_sd {
	void *heap;
	size_t size; /* 0: the file system has none */
	_Alignas(8) uint8_t room[1024];
};
static inline PSECURITY_DESCRIPTOR
fsp_sd_get(struct fsp_sd *sd)
{
	return sd->heap ? sd->heap : sd->room;
}
void fsp_sd_fini(struct fsp_sd *sd);
/* GetSecurityByName with a buffer that grows. With STATUS_REPARSE *ret_attributes is the index. */
NTSTATUS fsp_get_security_by_name(FSP_FILE_SYSTEM *FileSystem, PWSTR name,
				  uint32_t *ret_attributes, struct fsp_sd *ret_sd);

/* A name cut in place, and made whole again. */
struct fsp_cut {
	PWSTR at; /* NULL: nothing was cut */
	WCHAR was;
};
static inline void
fsp_cut_undo(struct fsp_cut *cut)
{
	if (cut->at)
		*cut->at = cut->was;
	cut->at = NULL;
}
/* The parent directory, "\" for what is in the root; name is not the root. */
PWSTR fsp_cut_parent(PWSTR name, struct fsp_cut *ret_cut);
/* The main file of "\a\b:stream"; stream_offset in bytes. */
PWSTR fsp_cut_main(PWSTR name, uint16_t stream_offset, struct fsp_cut *ret_cut);
/* Where the last component begins, in units. */
uint32_t fsp_last_component(PCWSTR name);
static inline bool
fsp_is_root(PCWSTR name)
{
	return name[0] == '\\' && name[1] == 0;
}
static inline bool
fsp_is_missing(NTSTATUS st)
{
	return st == STATUS_OBJECT_NAME_NOT_FOUND || st == STATUS_OBJECT_PATH_NOT_FOUND;
}

/* ---- mount_point.c, service.c */
/* Shown as fuse.SUBTYPE and as the source of the mount; before the mount. */
NTSTATUS fsp_set_identity(FSP_FILE_SYSTEM *FileSystem, const char *subtype, const char *source);
void fsp_unmount(struct fsp *fsp);
/* Is a FUSE file system mounted at this absolute path? By the mount table alone. */
bool fsp_has_fuse_mount(const char *path);
/* The service loop that runs in this process, if any, is to end. */
void fsp_service_stop_loop(void);

/* The last error line of a mount call, also for log output. */
void fsp_set_error(struct fsp *fsp, int err, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* ---- debug_log.c */
void fsp_debug_request(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_REQ *Request);
void fsp_debug_response(FSP_FILE_SYSTEM *FileSystem, FSP_FSCTL_TRANSACT_RSP *Response);

#endif
