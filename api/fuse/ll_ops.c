/*
 * Requests of the kernel as calls of the program's operations, and what the kernel is told where
 * the program has none.
 */
#include "api/fuse/lowlevel.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "fuse/decode.h"

enum { NAME_ROOM = 8192 };

/* One call: who asks, and the program's view of the file info. */
struct call {
	struct fuse_session *se;
	struct fusek_req *kreq;
	struct fuse_req *req;
	const struct fuse_lowlevel_ops *op;
	fuse_ino_t ino;
	struct fuse_file_info fi;
	union fapi_file_info_store store;
	const char *name, *name2;
};

static struct fuse_file_info *
fi_of(struct call *c)
{
	return fapi_file_info_enter(c->se->layout, &c->store, &c->fi);
}

static void
do_lookup(struct call *c)
{
	c->op->lookup(c->req, c->ino, c->name);
}

static void
do_getattr(struct call *c)
{
	const struct fuse_getattr_in *in = c->kreq->arg;

	c->fi.fh = in->fh;
	c->op->getattr(c->req, c->ino, in->getattr_flags & FUSE_GETATTR_FH ? fi_of(c) : NULL);
}

static void
do_setattr(struct call *c)
{
	static const uint32_t known =
		FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID | FUSE_SET_ATTR_SIZE |
		FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_KILL_SUID |
		FUSE_SET_ATTR_KILL_SGID | FUSE_SET_ATTR_ATIME_NOW | FUSE_SET_ATTR_MTIME_NOW |
		FUSE_SET_ATTR_CTIME;
	const struct fuse_setattr_in *in = c->kreq->arg;
	struct stat st = {
		.st_mode = in->mode,
		.st_uid = in->uid,
		.st_gid = in->gid,
		.st_size = (off_t)in->size,
		.st_atim = {(time_t)in->atime, in->atimensec},
		.st_mtim = {(time_t)in->mtime, in->mtimensec},
		.st_ctim = {(time_t)in->ctime, in->ctimensec},
	};

	c->fi.fh = in->fh;
	c->op->setattr(c->req, c->ino, &st, (int)(in->valid & known),
		       in->valid & FATTR_FH ? fi_of(c) : NULL);
}

static void
do_readlink(struct call *c)
{
	c->op->readlink(c->req, c->ino);
}

static void
do_symlink(struct call *c)
{
	c->op->symlink(c->req, c->name2, c->ino, c->name);
}

static void
do_mknod(struct call *c)
{
	const struct fuse_mknod_in *in = c->kreq->arg;

	c->req->ctx.umask = in->umask;
	c->op->mknod(c->req, c->ino, c->name, in->mode, in->rdev);
}

static void
do_mkdir(struct call *c)
{
	const struct fuse_mkdir_in *in = c->kreq->arg;

	c->req->ctx.umask = in->umask;
	c->op->mkdir(c->req, c->ino, c->name, in->mode);
}

static void
do_unlink(struct call *c)
{
	c->op->unlink(c->req, c->ino, c->name);
}

static void
do_rmdir(struct call *c)
{
	c->op->rmdir(c->req, c->ino, c->name);
}

static void
do_rename(struct call *c)
{
	const struct fuse_rename_in *in = c->kreq->arg;

	c->op->rename(c->req, c->ino, c->name, in->newdir, c->name2, 0);
}

static void
do_rename2(struct call *c)
{
	const struct fuse_rename2_in *in = c->kreq->arg;

	c->op->rename(c->req, c->ino, c->name, in->newdir, c->name2, in->flags);
}

static void
do_link(struct call *c)
{
	const struct fuse_link_in *in = c->kreq->arg;

	c->op->link(c->req, in->oldnodeid, c->ino, c->name);
}

static void
do_create(struct call *c)
{
	const struct fuse_create_in *in = c->kreq->arg;

	c->req->ctx.umask = in->umask;
	c->fi.flags = (int)in->flags;
	c->op->create(c->req, c->ino, c->name, in->mode, fi_of(c));
}

