/*
 * The descriptor of a new object (MS-DTYP 2.5.3.4). A part that its creator gives wins;
 * else the DACL is what the parent hands down, else the default of the creator's token.
 * Entries of the parent are added to a creator's DACL only when it asks for that (AR, and
 * not protected). Inherited entries are marked so when the parent takes part in automatic
 * inheritance (AI).
 */
#include "fs/security/sd_priv.h"
#include "fs/security/sid_priv.h"
#include "fs/security/token.h"
#include "nt/file.h"
#include "nt/security.h"

enum {
	INHERIT_BITS = OBJECT_INHERIT_ACE | CONTAINER_INHERIT_ACE |
		       NO_PROPAGATE_INHERIT_ACE | INHERIT_ONLY_ACE
};

struct heir {
	bool is_directory;
	bool has_owner, has_group;
	struct sid owner, group; /* of the new object */
	uint8_t mark;		 /* INHERITED_ACE or 0 */
};

/* CREATOR OWNER and CREATOR GROUP stand for the owner and group of the new object. */
static const struct sid *
creator_replacement(const struct heir *h, const struct ace_ref *ace)
{
	struct sid sid;

	if (!ace->sid || !sid_decode(ace->sid, ace->size - 8u, &sid))
		return NULL;
	if (h->has_owner && sid_is_single(&sid, 3, 0))
		return &h->owner;
	if (h->has_group && sid_is_single(&sid, 3, 1))
		return &h->group;
	return NULL;
}

/*
 * Adds an entry that has effect on the object. passed_on: with these flags it is also
 * handed down; an entry whose effective form differs is then written twice, so that its
 * descendants still see CREATOR OWNER and the generic rights.
 */
static void
add_effective(struct acl_buf *buf, const struct heir *h, const struct ace_ref *ace,
	      uint8_t other_flags, uint8_t passed_on)
{
	const struct sid *sid = creator_replacement(h, ace);
	uint32_t mask = access_map_generic(ace->mask);
	bool differs = sid || mask != ace->mask;

	acl_buf_add_ref(buf, ace, other_flags | (differs ? 0 : passed_on), mask, sid);
	if (differs && passed_on)
		acl_buf_add_ref(buf, ace, other_flags | passed_on | INHERIT_ONLY_ACE,
				ace->mask, NULL);
}

static void
inherit_ace(struct acl_buf *buf, const struct heir *h, const struct ace_ref *ace)
{
	bool passes = !(ace->flags & NO_PROPAGATE_INHERIT_ACE);
	uint8_t both = ace->flags & (OBJECT_INHERIT_ACE | CONTAINER_INHERIT_ACE);
	uint8_t other = (ace->flags & ~(INHERIT_BITS | INHERITED_ACE)) | h->mark;

	if (ace->flags & (h->is_directory ? CONTAINER_INHERIT_ACE : OBJECT_INHERIT_ACE))
		add_effective(buf, h, ace, other, h->is_directory && passes ? both : 0);
	else if (h->is_directory && both && passes) /* for files further down */
		acl_buf_add_ref(buf, ace, other | both | INHERIT_ONLY_ACE, ace->mask,
				NULL);
}

static void
inherit_acl(struct acl_buf *buf, const struct heir *h, const struct sd_bytes *parent)
{
	struct acl_walk w = acl_walk_begin(parent->bytes);
	struct ace_ref ace;

	while (acl_walk_next(&w, &ace))
		inherit_ace(buf, h, &ace);
}

/* What the creator gave. merged: its inherited entries come anew from the parent. */
static void
take_acl(struct acl_buf *buf, const struct heir *h, const struct sd_bytes *acl,
	 bool merged)
{
	struct acl_walk w = acl_walk_begin(acl->bytes);
	struct ace_ref ace;

	while (acl_walk_next(&w, &ace)) {
		uint8_t inheritance = ace.flags & INHERIT_BITS;

		if (merged && ace.flags & INHERITED_ACE)
			continue;
		if (ace.flags & INHERIT_ONLY_ACE)
			acl_buf_add_ref(buf, &ace, ace.flags, ace.mask, NULL);
		else
			add_effective(buf, h, &ace, ace.flags & ~INHERIT_BITS,
				      inheritance);
	}
}

/* The bits of control that say how an ACL behaves; the SACL's are twice the DACL's. */
struct acl_kind {
	uint16_t present, defaulted, req, inherited, protect;
};

static const struct acl_kind kind_dacl = {SE_DACL_PRESENT, SE_DACL_DEFAULTED,
					  SE_DACL_AUTO_INHERIT_REQ,
					  SE_DACL_AUTO_INHERITED, SE_DACL_PROTECTED};
static const struct acl_kind kind_sacl = {SE_SACL_PRESENT, SE_SACL_DEFAULTED,
					  SE_SACL_AUTO_INHERIT_REQ,
					  SE_SACL_AUTO_INHERITED, SE_SACL_PROTECTED};

struct acl_source {
	uint16_t control;
	struct sd_bytes acl;
};

/* Fills *ret_acl and the bits of *control; leaves both alone when nobody gives anything.
 */
static NTSTATUS
compute_acl(const struct acl_kind *k, struct heir *h, const struct acl_source *parent,
	    const struct acl_source *creator, struct acl_buf *buf, uint16_t *control,
	    struct sd_bytes *ret_acl)
{
	bool given = creator->control & k->present && !(creator->control & k->defaulted);
	bool merged =
		given && creator->control & k->req && !(creator->control & k->protect);
	bool automatic = merged || parent->control & k->inherited;

