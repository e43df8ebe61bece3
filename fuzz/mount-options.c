/* Mount option words: every word is taken, refused with a text, or left alone. */
#include <assert.h>
#include <stdint.h>
#include <string.h>
#include "fuse/mount_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fusek_mount_options options = {0};
	char text[1024], all[1024];

	if (size >= sizeof(all))
		return 0;
	memcpy(all, data, size);
	all[size] = 0;
	char *rest = all;
	for (char *item; (item = strsep(&rest, ",")) != NULL;) {
		struct fusek_mount_error error = {0};
		int err = fusek_mount_option_parse(&options, item, &error);

		assert(err == 0 || err == 1 || (err < 0 && error.err == -err && error.text[0]));
	}
	if (fusek_mount_options_format(&options, text, sizeof(text)))
		assert(strlen(text) < sizeof(text));
	return 0;
}
