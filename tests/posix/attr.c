/* chmod(2), chown(2): who may, and what goes with it. Immutable and append-only files. */
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "groups.h"
#include "harness.h"

static void
chmod_bits(void)
{
	make_file("f", 0);
	for (mode_t mode = 0; mode < 01000; mode += 0111) {
		OK(chmod("f", mode));
		EQ(mode_of("f"), mode);
	}
	OK(chmod("f", 0421));
	EQ(mode_of("f"), 0421);
}

static void
chmod_setid(void)
{
	make_file("f", 0755);
	OK(chmod("f", 06755));
	EQ(mode_of("f"), 06755);
	OK(chmod("f", 0755));
	EQ(mode_of("f"), 0755);
}

static void
chmod_directory(void)
{
	make_dir("d", 0755);
	OK(chmod("d", 03711));
	EQ(mode_of("d"), 03711);
	CHECK(S_ISDIR(stat_of("d").st_mode));
}

static void
chmod_umask(void)
{
	make_file("f", 0600);
	umask(077);
	OK(chmod("f", 0777));
	EQ(mode_of("f"), 0777);
}

static void
chmod_follows(void)
{
	make_file("f", 0644);
	make_link("f", "l");
	OK(chmod("l", 0600));
	EQ(mode_of("f"), 0600);
	EQ(mode_of("l"), 0777);
}

static void
chmod_fd(void)
{
	make_file("f", 0644);
	int fd = open_file("f", O_RDONLY);
	OK(fchmod(fd, 0600));
	EQ(mode_of("f"), 0600);
	make_dir("d", 0755);
	fd = open_file("d", O_RDONLY);
	OK(fchmodat(fd, ".", 0700, 0));
	EQ(mode_of("d"), 0700);
}

static void
chmod_kinds(void)
{
	make_fifo("p", 0644);
	OK(chmod("p", 0600));
	EQ(stat_of("p").st_mode, S_IFIFO | 0600);
}

static void
chmod_sticky_file(void)
{
	/* Linux lets users set the sticky bit of files, where it means nothing. */
	make_file("f", 0644);
	OK(chmod("f", 01644));
	EQ(mode_of("f"), 01644);
}

static void
chmod_symlink(void)
{
	make_link("nowhere", "l");
	if (fchmodat(AT_FDCWD, "l", 0600, AT_SYMLINK_NOFOLLOW) == 0)
		skip("this file system keeps modes of links");
	EQ(errno, EOPNOTSUPP);
}

static void
chmod_flags(void)
{
	make_file("f", 0644);
	FAILS(EINVAL, fchmodat(AT_FDCWD, "f", 0600, 0x40000000));
}

static void
chmod_dirfd(void)
{
	make_file("f", 0644);
	int fd = open_file("f", O_RDONLY);
	FAILS(ENOTDIR, fchmodat(fd, "x", 0600, 0));
}

static void
chmod_foreign(void)
{
	make_file("f", 0666);
	make_dir("d", 0777);
	become(ID_A_SUPP);
	FAILS(EPERM, chmod("f", 0644));
	FAILS(EPERM, chmod("d", 0755));
	int fd = open_file("f", O_RDWR);
	FAILS(EPERM, fchmod(fd, 0644));
	EQ(mode_of("f"), 0666);
}

static void
chmod_group_is_not_owner(void)
{
	make_file("f", 0660);
	give("f", uid_b(), gid_a());
	become(ID_A);
	FAILS(EPERM, chmod("f", 0660));
}

static void
chmod_root_foreign(void)
{
	make_file("f", 0600);
	give("f", uid_a(), gid_a());
	OK(chmod("f", 06711));
	EQ(mode_of("f"), 06711);
	EQ(stat_of("f").st_uid, uid_a());
}

static void
chmod_setgid_foreign_group(void)
{
	/* A user who is not in the file's group does not get set-group-id; no error. */
	make_file("f", 0755);
	give("f", uid_a(), gid_g());
	become(ID_A);
	OK(chmod("f", 02755));
	EQ(mode_of("f"), 0755);
	become(ID_A_SUPP);
	OK(chmod("f", 02755));
	EQ(mode_of("f"), 02755);
}

static void
chmod_setgid_dir_foreign_group(void)
{
	make_dir("d", 0755);
	give("d", uid_a(), gid_g());
	become(ID_A);
	OK(chmod("d", 02755));
	EQ(mode_of("d"), 0755);
}

