/* setxattr(2), getxattr(2), listxattr(2), removexattr(2) in the user namespace. */
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#include "groups.h"
#include "harness.h"

static void
put(const char *path, const char *name, const char *value)
{
	ABLE(setxattr(path, name, value, strlen(value), 0));
}

static void
check_value(const char *path, const char *name, const char *value)
{
	char got[256];
	ssize_t n = OK(getxattr(path, name, got, sizeof(got)));

	if ((size_t)n != strlen(value) || memcmp(got, value, (size_t)n) != 0)
		FAIL("%s of %s is \"%.*s\", expected \"%s\"", name, path, (int)n, got,
		     value);
}

/* True when name is among the user attributes; ret_count counts those. */
static bool
listed(const char *path, const char *name, unsigned int *ret_count)
{
	static char list[65536];
	ssize_t n = OK(listxattr(path, list, sizeof(list)));
	bool found = false;

	*ret_count = 0;
	for (char *p = list; p < list + n; p += strlen(p) + 1) {
		*ret_count += strncmp(p, "user.", 5) == 0;
		found = found || strcmp(p, name) == 0;
	}
	return found;
}

static void
set_get(void)
{
	unsigned int n;

	make_file("f", 0644);
	make_dir("d", 0755);
	put("f", "user.one", "value");
	put("d", "user.one", "other");
	check_value("f", "user.one", "value");
	check_value("d", "user.one", "other");
	put("f", "user.one", "longer value than before");
	check_value("f", "user.one", "longer value than before");
	CHECK(listed("f", "user.one", &n));
	EQ(n, 1);
}

static void
empty_value(void)
{
	unsigned int n;

	make_file("f", 0644);
	put("f", "user.empty", "");
	EQ(getxattr("f", "user.empty", NULL, 0), 0);
	CHECK(listed("f", "user.empty", &n));
	put("f", "user.empty", "x");
	put("f", "user.empty", "");
	EQ(getxattr("f", "user.empty", (char[4]){0}, 4), 0);
	OK(removexattr("f", "user.empty"));
	FAILS(ENODATA, getxattr("f", "user.empty", NULL, 0));
}

static void
binary_value(void)
{
	char value[256], got[256];

	for (int i = 0; i < 256; i++)
		value[i] = (char)i;
	make_file("f", 0644);
	ABLE(setxattr("f", "user.bytes", value, sizeof(value), 0));
	EQ(getxattr("f", "user.bytes", got, sizeof(got)), sizeof(value));
	CHECK(memcmp(got, value, sizeof(value)) == 0);
}

static void
removes(void)
{
	unsigned int n;

	make_file("f", 0644);
	put("f", "user.one", "1");
	put("f", "user.two", "2");
	OK(removexattr("f", "user.one"));
	CHECK(!listed("f", "user.one", &n));
	EQ(n, 1);
	check_value("f", "user.two", "2");
}

static void
list_many(void)
{
	char name[32];
	unsigned int n;

	make_file("f", 0644);
	for (int i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "user.name-%d", i);
		put("f", name, name);
	}
	CHECK(listed("f", "user.name-17", &n));
	EQ(n, 30);
	check_value("f", "user.name-29", "user.name-29");
}

static void
list_sizes(void)
{
	char list[64];

	make_file("f", 0644);
	put("f", "user.abc", "1");
	ssize_t size = OK(listxattr("f", NULL, 0));
	CHECK(size >= 9);
	FAILS(ERANGE, listxattr("f", list, 1));
	EQ(listxattr("f", list, sizeof(list)), size);
}

static void
get_sizes(void)
{
	char got[8];

	make_file("f", 0644);
	put("f", "user.one", "value");
	EQ(getxattr("f", "user.one", NULL, 0), 5);
	FAILS(ERANGE, getxattr("f", "user.one", got, 4));
	EQ(getxattr("f", "user.one", got, 5), 5);
}

static void
create_exists(void)
{
	make_file("f", 0644);
	ABLE(setxattr("f", "user.one", "1", 1, XATTR_CREATE));
	FAILS(EEXIST, setxattr("f", "user.one", "2", 1, XATTR_CREATE));
	check_value("f", "user.one", "1");
}

static void
replace_missing(void)
{
	make_file("f", 0644);
	put("f", "user.one", "1");
	FAILS(ENODATA, setxattr("f", "user.two", "2", 1, XATTR_REPLACE));
	OK(setxattr("f", "user.one", "3", 1, XATTR_REPLACE));
	check_value("f", "user.one", "3");
}

