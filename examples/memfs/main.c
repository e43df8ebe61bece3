/* memfs: the command line. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "examples/memfs/memfs.h"

static const FSPX_OPTION options[] = {
	{'i', "case_insensitive", NULL, "names are compared without case"},
	{'f', "flush_and_purge", NULL, "flush and drop cached data when a file is closed"},
	{'t', "FileInfoTimeout", "MS", "how long information is cached; -1: for ever (default)"},
	{'n', "MaxFileNodes", "N", "number of files and directories (default: 4294967295)"},
	{'s', "MaxFileSize", "BYTES", "size of one file; K, M, G, T may follow (default: 8 EiB)"},
	{0, "size", "BYTES", "of all files; K, M, G, T or % of memory (default: 50%)"},
	{'M', "MaxDelay", "MS", "slow I/O: longest delay (default: 0, none)"},
	{'P', "PercentDelay", "N", "slow I/O: percentage completed later by another thread"},
	{'R', "RarefyDelay", "N", "slow I/O: divide delays by up to 2^N"},
	{'F', "FileSystemName", "NAME", "name of the file system (default: MEMFS)"},
	{'S', "RootSddl", "SDDL", "security descriptor of the root directory"},
	{0, "mode", "OCTAL", "mode of the root directory, owned by the caller (default: 755)"},
	{'u', "VolumePrefix", "\\SERVER\\SHARE", "be a network file system of this name"},
	{0, "legacy_unlink_rename", NULL, "without POSIX unlink and rename"},
	{0, NULL, NULL, NULL},
};

static int
parse_number(const char *text, uint64_t *ret)
{
	char *end;

	errno = 0;
	unsigned long long n = strtoull(text, &end, 0);
	if (errno || end == text || *end || *text == '-')
		return -1;
	*ret = n;
	return 0;
}

static int
parse_size(const char *text, uint64_t *ret)
{
	static const char units[] = "KMGT";
	char *end;

	errno = 0;
	unsigned long long n = strtoull(text, &end, 0);
	if (errno || end == text || *text == '-')
		return -1;
	if (*end == '%' && !end[1] && n <= 100) {
		uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) *
				  (uint64_t)sysconf(_SC_PAGESIZE);

		*ret = memory / 100 * n;
		return 0;
	}
	if (*end) {
		const char *unit = strchr(units, *end & ~0x20);

		if (!unit || end[1] ||
		    __builtin_mul_overflow(n, 1ull << (10 * (unit - units + 1)), &n))
			return -1;
	}
	*ret = n;
	return 0;
}

static int
set_number(const char *name, const char *value, uint64_t max, uint64_t *ret, char *error,
	   size_t cap)
{
	if (parse_number(value, ret) == 0 && *ret <= max)
		return 0;
	snprintf(error, cap, "%s: '%s' is not a number from 0 to %llu", name, value,
		 (unsigned long long)max);
	return -1;
}

static int
set_bytes(const char *name, const char *value, uint64_t *ret, char *error, size_t cap)
{
	if (parse_size(value, ret) == 0 && *ret <= (uint64_t)INT64_MAX)
		return 0;
	snprintf(error, cap, "%s: '%s' is not a size (examples: 4096, 64K, 2G)", name, value);
	return -1;
}

static int
set_option(FSPX_PROGRAM *program, const char *name, const char *value, char *error, SIZE_T cap)
{
	struct memfs_params *p = program->Context;
	uint64_t n = 0;
	int err = 0;

	if (!strcmp(name, "case_insensitive"))
		p->case_insensitive = true;
	else if (!strcmp(name, "flush_and_purge"))
		p->flush_and_purge = true;
	else if (!strcmp(name, "legacy_unlink_rename"))
		p->legacy_unlink_rename = true;
	else if (!strcmp(name, "FileSystemName"))
		p->fs_name = value;
	else if (!strcmp(name, "RootSddl"))
		p->root_sddl = value;
	else if (!strcmp(name, "VolumePrefix"))
		p->prefix = value;
	else if (!strcmp(name, "MaxFileSize"))
		err = set_bytes(name, value, &p->max_file_size, error, cap);
	else if (!strcmp(name, "size"))
		err = set_bytes(name, value, &p->size, error, cap);
	else if (!strcmp(name, "MaxFileNodes"))
		err = set_number(name, value, UINT32_MAX, &p->max_nodes, error, cap);
	else if (!strcmp(name, "mode")) {
		char *end;

		p->mode = (uint32_t)strtoul(value, &end, 8);
		if (*end || end == value || p->mode > 07777) {
			snprintf(error, cap, "mode: '%s' is not an octal mode", value);
			return -1;
		}
	} else if (!strcmp(name, "FileInfoTimeout") && !strcmp(value, "-1"))
		p->file_info_timeout = UINT32_MAX;
	else {
		err = set_number(name, value,
				 !strcmp(name, "PercentDelay")  ? 100
				 : !strcmp(name, "RarefyDelay") ? 30
								: UINT32_MAX,
				 &n, error, cap);
		if (!strcmp(name, "FileInfoTimeout"))
			p->file_info_timeout = (uint32_t)n;
		else if (!strcmp(name, "MaxDelay"))
			p->max_delay_ms = (uint32_t)n;
		else if (!strcmp(name, "PercentDelay"))
			p->percent_delay = (uint32_t)n;
		else
			p->rarefy_delay = (uint32_t)n;
	}
	return err;
}

static NTSTATUS
create(FSPX_PROGRAM *program, FSP_FILE_SYSTEM **ret_fs, char *error, SIZE_T cap)
{
	struct memfs *memfs;
	NTSTATUS st = memfs_create(program->Context, &memfs, error, cap);

	if (NT_SUCCESS(st))
		*ret_fs = memfs->fs;
	return st;
}

static VOID
delete (FSPX_PROGRAM *program, FSP_FILE_SYSTEM *fs)
{
	(void)program;
	memfs_delete(memfs_of(fs));
}

int
main(int argc, char **argv)
{
	struct memfs_params params = {.file_info_timeout = UINT32_MAX,
				      .max_nodes = UINT32_MAX,
				      .max_file_size = INT64_MAX,
				      .fs_name = "-MEMFS",
				      .mode = 0755};
	FSPX_PROGRAM program = {
		.Size = sizeof(program),
		.Name = "memfs",
		.Version = USERDRIVE_VERSION,
		.Summary = "a file system in memory",
		.Options = options,
		.Examples =
			"memfs /mnt/scratch                    until it is unmounted\n"
			"memfs -o size=1G,mode=1777,allow_other /mnt/scratch\n"
			"memfs -m X: -i                        in the foreground, as drive X:\n",
		.Context = &params,
		.SetOption = set_option,
		.Create = create,
		.Delete = delete,
	};

	parse_size("50%", &params.size);
	return FspxProgramMain(&program, argc, argv);
}
