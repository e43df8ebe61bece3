/*
 * The volume engine: NT file-object semantics in user mode, in the seat that a kernel driver has
 * elsewhere. Doors (FUSE mount, SMB, tests) call it in the shape of NtCreateFile and its family;
 * it calls the file system program in the terms of fs/contract.h. NT semantics live nowhere else,
 * so openers that come through different doors see each other.
 *
 * Objects
 *  - fs_volume: parameters, file table, caches; reference counted by its handles.
 *  - fs_node (private): one per distinct open name, or per IndexNumber where the file system
 *    implements hard links: share counts, delete state, cached information.
 *  - fs_handle: one per successful fs_create. fs_cleanup() ends its user life (sharing, deletion),
 *    fs_close() frees it; a door calls both, in this order, exactly once.
 *
 * Threads: every function may be called from any thread; calls on one handle may overlap. All
 * block while the file system program works. No lock of the engine is held then, except:
 * the volume's rename lock (shared: create, deletion, link; exclusive: rename) and the node's
 * operation lock (exclusive: write, set, cleanup, flush; shared: read, query), as the contract
 * promises the program. Lock order: rename lock, node operation lock, table lock (docs/locking.md).
 *
 * Statuses follow reference behaviour (docs/compatibility.md). Doors translate them at their edge.
 */
#ifndef USERDRIVE_FS_VOLUME_H
#define USERDRIVE_FS_VOLUME_H

#include "fs/contract.h"
#include "fs/security/token.h"

struct fs_volume;
struct fs_handle;

/* Volume parameters: flags keep the contract's bit numbers. */
enum {
	FS_VOL_CASE_SENSITIVE = 1u << 0,
	FS_VOL_CASE_PRESERVED = 1u << 1,
	FS_VOL_UNICODE_ON_DISK = 1u << 2,
	FS_VOL_PERSISTENT_ACLS = 1u << 3,
	FS_VOL_REPARSE_POINTS = 1u << 4,
	FS_VOL_REPARSE_ACCESS_CHECK = 1u << 5,
	FS_VOL_NAMED_STREAMS = 1u << 6,
	FS_VOL_HARD_LINKS = 1u << 7,
	FS_VOL_EXTENDED_ATTRIBUTES = 1u << 8,
	FS_VOL_READ_ONLY = 1u << 9,
	FS_VOL_POST_CLEANUP_WHEN_MODIFIED = 1u << 10,
	FS_VOL_PASS_PATTERN = 1u << 11,
	FS_VOL_PASS_FILE_NAME = 1u << 13,
	FS_VOL_FLUSH_PURGE_ON_CLEANUP = 1u << 14,
	FS_VOL_DEVICE_CONTROL = 1u << 15,
	FS_VOL_ALLOW_KERNEL_OPEN = 1u << 24,
	FS_VOL_CASE_PRESERVED_EAS = 1u << 25,
	FS_VOL_WSL_FEATURES = 1u << 26,
	FS_VOL_MARKER_AS_NEXT_OFFSET = 1u << 27,
	FS_VOL_POSIX_UNLINK_RENAME = 1u << 29,
	FS_VOL_POST_DISPOSITION_WHEN_NECESSARY = 1u << 30
};
#define FS_TIMEOUT_INFINITE 0xFFFFFFFFu

struct fs_volume_params {
	uint32_t flags;
	uint32_t sector_size;            /* 0: 512 */
	uint32_t sectors_per_allocation; /* 0: 1 */
	uint32_t max_component_units;    /* 0: 255 */
	uint64_t creation_time;
	uint32_t serial_number;
	/* milliseconds; 0: nothing is cached, FS_TIMEOUT_INFINITE: until changed */
	uint32_t file_info_timeout, volume_info_timeout, dir_info_timeout, security_timeout,
		stream_info_timeout, ea_timeout;
	uint16_t prefix[192];  /* "\server\share" or "" */
	uint16_t fs_name[16];
	/* Kinds >= FS_KIND_LINK that the program implements: bit (kind - FS_KIND_LINK). */
	uint32_t optional_kinds;
};

struct fs_volume_ops {
	/*
	 * Carries out req and fills rsp (rsp: FS_RSP_SIZE_MAX bytes, header zeroed, size, kind and
	 * hint preset). Blocks. Sets rsp->status; never STATUS_PENDING. Any garbage in rsp is the
	 * engine's to survive.
	 */
	void (*transact)(void *program, struct fs_req *req, struct fs_rsp *rsp);
};

