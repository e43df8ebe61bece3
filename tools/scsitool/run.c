/* The commands that are more than a CDB and a table. */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/endian.h"
#include "base/os/posix/runtime_dir.h"
#include "tools/scsitool/layouts.h"
#include "tools/scsitool/tool.h"

enum { RAW_MAX = 16 << 20 };

int
tool_run_vpd(struct tool *t)
{
	return tool_command_in(t, t->command->size, layout_of_vpd(t->cdb[2]));
}

/* SPC-4 6.35: reporting options 1 is an opcode without service actions, 2 one with. */
int
tool_run_opcode(struct tool *t)
{
	t->cdb[2] = tool_said(t, "action") ? 2 : 1;
	return tool_command_in(t, t->command->size, t->command->layout);
}

/* Blocks that go out with a CDB: how many, by opcode. */
int
tool_run_data_out(struct tool *t)
{
	const char *data = tool_word(t, "data");
	uint64_t n = tool_value(t, "count");
	uint32_t length = disk_geometry(t->disk)->block_length;
	CLEANUP(free_ptr) void *bytes = NULL;
	int code;

	if (t->cdb[0] == 0x8f && data)
		t->cdb[1] |= 1 << 1; /* VERIFY: BYTCHK 01b */
	else if (t->cdb[0] == 0x8f || t->cdb[1] & 1)
		n = 0;
	else if (t->cdb[0] == 0x93)
		n = 1;
	else if (t->cdb[0] == 0x89)
		n *= 2;
	if (mul_overflows(n, length, &n) || n > RAW_MAX)
		return tool_fail(TOOL_USAGE, "more than %d bytes at once", RAW_MAX);
	bytes = disk_alloc(n);
	if (!bytes)
		return tool_fail(TOOL_FAILED, "out of memory");
	code = n ? tool_load(data ? data : "zero", bytes, n) : TOOL_OK;
	return code ? code : tool_command_out(t, bytes, (size_t)n);
}

static int
io_piece(struct tool *t, struct disk_req *req)
{
	struct disk_outcome out = disk_io(t->disk, req);

	return disk_good(&out) ? TOOL_OK : tool_say_outcome(t, &out);
}

/* Reads the range in pieces that the disk takes; to a file, or in hexadecimal. */
static int
read_blocks(struct tool *t, const struct disk_geometry *g, struct disk_req *req,
	    uint64_t count)
{
	const char *name = tool_word(t, "file");
	FILE *file = name && strcmp(name, "-") != 0 ? fopen(name, "we") : stdout;
	CLEANUP(buf_fini) struct buf dump = BUF_INIT;
	int code = TOOL_OK;

	if (!file)
		return tool_fail(TOOL_FAILED, "%s: %s", name, strerror(errno));
	while (!code && count) {
		req->n_blocks = (uint32_t)MIN(
			count, (uint64_t)(g->max_transfer / g->block_length));
		code = io_piece(t, req);
		if (code)
			break;
		if (name && fwrite(req->data, g->block_length, req->n_blocks, file) !=
				    req->n_blocks)
			code = tool_fail(TOOL_FAILED, "%s: %s", name, strerror(errno));
		if (!name)
			tool_hex_dump(req->data, (size_t)req->n_blocks * g->block_length,
				      &dump);
		req->lba += req->n_blocks;
		count -= req->n_blocks;
	}
	if (!name)
		fputs(buf_str(&dump), stdout);
	if (file != stdout && fclose(file) != 0 && !code)
		code = tool_fail(TOOL_FAILED, "%s: %s", name, strerror(errno));
	return code;
}

static int
write_blocks(struct tool *t, const struct disk_geometry *g, struct disk_req *req,
	     uint64_t count)
{
	uint32_t step = g->max_transfer / g->block_length;
	int code = tool_load(tool_word(t, "data"), req->data,
			     (size_t)count * g->block_length);
	char *data = req->data;

	req->fua = tool_value(t, "fua");
	for (; !code && count; count -= req->n_blocks, req->lba += req->n_blocks) {
		req->data = data;
		req->n_blocks = (uint32_t)MIN(count, (uint64_t)step);
		code = io_piece(t, req);
		data += (size_t)req->n_blocks * g->block_length;
	}
	return code;
}

