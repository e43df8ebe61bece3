/*
 * The outcome of a SCSI command or of one block request, as a value: a status byte and, with
 * CHECK CONDITION, sense. Everything in scsi/, api/winspd and the disk doors speaks this; a mix-up
 * with an errno does not compile.
 *
 *	return scsi_sense(SENSE_LBA_OUT_OF_RANGE);
 *	return scsi_bad_cdb(2, 7);             byte and most significant bit of the bad field
 */
#ifndef USERDRIVE_SCSI_RESULT_H
#define USERDRIVE_SCSI_RESULT_H

#include "base/compiler.h"

/* SAM-5 5.3.1 */
enum scsi_status {
	SCSI_GOOD = 0x00,
	SCSI_CHECK_CONDITION = 0x02,
	SCSI_CONDITION_MET = 0x04,
	SCSI_BUSY = 0x08,
	SCSI_RESERVATION_CONFLICT = 0x18,
	SCSI_TASK_SET_FULL = 0x28,
	SCSI_ACA_ACTIVE = 0x30,
	SCSI_TASK_ABORTED = 0x40
};

/* SPC-4 4.5.6, table 48 */
enum scsi_key {
	SCSI_KEY_NO_SENSE = 0x0,
	SCSI_KEY_RECOVERED_ERROR = 0x1,
	SCSI_KEY_NOT_READY = 0x2,
	SCSI_KEY_MEDIUM_ERROR = 0x3,
	SCSI_KEY_HARDWARE_ERROR = 0x4,
	SCSI_KEY_ILLEGAL_REQUEST = 0x5,
	SCSI_KEY_UNIT_ATTENTION = 0x6,
	SCSI_KEY_DATA_PROTECT = 0x7,
	SCSI_KEY_BLANK_CHECK = 0x8,
	SCSI_KEY_VENDOR_SPECIFIC = 0x9,
	SCSI_KEY_COPY_ABORTED = 0xa,
	SCSI_KEY_ABORTED_COMMAND = 0xb,
	SCSI_KEY_VOLUME_OVERFLOW = 0xd,
	SCSI_KEY_MISCOMPARE = 0xe,
	SCSI_KEY_COMPLETED = 0xf
};

/* One name per condition of scsi/sense.def: SENSE_INVALID_FIELD_IN_CDB … */
enum scsi_sense {
#define SENSE(name, key, asc, ascq, text) SENSE_##name,
#include "scsi/sense.def"
#undef SENSE
	SENSE_COUNT
};

struct scsi_result {
	uint8_t status; /* enum scsi_status; the rest has a meaning with CHECK CONDITION only */
	uint8_t key, asc, ascq;
	bool info_valid;   /* INFORMATION: an LBA, or the byte offset of a miscompare */
	bool field_valid;  /* sense-key specific: field pointer */
	bool field_in_cdb; /* else in the parameter list */
	uint8_t field_bit; /* 0..7: the field's most significant bit; 8: the whole byte */
	uint16_t field;    /* byte offset */
	bool progress_valid; /* sense-key specific: progress, in 1/65536 */
	uint16_t progress;
	uint64_t info;
	uint64_t command_info; /* COMMAND-SPECIFIC INFORMATION; 0: none */
};

enum {
	SCSI_SENSE_FIXED_SIZE = 18,
	SCSI_SENSE_SIZE_MAX = 64,
	SCSI_FIELD_BYTE = 8 /* as a bit: the whole byte */
};

static inline struct scsi_result
scsi_good(void)
{
	return (struct scsi_result){.status = SCSI_GOOD};
}

static inline bool
scsi_ok(struct scsi_result res)
{
	return res.status == SCSI_GOOD || res.status == SCSI_CONDITION_MET;
}

/* CHECK CONDITION with the named condition. */
struct scsi_result scsi_sense(enum scsi_sense sense);
struct scsi_result scsi_sense_info(enum scsi_sense sense, uint64_t info);
/* A status without sense: BUSY, RESERVATION CONFLICT… */
struct scsi_result scsi_status_only(enum scsi_status status);
/* INVALID FIELD IN CDB / IN PARAMETER LIST with a field pointer; bit 0..7 or SCSI_FIELD_BYTE. */
struct scsi_result scsi_bad_cdb(unsigned byte, unsigned bit);
struct scsi_result scsi_bad_parameter(unsigned byte, unsigned bit);

/* The condition's wording in the standard, "LOGICAL BLOCK ADDRESS OUT OF RANGE"; for a pair that
 * scsi/sense.def lacks: "unknown". Static text. */
const char *scsi_sense_text(uint8_t asc, uint8_t ascq);
const char *scsi_key_name(uint8_t key);
const char *scsi_status_name(uint8_t status);

/*
 * Sense data as it travels, SPC-4 4.5: fixed format (70h; an INFORMATION that needs more than 32
 * bits is left out, its VALID bit zero) or descriptor format (72h). Returns its size.
 */
size_t scsi_sense_format(const struct scsi_result *res, bool descriptor,
			 uint8_t dst[SCSI_SENSE_SIZE_MAX]);
/* The other way, for initiators: both formats, current (70h, 72h) and deferred (71h, 73h). False,
 * ret untouched: not sense data. */
bool scsi_sense_parse(const uint8_t *bytes, size_t size, struct scsi_result *ret);

/* For block doors, what a failure is to the kernel: positive errno; 0 when good. */
int scsi_result_to_errno(struct scsi_result res);

#endif
