/* userdrive list, userdrive info */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tools/userdrive/command.h"
#include "tools/userdrive/disks.h"
#include "tools/userdrive/drives.h"

/* Parses "--json" and what is not an option. Returns the number of the latter, or -1. */
static int
parse(const struct command *command, int argc, char **argv, bool *json, bool *all,
      const char **ret_what)
{
	int n = 0;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			*json = true;
		else if (all && (strcmp(argv[i], "-a") == 0 || strcmp(argv[i], "--all") == 0))
			*all = true;
		else if (argv[i][0] == '-' && argv[i][1]) {
			usage_error(command, "unknown option '%s'", argv[i]);
			return -1;
		} else {
			*ret_what = argv[i];
			n++;
		}
	}
	return n;
}

/* What there is of both kinds. */
struct everything {
	struct drives drives;
	struct disks disks;
};

static void
print_mounts(const struct drives *d, bool all)
{
	char transport[64];

	printf("%-32s %-14s %8s  %-10s %s\n", "MOUNT POINT", "PROGRAM", "PID", "TRANSPORT", "STATE");
	for (size_t i = 0; i < d->n; i++) {
		const struct drive *drive = &d->drive[i];

		if (drive->state == DRIVE_FOREIGN && !all)
			continue;
		printf("%-32s %-14s %8ld  %-10s %s\n", drive->mount->where, drive->program,
		       (long)drive->pid,
		       drive_info_get(drive, "transport", transport, sizeof(transport)),
		       drive_state_name(drive->state));
	}
}

/* A line for each way to a disk. */
static void
print_disks(const struct disks *d)
{
	char size[32], name[1100];

	printf("%-32s %-14s %8s  %-10s %s\n", "DISK", "PROGRAM", "PID", "SIZE", "SOURCE");
	for (size_t i = 0; i < d->n; i++) {
		const struct disk *disk = &d->disk[i];

		printf("%-32s %-14s %8ld  %-10s %s\n", disk_name(disk, name, sizeof(name)),
		       disk->program, (long)disk->pid, disk_size_text(disk, size, sizeof(size)),
		       disk->source);
		for (size_t j = 1; j < disk->n_doors; j++)
			printf("%-32s %-14s %8ld\n", disk->door[j].place, disk->program,
			       (long)disk->pid);
	}
}

/* A heading without lines says that there are none; once is enough. */
static void
print_tables(const struct everything *e, bool all)
{
	bool has_mounts = false;

	for (size_t i = 0; i < e->drives.n; i++)
		has_mounts |= all || e->drives.drive[i].state != DRIVE_FOREIGN;
	if (has_mounts || e->disks.n == 0)
		print_mounts(&e->drives, all);
	if (has_mounts && e->disks.n)
		putchar('\n');
	if (e->disks.n)
		print_disks(&e->disks);
}

static int
print_json(const struct everything *e, bool all)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT;
	const char *between = "";

	buf_printf(&out, "[");
	for (size_t i = 0; i < e->drives.n; i++) {
		if (e->drives.drive[i].state == DRIVE_FOREIGN && !all)
			continue;
		buf_printf(&out, "%s", between);
		drive_json(&out, &e->drives.drive[i]);
		between = ",";
	}
	for (size_t i = 0; i < e->disks.n; i++) {
		buf_printf(&out, "%s", between);
		disk_json(&out, &e->disks.disk[i]);
		between = ",";
	}
	buf_printf(&out, "]");
	puts(buf_str(&out));
	return buf_error(&out) ? EXIT_FAILED : EXIT_OK;
}

static int
read_or_say(struct everything *e)
{
	int err = drives_read(&e->drives);

	if (err < 0)
		fprintf(stderr, "userdrive: the mounts of this machine cannot be read: %s\n",
			strerror(-err));
	int disks_err = disks_read(&e->disks);
	if (disks_err < 0)
		fprintf(stderr, "userdrive: the disks of this machine cannot be read: %s\n",
			strerror(-disks_err));
	return err < 0 ? err : disks_err;
}

static void
free_everything(struct everything *e)
{
	drives_free(&e->drives);
	disks_free(&e->disks);
}