	h->mark = automatic ? INHERITED_ACE : 0;
	if (given && !creator->acl.bytes) {
		*control |= k->present | (creator->control & k->protect);
		return STATUS_SUCCESS;
	}
	if (given)
		take_acl(buf, h, &creator->acl, merged);
	if (!given || merged)
		inherit_acl(buf, h, &parent->acl);
	if (!given && buf->n_aces == 0)
		return buf->st;
	*control |= k->present | (given ? creator->control & k->protect : 0) |
		    (automatic && (!given || merged) ? k->inherited : 0);
	return acl_buf_end(buf, ret_acl);
}

/* A DACL that nobody gave: the default one, else the creator and the system. */
static NTSTATUS
default_dacl(const struct sd_parts *creator, const struct heir *h,
	     const struct token *token, struct acl_buf *buf, struct sd_parts *result)
{
	struct sd_ace ace = {ACCESS_ALLOWED_ACE_TYPE, 0, FILE_ALL_ACCESS,
			     sid_make(5, 1, 18u)};

	if (!(creator->control & SE_DACL_PRESENT) && !token)
		return STATUS_SUCCESS; /* nobody to name */
	result->control |= SE_DACL_PRESENT;
	if (creator->control & SE_DACL_PRESENT) {
		if (!creator->dacl.bytes)
			return STATUS_SUCCESS;
		take_acl(buf, h, &creator->dacl, false);
		return acl_buf_end(buf, &result->dacl);
	}
	acl_buf_add(buf, &ace);
	ace.sid = *token_user(token);
	acl_buf_add(buf, &ace);
	return acl_buf_end(buf, &result->dacl);
}

/* Nobody gives files away without the right to restore them. */
static NTSTATUS
choose_owner(const struct sd_parts *creator, const struct token *token, struct heir *h)
{
	if (!creator->owner.bytes) {
		if (token)
			h->owner = *token_user(token);
		h->has_owner = token;
		return STATUS_SUCCESS;
	}
	h->has_owner =
		sid_decode(creator->owner.bytes, creator->owner.size, &h->owner) != 0;
	if (token && !(token_privileges(token) & TOKEN_RESTORE) &&
	    !sid_equal(&h->owner, token_user(token)))
		return STATUS_INVALID_OWNER;
	return STATUS_SUCCESS;
}

static void
choose_group(const struct sd_parts *creator, const struct token *token, struct heir *h)
{
	if (creator->group.bytes) {
		h->has_group = sid_decode(creator->group.bytes, creator->group.size,
					  &h->group) != 0;
	} else if (token) {
		h->group = *token_primary_group(token);
		h->has_group = true;
	}
}

struct inheritance {
	struct sd_parts parent, creator, result;
	struct heir heir;
	struct acl_buf dacl, sacl;
};

static NTSTATUS
compute_parts(struct inheritance *in, const struct token *token)
{
	struct acl_source parent_dacl = {in->parent.control, in->parent.dacl};
	struct acl_source parent_sacl = {in->parent.control, in->parent.sacl};
	struct acl_source creator_dacl = {in->creator.control, in->creator.dacl};
	struct acl_source creator_sacl = {in->creator.control, in->creator.sacl};
	uint16_t *control = &in->result.control;
	NTSTATUS st;

	if (in->creator.control & SE_SACL_PRESENT && token &&
	    !(token_privileges(token) & TOKEN_SECURITY))
		return STATUS_PRIVILEGE_NOT_HELD;
	st = choose_owner(&in->creator, token, &in->heir);
	if (!NT_SUCCESS(st))
		return st;
	choose_group(&in->creator, token, &in->heir);
	in->result.owner = sd_bytes_of_sid(in->heir.has_owner ? &in->heir.owner : NULL);
	in->result.group = sd_bytes_of_sid(in->heir.has_group ? &in->heir.group : NULL);
	st = compute_acl(&kind_dacl, &in->heir, &parent_dacl, &creator_dacl, &in->dacl,
			 control, &in->result.dacl);
	if (NT_SUCCESS(st) && !(*control & SE_DACL_PRESENT))
		st = default_dacl(&in->creator, &in->heir, token, &in->dacl, &in->result);
	if (NT_SUCCESS(st))
		st = compute_acl(&kind_sacl, &in->heir, &parent_sacl, &creator_sacl,
				 &in->sacl, control, &in->result.sacl);
	return st;
}

NTSTATUS
sd_inherit(const void *parent, const void *creator, bool is_directory,
	   const struct token *token, void **ret_sd, size_t *ret_size)
{
	struct inheritance in;
	NTSTATUS st;

	memset(&in.result, 0, sizeof(in.result));
	memset(&in.parent, 0, sizeof(in.parent));
	memset(&in.creator, 0, sizeof(in.creator));
	memset(&in.heir, 0, sizeof(in.heir));
	in.heir.is_directory = is_directory;
	if (parent)
		in.parent = sd_split(parent);
	if (creator)
		in.creator = sd_split(creator);
	acl_buf_init(&in.dacl);
	acl_buf_init(&in.sacl);
	st = compute_parts(&in, token);
	if (NT_SUCCESS(st))
		st = sd_compose(&in.result, ret_sd, ret_size);
	acl_buf_fini(&in.dacl);
	acl_buf_fini(&in.sacl);
	return st;
}
