/*
 * disk: a disk of zeroes and whatever is written to it, in memory; the smallest one that is whole.
 *
 *	cc -o disk disk.c $(pkg-config --cflags --libs spd)
 *	./disk --size=64                    a disk of 64 MiB, by the best that this kernel has
 *	./disk --size=64 -p iscsi://127.0.0.1:3260/iqn.2026-01.org.example:disk
 *	./disk --size=64 -p '\\.\pipe\disk'
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <winspd/winspd.h>
#include <winspd/ext.h>

enum { BLOCK_LENGTH = 512, MEBIBYTE = 1024 * 1024, SIZE_MAX_MIB = 1024 * 1024 };

struct disk {
	UINT64 size; /* MiB */
	char *memory;
};

static struct disk *
disk_of(SPD_STORAGE_UNIT *unit)
{
	return unit->UserContext;
}

static char *
block_at(SPD_STORAGE_UNIT *unit, UINT64 address)
{
	return disk_of(unit)->memory + address * BLOCK_LENGTH;
}

/*
 * The four operations. Ranges have been checked, and at most MaxTransferLength bytes are asked for
 * at once. Several calls come at the same time, as many as the dispatcher has threads: two that
 * meet on one block may have any order, as on any disk.
 */

static BOOLEAN
disk_read(SPD_STORAGE_UNIT *unit, PVOID buffer, UINT64 address, UINT32 count, BOOLEAN flush,
	  SPD_STORAGE_UNIT_STATUS *status)
{
	memcpy(buffer, block_at(unit, address), (size_t)count * BLOCK_LENGTH);
	return TRUE; /* done; status is zeroed, which is good */
}

static BOOLEAN
disk_write(SPD_STORAGE_UNIT *unit, PVOID buffer, UINT64 address, UINT32 count, BOOLEAN flush,
	   SPD_STORAGE_UNIT_STATUS *status)
{
	memcpy(block_at(unit, address), buffer, (size_t)count * BLOCK_LENGTH);
	return TRUE;
}

/* Memory is as stable as this disk gets. */
static BOOLEAN
disk_flush(SPD_STORAGE_UNIT *unit, UINT64 address, UINT32 count, SPD_STORAGE_UNIT_STATUS *status)
{
	return TRUE;
}

static BOOLEAN
disk_unmap(SPD_STORAGE_UNIT *unit, SPD_UNMAP_DESCRIPTOR descriptors[], UINT32 count,
	   SPD_STORAGE_UNIT_STATUS *status)
{
	for (UINT32 i = 0; i < count; i++)
		memset(block_at(unit, descriptors[i].BlockAddress), 0,
		       (size_t)descriptors[i].BlockCount * BLOCK_LENGTH);
	return TRUE;
}

static const SPD_STORAGE_UNIT_INTERFACE disk_interface = {
	.Read = disk_read,
	.Write = disk_write,
	.Flush = disk_flush,
	.Unmap = disk_unmap,
};

/* ---------------------------------------------------------------- the program */

static int
set_option(SPDX_PROGRAM *program, const char *name, const char *value, char *error, SIZE_T cap)
{
	struct disk *disk = program->Context;
	char *end;

	disk->size = strtoull(value, &end, 10);
	if (*end == 0 && disk->size > 0 && disk->size <= SIZE_MAX_MIB)
		return 0;
	snprintf(error, cap, "%s: a number of MiB, 1 to %d, not '%s'", name, SIZE_MAX_MIB, value);
	return -1;
}

static DWORD
create(SPDX_PROGRAM *program, PWSTR device_name, SPD_STORAGE_UNIT **ret_unit, char *error,
       SIZE_T cap)
{
	struct disk *disk = program->Context;
	SPD_STORAGE_UNIT_PARAMS params = {
		/* The disk's identity. Two disks have two: make yours with uuidgen, and keep it. */
		.Guid = {0x5ad77a1f,
			 0x3c0e,
			 0x4d2b,
			 {0x9a, 0x51, 0x0e, 0x6f, 0x2c, 0x88, 0x41, 0x07}},
		.BlockCount = disk->size * MEBIBYTE / BLOCK_LENGTH,
		.BlockLength = BLOCK_LENGTH,
		.ProductId = "Tutorial",
		.ProductRevisionLevel = "1",
		.UnmapSupported = 1,
		.MaxTransferLength = MEBIBYTE,
	};
	DWORD result;

	disk->memory = calloc((size_t)disk->size, MEBIBYTE);
	if (!disk->memory) {
		snprintf(error, cap, "no memory for %llu MiB", (unsigned long long)disk->size);
		return ERROR_NOT_ENOUGH_MEMORY;
	}
	result = SpdStorageUnitCreate(device_name, &params, &disk_interface, ret_unit);
	if (result == ERROR_SUCCESS)
		(*ret_unit)->UserContext = disk;
	else
		free(disk->memory);
	return result;
}

static VOID
delete_disk(SPDX_PROGRAM *program, SPD_STORAGE_UNIT *unit)
{
	struct disk *disk = program->Context;

	SpdStorageUnitDelete(unit);
	free(disk->memory);
}

int
main(int argc, char **argv)
{
	static const SPDX_OPTION options[] = {{'s', "size", "MIB", "how large the disk is (16)"},
					      {0, NULL, NULL, NULL}};
	struct disk disk = {.size = 16};
	SPDX_PROGRAM program = {.Size = sizeof(program),
				.Name = "disk",
				.Version = "1",
				.Summary = "a disk in memory",
				.Options = options,
				.Context = &disk,
				.SetOption = set_option,
				.Create = create,
				.Delete = delete_disk};

	return SpdxProgramMain(&program, argc, argv);
}
