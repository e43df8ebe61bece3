/*
 * A directory as a drive. Shared by passthrough's own files.
 *
 * Every object is reached from a descriptor of the source directory, below it, without
 * following a symbolic link: neither a link in the source, nor "..", nor a directory that
 * somebody moves meanwhile leads outside. Links are objects of the drive (reparse
 * points); whoever opens the drive follows them, inside the drive.
 *
 * Threads: calls may overlap, also on one file. pt_file.lock rules what it names;
 * everything else is written once, or belongs to the kernel.
 */
#ifndef PASSTHROUGH_PASSTHROUGH_H
#define PASSTHROUGH_PASSTHROUGH_H

#include <pthread.h>
#include <sys/stat.h>
#include <sys/types.h>
#include "base/compiler.h"
#include "winfsp/ext.h"

enum { PT_DEVICES_MAX = 1024, PT_PROC_PATH_SIZE = 32 };

struct pt_params {
	const char *directory;	    /* -p */
	const char *prefix;	    /* -u \Server\Share; NULL: a disk */
	uint32_t file_info_timeout; /* -t, ms */
};

struct pt {
	FSP_FILE_SYSTEM *fs;
	int root;	     /* O_PATH descriptor of the source */
	int quiet;	     /* a mount of it without access times, for links; -1: none */
	dev_t device;	     /* of the source itself */
	uint64_t birth_time; /* of the source, FILETIME */
	bool has_openat2;
	bool is_privileged;	       /* may give files away */
	_Atomic uint64_t n_ea_changes; /* made through this drive; alone */
	pthread_mutex_t devices_lock;  /* leaf */
	dev_t devices[PT_DEVICES_MAX]; /* devices_lock; file systems mounted below the
					  source */
	unsigned n_devices;	       /* devices_lock */
	WCHAR label[32];
	UINT16 n_label; /* units */
};

enum { PT_READ = 1, PT_WRITE = 2 };

/* A FileContext: one per handle. */
struct pt_file {
	/* The number stays; what it refers to is replaced by a descriptor that can do
	 * more. */
	int fd;
	_Atomic unsigned
		access;	      /* PT_READ | PT_WRITE of fd; 0: O_PATH. Grows under lock */
	pthread_mutex_t lock; /* growing access, the position of a listing, ea_* */
	dev_t device;
	ino_t inode;
	mode_t type; /* S_IFMT bits */
	uint32_t ea_size;
	uint64_t ea_changes,
		ea_ns; /* pt.n_ea_changes and the time when ea_size was read */
};

/* An object: what name is in the directory fd, or fd itself when name is "". */
struct pt_ref {
	int fd;
	const char *name;
};

static inline struct pt *
pt_of(FSP_FILE_SYSTEM *fs)
{
	return fs->UserContext;
}

static inline struct pt_ref
pt_ref_of(const struct pt_file *file)
{
	return (struct pt_ref){file->fd, ""};
}

/* passthrough.c */
NTSTATUS pt_create(const struct pt_params *params, struct pt **ret_pt, char *error,
		   size_t error_size);
void pt_delete(struct pt *pt);
/* Without a file system object: what tests drive. 0 or -errno. */
NODISCARD int pt_init(struct pt *pt, const char *directory);
void pt_fini(struct pt *pt);
extern FSP_FILE_SYSTEM_INTERFACE pt_interface; /* filled by pt_interface_init */
void pt_interface_init(void);
/* The NTSTATUS of errno. */
NTSTATUS pt_last_error(void);

/* path.c */
struct pt_path {
	char *bytes;	    /* below the source, "a/b/c"; "." for the root */
	size_t n, n_parent; /* of bytes; n_parent 0: the parent is the root */
	char room[512];
};
NODISCARD NTSTATUS pt_path_init(struct pt_path *path, PCWSTR name);
void pt_path_fini(struct pt_path *path);
/* O_PATH descriptor of a name, a link being itself. STATUS_REPARSE: a link is on the way.
 */
NODISCARD NTSTATUS pt_open_path(struct pt *pt, PCWSTR name, int *ret_fd);

/* A name in its open parent directory. */
struct pt_place {
	struct pt_path path;
	int dir; /* O_PATH */
	const char *last;
};
/* STATUS_ACCESS_DENIED for the root. */
NODISCARD NTSTATUS pt_place_init(struct pt *pt, PCWSTR name, struct pt_place *ret_place);
void pt_place_fini(struct pt_place *place);
/* Is file what the place names now? */
bool pt_place_holds(const struct pt_place *place, const struct pt_file *file);
void pt_proc_path(int fd, char dst[PT_PROC_PATH_SIZE]);

