/*
 * Text format of iSCSI parameters (RFC 7143 6.1): key=value pairs, each ended by a NUL, and the
 * forms of values. Input is a peer's: anything may come.
 */
#ifndef USERDRIVE_ISCSI_TEXT_H
#define USERDRIVE_ISCSI_TEXT_H

#include "base/buf.h"

enum {
	ISCSI_KEY_MAX = 63,	/* bytes of a key, 6.1 */
	ISCSI_VALUE_MAX = 255,	/* bytes of a value unless its key says otherwise */
	ISCSI_BINARY_MAX = 1024 /* bytes of a decoded binary value: CHAP_C, 12.1.3 */
};

/* Walks the pairs of a text; the bytes must not change meanwhile. */
struct iscsi_text {
	const char *at, *end;
};

struct iscsi_pair {
	char key[ISCSI_KEY_MAX + 1];
	const char *value; /* in the text; ends with a NUL (see iscsi_text_begin) */
	size_t n_value;
};

/* bytes[size] must exist and be 0: a last pair without its NUL is taken, too. */
void iscsi_text_begin(struct iscsi_text *t, const char *bytes, size_t size);
/* 1: a pair; 0: the end; -EPROTO: not text. */
int iscsi_text_next(struct iscsi_text *t, struct iscsi_pair *ret_pair);

/* Appends key=value and its NUL. */
void iscsi_text_add(struct buf *b, const char *key, const char *value);
void iscsi_text_add_number(struct buf *b, const char *key, uint32_t value);
/* As a hexadecimal constant, 0x… */
void iscsi_text_add_binary(struct buf *b, const char *key, const uint8_t *bytes, size_t size);

/* Decimal or 0x hexadecimal constant that fits 32 bits. 0 or -EINVAL. */
NODISCARD int iscsi_text_number(const char *value, uint32_t *ret_number);
/* "Yes" or "No". 0 or -EINVAL. */
NODISCARD int iscsi_text_bool(const char *value, uint32_t *ret_bool);
/* 0x hexadecimal or 0b Base64. The number of bytes, or -EINVAL, also when they exceed cap. */
NODISCARD int iscsi_text_binary(const char *value, uint8_t *dst, size_t cap);
/* The first item of a comma-separated list; *list moves on. False: none is left. */
bool iscsi_text_item(const char **list, const char **ret_item, size_t *ret_size);

/*
 * An iSCSI name (4.2.7): iqn., eui. or naa., of its characters, letters made small. dst holds
 * ISCSI_NAME_MAX + 1 bytes. 0 or -EINVAL.
 */
NODISCARD int iscsi_name_parse(const char *name, char *dst);

/* For the log: what is not printable ASCII becomes \xNN, a long text is cut. Returns dst. */
const char *iscsi_printable(const char *s, size_t n, char *dst, size_t cap);

#endif
