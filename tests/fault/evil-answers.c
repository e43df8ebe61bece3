/*
 * evilfs: operations that lie. Names, and what the lie is:
 *
 *	evil-read-long, -huge, -short     claims a byte more than asked, 2^32-1, gives at most 3
 *	evil-write-long, -huge, -zero     claims a byte more than given, 2^32-1, none
 *	evil-size-max, -top               sizes 2^64-1, 2^63
 *	evil-times-max, evil-links-max    times 2^64-1; 2^32-1 links
 *	evil-attributes-all               every attribute bit: also those of another type of file
 *	evil-sd-garbage, -long, -empty    descriptors of A5h bytes, larger than the buffer, empty
 *	evil-reparse-garbage, -long, -short, -names, -loop
 *	evil-ea-loop, -cut, -noterm, -long, -garbage
 *	evil-streams-long, -garbage, -sizes, -names
 *	evil-listing-stuck, -cycle, -names, -sizes, -long, -garbage, -none   (directories)
 */
#include "tests/fault/evilfs.h"

#include <string.h>

static const FSP_FILE_SYSTEM_INTERFACE *base;

static bool
is(const char *name, const char *what)
{
	return strcmp(name, what) == 0;
}

static bool
begins(const char *name, const char *what)
{
	return strncmp(name, what, strlen(what)) == 0;
}

/* ---------------------------------------------------------------- data */

static NTSTATUS
read_file(FSP_FILE_SYSTEM *fs, PVOID context, PVOID buffer, UINT64 offset, ULONG length,
	  PULONG ret_bytes)
{
	char name[EVIL_NAME_MAX + 1];

	evil_name_of_context(context, name);
	if (is(name, "evil-read-short") && length > 3)
		length = 3;
	NTSTATUS st = base->Read(fs, context, buffer, offset, length, ret_bytes);
	if (is(name, "evil-read-long"))
		*ret_bytes = length + 1;
	else if (is(name, "evil-read-huge"))
		*ret_bytes = 0xffffffff;
	return st;
}

static NTSTATUS
write_file(FSP_FILE_SYSTEM *fs, PVOID context, PVOID buffer, UINT64 offset, ULONG length,
	   BOOLEAN to_end, BOOLEAN constrained, PULONG ret_bytes, FSP_FSCTL_FILE_INFO *info)
{
	char name[EVIL_NAME_MAX + 1];

	evil_name_of_context(context, name);
	NTSTATUS st = base->Write(fs, context, buffer, offset, length, to_end, constrained,
				  ret_bytes, info);
	if (is(name, "evil-write-long"))
		*ret_bytes = length + 1;
	else if (is(name, "evil-write-huge"))
		*ret_bytes = 0xffffffff;
	else if (is(name, "evil-write-zero"))
		*ret_bytes = 0;
	return st;
}

/* ---------------------------------------------------------------- information */

static void
spoil_info(const char *name, FSP_FSCTL_FILE_INFO *info)
{
	if (is(name, "evil-size-max")) {
		info->FileSize = UINT64_MAX;
		info->AllocationSize = UINT64_MAX;
	} else if (is(name, "evil-size-top")) {
		info->FileSize = 1ull << 63;
	} else if (is(name, "evil-times-max")) {
		info->CreationTime = info->LastAccessTime = UINT64_MAX;
		info->LastWriteTime = info->ChangeTime = UINT64_MAX;
	} else if (is(name, "evil-links-max")) {
		info->HardLinks = 0xffffffff;
	} else if (is(name, "evil-attributes-all")) {
		info->FileAttributes = 0xffffffff;
		info->ReparseTag = 0xffffffff;
	} else if (begins(name, "evil-reparse-")) {
		info->FileAttributes |= FILE_ATTRIBUTE_REPARSE_POINT;
		info->ReparseTag = IO_REPARSE_TAG_SYMLINK;
	} else if (begins(name, "evil-ea-")) {
		info->EaSize = 64;
	}
}

