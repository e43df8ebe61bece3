/*
 * The client side of the system's fusermount3, which is set-uid root: it opens /dev/fuse, mounts,
 * and sends the descriptor back over the socket named by _FUSE_COMMFD. With auto_unmount it
 * stays, and unmounts when our end of the socket closes: by fusek_unmount, or by our death.
 */
#include "fuse/mount_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/list.h"
#include "base/mutex.h"

static const char helper[] = "fusermount3";

/* A helper that stays until its mount ends. */
struct guard {
	struct list node;
	pid_t pid;
	int socket;
	char mountpoint[];
};

static struct mutex guards_lock = MUTEX_INIT;
static struct list guards = LIST_INIT(guards); /* ruled by guards_lock */

struct child {
	pid_t pid;
	int messages; /* what it writes to stderr */
};

/* Our environment and one more variable; the strings are borrowed. Free the array. */
static char **
environment_with(char *variable)
{
	size_t n = 0;

	while (environ[n])
		n++;
	char **env = calloc(n + 2, sizeof(*env));
	if (!env)
		return NULL;
	memcpy(env, environ, n * sizeof(*env));
	env[n] = variable;
	return env;
}

/* Starts the helper; comm_fd (or -1) stays open in it under its number. */
static int
helper_start(char *const argv[], int comm_fd, struct child *ret_child)
{
	char variable[32];
	int fds[2];
	posix_spawn_file_actions_t actions;

	snprintf(variable, sizeof(variable), "_FUSE_COMMFD=%d", comm_fd);
	CLEANUP(free_ptr) char **env = environment_with(variable);
	if (!env || pipe2(fds, O_CLOEXEC) < 0)
		return -ENOMEM;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fds[1], STDERR_FILENO);
	if (comm_fd >= 0) /* onto itself: clears close-on-exec */
		posix_spawn_file_actions_adddup2(&actions, comm_fd, comm_fd);
	int err = -posix_spawnp(&ret_child->pid, helper, &actions, NULL, argv, env);
	posix_spawn_file_actions_destroy(&actions);
	close(fds[1]);
	if (err < 0)
		close(fds[0]);
	else
		ret_child->messages = fds[0];
	return err;
}

/* Reads what it said until it closes stderr, then its exit status. 0 when it succeeded. */
static int
helper_finish(struct child *child, char *ret_said, size_t size)
{
	size_t n = 0;
	ssize_t got;
	int status = 0;

	while (n < size - 1 && (got = read(child->messages, ret_said + n, size - 1 - n)) > 0)
		n += (size_t)got;
	ret_said[n] = 0;
	ret_said[strcspn(ret_said, "\n")] = 0;
	close(child->messages);
	while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EPERM;
}

static int
explain_start(int err, const char *what, struct fusek_mount_error *error)
{
	if (err == -ENOENT)
		return fusek_mount_fail(error, ENOENT,
					"%s needs %s, which is not installed (Debian: apt install "
					"fuse3), or root",
					what, helper);
	return fusek_mount_fail(error, -err, "%s could not be started: %s", helper, strerror(-err));
}

