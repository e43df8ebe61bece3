/*
 * CHAP (RFC 1994) as iSCSI carries it, RFC 7143 12.1.3, and the file that holds the secrets.
 *
 *	# comment
 *	user NAME SECRET      an initiator that may log in
 *	mutual NAME SECRET    what we answer when it asks who we are
 *
 * One thread at a time per struct; a loaded iscsi_auth is read-only and may be shared.
 */
#ifndef USERDRIVE_ISCSI_CHAP_H
#define USERDRIVE_ISCSI_CHAP_H

#include "base/compiler.h"

enum {
	ISCSI_CHAP_MD5 = 5, /* PPP authentication algorithms of IANA */
	ISCSI_CHAP_SHA1 = 6,
	ISCSI_CHAP_SHA256 = 7,
	ISCSI_CHAP_DIGEST_MAX = 32,
	ISCSI_CHAP_CHALLENGE = 32, /* bytes of ours */
	ISCSI_CHAP_NAME_MAX = 255,
	ISCSI_CHAP_SECRET_MAX = 255,
	ISCSI_CHAP_USERS_MAX = 256
};

struct iscsi_secret {
	char name[ISCSI_CHAP_NAME_MAX + 1];
	char secret[ISCSI_CHAP_SECRET_MAX + 1];
};

struct iscsi_auth {
	struct iscsi_secret *users;
	size_t n_users;
	struct iscsi_secret mutual; /* name "": none */
};

/*
 * Reads the file. 0 or -errno with one line in error: -EACCES when others may read it (mode & 077),
 * -EINVAL for a line that is not one of the above, a secret that serves both ways (12.1.3: must
 * not), or no user at all.
 */
NODISCARD int iscsi_auth_load(const char *path, struct iscsi_auth *ret_auth, char *error,
			      size_t cap);
/* The same from its text, for tests and fuzzing. */
NODISCARD int iscsi_auth_parse(const char *text, size_t size, struct iscsi_auth *ret_auth,
			       char *error, size_t cap);
/* Wipes and frees. */
void iscsi_auth_fini(struct iscsi_auth *auth);
/* NULL: no such user. */
const struct iscsi_secret *iscsi_auth_find(const struct iscsi_auth *auth, const char *name);

/* Bytes of an algorithm's digest; 0: not one of ours. */
size_t iscsi_chap_digest_size(uint32_t algorithm);
/* digest(id, secret, challenge). Returns its size. */
size_t iscsi_chap_response(uint32_t algorithm, uint8_t id, const char *secret,
			   const uint8_t *challenge, size_t n_challenge,
			   uint8_t dst[ISCSI_CHAP_DIGEST_MAX]);
/* In a time that does not tell where they differ. */
bool iscsi_chap_equal(const uint8_t *a, size_t n_a, const uint8_t *b, size_t n_b);
/* Bytes that nobody can foretell. 0 or -errno. */
NODISCARD int iscsi_chap_random(void *dst, size_t size);

#endif
