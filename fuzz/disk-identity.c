/* The text that an image keeps as its identity: images come from elsewhere. */
#include <stdlib.h>
#include <string.h>
#include "examples/rawdisk/rawdisk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t none[16];
	struct rd_identity identity;
	char text[37];
	uint8_t guid[16];

	if (rd_identity_parse((const char *)data, size, &identity) < 0)
		return 0;
	/* What was accepted is an identity, and reads back as itself. */
	rd_guid_format(identity.guid, text);
	if (rd_guid_parse(text, guid) < 0 || memcmp(guid, identity.guid, 16) != 0)
		abort();
	if (memcmp(guid, none, 16) == 0)
		abort();
	if (identity.block_length != 0 &&
	    (identity.block_length < 16 || identity.block_length > 1 << 20))
		abort();
	return 0;
}
