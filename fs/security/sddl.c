/* The text form of descriptors (MS-DTYP 2.5.1.1), without object and conditional entries.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text/escape.h"
#include "fs/security/sd_priv.h"
#include "fs/security/sid_priv.h"
#include "nt/file.h"
#include "nt/security.h"

struct sddl_word {
	const char *text;
	uint32_t value;
};

/*
 * Object entries (MS-DTYP 2.4.4.3): header, mask, these flags, the GUIDs that they announce, SID.
 * They are for directory services; here they are kept, read and written, and grant or deny nothing.
 */
enum {
	ACE_OBJECT_FIRST = 5,
	ACE_OBJECT_LAST = 8,
	HAS_OBJECT_TYPE = 1,
	HAS_INHERITED_TYPE = 2,
	GUID_SIZE = 16,
	OBJECT_ACE_MAX = 12 + 2 * GUID_SIZE + (int)sizeof(struct sid)
};

static bool
is_object_type(uint8_t type)
{
	return type >= ACE_OBJECT_FIRST && type <= ACE_OBJECT_LAST;
}

static const struct sddl_word ace_types[] = {{"OA", ACE_OBJECT_FIRST},
					     {"OD", ACE_OBJECT_FIRST + 1},
					     {"OU", ACE_OBJECT_FIRST + 2},
					     {"OL", ACE_OBJECT_LAST},
					     {"AU", SYSTEM_AUDIT_ACE_TYPE},
					     {"AL", 3},
					     {"ML", 0x11},
					     {"A", ACCESS_ALLOWED_ACE_TYPE},
					     {"D", ACCESS_DENIED_ACE_TYPE}};

static const struct sddl_word ace_flags[] = {{"OI", OBJECT_INHERIT_ACE},
					     {"CI", CONTAINER_INHERIT_ACE},
					     {"NP", NO_PROPAGATE_INHERIT_ACE},
					     {"IO", INHERIT_ONLY_ACE},
					     {"ID", INHERITED_ACE},
					     {"SA", 0x40},
					     {"FA", 0x80}};

/* Sets that have a name of their own; written only when a mask is exactly one of them. */
static const struct sddl_word file_sets[] = {{"FA", FILE_ALL_ACCESS},
					     {"FR", FILE_GENERIC_READ},
					     {"FW", FILE_GENERIC_WRITE},
					     {"FX", FILE_GENERIC_EXECUTE}};

/* Read, but not written: a descriptor here belongs to a file. */
static const struct sddl_word key_sets[] = {
	{"KA", 0xf003f}, {"KR", 0x20019}, {"KW", 0x20006}, {"KX", 0x20019}};

/* One bit each, in the order in which they are written. */
static const struct sddl_word right_bits[] = {
	{"CC", 0x1},	       {"DC", 0x2},	     {"LC", 0x4},
	{"SW", 0x8},	       {"RP", 0x10},	     {"WP", 0x20},
	{"DT", 0x40},	       {"LO", 0x80},	     {"CR", 0x100},
	{"SD", DELETE},	       {"RC", READ_CONTROL}, {"WD", WRITE_DAC},
	{"WO", WRITE_OWNER},   {"GA", GENERIC_ALL},  {"GX", GENERIC_EXECUTE},
	{"GW", GENERIC_WRITE}, {"GR", GENERIC_READ}};

/* Mandatory labels (MS-DTYP 2.4.4.13) have rights of their own. */
static const struct sddl_word label_bits[] = {{"NW", 1}, {"NR", 2}, {"NX", 4}};

/* Values for the DACL; those of the SACL are twice them. */
static const struct sddl_word acl_controls[] = {{"P", SE_DACL_PROTECTED},
						{"AR", SE_DACL_AUTO_INHERIT_REQ},
						{"AI", SE_DACL_AUTO_INHERITED}};

#define NULL_DACL "NO_ACCESS_CONTROL"

static const struct sddl_word *
word_at(const char *text, const struct sddl_word *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strncmp(text, words[i].text, strlen(words[i].text)) == 0)
			return &words[i];
	return NULL;
}

static const struct sddl_word *
word_of(uint32_t value, const struct sddl_word *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (words[i].value == value)
			return &words[i];
	return NULL;
}

/* Reading. p stands at the first character that is not understood when st says so. */
struct reader {
	const char *p;
	NTSTATUS st;
};

static bool
fail(struct reader *r)
{
	if (NT_SUCCESS(r->st))
		r->st = STATUS_INVALID_SECURITY_DESCR;
	return false;
}

static void
skip_space(struct reader *r)
{
	while (*r->p == ' ' || *r->p == '\t' || *r->p == '\r' || *r->p == '\n')
		r->p++;
}

