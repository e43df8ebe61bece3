#include <stdlib.h>

#include "fs/security/sd_priv.h"
#include "nt/security.h"

void
acl_buf_init(struct acl_buf *b)
{
	b->bytes = b->room;
	b->cap = sizeof(b->room);
	b->used = ACL_HEADER_SIZE;
	b->n_aces = 0;
	b->revision = ACL_REVISION;
	b->st = STATUS_SUCCESS;
}

void
acl_buf_fini(struct acl_buf *b)
{
	if (b->bytes != b->room)
		free(b->bytes);
	b->bytes = b->room;
}

/* Where size more bytes go; NULL, with the reason kept, when they do not fit. */
static uint8_t *
acl_buf_grow(struct acl_buf *b, size_t size)
{
	size_t cap = b->cap;
	uint8_t *bytes;

	if (!NT_SUCCESS(b->st))
		return NULL;
	if (b->used + size > UINT16_MAX) { /* AclSize */
		b->st = STATUS_INVALID_SECURITY_DESCR;
		return NULL;
	}
	while (cap < b->used + size)
		cap *= 2;
	if (cap != b->cap) {
		bytes = b->bytes == b->room ? malloc(cap) : realloc(b->bytes, cap);
		if (!bytes) {
			b->st = STATUS_INSUFFICIENT_RESOURCES;
			return NULL;
		}
		if (b->bytes == b->room)
			memcpy(bytes, b->room, b->used);
		b->bytes = bytes;
		b->cap = cap;
	}
	bytes = b->bytes + b->used;
	b->used += size;
	b->n_aces++;
	return bytes;
}

static void
put_header(uint8_t *p, uint8_t type, uint8_t flags, size_t size, uint32_t mask)
{
	p[0] = type;
	p[1] = flags;
	wire_put_u16(p + 2, (uint16_t)size);
	wire_put_u32(p + 4, mask);
}

void
acl_buf_add(struct acl_buf *b, const struct sd_ace *ace)
{
	size_t sid_len = sid_size(&ace->sid);
	uint8_t *p;

	if (ace->sid.revision != SID_REVISION || ace->sid.n_subs > SID_SUBS_MAX)
		b->st = STATUS_INVALID_SID;
	p = acl_buf_grow(b, 8 + sid_len);
	if (!p)
		return;
	put_header(p, ace->type, ace->flags, 8 + sid_len, ace->mask);
	memcpy(p + 8, &ace->sid, sid_len);
}

void
acl_buf_add_ref(struct acl_buf *b, const struct ace_ref *ace, uint8_t flags,
		uint32_t mask, const struct sid *sid)
{
	size_t old_len = ace->sid ? wire_sid_size(ace->sid) : 0;
	size_t new_len = ace->sid && sid ? sid_size(sid) : old_len;
	size_t tail = ace->sid ? ace->size - 8 - old_len
			       : 0; /* condition of a callback entry */
	uint8_t *p = acl_buf_grow(b, ace->size - old_len + new_len);

	if (!p)
		return;
	if (!ace->sid) { /* opaque: object entries and newer types need no other SID */
		memcpy(p, ace->bytes, ace->size);
		p[1] = flags;
		b->revision = ACL_REVISION_DS;
		return;
	}
	put_header(p, ace->type, flags, ace->size - old_len + new_len, mask);
	memcpy(p + 8, sid ? (const uint8_t *)sid : ace->sid, new_len);
	memcpy(p + 8 + new_len, ace->sid + old_len, tail);
}

NTSTATUS
acl_buf_end(struct acl_buf *b, struct sd_bytes *ret_acl)
{
	if (!NT_SUCCESS(b->st))
		return b->st;
	memset(b->bytes, 0, ACL_HEADER_SIZE);
	b->bytes[0] = b->revision;
	wire_put_u16(b->bytes + 2, (uint16_t)b->used);
	wire_put_u16(b->bytes + 4, (uint16_t)b->n_aces);
	*ret_acl = (struct sd_bytes){b->bytes, b->used};
	return STATUS_SUCCESS;
}
