/*
 * Mode parameters: MODE SENSE and MODE SELECT. SPC-4 7.5, SBC-3 6.5.
 *
 * A page is a row: its bytes as they never change. What changes is a second table of single bits,
 * each tied to a member of struct scsi_mode_values. Nothing can be saved, so "saved values" is an
 * error and PS is 0.
 */
#include "scsi/mode_priv.h"

#include <string.h>

enum {
	PAGE_SIZE_MAX = 20,
	PAGES_SIZE_MAX = 8 * PAGE_SIZE_MAX,
	HEADER_6 = 4,
	HEADER_10 = 8,
	DESCRIPTOR_SHORT = 8,
	DESCRIPTOR_LONG = 16,
	ALL_PAGES = 0x3f,
	ALL_SUBPAGES = 0xff,
};

/* PAGE CONTROL, SPC-4 table 162 */
enum { PC_CURRENT, PC_CHANGEABLE, PC_DEFAULT, PC_SAVED };

struct mode_page {
	uint8_t size;
	uint8_t bytes[PAGE_SIZE_MAX];
};

/* In order of page code. Byte 1 is the PAGE LENGTH. */
static const struct mode_page pages[] = {
	{12, {0x01, 10}}, /* read-write error recovery: the program recovers as it likes */
	{16, {0x02, 14}}, /* disconnect-reconnect: no limit of its own */
	{20, {0x08, 18}}, /* caching */
	/* control: GLTSD (logs are not saved), unrestricted reordering */
	{12, {0x0a, 10, 0x02, 0x10}},
	{12, {0x1c, 10, 0x08}}, /* informational exceptions: DEXCPT, there are none */
};

struct mode_bit {
	uint8_t page, byte, bit;
	size_t member; /* bool of struct scsi_mode_values */
	bool (*can_change)(const struct scsi_unit_params *p); /* NULL: always */
};

static bool
has_cache(const struct scsi_unit_params *p)
{
	return p->cache_supported;
}

static const struct mode_bit bits[] = {
	{0x08, 2, 2, offsetof(struct scsi_mode_values, wce), has_cache},
	{0x0a, 2, 2, offsetof(struct scsi_mode_values, d_sense), NULL},
	{0x0a, 4, 3, offsetof(struct scsi_mode_values, swp), NULL},
};

static bool *
member_of(struct scsi_mode_values *values, const struct mode_bit *b)
{
	return (bool *)((uint8_t *)values + b->member);
}

static struct scsi_mode_values
default_values(const struct scsi_lu *lu)
{
	return (struct scsi_mode_values){.wce = scsi_unit_params(lu->unit)->cache_supported};
}

void
scsi_mode_reset_locked(struct scsi_lu *lu)
{
	lu->mode = default_values(lu);
}

/* ---------------------------------------------------------------- pages */

/* The page with these values; changeable: its mask of bits instead. */
static void
fill_page(const struct scsi_lu *lu, const struct mode_page *page, bool changeable,
	  struct scsi_mode_values values, uint8_t *dst)
{
	const struct scsi_unit_params *p = scsi_unit_params(lu->unit);

	memcpy(dst, page->bytes, changeable ? 2 : page->size);
	if (changeable)
		memset(dst + 2, 0, page->size - 2u);
	else if (page->bytes[0] == 0x08 && !p->cache_supported)
		dst[2] |= 0x01; /* RCD */
	for (size_t i = 0; i < ARRAY_SIZE(bits); i++) {
		const struct mode_bit *b = &bits[i];
		bool can = !b->can_change || b->can_change(p);

		if (b->page == page->bytes[0] && (changeable ? can : *member_of(&values, b)))
			dst[b->byte] |= (uint8_t)(1u << b->bit);
	}
}

static const struct mode_page *
find_page(unsigned code)
{
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++)
		if (pages[i].bytes[0] == code)
			return &pages[i];
	return NULL;
}

/* ---------------------------------------------------------------- MODE SENSE */

