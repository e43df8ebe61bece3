/*
 * Who asks: user, groups, privileges. Reference counted and immutable, but for the supplementary
 * groups, which are fetched when a check first needs them: most opens are decided by the owner or
 * the primary group, and reading /proc/PID/status for each would cost more than the open.
 * Fetching fails closed: unknown groups are no groups, and a deny entry for a group that could
 * not be ruled out denies.
 */
#ifndef USERDRIVE_FS_SECURITY_TOKEN_H
#define USERDRIVE_FS_SECURITY_TOKEN_H

#include "fs/security/sid.h"

enum token_privilege {
	TOKEN_TRAVERSE = 1 << 0,      /* bypass traverse checking */
	TOKEN_BACKUP = 1 << 1,        /* read-class rights with backup intent */
	TOKEN_RESTORE = 1 << 2,       /* write-class rights with backup intent */
	TOKEN_TAKE_OWNERSHIP = 1 << 3,
	TOKEN_SECURITY = 1 << 4,      /* SACL access */
	TOKEN_SYMLINK = 1 << 5,
	TOKEN_ROOT = TOKEN_TRAVERSE | TOKEN_BACKUP | TOKEN_RESTORE | TOKEN_TAKE_OWNERSHIP |
		     TOKEN_SECURITY | TOKEN_SYMLINK
};

struct token;

/* A Linux caller. uid 0 holds TOKEN_ROOT, others TOKEN_SYMLINK. pid is where supplementary groups
 * are read from, 0: there are none. */
NODISCARD NTSTATUS token_create_posix(uint32_t uid, uint32_t gid, uint32_t pid,
				      struct token **ret_token);
/* The same for a caller that is known to be in the group member_gid too. */
NODISCARD NTSTATUS token_create_posix_member(uint32_t uid, uint32_t gid, uint32_t pid,
					     uint32_t member_gid, struct token **ret_token);
/* Any identity (SMB, tests). groups[0] is the primary group. */
NODISCARD NTSTATUS token_create(const struct sid *user, const struct sid *groups,
				unsigned n_groups, uint32_t privileges, struct token **ret_token);
struct token *token_ref(struct token *token);
void token_unref(struct token *token);

const struct sid *token_user(const struct token *token);
const struct sid *token_primary_group(const struct token *token);
uint32_t token_privileges(const struct token *token);
uint32_t token_pid(const struct token *token);
/* 1: member, 0: not, -1: could not be found out. May read /proc on first use; thread-safe. */
int token_is_member(const struct token *token, const struct sid *group);
/* uid/gid the token was made from, or the POSIX mapping of its SIDs. */
uint32_t token_uid(const struct token *token);
uint32_t token_gid(const struct token *token);

/*
 * Handles: the contract with a file system program names tokens by a 32-bit value
 * (AccessToken), valid while the request is. 0 is "no token".
 */
uint32_t token_handle_open(struct token *token);
void token_handle_close(uint32_t handle);
struct token *token_from_handle(uint32_t handle); /* borrowed, NULL when unknown */

/*
 * Access check (MS-DTYP 2.5.3.2). desired may hold generic bits (mapped as for files) and
 * MAXIMUM_ALLOWED. Owner implicitly has READ_CONTROL | WRITE_DAC. Returns STATUS_SUCCESS or
 * STATUS_ACCESS_DENIED (STATUS_PRIVILEGE_NOT_HELD for ACCESS_SYSTEM_SECURITY alone);
 * *ret_granted only on success. sd has passed sd_valid().
 */
NODISCARD NTSTATUS access_check(const void *sd, const struct token *token, uint32_t desired,
				uint32_t *ret_granted);
uint32_t access_map_generic(uint32_t mask);

#endif
