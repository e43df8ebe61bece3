#include "transport/iscsi/options.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include "transport/iscsi/negotiate.h"

#define PREFIX "iscsi://"

static const char *const known_options[] = {"auth",    "allow",	  "advertise", "sessions",
					    "digests", "timeout", NULL};

static int
bad(struct scsi_door_error *error, const char *what)
{
	return scsi_door_fail(error, EINVAL, "%s: use iscsi://ADDR:PORT/IQN[/LUN]", what);
}

static int
parse_uint(const char *digits, size_t n, unsigned limit, unsigned *ret)
{
	unsigned value = 0;

	if (n == 0 || n > 6)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		if (digits[i] < '0' || digits[i] > '9')
			return -EINVAL;
		value = value * 10 + (unsigned)(digits[i] - '0');
	}
	if (value > limit)
		return -EINVAL;
	*ret = value;
	return 0;
}

/* ADDR, ADDR:PORT, [v6]:PORT, :PORT or nothing */
static int
parse_authority(const char *s, size_t n, struct iscsi_options *o, struct scsi_door_error *error)
{
	const char *host = s, *end = s + n, *colon, *host_end;
	unsigned port = ISCSI_PORT_DEFAULT;

	if (n > 0 && s[0] == '[') {
		host = s + 1;
		host_end = memchr(host, ']', n - 1);
		if (!host_end)
			return bad(error, "the address lacks its ']'");
		colon = host_end + 1 < end ? host_end + 1 : NULL;
	} else {
		colon = memchr(s, ':', n);
		host_end = colon ? colon : end;
	}
	if (colon &&
	    (*colon != ':' || parse_uint(colon + 1, (size_t)(end - colon - 1), 65535, &port) < 0))
		return bad(error, "the port is not a number from 0 to 65535");
	size_t n_host = (size_t)(host_end - host);

	if (n_host > ISCSI_HOST_MAX)
		return bad(error, "the address is too long");
	/* An open port on every interface must be asked for: ruling of all network doors. */
	snprintf(o->host, sizeof(o->host), "%.*s", (int)n_host, host);
	if (n_host == 0)
		strcpy(o->host, "127.0.0.1");
	o->port = (uint16_t)port;
	return 0;
}

static int
parse_target(const char *s, size_t n, struct iscsi_options *o, struct scsi_door_error *error)
{
	const char *slash = memchr(s, '/', n);
	size_t n_name = slash ? (size_t)(slash - s) : n;
	char name[ISCSI_NAME_MAX + 1];

	if (n_name == 0 || n_name > ISCSI_NAME_MAX)
		return bad(error, "there is no target name, or it has more than 223 bytes");
	memcpy(name, s, n_name);
	name[n_name] = 0;
	if (iscsi_name_parse(name, o->iqn) < 0)
		return bad(error, "the target name is not like iqn.2026-01.com.example:disk");
	o->lun = 0;
	if (slash && parse_uint(slash + 1, n - n_name - 1, SCSI_LUN_LIMIT - 1, &o->lun) < 0)
		return bad(error, "the LUN is not a number from 0 to 255");
	return 0;
}

struct digest_word {
	const char *word;
	unsigned header, data;
};

static int
parse_digests(const char *word, struct iscsi_target_options *o, struct scsi_door_error *error)
{
	enum { NONE = ISCSI_DIGEST_NONE, CRC = ISCSI_DIGEST_CRC32C, ANY = NONE | CRC };
	static const struct digest_word words[] = {
		{"none", NONE, NONE}, {"header", ANY, NONE},  {"data", NONE, ANY},
		{"both", ANY, ANY},   {"required", CRC, CRC}, {"header-required", CRC, ANY},
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(words[i].word, word) != 0)
			continue;
		o->header_digests = words[i].header;
		o->data_digests = words[i].data;
		return 0;
	}
	return scsi_door_fail(error, EINVAL,
			      "digests=%s: one of none, header, data, both, required", word);
}

/* 0: fine or not there */
static int
option_text(const char *device, const char *name, char *dst, size_t cap,
	    struct scsi_door_error *error)
{
	int found = scsi_door_option(device, name, dst, cap);

	if (found < 0)
		return scsi_door_fail(error, EINVAL, "option %s is malformed or too long", name);
	if (found == 0)
		dst[0] = 0;
	else if (!dst[0])
		return scsi_door_fail(error, EINVAL, "option %s has no value", name);
	return 0;
}

static int
option_number(const char *device, const char *name, unsigned min, unsigned max, unsigned *value,
	      struct scsi_door_error *error)
{
	char text[16];
	int err = option_text(device, name, text, sizeof(text), error);
	unsigned parsed;

	if (err < 0 || !text[0])
		return err;
	if (parse_uint(text, strlen(text), max, &parsed) < 0 || parsed < min)
		return scsi_door_fail(error, EINVAL, "%s=%s: a number from %u to %u", name, text,
				      min, max);
	*value = parsed;
	return 0;
}

static int
parse_options(const char *device, struct iscsi_target_options *o, struct scsi_door_error *error)
{
	char digests[32];
	int err = scsi_door_options_check(device, known_options, error);

	o->sessions = ISCSI_SESSIONS_DEFAULT;
	o->timeout_s = ISCSI_TIMEOUT_DEFAULT;
	if (err == 0)
		err = option_text(device, "auth", o->auth, sizeof(o->auth), error);
	if (err == 0)
		err = option_text(device, "allow", o->allow, sizeof(o->allow), error);
	if (err == 0)
		err = option_text(device, "advertise", o->advertise, sizeof(o->advertise), error);
	if (err == 0)
		err = option_text(device, "digests", digests, sizeof(digests), error);
	if (err == 0)
		err = parse_digests(digests[0] ? digests : "both", o, error);
	if (err == 0)
		err = option_number(device, "sessions", 1, ISCSI_SESSIONS_MAX, &o->sessions, error);
	if (err == 0)
		err = option_number(device, "timeout", 0, ISCSI_TIMEOUT_MAX, &o->timeout_s, error);
	return err;
}

int
iscsi_options_parse(const char *device_name, struct iscsi_options *ret_options,
		    struct scsi_door_error *error)
{
	struct iscsi_options o = {0};
	const char *s = device_name + strlen(PREFIX);
	int err;

	if (strncasecmp(device_name, PREFIX, strlen(PREFIX)) != 0)
		return bad(error, "not an iSCSI device name");
	const char *end = s + strcspn(s, "?"), *slash = memchr(s, '/', (size_t)(end - s));

	if (!slash)
		return bad(error, "there is no target name");
	err = parse_authority(s, (size_t)(slash - s), &o, error);
	if (err == 0)
		err = parse_target(slash + 1, (size_t)(end - slash - 1), &o, error);
	if (err == 0)
		err = parse_options(device_name, &o.target, error);
	if (err == 0)
		*ret_options = o;
	return err;
}

bool
iscsi_options_allow(const char *patterns, const char *initiator)
{
	const char *item;
	size_t size;

	if (!patterns[0])
		return true;
	while (iscsi_text_item(&patterns, &item, &size)) {
		char pattern[512];

		snprintf(pattern, sizeof(pattern), "%.*s", (int)size, item);
		if (size < sizeof(pattern) && fnmatch(pattern, initiator, FNM_CASEFOLD) == 0)
			return true;
	}
	return false;
}
