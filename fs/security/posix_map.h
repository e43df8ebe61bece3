/*
 * uid, gid and mode bits <-> SIDs and descriptors.
 *
 * Two identity maps: POSIX_MAP_UNIX (default): uid N is S-1-22-1-N, gid N is S-1-22-2-N, for every
 * N; POSIX_MAP_PUBLISHED: the map that WinFsp publishes (SFU/Cygwin style). Reading understands
 * SIDs of both forms. The permission <-> DACL rules are the same in both.
 */
#ifndef USERDRIVE_FS_SECURITY_POSIX_MAP_H
#define USERDRIVE_FS_SECURITY_POSIX_MAP_H

#include "fs/security/sid.h"

enum posix_map { POSIX_MAP_UNIX, POSIX_MAP_PUBLISHED };
enum { POSIX_ID_UNMAPPED = 65534 };

/* Process-wide choice; before other threads use the maps. */
void posix_map_select(enum posix_map map);
/* Up to 8 overrides, looked up first in both directions; n 0 clears. They name users; groups too
 * under POSIX_MAP_PUBLISHED, where both share their numbers. */
NODISCARD NTSTATUS posix_map_set_overrides(const uint32_t *uids, const struct sid *sids,
					   unsigned n);

struct sid posix_sid_from_uid(uint32_t uid);
struct sid posix_sid_from_gid(uint32_t gid);
/* POSIX_ID_UNMAPPED when nothing matches. */
uint32_t posix_uid_from_sid(const struct sid *sid);
uint32_t posix_gid_from_sid(const struct sid *sid);

/* mode: type bits matter only for S_IFDIR. */
NODISCARD NTSTATUS posix_sd_from_mode(uint32_t uid, uint32_t gid, uint32_t mode, void **ret_sd,
				      size_t *ret_size);
/* Existing owner/group/DACL win; missing owner/group come from uid/gid. existing may be NULL. */
NODISCARD NTSTATUS posix_sd_merge(uint32_t uid, uint32_t gid, uint32_t mode, const void *existing,
				  void **ret_sd, size_t *ret_size);
struct posix_perms {
	uint32_t uid, gid;
	uint32_t mode; /* 0..01777 */
	bool has_owner, has_group;
};
/* Allocation-free: called for every stat. */
struct posix_perms posix_perms_from_sd(const void *sd);

#endif
