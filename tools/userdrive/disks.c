#include "tools/userdrive/disks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/control.h"
#include "base/text/size.h"
#include "tools/userdrive/json.h"

enum { INFO_TIMEOUT_MS = 2000, DESCRIPTION_MAX = 64 << 10 };

static uint64_t
get_number(const char *info, const char *key)
{
	char text[32];

	return json_get(info, key, text, sizeof(text)) ? strtoull(text, NULL, 10) : 0;
}

static void
read_doors(struct disk *disk, const char *doors)
{
	CLEANUP(free_ptr) char *item = malloc(DESCRIPTION_MAX);

	for (size_t i = 0; item && i < DISK_DOOR_MAX; i++) {
		struct disk_door *door = &disk->door[disk->n_doors];

		if (!json_item(doors, i, item, DESCRIPTION_MAX))
			break;
		if (!json_get(item, "door", door->kind, sizeof(door->kind)))
			continue;
		if (json_get(item, "device", door->place, sizeof(door->place)) ||
		    json_get(item, "url", door->place, sizeof(door->place)))
			disk->n_doors++;
	}
}

/* False: what answers is no disk. */
static bool
read_info(struct disk *disk, const char *info)
{
	CLEANUP(free_ptr) char *doors = malloc(DESCRIPTION_MAX);

	if (!doors || !json_get(info, "doors", doors, DESCRIPTION_MAX))
		return false;
	read_doors(disk, doors);
	if (!json_get(info, "name", disk->program, sizeof(disk->program)))
		disk->program[0] = '\0';
	if (!json_get(info, "source", disk->source, sizeof(disk->source)) ||
	    strcmp(disk->source, "null") == 0)
		disk->source[0] = '\0';
	disk->block_length = (uint32_t)get_number(info, "block_length");
	if (mul_overflows(get_number(info, "blocks"), (uint64_t)disk->block_length, &disk->size))
		disk->size = 0;
	return true;
}

static int
add_silent(struct disks *d, pid_t pid)
{
	pid_t *more = realloc(d->silent, (d->n_silent + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	d->silent = more;
	d->silent[d->n_silent++] = pid;
	return 0;
}

static int
ask(void *ctx, pid_t pid, const char *path)
{
	struct disks *d = ctx;
	CLEANUP(buf_fini) struct buf reply = BUF_INIT;
	struct disk disk = {.pid = pid};
	int err = control_call(path, "info", INFO_TIMEOUT_MS, &reply);

	if (err == -ETIMEDOUT)
		return add_silent(d, pid);
	if (err < 0 || !read_info(&disk, buf_str(&reply)))
		return 0;
	struct disk *more = realloc(d->disk, (d->n + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	d->disk = more;
	disk.control = strdup(path);
	buf_add(&disk.info, reply.s, reply.n);
	d->disk[d->n++] = disk;
	return disk.control ? buf_error(&disk.info) : -ENOMEM;
}

int
disks_read(struct disks *ret)
{
	memset(ret, 0, sizeof(*ret));
	int err = control_list(ask, ret);
	return err == -ENOENT ? 0 : err;
}

void
disks_free(struct disks *d)
{
	for (size_t i = 0; i < d->n; i++) {
		free(d->disk[i].control);
		buf_fini(&d->disk[i].info);
	}
	free(d->disk);
	free(d->silent);
}

/* /dev/loop3, and its partitions /dev/loop3p1. */
static bool
is_device_or_partition(const char *what, const char *device)
{
	size_t n = strlen(device);

	if (strncmp(what, device, n) != 0)
		return false;
	if (what[n] != 'p')
		return !what[n];
	size_t n_digits = strspn(what + n + 1, "0123456789");
	return n_digits && !what[n + 1 + n_digits];
}

/* The last part of a URL or name may be left out: the LUN of iscsi://HOST/IQN/0, the number of
 * \\.\pipe\NAME\0. */
static bool
is_place(const struct disk_door *door, const char *what)
{
	size_t n = strlen(what);
	char separator = strcmp(door->kind, "local") == 0 ? '\\' : '/';
	const char *last = strrchr(door->place, separator);

	if (strncmp(door->place, "/dev/", 5) == 0)
		return is_device_or_partition(what, door->place);
	return strcasecmp(door->place, what) == 0 ||
	       (last && n == (size_t)(last - door->place) &&
		strncasecmp(door->place, what, n) == 0);
}

static bool
is_named(const struct disk *disk, const char *what, const char *resolved)
{
	for (size_t i = 0; i < disk->n_doors; i++)
		if (is_place(&disk->door[i], what) || is_place(&disk->door[i], resolved))
			return true;
	if (!disk->source[0])
		return false;
	CLEANUP(free_ptr) char *source = realpath(disk->source, NULL);
	return strcmp(disk->source, what) == 0 || (source && strcmp(source, resolved) == 0);
}

struct disk *
disks_find(struct disks *d, const char *what)
{
	char *end;
	long pid = strtol(what, &end, 10);
	CLEANUP(free_ptr) char *resolved = realpath(what, NULL);

	for (size_t i = 0; i < d->n; i++)
		if ((*what && !*end && d->disk[i].pid == pid) ||
		    is_named(&d->disk[i], what, resolved ? resolved : what))
			return &d->disk[i];
	return NULL;
}

const char *
disk_size_text(const struct disk *disk, char *dst, size_t cap)
{
	return size_format(disk->size, dst, cap);
}

const char *
disk_name(const struct disk *disk, char *dst, size_t cap)
{
	if (disk->n_doors)
		snprintf(dst, cap, "%s", disk->door[0].place);
	else
		snprintf(dst, cap, "process %ld", (long)disk->pid);
	return dst;
}

const char *
disk_info_get(const struct disk *disk, const char *key, char *dst, size_t cap)
{
	if (!json_get(buf_str(&disk->info), key, dst, cap))
		dst[0] = '\0';
	return dst;
}

static void
member(struct buf *out, const char *key, const char *value)
{
	buf_printf(out, ",\"%s\":", key);
	buf_json_string(out, value);
}

void
disk_json(struct buf *out, const struct disk *disk)
{
	const struct disk_door *first = disk->n_doors ? &disk->door[0] : NULL;

	buf_printf(out, "{\"kind\":\"disk\"");
	if (first)
		member(out, strncmp(first->place, "/dev/", 5) == 0 ? "device" : "url", first->place);
	member(out, "program", disk->program);
	member(out, "state", "served");
	member(out, "source", disk->source);
	buf_printf(out, ",\"pid\":%ld,\"size\":%llu,\"block_length\":%u", (long)disk->pid,
		   (unsigned long long)disk->size, disk->block_length);
	buf_printf(out, ",\"server\":%s}", buf_str(&disk->info));
}