static int
change_blocks(struct tool *t, const struct disk_geometry *g, enum disk_kind kind,
	      uint64_t count)
{
	struct disk_range range = {tool_value(t, "lba"), (uint32_t)count, 0};
	struct disk_req req = {.kind = kind,
			       .lba = range.lba,
			       .n_blocks = (uint32_t)count,
			       .ranges = &range,
			       .n_ranges = 1};
	size_t size =
		kind == DISK_READ ? g->max_transfer : (size_t)count * g->block_length;
	CLEANUP(free_ptr) void *data = disk_alloc(kind <= DISK_WRITE ? size : 1);
	int code;

	if (!data)
		return tool_fail(TOOL_FAILED, "out of memory");
	req.data = data;
	if (kind == DISK_READ)
		return read_blocks(t, g, &req, count);
	code = kind == DISK_WRITE ? write_blocks(t, g, &req, count) : io_piece(t, &req);
	if (!code)
		tool_say_good(t, 0);
	return code;
}

/* Block requests, by any way in. */
int
tool_run_io(struct tool *t)
{
	static const struct {
		const char *name;
		enum disk_kind kind;
	} kinds[] = {{"read", DISK_READ},
		     {"write", DISK_WRITE},
		     {"sync", DISK_FLUSH},
		     {"unmap", DISK_UNMAP}};
	const struct disk_geometry *g = disk_geometry(t->disk);
	uint64_t count = tool_value(t, "count");

	if (count > UINT32_MAX ||
	    (strcmp(t->command->name, "write") == 0 && count > RAW_MAX / g->block_length))
		return tool_fail(TOOL_USAGE, "%llu blocks are too many at once",
				 (unsigned long long)count);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i].name, t->command->name) == 0)
			return change_blocks(t, g, kinds[i].kind, count);
	return TOOL_USAGE;
}

/* Where a name leads: what its way in would open. */
int
tool_run_devpath(struct tool *t)
{
	static const char pipe[] = "\\\\.\\pipe\\";
	char dir[PATH_MAX], path[PATH_MAX];
	const char *s = t->target;
	int err;

	if (strncasecmp(s, "iscsi://", 8) == 0) {
		printf("%s\n", s);
		return TOOL_OK;
	}
	if (strncasecmp(s, pipe, strlen(pipe)) == 0) {
		err = runtime_dir(dir, sizeof(dir));
		if (err)
			return tool_fail(TOOL_NO_DEVICE, "the runtime directory: %s",
					 strerror(-err));
		snprintf(path, sizeof(path), "%s", s + strlen(pipe));
		for (char *p = path; *p; p++)
			*p = *p == '\\' ? '/' : *p;
		printf("%s/pipe/%s%s\n", dir, path, strchr(path, '/') ? "" : "/0");
		return TOOL_OK;
	}
	if (!realpath(s, path))
		return tool_fail(TOOL_NO_DEVICE, "%s: %s", s, strerror(errno));
	printf("%s\n", path);
	return TOOL_OK;
}

int
tool_run_reset(struct tool *t)
{
	const char *what = tool_word(t, "what");
	struct disk_error error;
	bool target = what && strcmp(what, "target") == 0;

	if (what && !target && strcmp(what, "lun") != 0)
		return tool_fail(TOOL_USAGE, "what=lun or what=target");
	if (disk_reset(t->disk, target ? DISK_RESET_TARGET : DISK_RESET_LUN, &error) != 0)
		return tool_fail(TOOL_NO_DEVICE, "%s", error.text);
	tool_say_good(t, 0);
	return TOOL_OK;
}

/* SBC-3 5.33; an overwrite has a parameter list: once, with a pattern of four zero bytes.
 */
int
tool_run_sanitize(struct tool *t)
{
	static const struct {
		const char *name;
		uint8_t action;
	} actions[] = {{"overwrite", 1},
		       {"block-erase", 2},
		       {"crypto-erase", 3},
		       {"exit", 0x1f}};
	uint8_t list[8] = {1, 0, 0, 4};
	const char *action = tool_word(t, "action");
	struct disk_cdb c = {.n_cdb = 10, .data = list, .timeout_ms = 24 * 3600 * 1000};
	int code;

	c.cdb[0] = 0x48;
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (strcmp(actions[i].name, action) == 0)
			c.cdb[1] = actions[i].action;
	if (!c.cdb[1])
		return tool_fail(TOOL_USAGE,
				 "action=block-erase, overwrite, crypto-erase or exit");
	if (c.cdb[1] == 1) {
		c.cdb[8] = sizeof(list);
		c.n_data = sizeof(list);
		c.direction = DISK_OUT;
	}
	c.cdb[1] |= tool_value(t, "immed") ? 0x80 : 0;
	code = tool_execute(t, &c);
	if (!code)
		tool_say_good(t, c.out.status);
	return code;
}

