/*
 * Changes that did not come through this door: the kernel's caches are told.
 *
 * The engine calls us from any thread, also from inside a request of ours, while the kernel may
 * hold locks until that request is answered; so changes are queued, and a thread of their own sends
 * them with no lock held (ruling 12). What this door itself did, the kernel knows: such changes
 * carry our tag and are dropped here.
 */
#include "transport/mount/door_priv.h"

#include "base/log.h"
#include "base/text/names.h"

enum { QUEUE_MAX = 16384 };

struct door_change {
	struct door_change *next;
	uint32_t action, filter;
	size_t n_units;
	uint16_t name[];
};

static void
changed(struct fs_watcher *watcher, uint32_t action, uint32_t filter, const uint16_t *name,
	size_t n_units, const void *origin)
{
	struct door *d = container_of(watcher, struct door, watcher);
	struct door_notify *q = &d->notify;
	struct door_change *c;

	if (origin == d)
		return;
	c = malloc(sizeof(*c) + n_units * sizeof(*name));
	mutex_lock(&q->lock);
	if (!c || q->n >= QUEUE_MAX)
		q->overflowed = true;
	else {
		*c = (struct door_change){.action = action, .filter = filter, .n_units = n_units};
		memcpy(c->name, name, n_units * sizeof(*name));
		*q->last = c;
		q->last = &c->next;
		q->n++;
		c = NULL;
	}
	cond_signal(&q->changed);
	mutex_unlock(&q->lock);
	free(c);
}

static void
tell_entry(struct door *d, struct door_node *parent, struct door_node *child, uint32_t action,
	   const uint16_t *name, size_t n_units)
{
	char bytes[NAME_MAX_UTF8_BYTES];
	int n = name_to_posix(name, n_units, TEXT_COMPONENT, bytes, sizeof(bytes));
	int err = -ENOENT;

	/* The listing and the times of the directory have changed too. */
	(void)fusek_notify_inval_inode(d->session, parent->id, 0, 0);
	if (n <= 0)
		return;
	/* DELETE also makes the kernel tell inotify; a child in use only loses its entry. */
	if (child && action == FILE_ACTION_REMOVED)
		err = fusek_notify_delete(d->session, parent->id, child->id, bytes, (size_t)n);
	if (err < 0)
		(void)fusek_notify_inval_entry(d->session, parent->id, bytes, (size_t)n, false);
}

static bool
is_data(uint32_t filter)
{
	return filter & (FILE_NOTIFY_CHANGE_SIZE | FILE_NOTIFY_CHANGE_LAST_WRITE);
}

/*
 * Data or attributes of a file that stays. With the writeback cache the kernel holds the size of a
 * file that it knows for its own and believes no other; it has to lose the file first. Who has it
 * open goes on with what he sees (docs/compatibility.md).
 */
static void
tell_modified(struct door *d, struct door_node *parent, struct door_node *node, uint32_t filter,
	      const uint16_t *name, size_t n_units)
{
	char bytes[NAME_MAX_UTF8_BYTES];
	int n;

	/* A negative offset: attributes only. */
	(void)fusek_notify_inval_inode(d->session, node->id, is_data(filter) ? 0 : -1, 0);
	if (!d->writeback || !parent || !is_data(filter))
		return;
	n = name_to_posix(name, n_units, TEXT_COMPONENT, bytes, sizeof(bytes));
	if (n > 0)
		(void)fusek_notify_inval_entry(d->session, parent->id, bytes, (size_t)n, false);
}

static void
tell(struct door *d, const struct door_change *c)
{
	struct door_node *parent, *node;
	const uint16_t *name = NULL;
	size_t n_units = 0, n_path = 0;

	/* A stream's change is the file's. */
	while (n_path < c->n_units && c->name[n_path] != ':')
		n_path++;
	node = door_node_find_path(&d->nodes, c->name, n_path, &parent, &name, &n_units);
	switch (c->action) {
	case FILE_ACTION_ADDED:
	case FILE_ACTION_REMOVED:
	case FILE_ACTION_RENAMED_OLD_NAME:
	case FILE_ACTION_RENAMED_NEW_NAME:
		if (parent)
			tell_entry(d, parent, node, c->action, name, n_units);
		break;
	default:
		if (node)
			tell_modified(d, parent, node, c->filter, name, n_units);
	}
	door_node_put(&d->nodes, node);
	door_node_put(&d->nodes, parent);
}

/* Too much at once: every name is looked up again. Kernels before 7.44 wait for the timeouts. */
static void
tell_everything(struct door *d)
{
	int err = fusek_notify_inc_epoch(d->session);

	log_warn("mount", "change queue overflowed mountpoint=\"%s\" epoch=%s", d->where,
		 err < 0 ? "unsupported" : "raised");
}

static void *
notify_main(void *arg)
{
	struct door *d = arg;
	struct door_notify *q = &d->notify;

	mutex_lock(&q->lock);
	for (;;) {
		struct door_change *c = q->first;
		bool overflowed = q->overflowed;

		if (q->stopping)
			break;
		if (!c && !overflowed) {
			cond_wait(&q->changed, &q->lock);
			continue;
		}
		q->overflowed = false;
		q->first = NULL;
		q->last = &q->first;
		q->n = 0;
		mutex_unlock(&q->lock);
		if (overflowed)
			tell_everything(d);
		while (c) {
			struct door_change *next = c->next;

			tell(d, c);
			free(c);
			c = next;
		}
		mutex_lock(&q->lock);
	}
	mutex_unlock(&q->lock);
	return NULL;
}

int
door_notify_start(struct door *d)
{
	struct door_notify *q = &d->notify;
	int err;

	mutex_init(&q->lock);
	cond_init(&q->changed);
	q->last = &q->first;
	err = pthread_create(&q->thread, NULL, notify_main, d);
	if (err) {
		cond_fini(&q->changed);
		mutex_fini(&q->lock);
		return -err;
	}
	q->running = true;
	d->watcher.changed = changed;
	fs_watch(d->volume, &d->watcher);
	return 0;
}

void
door_notify_stop(struct door *d)
{
	struct door_notify *q = &d->notify;

	if (!q->running)
		return;
	fs_unwatch(d->volume, &d->watcher);
	mutex_lock(&q->lock);
	q->stopping = true;
	cond_signal(&q->changed);
	mutex_unlock(&q->lock);
	pthread_join(q->thread, NULL);
	while (q->first) {
		struct door_change *c = q->first;

		q->first = c->next;
		free(c);
	}
	cond_fini(&q->changed);
	mutex_fini(&q->lock);
	q->running = false;
}
