/* open(2): flags and what they promise. */
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/un.h>

#include "groups.h"
#include "harness.h"

static void
eisdir_write(void)
{
	make_dir("d", 0755);
	FAILS(EISDIR, open("d", O_WRONLY));
	FAILS(EISDIR, open("d", O_RDWR));
}

static void
eisdir_create(void)
{
	make_dir("d", 0755);
	FAILS(EISDIR, open("d", O_RDONLY | O_CREAT, 0644));
}

static void
eisdir_create_slash(void)
{
	FAILS(EISDIR, open("new/", O_WRONLY | O_CREAT, 0644));
	CHECK(!exists("new"));
}

static void
eisdir_truncate(void)
{
	make_dir("d", 0755);
	FAILS(EISDIR, open("d", O_RDONLY | O_TRUNC));
}

static void
enotdir_directory(void)
{
	make_file("f", 0644);
	make_link("f", "l");
	FAILS(ENOTDIR, open("f", O_RDONLY | O_DIRECTORY));
	FAILS(ENOTDIR, open("l", O_RDONLY | O_DIRECTORY));
}

static void
enotdir_directory_fifo(void)
{
	make_fifo("f", 0644);
	FAILS(ENOTDIR, open("f", O_RDONLY | O_DIRECTORY));
}

static void
enotdir_nofollow_directory(void)
{
	make_dir("d", 0755);
	make_link("d", "l");
	FAILS(ENOTDIR, open("l", O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
}

static void
enotdir_dirfd(void)
{
	make_file("f", 0644);
	int fd = open_file("f", O_RDONLY);
	FAILS(ENOTDIR, openat(fd, "x", O_RDONLY));
}

static void
eloop_nofollow(void)
{
	make_file("f", 0644);
	make_link("f", "l");
	FAILS(ELOOP, open("l", O_RDONLY | O_NOFOLLOW));
	FAILS(ELOOP, open("l", O_WRONLY | O_CREAT | O_NOFOLLOW, 0644));
}

static void
ok_nofollow_component(void)
{
	make_dir("d", 0755);
	make_file("d/f", 0644);
	make_link("d", "l");
	OK(open("l/f", O_RDONLY | O_NOFOLLOW));
}

static void
enxio_fifo(void)
{
	make_fifo("f", 0644);
	FAILS(ENXIO, open("f", O_WRONLY | O_NONBLOCK));
}

static void
handle_nothing(int signal_number)
{
}

static void
eintr_fifo(void)
{
	struct sigaction action = {.sa_handler = handle_nothing};
	struct itimerval soon = {.it_value.tv_usec = 10000, .it_interval.tv_usec = 10000};

	make_fifo("f", 0644);
	OK(sigaction(SIGALRM, &action, NULL));
	OK(setitimer(ITIMER_REAL, &soon, NULL));
	FAILS(EINTR, open("f", O_RDONLY));
	memset(&soon, 0, sizeof(soon));
	OK(setitimer(ITIMER_REAL, &soon, NULL));
}

static void
enxio_socket(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "s"};
	int fd = (int)OK(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));

	OK(bind(fd, (struct sockaddr *)&address, sizeof(address)));
	FAILS(ENXIO, open("s", O_RDWR));
}

static void
enxio_device(void)
{
	/* Major 4095 belongs to nobody. */
	OK(mknod("c", S_IFCHR | 0666, makedev(4095, 7)));
	OK(mknod("b", S_IFBLK | 0666, makedev(4095, 7)));
	FAILS(ENXIO, open("c", O_RDONLY));
	FAILS(ENXIO, open("b", O_RDONLY));
}

static void
eperm_noatime(void)
{
	make_file("f", 0666);
	become(ID_A);
	FAILS(EPERM, open("f", O_RDONLY | O_NOATIME));
}

static void
ok_noatime_owner(void)
{
	make_file("f", 0600);
	OK(open("f", O_RDONLY | O_NOATIME));
}

