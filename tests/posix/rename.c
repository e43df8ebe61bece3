/* rename(2) and renameat2(2). */
#include <stdio.h>
#include <string.h>

#include "groups.h"
#include "harness.h"

static int
rename_flags(const char *old, const char *new, unsigned int flags)
{
	return renameat2(AT_FDCWD, old, AT_FDCWD, new, flags);
}

/* Skips where the file system does not know the flag, which it may say by EINVAL. */
static void
need_flag(unsigned int flag)
{
	make_file("probe-a", 0644);
	if (flag == RENAME_EXCHANGE)
		make_file("probe-b", 0644);
	if (rename_flags("probe-a", "probe-b", flag) != 0 && errno == EINVAL)
		lacks("this renameat2 flag");
	unlink("probe-a");
	unlink("probe-b");
}

static void
ok_file(void)
{
	struct stat before, after;

	make_text("a", "text");
	before = stat_of("a");
	OK(rename("a", "b"));
	after = stat_of("b");
	CHECK(!exists("a"));
	EQ(after.st_ino, before.st_ino);
	EQ(after.st_mode, before.st_mode);
	CHECK(time_compare(&after.st_mtim, &before.st_mtim) == 0);
	check_text("b", "text");
}

static void
ok_over_file(void)
{
	ino_t inode;

	make_text("a", "new");
	make_text("b", "old");
	inode = stat_of("a").st_ino;
	OK(rename("a", "b"));
	CHECK(!exists("a"));
	EQ(stat_of("b").st_ino, inode);
	check_text("b", "new");
}

static void
ok_over_open_file(void)
{
	char got[4] = "";
	struct stat st;

	make_text("a", "new");
	make_text("b", "old");
	int fd = open_file("b", O_RDWR);
	OK(rename("a", "b"));
	check_text("b", "new");
	OK(fstat(fd, &st));
	EQ(st.st_nlink, 0);
	EQ(pread(fd, got, 3, 0), 3);
	CHECK(strcmp(got, "old") == 0);
	EQ(pwrite(fd, "xxx", 3, 0), 3);
	check_text("b", "new");
}

static void
ok_open_file_moves(void)
{
	make_text("a", "one");
	int fd = open_file("a", O_WRONLY | O_APPEND);
	OK(rename("a", "b"));
	EQ(write(fd, "two", 3), 3);
	check_text("b", "onetwo");
}

static void
ok_over_linked_file(void)
{
	make_text("a", "new");
	make_text("b", "old");
	OK(link("b", "c"));
	OK(rename("a", "b"));
	EQ(links_of("c"), 1);
	check_text("c", "old");
}

static void
ok_itself(void)
{
	make_text("a", "text");
	OK(rename("a", "a"));
	check_text("a", "text");
	make_dir("d", 0755);
	OK(rename("d", "d"));
	CHECK(exists("d"));
}

static void
ok_same_inode(void)
{
	make_text("a", "text");
	OK(link("a", "b"));
	OK(rename("a", "b"));
	CHECK(exists("a") && exists("b"));
	EQ(links_of("a"), 2);
}

static void
ok_read_only_file(void)
{
	make_file("a", 0);
	OK(rename("a", "b"));
	EQ(mode_of("b"), 0);
	make_file("c", 0400);
	OK(rename("b", "c"));
	EQ(mode_of("c"), 0);
}

static void
ok_directory(void)
{
	make_dir("a", 0755);
	make_text("a/f", "text");
	OK(rename("a", "b"));
	CHECK(!exists("a"));
	check_text("b/f", "text");
}

static void
ok_directory_slash(void)
{
	make_dir("a", 0755);
	OK(rename("a/", "b/"));
	CHECK(exists("b"));
}

static void
ok_over_empty_directory(void)
{
	make_dir("a", 0755);
	make_file("a/f", 0644);
	make_dir("b", 0755);
	OK(rename("a", "b"));
	CHECK(exists("b/f"));
	CHECK(!exists("a"));
}

static void
ok_over_open_empty_directory(void)
{
	make_dir("a", 0755);
	make_dir("b", 0755);
	int fd = open_file("b", O_RDONLY | O_DIRECTORY);
	OK(rename("a", "b"));
	FAILS(ENOENT, openat(fd, "x", O_WRONLY | O_CREAT, 0644));
}