/* info.c */
NODISCARD int pt_statx(struct pt_ref ref, struct statx *ret_stx); /* 0 or -errno */
dev_t pt_device(const struct statx *stx);
/* Information of an object whose stx is known. */
NODISCARD NTSTATUS pt_fill_info(struct pt *pt, struct pt_ref ref, const struct statx *stx,
				FSP_FSCTL_FILE_INFO *info);
NODISCARD NTSTATUS pt_file_info(struct pt *pt, struct pt_file *file,
				FSP_FSCTL_FILE_INFO *info);
/* After a write: extended attributes are not looked at again for a second. */
NODISCARD NTSTATUS pt_file_info_quick(struct pt *pt, struct pt_file *file,
				      FSP_FSCTL_FILE_INFO *info);
/* size NULL: not asked; sd NULL: only the size. */
NODISCARD NTSTATUS pt_copy_security(const struct statx *stx, PSECURITY_DESCRIPTOR sd,
				    SIZE_T *size);
NODISCARD int pt_chmod(const struct pt_file *file, mode_t mode); /* 0 or -errno */
/* A directory's sticky bit is in its DACL, as the right to delete what others put there,
 * where the owner and somebody else may write; else it is in $LXMOD. */
bool pt_sticky_in_descriptor(mode_t mode);
NTSTATUS pt_get_file_info(FSP_FILE_SYSTEM *fs, PVOID context, FSP_FSCTL_FILE_INFO *info);
NTSTATUS pt_set_basic_info(FSP_FILE_SYSTEM *fs, PVOID context, UINT32 attributes,
			   UINT64 creation, UINT64 access, UINT64 write, UINT64 change,
			   FSP_FSCTL_FILE_INFO *info);
NTSTATUS pt_get_security(FSP_FILE_SYSTEM *fs, PVOID context, PSECURITY_DESCRIPTOR sd,
			 SIZE_T *size);
NTSTATUS pt_set_security(FSP_FILE_SYSTEM *fs, PVOID context, SECURITY_INFORMATION info,
			 PSECURITY_DESCRIPTOR modification);
NTSTATUS pt_get_security_by_name(FSP_FILE_SYSTEM *fs, PWSTR name, PUINT32 attributes,
				 PSECURITY_DESCRIPTOR sd, SIZE_T *size);
NTSTATUS pt_get_info_by_name(FSP_FILE_SYSTEM *fs, PWSTR name, FSP_FSCTL_FILE_INFO *info,
			     PSECURITY_DESCRIPTOR sd, SIZE_T *size);

/* ea.c */
/* What FileInfo.EaSize tells. 0 or -errno. */
NODISCARD int pt_ea_size(struct pt_ref ref, const struct statx *stx, uint32_t *ret_size);
NODISCARD NTSTATUS pt_apply_ea(struct pt *pt, struct pt_file *file,
			       PFILE_FULL_EA_INFORMATION ea, ULONG length);
/* All of a file's, before it is overwritten. */
NODISCARD NTSTATUS pt_remove_eas(struct pt *pt, struct pt_file *file);
NTSTATUS pt_get_ea(FSP_FILE_SYSTEM *fs, PVOID context, PFILE_FULL_EA_INFORMATION ea,
		   ULONG length, PULONG ret_bytes);
NTSTATUS pt_set_ea(FSP_FILE_SYSTEM *fs, PVOID context, PFILE_FULL_EA_INFORMATION ea,
		   ULONG length, FSP_FSCTL_FILE_INFO *info);

/* reparse.c */
/* What a reparse buffer makes of a file. */
struct pt_special {
	mode_t type;  /* S_IFLNK, S_IFIFO … */
	dev_t device; /* S_IFCHR, S_IFBLK */
	char *target; /* S_IFLNK; heap */
};
NODISCARD NTSTATUS pt_special_parse(const void *buffer, SIZE_T size,
				    struct pt_special *ret_special);
void pt_special_fini(struct pt_special *special);
/* 0 for files and directories. 0 or -errno. */
NODISCARD int pt_reparse_tag(const struct pt *pt, struct pt_ref ref,
			     const struct statx *stx, uint32_t *ret_tag);
/* The buffer that describes an object; *size: room in, bytes out. */
NODISCARD NTSTATUS pt_reparse_build(const struct pt *pt, struct pt_ref ref, void *buffer,
				    SIZE_T *size);
NTSTATUS pt_reparse_by_name(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name,
			    BOOLEAN is_directory, PVOID buffer, PSIZE_T size);
NTSTATUS pt_resolve_reparse(FSP_FILE_SYSTEM *fs, PWSTR name, UINT32 index,
			    BOOLEAN resolve_last, PIO_STATUS_BLOCK io_status,
			    PVOID buffer, PSIZE_T size);
