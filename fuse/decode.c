/*
 * The table of operations, and the one decoder both transports use. Everything that comes out
 * (arg, names, data, ext) lies inside the bytes that went in, or in the caller's scratch.
 */
#include "fuse/decode.h"

#include <errno.h>
#include <string.h>

enum { OP_NO_REPLY = 1, OP_HAS_DATA = 2 };

struct op_row {
	const char *name;
	uint8_t arg_size;     /* of the current structure: what the handler sees */
	uint8_t arg_size_min; /* of the shortest one within 7.31..7.45 */
	uint8_t n_names;
	uint8_t flags;
};

#define ROW(op, arg, min, names, bits) [FUSE_##op] = {#op, arg, min, names, bits}
#define FIXED(op, type, names, bits)                                                     \
	ROW(op, sizeof(struct type), sizeof(struct type), names, bits)

static const struct op_row rows[FUSE_OPCODE_LIMIT] = {
	ROW(LOOKUP, 0, 0, 1, 0),
	FIXED(FORGET, fuse_forget_in, 0, OP_NO_REPLY),
	FIXED(GETATTR, fuse_getattr_in, 0, 0),
	FIXED(SETATTR, fuse_setattr_in, 0, 0),
	ROW(READLINK, 0, 0, 0, 0),
	ROW(SYMLINK, 0, 0, 2, 0),
	FIXED(MKNOD, fuse_mknod_in, 1, 0),
	FIXED(MKDIR, fuse_mkdir_in, 1, 0),
	ROW(UNLINK, 0, 0, 1, 0),
	ROW(RMDIR, 0, 0, 1, 0),
	FIXED(RENAME, fuse_rename_in, 2, 0),
	FIXED(LINK, fuse_link_in, 1, 0),
	FIXED(OPEN, fuse_open_in, 0, 0),
	FIXED(READ, fuse_read_in, 0, 0),
	FIXED(WRITE, fuse_write_in, 0, OP_HAS_DATA),
	ROW(STATFS, 0, 0, 0, 0),
	FIXED(RELEASE, fuse_release_in, 0, 0),
	FIXED(FSYNC, fuse_fsync_in, 0, 0),
	ROW(SETXATTR, sizeof(struct fuse_setxattr_in), FUSE_COMPAT_SETXATTR_IN_SIZE, 1,
	    OP_HAS_DATA),
	FIXED(GETXATTR, fuse_getxattr_in, 1, 0),
	FIXED(LISTXATTR, fuse_getxattr_in, 0, 0),
	ROW(REMOVEXATTR, 0, 0, 1, 0),
	FIXED(FLUSH, fuse_flush_in, 0, 0),
	ROW(INIT, sizeof(struct fuse_init_in), FUSE_COMPAT_INIT_IN_SIZE, 0, 0),
	FIXED(OPENDIR, fuse_open_in, 0, 0),
	FIXED(READDIR, fuse_read_in, 0, 0),
	FIXED(RELEASEDIR, fuse_release_in, 0, 0),
	FIXED(FSYNCDIR, fuse_fsync_in, 0, 0),
	FIXED(GETLK, fuse_lk_in, 0, 0),
	FIXED(SETLK, fuse_lk_in, 0, 0),
	FIXED(SETLKW, fuse_lk_in, 0, 0),
	FIXED(ACCESS, fuse_access_in, 0, 0),
	FIXED(CREATE, fuse_create_in, 1, 0),
	FIXED(INTERRUPT, fuse_interrupt_in, 0, OP_NO_REPLY),
	FIXED(BMAP, fuse_bmap_in, 0, 0),
	ROW(DESTROY, 0, 0, 0, 0),
	FIXED(IOCTL, fuse_ioctl_in, 0, OP_HAS_DATA),
	FIXED(POLL, fuse_poll_in, 0, 0),
	FIXED(NOTIFY_REPLY, fuse_notify_retrieve_in, 0, OP_NO_REPLY | OP_HAS_DATA),
	FIXED(BATCH_FORGET, fuse_batch_forget_in, 0, OP_NO_REPLY | OP_HAS_DATA),
	FIXED(FALLOCATE, fuse_fallocate_in, 0, 0),
	FIXED(READDIRPLUS, fuse_read_in, 0, 0),
	FIXED(RENAME2, fuse_rename2_in, 2, 0),
	FIXED(LSEEK, fuse_lseek_in, 0, 0),
	FIXED(COPY_FILE_RANGE, fuse_copy_file_range_in, 0, 0),
	FIXED(SETUPMAPPING, fuse_setupmapping_in, 0, 0),
	FIXED(REMOVEMAPPING, fuse_removemapping_in, 0, OP_HAS_DATA),
	FIXED(SYNCFS, fuse_syncfs_in, 0, 0),
	FIXED(TMPFILE, fuse_create_in, 1, 0),
	FIXED(STATX, fuse_statx_in, 0, 0),
	FIXED(COPY_FILE_RANGE_64, fuse_copy_file_range_in, 0, 0),
};

