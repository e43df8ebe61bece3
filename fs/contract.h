/*
 * The contract between the volume engine and a file system program: one request and one response
 * structure per operation, as flat messages (no pointers into each other), so that the two can
 * stand in one process (a function call) or in two (a queue).
 *
 * The layout is that of WinFsp's FSP_FSCTL_TRANSACT_REQ and _RSP, byte for byte; api/winfsp proves
 * it with static assertions and hands the same memory to handlers under those names. Kinds from
 * FS_KIND_LINK on are ours: optional operations that the original does not have.
 *
 * Read and QueryDirectory data do not travel in the message: address is a buffer of the caller.
 * Names are UTF-16, NUL-terminated, absolute ("\a\b:stream"), without a network prefix.
 */
#ifndef USERDRIVE_FS_CONTRACT_H
#define USERDRIVE_FS_CONTRACT_H

#include <stdint.h>
#include "nt/status.h"
#include "base/compiler.h"

enum fs_kind {
	FS_KIND_CREATE = 1,
	FS_KIND_OVERWRITE = 2,
	FS_KIND_CLEANUP = 3,
	FS_KIND_CLOSE = 4,
	FS_KIND_READ = 5,
	FS_KIND_WRITE = 6,
	FS_KIND_QUERY_INFO = 7,
	FS_KIND_SET_INFO = 8,
	FS_KIND_QUERY_EA = 9,
	FS_KIND_SET_EA = 10,
	FS_KIND_FLUSH = 11,
	FS_KIND_QUERY_VOLUME = 12,
	FS_KIND_SET_VOLUME = 13,
	FS_KIND_QUERY_DIRECTORY = 14,
	FS_KIND_FS_CONTROL = 15,
	FS_KIND_DEVICE_CONTROL = 16,
	FS_KIND_QUERY_SECURITY = 19,
	FS_KIND_SET_SECURITY = 20,
	FS_KIND_QUERY_STREAMS = 21,
	FS_KIND_STANDARD_COUNT = 22,

	/* Optional operations of ours (docs/compatibility.md, "Reserved slots") */
	FS_KIND_LINK = 64,          /* hard link */
	FS_KIND_QUERY_RANGES = 65,  /* allocated ranges: SEEK_DATA, SEEK_HOLE */
	FS_KIND_ALLOCATE = 66,      /* reserve, punch, zero */
	FS_KIND_COPY_RANGE = 67,
	FS_KIND_BACKING = 68,       /* a descriptor that the kernel may read and write itself */
	FS_KIND_QUERY_BY_NAME = 69, /* information and descriptor of a name, without an open */
	FS_KIND_RENAME_POSIX = 70,  /* POSIX rename: no-replace, exchange, over empty directory */
	FS_KIND_LIMIT = 71
};

enum {
	FS_REQ_HEADER_SIZE = 88,
	FS_RSP_HEADER_SIZE = 128,
	FS_REQ_SIZE_MAX = 16320,
	FS_RSP_SIZE_MAX = 16384,
	FS_PATH_SIZE_MAX = 2048,   /* bytes of a normalised name */
	FS_FULL_PATH_UNITS_MAX = (FS_REQ_SIZE_MAX - FS_REQ_HEADER_SIZE) / 2 - 64
};

struct fs_buf {
	uint16_t offset; /* from the message's buffer */
	uint16_t size;   /* bytes */
};

/* Both contexts of an open: the file's and the handle's. */
struct fs_context {
	uint64_t user_context;
	uint64_t user_context2;
};

struct fs_file_info {
	uint32_t attributes;
	uint32_t reparse_tag;
	uint64_t allocation_size;
	uint64_t file_size;
	uint64_t creation_time, last_access_time, last_write_time, change_time; /* FILETIME */
	uint64_t index_number;
	uint32_t hard_links; /* 0 means 1 */
	uint32_t ea_size;
};

struct fs_volume_info {
	uint64_t total_size, free_size;
	uint16_t label_size; /* bytes */
	uint16_t label[32];
	uint16_t pad[3];
};

struct fs_dir_info {
	uint16_t size; /* of this structure with its name, in bytes; no NUL */
	struct fs_file_info info;
	union {
		uint64_t next_offset;
		uint8_t padding[24];
	};
	uint16_t name[];
};

struct fs_stream_info {
	uint16_t size;
	uint64_t stream_size, allocation_size;
	uint16_t name[];
};

struct fs_notify_info {
	uint16_t size;
	uint32_t filter, action;
	uint16_t name[];
};

