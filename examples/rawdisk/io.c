/* The operations. Each ends with one sense code that says exactly what went wrong. */
#include "examples/rawdisk/rawdisk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"
#include "base/status/errno.h"

/* ---------------------------------------------------------------- sense */

enum { MEDIUM_ERROR = 3, HARDWARE_ERROR = 4, DATA_PROTECT = 7 };

/* SPC-4 annex F: what a failed write is; errnos that are not here are write errors of the medium. */
static const struct write_sense {
	int err;
	UINT8 key, asc, ascq;
} write_senses[] = {
	{ENOSPC, DATA_PROTECT, 0x27, 0x07}, /* SPACE ALLOCATION FAILED WRITE PROTECT */
	{EDQUOT, DATA_PROTECT, 0x27, 0x07},
	{EFBIG, DATA_PROTECT, 0x27, 0x07},
	{EROFS, DATA_PROTECT, 0x27, 0x00}, /* WRITE PROTECTED */
	{EPERM, DATA_PROTECT, 0x27, 0x00},
	{ENOMEM, HARDWARE_ERROR, 0x44, 0x00}, /* INTERNAL TARGET FAILURE */
};

static BOOLEAN
set_sense(SPD_STORAGE_UNIT_STATUS *status, UINT8 key, UINT8 asc, UINT8 ascq, const UINT64 *lba)
{
	UINT64 information = lba ? *lba : 0;

	SpdStorageUnitStatusSetSense(status, key, asc, lba ? &information : NULL);
	status->ASCQ = ascq;
	return TRUE;
}

/* err: 0 or -errno. The block in which it happened is told for errors of the medium only. */
static BOOLEAN
finish_write(const struct rd *rd, int err, UINT64 lba, size_t done,
	     SPD_STORAGE_UNIT_STATUS *status)
{
	UINT64 bad = lba + done / rd->block_length;

	if (err == 0)
		return TRUE;
	log_warn("rawdisk", "%s: a write failed lba=%llu error=%s", rd->path,
		 (unsigned long long)bad, errno_name(-err) ? errno_name(-err) : "?");
	for (size_t i = 0; i < ARRAY_SIZE(write_senses); i++)
		if (write_senses[i].err == -err)
			return set_sense(status, write_senses[i].key, write_senses[i].asc,
					 write_senses[i].ascq, NULL);
	return set_sense(status, MEDIUM_ERROR, 0x0C, 0x00, &bad); /* WRITE ERROR */
}

static BOOLEAN
finish_read(const struct rd *rd, int err, UINT64 lba, size_t done,
	    SPD_STORAGE_UNIT_STATUS *status)
{
	UINT64 bad = lba + done / rd->block_length;

	if (err == 0)
		return TRUE;
	log_warn("rawdisk", "%s: a read failed lba=%llu error=%s", rd->path,
		 (unsigned long long)bad,
		 err == -ENODATA ? "beyond the end of the image" : errno_name(-err));
	if (err == -ENOMEM)
		return set_sense(status, HARDWARE_ERROR, 0x44, 0x00, NULL);
	return set_sense(status, MEDIUM_ERROR, 0x11, 0x00, &bad); /* UNRECOVERED READ ERROR */
}

/* ---------------------------------------------------------------- stable storage */

/*
 * Once the system could not bring writes to the medium it drops them, and its next fdatasync is good
 * again. Ours is not.
 */
static int
sync_image(struct rd *rd)
{
	int err;

	if (atomic_load_explicit(&rd->lost_writes, memory_order_relaxed))
		return -EIO;
	err = rd->image.ops->fdatasync(rd->image.fd);
	if (err && !atomic_exchange(&rd->lost_writes, true))
		log_error("rawdisk", "%s: writes were lost: %s; every flush fails until the disk "
				     "is attached anew", rd->path, strerror(-err));
	return err;
}

/* What somebody else cut off is not grown again by our writes: what was there is lost, and the hosts
 * are to know. */
static int
check_end(const struct rd *rd, UINT64 lba, UINT64 n_blocks)
{
	int64_t end = rd->image.ops->lseek(rd->image.fd, 0, SEEK_END);

	if (end < 0)
		return (int)end;
	return (lba + n_blocks) * rd->block_length <= (uint64_t)end ? 0 : -ENXIO;
}

/* ---------------------------------------------------------------- transfers */

static bool
is_aligned(const struct rd *rd, const void *buffer)
{
	return (uintptr_t)buffer % rd->memory_align == 0;
}

/* Direct I/O from or to memory that it does not like goes by way of some that it does. */
static int
transfer(const struct rd *rd, bool writes, void *buffer, size_t n, uint64_t offset, size_t *done)
{
	void *room = buffer;
	int err;

	*done = 0;
	if (!is_aligned(rd, buffer) && posix_memalign(&room, MAX(rd->memory_align, 4096u), n))
		return -ENOMEM;
	if (writes && room != buffer)
		memcpy(room, buffer, n);
	err = writes ? storage_write(&rd->image, room, n, offset, done)
		     : storage_read(&rd->image, room, n, offset, done);
	if (!writes && room != buffer)
		memcpy(buffer, room, *done);
	if (room != buffer)
		free(room);
	return err;
}

