#include "transport/iscsi/login.h"

#include <stdio.h>
#include <string.h>
#include "base/log.h"

enum { CSG_SECURITY = 0, CSG_OPERATIONAL = 1, CSG_FULL = 3 };

void
iscsi_login_init(struct iscsi_login *login, iscsi_login_lookup_fn *lookup, void *ctx)
{
	memset(login, 0, sizeof(*login));
	login->lookup = lookup;
	login->ctx = ctx;
	login->method = "None";
	iscsi_negotiation_init(&login->values, ISCSI_DIGEST_NONE, ISCSI_DIGEST_NONE);
}

void
iscsi_login_fini(struct iscsi_login *login)
{
	buf_fini(&login->text);
	explicit_bzero(login->chap_challenge, sizeof(login->chap_challenge));
}

/* Security stage: AuthMethod and CHAP_* */

/* 6.3.2: the first of the list that we can do; None only when nobody must authenticate. */
static uint16_t
auth_method(struct iscsi_login *login, const char *list, struct buf *reply)
{
	const char *want = login->policy.auth ? "CHAP" : "None", *item;
	size_t size;

	if (login->auth_step != ISCSI_AUTH_NONE)
		return ISCSI_LOGIN_INITIATOR_ERROR;
	while (iscsi_text_item(&list, &item, &size)) {
		if (size != 4 || memcmp(item, want, 4) != 0)
			continue;
		login->auth_step = login->policy.auth ? ISCSI_AUTH_METHOD : ISCSI_AUTH_DONE;
		iscsi_text_add(reply, "AuthMethod", want);
		return ISCSI_LOGIN_OK;
	}
	return ISCSI_LOGIN_AUTHENTICATION;
}

/* 12.1.3: CHAP_A is the initiator's list, best first; our challenge follows the choice. */
static uint16_t
chap_algorithm(struct iscsi_login *login, const char *list, struct buf *reply)
{
	const char *item;
	size_t size, n_digest = 0;

	if (login->auth_step != ISCSI_AUTH_METHOD)
		return ISCSI_LOGIN_INITIATOR_ERROR;
	while (n_digest == 0 && iscsi_text_item(&list, &item, &size)) {
		char word[16];

		snprintf(word, sizeof(word), "%.*s", (int)MIN(size, sizeof(word)), item);
		if (iscsi_text_number(word, &login->chap_algorithm) == 0)
			n_digest = iscsi_chap_digest_size(login->chap_algorithm);
	}
	if (n_digest == 0)
		return ISCSI_LOGIN_AUTHENTICATION;
	login->n_challenge = n_digest;
	if (iscsi_chap_random(&login->chap_id, 1) < 0 ||
	    iscsi_chap_random(login->chap_challenge, login->n_challenge) < 0)
		return ISCSI_LOGIN_TARGET_ERROR;
	login->auth_step = ISCSI_AUTH_CHALLENGED;
	iscsi_text_add_number(reply, "CHAP_A", login->chap_algorithm);
	iscsi_text_add_number(reply, "CHAP_I", login->chap_id);
	iscsi_text_add_binary(reply, "CHAP_C", login->chap_challenge, login->n_challenge);
	return ISCSI_LOGIN_OK;
}

/* What one request says of CHAP: the keys belong together. */
struct chap_answer {
	const char *name, *response, *id, *challenge; /* NULL: not there */
};

/* An unknown user costs as much time as a wrong secret. */
static bool
chap_verify(const struct iscsi_login *login, const struct chap_answer *answer)
{
	const struct iscsi_secret *user = iscsi_auth_find(login->policy.auth, answer->name);
	uint8_t want[ISCSI_CHAP_DIGEST_MAX], got[ISCSI_CHAP_DIGEST_MAX];
	size_t n_want =
		iscsi_chap_response(login->chap_algorithm, login->chap_id, user ? user->secret : "",
				    login->chap_challenge, login->n_challenge, want);
	int n_got = iscsi_text_binary(answer->response, got, sizeof(got));

	return n_got > 0 && iscsi_chap_equal(want, n_want, got, (size_t)n_got) && user;
}

