/* Permission bits <-> DACL. */
#include "fs/security/posix_map.h"

#include <string.h>
#include <sys/stat.h>

#include "fs/security/sd_priv.h"
#include "fs/security/token.h"
#include "nt/file.h"
#include "nt/security.h"

#define RIGHTS_BASE (SYNCHRONIZE | READ_CONTROL | FILE_READ_ATTRIBUTES | FILE_READ_EA)
#define RIGHTS_OWNER \
	(DELETE | WRITE_DAC | WRITE_OWNER | FILE_WRITE_ATTRIBUTES | FILE_WRITE_EA)

enum posix_class { CLASS_OWNER, CLASS_GROUP, CLASS_OTHER, N_CLASSES };

/* What the rwx bits of one class add to the base rights. */
static uint32_t
rights_of_class(uint32_t mode, enum posix_class class)
{
	uint32_t bits = mode >> (6 - 3 * class) & 7, rights = 0;

	if (bits & 4)
		rights |= FILE_READ_DATA;
	if (bits & 2)
		rights |= FILE_WRITE_ATTRIBUTES | FILE_WRITE_DATA | FILE_APPEND_DATA;
	if (bits & 1)
		rights |= FILE_EXECUTE;
	/* Sticky: only its owner may delete what others put into a directory. */
	if (S_ISDIR(mode) && bits & 2 && (class == CLASS_OWNER || !(mode & S_ISVTX)))
		rights |= FILE_DELETE_CHILD;
	return rights;
}

static const struct sid sid_everyone = {1, 1, {0, 0, 0, 0, 0, 1}, {0}};
static const struct sid sid_authenticated = {1, 1, {0, 0, 0, 0, 0, 5}, {11}};

/*
 * POSIX gives a caller the bits of one class, a DACL the sum of all that match: what a
 * later class has and an earlier one lacks is denied to the earlier one, before the later
 * is reached. WRITE_ATTRIBUTES is the owner's in any case.
 */
static unsigned
aces_from_mode(const struct sid *owner, const struct sid *group, uint32_t mode,
	       struct sd_ace aces[5])
{
	uint32_t u = rights_of_class(mode, CLASS_OWNER),
		 g = rights_of_class(mode, CLASS_GROUP),
		 o = rights_of_class(mode, CLASS_OTHER);
	uint32_t deny_owner = ((g & ~u) | (o & ~u)) & ~FILE_WRITE_ATTRIBUTES,
		 deny_group = o & ~g;
	unsigned n = 0;

	aces[n++] = (struct sd_ace){ACCESS_ALLOWED_ACE_TYPE, 0,
				    RIGHTS_BASE | RIGHTS_OWNER | u, *owner};
	if (deny_owner)
		aces[n++] =
			(struct sd_ace){ACCESS_DENIED_ACE_TYPE, 0, deny_owner, *owner};
	aces[n++] = (struct sd_ace){ACCESS_ALLOWED_ACE_TYPE, 0, RIGHTS_BASE | g, *group};
	if (deny_group)
		aces[n++] =
			(struct sd_ace){ACCESS_DENIED_ACE_TYPE, 0, deny_group, *group};
	aces[n++] = (struct sd_ace){ACCESS_ALLOWED_ACE_TYPE, 0, RIGHTS_BASE | o,
				    sid_everyone};
	return n;
}

NTSTATUS
posix_sd_from_mode(uint32_t uid, uint32_t gid, uint32_t mode, void **ret_sd,
		   size_t *ret_size)
{
	struct sid owner = posix_sid_from_uid(uid), group = posix_sid_from_gid(gid);
	struct sd_ace aces[5];
	unsigned n = aces_from_mode(&owner, &group, mode, aces);

	return sd_build(&owner, &group, SE_DACL_PROTECTED, SD_ACL_PRESENT, aces, n,
			ret_sd, ret_size);
}

