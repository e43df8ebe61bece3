/* Record locks (fcntl), their open-file form, and flock between processes. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/time.h>

#include "groups.h"
#include "harness.h"

static int
record(int fd, int command, short type, off_t start, off_t length)
{
	struct flock lock = {
		.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};

	return fcntl(fd, command, &lock);
}

/* A process that tries a lock on "f" and says by its exit whether it got what was wanted.
 */
struct attempt {
	int command;
	short type;
	off_t start, length;
	int error; /* 0: must be granted */
};

static void
attempt_record(void *arg)
{
	const struct attempt *a = arg;
	int fd = open_file("f", O_RDWR);

	if (a->error == 0)
		OK(record(fd, a->command, a->type, a->start, a->length));
	else
		FAILS(a->error, record(fd, a->command, a->type, a->start, a->length));
}

static void
other_process(short type, off_t start, off_t length, int error)
{
	struct attempt a = {F_SETLK, type, start, length, error};

	wait_for(spawn(attempt_record, &a));
}

static int
make_locked(short type, off_t start, off_t length)
{
	make_sized("f", 1000);
	int fd = open_file("f", O_RDWR);
	ABLE(record(fd, F_SETLK, type, start, length));
	return fd;
}

static void
record_exclusive(void)
{
	make_locked(F_WRLCK, 100, 100);
	other_process(F_WRLCK, 100, 100, EAGAIN);
	other_process(F_RDLCK, 199, 1, EAGAIN);
	other_process(F_WRLCK, 0, 100, 0);
	other_process(F_WRLCK, 200, 0, 0);
	other_process(F_WRLCK, 0, 0, EAGAIN);
}

static void
record_shared(void)
{
	make_locked(F_RDLCK, 0, 0);
	other_process(F_RDLCK, 0, 0, 0);
	other_process(F_WRLCK, 500, 1, EAGAIN);
}

static void
record_unlock_part(void)
{
	int fd = make_locked(F_WRLCK, 0, 1000);

	OK(record(fd, F_SETLK, F_UNLCK, 400, 200));
	other_process(F_WRLCK, 400, 200, 0);
	other_process(F_WRLCK, 399, 1, EAGAIN);
	other_process(F_WRLCK, 600, 1, EAGAIN);
}

static void
record_convert(void)
{
	int fd = make_locked(F_WRLCK, 0, 1000);

	OK(record(fd, F_SETLK, F_RDLCK, 0, 500));
	other_process(F_RDLCK, 0, 500, 0);
	other_process(F_RDLCK, 500, 1, EAGAIN);
}

static void
record_close_releases(void)
{
	make_locked(F_WRLCK, 0, 0);
	/* Closing any descriptor of the file drops the process's locks. */
	OK(close(open_file("f", O_RDONLY)));
	other_process(F_WRLCK, 0, 0, 0);
}

static void
hold_record(void *arg)
{
	struct turns *t = arg;
	int fd = open_file("f", O_RDWR);

	OK(record(fd, F_SETLK, F_WRLCK, 0, 0));
	turn_give(t->to_parent);
	turn_wait(t->to_child);
}

/* Starts a process that holds a lock on the new file "f" until it is given its turn. */
static pid_t
start_holder(void (*hold)(void *turns), struct turns *t)
{
	make_sized("f", 1000);
	turns_init(t);
	pid_t pid = spawn(hold, t);
	turn_wait(t->to_parent);
	return pid;
}

static void
record_exit_releases(void)
{
	struct turns t;
	pid_t pid = start_holder(hold_record, &t);
	int fd = open_file("f", O_RDWR);
	FAILS(EAGAIN, record(fd, F_SETLK, F_WRLCK, 0, 0));
	turn_give(t.to_child);
	OK(record(fd, F_SETLKW, F_WRLCK, 0, 0));
	wait_for(pid);
}

