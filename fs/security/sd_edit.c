/* Descriptors made of parts: built, filtered, modified. */
#include "fs/security/sd_priv.h"
#include "fs/security/token.h"
#include "nt/security.h"

NTSTATUS
sd_build(const struct sid *owner, const struct sid *group, uint16_t control,
	 enum sd_acl_state dacl, const struct sd_ace *aces, unsigned n_aces,
	 void **ret_sd, size_t *ret_size)
{
	struct sd_parts parts = {
		.control =
			control & ~(SE_SELF_RELATIVE | SE_DACL_PRESENT | SE_SACL_PRESENT),
		.owner = sd_bytes_of_sid(owner),
		.group = sd_bytes_of_sid(group)};
	CLEANUP(acl_buf_fini) struct acl_buf buf;
	NTSTATUS st;

	acl_buf_init(&buf);
	if (dacl != SD_ACL_ABSENT)
		parts.control |= SE_DACL_PRESENT;
	if (dacl == SD_ACL_PRESENT) {
		for (unsigned i = 0; i < n_aces; i++)
			acl_buf_add(&buf, &aces[i]);
		st = acl_buf_end(&buf, &parts.dacl);
		if (!NT_SUCCESS(st))
			return st;
	}
	return sd_compose(&parts, ret_sd, ret_size);
}

NTSTATUS
sd_filter(const void *sd, uint32_t info, void **ret_sd, size_t *ret_size)
{
	struct sd_parts parts = sd_split(sd);

	if (!(info & SD_OWNER)) {
		parts.owner = (struct sd_bytes){NULL, 0};
		parts.control &= ~SE_OWNER_DEFAULTED;
	}
	if (!(info & SD_GROUP)) {
		parts.group = (struct sd_bytes){NULL, 0};
		parts.control &= ~SE_GROUP_DEFAULTED;
	}
	if (!(info & SD_DACL)) {
		parts.dacl = (struct sd_bytes){NULL, 0};
		parts.control &= ~SD_CONTROL_DACL;
	}
	if (!(info & SD_SACL)) {
		parts.sacl = (struct sd_bytes){NULL, 0};
		parts.control &= ~SD_CONTROL_SACL;
	}
	return sd_compose(&parts, ret_sd, ret_size);
}

/* Generic rights of effective entries become file rights, as when an object is made. */
static NTSTATUS
map_acl(struct acl_buf *buf, struct sd_bytes *acl)
{
	struct acl_walk w = acl_walk_begin(acl->bytes);
	struct ace_ref ace;

	if (!acl->bytes)
		return STATUS_SUCCESS;
	acl_buf_init(buf);
	buf->revision = acl->bytes[0];
	while (acl_walk_next(&w, &ace))
		acl_buf_add_ref(buf, &ace, ace.flags,
				ace.flags & INHERIT_ONLY_ACE
					? ace.mask
					: access_map_generic(ace.mask),
				NULL);
	return acl_buf_end(buf, acl);
}

/*
 * "Auto inherited" is stored when the modification asks for it and says so (…_REQ and
 * …_INHERITED); the request bit itself is never stored (MS-DTYP 2.4.6).
 */
static uint16_t
stored_control(uint16_t control)
{
	if (!(control & SE_DACL_AUTO_INHERIT_REQ))
		control &= ~SE_DACL_AUTO_INHERITED;
	if (!(control & SE_SACL_AUTO_INHERIT_REQ))
		control &= ~SE_SACL_AUTO_INHERITED;
	return control & ~(SE_DACL_AUTO_INHERIT_REQ | SE_SACL_AUTO_INHERIT_REQ);
}

NTSTATUS
sd_modify(const void *sd, uint32_t info, const void *modification, void **ret_sd,
	  size_t *ret_size)
{
	struct sd_parts parts = sd_split(sd), mod = sd_split(modification);
	uint16_t replaced = 0;
	CLEANUP(acl_buf_fini) struct acl_buf buf;
	NTSTATUS st;

	acl_buf_init(&buf);
	if (info & SD_OWNER) {
		if (!mod.owner.bytes)
			return STATUS_INVALID_OWNER;
		parts.owner = mod.owner;
		replaced |= SE_OWNER_DEFAULTED;
	}
	if (info & SD_GROUP) {
		if (!mod.group.bytes)
			return STATUS_INVALID_SECURITY_DESCR;
		parts.group = mod.group;
		replaced |= SE_GROUP_DEFAULTED;
	}
	if (info & SD_DACL) {
		/* No DACL would grant everything to everybody: that must be said, as a
		 * NULL one. */
		if (!(mod.control & SE_DACL_PRESENT))
			return STATUS_INVALID_SECURITY_DESCR;
		st = map_acl(&buf, &mod.dacl);
		if (!NT_SUCCESS(st))
			return st;
		parts.dacl = mod.dacl;
		replaced |= SD_CONTROL_DACL;
	}
	if (info & SD_SACL) {
		parts.sacl = mod.sacl;
		replaced |= SD_CONTROL_SACL;
	}
	parts.control =
		(parts.control & ~replaced) | (stored_control(mod.control) & replaced);
	return sd_compose(&parts, ret_sd, ret_size);
}
