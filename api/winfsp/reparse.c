/* Finding and resolving reparse points by name. */
#include "api/winfsp/priv.h"

#include <stdlib.h>
#include <string.h>
#include "base/text/names.h"
#include "fs/walk.h"

enum { FOLLOWS_MAX = 31, PATH_UNITS_MAX = 32767 };

typedef NTSTATUS get_reparse_point(FSP_FILE_SYSTEM *FileSystem, PVOID Context, PWSTR FileName,
				   BOOLEAN IsDirectory, PVOID Buffer, PSIZE_T PSize);

BOOLEAN
FspFileSystemFindReparsePoint(FSP_FILE_SYSTEM *FileSystem,
			      get_reparse_point *GetReparsePointByName, PVOID Context,
			      PWSTR FileName, PUINT32 PReparsePointIndex)
{
	PWSTR s = FileName, component;

	for (;;) {
		NTSTATUS st;

		while (*s == '\\')
			s++;
		component = s;
		while (*s != '\\') {
			if (*s == 0 || *s == ':')
				return FALSE;
			s++;
		}
		*s = 0;
		st = GetReparsePointByName(FileSystem, Context, FileName, TRUE, NULL, NULL);
		*s = '\\';
		if (NT_SUCCESS(st)) {
			if (PReparsePointIndex)
				*PReparsePointIndex = (UINT32)(component - FileName);
			return TRUE;
		}
	}
}

NTSTATUS
FspFileSystemCanReplaceReparsePoint(PVOID CurrentReparseData, SIZE_T CurrentReparseDataSize,
				    PVOID ReplaceReparseData, SIZE_T ReplaceReparseDataSize)
{
	return fs_reparse_can_replace(CurrentReparseData,
				      (uint32_t)MIN(CurrentReparseDataSize, (SIZE_T)UINT32_MAX),
				      ReplaceReparseData,
				      (uint32_t)MIN(ReplaceReparseDataSize, (SIZE_T)UINT32_MAX));
}

/*
 * The path being resolved. Components before at are done. Each step looks at the component at
 * at..end; a link replaces it (or everything before it) and the scan goes on at what was put in.
 */
struct walk {
	FSP_FILE_SYSTEM *fs;
	get_reparse_point *get;
	PVOID ctx;
	bool last_too;
	WCHAR *path; /* PATH_UNITS_MAX + 1 */
	size_t n;    /* units of path */
	size_t at, end;
	unsigned n_follows;
	bool relative; /* the result is a path in this volume */
	uint32_t tag;
	uint8_t *buffer; /* of the caller; what a non-link reparse point gave */
	size_t cap, size;
};

enum step { STEP_NEXT, STEP_DONE, STEP_RAW, STEP_FAILED };

/* Replaces units [from, to) by n units of src; the scan goes on at from. */
static bool
splice(struct walk *w, size_t from, size_t to, const uint16_t *src, size_t n)
{
	size_t tail = w->n - to;

	if (from + n + tail > PATH_UNITS_MAX)
		return false;
	memmove(w->path + from + n, w->path + to, (tail + 1) * sizeof(WCHAR));
	memcpy(w->path + from, src, n * sizeof(WCHAR));
	w->n = from + n + tail;
	w->at = from;
	return true;
}

/* "." goes, ".." takes the component before it along, but not the root. */
static bool
step_dots(struct walk *w)
{
	size_t n = w->end - w->at, from = w->at, to = w->end;

	if (n == 0 || n > 2 || w->path[w->at] != '.' || w->path[w->end - 1] != '.')
		return false;
	if (n == 2 && from > 1) {
		from--;
		while (from > 1 && w->path[from - 1] != '\\')
			from--;
	}
	while (w->path[to] == '\\')
		to++;
	splice(w, from, to, w->path, 0);
	/* A path that ended in the dots ends without a separator, unless it is the root. */
	if (w->path[w->at] == 0 && w->at > 1) {
		w->path[--w->n] = 0;
		w->at = w->n;
	}
	return true;
}

/* A target in the volume, from its root or from the link's directory. */
static bool
follow(struct walk *w, const struct fs_symlink *link, enum step *ret_step)
{
	bool from_root = link->n_substitute > 0 && link->substitute[0] == '\\';

	*ret_step = STEP_NEXT;
	if (from_root && !link->relative) {
		w->relative = false;
		*ret_step = STEP_DONE;
	}
	return splice(w, from_root ? 0 : w->at, w->end, link->substitute, link->n_substitute);
}

