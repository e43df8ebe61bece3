/* Wrong answers: the one who asked gets an error, and garbage from nobody. */
#include "tests/fault/faults.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { LISTING_MAX = 5000 };

/* ---------------------------------------------------------------- data */

static ssize_t
read_some(const char *name, char *bytes, size_t cap)
{
	int fd = open(name, O_RDONLY);

	if (fd < 0)
		return -1;
	ssize_t n = read(fd, bytes, cap);
	int err = errno;
	close(fd);
	errno = err;
	return n;
}

static ssize_t
write_some(const char *name)
{
	int fd = open(name, O_CREAT | O_WRONLY, 0644);

	if (fd < 0)
		return -1;
	ssize_t n = write(fd, content, CONTENT_SIZE);
	int err = errno;
	close(fd);
	errno = err;
	return n;
}

static void
read_fails(const char *name)
{
	char bytes[64];

	make_file(name);
	expect_error("read", read_some(name, bytes, sizeof(bytes)), EIO);
}

/* Fewer bytes are allowed; zeros in place of the rest are not. */
static void
read_is_prefix(const char *name)
{
	char bytes[64];

	make_file(name);
	ssize_t n = read_some(name, bytes, sizeof(bytes));
	EXPECT(n > 0 && n <= CONTENT_SIZE && !memcmp(bytes, content, (size_t)n),
	       "%zd bytes, and not the file's", n);
}

static void
write_fails(const char *name)
{
	expect_error("write", write_some(name), 0);
}

/* ---------------------------------------------------------------- information */

static void
make_any_file(const char *name)
{
	int fd = open(name, O_CREAT | O_RDWR, 0644);

	expect_alive("create", fd);
	if (fd < 0)
		return;
	expect_alive("write", write(fd, content, CONTENT_SIZE));
	close(fd);
}

static void
size_is_sane(const char *name)
{
	struct stat st;

	make_any_file(name);
	int result = stat(name, &st);
	expect_alive("stat", result);
	EXPECT(result == -1 || st.st_size >= 0, "a size of %lld", (long long)st.st_size);
	make_any_file(name);
}

static void
stat_lives(const char *name)
{
	struct stat st;

	make_any_file(name);
	expect_alive("stat", stat(name, &st));
}

/* It may be seen and removed; nobody is let in by a descriptor that says nothing. */
static void
open_fails(const char *name)
{
	make_any_file(name);
	expect_error("open", open(name, O_RDONLY), 0);
	expect_error("open for writing", open(name, O_WRONLY), 0);
}

/* ---------------------------------------------------------------- links, attributes */

static void
readlink_fails(const char *name)
{
	char target[4096];

	make_any_file(name);
	expect_error("readlink", readlink(name, target, sizeof(target)), 0);
	expect_error("open", open(name, O_RDONLY), 0);
}

static void
link_loops(const char *name)
{
	char target[4096];

	make_any_file(name);
	ssize_t n = readlink(name, target, sizeof(target));
	EXPECT(n == (ssize_t)strlen(name) && !memcmp(target, name, (size_t)n), "%zd bytes", n);
	expect_error("open", open(name, O_RDONLY), ELOOP);
}

static void
attributes_fail(const char *name)
{
	char value[64], list[4096];

	make_any_file(name);
	expect_error("getxattr", getxattr(name, "user.A", value, sizeof(value)), 0);
	expect_error("listxattr", listxattr(name, list, sizeof(list)), 0);
}

/* A chain whose last link is wrong may be repaired: then it is the two that are whole. */
static void
attributes_are_whole(const char *name)
{
	char value[64], list[4096];

	make_any_file(name);
	ssize_t n = getxattr(name, "user.A", value, sizeof(value));
	expect_alive("getxattr", n);
	EXPECT(n == -1 || (n == 1 && value[0] == '1'), "%zd bytes", n);
	n = listxattr(name, list, sizeof(list));
	expect_alive("listxattr", n);
	EXPECT(n == -1 || memmem(list, (size_t)n, "user.A", 7), "%zd bytes without user.A", n);
}

