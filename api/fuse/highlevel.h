/*
 * The high-level API of libfuse 3 upon the low-level one: paths for node ids, one synchronous
 * callback per request. Each low-level operation is: enter the context, lock the path (paths.h),
 * call the top layer (hl_fs.h), unlock, answer.
 *
 *	highlevel.c   create, loops, destroy        hl_options.c   -o and help
 *	hl_names.c    lookup, make, remove, rename  hl_files.c     open files
 *	hl_attr.c     attributes, extended ones     hl_dir.c       listings
 *	hidden.c      removing what is open         hl_interrupt.c signals to blocked callbacks
 *	modules.c     layers by name                main.c         fuse_main
 *
 * Names here begin with hl_; api/fuse/hl_exports.c gives them the names of libfuse 3, and
 * api/fuse/compat2_*.c those of libfuse 2, whose signatures differ.
 */
#ifndef USERDRIVE_API_FUSE_HIGHLEVEL_H
#define USERDRIVE_API_FUSE_HIGHLEVEL_H

#include <pthread.h>

#include "api/fuse/hl_api.h"
#include "api/fuse/hl_buf.h"
#include "api/fuse/hl_fs.h"
#include "api/fuse/hl_interrupt.h"
#include "api/fuse/nodes.h"
#include "api/fuse/paths.h"

struct fuse {
	struct fuse_session *se;
	struct fuse_fs *fs;     /* the top layer */
	struct fuse_fs *layers; /* all of them, to be freed */
	struct fuse_config conf;
	struct nodes nodes;
	struct hl_interrupts interrupts;
	uint32_t n_hidden; /* for names; under nodes.lock */
	bool cleaner_runs;
	pthread_t cleaner;
	struct mutex cleaner_lock;
	struct cond cleaner_wake;
	bool cleaner_stop;
};

/* hl_options.c */
/* Takes the library's options out of args. 0 or -1 after a message. */
NODISCARD int hl_options_parse(struct fuse_args *args, struct fuse_config *conf);
/* Options of the library, the session, and modules that args name, to standard output. */
void hl_help(struct fuse_args *args);

/* highlevel.c. NULL after a message; nothing is mounted yet. op is copied. */
struct fuse *hl_new(const struct fapi_layout *layout, struct fuse_args *args,
		    const struct fuse_operations *op, size_t op_size, void *user_data);
void hl_destroy(struct fuse *f);
int hl_loop(struct fuse *f);
int hl_loop_mt(struct fuse *f, struct fuse_loop_config *config);
int hl_cleanup_start(struct fuse *f);
void hl_cleanup_stop(struct fuse *f);
int hl_invalidate_path(struct fuse *f, const char *path);

/* main.c: all of fuse_main; 0 to 8, see include/fuse3/fuse.h. */
int hl_main(const struct fapi_layout *layout, int argc, char *argv[],
	    const struct fuse_operations *op, size_t op_size, void *user_data);

/* modules.c */
/* Puts the modules of a colon-separated list on f->fs, the last one on top. 0 or -1. */
NODISCARD int hl_modules_push(struct fuse *f, const char *list, struct fuse_args *args);
void hl_modules_help(struct fuse_args *args, const char *list);
struct fuse_fs *hl_subdir_create(struct fuse_args *args, struct fuse_fs *fs[]);
struct fuse_fs *hl_iconv_create(struct fuse_args *args, struct fuse_fs *fs[]);

/* For the low-level operations. One request at work: context entered, signals armed. */
struct hl_op {
	struct fuse *f;
	fuse_req_t req;
	struct path_lock path;
	struct hl_interruptible intr;
};

/* Enters the request and locks its names; hl_end afterwards, also when it failed (-errno). */
NODISCARD int hl_begin(struct hl_op *o, fuse_req_t req, const struct path_want *want,
		       int n_wants);
/* One name of a node, or in a parent. */
NODISCARD int hl_begin_node(struct hl_op *o, fuse_req_t req, fuse_ino_t ino);
NODISCARD int hl_begin_name(struct hl_op *o, fuse_req_t req, fuse_ino_t parent,
			    const char *name);
