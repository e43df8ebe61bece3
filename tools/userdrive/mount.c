/* userdrive mount: finds the drive program and becomes it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/userdrive/command.h"

/* Where programs are, relative to the folder of userdrive itself: installed beside it, or in the
 * build tree. */
static const struct {
	const char *between;
	bool in_own_folder; /* NAME/NAME */
} places[] = {{"", false}, {"/../libexec/userdrive", false}, {"/../examples", true}};

static bool
own_folder(char *dst, size_t cap)
{
	ssize_t n = readlink("/proc/self/exe", dst, cap - 1);

	if (n <= 0)
		return false;
	dst[n] = '\0';
	char *slash = strrchr(dst, '/');
	if (!slash)
		return false;
	*slash = '\0';
	return true;
}

static bool
find_beside(const char *program, char *dst, size_t cap)
{
	char folder[4096];

	if (!own_folder(folder, sizeof(folder)))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		int n = snprintf(dst, cap, "%s%s/%s%s%s", folder, places[i].between,
				 places[i].in_own_folder ? program : "",
				 places[i].in_own_folder ? "/" : "", program);

		if (n > 0 && (size_t)n < cap && access(dst, X_OK) == 0)
			return true;
	}
	return false;
}

static int
run_mount(int argc, char **argv)
{
	char path[8192];

	if (argc < 2 || argv[1][0] == '-') {
		usage_error(&command_mount, "the name of a drive program is expected");
		return EXIT_USAGE;
	}
	const char *program = argv[1];
	if (strchr(program, '/'))
		execv(program, argv + 1);
	else if (find_beside(program, path, sizeof(path)))
		execv(path, argv + 1);
	else
		execvp(program, argv + 1);
	int err = errno;
	fprintf(stderr, "userdrive: %s: %s\n", program,
		err == ENOENT && !strchr(program, '/')
			? "no such program; known here are memfs and passthrough, others are "
			  "looked for in $PATH"
			: strerror(err));
	return EXIT_NO_DRIVE;
}

const struct command command_mount = {
	.name = "mount",
	.arguments = "PROGRAM [SOURCE] MOUNTPOINT [-o OPTION[,OPTION…]]",
	.summary = "start a drive program; returns when the drive is live",
	.help = "  memfs MOUNTPOINT                  a drive in memory\n"
		"  passthrough DIRECTORY MOUNTPOINT  a directory as a drive\n"
		"  PROGRAM …                         any other, by path or from $PATH\n"
		"\nArguments are the program's own: 'memfs --help' lists them.\n"
		"\nExamples:\n"
		"  userdrive mount memfs /mnt/scratch -o size=1G\n"
		"  userdrive mount passthrough /srv/data /mnt/data -o ro,allow_other\n",
	.run = run_mount,
};