static void
ok_directory_with_open_child(void)
{
	make_dir("a", 0755);
	make_text("a/f", "one");
	int fd = open_file("a/f", O_WRONLY | O_APPEND);
	OK(rename("a", "b"));
	EQ(write(fd, "two", 3), 3);
	check_text("b/f", "onetwo");
}

static void
ok_working_directory(void)
{
	make_dir("a", 0755);
	OK(chdir("a"));
	OK(rename("../a", "../b"));
	make_file("f", 0644);
	CHECK(exists("../b/f"));
}

static void
ok_directory_dotdot(void)
{
	make_dir("a", 0755);
	make_dir("a/x", 0755);
	make_dir("b", 0755);
	OK(chdir("a/x"));
	OK(rename("../x", "../../b/x"));
	EQ(stat_of("..").st_ino, stat_of("../../b").st_ino);
}

static void
ok_symlink(void)
{
	make_link("nowhere", "a");
	make_text("f", "text");
	make_link("f", "b");
	OK(rename("a", "b"));
	CHECK(S_ISLNK(stat_of("b").st_mode));
	CHECK(exists("f"));
	FAILS(ENOENT, open("b", O_RDONLY));
	OK(rename("f", "b"));
	check_text("b", "text");
}

static void
ok_special(void)
{
	make_fifo("a", 0644);
	make_file("b", 0644);
	OK(rename("a", "b"));
	CHECK(S_ISFIFO(stat_of("b").st_mode));
}

static void
ok_between_directories(void)
{
	make_dir("a", 0755);
	make_dir("b", 0755);
	make_text("a/f", "text");
	OK(rename("a/f", "b/g"));
	check_text("b/g", "text");
	OK(rmdir("a"));
}

static void
ok_at(void)
{
	make_dir("a", 0755);
	make_dir("b", 0755);
	make_text("a/f", "text");
	int a = open_file("a", O_RDONLY | O_DIRECTORY);
	int b = open_file("b", O_RDONLY | O_DIRECTORY);
	OK(renameat(a, "f", b, "g"));
	check_text("b/g", "text");
}

static void
ok_long_to_long(void)
{
	const char *from = name_of_length(255);
	char to[256];

	memset(to, 'z', 255);
	to[255] = '\0';
	make_text(from, "text");
	OK(rename(from, to));
	check_text(to, "text");
}

static void
ok_back_and_forth(void)
{
	make_text("a", "text");
	for (int i = 0; i < 50; i++) {
		OK(rename("a", "b"));
		FAILS(ENOENT, open("a", O_RDONLY));
		OK(rename("b", "a"));
		FAILS(ENOENT, open("b", O_RDONLY));
	}
	check_text("a", "text");
}

static void
ok_case_change(void)
{
	make_text("name", "text");
	OK(rename("name", "NAME"));
	CHECK(!exists("name"));
	check_text("NAME", "text");
}

static void
eisdir_file_over_directory(void)
{
	make_file("f", 0644);
	make_dir("d", 0755);
	FAILS(EISDIR, rename("f", "d"));
	CHECK(exists("f"));
}

static void
enotdir_directory_over_file(void)
{
	make_dir("d", 0755);
	make_file("f", 0644);
	make_link("d", "l");
	FAILS(ENOTDIR, rename("d", "f"));
	FAILS(ENOTDIR, rename("d", "l"));
	CHECK(exists("d") && exists("f"));
}

static void
enotdir_new_slash(void)
{
	make_file("f", 0644);
	FAILS(ENOTDIR, rename("f", "g/"));
}

static void
enotdir_dirfd(void)
{
	make_file("f", 0644);
	int fd = open_file("f", O_RDONLY);
	FAILS(ENOTDIR, renameat(fd, "x", AT_FDCWD, "g"));
	FAILS(ENOTDIR, renameat(AT_FDCWD, "f", fd, "x"));
}

static void
enotempty(void)
{
	make_dir("a", 0755);
	make_dir("b", 0755);
	make_file("b/f", 0644);
	FAILS(ENOTEMPTY, rename("a", "b"));
	CHECK(exists("a") && exists("b/f"));
}

