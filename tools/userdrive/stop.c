/* userdrive stop */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/control.h"
#include "base/os/posix/mount_record.h"
#include "fuse/mount.h"
#include "tools/userdrive/command.h"
#include "tools/userdrive/disks.h"
#include "tools/userdrive/drives.h"

enum { POLL_MS = 10, ASK_MS = 5000, PROGRESS_MS = 1000, END_MS = 3000 };

static bool
is_mounted(int minor, const char *where)
{
	struct fuse_mount *mounts;
	size_t n;
	bool found = false;

	if (fuse_mounts_read(&mounts, &n) < 0)
		return false;
	for (size_t i = 0; i < n; i++)
		if (mounts[i].minor == minor && strcmp(mounts[i].where, where) == 0)
			found = true;
	fuse_mounts_free(mounts, n);
	return found;
}

/* Until the mount is gone; says every second that it still waits. */
static bool
wait_gone(const struct drive *drive, unsigned timeout_ms)
{
	uint64_t begin = clock_monotonic_ns(), said = begin;
	const struct timespec pause = {.tv_nsec = POLL_MS * 1000000};

	while (is_mounted(drive->mount->minor, drive->mount->where)) {
		uint64_t now = clock_monotonic_ns();

		if (now - begin > (uint64_t)timeout_ms * 1000000)
			return false;
		if (now - said > (uint64_t)PROGRESS_MS * 1000000) {
			fprintf(stderr, "userdrive: waiting for %s (%d requests under way)\n",
				drive->mount->where, fuse_connection_waiting(drive->mount->minor));
			said = now;
		}
		nanosleep(&pause, NULL);
	}
	return true;
}

static int
unmount(const struct drive *drive, bool lazy)
{
	struct fusek_mount_error error = {0};
	int err = fusek_unmount(drive->mount->where, lazy, &error);

	if (err < 0)
		fprintf(stderr, "userdrive: %s: %s\n", drive->mount->where,
			error.text[0] ? error.text : strerror(-err));
	return err < 0 ? EXIT_FAILED : EXIT_OK;
}

static int
force(const struct drive *drive)
{
	/* Without fusectl, a forced unmount aborts too; that it may find the mount busy is all
	 * right. */
	if (fuse_connection_abort(drive->mount->minor) < 0 &&
	    umount2(drive->mount->where, MNT_FORCE | UMOUNT_NOFOLLOW) < 0 && errno != EBUSY)
		fprintf(stderr, "userdrive: %s: the connection could not be aborted (fusectl); "
				"detaching it\n", drive->mount->where);
	if (!is_mounted(drive->mount->minor, drive->mount->where))
		return EXIT_OK;
	return unmount(drive, true);
}

/* The process deletes its file system after the mount is gone, or serves the files that are still
 * open until they are closed. A process that cannot be watched has ended. */
static bool
wait_ended(int process_fd)
{
	struct pollfd p = {.fd = process_fd, .events = POLLIN};

	return process_fd < 0 || poll(&p, 1, END_MS) > 0;
}

/* The request to a process that answers, and what follows from it. */
static int
stop_served(const struct drive *drive, unsigned timeout_ms)
{
	CLEANUP(buf_fini) struct buf reply = BUF_INIT;
	CLEANUP(close_fd) int process = (int)syscall(SYS_pidfd_open, drive->pid, 0);
	const char *where = drive->mount->where;
	int err = control_call(drive->control, "stop", ASK_MS, &reply);

	if (err < 0 && is_mounted(drive->mount->minor, where)) {
		fprintf(stderr, "userdrive: %s: process %ld did not take the request: %s; "
				"use --force\n", where, (long)drive->pid, strerror(-err));
		return EXIT_FAILED;
	}
	if (!wait_gone(drive, timeout_ms)) {
		fprintf(stderr, "userdrive: %s: still mounted after %u s; use --force to end what "
				"is under way\n", where, timeout_ms / 1000);
		return EXIT_FAILED;
	}
	if (!wait_ended(process))
		fprintf(stderr, "userdrive: %s: unmounted; process %ld ends when the files that are "
				"still open there are closed\n", where, (long)drive->pid);
	return EXIT_OK;
}

