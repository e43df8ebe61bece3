/* The name map must bring every POSIX name back, and never read or write past its
 * buffers. */
#include <stdlib.h>
#include <string.h>
#include "base/text/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_posix_round_trip(const char *bytes, size_t n, enum text_kind kind)
{
	uint16_t *units = malloc(n * sizeof(*units) + 1);
	char *back = malloc(n + 1);
	int n_units = name_from_posix(bytes, n, kind, units, n);

	if (n_units < 0 || name_from_posix(bytes, n, kind, NULL, 0) != n_units)
		abort();
	if (name_to_posix(units, (size_t)n_units, kind, back, n) != (int)n ||
	    memcmp(bytes, back, n) != 0)
		abort();
	free(units);
	free(back);
}

static void
check_units(const uint16_t *units, size_t n)
{
	size_t half = n / 2;
	char *bytes = malloc(n * 3 + 1);
	int n_bytes = name_to_posix(units, n, TEXT_COMPONENT, bytes, n * 3);

	if (n_bytes < 0)
		abort();
	if (utf16_match(units, half, units + half, n - half, true) &&
	    !utf16_has_wildcards(units, half) &&
	    utf16_compare(units, half, units + half, n - half, true) != 0)
		abort();
	free(bytes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint16_t units[512];
	size_t n_units = MIN(size / 2, ARRAY_SIZE(units));

	check_posix_round_trip((const char *)data, size, TEXT_COMPONENT);
	check_posix_round_trip((const char *)data, size, TEXT_PATH);
	if (n_units > 0)
		memcpy(units, data, n_units * 2);
	check_units(units, n_units);
	return 0;
}
