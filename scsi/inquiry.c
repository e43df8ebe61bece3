/*
 * Who the unit is: INQUIRY with its vital product data pages, and READ CAPACITY.
 *
 * Pages are rows of a table; each is filled in a local buffer that the generic code cuts to the
 * ALLOCATION LENGTH. Identity is the GUID of the unit's parameters: serial number, NAA, UUID.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "scsi/lu.h"

enum {
	STANDARD_SIZE = 96,
	VERSION_AT = 58, /* version descriptors, SPC-4 6.4.2 */
	PAGE_HEADER = 4,
	/* Pages of fixed size have few bytes; 83h the names of port and target besides */
	PAGE_MAX = 1024,
	NO_LU = 0x7f, /* qualifier 3, type 1Fh: SPC-4 table 142 */
};

/* SPC-4 table 604: the low 4 bits of a designator's first byte, and its type */
enum { CODE_BINARY = 1, CODE_ASCII = 2, CODE_UTF8 = 3 };
enum {
	DESIGNATOR_VENDOR = 0,
	DESIGNATOR_T10 = 1,
	DESIGNATOR_NAA = 3,
	DESIGNATOR_RELATIVE_PORT = 4,
	DESIGNATOR_PORT_GROUP = 5,
	DESIGNATOR_NAME = 8,
	DESIGNATOR_UUID = 10,
};
enum { OF_UNIT = 0, OF_PORT = 1, OF_TARGET = 2 };

static const struct scsi_unit_params *
params_of(const struct scsi_task *task)
{
	return scsi_unit_params(task->lu->unit);
}

static void
put_padded(uint8_t *dst, size_t size, const char *text)
{
	size_t n = strlen(text);

	memset(dst, ' ', size);
	memcpy(dst, text, MIN(n, size));
}

/* ---------------------------------------------------------------- standard data */

static bool
has_several_ports(const struct scsi_nexus *nexus)
{
	struct scsi_target *target = nexus ? nexus->target : NULL;
	bool several;

	if (!target)
		return false;
	mutex_lock(&target->lock);
	several = target->n_ports > 1;
	mutex_unlock(&target->lock);
	return several;
}

static struct scsi_result
inquiry_standard(struct scsi_task *task)
{
	/* SAM-5, iSCSI, SPC-4, SBC-3 without a version of the document: SPC-4 annex table D.1 */
	static const uint16_t versions[] = {0x00a0, 0x0960, 0x0460, 0x04c0};
	uint8_t data[STANDARD_SIZE] = {
		[2] = 5,    /* as WinSpd says; the descriptors say the rest */
		[3] = 2,    /* RESPONSE DATA FORMAT */
		[4] = STANDARD_SIZE - 5,
		[5] = 0x18, /* TPGS: implicit; 3PC */
		[7] = 0x02, /* CMDQUE */
	};

	if (!task->lu) {
		data[0] = NO_LU;
		return scsi_task_reply(task, data, sizeof(data));
	}
	data[1] = params_of(task)->removable ? 0x80 : 0;
	data[6] = has_several_ports(task->nexus) ? 0x10 : 0; /* MULTIP */
	put_padded(data + 8, 8, params_of(task)->vendor);
	put_padded(data + 16, 16, params_of(task)->product);
	put_padded(data + 32, 4, params_of(task)->revision);
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++)
		put_be16(data + VERSION_AT + 2 * i, versions[i]);
	return scsi_task_reply(task, data, sizeof(data));
}

/* ---------------------------------------------------------------- vital product data */

/* Each fills what follows the 4 bytes of header, zero before, and returns its size. */
static size_t fill_list(const struct scsi_task *task, uint8_t *dst);

static size_t
fill_serial(const struct scsi_task *task, uint8_t *dst)
{
	const char *serial = scsi_unit_serial(task->lu->unit);
	size_t n = strlen(serial);

	memcpy(dst, serial, n);
	return n;
}