static bool
is_10(const struct scsi_task *task)
{
	return task->cdb[0] >= 0x20;
}

static struct scsi_result
sense_check(struct scsi_task *task)
{
	unsigned code = task->cdb[2] & 0x3f, subpage = task->cdb[3];

	if (task->cdb[2] >> 6 == PC_SAVED)
		return scsi_sense(SENSE_SAVING_NOT_SUPPORTED);
	if (code != ALL_PAGES && !find_page(code))
		return scsi_bad_cdb(2, 5);
	if (subpage != 0 && subpage != ALL_SUBPAGES)
		return scsi_bad_cdb(3, SCSI_FIELD_BYTE);
	return scsi_good();
}

/* SBC-3 6.5.2: short, or with LLBAA long; returns its size */
static size_t
fill_descriptor(const struct scsi_lu *lu, bool is_long, uint8_t *dst)
{
	uint64_t n_blocks = scsi_unit_n_blocks(lu->unit);
	uint32_t length = scsi_unit_params(lu->unit)->block_length;

	if (is_long) {
		put_be64(dst, n_blocks);
		put_be32(dst + 12, length);
		return DESCRIPTOR_LONG;
	}
	put_be32(dst, (uint32_t)MIN(n_blocks, (uint64_t)UINT32_MAX));
	put_be24(dst + 5, length);
	return DESCRIPTOR_SHORT;
}

static size_t
fill_pages(const struct scsi_lu *lu, unsigned code, unsigned control,
	   struct scsi_mode_values current, uint8_t *dst)
{
	struct scsi_mode_values values = control == PC_DEFAULT ? default_values(lu) : current;
	size_t at = 0;

	for (size_t i = 0; i < ARRAY_SIZE(pages); i++)
		if (code == ALL_PAGES || code == pages[i].bytes[0]) {
			fill_page(lu, &pages[i], control == PC_CHANGEABLE, values, dst + at);
			at += pages[i].size;
		}
	return at;
}

static uint8_t
device_specific(const struct scsi_lu *lu, struct scsi_mode_values values)
{
	const struct scsi_unit_params *p = scsi_unit_params(lu->unit);

	/* WP, DPOFUA: SBC-3 table 171. The commands take both bits on every unit: without a cache each
	 * write is durable anyway. */
	return (p->write_protected || values.swp ? 0x80 : 0) | 0x10;
}

static struct scsi_mode_values
current_values(struct scsi_lu *lu)
{
	struct scsi_mode_values values;

	mutex_lock(&lu->lock);
	values = lu->mode;
	mutex_unlock(&lu->lock);
	return values;
}

static struct scsi_result
sense_run(struct scsi_task *task)
{
	uint8_t data[HEADER_10 + DESCRIPTOR_LONG + PAGES_SIZE_MAX] = {0};
	struct scsi_lu *lu = task->lu;
	struct scsi_mode_values values = current_values(lu);
	bool ten = is_10(task), is_long = ten && (task->cdb[1] & 0x10);
	size_t header = ten ? HEADER_10 : HEADER_6, n = 0;

	if (!(task->cdb[1] & 0x08))
		n = fill_descriptor(lu, is_long, data + header);
	data[ten ? 3 : 2] = device_specific(lu, values);
	data[ten ? 7 : 3] = (uint8_t)n;
	if (ten && is_long && n > 0)
		data[4] = 0x01; /* LONGLBA */
	n += header;
	n += fill_pages(lu, task->cdb[2] & 0x3f, task->cdb[2] >> 6, values, data + n);
	if (ten)
		put_be16(data, (uint16_t)(n - 2));
	else
		data[0] = (uint8_t)(n - 1);
	return scsi_task_reply(task, data, n);
}

/* ---------------------------------------------------------------- MODE SELECT */

