#include "transport/iscsi/chap.h"

#include <errno.h>
#include <fcntl.h>
#include <nettle/md5.h>
#include <nettle/memops.h>
#include <nettle/nettle-meta.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { AUTH_FILE_MAX = 256 << 10 };

static const struct nettle_hash *
hash_of(uint32_t algorithm)
{
	switch (algorithm) {
	case ISCSI_CHAP_MD5:
		return &nettle_md5;
	case ISCSI_CHAP_SHA1:
		return &nettle_sha1;
	case ISCSI_CHAP_SHA256:
		return &nettle_sha256;
	default:
		return NULL;
	}
}

size_t
iscsi_chap_digest_size(uint32_t algorithm)
{
	const struct nettle_hash *hash = hash_of(algorithm);

	return hash ? hash->digest_size : 0;
}

size_t
iscsi_chap_response(uint32_t algorithm, uint8_t id, const char *secret, const uint8_t *challenge,
		    size_t n_challenge, uint8_t dst[ISCSI_CHAP_DIGEST_MAX])
{
	const struct nettle_hash *hash = hash_of(algorithm);
	union {
		struct md5_ctx md5;
		struct sha1_ctx sha1;
		struct sha256_ctx sha256;
	} ctx;

	if (!hash)
		return 0;
	hash->init(&ctx);
	hash->update(&ctx, 1, &id);
	hash->update(&ctx, strlen(secret), (const uint8_t *)secret);
	hash->update(&ctx, n_challenge, challenge);
	hash->digest(&ctx, hash->digest_size, dst);
	explicit_bzero(&ctx, sizeof(ctx));
	return hash->digest_size;
}

bool
iscsi_chap_equal(const uint8_t *a, size_t n_a, const uint8_t *b, size_t n_b)
{
	return n_a == n_b && memeql_sec(a, b, n_a);
}

int
iscsi_chap_random(void *dst, size_t size)
{
	return getrandom(dst, size, 0) == (ssize_t)size ? 0 : -EIO;
}

void
iscsi_auth_fini(struct iscsi_auth *auth)
{
	if (auth->users)
		explicit_bzero(auth->users, auth->n_users * sizeof(*auth->users));
	free(auth->users);
	explicit_bzero(auth, sizeof(*auth));
}

const struct iscsi_secret *
iscsi_auth_find(const struct iscsi_auth *auth, const char *name)
{
	for (size_t i = 0; i < auth->n_users; i++)
		if (strcmp(auth->users[i].name, name) == 0)
			return &auth->users[i];
	return NULL;
}

struct auth_reader {
	struct iscsi_auth *auth;
	unsigned line;
	char *error;
	size_t cap;
};

static int
auth_bad(const struct auth_reader *r, const char *what)
{
	snprintf(r->error, r->cap, "line %u: %s", r->line, what);
	return -EINVAL;
}

/* The next word of [*at, end); words are separated by blanks. */
static bool
next_word(const char **at, const char *end, const char **ret_word, size_t *ret_size)
{
	while (*at < end && (**at == ' ' || **at == '\t'))
		(*at)++;
	*ret_word = *at;
	while (*at < end && **at != ' ' && **at != '\t')
		(*at)++;
	*ret_size = (size_t)(*at - *ret_word);
	return *ret_size > 0;
}

static int
add_user(struct auth_reader *r, const struct iscsi_secret *secret)
{
	struct iscsi_auth *auth = r->auth;

	if (auth->n_users == ISCSI_CHAP_USERS_MAX)
		return auth_bad(r, "too many users");
	if (iscsi_auth_find(auth, secret->name))
		return auth_bad(r, "this user is there already");
	/* No realloc: it would leave secrets behind in freed memory. */
	if (!auth->users)
		auth->users = calloc(ISCSI_CHAP_USERS_MAX, sizeof(*auth->users));
	if (!auth->users)
		return -ENOMEM;
	auth->users[auth->n_users++] = *secret;
	return 0;
}