/* flags of fs_req.create */
enum {
	FS_CREATE_USER_MODE = 1 << 0, /* access checks apply */
	FS_CREATE_HAS_TRAVERSE = 1 << 1,
	FS_CREATE_HAS_BACKUP = 1 << 2,
	FS_CREATE_HAS_RESTORE = 1 << 3,
	FS_CREATE_OPEN_TARGET_DIRECTORY = 1 << 4,
	FS_CREATE_CASE_SENSITIVE = 1 << 5,
	FS_CREATE_TRAILING_BACKSLASH = 1 << 6,
	FS_CREATE_ACCEPTS_SD = 1 << 7,
	FS_CREATE_EA_IS_REPARSE = 1 << 8
};

/* flags of fs_req.cleanup: the bits as they lie in the message */
enum {
	FS_CLEANUP_DELETE = 1 << 0,
	FS_CLEANUP_SET_ALLOCATION_SIZE = 1 << 1,
	FS_CLEANUP_SET_ARCHIVE = 1 << 2,
	FS_CLEANUP_SET_LAST_ACCESS = 1 << 3,
	FS_CLEANUP_SET_LAST_WRITE = 1 << 4,
	FS_CLEANUP_SET_CHANGE = 1 << 5
};

enum { FS_DIR_CASE_SENSITIVE = 1 << 0, FS_DIR_PATTERN_IS_NAME = 1 << 1 };
enum { FS_RSP_DISABLE_CACHE = 1 << 0, FS_RSP_HAS_SD = 1 << 1 };

/* FS_KIND_ALLOCATE modes */
enum fs_allocate_mode {
	FS_ALLOCATE_RESERVE = 0,      /* storage for the range; extends the file */
	FS_ALLOCATE_KEEP_SIZE = 1,    /* the same, size unchanged */
	FS_ALLOCATE_PUNCH = 2,        /* range reads zeros and gives its storage back */
	FS_ALLOCATE_ZERO = 3,         /* range reads zeros; extends the file */
	FS_ALLOCATE_ZERO_KEEP = 4
};
/* FS_KIND_RENAME_POSIX flags */
enum { FS_RENAME_NO_REPLACE = 1, FS_RENAME_EXCHANGE = 2 };
/* FS_KIND_BACKING */
enum { FS_BACKING_READ = 1, FS_BACKING_WRITE = 2 };

struct fs_range {
	uint64_t offset, length;
};

struct fs_req {
	uint16_t version; /* 0 */
	uint16_t size;    /* of the whole message */
	uint32_t kind;
	uint64_t hint; /* opaque, nonzero, echoed */
	union {
		struct {
			uint32_t options; /* disposition in bits 24..31 */
			uint32_t attributes;
			struct fs_buf sd;
			uint64_t allocation_size;
			uint64_t access_token; /* low 32: token handle, high 32: pid */
			uint32_t desired_access, granted_access, share_access;
			struct fs_buf ea;
			uint32_t flags; /* FS_CREATE_* */
			uint32_t flags_spill;
			uint16_t named_stream; /* byte offset of the ':' in the name, 0: none */
		} create;
		struct {
			struct fs_context ctx;
			uint32_t attributes;
			uint64_t allocation_size;
			uint32_t supersede; /* bit 0 */
			struct fs_buf ea;
		} overwrite;
		struct {
			struct fs_context ctx;
			uint32_t flags; /* FS_CLEANUP_* */
		} cleanup;
		struct {
			struct fs_context ctx;
		} close, query_info, query_ea, flush, query_security, query_streams;
		struct {
			struct fs_context ctx;
			uint64_t address, offset;
			uint32_t length, key;
			uint32_t constrained_io; /* bit 0; writes */
		} rw;
		struct {
			struct fs_context ctx;
			uint32_t info_class;
			union {
				struct {
					uint64_t allocation_size;
				} allocation;
				struct {
					uint32_t attributes;
					uint64_t creation_time, last_access_time,
						last_write_time, change_time;
				} basic;
				struct {
					uint32_t delete_file; /* bit 0 */
				} disposition;
				struct {
					uint32_t flags;
				} disposition_ex;
				struct {
					uint64_t file_size;
				} end_of_file;
				struct {
					struct fs_buf new_name;
					uint64_t access_token;
					uint32_t flags; /* RenameEx only */
				} rename;
			};
		} set_info;
		struct {
			struct fs_context ctx;
			struct fs_buf ea;
		} set_ea;
		struct {
			uint32_t info_class;
			struct fs_buf label;
		} set_volume;
		struct {
			struct fs_context ctx;
			uint64_t address;
			uint32_t length;
			struct fs_buf pattern, marker;
			uint32_t flags; /* FS_DIR_* */
		} query_directory;
		struct {
			struct fs_context ctx;
			uint32_t code;
			struct fs_buf buffer;
			uint16_t target_on_volume; /* byte offset of the target path, or 0 */
		} fs_control;
		struct {
			struct fs_context ctx;
			uint32_t code;
			struct fs_buf buffer;
			uint32_t output_length;
		} device_control;
		struct {
			struct fs_context ctx;
			uint32_t info;
			struct fs_buf sd;
		} set_security;

