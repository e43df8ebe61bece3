#include "tools/userdrive/programs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

bool
program_find_own(const char *program, char *dst, size_t cap)
{
	char folder[4096];

	if (strchr(program, '/') || !own_folder(folder, sizeof(folder)))
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

int
program_exec(char **argv)
{
	char path[8192];

	if (strchr(argv[0], '/'))
		execv(argv[0], argv);
	else if (program_find_own(argv[0], path, sizeof(path)))
		execv(path, argv);
	else
		execvp(argv[0], argv);
	return errno;
}
