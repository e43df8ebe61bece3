#include "api/fuse/hl_buf.h"

#include <stdlib.h>

#include "api/fuse/layout.h"

struct fuse_bufvec *
hl_buf_create(size_t size)
{
	struct fuse_bufvec *vec = calloc(1, sizeof(*vec));

	if (!vec)
		return NULL;
	vec->count = 1;
	vec->buf[0].size = size;
	vec->buf[0].fd = -1;
	vec->buf[0].mem = malloc(size ? size : 1);
	if (!vec->buf[0].mem)
		free(take(&vec));
	return vec;
}

void
hl_buf_free(struct fuse_bufvec **vec)
{
	if (!*vec)
		return;
	for (size_t i = 0; i < (*vec)->count; i++)
		if (!((*vec)->buf[i].flags & FUSE_BUF_IS_FD))
			free((*vec)->buf[i].mem);
	free(*vec);
	*vec = NULL;
}

char *
hl_buf_flat(struct fuse_bufvec *vec, size_t *ret_size)
{
	if (vec->count != 1 || vec->idx || vec->off || (vec->buf[0].flags & FUSE_BUF_IS_FD))
		return NULL;
	*ret_size = vec->buf[0].size;
	return vec->buf[0].mem;
}

size_t
hl_buf_total(const struct fuse_bufvec *vec)
{
	return fapi_bufvec_size(fapi_layout_newest(), vec);
}

ssize_t
hl_buf_flatten(struct fuse_bufvec *vec, char *buf, size_t size)
{
	struct fuse_bufvec to = {.count = 1, .buf = {{.size = size, .mem = buf, .fd = -1}}};

	return fapi_bufvec_copy(fapi_layout_newest(), &to, fapi_layout_newest(), vec, 0);
}

void
hl_conn_drop(struct fuse_conn_info *conn, uint64_t feature)
{
	conn->want &= ~(uint32_t)feature;
	conn->want_ext &= ~feature;
}
