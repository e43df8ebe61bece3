#include "base/os/posix/mount_record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/os/posix/runtime_dir.h"

/* Field 22 of /proc/PID/stat; 0 when there is no such process. */
static unsigned long long
process_start(pid_t pid)
{
	char path[64], text[1024];

	snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	/* The command's name may hold spaces and brackets: fields count from the last bracket. */
	char *p = strrchr(text, ')');
	/* One whose parent has not waited for it yet is dead all the same. */
	if (p && (p[1] != ' ' || p[2] == 'Z' || p[2] == 'X'))
		return 0;
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	return p ? strtoull(p + 1, NULL, 10) : 0;
}

static int
record_path(int minor, char *dst, size_t cap)
{
	char dir[4096];
	int err = runtime_subdir("mounts", dir, sizeof(dir));

	if (err < 0)
		return err;
	return snprintf(dst, cap, "%s/%d", dir, minor) < (int)cap ? 0 : -ENAMETOOLONG;
}

int
mount_record_write(int minor, const char *program, const char *where)
{
	char path[4200], text[4400];
	int err = record_path(minor, path, sizeof(path));

	if (err < 0)
		return err;
	int n = snprintf(text, sizeof(text), "%ld %llu %s\n%s", (long)getpid(),
			 process_start(getpid()), program, where);
	if (n >= (int)sizeof(text))
		return -ENAMETOOLONG;
	CLEANUP(close_fd) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	return write(fd, text, (size_t)n) == n ? 0 : -EIO;
}

void
mount_record_remove(int minor)
{
	char path[4200];

	if (record_path(minor, path, sizeof(path)) == 0)
		unlink(path);
}

static bool
record_read(int dir_fd, const char *name, struct mount_record *r)
{
	char text[4400], *end;
	CLEANUP(close_fd) int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n <= 0)
		return false;
	text[n] = '\0';
	r->minor = (int)strtol(name, &end, 10);
	if (*end)
		return false;
	r->pid = (pid_t)strtol(text, &end, 10);
	r->start = strtoull(end, &end, 10);
	char *line = strchr(end, '\n');
	if (*end != ' ' || !line)
		return false;
	snprintf(r->program, sizeof(r->program), "%.*s", (int)(line - end - 1), end + 1);
	snprintf(r->where, sizeof(r->where), "%s", line + 1);
	return true;
}

void
mount_record_release(int minor)
{
	struct mount_record *r = malloc(sizeof(*r));
	char path[4200], *slash;

	if (r && record_path(minor, path, sizeof(path)) == 0 && (slash = strrchr(path, '/'))) {
		*slash = '\0';
		CLEANUP(close_fd) int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir >= 0 && record_read(dir, slash + 1, r) && r->pid == getpid())
			unlinkat(dir, slash + 1, 0);
	}
	free(r);
}

int
mount_record_list(int (*visit)(void *ctx, const struct mount_record *record), void *ctx)
{
	char path[4096];
	int err = runtime_subdir("mounts", path, sizeof(path));
	DIR *dir = err < 0 ? NULL : opendir(path);

	if (!dir)
		return err < 0 ? err : -errno;
	struct mount_record *r = malloc(sizeof(*r));
	err = r ? 0 : -ENOMEM;
	for (struct dirent *d; err == 0 && (d = readdir(dir));)
		if (d->d_name[0] != '.' && record_read(dirfd(dir), d->d_name, r))
			err = visit(ctx, r);
	free(r);
	closedir(dir);
	return err;
}

bool
mount_record_is_alive(const struct mount_record *r)
{
	unsigned long long start = process_start(r->pid);

	return start != 0 && start == r->start;
}
