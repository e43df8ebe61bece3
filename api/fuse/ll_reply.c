/* Answers. Each ends the request; -ENOENT says that nobody waits for it any more. */
#include "api/fuse/lowlevel.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

enum { MAX_IOV_DIRECT = 60 };

static int
reply(fuse_req_t req, const void *data, size_t size)
{
	return fusek_reply(ll_kernel_req(req), data, size);
}

static int
reply_iov(fuse_req_t req, const struct iovec *iov, int n)
{
	return fusek_reply_iov(ll_kernel_req(req), iov, n);
}

int
fuse_reply_err(fuse_req_t req, int err)
{
	return fusek_reply_err(ll_kernel_req(req), err);
}

void
fuse_reply_none(fuse_req_t req)
{
	struct fusek_req *kreq = ll_kernel_req(req);

	if (kreq->opcode)
		fusek_reply_none(kreq);
	else
		free(kreq); /* one of a batch of forgets */
}

/* Seconds as the protocol has them. Negative: 0; too many: as many as there are. */
static void
put_timeout(double timeout, uint64_t *ret_sec, uint32_t *ret_nsec)
{
	if (!(timeout > 0)) {
		*ret_sec = 0;
		*ret_nsec = 0;
	} else if (timeout >= (double)INT64_MAX) {
		*ret_sec = INT64_MAX;
		*ret_nsec = 999999999;
	} else {
		*ret_sec = (uint64_t)timeout;
		double f = (timeout - (double)*ret_sec) * 1e9;
		*ret_nsec = f < 0 ? 0 : f >= 999999999 ? 999999999 : (uint32_t)f;
	}
}

static void
put_attr(const struct stat *st, struct fuse_attr *ret_attr)
{
	*ret_attr = (struct fuse_attr){
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.blocks = (uint64_t)st->st_blocks,
		.atime = (uint64_t)st->st_atim.tv_sec,
		.mtime = (uint64_t)st->st_mtim.tv_sec,
		.ctime = (uint64_t)st->st_ctim.tv_sec,
		.atimensec = (uint32_t)st->st_atim.tv_nsec,
		.mtimensec = (uint32_t)st->st_mtim.tv_nsec,
		.ctimensec = (uint32_t)st->st_ctim.tv_nsec,
		.mode = st->st_mode,
		.nlink = (uint32_t)st->st_nlink,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.rdev = (uint32_t)st->st_rdev,
		.blksize = (uint32_t)st->st_blksize,
	};
}

static void
put_entry(const struct fuse_entry_param *e, struct fuse_entry_out *ret_entry)
{
	ret_entry->nodeid = e->ino;
	ret_entry->generation = e->generation;
	put_timeout(e->entry_timeout, &ret_entry->entry_valid, &ret_entry->entry_valid_nsec);
	put_timeout(e->attr_timeout, &ret_entry->attr_valid, &ret_entry->attr_valid_nsec);
	put_attr(&e->attr, &ret_entry->attr);
}

static struct fuse_open_out
open_out(fuse_req_t req, const struct fuse_file_info *theirs)
{
	struct fuse_file_info store = {.flags = 0}; /* backing_id is not in older layouts */
	const struct fuse_file_info *fi = fapi_file_info_read(req->se->layout, &store, theirs);
	struct fuse_open_out out = {.fh = fi->fh};

	if (fi->backing_id > 0) {
		out.backing_id = fi->backing_id;
		out.open_flags |= FOPEN_PASSTHROUGH;
	}
	out.open_flags |= (fi->direct_io ? FOPEN_DIRECT_IO : 0) |
			  (fi->keep_cache ? FOPEN_KEEP_CACHE : 0) |
			  (fi->cache_readdir ? FOPEN_CACHE_DIR : 0) |
			  (fi->nonseekable ? FOPEN_NONSEEKABLE : 0) |
			  (fi->noflush ? FOPEN_NOFLUSH : 0) |
			  (fi->parallel_direct_writes ? FOPEN_PARALLEL_DIRECT_WRITES : 0);
	return out;
}

int
fuse_reply_entry(fuse_req_t req, const struct fuse_entry_param *e)
{
	struct fuse_entry_out out;

	put_entry(e, &out);
	return reply(req, &out, sizeof(out));
}

int
fuse_reply_create(fuse_req_t req, const struct fuse_entry_param *e,
		  const struct fuse_file_info *fi)
{
	struct fuse_entry_out entry;
	struct fuse_open_out open = open_out(req, fi);
	struct iovec iov[] = {{&entry, sizeof(entry)}, {&open, sizeof(open)}};

	put_entry(e, &entry);
	return reply_iov(req, iov, 2);
}

