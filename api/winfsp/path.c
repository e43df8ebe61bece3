/* Paths in place, and between the two worlds. */
#include "api/winfsp/priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/text/names.h"

static PWSTR
skip_slashes(PWSTR s)
{
	while (*s == '\\')
		s++;
	return s;
}

VOID
FspPathPrefix(PWSTR Path, PWSTR *PPrefix, PWSTR *PRemain, PWSTR Root)
{
	PWSTR s = Path;

	while (*s && *s != '\\')
		s++;
	*PPrefix = s == Path && *s ? Root : Path;
	*PRemain = skip_slashes(s);
	if (*s)
		*s = 0;
}

VOID
FspPathSuffix(PWSTR Path, PWSTR *PRemain, PWSTR *PSuffix, PWSTR Root)
{
	PWSTR s = Path, cut = NULL, suffix = NULL;

	while (*s) {
		if (*s != '\\') {
			s++;
			continue;
		}
		cut = s;
		s = suffix = skip_slashes(s);
	}
	*PRemain = cut == Path ? Root : Path;
	*PSuffix = cut ? suffix : s;
	if (cut)
		*cut = 0;
}

VOID
FspPathCombine(PWSTR Prefix, PWSTR Suffix)
{
	for (PWSTR s = Prefix; s < Suffix; s++)
		if (*s == 0)
			*s = '\\';
}

/* ---------------------------------------------------------------- POSIX */

/* Characters that POSIX names may have and NT names may not travel as U+F000|c. */
static bool
is_private(WCHAR c)
{
	static const char invalid[] = "\"*:<>?\\|";

	c &= 0xff;
	return c != 0 && (c < 0x20 || (c < 0x80 && strchr(invalid, c)));
}

VOID
FspPosixEncodeWindowsPath(PWSTR WindowsPath, ULONG Size)
{
	for (PWSTR s = WindowsPath, end = s + Size; s < end; s++) {
		if (*s == '\\')
			*s = '/';
		else if ((*s & 0xff00) == 0xf000)
			*s &= 0xff;
	}
}

VOID
FspPosixDecodeWindowsPath(PWSTR WindowsPath, ULONG Size)
{
	for (PWSTR s = WindowsPath, end = s + Size; s < end; s++) {
		if (*s == '/')
			*s = '\\';
		else if (*s < 0x80 && is_private(*s))
			*s |= 0xf000;
	}
}

NTSTATUS
FspPosixMapWindowsToPosixPathEx(PWSTR WindowsPath, char **PPosixPath, BOOLEAN Translate)
{
	size_t n = utf16_len(WindowsPath);
	char *path;
	int size;

	*PPosixPath = NULL;
	if (!Translate)
		return utf8_from_utf16(WindowsPath, PPosixPath) < 0
			       ? STATUS_INSUFFICIENT_RESOURCES
			       : STATUS_SUCCESS;
	size = name_to_posix(WindowsPath, n, TEXT_PATH, NULL, 0);
	path = size < 0 ? NULL : malloc((size_t)size + 1);
	if (!path)
		return STATUS_INSUFFICIENT_RESOURCES;
	size = name_to_posix(WindowsPath, n, TEXT_PATH, path, (size_t)size);
	path[MAX(size, 0)] = 0;
	*PPosixPath = path;
	return STATUS_SUCCESS;
}

NTSTATUS
FspPosixMapPosixToWindowsPathEx(const char *PosixPath, PWSTR *PWindowsPath, BOOLEAN Translate)
{
	size_t n = strlen(PosixPath);
	WCHAR *path;
	int units;

	*PWindowsPath = NULL;
	if (!Translate) {
		int err = utf16_from_utf8(PosixPath, PWindowsPath);

		if (err == -EILSEQ)
			return STATUS_OBJECT_NAME_INVALID;
		return err < 0 ? STATUS_INSUFFICIENT_RESOURCES : STATUS_SUCCESS;
	}
	units = name_from_posix(PosixPath, n, TEXT_PATH, NULL, 0);
	path = units < 0 ? NULL : calloc((size_t)units + 1, sizeof(*path));
	if (!path)
		return STATUS_INSUFFICIENT_RESOURCES;
	units = name_from_posix(PosixPath, n, TEXT_PATH, path, (size_t)units);
	path[MAX(units, 0)] = 0;
	*PWindowsPath = path;
	return STATUS_SUCCESS;
}

VOID
FspPosixDeletePath(void *Path)
{
	free(Path);
}
