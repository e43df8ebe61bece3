/*
 * The threads of the iSCSI door: a small pool over one epoll, for all portals and connections of
 * the process. Descriptors are armed for one event at a time (EPOLLONESHOT), so one thread has a
 * source at a time; a callback that is slow holds one thread, and when every thread is held the
 * pool grows.
 *
 * A source is known by a handle, so that an event which was on its way when the source was removed
 * finds nobody. The loop holds a reference to each source that it knows.
 *
 * Threads: all functions from any thread; put not from a thread of the loop.
 */
#ifndef USERDRIVE_ISCSI_LOOP_H
#define USERDRIVE_ISCSI_LOOP_H

#include "base/list.h"

struct iscsi_loop;
struct iscsi_source;

struct iscsi_source_ops {
	void (*event)(struct iscsi_source *source, uint32_t events);
	/* About five times a second, on a thread of its own that must not be held up. */
	void (*tick)(struct iscsi_source *source, uint64_t now_ns);
	void (*ref)(struct iscsi_source *source);
	void (*unref)(struct iscsi_source *source);
};

struct iscsi_source {
	const struct iscsi_source_ops *ops;
	int fd;
	uint64_t handle; /* the loop's */
};

/* Something to run on a thread of the pool, once. */
struct iscsi_work {
	struct list link;
	void (*run)(struct iscsi_work *work);
};

/* The process's loop; the first reference starts it, the last joins its threads. */
NODISCARD int iscsi_loop_get(struct iscsi_loop **ret_loop);
void iscsi_loop_put(struct iscsi_loop *loop);

/* source->fd is watched for events (EPOLLIN…; 0: only its end). 0 or -errno. */
NODISCARD int iscsi_loop_add(struct iscsi_loop *loop, struct iscsi_source *source, uint32_t events);
/* Once more, after an event. Harmless after remove. */
void iscsi_loop_arm(struct iscsi_loop *loop, struct iscsi_source *source, uint32_t events);
/* No event starts after it; one may be under way. Idempotent. Drops the loop's reference. */
void iscsi_loop_remove(struct iscsi_loop *loop, struct iscsi_source *source);
/* work must not be queued already. */
void iscsi_loop_post(struct iscsi_loop *loop, struct iscsi_work *work);

#endif