static bool
expect(struct reader *r, char c)
{
	skip_space(r);
	if (*r->p != c)
		return fail(r);
	r->p++;
	return true;
}

static bool
read_sid(struct reader *r, struct sid *ret_sid)
{
	skip_space(r);
	if (sid_parse(r->p, ret_sid, &r->p))
		return true;
	if (sid_alias_needs_domain(r->p))
		r->st = STATUS_NONE_MAPPED;
	return fail(r);
}

/* Any number of words, or-ed; stops at the first character that begins none. */
static uint32_t
read_words(struct reader *r, const struct sddl_word *words, size_t n)
{
	const struct sddl_word *w;
	uint32_t value = 0;

	for (skip_space(r); (w = word_at(r->p, words, n)); skip_space(r)) {
		value |= w->value;
		r->p += strlen(w->text);
	}
	return value;
}

static bool
read_number(struct reader *r, uint32_t *ret)
{
	char *end;
	unsigned long long v = strtoull(r->p, &end, 0);

	if (v > UINT32_MAX)
		return fail(r);
	r->p = end;
	*ret = (uint32_t)v;
	return true;
}

static bool
read_rights(struct reader *r, uint32_t *ret)
{
	const char *start;

	skip_space(r);
	if (*r->p >= '0' && *r->p <= '9')
		return read_number(r, ret);
	*ret = 0;
	do {
		start = r->p;
		*ret |= read_words(r, right_bits, ARRAY_SIZE(right_bits));
		*ret |= read_words(r, file_sets, ARRAY_SIZE(file_sets));
		*ret |= read_words(r, key_sets, ARRAY_SIZE(key_sets));
		*ret |= read_words(r, label_bits, ARRAY_SIZE(label_bits));
	} while (r->p != start);
	return true;
}

/* An entry as text has it. */
struct text_ace {
	struct sd_ace ace;
	uint32_t present; /* HAS_… */
	uint8_t guids[2][GUID_SIZE]; /* as on the wire; the one that is inherited second */
};

static bool
read_hex_byte(struct reader *r, uint8_t *ret)
{
	int high = hex_digit_value(r->p[0]);
	int low = high < 0 ? -1 : hex_digit_value(r->p[1]);

	if (low < 0)
		return fail(r);
	*ret = (uint8_t)(high << 4 | low);
	r->p += 2;
	return true;
}

/* Where each byte of the text stands on the wire: the first three numbers are little-endian. */
static const uint8_t guid_order[GUID_SIZE] = {3, 2,  1,  0,  5,  4,  7,  6,
					      8, 9, 10, 11, 12, 13, 14, 15};
static const uint32_t guid_hyphens = 1 << 4 | 1 << 6 | 1 << 8 | 1 << 10; /* before these bytes */

/* Nothing, or a GUID where the entry may have one. */
static bool
read_guid(struct reader *r, struct text_ace *a, unsigned index)
{
	skip_space(r);
	if (*r->p == ';')
		return true;
	if (!is_object_type(a->ace.type))
		return fail(r);
	for (unsigned i = 0; i < GUID_SIZE; i++) {
		if (guid_hyphens >> i & 1) {
			if (*r->p != '-')
				return fail(r);
			r->p++;
		}
		if (!read_hex_byte(r, &a->guids[index][guid_order[i]]))
			return false;
	}
	a->present |= 1u << index;
	return true;
}

/* (type;flags;rights;guid;guid;sid): only object entries have GUIDs. */
static bool
read_ace(struct reader *r, struct text_ace *ret_ace)
{
	const struct sddl_word *type;
	struct sd_ace *ace = &ret_ace->ace;

	ret_ace->present = 0;
	if (!expect(r, '('))
		return false;
	skip_space(r);
	type = word_at(r->p, ace_types, ARRAY_SIZE(ace_types));
	if (!type)
		return fail(r);
	r->p += strlen(type->text);
	ace->type = (uint8_t)type->value;
	if (!expect(r, ';'))
		return false;
	ace->flags = (uint8_t)read_words(r, ace_flags, ARRAY_SIZE(ace_flags));
	return expect(r, ';') && read_rights(r, &ace->mask) && expect(r, ';') &&
	       read_guid(r, ret_ace, 0) && expect(r, ';') && read_guid(r, ret_ace, 1) &&
	       expect(r, ';') && read_sid(r, &ace->sid) && expect(r, ')');
}

