/* utimensat(2), and which times each call changes on a file and on its directory. */
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>

#include "groups.h"
#include "harness.h"

/* ---- which times change: a table of calls ---- */

enum change {
	FILE_A = 1 << 0,
	FILE_M = 1 << 1,
	FILE_C = 1 << 2,
	FILE_MC = FILE_M | FILE_C,
	DIR_MC = 1 << 3,     /* mtime and ctime of the directory */
	FILE_ANY_C = 1 << 4, /* ctime of the file may change */
};

struct timed_call {
	void (*setup)(void);
	void (*act)(void);
	const char *file;	/* looked at before and after; NULL: none */
	const char *file_after; /* when the name changes; NULL: the same */
	unsigned int changes;	/* enum change; all else must not */
};

static void
setup_file(void)
{
	make_text("d/f", "text");
}

static void
setup_two(void)
{
	make_text("d/f", "text");
	make_text("d/g", "text");
	OK(link("d/g", "d/h"));
}

static void
setup_dir(void)
{
	make_dir("d/f", 0755);
}

static void
setup_none(void)
{
}

static void
act_create(void)
{
	OK(close(open_file("d/x", O_WRONLY | O_CREAT)));
}

static void
act_mkdir(void)
{
	OK(mkdir("d/x", 0755));
}

static void
act_mkfifo(void)
{
	OK(mkfifo("d/x", 0644));
}

static void
act_mknod(void)
{
	OK(mknod("d/x", S_IFREG | 0644, 0));
}

static void
act_symlink(void)
{
	OK(symlink("t", "d/x"));
}

static void
act_link(void)
{
	OK(link("d/f", "d/x"));
}

static void
act_unlink(void)
{
	OK(unlink("d/f"));
}

static void
act_unlink_other(void)
{
	OK(unlink("d/h"));
}

static void
act_rmdir(void)
{
	OK(rmdir("d/f"));
}

static void
act_rename(void)
{
	OK(rename("d/f", "d/x"));
}

static void
act_rename_over(void)
{
	OK(rename("d/f", "d/g"));
}

static void
act_rename_out(void)
{
	OK(rename("d/f", "x"));
}

static void
act_rename_in(void)
{
	OK(rename("o", "d/x"));
}

static void
setup_outside(void)
{
	make_file("o", 0644);
}

static void
act_chmod(void)
{
	OK(chmod("d/f", 0600));
}

static void
act_chown(void)
{
	OK(chown("d/f", geteuid(), getegid()));
}

static void
act_write(void)
{
	int fd = open_file("d/f", O_WRONLY);
	EQ(write(fd, "x", 1), 1);
	OK(close(fd));
}

static void
act_write_nothing(void)
{
	int fd = open_file("d/f", O_WRONLY);
	EQ(write(fd, "x", 0), 0);
	OK(close(fd));
}

static void
act_truncate_shorter(void)
{
	OK(truncate("d/f", 1));
}

static void
act_truncate_longer(void)
{
	OK(truncate("d/f", 100));
}

static void
act_ftruncate(void)
{
	int fd = open_file("d/f", O_WRONLY);
	OK(ftruncate(fd, 1));
	OK(close(fd));
}

static void
act_ftruncate_same(void)
{
	int fd = open_file("d/f", O_WRONLY);
	OK(ftruncate(fd, 4));
	OK(close(fd));
}

static void
act_open_truncate(void)
{
	OK(close(open_file("d/f", O_WRONLY | O_TRUNC)));
}

static void
act_utimensat(void)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_OMIT}};

	OK(utimensat(AT_FDCWD, "d/f", times, 0));
}

static void
act_utimensat_omit(void)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_OMIT}};

	OK(utimensat(AT_FDCWD, "d/f", times, 0));
}

static void
act_stat(void)
{
	stat_of("d/f");
	OK(access("d/f", R_OK));
}

