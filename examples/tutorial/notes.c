/*
 * notes: a directory of small text files, in memory. It is the file system that
 * docs/tutorial-file-system.md builds step by step and quotes: change the two together.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <winfsp/winfsp.h>
#include <winfsp/ext.h>

enum { NOTE_SIZE_MAX = 64 * 1024, NAME_UNITS_MAX = 255 };

struct note {
	WCHAR name[NAME_UNITS_MAX + 1]; /* without the backslash; "" for the directory itself */
	char *text;
	UINT32 size, attributes;
	UINT64 created, accessed, written, changed; /* 100 ns since 1601 */
	UINT64 number;                              /* st_ino */
	unsigned n_refs;                            /* successful opens, and being listed */
};

struct notes {
	struct note root;
	struct note **list; /* sorted by name: n of at most max */
	unsigned n, max;
	UINT64 last_number;
};

static struct notes *
notes_of(FSP_FILE_SYSTEM *fs)
{
	return fs->UserContext;
}

static UINT64
now(void)
{
	struct timespec ts;
	__int3264 unix_time[2];
	UINT64 file_time;

	clock_gettime(CLOCK_REALTIME, &ts);
	unix_time[0] = ts.tv_sec;
	unix_time[1] = ts.tv_nsec;
	FspPosixUnixTimeToFileTime(unix_time, &file_time);
	return file_time;
}

/* ---------------------------------------------------------------- notes and their names */

static int
name_compare(const WCHAR *a, const WCHAR *b)
{
	for (; *a && *a == *b; a++, b++)
		;
	return (int)*a - (int)*b;
}

static size_t
name_units(const WCHAR *name)
{
	size_t n = 0;

	while (name[n])
		n++;
	return n;
}

