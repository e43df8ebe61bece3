/*
 * The wire form of descriptors, shared by the files of this folder. Everything that walks
 * relies on sd_valid(); nothing here assumes that a descriptor is aligned in memory.
 */
#ifndef USERDRIVE_FS_SECURITY_SD_PRIV_H
#define USERDRIVE_FS_SECURITY_SD_PRIV_H

#include <string.h>
#include "fs/security/sd.h"
#include "nt/security.h"

enum {
	SD_HEADER_SIZE = 20,
	ACL_HEADER_SIZE = 8,
	ACE_HEADER_SIZE = 4,
	SID_HEADER_SIZE = 8
};
enum { ACE_DENIED_CALLBACK = 0xa }; /* MS-DTYP 2.4.4.1 */

static inline uint16_t
wire_u16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t
wire_u32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline void
wire_put_u16(uint8_t *p, uint16_t v)
{
	memcpy(p, &v, sizeof(v));
}

static inline void
wire_put_u32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, sizeof(v));
}

static inline size_t
wire_sid_size(const uint8_t *sid)
{
	return SID_HEADER_SIZE + 4 * (size_t)sid[1];
}

/* Compares in place: the common case differs within the first 8 bytes. */
static inline bool
wire_sid_equal(const uint8_t *a, const uint8_t *b)
{
	return memcmp(a, b, SID_HEADER_SIZE) == 0 &&
	       memcmp(a + SID_HEADER_SIZE, b + SID_HEADER_SIZE, 4 * (size_t)a[1]) == 0;
}

/* ACE types that are header, mask, SID (MS-DTYP 2.4.4): the four basic ones, their
 * callback forms, mandatory label, resource attribute, scoped policy. */
static inline bool
ace_type_has_sid(uint8_t type)
{
	const uint32_t plain = 0xfu | 3u << 9 | 3u << 13 | 7u << 17;

	return type < 32 && plain >> type & 1;
}

struct ace_ref {
	const uint8_t *bytes;
	const uint8_t *sid; /* NULL: a type that is not read */
	uint32_t mask;	    /* 0 when sid is NULL */
	uint16_t size;
	uint8_t type, flags;
};

struct acl_walk {
	const uint8_t *next;
	unsigned left;
};

/* acl may be NULL: no entries. */
static inline struct acl_walk
acl_walk_begin(const uint8_t *acl)
{
	struct acl_walk w = {NULL, 0};

	if (acl) {
		w.next = acl + ACL_HEADER_SIZE;
		w.left = wire_u16(acl + 4);
	}
	return w;
}

static inline bool
acl_walk_next(struct acl_walk *w, struct ace_ref *ret_ace)
{
	const uint8_t *p = w->next;
	bool has_sid;

	if (w->left == 0)
		return false;
	has_sid = ace_type_has_sid(p[0]);
	*ret_ace = (struct ace_ref){.bytes = p,
				    .sid = has_sid ? p + 8 : NULL,
				    .mask = has_sid ? wire_u32(p + 4) : 0,
				    .size = wire_u16(p + 2),
				    .type = p[0],
				    .flags = p[1]};
	w->next += ret_ace->size;
	w->left--;
	return true;
}

/*
 * What an entry does to an object that carries it. A conditional allow is not evaluated
 * and grants nothing, a conditional deny denies.
 */
enum ace_effect { ACE_NONE, ACE_ALLOW, ACE_DENY };

static inline enum ace_effect
ace_effect(const struct ace_ref *ace)
{
	if (ace->flags & INHERIT_ONLY_ACE)
		return ACE_NONE;
	if (ace->type == ACCESS_ALLOWED_ACE_TYPE)
		return ACE_ALLOW;
	return ace->type == ACCESS_DENIED_ACE_TYPE || ace->type == ACE_DENIED_CALLBACK
		       ? ACE_DENY
		       : ACE_NONE;
}

/* A descriptor taken apart; pointers into it, NULL where a part is absent. A NULL DACL is
 * SE_DACL_PRESENT in control and dacl.bytes NULL. */
struct sd_bytes {
	const uint8_t *bytes;
	size_t size;
};

struct sd_parts {
	uint16_t control; /* without SE_SELF_RELATIVE */
	struct sd_bytes owner, group, sacl, dacl;
};

struct sd_parts sd_split(const void *sd);
NODISCARD NTSTATUS sd_compose(const struct sd_parts *parts, void **ret_sd,
			      size_t *ret_size);

static inline struct sd_bytes
sd_bytes_of_sid(const struct sid *sid)
{
	return sid ? (struct sd_bytes){(const uint8_t *)sid, sid_size(sid)}
		   : (struct sd_bytes){NULL, 0};
}

/* The bits of control that travel with each ACL. */
#define SD_CONTROL_DACL                                                   \
	(SE_DACL_PRESENT | SE_DACL_DEFAULTED | SE_DACL_AUTO_INHERIT_REQ | \
	 SE_DACL_AUTO_INHERITED | SE_DACL_PROTECTED)
#define SD_CONTROL_SACL                                                   \
	(SE_SACL_PRESENT | SE_SACL_DEFAULTED | SE_SACL_AUTO_INHERIT_REQ | \
	 SE_SACL_AUTO_INHERITED | SE_SACL_PROTECTED)

enum { ACL_REVISION_DS = 4 }; /* allows object entries */

/* An ACL under construction. Failures (memory, 64 KiB) stick until acl_buf_end(). */
struct acl_buf {
	uint8_t *bytes; /* room, or the heap's */
	size_t used, cap;
	unsigned n_aces;
	uint8_t revision;
	NTSTATUS st;
	uint8_t room[512];
};

void acl_buf_init(struct acl_buf *b);
void acl_buf_fini(struct acl_buf *b); /* for CLEANUP too */
void acl_buf_add(struct acl_buf *b, const struct sd_ace *ace);
/* Copies an entry with other flags and mask, and another SID unless sid is NULL. */
void acl_buf_add_ref(struct acl_buf *b, const struct ace_ref *ace, uint8_t flags,
		     uint32_t mask, const struct sid *sid);
/* *ret_acl is borrowed from b. */
NODISCARD NTSTATUS acl_buf_end(struct acl_buf *b, struct sd_bytes *ret_acl);

#endif
