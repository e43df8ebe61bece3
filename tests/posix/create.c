/* mkdir(2), mkfifo(3), mknod(2) and the sockets that bind(2) makes. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include "groups.h"
#include "harness.h"

static void
check_new(const char *path, mode_t type, mode_t mode, nlink_t links)
{
	struct stat st = stat_of(path);

	EQ(st.st_mode & S_IFMT, type);
	EQ(st.st_mode & 07777, mode);
	EQ(st.st_nlink, links);
	EQ(st.st_uid, geteuid());
	EQ(st.st_gid, getegid());
}

static void
mkdir_ok(void)
{
	OK(mkdir("d", 0750));
	check_new("d", S_IFDIR, 0750, 2);
	CHECK(exists("d/."));
	EQ(stat_of("d/..").st_ino, stat_of(".").st_ino);
}

static void
mkdir_slash(void)
{
	OK(mkdir("d/", 0755));
	OK(mkdir("d/e//", 0755));
	CHECK(exists("d/e"));
}

static void
mkdir_umask(void)
{
	umask(0);
	OK(mkdir("a", 0777));
	EQ(mode_of("a"), 0777);
	umask(0137);
	OK(mkdir("b", 0777));
	EQ(mode_of("b"), 0640);
}

static void
mkdir_sticky(void)
{
	umask(0);
	OK(mkdir("d", 01777));
	EQ(mode_of("d"), 01777);
}

static void
mkdir_links(void)
{
	nlink_t before = links_of(".");

	make_dir("a", 0755);
	EQ(links_of("."), before + 1);
	make_dir("a/b", 0755);
	EQ(links_of("a"), 3);
	EQ(links_of("."), before + 1);
	make_file("a/f", 0644);
	EQ(links_of("a"), 3);
	OK(rmdir("a/b"));
	EQ(links_of("a"), 2);
}

static void
mkdir_links_rename(void)
{
	make_dir("a", 0755);
	make_dir("b", 0755);
	make_dir("a/x", 0755);
	OK(rename("a/x", "b/x"));
	EQ(links_of("a"), 2);
	EQ(links_of("b"), 3);
	EQ(stat_of("b/x/..").st_ino, stat_of("b").st_ino);
}

static void
mkdir_links_replace(void)
{
	make_dir("a", 0755);
	make_dir("a/x", 0755);
	make_dir("a/y", 0755);
	EQ(links_of("a"), 4);
	OK(rename("a/x", "a/y"));
	EQ(links_of("a"), 3);
}

static void
setgid_dir(const char *name)
{
	make_dir(name, 0777);
	give(name, 0, gid_g());
	OK(chmod(name, 02777));
	become(ID_A);
}

static void
mkdir_setgid(void)
{
	setgid_dir("s");
	OK(mkdir("s/d", 0755));
	EQ(stat_of("s/d").st_gid, gid_g());
	EQ(mode_of("s/d"), 02755);
}

static void
mkfifo_setgid(void)
{
	setgid_dir("s");
	OK(mkfifo("s/f", 0644));
	EQ(stat_of("s/f").st_gid, gid_g());
	EQ(mode_of("s/f"), 0644);
}

static void
mknod_setgid(void)
{
	setgid_dir("s");
	OK(mknod("s/f", S_IFREG | 0644, 0));
	EQ(stat_of("s/f").st_gid, gid_g());
	EQ(mode_of("s/f"), 0644);
}

static void
mkdir_dot(void)
{
	FAILS(EEXIST, mkdir(".", 0755));
	FAILS(EEXIST, mkdir("..", 0755));
	make_dir("d", 0755);
	FAILS(EEXIST, mkdir("d/.", 0755));
	FAILS(EEXIST, mkdir("d/..", 0755));
}

static void
mkdir_missing_dot(void)
{
	FAILS(ENOENT, mkdir("d/.", 0755));
	FAILS(ENOENT, mkdir("d/..", 0755));
}

static void
mkdir_root_exists(void)
{
	FAILS(EEXIST, mkdir("/", 0755));
}

static void
mkdir_file_slash(void)
{
	make_file("f", 0644);
	FAILS(EEXIST, mkdir("f/", 0755));
}

static void
mkdir_removed_cwd(void)
{
	make_dir("d", 0755);
	OK(chdir("d"));
	OK(rmdir("../d"));
	FAILS(ENOENT, mkdir("e", 0755));
}

static void
dirfd_is_file(int (*make)(int dirfd, const char *path))
{
	make_file("f", 0755);
	int fd = open_file("f", O_RDONLY);
	FAILS(ENOTDIR, make(fd, "x"));
}

static int
make_mkdirat(int dirfd, const char *path)
{
	return mkdirat(dirfd, path, 0755);
}

static int
make_mkfifoat(int dirfd, const char *path)
{
	return mkfifoat(dirfd, path, 0644);
}

static int
make_mknodat(int dirfd, const char *path)
{
	return mknodat(dirfd, path, S_IFREG | 0644, 0);
}

static void
mkdir_dirfd(void)
{
	dirfd_is_file(make_mkdirat);
}

static void
mkfifo_dirfd(void)
{
	dirfd_is_file(make_mkfifoat);
}

static void
mknod_dirfd(void)
{
	dirfd_is_file(make_mknodat);
}

static void
mkdir_at(void)
{
	make_dir("d", 0755);
	int fd = open_file("d", O_RDONLY | O_DIRECTORY);
	OK(mkdirat(fd, "e", 0755));
	CHECK(exists("d/e"));
}

static void
mkdir_deep(void)
{
	/* 100 levels of 60 bytes: longer than PATH_MAX, reached step by step. */
	const char *name = name_of_length(60);

	for (int i = 0; i < 100; i++) {
		make_dir(name, 0755);
		OK(chdir(name));
	}
	make_text("f", "deep");
	check_text("f", "deep");
	for (int i = 0; i < 100; i++)
		OK(chdir(".."));
	CHECK(exists(name));
}