/* The initiator asks who we are. Its challenge must not be ours sent back (12.1.3). */
static uint16_t
chap_mutual(const struct iscsi_login *login, const struct chap_answer *answer, struct buf *reply)
{
	const struct iscsi_secret *mutual = &login->policy.auth->mutual;
	uint8_t challenge[ISCSI_BINARY_MAX], digest[ISCSI_CHAP_DIGEST_MAX];
	uint32_t id;
	int n = iscsi_text_binary(answer->challenge, challenge, sizeof(challenge));

	if (n <= 0 || iscsi_text_number(answer->id, &id) < 0 || id > UINT8_MAX)
		return ISCSI_LOGIN_INITIATOR_ERROR;
	if (!mutual->name[0] ||
	    iscsi_chap_equal(challenge, (size_t)n, login->chap_challenge, login->n_challenge))
		return ISCSI_LOGIN_AUTHENTICATION;
	size_t n_digest = iscsi_chap_response(login->chap_algorithm, (uint8_t)id, mutual->secret,
					      challenge, (size_t)n, digest);

	iscsi_text_add(reply, "CHAP_N", mutual->name);
	iscsi_text_add_binary(reply, "CHAP_R", digest, n_digest);
	return ISCSI_LOGIN_OK;
}

static uint16_t
chap_finish(struct iscsi_login *login, const struct chap_answer *answer, struct buf *reply)
{
	if (!answer->name && !answer->response && !answer->id && !answer->challenge)
		return ISCSI_LOGIN_OK;
	if (login->auth_step != ISCSI_AUTH_CHALLENGED || !answer->name || !answer->response ||
	    !answer->id != !answer->challenge)
		return ISCSI_LOGIN_INITIATOR_ERROR;
	if (strlen(answer->name) > ISCSI_CHAP_NAME_MAX || !chap_verify(login, answer))
		return ISCSI_LOGIN_AUTHENTICATION;
	uint16_t status = answer->id ? chap_mutual(login, answer, reply) : ISCSI_LOGIN_OK;

	if (status != ISCSI_LOGIN_OK)
		return status;
	snprintf(login->user, sizeof(login->user), "%s", answer->name);
	login->method = answer->id ? "CHAP mutual" : "CHAP";
	login->auth_step = ISCSI_AUTH_DONE;
	return ISCSI_LOGIN_OK;
}

/* Names come before all: they decide what is allowed. */

static bool
session_type(struct iscsi_login *login, const char *value)
{
	login->discovery = strcmp(value, "Discovery") == 0;
	return login->discovery || strcmp(value, "Normal") == 0;
}

static uint16_t
find_names(struct iscsi_login *login, const char *text, size_t n_text)
{
	struct iscsi_text t;
	struct iscsi_pair pair;
	int err = 0, more;

	iscsi_text_begin(&t, text, n_text);
	while ((more = iscsi_text_next(&t, &pair)) > 0) {
		int key = iscsi_key_find(pair.key);

		if (key == ISCSI_KEY_INITIATOR_NAME)
			err |= iscsi_name_parse(pair.value, login->initiator);
		else if (key == ISCSI_KEY_TARGET_NAME)
			err |= iscsi_name_parse(pair.value, login->target);
		else if (key == ISCSI_KEY_SESSION_TYPE && !session_type(login, pair.value))
			return ISCSI_LOGIN_SESSION_TYPE;
	}
	if (more < 0 || err)
		return ISCSI_LOGIN_INITIATOR_ERROR;
	/* 6.3: both in the first request; a discovery session has no target. */
	if (!login->initiator[0] || (!login->discovery && !login->target[0]))
		return ISCSI_LOGIN_MISSING_PARAMETER;
	return ISCSI_LOGIN_OK;
}

static uint16_t
identify(struct iscsi_login *login, const char *text, size_t n_text)
{
	uint16_t status = find_names(login, text, n_text);

	if (status == ISCSI_LOGIN_OK)
		status = login->lookup(login->ctx, login, &login->policy);
	if (status != ISCSI_LOGIN_OK)
		return status;
	iscsi_negotiation_init(&login->values, login->policy.header_digests,
			       login->policy.data_digests);
	login->values.discovery = login->discovery;
	return ISCSI_LOGIN_OK;
}

/* One pair that negotiate.c leaves to us. */
static uint16_t
take_pair(struct iscsi_login *login, enum iscsi_key key, const struct iscsi_pair *pair,
	  struct chap_answer *chap, struct buf *reply)
{
	switch (key) {
	case ISCSI_KEY_AUTH_METHOD:
		return auth_method(login, pair->value, reply);
	case ISCSI_KEY_CHAP_A:
		return chap_algorithm(login, pair->value, reply);
	case ISCSI_KEY_CHAP_N:
		chap->name = pair->value;
		break;
	case ISCSI_KEY_CHAP_R:
		chap->response = pair->value;
		break;
	case ISCSI_KEY_CHAP_I:
		chap->id = pair->value;
		break;
	case ISCSI_KEY_CHAP_C:
		chap->challenge = pair->value;
		break;
	default: /* the names: identify() */
		break;
	}
	return ISCSI_LOGIN_OK;
}

