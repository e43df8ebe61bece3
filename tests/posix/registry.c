/* The list of all cases, in the order of cases.list. */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "groups.h"
#include "runner.h"

static struct posix_case
	*list; /* owned, with the names in it, for the life of the program */
static size_t n_list;

static _Noreturn void
no_memory(void)
{
	fputs("posix-suite: out of memory\n", stderr);
	exit(2);
}

static void
append(const struct posix_case *c, const char *prefix, const char *suffix,
       unsigned int needs)
{
	struct posix_case *grown = realloc(list, (n_list + 1) * sizeof(*list));
	char *name;

	if (grown == NULL)
		no_memory();
	list = grown;
	if (asprintf(&name, "%s%s%s%s", prefix, *prefix ? "-" : "", c->name, suffix) < 0)
		no_memory();
	list[n_list] = *c;
	list[n_list].name = name;
	list[n_list].needs = needs;
	n_list++;
}

void
posix_case_add_named(const struct posix_case *c, const char *prefix)
{
	if ((c->needs & AS_BOTH) != AS_BOTH) {
		append(c, prefix, "", c->needs);
		return;
	}
	append(c, prefix, "-root", c->needs & ~(unsigned int)AS_USER);
	append(c, prefix, "-user", c->needs & ~(unsigned int)AS_ROOT);
}

void
posix_case_add(const struct posix_case *c)
{
	posix_case_add_named(c, "");
}

void
posix_cases_add(const struct posix_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++)
		posix_case_add(&cases[i]);
}

void
registry_build(void)
{
#define GROUP(name) posix_add_##name();
	POSIX_GROUPS
#undef GROUP
}

size_t
registry_count(void)
{
	return n_list;
}

const struct posix_case *
registry_get(size_t i)
{
	return &list[i];
}

void
case_id(const struct posix_case *c, char *ret_id, size_t size)
{
	snprintf(ret_id, size, "%s:%s:%s", c->call, error_name(c->error), c->name);
}

static const struct {
	unsigned int need;
	const char *word;
} need_words[] = {
	{AS_ROOT, "root"},	{AS_USER, "user"},	   {NEED_MOUNTS, "mounts"},
	{NEED_RO, "ro-dir"},	{NEED_SMALL, "small-dir"}, {NEED_PLANTED, "planted-dir"},
	{NEED_EXEC, "exec"},	{NEED_DEV, "dev"},	   {NEED_SUID, "suid"},
	{MAY_LACK, "optional"},
};

void
case_print(FILE *out, const struct posix_case *c)
{
	char needs[128] = "";

	for (size_t i = 0; i < COUNT(need_words); i++) {
		if ((c->needs & need_words[i].need) == 0)
			continue;
		if (needs[0] != '\0')
			strcat(needs, ",");
		strcat(needs, need_words[i].word);
	}
	fprintf(out, "%s %s %s %s %s\n", c->call, error_name(c->error), c->name,
		needs[0] ? needs : "any", c->text);
}

bool
case_matches(const struct posix_case *c, const char *pattern)
{
	const char *fields[] = {c->call, error_name(c->error), c->name};
	char copy[256];
	char *rest = copy;

	snprintf(copy, sizeof(copy), "%s", pattern);
	for (size_t i = 0; i < COUNT(fields) && rest != NULL; i++) {
		const char *part = strsep(&rest, ":");

		if (*part != '\0' && fnmatch(part, fields[i], 0) != 0)
			return false;
	}
	return true;
}
