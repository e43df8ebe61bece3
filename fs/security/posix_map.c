/* uid, gid <-> SID. */
#include "fs/security/posix_map.h"

#include <string.h>

#include "fs/security/sid_priv.h"

enum { N_OVERRIDES = 8, AUTHORITY_NT = 5, AUTHORITY_LABEL = 16, AUTHORITY_UNIX = 22 };
enum { UNIX_USER = 1, UNIX_GROUP = 2 };

static enum posix_map selected = POSIX_MAP_UNIX;
static unsigned n_overrides;
static uint32_t override_ids[N_OVERRIDES];
static struct sid override_sids[N_OVERRIDES];

void
posix_map_select(enum posix_map map)
{
	selected = map;
}

NTSTATUS
posix_map_set_overrides(const uint32_t *uids, const struct sid *sids, unsigned n)
{
	if (n > N_OVERRIDES)
		return STATUS_INVALID_PARAMETER;
	for (unsigned i = 0; i < n; i++)
		if (sids[i].revision != 1 || sids[i].n_subs > SID_SUBS_MAX)
			return STATUS_INVALID_SID;
	if (n > 0) {
		memcpy(override_ids, uids, n * sizeof(*uids));
		memcpy(override_sids, sids, n * sizeof(*sids));
	}
	n_overrides = n;
	return STATUS_SUCCESS;
}

/*
 * The published map: ranges of numbers, each with its form of SID. A machine here has no
 * account domain and is in none, so 30000h..3FFFFh and 100000h.. have no SID.
 */
static struct sid
published_from_id(uint32_t id)
{
	if (id < 0x200 || id == 1000)
		return sid_make(AUTHORITY_NT, 1, id);
	if (id < 1000)
		return sid_make(AUTHORITY_NT, 2, 32u, id);
	if (id >= 0x60000 && id < 0x70000)
		return sid_make(AUTHORITY_LABEL, 1, id - 0x60000);
	if (id >= 0x10000 && id < 0x11000)
		return sid_make((id - 0x10000) >> 8, 1, id & 0xff);
	if (id >= 0x1000 && id < 0x100000 && id != POSIX_ID_UNMAPPED &&
	    !(id >= 0x30000 && id < 0x40000))
		return sid_make(AUTHORITY_NT, 2, id >> 12, id & 0xfff);
	return sid_make(0, 1, (uint32_t)POSIX_ID_UNMAPPED);
}

/* Numbers that do not fit, and (uid_t)-1, name nobody. */
static uint32_t
id_or_unmapped(uint64_t id)
{
	return id < UINT32_MAX ? (uint32_t)id : (uint32_t)POSIX_ID_UNMAPPED;
}

static uint32_t
published_from_nt_sid(const struct sid *s)
{
	if (s->n_subs == 1)
		return id_or_unmapped(s->sub[0]);
	if (s->n_subs != 2 || s->sub[0] == 5) /* S-1-5-5-*: logon sessions */
		return POSIX_ID_UNMAPPED;
	if (s->sub[0] == 32)
		return id_or_unmapped(s->sub[1]);
	return id_or_unmapped(0x1000 * (uint64_t)s->sub[0] + s->sub[1]);
}

static uint32_t
published_from_sid(const struct sid *s)
{
	uint64_t authority = sid_authority(s);

	if (authority == AUTHORITY_NT)
		return published_from_nt_sid(s);
	if (s->n_subs != 1 || sid_is_single(s, 0, POSIX_ID_UNMAPPED))
		return POSIX_ID_UNMAPPED;
	if (authority == AUTHORITY_LABEL)
		return id_or_unmapped(0x60000 + (uint64_t)s->sub[0]);
	return id_or_unmapped(0x10000 + 0x100 * authority + s->sub[0]);
}

/* S-1-22-1-N or S-1-22-2-N. */
static bool
is_unix_sid(const struct sid *s)
{
	return s->n_subs == 2 && sid_authority(s) == AUTHORITY_UNIX;
}

static uint32_t
id_from_sid(const struct sid *s, uint32_t kind)
{
	if (!is_unix_sid(s))
		return published_from_sid(s);
	return s->sub[0] == kind ? s->sub[1] : (uint32_t)POSIX_ID_UNMAPPED;
}

static const struct sid *
override_of_id(uint32_t id)
{
	for (unsigned i = 0; i < n_overrides; i++)
		if (override_ids[i] == id)
			return &override_sids[i];
	return NULL;
}

static const uint32_t *
override_of_sid(const struct sid *s)
{
	for (unsigned i = 0; i < n_overrides; i++)
		if (sid_equal(&override_sids[i], s))
			return &override_ids[i];
	return NULL;
}

struct sid
posix_sid_from_uid(uint32_t uid)
{
	const struct sid *other = override_of_id(uid);

	if (other)
		return *other;
	return selected == POSIX_MAP_UNIX ? sid_make(AUTHORITY_UNIX, 2, UNIX_USER, uid)
					  : published_from_id(uid);
}

struct sid
posix_sid_from_gid(uint32_t gid)
{
	/* The overrides name users. Where users and groups are numbered apart, the group
	 * of a number has nothing to do with the user of that number. */
	if (selected == POSIX_MAP_UNIX)
		return sid_make(AUTHORITY_UNIX, 2, UNIX_GROUP, gid);
	return posix_sid_from_uid(gid);
}

uint32_t
posix_uid_from_sid(const struct sid *sid)
{
	const uint32_t *other = override_of_sid(sid);

	return other ? *other : id_from_sid(sid, UNIX_USER);
}

uint32_t
posix_gid_from_sid(const struct sid *sid)
{
	const uint32_t *other = override_of_sid(sid);

	return other ? *other : id_from_sid(sid, UNIX_GROUP);
}