/* Words that are a CDB. */
int
tool_run_raw(struct tool *t)
{
	CLEANUP(buf_fini) struct buf words = BUF_INIT;
	CLEANUP(free_ptr) void *data = NULL;
	uint64_t in = tool_value(t, "in"), n = tool_value(t, "n");
	const char *out = tool_word(t, "out");
	ssize_t n_cdb;
	int code = TOOL_OK;

	for (int i = 0; i < t->n_rest; i++)
		buf_printf(&words, "%s ", t->rest[i]);
	n_cdb = tool_parse_hex(buf_str(&words), t->cdb, sizeof(t->cdb));
	if (n_cdb < 6)
		return tool_fail(TOOL_USAGE, "a CDB has 6 to 16 bytes in hexadecimal: "
					     "raw DEVICE 12 00 00 00 24 "
					     "00 in=36");
	if (in > RAW_MAX || n > RAW_MAX || (in && out) || (!out && n))
		return tool_fail(TOOL_USAGE, "in=BYTES, or out=DATA n=BYTES; at most %d",
				 RAW_MAX);
	data = disk_alloc(in + n);
	if (!data)
		return tool_fail(TOOL_FAILED, "out of memory");
	if (out)
		code = tool_load(out, data, (size_t)n);
	if (!code) {
		struct disk_cdb c = {.n_cdb = (uint8_t)n_cdb,
				     .data = data,
				     .n_data = (uint32_t)(in + n),
				     .direction = in  ? DISK_IN
						  : n ? DISK_OUT
						      : DISK_NONE};
		CLEANUP(buf_fini) struct buf dump = BUF_INIT;

		memcpy(c.cdb, t->cdb, sizeof(c.cdb));
		code = tool_execute(t, &c);
		if (!code && !in)
			tool_say_good(t, c.out.status);
		if (!code && in && t->format == TOOL_JSON)
			tool_print(t->format, &layout_bytes, data, c.n_done, &dump);
		else if (!code && in)
			tool_hex_dump(data, c.n_done, &dump);
		fputs(buf_str(&dump), stdout);
		if (t->format == TOOL_JSON && in && !code)
			printf("\n");
	}
	return code;
}

struct change {
	const char
		*name; /* of the field, with '_' or '-' for what is no letter or digit */
	size_t n_name;
	uint64_t value;
	uint8_t *bytes; /* of the mode data */
	int n_found;
	bool fits;
};

static bool
same_name(const char *field, const char *word, size_t n)
{
	size_t i;

	for (i = 0; i < n && field[i]; i++) {
		bool other = !isalnum((unsigned char)field[i]);

		if (other ? isalnum((unsigned char)word[i])
			  : tolower((unsigned char)field[i]) !=
				    tolower((unsigned char)word[i]))
			return false;
	}
	return i == n && !field[i];
}

static void
change_field(void *ctx, const struct decode_value *v)
{
	struct change *c = ctx;
	size_t bit = v->byte * 8 + (7 - v->bit);

	/* The header, the code and the length of a page are not to be changed. */
	if (v->event != DECODE_VALUE || v->depth != 1 ||
	    v->field->type != DECODE_NUMBER || v->field->role == DECODE_LENGTH ||
	    !same_name(v->field->name, c->name, c->n_name))
		return;
	c->n_found++;
	c->fits = v->field->width == 64 || c->value >> v->field->width == 0;
	for (unsigned i = 0; c->fits && i < v->field->width; i++) {
		uint8_t *byte = &c->bytes[(bit + i) / 8],
			mask = (uint8_t)(0x80 >> (bit + i) % 8);

		*byte = (uint8_t)(c->value >> (v->field->width - 1 - i) & 1
					  ? *byte | mask
					  : *byte & ~mask);
	}
}

static int
change_fields(struct tool *t, uint8_t *data, size_t size)
{
	for (int i = 0; i < t->n_rest; i++) {
		const char *word = t->rest[i];
		size_t n = strcspn(word, "=");
		struct change c = {.name = word, .n_name = n, .bytes = data};

		if (!word[n] || !tool_parse_number(word + n + 1, UINT64_MAX, &c.value))
			return tool_fail(TOOL_USAGE, "%s: not FIELD=NUMBER", word);
		decode(&layout_mode10, data, size, change_field, &c);
		if (c.n_found != 1)
			return tool_fail(
				TOOL_USAGE, "%s: %s", word,
				c.n_found
					? "more than one page has that field; add page=N"
					: "no such field in this page (mode-sense shows "
					  "them)");
		if (!c.fits)
			return tool_fail(TOOL_USAGE,
					 "%s: the field is narrower than that", word);
	}
	return TOOL_OK;
}