static struct scsi_result
select_check(struct scsi_task *task)
{
	if (task->cdb[1] & 0x01)
		return scsi_bad_cdb(1, 0); /* SP: nothing can be saved */
	/* PF 0: parameters in a form that only the vendor knows, which is none */
	if (!(task->cdb[1] & 0x10) && task->n_transfer > 0)
		return scsi_bad_cdb(1, 4);
	return scsi_good();
}

/* The medium is as it is: 0 blocks or the most there can be stand for "unchanged". */
static struct scsi_result
select_descriptor(const struct scsi_lu *lu, const uint8_t *list, size_t at, bool is_long)
{
	uint64_t most = is_long ? UINT64_MAX : UINT32_MAX;
	uint64_t n_blocks = is_long ? get_be64(list + at) : get_be32(list + at);
	uint32_t length = is_long ? get_be32(list + at + 12) : get_be24(list + at + 5);

	if (n_blocks != 0 && n_blocks != most && n_blocks != scsi_unit_n_blocks(lu->unit))
		return scsi_bad_parameter((unsigned)at, SCSI_FIELD_BYTE);
	if (length != scsi_unit_params(lu->unit)->block_length)
		return scsi_bad_parameter((unsigned)at + (is_long ? 12 : 5), SCSI_FIELD_BYTE);
	return scsi_good();
}

static unsigned
top_bit(uint8_t byte)
{
	unsigned bit = 7;

	while (!(byte >> bit & 1))
		bit--;
	return bit;
}

/* One page of the list: only changeable bits may differ from what MODE SENSE shows. */
static struct scsi_result
select_page(const struct scsi_lu *lu, const struct mode_page *page, const uint8_t *list, size_t at,
	    struct scsi_mode_values *values)
{
	uint8_t now[PAGE_SIZE_MAX], mask[PAGE_SIZE_MAX];

	fill_page(lu, page, false, *values, now);
	fill_page(lu, page, true, *values, mask);
	for (unsigned i = 2; i < page->size; i++) {
		uint8_t wrong = (uint8_t)((list[at + i] ^ now[i]) & ~mask[i]);

		if (wrong)
			return scsi_bad_parameter((unsigned)at + i, top_bit(wrong));
	}
	for (size_t i = 0; i < ARRAY_SIZE(bits); i++)
		if (bits[i].page == page->bytes[0])
			*member_of(values, &bits[i]) =
				list[at + bits[i].byte] >> bits[i].bit & 1;
	return scsi_good();
}

static struct scsi_result
select_pages(const struct scsi_lu *lu, const uint8_t *list, size_t size, size_t at,
	     struct scsi_mode_values *values)
{
	while (at < size) {
		const struct mode_page *page = find_page(list[at] & 0x3f);
		struct scsi_result res;

		if (list[at] & 0xc0) /* PS is MODE SENSE's, SPF: there are no subpages */
			return scsi_bad_parameter((unsigned)at, top_bit(list[at] & 0xc0));
		if (!page)
			return scsi_bad_parameter((unsigned)at, 5);
		if (size - at < 2)
			return scsi_sense(SENSE_PARAMETER_LIST_LENGTH);
		if (list[at + 1] != page->bytes[1])
			return scsi_bad_parameter((unsigned)at + 1, SCSI_FIELD_BYTE);
		if (size - at < page->size)
			return scsi_sense(SENSE_PARAMETER_LIST_LENGTH);
		res = select_page(lu, page, list, at, values);
		if (!scsi_ok(res))
			return res;
		at += page->size;
	}
	return scsi_good();
}

struct scsi_result
scsi_mode_parse(const struct scsi_lu *lu, bool ten, const uint8_t *list, size_t size,
		struct scsi_mode_values *values)
{
	size_t header = ten ? HEADER_10 : HEADER_6, n;
	bool is_long;
	struct scsi_result res;

