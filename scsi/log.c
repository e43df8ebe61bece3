/*
 * LOG SENSE and LOG SELECT. SPC-4 7.3, SBC-3 6.4.
 *
 * Values are cumulative and live; nothing is saved, nothing can be set or reset but to what it is.
 * Logical block provisioning (0Ch) exists where the program can tell what is mapped.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "scsi/lu.h"

enum {
	PAGE_HEADER = 4,
	PAGE_MAX = 64,
	PARAMETER_HEADER = 4,
	ALL_SUBPAGES = 0xff,
	CUMULATIVE = 1,       /* PAGE CONTROL */
	MAPPINGS_AT_ONCE = 512,
	DU_BINARY = 0x03,     /* FORMAT AND LINKING: binary list parameter */
	USED_RESOURCES = 0x0002,
};

static bool
can_count(const struct scsi_lu *lu)
{
	return scsi_unit_params(lu->unit)->unmap_supported &&
	       (scsi_unit_kinds(lu->unit) & SCSI_IO_BIT(SCSI_IO_QUERY_RANGES));
}

static bool
always(const struct scsi_lu *lu)
{
	(void)lu;
	return true;
}

/* Each fills what follows the page header and sets its size. */
static struct scsi_result fill_list(struct scsi_lu *lu, uint8_t *dst, size_t *ret_size);
static struct scsi_result fill_subpages(struct scsi_lu *lu, uint8_t *dst, size_t *ret_size);

/* One run of mappings from lba on; adds to *mapped, moves *lba on. */
static struct scsi_result
count_some(struct scsi_lu *lu, struct scsi_mapping *mappings, uint64_t *lba, uint64_t *mapped)
{
	uint64_t total = scsi_unit_n_blocks(lu->unit);
	struct scsi_io io = {
		.kind = SCSI_IO_QUERY_RANGES,
		.checked = true,
		.lba = *lba,
		.n_blocks = (uint32_t)MIN(total - *lba, (uint64_t)UINT32_MAX),
		.data = mappings,
		.n_ranges = MAPPINGS_AT_ONCE,
	};
	struct scsi_result res = scsi_unit_io(lu->unit, &io);
	uint64_t before = *lba;

	for (uint32_t i = 0; scsi_ok(res) && i < io.n_mappings; i++) {
		const struct scsi_mapping *m = &mappings[i];

		if (m->lba != *lba || m->n_blocks > total - *lba)
			return scsi_sense(SENSE_INTERNAL_FAILURE);
		*mapped += m->provisioning == SCSI_MAPPED ? m->n_blocks : 0;
		*lba += m->n_blocks;
	}
	/* A program that tells nothing would be asked for ever */
	return scsi_ok(res) && *lba == before ? scsi_sense(SENSE_INTERNAL_FAILURE) : res;
}

/* SBC-3 6.4.4: LBA mapping resources used, in blocks (THRESHOLD EXPONENT is 0) */
static struct scsi_result
fill_provisioning(struct scsi_lu *lu, uint8_t *dst, size_t *ret_size)
{
	CLEANUP(free_ptr) struct scsi_mapping *mappings =
		calloc(MAPPINGS_AT_ONCE, sizeof(*mappings));
	struct scsi_result res = scsi_good();
	uint64_t lba = 0, mapped = 0;

	if (!mappings)
		return scsi_sense(SENSE_INSUFFICIENT_RESOURCES);
	while (scsi_ok(res) && lba < scsi_unit_n_blocks(lu->unit))
		res = count_some(lu, mappings, &lba, &mapped);
	put_be16(dst, USED_RESOURCES);
	dst[2] = DU_BINARY;
	dst[3] = 8;
	put_be32(dst + 4, (uint32_t)MIN(mapped, (uint64_t)UINT32_MAX));
	dst[8] = 0x01; /* SCOPE: this unit alone */
	*ret_size = PARAMETER_HEADER + 8;
	return res;
}

/* SPC-4 7.3.8: no exception, no thermometer */
static struct scsi_result
fill_exceptions(struct scsi_lu *lu, uint8_t *dst, size_t *ret_size)
{
	(void)lu;
	dst[2] = DU_BINARY;
	dst[3] = 4;
	dst[6] = 0xff; /* MOST RECENT TEMPERATURE READING: none */
	*ret_size = PARAMETER_HEADER + 4;
	return scsi_good();
}

struct log_page {
	uint8_t code, subpage;
	uint16_t parameter; /* the one that the page has; 0 also where there is none */
	bool (*exists)(const struct scsi_lu *lu);
	struct scsi_result (*fill)(struct scsi_lu *lu, uint8_t *dst, size_t *ret_size);
};

