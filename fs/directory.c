/*
 * Directory enumeration (winfsp-fsctl §13). The program is asked for slices of 64 KiB. A handle
 * keeps the slice it is in, so that a door that takes a few entries at a time does not cost a
 * slice each time; a list that fits one slice is the node's cache for DirInfoTimeout.
 */
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "fs/volume_priv.h"
#include "fs/walk.h"

enum { DIR_INFO_FIXED = sizeof(struct fs_dir_info) };

static size_t
entry_units(const struct fs_dir_info *entry)
{
	return (entry->size - DIR_INFO_FIXED) / 2u;
}

/* Where an entry's successor continues, in the program's own terms. */
struct position {
	bool start;
	bool by_offset;
	const uint16_t *name;
	size_t n_units;
	uint64_t next_offset;
};

static bool
entry_is_at(const struct fs_dir_info *entry, const struct position *at)
{
	if (at->by_offset)
		return entry->next_offset == at->next_offset;
	return utf16_compare(entry->name, entry_units(entry), at->name, at->n_units, false) == 0;
}

static struct position
position_after(const struct fs_volume *v, const struct fs_dir_info *entry)
{
	return (struct position){
		.by_offset = v->params.flags & FS_VOL_MARKER_AS_NEXT_OFFSET,
		.name = entry->name,
		.n_units = entry_units(entry),
		.next_offset = entry->next_offset,
	};
}

/* Names that no directory can hold; the rest of the listing stands. */
static bool
entry_name_valid(const struct fs_dir_info *entry)
{
	size_t n = entry_units(entry);

	if (n == 0 || n > NAME_MAX_UNITS || entry->size % 2 != 0)
		return false;
	for (size_t i = 0; i < n; i++)
		if (entry->name[i] == 0 || entry->name[i] == '\\' || entry->name[i] == '/')
			return false;
	return true;
}

/* Cuts a list where it stops making sense: the next slice goes on from there. */
static void
trim_slice(struct fs_blob *slice)
{
	uint32_t at = 0;
	bool broken = false;

	while (fs_list_next(slice->bytes, slice->size, &at, DIR_INFO_FIXED, &broken))
		;
	if (broken)
		log_debug("fs", "directory list is broken after %u bytes", at);
	slice->size = MIN(slice->size, at);
}

/* The end of a listing: nothing at all, or an end mark (a size of 0) after the last entry. */
static bool
slice_complete(const uint8_t *bytes, uint32_t size)
{
	uint32_t at = 0;
	uint16_t mark;

	while (fs_list_next(bytes, size, &at, DIR_INFO_FIXED, NULL))
		;
	if (size == 0)
		return true;
	if (at > size || size - at < 2)
		return false;
	memcpy(&mark, bytes + at, 2);
	return mark == 0;
}

static bool
put_marker(struct fs_message *m, struct fs_req *req, const struct position *at)
{
	if (at->start)
		return true;
	if (at->by_offset)
		return fs_message_put(m, &at->next_offset, sizeof(at->next_offset),
				      &req->query_directory.marker);
	return fs_message_put_name(m, at->name, at->n_units, &req->query_directory.marker);
}

/* The pattern is the program's business only where it asked for it. */
static bool
put_pattern(struct fs_volume *v, struct fs_message *m, struct fs_req *req,
	    const struct fs_scan *scan)
{
	bool literal;

	if (!scan || !scan->pattern || scan->all)
		return true;
	literal = !utf16_has_wildcards(scan->pattern, scan->n_pattern);
	if (literal && (v->params.flags & FS_VOL_PASS_FILE_NAME))
		req->query_directory.flags |= FS_DIR_PATTERN_IS_NAME;
	else if (!(v->params.flags & FS_VOL_PASS_PATTERN))
		return true;
	return fs_message_put_name(m, scan->pattern, scan->n_pattern,
				   &req->query_directory.pattern);
}

static NTSTATUS
fetch_slice(struct fs_handle *h, const struct position *at, const struct fs_scan *scan,
	    struct fs_blob **ret_slice)
{
	struct fs_volume *v = h->volume;
	struct fs_message m;
	struct fs_req *req = fs_message_init(&m, FS_KIND_QUERY_DIRECTORY);
	struct fs_blob *slice = fs_blob_create(NULL, FS_DIRECTORY_SLICE);