static const struct op_row *
row_of(uint32_t opcode)
{
	return opcode < FUSE_OPCODE_LIMIT && rows[opcode].name ? &rows[opcode] : NULL;
}

bool
fusek_opcode_has_reply(uint32_t opcode)
{
	const struct op_row *row = row_of(opcode);

	return !row || !(row->flags & OP_NO_REPLY);
}

const char *
fusek_opcode_name(uint32_t opcode)
{
	const struct op_row *row = row_of(opcode);

	return row ? row->name : "?";
}

/* How many bytes this connection sends for the fixed structure; what may follow is cut off. */
static size_t
arg_size_on_wire(const struct fusek_layout *layout, uint32_t opcode, const struct op_row *row,
		 size_t left)
{
	if (opcode == FUSE_SETXATTR && !layout->setxattr_ext)
		return FUSE_COMPAT_SETXATTR_IN_SIZE;
	/* INIT comes before anything is negotiated, and nothing follows it. */
	if (opcode == FUSE_INIT && left < row->arg_size)
		return row->arg_size_min;
	return row->arg_size;
}

static void
header_to_req(const struct fuse_in_header *header, struct fusek_req *req)
{
	memset(req, 0, sizeof(*req));
	req->opcode = header->opcode;
	req->unique = header->unique;
	req->nodeid = header->nodeid;
	req->uid = header->uid;
	req->gid = header->gid;
	req->pid = header->pid;
}

/* The length that the fixed structure announces must be there, and is what data_size says. */
static int
check_data(struct fusek_req *req)
{
	uint64_t announced = req->data_size;

	switch (req->opcode) {
	case FUSE_WRITE:
		announced = ((const struct fuse_write_in *)req->arg)->size;
		break;
	case FUSE_SETXATTR:
		announced = ((const struct fuse_setxattr_in *)req->arg)->size;
		break;
	case FUSE_IOCTL:
		announced = ((const struct fuse_ioctl_in *)req->arg)->in_size;
		break;
	case FUSE_NOTIFY_REPLY:
		announced = ((const struct fuse_notify_retrieve_in *)req->arg)->size;
		break;
	case FUSE_BATCH_FORGET:
		announced = (uint64_t)((const struct fuse_batch_forget_in *)req->arg)->count *
			    sizeof(struct fuse_forget_one);
		break;
	case FUSE_REMOVEMAPPING:
		announced = (uint64_t)((const struct fuse_removemapping_in *)req->arg)->count *
			    sizeof(struct fuse_removemapping_one);
		break;
	}
	if (announced > req->data_size)
		return -EPROTO;
	req->data_size = (uint32_t)announced;
	return 0;
}

/* Splits the extension area off the end, then names off the front; the rest is data. */
static int
split_payload(const struct fusek_layout *layout, const struct op_row *row,
	      const struct fuse_in_header *header, const char *payload, size_t size,
	      struct fusek_req *req)
{
	const char *names[2] = {NULL, NULL};
	size_t ext_size = layout->extensions ? (size_t)header->total_extlen * 8 : 0;