static void
efbig_is_not_for_large_files(void)
{
	make_file("f", 0644);
	OK(truncate("f", 5LL << 30));
	OK(open("f", O_RDWR));
}

static void
eoverflow_small(void)
{
	make_file("f", 0644);
	OK(truncate("f", 5LL << 30));
#ifdef __x86_64__
	skip("a 64-bit process always opens large files");
#else
	FAILS(EOVERFLOW, syscall(SYS_open, "f", O_RDWR));
#endif
}

static void
einval_flags(void)
{
	struct open_how how = {.flags = 1ull << 40};

	make_file("f", 0644);
	FAILS(EINVAL, syscall(SYS_openat2, AT_FDCWD, "f", &how, sizeof(how)));
}

static void
ok_creates(void)
{
	int fd = (int)OK(open("f", O_RDWR | O_CREAT | O_EXCL, 0640));
	struct stat st;

	OK(fstat(fd, &st));
	CHECK(S_ISREG(st.st_mode));
	EQ(st.st_mode & 07777, 0640);
	EQ(st.st_size, 0);
	EQ(st.st_nlink, 1);
	EQ(st.st_uid, geteuid());
	EQ(st.st_gid, getegid());
}

static void
ok_umask(void)
{
	umask(027);
	OK(open("f", O_WRONLY | O_CREAT, 0777));
	EQ(mode_of("f"), 0750);
	umask(0);
	OK(open("g", O_WRONLY | O_CREAT, 0777));
	EQ(mode_of("g"), 0777);
}

static void
ok_umask_each_bit(void)
{
	char name[] = "f0";

	for (unsigned int bit = 0; bit < 9; bit++) {
		name[1] = (char)('0' + bit);
		umask(1u << bit);
		OK(open(name, O_WRONLY | O_CREAT, 0777));
		EQ(mode_of(name), 0777 & ~(1u << bit));
	}
}

static void
ok_setid_at_create(void)
{
	umask(0);
	OK(open("u", O_WRONLY | O_CREAT, 04755));
	EQ(mode_of("u"), 04755);
	OK(open("g", O_WRONLY | O_CREAT, 02755));
	EQ(mode_of("g"), 02755);
}

static void
ok_mode_not_for_first_open(void)
{
	/* The mode applies to later opens only. */
	int fd = (int)OK(open("f", O_RDWR | O_CREAT | O_EXCL, 0));

	EQ(write(fd, "x", 1), 1);
	EQ(pread(fd, (char[1]){0}, 1, 0), 1);
	EQ(mode_of("f"), 0);
}

static void
ok_create_existing(void)
{
	make_text("f", "text");
	OK(chmod("f", 0600));
	OK(open("f", O_WRONLY | O_CREAT, 0644));
	EQ(mode_of("f"), 0600);
	check_text("f", "text");
}

static void
ok_create_dangling(void)
{
	make_link("target", "l");
	OK(open("l", O_WRONLY | O_CREAT, 0644));
	CHECK(S_ISREG(stat_of("target").st_mode));
	CHECK(S_ISLNK(stat_of("l").st_mode));
}

static void
ok_truncates(void)
{
	make_text("f", "text");
	OK(open("f", O_WRONLY | O_TRUNC));
	EQ(size_of("f"), 0);
}

static void
ok_truncate_keeps(void)
{
	struct stat before, after;

	make_text("f", "text");
	OK(link("f", "g"));
	before = stat_of("f");
	OK(open("f", O_WRONLY | O_CREAT | O_TRUNC, 0600));
	after = stat_of("f");
	EQ(after.st_ino, before.st_ino);
	EQ(after.st_mode, before.st_mode);
	EQ(after.st_nlink, 2);
	EQ(size_of("g"), 0);
}

static void
ok_append(void)
{
	make_text("f", "one");
	int fd = open_file("f", O_WRONLY | O_APPEND);
	OK(lseek(fd, 0, SEEK_SET));
	EQ(write(fd, "two", 3), 3);
	EQ(lseek(fd, 0, SEEK_CUR), 6);
	check_text("f", "onetwo");
}