static void
act_fallocate(void)
{
	int fd = open_file("d/f", O_WRONLY);
	NUMBER(0, posix_fallocate(fd, 0, 100));
	OK(close(fd));
}

static void
act_failed(void)
{
	FAILS(EEXIST, mkdir("d/f", 0755));
	FAILS(ENOTDIR, rmdir("d/f"));
	FAILS(EEXIST, symlink("t", "d/f"));
	FAILS(ENOENT, unlink("d/missing"));
	FAILS(ENOENT, rename("d/missing", "d/x"));
	FAILS(EINVAL, truncate("d/f", -1));
}

static void
expect_change(const char *what, const struct timespec *before,
	      const struct timespec *after, bool wanted)
{
	int order = time_compare(before, after);

	if (wanted && order == 0)
		FAIL("%s did not change", what);
	if (wanted && order > 0)
		FAIL("%s went back", what);
	if (!wanted && order != 0)
		FAIL("%s changed", what);
}

static void
run_timed_call(const void *arg)
{
	const struct timed_call *t = arg;
	struct stat file = {0}, dir, file_after, dir_after;

	make_dir("d", 0755);
	t->setup();
	if (t->file != NULL)
		file = stat_of(t->file);
	dir = stat_of("d");
	tick();
	t->act();
	dir_after = stat_of("d");
	expect_change("mtime of the directory", &dir.st_mtim, &dir_after.st_mtim,
		      (t->changes & DIR_MC) != 0);
	expect_change("ctime of the directory", &dir.st_ctim, &dir_after.st_ctim,
		      (t->changes & DIR_MC) != 0);
	if (t->file == NULL)
		return;
	file_after = stat_of(t->file_after ? t->file_after : t->file);
	expect_change("atime", &file.st_atim, &file_after.st_atim,
		      (t->changes & FILE_A) != 0);
	expect_change("mtime", &file.st_mtim, &file_after.st_mtim,
		      (t->changes & FILE_M) != 0);
	if ((t->changes & FILE_ANY_C) == 0)
		expect_change("ctime", &file.st_ctim, &file_after.st_ctim,
			      (t->changes & FILE_C) != 0);
}

#define TIMED(...)                                                   \
	.run_arg = run_timed_call, .arg = &(const struct timed_call) \
	{                                                            \
		__VA_ARGS__                                          \
	}