int
fuse_reply_attr(fuse_req_t req, const struct stat *attr, double attr_timeout)
{
	struct fuse_attr_out out = {.dummy = 0};

	put_timeout(attr_timeout, &out.attr_valid, &out.attr_valid_nsec);
	put_attr(attr, &out.attr);
	return reply(req, &out, sizeof(out));
}

int
fuse_reply_statx(fuse_req_t req, int flags, struct statx *stx, double attr_timeout)
{
	struct fuse_statx_out out = {.flags = (uint32_t)flags};

	_Static_assert(sizeof(*stx) == sizeof(out.stat), "statx");
	put_timeout(attr_timeout, &out.attr_valid, &out.attr_valid_nsec);
	memcpy(&out.stat, stx, sizeof(out.stat));
	return reply(req, &out, sizeof(out));
}

int
fuse_reply_readlink(fuse_req_t req, const char *link)
{
	return reply(req, link, strlen(link));
}

int
fuse_reply_open(fuse_req_t req, const struct fuse_file_info *fi)
{
	struct fuse_open_out out = open_out(req, fi);

	return reply(req, &out, sizeof(out));
}

int
fuse_reply_write(fuse_req_t req, size_t count)
{
	struct fuse_write_out out = {.size = (uint32_t)count};

	return reply(req, &out, sizeof(out));
}

int
fuse_reply_buf(fuse_req_t req, const char *buf, size_t size)
{
	return reply(req, buf, size);
}

/* More pieces than one system call takes. */
static int
reply_gathered(fuse_req_t req, const struct iovec *iov, int n)
{
	size_t size = 0, at = 0;

	for (int i = 0; i < n; i++)
		if (__builtin_add_overflow(size, iov[i].iov_len, &size))
			return fuse_reply_err(req, EINVAL);
	CLEANUP(free_ptr) char *all = malloc(size ? size : 1);
	if (!all)
		return fuse_reply_err(req, ENOMEM);
	for (int i = 0; i < n; i++) {
		memcpy(all + at, iov[i].iov_base, iov[i].iov_len);
		at += iov[i].iov_len;
	}
	return reply(req, all, size);
}

int
fuse_reply_iov(fuse_req_t req, const struct iovec *iov, int count)
{
	return count > MAX_IOV_DIRECT ? reply_gathered(req, iov, count)
				      : reply_iov(req, iov, count);
}

/* Files are read straight into the answer's own buffer where there is one. */
int
fuse_reply_data(fuse_req_t req, struct fuse_bufvec *bufv, enum fuse_buf_copy_flags flags)
{
	const struct fapi_layout *layout = req->se->layout;
	struct fusek_req *kreq = ll_kernel_req(req);
	size_t size = fapi_bufvec_size(layout, bufv);
	struct fuse_bufvec to = FUSE_BUFVEC_INIT(size);
	const struct fuse_buf *first = fapi_bufvec_at(layout, bufv, 0);
	void *own = NULL;

	if (bufv->count == 1 && !(first->flags & FUSE_BUF_IS_FD) && bufv->idx == 0)
		return reply(req, (const char *)first->mem + bufv->off, first->size - bufv->off);
	bool in_place = kreq->out && size <= kreq->out_cap;
	to.buf[0].mem = in_place ? kreq->out : (own = malloc(size ? size : 1));
	if (!to.buf[0].mem)
		return fuse_reply_err(req, ENOMEM);
	ssize_t n = fapi_bufvec_copy(fapi_layout_newest(), &to, layout, bufv, flags);
	int ret = n < 0	     ? fuse_reply_err(req, (int)-n)
		  : in_place ? fusek_reply_in_place(kreq, (size_t)n)
			     : reply(req, own, (size_t)n);
	free(own);
	return ret;
}

int
fuse_reply_statfs(fuse_req_t req, const struct statvfs *st)
{
	struct fuse_statfs_out out = {
		.st = {.blocks = st->f_blocks,
		       .bfree = st->f_bfree,
		       .bavail = st->f_bavail,
		       .files = st->f_files,
		       .ffree = st->f_ffree,
		       .bsize = (uint32_t)st->f_bsize,
		       .namelen = (uint32_t)st->f_namemax,
		       .frsize = (uint32_t)st->f_frsize}};

	return reply(req, &out, sizeof(out));
}

int
fuse_reply_xattr(fuse_req_t req, size_t count)
{
	struct fuse_getxattr_out out = {.size = (uint32_t)count};

	return reply(req, &out, sizeof(out));
}

