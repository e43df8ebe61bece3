/*
 * iscsi://[USER@]HOST[:PORT]/IQN[/LUN][?OPTION=VALUE[&…]]
 *
 * OPTION: secret-file (of USER), mutual-user, mutual-secret-file (the target proves
 * itself too), digest (none, crc32c: of the header), initiator (an iSCSI name). %XX
 * stands for a byte. A secret in the URL itself would be seen in process lists and logs:
 * refused.
 */
#ifndef USERDRIVE_TOOLS_DISK_ISCSI_URL_H
#define USERDRIVE_TOOLS_DISK_ISCSI_URL_H

#include "tools/disk/client.h"

struct disk_iscsi_url {
	char portal[288]; /* HOST:PORT */
	char iqn[224];
	int lun; /* -1: not said */
	char user[256], secret_file[1024];
	char mutual_user[256], mutual_secret_file[1024];
	char initiator[224];
	bool digest;
};

NODISCARD int disk_iscsi_url_parse(const char *url, struct disk_iscsi_url *ret_url,
				   struct disk_error *error);
/*
 * First line of a file, 1 to 255 bytes without its end, into dst. With no file named:
 * what the environment variable holds (names neither: -ENOENT). The caller wipes dst.
 */
NODISCARD int disk_secret_read(const char *file, const char *variable, char dst[256],
			       struct disk_error *error);

#endif
