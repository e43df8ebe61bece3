#include "tools/userdrive/drives.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/control.h"
#include "base/os/posix/mount_record.h"
#include "tools/userdrive/json.h"

enum { INFO_TIMEOUT_MS = 2000 };

const char *
drive_state_name(enum drive_state state)
{
	static const char *const names[] = {"served", "silent", "dead", "foreign"};

	return names[state];
}

static struct drive *
by_place(struct drives *d, const char *where)
{
	struct drive *found = NULL;

	/* The last one mounted there is the one that is seen. */
	for (size_t i = 0; i < d->n; i++)
		if (strcmp(d->drive[i].mount->where, where) == 0)
			found = &d->drive[i];
	return found;
}

static struct drive *
by_minor(struct drives *d, int minor)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->drive[i].mount->minor == minor)
			return &d->drive[i];
	return NULL;
}

/* A serving process answers for its drive. */
static int
ask(void *ctx, pid_t pid, const char *path)
{
	struct drives *d = ctx;
	CLEANUP(buf_fini) struct buf reply = BUF_INIT;
	char where[4096];

	if (control_call(path, "info", INFO_TIMEOUT_MS, &reply) < 0 ||
	    !json_get(buf_str(&reply), "mount_point", where, sizeof(where)))
		return 0;
	struct drive *drive = by_place(d, where);
	/* One that was unmounted may answer to its end, while another is mounted there already. */
	if (!drive || (drive->pid && drive->pid != pid))
		return 0;
	drive->state = DRIVE_SERVED;
	drive->pid = pid;
	free(drive->control);
	drive->control = strdup(path);
	buf_clear(&drive->info);
	buf_add(&drive->info, reply.s, reply.n);
	json_get(buf_str(&reply), "name", drive->program, sizeof(drive->program));
	return 0;
}

static int
recall(void *ctx, const struct mount_record *r)
{
	struct drive *drive = by_minor(ctx, r->minor);

	if (!drive || strcmp(drive->mount->where, r->where) != 0)
		return 0;
	drive->state = mount_record_is_alive(r) ? DRIVE_SILENT : DRIVE_DEAD;
	drive->pid = r->pid;
	snprintf(drive->program, sizeof(drive->program), "%s", r->program);
	return 0;
}

int
drives_read(struct drives *ret)
{
	memset(ret, 0, sizeof(*ret));
	int err = fuse_mounts_read(&ret->mounts, &ret->n);
	if (err < 0)
		return err;
	ret->drive = calloc(ret->n ? ret->n : 1, sizeof(*ret->drive));
	if (!ret->drive)
		return -ENOMEM;
	for (size_t i = 0; i < ret->n; i++) {
		const char *dot = strchr(ret->mounts[i].type, '.');

		ret->drive[i].mount = &ret->mounts[i];
		ret->drive[i].state = DRIVE_FOREIGN;
		snprintf(ret->drive[i].program, sizeof(ret->drive[i].program), "%s",
			 dot ? dot + 1 : ret->mounts[i].source);
	}
	err = mount_record_list(recall, ret);
	if (err < 0 && err != -ENOENT)
		return err;
	err = control_list(ask, ret);
	return err == -ENOENT ? 0 : err;
}

void
drives_free(struct drives *d)
{
	for (size_t i = 0; d->drive && i < d->n; i++) {
		free(d->drive[i].control);
		buf_fini(&d->drive[i].info);
	}
	free(d->drive);
	fuse_mounts_free(d->mounts, d->n);
}

/* Drops "." and empty components, and takes ".." back. */
static void
normalise(char *path)
{
	char *out = path;
	char *save = NULL, *copy = strdup(path);

	for (char *part = copy ? strtok_r(copy, "/", &save) : NULL; part;
	     part = strtok_r(NULL, "/", &save)) {
		if (strcmp(part, ".") == 0)
			continue;
		if (strcmp(part, "..") == 0) {
			while (out > path && *--out != '/')
				;
			continue;
		}
		*out++ = '/';
		memcpy(out, part, strlen(part));
		out += strlen(part);
	}
	if (out == path)
		*out++ = '/';
	*out = '\0';
	free(copy);
}

void
absolute_path(const char *path, char *dst, size_t cap)
{
	char cwd[4096];

	if (path[0] == '/' || !getcwd(cwd, sizeof(cwd)))
		snprintf(dst, cap, "%s", path);
	else
		snprintf(dst, cap, "%s/%s", cwd, path);
	normalise(dst);
}

/* The drive on which this path lies, or NULL. */
static const struct drive *
above(const struct drives *d, const char *path)
{
	for (size_t i = 0; i < d->n; i++) {
		const char *where = d->drive[i].mount->where;
		size_t n = strlen(where);

		if (strncmp(path, where, n) == 0 && path[n] == '/')
			return &d->drive[i];
	}
	return NULL;
}

/* Symbolic links on the way to the last component. A way over a drive is left alone. */
static struct drive *
by_resolved_place(struct drives *d, char *where)
{
	char resolved[8192];
	char *slash = strrchr(where, '/');

	if (slash == where || above(d, where))
		return NULL;
	*slash = '\0';
	CLEANUP(free_ptr) char *folder = realpath(where, NULL);
	if (!folder)
		return NULL;
	snprintf(resolved, sizeof(resolved), "%s/%s", folder[1] ? folder : "", slash + 1);
	return by_place(d, resolved);
}

struct drive *
drives_find(struct drives *d, const char *what)
{
	char where[8192], *end;
	long pid = strtol(what, &end, 10);

	absolute_path(what, where, sizeof(where));
	struct drive *drive = by_place(d, where);
	if (!drive)
		drive = by_resolved_place(d, where);
	for (size_t i = 0; !drive && *what && !*end && i < d->n; i++)
		if (d->drive[i].pid == pid && pid > 0)
			drive = &d->drive[i];
	return drive;
}

const char *
drive_info_get(const struct drive *drive, const char *key, char *dst, size_t cap)
{
	if (!json_get(buf_str(&drive->info), key, dst, cap))
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
drive_json(struct buf *out, const struct drive *drive)
{
	int waiting = fuse_connection_waiting(drive->mount->minor);

	buf_printf(out, "{\"mount_point\":");
	buf_json_string(out, drive->mount->where);
	member(out, "program", drive->program);
	member(out, "kind", "file system");
	member(out, "state", drive_state_name(drive->state));
	member(out, "type", drive->mount->type);
	member(out, "source", drive->mount->source);
	member(out, "options", drive->mount->options);
	buf_printf(out, ",\"connection\":%d", drive->mount->minor);
	if (drive->pid)
		buf_printf(out, ",\"pid\":%ld", (long)drive->pid);
	if (waiting >= 0)
		buf_printf(out, ",\"requests_waiting\":%d", waiting);
	if (drive->info.n)
		buf_printf(out, ",\"server\":%s", buf_str(&drive->info));
	buf_printf(out, "}");
}
