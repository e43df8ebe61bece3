/* Sessions: who may come, how a session begins, what it replaces, and its end. RFC
 * 7143 6.3.5, 6.3.6. */
#include "transport/iscsi/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"

struct mutex iscsi_registry_lock = MUTEX_INIT;
struct cond iscsi_registry_changed; /* set up by door.c */
struct list iscsi_doors = LIST_INIT(iscsi_doors);

struct scsi_nexus *
iscsi_conn_nexus(const struct iscsi_conn *conn)
{
	return conn->session->nexus;
}

/* Does the portal lead to the target? */
bool
iscsi_reachable_locked(const struct iscsi_portal *portal, const struct iscsi_target *target)
{
	list_for_each (pos, &iscsi_doors) {
		struct scsi_door_instance *door = list_entry(pos, struct scsi_door_instance, link);

		if (door->portal == portal && door->target == target)
			return true;
	}
	return false;
}

static void
policy_of(const struct iscsi_target *target, struct iscsi_login_policy *policy)
{
	*policy = (struct iscsi_login_policy){
		.auth = target->auth.n_users > 0 ? &target->auth : NULL,
		.header_digests = target->options.header_digests,
		.data_digests = target->options.data_digests,
	};
}

/* Nobody has to prove himself to see targets that are open to him; where all are guarded, the first
 * one's secrets are asked for. */
static void
discovery_policy_locked(const struct iscsi_conn *conn, struct iscsi_login_policy *policy)
{
	enum { ANY = ISCSI_DIGEST_NONE | ISCSI_DIGEST_CRC32C };
	const struct iscsi_auth *auth = NULL;
	bool open = false;

	list_for_each (pos, &iscsi_doors) {
		struct scsi_door_instance *door = list_entry(pos, struct scsi_door_instance, link);

		if (door->portal != conn->portal)
			continue;
		if (door->target->auth.n_users == 0)
			open = true;
		else if (!auth)
			auth = &door->target->auth;
	}
	*policy = (struct iscsi_login_policy){
		.auth = open ? NULL : auth, .header_digests = ANY, .data_digests = ANY};
}

static uint16_t
lookup_locked(struct iscsi_conn *conn, const struct iscsi_login *login,
	      struct iscsi_login_policy *policy)
{
	struct iscsi_target *target;

	if (login->discovery) {
		discovery_policy_locked(conn, policy);
		return ISCSI_LOGIN_OK;
	}
	target = iscsi_target_find_locked(login->target);
	if (!target || !iscsi_reachable_locked(conn->portal, target))
		return ISCSI_LOGIN_NOT_FOUND;
	if (!iscsi_options_allow(target->options.allow, login->initiator))
		return ISCSI_LOGIN_FORBIDDEN;
	policy_of(target, policy);
	return ISCSI_LOGIN_OK;
}

uint16_t
iscsi_session_lookup(void *conn, const struct iscsi_login *login,
		     struct iscsi_login_policy *ret_policy)
{
	uint16_t status;

	/* What the policy borrows lives as long as the portal's connections: stop() waits for them.
	 */
	mutex_lock(&iscsi_registry_lock);
	status = lookup_locked(conn, login, ret_policy);
	mutex_unlock(&iscsi_registry_lock);
	return status;
}

static struct iscsi_session *
find_locked(struct iscsi_target *target, const struct iscsi_login *login)
{
	list_for_each (pos, &target->sessions) {
		struct iscsi_session *s = list_entry(pos, struct iscsi_session, link);

		if (memcmp(s->isid, login->isid, sizeof(s->isid)) == 0 &&
		    strcmp(s->initiator, login->initiator) == 0)
			return s;
	}
	return NULL;
}

static bool
tsih_used_locked(const struct iscsi_target *target, uint16_t tsih)
{
	list_for_each (pos, &target->sessions)
		if (list_entry(pos, struct iscsi_session, link)->tsih == tsih)
			return true;
	return false;
}

