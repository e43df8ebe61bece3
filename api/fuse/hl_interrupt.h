/*
 * `-o intr`: a thread whose request was interrupted gets a signal, again every second until its
 * callback ends, since one that comes just before a system call blocks would be lost. The signals
 * are sent by a thread of their own, started with the first interrupt: whoever reports an
 * interrupt (it may serve requests) goes on at once.
 */
#ifndef USERDRIVE_API_FUSE_HL_INTERRUPT_H
#define USERDRIVE_API_FUSE_HL_INTERRUPT_H

#include <pthread.h>

#include "api/fuse/hl_api.h"
#include "base/list.h"
#include "base/mutex.h"

struct hl_interrupts {
	bool enabled;
	bool handler_set; /* ours, for this signal */
	int signal;
	struct mutex lock;
	struct cond changed;
	struct list pending; /* struct hl_interruptible */
	bool thread_runs, stop;
	pthread_t thread;
};

/* A callback at work. */
struct hl_interruptible {
	struct hl_interrupts *of; /* NULL: not armed */
	fuse_req_t req;
	pthread_t thread;
	struct list link;
};

void hl_interrupts_init(struct hl_interrupts *i);
/* An empty handler for signal, unless the program has one. 0 or -errno. */
NODISCARD int hl_interrupts_enable(struct hl_interrupts *i, int signal);
void hl_interrupts_fini(struct hl_interrupts *i);

/* Around a callback, in its thread, before the answer. Nothing when not enabled. */
void hl_interruptible_begin(struct hl_interrupts *i, struct hl_interruptible *op,
			    fuse_req_t req);
void hl_interruptible_end(struct hl_interruptible *op);

#endif
