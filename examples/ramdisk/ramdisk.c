/*
 * ramdisk: a disk in memory, which ends with its program. The shortest useful disk: start reading at
 * main, then the operations.
 *
 * The whole disk is reserved as address space, and the system gives it memory page by page as it is
 * written; what was never written, or was unmapped, takes none and reads as zeroes. So the operations
 * are memcpy and memset, and no lock is needed: hosts that write and read the same blocks at once
 * get one or the other, or some of both, as on every disk.
 *
 * To end with an error before the machine runs out of memory, chunks that were written to are counted
 * in a bitmap. It only limits; what is in the disk is what is in its memory.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>
#include <winspd/ext.h>

#include "base/compiler.h"
#include "base/text/size.h"

enum { CHUNK = 64 << 10 /* bytes, a multiple of every page size that we meet */ };

struct ramdisk {
	uint64_t size, limit; /* bytes: of the disk; of memory that it may take */
	uint32_t block_length;
	bool write_protected, removable;

	uint8_t *bytes;
	_Atomic uint64_t *written; /* bit N: chunk N has been written to since it was unmapped */
	_Atomic uint64_t n_written; /* bits of it; a count, orders nothing */
};

static struct ramdisk *
ramdisk_of(const SPD_STORAGE_UNIT *unit)
{
	return unit->UserContext;
}

/* ---------------------------------------------------------------- memory */

/* Marks the chunks of a range as written to. False: that would be more than the disk may have. */
static bool
claim(struct ramdisk *r, uint64_t offset, uint64_t n)
{
	for (uint64_t c = offset / CHUNK; c <= (offset + n - 1) / CHUNK; c++) {
		uint64_t bit = UINT64_C(1) << c % 64;

		if (atomic_load_explicit(&r->written[c / 64], memory_order_relaxed) & bit)
			continue;
		if ((atomic_load(&r->n_written) + 1) * CHUNK > r->limit)
			return false;
		if (!(atomic_fetch_or(&r->written[c / 64], bit) & bit))
			atomic_fetch_add(&r->n_written, 1);
	}
	return true;
}

/* The range reads as zeroes; whole chunks go back to the system. */
static void
release(struct ramdisk *r, uint64_t offset, uint64_t n)
{
	uint64_t end = offset + n;
	uint64_t first = ALIGN_UP(offset, (uint64_t)CHUNK), last = end / CHUNK * CHUNK;

	if (first >= last) {
		memset(r->bytes + offset, 0, n);
		return;
	}
	memset(r->bytes + offset, 0, first - offset);
	memset(r->bytes + last, 0, end - last);
	madvise(r->bytes + first, last - first, MADV_DONTNEED);
	for (uint64_t c = first / CHUNK; c < last / CHUNK; c++) {
		uint64_t bit = UINT64_C(1) << c % 64;

		if (atomic_fetch_and(&r->written[c / 64], ~bit) & bit)
			atomic_fetch_sub(&r->n_written, 1);
	}
}

static bool
is_written(const struct ramdisk *r, uint64_t chunk)
{
	return atomic_load(&r->written[chunk / 64]) >> chunk % 64 & 1;
}

/* ---------------------------------------------------------------- operations */

static BOOLEAN
ram_read(SPD_STORAGE_UNIT *unit, PVOID buffer, UINT64 lba, UINT32 n_blocks, BOOLEAN flush,
	 SPD_STORAGE_UNIT_STATUS *status)
{
	const struct ramdisk *r = ramdisk_of(unit);

	memcpy(buffer, r->bytes + lba * r->block_length, (size_t)n_blocks * r->block_length);
	return TRUE;
}

static BOOLEAN
ram_write(SPD_STORAGE_UNIT *unit, PVOID buffer, UINT64 lba, UINT32 n_blocks, BOOLEAN flush,
	  SPD_STORAGE_UNIT_STATUS *status)
{
	struct ramdisk *r = ramdisk_of(unit);
	uint64_t offset = lba * r->block_length, n = (uint64_t)n_blocks * r->block_length;

	if (!claim(r, offset, n)) {
		SpdStorageUnitStatusSetSense(status, 7, 0x27, NULL);
		status->ASCQ = 7; /* SPACE ALLOCATION FAILED WRITE PROTECT */
		return TRUE;
	}
	memcpy(r->bytes + offset, buffer, n);
	return TRUE;
}

static BOOLEAN
ram_flush(SPD_STORAGE_UNIT *unit, UINT64 lba, UINT32 n_blocks, SPD_STORAGE_UNIT_STATUS *status)
{
	return TRUE;
}

static BOOLEAN
ram_unmap(SPD_STORAGE_UNIT *unit, SPD_UNMAP_DESCRIPTOR ranges[], UINT32 n_ranges,
	  SPD_STORAGE_UNIT_STATUS *status)
{
	struct ramdisk *r = ramdisk_of(unit);

	for (UINT32 i = 0; i < n_ranges; i++)
		if (ranges[i].BlockCount)
			release(r, ranges[i].BlockAddress * r->block_length,
				(uint64_t)ranges[i].BlockCount * r->block_length);
	return TRUE;
}

static BOOLEAN
ram_write_zeroes(SPD_STORAGE_UNIT *unit, UINT64 lba, UINT32 n_blocks, BOOLEAN may_unmap,
		 BOOLEAN flush, SPD_STORAGE_UNIT_STATUS *status)
{
	struct ramdisk *r = ramdisk_of(unit);

	release(r, lba * r->block_length, (uint64_t)n_blocks * r->block_length);
	return TRUE;
}