static void
do_tmpfile(struct call *c)
{
	const struct fuse_create_in *in = c->kreq->arg;

	c->req->ctx.umask = in->umask;
	c->fi.flags = (int)in->flags;
	c->op->tmpfile(c->req, c->ino, in->mode, fi_of(c));
}

/* Without an operation every open succeeds, unless the program asked for ENOSYS to be heard. */
static void
open_without(struct call *c, uint64_t cap)
{
	if (c->se->conn.want_ext & cap)
		fuse_reply_err(c->req, ENOSYS);
	else
		fuse_reply_open(c->req, fi_of(c));
}

static void
do_open(struct call *c)
{
	c->fi.flags = (int)((const struct fuse_open_in *)c->kreq->arg)->flags;
	if (c->op->open)
		c->op->open(c->req, c->ino, fi_of(c));
	else
		open_without(c, FUSE_CAP_NO_OPEN_SUPPORT);
}

static void
do_opendir(struct call *c)
{
	c->fi.flags = (int)((const struct fuse_open_in *)c->kreq->arg)->flags;
	if (c->op->opendir)
		c->op->opendir(c->req, c->ino, fi_of(c));
	else
		open_without(c, FUSE_CAP_NO_OPENDIR_SUPPORT);
}

static void
do_read(struct call *c)
{
	const struct fuse_read_in *in = c->kreq->arg;

	c->fi.fh = in->fh;
	c->fi.flags = (int)in->flags;
	c->fi.lock_owner = in->lock_owner;
	c->op->read(c->req, c->ino, in->size, (off_t)in->offset, fi_of(c));
}

static void
do_write(struct call *c)
{
	const struct fuse_write_in *in = c->kreq->arg;
	struct fuse_bufvec bufv = FUSE_BUFVEC_INIT(c->kreq->data_size);

	c->fi.fh = in->fh;
	c->fi.flags = (int)in->flags;
	c->fi.lock_owner = in->lock_owner;
	c->fi.writepage = (in->write_flags & FUSE_WRITE_CACHE) != 0;
	bufv.buf[0].mem = (void *)(uintptr_t)c->kreq->data;
	/* One piece begins alike in all layouts. */
	if (c->op->write_buf)
		c->op->write_buf(c->req, c->ino, &bufv, (off_t)in->offset, fi_of(c));
	else if (c->op->write)
		c->op->write(c->req, c->ino, c->kreq->data, c->kreq->data_size,
			     (off_t)in->offset, fi_of(c));
	else
		fuse_reply_err(c->req, ENOSYS);
}

static void
do_flush(struct call *c)
{
	const struct fuse_flush_in *in = c->kreq->arg;

	c->fi.fh = in->fh;
	c->fi.flush = 1;
	c->fi.lock_owner = in->lock_owner;
	c->op->flush(c->req, c->ino, fi_of(c));
}

static void
take_release(struct call *c)
{
	const struct fuse_release_in *in = c->kreq->arg;

	c->fi.fh = in->fh;
	c->fi.flags = (int)in->flags;
	c->fi.flush = (in->release_flags & FUSE_RELEASE_FLUSH) != 0;
	c->fi.flock_release = (in->release_flags & FUSE_RELEASE_FLOCK_UNLOCK) != 0;
	c->fi.lock_owner = in->lock_owner;
}

static void
do_release(struct call *c)
{
	take_release(c);
	if (c->op->release)
		c->op->release(c->req, c->ino, fi_of(c));
	else
		fuse_reply_err(c->req, 0);
}

static void
do_releasedir(struct call *c)
{
	take_release(c);
	if (c->op->releasedir)
		c->op->releasedir(c->req, c->ino, fi_of(c));
	else
		fuse_reply_err(c->req, 0);
}

static void
do_fsync(struct call *c)
{
	const struct fuse_fsync_in *in = c->kreq->arg;

	c->fi.fh = in->fh;
	c->op->fsync(c->req, c->ino, in->fsync_flags & FUSE_FSYNC_FDATASYNC, fi_of(c));
}

