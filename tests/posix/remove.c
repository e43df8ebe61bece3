/* unlink(2) and rmdir(2). */
#include <string.h>
#include <sys/mount.h>

#include "groups.h"
#include "harness.h"

static void
unlink_ok(void)
{
	make_file("f", 0644);
	OK(unlink("f"));
	CHECK(!exists("f"));
	FAILS(ENOENT, unlink("f"));
}

static void
unlink_kinds(void)
{
	make_fifo("p", 0644);
	make_link("nowhere", "l");
	make_file("z", 0);
	OK(unlink("p"));
	OK(unlink("l"));
	OK(unlink("z"));
	CHECK(!exists("p") && !exists("l") && !exists("z"));
}

static void
unlink_symlink_keeps_target(void)
{
	make_text("f", "text");
	make_link("f", "l");
	OK(unlink("l"));
	check_text("f", "text");
}

static void
unlink_linked(void)
{
	make_text("a", "text");
	OK(link("a", "b"));
	OK(unlink("a"));
	EQ(links_of("b"), 1);
	check_text("b", "text");
}

static void
unlink_readonly_file(void)
{
	make_file("f", 0400);
	OK(unlink("f"));
}

static void
unlink_directory(void)
{
	make_dir("d", 0755);
	FAILS(EISDIR, unlink("d"));
	CHECK(exists("d"));
}

static void
unlink_directory_slash(void)
{
	make_dir("d", 0755);
	FAILS(EISDIR, unlink("d/"));
}

static void
unlink_flags(void)
{
	make_file("f", 0644);
	FAILS(EINVAL, unlinkat(AT_FDCWD, "f", 0x40000000));
}

static void
unlink_dirfd(void)
{
	make_file("f", 0644);
	int fd = open_file("f", O_RDONLY);
	FAILS(ENOTDIR, unlinkat(fd, "x", 0));
}

static void
unlink_mount_point(void)
{
	/* Only directories and files that something is mounted on are busy. */
	make_file("f", 0644);
	make_dir("m", 0755);
	mount_other("m");
	make_file("m/x", 0644);
	OK(unlink("m/x"));
	FAILS(EISDIR, unlink("m"));
}

static void
unlink_busy(void)
{
	make_file("f", 0644);
	make_file("g", 0644);
	private_mounts();
	OK(mount("g", "f", NULL, MS_BIND, NULL));
	FAILS(EBUSY, unlink("f"));
}

static void
rmdir_ok(void)
{
	make_dir("d", 0);
	OK(rmdir("d"));
	CHECK(!exists("d"));
	make_dir("e", 0755);
	OK(rmdir("e/"));
	CHECK(!exists("e"));
}

static void
rmdir_at(void)
{
	make_dir("d", 0755);
	OK(unlinkat(AT_FDCWD, "d", AT_REMOVEDIR));
	CHECK(!exists("d"));
}

static void
rmdir_open(void)
{
	struct stat st;

	make_dir("d", 0755);
	int fd = open_file("d", O_RDONLY | O_DIRECTORY);
	OK(rmdir("d"));
	OK(fstat(fd, &st));
	EQ(st.st_nlink, 0);
	make_dir("d", 0755);
	CHECK(exists("d"));
}

static void
rmdir_cwd(void)
{
	make_dir("d", 0755);
	OK(chdir("d"));
	OK(rmdir("../d"));
	FAILS(ENOENT, open("../d", O_RDONLY));
}

static void
rmdir_emptied(void)
{
	make_dir("d", 0755);
	make_text("d/f", "text");
	int fd = open_file("d/f", O_RDWR);
	OK(unlink("d/f"));
	OK(rmdir("d"));
	EQ(pread(fd, (char[4]){0}, 4, 0), 4);
	EQ(pwrite(fd, "more", 4, 4), 4);
}

static void
rmdir_not_empty(void)
{
	make_dir("d", 0755);
	make_file("d/f", 0644);
	FAILS(ENOTEMPTY, rmdir("d"));
	OK(unlink("d/f"));
	make_dir("d/e", 0755);
	FAILS(ENOTEMPTY, rmdir("d"));
	OK(rmdir("d/e"));
	make_link("nowhere", "d/l");
	FAILS(ENOTEMPTY, rmdir("d"));
}

