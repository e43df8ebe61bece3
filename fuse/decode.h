/* Decoding of one request, shared by the two transports. Pure: no session, no allocation. */
#ifndef USERDRIVE_FUSE_DECODE_H
#define USERDRIVE_FUSE_DECODE_H

#include "fuse/session.h"

/* What INIT negotiated about layouts. */
struct fusek_layout {
	bool setxattr_ext; /* FUSE_SETXATTR_EXT */
	bool extensions;   /* minor >= 38: total_extlen is one, not padding */
};

/* From one message as read() returned it. 0 or -EPROTO; unique is valid when size >= 40. */
NODISCARD int fusek_decode_message(const struct fusek_layout *layout, const void *bytes,
				   size_t size, struct fusek_decode_scratch *scratch,
				   struct fusek_req *ret_req);

/*
 * From a ring entry: the header, the fixed structure in op_in (FUSE_URING_OP_IN_OUT_SZ bytes)
 * and the payload apart. The structure is copied to scratch, so that it outlives the entry.
 */
NODISCARD int fusek_decode_ring(const struct fusek_layout *layout,
				const struct fuse_in_header *header, const void *op_in,
				const void *payload, size_t payload_size,
				struct fusek_decode_scratch *scratch, struct fusek_req *ret_req);

/* False for FORGET, BATCH_FORGET, INTERRUPT, NOTIFY_REPLY: the kernel wants no answer. */
bool fusek_opcode_has_reply(uint32_t opcode);
/* "LOOKUP"; "?" for what the protocol does not know. */
const char *fusek_opcode_name(uint32_t opcode);

#endif