static const struct posix_case changes[] = {
	{"open", 0, "times-create", AS_INVOKER, "Creation changes the directory.",
	 TIMED(setup_none, act_create, NULL, NULL, DIR_MC)},
	{"open", 0, "times-truncate", AS_INVOKER, "O_TRUNC changes mtime and ctime.",
	 TIMED(setup_file, act_open_truncate, "d/f", NULL, FILE_MC)},
	{"mkdir", 0, "times", AS_INVOKER, "Creation changes the directory.",
	 TIMED(setup_none, act_mkdir, NULL, NULL, DIR_MC)},
	{"mkfifo", 0, "times", AS_INVOKER, "Creation changes the directory.",
	 TIMED(setup_none, act_mkfifo, NULL, NULL, DIR_MC)},
	{"mknod", 0, "times", AS_INVOKER, "Creation changes the directory.",
	 TIMED(setup_none, act_mknod, NULL, NULL, DIR_MC)},
	{"symlink", 0, "times", AS_INVOKER, "Creation changes the directory.",
	 TIMED(setup_none, act_symlink, NULL, NULL, DIR_MC)},
	{"link", 0, "times", AS_INVOKER,
	 "A new name changes the file's ctime and the directory.",
	 TIMED(setup_file, act_link, "d/f", NULL, FILE_C | DIR_MC)},
	{"unlink", 0, "times", AS_INVOKER, "Removal changes the directory.",
	 TIMED(setup_file, act_unlink, NULL, NULL, DIR_MC)},
	{"unlink", 0, "times-other-name", AS_INVOKER,
	 "Removal of one name changes the ctime of the file.",
	 TIMED(setup_two, act_unlink_other, "d/g", NULL, FILE_C | DIR_MC)},
	{"rmdir", 0, "times", AS_INVOKER, "Removal changes the directory.",
	 TIMED(setup_dir, act_rmdir, NULL, NULL, DIR_MC)},
	{"rename", 0, "times", AS_INVOKER,
	 "A rename changes the directory, not mtime and atime.",
	 TIMED(setup_file, act_rename, "d/f", "d/x", FILE_ANY_C | DIR_MC)},
	{"rename", 0, "times-replaced", AS_INVOKER,
	 "Replacing one of two names changes the ctime of the file.",
	 TIMED(setup_two, act_rename_over, "d/h", NULL, FILE_C | DIR_MC)},
	{"rename", 0, "times-out", AS_INVOKER, "The old directory changes.",
	 TIMED(setup_file, act_rename_out, NULL, NULL, DIR_MC)},
	{"rename", 0, "times-in", AS_INVOKER, "The new directory changes.",
	 TIMED(setup_outside, act_rename_in, NULL, NULL, DIR_MC)},
	{"chmod", 0, "times", AS_INVOKER, "chmod changes ctime only.",
	 TIMED(setup_file, act_chmod, "d/f", NULL, FILE_C)},
	{"chown", 0, "times", AS_INVOKER, "chown changes ctime only.",
	 TIMED(setup_file, act_chown, "d/f", NULL, FILE_C)},
	{"write", 0, "times", AS_INVOKER, "A write changes mtime and ctime.",
	 TIMED(setup_file, act_write, "d/f", NULL, FILE_MC)},
	{"write", 0, "times-nothing", AS_INVOKER, "A write of no bytes changes nothing.",
	 TIMED(setup_file, act_write_nothing, "d/f", NULL, 0)},
	{"truncate", 0, "times-shorter", AS_INVOKER,
	 "A shorter file has new mtime and ctime.",
	 TIMED(setup_file, act_truncate_shorter, "d/f", NULL, FILE_MC)},
	{"truncate", 0, "times-longer", AS_INVOKER,
	 "A longer file has new mtime and ctime.",
	 TIMED(setup_file, act_truncate_longer, "d/f", NULL, FILE_MC)},
	{"truncate", 0, "times-descriptor", AS_INVOKER,
	 "ftruncate changes mtime and ctime.",
	 TIMED(setup_file, act_ftruncate, "d/f", NULL, FILE_MC)},
	{"truncate", 0, "times-same-size", AS_INVOKER,
	 "ftruncate to the same size changes mtime and ctime.",
	 TIMED(setup_file, act_ftruncate_same, "d/f", NULL, FILE_MC)},
	{"posix_fallocate", 0, "times-longer", AS_INVOKER,
	 "A longer file has new mtime and ctime.",
	 TIMED(setup_file, act_fallocate, "d/f", NULL, FILE_MC)},
	{"utimensat", 0, "times-now", AS_INVOKER,
	 "UTIME_NOW for atime changes atime and ctime.",
	 TIMED(setup_file, act_utimensat, "d/f", NULL, FILE_A | FILE_C)},
	{"utimensat", 0, "times-omit", AS_INVOKER, "UTIME_OMIT twice changes nothing.",
	 TIMED(setup_file, act_utimensat_omit, "d/f", NULL, 0)},
	{"stat", 0, "times", AS_INVOKER, "stat and access change nothing.",
	 TIMED(setup_file, act_stat, "d/f", NULL, 0)},
	{"mkdir", EEXIST, "times-of-failures", AS_INVOKER,
	 "Calls that fail change nothing.",
	 TIMED(setup_file, act_failed, "d/f", NULL, 0)},
};

/* ---- utimensat ---- */

static void
set(const char *path, time_t a, long a_ns, time_t m, long m_ns)
{
	struct timespec times[2] = {{.tv_sec = a, .tv_nsec = a_ns},
				    {.tv_sec = m, .tv_nsec = m_ns}};

	OK(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW));
}