static uint16_t
take_text(struct iscsi_login *login, const char *text, size_t n_text, struct buf *reply)
{
	enum iscsi_phase phase = login->stage == ISCSI_STAGE_SECURITY ? ISCSI_PHASE_SECURITY
								      : ISCSI_PHASE_OPERATIONAL;
	struct chap_answer chap = {0};
	struct iscsi_text t;
	struct iscsi_pair pair;
	enum iscsi_key key;
	uint16_t status = ISCSI_LOGIN_OK;
	int more;

	iscsi_text_begin(&t, text, n_text);
	while (status == ISCSI_LOGIN_OK && (more = iscsi_text_next(&t, &pair)) != 0) {
		enum iscsi_offer offer =
			more < 0 ? ISCSI_OFFER_ILLEGAL
				 : iscsi_negotiate(&login->values, phase, &pair, reply, &key);

		if (offer == ISCSI_OFFER_YOURS && login->seen & 1ull << key)
			offer = ISCSI_OFFER_ILLEGAL;
		if (offer == ISCSI_OFFER_ILLEGAL)
			return ISCSI_LOGIN_INITIATOR_ERROR;
		if (offer != ISCSI_OFFER_YOURS)
			continue;
		login->seen |= 1ull << key;
		status = take_pair(login, key, &pair, &chap, reply);
	}
	return status == ISCSI_LOGIN_OK ? chap_finish(login, &chap, reply) : status;
}

static bool
digests_agreed(const struct iscsi_login *login)
{
	const struct iscsi_negotiation *v = &login->values;

	return v->active[ISCSI_KEY_HEADER_DIGEST] & v->mine[ISCSI_KEY_HEADER_DIGEST] &&
	       v->active[ISCSI_KEY_DATA_DIGEST] & v->mine[ISCSI_KEY_DATA_DIGEST];
}

/* What the target has to say by itself: its group at once (13.9), its segment length once. */
static void
say_ours(struct iscsi_login *login, struct buf *reply)
{
	if (!login->group_told && !login->discovery)
		iscsi_text_add_number(reply, "TargetPortalGroupTag", 1);
	if (!login->group_told && login->policy.target_alias)
		iscsi_text_add(reply, "TargetAlias", login->policy.target_alias);
	login->group_told = true;
	if (login->stage == ISCSI_STAGE_OPERATIONAL)
		iscsi_negotiation_declare(&login->values, reply);
}

static bool
auth_is_due(const struct iscsi_login *login)
{
	return login->policy.auth && login->auth_step != ISCSI_AUTH_DONE;
}

/* The initiator wants on. False: not yet, T stays 0 in the answer. */
static bool
transit(struct iscsi_login *login, unsigned nsg, uint16_t *ret_status)
{
	if (login->stage == ISCSI_STAGE_SECURITY && auth_is_due(login)) {
		/* 6.3.2: an initiator that offers nothing has nothing to prove itself with. */
		if (login->auth_step == ISCSI_AUTH_NONE)
			*ret_status = ISCSI_LOGIN_AUTHENTICATION;
		return false;
	}
	if (nsg == CSG_FULL && !digests_agreed(login)) {
		*ret_status = ISCSI_LOGIN_INITIATOR_ERROR;
		return false;
	}
	login->stage = nsg == CSG_FULL ? ISCSI_STAGE_READY : ISCSI_STAGE_OPERATIONAL;
	return true;
}

static unsigned
csg_of(uint8_t flags)
{
	return flags >> 2 & 3;
}

/* Is it a request that may come now? 11.12 */
static uint16_t
check_request(struct iscsi_login *login, const uint8_t *bhs)
{
	uint8_t flags = bhs[1];
	unsigned csg = csg_of(flags), nsg = flags & 3;
	bool transits = flags & ISCSI_LOGIN_TRANSIT;

	if (csg > CSG_OPERATIONAL || (transits && (nsg <= csg || nsg == 2)) ||
	    (transits && flags & ISCSI_CONTINUE))
		return ISCSI_LOGIN_INITIATOR_ERROR;
	if (!login->begun) {
		login->begun = true;
		login->first_csg = csg;
		memcpy(login->isid, bhs + ISCSI_AT_ISID, sizeof(login->isid));
		login->tsih = get_be16(bhs + ISCSI_AT_TSIH);
		login->cid = get_be16(bhs + ISCSI_AT_CID);
		login->itt = get_be32(bhs + ISCSI_AT_ITT);
		login->cmd_sn = get_be32(bhs + ISCSI_AT_CMD_SN);
		/* Version-min is byte 3: above 0 is above what there is (11.12.4). */
		return bhs[3] > 0 ? ISCSI_LOGIN_VERSION : ISCSI_LOGIN_OK;
	}
	if (memcmp(login->isid, bhs + ISCSI_AT_ISID, sizeof(login->isid)) != 0 ||
	    login->tsih != get_be16(bhs + ISCSI_AT_TSIH) ||
	    login->cid != get_be16(bhs + ISCSI_AT_CID) ||
	    login->itt != get_be32(bhs + ISCSI_AT_ITT))
		return ISCSI_LOGIN_INVALID_REQUEST;
	if (csg != (login->stage == ISCSI_STAGE_START	   ? login->first_csg
		    : login->stage == ISCSI_STAGE_SECURITY ? CSG_SECURITY
							   : CSG_OPERATIONAL))
		return ISCSI_LOGIN_INVALID_REQUEST;
	return ISCSI_LOGIN_OK;
}