static void
do_fsyncdir(struct call *c)
{
	const struct fuse_fsync_in *in = c->kreq->arg;

	c->fi.fh = in->fh;
	c->op->fsyncdir(c->req, c->ino, in->fsync_flags & FUSE_FSYNC_FDATASYNC, fi_of(c));
}

static void
do_readdir(struct call *c)
{
	const struct fuse_read_in *in = c->kreq->arg;

	c->fi.fh = in->fh;
	c->op->readdir(c->req, c->ino, in->size, (off_t)in->offset, fi_of(c));
}

static void
do_readdirplus(struct call *c)
{
	const struct fuse_read_in *in = c->kreq->arg;

	c->fi.fh = in->fh;
	c->op->readdirplus(c->req, c->ino, in->size, (off_t)in->offset, fi_of(c));
}

static void
do_statfs(struct call *c)
{
	const struct statvfs nothing = {.f_namemax = 255, .f_bsize = 512};

	if (c->op->statfs)
		c->op->statfs(c->req, c->ino);
	else
		fuse_reply_statfs(c->req, &nothing);
}

static void
do_setxattr(struct call *c)
{
	const struct fuse_setxattr_in *in = c->kreq->arg;

	c->op->setxattr(c->req, c->ino, c->name, c->kreq->data, c->kreq->data_size,
			(int)in->flags);
}

static void
do_getxattr(struct call *c)
{
	c->op->getxattr(c->req, c->ino, c->name,
			((const struct fuse_getxattr_in *)c->kreq->arg)->size);
}

static void
do_listxattr(struct call *c)
{
	c->op->listxattr(c->req, c->ino, ((const struct fuse_getxattr_in *)c->kreq->arg)->size);
}

static void
do_removexattr(struct call *c)
{
	c->op->removexattr(c->req, c->ino, c->name);
}

static void
do_access(struct call *c)
{
	c->op->access(c->req, c->ino, (int)((const struct fuse_access_in *)c->kreq->arg)->mask);
}

/* The kernel's end is inclusive; OFFSET_MAX is the file's end. */
static struct flock
flock_of(const struct fuse_file_lock *lk)
{
	return (struct flock){
		.l_type = (short)lk->type,
		.l_whence = SEEK_SET,
		.l_start = (off_t)lk->start,
		.l_len = lk->end == INT64_MAX ? 0 : (off_t)(lk->end - lk->start + 1),
		.l_pid = (pid_t)lk->pid,
	};
}

static void
do_getlk(struct call *c)
{
	const struct fuse_lk_in *in = c->kreq->arg;
	struct flock lock = flock_of(&in->lk);

	c->fi.fh = in->fh;
	c->fi.lock_owner = in->owner;
	c->op->getlk(c->req, c->ino, fi_of(c), &lock);
}

static int
flock_op(uint32_t type)
{
	return type == F_RDLCK ? LOCK_SH : type == F_WRLCK ? LOCK_EX : LOCK_UN;
}

static void
do_setlk(struct call *c)
{
	const struct fuse_lk_in *in = c->kreq->arg;
	bool sleep = c->kreq->opcode == FUSE_SETLKW;
	struct flock lock = flock_of(&in->lk);

	c->fi.fh = in->fh;
	c->fi.lock_owner = in->owner;
	if (in->lk_flags & FUSE_LK_FLOCK) {
		if (c->op->flock)
			c->op->flock(c->req, c->ino, fi_of(c),
				     flock_op(in->lk.type) | (sleep ? 0 : LOCK_NB));
		else
			fuse_reply_err(c->req, ENOSYS);
	} else if (c->op->setlk) {
		c->op->setlk(c->req, c->ino, fi_of(c), &lock, sleep);
	} else {
		fuse_reply_err(c->req, ENOSYS);
	}
}

static void
do_bmap(struct call *c)
{
	const struct fuse_bmap_in *in = c->kreq->arg;

	c->op->bmap(c->req, c->ino, in->blocksize, in->block);
}

