/* Targets of the process, by IQN. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "transport/iscsi/session.h"

static struct list targets = LIST_INIT(targets); /* under iscsi_registry_lock */

struct iscsi_target *
iscsi_target_find_locked(const char *iqn)
{
	list_for_each (pos, &targets) {
		struct iscsi_target *target = list_entry(pos, struct iscsi_target, link);

		if (strcmp(target->iqn, iqn) == 0)
			return target;
	}
	return NULL;
}

static void
target_destroy(struct iscsi_target *target)
{
	list_remove(&target->link);
	if (target->scsi)
		scsi_target_destroy(target->scsi);
	iscsi_auth_fini(&target->auth);
	free(target);
}

static int
load_auth(struct iscsi_target *target, struct scsi_door_error *error)
{
	const char *path = target->options.auth;
	char text[200];
	int err;

	if (!path[0])
		return 0;
	err = iscsi_auth_load(path, &target->auth, text, sizeof(text));
	return err < 0 ? scsi_door_fail(error, -err, "auth file %s: %s", path, text) : 0;
}

static int
make_scsi(struct iscsi_target *target, struct scsi_door_error *error)
{
	char port[ISCSI_NAME_MAX + 16];
	int err = scsi_target_create(target->iqn, &target->scsi);

	/* SPC-4 7.8.6.x: the port's name is the target's with its portal group. There is one group.
	 */
	snprintf(port, sizeof(port), "%s,t,0x0001", target->iqn);
	if (err == 0)
		err = scsi_target_add_port(target->scsi, 1, port);
	return err < 0 ? scsi_door_fail(error, -err, "target %s: %s", target->iqn, strerror(-err))
		       : 0;
}

static int
target_create(const struct iscsi_options *o, struct scsi_door_error *error,
	      struct iscsi_target **ret_target)
{
	struct iscsi_target *target = calloc(1, sizeof(*target));
	int err;

	if (!target)
		return scsi_door_fail(error, ENOMEM, "out of memory");
	list_init(&target->link);
	list_init(&target->sessions);
	strcpy(target->iqn, o->iqn);
	target->options = o->target;
	err = load_auth(target, error);
	if (err == 0)
		err = make_scsi(target, error);
	if (err < 0) {
		target_destroy(target);
		return err;
	}
	list_insert(&targets, &target->link);
	*ret_target = target;
	return 0;
}

static bool
same_options(const struct iscsi_target_options *a, const struct iscsi_target_options *b)
{
	return strcmp(a->auth, b->auth) == 0 && strcmp(a->allow, b->allow) == 0 &&
	       strcmp(a->advertise, b->advertise) == 0 && a->sessions == b->sessions &&
	       a->header_digests == b->header_digests && a->data_digests == b->data_digests &&
	       a->timeout_s == b->timeout_s;
}

int
iscsi_target_get_locked(const struct iscsi_options *o, struct scsi_door_error *error,
			struct iscsi_target **ret_target)
{
	struct iscsi_target *target = iscsi_target_find_locked(o->iqn);
	int err = 0;

	if (target && target->closing)
		return scsi_door_fail(error, EBUSY, "target %s is just being stopped", o->iqn);
	/* Who may log in is the target's affair: it must not depend on which unit came first. */
	if (target && !same_options(&target->options, &o->target))
		return scsi_door_fail(
			error, EINVAL,
			"target %s is there with other options: give all its units the same",
			o->iqn);
	if (!target)
		err = target_create(o, error, &target);
	if (err < 0)
		return err;
	assert(target);
	target->n_doors++;
	*ret_target = target;
	return 0;
}

void
iscsi_target_put_locked(struct iscsi_target *target)
{
	if (--target->n_doors == 0)
		target_destroy(target);
}
