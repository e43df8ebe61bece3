#include "tools/userdrive/mountinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/text/escape.h"

/* A tool, not a library: without memory for a list of mounts there is nothing left to do. */
static void *
realloc_or_exit(void *p, size_t size)
{
	p = realloc(p, size);
	if (!p) {
		perror("userdrive");
		exit(1);
	}
	return p;
}

static bool
is_fuse(const char *type)
{
	return strcmp(type, "fuse") == 0 || strncmp(type, "fuse.", 5) == 0 ||
	       strcmp(type, "fuseblk") == 0;
}

/* "36 35 0:53 / /mnt/x rw,nosuid shared:1 - fuse.memfs memfs rw,user_id=0" */
static bool
parse_line(char *line, struct fuse_mount *m)
{
	char *fields[6], *save = NULL, *p = line;
	unsigned major, minor;

	for (int i = 0; i < 6; i++, p = NULL)
		if (!(fields[i] = strtok_r(p, " \n", &save)))
			return false;
	char *word;
	while ((word = strtok_r(NULL, " \n", &save)) && strcmp(word, "-") != 0)
		;
	char *type = strtok_r(NULL, " \n", &save), *source = strtok_r(NULL, " \n", &save);
	if (!type || !source || !is_fuse(type) ||
	    sscanf(fields[2], "%u:%u", &major, &minor) != 2)
		return false;
	m->minor = (int)minor;
	unescape_octal(fields[4]);
	unescape_octal(source);
	m->where = strdup(fields[4]);
	m->options = strdup(fields[5]);
	m->type = strdup(type);
	m->source = strdup(source);
	return true;
}

int
fuse_mounts_read(struct fuse_mount **ret_mounts, size_t *ret_n)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	struct fuse_mount *mounts = NULL;
	size_t n = 0, cap = 0;
	char *line = NULL;
	size_t line_cap = 0;

	if (!f)
		return -errno;
	while (getline(&line, &line_cap, f) >= 0) {
		struct fuse_mount m;

		if (!parse_line(line, &m))
			continue;
		if (n == cap) {
			cap = cap ? cap * 2 : 16;
			mounts = realloc_or_exit(mounts, cap * sizeof(*mounts));
		}
		mounts[n++] = m;
	}
	free(line);
	fclose(f);
	*ret_mounts = mounts;
	*ret_n = n;
	return 0;
}

void
fuse_mounts_free(struct fuse_mount *mounts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(mounts[i].where);
		free(mounts[i].type);
		free(mounts[i].source);
		free(mounts[i].options);
	}
	free(mounts);
}

static int
open_connection(int minor, const char *file, int flags)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/fs/fuse/connections/%d/%s", minor, file);
	return open(path, flags | O_CLOEXEC);
}

int
fuse_connection_waiting(int minor)
{
	char text[32];
	CLEANUP(close_fd) int fd = open_connection(minor, "waiting", O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n <= 0)
		return -1;
	text[n] = '\0';
	return (int)strtol(text, NULL, 10);
}

int
fuse_connection_abort(int minor)
{
	CLEANUP(close_fd) int fd = open_connection(minor, "abort", O_WRONLY);

	if (fd < 0)
		return -errno;
	return write(fd, "1", 1) == 1 ? 0 : -errno;
}