static void
do_ioctl(struct call *c)
{
	const struct fuse_ioctl_in *in = c->kreq->arg;

	if (in->flags & FUSE_IOCTL_DIR && !(c->se->conn.want_ext & FUSE_CAP_IOCTL_DIR)) {
		fuse_reply_err(c->req, ENOTTY);
		return;
	}
	c->fi.fh = in->fh;
	c->op->ioctl(c->req, c->ino, in->cmd, (void *)(uintptr_t)in->arg, fi_of(c), in->flags,
		     in->in_size ? c->kreq->data : NULL, in->in_size, in->out_size);
}

static void
do_poll(struct call *c)
{
	const struct fuse_poll_in *in = c->kreq->arg;
	struct fuse_pollhandle *ph = NULL;

	c->fi.fh = in->fh;
	c->fi.poll_events = in->events;
	if (in->flags & FUSE_POLL_SCHEDULE_NOTIFY) {
		ph = malloc(sizeof(*ph));
		if (!ph) {
			fuse_reply_err(c->req, ENOMEM);
			return;
		}
		*ph = (struct fuse_pollhandle){in->kh, c->se};
	}
	c->op->poll(c->req, c->ino, fi_of(c), ph);
}

static void
do_fallocate(struct call *c)
{
	const struct fuse_fallocate_in *in = c->kreq->arg;

	c->fi.fh = in->fh;
	c->op->fallocate(c->req, c->ino, (int)in->mode, (off_t)in->offset, (off_t)in->length,
			 fi_of(c));
}

static void
do_lseek(struct call *c)
{
	const struct fuse_lseek_in *in = c->kreq->arg;

	c->fi.fh = in->fh;
	c->op->lseek(c->req, c->ino, (off_t)in->offset, (int)in->whence, fi_of(c));
}

static void
do_copy_file_range(struct call *c)
{
	const struct fuse_copy_file_range_in *in = c->kreq->arg;
	struct fuse_file_info out = {.fh = in->fh_out};
	union fapi_file_info_store store;

	c->fi.fh = in->fh_in;
	c->op->copy_file_range(c->req, c->ino, (off_t)in->off_in, fi_of(c), in->nodeid_out,
			       (off_t)in->off_out,
			       fapi_file_info_enter(c->se->layout, &store, &out), in->len,
			       (int)in->flags);
}

static void
do_statx(struct call *c)
{
	const struct fuse_statx_in *in = c->kreq->arg;

	c->fi.fh = in->fh;
	c->op->statx(c->req, c->ino, (int)in->sx_flags, (int)in->sx_mask,
		     in->getattr_flags & FUSE_GETATTR_FH ? fi_of(c) : NULL);
}

static void
do_forget(struct call *c)
{
	uint64_t n = ((const struct fuse_forget_in *)c->kreq->arg)->nlookup;

	if (c->op->forget)
		c->op->forget(c->req, c->ino, n);
	else
		fuse_reply_none(c->req);
}

/* One call each, where the program has no other: only the last one gets the request itself. */
static void
forget_each(struct call *c, const struct fuse_forget_one *one, size_t n)
{
	for (size_t i = 0; i + 1 < n; i++) {
		struct fusek_req *copy = calloc(1, sizeof(*copy));

		if (!copy)
			break;
		copy->opcode = 0; /* marks a copy for fuse_reply_none */
		*ll_req(copy) = *c->req;
		c->op->forget(ll_req(copy), one[i].nodeid, one[i].nlookup);
	}
	if (n)
		c->op->forget(c->req, one[n - 1].nodeid, one[n - 1].nlookup);
	else
		fuse_reply_none(c->req);
}

static void
do_batch_forget(struct call *c)
{
	const struct fuse_forget_one *one = c->kreq->data;
	size_t n = c->kreq->data_size / sizeof(*one);

	_Static_assert(sizeof(struct fuse_forget_data) == sizeof(*one), "fuse_forget_data");
	if (c->op->forget_multi)
		c->op->forget_multi(c->req, n, (struct fuse_forget_data *)(uintptr_t)one);
	else if (c->op->forget)
		forget_each(c, one, n);
	else
		fuse_reply_none(c->req);
}

