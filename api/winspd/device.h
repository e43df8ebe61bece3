/* Between device.c (handles), its ways to a unit, and provision.c. */
#ifndef USERDRIVE_API_WINSPD_DEVICE_H
#define USERDRIVE_API_WINSPD_DEVICE_H

#include "api/winspd/priv.h"

struct device_command {
	const uint8_t *cdb; /* 16 bytes */
	uint8_t n_cdb;
	int direction; /* -1 from the unit, 0, +1 */
	uint8_t *data;
	uint32_t size;  /* of data */
	uint32_t moved; /* out */
	uint8_t status; /* out */
	uint8_t sense[32];
};

/* A way to one unit: a nexus of this process, a socket, a device node. */
struct device_path;
struct device_path_ops {
	DWORD (*execute)(struct device_path *path, struct device_command *command);
	void (*close)(struct device_path *path);
};
struct device_path {
	const struct device_path_ops *ops;
};

/* The unit in that slot of this process; ERROR_FILE_NOT_FOUND. */
DWORD device_open_slot(unsigned index, struct device_path **ret_path);
/* RUNTIME_DIR/pipe/NAME/T.cdb */
DWORD device_open_socket(const char *socket_path, struct device_path **ret_path);
DWORD device_open_node(const char *node, struct device_path **ret_path);

/* provision.c */
DWORD provision(const SPD_IOCTL_STORAGE_UNIT_PARAMS *params, PUINT32 ret_btl);
DWORD unprovision(const GUID *guid);
DWORD transact(UINT32 btl, SPD_IOCTL_TRANSACT_RSP *rsp, SPD_IOCTL_TRANSACT_REQ *req, PVOID buffer);
DWORD set_transact_pid(UINT32 btl, ULONG pid);

#endif
