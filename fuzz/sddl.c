/* Any text as SDDL: what is taken is a valid descriptor, and its text is understood
 * again. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fs/security/sd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_taken(const void *sd, size_t size)
{
	char *text = NULL, *again = NULL;
	void *copy = NULL;
	size_t copy_size = 0;
	NTSTATUS st;

	assert(sd_valid(sd, size) && sd_length(sd) <= size);
	st = sddl_format(sd, 0xf, &text);
	assert(NT_SUCCESS(st));
	st = sddl_parse(text, &copy, &copy_size, NULL);
	assert(NT_SUCCESS(st));
	st = sddl_format(copy, 0xf, &again);
	assert(NT_SUCCESS(st) && strcmp(text, again) == 0);
	free(copy);
	free(text);
	free(again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	size_t sd_size = 0, bad = 0;
	void *sd = NULL;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (NT_SUCCESS(sddl_parse(text, &sd, &sd_size, &bad))) {
		check_taken(sd, sd_size);
		free(sd);
	} else {
		assert(bad <= strlen(text));
	}
	free(text);
	return 0;
}
