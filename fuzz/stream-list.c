/* Any bytes as a list in steps, with the fixed part of each kind of entry: the walk stays inside,
 * goes forward, and ends. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "fs/walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
walk(const uint8_t *list, uint32_t size, uint32_t min_size)
{
	const uint8_t *entry;
	uint32_t at = 0, before = 0;
	uint16_t entry_size;
	bool broken;

	while ((entry = fs_list_next(list, size, &at, min_size, &broken))) {
		memcpy(&entry_size, entry, sizeof(entry_size));
		assert(!broken && entry_size >= min_size);
		assert(entry == list + before && entry + entry_size <= list + size);
		assert(at > before);
		before = at;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *list = malloc(size + 1);

	if (!list || size > 65536) {
		free(list);
		return 0;
	}
	memcpy(list, data, size);
	walk(list, (uint32_t)size, sizeof(struct fs_stream_info));
	walk(list, (uint32_t)size, sizeof(struct fs_dir_info));
	walk(list, (uint32_t)size, sizeof(struct fs_notify_info));
	free(list);
	return 0;
}