static int
stop(const struct drive *drive, unsigned timeout_ms)
{
	switch (drive->state) {
	case DRIVE_DEAD:
		mount_record_remove(drive->mount->minor);
		return unmount(drive, true);
	case DRIVE_FOREIGN:
		return unmount(drive, false);
	case DRIVE_SILENT:
		fprintf(stderr, "userdrive: %s: process %ld does not answer; use --force\n",
			drive->mount->where, (long)drive->pid);
		return EXIT_FAILED;
	case DRIVE_SERVED:
		break;
	}
	return stop_served(drive, timeout_ms);
}

struct arguments {
	bool force, all;
	unsigned timeout_ms;
	int n;
	char *what[256];
};

static int
parse(int argc, char **argv, struct arguments *a)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--force") == 0 || strcmp(argv[i], "-f") == 0) {
			a->force = true;
		} else if (strcmp(argv[i], "--all") == 0) {
			a->all = true;
		} else if (strcmp(argv[i], "--timeout") == 0 && i + 1 < argc) {
			char *end;
			unsigned long s = strtoul(argv[++i], &end, 10);

			if (end == argv[i] || *end || s > 86400) {
				usage_error(&command_stop, "--timeout: '%s' is not a number of "
							   "seconds", argv[i]);
				return -1;
			}
			a->timeout_ms = (unsigned)s * 1000;
		} else if (argv[i][0] == '-') {
			usage_error(&command_stop, "unknown option '%s'", argv[i]);
			return -1;
		} else if (a->n < (int)ARRAY_SIZE(a->what)) {
			a->what[a->n++] = argv[i];
		} else {
			usage_error(&command_stop, "more than %zu drives at once",
				    ARRAY_SIZE(a->what));
			return -1;
		}
	}
	if (a->n > 0 && a->all) {
		usage_error(&command_stop, "'%s' beside --all is not expected", a->what[0]);
		return -1;
	}
	if (a->n == 0 && !a->all) {
		usage_error(&command_stop, "a mount point, disk or pid is expected, or --all");
		return -1;
	}
	return 0;
}

static int
stop_drive(const struct drive *drive, const struct arguments *a)
{
	return a->force ? force(drive) : stop(drive, a->timeout_ms);
}

/* Worst exit code of all. */
static int
stop_all(const struct drives *drives, const struct disks *disks, const struct arguments *a)
{
	int code = EXIT_OK, one;

	for (size_t i = 0; i < drives->n; i++)
		if (drives->drive[i].state != DRIVE_FOREIGN) {
			one = stop_drive(&drives->drive[i], a);
			code = one ? one : code;
		}
	for (size_t i = 0; i < disks->n; i++) {
		one = disk_stop(&disks->disk[i], a->force, a->timeout_ms);
		code = one ? one : code;
	}
	return code;
}

static int
stop_named(struct drives *drives, struct disks *disks, const struct arguments *a, const char *what)
{
	const struct drive *drive = drives_find(drives, what);
	const struct disk *disk = drive ? NULL : disks_find(disks, what);

	if (drive)
		return stop_drive(drive, a);
	if (disk)
		return disk_stop(disk, a->force, a->timeout_ms);
	fprintf(stderr, "userdrive: %s: no drive is mounted there, and no disk is called so\n", what);
	return EXIT_NO_DRIVE;
}

static int
run_stop(int argc, char **argv)
{
	struct arguments a = {.timeout_ms = 30000};
	struct drives drives;
	struct disks disks;
	int code;

	if (parse(argc, argv, &a) < 0)
		return EXIT_USAGE;
	int err = drives_read(&drives);
	int disks_err = disks_read(&disks);
	code = err < 0 || disks_err < 0 ? EXIT_FAILED : EXIT_OK;
	if (code == EXIT_OK && a.all)
		code = stop_all(&drives, &disks, &a);
	for (int i = 0; err == 0 && disks_err == 0 && i < a.n; i++) {
		int one = stop_named(&drives, &disks, &a, a.what[i]);

		code = one ? one : code;
	}
	drives_free(&drives);
	disks_free(&disks);
	return code;
}

const struct command command_stop = {
	.name = "stop",
	.arguments = "[--force] [--timeout SECONDS] MOUNTPOINT|DISK|PID… | --all",
	.summary = "finish what is under way, then unmount or detach",
	.help = "  DISK                 its device, image or URL\n"
		"  -f, --force          end it now: requests under way fail\n"
		"  --timeout SECONDS    how long to wait (default 30)\n"
		"  --all                every drive and disk of yours\n"
		"\nExample:\n  userdrive stop /mnt/scratch\n",
	.run = run_stop,
};
