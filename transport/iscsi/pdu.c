#include "transport/iscsi/pdu.h"

#include <errno.h>

void
iscsi_pdu_init(uint8_t bhs[ISCSI_BHS_SIZE], enum iscsi_opcode opcode, uint32_t n_segment,
	       uint32_t itt)
{
	memset(bhs, 0, ISCSI_BHS_SIZE);
	bhs[0] = (uint8_t)opcode;
	bhs[1] = ISCSI_FINAL;
	put_be24(bhs + 5, n_segment);
	put_be32(bhs + ISCSI_AT_ITT, itt);
}

const char *
iscsi_opcode_name(uint8_t opcode)
{
	static const char *const names[ISCSI_OPCODE_MASK + 1] = {
		[ISCSI_OP_NOP_OUT] = "NOP-Out",
		[ISCSI_OP_SCSI_COMMAND] = "SCSI Command",
		[ISCSI_OP_TASK_REQUEST] = "Task Management Function Request",
		[ISCSI_OP_LOGIN_REQUEST] = "Login Request",
		[ISCSI_OP_TEXT_REQUEST] = "Text Request",
		[ISCSI_OP_DATA_OUT] = "SCSI Data-Out",
		[ISCSI_OP_LOGOUT_REQUEST] = "Logout Request",
		[ISCSI_OP_SNACK] = "SNACK Request",
	};
	const char *name = names[opcode & ISCSI_OPCODE_MASK];

	return name ? name : "unknown";
}

/* 11.2.2.3: AHSLength counts the reserved byte and the CDB's bytes. */
static int
ahs_extended_cdb(const uint8_t *ahs, size_t length, uint8_t *dst, size_t cap)
{
	size_t n = length > 0 ? length - 1 : 0;

	if (n == 0)
		return -EPROTO;
	memcpy(dst, ahs + 4, MIN(n, cap));
	return (int)n;
}

int
iscsi_ahs_parse(const uint8_t *ahs, size_t size, uint8_t *dst, size_t cap)
{
	int n_cdb = 0;

	for (size_t at = 0; at < size;) {
		size_t left = size - at;
		size_t length = left < 4 ? left : get_be16(ahs + at); /* of what follows the type */

		if (length + 3 > left)
			return -EPROTO;
		if (ahs[at + 2] == ISCSI_AHS_BIDI_READ)
			return -EOPNOTSUPP;
		if (ahs[at + 2] != ISCSI_AHS_EXTENDED_CDB || n_cdb > 0)
			return -EPROTO;
		n_cdb = ahs_extended_cdb(ahs + at, length, dst, cap);
		if (n_cdb < 0)
			return n_cdb;
		at += ALIGN_UP(length + 3, (size_t)4);
	}
	return n_cdb;
}
