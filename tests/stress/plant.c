/*
 * Preloaded into a test program, makes one system call lie, to prove that the program
 * notices: STRESS_PLANT=KIND:N acts on the Nth call of that kind in each process.
 *
 *   write, append   pwrite, write: claims success, writes nothing
 *   read            pread: one bit of what was read is flipped
 *   rename, unlink  renameat, unlinkat: claims success, does nothing
 *   skip, twice     readdir: one entry is left out, or comes two times
 */
#include <dirent.h>
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define LIE __attribute__((visibility("default")))
/* The function that the C library has under the same name. */
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* true on the Nth call of the planted kind; the programs' processes have one thread each.
 */
static bool
planted(const char *kind)
{
	static unsigned long n_calls;
	const char *plan = getenv("STRESS_PLANT");
	size_t n = strlen(kind);

	return plan != NULL && strncmp(plan, kind, n) == 0 && plan[n] == ':' &&
	       ++n_calls == strtoul(plan + n + 1, NULL, 10);
}

LIE ssize_t
pwrite(int fd, const void *buf, size_t n_bytes, off_t offset)
{
	return planted("write") ? (ssize_t)n_bytes
				: REAL(pwrite)(fd, buf, n_bytes, offset);
}

LIE ssize_t
write(int fd, const void *buf, size_t n_bytes)
{
	/* Messages are not data. */
	return fd > 2 && planted("append") ? (ssize_t)n_bytes
					   : REAL(write)(fd, buf, n_bytes);
}

LIE ssize_t
pread(int fd, void *buf, size_t n_bytes, off_t offset)
{
	ssize_t n = REAL(pread)(fd, buf, n_bytes, offset);

	if (n > 0 && planted("read"))
		((unsigned char *)buf)[n / 2] ^= 4;
	return n;
}

LIE int
renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	return planted("rename") ? 0 : REAL(renameat)(from_fd, from, to_fd, to);
}

LIE int
unlinkat(int dir_fd, const char *name, int flags)
{
	return planted("unlink") ? 0 : REAL(unlinkat)(dir_fd, name, flags);
}

LIE struct dirent *
readdir(DIR *dir)
{
	static struct dirent copy;
	static bool again;
	struct dirent *e;

	if (again) {
		again = false;
		return &copy;
	}
	e = REAL(readdir)(dir);
	if (e == NULL || e->d_name[0] == '.')
		return e;
	if (planted("skip"))
		return REAL(readdir)(dir);
	if (planted("twice")) {
		memcpy(&copy, e, e->d_reclen);
		again = true;
	}
	return e;
}