static void
mkdir_many(void)
{
	char name[16];

	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "d%d", i);
		OK(mkdir(name, 0755));
	}
	EQ(links_of("."), 302);
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "d%d", i);
		OK(rmdir(name));
	}
	EQ(links_of("."), 2);
}

static void
mkfifo_ok(void)
{
	OK(mkfifo("f", 0640));
	check_new("f", S_IFIFO, 0640, 1);
	EQ(size_of("f"), 0);
}

static void
mkfifo_umask(void)
{
	umask(027);
	OK(mkfifo("f", 0777));
	EQ(mode_of("f"), 0750);
}

static void
write_hello(void *arg)
{
	int fd = open_file(arg, O_WRONLY);

	EQ(write(fd, "hello", 5), 5);
}

static void
mkfifo_works(void)
{
	char name[] = "f", got[8];

	OK(mkfifo(name, 0644));
	pid_t pid = spawn(write_hello, name);
	int fd = open_file(name, O_RDONLY);
	EQ(read(fd, got, sizeof(got)), 5);
	CHECK(memcmp(got, "hello", 5) == 0);
	EQ(read(fd, got, sizeof(got)), 0);
	wait_for(pid);
	EQ(size_of(name), 0);
}

static void
mkfifo_links(void)
{
	char name[] = "g", got[8];

	/* Both names lead to the same pipe. */
	OK(mkfifo("f", 0644));
	OK(link("f", name));
	OK(rename("f", "h"));
	pid_t pid = spawn(write_hello, name);
	int fd = open_file("h", O_RDONLY);
	EQ(read(fd, got, sizeof(got)), 5);
	wait_for(pid);
}

static void
mkfifo_permission(void)
{
	make_fifo("f", 0200);
	FAILS(EACCES, open("f", O_RDONLY | O_NONBLOCK));
}

static void
mkfifo_slash(void)
{
	FAILS(ENOENT, mkfifo("f/", 0644));
}

static void
mknod_slash(void)
{
	FAILS(ENOENT, mknod("f/", S_IFREG | 0644, 0));
}

static void
mknod_file(void)
{
	OK(mknod("f", S_IFREG | 0640, 0));
	check_new("f", S_IFREG, 0640, 1);
	OK(mknod("g", 0600, 0));
	check_new("g", S_IFREG, 0600, 1);
	make_text("f", "text");
	check_text("f", "text");
}

static void
mknod_fifo(void)
{
	OK(mknod("f", S_IFIFO | 0640, 0));
	check_new("f", S_IFIFO, 0640, 1);
}

static void
mknod_socket(void)
{
	OK(mknod("s", S_IFSOCK | 0640, 0));
	check_new("s", S_IFSOCK, 0640, 1);
}

