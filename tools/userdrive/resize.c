/* userdrive resize */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/control.h"
#include "base/text/size.h"
#include "tools/userdrive/command.h"
#include "tools/userdrive/disks.h"
#include "tools/userdrive/json.h"

enum { ASK_MS = 30000 };

struct arguments {
	bool force;
	const char *what;
	uint64_t size;
};

static int
parse(int argc, char **argv, struct arguments *a)
{
	const char *words[2] = {NULL, NULL};
	size_t n = 0;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--force") == 0 || strcmp(argv[i], "-f") == 0) {
			a->force = true;
		} else if (argv[i][0] == '-' && argv[i][1]) {
			usage_error(&command_resize, "unknown option '%s'", argv[i]);
			return -1;
		} else {
			if (n < ARRAY_SIZE(words))
				words[n] = argv[i];
			n++;
		}
	}
	if (n != 2) {
		usage_error(&command_resize, "a disk and a size are expected");
		return -1;
	}
	a->what = words[0];
	if (size_parse(words[1], &a->size) < 0 || a->size == 0) {
		usage_error(&command_resize, "'%s' is not a size", words[1]);
		return -1;
	}
	return 0;
}

static int
check(const struct disk *disk, const struct arguments *a)
{
	char now[32], then[32];

	if (!disk->block_length || a->size % disk->block_length) {
		fprintf(stderr, "userdrive: %s: %llu is not a multiple of its block length, %u\n",
			a->what, (unsigned long long)a->size, disk->block_length);
		return EXIT_USAGE;
	}
	if (a->size < disk->size && !a->force) {
		fprintf(stderr, "userdrive: %s: from %s to %s: what is behind the new end would be "
				"lost; --force cuts it off\n", a->what,
			size_format(disk->size, now, sizeof(now)),
			size_format(a->size, then, sizeof(then)));
		return EXIT_FAILED;
	}
	return EXIT_OK;
}

static int
resize(const struct disk *disk, const struct arguments *a)
{
	CLEANUP(buf_fini) struct buf reply = BUF_INIT;
	char verb[64], error[64] = "", message[1024] = "";
	int code = check(disk, a);

	if (code != EXIT_OK)
		return code;
	snprintf(verb, sizeof(verb), "resize %llu",
		 (unsigned long long)(a->size / disk->block_length));
	int err = control_call(disk->control, verb, ASK_MS, &reply);
	if (err == 0 && !json_get(buf_str(&reply), "error", error, sizeof(error)))
		return EXIT_OK;
	json_get(buf_str(&reply), "text", message, sizeof(message));
	fprintf(stderr, "userdrive: %s: cannot be resized: %s\n", a->what,
		err < 0					   ? strerror(-err)
		: message[0]				   ? message
		: strcmp(error, "EOPNOTSUPP") == 0	   ? "this disk has a fixed size"
		: strcmp(error, "ENOSPC") == 0		   ? "no space left on device"
							   : error);
	return EXIT_FAILED;
}

static int
run_resize(int argc, char **argv)
{
	struct arguments a = {0};
	struct disks d;
	int code = EXIT_NO_DRIVE;

	if (parse(argc, argv, &a) < 0)
		return EXIT_USAGE;
	int err = disks_read(&d);
	const struct disk *disk = err < 0 ? NULL : disks_find(&d, a.what);
	if (disk)
		code = resize(disk, &a);
	else
		fprintf(stderr, "userdrive: %s: there is no such disk; 'userdrive list' shows "
				"those that there are\n", a.what);
	disks_free(&d);
	return code;
}

const struct command command_resize = {
	.name = "resize",
	.arguments = "[--force] DEVICE|IMAGE|URL|PID SIZE",
	.summary = "change the size of a disk while it is used",
	.help = "  SIZE          in bytes; K, M, G, T may follow\n"
		"  -f, --force   also smaller: what is behind the new end is lost\n"
		"\nExample:\n  userdrive resize disk.img 20G\n"
		"\nHosts are told; partitions and file systems are theirs to grow.\n",
	.run = run_resize,
};
