/* link(2), symlink(2), readlink(2). */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "groups.h"
#include "harness.h"

static void
link_ok(void)
{
	make_text("a", "text");
	OK(link("a", "b"));
	EQ(links_of("a"), 2);
	EQ(stat_of("a").st_ino, stat_of("b").st_ino);
	check_text("b", "text");
	make_text("b", "new");
	check_text("a", "new");
	OK(unlink("a"));
	EQ(links_of("b"), 1);
	check_text("b", "new");
}

static void
link_many(void)
{
	char name[16];

	make_file("f", 0644);
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "l%d", i);
		OK(link("f", name));
	}
	EQ(links_of("l199"), 201);
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "l%d", i);
		OK(unlink(name));
	}
	EQ(links_of("f"), 1);
}

static void
link_shares_attributes(void)
{
	make_file("a", 0644);
	OK(link("a", "b"));
	OK(chmod("b", 0600));
	EQ(mode_of("a"), 0600);
	OK(truncate("a", 99));
	EQ(size_of("b"), 99);
}

static void
link_other_directory(void)
{
	make_dir("d", 0755);
	make_text("f", "text");
	OK(link("f", "d/f"));
	OK(unlink("f"));
	check_text("d/f", "text");
}

static void
link_symlink(void)
{
	/* On Linux the link itself gets a second name. */
	make_link("nowhere", "l");
	OK(link("l", "m"));
	CHECK(S_ISLNK(stat_of("m").st_mode));
	EQ(stat_of("l").st_ino, stat_of("m").st_ino);
	EQ(links_of("l"), 2);
}

static void
link_follow(void)
{
	make_file("f", 0644);
	make_link("f", "l");
	OK(linkat(AT_FDCWD, "l", AT_FDCWD, "m", AT_SYMLINK_FOLLOW));
	EQ(stat_of("m").st_ino, stat_of("f").st_ino);
}

static void
link_fifo(void)
{
	make_fifo("f", 0644);
	OK(link("f", "g"));
	EQ(stat_of("g").st_ino, stat_of("f").st_ino);
}

static void
link_open_unlinked(void)
{
	char path[32];

	make_file("f", 0644);
	int fd = open_file("f", O_RDWR);
	OK(unlink("f"));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	FAILS(ENOENT, linkat(AT_FDCWD, path, AT_FDCWD, "g", AT_SYMLINK_FOLLOW));
}

static void
link_by_descriptor(void)
{
	char path[32];

	make_text("f", "text");
	int fd = open_file("f", O_RDONLY);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	OK(linkat(AT_FDCWD, path, AT_FDCWD, "g", AT_SYMLINK_FOLLOW));
	check_text("g", "text");
}

static void
link_empty_path(void)
{
	make_text("f", "text");
	int fd = open_file("f", O_RDONLY);
	OK(linkat(fd, "", AT_FDCWD, "g", AT_EMPTY_PATH));
	check_text("g", "text");
}

static void
link_empty_path_directory(void)
{
	make_dir("d", 0755);
	int fd = open_file("d", O_RDONLY | O_DIRECTORY);
	FAILS(EPERM, linkat(fd, "", AT_FDCWD, "g", AT_EMPTY_PATH));
}

static void
link_directory(void)
{
	make_dir("d", 0755);
	FAILS(EPERM, link("d", "e"));
	FAILS(EPERM, link(".", "e"));
}

static void
link_itself(void)
{
	make_file("f", 0644);
	FAILS(EEXIST, link("f", "f"));
	EQ(links_of("f"), 1);
}

static void
link_new_slash(void)
{
	make_file("f", 0644);
	FAILS(ENOENT, link("f", "g/"));
}

static void
link_flags(void)
{
	make_file("f", 0644);
	FAILS(EINVAL, linkat(AT_FDCWD, "f", AT_FDCWD, "g", 0x40000000));
}

static void
link_dirfd(void)
{
	make_file("f", 0644);
	int fd = open_file("f", O_RDONLY);
	FAILS(ENOTDIR, linkat(fd, "x", AT_FDCWD, "g", 0));
	FAILS(ENOTDIR, linkat(AT_FDCWD, "f", fd, "x", 0));
}

static void
link_removed_dir(void)
{
	make_file("f", 0644);
	make_dir("d", 0755);
	int fd = open_file("d", O_RDONLY | O_DIRECTORY);
	OK(rmdir("d"));
	FAILS(ENOENT, linkat(AT_FDCWD, "f", fd, "x", 0));
	FAILS(ENOENT, linkat(fd, "f", AT_FDCWD, "x", 0));
}

static void
link_other_mount(void)
{
	make_file("f", 0644);
	make_dir("m", 0755);
	mount_other("m");
	FAILS(EXDEV, link("f", "m/f"));
}

static void
require_protected_hardlinks(void)
{
	char c = '0';
	int fd = open("/proc/sys/fs/protected_hardlinks", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, &c, 1) != 1 || c == '0')
		skip("this machine does not protect hard links (fs.protected_hardlinks)");
	OK(close(fd));
}

