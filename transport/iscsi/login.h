/*
 * The login phase of one connection (RFC 7143 6.3, 11.12, 11.13), without sockets: requests go in,
 * what to answer comes out.
 *
 *	stage          request                      becomes
 *	START          first: CSG=0                 SECURITY
 *	START          first: CSG=1                 OPERATIONAL (when no authentication is due)
 *	SECURITY       T, NSG=1, authenticated      OPERATIONAL
 *	SECURITY       T, NSG=3, authenticated      READY
 *	OPERATIONAL    T, NSG=3                     READY
 *	any            what does not fit            FAILED (status in the answer)
 *	READY          the caller admits it         full feature phase
 *
 * One thread at a time. Requests are a peer's: anything may come.
 */
#ifndef USERDRIVE_ISCSI_LOGIN_H
#define USERDRIVE_ISCSI_LOGIN_H

#include "transport/iscsi/chap.h"
#include "transport/iscsi/negotiate.h"
#include "transport/iscsi/pdu.h"

enum { ISCSI_LOGIN_TEXT_MAX = 32 << 10 }; /* bytes of a text that comes in several requests */

enum iscsi_login_stage {
	ISCSI_STAGE_START,
	ISCSI_STAGE_SECURITY,
	ISCSI_STAGE_OPERATIONAL,
	ISCSI_STAGE_READY,
	ISCSI_STAGE_FAILED
};

enum iscsi_auth_step {
	ISCSI_AUTH_NONE,       /* nothing said yet */
	ISCSI_AUTH_METHOD,     /* CHAP agreed */
	ISCSI_AUTH_CHALLENGED, /* our challenge is out */
	ISCSI_AUTH_DONE
};

/* What a login needs to know of whom it talks for. */
struct iscsi_login_policy {
	const struct iscsi_auth *auth;	       /* NULL: nobody has to authenticate; borrowed */
	unsigned header_digests, data_digests; /* ISCSI_DIGEST_ bits allowed */
	const char *target_alias;	       /* or NULL */
};

struct iscsi_login;
/*
 * Called once, when the first request's names are known: may this initiator come to that target (or
 * to discovery)? A status of enum iscsi_login_status, with *ret_policy filled when it is 0.
 */
typedef uint16_t iscsi_login_lookup_fn(void *ctx, const struct iscsi_login *login,
				       struct iscsi_login_policy *ret_policy);

struct iscsi_login {
	enum iscsi_login_stage stage;
	iscsi_login_lookup_fn *lookup;
	void *ctx;
	struct iscsi_login_policy policy;

	/* Of the first request; the others repeat them */
	bool begun;
	unsigned first_csg;
	uint8_t isid[6];
	uint16_t tsih, cid;
	uint32_t itt, cmd_sn;

	char initiator[ISCSI_NAME_MAX + 1];
	char target[ISCSI_NAME_MAX + 1]; /* "": none given */
	bool discovery;
	bool group_told; /* TargetPortalGroupTag has been sent */
	struct iscsi_negotiation values;

	enum iscsi_auth_step auth_step;
	uint32_t chap_algorithm;
	uint8_t chap_id, chap_challenge[ISCSI_CHAP_CHALLENGE];
	size_t n_challenge;
	char user[ISCSI_CHAP_NAME_MAX + 1]; /* who has authenticated */
	const char *method;		    /* "None", "CHAP" for info */

	struct buf text; /* of requests with the C bit, until the last */
	uint64_t seen;	 /* keys of YOURS that have come, bit per key */
};

struct iscsi_login_answer {
	uint8_t flags;	 /* byte 1: T, CSG, NSG */
	uint16_t status; /* enum iscsi_login_status; not 0: the connection ends after it */
	struct buf text; /* the caller owns it: clears before, frees after */
};

void iscsi_login_init(struct iscsi_login *login, iscsi_login_lookup_fn *lookup, void *ctx);
void iscsi_login_fini(struct iscsi_login *login);
/*
 * One Login Request with its data segment (text[n_text] must be 0 and writable memory of the
 * caller). Afterwards stage says what became of it.
 */
void iscsi_login_request(struct iscsi_login *login, const uint8_t *bhs, const char *text,
			 size_t n_text, struct iscsi_login_answer *answer);
/* The Login Response's header but for StatSN, ExpCmdSN and MaxCmdSN. */
void iscsi_login_response(const struct iscsi_login *login, const struct iscsi_login_answer *answer,
			  uint16_t tsih, uint8_t bhs[ISCSI_BHS_SIZE]);

#endif