/* params and ops are copied; program is borrowed until the volume is gone. */
NODISCARD NTSTATUS fs_volume_create(const struct fs_volume_params *params,
				    const struct fs_volume_ops *ops, void *program,
				    struct fs_volume **ret_volume);
/* New opens fail STATUS_VOLUME_DISMOUNTED; handles still open are the doors' to close. */
void fs_volume_stop(struct fs_volume *volume);
/* Waits until every handle is closed, then frees. NULL is allowed. */
void fs_volume_destroy(struct fs_volume *volume);
const struct fs_volume_params *fs_volume_get_params(struct fs_volume *volume);
static inline bool
fs_volume_has_kind(const struct fs_volume_params *params, enum fs_kind kind)
{
	return (params->optional_kinds >> (kind - FS_KIND_LINK) & 1) != 0;
}

/* ------------------------------------------------------------------ create, cleanup, close */

enum {
	FS_OPEN_KERNEL_MODE = 1 << 0,      /* no access check (the door has checked) */
	FS_OPEN_TARGET_DIRECTORY = 1 << 1, /* opens the parent of the name */
	FS_OPEN_WANT_SD = 1 << 2,          /* the answer carries the security descriptor */
	FS_OPEN_POSIX = 1 << 3,            /* Linux opener: see fs_create */
	FS_OPEN_WITH_PREFIX = 1 << 4,      /* an absolute name starts with the volume's prefix */
	FS_OPEN_TRAVERSED = 1 << 5,        /* the way to the name has been checked already */
	FS_OPEN_KEEP_ACCESS_TIME = 1 << 6  /* reading is no access (O_NOATIME) */
};

struct fs_open_params {
	const uint16_t *name; /* absolute "\a\b", or relative to related; need not be terminated */
	size_t n_units;
	struct fs_handle *related; /* or NULL */
	uint32_t desired_access;
	uint32_t share_access;
	uint32_t disposition; /* FILE_OPEN … */
	uint32_t options;     /* FILE_DIRECTORY_FILE … without disposition */
	uint32_t attributes;
	uint64_t allocation_size;
	const void *sd; /* sd_valid(), or NULL: inherited */
	const void *ea; /* FILE_FULL_EA_INFORMATION list or, with ea_is_reparse, a reparse buffer */
	uint32_t ea_size;
	bool ea_is_reparse;
	struct token *token; /* borrowed */
	uint32_t flags;      /* FS_OPEN_* */
	const void *door_tag; /* origin that watchers hear of; never followed */
};

struct fs_open_result {
	uint32_t information; /* FILE_CREATED …; with STATUS_REPARSE the tag */
	uint32_t granted_access;
	struct fs_file_info info;
	bool disable_cache;
	/* FS_OPEN_WANT_SD, or the reparse buffer of STATUS_REPARSE; on the heap, caller frees */
	void *data;
	uint32_t data_size;
};

/*
 * NtCreateFile. STATUS_REPARSE is returned (with the buffer, no handle) when a reparse point is
 * in the way: the door decides. FS_OPEN_POSIX: traverse is always checked (Linux has no
 * bypass-traverse right), root's privileges act without FILE_OPEN_FOR_BACKUP_INTENT, and the
 * READONLY attribute does not stop deletion.
 * ret_result->data must be freed also on failure.
 */
NODISCARD NTSTATUS fs_create(struct fs_volume *volume, const struct fs_open_params *params,
			     struct fs_open_result *ret_result, struct fs_handle **ret_handle);
/* The last user reference is gone: sharing ends, pending deletion happens. */
void fs_cleanup(struct fs_handle *handle);
void fs_close(struct fs_handle *handle);

/* Attributes of a name in one step (NtQueryFullAttributesFile): FS_KIND_QUERY_BY_NAME where the
 * program has it, else an open for READ_ATTRIBUTES. flags and data as for fs_create (WANT_SD). */
NODISCARD NTSTATUS fs_query_by_name(struct fs_volume *volume, const struct fs_open_params *params,
				    struct fs_open_result *ret_result);

/* Facts of a handle that never change, or that its owner rules. */
uint32_t fs_handle_granted_access(const struct fs_handle *handle);
bool fs_handle_is_directory(const struct fs_handle *handle);
/* Current name ("\a\b"), copied: units without NUL, or -1 when cap is too small. */
int fs_handle_name(struct fs_handle *handle, uint16_t *dst, size_t cap_units);
bool fs_handle_is_deleted(struct fs_handle *handle);

