#include "tools/userdrive/json.h"

#include <stdlib.h>
#include <string.h>

static const char *
skip_space(const char *p)
{
	while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')
		p++;
	return p;
}

static size_t
put_utf8(unsigned c, char *dst)
{
	if (c < 0x80) {
		dst[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		dst[0] = (char)(0xC0 | c >> 6);
		dst[1] = (char)(0x80 | (c & 0x3F));
		return 2;
	}
	dst[0] = (char)(0xE0 | c >> 12);
	dst[1] = (char)(0x80 | (c >> 6 & 0x3F));
	dst[2] = (char)(0x80 | (c & 0x3F));
	return 3;
}

/* p is behind the opening quote. Returns what follows the closing one, NULL when there is none.
 * dst NULL skips. */
static const char *
read_string(const char *p, char *dst, size_t cap)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	size_t n = 0;

	for (; *p && *p != '"'; p++) {
		char bytes[4];
		size_t n_bytes = 1;

		bytes[0] = *p;
		if (*p == '\\') {
			const char *known = p[1] ? strchr(from, p[1]) : NULL;

			p++;
			if (*p == 'u' && strlen(p) > 4) {
				char hex[5] = {p[1], p[2], p[3], p[4], 0};

				n_bytes = put_utf8((unsigned)strtoul(hex, NULL, 16), bytes);
				p += 4;
			} else if (known) {
				bytes[0] = to[known - from];
			} else {
				return NULL;
			}
		}
		if (dst && n + n_bytes >= cap)
			return NULL;
		if (dst)
			memcpy(dst + n, bytes, n_bytes);
		n += n_bytes;
	}
	if (*p != '"')
		return NULL;
	if (dst)
		dst[n] = '\0';
	return p + 1;
}

/* Behind one value of any kind. */
static const char *
skip_value(const char *p)
{
	int depth = 0;

	do {
		if (*p == '"') {
			p = read_string(p + 1, NULL, 0);
			if (!p)
				return NULL;
			continue;
		}
		if (*p == '{' || *p == '[')
			depth++;
		if (*p == '}' || *p == ']') {
			if (depth == 0)
				return p;
			depth--;
		}
		if (depth == 0 && *p == ',')
			return p;
		if (*p)
			p++;
	} while (*p && (depth > 0 || (*p != ',' && *p != '}')));
	return p;
}

/* A value that begins at p and ends before end. */
static bool
copy_value(const char *p, const char *end, char *dst, size_t cap)
{
	if (*p == '"')
		return read_string(p + 1, dst, cap) != NULL;
	while (end > p && (end[-1] == ' ' || end[-1] == '\n'))
		end--;
	if ((size_t)(end - p) >= cap)
		return false;
	memcpy(dst, p, (size_t)(end - p));
	dst[end - p] = '\0';
	return true;
}

bool
json_get(const char *object, const char *key, char *dst, size_t cap)
{
	char name[64];
	const char *p = skip_space(object);

	if (*p != '{')
		return false;
	for (p = skip_space(p + 1); *p == '"'; p = skip_space(p + 1)) {
		p = read_string(p + 1, name, sizeof(name));
		if (!p)
			return false;
		p = skip_space(p);
		if (*p != ':')
			return false;
		p = skip_space(p + 1);
		const char *end = skip_value(p);
		if (!end)
			return false;
		if (strcmp(name, key) == 0)
			return copy_value(p, end, dst, cap);
		p = skip_space(end);
		if (*p != ',')
			return false;
	}
	return false;
}

bool
json_item(const char *array, size_t index, char *dst, size_t cap)
{
	const char *p = skip_space(array);

	if (*p != '[' || *(p = skip_space(p + 1)) == ']')
		return false;
	for (size_t i = 0; *p; i++) {
		const char *end = skip_value(p);

		if (!end || end == p)
			return false;
		if (i == index)
			return copy_value(p, end, dst, cap);
		p = skip_space(end);
		if (*p != ',')
			return false;
		p = skip_space(p + 1);
	}
	return false;
}
