/* Any text as an iSCSI URL: what passes is whole, terminated, and has a LUN that can be.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tools/disk/iscsi_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct disk_iscsi_url url;
	struct disk_error error;
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (disk_iscsi_url_parse(text, &url, &error) == 0) {
		assert(*url.iqn && strlen(url.iqn) < sizeof(url.iqn));
		assert(strrchr(url.portal, ':') &&
		       strlen(url.portal) < sizeof(url.portal));
		assert(url.lun >= -1 && url.lun < 16384);
	} else {
		assert(error.err > 0 && *error.text);
	}
	free(text);
	return 0;
}