/* ------------------------------------------------------------------ data */

#define FS_OFFSET_APPEND UINT64_MAX
NODISCARD NTSTATUS fs_read(struct fs_handle *handle, void *buffer, uint64_t offset,
			   uint32_t length, uint32_t *ret_done);
/* constrained: a cached page is written back, the file must not grow. */
NODISCARD NTSTATUS fs_write(struct fs_handle *handle, const void *buffer, uint64_t offset,
			    uint32_t length, bool constrained, uint32_t *ret_done,
			    struct fs_file_info *ret_info);
/* handle NULL: the whole volume. */
NODISCARD NTSTATUS fs_flush(struct fs_volume *volume, struct fs_handle *handle);
NODISCARD NTSTATUS fs_allocate(struct fs_handle *handle, enum fs_allocate_mode mode,
			       uint64_t offset, uint64_t length, struct fs_file_info *ret_info);
/* Allocated ranges that meet [offset, offset+length), ascending; *ret_n of at most cap. */
NODISCARD NTSTATUS fs_query_ranges(struct fs_handle *handle, uint64_t offset, uint64_t length,
				   struct fs_range *ranges, unsigned cap, unsigned *ret_n);
NODISCARD NTSTATUS fs_copy_range(struct fs_handle *from, uint64_t from_offset,
				 struct fs_handle *to, uint64_t to_offset, uint64_t length,
				 uint64_t *ret_done);
/* Descriptor that the kernel may use for this file (borrowed, valid until fs_close), or
 * STATUS_INVALID_DEVICE_REQUEST. access: FS_BACKING_*. */
NODISCARD NTSTATUS fs_backing(struct fs_handle *handle, uint32_t access, int *ret_fd);

/* ------------------------------------------------------------------ information */

NODISCARD NTSTATUS fs_query_info(struct fs_handle *handle, struct fs_file_info *ret_info);
/* attributes INVALID_FILE_ATTRIBUTES and times 0 mean: leave. */
struct fs_basic_info {
	uint32_t attributes;
	uint64_t creation_time, last_access_time, last_write_time, change_time;
};
NODISCARD NTSTATUS fs_set_basic(struct fs_handle *handle, const struct fs_basic_info *basic,
				struct fs_file_info *ret_info);
NODISCARD NTSTATUS fs_set_end_of_file(struct fs_handle *handle, uint64_t size,
				      struct fs_file_info *ret_info);
NODISCARD NTSTATUS fs_set_allocation(struct fs_handle *handle, uint64_t size,
				     struct fs_file_info *ret_info);
/* flags: FILE_DISPOSITION_*; ex false is class 13 (delete bit only). */
NODISCARD NTSTATUS fs_set_disposition(struct fs_handle *handle, uint32_t flags, bool ex);
/* No other handle of its name is left to be cleaned up: this one's cleanup does the deletion. */
bool fs_handle_is_alone(struct fs_handle *handle);
/*
 * directory: handle of the target directory (opened with FS_OPEN_TARGET_DIRECTORY or as a
 * directory), or NULL for the same one; name: the last component. flags: FILE_RENAME_*.
 */
NODISCARD NTSTATUS fs_rename(struct fs_handle *handle, struct fs_handle *directory,
			     const uint16_t *name, size_t n_units, uint32_t flags, bool ex);
/* FS_KIND_RENAME_POSIX: POSIX rules for targets, FS_RENAME_* flags. Programs without the kind get
 * FS_RENAME_NO_REPLACE and plain replacement through fs_rename's path (an empty target directory
 * is removed first); exchange is STATUS_NOT_SUPPORTED. */
NODISCARD NTSTATUS fs_rename_posix(struct fs_handle *handle, struct fs_handle *directory,
				   const uint16_t *name, size_t n_units, uint32_t flags);
NODISCARD NTSTATUS fs_link(struct fs_handle *handle, struct fs_handle *directory,
			   const uint16_t *name, size_t n_units, bool replace,
			   struct fs_file_info *ret_info);

/* ------------------------------------------------------------------ directories, streams */

/*
 * Entries after marker (NULL: from the start) in the program's order, at any directory size.
 * emit returns false when it has no room: that entry comes again next time. Hidden names of
 * deleted-but-open files are left out. *ret_end: nothing follows.
 * marker: the name of the last entry taken, or 8 bytes of next_offset on volumes with
 * FS_VOL_MARKER_AS_NEXT_OFFSET.
 */
