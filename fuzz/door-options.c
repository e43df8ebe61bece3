/* A whole -o string: taken or refused with a text, and never read or written past its ends. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "transport/mount/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_ranges(const struct door_options *o)
{
	assert(o->threads <= 1024);
	assert(o->max_write == 0 || (o->max_write >= 4096 && o->max_write <= 16 << 20));
	assert(!o->has_umask || o->umask <= 0777);
	assert(memchr(o->mount.subtype, 0, sizeof(o->mount.subtype)));
	assert(memchr(o->mount.fsname, 0, sizeof(o->mount.fsname)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fs_door_error error = {0};
	struct door_options options;
	char *list = malloc(size + 1);

	assert(list);
	memcpy(list, data, size);
	list[size] = '\0';
	door_options_init(&options);
	int err = door_options_parse(&options, list, &error);
	if (err == 0)
		check_ranges(&options);
	else
		assert(err < 0 && error.err == -err && error.text[0]);
	free(list);
	return 0;
}