	req->payload = payload;
	req->payload_size = (uint32_t)size;
	if (ext_size > size)
		return -EPROTO;
	size -= ext_size;
	if (ext_size) {
		req->ext = payload + size;
		req->ext_size = (uint32_t)ext_size;
	}
	for (unsigned int i = 0; i < row->n_names; i++) {
		const char *end = size ? memchr(payload, 0, size) : NULL;
		if (!end)
			return -EPROTO;
		names[i] = payload;
		size -= (size_t)(end + 1 - payload);
		payload = end + 1;
	}
	req->name = names[0];
	req->name2 = names[1];
	req->data = payload;
	req->data_size = (uint32_t)size;
	return row->flags & OP_HAS_DATA ? check_data(req) : 0;
}

/* The area is a list of extensions, each with its size; not aligned (it follows a name). */
bool
fusek_req_group(const struct fusek_req *req, uint32_t *ret_gid)
{
	const size_t least = sizeof(struct fuse_ext_header) + sizeof(struct fuse_supp_groups);
	struct fuse_ext_header header;
	struct fuse_supp_groups groups;
	const char *at = req->ext;
	size_t left = req->ext_size;

	for (; left >= sizeof(header); at += header.size, left -= header.size) {
		memcpy(&header, at, sizeof(header));
		if (header.size < sizeof(header) || header.size > left)
			return false;
		if (header.type != FUSE_EXT_GROUPS || header.size < least + sizeof(uint32_t))
			continue;
		memcpy(&groups, at + sizeof(header), sizeof(groups));
		if (groups.nr_groups == 0)
			continue;
		memcpy(ret_gid, at + least, sizeof(*ret_gid));
		return true;
	}
	return false;
}

int
fusek_decode_message(const struct fusek_layout *layout, const void *bytes, size_t size,
		     struct fusek_decode_scratch *scratch, struct fusek_req *ret_req)
{
	struct fuse_in_header header;
	const char *body = (const char *)bytes + sizeof(header);

	if (size < sizeof(header) || size > UINT32_MAX)
		return -EPROTO;
	memcpy(&header, bytes, sizeof(header));
	header_to_req(&header, ret_req);
	const struct op_row *row = row_of(header.opcode);
	if (header.len != size || !row)
		return -EPROTO;

	size_t left = size - sizeof(header);
	size_t on_wire = arg_size_on_wire(layout, header.opcode, row, left);
	if (on_wire > left)
		return -EPROTO;
	if (on_wire == row->arg_size) {
		ret_req->arg = body;
	} else {
		memset(scratch->arg, 0, row->arg_size);
		memcpy(scratch->arg, body, on_wire);
		ret_req->arg = scratch->arg;
	}
	ret_req->arg_size = row->arg_size;
	return split_payload(layout, row, &header, body + on_wire, left - on_wire, ret_req);
}

int
fusek_decode_ring(const struct fusek_layout *layout, const struct fuse_in_header *header,
		  const void *op_in, const void *payload, size_t payload_size,
		  struct fusek_decode_scratch *scratch, struct fusek_req *ret_req)
{
	const struct op_row *row = row_of(header->opcode);

	header_to_req(header, ret_req);
	if (!row || payload_size > UINT32_MAX)
		return -EPROTO;
	size_t on_wire = arg_size_on_wire(layout, header->opcode, row, SIZE_MAX);
	memset(scratch->arg, 0, row->arg_size);
	memcpy(scratch->arg, op_in, on_wire);
	ret_req->arg = scratch->arg;
	ret_req->arg_size = row->arg_size;
	return split_payload(layout, row, header, payload, payload_size, ret_req);
}

int
fusek_decode(const void *bytes, size_t size, struct fusek_decode_scratch *scratch,
	     struct fusek_req *ret_req)
{
	static const struct fusek_layout current = {.setxattr_ext = true, .extensions = true};

	return fusek_decode_message(&current, bytes, size, scratch, ret_req);
}