static void
check_times(const char *path, time_t a, long a_ns, time_t m, long m_ns)
{
	struct stat st = stat_of(path);

	EQ(st.st_atim.tv_sec, a);
	EQ(st.st_atim.tv_nsec, a_ns);
	EQ(st.st_mtim.tv_sec, m);
	EQ(st.st_mtim.tv_nsec, m_ns);
}

static void
set_ok(void)
{
	make_file("f", 0644);
	make_dir("d", 0755);
	make_fifo("p", 0644);
	set("f", 1000, 100, 2000, 999999900);
	check_times("f", 1000, 100, 2000, 999999900);
	set("d", 3000, 0, 4000, 123456700);
	check_times("d", 3000, 0, 4000, 123456700);
	set("p", 5000, 1000, 6000, 0);
	check_times("p", 5000, 1000, 6000, 0);
}

static void
set_symlink(void)
{
	struct stat before, after;

	make_file("f", 0644);
	make_link("f", "l");
	before = stat_of("f");
	set("l", 1000, 0, 2000, 0);
	check_times("l", 1000, 0, 2000, 0);
	after = stat_of("f");
	CHECK(time_compare(&before.st_mtim, &after.st_mtim) == 0);
}

static void
set_through_symlink(void)
{
	struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 2}};

	make_file("f", 0644);
	make_link("f", "l");
	OK(utimensat(AT_FDCWD, "l", times, 0));
	check_times("f", 1, 0, 2, 0);
}

static void
set_descriptor(void)
{
	struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 2}};

	make_file("f", 0644);
	int fd = open_file("f", O_RDONLY);
	OK(futimens(fd, times));
	check_times("f", 1, 0, 2, 0);
}

static void
set_before_1970(void)
{
	make_file("f", 0644);
	set("f", -1, 0, -86400 * 365, 999999900);
	check_times("f", -1, 0, -86400 * 365, 999999900);
	set("f", -2000000000, 500000000, -1, 999999900);
	check_times("f", -2000000000, 500000000, -1, 999999900);
}

static void
set_epoch(void)
{
	make_file("f", 0644);
	set("f", 0, 0, 0, 0);
	check_times("f", 0, 0, 0, 0);
}

static void
set_after_2038(void)
{
	make_file("f", 0644);
	set("f", 2147483648LL, 0, 4294967296LL, 999999900);
	check_times("f", 2147483648LL, 0, 4294967296LL, 999999900);
	set("f", 7258118400LL, 0, 13569465600LL, 0); /* 2200, 2400 */
	check_times("f", 7258118400LL, 0, 13569465600LL, 0);
}

static void
set_granularity(void)
{
	struct stat st;

	/* Nanoseconds may be cut to 100, but not further and never rounded up. */
	make_file("f", 0644);
	set("f", 1000, 1, 2000, 999999999);
	st = stat_of("f");
	EQ(st.st_atim.tv_sec, 1000);
	CHECK(st.st_atim.tv_nsec <= 1);
	EQ(st.st_mtim.tv_sec, 2000);
	CHECK(st.st_mtim.tv_nsec >= 999999900);
}

static void
now(struct timespec *ret_now)
{
	clock_gettime(CLOCK_REALTIME, ret_now);
}

/* From a little before begin (coarse clocks lag) to end. */
static void
check_between(const struct timespec *time, const struct timespec *begin,
	      const struct timespec *end)
{
	struct timespec early = *begin;

	early.tv_sec -= early.tv_nsec < 20000000;
	early.tv_nsec = (early.tv_nsec + 980000000) % 1000000000;
	CHECK(time_compare(&early, time) <= 0);
	CHECK(time_compare(time, end) <= 0);
}

