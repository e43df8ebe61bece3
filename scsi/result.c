/* Outcomes: named conditions, sense data both ways, and the edge to errno. */
#include "scsi/result.h"

#include <errno.h>
#include "base/endian.h"

static const struct sense_row {
	uint8_t key, asc, ascq;
	const char *text;
} sense_rows[SENSE_COUNT] = {
#define SENSE(name, key, asc, ascq, text) [SENSE_##name] = {SCSI_KEY_##key, asc, ascq, text},
#include "scsi/sense.def"
#undef SENSE
};

static const char *const key_names[16] = {
	"NO SENSE",       "RECOVERED ERROR", "NOT READY",       "MEDIUM ERROR",
	"HARDWARE ERROR", "ILLEGAL REQUEST", "UNIT ATTENTION",  "DATA PROTECT",
	"BLANK CHECK",    "VENDOR SPECIFIC", "COPY ABORTED",    "ABORTED COMMAND",
	"RESERVED",       "VOLUME OVERFLOW", "MISCOMPARE",      "COMPLETED",
};

static const struct {
	uint8_t status;
	const char *name;
} status_names[] = {
	{SCSI_GOOD, "GOOD"},
	{SCSI_CHECK_CONDITION, "CHECK CONDITION"},
	{SCSI_CONDITION_MET, "CONDITION MET"},
	{SCSI_BUSY, "BUSY"},
	{SCSI_RESERVATION_CONFLICT, "RESERVATION CONFLICT"},
	{SCSI_TASK_SET_FULL, "TASK SET FULL"},
	{SCSI_ACA_ACTIVE, "ACA ACTIVE"},
	{SCSI_TASK_ABORTED, "TASK ABORTED"},
};

struct scsi_result
scsi_sense(enum scsi_sense sense)
{
	const struct sense_row *row = &sense_rows[sense];

	return (struct scsi_result){.status = SCSI_CHECK_CONDITION,
				    .key = row->key,
				    .asc = row->asc,
				    .ascq = row->ascq};
}

struct scsi_result
scsi_sense_info(enum scsi_sense sense, uint64_t info)
{
	struct scsi_result res = scsi_sense(sense);

	res.info_valid = true;
	res.info = info;
	return res;
}

struct scsi_result
scsi_status_only(enum scsi_status status)
{
	return (struct scsi_result){.status = (uint8_t)status};
}

static struct scsi_result
with_field(enum scsi_sense sense, bool in_cdb, unsigned byte, unsigned bit)
{
	struct scsi_result res = scsi_sense(sense);

	res.field_valid = true;
	res.field_in_cdb = in_cdb;
	res.field_bit = (uint8_t)MIN(bit, (unsigned)SCSI_FIELD_BYTE);
	res.field = (uint16_t)MIN(byte, (unsigned)UINT16_MAX);
	return res;
}

struct scsi_result
scsi_bad_cdb(unsigned byte, unsigned bit)
{
	return with_field(SENSE_INVALID_FIELD_IN_CDB, true, byte, bit);
}

struct scsi_result
scsi_bad_parameter(unsigned byte, unsigned bit)
{
	return with_field(SENSE_INVALID_FIELD_IN_PARAMETER_LIST, false, byte, bit);
}

const char *
scsi_sense_text(uint8_t asc, uint8_t ascq)
{
	for (size_t i = 0; i < ARRAY_SIZE(sense_rows); i++)
		if (sense_rows[i].asc == asc && sense_rows[i].ascq == ascq)
			return sense_rows[i].text;
	return "unknown";
}

const char *
scsi_key_name(uint8_t key)
{
	return key < ARRAY_SIZE(key_names) ? key_names[key] : "unknown";
}

const char *
scsi_status_name(uint8_t status)
{
	for (size_t i = 0; i < ARRAY_SIZE(status_names); i++)
		if (status_names[i].status == status)
			return status_names[i].name;
	return "unknown";
}

/* Sense-key specific bytes, SPC-4 4.5.2.4: SKSV, then a field pointer or a progress indication. */
static bool
put_key_specific(const struct scsi_result *res, uint8_t dst[3])
{
	if (res->field_valid) {
		dst[0] = 0x80 | (res->field_in_cdb ? 0x40 : 0);
		if (res->field_bit < SCSI_FIELD_BYTE)
			dst[0] |= 0x08 | res->field_bit;
		put_be16(dst + 1, res->field);
	} else if (res->progress_valid) {
		dst[0] = 0x80;
		put_be16(dst + 1, res->progress);
	}
	return res->field_valid || res->progress_valid;
}

static size_t
format_fixed(const struct scsi_result *res, uint8_t *dst)
{
	dst[0] = 0x70;
	dst[2] = res->key;
	if (res->info_valid && res->info <= UINT32_MAX) {
		dst[0] |= 0x80;
		put_be32(dst + 3, (uint32_t)res->info);
	}
	dst[7] = SCSI_SENSE_FIXED_SIZE - 8;
	if (res->command_info <= UINT32_MAX)
		put_be32(dst + 8, (uint32_t)res->command_info);
	dst[12] = res->asc;
	dst[13] = res->ascq;
	put_key_specific(res, dst + 15);
	return SCSI_SENSE_FIXED_SIZE;
}

