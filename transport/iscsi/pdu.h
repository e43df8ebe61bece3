/*
 * iSCSI PDUs as they lie on the wire (RFC 7143 section 11): names of the fields of the 48-byte
 * basic header segment, and accessors. A header stays in wire form; nothing is cast. All functions
 * are pure; callers have 48 bytes.
 */
#ifndef USERDRIVE_ISCSI_PDU_H
#define USERDRIVE_ISCSI_PDU_H

#include "base/endian.h"

enum {
	ISCSI_BHS_SIZE = 48,
	ISCSI_AHS_MAX = 255 * 4,
	ISCSI_DIGEST_SIZE = 4,
	ISCSI_HEADER_MAX = ISCSI_BHS_SIZE + ISCSI_AHS_MAX + ISCSI_DIGEST_SIZE,
	ISCSI_NAME_MAX = 223,	   /* bytes of an iSCSI name, RFC 7143 4.2.7.1 */
	ISCSI_LOGIN_SEGMENT = 8192 /* before full feature phase no segment is longer, 6.2 */
};

enum iscsi_opcode {
	ISCSI_OP_NOP_OUT = 0x00,
	ISCSI_OP_SCSI_COMMAND = 0x01,
	ISCSI_OP_TASK_REQUEST = 0x02,
	ISCSI_OP_LOGIN_REQUEST = 0x03,
	ISCSI_OP_TEXT_REQUEST = 0x04,
	ISCSI_OP_DATA_OUT = 0x05,
	ISCSI_OP_LOGOUT_REQUEST = 0x06,
	ISCSI_OP_SNACK = 0x10,
	ISCSI_OP_NOP_IN = 0x20,
	ISCSI_OP_SCSI_RESPONSE = 0x21,
	ISCSI_OP_TASK_RESPONSE = 0x22,
	ISCSI_OP_LOGIN_RESPONSE = 0x23,
	ISCSI_OP_TEXT_RESPONSE = 0x24,
	ISCSI_OP_DATA_IN = 0x25,
	ISCSI_OP_LOGOUT_RESPONSE = 0x26,
	ISCSI_OP_R2T = 0x31,
	ISCSI_OP_ASYNC = 0x32,
	ISCSI_OP_REJECT = 0x3f
};
#define ISCSI_OPCODE_MASK 0x3f
#define ISCSI_IMMEDIATE 0x40 /* byte 0 */

/* Byte 1 */
#define ISCSI_FINAL 0x80
#define ISCSI_COMMAND_READ 0x40
#define ISCSI_COMMAND_WRITE 0x20
#define ISCSI_COMMAND_ATTRIBUTE 0x07
#define ISCSI_RESIDUAL_OVERFLOW 0x04 /* SCSI Response and Data-In alike */
#define ISCSI_RESIDUAL_UNDERFLOW 0x02
#define ISCSI_DATA_IN_STATUS 0x01
#define ISCSI_LOGIN_TRANSIT 0x80
#define ISCSI_CONTINUE 0x40 /* Login, Text */

#define ISCSI_TAG_NONE 0xffffffffu

/* AHS types, 11.2.2.1 */
enum { ISCSI_AHS_EXTENDED_CDB = 1, ISCSI_AHS_BIDI_READ = 2 };

/* 11.17.1 */
enum iscsi_reject {
	ISCSI_REJECT_DATA_DIGEST = 0x02,
	ISCSI_REJECT_SNACK = 0x03,
	ISCSI_REJECT_PROTOCOL = 0x04,
	ISCSI_REJECT_NOT_SUPPORTED = 0x05,
	ISCSI_REJECT_IMMEDIATE = 0x06,
	ISCSI_REJECT_TASK_IN_PROGRESS = 0x07,
	ISCSI_REJECT_INVALID_FIELD = 0x09,
	ISCSI_REJECT_WAITING_FOR_LOGOUT = 0x0c
};

/* Login status, class and detail; 11.13.5 */
enum iscsi_login_status {
	ISCSI_LOGIN_OK = 0x0000,
	ISCSI_LOGIN_INITIATOR_ERROR = 0x0200,
	ISCSI_LOGIN_AUTHENTICATION = 0x0201,
	ISCSI_LOGIN_FORBIDDEN = 0x0202,
	ISCSI_LOGIN_NOT_FOUND = 0x0203,
	ISCSI_LOGIN_REMOVED = 0x0204,
	ISCSI_LOGIN_VERSION = 0x0205,
	ISCSI_LOGIN_TOO_MANY_CONNECTIONS = 0x0206,
	ISCSI_LOGIN_MISSING_PARAMETER = 0x0207,
	ISCSI_LOGIN_CANNOT_INCLUDE = 0x0208,
	ISCSI_LOGIN_SESSION_TYPE = 0x0209,
	ISCSI_LOGIN_NO_SESSION = 0x020a,
	ISCSI_LOGIN_INVALID_REQUEST = 0x020b,
	ISCSI_LOGIN_TARGET_ERROR = 0x0300,
	ISCSI_LOGIN_UNAVAILABLE = 0x0301,
	ISCSI_LOGIN_NO_RESOURCES = 0x0302
};

