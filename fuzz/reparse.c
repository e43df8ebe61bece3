/* Any bytes as a reparse buffer: names of what passes lie inside it; what is built passes. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "fs/walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_names(const uint8_t *buffer, uint32_t size)
{
	struct fs_symlink link;
	uint8_t rebuilt[1024];

	if (!fs_reparse_symlink(buffer, size, &link))
		return;
	assert((const uint8_t *)link.substitute >= buffer &&
	       (const uint8_t *)(link.substitute + link.n_substitute) <= buffer + size);
	assert((const uint8_t *)link.print >= buffer &&
	       (const uint8_t *)(link.print + link.n_print) <= buffer + size);
	uint32_t n = fs_reparse_build_symlink(link.substitute, link.n_substitute, link.relative,
					      rebuilt, sizeof(rebuilt));
	assert(n <= sizeof(rebuilt));
	if (n > 0) {
		struct fs_symlink again;

		assert(NT_SUCCESS(fs_reparse_check(rebuilt, n)));
		assert(fs_reparse_symlink(rebuilt, n, &again));
		assert(again.n_substitute == link.n_substitute &&
		       memcmp(again.substitute, link.substitute, link.n_substitute * 2) == 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *buffer = malloc(size + 1);

	if (!buffer || size > 65536) {
		free(buffer);
		return 0;
	}
	memcpy(buffer, data, size);
	if (NT_SUCCESS(fs_reparse_check(buffer, (uint32_t)size))) {
		check_names(buffer, (uint32_t)size);
		assert(NT_SUCCESS(fs_reparse_can_replace(buffer, (uint32_t)size, buffer,
							 (uint32_t)size)));
	}
	(void)!fs_reparse_symlink(buffer, (uint32_t)size, &(struct fs_symlink){0});
	(void)!fs_reparse_can_replace(buffer, (uint32_t)(size / 2), buffer + size / 2,
				      (uint32_t)(size - size / 2));
	free(buffer);
	return 0;
}
