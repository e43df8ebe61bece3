/* Names as NT has them: validity, normalisation, and how two names stand to each other. */
#include "base/clock.h"
#include "fs/volume_priv.h"

enum { NO_FILE = 1, NO_STREAM = 2, NOWHERE = NO_FILE | NO_STREAM };

/*
 * What may not stand in an NTFS name, below 80h, and in a stream's: the latter may hold control
 * characters, quotes, wildcards. A table, since every lookup passes here.
 */
static const uint8_t forbidden[0x80] = {
	[0] = NOWHERE, [0x01 ... 0x1f] = NO_FILE,
	['"'] = NO_FILE, ['*'] = NO_FILE, ['<'] = NO_FILE, ['>'] = NO_FILE, ['?'] = NO_FILE,
	['|'] = NO_FILE, ['/'] = NOWHERE, [':'] = NOWHERE, ['\\'] = NOWHERE,
};

static bool
is_file_unit(uint16_t c)
{
	return c >= 0x80 || !(forbidden[c] & NO_FILE);
}

static bool
is_stream_unit(uint16_t c)
{
	return c >= 0x80 || !(forbidden[c] & NO_STREAM);
}

/* After the second colon stands "$DATA" in any case, and nothing else. */
static bool
is_data_type(const uint16_t *type, size_t n_units)
{
	static const uint16_t data[] = {'$', 'D', 'A', 'T', 'A'};

	return utf16_compare(type, n_units, data, ARRAY_SIZE(data), true) == 0;
}

/* name[colon] starts the stream part of the last component. */
static NTSTATUS
normalise_stream(const struct fs_volume *volume, const uint16_t *name, size_t n_units,
		 size_t colon, struct fs_name_parts *parts)
{
	size_t end = colon + 1;

	if (!(volume->params.flags & FS_VOL_NAMED_STREAMS) ||
	    (name[colon - 1] == '\\' && colon > 1))
		return STATUS_OBJECT_NAME_INVALID;
	while (end < n_units && is_stream_unit(name[end]))
		end++;
	if (end < n_units) {
		if (name[end] != ':' || !is_data_type(name + end + 1, n_units - end - 1))
			return STATUS_OBJECT_NAME_INVALID;
		parts->data_type = true;
	} else if (end == colon + 1) {
		return STATUS_OBJECT_NAME_INVALID;
	}
	/* "f::$DATA" is the file itself */
	parts->stream_at = end == colon + 1 ? 0 : colon;
	parts->n_units = end == colon + 1 ? colon : end;
	return STATUS_SUCCESS;
}

NTSTATUS
fs_name_normalise(const struct fs_volume *volume, uint16_t *name, size_t n_units,
		  struct fs_name_parts *ret_parts)
{
	struct fs_name_parts parts = {0};
	size_t start = 1, i;

	if (n_units == 0 || name[0] != '\\')
		return STATUS_OBJECT_NAME_INVALID;
	if (n_units > 1 && name[n_units - 1] == '\\') {
		parts.trailing_backslash = true;
		n_units--;
	}
	parts.n_units = n_units;
	for (i = 1; i < n_units && name[i] != ':'; i++) {
		if (name[i] == '\\') {
			if (i == start || i - start > volume->max_component)
				return STATUS_OBJECT_NAME_INVALID;
			start = i + 1;
		} else if (!is_file_unit(name[i])) {
			return STATUS_OBJECT_NAME_INVALID;
		}
	}
	/* the last component counts with its stream part */
	if (n_units > 1 && (start == n_units || n_units - start > volume->max_component))
		return STATUS_OBJECT_NAME_INVALID;
	if (i < n_units) {
		NTSTATUS st = normalise_stream(volume, name, n_units, i, &parts);

		if (!NT_SUCCESS(st))
			return st;
	}
	*ret_parts = parts;
	return STATUS_SUCCESS;
}

bool
fs_name_component_valid(const struct fs_volume *volume, const uint16_t *name, size_t n_units)
{
	if (n_units == 0 || n_units > volume->max_component)
		return false;
	for (size_t i = 0; i < n_units; i++)
		if (!is_file_unit(name[i]))
			return false;
	return true;
}

size_t
fs_name_parent(const uint16_t *name, size_t n_units)
{
	while (n_units > 1 && name[n_units - 1] != '\\')
		n_units--;
	return n_units > 1 ? n_units - 1 : 1;
}

int
fs_name_relation(const struct fs_volume *volume, const uint16_t *name, size_t n_units,
		 const uint16_t *prefix, size_t n_prefix)
{
	if (n_units < n_prefix ||
	    utf16_compare(name, n_prefix, prefix, n_prefix, volume->fold_case) != 0)
		return -1;
	if (n_units == n_prefix)
		return 0;
	if (name[n_prefix] == ':')
		return 2;
	return name[n_prefix] == '\\' || n_prefix == 1 ? 1 : -1;
}

/* ".userdrive-hidden-" and eight characters: an unlinked file that is still open. */
static const char hidden_prefix[] = ".userdrive-hidden-";
enum { HIDDEN_PREFIX_UNITS = sizeof(hidden_prefix) - 1 };
_Static_assert(FS_HIDDEN_UNITS == HIDDEN_PREFIX_UNITS + 8, "two words for the same");

bool
fs_name_is_hidden(const uint16_t *name, size_t n_units)
{
	if (n_units != FS_HIDDEN_UNITS)
		return false;
	for (size_t i = 0; i < HIDDEN_PREFIX_UNITS; i++)
		if (name[i] != (uint8_t)hidden_prefix[i])
			return false;
	return true;
}

void
fs_name_make_hidden(uint16_t dst[FS_HIDDEN_UNITS], struct fs_volume *volume)
{
	static const char digits[] = "0123456789abcdef";
	/* Whoever uses it does not replace: a name that exists is refused, not lost. */
	uint64_t seed = clock_monotonic_ns() + (uintptr_t)volume;
	uint32_t number = (uint32_t)((seed * 0x9e3779b97f4a7c15ull) >> 32);

	for (size_t i = 0; i < HIDDEN_PREFIX_UNITS; i++)
		dst[i] = (uint8_t)hidden_prefix[i];
	for (size_t i = HIDDEN_PREFIX_UNITS; i < FS_HIDDEN_UNITS; i++, number >>= 4)
		dst[i] = (uint8_t)digits[number & 15];
}
