/* execve(2): permission, ETXTBSY both ways, set-id programs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "groups.h"
#include "harness.h"
#include "runner.h"

/* ---- the other program: posix-suite --helper MODE, run from the file system under test
 * ---- */

/*
 * By _exit: a set-id process is denied what run time checkers do at the end. The ids come
 * as IDS_SAME, + 1 when set-user-id and + 2 when set-group-id took effect.
 */
#define IDS_SAME 100

int
helper_main(const char *mode)
{
	char c;

	if (strcmp(mode, "exit-42") == 0)
		_exit(42);
	if (strcmp(mode, "ids") == 0)
		_exit(IDS_SAME +
		      ((getuid() != geteuid()) | (getgid() != getegid()) << 1));
	if (strcmp(mode, "wait") == 0)
		_exit(write(STDOUT_FILENO, "x", 1) != 1 || read(STDIN_FILENO, &c, 1) < 0);
	fprintf(stderr, "posix-suite: no such helper\n");
	return 2;
}

/*
 * A copy of the suite's own program in the directory under test. It is read by the link
 * in /proc, since other users may be unable to reach it by its path.
 */
static void
make_program(const char *path, mode_t mode)
{
	static char buf[1 << 16];
	int in = open_file("/proc/self/exe", O_RDONLY);
	int out = open_file(path, O_WRONLY | O_CREAT | O_EXCL);
	ssize_t n;

	while ((n = OK(read(in, buf, sizeof(buf)))) > 0)
		EQ(write(out, buf, (size_t)n), n);
	OK(fchmod(out, mode));
	OK(close(in));
	OK(close(out));
}

static int
run_helper(enum identity id, const char *path, const char *mode)
{
	char *const argv[] = {(char *)(uintptr_t)path, (char[]){"--helper"},
			      (char *)(uintptr_t)mode, NULL};

	return run_program(id, path, argv);
}

static void
exec_ok(void)
{
	make_program("p", 0755);
	EQ(run_helper(ID_INVOKER, "./p", "exit-42"), 42);
}

static void
exec_only(void)
{
	/* Execute permission alone suffices for a binary. */
	make_program("p", 0111);
	EQ(run_helper(ID_INVOKER, "./p", "exit-42"), 42);
}

static void
exec_script(void)
{
	char *const argv[] = {(char[]){"./s"}, NULL};

	make_text("s", "#!/bin/sh\nexit 43\n");
	OK(chmod("s", 0755));
	EQ(run_program(ID_INVOKER, "./s", argv), 43);
}

static void
exec_no_permission(void)
{
	make_program("p", 0644);
	EQ(run_helper(ID_INVOKER, "./p", "exit-42"), 256 + EACCES);
}

static void
exec_classes(void)
{
	make_program("p", 0755);
	give("p", uid_a(), gid_g());
	OK(chmod("p", 0611));
	EQ(run_helper(ID_A, "./p", "exit-42"), 256 + EACCES);
	EQ(run_helper(ID_B, "./p", "exit-42"), 42);
	EQ(run_helper(ID_B_SUPP, "./p", "exit-42"), 42);
	OK(chmod("p", 0701));
	EQ(run_helper(ID_B_SUPP, "./p", "exit-42"), 256 + EACCES);
	EQ(run_helper(ID_A, "./p", "exit-42"), 42);
}

static void
exec_directory(void)
{
	make_dir("d", 0755);
	EQ(run_helper(ID_INVOKER, "./d", "exit-42"), 256 + EACCES);
}

static void
exec_format(void)
{
	make_text("f", "no program");
	OK(chmod("f", 0755));
	EQ(run_helper(ID_INVOKER, "./f", "exit-42"), 256 + ENOEXEC);
}

static void
exec_missing(void)
{
	EQ(run_helper(ID_INVOKER, "./missing", "exit-42"), 256 + ENOENT);
}

static void
exec_open_for_writing(void)
{
	make_program("p", 0755);
	int fd = open("p", O_WRONLY); /* kept open over the helper's execve */
	OK(fd);
	int status = run_helper(ID_INVOKER, "./p", "exit-42");
	if (status == 42)
		skip("this kernel runs files that are open for writing");
	EQ(status, 256 + ETXTBSY);
	OK(close(fd));
	EQ(run_helper(ID_INVOKER, "./p", "exit-42"), 42);
}

static void
exec_set_user(void)
{
	make_program("p", 0755);
	give("p", uid_b(), gid_b());
	OK(chmod("p", 04755));
	EQ(run_helper(ID_A, "./p", "ids"), IDS_SAME + 1);
	OK(chmod("p", 02755));
	EQ(run_helper(ID_A, "./p", "ids"), IDS_SAME + 2);
	OK(chmod("p", 06755));
	EQ(run_helper(ID_A, "./p", "ids"), IDS_SAME + 3);
	OK(chmod("p", 0755));
	EQ(run_helper(ID_A, "./p", "ids"), IDS_SAME);
}