static void
rmdir_dotdot(void)
{
	make_dir("d", 0755);
	FAILS(ENOTEMPTY, rmdir("d/.."));
	FAILS(ENOTEMPTY, rmdir(".."));
}

static void
rmdir_dot(void)
{
	make_dir("d", 0755);
	FAILS(EINVAL, rmdir("d/."));
	FAILS(EINVAL, rmdir("."));
}

static void
rmdir_file(void)
{
	make_file("f", 0644);
	make_fifo("p", 0644);
	FAILS(ENOTDIR, rmdir("f"));
	FAILS(ENOTDIR, rmdir("p"));
}

static void
rmdir_link(void)
{
	make_dir("d", 0755);
	make_link("d", "l");
	FAILS(ENOTDIR, rmdir("l"));
	FAILS(ENOTDIR, rmdir("l/"));
}

static void
rmdir_busy(void)
{
	make_dir("m", 0755);
	mount_other("m");
	FAILS(EBUSY, rmdir("m"));
}

static void
rmdir_root(void)
{
	FAILS(EBUSY, rmdir("/"));
}

/* ---- sticky directories, as a table over both calls ---- */

enum removed { A_FILE, A_DIRECTORY };

struct sticky {
	enum removed what;
	enum { BY_ROOT, BY_A, BY_B } dir_owner, entry_owner;
	enum identity who;
};

static uid_t
owner(int by)
{
	return by == BY_ROOT ? 0 : by == BY_A ? uid_a() : uid_b();
}

static int
remove_entry(const struct sticky *s)
{
	make_dir("t", 0777);
	if (s->what == A_FILE)
		make_file("t/x", 0666);
	else
		make_dir("t/x", 0777);
	give("t/x", owner(s->entry_owner), gid_g());
	give("t", owner(s->dir_owner), gid_g());
	OK(chmod("t", 01777));
	become(s->who);
	return s->what == A_FILE ? unlink("t/x") : rmdir("t/x");
}

static void
sticky_refused(const void *arg)
{
	FAILS(EPERM, remove_entry(arg));
}

static void
sticky_allowed(const void *arg)
{
	OK(remove_entry(arg));
}

#define STICKY(...) (&(const struct sticky){__VA_ARGS__})

