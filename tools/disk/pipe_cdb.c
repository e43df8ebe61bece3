#include <errno.h>
#include "tools/disk/pipe_priv.h"
const struct pipe_codec pipe_codec_cdb;
int
pipe_cdb_reset(struct disk *disk, enum disk_reset what UNUSED, struct disk_error *error)
{
	return disk_error_set(error, EOPNOTSUPP, "%s", disk->target);
}
