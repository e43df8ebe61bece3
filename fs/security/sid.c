#include "fs/security/sid.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text/escape.h"
#include "fs/security/sid_priv.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "SIDs are kept in wire order");
_Static_assert(sizeof(struct sid) == 68, "struct sid is the wire form");

size_t
sid_decode(const void *bytes, size_t size, struct sid *ret_sid)
{
	const uint8_t *p = bytes;
	size_t len;

	if (size < 8 || p[0] != 1 || p[1] > SID_SUBS_MAX)
		return 0;
	len = 8 + 4 * (size_t)p[1];
	if (size < len)
		return 0;
	memcpy(ret_sid, p, len);
	memset((uint8_t *)ret_sid + len, 0, sizeof(*ret_sid) - len);
	return len;
}

bool
sid_equal(const struct sid *a, const struct sid *b)
{
	return a->n_subs == b->n_subs && memcmp(a, b, sid_size(a)) == 0;
}

struct sid
sid_make(uint64_t authority, unsigned n_subs, ...)
{
	struct sid s = {.revision = 1,
			.n_subs = (uint8_t)MIN(n_subs, (unsigned)SID_SUBS_MAX)};
	va_list ap;

	for (int i = 0; i < 6; i++)
		s.authority[i] = (uint8_t)(authority >> (8 * (5 - i)));
	va_start(ap, n_subs);
	for (unsigned i = 0; i < s.n_subs; i++)
		s.sub[i] = va_arg(ap, uint32_t);
	va_end(ap);
	return s;
}

uint64_t
sid_authority(const struct sid *s)
{
	uint64_t v = 0;

	for (int i = 0; i < 6; i++)
		v = v << 8 | s->authority[i];
	return v;
}

/* MS-DTYP 2.4.2.1: the authority is decimal below 2^32, else 12 hexadecimal digits. */
void
sid_format(const struct sid *s, char *dst)
{
	uint64_t authority = sid_authority(s);
	int n = sprintf(dst, authority >> 32 ? "S-1-0x%012llx" : "S-1-%llu",
			(unsigned long long)authority);

	for (unsigned i = 0; i < s->n_subs; i++)
		n += sprintf(dst + n, "-%u", s->sub[i]);
}

/* Well-known SIDs that have an SDDL alias (MS-DTYP 2.5.1.1), with up to two
 * subauthorities. */
struct sid_alias {
	char name[3];
	uint8_t authority;
	uint8_t n_subs;
	uint32_t sub[2];
};

#define BUILTIN(name, rid)      \
	{                       \
		name, 5, 2,     \
		{               \
			32, rid \
		}               \
	}
#define ONE(name, authority, rid)   \
	{                           \
		name, authority, 1, \
		{                   \
			rid, 0      \
		}                   \
	}

static const struct sid_alias aliases[] = {
	ONE("WD", 1, 0),     ONE("CO", 3, 0),	   ONE("CG", 3, 1),
	ONE("OW", 3, 4),     ONE("NU", 5, 2),	   ONE("IU", 5, 4),
	ONE("SU", 5, 6),     ONE("AN", 5, 7),	   ONE("ED", 5, 9),
	ONE("PS", 5, 10),    ONE("AU", 5, 11),	   ONE("RC", 5, 12),
	ONE("SY", 5, 18),    ONE("LS", 5, 19),	   ONE("NS", 5, 20),
	ONE("WR", 5, 33),    ONE("LW", 16, 4096),  ONE("ME", 16, 8192),
	ONE("MP", 16, 8448), ONE("HI", 16, 12288), ONE("SI", 16, 16384),
	ONE("AS", 18, 1),    ONE("SS", 18, 2),	   BUILTIN("BA", 544),
	BUILTIN("BU", 545),  BUILTIN("BG", 546),   BUILTIN("PU", 547),
	BUILTIN("AO", 548),  BUILTIN("SO", 549),   BUILTIN("PO", 550),
	BUILTIN("BO", 551),  BUILTIN("RE", 552),   BUILTIN("RU", 554),
	BUILTIN("RD", 555),  BUILTIN("NO", 556),   BUILTIN("MU", 558),
	BUILTIN("LU", 559),  BUILTIN("IS", 568),   BUILTIN("CY", 569),
	BUILTIN("ER", 573),  BUILTIN("CD", 574),   BUILTIN("RA", 575),
	BUILTIN("ES", 576),  BUILTIN("MS", 577),   BUILTIN("HA", 578),
	BUILTIN("AA", 579),  BUILTIN("RM", 580),   {"AC", 15, 2, {2, 1}},
};

/* Aliases relative to a Windows machine or domain, which a volume here does not belong
 * to. */
static const char domain_aliases[][3] = {"LA", "LG", "DA", "DG", "DU", "DC",
					 "DD", "CA", "SA", "EA", "PA", "RS",
					 "CN", "AP", "KA", "EK", "RO"};

static struct sid
alias_sid(const struct sid_alias *a)
{
	return sid_make(a->authority, a->n_subs, a->sub[0], a->sub[1]);
}

const char *
sid_alias(const struct sid *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(aliases); i++) {
		struct sid known = alias_sid(&aliases[i]);

		if (sid_equal(&known, s))
			return aliases[i].name;
	}
	return NULL;
}

bool
sid_alias_needs_domain(const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(domain_aliases); i++)
		if (strncmp(text, domain_aliases[i], 2) == 0)
			return true;
	return false;
}

static bool
parse_alias(const char *text, struct sid *ret_sid, const char **ret_end)
{
	for (size_t i = 0; i < ARRAY_SIZE(aliases); i++) {
		if (strncmp(text, aliases[i].name, 2) != 0)
			continue;
		*ret_sid = alias_sid(&aliases[i]);
		*ret_end = text + 2;
		return true;
	}
	return false;
}

/* One decimal number of at most max. */
static bool
parse_decimal(const char **p, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;

	if (**p < '0' || **p > '9')
		return false;
	for (; **p >= '0' && **p <= '9'; (*p)++) {
		v = v * 10 + (uint64_t)(**p - '0');
		if (v > max)
			return false;
	}
	*ret = v;
	return true;
}

/* Exactly 12 digits, so that a following "D:" is not taken for one. */
static bool
parse_authority(const char **p, uint64_t *ret)
{
	uint64_t v = 0;

	if ((*p)[0] != '0' || ((*p)[1] | 0x20) != 'x')
		return parse_decimal(p, ((uint64_t)1 << 48) - 1, ret);
	*p += 2;
	for (int i = 0; i < 12; i++, (*p)++) {
		int digit = hex_digit_value(**p);

		if (digit < 0)
			return false;
		v = v << 4 | (unsigned)digit;
	}
	*ret = v;
	return true;
}

bool
sid_parse(const char *text, struct sid *ret_sid, const char **ret_end)
{
	const char *p = text;
	uint64_t v;
	struct sid s;

	if ((p[0] | 0x20) != 's' || p[1] != '-')
		return parse_alias(text, ret_sid, ret_end);
	if (p[2] != '1' || p[3] != '-')
		return false;
	p += 4;
	if (!parse_authority(&p, &v))
		return false;
	s = sid_make(v, 0);
	/* The grammar asks for one subauthority at least; a SID without any is valid in
	 * binary form, so its text is understood too. */
	while (p[0] == '-' && s.n_subs < SID_SUBS_MAX) {
		p++;
		if (!parse_decimal(&p, UINT32_MAX, &v))
			return false;
		s.sub[s.n_subs++] = (uint32_t)v;
	}
	if (*p == '-')
		return false;
	*ret_sid = s;
	*ret_end = p;
	return true;
}
