/*
 * From node ids to paths that stay true while a callback uses them. Each operation locks the
 * names on its path for reading, up to the root; one that removes, renames or replaces a name
 * locks that name for writing. So a rename waits for operations below it, and they for it.
 *
 * No deadlock: an operation takes all of its names at once or none (it never waits while it holds
 * some), and the order among those that wait is that of arrival: a name for which an older
 * operation waits as a writer is not given to a younger one, so that no rename starves. The
 * oldest waits for holders only.
 */
#ifndef USERDRIVE_API_FUSE_PATHS_H
#define USERDRIVE_API_FUSE_PATHS_H

#include "api/fuse/nodes.h"

struct path_want {
	uint64_t id;      /* the node, or with a name its parent */
	const char *name; /* NULL: the node itself */
	bool write;       /* lock the name for writing; only with a name */
	bool optional;    /* a removed name has a NULL path instead of failing */
};

/* What one operation holds. Not to be copied. */
struct path_lock {
	const char *path[2]; /* "/a/b", valid until path_unlock */
	struct node *chain[2], *written[2];
	struct list queued;
	char *heap[2];
	char small[2][256];
};

/*
 * Locks n_wants (1 or 2) names and builds their paths. 0, -ESTALE when a name on the way was
 * removed or without such a node, -EINVAL when one name to write is on the way to the other,
 * -ENOMEM; nothing is held then. May wait. With n_wants 0 it holds nothing and cannot fail. A
 * lock that failed may be unlocked too, and one twice.
 */
NODISCARD int path_lock(struct nodes *t, struct path_lock *l, const struct path_want *want,
			int n_wants) EXCLUDES(&t->lock);
void path_unlock(struct nodes *t, struct path_lock *l) EXCLUDES(&t->lock);

#endif