static void
check_owner(const char *path, uid_t uid, gid_t gid)
{
	EQ(stat_of(path).st_uid, uid);
	EQ(stat_of(path).st_gid, gid);
}

static void
chown_root(void)
{
	make_file("f", 0644);
	make_dir("d", 0755);
	OK(chown("f", uid_a(), gid_g()));
	OK(chown("d", uid_b(), gid_b()));
	check_owner("f", uid_a(), gid_g());
	check_owner("d", uid_b(), gid_b());
	OK(chown("f", 0, 0));
	check_owner("f", 0, 0);
}

static void
chown_large_ids(void)
{
	static const uid_t ids[] = {1, 18, 65534, 65535, 65536, 1u << 31, 4294967294u};

	make_file("f", 0644);
	for (size_t i = 0; i < COUNT(ids); i++) {
		OK(chown("f", ids[i], ids[i]));
		check_owner("f", ids[i], ids[i]);
	}
}

static void
chown_keep(void)
{
	make_file("f", 0644);
	give("f", uid_a(), gid_g());
	OK(chown("f", (uid_t)-1, gid_b()));
	check_owner("f", uid_a(), gid_b());
	OK(chown("f", uid_b(), (gid_t)-1));
	check_owner("f", uid_b(), gid_b());
	OK(chown("f", (uid_t)-1, (gid_t)-1));
	check_owner("f", uid_b(), gid_b());
}

static void
chown_fd(void)
{
	make_file("f", 0644);
	int fd = open_file("f", O_RDONLY);
	OK(fchown(fd, uid_a(), gid_a()));
	check_owner("f", uid_a(), gid_a());
	OK(fchownat(AT_FDCWD, "f", 0, 0, 0));
	check_owner("f", 0, 0);
	OK(fchownat(fd, "", uid_b(), gid_b(), AT_EMPTY_PATH));
	check_owner("f", uid_b(), gid_b());
}

static void
chown_links(void)
{
	make_file("f", 0644);
	make_link("f", "l");
	OK(lchown("l", uid_a(), gid_a()));
	check_owner("l", uid_a(), gid_a());
	check_owner("f", 0, 0);
	OK(chown("l", uid_b(), gid_b()));
	check_owner("f", uid_b(), gid_b());
	check_owner("l", uid_a(), gid_a());
}

static void
chown_special(void)
{
	make_fifo("p", 0644);
	OK(chown("p", uid_a(), gid_a()));
	check_owner("p", uid_a(), gid_a());
}

static void
own_file(mode_t mode)
{
	make_file("f", 0600);
	give("f", uid_a(), gid_a());
	OK(chmod("f", mode));
}

static void
chown_user_own_group(void)
{
	own_file(0644);
	become(ID_A_SUPP);
	OK(chown("f", uid_a(), gid_g()));
	check_owner("f", uid_a(), gid_g());
	OK(chown("f", (uid_t)-1, gid_h()));
	check_owner("f", uid_a(), gid_h());
	OK(chown("f", (uid_t)-1, gid_a()));
	check_owner("f", uid_a(), gid_a());
}

static void
chown_user_foreign_group(void)
{
	own_file(0644);
	become(ID_A);
	FAILS(EPERM, chown("f", (uid_t)-1, gid_g()));
	FAILS(EPERM, chown("f", uid_a(), 0));
	check_owner("f", uid_a(), gid_a());
}

static void
chown_user_give_away(void)
{
	own_file(0644);
	become(ID_A_SUPP);
	FAILS(EPERM, chown("f", uid_b(), (gid_t)-1));
	FAILS(EPERM, chown("f", 0, gid_g()));
	FAILS(EPERM, lchown("f", uid_b(), gid_a()));
	check_owner("f", uid_a(), gid_a());
}

static void
chown_user_take(void)
{
	make_file("f", 0666);
	become(ID_A_SUPP);
	FAILS(EPERM, chown("f", uid_a(), (gid_t)-1));
	FAILS(EPERM, chown("f", (uid_t)-1, gid_g()));
	int fd = open_file("f", O_RDWR);
	FAILS(EPERM, fchown(fd, uid_a(), gid_a()));
}

static void
chown_user_nothing(void)
{
	own_file(0644);
	become(ID_A);
	OK(chown("f", (uid_t)-1, (gid_t)-1));
	OK(chown("f", uid_a(), gid_a()));
}