static void
exec_set_gid_without_execute(void)
{
	make_program("p", 0755);
	give("p", uid_b(), gid_b());
	OK(chmod("p", 02745));
	EQ(run_helper(ID_A, "./p", "ids"), IDS_SAME);
}

/* ---- a program that runs ---- */

static void
start(void *arg)
{
	struct turns *t = arg;
	char *const argv[] = {(char[]){"./p"}, (char[]){"--helper"}, (char[]){"wait"},
			      NULL};
	char *const no_env[] = {NULL};

	OK(dup2(t->to_child[0], STDIN_FILENO));
	OK(dup2(t->to_parent[1], STDOUT_FILENO));
	execve("./p", argv, no_env);
	FAIL("execve: %s", error_name(errno));
}

/* Runs attempt() while "p" is being executed. */
static void
while_running(void (*attempt)(void))
{
	struct turns t;

	make_program("p", 0755);
	turns_init(&t);
	pid_t pid = spawn(start, &t);
	turn_wait(t.to_parent);
	attempt();
	turn_give(t.to_child);
	wait_for(pid);
}

static void
attempt_open(void)
{
	FAILS(ETXTBSY, open("p", O_WRONLY));
	FAILS(ETXTBSY, open("p", O_RDWR));
	FAILS(ETXTBSY, open("p", O_WRONLY | O_CREAT, 0644));
}

static void
busy_open(void)
{
	while_running(attempt_open);
	OK(open("p", O_WRONLY));
}

static void
attempt_open_truncate(void)
{
	FAILS(ETXTBSY, open("p", O_WRONLY | O_TRUNC));
	CHECK(size_of("p") > 0);
}

static void
busy_open_truncate(void)
{
	while_running(attempt_open_truncate);
}

static void
attempt_truncate(void)
{
	FAILS(ETXTBSY, truncate("p", 0));
	CHECK(size_of("p") > 0);
}

static void
busy_truncate(void)
{
	while_running(attempt_truncate);
}

static void
attempt_link(void)
{
	OK(link("p", "q"));
	FAILS(ETXTBSY, open("q", O_WRONLY));
}

static void
busy_link(void)
{
	while_running(attempt_link);
}

static void
attempt_remove(void)
{
	OK(chmod("p", 0700));
	OK(open("p", O_RDONLY));
	OK(rename("p", "q"));
	OK(unlink("q"));
}

static void
busy_remove(void)
{
	while_running(attempt_remove);
}

static void
attempt_replace(void)
{
	make_program("q", 0755);
	OK(rename("q", "p"));
	EQ(run_helper(ID_INVOKER, "./p", "exit-42"), 42);
}

static void
busy_replace(void)
{
	while_running(attempt_replace);
}

static const struct posix_case cases[] = {
	{"execve", 0, "runs", AS_BOTH | NEED_EXEC, "A program runs from the file system.",
	 exec_ok},
	{"execve", 0, "execute-only", AS_USER | NEED_EXEC,
	 "Execute permission alone suffices.", exec_only},
	{"execve", 0, "script", AS_INVOKER | NEED_EXEC, "A script runs.", exec_script},
	{"execve", EACCES, "no-permission", AS_BOTH | NEED_EXEC,
	 "Without any execute bit nobody runs it.", exec_no_permission},
	{"execve", EACCES, "classes", AS_ROOT | NEED_EXEC,
	 "Owner, supplementary group and others each by their bit.", exec_classes},
	{"execve", EACCES, "directory", AS_INVOKER, "A directory is no program.",
	 exec_directory},
	{"execve", ENOEXEC, "format", AS_INVOKER | NEED_EXEC, "Text is no program.",
	 exec_format},
	{"execve", ENOENT, "missing", AS_INVOKER, "No such file.", exec_missing},
	{"execve", ETXTBSY, "open-for-writing", AS_INVOKER | NEED_EXEC,
	 "The file is open for writing.", exec_open_for_writing},
	{"execve", 0, "set-id", AS_ROOT | NEED_EXEC | NEED_SUID,
	 "Set-id bits give owner and group.", exec_set_user},
	{"execve", 0, "set-gid-without-execute", AS_ROOT | NEED_EXEC | NEED_SUID,
	 "Set-group-id without group execute gives nothing.",
	 exec_set_gid_without_execute},
	{"open", ETXTBSY, "running", AS_BOTH | NEED_EXEC,
	 "A running program is not opened for writing.", busy_open},
	{"open", ETXTBSY, "running-truncate", AS_INVOKER | NEED_EXEC,
	 "A running program is not emptied.", busy_open_truncate},
	{"open", ETXTBSY, "running-by-other-name", AS_INVOKER | NEED_EXEC,
	 "Nor by another of its names.", busy_link},
	{"truncate", ETXTBSY, "running", AS_BOTH | NEED_EXEC,
	 "A running program is not truncated.", busy_truncate},
	{"unlink", 0, "running", AS_INVOKER | NEED_EXEC,
	 "A running program is renamed and removed.", busy_remove},
	{"rename", 0, "over-running", AS_INVOKER | NEED_EXEC,
	 "A running program is replaced.", busy_replace},
};

POSIX_GROUP(exec, cases)
