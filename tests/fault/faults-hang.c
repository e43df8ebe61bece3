/*
 * Operations that hang, on a drive mounted with deadline=1000: that request ends in an error, on
 * time, and everything else goes on. The group "signal" wants a deadline of minutes.
 */
#include "tests/fault/faults.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* DEADLINE_MS as the drive has it. One call may be several requests (reading ahead, looking a name
 * up), each with a deadline of its own. */
enum { DEADLINE_MS = 1000, ON_TIME_MS = 8000, MANY = 40, AT_ONCE_MS = 3000 };

static void
release(void)
{
	int fd = open("release", O_CREAT | O_RDWR, 0644);

	EXPECT(fd >= 0, "release: %s", strerror(errno));
	close(fd);
}

static void
expect_timeout(const char *what, long result, uint64_t begin)
{
	int err = errno;
	uint64_t took = now_ms() - begin;

	errno = err;
	expect_error(what, result, 0);
	EXPECT(err == ETIMEDOUT || err == EIO, "%s: %s", what, strerror(err));
	EXPECT(took >= DEADLINE_MS / 2 && took < ON_TIME_MS, "%s took %llu ms", what,
	       (unsigned long long)took);
	printf("  %s: %s after %llu ms\n", what, strerror(err), (unsigned long long)took);
}

static void
read_times_out(const char *name)
{
	char bytes[64];

	make_file(name);
	int fd = open(name, O_RDONLY);
	EXPECT(fd >= 0, "open: %s", strerror(errno));
	uint64_t begin = now_ms();
	expect_timeout("read", read(fd, bytes, sizeof(bytes)), begin);
	release();
	close(fd);
	EXPECT(rename(name, "was-hanging") == 0, "rename: %s", strerror(errno));
	expect_content("was-hanging");
}

/* What the hanging call wrote arrives when it is let go, or not at all; never over later data. */
static void
write_times_out(const char *name)
{
	int fd = open(name, O_CREAT | O_RDWR, 0644);

	EXPECT(fd >= 0, "create: %s", strerror(errno));
	uint64_t begin = now_ms();
	expect_timeout("write", write(fd, content, CONTENT_SIZE), begin);
	release();
	close(fd);
	unlink("was-hanging");
	EXPECT(rename(name, "was-hanging") == 0, "rename: %s", strerror(errno));
	fd = open("was-hanging", O_WRONLY | O_TRUNC);
	EXPECT(fd >= 0, "open: %s", strerror(errno));
	EXPECT(write(fd, content, CONTENT_SIZE) == CONTENT_SIZE, "write: %s", strerror(errno));
	close(fd);
	expect_content("was-hanging");
}

static void
open_times_out(const char *name)
{
	make_file(name);
	uint64_t begin = now_ms();
	expect_timeout("open", open(name, O_RDONLY), begin);
	release();
	EXPECT(rename(name, "was-hanging") == 0, "rename: %s", strerror(errno));
	expect_content("was-hanging");
}

static pid_t
start(void (*run)(const char *name), const char *name)
{
	pid_t pid = fork();

	if (pid == 0) {
		run(name);
		_exit(0);
	}
	EXPECT(pid > 0, "no process");
	return pid;
}

static void
open_and_wait(const char *name)
{
	(void)!open(name, O_RDONLY);
}

static void
rename_and_wait(const char *name)
{
	(void)!rename("renamed/from", "renamed/to");
}

/* A rename must wait for an open that hangs, but nobody must wait for the rename. */
static void
others_pass_a_waiting_rename(const char *name)
{
	make_file(name);
	make_directory("renamed");
	make_file("renamed/from");
	make_directory("others");
	pid_t opener = start(open_and_wait, name);
	usleep(200000);
	pid_t renamer = start(rename_and_wait, name);
	usleep(200000);
	for (uint64_t begin = now_ms(); now_ms() - begin < 2 * DEADLINE_MS;) {
		uint64_t at = now_ms();

		make_file("others/file");
		expect_content("others/file");
		EXPECT(now_ms() - at < AT_ONCE_MS, "it took %llu ms",
		       (unsigned long long)(now_ms() - at));
	}
	EXPECT(access("renamed/to", F_OK) == -1, "the rename did not wait");
	release();
	waitpid(opener, NULL, 0);
	waitpid(renamer, NULL, 0);
	EXPECT(rename(name, "was-hanging") == 0, "rename: %s", strerror(errno));
}

