#include "tests/api/passthrough-util.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <unistd.h>

int
drive_setup(void **state)
{
	struct drive *d = calloc(1, sizeof(*d));
	const char *tmp = getenv("TMPDIR");

	umask(0);
	if (!d)
		return -1;
	snprintf(d->top, sizeof(d->top), "%.40s/pt-test-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(d->top))
		return -1;
	snprintf(d->source, sizeof(d->source), "%s/source", d->top);
	snprintf(d->outside, sizeof(d->outside), "%s/outside", d->top);
	if (mkdir(d->source, 0755) < 0 || mkdir(d->outside, 0755) < 0 ||
	    pt_init(&d->pt, d->source) < 0)
		return -1;
	d->fs.UserContext = &d->pt;
	d->pt.fs = &d->fs;
	pt_interface_init();
	*state = d;
	return 0;
}

static int
remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

int
drive_teardown(void **state)
{
	struct drive *d = *state;

	pt_fini(&d->pt);
	nftw(d->top, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	free(d);
	return 0;
}

const char *
in_source(const struct drive *d, const char *name)
{
	static char paths[4][512];
	static unsigned turn;
	char *path = paths[turn++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", d->source, name);
	return path;
}

void
put_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (int)strlen(text));
	close(fd);
}

bool
exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

mode_t
mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode & 07777;
}

NTSTATUS
open_name(struct drive *d, PCWSTR name, UINT32 granted, struct pt_file **ret_file)
{
	FSP_FSCTL_FILE_INFO info = {0};
	PVOID context = NULL;
	NTSTATUS st = pt_open_file(&d->fs, (PWSTR)name, 0, granted, &context, &info);

	*ret_file = context;
	return st;
}

struct pt_file *
must_open(struct drive *d, PCWSTR name, UINT32 granted)
{
	struct pt_file *file;

	assert_status(STATUS_SUCCESS, open_name(d, name, granted, &file));
	return file;
}

NTSTATUS
create_name(struct drive *d, PCWSTR name, UINT32 options, UINT32 mode,
	    struct pt_file **ret_file)
{
	FSP_FSCTL_FILE_INFO info = {0};
	PSECURITY_DESCRIPTOR sd;
	PVOID context = NULL;

	if (options & FILE_DIRECTORY_FILE)
		mode |= S_IFDIR;
	assert_status(STATUS_SUCCESS, FspPosixMapPermissionsToSecurityDescriptor(
					      geteuid(), getegid(), mode, &sd));
	NTSTATUS st = pt_create_ex(&d->fs, (PWSTR)name, options, FILE_ALL_ACCESS, 0, sd,
				   0, NULL, 0, FALSE, &context, &info);
	FspDeleteSecurityDescriptor(
		sd, (FSP_CREATE_FUNC)FspPosixMapPermissionsToSecurityDescriptor);
	*ret_file = context;
	return st;
}

void
shut(struct drive *d, struct pt_file *file)
{
	pt_close_file(&d->fs, file);
}

NTSTATUS
by_name(struct drive *d, PCWSTR name, UINT32 *ret_attributes)
{
	WCHAR copy[256]; /* the library cuts names in place */
	size_t n = 0;

	for (; name[n] && n + 1 < ARRAY_SIZE(copy); n++)
		copy[n] = name[n];
	copy[n] = 0;
	return pt_get_security_by_name(&d->fs, copy, ret_attributes, NULL, NULL);
}