static void
add_object_ace(struct acl_buf *buf, const struct text_ace *a)
{
	uint8_t bytes[OBJECT_ACE_MAX];
	size_t n = 12, sid_len = sid_size(&a->ace.sid);

	for (unsigned i = 0; i < 2; i++) {
		if (!(a->present >> i & 1))
			continue;
		memcpy(bytes + n, a->guids[i], GUID_SIZE);
		n += GUID_SIZE;
	}
	memcpy(bytes + n, &a->ace.sid, sid_len);
	n += sid_len;
	bytes[0] = a->ace.type;
	bytes[1] = a->ace.flags;
	wire_put_u16(bytes + 2, (uint16_t)n);
	wire_put_u32(bytes + 4, a->ace.mask);
	wire_put_u32(bytes + 8, a->present);
	acl_buf_add_ref(buf, &(struct ace_ref){.bytes = bytes, .size = (uint16_t)n},
			a->ace.flags, 0, NULL);
}

static bool
read_acl(struct reader *r, struct acl_buf *buf, uint32_t *ret_control, bool *ret_null)
{
	struct text_ace a;

	*ret_null = false;
	*ret_control = read_words(r, acl_controls, ARRAY_SIZE(acl_controls));
	if (strncmp(r->p, NULL_DACL, strlen(NULL_DACL)) == 0) {
		r->p += strlen(NULL_DACL);
		*ret_null = true;
		return true;
	}
	for (skip_space(r); *r->p == '('; skip_space(r)) {
		if (!read_ace(r, &a))
			return false;
		if (is_object_type(a.ace.type))
			add_object_ace(buf, &a);
		else
			acl_buf_add(buf, &a.ace);
		if (!NT_SUCCESS(buf->st)) {
			r->st = buf->st;
			return false;
		}
	}
	return true;
}

struct sddl_text {
	struct sid owner, group;
	struct acl_buf dacl, sacl;
	struct sd_parts parts;
};

/* One part: its letter and colon have been read. Each may come once. */
static bool
read_part(struct reader *r, struct sddl_text *t, char letter)
{
	bool is_owner = letter == 'O', is_dacl = letter == 'D', is_null;
	struct sd_bytes *part;
	struct acl_buf *buf = is_dacl ? &t->dacl : &t->sacl;
	uint16_t present = is_dacl ? SE_DACL_PRESENT : SE_SACL_PRESENT;
	uint32_t control;

	if (is_owner || letter == 'G') {
		struct sid *sid = is_owner ? &t->owner : &t->group;

		part = is_owner ? &t->parts.owner : &t->parts.group;
		if (part->bytes || !read_sid(r, sid))
			return fail(r);
		*part = sd_bytes_of_sid(sid);
		return true;
	}
	part = is_dacl ? &t->parts.dacl : &t->parts.sacl;
	if (t->parts.control & present || !read_acl(r, buf, &control, &is_null))
		return fail(r);
	t->parts.control |= present | (is_dacl ? control : control << 1);
	if (is_null)
		return true;
	r->st = acl_buf_end(buf, part);
	return NT_SUCCESS(r->st);
}

static bool
read_parts(struct reader *r, struct sddl_text *t)
{
	for (skip_space(r); *r->p; skip_space(r)) {
		char letter = *r->p;

		if (!strchr("OGDS", letter))
			return fail(r);
		r->p++;
		if (!expect(r, ':') || !read_part(r, t, letter))
			return false;
	}
	return true;
}

NTSTATUS
sddl_parse(const char *text, void **ret_sd, size_t *ret_size, size_t *ret_bad)
{
	struct reader r = {text, STATUS_SUCCESS};
	struct sddl_text t;

	memset(&t.parts, 0, sizeof(t.parts));
	acl_buf_init(&t.dacl);
	acl_buf_init(&t.sacl);
	if (read_parts(&r, &t))
		r.st = sd_compose(&t.parts, ret_sd, ret_size);
	if (!NT_SUCCESS(r.st) && ret_bad)
		*ret_bad = (size_t)(r.p - text);
	acl_buf_fini(&t.dacl);
	acl_buf_fini(&t.sacl);
	return r.st;
}

static void
write_sid(FILE *out, const uint8_t *bytes)
{
	char text[SID_TEXT_MAX];
	struct sid sid;
	const char *alias;

	if (!sid_decode(bytes, wire_sid_size(bytes), &sid))
		return;
	alias = sid_alias(&sid);
	if (!alias)
		sid_format(&sid, text);
	fputs(alias ? alias : text, out);
}

/* The words of all set bits; nothing and false when a bit has no word. */
static bool
write_words(FILE *out, uint32_t value, const struct sddl_word *words, size_t n)
{
	uint32_t known = 0;

	for (size_t i = 0; i < n; i++)
		known |= words[i].value;
	if (value & ~known)
		return false;
	for (size_t i = 0; i < n; i++)
		if (value & words[i].value)
			fputs(words[i].text, out);
	return true;
}

