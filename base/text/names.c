/*
 * The name map. Both directions go token by token; a token's units map back to its bytes
 * without looking at the neighbours, with one exception: a high and a low surrogate that
 * happen to meet are read back as one character. surrogate_stands_alone() keeps them
 * apart, so that every byte string survives the way there and back.
 */
#include "base/text/names.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* The ASCII characters that NT names cannot hold; '/' separates and never gets here. */
static const uint8_t nt_forbids[128] = {
	[0x01 ... 0x1f] = 1, ['"'] = 1, ['*'] = 1,  [':'] = 1, ['<'] = 1,
	['>'] = 1,	     ['?'] = 1, ['\\'] = 1, ['|'] = 1,
};

static bool
is_high_surrogate(uint32_t c)
{
	return (c & 0xfffffc00u) == 0xd800;
}

static bool
is_low_surrogate(uint32_t c)
{
	return (c & 0xfffffc00u) == 0xdc00;
}

/* U+F000|c stands for the byte c. */
static bool
stands_for_byte(uint32_t c)
{
	uint32_t byte = c & 0xff;

	return (c & 0xffffff00u) == 0xf000 && (byte >= 0x80 || nt_forbids[byte]);
}

/*
 * Decodes the character at s (n >= 1 bytes left), in generalized UTF-8: surrogates are
 * let through. Returns its length, or 0 when the bytes are no such character.
 */
static size_t
utf8_decode(const uint8_t *s, size_t n, uint32_t *ret_char)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t length = s[0] < 0x80   ? 1
			: s[0] < 0xc2 ? 0
			: s[0] < 0xe0 ? 2
			: s[0] < 0xf0 ? 3
			: s[0] < 0xf5 ? 4
				      : 0;

	if (length == 0 || length > n)
		return 0;
	uint32_t c = length == 1 ? s[0] : s[0] & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[length] || c > 0x10ffff)
		return 0;
	*ret_char = c;
	return length;
}

