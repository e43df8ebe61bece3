/* The door's face to the table of doors: attach, start, leave, stop. */
#include "transport/iscsi/door.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "transport/iscsi/session.h"

static pthread_once_t registry_once = PTHREAD_ONCE_INIT;

static void
registry_init(void)
{
	cond_init(&iscsi_registry_changed);
}

static const char *
unusable(void)
{
	return NULL;
}

static int
get_parts_locked(struct scsi_door_instance *door, const struct iscsi_options *o,
		 struct scsi_door_error *error)
{
	int err = iscsi_target_get_locked(o, error, &door->target);

	if (err < 0)
		return err;
	struct iscsi_lun *lun = &door->target->luns[o->lun];

	/* The same unit at two portals is one LUN with two ways to it. */
	if (lun->n_doors > 0 && lun->unit != door->unit)
		err = scsi_door_fail(error, EEXIST, "target %s has a LUN %u already", o->iqn,
				     o->lun);
	if (err == 0)
		err = iscsi_portal_get_locked(o, error, &door->portal);
	if (err < 0) {
		iscsi_target_put_locked(door->target);
		return err;
	}
	lun->unit = door->unit;
	lun->n_doors++;
	return 0;
}

static int
attach(struct scsi_unit *unit, const struct scsi_door_params *params, struct scsi_door_error *error,
       struct scsi_door_instance **ret_door)
{
	struct iscsi_options *o = calloc(1, sizeof(*o));
	struct scsi_door_instance *door = calloc(1, sizeof(*door));
	int err = o && door ? iscsi_options_parse(params->device_name, o, error)
			    : scsi_door_fail(error, ENOMEM, "out of memory");

	pthread_once(&registry_once, registry_init);
	if (err == 0) {
		assert(o && door);
		list_init(&door->link);
		door->unit = scsi_unit_ref(unit);
		door->lun = o->lun;
		door->ended = params->ended;
		door->ctx = params->ctx;
		mutex_lock(&iscsi_registry_lock);
		err = get_parts_locked(door, o, error);
		mutex_unlock(&iscsi_registry_lock);
		if (err < 0)
			scsi_unit_unref(door->unit);
	}
	free(o);
	if (err < 0) {
		free(door);
		return err;
	}
	*ret_door = door;
	return 0;
}

/* The first door of a LUN puts the unit there. */
static int
add_lun_locked(struct scsi_door_instance *door, struct scsi_door_error *error)
{
	struct iscsi_lun *lun = &door->target->luns[door->lun];
	int err = 0;

	if (lun->n_started == 0)
		err = scsi_target_add_lun(door->target->scsi, door->lun, door->unit);
	if (err < 0)
		return scsi_door_fail(error, -err, "LUN %u: %s", door->lun, strerror(-err));
	lun->n_started++;
	return 0;
}

/* True: this was the LUN's last door that served. */
static bool
drop_lun_locked(struct scsi_door_instance *door)
{
	return --door->target->luns[door->lun].n_started == 0;
}

static int
start(struct scsi_door_instance *door, struct scsi_door_error *error)
{
	int err = iscsi_loop_get(&door->loop);
	bool last = false;

	if (err < 0)
		return scsi_door_fail(error, -err, "cannot start threads: %s", strerror(-err));
	mutex_lock(&iscsi_registry_lock);
	err = add_lun_locked(door, error);
	if (err == 0) {
		list_insert(&iscsi_doors, &door->link);
		err = iscsi_portal_listen_locked(door->portal, door->loop, error);
		if (err < 0) {
			list_remove(&door->link);
			last = drop_lun_locked(door);
		} else {
			door->target->n_started++;
			door->started = true;
		}
	}
	mutex_unlock(&iscsi_registry_lock);
	if (err < 0) {
		if (last)
			scsi_target_remove_lun(door->target->scsi, door->lun);
		iscsi_loop_put(take(&door->loop));
	}
	return err;
}

static int
leave(struct scsi_door_instance *door, struct scsi_door_error *error)
{
	struct iscsi_target *target = door->target;
	int err = 0;

	mutex_lock(&iscsi_registry_lock);
	if (door->started && target->n_sessions > 0) {
		struct iscsi_session *first =
			list_first(&target->sessions, struct iscsi_session, link);
		char name[100];

		iscsi_printable(first->initiator, strlen(first->initiator), name, sizeof(name));
		err = scsi_door_fail(error, EBUSY,
				     "target %s is in use by %s at %s%s: log out there first",
				     target->iqn, name, first->conn->peer,
				     target->n_sessions > 1 ? " and others" : "");
	}
	mutex_unlock(&iscsi_registry_lock);
	return err;
}

/* The last unit of the target goes: so do its sessions. */
static void
end_sessions_locked(struct iscsi_target *target) REQUIRES(&iscsi_registry_lock)
{
	target->closing = true;
	iscsi_sessions_farewell_locked(target, NULL);
	while (target->n_sessions > 0)
		cond_wait(&iscsi_registry_changed, &iscsi_registry_lock);
	target->closing = false;
}

