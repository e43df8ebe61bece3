#include "tests/durability/disk.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "api/winspd/priv.h"
#include "base/endian.h"
#include "base/mutex.h"

const char *const fault_names[FAULT_COUNT] = {
	[FAULT_NONE] = "none",
	[FAULT_NO_SYNC] = "no sync",
	[FAULT_IGNORES_FUA] = "ignores FUA",
	[FAULT_ANSWERS_EARLY] = "answers before it writes",
	[FAULT_WRONG_FILE] = "syncs the wrong file",
	[FAULT_SYNC_FIRST] = "syncs before it writes",
	[FAULT_MISPLACES] = "misplaces",
	[FAULT_LATE_HOLES] = "answers before it makes holes",
	[FAULT_FORGETS_LOSS] = "forgets that writes were lost",
};

/* ---------------------------------------------------------------- faults of the calls */

/* The change that was answered and is not made yet. */
static struct {
	struct mutex lock;
	bool is_hole, is_pending;
	int fd, mode;
	uint64_t offset, n;
	uint8_t *bytes;
} late = {.lock = MUTEX_INIT};

static void
catch_up(void)
{
	if (late.is_pending && late.is_hole)
		(void)crashlog_ops.fallocate(late.fd, late.mode, late.offset, late.n);
	else if (late.is_pending)
		(void)crashlog_ops.pwrite(late.fd, late.bytes, late.n, late.offset);
	free(late.bytes);
	late.bytes = NULL;
	late.is_pending = false;
}

static ssize_t
late_pwrite(int fd, const void *buffer, size_t n, uint64_t offset)
{
	mutex_lock(&late.lock);
	catch_up();
	late.is_pending = true;
	late.is_hole = false;
	late.fd = fd, late.offset = offset, late.n = n;
	late.bytes = malloc(n);
	assert_non_null(late.bytes);
	memcpy(late.bytes, buffer, n);
	mutex_unlock(&late.lock);
	return (ssize_t)n;
}

static int
late_fallocate(int fd, int mode, uint64_t offset, uint64_t n)
{
	mutex_lock(&late.lock);
	catch_up();
	late.is_pending = late.is_hole = true;
	late.fd = fd, late.mode = mode, late.offset = offset, late.n = n;
	mutex_unlock(&late.lock);
	return 0;
}

/* Whoever looks sees what was answered. */
static ssize_t
late_pread(int fd, void *buffer, size_t n, uint64_t offset)
{
	mutex_lock(&late.lock);
	catch_up();
	mutex_unlock(&late.lock);
	return crashlog_ops.pread(fd, buffer, n, offset);
}

static ssize_t
ordered_pwrite(int fd, const void *buffer, size_t n, uint64_t offset)
{
	mutex_lock(&late.lock);
	catch_up();
	mutex_unlock(&late.lock);
	return crashlog_ops.pwrite(fd, buffer, n, offset);
}

static int
no_fdatasync(int fd)
{
	(void)fd;
	return 0;
}

static int
other_fdatasync(int fd)
{
	(void)fd;
	int other = crashlog_ops.open("/another/file", O_RDWR, 0);

	return crashlog_ops.fdatasync(other);
}

static ssize_t
misplaced_pwrite(int fd, const void *buffer, size_t n, uint64_t offset)
{
	static unsigned count;

	if (++count % 32 == 0)
		offset += CRASHLOG_SECTOR;
	return crashlog_ops.pwrite(fd, buffer, n, offset);
}

static struct storage_ops ops;

static void
choose_ops(enum fault fault)
{
	ops = crashlog_ops;
	if (fault == FAULT_NO_SYNC)
		ops.fdatasync = no_fdatasync;
	if (fault == FAULT_WRONG_FILE)
		ops.fdatasync = other_fdatasync;
	if (fault == FAULT_MISPLACES)
		ops.pwrite = misplaced_pwrite;
	if (fault == FAULT_ANSWERS_EARLY || fault == FAULT_LATE_HOLES) {
		ops.pread = late_pread;
		ops.pwrite = fault == FAULT_LATE_HOLES ? ordered_pwrite : late_pwrite;
	}
	if (fault == FAULT_LATE_HOLES)
		ops.fallocate = late_fallocate;
}

/* ---------------------------------------------------------------- faults of the
 * operations */

