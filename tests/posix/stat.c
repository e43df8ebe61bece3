/* stat(2), statx(2), statvfs(3), access(2). */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "groups.h"
#include "harness.h"

static struct statx
statx_of(const char *path)
{
	struct statx x = {0};

	OK(statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME,
		 &x));
	return x;
}

static void
need_birth(const struct statx *x)
{
	if ((x->stx_mask & STATX_BTIME) == 0)
		lacks("birth times");
}

static void
statx_agrees(void)
{
	make_text("f", "text");
	struct stat st = stat_of("f");
	struct statx x = statx_of("f");

	EQ(x.stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
	EQ(x.stx_ino, st.st_ino);
	EQ(x.stx_mode, st.st_mode);
	EQ(x.stx_nlink, st.st_nlink);
	EQ(x.stx_uid, st.st_uid);
	EQ(x.stx_gid, st.st_gid);
	EQ(x.stx_size, st.st_size);
	EQ(x.stx_blocks, st.st_blocks);
	EQ(makedev(x.stx_dev_major, x.stx_dev_minor), st.st_dev);
	EQ(x.stx_mtime.tv_sec, st.st_mtim.tv_sec);
	EQ(x.stx_mtime.tv_nsec, st.st_mtim.tv_nsec);
}

static void
birth_is_stable(void)
{
	struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 2}};

	make_text("f", "text");
	struct statx before = statx_of("f");
	need_birth(&before);
	tick();
	make_text("f", "more");
	OK(chmod("f", 0600));
	OK(utimensat(AT_FDCWD, "f", times, 0));
	OK(rename("f", "g"));
	struct statx after = statx_of("g");
	EQ(after.stx_btime.tv_sec, before.stx_btime.tv_sec);
	EQ(after.stx_btime.tv_nsec, before.stx_btime.tv_nsec);
}

static void
birth_is_now(void)
{
	struct timespec now;

	make_file("f", 0644);
	struct statx x = statx_of("f");
	need_birth(&x);
	clock_gettime(CLOCK_REALTIME, &now);
	CHECK(x.stx_btime.tv_sec <= now.tv_sec && x.stx_btime.tv_sec >= now.tv_sec - 2);
	EQ(x.stx_btime.tv_sec, x.stx_mtime.tv_sec);
}

static void
birth_of_new_file(void)
{
	make_file("f", 0644);
	struct statx before = statx_of("f");
	need_birth(&before);
	OK(unlink("f"));
	tick();
	make_file("f", 0644);
	struct statx after = statx_of("f");
	CHECK(after.stx_btime.tv_sec > before.stx_btime.tv_sec ||
	      after.stx_btime.tv_nsec > before.stx_btime.tv_nsec);
}

static void
inode_numbers(void)
{
	make_file("a", 0644);
	make_file("b", 0644);
	make_dir("d", 0755);
	ino_t a = stat_of("a").st_ino, b = stat_of("b").st_ino, d = stat_of("d").st_ino;
	CHECK(a != b && b != d && a != d);
	OK(rename("a", "d/a"));
	EQ(stat_of("d/a").st_ino, a);
	OK(rename("d", "e"));
	EQ(stat_of("e").st_ino, d);
	EQ(stat_of("e").st_dev, stat_of(".").st_dev);
}

static void
stat_follows(void)
{
	struct stat st;

	make_text("f", "text");
	make_link("f", "l");
	OK(stat("l", &st));
	CHECK(S_ISREG(st.st_mode));
	EQ(st.st_size, 4);
	EQ(st.st_ino, stat_of("f").st_ino);
}

static void
filesystem_fields(void)
{
	struct statvfs fs, by_fd;

	OK(statvfs(".", &fs));
	EQ(fs.f_namemax, NAME_MAX);
	CHECK(fs.f_bsize > 0);
	CHECK(fs.f_frsize > 0 && (fs.f_frsize & (fs.f_frsize - 1)) == 0);
	CHECK(fs.f_blocks >= fs.f_bfree && fs.f_bfree >= fs.f_bavail);
	CHECK(fs.f_files >= fs.f_ffree);
	OK(fstatvfs(open_file(".", O_RDONLY), &by_fd));
	EQ(by_fd.f_blocks, fs.f_blocks);
	EQ(by_fd.f_fsid, fs.f_fsid);
}