typedef bool fs_dir_emit(void *ctx, const struct fs_dir_info *entry);
struct fs_dir_marker {
	const uint16_t *name;
	size_t n_units;
	uint64_t next_offset;
};
NODISCARD NTSTATUS fs_enumerate(struct fs_handle *handle, const struct fs_dir_marker *marker,
				fs_dir_emit *emit, void *ctx, bool *ret_end);
/*
 * NtQueryDirectoryFile for doors that keep position and pattern in the handle: pattern NULL
 * after the first call. flags: FS_SCAN_*. First call without a match: STATUS_NO_SUCH_FILE, later
 * STATUS_NO_MORE_FILES.
 */
enum { FS_SCAN_RESTART = 1, FS_SCAN_SINGLE = 2 };
NODISCARD NTSTATUS fs_query_directory(struct fs_handle *handle, const uint16_t *pattern,
				      size_t n_units, uint32_t flags, fs_dir_emit *emit,
				      void *ctx);
/* The program's list of struct fs_stream_info (8-byte steps), on the heap. */
NODISCARD NTSTATUS fs_query_streams(struct fs_handle *handle, void **ret_list,
				    uint32_t *ret_size);

/* ------------------------------------------------------------------ security, EAs, reparse */

/* Heap; all parts that the program has. Doors filter with sd_filter(). */
NODISCARD NTSTATUS fs_query_security(struct fs_handle *handle, void **ret_sd,
				     uint32_t *ret_size);
NODISCARD NTSTATUS fs_set_security(struct fs_handle *handle, uint32_t info, const void *sd);
/* The whole list (validated FILE_FULL_EA_INFORMATION chain), heap; size 0: none. */
NODISCARD NTSTATUS fs_query_ea(struct fs_handle *handle, void **ret_list, uint32_t *ret_size);
/* *ret_bad (may be NULL): offset of the entry that was refused. */
NODISCARD NTSTATUS fs_set_ea(struct fs_handle *handle, const void *list, uint32_t size,
			     uint32_t *ret_bad);
NODISCARD NTSTATUS fs_get_reparse(struct fs_handle *handle, void *buffer, uint32_t cap,
				  uint32_t *ret_size);
NODISCARD NTSTATUS fs_set_reparse(struct fs_handle *handle, const void *buffer, uint32_t size);
NODISCARD NTSTATUS fs_delete_reparse(struct fs_handle *handle, const void *buffer,
				     uint32_t size);
NODISCARD NTSTATUS fs_device_control(struct fs_handle *handle, uint32_t code, const void *in,
				     uint32_t in_size, void *out, uint32_t out_cap,
				     uint32_t *ret_size);

/* ------------------------------------------------------------------ volume, notification */

NODISCARD NTSTATUS fs_query_volume(struct fs_volume *volume, struct fs_volume_info *ret_info);
NODISCARD NTSTATUS fs_set_label(struct fs_volume *volume, const uint16_t *label,
				size_t n_units, struct fs_volume_info *ret_info);

/*
 * A door that wants to hear of changes: of those that file system programs announce
 * (fs_notify) and of those that other doors make. Called with no lock held, from any thread;
 * must not block for long. name is absolute. origin is the door_tag of the handle that caused
 * the change, or NULL for the program's own announcements.
 */
struct fs_watcher {
	void (*changed)(struct fs_watcher *watcher, uint32_t action, uint32_t filter,
			const uint16_t *name, size_t n_units, const void *origin);
	struct fs_watcher *next; /* the volume's */
};
void fs_watch(struct fs_volume *volume, struct fs_watcher *watcher);
void fs_unwatch(struct fs_volume *volume, struct fs_watcher *watcher);

/* From the program. Begin takes the rename lock shared (STATUS_CANT_WAIT after timeout_ms). */
NODISCARD NTSTATUS fs_notify_begin(struct fs_volume *volume, uint32_t timeout_ms);
void fs_notify_end(struct fs_volume *volume);
/* records: struct fs_notify_info in 8-byte steps. Drops caches, tells watchers (asynchronously,
 * so that it may be called from inside a request). A record of size < 12 is an end. */
NODISCARD NTSTATUS fs_notify(struct fs_volume *volume, const void *records, size_t size);

#endif
