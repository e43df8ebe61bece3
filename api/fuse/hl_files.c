/* Open files. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "api/fuse/highlevel.h"
#include "api/fuse/hl_lock.h"
#include "base/clock.h"

/* auto_cache: whether the kernel's pages of the file are still good. */
static void
judge_cache(struct hl_op *o, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fuse *f = o->f;
	uint64_t trust_ns = (uint64_t)(f->conf.ac_attr_timeout * 1e9);
	struct stat st = {0};
	struct node *n;
	bool old = false;

	mutex_lock(&f->nodes.lock);
	n = nodes_get_locked(&f->nodes, ino);
	if (n)
		old = n->cache_valid && clock_monotonic_ns() - n->seen_ns > trust_ns;
	mutex_unlock(&f->nodes.lock);
	bool seen = old && hl_fs_getattr(f->fs, hl_path(o), &st, fi) == 0;

	mutex_lock(&f->nodes.lock);
	n = nodes_get_locked(&f->nodes, ino);
	if (n) {
		if (seen)
			node_seen_locked(n, &st);
		else if (old)
			n->cache_valid = false;
		if (n->cache_valid)
			fi->keep_cache = 1;
		n->cache_valid = true;
	}
	mutex_unlock(&f->nodes.lock);
}

static void
dress_info(const struct fuse *f, struct fuse_file_info *fi)
{
	if (f->conf.direct_io)
		fi->direct_io = 1;
	if (f->conf.kernel_cache)
		fi->keep_cache = 1;
	if (f->conf.no_rofd_flush && (fi->flags & O_ACCMODE) == O_RDONLY)
		fi->noflush = 1;
	if (f->conf.parallel_direct_writes)
		fi->parallel_direct_writes = 1;
}

static void
count_open(struct fuse *f, fuse_ino_t ino)
{
	struct node *n;

	mutex_lock(&f->nodes.lock);
	n = nodes_get_locked(&f->nodes, ino);
	if (n)
		n->n_opens++;
	mutex_unlock(&f->nodes.lock);
}

/* Ends a request that opened ino, of which its caller no longer wants to know. */
static void
end_unwanted(struct hl_op *o, fuse_ino_t ino, struct fuse_file_info *fi)
{
	hl_fs_release(o->f->fs, hl_path(o), fi);
	hl_end(o);
	hl_closed(o->f, ino);
}

void
hl_op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct hl_op o;
	int err = hl_begin_node(&o, req, ino);

	if (err == 0)
		err = hl_fs_open(o.f->fs, hl_path(&o), fi);
	if (err < 0) {
		hl_end_err(&o, err);
		return;
	}
	dress_info(o.f, fi);
	if (o.f->conf.auto_cache)
		judge_cache(&o, ino, fi);
	count_open(o.f, ino);
	hl_interruptible_end(&o.intr);
	if (fuse_reply_open(req, fi) == -ENOENT)
		end_unwanted(&o, ino, fi);
	else
		hl_end(&o);
}

/* Creates, and looks the new name up; an error leaves nothing open. */
static NODISCARD int
create(struct hl_op *o, fuse_ino_t parent, const char *name, mode_t mode,
       struct fuse_file_info *fi, struct fuse_entry_param *e)
{
	int err = hl_fs_create(o->f->fs, hl_path(o), mode, fi);

	if (err < 0)
		return err;
	err = hl_entry_get(o, parent, name, hl_path(o), fi, e);
	if (err == 0 && !S_ISREG(e->attr.st_mode)) {
		nodes_forget(&o->f->nodes, e->ino, 1);
		err = -EIO;
	}
	if (err < 0)
		hl_fs_release(o->f->fs, hl_path(o), fi);
	return err;
}

void
hl_op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	     struct fuse_file_info *fi)
{
	struct fuse_entry_param e;
	struct hl_op o;
	int err = hl_begin_name(&o, req, parent, name);

	if (err == 0)
		err = create(&o, parent, name, mode, fi, &e);
	if (err < 0) {
		hl_end_err(&o, err);
		return;
	}
	dress_info(o.f, fi);
	count_open(o.f, e.ino);
	hl_interruptible_end(&o.intr);
	if (fuse_reply_create(req, &e, fi) == -ENOENT) {
		end_unwanted(&o, e.ino, fi);
		nodes_forget(&o.f->nodes, e.ino, 1);
	} else {
		hl_end(&o);
	}
}

/* A thread's buffer for reads, so that none is made (and zeroed by the kernel) per request. */
static pthread_key_t scratch_key;
static pthread_once_t scratch_once = PTHREAD_ONCE_INIT;
static _Thread_local struct {
	char *mem;
	size_t size;
} scratch;

static void
scratch_make_key(void)
{
	pthread_key_create(&scratch_key, free);
}