/* The place of the first note whose name is not below this one. */
static unsigned
notes_place(const struct notes *notes, const WCHAR *name)
{
	unsigned low = 0, high = notes->n;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (name_compare(notes->list[middle]->name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Names come as "\" or "\name". */
static NTSTATUS
notes_find(struct notes *notes, PWSTR path, struct note **ret_note)
{
	WCHAR *name = path + 1;
	unsigned at;

	if (!*name) {
		*ret_note = &notes->root;
		return STATUS_SUCCESS;
	}
	for (WCHAR *p = name; *p; p++)
		if (*p == u'\\')
			return STATUS_OBJECT_PATH_NOT_FOUND;
	at = notes_place(notes, name);
	if (at == notes->n || name_compare(notes->list[at]->name, name) != 0)
		return STATUS_OBJECT_NAME_NOT_FOUND;
	*ret_note = notes->list[at];
	return STATUS_SUCCESS;
}

static void
note_release(struct note *note)
{
	if (--note->n_refs > 0)
		return;
	free(note->text);
	free(note);
}

static void
notes_insert(struct notes *notes, struct note *note)
{
	unsigned at = notes_place(notes, note->name);

	memmove(&notes->list[at + 1], &notes->list[at], (notes->n - at) * sizeof(*notes->list));
	notes->list[at] = note;
	notes->n++;
	note->n_refs++;
}

static void
notes_remove(struct notes *notes, struct note *note)
{
	unsigned at = notes_place(notes, note->name);

	if (at == notes->n || notes->list[at] != note)
		return; /* it has been removed before */
	notes->n--;
	memmove(&notes->list[at], &notes->list[at + 1], (notes->n - at) * sizeof(*notes->list));
	note_release(note);
}

static NTSTATUS
note_resize(struct note *note, UINT64 size)
{
	char *text;

	if (size > NOTE_SIZE_MAX)
		return STATUS_DISK_FULL;
	text = realloc(note->text, size + 1);
	if (!text)
		return STATUS_INSUFFICIENT_RESOURCES;
	if (size > note->size)
		memset(text + note->size, 0, size - note->size);
	note->text = text;
	note->size = (UINT32)size;
	note->written = note->changed = now();
	return STATUS_SUCCESS;
}

/* ---------------------------------------------------------------- what a stat shows */

static NTSTATUS
get_volume_info(FSP_FILE_SYSTEM *fs, FSP_FSCTL_VOLUME_INFO *info)
{
	struct notes *notes = notes_of(fs);

	info->TotalSize = (UINT64)notes->max * NOTE_SIZE_MAX;
	info->FreeSize = (UINT64)(notes->max - notes->n) * NOTE_SIZE_MAX;
	memcpy(info->VolumeLabel, u"notes", sizeof(u"notes"));
	info->VolumeLabelLength = sizeof(u"notes") - sizeof(WCHAR);
	return STATUS_SUCCESS;
}

static void
fill_info(const struct note *note, FSP_FSCTL_FILE_INFO *info)
{
	memset(info, 0, sizeof(*info));
	info->FileAttributes = note->attributes;
	info->FileSize = note->size;
	info->AllocationSize = (note->size + 511) / 512 * 512;
	info->CreationTime = note->created;
	info->LastAccessTime = note->accessed;
	info->LastWriteTime = note->written;
	info->ChangeTime = note->changed;
	info->IndexNumber = note->number;
}

static NTSTATUS
get_file_info(FSP_FILE_SYSTEM *fs, PVOID context, FSP_FSCTL_FILE_INFO *info)
{
	fill_info(context, info);
	return STATUS_SUCCESS;
}

static NTSTATUS
get_security_by_name(FSP_FILE_SYSTEM *fs, PWSTR name, PUINT32 ret_attributes,
		     PSECURITY_DESCRIPTOR descriptor, SIZE_T *ret_size)
{
	struct note *note;
	NTSTATUS st = notes_find(notes_of(fs), name, &note);

	if (!NT_SUCCESS(st))
		return st;
	if (ret_attributes)
		*ret_attributes = note->attributes;
	if (ret_size)
		*ret_size = 0; /* no descriptors: everybody who sees the mount may do everything */
	return STATUS_SUCCESS;
}

/* ---------------------------------------------------------------- opens */

static NTSTATUS
open_note(FSP_FILE_SYSTEM *fs, PWSTR name, UINT32 options, UINT32 granted, PVOID *ret_context,
	  FSP_FSCTL_FILE_INFO *info)
{
	struct note *note;
	NTSTATUS st = notes_find(notes_of(fs), name, &note);

	if (!NT_SUCCESS(st))
		return st;
	note->n_refs++;
	fill_info(note, info);
	*ret_context = note;
	return STATUS_SUCCESS;
}

static VOID
close_note(FSP_FILE_SYSTEM *fs, PVOID context)
{
	note_release(context);
}

static NTSTATUS
create_note(FSP_FILE_SYSTEM *fs, PWSTR name, UINT32 options, UINT32 granted, UINT32 attributes,
	    PSECURITY_DESCRIPTOR descriptor, UINT64 allocation, PVOID *ret_context,
	    FSP_FSCTL_FILE_INFO *info)
{
	struct notes *notes = notes_of(fs);
	struct note *note;
	NTSTATUS st = notes_find(notes, name, &note);

	if (NT_SUCCESS(st))
		return STATUS_OBJECT_NAME_COLLISION;
	if (st != STATUS_OBJECT_NAME_NOT_FOUND)
		return st;
	if (options & FILE_DIRECTORY_FILE)
		return STATUS_NOT_SUPPORTED; /* notes has one directory */
	if (notes->n == notes->max)
		return STATUS_DISK_FULL;
	note = calloc(1, sizeof(*note));
	if (!note)
		return STATUS_INSUFFICIENT_RESOURCES;
	memcpy(note->name, name + 1, name_units(name + 1) * sizeof(WCHAR));
	note->attributes = attributes | FILE_ATTRIBUTE_ARCHIVE;
	note->created = note->accessed = note->written = note->changed = now();
	note->number = ++notes->last_number;
	note->n_refs = 1;
	notes_insert(notes, note);
	fill_info(note, info);
	*ret_context = note;
	return STATUS_SUCCESS;
}

/* ---------------------------------------------------------------- data */

static NTSTATUS
read_note(FSP_FILE_SYSTEM *fs, PVOID context, PVOID buffer, UINT64 offset, ULONG length,
	  PULONG ret_bytes)
{
	struct note *note = context;

	if (offset >= note->size)
		return STATUS_END_OF_FILE;
	if (length > note->size - offset)
		length = (ULONG)(note->size - offset);
	memcpy(buffer, note->text + offset, length);
	*ret_bytes = length;
	return STATUS_SUCCESS;
}

static NTSTATUS
write_note(FSP_FILE_SYSTEM *fs, PVOID context, PVOID buffer, UINT64 offset, ULONG length,
	   BOOLEAN to_end, BOOLEAN constrained, PULONG ret_bytes, FSP_FSCTL_FILE_INFO *info)
{
	struct note *note = context;
	NTSTATUS st = STATUS_SUCCESS;

	if (to_end)
		offset = note->size;
	if (constrained) { /* a cached page is written back: the size stays */
		if (offset >= note->size)
			length = 0;
		else if (length > note->size - offset)
			length = (ULONG)(note->size - offset);
	} else if (offset > NOTE_SIZE_MAX) {
		return STATUS_DISK_FULL;
	} else if (offset + length > note->size) {
		st = note_resize(note, offset + length);
	}
	if (!NT_SUCCESS(st))
		return st;
	if (length > 0)
		memcpy(note->text + offset, buffer, length);
	note->written = note->changed = now();
	*ret_bytes = length;
	fill_info(note, info);
	return STATUS_SUCCESS;
}

static NTSTATUS
set_file_size(FSP_FILE_SYSTEM *fs, PVOID context, UINT64 size, BOOLEAN allocation,
	      FSP_FSCTL_FILE_INFO *info)
{
	struct note *note = context;
	NTSTATUS st = STATUS_SUCCESS;

	if (!allocation || size < note->size) /* we reserve nothing, but a cut is a cut */
		st = note_resize(note, size);
	if (NT_SUCCESS(st))
		fill_info(note, info);
	return st;
}

static NTSTATUS
overwrite_note(FSP_FILE_SYSTEM *fs, PVOID context, UINT32 attributes, BOOLEAN replace,
	       UINT64 allocation, FSP_FSCTL_FILE_INFO *info)
{
	struct note *note = context;
	NTSTATUS st = note_resize(note, 0);

	if (!NT_SUCCESS(st))
		return st;
	note->attributes = (replace ? 0 : note->attributes) | attributes | FILE_ATTRIBUTE_ARCHIVE;
	fill_info(note, info);
	return STATUS_SUCCESS;
}

static NTSTATUS
set_basic_info(FSP_FILE_SYSTEM *fs, PVOID context, UINT32 attributes, UINT64 created,
	       UINT64 accessed, UINT64 written, UINT64 changed, FSP_FSCTL_FILE_INFO *info)
{
	struct note *note = context;

	if (attributes != INVALID_FILE_ATTRIBUTES)
		note->attributes = attributes;
	if (created)
		note->created = created;
	if (accessed)
		note->accessed = accessed;
	if (written)
		note->written = written;
	note->changed = changed ? changed : now();
	fill_info(note, info);
	return STATUS_SUCCESS;
}

/* ---------------------------------------------------------------- the directory */

static NTSTATUS
read_directory(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR pattern, PWSTR marker, PVOID buffer,
	       ULONG length, PULONG ret_bytes)
{
	struct notes *notes = notes_of(fs);
	unsigned at = marker ? notes_place(notes, marker) : 0;
	union {
		FSP_FSCTL_DIR_INFO info;
		char room[sizeof(FSP_FSCTL_DIR_INFO) + NAME_UNITS_MAX * sizeof(WCHAR)];
	} entry;

	if (marker && at < notes->n && name_compare(notes->list[at]->name, marker) == 0)
		at++; /* the marker is the last note that was taken */
	for (; at < notes->n; at++) {
		size_t bytes = name_units(notes->list[at]->name) * sizeof(WCHAR);

		memset(&entry.info, 0, sizeof(entry.info));
		entry.info.Size = (UINT16)(sizeof(entry.info) + bytes);
		fill_info(notes->list[at], &entry.info.FileInfo);
		memcpy(entry.info.FileNameBuf, notes->list[at]->name, bytes);
		if (!FspFileSystemAddDirInfo(&entry.info, buffer, length, ret_bytes))
			return STATUS_SUCCESS; /* full: the rest is asked for later */
	}
	FspFileSystemAddDirInfo(NULL, buffer, length, ret_bytes);
	return STATUS_SUCCESS;
}

static NTSTATUS
can_delete(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name)
{
	return context == &notes_of(fs)->root ? STATUS_CANNOT_DELETE : STATUS_SUCCESS;
}

static VOID
cleanup_note(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name, ULONG flags)
{
	if (flags & FspCleanupDelete)
		notes_remove(notes_of(fs), context);
}

static NTSTATUS
rename_note(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name, PWSTR new_name, BOOLEAN replace)
{
	struct notes *notes = notes_of(fs);
	struct note *note = context, *target;
	NTSTATUS st = notes_find(notes, new_name, &target);

	if (st == STATUS_SUCCESS && target == &notes->root)
		return STATUS_ACCESS_DENIED;
	if (st == STATUS_SUCCESS && target != note && !replace)
		return STATUS_OBJECT_NAME_COLLISION;
	if (st == STATUS_OBJECT_PATH_NOT_FOUND)
		return st;
	if (st == STATUS_SUCCESS && target != note)
		notes_remove(notes, target);
	notes_remove(notes, note); /* stays: this handle holds it */
	memset(note->name, 0, sizeof(note->name));
	memcpy(note->name, new_name + 1, name_units(new_name + 1) * sizeof(WCHAR));
	note->changed = now();
	notes_insert(notes, note);
	return STATUS_SUCCESS;
}

/* ---------------------------------------------------------------- the program */

static const FSP_FILE_SYSTEM_INTERFACE interface = {
	.GetVolumeInfo = get_volume_info,
	.GetSecurityByName = get_security_by_name,
	.Create = create_note,
	.Open = open_note,
	.Overwrite = overwrite_note,
	.Cleanup = cleanup_note,
	.Close = close_note,
	.Read = read_note,
	.Write = write_note,
	.GetFileInfo = get_file_info,
	.SetBasicInfo = set_basic_info,
	.SetFileSize = set_file_size,
	.CanDelete = can_delete,
	.Rename = rename_note,
	.ReadDirectory = read_directory,
};

static void
notes_destroy(struct notes *notes)
{
	while (notes->n > 0)
		notes_remove(notes, notes->list[notes->n - 1]);
	free(notes->list);
	free(notes);
}

static NTSTATUS
create_file_system(FSPX_PROGRAM *program, FSP_FILE_SYSTEM **ret_fs, char *error, SIZE_T error_size)
{
	unsigned max = *(unsigned *)program->Context;
	struct notes *notes = calloc(1, sizeof(*notes));
	FSP_FSCTL_VOLUME_PARAMS params = {.Version = sizeof(params)};
	NTSTATUS st;

	if (!notes || !(notes->list = calloc(max + 1, sizeof(*notes->list)))) {
		free(notes);
		snprintf(error, error_size, "not enough memory");
		return STATUS_INSUFFICIENT_RESOURCES;
	}
	notes->max = max;
	notes->root.attributes = FILE_ATTRIBUTE_DIRECTORY;
	notes->root.created = notes->root.accessed = notes->root.written = now();
	notes->root.changed = notes->root.created;
	notes->root.number = notes->last_number = 1;
	notes->root.n_refs = 1;

	params.FileInfoTimeout = 1000; /* ms that the kernel may remember what a stat showed */
	params.CaseSensitiveSearch = 1;
	params.CasePreservedNames = 1;
	params.UnicodeOnDisk = 1;
	params.SupportsPosixUnlinkRename = 1;
	params.PostCleanupWhenModifiedOnly = 1;
	memcpy(params.FileSystemName, u"notes", sizeof(u"notes"));
	st = FspFileSystemCreate((PWSTR)u"" FSP_FSCTL_DISK_DEVICE_NAME, &params, &interface,
				 ret_fs);
	if (!NT_SUCCESS(st)) {
		snprintf(error, error_size, "the file system could not be created: %08x",
			 (unsigned)st);
		notes_destroy(notes);
		return st;
	}
	(*ret_fs)->UserContext = notes;
	FspFileSystemSetOperationGuardStrategy(*ret_fs,
					       FSP_FILE_SYSTEM_OPERATION_GUARD_STRATEGY_COARSE);
	return STATUS_SUCCESS;
}

static VOID
delete_file_system(FSPX_PROGRAM *program, FSP_FILE_SYSTEM *fs)
{
	struct notes *notes = notes_of(fs);

	FspFileSystemDelete(fs);
	notes_destroy(notes);
}

static int
set_option(FSPX_PROGRAM *program, const char *name, const char *value, char *error,
	   SIZE_T error_size)
{
	unsigned *max = program->Context;
	char *end;
	unsigned long n = strtoul(value, &end, 10);

	if (*end || end == value || *value == '-' || n < 1 || n > 100000) {
		snprintf(error, error_size, "%s: '%s' is not a number from 1 to 100000", name,
			 value);
		return -1;
	}
	*max = (unsigned)n;
	return 0;
}

int
main(int argc, char **argv)
{
	static const FSPX_OPTION options[] = {
		{'n', "max_notes", "N", "number of notes (default: 1000)"},
		{0, NULL, NULL, NULL},
	};
	unsigned max = 1000;
	FSPX_PROGRAM program = {
		.Size = sizeof(program),
		.Name = "notes",
		.Version = "1",
		.Summary = "a directory of small text files, in memory",
		.Examples = "notes /mnt/notes -o max_notes=50\n",
		.Options = options,
		.Context = &max,
		.SetOption = set_option,
		.Create = create_file_system,
		.Delete = delete_file_system,
	};

	return FspxProgramMain(&program, argc, argv);
}