static void
ok_append_two(void)
{
	make_file("f", 0644);
	int a = open_file("f", O_WRONLY | O_APPEND);
	int b = open_file("f", O_WRONLY | O_APPEND);
	EQ(write(a, "1", 1), 1);
	EQ(write(b, "2", 1), 1);
	EQ(write(a, "3", 1), 1);
	check_text("f", "123");
}

static void
ok_directory(void)
{
	make_dir("d", 0755);
	make_file("d/f", 0644);
	int fd = open_file("d", O_RDONLY | O_DIRECTORY);
	OK(openat(fd, "f", O_RDONLY));
	FAILS(EISDIR, read(fd, (char[1]){0}, 1));
}

static void
ok_path(void)
{
	struct stat st;

	make_text("f", "text");
	OK(chmod("f", 0));
	int fd = (int)OK(open("f", O_PATH | O_CLOEXEC));
	FAILS(EBADF, read(fd, (char[1]){0}, 1));
	FAILS(EBADF, fchmod(fd, 0644));
	OK(fstat(fd, &st));
	EQ(st.st_size, 4);
}

static void
ok_path_nofollow(void)
{
	struct stat st;
	char target[8];

	make_link("t", "l");
	int fd = (int)OK(open("l", O_PATH | O_NOFOLLOW | O_CLOEXEC));
	OK(fstat(fd, &st));
	CHECK(S_ISLNK(st.st_mode));
	EQ(readlinkat(fd, "", target, sizeof(target)), 1);
}

static void
ok_path_directory(void)
{
	make_dir("d", 0711);
	make_file("d/f", 0644);
	int fd = (int)OK(open("d", O_PATH | O_DIRECTORY | O_CLOEXEC));
	OK(openat(fd, "f", O_RDONLY));
	OK(fchdir(fd));
	OK(open("f", O_RDONLY));
}

static void
ok_read_only_refuses_write(void)
{
	make_text("f", "text");
	int fd = open_file("f", O_RDONLY);
	FAILS(EBADF, write(fd, "x", 1));
	fd = open_file("f", O_WRONLY);
	FAILS(EBADF, read(fd, (char[1]){0}, 1));
}

static void
ok_descriptor_outlives_mode(void)
{
	make_text("f", "text");
	int fd = open_file("f", O_RDWR);
	OK(chmod("f", 0));
	EQ(write(fd, "T", 1), 1);
	OK(chmod("f", 0600));
	check_text("f", "Text");
}

static void
ok_group_of_setgid_dir(void)
{
	make_dir("d", 02777);
	give("d", 0, gid_g());
	OK(chmod("d", 02777));
	become(ID_A);
	OK(open("d/f", O_WRONLY | O_CREAT, 0644));
	EQ(stat_of("d/f").st_gid, gid_g());
	EQ(stat_of("d/f").st_uid, uid_a());
}

static void
ok_group_of_process(void)
{
	make_dir("d", 0777);
	give("d", 0, gid_g());
	become(ID_A_GROUP_B);
	OK(open("d/f", O_WRONLY | O_CREAT, 0644));
	EQ(stat_of("d/f").st_gid, gid_b());
}

static void
ok_setgid_stripped(void)
{
	/* A file that takes a group which is not the creator's loses set-group-id. */
	make_dir("d", 02777);
	give("d", 0, gid_g());
	OK(chmod("d", 02777));
	become(ID_A);
	umask(0);
	OK(open("d/f", O_WRONLY | O_CREAT, 02775));
	EQ(stat_of("d/f").st_gid, gid_g());
	EQ(mode_of("d/f"), 0775);
}

static void
ok_root_needs_no_bits(void)
{
	make_text("f", "text");
	give("f", uid_a(), gid_a());
	OK(chmod("f", 0));
	OK(open("f", O_RDWR));
}

