#include "scsi/door.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* What a NULL DeviceName means: doors of the kernel, the best first. */
static const char *const kernel_doors[] = {"ublk", "tcmu", "loop"};

/* Names that will be doors. Who types one hears what there is instead. */
static const struct {
	const char *prefix, *text;
} planned[] = {
	{"ublk:", "ublk devices are planned and not there yet; use loop:"},
	{"tcmu:", "the kernel's SCSI target (TCMU) is planned and not there yet; use loop: or "
		  "iscsi://127.0.0.1"},
	{"nbd+unix://", "NBD is planned and not there yet; use iscsi://, which QEMU and the kernel "
			"know as well"},
	{"vhost-user:",
	 "vhost-user for virtual machines is planned and not there yet; use iscsi://, "
	 "which QEMU knows as well"},
};

int
scsi_door_fail(struct scsi_door_error *error, int err, const char *fmt, ...)
{
	va_list ap;

	error->err = err < 0 ? -err : err;
	va_start(ap, fmt);
	vsnprintf(error->text, sizeof(error->text), fmt, ap);
	va_end(ap);
	return -error->err;
}

static bool
has_prefix(const char *name, const char *prefix)
{
	return strncasecmp(name, prefix, strlen(prefix)) == 0;
}

static const struct scsi_door *
door_by_name(const char *name)
{
	for (size_t i = 0; scsi_doors[i]; i++)
		if (strcmp(scsi_doors[i]->name, name) == 0)
			return scsi_doors[i];
	return NULL;
}

static const struct scsi_door *
find_kernel_door(struct scsi_door_error *error)
{
	const char *reason = "this program was built without one";

	for (size_t i = 0; i < ARRAY_SIZE(kernel_doors); i++) {
		const struct scsi_door *door = door_by_name(kernel_doors[i]);

		if (!door)
			continue;
		reason = door->unusable ? door->unusable() : NULL;
		if (!reason)
			return door;
	}
	scsi_door_fail(error, ENODEV, "no kernel device can carry the disk: %s", reason);
	return NULL;
}

static void
unknown_name(const char *device_name, struct scsi_door_error *error)
{
	char list[192] = "";
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(planned); i++)
		if (has_prefix(device_name, planned[i].prefix)) {
			scsi_door_fail(error, EOPNOTSUPP, "%.128s: %s", device_name,
				       planned[i].text);
			return;
		}
	for (size_t i = 0; scsi_doors[i] && n < sizeof(list); i++)
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s", n ? ", " : "",
				      scsi_doors[i]->prefix);
	scsi_door_fail(error, EINVAL, "%.128s: not the name of a door; names begin with %s",
		       device_name, list);
}

const struct scsi_door *
scsi_door_find(const char *device_name, struct scsi_door_error *error)
{
	const char *reason;

	if (!device_name)
		return find_kernel_door(error);
	for (size_t i = 0; scsi_doors[i]; i++) {
		const struct scsi_door *door = scsi_doors[i];

		if (!has_prefix(device_name, door->prefix))
			continue;
		reason = door->unusable ? door->unusable() : NULL;
		if (!reason)
			return door;
		scsi_door_fail(error, ENODEV, "%.128s: %s", device_name, reason);
		return NULL;
	}
	unknown_name(device_name, error);
	return NULL;
}

/* ---------------------------------------------------------------- options */

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* %XX; a NUL would end the value in somebody else's eyes. */
static int
decode(const char *s, size_t n, char *dst, size_t cap)
{
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		char c = s[i];

		if (c == '%') {
			int high = i + 1 < n ? hex_digit(s[i + 1]) : -1;
			int low = i + 2 < n ? hex_digit(s[i + 2]) : -1;

			if (high < 0 || low < 0 || high + low == 0)
				return -EINVAL;
			c = (char)(high << 4 | low);
			i += 2;
		}
		if (at + 1 >= cap)
			return -EINVAL;
		dst[at++] = c;
	}
	if (cap == 0)
		return -EINVAL;
	dst[at] = 0;
	return 0;
}

/* One option after another; *s is after the '?' or '&'. */
struct option {
	const char *name, *value;
	size_t n_name, n_value;
};

static bool
next_option(const char **s, struct option *ret)
{
	size_t n = strcspn(*s, "&");

	if (**s == 0)
		return false;
	ret->name = *s;
	ret->n_name = strcspn(*s, "=&");
	ret->value = *s + ret->n_name + ((*s)[ret->n_name] == '=');
	ret->n_value = (size_t)(*s + n - ret->value);
	*s += n + ((*s)[n] == '&');
	return true;
}

static const char *
options_of(const char *device_name)
{
	const char *s = device_name ? strchr(device_name, '?') : NULL;

	return s ? s + 1 : "";
}

int
scsi_door_option(const char *device_name, const char *option, char *dst, size_t cap)
{
	const char *s = options_of(device_name);
	struct option o;

	while (next_option(&s, &o))
		if (o.n_name == strlen(option) && strncmp(o.name, option, o.n_name) == 0)
			return decode(o.value, o.n_value, dst, cap) < 0 ? -EINVAL : 1;
	return 0;
}

static bool
is_known(const struct option *o, const char *const known[])
{
	for (size_t i = 0; known[i]; i++)
		if (strlen(known[i]) == o->n_name && strncmp(known[i], o->name, o->n_name) == 0)
			return true;
	return false;
}

int
scsi_door_options_check(const char *device_name, const char *const known[],
			struct scsi_door_error *error)
{
	const char *s = options_of(device_name);
	struct option o;

	while (next_option(&s, &o))
		if (!is_known(&o, known))
			return scsi_door_fail(error, EINVAL, "%.128s: unknown option '%.*s'",
					      device_name, (int)MIN(o.n_name, (size_t)64), o.name);
	return 0;
}
