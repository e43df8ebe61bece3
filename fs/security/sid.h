/* Security identifiers (MS-DTYP 2.4.2) as values. */
#ifndef USERDRIVE_FS_SECURITY_SID_H
#define USERDRIVE_FS_SECURITY_SID_H

#include "base/compiler.h"
#include "nt/status.h"

enum { SID_SUBS_MAX = 15, SID_TEXT_MAX = 192 };

/* Laid out as on the wire, so that 8 + 4 * n_subs bytes of it are the binary form. */
struct sid {
	uint8_t revision; /* 1 */
	uint8_t n_subs;   /* 0..15 */
	uint8_t authority[6]; /* big-endian */
	uint32_t sub[SID_SUBS_MAX]; /* little-endian on the wire; hosts are little-endian */
};

static inline size_t
sid_size(const struct sid *s)
{
	return 8 + 4 * (size_t)s->n_subs;
}

/* Copies a SID out of untrusted bytes. Returns its size, or 0 when there is no valid SID. */
size_t sid_decode(const void *bytes, size_t size, struct sid *ret_sid);
bool sid_equal(const struct sid *a, const struct sid *b);
struct sid sid_make(uint64_t authority, unsigned n_subs, ...); /* uint32_t each */
/* "S-1-5-32-544"; dst of SID_TEXT_MAX bytes. */
void sid_format(const struct sid *s, char *dst);
/* "S-1-…" or a two-letter SDDL alias; *ret_end is after the last character used. */
NODISCARD bool sid_parse(const char *text, struct sid *ret_sid, const char **ret_end);

#endif