static void
do_destroy(struct call *c)
{
	ll_destroy_once(c->se);
	fuse_reply_err(c->req, 0);
}

#define OP(field) offsetof(struct fuse_lowlevel_ops, field)
#define ALWAYS SIZE_MAX /* handles a missing operation itself */

static const struct {
	void (*call)(struct call *c);
	size_t needs; /* answered ENOSYS where the program has no such operation */
} handlers[FUSE_OPCODE_LIMIT] = {
	[FUSE_LOOKUP] = {do_lookup, OP(lookup)},
	[FUSE_FORGET] = {do_forget, ALWAYS},
	[FUSE_GETATTR] = {do_getattr, OP(getattr)},
	[FUSE_SETATTR] = {do_setattr, OP(setattr)},
	[FUSE_READLINK] = {do_readlink, OP(readlink)},
	[FUSE_SYMLINK] = {do_symlink, OP(symlink)},
	[FUSE_MKNOD] = {do_mknod, OP(mknod)},
	[FUSE_MKDIR] = {do_mkdir, OP(mkdir)},
	[FUSE_UNLINK] = {do_unlink, OP(unlink)},
	[FUSE_RMDIR] = {do_rmdir, OP(rmdir)},
	[FUSE_RENAME] = {do_rename, OP(rename)},
	[FUSE_LINK] = {do_link, OP(link)},
	[FUSE_OPEN] = {do_open, ALWAYS},
	[FUSE_READ] = {do_read, OP(read)},
	[FUSE_WRITE] = {do_write, ALWAYS},
	[FUSE_STATFS] = {do_statfs, ALWAYS},
	[FUSE_RELEASE] = {do_release, ALWAYS},
	[FUSE_FSYNC] = {do_fsync, OP(fsync)},
	[FUSE_SETXATTR] = {do_setxattr, OP(setxattr)},
	[FUSE_GETXATTR] = {do_getxattr, OP(getxattr)},
	[FUSE_LISTXATTR] = {do_listxattr, OP(listxattr)},
	[FUSE_REMOVEXATTR] = {do_removexattr, OP(removexattr)},
	[FUSE_FLUSH] = {do_flush, OP(flush)},
	[FUSE_OPENDIR] = {do_opendir, ALWAYS},
	[FUSE_READDIR] = {do_readdir, OP(readdir)},
	[FUSE_RELEASEDIR] = {do_releasedir, ALWAYS},
	[FUSE_FSYNCDIR] = {do_fsyncdir, OP(fsyncdir)},
	[FUSE_GETLK] = {do_getlk, OP(getlk)},
	[FUSE_SETLK] = {do_setlk, ALWAYS},
	[FUSE_SETLKW] = {do_setlk, ALWAYS},
	[FUSE_ACCESS] = {do_access, OP(access)},
	[FUSE_CREATE] = {do_create, OP(create)},
	[FUSE_BMAP] = {do_bmap, OP(bmap)},
	[FUSE_DESTROY] = {do_destroy, ALWAYS},
	[FUSE_IOCTL] = {do_ioctl, OP(ioctl)},
	[FUSE_POLL] = {do_poll, OP(poll)},
	[FUSE_BATCH_FORGET] = {do_batch_forget, ALWAYS},
	[FUSE_FALLOCATE] = {do_fallocate, OP(fallocate)},
	[FUSE_READDIRPLUS] = {do_readdirplus, OP(readdirplus)},
	[FUSE_RENAME2] = {do_rename2, OP(rename)},
	[FUSE_LSEEK] = {do_lseek, OP(lseek)},
	[FUSE_COPY_FILE_RANGE] = {do_copy_file_range, OP(copy_file_range)},
	[FUSE_TMPFILE] = {do_tmpfile, OP(tmpfile)},
	[FUSE_STATX] = {do_statx, OP(statx)},
};

static bool
is_missing(const struct fuse_lowlevel_ops *op, size_t needs)
{
	return needs != ALWAYS && !*(void *const *)(const void *)((const char *)op + needs);
}

