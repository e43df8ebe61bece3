/*
 * Data in pieces: sizes and copies between memory and descriptors.
 *
 * A vector is walked by its own idx and off, so a copy can be continued. Pieces of older layouts
 * are shorter; only a vector's layout knows where the next one begins.
 */
#include "api/fuse/layout.h"
#include "base/compiler.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where a copy stands in a vector. */
struct cursor {
	const struct fapi_layout *layout;
	struct fuse_bufvec *vec;
};

/* One step: a stretch of one piece. */
struct stretch {
	struct fuse_buf *buf;
	size_t off; /* in buf */
	size_t len;
};

size_t
fapi_bufvec_size(const struct fapi_layout *layout, const struct fuse_bufvec *vec)
{
	size_t i, total = 0;

	for (i = 0; i < vec->count; i++)
		if (add_overflows(total, fapi_bufvec_at(layout, vec, i)->size, &total))
			return SIZE_MAX;
	return total;
}

static const struct fuse_buf *
cursor_buf(const struct cursor *c)
{
	return c->vec->idx < c->vec->count ? fapi_bufvec_at(c->layout, c->vec, c->vec->idx) : NULL;
}

/* Moves on by len bytes of the current piece, and over what is then used up. True: at the end. */
static bool
cursor_advance(struct cursor *c, size_t len)
{
	const struct fuse_buf *buf = cursor_buf(c);

	if (!buf)
		return true;
	c->vec->off += len;
	assert(c->vec->off <= buf->size);
	if (c->vec->off == buf->size) {
		c->vec->idx++;
		c->vec->off = 0;
	}
	return c->vec->idx >= c->vec->count;
}

static bool
retries(const struct fuse_buf *buf)
{
	return (buf->flags & FUSE_BUF_FD_RETRY) != 0;
}

/* pread or read, pwrite or write: one call. */
static ssize_t
fd_io(const struct fuse_buf *buf, size_t off, char *mem, size_t len, bool writing)
{
	ssize_t n;

	if (buf->flags & FUSE_BUF_FD_SEEK) {
		off_t pos = buf->pos + (off_t)off;

		n = writing ? pwrite(buf->fd, mem, len, pos) : pread(buf->fd, mem, len, pos);
	} else {
		n = writing ? write(buf->fd, mem, len) : read(buf->fd, mem, len);
	}
	return n < 0 ? -errno : n;
}

/* Bytes moved between a descriptor and memory; -errno if the first call failed. */
static ssize_t
fd_mem(const struct fuse_buf *buf, size_t off, char *mem, size_t len, bool writing)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = fd_io(buf, off + done, mem + done, len - done, writing);

		if (n < 0)
			return done ? (ssize_t)done : n;
		if (n == 0)
			break;
		done += (size_t)n;
		if (!retries(buf))
			break;
	}
	return (ssize_t)done;
}

/* Between descriptors by way of memory. */
static ssize_t
fd_fd_bounce(const struct stretch *to, const struct stretch *from, size_t len)
{
	char mem[4096];
	size_t done = 0;

	while (done < len) {
		size_t want = MIN(len - done, sizeof(mem));
		ssize_t got = fd_mem(from->buf, from->off + done, mem, want, false);
		ssize_t put;

		if (got <= 0)
			return done || got == 0 ? (ssize_t)done : got;
		put = fd_mem(to->buf, to->off + done, mem, (size_t)got, true);
		if (put < 0)
			return done ? (ssize_t)done : put;
		if (put == 0)
			break;
		done += (size_t)put;
		if (put != got || (size_t)got < want)
			break;
	}
	return (ssize_t)done;
}

static unsigned
splice_flags(enum fuse_buf_copy_flags flags)
{
	return ((flags & FUSE_BUF_SPLICE_MOVE) ? SPLICE_F_MOVE : 0) |
	       ((flags & FUSE_BUF_SPLICE_NONBLOCK) ? SPLICE_F_NONBLOCK : 0);
}

/* Between descriptors, one of which is a pipe. */
static ssize_t
fd_fd_splice(const struct stretch *to, const struct stretch *from, size_t len,
	     enum fuse_buf_copy_flags flags)
{
	off_t from_pos = from->buf->pos + (off_t)from->off, to_pos = to->buf->pos + (off_t)to->off;
	off_t *from_at = (from->buf->flags & FUSE_BUF_FD_SEEK) ? &from_pos : NULL;
	off_t *to_at = (to->buf->flags & FUSE_BUF_FD_SEEK) ? &to_pos : NULL;
	size_t done = 0;

