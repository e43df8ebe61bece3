/* rawdisk: the command line. Letters are those of WinSpd's rawdisk. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text/size.h"
#include "examples/rawdisk/rawdisk.h"

static const SPDX_OPTION options[] = {
	{'f', "file", "IMAGE", "the image; made when it is missing"},
	{'c', "blocks", "N", "number of blocks (new image: 1048576)"},
	{0, "size", "BYTES", "size of a new image; K, M, G, T may follow"},
	{'l', "block-length", "BYTES", "16 to 1048576 (default: the image's, or 512)"},
	{0, "physical-block-length", "BYTES", "what it is best written in (4096 over 512: 512e)"},
	{0, "partition", "mbr|gpt|none", "partition table of a new image (default: mbr)"},
	{'i', "product", "TEXT", "product, 1 to 16 characters (default: RawDisk)"},
	{'r', "revision", "TEXT", "revision, 1 to 4 characters (default: 1.0)"},
	{0, "guid", "GUID|new", "identity (default: the image's)"},
	{'W', "write", "0|1", "may be written (default: 1)"},
	{'C', "cache", "0|1", "has a cache, writes wait for a flush (default: 1)"},
	{'U', "unmap", "0|1", "unmapped blocks give room back (default: 1)"},
	{0, "ro", NULL, "as --write=0"},
	{0, "removable", NULL, "may be ejected"},
	{0, "direct", NULL, "read and write past the page cache"},
	{0, NULL, NULL, NULL},
};

/* ---------------------------------------------------------------- values */

static int
set_number(const char *name, const char *value, uint64_t min, uint64_t max, uint64_t *ret,
	   char *error, SIZE_T cap)
{
	uint64_t n;

	if (size_parse(value, &n) == 0 && n >= min && n <= max) {
		*ret = n;
		return 0;
	}
	snprintf(error, cap, "%s: '%s' is not a number from %llu to %llu", name, value,
		 (unsigned long long)min, (unsigned long long)max);
	return -1;
}

static int
set_length(const char *name, const char *value, uint32_t *ret, char *error, SIZE_T cap)
{
	uint64_t n;

	if (set_number(name, value, 16, 1 << 20, &n, error, cap) < 0)
		return -1;
	*ret = (uint32_t)n;
	return 0;
}

/* WinSpd's switches say what there is; our parameters what there is not. */
static int
set_absent(const char *name, const char *value, bool *ret_absent, char *error, SIZE_T cap)
{
	if (strcmp(value, "0") != 0 && strcmp(value, "1") != 0) {
		snprintf(error, cap, "%s: '%s' is neither 0 nor 1", name, value);
		return -1;
	}
	*ret_absent = value[0] == '0';
	return 0;
}

/* SPC-4 4.3.1: printable ASCII. */
static int
set_text(const char *name, const char *value, char *dst, size_t max, char *error, SIZE_T cap)
{
	size_t n = strlen(value);
	bool good = n >= 1 && n <= max;

	for (size_t i = 0; i < n; i++)
		good = good && value[i] >= 0x20 && value[i] <= 0x7E;
	if (!good) {
		snprintf(error, cap, "%s: 1 to %zu printable ASCII characters are expected", name,
			 max);
		return -1;
	}
	memcpy(dst, value, n + 1);
	return 0;
}

static int
set_partition(const char *value, enum rd_partition *ret, char *error, SIZE_T cap)
{
	static const char *const names[] = {[RD_PARTITION_NONE] = "none",
					    [RD_PARTITION_MBR] = "mbr",
					    [RD_PARTITION_GPT] = "gpt"};

	for (size_t i = RD_PARTITION_NONE; i < ARRAY_SIZE(names); i++)
		if (strcmp(value, names[i]) == 0) {
			*ret = (enum rd_partition)i;
			return 0;
		}
	snprintf(error, cap, "partition: '%s' is none of mbr, gpt, none", value);
	return -1;
}

static int
set_guid(const char *value, const char **ret, char *error, SIZE_T cap)
{
	uint8_t guid[16];

	if (strcmp(value, "new") != 0 && rd_guid_parse(value, guid) < 0) {
		snprintf(error, cap, "guid: '%s' is neither 'new' nor like "
				     "12345678-9abc-def0-1234-56789abcdef0", value);
		return -1;
	}
	*ret = value;
	return 0;
}

/* ---------------------------------------------------------------- options */