static NTSTATUS
get_file_info(FSP_FILE_SYSTEM *fs, PVOID context, FSP_FSCTL_FILE_INFO *info)
{
	char name[EVIL_NAME_MAX + 1];

	evil_name_of_context(context, name);
	NTSTATUS st = base->GetFileInfo(fs, context, info);
	spoil_info(name, info);
	return st;
}

/* ---------------------------------------------------------------- descriptors */

static NTSTATUS
spoil_sd(const char *name, PSECURITY_DESCRIPTOR sd, SIZE_T cap, SIZE_T *size, NTSTATUS st)
{
	if (!size || !NT_SUCCESS(st))
		return st;
	if (is(name, "evil-sd-garbage")) {
		*size = 40;
		if (cap < *size)
			return STATUS_BUFFER_OVERFLOW;
		memset(sd, 0xa5, *size);
	} else if (is(name, "evil-sd-long")) {
		*size = cap + 0x10000000;
	} else if (is(name, "evil-sd-empty")) {
		*size = 0;
	}
	return st;
}

static NTSTATUS
get_security(FSP_FILE_SYSTEM *fs, PVOID context, PSECURITY_DESCRIPTOR sd, SIZE_T *size)
{
	SIZE_T cap = *size;
	char name[EVIL_NAME_MAX + 1];

	evil_name_of_context(context, name);
	NTSTATUS st = base->GetSecurity(fs, context, sd, size);
	return spoil_sd(name, sd, cap, size, st);
}

static NTSTATUS
get_security_by_name(FSP_FILE_SYSTEM *fs, PWSTR path, PUINT32 attributes, PSECURITY_DESCRIPTOR sd,
		     SIZE_T *size)
{
	SIZE_T cap = size ? *size : 0;
	char name[EVIL_NAME_MAX + 1];

	evil_name_of_path(path, name);
	NTSTATUS st = base->GetSecurityByName(fs, path, attributes, sd, size);
	return spoil_sd(name, sd, cap, size, st);
}

static FSPX_GET_INFO_BY_NAME *base_info_by_name;

static NTSTATUS
get_info_by_name(FSP_FILE_SYSTEM *fs, PWSTR path, FSP_FSCTL_FILE_INFO *info,
		 PSECURITY_DESCRIPTOR sd, SIZE_T *size)
{
	SIZE_T cap = size ? *size : 0;
	char name[EVIL_NAME_MAX + 1];

	evil_name_of_path(path, name);
	NTSTATUS st = evil_before(name, "stat");
	if (st != STATUS_SUCCESS)
		return st;
	st = base_info_by_name(fs, path, info, sd, size);
	if (NT_SUCCESS(st))
		spoil_info(name, info);
	return spoil_sd(name, sd, cap, size, st);
}

/* ---------------------------------------------------------------- reparse points */

static void
put16(UINT8 *at, UINT16 value)
{
	memcpy(at, &value, sizeof(value));
}

static void
put32(UINT8 *at, UINT32 value)
{
	memcpy(at, &value, sizeof(value));
}

/* A symbolic link to target (relative); returns its size. */
static SIZE_T
put_symlink(UINT8 *at, PCWSTR target)
{
	UINT16 n = (UINT16)(wide_len(target) * sizeof(WCHAR));

	put32(at, IO_REPARSE_TAG_SYMLINK);
	put16(at + 4, (UINT16)(12 + n)); /* data length */
	put16(at + 6, 0);
	put16(at + 8, 0); /* substitute name: offset, length */
	put16(at + 10, n);
	put16(at + 12, 0); /* print name */
	put16(at + 14, n);
	put32(at + 16, 1); /* relative */
	memcpy(at + 20, target, n);
	return 20u + n;
}