static void
write_rights(FILE *out, uint8_t type, uint32_t mask)
{
	const struct sddl_word *set = word_of(mask, file_sets, ARRAY_SIZE(file_sets));
	bool label = type == 0x11;

	if (set)
		fputs(set->text, out);
	else if (!write_words(out, mask, label ? label_bits : right_bits,
			      label ? ARRAY_SIZE(label_bits) : ARRAY_SIZE(right_bits)))
		fprintf(out, "0x%x", mask);
}

static void
write_guid(FILE *out, const uint8_t *guid)
{
	for (unsigned i = 0; i < GUID_SIZE; i++)
		fprintf(out, "%s%02x", guid_hyphens >> i & 1 ? "-" : "", guid[guid_order[i]]);
}

/* "guid;guid;sid" of an object entry, whose inside nobody has checked so far. */
static NTSTATUS
write_object(FILE *out, const struct ace_ref *ace)
{
	uint32_t present = ace->size >= 12 ? wire_u32(ace->bytes + 8) : UINT32_MAX;
	struct sid sid;
	size_t n = 12;

	if (present & ~(uint32_t)(HAS_OBJECT_TYPE | HAS_INHERITED_TYPE))
		return STATUS_INVALID_ACL;
	for (unsigned i = 0; i < 2; i++) {
		if (present >> i & 1) {
			if (ace->size < n + GUID_SIZE)
				return STATUS_INVALID_ACL;
			write_guid(out, ace->bytes + n);
			n += GUID_SIZE;
		}
		fputc(';', out);
	}
	if (sid_decode(ace->bytes + n, ace->size - n, &sid) != ace->size - n)
		return STATUS_INVALID_ACL;
	write_sid(out, ace->bytes + n);
	return STATUS_SUCCESS;
}

static NTSTATUS
write_ace(FILE *out, const struct ace_ref *ace)
{
	const struct sddl_word *type = word_of(ace->type, ace_types, ARRAY_SIZE(ace_types));
	bool is_object = is_object_type(ace->type);
	NTSTATUS st = STATUS_SUCCESS;

	if (!type || (is_object && ace->size < 12))
		return STATUS_INVALID_ACL;
	assert(is_object || ace->sid); /* every other type in ace_types has one */
	fprintf(out, "(%s;", type->text);
	write_words(out, ace->flags & 0xdf, ace_flags, ARRAY_SIZE(ace_flags));
	fputc(';', out);
	write_rights(out, ace->type, is_object ? wire_u32(ace->bytes + 4) : ace->mask);
	fputc(';', out);
	if (is_object) {
		st = write_object(out, ace);
	} else {
		fputs(";;", out);
		write_sid(out, ace->sid);
	}
	fputc(')', out);
	return st;
}

static NTSTATUS
write_acl(FILE *out, struct sd_bytes acl)
{
	struct acl_walk w = acl_walk_begin(acl.bytes);
	NTSTATUS st = STATUS_SUCCESS;
	struct ace_ref ace;

	while (NT_SUCCESS(st) && acl_walk_next(&w, &ace))
		st = write_ace(out, &ace);
	return st;
}

static NTSTATUS
write_sd(FILE *out, const struct sd_parts *sd, uint32_t info)
{
	NTSTATUS st = STATUS_SUCCESS;
	size_t n = ARRAY_SIZE(acl_controls);

	if (info & SD_OWNER && sd->owner.bytes) {
		fputs("O:", out);
		write_sid(out, sd->owner.bytes);
	}
	if (info & SD_GROUP && sd->group.bytes) {
		fputs("G:", out);
		write_sid(out, sd->group.bytes);
	}
	if (info & SD_DACL && sd->control & SE_DACL_PRESENT) {
		fputs("D:", out);
		write_words(out, sd->control & 0x1500, acl_controls, n);
		if (!sd->dacl.bytes)
			fputs(NULL_DACL, out);
		st = write_acl(out, sd->dacl);
	}
	if (NT_SUCCESS(st) && info & SD_SACL && sd->control & SE_SACL_PRESENT) {
		fputs("S:", out);
		write_words(out, sd->control >> 1 & 0x1500, acl_controls, n);
		if (!sd->sacl.bytes)
			fputs(NULL_DACL, out);
		st = write_acl(out, sd->sacl);
	}
	return st;
}

NTSTATUS
sddl_format(const void *sd, uint32_t info, char **ret_text)
{
	struct sd_parts parts = sd_split(sd);
	CLEANUP(free_ptr) char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	bool failed;
	NTSTATUS st;

	if (!out)
		return STATUS_INSUFFICIENT_RESOURCES;
	st = write_sd(out, &parts, info);
	failed = ferror(out);
	if (fclose(out) != 0 || failed)
		return STATUS_INSUFFICIENT_RESOURCES;
	if (!NT_SUCCESS(st))
		return st;
	*ret_text = take(&text);
	return STATUS_SUCCESS;
}
