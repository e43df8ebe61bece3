/*
 * userdrive doctor: finds drives whose program has died or does not answer, names them, and cleans
 * up after the dead. Looks at mountinfo, fusectl and records only.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/os/posix/mount_record.h"
#include "fuse/mount.h"
#include "tools/userdrive/command.h"
#include "tools/userdrive/disks.h"
#include "tools/userdrive/drives.h"

struct visit {
	struct drives *drives;
	bool dry_run, json;
	unsigned n_cleaned, n_left;
	struct buf out;
};

static void
report(struct visit *v, const char *where, const char *program, long pid, const char *finding,
       const char *action)
{
	if (!v->json) {
		printf("%s: %s (%s, process %ld)%s%s\n", where, finding, program, pid,
		       action[0] ? ": " : "", action);
		return;
	}
	buf_printf(&v->out, "%s{\"mount_point\":", v->out.n > 1 ? "," : "");
	buf_json_string(&v->out, where);
	buf_printf(&v->out, ",\"program\":");
	buf_json_string(&v->out, program);
	buf_printf(&v->out, ",\"pid\":%ld,\"finding\":", pid);
	buf_json_string(&v->out, finding);
	buf_printf(&v->out, ",\"action\":");
	buf_json_string(&v->out, action);
	buf_printf(&v->out, "}");
}

static void
clean_dead(struct visit *v, const struct drive *drive)
{
	struct fusek_mount_error error = {0};

	if (v->dry_run) {
		report(v, drive->mount->where, drive->program, drive->pid, "its program has died",
		       "would be unmounted");
		v->n_left++;
		return;
	}
	int err = fusek_unmount(drive->mount->where, true, &error);
	if (err < 0) {
		report(v, drive->mount->where, drive->program, drive->pid, "its program has died",
		       error.text[0] ? error.text : strerror(-err));
		v->n_left++;
		return;
	}
	mount_record_remove(drive->mount->minor);
	report(v, drive->mount->where, drive->program, drive->pid, "its program has died",
	       "unmounted");
	v->n_cleaned++;
}

static void
examine(struct visit *v, const struct drive *drive)
{
	char finding[128];
	int waiting = fuse_connection_waiting(drive->mount->minor);

	switch (drive->state) {
	case DRIVE_DEAD:
		clean_dead(v, drive);
		break;
	case DRIVE_SILENT:
		snprintf(finding, sizeof(finding), "its program does not answer, %d requests wait",
			 waiting);
		report(v, drive->mount->where, drive->program, drive->pid, finding,
		       "end it with 'userdrive stop --force'");
		v->n_left++;
		break;
	case DRIVE_SERVED:
	case DRIVE_FOREIGN:
		break;
	}
}

static bool
serves_a_mount(const struct drives *d, pid_t pid)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->drive[i].pid == pid)
			return true;
	return false;
}

/* Those that serve a mount were named with it. */
static void
examine_disks(struct visit *v)
{
	struct disks disks;
	char name[32];
	int err = disks_read(&disks); /* no runtime directory: no disks */

	(void)err;
	for (size_t i = 0; i < disks.n_silent; i++) {
		pid_t pid = disks.silent[i];

		if (serves_a_mount(v->drives, pid))
			continue;
		snprintf(name, sizeof(name), "process %ld", (long)pid);
		report(v, name, "disk", pid, "its program does not answer",
		       "end it with 'kill -KILL'");
		v->n_left++;
	}
	disks_free(&disks);
}

/* Records of mounts that are gone and of processes that are dead are litter. */
static int
sweep(void *ctx, const struct mount_record *r)
{
	struct visit *v = ctx;

	for (size_t i = 0; i < v->drives->n; i++)
		if (v->drives->mounts[i].minor == r->minor)
			return 0;
	if (!mount_record_is_alive(r) && !v->dry_run)
		mount_record_remove(r->minor);
	return 0;
}

static void
examine_machine(struct visit *v)
{
	if (access("/dev/fuse", F_OK) < 0)
		report(v, "/dev/fuse", "kernel", 0, "missing", "load the module: modprobe fuse");
	else if (access("/dev/fuse", R_OK | W_OK) < 0)
		report(v, "/dev/fuse", "kernel", 0, "not accessible to you",
		       "ask the administrator for access");
	if (geteuid() != 0 && access("/usr/bin/fusermount3", X_OK) < 0 &&
	    access("/bin/fusermount3", X_OK) < 0)
		report(v, "fusermount3", "fuse3", 0, "missing",
		       "ordinary users need it to mount: install the package fuse3");
}

static int
run_doctor(int argc, char **argv)
{
	struct drives d;
	struct visit v = {.drives = &d};

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--dry-run") == 0 || strcmp(argv[i], "-n") == 0)
			v.dry_run = true;
		else if (strcmp(argv[i], "--json") == 0)
			v.json = true;
		else {
			usage_error(&command_doctor, "'%s' is not expected", argv[i]);
			return EXIT_USAGE;
		}
	}
	int err = drives_read(&d);
	if (err < 0) {
		fprintf(stderr, "userdrive: the mounts of this machine cannot be read: %s\n",
			strerror(-err));
		drives_free(&d);
		return EXIT_FAILED;
	}
	if (v.json)
		buf_printf(&v.out, "[");
	examine_machine(&v);
	for (size_t i = 0; i < d.n; i++)
		examine(&v, &d.drive[i]);
	examine_disks(&v);
	err = mount_record_list(sweep, &v); /* no runtime directory: no records, no litter */
	(void)err;
	if (v.json)
		printf("%s]\n", buf_str(&v.out));
	else if (v.n_cleaned + v.n_left == 0)
		puts("No drive or disk is dead or silent.");
	buf_fini(&v.out);
	drives_free(&d);
	return v.n_left ? EXIT_PROBLEMS : EXIT_OK;
}

const struct command command_doctor = {
	.name = "doctor",
	.arguments = "[--dry-run] [--json]",
	.summary = "find drives whose program died or hangs; unmount the dead",
	.help = "  -n, --dry-run   only look\n"
		"  --json          an array of findings\n"
		"\nExample:\n  userdrive doctor --dry-run\n"
		"\nNever touches a mount point, so it cannot hang on one. Exit code 4: something is\n"
		"left that a person must look at.\n",
	.run = run_doctor,
};