/* The header of a designator of n bytes (SPC-4 7.8.6.2.1); returns where its bytes go. */
static uint8_t *
designator(const struct scsi_task *task, uint8_t *dst, size_t *at, unsigned code,
	   unsigned association, unsigned type, size_t n)
{
	const struct scsi_nexus *nexus = task->nexus;
	uint8_t *d = dst + *at;

	d[0] = (uint8_t)code;
	d[1] = (uint8_t)(association << 4 | type);
	d[3] = (uint8_t)n;
	if (association != OF_UNIT && nexus->n_transport_id > 0) {
		/* PIV and PROTOCOL IDENTIFIER: the one of the initiator port's TransportID */
		d[0] |= (uint8_t)((nexus->transport_id[0] & 0x0f) << 4);
		d[1] |= 0x80;
	}
	*at += 4 + n;
	return d + 4;
}

static void
identify_t10(const struct scsi_task *task, uint8_t *dst, size_t *at)
{
	const struct scsi_unit_params *p = params_of(task);
	uint8_t *d = designator(task, dst, at, CODE_ASCII, OF_UNIT, DESIGNATOR_T10, 64);

	put_padded(d, 8, p->vendor);
	put_padded(d + 8, 16, p->product);
	put_padded(d + 24, 4, p->revision);
	put_padded(d + 28, 36, scsi_unit_serial(task->lu->unit));
}

/* WinSpd's: which process serves the unit, so that a shell can eject it. */
static void
identify_process(const struct scsi_task *task, uint8_t *dst, size_t *at)
{
	uint8_t *d = designator(task, dst, at, CODE_BINARY, OF_UNIT, DESIGNATOR_VENDOR, 8);

	memcpy(d, "PID", 3);
	d[3] = params_of(task)->eject_disabled ? 'X' : ' ';
	put_be32(d + 4, (uint32_t)getpid());
}

static void
identify_naa(const struct scsi_task *task, uint8_t *dst, size_t *at)
{
	uint8_t *d = designator(task, dst, at, CODE_BINARY, OF_UNIT, DESIGNATOR_NAA, 8);

	put_be64(d, scsi_unit_naa(params_of(task)));
}

static void
identify_uuid(const struct scsi_task *task, uint8_t *dst, size_t *at)
{
	uint8_t *d = designator(task, dst, at, CODE_BINARY, OF_UNIT, DESIGNATOR_UUID, 18);

	d[0] = 0x10; /* UUID TYPE: the one that follows */
	memcpy(d + 2, params_of(task)->guid, 16);
}

static void
identify_number(const struct scsi_task *task, uint8_t *dst, size_t *at, unsigned type,
		uint16_t number)
{
	put_be16(designator(task, dst, at, CODE_BINARY, OF_PORT, type, 4) + 2, number);
}

/* SCSI name string: with its NUL, padded to a multiple of 4, at most 256 (SPC-4 7.8.6.11). */
static void
identify_name(const struct scsi_task *task, uint8_t *dst, size_t *at, unsigned association,
	      const char *name)
{
	size_t n = strnlen(name, 247);

	if (n > 0)
		memcpy(designator(task, dst, at, CODE_UTF8, association, DESIGNATOR_NAME,
				  ALIGN_UP(n + 1, (size_t)4)), name, n);
}

static void
identify_port_name(const struct scsi_task *task, uint8_t *dst, size_t *at)
{
	struct scsi_target *target = task->nexus->target;

	mutex_lock(&target->lock);
	for (size_t i = 0; i < target->n_ports; i++)
		if (target->ports[i].id == task->nexus->target_port)
			identify_name(task, dst, at, OF_PORT, target->ports[i].name);
	mutex_unlock(&target->lock);
}

static size_t
fill_identification(const struct scsi_task *task, uint8_t *dst)
{
	const struct scsi_nexus *nexus = task->nexus;
	size_t at = 0;

	identify_t10(task, dst, &at);
	identify_process(task, dst, &at);
	identify_naa(task, dst, &at);
	identify_uuid(task, dst, &at);
	if (nexus && nexus->target) {
		identify_number(task, dst, &at, DESIGNATOR_RELATIVE_PORT, nexus->target_port);
		identify_number(task, dst, &at, DESIGNATOR_PORT_GROUP, SCSI_TARGET_PORT_GROUP);
		identify_port_name(task, dst, &at);
		identify_name(task, dst, &at, OF_TARGET, scsi_target_name(nexus->target));
	}
	return at;
}