/* The kernel holds the directory while it creates: a directory of its own. */
static void
create_times_out(const char *name)
{
	char path[128];

	make_directory("hanging");
	snprintf(path, sizeof(path), "hanging/%s", name);
	uint64_t begin = now_ms();
	expect_timeout("create", open(path, O_CREAT | O_RDWR, 0644), begin);
	release();
	usleep(200000);
	DIR *dir = opendir("hanging");
	EXPECT(dir && readdir(dir), "opendir: %s", strerror(errno));
	closedir(dir);
	unlink(path);
	EXPECT(rmdir("hanging") == 0, "rmdir: %s", strerror(errno));
}

static void
stat_times_out(const char *name)
{
	struct stat st;
	uint64_t begin = now_ms();

	expect_timeout("stat", stat(name, &st), begin);
	release();
	EXPECT(stat(name, &st) == -1, "a file that nobody made");
}

static void
readdir_times_out(const char *name)
{
	make_directory(name);
	DIR *dir = opendir(name);
	EXPECT(dir, "opendir: %s", strerror(errno));
	uint64_t begin = now_ms();
	errno = 0;
	struct dirent *d = readdir(dir);
	while (d && d->d_name[0] == '.')
		d = readdir(dir);
	expect_timeout("readdir", d ? 0 : -1, begin);
	release();
	closedir(dir);
	EXPECT(rmdir(name) == 0, "rmdir: %s", strerror(errno));
}

static void
fsync_times_out(const char *name)
{
	make_file(name);
	int fd = open(name, O_RDWR);
	EXPECT(fd >= 0, "open: %s", strerror(errno));
	EXPECT(write(fd, content, CONTENT_SIZE) == CONTENT_SIZE, "write: %s", strerror(errno));
	uint64_t begin = now_ms();
	expect_timeout("fsync", fsync(fd), begin);
	release();
	close(fd);
	expect_content(name);
}

static void
truncate_times_out(const char *name)
{
	make_file(name);
	uint64_t begin = now_ms();
	expect_timeout("truncate", truncate(name, 3), begin);
	release();
	EXPECT(access(name, F_OK) == 0, "access: %s", strerror(errno)); /* unlink would hang too */
}

static void
never_completes(const char *name)
{
	char bytes[64];

	make_file(name);
	int fd = open(name, O_RDONLY);
	EXPECT(fd >= 0, "open: %s", strerror(errno));
	uint64_t begin = now_ms();
	expect_timeout("read", read(fd, bytes, sizeof(bytes)), begin);
	close(fd);
}

/* More hanging calls than a queue has entries or a pool has threads. */
static void
many_time_out(const char *name)
{
	int failed = 0;
	char path[128];

	for (int i = 0; i < MANY; i++) {
		snprintf(path, sizeof(path), "%s-%d", name, i);
		make_file(path);
	}
	for (int i = 0; i < MANY; i++)
		if (fork() == 0) {
			char byte;

			snprintf(path, sizeof(path), "%s-%d", name, i);
			int fd = open(path, O_RDONLY);
			uint64_t begin = now_ms();
			ssize_t n = fd < 0 ? -1 : read(fd, &byte, 1);
			_exit(n != -1 || now_ms() - begin > 2 * ON_TIME_MS);
		}
	for (int status; wait(&status) > 0;)
		failed += status != 0;
	EXPECT(failed == 0, "%d of %d did not time out", failed, MANY);
	release();
}

/* Slow, but on time: nothing is the matter. */
static void
slow_is_right(const char *name)
{
	make_file(name);
	uint64_t begin = now_ms();
	expect_content(name);
	EXPECT(now_ms() - begin >= 250, "it was not slow");
}

/* ---------------------------------------------------------------- signals */