static int
run_list(int argc, char **argv)
{
	bool json = false, all = false;
	const char *what = NULL;
	struct everything e;
	int code = EXIT_OK;
	int n = parse(&command_list, argc, argv, &json, &all, &what);

	if (n != 0) {
		if (n > 0)
			usage_error(&command_list, "'%s' is not expected", what);
		return EXIT_USAGE;
	}
	if (read_or_say(&e) < 0)
		code = EXIT_FAILED;
	else if (json)
		code = print_json(&e, all);
	else
		print_tables(&e, all);
	free_everything(&e);
	return code;
}

static void
print_info(const struct drive *drive)
{
	static const char *const keys[][2] = {{"transport", "transport"}, {"why", "because"},
					      {"protocol", "protocol"},   {"threads", "threads"},
					      {"requests", "requests"},   {"started", "started"}};
	char value[512];
	int waiting = fuse_connection_waiting(drive->mount->minor);

	printf("%-12s %s\n", "mount point", drive->mount->where);
	printf("%-12s %s (%s)\n", "program", drive->program, drive->mount->type);
	if (drive->pid)
		printf("%-12s %ld\n", "pid", (long)drive->pid);
	printf("%-12s %s\n", "state", drive_state_name(drive->state));
	printf("%-12s %s\n", "options", drive->mount->options);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (drive_info_get(drive, keys[i][0], value, sizeof(value))[0])
			printf("%-12s %s\n", keys[i][1], value);
	if (waiting >= 0)
		printf("%-12s %d\n", "waiting", waiting);
}

static void
print_disk_info(const struct disk *disk)
{
	static const char *const keys[][2] = {{"guid", "identity"}, {"product", "product"},
					      {"read_only", "read-only"}, {"started", "started"}};
	char value[512];

	for (size_t i = 0; i < disk->n_doors; i++)
		printf("%-12s %s (%s)\n", "disk", disk->door[i].place, disk->door[i].kind);
	printf("%-12s %s\n", "program", disk->program);
	printf("%-12s %ld\n", "pid", (long)disk->pid);
	if (disk->source[0])
		printf("%-12s %s\n", "source", disk->source);
	printf("%-12s %llu bytes (%s), in blocks of %u\n", "size", (unsigned long long)disk->size,
	       disk_size_text(disk, value, sizeof(value)), disk->block_length);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (disk_info_get(disk, keys[i][0], value, sizeof(value))[0])
			printf("%-12s %s\n", keys[i][1], value);
}

static void
print_one_json(const struct drive *drive, const struct disk *disk)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT;

	if (drive)
		drive_json(&out, drive);
	else
		disk_json(&out, disk);
	puts(buf_str(&out));
}

static int
show(struct everything *e, const char *what, bool json)
{
	const struct drive *drive = drives_find(&e->drives, what);
	const struct disk *disk = drive ? NULL : disks_find(&e->disks, what);

	if (!drive && !disk) {
		fprintf(stderr, "userdrive: %s: no drive is mounted there, and no disk is called "
				"so; 'userdrive list' shows those that are\n", what);
		return EXIT_NO_DRIVE;
	}
	if (json)
		print_one_json(drive, disk);
	else if (drive)
		print_info(drive);
	else
		print_disk_info(disk);
	return EXIT_OK;
}

static int
run_info(int argc, char **argv)
{
	bool json = false;
	const char *what = NULL;
	struct everything e;
	int code = EXIT_FAILED;
	int n = parse(&command_info, argc, argv, &json, NULL, &what);

	if (n != 1) {
		if (n >= 0)
			usage_error(&command_info, "one mount point, disk or pid is expected");
		return EXIT_USAGE;
	}
	if (read_or_say(&e) == 0)
		code = show(&e, what, json);
	free_everything(&e);
	return code;
}

const struct command command_list = {
	.name = "list",
	.arguments = "[--all] [--json]",
	.summary = "show the drives that are mounted, and the disks",
	.help = "  -a, --all   also FUSE mounts of other programs\n"
		"  --json      an array of objects; \"kind\" is \"file system\" or \"disk\"\n"
		"\nExample:\n  userdrive list --json | jq -r '.[].mount_point'\n",
	.run = run_list,
};

const struct command command_info = {
	.name = "info",
	.arguments = "MOUNTPOINT|DISK|PID [--json]",
	.summary = "show what is known of one drive or disk",
	.help = "  DISK        its device, image or URL\n"
		"  --json      an object; \"server\" is what the serving process says\n"
		"\nExample:\n  userdrive info /mnt/scratch\n",
	.run = run_info,
};
