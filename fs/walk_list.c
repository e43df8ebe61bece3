/* Lists in 8-byte steps: directory, stream and notification records. */
#include <string.h>
#include "fs/walk.h"

const void *
fs_list_next(const void *list, uint32_t size, uint32_t *offset, uint32_t min_size,
	     bool *ret_broken)
{
	const uint8_t *entry;
	uint16_t entry_size;

	if (ret_broken)
		*ret_broken = false;
	if (*offset >= size || size - *offset < sizeof(entry_size))
		return NULL;
	entry = (const uint8_t *)list + *offset; /* an empty list may be NULL */
	memcpy(&entry_size, entry, sizeof(entry_size));
	if (entry_size == 0)
		return NULL;
	if (entry_size < min_size || entry_size > size - *offset) {
		if (ret_broken)
			*ret_broken = true;
		return NULL;
	}
	*offset += ALIGN_UP((uint32_t)entry_size, 8);
	return entry;
}