int
fuse_reply_lock(fuse_req_t req, const struct flock *lock)
{
	struct fuse_lk_out out = {.lk = {.type = (uint32_t)lock->l_type}};

	if (lock->l_type != F_UNLCK) {
		out.lk.start = (uint64_t)lock->l_start;
		out.lk.end = lock->l_len == 0 ? INT64_MAX
					      : (uint64_t)(lock->l_start + lock->l_len - 1);
	}
	out.lk.pid = (uint32_t)lock->l_pid;
	return reply(req, &out, sizeof(out));
}

int
fuse_reply_bmap(fuse_req_t req, uint64_t idx)
{
	struct fuse_bmap_out out = {.block = idx};

	return reply(req, &out, sizeof(out));
}

static void
put_ioctl_iovec(struct fuse_ioctl_iovec *to, const struct iovec *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = (struct fuse_ioctl_iovec){(uintptr_t)from[i].iov_base, from[i].iov_len};
}

int
fuse_reply_ioctl_retry(fuse_req_t req, const struct iovec *in_iov, size_t in_count,
		       const struct iovec *out_iov, size_t out_count)
{
	struct fuse_ioctl_iovec all[FUSE_IOCTL_MAX_IOV];
	struct fuse_ioctl_out out = {.flags = FUSE_IOCTL_RETRY,
				     .in_iovs = (uint32_t)in_count,
				     .out_iovs = (uint32_t)out_count};

	if (in_count > FUSE_IOCTL_MAX_IOV || out_count > FUSE_IOCTL_MAX_IOV - in_count)
		return fuse_reply_err(req, EINVAL);
	put_ioctl_iovec(all, in_iov, in_count);
	put_ioctl_iovec(all + in_count, out_iov, out_count);
	struct iovec iov[] = {{&out, sizeof(out)}, {all, (in_count + out_count) * sizeof(all[0])}};
	return reply_iov(req, iov, 2);
}

int
fuse_reply_ioctl(fuse_req_t req, int result, const void *buf, size_t size)
{
	struct iovec iov = {(void *)(uintptr_t)buf, size};

	return fuse_reply_ioctl_iov(req, result, &iov, size ? 1 : 0);
}

int
fuse_reply_ioctl_iov(fuse_req_t req, int result, const struct iovec *iov, int count)
{
	struct fuse_ioctl_out out = {.result = result};
	CLEANUP(free_ptr) struct iovec *all = calloc((size_t)count + 1, sizeof(*all));

	if (!all)
		return fuse_reply_err(req, ENOMEM);
	all[0] = (struct iovec){&out, sizeof(out)};
	for (int i = 0; i < count; i++)
		all[i + 1] = iov[i];
	return fuse_reply_iov(req, all, count + 1);
}

int
fuse_reply_poll(fuse_req_t req, unsigned revents)
{
	struct fuse_poll_out out = {.revents = revents};

	return reply(req, &out, sizeof(out));
}

int
fuse_reply_lseek(fuse_req_t req, off_t off)
{
	struct fuse_lseek_out out = {.offset = (uint64_t)off};

	return reply(req, &out, sizeof(out));
}

/* Of a whole entry of the given name offset; the size it needs, written only where it fits. */
static size_t
add_dirent(char *buf, size_t bufsize, size_t name_offset, const char *name, uint64_t ino,
	   uint32_t mode, off_t off)
{
	size_t n = strlen(name), size = FUSE_DIRENT_ALIGN(name_offset + n);

	if (!buf || size > bufsize)
		return size;
	struct fuse_dirent *d = (void *)(buf + name_offset - FUSE_NAME_OFFSET);
	d->ino = ino;
	d->off = (uint64_t)off;
	d->namelen = (uint32_t)n;
	d->type = (mode & S_IFMT) >> 12;
	memcpy(d->name, name, n);
	memset(d->name + n, 0, size - name_offset - n);
	return size;
}

size_t
fuse_add_direntry(fuse_req_t req, char *buf, size_t bufsize, const char *name,
		  const struct stat *st, off_t off)
{
	return add_dirent(buf, bufsize, FUSE_NAME_OFFSET, name, buf ? st->st_ino : 0,
			  buf ? st->st_mode : 0, off);
}

size_t
fuse_add_direntry_plus(fuse_req_t req, char *buf, size_t bufsize, const char *name,
		       const struct fuse_entry_param *e, off_t off)
{
	size_t size = add_dirent(buf, bufsize, FUSE_NAME_OFFSET_DIRENTPLUS, name,
				 buf ? e->attr.st_ino : 0, buf ? e->attr.st_mode : 0, off);

	if (buf && size <= bufsize)
		put_entry(e, &((struct fuse_direntplus *)(void *)buf)->entry_out);
	return size;
}
