#include "transport/loop/users.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct search {
	char device[32]; /* "/dev/loop3" */
	size_t device_n;
	pid_t except;
	char *dst;
	size_t cap;
};

/* "/dev/loop3", "/dev/loop3p12": with nothing else after it. */
static bool
is_device(const struct search *s, const char *path)
{
	if (strncmp(path, s->device, s->device_n) != 0)
		return false;
	path += s->device_n;
	if (*path == 'p' && isdigit((unsigned char)path[1]))
		path += 1 + strspn(path + 1, "0123456789");
	return *path == '\0';
}

static enum loop_use PRINTF_LIKE(3, 4)
	found(const struct search *s, enum loop_use use, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->dst, s->cap, fmt, ap);
	va_end(ap);
	return use;
}

/* proc(5): "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw" */
static enum loop_use
match_mount(const struct search *s, char *line)
{
	char *where = line, *save = NULL, *tail = strstr(line, " - ");

	for (int i = 0; where && i < 4; i++)
		where = strchr(where + 1, ' ');
	if (!tail || !where || where > tail)
		return LOOP_USE_NONE;
	where[1 + strcspn(where + 1, " ")] = '\0';
	strtok_r(tail + 3, " ", &save); /* type */
	char *source = strtok_r(NULL, " ", &save);
	if (!source || !is_device(s, source))
		return LOOP_USE_NONE;
	return found(s, LOOP_USE_HELD, "%s is mounted on %s", source, where + 1);
}

/* "/dev/loop3  partition  1020 0 -2" */
static enum loop_use
match_swap(const struct search *s, char *line)
{
	line[strcspn(line, " \t\n")] = '\0';
	if (!is_device(s, line))
		return LOOP_USE_NONE;
	return found(s, LOOP_USE_HELD, "%s is swap space", line);
}

static enum loop_use
find_in_lines(const struct search *s, const char *path,
	      enum loop_use (*match)(const struct search *s, char *line))
{
	FILE *f = fopen(path, "re");
	enum loop_use use = LOOP_USE_NONE;
	CLEANUP(free_ptr) char *line = NULL;
	size_t cap = 0;

	while (f && use == LOOP_USE_NONE && getline(&line, &cap, f) > 0)
		use = match(s, line);
	if (f)
		fclose(f);
	return use;
}

static bool
read_line(const char *path, char *dst, size_t cap)
{
	CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, dst, cap - 1);

	if (n <= 0)
		return false;
	dst[n] = '\0';
	dst[strcspn(dst, "\n")] = '\0';
	return true;
}

static enum loop_use
find_holder(const struct search *s, const char *sys_dir, const char *name)
{
	char path[600], other[256];
	enum loop_use use = LOOP_USE_NONE;

	snprintf(path, sizeof(path), "%s/holders", sys_dir);
	DIR *dir = opendir(path);
	for (struct dirent *d; dir && use == LOOP_USE_NONE && (d = readdir(dir));) {
		if (d->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/sys/block/%.200s/dm/name", d->d_name);
		if (!read_line(path, other, sizeof(other)))
			snprintf(other, sizeof(other), "%.200s", d->d_name);
		use = found(s, LOOP_USE_HELD, "/dev/%s is part of %s", name, other);
	}
	if (dir)
		closedir(dir);
	return use;
}

/* Devices on top: device mapper, RAID */
static enum loop_use
find_holders(const struct search *s)
{
	const char *name = s->device + strlen("/dev/");
	char path[300], part[600];
	enum loop_use use;

	snprintf(path, sizeof(path), "/sys/block/%s", name);
	use = find_holder(s, path, name);
	DIR *dir = opendir(path);
	for (struct dirent *d; dir && use == LOOP_USE_NONE && (d = readdir(dir));)
		if (strncmp(d->d_name, name, strlen(name)) == 0) {
			snprintf(part, sizeof(part), "%s/%.200s", path, d->d_name);
			use = find_holder(s, part, d->d_name);
		}
	if (dir)
		closedir(dir);
	return use;
}

/* Loop devices on top, which claim nothing */
static enum loop_use
find_loops(const struct search *s)
{
	DIR *dir = opendir("/sys/block");
	enum loop_use use = LOOP_USE_NONE;
	char path[300], file[4096];

	for (struct dirent *d; dir && use == LOOP_USE_NONE && (d = readdir(dir));) {
		if (strncmp(d->d_name, "loop", 4) != 0)
			continue;
		snprintf(path, sizeof(path), "/sys/block/%.200s/loop/backing_file",
			 d->d_name);
		if (read_line(path, file, sizeof(file)) && is_device(s, file))
			use = found(s, LOOP_USE_HELD, "%s is under /dev/%.200s", file,
				    d->d_name);
	}
	if (dir)
		closedir(dir);
	return use;
}

static enum loop_use
find_in_process(const struct search *s, const char *pid)
{
	char path[300], target[64], comm[64] = "?";
	enum loop_use use = LOOP_USE_NONE;

	snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
	DIR *dir = opendir(path);
	for (struct dirent *d; dir && use == LOOP_USE_NONE && (d = readdir(dir));) {
		ssize_t n = readlinkat(dirfd(dir), d->d_name, target, sizeof(target) - 1);

		if (n <= 0)
			continue;
		target[n] = '\0';
		if (!is_device(s, target))
			continue;
		snprintf(path, sizeof(path), "/proc/%.20s/comm", pid);
		(void)read_line(path, comm, sizeof(comm));
		use = found(s, LOOP_USE_OPEN, "%s is open in process %s (%s)", target,
			    pid, comm);
	}
	if (dir)
		closedir(dir);
	return use;
}

static enum loop_use
find_processes(const struct search *s)
{
	DIR *dir = opendir("/proc");
	enum loop_use use = LOOP_USE_NONE;

	for (struct dirent *d; dir && use == LOOP_USE_NONE && (d = readdir(dir));)
		if (isdigit((unsigned char)d->d_name[0]) && atol(d->d_name) != s->except)
			use = find_in_process(s, d->d_name);
	if (dir)
		closedir(dir);
	return use;
}

enum loop_use
loop_users_find(int number, const pid_t except, char *dst, size_t cap)
{
	struct search s = {.except = except, .dst = dst, .cap = cap};
	enum loop_use use;

	s.device_n = (size_t)snprintf(s.device, sizeof(s.device), "/dev/loop%d", number);
	use = find_in_lines(&s, "/proc/self/mountinfo", match_mount);
	if (use == LOOP_USE_NONE)
		use = find_in_lines(&s, "/proc/swaps", match_swap);
	if (use == LOOP_USE_NONE)
		use = find_holders(&s);
	if (use == LOOP_USE_NONE)
		use = find_loops(&s);
	if (use == LOOP_USE_NONE)
		use = find_processes(&s);
	return use;
}
