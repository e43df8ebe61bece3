/* The table of doors of disks; what looks one up is scsi/door.h. */
#ifdef HAVE_DOOR_ISCSI
#include "transport/iscsi/door.h"
#endif
#ifdef HAVE_DOOR_LOOP
#include "transport/loop/door.h"
#endif
#include "transport/local/door.h"

const struct scsi_door *const scsi_doors[] = {
#ifdef HAVE_DOOR_LOOP
	&door_loop,
#endif
#ifdef HAVE_DOOR_ISCSI
	&door_iscsi,
#endif
	&door_local,
	NULL,
};
