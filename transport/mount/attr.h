/* What stat shows, from what the engine says. Pure functions. */
#ifndef USERDRIVE_TRANSPORT_MOUNT_ATTR_H
#define USERDRIVE_TRANSPORT_MOUNT_ATTR_H

#include "fuse/protocol.h"
#include "transport/mount/nodes.h"

/* How a mount shows identities and modes. */
struct door_attr_rules {
	uint32_t uid, gid;  /* where no descriptor tells; and always, with force_… */
	uint32_t umask;     /* bits never shown */
	uint32_t bare_umask; /* the same for volumes without descriptors */
	bool force_uid, force_gid;
	uint32_t blksize;
};

/* S_IFMT bits; extras may be NULL (then types that need reparse data are 0, unknown). */
uint32_t door_format(const struct fs_file_info *info, const struct door_extras *extras);
/* Must reparse data or EAs be read before door_attr_fill? */
bool door_needs_extras(const struct fs_file_info *info, bool volume_has_eas);
/* Do extras that were read before still hold? */
bool door_extras_hold(const struct door_extras *extras, const struct fs_file_info *info);
/* sd: valid descriptor or NULL. */
void door_attr_fill(const struct door_attr_rules *rules, const struct fs_file_info *info,
		    const void *sd, const struct door_extras *extras, uint64_t node_id,
		    struct fuse_attr *ret_attr);
void door_statx_fill(const struct fuse_attr *attr, const struct fs_file_info *info,
		     struct fuse_statx *ret_stat);
uint64_t door_filetime(int64_t seconds, uint32_t nanoseconds);

#endif
