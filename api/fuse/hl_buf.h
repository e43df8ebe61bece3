/* Buffers in our layout: what the high-level API does with them. */
#ifndef USERDRIVE_API_FUSE_HL_BUF_H
#define USERDRIVE_API_FUSE_HL_BUF_H

#include "api/fuse/hl_api.h"

/* One piece of memory of size bytes, malloc'ed like the vector itself; NULL without memory. */
struct fuse_bufvec *hl_buf_create(size_t size);
/* For CLEANUP: frees *vec and the memory of its pieces. */
void hl_buf_free(struct fuse_bufvec **vec);

/* The memory of a vector that is one piece of memory; NULL if it is not. */
char *hl_buf_flat(struct fuse_bufvec *vec, size_t *ret_size);
size_t hl_buf_total(const struct fuse_bufvec *vec);
/* Copies at most size bytes to buf; the number, or -errno. */
ssize_t hl_buf_flatten(struct fuse_bufvec *vec, char *buf, size_t size);

/* Takes a feature out of what is asked for, in both words that say so. */
void hl_conn_drop(struct fuse_conn_info *conn, uint64_t feature);

#endif
