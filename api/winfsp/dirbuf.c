/*
 * Directory buffers: a whole directory, read once, sorted by name, served in slices.
 *
 * The buffer is created under buffers_lock when it is first acquired, so that *PDirBuffer may be
 * shared by threads; the buffer's own lock is held exclusively from Acquire to Release.
 */
#include "api/winfsp/priv.h"

#include <stdlib.h>
#include <string.h>
#include "base/text/names.h"

enum { CAPACITY_MIN = 256, CAPACITY_MAX = 1024 * 1024, AVERAGE_ENTRY = 104 + 24 * 2 };

struct dir_buffer {
	struct rwlock lock;
	uint8_t *bytes;
	size_t used, cap;
	uint32_t *order; /* offsets of the entries, by name once released */
	size_t n_entries, cap_entries;
	size_t initial_cap;
	bool filled;
};

static pthread_mutex_t buffers_lock = PTHREAD_MUTEX_INITIALIZER;

static const FSP_FSCTL_DIR_INFO *
entry_at(const struct dir_buffer *b, uint32_t offset)
{
	return (const FSP_FSCTL_DIR_INFO *)(const void *)(b->bytes + offset);
}

static size_t
entry_units(const FSP_FSCTL_DIR_INFO *entry)
{
	return (entry->Size - sizeof(*entry)) / sizeof(WCHAR);
}

static int
dot_rank(const WCHAR *name, size_t n)
{
	if (n == 1 && name[0] == '.')
		return 0;
	return n == 2 && name[0] == '.' && name[1] == '.' ? 1 : 2;
}

/* Ordinal, but "." and ".." come before everything. */
static int
compare_names(const WCHAR *a, size_t na, const WCHAR *b, size_t nb)
{
	int ra = dot_rank(a, na), rb = dot_rank(b, nb);

	return ra != rb ? ra - rb : utf16_compare(a, na, b, nb, false);
}

static int
compare_entries(const void *pa, const void *pb, void *ctx)
{
	const struct dir_buffer *b = ctx;
	const FSP_FSCTL_DIR_INFO *x = entry_at(b, *(const uint32_t *)pa),
				 *y = entry_at(b, *(const uint32_t *)pb);

	return compare_names(x->FileNameBuf, entry_units(x), y->FileNameBuf, entry_units(y));
}

static size_t
initial_capacity(ULONG hint)
{
	size_t cap = CAPACITY_MIN;

	while (cap < CAPACITY_MAX && cap < (size_t)hint * AVERAGE_ENTRY)
		cap *= 2;
	return cap;
}

/* NULL: no memory. */
static struct dir_buffer *
buffer_ensure(PVOID *slot, ULONG hint)
{
	struct dir_buffer *b;

	pthread_mutex_lock(&buffers_lock);
	b = *slot;
	if (!b) {
		b = calloc(1, sizeof(*b));
		if (b) {
			rwlock_init(&b->lock);
			b->initial_cap = initial_capacity(hint);
			FspInterlockedStorePointer(slot, b);
		}
	}
	pthread_mutex_unlock(&buffers_lock);
	return b;
}

static NO_TSA bool
acquire(struct dir_buffer *b, bool reset)
{
	if (!reset) {
		bool filled;

		rwlock_lock_shared(&b->lock);
		filled = b->filled;
		rwlock_unlock(&b->lock);
		if (filled)
			return false;
	}
	rwlock_lock(&b->lock);
	if (b->filled && !reset) {
		rwlock_unlock(&b->lock);
		return false;
	}
	b->used = 0;
	b->n_entries = 0;
	return true;
}

BOOLEAN
FspFileSystemAcquireDirectoryBufferEx(PVOID *PDirBuffer, BOOLEAN Reset, ULONG CapacityHint,
				      PNTSTATUS PResult)
{
	struct dir_buffer *b = FspInterlockedLoadPointer(PDirBuffer);

	if (!b)
		b = buffer_ensure(PDirBuffer, CapacityHint);
	*PResult = b ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
	return b && acquire(b, Reset);
}

