/*
 * What a hostile target sends, taken apart and printed: the first byte chooses the
 * layout, the rest is the answer. Each form is made; fields lie inside the answer; JSON
 * has balanced brackets.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tools/disk/client.h"
#include "tools/scsitool/layouts.h"
#include "tools/scsitool/tool.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct decode_layout *const layouts[] = {
#define X(name) &layout_##name,
	SCSITOOL_LAYOUTS(X)
#undef X
};

struct bounds {
	const uint8_t *bytes;
	size_t size;
	int lists, items;
};

static void
check(void *ctx, const struct decode_value *v)
{
	struct bounds *b = ctx;

	assert(v->byte <= b->size && v->bit <= 7 && v->depth <= DECODE_DEPTH_MAX);
	if (v->bytes)
		assert(v->bytes >= b->bytes &&
		       v->n_bytes <= b->size - (size_t)(v->bytes - b->bytes));
	b->lists += (v->event == DECODE_LIST_BEGIN) - (v->event == DECODE_LIST_END);
	b->items += (v->event == DECODE_ITEM_BEGIN) - (v->event == DECODE_ITEM_END);
	assert(b->lists >= 0 && b->items >= 0 && b->items <= b->lists);
}

static void
check_json(const char *s)
{
	int depth = 0;
	bool quoted = false;

	for (; *s; s++) {
		if (quoted && *s == '\\' && s[1])
			s++;
		else if (*s == '"')
			quoted = !quoted;
		else if (!quoted)
			depth += (*s == '{' || *s == '[') - (*s == '}' || *s == ']');
	}
	assert(depth == 0 && !quoted);
}

static void
sense(const uint8_t *bytes, size_t size)
{
	struct disk_outcome out = {.status = 0x02,
				   .n_sense = (uint8_t)MIN(size, (size_t)DISK_SENSE_MAX)};
	char text[640];

	memcpy(out.sense, bytes, out.n_sense);
	disk_outcome_format(NULL, &out, text, sizeof(text));
	assert(strlen(text) < sizeof(text));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct decode_layout *layout;
	struct bounds b = {0};
	uint8_t *bytes;

	if (!size || size > 65536)
		return 0;
	layout = layouts[data[0] % ARRAY_SIZE(layouts)];
	bytes = malloc(size); /* its end is the answer's: what reads beyond is seen */
	if (!bytes)
		return 0;
	memcpy(bytes, data + 1, size - 1);
	b.bytes = bytes;
	b.size = size - 1;
	decode(layout, bytes, size - 1, check, &b);
	assert(!b.lists && !b.items);
	for (int format = TOOL_TABLE; format <= TOOL_JSON; format++) {
		CLEANUP(buf_fini) struct buf text = BUF_INIT;

		tool_print((enum tool_format)format, layout, bytes, size - 1, &text);
		if (format == TOOL_JSON)
			check_json(buf_str(&text));
	}
	sense(bytes, size - 1);
	free(bytes);
	return 0;
}
