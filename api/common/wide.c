/* UTF-16 text: conversion and a printf whose format and strings are wide. */
#include "api/common/wide.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/text/names.h"

char *
wide_utf8(const uint16_t *s)
{
	char *utf8 = NULL;

	return utf8_from_utf16(s, &utf8) < 0 ? NULL : utf8;
}

/* One conversion specification, as ASCII for the C library to carry out. */
struct spec {
	char text[32]; /* "%-08" so far */
	size_t n;
	int precision; /* -1: none; for strings */
	int bits;      /* of an integer argument */
	enum { SIZE_DEFAULT, SIZE_NARROW, SIZE_WIDE } string;
	char conversion;
};

static void
spec_add(struct spec *spec, char c)
{
	if (spec->n < sizeof(spec->text) - 8)
		spec->text[spec->n++] = c;
}

static const uint16_t *
parse_number(struct spec *spec, const uint16_t *s, va_list *ap, int *ret_value)
{
	char digits[16];
	int value = 0, n;

	if (*s == '*') {
		value = va_arg(*ap, int);
		s++;
	} else {
		while (*s >= '0' && *s <= '9' && value < 1000000)
			value = value * 10 + (*s++ - '0');
	}
	n = snprintf(digits, sizeof(digits), "%d", value);
	for (int i = 0; i < n; i++)
		spec_add(spec, digits[i]);
	*ret_value = value;
	return s;
}

/* A "long" has 32 bits where these formats come from; ll, I64, j, z and t have 64. */
static const uint16_t *
parse_size(struct spec *spec, const uint16_t *s)
{
	spec->bits = 32;
	for (;; s++) {
		if (*s == 'h') {
			spec->string = SIZE_NARROW;
		} else if (*s == 'l' && s[1] == 'l') {
			spec->bits = 64;
			s++;
		} else if (*s == 'l' || *s == 'w') {
			spec->string = SIZE_WIDE;
		} else if (*s == 'I' && (s[1] == '6' || s[1] == '3')) {
			spec->bits = s[1] == '6' ? 64 : 32;
			s += 2;
		} else if (*s == 'j' || *s == 'z' || *s == 't' || *s == 'I') {
			spec->bits = 64;
		} else {
			return s;
		}
	}
}

/* s is after the '%'. Returns what follows the specification. */
static const uint16_t *
parse_spec(struct spec *spec, const uint16_t *s, va_list *ap)
{
	int width;

	*spec = (struct spec){.text = "%", .n = 1, .precision = -1};
	while (*s && *s < 0x80 && strchr("-+ #0", *s))
		spec_add(spec, (char)*s++);
	if (*s == '*' || (*s >= '1' && *s <= '9'))
		s = parse_number(spec, s, ap, &width);
	if (*s == '.') {
		spec_add(spec, '.');
		s = parse_number(spec, s + 1, ap, &spec->precision);
	}
	s = parse_size(spec, s);
	spec->conversion = *s && *s < 0x80 ? (char)*s : 0;
	return *s ? s + 1 : s;
}

static void
add_string(struct buf *dst, struct spec *spec, va_list *ap)
{
	bool is_wide = spec->conversion == 's' ? spec->string != SIZE_NARROW
					       : spec->string == SIZE_WIDE;
	const void *arg = va_arg(*ap, const void *);
	CLEANUP(free_ptr) char *utf8 = NULL;

	if (is_wide && arg)
		utf8 = wide_utf8(arg);
	strcpy(spec->text + spec->n, "s");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	buf_printf(dst, spec->text, !arg ? "(null)" : is_wide ? (utf8 ? utf8 : "?") : arg);
#pragma GCC diagnostic pop
}

static void
add_char(struct buf *dst, const struct spec *spec, va_list *ap)
{
	uint16_t unit[2] = {(uint16_t)va_arg(*ap, int), 0};
	CLEANUP(free_ptr) char *utf8 = wide_utf8(unit);

	buf_printf(dst, "%s", utf8 ? utf8 : "?");
}

static void
add_number(struct buf *dst, struct spec *spec, va_list *ap)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	if (strchr("eEfFgGaA", spec->conversion)) {
		spec->text[spec->n] = spec->conversion;
		spec->text[spec->n + 1] = 0;
		buf_printf(dst, spec->text, va_arg(*ap, double));
	} else if (spec->conversion == 'p') {
		buf_printf(dst, "%p", va_arg(*ap, void *));
	} else if (spec->bits == 64) {
		snprintf(spec->text + spec->n, 4, "ll%c", spec->conversion);
		buf_printf(dst, spec->text, va_arg(*ap, long long));
	} else {
		spec->text[spec->n] = spec->conversion;
		spec->text[spec->n + 1] = 0;
		buf_printf(dst, spec->text, va_arg(*ap, int));
	}
#pragma GCC diagnostic pop
}

static void
add_spec(struct buf *dst, struct spec *spec, va_list *ap)
{
	char c = spec->conversion;

	if (c == '%')
		buf_add(dst, "%", 1);
	else if (c == 's' || c == 'S')
		add_string(dst, spec, ap);
	else if (c == 'c' || c == 'C')
		add_char(dst, spec, ap);
	else if (c && strchr("diuoxXpeEfFgGaA", c))
		add_number(dst, spec, ap);
}

void
wide_format(struct buf *dst, const uint16_t *format, va_list ap)
{
	va_list args;
	const uint16_t *s = format;

	va_copy(args, ap);
	while (*s) {
		CLEANUP(free_ptr) char *utf8 = NULL;
		CLEANUP(free_ptr) uint16_t *units = NULL;
		struct spec spec;
		size_t n = 0;

		if (*s == '%') {
			s = parse_spec(&spec, s + 1, &args);
			add_spec(dst, &spec, &args);
			continue;
		}
		while (s[n] && s[n] != '%')
			n++;
		units = calloc(n + 1, sizeof(*units));
		if (units) {
			memcpy(units, s, n * sizeof(*units));
			utf8 = wide_utf8(units);
		}
		if (utf8)
			buf_add(dst, utf8, strlen(utf8));
		s += n;
	}
	va_end(args);
}