/* 11.12.6: a TSIH that is not 0 names a session to join: ours have one connection each. */
static uint16_t
join_status(const struct iscsi_session *old, const struct iscsi_login *login)
{
	if (!old || old->tsih != login->tsih)
		return ISCSI_LOGIN_NO_SESSION;
	return old->conn->login.cid == login->cid ? ISCSI_LOGIN_CANNOT_INCLUDE
						  : ISCSI_LOGIN_TOO_MANY_CONNECTIONS;
}

/* SPC-4 7.6.4.6, format 01b: name and ISID, padded to four bytes. Returns its size. */
static size_t
make_transport_id(const char *port, uint8_t dst[SCSI_TRANSPORT_ID_MAX])
{
	size_t n = MAX(ALIGN_UP(strlen(port) + 1, (size_t)4), (size_t)20);

	memset(dst, 0, SCSI_TRANSPORT_ID_MAX);
	dst[0] = 0x45;
	put_be16(dst + 2, (uint16_t)n);
	strcpy((char *)dst + 4, port);
	return n + 4;
}

static int
make_nexus(struct iscsi_session *s)
{
	char port[ISCSI_NAME_MAX + 24];
	uint8_t id[SCSI_TRANSPORT_ID_MAX];
	struct scsi_nexus_params params = {.initiator = port, .transport_id = id, .target_port = 1};

	snprintf(port, sizeof(port), "%s,i,0x%02x%02x%02x%02x%02x%02x", s->initiator, s->isid[0],
		 s->isid[1], s->isid[2], s->isid[3], s->isid[4], s->isid[5]);
	params.n_transport_id = make_transport_id(port, id);
	return scsi_nexus_create(s->target->scsi, &params, &s->nexus);
}

static uint16_t
create_locked(struct iscsi_conn *conn, struct iscsi_target *target)
{
	struct iscsi_session *s = calloc(1, sizeof(*s));

	if (!s)
		return ISCSI_LOGIN_NO_RESOURCES;
	s->target = target;
	s->conn = conn;
	strcpy(s->initiator, conn->login.initiator);
	memcpy(s->isid, conn->login.isid, sizeof(s->isid));
	if (make_nexus(s) < 0) {
		free(s);
		return ISCSI_LOGIN_NO_RESOURCES;
	}
	do
		s->tsih = ++target->last_tsih;
	while (s->tsih == 0 || tsih_used_locked(target, s->tsih));
	list_insert(&target->sessions, &s->link);
	target->n_sessions++;
	conn->session = s;
	conn->timeout_s = target->options.timeout_s;
	return ISCSI_LOGIN_OK;
}

static uint16_t
admit_locked(struct iscsi_conn *conn, bool *ret_wait)
{
	const struct iscsi_login *login = &conn->login;
	struct iscsi_target *target = iscsi_target_find_locked(login->target);
	struct iscsi_session *old;

	if (!target || target->closing || !iscsi_reachable_locked(conn->portal, target))
		return ISCSI_LOGIN_REMOVED;
	old = find_locked(target, login);
	if (login->tsih != 0)
		return join_status(old, login);
	/* 6.3.5: the same initiator port again: the old session ends first. */
	if (old) {
		iscsi_conn_kill(old->conn, "its session is reinstated");
		old->successor_waits = true;
		*ret_wait = true;
		return ISCSI_LOGIN_OK;
	}
	if (target->n_sessions >= target->options.sessions)
		return ISCSI_LOGIN_NO_RESOURCES;
	return create_locked(conn, target);
}

uint16_t
iscsi_session_admit(struct iscsi_conn *conn, bool *ret_wait)
{
	uint16_t status = ISCSI_LOGIN_OK;

	conn->timeout_s = ISCSI_TIMEOUT_DEFAULT;
	if (conn->login.discovery)
		return conn->login.tsih ? ISCSI_LOGIN_NO_SESSION : ISCSI_LOGIN_OK;
	mutex_lock(&iscsi_registry_lock);
	status = admit_locked(conn, ret_wait);
	mutex_unlock(&iscsi_registry_lock);
	return status;
}

