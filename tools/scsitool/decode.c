#include <string.h>

#include "tools/scsitool/decode.h"

struct cursor {
	const uint8_t *bytes;
	size_t bit, end;  /* in bits, bytes, from the start of all */
	size_t size_said; /* by DECODE_SIZE; SIZE_MAX: nothing */
	unsigned depth;
	decode_fn *fn;
	void *ctx;
};

static void decode_item(struct cursor *c, const struct decode_layout *layout);

const char *
decode_name_of(const struct decode_field *field, uint64_t number)
{
	const struct decode_name *n = field->names;

	while (n && n->text) {
		if (n->value == number)
			return n->text;
		n++;
	}
	return NULL;
}

static uint64_t
take_number(struct cursor *c, unsigned width)
{
	uint64_t v = 0;
	size_t left = c->end * 8 - c->bit;

	for (width = (unsigned)MIN((size_t)width, left); width; width--, c->bit++)
		v = v << 1 | (c->bytes[c->bit / 8] >> (7 - c->bit % 8) & 1);
	return v;
}

/* Bytes that the item is said to have from here on. */
static const char *
cut(struct cursor *c, uint64_t n, int add)
{
	size_t at = (c->bit + 7) / 8, left = c->end - at;
	uint64_t want;

	if (add < 0 ? n < (uint64_t)-add : add_overflows(n, (uint64_t)add, &want))
		return "a length that cannot be";
	want = n + (uint64_t)add;
	if (want > left)
		return "data buffer length mismatch";
	c->end = at + (size_t)want;
	return NULL;
}

static void
number(struct cursor *c, const struct decode_field *f, struct decode_value *v)
{
	uint64_t bytes;

	v->number = take_number(c, f->width);
	if (f->role == DECODE_LENGTH)
		v->warning = cut(c, v->number, f->add);
	if (f->role == DECODE_SIZE) {
		if (mul_overflows(v->number, (uint64_t)(f->add ? f->add : 1), &bytes))
			bytes = SIZE_MAX - 1;
		c->size_said = bytes >= SIZE_MAX ? SIZE_MAX - 1 : (size_t)bytes;
	}
	if (f->role == DECODE_RESERVED && v->number && strcmp(f->name, "Reserved") == 0)
		v->warning = "non-zero reserved value";
	c->fn(c->ctx, v);
}

/* Where a field of bytes ends; what DECODE_SIZE said is used up. */
static size_t
extent(struct cursor *c, const struct decode_field *f)
{
	size_t at = c->bit / 8, n = f->width;

	if (!n) {
		n = c->size_said;
		c->size_said = SIZE_MAX;
	}
	return at + MIN(n, c->end - at);
}

static void
list(struct cursor *c, const struct decode_field *f, struct decode_value *v)
{
	size_t outer_end = c->end, list_end = extent(c, f);

	if (c->depth == DECODE_DEPTH_MAX)
		return;
	v->event = DECODE_LIST_BEGIN;
	c->fn(c->ctx, v);
	c->depth++;
	while (c->bit / 8 < list_end) {
		size_t at = c->bit / 8;
		const struct decode_layout *items =
			f->items ? f->items : f->pick(c->bytes + at, list_end - at);
		struct decode_value item = {.event = DECODE_ITEM_BEGIN,
					    .field = f,
					    .depth = c->depth,
					    .byte = at,
					    .bit = 7};

		c->end = list_end;
		c->size_said = SIZE_MAX;
		c->fn(c->ctx, &item);
		decode_item(c, items);
		item.event = DECODE_ITEM_END;
		c->fn(c->ctx, &item);
		/* Its length may say more than its fields; an item of no bytes would
		 * never end. */
		c->bit = (c->end < list_end ? c->end : ALIGN_UP(c->bit, (size_t)8) / 8) *
			 8;
		if (c->bit / 8 <= at)
			break;
	}
	c->depth--;
	c->end = outer_end;
	c->bit = MAX(c->bit, list_end * 8);
	c->size_said = SIZE_MAX;
	v->event = DECODE_LIST_END;
	c->fn(c->ctx, v);
}

static void
field(struct cursor *c, const struct decode_field *f)
{
	struct decode_value v = {.event = DECODE_VALUE, .field = f, .depth = c->depth};
	size_t end;

	if (f->type != DECODE_NUMBER)
		c->bit = ALIGN_UP(c->bit, (size_t)8);
	v.byte = c->bit / 8;
	v.bit = 7 - c->bit % 8;
	if (f->type == DECODE_NUMBER) {
		number(c, f, &v);
	} else if (f->type == DECODE_LIST) {
		list(c, f, &v);
	} else {
		end = extent(c, f);
		v.bytes = c->bytes + v.byte;
		v.n_bytes = end - v.byte;
		c->bit = end * 8;
		c->fn(c->ctx, &v);
	}
}

static void
decode_item(struct cursor *c, const struct decode_layout *layout)
{
	for (size_t i = 0; i < layout->n_fields && c->bit < c->end * 8; i++)
		field(c, &layout->fields[i]);
}

void
decode(const struct decode_layout *layout, const uint8_t *bytes, size_t size,
       decode_fn *fn, void *ctx)
{
	struct cursor c = {bytes, 0, size, SIZE_MAX, 0, fn, ctx};

	decode_item(&c, layout);
}
