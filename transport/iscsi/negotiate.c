#include "transport/iscsi/negotiate.h"

#include <stdio.h>
#include <string.h>

enum key_type {
	KEY_YOURS, /* text that the caller knows what to do with */
	KEY_AND,   /* Yes when both say Yes */
	KEY_OR,	   /* No when both say No */
	KEY_MIN,
	KEY_MAX,
	KEY_DECLARED, /* a number, for the other side; no answer */
	KEY_DIGEST,   /* list: the initiator's first that we allow */
	KEY_REPORTING,
	KEY_MARKER,   /* obsolete: No, 13.25 */
	KEY_MARK_INT, /* obsolete: Reject */
	KEY_IGNORED,  /* declared, of no use to us */
	KEY_TARGETS   /* only targets send it */
};

enum { SEC = ISCSI_PHASE_SECURITY, OPR = ISCSI_PHASE_OPERATIONAL, FUL = ISCSI_PHASE_FULL };

struct key_row {
	const char *name;
	enum key_type type;
	uint8_t phases;
	bool irrelevant; /* in discovery sessions */
	uint32_t min, max, dflt, mine;
};

#define SEGMENT_MAX 0xffffffu /* 2**24 - 1 */

static const struct key_row keys[ISCSI_KEY_COUNT] = {
	[ISCSI_KEY_AUTH_METHOD] = {"AuthMethod", KEY_YOURS, SEC},
	[ISCSI_KEY_CHAP_A] = {"CHAP_A", KEY_YOURS, SEC},
	[ISCSI_KEY_CHAP_I] = {"CHAP_I", KEY_YOURS, SEC},
	[ISCSI_KEY_CHAP_C] = {"CHAP_C", KEY_YOURS, SEC},
	[ISCSI_KEY_CHAP_N] = {"CHAP_N", KEY_YOURS, SEC},
	[ISCSI_KEY_CHAP_R] = {"CHAP_R", KEY_YOURS, SEC},
	[ISCSI_KEY_INITIATOR_NAME] = {"InitiatorName", KEY_YOURS, SEC | OPR},
	[ISCSI_KEY_INITIATOR_ALIAS] = {"InitiatorAlias", KEY_IGNORED, SEC | OPR | FUL},
	[ISCSI_KEY_TARGET_NAME] = {"TargetName", KEY_YOURS, SEC | OPR},
	[ISCSI_KEY_SESSION_TYPE] = {"SessionType", KEY_YOURS, SEC | OPR},
	[ISCSI_KEY_SEND_TARGETS] = {"SendTargets", KEY_YOURS, FUL},
	[ISCSI_KEY_HEADER_DIGEST] = {"HeaderDigest", KEY_DIGEST, OPR, .dflt = ISCSI_DIGEST_NONE},
	[ISCSI_KEY_DATA_DIGEST] = {"DataDigest", KEY_DIGEST, OPR, .dflt = ISCSI_DIGEST_NONE},
	[ISCSI_KEY_MAX_CONNECTIONS] = {"MaxConnections", KEY_MIN, OPR, true, 1, 65535, 1, 1},
	[ISCSI_KEY_INITIAL_R2T] = {"InitialR2T", KEY_OR, OPR, true, .dflt = 1, .mine = 0},
	[ISCSI_KEY_IMMEDIATE_DATA] = {"ImmediateData", KEY_AND, OPR, true, .dflt = 1, .mine = 1},
	[ISCSI_KEY_MAX_RECV_SEGMENT] = {"MaxRecvDataSegmentLength", KEY_DECLARED, OPR | FUL, false,
					512, SEGMENT_MAX, 8192, 0},
	[ISCSI_KEY_MAX_BURST] = {"MaxBurstLength", KEY_MIN, OPR, true, 512, SEGMENT_MAX, 262144,
				 ISCSI_OUR_MAX_BURST},
	[ISCSI_KEY_FIRST_BURST] = {"FirstBurstLength", KEY_MIN, OPR, true, 512, SEGMENT_MAX, 65536,
				   ISCSI_OUR_FIRST_BURST},
	[ISCSI_KEY_TIME_TO_WAIT] = {"DefaultTime2Wait", KEY_MAX, OPR, false, 0, 3600, 2, 0},
	[ISCSI_KEY_TIME_TO_RETAIN] = {"DefaultTime2Retain", KEY_MIN, OPR, false, 0, 3600, 20, 0},
	[ISCSI_KEY_MAX_R2T] = {"MaxOutstandingR2T", KEY_MIN, OPR, true, 1, 65535, 1,
			       ISCSI_OUR_MAX_R2T},
	[ISCSI_KEY_PDU_IN_ORDER] = {"DataPDUInOrder", KEY_OR, OPR, true, .dflt = 1, .mine = 1},
	[ISCSI_KEY_SEQUENCE_IN_ORDER] = {"DataSequenceInOrder", KEY_OR, OPR, true, .dflt = 1,
					 .mine = 1},
	[ISCSI_KEY_RECOVERY_LEVEL] = {"ErrorRecoveryLevel", KEY_MIN, OPR, false, 0, 2, 0, 0},
	[ISCSI_KEY_TASK_REPORTING] = {"TaskReporting", KEY_REPORTING, OPR, true},
	[ISCSI_KEY_PROTOCOL_LEVEL] = {"iSCSIProtocolLevel", KEY_MIN, OPR, true, 0, 31, 1, 2},
	[ISCSI_KEY_IF_MARKER] = {"IFMarker", KEY_MARKER, OPR},
	[ISCSI_KEY_OF_MARKER] = {"OFMarker", KEY_MARKER, OPR},
	[ISCSI_KEY_IF_MARK_INT] = {"IFMarkInt", KEY_MARK_INT, OPR},
	[ISCSI_KEY_OF_MARK_INT] = {"OFMarkInt", KEY_MARK_INT, OPR},
	[ISCSI_KEY_TARGET_ALIAS] = {"TargetAlias", KEY_TARGETS},
	[ISCSI_KEY_TARGET_ADDRESS] = {"TargetAddress", KEY_TARGETS},
	[ISCSI_KEY_PORTAL_GROUP] = {"TargetPortalGroupTag", KEY_TARGETS},
};

