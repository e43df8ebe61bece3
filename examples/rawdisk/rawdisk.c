/* From parameters to a storage unit and back. */
#include "examples/rawdisk/rawdisk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/endian.h"
#include "base/status/errno.h"

enum { TRANSFER_MAX = 1 << 20 }; /* bytes of a request; WinSpd's rawdisk has 64 KiB */

/* Text order to the structure that Windows knows. */
static GUID
guid_of(const uint8_t bytes[16])
{
	GUID guid = {.Data1 = get_be32(bytes), .Data2 = get_be16(bytes + 4),
		     .Data3 = get_be16(bytes + 6)};

	memcpy(guid.Data4, bytes + 8, 8);
	return guid;
}

static void
pad(UINT8 *dst, size_t n, const char *text)
{
	memset(dst, ' ', n);
	memcpy(dst, text, strnlen(text, n));
}

static SPD_STORAGE_UNIT_PARAMS
unit_params(const struct rd *rd, const struct rd_params *p)
{
	SPD_STORAGE_UNIT_PARAMS params = {
		.Guid = guid_of(rd->identity.guid),
		.BlockCount = atomic_load(&rd->n_blocks),
		.BlockLength = rd->block_length,
		.WriteProtected = rd->write_protected,
		.CacheSupported = !p->no_cache,
		.UnmapSupported = !p->no_unmap,
		.MaxTransferLength = TRANSFER_MAX - TRANSFER_MAX % rd->block_length,
	};

	pad(params.ProductId, sizeof(params.ProductId), p->product);
	pad(params.ProductRevisionLevel, sizeof(params.ProductRevisionLevel), p->revision);
	return params;
}

/* Reservations that are to outlive a power loss are kept beside the image, where that may be. */
static bool
state_path(const struct rd *rd, char *dst, size_t cap)
{
	/* What lies in /dev is gone with the next start of the machine. */
	if (rd->is_device)
		return false;
	rd_sidecar_path(rd, ".pr", dst, cap);
	if (access(dst, W_OK) == 0)
		return true;
	char *slash = strrchr(dst, '/'), first = slash[1];
	slash[1] = '\0';
	bool may_write = access(dst, W_OK) == 0;
	slash[1] = first;
	return may_write;
}

static DWORD
set_options(struct rd *rd, const struct rd_params *p)
{
	char path[sizeof(rd->path) + 16];
	SPDX_UNIT_OPTIONS options = {
		.Size = sizeof(options),
		.PhysicalBlockLength = p->physical_length,
		.RotationRate = 1,
		.Removable = p->removable,
		.UnmapZeroes = !p->no_unmap,
		.StatePath = state_path(rd, path, sizeof(path)) ? path : NULL,
	};

	return SpdxStorageUnitSetOptions(rd->unit, &options);
}

static DWORD
create_unit(struct rd *rd, const struct rd_params *p, PWSTR device_name)
{
	SPD_STORAGE_UNIT_PARAMS params = unit_params(rd, p);

	rd_interface_fill(&rd->interface);
	DWORD error = SpdStorageUnitCreate(device_name, &params, &rd->interface, &rd->unit);
	if (error != ERROR_SUCCESS)
		return error;
	rd->unit->UserContext = rd;
	return set_options(rd, p);
}

DWORD
rd_create(const struct rd_params *p, PWSTR device_name, struct rd **ret_rd, char *error,
	  size_t cap)
{
	struct rd *rd = calloc(1, sizeof(*rd));

	if (!rd)
		return ERROR_NOT_ENOUGH_MEMORY;
	rd->may_unmap = !p->no_unmap;
	rd->no_cache = p->no_cache;
	int err = rd_image_open(rd, p, error, cap);
	if (err) {
		free(rd);
		return win32_from_nt(nt_from_errno(-err));
	}
	DWORD result = create_unit(rd, p, device_name);
	if (result != ERROR_SUCCESS) {
		if (SpdxLastError()[0])
			snprintf(error, cap, "%s", SpdxLastError());
		SpdStorageUnitDelete(rd->unit);
		rd_image_close(rd, true);
		free(rd);
		return result;
	}
	*ret_rd = rd;
	return ERROR_SUCCESS;
}

void
rd_delete(struct rd *rd)
{
	/* Nobody can have written to a disk that was never served. */
	bool was_served = rd->unit->DispatcherThread != NULL;

	SpdStorageUnitDelete(rd->unit);
	rd_image_close(rd, !was_served);
	free(rd);
}
