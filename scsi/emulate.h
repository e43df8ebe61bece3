/* Private to scsi/: request kinds that a program does not offer, made of those it does. */
#ifndef USERDRIVE_SCSI_EMULATE_H
#define USERDRIVE_SCSI_EMULATE_H

#include "scsi/unit.h"

/* Can kind be made of what the unit's program has? */
bool scsi_can_emulate(const struct scsi_unit *unit, enum scsi_io_kind kind);
/* In a slot of the unit, on a worker. The request has been checked. */
struct scsi_result scsi_emulate(struct scsi_unit *unit, struct scsi_io *io);

#endif
