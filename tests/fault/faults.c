/* The runner: cases, and the neighbour who must not notice them. */
#include "tests/fault/faults.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

const char content[CONTENT_SIZE + 1] = "0123456789";

uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void
fail_case(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	printf("%s:%d: ", file, line);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	_exit(1);
}

/* ---------------------------------------------------------------- what cases are made of */

void
make_file(const char *name)
{
	unlink(name);
	int fd = open(name, O_CREAT | O_EXCL | O_RDWR, 0644);

	EXPECT(fd >= 0, "%s cannot be created: %s", name, strerror(errno));
	EXPECT(write(fd, content, CONTENT_SIZE) == CONTENT_SIZE, "%s cannot be written: %s", name,
	       strerror(errno));
	EXPECT(close(fd) == 0, "%s cannot be closed: %s", name, strerror(errno));
}

void
make_directory(const char *name)
{
	EXPECT(mkdir(name, 0755) == 0 || errno == EEXIST, "%s cannot be made: %s", name,
	       strerror(errno));
}

static bool
is_broken_connection(int err)
{
	return err == ENOTCONN || err == ECONNABORTED || err == ENODEV;
}

void
expect_error(const char *what, long result, int wanted)
{
	int err = errno;

	EXPECT(result == -1, "%s gave %ld, not an error", what, result);
	EXPECT(!is_broken_connection(err) && err != EINTR, "%s: the drive is gone: %s", what,
	       strerror(err));
	EXPECT(wanted == 0 || err == wanted, "%s: %s (%d), not %s", what, strerror(err), err,
	       strerror(wanted));
}

void
expect_alive(const char *what, long result)
{
	EXPECT(result != -1 || !is_broken_connection(errno), "%s: the drive is gone: %s", what,
	       strerror(errno));
}

void
expect_content(const char *name)
{
	char bytes[CONTENT_SIZE * 2];
	int fd = open(name, O_RDONLY);
	ssize_t n;

	EXPECT(fd >= 0, "%s cannot be opened: %s", name, strerror(errno));
	n = read(fd, bytes, sizeof(bytes));
	EXPECT(n == CONTENT_SIZE && !memcmp(bytes, content, CONTENT_SIZE),
	       "%s: %zd bytes read, not what was written (%s)", name, n,
	       n < 0 ? strerror(errno) : "");
	close(fd);
}

/* ---------------------------------------------------------------- the neighbour */

struct neighbour {
	pid_t pid;
	struct shared {
		volatile int stop;
		volatile uint64_t n_rounds, slowest_ms;
	} *shared;
};

/* What a program does all day. Its own files, so nothing of the cases may reach it. */
static void
neighbour_round(uint64_t round, bool may_wait)
{
	char name[64], other[72];
	struct stat st;

	snprintf(name, sizeof(name), "neighbour/file-%llu", (unsigned long long)round % 8);
	snprintf(other, sizeof(other), "%s.new", name);
	make_file(name);
	EXPECT(stat(name, &st) == 0 && st.st_size == CONTENT_SIZE, "stat %s: %s", name,
	       strerror(errno));
	expect_content(name);
	if (rename(name, other) == -1) {
		EXPECT(may_wait && errno == ETIMEDOUT, "rename %s: %s", name, strerror(errno));
		strcpy(other, name);
	}
	EXPECT(truncate(other, 3) == 0, "truncate %s: %s", other, strerror(errno));
	EXPECT(unlink(other) == 0, "unlink %s: %s", other, strerror(errno));
	EXPECT(access(name, F_OK) == -1 && errno == ENOENT, "%s is still there", name);
}

static void
neighbour_run(struct shared *shared, bool may_wait)
{
	const struct timespec pause = {.tv_nsec = 2000000};

	while (!shared->stop) {
		uint64_t begin = now_ms();

		neighbour_round(shared->n_rounds, may_wait);
		shared->slowest_ms = MAX(shared->slowest_ms, now_ms() - begin);
		shared->n_rounds++;
		nanosleep(&pause, NULL);
	}
	_exit(0);
}

static void
neighbour_start(struct neighbour *n, bool may_wait)
{
	n->shared = mmap(NULL, sizeof(*n->shared), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	EXPECT(n->shared != MAP_FAILED, "no memory");
	make_directory("neighbour");
	n->pid = fork();
	EXPECT(n->pid >= 0, "no process");
	if (n->pid == 0)
		neighbour_run(n->shared, may_wait);
}

/* Undisturbed: no error, and it got on. */
static bool
neighbour_stop(struct neighbour *n)
{
	uint64_t before = n->shared->n_rounds, deadline = now_ms() + 10000;
	int status;

	while (n->shared->n_rounds < before + 2 && now_ms() < deadline &&
	       waitpid(n->pid, &status, WNOHANG) == 0)
		usleep(5000);
	bool works = n->shared->n_rounds >= before + 2;
	n->shared->stop = 1;
	if (!works)
		kill(n->pid, SIGKILL);
	works = waitpid(n->pid, &status, 0) == n->pid && WIFEXITED(status) &&
		WEXITSTATUS(status) == 0 && works;
	printf("  neighbour: %llu rounds, the slowest %llu ms%s\n",
	       (unsigned long long)n->shared->n_rounds, (unsigned long long)n->shared->slowest_ms,
	       works ? "" : ", DISTURBED");
	munmap(n->shared, sizeof(*n->shared));
	return works;
}

/* ---------------------------------------------------------------- running */

static void
release_all(void)
{
	int fd = open("release", O_CREAT | O_RDWR, 0644);

	if (fd >= 0)
		close(fd);
}

static int
wait_case(pid_t pid)
{
	uint64_t deadline = now_ms() + CASE_MAX_S * 1000;
	int status = 0;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (now_ms() > deadline) {
			printf("  hangs\n");
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return 1;
		}
		usleep(5000);
	}
	if (WIFSIGNALED(status))
		printf("  ended by signal %d\n", WTERMSIG(status));
	return status != 0;
}

static bool
run_case(const struct fault_case *c)
{
	struct neighbour neighbour;

	printf("%s %s\n", c->group, c->name);
	fflush(stdout);
	neighbour_start(&neighbour, c->holds_names);
	pid_t pid = fork();
	if (pid == 0) {
		c->run(c->name);
		release_all();
		make_file("afterwards"); /* the drive works */
		expect_content("afterwards");
		_exit(0);
	}
	bool failed = pid < 0 || wait_case(pid);
	if (!neighbour_stop(&neighbour))
		failed = true;
	release_all();
	printf("%s %s\n", failed ? "FAIL" : "ok", c->name);
	fflush(stdout);
	return !failed;
}

static int
run_group(const struct fault_case *cases, size_t n, const char *group, const char *only,
	  int *ret_failed)
{
	int n_run = 0;

	for (size_t i = 0; i < n; i++)
		if (!strcmp(cases[i].group, group) && (!only || !strcmp(cases[i].name, only))) {
			*ret_failed += !run_case(&cases[i]);
			n_run++;
		}
	return n_run;
}

int
main(int argc, char **argv)
{
	int failed = 0, n = 0;

	if (argc < 3 || chdir(argv[1]) < 0) {
		fprintf(stderr, "usage: faults DIRECTORY GROUP [CASE]\n");
		return 1;
	}
	n += run_group(answer_cases, n_answer_cases, argv[2], argv[3], &failed);
	n += run_group(hang_cases, n_hang_cases, argv[2], argv[3], &failed);
	printf("%d cases, %d failed\n", n, failed);
	return n == 0 || failed;
}