void
iscsi_negotiation_init(struct iscsi_negotiation *n, unsigned header_digests, unsigned data_digests)
{
	memset(n, 0, sizeof(*n));
	for (size_t i = 0; i < ISCSI_KEY_COUNT; i++) {
		n->mine[i] = keys[i].mine;
		n->active[i] = keys[i].dflt;
	}
	n->mine[ISCSI_KEY_HEADER_DIGEST] = header_digests;
	n->mine[ISCSI_KEY_DATA_DIGEST] = data_digests;
}

int
iscsi_key_find(const char *key)
{
	for (int i = 0; i < ISCSI_KEY_COUNT; i++)
		if (strcmp(keys[i].name, key) == 0)
			return i;
	return -1;
}

const char *
iscsi_key_name(enum iscsi_key key)
{
	return keys[key].name;
}

static void
negotiate_bool(struct iscsi_negotiation *n, enum iscsi_key key, const char *value,
	       struct buf *reply)
{
	uint32_t theirs, both;

	if (iscsi_text_bool(value, &theirs) < 0) {
		iscsi_text_add(reply, keys[key].name, "Reject");
		return;
	}
	both = keys[key].type == KEY_AND ? theirs & n->mine[key] : theirs | n->mine[key];
	n->active[key] = both;
	iscsi_text_add(reply, keys[key].name, both ? "Yes" : "No");
}

static void
negotiate_number(struct iscsi_negotiation *n, enum iscsi_key key, const char *value,
		 struct buf *reply)
{
	const struct key_row *row = &keys[key];
	uint32_t theirs;

	if (iscsi_text_number(value, &theirs) < 0 || theirs < row->min || theirs > row->max) {
		iscsi_text_add(reply, row->name, "Reject");
		return;
	}
	if (row->type == KEY_MIN)
		theirs = MIN(theirs, n->mine[key]);
	if (row->type == KEY_MAX)
		theirs = MAX(theirs, n->mine[key]);
	/* 13.14: the first burst is part of a burst; what MaxBurstLength is, is known by then or
	 * comes later and cuts it then. */
	if (key == ISCSI_KEY_FIRST_BURST && n->offered & 1ull << ISCSI_KEY_MAX_BURST)
		theirs = MIN(theirs, n->active[ISCSI_KEY_MAX_BURST]);
	n->active[key] = theirs;
	if (row->type != KEY_DECLARED)
		iscsi_text_add_number(reply, row->name, theirs);
}

