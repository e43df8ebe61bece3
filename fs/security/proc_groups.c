#include "fs/security/proc_groups.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* NGROUPS_MAX (65536) numbers of 10 digits, a space each, and the lines around them. */
enum { STATUS_SIZE_MAX = 1024 * 1024 };

/* Text after "\nkey:" up to its line's end, NULL when there is no such whole line. */
static const char *
find_line(const char *status, const char *key)
{
	const char *p = strstr(status, key);

	if (!p)
		return NULL;
	p += strlen(key);
	return strchr(p, '\n') ? p : NULL;
}

/* The next number of the line; false at its end. *ret_bad: something else was there. */
static bool
next_number(const char **p, uint32_t *ret, bool *ret_bad)
{
	unsigned long v;
	char *end;

	while (**p == ' ' || **p == '\t')
		(*p)++;
	if (**p == '\n')
		return false;
	errno = 0;
	v = strtoul(*p, &end, 10);
	if (**p < '0' || **p > '9' || errno || v > UINT32_MAX) {
		*ret_bad = true;
		return false;
	}
	*p = end;
	*ret = (uint32_t)v;
	return true;
}

/* "Uid: real effective saved filesystem": the last one is what a request is made with. */
static bool
acts_as(const char *status, const char *key, uint32_t id)
{
	const char *p = find_line(status, key);
	uint32_t v = 0;
	bool bad = false;
	int n = 0;

	if (!p)
		return false;
	while (next_number(&p, &v, &bad))
		n++;
	return !bad && n == 4 && v == id;
}

struct proc_groups *
proc_groups_parse(const char *status, uint32_t uid, uint32_t gid)
{
	const char *line = find_line(status, "\nGroups:"), *p = line;
	struct proc_groups *groups;
	bool bad = false;
	unsigned n = 0;
	uint32_t v;

	if (!line || !acts_as(status, "\nUid:", uid) || !acts_as(status, "\nGid:", gid))
		return NULL;
	while (next_number(&p, &v, &bad))
		n++;
	if (bad)
		return NULL;
	groups = malloc(sizeof(*groups) + n * sizeof(groups->gids[0]));
	if (!groups)
		return NULL;
	groups->n = 0;
	for (p = line; next_number(&p, &v, &bad);)
		groups->gids[groups->n++] = v;
	return groups;
}

/* Text of a file: room first, the heap when that is too small. */
struct status_text {
	char *text; /* room, or heap */
	size_t used, cap;
	char *heap;
	char room[4096];
};

static bool
text_grow(struct status_text *t)
{
	size_t cap = t->cap * 4;
	char *bigger;

	if (cap > STATUS_SIZE_MAX)
		return false;
	bigger = realloc(t->heap, cap);
	if (!bigger)
		return false;
	if (!t->heap)
		memcpy(bigger, t->room, t->used);
	t->heap = t->text = bigger;
	t->cap = cap;
	return true;
}

/* The whole file, NUL at its end. */
static bool
text_read(struct status_text *t, int fd)
{
	for (;;) {
		ssize_t n = read(fd, t->text + t->used, t->cap - t->used - 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		t->used += (size_t)n;
		if (n == 0)
			break;
		if (t->used + 1 == t->cap && !text_grow(t))
			return false;
	}
	t->text[t->used] = '\0';
	return true;
}

struct proc_groups *
proc_groups_read(uint32_t pid, uint32_t uid, uint32_t gid)
{
	struct proc_groups *groups = NULL;
	struct status_text t;
	char path[40];
	CLEANUP(close_fd) int fd = -1;

	t.text = t.room;
	t.cap = sizeof(t.room);
	t.used = 0;
	t.heap = NULL;
	snprintf(path, sizeof(path), "/proc/%u/status", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && text_read(&t, fd))
		groups = proc_groups_parse(t.text, uid, gid);
	free(t.heap);
	return groups;
}
