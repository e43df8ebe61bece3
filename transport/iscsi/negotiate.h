/*
 * The keys of RFC 7143 section 13 as a table: type, default, range, rule by which two values become
 * one, and where a key may come. An offer of the initiator goes in, the answer's text comes out,
 * and the active value is kept. What is more than a value (names, AuthMethod, CHAP, SendTargets) is
 * known to the table and left to the caller.
 *
 * Pure; one thread at a time per struct.
 */
#ifndef USERDRIVE_ISCSI_NEGOTIATE_H
#define USERDRIVE_ISCSI_NEGOTIATE_H

#include "transport/iscsi/text.h"

enum iscsi_key {
	ISCSI_KEY_AUTH_METHOD,
	ISCSI_KEY_CHAP_A,
	ISCSI_KEY_CHAP_I,
	ISCSI_KEY_CHAP_C,
	ISCSI_KEY_CHAP_N,
	ISCSI_KEY_CHAP_R,
	ISCSI_KEY_INITIATOR_NAME,
	ISCSI_KEY_INITIATOR_ALIAS,
	ISCSI_KEY_TARGET_NAME,
	ISCSI_KEY_SESSION_TYPE,
	ISCSI_KEY_SEND_TARGETS,
	ISCSI_KEY_HEADER_DIGEST,
	ISCSI_KEY_DATA_DIGEST,
	ISCSI_KEY_MAX_CONNECTIONS,
	ISCSI_KEY_INITIAL_R2T,
	ISCSI_KEY_IMMEDIATE_DATA,
	ISCSI_KEY_MAX_RECV_SEGMENT, /* theirs: how long a segment that we send may be */
	ISCSI_KEY_MAX_BURST,
	ISCSI_KEY_FIRST_BURST,
	ISCSI_KEY_TIME_TO_WAIT,
	ISCSI_KEY_TIME_TO_RETAIN,
	ISCSI_KEY_MAX_R2T,
	ISCSI_KEY_PDU_IN_ORDER,
	ISCSI_KEY_SEQUENCE_IN_ORDER,
	ISCSI_KEY_RECOVERY_LEVEL,
	ISCSI_KEY_TASK_REPORTING,
	ISCSI_KEY_PROTOCOL_LEVEL,
	ISCSI_KEY_IF_MARKER,
	ISCSI_KEY_OF_MARKER,
	ISCSI_KEY_IF_MARK_INT,
	ISCSI_KEY_OF_MARK_INT,
	ISCSI_KEY_TARGET_ALIAS,
	ISCSI_KEY_TARGET_ADDRESS,
	ISCSI_KEY_PORTAL_GROUP,
	ISCSI_KEY_COUNT
};

/* Where a key comes from; a bit set in the table says where it may. */
enum iscsi_phase { ISCSI_PHASE_SECURITY = 1, ISCSI_PHASE_OPERATIONAL = 2, ISCSI_PHASE_FULL = 4 };

/* Values of the digest keys: what digests= allows is a set of them, what is active one */
enum { ISCSI_DIGEST_NONE = 1, ISCSI_DIGEST_CRC32C = 2 };

/* What we allow, receive and send at most */
enum {
	ISCSI_OUR_SEGMENT = 256 << 10,
	ISCSI_OUR_MAX_BURST = 1 << 20,
	ISCSI_OUR_FIRST_BURST = 256 << 10,
	ISCSI_OUR_MAX_R2T = 8
};

struct iscsi_negotiation {
	uint32_t mine[ISCSI_KEY_COUNT];	  /* what we would have: the merge rule's other side */
	uint32_t active[ISCSI_KEY_COUNT]; /* the default until both have agreed */
	uint64_t offered; /* bit per key: it came; a second time is an error (6.1) */
	bool discovery;	  /* SessionType=Discovery: most keys are Irrelevant */
	bool declared;	  /* our MaxRecvDataSegmentLength has been sent */
};

/* digests: ISCSI_DIGEST_ bits that are allowed. */
void iscsi_negotiation_init(struct iscsi_negotiation *n, unsigned header_digests,
			    unsigned data_digests);

/* The key's number, or -1. */
int iscsi_key_find(const char *key);
const char *iscsi_key_name(enum iscsi_key key);

enum iscsi_offer {
	ISCSI_OFFER_DONE,  /* merged, or refused by Reject, Irrelevant or NotUnderstood; answered */
	ISCSI_OFFER_YOURS, /* a key that the caller answers: *ret_key */
	ISCSI_OFFER_ILLEGAL /* not here, or twice: the negotiation fails */
};
/* One pair of the initiator; the answer's pair, if one is due, is added to reply. */
enum iscsi_offer iscsi_negotiate(struct iscsi_negotiation *n, enum iscsi_phase phase,
				 const struct iscsi_pair *pair, struct buf *reply,
				 enum iscsi_key *ret_key);
/* Adds our MaxRecvDataSegmentLength, once: declared, not negotiated (13.12). */
void iscsi_negotiation_declare(struct iscsi_negotiation *n, struct buf *reply);

#endif