/* The first request's text is whole: who is it, and where does it begin? */
static uint16_t
begin(struct iscsi_login *login, unsigned csg, const char *text, size_t n_text)
{
	uint16_t status = identify(login, text, n_text);

	if (status == ISCSI_LOGIN_OK && csg == CSG_OPERATIONAL && login->policy.auth)
		status = ISCSI_LOGIN_AUTHENTICATION;
	login->stage = csg == CSG_SECURITY ? ISCSI_STAGE_SECURITY : ISCSI_STAGE_OPERATIONAL;
	return status;
}

static uint16_t
whole_text(struct iscsi_login *login, uint8_t flags, const char *text, size_t n_text,
	   struct iscsi_login_answer *answer)
{
	uint16_t status = ISCSI_LOGIN_OK;

	if (login->stage == ISCSI_STAGE_START)
		status = begin(login, csg_of(flags), text, n_text);
	if (status == ISCSI_LOGIN_OK)
		status = take_text(login, text, n_text, &answer->text);
	if (status != ISCSI_LOGIN_OK)
		return status;
	say_ours(login, &answer->text);
	answer->flags = flags & 0x0c;
	if (flags & ISCSI_LOGIN_TRANSIT && transit(login, flags & 3, &status))
		answer->flags |= ISCSI_LOGIN_TRANSIT | (flags & 3);
	if (status == ISCSI_LOGIN_OK && buf_error(&answer->text) < 0)
		status = ISCSI_LOGIN_NO_RESOURCES;
	/* An answer of more than one PDU comes only of unknown keys without end. */
	if (status == ISCSI_LOGIN_OK && answer->text.n > ISCSI_LOGIN_SEGMENT)
		status = ISCSI_LOGIN_INITIATOR_ERROR;
	return status;
}

/* 6.2: more of the text is to come; an empty answer asks for it. */
static uint16_t
gather(struct iscsi_login *login, const char *text, size_t n_text)
{
	buf_add(&login->text, text, n_text);
	if (buf_error(&login->text) < 0)
		return ISCSI_LOGIN_NO_RESOURCES;
	return login->text.n > ISCSI_LOGIN_TEXT_MAX ? ISCSI_LOGIN_INITIATOR_ERROR : ISCSI_LOGIN_OK;
}

void
iscsi_login_request(struct iscsi_login *login, const uint8_t *bhs, const char *text, size_t n_text,
		    struct iscsi_login_answer *answer)
{
	uint8_t flags = bhs[1];
	uint16_t status = check_request(login, bhs);

	answer->flags = flags & 0x0c;
	if (status == ISCSI_LOGIN_OK && (flags & ISCSI_CONTINUE || login->text.n > 0)) {
		status = gather(login, text, n_text);
		text = login->text.s;
		n_text = login->text.n;
	}
	if (status == ISCSI_LOGIN_OK && !(flags & ISCSI_CONTINUE)) {
		status = whole_text(login, flags, text, n_text, answer);
		buf_clear(&login->text);
	}
	answer->status = status;
	if (status != ISCSI_LOGIN_OK) {
		login->stage = ISCSI_STAGE_FAILED;
		answer->flags = flags & 0x0c;
		buf_clear(&answer->text);
	}
}

void
iscsi_login_response(const struct iscsi_login *login, const struct iscsi_login_answer *answer,
		     uint16_t tsih, uint8_t bhs[ISCSI_BHS_SIZE])
{
	iscsi_pdu_init(bhs, ISCSI_OP_LOGIN_RESPONSE, (uint32_t)answer->text.n, login->itt);
	bhs[1] = answer->flags;
	memcpy(bhs + ISCSI_AT_ISID, login->isid, sizeof(login->isid));
	put_be16(bhs + ISCSI_AT_TSIH, tsih);
	put_be16(bhs + 36, answer->status);
}