static NTSTATUS
get_reparse(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR path, PVOID buffer, PSIZE_T size)
{
	SIZE_T cap = *size;
	UINT8 *at = buffer;
	char name[EVIL_NAME_MAX + 1];

	evil_name_of_path(path, name);
	if (!begins(name, "evil-reparse-"))
		return base->GetReparsePoint(fs, context, path, buffer, size);
	if (!buffer || cap < 256)
		return STATUS_BUFFER_TOO_SMALL;
	*size = put_symlink(at, u"evil-reparse-loop");
	if (is(name, "evil-reparse-garbage")) {
		memset(at, 0xff, 200);
		*size = 200;
	} else if (is(name, "evil-reparse-long")) {
		*size = cap + 0x10000000;
	} else if (is(name, "evil-reparse-short")) {
		*size = 3;
	} else if (is(name, "evil-reparse-names")) {
		put16(at + 8, 0xfffe);
		put16(at + 10, 0xfffe);
	}
	return STATUS_SUCCESS;
}

/* ---------------------------------------------------------------- extended attributes, streams */

static NTSTATUS
get_ea(FSP_FILE_SYSTEM *fs, PVOID context, PFILE_FULL_EA_INFORMATION ea, ULONG length,
       PULONG ret_bytes)
{
	UINT8 *at = (UINT8 *)ea;
	char name[EVIL_NAME_MAX + 1];

	evil_name_of_context(context, name);
	if (!begins(name, "evil-ea-"))
		return base->GetEa(fs, context, ea, length, ret_bytes);
	for (int i = 0; i < 2; i++) { /* two honest entries: A=1, B=1 */
		memset(at + i * 16, 0, 16);
		put32(at + i * 16, i ? 0 : 16);
		at[i * 16 + 5] = 1; /* name length */
		put16(at + i * 16 + 6, 1);
		at[i * 16 + 8] = (UINT8)('A' + i);
		at[i * 16 + 10] = '1';
	}
	*ret_bytes = 27;
	if (is(name, "evil-ea-loop"))
		put32(at + 16, 0xfffffff0); /* back to the first one */
	else if (is(name, "evil-ea-cut"))
		*ret_bytes = 20;
	else if (is(name, "evil-ea-noterm"))
		memset(at + 9, 'x', 7);
	else if (is(name, "evil-ea-long"))
		*ret_bytes = length + 0x10000;
	else if (is(name, "evil-ea-garbage"))
		memset(at, 0xff, *ret_bytes = length);
	return STATUS_SUCCESS;
}

static NTSTATUS
get_streams(FSP_FILE_SYSTEM *fs, PVOID context, PVOID buffer, ULONG length, PULONG ret_bytes)
{
	static const WCHAR bad[] = {'a', 0, 'b', '/', ':', '\\', 0xd800};
	FSP_FSCTL_STREAM_INFO *info = buffer;
	char name[EVIL_NAME_MAX + 1];

	evil_name_of_context(context, name);
	if (!begins(name, "evil-streams-"))
		return base->GetStreamInfo(fs, context, buffer, length, ret_bytes);
	memset(info, 0, sizeof(*info));
	info->Size = sizeof(*info) + sizeof(bad);
	memcpy(info->StreamNameBuf, bad, sizeof(bad));
	*ret_bytes = info->Size;
	if (is(name, "evil-streams-long"))
		*ret_bytes = length + 0x10000;
	else if (is(name, "evil-streams-sizes"))
		info->Size = 0xfff0;
	else if (is(name, "evil-streams-garbage"))
		memset(buffer, 0xff, *ret_bytes = length);
	return STATUS_SUCCESS;
}

/* ---------------------------------------------------------------- listings */

static BOOLEAN
add(PVOID buffer, ULONG length, PULONG bytes, const WCHAR *name, size_t n_units, UINT64 next)
{
	union {
		FSP_FSCTL_DIR_INFO info;
		UINT8 room[sizeof(FSP_FSCTL_DIR_INFO) + 400 * sizeof(WCHAR)];
	} d;

	memset(&d.info, 0, sizeof(d.info));
	d.info.Size = (UINT16)(sizeof(d.info) + n_units * sizeof(WCHAR));
	d.info.NextOffset = next;
	memcpy(d.info.FileNameBuf, name, n_units * sizeof(WCHAR));
	return FspFileSystemAddDirInfo(&d.info, buffer, length, bytes);
}

