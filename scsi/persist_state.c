/*
 * Registrations and the reservation, and what each service action of PERSISTENT RESERVE OUT does to
 * them. SPC-4 5.12.
 *
 * Invariants between actions:
 *	keys are not 0; no two registrants match the same I_T nexus
 *	type is PR_NONE or AR: nobody is marked as holder; else exactly one is
 *	a reservation has a registrant who holds it
 *
 * An action marks what is to happen (gone, abort, attention) and takes nobody out of the array, so
 * that the caller can tell those who lost their registration.
 */
#include "scsi/persist_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

enum { PROTOCOL_ISCSI = 5, TRANSPORT_ID_FIXED = 24 };

bool
pr_type_is_known(unsigned type)
{
	return type < 9 && (0x1eau >> type & 1); /* 1 3 5 6 7 8 */
}

bool
pr_type_is_registrants(unsigned type)
{
	return type >= PR_WRITE_EXCLUSIVE_RO;
}

bool
pr_type_is_all(unsigned type)
{
	return type >= PR_WRITE_EXCLUSIVE_AR;
}

/* ---------------------------------------------------------------- ports */

/* SPC-4 7.6.4.6: 4 bytes, then a name with its NUL, in a multiple of 4 bytes */
static size_t
iscsi_id_size(const uint8_t *list, size_t n)
{
	size_t size = 4 + (size_t)get_be16(list + 2);
	const uint8_t *separator;

	if (size < TRANSPORT_ID_FIXED || size % 4 != 0 || size > SCSI_TRANSPORT_ID_MAX || size > n)
		return 0;
	if (!memchr(list + 4, 0, size - 4))
		return 0;
	separator = (const uint8_t *)strstr((const char *)list + 4, ",i,0x");
	return list[0] >> 6 == 1 && separator ? size : 0;
}

size_t
pr_transport_id_size(const uint8_t *list, size_t n)
{
	if (n < TRANSPORT_ID_FIXED)
		return 0;
	if ((list[0] & 0x0f) == PROTOCOL_ISCSI)
		return iscsi_id_size(list, n);
	return list[0] >> 6 == 0 ? TRANSPORT_ID_FIXED : 0;
}

/* iSCSI: by name, since padding is free, and hexadecimal digits may come in either case. */
static bool
id_equal(const uint8_t *a, size_t n_a, const uint8_t *b, size_t n_b)
{
	if (n_a > 4 && n_b > 4 && a[0] == b[0] && (a[0] & 0x0f) == PROTOCOL_ISCSI) {
		size_t len_a = strnlen((const char *)a + 4, n_a - 4);
		size_t len_b = strnlen((const char *)b + 4, n_b - 4);

		return len_a == len_b &&
		       strncasecmp((const char *)a + 4, (const char *)b + 4, len_a) == 0;
	}
	return n_a == n_b && memcmp(a, b, n_a) == 0;
}

bool
pr_port_is(const struct pr_port *port, const uint8_t *transport_id, size_t n, uint16_t target_port)
{
	return (port->target_port == 0 || port->target_port == target_port) &&
	       id_equal(port->transport_id, port->n_transport_id, transport_id, n);
}

/* ---------------------------------------------------------------- the array */

int
pr_state_dup(const struct pr_state *from, struct pr_state *ret_state)
{
	struct pr_state copy = *from;

	copy.cap = from->n + 1;
	copy.registrants = calloc(copy.cap, sizeof(copy.registrants[0]));
	if (!copy.registrants)
		return -ENOMEM;
	if (from->n > 0)
		memcpy(copy.registrants, from->registrants, from->n * sizeof(copy.registrants[0]));
	*ret_state = copy;
	return 0;
}

void
pr_state_fini(struct pr_state *state)
{
	free(take(&state->registrants));
	state->n = state->cap = 0;
}

