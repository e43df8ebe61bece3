/* What is in WinSpd's messages, without sockets. */
#include "transport/local/door_priv.h"

#include <errno.h>
#include <strings.h>

/* A GUID travels as the structure has it: three little-endian numbers, then eight bytes. */
static void
guid_encode(const uint8_t text[16], uint8_t dst[16])
{
	static const uint8_t from[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};

	for (unsigned i = 0; i < sizeof(from); i++)
		dst[i] = text[from[i]];
}

static void
text_encode(const char *s, uint8_t *dst, size_t n)
{
	memset(dst, ' ', n);
	memcpy(dst, s, strnlen(s, n));
}

void
local_params_encode(const struct scsi_unit_params *p, uint64_t n_blocks,
		    uint8_t dst[LOCAL_PARAMS_SIZE])
{
	uint32_t flags = 0;

	flags |= p->write_protected ? LOCAL_PARAMS_WRITE_PROTECTED : 0;
	flags |= p->cache_supported ? LOCAL_PARAMS_CACHE : 0;
	flags |= p->unmap_supported ? LOCAL_PARAMS_UNMAP : 0;
	flags |= p->eject_disabled ? LOCAL_PARAMS_EJECT_DISABLED : 0;
	memset(dst, 0, LOCAL_PARAMS_SIZE);
	guid_encode(p->guid, dst);
	put_le64(dst + 16, n_blocks);
	put_le32(dst + 24, p->block_length);
	text_encode(p->product, dst + 28, 16);
	text_encode(p->revision, dst + 44, 4);
	put_le32(dst + 52, flags);
	put_le32(dst + 56, p->max_transfer);
}

void
local_request_decode(const uint8_t slot[LOCAL_SLOT_SIZE], struct local_request *ret)
{
	*ret = (struct local_request){.hint = get_le64(slot), .kind = slot[8]};
	if (ret->kind == SCSI_IO_UNMAP) {
		ret->n_blocks = get_le32(slot + 16);
		return;
	}
	ret->lba = get_le64(slot + 16);
	ret->n_blocks = get_le32(slot + 24);
	ret->fua = ret->kind != SCSI_IO_FLUSH && (get_le32(slot + 28) & LOCAL_REQUEST_FUA);
}

struct scsi_result
local_request_check(const struct local_request *r, size_t n_data, const struct scsi_unit_params *p)
{
	uint64_t size;

	if (r->hint == 0)
		return scsi_sense(SENSE_INVALID_FIELD_IN_CDB); /* nobody could know the answer */
	switch (r->kind) {
	case SCSI_IO_READ:
	case SCSI_IO_WRITE:
		size = (uint64_t)r->n_blocks * p->block_length;
		if (size > p->max_transfer)
			return scsi_sense(SENSE_INVALID_FIELD_IN_CDB);
		if (r->kind == SCSI_IO_WRITE && n_data < size)
			return scsi_sense(SENSE_PARAMETER_LIST_LENGTH);
		return scsi_good();
	case SCSI_IO_FLUSH:
		return scsi_good();
	case SCSI_IO_UNMAP:
		size = (uint64_t)r->n_blocks * LOCAL_RANGE_SIZE;
		if (size > p->max_transfer)
			return scsi_sense(SENSE_INVALID_FIELD_IN_PARAMETER_LIST);
		return n_data < size ? scsi_sense(SENSE_PARAMETER_LIST_LENGTH) : scsi_good();
	default:
		return scsi_sense(SENSE_INVALID_OPCODE);
	}
}

void
local_answer_encode(const struct local_request *r, struct scsi_result res,
		    uint8_t dst[LOCAL_SLOT_SIZE])
{
	memset(dst, 0, LOCAL_SLOT_SIZE);
	put_le64(dst, r->hint);
	dst[8] = r->kind;
	dst[16] = res.status;
	if (res.status != SCSI_CHECK_CONDITION)
		return;
	dst[17] = res.key;
	dst[18] = res.asc;
	dst[19] = res.ascq;
	if (res.info_valid) {
		put_le64(dst + 24, res.info);
		put_le32(dst + 44, LOCAL_ANSWER_INFO_VALID);
	}
}

static bool
is_component(const char *s, size_t n)
{
	return n > 0 && n <= NAME_MAX && !(n == 1 && s[0] == '.') &&
	       !(n == 2 && s[0] == '.' && s[1] == '.');
}

int
local_name_decode(const char *device_name, char *dst, size_t cap)
{
	const char *s = device_name;
	size_t n = strlen(door_local.prefix), length;

	if (strncasecmp(s, door_local.prefix, n) != 0)
		return -EINVAL;
	s += n;
	length = strcspn(s, "?");
	if (length == 0 || length >= cap)
		return -EINVAL;
	memcpy(dst, s, length);
	dst[length] = 0;
	for (char *p = dst; *p; p++)
		if (*p == '\\')
			*p = '/';
	for (const char *p = dst;; p += n + 1) {
		n = strcspn(p, "/");
		if (!is_component(p, n))
			return -EINVAL;
		if (p[n] == 0)
			return 0;
	}
}