/* SPC-4 7.8.7 */
static size_t
fill_extended(const struct scsi_task *task, uint8_t *dst)
{
	dst[1] = 0x07; /* HEADSUP, ORDSUP, SIMPSUP */
	dst[2] = params_of(task)->cache_supported ? 0x01 : 0; /* V_SUP */
	dst[3] = 0x01; /* LUICLR: each nexus clears its own unit attentions */
	return 60;
}

static size_t
fill_copy(const struct scsi_task *task, uint8_t *dst)
{
	return scsi_copy_vpd(task->lu, dst, PAGE_MAX - PAGE_HEADER);
}

static uint32_t
in_blocks(const struct scsi_unit_params *p, uint32_t n_bytes)
{
	return MAX(n_bytes / p->block_length, 1u);
}

/* SBC-3 6.6.4, with the atomic limits of SBC-4 */
static size_t
fill_limits(const struct scsi_task *task, uint8_t *dst)
{
	const struct scsi_unit_params *p = params_of(task);
	uint32_t physical = 1u << p->physical_exponent;

	dst[0] = SCSI_WRITE_SAME_NON_ZERO ? 0x01 : 0; /* WSNZ */
	dst[1] = SCSI_COMPARE_AND_WRITE_MAX;
	put_be16(dst + 2, (uint16_t)physical);
	put_be32(dst + 4, in_blocks(p, SCSI_TRANSFER_MAX));
	put_be32(dst + 8, in_blocks(p, MIN(p->max_transfer, (uint32_t)SCSI_TRANSFER_MAX)));
	if (p->unmap_supported) {
		put_be32(dst + 16, SCSI_UNMAP_BLOCKS_MAX);
		put_be32(dst + 20, SCSI_UNMAP_DESCRIPTORS_MAX);
		put_be32(dst + 24, physical);
		put_be32(dst + 28, 0x80000000u); /* UGAVALID: granules begin at LBA 0 */
	}
	put_be64(dst + 32, SCSI_WRITE_SAME_MAX);
	put_be32(dst + 40, scsi_atomic_max_blocks(task->lu)); /* SBC-4: any alignment and length */
	return 60;
}

static size_t
fill_characteristics(const struct scsi_task *task, uint8_t *dst)
{
	const struct scsi_unit_params *p = params_of(task);

	put_be16(dst, p->rotation);
	/* WABEREQ: blocks can be read after SANITIZE, BLOCK ERASE, which thin units have */
	dst[3] = p->unmap_supported ? 0x40 : 0;
	return 60;
}

/* SBC-3 6.6.5: LBPU, LBPWS, LBPWS10, LBPRZ; thin provisioned */
static size_t
fill_provisioning(const struct scsi_task *task, uint8_t *dst)
{
	const struct scsi_unit_params *p = params_of(task);

	if (p->unmap_supported) {
		dst[1] = p->unmap_zeroes ? 0xe4 : 0xe0;
		dst[2] = 2;
	}
	return 4;
}

struct page {
	uint8_t code;
	size_t (*fill)(const struct scsi_task *task, uint8_t *dst);
};

static const struct page pages[] = {
	{0x00, fill_list},
	{0x80, fill_serial},
	{0x83, fill_identification},
	{0x86, fill_extended},
	{0x8f, fill_copy},
	{0xb0, fill_limits},
	{0xb1, fill_characteristics},
	{0xb2, fill_provisioning},
};

static size_t
fill_list(const struct scsi_task *task, uint8_t *dst)
{
	size_t n = task->lu ? ARRAY_SIZE(pages) : 1;

	for (size_t i = 0; i < n; i++)
		dst[i] = pages[i].code;
	return n;
}

static struct scsi_result
inquiry_vital(struct scsi_task *task, uint8_t code)
{
	uint8_t data[PAGE_MAX] = {task->lu ? 0 : NO_LU, code};
	/* What does not exist has one page, the list of itself. */
	size_t n_pages = task->lu ? ARRAY_SIZE(pages) : 1, n;

	for (size_t i = 0; i < n_pages; i++)
		if (pages[i].code == code) {
			n = pages[i].fill(task, data + PAGE_HEADER);
			put_be16(data + 2, (uint16_t)n);
			return scsi_task_reply(task, data, PAGE_HEADER + n);
		}
	return scsi_bad_cdb(2, SCSI_FIELD_BYTE);
}