static void
streams_live(const char *name)
{
	char list[65536];

	make_any_file(name);
	ssize_t n = listxattr(name, list, sizeof(list));
	expect_alive("listxattr", n);
	for (ssize_t at = 0; at < n; at += (ssize_t)strlen(list + at) + 1)
		EXPECT(list[at], "an attribute without a name");
}

/* ---------------------------------------------------------------- listings */

/* Entries read until the end or an error, besides "." and "..". visit may be NULL. */
static int
list(const char *name, void (*visit)(const char *entry, void *ctx), void *ctx, int *ret_err)
{
	DIR *dir = opendir(name);
	struct dirent *d;
	int n = 0;

	*ret_err = errno;
	if (!dir)
		return -1;
	for (errno = 0; (d = readdir(dir)); errno = 0) {
		if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
			continue;
		EXPECT(++n < LISTING_MAX, "the listing does not end");
		if (visit)
			visit(d->d_name, ctx);
	}
	*ret_err = errno;
	closedir(dir);
	return n;
}

static void
listing_ends(const char *name)
{
	int err;

	make_directory(name);
	int n = list(name, NULL, NULL, &err);
	errno = err;
	expect_alive("readdir", err ? -1 : 0);
	printf("  %d entries, %s\n", n, err ? strerror(err) : "then the end");
}

static void
listing_fails(const char *name)
{
	int err;

	make_directory(name);
	list(name, NULL, NULL, &err);
	errno = err;
	expect_error("readdir", err ? -1 : 0, 0);
}

static void
check_entry(const char *entry, void *ctx)
{
	bool *found = ctx;
	struct stat st;

	EXPECT(entry[0] && !strchr(entry, '/') && strlen(entry) <= 255, "a name '%s'", entry);
	EXPECT(strncmp(entry, "mmmm", 4), "a name of %zu units", strlen(entry));
	found[0] |= !strcmp(entry, "good");
	found[1] |= !strcmp(entry, "last");
	expect_alive("stat", stat(entry, &st));
}

static void
listing_drops_bad_names(const char *name)
{
	bool found[2] = {false, false};
	int err;

	make_directory(name);
	list(name, check_entry, found, &err);
	EXPECT(err == 0, "%s", strerror(err));
	EXPECT(found[0] && found[1], "good names are missing");
}

/* ---------------------------------------------------------------- statuses */

static const struct {
	const char *name;
	int err;
} statuses[] = {
	{"evil-status-open-C000009A", ENOMEM},  /* INSUFFICIENT_RESOURCES */
	{"evil-status-open-C0000043", EBUSY},   /* SHARING_VIOLATION */
	{"evil-status-open-DEADBEEF", EIO},     /* nobody's */
	{"evil-status-open-40000000", EIO},     /* a success that is none */
	{"evil-status-open-00000104", 0},       /* REPARSE, without any */
	{"evil-status-read-C0000185", EIO},     /* IO_DEVICE_ERROR */
	{"evil-status-read-DEADBEEF", EIO},
	{"evil-status-read-80000005", 0},       /* BUFFER_OVERFLOW */
	{"evil-status-read-E0550079", EREMOTEIO}, /* errno 121, by its private status */
	{"evil-status-write-C000007F", ENOSPC}, /* DISK_FULL */
	{"evil-status-write-E055007A", EDQUOT},
	{"evil-status-write-C00000A2", EROFS},  /* MEDIA_WRITE_PROTECTED */
};

static int
wanted_errno(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
		if (!strcmp(statuses[i].name, name))
			return statuses[i].err;
	return 0;
}

static void
status_of_open(const char *name)
{
	make_file(name);
	expect_error("open", open(name, O_RDONLY), wanted_errno(name));
}

static void
status_of_read(const char *name)
{
	char bytes[64];

	make_file(name);
	expect_error("read", read_some(name, bytes, sizeof(bytes)), wanted_errno(name));
}

