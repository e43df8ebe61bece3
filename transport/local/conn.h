/*
 * A connection of the local door: requests come in on the reader's thread, answers go out from any.
 *
 * An answer is sent at once where the socket takes it, else by the connection's writer, so that a
 * client that does not read stops nobody but itself: a backend's thread never waits for a socket.
 * The reader takes a place for each request and waits when the client has too many under way.
 */
#ifndef USERDRIVE_TRANSPORT_LOCAL_CONN_H
#define USERDRIVE_TRANSPORT_LOCAL_CONN_H

#include "base/list.h"
#include "base/mutex.h"
#include "transport/local/protocol.h"

enum {
	LOCAL_HEAD_MAX = 128,
	LOCAL_CONN_BYTES_MAX = 64 << 20 /* buffers of requests under way; one may always be */
};

/* An answer, in the request that it belongs to. */
struct local_message {
	struct list link;
	uint8_t head[LOCAL_HEAD_MAX]; /* length included */
	size_t n_head, n_data, n_sent;
	const void *data; /* follows head */
	size_t n_bytes;   /* of the place that was taken */
	void (*release)(struct local_message *m); /* sent, or nobody is there any more; frees */
};

struct local_conn {
	int fd;
	struct mutex lock; /* leaf; rules what follows */
	struct cond changed;
	struct list out;     /* messages to be sent, the first one partly */
	unsigned n_places;
	size_t n_bytes;
	bool writing;        /* the writer has the first message */
	bool broken;         /* nothing can be sent any more */
	bool ending;         /* the writer is to end when nothing is left */
	pthread_t writer;
};

/* Takes over fd, also on failure. 0 or -errno. */
NODISCARD int local_conn_init(struct local_conn *c, int fd);
/* Waits for the requests under way and their answers, then closes. After the reader's last call. */
void local_conn_fini(struct local_conn *c);
/* Waits until no place is taken. */
void local_conn_wait(struct local_conn *c);
/* The peer is cut off; a reader that waits comes back. Any thread, while the connection lives. */
void local_conn_break(struct local_conn *c);

/* Reads exactly n bytes: 0; -ENODATA when the peer closed before the first; -EPIPE in the middle;
 * -errno. */
NODISCARD int local_conn_read(struct local_conn *c, void *dst, size_t n);
/* A place for a request with that many bytes of buffers; waits. False: the connection is broken. */
bool local_conn_take_place(struct local_conn *c, size_t n_bytes);
/* More bytes for a request that has its place. False: too many. */
bool local_conn_grow(struct local_conn *c, size_t n_bytes);
/* Of a request that will have no answer. */
void local_conn_give_place(struct local_conn *c, size_t n_bytes);
/* Sends an answer and gives the place back; message->release comes exactly once. Any thread. */
void local_conn_answer(struct local_conn *c, struct local_message *m);
/* Sends while nothing is under way yet: greetings. Waits. 0 or -errno. */
NODISCARD int local_conn_greet(struct local_conn *c, const void *bytes, uint32_t n);

/* A thread that takes no signals. 0 or -errno. */
NODISCARD int local_thread_start(pthread_t *thread, void *(*run)(void *), void *arg);

#endif
