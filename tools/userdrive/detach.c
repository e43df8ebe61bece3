/* userdrive detach, and how stop ends a disk. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/control.h"
#include "tools/userdrive/command.h"
#include "tools/userdrive/disks.h"
#include "tools/userdrive/json.h"

enum { ASK_MS = 15000, TIMEOUT_MS = 30000 };

static bool
wait_ended(int process_fd, unsigned timeout_ms)
{
	struct pollfd p = {.fd = process_fd, .events = POLLIN};

	/* One that cannot be watched has ended. */
	return process_fd < 0 || poll(&p, 1, (int)timeout_ms) > 0;
}

/* The process answers in words when it does not let go. */
static int
say_refusal(const char *name, const char *reply)
{
	char error[64] = "", message[1024] = "";

	if (!json_get(reply, "error", error, sizeof(error)))
		return EXIT_OK;
	json_get(reply, "text", message, sizeof(message));
	fprintf(stderr, "userdrive: %s: %s; --force takes it away all the same\n", name,
		message[0]		     ? message
		: strcmp(error, "EBUSY") == 0 ? "it is in use"
					     : error);
	return EXIT_FAILED;
}

int
disk_stop(const struct disk *disk, bool force, unsigned timeout_ms)
{
	CLEANUP(buf_fini) struct buf reply = BUF_INIT;
	CLEANUP(close_fd) int process = (int)syscall(SYS_pidfd_open, disk->pid, 0);
	char name[1100];
	int err = control_call(disk->control, force ? "stop" : "leave", ASK_MS, &reply);

	disk_name(disk, name, sizeof(name));
	if (err < 0 && !wait_ended(process, 0)) {
		fprintf(stderr, "userdrive: %s: process %ld did not take the request: %s\n", name,
			(long)disk->pid, strerror(-err));
		return EXIT_FAILED;
	}
	if (err == 0 && say_refusal(name, buf_str(&reply)) != EXIT_OK)
		return EXIT_FAILED;
	if (!wait_ended(process, timeout_ms)) {
		fprintf(stderr, "userdrive: %s: process %ld has not ended after %u s\n", name,
			(long)disk->pid, timeout_ms / 1000);
		return EXIT_FAILED;
	}
	return EXIT_OK;
}

static int
parse(int argc, char **argv, bool *force, const char **ret_what)
{
	int n = 0;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--force") == 0 || strcmp(argv[i], "-f") == 0) {
			*force = true;
		} else if (argv[i][0] == '-' && argv[i][1]) {
			usage_error(&command_detach, "unknown option '%s'", argv[i]);
			return -1;
		} else {
			*ret_what = argv[i];
			n++;
		}
	}
	if (n != 1)
		usage_error(&command_detach, "one device, image, URL or pid is expected");
	return n == 1 ? 0 : -1;
}

static int
run_detach(int argc, char **argv)
{
	bool force = false;
	const char *what = NULL;
	struct disks d;
	int code = EXIT_NO_DRIVE;

	if (parse(argc, argv, &force, &what) < 0)
		return EXIT_USAGE;
	int err = disks_read(&d);
	const struct disk *disk = err < 0 ? NULL : disks_find(&d, what);
	if (disk)
		code = disk_stop(disk, force, TIMEOUT_MS);
	else
		fprintf(stderr, "userdrive: %s: there is no such disk; 'userdrive list' shows "
				"those that there are\n", what);
	disks_free(&d);
	return code;
}

const struct command command_detach = {
	.name = "detach",
	.arguments = "[--force] DEVICE|IMAGE|URL|PID",
	.summary = "end a disk that nobody uses",
	.help = "  -f, --force   also one that is in use: what its users do with it then fails\n"
		"\nExample:\n  userdrive detach disk.img\n"
		"\nExit code 3: it is in use; the message says by whom.\n",
	.run = run_detach,
};