		/* optional operations of ours */
		struct {
			struct fs_context ctx;
			struct fs_buf new_name;
			uint32_t flags; /* FS_RENAME_*; link: bit 0 replace */
		} link, rename_posix;
		struct {
			struct fs_context ctx;
			uint64_t address; /* struct fs_range[] to fill */
			uint32_t length;  /* bytes at address */
			uint64_t offset, range;
		} query_ranges;
		struct {
			struct fs_context ctx;
			uint32_t mode; /* enum fs_allocate_mode */
			uint64_t offset, length;
		} allocate;
		struct {
			struct fs_context ctx, to;
			uint64_t offset, to_offset;
			uint64_t length;
		} copy_range;
		struct {
			struct fs_context ctx;
			uint32_t access; /* FS_BACKING_* */
		} backing;
		uint8_t reserve[64];
	};
	struct fs_buf file_name; /* offset 0; size includes the NUL; 0: none */
	uint32_t pad;
	uint8_t buffer[];
};

struct fs_rsp {
	uint16_t version;
	uint16_t size;
	uint32_t kind;
	uint64_t hint;
	uint32_t information;
	NTSTATUS status;
	union {
		struct {
			struct fs_context ctx;
			uint32_t granted_access;
			struct fs_buf sd;
			struct fs_file_info info;
			struct fs_buf file_name; /* normalised */
			uint32_t flags;          /* FS_RSP_* */
		} create;
		struct {
			struct fs_buf buffer;
		} reparse; /* kind CREATE, status REPARSE */
		struct {
			struct fs_file_info info;
		} file; /* overwrite, write, query/set info, flush, query by name, allocate, link */
		struct {
			struct fs_buf ea;
		} query_ea;
		struct {
			struct fs_file_info info;
			struct fs_buf ea;
		} set_ea;
		struct {
			struct fs_volume_info info;
		} volume;
		struct {
			struct fs_buf buffer;
		} data; /* fs control, device control, streams, security */
		struct {
			struct fs_file_info info;
			struct fs_buf sd;
		} by_name;
		struct {
			int32_t fd; /* the file system keeps it; valid until close */
		} backing;
		uint8_t reserve[104];
	};
	uint8_t buffer[];
};

#define FS_CONTRACT_AT(type, field, at)                                                  \
	_Static_assert(offsetof(type, field) == (at), #type "." #field)
FS_CONTRACT_AT(struct fs_req, create.ea, 60);
FS_CONTRACT_AT(struct fs_req, create.flags, 64);
FS_CONTRACT_AT(struct fs_req, create.named_stream, 72);
FS_CONTRACT_AT(struct fs_req, overwrite.ea, 52);
FS_CONTRACT_AT(struct fs_req, rw.constrained_io, 56);
FS_CONTRACT_AT(struct fs_req, set_info.basic.change_time, 72);
FS_CONTRACT_AT(struct fs_req, set_info.rename.flags, 56);
FS_CONTRACT_AT(struct fs_req, query_directory.flags, 52);
FS_CONTRACT_AT(struct fs_req, fs_control.target_on_volume, 40);
FS_CONTRACT_AT(struct fs_req, file_name, 80);
FS_CONTRACT_AT(struct fs_req, buffer, 88);
FS_CONTRACT_AT(struct fs_rsp, create.info, 48);
FS_CONTRACT_AT(struct fs_rsp, create.file_name, 120);
FS_CONTRACT_AT(struct fs_rsp, create.flags, 124);
FS_CONTRACT_AT(struct fs_rsp, set_ea.ea, 96);
FS_CONTRACT_AT(struct fs_rsp, buffer, 128);
_Static_assert(sizeof(struct fs_file_info) == 72, "FILE_INFO");
_Static_assert(sizeof(struct fs_volume_info) == 88, "VOLUME_INFO");
_Static_assert(sizeof(struct fs_dir_info) == 104, "DIR_INFO");
_Static_assert(sizeof(struct fs_stream_info) == 24, "STREAM_INFO");
_Static_assert(sizeof(struct fs_notify_info) == 12, "NOTIFY_INFO");

#endif