static void
set_now(void)
{
	struct timespec begin, end;
	struct stat st;

	make_file("f", 0644);
	set("f", 1, 0, 2, 0);
	now(&begin);
	OK(utimensat(AT_FDCWD, "f", NULL, 0));
	now(&end);
	st = stat_of("f");
	check_between(&st.st_atim, &begin, &end);
	check_between(&st.st_mtim, &begin, &end);
	CHECK(time_compare(&st.st_atim, &st.st_mtim) == 0);
	check_between(&st.st_ctim, &begin, &end);
}

static void
set_one(long a_ns, long m_ns)
{
	struct timespec times[2] = {{.tv_sec = 77, .tv_nsec = a_ns},
				    {.tv_sec = 77, .tv_nsec = m_ns}};
	struct timespec begin, end;
	struct stat st;

	make_file("f", 0644);
	set("f", 1, 0, 2, 0);
	now(&begin);
	OK(utimensat(AT_FDCWD, "f", times, 0));
	now(&end);
	st = stat_of("f");
	if (a_ns == UTIME_OMIT)
		EQ(st.st_atim.tv_sec, 1);
	else
		check_between(&st.st_atim, &begin, &end);
	if (m_ns == UTIME_OMIT)
		EQ(st.st_mtim.tv_sec, 2);
	else
		check_between(&st.st_mtim, &begin, &end);
}

static void
set_now_a(void)
{
	set_one(UTIME_NOW, UTIME_OMIT);
}

static void
set_now_m(void)
{
	set_one(UTIME_OMIT, UTIME_NOW);
}

static void
set_now_both(void)
{
	set_one(UTIME_NOW, UTIME_NOW);
}

static void
set_mixed(void)
{
	struct timespec times[2] = {{.tv_sec = 50}, {.tv_nsec = UTIME_OMIT}};

	make_file("f", 0644);
	set("f", 1, 0, 2, 0);
	OK(utimensat(AT_FDCWD, "f", times, 0));
	check_times("f", 50, 0, 2, 0);
	times[0].tv_nsec = UTIME_OMIT;
	times[1] = (struct timespec){.tv_sec = 60};
	OK(utimensat(AT_FDCWD, "f", times, 0));
	check_times("f", 50, 0, 60, 0);
}

static void
einval_nsec(void)
{
	struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1, .tv_nsec = 1000000000}};

	make_file("f", 0644);
	FAILS(EINVAL, utimensat(AT_FDCWD, "f", times, 0));
	times[1].tv_nsec = -1;
	FAILS(EINVAL, utimensat(AT_FDCWD, "f", times, 0));
	times[0].tv_nsec = -1;
	times[1].tv_nsec = 0;
	FAILS(EINVAL, utimensat(AT_FDCWD, "f", times, 0));
}

static void
einval_flags(void)
{
	make_file("f", 0644);
	FAILS(EINVAL, utimensat(AT_FDCWD, "f", NULL, 0x40000000));
}

static void
enotdir_dirfd(void)
{
	make_file("f", 0644);
	int fd = open_file("f", O_RDONLY);
	FAILS(ENOTDIR, utimensat(fd, "x", NULL, 0));
}

static int
touch(long a_ns, long m_ns)
{
	struct timespec times[2] = {{.tv_nsec = a_ns}, {.tv_nsec = m_ns}};

	return utimensat(AT_FDCWD, "f", times, 0);
}

static void
eacces_foreign(void)
{
	make_file("f", 0644);
	become(ID_A_SUPP);
	FAILS(EACCES, utimensat(AT_FDCWD, "f", NULL, 0));
	FAILS(EACCES, touch(UTIME_NOW, UTIME_NOW));
}

static void
eacces_group(void)
{
	/* The group may read, so the write that others have does not count. */
	make_file("f", 0646);
	give("f", uid_b(), gid_g());
	become(ID_A_SUPP);
	FAILS(EACCES, utimensat(AT_FDCWD, "f", NULL, 0));
}