/* With allow_root: others get what needs an open file only. */
static bool
is_denied(const struct fuse_session *se, const struct fusek_req *kreq)
{
	static const uint64_t allowed = 1ull << FUSE_READ | 1ull << FUSE_WRITE |
					1ull << FUSE_FSYNC | 1ull << FUSE_RELEASE |
					1ull << FUSE_READDIR | 1ull << FUSE_FSYNCDIR |
					1ull << FUSE_RELEASEDIR | 1ull << FUSE_NOTIFY_REPLY |
					1ull << FUSE_READDIRPLUS | 1ull << FUSE_DESTROY |
					1ull << FUSE_FORGET | 1ull << FUSE_BATCH_FORGET;

	return se->deny_others && kreq->uid != se->owner && kreq->uid != 0 &&
	       !(allowed >> kreq->opcode & 1);
}

/* On a ring the answer overlays the names, and programs look at them after it. */
static void
copy_names(struct call *c, char room[NAME_ROOM])
{
	const struct fusek_req *kreq = c->kreq;
	size_t size = kreq->name ? strlen(kreq->name) + 1 : 0;
	size_t size2 = kreq->name2 ? strlen(kreq->name2) + 1 : 0;

	c->name = kreq->name;
	c->name2 = kreq->name2;
	if (!size || kreq->payload != kreq->out || size + size2 > NAME_ROOM)
		return;
	c->name = memcpy(room, kreq->name, size);
	if (size2)
		c->name2 = memcpy(room + size, kreq->name2, size2);
}

static void
handle(void *ctx, struct fusek_req *kreq)
{
	struct fuse_session *se = ctx;
	struct call c;
	char names[NAME_ROOM];

	c.se = se;
	c.kreq = kreq;
	c.req = ll_req(kreq);
	c.op = &se->op;
	c.ino = kreq->nodeid;
	memset(&c.fi, 0, sizeof(c.fi));
	c.req->se = se;
	c.req->ctx = (struct fuse_ctx){kreq->uid, kreq->gid, (pid_t)kreq->pid, 0};
	copy_names(&c, names);
	if (unlikely(se->debug))
		fuse_log(FUSE_LOG_DEBUG, "unique: %llu, opcode: %s (%u), nodeid: %llu, pid: %u\n",
			 (unsigned long long)kreq->unique, fusek_opcode_name(kreq->opcode),
			 kreq->opcode, (unsigned long long)kreq->nodeid, kreq->pid);
	if (unlikely(is_denied(se, kreq)))
		fuse_reply_err(c.req, EACCES);
	else if (is_missing(c.op, handlers[kreq->opcode].needs))
		fuse_reply_err(c.req, ENOSYS);
	else
		handlers[kreq->opcode].call(&c);
}

static void
ended(void *ctx)
{
	struct fuse_session *se = ctx;

	se->over = true;
	sem_post(&se->finish);
}

#define H(op) [FUSE_##op] = handle
const struct fusek_ops ll_ops = {
	.op = {H(LOOKUP), H(FORGET), H(GETATTR), H(SETATTR), H(READLINK), H(SYMLINK), H(MKNOD),
	       H(MKDIR), H(UNLINK), H(RMDIR), H(RENAME), H(LINK), H(OPEN), H(READ), H(WRITE),
	       H(STATFS), H(RELEASE), H(FSYNC), H(SETXATTR), H(GETXATTR), H(LISTXATTR),
	       H(REMOVEXATTR), H(FLUSH), H(OPENDIR), H(READDIR), H(RELEASEDIR), H(FSYNCDIR),
	       H(GETLK), H(SETLK), H(SETLKW), H(ACCESS), H(CREATE), H(BMAP), H(DESTROY), H(IOCTL),
	       H(POLL), H(BATCH_FORGET), H(FALLOCATE), H(READDIRPLUS), H(RENAME2), H(LSEEK),
	       H(COPY_FILE_RANGE), H(TMPFILE), H(STATX),
	       [FUSE_NOTIFY_REPLY] = ll_retrieve_reply},
	.negotiate = ll_negotiate,
	.ended = ended,
};