static void
status_of_write(const char *name)
{
	expect_error("write", write_some(name), wanted_errno(name));
}

static void
no_quota(const char *name)
{
	expect_error("create", open(name, O_CREAT | O_RDWR, 0644), EDQUOT);
	expect_error("mkdir", mkdir(name, 0755), EDQUOT);
	expect_error("symlink", symlink("x", name), EDQUOT);
	EXPECT(access(name, F_OK) == -1 && errno == ENOENT, "something was created");
}

static void
no_space(const char *name)
{
	expect_error("create", open(name, O_CREAT | O_RDWR, 0644), ENOSPC);
	expect_error("mkdir", mkdir(name, 0755), ENOSPC);
	EXPECT(access(name, F_OK) == -1 && errno == ENOENT, "something was created");
}

/* ---------------------------------------------------------------- responses */

/* Every call that could meet the operation; none may break the drive. */
static void
poke(const char *name)
{
	char bytes[4096];
	struct stat st;
	int err;

	make_any_file(name);
	int fd = open(name, O_RDWR);
	expect_alive("open", fd);
	if (fd >= 0) {
		expect_alive("read", read(fd, bytes, sizeof(bytes)));
		expect_alive("write", write(fd, content, CONTENT_SIZE));
		expect_alive("fsync", fsync(fd));
		expect_alive("ftruncate", ftruncate(fd, 4));
		expect_alive("fstat", fstat(fd, &st));
		expect_alive("fchmod", fchmod(fd, 0600));
		expect_alive("fsetxattr", fsetxattr(fd, "user.k", "v", 1, 0));
		expect_alive("fgetxattr", fgetxattr(fd, "user.k", bytes, sizeof(bytes)));
		expect_alive("flistxattr", flistxattr(fd, bytes, sizeof(bytes)));
		close(fd);
	}
	expect_alive("stat", stat(name, &st));
	expect_alive("system.ntfs_acl", getxattr(name, "system.ntfs_acl", bytes, sizeof(bytes)));
	list(name, NULL, NULL, &err);
	expect_alive("unlink", unlink(name));
}

static void
poke_directory(const char *name)
{
	int err;

	make_directory(name);
	list(name, NULL, NULL, &err);
	errno = err;
	expect_alive("readdir", err ? -1 : 0);
	expect_alive("rmdir", rmdir(name));
}

static void
poke_link(const char *name)
{
	char target[4096];

	unlink(name);
	expect_alive("symlink", symlink("target", name));
	expect_alive("readlink", readlink(name, target, sizeof(target)));
	expect_alive("unlink", unlink(name));
}

static void
read_is_right(const char *name)
{
	make_file(name);
	expect_content(name);
}

static void
write_is_right(const char *name)
{
	make_file(name);
	expect_content(name);
	EXPECT(rename(name, "renamed") == 0, "rename: %s", strerror(errno));
	expect_content("renamed");
}

static void
read_has_error(const char *name)
{
	char bytes[64];

	make_file(name);
	expect_error("read", read_some(name, bytes, sizeof(bytes)), 0);
}

static void
close_leaks(const char *name)
{
	for (int i = 0; i < 50; i++) {
		make_file(name);
		expect_content(name);
	}
	EXPECT(unlink(name) == 0, "unlink: %s", strerror(errno));
}