/* Descriptors: 00h information, 01h command specific, 02h sense key specific (SPC-4 4.5.2). */
static size_t
format_descriptors(const struct scsi_result *res, uint8_t *dst)
{
	size_t n = 8;

	dst[0] = 0x72;
	dst[1] = res->key;
	dst[2] = res->asc;
	dst[3] = res->ascq;
	if (res->info_valid) {
		dst[n + 1] = 10;
		dst[n + 2] = 0x80;
		put_be64(dst + n + 4, res->info);
		n += 12;
	}
	if (res->command_info) {
		dst[n] = 0x01;
		dst[n + 1] = 10;
		put_be64(dst + n + 4, res->command_info);
		n += 12;
	}
	if (put_key_specific(res, dst + n + 4)) {
		dst[n] = 0x02;
		dst[n + 1] = 6;
		n += 8;
	}
	dst[7] = (uint8_t)(n - 8);
	return n;
}

size_t
scsi_sense_format(const struct scsi_result *res, bool descriptor,
		  uint8_t dst[SCSI_SENSE_SIZE_MAX])
{
	memset(dst, 0, SCSI_SENSE_SIZE_MAX);
	return descriptor ? format_descriptors(res, dst) : format_fixed(res, dst);
}

static void
get_key_specific(const uint8_t src[3], struct scsi_result *res)
{
	if (!(src[0] & 0x80))
		return;
	/* SPC-4 table 49: what the bytes mean depends on the key. */
	if (res->key == SCSI_KEY_ILLEGAL_REQUEST) {
		res->field_valid = true;
		res->field_in_cdb = src[0] & 0x40;
		res->field_bit = src[0] & 0x08 ? src[0] & 7 : SCSI_FIELD_BYTE;
		res->field = get_be16(src + 1);
	} else if (res->key == SCSI_KEY_NO_SENSE || res->key == SCSI_KEY_NOT_READY) {
		res->progress_valid = true;
		res->progress = get_be16(src + 1);
	}
}

static bool
parse_fixed(const uint8_t *b, size_t size, struct scsi_result *res)
{
	if (size < 8)
		return false;
	res->key = b[2] & 0x0f;
	res->info_valid = b[0] & 0x80;
	res->info = get_be32(b + 3);
	size = MIN(size, 8u + b[7]);
	if (size >= 12)
		res->command_info = get_be32(b + 8);
	if (size >= 14) {
		res->asc = b[12];
		res->ascq = b[13];
	}
	if (size >= 18)
		get_key_specific(b + 15, res);
	return true;
}

static void
parse_descriptor(const uint8_t *d, size_t size, struct scsi_result *res)
{
	if (d[0] == 0x00 && size >= 12) {
		res->info_valid = d[2] & 0x80;
		res->info = get_be64(d + 4);
	} else if (d[0] == 0x01 && size >= 12) {
		res->command_info = get_be64(d + 4);
	} else if (d[0] == 0x02 && size >= 8) {
		get_key_specific(d + 4, res);
	}
}

static bool
parse_descriptors(const uint8_t *b, size_t size, struct scsi_result *res)
{
	if (size < 8)
		return false;
	res->key = b[1] & 0x0f;
	res->asc = b[2];
	res->ascq = b[3];
	size = MIN(size, 8u + b[7]);
	for (size_t at = 8, n; at + 2 <= size; at += n) {
		n = 2u + b[at + 1];
		if (n > size - at)
			break;
		parse_descriptor(b + at, n, res);
	}
	return true;
}

bool
scsi_sense_parse(const uint8_t *bytes, size_t size, struct scsi_result *ret)
{
	struct scsi_result res = {.status = SCSI_CHECK_CONDITION};
	uint8_t code = size > 0 ? bytes[0] & 0x7f : 0;
	bool ok = false;

	if (code == 0x70 || code == 0x71)
		ok = parse_fixed(bytes, size, &res);
	else if (code == 0x72 || code == 0x73)
		ok = parse_descriptors(bytes, size, &res);
	if (ok)
		*ret = res;
	return ok;
}

static int
errno_of_illegal_request(struct scsi_result res)
{
	if (res.asc == sense_rows[SENSE_INVALID_OPCODE].asc)
		return EOPNOTSUPP;
	return res.asc == sense_rows[SENSE_LBA_OUT_OF_RANGE].asc ? ENXIO : EINVAL;
}

int
scsi_result_to_errno(struct scsi_result res)
{
	if (scsi_ok(res))
		return 0;
	if (res.status == SCSI_RESERVATION_CONFLICT)
		return EBADE; /* what Linux's own SCSI layer makes of it: BLK_STS_RESV_CONFLICT */
	if (res.status != SCSI_CHECK_CONDITION)
		return res.status == SCSI_TASK_ABORTED ? EIO : EBUSY;
	switch (res.key) {
	case SCSI_KEY_ILLEGAL_REQUEST:
		return errno_of_illegal_request(res);
	case SCSI_KEY_DATA_PROTECT:
		return res.asc == 0x27 && res.ascq == 0x07 ? ENOSPC : EROFS;
	case SCSI_KEY_NOT_READY:
		return res.asc == 0x3a ? ENOMEDIUM : EBUSY;
	case SCSI_KEY_MISCOMPARE:
		return EILSEQ;
	default:
		return EIO;
	}
}
