/* What a program can ask about a request. */
#include "api/fuse/lowlevel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *
fuse_req_userdata(fuse_req_t req)
{
	return req->se->userdata;
}

const struct fuse_ctx *
fuse_req_ctx(fuse_req_t req)
{
	return &req->ctx;
}

/* The numbers of a "Groups:" line. */
static int
parse_groups(const char *text, int size, gid_t list[])
{
	int n = 0;
	char *end;

	for (;; text = end) {
		unsigned long gid = strtoul(text, &end, 10);

		if (end == text)
			return n;
		if (n < size)
			list[n] = (gid_t)gid;
		n++;
	}
}

int
fuse_req_getgroups(fuse_req_t req, int size, gid_t list[])
{
	char path[64];
	char *line = NULL;
	size_t cap = 0;
	int n = -EIO;

	snprintf(path, sizeof(path), "/proc/%lu/task/%lu/status", (unsigned long)req->ctx.pid,
		 (unsigned long)req->ctx.pid);
	FILE *f = fopen(path, "re");
	if (!f)
		return -errno;
	while (n < 0 && getline(&line, &cap, f) > 0)
		if (strncmp(line, "Groups:", 7) == 0)
			n = parse_groups(line + 7, size, list);
	free(line);
	fclose(f);
	return n;
}

static void
call_interrupt(void *arg)
{
	struct fuse_req *req = arg;

	req->on_interrupt(req, req->on_interrupt_data);
}

void
fuse_req_interrupt_func(fuse_req_t req, fuse_interrupt_func_t func, void *data)
{
	struct fusek_req *kreq = ll_kernel_req(req);

	fusek_req_on_interrupt(kreq, NULL, NULL);
	req->on_interrupt = func;
	req->on_interrupt_data = data;
	if (func)
		fusek_req_on_interrupt(kreq, call_interrupt, req);
}

int
fuse_req_interrupted(fuse_req_t req)
{
	return fusek_req_interrupted(ll_kernel_req(req));
}

static bool
is_uring(fuse_req_t req)
{
	struct fusek_info info;

	fusek_session_info(ll_kernel_req(req)->session, &info);
	return info.transport == FUSEK_TRANSPORT_URING;
}

bool
fuse_req_is_uring(fuse_req_t req)
{
	return is_uring(req);
}

int
fuse_req_get_payload(fuse_req_t req, char **payload, size_t *payload_sz, void **mr)
{
	struct fusek_req *kreq = ll_kernel_req(req);

	if (!is_uring(req))
		return -EINVAL;
	*payload = kreq->out;
	*payload_sz = kreq->out_cap;
	if (mr)
		*mr = NULL;
	return 0;
}

int
fuse_passthrough_open(fuse_req_t req, int fd)
{
	int id = fusek_backing_open(ll_kernel_req(req)->session, fd);

	if (id <= 0)
		fuse_log(FUSE_LOG_ERR, "fuse: passthrough_open: %s\n", strerror(-id));
	return id > 0 ? id : 0;
}

int
fuse_passthrough_close(fuse_req_t req, int backing_id)
{
	fusek_backing_close(ll_kernel_req(req)->session, backing_id);
	return 0;
}