	if (!slice || !put_pattern(v, &m, req, scan) || !put_marker(&m, req, at)) {
		fs_blob_unref(slice);
		return STATUS_INSUFFICIENT_RESOURCES;
	}
	req->query_directory.ctx = fs_handle_context(h);
	req->query_directory.address = (uintptr_t)slice->bytes;
	req->query_directory.length = FS_DIRECTORY_SLICE;
	if (!v->fold_case)
		req->query_directory.flags |= FS_DIR_CASE_SENSITIVE;
	rwlock_lock_shared(&h->node->op_lock);
	NTSTATUS st = fs_message_send(v, &m);
	rwlock_unlock(&h->node->op_lock);
	uint32_t size = fs_message_rsp(&m)->information;
	if (NT_SUCCESS(st) && size > FS_DIRECTORY_SLICE)
		st = STATUS_INTERNAL_ERROR;
	if (!NT_SUCCESS(st)) {
		fs_blob_unref(slice);
		return st;
	}
	slice->complete = slice_complete(slice->bytes, size);
	slice->size = size;
	slice->filtered = req->query_directory.pattern.size > 0;
	trim_slice(slice);
	*ret_slice = slice;
	return STATUS_SUCCESS;
}

/* The first slice: from the node's cache, or asked for and, when it is all there is, cached. */
static NTSTATUS
first_slice(struct fs_handle *h, const struct fs_scan *scan, struct fs_blob **ret_slice)
{
	static const struct position start = {.start = true};
	struct fs_node *node = h->node;
	uint32_t timeout_ms = h->volume->params.dir_info_timeout, changes;
	bool all = !scan || scan->all;

	if (!all || timeout_ms == 0)
		return fetch_slice(h, &start, scan, ret_slice);
	*ret_slice = fs_cache_get(node, &node->directory, &changes);
	if (*ret_slice)
		return STATUS_SUCCESS;
	NTSTATUS st = fetch_slice(h, &start, scan, ret_slice);
	if (NT_SUCCESS(st) && (*ret_slice)->complete)
		fs_cache_fill(node, &node->directory, *ret_slice, timeout_ms, FS_DIRECTORY_SLICE,
			      changes);
	return st;
}

/* Offset of what follows the entry at this position; false when it is not in the slice. */
static bool
find_in_slice(const struct fs_blob *slice, const struct position *at, uint32_t *ret_offset)
{
	const struct fs_dir_info *entry;
	uint32_t offset = 0;

	while ((entry = fs_list_next(slice->bytes, slice->size, &offset, DIR_INFO_FIXED, NULL)))
		if (entry_is_at(entry, at)) {
			*ret_offset = offset;
			return true;
		}
	return false;
}

/* ------------------------------------------------------------------ walking */

struct walk {
	struct fs_handle *h;
	const struct fs_scan *scan; /* pattern, or NULL */
	struct fs_blob *slice;      /* counted */
	uint32_t at;
	/* Brent's search for cycles in what the program lists: a name seen at a power of two of
	 * slices must not come again. */
	uint64_t n_slices, next_power;
	struct fs_blob *seen; /* counted; its last entry is the name */
};

/* The last entry of a slice, or NULL. */
static const struct fs_dir_info *
last_entry(const struct fs_blob *slice)
{
	const struct fs_dir_info *entry, *last = NULL;
	uint32_t offset = 0;

	while ((entry = fs_list_next(slice->bytes, slice->size, &offset, DIR_INFO_FIXED, NULL)))
		last = entry;
	return last;
}

/* A listing that comes back to where it was would never end. */
static bool
goes_in_circles(struct walk *w, struct fs_blob *slice)
{
	struct fs_volume *v = w->h->volume;
	const struct fs_dir_info *last = last_entry(slice);

	if (!last)
		return !slice->complete;
	if (slice->complete)
		return false;
	if (w->seen) {
		struct position at = position_after(v, last_entry(w->seen));

		if (entry_is_at(last, &at))
			return true;
	}
	if (++w->n_slices >= w->next_power) {
		w->next_power = w->n_slices * 2;
		fs_blob_unref(w->seen);
		w->seen = fs_blob_ref(slice);
	}
	return false;
}

static NTSTATUS
next_slice(struct walk *w, const struct position *at)
{
	struct fs_blob *slice;
	NTSTATUS st = at->start ? first_slice(w->h, w->scan, &slice) :
				  fetch_slice(w->h, at, w->scan, &slice);

	if (!NT_SUCCESS(st))
		return st;
	const struct fs_dir_info *last = last_entry(slice);
	bool stuck = last && !slice->complete && !at->start && entry_is_at(last, at);
	if (stuck || goes_in_circles(w, slice)) {
		log_debug("fs", "directory listing does not advance");
		fs_blob_unref(slice);
		return STATUS_INTERNAL_ERROR;
	}
	fs_blob_unref(w->slice);
	w->slice = slice;
	w->at = 0;
	return STATUS_SUCCESS;
}

static bool
wanted(const struct walk *w, const struct fs_dir_info *entry)
{
	const struct fs_volume *v = w->h->volume;

	if (!entry_name_valid(entry)) {
		log_debug("fs", "directory entry with a bad name dropped");
		return false;
	}
	if (fs_name_is_hidden(entry->name, entry_units(entry)))
		return false;
	return !w->scan || w->scan->all ||
	       utf16_match(w->scan->folded, w->scan->n_pattern, entry->name, entry_units(entry),
			   v->fold_case);
}

