#include "api/fuse/hl_lock.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* The end of a range without an end. */
#define LOCK_END_MAX ((off_t)INT64_MAX)

struct hl_lock
hl_lock_from_flock(const struct flock *fl, uint64_t owner)
{
	struct hl_lock lock = {
		.type = fl->l_type, .owner = owner, .start = fl->l_start, .pid = fl->l_pid};

	if (fl->l_len == 0 || add_overflows(fl->l_start, fl->l_len - 1, &lock.end))
		lock.end = LOCK_END_MAX;
	return lock;
}

struct flock
hl_lock_to_flock(const struct hl_lock *lock)
{
	return (struct flock){
		.l_type = (short)lock->type,
		.l_whence = SEEK_SET,
		.l_start = lock->start,
		.l_len = lock->end == LOCK_END_MAX ? 0 : lock->end - lock->start + 1,
		.l_pid = lock->pid,
	};
}

static bool
overlap(const struct hl_lock *a, const struct hl_lock *b)
{
	return a->start <= b->end && b->start <= a->end;
}

const struct hl_lock *
hl_locks_conflict(const struct hl_lock *list, const struct hl_lock *want)
{
	for (; list; list = list->next)
		if (list->owner != want->owner && overlap(list, want) &&
		    (list->type == F_WRLCK || want->type == F_WRLCK))
			return list;
	return NULL;
}

/* Grows lock over the neighbours of its owner and type, which it replaces. */
static void
absorb(struct hl_lock **list, struct hl_lock *lock)
{
	for (struct hl_lock **p = list; *p;) {
		struct hl_lock *l = *p;

		if (l->owner != lock->owner || l->type != lock->type ||
		    (lock->end < l->start && lock->end + 1 != l->start) ||
		    (l->end < lock->start && l->end + 1 != lock->start)) {
			p = &l->next;
			continue;
		}
		lock->start = MIN(lock->start, l->start);
		lock->end = MAX(lock->end, l->end);
		*p = l->next;
		free(l);
	}
}

/* Cuts the range out of the owner's locks; spare becomes the right part of one cut in two. */
static void
cut(struct hl_lock **list, const struct hl_lock *range, struct hl_lock **spare)
{
	for (struct hl_lock **p = list; *p;) {
		struct hl_lock *l = *p;

		if (l->owner != range->owner || !overlap(l, range)) {
			p = &l->next;
		} else if (l->start < range->start && l->end > range->end) {
			struct hl_lock *right = take(spare);

			*right = *l;
			right->start = range->end + 1;
			l->end = range->start - 1;
			l->next = right;
			return;
		} else if (l->start < range->start) {
			l->end = range->start - 1;
			p = &l->next;
		} else if (l->end > range->end) {
			l->start = range->end + 1;
			p = &l->next;
		} else {
			*p = l->next;
			free(l);
		}
	}
}

int
hl_locks_set(struct hl_lock **list, const struct hl_lock *lock)
{
	CLEANUP(free_ptr) struct hl_lock *spare = malloc(sizeof(*spare));
	CLEANUP(free_ptr) struct hl_lock *entry = malloc(sizeof(*entry));

	if (!spare || !entry)
		return -ENOMEM;
	*entry = *lock;
	if (lock->type != F_UNLCK)
		absorb(list, entry);
	cut(list, entry, &spare);
	if (lock->type != F_UNLCK) {
		entry->next = *list;
		*list = take(&entry);
	}
	return 0;
}

void
hl_locks_free(struct hl_lock *list)
{
	while (list) {
		struct hl_lock *next = list->next;

		free(list);
		list = next;
	}
}