static int
set_image_option(struct rd_params *p, const char *name, const char *value, char *error,
		 SIZE_T cap)
{
	if (!strcmp(name, "blocks"))
		return set_number(name, value, 1, INT64_MAX / 16, &p->n_blocks, error, cap);
	if (!strcmp(name, "size"))
		return set_number(name, value, 16, INT64_MAX, &p->size, error, cap);
	if (!strcmp(name, "block-length"))
		return set_length(name, value, &p->block_length, error, cap);
	if (!strcmp(name, "physical-block-length"))
		return set_length(name, value, &p->physical_length, error, cap);
	if (!strcmp(name, "partition"))
		return set_partition(value, &p->partition, error, cap);
	if (!strcmp(name, "direct"))
		p->direct = true;
	else
		p->image = value; /* "image" as an argument, "file" as WinSpd's option */
	if (!strcmp(name, "file"))
		p->default_size = true;
	return 0;
}

static int
set_option(SPDX_PROGRAM *program, const char *name, const char *value, char *error, SIZE_T cap)
{
	struct rd_params *p = program->Context;

	if (!strcmp(name, "product"))
		return set_text(name, value, p->product, 16, error, cap);
	if (!strcmp(name, "revision"))
		return set_text(name, value, p->revision, 4, error, cap);
	if (!strcmp(name, "guid"))
		return set_guid(value, &p->guid, error, cap);
	if (!strcmp(name, "write"))
		return set_absent(name, value, &p->write_protected, error, cap);
	if (!strcmp(name, "cache"))
		return set_absent(name, value, &p->no_cache, error, cap);
	if (!strcmp(name, "unmap"))
		return set_absent(name, value, &p->no_unmap, error, cap);
	if (!strcmp(name, "ro"))
		p->write_protected = true;
	else if (!strcmp(name, "removable"))
		p->removable = true;
	else
		return set_image_option(p, name, value, error, cap);
	return 0;
}

/* In WinSpd's form the program says which command line it understood. */
static void
print_command_line(const struct rd *rd, const struct rd_params *p)
{
	fprintf(stderr,
		"rawdisk -f '%s' -c %llu -l %u -i '%s' -r '%s' -W %d -C %d -U %d\n", rd->path,
		(unsigned long long)atomic_load(&rd->n_blocks), rd->block_length, p->product,
		p->revision, !rd->write_protected, !p->no_cache, !p->no_unmap);
}

static DWORD
create(SPDX_PROGRAM *program, PWSTR device_name, SPD_STORAGE_UNIT **ret_unit, char *error,
       SIZE_T cap)
{
	const struct rd_params *p = program->Context;
	struct rd *rd;

	if (!p->image) {
		snprintf(error, cap, "which image? Give it as an argument, or with -f");
		return ERROR_INVALID_PARAMETER;
	}
	DWORD result = rd_create(p, device_name, &rd, error, cap);
	if (result != ERROR_SUCCESS)
		return result;
	if (p->default_size)
		print_command_line(rd, p);
	*ret_unit = rd->unit;
	return ERROR_SUCCESS;
}

static VOID delete (SPDX_PROGRAM *program, SPD_STORAGE_UNIT *unit)
{
	(void)program;
	rd_delete(rd_of(unit));
}

int
main(int argc, char **argv)
{
	struct rd_params params = {
		.product = "RawDisk", .revision = "1.0", .ops = &storage_system};
	SPDX_PROGRAM program = {
		.Size = sizeof(program),
		.Name = "rawdisk",
		.Version = USERDRIVE_VERSION,
		.Summary = "a file or block device as a disk",
		.SourceName = "IMAGE",
		.SourceOption = "image",
		.Options = options,
		.Examples =
			"rawdisk disk.img --size=10G --door=loop:\n"
			"rawdisk disk.img --door=iscsi://127.0.0.1:3260/iqn.2026-01.org.example:d\n"
			"rawdisk -f disk.img -p '\\\\.\\pipe\\disk'     in the foreground\n",
		/* More than the CPUs: they wait for the image's medium. */
		.ThreadCount = 8,
		.Context = &params,
		.SetOption = set_option,
		.Create = create,
		.Delete = delete,
	};

	/* An image above RLIMIT_FSIZE is an error of one write, not the end of the disk. */
	signal(SIGXFSZ, SIG_IGN);
	return SpdxProgramMain(&program, argc, argv);
}
