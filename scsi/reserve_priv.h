/* Private to scsi/: reservation rules for commands whose CDB decides which of them holds. */
#ifndef USERDRIVE_SCSI_RESERVE_PRIV_H
#define USERDRIVE_SCSI_RESERVE_PRIV_H

#include "scsi/lu.h"

/*
 * RESERVATION CONFLICT or good for a command with these SCSI_CMD_PR_* and SCSI_CMD_RESERVE6_OK
 * flags. nexus NULL: a block door, which neither holds nor is registered.
 */
struct scsi_result scsi_reserve_check_flags_locked(struct scsi_lu *lu,
						   const struct scsi_nexus *nexus, uint32_t flags)
	REQUIRES(&lu->lock);

#endif