static char *
scratch_get(size_t size)
{
	char *mem;

	if (size <= scratch.size)
		return scratch.mem;
	pthread_once(&scratch_once, scratch_make_key);
	mem = realloc(scratch.mem, size);
	if (!mem)
		return NULL;
	scratch.mem = mem;
	scratch.size = size;
	pthread_setspecific(scratch_key, mem);
	return mem;
}

/* Where the answer's data goes: the ring's own memory where there is one. */
static char *
read_target(fuse_req_t req, size_t size)
{
	size_t room;
	char *mem;

	if (fuse_req_is_uring(req) && fuse_req_get_payload(req, &mem, &room, NULL) == 0 &&
	    room >= size)
		return mem;
	return scratch_get(size);
}

static void
read_plain(struct hl_op *o, size_t size, off_t off, struct fuse_file_info *fi)
{
	char *mem = read_target(o->req, size);
	int res = mem ? hl_fs_read(o->f->fs, hl_path(o), mem, size, off, fi) : -ENOMEM;

	hl_end(o);
	if (res < 0)
		fuse_reply_err(o->req, -res);
	else if ((size_t)res > size)
		fuse_reply_err(o->req, EIO);
	else
		fuse_reply_buf(o->req, mem, (size_t)res);
}

void
hl_op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	CLEANUP(hl_buf_free) struct fuse_bufvec *buf = NULL;
	struct hl_op o;
	int err = hl_begin_open(&o, req, ino);

	if (err == 0 && !o.f->fs->op.read_buf) {
		read_plain(&o, size, off, fi);
		return;
	}
	if (err == 0)
		err = hl_fs_read_buf(o.f->fs, hl_path(&o), &buf, size, off, fi);
	hl_end(&o);
	if (err < 0)
		fuse_reply_err(req, -err);
	else
		fuse_reply_data(req, buf, FUSE_BUF_SPLICE_MOVE);
}

void
hl_op_write_buf(fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec *buf, off_t off,
		struct fuse_file_info *fi)
{
	struct hl_op o;
	int res = hl_begin_open(&o, req, ino);

	if (res == 0)
		res = hl_fs_write_buf(o.f->fs, hl_path(&o), buf, off, fi);
	hl_end(&o);
	if (res < 0)
		fuse_reply_err(req, -res);
	else
		fuse_reply_write(req, (size_t)res);
}

static int
enter_lock(struct fuse *f, fuse_ino_t ino, const struct flock *fl, uint64_t owner)
{
	struct hl_lock lock = hl_lock_from_flock(fl, owner);
	struct node *n;
	int err = 0;

	mutex_lock(&f->nodes.lock);
	n = nodes_get_locked(&f->nodes, ino);
	if (n)
		err = hl_locks_set(&n->locks, &lock);
	mutex_unlock(&f->nodes.lock);
	return err;
}

/* flush, and the end of the POSIX locks of whoever closes. */
static int
flush_locks(struct hl_op *o, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct flock all = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
	int err = hl_fs_flush(o->f->fs, hl_path(o), fi);

	if (hl_fs_lock(o->f->fs, hl_path(o), fi, F_SETLK, &all) == -ENOSYS)
		return err;
	if (enter_lock(o->f, ino, &all, fi->lock_owner) < 0)
		return -ENOMEM;
	/* ENOSYS would end the flushes of this mount, and locks would stay. */
	return err == -ENOSYS ? 0 : err;
}

void
hl_op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct hl_op o;
	int err = hl_begin_open(&o, req, ino);

	if (err == 0)
		err = flush_locks(&o, ino, fi);
	hl_end_err(&o, err);
}

void
hl_op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct hl_op o;
	int err = hl_begin_open(&o, req, ino);

	/* Whatever befell the path: the file system gets its handle back. */
	if (fi->flush) {
		err = flush_locks(&o, ino, fi);
		if (err == -ENOSYS)
			err = 0;
	}
	hl_fs_release(o.f->fs, hl_path(&o), fi);
	hl_end(&o);
	hl_closed(o.f, ino);
	fuse_reply_err(req, -err);
}

void
hl_op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct hl_op o;
	int err = hl_begin_open(&o, req, ino);

	if (err == 0)
		err = hl_fs_fsync(o.f->fs, hl_path(&o), datasync, fi);
	hl_end_err(&o, err);
}

static bool
known_conflict(struct fuse *f, fuse_ino_t ino, uint64_t owner, struct flock *fl)
{
	struct hl_lock want = hl_lock_from_flock(fl, owner);
	const struct hl_lock *found = NULL;
	struct node *n;

	mutex_lock(&f->nodes.lock);
	n = nodes_get_locked(&f->nodes, ino);
	if (n)
		found = hl_locks_conflict(n->locks, &want);
	if (found)
		*fl = hl_lock_to_flock(found);
	mutex_unlock(&f->nodes.lock);
	return found != NULL;
}

