#include "fs/security/sd.h"

#include <stdlib.h>

#include "fs/security/sd_priv.h"
#include "nt/security.h"

/* Offsets of the fields of the header (MS-DTYP 2.4.6). */
enum { AT_CONTROL = 2, AT_OWNER = 4, AT_GROUP = 8, AT_SACL = 12, AT_DACL = 16 };

static bool
sid_valid_at(const uint8_t *sd, size_t size, uint32_t offset)
{
	if (offset < SD_HEADER_SIZE || offset % 4 || offset > size ||
	    size - offset < SID_HEADER_SIZE)
		return false;
	return sd[offset] == 1 && sd[offset + 1] <= SID_SUBS_MAX &&
	       wire_sid_size(sd + offset) <= size - offset;
}

static bool
ace_valid(const uint8_t *ace, size_t room)
{
	size_t size;

	if (room < ACE_HEADER_SIZE)
		return false;
	size = wire_u16(ace + 2);
	if (size < ACE_HEADER_SIZE || size % 4 || size > room)
		return false;
	if (!ace_type_has_sid(ace[0]))
		return true;
	return size >= 8 + SID_HEADER_SIZE && ace[8] == 1 && ace[9] <= SID_SUBS_MAX &&
	       wire_sid_size(ace + 8) <= size - 8;
}

static bool
acl_valid_at(const uint8_t *sd, size_t size, uint32_t offset)
{
	const uint8_t *acl = sd + offset;
	size_t acl_size, at = ACL_HEADER_SIZE;

	if (offset < SD_HEADER_SIZE || offset % 4 || offset > size ||
	    size - offset < ACL_HEADER_SIZE)
		return false;
	acl_size = wire_u16(acl + 2);
	if (acl[0] < 2 || acl[0] > 4 || acl_size < ACL_HEADER_SIZE ||
	    acl_size > size - offset)
		return false;
	for (unsigned n = wire_u16(acl + 4); n > 0; n--) {
		if (!ace_valid(acl + at, acl_size - at))
			return false;
		at += wire_u16(acl + at + 2);
	}
	return true;
}

/* Offset of an ACL, 0 when it is absent or NULL: the offset means nothing without its
 * flag. */
static uint32_t
acl_offset(const uint8_t *sd, uint16_t present, int at)
{
	return sd_control(sd) & present ? wire_u32(sd + at) : 0;
}

bool
sd_valid(const void *sd, size_t size)
{
	const uint8_t *p = sd;
	uint32_t owner, group, dacl, sacl;

	if (!sd || size < SD_HEADER_SIZE)
		return false;
	size = MIN(size, (size_t)SD_SIZE_MAX);
	if (p[0] != SECURITY_DESCRIPTOR_REVISION || !(sd_control(sd) & SE_SELF_RELATIVE))
		return false;
	owner = wire_u32(p + AT_OWNER);
	group = wire_u32(p + AT_GROUP);
	dacl = acl_offset(p, SE_DACL_PRESENT, AT_DACL);
	sacl = acl_offset(p, SE_SACL_PRESENT, AT_SACL);
	return (!owner || sid_valid_at(p, size, owner)) &&
	       (!group || sid_valid_at(p, size, group)) &&
	       (!dacl || acl_valid_at(p, size, dacl)) &&
	       (!sacl || acl_valid_at(p, size, sacl));
}

uint16_t
sd_control(const void *sd)
{
	return wire_u16((const uint8_t *)sd + AT_CONTROL);
}

static struct sd_bytes
split_sid(const uint8_t *sd, int at)
{
	uint32_t offset = wire_u32(sd + at);

	return offset ? (struct sd_bytes){sd + offset, wire_sid_size(sd + offset)}
		      : (struct sd_bytes){NULL, 0};
}

static struct sd_bytes
split_acl(const uint8_t *sd, uint16_t present, int at)
{
	uint32_t offset = acl_offset(sd, present, at);

	return offset ? (struct sd_bytes){sd + offset, wire_u16(sd + offset + 2)}
		      : (struct sd_bytes){NULL, 0};
}

