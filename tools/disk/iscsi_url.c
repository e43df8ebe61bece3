#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "tools/disk/client_priv.h"
#include "tools/disk/iscsi_url.h"

static int
hex_value(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

/* %XX decoded; false: malformed, a NUL byte, or longer than cap. */
static bool
decode(const char *from, size_t n, char *dst, size_t cap)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		char c = from[i];

		if (c == '%') {
			if (i + 2 >= n || !isxdigit((unsigned char)from[i + 1]) ||
			    !isxdigit((unsigned char)from[i + 2]))
				return false;
			c = (char)(hex_value(from[i + 1]) << 4 | hex_value(from[i + 2]));
			i += 2;
		}
		if (!c || k + 1 >= cap)
			return false;
		dst[k++] = c;
	}
	dst[k] = '\0';
	return true;
}

static int
parse_option(const char *s, size_t n, struct disk_iscsi_url *u, struct disk_error *error)
{
	char digest[16] = "";
	const struct {
		const char *name;
		char *dst;
		size_t cap;
	} options[] = {
		{"secret-file", u->secret_file, sizeof(u->secret_file)},
		{"mutual-user", u->mutual_user, sizeof(u->mutual_user)},
		{"mutual-secret-file", u->mutual_secret_file,
		 sizeof(u->mutual_secret_file)},
		{"initiator", u->initiator, sizeof(u->initiator)},
		{"digest", digest, sizeof(digest)},
	};

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		size_t k = strlen(options[i].name);

		if (n <= k || strncmp(s, options[i].name, k) != 0 || s[k] != '=')
			continue;
		if (!decode(s + k + 1, n - k - 1, options[i].dst, options[i].cap))
			return disk_error_set(error, EINVAL,
					      "the URL's option %s has no usable value",
					      options[i].name);
		u->digest |= strcmp(digest, "crc32c") == 0;
		if (!*digest || u->digest || strcmp(digest, "none") == 0)
			return 0;
		return disk_error_set(error, EINVAL,
				      "the URL's digest is 'none' or 'crc32c'");
	}
	return disk_error_set(error, EINVAL,
			      "the URL has an option that is not secret-file, "
			      "mutual-user, mutual-secret-file, initiator or digest");
}

static int
parse_options(const char *s, struct disk_iscsi_url *u, struct disk_error *error)
{
	int err = 0;

	while (!err && *s) {
		size_t n = strcspn(s, "&");

		err = parse_option(s, n, u, error);
		s += n + (s[n] == '&');
	}
	return err;
}

static int
parse_lun(const char *s, size_t n, int *ret_lun)
{
	int lun = 0;

	if (!n || n > 5)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		if (!isdigit((unsigned char)s[i]))
			return -EINVAL;
		lun = lun * 10 + s[i] - '0';
	}
	*ret_lun = lun;
	return lun < 16384 ? 0 : -EINVAL; /* SAM-5 4.7: flat addressing has 14 bits */
}

/* HOST, HOST:PORT, [V6], [V6]:PORT; the well-known port where none is said. */
static bool
parse_portal(const char *s, size_t n, char *dst, size_t cap)
{
	char host[272];
	const char *colon, *bracket;

	if (!n || !decode(s, n, host, sizeof(host)))
		return false;
	bracket = host[0] == '[' ? strchr(host, ']') : host;
	if (!bracket)
		return false;
	colon = strchr(bracket, ':');
	if (colon && !colon[1 + strspn(colon + 1, "0123456789")] && colon[1] &&
	    colon != host)
		snprintf(dst, cap, "%s", host);
	else if (!colon)
		snprintf(dst, cap, "%s:3260", host);
	else
		return false;
	return true;
}

int
disk_iscsi_url_parse(const char *url, struct disk_iscsi_url *u, struct disk_error *error)
{
	const char *s = url + strlen("iscsi://"), *query, *at, *slash;
	size_t n;

	*u = (struct disk_iscsi_url){.lun = -1};
	if (strncasecmp(url, "iscsi://", strlen("iscsi://")) != 0)
		return disk_error_set(error, EINVAL, "an iSCSI URL begins with iscsi://");
	query = s + strcspn(s, "?");
	at = memchr(s, '@', (size_t)(query - s));
	slash = memchr(s, '/', (size_t)(query - s));
	if (at && (!slash || at < slash)) {
		if (memchr(s, '%', (size_t)(at - s)) || memchr(s, ':', (size_t)(at - s)))
			return disk_error_set(
				error, EINVAL,
				"a secret does not belong into the URL: write "
				"iscsi://USER@HOST/IQN/LUN?secret-file=PATH");
		if (!decode(s, (size_t)(at - s), u->user, sizeof(u->user)) || !*u->user)
			return disk_error_set(error, EINVAL,
					      "the URL's user is empty or too long");
		s = at + 1;
	}
	if (!slash || !parse_portal(s, (size_t)(slash - s), u->portal, sizeof(u->portal)))
		return disk_error_set(error, EINVAL, "the URL has no HOST[:PORT]/IQN: %s",
				      "iscsi://HOST[:PORT]/IQN/LUN");
	s = slash + 1;
	n = (size_t)(query - s);
	slash = memrchr(s, '/', n);
	if (slash && parse_lun(slash + 1, (size_t)(query - slash - 1), &u->lun) != 0)
		return disk_error_set(error, EINVAL,
				      "the URL's LUN is not a number of 0 to 16383");
	n = slash ? (size_t)(slash - s) : n;
	if (!n || !decode(s, n, u->iqn, sizeof(u->iqn)))
		return disk_error_set(error, EINVAL,
				      "the URL's target name is empty or too long");
	return parse_options(*query ? query + 1 : query, u, error);
}

int
disk_secret_read(const char *file, const char *variable, char dst[256],
		 struct disk_error *error)
{
	const char *value = getenv(variable);
	CLEANUP(close_fd) int fd = -1;
	ssize_t n;

	if (!*file) {
		if (!value || !*value || strlen(value) > 255)
			return disk_error_set(error, ENOENT,
					      "the user's secret is not there: add "
					      "?secret-file=PATH to the URL, or set %s",
					      variable);
		strcpy(dst, value);
		return 0;
	}
	fd = open(file, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, dst, 255);
	if (n < 0)
		return disk_error_set(error, errno, "the secret file %s: %s", file,
				      strerror(errno));
	dst[n] = '\0';
	dst[strcspn(dst, "\r\n")] = '\0';
	return *dst ? 0
		    : disk_error_set(error, EINVAL,
				     "the secret file %s has an empty first line", file);
}