static void
enotempty_hidden(void)
{
	make_dir("a", 0755);
	make_dir("b", 0755);
	make_file("b/.f", 0644);
	FAILS(ENOTEMPTY, rename("a", "b"));
}

static void
ok_over_emptied_directory(void)
{
	make_dir("a", 0755);
	make_dir("b", 0755);
	make_file("b/f", 0644);
	OK(open("b/f", O_RDONLY));
	OK(unlink("b/f"));
	OK(rename("a", "b"));
}

static void
einval_into_itself(void)
{
	make_dir("a", 0755);
	make_dir("a/b", 0755);
	FAILS(EINVAL, rename("a", "a/x"));
	FAILS(EINVAL, rename("a", "a/b/x"));
}

static void
enotempty_over_parent(void)
{
	make_dir("a", 0755);
	make_dir("a/b", 0755);
	FAILS(ENOTEMPTY, rename("a/b", "a"));
}

static void
ebusy_dots(void)
{
	make_dir("a", 0755);
	FAILS(EBUSY, rename("a/.", "b"));
	FAILS(EBUSY, rename("a/..", "b"));
	FAILS(EBUSY, rename("a", "."));
	FAILS(EBUSY, rename("a", ".."));
}

static void
ebusy_mount_point(void)
{
	make_dir("m", 0755);
	make_dir("d", 0755);
	mount_other("m");
	FAILS(EBUSY, rename("m", "n"));
	FAILS(EBUSY, rename("d", "m"));
}

static void
exdev(void)
{
	make_file("f", 0644);
	make_dir("m", 0755);
	mount_other("m");
	FAILS(EXDEV, rename("f", "m/f"));
}

/* ---- renameat2 ---- */

static void
noreplace(void)
{
	need_flag(RENAME_NOREPLACE);
	make_text("a", "text");
	OK(rename_flags("a", "b", RENAME_NOREPLACE));
	check_text("b", "text");
	CHECK(!exists("a"));
}

static void
noreplace_exists(void)
{
	make_text("a", "a");
	make_text("b", "b");
	FAILS(EEXIST, rename_flags("a", "b", RENAME_NOREPLACE));
	check_text("b", "b");
	check_text("a", "a");
	make_dir("d", 0755);
	FAILS(EEXIST, rename_flags("a", "d", RENAME_NOREPLACE));
	make_link("nowhere", "l");
	FAILS(EEXIST, rename_flags("a", "l", RENAME_NOREPLACE));
}

static void
noreplace_itself(void)
{
	make_file("a", 0644);
	FAILS(EEXIST, rename_flags("a", "a", RENAME_NOREPLACE));
}

static void
exchange_files(void)
{
	need_flag(RENAME_EXCHANGE);
	make_text("a", "a");
	make_text("b", "b");
	OK(rename_flags("a", "b", RENAME_EXCHANGE));
	check_text("a", "b");
	check_text("b", "a");
}

static void
exchange_kinds(void)
{
	need_flag(RENAME_EXCHANGE);
	make_text("f", "text");
	make_dir("d", 0755);
	make_file("d/x", 0644);
	OK(rename_flags("f", "d", RENAME_EXCHANGE));
	check_text("d", "text");
	CHECK(exists("f/x"));
}

static void
exchange_directories(void)
{
	need_flag(RENAME_EXCHANGE);
	make_dir("a", 0755);
	make_dir("b", 0755);
	make_dir("a/x", 0755);
	make_file("b/f", 0644);
	OK(rename_flags("a/x", "b/f", RENAME_EXCHANGE));
	CHECK(S_ISREG(stat_of("a/x").st_mode));
	CHECK(S_ISDIR(stat_of("b/f").st_mode));
	EQ(links_of("a"), 2);
	EQ(links_of("b"), 3);
	EQ(stat_of("b/f/..").st_ino, stat_of("b").st_ino);
}

static void
exchange_missing(void)
{
	need_flag(RENAME_EXCHANGE);
	make_file("a", 0644);
	FAILS(ENOENT, rename_flags("a", "b", RENAME_EXCHANGE));
	FAILS(ENOENT, rename_flags("b", "a", RENAME_EXCHANGE));
}