struct sd_parts
sd_split(const void *sd)
{
	return (struct sd_parts){
		.control = sd_control(sd) & ~SE_SELF_RELATIVE,
		.owner = split_sid(sd, AT_OWNER),
		.group = split_sid(sd, AT_GROUP),
		.sacl = split_acl(sd, SE_SACL_PRESENT, AT_SACL),
		.dacl = split_acl(sd, SE_DACL_PRESENT, AT_DACL),
	};
}

size_t
sd_length(const void *sd)
{
	const uint8_t *base = sd, *end = base + SD_HEADER_SIZE;
	struct sd_parts parts = sd_split(sd);
	const struct sd_bytes *all[] = {&parts.owner, &parts.group, &parts.sacl,
					&parts.dacl};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (all[i]->bytes)
			end = MAX(end, all[i]->bytes + all[i]->size);
	return (size_t)(end - base);
}

static bool
decode_part(struct sd_bytes part, struct sid *ret_sid)
{
	return part.bytes && sid_decode(part.bytes, part.size, ret_sid) != 0;
}

bool
sd_owner(const void *sd, struct sid *ret_sid)
{
	return decode_part(split_sid(sd, AT_OWNER), ret_sid);
}

bool
sd_group(const void *sd, struct sid *ret_sid)
{
	return decode_part(split_sid(sd, AT_GROUP), ret_sid);
}

enum sd_acl_state
sd_dacl_state(const void *sd)
{
	if (!(sd_control(sd) & SE_DACL_PRESENT))
		return SD_ACL_ABSENT;
	return acl_offset(sd, SE_DACL_PRESENT, AT_DACL) ? SD_ACL_PRESENT : SD_ACL_NULL;
}

bool
sd_dacl_ace(const void *sd, unsigned index, struct sd_ace *ret_ace)
{
	struct acl_walk w = acl_walk_begin(split_acl(sd, SE_DACL_PRESENT, AT_DACL).bytes);
	struct ace_ref ace;

	while (acl_walk_next(&w, &ace)) {
		if (index-- > 0)
			continue;
		*ret_ace = (struct sd_ace){
			.type = ace.type, .flags = ace.flags, .mask = ace.mask};
		if (ace.sid)
			(void)!sid_decode(ace.sid, ace.size - 8u, &ret_ace->sid);
		return true;
	}
	return false;
}

/* Copies a part behind what is there and notes its offset in the header. */
static void
place(uint8_t *sd, size_t *end, int at, const struct sd_bytes *part)
{
	if (!part->bytes)
		return;
	memcpy(sd + *end, part->bytes, part->size);
	wire_put_u32(sd + at, (uint32_t)*end);
	*end += ALIGN_UP(part->size, 4);
}

NTSTATUS
sd_compose(const struct sd_parts *parts, void **ret_sd, size_t *ret_size)
{
	size_t size = SD_HEADER_SIZE + ALIGN_UP(parts->owner.size, 4) +
		      ALIGN_UP(parts->group.size, 4) + ALIGN_UP(parts->sacl.size, 4) +
		      ALIGN_UP(parts->dacl.size, 4);
	size_t end = SD_HEADER_SIZE;
	uint8_t *sd;

	if (size > SD_SIZE_MAX)
		return STATUS_INVALID_SECURITY_DESCR;
	sd = calloc(1, size);
	if (!sd)
		return STATUS_INSUFFICIENT_RESOURCES;
	sd[0] = SECURITY_DESCRIPTOR_REVISION;
	wire_put_u16(sd + AT_CONTROL, parts->control | SE_SELF_RELATIVE);
	place(sd, &end, AT_OWNER, &parts->owner);
	place(sd, &end, AT_GROUP, &parts->group);
	place(sd, &end, AT_SACL, &parts->sacl);
	place(sd, &end, AT_DACL, &parts->dacl);
	*ret_sd = sd;
	*ret_size = size;
	return STATUS_SUCCESS;
}