static void
missing(void)
{
	make_file("f", 0644);
	put("f", "user.one", "1");
	FAILS(ENODATA, getxattr("f", "user.two", NULL, 0));
	FAILS(ENODATA, removexattr("f", "user.two"));
}

static void
flags(void)
{
	make_file("f", 0644);
	FAILS(EINVAL, setxattr("f", "user.one", "1", 1, 4));
}

static void
name_limits(void)
{
	char name[300] = "user.";

	make_file("f", 0644);
	put("f", "user.one", "1");
	memset(name + 5, 'n', 250);
	name[255] = '\0';
	OK(setxattr("f", name, "1", 1, 0));
	check_value("f", name, "1");
	memset(name + 5, 'n', 251);
	FAILS(ERANGE, setxattr("f", name, "1", 1, 0));
	FAILS(ERANGE, setxattr("f", "", "1", 1, 0));
}

static void
value_too_large(void)
{
	static char value[65537];

	make_file("f", 0644);
	FAILS(E2BIG, setxattr("f", "user.one", value, sizeof(value), 0));
}

static void
value_kibibytes(void)
{
	static char value[3000], got[4096];

	fill(value, sizeof(value));
	make_file("f", 0644);
	ABLE(setxattr("f", "user.large", value, sizeof(value), 0));
	EQ(getxattr("f", "user.large", got, sizeof(got)), sizeof(value));
	CHECK(memcmp(got, value, sizeof(value)) == 0);
}

static void
prefix(void)
{
	make_file("f", 0644);
	FAILS(EOPNOTSUPP, setxattr("f", "unknown.one", "1", 1, 0));
	FAILS(EOPNOTSUPP, setxattr("f", "plain", "1", 1, 0));
}

static void
empty_user_name(void)
{
	make_file("f", 0644);
	put("f", "user.one", "1");
	FAILS(EINVAL, setxattr("f", "user.", "1", 1, 0));
}

static void
special_files(void)
{
	make_link("nowhere", "l");
	make_fifo("p", 0644);
	FAILS(EPERM, lsetxattr("l", "user.one", "1", 1, 0));
	FAILS(EPERM, setxattr("p", "user.one", "1", 1, 0));
}

static void
follows(void)
{
	make_file("f", 0644);
	make_link("f", "l");
	put("l", "user.one", "1");
	check_value("f", "user.one", "1");
	unsigned int n;
	ssize_t size = OK(llistxattr("l", NULL, 0));
	CHECK(size == 0 || !listed("l", "user.two", &n));
}

static void
case_kept(void)
{
	unsigned int n;

	make_file("f", 0644);
	put("f", "user.MixedCase", "1");
	CHECK(listed("f", "user.MixedCase", &n));
	check_value("f", "user.MixedCase", "1");
}

static void
case_apart(void)
{
	make_file("f", 0644);
	put("f", "user.name", "lower");
	put("f", "user.NAME", "upper");
	check_value("f", "user.name", "lower");
	check_value("f", "user.NAME", "upper");
}

static void
belongs_to_file(void)
{
	make_file("f", 0644);
	put("f", "user.one", "1");
	OK(link("f", "g"));
	check_value("g", "user.one", "1");
	OK(rename("f", "h"));
	check_value("h", "user.one", "1");
	OK(unlink("h"));
	check_value("g", "user.one", "1");
	OK(unlink("g"));
	make_file("g", 0644);
	FAILS(ENODATA, getxattr("g", "user.one", NULL, 0));
}

static void
descriptor(void)
{
	char got[8];

	make_file("f", 0644);
	int fd = open_file("f", O_RDONLY);
	ABLE(fsetxattr(fd, "user.one", "1", 1, 0));
	EQ(fgetxattr(fd, "user.one", got, sizeof(got)), 1);
	OK(unlink("f"));
	EQ(fgetxattr(fd, "user.one", got, sizeof(got)), 1);
	OK(fremovexattr(fd, "user.one"));
}

static void
changes_ctime(void)
{
	struct stat before, after;

	make_file("f", 0644);
	before = stat_of("f");
	tick();
	put("f", "user.one", "1");
	after = stat_of("f");
	CHECK(time_compare(&before.st_ctim, &after.st_ctim) < 0);
	CHECK(time_compare(&before.st_mtim, &after.st_mtim) == 0);
}