static void
eperm_foreign(void)
{
	make_file("f", 0666);
	become(ID_A);
	FAILS(EPERM, touch(0, 0));
	FAILS(EPERM, touch(UTIME_NOW, UTIME_OMIT));
	FAILS(EPERM, touch(UTIME_OMIT, UTIME_NOW));
	FAILS(EPERM, touch(UTIME_NOW, 0));
}

static void
eperm_foreign_unwritable(void)
{
	make_file("f", 0600);
	become(ID_A);
	FAILS(EPERM, touch(0, 0));
}

static void
ok_foreign_writable(void)
{
	make_file("f", 0666);
	become(ID_A);
	OK(utimensat(AT_FDCWD, "f", NULL, 0));
	OK(touch(UTIME_NOW, UTIME_NOW));
}

static void
ok_foreign_omit(void)
{
	make_file("f", 0600);
	become(ID_A);
	OK(touch(UTIME_OMIT, UTIME_OMIT));
}

static void
ok_supp_writable(void)
{
	make_file("f", 0660);
	give("f", uid_b(), gid_g());
	become(ID_A_SUPP);
	OK(utimensat(AT_FDCWD, "f", NULL, 0));
	FAILS(EPERM, touch(0, 0));
}

static void
ok_owner_without_write(void)
{
	make_file("f", 0400);
	OK(utimensat(AT_FDCWD, "f", NULL, 0));
	set("f", 1, 0, 2, 0);
	check_times("f", 1, 0, 2, 0);
}

static void
ok_root_foreign(void)
{
	make_file("f", 0);
	give("f", uid_a(), gid_a());
	set("f", 1, 0, 2, 0);
	check_times("f", 1, 0, 2, 0);
	OK(utimensat(AT_FDCWD, "f", NULL, 0));
}

static void
set_ctime(void)
{
	struct timespec begin, end;
	struct stat st;

	make_file("f", 0644);
	now(&begin);
	set("f", 1, 0, 2, 0);
	now(&end);
	st = stat_of("f");
	check_between(&st.st_ctim, &begin, &end);
}

static void
create_times(void)
{
	struct timespec begin, end;
	struct stat st;

	now(&begin);
	make_file("f", 0644);
	now(&end);
	st = stat_of("f");
	check_between(&st.st_atim, &begin, &end);
	check_between(&st.st_mtim, &begin, &end);
	check_between(&st.st_ctim, &begin, &end);
}

static void
times_survive_write_and_set(void)
{
	/* Times set through a descriptor after a write are not overtaken by that write.
	 */
	struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 2}};

	make_file("f", 0644);
	int fd = open_file("f", O_WRONLY);
	EQ(write(fd, "text", 4), 4);
	OK(futimens(fd, times));
	OK(close(fd));
	check_times("f", 1, 0, 2, 0);
}

static void
read_changes_atime(void)
{
	struct statvfs fs;
	struct stat st;

	OK(statvfs(".", &fs));
	if ((fs.f_flag & ST_NOATIME) != 0)
		skip("the file system is mounted noatime");
	make_text("f", "text");
	set("f", 1, 0, 2, 0);
	/* relatime too: atime lies before mtime. */
	check_text("f", "text");
	st = stat_of("f");
	CHECK(st.st_atim.tv_sec > 2);
	EQ(st.st_mtim.tv_sec, 2);
}

static void
noatime_keeps_atime(void)
{
	char c;

	make_text("f", "text");
	set("f", 1, 0, 2, 0);
	int fd = open_file("f", O_RDONLY | O_NOATIME);
	EQ(read(fd, &c, 1), 1);
	check_times("f", 1, 0, 2, 0);
}

