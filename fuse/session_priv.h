/*
 * Inside of a session: who owns what, and which thread may touch it.
 *
 *  fusek_session   life cycle, negotiated values, lists of workers and slots
 *  worker          a thread that waits for requests and runs handlers; belongs to one pool
 *  pool            the workers that take from one queue of the kernel: the /dev/fuse readers,
 *                  or the threads of one ring queue (one per possible CPU)
 *  slot            one request in the hands of a handler, with its buffers
 *  keeper          one thread per session: adds and retires workers, expires requests that miss
 *                  their deadline, joins what ended, and calls ops->ended
 *
 * Lock order: session->lock, then slot->lock. Neither is held while a handler or a callback of
 * the file system runs, nor while anything is written to the kernel.
 *
 * Life of a slot's claim word (generation in the upper bits, so that the keeper cannot expire
 * the next request in the place of the one it looked at):
 *
 *    IDLE --dispatch--> OPEN --reply-----> ANSWERED --next request--> OPEN (generation + 1)
 *                         `---deadline---> EXPIRED  (the owner's reply then does nothing)
 */
#ifndef USERDRIVE_FUSE_SESSION_PRIV_H
#define USERDRIVE_FUSE_SESSION_PRIV_H

#include <pthread.h>
#include <stdatomic.h>
#include "base/list.h"
#include "base/mutex.h"
#include "fuse/decode.h"
#include "fuse/session.h"

enum {
	FUSEK_PAGE = 4096,
	/* An xattr value of 64 KiB and its name travel whatever max_write is. */
	FUSEK_MIN_BODY = 65536 + FUSEK_PAGE,
	FUSEK_EARLY_INTERRUPTS = 16,
	FUSEK_FILES = 8,
};

enum slot_claim { CLAIM_IDLE, CLAIM_OPEN, CLAIM_ANSWERED, CLAIM_EXPIRED, CLAIM_MASK = 3 };

/* With late replies: who of the two has let go of a request. The second one gives the slot back. */
enum slot_hand { HAND_REPLIED = 1, HAND_RETURNED = 2 };

/* The numbers of NOTIFY_REPLYs that nobody but fusek_dev_kick asked for. */
#define FUSEK_KICK_UNIQUE (1ull << 62)

struct slot;
struct worker;

/* What differs between the transports once a request is in a slot. */
struct slot_ops {
	/* Hands the answer to the kernel. The claim is won. iov holds n_iov pieces of size bytes in
	 * all; in_place: they are the start of req.out already. 0, -ENOENT or -errno. */
	int (*send)(struct slot *slot, const struct fuse_out_header *header,
		    const struct iovec *iov, int n_iov, bool in_place);
	/* The owner has replied (perhaps too late) to a parked request. */
	void (*parked_done)(struct slot *slot);
	/* park() was called by the handler, on the slot's worker. */
	void (*park)(struct slot *slot);
	/* With late replies: the worker goes on with another slot. */
	bool leaves_late_slot;
	/* The keeper won the claim: answer error, and set the slot aside if its handler runs. */
	void (*expire)(struct slot *slot, const struct fuse_out_header *header);
	/* Gives back what map points to. */
	void (*unmap)(struct slot *slot);
};

struct slot {
	struct fusek_req req; /* what the handler sees */
	struct fusek_session *session;
	const struct slot_ops *ops;
	struct worker *_Atomic worker; /* whose thread runs the handler; NULL: parked */

	_Atomic uint64_t claim;       /* pairs: dispatch stores, reply and keeper compare-exchange */
	_Atomic unsigned int hand;    /* enum slot_hand; pairs: the reply and the worker set bits */
	_Atomic uint64_t unique;      /* of the request; read by whoever delivers an INTERRUPT */
	_Atomic uint64_t interrupted; /* the unique that was interrupted */
	_Atomic uint64_t interrupted_ns; /* when; stored before interrupted, read after it */
	_Atomic uint64_t started_ns;  /* only with a deadline */
	bool parked;  /* written by park on the worker, before the request is handed on */
	bool watched; /* on_interrupt was called; written by the request's owner */

	unsigned char *map; /* the slot's buffers: one mapping */
	size_t map_size;
	unsigned char *in; /* /dev/fuse: where read() puts the message */
	size_t in_cap;
	unsigned char *out; /* where replies are built */
	size_t out_cap;
	bool used_large; /* more than the first pages were touched since the last trim */