void
pr_state_settle(struct pr_state *state)
{
	size_t n = 0;

	for (size_t i = 0; i < state->n; i++) {
		struct pr_registrant *r = &state->registrants[i];

		if (r->gone)
			continue;
		r->abort = false;
		r->attention = SENSE_NONE;
		if (n != i)
			state->registrants[n] = *r;
		n++;
	}
	state->n = n;
}

struct pr_registrant *
pr_state_find(const struct pr_state *state, const uint8_t *transport_id, size_t n,
	      uint16_t target_port)
{
	for (size_t i = 0; i < state->n; i++) {
		struct pr_registrant *r = &state->registrants[i];

		if (!r->gone && pr_port_is(&r->port, transport_id, n, target_port))
			return r;
	}
	return NULL;
}

static struct pr_registrant *
find_port(const struct pr_state *state, const struct pr_port *port)
{
	return pr_state_find(state, port->transport_id, port->n_transport_id, port->target_port);
}

static size_t
count_present(const struct pr_state *state)
{
	size_t n = 0;

	for (size_t i = 0; i < state->n; i++)
		n += !state->registrants[i].gone;
	return n;
}

static bool
grow(struct pr_state *state)
{
	size_t cap = state->n < state->cap ? state->cap : state->cap * 2 + 8;
	struct pr_registrant *grown;

	if (cap == state->cap)
		return true;
	grown = realloc(state->registrants, cap * sizeof(*grown));
	if (!grown)
		return false;
	state->registrants = grown;
	state->cap = cap;
	return true;
}

/* A registration for every target port takes the place of those for single ones. True: one of them
 * held the reservation. */
static bool
absorb(struct pr_state *state, const struct pr_port *port)
{
	bool held = false;

	for (size_t i = 0; i < state->n && port->target_port == 0; i++) {
		struct pr_registrant *r = &state->registrants[i];

		if (r->gone || !id_equal(r->port.transport_id, r->port.n_transport_id,
					 port->transport_id, port->n_transport_id))
			continue;
		held = held || r->is_holder;
		r->gone = true;
		r->is_holder = false;
	}
	return held;
}

/* Moves the array: pointers into it are stale afterwards. */
static struct scsi_result
add(struct pr_state *state, const struct pr_port *port, uint64_t key)
{
	bool held = absorb(state, port);

	if (count_present(state) >= PR_REGISTRANTS_MAX || !grow(state))
		return scsi_sense(SENSE_INSUFFICIENT_REGISTRATION_RESOURCES);
	state->registrants[state->n++] =
		(struct pr_registrant){.port = *port, .key = key, .is_holder = held};
	return scsi_good();
}

/* ---------------------------------------------------------------- the reservation */

bool
pr_state_is_holder(const struct pr_state *state, const struct pr_registrant *r)
{
	return r && state->type != PR_NONE && (pr_type_is_all(state->type) || r->is_holder);
}

static const struct pr_registrant *
single_holder(const struct pr_state *state)
{
	for (size_t i = 0; i < state->n; i++)
		if (state->registrants[i].is_holder && !state->registrants[i].gone)
			return &state->registrants[i];
	return NULL;
}

static void
release(struct pr_state *state)
{
	state->type = PR_NONE;
	for (size_t i = 0; i < state->n; i++)
		state->registrants[i].is_holder = false;
}

static void
hold(struct pr_state *state, struct pr_registrant *r, uint8_t type)
{
	state->type = type;
	r->is_holder = !pr_type_is_all(type);
}

static void
tell_others(struct pr_state *state, const struct pr_registrant *but, enum scsi_sense sense)
{
	for (size_t i = 0; i < state->n; i++) {
		struct pr_registrant *r = &state->registrants[i];

		if (r != but && !r->gone)
			r->attention = sense;
	}
}

/* SPC-4 5.12.11.2.2: the others learn of it where being registered was a right; with plain WRITE
 * EXCLUSIVE and EXCLUSIVE ACCESS nobody does. */
