#include "fs/door.h"

#include <string.h>

const struct fs_door *
fs_door_find(const char *name)
{
	for (size_t i = 0; fs_doors[i]; i++)
		if (strcmp(fs_doors[i]->name, name) == 0)
			return fs_doors[i];
	return NULL;
}
