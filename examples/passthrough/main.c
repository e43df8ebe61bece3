/* passthrough: the command line. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "examples/passthrough/passthrough.h"

static const FSPX_OPTION options[] = {
	{'p', "Directory", "DIRECTORY", "the directory to show"},
	{'t', "FileInfoTimeout", "MS",
	 "how long information is cached; -1: for ever (default: 1000)"},
	{'u', "VolumePrefix", "\\SERVER\\SHARE", "be a network file system of this name"},
	{0, NULL, NULL, NULL},
};

static int
set_timeout(struct pt_params *p, const char *value, char *error, SIZE_T cap)
{
	char *end;

	if (strcmp(value, "-1") == 0) {
		p->file_info_timeout = UINT32_MAX;
		return 0;
	}
	errno = 0;
	unsigned long long n = strtoull(value, &end, 10);
	if (errno || end == value || *end || *value == '-' || n > UINT32_MAX) {
		snprintf(error, cap,
			 "FileInfoTimeout: '%s' is not a number of milliseconds", value);
		return -1;
	}
	p->file_info_timeout = (uint32_t)n;
	return 0;
}

static int
set_option(FSPX_PROGRAM *program, const char *name, const char *value, char *error,
	   SIZE_T cap)
{
	struct pt_params *p = program->Context;

	if (!strcmp(name, "FileInfoTimeout"))
		return set_timeout(p, value, error, cap);
	if (!strcmp(name, "VolumePrefix"))
		p->prefix = value;
	else
		p->directory = value;
	return 0;
}

static NTSTATUS
create(FSPX_PROGRAM *program, FSP_FILE_SYSTEM **ret_fs, char *error, SIZE_T cap)
{
	const struct pt_params *p = program->Context;
	struct pt *pt;

	if (!p->directory) {
		snprintf(error, cap,
			 "which directory? Give it before the mount point, or with -p");
		return STATUS_INVALID_PARAMETER;
	}
	NTSTATUS st = pt_create(p, &pt, error, cap);
	if (NT_SUCCESS(st))
		*ret_fs = pt->fs;
	return st;
}

static VOID delete (FSPX_PROGRAM *program, FSP_FILE_SYSTEM *fs)
{
	(void)program;
	pt_delete(pt_of(fs));
}

int
main(int argc, char **argv)
{
	struct pt_params params = {.file_info_timeout = 1000};
	FSPX_PROGRAM program = {
		.Size = sizeof(program),
		.Name = "passthrough",
		.Version = USERDRIVE_VERSION,
		.Summary = "a directory as a drive",
		.SourceName = "Directory",
		.Options = options,
		.Examples =
			"passthrough /srv/data /mnt/data         until it is unmounted\n"
			"passthrough /srv/data /mnt/data -o "
			"allow_other,FileInfoTimeout=0\n"
			"passthrough -p /srv/data -m X:          in the foreground, as "
			"drive X:\n",
		.Context = &params,
		.SetOption = set_option,
		.Create = create,
		.Delete = delete,
	};

	return FspxProgramMain(&program, argc, argv);
}