static SPD_STORAGE_UNIT_INTERFACE good;

static BOOLEAN
write_without_fua(SPD_STORAGE_UNIT *unit, PVOID buffer, UINT64 lba, UINT32 n,
		  BOOLEAN flush, SPD_STORAGE_UNIT_STATUS *status)
{
	(void)flush;
	return good.Write(unit, buffer, lba, n, FALSE, status);
}

static BOOLEAN
zeroes_without_fua(SPD_STORAGE_UNIT *unit, UINT64 lba, UINT32 n, BOOLEAN may_unmap,
		   BOOLEAN flush, SPD_STORAGE_UNIT_STATUS *status)
{
	(void)flush;
	return SpdxInterfaceGetWriteZeroes(&good)(unit, lba, n, may_unmap, FALSE, status);
}

static BOOLEAN
write_after_sync(SPD_STORAGE_UNIT *unit, PVOID buffer, UINT64 lba, UINT32 n,
		 BOOLEAN flush, SPD_STORAGE_UNIT_STATUS *status)
{
	if (flush)
		good.Flush(unit, lba, n, status);
	return good.Write(unit, buffer, lba, n, FALSE, status);
}

static BOOLEAN
forgetful_flush(SPD_STORAGE_UNIT *unit, UINT64 lba, UINT32 n,
		SPD_STORAGE_UNIT_STATUS *status)
{
	atomic_store(&rd_of(unit)->lost_writes, false);
	return good.Flush(unit, lba, n, status);
}

static void
choose_operations(struct rd *rd, const struct dur_params *p)
{
	SPD_STORAGE_UNIT_INTERFACE *interface = &rd->interface;

	good = *interface;
	if (p->fault == FAULT_IGNORES_FUA) {
		interface->Write = write_without_fua;
		SpdxInterfaceSetWriteZeroes(interface, zeroes_without_fua);
	}
	if (p->fault == FAULT_SYNC_FIRST)
		interface->Write = write_after_sync;
	if (p->fault == FAULT_FORGETS_LOSS)
		interface->Flush = forgetful_flush;
}

/* ---------------------------------------------------------------- the unit */

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static void
make_folder(struct dur_disk *d)
{
	snprintf(d->folder, sizeof(d->folder), "/tmp/userdrive-durability.XXXXXX");
	assert_non_null(mkdtemp(d->folder));
	snprintf(d->path, sizeof(d->path), "%s/image", d->folder);
	setenv("USERDRIVE_RUNTIME_DIR", d->folder, 1);
	/* The log has the contents; the path only has to be there. */
	int fd = open(d->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
}

void
dur_disk_open(struct dur_disk *d, const struct dur_params *p)
{
	WCHAR door[] = u"\\\\.\\pipe\\durable";
	char error[256] = "";
	struct rd_params params = {.image = d->path,
				   .size = p->n_blocks * p->block_length,
				   .block_length = p->block_length,
				   .no_cache = p->no_cache,
				   .partition = RD_PARTITION_NONE,
				   .product = "Durable",
				   .revision = "1",
				   .ops = &ops};

	*d = (struct dur_disk){.block_length = p->block_length,
			       .cache_off = p->cache_off};
	make_folder(d);
	crashlog_reset((p->n_blocks + 1) * p->block_length);
	choose_ops(p->fault);
	if (rd_create(&params, door, &d->rd, error, sizeof(error)) != ERROR_SUCCESS)
		fail_msg("rd_create: %s", error);
	choose_operations(d->rd, p);
	if (SpdStorageUnitStartDispatcher(d->rd->unit, 4) != ERROR_SUCCESS)
		fail_msg("start: %s", SpdxLastError());
	d->unit = spd_of(d->rd->unit)->unit;
}

int
dur_disk_fd(const struct dur_disk *d)
{
	(void)d;
	return crashlog_find("/image");
}

void
dur_disk_close(struct dur_disk *d)
{
	SpdStorageUnitShutdown(d->rd->unit);
	SpdStorageUnitWaitDispatcher(d->rd->unit);
	rd_delete(d->rd);
	mutex_lock(&late.lock);
	free(late.bytes);
	late.bytes = NULL;
	late.is_pending = false;
	mutex_unlock(&late.lock);
	crashlog_fini();
	assert_int_equal(nftw(d->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}
