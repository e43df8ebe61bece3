/*
 * The control socket of a serving process: RUNTIME_DIR/control/PID-N.sock, a Unix stream socket.
 * A request is one line, a verb; the answer is one JSON object, then end of file. Peers must be
 * root or the owner. One thread serves one peer at a time, each within CONTROL_PEER_MS, so a
 * silent or greedy peer delays the next one and nothing else.
 */
#ifndef USERDRIVE_BASE_CONTROL_H
#define USERDRIVE_BASE_CONTROL_H

#include <sys/types.h>
#include "base/buf.h"

enum {
	CONTROL_VERB_MAX = 255,        /* bytes, without the newline */
	CONTROL_PEER_MS = 2000,        /* to send the verb, and again to take the answer */
	CONTROL_REPLY_MAX = 16u << 20, /* bytes that control_call accepts */
};

struct control_server;

struct control_ops {
	/*
	 * Runs on the control thread, which must not be stopped from here: a "stop" tells the
	 * main thread and returns. Writes one JSON object to json_out and returns 0, or returns
	 * -errno, which the peer gets as {"error":"NAME"}; -EOPNOTSUPP for an unknown verb.
	 */
	int (*handle)(void *ctx, const char *verb, struct buf *json_out);
};

/* ops and ctx are borrowed until control_server_stop. The thread takes no signals. */
NODISCARD int control_server_start(const struct control_ops *ops, void *ctx,
				   struct control_server **ret_server);
const char *control_server_path(const struct control_server *server);
/* Waits for a running handle(), removes the socket, frees. NULL is fine. */
void control_server_stop(struct control_server *server);

/*
 * Visits the control sockets of the caller's runtime directory and removes those whose process
 * is gone. A visitor's answer other than 0 ends the walk and is returned.
 */
NODISCARD int control_list(int (*visit)(void *ctx, pid_t pid, const char *path), void *ctx);
/*
 * Sends a verb and collects the answer in reply (emptied first). 0; -EINVAL for a verb with a
 * newline, empty or too long; -ETIMEDOUT; -EMSGSIZE; -EPROTO for no answer; or the socket's
 * -errno: -ECONNREFUSED and -ENOENT mean that the server is gone.
 */
NODISCARD int control_call(const char *path, const char *verb, int timeout_ms, struct buf *reply);

#endif