NTSTATUS
posix_sd_merge(uint32_t uid, uint32_t gid, uint32_t mode, const void *existing,
	       void **ret_sd, size_t *ret_size)
{
	struct sid owner = posix_sid_from_uid(uid), group = posix_sid_from_gid(gid);
	struct sd_parts parts;

	if (!existing)
		return posix_sd_from_mode(uid, gid, mode, ret_sd, ret_size);
	parts = sd_split(existing);
	if (!parts.owner.bytes)
		parts.owner = sd_bytes_of_sid(&owner);
	if (!parts.group.bytes)
		parts.group = sd_bytes_of_sid(&group);
	parts.sacl = (struct sd_bytes){NULL, 0};
	parts.control &= ~SD_CONTROL_SACL;
	return sd_compose(&parts, ret_sd, ret_size);
}

/* Classes that an entry speaks of, as a bit set. */
static unsigned
classes_of_ace(const struct sd_parts *parts, const uint8_t *sid)
{
	unsigned classes = 0;

	if (wire_sid_equal(sid, (const uint8_t *)&sid_everyone) ||
	    wire_sid_equal(sid, (const uint8_t *)&sid_authenticated))
		return (1 << N_CLASSES) - 1;
	if (parts->owner.bytes && wire_sid_equal(sid, parts->owner.bytes))
		classes |= 1 << CLASS_OWNER;
	if (parts->group.bytes && wire_sid_equal(sid, parts->group.bytes))
		classes |= 1 << CLASS_GROUP;
	return classes;
}

static void
collect_rights(const struct sd_parts *parts, uint32_t allowed[N_CLASSES])
{
	uint32_t denied[N_CLASSES] = {0};
	struct acl_walk w = acl_walk_begin(parts->dacl.bytes);
	struct ace_ref ace;

	while (acl_walk_next(&w, &ace)) {
		enum ace_effect effect = ace_effect(&ace);
		unsigned classes = 0;

		if (ace.sid && effect != ACE_NONE)
			classes = classes_of_ace(parts, ace.sid);
		uint32_t mask = access_map_generic(ace.mask);

		for (int c = 0; c < N_CLASSES; c++) {
			if (!(classes >> c & 1))
				continue;
			if (effect == ACE_ALLOW)
				allowed[c] |= mask & ~denied[c];
			else
				denied[c] |= mask & ~allowed[c];
		}
	}
}

static bool
may_write(uint32_t rights)
{
	const uint32_t both = FILE_WRITE_DATA | FILE_APPEND_DATA;

	return (rights & both) == both;
}

static uint32_t
mode_from_rights(const uint32_t allowed[N_CLASSES])
{
	uint32_t mode = 0;

	for (int c = 0; c < N_CLASSES; c++)
		mode = mode << 3 | (allowed[c] & FILE_READ_DATA ? 4 : 0) |
		       (may_write(allowed[c]) ? 2 : 0) |
		       (allowed[c] & FILE_EXECUTE ? 1 : 0);
	if (allowed[CLASS_OWNER] & FILE_DELETE_CHILD)
		for (int c = CLASS_GROUP; c <= CLASS_OTHER; c++)
			if (may_write(allowed[c]) && !(allowed[c] & FILE_DELETE_CHILD))
				mode |= S_ISVTX;
	return mode;
}

struct posix_perms
posix_perms_from_sd(const void *sd)
{
	struct sd_parts parts = sd_split(sd);
	struct posix_perms perms = {.uid = POSIX_ID_UNMAPPED, .gid = POSIX_ID_UNMAPPED};
	uint32_t allowed[N_CLASSES] = {0};
	struct sid sid;

	if (parts.owner.bytes && sid_decode(parts.owner.bytes, parts.owner.size, &sid)) {
		perms.uid = posix_uid_from_sid(&sid);
		perms.has_owner = true;
	}
	if (parts.group.bytes && sid_decode(parts.group.bytes, parts.group.size, &sid)) {
		perms.gid = posix_gid_from_sid(&sid);
		perms.has_group = true;
	}
	if (parts.dacl.bytes) {
		collect_rights(&parts, allowed);
		perms.mode = mode_from_rights(allowed);
	} else {
		perms.mode = 0777; /* NULL or no DACL: everybody may do everything */
	}
	return perms;
}