	struct mutex lock; /* rules the rest, up to node */
	struct cond changed;
	void (*on_interrupt)(void *arg);
	void *on_interrupt_arg;
	bool callback_runs;
	pthread_t callback_thread;
	bool owner_done;     /* ring: the owner of a parked request has replied */
	bool expiry_settled; /* ring: the keeper has finished with the expired request */

	struct list node; /* in session->slots, ruled by session->lock */
	unsigned int pins; /* users who found it by the list; ruled by session->lock */
	bool doomed;       /* free when the last pin goes; ruled by session->lock */

	/* Ring entry: the kernel's view of map, and the number to commit with. */
	unsigned char *kernel_map;
	uint64_t commit_id;
	struct fusek_decode_scratch scratch;
};

struct pool {
	struct fusek_session *session;
	void (*run)(struct worker *worker); /* the thread's loop */
	int queue;                          /* ring queue, or -1 for /dev/fuse */
	_Atomic int n_waiting; /* workers that would take a request now; pairs with keeper_asleep */
	_Atomic int n_parked;  /* ring workers that wait for a parked request's answer */
	_Atomic int excess;    /* workers that should leave before they wait again */

	/* ruled by session->lock */
	unsigned int n_workers;
	unsigned int n_hung; /* of them, in a handler whose request has expired */
	unsigned int n_leaving; /* of them, on their way out as excess */
	unsigned int cap, keep;
	uint64_t last_progress;
	unsigned int starved_ticks, window_ticks;
	int window_min_waiting;
};

struct worker {
	struct list node; /* session->workers, then session->finished; session->lock */
	struct fusek_session *session;
	struct pool *pool;
	pthread_t thread;
	struct slot *slot;             /* the worker's own; NULL after a park on /dev/fuse */
	_Atomic uint64_t n_requests;   /* written by the worker alone */
	_Atomic bool hung;             /* its request has expired; written by the keeper */
	bool left;                     /* is in session->finished; session->lock */
	bool leaving;                  /* as excess, counted in pool->n_leaving; session->lock */
	void *transport;               /* ring: what it starts with; owned by the thread */
};

/* See uring.c. */
enum ring_phase { RING_NONE, RING_PREPARING, RING_REGISTERING, RING_RUNNING, RING_CANCELLED };

enum session_state { SESSION_CREATED, SESSION_RUNNING, SESSION_ENDED };

struct fusek_session {
	_Atomic int dev_fd; /* after the end: an open /dev/null, so that late writes are harmless */
	struct fusek_config config;
	char name[64];
	struct fusek_ops ops;
	void *ctx;

	/* Written by the thread that answers INIT, before ready; constant afterwards. */
	struct fusek_layout layout;
	uint32_t minor;
	uint64_t flags;
	uint32_t max_write;
	bool no_readahead; /* asked for by negotiate() */
	size_t body_size; /* largest payload or reply body */

	_Atomic bool ready;     /* INIT is answered */
	_Atomic bool gone;      /* the kernel has ended the connection, or INIT failed */
	_Atomic bool stopping;  /* new requests are answered ENOTCONN */
	_Atomic bool closing;   /* workers leave */
	_Atomic bool keeper_asleep; /* pairs with pool.n_waiting */
	_Atomic bool ring_mode; /* requests come by the ring */
	_Atomic bool polls;     /* readers poll device and wake_fd instead of blocking in read() */
	int abort_fd;           /* ends the connection when written to, or -1 */
	/* Regular files the kernel knew a moment ago; only in ring mode, see fusek_dev_kick. */
	_Atomic uint64_t files[FUSEK_FILES];
	_Atomic unsigned int next_file;
	_Atomic uint64_t n_deadline_misses;
	_Atomic int n_early; /* entries of early; read without the lock at every dispatch */

	struct mutex lock; /* rules the rest */
	struct cond changed;
	enum session_state state;
	bool device_closed;
	enum fusek_transport transport;
	char why[96];
	atomic_bool ring_refused; /* why the session is gone; set before gone */
	struct list workers, finished, slots, spare_slots;
	unsigned int n_spare_slots;
	uint64_t n_requests_retired;
	struct {
		uint64_t unique, until_ns;
	} early[FUSEK_EARLY_INTERRUPTS]; /* INTERRUPTs that came before their ring request */
	struct pool dev_pool;
	struct pool *ring_pools; /* n_ring_pools of them */
	unsigned int n_ring_pools;
	enum ring_phase ring_phase;
	unsigned int ring_reported; /* workers that finished this phase */
	int ring_err;               /* the first failure among them */
	int wake_fd; /* eventfd, readable once closing: for those who poll */
	pthread_t keeper;
	bool keeper_started;
};

