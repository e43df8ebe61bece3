/*
 * Private to scsi/: persistent reservations, SPC-4 5.12.
 *
 *	persist.c        PERSISTENT RESERVE IN and OUT, checks of other commands
 *	persist_state.c  what a service action does to the registrations: no locks, no LU
 *	persist_file.c   the state in a file (APTPL)
 */
#ifndef USERDRIVE_SCSI_PERSIST_PRIV_H
#define USERDRIVE_SCSI_PERSIST_PRIV_H

#include "scsi/lu.h"

enum { PR_REGISTRANTS_MAX = 1024 };

/* TYPE, SPC-4 table 197; PR_NONE: nothing is reserved */
enum pr_type {
	PR_NONE = 0,
	PR_WRITE_EXCLUSIVE = 1,
	PR_EXCLUSIVE_ACCESS = 3,
	PR_WRITE_EXCLUSIVE_RO = 5, /* registrants only */
	PR_EXCLUSIVE_ACCESS_RO = 6,
	PR_WRITE_EXCLUSIVE_AR = 7, /* all registrants: each of them holds it */
	PR_EXCLUSIVE_ACCESS_AR = 8
};
bool pr_type_is_known(unsigned type); /* PR_NONE is not */
bool pr_type_is_registrants(unsigned type); /* RO or AR */
bool pr_type_is_all(unsigned type); /* AR */

/* An initiator port, and the target port by which it comes. */
struct pr_port {
	uint8_t transport_id[SCSI_TRANSPORT_ID_MAX];
	uint16_t n_transport_id;
	uint16_t target_port; /* relative identifier; 0: every one (ALL_TG_PT) */
};
/* Bytes of the TransportID at the head of list, of which n are there; 0: not a valid one. iSCSI
 * ones name a port, not a device (TPID FORMAT 01b). SPC-4 7.6.4. */
size_t pr_transport_id_size(const uint8_t *list, size_t n);
bool pr_port_is(const struct pr_port *port, const uint8_t *transport_id, size_t n,
		uint16_t target_port);

struct pr_registrant {
	struct pr_port port;
	uint64_t key;  /* not 0 */
	bool is_holder; /* of a reservation that is not AR */
	/* What the action now at work wants to be done: */
	bool gone;      /* has lost its registration */
	bool abort;     /* its tasks are aborted */
	enum scsi_sense attention; /* SENSE_NONE: none */
};

struct pr_state {
	uint32_t generation;
	uint8_t type; /* enum pr_type */
	bool aptpl;
	size_t n, cap;
	struct pr_registrant *registrants; /* owned */
};
NODISCARD int pr_state_dup(const struct pr_state *from, struct pr_state *ret_state);
void pr_state_fini(struct pr_state *state); /* also for CLEANUP */
/* The action is done: those gone leave, marks are cleared. */
void pr_state_settle(struct pr_state *state);
/* NULL: not registered. Borrowed until the next change. */
struct pr_registrant *pr_state_find(const struct pr_state *state, const uint8_t *transport_id,
				    size_t n, uint16_t target_port);
bool pr_state_is_holder(const struct pr_state *state, const struct pr_registrant *r);

enum pr_action {
	PR_REGISTER = 0,
	PR_RESERVE = 1,
	PR_RELEASE = 2,
	PR_CLEAR = 3,
	PR_PREEMPT = 4,
	PR_PREEMPT_AND_ABORT = 5,
	PR_REGISTER_AND_IGNORE = 6,
	PR_REGISTER_AND_MOVE = 7
};
struct pr_request {
	enum pr_action action;
	uint8_t type; /* RESERVE, RELEASE, PREEMPT: known */
	struct pr_port from;
	uint64_t key, action_key;
	bool spec_i_pt, all_tg_pt, aptpl, unreg;
	const uint8_t *transport_ids; /* checked; borrowed. MOVE: one */
	size_t n_transport_ids;       /* bytes */
	uint16_t move_to_port;        /* MOVE: relative target port, which exists */
};
/* On failure state is half changed: work on a copy. */
struct scsi_result pr_state_apply(struct pr_state *state, const struct pr_request *req);

/* The parameter list of PERSISTENT RESERVE OUT; req->action, type and from are filled already. */
struct scsi_result pr_request_decode(const uint8_t *list, size_t size, struct pr_request *req);

/* ---- file */
/* -ENOMEM. The caller frees *ret_bytes. guid: 16 bytes, the unit's. */
NODISCARD int pr_file_encode(const struct pr_state *state, const uint8_t *guid,
			     uint8_t **ret_bytes, size_t *ret_size);
/* -EBADMSG: not a state file, damaged, or of another unit; -ENOMEM. */
NODISCARD int pr_file_decode(const uint8_t *bytes, size_t size, const uint8_t *guid,
			     struct pr_state *ret_state);
/* Replaces the file in one step; on disk when it returns 0. -errno: the old one is there still, but
 * for a folder that takes the new name and cannot be synced. */
NODISCARD int pr_file_save(const char *path, const struct pr_state *state, const uint8_t *guid);
/* No file: an empty state. A damaged one is renamed to PATH.corrupt, logged, and the state is
 * empty. -errno: it could not be read. */
NODISCARD int pr_file_load(const char *path, const uint8_t *guid, struct pr_state *ret_state);

/* ---- for reserve.c */
bool scsi_pr_has_keys_locked(const struct scsi_lu *lu) REQUIRES(&lu->lock);
/* Holds the reservation, or is registered where that is as good: SPC-4 5.12.3 */
bool scsi_pr_is_holder_locked(const struct scsi_lu *lu, const struct scsi_nexus *nexus)
	REQUIRES(&lu->lock);

#endif