static void
exchange_ancestor(void)
{
	need_flag(RENAME_EXCHANGE);
	make_dir("a", 0755);
	make_dir("a/b", 0755);
	FAILS(EINVAL, rename_flags("a", "a/b", RENAME_EXCHANGE));
	FAILS(EINVAL, rename_flags("a/b", "a", RENAME_EXCHANGE));
}

static void
flags_together(void)
{
	make_file("a", 0644);
	make_file("b", 0644);
	FAILS(EINVAL, rename_flags("a", "b", RENAME_NOREPLACE | RENAME_EXCHANGE));
	FAILS(EINVAL, rename_flags("a", "b", RENAME_WHITEOUT | RENAME_EXCHANGE));
	FAILS(EINVAL, rename_flags("a", "b", 1u << 20));
}

static void
whiteout(void)
{
	struct stat st;

	need_flag(RENAME_WHITEOUT);
	make_text("a", "text");
	OK(rename_flags("a", "b", RENAME_WHITEOUT));
	check_text("b", "text");
	st = stat_of("a");
	CHECK(S_ISCHR(st.st_mode));
	EQ(st.st_rdev, 0);
}

static void
whiteout_user(void)
{
	/* Kernels since 5.8 let everybody make whiteouts. */
	make_file("a", 0644);
	if (rename_flags("a", "b", RENAME_WHITEOUT) == 0)
		skip("this kernel lets everybody make whiteouts");
	if (errno == EINVAL)
		lacks("this renameat2 flag");
	EQ(errno, EPERM);
}

/* ---- sticky directories and directories that change their parent ---- */

static void
sticky(uid_t dir_owner, uid_t file_owner, enum identity who, int error)
{
	make_dir("t", 0777);
	OK(chmod("t", 01777));
	make_file("t/f", 0666);
	give("t", dir_owner, 0);
	OK(chmod("t", 01777));
	give("t/f", file_owner, 0);
	become(who);
	if (error == 0)
		OK(rename("t/f", "t/g"));
	else
		FAILS(error, rename("t/f", "t/g"));
}

static void
sticky_foreign(void)
{
	sticky(0, uid_b(), ID_A, EPERM);
}

static void
sticky_foreign_supp(void)
{
	sticky(0, uid_b(), ID_A_SUPP, EPERM);
}

static void
sticky_own_file(void)
{
	sticky(0, uid_a(), ID_A, 0);
}

static void
sticky_own_dir(void)
{
	sticky(uid_a(), uid_b(), ID_A, 0);
}

static void
sticky_root(void)
{
	sticky(uid_a(), uid_b(), ID_ROOT, 0);
}

static void
sticky_replace(void)
{
	make_dir("t", 0777);
	OK(chmod("t", 01777));
	make_file("t/theirs", 0666);
	give("t/theirs", uid_b(), gid_b());
	become(ID_A);
	make_file("t/mine", 0644);
	FAILS(EPERM, rename("t/mine", "t/theirs"));
}

static void
sticky_exchange(void)
{
	need_flag(RENAME_EXCHANGE);
	make_dir("t", 0777);
	OK(chmod("t", 01777));
	make_file("t/theirs", 0666);
	give("t/theirs", uid_b(), gid_b());
	become(ID_A);
	make_file("t/mine", 0644);
	FAILS(EPERM, rename_flags("t/mine", "t/theirs", RENAME_EXCHANGE));
}

static void
directory_without_write(void)
{
	/* Moving a directory changes its .. entry; renaming it in place does not. */
	make_dir("a", 0755);
	make_dir("b", 0755);
	make_dir("a/d", 0555);
	FAILS(EACCES, rename("a/d", "b/d"));
	OK(rename("a/d", "a/e"));
}

static void
foreign_directory_without_write(void)
{
	make_dir("a", 0777);
	make_dir("b", 0777);
	make_dir("a/d", 0755);
	give("a/d", uid_b(), gid_b());
	become(ID_A);
	FAILS(EACCES, rename("a/d", "b/d"));
}

