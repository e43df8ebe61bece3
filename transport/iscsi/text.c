#include "transport/iscsi/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "transport/iscsi/pdu.h"

void
iscsi_text_begin(struct iscsi_text *t, const char *bytes, size_t size)
{
	t->at = bytes;
	t->end = bytes + size;
}

/* 6.1: a letter first, then letters, digits and these. Ours are ASCII whatever the locale. */
static bool
is_key(const char *key, size_t n)
{
	static const char more[] = ".-+@_#";

	if (n == 0 || n > ISCSI_KEY_MAX || !isalpha((unsigned char)key[0]) || key[0] & 0x80)
		return false;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)key[i];

		if (c >= 0x80 || (!isalnum(c) && !memchr(more, c, sizeof(more) - 1)))
			return false;
	}
	return true;
}

int
iscsi_text_next(struct iscsi_text *t, struct iscsi_pair *ret_pair)
{
	/* Some initiators count their padding as text. */
	while (t->at < t->end && *t->at == 0)
		t->at++;
	if (t->at == t->end)
		return 0;
	size_t n = strnlen(t->at, (size_t)(t->end - t->at));
	const char *equals = memchr(t->at, '=', n);

	if (!equals || !is_key(t->at, (size_t)(equals - t->at)))
		return -EPROTO;
	size_t n_key = (size_t)(equals - t->at);

	memcpy(ret_pair->key, t->at, n_key);
	ret_pair->key[n_key] = 0;
	ret_pair->value = equals + 1;
	ret_pair->n_value = n - n_key - 1;
	t->at += n;
	return 1;
}

void
iscsi_text_add(struct buf *b, const char *key, const char *value)
{
	buf_printf(b, "%s=%s", key, value);
	buf_add(b, "", 1);
}

void
iscsi_text_add_number(struct buf *b, const char *key, uint32_t value)
{
	buf_printf(b, "%s=%u", key, (unsigned)value);
	buf_add(b, "", 1);
}

void
iscsi_text_add_binary(struct buf *b, const char *key, const uint8_t *bytes, size_t size)
{
	buf_printf(b, "%s=0x", key);
	for (size_t i = 0; i < size; i++)
		buf_printf(b, "%02x", bytes[i]);
	buf_add(b, "", 1);
}

static bool
has_hex_prefix(const char *value)
{
	return value[0] == '0' && (value[1] == 'x' || value[1] == 'X');
}

int
iscsi_text_number(const char *value, uint32_t *ret_number)
{
	bool hex = has_hex_prefix(value);
	const char *digits = hex ? value + 2 : value;
	size_t n = strspn(digits, hex ? "0123456789abcdefABCDEF" : "0123456789");
	unsigned long long number;

	if (n == 0 || digits[n] || n > 19)
		return -EINVAL;
	number = strtoull(digits, NULL, hex ? 16 : 10);
	if (number > UINT32_MAX)
		return -EINVAL;
	*ret_number = (uint32_t)number;
	return 0;
}

int
iscsi_text_bool(const char *value, uint32_t *ret_bool)
{
	if (strcmp(value, "Yes") != 0 && strcmp(value, "No") != 0)
		return -EINVAL;
	*ret_bool = value[0] == 'Y';
	return 0;
}

static int
hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* An odd number of digits has a leading zero left out: the value is a number. */
static int
binary_from_hex(const char *digits, uint8_t *dst, size_t cap)
{
	size_t n_digits = strlen(digits), n = (n_digits + 1) / 2;

	if (n_digits == 0 || n > cap)
		return -EINVAL;
	memset(dst, 0, n);
	for (size_t i = 0; i < n_digits; i++) {
		int digit = hex_digit(digits[i]);
		size_t place = n_digits - 1 - i; /* from the right */

		if (digit < 0)
			return -EINVAL;
		dst[n - 1 - place / 2] |= (uint8_t)(digit << (place & 1 ? 4 : 0));
	}
	return (int)n;
}

static int
base64_digit(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

static int
binary_from_base64(const char *text, uint8_t *dst, size_t cap)
{
	size_t n_text = strlen(text), n = 0;
	uint32_t bits = 0;
	int n_bits = 0;

	while (n_text > 0 && text[n_text - 1] == '=')
		n_text--;
	if (n_text == 0 || n_text % 4 == 1 || n_text > ISCSI_BINARY_MAX * 2)
		return -EINVAL;
	for (size_t i = 0; i < n_text; i++) {
		int digit = base64_digit(text[i]);

		if (digit < 0)
			return -EINVAL;
		bits = bits << 6 | (uint32_t)digit;
		n_bits += 6;
		if (n_bits < 8)
			continue;
		n_bits -= 8;
		if (n == cap)
			return -EINVAL;
		dst[n++] = (uint8_t)(bits >> n_bits);
	}
	return (int)n;
}

int
iscsi_text_binary(const char *value, uint8_t *dst, size_t cap)
{
	if (has_hex_prefix(value))
		return binary_from_hex(value + 2, dst, cap);
	if (value[0] == '0' && (value[1] == 'b' || value[1] == 'B'))
		return binary_from_base64(value + 2, dst, cap);
	return -EINVAL;
}

bool
iscsi_text_item(const char **list, const char **ret_item, size_t *ret_size)
{
	const char *at = *list;

	if (!*at)
		return false;
	*ret_item = at;
	*ret_size = strcspn(at, ",");
	*list = at + *ret_size + (at[*ret_size] == ',');
	return true;
}

int
iscsi_name_parse(const char *name, char *dst)
{
	static const char *const kinds[] = {"iqn.", "eui.", "naa."};
	size_t n = strlen(name);
	bool known = false;

	if (n <= 4 || n > ISCSI_NAME_MAX)
		return -EINVAL;
	/* RFC 3722 by its ASCII part; other characters are UTF-8 and stay as they are. */
	for (size_t i = 0; i <= n; i++) {
		unsigned char c = (unsigned char)name[i];

		if (i < n && c < 0x80 && !isalnum(c) && c != '-' && c != '.' && c != ':')
			return -EINVAL;
		dst[i] = (char)(c < 0x80 ? tolower(c) : c);
	}
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		known = known || strncmp(dst, kinds[i], 4) == 0;
	return known ? 0 : -EINVAL;
}

const char *
iscsi_printable(const char *s, size_t n, char *dst, size_t cap)
{
	size_t at = 0;

	for (size_t i = 0; i < n && at + 8 < cap; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c > ' ' && c < 0x7f && c != '\\')
			dst[at++] = (char)c;
		else
			at += (size_t)snprintf(dst + at, cap - at, "\\x%02x", c);
	}
	dst[at] = 0;
	if (cap > 8 && at + 8 >= cap)
		memcpy(dst + at - 3, "...", 3);
	return dst;
}
