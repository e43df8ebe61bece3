/*
 * A request and its response, side by side on the caller's stack: 32 KiB of which only the headers
 * are cleared. Building is bounded by the sizes of the contract; what comes back is believed only
 * through the functions here.
 */
#ifndef USERDRIVE_FS_MESSAGE_PRIV_H
#define USERDRIVE_FS_MESSAGE_PRIV_H

#include "fs/contract.h"

struct fs_volume;
struct fs_entry;

struct fs_message {
	_Alignas(8) uint8_t req_bytes[FS_REQ_SIZE_MAX];
	_Alignas(8) uint8_t rsp_bytes[FS_RSP_SIZE_MAX];
};

static inline struct fs_req *
fs_message_req(struct fs_message *m)
{
	return (struct fs_req *)m->req_bytes;
}

static inline struct fs_rsp *
fs_message_rsp(struct fs_message *m)
{
	return (struct fs_rsp *)m->rsp_bytes;
}

struct fs_req *fs_message_init(struct fs_message *m, enum fs_kind kind);
/* Appends bytes (at a multiple of 8); false when the message would be too large. */
NODISCARD bool fs_message_put(struct fs_message *m, const void *bytes, size_t size,
			      struct fs_buf *ret_buf);
/* The same for a name, with a NUL that counts. */
NODISCARD bool fs_message_put_name(struct fs_message *m, const uint16_t *name, size_t n_units,
				   struct fs_buf *ret_buf);
/* The file name of the request; it is the first thing put. */
NODISCARD bool fs_message_set_name(struct fs_message *m, const uint16_t *name, size_t n_units);
/* The same from an entry, under the table lock. */
NODISCARD bool fs_message_set_entry(struct fs_volume *volume, struct fs_message *m,
				    struct fs_entry *entry);
/* Room for cap units at the start of the buffer, for a name that is built in place. */
uint16_t *fs_message_name_space(struct fs_message *m, size_t *ret_cap_units);
/* Units of the file name without its NUL. */
size_t fs_message_name_units(struct fs_message *m);

/* Asks the program. What comes back is a status that a caller may see; a response whose header
 * makes no sense is STATUS_INTERNAL_ERROR. */
NODISCARD NTSTATUS fs_message_send(struct fs_volume *volume, struct fs_message *m);
/* The bytes of a response buffer, or NULL when it does not lie inside the response. */
const void *fs_message_data(struct fs_message *m, struct fs_buf buf);

#endif