static void
release_and_tell(struct pr_state *state, const struct pr_registrant *by)
{
	if (pr_type_is_registrants(state->type))
		tell_others(state, by, SENSE_RESERVATIONS_RELEASED);
	release(state);
}

static struct scsi_result
conflict(void)
{
	return scsi_status_only(SCSI_RESERVATION_CONFLICT);
}

/* ---------------------------------------------------------------- REGISTER */

/* SPC-4 5.12.11.2.3: the reservation goes with its holder, an AR one with the last registrant. */
static void
unregister(struct pr_state *state, struct pr_registrant *r)
{
	bool holds = pr_state_is_holder(state, r);

	r->gone = true;
	if (!holds)
		return;
	if (!pr_type_is_all(state->type))
		release_and_tell(state, r);
	else if (count_present(state) == 0)
		release(state);
}

static void
port_from_list(struct pr_port *port, const uint8_t *id, size_t n, uint16_t target_port)
{
	*port = (struct pr_port){.n_transport_id = (uint16_t)n, .target_port = target_port};
	memcpy(port->transport_id, id, n);
}

/* The nexus itself and, with SPEC_I_PT, the initiator ports that it names. */
static struct scsi_result
register_new(struct pr_state *state, const struct pr_request *req)
{
	struct pr_port port = req->from;
	struct scsi_result res;
	size_t at = 0, n;

	port.target_port = req->all_tg_pt ? 0 : port.target_port;
	res = add(state, &port, req->action_key);
	while (scsi_ok(res) && at < req->n_transport_ids) {
		struct pr_port other;
		struct pr_registrant *there;

		n = pr_transport_id_size(req->transport_ids + at, req->n_transport_ids - at);
		port_from_list(&other, req->transport_ids + at, n, port.target_port);
		at += n;
		there = find_port(state, &other);
		if (there)
			there->key = req->action_key;
		else
			res = add(state, &other, req->action_key);
	}
	return res;
}

/* SPC-4 tables 71, 72: REGISTER, REGISTER AND IGNORE EXISTING KEY */
static struct scsi_result
do_register(struct pr_state *state, const struct pr_request *req, struct pr_registrant *r)
{
	struct scsi_result res = scsi_good();

	if (req->action == PR_REGISTER && (r ? r->key : 0) != req->key)
		return conflict();
	/* So says the table, though the field is in the parameter list */
	if (req->spec_i_pt && (r || req->action_key == 0))
		return scsi_sense(SENSE_INVALID_FIELD_IN_CDB);
	if (!r && req->action_key == 0)
		return scsi_good();
	if (r && req->action_key == 0) {
		unregister(state, r);
	} else if (r && (!req->all_tg_pt || r->port.target_port == 0)) {
		r->key = req->action_key;
	} else {
		res = register_new(state, req);
	}
	state->generation++;
	state->aptpl = req->aptpl;
	return res;
}

/* ---------------------------------------------------------------- other actions */

static struct scsi_result
do_reserve(struct pr_state *state, const struct pr_request *req, struct pr_registrant *r)
{
	if (state->type == PR_NONE) {
		hold(state, r, req->type);
		return scsi_good();
	}
	return pr_state_is_holder(state, r) && state->type == req->type ? scsi_good() : conflict();
}

static struct scsi_result
do_release(struct pr_state *state, const struct pr_request *req, struct pr_registrant *r)
{
	if (!pr_state_is_holder(state, r))
		return scsi_good();
	if (state->type != req->type)
		return scsi_sense(SENSE_INVALID_RELEASE_OF_RESERVATION);
	release_and_tell(state, r);
	return scsi_good();
}

static struct scsi_result
do_clear(struct pr_state *state, const struct pr_request *req, struct pr_registrant *r)
{
	(void)req;
	tell_others(state, r, SENSE_RESERVATIONS_PREEMPTED);
	release(state);
	for (size_t i = 0; i < state->n; i++)
		state->registrants[i].gone = true;
	state->generation++;
	return scsi_good();
}

