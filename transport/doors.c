/* The table of doors that this build has; what looks one up is fs/door.h. */
#include "fs/door.h"

#ifdef HAVE_DOOR_MOUNT
extern const struct fs_door door_mount; /* transport/mount */
#endif

const struct fs_door *const fs_doors[] = {
#ifdef HAVE_DOOR_MOUNT
	&door_mount,
#endif
	NULL};
