/*
 * Private to transport/iscsi: one connection, its commands, and what it sends.
 *
 *	epoll -> iscsi_conn event (one thread owns the connection)
 *	      -> receive.c: bytes into PDUs; data segments straight into a command's buffer
 *	      -> dispatch.c: logins, NOP, Text, task management, Logout
 *	         command.c:  SCSI commands, Data-Out, R2T -> scsi_task_execute
 *	scsi_task complete (any thread) -> out queue -> transmit.c: sendmsg of headers and data
 *
 * Ownership. The owner is the thread that serves an event of the connection: it alone reads, parses
 * and begins tasks, and it alone tears the connection down. Fields "of the owner" need no lock.
 *What it queues while it works is sent in one go at the end (corked); other threads send what they
 *queue. tx.busy says who sends, so that bytes of two PDUs never mix.
 *
 * Lifetime. References: the loop's, one for each command that lives, one for each thread at work.
 * Teardown: no more events; tasks that wait for data are cancelled; the others are aborted by an
 *I_T nexus reset and waited for without holding a thread; then the session ends.
 *
 * Lock order: the registry's lock (session.h), then the loop's lock or conn->lock. conn->lock is
 *not held across the SCSI engine.
 */
#ifndef USERDRIVE_ISCSI_CONNECTION_H
#define USERDRIVE_ISCSI_CONNECTION_H

#include <stdatomic.h>
#include <sys/uio.h>
#include "base/hash.h"
#include "base/mutex.h"
#include "scsi/target.h"
#include "transport/iscsi/login.h"
#include "transport/iscsi/loop.h"

struct iscsi_conn;
struct iscsi_portal;
struct iscsi_session;

enum {
	ISCSI_WINDOW = 128,	       /* commands of one connection at once, MaxCmdSN */
	ISCSI_IMMEDIATE_LIMIT = 32,    /* immediate ones beyond the window */
	ISCSI_MEMORY_LIMIT = 64 << 20, /* bytes of data buffers of one connection */
	ISCSI_MISC_LIMIT = 64, /* answers other than commands' that wait: reading stops there */
	ISCSI_HELD_LIMIT = 32, /* PDUs that came before their turn */
	ISCSI_RX_SIZE = 64 << 10,
	ISCSI_BATCH_PDUS = 64, /* sent by one sendmsg */
	ISCSI_LOGIN_TIMEOUT_S = 15,
	ISCSI_LINGER_S = 2 /* after our last PDU, for the peer to close */
};

/* A sequence of Data-Out that was asked for */
struct iscsi_r2t {
	uint32_t ttt;
	uint32_t next, end; /* buffer offsets: of the byte due, after the last */
	uint32_t data_sn;   /* due */
};

enum iscsi_out_kind { ISCSI_OUT_PDU, ISCSI_OUT_COMMAND };

/* What waits to be sent. */
struct iscsi_out {
	struct list link; /* conn->tx.queue or conn->tx.sent; under conn->lock */
	enum iscsi_out_kind kind;
};

/* Any PDU that is not of a command's answer. */
struct iscsi_out_pdu {
	struct iscsi_out out;
	uint8_t bhs[ISCSI_BHS_SIZE];
	uint8_t *data; /* owned; or NULL */
	uint32_t n_data;
	bool counts;	     /* it takes a StatSN; R2T and our NOP-In only show the next */
	bool closes;	     /* the connection ends after it */
	bool starts_digests; /* the login is over with it */
};

enum iscsi_command_state {
	ISCSI_CMD_GATHER,  /* data are to come */
	ISCSI_CMD_STARVED, /* waits for memory; on conn->starved */
	ISCSI_CMD_RUNNING, /* the engine has it */
	ISCSI_CMD_ANSWER   /* in the out queue */
};

struct iscsi_command {
	struct scsi_task task;
	struct iscsi_out out;
	struct hash_node node; /* conn->commands, by initiator task tag */
	struct list link;      /* conn->starved or conn->free_commands */
	struct iscsi_conn *conn;
	enum iscsi_command_state state;
	uint32_t itt;
	bool begun;	/* scsi_task_begin said true and neither execute nor cancel has come */
	bool immediate; /* not counted in the window */
	bool reads, writes;
	uint32_t edtl; /* expected data transfer length */
	uint8_t *buffer;
	size_t cap;

	/* Data-Out; of the owner */
	bool failed;	  /* task.result is our own: the rest of the data is thrown away */
	bool unsolicited; /* more unsolicited data are to come */
	uint32_t n_want;  /* bytes to gather: what command and initiator both have in mind */
	uint32_t n_got;	  /* without a gap, also beyond n_want */
	uint32_t n_asked; /* asked for by R2T, or unsolicited */
	uint32_t data_sn; /* of the unsolicited sequence */
	uint32_t r2t_sn;
	unsigned n_r2ts;
	struct iscsi_r2t r2ts[ISCSI_OUR_MAX_R2T]; /* oldest first */