/* Registrations with that key (0: all) end, but for by's own with keep_own. Returns how many. */
static size_t
remove_key(struct pr_state *state, uint64_t key, const struct pr_registrant *by, bool keep_own)
{
	size_t n = 0;

	for (size_t i = 0; i < state->n; i++) {
		struct pr_registrant *r = &state->registrants[i];

		if (r->gone || (r == by && keep_own) || (key != 0 && r->key != key))
			continue;
		n++;
		r->gone = true;
		r->abort = r != by;
		if (r != by)
			r->attention = SENSE_REGISTRATIONS_PREEMPTED;
	}
	return n;
}

/* SPC-4 5.12.11.2.6.3: the reservation changes hands */
static void
preempt_reservation(struct pr_state *state, const struct pr_request *req, struct pr_registrant *r)
{
	uint8_t before = state->type;

	(void)remove_key(state, req->action_key, r, true);
	release(state);
	hold(state, r, req->type);
	if (before != req->type)
		tell_others(state, r, SENSE_RESERVATIONS_RELEASED);
}

/* SPC-4 5.12.11.2.6, table 74 */
static struct scsi_result
do_preempt(struct pr_state *state, const struct pr_request *req, struct pr_registrant *r)
{
	bool all = pr_type_is_all(state->type);
	const struct pr_registrant *holder = single_holder(state);

	if (req->action_key == 0 && !all)
		return scsi_bad_parameter(8, SCSI_FIELD_BYTE);
	if (all ? req->action_key == 0 : holder && holder->key == req->action_key) {
		preempt_reservation(state, req, r);
	} else {
		if (remove_key(state, req->action_key, r, false) == 0)
			return conflict();
		if (count_present(state) == 0)
			release(state);
	}
	state->generation++;
	return scsi_good();
}

/* SPC-4 5.12.8, table 73. The new holder may be the same initiator port by another target port. */
static struct scsi_result
do_move(struct pr_state *state, const struct pr_request *req, struct pr_registrant *r)
{
	uint8_t type = state->type;
	size_t by = (size_t)(r - state->registrants);
	struct pr_port to;
	struct pr_registrant *there;
	struct scsi_result res;

	if (pr_type_is_all(type))
		return conflict();
	if (!pr_state_is_holder(state, r))
		return scsi_sense(SENSE_INVALID_FIELD_IN_CDB);
	if (req->action_key == 0)
		return scsi_bad_parameter(8, SCSI_FIELD_BYTE);
	port_from_list(&to, req->transport_ids, req->n_transport_ids, req->move_to_port);
	there = find_port(state, &to);
	if (there == r)
		return scsi_bad_parameter(24, SCSI_FIELD_BYTE); /* to itself */
	if (!there) {
		res = add(state, &to, req->action_key);
		if (!scsi_ok(res))
			return res;
		there = &state->registrants[state->n - 1];
	}
	there->key = req->action_key;
	release(state);
	hold(state, there, type);
	state->registrants[by].gone = req->unreg;
	state->generation++;
	state->aptpl = req->aptpl;
	return scsi_good();
}

struct scsi_result
pr_state_apply(struct pr_state *state, const struct pr_request *req)
{
	static struct scsi_result (*const actions[])(struct pr_state *, const struct pr_request *,
						     struct pr_registrant *) = {
		[PR_RESERVE] = do_reserve,
		[PR_RELEASE] = do_release,
		[PR_CLEAR] = do_clear,
		[PR_PREEMPT] = do_preempt,
		[PR_PREEMPT_AND_ABORT] = do_preempt,
		[PR_REGISTER_AND_MOVE] = do_move,
	};
	struct pr_registrant *r = find_port(state, &req->from);

	if (req->action == PR_REGISTER || req->action == PR_REGISTER_AND_IGNORE)
		return do_register(state, req, r);
	/* SPC-4 5.12.6: everything else is for who is registered, with its key */
	if (!r || r->key != req->key)
		return conflict();
	return actions[req->action](state, req, r);
}
