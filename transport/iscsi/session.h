/*
 * Private to transport/iscsi: the process's portals, targets and sessions. All of it is ruled by
 *one lock, iscsi_registry_lock, which is taken when logins, discoveries, attach and detach happen,
 *never for a command.
 *
 *	door instance (one per unit) -> portal (listener, by ADDR:PORT) and target (by IQN)
 *	target -> scsi_target, sessions;  portal -> connections
 */
#ifndef USERDRIVE_ISCSI_SESSION_H
#define USERDRIVE_ISCSI_SESSION_H

#include <sys/socket.h>
#include "transport/iscsi/connection.h"
#include "transport/iscsi/options.h"

extern struct mutex iscsi_registry_lock;
extern struct cond iscsi_registry_changed; /* a session or a connection has gone */

enum { ISCSI_PENDING_LIMIT = 64 }; /* connections of a portal that have not logged in */

struct iscsi_lun {
	struct scsi_unit *unit; /* borrowed from scsi_target; NULL: free */
	unsigned n_doors, n_started;
};

struct iscsi_target {
	struct list link; /* of the registry */
	char iqn[ISCSI_NAME_MAX + 1];
	struct iscsi_target_options options;
	struct iscsi_auth auth; /* n_users 0: nobody has to authenticate */
	struct scsi_target *scsi;
	struct iscsi_lun luns[SCSI_LUN_LIMIT];
	unsigned n_doors;   /* instances that name it */
	unsigned n_started; /* those that serve */
	bool closing;	    /* no new sessions */
	struct list sessions;
	unsigned n_sessions;
	uint16_t last_tsih;
};

struct iscsi_portal {
	struct iscsi_source source; /* the listening socket */
	struct list link;	    /* of the registry */
	struct iscsi_loop *loop;
	char host[ISCSI_HOST_MAX + 1];
	uint16_t asked_port; /* of the DeviceName, may be 0 */
	struct sockaddr_storage address;
	socklen_t n_address;
	unsigned n_doors; /* instances that name it */
	unsigned n_started;
	struct list conns;
	unsigned n_conns, n_pending;
	atomic_bool paused; /* nothing can be accepted for now: the next tick tries again */
	int spare_fd;	    /* given up to refuse connections when descriptors run out */
	_Atomic unsigned n_refs;
	uint64_t n_refused;
};

struct iscsi_session {
	struct list link; /* of the target */
	struct iscsi_target *target;
	struct iscsi_conn *conn;
	struct scsi_nexus *nexus;
	char initiator[ISCSI_NAME_MAX + 1];
	uint8_t isid[6];
	uint16_t tsih;
	bool successor_waits; /* a login that reinstates it */
};

/* One unit at one portal under one target. */
struct scsi_door_instance {
	struct list link; /* of the registry */
	struct iscsi_portal *portal;
	struct iscsi_target *target;
	struct scsi_unit *unit;
	struct iscsi_loop *loop; /* once started */
	unsigned lun;
	bool started;
	void (*ended)(void *ctx, bool normally);
	void *ctx;
};

/* target.c; with the registry's lock */
NODISCARD int iscsi_target_get_locked(const struct iscsi_options *o, struct scsi_door_error *error,
				      struct iscsi_target **ret_target);
void iscsi_target_put_locked(struct iscsi_target *target);
struct iscsi_target *iscsi_target_find_locked(const char *iqn);

/* portal.c */
NODISCARD int iscsi_portal_get_locked(const struct iscsi_options *o, struct scsi_door_error *error,
				      struct iscsi_portal **ret_portal);
void iscsi_portal_put_locked(struct iscsi_portal *portal);
NODISCARD int iscsi_portal_listen_locked(struct iscsi_portal *portal, struct iscsi_loop *loop,
					 struct scsi_door_error *error);
/* Takes no more connections and ends those there are; the caller waits for n_conns to be 0. */
void iscsi_portal_close_locked(struct iscsi_portal *portal);
/* A connection of the portal has logged in, or has gone. Take the registry's lock themselves. */
void iscsi_portal_logged_in(struct iscsi_conn *conn);
void iscsi_portal_left(struct iscsi_conn *conn);
void iscsi_address_format(const struct sockaddr_storage *address, char *dst, size_t cap);
void iscsi_portal_ref(struct iscsi_portal *portal);
void iscsi_portal_unref(struct iscsi_portal *portal);

/* session.c; take the registry's lock themselves */
/* What a login needs to know: iscsi_login_lookup_fn, ctx is the connection. */
uint16_t iscsi_session_lookup(void *conn, const struct iscsi_login *login,
			      struct iscsi_login_policy *ret_policy);
/* The login is through: makes the session. A login status; *ret_wait: another session must end
 * first, the connection is woken then. */
uint16_t iscsi_session_admit(struct iscsi_conn *conn, bool *ret_wait);
/* Its tasks have ended: the nexus goes, whoever waits is woken. */
void iscsi_session_end(struct iscsi_conn *conn);
/* The answer to SendTargets; value as it came. 0, or -EINVAL: Reject. */
int iscsi_session_targets(struct iscsi_conn *conn, const char *value, struct buf *reply);
/* Sessions of the target, but one (NULL: all), are told to go. */
void iscsi_sessions_farewell_locked(struct iscsi_target *target, const struct iscsi_session *but);

/* Does the portal lead to the target? */
bool iscsi_reachable_locked(const struct iscsi_portal *portal, const struct iscsi_target *target);

extern struct list iscsi_doors; /* started instances, struct scsi_door_instance */

#endif