static void
record_query(void)
{
	struct flock lock = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0};
	struct turns t;
	pid_t pid = start_holder(hold_record, &t);

	int fd = open_file("f", O_RDWR);
	OK(fcntl(fd, F_GETLK, &lock));
	EQ(lock.l_type, F_WRLCK);
	EQ(lock.l_pid, pid);
	turn_give(t.to_child);
	wait_for(pid);
	OK(fcntl(fd, F_GETLK, &lock));
	EQ(lock.l_type, F_UNLCK);
}

static void
record_access_mode(void)
{
	make_sized("f", 10);
	FAILS(EBADF, record(open_file("f", O_RDONLY), F_SETLK, F_WRLCK, 0, 0));
	FAILS(EBADF, record(open_file("f", O_WRONLY), F_SETLK, F_RDLCK, 0, 0));
}

static void
lock_two_waiting(void *arg)
{
	struct turns *t = arg;
	int fd = open_file("f", O_RDWR);

	OK(record(fd, F_SETLK, F_WRLCK, 1, 1));
	turn_give(t->to_parent);
	/* Waits for byte 0, which the parent frees when it has seen the deadlock. */
	OK(record(fd, F_SETLKW, F_WRLCK, 0, 1));
}

static void
nothing(int signal_number)
{
}

static void
record_deadlock(void)
{
	struct sigaction action = {.sa_handler = nothing};
	struct turns t;
	int fd = make_locked(F_WRLCK, 0, 1);

	turns_init(&t);
	pid_t pid = spawn(lock_two_waiting, &t);
	turn_wait(t.to_parent);
	tick();
	tick();
	/* Should the file system not see the circle, the alarm ends the wait. */
	OK(sigaction(SIGALRM, &action, NULL));
	alarm(3);
	FAILS(EDEADLK, record(fd, F_SETLKW, F_WRLCK, 1, 1));
	alarm(0);
	OK(record(fd, F_SETLK, F_UNLCK, 0, 1));
	wait_for(pid);
}

static void
record_interrupted(void)
{
	struct sigaction action = {.sa_handler = nothing};
	struct itimerval soon = {.it_value.tv_usec = 30000, .it_interval.tv_usec = 30000};
	struct turns t;
	pid_t pid = start_holder(hold_record, &t);

	OK(sigaction(SIGALRM, &action, NULL));
	OK(setitimer(ITIMER_REAL, &soon, NULL));
	FAILS(EINTR, record(open_file("f", O_RDWR), F_SETLKW, F_WRLCK, 0, 0));
	memset(&soon, 0, sizeof(soon));
	OK(setitimer(ITIMER_REAL, &soon, NULL));
	turn_give(t.to_child);
	wait_for(pid);
}

static void
open_file_locks(void)
{
	make_sized("f", 1000);
	int a = open_file("f", O_RDWR), b = open_file("f", O_RDWR);
	ABLE(record(a, F_OFD_SETLK, F_WRLCK, 0, 100));
	FAILS(EAGAIN, record(b, F_OFD_SETLK, F_WRLCK, 50, 100));
	OK(record(b, F_OFD_SETLK, F_WRLCK, 100, 100));
	OK(close(open_file("f", O_RDWR)));
	FAILS(EAGAIN, record(b, F_OFD_SETLK, F_WRLCK, 50, 1));
	OK(close(a));
	OK(record(b, F_OFD_SETLK, F_WRLCK, 0, 0));
}

static void
flock_exclusive(void)
{
	make_file("f", 0644);
	int a = open_file("f", O_RDONLY), b = open_file("f", O_RDONLY);
	ABLE(flock(a, LOCK_EX));
	FAILS(EWOULDBLOCK, flock(b, LOCK_EX | LOCK_NB));
	FAILS(EWOULDBLOCK, flock(b, LOCK_SH | LOCK_NB));
	OK(flock(a, LOCK_UN));
	OK(flock(b, LOCK_EX | LOCK_NB));
	OK(close(b));
	OK(flock(a, LOCK_EX | LOCK_NB));
}

