/*
 * Read-only views (EROFS), full file systems (ENOSPC) and planted errors (EDQUOT, EIO).
 *
 * The directories come from options, since making such file systems is not a case's work:
 *   --ro-dir       what ro_content_create makes, now read-only
 *   --small-dir    a file system small enough to be filled; emptied again after each case
 *   --planted-dir  EDQUOT for names beginning with edquot-, EIO for those with eio-
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

#include "groups.h"
#include "path-ops.h"
#include "runner.h"

/* ---- EROFS ---- */

int
ro_content_create(const char *dir)
{
	int fd;

	if (chdir(dir) != 0)
		return -errno;
	umask(0);
	fd = open("source", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0 || write(fd, "content", 7) != 7 || close(fd) != 0)
		return -errno;
	if (link("source", "file") != 0 || mkdir("directory", 0777) != 0 ||
	    symlink("file", "link") != 0 || mkfifo("fifo", 0666) != 0)
		return -errno;
	return 0;
}

static void
enter_ro(void)
{
	struct statvfs fs;

	OK(chdir(env.ro_dir));
	OK(statvfs(".", &fs));
	if ((fs.f_flag & ST_RDONLY) == 0)
		FAIL("--ro-dir %s is not read-only", env.ro_dir);
	check_text("file", "content");
}

static const char *
ro_name(const struct path_op *op)
{
	if ((op->flags & OP_CREATES) != 0)
		return "new";
	return (op->flags & OP_DIRECTORY) != 0 ? "directory" : "file";
}

static void
ro_refuses(const void *arg)
{
	const struct path_op *op = arg;

	enter_ro();
	FAILS(EROFS, op->act(ro_name(op)));
}

static void
ro_mount_refuses(const void *arg)
{
	const struct path_op *op = arg;
	char path[32];

	OK(ro_content_create("."));
	make_dir("view", 0777);
	bind_read_only("view");
	OK(chdir("view"));
	snprintf(path, sizeof(path), "%s", ro_name(op));
	FAILS(EROFS, op->act(path));
}

/* Where both hold, that the name exists is said, as other file systems do. */
static void
ro_exists(const void *arg)
{
	const struct path_op *op = arg;

	enter_ro();
	FAILS(EEXIST, op->act("link"));
}

static void
ro_missing(const void *arg)
{
	const struct path_op *op = arg;

	enter_ro();
	FAILS(ENOENT, op->act("missing"));
}

static void
ro_reads(void)
{
	struct stat st;

	enter_ro();
	st = stat_of("file");
	EQ(st.st_nlink, 2);
	EQ(st.st_size, 7);
	CHECK(S_ISDIR(stat_of("directory").st_mode));
	EQ(readlink("link", (char[8]){0}, 8), 4);
	OK(open("fifo", O_RDWR | O_NONBLOCK));
	OK(open("file", O_RDONLY | O_CREAT, 0644));
}

static void
ro_access(void)
{
	enter_ro();
	OK(access("file", R_OK));
	FAILS(EROFS, access("file", W_OK));
}

static void
ro_open_forms(void)
{
	enter_ro();
	FAILS(EROFS, open("file", O_RDWR));
	FAILS(EROFS, open("file", O_RDONLY | O_TRUNC));
	FAILS(EROFS, open("new", O_RDONLY | O_CREAT, 0644));
}

static void
ro_descriptors(void)
{
	enter_ro();
	int fd = open_file("file", O_RDONLY);
	FAILS(EROFS, fchmod(fd, 0600));
	FAILS(EROFS, fchown(fd, geteuid(), getegid()));
	FAILS(EROFS, futimens(fd, NULL));
}

static void
ro_xattr(void)
{
	enter_ro();
	FAILS(EROFS, setxattr("file", "user.one", "1", 1, 0));
}

static void
ro_user_no_write(void)
{
	/* A user who may not write is told that, or that nobody may: both are promised.
	 */
	enter_ro();
	become(ID_A);
	FAILS(EROFS, open("file", O_WRONLY));
}

/* ---- ENOSPC ---- */

#define FILL_LIMIT 200000 /* files; a file system with room for more is not small */

#define MORE_NAMES 2000 /* that a full one may still find room for */
#define SMALL_NAME "posix-suite.full"

struct full {
	unsigned int n_files;
};