/* What the helper says, and what a person can do about it. */
static int
explain_refusal(const char *mountpoint, const char *said, struct fusek_mount_error *error)
{
	static const struct {
		const char *word;
		int err;
		const char *advice;
	} known[] = {
		{"user_allow_other", EPERM, "; add user_allow_other to /etc/fuse.conf, or leave "
					    "allow_other out"},
		{"/dev/fuse: Permission denied", EACCES,
		 "; the device must be open to users: chmod 0666 /dev/fuse"},
		{"busy", EBUSY, "; find out by whom with: fuser -vm MOUNTPOINT"},
		{"not found in", EINVAL, ""},
		{"Invalid argument", EINVAL, ""},
		{"Permission denied", EACCES, "; the directory must be writable for you"},
		{"no write access", EACCES, "; choose a directory of yours"},
		{"device not found", ENOENT, "; load the module with: modprobe fuse"},
		{"too many", EMFILE, "; raise mount_max in /etc/fuse.conf"},
		{"not permitted", EPERM, "; fusermount3 must be set-uid root"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strstr(said, known[i].word))
			return fusek_mount_fail(error, known[i].err, "%s: %s%s", mountpoint, said,
						known[i].advice);
	return fusek_mount_fail(error, EPERM, "%s: %s", mountpoint,
				said[0] ? said : "fusermount3 refused without saying why");
}

/* The descriptor in the helper's message, or -1. */
static int
receive_descriptor(int socket)
{
	char byte;
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = sizeof(control)};
	ssize_t n;
	int fd;

	do
		n = recvmsg(socket, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;
	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
	    c->cmsg_len != CMSG_LEN(sizeof(int)))
		return -1;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

static void
guard_end(struct guard *guard)
{
	close(guard->socket);
	while (waitpid(guard->pid, NULL, 0) < 0 && errno == EINTR)
		;
	free(guard);
}

/* Takes socket. */
static int
guard_add(const char *mountpoint, pid_t pid, int socket)
{
	size_t n = strlen(mountpoint) + 1;
	struct guard *guard = malloc(sizeof(*guard) + n);

	if (!guard) {
		close(socket);
		return -ENOMEM;
	}
	guard->pid = pid;
	guard->socket = socket;
	memcpy(guard->mountpoint, mountpoint, n);
	mutex_lock(&guards_lock);
	list_insert(&guards, &guard->node);
	mutex_unlock(&guards_lock);
	return 0;
}

static struct guard *
guard_take(const char *mountpoint)
{
	struct guard *found = NULL;

	mutex_lock(&guards_lock);
	list_for_each(pos, &guards) {
		struct guard *guard = list_entry(pos, struct guard, node);

		if (strcmp(guard->mountpoint, mountpoint) == 0)
			found = guard;
	}
	if (found)
		list_remove(&found->node);
	mutex_unlock(&guards_lock);
	return found;
}

/* After the helper has started: takes the descriptor it sends. ours is taken. */
static int
finish_mount(struct child *child, int ours, const char *mountpoint, bool guarded,
	     struct fusek_mount_error *error)
{
	char said[256];
	int fd = receive_descriptor(ours);

	if (fd >= 0 && guarded) {
		close(child->messages);
		if (guard_add(mountpoint, child->pid, ours) == 0)
			return fd;
		close(fd);
		return fusek_mount_fail(error, ENOMEM, "%s: out of memory", mountpoint);
	}
	close(ours);
	int err = helper_finish(child, said, sizeof(said));
	if (fd >= 0)
		return fd;
	return err < 0 || said[0]
		       ? explain_refusal(mountpoint, said, error)
		       : fusek_mount_fail(error, EPROTO, "%s sent no descriptor", helper);
}

int
fusek_fusermount(const char *mountpoint, const struct fusek_mount_options *options,
		 struct fusek_mount_error *error)
{
	char text[1024];
	int fds[2];
	struct child child;
	char *argv[] = {(char *)(uintptr_t)helper, (char *)(uintptr_t) "-o", text,
			(char *)(uintptr_t) "--", (char *)(uintptr_t)mountpoint, NULL};

	if (!fusek_mount_options_format(options, text, sizeof(text)))
		return fusek_mount_fail(error, E2BIG, "%s: mount options too long", mountpoint);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return fusek_mount_fail(error, errno, "socketpair: %s", strerror(errno));
	int err = helper_start(argv, fds[1], &child);
	close(fds[1]);
	if (err < 0) {
		close(fds[0]);
		return explain_start(err, "mounting without root (or with auto_unmount)", error);
	}
	return finish_mount(&child, fds[0], mountpoint, options->auto_unmount, error);
}

int
fusek_fusermount_unmount(const char *mountpoint, bool lazy, struct fusek_mount_error *error)
{
	char said[256];
	struct child child;
	char *argv[] = {(char *)(uintptr_t)helper, (char *)(uintptr_t) "-u",
			(char *)(uintptr_t)(lazy ? "-z" : "--"),
			(char *)(uintptr_t)(lazy ? "--" : mountpoint),
			(char *)(uintptr_t)(lazy ? mountpoint : NULL), NULL};
	int err = helper_start(argv, -1, &child);

	if (err < 0)
		return explain_start(err, "unmounting without root", error);
	if (helper_finish(&child, said, sizeof(said)) < 0)
		return explain_refusal(mountpoint, said, error);
	fusek_mount_guard_end(mountpoint);
	return 0;
}

void
fusek_mount_guard_end(const char *mountpoint)
{
	struct guard *guard = guard_take(mountpoint);

	if (guard)
		guard_end(guard);
}
