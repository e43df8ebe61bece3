#include "transport/mount/options.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NS_PER_SECOND = 1000000000 };

int
door_fail(struct fs_door_error *error, int err, const char *fmt, ...)
{
	va_list args;

	error->err = err;
	va_start(args, fmt);
	vsnprintf(error->text, sizeof(error->text), fmt, args);
	va_end(args);
	return -err;
}

void
door_options_init(struct door_options *o)
{
	*o = (struct door_options){
		.transport = FUSEK_TRANSPORT_AUTO,
		.attr_timeout_ns = DOOR_TIME_UNSET,
		.entry_timeout_ns = DOOR_TIME_UNSET,
		.negative_timeout_ns = DOOR_TIME_UNSET,
	};
}

/* A decimal number of at most max; octal for masks. */
static bool
parse_number(const char *text, int base, uint64_t max, uint32_t *ret_value)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	unsigned long long value = strtoull(text, &end, base);
	if (errno || *end || value > max)
		return false;
	*ret_value = (uint32_t)value;
	return true;
}

/* "1.5" seconds; a bare number is seconds too. */
static bool
parse_seconds(const char *text, uint64_t *ret_ns)
{
	char *end;
	double seconds;

	if (*text < '0' || *text > '9')
		return false;
	seconds = strtod(text, &end);
	if (*end || !(seconds <= 1e9))
		return false;
	*ret_ns = (uint64_t)(seconds * NS_PER_SECOND);
	return true;
}

struct choice {
	const char *word;
	int value;
};

static bool
parse_choice(const char *text, const struct choice *choices, int *ret_value)
{
	for (; choices->word; choices++)
		if (strcmp(choices->word, text) == 0) {
			*ret_value = choices->value;
			return true;
		}
	return false;
}

static bool
set_transport(struct door_options *o, const char *value)
{
	static const struct choice choices[] = {{"auto", FUSEK_TRANSPORT_AUTO},
						{"uring", FUSEK_TRANSPORT_URING},
						{"dev", FUSEK_TRANSPORT_DEV},
						{NULL, 0}};
	int choice;

	if (!parse_choice(value, choices, &choice))
		return false;
	o->transport = (enum fusek_transport)choice;
	return true;
}

static bool
set_streams(struct door_options *o, const char *value)
{
	static const struct choice choices[] = {{"none", DOOR_STREAMS_NONE},
						{"xattr", DOOR_STREAMS_XATTR},
						{"windows", DOOR_STREAMS_WINDOWS},
						{NULL, 0}};
	int choice;

	if (!parse_choice(value, choices, &choice))
		return false;
	o->streams = (enum door_streams)choice;
	return true;
}

static bool
set_symlinks(struct door_options *o, const char *value)
{
	o->symlinks_nt = strcmp(value, "nt") == 0;
	return o->symlinks_nt || strcmp(value, "auto") == 0;
}

static bool
set_threads(struct door_options *o, const char *value)
{
	return parse_number(value, 10, 1024, &o->threads) && o->threads > 0;
}

static bool
set_max_write(struct door_options *o, const char *value)
{
	return parse_number(value, 10, 16 << 20, &o->max_write) && o->max_write >= 4096;
}

static bool
set_uid(struct door_options *o, const char *value)
{
	return o->has_uid = parse_number(value, 10, UINT32_MAX - 1, &o->uid);
}

static bool
set_gid(struct door_options *o, const char *value)
{
	return o->has_gid = parse_number(value, 10, UINT32_MAX - 1, &o->gid);
}

static bool
set_umask(struct door_options *o, const char *value)
{
	return o->has_umask = parse_number(value, 8, 0777, &o->umask);
}

static bool
set_deadline(struct door_options *o, const char *value)
{
	return o->has_deadline = parse_number(value, 10, INT32_MAX, &o->deadline_ms);
}

static bool
set_minor(struct door_options *o, const char *value)
{
	return parse_number(value, 10, FUSE_KERNEL_MINOR_VERSION, &o->protocol_minor) &&
	       o->protocol_minor >= FUSE_KERNEL_MINOR_MIN;
}

