/*
 * The local door's two protocols, for both sides. Every message on both sockets has its length in
 * front: 32 bits, little-endian, not counting itself. All numbers are little-endian.
 *
 * RUNTIME_DIR/pipe/NAME/T: block requests in the messages of WinSpd's pipe. One client at a time;
 * others wait. The unit sends LOCAL_PARAMS_SIZE bytes of parameters, then the client requests, as
 * many as LOCAL_DEPTH_MAX at once, known by Hint; answers come in any order.
 *
 *	parameters   GUID@0 n_blocks:64@16 block_length:32@24 product[16]@28 revision[4]@44
 *	             device type:8@48 flags:32@52 max_transfer:32@56
 *	request      hint:64@0 kind:8@8 address:64@16 count:32@24 flags:32@28 (bit 0: FUA), or of an
 *	             UNMAP count:32@16; then the data of a WRITE, 16 bytes per range of an UNMAP
 *	answer       hint:64@0 kind:8@8 status:8@16 key:8 ASC:8 ASCQ:8 information:64@24
 *	             flags:32@44 (bit 8: information is valid); then the data of a READ that is GOOD
 *
 * Unlike WinSpd's, this side checks ranges, write protection and sizes, and answers what it refuses,
 * with the request's hint and kind and CHECK CONDITION; so nobody waits in vain. A message of an
 * impossible size ends the connection: what follows could not be told from it.
 *
 * RUNTIME_DIR/pipe/NAME/T.cdb: SCSI commands. Each connection is an I_T nexus; the unit is LUN 0.
 *
 *	hello        magic[8]@0 version:32@8 initiator:64@16 name[40]@24; both ways, the client's first.
 *	             initiator: the port's identity, which persistent reservations keep; 0: one is made
 *	             up. The unit's hello repeats what is in force, and has limit:32@12, the bytes of
 *	             data that a command may move.
 *	command      type:8@0 attribute:8@1 direction:8@2 n_cdb:8@3 expected:32@4 tag:64@8 lun:64@16
 *	             cdb[32]@24; then the data out, expected bytes
 *	management   type:8@0 function:8@1 tag:64@8 lun:64@16 task:64@24 (the tag of ABORT and QUERY TASK)
 *	answer       type:8@0 status:8@1 response:8@2 flags:8@3 residual:32@4 tag:64@8 n_sense:32@16
 *	             n_data:32@20; then sense, then data. A task that management has aborted is answered
 *	             TASK ABORTED, whatever TAS says: who waits here would wait for ever.
 *
 * attribute, direction, function and response are the numbers of scsi/target.h; lun is the value of
 * the 8-byte LUN field (0 for LUN 0).
 */
#ifndef USERDRIVE_TRANSPORT_LOCAL_PROTOCOL_H
#define USERDRIVE_TRANSPORT_LOCAL_PROTOCOL_H

#include "base/endian.h"

enum {
	LOCAL_LENGTH_SIZE = 4,
	LOCAL_DEPTH_MAX = 256, /* requests of one connection at once; more wait in the socket */

	LOCAL_PARAMS_SIZE = 128,
	LOCAL_PARAMS_WRITE_PROTECTED = 1 << 0,
	LOCAL_PARAMS_CACHE = 1 << 1,
	LOCAL_PARAMS_UNMAP = 1 << 2,
	LOCAL_PARAMS_EJECT_DISABLED = 1 << 3,
	LOCAL_SLOT_SIZE = 48, /* of requests and answers, without data */
	LOCAL_RANGE_SIZE = 16,
	LOCAL_REQUEST_FUA = 1 << 0,
	LOCAL_ANSWER_INFO_VALID = 1 << 8,

	LOCAL_CDB_VERSION = 1,
	LOCAL_CDB_HELLO_SIZE = 64,
	LOCAL_CDB_NAME_SIZE = 40,
	LOCAL_CDB_REQUEST_SIZE = 64,
	LOCAL_CDB_ANSWER_SIZE = 32,
	LOCAL_CDB_BYTES = 32, /* room for the CDB in a request */
	LOCAL_CDB_COMMAND = 1, /* types */
	LOCAL_CDB_MANAGEMENT = 2,
	LOCAL_CDB_UNDERFLOW = 1 << 0, /* flags: residual bytes were expected and did not move */
	LOCAL_CDB_OVERFLOW = 1 << 1   /* residual bytes would have moved, had they been expected */
};

#define LOCAL_CDB_MAGIC "UDRVCDB" /* with its NUL, 8 bytes */

struct local_cdb_hello {
	uint32_t version;
	uint32_t limit; /* bytes; the unit's only */
	uint64_t initiator;
	char name[LOCAL_CDB_NAME_SIZE + 1]; /* for logs */
};