/* Those that log in with this session's names may go on; they look again for themselves. */
static void
wake_successors_locked(const struct iscsi_session *s)
{
	list_for_each (pos, &iscsi_doors) {
		struct scsi_door_instance *door = list_entry(pos, struct scsi_door_instance, link);

		if (door->target != s->target)
			continue;
		list_for_each (at, &door->portal->conns) {
			struct iscsi_conn *conn = list_entry(at, struct iscsi_conn, portal_link);

			if (!conn->session)
				iscsi_conn_wake(conn);
		}
	}
}

void
iscsi_session_end(struct iscsi_conn *conn)
{
	struct iscsi_session *s = conn->session;

	scsi_nexus_destroy(s->nexus);
	mutex_lock(&iscsi_registry_lock);
	conn->session = NULL;
	list_remove(&s->link);
	s->target->n_sessions--;
	if (s->successor_waits)
		wake_successors_locked(s);
	cond_broadcast(&iscsi_registry_changed);
	mutex_unlock(&iscsi_registry_lock);
	free(s);
}

void
iscsi_sessions_farewell_locked(struct iscsi_target *target, const struct iscsi_session *but)
{
	list_for_each (pos, &target->sessions) {
		struct iscsi_session *s = list_entry(pos, struct iscsi_session, link);

		if (s != but)
			iscsi_conn_farewell(s->conn);
	}
}

/* SendTargets */

static bool
may_see(const struct iscsi_conn *conn, const struct iscsi_target *target)
{
	if (conn->session)
		return conn->session->target == target;
	if (!iscsi_options_allow(target->options.allow, conn->login.initiator))
		return false;
	return !conn->login.user[0] || target->auth.n_users == 0 ||
	       iscsi_auth_find(&target->auth, conn->login.user);
}

static void
add_target_locked(struct iscsi_conn *conn, const struct iscsi_target *target, struct buf *reply)
{
	const char *address =
		target->options.advertise[0] ? target->options.advertise : conn->local;

	iscsi_text_add(reply, "TargetName", target->iqn);
	buf_printf(reply, "TargetAddress=%s,1", address);
	buf_add(reply, "", 1);
}

/* A target that several units of this portal share is named once. */
static bool
is_first_locked(const struct scsi_door_instance *door)
{
	for (struct list *pos = iscsi_doors.next; pos != &door->link; pos = pos->next) {
		struct scsi_door_instance *other = list_entry(pos, struct scsi_door_instance, link);

		if (other->portal == door->portal && other->target == door->target)
			return false;
	}
	return true;
}

int
iscsi_session_targets(struct iscsi_conn *conn, const char *value, struct buf *reply)
{
	char iqn[ISCSI_NAME_MAX + 1] = "";
	bool all = strcmp(value, "All") == 0;

	/*
	 * Appendix C: the empty value is for normal sessions only. It would have All refused there;
	 * initiators send it and other targets answer, and it shows nothing but the session's own.
	 */
	if (!conn->session && !value[0])
		return -EINVAL;
	if (!all && value[0] && iscsi_name_parse(value, iqn) < 0)
		return -EINVAL;
	mutex_lock(&iscsi_registry_lock);
	list_for_each (pos, &iscsi_doors) {
		struct scsi_door_instance *door = list_entry(pos, struct scsi_door_instance, link);

		if (door->portal == conn->portal && is_first_locked(door) &&
		    may_see(conn, door->target) && (!iqn[0] || strcmp(iqn, door->target->iqn) == 0))
			add_target_locked(conn, door->target, reply);
	}
	mutex_unlock(&iscsi_registry_lock);
	return 0;
}