static void
chown_user_clears(void)
{
	own_file(06755);
	become(ID_A_SUPP);
	OK(chown("f", (uid_t)-1, gid_g()));
	EQ(mode_of("f"), 0755);
}

static void
chown_root_clears(void)
{
	make_file("f", 06755);
	OK(chown("f", uid_a(), gid_a()));
	EQ(mode_of("f"), 0755);
}

static void
chown_same_clears(void)
{
	own_file(06755);
	become(ID_A);
	OK(chown("f", uid_a(), gid_a()));
	EQ(mode_of("f"), 0755);
}

static void
chown_keeps_lock_bit(void)
{
	/* Set-group-id without group execute is not a set-id program: kept for root. */
	make_file("f", 02644);
	OK(chown("f", uid_a(), gid_a()));
	EQ(mode_of("f"), 02644);
}

static void
chown_keeps_directory_bits(void)
{
	make_dir("d", 0755);
	OK(chmod("d", 07755));
	OK(chown("d", uid_a(), gid_a()));
	EQ(mode_of("d"), 07755);
}

static void
chown_flags(void)
{
	make_file("f", 0644);
	FAILS(EINVAL, fchownat(AT_FDCWD, "f", (uid_t)-1, (gid_t)-1, 0x40000000));
}

static void
chown_dirfd(void)
{
	make_file("f", 0644);
	int fd = open_file("f", O_RDONLY);
	FAILS(ENOTDIR, fchownat(fd, "x", (uid_t)-1, (gid_t)-1, 0));
}

/* ---- set-id bits and writes ---- */

static void
write_clears(mode_t before, mode_t after, enum identity who, bool truncates)
{
	make_sized("f", 100);
	OK(chmod("f", before));
	become(who);
	if (truncates) {
		OK(truncate("f", 10));
	} else {
		int fd = open_file("f", O_WRONLY);
		EQ(write(fd, "x", 1), 1);
		OK(close(fd));
	}
	EQ(mode_of("f"), after);
}

static void
write_clears_setuid(void)
{
	write_clears(04777, 0777, ID_A, false);
}

/* How a file is read and written is often settled by who has it open already. */
static void
write_clears_while_open(void)
{
	make_sized("f", 100);
	int reader = open_file("f", O_RDONLY);
	OK(chmod("f", 04777));
	become(ID_A);
	int fd = open_file("f", O_WRONLY);
	EQ(write(fd, "x", 1), 1);
	OK(close(fd));
	OK(close(reader));
	EQ(mode_of("f"), 0777);
}

static void
write_clears_setgid(void)
{
	write_clears(02777, 0777, ID_A, false);
}

static void
write_keeps_root(void)
{
	write_clears(06777, 06777, ID_ROOT, false);
}

static void
write_keeps_sticky(void)
{
	write_clears(01777, 01777, ID_A, false);
}

static void
truncate_clears_setid(void)
{
	write_clears(06777, 0777, ID_A, true);
}

static void
truncate_keeps_root(void)
{
	write_clears(06777, 06777, ID_ROOT, true);
}

static void
write_clears_owner(void)
{
	make_file("f", 0755);
	OK(chmod("f", 06755));
	int fd = open_file("f", O_WRONLY);
	EQ(write(fd, "x", 1), 1);
	EQ(mode_of("f"), 0755);
}

static void
open_truncate_clears(void)
{
	make_sized("f", 10);
	OK(chmod("f", 06777));
	become(ID_A);
	OK(close(open_file("f", O_WRONLY | O_TRUNC)));
	EQ(mode_of("f"), 0777);
}

/* ---- immutable and append-only: chattr(1) ---- */

/* Sets either flag and leaves the file's others, which file systems guard. */
static int
flag_set(const char *path, int flag)
{
	int fd = open_file(path, O_RDONLY);
	int flags = 0;
	int result = ioctl(fd, FS_IOC_GETFLAGS, &flags);
	int error;

	flags = (flags & ~(FS_IMMUTABLE_FL | FS_APPEND_FL)) | flag;
	if (result == 0)
		result = ioctl(fd, FS_IOC_SETFLAGS, &flags);
	error = errno;

	OK(close(fd));
	errno = error;
	return result;
}

static void
make_flagged(const char *path, int flag)
{
	make_text(path, "text");
	ABLE(flag_set(path, flag));
}

static int
flagged_chmod(void)
{
	return chmod("f", 0600);
}