/* SPC-4 6.14: what MODE SENSE gave goes back with changes; its length is reserved, and PS
 * is. */
int
tool_run_mode_select(struct tool *t)
{
	uint8_t data[4096];
	uint64_t page = tool_value(t, "page");
	struct disk_cdb sense = {.cdb = {0x5a, 8, (uint8_t)page, [7] = 0x10},
				 .n_cdb = 10,
				 .data = data,
				 .n_data = sizeof(data),
				 .direction = DISK_IN};
	struct disk_cdb change = {
		.cdb = {0x55, 0x10}, .n_cdb = 10, .data = data, .direction = DISK_OUT};
	size_t size;
	int code;

	if (!t->n_rest || page > 0x3f)
		return tool_fail(TOOL_USAGE, "mode-select DEVICE page=8 WCE=0");
	memset(data, 0, sizeof(data));
	code = tool_execute(t, &sense);
	size = MIN((size_t)sense.n_done, get_be16(data) + 2u);
	if (!code && size < 12)
		code = tool_fail(TOOL_NO_DEVICE, "MODE SENSE returned %zu bytes", size);
	if (!code)
		code = change_fields(t, data, size);
	if (code)
		return code;
	put_be16(data, 0);
	data[3] = 0;
	for (size_t at = 8u + get_be16(data + 6); at + 2 < size;) {
		size_t n = data[at] & 0x40 ? 4u + get_be16(data + at + 2)
					   : 2u + data[at + 1];

		data[at] &= 0x7f;
		at += n;
	}
	change.cdb[1] |= tool_value(t, "sp") ? 1 : 0;
	put_be16(change.cdb + 7, (uint16_t)size);
	change.n_data = (uint32_t)size;
	code = tool_execute(t, &change);
	if (!code)
		tool_say_good(t, change.out.status);
	return code;
}

/* The logical unit's own designator of VPD 83h, type NAA: SPC-4 6.4.5.1 names it in the
 * copy. */
static int
own_designator(struct tool *t, uint8_t dst[20])
{
	uint8_t data[255] = {0};
	struct disk_cdb c = {.cdb = {0x12, 1, 0x83, 0, 255},
			     .n_cdb = 6,
			     .data = data,
			     .n_data = sizeof(data),
			     .direction = DISK_IN};
	int code = tool_execute(t, &c);
	size_t end = MIN((size_t)c.n_done, 4u + get_be16(data + 2));

	if (code)
		return code;
	for (size_t at = 4; at + 4 <= end && at + 4 + data[at + 3] <= end;
	     at += 4u + data[at + 3])
		if ((data[at + 1] & 0x3f) == 0x03 && data[at + 3] <= 16) {
			memcpy(dst, data + at, 4u + data[at + 3]);
			return TOOL_OK;
		}
	return tool_fail(TOOL_NO_DEVICE,
			 "the unit has no NAA designator in VPD page 83h");
}

/* EXTENDED COPY (LID1), SPC-4 6.4: one identification descriptor, one segment of type
 * 02h. */
int
tool_run_copy(struct tool *t)
{
	uint8_t list[16 + 32 + 28] = {0}, *target = list + 16, *segment = list + 48;
	struct disk_cdb c = {.cdb = {0x83, 0, [13] = sizeof(list)},
			     .n_cdb = 16,
			     .data = list,
			     .n_data = sizeof(list),
			     .direction = DISK_OUT};
	uint64_t count = tool_value(t, "count");
	int code;

	if (!count || count > UINT16_MAX)
		return tool_fail(TOOL_USAGE, "count=1 to 65535 blocks");
	code = own_designator(t, target + 4);
	if (code)
		return code;
	list[0] = 1; /* list identifier */
	put_be16(list + 2, 32);
	put_be32(list + 8, 28);
	target[0] = 0xe4;
	target[28] = 0; /* direct access */
	put_be24(target + 29, disk_geometry(t->disk)->block_length);
	segment[0] = 0x02;
	segment[1] = 0x02; /* DC: the number of blocks is counted at the destination */
	put_be16(segment + 2, 24);
	put_be16(segment + 10, (uint16_t)count);
	put_be64(segment + 12, tool_value(t, "from"));
	put_be64(segment + 20, tool_value(t, "to"));
	code = tool_execute(t, &c);
	if (!code)
		tool_say_good(t, c.out.status);
	return code;
}