static const struct posix_case cases[] = {
	{"utimensat", 0, "sets", AS_BOTH, "Times of files, directories and fifos.",
	 set_ok},
	{"utimensat", 0, "symlink-itself", AS_BOTH,
	 "AT_SYMLINK_NOFOLLOW sets a link's own times.", set_symlink},
	{"utimensat", 0, "through-symlink", AS_INVOKER, "Without it the target's.",
	 set_through_symlink},
	{"utimensat", 0, "descriptor", AS_BOTH, "futimens on a descriptor for reading.",
	 set_descriptor},
	{"utimensat", 0, "before-1970", AS_INVOKER, "Times before 1970, back to 1906.",
	 set_before_1970},
	{"utimensat", 0, "epoch", AS_INVOKER, "Second 0 is a time, not the lack of one.",
	 set_epoch},
	{"utimensat", 0, "after-2038", AS_INVOKER, "Times after 2038, up to 2400.",
	 set_after_2038},
	{"utimensat", 0, "granularity", AS_INVOKER,
	 "Exact to 100 ns, cut and not rounded.", set_granularity},
	{"utimensat", 0, "now", AS_BOTH, "NULL: both times and ctime are now.", set_now},
	{"utimensat", 0, "now-atime", AS_INVOKER, "UTIME_NOW and UTIME_OMIT.", set_now_a},
	{"utimensat", 0, "now-mtime", AS_INVOKER, "UTIME_OMIT and UTIME_NOW.", set_now_m},
	{"utimensat", 0, "now-both", AS_INVOKER, "UTIME_NOW twice.", set_now_both},
	{"utimensat", 0, "one-of-two", AS_INVOKER, "One time set, the other left.",
	 set_mixed},
	{"utimensat", 0, "ctime-is-now", AS_INVOKER, "ctime cannot be set: it is now.",
	 set_ctime},
	{"utimensat", 0, "owner-without-write", AS_BOTH,
	 "The owner needs no write permission.", ok_owner_without_write},
	{"utimensat", 0, "root", AS_ROOT, "Root sets anybody's times.", ok_root_foreign},
	{"utimensat", 0, "foreign-writable", AS_ROOT, "To now: anybody who may write.",
	 ok_foreign_writable},
	{"utimensat", 0, "foreign-supp-writable", AS_ROOT,
	 "To now: a supplementary group that may write.", ok_supp_writable},
	{"utimensat", 0, "foreign-omit", AS_ROOT,
	 "Omitting both asks for nothing and needs nothing.", ok_foreign_omit},
	{"utimensat", EACCES, "foreign", AS_ROOT,
	 "To now: neither owner nor allowed to write.", eacces_foreign},
	{"utimensat", EACCES, "foreign-group", AS_ROOT,
	 "To now: the supplementary group's bits rule.", eacces_group},
	{"utimensat", EPERM, "foreign", AS_ROOT,
	 "Other times, or only one: not the owner.", eperm_foreign},
	{"utimensat", EPERM, "foreign-unwritable", AS_ROOT,
	 "Other times: neither owner nor allowed to write.", eperm_foreign_unwritable},
	{"utimensat", EINVAL, "nanoseconds", AS_BOTH, "Nanoseconds out of range.",
	 einval_nsec},
	{"utimensat", EINVAL, "flags", AS_INVOKER, "A flag that does not exist.",
	 einval_flags},
	{"utimensat", ENOTDIR, "dirfd-is-file", AS_INVOKER,
	 "A relative path below a descriptor of a file.", enotdir_dirfd},
	{"utimensat", 0, "after-write", AS_BOTH, "Times set after a write stay.",
	 times_survive_write_and_set},
	{"open", 0, "times-of-new-file", AS_BOTH, "All times of a new file are now.",
	 create_times},
	{"read", 0, "changes-atime", AS_INVOKER, "Reading changes atime.",
	 read_changes_atime},
	{"read", 0, "noatime", AS_INVOKER, "Reading with O_NOATIME does not.",
	 noatime_keeps_atime},
};

void
posix_add_times(void)
{
	posix_cases_add(changes, COUNT(changes));
	posix_cases_add(cases, COUNT(cases));
}
