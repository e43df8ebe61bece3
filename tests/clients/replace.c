/*
 * A name that is replaced all the time exists all the time: whoever opens it gets the old file or
 * the new one. Breaks if a rename takes the old file away from those who have just looked it up.
 * usage: replace DIRECTORY
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N_WRITERS = 3, N_READERS = 4, N_REPLACEMENTS = 1500 };

static atomic_uint *n_writing;

static void
fail(const char *what)
{
	fprintf(stderr, "replace: %s: %s\n", what, strerror(errno));
	_exit(1);
}

static void
make(const char *name)
{
	int fd = open(name, O_CREAT | O_TRUNC | O_WRONLY, 0600);

	if (fd < 0 || write(fd, "whole", 5) != 5 || close(fd) < 0)
		fail("make");
}

static void
replace_again_and_again(int id)
{
	char name[16];

	snprintf(name, sizeof(name), "new%d", id);
	for (int i = 0; i < N_REPLACEMENTS; i++) {
		make(name);
		if (rename(name, "name") < 0)
			fail("rename");
	}
	atomic_fetch_sub(n_writing, 1);
}

static void
read_again_and_again(void)
{
	char data[8];

	while (atomic_load(n_writing) > 0) {
		int fd = open("name", O_RDONLY);

		if (fd < 0)
			fail("open of a name that always exists");
		if (read(fd, data, sizeof(data)) != 5)
			fail("read of a file that is always whole");
		close(fd);
	}
}

int
main(int argc, char **argv)
{
	int status, code = 0;

	n_writing = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (argc != 2 || chdir(argv[1]) < 0 || n_writing == MAP_FAILED)
		fail("preparations");
	make("name");
	atomic_store(n_writing, N_WRITERS);
	for (int i = 0; i < N_WRITERS + N_READERS; i++) {
		pid_t pid = fork();

		if (pid < 0)
			fail("fork");
		if (pid == 0) {
			if (i < N_WRITERS)
				replace_again_and_again(i);
			else
				read_again_and_again();
			_exit(0);
		}
	}
	while (wait(&status) > 0) {
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			code = 1;
		if (code)
			atomic_store(n_writing, 0); /* a writer that failed is not waited for */
	}
	return code;
}