static void
target_without_write(void)
{
	make_dir("a", 0755);
	make_dir("b", 0755);
	make_file("a/f", 0644);
	OK(chmod("b", 0555));
	FAILS(EACCES, rename("a/f", "b/f"));
}

static void
enoent_removed_directory(void)
{
	make_file("f", 0644);
	make_dir("d", 0755);
	int fd = open_file("d", O_RDONLY | O_DIRECTORY);
	OK(rmdir("d"));
	FAILS(ENOENT, renameat(AT_FDCWD, "f", fd, "f"));
}

static const struct posix_case cases[] = {
	{"rename", 0, "file", AS_BOTH, "The file keeps inode, mode and times.", ok_file},
	{"rename", 0, "over-file", AS_BOTH, "The target is replaced.", ok_over_file},
	{"rename", 0, "over-open-file", AS_BOTH,
	 "The replaced open file lives on without a name.", ok_over_open_file},
	{"rename", 0, "open-file", AS_BOTH, "An open file is renamed under its user.",
	 ok_open_file_moves},
	{"rename", 0, "over-linked-file", AS_INVOKER,
	 "Other names of the replaced file stay.", ok_over_linked_file},
	{"rename", 0, "itself", AS_BOTH, "Both paths are the same: nothing happens.",
	 ok_itself},
	{"rename", 0, "same-inode", AS_BOTH, "Both names are one file: both stay.",
	 ok_same_inode},
	{"rename", 0, "file-without-bits", AS_BOTH,
	 "The file's own mode does not matter.", ok_read_only_file},
	{"rename", 0, "directory", AS_BOTH, "A directory moves with what is in it.",
	 ok_directory},
	{"rename", 0, "directory-slash", AS_INVOKER,
	 "Slashes may follow names of directories.", ok_directory_slash},
	{"rename", 0, "over-empty-directory", AS_BOTH, "An empty directory is replaced.",
	 ok_over_empty_directory},
	{"rename", 0, "over-emptied-directory", AS_INVOKER,
	 "A directory is empty though its last file is still open.",
	 ok_over_emptied_directory},
	{"rename", 0, "over-open-directory", AS_INVOKER,
	 "An open empty directory is replaced.", ok_over_open_empty_directory},
	{"rename", 0, "directory-with-open-child", AS_BOTH,
	 "Open files below do not hinder.", ok_directory_with_open_child},
	{"rename", 0, "working-directory", AS_BOTH, "The working directory is renamed.",
	 ok_working_directory},
	{"rename", 0, "dot-dot", AS_INVOKER, ".. of a moved directory is the new parent.",
	 ok_directory_dotdot},
	{"rename", 0, "symlink", AS_BOTH, "Links are renamed and replaced themselves.",
	 ok_symlink},
	{"rename", 0, "fifo-over-file", AS_INVOKER, "A fifo replaces a file.",
	 ok_special},
	{"rename", 0, "between-directories", AS_BOTH, "From one directory to another.",
	 ok_between_directories},
	{"rename", 0, "at", AS_INVOKER, "Paths relative to descriptors.", ok_at},
	{"rename", 0, "name-255", AS_INVOKER, "From one longest name to another.",
	 ok_long_to_long},
	{"rename", 0, "back-and-forth", AS_INVOKER, "Names come and go with each rename.",
	 ok_back_and_forth},
	{"rename", 0, "case-change", AS_INVOKER, "Only the case of the name changes.",
	 ok_case_change},
	{"rename", EISDIR, "file-over-directory", AS_BOTH,
	 "A file does not replace a directory.", eisdir_file_over_directory},
	{"rename", ENOTDIR, "directory-over-file", AS_BOTH,
	 "A directory does not replace a file or link.", enotdir_directory_over_file},
	{"rename", ENOTDIR, "new-trailing-slash", AS_INVOKER,
	 "A slash behind a file's new name.", enotdir_new_slash},
	{"rename", ENOTDIR, "dirfd-is-file", AS_INVOKER,
	 "A relative path below a descriptor of a file.", enotdir_dirfd},
	{"rename", ENOTEMPTY, "over-full-directory", AS_BOTH,
	 "The target directory has entries.", enotempty},
	{"rename", ENOTEMPTY, "over-hidden-entry", AS_INVOKER,
	 "An entry beginning with a dot counts.", enotempty_hidden},
	{"rename", ENOTEMPTY, "over-parent", AS_BOTH,
	 "The target is the directory that holds the source.", enotempty_over_parent},
	{"rename", EINVAL, "into-itself", AS_BOTH,
	 "A directory cannot move below itself.", einval_into_itself},
	{"rename", EBUSY, "dots", AS_INVOKER, ". and .. are not renamed or replaced.",
	 ebusy_dots},
	{"rename", EBUSY, "mount-point", AS_ROOT | NEED_MOUNTS,
	 "A mount point is not renamed or replaced.", ebusy_mount_point},
	{"rename", EXDEV, "other-mount", AS_ROOT | NEED_MOUNTS,
	 "The paths lie on two mounts.", exdev},
	{"rename", ENOENT, "removed-directory", AS_INVOKER,
	 "A removed directory takes no names.", enoent_removed_directory},
	{"rename", 0, "noreplace", AS_BOTH | MAY_LACK, "RENAME_NOREPLACE to a free name.",
	 noreplace},
	{"rename", EEXIST, "noreplace", AS_BOTH,
	 "RENAME_NOREPLACE to a file, a directory, a dangling link.", noreplace_exists},
	{"rename", EEXIST, "noreplace-itself", AS_INVOKER,
	 "RENAME_NOREPLACE to the same name.", noreplace_itself},
	{"rename", 0, "exchange", AS_BOTH | MAY_LACK, "RENAME_EXCHANGE of two files.",
	 exchange_files},
	{"rename", 0, "exchange-kinds", AS_INVOKER | MAY_LACK,
	 "RENAME_EXCHANGE of a file and a full directory.", exchange_kinds},
	{"rename", 0, "exchange-link-counts", AS_INVOKER | MAY_LACK,
	 "RENAME_EXCHANGE across directories keeps link counts and .. right.",
	 exchange_directories},
	{"rename", ENOENT, "exchange-missing", AS_BOTH | MAY_LACK,
	 "RENAME_EXCHANGE with a missing file.", exchange_missing},
	{"rename", EINVAL, "exchange-ancestor", AS_INVOKER | MAY_LACK,
	 "RENAME_EXCHANGE of a directory and one below it.", exchange_ancestor},
	{"rename", EINVAL, "flags", AS_INVOKER,
	 "Flags that exclude each other or do not exist.", flags_together},
	{"rename", 0, "whiteout", AS_ROOT | MAY_LACK,
	 "RENAME_WHITEOUT leaves a character device 0:0.", whiteout},
	{"rename", EPERM, "whiteout", AS_USER | MAY_LACK,
	 "RENAME_WHITEOUT without the right to make nodes.", whiteout_user},
	{"rename", EPERM, "sticky", AS_ROOT, "Sticky directory: another user's file.",
	 sticky_foreign},
	{"rename", EPERM, "sticky-supp", AS_ROOT,
	 "Sticky directory: supplementary groups do not help.", sticky_foreign_supp},
	{"rename", EPERM, "sticky-replace", AS_ROOT,
	 "Sticky directory: one's own file over another user's.", sticky_replace},
	{"rename", EPERM, "sticky-exchange", AS_ROOT | MAY_LACK,
	 "Sticky directory: RENAME_EXCHANGE with another user's file.", sticky_exchange},
	{"rename", 0, "sticky-own-file", AS_ROOT, "Sticky directory: one's own file.",
	 sticky_own_file},
	{"rename", 0, "sticky-own-directory", AS_ROOT,
	 "One's own sticky directory: any file.", sticky_own_dir},
	{"rename", 0, "sticky-root", AS_ROOT, "Root is not bound by sticky directories.",
	 sticky_root},
	{"rename", EACCES, "directory-without-write", AS_USER,
	 "A directory that grants no write does not change its parent.",
	 directory_without_write},
	{"rename", EACCES, "foreign-directory", AS_ROOT,
	 "Another user's directory does not change its parent.",
	 foreign_directory_without_write},
	{"rename", EACCES, "target-without-write", AS_USER,
	 "The new directory grants no write.", target_without_write},
};

POSIX_GROUP(rename, cases)
