/* Any bytes as a chain of extended attributes: what passes a check can be walked, and rebuilt. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "fs/walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
walk_and_rebuild(const uint8_t *list, uint32_t size)
{
	uint32_t at = 0, n_copy = 0, before = 0, bad;
	uint8_t *copy = malloc(size + 8u);
	struct fs_ea ea;

	assert(copy);
	while (fs_ea_next(list, size, &at, &ea)) {
		assert(at > before);
		before = at;
		assert((const uint8_t *)ea.name >= list &&
		       ea.value + ea.n_value <= list + size);
		assert(fs_ea_append(copy, size + 8, &n_copy, &ea));
	}
	assert(n_copy <= size);
	assert(NT_SUCCESS(fs_ea_check(copy, n_copy, &bad)));
	free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *list = malloc(size + 1);
	uint32_t n = (uint32_t)size, bad = 0;

	if (!list || size > 65536) {
		free(list);
		return 0;
	}
	memcpy(list, data, size);
	if (NT_SUCCESS(fs_ea_check(list, n, &bad)))
		walk_and_rebuild(list, n);
	else
		assert(bad <= n);
	if (NT_SUCCESS(fs_ea_repair(list, &n))) {
		assert(n <= size);
		if (n > 0)
			walk_and_rebuild(list, n);
	}
	free(list);
	return 0;
}
