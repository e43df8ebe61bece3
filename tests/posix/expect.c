/*
 * Expectation files: what a file system is known not to give.
 *   # comment
 *   CALL:ERRNO:CASE  reason up to the end of the line
 * The reason is required: a difference without one is a failure.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runner.h"

struct expectation {
	char *id;
	char *reason;
};

static struct expectation *expectations; /* owned, for the life of the program */
static size_t n_expectations;

static bool
known(const char *id)
{
	char own[256];

	for (size_t i = 0; i < registry_count(); i++) {
		case_id(registry_get(i), own, sizeof(own));
		if (strcmp(own, id) == 0)
			return true;
	}
	return false;
}

static int
add(const char *id, const char *reason)
{
	struct expectation *grown =
		realloc(expectations, (n_expectations + 1) * sizeof(*expectations));

	if (grown == NULL)
		return -ENOMEM;
	expectations = grown;
	grown[n_expectations].id = strdup(id);
	grown[n_expectations].reason = strdup(reason);
	if (grown[n_expectations].id == NULL || grown[n_expectations].reason == NULL)
		return -ENOMEM;
	n_expectations++;
	return 0;
}

static char *
trim(char *text)
{
	size_t n;

	while (isspace((unsigned char)*text))
		text++;
	for (n = strlen(text); n > 0 && isspace((unsigned char)text[n - 1]); n--)
		text[n - 1] = '\0';
	return text;
}

static int
add_line(const char *path, unsigned int number, char *line)
{
	char *id = trim(line);
	char *reason = id + strcspn(id, " \t");

	if (*id == '\0' || *id == '#')
		return 0;
	if (*reason != '\0')
		*reason++ = '\0';
	reason = trim(reason);
	if (*reason == '\0') {
		fprintf(stderr, "%s:%u: %s: no reason is given\n", path, number, id);
		return -EINVAL;
	}
	if (!known(id)) {
		fprintf(stderr, "%s:%u: %s: no such case (see --list)\n", path, number,
			id);
		return -EINVAL;
	}
	return add(id, reason);
}

int
expect_load(const char *path)
{
	FILE *in = fopen(path, "re");
	char line[1024];
	int err = 0;

	if (in == NULL) {
		err = -errno;
		fprintf(stderr, "posix-suite: %s: %s\n", path, strerror(-err));
		return err;
	}
	for (unsigned int number = 1; err == 0 && fgets(line, sizeof(line), in); number++)
		err = add_line(path, number, line);
	fclose(in);
	return err;
}

const char *
expect_reason(const struct posix_case *c)
{
	char id[256];

	case_id(c, id, sizeof(id));
	for (size_t i = 0; i < n_expectations; i++)
		if (strcmp(expectations[i].id, id) == 0)
			return expectations[i].reason;
	return NULL;
}
