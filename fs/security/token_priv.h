/* What the access check needs of a token beyond token.h: membership without reading
 * /proc. */
#ifndef USERDRIVE_FS_SECURITY_TOKEN_PRIV_H
#define USERDRIVE_FS_SECURITY_TOKEN_PRIV_H

#include "fs/security/token.h"

/* As token_is_member(), but -1 when the supplementary groups would have to be fetched. */
int token_is_member_known(const struct token *token, const struct sid *group);
/* Fetches them, once; afterwards the answers of both functions are the same. */
void token_fetch_groups(const struct token *token);

#endif
