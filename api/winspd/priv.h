/*
 * What the files of libspd share. The public SPD_STORAGE_UNIT is the first member of struct spd, so
 * a pointer to one is a pointer to the other; programs read the public part and write some of it.
 */
#ifndef USERDRIVE_API_WINSPD_PRIV_H
#define USERDRIVE_API_WINSPD_PRIV_H

#include <pthread.h>
#include <stdatomic.h>
#include "winspd/winspd.h"
#include "winspd/ext.h"
#include "base/list.h"
#include "base/mutex.h"
#include "scsi/door.h"

enum {
	SPD_DOORS_MAX = 16,
	SPD_PENDING_SHARDS = 16,
	SPD_ERROR_MAX = 512
};

/* A request that a callback works on, until its answer. */
struct spd_op {
	struct list link;
	struct scsi_backend_req *req;
	UINT8 kind;
	PVOID buffer;    /* of the program's allocator; NULL: req->data */
	PVOID ranges;    /* SPDX_RANGE[req->n_ranges] of a query; else NULL */
};

/* Requests without an answer yet, by Hint, and structures for the next ones. */
struct spd_shard {
	struct mutex lock; /* leaf */
	struct list pending, spare;
};

struct spd_door {
	const struct scsi_door *door;
	struct scsi_door_instance *instance;
	struct spd *spd;
	char *name; /* DeviceName, UTF-8 */
	bool started, ended;
};

enum spd_state {
	SPD_NEW,      /* created */
	SPD_STARTING, /* StartDispatcher works */
	SPD_RUNNING,
	SPD_ENDED /* shut down before it ran, or the dispatcher has ended */
};

struct spd {
	SPD_STORAGE_UNIT pub;
	struct scsi_backend_ops ops;
	struct scsi_unit *unit;
	struct scsi_unit_params params;
	unsigned index; /* target number: the slot in the process's table */
	bool registered;
	struct spd_shard shards[SPD_PENDING_SHARDS];

	struct mutex pool_lock; /* leaf; rules pool */
	PVOID *pool;            /* free buffers of the program's allocator */
	size_t n_pool, cap_pool;
	PVOID (*pool_alloc)(size_t); /* the pair that made them: fixed at the start */
	VOID (*pool_free)(PVOID);

	struct mutex doors_lock; /* held while doors open, close and describe themselves */

	struct mutex lock; /* rules what follows; taken after doors_lock */
	struct cond changed;
	enum spd_state state;
	bool stopping;
	struct spd_door doors[SPD_DOORS_MAX]; /* changed with doors_lock held as well */
	unsigned n_doors;
	bool has_thread;
	pthread_t thread; /* the dispatcher's: waits for the end, then takes everything down */
	VOID (*ended)(PVOID Context, BOOLEAN Normally);
	PVOID ended_ctx;
	bool ended_told;
	/* SpdxProgramMain's: the dispatcher has ended. May be NULL. */
	void (*dispatcher_ended)(void *ctx);
	void *dispatcher_ended_ctx;
};

static inline struct spd *
spd_of(SPD_STORAGE_UNIT *StorageUnit)
{
	return container_of(StorageUnit, struct spd, pub);
}

/* ---- error.c: the text for SpdxLastError; each returns a Win32 error. */
DWORD spd_fail(DWORD error, const char *fmt, ...) PRINTF_LIKE(2, 3);
DWORD spd_fail_errno(int err, const char *fmt, ...) PRINTF_LIKE(2, 3);
DWORD spd_fail_door(const struct scsi_door_error *error);
void spd_clear_error(void);
/* errno of the door that failed last since the error was cleared; 0: no door did. */
int spd_last_door_errno(void);
DWORD spd_win32_from_errno(int err); /* positive or negative */

/* ---- params.c */
/* Rules of provisioning; ERROR_INVALID_PARAMETER with a text. */
DWORD spd_params_check(const SPD_STORAGE_UNIT_PARAMS *params);
void spd_params_convert(const SPD_STORAGE_UNIT_PARAMS *params, struct scsi_unit_params *ret);
bool spd_guid_equal(const GUID *a, const GUID *b);

/* ---- backend.c */
/* The interface's operations as the unit's backend. */
void spd_backend_init(struct spd *spd);
void spd_backend_fini(struct spd *spd);
/* Answers every request that waits for SpdStorageUnitSendResponse, TASK ABORTED; how many. */
size_t spd_backend_cancel(struct spd *spd);
struct scsi_result spd_result_of(const SPD_STORAGE_UNIT_STATUS *status);
void spd_status_of(struct scsi_result res, SPD_STORAGE_UNIT_STATUS *ret);

/* ---- debug_log.c */
bool spd_debug_enabled(UINT32 mask, UINT8 kind);

/* ---- unit.c */
extern unsigned spd_cancel_grace_ms;
/* DeviceName as UTF-8, NULL where it is the default one; false without memory. */
bool spd_device_name(PWSTR DeviceName, char **ret_name);
/* Every door, or the first one that is busy says why. */
DWORD spd_leave(struct spd *spd);
/* A JSON array of what the doors say of themselves. */
struct buf;
void spd_describe(struct spd *spd, struct buf *json);

#endif
