#include "base/text/size.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char suffixes[] = "KMGTP";

/* The power of 1024 that a suffix stands for; -1: none. */
static int
power_of_suffix(const char *suffix)
{
	if (!*suffix)
		return 0;
	const char *found = strchr(suffixes, toupper((unsigned char)*suffix));

	if (!found || (suffix[1] && strcasecmp(suffix + 1, "iB") != 0))
		return -1;
	return (int)(found - suffixes) + 1;
}

int
size_parse(const char *text, uint64_t *ret_bytes)
{
	uint64_t n = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++)
		if (mul_overflows(n, 10u, &n) || add_overflows(n, (unsigned)(*p - '0'), &n))
			return -ERANGE;
	if (p == text)
		return -EINVAL;
	int power = power_of_suffix(p);
	if (power < 0)
		return -EINVAL;
	if (mul_overflows(n, UINT64_C(1) << (10 * power), &n) || n > INT64_MAX)
		return -ERANGE;
	*ret_bytes = n;
	return 0;
}

const char *
size_format(uint64_t bytes, char *dst, size_t cap)
{
	unsigned power = 0;

	while (power < sizeof(suffixes) - 1 && bytes >> (10 * (power + 1)))
		power++;
	uint64_t unit = UINT64_C(1) << (10 * power), tenth = bytes % unit * 10 / unit;

	if (power == 0)
		snprintf(dst, cap, "%llu bytes", (unsigned long long)bytes);
	else if (tenth == 0)
		snprintf(dst, cap, "%llu %ciB", (unsigned long long)(bytes / unit),
			 suffixes[power - 1]);
	else
		snprintf(dst, cap, "%llu.%llu %ciB", (unsigned long long)(bytes / unit),
			 (unsigned long long)tenth, suffixes[power - 1]);
	return dst;
}
