/* Identities, helper processes and private mounts; see harness.h. */
#include "harness.h"

#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "runner.h"

/* ---- identities ---- */

uid_t
uid_a(void)
{
	return env.root ? env.base_uid : geteuid();
}

uid_t
uid_b(void)
{
	return env.base_uid + 1;
}

gid_t
gid_a(void)
{
	return env.root ? env.base_uid : getegid();
}

gid_t
gid_b(void)
{
	return env.base_uid + 1;
}

gid_t
gid_g(void)
{
	return env.base_uid + 2;
}

gid_t
gid_h(void)
{
	return env.base_uid + 3;
}

/* The saved id that is left: 0 lets become() return to root. */
static void
switch_to(uid_t uid, gid_t gid, const gid_t *groups, size_t n_groups, uid_t saved)
{
	if (geteuid() != 0)
		OK(setresuid(0, 0, 0));
	OK(setgroups(n_groups, groups));
	OK(setresgid(gid, gid, gid));
	OK(setresuid(uid, uid, saved));
}

static void
assume(enum identity id, bool forever)
{
	gid_t own[] = {gid_g(), gid_h()};
	gid_t other[] = {gid_a(), gid_g()};
	uid_t saved_a = forever ? uid_a() : 0;
	uid_t saved_b = forever ? uid_b() : 0;

	switch (id) {
	case ID_INVOKER:
		return;
	case ID_ROOT:
		switch_to(0, 0, NULL, 0, 0);
		return;
	case ID_A:
		switch_to(uid_a(), gid_a(), NULL, 0, saved_a);
		return;
	case ID_A_SUPP:
		switch_to(uid_a(), gid_a(), own, COUNT(own), saved_a);
		return;
	case ID_A_GROUP_B:
		switch_to(uid_a(), gid_b(), NULL, 0, saved_a);
		return;
	case ID_B:
		switch_to(uid_b(), gid_b(), NULL, 0, saved_b);
		return;
	case ID_B_SUPP:
		switch_to(uid_b(), gid_b(), other, COUNT(other), saved_b);
		return;
	}
}

void
become(enum identity id)
{
	if (id != ID_ROOT && id != ID_INVOKER && !env.users)
		skip("other users cannot work in the directory under test");
	assume(id, false);
}

void
become_forever(enum identity id)
{
	assume(id, true);
}

/* ---- processes ---- */

pid_t
spawn(void (*fn)(void *arg), void *arg)
{
	pid_t parent = getpid();
	pid_t pid = (pid_t)OK(fork());

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(OUTCOME_FAILED);
	fn(arg);
	_exit(OUTCOME_PASSED);
}

void
wait_for(pid_t pid)
{
	int status;

	OK(waitpid(pid, &status, 0));
	if (!WIFEXITED(status))
		FAIL("the helper process died by signal %d", WTERMSIG(status));
	if (WEXITSTATUS(status) != OUTCOME_PASSED)
		_exit(WEXITSTATUS(status)); /* outcome_text is shared and says why */
}

void
turns_init(struct turns *t)
{
	OK(pipe2(t->to_child, O_CLOEXEC));
	OK(pipe2(t->to_parent, O_CLOEXEC));
}

void
turn_give(int fd[2])
{
	OK(write(fd[1], "x", 1));
}

void
turn_wait(int fd[2])
{
	char c;

	OK(read(fd[0], &c, 1));
}

int
run_program(enum identity id, const char *path, char *const argv[])
{
	pid_t pid = (pid_t)OK(fork());
	char *const no_env[] = {NULL};
	int status;

	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY);

		dup2(null, STDERR_FILENO);
		become_forever(id);
		execve(path, argv, no_env);
		/* An exit status has 8 bits: 200 marks "execve failed", errno is shared.
		 */
		helper_errno_set(errno);
		_exit(200);
	}
	OK(waitpid(pid, &status, 0));
	if (WIFSIGNALED(status))
		return 128 + WTERMSIG(status);
	return WEXITSTATUS(status) == 200 ? 256 + helper_errno() : WEXITSTATUS(status);
}

/* ---- mounts ---- */

void
private_mounts(void)
{
	if (unshare(CLONE_NEWNS) != 0)
		skip("no mount namespace of its own: %s", error_name(errno));
	OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
}

void
bind_read_only(const char *path)
{
	private_mounts();
	OK(mount(".", path, NULL, MS_BIND, NULL));
	OK(mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
}

void
mount_other(const char *path)
{
	private_mounts();
	OK(mount("posix-suite", path, "tmpfs", 0, "size=1m"));
}
