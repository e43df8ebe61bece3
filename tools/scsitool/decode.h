/*
 * What a target sent, taken apart by tables. A layout is a row per field, in order, by
 * width: as the standards draw them, most significant bit first. The bytes are not
 * trusted; what is not there is left out, and lengths that say otherwise are cut and
 * warned of.
 */
#ifndef USERDRIVE_TOOLS_SCSITOOL_DECODE_H
#define USERDRIVE_TOOLS_SCSITOOL_DECODE_H

#include "base/compiler.h"

enum decode_type {
	DECODE_NUMBER, /* width in bits, 1..64 */
	DECODE_TEXT,   /* width in bytes; 0: to the end of the item */
	DECODE_BYTES,
	DECODE_AUTO, /* text where it is printable, else bytes */
	DECODE_LIST  /* items, one after the other; width in bytes, 0: to the end */
};
enum decode_role {
	DECODE_PLAIN,
	DECODE_LENGTH, /* so many bytes (and add) follow this field in the item */
	DECODE_SIZE, /* the next field whose width is 0 has so many bytes, times add where
			it is not 0 */
	DECODE_RESERVED /* not shown where it is zero, but in the canonical form */
};

struct decode_layout;
struct decode_name {
	uint64_t value;
	const char *text; /* NULL ends the table */
};
struct decode_field {
	uint8_t type, role;
	uint16_t width;
	const char *name; /* as the standard has it */
	int16_t add;
	const struct decode_name *names;   /* of values; NULL: none */
	const struct decode_layout *items; /* LIST; NULL: pick */
	/* LIST: the layout of the item that begins here, by its first bytes. */
	const struct decode_layout *(*pick)(const uint8_t *item, size_t size);
};
struct decode_layout {
	const struct decode_field *fields;
	size_t n_fields;
};
#define DECODE_LAYOUT(rows)              \
	{                                \
		(rows), ARRAY_SIZE(rows) \
	}

enum decode_event {
	DECODE_VALUE,
	DECODE_LIST_BEGIN,
	DECODE_ITEM_BEGIN,
	DECODE_ITEM_END,
	DECODE_LIST_END
};
struct decode_value {
	enum decode_event event;
	const struct decode_field *field; /* of LIST events: the list's */
	unsigned depth;			  /* of lists around it */
	size_t byte;			  /* where it is, from the start of all */
	unsigned bit;			  /* its most significant one, 7..0 */
	uint64_t number;
	const uint8_t *bytes; /* TEXT, BYTES, AUTO */
	size_t n_bytes;
	const char *warning; /* or NULL */
};
typedef void decode_fn(void *ctx, const struct decode_value *value);

enum { DECODE_DEPTH_MAX = 4 };
void decode(const struct decode_layout *layout, const uint8_t *bytes, size_t size,
	    decode_fn *fn, void *ctx);
/* The text of a number, or NULL. */
const char *decode_name_of(const struct decode_field *field, uint64_t number);

#endif
