/* userdrive list, userdrive info */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tools/userdrive/command.h"
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

static void
print_table(const struct drives *d, bool all)
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

static int
print_json(const struct drives *d, bool all)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT;
	bool first = true;

	buf_printf(&out, "[");
	for (size_t i = 0; i < d->n; i++) {
		if (d->drive[i].state == DRIVE_FOREIGN && !all)
			continue;
		buf_printf(&out, "%s", first ? "" : ",");
		drive_json(&out, &d->drive[i]);
		first = false;
	}
	buf_printf(&out, "]");
	puts(buf_str(&out));
	return buf_error(&out) ? EXIT_FAILED : EXIT_OK;
}

static int
read_or_say(struct drives *d)
{
	int err = drives_read(d);

	if (err < 0)
		fprintf(stderr, "userdrive: the mounts of this machine cannot be read: %s\n",
			strerror(-err));
	return err;
}

static int
run_list(int argc, char **argv)
{
	bool json = false, all = false;
	const char *what = NULL;
	struct drives d;
	int code = EXIT_OK;
	int n = parse(&command_list, argc, argv, &json, &all, &what);

	if (n != 0) {
		if (n > 0)
			usage_error(&command_list, "'%s' is not expected", what);
		return EXIT_USAGE;
	}
	if (read_or_say(&d) < 0)
		code = EXIT_FAILED;
	else if (json)
		code = print_json(&d, all);
	else
		print_table(&d, all);
	drives_free(&d);
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

static int
run_info(int argc, char **argv)
{
	bool json = false;
	const char *what = NULL;
	struct drives d;
	int code = EXIT_FAILED;
	int n = parse(&command_info, argc, argv, &json, NULL, &what);

	if (n != 1) {
		if (n >= 0)
			usage_error(&command_info, "one mount point or pid is expected");
		return EXIT_USAGE;
	}
	if (read_or_say(&d) == 0) {
		struct drive *drive = drives_find(&d, what);

		code = EXIT_OK;
		if (!drive) {
			fprintf(stderr, "userdrive: %s: no drive is mounted there; "
					"'userdrive list' shows those that are\n", what);
			code = EXIT_NO_DRIVE;
		} else if (json) {
			CLEANUP(buf_fini) struct buf out = BUF_INIT;

			drive_json(&out, drive);
			puts(buf_str(&out));
		} else {
			print_info(drive);
		}
	}
	drives_free(&d);
	return code;
}

const struct command command_list = {
	.name = "list",
	.arguments = "[--all] [--json]",
	.summary = "show the drives that are mounted",
	.help = "  -a, --all   also FUSE mounts of other programs\n"
		"  --json      an array of objects\n"
		"\nExample:\n  userdrive list --json | jq -r '.[].mount_point'\n",
	.run = run_list,
};

const struct command command_info = {
	.name = "info",
	.arguments = "MOUNTPOINT|PID [--json]",
	.summary = "show what is known of one drive",
	.help = "  --json      an object; \"server\" is what the serving process says\n"
		"\nExample:\n  userdrive info /mnt/scratch\n",
	.run = run_info,
};
