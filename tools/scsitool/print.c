/* The three forms: canonical as WinSpd prints it, a table for people, JSON for scripts.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "tools/scsitool/tool.h"

struct printer {
	enum tool_format format;
	struct buf *dst;
	bool needs_comma;
	unsigned item[DECODE_DEPTH_MAX + 1]; /* number of the item, by depth */
};

/* Names are padded with up to four NULs (SPC-4 7.8.6.11); *ret_n is their length without.
 */
static bool
is_printable(const uint8_t *bytes, size_t n, size_t *ret_n)
{
	size_t end = n;

	while (end > 0 && n - end < 4 && !bytes[end - 1])
		end--;
	for (size_t i = 0; i < end; i++)
		if (bytes[i] < 0x20 || bytes[i] > 0x7e)
			return false;
	*ret_n = end;
	return end > 0;
}

static void
add_text(struct buf *dst, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_printf(dst, "%c",
			   bytes[i] >= 0x20 && bytes[i] < 0x7f ? bytes[i] : '.');
}

static void
add_bytes(struct buf *dst, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_printf(dst, "%s%02x", i ? " " : "", bytes[i]);
}

static void
add_number(struct buf *dst, uint64_t v)
{
	if (v > UINT32_MAX)
		buf_printf(dst, "%llxh", (unsigned long long)v);
	else if (v < 10)
		buf_printf(dst, "%llu", (unsigned long long)v);
	else
		buf_printf(dst, "%llu %llxh", (unsigned long long)v,
			   (unsigned long long)v);
}

static void
add_value(struct buf *dst, const struct decode_value *v)
{
	size_t n = v->n_bytes;

	if (v->field->type == DECODE_NUMBER)
		add_number(dst, v->number);
	else if (v->field->type == DECODE_TEXT ||
		 (v->field->type == DECODE_AUTO &&
		  is_printable(v->bytes, v->n_bytes, &n)))
		add_text(dst, v->bytes, n);
	else
		add_bytes(dst, v->bytes, v->n_bytes);
}

static void
print_canonical(void *ctx, const struct decode_value *v)
{
	struct printer *p = ctx;

	if (v->event != DECODE_VALUE)
		return;
	buf_printf(p->dst, "%s=", v->field->name);
	add_value(p->dst, v);
	if (v->warning)
		buf_printf(p->dst, " (WARN: %s)", v->warning);
	buf_add(p->dst, "\n", 1);
}

static bool
is_hidden(const struct decode_value *v)
{
	if (v->field->role != DECODE_RESERVED)
		return false;
	for (size_t i = 0; i < v->n_bytes; i++)
		if (v->bytes[i])
			return false;
	return !v->number;
}

static void
print_row(void *ctx, const struct decode_value *v)
{
	struct printer *p = ctx;
	const char *name;

	if (v->event == DECODE_LIST_BEGIN)
		p->item[v->depth] = 0;
	if (v->event == DECODE_ITEM_BEGIN)
		buf_printf(p->dst, "%4zu    %*s%s %u\n", v->byte, 2 * (int)(v->depth - 1),
			   "", v->field->name, ++p->item[v->depth - 1]);
	if (v->event != DECODE_VALUE || is_hidden(v))
		return;
	if (v->field->type == DECODE_NUMBER && (v->field->width % 8 || v->bit != 7))
		buf_printf(p->dst, "%4zu.%u  ", v->byte, v->bit);
	else
		buf_printf(p->dst, "%4zu    ", v->byte);
	buf_printf(p->dst, "%*s%-*s  ", 2 * (int)v->depth, "", 44 - 2 * (int)v->depth,
		   v->field->name);
	add_value(p->dst, v);
	name = v->field->type == DECODE_NUMBER ? decode_name_of(v->field, v->number)
					       : NULL;
	if (name)
		buf_printf(p->dst, "  %s", name);
	if (v->warning)
		buf_printf(p->dst, "  (%s)", v->warning);
	buf_add(p->dst, "\n", 1);
}

/* "ADDITIONAL LENGTH (n-4)" -> "additional_length" */
static void
add_key(struct buf *dst, const char *name)
{
	buf_add(dst, "\"", 1);
	for (const char *s = name; *s && strncmp(s, " (", 2) != 0; s++)
		buf_printf(dst, "%c",
			   isalnum((unsigned char)*s) ? tolower((unsigned char)*s) : '_');
	buf_add(dst, "\":", 2);
}

static void
json_value(struct printer *p, const struct decode_value *v)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT;

	if (v->field->role == DECODE_RESERVED)
		return;
	if (p->needs_comma)
		buf_add(p->dst, ",", 1);
	p->needs_comma = true;
	add_key(p->dst, v->field->name);
	if (v->field->type == DECODE_NUMBER) {
		buf_printf(p->dst, "%llu", (unsigned long long)v->number);
		return;
	}
	add_value(&text, v);
	buf_json_string(p->dst, buf_str(&text));
}

static void
print_json(void *ctx, const struct decode_value *v)
{
	struct printer *p = ctx;

	switch (v->event) {
	case DECODE_VALUE:
		json_value(p, v);
		return;
	case DECODE_LIST_BEGIN:
		if (p->needs_comma)
			buf_add(p->dst, ",", 1);
		add_key(p->dst, v->field->name);
		buf_add(p->dst, "[", 1);
		p->needs_comma = false;
		return;
	case DECODE_ITEM_BEGIN:
		buf_printf(p->dst, "%s{", p->needs_comma ? "," : "");
		p->needs_comma = false;
		return;
	case DECODE_ITEM_END:
	case DECODE_LIST_END:
		buf_add(p->dst, v->event == DECODE_ITEM_END ? "}" : "]", 1);
		p->needs_comma = true;
		return;
	}
}

void
tool_print(enum tool_format format, const struct decode_layout *layout,
	   const uint8_t *bytes, size_t size, struct buf *dst)
{
	static decode_fn *const printers[] = {[TOOL_TABLE] = print_row,
					      [TOOL_CANONICAL] = print_canonical,
					      [TOOL_JSON] = print_json};
	struct printer p = {.format = format, .dst = dst};

	if (format == TOOL_JSON)
		buf_add(dst, "{", 1);
	decode(layout, bytes, size, printers[format], &p);
	if (format == TOOL_JSON)
		buf_add(dst, "}", 1);
}

void
tool_hex_dump(const uint8_t *bytes, size_t size, struct buf *dst)
{
	for (size_t at = 0; at < size; at += 16) {
		size_t n = MIN((size_t)16, size - at);

		buf_printf(dst, "%08zx  ", at);
		add_bytes(dst, bytes + at, n);
		buf_printf(dst, "%*s  ", (int)(3 * (16 - n)), "");
		add_text(dst, bytes + at, n);
		buf_add(dst, "\n", 1);
	}
}
