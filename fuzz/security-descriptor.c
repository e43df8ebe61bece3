/* Any bytes as a descriptor: what sd_valid() lets pass must be safe for everything else.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fs/security/posix_map.h"
#include "fs/security/sd.h"
#include "fs/security/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
use_result(NTSTATUS st, void *sd, size_t size)
{
	if (!NT_SUCCESS(st))
		return;
	assert(sd_valid(sd, size));
	free(sd);
}

/* What is written is read back as the same. */
static void
check_text(const void *sd)
{
	char *text, *again;
	void *copy;
	size_t size;
	NTSTATUS st;

	if (!NT_SUCCESS(sddl_format(sd, 0xf, &text)))
		return;
	st = sddl_parse(text, &copy, &size, NULL);
	assert(NT_SUCCESS(st));
	st = sddl_format(copy, 0xf, &again);
	assert(NT_SUCCESS(st) && strcmp(text, again) == 0);
	free(copy);
	free(again);
	free(text);
}

static void
edit(const void *sd, const struct token *token, unsigned choice)
{
	void *result = NULL;
	size_t size = 0;
	NTSTATUS st;

	st = sd_filter(sd, choice & 0xf, &result, &size);
	use_result(st, result, size);
	st = sd_modify(sd, choice & 0xf, sd, &result, &size);
	use_result(st, result, size);
	st = posix_sd_merge(1, 1, 0644, sd, &result, &size);
	use_result(st, result, size);
	st = sd_inherit(sd, choice & 0x10 ? sd : NULL, choice & 0x20, token, &result,
			&size);
	use_result(st, result, size);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct token *token;
	struct posix_perms perms;
	struct sd_ace ace;
	uint32_t maximum = 0x02000000, granted = 0;

	/* Parts may overlap: only of small ones is it sure that a copy fits into 64 KiB.
	 */
	if (size == 0 || size > SD_SIZE_MAX / 8 || !sd_valid(data + 1, size - 1))
		return 0;
	assert(sd_length(data + 1) <= size - 1);
	for (unsigned i = 0; i < 16 && sd_dacl_ace(data + 1, i, &ace); i++)
		assert(ace.sid.n_subs <= SID_SUBS_MAX);
	perms = posix_perms_from_sd(data + 1);
	assert((perms.mode & ~01777u) == 0);
	if (!NT_SUCCESS(token_create_posix(perms.uid, perms.gid, 0x7ffffff0, &token)))
		return 0;
	if (NT_SUCCESS(access_check(data + 1, token, maximum, &granted)))
		assert(NT_SUCCESS(access_check(data + 1, token, granted, &granted)));
	edit(data + 1, token, data[0]);
	token_unref(token);
	check_text(data + 1);
	return 0;
}
