/* The table of doors; what looks one up is fs/door.h. */
#include "transport/mount/door.h"

const struct fs_door *const fs_doors[] = {&door_mount, NULL};