const struct fault_case answer_cases[] = {
	{"data", "evil-read-long", read_fails},
	{"data", "evil-read-huge", read_fails},
	{"data", "evil-read-short", read_is_prefix},
	{"data", "evil-write-long", write_fails},
	{"data", "evil-write-huge", write_fails},
	{"data", "evil-write-zero", write_fails},

	{"info", "evil-size-max", size_is_sane},
	{"info", "evil-size-top", size_is_sane},
	{"info", "evil-times-max", stat_lives},
	{"info", "evil-links-max", stat_lives},
	{"info", "evil-attributes-all", stat_lives},
	{"info", "evil-sd-garbage", open_fails},
	{"info", "evil-sd-long", open_fails},
	{"info", "evil-sd-empty", stat_lives},

	{"special", "evil-reparse-garbage", readlink_fails},
	{"special", "evil-reparse-long", readlink_fails},
	{"special", "evil-reparse-short", readlink_fails},
	{"special", "evil-reparse-names", readlink_fails},
	{"special", "evil-reparse-loop", link_loops},
	{"special", "evil-ea-loop", attributes_are_whole},
	{"special", "evil-ea-cut", attributes_fail},
	{"special", "evil-ea-noterm", attributes_fail},
	{"special", "evil-ea-long", attributes_fail},
	{"special", "evil-ea-garbage", attributes_fail},
	{"streams", "evil-streams-long", streams_live},
	{"streams", "evil-streams-sizes", streams_live},
	{"streams", "evil-streams-names", streams_live},
	{"streams", "evil-streams-garbage", streams_live},

	{"listing", "evil-listing-stuck", listing_fails},
	{"listing", "evil-listing-cycle", listing_fails},
	{"listing", "evil-listing-long", listing_fails},
	{"listing", "evil-listing-garbage", listing_fails},
	{"listing", "evil-listing-sizes", listing_ends},
	{"listing", "evil-listing-none", listing_ends},
	{"listing", "evil-listing-names", listing_drops_bad_names},

	{"status", "evil-status-open-C000009A", status_of_open},
	{"status", "evil-status-open-C0000043", status_of_open},
	{"status", "evil-status-open-DEADBEEF", status_of_open},
	{"status", "evil-status-open-40000000", status_of_open},
	{"status", "evil-status-open-00000104", status_of_open},
	{"status", "evil-status-read-C0000185", status_of_read},
	{"status", "evil-status-read-DEADBEEF", status_of_read},
	{"status", "evil-status-read-80000005", status_of_read},
	{"status", "evil-status-read-E0550079", status_of_read},
	{"status", "evil-status-write-C000007F", status_of_write},
	{"status", "evil-status-write-E055007A", status_of_write},
	{"status", "evil-status-write-C00000A2", status_of_write},
	{"status", "edquot-file", no_quota},
	{"status", "enospc-file", no_space},

	{"response", "evil-garbage-open", poke},
	{"response", "evil-garbage-create", poke},
	{"response", "evil-garbage-read", poke},
	{"response", "evil-garbage-write", poke},
	{"response", "evil-garbage-getinfo", poke},
	{"response", "evil-garbage-setinfo", poke},
	{"response", "evil-garbage-flush", poke},
	{"response", "evil-garbage-getea", poke},
	{"response", "evil-garbage-setea", poke},
	{"response", "evil-garbage-getsecurity", poke},
	{"response", "evil-garbage-setsecurity", poke},
	{"response", "evil-garbage-cleanup", poke},
	{"response", "evil-garbage-readdir", poke_directory},
	{"response", "evil-garbage-fsctl", poke_link},
	{"response", "evil-huge-open", poke},
	{"response", "evil-huge-read", poke},
	{"response", "evil-huge-write", poke},
	{"response", "evil-huge-getinfo", poke},
	{"response", "evil-huge-getea", poke},
	{"response", "evil-huge-readdir", poke_directory},
	{"response", "evil-huge-fsctl", poke_link},
	{"response", "evil-badsize-read", read_has_error},
	{"response", "evil-badsize-open", poke},
	{"response", "evil-badsize-getinfo", poke},
	{"response", "evil-later-read", read_is_right},
	{"response", "evil-later-write", write_is_right},
	{"response", "evil-later-open", read_is_right},
	{"response", "evil-later-create", read_is_right},
	{"response", "evil-later-setinfo", write_is_right},
	{"response", "evil-later-cleanup", write_is_right},
	{"response", "evil-later-readdir", poke_directory},
	{"response", "evil-early-read", read_is_right},
	{"response", "evil-early-open", read_is_right},
	{"response", "evil-close-leak", close_leaks},
};
const size_t n_answer_cases = ARRAY_SIZE(answer_cases);
