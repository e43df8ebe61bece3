/*
 * Which layout the programs of this library have.
 *
 * libfuse3.so.3 was shipped with four layouts. Programs of the running system were built against
 * its own libfuse, so that one decides: by the name of its library if it is installed (the link
 * libfuse3.so.3 points to libfuse3.so.3.14.0), else by a table of distributions.
 */
#include "api/fuse/layout.h"
#include "base/compiler.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
	pthread_once_t once;
	struct libfuse_version release;
	const struct fapi_layout *layout;
} choice = { .once = PTHREAD_ONCE_INIT };

static bool
number_parse(const char **text, uint32_t *ret_value)
{
	uint32_t value = 0;
	const char *p = *text;

	for (; isdigit((unsigned char)*p); p++) {
		if (value > 9999)
			return false;
		value = value * 10 + (uint32_t)(*p - '0');
	}
	if (p == *text)
		return false;
	*text = p;
	*ret_value = value;
	return true;
}

bool
fapi_version_parse(const char *text, struct libfuse_version *ret_version)
{
	struct libfuse_version v = { 0 };

	if (!number_parse(&text, &v.major) || *text++ != '.' || !number_parse(&text, &v.minor))
		return false;
	if (*text == '.') {
		text++;
		if (!number_parse(&text, &v.hotfix))
			return false;
	}
	/* what a distribution appends ("3.14.0-4") does not matter */
	if (*text && *text != '-' && *text != '+' && *text != '~')
		return false;
	if (v.major < 2 || v.major > 3)
		return false;
	*ret_version = v;
	return true;
}

/* ---------------------------------------------------------------- the system's own library */

#if defined(__x86_64__)
#define MULTIARCH "x86_64-linux-gnu"
#elif defined(__aarch64__)
#define MULTIARCH "aarch64-linux-gnu"
#elif defined(__i386__)
#define MULTIARCH "i386-linux-gnu"
#elif defined(__arm__)
#define MULTIARCH "arm-linux-gnueabihf"
#elif defined(__riscv)
#define MULTIARCH "riscv64-linux-gnu"
#elif defined(__powerpc64__)
#define MULTIARCH "powerpc64le-linux-gnu"
#elif defined(__s390x__)
#define MULTIARCH "s390x-linux-gnu"
#else
#define MULTIARCH "."
#endif

static bool
release_of_link(const char *path, const char *soname, struct libfuse_version *ret)
{
	char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	const char *name;
	size_t stem;

	if (n < 0)
		return false;
	target[n] = '\0';
	name = strrchr(target, '/');
	name = name ? name + 1 : target;
	/* libfuse3.so.3 -> libfuse3.so.3.14.0: the last number of the SONAME is the major one */
	stem = strlen(soname) - 1;
	return strncmp(name, soname, stem) == 0 && fapi_version_parse(name + stem, ret);
}

static bool
release_of_system(struct libfuse_version *ret)
{
	static const char *const dirs[] = { "/lib/" MULTIARCH, "/usr/lib/" MULTIARCH, "/lib64",
					    "/usr/lib64", "/lib", "/usr/lib" };
	char path[256];
	size_t i;

	for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dirs[i], fapi_library.soname);
		if (release_of_link(path, fapi_library.soname, ret))
			return true;
	}
	return false;
}

/* ---------------------------------------------------------------- configuration files */

/* The value of "key = value" or KEY="value" in a file of such lines, or NULL. */
static const char *
file_value(const char *path, const char *key, char *line, int size)
{
	FILE *file = fopen(path, "re");
	const char *found = NULL;

	if (!file)
		return NULL;
	while (!found && fgets(line, size, file)) {
		char *p = line + strspn(line, " \t");
		size_t n = strlen(key);

		if (strncmp(p, key, n) != 0)
			continue;
		p += n;
		p += strspn(p, " \t");
		if (*p++ != '=')
			continue;
		p += strspn(p, " \t\"'");
		p[strcspn(p, " \t\"'\r\n")] = '\0';
		found = p;
	}
	fclose(file);
	return found;
}

/* Releases that packaged libfuse3.so.3 in these systems; the row with the longest prefix counts. */
static const struct {
	const char *id;
	const char *version; /* prefix of VERSION_ID */
	struct libfuse_version release;
} systems[] = {
	{ "debian", "10", { 3, 4, 1, 0 } },  { "debian", "11", { 3, 10, 3, 0 } },
	{ "debian", "12", { 3, 14, 0, 0 } }, { "ubuntu", "20.04", { 3, 9, 0, 0 } },
	{ "ubuntu", "22.04", { 3, 10, 5, 0 } }, { "ubuntu", "24.04", { 3, 14, 0, 0 } },
	{ "rhel", "8", { 3, 3, 0, 0 } },     { "rhel", "9", { 3, 10, 2, 0 } },
	{ "rhel", "10", { 3, 16, 2, 0 } },   { "fedora", "", { 3, 16, 2, 0 } },
	{ "alpine", "", { 3, 16, 2, 0 } },   { "opensuse-leap", "15", { 3, 10, 5, 0 } },
};

static const char *
system_id(const char *id)
{
	static const char *const like_rhel[] = { "centos", "almalinux", "rocky", "ol" };
	size_t i;

	for (i = 0; i < sizeof(like_rhel) / sizeof(like_rhel[0]); i++)
		if (strcmp(id, like_rhel[i]) == 0)
			return "rhel";
	return id;
}

static bool
release_of_distribution(struct libfuse_version *ret)
{
	char id_line[128], version_line[128];
	const char *id = file_value("/etc/os-release", "ID", id_line, sizeof(id_line));
	const char *version =
		file_value("/etc/os-release", "VERSION_ID", version_line, sizeof(version_line));
	size_t i;

	for (i = 0; id && version && i < sizeof(systems) / sizeof(systems[0]); i++) {
		if (strcmp(system_id(id), systems[i].id) == 0 &&
		    strncmp(version, systems[i].version, strlen(systems[i].version)) == 0) {
			*ret = systems[i].release;
			return true;
		}
	}
	return false;
}

/* ---------------------------------------------------------------- the choice */

static bool
release_of_text(const char *text, const char *from, struct libfuse_version *ret)
{
	if (!text || !*text)
		return false;
	if (fapi_version_parse(text, ret) && ret->major == fapi_library.version.major)
		return true;
	fuse_log(FUSE_LOG_WARNING, "fuse: %s: '%s' is no release of libfuse %u, ignored\n", from,
		 text, fapi_library.version.major);
	return false;
}

static bool
release_of_configuration(struct libfuse_version *ret)
{
	static const char file[] = "/etc/userdrive/fuse.conf";
	char line[128];

	return release_of_text(secure_getenv("USERDRIVE_FUSE_LAYOUT"), "USERDRIVE_FUSE_LAYOUT",
			       ret) ||
	       release_of_text(file_value(file, "layout", line, sizeof(line)), file, ret);
}

static void
choose(void)
{
	struct libfuse_version release;

	choice.release = fapi_library.version;
	if (fapi_library.ambiguous &&
	    (release_of_configuration(&release) || release_of_system(&release) ||
	     release_of_distribution(&release)))
		choice.release = release;
	choice.layout = fapi_layout_of_version(&choice.release);
}

const struct fapi_layout *
fapi_layout_library(void)
{
	pthread_once(&choice.once, choose);
	return choice.layout;
}

const struct libfuse_version *
fapi_layout_release(void)
{
	pthread_once(&choice.once, choose);
	return &choice.release;
}