static void
mknod_umask(void)
{
	umask(0);
	OK(mknod("a", S_IFREG | 06777, 0));
	EQ(mode_of("a"), 06777);
	umask(077);
	OK(mknod("b", S_IFREG | 0777, 0));
	EQ(mode_of("b"), 0700);
}

static void
check_device(mode_t type, unsigned int major_number, unsigned int minor_number)
{
	struct stat st;

	OK(mknod("dev", type | 0600, makedev(major_number, minor_number)));
	st = stat_of("dev");
	EQ(st.st_mode, type | 0600);
	EQ(major(st.st_rdev), major_number);
	EQ(minor(st.st_rdev), minor_number);
	OK(unlink("dev"));
}

static void
mknod_devices(void)
{
	check_device(S_IFCHR, 1, 3);
	check_device(S_IFBLK, 7, 1);
	check_device(S_IFCHR, 255, 255);
	check_device(S_IFCHR, 256, 256);
	check_device(S_IFBLK, 4095, (1 << 20) - 1);
}

static void
mknod_null(void)
{
	OK(mknod("null", S_IFCHR | 0666, makedev(1, 3)));
	int fd = open_file("null", O_RDWR);
	EQ(write(fd, "text", 4), 4);
	EQ(read(fd, (char[4]){0}, 4), 0);
}

static void
mknod_device_user(void)
{
	FAILS(EPERM, mknod("c", S_IFCHR | 0600, makedev(1, 3)));
	FAILS(EPERM, mknod("b", S_IFBLK | 0600, makedev(7, 0)));
	CHECK(!exists("c") && !exists("b"));
}

static void
mknod_directory(void)
{
	FAILS(EPERM, mknod("d", S_IFDIR | 0755, 0));
}

static void
mknod_types(void)
{
	FAILS(EINVAL, mknod("l", S_IFLNK | 0777, 0));
	FAILS(EINVAL, mknod("x", S_IFMT | 0777, 0));
}

static int
make_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = (int)OK(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));

	strcpy(address.sun_path, path);
	OK(bind(fd, (struct sockaddr *)&address, sizeof(address)));
	return fd;
}

static int
connect_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = (int)OK(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));

	strcpy(address.sun_path, path);
	return connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ? fd : -1;
}

static void
socket_works(void)
{
	int server = make_socket("s");

	CHECK(S_ISSOCK(stat_of("s").st_mode));
	OK(listen(server, 1));
	int client = (int)OK(connect_socket("s"));
	int peer = (int)OK(accept(server, NULL, NULL));
	EQ(write(client, "x", 1), 1);
	EQ(read(peer, (char[1]){0}, 1), 1);
}

static void
socket_umask(void)
{
	umask(077);
	OK(close(make_socket("s")));
	EQ(mode_of("s"), 0700);
}

static void
socket_renamed(void)
{
	int server = make_socket("s");

	OK(listen(server, 1));
	OK(rename("s", "t"));
	OK(connect_socket("t"));
	FAILS(ENOENT, connect_socket("s"));
}

static void
socket_permission(void)
{
	int server = make_socket("s");

	OK(listen(server, 1));
	OK(chmod("s", 0444));
	FAILS(EACCES, connect_socket("s"));
}

