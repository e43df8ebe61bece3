/* open(2) with O_TMPFILE: files that never had a name. */
#include <stdio.h>
#include <string.h>

#include "groups.h"
#include "harness.h"

static int
make_tmpfile(int flags)
{
	/* Kernels answer EISDIR where the file system does not know O_TMPFILE at all. */
	int fd = open(".", O_TMPFILE | O_CLOEXEC | flags, 0640);

	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOSYS))
		lacks("O_TMPFILE (%s)", error_name(errno));
	return (int)OK(fd);
}

static int
link_tmpfile(int fd, const char *path)
{
	char self[32];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
}

static void
ok_tmpfile(void)
{
	struct stat st;
	int fd = make_tmpfile(O_RDWR);

	OK(fstat(fd, &st));
	CHECK(S_ISREG(st.st_mode));
	EQ(st.st_mode & 07777, 0640);
	EQ(st.st_nlink, 0);
	EQ(st.st_uid, geteuid());
	EQ(write(fd, "text", 4), 4);
	EQ(pread(fd, (char[4]){0}, 4, 0), 4);
}

static void
ok_linked(void)
{
	struct stat st;
	int fd = make_tmpfile(O_RDWR);

	EQ(write(fd, "text", 4), 4);
	OK(link_tmpfile(fd, "f"));
	check_text("f", "text");
	OK(fstat(fd, &st));
	EQ(st.st_nlink, 1);
	EQ(stat_of("f").st_ino, st.st_ino);
}

static void
eexist_linked(void)
{
	int fd = make_tmpfile(O_WRONLY);

	make_file("f", 0644);
	FAILS(EEXIST, link_tmpfile(fd, "f"));
}

static void
enoent_excl(void)
{
	int fd = make_tmpfile(O_RDWR | O_EXCL);

	FAILS(ENOENT, link_tmpfile(fd, "f"));
}

static void
einval_read_only(void)
{
	FAILS(EINVAL, open(".", O_TMPFILE | O_RDONLY, 0644));
}

static void
eacces_no_write(void)
{
	OK(close(make_tmpfile(O_RDWR)));
	make_dir("d", 0555);
	FAILS(EACCES, open("d", O_TMPFILE | O_RDWR, 0644));
}

static void
enotdir_file(void)
{
	make_file("f", 0644);
	FAILS(ENOTDIR, open("f", O_TMPFILE | O_RDWR, 0644));
}

static void
ok_setgid_dir(void)
{
	struct stat st;

	OK(close(make_tmpfile(O_RDWR)));
	make_dir("d", 0777);
	give("d", 0, gid_g());
	OK(chmod("d", 02777));
	become(ID_A);
	int fd = (int)OK(open("d", O_TMPFILE | O_RDWR | O_CLOEXEC, 0644));
	OK(fstat(fd, &st));
	EQ(st.st_gid, gid_g());
}

static const struct posix_case cases[] = {
	{"open", 0, "tmpfile", AS_BOTH | MAY_LACK,
	 "O_TMPFILE makes a file without a name.", ok_tmpfile},
	{"open", 0, "tmpfile-linked", AS_BOTH | MAY_LACK,
	 "A file without a name is given one.", ok_linked},
	{"open", 0, "tmpfile-setgid-directory", AS_ROOT | MAY_LACK,
	 "O_TMPFILE in a set-group-id directory takes its group.", ok_setgid_dir},
	{"link", EEXIST, "tmpfile-exists", AS_INVOKER | MAY_LACK,
	 "A file without a name does not replace another.", eexist_linked},
	{"link", ENOENT, "tmpfile-excl", AS_INVOKER | MAY_LACK,
	 "O_TMPFILE with O_EXCL keeps the file nameless.", enoent_excl},
	{"open", EINVAL, "tmpfile-read-only", AS_INVOKER,
	 "O_TMPFILE without write access.", einval_read_only},
	{"open", EACCES, "tmpfile-no-write", AS_USER | MAY_LACK,
	 "O_TMPFILE in a directory that grants no write.", eacces_no_write},
	{"open", ENOTDIR, "tmpfile-in-file", AS_INVOKER,
	 "O_TMPFILE in something that is no directory.", enotdir_file},
};

POSIX_GROUP(tmpfile, cases)
