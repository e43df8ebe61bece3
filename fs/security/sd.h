/*
 * Security descriptors, always self-relative (MS-DTYP 2.4.6): a const void * and a size.
 *
 * Descriptors come from file systems, images and peers: sd_valid() is called once where one
 * enters; everything else relies on that. Results are on the heap and owned by the caller
 * (free()).
 */
#ifndef USERDRIVE_FS_SECURITY_SD_H
#define USERDRIVE_FS_SECURITY_SD_H

#include "fs/security/sid.h"

enum { SD_SIZE_MAX = 64 * 1024 };

/* Bits of a security information mask */
enum { SD_OWNER = 1, SD_GROUP = 2, SD_DACL = 4, SD_SACL = 8 };

struct sd_ace {
	uint8_t type, flags;
	uint32_t mask;
	struct sid sid;
};

/* True when header, offsets, SIDs, ACLs and ACE sizes all lie inside size bytes. */
bool sd_valid(const void *sd, size_t size);
/* Bytes that the parts of a valid descriptor span. */
size_t sd_length(const void *sd);
uint16_t sd_control(const void *sd);
bool sd_owner(const void *sd, struct sid *ret_sid);
bool sd_group(const void *sd, struct sid *ret_sid);
/* Present, NULL and empty DACLs differ: NULL grants everything, empty nothing. */
enum sd_acl_state { SD_ACL_ABSENT, SD_ACL_NULL, SD_ACL_PRESENT };
enum sd_acl_state sd_dacl_state(const void *sd);
/* ACE number index of the DACL; false past its end. Unknown ACE types are returned with a zero
 * SID and must be ignored. */
bool sd_dacl_ace(const void *sd, unsigned index, struct sd_ace *ret_ace);

/* Builds a descriptor from parts; owner, group may be NULL. n_aces is ignored unless state is
 * SD_ACL_PRESENT. control carries SE_DACL_PROTECTED and the like. */
NODISCARD NTSTATUS sd_build(const struct sid *owner, const struct sid *group, uint16_t control,
			    enum sd_acl_state dacl, const struct sd_ace *aces, unsigned n_aces,
			    void **ret_sd, size_t *ret_size);

/* Only the asked parts of sd (info: SD_OWNER …). */
NODISCARD NTSTATUS sd_filter(const void *sd, uint32_t info, void **ret_sd, size_t *ret_size);
/*
 * Replaces the parts named by info with those of modification (FspSetSecurityDescriptor), generic
 * rights mapped. A named owner (STATUS_INVALID_OWNER), group or DACL must be there: a DACL that
 * grants everything is asked for as a NULL one. AI is stored when modification has AR too.
 */
NODISCARD NTSTATUS sd_modify(const void *sd, uint32_t info, const void *modification,
			     void **ret_sd, size_t *ret_size);

struct token;
/*
 * The descriptor of a new object (MS-DTYP 2.5.3.4, CreateSecurityDescriptor): explicit parts of
 * creator, inheritable ACEs of parent (CREATOR OWNER/GROUP replaced), defaults of the token.
 * parent, creator, token may be NULL. An owner that is not the token's user needs TOKEN_RESTORE
 * (STATUS_INVALID_OWNER), a SACL TOKEN_SECURITY (STATUS_PRIVILEGE_NOT_HELD).
 */
NODISCARD NTSTATUS sd_inherit(const void *parent, const void *creator, bool is_directory,
			      const struct token *token, void **ret_sd, size_t *ret_size);

/*
 * SDDL (MS-DTYP 2.5.1). Parse errors: STATUS_INVALID_SECURITY_DESCR, or STATUS_NONE_MAPPED for an
 * alias that only a Windows machine or domain can resolve (LA, DA …); *ret_bad (may be NULL) is
 * the offset of the offending character. Object entries (OA, OD, OU, OL with their GUIDs) are
 * carried; entries that have no text here (conditional: XA, XD, XU, ZA; resource attributes) make
 * formatting fail with STATUS_INVALID_ACL.
 */
NODISCARD NTSTATUS sddl_parse(const char *text, void **ret_sd, size_t *ret_size, size_t *ret_bad);
NODISCARD NTSTATUS sddl_format(const void *sd, uint32_t info, char **ret_text);

#endif