/*
 * Emits from where w stands. *ret_end: nothing follows. The entry that emit refused is met again.
 */
static NTSTATUS
walk_run(struct walk *w, fs_dir_emit *emit, void *ctx, bool *ret_end)
{
	for (;;) {
		const struct fs_dir_info *entry, *last = NULL;
		uint32_t before = w->at;

		while ((entry = fs_list_next(w->slice->bytes, w->slice->size, &w->at,
					     DIR_INFO_FIXED, NULL))) {
			last = entry;
			if (wanted(w, entry) && !emit(ctx, entry)) {
				w->at = before;
				*ret_end = false;
				return STATUS_SUCCESS;
			}
			before = w->at;
		}
		if (w->slice->complete) {
			*ret_end = true;
			return STATUS_SUCCESS;
		}
		if (!last)
			last = last_entry(w->slice);
		if (!last)
			return STATUS_INTERNAL_ERROR;
		/* position borrows from the slice that next_slice lets go: keep it */
		struct fs_blob *held = fs_blob_ref(w->slice);
		struct position at = position_after(w->h->volume, last);
		NTSTATUS st = next_slice(w, &at);
		fs_blob_unref(held);
		if (!NT_SUCCESS(st))
			return st;
	}
}

static struct position
position_of_marker(const struct fs_volume *v, const struct fs_dir_marker *marker)
{
	if (!marker)
		return (struct position){.start = true};
	return (struct position){
		.by_offset = v->params.flags & FS_VOL_MARKER_AS_NEXT_OFFSET,
		.name = marker->name,
		.n_units = marker->n_units,
		.next_offset = marker->next_offset,
	};
}

/* Puts w after the marker: in the handle's slice, in the cached list, or by asking. */
static NTSTATUS
walk_seek(struct walk *w, const struct position *at)
{
	struct fs_scan *scan = &w->h->scan;
	struct fs_blob *kept = NULL;
	uint32_t offset = 0;

	if (!at->start) {
		mutex_lock(&w->h->scan_lock);
		kept = fs_blob_ref(scan->slice);
		mutex_unlock(&w->h->scan_lock);
	}
	if (kept && (w->scan || !kept->filtered) && find_in_slice(kept, at, &offset)) {
		w->slice = kept;
		w->at = offset;
		return STATUS_SUCCESS;
	}
	fs_blob_unref(kept);
	return next_slice(w, at);
}

static void
walk_keep(struct walk *w)
{
	mutex_lock(&w->h->scan_lock);
	struct fs_blob *old = w->h->scan.slice;
	w->h->scan.slice = w->slice;
	mutex_unlock(&w->h->scan_lock);
	fs_blob_unref(old);
	fs_blob_unref(w->seen);
}

static NTSTATUS
walk_from(struct fs_handle *h, const struct fs_scan *scan, const struct position *at,
	  fs_dir_emit *emit, void *ctx, bool *ret_end)
{
	struct walk w = {.h = h, .scan = scan, .next_power = 1};
	NTSTATUS st = walk_seek(&w, at);

	if (NT_SUCCESS(st))
		st = walk_run(&w, emit, ctx, ret_end);
	walk_keep(&w);
	return st;
}

static NTSTATUS
check_handle(const struct fs_handle *h)
{
	if (!h->node->is_directory)
		return STATUS_INVALID_PARAMETER;
	return fs_require(h, FILE_LIST_DIRECTORY);
}

NTSTATUS
fs_enumerate(struct fs_handle *h, const struct fs_dir_marker *marker, fs_dir_emit *emit,
	     void *ctx, bool *ret_end)
{
	struct position at = position_of_marker(h->volume, marker);
	NTSTATUS st = check_handle(h);

	if (!NT_SUCCESS(st))
		return st;
	atomic_store_explicit(&h->was_read, true, memory_order_relaxed);
	return walk_from(h, NULL, &at, emit, ctx, ret_end);
}

/* ------------------------------------------------------------------ NtQueryDirectoryFile */

static bool
pattern_valid(const struct fs_volume *v, const uint16_t *pattern, size_t n_units)
{
	if (n_units > v->max_component)
		return false;
	for (size_t i = 0; i < n_units; i++)
		if (pattern[i] < 0x20 || (pattern[i] < 0x80 && strchr("\\/:|", pattern[i])))
			return false;
	return true;
}