static void
link_protected(const char *what, mode_t mode)
{
	require_protected_hardlinks();
	make_file(what, 0600);
	OK(chmod(what, mode));
	become(ID_A);
	FAILS(EPERM, link(what, "g"));
	become(ID_ROOT);
	EQ(links_of(what), 1);
}

static void
link_protected_unwritable(void)
{
	link_protected("f", 0644);
}

static void
link_protected_setuid(void)
{
	link_protected("f", 04777);
}

static void
link_protected_setgid(void)
{
	link_protected("f", 02777);
}

static void
link_foreign_writable(void)
{
	make_file("f", 0666);
	become(ID_A);
	OK(link("f", "g"));
	EQ(links_of("f"), 2);
	EQ(stat_of("g").st_uid, 0);
}

static void
link_protected_fifo(void)
{
	require_protected_hardlinks();
	make_fifo("f", 0666);
	become(ID_A);
	FAILS(EPERM, link("f", "g"));
}

static void
symlink_ok(void)
{
	char got[16];
	struct stat st;

	OK(symlink("some/where", "l"));
	st = stat_of("l");
	CHECK(S_ISLNK(st.st_mode));
	EQ(st.st_size, 10);
	EQ(st.st_nlink, 1);
	EQ(st.st_uid, geteuid());
	EQ(st.st_gid, getegid());
	EQ(readlink("l", got, sizeof(got)), 10);
	CHECK(memcmp(got, "some/where", 10) == 0);
}

static void
symlink_mode(void)
{
	umask(077);
	OK(symlink("t", "l"));
	EQ(mode_of("l"), 0777);
}

static void
symlink_setgid(void)
{
	make_dir("s", 0777);
	give("s", 0, gid_g());
	OK(chmod("s", 02777));
	become(ID_A);
	OK(symlink("t", "s/l"));
	EQ(stat_of("s/l").st_gid, gid_g());
}

static void
check_length(size_t n)
{
	static char target[PATH_MAX], got[PATH_MAX + 8];

	memset(target, 'x', n);
	target[n] = '\0';
	OK(symlink(target, "l"));
	EQ(size_of("l"), n);
	EQ(readlink("l", got, sizeof(got)), n);
	CHECK(memcmp(got, target, n) == 0);
	OK(unlink("l"));
}

static void
symlink_lengths(void)
{
	static const size_t lengths[] = {1,   2,    59,	  60,	61,   255,
					 256, 1000, 1023, 1024, 2048, 4000};

	for (size_t i = 0; i < COUNT(lengths); i++)
		check_length(lengths[i]);
}

static void
symlink_longest(void)
{
	check_length(PATH_MAX - 1);
}

static void
symlink_too_long(void)
{
	FAILS(ENAMETOOLONG, symlink(path_of_length(PATH_MAX, "x"), "l"));
	CHECK(!exists("l"));
}

static void
symlink_empty_target(void)
{
	FAILS(ENOENT, symlink("", "l"));
}

static void
symlink_new_slash(void)
{
	FAILS(ENOENT, symlink("t", "l/"));
}

static void
symlink_dirfd(void)
{
	make_file("f", 0644);
	int fd = open_file("f", O_RDONLY);
	FAILS(ENOTDIR, symlinkat("t", fd, "x"));
}

static void
symlink_removed_dir(void)
{
	make_dir("d", 0755);
	int fd = open_file("d", O_RDONLY | O_DIRECTORY);
	OK(rmdir("d"));
	FAILS(ENOENT, symlinkat("t", fd, "x"));
}

static void
symlink_relative(void)
{
	make_dir("a", 0755);
	make_dir("b", 0755);
	make_text("b/f", "text");
	make_link("../b/f", "a/l");
	check_text("a/l", "text");
	make_link("a", "c");
	check_text("c/l", "text");
}

static void
symlink_absolute(void)
{
	char target[PATH_MAX + 8];

	CHECK(getcwd(target, PATH_MAX) != NULL);
	strcat(target, "/f");
	make_text("f", "text");
	make_link(target, "l");
	check_text("l", "text");
}

static void
symlink_bytes(void)
{
	static const char target[] = "\xff\\ \n:\"*|<>?\x01\xc3\xa9";
	char got[32];

	OK(symlink(target, "l"));
	EQ(readlink("l", got, sizeof(got)), sizeof(target) - 1);
	CHECK(memcmp(got, target, sizeof(target) - 1) == 0);
}

static void
readlink_short(void)
{
	char got[4] = "....";

	make_link("target", "l");
	EQ(readlink("l", got, 3), 3);
	CHECK(memcmp(got, "tar.", 4) == 0);
}

static void
readlink_not_link(void)
{
	char got[4];

	make_file("f", 0644);
	make_dir("d", 0755);
	FAILS(EINVAL, readlink("f", got, sizeof(got)));
	FAILS(EINVAL, readlink("d", got, sizeof(got)));
}

static void
symlink_needs_no_permission(void)
{
	/* Nobody owns the right to read a link: its mode means nothing. */
	make_link("t", "l");
	give("l", uid_b(), gid_b());
	become(ID_A);
	EQ(readlink("l", (char[4]){0}, 4), 1);
}

