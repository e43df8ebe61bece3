/* A file system in memory with every feature of the native API. Shared by memfs's own files. */
#ifndef MEMFS_MEMFS_H
#define MEMFS_MEMFS_H

#include "examples/memfs/tree.h"

/* Slow I/O: a share of reads, writes and listings is completed later, by another thread. */
struct slowio {
	uint32_t max_delay_ms;  /* -M; 0: off */
	uint32_t percent_delay; /* -P: of operations that return STATUS_PENDING */
	uint32_t rarefy_delay;  /* -R: delays are divided by up to 2^R */
	pthread_mutex_t lock;
	pthread_cond_t idle;
	unsigned n_running; /* lock */
};

struct memfs_params {
	bool case_insensitive;    /* -i */
	bool flush_and_purge;     /* -f */
	uint32_t file_info_timeout; /* -t, ms */
	uint64_t max_nodes;       /* -n */
	uint64_t max_file_size;   /* -s, bytes */
	uint64_t size;            /* size=, bytes of all files */
	uint32_t max_delay_ms, percent_delay, rarefy_delay; /* -M -P -R */
	const char *fs_name;      /* -F */
	const char *root_sddl;    /* -S; NULL: owned by the caller, mode */
	const char *prefix;       /* -u \Server\Share; NULL: a disk */
	uint32_t mode;            /* mode=, of the root directory */
	bool legacy_unlink_rename; /* without POSIX unlink and rename */
};

struct memfs {
	FSP_FILE_SYSTEM *fs;
	struct tree tree;
	uint64_t max_file_size;
	pthread_mutex_t label_lock;
	WCHAR label[32];
	UINT16 label_size; /* bytes */
	struct slowio slowio;
};

NTSTATUS memfs_create(const struct memfs_params *params, struct memfs **ret_memfs, char *error,
		      size_t error_size);
void memfs_delete(struct memfs *memfs);

extern const FSP_FILE_SYSTEM_INTERFACE memfs_interface_base;
void memfs_interface_init(FSP_FILE_SYSTEM_INTERFACE *interface);

/* ops_*.c */
NTSTATUS memfs_get_ea(FSP_FILE_SYSTEM *fs, PVOID context, PFILE_FULL_EA_INFORMATION ea,
		      ULONG length, PULONG ret_bytes);
NTSTATUS memfs_set_ea(FSP_FILE_SYSTEM *fs, PVOID context, PFILE_FULL_EA_INFORMATION ea,
		      ULONG length, FSP_FSCTL_FILE_INFO *info);
NTSTATUS memfs_apply_ea(struct inode *inode, PFILE_FULL_EA_INFORMATION ea, ULONG length);
NTSTATUS memfs_resolve_reparse(FSP_FILE_SYSTEM *fs, PWSTR name, UINT32 index, BOOLEAN resolve_last,
			       PIO_STATUS_BLOCK io_status, PVOID buffer, PSIZE_T size);
NTSTATUS memfs_get_reparse(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name, PVOID buffer,
			   PSIZE_T size);
NTSTATUS memfs_set_reparse(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name, PVOID buffer,
			   SIZE_T size);
NTSTATUS memfs_delete_reparse(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name, PVOID buffer,
			      SIZE_T size);
NTSTATUS memfs_install_reparse(struct inode *inode, const void *buffer, size_t size);
NTSTATUS memfs_read(FSP_FILE_SYSTEM *fs, PVOID context, PVOID buffer, UINT64 offset, ULONG length,
		    PULONG ret_bytes);
NTSTATUS memfs_write(FSP_FILE_SYSTEM *fs, PVOID context, PVOID buffer, UINT64 offset, ULONG length,
		     BOOLEAN to_end, BOOLEAN constrained, PULONG ret_bytes,
		     FSP_FSCTL_FILE_INFO *info);
NTSTATUS memfs_flush(FSP_FILE_SYSTEM *fs, PVOID context, FSP_FSCTL_FILE_INFO *info);
NTSTATUS memfs_set_file_size(FSP_FILE_SYSTEM *fs, PVOID context, UINT64 size, BOOLEAN allocation,
			     FSP_FSCTL_FILE_INFO *info);
NTSTATUS memfs_query_ranges(FSP_FILE_SYSTEM *fs, PVOID context, UINT64 offset, UINT64 length,
			    FSPX_RANGE *ranges, PULONG count);
NTSTATUS memfs_allocate(FSP_FILE_SYSTEM *fs, PVOID context, UINT32 mode, UINT64 offset,
			UINT64 length, FSP_FSCTL_FILE_INFO *info);
NTSTATUS memfs_copy_range(FSP_FILE_SYSTEM *fs, PVOID context, UINT64 offset, PVOID to_context,
			  UINT64 to_offset, UINT64 length, PUINT64 ret_bytes,
			  FSP_FSCTL_FILE_INFO *info);
NTSTATUS memfs_read_directory(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR pattern, PWSTR marker,
			      PVOID buffer, ULONG length, PULONG ret_bytes);
NTSTATUS memfs_get_dir_info(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name,
			    FSP_FSCTL_DIR_INFO *info);
NTSTATUS memfs_get_streams(FSP_FILE_SYSTEM *fs, PVOID context, PVOID buffer, ULONG length,
			   PULONG ret_bytes);
NTSTATUS memfs_rename(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name, PWSTR new_name,
		      BOOLEAN replace);
NTSTATUS memfs_rename_posix(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name, PWSTR new_name,
			    UINT32 flags);
NTSTATUS memfs_link(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name, PWSTR new_name, BOOLEAN replace,
		    FSP_FSCTL_FILE_INFO *info);

/* Takes inode->lock shared. */
void memfs_fill_info(const struct stream *stream, FSP_FSCTL_FILE_INFO *info);
static inline struct memfs *
memfs_of(FSP_FILE_SYSTEM *fs)
{
	return fs->UserContext;
}

/* slowio.c: true when the operation will be completed later (return STATUS_PENDING then). */
void slowio_init(struct slowio *s, const struct memfs_params *params);
void slowio_fini(struct slowio *s); /* waits for what is under way */
bool slowio_defer(struct memfs *memfs);

#endif