static inline struct slot *
slot_of(struct fusek_req *req)
{
	return container_of(req, struct slot, req);
}

/* slot.c */
NODISCARD struct slot *fusek_slot_create(struct fusek_session *session,
					 const struct slot_ops *ops);
/* Frees, at once or when the last pin goes. NULL is allowed. */
void fusek_slot_destroy(struct slot *slot);
void fusek_slot_pin_locked(struct slot *slot);
void fusek_slot_unpin(struct slot *slot);
/* Marks the request and calls its callback, if unique is still open in the slot. True if so. */
bool fusek_slot_interrupt(struct slot *slot, uint64_t unique);
/* INTERRUPT for unique: finds the request. False when it is not open (yet, or any more). */
bool fusek_session_interrupt(struct fusek_session *session, uint64_t unique);
/* Every unanswered request, because nobody waits for the answers any more. */
void fusek_session_interrupt_all(struct fusek_session *session);
/* Whoever waits for a change of a slot looks again. */
void fusek_session_wake_slots(struct fusek_session *session);

/* request.c */
/* Runs the request in slot->req on this worker: handler, or the session's own operations. */
void fusek_dispatch(struct worker *worker, struct slot *slot);
static inline bool
slot_is_open(struct slot *slot)
{
	return (atomic_load(&slot->claim) & CLAIM_MASK) == CLAIM_OPEN;
}

/* init.c: answers INIT on the device, and starts the ring when it can be used. */
void fusek_init_handle(struct worker *worker, struct slot *slot);

/* dev.c */
extern const struct slot_ops fusek_dev_slot_ops;
void fusek_dev_run(struct worker *worker);
/* writev with the header in front. 0, -ENOENT, -errno. */
int fusek_dev_write(struct fusek_session *session, const struct fuse_out_header *header,
		    const struct iovec *iov, int n_iov);
/* Readers poll from now on, so that wake_fd reaches them. */
void fusek_dev_start_polling(struct fusek_session *session);
/* Blocked readers return, with the connection's end where nothing less does it. */
void fusek_dev_abort(struct fusek_session *session);
/* Makes the kernel queue a NOTIFY_REPLY from this thread's CPU; false when it cannot be asked. */
bool fusek_dev_kick(struct fusek_session *session);

/* The slot, no longer in use, becomes a spare one or ends. */
void fusek_dev_slot_give_back(struct slot *slot);
/* A spare slot, or NULL. */
struct slot *fusek_dev_slot_take_spare(struct fusek_session *session);
/* Answers a message that cannot be decoded. */
void fusek_dev_refuse(struct fusek_session *session, const void *bytes, size_t size);

/* control.c: a descriptor that aborts the connection when written to, or -1. */
int fusek_control_open(int dev_fd);

/* session.c */
/* transport: given to the worker, who owns it then. */
NODISCARD int fusek_worker_start_locked(struct pool *pool, void *transport);
/* The connection is over: everybody leaves. */
void fusek_session_gone(struct fusek_session *session);
/* A worker is about to run a handler: the keeper must not sleep. */
void fusek_session_note_busy(struct fusek_session *session);
void fusek_session_wake_keeper(struct fusek_session *session);
static inline bool
session_must_leave(struct fusek_session *s)
{
	return atomic_load(&s->gone) || atomic_load(&s->closing);
}

/* keeper.c */
/* Gives the device up; its number stays taken. Once. */
void fusek_session_close_device(struct fusek_session *session);
bool fusek_pool_may_grow_locked(struct pool *pool);
void *fusek_keeper_main(void *arg);

/* uring.c, or uring_absent.c without liburing */
/*
 * Prepares threads and rings for every queue. 0, or -errno with a reason for people. On success
 * fusek_uring_register must follow the INIT answer.
 */
NODISCARD int fusek_uring_prepare(struct fusek_session *session, char *why, size_t why_size);
/* True: requests come by the ring from now on. False: they go on coming by the device. */
bool fusek_uring_register(struct fusek_session *session, char *why, size_t why_size);
/* INIT could not be answered: sends the prepared threads away. */
void fusek_uring_cancel(struct fusek_session *session);

#endif