static const struct posix_case cases[] = {
	{"unlink", 0, "file", AS_BOTH, "The name is gone.", unlink_ok},
	{"unlink", 0, "kinds", AS_BOTH,
	 "Fifos, dangling links and files without bits go.", unlink_kinds},
	{"unlink", 0, "symlink-only", AS_INVOKER, "The target of a removed link stays.",
	 unlink_symlink_keeps_target},
	{"unlink", 0, "linked", AS_BOTH, "The other name of the file stays.",
	 unlink_linked},
	{"unlink", 0, "file-without-write", AS_BOTH,
	 "The file's own mode does not matter.", unlink_readonly_file},
	{"unlink", EISDIR, "directory", AS_BOTH, "A directory is not unlinked.",
	 unlink_directory},
	{"unlink", EISDIR, "directory-slash", AS_INVOKER,
	 "A directory with a slash behind its name.", unlink_directory_slash},
	{"unlink", EISDIR, "mount-point", AS_ROOT | NEED_MOUNTS,
	 "A directory that something is mounted on.", unlink_mount_point},
	{"unlink", EBUSY, "mount-point", AS_ROOT | NEED_MOUNTS,
	 "A file that something is mounted on.", unlink_busy},
	{"unlink", EINVAL, "flags", AS_INVOKER, "A flag that does not exist.",
	 unlink_flags},
	{"unlink", ENOTDIR, "dirfd-is-file", AS_INVOKER,
	 "A relative path below a descriptor of a file.", unlink_dirfd},
	{"rmdir", 0, "directory", AS_BOTH, "An empty directory goes, whatever its mode.",
	 rmdir_ok},
	{"rmdir", 0, "at", AS_INVOKER, "unlinkat with AT_REMOVEDIR.", rmdir_at},
	{"rmdir", 0, "open", AS_BOTH, "An open directory goes; its name is free.",
	 rmdir_open},
	{"rmdir", 0, "working-directory", AS_BOTH, "The working directory goes.",
	 rmdir_cwd},
	{"rmdir", 0, "emptied", AS_BOTH,
	 "A directory goes though its last file is still open.", rmdir_emptied},
	{"rmdir", ENOTEMPTY, "entries", AS_BOTH, "Files, directories and links keep it.",
	 rmdir_not_empty},
	{"rmdir", ENOTEMPTY, "dot-dot", AS_INVOKER, "The last component is ...",
	 rmdir_dotdot},
	{"rmdir", EINVAL, "dot", AS_BOTH, "The last component is a dot.", rmdir_dot},
	{"rmdir", ENOTDIR, "file", AS_BOTH, "Files and fifos are not directories.",
	 rmdir_file},
	{"rmdir", ENOTDIR, "symlink", AS_BOTH, "A link to a directory is none.",
	 rmdir_link},
	{"rmdir", EBUSY, "mount-point", AS_ROOT | NEED_MOUNTS,
	 "Something is mounted on it.", rmdir_busy},
	{"rmdir", EBUSY, "root-directory", AS_INVOKER, "The root directory.", rmdir_root},
	{"unlink", EPERM, "sticky", AS_ROOT, "Sticky directory: another user's file.",
	 .run_arg = sticky_refused, .arg = STICKY(A_FILE, BY_ROOT, BY_B, ID_A)},
	{"unlink", EPERM, "sticky-supp", AS_ROOT,
	 "Sticky directory: supplementary groups do not help.", .run_arg = sticky_refused,
	 .arg = STICKY(A_FILE, BY_ROOT, BY_B, ID_A_SUPP)},
	{"unlink", EPERM, "sticky-roots-file", AS_ROOT, "Sticky directory: root's file.",
	 .run_arg = sticky_refused, .arg = STICKY(A_FILE, BY_B, BY_ROOT, ID_A)},
	{"unlink", 0, "sticky-own-file", AS_ROOT, "Sticky directory: one's own file.",
	 .run_arg = sticky_allowed, .arg = STICKY(A_FILE, BY_ROOT, BY_A, ID_A)},
	{"unlink", 0, "sticky-own-directory", AS_ROOT,
	 "One's own sticky directory: any file.", .run_arg = sticky_allowed,
	 .arg = STICKY(A_FILE, BY_A, BY_B, ID_A)},
	{"unlink", 0, "sticky-root", AS_ROOT, "Root is not bound by sticky directories.",
	 .run_arg = sticky_allowed, .arg = STICKY(A_FILE, BY_A, BY_B, ID_ROOT)},
	{"rmdir", EPERM, "sticky", AS_ROOT, "Sticky directory: another user's directory.",
	 .run_arg = sticky_refused, .arg = STICKY(A_DIRECTORY, BY_ROOT, BY_B, ID_A)},
	{"rmdir", EPERM, "sticky-supp", AS_ROOT,
	 "Sticky directory: supplementary groups do not help.", .run_arg = sticky_refused,
	 .arg = STICKY(A_DIRECTORY, BY_ROOT, BY_B, ID_A_SUPP)},
	{"rmdir", 0, "sticky-own-entry", AS_ROOT,
	 "Sticky directory: one's own directory.", .run_arg = sticky_allowed,
	 .arg = STICKY(A_DIRECTORY, BY_ROOT, BY_A, ID_A)},
	{"rmdir", 0, "sticky-own-directory", AS_ROOT,
	 "One's own sticky directory: any directory.", .run_arg = sticky_allowed,
	 .arg = STICKY(A_DIRECTORY, BY_A, BY_B, ID_A)},
	{"rmdir", 0, "sticky-root", AS_ROOT, "Root is not bound by sticky directories.",
	 .run_arg = sticky_allowed, .arg = STICKY(A_DIRECTORY, BY_A, BY_B, ID_ROOT)},
};

POSIX_GROUP(remove, cases)
