/*
 * The storage units of this process by target number: what the names of Btl numbers and of
 * \\.\pipe\NAME\T count, and what keeps GUIDs apart. Any thread.
 */
#ifndef USERDRIVE_API_WINSPD_SLOTS_H
#define USERDRIVE_API_WINSPD_SLOTS_H

#include "winspd/ioctl.h"
#include "scsi/unit.h"

/* ERROR_ALREADY_EXISTS, ERROR_CANNOT_MAKE. owner: for spd_slot_owner. */
DWORD spd_slot_take(const GUID *guid, void *owner, unsigned *ret_index);
/* From here on devices reach the unit; NULL: no longer. Takes no reference. */
void spd_slot_set_unit(unsigned index, struct scsi_unit *unit);
void spd_slot_release(unsigned index);
/* A reference to the unit; NULL: there is none. */
struct scsi_unit *spd_slot_unit(unsigned index);
void *spd_slot_owner(unsigned index);
/* -1: no unit has it. */
int spd_slot_find(const GUID *guid);
/* Bits of the slots that have a unit. */
UINT64 spd_slot_mask(void);

#endif
