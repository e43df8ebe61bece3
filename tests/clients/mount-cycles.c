/*
 * Mounts, uses and unmounts a small file system many times in one process, through the public
 * API, and compares descriptors, threads and resident memory before and after.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/compiler.h"
#include "examples/memfs/memfs.h"

struct usage {
	long fds, threads, rss_kib;
};

static long
count_entries(const char *path)
{
	DIR *dir = opendir(path);
	long n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}

static struct usage
measure(void)
{
	struct usage u = {.fds = count_entries("/proc/self/fd"),
			  .threads = count_entries("/proc/self/task")};
	FILE *f = fopen("/proc/self/statm", "re");
	long size = 0, resident = 0;

	if (f && fscanf(f, "%ld %ld", &size, &resident) == 2)
		u.rss_kib = resident * (sysconf(_SC_PAGESIZE) / 1024);
	if (f)
		fclose(f);
	return u;
}

static int
use(const char *where)
{
	char path[4200];
	struct stat st;

	snprintf(path, sizeof(path), "%s/file", where);
	int fd = open(path, O_CREAT | O_RDWR, 0600);
	if (fd < 0 || write(fd, "x", 1) != 1 || close(fd) < 0 || stat(path, &st) < 0 ||
	    st.st_size != 1 || unlink(path) < 0) {
		perror(path);
		return -1;
	}
	return 0;
}

static int
cycle(PWSTR wide, const char *where)
{
	struct memfs_params params = {.file_info_timeout = UINT32_MAX,
				      .max_nodes = UINT32_MAX,
				      .max_file_size = INT64_MAX,
				      .size = 1 << 30,
				      .fs_name = "-MEMFS",
				      .mode = 0755};
	char error[256];
	struct memfs *memfs;
	int result = -1;

	if (memfs_create(&params, &memfs, error, sizeof(error))) {
		fprintf(stderr, "%s\n", error);
		return -1;
	}
	if (FspFileSystemSetMountPoint(memfs->fs, wide))
		fprintf(stderr, "%s\n", FspxFileSystemLastError(memfs->fs));
	else if (FspFileSystemStartDispatcher(memfs->fs, 0))
		fprintf(stderr, "the dispatcher did not start\n");
	else
		result = use(where);
	FspFileSystemStopDispatcher(memfs->fs);
	memfs_delete(memfs);
	return result;
}

int
main(int argc, char **argv)
{
	PWSTR wide;
	long n = argc > 2 ? atol(argv[2]) : 100;

	if (argc < 2 || FspPosixMapPosixToWindowsPath(argv[1], &wide)) {
		fprintf(stderr, "usage: mount-cycles DIRECTORY COUNT\n");
		return 2;
	}
	for (int i = 0; i < 10; i++) /* what the first rounds allocate for good is no leak */
		if (cycle(wide, argv[1]) < 0)
			return 1;
	struct usage before = measure();
	for (long i = 0; i < n; i++)
		if (cycle(wide, argv[1]) < 0) {
			fprintf(stderr, "in round %ld\n", i);
			return 1;
		}
	struct usage after = measure();
	FspPosixDeletePath(wide);
	printf("%ld mounts: descriptors %ld -> %ld, threads %ld -> %ld, resident %ld -> %ld KiB\n",
	       n, before.fds, after.fds, before.threads, after.threads, before.rss_kib,
	       after.rss_kib);
	return after.fds > before.fds || after.threads > before.threads ||
	       (!IS_SANITIZED && after.rss_kib > before.rss_kib + 4096);
}