static bool
item_is(const char *item, size_t n, const char *word)
{
	return n == strlen(word) && memcmp(item, word, n) == 0;
}

/* 6.2.1: the responder takes the first of the originator's list that it supports. */
static void
negotiate_digest(struct iscsi_negotiation *n, enum iscsi_key key, const char *value,
		 struct buf *reply)
{
	const char *item;
	size_t size;

	while (iscsi_text_item(&value, &item, &size)) {
		unsigned bit = item_is(item, size, "None")     ? ISCSI_DIGEST_NONE
			       : item_is(item, size, "CRC32C") ? ISCSI_DIGEST_CRC32C
							       : 0;

		if (!(n->mine[key] & bit))
			continue;
		n->active[key] = bit;
		iscsi_text_add(reply, keys[key].name, bit == ISCSI_DIGEST_NONE ? "None" : "CRC32C");
		return;
	}
	iscsi_text_add(reply, keys[key].name, "Reject");
}

/* 13.23: what RFC 3720 said of aborts is what scsi_tmf does. */
static void
negotiate_reporting(const char *value, struct buf *reply)
{
	const char *item, *answer = "Reject";
	size_t size;

	while (iscsi_text_item(&value, &item, &size))
		if (item_is(item, size, "RFC3720"))
			answer = "RFC3720";
	iscsi_text_add(reply, keys[ISCSI_KEY_TASK_REPORTING].name, answer);
}

static void
negotiate_known(struct iscsi_negotiation *n, enum iscsi_key key, const char *value,
		struct buf *reply)
{
	switch (keys[key].type) {
	case KEY_AND:
	case KEY_OR:
		negotiate_bool(n, key, value, reply);
		break;
	case KEY_MIN:
	case KEY_MAX:
	case KEY_DECLARED:
		negotiate_number(n, key, value, reply);
		break;
	case KEY_DIGEST:
		negotiate_digest(n, key, value, reply);
		break;
	case KEY_REPORTING:
		negotiate_reporting(value, reply);
		break;
	case KEY_MARKER:
		iscsi_text_add(reply, keys[key].name, "No");
		break;
	case KEY_MARK_INT:
		iscsi_text_add(reply, keys[key].name, "Reject");
		break;
	case KEY_IGNORED:
	case KEY_TARGETS:
	case KEY_YOURS:
		break;
	}
}

/* The answers that are reserved words are never offers, 6.2. */
static bool
is_answer(const char *value)
{
	return strcmp(value, "Reject") == 0 || strcmp(value, "Irrelevant") == 0 ||
	       strcmp(value, "NotUnderstood") == 0;
}

enum iscsi_offer
iscsi_negotiate(struct iscsi_negotiation *n, enum iscsi_phase phase, const struct iscsi_pair *pair,
		struct buf *reply, enum iscsi_key *ret_key)
{
	int key = iscsi_key_find(pair->key);

	if (key < 0) {
		if (!is_answer(pair->value))
			iscsi_text_add(reply, pair->key, "NotUnderstood");
		return ISCSI_OFFER_DONE;
	}
	if (!(keys[key].phases & phase))
		return ISCSI_OFFER_ILLEGAL;
	if (keys[key].type == KEY_YOURS) {
		*ret_key = (enum iscsi_key)key;
		return ISCSI_OFFER_YOURS;
	}
	if (phase != ISCSI_PHASE_FULL && n->offered & 1ull << key)
		return ISCSI_OFFER_ILLEGAL;
	n->offered |= 1ull << key;
	if (pair->n_value > ISCSI_VALUE_MAX)
		return ISCSI_OFFER_ILLEGAL;
	if (n->discovery && keys[key].irrelevant)
		iscsi_text_add(reply, pair->key, "Irrelevant");
	else
		negotiate_known(n, (enum iscsi_key)key, pair->value, reply);
	return ISCSI_OFFER_DONE;
}

void
iscsi_negotiation_declare(struct iscsi_negotiation *n, struct buf *reply)
{
	if (n->declared)
		return;
	n->declared = true;
	iscsi_text_add_number(reply, keys[ISCSI_KEY_MAX_RECV_SEGMENT].name, ISCSI_OUR_SEGMENT);
}