struct local_cdb_request {
	uint8_t type;
	uint8_t attribute, direction, n_cdb; /* command */
	uint32_t expected;
	uint8_t cdb[LOCAL_CDB_BYTES];
	uint8_t function; /* management */
	uint64_t task;
	uint64_t tag, lun;
};

struct local_cdb_answer {
	uint8_t type, status, response, flags;
	uint32_t residual;
	uint64_t tag;
	uint32_t n_sense, n_data; /* bytes that follow */
};

static inline void
local_cdb_hello_encode(const struct local_cdb_hello *h, uint8_t dst[LOCAL_CDB_HELLO_SIZE])
{
	memset(dst, 0, LOCAL_CDB_HELLO_SIZE);
	memcpy(dst, LOCAL_CDB_MAGIC, 8);
	put_le32(dst + 8, h->version);
	put_le32(dst + 12, h->limit);
	put_le64(dst + 16, h->initiator);
	memcpy(dst + 24, h->name, strnlen(h->name, LOCAL_CDB_NAME_SIZE));
}

/* False: not a hello. */
static inline bool
local_cdb_hello_decode(const uint8_t *src, size_t size, struct local_cdb_hello *ret)
{
	if (size < LOCAL_CDB_HELLO_SIZE || memcmp(src, LOCAL_CDB_MAGIC, 8) != 0)
		return false;
	ret->version = get_le32(src + 8);
	ret->limit = get_le32(src + 12);
	ret->initiator = get_le64(src + 16);
	memcpy(ret->name, src + 24, LOCAL_CDB_NAME_SIZE);
	ret->name[LOCAL_CDB_NAME_SIZE] = 0;
	return true;
}

static inline void
local_cdb_request_encode(const struct local_cdb_request *r, uint8_t dst[LOCAL_CDB_REQUEST_SIZE])
{
	bool command = r->type == LOCAL_CDB_COMMAND;

	memset(dst, 0, LOCAL_CDB_REQUEST_SIZE);
	dst[0] = r->type;
	dst[1] = command ? r->attribute : r->function;
	put_le64(dst + 8, r->tag);
	put_le64(dst + 16, r->lun);
	if (!command) {
		put_le64(dst + 24, r->task);
		return;
	}
	dst[2] = r->direction;
	dst[3] = r->n_cdb;
	put_le32(dst + 4, r->expected);
	memcpy(dst + 24, r->cdb, LOCAL_CDB_BYTES);
}

/* False: too short, of an unknown type, or its CDB is longer than there is room. */
static inline bool
local_cdb_request_decode(const uint8_t *src, size_t size, struct local_cdb_request *ret)
{
	if (size < LOCAL_CDB_REQUEST_SIZE)
		return false;
	memset(ret, 0, sizeof(*ret));
	ret->type = src[0];
	ret->tag = get_le64(src + 8);
	ret->lun = get_le64(src + 16);
	if (ret->type == LOCAL_CDB_MANAGEMENT) {
		ret->function = src[1];
		ret->task = get_le64(src + 24);
		return true;
	}
	ret->attribute = src[1];
	ret->direction = src[2];
	ret->n_cdb = src[3];
	ret->expected = get_le32(src + 4);
	memcpy(ret->cdb, src + 24, LOCAL_CDB_BYTES);
	return ret->type == LOCAL_CDB_COMMAND && ret->n_cdb > 0 && ret->n_cdb <= LOCAL_CDB_BYTES;
}

static inline void
local_cdb_answer_encode(const struct local_cdb_answer *a, uint8_t dst[LOCAL_CDB_ANSWER_SIZE])
{
	memset(dst, 0, LOCAL_CDB_ANSWER_SIZE);
	dst[0] = a->type;
	dst[1] = a->status;
	dst[2] = a->response;
	dst[3] = a->flags;
	put_le32(dst + 4, a->residual);
	put_le64(dst + 8, a->tag);
	put_le32(dst + 16, a->n_sense);
	put_le32(dst + 20, a->n_data);
}

/* False: too short, or sense and data are not what follows. */
static inline bool
local_cdb_answer_decode(const uint8_t *src, size_t size, struct local_cdb_answer *ret)
{
	if (size < LOCAL_CDB_ANSWER_SIZE)
		return false;
	ret->type = src[0];
	ret->status = src[1];
	ret->response = src[2];
	ret->flags = src[3];
	ret->residual = get_le32(src + 4);
	ret->tag = get_le64(src + 8);
	ret->n_sense = get_le32(src + 16);
	ret->n_data = get_le32(src + 20);
	return size - LOCAL_CDB_ANSWER_SIZE == (uint64_t)ret->n_sense + ret->n_data;
}

#endif