static size_t
utf8_encode(uint32_t c, uint8_t out[4])
{
	if (c < 0x80) {
		out[0] = (uint8_t)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (uint8_t)(0xc0 | c >> 6);
		out[1] = (uint8_t)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (uint8_t)(0xe0 | c >> 12);
		out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		out[2] = (uint8_t)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (uint8_t)(0xf0 | c >> 18);
	out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
	out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	out[3] = (uint8_t)(0x80 | (c & 0x3f));
	return 4;
}

/* The character at s, a pair being one; returns the units it takes. */
static size_t
utf16_decode(const uint16_t *s, size_t n, uint32_t *ret_char)
{
	if (n >= 2 && is_high_surrogate(s[0]) && is_low_surrogate(s[1])) {
		*ret_char = 0x10000 + ((uint32_t)(s[0] & 0x3ff) << 10 | (s[1] & 0x3ff));
		return 2;
	}
	*ret_char = s[0];
	return 1;
}

/* Where units go; counts on when there is no room, so that one pass measures too. */
struct units {
	uint16_t *dst; /* NULL: measure */
	size_t cap, n;
};

static inline void
units_put(struct units *out, uint32_t unit)
{
	if (out->dst && out->n < out->cap)
		out->dst[out->n] = (uint16_t)unit;
	out->n++;
}

static void
units_put_char(struct units *out, uint32_t c)
{
	if (c >= 0x10000) {
		units_put(out, 0xd7c0 + (c >> 10));
		units_put(out, 0xdc00 | (c & 0x3ff));
	} else
		units_put(out, c);
}

struct bytes {
	char *dst; /* NULL: measure */
	size_t cap, n;
};

static inline void
bytes_put(struct bytes *out, uint8_t byte)
{
	if (out->dst && out->n < out->cap)
		out->dst[out->n] = (char)byte;
	out->n++;
}

static void
bytes_put_char(struct bytes *out, uint32_t c)
{
	uint8_t encoded[4];
	size_t n = utf8_encode(c, encoded);

	for (size_t i = 0; i < n; i++)
		bytes_put(out, encoded[i]);
}

/* What a conversion answers: the count, unless it did not fit. */
static int
converted(const void *dst, size_t n, size_t cap)
{
	if (n > INT_MAX || (dst && n > cap))
		return -ENAMETOOLONG;
	return (int)n;
}

/* Whether a surrogate may travel as itself: not a high one that a low one follows. */
static bool
surrogate_stands_alone(uint32_t c, const uint8_t *s, size_t n)
{
	uint32_t next;

	return !is_high_surrogate(c) || n == 0 || utf8_decode(s, n, &next) == 0 ||
	       !is_low_surrogate(next);
}

/* Converts the token at s, which starts with a byte >= 80h; returns its bytes. */
static size_t
put_multibyte(struct units *out, const uint8_t *s, size_t n)
{
	uint32_t c;
	size_t length = utf8_decode(s, n, &c);

	if (length > 0 && !stands_for_byte(c) &&
	    surrogate_stands_alone(c, s + length, n - length)) {
		units_put_char(out, c);
		return length;
	}
	if (length == 0)
		length = 1;
	for (size_t i = 0; i < length; i++)
		units_put(out, 0xf000u | s[i]);
	return length;
}

int
name_from_posix(const char *src, size_t n_bytes, enum text_kind kind, uint16_t *dst,
		size_t cap_units)
{
	const uint8_t *s = (const uint8_t *)src, *end = s + n_bytes;
	struct units out = {dst, cap_units, 0};

	while (s < end) {
		uint8_t byte = *s;

		if (byte >= 0x80) {
			s += put_multibyte(&out, s, (size_t)(end - s));
			continue;
		}
		if (nt_forbids[byte])
			units_put(&out, 0xf000u | byte);
		else if (byte == '/' && kind == TEXT_PATH)
			units_put(&out, '\\');
		else
			units_put(&out, byte);
		s++;
	}
	return converted(dst, out.n, cap_units);
}

int
name_to_posix(const uint16_t *src, size_t n_units, enum text_kind kind, char *dst,
	      size_t cap_bytes)
{
	struct bytes out = {dst, cap_bytes, 0};

	for (size_t i = 0; i < n_units;) {
		uint32_t c = src[i];

		if (c < 0x80) {
			bytes_put(&out,
				  c == '\\' && kind == TEXT_PATH ? '/' : (uint8_t)c);
			i++;
			continue;
		}
		i += utf16_decode(src + i, n_units - i, &c);
		if (stands_for_byte(c))
			bytes_put(&out, (uint8_t)c);
		else
			bytes_put_char(&out, c);
	}
	return converted(dst, out.n, cap_bytes);
}

/* One pass of utf16_from_utf8; false: not WTF-8. */
static bool
wtf8_to_units(const uint8_t *s, size_t n, struct units *out)
{
	while (n > 0) {
		uint32_t c;
		size_t length = utf8_decode(s, n, &c);

		if (length == 0 || !surrogate_stands_alone(c, s + length, n - length))
			return false;
		units_put_char(out, c);
		s += length;
		n -= length;
	}
	return true;
}

int
utf16_from_utf8(const char *src, uint16_t **ret_units)
{
	size_t n = strlen(src);
	/* Never more units than bytes. */
	uint16_t *units = malloc((n + 1) * sizeof(*units));
	struct units out = {units, n, 0};

	if (!units)
		return -ENOMEM;
	if (!wtf8_to_units((const uint8_t *)src, n, &out)) {
		free(units);
		return -EILSEQ;
	}
	units[out.n] = 0;
	*ret_units = units;
	return 0;
}

int
utf8_from_utf16(const uint16_t *src, char **ret_utf8)
{
	size_t n = utf16_len(src), cap;
	char *utf8 = NULL;

	/* Never more than three bytes for a unit. */
	if (!mul_overflows(n, 3, &cap))
		utf8 = malloc(cap + 1);
	if (!utf8)
		return -ENOMEM;
	struct bytes out = {utf8, cap, 0};
	for (size_t i = 0; i < n;) {
		uint32_t c;

		i += utf16_decode(src + i, n - i, &c);
		bytes_put_char(&out, c);
	}
	utf8[out.n] = 0;
	*ret_utf8 = utf8;
	return 0;
}
