/* Intrusive circular list. Whoever declares a head names the lock that rules it. */
#ifndef USERDRIVE_BASE_LIST_H
#define USERDRIVE_BASE_LIST_H

#include "base/compiler.h"

struct list {
	struct list *prev, *next;
};

#define LIST_INIT(name)                                                                  \
	{                                                                                \
		&(name), &(name)                                                         \
	}

static inline void
list_init(struct list *l)
{
	l->prev = l->next = l;
}

static inline bool
list_empty(const struct list *l)
{
	return l->next == l;
}

/* Inserts node before position; list_insert(head, n) appends. */
static inline void
list_insert(struct list *position, struct list *node)
{
	node->prev = position->prev;
	node->next = position;
	position->prev->next = node;
	position->prev = node;
}

/* Unlinks and re-initialises; harmless on an unlinked, initialised node. */
static inline void
list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

#define list_entry(ptr, type, member) container_of(ptr, type, member)
#define list_first(head, type, member) list_entry((head)->next, type, member)

/* pos is a struct list *; the body may remove pos when it uses list_for_each_safe. */
#define list_for_each(pos, head)                                                         \
	for (struct list *pos = (head)->next; pos != (head); pos = pos->next)
#define list_for_each_safe(pos, tmp, head)                                               \
	for (struct list *pos = (head)->next, *tmp = pos->next; pos != (head);           \
	     pos = tmp, tmp = tmp->next)

#endif
