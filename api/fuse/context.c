#include "api/fuse/context.h"

#include <errno.h>

static _Thread_local struct hl_context current;

struct hl_context *
hl_context_get(void)
{
	return &current;
}

void
hl_context_enter(struct fuse *f, fuse_req_t req)
{
	const struct fuse_ctx *who = req ? fuse_req_ctx(req) : NULL;

	current.req = req;
	current.fs = NULL;
	current.pub = (struct fuse_context){.fuse = f};
	if (!who)
		return;
	current.pub.uid = who->uid;
	current.pub.gid = who->gid;
	current.pub.pid = who->pid;
	current.pub.umask = who->umask;
}

struct fuse_context *
hl_get_context(void)
{
	return current.pub.fuse ? &current.pub : NULL;
}

int
hl_getgroups(int size, gid_t list[])
{
	return current.req ? fuse_req_getgroups(current.req, size, list) : -EINVAL;
}

int
hl_interrupted(void)
{
	return current.req ? fuse_req_interrupted(current.req) : 0;
}