/* Task management: functions 11.5.1, with those of RFC 7144; responses 11.6.1 */
enum {
	ISCSI_TASK_ABORT = 1,
	ISCSI_TASK_ABORT_SET,
	ISCSI_TASK_CLEAR_ACA,
	ISCSI_TASK_CLEAR_SET,
	ISCSI_TASK_LU_RESET,
	ISCSI_TASK_WARM_RESET,
	ISCSI_TASK_COLD_RESET,
	ISCSI_TASK_REASSIGN,
	ISCSI_TASK_QUERY,
	ISCSI_TASK_QUERY_SET,
	ISCSI_TASK_NEXUS_RESET
};
enum iscsi_task_response {
	ISCSI_TASK_COMPLETE = 0,
	ISCSI_TASK_NO_TASK = 1,
	ISCSI_TASK_NO_LUN = 2,
	ISCSI_TASK_NO_REASSIGN = 4,
	ISCSI_TASK_NOT_SUPPORTED = 5,
	ISCSI_TASK_SUCCEEDED = 7, /* RFC 7144 */
	ISCSI_TASK_REJECTED = 255
};

enum { ISCSI_LOGOUT_SESSION = 0, ISCSI_LOGOUT_CONNECTION = 1, ISCSI_LOGOUT_RECOVERY = 2 };
enum { ISCSI_ASYNC_LOGOUT = 1, ISCSI_ASYNC_SESSION_DROP = 3 };

/* Offsets of fields that several PDUs have at the same place */
enum {
	ISCSI_AT_LUN = 8,
	ISCSI_AT_ISID = 8,
	ISCSI_AT_TSIH = 14,
	ISCSI_AT_ITT = 16,
	ISCSI_AT_TTT =
		20, /* of a task request: referenced task tag; of a command: transfer length */
	ISCSI_AT_CID = 20,
	ISCSI_AT_CMD_SN = 24, /* requests */
	ISCSI_AT_EXP_STAT_SN = 28,
	ISCSI_AT_STAT_SN = 24, /* responses */
	ISCSI_AT_EXP_CMD_SN = 28,
	ISCSI_AT_MAX_CMD_SN = 32,
	ISCSI_AT_CDB = 32,
	ISCSI_AT_DATA_SN = 36, /* Data-Out, Data-In, R2T: R2TSN */
	ISCSI_AT_BUFFER_OFFSET = 40,
	ISCSI_AT_RESIDUAL = 44
};

static inline uint8_t
iscsi_opcode(const uint8_t *bhs)
{
	return bhs[0] & ISCSI_OPCODE_MASK;
}

static inline bool
iscsi_is_immediate(const uint8_t *bhs)
{
	return bhs[0] & ISCSI_IMMEDIATE;
}

/* Bytes of additional header segments */
static inline uint32_t
iscsi_ahs_size(const uint8_t *bhs)
{
	return bhs[4] * 4u;
}

static inline uint32_t
iscsi_segment_size(const uint8_t *bhs)
{
	return get_be24(bhs + 5);
}

/* Bytes that fill the data segment up to a multiple of four */
static inline uint32_t
iscsi_padding(uint32_t size)
{
	return -size & 3;
}

/* Serial number arithmetic, RFC 1982: is a before b? */
static inline bool
iscsi_sn_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

/* A response: opcode, FINAL, data segment length, initiator task tag; the rest is zero. */
void iscsi_pdu_init(uint8_t bhs[ISCSI_BHS_SIZE], enum iscsi_opcode opcode, uint32_t n_segment,
		    uint32_t itt);

/* "SCSI Command"; "unknown". Static text. */
const char *iscsi_opcode_name(uint8_t opcode);

/*
 * The additional header segments of a SCSI Command: copies an extended CDB's bytes (those after the
 * first 16) to dst and tells how many there are; 0: none. -EPROTO: malformed. -EOPNOTSUPP: a
 * bidirectional command.
 */
int iscsi_ahs_parse(const uint8_t *ahs, size_t size, uint8_t *dst, size_t cap);

#endif