static BOOLEAN
rd_read(SPD_STORAGE_UNIT *unit, PVOID buffer, UINT64 lba, UINT32 n_blocks, BOOLEAN flush,
	SPD_STORAGE_UNIT_STATUS *status)
{
	struct rd *rd = rd_of(unit);
	size_t done = 0;
	/* SBC-3 5.8, FUA: what a newer write left in a cache goes to the medium first. */
	int err = flush && !rd->write_protected ? sync_image(rd) : 0;

	if (err)
		return finish_write(rd, err, lba, 0, status);
	err = transfer(rd, false, buffer, (size_t)n_blocks * rd->block_length,
		       lba * rd->block_length, &done);
	return finish_read(rd, err, lba, done, status);
}

static BOOLEAN
rd_write(SPD_STORAGE_UNIT *unit, PVOID buffer, UINT64 lba, UINT32 n_blocks, BOOLEAN flush,
	 SPD_STORAGE_UNIT_STATUS *status)
{
	struct rd *rd = rd_of(unit);
	size_t done = 0;
	int err = check_end(rd, lba, n_blocks);

	if (err == 0)
		err = transfer(rd, true, buffer, (size_t)n_blocks * rd->block_length,
			       lba * rd->block_length, &done);
	if (err == 0 && flush)
		err = sync_image(rd);
	return finish_write(rd, err, lba, done, status);
}

static BOOLEAN
rd_flush(SPD_STORAGE_UNIT *unit, UINT64 lba, UINT32 n_blocks, SPD_STORAGE_UNIT_STATUS *status)
{
	struct rd *rd = rd_of(unit);
	/* The system has no way to sync a range that also keeps what is needed to find it. */
	int err = rd->write_protected ? 0 : sync_image(rd);

	(void)n_blocks;
	return finish_write(rd, err, lba, 0, status);
}

/* ---------------------------------------------------------------- holes */

static int
zero_range(struct rd *rd, UINT64 lba, UINT64 n_blocks, bool give_back, size_t *done)
{
	int err = check_end(rd, lba, n_blocks);

	*done = 0;
	return err ? err
		   : storage_zero(&rd->image, lba * rd->block_length, n_blocks * rd->block_length,
				  give_back, done);
}

static BOOLEAN
rd_unmap(SPD_STORAGE_UNIT *unit, SPD_UNMAP_DESCRIPTOR ranges[], UINT32 n_ranges,
	 SPD_STORAGE_UNIT_STATUS *status)
{
	struct rd *rd = rd_of(unit);

	for (UINT32 i = 0; i < n_ranges; i++) {
		size_t done;
		int err = zero_range(rd, ranges[i].BlockAddress, ranges[i].BlockCount, true,
				     &done);

		if (err)
			return finish_write(rd, err, ranges[i].BlockAddress, done, status);
	}
	/* Unlike writes, this comes without a flag that asks for it. */
	return finish_write(rd, rd->no_cache ? sync_image(rd) : 0, 0, 0, status);
}

static BOOLEAN
rd_write_zeroes(SPD_STORAGE_UNIT *unit, UINT64 lba, UINT32 n_blocks, BOOLEAN may_unmap,
		BOOLEAN flush, SPD_STORAGE_UNIT_STATUS *status)
{
	struct rd *rd = rd_of(unit);
	size_t done;
	int err = zero_range(rd, lba, n_blocks, may_unmap && rd->may_unmap, &done);

	if (err == 0 && flush)
		err = sync_image(rd);
	return finish_write(rd, err, lba, done, status);
}

/* The run of blocks at lba, at most n of them. A block is a hole when no byte of it is data. */
static UINT32
next_run(const struct rd *rd, UINT64 lba, UINT32 n, UINT32 *ret_state)
{
	uint64_t bytes;
	bool is_data;

	storage_extent(&rd->image, lba * rd->block_length, (uint64_t)n * rd->block_length,
		       &is_data, &bytes);
	uint64_t whole = bytes / rd->block_length;
	*ret_state = is_data || whole == 0 ? 0 : 1;
	if (*ret_state == 0)
		whole = (bytes + rd->block_length - 1) / rd->block_length;
	return (UINT32)MIN(whole, n);
}

static BOOLEAN
rd_query_ranges(SPD_STORAGE_UNIT *unit, UINT64 lba, UINT32 n_blocks, SPDX_RANGE *ranges,
		PUINT32 count, SPD_STORAGE_UNIT_STATUS *status)
{
	const struct rd *rd = rd_of(unit);
	UINT32 n_ranges = 0;

	(void)status;
	while (n_blocks) {
		UINT32 state, n = next_run(rd, lba, n_blocks, &state);

		if (n_ranges && ranges[n_ranges - 1].State == state)
			ranges[n_ranges - 1].BlockCount += n;
		else if (n_ranges == *count)
			break;
		else
			ranges[n_ranges++] = (SPDX_RANGE){lba, n, state};
		lba += n;
		n_blocks -= n;
	}
	*count = n_ranges;
	return TRUE;
}

static DWORD
rd_resize(SPD_STORAGE_UNIT *unit, UINT64 n_blocks)
{
	int err = rd_image_resize(rd_of(unit), n_blocks);

	return err ? win32_from_nt(nt_from_errno(-err)) : ERROR_SUCCESS;
}

void
rd_interface_fill(SPD_STORAGE_UNIT_INTERFACE *interface)
{
	*interface = (SPD_STORAGE_UNIT_INTERFACE){
		.Read = rd_read, .Write = rd_write, .Flush = rd_flush, .Unmap = rd_unmap};
	SpdxInterfaceSetWriteZeroes(interface, rd_write_zeroes);
	SpdxInterfaceSetQueryRanges(interface, rd_query_ranges);
	SpdxInterfaceSetResize(interface, rd_resize);
}