static const struct posix_case cases[] = {
	{"mkdir", 0, "creates", AS_BOTH,
	 "A new directory: type, mode, owner, links, . and ..", mkdir_ok},
	{"mkdir", 0, "trailing-slash", AS_INVOKER, "Slashes may follow the new name.",
	 mkdir_slash},
	{"mkdir", 0, "umask", AS_BOTH, "The umask takes bits away.", mkdir_umask},
	{"mkdir", 0, "sticky", AS_BOTH, "The sticky bit is accepted at creation.",
	 mkdir_sticky},
	{"mkdir", 0, "link-counts", AS_INVOKER,
	 "A directory counts its subdirectories' .. entries.", mkdir_links},
	{"mkdir", 0, "link-counts-rename", AS_INVOKER,
	 "A moved directory counts at its new parent.", mkdir_links_rename},
	{"mkdir", 0, "link-counts-replace", AS_INVOKER,
	 "A replaced directory no longer counts.", mkdir_links_replace},
	{"mkdir", 0, "setgid-inherited", AS_ROOT,
	 "Below a set-group-id directory: its group and its bit.", mkdir_setgid},
	{"mkdir", EEXIST, "dots", AS_BOTH, ". and .. exist.", mkdir_dot},
	{"mkdir", EEXIST, "root-directory", AS_INVOKER, "/ exists.", mkdir_root_exists},
	{"mkdir", EEXIST, "file-slash", AS_INVOKER,
	 "A file with a slash behind its name exists.", mkdir_file_slash},
	{"mkdir", ENOENT, "missing-dots", AS_INVOKER,
	 ". and .. of a directory that does not exist.", mkdir_missing_dot},
	{"mkdir", ENOENT, "removed-cwd", AS_BOTH, "The working directory was removed.",
	 mkdir_removed_cwd},
	{"mkdir", ENOTDIR, "dirfd-is-file", AS_INVOKER,
	 "A relative path below a descriptor of a file.", mkdir_dirfd},
	{"mkdir", 0, "at", AS_INVOKER, "A path relative to a descriptor.", mkdir_at},
	{"mkdir", 0, "deeper-than-path-max", AS_INVOKER,
	 "Directories nest deeper than a path can say.", mkdir_deep},
	{"mkdir", 0, "three-hundred", AS_INVOKER,
	 "300 directories in one, and their count.", mkdir_many},
	{"mkfifo", 0, "creates", AS_BOTH, "A new fifo: type, mode, owner, size.",
	 mkfifo_ok},
	{"mkfifo", 0, "umask", AS_INVOKER, "The umask takes bits away.", mkfifo_umask},
	{"mkfifo", 0, "works", AS_BOTH, "Two processes talk through it.", mkfifo_works},
	{"mkfifo", 0, "same-pipe-by-each-name", AS_INVOKER,
	 "Links and new names lead to one pipe.", mkfifo_links},
	{"mkfifo", 0, "setgid-directory", AS_ROOT,
	 "A fifo in a set-group-id directory takes its group.", mkfifo_setgid},
	{"mkfifo", ENOENT, "trailing-slash", AS_INVOKER, "A slash behind the new name.",
	 mkfifo_slash},
	{"mkfifo", ENOTDIR, "dirfd-is-file", AS_INVOKER,
	 "A relative path below a descriptor of a file.", mkfifo_dirfd},
	{"open", EACCES, "fifo-mode", AS_USER, "A fifo's mode is obeyed.",
	 mkfifo_permission},
	{"mknod", 0, "file", AS_BOTH, "A regular file, with and without its type bit.",
	 mknod_file},
	{"mknod", 0, "fifo", AS_BOTH, "A fifo.", mknod_fifo},
	{"mknod", 0, "socket", AS_BOTH, "A socket.", mknod_socket},
	{"mknod", 0, "umask", AS_BOTH, "The umask takes bits away.", mknod_umask},
	{"mknod", 0, "device-numbers", AS_ROOT, "Device numbers come back whole.",
	 mknod_devices},
	{"mknod", 0, "null-device", AS_ROOT | NEED_DEV, "A device node works.",
	 mknod_null},
	{"mknod", 0, "setgid-directory", AS_ROOT,
	 "A file in a set-group-id directory takes its group.", mknod_setgid},
	{"mknod", EPERM, "device", AS_USER, "Device nodes are root's.",
	 mknod_device_user},
	{"mknod", EPERM, "directory", AS_INVOKER, "Directories are not made by mknod.",
	 mknod_directory},
	{"mknod", EINVAL, "type", AS_INVOKER,
	 "Types that do not exist or are not mknod's.", mknod_types},
	{"mknod", ENOENT, "trailing-slash", AS_INVOKER, "A slash behind the new name.",
	 mknod_slash},
	{"mknod", ENOTDIR, "dirfd-is-file", AS_INVOKER,
	 "A relative path below a descriptor of a file.", mknod_dirfd},
	{"bind", 0, "socket-works", AS_BOTH,
	 "A socket bound to a name is connected to by it.", socket_works},
	{"bind", 0, "socket-umask", AS_INVOKER, "The umask applies to sockets.",
	 socket_umask},
	{"bind", 0, "socket-renamed", AS_INVOKER,
	 "A renamed socket answers by its new name.", socket_renamed},
	{"connect", EACCES, "socket-mode", AS_USER, "A socket's mode is obeyed.",
	 socket_permission},
};

POSIX_GROUP(create, cases)
