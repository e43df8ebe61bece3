/*
 * Runs one case: a fresh directory, a child process in a process group of its own with
 * the identity that the case asks for, a deadline, and the removal of what is left.
 */
#include "runner.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>

#define CASE_TIMEOUT_MS 20000
#define DEATH_TIMEOUT_MS 3000

struct shared {
	char text[OUTCOME_TEXT_SIZE];
	int helper_errno;
};

char *outcome_text;

static struct shared *shared;
static int base_fd = -1; /* the suite's own directory below the one under test */
static char base_name[32];
static bool interrupted;

void
helper_errno_set(int error)
{
	shared->helper_errno = error;
}

int
helper_errno(void)
{
	return shared->helper_errno;
}

static unsigned int
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (unsigned int)(now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

/* ---- what a case cannot have ---- */

static const struct {
	unsigned int need;
	unsigned long flag;
	const char *reason;
} flag_needs[] = {
	{NEED_EXEC, ST_NOEXEC, "the file system is mounted noexec"},
	{NEED_DEV, ST_NODEV, "the file system is mounted nodev"},
	{NEED_SUID, ST_NOSUID, "the file system is mounted nosuid"},
};

static const char *
missing(const struct posix_case *c)
{
	if ((c->needs & (AS_ROOT | NEED_MOUNTS)) != 0 && !env.root)
		return "needs root";
	if ((c->needs & AS_USER) != 0 && env.root && !env.users)
		return "other users cannot work in the directory under test";
	if ((c->needs & NEED_RO) != 0 && env.ro_dir == NULL)
		return "no --ro-dir";
	if ((c->needs & NEED_SMALL) != 0 && env.small_dir == NULL)
		return "no --small-dir";
	if ((c->needs & NEED_PLANTED) != 0 && env.planted_dir == NULL)
		return "no --planted-dir";
	for (size_t i = 0; i < COUNT(flag_needs); i++)
		if ((c->needs & flag_needs[i].need) != 0 &&
		    (env.mount_flags & flag_needs[i].flag) != 0)
			return flag_needs[i].reason;
	return NULL;
}

/* ---- the child ---- */

static int
child_main(const struct posix_case *c, const char *name)
{
	struct rlimit no_core = {0};
	sigset_t none;
	int fd;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setrlimit(RLIMIT_CORE, &no_core);
	prctl(PR_SET_DUMPABLE, 1);
	umask(022);
	fd = (int)OK(openat(base_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	OK(fchdir(fd));
	OK(close(fd));
	if (env.root)
		become((c->needs & AS_USER) != 0 ? ID_A : ID_ROOT);
	if (c->run != NULL)
		c->run();
	else
		c->run_arg(c->arg);
	return OUTCOME_PASSED;
}

/* ---- the parent ---- */

/* The end of a child and the wish to stop, blocked and waited for. */
static void
signals_waited_for(sigset_t *ret_set)
{
	sigemptyset(ret_set);
	sigaddset(ret_set, SIGCHLD);
	sigaddset(ret_set, SIGINT);
	sigaddset(ret_set, SIGTERM);
}

/* True when the child ended within the time; ret_status as from waitpid. */
static bool
wait_child(pid_t pid, unsigned int timeout_ms, int *ret_status)
{
	unsigned int end = now_ms() + timeout_ms;
	sigset_t waited;
	int got;

	signals_waited_for(&waited);
	for (;;) {
		int left = (int)(end - now_ms());
		struct timespec wait = {.tv_sec = left / 1000,
					.tv_nsec = (left % 1000) * 1000000L};

		if (waitpid(pid, ret_status, WNOHANG) == pid)
			return true;
		if (left <= 0)
			return false;
		got = sigtimedwait(&waited, NULL, &wait);
		if (got == SIGINT || got == SIGTERM) {
			interrupted = true;
			kill(-pid, SIGKILL);
		}
	}
}

static void
outcome_set(struct result *r, enum outcome outcome, const char *text)
{
	r->outcome = outcome;
	snprintf(r->text, sizeof(r->text), "%s", text);
}

static void
outcome_from_status(struct result *r, int status)
{
	char text[64];

	if (WIFSIGNALED(status)) {
		snprintf(text, sizeof(text), "died by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
		outcome_set(r, OUTCOME_FAILED, text);
	} else if (WEXITSTATUS(status) == OUTCOME_PASSED) {
		outcome_set(r, OUTCOME_PASSED, "");
	} else if (WEXITSTATUS(status) == OUTCOME_SKIPPED) {
		outcome_set(r, OUTCOME_SKIPPED, shared->text);
	} else {
		outcome_set(r, OUTCOME_FAILED,
			    shared->text[0] ? shared->text : "no reason given");
	}
}

static int
case_dir_create(const struct posix_case *c, const char *name)
{
	if (mkdirat(base_fd, name, 0700) != 0)
		return errno;
	if (env.root && (c->needs & AS_USER) != 0 &&
	    fchownat(base_fd, name, uid_a(), gid_a(), 0) != 0)
		return errno;
	return fchmodat(base_fd, name, (c->needs & AS_USER) != 0 ? 0755 : 0777, 0) != 0
		       ? errno
		       : 0;
}

static int
case_dir_remove(const struct posix_case *c, const char *name)
{
	int fd = openat(base_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err;

	if (fd < 0) {
		/* The case may have taken the search bits away from its own directory. */
		fchmodat(base_fd, name, 0700, 0);
		fd = openat(base_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd < 0)
		return errno;
	fchmod(fd, 0700);
	err = -tree_clear(fd);
	close(fd);
	if (unlinkat(base_fd, name, AT_REMOVEDIR) != 0 && err == 0)
		err = errno;
	return err;
}

typedef int step(const struct posix_case *c, const char *name);

/*
 * Runs step(c, name) in a child in a process group of its own and ends what is left of
 * the group: the runner itself never waits for the file system under test. False when the
 * child did not end in time; else ret_status is as from waitpid.
 */
static bool
run_step(step *fn, const struct posix_case *c, const char *name, int *ret_status)
{
	pid_t pid;
	bool ended;

	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		perror("posix-suite: fork");
		exit(2);
	}
	if (pid == 0) {
		setpgid(0, 0);
		_exit(fn(c, name));
	}
	setpgid(pid, pid);
	ended = wait_child(pid, CASE_TIMEOUT_MS, ret_status);
	kill(-pid, SIGKILL);
	if (!ended)
		wait_child(pid, DEATH_TIMEOUT_MS, &(int){0});
	return ended;
}

static void
run_child(const struct posix_case *c, const char *name, struct result *r)
{
	int status = 0;

	memset(shared, 0, sizeof(*shared));
	if (run_step(child_main, c, name, &status))
		outcome_from_status(r, status);
	else
		outcome_set(r, OUTCOME_FAILED, "did not end within 20 s");
}

/* A step that answers with an errno: that, negative. */
static int
guarded(step *fn, const struct posix_case *c, const char *name)
{
	int status = 0;

	if (!run_step(fn, c, name, &status))
		return -ETIMEDOUT;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

/* A passed case that cannot be cleaned up did not pass: its file system is stuck. */
static void
clean(const char *name, struct result *r)
{
	int err = guarded(case_dir_remove, r->c, name);
	char text[128];

	if (err == 0 || r->outcome == OUTCOME_FAILED)
		return;
	snprintf(text, sizeof(text), "its directory cannot be removed: %s",
		 error_name(-err));
	outcome_set(r, OUTCOME_FAILED, text);
}

static void
apply_expectation(struct result *r)
{
	const char *reason = expect_reason(r->c);
	char text[OUTCOME_TEXT_SIZE];

	if (reason == NULL || r->outcome == OUTCOME_SKIPPED)
		return;
	if (r->outcome == OUTCOME_PASSED) {
		snprintf(text, sizeof(text), "passes, but is expected to fail: %s",
			 reason);
		outcome_set(r, OUTCOME_FAILED, text);
	} else {
		outcome_set(r, OUTCOME_EXPECTED, reason);
	}
}

void
runner_run(const struct posix_case *c, struct result *ret_result)
{
	static unsigned int serial;
	const char *reason = missing(c);
	unsigned int begin = now_ms();
	char name[16];
	int err;

	*ret_result = (struct result){.c = c};
	if (reason != NULL) {
		outcome_set(ret_result, OUTCOME_SKIPPED, reason);
		return;
	}
	snprintf(name, sizeof(name), "%u", serial++);
	err = guarded(case_dir_create, c, name);
	if (err != 0) {
		outcome_set(ret_result, OUTCOME_FAILED, "its directory cannot be made: ");
		strcat(ret_result->text, error_name(-err));
	} else {
		run_child(c, name, ret_result);
		clean(name, ret_result);
	}
	ret_result->ms = now_ms() - begin;
	apply_expectation(ret_result);
}

/* ---- begin and end of a run ---- */

static void
probe_users(void)
{
	for (enum identity id = ID_A; id <= ID_B_SUPP; id++) {
		become(id);
		OK(access(".", R_OK | W_OK | X_OK));
		OK(mkdir("probe", 0755));
		OK(rmdir("probe"));
	}
}

static int
shared_init(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return -errno;
	outcome_text = shared->text;
	return 0;
}

static int
base_create(void)
{
	char path[4096];

	snprintf(base_name, sizeof(base_name), "posix-suite.%d", (int)getpid());
	snprintf(path, sizeof(path), "%s/%s", env.dir, base_name);
	if (mkdir(path, 0700) != 0 || chmod(path, 0755) != 0)
		return -errno;
	base_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return base_fd < 0 ? -errno : 0;
}

/* Finds out whether other users can work below the directory under test. */
static int
users_init(void)
{
	const struct posix_case probe = {.needs = AS_ROOT, .run = probe_users};
	struct result r = {.c = &probe};
	int err = guarded(case_dir_create, &probe, "probe");

	if (err != 0)
		return err;
	env.users = true;
	run_child(&probe, "probe", &r);
	env.users = r.outcome == OUTCOME_PASSED;
	if (!env.users)
		fprintf(stderr, "posix-suite: other users cannot work here: %s\n",
			r.text);
	return guarded(case_dir_remove, &probe, "probe");
}

int
runner_init(void)
{
	struct statvfs fs;
	sigset_t waited;
	int err = shared_init();

	if (err != 0)
		return err;
	err = base_create();
	if (err != 0)
		return err;
	if (fstatvfs(base_fd, &fs) == 0)
		env.mount_flags = fs.f_flag;
	/* Blocked only now: a file system that answers nothing must not make us immortal.
	 */
	signals_waited_for(&waited);
	sigprocmask(SIG_BLOCK, &waited, NULL);
	return env.root ? users_init() : 0;
}

bool
runner_interrupted(void)
{
	return interrupted;
}

void
runner_fini(void)
{
	char path[4096];
	sigset_t none;

	if (base_fd < 0)
		return;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	tree_clear(base_fd);
	close(base_fd);
	snprintf(path, sizeof(path), "%s/%s", env.dir, base_name);
	rmdir(path);
}
