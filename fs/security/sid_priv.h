/* What the other files of this folder know about SIDs. */
#ifndef USERDRIVE_FS_SECURITY_SID_PRIV_H
#define USERDRIVE_FS_SECURITY_SID_PRIV_H

#include "fs/security/sid.h"

uint64_t sid_authority(const struct sid *s);
/* Two-letter SDDL alias, or NULL. */
const char *sid_alias(const struct sid *s);
/* text begins with an alias that only a Windows machine or domain can resolve (LA, DA …).
 */
bool sid_alias_needs_domain(const char *text);

static inline bool
sid_is_single(const struct sid *s, uint8_t authority, uint32_t rid)
{
	return s->n_subs == 1 && s->authority[5] == authority && s->sub[0] == rid &&
	       sid_authority(s) == authority;
}

#endif