	/* Data-In; under conn->lock, of the sender */
	uint32_t n_send, n_sent, burst; /* burst: bytes of the sequence so far */
	uint32_t data_in_sn;
	uint8_t sense[2 + SCSI_SENSE_SIZE_MAX];
};

/* A PDU whose CmdSN has gaps before it. */
struct iscsi_held {
	struct list link;
	uint32_t cmd_sn;
	uint32_t n_ahs, n_data;
	uint8_t bytes[]; /* BHS, AHS, data, NUL */
};

/* What the CmdSN of a PDU says of it, 4.2.2.1 */
enum iscsi_turn { ISCSI_TURN_NOW, ISCSI_TURN_LATER, ISCSI_TURN_NEVER };

enum iscsi_phase_of_conn {
	ISCSI_CONN_LOGIN,
	ISCSI_CONN_WAITS, /* for the session that its own reinstates */
	ISCSI_CONN_FULL,
	ISCSI_CONN_LEAVING, /* logout is under way: nothing new */
	ISCSI_CONN_LINGER   /* all is said: reads to the end */
};

struct iscsi_rx {
	uint8_t *buffer; /* ISCSI_RX_SIZE */
	size_t at, end;	 /* bytes not yet parsed */
	uint8_t header[ISCSI_HEADER_MAX];
	size_t n_header; /* bytes there */
	bool in_segment;
	uint8_t *segment;   /* where the data segment goes; NULL: nowhere */
	uint32_t n_segment; /* its size */
	uint32_t n_room;    /* bytes that segment takes; the rest goes nowhere */
	uint32_t n_read;    /* of segment, padding and digest */
	uint32_t n_total;
	uint32_t crc;
	uint8_t tail[3 + ISCSI_DIGEST_SIZE];
	struct iscsi_command *command; /* whose data it is, or NULL */
	char *text;		       /* segments of all other PDUs */
	size_t text_cap;
};

struct iscsi_tx {
	struct list queue; /* struct iscsi_out */
	struct list sent;  /* in the batch, with their last byte */
	size_t n_misc;	   /* ISCSI_OUT_PDU in queue */
	bool busy;	   /* a thread sends */
	bool blocked;	   /* the socket takes nothing for now */
	bool closing;	   /* the last PDU is in the batch */
	bool reader_waits; /* reading has stopped for n_misc */
	bool header_digest, data_digest;
	uint64_t blocked_since_ns, blocked_bytes; /* since when no byte has gone; 0: not blocked */
	/* The batch; of the sender */
	struct iovec iov[ISCSI_BATCH_PDUS * 3];
	size_t n_iov, iov_at, n_pdus;
	uint8_t headers[ISCSI_BATCH_PDUS][ISCSI_BHS_SIZE + ISCSI_DIGEST_SIZE];
	uint8_t tails[ISCSI_BATCH_PDUS][4 + ISCSI_DIGEST_SIZE];
};

struct iscsi_conn {
	struct iscsi_source source;
	struct iscsi_loop *loop;
	struct iscsi_portal *portal;
	struct list portal_link; /* of the portal */
	_Atomic unsigned n_refs;
	bool logged_in;		  /* not among the portal's n_pending; under iscsi_registry_lock */
	char peer[64], local[64]; /* ADDR:PORT, for the log and SendTargets */

	struct mutex lock; /* rules: what is not said to be the owner's or the sender's */
	bool owned, again; /* a thread serves it; an event came meanwhile */
	bool killed;	   /* it is to end; reason says why */
	bool dead;	   /* teardown has begun: answers go nowhere */
	const char *reason;
	struct iscsi_tx tx;
	struct list free_pdus;
	size_t n_free_pdus;

	/* Of the owner */
	enum iscsi_phase_of_conn phase; /* written under lock */
	struct iscsi_rx rx;
	struct iscsi_login login;
	struct iscsi_login_answer login_answer;
	struct buf text_in;	 /* of Text Requests with the C bit */
	struct buf pending_text; /* answer to a Text Request that goes in several PDUs */
	size_t pending_at;
	uint32_t text_ttt, next_ttt; /* text_ttt: ISCSI_TAG_NONE when no text is under way */
	enum iscsi_turn turn;	     /* of the PDU that comes in */
	bool header_digest, data_digest;
	uint32_t send_segment; /* theirs: MaxRecvDataSegmentLength */
	uint32_t max_burst, first_burst, max_r2t;
	bool immediate_data, initial_r2t;
	struct list held;
	size_t n_held;

	/* Under lock */
	uint32_t stat_sn, exp_cmd_sn, max_cmd_sn;
	struct hash_table commands;
	struct list free_commands, starved;
	size_t n_free_commands, n_windowed, n_immediate;
	size_t memory; /* bytes of buffers, in use or kept */
	unsigned n_tmfs;
	bool work_queued;
	struct iscsi_work work; /* iscsi_conn_wake */
	struct iscsi_work finish_work;
	bool logout_done; /* its tasks have ended */
	uint32_t logout_itt;