static void
ok_unlinked(void)
{
	char got[4] = "";
	struct stat st;

	make_text("f", "text");
	int fd = open_file("f", O_RDWR);
	OK(unlink("f"));
	OK(fstat(fd, &st));
	EQ(st.st_nlink, 0);
	EQ(pread(fd, got, 4, 0), 4);
	CHECK(memcmp(got, "text", 4) == 0);
	EQ(pwrite(fd, "more", 4, 4), 4);
	OK(fstat(fd, &st));
	EQ(st.st_size, 8);
	OK(fsync(fd));
}

static void
ok_unlinked_changes(void)
{
	struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 2000}};
	struct stat st;

	make_text("f", "text");
	int fd = open_file("f", O_RDWR);
	OK(unlink("f"));
	OK(ftruncate(fd, 100));
	OK(fchmod(fd, 0600));
	OK(fchown(fd, geteuid(), getegid()));
	OK(futimens(fd, times));
	OK(fstat(fd, &st));
	EQ(st.st_size, 100);
	EQ(st.st_mode & 07777, 0600);
	EQ(st.st_mtim.tv_sec, 2000);
}

static void
ok_unlinked_name_is_free(void)
{
	make_text("f", "old");
	int fd = open_file("f", O_RDONLY);
	OK(unlink("f"));
	make_text("f", "new");
	char got[4] = "";
	EQ(read(fd, got, 3), 3);
	CHECK(strcmp(got, "old") == 0);
	check_text("f", "new");
}

static void
ok_unlinked_reopen(void)
{
	char path[32];

	make_text("f", "text");
	int fd = open_file("f", O_RDONLY);
	OK(unlink("f"));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int again = (int)OK(open(path, O_RDWR));
	EQ(write(again, "T", 1), 1);
	EQ(pread(fd, path, 1, 0), 1);
	EQ(path[0], 'T');
}

static void
ok_unlinked_many(void)
{
	int fd[32];
	char c;

	for (int i = 0; i < 32; i++) {
		fd[i] = open_file("f", O_RDWR | O_CREAT | O_EXCL);
		c = (char)i;
		EQ(write(fd[i], &c, 1), 1);
		OK(unlink("f"));
	}
	for (int i = 0; i < 32; i++) {
		EQ(pread(fd[i], &c, 1, 0), 1);
		EQ(c, i);
	}
	FAILS(ENOENT, open("f", O_RDONLY));
}

static void
ok_removed_dir(void)
{
	struct stat st;

	make_dir("d", 0755);
	int fd = open_file("d", O_RDONLY | O_DIRECTORY);
	OK(rmdir("d"));
	OK(fstat(fd, &st));
	FAILS(ENOENT, openat(fd, "f", O_WRONLY | O_CREAT, 0644));
}

static void
enoent_removed_cwd(void)
{
	make_dir("d", 0755);
	OK(chdir("d"));
	OK(rmdir("../d"));
	FAILS(ENOENT, open("f", O_WRONLY | O_CREAT, 0644));
}

static void
ok_same_inode(void)
{
	struct stat a, b;

	make_file("f", 0644);
	int fd = open_file("f", O_RDONLY);
	OK(fstat(fd, &a));
	b = stat_of("f");
	EQ(a.st_ino, b.st_ino);
	EQ(a.st_dev, b.st_dev);
}

static void
ok_names_are_bytes(void)
{
	static const char *const names[] = {
		" ",
		"a b",
		"a\nb",
		"a\tb",
		"a\\b",
		"a:b",
		"a*b",
		"a?b",
		"a\"b",
		"a<b>c",
		"a|b",
		"\x01",
		"trail.",
		"trail ",
		"...",
		"-x",
		"\xc3\xa9",
		"e\xcc\x81",
		"\xf0\x9f\x98\x80",
		"\xef\x80\xa0",
		"CON",
		"~",
		"%41",
		"#",
	};

	for (size_t i = 0; i < COUNT(names); i++) {
		make_text(names[i], names[i]);
		check_text(names[i], names[i]);
	}
	for (size_t i = 0; i < COUNT(names); i++)
		OK(unlink(names[i]));
}

