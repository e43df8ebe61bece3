/*
 * The low-level API over our kernel protocol layer: what its files share.
 *
 * A session of the API has a session of the protocol (kernel) from its first loop or message on. A
 * fuse_req lives in the user area of the protocol's request, so it needs no memory of its own and
 * ends with the answer, or with the session when nobody answers.
 *
 * What crosses to or from the program is in the session's layout (layout.h); all here is in ours.
 */
#ifndef USERDRIVE_API_FUSE_LOWLEVEL_H
#define USERDRIVE_API_FUSE_LOWLEVEL_H

#include <semaphore.h>
#include <stdatomic.h>

#include "api/fuse/layout.h"
#include "base/list.h"
#include "base/mutex.h"
#include "fuse/mount.h"
#include "fuse/session.h"

struct fuse_session {
	/* Constant after fuse_session_new. */
	struct fuse_lowlevel_ops op;
	const struct fapi_layout *layout;
	void *userdata;
	struct fusek_mount_options mount;
	enum fusek_transport transport;
	bool debug, deny_others;
	uid_t owner;

	struct fuse_conn_info conn; /* written by INIT, before any other request */
	bool got_init;              /* likewise */
	atomic_bool destroyed;      /* op.destroy was called */

	int fd; /* the device; the kernel session's once there is one */
	char *mountpoint;
	struct fuse_custom_io io; /* read NULL: none */
	struct fusek_session *_Atomic kernel;
	bool over; /* the loop ended because the connection did; of the loop's thread */

	atomic_int exited;
	atomic_int error; /* a signal's number, or -errno; what loops return */
	sem_t finish;     /* posted by exit and by the end of a threaded session */

	struct mutex lock; /* rules the making of kernel, and the rest */
	struct list retrieves;
	uint64_t last_retrieve;
};

struct fuse_req {
	struct fuse_session *se;
	struct fuse_ctx ctx;
	fuse_interrupt_func_t on_interrupt;
	void *on_interrupt_data;
};

struct fuse_pollhandle {
	uint64_t kh;
	struct fuse_session *se;
};

_Static_assert(sizeof(struct fuse_req) <= FUSEK_REQ_USER_SIZE, "fuse_req");

static inline struct fusek_req *
ll_kernel_req(struct fuse_req *req)
{
	return container_of((unsigned char *)req, struct fusek_req, user[0]);
}

static inline struct fuse_req *
ll_req(struct fusek_req *kreq)
{
	return (struct fuse_req *)(void *)kreq->user;
}

/* ll_ops.c: the protocol's handlers. */
extern const struct fusek_ops ll_ops;
/* ll_init.c */
void ll_negotiate(void *ctx, struct fusek_negotiation *negotiation);
/* ll_session.c: makes the protocol's session if there is none yet. NULL with errno set. */
struct fusek_session *ll_kernel(struct fuse_session *se, const struct fusek_config *config);
/* ll_notify.c */
void ll_retrieve_reply(void *ctx, struct fusek_req *kreq);
void ll_retrieves_free(struct fuse_session *se);
/* ll_mount.c: an -o item or flag. 1: not ours, 0: taken, -1 after a message. */
int ll_option_take(struct fuse_session *se, const char *arg);
/* op.destroy, once, if INIT was seen. */
void ll_destroy_once(struct fuse_session *se);

#endif
