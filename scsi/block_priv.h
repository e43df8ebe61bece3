/* Private to the files of block commands: block.c, compare.c, thin.c, copy.c. */
#ifndef USERDRIVE_SCSI_BLOCK_PRIV_H
#define USERDRIVE_SCSI_BLOCK_PRIV_H

#include "scsi/lu.h"

enum {
	/* Of a multi-step command: bytes of scratch, one block at least. */
	SCSI_BLOCK_SCRATCH = 256 << 10,
	/* In a usage map */
	SCSI_USAGE_GROUP = 0x1f, /* GROUP NUMBER: taken and not looked at, SBC-3 4.22 */
	SCSI_USAGE_PROTECT = 0xe0,
	SCSI_USAGE_DPO = 0x10,
	SCSI_USAGE_FUA = 0x08,
	SCSI_USAGE_FUA_NV = 0x02,
	SCSI_USAGE_BYTCHK = 0x06
};
#define SCSI_USAGE_LBA4 0xff, 0xff, 0xff, 0xff
#define SCSI_USAGE_LBA8 SCSI_USAGE_LBA4, SCSI_USAGE_LBA4

/* No unit has protection information: RDPROTECT and its kin are 0. A row's check(). */
struct scsi_result scsi_block_check(struct scsi_task *task);
/* Has the initiator sent what its CDB asks to move? Where a mismatch could not be told from another
 * command (COMPARE AND WRITE, WRITE SAME): exactly that? */
struct scsi_result scsi_block_check_data(const struct scsi_task *task);
struct scsi_result scsi_block_check_data_exact(const struct scsi_task *task);
/* The same for a plain write, which may come short: whole blocks that came are written, and the door
 * tells the residual (SAM-5 5.4.2; an initiator that announces less than its CDB asks for). */
struct scsi_result scsi_block_cut(struct scsi_task *task);
/* FUA, FUA_NV (there is no non-volatile cache: the medium it is), or a write while WCE is 0. */
bool scsi_block_fua(const struct scsi_task *task);
/* The task as one request to the unit, which ends it. may_unmap: WRITE_ZEROES. */
void scsi_block_submit(struct scsi_task *task, enum scsi_io_kind kind, void *data, bool may_unmap);
/* One request to the task's unit within run(). */
struct scsi_result scsi_block_io(struct scsi_task *task, enum scsi_io_kind kind, uint64_t lba,
				 uint32_t n_blocks, void *data, bool fua);
/* Blocks of scratch for a command of n_blocks; 0 for none. */
uint32_t scsi_block_scratch(const struct scsi_task *task, uint32_t n_blocks);
uint32_t scsi_block_length(const struct scsi_task *task);

/* compare.c */
struct scsi_result scsi_verify_check(struct scsi_task *task);
struct scsi_result scsi_verify_run(struct scsi_task *task);
struct scsi_result scsi_write_and_verify_check(struct scsi_task *task);
struct scsi_result scsi_write_and_verify_run(struct scsi_task *task);
struct scsi_result scsi_orwrite_run(struct scsi_task *task);
struct scsi_result scsi_compare_and_write_check(struct scsi_task *task);
void scsi_compare_and_write_start(struct scsi_task *task);
struct scsi_result scsi_write_atomic_check(struct scsi_task *task);
struct scsi_result scsi_write_atomic_run(struct scsi_task *task);

#endif
