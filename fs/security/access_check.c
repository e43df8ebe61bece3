#include <assert.h>

#include "fs/security/sd_priv.h"
#include "fs/security/token.h"
#include "fs/security/token_priv.h"
#include "nt/file.h"
#include "nt/security.h"

/*
 * Which groups a caller is in may not be known yet (token.h). A walk then takes the
 * worst: an unknown group is not granted to and is denied to. What such a walk grants is
 * granted in any case, so only when it comes out short, over a right that an unknown
 * group touched, are the groups fetched and the walk repeated. If they cannot be fetched
 * the same rule fails closed.
 */
struct check {
	const struct token *token;
	uint32_t wanted; /* rights to decide on */
	uint32_t granted, denied;
	uint32_t unsure; /* met by an entry for an unknown group while undecided */
	int is_owner;	 /* 1, 0, -1: depends on a group that is not known */
};

uint32_t
access_map_generic(uint32_t mask)
{
	static const struct {
		uint32_t generic, rights;
	} map[] = {{GENERIC_READ, FILE_GENERIC_READ},
		   {GENERIC_WRITE, FILE_GENERIC_WRITE},
		   {GENERIC_EXECUTE, FILE_GENERIC_EXECUTE},
		   {GENERIC_ALL, FILE_ALL_ACCESS}};
	uint32_t mapped = mask & 0x0fffffff;

	if (likely(mapped == mask))
		return mask;
	for (size_t i = 0; i < ARRAY_SIZE(map); i++)
		if (mask & map[i].generic)
			mapped |= map[i].rights;
	return mapped;
}

static int
member_of(const struct token *token, const uint8_t *sid)
{
	struct sid s;

	return sid_decode(sid, wire_sid_size(sid), &s) ? token_is_member_known(token, &s)
						       : 0;
}

static const struct sid owner_rights = {1, 1, {0, 0, 0, 0, 0, 3}, {4}};

static bool
has_owner_rights_ace(const struct sd_parts *sd)
{
	struct acl_walk w = acl_walk_begin(sd->dacl.bytes);
	struct ace_ref ace;

	while (acl_walk_next(&w, &ace))
		if (ace.sid && ace_effect(&ace) != ACE_NONE &&
		    wire_sid_equal(ace.sid, (const uint8_t *)&owner_rights))
			return true;
	return false;
}

/* An owner may read and write the DACL whatever it says, unless an OWNER RIGHTS entry
 * says how much (MS-DTYP 2.5.3.2). */
static void
check_owner(struct check *c, const struct sd_parts *sd)
{
	uint32_t implicit = (READ_CONTROL | WRITE_DAC) & c->wanted;
	bool by_ace = has_owner_rights_ace(sd);

	c->is_owner = 0;
	if (!sd->owner.bytes || (!implicit && !by_ace))
		return;
	c->is_owner = member_of(c->token, sd->owner.bytes);
	if (by_ace)
		return;
	if (c->is_owner < 0)
		c->unsure |= implicit;
	else if (c->is_owner)
		c->granted |= implicit;
}

static int
ace_matches(const struct check *c, const struct ace_ref *ace)
{
	assert(ace->sid); /* types without one have no effect, see ace_effect() */
	if (wire_sid_equal(ace->sid, (const uint8_t *)&owner_rights))
		return c->is_owner;
	return member_of(c->token, ace->sid);
}

static void
check_walk(struct check *c, const struct sd_parts *sd)
{
	struct acl_walk w = acl_walk_begin(sd->dacl.bytes);
	struct ace_ref ace;

	c->granted = c->denied = c->unsure = 0;
	check_owner(c, sd);
	while ((c->granted | c->denied) != c->wanted && acl_walk_next(&w, &ace)) {
		enum ace_effect effect = ace_effect(&ace);
		uint32_t open;
		int match;

		if (effect == ACE_NONE)
			continue;
		open = access_map_generic(ace.mask) & c->wanted &
		       ~(c->granted | c->denied);
		if (!open)
			continue;
		match = ace_matches(c, &ace);
		if (match < 0)
			c->unsure |= open;
		if (effect == ACE_ALLOW && match > 0)
			c->granted |= open;
		else if (effect == ACE_DENY && match != 0)
			c->denied |= open;
	}
}

/* Rights that a DACL gives, of those wanted; must: without these the rest does not
 * matter. */
static uint32_t
check_dacl(const struct sd_parts *sd, const struct token *token, uint32_t wanted,
	   uint32_t must)
{
	struct check c = {.token = token, .wanted = wanted};
	uint32_t missing;

	check_walk(&c, sd);
	missing = wanted & ~c.granted;
	if (must & missing & ~c.unsure) /* no group can change that */
		return c.granted;
	if (missing & c.unsure) {
		token_fetch_groups(token);
		check_walk(&c, sd);
	}
	return c.granted;
}

NTSTATUS
access_check(const void *sd, const struct token *token, uint32_t desired,
	     uint32_t *ret_granted)
{
	struct sd_parts parts = sd_split(sd);
	uint32_t must = access_map_generic(desired) & ~MAXIMUM_ALLOWED, granted = 0,
		 wanted;
	bool maximum = desired & MAXIMUM_ALLOWED;

	if (must & ACCESS_SYSTEM_SECURITY) { /* no DACL can give it */
		if (!(token_privileges(token) & TOKEN_SECURITY))
			return STATUS_PRIVILEGE_NOT_HELD;
		granted |= ACCESS_SYSTEM_SECURITY;
	}
	if (must & WRITE_OWNER && token_privileges(token) & TOKEN_TAKE_OWNERSHIP)
		granted |= WRITE_OWNER;
	wanted = (must | (maximum ? FILE_ALL_ACCESS : 0)) & ~granted;
	must &= ~granted;
	if (!parts.dacl.bytes)
		granted |= wanted; /* NULL or no DACL */
	else if (wanted)
		granted |= check_dacl(&parts, token, wanted, must);
	if (must & ~granted || (maximum && !granted))
		return STATUS_ACCESS_DENIED;
	*ret_granted = granted;
	return STATUS_SUCCESS;
}