static void
permission(void)
{
	make_file("f", 0644);
	put("f", "user.one", "1");
	become(ID_A);
	FAILS(EACCES, setxattr("f", "user.one", "2", 1, 0));
	FAILS(EACCES, removexattr("f", "user.one"));
	check_value("f", "user.one", "1");
	become(ID_ROOT);
	OK(chmod("f", 0));
	become(ID_A);
	FAILS(EACCES, getxattr("f", "user.one", NULL, 0));
}

static void
sticky_directory(void)
{
	make_dir("d", 0777);
	put("d", "user.one", "1");
	OK(chmod("d", 01777));
	become(ID_A);
	FAILS(EPERM, setxattr("d", "user.one", "2", 1, 0));
}

static void
trusted(void)
{
	make_file("f", 0644);
	FAILS(EPERM, setxattr("f", "trusted.one", "1", 1, 0));
}

static const struct posix_case cases[] = {
	{"setxattr", 0, "set-and-get", AS_BOTH | MAY_LACK,
	 "Attributes of files and directories.", set_get},
	{"setxattr", 0, "empty-value", AS_INVOKER | MAY_LACK,
	 "An empty value is a value.", empty_value},
	{"setxattr", 0, "binary-value", AS_INVOKER | MAY_LACK, "A value is bytes.",
	 binary_value},
	{"setxattr", 0, "value-of-3000", AS_INVOKER | MAY_LACK, "A value of 3000 bytes.",
	 value_kibibytes},
	{"setxattr", 0, "case-kept", AS_INVOKER | MAY_LACK, "The case of names is kept.",
	 case_kept},
	{"setxattr", 0, "case-apart", AS_INVOKER | MAY_LACK,
	 "Upper and lower case are two names.", case_apart},
	{"setxattr", 0, "belongs-to-file", AS_INVOKER | MAY_LACK,
	 "Attributes follow the file and end with it.", belongs_to_file},
	{"setxattr", 0, "descriptor", AS_INVOKER | MAY_LACK,
	 "fsetxattr and family, after unlink too.", descriptor},
	{"setxattr", 0, "follows-links", AS_INVOKER | MAY_LACK, "setxattr follows links.",
	 follows},
	{"setxattr", 0, "times", AS_INVOKER | MAY_LACK, "ctime changes, mtime does not.",
	 changes_ctime},
	{"setxattr", EEXIST, "create", AS_INVOKER | MAY_LACK,
	 "XATTR_CREATE of what exists.", create_exists},
	{"setxattr", ENODATA, "replace", AS_INVOKER | MAY_LACK,
	 "XATTR_REPLACE of what does not.", replace_missing},
	{"setxattr", EINVAL, "flags", AS_INVOKER, "A flag that does not exist.", flags},
	{"setxattr", EINVAL, "empty-user-name", AS_INVOKER | MAY_LACK,
	 "The prefix alone is no name.", empty_user_name},
	{"setxattr", ERANGE, "name-length", AS_INVOKER | MAY_LACK,
	 "Names of 255 bytes, not of 256 or 0.", name_limits},
	{"setxattr", E2BIG, "value-length", AS_INVOKER, "Values above 64 KiB.",
	 value_too_large},
	{"setxattr", EOPNOTSUPP, "prefix", AS_INVOKER, "Prefixes that do not exist.",
	 prefix},
	{"setxattr", EPERM, "special-files", AS_BOTH,
	 "Links and fifos have no user attributes.", special_files},
	{"setxattr", EPERM, "sticky-directory", AS_ROOT | MAY_LACK,
	 "Another user's sticky directory.", sticky_directory},
	{"setxattr", EPERM, "trusted", AS_USER, "trusted.* is root's.", trusted},
	{"setxattr", EACCES, "mode", AS_ROOT | MAY_LACK,
	 "User attributes obey the file's mode.", permission},
	{"getxattr", ERANGE, "short-buffer", AS_INVOKER | MAY_LACK,
	 "The size is told; a short buffer fails.", get_sizes},
	{"getxattr", ENODATA, "missing", AS_INVOKER | MAY_LACK,
	 "An attribute that does not exist.", missing},
	{"listxattr", ERANGE, "short-buffer", AS_INVOKER | MAY_LACK,
	 "The size is told; a short buffer fails.", list_sizes},
	{"listxattr", 0, "thirty", AS_INVOKER | MAY_LACK, "30 attributes are listed.",
	 list_many},
	{"removexattr", 0, "one-of-two", AS_INVOKER | MAY_LACK,
	 "One attribute goes, the other stays.", removes},
};

POSIX_GROUP(xattr, cases)
