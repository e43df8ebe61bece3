/* userdrive fuse-run: a program built for libfuse runs with ours. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/userdrive/command.h"

/* What a shell returns for a command that is not there, or is no program. */
enum {
	EXIT_NOT_FOUND = 127,
	EXIT_NO_PROGRAM = 126
};

/* Where the libraries are, relative to the folder of userdrive: build tree, installed. */
static const char *const places[] = { "/../api/fuse", "/../" FUSE_PRIVATE_DIR };

static bool
library_folder(char *dst)
{
	char self[PATH_MAX], path[PATH_MAX + sizeof(FUSE_PRIVATE_DIR) + 32];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (n <= 0)
		return false;
	self[n] = '\0';
	slash = strrchr(self, '/');
	if (slash)
		*slash = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		snprintf(path, sizeof(path), "%s%s/libfuse3.so.3", self, places[i]);
		if (access(path, R_OK) != 0)
			continue;
		*strrchr(path, '/') = '\0';
		return realpath(path, dst) != NULL;
	}
	return false;
}

/* Puts our folder before the others. */
static int
search_path_set(const char *folder)
{
	const char *old = getenv("LD_LIBRARY_PATH");
	char *value;
	int res;

	if (asprintf(&value, "%s%s%s", folder, old && *old ? ":" : "", old ? old : "") < 0)
		return -1;
	res = setenv("LD_LIBRARY_PATH", value, 1);
	free(value);
	return res;
}

static int
run(int argc, char **argv)
{
	char folder[PATH_MAX];
	bool print = false;
	const char *layout = NULL;
	int i;

	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "--") == 0) {
			i++;
			break;
		}
		if (strcmp(argv[i], "--print-folder") == 0) {
			print = true;
		} else if (strcmp(argv[i], "--layout") == 0 && i + 1 < argc) {
			layout = argv[++i];
		} else {
			usage_error(&command_fuse_run, "unknown option '%s'", argv[i]);
			return EXIT_USAGE;
		}
	}
	if (!library_folder(folder)) {
		fprintf(stderr, "userdrive: our libfuse is not installed; it is a component of its"
				" own (meson install --tags libfuse)\n");
		return EXIT_FAILED;
	}
	if (print) {
		puts(folder);
		return EXIT_OK;
	}
	if (i >= argc) {
		usage_error(&command_fuse_run, "a program is expected");
		return EXIT_USAGE;
	}
	if (search_path_set(folder) != 0 ||
	    (layout && setenv("USERDRIVE_FUSE_LAYOUT", layout, 1) != 0)) {
		fprintf(stderr, "userdrive: %s\n", strerror(errno));
		return EXIT_FAILED;
	}
	execvp(argv[i], argv + i);
	fprintf(stderr, "userdrive: %s: %s\n", argv[i], strerror(errno));
	return errno == ENOENT ? EXIT_NOT_FOUND : EXIT_NO_PROGRAM;
}

const struct command command_fuse_run = {
	.name = "fuse-run",
	.arguments = "[--layout VERSION] PROGRAM [ARGUMENTS]",
	.summary = "run a FUSE program with our libfuse",
	.help = "  --layout VERSION  the release of libfuse 3 that PROGRAM was built for, if\n"
		"                    it is not this system's: 3.10.5, 3.14.0, 3.16.2, ...\n"
		"  --print-folder    where our libraries are (for LD_LIBRARY_PATH)\n"
		"\nThe exit code is PROGRAM's; 127: there is none, 126: it cannot be run.\n"
		"A set-user-ID program cannot be told where its libraries are.\n"
		"\nExamples:\n"
		"  userdrive fuse-run sshfs host:/srv /mnt/srv\n"
		"  userdrive fuse-run squashfuse -f image.squashfs /mnt/image\n"
		"  userdrive fuse-run --layout 3.16.2 ./my-filesystem /mnt/x\n",
	.run = run,
};
