/* Messages to the kernel that answer nothing. */
#include "api/fuse/lowlevel.h"

#include <errno.h>
#include <stdlib.h>

struct retrieve {
	struct list node;
	uint64_t unique;
	void *cookie;
};

static struct fusek_session *
kernel_of(struct fuse_session *se)
{
	return se ? atomic_load(&se->kernel) : NULL;
}

int
fuse_lowlevel_notify_poll(struct fuse_pollhandle *ph)
{
	struct fusek_session *k = ph ? kernel_of(ph->se) : NULL;

	return !ph ? 0 : k ? fusek_notify_poll(k, ph->kh) : -ENOTCONN;
}

void
fuse_pollhandle_destroy(struct fuse_pollhandle *ph)
{
	free(ph);
}

int
fuse_lowlevel_notify_inval_inode(struct fuse_session *se, fuse_ino_t ino, off_t off, off_t len)
{
	struct fusek_session *k = kernel_of(se);

	return !se ? -EINVAL : k ? fusek_notify_inval_inode(k, ino, off, len) : -ENOTCONN;
}

int
fuse_lowlevel_notify_inval_entry(struct fuse_session *se, fuse_ino_t parent, const char *name,
				 size_t namelen)
{
	struct fusek_session *k = kernel_of(se);

	return !se ? -EINVAL
	       : k ? fusek_notify_inval_entry(k, parent, name, namelen, false)
		   : -ENOTCONN;
}

int
fuse_lowlevel_notify_expire_entry(struct fuse_session *se, fuse_ino_t parent, const char *name,
				  size_t namelen)
{
	struct fusek_session *k = kernel_of(se);

	if (!se)
		return -EINVAL;
	if (!(se->conn.capable_ext & FUSE_CAP_EXPIRE_ONLY))
		return -ENOSYS;
	return k ? fusek_notify_inval_entry(k, parent, name, namelen, true) : -ENOTCONN;
}

int
fuse_lowlevel_notify_delete(struct fuse_session *se, fuse_ino_t parent, fuse_ino_t child,
			    const char *name, size_t namelen)
{
	struct fusek_session *k = kernel_of(se);

	return !se ? -EINVAL
	       : k ? fusek_notify_delete(k, parent, child, name, namelen)
		   : -ENOTCONN;
}

int
fuse_lowlevel_notify_increment_epoch(struct fuse_session *se)
{
	struct fusek_session *k = kernel_of(se);

	return !se ? -EINVAL : k ? fusek_notify_inc_epoch(k) : -ENOTCONN;
}

int
fuse_lowlevel_notify_store(struct fuse_session *se, fuse_ino_t ino, off_t offset,
			   struct fuse_bufvec *bufv, enum fuse_buf_copy_flags flags)
{
	struct fusek_session *k = kernel_of(se);

	if (!se)
		return -EINVAL;
	size_t size = fapi_bufvec_size(se->layout, bufv);
	struct fuse_bufvec to = FUSE_BUFVEC_INIT(size);
	CLEANUP(free_ptr) void *bytes = malloc(size ? size : 1);
	if (!k || !bytes || size > UINT32_MAX)
		return !k ? -ENOTCONN : !bytes ? -ENOMEM : -EINVAL;
	to.buf[0].mem = bytes;
	ssize_t n = fapi_bufvec_copy(fapi_layout_newest(), &to, se->layout, bufv, flags);
	return n < 0 ? (int)n
		     : fusek_notify_store(k, ino, (uint64_t)offset, bytes, (uint32_t)n);
}

static struct retrieve *
retrieve_take(struct fuse_session *se, uint64_t unique)
{
	struct retrieve *found = NULL;

	mutex_lock(&se->lock);
	list_for_each(pos, &se->retrieves) {
		struct retrieve *r = list_entry(pos, struct retrieve, node);

		if (r->unique == unique)
			found = r;
	}
	if (found)
		list_remove(&found->node);
	mutex_unlock(&se->lock);
	return found;
}

int
fuse_lowlevel_notify_retrieve(struct fuse_session *se, fuse_ino_t ino, size_t size, off_t offset,
			      void *cookie)
{
	struct fusek_session *k = kernel_of(se);
	struct retrieve *r = malloc(sizeof(*r));

	if (!se || !k || !r) {
		free(r);
		return !se ? -EINVAL : !k ? -ENOTCONN : -ENOMEM;
	}
	r->cookie = cookie;
	mutex_lock(&se->lock);
	uint64_t unique = r->unique = se->last_retrieve += 2;
	list_insert(&se->retrieves, &r->node);
	mutex_unlock(&se->lock);
	int err = fusek_notify_retrieve(k, unique, ino, (uint64_t)offset,
					(uint32_t)MIN(size, (size_t)UINT32_MAX));
	if (err < 0)
		free(retrieve_take(se, unique));
	return err;
}

void
ll_retrieve_reply(void *ctx, struct fusek_req *kreq)
{
	struct fuse_session *se = ctx;
	const struct fuse_notify_retrieve_in *in = kreq->arg;
	struct fuse_bufvec bufv = FUSE_BUFVEC_INIT(kreq->data_size);
	CLEANUP(free_ptr) struct retrieve *r = retrieve_take(se, kreq->unique);
	struct fuse_req *req = ll_req(kreq);

	req->se = se;
	bufv.buf[0].mem = (void *)(uintptr_t)kreq->data;
	if (r && se->op.retrieve_reply)
		se->op.retrieve_reply(req, r->cookie, kreq->nodeid, (off_t)in->offset, &bufv);
	else
		fuse_reply_none(req);
}

void
ll_retrieves_free(struct fuse_session *se)
{
	list_for_each_safe(pos, tmp, &se->retrieves)
		free(list_entry(pos, struct retrieve, node));
}