NTSTATUS pt_get_reparse(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name, PVOID buffer,
			PSIZE_T size);
NTSTATUS pt_set_reparse(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name, PVOID buffer,
			SIZE_T size);
NTSTATUS pt_delete_reparse(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name, PVOID buffer,
			   SIZE_T size);

/* open.c */
/* Makes fd able to do access. */
NODISCARD NTSTATUS pt_need(struct pt_file *file, unsigned access);
/* Makes dir/last of the type in special (target and device too), known only to us at
 * first; an O_PATH descriptor of it, or a real one for a plain file. -errno. */
NODISCARD int pt_make(int dir, const char *last, const struct pt_special *special);
/* file is another object from now on; takes fd. */
void pt_file_replace(struct pt_file *file, int fd, const struct statx *stx);
NTSTATUS pt_create_ex(FSP_FILE_SYSTEM *fs, PWSTR name, UINT32 options, UINT32 granted,
		      UINT32 attributes, PSECURITY_DESCRIPTOR sd, UINT64 allocation,
		      PVOID extra, ULONG n_extra, BOOLEAN extra_is_reparse,
		      PVOID *ret_context, FSP_FSCTL_FILE_INFO *info);
NTSTATUS pt_open_file(FSP_FILE_SYSTEM *fs, PWSTR name, UINT32 options, UINT32 granted,
		      PVOID *ret_context, FSP_FSCTL_FILE_INFO *info);
NTSTATUS pt_overwrite_ex(FSP_FILE_SYSTEM *fs, PVOID context, UINT32 attributes,
			 BOOLEAN replace, UINT64 allocation, PFILE_FULL_EA_INFORMATION ea,
			 ULONG n_ea, FSP_FSCTL_FILE_INFO *info);
VOID pt_close_file(FSP_FILE_SYSTEM *fs, PVOID context);

/* data.c */
NTSTATUS pt_read(FSP_FILE_SYSTEM *fs, PVOID context, PVOID buffer, UINT64 offset,
		 ULONG length, PULONG ret_bytes);
NTSTATUS pt_write(FSP_FILE_SYSTEM *fs, PVOID context, PVOID buffer, UINT64 offset,
		  ULONG length, BOOLEAN to_end, BOOLEAN constrained, PULONG ret_bytes,
		  FSP_FSCTL_FILE_INFO *info);
NTSTATUS pt_flush(FSP_FILE_SYSTEM *fs, PVOID context, FSP_FSCTL_FILE_INFO *info);
NTSTATUS pt_set_file_size(FSP_FILE_SYSTEM *fs, PVOID context, UINT64 size,
			  BOOLEAN allocation, FSP_FSCTL_FILE_INFO *info);
NTSTATUS pt_query_ranges(FSP_FILE_SYSTEM *fs, PVOID context, UINT64 offset, UINT64 length,
			 FSPX_RANGE *ranges, PULONG count);
NTSTATUS pt_allocate(FSP_FILE_SYSTEM *fs, PVOID context, UINT32 mode, UINT64 offset,
		     UINT64 length, FSP_FSCTL_FILE_INFO *info);
NTSTATUS pt_copy_range(FSP_FILE_SYSTEM *fs, PVOID context, UINT64 offset,
		       PVOID to_context, UINT64 to_offset, UINT64 length,
		       PUINT64 ret_bytes, FSP_FSCTL_FILE_INFO *info);
NTSTATUS pt_get_backing(FSP_FILE_SYSTEM *fs, PVOID context, UINT32 access, int *ret_fd);
/* Storage for the first size bytes; the file's size stays. Where the source cannot:
 * success. */
NODISCARD NTSTATUS pt_reserve(struct pt_file *file, UINT64 size);

/* names.c */
VOID pt_cleanup(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name, ULONG flags);
NTSTATUS pt_can_delete(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name);
NTSTATUS pt_rename(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name, PWSTR new_name,
		   BOOLEAN replace);
NTSTATUS pt_rename_posix(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name, PWSTR new_name,
			 UINT32 flags);
NTSTATUS pt_link(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name, PWSTR new_name,
		 BOOLEAN replace, FSP_FSCTL_FILE_INFO *info);
/* A name in dir that nobody has, for what is renamed into place. */
void pt_temporary_name(char dst[32]);

/* list.c */
NTSTATUS pt_read_directory(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR pattern,
			   PWSTR marker, PVOID buffer, ULONG length, PULONG ret_bytes);
NTSTATUS pt_get_dir_info(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name,
			 FSP_FSCTL_DIR_INFO *info);
/* true: holds something besides "." and ".."; false; or -errno. */
NODISCARD int pt_directory_is_filled(struct pt_file *file);

#endif