static int
auth_line(struct auth_reader *r, const char *at, const char *end)
{
	const char *kind, *name, *secret, *rest;
	size_t n_kind, n_name, n_secret, n_rest;
	struct iscsi_secret entry = {0};
	int err;

	if (!next_word(&at, end, &kind, &n_kind) || kind[0] == '#')
		return 0;
	if (!next_word(&at, end, &name, &n_name) || !next_word(&at, end, &secret, &n_secret) ||
	    next_word(&at, end, &rest, &n_rest))
		return auth_bad(r, "not \"user NAME SECRET\" or \"mutual NAME SECRET\"");
	if (n_name > ISCSI_CHAP_NAME_MAX || n_secret > ISCSI_CHAP_SECRET_MAX)
		return auth_bad(r, "name or secret longer than 255 bytes");
	memcpy(entry.name, name, n_name);
	memcpy(entry.secret, secret, n_secret);
	if (n_kind == 4 && memcmp(kind, "user", 4) == 0) {
		err = add_user(r, &entry);
	} else if (n_kind == 6 && memcmp(kind, "mutual", 6) == 0 && !r->auth->mutual.name[0]) {
		r->auth->mutual = entry;
		err = 0;
	} else {
		err = auth_bad(r, "not \"user\", or not the only \"mutual\"");
	}
	explicit_bzero(&entry, sizeof(entry));
	return err;
}

static int
auth_check(struct auth_reader *r)
{
	const struct iscsi_auth *auth = r->auth;

	if (auth->n_users == 0) {
		snprintf(r->error, r->cap, "no \"user NAME SECRET\" in it");
		return -EINVAL;
	}
	for (size_t i = 0; i < auth->n_users; i++)
		if (strcmp(auth->users[i].secret, auth->mutual.secret) == 0) {
			snprintf(r->error, r->cap,
				 "the mutual secret is also a user's: they must differ");
			return -EINVAL;
		}
	return 0;
}

int
iscsi_auth_parse(const char *text, size_t size, struct iscsi_auth *ret_auth, char *error,
		 size_t cap)
{
	struct iscsi_auth auth = {0};
	struct auth_reader r = {.auth = &auth, .error = error, .cap = cap};
	const char *end = text + size;
	int err = memchr(text, 0, size) ? auth_bad(&r, "a NUL byte") : 0;

	while (err == 0 && text < end) {
		const char *eol = memchr(text, '\n', (size_t)(end - text));

		if (!eol)
			eol = end;
		r.line++;
		err = auth_line(&r, text, eol > text && eol[-1] == '\r' ? eol - 1 : eol);
		text = eol < end ? eol + 1 : end;
	}
	if (err == 0)
		err = auth_check(&r);
	if (err < 0) {
		iscsi_auth_fini(&auth);
		return err;
	}
	*ret_auth = auth;
	return 0;
}

/* What can be read at once of an opened file: its size, or -errno. */
static ssize_t
auth_read(int fd, char *text, char *error, size_t cap)
{
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size > AUTH_FILE_MAX) {
		snprintf(error, cap, "not a small regular file");
		return -EINVAL;
	}
	if (st.st_mode & 077) {
		snprintf(error, cap, "others may read it: chmod 600");
		return -EACCES;
	}
	n = read(fd, text, AUTH_FILE_MAX);
	return n < 0 ? -errno : n;
}

int
iscsi_auth_load(const char *path, struct iscsi_auth *ret_auth, char *error, size_t cap)
{
	CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char *text = fd < 0 ? NULL : calloc(1, AUTH_FILE_MAX);
	ssize_t n = fd < 0 ? -errno : text ? 0 : -ENOMEM;

	error[0] = 0;
	if (n == 0)
		n = auth_read(fd, text, error, cap);
	int err = n < 0  ? (int)n
		  : text ? iscsi_auth_parse(text, (size_t)n, ret_auth, error, cap)
			 : -EIO;

	if (text)
		explicit_bzero(text, AUTH_FILE_MAX);
	free(text);
	if (err < 0 && !error[0])
		snprintf(error, cap, "%s", strerror(-err));
	return err;
}