	if (size == 0)
		return scsi_good(); /* SPC-4 6.10: not an error */
	if (size < header)
		return scsi_sense(SENSE_PARAMETER_LIST_LENGTH);
	if (list[ten ? 2 : 1] != 0)
		return scsi_bad_parameter(ten ? 2 : 1, SCSI_FIELD_BYTE); /* MEDIUM TYPE */
	is_long = ten && (list[4] & 0x01);
	n = ten ? get_be16(list + 6) : list[3];
	if (n != 0 && n != (is_long ? DESCRIPTOR_LONG : DESCRIPTOR_SHORT))
		return scsi_bad_parameter(ten ? 6 : 3, SCSI_FIELD_BYTE);
	if (n > size - header)
		return scsi_sense(SENSE_PARAMETER_LIST_LENGTH);
	if (n > 0) {
		res = select_descriptor(lu, list, header, is_long);
		if (!scsi_ok(res))
			return res;
	}
	return select_pages(lu, list, size, header + n, values);
}

/* SBC-3 6.5.5: what is in the cache goes to the medium when the cache is turned off. */
static struct scsi_result
flush_after(struct scsi_task *task, struct scsi_mode_values now, struct scsi_mode_values next)
{
	struct scsi_io io = {.kind = SCSI_IO_FLUSH, .checked = true};

	return now.wce && !next.wce ? scsi_unit_io(task->lu->unit, &io) : scsi_good();
}

static bool
values_equal(const struct scsi_mode_values *a, const struct scsi_mode_values *b)
{
	return a->swp == b->swp && a->d_sense == b->d_sense && a->wce == b->wce;
}

static struct scsi_result
select_run(struct scsi_task *task)
{
	struct scsi_lu *lu = task->lu;
	struct scsi_mode_values now = current_values(lu), next = now;
	const uint8_t *list;
	size_t size;
	struct scsi_result res = scsi_task_parameters(task, &list, &size);

	if (scsi_ok(res))
		res = scsi_mode_parse(lu, is_10(task), list, size, &next);
	if (!scsi_ok(res))
		return res;
	if (!values_equal(&now, &next)) {
		mutex_lock(&lu->lock);
		lu->mode = next;
		scsi_lu_attention_locked(lu, SENSE_MODE_PARAMETERS_CHANGED, task->nexus);
		mutex_unlock(&lu->lock);
	}
	/* After the change, so that no write slips into the cache behind the flush. */
	return flush_after(task, now, next);
}

static const struct scsi_command rows[] = {
	{.opcode = 0x15, .service_action = -1, .n_cdb = 6, SCSI_LENGTH_AT(4, 1),
	 .flags = SCSI_CMD_OUT | SCSI_CMD_BLOCKING, .name = "MODE SELECT (6)",
	 .usage = {0x15, 0x11, 0, 0, 0xff}, .check = select_check, .run = select_run},
	{.opcode = 0x1a, .service_action = -1, .n_cdb = 6, SCSI_LENGTH_AT(4, 1),
	 .flags = SCSI_CMD_IN | SCSI_CMD_PR_READ, .name = "MODE SENSE (6)",
	 .usage = {0x1a, 0x08, 0xff, 0xff, 0xff}, .check = sense_check, .run = sense_run},
	{.opcode = 0x55, .service_action = -1, .n_cdb = 10, SCSI_LENGTH_AT(7, 2),
	 .flags = SCSI_CMD_OUT | SCSI_CMD_BLOCKING, .name = "MODE SELECT (10)",
	 .usage = {0x55, 0x11, 0, 0, 0, 0, 0, 0xff, 0xff}, .check = select_check,
	 .run = select_run},
	{.opcode = 0x5a, .service_action = -1, .n_cdb = 10, SCSI_LENGTH_AT(7, 2),
	 .flags = SCSI_CMD_IN | SCSI_CMD_PR_READ, .name = "MODE SENSE (10)",
	 .usage = {0x5a, 0x18, 0xff, 0xff, 0, 0, 0, 0xff, 0xff}, .check = sense_check,
	 .run = sense_run},
};

const struct scsi_command_table scsi_commands_mode = {rows, ARRAY_SIZE(rows)};
