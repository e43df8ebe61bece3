/* Errors: Win32 codes, and a line of text per thread. */
#include "api/winspd/priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/status/errno.h"

static _Thread_local char last_error[SPD_ERROR_MAX];
static _Thread_local int last_door_errno;

void
spd_clear_error(void)
{
	last_error[0] = 0;
	last_door_errno = 0;
}

int
spd_last_door_errno(void)
{
	return last_door_errno;
}

const char *
SpdxLastError(VOID)
{
	return last_error;
}

DWORD
spd_fail(DWORD error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(last_error, sizeof(last_error), fmt, ap);
	va_end(ap);
	return error;
}

DWORD
spd_fail_errno(int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(last_error, sizeof(last_error), fmt, ap);
	va_end(ap);
	return spd_win32_from_errno(err);
}

DWORD
spd_fail_door(const struct scsi_door_error *error)
{
	snprintf(last_error, sizeof(last_error), "%s", error->text);
	last_door_errno = error->err;
	return spd_win32_from_errno(error->err);
}

/* Where a storage unit's caller expects another code than a file's. */
DWORD
spd_win32_from_errno(int err)
{
	if (err < 0)
		err = -err;
	switch (err) {
	case 0:
		return ERROR_SUCCESS;
	case EINVAL:
		return ERROR_INVALID_PARAMETER;
	case EEXIST:
		return ERROR_ALREADY_EXISTS;
	case EBUSY:
		return ERROR_DEVICE_IN_USE;
	case EADDRINUSE:
		return ERROR_ADDRESS_ALREADY_ASSOCIATED;
	case ENODEV:
	case ENXIO:
		return ERROR_DEV_NOT_EXIST;
	case EOPNOTSUPP:
	case ENOSYS:
		return ERROR_NOT_SUPPORTED;
	case EPERM:
	case EACCES:
		return ERROR_ACCESS_DENIED;
	case ENAMETOOLONG:
		return ERROR_FILENAME_EXCED_RANGE;
	case ENOMEM:
	case EAGAIN:
		return ERROR_NO_SYSTEM_RESOURCES;
	default:
		return win32_from_nt(nt_from_errno(err));
	}
}