static void
small_clear(void)
{
	int fd = open(SMALL_NAME, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	EQ(tree_clear(fd), 0);
	OK(close(fd));
	OK(rmdir(SMALL_NAME));
}

/* Runs in a directory of its own, which a case that failed may have left full. */
static void
small_enter(struct full *f)
{
	struct statvfs fs;

	OK(chdir(env.small_dir));
	OK(statvfs(".", &fs));
	if (fs.f_blocks * fs.f_frsize > 256ull << 20)
		FAIL("--small-dir %s is larger than 256 MiB", env.small_dir);
	small_clear();
	OK(mkdir(SMALL_NAME, 0755));
	OK(chdir(SMALL_NAME));
	f->n_files = 0;
}

static void
fill_bytes(void)
{
	static char buf[65536];
	int fd = open_file("filler", O_WRONLY | O_CREAT);
	ssize_t n;
	size_t size = sizeof(buf);

	fill(buf, size);
	while (size > 0) {
		n = write(fd, buf, size);
		if (n < 0 && errno != ENOSPC)
			FAIL("filling the file system: %s", error_name(errno));
		if (n < 0)
			size /= 2;
	}
	OK(close(fd));
}

static void
fill_names(struct full *f)
{
	char name[32];

	while (f->n_files < FILL_LIMIT) {
		snprintf(name, sizeof(name), "n%u", f->n_files);
		if (mknod(name, S_IFREG | 0644, 0) != 0) {
			EQ(errno, ENOSPC);
			return;
		}
		f->n_files++;
	}
	skip("--small-dir has room for more than %d files", FILL_LIMIT);
}

static void
small_leave(void)
{
	OK(chdir(".."));
	small_clear();
}

/* Makes one more name by the call under test. */
static int
another_name(const struct path_op *op, unsigned int i)
{
	char from[16], name[NAME_MAX + 1];

	snprintf(name, sizeof(name), "into/%0200u", i);
	if (strcmp(op->call, "rename") != 0)
		return op->act(name);
	snprintf(from, sizeof(from), "n%u", i);
	return rename(from, name);
}

/*
 * Calls until the file system is full to the last name: a directory may have room for
 * some more entries though no inode is left. Leaves the full directory before it reports.
 */
static void
full_refuses(const void *op)
{
	struct full f;
	int error = 0;

	small_enter(&f);
	path_op_source();
	make_file("filler", 0644);
	make_dir("into", 0755);
	fill_names(&f);
	fill_bytes();
	for (unsigned int i = 0; i < f.n_files && i < MORE_NAMES && error == 0; i++)
		if (another_name(op, i) != 0)
			error = errno;
	small_leave();
	if (error == 0)
		skip("the full file system has room for another %d names", MORE_NAMES);
	EQ(error, ENOSPC);
}

static void
full_write(void)
{
	struct full f;
	int error = 0;

	small_enter(&f);
	int fd = open_file("file", O_WRONLY | O_CREAT);
	EQ(write(fd, "begin", 5), 5);
	fill_bytes();
	for (off_t at = 0; at < 1 << 20 && error == 0; at += 4096)
		if (pwrite(fd, "x", 1, at + 8192) < 0)
			error = errno;
	OK(close(fd));
	int again = open_file("file", O_RDONLY);
	char got[8] = "";
	EQ(read(again, got, 5), 5);
	OK(close(again));
	small_leave();
	CHECK(memcmp(got, "begin", 5) == 0);
	EQ(error, ENOSPC);
}

static void
full_allocate(void)
{
	struct statvfs fs;
	struct full f;

	small_enter(&f);
	OK(statvfs(".", &fs));
	int fd = open_file("file", O_RDWR | O_CREAT);
	int error = posix_fallocate(fd, 0, (off_t)(fs.f_blocks * fs.f_frsize * 2));
	OK(close(fd));
	small_leave();
	NUMBER(ENOSPC, error);
}

static void
full_then_free(void)
{
	struct full f;

	small_enter(&f);
	fill_bytes();
	OK(unlink("filler"));
	make_text("file", "text");
	check_text("file", "text");
	small_leave();
}

static void
full_statvfs(void)
{
	struct statvfs before, during, after;
	struct full f;

	small_enter(&f);
	OK(statvfs(".", &before));
	fill_bytes();
	OK(statvfs(".", &during));
	OK(unlink("filler"));
	OK(statvfs(".", &after));
	small_leave();
	CHECK(during.f_bavail * during.f_frsize <= 65536);
	CHECK(during.f_bfree < before.f_bfree);
	CHECK(after.f_bfree > during.f_bfree);
}

/* ---- planted errors ---- */

static void
planted_edquot(const void *arg)
{
	const struct path_op *op = arg;
	int fd;

	OK(chdir(env.planted_dir));
	fd = open("source", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	OK(fd);
	FAILS(EDQUOT, op->act("edquot-name"));
	FAILS(ENOENT, access("edquot-name", F_OK));
}

static void
planted_eio(const void *arg)
{
	const struct path_op *op = arg;

	OK(chdir(env.planted_dir));
	OK(open("source", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	if ((op->flags & OP_CREATES) == 0)
		OK(open("eio-file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	FAILS(EIO, op->act((op->flags & OP_CREATES) != 0 ? "eio-new" : "eio-file"));
}

/* The manual pages of these calls promise EIO. */
static bool
promises_eio(const struct path_op *op)
{
	static const char *const calls[] = {"chmod",   "chown",	   "link",
					    "symlink", "truncate", "unlink"};

	if (strcmp(op->call, "link") == 0 && strcmp(op->label, "old") == 0)
		return false;
	for (size_t i = 0; i < COUNT(calls); i++)
		if (strcmp(calls[i], op->call) == 0)
			return true;
	return false;
}

static void
add_eio(void)
{
	for (size_t i = 0; i < n_path_ops; i++) {
		const struct posix_case c = {
			path_ops[i].call,
			EIO,
			"planted",
			AS_INVOKER | NEED_PLANTED,
			"The file system answers with an input/output error.",
			.run_arg = planted_eio,
			.arg = &path_ops[i],
		};

		if (promises_eio(&path_ops[i]))
			posix_case_add_named(&c, path_ops[i].label);
	}
}

static const struct path_situation situations[] = {
	{EROFS, "read-only", AS_INVOKER | NEED_RO, 0, OP_READS,
	 "The file system is read-only.", ro_refuses},
	{EROFS, "read-only-mount", AS_ROOT | NEED_MOUNTS, 0, OP_READS,
	 "The mount is read-only.", ro_mount_refuses},
	{EEXIST, "read-only-exists", AS_INVOKER | NEED_RO, OP_EXCLUSIVE, 0,
	 "An existing name on a read-only file system.", ro_exists},
	{ENOENT, "read-only-missing", AS_INVOKER | NEED_RO, 0,
	 OP_CREATES | OP_CHANGES_DIR, "A missing name on a read-only file system.",
	 ro_missing},
	{ENOSPC, "full", AS_INVOKER | NEED_SMALL, OP_SPACE, 0,
	 "The file system has no room for another name.", full_refuses},
	{EDQUOT, "planted", AS_INVOKER | NEED_PLANTED, OP_SPACE, 0,
	 "The user's quota is used up.", planted_edquot},
};

static const struct posix_case cases[] = {
	{"open", 0, "read-only-reads", AS_INVOKER | NEED_RO,
	 "A read-only file system is read.", ro_reads},
	{"open", EROFS, "read-only-forms", AS_INVOKER | NEED_RO,
	 "Every way to open for a change.", ro_open_forms},
	{"open", EROFS, "read-only-user", AS_ROOT | NEED_RO, "Another user.",
	 ro_user_no_write},
	{"access", EROFS, "read-only", AS_INVOKER | NEED_RO,
	 "W_OK on a read-only file system.", ro_access},
	{"chmod", EROFS, "read-only-descriptor", AS_INVOKER | NEED_RO,
	 "fchmod, fchown and futimens.", ro_descriptors},
	{"setxattr", EROFS, "read-only", AS_INVOKER | NEED_RO,
	 "An attribute on a read-only file system.", ro_xattr},
	{"write", ENOSPC, "full", AS_INVOKER | NEED_SMALL,
	 "No room for more bytes; what was written stays.", full_write},
	{"posix_fallocate", ENOSPC, "full", AS_INVOKER | NEED_SMALL,
	 "Twice the size of the file system.", full_allocate},
	{"write", 0, "room-again", AS_INVOKER | NEED_SMALL, "Removal makes room.",
	 full_then_free},
	{"statvfs", 0, "full", AS_INVOKER | NEED_SMALL, "Free blocks go and come back.",
	 full_statvfs},
};

void
posix_add_view(void)
{
	path_situations_add(situations, COUNT(situations));
	posix_cases_add(cases, COUNT(cases));
	add_eio();
}