static void
close_portal_locked(struct iscsi_portal *portal) REQUIRES(&iscsi_registry_lock)
{
	iscsi_portal_close_locked(portal);
	while (portal->n_conns > 0)
		cond_wait(&iscsi_registry_changed, &iscsi_registry_lock);
}

/*
 * A login that has looked its target up holds on to the target's secrets: where the target goes and
 * the portal stays, logins under way are ended.
 */
static void
end_logins_locked(struct iscsi_portal *portal) REQUIRES(&iscsi_registry_lock)
{
	bool found;

	do {
		found = false;
		list_for_each (pos, &portal->conns) {
			struct iscsi_conn *conn = list_entry(pos, struct iscsi_conn, portal_link);

			if (conn->session || conn->logged_in)
				continue;
			iscsi_conn_kill(conn, "a target goes away");
			found = true;
		}
		if (found)
			cond_wait(&iscsi_registry_changed, &iscsi_registry_lock);
	} while (found);
}

static void
stop(struct scsi_door_instance *door)
{
	struct iscsi_target *target = door->target;
	bool last_lun;

	mutex_lock(&iscsi_registry_lock);
	if (!door->started) {
		mutex_unlock(&iscsi_registry_lock);
		return;
	}
	door->started = false;
	list_remove(&door->link);
	last_lun = drop_lun_locked(door);
	if (--target->n_started == 0)
		end_sessions_locked(target);
	if (!iscsi_reachable_locked(door->portal, target))
		end_logins_locked(door->portal);
	if (door->portal->n_started == 1)
		close_portal_locked(door->portal);
	door->portal->n_started--;
	mutex_unlock(&iscsi_registry_lock);
	if (last_lun)
		scsi_target_remove_lun(target->scsi, door->lun);
	iscsi_loop_put(take(&door->loop));
}

static void
detach(struct scsi_door_instance *door)
{
	if (!door)
		return;
	stop(door);
	mutex_lock(&iscsi_registry_lock);
	struct iscsi_lun *lun = &door->target->luns[door->lun];

	if (--lun->n_doors == 0)
		lun->unit = NULL;
	iscsi_portal_put_locked(door->portal);
	iscsi_target_put_locked(door->target);
	mutex_unlock(&iscsi_registry_lock);
	scsi_unit_unref(door->unit);
	free(door);
}

static void
describe_session(const struct iscsi_session *s, struct buf *json)
{
	struct iscsi_conn *c = s->conn;
	bool header_digest, data_digest;

	mutex_lock(&c->lock);
	header_digest = c->header_digest;
	data_digest = c->data_digest;
	mutex_unlock(&c->lock);
	buf_printf(json, "{\"initiator\":");
	buf_json_string(json, s->initiator);
	buf_printf(json, ",\"address\":");
	buf_json_string(json, c->peer);
	buf_printf(json, ",\"auth\":\"%s\",\"header_digest\":%s,\"data_digest\":%s",
		   c->login.method, header_digest ? "true" : "false",
		   data_digest ? "true" : "false");
	buf_printf(json, ",\"commands\":%llu,\"bytes_sent\":%llu}",
		   (unsigned long long)atomic_load(&c->n_commands),
		   (unsigned long long)atomic_load(&c->n_bytes_out));
}

static void
describe(struct scsi_door_instance *door, struct buf *json)
{
	char address[64], url[sizeof(address) + ISCSI_NAME_MAX + 32];
	const char *separator = "";

	mutex_lock(&iscsi_registry_lock);
	iscsi_address_format(&door->portal->address, address, sizeof(address));
	snprintf(url, sizeof(url), "iscsi://%s/%s/%u", address, door->target->iqn, door->lun);
	buf_printf(json, "\"door\":\"iscsi\",\"url\":");
	buf_json_string(json, url);
	if (door->target->options.advertise[0]) {
		buf_printf(json, ",\"advertise\":");
		buf_json_string(json, door->target->options.advertise);
	}
	buf_printf(json, ",\"auth\":%s,\"connections\":%u,\"refused\":%llu,\"sessions\":[",
		   door->target->auth.n_users > 0 ? "true" : "false", door->portal->n_conns,
		   (unsigned long long)door->portal->n_refused);
	list_for_each (pos, &door->target->sessions) {
		buf_printf(json, "%s", separator);
		describe_session(list_entry(pos, struct iscsi_session, link), json);
		separator = ",";
	}
	buf_printf(json, "]");
	mutex_unlock(&iscsi_registry_lock);
}

const struct scsi_door door_iscsi = {
	.name = "iscsi",
	.prefix = "iscsi://",
	.unusable = unusable,
	.attach = attach,
	.start = start,
	.leave = leave,
	.stop = stop,
	.describe = describe,
	.detach = detach,
};
