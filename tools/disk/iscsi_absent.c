/* In place of iscsi.c where libiscsi is not built in. */
#include <errno.h>

#include "tools/disk/client_priv.h"

int
disk_open_iscsi(const char *target UNUSED, const struct disk_options *options UNUSED,
		struct disk_error *error, struct disk **ret_disk UNUSED)
{
	return disk_error_set(
		error, EPROTONOSUPPORT,
		"this program was built without libiscsi, which "
		"iscsi:// needs: install libiscsi-dev and configure again with "
		"-Dlibiscsi=enabled");
}