static NTSTATUS
scan_set_pattern(struct fs_volume *v, struct fs_scan *scan, const uint16_t *pattern,
		 size_t n_units)
{
	uint16_t *copy = NULL;

	if (n_units > 0) {
		copy = malloc(n_units * 4);
		if (!copy)
			return STATUS_INSUFFICIENT_RESOURCES;
		memcpy(copy, pattern, n_units * 2);
		memcpy(copy + n_units, pattern, n_units * 2);
		if (v->fold_case)
			utf16_upcase_n(copy + n_units, n_units);
	}
	free(scan->pattern);
	scan->pattern = copy;
	scan->folded = copy ? copy + n_units : NULL;
	scan->n_pattern = n_units;
	scan->all = n_units == 0 || (n_units == 1 && pattern[0] == '*');
	return STATUS_SUCCESS;
}

static void
scan_restart(struct fs_scan *scan)
{
	scan->n_marker = 0;
	scan->ended = false;
	fs_blob_unref(take(&scan->slice));
}

struct emit_one {
	struct fs_scan *scan;
	fs_dir_emit *emit;
	void *ctx;
	bool single;
	unsigned n_taken;
};

/* Passes an entry on and remembers it as the scan's position. */
static bool
emit_and_mark(void *ctx, const struct fs_dir_info *entry)
{
	struct emit_one *one = ctx;
	size_t n = entry_units(entry);

	if ((one->single && one->n_taken > 0) || !one->emit(one->ctx, entry))
		return false;
	memcpy(one->scan->marker, entry->name, n * 2);
	one->scan->n_marker = n;
	one->scan->marker_offset = entry->next_offset;
	one->n_taken++;
	return true;
}

static NTSTATUS
scan_begin(struct fs_handle *h, struct fs_scan *scan, const uint16_t *pattern, size_t n_units,
	   uint32_t flags)
{
	NTSTATUS st = STATUS_SUCCESS;

	if (pattern && !pattern_valid(h->volume, pattern, n_units))
		return STATUS_INVALID_PARAMETER;
	if (!scan->started || ((flags & FS_SCAN_RESTART) && pattern && n_units > 0))
		st = scan_set_pattern(h->volume, scan, pattern, pattern ? n_units : 0);
	if (!scan->started || (flags & FS_SCAN_RESTART)) {
		scan->found_any = false;
		scan_restart(scan);
	}
	return st;
}

/* The scan leaves the handle while the program works; an overlapping call is refused. */
static NTSTATUS
scan_take(struct fs_handle *h, const uint16_t *pattern, size_t n_units, uint32_t flags,
	  struct fs_scan *ret_scan)
{
	struct fs_scan *scan = &h->scan;
	NTSTATUS st = STATUS_DEVICE_BUSY;

	mutex_lock(&h->scan_lock);
	if (!scan->busy)
		st = scan_begin(h, scan, pattern, n_units, flags);
	if (NT_SUCCESS(st)) {
		scan->busy = scan->started = true;
		*ret_scan = *scan;
	}
	mutex_unlock(&h->scan_lock);
	return st;
}

static void
scan_return(struct fs_handle *h, const struct fs_scan *scan)
{
	mutex_lock(&h->scan_lock);
	memcpy(h->scan.marker, scan->marker, sizeof(scan->marker));
	h->scan.n_marker = scan->n_marker;
	h->scan.marker_offset = scan->marker_offset;
	h->scan.ended = scan->ended;
	h->scan.found_any = scan->found_any;
	h->scan.busy = false;
	mutex_unlock(&h->scan_lock);
}

NTSTATUS
fs_query_directory(struct fs_handle *h, const uint16_t *pattern, size_t n_units, uint32_t flags,
		   fs_dir_emit *emit, void *ctx)
{
	struct fs_scan from, scan;
	struct emit_one one = {&scan, emit, ctx, flags & FS_SCAN_SINGLE, 0};
	NTSTATUS st = check_handle(h);

	if (NT_SUCCESS(st))
		st = scan_take(h, pattern, n_units, flags, &from);
	if (!NT_SUCCESS(st))
		return st;
	scan = from; /* from stays as it is: the position borrows its marker */
	if (!scan.ended) {
		struct position at = {
			.start = from.n_marker == 0,
			.by_offset = h->volume->params.flags & FS_VOL_MARKER_AS_NEXT_OFFSET,
			.name = from.marker,
			.n_units = from.n_marker,
			.next_offset = from.marker_offset,
		};

		st = walk_from(h, &scan, &at, emit_and_mark, &one, &scan.ended);
	}
	scan.found_any |= one.n_taken > 0;
	scan_return(h, &scan);
	if (one.n_taken > 0)
		return STATUS_SUCCESS;
	if (!NT_SUCCESS(st))
		return st;
	if (!scan.ended)
		return STATUS_BUFFER_OVERFLOW; /* no room for the first one */
	return scan.found_any ? STATUS_NO_MORE_FILES : STATUS_NO_SUCH_FILE;
}

void
fs_scan_fini(struct fs_scan *scan)
{
	fs_blob_unref(scan->slice);
	free(scan->pattern);
}
