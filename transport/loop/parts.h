/*
 * Partitions of a loop device: what the table on the unit says is made true of the
 * kernel's list. A kernel with a parser of its own has made them already; then there is
 * nothing to do. Where none has (some are built so), they are added with BLKPG.
 */
#ifndef USERDRIVE_TRANSPORT_LOOP_PARTS_H
#define USERDRIVE_TRANSPORT_LOOP_PARTS_H

#include "scsi/unit.h"
#include "transport/loop/holder.h"
#include "transport/loop/partition.h"

/* The table as it is on the unit now; reads through scsi_unit_io, so it may block. 0 or
 * -errno. */
NODISCARD int loop_parts_read(struct scsi_unit *unit, struct partition_table *ret_table);
/*
 * Adds what is missing from /dev/loopNUMBER, and takes away what was added here and is in
 * the table no more. Partitions in use stay, and so do those that the kernel has found by
 * itself. Returns the number of partitions that could not be made so, each with a line in
 * the log.
 */
unsigned loop_parts_apply(struct holder *holder, int number, uint32_t block_length,
			  const struct partition_table *table);

#endif
