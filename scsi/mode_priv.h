/* Private to mode.c, its tests and its fuzz target. */
#ifndef USERDRIVE_SCSI_MODE_PRIV_H
#define USERDRIVE_SCSI_MODE_PRIV_H

#include "scsi/lu.h"

/* A MODE SELECT parameter list, (10) when ten, on top of *values. Reads lu's unit only, changes
 * *values as far as the list was good: use it when the result is good. Any thread. */
struct scsi_result scsi_mode_parse(const struct scsi_lu *lu, bool ten, const uint8_t *list,
				   size_t size, struct scsi_mode_values *values);

#endif