static const struct posix_case cases[] = {
	{"link", 0, "creates", AS_BOTH, "Two names of one file; the first may go.",
	 link_ok},
	{"link", 0, "two-hundred", AS_INVOKER, "200 more names and their count.",
	 link_many},
	{"link", 0, "shares-attributes", AS_BOTH,
	 "Mode and size belong to the file, not the name.", link_shares_attributes},
	{"link", 0, "other-directory", AS_BOTH, "A name in another directory.",
	 link_other_directory},
	{"link", 0, "symlink-itself", AS_BOTH, "A link is not followed.", link_symlink},
	{"link", 0, "symlink-followed", AS_INVOKER, "AT_SYMLINK_FOLLOW follows it.",
	 link_follow},
	{"link", 0, "fifo", AS_INVOKER, "A fifo gets a second name.", link_fifo},
	{"link", 0, "by-descriptor", AS_BOTH, "A file linked through /proc/self/fd.",
	 link_by_descriptor},
	{"link", 0, "empty-path", AS_ROOT, "AT_EMPTY_PATH links a descriptor.",
	 link_empty_path},
	{"link", 0, "foreign-writable", AS_ROOT,
	 "Another user's file that one may read and write.", link_foreign_writable},
	{"link", ENOENT, "unlinked", AS_BOTH, "A file without a name gets none back.",
	 link_open_unlinked},
	{"link", ENOENT, "new-trailing-slash", AS_INVOKER, "A slash behind the new name.",
	 link_new_slash},
	{"link", ENOENT, "removed-directory", AS_INVOKER,
	 "A removed directory holds no names.", link_removed_dir},
	{"link", EPERM, "directory", AS_BOTH, "Directories have one name.",
	 link_directory},
	{"link", EPERM, "empty-path-directory", AS_ROOT,
	 "AT_EMPTY_PATH with a directory.", link_empty_path_directory},
	{"link", EPERM, "protected-unwritable", AS_ROOT,
	 "Another user's file that one may not write.", link_protected_unwritable},
	{"link", EPERM, "protected-set-uid", AS_ROOT,
	 "Another user's set-user-id program.", link_protected_setuid},
	{"link", EPERM, "protected-set-gid", AS_ROOT,
	 "Another user's set-group-id program.", link_protected_setgid},
	{"link", EPERM, "protected-fifo", AS_ROOT, "Another user's fifo.",
	 link_protected_fifo},
	{"link", EEXIST, "itself", AS_BOTH, "Both paths are the same.", link_itself},
	{"link", EINVAL, "flags", AS_INVOKER, "A flag that does not exist.", link_flags},
	{"link", ENOTDIR, "dirfd-is-file", AS_INVOKER,
	 "A relative path below a descriptor of a file.", link_dirfd},
	{"link", EXDEV, "other-mount", NEED_MOUNTS | AS_ROOT,
	 "The paths lie on two mounts.", link_other_mount},
	{"symlink", 0, "creates", AS_BOTH, "A new link: type, size, owner, target.",
	 symlink_ok},
	{"symlink", 0, "mode", AS_BOTH, "A link's mode is 0777 whatever the umask.",
	 symlink_mode},
	{"symlink", 0, "setgid-directory", AS_ROOT,
	 "A link in a set-group-id directory takes its group.", symlink_setgid},
	{"symlink", 0, "lengths", AS_INVOKER,
	 "Targets of 1 to 4000 bytes come back whole.", symlink_lengths},
	{"symlink", 0, "length-4095", AS_INVOKER,
	 "A target of 4095 bytes comes back whole.", symlink_longest},
	{"symlink", 0, "relative", AS_INVOKER,
	 "A relative target starts at the link's directory.", symlink_relative},
	{"symlink", 0, "absolute", AS_INVOKER, "An absolute target starts at the root.",
	 symlink_absolute},
	{"symlink", 0, "bytes", AS_INVOKER, "A target is bytes, not a name.",
	 symlink_bytes},
	{"symlink", ENAMETOOLONG, "target-4096", AS_BOTH, "A target of 4096 bytes.",
	 symlink_too_long},
	{"symlink", ENOENT, "empty-target", AS_BOTH, "An empty target.",
	 symlink_empty_target},
	{"symlink", ENOENT, "trailing-slash", AS_INVOKER, "A slash behind the new name.",
	 symlink_new_slash},
	{"symlink", ENOENT, "removed-directory", AS_INVOKER,
	 "A removed directory holds no names.", symlink_removed_dir},
	{"symlink", ENOTDIR, "dirfd-is-file", AS_INVOKER,
	 "A relative path below a descriptor of a file.", symlink_dirfd},
	{"readlink", 0, "short-buffer", AS_INVOKER,
	 "A short buffer gets the beginning, unterminated.", readlink_short},
	{"readlink", 0, "needs-no-permission", AS_ROOT, "Another user's link is read.",
	 symlink_needs_no_permission},
	{"readlink", EINVAL, "not-a-link", AS_BOTH, "Files and directories are no links.",
	 readlink_not_link},
};

POSIX_GROUP(link, cases)