static void
ok_names_not_utf8(void)
{
	static const char *const names[] = {"\xff", "a\x80z", "\xc3", "\xed\xa0\x80",
					    "\xfe\xff"};

	for (size_t i = 0; i < COUNT(names); i++)
		make_text(names[i], names[i]);
	for (size_t i = 0; i < COUNT(names); i++)
		check_text(names[i], names[i]);
}

static void
ok_names_case(void)
{
	make_text("Name", "upper");
	make_text("name", "lower");
	check_text("Name", "upper");
	check_text("name", "lower");
}

static void
ok_names_forms(void)
{
	/* Composed and decomposed letters are two names. */
	make_text("\xc3\xa9", "composed");
	make_text("e\xcc\x81", "decomposed");
	check_text("\xc3\xa9", "composed");
}

static void
eagain_lease(void)
{
	make_text("f", "text");
	int fd = open_file("f", O_RDONLY);
	signal(SIGIO, SIG_IGN); /* asks the holder to give the lease back */
	if (fcntl(fd, F_SETLEASE, F_RDLCK) != 0)
		lacks("leases (%s)", error_name(errno));
	FAILS(EWOULDBLOCK, open("f", O_WRONLY | O_NONBLOCK));
	OK(fcntl(fd, F_SETLEASE, F_UNLCK));
}

static void
eacces_protected(int protect, void (*make)(const char *path, mode_t mode))
{
	make_dir("t", 0777);
	OK(chmod("t", 01777));
	make("t/f", 0666);
	give("t/f", uid_b(), gid_b());
	become(ID_A);
	if (protect == 0)
		skip("this machine does not protect such files (fs.protected_*)");
	FAILS(EACCES, open("t/f", O_RDWR | O_CREAT | O_NONBLOCK, 0644));
}

static int
sysctl(const char *path)
{
	char c = '0';
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && read(fd, &c, 1) != 1)
		c = '0';
	return c - '0';
}

static void
eacces_protected_regular(void)
{
	eacces_protected(sysctl("/proc/sys/fs/protected_regular"), make_file);
}

static void
eacces_protected_fifo(void)
{
	eacces_protected(sysctl("/proc/sys/fs/protected_fifos"), make_fifo);
}

static void
ok_direct(void)
{
	_Alignas(4096) static char buf[4096], got[4096];

	fill(buf, sizeof(buf));
	int fd = open("f", O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0644);
	if (fd < 0 && errno == EINVAL)
		lacks("O_DIRECT");
	OK(fd);
	EQ(pwrite(fd, buf, sizeof(buf), 0), sizeof(buf));
	EQ(pread(fd, got, sizeof(got), 0), sizeof(got));
	CHECK(memcmp(buf, got, sizeof(buf)) == 0);
}

static void
ok_sync(void)
{
	int fd = open_file("f", O_WRONLY | O_CREAT | O_SYNC);
	EQ(write(fd, "x", 1), 1);
	fd = open_file("f", O_WRONLY | O_DSYNC);
	EQ(write(fd, "y", 1), 1);
	check_text("f", "y");
}

static void
ok_reopen_without_change(void)
{
	struct stat before, after;

	make_text("f", "text");
	before = stat_of("f");
	tick();
	OK(close(open_file("f", O_RDWR)));
	after = stat_of("f");
	CHECK(time_compare(&before.st_mtim, &after.st_mtim) == 0);
	CHECK(time_compare(&before.st_ctim, &after.st_ctim) == 0);
}