static int
flagged_chown(void)
{
	return chown("f", uid_a(), gid_a());
}

static int
flagged_link(void)
{
	return link("f", "g");
}

static int
flagged_unlink(void)
{
	return unlink("f");
}

static int
flagged_rename(void)
{
	return rename("f", "g");
}

static int
flagged_truncate(void)
{
	return truncate("f", 0);
}

static int
flagged_utimensat(void)
{
	struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 2}};

	return utimensat(AT_FDCWD, "f", times, 0);
}

struct flagged_call {
	const char *call;
	int (*act)(void);
};

static const struct flagged_call flagged_calls[] = {
	{"chmod", flagged_chmod},	  {"chown", flagged_chown},
	{"link", flagged_link},		  {"unlink", flagged_unlink},
	{"rename", flagged_rename},	  {"truncate", flagged_truncate},
	{"utimensat", flagged_utimensat},
};

static void
refused_while_flagged(int flag, const struct flagged_call *c)
{
	make_flagged("f", flag);
	FAILS(EPERM, c->act());
	check_text("f", "text");
	OK(flag_set("f", 0));
	OK(c->act());
}

static void
refused_while_immutable(const void *call)
{
	refused_while_flagged(FS_IMMUTABLE_FL, call);
}

static void
refused_while_append_only(const void *call)
{
	refused_while_flagged(FS_APPEND_FL, call);
}

static void
add_flagged(const struct flagged_call *call)
{
	struct posix_case c = {
		.call = call->call,
		.error = EPERM,
		.name = "immutable",
		.needs = AS_ROOT | MAY_LACK,
		.text = "The file is immutable; the same call succeeds when it no longer "
			"is.",
		.run_arg = refused_while_immutable,
		.arg = call,
	};

	posix_case_add(&c);
	c.name = "append-only";
	c.text = "The file is append-only; the same call succeeds when it no longer is.";
	c.run_arg = refused_while_append_only;
	posix_case_add(&c);
}

static void
open_immutable(void)
{
	make_flagged("f", FS_IMMUTABLE_FL);
	FAILS(EPERM, open("f", O_WRONLY));
	check_text("f", "text");
}

static void
open_append_only(void)
{
	make_flagged("f", FS_APPEND_FL);
	FAILS(EPERM, open("f", O_WRONLY));
	FAILS(EPERM, truncate("f", 0));
	int fd = open_file("f", O_WRONLY | O_APPEND);
	EQ(write(fd, "x", 1), 1);
	check_text("f", "textx");
}