static struct scsi_result
inquiry_check(struct scsi_task *task)
{
	/* SPC-4 6.4.1: a page of the standard data there is none */
	if (!(task->cdb[1] & 0x01) && task->cdb[2] != 0)
		return scsi_bad_cdb(2, SCSI_FIELD_BYTE);
	return scsi_good();
}

static struct scsi_result
inquiry_run(struct scsi_task *task)
{
	return task->cdb[1] & 0x01 ? inquiry_vital(task, task->cdb[2]) : inquiry_standard(task);
}

/* ---------------------------------------------------------------- READ CAPACITY */

/* PMI and LOGICAL BLOCK ADDRESS are obsolete since SBC-3; SBC-2 5.10 lets an address come with PMI
 * only. There is no place on the unit after which access gets slow, so PMI changes nothing. */
static struct scsi_result
check_pmi(const struct scsi_task *task, uint64_t lba, unsigned pmi_byte)
{
	return lba != 0 && !(task->cdb[pmi_byte] & 0x01) ? scsi_bad_cdb(2, SCSI_FIELD_BYTE) :
							   scsi_good();
}

static struct scsi_result
capacity_10_check(struct scsi_task *task)
{
	return check_pmi(task, get_be32(task->cdb + 2), 8);
}

static struct scsi_result
capacity_16_check(struct scsi_task *task)
{
	return check_pmi(task, get_be64(task->cdb + 2), 14);
}

static struct scsi_result
capacity_10_run(struct scsi_task *task)
{
	uint64_t last = scsi_unit_n_blocks(task->lu->unit) - 1;
	uint8_t data[8];

	put_be32(data, (uint32_t)MIN(last, (uint64_t)UINT32_MAX));
	put_be32(data + 4, params_of(task)->block_length);
	return scsi_task_reply(task, data, sizeof(data));
}

static struct scsi_result
capacity_16_run(struct scsi_task *task)
{
	const struct scsi_unit_params *p = params_of(task);
	uint8_t data[32] = {0};

	put_be64(data, scsi_unit_n_blocks(task->lu->unit) - 1);
	put_be32(data + 8, p->block_length);
	data[13] = p->physical_exponent;
	if (p->unmap_supported)
		data[14] = p->unmap_zeroes ? 0xc0 : 0x80; /* LBPME, LBPRZ */
	return scsi_task_reply(task, data, sizeof(data));
}

static const struct scsi_command rows[] = {
	{.opcode = 0x12, .service_action = -1, .n_cdb = 6, SCSI_LENGTH_AT(3, 2),
	 .flags = SCSI_CMD_IN | SCSI_CMD_ANY_UA | SCSI_CMD_NO_LU | SCSI_CMD_PR_ALWAYS |
		  SCSI_CMD_RESERVE6_OK,
	 .name = "INQUIRY", .usage = {0x12, 0x01, 0xff, 0xff, 0xff},
	 .check = inquiry_check, .run = inquiry_run},
	{.opcode = 0x25, .service_action = -1, .n_cdb = 10, SCSI_LENGTH_IS(8),
	 .flags = SCSI_CMD_IN | SCSI_CMD_MEDIUM | SCSI_CMD_PR_ALWAYS,
	 .name = "READ CAPACITY (10)",
	 .usage = {0x25, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0x01},
	 .check = capacity_10_check, .run = capacity_10_run},
	{.opcode = 0x9e, .service_action = 0x10, .n_cdb = 16, SCSI_LENGTH_AT(10, 4),
	 .flags = SCSI_CMD_IN | SCSI_CMD_MEDIUM | SCSI_CMD_PR_ALWAYS,
	 .name = "READ CAPACITY (16)",
	 .usage = {0x9e, 0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		   0xff, 0xff, 0xff, 0xff, 0x01},
	 .check = capacity_16_check, .run = capacity_16_run},
};

const struct scsi_command_table scsi_commands_inquiry = {rows, ARRAY_SIZE(rows)};
