#include "transport/loop/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"

enum { SYSFS_SECTOR = 512 };

static int
read_unit(void *ctx, uint64_t lba, uint32_t n_blocks, void *dst)
{
	struct scsi_unit *unit = ctx;
	struct scsi_io io = {
		.kind = SCSI_IO_READ, .lba = lba, .n_blocks = n_blocks, .data = dst};

	return -scsi_result_to_errno(scsi_unit_io(unit, &io));
}

int
loop_parts_read(struct scsi_unit *unit, struct partition_table *ret_table)
{
	struct partition_disk disk = {
		.read = read_unit,
		.ctx = unit,
		.n_blocks = scsi_unit_n_blocks(unit),
		.block_length = scsi_unit_params(unit)->block_length,
	};

	return partition_table_read(&disk, ret_table);
}

static bool
read_number(const char *path, uint64_t *ret)
{
	char text[32];
	CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n <= 0)
		return false;
	text[n] = '\0';
	*ret = strtoull(text, NULL, 10);
	return true;
}

/* What the kernel has under a number, in bytes. */
static bool
kernel_partition(int device, unsigned number, uint64_t *ret_start, uint64_t *ret_size)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/block/loop%d/loop%dp%u/start", device, device,
		 number);
	if (!read_number(path, ret_start))
		return false;
	snprintf(path, sizeof(path), "/sys/block/loop%d/loop%dp%u/size", device, device,
		 number);
	if (!read_number(path, ret_size))
		return false;
	*ret_start *= SYSFS_SECTOR;
	*ret_size *= SYSFS_SECTOR;
	return true;
}

static const struct partition *
find_number(const struct partition_table *table, unsigned number)
{
	for (unsigned i = 0; i < table->n; i++)
		if (table->item[i].number == number)
			return &table->item[i];
	return NULL;
}

static unsigned
complain(int device, unsigned number, const char *what, int err)
{
	log_warn("loop", "partition %s device=/dev/loop%dp%u error=\"%s\"", what, device,
		 number, strerror(-err));
	return 1;
}

static bool
is_wrong(const struct partition *p, uint32_t block_length, uint64_t start, uint64_t size)
{
	return !p || p->lba * block_length != start || p->n_blocks * block_length != size;
}

/* First everything that goes: what comes may overlap it. */
static unsigned
remove_wrong(struct holder *holder, int device, uint32_t block_length,
	     const struct partition_table *table)
{
	unsigned n_failed = 0;
	uint64_t start, size;

	for (unsigned i = 1; i <= PARTITION_NUMBER_MAX; i++) {
		if (!holder_has_added(holder, i) ||
		    !kernel_partition(device, i, &start, &size) ||
		    !is_wrong(find_number(table, i), block_length, start, size))
			continue;
		int err = holder_delete_partition(holder, i);
		if (err && err != -ENXIO)
			n_failed += complain(device, i, "stays as it was", err);
	}
	return n_failed;
}

unsigned
loop_parts_apply(struct holder *holder, int device, uint32_t block_length,
		 const struct partition_table *table)
{
	unsigned n_failed = remove_wrong(holder, device, block_length, table);
	uint64_t start, size;

	for (unsigned i = 0; i < table->n; i++) {
		const struct partition *p = &table->item[i];
		int err;

		if (kernel_partition(device, p->number, &start, &size))
			continue;
		err = holder_add_partition(holder, p->number, p->lba * block_length,
					   p->n_blocks * block_length);
		if (err)
			n_failed += complain(device, p->number, "cannot be added", err);
	}
	return n_failed;
}