static const struct log_page pages[] = {
	{0x00, 0x00, 0, always, fill_list},
	{0x00, ALL_SUBPAGES, 0, always, fill_subpages},
	{0x0c, 0x00, USED_RESOURCES, can_count, fill_provisioning},
	{0x2f, 0x00, 0, always, fill_exceptions},
};

static struct scsi_result
fill_list(struct scsi_lu *lu, uint8_t *dst, size_t *ret_size)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(pages); i++)
		if (pages[i].subpage == 0 && pages[i].exists(lu))
			dst[n++] = pages[i].code;
	*ret_size = n;
	return scsi_good();
}

static struct scsi_result
fill_subpages(struct scsi_lu *lu, uint8_t *dst, size_t *ret_size)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(pages); i++)
		if (pages[i].exists(lu)) {
			dst[n++] = pages[i].code;
			dst[n++] = pages[i].subpage;
		}
	*ret_size = n;
	return scsi_good();
}

static const struct log_page *
find_page(const struct scsi_task *task)
{
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++)
		if (pages[i].code == (task->cdb[2] & 0x3f) && pages[i].subpage == task->cdb[3] &&
		    pages[i].exists(task->lu))
			return &pages[i];
	return NULL;
}

static bool
code_exists(const struct scsi_task *task)
{
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++)
		if (pages[i].code == (task->cdb[2] & 0x3f) && pages[i].exists(task->lu))
			return true;
	return false;
}

static struct scsi_result
sense_check(struct scsi_task *task)
{
	const struct log_page *page = find_page(task);

	if (task->cdb[1] & 0x01)
		return scsi_bad_cdb(1, 0); /* SP: nothing is saved */
	if (!code_exists(task))
		return scsi_bad_cdb(2, 5);
	if (!page)
		return scsi_bad_cdb(3, SCSI_FIELD_BYTE);
	/* SPC-4 6.8: thresholds and defaults there are none; for a list of pages it is ignored */
	if (page->code != 0 && task->cdb[2] >> 6 != CUMULATIVE)
		return scsi_bad_cdb(2, 7);
	if (get_be16(task->cdb + 5) > page->parameter)
		return scsi_bad_cdb(5, SCSI_FIELD_BYTE);
	return scsi_good();
}

static struct scsi_result
sense_run(struct scsi_task *task)
{
	const struct log_page *page = find_page(task);
	uint8_t data[PAGE_MAX] = {0};
	size_t n = 0;
	struct scsi_result res;

	assert(page); /* so sense_check has seen */
	res = page->fill(task->lu, data + PAGE_HEADER, &n);
	if (!scsi_ok(res))
		/* cppcheck-suppress returnDanglingLifetime ; a value that points nowhere */
		return res;
	data[0] = (uint8_t)(page->code | 0x80 | (page->subpage ? 0x40 : 0)); /* DS, SPF */
	data[1] = page->subpage;
	put_be16(data + 2, (uint16_t)n);
	return scsi_task_reply(task, data, PAGE_HEADER + n);
}

/* PCR resets counters; those here count what is, so there is nothing to be done. SPC-4 6.7 */
static struct scsi_result
select_check(struct scsi_task *task)
{
	if (task->cdb[1] & 0x01)
		return scsi_bad_cdb(1, 0);
	if (task->n_transfer != 0)
		return scsi_bad_cdb(7, SCSI_FIELD_BYTE);
	/* Without PCR, page and subpage are reserved when there is no list */
	if (!(task->cdb[1] & 0x02) && (task->cdb[2] & 0x3f))
		return scsi_bad_cdb(2, 5);
	if ((task->cdb[2] & 0x3f) && !code_exists(task))
		return scsi_bad_cdb(2, 5);
	return scsi_good();
}

static struct scsi_result
select_run(struct scsi_task *task)
{
	(void)task;
	return scsi_good();
}

static const struct scsi_command rows[] = {
	{.opcode = 0x4c, .service_action = -1, .n_cdb = 10, SCSI_LENGTH_AT(7, 2),
	 .flags = SCSI_CMD_OUT, .name = "LOG SELECT",
	 .usage = {0x4c, 0x03, 0xff, 0xff, 0, 0, 0, 0xff, 0xff}, .check = select_check,
	 .run = select_run},
	{.opcode = 0x4d, .service_action = -1, .n_cdb = 10, SCSI_LENGTH_AT(7, 2),
	 .flags = SCSI_CMD_IN | SCSI_CMD_PR_ALWAYS | SCSI_CMD_BLOCKING, .name = "LOG SENSE",
	 .usage = {0x4d, 0x01, 0xff, 0xff, 0, 0xff, 0xff, 0xff, 0xff}, .check = sense_check,
	 .run = sense_run},
};

const struct scsi_command_table scsi_commands_log = {rows, ARRAY_SIZE(rows)};