static bool
set_attr_timeout(struct door_options *o, const char *value)
{
	return parse_seconds(value, &o->attr_timeout_ns);
}

static bool
set_entry_timeout(struct door_options *o, const char *value)
{
	return parse_seconds(value, &o->entry_timeout_ns);
}

static bool
set_negative_timeout(struct door_options *o, const char *value)
{
	return parse_seconds(value, &o->negative_timeout_ns);
}

static const struct {
	const char *word;
	bool (*set)(struct door_options *o, const char *value);
	const char *expects;
} valued[] = {
	{"transport", set_transport, "auto, uring or dev"},
	{"threads", set_threads, "a number from 1 to 1024"},
	{"max_threads", set_threads, "a number from 1 to 1024"},
	{"attr_timeout", set_attr_timeout, "seconds, such as 1 or 0.5"},
	{"entry_timeout", set_entry_timeout, "seconds, such as 1 or 0.5"},
	{"negative_timeout", set_negative_timeout, "seconds, such as 1 or 0.5"},
	{"max_write", set_max_write, "bytes, from 4096 to 16777216"},
	{"uid", set_uid, "a user number"},
	{"gid", set_gid, "a group number"},
	{"umask", set_umask, "an octal mask, such as 022"},
	{"streams_interface", set_streams, "none, xattr or windows"},
	{"symlinks", set_symlinks, "auto or nt"},
	{"deadline", set_deadline, "milliseconds, 0 for none"},
	{"protocol_minor", set_minor, "a number from 31 to 45"},
};

static bool
flag_parse(struct door_options *o, const char *item)
{
	if (strcmp(item, "writeback") == 0)
		o->writeback = DOOR_ON;
	else if (strcmp(item, "no_writeback") == 0)
		o->writeback = DOOR_OFF;
	else if (strcmp(item, "passthrough") == 0)
		o->passthrough = DOOR_ON;
	else if (strcmp(item, "no_passthrough") == 0)
		o->passthrough = DOOR_OFF;
	else if (strcmp(item, "direct_io") == 0)
		o->direct_io = true;
	else if (strcmp(item, "no_default_permissions") == 0)
		o->no_default_permissions = true;
	else
		return false;
	return true;
}

int
door_option_parse(struct door_options *o, const char *item, struct fs_door_error *error)
{
	struct fusek_mount_error mount_error;
	size_t n = strcspn(item, "=");
	int taken;

	for (size_t i = 0; i < ARRAY_SIZE(valued); i++) {
		if (strlen(valued[i].word) != n || strncmp(valued[i].word, item, n) != 0)
			continue;
		if (item[n] != '=' || !valued[i].set(o, item + n + 1))
			return door_fail(error, EINVAL, "option %s: give %s", item,
					 valued[i].expects);
		return 1;
	}
	if (flag_parse(o, item))
		return 1;
	taken = fusek_mount_option_parse(&o->mount, item, &mount_error);
	if (taken < 0)
		return door_fail(error, mount_error.err, "%s", mount_error.text);
	return taken;
}

/* The next word of *list into dst, commas unescaped; false at the end. */
static bool
next_item(const char **list, char *dst)
{
	const char *s = *list;

	while (*s == ',')
		s++;
	if (!*s)
		return false;
	while (*s && *s != ',') {
		if (s[0] == '\\' && (s[1] == ',' || s[1] == '\\'))
			s++;
		*dst++ = *s++;
	}
	*dst = '\0';
	*list = s;
	return true;
}

int
door_options_parse(struct door_options *o, const char *list, struct fs_door_error *error)
{
	CLEANUP(free_ptr) char *item = NULL;
	int taken = 0;

	if (!list)
		return 0;
	item = malloc(strlen(list) + 1);
	if (!item)
		return door_fail(error, ENOMEM, "out of memory");
	while (next_item(&list, item)) {
		taken = door_option_parse(o, item, error);
		if (taken < 0)
			return taken;
		if (taken == 0)
			return door_fail(error, EINVAL, "unknown mount option \"%s\"", item);
	}
	return 0;
}