/* Opening is the caller's: an open would wait in the kernel for the pages that are being read. */
static pid_t
start_reader(int fd)
{
	pid_t pid = fork();
	char byte;

	if (pid == 0)
		_exit(fd < 0 || pread(fd, &byte, 1, 0) < 0 ? 2 : 0);
	EXPECT(pid > 0, "no process");
	return pid;
}

static int
open_hanging(const char *name)
{
	make_file(name);
	int fd = open(name, O_RDONLY);
	EXPECT(fd >= 0, "open: %s", strerror(errno));
	return fd;
}

static int
wait_until(pid_t pid, uint64_t deadline)
{
	int status = -1;

	while (waitpid(pid, &status, WNOHANG) == 0 && now_ms() < deadline)
		usleep(5000);
	return status;
}

/* Ctrl-C at a program that waits for the drive ends it, long before the deadline. */
static void
interrupt_ends_reader(const char *name)
{
	signal(SIGINT, SIG_DFL);
	pid_t pid = start_reader(open_hanging(name));
	usleep(300000);
	kill(pid, SIGINT);
	int status = wait_until(pid, now_ms() + AT_ONCE_MS);
	if (status == -1)
		kill(pid, SIGKILL);
	EXPECT(status != -1 && WIFSIGNALED(status) && WTERMSIG(status) == SIGINT,
	       "the reader was not ended by SIGINT (%x)", status);
	release();
	EXPECT(rename(name, "was-hanging") == 0, "rename: %s", strerror(errno));
	expect_content("was-hanging");
}

static void
on_signal(int signal_number)
{
	(void)signal_number;
}

/*
 * A program that handles the signal gets its call back, long before the deadline. fsync, not read:
 * who waits for a page of the cache is not interrupted by the kernel.
 */
static void
interrupt_returns_to_caller(const char *name)
{
	struct sigaction act = {.sa_handler = on_signal}; /* no SA_RESTART */

	make_file(name);
	int fd = open(name, O_RDWR);
	EXPECT(fd >= 0, "open: %s", strerror(errno));
	pid_t pid = fork();

	if (pid == 0) {
		sigaction(SIGINT, &act, NULL);
		_exit(fsync(fd) == -1 && errno == EINTR ? 0 : 2);
	}
	EXPECT(pid > 0, "no process");
	usleep(300000);
	kill(pid, SIGINT);
	int status = wait_until(pid, now_ms() + AT_ONCE_MS);
	if (status == -1)
		kill(pid, SIGKILL);
	EXPECT(status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == 0,
	       "the caller did not get EINTR (%x)", status);
	release();
	close(fd);
	expect_content(name);
}

/* A hanging call that nobody waits for any more, released late, answers nobody. */
static void
kill_ends_readers(const char *name)
{
	pid_t pids[8];
	int fd = open_hanging(name);

	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		pids[i] = start_reader(fd);
	usleep(300000);
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		kill(pids[i], SIGKILL);
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		EXPECT(wait_until(pids[i], now_ms() + AT_ONCE_MS) != -1, "a reader is left");
	release();
	close(fd);
	EXPECT(rename(name, "was-hanging") == 0, "rename: %s", strerror(errno));
	expect_content("was-hanging");
}

const struct fault_case hang_cases[] = {
	{"hang", "evil-hang-read", read_times_out},
	{"hang", "evil-hang-write", write_times_out},
	{"hang", "evil-hang-open", open_times_out, true},
	{"hang", "evil-hang-open-2", others_pass_a_waiting_rename, true},
	{"hang", "evil-hang-create", create_times_out, true},
	{"hang", "evil-hang-stat", stat_times_out, true},
	{"hang", "evil-hang-readdir", readdir_times_out, true},
	{"hang", "evil-hang-flush", fsync_times_out},
	{"hang", "evil-hang-setinfo", truncate_times_out, true},
	{"hang", "evil-never-read", never_completes},
	{"hang", "evil-slow-read", slow_is_right},
	{"many", "evil-hang-read", many_time_out},
	{"signal", "evil-hang-read", interrupt_ends_reader},
	{"signal", "evil-hang-read-2", kill_ends_readers},
	{"signal", "evil-hang-flush-2", interrupt_returns_to_caller},
};
const size_t n_hang_cases = ARRAY_SIZE(hang_cases);
