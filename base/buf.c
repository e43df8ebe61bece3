#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum { FIRST_BYTES = 256 };

void
buf_fini(struct buf *b)
{
	free(b->s);
	*b = (struct buf)BUF_INIT;
}

void
buf_clear(struct buf *b)
{
	b->n = 0;
	b->failed = false;
	if (b->s)
		b->s[0] = 0;
}

/* Makes room for n more bytes and the NUL. */
static bool
reserve(struct buf *b, size_t n)
{
	size_t needed, cap;
	char *s;

	if (b->failed)
		return false;
	if (add_overflows(b->n, n, &needed) || add_overflows(needed, 1, &needed)) {
		b->failed = true;
		return false;
	}
	if (needed <= b->cap)
		return true;
	cap = MAX(MAX(needed, b->cap + b->cap / 2), FIRST_BYTES);
	s = realloc(b->s, cap);
	if (!s) {
		b->failed = true;
		return false;
	}
	b->s = s;
	b->cap = cap;
	return true;
}

void
buf_add(struct buf *b, const char *bytes, size_t n)
{
	if (!reserve(b, n))
		return;
	if (n > 0)
		memcpy(b->s + b->n, bytes, n);
	b->n += n;
	b->s[b->n] = 0;
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || !reserve(b, (size_t)n)) {
		b->failed = true;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(b->s + b->n, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->n += (size_t)n;
}

static void
json_ascii(struct buf *b, char c)
{
	if (c == '"' || c == '\\')
		buf_printf(b, "\\%c", c);
	else if (c < 0x20 || c == 0x7f)
		buf_printf(b, "\\u%04x", (unsigned)c);
	else
		buf_add(b, &c, 1);
}

void
buf_json_bytes(struct buf *b, const char *bytes, size_t n)
{
	buf_add(b, "\"", 1);
	while (n > 0) {
		utf8proc_int32_t c;
		utf8proc_ssize_t length =
			utf8proc_iterate((const uint8_t *)bytes, (utf8proc_ssize_t)n, &c);

		if (length <= 0) {
			buf_printf(b, "\\ufffd");
			length = 1;
		} else if (length == 1)
			json_ascii(b, *bytes);
		else
			buf_add(b, bytes, (size_t)length);
		bytes += length;
		n -= (size_t)length;
	}
	buf_add(b, "\"", 1);
}

void
buf_json_string(struct buf *b, const char *s)
{
	buf_json_bytes(b, s, strlen(s));
}

const char *
buf_str(const struct buf *b)
{
	return b->s ? b->s : "";
}

int
buf_error(const struct buf *b)
{
	return b->failed ? -ENOMEM : 0;
}
