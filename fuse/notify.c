/* Messages to the kernel that answer nothing, and backing descriptors. */
#include "fuse/session_priv.h"

#include <errno.h>
#include <sys/ioctl.h>

static int
notify(struct fusek_session *s, enum fuse_notify_code code, const struct iovec *iov, int n_iov)
{
	struct fuse_out_header header = {.len = sizeof(header), .error = (int32_t)code};

	if (!atomic_load(&s->ready))
		return -ENOTCONN;
	for (int i = 0; i < n_iov; i++)
		header.len += (uint32_t)iov[i].iov_len;
	return fusek_dev_write(s, &header, iov, n_iov);
}

/* The kernel wants the terminating NUL as well. */
static int
notify_name(struct fusek_session *s, enum fuse_notify_code code, void *head, size_t head_size,
	    const char *name, size_t name_size)
{
	struct iovec iov[] = {{head, head_size},
			      {(void *)(uintptr_t)name, name_size},
			      {(void *)(uintptr_t) "", 1}};

	return notify(s, code, iov, ARRAY_SIZE(iov));
}

int
fusek_notify_inval_inode(struct fusek_session *s, uint64_t nodeid, int64_t offset, int64_t length)
{
	struct fuse_notify_inval_inode_out out = {.ino = nodeid, .off = offset, .len = length};
	struct iovec iov = {&out, sizeof(out)};

	return notify(s, FUSE_NOTIFY_INVAL_INODE, &iov, 1);
}

int
fusek_notify_inval_entry(struct fusek_session *s, uint64_t parent, const char *name,
			 size_t name_size, bool expire_only)
{
	struct fuse_notify_inval_entry_out out = {.parent = parent, .namelen = (uint32_t)name_size};

	/* An older kernel takes flags for padding and invalidates, which is more, not less. */
	if (expire_only && s->flags & FUSE_HAS_EXPIRE_ONLY)
		out.flags = FUSE_EXPIRE_ONLY;
	return notify_name(s, FUSE_NOTIFY_INVAL_ENTRY, &out, sizeof(out), name, name_size);
}

int
fusek_notify_delete(struct fusek_session *s, uint64_t parent, uint64_t child, const char *name,
		    size_t name_size)
{
	struct fuse_notify_delete_out out = {
		.parent = parent, .child = child, .namelen = (uint32_t)name_size};

	return notify_name(s, FUSE_NOTIFY_DELETE, &out, sizeof(out), name, name_size);
}

int
fusek_notify_store(struct fusek_session *s, uint64_t nodeid, uint64_t offset, const void *data,
		   uint32_t size)
{
	struct fuse_notify_store_out out = {.nodeid = nodeid, .offset = offset, .size = size};
	struct iovec iov[] = {{&out, sizeof(out)}, {(void *)(uintptr_t)data, size}};

	return notify(s, FUSE_NOTIFY_STORE, iov, ARRAY_SIZE(iov));
}

int
fusek_notify_retrieve(struct fusek_session *s, uint64_t unique, uint64_t nodeid, uint64_t offset,
		      uint32_t size)
{
	struct fuse_notify_retrieve_out out = {
		.notify_unique = unique, .nodeid = nodeid, .offset = offset, .size = size};
	struct iovec iov = {&out, sizeof(out)};

	return notify(s, FUSE_NOTIFY_RETRIEVE, &iov, 1);
}

int
fusek_notify_poll(struct fusek_session *s, uint64_t kh)
{
	struct fuse_notify_poll_wakeup_out out = {.kh = kh};
	struct iovec iov = {&out, sizeof(out)};

	return notify(s, FUSE_NOTIFY_POLL, &iov, 1);
}

int
fusek_notify_inc_epoch(struct fusek_session *s)
{
	return s->minor < 44 ? -ENOSYS : notify(s, FUSE_NOTIFY_INC_EPOCH, NULL, 0);
}

int
fusek_backing_open(struct fusek_session *s, int fd)
{
	struct fuse_backing_map map = {.fd = fd};

	if (!(s->flags & FUSE_PASSTHROUGH))
		return -EOPNOTSUPP;
	int id = ioctl(s->dev_fd, FUSE_DEV_IOC_BACKING_OPEN, &map);
	return id < 0 ? -errno : id;
}

void
fusek_backing_close(struct fusek_session *s, int backing_id)
{
	uint32_t id = (uint32_t)backing_id;

	/* Fails only when the connection, and the id with it, is gone. */
	ioctl(s->dev_fd, FUSE_DEV_IOC_BACKING_CLOSE, &id);
}
