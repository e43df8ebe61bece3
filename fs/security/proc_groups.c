#include "fs/security/proc_groups.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* NGROUPS_MAX (65536) numbers of 10 digits and the lines around them. */
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

/* The whole file, NUL at its end. *text is the caller's room or, when that is too small, heap. */
static bool
read_all(int fd, char **text, size_t cap, char **ret_heap)
{
	size_t used = 0;

	for (;;) {
		ssize_t n = read(fd, *text + used, cap - used - 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		used += (size_t)n;
		(*text)[used] = '\0';
		if (n == 0)
			return true;
		if (used + 1 < cap)
			continue;
		if (cap >= STATUS_SIZE_MAX)
			return false;
		cap *= 4;
		{
			char *bigger = realloc(*ret_heap, cap);

			if (!bigger)
				return false;
			if (!*ret_heap)
				memcpy(bigger, *text, used + 1);
			*ret_heap = *text = bigger;
		}
	}
}

struct proc_groups *
proc_groups_read(uint32_t pid, uint32_t uid, uint32_t gid)
{
	char path[40], room[4096], *text = room;
	CLEANUP(free_ptr) char *heap = NULL;
	CLEANUP(close_fd) int fd = -1;

	snprintf(path, sizeof(path), "/proc/%u/status", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || !read_all(fd, &text, sizeof(room), &heap))
		return NULL;
	return proc_groups_parse(text, uid, gid);
}