static const struct posix_case cases[] = {
	{"chmod", 0, "bits", AS_BOTH, "Permission bits come back as set.", chmod_bits},
	{"chmod", 0, "set-id", AS_BOTH, "Set-id bits are set and cleared.", chmod_setid},
	{"chmod", 0, "directory", AS_BOTH,
	 "A directory's bits, sticky and set-group-id too.", chmod_directory},
	{"chmod", 0, "umask", AS_INVOKER, "The umask does not matter.", chmod_umask},
	{"chmod", 0, "follows-links", AS_INVOKER, "The target of a link is changed.",
	 chmod_follows},
	{"chmod", 0, "descriptor", AS_BOTH, "fchmod and fchmodat.", chmod_fd},
	{"chmod", 0, "fifo", AS_INVOKER, "A fifo's bits.", chmod_kinds},
	{"chmod", 0, "sticky-file", AS_BOTH, "The sticky bit of a file, by its owner.",
	 chmod_sticky_file},
	{"chmod", EOPNOTSUPP, "symlink", AS_INVOKER, "AT_SYMLINK_NOFOLLOW on a link.",
	 chmod_symlink},
	{"chmod", EINVAL, "flags", AS_INVOKER, "A flag that does not exist.",
	 chmod_flags},
	{"chmod", ENOTDIR, "dirfd-is-file", AS_INVOKER,
	 "A relative path below a descriptor of a file.", chmod_dirfd},
	{"chmod", EPERM, "not-owner", AS_ROOT, "Another user's file, writable or not.",
	 chmod_foreign},
	{"chmod", EPERM, "group-is-not-owner", AS_ROOT,
	 "The file's group is not its owner.", chmod_group_is_not_owner},
	{"chmod", 0, "root", AS_ROOT, "Root changes anybody's file.", chmod_root_foreign},
	{"chmod", 0, "set-gid-of-foreign-group", AS_ROOT,
	 "Set-group-id is dropped unless one is in the group, supplementary ones "
	 "included.",
	 chmod_setgid_foreign_group},
	{"chmod", 0, "set-gid-of-foreign-group-directory", AS_ROOT,
	 "The same for directories.", chmod_setgid_dir_foreign_group},
	{"chown", 0, "root", AS_ROOT, "Root gives files and directories to anybody.",
	 chown_root},
	{"chown", 0, "ids-of-any-size", AS_ROOT, "Ids up to 4294967294 come back whole.",
	 chown_large_ids},
	{"chown", 0, "minus-one-keeps", AS_ROOT, "-1 leaves owner or group.", chown_keep},
	{"chown", 0, "descriptor", AS_ROOT, "fchown and fchownat, with AT_EMPTY_PATH.",
	 chown_fd},
	{"chown", 0, "links", AS_ROOT, "lchown changes the link, chown its target.",
	 chown_links},
	{"chown", 0, "fifo", AS_ROOT, "A fifo's owner.", chown_special},
	{"chown", 0, "own-groups", AS_ROOT,
	 "The owner chooses among his groups, supplementary ones included.",
	 chown_user_own_group},
	{"chown", EPERM, "foreign-group", AS_ROOT, "The owner is not in the new group.",
	 chown_user_foreign_group},
	{"chown", EPERM, "give-away", AS_ROOT, "A user does not give files away.",
	 chown_user_give_away},
	{"chown", EPERM, "take", AS_ROOT, "A user does not take files.", chown_user_take},
	{"chown", 0, "nothing", AS_ROOT,
	 "Asking for what is, or for nothing, is allowed to the owner.",
	 chown_user_nothing},
	{"chown", 0, "clears-set-id", AS_ROOT, "A user's chown clears set-id bits.",
	 chown_user_clears},
	{"chown", 0, "root-clears-set-id", AS_ROOT, "Root's chown clears set-id bits.",
	 chown_root_clears},
	{"chown", 0, "same-clears-set-id", AS_ROOT,
	 "So does one to the same owner and group.", chown_same_clears},
	{"chown", 0, "keeps-set-gid-without-execute", AS_ROOT,
	 "Set-group-id without group execute stays.", chown_keeps_lock_bit},
	{"chown", 0, "keeps-directory-bits", AS_ROOT, "A directory's bits stay.",
	 chown_keeps_directory_bits},
	{"chown", EINVAL, "flags", AS_INVOKER, "A flag that does not exist.",
	 chown_flags},
	{"chown", ENOTDIR, "dirfd-is-file", AS_INVOKER,
	 "A relative path below a descriptor of a file.", chown_dirfd},
	{"write", 0, "clears-set-uid", AS_ROOT,
	 "Another user's write clears set-user-id.", write_clears_setuid},
	{"write", 0, "clears-set-uid-while-open", AS_ROOT,
	 "Another user's write clears it from a file that is open elsewhere.",
	 write_clears_while_open},
	{"write", 0, "clears-set-gid", AS_ROOT,
	 "Another user's write clears set-group-id.", write_clears_setgid},
	{"write", 0, "clears-set-id-of-owner", AS_USER,
	 "The owner's write clears set-id bits.", write_clears_owner},
	{"write", 0, "root-keeps-set-id", AS_ROOT, "Root's write keeps set-id bits.",
	 write_keeps_root},
	{"write", 0, "keeps-sticky", AS_ROOT, "The sticky bit stays.",
	 write_keeps_sticky},
	{"truncate", 0, "clears-set-id", AS_ROOT,
	 "Another user's truncate clears set-id bits.", truncate_clears_setid},
	{"truncate", 0, "root-keeps-set-id", AS_ROOT,
	 "Root's truncate keeps set-id bits.", truncate_keeps_root},
	{"open", 0, "truncate-clears-set-id", AS_ROOT,
	 "Another user's O_TRUNC clears set-id bits.", open_truncate_clears},
	{"open", EPERM, "immutable", AS_ROOT | MAY_LACK, "The file is immutable.",
	 open_immutable},
	{"open", EPERM, "append-only", AS_ROOT | MAY_LACK, "The file is append-only.",
	 open_append_only},
};

void
posix_add_attr(void)
{
	posix_cases_add(cases, COUNT(cases));
	for (size_t i = 0; i < COUNT(flagged_calls); i++)
		add_flagged(&flagged_calls[i]);
}
