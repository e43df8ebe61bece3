#include "transport/mount/eas.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/text/escape.h"

static const uint8_t mark[DOOR_EA_MARK_SIZE] = {0x00, 'U', 'x', 0x00};

/* FAT's set, without wildcards (MS-FSCC 2.4.15), and our own '%'. */
static bool
needs_escape(uint8_t c)
{
	return c <= 0x20 || c >= 0x7f || strchr("\"*+,/:;<=>?[\\]|%", c) != NULL;
}

int
door_ea_encode_name(const char *name, char dst[DOOR_EA_NAME_MAX + 1])
{
	static const char digits[] = "0123456789ABCDEF";
	int n = 0;

	for (const uint8_t *s = (const uint8_t *)name; *s; s++) {
		int need = needs_escape(*s) ? 3 : 1;

		if (n + need > DOOR_EA_NAME_MAX)
			return -ERANGE;
		if (need == 1)
			dst[n] = (char)*s;
		else {
			dst[n] = '%';
			dst[n + 1] = digits[*s >> 4];
			dst[n + 2] = digits[*s & 15];
		}
		n += need;
	}
	dst[n] = '\0';
	return n;
}

size_t
door_ea_decode_name(const char *ea_name, size_t n, char *dst)
{
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		/* Lower case too: volumes that do not keep the case of EA names exist. */
		int high = i + 2 < n ? hex_digit_value(ea_name[i + 1]) : -1;
		int low = i + 2 < n ? hex_digit_value(ea_name[i + 2]) : -1;

		if (ea_name[i] == '%' && high >= 0 && low >= 0 && (high | low) != 0 &&
		    needs_escape((uint8_t)(high << 4 | low))) {
			dst[used++] = (char)(high << 4 | low);
			i += 2;
		} else
			dst[used++] = ea_name[i];
	}
	dst[used] = '\0';
	return used;
}

bool
door_ea_find(const void *list, uint32_t size, const char *name, struct fs_ea *ret_ea)
{
	char decoded[DOOR_EA_NAME_MAX + 2];
	uint32_t offset = 0;

	while (fs_ea_next(list, size, &offset, ret_ea)) {
		door_ea_decode_name(ret_ea->name, ret_ea->n_name, decoded);
		if (strcasecmp(decoded, name) == 0)
			return true;
	}
	return false;
}

static bool
is_marked(const void *value, size_t n)
{
	return n >= sizeof(mark) && memcmp(value, mark, sizeof(mark)) == 0;
}

const uint8_t *
door_ea_value(const struct fs_ea *ea, size_t *ret_n)
{
	size_t skip = is_marked(ea->value, ea->n_value) ? sizeof(mark) : 0;

	*ret_n = ea->n_value - skip;
	return ea->value + skip;
}

uint32_t
door_ea_build(const char *ea_name, size_t n_name, const void *value, size_t n_value, void *dst,
	      uint32_t cap)
{
	CLEANUP(free_ptr) uint8_t *bytes = malloc(n_value + sizeof(mark));
	size_t skip = n_value == 0 || is_marked(value, n_value) ? sizeof(mark) : 0;
	struct fs_ea ea = {.name = ea_name, .n_name = (uint8_t)n_name, .value = bytes};
	uint32_t size = 0;

	if (!bytes || n_value + skip > UINT16_MAX)
		return 0;
	memcpy(bytes, mark, skip);
	if (n_value > 0)
		memcpy(bytes + skip, value, n_value);
	ea.n_value = (uint16_t)(n_value + skip);
	return fs_ea_append(dst, cap, &size, &ea) ? size : 0;
}