static void
list_names(PVOID buffer, ULONG length, PULONG bytes)
{
	static const WCHAR surrogate[] = {'x', 0xd800}, nul[] = {'n', 0, 'l'};
	WCHAR many[300];
	UINT64 next = 100;

	for (int i = 0; i < 300; i++)
		many[i] = 'm';
	add(buffer, length, bytes, u"good", 4, next++);
	add(buffer, length, bytes, u"", 0, next++);
	add(buffer, length, bytes, many, 300, next++);
	add(buffer, length, bytes, u"back\\slash", 10, next++);
	add(buffer, length, bytes, u"sl/ash", 6, next++);
	add(buffer, length, bytes, u"../../up", 8, next++);
	add(buffer, length, bytes, nul, 3, next++);
	add(buffer, length, bytes, surrogate, 2, next++);
	add(buffer, length, bytes, u".", 1, next++);
	add(buffer, length, bytes, u"..", 2, next++);
	add(buffer, length, bytes, u"last", 4, next++);
	FspFileSystemAddDirInfo(NULL, buffer, length, bytes);
}

static void
list_cycle(UINT64 after, PVOID buffer, ULONG length, PULONG bytes)
{
	static const WCHAR names[] = u"abc";
	UINT64 at = after >= 1 && after <= 3 ? after % 3 : 0;

	add(buffer, length, bytes, names + at, 1, at + 1);
}

static void
list_sizes(PVOID buffer, ULONG length, PULONG bytes)
{
	UINT8 *at = buffer;

	add(buffer, length, bytes, u"good", 4, 1);
	put16(at + *bytes, 3);
	put16(at + *bytes + 8, 0xfff0);
	*bytes += 512;
}

static NTSTATUS
read_directory(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR pattern, PWSTR marker, PVOID buffer,
	       ULONG length, PULONG ret_bytes)
{
	UINT64 after = 0;
	char name[EVIL_NAME_MAX + 1];

	if (marker)
		memcpy(&after, marker, sizeof(after));
	evil_name_of_context(context, name);
	if (!begins(name, "evil-listing-"))
		return base->ReadDirectory(fs, context, pattern, marker, buffer, length, ret_bytes);
	if (is(name, "evil-listing-stuck")) {
		add(buffer, length, ret_bytes, u"a", 1, 1);
		add(buffer, length, ret_bytes, u"b", 1, 2);
	} else if (is(name, "evil-listing-cycle")) {
		list_cycle(after, buffer, length, ret_bytes);
	} else if (is(name, "evil-listing-names")) {
		list_names(buffer, length, ret_bytes);
	} else if (is(name, "evil-listing-sizes")) {
		list_sizes(buffer, length, ret_bytes);
	} else if (is(name, "evil-listing-long")) {
		add(buffer, length, ret_bytes, u"a", 1, 1);
		*ret_bytes = length + 0x10000;
	} else if (is(name, "evil-listing-garbage")) {
		memset(buffer, 0xff, *ret_bytes = length);
	}
	return STATUS_SUCCESS;
}

/* ---------------------------------------------------------------- */

void
evil_answers_install(const FSP_FILE_SYSTEM_INTERFACE *honest, FSP_FILE_SYSTEM_INTERFACE *interface)
{
	base = honest;
	base_info_by_name = FspxInterfaceGetGetInfoByName(honest);
	interface->Read = read_file;
	interface->Write = write_file;
	interface->GetFileInfo = get_file_info;
	interface->GetSecurity = get_security;
	interface->GetSecurityByName = get_security_by_name;
	interface->GetReparsePoint = get_reparse;
	interface->GetEa = get_ea;
	interface->GetStreamInfo = get_streams;
	interface->ReadDirectory = read_directory;
	FspxInterfaceSetGetInfoByName(interface, get_info_by_name);
}