static void
flock_shared(void)
{
	make_file("f", 0644);
	int a = open_file("f", O_RDONLY), b = open_file("f", O_RDONLY);
	ABLE(flock(a, LOCK_SH));
	OK(flock(b, LOCK_SH | LOCK_NB));
	FAILS(EWOULDBLOCK, flock(b, LOCK_EX | LOCK_NB));
	OK(close(a));
	OK(flock(b, LOCK_EX | LOCK_NB));
}

static void
hold_flock(void *arg)
{
	struct turns *t = arg;
	int fd = open_file("f", O_RDONLY);

	OK(flock(fd, LOCK_EX));
	turn_give(t->to_parent);
	turn_wait(t->to_child);
}

static void
flock_processes(void)
{
	struct turns t;
	pid_t pid = start_holder(hold_flock, &t);
	int fd = open_file("f", O_RDONLY);
	FAILS(EWOULDBLOCK, flock(fd, LOCK_EX | LOCK_NB));
	turn_give(t.to_child);
	OK(flock(fd, LOCK_EX));
	wait_for(pid);
}

static void
flock_and_record(void)
{
	make_sized("f", 10);
	int a = open_file("f", O_RDWR);
	ABLE(flock(a, LOCK_EX));
	other_process(F_WRLCK, 0, 0, 0);
}

static void
flock_directory(void)
{
	make_dir("d", 0755);
	int a = open_file("d", O_RDONLY), b = open_file("d", O_RDONLY);
	ABLE(flock(a, LOCK_EX));
	FAILS(EWOULDBLOCK, flock(b, LOCK_EX | LOCK_NB));
}

static void
locks_survive_rename(void)
{
	make_locked(F_WRLCK, 0, 0);
	OK(rename("f", "g"));
	OK(link("g", "f"));
	other_process(F_WRLCK, 0, 1, EAGAIN);
}

static const struct posix_case cases[] = {
	{"fcntl", EAGAIN, "exclusive", AS_BOTH,
	 "Exclusive record locks keep others out of their range.", record_exclusive},
	{"fcntl", EAGAIN, "shared", AS_BOTH, "Shared record locks keep writers out.",
	 record_shared},
	{"fcntl", 0, "unlock-part", AS_INVOKER,
	 "The middle of a locked range is released.", record_unlock_part},
	{"fcntl", 0, "convert-part", AS_INVOKER,
	 "Half a range turns from exclusive to shared.", record_convert},
	{"fcntl", 0, "close-releases", AS_INVOKER,
	 "Closing any descriptor of the file releases.", record_close_releases},
	{"fcntl", 0, "exit-releases", AS_INVOKER, "The end of a process wakes who waits.",
	 record_exit_releases},
	{"fcntl", 0, "query", AS_INVOKER, "F_GETLK names the holder.", record_query},
	{"fcntl", EBADF, "access-mode", AS_INVOKER, "Locks need the descriptor's access.",
	 record_access_mode},
	{"fcntl", EDEADLK, "deadlock", AS_INVOKER,
	 "Two processes that wait for each other.", record_deadlock},
	{"fcntl", EINTR, "interrupted", AS_INVOKER, "A signal ends the wait.",
	 record_interrupted},
	{"fcntl", 0, "open-file-locks", AS_INVOKER | MAY_LACK,
	 "F_OFD_SETLK belongs to the open file.", open_file_locks},
	{"fcntl", EAGAIN, "after-rename", AS_INVOKER,
	 "Locks belong to the file, not to its name.", locks_survive_rename},
	{"flock", EWOULDBLOCK, "exclusive", AS_BOTH,
	 "An exclusive lock keeps other open files out.", flock_exclusive},
	{"flock", EWOULDBLOCK, "shared", AS_BOTH, "Shared locks keep exclusive ones out.",
	 flock_shared},
	{"flock", EWOULDBLOCK, "processes", AS_INVOKER,
	 "Between processes; the end of one wakes the other.", flock_processes},
	{"flock", EWOULDBLOCK, "directory", AS_INVOKER, "Directories are locked.",
	 flock_directory},
	{"flock", 0, "apart-from-records", AS_INVOKER,
	 "flock and record locks do not meet.", flock_and_record},
};

POSIX_GROUP(lock, cases)