static const struct posix_case cases[] = {
	{"open", EISDIR, "write-directory", AS_BOTH,
	 "A directory is not opened for writing.", eisdir_write},
	{"open", EISDIR, "create-directory", AS_BOTH, "O_CREAT on an existing directory.",
	 eisdir_create},
	{"open", EISDIR, "create-slash", AS_INVOKER,
	 "O_CREAT of a name with a slash behind it.", eisdir_create_slash},
	{"open", EISDIR, "truncate-directory", AS_INVOKER, "O_TRUNC on a directory.",
	 eisdir_truncate},
	{"open", ENOTDIR, "directory-flag", AS_INVOKER,
	 "O_DIRECTORY on a file or a link to one.", enotdir_directory},
	{"open", ENOTDIR, "directory-flag-fifo", AS_INVOKER,
	 "O_DIRECTORY on a fifo does not block.", enotdir_directory_fifo},
	{"open", ENOTDIR, "nofollow-directory", AS_INVOKER,
	 "O_DIRECTORY with O_NOFOLLOW on a link to a directory.",
	 enotdir_nofollow_directory},
	{"open", ENOTDIR, "dirfd-is-file", AS_INVOKER,
	 "A relative path below a descriptor of a file.", enotdir_dirfd},
	{"open", ELOOP, "nofollow", AS_BOTH, "O_NOFOLLOW on a link.", eloop_nofollow},
	{"open", 0, "nofollow-component", AS_INVOKER,
	 "O_NOFOLLOW follows links before the last component.", ok_nofollow_component},
	{"open", ENXIO, "fifo-without-reader", AS_BOTH,
	 "A fifo nobody reads, for writing without waiting.", enxio_fifo},
	{"open", EINTR, "fifo-interrupted", AS_INVOKER,
	 "A signal ends the wait for a fifo's other end.", eintr_fifo},
	{"open", ENXIO, "socket", AS_BOTH, "A socket is not opened.", enxio_socket},
	{"open", ENXIO, "device-without-driver", AS_ROOT | NEED_DEV,
	 "A device number that has no driver.", enxio_device},
	{"open", EPERM, "noatime-not-owner", AS_ROOT, "O_NOATIME by another user.",
	 eperm_noatime},
	{"open", 0, "noatime-owner", AS_BOTH, "O_NOATIME by the owner.",
	 ok_noatime_owner},
	{"open", 0, "large-file", AS_INVOKER, "A file of 5 GiB is opened.",
	 efbig_is_not_for_large_files},
	{"open", EOVERFLOW, "large-file-small-offset", AS_INVOKER,
	 "A large file, by a process with 32-bit offsets.", eoverflow_small},
	{"open", EINVAL, "unknown-flag", AS_INVOKER,
	 "openat2 with a flag that does not exist.", einval_flags},
	{"open", EWOULDBLOCK, "lease", AS_INVOKER | MAY_LACK,
	 "O_NONBLOCK against a lease.", eagain_lease},
	{"open", EACCES, "protected-regular", AS_ROOT,
	 "O_CREAT of another user's file in a sticky directory, where the machine "
	 "protects these.",
	 eacces_protected_regular},
	{"open", EACCES, "protected-fifo", AS_ROOT,
	 "O_CREAT of another user's fifo in a sticky directory, where the machine "
	 "protects these.",
	 eacces_protected_fifo},
	{"open", 0, "creates", AS_BOTH, "A new file: type, mode, owner, size, links.",
	 ok_creates},
	{"open", 0, "umask", AS_BOTH, "The umask takes bits away.", ok_umask},
	{"open", 0, "umask-each-bit", AS_INVOKER, "Each umask bit alone.",
	 ok_umask_each_bit},
	{"open", 0, "set-id-at-create", AS_BOTH, "Set-id bits in the mode of a new file.",
	 ok_setid_at_create},
	{"open", 0, "mode-not-for-first-open", AS_BOTH,
	 "A file created with mode 0 is writable through its descriptor.",
	 ok_mode_not_for_first_open},
	{"open", 0, "create-existing", AS_BOTH,
	 "O_CREAT changes nothing of an existing file.", ok_create_existing},
	{"open", 0, "create-through-dangling-link", AS_BOTH,
	 "O_CREAT makes the target of a link.", ok_create_dangling},
	{"open", 0, "truncates", AS_BOTH, "O_TRUNC empties the file.", ok_truncates},
	{"open", 0, "truncate-keeps-the-rest", AS_BOTH,
	 "O_TRUNC keeps inode, mode and links.", ok_truncate_keeps},
	{"open", 0, "append", AS_BOTH, "O_APPEND writes at the end whatever the offset.",
	 ok_append},
	{"open", 0, "append-two-descriptors", AS_INVOKER,
	 "Two appenders take turns at the end.", ok_append_two},
	{"open", 0, "directory", AS_BOTH, "A directory opened for reading.",
	 ok_directory},
	{"open", 0, "path", AS_BOTH, "O_PATH needs no permission and grants none.",
	 ok_path},
	{"open", 0, "path-nofollow", AS_INVOKER,
	 "O_PATH with O_NOFOLLOW holds the link itself.", ok_path_nofollow},
	{"open", 0, "path-directory", AS_INVOKER,
	 "O_PATH of a directory serves openat and fchdir.", ok_path_directory},
	{"open", 0, "access-mode-kept", AS_INVOKER,
	 "A descriptor allows what it was opened for.", ok_read_only_refuses_write},
	{"open", 0, "descriptor-outlives-mode", AS_BOTH,
	 "A later chmod does not take away what is open.", ok_descriptor_outlives_mode},
	{"open", 0, "group-of-setgid-directory", AS_ROOT,
	 "A file in a set-group-id directory takes its group.", ok_group_of_setgid_dir},
	{"open", 0, "group-of-process", AS_ROOT,
	 "A file elsewhere takes the process's group.", ok_group_of_process},
	{"open", 0, "set-gid-stripped", AS_ROOT,
	 "A new file in a foreign group loses set-group-id.", ok_setgid_stripped},
	{"open", 0, "root-needs-no-bits", AS_ROOT, "Root opens a file of mode 0.",
	 ok_root_needs_no_bits},
	{"open", 0, "unlinked", AS_BOTH, "An unlinked open file is read and written.",
	 ok_unlinked},
	{"open", 0, "unlinked-changes", AS_BOTH,
	 "An unlinked open file is truncated, chmoded, chowned and timed.",
	 ok_unlinked_changes},
	{"open", 0, "unlinked-name-is-free", AS_BOTH,
	 "The name of an unlinked open file is free.", ok_unlinked_name_is_free},
	{"open", 0, "unlinked-reopen", AS_BOTH,
	 "An unlinked file is opened again through /proc.", ok_unlinked_reopen},
	{"open", 0, "unlinked-many", AS_INVOKER,
	 "32 unlinked files of the same name stay apart.", ok_unlinked_many},
	{"open", 0, "removed-directory", AS_INVOKER,
	 "A removed open directory creates nothing.", ok_removed_dir},
	{"open", ENOENT, "removed-cwd", AS_BOTH, "The working directory was removed.",
	 enoent_removed_cwd},
	{"open", 0, "same-inode", AS_INVOKER, "fstat and lstat name the same inode.",
	 ok_same_inode},
	{"open", 0, "names-are-bytes", AS_BOTH,
	 "Names other systems refuse are kept apart and intact.", ok_names_are_bytes},
	{"open", 0, "names-not-utf8", AS_BOTH,
	 "Names that are not UTF-8 are kept intact.", ok_names_not_utf8},
	{"open", 0, "names-case", AS_INVOKER, "Upper and lower case are two names.",
	 ok_names_case},
	{"open", 0, "names-forms", AS_INVOKER,
	 "Composed and decomposed forms are two names.", ok_names_forms},
	{"open", 0, "direct", AS_INVOKER | MAY_LACK, "O_DIRECT reads what it wrote.",
	 ok_direct},
	{"open", 0, "sync", AS_INVOKER, "O_SYNC and O_DSYNC are accepted.", ok_sync},
	{"open", 0, "no-time-changes", AS_INVOKER,
	 "Opening for writing alone changes no time.", ok_reopen_without_change},
};

POSIX_GROUP(open, cases)