	while (done < len) {
		ssize_t n = splice(from->buf->fd, from_at, to->buf->fd, to_at, len - done,
				   splice_flags(flags));

		if (n < 0) {
			if (done)
				break;
			if (errno != EINVAL || (flags & FUSE_BUF_FORCE_SPLICE))
				return -errno;
			/* neither is a pipe, or the file system does not splice */
			return fd_fd_bounce(to, from, len);
		}
		if (n == 0)
			break;
		done += (size_t)n;
		if (!retries(from->buf) && !retries(to->buf))
			break;
	}
	return (ssize_t)done;
}

static ssize_t
mem_mem(const struct stretch *to, const struct stretch *from, size_t len)
{
	char *dst = (char *)to->buf->mem + to->off;
	const char *src = (const char *)from->buf->mem + from->off;

	if (dst != src)
		memmove(dst, src, len);
	return (ssize_t)len;
}

static ssize_t
copy_one(const struct stretch *to, const struct stretch *from, size_t len,
	 enum fuse_buf_copy_flags flags)
{
	bool to_fd = to->buf->flags & FUSE_BUF_IS_FD, from_fd = from->buf->flags & FUSE_BUF_IS_FD;

	if (!to_fd && !from_fd)
		return mem_mem(to, from, len);
	if (!to_fd)
		return fd_mem(from->buf, from->off, (char *)to->buf->mem + to->off, len, false);
	if (!from_fd)
		return fd_mem(to->buf, to->off, (char *)from->buf->mem + from->off, len, true);
	if (flags & FUSE_BUF_NO_SPLICE)
		return fd_fd_bounce(to, from, len);
	return fd_fd_splice(to, from, len, flags);
}

ssize_t
fapi_bufvec_copy(const struct fapi_layout *to_layout, struct fuse_bufvec *to,
		 const struct fapi_layout *from_layout, struct fuse_bufvec *from,
		 enum fuse_buf_copy_flags flags)
{
	struct cursor dst = { to_layout, to }, src = { from_layout, from };
	size_t copied = 0;

	if (to == from)
		return (ssize_t)fapi_bufvec_size(to_layout, to);
	for (;;) {
		struct fuse_buf *src_buf = (struct fuse_buf *)(uintptr_t)cursor_buf(&src);
		struct fuse_buf *dst_buf = (struct fuse_buf *)(uintptr_t)cursor_buf(&dst);
		struct stretch s, d;
		bool at_end;
		ssize_t n;
		size_t len;

		if (!src_buf || !dst_buf)
			break;
		s = (struct stretch){ src_buf, from->off, src_buf->size - from->off };
		d = (struct stretch){ dst_buf, to->off, dst_buf->size - to->off };
		len = MIN(s.len, d.len);
		n = copy_one(&d, &s, len, flags);
		if (n < 0)
			return copied ? (ssize_t)copied : n;
		copied += (size_t)n;
		at_end = cursor_advance(&src, (size_t)n);
		at_end |= cursor_advance(&dst, (size_t)n);
		if (at_end || (size_t)n < len)
			break;
	}
	return (ssize_t)copied;
}

struct fuse_bufvec *
fapi_bufvec_convert(const struct fapi_layout *to_layout, const struct fapi_layout *from_layout,
		    const struct fuse_bufvec *from)
{
	size_t size, i;
	struct fuse_bufvec *to;

	if (mul_overflows(from->count, to_layout->buf_size, &size) ||
	    add_overflows(size, offsetof(struct fuse_bufvec, buf), &size))
		return NULL;
	to = calloc(1, MAX(size, sizeof(*to)));
	if (!to)
		return NULL;
	to->count = from->count;
	to->idx = from->idx;
	to->off = from->off;
	for (i = 0; i < from->count; i++)
		memcpy(fapi_bufvec_at(to_layout, to, i), fapi_bufvec_at(from_layout, from, i),
		       MIN(to_layout->buf_size, from_layout->buf_size));
	return to;
}

/* ---------------------------------------------------------------- for programs */

size_t
fuse_buf_size(const struct fuse_bufvec *bufv)
{
	return fapi_bufvec_size(fapi_layout_library(), bufv);
}

ssize_t
fuse_buf_copy(struct fuse_bufvec *dst, struct fuse_bufvec *src, enum fuse_buf_copy_flags flags)
{
	const struct fapi_layout *layout = fapi_layout_library();

	return fapi_bufvec_copy(layout, dst, layout, src, flags);
}
