/* Removal of whatever a case left behind, by descriptors: paths may be longer than
 * PATH_MAX. */
#include <dirent.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>

#include "runner.h"

/* A case that died may have left a file immutable. */
static void
flags_clear(int dirfd, const char *name)
{
	int flags = 0;
	int fd = openat(dirfd, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return;
	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0) {
		flags &= ~(FS_IMMUTABLE_FL | FS_APPEND_FL);
		ioctl(fd, FS_IOC_SETFLAGS, &flags);
	}
	close(fd);
}

static int
entry_remove(int dirfd, const char *name)
{
	int fd, err;

	if (unlinkat(dirfd, name, 0) == 0)
		return 0;
	if (errno == EPERM) {
		flags_clear(dirfd, name);
		if (unlinkat(dirfd, name, 0) == 0)
			return 0;
	}
	if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0)
		return 0;
	fchmodat(dirfd, name, 0700, 0);
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	flags_clear(fd, ".");
	err = tree_clear(fd);
	close(fd);
	if (unlinkat(dirfd, name, AT_REMOVEDIR) != 0 && err == 0)
		err = -errno;
	return err;
}

/* One pass over the entries; ret_removed says whether another one is worth while. */
static int
clear_pass(int dirfd, bool *ret_removed)
{
	DIR *dir = fdopendir(openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct dirent *entry;
	int err = 0;

	*ret_removed = false;
	if (dir == NULL)
		return -errno;
	while ((entry = readdir(dir)) != NULL) {
		int one;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		one = entry_remove(dirfd, entry->d_name);
		if (one == 0)
			*ret_removed = true;
		else if (err == 0)
			err = one;
	}
	closedir(dir);
	return err;
}

int
tree_clear(int dirfd)
{
	bool removed;
	int err;

	/* Removing while reading may skip entries, so read until nothing more goes. */
	do
		err = clear_pass(dirfd, &removed);
	while (removed);
	return err;
}