static void
filesystem_same_below(void)
{
	struct statvfs here, there;

	make_dir("d", 0755);
	OK(statvfs(".", &here));
	OK(statvfs("d", &there));
	EQ(here.f_fsid, there.f_fsid);
	EQ(here.f_blocks, there.f_blocks);
}

static void
access_exists(void)
{
	make_file("f", 0);
	OK(access("f", F_OK));
	FAILS(ENOENT, access("g", F_OK));
	FAILS(EINVAL, access("f", 0100));
}

static void
access_link(void)
{
	make_link("nowhere", "l");
	FAILS(ENOENT, access("l", F_OK));
	OK(faccessat(AT_FDCWD, "l", F_OK, AT_SYMLINK_NOFOLLOW));
}

static void
path_limits(void)
{
	EQ(pathconf(".", _PC_NAME_MAX), NAME_MAX);
	EQ(pathconf(".", _PC_PATH_MAX), PATH_MAX);
	EQ(pathconf(".", _PC_NO_TRUNC), 1);
	CHECK(pathconf(".", _PC_LINK_MAX) >= 8);
}

static void
chdir_errors(void)
{
	make_file("f", 0755);
	FAILS(ENOTDIR, chdir("f"));
	FAILS(ENOENT, chdir("missing"));
}

static void
getcwd_removed(void)
{
	char path[PATH_MAX];

	make_dir("d", 0755);
	OK(chdir("d"));
	CHECK(getcwd(path, sizeof(path)) != NULL);
	CHECK(strcmp(path + strlen(path) - 2, "/d") == 0);
	OK(rename("../d", "../e"));
	CHECK(getcwd(path, sizeof(path)) != NULL);
	CHECK(strcmp(path + strlen(path) - 2, "/e") == 0);
	OK(rmdir("../e"));
	CHECK(getcwd(path, sizeof(path)) == NULL);
	EQ(errno, ENOENT);
}

static const struct posix_case cases[] = {
	{"stat", 0, "statx-agrees", AS_BOTH, "statx and lstat tell the same.",
	 statx_agrees},
	{"stat", 0, "birth-is-stable", AS_INVOKER | MAY_LACK,
	 "The birth time never changes.", birth_is_stable},
	{"stat", 0, "birth-is-now", AS_INVOKER | MAY_LACK,
	 "The birth time of a new file is now.", birth_is_now},
	{"stat", 0, "birth-of-new-file", AS_INVOKER | MAY_LACK,
	 "A new file of an old name is born anew.", birth_of_new_file},
	{"stat", 0, "inode-numbers", AS_INVOKER, "Numbers differ and outlive renames.",
	 inode_numbers},
	{"stat", 0, "follows-links", AS_INVOKER, "stat tells of a link's target.",
	 stat_follows},
	{"stat", 0, "path-limits", AS_INVOKER, "pathconf tells the limits that hold.",
	 path_limits},
	{"statvfs", 0, "fields", AS_BOTH, "Sizes that make sense, names of 255 bytes.",
	 filesystem_fields},
	{"statvfs", 0, "same-below", AS_INVOKER, "Directories of one file system agree.",
	 filesystem_same_below},
	{"access", ENOENT, "existence", AS_BOTH, "F_OK asks for existence only.",
	 access_exists},
	{"access", ENOENT, "dangling", AS_INVOKER, "A dangling link, followed and not.",
	 access_link},
	{"chdir", ENOTDIR, "errors", AS_BOTH,
	 "Neither a file nor a missing name is entered.", chdir_errors},
	{"getcwd", ENOENT, "removed", AS_INVOKER,
	 "The working directory's name follows renames and ends.", getcwd_removed},
};

POSIX_GROUP(stat, cases)
