/* SPD_STORAGE_UNIT_PARAMS: the rules of provisioning, and the unit's own form. */
#include "api/winspd/priv.h"

#include <string.h>
#include "base/endian.h"

enum { BLOCK_LENGTH_MIN = 16 };

bool
spd_guid_equal(const GUID *a, const GUID *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

DWORD
spd_params_check(const SPD_STORAGE_UNIT_PARAMS *params)
{
	static const GUID none;

	if (spd_guid_equal(&params->Guid, &none))
		return spd_fail(ERROR_INVALID_PARAMETER, "the storage unit has no Guid");
	if (params->BlockCount == 0)
		return spd_fail(ERROR_INVALID_PARAMETER, "BlockCount is 0");
	if (params->BlockLength < BLOCK_LENGTH_MIN)
		return spd_fail(ERROR_INVALID_PARAMETER, "BlockLength %u is less than %d",
				params->BlockLength, BLOCK_LENGTH_MIN);
	if (params->DeviceType != 0)
		return spd_fail(ERROR_INVALID_PARAMETER,
				"DeviceType %u: only 0, direct access, is there",
				params->DeviceType);
	if (params->MaxTransferLength == 0 || params->MaxTransferLength % params->BlockLength)
		return spd_fail(ERROR_INVALID_PARAMETER,
				"MaxTransferLength %u is not a multiple of BlockLength %u",
				params->MaxTransferLength, params->BlockLength);
	return ERROR_SUCCESS;
}

/* From the first unprintable character on there are spaces, which the unit adds by itself. */
static void
convert_text(const UINT8 *src, size_t n, char *dst)
{
	size_t length = 0;

	while (length < n && src[length] >= 0x20 && src[length] <= 0x7e)
		length++;
	while (length > 0 && src[length - 1] == ' ')
		length--;
	memcpy(dst, src, length);
	dst[length] = 0;
}

/* In the order of its text: Data1-Data2-Data3-Data4. */
static void
convert_guid(const GUID *guid, uint8_t dst[16])
{
	put_be32(dst, guid->Data1);
	put_be16(dst + 4, guid->Data2);
	put_be16(dst + 6, guid->Data3);
	memcpy(dst + 8, guid->Data4, sizeof(guid->Data4));
}

void
spd_params_convert(const SPD_STORAGE_UNIT_PARAMS *params, struct scsi_unit_params *ret)
{
	memset(ret, 0, sizeof(*ret));
	convert_guid(&params->Guid, ret->guid);
	convert_text((const UINT8 *)SPD_IOCTL_VENDOR_ID, 8, ret->vendor);
	convert_text(params->ProductId, sizeof(params->ProductId), ret->product);
	convert_text(params->ProductRevisionLevel, sizeof(params->ProductRevisionLevel),
		     ret->revision);
	ret->n_blocks = params->BlockCount;
	ret->block_length = params->BlockLength;
	ret->max_transfer = params->MaxTransferLength;
	ret->write_protected = params->WriteProtected;
	ret->cache_supported = params->CacheSupported;
	ret->unmap_supported = params->UnmapSupported;
	ret->eject_disabled = params->EjectDisabled;
}