static enum step
step_found(struct walk *w, size_t size, NTSTATUS *st)
{
	REPARSE_DATA_BUFFER *reparse = (REPARSE_DATA_BUFFER *)(void *)w->buffer;
	struct fs_symlink link;
	enum step step;

	if (size < REPARSE_DATA_BUFFER_HEADER_SIZE || size > w->cap) {
		*st = STATUS_IO_REPARSE_DATA_INVALID;
		return STEP_FAILED;
	}
	w->tag = reparse->ReparseTag;
	if (w->tag != IO_REPARSE_TAG_SYMLINK) {
		if (w->tag == IO_REPARSE_TAG_MOUNT_POINT)
			reparse->Reserved = (USHORT)((w->n - w->end) * sizeof(WCHAR));
		w->size = size;
		return STEP_RAW;
	}
	*st = fs_reparse_check(w->buffer, (uint32_t)size);
	if (!NT_SUCCESS(*st))
		return STEP_FAILED;
	*st = STATUS_REPARSE_POINT_NOT_RESOLVED;
	if (w->n_follows++ == FOLLOWS_MAX ||
	    !fs_reparse_symlink(w->buffer, (uint32_t)size, &link) || link.n_substitute == 0 ||
	    !follow(w, &link, &step))
		return STEP_FAILED;
	return step;
}

/* The component at..end of the path, asked by the name up to it. */
static enum step
step_component(struct walk *w, bool is_last, NTSTATUS *st)
{
	WCHAR was = w->path[w->end];
	SIZE_T size = w->cap;

	w->path[w->end] = 0;
	*st = w->get(w->fs, w->ctx, w->path, !is_last, w->buffer, &size);
	w->path[w->end] = was;
	if (NT_SUCCESS(*st))
		return step_found(w, size, st);
	if (*st == STATUS_NOT_A_REPARSE_POINT) {
		w->at = w->end;
		return is_last ? STEP_DONE : STEP_NEXT;
	}
	if (*st == STATUS_OBJECT_NAME_NOT_FOUND)
		return is_last ? STEP_DONE : STEP_FAILED;
	*st = STATUS_OBJECT_PATH_NOT_FOUND;
	return STEP_FAILED;
}

static enum step
step(struct walk *w, NTSTATUS *st)
{
	bool is_last;

	while (w->path[w->at] == '\\')
		w->at++;
	w->end = w->at;
	while (w->path[w->end] && w->path[w->end] != '\\' && w->path[w->end] != ':')
		w->end++;
	if (w->end == w->at)
		return STEP_DONE;
	if (step_dots(w))
		return STEP_NEXT;
	is_last = w->path[w->end] != '\\';
	if (is_last && !w->last_too)
		return STEP_DONE;
	return step_component(w, is_last, st);
}

/* The answer's raw data are in place, or the path so far becomes a link to follow. */
static NTSTATUS
finish(struct walk *w, enum step last, PIO_STATUS_BLOCK io, PSIZE_T size)
{
	if (last == STEP_RAW) {
		*size = w->size;
	} else {
		uint32_t n = fs_reparse_build_symlink(w->path, w->n, w->relative, w->buffer,
						      (uint32_t)w->cap);

		if (n == 0)
			return STATUS_REPARSE_POINT_NOT_RESOLVED;
		*size = n;
		w->tag = IO_REPARSE_TAG_SYMLINK;
	}
	io->Status = STATUS_REPARSE;
	io->Information = w->tag;
	return STATUS_REPARSE;
}

/*
 * index is where the component begins that is a reparse point. Some programs give what follows
 * it: the scan begins one component earlier, which costs one question and is right for both.
 */
static size_t
scan_start(PCWSTR name, size_t n, uint32_t index)
{
	size_t at = MIN((size_t)index, n);

	while (at > 0 && name[at - 1] == '\\')
		at--;
	while (at > 0 && name[at - 1] != '\\')
		at--;
	return at;
}

NTSTATUS
FspFileSystemResolveReparsePoints(FSP_FILE_SYSTEM *FileSystem,
				  get_reparse_point *GetReparsePointByName, PVOID Context,
				  PWSTR FileName, UINT32 ReparsePointIndex,
				  BOOLEAN ResolveLastPathComponent, PIO_STATUS_BLOCK PIoStatus,
				  PVOID Buffer, PSIZE_T PSize)
{
	size_t n = utf16_len(FileName);
	CLEANUP(free_ptr) WCHAR *path = malloc((PATH_UNITS_MAX + 1) * sizeof(*path));
	struct walk w = {.fs = FileSystem, .get = GetReparsePointByName, .ctx = Context,
			 .last_too = ResolveLastPathComponent, .path = path, .n = n,
			 .at = scan_start(FileName, n, ReparsePointIndex), .relative = true,
			 .buffer = Buffer, .cap = *PSize};
	NTSTATUS st = STATUS_SUCCESS;
	enum step s;

	if (!path)
		return STATUS_INSUFFICIENT_RESOURCES;
	if (n > PATH_UNITS_MAX)
		return STATUS_REPARSE_POINT_NOT_RESOLVED;
	memcpy(path, FileName, (n + 1) * sizeof(*path));
	do
		s = step(&w, &st);
	while (s == STEP_NEXT);
	return s == STEP_FAILED ? st : finish(&w, s, PIoStatus, PSize);
}