void
hl_op_getlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *lock)
{
	struct hl_op o;
	int err = hl_begin_open(&o, req, ino);

	if (err == 0 && !known_conflict(o.f, ino, fi->lock_owner, lock))
		err = hl_fs_lock(o.f->fs, hl_path(&o), fi, F_GETLK, lock);
	hl_end(&o);
	if (err < 0)
		fuse_reply_err(req, -err);
	else
		fuse_reply_lock(req, lock);
}

void
hl_op_setlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *lock,
	    int sleep)
{
	struct flock asked = *lock;
	struct hl_op o;
	int err = hl_begin_open(&o, req, ino);

	if (err == 0)
		err = hl_fs_lock(o.f->fs, hl_path(&o), fi, sleep ? F_SETLKW : F_SETLK, lock);
	if (err == 0)
		err = enter_lock(o.f, ino, &asked, fi->lock_owner);
	hl_end_err(&o, err);
}

void
hl_op_flock(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, int op)
{
	struct hl_op o;
	int err = hl_begin_open(&o, req, ino);

	if (err == 0)
		err = hl_fs_flock(o.f->fs, hl_path(&o), fi, op);
	hl_end_err(&o, err);
}

void
hl_op_bmap(fuse_req_t req, fuse_ino_t ino, size_t block_size, uint64_t idx)
{
	struct hl_op o;
	int err = hl_begin_node(&o, req, ino);

	if (err == 0)
		err = hl_fs_bmap(o.f->fs, hl_path(&o), block_size, &idx);
	hl_end(&o);
	if (err < 0)
		fuse_reply_err(req, -err);
	else
		fuse_reply_bmap(req, idx);
}

/* The argument and the answer of an ioctl share one buffer, as large as the larger one. */
void
hl_op_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned int cmd, void *arg,
	    struct fuse_file_info *fi, unsigned int flags, const void *in, size_t in_size,
	    size_t out_size)
{
	size_t size = MAX(in_size, out_size);
	CLEANUP(free_ptr) char *data = size ? calloc(1, size) : NULL;
	struct fuse_file_info info = flags & FUSE_IOCTL_DIR ? hl_dir_info(fi) : *fi;
	struct hl_op o;
	int res;

	/* The file system would have to read memory of the caller, which it cannot. */
	if (flags & FUSE_IOCTL_UNRESTRICTED) {
		fuse_reply_err(req, EPERM);
		return;
	}
	if (in_size && data)
		memcpy(data, in, in_size);
	res = hl_begin_open(&o, req, ino);
	if (res == 0 && size && !data)
		res = -ENOMEM;
	if (res == 0)
		res = hl_fs_ioctl(o.f->fs, hl_path(&o), cmd, arg, &info, flags, data);
	hl_end(&o);
	if (res < 0)
		fuse_reply_err(req, -res);
	else
		fuse_reply_ioctl(req, res, data, out_size);
}

void
hl_op_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
	   struct fuse_pollhandle *ph)
{
	unsigned revents = 0;
	struct hl_op o;
	int err = hl_begin_open(&o, req, ino);

	if (err == 0)
		err = hl_fs_poll(o.f->fs, hl_path(&o), fi, ph, &revents);
	hl_end(&o);
	if (err < 0)
		fuse_reply_err(req, -err);
	else
		fuse_reply_poll(req, revents);
}

void
hl_op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len,
		struct fuse_file_info *fi)
{
	struct hl_op o;
	int err = hl_begin_open(&o, req, ino);

	if (err == 0)
		err = hl_fs_fallocate(o.f->fs, hl_path(&o), mode, off, len, fi);
	hl_end_err(&o, err);
}

void
hl_op_copy_file_range(fuse_req_t req, fuse_ino_t ino_in, off_t off_in,
		      struct fuse_file_info *fi_in, fuse_ino_t ino_out, off_t off_out,
		      struct fuse_file_info *fi_out, size_t len, int flags)
{
	const struct fuse *f = fuse_req_userdata(req);
	const struct path_want want[] = {{.id = ino_in, .optional = true},
					 {.id = ino_out, .optional = true}};
	struct hl_op o;
	ssize_t res = hl_begin(&o, req, want, f->conf.nullpath_ok ? 0 : 2);

	if (res == 0)
		res = hl_fs_copy_file_range(o.f->fs, o.path.path[0], fi_in, off_in,
					    o.path.path[1], fi_out, off_out, len, flags);
	hl_end(&o);
	if (res < 0)
		fuse_reply_err(req, (int)-res);
	else
		fuse_reply_write(req, (size_t)res);
}

void
hl_op_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence, struct fuse_file_info *fi)
{
	struct hl_op o;
	off_t res = hl_begin_open(&o, req, ino);

	if (res == 0)
		res = hl_fs_lseek(o.f->fs, hl_path(&o), off, whence, fi);
	hl_end(&o);
	if (res < 0)
		fuse_reply_err(req, (int)-res);
	else
		fuse_reply_lseek(req, res);
}