BOOLEAN
FspFileSystemAcquireDirectoryBuffer(PVOID *PDirBuffer, BOOLEAN Reset, PNTSTATUS PResult)
{
	return FspFileSystemAcquireDirectoryBufferEx(PDirBuffer, Reset, 0, PResult);
}

static bool
grow_bytes(struct dir_buffer *b, size_t more)
{
	size_t cap = b->cap ? b->cap : b->initial_cap;
	uint8_t *bytes;

	while (cap - b->used < more)
		cap *= cap < CAPACITY_MAX ? 4 : 2;
	if (cap == b->cap)
		return true;
	if (cap > UINT32_MAX)
		return false;
	bytes = realloc(b->bytes, cap);
	if (!bytes)
		return false;
	b->bytes = bytes;
	b->cap = cap;
	return true;
}

static bool
grow_order(struct dir_buffer *b)
{
	size_t cap = b->cap_entries ? b->cap_entries * 2 : 16;
	uint32_t *order;

	if (b->n_entries < b->cap_entries)
		return true;
	order = realloc(b->order, cap * sizeof(*order));
	if (!order)
		return false;
	b->order = order;
	b->cap_entries = cap;
	return true;
}

BOOLEAN
FspFileSystemFillDirectoryBuffer(PVOID *PDirBuffer, FSP_FSCTL_DIR_INFO *DirInfo,
				 PNTSTATUS PResult)
{
	struct dir_buffer *b = *PDirBuffer;
	size_t step;

	if (!DirInfo || DirInfo->Size < sizeof(*DirInfo)) {
		*PResult = STATUS_INVALID_PARAMETER;
		return FALSE;
	}
	step = ALIGN_UP((size_t)DirInfo->Size, (size_t)8);
	if (!grow_bytes(b, step) || !grow_order(b)) {
		*PResult = STATUS_INSUFFICIENT_RESOURCES;
		return FALSE;
	}
	memcpy(b->bytes + b->used, DirInfo, DirInfo->Size);
	b->order[b->n_entries++] = (uint32_t)b->used;
	b->used += step;
	*PResult = STATUS_SUCCESS;
	return TRUE;
}

NO_TSA VOID
FspFileSystemReleaseDirectoryBuffer(PVOID *PDirBuffer)
{
	struct dir_buffer *b = *PDirBuffer;

	if (b->n_entries > 1)
		qsort_r(b->order, b->n_entries, sizeof(*b->order), compare_entries, b);
	b->filled = true;
	rwlock_unlock(&b->lock);
}

/* Index of the first entry after marker. */
static size_t
find_after(const struct dir_buffer *b, const WCHAR *marker)
{
	size_t n = utf16_len(marker), low = 0, high = b->n_entries;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const FSP_FSCTL_DIR_INFO *entry = entry_at(b, b->order[middle]);

		if (compare_names(entry->FileNameBuf, entry_units(entry), marker, n) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

VOID
FspFileSystemReadDirectoryBuffer(PVOID *PDirBuffer, PWSTR Marker, PVOID Buffer, ULONG Length,
				 PULONG PBytesTransferred)
{
	struct dir_buffer *b = FspInterlockedLoadPointer(PDirBuffer);
	bool all = true;

	if (b) {
		rwlock_lock_shared(&b->lock);
		for (size_t i = Marker ? find_after(b, Marker) : 0; all && i < b->n_entries; i++)
			all = FspFileSystemAddDirInfo(
				(FSP_FSCTL_DIR_INFO *)(void *)(b->bytes + b->order[i]), Buffer,
				Length, PBytesTransferred);
		rwlock_unlock(&b->lock);
	}
	if (all)
		FspFileSystemAddDirInfo(NULL, Buffer, Length, PBytesTransferred);
}

VOID
FspFileSystemDeleteDirectoryBuffer(PVOID *PDirBuffer)
{
	struct dir_buffer *b = *PDirBuffer;

	if (!b)
		return;
	*PDirBuffer = NULL;
	rwlock_fini(&b->lock);
	free(b->bytes);
	free(b->order);
	free(b);
}