	struct iscsi_session *session; /* NULL before and in discovery */
	uint64_t login_deadline_ns, linger_deadline_ns, ping_ns;
	unsigned timeout_s;
	_Atomic uint64_t last_rx_ns;
	_Atomic uint64_t n_commands, n_bytes_in, n_bytes_out;
};

/* connection.c */
/* Takes the socket. 0 or -errno (fd closed). */
NODISCARD int iscsi_conn_create(struct iscsi_portal *portal, struct iscsi_loop *loop, int fd,
				const char *peer, const char *local);
void iscsi_conn_ref(struct iscsi_conn *conn);
void iscsi_conn_unref(struct iscsi_conn *conn);
/* Ends the connection soon; reason: static text for the log. Any thread. */
void iscsi_conn_kill(struct iscsi_conn *conn, const char *reason);
/* Has a thread of the pool serve it, though no event has come. Any thread. */
void iscsi_conn_wake(struct iscsi_conn *conn);
/* Does this thread own it just now? */
bool iscsi_conn_is_mine(const struct iscsi_conn *conn);
/* Async Message, then the end: the target goes away. Any thread. */
void iscsi_conn_farewell(struct iscsi_conn *conn);
void iscsi_conn_set_phase(struct iscsi_conn *conn, enum iscsi_phase_of_conn phase);

/* receive.c; of the owner */
enum iscsi_received { ISCSI_RECEIVED_ALL, ISCSI_RECEIVED_MORE, ISCSI_RECEIVED_END };
enum iscsi_received iscsi_receive(struct iscsi_conn *conn);
/* Runs PDUs that were held and whose turn it is. -EPROTO and the like: the connection ends. */
int iscsi_receive_held(struct iscsi_conn *conn);

/* transmit.c; any thread */
/* A zeroed PDU from the connection's stock, or NULL. */
struct iscsi_out_pdu *iscsi_pdu_get(struct iscsi_conn *conn);
/* Queues and sends, or leaves it to who is at work. Consumes pdu. */
void iscsi_send_pdu(struct iscsi_conn *conn, struct iscsi_out_pdu *pdu);
void iscsi_send_command(struct iscsi_conn *conn, struct iscsi_command *cmd);
/* Sends what is queued. -errno: the connection is broken. */
void iscsi_flush(struct iscsi_conn *conn);
bool iscsi_tx_is_full(struct iscsi_conn *conn);
/* Frees what was queued; nobody sends any more. */
void iscsi_tx_fini(struct iscsi_conn *conn);

/* dispatch.c; of the owner. 0, or negative: the connection ends. */
/* A header is whole: where does its data segment go? Fills rx.segment, n_room, command. */
int iscsi_route(struct iscsi_conn *conn);
/* The PDU is whole. digest_ok: false when the data segment's digest did not match. */
int iscsi_dispatch(struct iscsi_conn *conn, bool digest_ok);
int iscsi_reject(struct iscsi_conn *conn, enum iscsi_reject reason, const uint8_t *header,
		 size_t n_header);
/* Its turn: the number of the PDU is used up, whatever comes of it. */
void iscsi_advance_cmd_sn(struct iscsi_conn *conn);
/* A login that waited for another session's end goes on. */
int iscsi_login_resume(struct iscsi_conn *conn);
/* Queues a NOP-In that wants an answer. Any thread. */
void iscsi_ping(struct iscsi_conn *conn);
int iscsi_logout_finish(struct iscsi_conn *conn);

/* command.c */
int iscsi_command_route(struct iscsi_conn *conn);
int iscsi_command_dispatch(struct iscsi_conn *conn, bool digest_ok);
int iscsi_data_out_route(struct iscsi_conn *conn);
int iscsi_data_out_dispatch(struct iscsi_conn *conn, bool digest_ok);
/* Ends the commands that wait for data or memory: of a tag, of a LUN, or all. How many. */
struct iscsi_command_filter {
	bool has_tag, has_lun;
	uint32_t itt;
	uint64_t lun;
};
size_t iscsi_commands_cancel(struct iscsi_conn *conn, const struct iscsi_command_filter *filter);
/* Starts those that waited for memory which is there now. Of the owner. */
void iscsi_commands_feed(struct iscsi_conn *conn);
/* After its last byte is sent, or instead of an answer; with conn->lock. */
void iscsi_command_retire_locked(struct iscsi_conn *conn, struct iscsi_command *cmd)
	REQUIRES(&conn->lock);
/* Back to the stock, with conn->lock; the caller drops the command's reference to conn. */
void iscsi_command_release_locked(struct iscsi_conn *conn, struct iscsi_command *cmd)
	REQUIRES(&conn->lock);
void iscsi_commands_fini(struct iscsi_conn *conn);
struct iscsi_command *iscsi_command_find_locked(struct iscsi_conn *conn, uint32_t itt)
	REQUIRES(&conn->lock);

/* session.c: the nexus of its session, which there is */
struct scsi_nexus *iscsi_conn_nexus(const struct iscsi_conn *conn);

/* tmf.c; of the owner */
int iscsi_task_request(struct iscsi_conn *conn);

#endif