/* As hl_begin_node, for a file that is open: it has no path when it was removed, or when the
 * program needs none. */
NODISCARD int hl_begin_open(struct hl_op *o, fuse_req_t req, fuse_ino_t ino);
void hl_end(struct hl_op *o);
static inline const char *
hl_path(const struct hl_op *o)
{
	return o->path.path[0];
}
/* hl_end, then the error (-errno or 0) as the answer. */
void hl_end_err(struct hl_op *o, int err);

/* hl_attr.c */
/* uid=, gid=, umask=, use_ino. */
void hl_stat_dress(const struct fuse *f, fuse_ino_t ino, struct stat *st);
/* Counts a lookup; e->attr is what the file system said. */
NODISCARD int hl_entry_fill(struct fuse *f, fuse_ino_t parent, const char *name,
			    struct fuse_entry_param *e);
/* getattr of a new or looked-up name, then hl_entry_fill. */
NODISCARD int hl_entry_get(struct hl_op *o, fuse_ino_t parent, const char *name,
			   const char *path, struct fuse_file_info *fi,
			   struct fuse_entry_param *e);

/* hidden.c */
bool hl_is_open(struct fuse *f, fuse_ino_t parent, const char *name);
/* Renames an open file, locked for writing by the operation, out of the way. */
NODISCARD int hl_hide(struct fuse *f, const char *path, fuse_ino_t parent, const char *name);
/* Counts a close of ino; removes a hidden file with its last one. No path may be locked. */
void hl_closed(struct fuse *f, fuse_ino_t ino);
/* At the end: all hidden files that are left. */
void hl_hidden_purge(struct fuse *f);

/* The operations for the session. */
extern const struct fuse_lowlevel_ops hl_lowlevel_ops;

void hl_op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void hl_op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n_lookups);
void hl_op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets);
void hl_op_readlink(fuse_req_t req, fuse_ino_t ino);
void hl_op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev);
void hl_op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void hl_op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void hl_op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void hl_op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name);
void hl_op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to,
		  const char *to_name, unsigned int flags);
void hl_op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t to, const char *to_name);

void hl_op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void hl_op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		   struct fuse_file_info *fi);
void hl_op_statx(fuse_req_t req, fuse_ino_t ino, int flags, int mask,
		 struct fuse_file_info *fi);
void hl_op_access(fuse_req_t req, fuse_ino_t ino, int mask);
void hl_op_statfs(fuse_req_t req, fuse_ino_t ino);
void hl_op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
		    size_t size, int flags);
void hl_op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void hl_op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);
void hl_op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);

void hl_op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void hl_op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		  struct fuse_file_info *fi);
void hl_op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		struct fuse_file_info *fi);
void hl_op_write_buf(fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec *buf, off_t off,
		     struct fuse_file_info *fi);
void hl_op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void hl_op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void hl_op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
void hl_op_getlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
		 struct flock *lock);
void hl_op_setlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *lock,
		 int sleep);
void hl_op_flock(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, int op);
void hl_op_bmap(fuse_req_t req, fuse_ino_t ino, size_t block_size, uint64_t idx);
void hl_op_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned int cmd, void *arg,
		 struct fuse_file_info *fi, unsigned int flags, const void *in, size_t in_size,
		 size_t out_size);
void hl_op_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
		struct fuse_pollhandle *ph);
void hl_op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len,
		     struct fuse_file_info *fi);
void hl_op_copy_file_range(fuse_req_t req, fuse_ino_t ino_in, off_t off_in,
			   struct fuse_file_info *fi_in, fuse_ino_t ino_out, off_t off_out,
			   struct fuse_file_info *fi_out, size_t len, int flags);
void hl_op_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence,
		 struct fuse_file_info *fi);

void hl_op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void hl_op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		   struct fuse_file_info *fi);
void hl_op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		       struct fuse_file_info *fi);
void hl_op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void hl_op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
/* The file system's own fi of an open directory, for ioctl. */
struct fuse_file_info hl_dir_info(const struct fuse_file_info *fi);

#endif