static BOOLEAN
ram_query_ranges(SPD_STORAGE_UNIT *unit, UINT64 lba, UINT32 n_blocks, SPDX_RANGE *ranges,
		 PUINT32 count, SPD_STORAGE_UNIT_STATUS *status)
{
	const struct ramdisk *r = ramdisk_of(unit);
	UINT32 per_chunk = CHUNK / r->block_length, n_ranges = 0;

	for (UINT32 n; n_blocks; lba += n, n_blocks -= n) {
		UINT32 state = is_written(r, lba / per_chunk) ? 0 : 1;

		n = MIN(per_chunk - (UINT32)(lba % per_chunk), n_blocks);
		if (n_ranges && ranges[n_ranges - 1].State == state)
			ranges[n_ranges - 1].BlockCount += n;
		else if (n_ranges == *count)
			break;
		else
			ranges[n_ranges++] = (SPDX_RANGE){lba, n, state};
	}
	*count = n_ranges;
	return TRUE;
}

static SPD_STORAGE_UNIT_INTERFACE interface = {
	.Read = ram_read, .Write = ram_write, .Flush = ram_flush, .Unmap = ram_unmap};

/* ---------------------------------------------------------------- program */

static int
reserve(struct ramdisk *r, char *error, SIZE_T cap)
{
	uint64_t n_words = (r->size / CHUNK + 64) / 64;

	r->bytes = mmap(NULL, r->size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	r->written = calloc(n_words, sizeof(*r->written));
	if (r->bytes != MAP_FAILED && r->written)
		return 0;
	snprintf(error, cap, "a disk of %llu bytes does not fit into the address space: %s",
		 (unsigned long long)r->size, strerror(errno));
	return -1;
}

static DWORD
create(SPDX_PROGRAM *program, PWSTR device_name, SPD_STORAGE_UNIT **ret_unit, char *error,
       SIZE_T cap)
{
	struct ramdisk *r = program->Context;
	SPD_STORAGE_UNIT_PARAMS params = {
		.BlockCount = r->size / r->block_length,
		.BlockLength = r->block_length,
		.ProductId = "RamDisk",
		.ProductRevisionLevel = "1.0",
		.WriteProtected = r->write_protected,
		.CacheSupported = 1, /* hosts flush, as they would a disk that keeps its data */
		.UnmapSupported = 1,
		.MaxTransferLength = 1 << 20,
	};
	SPDX_UNIT_OPTIONS options = {.Size = sizeof(options), .RotationRate = 1,
				     .Removable = r->removable, .UnmapZeroes = 1};

	if (r->size % r->block_length) {
		snprintf(error, cap, "size: not a multiple of the block length, %u",
			 r->block_length);
		return ERROR_INVALID_PARAMETER;
	}
	if (reserve(r, error, cap) < 0)
		return ERROR_NOT_ENOUGH_MEMORY;
	/* A new disk each time, since its contents are. */
	if (getrandom(&params.Guid, sizeof(params.Guid), 0) != sizeof(params.Guid))
		return ERROR_GEN_FAILURE;
	DWORD result = SpdStorageUnitCreate(device_name, &params, &interface, ret_unit);
	if (result == ERROR_SUCCESS) {
		(*ret_unit)->UserContext = r;
		result = SpdxStorageUnitSetOptions(*ret_unit, &options);
	}
	if (result != ERROR_SUCCESS)
		snprintf(error, cap, "%s", SpdxLastError());
	return result;
}

static VOID delete (SPDX_PROGRAM *program, SPD_STORAGE_UNIT *unit)
{
	struct ramdisk *r = ramdisk_of(unit);

	SpdStorageUnitDelete(unit);
	munmap(r->bytes, r->size);
	free(r->written);
}

static const SPDX_OPTION options[] = {
	{0, "size", "BYTES", "K, M, G, T may follow (default: 64M)"},
	{'l', "block-length", "BYTES", "a power of two, 512 to 4096 (default: 512)"},
	{0, "memory", "BYTES", "what it may take (default: half of the machine's)"},
	{0, "ro", NULL, "write-protected"},
	{0, "removable", NULL, "may be ejected"},
	{0, NULL, NULL, NULL},
};

static int
set_option(SPDX_PROGRAM *program, const char *name, const char *value, char *error, SIZE_T cap)
{
	struct ramdisk *r = program->Context;
	uint64_t n = 0;

	if (!strcmp(name, "ro"))
		r->write_protected = true;
	else if (!strcmp(name, "removable"))
		r->removable = true;
	else if (size_parse(value, &n) < 0 || n == 0) {
		snprintf(error, cap, "%s: '%s' is not a size", name, value);
		return -1;
	} else if (!strcmp(name, "size"))
		r->size = n;
	else if (!strcmp(name, "memory"))
		r->limit = n;
	else if (n >= 512 && n <= 4096 && (n & (n - 1)) == 0)
		r->block_length = (uint32_t)n;
	else {
		snprintf(error, cap, "%s: '%s' is none of 512, 1024, 2048, 4096", name, value);
		return -1;
	}
	return 0;
}

int
main(int argc, char **argv)
{
	struct ramdisk r = {
		.size = 64 << 20,
		.block_length = 512,
		.limit = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) / 2,
	};
	SPDX_PROGRAM program = {
		.Size = sizeof(program),
		.Name = "ramdisk",
		.Version = USERDRIVE_VERSION,
		.Summary = "a disk in memory",
		.Options = options,
		.Examples = "ramdisk --background --size=1G --door=loop:\n"
			    "ramdisk --size=1G -p '\\\\.\\pipe\\ram'          in the foreground\n",
		.Context = &r,
		.SetOption = set_option,
		.Create = create,
		.Delete = delete,
	};

	SpdxInterfaceSetWriteZeroes(&interface, ram_write_zeroes);
	SpdxInterfaceSetQueryRanges(&interface, ram_query_ranges);
	return SpdxProgramMain(&program, argc, argv);
}
